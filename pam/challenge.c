#include "pam/challenge.h"

#include "pam/log.h"
#include "pam/talk.h"

/* Why a question cannot be put; NULL where it can. That it has no control characters is decoding's work. */
static const char *
flaw_of(const Secauth__V1__Challenge *challenge)
{
    if (challenge == NULL || challenge->kind_case != SECAUTH__V1__CHALLENGE__KIND_PROMPT)
        return "a challenge of no known kind";
    if (challenge->state.len != SA_CHALLENGE_STATE_LEN)
        return "a challenge without its state";
    size_t len = strnlen(challenge->prompt->text, SA_CHALLENGE_TEXT_MAX + 1);
    if (len == 0 || len > SA_CHALLENGE_TEXT_MAX)
        return "a prompt that is empty or too long";
    return NULL;
}

/* One question to the person. *ret_text is written only on PAM_SUCCESS; the caller forgets it. */
static int
put_question(const struct sa_login *login, const Secauth__V1__PromptChallenge *prompt, const char *password,
             char **ret_text)
{
    SA_ANSWER char *text = NULL;
    int style = prompt->echo ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF;
    int code = sa_talk_ask(login, style, prompt->text, &text);

    if (code != PAM_SUCCESS)
        return code;
    if (text[0] == '\0' || strcmp(text, password) == 0) /* one person typed both: no time to hide */
        return PAM_AUTH_ERR;
    *ret_text = text;
    text = NULL;
    return PAM_SUCCESS;
}

static int
send_text(struct sa_login *login, const Secauth__V1__Challenge *challenge, const char *text,
          struct sa_arena *arena, struct sa_answer *ret_answer)
{
    Secauth__V1__ContinueAuthenticationRequest request = SECAUTH__V1__CONTINUE_AUTHENTICATION_REQUEST__INIT;
    Secauth__V1__Origin origin = login->origin;

    request.user = login->user;
    request.state = challenge->state;
    /* One byte more than the contract takes stays wrong, as it must. */
    request.answer =
        (ProtobufCBinaryData){strnlen(text, SA_CHALLENGE_ANSWER_MAX + 1), (uint8_t *)(uintptr_t)text};
    request.origin = &origin;
    return sa_ask(login, "AuthnService/ContinueAuthentication", &request.base,
                  &secauth__v1__continue_authentication_response__descriptor, arena, ret_answer);
}

/* One question, put and answered. What the person typed does not outlive it. */
static int
pass_one(struct sa_login *login, const Secauth__V1__Challenge *challenge, const char *password,
         struct sa_arena *arena, struct sa_answer *ret_answer)
{
    SA_ANSWER char *text = NULL;
    const char *flaw = flaw_of(challenge);

    if (flaw != NULL)
        return sa_ask_refuse_reply(login, ret_answer, flaw);
    int code = put_question(login, challenge->prompt, password, &text);
    return code == PAM_SUCCESS ? send_text(login, challenge, text, arena, ret_answer) : code;
}

int
sa_challenge_pass(struct sa_login *login, const Secauth__V1__Challenge *first, const char *password,
                  struct sa_arena *arena, struct sa_answer *ret_answer, struct sa_bytes *ret_handle)
{
    const Secauth__V1__Challenge *challenge = first;

    for (unsigned round = 0; round < SA_CHALLENGE_ROUNDS_MAX; round++) {
        int code = pass_one(login, challenge, password, arena, ret_answer);
        if (code != PAM_SUCCESS)
            return code;
        const Secauth__V1__ContinueAuthenticationResponse *reply =
            (const Secauth__V1__ContinueAuthenticationResponse *)ret_answer->reply;
        if (reply->outcome == SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED) {
            *ret_handle = sa_bytes(reply->authn_handle.data, reply->authn_handle.len);
            return PAM_SUCCESS;
        }
        if (reply->outcome != SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_CHALLENGED)
            return sa_ask_refuse_reply(login, ret_answer, "OK without a grant");
        challenge = reply->challenge;
    }
    return sa_ask_refuse_reply(login, ret_answer, "it asks without end");
}
