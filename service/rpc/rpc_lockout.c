/* LockoutService: who waits, and why. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/rpc/page.h"
#include "service/store/store_factor.h"

#define ROWS_MAX      500u
#define KNOWN_MAX     64u
#define DAY_S         86400
#define ROW_PLACE_MAX 24u

/* A list that is being made: the rows that match, from a place on. */
struct listing {
    struct sa_call *call;
    const uint8_t *name; /* only this user's; NULL: everybody's */
    const char *source;  /* only this source's; "": all */
    uint64_t skip;
    unsigned limit;
    uint64_t seen;
    bool more;
    bool failed; /* for lack of memory */
    struct rpc_page page;
    Secauth__V1__Lockout *rows[ROWS_MAX];
    unsigned count;
};

/* Whether there is room for another: false ends the reading. */
static bool
add(struct listing *listing, const Secauth__V1__Lockout *row)
{
    if (listing->seen++ < listing->skip)
        return true;
    listing->more = listing->count == listing->limit || !rpc_page_take(&listing->page, &row->base);
    if (listing->more)
        return false;
    Secauth__V1__Lockout *copy = sa_arena_alloc(listing->call->arena, sizeof(*copy));
    listing->failed = copy == NULL;
    if (copy == NULL)
        return false;
    *copy = *row;
    listing->failed = !rpc_put_text(listing->call, row->user, &copy->user) ||
                      !rpc_put_text(listing->call, row->source, &copy->source);
    listing->rows[listing->count++] = copy;
    return !listing->failed;
}

static bool
take_pair(void *user, const struct sa_pair_row *pair)
{
    struct listing *listing = user;
    struct sa_authority *authority = listing->call->authority;
    Secauth__V1__Lockout row = SECAUTH__V1__LOCKOUT__INIT;
    struct sa_lockout_left left;

    if (listing->name != NULL && memcmp(listing->name, pair->name, sizeof(pair->name)) != 0)
        return true;
    if (listing->source[0] != '\0' && strcmp(listing->source, pair->source) != 0)
        return true;
    sa_lockout_pair_left(authority->lockout, pair->key, listing->call->now.boot_ms, &left);
    if (left.failures == 0)
        return true;
    row.kind = SECAUTH__V1__LOCKOUT_KIND__LOCKOUT_KIND_PAIR;
    row.user = (char *)(uintptr_t)pair->user;
    row.source = (char *)(uintptr_t)pair->source;
    row.failures = left.failures;
    row.wait_ms = left.wait_ms;
    return add(listing, &row);
}

static bool
take_guard(void *user, const struct sa_guard_row *guard)
{
    struct listing *listing = user;
    struct sa_authority *authority = listing->call->authority;
    Secauth__V1__Lockout row = SECAUTH__V1__LOCKOUT__INIT;
    struct sa_lockout_left left;

    if (listing->name != NULL && memcmp(listing->name, guard->name, sizeof(guard->name)) != 0)
        return true;
    sa_lockout_guard_left(authority->lockout, guard->name, listing->call->now.boot_ms, &left);
    if (left.failures == 0 && left.guard_ms == 0)
        return true;
    row.kind = SECAUTH__V1__LOCKOUT_KIND__LOCKOUT_KIND_GUARD;
    row.user = (char *)(uintptr_t)guard->user;
    row.failures = left.failures;
    row.locked = left.guard_ms > 0;
    row.remaining_ms = (uint64_t)left.guard_ms;
    return add(listing, &row);
}

static bool
add_source(struct listing *listing, struct sa_bucket_row *bucket)
{
    Secauth__V1__Lockout row = SECAUTH__V1__LOCKOUT__INIT;

    row.kind = SECAUTH__V1__LOCKOUT_KIND__LOCKOUT_KIND_SOURCE;
    row.source = bucket->source;
    row.failures = bucket->failures;
    row.wait_ms = bucket->wait_ms;
    return add(listing, &row);
}

/* What sources have used of their own allowance, whoever they named. */
static void
list_sources(struct listing *listing)
{
    struct sa_buckets *buckets = listing->call->authority->buckets;
    struct sa_bucket_row bucket;
    unsigned place = 0;

    if (listing->name != NULL)
        return;
    while (sa_buckets_next(buckets, listing->call->now.boot_ms, &place, &bucket))
        if ((listing->source[0] == '\0' || strcmp(listing->source, bucket.source) == 0) &&
            !add_source(listing, &bucket))
            return;
}

/* Guards first: of a name that strangers try there may be thousands of pairs. */
static enum sa_status
list(struct listing *listing)
{
    struct sa_store *store = listing->call->authority->store;
    enum sa_status status = listing->source[0] == '\0' ? sa_store_guards(store, take_guard, listing) : SA_OK;

    if (status == SA_OK && !listing->more && !listing->failed)
        status = sa_store_pairs(store, take_pair, listing);
    if (status == SA_OK && !listing->more && !listing->failed)
        list_sources(listing);
    return listing->failed ? SA_NO_MEMORY : status;
}

/* A page's token is how many rows came before it. */
static bool
read_place(const char *token, uint64_t *ret_skip)
{
    uint64_t skip = 0;

    if (strlen(token) > ROW_PLACE_MAX - 6)
        return false;
    for (; *token != '\0'; token++) {
        if (*token < '0' || *token > '9')
            return false;
        skip = skip * 10 + (uint64_t)(*token - '0');
    }
    *ret_skip = skip;
    return true;
}

static enum sa_status
put_rows(const struct listing *listing, size_t *ret_count, Secauth__V1__Lockout ***ret_rows)
{
    Secauth__V1__Lockout **rows = sa_arena_alloc(listing->call->arena, sizeof(*rows) * (listing->count + 1));

    if (rows == NULL)
        return SA_NO_MEMORY;
    memcpy(rows, listing->rows, sizeof(*rows) * listing->count);
    *ret_rows = rows;
    *ret_count = listing->count;
    return SA_OK;
}

enum sa_status
rpc_lockout_list(struct sa_call *call, const Secauth__V1__ListLockoutsRequest *request,
                 Secauth__V1__ListLockoutsResponse *reply)
{
    struct listing *listing = sa_arena_alloc(call->arena, sizeof(*listing));
    uint8_t name[SA_LOCKOUT_KEY_LEN];
    char place[ROW_PLACE_MAX];

    if (listing == NULL)
        return SA_NO_MEMORY;
    *listing =
        (struct listing){.call = call, .source = request->source, .limit = rpc_page_size(request->page_size)};
    if (listing->limit > ROWS_MAX)
        return sa_call_refuse(call, "page_size", "at most 500");
    if (!read_place(request->page_token, &listing->skip))
        return sa_call_refuse(call, "page_token", "a page_token of ListLockouts");
    if (request->user.len > 0) {
        sa_lockout_name_key(call->authority->lockout, rpc_bytes(request->user), name);
        listing->name = name;
    }
    enum sa_status status = list(listing);
    if (status == SA_OK)
        status = put_rows(listing, &reply->n_lockouts, &reply->lockouts);
    if (status != SA_OK || !listing->more)
        return status;
    snprintf(place, sizeof(place), "%" PRIu64, listing->skip + listing->count);
    return rpc_put_text(call, place, &reply->next_page_token) ? SA_OK : SA_NO_MEMORY;
}

/* ---- one user ---- */

static enum sa_status
put_known(struct sa_call *call, const char *subject, Secauth__V1__GetLockoutResponse *reply)
{
    int64_t since_s = call->now.wall_ms / 1000 - call->authority->conf->login_known_days * DAY_S;
    struct sa_known_row *rows;
    unsigned count;

    enum sa_status status =
        sa_store_known_list(call->authority->store, subject, since_s, KNOWN_MAX, &rows, &count);
    if (status != SA_OK)
        return status;
    reply->known_sources = sa_arena_alloc(call->arena, sizeof(*reply->known_sources) * (count + 1));
    for (unsigned i = 0; reply->known_sources != NULL && i < count; i++) {
        Secauth__V1__KnownSource *source = sa_arena_alloc(call->arena, sizeof(*source));
        if (source == NULL)
            break;
        secauth__v1__known_source__init(source);
        source->last_used = rows[i].used_s;
        if (!rpc_put_text(call, rows[i].source, &source->source))
            break;
        reply->known_sources[reply->n_known_sources++] = source;
    }
    free(rows);
    return reply->n_known_sources == count ? SA_OK : SA_NO_MEMORY;
}

static enum sa_status
add_codes(struct listing *listing, const struct sa_user *user)
{
    const struct sa_authority *authority = listing->call->authority;
    Secauth__V1__Lockout row = SECAUTH__V1__LOCKOUT__INIT;
    struct sa_factors_state factors;

    enum sa_status status = sa_store_factors(authority->store, user->subject, &factors);
    if (status != SA_OK)
        return status;
    row.kind = SECAUTH__V1__LOCKOUT_KIND__LOCKOUT_KIND_FACTOR;
    row.user = (char *)(uintptr_t)user->name;
    row.failures = factors.failures;
    row.locked = factors.failures >= (uint32_t)authority->conf->login_factor_failures;
    sa_wipe(&factors, sizeof(factors));
    if (row.failures > 0)
        (void)add(listing, &row);
    return listing->failed ? SA_NO_MEMORY : SA_OK;
}

/* The allowances of the sources from which the user has failed. */
static enum sa_status
add_sources(struct listing *listing)
{
    const struct sa_authority *authority = listing->call->authority;
    unsigned count = listing->count;
    struct sa_bucket_row bucket;

    for (unsigned i = 0; i < count && !listing->more && !listing->failed; i++)
        if (listing->rows[i]->kind == SECAUTH__V1__LOCKOUT_KIND__LOCKOUT_KIND_PAIR &&
            sa_buckets_find(authority->buckets, listing->rows[i]->source, listing->call->now.boot_ms,
                            &bucket))
            (void)add_source(listing, &bucket);
    return listing->failed ? SA_NO_MEMORY : SA_OK;
}

enum sa_status
rpc_lockout_get(struct sa_call *call, const Secauth__V1__GetLockoutRequest *request,
                Secauth__V1__GetLockoutResponse *reply)
{
    struct listing *listing = sa_arena_alloc(call->arena, sizeof(*listing));
    uint8_t name[SA_LOCKOUT_KEY_LEN];
    SA_OWN(sa_user) user = NULL;

    if (listing == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_store_user_by_name(call->authority->store, rpc_bytes(request->user), &user);
    if (status != SA_OK)
        return status;
    sa_lockout_name_key(call->authority->lockout, rpc_bytes(request->user), name);
    *listing = (struct listing){.call = call, .name = name, .source = "", .limit = ROWS_MAX};
    status = add_codes(listing, user);
    if (status == SA_OK)
        status = list(listing);
    if (status == SA_OK)
        status = add_sources(listing);
    if (status == SA_OK)
        status = put_rows(listing, &reply->n_lockouts, &reply->lockouts);
    return status == SA_OK ? put_known(call, user->subject, reply) : status;
}

/* ---- clearing ---- */

static enum sa_status
find_subject(struct sa_call *call, struct sa_bytes name, struct sa_user **ret_user)
{
    enum sa_status status = name.len == 0 || !sa_name_is_user(name)
                                ? SA_NOT_FOUND
                                : sa_store_user_by_name(call->authority->store, name, ret_user);

    return status == SA_NOT_FOUND ? SA_OK : status; /* names without a record have counts as well */
}

enum sa_status
rpc_lockout_clear(struct sa_call *call, const Secauth__V1__ClearLockoutRequest *request,
                  Secauth__V1__ClearLockoutResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_LOCKOUT_CLEAR, SA_OUTCOME_GRANTED, NULL);
    const char *source = request->source[0] == '\0' ? NULL : request->source;
    bool has_name = request->user.len > 0;
    uint8_t name[SA_LOCKOUT_KEY_LEN];
    SA_OWN(sa_user) user = NULL;

    if (request->all == (has_name || source != NULL))
        return sa_call_refuse(call, "user", "a user, a source, both of them, or all and neither");
    enum sa_status status = find_subject(call, rpc_bytes(request->user), &user);
    if (status != SA_OK)
        return status;
    sa_lockout_name_key(call->authority->lockout, rpc_bytes(request->user), name);
    struct sa_lockout_clear what = {
        .name = has_name ? name : NULL, .source = source, .subject = user == NULL ? NULL : user->subject};
    if (user != NULL)
        rpc_audit_user(&record, user);
    record.detail = rpc_detail(call, "all=%s of_source=%s", request->all ? "yes" : "no",
                               source == NULL ? "" : rpc_escaped(call, sa_bytes_of(source)));
    status = sa_store_lockout_clear(call->authority->store, &what, &record, &reply->cleared);
    if (status != SA_OK)
        return status;
    sa_lockout_clear(call->authority->lockout, what.name, what.source);
    if (!has_name) /* a source's own allowance, whoever it named */
        sa_buckets_forget(call->authority->buckets, source);
    return SA_OK;
}
