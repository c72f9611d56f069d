/*
 * Refresh over gRPC, by callers that each present the token that their last answer gave; h2load sends one
 * body for ever, and so cannot. bench_grpc refresh TARGET CA-FILE SECONDS CALLERS    stdin: client, then a
 * refresh token a line, one a caller bench_grpc empty TARGET CA-FILE SECONDS CALLERS      the gateway's own
 * health, for which nothing is done CA-FILE is `-` for a Unix socket. Prints as bench_load does.
 */
#include <stdbool.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

#include "secauth/v1/token.pb-c.h"
#include "tests/bench/bench.h"

#define CALLERS_MAX       1024
#define CALLERS_A_CHANNEL 16
#define LINE_LEN          256
#define WARM_UP_NS        200000000u
#define SAMPLES_ROOM      4000000u

struct caller {
    grpc_channel *channel;
    grpc_call *call;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *reply;
    grpc_status_code status;
    grpc_slice details;
    uint64_t sent_ns;
    char token[LINE_LEN];
};

static struct caller callers[CALLERS_MAX];
static grpc_completion_queue *queue;
static char client[LINE_LEN];
static bool is_empty;

static void
read_line(char ret_line[LINE_LEN])
{
    if (fgets(ret_line, LINE_LEN, stdin) == NULL)
        give_up("stdin has too few lines");
    ret_line[strcspn(ret_line, "\n")] = '\0';
}

static grpc_byte_buffer *
pack(struct caller *caller)
{
    Secauth__V1__ClientAuth auth = SECAUTH__V1__CLIENT_AUTH__INIT;
    Secauth__V1__RefreshTokenRequest request = SECAUTH__V1__REFRESH_TOKEN_REQUEST__INIT;
    uint8_t body[1024];

    if (is_empty)
        return grpc_raw_byte_buffer_create(NULL, 0);
    auth.client_id = client;
    request.client = &auth;
    request.refresh_token = (ProtobufCBinaryData){strlen(caller->token), (uint8_t *)caller->token};
    size_t len = secauth__v1__refresh_token_request__pack(&request, body);
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)body, len);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static void
send_request(struct caller *caller)
{
    grpc_slice method = grpc_slice_from_static_string(is_empty ? "/grpc.health.v1.Health/Check"
                                                               : "/secauth.v1.TokenService/RefreshToken");
    grpc_byte_buffer *request = pack(caller);
    grpc_op ops[6] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA,
                       .data.recv_initial_metadata.recv_initial_metadata = &caller->initial},
                      {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &caller->reply},
                      {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                       .data.recv_status_on_client = {.trailing_metadata = &caller->trailing,
                                                      .status = &caller->status,
                                                      .status_details = &caller->details}}};
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(10, GPR_TIMESPAN));

    grpc_metadata_array_init(&caller->initial);
    grpc_metadata_array_init(&caller->trailing);
    caller->sent_ns = now_ns();
    caller->call = grpc_channel_create_call(caller->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, method,
                                            NULL, deadline, NULL);
    if (caller->call == NULL || grpc_call_start_batch(caller->call, ops, 6, caller, NULL) != GRPC_CALL_OK)
        give_up("a call could not be started");
    grpc_byte_buffer_destroy(request);
}

static void
take_reply(struct caller *caller)
{
    grpc_byte_buffer_reader reader;

    if (caller->status != GRPC_STATUS_OK || caller->reply == NULL)
        give_up("an answer says %d: %.*s", (int)caller->status, (int)GRPC_SLICE_LENGTH(caller->details),
                (const char *)GRPC_SLICE_START_PTR(caller->details));
    if (is_empty)
        return;
    grpc_byte_buffer_reader_init(&reader, caller->reply);
    grpc_slice body = grpc_byte_buffer_reader_readall(&reader);
    Secauth__V1__RefreshTokenResponse *reply = secauth__v1__refresh_token_response__unpack(
        NULL, GRPC_SLICE_LENGTH(body), GRPC_SLICE_START_PTR(body));
    if (reply == NULL || reply->grant == NULL || reply->grant->access_token.len == 0 ||
        reply->grant->replayed || reply->grant->refresh_token.len == 0 ||
        reply->grant->refresh_token.len >= LINE_LEN)
        give_up("an answer holds no new refresh token");
    memcpy(caller->token, reply->grant->refresh_token.data, reply->grant->refresh_token.len);
    caller->token[reply->grant->refresh_token.len] = '\0';
    secauth__v1__refresh_token_response__free_unpacked(reply, NULL);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_slice_unref(body);
}

static void
forget_call(struct caller *caller)
{
    grpc_byte_buffer_destroy(caller->reply);
    grpc_slice_unref(caller->details);
    grpc_metadata_array_destroy(&caller->initial);
    grpc_metadata_array_destroy(&caller->trailing);
    grpc_call_unref(caller->call);
}

static grpc_channel_credentials *
credentials_from(const char *path)
{
    char pem[16384];

    if (strcmp(path, "-") == 0)
        return grpc_insecure_credentials_create();
    FILE *file = fopen(path, "r");
    size_t len = file == NULL ? 0 : fread(pem, 1, sizeof(pem) - 1, file);

    if (len == 0)
        give_up("%s cannot be read", path);
    fclose(file);
    pem[len] = '\0';
    return grpc_ssl_credentials_create(pem, NULL, NULL, NULL);
}

/* A channel for every few callers, each with connections of its own. */
static void
open_channels(const char *target, grpc_channel_credentials *credentials, int count)
{
    static char pool[] = "grpc.use_local_subchannel_pool"; /* GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL */
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = pool, .value.integer = 1};
    grpc_channel_args args = {1, &arg};

    for (int i = 0; i < count; i++)
        callers[i].channel = i % CALLERS_A_CHANNEL == 0 ? grpc_channel_create(target, credentials, &args)
                                                        : callers[i - 1].channel;
}

int
main(int argc, char **argv)
{
    struct samples samples = samples_new(SAMPLES_ROOM);
    int count = argc == 6 ? atoi(argv[5]) : 0;
    double seconds = argc == 6 ? atof(argv[4]) : 0;

    if (count < 1 || count > CALLERS_MAX || seconds <= 0)
        give_up("usage: bench_grpc refresh|empty TARGET CA-FILE SECONDS CALLERS");
    is_empty = strcmp(argv[1], "empty") == 0;
    if (!is_empty)
        read_line(client);
    for (int i = 0; i < count && !is_empty; i++)
        read_line(callers[i].token);
    grpc_init();
    queue = grpc_completion_queue_create_for_next(NULL);
    grpc_channel_credentials *credentials = credentials_from(argv[3]);
    open_channels(argv[2], credentials, count);
    for (int i = 0; i < count; i++)
        send_request(&callers[i]);

    uint64_t calls = 0;
    uint64_t start_ns = now_ns() + WARM_UP_NS, end_ns = start_ns + (uint64_t)(seconds * 1e9), ns = 0;
    for (int open = count; open > 0;) {
        grpc_event event = grpc_completion_queue_next(
            queue, gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(10, GPR_TIMESPAN)), NULL);
        if (event.type != GRPC_OP_COMPLETE)
            give_up("no answer for 10 s");
        struct caller *caller = event.tag;
        take_reply(caller);
        forget_call(caller);
        calls++;
        if (now_ns() >= end_ns) { /* the last answers are waited for and not counted */
            open--;
            continue;
        }
        ns = now_ns();
        if (ns >= start_ns)
            samples_add(&samples, caller->sent_ns, ns);
        send_request(caller);
    }
    samples_print(&samples, ns - start_ns, calls);
    for (int i = 0; i < count; i += CALLERS_A_CHANNEL)
        grpc_channel_destroy(callers[i].channel);
    grpc_channel_credentials_release(credentials);
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
    return 0;
}
