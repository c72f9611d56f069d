/* links: sa_auth */
/* What a client may make of a token that was meant for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/auth/exchange.h"

static struct sa_client_exchange rows[] = {
    {"front", "back", "read write"},
    {"front", "bare", ""},
    {"front2", "back", "write audit"},
    {"foreign", "vault", "read"}, /* of an audience that the client does not own */
};

static struct sa_client
front(void)
{
    struct sa_client client = {.owned_count = 2, .owned = {"front", "front2"}, .exchange_count = 4};

    client.exchanges = rows;
    return client;
}

static struct sa_claims
token_for(const char *audience, const char *scope)
{
    struct sa_claims claims = {.aud_count = 2, .aud = {"elsewhere"}};

    strcpy(claims.aud[1], audience);
    strcpy(claims.scope, scope);
    return claims;
}

static enum sa_status
exchange(const struct sa_claims *subject, const char *audience, const char *scope,
         struct sa_granted *ret_granted)
{
    struct sa_client client = front();
    const char *audiences[] = {audience};
    struct sa_scope_request request = {audiences, 1, scope};

    return sa_exchange_grant(&client, subject, &request, ret_granted);
}

static void
a_token_that_is_meant_for_others_is_not_exchanged(void **state SA_UNUSED)
{
    struct sa_claims subject = token_for("back", "read write");
    struct sa_granted granted;

    assert_int_equal(exchange(&subject, "back", "", &granted), SA_INVALID_GRANT);
    subject = token_for("Front", "read write");
    assert_int_equal(exchange(&subject, "back", "", &granted), SA_INVALID_GRANT);
    subject = token_for("foreign", "read");
    assert_int_equal(exchange(&subject, "vault", "", &granted), SA_INVALID_GRANT);
}

static void
a_row_of_an_audience_that_the_client_does_not_own_is_none(void **state SA_UNUSED)
{
    struct sa_claims subject = token_for("front", "read");
    struct sa_granted granted;

    strcpy(subject.aud[0], "foreign");
    assert_int_equal(exchange(&subject, "vault", "", &granted), SA_INVALID_TARGET);
}

static void
an_audience_that_no_row_names_is_refused(void **state SA_UNUSED)
{
    struct sa_claims subject = token_for("front", "read");
    struct sa_client client = front();
    const char *audiences[] = {"back", "bare"};
    struct sa_scope_request request = {audiences, 2, ""};
    struct sa_granted granted;

    assert_int_equal(exchange(&subject, "front", "", &granted), SA_INVALID_TARGET);
    assert_int_equal(exchange(&subject, "backs", "", &granted), SA_INVALID_TARGET);
    assert_int_equal(sa_exchange_grant(&client, &subject, &request, &granted), SA_INVALID_TARGET);
    request.audience_count = 0;
    assert_int_equal(sa_exchange_grant(&client, &subject, &request, &granted), SA_INVALID_TARGET);
    client.exchange_count = 0;
    request.audience_count = 1;
    assert_int_equal(sa_exchange_grant(&client, &subject, &request, &granted), SA_INVALID_TARGET);
}

static void
nothing_is_granted_that_the_token_has_not(void **state SA_UNUSED)
{
    struct sa_claims subject = token_for("front", "read admin");
    struct sa_granted granted;

    assert_int_equal(exchange(&subject, "back", "write", &granted), SA_INVALID_SCOPE);
    assert_int_equal(exchange(&subject, "back", "read write", &granted), SA_INVALID_SCOPE);
    assert_int_equal(exchange(&subject, "back", "admin", &granted), SA_INVALID_SCOPE); /* not in the row */
    assert_int_equal(exchange(&subject, "back", "READ", &granted), SA_INVALID_SCOPE);
    assert_int_equal(exchange(&subject, "back", "", &granted), SA_OK);
    assert_string_equal(granted.scope, "read");
    subject = token_for("front", "");
    assert_int_equal(exchange(&subject, "back", "", &granted), SA_INVALID_SCOPE);
}

static void
scopes_may_be_asked_narrower(void **state SA_UNUSED)
{
    struct sa_claims subject = token_for("front", "write read");
    struct sa_granted granted;

    assert_int_equal(exchange(&subject, "back", " write  write ", &granted), SA_OK);
    assert_string_equal(granted.scope, "write");
    assert_int_equal(exchange(&subject, "back", "", &granted), SA_OK);
    assert_string_equal(granted.scope, "read write"); /* as the row has them */
    assert_int_equal(granted.aud_count, 1);
    assert_string_equal(granted.aud[0], "back");
}

static void
every_row_that_fits_counts(void **state SA_UNUSED)
{
    struct sa_claims subject = token_for("front", "audit read write");
    struct sa_granted granted;

    assert_int_equal(exchange(&subject, "back", "", &granted), SA_OK);
    assert_string_equal(granted.scope, "read write"); /* the other row is of another audience */
    strcpy(subject.aud[0], "front2");
    assert_int_equal(exchange(&subject, "back", "", &granted), SA_OK);
    assert_string_equal(granted.scope, "read write audit");
}

static void
a_row_without_scopes_passes_the_audience_on_alone(void **state SA_UNUSED)
{
    struct sa_claims subject = token_for("front", "read");
    struct sa_granted granted;

    assert_int_equal(exchange(&subject, "bare", "read", &granted), SA_INVALID_SCOPE);
    assert_int_equal(exchange(&subject, "bare", "", &granted), SA_OK);
    assert_string_equal(granted.scope, "");
}

static void
a_token_is_handed_on_three_times_at_most(void **state SA_UNUSED)
{
    struct sa_claims subject = token_for("front", "read");
    struct sa_granted granted;

    subject.act_count = 2;
    assert_int_equal(exchange(&subject, "back", "", &granted), SA_OK);
    subject.act_count = 3;
    assert_int_equal(exchange(&subject, "back", "", &granted), SA_INVALID_GRANT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_that_is_meant_for_others_is_not_exchanged),
        cmocka_unit_test(a_row_of_an_audience_that_the_client_does_not_own_is_none),
        cmocka_unit_test(an_audience_that_no_row_names_is_refused),
        cmocka_unit_test(nothing_is_granted_that_the_token_has_not),
        cmocka_unit_test(scopes_may_be_asked_narrower),
        cmocka_unit_test(every_row_that_fits_counts),
        cmocka_unit_test(a_row_without_scopes_passes_the_audience_on_alone),
        cmocka_unit_test(a_token_is_handed_on_three_times_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
