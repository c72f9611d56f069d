#include <stdio.h>

#include "client/ctl_client.h"

#define SECONDS_MAX 4294967295u

static enum sa_ctl_exit
set_grants(struct sa_ctl_record *record, const struct sa_ctl_list *words)
{
    static const struct {
        const char *word;
        Secauth__V1__ClientGrant grant;
    } grants[] = {
        {"client_credentials", SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_CLIENT_CREDENTIALS},
        {"refresh_token", SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_REFRESH_TOKEN},
        {"token_exchange", SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_TOKEN_EXCHANGE},
    };
    bool is_public = record->client.kind == SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_PUBLIC;

    record->client.grants = record->grants;
    record->client.n_grants = words->count > 0 ? words->count : 1;
    record->grants[0] = grants[is_public ? 1 : 0].grant; /* the one that it can use */
    for (size_t i = 0; i < words->count; i++) {
        size_t k = 0;
        while (k < SA_COUNT(grants) && strcmp(words->items[i], grants[k].word) != 0)
            k++;
        if (k == SA_COUNT(grants)) {
            sa_ctl_complain("--grant takes client_credentials, refresh_token or token_exchange, not `%s`",
                            words->items[i]);
            return SA_CTL_USAGE;
        }
        record->grants[i] = grants[k].grant;
    }
    return SA_CTL_OK;
}

/* "demo=read,write" */
static enum sa_ctl_exit
set_audiences(struct sa_ctl_record *record, const struct sa_ctl_list *words)
{
    for (size_t i = 0; i < words->count; i++) {
        Secauth__V1__ClientAudience *audience = &record->audiences[i];
        char *equals = strchr(words->items[i], '=');
        if (equals == NULL) {
            sa_ctl_complain("--audience takes AUDIENCE=SCOPE,... , not `%s`", words->items[i]);
            return SA_CTL_USAGE;
        }
        *equals = '\0';
        secauth__v1__client_audience__init(audience);
        audience->audience = words->items[i];
        enum sa_ctl_exit result = sa_ctl_split(equals + 1, &record->scopes[i]);
        if (result != SA_CTL_OK)
            return result;
        audience->n_scopes = record->scopes[i].count;
        audience->scopes = record->scopes[i].items;
        record->audience_list[i] = audience;
    }
    record->client.n_audiences = words->count;
    record->client.audiences = record->audience_list;
    return SA_CTL_OK;
}

/* What the options with a form of their own have said. */
struct said {
    struct sa_ctl_list grants;
    struct sa_ctl_list audiences;
    struct sa_ctl_list exchanges;
    struct sa_ctl_list certificates;
    char *attest;
    char *jwks;
};

static enum sa_ctl_exit
set_said(struct sa_ctl_record *record, const struct said *said)
{
    enum sa_ctl_exit result = set_grants(record, &said->grants);

    if (result == SA_CTL_OK)
        result = set_audiences(record, &said->audiences);
    if (result == SA_CTL_OK)
        result = sa_ctl_record_exchanges(record, &said->exchanges);
    if (result == SA_CTL_OK)
        result = sa_ctl_record_certificates(record, &said->certificates);
    if (result == SA_CTL_OK && said->attest != NULL)
        result = sa_ctl_record_attest(record, said->attest);
    if (result == SA_CTL_OK && said->jwks != NULL)
        result = sa_ctl_record_jwks(record, said->jwks);
    return result;
}

enum sa_ctl_exit
sa_ctl_record_parse(struct sa_ctl *ctl, bool is_new, struct sa_ctl_record *record)
{
    bool is_public = false, login = false, groups = false, dpop = false;
    struct sa_ctl_number ttl = {.max = SECONDS_MAX}, grace = {.max = SECONDS_MAX};
    struct said said = {.attest = NULL};
    const struct sa_ctl_option options[] = {
        {"--public", .flag = &is_public},
        {"--login", .flag = &login},
        {"--grant", .list = &said.grants},
        {"--owns", .list = &record->owned},
        {"--audience", .list = &said.audiences},
        {"--access-ttl", .number = &ttl},
        {"--grace", .number = &grace},
        {"--attest", .text = &said.attest},
        {"--exchange", .list = &said.exchanges},
        {"--certificate", .list = &said.certificates},
        {"--jwks", .text = &said.jwks},
        {"--groups", .flag = &groups},
        {"--dpop", .flag = &dpop},
        {"--secret-file", .text = &record->secret_file},
    };
    size_t count = SA_COUNT(options) - (is_new ? 0 : 1);

    *record =
        (struct sa_ctl_record){.client = SECAUTH__V1__CLIENT__INIT, .grace = SECAUTH__V1__SECONDS__INIT};
    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, count, &record->client.client_id, 1);
    if (result != SA_CTL_OK)
        return result;
    Secauth__V1__Client *client = &record->client;
    client->kind = is_public ? SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_PUBLIC
                             : SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_CONFIDENTIAL;
    client->login = login;
    client->groups = groups;
    client->dpop_bound = dpop;
    client->access_ttl_seconds = (uint32_t)ttl.value;
    record->grace.value = (uint32_t)grace.value;
    client->grace = grace.given ? &record->grace : NULL;
    client->n_audiences_owned = record->owned.count;
    client->audiences_owned = record->owned.items;
    return set_said(record, &said);
}
