#include "origin.h"

#include "service/auth/switches.h"
#include "service/rpc/shared.h"

/* A field of a given message type, or NULL where the request's type has none or it is absent. */
static const ProtobufCMessage *
find_message(const ProtobufCMessage *request, const char *name, const ProtobufCMessageDescriptor *type)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(request->descriptor, name);

    if (field == NULL || field->type != PROTOBUF_C_TYPE_MESSAGE || field->descriptor != type ||
        field->label == PROTOBUF_C_LABEL_REPEATED)
        return NULL;
    return *(ProtobufCMessage *const *)(const void *)((const uint8_t *)request + field->offset);
}

const Secauth__V1__Origin *
sa_request_origin(const struct sa_call *call)
{
    return (const Secauth__V1__Origin *)find_message(call->request, "origin",
                                                     &secauth__v1__origin__descriptor);
}

const char *
sa_request_client_id(const struct sa_call *call)
{
    const Secauth__V1__ClientAuth *client = (const Secauth__V1__ClientAuth *)find_message(
        call->request, "client", &secauth__v1__client_auth__descriptor);
    return client == NULL ? "" : client->client_id;
}

bool
sa_source_fits(enum sa_source_kind kind, const ProtobufCMessageDescriptor *type)
{
    const ProtobufCFieldDescriptor *field;

    switch (kind) {
    case SA_SOURCE_PEER:
        return true;
    case SA_SOURCE_PAM:
        field = protobuf_c_message_descriptor_get_field_by_name(type, "origin");
        return field != NULL && field->descriptor == &secauth__v1__origin__descriptor;
    case SA_SOURCE_CLIENT:
        field = protobuf_c_message_descriptor_get_field_by_name(type, "client");
        return field != NULL && field->descriptor == &secauth__v1__client_auth__descriptor;
    }
    return false;
}

static void
source_of_login(const struct sa_call *call, const struct sa_rules *rules, struct sa_source *ret_source)
{
    const Secauth__V1__Origin *said = sa_request_origin(call);
    struct sa_origin origin = {.service = {NULL, 0}};

    if (said != NULL)
        origin = (struct sa_origin){
            .service = sa_bytes_of(said->service),
            .rhost = rpc_bytes(said->rhost),
            .tty = rpc_bytes(said->tty),
            .acting_uid = said->acting_uid,
        };
    sa_source_pam(&origin, sa_rules_console_services(rules), ret_source);
}

/* Of a uid that a rule lets check other people; false for any other. */
static bool
source_of_service(const struct sa_call *call, const struct sa_rules *rules, struct sa_source *ret_source)
{
    const Secauth__V1__Origin *said = sa_request_origin(call);
    struct sa_service_uid rule;

    if (said == NULL || !call->caller.has_uid ||
        !sa_rules_service_uid(rules, call->caller.uid, sa_bytes_of(said->service), &rule))
        return false;
    sa_source_service_uid(call->caller.uid, rpc_bytes(said->rhost), ret_source);
    ret_source->whole_failures = rule.failures;
    ret_source->whole_window_s = rule.window_s;
    return true;
}

/* The kernel's uid where there is one, else the address that the gateway reported. */
static void
source_of_peer(const struct sa_caller *caller, struct sa_source *ret_source)
{
    if (caller->has_uid)
        sa_source_uid(caller->uid, ret_source);
    else
        sa_source_address(caller->address, ret_source);
}

void
sa_source_of(const struct sa_call *call, const struct sa_rules *rules, struct sa_source *ret_source)
{
    const struct sa_caller *caller = &call->caller;
    bool gateway = (caller->via & (SA_VIA_LOCAL | SA_VIA_NETWORK)) != 0;
    enum sa_source_kind kind = call->method->source;

    if (kind == SA_SOURCE_PAM && caller->via == SA_VIA_USER && source_of_service(call, rules, ret_source))
        return;
    /* On the user socket the kernel names the caller; a client that is only claimed would be another source.
     */
    if (gateway ? kind != SA_SOURCE_PEER : kind == SA_SOURCE_CLIENT && caller->via == SA_VIA_ROOT) {
        sa_source_client(sa_request_client_id(call), caller->address,
                         caller->has_uid ? (int64_t)caller->uid : -1, ret_source);
        if (kind == SA_SOURCE_PAM) /* only public clients log people in */
            memcpy(ret_source->gateway, caller->gateway, sizeof(ret_source->gateway));
    } else if (kind == SA_SOURCE_PAM &&
               (caller->via == SA_VIA_ROOT || !sa_switch_is_on(SA_SWITCH_user_uid))) {
        source_of_login(call, rules, ret_source);
    } else {
        source_of_peer(caller, ret_source);
    }
}
