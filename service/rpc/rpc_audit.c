/* AuditService. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/rpc/page.h"

#define REQUEST_ID_LEN 16u

static const char *
outcome_of(enum sa_outcome outcome)
{
    if (outcome == SA_OUTCOME_GRANTED)
        return "granted";
    return outcome == SA_OUTCOME_DENIED ? "denied" : "failed";
}

static bool
put_text(struct sa_call *call, const char *text, char **ret_field)
{
    return text == NULL || rpc_put_text(call, text, ret_field);
}

static bool
put_texts(struct sa_call *call, const struct sa_audit *record, Secauth__V1__AuditRecord *row)
{
    const char *event = sa_event_name(record->event);

    return put_text(call, event == NULL ? "UNKNOWN" : event, &row->event) &&
           put_text(call, outcome_of(record->outcome), &row->outcome) &&
           put_text(call, record->reason, &row->reason) && put_text(call, record->user, &row->user) &&
           put_text(call, record->subject, &row->subject) &&
           put_text(call, record->client_id, &row->client_id) &&
           put_text(call, record->session_id, &row->session_id) &&
           put_text(call, record->service, &row->service) && put_text(call, record->source, &row->source) &&
           put_text(call, record->gateway, &row->gateway) && put_text(call, record->detail, &row->detail);
}

static bool
put_record(struct sa_call *call, const struct sa_audit_row *from, Secauth__V1__AuditRecord *row)
{
    const struct sa_audit *record = &from->record;
    char request_id[REQUEST_ID_LEN + 1] = "";

    secauth__v1__audit_record__init(row);
    row->sequence = from->sequence;
    row->time_ms = record->time_ms;
    row->actor_pid = record->actor_pid < 0 ? 0 : (uint32_t)record->actor_pid;
    if (record->request_id != 0)
        snprintf(request_id, sizeof(request_id), "%016" PRIx64, record->request_id);
    return put_text(call, request_id, &row->request_id) && put_texts(call, record, row) &&
           rpc_put_id(call, record->actor_uid, &row->actor_uid) &&
           rpc_put_id(call, record->acting_uid, &row->acting_uid) &&
           rpc_put_id(call, record->login_uid, &row->login_uid) &&
           rpc_put_id(call, record->audit_session, &row->audit_session) &&
           rpc_put_bytes(call, sa_bytes(from->leaf, sizeof(from->leaf)), &row->leaf_hash);
}

/* "" or 16 hexadecimal digits. */
static bool
read_request_id(const char *text, uint64_t *ret_id)
{
    *ret_id = 0;
    if (text[0] == '\0')
        return true;
    if (strlen(text) != REQUEST_ID_LEN || strspn(text, "0123456789abcdef") != REQUEST_ID_LEN)
        return false;
    *ret_id = strtoull(text, NULL, 16);
    return true;
}

static enum sa_status
read_query(struct sa_call *call, const Secauth__V1__ListAuditRecordsRequest *request,
           struct sa_audit_query *ret_query)
{
    struct sa_audit_query query = {.after_sequence = request->after_sequence,
                                   .limit = rpc_page_size(request->page_size),
                                   .user = request->user,
                                   .newest = request->newest};

    if (request->page_size > SA_PAGE_MAX)
        return sa_call_refuse(call, "page_size", "1 to 500, or 0 for 100");
    if (strlen(request->user) > 2 * SA_USER_NAME_MAX)
        return sa_call_refuse(call, "user", SA_RULE_USER_NAME);
    if (request->event[0] != '\0') {
        query.event = sa_event_from_name(request->event);
        if (query.event == 0)
            return sa_call_refuse(call, "event", "the name of an event, such as LOGIN");
    }
    if (!read_request_id(request->request_id, &query.request_id))
        return sa_call_refuse(call, "request_id", "16 lower-case hexadecimal digits");
    *ret_query = query;
    return SA_OK;
}

/*
 * As many as fit, in ascending order: from the oldest on, or where the newest are wanted, from the newest
 * back.
 */
static enum sa_status
put_page(struct sa_call *call, const struct sa_audit_row *rows, unsigned count, bool newest,
         Secauth__V1__ListAuditRecordsResponse *reply)
{
    Secauth__V1__AuditRecord *records = sa_arena_alloc(call->arena, count * sizeof(*records));
    Secauth__V1__AuditRecord **listed = sa_arena_alloc(call->arena, count * sizeof(*listed));
    struct rpc_page page = {0};

    if (records == NULL || listed == NULL)
        return SA_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = newest ? count - 1 - i : i;
        if (!put_record(call, &rows[at], &records[at]))
            return SA_NO_MEMORY;
        if (!rpc_page_take(&page, &records[at].base))
            break;
        listed[at] = &records[at];
        reply->n_records++;
    }
    reply->records = newest ? listed + (count - reply->n_records) : listed;
    return SA_OK;
}

enum sa_status
rpc_audit_list(struct sa_call *call, const Secauth__V1__ListAuditRecordsRequest *request,
               Secauth__V1__ListAuditRecordsResponse *reply)
{
    struct sa_audit_query query;
    struct sa_audit_row *rows;
    unsigned count;
    bool more;

    enum sa_status status = read_query(call, request, &query);
    if (status != SA_OK)
        return status;
    status = sa_store_audit_list(call->authority->store, &query, &rows, &count, &more);
    if (status != SA_OK)
        return status;
    status = put_page(call, rows, count, query.newest, reply);
    bool cut = more || (!query.newest && reply->n_records < count);
    if (status == SA_OK && cut && reply->n_records > 0)
        reply->next_after_sequence = reply->records[reply->n_records - 1]->sequence;
    free(rows);
    return status;
}
