/* The tables, as steps from each version to the next. A step that has been released is never changed again.
 */
#include "service/store/inside.h"

#define STRINGIFY(value) #value
#define TEXT_OF(value)   STRINGIFY(value)

/* Times are as in store.h. Lists within a session are separated by newlines, which no audience can hold. */
static const char FIRST[] = "PRAGMA application_id = " TEXT_OF(
    SA_APPLICATION_ID) ";"

                       "CREATE TABLE users ("
                       "  subject TEXT PRIMARY KEY,"
                       "  name TEXT NOT NULL UNIQUE,"
                       "  uid INTEGER NOT NULL UNIQUE CHECK (uid BETWEEN 0 AND 4294967295),"
                       "  full_name TEXT NOT NULL,"
                       "  email TEXT NOT NULL,"
                       "  active INTEGER NOT NULL,"
                       "  not_before_s INTEGER NOT NULL,"
                       "  not_after_s INTEGER NOT NULL,"
                       "  must_change INTEGER NOT NULL,"
                       "  changed_s INTEGER NOT NULL,"
                       "  max_days INTEGER NOT NULL,"
                       "  warn_days INTEGER NOT NULL,"
                       "  hash BLOB" /* sealed; NULL for none */
                       ") STRICT;"

                       "CREATE TABLE user_groups ("
                       "  subject TEXT NOT NULL REFERENCES users ON DELETE CASCADE,"
                       "  place INTEGER NOT NULL,"
                       "  name TEXT NOT NULL,"
                       "  PRIMARY KEY (subject, place)"
                       ") STRICT, WITHOUT ROWID;"

                       /* AUTOINCREMENT: a number that was used is never used again. */
                       "CREATE TABLE clients ("
                       "  number INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number BETWEEN 1 AND 4294967295),"
                       "  id TEXT NOT NULL UNIQUE,"
                       "  kind INTEGER NOT NULL,"
                       "  grants INTEGER NOT NULL,"
                       "  login INTEGER NOT NULL,"
                       "  access_ttl_s INTEGER NOT NULL,"
                       "  grace_s INTEGER NOT NULL,"
                       "  created_ms INTEGER NOT NULL,"
                       "  secret_mac BLOB"
                       ") STRICT;"

                       "CREATE TABLE client_owned ("
                       "  client INTEGER NOT NULL REFERENCES clients ON DELETE CASCADE,"
                       "  place INTEGER NOT NULL,"
                       "  audience TEXT NOT NULL,"
                       "  PRIMARY KEY (client, place)"
                       ") STRICT, WITHOUT ROWID;"

                       "CREATE TABLE client_audiences ("
                       "  client INTEGER NOT NULL REFERENCES clients ON DELETE CASCADE,"
                       "  audience TEXT NOT NULL,"
                       "  scopes TEXT NOT NULL,"
                       "  user_group TEXT NOT NULL,"
                       "  PRIMARY KEY (client, audience)"
                       ") STRICT, WITHOUT ROWID;"

                       "INSERT INTO clients (id, kind, grants, login, access_ttl_s, grace_s, created_ms)"
                       "  VALUES ('" SA_HOST_CLIENT
                       "', 3, 0, 0, 0, 0, CAST(strftime('%s', 'now') AS INTEGER) * 1000);"

                       /* No foreign keys: a session that has ended outlives its user and its client until it
                          is purged. */
                       "CREATE TABLE sessions ("
                       "  number INTEGER PRIMARY KEY,"
                       "  id TEXT NOT NULL UNIQUE,"
                       "  kind INTEGER NOT NULL,"
                       "  subject TEXT NOT NULL,"
                       "  user TEXT NOT NULL,"
                       "  uid INTEGER NOT NULL,"
                       "  client_id TEXT NOT NULL,"
                       "  client_row INTEGER NOT NULL,"
                       "  service TEXT NOT NULL,"
                       "  source TEXT NOT NULL,"
                       "  tty TEXT NOT NULL,"
                       "  leader_pid INTEGER NOT NULL,"
                       "  leader_start INTEGER NOT NULL,"
                       "  boot_id BLOB NOT NULL,"
                       "  audit_session INTEGER NOT NULL,"
                       "  created_ms INTEGER NOT NULL,"
                       "  last_used_ms INTEGER NOT NULL,"
                       "  idle_ms INTEGER NOT NULL,"
                       "  expires_ms INTEGER NOT NULL,"
                       "  ended_ms INTEGER NOT NULL DEFAULT 0," /* 0: it has not */
                       "  auth_time_s INTEGER NOT NULL,"
                       "  amr TEXT NOT NULL,"
                       "  acr TEXT NOT NULL,"
                       "  audiences TEXT NOT NULL,"
                       "  scope TEXT NOT NULL,"
                       "  rotates INTEGER NOT NULL,"
                       "  grace_s INTEGER NOT NULL,"
                       "  handle_mac BLOB,"
                       "  generation INTEGER NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),"
                       /* When generations G-1 and G-2 were replaced, by both clocks, and in which boot; NULL:
                          there was none. */
                       "  replaced1_boot_ms INTEGER,"
                       "  replaced1_wall_ms INTEGER,"
                       "  replaced1_boot_id BLOB,"
                       "  replaced2_boot_ms INTEGER,"
                       "  replaced2_wall_ms INTEGER,"
                       "  replaced2_boot_id BLOB"
                       ") STRICT;"
                       "CREATE UNIQUE INDEX sessions_handle ON sessions (handle_mac) WHERE handle_mac IS NOT "
                       "NULL;"
                       "CREATE INDEX sessions_subject ON sessions (subject) WHERE ended_ms = 0;"
                       "CREATE INDEX sessions_client ON sessions (client_row) WHERE ended_ms = 0;"
                       "CREATE INDEX sessions_leader ON sessions (id) WHERE ended_ms = 0 AND kind = 1 AND "
                       "leader_pid > 0;"
                       "CREATE INDEX sessions_ended ON sessions (ended_ms) WHERE ended_ms > 0;"
                       "CREATE INDEX sessions_expiry ON sessions (expires_ms);"

                       "CREATE TABLE revoked_tokens ("
                       "  jti TEXT PRIMARY KEY,"
                       "  exp_s INTEGER NOT NULL"
                       ") STRICT, WITHOUT ROWID;"
                       "CREATE INDEX revoked_tokens_expiry ON revoked_tokens (exp_s);"

                       "CREATE TABLE signing_keys ("
                       "  kid TEXT PRIMARY KEY,"
                       "  created_ms INTEGER NOT NULL,"
                       "  active_ms INTEGER NOT NULL,"
                       "  retire_ms INTEGER NOT NULL,"
                       "  private BLOB NOT NULL" /* sealed */
                       ") STRICT;"

                       "CREATE TABLE audit ("
                       "  sequence INTEGER PRIMARY KEY,"
                       "  time_ms INTEGER NOT NULL,"
                       "  event INTEGER NOT NULL,"
                       "  outcome INTEGER NOT NULL,"
                       "  request_id INTEGER NOT NULL,"
                       "  actor_uid INTEGER NOT NULL,"
                       "  acting_uid INTEGER NOT NULL,"
                       "  actor_pid INTEGER NOT NULL,"
                       "  login_uid INTEGER NOT NULL,"
                       "  audit_session INTEGER NOT NULL,"
                       "  reason TEXT,"
                       "  user TEXT,"
                       "  subject TEXT,"
                       "  client_id TEXT,"
                       "  session_id TEXT,"
                       "  service TEXT,"
                       "  source TEXT,"
                       "  gateway TEXT,"
                       "  detail TEXT,"
                       "  salt BLOB NOT NULL,"
                       "  leaf BLOB NOT NULL"
                       ") STRICT;"

                       "PRAGMA user_version = 1;";

/*
 * What decides about logins beside the password. Rows of users go with them; pairs and guards name no user
 * that can be joined to, since names without a record have them too.
 */
static const char SECOND[] = "CREATE TABLE pairs ("
                             "  key BLOB PRIMARY KEY," /* keyed hashes, as the next one */
                             "  name BLOB NOT NULL,"
                             "  user TEXT NOT NULL,"
                             "  source TEXT NOT NULL,"
                             "  failures INTEGER NOT NULL,"
                             "  left_ms INTEGER NOT NULL,"
                             "  failed_ms INTEGER NOT NULL,"
                             "  expires_ms INTEGER NOT NULL"
                             ") STRICT, WITHOUT ROWID;"
                             "CREATE INDEX pairs_expiry ON pairs (expires_ms);"

                             "CREATE TABLE guards ("
                             "  name BLOB PRIMARY KEY,"
                             "  user TEXT NOT NULL,"
                             "  failures INTEGER NOT NULL,"
                             "  left_ms INTEGER NOT NULL,"
                             "  failed_ms INTEGER NOT NULL,"
                             "  expires_ms INTEGER NOT NULL"
                             ") STRICT, WITHOUT ROWID;"
                             "CREATE INDEX guards_expiry ON guards (expires_ms);"

                             "CREATE TABLE known_sources ("
                             "  subject TEXT NOT NULL REFERENCES users ON DELETE CASCADE,"
                             "  source TEXT NOT NULL,"
                             "  used_s INTEGER NOT NULL,"
                             "  factor_s INTEGER NOT NULL,"
                             "  PRIMARY KEY (subject, source)"
                             ") STRICT, WITHOUT ROWID;"
                             "CREATE INDEX known_sources_used ON known_sources (used_s);"

                             "CREATE TABLE totp ("
                             "  subject TEXT NOT NULL REFERENCES users ON DELETE CASCADE,"
                             "  armed INTEGER NOT NULL," /* 0: waits for its first code */
                             "  algorithm INTEGER NOT NULL,"
                             "  digits INTEGER NOT NULL,"
                             "  key BLOB NOT NULL," /* sealed */
                             "  armed_s INTEGER NOT NULL,"
                             "  last_step INTEGER NOT NULL,"
                             "  PRIMARY KEY (subject, armed)"
                             ") STRICT, WITHOUT ROWID;"

                             "CREATE TABLE recovery_codes ("
                             "  subject TEXT NOT NULL REFERENCES users ON DELETE CASCADE,"
                             "  mac BLOB NOT NULL,"
                             "  PRIMARY KEY (subject, mac)"
                             ") STRICT, WITHOUT ROWID;"

                             "CREATE TABLE wrong_codes ("
                             "  subject TEXT PRIMARY KEY REFERENCES users ON DELETE CASCADE,"
                             "  failures INTEGER NOT NULL"
                             ") STRICT, WITHOUT ROWID;"

                             "ALTER TABLE users ADD COLUMN min_days INTEGER NOT NULL DEFAULT 0;"
                             "ALTER TABLE users ADD COLUMN inactive_days INTEGER NOT NULL DEFAULT -1;"
                             "ALTER TABLE users ADD COLUMN shadow_form INTEGER NOT NULL DEFAULT 0;"

                             "PRAGMA user_version = 2;";

/* A client that was disabled and is enabled again: what it was given before that moment is void. */
static const char THIRD[] = "ALTER TABLE clients ADD COLUMN active INTEGER NOT NULL DEFAULT 1;"
                            "ALTER TABLE clients ADD COLUMN enabled_ms INTEGER NOT NULL DEFAULT 0;"

                            "PRAGMA user_version = 3;";

/* Clients that prove themselves in other ways, gateways by number, tokens that are void by a rule. */
static const char FOURTH[] =
    "ALTER TABLE sessions ADD COLUMN cnf_x5t TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE sessions ADD COLUMN cnf_jkt TEXT NOT NULL DEFAULT '';"

    /* AUTOINCREMENT: a number that was used is never used again. */
    "CREATE TABLE gateways ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL UNIQUE"
    ") STRICT;"

    "ALTER TABLE sessions ADD COLUMN gateway INTEGER NOT NULL DEFAULT 0;" /* 0: none */
    "CREATE TABLE not_before ("
    "  kind INTEGER NOT NULL,"
    "  key TEXT NOT NULL,"
    "  since_ms INTEGER NOT NULL,"
    "  not_before_ms INTEGER NOT NULL,"
    "  until_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (kind, key)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX not_before_until ON not_before (until_ms);"

    /* When an account is over by its own dates, as sa_account_state has it; NULL: never. */
    "ALTER TABLE users ADD COLUMN closes_s INTEGER GENERATED ALWAYS AS (nullif(min("
    "  iif(not_after_s > 0, not_after_s, 9223372036854775807),"
    "  iif(inactive_days >= 0 AND max_days > 0 AND changed_s > 0,"
    "      changed_s + (max_days + inactive_days) * 86400, 9223372036854775807)),"
    "  9223372036854775807)) VIRTUAL;"
    "CREATE INDEX users_closing ON users (closes_s) WHERE closes_s IS NOT NULL;"

    /* Sessions that have ended wait for their time to be purged, and are in nobody's way meanwhile. */
    "DROP INDEX sessions_expiry;"
    "CREATE INDEX sessions_expiry ON sessions (expires_ms) WHERE ended_ms = 0;"

    /* A key is a client's; AUTOINCREMENT: a number that was used is never used again. */
    "CREATE TABLE api_keys ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  id TEXT NOT NULL UNIQUE,"
    "  client INTEGER NOT NULL REFERENCES clients ON DELETE CASCADE,"
    "  label TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL" /* 0: it does not */
    ") STRICT;"
    "CREATE INDEX api_keys_client ON api_keys (client);"

    "CREATE TABLE api_key_audiences ("
    "  api_key INTEGER NOT NULL REFERENCES api_keys ON DELETE CASCADE,"
    "  place INTEGER NOT NULL,"
    "  audience TEXT NOT NULL,"
    "  scopes TEXT NOT NULL,"
    "  PRIMARY KEY (api_key, place)"
    ") STRICT, WITHOUT ROWID;"

    /* Of a client itself, or of one of its keys. */
    "CREATE TABLE secrets ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  client INTEGER NOT NULL REFERENCES clients ON DELETE CASCADE,"
    "  api_key INTEGER REFERENCES api_keys ON DELETE CASCADE," /* NULL: the client's own */
    "  mac BLOB NOT NULL,"
    "  created_ms INTEGER NOT NULL,"
    "  expires_ms INTEGER NOT NULL," /* 0: it does not */
    "  last_used_ms INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE INDEX secrets_owner ON secrets (client, api_key);"
    "CREATE INDEX secrets_api_key ON secrets (api_key);"
    "INSERT INTO secrets (client, mac, created_ms, expires_ms)"
    "  SELECT number, secret_mac, created_ms, 0 FROM clients WHERE secret_mac IS NOT NULL;"
    "ALTER TABLE clients DROP COLUMN secret_mac;"

    "ALTER TABLE clients ADD COLUMN jwks TEXT;"
    "ALTER TABLE clients ADD COLUMN attest_uid INTEGER NOT NULL DEFAULT 0;" /* 0: none */
    "ALTER TABLE clients ADD COLUMN attest_unit TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE clients ADD COLUMN say_groups INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE clients ADD COLUMN dpop_bound INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE client_audiences ADD COLUMN plain_typ INTEGER NOT NULL DEFAULT 0;"

    "CREATE TABLE client_certificates ("
    "  client INTEGER NOT NULL REFERENCES clients ON DELETE CASCADE,"
    "  place INTEGER NOT NULL,"
    "  sha256 BLOB NOT NULL,"
    "  PRIMARY KEY (client, place)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE client_exchanges ("
    "  client INTEGER NOT NULL REFERENCES clients ON DELETE CASCADE,"
    "  place INTEGER NOT NULL,"
    "  from_audience TEXT NOT NULL,"
    "  to_audience TEXT NOT NULL,"
    "  scopes TEXT NOT NULL,"
    "  PRIMARY KEY (client, place)"
    ") STRICT, WITHOUT ROWID;"

    "PRAGMA user_version = 4;";

/* What followers are told; the numbers are never used again. */
static const char FIFTH[] =
    "CREATE TABLE incarnation (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL) STRICT;"
    "INSERT INTO incarnation VALUES (1, lower(hex(randomblob(16))));"
    "ALTER TABLE sessions ADD COLUMN exchanged INTEGER NOT NULL DEFAULT 0;" /* for audiences that it has not
                                                                             */
    "ALTER TABLE revoked_tokens ADD COLUMN client_row INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE revoked_tokens ADD COLUMN audiences TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE revocations ("
    "  sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  kind INTEGER NOT NULL," /* that of not_before, or 4: a session, 5: a token */
    "  key TEXT NOT NULL,"
    "  since_ms INTEGER NOT NULL DEFAULT 0,"
    "  not_before_ms INTEGER NOT NULL DEFAULT 0,"
    "  until_ms INTEGER NOT NULL,"
    "  client_row INTEGER NOT NULL DEFAULT 0,"
    "  audiences TEXT NOT NULL DEFAULT ''"
    ") STRICT;"
    "CREATE INDEX revocations_until ON revocations (until_ms);"
    /* 3,660 s: the longest that an access token lives, and a minute for clocks that differ. */
    "INSERT INTO revocations (kind, key, until_ms, client_row, audiences)"
    "  SELECT 4, id, ended_ms + 3660000, client_row, audiences FROM sessions WHERE ended_ms > 0;"
    "INSERT INTO revocations (kind, key, until_ms) SELECT 5, jti, exp_s * 1000 + 60000 FROM revoked_tokens;"
    /* Where time has ended it, verifiers are told only if a token can still be good. */
    "CREATE TRIGGER sessions_tell AFTER UPDATE OF ended_ms ON sessions"
    "  WHEN old.ended_ms = 0 AND new.ended_ms > 0 AND new.ended_ms < new.expires_ms AND (new.idle_ms = 0 OR"
    "    new.last_used_ms + max(new.idle_ms, 3660000) > new.ended_ms) BEGIN"
    "  INSERT INTO revocations (kind, key, until_ms, client_row, audiences) VALUES (4, new.id,"
    "    new.ended_ms + 3660000, new.client_row, iif(new.exchanged, '', new.audiences)); END;"
    "CREATE TRIGGER revoked_tokens_tell AFTER INSERT ON revoked_tokens BEGIN"
    "  INSERT INTO revocations (kind, key, until_ms, client_row, audiences) VALUES (5, new.jti,"
    "    new.exp_s * 1000 + 60000, new.client_row, new.audiences); END;"
    "CREATE TRIGGER not_before_tell AFTER INSERT ON not_before BEGIN"
    "  INSERT INTO revocations (kind, key, since_ms, not_before_ms, until_ms) VALUES (new.kind, new.key,"
    "    new.since_ms, new.not_before_ms, new.until_ms); END;"
    "CREATE TRIGGER not_before_tell_again AFTER UPDATE ON not_before BEGIN"
    "  INSERT INTO revocations (kind, key, since_ms, not_before_ms, until_ms) VALUES (new.kind, new.key,"
    "    new.since_ms, new.not_before_ms, new.until_ms); END;"

    "CREATE INDEX revoked_tokens_client ON revoked_tokens (client_row, exp_s);"
    "CREATE INDEX api_keys_expiry ON api_keys (expires_ms) WHERE expires_ms > 0;"

    /* Each that something may be sealed with: two while a rotation is under way. */
    "CREATE TABLE master_keys ("
    "  number INTEGER PRIMARY KEY,"
    "  kept BLOB NOT NULL" /* the keys of keyed hashes, sealed with it */
    ") STRICT;"

    "PRAGMA user_version = 5;";

const struct sa_migration sa_migrations[] = {{FIRST}, {SECOND}, {THIRD}, {FOURTH}, {FIFTH}};
const unsigned sa_migration_count = SA_COUNT(sa_migrations);
