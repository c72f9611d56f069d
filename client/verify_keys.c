/* A JWK Set as keys of OpenSSL. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "client/verify_key.h"

#define NODES_MAX    2048u
#define MODULUS_MIN  256u /* RFC 7518 section 3.3 */
#define MODULUS_MAX  512u
#define EXPONENT_MAX 8u

/* Members. */

/* A member in base64url; 0 where it is absent, not canonical, or does not fit. */
static size_t
bytes_of(const struct sa_json *jwk, const char *name, uint8_t *ret_data, size_t size)
{
    const struct sa_json *value = sa_json_member(jwk, name);
    uint8_t data[SA_COMPACT_DECODED_MAX(MODULUS_MAX * 4 / 3 + 4)];
    size_t len;

    if (value == NULL || value->kind != SA_JSON_STRING ||
        SA_COMPACT_DECODED_MAX(value->text.len) > sizeof(data) ||
        sa_compact_decode(value->text, data, &len) != SA_OK || len > size)
        return 0;
    memcpy(ret_data, data, len);
    return len;
}

/* RFC 7517 sections 4.2 to 4.4: what they say, where they say something, is to verify with this algorithm. */
static bool
may_verify(const struct sa_json *jwk, const char *alg)
{
    const struct sa_json *use = sa_json_member(jwk, "use"), *said = sa_json_member(jwk, "alg"),
                         *ops = sa_json_member(jwk, "key_ops");

    if ((use != NULL && !sa_json_is(use, "sig")) || (said != NULL && !sa_json_is(said, alg)))
        return false;
    if (ops == NULL)
        return true;
    const struct sa_json *op = sa_json_first(ops);
    for (uint32_t i = 0; i < ops->children; i++, op = sa_json_next(op))
        if (sa_json_is(op, "verify"))
            return true;
    return false;
}

/* Keys. */

static EVP_PKEY *
key_from(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

/* RFC 7518 section 6.2.1: both coordinates in full length. OpenSSL looks whether the point is on the curve.
 */
static EVP_PKEY *
ec_key(const struct sa_json *jwk)
{
    uint8_t point[1 + 2 * SA_VERIFY_COORDINATE] = {0x04};
    EVP_PKEY *key = NULL;

    if (!sa_json_is(sa_json_member(jwk, "crv"), "P-256") ||
        bytes_of(jwk, "x", point + 1, SA_VERIFY_COORDINATE) != SA_VERIFY_COORDINATE ||
        bytes_of(jwk, "y", point + 1 + SA_VERIFY_COORDINATE, SA_VERIFY_COORDINATE) != SA_VERIFY_COORDINATE)
        return NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
        key = key_from("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

/*
 * CVE-2017-15361: primes of the broken generator are powers of 65,537 modulo every small prime, and so are
 * the moduli made of them; of others one in 2^27.
 */
static bool
is_of_broken_generator(const BIGNUM *modulus)
{
    static const uint8_t PRIMES[] = {3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                     47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                     107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};

    for (size_t i = 0; i < SA_COUNT(PRIMES); i++) {
        unsigned prime = PRIMES[i], rest = (unsigned)BN_mod_word(modulus, prime), power = 1;
        do
            power = power * 65537u % prime;
        while (power != rest && power != 1);
        if (power != rest)
            return false;
    }
    return true;
}

/* RFC 7518 section 6.3.1: integers in as few bytes as they need. */
static EVP_PKEY *
rsa_key(const struct sa_json *jwk, size_t *ret_len)
{
    uint8_t modulus[MODULUS_MAX], exponent[EXPONENT_MAX];
    size_t len = bytes_of(jwk, "n", modulus, sizeof(modulus));
    size_t exponent_len = bytes_of(jwk, "e", exponent, sizeof(exponent));
    EVP_PKEY *key = NULL;

    /* Of at least 2,048 bits, so the first has its highest bit; 65,537 is the least of three bytes with it.
     */
    if (len < MODULUS_MIN || modulus[0] == 0 || (len == MODULUS_MIN && modulus[0] < 0x80) ||
        exponent_len < 3 || exponent[0] == 0 || exponent[exponent_len - 1] % 2 == 0)
        return NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)len, NULL), *e = BN_bin2bn(exponent, (int)exponent_len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (n != NULL && e != NULL && build != NULL && !is_of_broken_generator(n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        key = key_from("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    *ret_len = len;
    return key;
}

/* The reason that is none of the set's own. */
static const char NO_MEMORY[] = "no memory";

/* One member of "keys". Returns a reason to refuse the whole set, or NULL; what is of no use is left out. */
static const char *
add_key(struct sa_verify_keys *keys, const struct sa_json *jwk)
{
    const struct sa_json *kty = sa_json_member(jwk, "kty");
    const char *kid = sa_json_string(sa_json_member(jwk, "kid"));
    struct sa_verify_key *key = &keys->keys[keys->count];

    if (jwk->kind != SA_JSON_OBJECT)
        return "keys";
    if (sa_json_is(kty, "oct") || sa_json_member(jwk, "d") != NULL || sa_json_member(jwk, "k") != NULL)
        return "secret";
    if (kid == NULL || kid[0] == '\0' || strlen(kid) > SA_VERIFY_KID_MAX)
        return NULL;
    if (sa_verify_key(keys, kid) != NULL)
        return "kid";
    *key = (struct sa_verify_key){.rsa = sa_json_is(kty, "RSA"), .signature_len = 2 * SA_VERIFY_COORDINATE};
    if (!may_verify(jwk, sa_verify_key_alg(key)))
        return NULL;
    if (key->rsa)
        key->key = rsa_key(jwk, &key->signature_len);
    else if (sa_json_is(kty, "EC"))
        key->key = ec_key(jwk);
    if (key->key == NULL)
        return ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE ? NO_MEMORY : NULL;
    key->sha256 = keys->sha256;
    strcpy(key->kid, kid);
    pthread_mutex_init(&key->lock, NULL);
    keys->count++;
    return NULL;
}

static const char *
add_keys(struct sa_verify_keys *keys, const struct sa_json *set)
{
    const struct sa_json *list = sa_json_member(set, "keys");

    if (list == NULL || list->kind != SA_JSON_ARRAY)
        return "keys";
    const struct sa_json *jwk = sa_json_first(list);
    for (uint32_t i = 0; i < list->children; i++, jwk = sa_json_next(jwk)) {
        const char *reason = keys->count == SA_VERIFY_KEYS_MAX ? "large" : add_key(keys, jwk);
        if (reason != NULL)
            return reason;
    }
    return keys->count == 0 ? "empty" : NULL;
}

/* The set from a copy of its text, which is read in place. */
static enum sa_status
read_copy(struct sa_verify_keys *keys, uint8_t *text, size_t len, const char **ret_reason)
{
    struct sa_json *nodes = calloc(NODES_MAX, sizeof(*nodes));

    if (nodes == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_json_read(text, len, nodes, NODES_MAX, ret_reason);
    if (status == SA_OK) {
        ERR_set_mark(); /* the error queue is the thread's, and may be looked at by others than us */
        *ret_reason = add_keys(keys, nodes);
        ERR_pop_to_mark();
        status = *ret_reason == NULL ? SA_OK : *ret_reason == NO_MEMORY ? SA_NO_MEMORY : SA_INVALID_ARGUMENT;
    }
    free(nodes);
    return status;
}

enum sa_status
sa_verify_keys_read(struct sa_bytes jwks, struct sa_verify_keys **ret_keys, const char **ret_reason)
{
    *ret_reason = "large";
    if (jwks.len > SA_VERIFY_JWKS_MAX)
        return SA_INVALID_ARGUMENT;
    SA_OWN(sa_verify_keys) keys = calloc(1, sizeof(*keys));
    uint8_t *text = malloc(jwks.len + 1);
    if (keys == NULL || text == NULL || (keys->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)) == NULL) {
        free(text);
        return SA_NO_MEMORY;
    }
    atomic_init(&keys->holders, 1);
    if (jwks.len > 0)
        memcpy(text, jwks.data, jwks.len);
    enum sa_status status = read_copy(keys, text, jwks.len, ret_reason);
    free(text);
    if (status != SA_OK)
        return status;
    *ret_keys = sa_verify_keys_take(&keys);
    return SA_OK;
}

struct sa_verify_keys *
sa_verify_keys_hold(struct sa_verify_keys *keys)
{
    atomic_fetch_add(&keys->holders, 1);
    return keys;
}

void
sa_verify_keys_free(struct sa_verify_keys *keys)
{
    if (keys == NULL || atomic_fetch_sub(&keys->holders, 1) > 1)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        struct sa_verify_key *key = &keys->keys[i];
        while (key->idle > 0)
            EVP_PKEY_CTX_free(key->contexts[--key->idle]);
        EVP_PKEY_free(key->key);
        pthread_mutex_destroy(&key->lock);
    }
    EVP_MD_free(keys->sha256);
    free(keys);
}

struct sa_verify_key *
sa_verify_key(const struct sa_verify_keys *keys, const char *kid)
{
    union {
        const struct sa_verify_key *read;
        struct sa_verify_key *write;
    } either; /* what changes in a key has a lock of its own */

    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->keys[i].kid, kid) == 0) {
            either.read = &keys->keys[i];
            return either.write;
        }
    return NULL;
}
