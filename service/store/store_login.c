/* What a decision about a login changes, committed with its record; and how it is read back. */
#include "service/store/store_login.h"

#include <stdlib.h>

#include "service/store/inside.h"

/* ---- writing ---- */

static enum sa_status
delete_by_key(struct sa_sql *sql, const char *text, const uint8_t key[SA_LOCKOUT_KEY_LEN])
{
    SA_QUERY(query, sql, text);
    sa_put_blob(&query, key, SA_LOCKOUT_KEY_LEN);
    return sa_query_run(&query);
}

/*
 * Two failures of one pair may be committed in either order: the higher count stays, unless the row had
 * expired before this failure.
 */
static enum sa_status
put_pair(struct sa_sql *sql, const struct sa_pair_row *row)
{
    static const char DELETE[] = "DELETE FROM pairs WHERE key = ?";
    static const char UPSERT[] =
        "INSERT INTO pairs (key, name, user, source, failures, left_ms, failed_ms, expires_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
        "failures = iif(expires_ms > excluded.failed_ms, max(failures, excluded.failures), "
        "excluded.failures), "
        "left_ms = iif(expires_ms > excluded.failed_ms, max(left_ms, excluded.left_ms), excluded.left_ms), "
        "failed_ms = excluded.failed_ms, expires_ms = excluded.expires_ms";

    if (row->failures == 0)
        return delete_by_key(sql, DELETE, row->key);
    SA_QUERY(query, sql, UPSERT);
    sa_put_blob(&query, row->key, sizeof(row->key));
    sa_put_blob(&query, row->name, sizeof(row->name));
    sa_put_text(&query, row->user);
    sa_put_text(&query, row->source);
    sa_put_int(&query, row->failures);
    sa_put_int(&query, row->left_ms);
    sa_put_int(&query, row->failed_ms);
    sa_put_int(&query, row->expires_ms);
    return sa_query_run(&query);
}

/*
 * Likewise of one name, within some seconds. Later a lower count is right: failures have left the window.
 */
static enum sa_status
put_guard(struct sa_sql *sql, const struct sa_guard_row *row)
{
    static const char DELETE[] = "DELETE FROM guards WHERE name = ?";
    static const char UPSERT[] =
        "INSERT INTO guards (name, user, failures, left_ms, failed_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET "
        "failures = iif(abs(excluded.failed_ms - failed_ms) < 5000, max(failures, excluded.failures), "
        "excluded.failures), "
        "left_ms = iif(abs(excluded.failed_ms - failed_ms) < 5000, max(left_ms, excluded.left_ms), "
        "excluded.left_ms), "
        "failed_ms = excluded.failed_ms, expires_ms = excluded.expires_ms";

    if (row->failures == 0)
        return delete_by_key(sql, DELETE, row->name);
    SA_QUERY(query, sql, UPSERT);
    sa_put_blob(&query, row->name, sizeof(row->name));
    sa_put_text(&query, row->user);
    sa_put_int(&query, row->failures);
    sa_put_int(&query, row->left_ms);
    sa_put_int(&query, row->failed_ms);
    sa_put_int(&query, row->expires_ms);
    return sa_query_run(&query);
}

/* A user who was deleted meanwhile has no sources. */
static enum sa_status
put_known(struct sa_sql *sql, const struct sa_known_row *row)
{
    static const char UPSERT[] =
        "INSERT INTO known_sources (subject, source, used_s, factor_s) "
        "SELECT subject, ?2, ?3, ?4 FROM users WHERE subject = ?1 ON CONFLICT (subject, source) DO UPDATE "
        "SET "
        "used_s = excluded.used_s, factor_s = iif(excluded.factor_s > 0, excluded.factor_s, factor_s)";

    SA_QUERY(query, sql, UPSERT);
    sa_put_text(&query, row->subject);
    sa_put_text(&query, row->source);
    sa_put_int(&query, row->used_s);
    sa_put_int(&query, row->factor_s);
    return sa_query_run(&query);
}

enum sa_status
sa_login_put(struct sa_sql *sql, const struct sa_login_change *change)
{
    enum sa_status status = change->has_factor ? sa_factor_use(sql, &change->factor) : SA_OK;

    if (status == SA_OK && change->wrong_code_subject != NULL)
        status = sa_factor_wrong(sql, change->wrong_code_subject);
    if (status == SA_OK && change->has_pair)
        status = put_pair(sql, &change->pair);
    if (status == SA_OK && change->has_guard)
        status = put_guard(sql, &change->guard);
    if (status == SA_OK && change->has_known)
        status = put_known(sql, &change->known);
    return status;
}

static enum sa_status
login(struct sa_sql *sql, struct sa_work *work)
{
    return sa_login_put(sql, work->context);
}

enum sa_status
sa_store_login(struct sa_store *store, const struct sa_login_change *change, const struct sa_audit *audit)
{
    static const struct sa_login_change NOTHING = {.has_pair = false};
    struct sa_work work = sa_work(login, (void *)(uintptr_t)(change == NULL ? &NOTHING : change), audit);

    return sa_store_write(store, &work);
}

/* ---- clearing ---- */

struct clearing {
    const struct sa_lockout_clear *what;
    unsigned cleared;
};

static enum sa_status
clear_pairs(struct sa_sql *sql, const struct sa_lockout_clear *what, unsigned *cleared)
{
    static const char PAIRS[] =
        "DELETE FROM pairs WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR source = ?2)";

    SA_QUERY(query, sql, PAIRS);
    if (what->name == NULL)
        sa_put_null(&query);
    else
        sa_put_blob(&query, what->name, SA_LOCKOUT_KEY_LEN);
    sa_put_text_or_null(&query, what->source);
    enum sa_status status = sa_query_run(&query);
    if (status == SA_OK)
        *cleared += sa_query_changed(&query);
    return status;
}

static enum sa_status
clear_guards(struct sa_sql *sql, const struct sa_lockout_clear *what, unsigned *cleared)
{
    static const char GUARDS[] = "DELETE FROM guards WHERE ?1 IS NULL OR name = ?1";

    SA_QUERY(query, sql, GUARDS);
    if (what->name == NULL)
        sa_put_null(&query);
    else
        sa_put_blob(&query, what->name, SA_LOCKOUT_KEY_LEN);
    enum sa_status status = sa_query_run(&query);
    if (status == SA_OK)
        *cleared += sa_query_changed(&query);
    return status;
}

enum sa_status
sa_login_forget(struct sa_sql *sql, const uint8_t *name_key)
{
    struct sa_lockout_clear what = {.name = name_key};
    unsigned cleared = 0;

    if (name_key == NULL)
        return SA_OK;
    enum sa_status status = clear_pairs(sql, &what, &cleared);
    return status == SA_OK ? clear_guards(sql, &what, &cleared) : status;
}

static enum sa_status
clear_codes(struct sa_sql *sql, const struct sa_lockout_clear *what, unsigned *cleared)
{
    static const char CODES[] = "DELETE FROM wrong_codes WHERE ?1 IS NULL OR subject = ?1";

    if (what->subject == NULL && what->name != NULL)
        return SA_OK;
    SA_QUERY(query, sql, CODES);
    sa_put_text_or_null(&query, what->subject);
    enum sa_status status = sa_query_run(&query);
    if (status == SA_OK)
        *cleared += sa_query_changed(&query);
    return status;
}

static enum sa_status
clear(struct sa_sql *sql, struct sa_work *work)
{
    struct clearing *clearing = work->context;
    const struct sa_lockout_clear *what = clearing->what;
    enum sa_status status = clear_pairs(sql, what, &clearing->cleared);

    if (status == SA_OK && what->source == NULL)
        status = clear_guards(sql, what, &clearing->cleared);
    if (status == SA_OK && what->source == NULL)
        status = clear_codes(sql, what, &clearing->cleared);
    return status;
}

enum sa_status
sa_store_lockout_clear(struct sa_store *store, const struct sa_lockout_clear *what,
                       const struct sa_audit *audit, unsigned *ret_cleared)
{
    struct clearing clearing = {.what = what};
    struct sa_work work = sa_work(clear, &clearing, audit);
    enum sa_status status = sa_store_write(store, &work);

    if (status == SA_OK)
        *ret_cleared = clearing.cleared;
    return status;
}

/* ---- reading ---- */

struct reading {
    bool (*take_pair)(void *user, const struct sa_pair_row *row);
    bool (*take_guard)(void *user, const struct sa_guard_row *row);
    void *user;
};

static enum sa_status
read_pairs(struct sa_sql *sql, void *context)
{
    static const char PAIRS[] = "SELECT key, name, user, source, failures, left_ms, failed_ms, expires_ms "
                                "FROM pairs ORDER BY expires_ms, key";
    const struct reading *reading = context;
    enum sa_status status;

    SA_QUERY(query, sql, PAIRS);
    while ((status = sa_query_step(&query)) == SA_OK) {
        struct sa_pair_row row = {.failures = 0};
        (void)sa_get_blob(&query, row.key, sizeof(row.key));
        (void)sa_get_blob(&query, row.name, sizeof(row.name));
        sa_get_text(&query, row.user, sizeof(row.user));
        sa_get_text(&query, row.source, sizeof(row.source));
        row.failures = (uint32_t)sa_get_int(&query);
        row.left_ms = sa_get_int(&query);
        row.failed_ms = sa_get_int(&query);
        row.expires_ms = sa_get_int(&query);
        status = sa_query_done(&query);
        if (status != SA_OK || !reading->take_pair(reading->user, &row))
            return status;
    }
    return status == SA_NOT_FOUND ? SA_OK : status;
}

enum sa_status
sa_store_pairs(struct sa_store *store, bool (*take)(void *user, const struct sa_pair_row *row), void *user)
{
    struct reading reading = {.take_pair = take, .user = user};

    return sa_store_read(store, read_pairs, &reading);
}

static enum sa_status
read_guards(struct sa_sql *sql, void *context)
{
    static const char GUARDS[] = "SELECT name, user, failures, left_ms, failed_ms, expires_ms "
                                 "FROM guards ORDER BY expires_ms, name";
    const struct reading *reading = context;
    enum sa_status status;

    SA_QUERY(query, sql, GUARDS);
    while ((status = sa_query_step(&query)) == SA_OK) {
        struct sa_guard_row row = {.failures = 0};
        (void)sa_get_blob(&query, row.name, sizeof(row.name));
        sa_get_text(&query, row.user, sizeof(row.user));
        row.failures = (uint32_t)sa_get_int(&query);
        row.left_ms = sa_get_int(&query);
        row.failed_ms = sa_get_int(&query);
        row.expires_ms = sa_get_int(&query);
        status = sa_query_done(&query);
        if (status != SA_OK || !reading->take_guard(reading->user, &row))
            return status;
    }
    return status == SA_NOT_FOUND ? SA_OK : status;
}

enum sa_status
sa_store_guards(struct sa_store *store, bool (*take)(void *user, const struct sa_guard_row *row), void *user)
{
    struct reading reading = {.take_guard = take, .user = user};

    return sa_store_read(store, read_guards, &reading);
}

struct knowing {
    const char *subject;
    const char *source; /* NULL: all */
    int64_t since_s;
    unsigned limit;
    struct sa_known_row *rows;
    unsigned count;
};

static enum sa_status
read_known(struct sa_sql *sql, void *context)
{
    static const char KNOWN[] = "SELECT source, used_s, factor_s FROM known_sources WHERE subject = ?1 AND "
                                "(?2 IS NULL OR source = ?2) AND used_s >= ?3 ORDER BY used_s DESC LIMIT ?4";
    struct knowing *knowing = context;
    enum sa_status status;

    SA_QUERY(query, sql, KNOWN);
    sa_put_text(&query, knowing->subject);
    sa_put_text_or_null(&query, knowing->source);
    sa_put_int(&query, knowing->since_s);
    sa_put_int(&query, knowing->limit);
    while ((status = sa_query_step(&query)) == SA_OK && knowing->count < knowing->limit) {
        struct sa_known_row *row = &knowing->rows[knowing->count++];
        memcpy(row->subject, knowing->subject, strnlen(knowing->subject, SA_ID_LEN));
        sa_get_text(&query, row->source, sizeof(row->source));
        row->used_s = sa_get_int(&query);
        row->factor_s = sa_get_int(&query);
        status = sa_query_done(&query);
        if (status != SA_OK)
            return status;
    }
    return status == SA_NOT_FOUND ? SA_OK : status;
}

enum sa_status
sa_store_known(struct sa_store *store, const char *subject, const char *source, int64_t since_s,
               struct sa_known_row *ret_row)
{
    struct sa_known_row row = {.used_s = 0};
    struct knowing knowing = {subject, source, since_s, 1, &row, 0};
    enum sa_status status = sa_store_read(store, read_known, &knowing);

    if (status == SA_OK && knowing.count == 0)
        return SA_NOT_FOUND;
    if (status == SA_OK)
        *ret_row = row;
    return status;
}

enum sa_status
sa_store_known_list(struct sa_store *store, const char *subject, int64_t since_s, unsigned limit,
                    struct sa_known_row **ret_rows, unsigned *ret_count)
{
    struct knowing knowing = {subject, NULL, since_s, limit, calloc(limit, sizeof(struct sa_known_row)), 0};

    if (knowing.rows == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_store_read(store, read_known, &knowing);
    if (status != SA_OK) {
        free(knowing.rows);
        return status;
    }
    *ret_rows = knowing.rows;
    *ret_count = knowing.count;
    return SA_OK;
}
