/*
 * The conversation with the person, through the application's function. libpam's own pam_get_authtok folds
 * every way in which it can fail into one code, so the module asks for itself.
 */
#ifndef SA_TALK_H
#define SA_TALK_H

#include "pam/login.h"

/* Wipe and free an answer; NULL is taken. As a cleanup attribute: SA_ANSWER char *answer = NULL; */
void sa_talk_forget(char **answer);
#define SA_ANSWER __attribute__((cleanup(sa_talk_forget)))

/*
 * Ask one question, PAM_SILENT or not.
 *
 *   style       PAM_PROMPT_ECHO_OFF or PAM_PROMPT_ECHO_ON.
 *   ret_answer  written only on PAM_SUCCESS, maybe "", never NULL; the caller forgets it.
 *
 * Returns PAM_SUCCESS; PAM_INCOMPLETE where the application says PAM_CONV_AGAIN; PAM_CONV_ERR where it fails,
 * has no conversation, or says success and answers nothing.
 */
SA_MUST_CHECK int sa_talk_ask(const struct sa_login *login, int style, const char *prompt, char **ret_answer);

/*
 * Have a secret in a PAM item: the one that is set where an option says so, else the person's answer, which
 * is then set.
 *
 *   item        PAM_AUTHTOK or PAM_OLDAUTHTOK.
 *   ret_secret  written only on PAM_SUCCESS, never empty; it lives as long as the item.
 *
 * Returns what sa_talk_ask does, and PAM_AUTH_ERR for an empty answer (nobody's password, so nobody need be
 * asked) and under use_first_pass where nothing is set.
 */
SA_MUST_CHECK int sa_talk_secret(const struct sa_login *login, int item, const char *prompt,
                                 const char **ret_secret);

/* Tell the person something: PAM_TEXT_INFO or PAM_ERROR_MSG. Nothing under PAM_SILENT. */
void sa_talk_tell(const struct sa_login *login, int style, const char *text);

#endif
