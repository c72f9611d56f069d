/* links: secauth sa_crypto */
/* Verification offline (client/secauth.h): what a token says. */
#include "tests/support/verify_fixture.h"

static void
a_name_that_comes_twice_is_refused(void **state SA_UNUSED)
{
    static const char *const MEMBERS[] = {
        "\"sub\":\"subject\"",
        "\"\\u0073ub\":\"other\"",
        "\"exp\":2000000600",
        "\"cnf\":{\"jkt\":\"a\",\"jkt\":\"b\"}",
        "\"act\":{\"sub\":\"a\",\"\\u0073ub\":\"b\"}",
        "\"act\":{\"sub\":\"a\",\"act\":{\"sub\":\"b\",\"sub\":\"c\"}}",
        "\"unknown\":[{\"a\":1,\"a\":1}]",
    };

    for (size_t i = 0; i < SA_COUNT(MEMBERS); i++)
        refused_claims(NULL, MEMBERS[i], "duplicate");
    char header[300];
    snprintf(header, sizeof(header), "{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
             sa_signing_key_kid(ec));
    refused(sign(ec, header, claims_with(NULL, NULL)), "duplicate");
}

static void
claims_have_their_form_and_are_all_there(void **state SA_UNUSED)
{
    static const char *const REQUIRED[] = {"iss", "sub", "aud", "exp", "iat", "jti", "client_id"};
    static const char *const WRONG[][2] = {
        {"iss", "\"iss\":1"},
        {"iss", "\"iss\":\"\""},
        {"sub", "\"sub\":null"},
        {"aud", "\"aud\":[]"},
        {"aud", "\"aud\":[1]"},
        {"aud", "\"aud\":{}"},
        {"aud", "\"aud\":\"\""},
        {"aud", "\"aud\":[\"demo\",\"\"]"},
        {"aud", "\"aud\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"demo\"]"},
        {"exp", "\"exp\":\"2000000600\""},
        {"exp", "\"exp\":2000000600.5"},
        {"exp", "\"exp\":2e9"},
        {"exp", "\"exp\":-1"},
        {"exp", "\"exp\":0"},
        {"exp", "\"exp\":9223372036854775808"},
        {"iat", "\"iat\":true"},
        {"jti", "\"jti\":\"short\""},
        {"jti", "\"jti\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\""},
        {"client_id", "\"client_id\":[]"},
        {"scope", "\"scope\":[\"read\"]"},
        {NULL, "\"nbf\":\"1\""},
        {NULL, "\"sid\":7"},
        {NULL, "\"auth_time\":\"x\""},
        {NULL, "\"amr\":\"pwd\""},
        {NULL, "\"amr\":[1]"},
        {NULL, "\"groups\":\"g\""},
        {NULL, "\"groups\":[null]"},
        {NULL, "\"cnf\":{}"},
        {NULL, "\"cnf\":\"x\""},
        {NULL, "\"cnf\":{\"jwk\":{}}"},
        {NULL, "\"cnf\":{\"jkt\":\"a\",\"kid\":\"b\"}"},
        {NULL, "\"act\":\"x\""},
        {NULL, "\"act\":{}"},
        {NULL,
         "\"act\":{\"sub\":\"a\",\"act\":{\"sub\":\"b\",\"act\":{\"sub\":\"c\",\"act\":{\"sub\":\"d\"}}}}"},
    };

    for (size_t i = 0; i < SA_COUNT(REQUIRED); i++)
        refused_claims(REQUIRED[i], NULL, "claim");
    for (size_t i = 0; i < SA_COUNT(WRONG); i++)
        refused_claims(WRONG[i][0], WRONG[i][1], "claim");
    refused_claims(NULL, "\"x\":[[[[[[[[1]]]]]]]]", "deep");
    refused_claims(NULL, "\"username\":\"a\\u0000b\"", "json");
    accepted(sign(ec, header_of(ec), claims_with(NULL, "\"unknown\":{\"x\":[1.5e3]}")));
}

static void
another_issuer_or_audience_is_refused(void **state SA_UNUSED)
{
    struct secauth_claims *claims = NULL;

    refused_claims("iss", "\"iss\":\"" ISSUER "/\"", "issuer");
    refused_claims("iss", "\"iss\":\"HTTPS://auth.example\"", "issuer");
    refused_by(verifier, sign(ec, header_of(ec), claims_with("aud", "\"aud\":\"other\"")),
               SECAUTH_INVALID_TARGET, "audience");
    refused_by(verifier, sign(ec, header_of(ec), claims_with("aud", "\"aud\":[\"Demo\",\"demo2\"]")),
               SECAUTH_INVALID_TARGET, "audience");
    accepted(sign(ec, header_of(ec), claims_with("aud", "\"aud\":[\"demo\"]")));
    accepted(sign(ec, header_of(ec), claims_with("aud", "\"aud\":[\"other\",\"second\"]")));
    const char *token = sign(ec, header_of(ec), claims_with(NULL, NULL));
    assert_int_equal(verify_with(verifier, token, "second", NULL, NOW, &claims), SECAUTH_INVALID_TARGET);
    assert_int_equal(verify_with(verifier, token, "other", NULL, NOW, &claims), SECAUTH_INVALID_ARGUMENT);
    assert_null(claims);
    assert_int_equal(verify_with(verifier, token, "demo", NULL, NOW, &claims), SECAUTH_OK);
    secauth_claims_free(claims);
}

static const char *
at(struct secauth_verifier *with, int64_t when)
{
    struct secauth_claims *claims;

    if (verify_with(with, sign(ec, header_of(ec), claims_with(NULL, NULL)), NULL, NULL, when, &claims) !=
        SECAUTH_OK)
        return error.message;
    secauth_claims_free(claims);
    return "ok";
}

static void
clocks_may_differ_by_the_leeway_and_no_more(void **state SA_UNUSED)
{
    struct secauth_verifier *none = new_verifier(-1, 0), *wide = new_verifier(300, 0);

    /* iat 1999999995, exp 2000000600 */
    assert_string_equal(at(verifier, 1999999964), "early");
    assert_string_equal(at(verifier, 1999999965), "ok");
    assert_string_equal(at(verifier, 2000000629), "ok");
    assert_string_equal(at(verifier, 2000000630), "expired");
    assert_string_equal(at(none, 1999999994), "early");
    assert_string_equal(at(none, 1999999995), "ok");
    assert_string_equal(at(none, 2000000599), "ok");
    assert_string_equal(at(none, 2000000600), "expired");
    assert_string_equal(at(wide, 2000000899), "ok");
    assert_string_equal(at(wide, 2000000900), "expired");
    assert_string_equal(at(verifier, 0), "early"); /* by the clock of this machine */
    refused_claims(NULL, "\"nbf\":2000000031", "early");
    accepted(sign(ec, header_of(ec), claims_with(NULL, "\"nbf\":2000000030")));
    secauth_verifier_free(none);
    secauth_verifier_free(wide);
}

static const char *
scope(const char *wanted)
{
    struct secauth_claims *claims;

    enum secauth_status status =
        verify_with(verifier, sign(ec, header_of(ec), claims_with(NULL, NULL)), NULL, wanted, NOW, &claims);
    if (status == SECAUTH_OK)
        secauth_claims_free(claims);
    else
        assert_int_equal(status, SECAUTH_INVALID_SCOPE);
    return status == SECAUTH_OK ? "ok" : error.message;
}

static void
every_scope_that_is_wanted_must_be_granted(void **state SA_UNUSED)
{
    static const char *const ABSENT[] = {"admin", "read admin", "Read",    "rea",
                                         "reads", "read,write", "write  x"};
    static const char *const GRANTED[] = {"", "read", "write", "write read", " read  write ", "read read"};

    for (size_t i = 0; i < SA_COUNT(ABSENT); i++)
        assert_string_equal(scope(ABSENT[i]), "scope");
    for (size_t i = 0; i < SA_COUNT(GRANTED); i++)
        assert_string_equal(scope(GRANTED[i]), "ok");
}

static void
typ_jwt_passes_only_where_it_is_said(void **state SA_UNUSED)
{
    struct secauth_verifier *plain = new_verifier(0, 1);
    char header[200];

    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
             sa_signing_key_kid(ec));
    refused(sign(ec, header, claims_with(NULL, NULL)), "typ");
    assert_string_equal(at(plain, NOW), "ok");
    struct secauth_claims *claims;
    assert_int_equal(verify_with(plain, sign(ec, header, claims_with(NULL, NULL)), NULL, NULL, NOW, &claims),
                     SECAUTH_OK);
    secauth_claims_free(claims);
    secauth_verifier_free(plain);
}

static void
a_bound_token_is_good_only_for_what_it_is_bound_to(void **state SA_UNUSED)
{
    static const struct {
        const char *cnf;
        const char *jkt, *x5t; /* what the caller has seen a proof of */
        enum secauth_status status;
    } CASES[] = {
        {"\"cnf\":{\"jkt\":\"thumb\"}", NULL, NULL, SECAUTH_INVALID_GRANT},
        {"\"cnf\":{\"jkt\":\"thumb\"}", "other", NULL, SECAUTH_INVALID_GRANT},
        {"\"cnf\":{\"jkt\":\"thumb\"}", "", NULL, SECAUTH_INVALID_GRANT},
        {"\"cnf\":{\"jkt\":\"thumb\"}", NULL, "thumb", SECAUTH_INVALID_GRANT},
        {"\"cnf\":{\"x5t#S256\":\"cert\"}", NULL, NULL, SECAUTH_INVALID_GRANT},
        {"\"cnf\":{\"x5t#S256\":\"cert\"}", "cert", "cer", SECAUTH_INVALID_GRANT},
        {"\"cnf\":{\"jkt\":\"thumb\",\"x5t#S256\":\"cert\"}", "thumb", NULL, SECAUTH_INVALID_GRANT},
        {"\"cnf\":{\"jkt\":\"thumb\",\"x5t#S256\":\"cert\"}", "thumb", "cert", SECAUTH_OK},
        {"\"cnf\":{\"jkt\":\"thumb\"}", "thumb", "cert", SECAUTH_OK},
        {NULL, "thumb", "cert", SECAUTH_OK},
    };

    for (size_t i = 0; i < SA_COUNT(CASES); i++) {
        struct secauth_want want = {.at_seconds = NOW, .jkt = CASES[i].jkt, .x5t = CASES[i].x5t};
        struct secauth_claims *claims = NULL;

        assert_int_equal(secauth_verify(verifier, sign(ec, header_of(ec), claims_with(NULL, CASES[i].cnf)),
                                        &want, &claims, &error),
                         CASES[i].status);
        if (CASES[i].status != SECAUTH_OK)
            assert_string_equal(error.message, "bound");
        secauth_claims_free(claims);
    }
}

static void
what_was_signed_is_read_back(void **state SA_UNUSED)
{
    struct secauth_claims *claims;
    const char *more =
        "\"sid\":\"aaaaaaaaaaaaaaaaaaaaaa\",\"username\":\"alice\",\"acr\":\"2\",\"auth_time\":1999999000,"
        "\"amr\":[\"pwd\",\"otp\"],\"groups\":[\"staff\",\"g2\"],"
        "\"act\":{\"sub\":\"gateway\",\"act\":{\"sub\":\"front\"}}";

    assert_int_equal(
        verify_with(verifier, sign(rsa, header_of(rsa), claims_with(NULL, more)), NULL, NULL, NOW, &claims),
        SECAUTH_OK);
    assert_string_equal(claims->iss, ISSUER);
    assert_string_equal(claims->sub, "subject");
    assert_string_equal(claims->client_id, "svc");
    assert_string_equal(claims->scope, "read write");
    assert_string_equal(claims->jti, JTI);
    assert_string_equal(claims->sid, "aaaaaaaaaaaaaaaaaaaaaa");
    assert_string_equal(claims->username, "alice");
    assert_string_equal(claims->acr, "2");
    assert_int_equal(claims->exp, 2000000600);
    assert_int_equal(claims->iat, 1999999995);
    assert_int_equal(claims->auth_time, 1999999000);
    assert_int_equal(claims->audience_count, 1);
    assert_string_equal(claims->audiences[0], "demo");
    assert_int_equal(claims->amr_count, 2);
    assert_string_equal(claims->amr[1], "otp");
    assert_int_equal(claims->group_count, 2);
    assert_string_equal(claims->groups[0], "staff");
    assert_int_equal(claims->actor_count, 2);
    assert_string_equal(claims->actors[0], "gateway");
    assert_string_equal(claims->actors[1], "front");
    secauth_claims_free(claims);
    /* What is absent is empty, never missing. */
    assert_int_equal(
        verify_with(verifier, sign(ec, header_of(ec), claims_with("scope", NULL)), NULL, "", NOW, &claims),
        SECAUTH_OK);
    assert_string_equal(claims->scope, "");
    assert_string_equal(claims->sid, "");
    assert_string_equal(claims->jkt, "");
    assert_int_equal(claims->amr_count + claims->group_count + claims->actor_count, 0);
    secauth_claims_free(claims);
    secauth_claims_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_comes_twice_is_refused),
        cmocka_unit_test(claims_have_their_form_and_are_all_there),
        cmocka_unit_test(another_issuer_or_audience_is_refused),
        cmocka_unit_test(clocks_may_differ_by_the_leeway_and_no_more),
        cmocka_unit_test(every_scope_that_is_wanted_must_be_granted),
        cmocka_unit_test(typ_jwt_passes_only_where_it_is_said),
        cmocka_unit_test(a_bound_token_is_good_only_for_what_it_is_bound_to),
        cmocka_unit_test(what_was_signed_is_read_back),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
