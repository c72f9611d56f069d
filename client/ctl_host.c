#include "client/ctl.h"

#include <stdio.h>

#include "secauth/v1/audit.pb-c.h"
#include "secauth/v1/host.pb-c.h"

#define AUDIT_PAGE   250u
#define AUDIT_LIMIT  100u
#define AUDIT_ROWS   100000u
#define SEQUENCE_MAX 9223372036854775807u

static const struct sa_ctl_column audit_columns[] = {
    {"N", "sequence", SA_CTL_PLAIN},         {"TIME", "time_ms", SA_CTL_TIME_MS},
    {"EVENT", "event", SA_CTL_PLAIN},        {"OUTCOME", "outcome", SA_CTL_PLAIN},
    {"REASON", "reason", SA_CTL_PLAIN},      {"USER", "user", SA_CTL_PLAIN},
    {"CLIENT", "client_id", SA_CTL_PLAIN},   {"SERVICE", "service", SA_CTL_PLAIN},
    {"SOURCE", "source", SA_CTL_PLAIN},      {"SESSION", "session_id", SA_CTL_PLAIN},
    {"REQUEST", "request_id", SA_CTL_PLAIN}, {"DETAIL", "detail", SA_CTL_PLAIN},
};

static const struct sa_ctl_column status_lines[] = {
    {"version", "version", SA_CTL_PLAIN},
    {"started", "started_ms", SA_CTL_TIME_MS},
    {"runs on the last good copy", "last_good", SA_CTL_PLAIN},
    {"takes writes", "writable", SA_CTL_PLAIN},
    {"schema", "schema_version", SA_CTL_PLAIN},
    {"issuer", "issuer", SA_CTL_PLAIN},
    {"audit records", "audit_sequence", SA_CTL_PLAIN},
    {"users", "users", SA_CTL_PLAIN},
    {"clients", "clients", SA_CTL_PLAIN},
    {"sessions", "sessions", SA_CTL_PLAIN},
    {"master key", "master_key", SA_CTL_PLAIN},
    {"is being rotated", "rotates", SA_CTL_PLAIN},
    {"values sealed anew", "resealed", SA_CTL_PLAIN},
    {"values to seal anew", "to_reseal", SA_CTL_PLAIN},
    {"calls", "calls", SA_CTL_PLAIN},
    {"malformed calls", "malformed", SA_CTL_PLAIN},
};

static const struct sa_ctl_column lane_columns[] = {
    {"LANE", "name", SA_CTL_PLAIN},       {"THREADS", "threads", SA_CTL_PLAIN},
    {"QUEUED", "queued", SA_CTL_PLAIN},   {"CAPACITY", "capacity", SA_CTL_PLAIN},
    {"REFUSED", "refused", SA_CTL_PLAIN},
};

/* Audit. */

/* Pages until there are `limit` records; the newest come in one page, since there is nothing after them. */
static enum sa_ctl_exit
collect(struct sa_ctl *ctl, Secauth__V1__ListAuditRecordsRequest *request, size_t limit, json_t *rows)
{
    while (json_array_size(rows) < limit) {
        json_auto_t *reply = NULL;
        size_t left = limit - json_array_size(rows);
        request->page_size = left < AUDIT_PAGE ? (uint32_t)left : AUDIT_PAGE;
        enum sa_ctl_exit result = sa_ctl_call(ctl, &secauth__v1__audit_service__descriptor,
                                              "ListAuditRecords", &request->base, &reply);
        if (result != SA_CTL_OK)
            return result;
        if (json_array_extend(rows, json_object_get(reply, "records")) != 0)
            return sa_ctl_no_memory();
        uint64_t next = (uint64_t)json_integer_value(json_object_get(reply, "next_after_sequence"));
        if (request->newest || next <= request->after_sequence)
            break;
        request->after_sequence = next;
    }
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_audit_list(struct sa_ctl *ctl)
{
    Secauth__V1__ListAuditRecordsRequest request = SECAUTH__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
    char *user = NULL, *event = NULL, *request_id = NULL;
    bool newest = false;
    struct sa_ctl_number after = {.max = SEQUENCE_MAX}, limit = {.max = AUDIT_ROWS, .value = AUDIT_LIMIT};
    const struct sa_ctl_option options[] = {
        {"--user", .text = &user},     {"--event", .text = &event},   {"--request", .text = &request_id},
        {"--after", .number = &after}, {"--limit", .number = &limit}, {"--newest", .flag = &newest}};
    json_auto_t *rows = json_array();

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    if (newest && limit.value > AUDIT_PAGE) {
        sa_ctl_complain("--limit with --newest is at most %u", AUDIT_PAGE);
        return SA_CTL_USAGE;
    }
    if (user != NULL)
        request.user = user;
    if (event != NULL)
        request.event = event;
    if (request_id != NULL)
        request.request_id = request_id;
    request.after_sequence = after.value;
    request.newest = newest;
    result = collect(ctl, &request, (size_t)limit.value, rows);
    return result == SA_CTL_OK ? sa_ctl_print_rows(ctl, rows, audit_columns, SA_COUNT(audit_columns))
                               : result;
}

/* The daemon. */

enum sa_ctl_exit
sa_ctl_status(struct sa_ctl *ctl)
{
    Secauth__V1__GetStatusRequest request = SECAUTH__V1__GET_STATUS_REQUEST__INIT;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result == SA_CTL_OK)
        result = sa_ctl_call(ctl, &secauth__v1__host_service__descriptor, "GetStatus", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    /* Who is no administrator sees the version only. */
    bool all = json_integer_value(json_object_get(reply, "started_ms")) != 0;
    result = sa_ctl_print_one(ctl, reply, status_lines, all ? SA_COUNT(status_lines) : 1);
    if (result != SA_CTL_OK || ctl->json || !all)
        return result;
    putchar('\n');
    return sa_ctl_print_rows(ctl, json_object_get(reply, "lanes"), lane_columns, SA_COUNT(lane_columns));
}
