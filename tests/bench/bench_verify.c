/*
 * What a service pays for a token that it verifies offline with libsecauth, against the signature alone, in
 * turns of a tenth of a second of the processor's time: neither waits for anything.
 *
 *     bench_verify SECONDS    prints tokens a second, raw verifications a second
 */
#include <openssl/evp.h>

#include "client/secauth.h"
#include "service/crypto/signing_key.h"
#include "tests/bench/bench.h"

#define ISSUER  "https://private.example"
#define TURN_NS 100000000u
#define IAT     1800000000

static struct secauth_verifier *verifier;
static char token[SA_JWT_MAX + 1];

/* The raw limit: OpenSSL with a context that is kept, a digest and a signature that are there already. */
static EVP_PKEY_CTX *raw;
static uint8_t digest[SA_SHA256_LEN];
static uint8_t signature[80];
static size_t signature_len;

static void
make_token(const struct sa_signing_key *key)
{
    struct sa_claims claims = {.iss = ISSUER,
                               .aud = {"demo"},
                               .aud_count = 1,
                               .client_id = "bench",
                               .sub = "bench",
                               .scope = "read write",
                               .iat = IAT,
                               .exp = IAT + 600};

    sa_jti_make(IAT * INT64_C(1000), 0, 2, claims.jti);
    if (sa_jwt_sign(key, &claims, token) != SA_OK)
        give_up("a token could not be signed");
}

static void
make_verifier(struct sa_signing_key *key)
{
    const char *const audiences[] = {"demo"};
    struct secauth_identity identity = {.issuer = ISSUER, .audiences = audiences, .audience_count = 1};
    char *jwks = sa_jwks(&key, 1);

    if (jwks == NULL || secauth_verifier_new(&identity, &verifier, NULL) != SECAUTH_OK ||
        secauth_verifier_set_keys(verifier, jwks, strlen(jwks), NULL) != SECAUTH_OK)
        give_up("no verifier");
    free(jwks);
}

static void
make_raw(const struct sa_signing_key *key)
{
    EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(key->pair, NULL);

    sa_sha256(sa_bytes_of("what is signed"), digest);
    signature_len = sizeof(signature);
    raw = EVP_PKEY_CTX_new(key->pair, NULL);
    if (sign == NULL || raw == NULL || EVP_PKEY_sign_init(sign) != 1 ||
        EVP_PKEY_sign(sign, signature, &signature_len, digest, sizeof(digest)) != 1 ||
        EVP_PKEY_verify_init(raw) != 1)
        give_up("no raw verification");
    EVP_PKEY_CTX_free(sign);
}

static void
verify_token(void)
{
    static const struct secauth_want want = {.audience = "demo", .scope = "read", .at_seconds = IAT + 1};
    struct secauth_claims *claims;

    if (secauth_verify(verifier, token, &want, &claims, NULL) != SECAUTH_OK)
        give_up("a good token is refused");
    secauth_claims_free(claims);
}

static void
verify_raw(void)
{
    if (EVP_PKEY_verify(raw, signature, signature_len, digest, sizeof(digest)) != 1)
        give_up("a good signature is refused");
}

/* One turn: calls, and the time that they took. */
static void
turn(void (*call)(void), uint64_t *calls, uint64_t *elapsed_ns)
{
    uint64_t from = clock_ns(CLOCK_THREAD_CPUTIME_ID), now = from;

    while (now - from < TURN_NS) {
        for (int i = 0; i < 16; i++)
            call();
        *calls += 16;
        now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    }
    *elapsed_ns += now - from;
}

int
main(int argc, char **argv)
{
    double seconds = argc == 2 ? atof(argv[1]) : 0;
    uint64_t tokens = 0, tokens_ns = 0, raws = 0, raws_ns = 0;
    struct sa_signing_key *key = sa_signing_key_generate(SA_KEY_ES256);

    if (seconds <= 0 || key == NULL)
        give_up("usage: bench_verify SECONDS");
    make_token(key);
    make_verifier(key);
    make_raw(key);
    while ((double)(tokens_ns + raws_ns) < seconds * 1e9) {
        turn(verify_raw, &raws, &raws_ns);
        turn(verify_token, &tokens, &tokens_ns);
    }
    printf("%.0f %.0f\n", (double)tokens * 1e9 / (double)tokens_ns, (double)raws * 1e9 / (double)raws_ns);
    EVP_PKEY_CTX_free(raw);
    secauth_verifier_free(verifier);
    sa_signing_key_free(key);
    return 0;
}
