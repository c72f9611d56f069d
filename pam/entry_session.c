/* open_session and close_session. */
#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include "pam/ask.h"
#include "pam/log.h"
#include "pam/proof.h"
#include "secauth/v1/session.pb-c.h"

#define AUTH_INFO_VARIABLE "SSH_AUTH_INFO_0" /* sshd: how the person proved themselves */
#define AUTH_INFO_MAX      1024u

/* Publish the session: its id to the person's environment and to close_session. */
static int
take_session(const struct sa_login *login, const struct sa_answer *answer)
{
    const Secauth__V1__OpenSessionResponse *reply = (const Secauth__V1__OpenSessionResponse *)answer->reply;
    const char *id = reply->session_id;
    char variable[sizeof(SA_SESSION_VARIABLE "=") + SA_PROOF_ID_LEN], user[SA_LOG_ESCAPED_MAX];

    if (!reply->recorded || (id[0] != '\0' && !sa_proof_is_id(sa_bytes_of(id)))) {
        (void)sa_ask_refuse_reply(login, answer, "a session that was not recorded");
        return PAM_IGNORE;
    }
    if (sa_proof_set_session(login, id) != PAM_SUCCESS)
        return PAM_IGNORE;
    if (id[0] != '\0') {
        snprintf(variable, sizeof(variable), SA_SESSION_VARIABLE "=%s", id);
        (void)pam_putenv(login->pamh, variable);
    }
    sa_log(login, LOG_INFO, "session %s opened for %s request=%016" PRIx64,
           id[0] != '\0' ? id : "without an id", sa_log_user(login, user), answer->error.request_id);
    return PAM_SUCCESS;
}

/*
 * The daemon said no. A password that must be changed is no reason to refuse: sshd opens the session in which
 * the person changes it, and it has no id.
 */
static int
take_refusal(const struct sa_login *login, const struct sa_answer *answer)
{
    char user[SA_LOG_ESCAPED_MAX];
    bool may_change = answer->status == SA_PASSWORD_EXPIRED;

    sa_log(login, LOG_NOTICE, "session for %s %s: %s request=%016" PRIx64, sa_log_user(login, user),
           may_change ? "without an id" : "refused", sa_status_row(answer->status)->name,
           answer->error.request_id);
    return may_change ? PAM_IGNORE : PAM_SESSION_ERR;
}

/* What sshd says of the proof, without the line feed at its end. */
static ProtobufCBinaryData
auth_info(const struct sa_login *login)
{
    const char *text = pam_getenv(login->pamh, AUTH_INFO_VARIABLE);
    size_t len = text == NULL ? 0 : strnlen(text, AUTH_INFO_MAX);

    if (len > 0 && text[len - 1] == '\n')
        len--;
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)text};
}

static int
open_session(struct sa_login *login)
{
    SA_OWN(sa_arena) arena = sa_arena_new(SA_ASK_ARENA_MAX);
    Secauth__V1__OpenSessionRequest request = SECAUTH__V1__OPEN_SESSION_REQUEST__INIT;
    Secauth__V1__Origin origin = login->origin;
    struct sa_proof_id handle;
    struct sa_answer answer;

    sa_proof_take(login, &handle);
    if (geteuid() != 0)
        return PAM_IGNORE; /* only root's word makes a session; the users' socket has no such method */

    request.user = login->user;
    request.uid = login->uid;
    request.origin = &origin;
    request.authn_handle = (ProtobufCBinaryData){strlen(handle.text), (uint8_t *)handle.text};
    request.auth_info = auth_info(login);
    int code = sa_ask(login, "SessionService/OpenSession", &request.base,
                      &secauth__v1__open_session_response__descriptor, arena, &answer);
    sa_wipe(&handle, sizeof(handle));
    if (code == PAM_SUCCESS)
        return take_session(login, &answer);
    if (code == PAM_AUTH_ERR || code == PAM_PERM_DENIED)
        return take_refusal(login, &answer);
    return PAM_IGNORE; /* `account` has let the person in: a session without an id */
}

SA_ENTRY int
pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct sa_login login;
    int code = sa_login_begin(pamh, "session", flags, argc, argv, &login);

    code = code == PAM_SUCCESS ? open_session(&login) : PAM_SESSION_ERR;
    return sa_login_leave(&login, code);
}

/* Nothing here can keep a person in: what does not reach the daemon ends when the session's leader dies. */
static int
close_session(struct sa_login *login, const char *session_id)
{
    SA_OWN(sa_arena) arena = sa_arena_new(SA_ASK_ARENA_MAX);
    Secauth__V1__CloseSessionRequest request = SECAUTH__V1__CLOSE_SESSION_REQUEST__INIT;
    Secauth__V1__Origin origin = login->origin;
    struct sa_answer answer;

    request.session_id = (char *)(uintptr_t)session_id;
    request.user = login->user;
    request.origin = &origin;
    int code = sa_ask(login, "SessionService/CloseSession", &request.base,
                      &secauth__v1__close_session_response__descriptor, arena, &answer);
    if (code != PAM_SUCCESS)
        return PAM_IGNORE;
    if (!((const Secauth__V1__CloseSessionResponse *)answer.reply)->accepted) {
        (void)sa_ask_refuse_reply(login, &answer, "a session that was not closed");
        return PAM_IGNORE;
    }
    return PAM_SUCCESS;
}

SA_ENTRY int
pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct sa_login login;
    int code = sa_login_begin(pamh, "session", flags, argc, argv, &login);
    const char *session_id = sa_proof_session(&login);

    code = code == PAM_SUCCESS && session_id != NULL ? close_session(&login, session_id) : PAM_IGNORE;
    return sa_login_leave(&login, code);
}
