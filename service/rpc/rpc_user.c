/* UserService. */
#include <stdio.h>

#include "service/auth/inside.h"
#include "service/auth/login.h"
#include "service/auth/names.h"
#include "service/auth/shadow.h"
#include "service/rpc/page.h"
#include "service/rpc/user_message.h"

/* What a step on the hash lane leaves to the commit. */
struct pending {
    struct sa_user *user;
    const char *name;
    bool must_change;
    char encoded[SA_PASSWORD_HASH_MAX + 1];
};

/* What was tried against a name before somebody had it is no failure of theirs. */
static enum sa_status
create_user(struct sa_call *call, struct sa_user *user, const struct sa_audit *record)
{
    uint8_t key[SA_LOCKOUT_KEY_LEN];

    sa_lockout_name_key(call->authority->lockout, sa_bytes_of(user->name), key);
    enum sa_status status = sa_store_user_create(call->authority->store, user, key, record);
    if (status == SA_OK)
        sa_lockout_clear(call->authority->lockout, key, NULL);
    return status;
}

/* ---- CreateUser ---- */

static enum sa_status
commit_create(struct sa_call *call)
{
    struct pending *pending = call->state;
    struct sa_audit record = sa_call_audit(call, SA_EVENT_USER_CREATE, SA_OUTCOME_GRANTED, NULL);
    Secauth__V1__CreateUserResponse *reply = (Secauth__V1__CreateUserResponse *)call->reply;

    memcpy(pending->user->hash, pending->encoded, sizeof(pending->encoded));
    rpc_audit_user(&record, pending->user);
    record.detail = rpc_detail(call, "uid=%u", pending->user->uid);
    enum sa_status status = create_user(call, pending->user, &record);
    return status == SA_OK ? rpc_reply_user(call, pending->user, &reply->user) : status;
}

enum sa_status
rpc_user_create(struct sa_call *call, const Secauth__V1__CreateUserRequest *request,
                SA_UNUSED Secauth__V1__CreateUserResponse *reply)
{
    struct pending *pending = sa_arena_alloc(call->arena, sizeof(*pending));
    struct sa_user *user = sa_arena_alloc(call->arena, sizeof(*user));

    if (pending == NULL || user == NULL)
        return SA_NO_MEMORY;
    if (request->user == NULL)
        return sa_call_refuse(call, "user", "the record; required");
    enum sa_status status = rpc_read_user(call, request->user, user);
    if (status == SA_OK)
        status = rpc_check_new_password(call, "password", rpc_bytes(request->password), sa_bytes(NULL, 0),
                                        user->name);
    if (status != SA_OK)
        return status;
    user->active = true;
    user->changed_s = call->now.wall_ms / 1000;
    pending->user = user;
    call->state = pending;
    status = sa_login_hash(call->authority, rpc_bytes(request->password), pending->encoded);
    return status == SA_OK ? sa_call_then(call, SA_LANE_STORE, commit_create) : status;
}

/* ---- ImportUser ---- */

enum sa_status
rpc_user_import(struct sa_call *call, const Secauth__V1__ImportUserRequest *request,
                Secauth__V1__ImportUserResponse *reply)
{
    SA_OWN(sa_user) user = sa_user_new();
    const char *rule;

    if (user == NULL)
        return SA_NO_MEMORY;
    enum sa_status status =
        sa_shadow_parse(rpc_bytes(request->shadow_line), &call->authority->policy, user, &rule);
    if (status == SA_INVALID_ARGUMENT)
        return sa_call_refuse(call, "shadow_line", rule);
    if (status != SA_OK)
        return status;
    if (request->uid == NULL || request->uid->id > RPC_UID_MAX)
        return sa_call_refuse(call, "uid", RPC_RULE_UID);
    if (strlen(request->full_name) >= sizeof(user->full_name))
        return sa_call_refuse(call, "full_name", RPC_RULE_FULL_NAME);
    snprintf(user->full_name, sizeof(user->full_name), "%s", request->full_name);
    user->uid = request->uid->id;
    user->active = true;
    struct sa_audit record = sa_call_audit(call, SA_EVENT_USER_IMPORT, SA_OUTCOME_GRANTED, NULL);
    rpc_audit_user(&record, user);
    record.detail = rpc_detail(call, "uid=%u", user->uid);
    sa_login_saw_hash(call->authority, user->hash);
    status = create_user(call, user, &record);
    return status == SA_OK ? rpc_reply_user(call, user, &reply->user) : status;
}

/* ---- GetUser, ListUsers ---- */

enum sa_status
rpc_user_get(struct sa_call *call, const Secauth__V1__GetUserRequest *request,
             Secauth__V1__GetUserResponse *reply)
{
    SA_OWN(sa_user) user = NULL;
    enum sa_status status = rpc_check_user_name(call, "name", request->name);

    if (status == SA_OK)
        status = sa_store_user_by_name(call->authority->store, sa_bytes_of(request->name), &user);
    return status == SA_OK ? rpc_reply_user(call, user, &reply->user) : status;
}

static enum sa_status
put_page(struct sa_call *call, const struct sa_user *users, const enum sa_password_kind *kinds,
         unsigned count, Secauth__V1__ListUsersResponse *reply)
{
    Secauth__V1__User *rows = sa_arena_alloc(call->arena, count * sizeof(*rows));
    struct rpc_page page = {0};

    reply->users = sa_arena_alloc(call->arena, count * sizeof(*reply->users));
    if (rows == NULL || reply->users == NULL)
        return SA_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        if (!rpc_put_user(call, &users[i], kinds[i], &rows[i]))
            return SA_NO_MEMORY;
        if (!rpc_page_take(&page, &rows[i].base))
            break;
        reply->users[i] = &rows[i];
        reply->n_users++;
    }
    return SA_OK;
}

enum sa_status
rpc_user_list(struct sa_call *call, const Secauth__V1__ListUsersRequest *request,
              Secauth__V1__ListUsersResponse *reply)
{
    enum sa_password_kind *kinds;
    struct sa_user *users;
    unsigned count;
    bool more;

    if (request->page_size > SA_PAGE_MAX)
        return sa_call_refuse(call, "page_size", "1 to 500, or 0 for 100");
    if (request->page_token[0] != '\0' && !sa_name_is_user(sa_bytes_of(request->page_token)))
        return sa_call_refuse(call, "page_token", "where the last page ended");
    enum sa_status status =
        sa_store_user_list(call->authority->store, request->page_token, rpc_page_size(request->page_size),
                           &users, &kinds, &count, &more);
    if (status != SA_OK)
        return status;
    status = put_page(call, users, kinds, count, reply);
    bool cut = more || reply->n_users < count;
    if (status == SA_OK && cut && reply->n_users > 0 &&
        !rpc_put_text(call, users[reply->n_users - 1].name, &reply->next_page_token))
        status = SA_NO_MEMORY;
    sa_users_free(users, kinds, count);
    return status;
}

/* ---- SetUserPassword ---- */

static enum sa_status
commit_password(struct sa_call *call)
{
    const struct pending *pending = call->state;
    struct sa_audit record = sa_call_audit(call, SA_EVENT_USER_PASSWORD, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_user) user = NULL;

    enum sa_status status = sa_store_user_by_name(call->authority->store, sa_bytes_of(pending->name), &user);
    if (status != SA_OK)
        return status;
    rpc_audit_user(&record, user);
    struct sa_password_change change = {.subject = user->subject,
                                        .new_hash = pending->encoded,
                                        .must_change = pending->must_change,
                                        .changed_s = call->now.wall_ms / 1000,
                                        .end_sessions = true};
    status = sa_store_user_set_password(call->authority->store, &change, call->now.wall_ms, &record);
    if (status == SA_OK)
        ((Secauth__V1__SetUserPasswordResponse *)call->reply)->accepted = true;
    return status;
}

enum sa_status
rpc_user_set_password(struct sa_call *call, const Secauth__V1__SetUserPasswordRequest *request,
                      SA_UNUSED Secauth__V1__SetUserPasswordResponse *reply)
{
    struct pending *pending = sa_arena_alloc(call->arena, sizeof(*pending));

    if (pending == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = rpc_check_user_name(call, "name", request->name);
    if (status == SA_OK)
        status = rpc_check_new_password(call, "password", rpc_bytes(request->password), sa_bytes(NULL, 0),
                                        request->name);
    if (status != SA_OK)
        return status;
    pending->name = request->name;
    pending->must_change = request->must_change;
    call->state = pending;
    status = sa_login_hash(call->authority, rpc_bytes(request->password), pending->encoded);
    return status == SA_OK ? sa_call_then(call, SA_LANE_STORE, commit_password) : status;
}

/* ---- SetUserActive, DeleteUser ---- */

enum sa_status
rpc_user_set_active(struct sa_call *call, const Secauth__V1__SetUserActiveRequest *request,
                    Secauth__V1__SetUserActiveResponse *reply)
{
    enum sa_event event = request->active ? SA_EVENT_USER_ENABLE : SA_EVENT_USER_DISABLE;
    SA_OWN(sa_user) user = NULL;
    struct sa_audit record;

    enum sa_status status = rpc_begin_user_change(call, event, request->name, &user, &record);
    if (status == SA_OK)
        status = sa_store_user_set_active(call->authority->store, request->name, request->active,
                                          call->now.wall_ms, &record);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}

enum sa_status
rpc_user_delete(struct sa_call *call, const Secauth__V1__DeleteUserRequest *request,
                Secauth__V1__DeleteUserResponse *reply)
{
    uint8_t key[SA_LOCKOUT_KEY_LEN];
    SA_OWN(sa_user) user = NULL;
    struct sa_audit record;

    enum sa_status status = rpc_begin_user_change(call, SA_EVENT_USER_DELETE, request->name, &user, &record);
    if (status != SA_OK)
        return status;
    sa_lockout_name_key(call->authority->lockout, sa_bytes_of(request->name), key);
    status = sa_store_user_delete(call->authority->store, request->name, key, call->now.wall_ms, &record);
    if (status != SA_OK)
        return status;
    sa_lockout_clear(call->authority->lockout, key, NULL);
    reply->accepted = true;
    return SA_OK;
}
