/* The streams of KeyService, as lines of JSON. */
#include "client/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "secauth/v1/key.pb-c.h"

#define SERVICE         &secauth__v1__key_service__descriptor
#define ETAG_MAX        64u
#define INCARNATION_LEN 32u

/* The set is told again while it is the same, so that one who follows knows that it hears. */
static bool
is_another_set(void *user, const json_t *message)
{
    char *last = user;
    const char *etag = json_string_value(json_object_get(message, "etag"));

    if (etag == NULL || strncmp(last, etag, ETAG_MAX) == 0)
        return false;
    snprintf(last, ETAG_MAX, "%s", etag);
    return true;
}

enum sa_ctl_exit
sa_ctl_key_watch(struct sa_ctl *ctl)
{
    Secauth__V1__WatchKeySetRequest request = SECAUTH__V1__WATCH_KEY_SET_REQUEST__INIT;
    char last[ETAG_MAX] = "";

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result == SA_CTL_OK)
        result = sa_ctl_follow(ctl, SERVICE, "WatchKeySet", &request.base, is_another_set, last);
    return result;
}

/* Those in which something is told, and the first after which all is known: from there on one has to wait. */
static bool
tells(void *user, const json_t *message)
{
    bool *caught_up = user;
    bool first = !*caught_up && json_is_true(json_object_get(message, "caught_up"));

    *caught_up = *caught_up || first;
    return first || json_array_size(json_object_get(message, "revocations")) > 0;
}

/* "INCARNATION:SEQUENCE", split in place. */
static enum sa_ctl_exit
take_place(const struct sa_ctl *ctl, char *text, Secauth__V1__WatchRevocationsRequest *request)
{
    char *colon = strchr(text, ':');
    char *end = NULL;

    if (colon != NULL)
        request->sequence = strtoull(colon + 1, &end, 10);
    if (colon == NULL || colon - text != INCARNATION_LEN || colon[1] < '0' || colon[1] > '9' ||
        *end != '\0') {
        sa_ctl_complain(
            "--after: `incarnation` and `sequence` of a line that was printed, with a colon between them");
        return sa_ctl_usage(ctl);
    }
    *colon = '\0';
    request->incarnation = text;
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_revocation_watch(struct sa_ctl *ctl)
{
    Secauth__V1__WatchRevocationsRequest request = SECAUTH__V1__WATCH_REVOCATIONS_REQUEST__INIT;
    Secauth__V1__ClientAuth client = SECAUTH__V1__CLIENT_AUTH__INIT;
    SA_CTL_SECRET(secret);
    char *client_id = NULL, *secret_file = NULL, *after = NULL;
    const struct sa_ctl_option options[] = {{"--client", .text = &client_id},
                                            {"--secret-file", .text = &secret_file},
                                            {"--after", .text = &after}};
    bool caught_up = false;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result == SA_CTL_OK && (client_id == NULL) != (secret_file == NULL))
        return sa_ctl_usage(ctl);
    if (result == SA_CTL_OK && after != NULL)
        result = take_place(ctl, after, &request);
    if (result == SA_CTL_OK && client_id != NULL) {
        result = sa_ctl_read_secret_file(secret_file, &secret);
        client.client_id = client_id;
        client.method_case = SECAUTH__V1__CLIENT_AUTH__METHOD_SECRET;
        client.secret = sa_ctl_secret_field(&secret);
        request.client = &client;
    }
    if (result == SA_CTL_OK)
        result = sa_ctl_follow(ctl, SERVICE, "WatchRevocations", &request.base, tells, &caught_up);
    return result;
}
