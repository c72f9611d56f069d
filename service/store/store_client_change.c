#include <assert.h>

#include "service/store/inside.h"
#include "service/store/store_not_before.h"

static enum sa_status
insert_owned(struct sa_sql *sql, const struct sa_client *client)
{
    static const char OWNED[] = "INSERT INTO client_owned (client, place, audience) VALUES (?, ?, ?)";

    for (unsigned i = 0; i < client->owned_count; i++) {
        SA_QUERY(query, sql, OWNED);
        sa_put_int(&query, client->row);
        sa_put_int(&query, i);
        sa_put_text(&query, client->owned[i]);
        enum sa_status status = sa_query_run(&query);
        if (status != SA_OK)
            return status;
    }
    return SA_OK;
}

static enum sa_status
put_audience(struct sa_sql *sql, uint32_t client_row, const struct sa_client_audience *audience)
{
    static const char PUT[] =
        "INSERT INTO client_audiences (client, audience, scopes, user_group, plain_typ) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET scopes = excluded.scopes, "
        "user_group = excluded.user_group, plain_typ = excluded.plain_typ";

    SA_QUERY(query, sql, PUT);
    sa_put_int(&query, client_row);
    sa_put_text(&query, audience->audience);
    sa_put_text(&query, audience->scopes);
    sa_put_text(&query, audience->group);
    sa_put_int(&query, audience->plain_typ);
    return sa_query_run(&query);
}

static enum sa_status
insert_certificates(struct sa_sql *sql, const struct sa_client *client)
{
    static const char CERTIFICATE[] =
        "INSERT INTO client_certificates (client, place, sha256) VALUES (?, ?, ?)";

    for (unsigned i = 0; i < client->certificate_count; i++) {
        SA_QUERY(query, sql, CERTIFICATE);
        sa_put_int(&query, client->row);
        sa_put_int(&query, i);
        sa_put_blob(&query, client->certificates[i], SA_SHA256_LEN);
        enum sa_status status = sa_query_run(&query);
        if (status != SA_OK)
            return status;
    }
    return SA_OK;
}

static enum sa_status
insert_exchanges(struct sa_sql *sql, const struct sa_client *client)
{
    static const char EXCHANGE[] =
        "INSERT INTO client_exchanges (client, place, from_audience, to_audience, scopes) "
        "VALUES (?, ?, ?, ?, ?)";

    for (unsigned i = 0; i < client->exchange_count; i++) {
        SA_QUERY(query, sql, EXCHANGE);
        sa_put_int(&query, client->row);
        sa_put_int(&query, i);
        sa_put_text(&query, client->exchanges[i].from);
        sa_put_text(&query, client->exchanges[i].to);
        sa_put_text(&query, client->exchanges[i].scopes);
        enum sa_status status = sa_query_run(&query);
        if (status != SA_OK)
            return status;
    }
    return SA_OK;
}

/* The lists of the record, where there are none. */
static enum sa_status
insert_lists(struct sa_sql *sql, const struct sa_client *client)
{
    enum sa_status status = insert_owned(sql, client);

    for (unsigned i = 0; i < client->audience_count && status == SA_OK; i++)
        status = put_audience(sql, client->row, &client->audiences[i]);
    if (status == SA_OK)
        status = insert_certificates(sql, client);
    return status == SA_OK ? insert_exchanges(sql, client) : status;
}

/* All that an administrator may change of the row itself. */
static enum sa_status
put_record(struct sa_sql *sql, const struct sa_client *client)
{
    static const char RECORD[] =
        "UPDATE clients SET grants = ?, login = ?, access_ttl_s = ?, grace_s = ?, jwks = ?, attest_uid = ?, "
        "attest_unit = ?, say_groups = ?, dpop_bound = ? WHERE number = ?";

    SA_QUERY(query, sql, RECORD);
    sa_put_int(&query, client->grants);
    sa_put_int(&query, client->login);
    sa_put_int(&query, client->access_ttl_s);
    sa_put_int(&query, client->grace_s);
    sa_put_text_or_null(&query, client->jwks == NULL ? "" : client->jwks);
    sa_put_int(&query, client->attest_uid);
    sa_put_text(&query, client->attest_unit);
    sa_put_int(&query, client->say_groups);
    sa_put_int(&query, client->dpop_bound);
    sa_put_int(&query, client->row);
    return sa_query_run(&query);
}

static enum sa_status
create(struct sa_sql *sql, struct sa_work *work)
{
    static const char INSERT[] = "INSERT INTO clients (id, kind, grants, login, access_ttl_s, grace_s, "
                                 "created_ms) VALUES (?, ?, 0, 0, 0, 0, ?)";
    struct sa_client *client = work->context;

    SA_QUERY(query, sql, INSERT);
    sa_put_text(&query, client->id);
    sa_put_int(&query, client->kind);
    sa_put_int(&query, client->created_ms);
    enum sa_status status = sa_query_run(&query);
    if (status != SA_OK)
        return status;
    client->row = (uint32_t)sa_sql_inserted(sql);
    status = put_record(sql, client);
    if (status == SA_OK)
        status = insert_lists(sql, client);
    for (unsigned i = client->secret_count; i > 0 && status == SA_OK; i--)
        status = sa_secrets_add(sql, client->row, 0, &client->secrets[i - 1]);
    work->clients_changed = true;
    return status;
}

enum sa_status
sa_store_client_create(struct sa_store *store, struct sa_client *client, const struct sa_audit *audit)
{
    struct sa_work work = sa_work(create, client, audit);

    assert(client->owned_count <= SA_OWNED_MAX && client->audience_count <= SA_AUDIENCES_MAX &&
           client->exchange_count <= SA_CLIENT_EXCHANGES && client->secret_count <= SA_CLIENT_SECRETS);
    return sa_store_write(store, &work);
}

/* ---- UpdateClient ---- */

static enum sa_status
delete_lists(struct sa_sql *sql, uint32_t row)
{
    static const char *const DELETE[] = {
        "DELETE FROM client_owned WHERE client = ?",
        "DELETE FROM client_audiences WHERE client = ?",
        "DELETE FROM client_certificates WHERE client = ?",
        "DELETE FROM client_exchanges WHERE client = ?",
    };

    for (size_t i = 0; i < SA_COUNT(DELETE); i++) {
        SA_QUERY(query, sql, DELETE[i]);
        sa_put_int(&query, row);
        enum sa_status status = sa_query_run(&query);
        if (status != SA_OK)
            return status;
    }
    return SA_OK;
}

static enum sa_status
update(struct sa_sql *sql, struct sa_work *work)
{
    static const char FIND[] = "SELECT number FROM clients WHERE id = ? AND kind = ?";
    struct sa_client *client = work->context;
    uint32_t row;
    enum sa_status status = sa_client_find_row(sql, client->id, &row);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, FIND);
    sa_put_text(&query, client->id);
    sa_put_int(&query, client->kind);
    status = sa_query_step(&query);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_INVALID_ARGUMENT : status;
    client->row = row;
    work->clients_changed = true;
    status = put_record(sql, client);
    if (status == SA_OK)
        status = delete_lists(sql, row);
    return status == SA_OK ? insert_lists(sql, client) : status;
}

enum sa_status
sa_store_client_update(struct sa_store *store, struct sa_client *client, const struct sa_audit *audit)
{
    struct sa_work work = sa_work(update, client, audit);

    return sa_store_write(store, &work);
}

/* ---- changes by id ---- */

struct change {
    const char *id;
    const struct sa_client_audience *audience; /* put */
    const char *removed;                       /* taken away */
    bool active;
    int64_t now_ms;
};

enum sa_status
sa_client_find_row(struct sa_sql *sql, const char *id, uint32_t *ret_row)
{
    static const char ROW[] = "SELECT number FROM clients WHERE id = ?";

    SA_QUERY(query, sql, ROW);
    sa_put_text(&query, id);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        *ret_row = (uint32_t)sa_get_int(&query);
    return status;
}

/*
 * For verifiers that follow, as with users: a client's own tokens have no session that ends. Its id is the
 * subject of what others exchanged for them, too.
 */
static enum sa_status
rule_out(struct sa_sql *sql, struct sa_work *work, uint32_t row, const struct change *change)
{
    int64_t void_ms = change->active ? change->now_ms : change->now_ms + SA_NOT_BEFORE_KEEP_MS;
    struct sa_not_before own = sa_not_before_number(SA_NOT_BEFORE_CLIENT, row, 0, void_ms, change->now_ms);
    struct sa_not_before others = sa_not_before_subject(change->id, change->now_ms, change->now_ms);
    enum sa_status status = sa_not_before_put(sql, work, &own);

    return status == SA_OK ? sa_not_before_put(sql, work, &others) : status;
}

static enum sa_status
delete_client(struct sa_sql *sql, struct sa_work *work)
{
    static const char DELETE[] = "DELETE FROM clients WHERE number = ?";
    const struct change *change = work->context;
    uint32_t row;
    enum sa_status status = sa_client_find_row(sql, change->id, &row);

    if (status == SA_OK)
        status = sa_sessions_end_of_client(sql, row, change->now_ms);
    if (status == SA_OK)
        status = rule_out(sql, work, row, change);
    if (status != SA_OK)
        return status;
    work->clients_changed = true;
    SA_QUERY(query, sql, DELETE);
    sa_put_int(&query, row);
    return sa_query_run(&query);
}

enum sa_status
sa_store_client_delete(struct sa_store *store, const char *id, int64_t now_ms, const struct sa_audit *audit)
{
    struct change change = {.id = id, .now_ms = now_ms};
    struct sa_work work = sa_work(delete_client, &change, audit);

    if (strcmp(id, SA_HOST_CLIENT) == 0)
        return SA_PERMISSION_DENIED;
    return sa_store_write(store, &work);
}

/* One that is active and enabled again keeps its tokens. */
static enum sa_status
set_active(struct sa_sql *sql, struct sa_work *work)
{
    static const char UPDATE[] = "UPDATE clients SET enabled_ms = iif(?2, ?3, enabled_ms), active = ?2 "
                                 "WHERE number = ?1 AND active <> ?2";
    const struct change *change = work->context;
    uint32_t row;
    enum sa_status status = sa_client_find_row(sql, change->id, &row);

    if (status == SA_OK && !change->active)
        status = sa_sessions_end_of_client(sql, row, change->now_ms);
    if (status != SA_OK)
        return status;
    work->clients_changed = true;
    SA_QUERY(query, sql, UPDATE);
    sa_put_int(&query, row);
    sa_put_int(&query, change->active);
    sa_put_int(&query, change->now_ms);
    status = sa_query_run(&query);
    if (status != SA_OK || sa_query_changed(&query) == 0)
        return status;
    return rule_out(sql, work, row, change);
}

enum sa_status
sa_store_client_set_active(struct sa_store *store, const char *id, bool active, int64_t now_ms,
                           const struct sa_audit *audit)
{
    struct change change = {.id = id, .active = active, .now_ms = now_ms};
    struct sa_work work = sa_work(set_active, &change, audit);

    if (strcmp(id, SA_HOST_CLIENT) == 0)
        return SA_PERMISSION_DENIED;
    return sa_store_write(store, &work);
}

static enum sa_status
set_audience(struct sa_sql *sql, struct sa_work *work)
{
    static const char COUNT[] = "SELECT count(*) FROM client_audiences WHERE client = ?";
    const struct change *change = work->context;
    uint32_t row;
    enum sa_status status = sa_client_find_row(sql, change->id, &row);

    if (status == SA_OK)
        status = put_audience(sql, row, change->audience);
    if (status != SA_OK)
        return status;
    work->clients_changed = true;
    SA_QUERY(query, sql, COUNT);
    sa_put_int(&query, row);
    status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    return sa_get_int(&query) <= (int64_t)SA_AUDIENCES_MAX ? SA_OK : SA_INVALID_ARGUMENT;
}

enum sa_status
sa_store_client_set_audience(struct sa_store *store, const char *id,
                             const struct sa_client_audience *audience, const struct sa_audit *audit)
{
    struct change change = {.id = id, .audience = audience};
    struct sa_work work = sa_work(set_audience, &change, audit);

    return sa_store_write(store, &work);
}

static enum sa_status
remove_audience(struct sa_sql *sql, struct sa_work *work)
{
    static const char REMOVE[] = "DELETE FROM client_audiences WHERE audience = ? "
                                 "AND client = (SELECT number FROM clients WHERE id = ?)";
    const struct change *change = work->context;

    work->clients_changed = true;
    SA_QUERY(query, sql, REMOVE);
    sa_put_text(&query, change->removed);
    sa_put_text(&query, change->id);
    return sa_query_run_found(&query);
}

enum sa_status
sa_store_client_remove_audience(struct sa_store *store, const char *id, const char *audience,
                                const struct sa_audit *audit)
{
    struct change change = {.id = id, .removed = audience};
    struct sa_work work = sa_work(remove_audience, &change, audit);

    return sa_store_write(store, &work);
}
