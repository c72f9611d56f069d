#include "client/ctl.h"

#include <stdio.h>

#include "secauth/v1/key.pb-c.h"
#include "secauth/v1/signing_key.pb-c.h"

#define SERVICE &secauth__v1__signing_key_service__descriptor

static const struct sa_ctl_column columns[] = {
    {"KEY", "kid", SA_CTL_PLAIN},
    {"ALG", "alg", SA_CTL_PLAIN},
    {"STATE", "state", SA_CTL_PLAIN},
    {"MADE", "created_ms", SA_CTL_TIME_MS},
    {"SIGNS FROM", "active_ms", SA_CTL_TIME_MS},
    {"UNTIL", "retire_ms", SA_CTL_TIME_MS},
};

static enum sa_ctl_exit
list_keys(struct sa_ctl *ctl, json_t **ret_reply)
{
    Secauth__V1__ListSigningKeysRequest request = SECAUTH__V1__LIST_SIGNING_KEYS_REQUEST__INIT;
    return sa_ctl_call(ctl, SERVICE, "ListSigningKeys", &request.base, ret_reply);
}

enum sa_ctl_exit
sa_ctl_key_list(struct sa_ctl *ctl)
{
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result == SA_CTL_OK)
        result = list_keys(ctl, &reply);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_print_rows(ctl, json_object_get(reply, "keys"), columns, SA_COUNT(columns));
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

/* Not yet is a no, unlike what was done. */
static enum sa_ctl_exit
explain_wait(const struct sa_ctl *ctl, const json_t *reply)
{
    char when[SA_CTL_TIME_LEN + 1];
    const char *kid = json_string_value(json_object_get(reply, "kid"));

    /* Rounded up: told a second too early, it would be refused again. */
    sa_ctl_time((json_integer_value(json_object_get(reply, "ready_ms")) + 999) / 1000, when);
    if (kid == NULL || kid[0] == '\0')
        sa_ctl_complain(
            "%s: no key is prepared, since there are as many as there may be; one will be after %s",
            ctl->row->name, when);
    else
        sa_ctl_complain(
            "%s: verifiers may not have the prepared key yet: it may sign from %s on; --force lets "
            "it sign now",
            ctl->row->name, when);
    return SA_CTL_REFUSED;
}

enum sa_ctl_exit
sa_ctl_key_rotate(struct sa_ctl *ctl)
{
    Secauth__V1__RotateSigningKeyRequest request = SECAUTH__V1__ROTATE_SIGNING_KEY_REQUEST__INIT;
    bool force = false;
    const struct sa_ctl_option options[] = {{"--force", .flag = &force}};
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    request.force = force;
    result = sa_ctl_call(ctl, SERVICE, "RotateSigningKey", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    bool rotated = json_is_true(json_object_get(reply, "rotated"));
    if (ctl->json) {
        result = sa_ctl_print_json(reply);
        return result == SA_CTL_OK && !rotated ? SA_CTL_REFUSED : result;
    }
    if (!rotated)
        return explain_wait(ctl, reply);
    printf("%s signs\n", json_string_value(json_object_get(reply, "kid")));
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_key_revoke(struct sa_ctl *ctl)
{
    Secauth__V1__RevokeSigningKeyRequest request = SECAUTH__V1__REVOKE_SIGNING_KEY_REQUEST__INIT;
    char *kid = NULL;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &kid, 1);
    if (result != SA_CTL_OK)
        return result;
    request.kid = kid;
    result = sa_ctl_call(ctl, SERVICE, "RevokeSigningKey", &request.base, &reply);
    if (result == SA_CTL_OK && ctl->json)
        return sa_ctl_print_json(reply);
    if (result == SA_CTL_OK)
        printf("%s is revoked; %s signs\n", kid, json_string_value(json_object_get(reply, "signing_kid")));
    return result;
}
