/* links: sa_auth */
/* Sessions end with the account, by the same dates that shut it for logins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/auth/account.h"
#include "tests/support/store_fixture.h"

#define NOW_S (FIXTURE_NOW_MS / 1000)
#define DAY_S 86400

static struct sa_audit audit;
static unsigned made;

/* A user of these dates, with a session that began before them. */
static void
make_user(struct fixture *fixture, struct sa_user *dates, uint32_t client_row)
{
    struct sa_session session;
    uint8_t mac[SA_MAC_LEN] = {0};

    snprintf(dates->name, sizeof(dates->name), "user%u", made);
    dates->uid = 3000 + made++;
    dates->active = true;
    memcpy(mac, &made, sizeof(made));
    audit = sa_audit(SA_EVENT_USER_CREATE);
    assert_int_equal(sa_store_user_create(fixture->store, dates, NULL, &audit), SA_OK);
    session = fixture_session(dates->subject, client_row);
    audit = sa_audit(SA_EVENT_LOGIN);
    assert_int_equal(sa_store_session_open(fixture->store, &session, mac, &audit), SA_OK);
}

static bool
has_session(struct fixture *fixture, const char *subject)
{
    struct sa_session_query query = {.subject = subject, .limit = 1, .now_ms = FIXTURE_NOW_MS};
    struct sa_session *sessions;
    unsigned count;
    bool more;

    assert_int_equal(sa_store_session_list(fixture->store, &query, &sessions, &count, &more), SA_OK);
    free(sessions);
    return count > 0;
}

static void
an_account_that_is_over_keeps_no_session_and_no_other_loses_one(void **state)
{
    struct fixture *fixture = *state;
    static const int64_t ends[] = {0, NOW_S - 1, NOW_S, NOW_S + 1};
    static const int64_t changes[] = {0, NOW_S - 3 * DAY_S - 1, NOW_S - 3 * DAY_S, NOW_S - 3 * DAY_S + 1};
    static const uint32_t lives[] = {0, 1, 2};
    uint32_t row = 0;
    unsigned closed = 0;

    assert_int_equal(fixture_add_client(fixture, "app", &row), SA_OK);
    for (unsigned i = 0; i < 4 * 4 * 3 * 2; i++) {
        SA_OWN(sa_user) user = sa_user_new();
        unsigned ended = SA_CLOSING_MAX;

        user->not_after_s = ends[i % 4];
        user->changed_s = changes[i / 4 % 4];
        user->max_days = lives[i / 16 % 3];
        user->has_inactive = i / 48 == 1;
        user->inactive_days = user->has_inactive ? 2 : 0;
        make_user(fixture, user, row);
        assert_int_equal(sa_store_user_close(fixture->store, FIXTURE_NOW_MS, &ended), SA_OK);
        bool over = sa_account_state(user, FIXTURE_NOW_MS) == SA_ACCOUNT_EXPIRED;
        if (has_session(fixture, user->subject) == over || ended != over)
            fail_msg("not_after %+ld, changed %+ld, max %u, inactive %d: the account is%s over",
                     (long)(user->not_after_s - NOW_S), (long)(user->changed_s - NOW_S), user->max_days,
                     user->has_inactive ? (int)user->inactive_days : -1, over ? "" : " not");
        closed += over;
    }
    assert_in_range(closed, 10, 86);
}

static void
new_dates_that_shut_an_account_end_its_sessions_at_once(void **state)
{
    struct fixture *fixture = *state;
    SA_OWN(sa_user) user = sa_user_new();
    uint32_t row = 0;

    assert_int_equal(fixture_add_client(fixture, "app", &row), SA_OK);
    make_user(fixture, user, row);
    audit = sa_audit(SA_EVENT_USER_UPDATE);
    audit.time_ms = FIXTURE_NOW_MS;
    user->not_after_s = NOW_S + 1;
    assert_int_equal(sa_store_user_update(fixture->store, user, SA_USER_DATES, &audit), SA_OK);
    assert_true(has_session(fixture, user->subject));
    user->not_before_s = NOW_S + 1; /* it is valid later only */
    assert_int_equal(sa_store_user_update(fixture->store, user, SA_USER_EMAIL, &audit), SA_OK);
    assert_true(has_session(fixture, user->subject)); /* the dates are not what changed */
    assert_int_equal(sa_store_user_update(fixture->store, user, SA_USER_DATES, &audit), SA_OK);
    assert_false(has_session(fixture, user->subject));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_account_that_is_over_keeps_no_session_and_no_other_loses_one,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(new_dates_that_shut_an_account_end_its_sessions_at_once,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
