/* A login, step by step: looked up, judged, granted or denied in one way for whoever proves it. */
#ifndef SA_RPC_LOGIN_H
#define SA_RPC_LOGIN_H

#include "service/auth/challenges.h"
#include "service/auth/handles.h"
#include "service/auth/lockout.h"
#include "service/auth/scope.h"
#include "service/rpc/proof.h"
#include "service/rpc/rule_login.h"

/* One attempt, in the call's arena. */
struct rpc_login {
    struct sa_bytes name; /* as it was typed */
    struct sa_bytes password;
    const Secauth__V1__PosixId *uid; /* what the caller's name service has; NULL: none */
    const char *service;             /* PAM's; "" through a gateway */
    const char *client_id;           /* through a gateway */
    bool by_gateway;
    bool is_oneself; /* the person's own uid, on the user socket */
    bool by_service; /* a uid that a rule lets check others */
    const struct sa_rules *rules;
    struct sa_user *user;      /* NULL: a name without a record */
    struct sa_known_row known; /* where attempt.is_known */
    struct sa_granted granted; /* through a gateway: what the client asked for */
    struct sa_lockout_try attempt;
    bool is_tried;               /* a try of the pair is taken */
    bool asks_always;            /* for a code, whatever the password is */
    bool every_factor;           /* a second factor was proven, or the user has none */
    size_t password_len;         /* where a code was appended to the password; else 0 */
    struct sa_factor_use factor; /* proven, to be spent with the grant; subject NULL: none */
    uint8_t factor_mac[SA_MAC_LEN];
    enum sa_status verdict; /* SA_OK, SA_PASSWORD_EXPIRED (granted on the sockets), or a denial */
    const char *reason;     /* of a denial, a constant */
};

/* What a grant says. The handler puts it into its reply. */
struct rpc_login_grant {
    ProtobufCBinaryData handle;
    bool must_change;
    Secauth__V1__TokenGrant *tokens;
};

/* What a request of BeginAuthentication or ContinueAuthentication says. */
struct rpc_login_said {
    ProtobufCBinaryData name;
    ProtobufCBinaryData password;
    const Secauth__V1__PosixId *uid;
    const Secauth__V1__Origin *origin;
    const Secauth__V1__ClientAuth *client;
    const Secauth__V1__TokenRequest *tokens;
};

/* Check it and look it up. SA_OK also for a name without a record; no other status tells of any person. */
SA_MUST_CHECK enum sa_status rpc_login_read(struct sa_call *call, const struct rpc_login_said *said,
                                            struct rpc_login **ret_login);

/* Look the name up, and whether the source is known to it. SA_OK also for a name without a record. */
SA_MUST_CHECK enum sa_status rpc_login_look_up(struct sa_call *call, struct rpc_login *login);

/*
 * What stands against the attempt apart from the password: verdict and reason.
 *   match  the password was right.
 */
void rpc_login_judge(const struct sa_call *call, struct rpc_login *login, bool match);
bool rpc_login_is_granted(const struct rpc_login *login);

/* On the user socket: somebody else's, and no rule lets this uid check others. */
bool rpc_login_is_others(const struct sa_call *call, const struct rpc_login *login);

/* The login as the rules see it; as long as both. */
struct sa_rule_login rpc_login_to_rules(const struct sa_call *call, const struct rpc_login *login);

/* Deny by the verdict, with its record: what was taken becomes a failure, with SA_INVALID_CREDENTIALS. Held.
 */
SA_MUST_CHECK enum sa_status rpc_login_deny(struct sa_call *call, struct rpc_login *login);

/* A record of this login. Names that are not ours are not written down. */
struct sa_audit rpc_login_record(struct sa_call *call, const struct rpc_login *login, enum sa_outcome outcome,
                                 const char *reason);

/* ---- second factors: rpc_login_factor.c ---- */

/* What a second factor means for a login whose password is right. */
struct rpc_login_factor {
    struct sa_factor_verdict asked;
    bool has_one;
    bool is_fresh;        /* one that was proven from here lately still counts */
    bool is_due;          /* a code is asked */
    const char *withheld; /* why not even a code would be enough, a constant; NULL: it would */
};

/*
 * Whether a second factor is due. A guard asks strangers for one whatever the rules say: a person who has
 * none is denied then. SA_OK, SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status rpc_login_ask_factor(struct sa_call *call, const struct rpc_login *login,
                                                  struct rpc_login_factor *ret_factor);

/*
 * Before the hash: take a good code off the end of the password, so that one attempt costs one hash. Not
 * where a guard is up, which asks for codes one by one, each after the right password and counted. SA_OK,
 * SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status rpc_login_take_appended(struct sa_call *call, struct rpc_login *login);

/*
 * Ask for a code, with the record of that: where the password was right, what was taken goes back. With
 * `always` it is asked after every password, it has failed until a grant says otherwise, and it is held.
 * SA_OK, or why not, held.
 */
SA_MUST_CHECK enum sa_status rpc_login_challenge(struct sa_call *call, struct rpc_login *login,
                                                 Secauth__V1__Challenge **ret_challenge);

/* Who the challenges of a login belong to, as long as both. */
struct sa_challenge_owner rpc_login_owner(const struct sa_call *call, const struct rpc_login *login);

/* What a challenge keeps of a password or a hash. */
void rpc_login_challenge_mac(const struct sa_call *call, struct sa_bytes secret, uint8_t ret_mac[SA_MAC_LEN]);

/*
 * Deny a wrong code: counted for its user, with its record; the unit that was taken of the source stays so.
 * Held.
 */
SA_MUST_CHECK enum sa_status rpc_login_deny_code(struct sa_call *call, const struct rpc_login *login,
                                                 const char *reason);

/* ---- what comes of it ---- */

/*
 * The record as it is now, and judge it again: what was disabled or changed meanwhile is not granted.
 *   ret_other_hash  the hash is another one: perhaps of the same password, perhaps not.
 */
SA_MUST_CHECK enum sa_status rpc_login_look_again(struct sa_call *call, struct rpc_login *login,
                                                  bool *ret_other_hash);

/* Deny whom it is no business of, as rpc_refuse_proof does. */
SA_MUST_CHECK enum sa_status rpc_login_refuse(struct sa_call *call, const struct rpc_login *login,
                                              const char *reason);

/*
 * Grant: the change, the known source, the code and the record are one commit; then the handle or the tokens.
 * What was taken goes back, but for a code that was used already, which is denied as a wrong one. SA_OK, or
 * why not, held.
 */
SA_MUST_CHECK enum sa_status rpc_login_grant(struct sa_call *call, struct rpc_login *login,
                                             struct rpc_login_grant *ret_grant);

#endif
