/* links: sa_auth */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "service/auth/names.h"
#include "service/auth/shadow.h"

static const struct sa_password_policy policy = {
    .kind = SA_PASSWORD_ARGON2ID, .memory_kib = 8, .passes = 1, .max_memory_kib = 262144, .max_millis = 2000};

/* What is written is read again as the same. */
static void
check_again(struct sa_user *user)
{
    char line[SA_SHADOW_LINE_MAX + 1], again[SA_SHADOW_LINE_MAX + 1];
    SA_OWN(sa_user) read = sa_user_new();
    const char *rule;

    if (read == NULL)
        return;
    user->active = true;
    sa_shadow_format(user, line);
    if (sa_shadow_parse(sa_bytes_of(line), &policy, read, &rule) != SA_OK)
        abort();
    read->active = true;
    sa_shadow_format(read, again);
    if (strcmp(line, again) != 0)
        abort();
}

/* A line of shadow(5). What is taken has a name that fits and no hash but one that is understood. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    SA_OWN(sa_user) user = sa_user_new();
    const char *rule = NULL;
    enum sa_password_kind kind;

    if (user == NULL)
        return 0;
    enum sa_status status = sa_shadow_parse(sa_bytes(data, len), &policy, user, &rule);
    if (status == SA_INVALID_ARGUMENT ? rule == NULL || user->name[0] != '\0' : status != SA_OK)
        abort();
    if (status != SA_OK)
        return 0;
    if (!sa_name_is_user(sa_bytes_of(user->name)) || user->changed_s < 0 || user->not_after_s < 0)
        abort();
    if (sa_password_inspect(&policy, user->hash, &kind, &rule) != SA_OK || user->hash[0] == '\0')
        abort();
    check_again(user);
    return 0;
}
