#include "client/ctl.h"

#include <stdio.h>

#include "secauth/v1/audit.pb-c.h"
#include "secauth/v1/host.pb-c.h"
#include "secauth/v1/key.pb-c.h"
#include "secauth/v1/signing_key.pb-c.h"

#define AUDIT_PAGE   250u
#define AUDIT_LIMIT  100u
#define AUDIT_ROWS   100000u
#define SEQUENCE_MAX 9223372036854775807u

static const struct sa_ctl_column key_columns[] = {
    {"KEY", "kid", SA_CTL_PLAIN},
    {"ALG", "alg", SA_CTL_PLAIN},
    {"STATE", "state", SA_CTL_PLAIN},
    {"MADE", "created_ms", SA_CTL_TIME_MS},
    {"SIGNS FROM", "active_ms", SA_CTL_TIME_MS},
    {"UNTIL", "retire_ms", SA_CTL_TIME_MS},
};

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
    {"calls", "calls", SA_CTL_PLAIN},
    {"malformed calls", "malformed", SA_CTL_PLAIN},
};

static const struct sa_ctl_column lane_columns[] = {
    {"LANE", "name", SA_CTL_PLAIN},       {"THREADS", "threads", SA_CTL_PLAIN},
    {"QUEUED", "queued", SA_CTL_PLAIN},   {"CAPACITY", "capacity", SA_CTL_PLAIN},
    {"REFUSED", "refused", SA_CTL_PLAIN},
};

/* Keys. */

static enum sa_ctl_exit
list_keys(struct sa_ctl *ctl, json_t **ret_reply)
{
    Secauth__V1__ListSigningKeysRequest request = SECAUTH__V1__LIST_SIGNING_KEYS_REQUEST__INIT;
    return sa_ctl_call(ctl, &secauth__v1__signing_key_service__descriptor, "ListSigningKeys", &request.base,
                       ret_reply);
}

enum sa_ctl_exit
sa_ctl_key_show(struct sa_ctl *ctl)
{
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result == SA_CTL_OK)
        result = list_keys(ctl, &reply);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_print_rows(ctl, json_object_get(reply, "keys"), key_columns, SA_COUNT(key_columns));
}

static enum sa_ctl_exit
export_pem(struct sa_ctl *ctl)
{
    json_auto_t *reply = NULL;
    size_t index;
    json_t *key;

    enum sa_ctl_exit result = list_keys(ctl, &reply);
    if (result != SA_CTL_OK)
        return result;
    if (ctl->json)
        return sa_ctl_print_json(json_object_get(reply, "keys"));
    json_array_foreach(json_object_get(reply, "keys"), index, key)
    {
        const char *pem = json_string_value(json_object_get(key, "public_pem"));
        if (pem != NULL)
            fputs(pem, stdout);
    }
    return SA_CTL_OK;
}

/* The very bytes that the daemon publishes. */
static enum sa_ctl_exit
export_jwks(struct sa_ctl *ctl)
{
    Secauth__V1__GetKeySetRequest request = SECAUTH__V1__GET_KEY_SET_REQUEST__INIT;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result =
        sa_ctl_call(ctl, &secauth__v1__key_service__descriptor, "GetKeySet", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    const json_t *jwks = json_object_get(reply, "jwks");
    if (json_string_length(jwks) == 0) {
        sa_ctl_complain("%s: the daemon's answer holds no key set", ctl->row->name);
        return SA_CTL_BROKEN;
    }
    puts(json_string_value(jwks));
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_key_export(struct sa_ctl *ctl)
{
    bool jwks = false, pem = false;
    const struct sa_ctl_option options[] = {{"--jwks", .flag = &jwks}, {"--pem", .flag = &pem}};

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    if (jwks == pem)
        return sa_ctl_usage(ctl);
    return jwks ? export_jwks(ctl) : export_pem(ctl);
}

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
