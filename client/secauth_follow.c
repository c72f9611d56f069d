/* A verifier that follows the daemon's streams of keys and revocations (client/secauth.h). */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "client/secauth_call.h"
#include "client/verify_token.h"
#include "secauth/v1/key.pb-c.h"

#define CONNECT_MILLIS   1000u
#define BEGIN_MILLIS     10000u /* for the daemon to begin a stream */
#define PAUSE_MILLIS     100u
#define PAUSE_MILLIS_MAX 1000u
#define RETRY_MILLIS_MAX 10000u /* whatever the daemon says */
#define CURRENT_MILLIS   20000  /* the daemon speaks every 5 s */
#define MESSAGES_A_STEP  64u
#define INCARNATION_MAX  64u
#define TIMEOUT_MAX      600000u

#define SERVICE "secauth.v1.KeyService/"

enum { KEYS, REVOCATIONS, STREAMS };

struct stream {
    struct sa_connection *connection; /* NULL: none now */
    int64_t heard_ms;                 /* CLOCK_BOOTTIME, also of its beginning */
    int64_t due_ms;                   /* connect again from then on */
    uint32_t pause_millis;
    enum sa_status status; /* why there is none; SA_OK while there is one */
    struct sa_call_error error;
};

struct secauth_follower {
    struct secauth_verifier *verifier;
    int epoll; /* of the streams and of the timer, which stands at whatever is due next */
    int timer;
    struct stream streams[STREAMS];
    char etag[64]; /* of the keys that the verifier has */
    char incarnation[INCARNATION_MAX + 1];
    uint64_t sequence;
    char *path;                   /* this and the client's are owned */
    struct secauth_client client; /* id NULL: none */
};

static int64_t
ms_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Making one. */

static void
wipe_text(char *text)
{
    if (text != NULL)
        sa_wipe(text, strlen(text));
    free(text);
}

void
secauth_follower_free(struct secauth_follower *follower)
{
    if (follower == NULL)
        return;
    for (size_t i = 0; i < STREAMS; i++)
        sa_disconnect(follower->streams[i].connection);
    if (follower->timer >= 0)
        close(follower->timer);
    if (follower->epoll >= 0)
        close(follower->epoll);
    free(follower->path);
    free(sa_secauth_borrow(follower->client.id));
    wipe_text(sa_secauth_borrow(follower->client.secret));
    free(follower);
}

static bool
copy_client(struct secauth_follower *follower, const struct secauth_client *client)
{
    follower->client.id = strdup(client->id);
    if (client->secret != NULL)
        follower->client.secret = strdup(client->secret);
    return follower->client.id != NULL && (client->secret == NULL || follower->client.secret != NULL);
}

static bool
watch_descriptor(const struct secauth_follower *follower, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(follower->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

enum secauth_status
secauth_follower_new(const char *path, const struct secauth_client *client, struct secauth_verifier *verifier,
                     struct secauth_follower **ret_follower, struct secauth_error *ret_error)
{
    if (verifier == NULL || ret_follower == NULL || (client != NULL && client->id == NULL))
        return sa_secauth_fail(SA_INVALID_ARGUMENT, "an argument that is needed is NULL", ret_error);
    struct secauth_follower *follower = calloc(1, sizeof(*follower));
    if (follower == NULL)
        return sa_secauth_fail(SA_NO_MEMORY, NULL, ret_error);
    follower->verifier = verifier;
    follower->epoll = epoll_create1(EPOLL_CLOEXEC);
    follower->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    follower->path = strdup(path != NULL ? path : sa_call_socket());
    for (size_t i = 0; i < STREAMS; i++)
        follower->streams[i].status = SA_CONNECTION;
    enum sa_status status = SA_OK;
    if (follower->path == NULL || (client != NULL && !copy_client(follower, client)))
        status = SA_NO_MEMORY;
    else if (follower->epoll < 0 || follower->timer < 0 || !watch_descriptor(follower, follower->timer))
        status = SA_CONNECTION;
    if (status != SA_OK) {
        secauth_follower_free(follower);
        return sa_secauth_fail(status, NULL, ret_error);
    }
    /* Readable from the beginning: there is a connection to make. */
    timerfd_settime(follower->timer, 0, &(struct itimerspec){.it_value.tv_nsec = 1}, NULL);
    *ret_follower = follower;
    return SECAUTH_OK;
}

int
secauth_follower_fd(const struct secauth_follower *follower)
{
    return follower->epoll;
}

/* Streams. */

/* The stream is over: again after a pause that grows, or as the daemon says. */
static void
end_stream(struct stream *stream, enum sa_status status, int64_t now_ms)
{
    sa_disconnect(stream->connection);
    stream->connection = NULL;
    stream->status = status;
    stream->pause_millis = stream->pause_millis == 0 ? PAUSE_MILLIS : 2 * stream->pause_millis;
    if (stream->pause_millis > PAUSE_MILLIS_MAX)
        stream->pause_millis = PAUSE_MILLIS_MAX;
    uint32_t said_millis =
        stream->error.retry_ms < RETRY_MILLIS_MAX ? stream->error.retry_ms : RETRY_MILLIS_MAX;
    stream->due_ms = now_ms + (said_millis > stream->pause_millis ? said_millis : stream->pause_millis);
}

static enum sa_status
begin(struct secauth_follower *follower, size_t which, struct sa_call_error *ret_error)
{
    Secauth__V1__WatchKeySetRequest keys = SECAUTH__V1__WATCH_KEY_SET_REQUEST__INIT;
    Secauth__V1__WatchRevocationsRequest revocations = SECAUTH__V1__WATCH_REVOCATIONS_REQUEST__INIT;
    Secauth__V1__ClientAuth auth;
    struct sa_connection *connection = follower->streams[which].connection;

    if (which == KEYS)
        return sa_call_stream(connection, SERVICE "WatchKeySet", &keys.base, BEGIN_MILLIS, ret_error);
    if (follower->client.id != NULL && sa_secauth_fill_client(&follower->client, &auth))
        revocations.client = &auth;
    revocations.incarnation = follower->incarnation;
    revocations.sequence = follower->sequence;
    return sa_call_stream(connection, SERVICE "WatchRevocations", &revocations.base, BEGIN_MILLIS, ret_error);
}

static void
connect_stream(struct secauth_follower *follower, size_t which)
{
    struct stream *stream = &follower->streams[which];
    enum sa_status status = sa_connect(follower->path, CONNECT_MILLIS, &stream->connection, &stream->error);

    if (status == SA_OK)
        status = begin(follower, which, &stream->error);
    if (status == SA_OK && !watch_descriptor(follower, sa_connection_fd(stream->connection)))
        status = SA_NO_MEMORY;
    int64_t now_ms = ms_of(CLOCK_BOOTTIME);
    stream->heard_ms = now_ms;
    if (status == SA_OK)
        stream->status = SA_OK;
    else
        end_stream(stream, status, now_ms);
}

/* Messages. */

static enum sa_status
take_keys(struct secauth_follower *follower, const ProtobufCMessage *item, int64_t now_ms)
{
    const Secauth__V1__WatchKeySetResponse *said = (const Secauth__V1__WatchKeySetResponse *)item;
    struct secauth_verifier *verifier = follower->verifier;

    if (strcmp(said->etag, follower->etag) != 0) {
        enum secauth_status status =
            secauth_verifier_set_keys(verifier, (const char *)said->jwks.data, said->jwks.len, NULL);
        if (status != SECAUTH_OK)
            return status == SECAUTH_NO_MEMORY ? SA_NO_MEMORY : SA_MALFORMED;
        snprintf(follower->etag, sizeof(follower->etag), "%s", said->etag);
    }
    pthread_rwlock_wrlock(&verifier->lock);
    verifier->keys_heard_ms = now_ms;
    pthread_rwlock_unlock(&verifier->lock);
    return SA_OK;
}

static bool
entry_of_rule(const Secauth__V1__NotBeforeRule *rule, struct sa_denied_entry *ret_entry)
{
    switch ((int)rule->whose_case) {
    case SECAUTH__V1__NOT_BEFORE_RULE__WHOSE_SUBJECT:
        if (!sa_denied_entry(SA_DENIED_SUBJECT, sa_bytes_of(rule->subject), ret_entry))
            return false;
        break;
    case SECAUTH__V1__NOT_BEFORE_RULE__WHOSE_CLIENT:
        sa_denied_entry_number(SA_DENIED_CLIENT, rule->client, ret_entry);
        break;
    case SECAUTH__V1__NOT_BEFORE_RULE__WHOSE_INSTANCE:
        sa_denied_entry_number(SA_DENIED_INSTANCE, rule->instance, ret_entry);
        break;
    default:
        return false;
    }
    ret_entry->since_ms = rule->since_ms;
    ret_entry->not_before_ms = rule->not_before_ms;
    return true;
}

/* False for what is not understood: then it is not known what is void. */
static bool
entry_of(const Secauth__V1__Revocation *said, struct sa_denied_entry *ret_entry)
{
    bool known = false;

    if (said->what_case == SECAUTH__V1__REVOCATION__WHAT_SID)
        known = sa_denied_entry(SA_DENIED_SESSION, sa_bytes_of(said->sid), ret_entry);
    else if (said->what_case == SECAUTH__V1__REVOCATION__WHAT_JTI)
        known = sa_denied_entry(SA_DENIED_TOKEN, sa_bytes_of(said->jti), ret_entry);
    else if (said->what_case == SECAUTH__V1__REVOCATION__WHAT_RULE && said->rule != NULL)
        known = entry_of_rule(said->rule, ret_entry);
    if (known)
        ret_entry->until_ms = said->until_ms;
    return known;
}

/* For as long as the verifier takes a token that it concerns: the daemon knows of no leeway. */
static int64_t
kept_until(const struct secauth_verifier *verifier, int64_t until_ms)
{
    int64_t leeway_ms = (int64_t)verifier->leeway_seconds * 1000;

    return until_ms > INT64_MAX - leeway_ms ? INT64_MAX : until_ms + leeway_ms;
}

static enum sa_status
deny(struct secauth_verifier *verifier, const Secauth__V1__WatchRevocationsResponse *said)
{
    int64_t now_ms = ms_of(CLOCK_REALTIME);
    struct sa_denied_entry entry;

    for (size_t i = 0; i < said->n_revocations; i++) {
        if (!entry_of(said->revocations[i], &entry))
            return SA_MALFORMED;
        entry.until_ms = kept_until(verifier, entry.until_ms);
        enum sa_status status = sa_denied_put(&verifier->denied, &entry, now_ms);
        if (status != SA_OK)
            return status;
    }
    return SA_OK;
}

static enum sa_status
take_revocations(struct secauth_follower *follower, const ProtobufCMessage *item, int64_t now_ms)
{
    const Secauth__V1__WatchRevocationsResponse *said = (const Secauth__V1__WatchRevocationsResponse *)item;
    struct secauth_verifier *verifier = follower->verifier;

    if (strlen(said->incarnation) > INCARNATION_MAX)
        return SA_MALFORMED;
    pthread_rwlock_wrlock(&verifier->lock);
    enum sa_status status = deny(verifier, said);
    if (status == SA_OK && said->caught_up)
        verifier->revocations_heard_ms = now_ms;
    else if (status != SA_OK)
        verifier->revocations_heard_ms = 0;
    pthread_rwlock_unlock(&verifier->lock);
    if (status != SA_OK)
        return status; /* the message is asked for again */
    strcpy(follower->incarnation, said->incarnation);
    follower->sequence = said->sequence;
    return SA_OK;
}

static bool
is_readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) > 0;
}

/* One message, if one is there. Returns SA_DEADLINE where none is. */
static enum sa_status
take_message(struct secauth_follower *follower, size_t which)
{
    static const ProtobufCMessageDescriptor *const TYPES[STREAMS] = {
        &secauth__v1__watch_key_set_response__descriptor,
        &secauth__v1__watch_revocations_response__descriptor,
    };
    struct stream *stream = &follower->streams[which];
    SA_OWN(sa_arena) arena = sa_arena_new(SA_SECAUTH_ARENA_MAX);
    ProtobufCMessage *item;

    if (!is_readable(sa_connection_fd(stream->connection)))
        return SA_DEADLINE;
    if (arena == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_call_next(stream->connection, TYPES[which], 1, arena, &item, &stream->error);
    if (status != SA_OK) /* the daemon, too, may end a stream with SA_DEADLINE */
        return status == SA_DEADLINE && stream->error.os_error == 0 ? SA_CONNECTION : status;
    stream->heard_ms = ms_of(CLOCK_BOOTTIME);
    stream->pause_millis = 0;
    return which == KEYS ? take_keys(follower, item, stream->heard_ms)
                         : take_revocations(follower, item, stream->heard_ms);
}

static void
read_stream(struct secauth_follower *follower, size_t which)
{
    struct stream *stream = &follower->streams[which];
    enum sa_status status = SA_OK;

    stream->error = (struct sa_call_error){0};
    for (unsigned i = 0; i < MESSAGES_A_STEP && status == SA_OK; i++)
        status = take_message(follower, which);
    int64_t now_ms = ms_of(CLOCK_BOOTTIME);
    if (status == SA_DEADLINE && now_ms - stream->heard_ms > CURRENT_MILLIS)
        status = SA_CONNECTION; /* whoever is silent for so long is gone */
    if (status == SA_OK || status == SA_DEADLINE)
        return;
    if (status == SA_OUT_OF_RANGE) { /* another history: from its beginning */
        follower->incarnation[0] = '\0';
        follower->sequence = 0;
    }
    end_stream(stream, status, now_ms);
}

/* Steps. */

/* The timer stands at the next time that something is due though nobody speaks. */
static void
set_timer(const struct secauth_follower *follower)
{
    int64_t due_ms = INT64_MAX;

    for (size_t i = 0; i < STREAMS; i++) {
        const struct stream *stream = &follower->streams[i];
        int64_t at_ms = stream->connection != NULL ? stream->heard_ms + CURRENT_MILLIS + 1 : stream->due_ms;
        due_ms = at_ms < due_ms ? at_ms : due_ms;
    }
    struct itimerspec at = {.it_value = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 + 1}};
    timerfd_settime(follower->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

enum secauth_status
secauth_follower_step(struct secauth_follower *follower, uint32_t timeout_millis,
                      struct secauth_error *ret_error)
{
    struct epoll_event event;

    if (follower == NULL || timeout_millis > TIMEOUT_MAX)
        return sa_secauth_fail(SA_INVALID_ARGUMENT, "timeout_millis: 0 to 600,000", ret_error);
    if (timeout_millis > 0)
        epoll_wait(follower->epoll, &event, 1, (int)timeout_millis);
    for (size_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &follower->streams[i];
        if (stream->connection != NULL)
            read_stream(follower, i);
        if (stream->connection == NULL && stream->due_ms <= ms_of(CLOCK_BOOTTIME))
            connect_stream(follower, i);
    }
    set_timer(follower);
    for (size_t i = 0; i < STREAMS; i++)
        if (follower->streams[i].status != SA_OK)
            return sa_secauth_report(follower->streams[i].status, &follower->streams[i].error, ret_error);
    return SECAUTH_OK;
}

int
secauth_verifier_is_current(struct secauth_verifier *verifier)
{
    int64_t since_ms = ms_of(CLOCK_BOOTTIME) - CURRENT_MILLIS;

    pthread_rwlock_rdlock(&verifier->lock);
    bool current = verifier->keys_heard_ms > 0 && verifier->keys_heard_ms >= since_ms &&
                   verifier->revocations_heard_ms > 0 && verifier->revocations_heard_ms >= since_ms;
    pthread_rwlock_unlock(&verifier->lock);
    return current;
}
