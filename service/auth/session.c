#include "service/auth/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/key_life.h"
#include "service/auth/leader.h"
#include "service/auth/token.h"

#define REAPED_A_TURN   64u
#define CLEANED_AT_ONCE 64u
#define CLEANING_MS     100  /* of each second, for each of the two kinds */
#define RESEALING_MS    300u /* likewise, while the master key is rotated */

void
sa_session_begin(const struct sa_authority *authority, enum sa_session_kind kind, const struct sa_user *user,
                 const struct sa_client *client, const struct sa_source *source, const struct sa_proof *proof,
                 int64_t now_ms, struct sa_session *ret_session)
{
    *ret_session = (struct sa_session){.kind = kind,
                                       .uid = user->uid,
                                       .client_row = client->row,
                                       .audit_session = -1,
                                       .created_ms = now_ms,
                                       .last_used_ms = now_ms,
                                       .expires_ms = now_ms + authority->conf->token_session_life * 1000,
                                       .user_limit = (uint32_t)authority->conf->token_user_sessions,
                                       .auth_time_s = proof->auth_time_s};
    sa_random_id(ret_session->id);
    memcpy(ret_session->boot_id, authority->boot_id, sizeof(ret_session->boot_id));
    snprintf(ret_session->subject, sizeof(ret_session->subject), "%s", user->subject);
    snprintf(ret_session->user, sizeof(ret_session->user), "%s", user->name);
    snprintf(ret_session->client_id, sizeof(ret_session->client_id), "%s", client->id);
    snprintf(ret_session->source, sizeof(ret_session->source), "%s", source->text);
    snprintf(ret_session->amr, sizeof(ret_session->amr), "%s", proof->amr);
    snprintf(ret_session->acr, sizeof(ret_session->acr), "%s", proof->acr);
}

void
sa_session_lead(struct sa_session *session, uint32_t pid)
{
    struct sa_process process;

    /* A leader that is gone by now has no start time, and is found to be gone at the next turn. */
    session->leader_pid = pid;
    session->leader_start = sa_process_read(pid, &process) ? process.start : 0;
}

void
sa_session_hold(const struct sa_authority *authority, const struct sa_client *client,
                const struct sa_granted *granted, struct sa_session *session)
{
    session->aud_count = granted->aud_count;
    memcpy(session->aud, granted->aud, sizeof(session->aud));
    snprintf(session->scope, sizeof(session->scope), "%s", granted->scope);
    session->generation = 1;
    session->grace_s = client->grace_s;
    session->binding = granted->binding;
    /* RFC 9700 section 4.14.2: of a client that proves nothing, and no key either. */
    session->rotates = client->kind == SA_CLIENT_PUBLIC && granted->binding.jkt[0] == '\0';
    session->idle_ms = authority->conf->token_refresh_idle * 1000;
    if (!sa_client_may(client, SA_GRANT_REFRESH))
        session->expires_ms = session->created_ms + (int64_t)sa_token_ttl(authority, client) * 1000;
}

bool
sa_session_is_for(const struct sa_authority *authority, struct sa_bytes service)
{
    return sa_rules_gives_session(authority->rules, service);
}

static bool
leader_lives(const struct sa_authority *authority, const struct sa_session *session)
{
    return memcmp(session->boot_id, authority->boot_id, sizeof(session->boot_id)) == 0 &&
           sa_process_lives(session->leader_pid, session->leader_start);
}

/* What outlives a login may go on where the rules say so, until the boot ends or the session's life does. */
static bool
outlives(const struct sa_authority *authority, const struct sa_session *session, const struct sa_user *user)
{
    return memcmp(session->boot_id, authority->boot_id, sizeof(session->boot_id)) == 0 &&
           sa_rules_is_ambient(authority->rules, user);
}

bool
sa_session_admits(const struct sa_authority *authority, const struct sa_session *session,
                  const struct sa_user *user, uint32_t uid)
{
    return session->kind == SA_SESSION_LOGIN && session->uid == uid &&
           (leader_lives(authority, session) || outlives(authority, session, user));
}

enum sa_status
sa_session_of_process(struct sa_authority *authority, const char *subject, uint32_t pid,
                      int64_t audit_session, int64_t now_ms, char ret_id[SA_ID_LEN + 1])
{
    struct sa_session *sessions;
    unsigned count;
    bool more;
    struct sa_session_query query = {.subject = subject, .limit = SA_PAGE_MAX, .now_ms = now_ms};

    enum sa_status status = sa_store_session_list(authority->store, &query, &sessions, &count, &more);
    if (status != SA_OK)
        return status;
    ret_id[0] = '\0';
    for (unsigned i = 0; i < count && ret_id[0] == '\0'; i++) {
        const struct sa_session *session = &sessions[i];
        bool same = audit_session >= 0 && session->audit_session == audit_session;
        if (session->kind == SA_SESSION_LOGIN && leader_lives(authority, session) &&
            (same || sa_process_descends(pid, session->leader_pid)))
            memcpy(ret_id, session->id, sizeof(session->id));
    }
    free(sessions);
    return SA_OK;
}

bool
sa_session_is_ambient(const struct sa_authority *authority, const struct sa_session *session)
{
    SA_OWN(sa_user) user = NULL;

    return sa_store_user_by_subject(authority->store, session->subject, &user) == SA_OK &&
           outlives(authority, session, user);
}

/* ---- housekeeping ---- */

static enum sa_status
end_gone(struct sa_authority *authority, const struct sa_session *session, struct sa_now now)
{
    struct sa_audit record = sa_audit(SA_EVENT_SESSION_GONE);

    record.outcome = SA_OUTCOME_GRANTED;
    record.time_ms = now.wall_ms;
    record.user = session->user;
    record.subject = session->subject;
    record.client_id = session->client_id;
    record.session_id = session->id;
    record.service = session->service;
    record.source = session->source;
    return sa_store_session_end(authority->store, session->id, now.wall_ms, &record);
}

/* One page a turn, and at most so many ends in it: what is left over is found at the next. */
static void
reap(struct sa_authority *authority, struct sa_now now)
{
    struct sa_session *sessions;
    unsigned count;
    unsigned ended = 0;

    if (sa_store_session_leaders(authority->store, authority->reaped, now.wall_ms, &sessions, &count) !=
        SA_OK)
        return;
    bool last_page = count < SA_PAGE_MAX;
    for (unsigned i = 0; i < count && ended < REAPED_A_TURN; i++) {
        memcpy(authority->reaped, sessions[i].id, sizeof(authority->reaped));
        if (leader_lives(authority, &sessions[i]) || sa_session_is_ambient(authority, &sessions[i]))
            continue;
        if (end_gone(authority, &sessions[i], now) != SA_OK)
            break; /* the store cannot write now: a later turn finds it again */
        ended++;
    }
    if (last_page && ended < REAPED_A_TURN)
        authority->reaped[0] = '\0';
    free(sessions);
}

/*
 * In small commits, so that nobody waits long behind one, and for a part of the second only; what is left
 * over is found at a later turn.
 */
static void
clean_up(struct sa_authority *authority, struct sa_now now)
{
    const int64_t known_s = authority->conf->login_known_days * 86400;
    unsigned done;

    if (sa_store_user_close(authority->store, now.wall_ms, &done) != SA_OK)
        return;
    done = CLEANED_AT_ONCE;
    while (done == CLEANED_AT_ONCE && sa_clock_now().boot_ms - now.boot_ms < CLEANING_MS)
        if (sa_store_session_expire(authority->store, now.wall_ms, CLEANED_AT_ONCE, &done) != SA_OK)
            return;
    done = CLEANED_AT_ONCE;
    while (done == CLEANED_AT_ONCE && sa_clock_now().boot_ms - now.boot_ms < 2 * CLEANING_MS)
        if (sa_store_purge(authority->store, now.wall_ms, known_s, CLEANED_AT_ONCE, &done) != SA_OK)
            return;
}

void
sa_authority_tick(struct sa_authority *authority, struct sa_now now)
{
    reap(authority, now);
    sa_keys_tick(authority, now);
    sa_store_master_tick(authority->store, RESEALING_MS);
    clean_up(authority, now);
}
