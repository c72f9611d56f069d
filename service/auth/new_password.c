#include "service/auth/new_password.h"

#include <stdio.h>

#include "service/auth/account.h"
#include "service/auth/breached.h"
#include "service/auth/inside.h"

#define LISTED "another password: this one is on a list of breached passwords, which attackers try first"

static enum sa_status
refuse(const char *rule, char ret_rule[SA_PASSWORD_RULE_MAX + 1])
{
    snprintf(ret_rule, SA_PASSWORD_RULE_MAX + 1, "%s", rule);
    return SA_PASSWORD_REFUSED;
}

enum sa_status
sa_new_password_check(struct sa_authority *authority, struct sa_bytes password, struct sa_bytes current,
                      const char *name, char ret_rule[SA_PASSWORD_RULE_MAX + 1])
{
    const struct sa_conf *conf = authority->conf;
    const char *rule =
        sa_account_new_password(password, current, conf->password_min_length, &authority->policy);
    enum sa_status status = SA_OK;
    bool listed = false;

    if (rule != NULL)
        return refuse(rule, ret_rule);
    if (strcmp(conf->password_quality, "on") == 0)
        status = sa_password_quality(password, current, name, conf->password_min_length, ret_rule);
    if (status == SA_OK)
        status = sa_breached_has(authority->breached, password, &listed);
    return status == SA_OK && listed ? refuse(LISTED, ret_rule) : status;
}
