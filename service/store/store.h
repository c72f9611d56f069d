/*
 * The store, in the words of the domain. One function is one transaction. No SQL, cursor or row id leaves it.
 *
 * Writing functions are called on the store lane and block until their transaction is committed: one writer
 * thread takes all that is queued, runs each caller's part in a savepoint of one BEGIN IMMEDIATE, adds
 * everybody's audit record, and commits once. What a writing function reports as SA_OK is on the disk, with
 * its record.
 *
 * Every function may also return SA_STORAGE (the store cannot read or write now; nothing changed) and
 * SA_NO_MEMORY; neither is ever to be taken for a denial. `audit` is the record of the decision: it is
 * committed with the change or not at all. Where a function's outcome decides what the record says, it fills
 * in outcome and reason itself and says so. Outputs are written only on SA_OK.
 *
 * Times: *_ms are milliseconds since 1970 (wall) unless named *_boot_ms (CLOCK_BOOTTIME).
 */
#ifndef SA_STORE_H
#define SA_STORE_H

#include "proto/decode.h" /* struct sa_arena */
#include "service/base/clock.h"
#include "service/crypto/encode.h"
#include "service/crypto/jwt.h"
#include "service/crypto/keyring.h"
#include "service/crypto/password.h"
#include "service/store/audit.h"

#define SA_USER_NAME_MAX   32u
#define SA_USER_GROUPS_MAX 64u
#define SA_GROUP_NAME_MAX  32u
#define SA_CLIENT_ID_MAX   64u
#define SA_AUDIENCES_MAX   64u
#define SA_OWNED_MAX       16u
#define SA_SCOPES_MAX      64u
#define SA_SCOPE_MAX       64u
#define SA_SCOPE_LIST_MAX  1024u
#define SA_PAGE_MAX        500u
#define SA_KEYS_MAX        16u    /* signing keys of every state */
#define SA_HOST_CLIENT     "host" /* the built-in client of logins */

struct sa_store;

struct sa_store_options {
    const char *path;           /* of the SQLite file; its directory exists */
    const char *managed;        /* of the list of managed uids; NULL for none */
    struct sa_keyring *keyring; /* outlives the store, which settles it */
    const char *vfs;            /* SQLite's VFS; NULL for the default. For tests that inject faults. */
    /*
     * A commit failed in a way that leaves its outcome unknown: the process must end, and the next one finds
     * out from the file. NULL: _exit(70). For tests, whose function may return: nothing is written any more
     * then, everybody gets SA_STORAGE, and the file is left as it is.
     */
    void (*fatal)(const char *why);
    /*
     * The most that is kept in reserve for a full disk (SA_STORE_RESERVE); 0: nothing, and a write that fails
     * is tried again with the next one. Tests only.
     */
    uint64_t reserve;
    /* Who may still log in while the reserve is in use; NULL: nobody. On the writer's thread. */
    bool (*is_administrator)(const char *user);
};

#define SA_STORE_RESERVE (UINT64_C(64) << 20)

/*
 * The disk (design section 10). EMERGENCY: the reserve is in use; logins and changes of administrators, and
 * what ends or repairs something, are written, all else is SA_STORAGE. READ_ONLY: all that would write is.
 * Reading goes on in both.
 */
enum sa_disk_stage { SA_DISK_NORMAL, SA_DISK_EMERGENCY, SA_DISK_READ_ONLY };

enum sa_disk_stage sa_disk_stage(const struct sa_store *store);
const char *sa_disk_name(enum sa_disk_stage stage); /* "normal", "emergency", "read-only" */

/* Look whether a stage is over, by making the reserve again and a small write. About once a second; waits for
 * it. */
void sa_store_probe(struct sa_store *store, int64_t now_ms);

/*
 * Open or make the store: one daemon a file (a lock), migrations, checks at start, the managed list, the
 * client `host`. *ret_why on any other status than SA_OK is the reason in plain words, a constant.
 */
SA_MUST_CHECK enum sa_status sa_store_open(const struct sa_store_options *options,
                                           struct sa_store **ret_store, const char **ret_why);

/* Finish what is queued, checkpoint, close. NULL is taken. */
void sa_store_close(struct sa_store *store);
SA_DEFINE_OWN(sa_store, sa_store_close)

struct sa_store_stats {
    uint32_t schema_version;
    bool writable; /* false after a write failed, until one succeeds */
    enum sa_disk_stage disk;
    uint64_t audit_sequence;
    uint64_t users;
    uint64_t clients;
    uint64_t sessions; /* live */
    uint64_t commits;
    uint64_t committed; /* callers' parts in them */
    struct sa_master_state {
        uint64_t number; /* of the present one: the first is 1, every rotation makes the next */
        bool rotates;
        uint64_t resealed; /* values, since the rotation or the daemon began */
        uint64_t left;     /* that are sealed with the one before */
    } master_key;
};

SA_MUST_CHECK enum sa_status sa_store_stats(struct sa_store *store, int64_t now_ms,
                                            struct sa_store_stats *ret_stats);

/*
 * A writing function's part of a commit, prepared in an arena for somebody who does not want to wait on a
 * thread of its own: sa_store_audit_work, sa_store_refresh_work. All that it points to lives as long as the
 * arena.
 */
struct sa_work;

/*
 * Hand a part to the writer.
 *
 *   finished  called once, on the writer's thread, after the commit or its failure: with the status that the
 *             writing function would have returned. It must not wait. It is called for every part that was
 * handed over before a writing function that has returned since.
 */
void sa_store_submit(struct sa_store *store, struct sa_work *work,
                     void (*finished)(void *user, enum sa_status status), void *user);

/* ---- audit ---- */

/* Commit a decision that changes nothing else. */
SA_MUST_CHECK enum sa_status sa_store_audit(struct sa_store *store, const struct sa_audit *audit);

/* The same as a part for sa_store_submit; NULL for lack of memory. */
struct sa_work *sa_store_audit_work(struct sa_arena *arena, const struct sa_audit *audit);

struct sa_audit_query {
    uint64_t after_sequence;
    unsigned limit;      /* 1 to SA_PAGE_MAX */
    const char *user;    /* "" or NULL: any */
    enum sa_event event; /* 0: any */
    uint64_t request_id; /* 0: any */
    bool newest;         /* the newest that fit, in ascending order all the same */
};

/*
 * Records in ascending order; *ret_rows is an array that the caller frees with free(). *ret_more: there are
 * more behind the last one.
 */
SA_MUST_CHECK enum sa_status sa_store_audit_list(struct sa_store *store, const struct sa_audit_query *query,
                                                 struct sa_audit_row **ret_rows, unsigned *ret_count,
                                                 bool *ret_more);

/* ---- users ---- */

struct sa_user {
    char name[SA_USER_NAME_MAX + 1];
    uint32_t uid;
    char subject[SA_ID_LEN + 1]; /* made by the store, never used again */
    char full_name[256];
    char email[255];
    bool active;
    int64_t not_before_s; /* seconds since 1970; 0: none */
    int64_t not_after_s;
    bool must_change;
    int64_t changed_s; /* when the password was set; 0: unknown */
    uint32_t max_days; /* 0: for ever */
    uint32_t warn_days;
    uint32_t min_days;      /* between two changes by the person */
    bool has_inactive;      /* false: an expired password can be changed for ever */
    uint32_t inactive_days; /* after it expired, in which it can still be changed */
    uint32_t shadow_form;   /* how the line wrote what the days do not say: enum sa_shadow_form */
    unsigned group_count;
    char groups[SA_USER_GROUPS_MAX][SA_GROUP_NAME_MAX + 1];
    char hash[SA_PASSWORD_HASH_MAX + 1]; /* encoded; "" for none. A secret: wiped by sa_user_free. */
};

/* Bits: a line of shadow(5) that was imported had these fields so, which the days alone do not tell. */
enum sa_shadow_form {
    SA_SHADOW_MIN_EMPTY = 1,  /* not 0 */
    SA_SHADOW_MAX_EMPTY = 2,  /* not 99999 */
    SA_SHADOW_MAX_ZERO = 4,   /* not 1 */
    SA_SHADOW_WARN_EMPTY = 8, /* not 0 */
};

struct sa_user *sa_user_new(void); /* zeroed; NULL for lack of memory */
void sa_user_free(struct sa_user *user);
SA_DEFINE_OWN(sa_user, sa_user_free)

/* SA_OK or SA_NOT_FOUND. Names are compared byte for byte. */
SA_MUST_CHECK enum sa_status sa_store_user_by_name(struct sa_store *store, struct sa_bytes name,
                                                   struct sa_user **ret_user);
SA_MUST_CHECK enum sa_status sa_store_user_by_uid(struct sa_store *store, uint32_t uid,
                                                  struct sa_user **ret_user);
SA_MUST_CHECK enum sa_status sa_store_user_by_subject(struct sa_store *store, const char *subject,
                                                      struct sa_user **ret_user);

/* Whether a uid has a record; from memory, never waits. */
bool sa_store_uid_is_managed(struct sa_store *store, uint32_t uid);

/*
 * Users after a name ("" for the first), by name. *ret_users is an array of *ret_count records, without
 * hashes but with `ret_kinds[i]` their kind; freed with sa_users_free.
 */
SA_MUST_CHECK enum sa_status sa_store_user_list(struct sa_store *store, const char *after, unsigned limit,
                                                struct sa_user **ret_users, enum sa_password_kind **ret_kinds,
                                                unsigned *ret_count, bool *ret_more);
void sa_users_free(struct sa_user *users, enum sa_password_kind *kinds, unsigned count);

/*
 * Add a user. The store fills in user->subject (also in the record), hash and all else are the caller's.
 *   name_key  under which failures of the name are kept (sa_pair_row's `name`): those of before are not this
 *             user's, and go; NULL: nothing goes.
 * SA_OK or SA_ALREADY_EXISTS (name or uid).
 */
SA_MUST_CHECK enum sa_status sa_store_user_create(struct sa_store *store, struct sa_user *user,
                                                  const uint8_t *name_key, const struct sa_audit *audit);

struct sa_login_change; /* store_login.h */

struct sa_password_change {
    const char *subject;
    const char *old_hash; /* the change happens only where this is still the hash; NULL: whatever it is */
    const char *new_hash;
    bool must_change;
    int64_t changed_s;
    const char *spare_session; /* with end_sessions: this one goes on; NULL for none */
    bool end_sessions;
    bool keep_ageing;                    /* a rehash: changed_s and must_change stay as they are */
    const struct sa_login_change *login; /* of the proof of the old one, in the same commit; or NULL */
};

/* SA_OK, SA_NOT_FOUND (no such user, or old_hash differs). */
SA_MUST_CHECK enum sa_status sa_store_user_set_password(struct sa_store *store,
                                                        const struct sa_password_change *change,
                                                        int64_t now_ms, const struct sa_audit *audit);

/* What UpdateUser changes: bits. */
enum sa_user_part {
    SA_USER_FULL_NAME = 1,
    SA_USER_EMAIL = 2,
    SA_USER_DATES = 4,
    SA_USER_MUST_CHANGE = 8,
    SA_USER_AGEING = 16, /* all but when the password was set */
    SA_USER_GROUPS = 32,
};

/*
 * Change the named parts of the record to what `user` has; `user->name` says whose. Fills in the record's
 * subject. SA_OK or SA_NOT_FOUND.
 */
SA_MUST_CHECK enum sa_status sa_store_user_update(struct sa_store *store, const struct sa_user *user,
                                                  unsigned parts, const struct sa_audit *audit);

/* Disabling ends every session of the user. Fills in the record's subject. SA_OK or SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_store_user_set_active(struct sa_store *store, const char *name, bool active,
                                                      int64_t now_ms, const struct sa_audit *audit);

#define SA_CLOSING_MAX 16u

/*
 * End the sessions of users whose account is over by its own dates, of at most SA_CLOSING_MAX users, with a
 * record for each of them (SESSION_EXPIRE, ACCOUNT_EXPIRED) in the same commit: given more time later, they
 * begin anew. UpdateUser does the same at once, also for an account that is made valid later only. ret_ended
 * how many users; SA_CLOSING_MAX: there may be more.
 */
SA_MUST_CHECK enum sa_status sa_store_user_close(struct sa_store *store, int64_t now_ms, unsigned *ret_ended);

/*
 * The record is gone with all that hangs on it: sessions, factors, known sources, and the failures under
 * `name_key` (NULL: none). The subject is never used again. SA_OK or SA_NOT_FOUND.
 */
SA_MUST_CHECK enum sa_status sa_store_user_delete(struct sa_store *store, const char *name,
                                                  const uint8_t *name_key, int64_t now_ms,
                                                  const struct sa_audit *audit);

/* ---- clients ---- */

enum sa_client_kind { SA_CLIENT_CONFIDENTIAL = 1, SA_CLIENT_PUBLIC = 2, SA_CLIENT_HOST = 3 };
enum sa_client_grant {
    SA_GRANT_CLIENT_CREDENTIALS = 1,
    SA_GRANT_REFRESH = 2,
    SA_GRANT_EXCHANGE = 4,
}; /* bits */

#define SA_CLIENT_SECRETS      2u /* that live at once, for overlap */
#define SA_CLIENT_CERTIFICATES 2u
#define SA_CLIENT_EXCHANGES    16u
#define SA_UNIT_MAX            255u

struct sa_client_audience {
    char audience[SA_JWT_AUDIENCE_MAX + 1];
    char scopes[SA_SCOPE_LIST_MAX + 1]; /* separated by single spaces, in their order */
    char group[SA_GROUP_NAME_MAX + 1];  /* for the client `host`; "" for everybody */
    bool plain_typ;                     /* tokens for it have `typ` JWT */
};

/* A row of the policy of token exchange. */
struct sa_client_exchange {
    char from[SA_JWT_AUDIENCE_MAX + 1];
    char to[SA_JWT_AUDIENCE_MAX + 1];
    char scopes[SA_SCOPE_LIST_MAX + 1]; /* separated by single spaces, in their order */
};

/* One that a machine made, of a client or of an API key. At most SA_CLIENT_SECRETS live at once. */
struct sa_client_secret {
    int64_t number; /* made by the store, never used again */
    uint8_t mac[SA_MAC_LEN];
    int64_t created_ms;
    int64_t expires_ms;   /* from then on it is none; 0: it does not end */
    int64_t last_used_ms; /* to the minute; 0: never */
};

struct sa_client {
    char id[SA_CLIENT_ID_MAX + 1];
    uint32_t row; /* never used again; also in `jti` */
    enum sa_client_kind kind;
    unsigned grants; /* bits of enum sa_client_grant */
    bool login;
    uint32_t access_ttl_s; /* 0: as configured */
    uint32_t grace_s;
    int64_t created_ms;
    bool active;           /* one that is registered is */
    int64_t enabled_ms;    /* the last time that it was; 0: never. Tokens minted before are void. */
    unsigned secret_count; /* newest first; one that has ended may be among them */
    struct sa_client_secret secrets[SA_CLIENT_SECRETS];
    unsigned certificate_count;
    uint8_t certificates[SA_CLIENT_CERTIFICATES][SA_SHA256_LEN]; /* SHA-256 of their DER */
    char *jwks;                        /* the public keys of its assertions, JSON; NULL: none */
    uint32_t attest_uid;               /* a local process of this uid is the client; 0: none is */
    char attest_unit[SA_UNIT_MAX + 1]; /* and runs in this systemd unit; "": in any */
    bool say_groups;                   /* its tokens for people say their groups */
    bool dpop_bound;                   /* it gets tokens that are bound to a DPoP key, and no others */
    unsigned exchange_count;
    struct sa_client_exchange *exchanges;
    unsigned owned_count;
    char owned[SA_OWNED_MAX][SA_JWT_AUDIENCE_MAX + 1];
    unsigned audience_count;
    struct sa_client_audience audiences[]; /* audience_count of them */
};

/* Zeroed, with room for `audiences`; NULL for lack of memory. It owns what it points to: freed with it. */
struct sa_client *sa_client_new(unsigned audiences);
void sa_client_free(struct sa_client *client);
SA_DEFINE_OWN(sa_client, sa_client_free)

/* Give one that has none room for `count` exchanges, zeroed, at most SA_CLIENT_EXCHANGES; false for lack of
 * memory. */
SA_MUST_CHECK bool sa_client_room(struct sa_client *client, unsigned count);

/* SA_OK or SA_NOT_FOUND. Served from a cache that every change to clients empties: cheap enough for every
 * call. */
SA_MUST_CHECK enum sa_status sa_store_client_by_id(struct sa_store *store, struct sa_bytes id,
                                                   struct sa_client **ret_client);

/* An array of pointers, freed with sa_clients_free. */
SA_MUST_CHECK enum sa_status sa_store_client_list(struct sa_store *store, const char *after, unsigned limit,
                                                  struct sa_client ***ret_clients, unsigned *ret_count,
                                                  bool *ret_more);
void sa_clients_free(struct sa_client **clients, unsigned count);

/* The store fills in client->row and the numbers of its secrets. SA_OK or SA_ALREADY_EXISTS. */
SA_MUST_CHECK enum sa_status sa_store_client_create(struct sa_store *store, struct sa_client *client,
                                                    const struct sa_audit *audit);

/*
 * Make the record of a client what `client` says, but id, kind, created_ms, whether it is active, and its
 * secrets. The store fills in client->row. SA_OK; SA_NOT_FOUND; SA_INVALID_ARGUMENT where it is of another
 * kind.
 */
SA_MUST_CHECK enum sa_status sa_store_client_update(struct sa_store *store, struct sa_client *client,
                                                    const struct sa_audit *audit);

/*
 * Give a client a new secret. The newest of those before goes on until `until_ms` (no longer than it would
 * have), any other ends now; with an `until_ms` that is not in the future that one ends, too. secret  mac and
 * created_ms; the store fills in its number. SA_OK; SA_NOT_FOUND; SA_INVALID_ARGUMENT where it is not
 * confidential.
 */
SA_MUST_CHECK enum sa_status sa_store_client_rotate_secret(struct sa_store *store, const char *id,
                                                           struct sa_client_secret *secret, int64_t until_ms,
                                                           const struct sa_audit *audit);

/* End every secret of a client but the newest. SA_OK (also where there is no other), SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_store_client_end_secrets(struct sa_store *store, const char *id,
                                                         const struct sa_audit *audit);

/* When secrets were last used. */
struct sa_secret_use {
    int64_t number;
    int64_t used_ms;
};

/* Note it; what is older than what is known, or of a secret that is gone, changes nothing. No record. */
SA_MUST_CHECK enum sa_status sa_store_secrets_used(struct sa_store *store, const struct sa_secret_use *uses,
                                                   unsigned count);

/* Whether a local process of this uid may be an active client; from memory, never waits. */
bool sa_store_uid_is_attested(struct sa_store *store, uint32_t uid);

/* Sessions of the client end. SA_OK, SA_NOT_FOUND, SA_PERMISSION_DENIED for `host`. */
SA_MUST_CHECK enum sa_status sa_store_client_delete(struct sa_store *store, const char *id, int64_t now_ms,
                                                    const struct sa_audit *audit);

/*
 * Disabling ends the sessions of the client. Enabling one that is active changes nothing. SA_OK,
 * SA_NOT_FOUND, SA_PERMISSION_DENIED for `host`.
 */
SA_MUST_CHECK enum sa_status sa_store_client_set_active(struct sa_store *store, const char *id, bool active,
                                                        int64_t now_ms, const struct sa_audit *audit);

/* Put or replace an audience. SA_OK, SA_NOT_FOUND, SA_INVALID_ARGUMENT (more than SA_AUDIENCES_MAX). */
SA_MUST_CHECK enum sa_status sa_store_client_set_audience(struct sa_store *store, const char *id,
                                                          const struct sa_client_audience *audience,
                                                          const struct sa_audit *audit);

/* SA_OK or SA_NOT_FOUND (client or audience). */
SA_MUST_CHECK enum sa_status sa_store_client_remove_audience(struct sa_store *store, const char *id,
                                                             const char *audience,
                                                             const struct sa_audit *audit);

/* ---- signing keys ---- */

struct sa_key_row {
    char kid[SA_KID_LEN + 1];
    enum sa_key_alg alg; /* of the private half; the store neither keeps it nor tells it */
    int64_t created_ms;
    int64_t active_ms;             /* signs from then on */
    int64_t retire_ms;             /* until then; 0: nobody has noted yet that it signs */
    struct sa_secret *private_der; /* freed by sa_key_rows_free */
};

/* One step in the life of the keys; any part of it may be absent. */
struct sa_key_change {
    const struct sa_key_row *add;   /* a new key */
    const char *remove;             /* the kid of one that goes, and its private half with it */
    const struct sa_key_row *times; /* rows that have this active_ms and retire_ms from now on */
    unsigned time_count;
};

/*
 * Returns SA_OK; SA_ALREADY_EXISTS for a kid that is there, SA_NOT_FOUND for one that is not, SA_TOO_LARGE
 * where there are SA_KEYS_MAX keys: nothing has changed then.
 */
SA_MUST_CHECK enum sa_status sa_store_key_change(struct sa_store *store, const struct sa_key_change *change,
                                                 const struct sa_audit *audit);

/* Every key, at most SA_KEYS_MAX, those first that sign last. SA_INTERNAL: sealed with another master key. */
SA_MUST_CHECK enum sa_status sa_store_key_list(struct sa_store *store, struct sa_key_row **ret_keys,
                                               unsigned *ret_count);
void sa_key_rows_free(struct sa_key_row *keys, unsigned count);

/* ---- the master key ---- */

/*
 * Begin its rotation: another one is made, and seals from now on. SA_OK; SA_ALREADY_EXISTS: one is under way;
 * SA_STORAGE also where it cannot be written beside the present one. The record's detail is filled in here.
 */
SA_MUST_CHECK enum sa_status sa_store_master_rotate(struct sa_store *store, const struct sa_audit *audit);

/*
 * Go on with what is under way, in commits of some hundred values, for about so many milliseconds; also after
 * a restart. At its end there is a record (MASTER_KEY_END). Whatever fails is tried again later.
 */
void sa_store_master_tick(struct sa_store *store, unsigned for_ms);

/* What GetStatus says of it; from memory. */
struct sa_master_state sa_store_master_state(struct sa_store *store);

/* ---- housekeeping ---- */

/*
 * Remove up to `limit` rows that nothing needs any more: sessions that ended, tokens that were
 * revoked and died, rules and failures that are over, each an hour ago or longer; sources that were not used
 * for `known_s` seconds and an hour.
 *   ret_removed  how many; `limit`: there may be more.
 */
SA_MUST_CHECK enum sa_status sa_store_purge(struct sa_store *store, int64_t now_ms, int64_t known_s,
                                            unsigned limit, unsigned *ret_removed);

#endif
