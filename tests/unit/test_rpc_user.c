/* links: sa_rpc */
/* Users: every field that breaks a rule is named, what is changed is recorded. */
#include "tests/support/token_fixture.h"

#define YESCRYPT "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

static void
assert_refused(struct rig *rig, enum sa_status status, const char *field)
{
    assert_int_equal(status, SA_INVALID_ARGUMENT);
    assert_string_equal(rig->call.problem.field, field);
    assert_non_null(rig->call.problem.rule);
}

struct new_user {
    Secauth__V1__User user;
    Secauth__V1__PosixId uid;
    char *groups[70];
    const char *password;
};

static void
plain_user(struct new_user *made)
{
    secauth__v1__user__init(&made->user);
    secauth__v1__posix_id__init(&made->uid);
    made->uid.id = 1000;
    made->user.name = RIG_TEXT("ann");
    made->user.uid = &made->uid;
    made->user.full_name = RIG_TEXT("Ann Example");
    made->user.email = RIG_TEXT("ann@example.org");
    made->groups[0] = RIG_TEXT("staff");
    made->groups[1] = RIG_TEXT("staff");
    made->user.groups = made->groups;
    made->user.n_groups = 2;
    made->password = RIG_PASSWORD;
}

static enum sa_status
create(struct rig *rig, struct new_user *made, Secauth__V1__CreateUserResponse *ret_reply)
{
    Secauth__V1__CreateUserRequest request = SECAUTH__V1__CREATE_USER_REQUEST__INIT;

    secauth__v1__create_user_response__init(ret_reply);
    request.user = &made->user;
    request.password = RIG_BYTES(made->password);
    return rig_call(rig, rig_root(), "UserService/CreateUser", &request.base, &ret_reply->base);
}

static void
a_user_that_breaks_a_rule_is_refused_by_field(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__CreateUserRequest empty = SECAUTH__V1__CREATE_USER_REQUEST__INIT;
    Secauth__V1__CreateUserResponse reply;
    struct new_user made;
    char long_name[257];

    memset(long_name, 'x', 256);
    long_name[256] = '\0';
    secauth__v1__create_user_response__init(&reply);
    assert_refused(rig, rig_call(rig, rig_root(), "UserService/CreateUser", &empty.base, &reply.base),
                   "user");
    plain_user(&made);
    made.user.name = RIG_TEXT("-ann");
    assert_refused(rig, create(rig, &made, &reply), "user.name");
    plain_user(&made);
    made.user.uid = NULL;
    assert_refused(rig, create(rig, &made, &reply), "user.uid");
    plain_user(&made);
    made.uid.id = UINT32_MAX;
    assert_refused(rig, create(rig, &made, &reply), "user.uid");
    plain_user(&made);
    made.user.full_name = long_name;
    assert_refused(rig, create(rig, &made, &reply), "user.full_name");
    plain_user(&made);
    made.user.email = RIG_TEXT("ann@");
    assert_refused(rig, create(rig, &made, &reply), "user.email");
    plain_user(&made);
    made.groups[1] = RIG_TEXT("Not A Group");
    assert_refused(rig, create(rig, &made, &reply), "user.groups");
    plain_user(&made);
    made.user.n_groups = 65;
    assert_refused(rig, create(rig, &made, &reply), "user.groups");
    plain_user(&made);
    made.user.not_before = -1;
    assert_refused(rig, create(rig, &made, &reply), "user.not_before");
    plain_user(&made);
    made.user.not_before = 10;
    made.user.not_after = 10;
    assert_refused(rig, create(rig, &made, &reply), "user.not_after");
    plain_user(&made);
    made.user.password_max_days = 100000;
    assert_refused(rig, create(rig, &made, &reply), "user.password_max_days");
    plain_user(&made);
    made.password = "short";
    assert_int_equal(create(rig, &made, &reply), SA_PASSWORD_REFUSED);
    assert_string_equal(rig->call.problem.field, "password");
}

static void
a_user_is_made_once_under_a_name_and_a_uid(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__CreateUserResponse reply;
    struct new_user made;

    plain_user(&made);
    assert_int_equal(create(rig, &made, &reply), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_USER_CREATE, SA_OUTCOME_GRANTED, "");
    assert_int_equal(strlen(reply.user->subject), SA_ID_LEN);
    assert_string_equal(reply.user->password_kind, "argon2id");
    assert_true(reply.user->active);
    assert_int_equal(reply.user->n_groups, 1);
    assert_int_equal(reply.user->password_changed, FIXTURE_NOW_MS / 1000);
    assert_int_equal(create(rig, &made, &reply), SA_ALREADY_EXISTS);
    made.user.name = RIG_TEXT("bob");
    assert_int_equal(create(rig, &made, &reply), SA_ALREADY_EXISTS);
}

static enum sa_status
import(struct rig *rig, const char *line, uint32_t uid, Secauth__V1__ImportUserResponse *ret_reply)
{
    Secauth__V1__ImportUserRequest request = SECAUTH__V1__IMPORT_USER_REQUEST__INIT;
    Secauth__V1__PosixId id = SECAUTH__V1__POSIX_ID__INIT;

    id.id = uid;
    request.shadow_line = RIG_BYTES(line);
    request.uid = &id;
    secauth__v1__import_user_response__init(ret_reply);
    return rig_call(rig, rig_root(), "UserService/ImportUser", &request.base, &ret_reply->base);
}

static void
an_imported_user_keeps_the_hash_that_was_brought(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__ImportUserResponse reply;

    assert_refused(rig, import(rig, "bob:nonsense:1:2:3:4:::", 1001, &reply), "shadow_line");
    assert_refused(rig, import(rig, "bob:" YESCRYPT ":19000:0:99999:7:::", UINT32_MAX, &reply), "uid");
    assert_int_equal(import(rig, "bob:" YESCRYPT ":19000:0:99999:7:::", 1001, &reply), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_USER_IMPORT, SA_OUTCOME_GRANTED, "");
    assert_string_equal(reply.user->password_kind, "yescrypt");
    assert_int_equal(reply.user->password_changed, INT64_C(19000) * 86400);
    assert_int_equal(import(rig, "carl:!" YESCRYPT ":19000:0:99999:7:::", 1002, &reply), SA_OK);
    assert_string_equal(reply.user->password_kind, "");
}

static void
users_are_listed_page_by_page(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__ListUsersRequest request = SECAUTH__V1__LIST_USERS_REQUEST__INIT;
    Secauth__V1__ListUsersResponse reply = SECAUTH__V1__LIST_USERS_RESPONSE__INIT;
    char token[64];

    rig_add_user(rig, "ann", 1000);
    rig_add_user(rig, "bob", 1001);
    rig_add_user(rig, "carl", 1002);
    request.page_size = 501;
    assert_refused(rig, rig_call(rig, rig_root(), "UserService/ListUsers", &request.base, &reply.base),
                   "page_size");
    request.page_size = 2;
    request.page_token = RIG_TEXT("'--");
    assert_refused(rig, rig_call(rig, rig_root(), "UserService/ListUsers", &request.base, &reply.base),
                   "page_token");
    request.page_token = RIG_TEXT("");
    assert_int_equal(rig_call(rig, rig_root(), "UserService/ListUsers", &request.base, &reply.base), SA_OK);
    assert_int_equal(reply.n_users, 2);
    assert_string_equal(reply.next_page_token, "bob");
    snprintf(token, sizeof(token), "%s", reply.next_page_token);
    request.page_token = token;
    secauth__v1__list_users_response__init(&reply);
    assert_int_equal(rig_call(rig, rig_root(), "UserService/ListUsers", &request.base, &reply.base), SA_OK);
    assert_int_equal(reply.n_users, 1);
    assert_string_equal(reply.users[0]->name, "carl");
    assert_string_equal(reply.next_page_token, "");
}

static void
a_user_is_changed_and_deleted_by_name(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__SetUserPasswordRequest password = SECAUTH__V1__SET_USER_PASSWORD_REQUEST__INIT;
    Secauth__V1__SetUserPasswordResponse password_reply = SECAUTH__V1__SET_USER_PASSWORD_RESPONSE__INIT;
    Secauth__V1__SetUserActiveRequest active = SECAUTH__V1__SET_USER_ACTIVE_REQUEST__INIT;
    Secauth__V1__SetUserActiveResponse active_reply = SECAUTH__V1__SET_USER_ACTIVE_RESPONSE__INIT;
    Secauth__V1__DeleteUserRequest delete = SECAUTH__V1__DELETE_USER_REQUEST__INIT;
    Secauth__V1__DeleteUserResponse delete_reply = SECAUTH__V1__DELETE_USER_RESPONSE__INIT;
    Secauth__V1__GetUserRequest get = SECAUTH__V1__GET_USER_REQUEST__INIT;
    Secauth__V1__GetUserResponse get_reply = SECAUTH__V1__GET_USER_RESPONSE__INIT;

    password.name = active.name = delete.name = get.name = RIG_TEXT("ann");
    password.password = RIG_BYTES("another good one");
    password.must_change = true;
    assert_int_equal(rig_call(rig, rig_root(), "UserService/GetUser", &get.base, &get_reply.base),
                     SA_NOT_FOUND);
    assert_int_equal(rig_call(rig, rig_root(), "UserService/DeleteUser", &delete.base, &delete_reply.base),
                     SA_NOT_FOUND);
    assert_int_equal(
        rig_call(rig, rig_root(), "UserService/SetUserPassword", &password.base, &password_reply.base),
        SA_NOT_FOUND);
    rig_add_user(rig, "ann", 1000);
    assert_int_equal(
        rig_call(rig, rig_root(), "UserService/SetUserPassword", &password.base, &password_reply.base),
        SA_OK);
    rig_assert_recorded(rig, SA_EVENT_USER_PASSWORD, SA_OUTCOME_GRANTED, "");
    assert_int_equal(rig_call(rig, rig_root(), "UserService/SetUserActive", &active.base, &active_reply.base),
                     SA_OK);
    rig_assert_recorded(rig, SA_EVENT_USER_DISABLE, SA_OUTCOME_GRANTED, "");
    assert_int_equal(rig_call(rig, rig_root(), "UserService/GetUser", &get.base, &get_reply.base), SA_OK);
    assert_false(get_reply.user->active);
    assert_true(get_reply.user->must_change_password);
    assert_int_equal(rig_call(rig, rig_root(), "UserService/DeleteUser", &delete.base, &delete_reply.base),
                     SA_OK);
    rig_assert_recorded(rig, SA_EVENT_USER_DELETE, SA_OUTCOME_GRANTED, "");
    get.name = RIG_TEXT("a/b");
    assert_refused(rig, rig_call(rig, rig_root(), "UserService/GetUser", &get.base, &get_reply.base), "name");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_that_breaks_a_rule_is_refused_by_field),
        TEST(a_user_is_made_once_under_a_name_and_a_uid),
        TEST(an_imported_user_keeps_the_hash_that_was_brought),
        TEST(users_are_listed_page_by_page),
        TEST(a_user_is_changed_and_deleted_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
