/* The store from within: what its files share. Private to service/store and its tests. */
#ifndef SA_STORE_INSIDE_H
#define SA_STORE_INSIDE_H

#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "proto/sockets.h"
#include "service/store/sql.h"
#include "service/store/store_revocation.h"
#include "service/store/store_session.h"

#define SA_READERS      8u
#define SA_BATCH_MAX    256u
#define SA_CLIENT_SLOTS 4096u

/* ---- writing ---- */

/*
 * One caller's part in a commit. It lives on the caller's stack until the writer posts `done`, or in an arena
 * until the writer has called `finished`.
 *
 * `run` works in a savepoint of its own. SA_OK keeps what it did, anything else undoes it, unless it set
 * `keep`: a denial with something to commit. SA_STORAGE and SA_NO_MEMORY take the whole batch with them. It
 * may change `record` before it is numbered, and set `silent` where there is nothing to record.
 */
struct sa_work {
    enum sa_status (*run)(struct sa_sql *sql, struct sa_work *work); /* NULL: there is only the record */
    void *context;
    struct sa_audit record;
    bool silent;                   /* no record */
    bool only_looks;               /* run changes nothing: it needs no savepoint */
    const struct sa_audit *others; /* records that go before it */
    unsigned other_count;
    bool is_probe;        /* store_disk.c: written in every stage */
    bool keep;            /* commit though the status is not SA_OK */
    bool clients_changed; /* empty the cache of clients */
    int64_t uid_added;    /* a uid that is managed from now on; -1: none */
    int64_t uid_removed;
    int64_t rule_until_ms; /* of a not-before rule that it puts; 0: none */
    enum sa_status status;
    struct sa_work *next;
    void (*finished)(void *user, enum sa_status status); /* NULL: somebody waits for `done` */
    void *user;
    sem_t done;
};

/* A part with this record; NULL: a silent one. */
struct sa_work sa_work(enum sa_status (*run)(struct sa_sql *sql, struct sa_work *work), void *context,
                       const struct sa_audit *audit);

/* What it is found to have done while it ran, a record each; none: it is silent after all. They outlive the
 * commit. */
void sa_work_say(struct sa_work *work, const struct sa_audit *records, unsigned count);

/* Hand it to the writer, wait for the commit, return its status: the closure's, or SA_STORAGE. */
SA_MUST_CHECK enum sa_status sa_store_write(struct sa_store *store, struct sa_work *work);

/* How many wait for the writer; for tests. */
unsigned sa_store_queued(struct sa_store *store);

struct sa_writer {
    struct sa_sql *sql;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct sa_work *first;
    struct sa_work **last;
    unsigned queued;
    bool stopping;
    bool dead; /* a commit's outcome is not known: nothing is written any more */
};

SA_MUST_CHECK enum sa_status sa_writer_start(struct sa_store *store);
void sa_writer_stop(struct sa_store *store); /* finishes what is queued */

/* ---- the disk (store_disk.c) ---- */

struct sa_disk {
    bool staged; /* false: the stage is always the normal one (tests) */
    char directory[PATH_MAX];
    char reserve[PATH_MAX];
    char probe[PATH_MAX];
    uint64_t bytes;   /* of the reserve; 0: the file system is too small for one */
    atomic_int stage; /* enum sa_disk_stage */
    bool untold;      /* the writer's: no record says yet that this stage was entered */
    bool has_room;    /* the writer's: what the last probe found */
};

/* Make the reserve, `most` bytes or a sixteenth of the file system; 0: none, and no stages. */
SA_MUST_CHECK enum sa_status sa_disk_start(struct sa_store *store, const char *path, uint64_t most);

/* A write failed, its outcome is known: on to the next stage. On the writer's thread, or before it is there.
 */
void sa_disk_failed(struct sa_store *store, bool is_full);

/* Whether this part may be written in the stage that the disk is in. */
bool sa_disk_allows(struct sa_store *store, const struct sa_work *work);

/* A probe was committed. */
void sa_disk_probed(struct sa_store *store, const struct sa_work *work);

/* ---- reading ---- */

/*
 * Run `read` on a connection of its own in one snapshot of what is committed. Returns what it returns.
 */
SA_MUST_CHECK enum sa_status sa_store_read(struct sa_store *store,
                                           enum sa_status (*read)(struct sa_sql *sql, void *context),
                                           void *context);

struct sa_readers {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct sa_sql *idle[SA_READERS];
    unsigned idle_count;
};

SA_MUST_CHECK enum sa_status sa_readers_open(struct sa_store *store, const char *path, const char *vfs);
void sa_readers_close(struct sa_store *store);

/* ---- managed uids ---- */

struct sa_managed {
    const char *path; /* of the file; NULL for none */
    pthread_rwlock_t lock;
    uint32_t *uids; /* ascending */
    size_t count;
    size_t room;
};

SA_MUST_CHECK enum sa_status sa_managed_load(struct sa_managed *managed, struct sa_sql *sql,
                                             const char **ret_why);
/* Before the commit: room in memory for the batch's uids, and the file with them. SA_OK, SA_NO_MEMORY,
 * SA_STORAGE. */
SA_MUST_CHECK enum sa_status sa_managed_prepare(struct sa_managed *managed, const struct sa_work *batch);
/* After it: memory, then the file where something has gone. */
void sa_managed_commit(struct sa_managed *managed, const struct sa_work *batch);
/* Instead: the file as it was. */
void sa_managed_undo(struct sa_managed *managed, const struct sa_work *batch);
bool sa_managed_has(struct sa_managed *managed, uint32_t uid);
/* Whether the file, as the daemon before left it, has a uid in it. */
bool sa_managed_names_people(const struct sa_managed *managed);

/* ---- clients in memory ---- */

struct sa_client_cache {
    pthread_rwlock_t lock;
    uint32_t *attested; /* uids that an active client is attested by, ascending */
    size_t attested_count;
    uint64_t age;                             /* raised each time that it is emptied */
    struct sa_client *slots[SA_CLIENT_SLOTS]; /* by a hash of the id; a newcomer takes the place */
};

/* SA_OK with a copy; SA_NO_MEMORY; SA_NOT_FOUND where it is not in memory: *ret_age is then that of the
 * cache. */
SA_MUST_CHECK enum sa_status sa_client_cache_recall(struct sa_client_cache *cache, struct sa_bytes id,
                                                    struct sa_client **ret_client, uint64_t *ret_age);

/* Unless clients have changed since the cache had this age: what was read may be older than that. */
void sa_client_cache_remember(struct sa_client_cache *cache, const struct sa_client *client, uint64_t age);

void sa_client_cache_empty(struct sa_client_cache *cache);

/* Read which uids are attested, at the start and after a commit that changed clients. SA_OK, SA_NO_MEMORY,
 * SA_STORAGE. */
SA_MUST_CHECK enum sa_status sa_client_attested_load(struct sa_client_cache *cache, struct sa_sql *sql);

/*
 * The secrets of a client (`api_key` 0) or of one of its keys, newest first.
 *   ret_count  at most SA_CLIENT_SECRETS.
 */
SA_MUST_CHECK enum sa_status sa_secrets_read(struct sa_sql *sql, uint32_t client, int64_t api_key,
                                             struct sa_client_secret ret_secrets[SA_CLIENT_SECRETS],
                                             unsigned *ret_count);

/* Add one; its number is filled in. */
SA_MUST_CHECK enum sa_status sa_secrets_add(struct sa_sql *sql, uint32_t client, int64_t api_key,
                                            struct sa_client_secret *secret);

/* End all but the newest. */
SA_MUST_CHECK enum sa_status sa_secrets_end(struct sa_sql *sql, uint32_t client, int64_t api_key);

/* Add one; the newest of those before goes on until `until_ms` and no longer than it would have, any other
 * ends. */
SA_MUST_CHECK enum sa_status sa_secrets_rotate(struct sa_sql *sql, uint32_t client, int64_t api_key,
                                               struct sa_client_secret *secret, int64_t until_ms);

/* The number of a client. SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_client_find_row(struct sa_sql *sql, const char *id, uint32_t *ret_row);

/* ---- not-before rules, from another table's change ---- */

struct sa_not_before;

/*
 * Put a rule in the place of the one of its kind and key. An instance's is widened: what it voids stays void.
 */
SA_MUST_CHECK enum sa_status sa_not_before_put(struct sa_sql *sql, struct sa_work *work,
                                               const struct sa_not_before *rule);
/* Find out how long somebody needs any of them. */
SA_MUST_CHECK enum sa_status sa_not_before_open(struct sa_store *store);
/* One was committed. */
void sa_not_before_committed(struct sa_store *store, int64_t until_ms);

/* ---- users ---- */

#define SA_USER_COLUMNS                                                                                      \
    "subject, name, uid, full_name, email, active, not_before_s, not_after_s, must_change, changed_s, "      \
    "max_days, warn_days, min_days, inactive_days, shadow_form, hash"

/* The next column, which is a hash sealed for its subject. SA_INTERNAL where it was sealed for another. */
SA_MUST_CHECK enum sa_status sa_user_get_hash(struct sa_query *query, const struct sa_keyring *keyring,
                                              const char *subject, char ret_hash[SA_PASSWORD_HASH_MAX + 1]);

/* ---- logins ---- */

struct sa_factor_use;
struct sa_login_change;

/* What a login changes, within a transaction. SA_OK; SA_NOT_FOUND where the factor was used already. */
SA_MUST_CHECK enum sa_status sa_login_put(struct sa_sql *sql, const struct sa_login_change *change);

/* Forget what failed under the key of a name; NULL: nothing. */
SA_MUST_CHECK enum sa_status sa_login_forget(struct sa_sql *sql, const uint8_t *name_key);

/* Likewise; store_factor.c. SA_OK; SA_NOT_FOUND where it was used already. Success clears the wrong codes. */
SA_MUST_CHECK enum sa_status sa_factor_use(struct sa_sql *sql, const struct sa_factor_use *use);
/* One more wrong code of a user. */
SA_MUST_CHECK enum sa_status sa_factor_wrong(struct sa_sql *sql, const char *subject);

/* ---- audit ---- */

#define SA_AUDIT_TEXT_MAX 320u /* of every text but `detail`; longer ones are cut before they are hashed */

/* The leaf of a record with its number: SHA-256 over 0x00, salt and the encoding that docs/audit.md
 * describes. */
void sa_audit_leaf(const struct sa_audit *record, uint64_t sequence, const uint8_t salt[SA_AUDIT_SALT_LEN],
                   uint8_t ret_leaf[SA_LEAF_LEN]);

SA_MUST_CHECK enum sa_status sa_audit_insert(struct sa_sql *sql, const struct sa_audit *record,
                                             uint64_t sequence, const uint8_t salt[SA_AUDIT_SALT_LEN]);

/*
 * Look at the newest `count` records: no number is missing, every leaf is its record's.
 *   ret_sequence  the last number; 0 where there is none.
 * Returns SA_OK, SA_INTERNAL (they are not what was written), SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_audit_verify(struct sa_sql *sql, unsigned count, uint64_t *ret_sequence);

/* ---- revocations (store_revocation.c) ---- */

#define SA_TOLD_MAX 1024u

/* The newest, for whoever follows. */
struct sa_told {
    struct sa_bell bell;
    char incarnation[SA_INCARNATION_LEN + 1];
    pthread_mutex_t lock; /* of what follows; the writer's thread alone changes it */
    uint64_t first;       /* all after it are here */
    uint64_t last;
    bool stale; /* there are more, which could not be read */
    struct sa_revocation *ring;
    unsigned start;
    unsigned count;
};

SA_MUST_CHECK enum sa_status sa_revocations_open(struct sa_store *store);
void sa_revocations_close(struct sa_store *store);
/* After a commit, on the writer's thread: remember what it has added, and ring. */
void sa_revocations_committed(struct sa_store *store);

/* ---- the master key (store_master.c) ---- */

#define SA_SEALED_ROW_SIZE 64u

/* How far a rotation has come through the sealed columns. */
struct sa_master_walk {
    unsigned column;
    char text[SA_SEALED_ROW_SIZE]; /* of the last row that was gone through */
    int64_t number;
    bool refused; /* something on the way did not open */
};

struct sa_master {
    _Atomic int64_t number; /* of the present one; the first is 1 */
    atomic_bool rotates;
    _Atomic uint64_t resealed; /* since the rotation, or the daemon, began */
    _Atomic uint64_t left;
    pthread_mutex_t changing; /* held through every step, and of what follows */
    struct sa_master_walk walk;
    int64_t wait_boot_ms;   /* not before then */
    int64_t forget_boot_ms; /* the old one is wiped then; 0: there is none */
};

/* Let the keyring know what the store says of its master keys. SA_INVALID_ARGUMENT: it has others. */
SA_MUST_CHECK enum sa_status sa_master_load(struct sa_store *store, const char **ret_why);

/* ---- schema ---- */

#define SA_APPLICATION_ID 1935892853 /* "scau" in the header of the file */

struct sa_migration {
    const char *script; /* ends by setting user_version to its place in the table, from 1 */
};

/*
 * Bring a database from its version to the last of the table, each step a transaction.
 * Returns SA_OK with *ret_version, SA_INVALID_ARGUMENT (not a store of ours, or newer than the table),
 * SA_STORAGE, SA_NO_MEMORY, SA_INTERNAL; *ret_why says why.
 */
SA_MUST_CHECK enum sa_status sa_migrate(struct sa_sql *sql, const struct sa_migration *table, unsigned count,
                                        uint32_t *ret_version, const char **ret_why);

extern const struct sa_migration sa_migrations[];
extern const unsigned sa_migration_count;

/* ---- sessions, from another table's change ---- */

/* End the live sessions of a subject, but `spare` ("" for none); of a client. */
SA_MUST_CHECK enum sa_status sa_sessions_end_of_user(struct sa_sql *sql, const char *subject,
                                                     const char *spare, int64_t now_ms);
SA_MUST_CHECK enum sa_status sa_sessions_end_of_client(struct sa_sql *sql, uint32_t client_row,
                                                       int64_t now_ms);

/* What ended because its user began another one, and what the log says of each. */
struct sa_over_limit {
    unsigned count;
    struct sa_audit records[SA_OVER_LIMIT_MAX];
    char detail[SA_ID_LEN + 8]; /* of every record */
    struct sa_over_limit_row {
        char id[SA_ID_LEN + 1];
        char client_id[SA_CLIENT_ID_MAX + 1];
        char service[65];
        char source[321];
    } rows[SA_OVER_LIMIT_MAX];
};

/* Make room for a session that begins: its `user_limit` holds, itself counted. `audit` is its own record. */
SA_MUST_CHECK enum sa_status sa_sessions_end_over_limit(struct sa_sql *sql, const struct sa_session *newcomer,
                                                        const struct sa_audit *audit,
                                                        struct sa_over_limit *ret_ended);

/* The columns of a session, and how they are read. */
#define SA_SESSION_COLUMNS                                                                                   \
    "s.id, s.kind, s.subject, s.user, s.uid, s.client_id, s.client_row, s.service, s.source, s.tty, "        \
    "s.leader_pid, s.leader_start, s.boot_id, s.audit_session, s.created_ms, s.last_used_ms, s.idle_ms, "    \
    "s.expires_ms, s.auth_time_s, s.amr, s.acr, s.audiences, s.scope, s.rotates, s.grace_s, s.generation, "  \
    "s.cnf_x5t, s.cnf_jkt, s.gateway"

/* Where sessions come from that are live at ?1; they come first in the join, whatever the planner thinks. */
#define SA_SESSION_LIVE                                                                                      \
    "FROM sessions AS s "                                                                                    \
    "CROSS JOIN users AS u ON u.subject = s.subject AND u.active <> 0 "                                      \
    "CROSS JOIN clients AS c ON c.number = s.client_row AND c.active <> 0 "                                  \
    "WHERE s.ended_ms = 0 AND s.expires_ms > ?1 AND (s.idle_ms = 0 OR s.last_used_ms + s.idle_ms > ?1) "
void sa_session_read(struct sa_query *query, struct sa_session *ret_session);

/* Audiences as they are kept: each on a line. */
void sa_audiences_write(unsigned count, const char (*audiences)[SA_JWT_AUDIENCE_MAX + 1],
                        char ret_text[SA_AUDIENCES_TEXT_LEN + 1]);

struct sa_store {
    struct sa_keyring *keyring;
    void (*fatal)(const char *why);
    int lock_file;
    uint32_t schema_version;
    struct sa_writer writer;
    struct sa_readers readers;
    struct sa_managed managed;
    struct sa_client_cache clients;
    struct sa_disk disk;
    struct sa_told told;
    struct sa_master master;
    bool (*is_administrator)(const char *user);
    int64_t unused_after; /* store_time.c: where the search for sessions that were not used goes on */
    atomic_bool writable;
    _Atomic uint64_t sequence; /* of the last record that is committed; the writer alone writes it */
    _Atomic uint64_t commits;
    _Atomic uint64_t committed;
    _Atomic int64_t rules_until_ms; /* how long any not-before rule is needed; the writer alone writes it */
};

#endif
