/* Offline verification in a process that runs out of memory, in our own code and in OpenSSL's: nothing is
 * accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "client/verify_claims.h"
#include "client/verify_jws.h"
#include "service/crypto/jwt.h"
#include "tests/fault/inject.h"

static unsigned countdown; /* of OpenSSL's allocations; 0: none fails */
static bool struck;

static bool
fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    struck = true;
    return true;
}

static void *
openssl_malloc(size_t len, const char *file SA_UNUSED, int line SA_UNUSED)
{
    return fails() ? NULL : malloc(len);
}

static void *
openssl_realloc(void *old, size_t len, const char *file SA_UNUSED, int line SA_UNUSED)
{
    return fails() ? NULL : realloc(old, len);
}

static void
openssl_free(void *data, const char *file SA_UNUSED, int line SA_UNUSED)
{
    free(data);
}

static char *jwks;
static char token[SA_JWT_MAX + 1], forged[SA_JWT_MAX + 1];

static int
start(void **state SA_UNUSED)
{
    struct sa_claims claims = {.iss = "https://auth.example",
                               .sub = "s",
                               .aud = {"demo"},
                               .aud_count = 1,
                               .client_id = "svc",
                               .iat = 1,
                               .exp = 2,
                               .has_groups = true,
                               .groups = "a b c"};
    struct sa_signing_key *keys[] = {sa_signing_key_generate(SA_KEY_ES256),
                                     sa_signing_key_generate(SA_KEY_RS256)};

    sa_jti_make(1, 0, 2, claims.jti);
    if (sa_jwt_sign(keys[0], &claims, token) != SA_OK)
        return -1;
    strcpy(forged, token);
    char *last = forged + strlen(forged) - 10;
    *last = *last == 'A' ? 'B' : 'A';
    jwks = sa_jwks(keys, 2);
    sa_signing_key_free(keys[0]);
    sa_signing_key_free(keys[1]);
    return jwks == NULL ? -1 : 0;
}

static int
stop(void **state SA_UNUSED)
{
    free(jwks);
    return 0;
}

/* Keys read, a forgery and a good token verified. Returns whether all went well; a fault is never more than
 * that. */
static bool
verify_once(void)
{
    SA_OWN(sa_verify_keys) keys = NULL;
    SA_OWN(sa_verify_claims) claims = NULL;
    struct sa_compact parts;
    struct sa_compact_header header;
    const char *reason;

    enum sa_status status = sa_verify_keys_read(sa_bytes_of(jwks), &keys, &reason);
    if (status != SA_OK)
        return false;
    assert_int_equal(sa_verify_jws(keys, sa_bytes_of(forged), &parts, &header, &reason), SA_INVALID_GRANT);
    if (sa_verify_jws(keys, sa_bytes_of(token), &parts, &header, &reason) != SA_OK)
        return false;
    status = sa_verify_claims_read(parts.payload, &claims, &reason);
    assert_true(status == SA_OK || status == SA_NO_MEMORY);
    return status == SA_OK;
}

static void
our_own_allocations_fail_one_by_one(void **state SA_UNUSED)
{
    unsigned nth = 0;

    do {
        inject_arm(FAULT_OWN_ALLOC, ++nth, false);
        bool good = verify_once();
        bool met = inject_disarm();
        assert_true(good || met);
        if (!met)
            break;
    } while (nth < 1000);
    assert_true(nth > 3 && nth < 1000);
    assert_true(verify_once());
}

static void
openssls_allocations_fail_one_by_one(void **state SA_UNUSED)
{
    unsigned nth = 0;

    do {
        struck = false;
        countdown = ++nth;
        bool good = verify_once();
        countdown = 0;
        assert_true(good || struck);
        nth += INJECT_EVERY - 1;
    } while (struck && nth < 100000);
    assert_true(nth > 100 && nth < 100000);
    assert_true(verify_once());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_allocations_fail_one_by_one),
        cmocka_unit_test(openssls_allocations_fail_one_by_one),
    };

    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, start, stop);
}
