/* links: sa_rpc */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/rpc/table.h"

static void
every_row_has_its_rpc_and_every_rpc_its_row(SA_UNUSED void **state)
{
    char why[160] = "";

    if (sa_table_join(why, sizeof(why)) != SA_OK)
        fail_msg("%s", why);
}

static void
the_join_gives_every_row_its_types(SA_UNUSED void **state)
{
    char why[160];
    unsigned count;
    const struct sa_method *table = sa_table(&count);

    assert_int_equal(sa_table_join(why, sizeof(why)), SA_OK);
    for (unsigned i = 0; i < count; i++) {
        const char *rpc = strchr(table[i].name, '/') + 1;
        assert_int_equal(strncmp(strrchr(table[i].request_type->name, '.') + 1, rpc, strlen(rpc)), 0);
        assert_int_equal(strncmp(strrchr(table[i].response_type->name, '.') + 1, rpc, strlen(rpc)), 0);
        assert_ptr_equal(sa_table_find(sa_bytes_of(table[i].name)), &table[i]);
    }
}

static void
a_name_is_found_whole_or_not_at_all(SA_UNUSED void **state)
{
    assert_null(sa_table_find(sa_bytes_of("")));
    assert_null(sa_table_find(sa_bytes_of("TokenService/IssueToken")));
    assert_null(sa_table_find(sa_bytes_of("secauth.v1.TokenService/IssueToke")));
    assert_null(sa_table_find(sa_bytes_of("secauth.v1.TokenService/IssueTokens")));
    assert_null(sa_table_find(sa_bytes("secauth.v1.KeyService/GetKeySet\0", 32)));
    assert_non_null(sa_table_find(sa_bytes_of("secauth.v1.KeyService/GetKeySet")));
}

static void
administration_never_goes_through_a_gateway(SA_UNUSED void **state)
{
    unsigned count;
    const struct sa_method *table = sa_table(&count);
    unsigned administration = 0;

    for (unsigned i = 0; i < count; i++) {
        if (table[i].who < SA_CALLER_ADMIN)
            continue;
        administration++;
        assert_int_equal(table[i].where & (SA_VIA_LOCAL | SA_VIA_NETWORK), 0);
    }
    assert_true(administration > 5);
}

static void
strangers_have_the_keys_and_introspection_only(SA_UNUSED void **state)
{
    unsigned count;
    const struct sa_method *table = sa_table(&count);

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(table[i].who <= SA_CALLER_STRANGER,
                         strstr(table[i].name, "v1.KeyService/") != NULL ||
                             strstr(table[i].name, "TokenService/IntrospectToken") != NULL);
}

static void
the_watches_stream_and_nothing_else_does(SA_UNUSED void **state)
{
    unsigned count;
    const struct sa_method *table = sa_table(&count);

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(table[i].streams, strstr(table[i].name, "/Watch") != NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_its_rpc_and_every_rpc_its_row),
        cmocka_unit_test(the_join_gives_every_row_its_types),
        cmocka_unit_test(a_name_is_found_whole_or_not_at_all),
        cmocka_unit_test(administration_never_goes_through_a_gateway),
        cmocka_unit_test(strangers_have_the_keys_and_introspection_only),
        cmocka_unit_test(the_watches_stream_and_nothing_else_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
