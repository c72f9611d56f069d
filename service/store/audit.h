/* Audit records: what a decision says of itself. The store numbers, salts and hashes them (RFC 6962 leaves).
 */
#ifndef SA_AUDIT_H
#define SA_AUDIT_H

#include "proto/bytes.h"

#define SA_LEAF_LEN         32u
#define SA_AUDIT_SALT_LEN   16u
#define SA_AUDIT_DETAIL_MAX 1024u

enum sa_event {
#define EVENT(name, number, words) SA_EVENT_##name = (number),
#include "service/store/event.def"
#undef EVENT
};

/* "LOGIN", ...; NULL for a number that has none. And back: 0 for a name that has none. */
const char *sa_event_name(enum sa_event event);
enum sa_event sa_event_from_name(const char *name);

enum sa_outcome { SA_OUTCOME_GRANTED = 1, SA_OUTCOME_DENIED = 2, SA_OUTCOME_FAILED = 3 };

/*
 * A record before it has a number. Texts are terminated, NULL or "" is absent; they need to live until the
 * call that takes the record returns. Texts from outside are escaped (sa_escape) by whoever fills them in.
 * Ids are -1 where absent.
 */
struct sa_audit {
    enum sa_event event;
    enum sa_outcome outcome;
    const char *reason; /* a constant */
    uint64_t request_id;
    int64_t time_ms;
    const char *user; /* a name with a record; else "?" and hexadecimal of a keyed hash */
    const char *subject;
    const char *client_id;
    const char *session_id;
    const char *service;
    const char *source;
    const char *gateway;
    const char *detail; /* `name=value` separated by spaces */
    int64_t actor_uid;
    int64_t acting_uid;
    int64_t actor_pid;
    int64_t login_uid;
    int64_t audit_session;
};

/* An empty record: absent texts, ids of -1. */
struct sa_audit sa_audit(enum sa_event event);

/* A record as it stands in the log. */
struct sa_audit_row {
    uint64_t sequence;
    struct sa_audit record; /* its texts live in `texts` */
    uint8_t leaf[SA_LEAF_LEN];
    char texts[4096];
};

#endif
