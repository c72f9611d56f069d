/* UserService/UpdateUser. */
#include "service/auth/inside.h"
#include "service/rpc/user_message.h"

#define FIELDS_MAX  16u
#define RULE_FIELDS "1 to 16 fields of a user that can be changed"

/* A field of the request, as a part of the record and as a word for the log. */
static const struct {
    unsigned part;
    const char *word;
} parts[] = {
    [SECAUTH__V1__USER_FIELD__USER_FIELD_FULL_NAME] = {SA_USER_FULL_NAME, "full_name"},
    [SECAUTH__V1__USER_FIELD__USER_FIELD_EMAIL] = {SA_USER_EMAIL, "email"},
    [SECAUTH__V1__USER_FIELD__USER_FIELD_DATES] = {SA_USER_DATES, "dates"},
    [SECAUTH__V1__USER_FIELD__USER_FIELD_MUST_CHANGE] = {SA_USER_MUST_CHANGE, "must_change"},
    [SECAUTH__V1__USER_FIELD__USER_FIELD_AGEING] = {SA_USER_AGEING, "ageing"},
    [SECAUTH__V1__USER_FIELD__USER_FIELD_GROUPS] = {SA_USER_GROUPS, "groups"},
};

static enum sa_status
read_fields(struct sa_call *call, const Secauth__V1__UpdateUserRequest *request, unsigned *ret_parts)
{
    unsigned wanted = 0;

    if (request->n_fields == 0 || request->n_fields > FIELDS_MAX)
        return sa_call_refuse(call, "fields", RULE_FIELDS);
    for (size_t i = 0; i < request->n_fields; i++) {
        unsigned field = (unsigned)request->fields[i];
        if (field >= SA_COUNT(parts) || parts[field].part == 0)
            return sa_call_refuse(call, "fields", RULE_FIELDS);
        wanted |= parts[field].part;
    }
    *ret_parts = wanted;
    return SA_OK;
}

/* "fields=dates,groups" */
static const char *
detail_of(struct sa_call *call, unsigned wanted)
{
    char words[80] = "";

    for (unsigned i = 0; i < SA_COUNT(parts); i++)
        if ((parts[i].part & wanted) != 0) {
            strcat(words, words[0] == '\0' ? "" : ",");
            strcat(words, parts[i].word);
        }
    return rpc_detail(call, "fields=%s", words);
}

enum sa_status
rpc_user_update(struct sa_call *call, const Secauth__V1__UpdateUserRequest *request,
                Secauth__V1__UpdateUserResponse *reply)
{
    struct sa_store *store = call->authority->store;
    SA_OWN(sa_user) user = sa_user_new();
    SA_OWN(sa_user) now = NULL;
    unsigned wanted = 0;

    if (user == NULL)
        return SA_NO_MEMORY;
    if (request->user == NULL)
        return sa_call_refuse(call, "user", "the record; required");
    enum sa_status status = read_fields(call, request, &wanted);
    if (status == SA_OK)
        status = rpc_read_user_parts(call, request->user, wanted, user);
    if (status != SA_OK)
        return status;
    struct sa_audit record = sa_call_audit(call, SA_EVENT_USER_UPDATE, SA_OUTCOME_GRANTED, NULL);
    record.user = user->name;
    record.detail = detail_of(call, wanted);
    status = sa_store_user_update(store, user, wanted, &record);
    if (status == SA_OK)
        status = sa_store_user_by_name(store, sa_bytes_of(user->name), &now);
    return status == SA_OK ? rpc_reply_user(call, now, &reply->user) : status;
}
