#include "service/rpc/proof.h"

#include "service/auth/inside.h"
#include "service/auth/login.h"
#include "service/auth/switches.h"

enum sa_status
rpc_hold(struct sa_call *call, enum sa_status status)
{
    uint32_t random;

    if (!sa_switch_is_on(SA_SWITCH_fixed_denial))
        return status;
    sa_random(&random, sizeof(random));
    call->hold_until_boot_ms = sa_login_denial_boot_ms(call->authority, call->now.boot_ms, random);
    return status;
}

enum sa_status
rpc_check_rate(struct sa_call *call)
{
    uint32_t wait = sa_buckets_wait(call->authority->buckets, &call->source, call->now.boot_ms);

    if (wait == 0)
        return SA_OK;
    call->retry_ms = wait;
    return rpc_hold(call, SA_RATE_LIMITED);
}

enum sa_status
rpc_prove(struct sa_call *call, const char *hash, struct sa_bytes password, bool *ret_match)
{
    struct sa_login_try attempt = {password, hash, &call->source, call->now.boot_ms};

    enum sa_status status = sa_login_prove(call->authority, &attempt, ret_match, &call->retry_ms);
    return status == SA_RATE_LIMITED ? rpc_hold(call, status) : status;
}

void
rpc_forgive(struct sa_call *call)
{
    sa_buckets_give_back(call->authority->buckets, &call->source, call->now.boot_ms);
}

enum sa_status
rpc_deny_proof(struct sa_call *call, const struct sa_audit *record, enum sa_status status)
{
    enum sa_status told = rpc_denied(call, record, status);

    if (told != status && status == SA_INVALID_CREDENTIALS)
        rpc_forgive(call);
    return rpc_hold(call, told);
}

struct sa_user *
rpc_keep_user(struct sa_call *call, const struct sa_user *user)
{
    struct sa_user *copy = sa_arena_alloc(call->arena, sizeof(*copy));

    if (copy != NULL)
        *copy = *user;
    return copy;
}
