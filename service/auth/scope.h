/* What a client may ask for: audiences and scopes (RFC 6749 section 3.3, RFC 8707; design section 7). */
#ifndef SA_SCOPE_H
#define SA_SCOPE_H

#include "service/store/store_session.h"

/* A request as it came: not yet judged. */
struct sa_scope_request {
    const char *const *audiences;
    size_t audience_count; /* 0: none is named */
    const char *scope;     /* separated by spaces; "": all */
};

struct sa_granted {
    unsigned aud_count;
    char aud[SA_JWT_AUDIENCES][SA_JWT_AUDIENCE_MAX + 1];
    char scope[SA_SCOPE_LIST_MAX + 1]; /* single spaces, in the order in which they are registered */
    struct sa_binding binding; /* of a session that begins with it, and of its tokens; judged elsewhere */
};

/*
 * Judge a request against what is registered for a client. It may narrow and never widens; case matters;
 * doubles fall away.
 *
 *   groups  the person whose token it will be, for an audience of the client `host` may be for one group
 *           only; NULL where it stands for no person.
 *
 * Returns SA_OK; SA_INVALID_TARGET for no audience, or one that is not registered; SA_INVALID_SCOPE for a
 * scope that none of them has, or a list over SA_SCOPE_LIST_MAX.
 */
SA_MUST_CHECK enum sa_status sa_scope_grant(const struct sa_client *client, const struct sa_user *groups,
                                            const struct sa_scope_request *request,
                                            struct sa_granted *ret_granted);

/*
 * The same for a session's next token: no more than the session was granted, and no more than is still
 * registered. Nothing named means all of that.
 */
SA_MUST_CHECK enum sa_status sa_scope_narrow(const struct sa_client *client, const struct sa_session *session,
                                             const struct sa_scope_request *request,
                                             struct sa_granted *ret_granted);

/* What is registered for an audience that a client may ask for; NULL: it may not. */
const struct sa_client_audience *sa_scope_audience(const struct sa_client *client, const char *name);

/* Put an audience or a scope behind the others, unless it is there. False where it does not fit. */
SA_MUST_CHECK bool sa_granted_add_audience(struct sa_granted *granted, const char *name);
SA_MUST_CHECK bool sa_granted_add_scope(struct sa_granted *granted, struct sa_bytes scope);

/* Whether a list of scopes has one. */
bool sa_scope_has(const char *list, struct sa_bytes scope);

/* The next scope of a list: *at moves behind it. False at the end. */
bool sa_scope_next(const char **at, struct sa_bytes *ret_scope);

#endif
