#include "service/auth/api_key.h"

#include <stdio.h>

#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/auth/scope.h"

#define PREFIX       "sak1_"
#define PREFIX_LEN   (sizeof(PREFIX) - 1)
#define SECRET_RAW   32u
#define SECRET_LEN   SA_BASE64URL_LEN(SECRET_RAW)
#define CHECKSUM_LEN 8u
#define SECRET_AT    (PREFIX_LEN + SA_ID_LEN + 1)
#define CHECKSUM_AT  (SECRET_AT + SECRET_LEN + 1)

#ifdef SA_PLANTED_FAULT
#define CHECKSUMS_COUNT false /* taken out by tests/fuzz only, to see that it is missed */
#else
#define CHECKSUMS_COUNT true
#endif

_Static_assert(SA_API_KEY_LEN == CHECKSUM_AT + CHECKSUM_LEN, "the length is what the form says");

/* CRC-32 as in zip and Ethernet (ISO 3309): reflected, 0x04c11db7. */
static uint32_t
crc32_of(const char *text, size_t len)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < len; i++) {
        crc ^= (uint8_t)text[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static void
put_checksum(char *key)
{
    snprintf(key + CHECKSUM_AT, CHECKSUM_LEN + 1, "%08x", crc32_of(key, CHECKSUM_AT - 1));
}

void
sa_api_key_make(const struct sa_keyring *keyring, const char *id, char ret_key[SA_API_KEY_LEN + 1],
                uint8_t ret_mac[SA_MAC_LEN])
{
    uint8_t raw[SECRET_RAW];

    sa_random(raw, sizeof(raw));
    memcpy(ret_key, PREFIX, PREFIX_LEN);
    memcpy(ret_key + PREFIX_LEN, id, SA_ID_LEN);
    ret_key[SECRET_AT - 1] = '_';
    sa_base64url(sa_bytes(raw, sizeof(raw)), ret_key + SECRET_AT);
    ret_key[CHECKSUM_AT - 1] = '_';
    put_checksum(ret_key);
    sa_keyring_mac(keyring, SA_KEY_API_KEY, sa_bytes(ret_key, SA_API_KEY_LEN), ret_mac);
    sa_wipe(raw, sizeof(raw));
}

enum sa_status
sa_api_key_parse(struct sa_bytes text, char ret_id[SA_ID_LEN + 1])
{
    char key[SA_API_KEY_LEN + 1];
    uint8_t raw[SECRET_RAW];
    size_t len;

    if (text.len != SA_API_KEY_LEN || memcmp(text.data, PREFIX, PREFIX_LEN) != 0 ||
        !sa_name_is_id(sa_bytes(text.data + PREFIX_LEN, SA_ID_LEN)))
        return SA_INVALID_CLIENT;
    memcpy(key, text.data, SA_API_KEY_LEN);
    key[SA_API_KEY_LEN] = '\0';
    put_checksum(key);
    bool good = key[SECRET_AT - 1] == '_' && key[CHECKSUM_AT - 1] == '_' &&
                sa_base64url_decode(sa_bytes(key + SECRET_AT, SECRET_LEN), raw, sizeof(raw), &len) == SA_OK &&
                (!CHECKSUMS_COUNT || memcmp(key + CHECKSUM_AT, text.data + CHECKSUM_AT, CHECKSUM_LEN) == 0);
    sa_wipe(raw, sizeof(raw));
    sa_wipe(key, sizeof(key));
    if (!good)
        return SA_INVALID_CLIENT;
    memcpy(ret_id, text.data + PREFIX_LEN, SA_ID_LEN);
    ret_id[SA_ID_LEN] = '\0';
    return SA_OK;
}

/* ---- what it may ask for ---- */

static const struct sa_api_key_audience *
find_audience(const struct sa_api_key *key, const char *name)
{
    for (unsigned i = 0; i < key->audience_count; i++)
        if (strcmp(key->audiences[i].audience, name) == 0)
            return &key->audiences[i];
    return NULL;
}

/* Those that both have, in the order of the first. */
static void
intersect(char scopes[SA_SCOPE_LIST_MAX + 1], const char *others)
{
    char both[SA_SCOPE_LIST_MAX + 1] = "";
    const char *at = scopes;
    struct sa_bytes scope;
    size_t len = 0;

    while (sa_scope_next(&at, &scope))
        if (sa_scope_has(others, scope))
            len += (size_t)snprintf(both + len, sizeof(both) - len, "%s%.*s", len > 0 ? " " : "",
                                    (int)scope.len, (const char *)scope.data);
    memcpy(scopes, both, sizeof(both));
}

/* Of what a client is: only that from which it may still exchange. */
static bool
exchanges_from(const struct sa_client *client, const char *audience)
{
    for (unsigned i = 0; i < client->exchange_count; i++)
        if (strcmp(client->exchanges[i].from, audience) == 0)
            return true;
    return false;
}

static void
narrow_owned(struct sa_client *client)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < client->owned_count; i++)
        if (exchanges_from(client, client->owned[i])) {
            if (kept != i)
                memcpy(client->owned[kept], client->owned[i], sizeof(client->owned[i]));
            kept++;
        }
    client->owned_count = kept;
}

void
sa_api_key_narrow(const struct sa_api_key *key, struct sa_client *client)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < client->audience_count; i++) {
        const struct sa_api_key_audience *audience = find_audience(key, client->audiences[i].audience);
        if (audience == NULL)
            continue;
        client->audiences[kept] = client->audiences[i];
        intersect(client->audiences[kept++].scopes, audience->scopes);
    }
    client->audience_count = kept;
    kept = 0;
    for (unsigned i = 0; i < client->exchange_count; i++) {
        const struct sa_api_key_audience *audience = find_audience(key, client->exchanges[i].to);
        if (audience == NULL)
            continue;
        client->exchanges[kept] = client->exchanges[i];
        intersect(client->exchanges[kept++].scopes, audience->scopes);
    }
    client->exchange_count = kept;
    narrow_owned(client);
}

/* ---- the proof ---- */

enum sa_status
sa_client_by_api_key(struct sa_authority *authority, const struct sa_client *client,
                     const struct sa_client_proof *proof, struct sa_api_key *ret_key,
                     struct sa_client_proven *ret_proven, const char **ret_why)
{
    struct sa_api_key key = {.secret_count = 0};
    char id[SA_ID_LEN + 1];

    *ret_why = "UNKNOWN_KEY";
    enum sa_status status = sa_api_key_parse(proof->text, id);
    if (status != SA_OK)
        return status; /* no key has this form: it tells nothing of those that there are */
    status = sa_store_api_key_by_id(authority->store, id, &key);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    bool is_own = status == SA_OK && client != NULL && key.client_row == client->row;
    bool is_over = key.expires_ms != 0 && key.expires_ms <= proof->now.wall_ms;
    unsigned count = is_own && !is_over ? key.secret_count : 0;
    int64_t found = sa_secret_find(authority->keyring, SA_KEY_API_KEY, proof->text, key.secrets, count,
                                   proof->now.wall_ms);
    if (is_own)
        *ret_why = is_over ? "KEY_EXPIRED" : "WRONG_KEY";
    if (found == 0)
        return SA_INVALID_CLIENT;
    ret_proven->secret = found;
    *ret_key = key;
    return SA_OK;
}
