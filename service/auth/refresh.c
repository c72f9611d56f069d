#include "service/auth/refresh.h"

#include <assert.h>

#define EPOCH      1u
#define TAG_LEN    16u
#define TAGGED_LEN (SA_REFRESH_RAW_LEN - TAG_LEN)
#define PREFIX_LEN (sizeof(SA_REFRESH_PREFIX) - 1)
#define TAG_LABEL  "secauth refresh token 1"
#define LABEL_LEN  (sizeof(TAG_LABEL) - 1)

static_assert(SA_REFRESH_LEN == PREFIX_LEN + SA_BASE64URL_LEN(SA_REFRESH_RAW_LEN),
              "the length is what the form says");
static_assert(TAGGED_LEN == 1 + SA_REFRESH_HANDLE_LEN + 4, "epoch, handle, generation");

static void
tag(const struct sa_keyring *keyring, const uint8_t raw[TAGGED_LEN], uint8_t ret_tag[TAG_LEN])
{
    uint8_t labelled[LABEL_LEN + TAGGED_LEN];
    uint8_t mac[SA_MAC_LEN];

    memcpy(labelled, TAG_LABEL, LABEL_LEN);
    memcpy(labelled + LABEL_LEN, raw, TAGGED_LEN);
    sa_keyring_mac(keyring, SA_KEY_REFRESH_TAG, sa_bytes(labelled, sizeof(labelled)), mac);
    memcpy(ret_tag, mac, TAG_LEN);
    sa_wipe(labelled, sizeof(labelled));
    sa_wipe(mac, sizeof(mac));
}

void
sa_refresh_new(struct sa_refresh_token *ret_token)
{
    sa_random(ret_token->handle, sizeof(ret_token->handle));
    ret_token->generation = 1;
}

void
sa_refresh_format(const struct sa_keyring *keyring, const struct sa_refresh_token *token,
                  char ret_text[SA_REFRESH_LEN + 1])
{
    uint8_t raw[SA_REFRESH_RAW_LEN] = {EPOCH};
    uint32_t generation = token->generation;

    memcpy(raw + 1, token->handle, SA_REFRESH_HANDLE_LEN);
    for (size_t at = TAGGED_LEN; at > TAGGED_LEN - 4; generation >>= 8)
        raw[--at] = (uint8_t)generation;
    tag(keyring, raw, raw + TAGGED_LEN);
    memcpy(ret_text, SA_REFRESH_PREFIX, PREFIX_LEN);
    sa_base64url(sa_bytes(raw, sizeof(raw)), ret_text + PREFIX_LEN);
    sa_wipe(raw, sizeof(raw));
}

enum sa_status
sa_refresh_parse(const struct sa_keyring *keyring, struct sa_bytes text, struct sa_refresh_token *ret_token)
{
    uint8_t raw[SA_REFRESH_RAW_LEN];
    uint8_t expected[TAG_LEN];
    size_t len;

    if (text.len != SA_REFRESH_LEN || memcmp(text.data, SA_REFRESH_PREFIX, PREFIX_LEN) != 0)
        return SA_INVALID_ARGUMENT;
    if (sa_base64url_decode(sa_bytes(text.data + PREFIX_LEN, text.len - PREFIX_LEN), raw, sizeof(raw),
                            &len) != SA_OK ||
        len != sizeof(raw))
        return SA_INVALID_ARGUMENT;
    tag(keyring, raw, expected);
    bool genuine =
        raw[0] == EPOCH && sa_secret_equal(sa_bytes(expected, TAG_LEN), sa_bytes(raw + TAGGED_LEN, TAG_LEN));
    if (genuine) {
        memcpy(ret_token->handle, raw + 1, SA_REFRESH_HANDLE_LEN);
        ret_token->generation = 0;
        for (size_t at = TAGGED_LEN - 4; at < TAGGED_LEN; at++)
            ret_token->generation = ret_token->generation << 8 | raw[at];
    }
    sa_wipe(raw, sizeof(raw));
    sa_wipe(expected, sizeof(expected));
    return genuine ? SA_OK : SA_INVALID_GRANT;
}

void
sa_refresh_lookup(const struct sa_keyring *keyring, const struct sa_refresh_token *token,
                  uint8_t ret_mac[SA_MAC_LEN])
{
    sa_keyring_mac(keyring, SA_KEY_REFRESH_LOOKUP, sa_bytes(token->handle, sizeof(token->handle)), ret_mac);
}
