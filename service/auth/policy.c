#include "service/auth/policy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/base/file.h"

#define COPY_MODE 0644

void
sa_policy_free(struct sa_policy *policy)
{
    if (policy == NULL)
        return;
    sa_rules_free(policy->rules);
    sa_file_text_free(policy->conf_text);
    free(policy);
}

/* A configuration must be there. */
static enum sa_status
read_conf(const char *path, int flags, char *const *environ_, struct sa_policy *policy,
          struct sa_conf_error *ret_error)
{
    SA_OWN(sa_file_text) text = NULL;

    enum sa_status status =
        sa_file_read(path, flags, SA_CONF_BYTES_MAX, &text, ret_error->text, sizeof(ret_error->text));
    if (status == SA_OK)
        status = sa_conf_parse((const char *)text->data, path, environ_, &policy->conf, ret_error);
    if (status == SA_OK)
        policy->conf_text = sa_file_text_take(&text);
    return status == SA_NOT_FOUND ? SA_INVALID_ARGUMENT : status;
}

/* Copies are the daemon's user's, and root may be the one who reads them: through no link. */
static enum sa_status
read_rules_copy(struct sa_policy *policy, struct sa_conf_error *ret_error)
{
    SA_OWN(sa_file_text) text = NULL;

    enum sa_status status = sa_file_read(SA_LAST_GOOD_RULES, O_NOFOLLOW, SA_RULES_BYTES_MAX, &text,
                                         ret_error->text, sizeof(ret_error->text));
    if (status != SA_OK)
        return status;
    return sa_rules_parse(sa_bytes(text->data, text->len), SA_LAST_GOOD_RULES, &policy->rules, ret_error);
}

static enum sa_status
read_both(const char *conf_path, char *const *environ_, bool copies, struct sa_policy *policy,
          struct sa_conf_error *ret_error)
{
    struct sa_conf_error of_copy;

    enum sa_status status = read_conf(conf_path, 0, environ_, policy, ret_error);
    if (status == SA_INVALID_ARGUMENT && copies &&
        read_conf(SA_LAST_GOOD_CONF, O_NOFOLLOW, environ_, policy, &of_copy) == SA_OK) {
        policy->last_good = *ret_error;
        status = SA_OK;
    }
    if (status != SA_OK)
        return status;
    status = sa_rules_read(policy->conf.secauthd_rules, &policy->rules, ret_error);
    if (status == SA_INVALID_ARGUMENT && copies && read_rules_copy(policy, &of_copy) == SA_OK) {
        if (policy->last_good.text[0] == '\0')
            policy->last_good = *ret_error;
        status = SA_OK;
    }
    return status;
}

enum sa_status
sa_policy_read(const char *conf_path, char *const *environ_, bool copies, struct sa_policy **ret_policy,
               struct sa_conf_error *ret_error)
{
    SA_OWN(sa_policy) policy = calloc(1, sizeof(*policy));

    if (policy == NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text), "no memory");
        return SA_NO_MEMORY;
    }
    enum sa_status status = read_both(conf_path, environ_, copies, policy, ret_error);
    if (status == SA_OK)
        *ret_policy = sa_policy_take(&policy);
    return status;
}

enum sa_status
sa_policy_keep(const struct sa_policy *policy)
{
    if (policy->last_good.text[0] != '\0')
        return SA_OK;
    enum sa_status status = sa_file_replace(SA_LAST_GOOD_RULES, COPY_MODE, sa_rules_text(policy->rules));
    if (status != SA_OK)
        return status;
    return sa_file_replace(SA_LAST_GOOD_CONF, COPY_MODE,
                           sa_bytes(policy->conf_text->data, policy->conf_text->len));
}
