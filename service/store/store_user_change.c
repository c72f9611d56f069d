#include <assert.h>

#include "service/store/inside.h"
#include "service/store/store_not_before.h"

#define TABLE      "users"
#define HASH       "hash"
#define SEALED_MAX (SA_PASSWORD_HASH_MAX + SA_SEAL_OVERHEAD)

/* ---- hashes at rest: sealed for their subject ---- */

/* An absent hash stays absent. */
static size_t
seal(const struct sa_keyring *keyring, const char *subject, const char *hash, uint8_t ret_sealed[SEALED_MAX])
{
    size_t len = strlen(hash);

    assert(len <= SA_PASSWORD_HASH_MAX);
    if (len == 0)
        return 0;
    sa_keyring_seal(keyring, TABLE, HASH, sa_bytes_of(subject), sa_bytes_of(hash), ret_sealed);
    return len + SA_SEAL_OVERHEAD;
}

static void
put_sealed(struct sa_query *query, const uint8_t *sealed, size_t len)
{
    if (len == 0)
        sa_put_null(query);
    else
        sa_put_blob(query, sealed, len);
}

enum sa_status
sa_user_get_hash(struct sa_query *query, const struct sa_keyring *keyring, const char *subject,
                 char ret_hash[SA_PASSWORD_HASH_MAX + 1])
{
    uint8_t sealed[SEALED_MAX];
    size_t len = sa_get_blob(query, sealed, sizeof(sealed));
    enum sa_status status = sa_query_done(query);

    ret_hash[0] = '\0';
    if (status != SA_OK || len == 0)
        return status;
    status = sa_keyring_unseal(keyring, TABLE, HASH, sa_bytes_of(subject), sa_bytes(sealed, len),
                               (uint8_t *)ret_hash);
    ret_hash[status == SA_OK ? len - SA_SEAL_OVERHEAD : 0] = '\0';
    return status;
}

/* ---- changes ---- */

struct creation {
    const struct sa_keyring *keyring;
    const struct sa_user *user;
    const uint8_t *name_key;
};

static enum sa_status
insert_groups(struct sa_sql *sql, const char *subject, const struct sa_user *user)
{
    static const char GROUP[] = "INSERT INTO user_groups (subject, place, name) VALUES (?, ?, ?)";

    for (unsigned i = 0; i < user->group_count; i++) {
        SA_QUERY(query, sql, GROUP);
        sa_put_text(&query, subject);
        sa_put_int(&query, i);
        sa_put_text(&query, user->groups[i]);
        enum sa_status status = sa_query_run(&query);
        if (status != SA_OK)
            return status;
    }
    return SA_OK;
}

static enum sa_status
create(struct sa_sql *sql, struct sa_work *work)
{
    static const char INSERT[] =
        "INSERT INTO users (" SA_USER_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const struct creation *creation = work->context;
    const struct sa_user *user = creation->user;
    uint8_t sealed[SEALED_MAX];

    SA_QUERY(query, sql, INSERT);
    sa_put_text(&query, user->subject);
    sa_put_text(&query, user->name);
    sa_put_int(&query, user->uid);
    sa_put_text(&query, user->full_name);
    sa_put_text(&query, user->email);
    sa_put_int(&query, user->active);
    sa_put_int(&query, user->not_before_s);
    sa_put_int(&query, user->not_after_s);
    sa_put_int(&query, user->must_change);
    sa_put_int(&query, user->changed_s);
    sa_put_int(&query, user->max_days);
    sa_put_int(&query, user->warn_days);
    sa_put_int(&query, user->min_days);
    sa_put_int(&query, user->has_inactive ? (int64_t)user->inactive_days : -1);
    sa_put_int(&query, user->shadow_form);
    put_sealed(&query, sealed, seal(creation->keyring, user->subject, user->hash, sealed));
    enum sa_status status = sa_query_run(&query);
    if (status != SA_OK)
        return status;
    work->uid_added = user->uid;
    status = insert_groups(sql, user->subject, user);
    return status == SA_OK ? sa_login_forget(sql, creation->name_key) : status;
}

enum sa_status
sa_store_user_create(struct sa_store *store, struct sa_user *user, const uint8_t *name_key,
                     const struct sa_audit *audit)
{
    struct creation creation = {store->keyring, user, name_key};
    struct sa_work work = sa_work(create, &creation, audit);

    sa_random_id(user->subject);
    work.record.subject = user->subject;
    return sa_store_write(store, &work);
}

struct resetting {
    const struct sa_keyring *keyring;
    const struct sa_password_change *change;
    int64_t now_ms;
};

static enum sa_status
check_old_hash(struct sa_sql *sql, const struct resetting *resetting)
{
    static const char OLD[] = "SELECT hash FROM users WHERE subject = ?";
    const struct sa_password_change *change = resetting->change;
    char hash[SA_PASSWORD_HASH_MAX + 1];

    if (change->old_hash == NULL)
        return SA_OK;
    SA_QUERY(query, sql, OLD);
    sa_put_text(&query, change->subject);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        status = sa_user_get_hash(&query, resetting->keyring, change->subject, hash);
    if (status == SA_OK && !sa_secret_equal(sa_bytes_of(hash), sa_bytes_of(change->old_hash)))
        status = SA_NOT_FOUND;
    sa_wipe(hash, sizeof(hash));
    return status;
}

static enum sa_status
set_password(struct sa_sql *sql, struct sa_work *work)
{
    static const char UPDATE[] = "UPDATE users SET hash = ?2, changed_s = iif(?3, changed_s, ?4), "
                                 "must_change = iif(?3, must_change, ?5) WHERE subject = ?1";
    const struct resetting *resetting = work->context;
    const struct sa_password_change *change = resetting->change;
    uint8_t sealed[SEALED_MAX];
    enum sa_status status = check_old_hash(sql, resetting);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, UPDATE);
    sa_put_text(&query, change->subject);
    put_sealed(&query, sealed, seal(resetting->keyring, change->subject, change->new_hash, sealed));
    sa_put_int(&query, change->keep_ageing);
    sa_put_int(&query, change->changed_s);
    sa_put_int(&query, change->must_change);
    status = sa_query_run_found(&query);
    if (status == SA_OK && change->login != NULL)
        status = sa_login_put(sql, change->login);
    if (status != SA_OK || !change->end_sessions)
        return status;
    return sa_sessions_end_of_user(sql, change->subject, change->spare_session, resetting->now_ms);
}

enum sa_status
sa_store_user_set_password(struct sa_store *store, const struct sa_password_change *change, int64_t now_ms,
                           const struct sa_audit *audit)
{
    struct resetting resetting = {store->keyring, change, now_ms};
    struct sa_work work = sa_work(set_password, &resetting, audit);

    return sa_store_write(store, &work);
}

struct naming {
    const char *name;
    const uint8_t *name_key; /* of failures that are forgotten with the user */
    bool active;
    int64_t now_ms;
    char subject[SA_ID_LEN + 1]; /* found by the name; also for the record */
    uint32_t uid;
};

static enum sa_status
find_subject(struct sa_sql *sql, struct sa_work *work)
{
    static const char SUBJECT[] = "SELECT subject, uid FROM users WHERE name = ?";
    struct naming *naming = work->context;

    SA_QUERY(query, sql, SUBJECT);
    sa_put_text(&query, naming->name);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    sa_get_text(&query, naming->subject, sizeof(naming->subject));
    naming->uid = (uint32_t)sa_get_int(&query);
    work->record.subject = naming->subject;
    return sa_query_done(&query);
}

/*
 * For verifiers that follow: nothing of a user who is not active is good, not even what is minted at this
 * very moment; of one who is active again nothing of before.
 */
static enum sa_status
rule_out(struct sa_sql *sql, struct sa_work *work, const struct naming *naming)
{
    int64_t void_ms = naming->active ? naming->now_ms : naming->now_ms + SA_NOT_BEFORE_KEEP_MS;
    struct sa_not_before rule = sa_not_before_subject(naming->subject, void_ms, naming->now_ms);

    return sa_not_before_put(sql, work, &rule);
}

static enum sa_status
set_active(struct sa_sql *sql, struct sa_work *work)
{
    static const char UPDATE[] = "UPDATE users SET active = ?2 WHERE subject = ?1 AND active <> ?2";
    const struct naming *naming = work->context;
    enum sa_status status = find_subject(sql, work);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, UPDATE);
    sa_put_text(&query, naming->subject);
    sa_put_int(&query, naming->active);
    status = sa_query_run(&query);
    if (status == SA_OK && sa_query_changed(&query) > 0)
        status = rule_out(sql, work, naming);
    if (status != SA_OK || naming->active)
        return status;
    return sa_sessions_end_of_user(sql, naming->subject, NULL, naming->now_ms);
}

enum sa_status
sa_store_user_set_active(struct sa_store *store, const char *name, bool active, int64_t now_ms,
                         const struct sa_audit *audit)
{
    struct naming naming = {.name = name, .active = active, .now_ms = now_ms};
    struct sa_work work = sa_work(set_active, &naming, audit);

    return sa_store_write(store, &work);
}

struct updating {
    struct naming naming; /* first: find_subject reads it */
    const struct sa_user *user;
    unsigned parts;
};

static enum sa_status
replace_groups(struct sa_sql *sql, const char *subject, const struct sa_user *user)
{
    static const char CLEAR[] = "DELETE FROM user_groups WHERE subject = ?";

    SA_QUERY(query, sql, CLEAR);
    sa_put_text(&query, subject);
    enum sa_status status = sa_query_run(&query);
    return status == SA_OK ? insert_groups(sql, subject, user) : status;
}

/* New dates may shut an account at once. */
static enum sa_status
end_if_closed(struct sa_sql *sql, const char *subject, int64_t now_ms)
{
    static const char CLOSED[] =
        "SELECT 1 FROM users WHERE subject = ?1 AND (closes_s <= ?2 OR not_before_s > ?2)";

    SA_QUERY(query, sql, CLOSED);
    sa_put_text(&query, subject);
    sa_put_int(&query, now_ms / 1000);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        return sa_sessions_end_of_user(sql, subject, NULL, now_ms);
    return status == SA_NOT_FOUND ? SA_OK : status;
}

static enum sa_status
update(struct sa_sql *sql, struct sa_work *work)
{
    static const char UPDATE[] =
        "UPDATE users SET full_name = iif(?2 & 1, ?3, full_name), email = iif(?2 & 2, ?4, email), "
        "not_before_s = iif(?2 & 4, ?5, not_before_s), not_after_s = iif(?2 & 4, ?6, not_after_s), "
        "must_change = iif(?2 & 8, ?7, must_change), max_days = iif(?2 & 16, ?8, max_days), "
        "warn_days = iif(?2 & 16, ?9, warn_days), min_days = iif(?2 & 16, ?10, min_days), "
        "inactive_days = iif(?2 & 16, ?11, inactive_days), shadow_form = iif(?2 & 16, 0, shadow_form) "
        "WHERE subject = ?1";
    const struct updating *updating = work->context;
    const struct sa_user *user = updating->user;
    enum sa_status status = find_subject(sql, work);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, UPDATE);
    sa_put_text(&query, updating->naming.subject);
    sa_put_int(&query, updating->parts);
    sa_put_text(&query, user->full_name);
    sa_put_text(&query, user->email);
    sa_put_int(&query, user->not_before_s);
    sa_put_int(&query, user->not_after_s);
    sa_put_int(&query, user->must_change);
    sa_put_int(&query, user->max_days);
    sa_put_int(&query, user->warn_days);
    sa_put_int(&query, user->min_days);
    sa_put_int(&query, user->has_inactive ? (int64_t)user->inactive_days : -1);
    status = sa_query_run(&query);
    if (status == SA_OK && (updating->parts & SA_USER_GROUPS) != 0)
        status = replace_groups(sql, updating->naming.subject, user);
    if (status == SA_OK && (updating->parts & (SA_USER_DATES | SA_USER_AGEING)) != 0)
        status = end_if_closed(sql, updating->naming.subject, work->record.time_ms);
    return status;
}

enum sa_status
sa_store_user_update(struct sa_store *store, const struct sa_user *user, unsigned parts,
                     const struct sa_audit *audit)
{
    struct updating updating = {.naming = {.name = user->name}, .user = user, .parts = parts};
    struct sa_work work = sa_work(update, &updating, audit);

    return sa_store_write(store, &work);
}

static enum sa_status
delete_user(struct sa_sql *sql, struct sa_work *work)
{
    static const char DELETE[] = "DELETE FROM users WHERE subject = ?";
    const struct naming *naming = work->context;
    enum sa_status status = find_subject(sql, work);

    if (status == SA_OK)
        status = sa_sessions_end_of_user(sql, naming->subject, NULL, naming->now_ms);
    if (status == SA_OK)
        status = rule_out(sql, work, naming);
    if (status == SA_OK)
        status = sa_login_forget(sql, naming->name_key);
    if (status != SA_OK)
        return status;
    work->uid_removed = naming->uid;
    SA_QUERY(query, sql, DELETE);
    sa_put_text(&query, naming->subject);
    return sa_query_run(&query);
}

enum sa_status
sa_store_user_delete(struct sa_store *store, const char *name, const uint8_t *name_key, int64_t now_ms,
                     const struct sa_audit *audit)
{
    struct naming naming = {.name = name, .name_key = name_key, .now_ms = now_ms};
    struct sa_work work = sa_work(delete_user, &naming, audit);

    return sa_store_write(store, &work);
}
