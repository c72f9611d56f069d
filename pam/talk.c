#include "pam/talk.h"

#include <security/pam_appl.h>
#include <stdlib.h>

#include "proto/decode.h"

void
sa_talk_forget(char **answer)
{
    if (*answer == NULL)
        return;
    sa_wipe(*answer, strlen(*answer));
    free(*answer);
    *answer = NULL;
}

/* One message to the application. *ret_answer may stay NULL whatever the code. */
static int
converse(const struct sa_login *login, int style, const char *text, char **ret_answer)
{
    const void *item = NULL;
    const struct pam_message message = {.msg_style = style, .msg = text};
    const struct pam_message *messages = &message;
    struct pam_response *responses = NULL;

    if (pam_get_item(login->pamh, PAM_CONV, &item) != PAM_SUCCESS || item == NULL)
        return PAM_CONV_ERR;
    const struct pam_conv *conversation = item;
    if (conversation->conv == NULL)
        return PAM_CONV_ERR;
    int code = conversation->conv(1, &messages, &responses, conversation->appdata_ptr);
    /* On failure libpam's rule is that there is nothing to free. */
    if (code == PAM_SUCCESS && responses != NULL) {
        *ret_answer = responses[0].resp;
        free(responses);
    }
    return code;
}

int
sa_talk_ask(const struct sa_login *login, int style, const char *prompt, char **ret_answer)
{
    SA_ANSWER char *answer = NULL;
    int code = converse(login, style, prompt, &answer);

    if (code == PAM_CONV_AGAIN)
        return PAM_INCOMPLETE;
    if (code != PAM_SUCCESS || answer == NULL)
        return PAM_CONV_ERR;
    *ret_answer = answer;
    answer = NULL;
    return PAM_SUCCESS;
}

static const char *
secret_item(const struct sa_login *login, int item)
{
    const void *value = NULL;

    if (pam_get_item(login->pamh, item, &value) != PAM_SUCCESS)
        return NULL;
    return value;
}

static int
ask_into_item(const struct sa_login *login, int item, const char *prompt)
{
    SA_ANSWER char *answer = NULL;
    int code = sa_talk_ask(login, PAM_PROMPT_ECHO_OFF, prompt, &answer);

    if (code != PAM_SUCCESS)
        return code;
    if (answer[0] == '\0')
        return PAM_AUTH_ERR;
    return pam_set_item(login->pamh, item, answer) == PAM_SUCCESS ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

int
sa_talk_secret(const struct sa_login *login, int item, const char *prompt, const char **ret_secret)
{
    const char *secret = NULL;

    if (login->options.use_first_pass || login->options.try_first_pass)
        secret = secret_item(login, item);
    if (secret == NULL && !login->options.use_first_pass) {
        int code = ask_into_item(login, item, prompt);
        if (code != PAM_SUCCESS)
            return code;
        secret = secret_item(login, item);
    }
    if (secret == NULL || secret[0] == '\0')
        return PAM_AUTH_ERR;
    *ret_secret = secret;
    return PAM_SUCCESS;
}

void
sa_talk_tell(const struct sa_login *login, int style, const char *text)
{
    SA_ANSWER char *answer = NULL;

    if ((login->flags & PAM_SILENT) == 0)
        (void)converse(login, style, text, &answer);
}
