/* acct_mgmt. */
#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

#include "pam/ask.h"
#include "pam/log.h"
#include "pam/talk.h"
#include "secauth/v1/authn.pb-c.h"

#define USABLE         SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_USABLE
#define MUST_CHANGE    SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_PASSWORD_EXPIRED
#define DISABLED       SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_DISABLED
#define EXPIRED        SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_EXPIRED
#define NOT_YET_VALID  SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_NOT_YET_VALID
#define DENIED_BY_RULE SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_DENIED_BY_RULE

static const struct row {
    Secauth__V1__AccountState state;
    enum sa_status status; /* the same, where the daemon says it as an error */
    int code;
    const char *words; /* to the person; NULL for none */
} rows[] = {
    {USABLE, SA_OK, PAM_SUCCESS, NULL},
    {MUST_CHANGE, SA_PASSWORD_EXPIRED, PAM_NEW_AUTHTOK_REQD, "Your password must be changed now."},
    {DISABLED, SA_ACCOUNT_DISABLED, PAM_ACCT_EXPIRED, "Your account is disabled."},
    {EXPIRED, SA_ACCOUNT_EXPIRED, PAM_ACCT_EXPIRED, "Your account has expired."},
    {NOT_YET_VALID, SA_ACCOUNT_NOT_YET_VALID, PAM_ACCT_EXPIRED, "Your account is not valid yet."},
    {DENIED_BY_RULE, SA_DENIED_BY_RULE, PAM_PERM_DENIED, "A rule of this host does not allow this login."},
};

static int
tell_state(const struct sa_login *login, const struct sa_answer *answer, const struct row *row)
{
    char user[SA_LOG_ESCAPED_MAX];

    if (row->code != PAM_SUCCESS)
        sa_log(login, LOG_NOTICE, "account of %s: %s request=%016" PRIx64, sa_log_user(login, user),
               row->words, answer->error.request_id);
    if (row->words != NULL)
        sa_talk_tell(login, row->code == PAM_NEW_AUTHTOK_REQD ? PAM_TEXT_INFO : PAM_ERROR_MSG, row->words);
    return row->code;
}

static void
warn_of_expiry(const struct sa_login *login, uint32_t days)
{
    char words[96];

    if (days == 0)
        return;
    snprintf(words, sizeof(words), "Your password expires in %" PRIu32 " day%s.", days, days == 1 ? "" : "s");
    sa_talk_tell(login, PAM_TEXT_INFO, words);
}

static int
take_state(const struct sa_login *login, const struct sa_answer *answer)
{
    const Secauth__V1__CheckAccountResponse *reply = (const Secauth__V1__CheckAccountResponse *)answer->reply;

    for (size_t i = 0; i < SA_COUNT(rows); i++) {
        if (rows[i].state != reply->state)
            continue;
        if (reply->state == USABLE)
            warn_of_expiry(login, reply->password_warning_days);
        return tell_state(login, answer, &rows[i]);
    }
    return sa_ask_refuse_reply(login, answer, "an account without a state");
}

/* The daemon said no, as for a uid that is not the record's: that it is no is all that the person need know.
 */
static int
take_refusal(const struct sa_login *login, const struct sa_answer *answer)
{
    char user[SA_LOG_ESCAPED_MAX];

    for (size_t i = 0; i < SA_COUNT(rows); i++) {
        if (rows[i].status == answer->status)
            return tell_state(login, answer, &rows[i]);
    }
    sa_log(login, LOG_NOTICE, "account of %s refused: %s request=%016" PRIx64, sa_log_user(login, user),
           sa_status_row(answer->status)->name, answer->error.request_id);
    return PAM_PERM_DENIED;
}

static int
check_account(struct sa_login *login)
{
    SA_OWN(sa_arena) arena = sa_arena_new(SA_ASK_ARENA_MAX);
    Secauth__V1__CheckAccountRequest request = SECAUTH__V1__CHECK_ACCOUNT_REQUEST__INIT;
    Secauth__V1__Origin origin = login->origin;
    struct sa_answer answer;

    request.user = login->user;
    request.uid = login->uid;
    request.origin = &origin;
    int code = sa_ask(login, "AuthnService/CheckAccount", &request.base,
                      &secauth__v1__check_account_response__descriptor, arena, &answer);
    if (code == PAM_SUCCESS)
        return take_state(login, &answer);
    if (code == PAM_AUTH_ERR || code == PAM_PERM_DENIED)
        return take_refusal(login, &answer);
    return code == PAM_AUTHTOK_ERR ? PAM_SYSTEM_ERR : code;
}

SA_ENTRY int
pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct sa_login login;
    int code = sa_login_begin(pamh, "account", flags, argc, argv, &login);

    if (code == PAM_SUCCESS)
        code = check_account(&login);
    return sa_login_leave(&login, code);
}
