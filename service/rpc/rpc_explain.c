/*
 * HostService/Explain: a login with the right password, through the very functions that decide one. Nothing
 * is taken, counted or recorded.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "service/auth/account.h"
#include "service/auth/inside.h"
#include "service/rpc/rpc_login.h"

#define STEPS_MAX 9u
#define TEXT_MAX  400u
#define TIME_MAX  253402300799 /* the year 9999 */

struct explaining {
    struct sa_call *call;
    Secauth__V1__ExplainResponse *reply;
    bool failed; /* no memory */
    const char *denied_by;
};

__attribute__((format(printf, 4, 5))) static void
say(struct explaining *explaining, const char *name, bool denies, const char *format, ...)
{
    Secauth__V1__ExplainResponse *reply = explaining->reply;
    Secauth__V1__ExplainStep *step = sa_arena_alloc(explaining->call->arena, sizeof(*step));
    char text[TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (step != NULL)
        secauth__v1__explain_step__init(step);
    if (step == NULL || !rpc_put_text(explaining->call, name, &step->name) ||
        !rpc_put_text(explaining->call, text, &step->text)) {
        explaining->failed = true;
        return;
    }
    step->denies = denies;
    if (denies && explaining->denied_by == NULL)
        explaining->denied_by = step->name;
    reply->steps[reply->n_steps++] = step;
}

/* The call as the module would make it, from root's socket at that time. */
static struct sa_call
as_login(const struct sa_call *call, const Secauth__V1__ExplainRequest *request)
{
    struct sa_call login = *call;
    const Secauth__V1__Origin *said = request->origin;
    struct sa_origin origin = {.service = sa_bytes_of(said->service),
                               .rhost = rpc_bytes(said->rhost),
                               .tty = rpc_bytes(said->tty),
                               .acting_uid = said->acting_uid};

    sa_source_pam(&origin, sa_rules_console_services(call->authority->rules), &login.source);
    if (request->time != 0)
        login.now.wall_ms = request->time * 1000;
    return login;
}

static void
say_account(struct explaining *explaining, const struct sa_call *call, const struct rpc_login *login)
{
    enum sa_status state = sa_account_state(login->user, call->now.wall_ms);

    say(explaining, "account", sa_account_is_closed(state), "%s",
        state == SA_OK                 ? "may be used"
        : state == SA_PASSWORD_EXPIRED ? "may be used once the password was changed"
                                       : sa_account_reason(state));
}

static void
say_access(struct explaining *explaining, const struct rpc_login *login, const struct sa_rule_login *asked)
{
    struct sa_rule_verdict verdict = sa_rules_access(login->rules, asked);
    const char *path = explaining->call->authority->conf->secauthd_rules;

    if (verdict.line == 0)
        say(explaining, "rule", false, "no rule matches: allowed");
    else
        say(explaining, "rule", verdict.denied, "%s, %s:%u", verdict.denied ? "deny" : "allow", path,
            verdict.line);
}

static enum sa_status
say_factor(struct explaining *explaining, struct sa_call *call, const struct rpc_login *login)
{
    static const char *const words[] = {
        [SA_FACTORS_OFF] = "off",
        [SA_FACTORS_ENROLLED] = "asked of those who have one",
        [SA_FACTORS_AFTER_PASSWORD] = "asked after the password",
        [SA_FACTORS_ALWAYS] = "asked of every name",
    };
    struct rpc_login_factor factor;
    char where[SA_CONF_TEXT_MAX + 32] = "the default";

    enum sa_status status = rpc_login_ask_factor(call, login, &factor);
    if (status != SA_OK)
        return status;
    if (factor.asked.line > 0)
        snprintf(where, sizeof(where), "%s:%u", call->authority->conf->secauthd_rules, factor.asked.line);
    say(explaining, "factor", factor.withheld != NULL, "%s (%s); %s%s", words[factor.asked.factors], where,
        factor.has_one ? "one is enrolled" : "none is enrolled",
        factor.is_due                       ? ", and a code is asked"
        : factor.has_one && factor.is_fresh ? ", and a recent one from here still counts"
                                            : "");
    return SA_OK;
}

static enum sa_status
explain_user(struct explaining *explaining, struct sa_call *call, const struct rpc_login *login)
{
    struct sa_rule_login asked = rpc_login_to_rules(call, login);
    struct sa_lockout_state state;

    say_account(explaining, call, login);
    say(explaining, "source", false, "%s", call->source.text);
    say(explaining, "known", false, "%s",
        login->attempt.is_console     ? "the console"
        : login->attempt.is_known     ? "known to this user"
        : login->attempt.may_be_known ? "not known to this user"
                                      : "never known to anybody");
    say_access(explaining, login, &asked);
    sa_lockout_look(call->authority->lockout, &login->attempt, &state);
    enum sa_status status = say_factor(explaining, call, login);
    if (state.wait_ms > 0)
        say(explaining, "pair", true, "waits for %" PRIu32 " ms more after %u failures", state.wait_ms,
            state.failures);
    else
        say(explaining, "pair", false, "%u failures, does not wait", state.failures);
    say(explaining, "guard", false, "%s",
        state.on_guard ? "up: from here a second factor is asked, or without one denied" : "not up");
    return status;
}

enum sa_status
rpc_host_explain(struct sa_call *call, const Secauth__V1__ExplainRequest *request,
                 Secauth__V1__ExplainResponse *reply)
{
    struct explaining explaining = {.call = call, .reply = reply};
    struct rpc_login login = {.name = rpc_bytes(request->user)};

    enum sa_status status = rpc_check_origin(call, request->origin);
    if (status != SA_OK)
        return status;
    if (request->time < 0 || request->time > TIME_MAX)
        return sa_call_refuse(call, "time", "seconds since 1970, up to the year 9999");
    reply->steps = sa_arena_alloc(call->arena, STEPS_MAX * sizeof(*reply->steps));
    if (reply->steps == NULL)
        return SA_NO_MEMORY;
    struct sa_call dry = as_login(call, request);
    login.service = request->origin->service;
    status = rpc_login_look_up(&dry, &login);
    if (status != SA_OK)
        return status;
    say(&explaining, "record", login.user == NULL, "%s",
        login.user != NULL ? login.user->name : "none: pam_unix decides about a name that the host knows");
    if (login.user != NULL)
        status = explain_user(&explaining, &dry, &login);
    else
        say(&explaining, "source", false, "%s", dry.source.text);
    rpc_login_judge(&dry, &login, true);
    reply->granted = explaining.denied_by == NULL && rpc_login_is_granted(&login);
    say(&explaining, "outcome", !reply->granted, "%s%s",
        reply->granted ? "granted, with the right password and what else is asked" : "denied by: ",
        reply->granted                 ? ""
        : explaining.denied_by != NULL ? explaining.denied_by
                                       : login.reason);
    return explaining.failed ? SA_NO_MEMORY : status;
}
