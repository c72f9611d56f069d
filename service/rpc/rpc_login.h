/* A login, step by step: looked up, judged, granted or denied in one way for whoever proves it. */
#ifndef SA_RPC_LOGIN_H
#define SA_RPC_LOGIN_H

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
    bool every_factor;      /* no second factor is asked of this user */
    enum sa_status verdict; /* SA_OK, SA_PASSWORD_EXPIRED (granted on the sockets), or a denial */
    const char *reason;     /* of a denial, a constant */
};

/* What a grant says. The handler puts it into its reply. */
struct rpc_login_grant {
    ProtobufCBinaryData handle;
    bool must_change;
    Secauth__V1__TokenGrant *tokens;
};

/* Look the name up, and whether the source is known to it. SA_OK also for a name without a record. */
SA_MUST_CHECK enum sa_status rpc_login_look_up(struct sa_call *call, struct rpc_login *login);

/*
 * What stands against the attempt apart from the password: verdict and reason.
 *   match  the password was right.
 */
void rpc_login_judge(const struct sa_call *call, struct rpc_login *login, bool match);
bool rpc_login_is_granted(const struct rpc_login *login);

/* The login as the rules see it; as long as both. */
struct sa_rule_login rpc_login_to_rules(const struct sa_call *call, const struct rpc_login *login);

/* What a second factor means for a login whose password is right. */
struct rpc_login_factor {
    struct sa_factor_verdict asked;
    bool has_one;
    bool is_fresh;        /* one that was proven from here lately still counts */
    const char *withheld; /* why the password is not enough, a constant; NULL: it is */
};

/*
 * Whether a second factor is missing. A guard asks strangers for one whatever the rules say: a person who has
 * none is denied then. SA_OK, SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status rpc_login_ask_factor(struct sa_call *call, const struct rpc_login *login,
                                                  struct rpc_login_factor *ret_factor);

/*
 * The record as it is now, and judge it again: what was disabled or changed meanwhile is not granted.
 *   ret_other_hash  the hash is another one: perhaps of the same password, perhaps not.
 */
SA_MUST_CHECK enum sa_status rpc_login_look_again(struct sa_call *call, struct rpc_login *login,
                                                  bool *ret_other_hash);

/* Deny by the verdict, as rpc_fail_proof does. */
SA_MUST_CHECK enum sa_status rpc_login_deny(struct sa_call *call, struct rpc_login *login);

/* Deny whom it is no business of, as rpc_refuse_proof does. */
SA_MUST_CHECK enum sa_status rpc_login_refuse(struct sa_call *call, const struct rpc_login *login,
                                              const char *reason);

/*
 * Grant: the change, the known source and the record are one commit; then the handle or the tokens. What was
 * taken has gone back, whatever it returns. SA_OK, SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status rpc_login_grant(struct sa_call *call, struct rpc_login *login,
                                             struct rpc_login_grant *ret_grant);

#endif
