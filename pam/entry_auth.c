/* authenticate and setcred. */
#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include "pam/ask.h"
#include "pam/challenge.h"
#include "pam/log.h"
#include "pam/proof.h"
#include "pam/talk.h"
#include "secauth/v1/authn.pb-c.h"

/*
 * The line that programs such as fail2ban read, in the words of pam_unix. No ruser: it is what somebody else
 * typed, and it may be a password.
 */
static void
log_denial(const struct sa_login *login, const struct sa_answer *answer)
{
    char user[SA_LOG_ESCAPED_MAX], rhost[SA_LOG_ESCAPED_MAX], tty[SA_LOG_ESCAPED_MAX];
    const Secauth__V1__Origin *origin = &login->origin;

    sa_log_user(login, user);
    sa_log_escape(origin->rhost.data, origin->rhost.len, rhost);
    sa_log_escape(origin->tty.data, origin->tty.len, tty);
    sa_log(login, LOG_NOTICE,
           "authentication failure; logname= uid=%u euid=%u tty=%.64s ruser= rhost=%.255s  user=%.128s "
           "request=%016" PRIx64,
           getuid(), geteuid(), tty, rhost, user, answer->error.request_id);
}

static void
log_grant(const struct sa_login *login, const struct sa_answer *answer)
{
    char user[SA_LOG_ESCAPED_MAX];

    sa_log(login, LOG_INFO, "granted for %s request=%016" PRIx64, sa_log_user(login, user),
           answer->error.request_id);
}

/* A code was appended to the password: what later modules find is the password alone. */
static int
drop_code(const struct sa_login *login, const struct sa_answer *answer, uint32_t password_len, char *password)
{
    if (password_len == 0)
        return PAM_SUCCESS;
    if (password_len > strlen(password))
        return sa_ask_refuse_reply(login, answer, "a password longer than the one that it was sent");
    sa_wipe(password + password_len, strlen(password + password_len));
    return pam_set_item(login->pamh, PAM_AUTHTOK, password) == PAM_SUCCESS ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

/* What the daemon makes of the password: a grant, or a question. */
static int
take_reply(struct sa_login *login, char *password, struct sa_arena *arena, struct sa_answer *answer)
{
    const Secauth__V1__BeginAuthenticationResponse *reply =
        (const Secauth__V1__BeginAuthenticationResponse *)answer->reply;
    struct sa_bytes handle = sa_bytes(reply->authn_handle.data, reply->authn_handle.len);
    int code = drop_code(login, answer, reply->password_len, password);

    if (code != PAM_SUCCESS)
        return code;
    if (reply->outcome == SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_CHALLENGED)
        code = sa_challenge_pass(login, reply->challenge, password, arena, answer, &handle);
    else if (reply->outcome != SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED)
        return sa_ask_refuse_reply(login, answer, "OK without a grant");
    if (code != PAM_SUCCESS)
        return code;
    sa_proof_leave(login, handle);
    log_grant(login, answer);
    return PAM_SUCCESS;
}

/* Whom the daemon may tell, it tells how long the wait is. */
static void
tell_wait(const struct sa_login *login, const struct sa_answer *answer)
{
    char text[96];
    uint32_t seconds = answer->error.retry_ms / 1000 + (answer->error.retry_ms % 1000 != 0);

    if (seconds == 0)
        return;
    snprintf(text, sizeof(text), "Too many failures; try again in %u second%s.", seconds,
             seconds == 1 ? "" : "s");
    sa_talk_tell(login, PAM_ERROR_MSG, text);
}

/*
 * A denial. To root's programs a name that the name service does not know is an unknown user, as it is to
 * every other module; nobody else learns the difference. PERMISSION_DENIED is a denial like any other here:
 * pam_sm_authenticate(3) knows no other word for it.
 */
static int
take_denial(const struct sa_login *login, const struct sa_answer *answer)
{
    log_denial(login, answer);
    tell_wait(login, answer);
    return login->uid == NULL && geteuid() == 0 ? PAM_USER_UNKNOWN : PAM_AUTH_ERR;
}

static int
ask_password(struct sa_login *login, char *password)
{
    SA_OWN(sa_arena) arena = sa_arena_new(SA_ASK_ARENA_MAX);
    Secauth__V1__BeginAuthenticationRequest request = SECAUTH__V1__BEGIN_AUTHENTICATION_REQUEST__INIT;
    Secauth__V1__Origin origin = login->origin;
    struct sa_answer answer;

    request.user = login->user;
    request.uid = login->uid;
    request.password = sa_ask_password(password);
    request.origin = &origin;
    int code = sa_ask(login, "AuthnService/BeginAuthentication", &request.base,
                      &secauth__v1__begin_authentication_response__descriptor, arena, &answer);
    if (code == PAM_SUCCESS)
        code = take_reply(login, password, arena, &answer);
    /* Only what the daemon denied is a denial: a question left unanswered counts nowhere, nor in the log. */
    if ((code == PAM_AUTH_ERR || code == PAM_PERM_DENIED) && answer.status != SA_OK)
        return take_denial(login, &answer);
    return code == PAM_AUTHTOK_ERR ? PAM_SYSTEM_ERR : code;
}

/*
 * The modules that come after may use the password where they are to decide or to unlock, and nowhere else.
 * After PAM_INCOMPLETE none comes: libpam enters this module again, which may find it there.
 */
static bool
keeps_password(int code)
{
    return code == PAM_SUCCESS || code == PAM_USER_UNKNOWN || code == PAM_AUTHINFO_UNAVAIL ||
           code == PAM_INCOMPLETE;
}

static int
authenticate(struct sa_login *login)
{
    const char *item = NULL;
    char password[SA_ASK_PASSWORD_MAX + 1] = ""; /* the item may change in a conversation */

    sa_proof_leave(login, sa_bytes(NULL, 0));
    int code = sa_talk_secret(login, PAM_AUTHTOK, "Password: ", &item);
    if (code == PAM_SUCCESS) {
        memcpy(password, item, strnlen(item, SA_ASK_PASSWORD_MAX));
        code = ask_password(login, password);
        sa_wipe(password, sizeof(password));
    }
    if (!keeps_password(code))
        (void)pam_set_item(login->pamh, PAM_AUTHTOK, NULL);
    return code;
}

SA_ENTRY int
pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct sa_login login;
    int code = sa_login_begin(pamh, "auth", flags, argc, argv, &login);

    if (code == PAM_SUCCESS)
        code = authenticate(&login);
    return sa_login_leave(&login, code);
}

/* It comes twice, before, never, and in a process of the user: whatever it did would be wrong somewhere. */
SA_ENTRY int
pam_sm_setcred(SA_UNUSED pam_handle_t *pamh, SA_UNUSED int flags, SA_UNUSED int argc,
               SA_UNUSED const char **argv)
{
    return PAM_SUCCESS;
}
