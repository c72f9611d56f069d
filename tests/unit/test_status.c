/* links: sa_proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/bytes.h"
#include "proto/status.h"

static void
no_number_but_one_reads_as_ok(SA_UNUSED void **state)
{
    for (unsigned wire = 0; wire <= UINT16_MAX; wire++)
        if (wire != SA_OK)
            assert_int_not_equal(sa_status_from_wire((uint16_t)wire), SA_OK);
    assert_int_equal(sa_status_from_wire(SA_OK), SA_OK);
}

static void
unset_local_and_unknown_numbers_read_as_malformed(SA_UNUSED void **state)
{
    static const uint16_t numbers[] = {SA_UNSET,      77,        99, SA_NO_DAEMON, SA_CONNECTION,
                                       SA_WRONG_PEER, UINT16_MAX};

    for (size_t i = 0; i < SA_COUNT(numbers); i++)
        assert_int_equal(sa_status_from_wire(numbers[i]), SA_MALFORMED);
}

static void
an_unknown_status_has_the_row_of_an_internal_error(SA_UNUSED void **state)
{
    assert_int_equal(sa_status_row((enum sa_status)77)->status, SA_INTERNAL);
}

static void
every_row_is_found_by_its_number(SA_UNUSED void **state)
{
    unsigned count;
    const struct sa_status_row *rows = sa_status_table(&count);

    for (unsigned i = 0; i < count; i++) {
        assert_ptr_equal(sa_status_row(rows[i].status), &rows[i]);
        if (rows[i].status != SA_UNSET && rows[i].status < SA_NO_DAEMON)
            assert_int_equal(sa_status_from_wire((uint16_t)rows[i].status), rows[i].status);
    }
}

static void
only_ok_is_good_news_at_any_door(SA_UNUSED void **state)
{
    unsigned count;
    const struct sa_status_row *rows = sa_status_table(&count);

    for (unsigned i = 0; i < count; i++) {
        bool ok = rows[i].status == SA_OK;
        assert_int_equal(rows[i].grpc == 0, ok);
        assert_int_equal(rows[i].http < 400, ok);
        assert_int_equal(strcmp(rows[i].pam, "SUCCESS") == 0, ok);
        assert_int_equal(rows[i].reason[0] == '\0', ok);
        assert_int_equal(rows[i].words[0] == '\0', ok);
    }
}

static void
the_words_hold_no_more_than_a_line_of_plain_text(SA_UNUSED void **state)
{
    unsigned count;
    const struct sa_status_row *rows = sa_status_table(&count);

    for (unsigned i = 0; i < count; i++) {
        assert_true(strlen(rows[i].words) < 80);
        for (const char *at = rows[i].words; *at != '\0'; at++)
            assert_true(*at >= ' ' && *at <= '~');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_number_but_one_reads_as_ok),
        cmocka_unit_test(unset_local_and_unknown_numbers_read_as_malformed),
        cmocka_unit_test(an_unknown_status_has_the_row_of_an_internal_error),
        cmocka_unit_test(every_row_is_found_by_its_number),
        cmocka_unit_test(only_ok_is_good_news_at_any_door),
        cmocka_unit_test(the_words_hold_no_more_than_a_line_of_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
