/*
 * Denials that cost no hash: a name that waits is denied over and over, pipelined on 8 connections of root's.
 *     bench_denials SOCKET wait TIMES           make it wait: 6 wrong passwords, then TIMES more, each when
 * the wait before it is over; it waits 2^TIMES seconds afterwards bench_denials SOCKET rate SECONDS prints
 * denials a second, each decided, held and answered bench_denials SOCKET held COUNT PID       prints the
 * bytes that each of COUNT held ones takes in process PID
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/frame.h"
#include "secauth/v1/authn.pb-c.h"
#include "tests/bench/bench.h"

#define CONNECTIONS 8u
#define OFFERED     25000 /* attempts a second */
#define BATCH       50u
#define REQUEST_MAX 512u

struct conn {
    int fd;
    uint32_t calls;
    unsigned open;
    size_t out_len, out_at, in_len;
    uint8_t out[BATCH * REQUEST_MAX];
    uint8_t in[65536];
};

static struct conn conns[CONNECTIONS];

static ProtobufCBinaryData
bytes_of(char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

/* One attempt for mallory, whom nobody knows, from one address; returns its length. */
static size_t
put_attempt(struct conn *conn, char *password, uint8_t *ret_bytes)
{
    static const char name[] = "secauth.v1.AuthnService/BeginAuthentication";
    Secauth__V1__BeginAuthenticationRequest request = SECAUTH__V1__BEGIN_AUTHENTICATION_REQUEST__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;
    static char service[] = "sshd", user[] = "mallory", rhost[] = "203.0.113.7";

    origin.service = service;
    origin.rhost = bytes_of(rhost);
    request.user = bytes_of(user);
    request.password = bytes_of(password);
    request.origin = &origin;
    struct sa_frame frame = {
        .kind = SA_FRAME_REQUEST,
        .call = ++conn->calls,
        .millis = 30000,
        .name_len = sizeof(name) - 1,
        .body_len = (uint32_t)secauth__v1__begin_authentication_request__get_packed_size(&request)};
    size_t len = SA_FRAME_HEADER_LEN + frame.name_len + frame.body_len;
    if (len > REQUEST_MAX)
        give_up("a request is too long");
    sa_frame_encode(&frame, ret_bytes);
    memcpy(ret_bytes + SA_FRAME_HEADER_LEN, name, frame.name_len);
    secauth__v1__begin_authentication_request__pack(&request,
                                                    ret_bytes + SA_FRAME_HEADER_LEN + frame.name_len);
    return len;
}

static void
open_all(const char *path, int epoll)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &conns[i]};
        conns[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(conns[i].fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
            fcntl(conns[i].fd, F_SETFL, O_NONBLOCK) != 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, conns[i].fd, &event) != 0)
            give_up("%s: %s", path, strerror(errno));
    }
}

/* What waits to be sent; true when that is all. */
static bool
flush_out(struct conn *conn)
{
    while (conn->out_at < conn->out_len) {
        ssize_t sent = send(conn->fd, conn->out + conn->out_at, conn->out_len - conn->out_at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            return false;
        if (sent < 0)
            give_up("a request could not be sent: %s", strerror(errno));
        conn->out_at += (size_t)sent;
    }
    conn->out_at = conn->out_len = 0;
    return true;
}

/* Attempts on every connection in turn, `count` at most; how many were made. */
static unsigned long
send_some(unsigned long count)
{
    static char password[] = "a wrong password";
    unsigned long made = 0;

    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct conn *conn = &conns[i];
        if (!flush_out(conn))
            continue;
        for (unsigned k = 0; k < BATCH && made < count; k++, made++, conn->open++)
            conn->out_len += put_attempt(conn, password, conn->out + conn->out_len);
        flush_out(conn);
    }
    return made;
}

/* How many denials came. Who is told that the daemon is busy was not decided. */
static unsigned
take_answers(struct conn *conn)
{
    struct sa_frame frame;
    const char *rule;
    size_t at = 0;
    unsigned count = 0;

    ssize_t got = recv(conn->fd, conn->in + conn->in_len, sizeof(conn->in) - conn->in_len, 0);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        give_up("the daemon hung up");
    conn->in_len += (size_t)got;
    for (; conn->in_len - at >= SA_FRAME_HEADER_LEN; conn->open--) {
        if (sa_frame_decode(conn->in + at, SA_FRAME_READER_CALLER, &frame, &rule) != SA_OK)
            give_up("an answer is malformed: %s", rule);
        if (conn->in_len - at < SA_FRAME_HEADER_LEN + frame.body_len)
            break;
        if (frame.status == SA_INVALID_CREDENTIALS)
            count++;
        else if (frame.status != SA_OVERLOADED)
            give_up("an answer says %s", sa_status_row((enum sa_status)frame.status)->name);
        at += SA_FRAME_HEADER_LEN + frame.body_len;
    }
    memmove(conn->in, conn->in + at, conn->in_len - at);
    conn->in_len -= at;
    return count;
}

static unsigned
wait_for_answers(int epoll, int millis)
{
    struct epoll_event events[CONNECTIONS];
    unsigned count = 0;
    int ready = epoll_wait(epoll, events, CONNECTIONS, millis);

    for (int i = 0; i < ready; i++)
        count += take_answers(events[i].data.ptr);
    return count;
}

/* What is open is sent and answered. */
static void
drain(int epoll)
{
    uint64_t end_ns = now_ns() + (uint64_t)20e9;

    for (unsigned i = 0; i < CONNECTIONS; i++)
        while (conns[i].open > 0) {
            send_some(0);
            wait_for_answers(epoll, 10);
            if (now_ns() > end_ns)
                give_up("denials that are not answered");
        }
}

static void
make_wait(int epoll, int times)
{
    for (int i = 0; i < 6 + times; i++) {
        char password[32];
        uint8_t bytes[REQUEST_MAX];
        if (i > 5) {
            struct timespec pause = {.tv_sec = (time_t)1 << (i - 6), .tv_nsec = 100000000};
            nanosleep(&pause, NULL);
        }
        snprintf(password, sizeof(password), "wrong the %dth time", i);
        size_t len = put_attempt(&conns[0], password, bytes);
        if (send(conns[0].fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
            give_up("a request could not be sent");
        conns[0].open++;
        drain(epoll);
    }
}

/* How many attempts there should have been by now. */
static unsigned long
due_since(uint64_t start_ns)
{
    return (unsigned long)((double)(now_ns() - start_ns) * OFFERED / 1e9);
}

static void
measure_rate(int epoll, double seconds)
{
    /* From the first answer on as many are held as there will ever be. */
    uint64_t start_ns = now_ns(), from_ns = 0, ns;
    unsigned long sent = 0, count = 0;

    do {
        unsigned long due = due_since(start_ns);
        sent += due > sent ? send_some(due - sent) : 0;
        unsigned denied = wait_for_answers(epoll, 1);
        ns = now_ns();
        if (from_ns == 0 && denied > 0)
            from_ns = ns;
        else
            count += denied;
    } while (from_ns == 0 || (double)(ns - from_ns) < seconds * 1e9);
    drain(epoll);
    printf("%.0f\n", (double)count * 1e9 / (double)(ns - from_ns));
}

/* Memory of its own that is in use, in bytes. */
static double
memory_of(const char *pid)
{
    char path[64];
    char line[256];
    double kib = -1;

    snprintf(path, sizeof(path), "/proc/%s/status", pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = atof(line + 8);
    if (file == NULL || kib < 0)
        give_up("%s cannot be read", path);
    fclose(file);
    return kib * 1024;
}

/* They are held for longer than it takes to make and to count them. */
static void
measure_held(int epoll, unsigned long count, const char *pid)
{
    static const struct timespec settle = {.tv_sec = 1};
    uint64_t start_ns = now_ns();
    double before = memory_of(pid);

    for (unsigned long sent = 0; sent < count;) {
        unsigned long due = due_since(start_ns);
        due = due < count ? due : count;
        sent += due > sent ? send_some(due - sent) : 0;
        if (wait_for_answers(epoll, 1) > 0)
            give_up("a denial was not held: is denial_floor long enough?");
    }
    send_some(0);
    nanosleep(&settle, NULL);
    if (wait_for_answers(epoll, 0) > 0)
        give_up("a denial was not held: is denial_floor long enough?");
    unsigned long held = 0;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        held += conns[i].open; /* without those that were told at once that the daemon is busy */
    printf("%.0f\n", (memory_of(pid) - before) / (double)held);
}

int
main(int argc, char **argv)
{
    int epoll = epoll_create1(0);
    const char *what = argc >= 4 ? argv[2] : "";

    if (argc >= 4)
        open_all(argv[1], epoll);
    if (strcmp(what, "wait") == 0)
        make_wait(epoll, atoi(argv[3]));
    else if (strcmp(what, "rate") == 0)
        measure_rate(epoll, atof(argv[3]));
    else if (strcmp(what, "held") == 0 && argc == 5)
        measure_held(epoll, (unsigned long)atol(argv[3]), argv[4]);
    else
        give_up("usage: bench_denials SOCKET wait TIMES | rate SECONDS | held COUNT PID");
    return 0;
}
