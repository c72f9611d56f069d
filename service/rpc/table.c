#include "table.h"

#include <stdio.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "handlers.h"
#include "origin.h"

/* proto/secauth.binpb, made a part of the program by cmake/embed.cmake. */
extern const unsigned char sa_descriptor_set[];
extern const size_t sa_descriptor_set_len;

#define PACKAGE "secauth.v1"

/* The words of table.def. */
enum {
    CALLER_GATEWAY = SA_CALLER_GATEWAY,
    CALLER_STRANGER = SA_CALLER_STRANGER,
    CALLER_ANY = SA_CALLER_ANY,
    CALLER_ADMIN = SA_CALLER_ADMIN,
    CALLER_ROOT = SA_CALLER_ROOT,
    VIA_ROOT = SA_VIA_ROOT,
    VIA_USER = SA_VIA_USER,
    VIA_LOCAL = SA_VIA_LOCAL,
    VIA_NETWORK = SA_VIA_NETWORK,
    SOURCE_PEER = SA_SOURCE_PEER,
    SOURCE_PAM = SA_SOURCE_PAM,
    SOURCE_CLIENT = SA_SOURCE_CLIENT,
    LANE_INLINE = SA_LANE_INLINE,
    LANE_STORE = SA_LANE_STORE,
    LANE_HASH = SA_LANE_HASH,
    AUDIT_HANDLER = SA_AUDIT_HANDLER,
    AUDIT_NEVER = SA_AUDIT_NEVER,
};

/* A step a row, in which the messages get their types back. sa_table_join has proven them. */
#define METHOD(service, rpc, who, where, source, lane, audit, max_request, handler)                          \
    static enum sa_status step_##handler(struct sa_call *call)                                               \
    {                                                                                                        \
        return handler(call, (const Secauth__V1__##rpc##Request *)call->request,                             \
                       (Secauth__V1__##rpc##Response *)call->reply);                                         \
    }
#include "service/rpc/table.def"
#undef METHOD

static struct sa_method table[] = {
#define METHOD(...) ROW(false, __VA_ARGS__)
#define STREAM(...) ROW(true, __VA_ARGS__)
#define ROW(streams_, service_, rpc_, who_, where_, source_, lane_, audit_, max_request_, handler_)          \
    {.name = PACKAGE "." #service_ "Service/" #rpc_,                                                         \
     .who = (enum sa_standing)(who_),                                                                        \
     .where = (where_),                                                                                      \
     .source = (enum sa_source_kind)(source_),                                                               \
     .lane = (enum sa_lane)(lane_),                                                                          \
     .audit = (enum sa_audit_kind)(audit_),                                                                  \
     .max_request = (max_request_),                                                                          \
     .streams = (streams_),                                                                                  \
     .handler = step_##handler_},
#include "service/rpc/table.def"
#undef METHOD
#undef ROW
};

/* What the casts of each row rely on. */
static const struct {
    size_t request;
    size_t response;
} sizes[] = {
#define METHOD(service, rpc, who, where, source, lane, audit, max_request, handler)                          \
    {sizeof(Secauth__V1__##rpc##Request), sizeof(Secauth__V1__##rpc##Response)},
#include "service/rpc/table.def"
#undef METHOD
};

/* protoc-c keeps no list of its services. One that is missing here is found by the join. */
static const ProtobufCServiceDescriptor *const services[] = {
    &secauth__v1__authn_service__descriptor,   &secauth__v1__token_service__descriptor,
    &secauth__v1__key_service__descriptor,     &secauth__v1__session_service__descriptor,
    &secauth__v1__host_service__descriptor,    &secauth__v1__user_service__descriptor,
    &secauth__v1__client_service__descriptor,  &secauth__v1__signing_key_service__descriptor,
    &secauth__v1__audit_service__descriptor,   &secauth__v1__mfa_service__descriptor,
    &secauth__v1__lockout_service__descriptor, &secauth__v1__api_key_service__descriptor,
};

const struct sa_method *
sa_table(unsigned *ret_count)
{
    *ret_count = SA_COUNT(table);
    return table;
}

const struct sa_method *
sa_table_find(struct sa_bytes name)
{
    for (unsigned i = 0; i < SA_COUNT(table); i++)
        if (sa_bytes_equal(sa_bytes_of(table[i].name), name))
            return &table[i];
    return NULL;
}

/* Of "secauth.v1.TokenService/RefreshToken": the descriptor of protoc-c, or NULL. */
static const ProtobufCMethodDescriptor *
find_described(const char *name)
{
    size_t len = strcspn(name, "/");

    for (unsigned i = 0; i < SA_COUNT(services); i++)
        if (strlen(services[i]->name) == len && memcmp(services[i]->name, name, len) == 0)
            return protobuf_c_service_descriptor_get_method_by_name(services[i], name + len + 1);
    return NULL;
}

static enum sa_status
refuse(char *ret_why, size_t size, const char *name, const char *rule)
{
    snprintf(ret_why, size, "%s: %s", name, rule);
    return SA_INTERNAL;
}

static enum sa_status
join_row(unsigned i, char *ret_why, size_t size)
{
    struct sa_method *row = &table[i];
    const ProtobufCMethodDescriptor *described = find_described(row->name);

    if (described == NULL)
        return refuse(ret_why, size, row->name, "a row without an rpc");
    if (sa_table_find(sa_bytes_of(row->name)) != row)
        return refuse(ret_why, size, row->name, "two rows");
    if (described->input->sizeof_message != sizes[i].request ||
        described->output->sizeof_message != sizes[i].response)
        return refuse(ret_why, size, row->name, "the handler's types are not the rpc's");
    if (!sa_source_fits(row->source, described->input))
        return refuse(ret_why, size, row->name, "the request lacks what its source is made of");
    if (row->max_request == 0 || row->max_request > 65536 || row->where == 0)
        return refuse(ret_why, size, row->name, "a row without a bound or a socket");
    row->request_type = described->input;
    row->response_type = described->output;
    return SA_OK;
}

/* One rpc of the descriptor set: streaming is there and nowhere else, for protoc-c does not keep it. */
static enum sa_status
join_rpc(const char *service, const Google__Protobuf__MethodDescriptorProto *rpc, char *ret_why, size_t size)
{
    char name[128];

    snprintf(name, sizeof(name), PACKAGE ".%s/%s", service, rpc->name);
    const struct sa_method *row = sa_table_find(sa_bytes_of(name));
    if (row == NULL)
        return refuse(ret_why, size, name, "an rpc without a row");
    /* The set writes ".secauth.v1.X", protoc-c "secauth.v1.X". */
    if (strcmp(rpc->input_type + 1, row->request_type->name) != 0 ||
        strcmp(rpc->output_type + 1, row->response_type->name) != 0)
        return refuse(ret_why, size, name, "the descriptors disagree about its types");
    if (rpc->client_streaming)
        return refuse(ret_why, size, name, "no row takes a stream");
    if ((rpc->server_streaming != 0) != row->streams)
        return refuse(ret_why, size, name, "row and rpc disagree about a stream");
    return SA_OK;
}

static enum sa_status
join_set(const Google__Protobuf__FileDescriptorSet *set, unsigned *ret_rpcs, char *ret_why, size_t size)
{
    *ret_rpcs = 0;
    for (size_t f = 0; f < set->n_file; f++) {
        const Google__Protobuf__FileDescriptorProto *file = set->file[f];
        for (size_t s = 0; s < file->n_service; s++)
            for (size_t m = 0; m < file->service[s]->n_method; m++) {
                const Google__Protobuf__ServiceDescriptorProto *service = file->service[s];
                enum sa_status status = join_rpc(service->name, service->method[m], ret_why, size);
                if (status != SA_OK)
                    return status;
                ++*ret_rpcs;
            }
    }
    return SA_OK;
}

enum sa_status
sa_table_join(char *ret_why, size_t size)
{
    unsigned rpcs = 0;

    for (unsigned i = 0; i < SA_COUNT(table); i++) {
        enum sa_status status = join_row(i, ret_why, size);
        if (status != SA_OK)
            return status;
    }
    Google__Protobuf__FileDescriptorSet *set =
        google__protobuf__file_descriptor_set__unpack(NULL, sa_descriptor_set_len, sa_descriptor_set);
    if (set == NULL)
        return refuse(ret_why, size, "the descriptor set", "cannot be read");
    enum sa_status status = join_set(set, &rpcs, ret_why, size);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    if (status == SA_OK && rpcs != SA_COUNT(table))
        return refuse(ret_why, size, "the descriptor set", "lacks an rpc that has a row");
    return status;
}
