/* A store of its own in a directory of its own, and things to put into it. For tests of the store. */
#ifndef SA_TESTS_STORE_FIXTURE_H
#define SA_TESTS_STORE_FIXTURE_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/store/sql.h"
#include "service/store/store_session.h"

#define FIXTURE_NOW_MS INT64_C(1800000000000)

struct fixture {
    char directory[256];
    char path[288];
    char managed[288];
    const char *vfs;
    void (*fatal)(const char *why);
    struct sa_keyring *keyring;
    struct sa_store *store;
};

static const uint8_t fixture_boot_id[SA_BOOT_ID_LEN] = "this boot's id.";

static inline enum sa_status
fixture_try_open(struct fixture *fixture, const char **ret_why)
{
    struct sa_store_options options = {.path = fixture->path,
                                       .managed = fixture->managed,
                                       .keyring = fixture->keyring,
                                       .vfs = fixture->vfs,
                                       .fatal = fixture->fatal};

    return sa_store_open(&options, &fixture->store, ret_why);
}

static inline void
fixture_open(struct fixture *fixture)
{
    const char *why = NULL;

    if (fixture_try_open(fixture, &why) != SA_OK) {
        fprintf(stderr, "the store does not open: %s\n", why);
        abort();
    }
}

static inline void
fixture_close(struct fixture *fixture)
{
    sa_store_close(fixture->store);
    fixture->store = NULL;
}

/* SQL on its file through a connection of its own: beside the store that is open, ... */
static inline void
fixture_script_beside(const struct fixture *fixture, const char *script)
{
    struct sa_sql *sql = NULL;

    if (sa_sql_open(fixture->path, NULL, SA_SQL_WRITER, &sql) != SA_OK ||
        sa_sql_script(sql, script) != SA_OK) {
        fprintf(stderr, "the store takes no script\n");
        abort();
    }
    sa_sql_close(sql);
}

/* ... or while it is closed. */
static inline void
fixture_script(struct fixture *fixture, const char *script)
{
    fixture_close(fixture);
    fixture_script_beside(fixture, script);
    fixture_open(fixture);
}

static inline void
fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

/* A directory and a keyring; the store is not opened. */
static inline void
fixture_make(struct fixture *fixture)
{
    uint8_t master[32] = "a master key for tests, 32 bytes";

    *fixture = (struct fixture){0};
    const char *parent = getenv("TMPDIR");
    snprintf(fixture->directory, sizeof(fixture->directory), "%.220s/secauth-store-XXXXXX",
             parent == NULL ? "/tmp" : parent);
    if (mkdtemp(fixture->directory) == NULL)
        abort();
    snprintf(fixture->path, sizeof(fixture->path), "%s/db", fixture->directory);
    snprintf(fixture->managed, sizeof(fixture->managed), "%s/managed", fixture->directory);
    fixture->keyring = sa_keyring_new(sa_bytes(master, sizeof(master)));
    if (fixture->keyring == NULL)
        abort();
}

/* Remove the files and leave the directory. */
static inline void
fixture_clear(struct fixture *fixture)
{
    static const char *const ENDS[] = {"db", "db-wal", "db-shm", "db.lock", "managed", "managed.new"};

    for (size_t i = 0; i < SA_COUNT(ENDS); i++) {
        char path[288];

        snprintf(path, sizeof(path), "%s/%s", fixture->directory, ENDS[i]);
        unlink(path);
    }
}

static inline void
fixture_destroy(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_clear(fixture);
    rmdir(fixture->directory);
    sa_keyring_free(fixture->keyring);
}

/* ---- for cmocka: *state is a struct fixture ---- */

static inline int
fixture_setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    fixture_make(fixture);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static inline int
fixture_teardown(void **state)
{
    fixture_destroy(*state);
    free(*state);
    return 0;
}

/* ---- things ---- */

static inline enum sa_status
fixture_add_user(struct fixture *fixture, const char *name, uint32_t uid, char ret_subject[SA_ID_LEN + 1])
{
    SA_OWN(sa_user) user = sa_user_new();
    struct sa_audit audit = sa_audit(SA_EVENT_USER_CREATE);

    if (user == NULL)
        return SA_NO_MEMORY;
    snprintf(user->name, sizeof(user->name), "%s", name);
    user->uid = uid;
    user->active = true;
    strcpy(user->hash, "$2b$04$abcdefghijklmnopqrstuuDYuC2ykKqz6DNVmgCJiZ3qkMKVhLOqm");
    audit.time_ms = FIXTURE_NOW_MS;
    audit.user = name;
    enum sa_status status = sa_store_user_create(fixture->store, user, NULL, &audit);
    if (status == SA_OK && ret_subject != NULL)
        strcpy(ret_subject, user->subject);
    return status;
}

static inline enum sa_status
fixture_add_client(struct fixture *fixture, const char *id, uint32_t *ret_row)
{
    SA_OWN(sa_client) client = sa_client_new(1);
    struct sa_audit audit = sa_audit(SA_EVENT_CLIENT_CREATE);

    if (client == NULL)
        return SA_NO_MEMORY;
    snprintf(client->id, sizeof(client->id), "%s", id);
    client->kind = SA_CLIENT_PUBLIC;
    client->grants = SA_GRANT_REFRESH;
    client->created_ms = FIXTURE_NOW_MS;
    client->audience_count = 1;
    strcpy(client->audiences[0].audience, "demo");
    strcpy(client->audiences[0].scopes, "read write");
    audit.client_id = id;
    enum sa_status status = sa_store_client_create(fixture->store, client, &audit);
    if (status == SA_OK && ret_row != NULL)
        *ret_row = client->row;
    return status;
}

/* A token session that rotates, of a user and a client that exist. */
static inline struct sa_session
fixture_session(const char *subject, uint32_t client_row)
{
    struct sa_session session = {.kind = SA_SESSION_TOKEN,
                                 .client_row = client_row,
                                 .user = "ann",
                                 .uid = 1000,
                                 .client_id = "app",
                                 .audit_session = -1,
                                 .created_ms = FIXTURE_NOW_MS,
                                 .last_used_ms = FIXTURE_NOW_MS,
                                 .idle_ms = 7 * INT64_C(86400000),
                                 .expires_ms = FIXTURE_NOW_MS + 30 * INT64_C(86400000),
                                 .auth_time_s = FIXTURE_NOW_MS / 1000,
                                 .amr = "pwd",
                                 .acr = "1",
                                 .aud_count = 2,
                                 .aud = {"demo", "other"},
                                 .scope = "read write",
                                 .rotates = true,
                                 .grace_s = 30,
                                 .generation = 1};

    sa_random_id(session.id);
    strcpy(session.subject, subject);
    return session;
}

static inline enum sa_status
fixture_open_session(struct fixture *fixture, const struct sa_session *session, const uint8_t *handle_mac)
{
    struct sa_audit audit = sa_audit(SA_EVENT_SESSION_OPEN);

    audit.session_id = session->id;
    return sa_store_session_open(fixture->store, session, handle_mac, &audit);
}

static inline struct sa_refresh
fixture_refresh(const uint8_t handle_mac[SA_MAC_LEN], uint32_t generation, uint32_t client_row)
{
    struct sa_refresh refresh = {.generation = generation,
                                 .client_row = client_row,
                                 .now = {.wall_ms = FIXTURE_NOW_MS, .boot_ms = 5000000}};

    memcpy(refresh.handle_mac, handle_mac, SA_MAC_LEN);
    memcpy(refresh.boot_id, fixture_boot_id, SA_BOOT_ID_LEN);
    return refresh;
}

/* The newest record; the caller frees it. */
static inline struct sa_audit_row *
fixture_last_record(struct fixture *fixture)
{
    struct sa_audit_query query = {.limit = 1, .newest = true};
    struct sa_audit_row *rows = NULL;
    unsigned count = 0;
    bool more;

    if (sa_store_audit_list(fixture->store, &query, &rows, &count, &more) != SA_OK || count != 1)
        abort();
    return rows;
}

static inline uint64_t
fixture_sequence(struct fixture *fixture)
{
    struct sa_store_stats stats;

    if (sa_store_stats(fixture->store, FIXTURE_NOW_MS, &stats) != SA_OK)
        abort();
    return stats.audit_sequence;
}

#endif
