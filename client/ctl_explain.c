#include "client/ctl.h"

#include "secauth/v1/host.pb-c.h"

static const struct sa_ctl_column columns[] = {
    {"STEP", "name", SA_CTL_PLAIN},
    {"FOUND", "text", SA_CTL_PLAIN},
    {"DENIES", "denies", SA_CTL_PLAIN},
};

static ProtobufCBinaryData
bytes_of(char *text)
{
    return (ProtobufCBinaryData){text == NULL ? 0 : strlen(text), (uint8_t *)text};
}

/* Exit 0 for a login that would be granted, 1 for one that would be denied. */
enum sa_ctl_exit
sa_ctl_explain(struct sa_ctl *ctl)
{
    Secauth__V1__ExplainRequest request = SECAUTH__V1__EXPLAIN_REQUEST__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;
    char *user = NULL;
    char *service = NULL;
    char *rhost = NULL;
    char *tty = NULL;
    char *time = NULL;
    json_auto_t *reply = NULL;
    const struct sa_ctl_option options[] = {{"--user", .text = &user},
                                            {"--service", .text = &service},
                                            {"--rhost", .text = &rhost},
                                            {"--tty", .text = &tty},
                                            {"--time", .text = &time}};

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result == SA_CTL_OK && (user == NULL || service == NULL)) {
        sa_ctl_complain("%s is needed", user == NULL ? "--user" : "--service");
        return sa_ctl_usage(ctl);
    }
    if (result == SA_CTL_OK && time != NULL)
        result = sa_ctl_parse_date(time, &request.time);
    if (result != SA_CTL_OK)
        return result;
    origin.service = service;
    origin.rhost = bytes_of(rhost);
    origin.tty = bytes_of(tty);
    request.user = bytes_of(user);
    request.origin = &origin;
    result = sa_ctl_call(ctl, &secauth__v1__host_service__descriptor, "Explain", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    result = ctl->json ? sa_ctl_print_json(reply)
                       : sa_ctl_print_rows(ctl, json_object_get(reply, "steps"), columns, SA_COUNT(columns));
    if (result != SA_CTL_OK)
        return result;
    return json_is_true(json_object_get(reply, "granted")) ? SA_CTL_OK : SA_CTL_REFUSED;
}
