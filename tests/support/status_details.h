/* What a google.rpc.Status says, read with protobuf-c's own unpack; for unit tests, after cmocka.h. */
#ifndef SA_TESTS_STATUS_DETAILS_H
#define SA_TESTS_STATUS_DETAILS_H

#include <stdio.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "proto/bytes.h"

/* The details of an error as a stock library would read them. */
struct details {
    char reason[64];
    char domain[16];
    char field[96];
    char rule[96];
    int64_t delay_ms;
    int code;
    char words[160];
};

static void
read_detail(const Google__Protobuf__Any *any, struct details *details)
{
    if (strcmp(any->type_url, "type.googleapis.com/google.rpc.ErrorInfo") == 0) {
        Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
        snprintf(details->reason, sizeof(details->reason), "%s", info->reason);
        snprintf(details->domain, sizeof(details->domain), "%s", info->domain);
        google__rpc__error_info__free_unpacked(info, NULL);
    }
    if (strcmp(any->type_url, "type.googleapis.com/google.rpc.RetryInfo") == 0) {
        Google__Rpc__RetryInfo *retry =
            google__rpc__retry_info__unpack(NULL, any->value.len, any->value.data);
        details->delay_ms = retry->retry_delay->seconds * 1000 + retry->retry_delay->nanos / 1000000;
        google__rpc__retry_info__free_unpacked(retry, NULL);
    }
    if (strcmp(any->type_url, "type.googleapis.com/google.rpc.BadRequest") == 0) {
        Google__Rpc__BadRequest *bad =
            google__rpc__bad_request__unpack(NULL, any->value.len, any->value.data);
        assert_int_equal(bad->n_field_violations, 1);
        snprintf(details->field, sizeof(details->field), "%s", bad->field_violations[0]->field);
        snprintf(details->rule, sizeof(details->rule), "%s", bad->field_violations[0]->description);
        google__rpc__bad_request__free_unpacked(bad, NULL);
    }
}

static struct details
details_of(struct sa_bytes body)
{
    struct details details = {.code = -1};
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, body.len, body.data);

    assert_non_null(status);
    details.code = status->code;
    snprintf(details.words, sizeof(details.words), "%s", status->message);
    for (size_t i = 0; i < status->n_details; i++)
        read_detail(status->details[i], &details);
    google__rpc__status__free_unpacked(status, NULL);
    return details;
}

#endif
