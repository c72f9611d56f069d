/* chauthtok: the preliminary check with the current password, then the change. */
#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include "pam/ask.h"
#include "pam/log.h"
#include "pam/talk.h"
#include "secauth/v1/authn.pb-c.h"

#define ROUNDS_MAX 3 /* tries to choose a new password */

/* What the preliminary check found, kept for the change that follows in the same call of pam_chauthtok. */
enum finding {
    FOUND_NOTHING = 0,
    FOUND_MAY_CHANGE,
    FOUND_NOT_EXPIRED, /* only what has expired is to be changed, and this has not */
    FOUND_UNMANAGED,   /* another module's: it gets the passwords from us, so that nobody types twice */
};

#define FINDING_DATA "secauth_change"

static void
set_finding(const struct sa_login *login, enum finding finding)
{
    (void)pam_set_data(login->pamh, FINDING_DATA, (void *)(intptr_t)finding, NULL);
}

static enum finding
last_finding(const struct sa_login *login)
{
    const void *data = NULL;

    if (pam_get_data(login->pamh, FINDING_DATA, &data) != PAM_SUCCESS)
        return FOUND_NOTHING;
    return (enum finding)(intptr_t)data;
}

/* PAM_CHANGE_EXPIRED_AUTHTOK: an expired password is proven whoever asks, for sshd changes it in root's name.
 */
static bool
only_expired(const struct sa_login *login)
{
    return (login->flags & PAM_CHANGE_EXPIRED_AUTHTOK) != 0;
}

/* What the daemon's refusals are called here. */
static int
password_code(int code)
{
    switch (code) {
    case PAM_AUTH_ERR:
        return PAM_AUTHTOK_RECOVERY_ERR;
    case PAM_AUTHINFO_UNAVAIL:
        return PAM_TRY_AGAIN;
    default:
        return code;
    }
}

/* Why a new password is refused: the rule, without the name of the field that the caller's side puts before
 * it. */
static void
tell_refusal(const struct sa_login *login, const struct sa_answer *answer)
{
    const struct sa_call_error *error = &answer->error;
    const char *rule = error->words;
    size_t field_len = strlen(error->field);
    char words[sizeof(error->words) + 64];

    if (field_len > 0 && strncmp(rule, error->field, field_len) == 0 &&
        strncmp(rule + field_len, ": ", 2) == 0)
        rule += field_len + 2;
    snprintf(words, sizeof(words), "The new password is refused: %s.", rule);
    sa_talk_tell(login, PAM_ERROR_MSG, words);
}

static int
take_change(const struct sa_login *login, const struct sa_answer *answer, bool changing,
            bool *ret_not_expired)
{
    const Secauth__V1__ChangePasswordResponse *reply =
        (const Secauth__V1__ChangePasswordResponse *)answer->reply;
    bool not_expired = reply->not_expired && only_expired(login);
    char user[SA_LOG_ESCAPED_MAX];

    if (!reply->accepted && !not_expired)
        return sa_ask_refuse_reply(login, answer, "OK without a change");
    if (changing && !not_expired)
        sa_log(login, LOG_NOTICE, "password changed for %s request=%016" PRIx64, sa_log_user(login, user),
               answer->error.request_id);
    *ret_not_expired = not_expired;
    return PAM_SUCCESS;
}

/* Ask for the check (no new password) or for the change. */
static int
ask_change(struct sa_login *login, const char *current, const char *new, bool *ret_not_expired)
{
    SA_OWN(sa_arena) arena = sa_arena_new(SA_ASK_ARENA_MAX);
    Secauth__V1__ChangePasswordRequest request = SECAUTH__V1__CHANGE_PASSWORD_REQUEST__INIT;
    Secauth__V1__Origin origin = login->origin;
    struct sa_answer answer;
    char user[SA_LOG_ESCAPED_MAX];

    request.user = login->user;
    request.uid = login->uid;
    request.current_password = sa_ask_password(current);
    request.new_password = sa_ask_password(new);
    request.origin = &origin;
    request.check_only = new == NULL;
    request.expired_only = only_expired(login);
    int code = sa_ask(login, "AuthnService/ChangePassword", &request.base,
                      &secauth__v1__change_password_response__descriptor, arena, &answer);
    if (code == PAM_AUTHTOK_ERR)
        tell_refusal(login, &answer);
    if (code == PAM_AUTH_ERR || code == PAM_PERM_DENIED || code == PAM_AUTHTOK_ERR)
        sa_log(login, LOG_NOTICE, "password of %s not changed: %s request=%016" PRIx64,
               sa_log_user(login, user), sa_status_row(answer.status)->name, answer.error.request_id);
    if (code != PAM_SUCCESS)
        return password_code(code);
    return take_change(login, &answer, new != NULL, ret_not_expired);
}

static int
preliminary(struct sa_login *login)
{
    const char *current = NULL;
    bool not_expired = false;

    set_finding(login, FOUND_NOTHING);
    if (getuid() != 0 || only_expired(login)) {
        int code = sa_talk_secret(login, PAM_OLDAUTHTOK, "Current password: ", &current);
        if (code != PAM_SUCCESS)
            return password_code(code);
    }
    int code = ask_change(login, current, NULL, &not_expired);
    if (code == PAM_SUCCESS)
        set_finding(login, not_expired ? FOUND_NOT_EXPIRED : FOUND_MAY_CHANGE);
    if (code == PAM_USER_UNKNOWN)
        set_finding(login, FOUND_UNMANAGED);
    if (code != PAM_SUCCESS && code != PAM_USER_UNKNOWN)
        (void)pam_set_item(login->pamh, PAM_OLDAUTHTOK, NULL);
    return code;
}

/* Ask twice for a new password and set PAM_AUTHTOK. PAM_AUTHTOK_ERR: what was typed is of no use, and was
 * told. */
static int
choose(const struct sa_login *login)
{
    SA_ANSWER char *first = NULL;
    SA_ANSWER char *second = NULL;

    int code = sa_talk_ask(login, PAM_PROMPT_ECHO_OFF, "New password: ", &first);
    if (code != PAM_SUCCESS)
        return code;
    if (first[0] == '\0') {
        sa_talk_tell(login, PAM_ERROR_MSG, "No password was given.");
        return PAM_AUTHTOK_ERR;
    }
    code = sa_talk_ask(login, PAM_PROMPT_ECHO_OFF, "Retype new password: ", &second);
    if (code != PAM_SUCCESS)
        return code;
    if (strcmp(first, second) != 0) {
        sa_talk_tell(login, PAM_ERROR_MSG, "The two passwords differ.");
        return PAM_AUTHTOK_ERR;
    }
    return pam_set_item(login->pamh, PAM_AUTHTOK, first) == PAM_SUCCESS ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

/* One try: have a new password in PAM_AUTHTOK, and where it is ours to change, change it. */
static int
change_once(struct sa_login *login, enum finding finding)
{
    const void *current = NULL, *new = NULL;
    bool not_expired = false;

    int code = login->options.use_authtok ? PAM_SUCCESS : choose(login);
    if (code != PAM_SUCCESS)
        return code;
    if (pam_get_item(login->pamh, PAM_AUTHTOK, &new) != PAM_SUCCESS || new == NULL ||
        *(const char *)new == '\0')
        return PAM_AUTHTOK_ERR;
    if (finding == FOUND_UNMANAGED)
        return PAM_SUCCESS;
    if (pam_get_item(login->pamh, PAM_OLDAUTHTOK, &current) != PAM_SUCCESS)
        return PAM_SYSTEM_ERR;
    return ask_change(login, current, new, &not_expired);
}

static int
update(struct sa_login *login)
{
    enum finding finding = last_finding(login);
    int code = PAM_AUTHTOK_ERR;

    if (finding == FOUND_NOT_EXPIRED)
        return PAM_SUCCESS;
    if (finding == FOUND_NOTHING)
        return PAM_AUTHTOK_ERR;
    int rounds = login->options.use_authtok ? 1 : ROUNDS_MAX;
    for (int round = 0; round < rounds && code == PAM_AUTHTOK_ERR; round++)
        code = change_once(login, finding);
    if (code != PAM_SUCCESS)
        (void)pam_set_item(login->pamh, PAM_AUTHTOK, NULL);
    return code == PAM_SUCCESS && finding == FOUND_UNMANAGED ? PAM_USER_UNKNOWN : code;
}

SA_ENTRY int
pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct sa_login login;
    int code = sa_login_begin(pamh, "chauthtok", flags, argc, argv, &login);

    if (code == PAM_SUCCESS)
        code = (flags & PAM_PRELIM_CHECK) != 0 ? preliminary(&login) : update(&login);
    return sa_login_leave(&login, code);
}
