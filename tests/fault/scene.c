#include "tests/fault/scene.h"

#include <pthread.h>
#include <sqlite3.h>

#define REQUEST_OF(caller) (1000u + (caller))
#define NEW_UID            2000u
#define AUDIENCES          12u /* of a new client: they fill pages of their own */

static struct scene template;

/* ---- what the eight do ---- */

static struct sa_audit
record_of(unsigned caller, enum sa_event event)
{
    struct sa_audit audit = sa_audit(event);

    audit.request_id = REQUEST_OF(caller);
    audit.time_ms = FIXTURE_NOW_MS;
    return audit;
}

static enum sa_status
create_user(struct scene *scene)
{
    SA_OWN(sa_user) user = sa_user_new();
    struct sa_audit audit = record_of(1, SA_EVENT_USER_CREATE);

    if (user == NULL)
        return SA_NO_MEMORY;
    strcpy(user->name, "new");
    user->uid = NEW_UID;
    user->active = true;
    user->group_count = 2;
    strcpy(user->groups[0], "staff");
    strcpy(user->groups[1], "ops");
    return sa_store_user_create(scene->fixture.store, user, NULL, &audit);
}

static enum sa_status
refresh(struct scene *scene)
{
    struct sa_refresh presented = fixture_refresh(scene->handle, 1, scene->client);
    struct sa_audit audit = record_of(4, SA_EVENT_TOKEN_REFRESH);
    enum sa_refresh_result result;
    struct sa_session session;

    return sa_store_refresh(scene->fixture.store, &presented, &audit, &result, &session);
}

/* The one that needs room. */
static enum sa_status
create_client(struct scene *scene)
{
    SA_OWN(sa_client) client = sa_client_new(AUDIENCES);
    struct sa_audit audit = record_of(2, SA_EVENT_CLIENT_CREATE);

    if (client == NULL)
        return SA_NO_MEMORY;
    strcpy(client->id, "new");
    client->kind = SA_CLIENT_PUBLIC;
    client->audience_count = AUDIENCES;
    for (unsigned i = 0; i < AUDIENCES; i++) {
        snprintf(client->audiences[i].audience, sizeof(client->audiences[i].audience), "aud%u", i);
        memset(client->audiences[i].scopes, 's', SA_SCOPE_LIST_MAX);
    }
    return sa_store_client_create(scene->fixture.store, client, &audit);
}

static enum sa_status
act(struct scene *scene, unsigned caller)
{
    struct sa_store *store = scene->fixture.store;
    struct sa_audit audit;

    switch (caller) {
    case 1:
        return create_user(scene);
    case 2:
        return create_client(scene);
    case 3:
        audit = record_of(3, SA_EVENT_SESSION_OPEN);
        return sa_store_session_open(store, &scene->opened, NULL, &audit);
    case 4:
        return refresh(scene);
    case 5:
        audit = record_of(5, SA_EVENT_USER_DISABLE);
        return sa_store_user_set_active(store, "bob", false, FIXTURE_NOW_MS, &audit);
    case 6:
        audit = record_of(6, SA_EVENT_TOKEN_REVOKE);
        return sa_store_token_revoke(
            store, &(struct sa_revoked_token){.jti = "jti", .exp_s = FIXTURE_NOW_MS / 1000}, &audit);
    case 7:
        audit = record_of(7, SA_EVENT_USER_DELETE);
        return sa_store_user_delete(store, "cid", NULL, FIXTURE_NOW_MS, &audit);
    default:
        audit = record_of(0, SA_EVENT_LOGIN);
        return sa_store_audit(store, &audit);
    }
}

/* ---- what is there of it ---- */

static bool
has_user(struct sa_store *store, const char *name, bool *ret_active)
{
    SA_OWN(sa_user) user = NULL;

    *ret_active = false;
    if (sa_store_user_by_name(store, sa_bytes_of(name), &user) != SA_OK)
        return false;
    *ret_active = user->active;
    return true;
}

static bool
is_done(const struct scene *scene, struct sa_store *store, unsigned caller)
{
    struct sa_session session;
    SA_OWN(sa_client) client = NULL;
    bool active;
    bool revoked = false;

    switch (caller) {
    case 1:
        return has_user(store, "new", &active) && sa_store_uid_is_managed(store, NEW_UID);
    case 2:
        return sa_store_client_by_id(store, sa_bytes_of("new"), &client) == SA_OK &&
               client->audience_count == AUDIENCES;
    case 3:
        return sa_store_session_live(store, scene->opened.id, FIXTURE_NOW_MS, &session) == SA_OK;
    case 4:
        return sa_store_session_live(store, scene->session.id, FIXTURE_NOW_MS, &session) == SA_OK &&
               session.generation == 2;
    case 5:
        return has_user(store, "bob", &active) && !active;
    case 6:
        return sa_store_token_is_revoked(store, "jti", &revoked) == SA_OK && revoked;
    case 7:
        return !has_user(store, "cid", &active);
    default:
        return false;
    }
}

static bool
has_record(struct sa_store *store, unsigned caller)
{
    struct sa_audit_query query = {.limit = 10, .request_id = REQUEST_OF(caller)};
    struct sa_audit_row *rows;
    unsigned count;
    bool more;

    if (sa_store_audit_list(store, &query, &rows, &count, &more) != SA_OK || count > 1)
        abort();
    free(rows);
    return count == 1;
}

/* ---- files ---- */

static void
copy_file(const struct fixture *from, const struct fixture *to, const char *end)
{
    char paths[2][300];
    char buffer[65536];
    size_t len;

    snprintf(paths[0], sizeof(paths[0]), "%s%s", from->path, end);
    snprintf(paths[1], sizeof(paths[1]), "%s%s", to->path, end);
    FILE *in = fopen(paths[0], "r");
    if (in == NULL)
        return;
    FILE *out = fopen(paths[1], "w");
    if (out == NULL)
        abort();
    while ((len = fread(buffer, 1, sizeof(buffer), in)) > 0)
        fwrite(buffer, 1, len, out);
    fclose(in);
    if (fclose(out) != 0)
        abort();
}

/* Whether SQLite finds the whole file in order. */
static bool
is_whole(const char *path)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    bool whole = sqlite3_open(path, &db) == SQLITE_OK &&
                 sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;

    sqlite3_finalize(statement);
    sqlite3_close(db);
    return whole;
}

/* Whether the list of managed uids, as a daemon that died would leave it, names a user. */
static bool
is_listed(const struct fixture *fixture, unsigned uid)
{
    char line[32];
    bool listed = false;
    FILE *file = fopen(fixture->managed, "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        listed |= strtoul(line, NULL, 10) == uid;
    if (file != NULL)
        fclose(file);
    return listed;
}

static const char *
check_copy(struct scene *scene, struct sa_store *store)
{
    unsigned there = 0;
    uint64_t sequence = 0;

    for (unsigned caller = 0; caller < CALLERS; caller++) {
        bool recorded = has_record(store, caller);
        bool done = caller == 0 ? recorded : is_done(scene, store, caller);
        bool answered_ok = scene->statuses[caller] == SA_OK;

        there += recorded;
        if (done != recorded)
            return "a change without its record, or a record without its change";
        if (answered_ok && !recorded)
            return "answered with SA_OK, and not there";
        if (!answered_ok && recorded && !scene->outcome_unknown)
            return "answered with a failure, and there all the same";
    }
    if (sa_store_uid_is_managed(store, NEW_UID) && !is_listed(&scene->fixture, NEW_UID))
        return "a user who is not in the list of managed uids";
    if (scene->outcome_unknown && there != 0 && there != CALLERS)
        return "half a batch is there";
    if (sa_audit_verify(store->writer.sql, UINT32_MAX, &sequence) != SA_OK)
        return "the audit log has a gap or a wrong leaf";
    return NULL;
}

const char *
scene_check(struct scene *scene)
{
    struct fixture copy;
    const char *why = NULL;

    fixture_make(&copy);
    copy_file(&scene->fixture, &copy, "");
    copy_file(&scene->fixture, &copy, "-wal");
    if (!is_whole(copy.path))
        why = "integrity_check";
    if (why == NULL && fixture_try_open(&copy, &why) == SA_OK)
        why = check_copy(scene, copy.store);
    fixture_destroy(&copy);
    return why;
}

/* ---- the scene ---- */

void
scene_make_template(void)
{
    struct scene *scene = &template;

    *scene = (struct scene){.handle = "handle"};
    fixture_make(&scene->fixture);
    fixture_open(&scene->fixture);
    if (fixture_add_user(&scene->fixture, "ann", 1000, scene->subject) != SA_OK ||
        fixture_add_user(&scene->fixture, "bob", 1001, NULL) != SA_OK ||
        fixture_add_user(&scene->fixture, "cid", 1002, NULL) != SA_OK ||
        fixture_add_client(&scene->fixture, "app", &scene->client) != SA_OK)
        abort();
    scene->session = fixture_session(scene->subject, scene->client);
    scene->opened = fixture_session(scene->subject, scene->client);
    if (fixture_open_session(&scene->fixture, &scene->session, scene->handle) != SA_OK)
        abort();
    fixture_close(&scene->fixture);
}

void
scene_remove_template(void)
{
    fixture_destroy(&template.fixture);
}

static struct scene *giving_up;

static void
note_fatal(const char *why SA_UNUSED)
{
    giving_up->outcome_unknown = true;
}

void
scene_begin(struct scene *scene)
{
    *scene = template;
    fixture_make(&scene->fixture);
    scene->fixture.fatal = note_fatal;
    copy_file(&template.fixture, &scene->fixture, "");
    giving_up = scene;
}

void
scene_end(struct scene *scene)
{
    fixture_destroy(&scene->fixture);
}

struct caller {
    struct scene *scene;
    unsigned number;
    pthread_t thread;
};

static void *
call(void *argument)
{
    struct caller *caller = argument;

    caller->scene->statuses[caller->number] = act(caller->scene, caller->number);
    return NULL;
}

static enum sa_status
wait_for_release(struct sa_sql *sql SA_UNUSED, struct sa_work *work)
{
    sem_t *gates = work->context;

    sem_post(&gates[0]);
    sem_wait(&gates[1]);
    return SA_OK;
}

struct blocker {
    struct sa_store *store;
    sem_t gates[2]; /* the writer is here; it may go on */
};

static void *
block(void *argument)
{
    struct blocker *blocker = argument;
    struct sa_work work = sa_work(wait_for_release, blocker->gates, NULL);

    return (void *)(uintptr_t)sa_store_write(blocker->store, &work);
}

void
scene_run(struct scene *scene, void (*prepare)(struct scene *scene))
{
    struct caller callers[CALLERS];
    struct blocker blocker = {.store = scene->fixture.store};
    pthread_t thread;

    sem_init(&blocker.gates[0], 0, 0);
    sem_init(&blocker.gates[1], 0, 0);
    pthread_create(&thread, NULL, block, &blocker);
    sem_wait(&blocker.gates[0]);
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.scene = scene, .number = i};
        pthread_create(&callers[i].thread, NULL, call, &callers[i]);
        while (sa_store_queued(scene->fixture.store) != i + 1)
            usleep(10);
    }
    prepare(scene);
    sem_post(&blocker.gates[1]);
    for (unsigned i = 0; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    pthread_join(thread, NULL);
    sem_destroy(&blocker.gates[0]);
    sem_destroy(&blocker.gates[1]);
}

unsigned
scene_count(const struct scene *scene, enum sa_status status)
{
    unsigned count = 0;

    for (unsigned i = 0; i < CALLERS; i++)
        count += scene->statuses[i] == status;
    return count;
}
