/* links: sa_auth */
/* The list of breached passwords, and what libpwquality says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/auth/breached.h"
#include "service/auth/password_quality.h"
#include "service/crypto/sha1.h"

#define HEADER_LEN 32u
#define WIDTH      10u

static const char *const listed[] = {"password", "letmein", "123456", "qwerty",
                                     "correct horse battery staple"};

static int
compare(const void *a, const void *b)
{
    return memcmp(a, b, WIDTH);
}

/* A good list of `listed`, in `ret_file`; its length. */
static size_t
make(uint8_t ret_file[256])
{
    uint8_t digest[SA_SHA1_LEN];

    memset(ret_file, 0, 256);
    memcpy(ret_file, "SABREACH\1\1\12", 11);
    ret_file[23] = SA_COUNT(listed);
    for (size_t i = 0; i < SA_COUNT(listed); i++) {
        assert_int_equal(sa_sha1(sa_bytes_of(listed[i]), digest), SA_OK);
        memcpy(ret_file + HEADER_LEN + i * WIDTH, digest, WIDTH);
    }
    qsort(ret_file + HEADER_LEN, SA_COUNT(listed), WIDTH, compare);
    return HEADER_LEN + SA_COUNT(listed) * WIDTH;
}

static enum sa_status
load(struct sa_breached *breached, const uint8_t *file, size_t len, const char **ret_why)
{
    char path[] = "/tmp/breached-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0 && write(fd, file, len) == (ssize_t)len);
    close(fd);
    enum sa_status status = sa_breached_load(breached, path, ret_why);
    unlink(path);
    return status;
}

static void
a_damaged_list_is_refused_with_the_reason_and_the_old_one_stays(void **state)
{
    static const struct {
        size_t at; /* a byte that is changed */
        uint8_t to;
        int more; /* bytes longer or shorter */
        const char *why;
    } faults[] = {
        {0, 'X', 0, "no list"},
        {8, 2, 0, "no list"},
        {9, 2, 0, "not known"},
        {10, 7, 0, "damaged"},
        {10, 21, 0, "damaged"},
        {11, 1, 0, "damaged"},
        {23, 0, 0, "nothing"},
        {23, 6, 0, "header says"},
        {16, 255, 0, "header says"},
        {0, 'S', -1, "header says"},
        {0, 'S', 1, "header says"},
        {0, 'S', -60, "shorter"},
        {HEADER_LEN, 0xff, 0, "not sorted"},
    };
    struct sa_breached *breached = sa_breached_new();
    const char *why = "";
    uint8_t file[256];
    bool is_listed = false;

    (void)state;
    assert_int_equal(load(breached, file, make(file), &why), SA_OK);
    for (size_t i = 0; i < SA_COUNT(faults); i++) {
        size_t len = make(file);
        file[faults[i].at] = faults[i].to;
        assert_int_equal(load(breached, file, (size_t)((ssize_t)len + faults[i].more), &why),
                         SA_INVALID_ARGUMENT);
        assert_non_null(strstr(why, faults[i].why));
    }
    assert_int_equal(sa_breached_load(breached, "/nonexistent", &why), SA_STORAGE);
    assert_string_equal(why, "is not there");
    assert_int_equal(sa_breached_load(breached, "/dev/null", &why), SA_INVALID_ARGUMENT);
    assert_int_equal(sa_breached_has(breached, sa_bytes_of("letmein"), &is_listed), SA_OK);
    assert_true(is_listed);
    sa_breached_free(breached);
}

static void
what_is_on_the_list_is_found_and_nothing_else(void **state)
{
    struct sa_breached *breached = sa_breached_new();
    const char *why;
    uint8_t file[256];
    bool is_listed = true;

    (void)state;
    assert_int_equal(sa_breached_has(breached, sa_bytes_of("password"), &is_listed), SA_OK);
    assert_false(is_listed); /* no list */
    assert_int_equal(load(breached, file, make(file), &why), SA_OK);
    for (size_t i = 0; i < SA_COUNT(listed); i++) {
        assert_int_equal(sa_breached_has(breached, sa_bytes_of(listed[i]), &is_listed), SA_OK);
        assert_true(is_listed);
    }
    assert_int_equal(sa_breached_has(breached, sa_bytes_of("Password"), &is_listed), SA_OK);
    assert_false(is_listed);
    sa_breached_free(breached);
}

static void
a_list_that_is_cut_while_it_is_read_is_a_fault_and_no_crash(void **state)
{
    struct sa_breached *breached = sa_breached_new();
    char path[] = "/tmp/breached-XXXXXX";
    int fd = mkstemp(path);
    const char *why;
    uint8_t file[256];
    bool is_listed;

    (void)state;
    size_t len = make(file);
    assert_true(write(fd, file, len) == (ssize_t)len);
    assert_int_equal(sa_breached_load(breached, path, &why), SA_OK);
    assert_int_equal(ftruncate(fd, HEADER_LEN), 0);
    assert_int_equal(sa_breached_has(breached, sa_bytes_of("password"), &is_listed), SA_STORAGE);
    close(fd);
    unlink(path);
    sa_breached_free(breached);
}

static enum sa_status
quality(const char *password, const char *current, char ret_rule[SA_PASSWORD_RULE_MAX + 1])
{
    return sa_password_quality(sa_bytes_of(password),
                               current == NULL ? sa_bytes(NULL, 0) : sa_bytes_of(current), "alexandra", 8,
                               ret_rule);
}

static void
words_the_name_and_what_resembles_the_old_one_are_refused_in_words(void **state)
{
    char rule[SA_PASSWORD_RULE_MAX + 1];

    (void)state;
    assert_int_equal(quality("butterfly", NULL, rule), SA_PASSWORD_REFUSED);
    assert_non_null(strstr(rule, "dictionary"));
    assert_int_equal(quality("xx-alexandra-77", NULL, rule), SA_PASSWORD_REFUSED);
    assert_non_null(strstr(rule, "user name"));
    assert_int_equal(quality("Lantern-Gravel-17", "Lantern-Gravel-16", rule), SA_PASSWORD_REFUSED);
    assert_non_null(strstr(rule, "similar"));
}

static void
no_composition_is_asked(void **state)
{
    char rule[SA_PASSWORD_RULE_MAX + 1];

    (void)state;
    assert_int_equal(quality("lantern gravel mosquito", NULL, rule), SA_OK);
    assert_int_equal(quality("p\xc3\xa4 wombat lanterns", "quite another thing", rule), SA_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_list_is_refused_with_the_reason_and_the_old_one_stays),
        cmocka_unit_test(what_is_on_the_list_is_found_and_nothing_else),
        cmocka_unit_test(a_list_that_is_cut_while_it_is_read_is_a_fault_and_no_crash),
        cmocka_unit_test(words_the_name_and_what_resembles_the_old_one_are_refused_in_words),
        cmocka_unit_test(no_composition_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
