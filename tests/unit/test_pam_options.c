/* links: sa_pam */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pam/options.h"

static const char *
parse(const char *word, struct sa_options *ret_options)
{
    const char *bad;

    sa_options_parse(1, (const char *[]){word, NULL}, ret_options, &bad);
    return bad;
}

static void
a_bad_option_is_named_and_changes_nothing(void **state)
{
    static const char *const bad[] = {"",
                                      "debug=1",
                                      "Debug",
                                      "timeout",
                                      "timeout=",
                                      "timeout=0",
                                      "timeout=61",
                                      "timeout=-1",
                                      "timeout=1s",
                                      "timeout= 5",
                                      "timeout=100",
                                      "timeout=0x5",
                                      "use_first_pas",
                                      "use_first_passes"};
    const struct sa_options defaults = {.timeout_seconds = 8};
    struct sa_options options;

    (void)state;
    for (size_t i = 0; i < SA_COUNT(bad); i++) {
        assert_string_equal(parse(bad[i], &options), bad[i]);
        assert_memory_equal(&options, &defaults, sizeof(options));
    }
}

static void
the_first_bad_option_is_named_and_the_good_ones_count(void **state)
{
    const char *words[] = {"debug", "one", "timeout=60", "two", "use_authtok"};
    struct sa_options options;
    const char *bad;

    (void)state;
    sa_options_parse(5, words, &options, &bad);
    assert_string_equal(bad, "one");
    assert_true(options.debug && options.use_authtok);
    assert_int_equal(options.timeout_seconds, 60);
}

static void
every_option_sets_its_own_field(void **state)
{
    struct sa_options options;

    (void)state;
    assert_null(parse("debug", &options));
    assert_true(options.debug && !options.use_authtok && !options.use_first_pass && !options.try_first_pass);
    assert_null(parse("use_authtok", &options));
    assert_true(!options.debug && options.use_authtok && !options.use_first_pass && !options.try_first_pass);
    assert_null(parse("use_first_pass", &options));
    assert_true(!options.debug && !options.use_authtok && options.use_first_pass && !options.try_first_pass);
    assert_null(parse("try_first_pass", &options));
    assert_true(!options.debug && !options.use_authtok && !options.use_first_pass && options.try_first_pass);
    assert_null(parse("timeout=1", &options));
    assert_int_equal(options.timeout_seconds, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_option_is_named_and_changes_nothing),
        cmocka_unit_test(the_first_bad_option_is_named_and_the_good_ones_count),
        cmocka_unit_test(every_option_sets_its_own_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
