/* links: sa_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "service/base/log.h"

/* stderr is a pipe while a test runs; what was written to it is read here. */
static int pipe_out;
static int saved;
static char text[1 << 17];

static int
set_up(SA_UNUSED void **state)
{
    int ends[2];

    unsetenv("JOURNAL_STREAM");
    saved = dup(STDERR_FILENO);
    if (pipe2(ends, O_CLOEXEC) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        return -1;
    close(ends[1]);
    pipe_out = ends[0];
    fcntl(pipe_out, F_SETFL, O_NONBLOCK);
    sa_log_start("test", SA_LOG_INFO);
    return 0;
}

static int
tear_down(SA_UNUSED void **state)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_out);
    return 0;
}

static const char *
written(void)
{
    size_t len = 0;
    ssize_t got;

    while ((got = read(pipe_out, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    return text;
}

static unsigned
lines(const char *of)
{
    unsigned count = 0;

    for (; *of != '\0'; of++)
        count += *of == '\n' ? 1 : 0;
    return count;
}

static void
no_argument_forges_a_second_line(SA_UNUSED void **state)
{
    sa_log(SA_LOG_INFO, "name=%s end", "x\n2026 root granted\r\x1b[2J\x7f");
    assert_non_null(strstr(written(), "test info: name=x\\x0a2026 root granted\\x0d\\x1b[2J\\x7f end\n"));
    assert_int_equal(lines(text), 1);
}

static void
a_line_that_is_too_long_is_cut_and_still_a_line(SA_UNUSED void **state)
{
    static char controls[3000];

    memset(controls, 1, sizeof(controls) - 1);
    sa_log(SA_LOG_ERROR, "%s", controls);
    assert_int_equal(lines(written()), 1);
    assert_in_range(strlen(text), 1000, 2048);
    memset(controls, 'a', sizeof(controls) - 1);
    sa_log(SA_LOG_ERROR, "%s", controls);
    assert_int_equal(lines(written()), 1);
}

static void
lines_above_the_level_are_not_written(SA_UNUSED void **state)
{
    sa_log(SA_LOG_DEBUG, "unseen");
    assert_string_equal(written(), "");
    assert_false(sa_log_takes(SA_LOG_DEBUG));
    sa_log_set_level(SA_LOG_DEBUG);
    sa_log(SA_LOG_DEBUG, "seen");
    assert_non_null(strstr(written(), "test debug: seen\n"));
    sa_log_set_level(SA_LOG_ERROR);
    sa_log(SA_LOG_WARNING, "unseen");
    assert_string_equal(written(), "");
}

static void
a_reader_that_is_too_slow_holds_nobody_up(SA_UNUSED void **state)
{
    for (unsigned i = 0; i < 20000; i++)
        sa_log(SA_LOG_INFO, "line %u", i);
    assert_in_range(lines(written()), 100, 19999);
    sa_log(SA_LOG_INFO, "the next one");
    assert_non_null(strstr(written(), " lines of the log were lost)\n"));
    assert_non_null(strstr(text, "the next one\n"));
}

static void
lines_for_the_journal_have_its_prefix(SA_UNUSED void **state)
{
    struct stat stat;
    char stream[64];

    assert_int_equal(fstat(STDERR_FILENO, &stat), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)stat.st_dev,
             (unsigned long long)stat.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    sa_log_start("test", SA_LOG_INFO);
    sa_log(SA_LOG_WARNING, "words");
    assert_string_equal(written(), "<4>words\n");
}

static void
escaped_text_has_nothing_that_could_mean_more(SA_UNUSED void **state)
{
    static const char from[] = "a b=c\"d\\e\xc3\xa9\x7f";
    char out[64];
    char few[8];

    assert_string_equal(sa_escape(sa_bytes(from, sizeof(from) - 1), out, sizeof(out)),
                        "a\\x20b\\x3dc\\x22d\\x5ce\\xc3\\xa9\\x7f");
    assert_string_equal(sa_escape(sa_bytes("\0", 1), out, sizeof(out)), "\\x00");
    assert_string_equal(sa_escape(sa_bytes("abc\n", 4), few, sizeof(few)), "abc\\x0a");
    assert_string_equal(sa_escape(sa_bytes("abcd\n", 5), few, sizeof(few)), "abcd");
    assert_string_equal(sa_escape(sa_bytes(NULL, 0), few, sizeof(few)), "");
    assert_string_equal(sa_escape(sa_bytes("a", 1), few, 1), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_argument_forges_a_second_line),      TEST(a_line_that_is_too_long_is_cut_and_still_a_line),
        TEST(lines_above_the_level_are_not_written), TEST(a_reader_that_is_too_slow_holds_nobody_up),
        TEST(lines_for_the_journal_have_its_prefix), TEST(escaped_text_has_nothing_that_could_mean_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
