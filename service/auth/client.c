#include "service/auth/client.h"

#include <assert.h>

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

/* Whether what was presented fits what the client is. */
static bool
is_proven(const struct sa_keyring *keyring, const struct sa_client *client, struct sa_bytes secret)
{
    uint8_t mac[SA_MAC_LEN];

    if (client->kind == SA_CLIENT_PUBLIC)
        return secret.len == 0;
    if (client->kind != SA_CLIENT_CONFIDENTIAL || !client->has_secret || secret.len == 0)
        return false;
    sa_keyring_mac(keyring, SA_KEY_CLIENT_SECRET, secret, mac);
    return sa_secret_equal(sa_bytes(mac, sizeof(mac)),
                           sa_bytes(client->secret_mac, sizeof(client->secret_mac)));
}

enum sa_status
sa_client_authenticate(struct sa_authority *authority, const struct sa_client_proof *proof,
                       struct sa_client **ret_client)
{
    SA_OWN(sa_client) client = NULL;
    struct sa_bytes id = sa_bytes_of(proof->client_id);

    if (!sa_name_is_client_id(id))
        return SA_INVALID_CLIENT;
    enum sa_status status = sa_store_client_by_id(authority->store, id, &client);
    if (status == SA_NOT_FOUND)
        return SA_INVALID_CLIENT;
    if (status != SA_OK)
        return status;
    if (!is_proven(authority->keyring, client, proof->secret) || !client->active)
        return SA_INVALID_CLIENT;
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
