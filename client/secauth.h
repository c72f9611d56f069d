/*
 * libsecauth: ask the secauth daemon of this host for tokens, and about tokens, from C.
 *
 *     struct secauth *secauth;
 *     struct secauth_token *token;
 *     struct secauth_error error;
 *     struct secauth_request want = {.audiences = (const char *const[]){"demo"}, .audience_count = 1};
 *
 *     if (secauth_open(NULL, 2000, &secauth, &error) != SECAUTH_OK)
 *         errx(1, "%s", error.message);
 *     if (secauth_issue_attested(secauth, NULL, &want, 2000, &token, &error) != SECAUTH_OK)
 *         errx(1, "%s", error.message);
 *     use(token->access_token);
 *     secauth_token_free(token);
 *     secauth_close(secauth);
 *
 * Compile and link with `pkg-config --cflags --libs secauth`. The library needs libc and, to verify,
 * OpenSSL's libcrypto; it starts no thread, touches no signal and has no globals; a handle is used by one
 * thread at a time, several handles by as many threads.
 *
 * Rules for every function:
 * - A status is compared with SECAUTH_OK. Zero is not success: it is unset, and means no.
 * - What is written to `ret_...` is written only on SECAUTH_OK, but for `ret_error`, which is filled on every
 *   other status and may be NULL.
 * - Texts are terminated, UTF-8, and belong to whoever made them: the caller its arguments, the library its
 *   results. Results are wiped when they are freed. A `_free` function and secauth_close take NULL.
 * - `timeout_millis`, 1 to 600,000, is for the whole call; the daemon is told and drops what is late. A call
 *   that ran out of time gives SECAUTH_CONNECTION or SECAUTH_DEADLINE; its handle can only be closed after
 *   SECAUTH_CONNECTION and SECAUTH_MALFORMED.
 * - Besides the statuses named below every call may return SECAUTH_OVERLOADED, SECAUTH_STORAGE and
 *   SECAUTH_SHUTTING_DOWN (try again later: retry_millis says when), SECAUTH_DEADLINE, SECAUTH_CONNECTION,
 *   SECAUTH_MALFORMED, SECAUTH_NO_MEMORY, SECAUTH_RATE_LIMITED, SECAUTH_INTERNAL, SECAUTH_PERMISSION_DENIED
 *   (this socket does not serve that call), and SECAUTH_INVALID_ARGUMENT: `field` and `message` then name the
 *   field and the rule; a NULL or a timeout out of range where something is needed is one too.
 */
#ifndef SECAUTH_H
#define SECAUTH_H

#include <stddef.h>
#include <stdint.h>

#include <secauth_status.h> /* enum secauth_status, made from the daemon's own table */

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SECAUTH_API        __attribute__((visibility("default")))
#define SECAUTH_MUST_CHECK __attribute__((warn_unused_result))
#else
#define SECAUTH_API
#define SECAUTH_MUST_CHECK
#endif

/* A connection to the daemon. */
struct secauth;

#define SECAUTH_MESSAGE_MAX 256
#define SECAUTH_FIELD_MAX   96

/* What went wrong, for a log or a person; holds no secret. */
struct secauth_error {
    enum secauth_status status;
    uint64_t request_id;               /* the id in the daemon's log and audit log; 0 where there is none */
    uint32_t retry_millis;             /* try again after so long; 0: nothing said */
    int os_error;                      /* errno of a failure on this side, else 0 */
    char message[SECAUTH_MESSAGE_MAX]; /* words */
    char field[SECAUTH_FIELD_MAX];     /* SECAUTH_INVALID_ARGUMENT: the field, else "" */
};

/* Who asks, as an OAuth 2.0 client (RFC 6749 section 2). */
struct secauth_client {
    const char *id;     /* 1 to 64 bytes of [A-Za-z0-9_-] */
    const char *secret; /* as `secauthctl client add` printed it, or an API key; NULL for a public client */
};

/* Which token is wanted. */
struct secauth_request {
    const char *const *audiences; /* the services that shall accept it (RFC 8707), 1 to 8 of 1 to 64 bytes */
    size_t audience_count;
    const char *scope; /* separated by spaces (RFC 6749 section 3.3), at most 1,024 bytes; NULL: all that is
                          registered */
};

/* A grant (RFC 6749 section 5.1). */
struct secauth_token {
    const char *access_token;    /* a JWT (RFC 9068), to be sent as `Authorization: Bearer` (RFC 6750) */
    uint32_t expires_in_seconds; /* its life from now; never 0 */
    const char *scope;           /* granted, separated by single spaces */
    const char *refresh_token;   /* NULL where the grant has none */
    const char *session_id;      /* the session that it belongs to; "" where there is none */
    int replayed;                /* 1: the same successor as an earlier answer, which may have been lost */
};

/* What a token is worth now (RFC 7662 section 2.2). With `active` 0 all else is 0 and "". */
struct secauth_introspection {
    int active;
    const char *scope;
    const char *client_id;
    const char *username;   /* "" where the token stands for no person */
    const char *token_type; /* "Bearer", "DPoP" or "refresh_token" */
    int64_t exp;            /* seconds since 1970 */
    int64_t iat;
    const char *sub; /* a person's subject id, or the client's id */
    const char *const *audiences;
    size_t audience_count;
    const char *iss;
    const char *jti;
    const char *sid; /* "" where it belongs to no session */
    const char *jkt; /* bound to this key, and good only with its proof; "": to none */
    const char *x5t; /* likewise to this certificate, x5t#S256 */
};

/* The keys that verify access tokens. */
struct secauth_key_set {
    const char *jwks;         /* a JWK Set (RFC 7517 section 5) */
    const char *etag;         /* changes when, and only when, `jwks` does */
    uint32_t max_age_seconds; /* how long it may be kept */
};

/*
 * Connect to the daemon, and make sure that root listens there.
 *
 *   path        of the socket; NULL: the one for this process, root's where the effective uid is 0, else the
 *               users'. The other is never tried.
 *   ret_handle  the caller closes it.
 *
 * Returns SECAUTH_OK; SECAUTH_NO_DAEMON (nobody listens); SECAUTH_WRONG_PEER (whoever listens is not root);
 * SECAUTH_CONNECTION (any other failure, see os_error); SECAUTH_NO_MEMORY.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status secauth_open(const char *path, uint32_t timeout_millis,
                                                                struct secauth **ret_handle,
                                                                struct secauth_error *ret_error);

SECAUTH_API void secauth_close(struct secauth *handle);

/*
 * A token for the client itself: the client credentials grant (RFC 6749 section 4.4). No refresh token.
 *
 *   client  confidential.
 *
 * Returns SECAUTH_OK; SECAUTH_INVALID_CLIENT; SECAUTH_UNAUTHORIZED_CLIENT (the grant is not the client's);
 * SECAUTH_INVALID_SCOPE; SECAUTH_INVALID_TARGET (not granted, or none is asked for).
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_issue(struct secauth *handle, const struct secauth_client *client,
              const struct secauth_request *request, uint32_t timeout_millis,
              struct secauth_token **ret_token, struct secauth_error *ret_error);

/*
 * A token for the login session that the calling process belongs to, without any secret: the kernel says
 * which uid asks, the id says which of its open sessions. At most ten minutes, no refresh token. On the
 * users' socket only, so not as root.
 *
 *   session_id  NULL: SECAUTH_SESSION of the environment, ignored in a set-user-id program.
 *
 * Returns SECAUTH_OK; SECAUTH_SESSION_INVALID (none is named; unknown, ended, or somebody else's);
 * SECAUTH_INVALID_SCOPE; SECAUTH_INVALID_TARGET.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_issue_attested(struct secauth *handle, const char *session_id, const struct secauth_request *request,
                       uint32_t timeout_millis, struct secauth_token **ret_token,
                       struct secauth_error *ret_error);

/*
 * A token for a client that this process is, without any secret: the kernel says which uid asks, and in which
 * systemd unit it runs where the client's record names one. No refresh token. Not from another pid namespace.
 *
 *   client_id  of a client with attestation (secauthctl client add --attest).
 *
 * Returns SECAUTH_OK; SECAUTH_INVALID_CLIENT (this process is not that client); SECAUTH_INVALID_SCOPE;
 * SECAUTH_INVALID_TARGET.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_issue_attested_client(struct secauth *handle, const char *client_id,
                              const struct secauth_request *request, uint32_t timeout_millis,
                              struct secauth_token **ret_token, struct secauth_error *ret_error);

/*
 * Token exchange (RFC 8693): for a token that this service was sent, one for the next service, with the same
 * subject and this client as its actor. It lives no longer than the one that it was exchanged for.
 *
 *   client         confidential; one of its audiences is the token's.
 *   subject_token  an access token, at most 4,096 bytes.
 *   request        one audience.
 *
 * Returns SECAUTH_OK; SECAUTH_INVALID_CLIENT; SECAUTH_INVALID_GRANT (the token is not good now);
 * SECAUTH_UNAUTHORIZED_CLIENT; SECAUTH_INVALID_SCOPE and SECAUTH_INVALID_TARGET (no row of the client's
 * policy allows it).
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_exchange(struct secauth *handle, const struct secauth_client *client, const char *subject_token,
                 const struct secauth_request *request, uint32_t timeout_millis,
                 struct secauth_token **ret_token, struct secauth_error *ret_error);

/*
 * The refresh grant (RFC 6749 section 6). A public client's token rotates: keep the one in the answer (RFC
 * 9700 section 4.14.2). Presented again soon after, as when an answer was lost, it gives the same successor;
 * later it ends its session. So a call that is lost (SECAUTH_CONNECTION, SECAUTH_DEADLINE) is made once more,
 * with the same token, on a new connection, for as long as timeout_millis allows; half of it, 10 s at most,
 * is for the first try. `replayed` in the answer then says whether the first one had been carried out.
 *
 *   client         the one that the token was issued to.
 *   refresh_token  as it was received, at most 128 bytes.
 *   request        a narrower request for this access token only; NULL: all that the session was granted.
 *
 * Returns SECAUTH_OK; SECAUTH_INVALID_GRANT (unknown, expired, revoked, reused: one for all);
 * SECAUTH_INVALID_CLIENT; SECAUTH_INVALID_SCOPE and SECAUTH_INVALID_TARGET, after which the token presented
 * is still good.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_refresh(struct secauth *handle, const struct secauth_client *client, const char *refresh_token,
                const struct secauth_request *request, uint32_t timeout_millis,
                struct secauth_token **ret_token, struct secauth_error *ret_error);

SECAUTH_API void secauth_token_free(struct secauth_token *token);

/*
 * Ask what a token is worth now (RFC 7662). One that means nothing, or is neither meant for the client nor
 * issued to it, is inactive, never an error.
 *
 *   client  confidential.
 *   token   an access or a refresh token, at most 4,096 bytes.
 *
 * Returns SECAUTH_OK; SECAUTH_INVALID_CLIENT.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_introspect(struct secauth *handle, const struct secauth_client *client, const char *token,
                   uint32_t timeout_millis, struct secauth_introspection **ret_introspection,
                   struct secauth_error *ret_error);

SECAUTH_API void secauth_introspection_free(struct secauth_introspection *introspection);

/*
 * Revoke a token (RFC 7009): a refresh token ends its session, an access token ends itself. One that is not
 * the client's own is left alone, with the same answer.
 *
 *   client  the one that the token was issued to; a public client has no secret.
 *   token   at most 4,096 bytes.
 *
 * Returns SECAUTH_OK; SECAUTH_INVALID_CLIENT; SECAUTH_STORAGE and the like: nothing was revoked.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status secauth_revoke(struct secauth *handle,
                                                                  const struct secauth_client *client,
                                                                  const char *token, uint32_t timeout_millis,
                                                                  struct secauth_error *ret_error);

/* The key set that the daemon publishes. Returns SECAUTH_OK. */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status secauth_get_key_set(struct secauth *handle,
                                                                       uint32_t timeout_millis,
                                                                       struct secauth_key_set **ret_key_set,
                                                                       struct secauth_error *ret_error);

SECAUTH_API void secauth_key_set_free(struct secauth_key_set *key_set);

/*
 * Verification offline: a service looks at an access token by itself, with the published keys and no call
 * (RFC 9068 section 4). One verifier serves any number of threads at once.
 *
 *     secauth_verifier_new(&identity, &verifier, &error);
 *     secauth_verifier_set_keys(verifier, keys->jwks, strlen(keys->jwks), &error);
 *     ...
 *     if (secauth_verify(verifier, bearer, &want, &claims, &error) != SECAUTH_OK)
 *         answer 401, or 403 for SECAUTH_INVALID_SCOPE (RFC 6750 section 3.1); log error.message
 */
struct secauth_verifier;

#define SECAUTH_LEEWAY_SECONDS 30
#define SECAUTH_TOKEN_MAX      4096

/* Whose tokens a service takes, and as whom. */
struct secauth_identity {
    const char *issuer; /* `iss`, byte for byte as the daemon is configured; at most 255 bytes */
    const char *const
        *audiences; /* what this service is called: `aud` must name one. 1 to 8 of 1 to 64 bytes */
    size_t audience_count;
    int leeway_seconds; /* how far clocks may be apart: 1 to 300; 0: SECAUTH_LEEWAY_SECONDS; negative: none */
    int accept_jwt;     /* 1: `typ` may be "JWT" too, for an audience whose tokens are made that way */
};

/* What a call needs. */
struct secauth_want {
    const char *audience; /* one of the verifier's, which the token must name; NULL: any of them */
    const char *scope;    /* all of these, separated by spaces, must be granted; NULL: none is needed */
    int64_t at_seconds;   /* judge at this time, seconds since 1970; 0: now, by CLOCK_REALTIME */
    const char *jkt;      /* the key of a DPoP proof that the caller has checked (RFC 9449); NULL: none */
    const char *x5t;      /* SHA-256 of the peer's certificate, in base64url (RFC 8705); NULL: none */
};

/* What a token says. Texts are terminated; absent ones are "", absent numbers 0, but for `amr` and `groups`.
 */
struct secauth_claims {
    const char *iss;
    const char *sub;       /* a person's subject id, or the client's id */
    const char *client_id; /* who asked for it */
    const char *scope;     /* separated by single spaces */
    const char *jti;
    const char *sid;      /* the login session */
    const char *username; /* "" where policy keeps it out */
    const char *acr;      /* "0", "1": a password, "2": two factors */
    int64_t exp;          /* seconds since 1970 */
    int64_t iat;
    int64_t auth_time;
    const char *const *audiences;
    size_t audience_count;
    const char *const *amr; /* RFC 8176 */
    size_t amr_count;
    const char *const *groups;
    size_t group_count;
    const char *jkt;           /* bound to this key, a thumbprint (RFC 9449 section 6.1) */
    const char *x5t;           /* bound to this certificate: x5t#S256 (RFC 8705 section 3.1) */
    const char *const *actors; /* `act` (RFC 8693 section 4.1): who acts for `sub`, the present one first */
    size_t actor_count;
};

/*
 * A verifier with no keys yet, which refuses everything.
 *
 *   identity      is copied.
 *   ret_verifier  the caller frees it, when no thread uses it any more.
 *
 * Returns SECAUTH_OK; SECAUTH_INVALID_ARGUMENT; SECAUTH_NO_MEMORY.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_verifier_new(const struct secauth_identity *identity, struct secauth_verifier **ret_verifier,
                     struct secauth_error *ret_error);

SECAUTH_API void secauth_verifier_free(struct secauth_verifier *verifier);

/*
 * Use these keys from now on, instead of those before; calls under way end with the old ones. They come from
 * secauth_get_key_set, or from the same JSON that somebody else fetched; fetch them again when
 * max_age_seconds have passed.
 *
 *   jwks  a JWK Set (RFC 7517 section 5) of at most 65,536 bytes. Keys for ES256 and RS256 are used: EC on
 *         P-256, RSA of 2,048 to 4,096 bits and an exponent of 65,537 or more, with a `kid`, whose `use`,
 * `alg` and `key_ops` say nothing else. Others are left out (section 5).
 *
 * Returns SECAUTH_OK; SECAUTH_INVALID_ARGUMENT: no key could be used, a `kid` came twice, or a private or
 * symmetric key is among them; the old keys stay. SECAUTH_NO_MEMORY.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_verifier_set_keys(struct secauth_verifier *verifier, const char *jwks, size_t jwks_len,
                          struct secauth_error *ret_error);

/*
 * Verify an access token (RFC 7515 section 5.2, RFC 7519 section 7.2, RFC 8725, RFC 9068 section 4). Nothing
 * it says is used before its signature is known to be good, and its header chooses nothing but one of our
 * keys.
 *
 *   token       as it stood after `Bearer `, at most SECAUTH_TOKEN_MAX bytes.
 *   want        NULL: no more than that the token is good for this service.
 *   ret_claims  the caller frees it.
 *
 * A token that is bound (`jkt`, `x5t`) is good only where `want` names the same key and the same certificate:
 * the caller checks that proof, and says so. A token that is not bound is good with any.
 *
 * Returns SECAUTH_OK; SECAUTH_INVALID_GRANT: not a good token; SECAUTH_INVALID_TARGET: good for somebody
 * else; SECAUTH_INVALID_SCOPE: good, and `want->scope` was not granted; SECAUTH_INVALID_ARGUMENT: `want`
 * names what is not the verifier's; SECAUTH_NO_MEMORY. ret_error->message is then one word, for the log: form
 * not three parts of canonical base64url (RFC 7515 section 2), or over SECAUTH_TOKEN_MAX json duplicate deep
 * large   a part is no JSON, names a member twice, nests or holds too much alg        "none", or not the
 * algorithm of the key that `kid` names typ        not at+jwt crit jku x5u x5c jwk header  a member of the
 * header that is not ours kid        absent or unknown: fetch the keys again, at most once in a while
 *   signature  of the wrong length, or wrong
 *   claim      one that is required is absent, or of the wrong form
 *   issuer audience expired early scope  what the word says; early: `iat` or `nbf` is still to come
 *   revoked    said so by those that the verifier follows
 *   bound      to a key or a certificate that `want` does not name
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_verify(struct secauth_verifier *verifier, const char *token, const struct secauth_want *want,
               struct secauth_claims **ret_claims, struct secauth_error *ret_error);

SECAUTH_API void secauth_claims_free(struct secauth_claims *claims);

/*
 * Following: a verifier that hears of new keys and of what is revoked as it happens, so that a token is
 * refused within a second and not only once it has expired. The caller drives it, by a loop in a thread of
 * its own or beside other descriptors in poll(2):
 *
 *     secauth_follower_new(NULL, &client, verifier, &follower, &error);
 *     while (!stopping)
 *         if (secauth_follower_step(follower, 1000, &error) != SECAUTH_OK)
 *             log error.message; it tries again by itself
 */
struct secauth_follower;

/*
 * A follower, which connects at its first step.
 *
 *   path          of the socket; NULL: as for secauth_open.
 *   client        confidential; it hears of the tokens that are meant for it or were issued to it. Is copied.
 *                 NULL for root, which hears of all.
 *   verifier      must outlive the follower; other threads go on verifying with it.
 *   ret_follower  for one thread at a time; the caller frees it.
 *
 * At most 65,536 revocations are kept, until the tokens that they concern have expired; past that the
 * verifier is not current. Returns SECAUTH_OK; SECAUTH_INVALID_ARGUMENT; SECAUTH_CONNECTION (no descriptors);
 * SECAUTH_NO_MEMORY.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status
secauth_follower_new(const char *path, const struct secauth_client *client, struct secauth_verifier *verifier,
                     struct secauth_follower **ret_follower, struct secauth_error *ret_error);

SECAUTH_API void secauth_follower_free(struct secauth_follower *follower);

/* For poll(2), the same for as long as the follower: readable when a step has something to do. */
SECAUTH_API int secauth_follower_fd(const struct secauth_follower *follower);

/*
 * Take in what has come, and connect where there is no connection: at once, and then after pauses of 0.1 to 1
 * second, or as the daemon says. What was heard so far is not asked for again.
 *
 *   timeout_millis  to wait for something to do, 0 to 600,000. Connecting may take a second besides, and a
 *                   message of which only the beginning is there five.
 *
 * Returns SECAUTH_OK while both of its streams are open; else why one is not: SECAUTH_NO_DAEMON,
 * SECAUTH_INVALID_CLIENT, and so on. Call it again in any case.
 */
SECAUTH_API SECAUTH_MUST_CHECK enum secauth_status secauth_follower_step(struct secauth_follower *follower,
                                                                         uint32_t timeout_millis,
                                                                         struct secauth_error *ret_error);

/*
 * 1 where a follower of this verifier has heard, within the last 20 seconds, that it knows all keys and all
 * that was revoked; else 0: what was revoked lately may pass until it expires, and whoever cannot bear that
 * refuses, or asks with secauth_introspect. The daemon says so every 5 seconds.
 */
SECAUTH_API int secauth_verifier_is_current(struct secauth_verifier *verifier);

/* "INVALID_GRANT", for a log; "INTERNAL" for a number that is no status. A constant. */
SECAUTH_API const char *secauth_status_name(enum secauth_status status);

/* "0.1.0". A constant. */
SECAUTH_API const char *secauth_version(void);

#ifdef __cplusplus
}
#endif

#endif
