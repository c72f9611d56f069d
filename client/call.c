#include "call.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "proto/frame.h"

#define TIMEOUT_MILLIS_MAX 600000u
#define RETRY_MILLIS_MAX   20
#define REST_MILLIS        5000u /* for the rest of a stream's message whose beginning is there */

#define BAD_REQUEST_URL "type.googleapis.com/google.rpc.BadRequest"

struct sa_connection {
    int fd;
    uint32_t last_call;
    bool broken; /* an answer is outstanding or was not understood: nothing that comes now can be trusted */
    bool streams;
};

/* Bytes of ours that may hold secrets. */
struct sa_buffer {
    size_t len;
    uint8_t data[];
};

static struct sa_buffer *
buffer_new(size_t len)
{
    struct sa_buffer *buffer = malloc(sizeof(*buffer) + len);
    if (buffer != NULL)
        buffer->len = len;
    return buffer;
}

static void
buffer_free(struct sa_buffer *buffer)
{
    if (buffer == NULL)
        return;
    sa_wipe(buffer->data, buffer->len);
    free(buffer);
}

SA_DEFINE_OWN(sa_buffer, buffer_free)

/* Time. */

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t
deadline_after(uint32_t timeout_millis)
{
    assert(timeout_millis >= 1 && timeout_millis <= TIMEOUT_MILLIS_MAX);
    return now_ms() + timeout_millis;
}

/* Milliseconds left, 0 where the deadline has passed. */
static int
millis_left(int64_t deadline_ms)
{
    int64_t millis = deadline_ms - now_ms();
    return millis > 0 ? (int)millis : 0;
}

/* Errors. */

static void
set_words(struct sa_call_error *error, const char *words)
{
    snprintf(error->words, sizeof(error->words), "%s", words);
}

static enum sa_status
fail(struct sa_call_error *error, enum sa_status status, int os_error)
{
    error->os_error = os_error;
    set_words(error, sa_status_row(status)->words);
    return status;
}

/* Connecting. */

const char *
sa_call_socket(void)
{
    return geteuid() == 0 ? SA_ROOT_SOCKET : SA_USER_SOCKET;
}

/* A socket above the standard descriptors: a host program that has closed them may reopen them at any time.
 */
static int
open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(fd);
    errno = error;
    return moved;
}

/* Returns 0 or an errno. A full backlog is waited for: the kernel has no event for it. */
static int
connect_until(int fd, const struct sockaddr_un *address, int64_t deadline_ms)
{
    int pause_millis = 1;

    while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        if (errno == EISCONN)
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return errno;
        int millis = millis_left(deadline_ms);
        if (millis == 0)
            return ETIMEDOUT;
        poll(NULL, 0, pause_millis < millis ? pause_millis : millis);
        if (pause_millis < RETRY_MILLIS_MAX)
            pause_millis *= 2;
    }
    return 0;
}

/* Whoever called listen() on the socket is root. */
static enum sa_status
check_peer(int fd, struct sa_call_error *error)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return fail(error, SA_CONNECTION, errno);
    if (len != sizeof(peer) || peer.uid != 0)
        return fail(error, SA_WRONG_PEER, 0);
    return SA_OK;
}

static enum sa_status
connect_to(int fd, const char *path, int64_t deadline_ms, struct sa_call_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len >= sizeof(address.sun_path))
        return fail(error, SA_CONNECTION, ENAMETOOLONG);
    memcpy(address.sun_path, path, len);
    int os_error = connect_until(fd, &address, deadline_ms);
    if (os_error == ENOENT || os_error == ECONNREFUSED)
        return fail(error, SA_NO_DAEMON, os_error);
    if (os_error != 0)
        return fail(error, SA_CONNECTION, os_error);
    return check_peer(fd, error);
}

enum sa_status
sa_connect(const char *path, uint32_t timeout_millis, struct sa_connection **ret_connection,
           struct sa_call_error *ret_error)
{
    struct sa_call_error unwanted;
    struct sa_call_error *error = ret_error != NULL ? ret_error : &unwanted;
    int64_t deadline_ms = deadline_after(timeout_millis);

    *error = (struct sa_call_error){0};
    SA_OWN(sa_connection) connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return fail(error, SA_NO_MEMORY, ENOMEM);
    connection->fd = open_socket();
    if (connection->fd < 0)
        return fail(error, SA_CONNECTION, errno);
    enum sa_status status = connect_to(connection->fd, path, deadline_ms, error);
    if (status != SA_OK)
        return status;
    *ret_connection = sa_connection_take(&connection);
    return SA_OK;
}

void
sa_disconnect(struct sa_connection *connection)
{
    if (connection == NULL)
        return;
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection);
}

/* Sending and receiving; both return 0 or an errno. */

static int
wait_for(int fd, short events, int64_t deadline_ms)
{
    struct pollfd pollfd = {.fd = fd, .events = events};
    int millis = millis_left(deadline_ms);

    if (millis == 0)
        return ETIMEDOUT;
    if (poll(&pollfd, 1, millis) < 0 && errno != EINTR)
        return errno;
    return 0; /* the caller tries again whatever it was, and comes back here */
}

static int
send_all(int fd, const uint8_t *data, size_t len, int64_t deadline_ms)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent > 0) {
            data += sent;
            len -= (size_t)sent;
            continue;
        }
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return errno;
        int error = wait_for(fd, POLLOUT, deadline_ms);
        if (error != 0)
            return error;
    }
    return 0;
}

static int
receive_all(int fd, uint8_t *ret_data, size_t len, int64_t deadline_ms)
{
    while (len > 0) {
        ssize_t got = recv(fd, ret_data, len, 0);
        if (got > 0) {
            ret_data += got;
            len -= (size_t)got;
            continue;
        }
        if (got == 0)
            return ECONNRESET;
        if (errno != EAGAIN && errno != EINTR)
            return errno;
        int error = wait_for(fd, POLLIN, deadline_ms);
        if (error != 0)
            return error;
    }
    return 0;
}

/* A call. */

static enum sa_status
send_request(struct sa_connection *connection, const char *name, const ProtobufCMessage *request,
             int64_t deadline_ms, struct sa_call_error *error)
{
    size_t name_len = strlen(name);
    size_t body_len = protobuf_c_message_get_packed_size(request);

    assert(name_len >= 1 && name_len <= SA_FRAME_NAME_MAX);
    if (body_len > SA_FRAME_REQUEST_MAX)
        return fail(error, SA_TOO_LARGE, 0);
    SA_OWN(sa_buffer) buffer = buffer_new(SA_FRAME_HEADER_LEN + name_len + body_len);
    if (buffer == NULL)
        return fail(error, SA_NO_MEMORY, ENOMEM);
    struct sa_frame frame = {
        .kind = SA_FRAME_REQUEST,
        .call = ++connection->last_call,
        .millis = (uint32_t)millis_left(deadline_ms),
        .name_len = (uint16_t)name_len,
        .body_len = (uint32_t)body_len,
    };
    sa_frame_encode(&frame, buffer->data);
    memcpy(buffer->data + SA_FRAME_HEADER_LEN, name, name_len);
    protobuf_c_message_pack(request, buffer->data + SA_FRAME_HEADER_LEN + name_len);
    connection->broken = true; /* until its answer is read */
    int os_error = send_all(connection->fd, buffer->data, buffer->len, deadline_ms);
    return os_error == 0 ? SA_OK : fail(error, SA_CONNECTION, os_error);
}

static enum sa_status
receive_frame(struct sa_connection *connection, int64_t deadline_ms, struct sa_frame *ret_frame,
              struct sa_buffer **ret_body, struct sa_call_error *error)
{
    uint8_t header[SA_FRAME_HEADER_LEN];
    struct sa_frame frame;
    const char *rule;

    int os_error = receive_all(connection->fd, header, sizeof(header), deadline_ms);
    if (os_error != 0)
        return fail(error, SA_CONNECTION, os_error);
    if (sa_frame_decode(header, SA_FRAME_READER_CALLER, &frame, &rule) != SA_OK ||
        frame.call != connection->last_call)
        return fail(error, SA_MALFORMED, 0);
    SA_OWN(sa_buffer) body = buffer_new(frame.body_len);
    if (body == NULL)
        return fail(error, SA_NO_MEMORY, ENOMEM);
    os_error = receive_all(connection->fd, body->data, body->len, deadline_ms);
    if (os_error != 0)
        return fail(error, SA_CONNECTION, os_error);
    *ret_frame = frame;
    *ret_body = sa_buffer_take(&body);
    return SA_OK;
}

/* Decode what the daemon said; that it is not legal is its fault, whatever the rule. */
static enum sa_status
decode_answer(const ProtobufCMessageDescriptor *type, struct sa_bytes body, struct sa_arena *arena,
              ProtobufCMessage **ret_message)
{
    struct sa_problem problem;
    enum sa_status status = sa_decode(type, body, SA_DECODE_REPLY, arena, ret_message, &problem);

    return status == SA_INVALID_ARGUMENT ? SA_MALFORMED : status;
}

/* google.rpc.BadRequest: the field and its rule become the words. */
static enum sa_status
read_bad_request(struct sa_bytes body, struct sa_arena *arena, struct sa_call_error *error)
{
    ProtobufCMessage *message;
    enum sa_status status = decode_answer(&google__rpc__bad_request__descriptor, body, arena, &message);
    if (status != SA_OK)
        return status;

    const Google__Rpc__BadRequest *bad = (const Google__Rpc__BadRequest *)message;
    if (bad->n_field_violations == 0)
        return SA_OK;
    const Google__Rpc__BadRequest__FieldViolation *violation = bad->field_violations[0];
    snprintf(error->field, sizeof(error->field), "%s", violation->field);
    snprintf(error->words, sizeof(error->words), "%s: %s", violation->field, violation->description);
    return SA_OK;
}

/* google.rpc.Status, the body of every reply that is not OK. */
static enum sa_status
read_error(struct sa_bytes body, struct sa_arena *arena, struct sa_call_error *error)
{
    ProtobufCMessage *message;
    enum sa_status status = decode_answer(&google__rpc__status__descriptor, body, arena, &message);
    if (status != SA_OK)
        return status;

    const Google__Rpc__Status *said = (const Google__Rpc__Status *)message;
    if (said->message[0] != '\0')
        set_words(error, said->message);
    for (size_t i = 0; i < said->n_details && status == SA_OK; i++) {
        const Google__Protobuf__Any *detail = said->details[i];
        if (strcmp(detail->type_url, BAD_REQUEST_URL) == 0)
            status = read_bad_request(sa_bytes(detail->value.data, detail->value.len), arena, error);
    }
    return status;
}

static enum sa_status
read_answer(const struct sa_frame *frame, struct sa_bytes body, const ProtobufCMessageDescriptor *reply_type,
            struct sa_arena *arena, ProtobufCMessage **ret_reply, struct sa_call_error *error)
{
    enum sa_status said = sa_status_from_wire(frame->status);
    enum sa_status status;

    error->request_id = frame->request_id;
    if (said == SA_OK) {
        status = decode_answer(reply_type, body, arena, ret_reply);
        return status == SA_OK ? SA_OK : fail(error, status, 0);
    }
    error->retry_ms = frame->millis;
    fail(error, said, 0);
    status = said == SA_MALFORMED ? SA_OK : read_error(body, arena, error);
    return status == SA_OK ? said : fail(error, status, 0);
}

enum sa_status
sa_call(struct sa_connection *connection, const char *name, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *reply_type, uint32_t timeout_millis, struct sa_arena *arena,
        ProtobufCMessage **ret_reply, struct sa_call_error *ret_error)
{
    struct sa_call_error unwanted;
    struct sa_call_error *error = ret_error != NULL ? ret_error : &unwanted;
    int64_t deadline_ms = deadline_after(timeout_millis);
    struct sa_frame frame;
    SA_OWN(sa_buffer) body = NULL;

    *error = (struct sa_call_error){0};
    if (connection->broken)
        return fail(error, SA_CONNECTION, EPIPE);
    enum sa_status status = send_request(connection, name, request, deadline_ms, error);
    if (status != SA_OK)
        return status;
    status = receive_frame(connection, deadline_ms, &frame, &body, error);
    if (status == SA_OK && frame.kind != SA_FRAME_REPLY)
        status = fail(error, SA_MALFORMED, 0);
    if (status != SA_OK)
        return status;
    status = read_answer(&frame, sa_bytes(body->data, body->len), reply_type, arena, ret_reply, error);
    connection->broken = status == SA_MALFORMED;
    return status;
}

/* Streams. */

enum sa_status
sa_call_stream(struct sa_connection *connection, const char *name, const ProtobufCMessage *request,
               uint32_t timeout_millis, struct sa_call_error *ret_error)
{
    struct sa_call_error unwanted;
    struct sa_call_error *error = ret_error != NULL ? ret_error : &unwanted;

    *error = (struct sa_call_error){0};
    if (connection->broken)
        return fail(error, SA_CONNECTION, EPIPE);
    enum sa_status status = send_request(connection, name, request, deadline_after(timeout_millis), error);
    connection->streams = status == SA_OK; /* and broken for calls: it stays the stream's */
    return status;
}

/* A message, or the end: an END says what came to pass, a REPLY that there is no such stream. */
static enum sa_status
read_item(const struct sa_frame *frame, struct sa_bytes body, const ProtobufCMessageDescriptor *item_type,
          struct sa_arena *arena, ProtobufCMessage **ret_item, struct sa_call_error *error)
{
    bool is_item = frame->kind == SA_FRAME_ITEM;

    if (is_item != (frame->status == SA_OK)) /* no stream of ours ends because it is done */
        return fail(error, SA_MALFORMED, 0);
    return read_answer(frame, body, item_type, arena, ret_item, error);
}

enum sa_status
sa_call_next(struct sa_connection *connection, const ProtobufCMessageDescriptor *item_type,
             uint32_t timeout_millis, struct sa_arena *arena, ProtobufCMessage **ret_item,
             struct sa_call_error *ret_error)
{
    struct sa_call_error unwanted;
    struct sa_call_error *error = ret_error != NULL ? ret_error : &unwanted;
    int64_t deadline_ms = deadline_after(timeout_millis);
    struct sa_frame frame;
    SA_OWN(sa_buffer) body = NULL;

    *error = (struct sa_call_error){0};
    if (!connection->streams)
        return fail(error, SA_CONNECTION, EPIPE);
    int os_error = wait_for(connection->fd, POLLIN, deadline_ms);
    if (os_error == 0 && recv(connection->fd, &(uint8_t){0}, 1, MSG_PEEK) < 0)
        os_error = errno;
    if (os_error == EAGAIN || os_error == EINTR || os_error == ETIMEDOUT)
        return fail(error, SA_DEADLINE, ETIMEDOUT);
    connection->streams = false; /* unless all goes well */
    if (os_error != 0)
        return fail(error, SA_CONNECTION, os_error);
    enum sa_status status = receive_frame(connection, deadline_after(REST_MILLIS), &frame, &body, error);
    if (status == SA_OK)
        status = read_item(&frame, sa_bytes(body->data, body->len), item_type, arena, ret_item, error);
    connection->streams = status == SA_OK;
    return status;
}

int
sa_connection_fd(const struct sa_connection *connection)
{
    return connection->fd;
}
