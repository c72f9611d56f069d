/* Users whose account is over by its own dates, and what they had. */
#include <stdio.h>
#include <stdlib.h>

#include "service/store/inside.h"

struct closed {
    char subject[SA_ID_LEN + 1];
    char user[SA_USER_NAME_MAX + 1];
    char detail[24];
};

/* Those of one turn: found by a reader, ended by the writer, if they are still what they were. */
struct closing {
    int64_t now_ms;
    unsigned count;
    unsigned ended;
    struct closed closed[SA_CLOSING_MAX];
    struct sa_audit records[SA_CLOSING_MAX];
};

static enum sa_status
find_closed(struct sa_sql *sql, void *context)
{
    static const char CLOSED[] =
        "SELECT subject, name FROM users AS u WHERE closes_s <= ?1 AND EXISTS "
        "(SELECT 1 FROM sessions AS s WHERE s.subject = u.subject AND s.ended_ms = 0) LIMIT ?2";
    struct closing *closing = context;
    enum sa_status status = SA_OK;

    SA_QUERY(query, sql, CLOSED);
    sa_put_int(&query, closing->now_ms / 1000);
    sa_put_int(&query, SA_CLOSING_MAX);
    while (closing->count < SA_CLOSING_MAX && (status = sa_query_step(&query)) == SA_OK) {
        struct closed *closed = &closing->closed[closing->count++];

        sa_get_text(&query, closed->subject, sizeof(closed->subject));
        sa_get_text(&query, closed->user, sizeof(closed->user));
    }
    return status == SA_NOT_FOUND || status == SA_OK ? sa_query_done(&query) : status;
}

static enum sa_status
end_of_one(struct sa_sql *sql, const struct closing *closing, struct closed *closed, unsigned *ret_ended)
{
    static const char END[] =
        "UPDATE sessions SET ended_ms = ?2 WHERE subject = ?1 AND ended_ms = 0 AND EXISTS "
        "(SELECT 1 FROM users WHERE subject = ?1 AND closes_s <= ?3)";

    SA_QUERY(query, sql, END);
    sa_put_text(&query, closed->subject);
    sa_put_int(&query, closing->now_ms);
    sa_put_int(&query, closing->now_ms / 1000);
    enum sa_status status = sa_query_run(&query);
    if (status == SA_OK)
        *ret_ended = sa_query_changed(&query);
    return status;
}

static void
say_closed(struct closed *closed, unsigned sessions, int64_t now_ms, struct sa_audit *record)
{
    snprintf(closed->detail, sizeof(closed->detail), "sessions=%u", sessions);
    *record = sa_audit(SA_EVENT_SESSION_EXPIRE);
    record->outcome = SA_OUTCOME_GRANTED;
    record->time_ms = now_ms;
    record->reason = "ACCOUNT_EXPIRED";
    record->user = closed->user;
    record->subject = closed->subject;
    record->detail = closed->detail;
}

static enum sa_status
end_closed(struct sa_sql *sql, struct sa_work *work)
{
    struct closing *closing = work->context;

    for (unsigned i = 0; i < closing->count; i++) {
        struct closed *closed = &closing->closed[i];
        unsigned sessions;
        enum sa_status status = end_of_one(sql, closing, closed, &sessions);

        if (status != SA_OK)
            return status;
        if (sessions > 0)
            say_closed(closed, sessions, closing->now_ms, &closing->records[closing->ended++]);
    }
    sa_work_say(work, closing->records, closing->ended);
    return SA_OK;
}

enum sa_status
sa_store_user_close(struct sa_store *store, int64_t now_ms, unsigned *ret_ended)
{
    struct closing *closing = calloc(1, sizeof(*closing));

    if (closing == NULL)
        return SA_NO_MEMORY;
    closing->now_ms = now_ms;
    enum sa_status status = sa_store_read(store, find_closed, closing);
    if (status == SA_OK && closing->count > 0) {
        struct sa_audit record = sa_audit(SA_EVENT_SESSION_EXPIRE);
        struct sa_work work = sa_work(end_closed, closing, &record);
        status = sa_store_write(store, &work);
    }
    if (status == SA_OK)
        *ret_ended = closing->ended;
    free(closing);
    return status;
}
