#include "service/store/store_not_before.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/store/inside.h"

struct sa_not_before
sa_not_before_number(enum sa_not_before_kind kind, uint32_t number, int64_t since_ms, int64_t not_before_ms,
                     int64_t now_ms)
{
    struct sa_not_before rule = {.kind = kind,
                                 .since_ms = since_ms,
                                 .not_before_ms = not_before_ms,
                                 .until_ms = now_ms + SA_NOT_BEFORE_KEEP_MS};

    snprintf(rule.key, sizeof(rule.key), "%" PRIu32, number);
    return rule;
}

struct sa_not_before
sa_not_before_subject(const char *subject, int64_t not_before_ms, int64_t now_ms)
{
    struct sa_not_before rule = {.kind = SA_NOT_BEFORE_SUBJECT,
                                 .not_before_ms = not_before_ms,
                                 .until_ms = now_ms + SA_NOT_BEFORE_KEEP_MS};

    snprintf(rule.key, sizeof(rule.key), "%s", subject);
    return rule;
}

enum sa_status
sa_not_before_put(struct sa_sql *sql, struct sa_work *work, const struct sa_not_before *rule)
{
    static const char PUT[] =
        "INSERT INTO not_before (kind, key, since_ms, not_before_ms, until_ms) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET since_ms = min(since_ms, excluded.since_ms), "
        "not_before_ms = iif(kind = 1, max(not_before_ms, excluded.not_before_ms), excluded.not_before_ms), "
        "until_ms = max(until_ms, excluded.until_ms)";

    SA_QUERY(query, sql, PUT);
    sa_put_int(&query, rule->kind);
    sa_put_text(&query, rule->key);
    sa_put_int(&query, rule->since_ms);
    sa_put_int(&query, rule->not_before_ms);
    sa_put_int(&query, rule->until_ms);
    work->rule_until_ms = rule->until_ms;
    return sa_query_run(&query);
}

static enum sa_status
put(struct sa_sql *sql, struct sa_work *work)
{
    return sa_not_before_put(sql, work, work->context);
}

enum sa_status
sa_store_not_before_put(struct sa_store *store, const struct sa_not_before *rule,
                        const struct sa_audit *audit)
{
    struct sa_not_before copy = *rule;
    struct sa_work work = sa_work(put, &copy, audit);

    return sa_store_write(store, &work);
}

enum sa_status
sa_not_before_open(struct sa_store *store)
{
    static const char LAST[] = "SELECT max(until_ms) FROM not_before";

    SA_QUERY(query, store->writer.sql, LAST);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        atomic_store(&store->rules_until_ms, sa_get_int(&query));
    return status;
}

void
sa_not_before_committed(struct sa_store *store, int64_t until_ms)
{
    if (until_ms > atomic_load(&store->rules_until_ms)) /* the writer's thread alone writes it */
        atomic_store(&store->rules_until_ms, until_ms);
}

/* ---- all ---- */

struct listing {
    const struct sa_not_before *after;
    int64_t now_ms;
    struct sa_not_before *rules;
    unsigned count;
    bool more;
};

static void
read_rule(struct sa_query *query, struct sa_not_before *ret_rule)
{
    ret_rule->kind = (enum sa_not_before_kind)sa_get_int(query);
    sa_get_text(query, ret_rule->key, sizeof(ret_rule->key));
    ret_rule->since_ms = sa_get_int(query);
    ret_rule->not_before_ms = sa_get_int(query);
    ret_rule->until_ms = sa_get_int(query);
}

static enum sa_status
read_list(struct sa_sql *sql, void *context)
{
    static const char LIST[] = "SELECT kind, key, since_ms, not_before_ms, until_ms FROM not_before "
                               "WHERE (kind, key) > (?1, ?2) AND until_ms > ?3 ORDER BY kind, key LIMIT ?4";
    struct listing *listing = context;
    enum sa_status status;

    SA_QUERY(query, sql, LIST);
    sa_put_int(&query, listing->after == NULL ? 0 : listing->after->kind);
    sa_put_text(&query, listing->after == NULL ? "" : listing->after->key);
    sa_put_int(&query, listing->now_ms);
    sa_put_int(&query, (int64_t)SA_PAGE_MAX + 1);
    while ((status = sa_query_step(&query)) == SA_OK) {
        if (listing->count == SA_PAGE_MAX) {
            listing->more = true;
            return SA_OK;
        }
        read_rule(&query, &listing->rules[listing->count++]);
    }
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

enum sa_status
sa_store_not_before_list(struct sa_store *store, const struct sa_not_before *after, int64_t now_ms,
                         struct sa_not_before **ret_rules, unsigned *ret_count, bool *ret_more)
{
    struct listing listing = {.after = after, .now_ms = now_ms};

    listing.rules = calloc(SA_PAGE_MAX, sizeof(*listing.rules));
    if (listing.rules == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_store_read(store, read_list, &listing);
    if (status != SA_OK) {
        free(listing.rules);
        return status;
    }
    *ret_rules = listing.rules;
    *ret_count = listing.count;
    *ret_more = listing.more;
    return SA_OK;
}

/* ---- one token ---- */

static enum sa_status
find_rule(struct sa_sql *sql, void *context)
{
    static const char VOIDS[] = "SELECT 1 FROM not_before WHERE ((kind = 1 AND key = CAST(?1 AS TEXT)) OR "
                                "(kind = 2 AND key = CAST(?2 AS TEXT)) OR (kind = 3 AND key = ?3)) "
                                "AND since_ms <= ?4 AND not_before_ms > ?4 LIMIT 1";
    const struct sa_minted *minted = context;

    SA_QUERY(query, sql, VOIDS);
    sa_put_int(&query, minted->instance);
    sa_put_int(&query, minted->client_row);
    sa_put_text(&query, minted->subject);
    sa_put_int(&query, minted->mint_ms);
    return sa_query_step(&query);
}

enum sa_status
sa_store_not_before_voids(struct sa_store *store, const struct sa_minted *minted, int64_t now_ms,
                          bool *ret_void)
{
    struct sa_minted copy = *minted;

    if (atomic_load(&store->rules_until_ms) <= now_ms) {
        *ret_void = false;
        return SA_OK;
    }
    enum sa_status status = sa_store_read(store, find_rule, &copy);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    *ret_void = status == SA_OK;
    return SA_OK;
}
