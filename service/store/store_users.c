#include <assert.h>
#include <stdlib.h>

#include "service/store/inside.h"

struct sa_user *
sa_user_new(void)
{
    return calloc(1, sizeof(struct sa_user));
}

void
sa_user_free(struct sa_user *user)
{
    if (user == NULL)
        return;
    sa_wipe(user->hash, sizeof(user->hash));
    free(user);
}

void
sa_users_free(struct sa_user *users, enum sa_password_kind *kinds, unsigned count SA_UNUSED)
{
    free(users); /* without hashes: nothing to wipe */
    free(kinds);
}

/* ---- reading ---- */

static enum sa_status
read_user(struct sa_query *query, const struct sa_keyring *keyring, struct sa_user *user)
{
    sa_get_text(query, user->subject, sizeof(user->subject));
    sa_get_text(query, user->name, sizeof(user->name));
    user->uid = (uint32_t)sa_get_int(query);
    sa_get_text(query, user->full_name, sizeof(user->full_name));
    sa_get_text(query, user->email, sizeof(user->email));
    user->active = sa_get_int(query) != 0;
    user->not_before_s = sa_get_int(query);
    user->not_after_s = sa_get_int(query);
    user->must_change = sa_get_int(query) != 0;
    user->changed_s = sa_get_int(query);
    user->max_days = (uint32_t)sa_get_int(query);
    user->warn_days = (uint32_t)sa_get_int(query);
    user->min_days = (uint32_t)sa_get_int(query);
    int64_t inactive = sa_get_int(query);
    user->has_inactive = inactive >= 0;
    user->inactive_days = inactive >= 0 ? (uint32_t)inactive : 0;
    user->shadow_form = (uint32_t)sa_get_int(query);
    return sa_user_get_hash(query, keyring, user->subject, user->hash);
}

static enum sa_status
read_groups(struct sa_sql *sql, struct sa_user *user)
{
    static const char GROUPS[] = "SELECT name FROM user_groups WHERE subject = ? ORDER BY place";
    enum sa_status status;

    SA_QUERY(query, sql, GROUPS);
    sa_put_text(&query, user->subject);
    while ((status = sa_query_step(&query)) == SA_OK && user->group_count < SA_USER_GROUPS_MAX)
        sa_get_text(&query, user->groups[user->group_count++], sizeof(user->groups[0]));
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

struct lookup {
    const struct sa_keyring *keyring;
    const char *text; /* the statement */
    struct sa_bytes key;
    int64_t uid; /* where there is no key */
    struct sa_user *user;
};

static enum sa_status
find(struct sa_sql *sql, void *context)
{
    struct lookup *lookup = context;

    SA_QUERY(query, sql, lookup->text);
    if (lookup->key.data == NULL)
        sa_put_int(&query, lookup->uid);
    else
        sa_put_bytes(&query, lookup->key);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        status = read_user(&query, lookup->keyring, lookup->user);
    return status == SA_OK ? read_groups(sql, lookup->user) : status;
}

static enum sa_status
find_user(struct sa_store *store, struct lookup lookup, struct sa_user **ret_user)
{
    SA_OWN(sa_user) user = sa_user_new();

    if (user == NULL)
        return SA_NO_MEMORY;
    lookup.keyring = store->keyring;
    lookup.user = user;
    enum sa_status status = sa_store_read(store, find, &lookup);
    if (status == SA_OK)
        *ret_user = sa_user_take(&user);
    return status;
}

enum sa_status
sa_store_user_by_name(struct sa_store *store, struct sa_bytes name, struct sa_user **ret_user)
{
    static const char BY_NAME[] = "SELECT " SA_USER_COLUMNS " FROM users WHERE name = ?";

    if (name.len == 0 || name.len > SA_USER_NAME_MAX)
        return SA_NOT_FOUND;
    return find_user(store, (struct lookup){.text = BY_NAME, .key = name}, ret_user);
}

enum sa_status
sa_store_user_by_uid(struct sa_store *store, uint32_t uid, struct sa_user **ret_user)
{
    static const char BY_UID[] = "SELECT " SA_USER_COLUMNS " FROM users WHERE uid = ?";

    return find_user(store, (struct lookup){.text = BY_UID, .uid = uid}, ret_user);
}

enum sa_status
sa_store_user_by_subject(struct sa_store *store, const char *subject, struct sa_user **ret_user)
{
    static const char BY_SUBJECT[] = "SELECT " SA_USER_COLUMNS " FROM users WHERE subject = ?";

    return find_user(store, (struct lookup){.text = BY_SUBJECT, .key = sa_bytes_of(subject)}, ret_user);
}

bool
sa_store_uid_is_managed(struct sa_store *store, uint32_t uid)
{
    return sa_managed_has(&store->managed, uid);
}

struct listing {
    const struct sa_keyring *keyring;
    const char *after;
    unsigned limit;
    struct sa_user *users;
    enum sa_password_kind *kinds;
    unsigned count;
    bool more;
};

/* What kind a hash is, whatever its cost; one that cannot be understood lets nobody in. */
static enum sa_password_kind
kind_of(const char *hash)
{
    static const struct sa_password_policy ANY = {.kind = SA_PASSWORD_ARGON2ID,
                                                  .memory_kib = 65536,
                                                  .passes = 3,
                                                  .bcrypt_cost = 12,
                                                  .max_memory_kib = UINT32_MAX,
                                                  .max_millis = UINT32_MAX};
    enum sa_password_kind kind;
    const char *rule;

    if (hash[0] == '\0' || sa_password_inspect(&ANY, hash, &kind, &rule) != SA_OK)
        return SA_PASSWORD_NONE;
    return kind;
}

static enum sa_status
read_list(struct sa_sql *sql, void *context)
{
    static const char LIST[] = "SELECT " SA_USER_COLUMNS " FROM users WHERE name > ? ORDER BY name LIMIT ?";
    struct listing *listing = context;
    enum sa_status status;

    SA_QUERY(query, sql, LIST);
    sa_put_text(&query, listing->after);
    sa_put_int(&query, (int64_t)listing->limit + 1);
    while ((status = sa_query_step(&query)) == SA_OK) {
        if (listing->count == listing->limit) {
            listing->more = true;
            return SA_OK;
        }
        struct sa_user *user = &listing->users[listing->count];
        status = read_user(&query, listing->keyring, user);
        listing->kinds[listing->count++] = kind_of(user->hash);
        sa_wipe(user->hash, sizeof(user->hash));
        if (status == SA_OK)
            status = read_groups(sql, user);
        if (status != SA_OK)
            return status;
    }
    return status == SA_NOT_FOUND ? SA_OK : status;
}

enum sa_status
sa_store_user_list(struct sa_store *store, const char *after, unsigned limit, struct sa_user **ret_users,
                   enum sa_password_kind **ret_kinds, unsigned *ret_count, bool *ret_more)
{
    struct listing listing = {.keyring = store->keyring, .after = after, .limit = limit};
    enum sa_status status = SA_NO_MEMORY;

    assert(limit >= 1 && limit <= SA_PAGE_MAX);
    listing.users = calloc(limit, sizeof(*listing.users));
    listing.kinds = calloc(limit, sizeof(*listing.kinds));
    if (listing.users != NULL && listing.kinds != NULL)
        status = sa_store_read(store, read_list, &listing);
    if (status != SA_OK) {
        sa_users_free(listing.users, listing.kinds, listing.count);
        return status;
    }
    *ret_users = listing.users;
    *ret_kinds = listing.kinds;
    *ret_count = listing.count;
    *ret_more = listing.more;
    return SA_OK;
}
