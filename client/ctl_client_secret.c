/* `client secret ...`: the overlap of a client's secrets. */
#include <stdio.h>
#include <unistd.h>

#include "client/ctl_client.h"

#define SERVICE     &secauth__v1__client_service__descriptor
#define SECONDS_MAX 4294967295u

static const struct sa_ctl_column columns[] = {
    {"secret", "secret", SA_CTL_PLAIN},
    {"old ends", "old_expires_ms", SA_CTL_TIME_MS},
};

/* The new secret, which goes to the file where there is one. */
static enum sa_ctl_exit
print_secret(const struct sa_ctl *ctl, const char *path, int fd, json_t *reply)
{
    size_t without = 0;

    if (path != NULL) {
        enum sa_ctl_exit result = sa_ctl_secret_write(
            path, fd, json_string_value(json_object_get(reply, "secret")), "rotate it again");
        if (result != SA_CTL_OK)
            return result;
        json_object_del(reply, "secret");
        without = 1;
    }
    enum sa_ctl_exit result = sa_ctl_print_one(ctl, reply, columns + without, SA_COUNT(columns) - without);
    if (result == SA_CTL_OK && path == NULL && !ctl->json)
        fputs("The secret is not shown again.\n", stderr);
    return result;
}

enum sa_ctl_exit
sa_ctl_client_secret_rotate(struct sa_ctl *ctl)
{
    Secauth__V1__RotateClientSecretRequest request = SECAUTH__V1__ROTATE_CLIENT_SECRET_REQUEST__INIT;
    Secauth__V1__Seconds overlap = SECAUTH__V1__SECONDS__INIT;
    struct sa_ctl_number seconds = {.max = SECONDS_MAX};
    char *path = NULL;
    json_auto_t *reply = NULL;
    int fd = -1;
    const struct sa_ctl_option options[] = {{"--overlap", .number = &seconds},
                                            {"--secret-file", .text = &path}};

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), &request.client_id, 1);
    if (result == SA_CTL_OK && path != NULL)
        result = sa_ctl_secret_create(path, "the secret was not rotated", &fd);
    if (result != SA_CTL_OK)
        return result;
    overlap.value = (uint32_t)seconds.value;
    request.overlap = seconds.given ? &overlap : NULL;
    result = sa_ctl_call(ctl, SERVICE, "RotateClientSecret", &request.base, &reply);
    if (result == SA_CTL_OK)
        result = print_secret(ctl, path, fd, reply);
    else if (fd >= 0)
        unlink(path);
    if (fd >= 0)
        close(fd);
    return result;
}

enum sa_ctl_exit
sa_ctl_client_secret_end(struct sa_ctl *ctl)
{
    Secauth__V1__EndClientSecretOverlapRequest request = SECAUTH__V1__END_CLIENT_SECRET_OVERLAP_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.client_id, 1);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_do(ctl, SERVICE, "EndClientSecretOverlap", &request.base,
                     "%s has its newest secret and no other", request.client_id);
}
