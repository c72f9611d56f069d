/* links: sa_ctl */
/* The command line of secauthctl (client/ctl.h): what is refused, and that the table is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "client/ctl.h"

#define WORDS_MAX 12

/* Words that may be written to, as those of main are. */
struct line {
    char text[WORDS_MAX][64];
    char *words[WORDS_MAX];
    struct sa_ctl ctl;
};

static const struct sa_ctl_row row = {"thing do", "NAME", "Do it.", NULL};

static struct sa_ctl *
say(struct line *line, int count, const char *const *words)
{
    *line = (struct line){.ctl = {.row = &row, .count = count}};
    for (int i = 0; i < count; i++) {
        strncpy(line->text[i], words[i], sizeof(line->text[i]) - 1);
        line->words[i] = line->text[i];
    }
    line->ctl.words = line->words;
    return &line->ctl;
}

#define SAY(line, ...)                                                                                       \
    say(line, (int)SA_COUNT(((const char *const[]){__VA_ARGS__})), (const char *const[]){__VA_ARGS__})

/* A command with one option of each kind and one name. */
struct got {
    bool flag;
    char *text;
    struct sa_ctl_number number;
    struct sa_ctl_list list;
    char *name;
};

static enum sa_ctl_exit
parse(struct sa_ctl *ctl, struct got *ret_got)
{
    *ret_got = (struct got){.number = {.max = 100}};
    const struct sa_ctl_option options[] = {{"--flag", .flag = &ret_got->flag},
                                            {"--text", .text = &ret_got->text},
                                            {"--number", .number = &ret_got->number},
                                            {"--list", .list = &ret_got->list}};
    return sa_ctl_parse(ctl, options, SA_COUNT(options), &ret_got->name, 1);
}

static void
what_is_written_wrongly_is_refused(SA_UNUSED void **state)
{
    struct line line;
    struct got got;

    assert_int_equal(parse(SAY(&line, "--flag"), &got), SA_CTL_USAGE);          /* no name */
    assert_int_equal(parse(SAY(&line, "a", "b"), &got), SA_CTL_USAGE);          /* two names */
    assert_int_equal(parse(SAY(&line, "a", "--unknown"), &got), SA_CTL_USAGE);  /* no such option */
    assert_int_equal(parse(SAY(&line, "a", "--fla"), &got), SA_CTL_USAGE);      /* no short forms */
    assert_int_equal(parse(SAY(&line, "a", "--flagx"), &got), SA_CTL_USAGE);    /* nor long ones */
    assert_int_equal(parse(SAY(&line, "a", "--text"), &got), SA_CTL_USAGE);     /* no value */
    assert_int_equal(parse(SAY(&line, "a", "--flag=yes"), &got), SA_CTL_USAGE); /* one too many */
    assert_int_equal(parse(SAY(&line, "a", "--text", "x", "--text=y"), &got), SA_CTL_USAGE); /* twice */
    assert_int_equal(parse(SAY(&line, "a", "--flag", "--flag"), &got), SA_CTL_USAGE);
    assert_int_equal(parse(SAY(&line, "a", "--number", "1", "--number", "1"), &got), SA_CTL_USAGE);
}

static void
a_number_is_digits_within_its_range(SA_UNUSED void **state)
{
    static const char *const wrong[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "1.0", "101", "18446744073709551617", "99999999999999999999999"};
    struct line line;
    struct got got;

    for (size_t i = 0; i < SA_COUNT(wrong); i++)
        assert_int_equal(parse(SAY(&line, "a", "--number", wrong[i]), &got), SA_CTL_USAGE);
    assert_int_equal(parse(SAY(&line, "a", "--number", "100"), &got), SA_CTL_OK);
    assert_true(got.number.given && got.number.value == 100);
    assert_int_equal(parse(SAY(&line, "a", "--number=0"), &got), SA_CTL_OK);
    assert_true(got.number.given && got.number.value == 0);
}

static void
options_and_names_come_in_any_order(SA_UNUSED void **state)
{
    struct line line;
    struct got got;

    assert_int_equal(parse(SAY(&line, "--list=x", "--flag", "name", "--list", "y", "--text=a=b"), &got),
                     SA_CTL_OK);
    assert_true(got.flag);
    assert_string_equal(got.name, "name");
    assert_string_equal(got.text, "a=b");
    assert_int_equal(got.list.count, 2);
    assert_string_equal(got.list.items[1], "y");
}

static void
a_name_may_begin_with_a_dash_after_two_of_them(SA_UNUSED void **state)
{
    struct line line;
    struct got got;

    assert_int_equal(parse(SAY(&line, "-name"), &got), SA_CTL_USAGE);
    assert_int_equal(parse(SAY(&line, "--", "--flag"), &got), SA_CTL_OK);
    assert_string_equal(got.name, "--flag");
    assert_false(got.flag);
}

static void
the_common_options_stand_in_front_or_behind(SA_UNUSED void **state)
{
    struct line line;
    struct got got;

    assert_int_equal(parse(SAY(&line, "a", "--output", "json", "--timeout=5", "--socket", "/s"), &got),
                     SA_CTL_OK);
    assert_true(line.ctl.json && line.ctl.timeout_s == 5);
    assert_string_equal(line.ctl.socket, "/s");
    assert_int_equal(sa_ctl_parse_first(SAY(&line, "--output=json", "status", "--output")), SA_CTL_OK);
    assert_true(line.ctl.json && line.ctl.count == 2);
    assert_int_equal(parse(SAY(&line, "a", "--output", "xml"), &got), SA_CTL_USAGE);
    assert_int_equal(parse(SAY(&line, "a", "--timeout", "0"), &got), SA_CTL_USAGE);
    assert_int_equal(parse(SAY(&line, "a", "--timeout", "601"), &got), SA_CTL_USAGE);
    assert_int_equal(sa_ctl_parse_first(SAY(&line, "-v")), SA_CTL_USAGE);
}

static void
a_list_that_is_full_takes_no_more(SA_UNUSED void **state)
{
    char option[] = "--list=x", name[] = "name";
    char *words[SA_CTL_LIST_MAX + 2];
    struct got got;
    struct sa_ctl ctl = {.row = &row, .words = words, .count = SA_CTL_LIST_MAX + 2};

    for (size_t i = 0; i <= SA_CTL_LIST_MAX; i++)
        words[i] = option;
    words[SA_CTL_LIST_MAX + 1] = name;
    assert_int_equal(parse(&ctl, &got), SA_CTL_USAGE);
    ctl = (struct sa_ctl){.row = &row, .words = words + 1, .count = SA_CTL_LIST_MAX + 1};
    assert_int_equal(parse(&ctl, &got), SA_CTL_OK);
    assert_int_equal(got.list.count, SA_CTL_LIST_MAX);
}

static void
a_date_is_a_day_or_a_second_of_it(SA_UNUSED void **state)
{
    static const char *const wrong[] = {"",
                                        "tomorrow",
                                        "2026-02-30",
                                        "2026-13-01",
                                        "2026-1-1",
                                        "2026-12-31 18:00:00",
                                        "2026-12-31T18:00:00",
                                        "1969-12-31",
                                        "12026-01-01",
                                        "2026-12-31T24:00:00Z",
                                        "2026-12-31T18:00:00Zx",
                                        "+026-12-31"};
    int64_t seconds = -1;

    for (size_t i = 0; i < SA_COUNT(wrong); i++) {
        assert_int_equal(sa_ctl_parse_date(wrong[i], &seconds), SA_CTL_USAGE);
        assert_int_equal(seconds, -1);
    }
    assert_int_equal(sa_ctl_parse_date("2026-12-31", &seconds), SA_CTL_OK);
    assert_int_equal(seconds, 1798675200);
    assert_int_equal(sa_ctl_parse_date("2024-02-29T23:59:59Z", &seconds), SA_CTL_OK);
    assert_int_equal(seconds, 1709251199);
}

static void
a_list_has_words_between_single_commas(SA_UNUSED void **state)
{
    static const char *const wrong[] = {"", ",", "a,", ",a", "a,,b"};
    struct sa_ctl_list list;
    char text[32];

    for (size_t i = 0; i < SA_COUNT(wrong); i++) {
        strcpy(text, wrong[i]);
        assert_int_equal(sa_ctl_split(text, &list), SA_CTL_USAGE);
    }
    strcpy(text, "read,write:all");
    assert_int_equal(sa_ctl_split(text, &list), SA_CTL_OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[1], "write:all");
}

static void
the_longest_command_that_fits_is_meant(SA_UNUSED void **state)
{
    struct line line;
    int used = 0;

    assert_null(sa_ctl_find(SAY(&line, "user")->words, 1, &used));
    assert_null(sa_ctl_find(SAY(&line, "client", "audience")->words, 2, &used));
    assert_null(sa_ctl_find(SAY(&line, "users", "list")->words, 2, &used));
    assert_string_equal(sa_ctl_find(SAY(&line, "token", "--claims")->words, 2, &used)->name, "token");
    assert_int_equal(used, 1);
    assert_string_equal(sa_ctl_find(SAY(&line, "token", "issue", "x")->words, 3, &used)->name, "token issue");
    assert_int_equal(used, 2);
    assert_string_equal(sa_ctl_find(SAY(&line, "client", "audience", "allow")->words, 3, &used)->name,
                        "client audience allow");
    assert_int_equal(used, 3);
}

static void
every_row_says_what_it_does(SA_UNUSED void **state)
{
    size_t count;
    const struct sa_ctl_row *rows = sa_ctl_rows(&count);

    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(rows[i].run);
        assert_true(strlen(rows[i].sentence) > 5);
        assert_int_equal(rows[i].sentence[strlen(rows[i].sentence) - 1], '.');
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(rows[i].name, rows[k].name);
    }
}

/* Success has no other spelling, and an outcome of the daemon never looks like a mistake on the command line.
 */
static void
every_status_has_an_exit_code(SA_UNUSED void **state)
{
    unsigned count;
    const struct sa_status_row *rows = sa_status_table(&count);

    for (unsigned i = 0; i < count; i++) {
        const char *advice = NULL;
        if (rows[i].status == SA_OK)
            continue;
        enum sa_ctl_exit result = sa_ctl_outcome(rows[i].status, &advice);
        assert_non_null(advice);
        assert_int_not_equal(result, SA_CTL_OK);
        assert_int_not_equal(result, SA_CTL_USAGE);
        bool is_internal = rows[i].grpc == 13 || rows[i].grpc == 12 || rows[i].grpc == 1;
        assert_int_equal(result == SA_CTL_BROKEN, is_internal);
        assert_int_equal(result == SA_CTL_UNAVAILABLE, rows[i].grpc == 14 || rows[i].grpc == 4 ||
                                                           rows[i].status == SA_RATE_LIMITED ||
                                                           rows[i].status == SA_SLOW_READER);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_wrongly_is_refused),
        cmocka_unit_test(a_number_is_digits_within_its_range),
        cmocka_unit_test(options_and_names_come_in_any_order),
        cmocka_unit_test(a_name_may_begin_with_a_dash_after_two_of_them),
        cmocka_unit_test(the_common_options_stand_in_front_or_behind),
        cmocka_unit_test(a_list_that_is_full_takes_no_more),
        cmocka_unit_test(a_date_is_a_day_or_a_second_of_it),
        cmocka_unit_test(a_list_has_words_between_single_commas),
        cmocka_unit_test(the_longest_command_that_fits_is_meant),
        cmocka_unit_test(every_row_says_what_it_does),
        cmocka_unit_test(every_status_has_an_exit_code),
    };
    return cmocka_run_group_tests_name("secauthctl's command line", tests, NULL, NULL);
}
