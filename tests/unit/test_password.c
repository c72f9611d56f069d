/* links: sa_crypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <argon2.h>
#include <crypt.h>
#include <stdio.h>
#include <sys/resource.h>

#include "service/crypto/password_cost.h"

static const struct sa_password_policy policy = {
    .kind = SA_PASSWORD_ARGON2ID,
    .memory_kib = 64,
    .passes = 1,
    .bcrypt_cost = 4,
    .max_memory_kib = 65536,
    .max_millis = 1000,
};

static bool
matches(const char *encoded, struct sa_bytes password)
{
    bool match = false;

    assert_int_equal(sa_password_verify(&policy, encoded, password, &match), SA_OK);
    return match;
}

static void
nothing_matches_a_hash_that_is_none(void **state SA_UNUSED)
{
    const char *const none[] = {"", "*", "!", "!!", "!$6$saltstring$svn8", "x", "$1$abc$def", "plain"};

    for (size_t i = 0; i < SA_COUNT(none); i++) {
        assert_false(matches(none[i], sa_bytes_of("")));
        assert_false(matches(none[i], sa_bytes_of(none[i])));
    }
    assert_false(matches(NULL, sa_bytes_of("password")));
}

static void
a_hash_that_is_cut_or_altered_is_not_understood(void **state SA_UNUSED)
{
    const char *const whole[] = {
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
        "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$"
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE",
    };
    enum sa_password_kind kind;
    const char *rule = NULL;

    for (size_t i = 0; i < SA_COUNT(whole); i++) {
        char text[200];
        assert_int_equal(sa_password_inspect(&policy, whole[i], &kind, &rule), SA_OK);
        for (size_t cut = 1; cut < strlen(whole[i]); cut++) {
            snprintf(text, sizeof(text), "%.*s", (int)cut, whole[i]);
            /* Argon2's salt and hash have more than one legal length; what is left must then still be
             * canonical. */
            if (sa_password_inspect(&policy, text, &kind, &rule) == SA_OK)
                assert_int_equal(kind, SA_PASSWORD_ARGON2ID);
        }
        snprintf(text, sizeof(text), "%s:", whole[i]);
        assert_int_equal(sa_password_inspect(&policy, text, &kind, &rule), SA_INVALID_ARGUMENT);
        assert_non_null(rule);
    }
}

static void
parameters_over_the_maximum_are_refused_before_anything_is_computed(void **state SA_UNUSED)
{
    const char *const dear[] = {
        "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE",
        "$argon2id$v=19$m=65536,t=4000000,p=1$c29tZXNhbHRzb21lc2FsdA$"
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE",
        "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$6$rounds=999999999$saltstring$"
        "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        "$y$jLT$dRJsXe1Ft2ICyN5hmlpsA/$0123456789012345678901234567890123456789012",
    };
    enum sa_password_kind kind;
    const char *rule;

    for (size_t i = 0; i < SA_COUNT(dear); i++) {
        rule = NULL;
        assert_int_equal(sa_password_inspect(&policy, dear[i], &kind, &rule), SA_INVALID_ARGUMENT);
        assert_non_null(strstr(rule, "configured maximum"));
        assert_false(matches(dear[i], sa_bytes_of("x"))); /* and comes back at once */
    }
}

static void
a_password_that_no_hash_carries_is_neither_made_nor_matched(void **state SA_UNUSED)
{
    char encoded[SA_PASSWORD_HASH_MAX + 1];
    char longest[SA_PASSWORD_MAX + 1];

    memset(longest, 'a', sizeof(longest));
    assert_int_equal(sa_password_make(&policy, sa_bytes_of(""), encoded), SA_INVALID_ARGUMENT);
    assert_int_equal(sa_password_make(&policy, sa_bytes(longest, 512), encoded), SA_INVALID_ARGUMENT);
    assert_int_equal(sa_password_make(&policy, sa_bytes("a\0b", 3), encoded), SA_INVALID_ARGUMENT);
    assert_int_equal(sa_password_make(&policy, sa_bytes(longest, 511), encoded), SA_OK);
    assert_true(matches(encoded, sa_bytes(longest, 511)));
    assert_false(matches(encoded, sa_bytes(longest, 510)));
    assert_false(matches(encoded, sa_bytes(longest, 512)));
    assert_int_equal(sa_password_make(&policy, sa_bytes_of("a"), encoded), SA_OK);
    assert_false(matches(encoded, sa_bytes("a\0", 2)));
}

static void
published_vectors_match_and_their_neighbours_do_not(void **state SA_UNUSED)
{
    static const struct {
        const char *password;
        const char *encoded;
        enum sa_password_kind kind;
    } vectors[] = {
        /* "Unix crypt using SHA-256 and SHA-512", the specification's own tests. */
        {"Hello world!",
         "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
         "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
         SA_PASSWORD_SHA512CRYPT},
        {"Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
         SA_PASSWORD_SHA256CRYPT},
        /* crypt_blowfish's tests. */
        {"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", SA_PASSWORD_BCRYPT},
    };

    for (size_t i = 0; i < SA_COUNT(vectors); i++) {
        enum sa_password_kind kind;
        const char *rule;
        assert_int_equal(sa_password_inspect(&policy, vectors[i].encoded, &kind, &rule), SA_OK);
        assert_int_equal(kind, vectors[i].kind);
        assert_true(matches(vectors[i].encoded, sa_bytes_of(vectors[i].password)));
        assert_false(matches(vectors[i].encoded, sa_bytes_of("Hello world")));
    }
}

static void
yescrypt_as_crypt_makes_it_is_verified(void **state SA_UNUSED)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct crypt_data data = {0};
    struct sa_password_cost cost;

    assert_non_null(crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)));
    const char *encoded = crypt_rn("correct horse", setting, &data, sizeof(data));
    assert_non_null(encoded);
    assert_true(sa_password_cost_of(encoded, &cost));
    assert_int_equal(cost.kind, SA_PASSWORD_YESCRYPT);
    assert_int_equal(cost.memory_kib, 16384);
    assert_true(matches(encoded, sa_bytes_of("correct horse")));
    assert_false(matches(encoded, sa_bytes_of("correct horsf")));
}

static void
argon2id_of_other_lanes_and_salts_is_verified(void **state SA_UNUSED)
{
    char encoded[200];
    enum sa_password_kind kind;
    const char *rule;

    assert_int_equal(
        argon2id_hash_encoded(2, 256, 4, "four lanes", 10, "saltsalt", 8, 32, encoded, sizeof(encoded)),
        ARGON2_OK);
    assert_true(matches(encoded, sa_bytes_of("four lanes")));
    assert_false(matches(encoded, sa_bytes_of("five lanes")));
    /* libsodium's function and the reference agree where both can do it. */
    assert_int_equal(
        argon2id_hash_encoded(1, 64, 1, "one lane", 8, "saltsaltsaltsalt", 16, 32, encoded, sizeof(encoded)),
        ARGON2_OK);
    assert_true(matches(encoded, sa_bytes_of("one lane")));
    /* A character that is none: libsodium by itself takes it for a slash. */
    encoded[strlen(encoded) - 5] = (char)0xff;
    assert_int_equal(sa_password_inspect(&policy, encoded, &kind, &rule), SA_INVALID_ARGUMENT);
}

static void
lack_of_memory_is_never_a_wrong_password(void **state SA_UNUSED)
{
    struct sa_password_policy large = policy;
    char encoded[SA_PASSWORD_HASH_MAX + 1];
    bool match = true;

    large.memory_kib = 65536;
    assert_int_equal(sa_password_make(&large, sa_bytes_of("password"), encoded), SA_OK);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizer's own address space is over any limit; the plain build shows it */
#endif
    struct rlimit before, tight = {8u << 20, 0};
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    enum sa_status status = sa_password_verify(&large, encoded, sa_bytes_of("password"), &match);
    enum sa_status made = sa_password_make(&large, sa_bytes_of("password"), encoded);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(status, SA_NO_MEMORY);
    assert_int_equal(made, SA_NO_MEMORY);
    assert_true(match); /* not written */
}

static void
a_weaker_hash_is_replaced_and_a_bcrypt_one_past_its_bytes_is_not(void **state SA_UNUSED)
{
    struct sa_password_policy dearer = policy;
    char encoded[SA_PASSWORD_HASH_MAX + 1];
    const char *bcrypt = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    dearer.memory_kib = 128;
    assert_int_equal(sa_password_make(&policy, sa_bytes_of("password"), encoded), SA_OK);
    assert_false(sa_password_is_weaker(&policy, encoded, 8));
    assert_true(sa_password_is_weaker(&dearer, encoded, 8));
    assert_true(sa_password_is_weaker(&policy, bcrypt, 72));
    assert_false(sa_password_is_weaker(&policy, bcrypt, 73));
    assert_false(sa_password_is_weaker(&policy, "!", 8));
    dearer.kind = SA_PASSWORD_BCRYPT;
    dearer.bcrypt_cost = 5;
    assert_false(sa_password_is_weaker(&dearer, bcrypt, 8));
    assert_false(sa_password_is_weaker(&dearer, encoded, 8));
    dearer.bcrypt_cost = 6;
    assert_true(sa_password_is_weaker(&dearer, bcrypt, 8));
}

static void
bcrypt_is_made_where_it_is_configured(void **state SA_UNUSED)
{
    struct sa_password_policy bcrypt = policy;
    char encoded[SA_PASSWORD_HASH_MAX + 1];
    char longest[73];

    memset(longest, 'b', sizeof(longest));
    bcrypt.kind = SA_PASSWORD_BCRYPT;
    assert_int_equal(sa_password_make(&bcrypt, sa_bytes(longest, 73), encoded), SA_INVALID_ARGUMENT);
    assert_int_equal(sa_password_make(&bcrypt, sa_bytes(longest, 72), encoded), SA_OK);
    assert_int_equal(strncmp(encoded, "$2b$04$", 7), 0);
    assert_true(matches(encoded, sa_bytes(longest, 72)));
    assert_false(matches(encoded, sa_bytes(longest, 71)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_matches_a_hash_that_is_none),
        cmocka_unit_test(a_hash_that_is_cut_or_altered_is_not_understood),
        cmocka_unit_test(parameters_over_the_maximum_are_refused_before_anything_is_computed),
        cmocka_unit_test(a_password_that_no_hash_carries_is_neither_made_nor_matched),
        cmocka_unit_test(published_vectors_match_and_their_neighbours_do_not),
        cmocka_unit_test(yescrypt_as_crypt_makes_it_is_verified),
        cmocka_unit_test(argon2id_of_other_lanes_and_salts_is_verified),
        cmocka_unit_test(lack_of_memory_is_never_a_wrong_password),
        cmocka_unit_test(a_weaker_hash_is_replaced_and_a_bcrypt_one_past_its_bytes_is_not),
        cmocka_unit_test(bcrypt_is_made_where_it_is_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
