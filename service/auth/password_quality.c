#include "service/auth/password_quality.h"

#include <assert.h>
#include <pthread.h>
#include <pwquality.h>
#include <stdio.h>

#include "proto/decode.h"
#include "service/base/log.h"
#include "service/crypto/password.h"

#define NO_DICTIONARY "error loading dictionary" /* cracklib's words; nobody here sets a locale */
#define DIFF_OK       3                          /* edits between the old one and the new */

/* Settings of ours: the host's pwquality.conf is for pam_pwquality. No composition rules (NIST SP 800-63B).
 */
static pwquality_settings_t *
settings(int64_t min_length, bool dictionary)
{
    static const struct {
        int setting, value;
    } fixed[] = {
        {PWQ_SETTING_DIFF_OK, DIFF_OK}, {PWQ_SETTING_DIG_CREDIT, 0},       {PWQ_SETTING_UP_CREDIT, 0},
        {PWQ_SETTING_LOW_CREDIT, 0},    {PWQ_SETTING_OTH_CREDIT, 0},       {PWQ_SETTING_MIN_CLASS, 0},
        {PWQ_SETTING_MAX_REPEAT, 0},    {PWQ_SETTING_MAX_CLASS_REPEAT, 0}, {PWQ_SETTING_MAX_SEQUENCE, 0},
        {PWQ_SETTING_USER_CHECK, 1},    {PWQ_SETTING_GECOS_CHECK, 0}, /* it would ask NSS */
    };
    pwquality_settings_t *made = pwquality_default_settings();

    if (made == NULL)
        return NULL;
    for (unsigned i = 0; i < SA_COUNT(fixed); i++)
        (void)pwquality_set_int_value(made, fixed[i].setting, fixed[i].value);
    (void)pwquality_set_int_value(made, PWQ_SETTING_MIN_LENGTH, (int)min_length);
    (void)pwquality_set_int_value(made, PWQ_SETTING_DICT_CHECK, dictionary);
    return made;
}

struct question {
    char password[SA_PASSWORD_MAX + 1];
    char current[SA_PASSWORD_MAX + 1];
    const char *name;
    int64_t min_length;
};

/* A score from 0, or an error of pwquality.h with its words. */
static int
judge(const struct question *question, bool dictionary, char ret_rule[SA_PASSWORD_RULE_MAX + 1])
{
    pwquality_settings_t *made = settings(question->min_length, dictionary);
    char text[PWQ_MAX_ERROR_MESSAGE_LEN];
    void *detail = NULL;

    if (made == NULL)
        return PWQ_ERROR_MEM_ALLOC;
    int score =
        pwquality_check(made, question->password, question->current[0] == '\0' ? NULL : question->current,
                        question->name, &detail);
    if (score < 0)
        snprintf(ret_rule, SA_PASSWORD_RULE_MAX + 1, "%s",
                 pwquality_strerror(text, sizeof(text), score, detail));
    pwquality_free_settings(made);
    return score;
}

/* Likewise; without the dictionary where there is none. */
static int
judge_with_what_is_there(const struct question *question, char ret_rule[SA_PASSWORD_RULE_MAX + 1])
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    static bool told;

    pthread_mutex_lock(&one_at_a_time);
    int score = judge(question, true, ret_rule);
    bool missing = score == PWQ_ERROR_CRACKLIB_CHECK && strstr(ret_rule, NO_DICTIONARY) != NULL;
    if (missing)
        score = judge(question, false, ret_rule);
    if (missing && !told)
        sa_log(SA_LOG_WARNING, "new passwords are checked against no dictionary: cracklib cannot open one "
                               "(update-cracklib(8) makes it)");
    told = told || missing;
    pthread_mutex_unlock(&one_at_a_time);
    return score;
}

enum sa_status
sa_password_quality(struct sa_bytes password, struct sa_bytes current, const char *name, int64_t min_length,
                    char ret_rule[SA_PASSWORD_RULE_MAX + 1])
{
    struct question question = {.name = name, .min_length = min_length};
    char rule[SA_PASSWORD_RULE_MAX + 1];

    assert(password.len > 0 && password.len <= SA_PASSWORD_MAX);
    memcpy(question.password, password.data, password.len);
    if (current.len > 0 && current.len <= SA_PASSWORD_MAX && memchr(current.data, 0, current.len) == NULL)
        memcpy(question.current, current.data, current.len);
    int score = judge_with_what_is_there(&question, rule);
    sa_wipe(&question, sizeof(question));
    if (score >= 0)
        return SA_OK;
    if (score == PWQ_ERROR_MEM_ALLOC)
        return SA_NO_MEMORY;
    memcpy(ret_rule, rule, sizeof(rule));
    return SA_PASSWORD_REFUSED;
}
