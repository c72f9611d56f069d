/* The rules and the handlers over a store of their own, with cheap hashes and a clock that tests move. */
#ifndef SA_TESTS_RULES_FIXTURE_H
#define SA_TESTS_RULES_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <semaphore.h>

#include "service/auth/inside.h"
#include "service/rpc/handlers.h"
#include "service/rpc/origin.h"
#include "service/rpc/table.h"
#include "tests/support/store_fixture.h"

#define RIG_ISSUER   "https://auth.example"
#define RIG_PASSWORD "correct horse battery"
#define RIG_ARENA    (4u * 1024 * 1024)

struct rig {
    struct fixture store;
    struct sa_conf conf;
    struct sa_authority *authority;
    struct sa_now now;
    struct sa_arena *arena;
    struct sa_call call;              /* the last one */
    void (*between)(struct rig *rig); /* called before each step but the first: what others do meanwhile */
};

static inline void
rig_read_conf(struct rig *rig, const char *more)
{
    char path[] = "/tmp/secauth-conf-XXXXXX";
    struct sa_conf_error error;
    int file = mkstemp(path);

    if (file < 0 ||
        dprintf(file,
                "[token]\nissuer = " RIG_ISSUER "\n[password]\nmemory = 8\npasses = 1\nmin_length = 8\n%s\n"
                "[login]\ndenial_floor = 100\ndenial_jitter = 10\nsource_failures = 5\n",
                more) < 0)
        abort();
    close(file);
    if (sa_conf_read(path, NULL, &rig->conf, &error) != SA_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    unlink(path);
}

static inline struct rig *
rig_new(const char *more_conf)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    const char *why = "";

    if (rig == NULL)
        abort();
    fixture_make(&rig->store);
    fixture_open(&rig->store);
    rig_read_conf(rig, more_conf);
    rig->now = (struct sa_now){.wall_ms = FIXTURE_NOW_MS, .boot_ms = 5000000};
    if (sa_authority_new(&rig->conf, rig->store.keyring, rig->store.store, rig->now, &rig->authority, &why) !=
        SA_OK) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    return rig;
}

static inline void
rig_free(struct rig *rig)
{
    sa_arena_free(rig->arena);
    sa_authority_free(rig->authority);
    fixture_destroy(&rig->store);
    free(rig);
}

static inline int
rig_setup(void **state)
{
    *state = rig_new("");
    return 0;
}

static inline int
rig_teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static inline void
rig_pass(struct rig *rig, int64_t millis)
{
    rig->now.wall_ms += millis;
    rig->now.boot_ms += millis;
}

/* ---- callers ---- */

static inline struct sa_caller
rig_root(void)
{
    return (struct sa_caller){.via = SA_VIA_ROOT,
                              .standing = SA_CALLER_ROOT,
                              .has_uid = true,
                              .pid = (uint32_t)getpid(),
                              .administrator = true};
}

static inline struct sa_caller
rig_user(uint32_t uid)
{
    return (struct sa_caller){.via = SA_VIA_USER,
                              .standing = SA_CALLER_ANY,
                              .has_uid = true,
                              .uid = uid,
                              .pid = (uint32_t)getpid()};
}

static inline struct sa_caller
rig_network(const char *address)
{
    struct sa_caller caller = {.via = SA_VIA_NETWORK, .standing = SA_CALLER_ANY, .gateway = "grpc"};

    snprintf(caller.address, sizeof(caller.address), "%s", address);
    return caller;
}

/* ---- calls ---- */

/* What became of a part of a commit. */
struct rig_commit {
    sem_t over;
    enum sa_status status;
};

static inline void
rig_committed(void *user, enum sa_status status)
{
    struct rig_commit *commit = user;

    commit->status = status;
    sem_post(&commit->over);
}

/* Hand a call's part to the writer, as dispatch would, and wait for it. */
static inline void
rig_commit(struct rig *rig, struct sa_call *call)
{
    struct rig_commit commit = {.status = SA_UNSET};

    sem_init(&commit.over, 0, 0);
    sa_store_submit(rig->authority->store, call->commit, rig_committed, &commit);
    while (sem_wait(&commit.over) != 0)
        continue;
    sem_destroy(&commit.over);
    call->commit = NULL;
    call->committed = commit.status;
}

/*
 * Run a method through all its steps, as the lanes would, and the one after the answer too. The reply lives
 * until the next call.
 */
static inline enum sa_status
rig_call(struct rig *rig, struct sa_caller caller, const char *name, const ProtobufCMessage *request,
         ProtobufCMessage *reply)
{
    char full[96];
    struct sa_call *call = &rig->call;
    struct sa_call after;

    snprintf(full, sizeof(full), "secauth.v1.%s", name);
    sa_arena_free(rig->arena);
    rig->arena = sa_arena_new(RIG_ARENA);
    *call = (struct sa_call){.method = sa_table_find(sa_bytes_of(full)),
                             .authority = rig->authority,
                             .caller = caller,
                             .now = rig->now,
                             .request_id = 0x1234567890abcdef,
                             .arena = rig->arena,
                             .request = request,
                             .reply = reply};
    if (call->method == NULL || rig->arena == NULL)
        abort();
    sa_source_of(call, rig->authority->rules, &call->source);
    enum sa_status status = call->method->handler(call);
    while (call->next_step != NULL) {
        sa_step step = call->next_step;
        call->next_step = NULL;
        if (call->commit != NULL)
            rig_commit(rig, call);
        if (rig->between != NULL)
            rig->between(rig);
        status = step(call);
    }
    after = *call;
    if (status == SA_OK && after.after_step != NULL)
        (void)after.after_step(&after);
    return status;
}

/* `RIG_REPLY(X)` and `RIG_REQUEST(X)` name the generated types of an rpc: declare and initialise one. */
#define RIG_TEXT(text)  ((char *)(uintptr_t)(text))
#define RIG_BYTES(text) ((ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)(text)})

/* ---- people and clients ---- */

/* A user with RIG_PASSWORD under a cheap hash. */
static inline void
rig_add_user(struct rig *rig, const char *name, uint32_t uid)
{
    SA_OWN(sa_user) user = sa_user_new();
    struct sa_audit audit = sa_audit(SA_EVENT_USER_CREATE);

    if (user == NULL)
        abort();
    snprintf(user->name, sizeof(user->name), "%s", name);
    user->uid = uid;
    user->active = true;
    user->changed_s = FIXTURE_NOW_MS / 1000;
    user->group_count = 1;
    strcpy(user->groups[0], "staff");
    if (sa_password_make(&rig->authority->policy, sa_bytes_of(RIG_PASSWORD), user->hash) != SA_OK)
        abort();
    audit.time_ms = FIXTURE_NOW_MS;
    audit.outcome = SA_OUTCOME_GRANTED;
    audit.user = name;
    if (sa_store_user_create(rig->store.store, user, NULL, &audit) != SA_OK)
        abort();
}

/* Another hash of a password, as a login or a change beside this call would leave it. */
static inline void
rig_set_password(struct rig *rig, const char *name, const char *password)
{
    SA_OWN(sa_user) user = NULL;
    struct sa_audit audit = sa_audit(SA_EVENT_REHASH);
    char hash[SA_PASSWORD_HASH_MAX + 1];

    audit.outcome = SA_OUTCOME_GRANTED;
    if (sa_store_user_by_name(rig->store.store, sa_bytes_of(name), &user) != SA_OK ||
        sa_password_make(&rig->authority->policy, sa_bytes_of(password), hash) != SA_OK)
        abort();
    struct sa_password_change change = {.subject = user->subject, .new_hash = hash, .keep_ageing = true};
    if (sa_store_user_set_password(rig->store.store, &change, rig->now.wall_ms, &audit) != SA_OK)
        abort();
}

/* The newest record says this; a reason of NULL is the store's to word. */
static inline void
rig_assert_recorded(struct rig *rig, enum sa_event event, enum sa_outcome outcome, const char *reason)
{
    struct sa_audit_row *row = fixture_last_record(&rig->store);

    assert_string_equal(sa_event_name(row->record.event), sa_event_name(event));
    assert_int_equal(row->record.outcome, outcome);
    assert_int_equal(row->record.request_id, 0x1234567890abcdef);
    if (reason != NULL)
        assert_string_equal(row->record.reason == NULL ? "" : row->record.reason, reason);
    free(row);
}

#endif
