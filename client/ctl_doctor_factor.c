/* Second factors: whether anybody may be asked for one, and who would be denied for having none. */
#include <stdio.h>

#include "client/ctl_doctor.h"
#include "secauth/v1/host.pb-c.h"
#include "secauth/v1/mfa.pb-c.h"

#define RULES        "/etc/secauth/rules"
#define LINE_MAX_LEN 1024u
#define SERVICES_MAX 16u
#define SERVICE_SIZE 65u
#define OUTSIDE      "192.0.2.1" /* an address of no network (RFC 5737) */

/* The services that a rule with `factor` names; where it names none, sshd. */
struct asking {
    size_t count;
    char services[SERVICES_MAX][SERVICE_SIZE];
};

static void
add(struct asking *asking, const char *rule)
{
    const char *named = strstr(rule, "service=");
    const char *service = named == NULL || named[8] == '*' ? "sshd" : named + 8;
    char *place = asking->services[asking->count];

    snprintf(place, SERVICE_SIZE, "%.*s", (int)strcspn(service, ", \t\n"), service);
    for (size_t i = 0; i < asking->count; i++)
        if (strcmp(asking->services[i], place) == 0)
            return;
    asking->count++;
}

static void
read_rules(const struct sa_doctor *doctor, struct asking *ret_asking)
{
    FILE *file = fopen(sa_doctor_setting(doctor, "secauthd.rules", RULES), "re");
    char line[LINE_MAX_LEN];

    *ret_asking = (struct asking){0};
    while (file != NULL && ret_asking->count < SERVICES_MAX && fgets(line, sizeof(line), file) != NULL) {
        const char *at = line + strspn(line, " \t");
        if (strncmp(at, "factor", 6) == 0 && strchr(" \t", at[6]) != NULL &&
            strstr(at, "factors=off") == NULL)
            add(ret_asking, at);
    }
    if (file != NULL)
        fclose(file);
}

static bool
has_key(struct sa_doctor *doctor, const json_t *user)
{
    Secauth__V1__GetMfaRequest request = SECAUTH__V1__GET_MFA_REQUEST__INIT;
    json_auto_t *reply = NULL;

    request.user = (char *)(uintptr_t)json_string_value(json_object_get(user, "name"));
    return request.user != NULL &&
           sa_ctl_call(doctor->ctl, &secauth__v1__mfa_service__descriptor, "GetMfa", &request.base, &reply) ==
               SA_CTL_OK &&
           json_is_true(json_object_get(reply, "totp"));
}

bool
sa_doctor_asks_factors(struct sa_doctor *doctor)
{
    struct asking asking;

    read_rules(doctor, &asking);
    bool asks = asking.count > 0;
    for (size_t i = 0; !asks && i < json_array_size(doctor->users); i++)
        asks = has_key(doctor, json_array_get(doctor->users, i));
    return asks;
}

/* Whether the rules that are in force would deny a login from outside for want of a second factor. */
static bool
lacks(struct sa_doctor *doctor, char *user, char *service)
{
    Secauth__V1__ExplainRequest request = SECAUTH__V1__EXPLAIN_REQUEST__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;
    static char outside[] = OUTSIDE;
    json_auto_t *reply = NULL;
    bool denies = false;
    size_t index;
    json_t *step;

    origin.service = service;
    origin.rhost = sa_ctl_text_field(outside);
    request.origin = &origin;
    request.user = sa_ctl_text_field(user);
    if (sa_ctl_call(doctor->ctl, &secauth__v1__host_service__descriptor, "Explain", &request.base, &reply) !=
        SA_CTL_OK)
        return false;
    json_array_foreach(json_object_get(reply, "steps"), index, step)
    {
        const char *name = json_string_value(json_object_get(step, "name"));
        denies = denies || (name != NULL && strcmp(name, "factor") == 0 &&
                            json_is_true(json_object_get(step, "denies")));
    }
    return denies;
}

void
sa_doctor_factor(struct sa_doctor *doctor)
{
    struct asking asking;
    size_t index;
    json_t *user;

    read_rules(doctor, &asking);
    json_array_foreach(doctor->users, index, user)
    {
        char *name = (char *)(uintptr_t)json_string_value(json_object_get(user, "name"));
        size_t at = 0;
        while (at < asking.count && name != NULL && !lacks(doctor, name, asking.services[at]))
            at++;
        if (name != NULL && at < asking.count)
            sa_doctor_tell(doctor, "%s has none, and %s asks for one", name, asking.services[at]);
    }
}
