#include "service/auth/client.h"

#include <assert.h>

#include "service/auth/api_key.h"
#include "service/auth/client_proof.h"
#include "service/auth/inside.h"
#include "service/auth/names.h"

#define SECRET_RAW_LEN 32u
#define PREFIX_LEN     (sizeof(SA_CLIENT_SECRET_PREFIX) - 1)

static_assert(SA_CLIENT_SECRET_LEN == PREFIX_LEN + SA_BASE64URL_LEN(SECRET_RAW_LEN),
              "the length is what the form says");

void
sa_client_secret_make(const struct sa_keyring *keyring, char ret_secret[SA_CLIENT_SECRET_LEN + 1],
                      uint8_t ret_mac[SA_MAC_LEN])
{
    uint8_t raw[SECRET_RAW_LEN];

    sa_random(raw, sizeof(raw));
    memcpy(ret_secret, SA_CLIENT_SECRET_PREFIX, PREFIX_LEN);
    sa_base64url(sa_bytes(raw, sizeof(raw)), ret_secret + PREFIX_LEN);
    sa_keyring_mac(keyring, SA_KEY_CLIENT_SECRET, sa_bytes(ret_secret, SA_CLIENT_SECRET_LEN), ret_mac);
    sa_wipe(raw, sizeof(raw));
}

/* A proof of a kind that the client does not have is as wrong as a wrong one, and costs as much. */
static bool
fits(const struct sa_client *client, enum sa_client_method method)
{
    if (client->kind == SA_CLIENT_PUBLIC)
        return method == SA_CLIENT_BY_NAME;
    return client->kind == SA_CLIENT_CONFIDENTIAL && method != SA_CLIENT_BY_NAME &&
           (client->certificate_count > 0) == (method == SA_CLIENT_BY_CERTIFICATE);
}

/* `client` is NULL where there is none. */
static enum sa_status
prove(struct sa_authority *authority, struct sa_client *client, const struct sa_client_proof *proof,
      struct sa_client_proven *ret_proven, const char **ret_why)
{
    struct sa_api_key key;
    enum sa_status status;

    switch (proof->method) {
    case SA_CLIENT_BY_SECRET:
        return sa_client_by_secret(authority, client, proof, ret_proven, ret_why);
    case SA_CLIENT_BY_API_KEY:
        status = sa_client_by_api_key(authority, client, proof, &key, ret_proven, ret_why);
        if (status == SA_OK)
            sa_api_key_narrow(&key, client);
        return status;
    case SA_CLIENT_BY_ASSERTION:
        return sa_client_by_assertion(authority, client, proof, ret_why);
    case SA_CLIENT_BY_CERTIFICATE:
        return sa_client_by_certificate(client, proof, ret_proven, ret_why);
    case SA_CLIENT_BY_NAME:
        return SA_OK;
    }
    return SA_INVALID_CLIENT;
}

/* An unknown client was looked for in the store, one that is known in memory: let that be no difference. */
static enum sa_status
refused(struct sa_authority *authority)
{
    SA_OWN(sa_client) nobody = NULL;
    enum sa_status status = sa_store_client_by_id(authority->store, sa_bytes_of("?"), &nobody);

    return status == SA_NOT_FOUND ? SA_INVALID_CLIENT : status;
}

enum sa_status
sa_client_authenticate(struct sa_authority *authority, const struct sa_client_proof *proof,
                       struct sa_client **ret_client, char ret_x5t[SA_KID_LEN + 1], const char **ret_why)
{
    SA_OWN(sa_client) client = NULL;
    struct sa_bytes id = sa_bytes_of(proof->client_id);
    struct sa_client_proven proven = {.x5t = ""};

    *ret_why = "UNKNOWN_CLIENT";
    enum sa_status status =
        sa_name_is_client_id(id) ? sa_store_client_by_id(authority->store, id, &client) : SA_NOT_FOUND;
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    struct sa_client *fitting = client != NULL && fits(client, proof->method) ? client : NULL;
    const char *why = NULL;
    status = prove(authority, fitting, proof, &proven, &why);
    if (status != SA_OK && status != SA_INVALID_CLIENT)
        return status;
    if (client == NULL)
        return SA_INVALID_CLIENT;
    *ret_why = fitting == NULL ? "OTHER_METHOD" : !client->active ? "DISABLED" : why;
    if (fitting == NULL || !client->active || status != SA_OK)
        return refused(authority);
    if (proven.secret != 0)
        sa_secret_uses_note(authority->uses, proven.secret, proof->now);
    memcpy(ret_x5t, proven.x5t, sizeof(proven.x5t));
    *ret_client = sa_client_take(&client);
    return SA_OK;
}

enum sa_status
sa_client_host(struct sa_authority *authority, struct sa_client **ret_client)
{
    enum sa_status status = sa_store_client_by_id(authority->store, sa_bytes_of(SA_HOST_CLIENT), ret_client);
    return status == SA_NOT_FOUND ? SA_INTERNAL : status; /* the store makes it when it opens */
}

bool
sa_client_may(const struct sa_client *client, enum sa_client_grant grant)
{
    return (client->grants & (unsigned)grant) != 0;
}

bool
sa_client_owns(const struct sa_client *client, const char *audience)
{
    for (unsigned i = 0; i < client->owned_count; i++)
        if (strcmp(client->owned[i], audience) == 0)
            return true;
    return false;
}
