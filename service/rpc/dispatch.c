#include "dispatch.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "service/auth/login.h"
#include "service/base/log.h"
#include "service/rpc/call_log.h"
#include "service/rpc/origin.h"
#include "service/rpc/reply.h"

#define OVERLOADED_RETRY_MS 500u
#define CEILING_RETRY_MS    1000u
#define ID_STEP             0x9e3779b97f4a7c15u /* odd: visits every number before one comes again */

struct sa_dispatch {
    struct sa_dispatch_options options;
    int64_t started_ms;
    _Atomic(const struct sa_conf *) conf;
    struct sa_lane_queue *lanes[SA_LANES]; /* none for SA_LANE_INLINE */
    uint64_t next_id;                      /* the loop's */
    atomic_bool closed;
    atomic_ullong calls;
    atomic_ullong malformed;
};

/* ---- the end of a call ---- */

/*
 * A client whose proof has failed is charged. Its secret is 256 random bits that cost nothing to check, so,
 * unlike a person's password, no unit is taken beforehand: any number of honest calls may be under way at
 * once.
 */
static void
settle(struct sa_exchange *exchange, enum sa_status status)
{
    struct sa_call *call = &exchange->call;
    bool is_decided = status != SA_STORAGE && status != SA_NO_MEMORY; /* else it counts against nobody */

    if (call->counts_against_source && is_decided)
        (void)sa_buckets_charge(exchange->dispatch->options.buckets, &call->source, call->now.boot_ms);
    if (call->hashed && call->hold_until_boot_ms != 0)
        sa_login_saw_denial(call->authority, call->kept, call->hold_until_boot_ms, sa_clock_now().boot_ms);
}

static void
finish_named(struct sa_exchange *exchange, enum sa_status status, struct sa_bytes unknown_name)
{
    struct sa_dispatch *dispatch = exchange->dispatch;

    settle(exchange, status);
    if ((status == SA_OVERLOADED || status == SA_STORAGE || status == SA_NO_MEMORY) &&
        exchange->call.retry_ms == 0)
        exchange->call.retry_ms = OVERLOADED_RETRY_MS;
    sa_reply_make(exchange, status);
    atomic_fetch_add_explicit(&dispatch->calls, 1, memory_order_relaxed);
    sa_call_log(exchange, unknown_name);
    exchange->answered = true;
    dispatch->options.done(exchange); /* the exchange is the transport's from here */
}

static void
finish(struct sa_exchange *exchange, enum sa_status status)
{
    finish_named(exchange, status, sa_bytes(NULL, 0));
}

/* ---- steps and lanes ---- */

static void run_job(struct sa_job *job, bool expired);

static enum sa_status
submit(struct sa_exchange *exchange)
{
    exchange->job = (struct sa_job){
        .source = exchange->call.source.text,
        .deadline_boot_ms = exchange->call.settles ? INT64_MAX : exchange->call.deadline_boot_ms,
        .kept = exchange->call.kept,
        .settles = exchange->call.settles,
        .run = run_job,
    };
    return sa_lane_submit(exchange->dispatch->lanes[exchange->lane], &exchange->job);
}

static void
submit_or_refuse(struct sa_exchange *exchange)
{
    if (submit(exchange) != SA_OK)
        finish(exchange, SA_OVERLOADED);
}

/* On the writer's thread. */
static void
committed(void *user, enum sa_status status)
{
    struct sa_exchange *exchange = user;

    exchange->call.committed = status;
    exchange->dispatch->options.resume(exchange);
}

/* The call goes on, on another thread, as soon as its part is handed over: nothing of it is touched
 * afterwards. */
static void
hand_to_writer(struct sa_exchange *exchange)
{
    struct sa_work *part = exchange->call.commit;

    exchange->call.commit = NULL;
    sa_store_submit(exchange->dispatch->options.store, part, committed, exchange);
}

/* Run steps for as long as they stay on this lane; hand over to the writer or the next lane, or finish. */
static void
advance(struct sa_exchange *exchange)
{
    struct sa_call *call = &exchange->call;

    for (;;) {
        call->next_step = NULL;
        enum sa_status status = exchange->step(call);
        if (call->paused) {
            exchange->step = call->next_step;
            exchange->lane = call->next_lane;
        }
        if (call->again_boot_ms != 0 || call->paused) {
            exchange->dispatch->options.resume(exchange); /* it is the loop's from here */
            return;
        }
        if (call->next_step == NULL) {
            finish(exchange, status);
            return;
        }
        exchange->step = call->next_step;
        if (call->commit != NULL) {
            hand_to_writer(exchange);
            return;
        }
        if (call->next_lane != exchange->lane && call->next_lane != SA_LANE_INLINE)
            break;
    }
    exchange->lane = call->next_lane;
    submit_or_refuse(exchange);
}

/* The next step of a stream. */
static void
go_on(struct sa_exchange *exchange)
{
    exchange->call.paused = false;
    exchange->call.bell = NULL;
    exchange->call.now = sa_clock_now();
    if (exchange->lane == SA_LANE_INLINE)
        advance(exchange);
    else
        submit_or_refuse(exchange);
}

void
sa_dispatch_end(struct sa_exchange *exchange, enum sa_status status)
{
    exchange->call.paused = false;
    finish(exchange, status);
}

void
sa_dispatch_resume(struct sa_exchange *exchange)
{
    if (exchange->call.paused) {
        go_on(exchange);
        return;
    }
    if (exchange->call.again_boot_ms != 0) {
        exchange->call.again_boot_ms = 0;
        submit_or_refuse(exchange);
        return;
    }
    exchange->lane = SA_LANE_INLINE;
    advance(exchange);
}

static void
run_job(struct sa_job *job, bool expired)
{
    struct sa_exchange *exchange =
        (struct sa_exchange *)(void *)((uint8_t *)job - offsetof(struct sa_exchange, job));

    if (exchange->answered) {
        if (!expired)
            (void)exchange->step(&exchange->call); /* nobody waits for it */
        exchange->call.after_step = NULL;
        sa_exchange_end(exchange);
    } else if (expired) {
        bool closed = atomic_load(&exchange->dispatch->closed);
        finish(exchange, closed ? SA_SHUTTING_DOWN : SA_DEADLINE);
    } else {
        advance(exchange);
    }
}

/* ---- the way in ---- */

/* Row, socket, the caller's right. */
static enum sa_status
admit(struct sa_exchange *exchange, const struct sa_incoming *incoming)
{
    struct sa_call *call = &exchange->call;

    if (call->method == NULL)
        return SA_UNIMPLEMENTED;
    if (incoming->caller == NULL)
        call->log_reason = "UNKNOWN_PEER";
    else if ((call->method->where & call->caller.via) == 0)
        call->log_reason = "WRONG_SOCKET";
    else if (call->caller.standing < call->method->who)
        call->log_reason = "NO_RIGHT";
    else
        return SA_OK;
    return SA_PERMISSION_DENIED;
}

/* Bounds and decode. */
static enum sa_status
read_request(struct sa_exchange *exchange, struct sa_bytes body)
{
    struct sa_call *call = &exchange->call;
    const struct sa_method *method = call->method;
    ProtobufCMessage *request;
    enum sa_status status = SA_TOO_LARGE;

    if (body.len <= method->max_request)
        status =
            sa_decode(method->request_type, body, SA_DECODE_REQUEST, call->arena, &request, &call->problem);
    if (status == SA_TOO_LARGE || status == SA_INVALID_ARGUMENT)
        atomic_fetch_add_explicit(&exchange->dispatch->malformed, 1, memory_order_relaxed);
    if (status != SA_OK)
        return status;
    call->request = request;
    call->reply = sa_arena_alloc(call->arena, method->response_type->sizeof_message);
    if (call->reply == NULL)
        return SA_NO_MEMORY;
    protobuf_c_message_init(method->response_type, call->reply);
    return SA_OK;
}

/* Its bucket, for the methods in which a client proves itself; logins keep their own. */
static enum sa_status
check_bucket(struct sa_exchange *exchange)
{
    struct sa_call *call = &exchange->call;

    if (call->method->source != SA_SOURCE_CLIENT)
        return SA_OK;
    call->retry_ms = sa_buckets_wait(exchange->dispatch->options.buckets, &call->source, call->now.boot_ms);
    if (call->retry_ms == 0)
        return SA_OK;
    sa_authority_turned_away(call->authority, &call->source, "RATE_LIMITED", call->now.boot_ms);
    return SA_RATE_LIMITED;
}

/* Lane capacity and deadline, then the handler. */
static enum sa_status
begin(struct sa_exchange *exchange)
{
    struct sa_call *call = &exchange->call;

    if (call->deadline_boot_ms <= call->now.boot_ms)
        return SA_DEADLINE;
    exchange->step = call->method->handler;
    exchange->lane = call->method->lane;
    call->kept = strncmp(call->source.text, "seat:", 5) == 0;
    if (exchange->lane == SA_LANE_INLINE) {
        advance(exchange);
        return SA_OK;
    }
    return submit(exchange);
}

/* A flood is answered as cheaply as can be: a line a call would fill the log for it. The transport has said
 * it. */
static void
refuse_over_ceiling(struct sa_exchange *exchange)
{
    exchange->call.retry_ms = CEILING_RETRY_MS;
    sa_reply_make(exchange, SA_RATE_LIMITED);
    exchange->answered = true;
    exchange->dispatch->options.done(exchange);
}

void
sa_dispatch_call(struct sa_exchange *exchange, const struct sa_incoming *incoming)
{
    struct sa_dispatch *dispatch = exchange->dispatch;
    struct sa_call *call = &exchange->call;
    uint32_t millis = incoming->frame->millis;

    if (incoming->caller != NULL)
        call->caller = *incoming->caller;
    call->dispatch = dispatch;
    call->authority = dispatch->options.authority;
    call->request_id = dispatch->next_id += ID_STEP;
    call->now = sa_clock_now();
    call->deadline_boot_ms = call->now.boot_ms + (millis < SA_CALL_MILLIS_MAX ? millis : SA_CALL_MILLIS_MAX);
    call->method = dispatch->options.find(incoming->name);
    exchange->answer.number = incoming->frame->call;
    exchange->began_us = sa_clock_us();

    if (incoming->over_ceiling) {
        refuse_over_ceiling(exchange);
        return;
    }
    enum sa_status status = atomic_load(&dispatch->closed) ? SA_SHUTTING_DOWN : admit(exchange, incoming);
    if (status == SA_OK)
        status = read_request(exchange, incoming->body);
    if (status == SA_OK) {
        sa_source_of(call, sa_authority_rules(dispatch->options.authority), &call->source);
        status = check_bucket(exchange);
    }
    if (status == SA_OK && call->method->streams)
        status = dispatch->options.admit_stream(exchange);
    if (status == SA_OK)
        status = begin(exchange);
    if (status != SA_OK)
        finish_named(exchange, status, incoming->name);
}

/* ---- what lives longer than a call ---- */

struct sa_exchange *
sa_exchange_new(struct sa_dispatch *dispatch)
{
    struct sa_exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL)
        return NULL;
    exchange->dispatch = dispatch;
    exchange->answer.exchange = exchange;
    exchange->call.arena = sa_arena_new(SA_CALL_ARENA_MAX);
    if (exchange->call.arena == NULL) {
        free(exchange);
        return NULL;
    }
    return exchange;
}

void
sa_exchange_end(struct sa_exchange *exchange)
{
    struct sa_call *call = &exchange->call;

    if (call->after_step != NULL) {
        exchange->step = call->after_step;
        exchange->lane = call->after_lane == SA_LANE_INLINE ? SA_LANE_STORE : call->after_lane;
        call->deadline_boot_ms = INT64_MAX;
        call->kept = false;
        call->settles = false;
        if (submit(exchange) == SA_OK)
            return;
    }
    sa_arena_free(call->arena);
    sa_answer_free(call->item);
    free(exchange);
}

static struct sa_lane_queue *
start_lane(const char *name, int64_t threads, int64_t queue, bool reserve)
{
    struct sa_lane_options options = {name, (unsigned)threads, (unsigned)queue, reserve};
    return sa_lane_start(&options);
}

struct sa_dispatch *
sa_dispatch_new(const struct sa_dispatch_options *options)
{
    SA_OWN(sa_dispatch) dispatch = calloc(1, sizeof(*dispatch));
    if (dispatch == NULL)
        return NULL;
    dispatch->options = *options;
    dispatch->started_ms = sa_clock_now().wall_ms;
    atomic_init(&dispatch->conf, options->conf);
    sa_random(&dispatch->next_id, sizeof(dispatch->next_id));
    dispatch->lanes[SA_LANE_STORE] = start_lane("store", options->conf->secauthd_store_threads,
                                                options->conf->secauthd_store_queue, false);
    dispatch->lanes[SA_LANE_HASH] = start_lane("hash", options->hash_threads, options->hash_queue, true);
    if (dispatch->lanes[SA_LANE_STORE] == NULL || dispatch->lanes[SA_LANE_HASH] == NULL)
        return NULL;
    return sa_dispatch_take(&dispatch);
}

void
sa_dispatch_close(struct sa_dispatch *dispatch)
{
    atomic_store(&dispatch->closed, true);
}

void
sa_dispatch_stop(struct sa_dispatch *dispatch)
{
    sa_dispatch_close(dispatch);
    for (unsigned i = 0; i < SA_LANES; i++)
        if (dispatch->lanes[i] != NULL)
            sa_lane_stop(dispatch->lanes[i]);
}

void
sa_dispatch_free(struct sa_dispatch *dispatch)
{
    if (dispatch == NULL)
        return;
    sa_dispatch_stop(dispatch); /* all of them, before any is gone: a job may go from one to the other */
    for (unsigned i = 0; i < SA_LANES; i++)
        sa_lane_free(dispatch->lanes[i]);
    free(dispatch);
}

void
sa_dispatch_set_conf(struct sa_dispatch *dispatch, const struct sa_conf *conf)
{
    atomic_store(&dispatch->conf, conf);
}

enum sa_status
sa_dispatch_submit(struct sa_dispatch *dispatch, struct sa_job *job)
{
    job->source = "self";
    job->deadline_boot_ms = INT64_MAX;
    return sa_lane_submit(dispatch->lanes[SA_LANE_STORE], job);
}

void
sa_dispatch_status(const struct sa_dispatch *dispatch, struct sa_dispatch_status *ret_status)
{
    *ret_status = (struct sa_dispatch_status){
        .started_ms = dispatch->started_ms,
        .calls = atomic_load_explicit(&dispatch->calls, memory_order_relaxed),
        .malformed = atomic_load_explicit(&dispatch->malformed, memory_order_relaxed),
    };
    ret_status->lanes[SA_LANE_INLINE].name = "inline";
    for (unsigned i = 0; i < SA_LANES; i++)
        if (dispatch->lanes[i] != NULL)
            sa_lane_status(dispatch->lanes[i], &ret_status->lanes[i]);
}
