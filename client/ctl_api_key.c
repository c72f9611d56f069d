/* `api-key ...`: the keys of clients. */
#include <stdio.h>
#include <unistd.h>

#include "client/ctl_client.h"
#include "secauth/v1/api_key.pb-c.h"

#define SERVICE     &secauth__v1__api_key_service__descriptor
#define PAGE_SIZE   20u
#define SECONDS_MAX 4294967295u

static const struct sa_ctl_column columns[] = {
    {"KEY", "key_id", SA_CTL_PLAIN},        {"CLIENT", "client_id", SA_CTL_PLAIN},
    {"LABEL", "label", SA_CTL_PLAIN},       {"MAY ASK FOR", "audiences", SA_CTL_MEMBERS},
    {"ENDS", "expires_ms", SA_CTL_TIME_MS}, {"SECRETS", "secrets", SA_CTL_MEMBERS},
};

static const struct sa_ctl_column details[] = {
    {"api key", "secret", SA_CTL_PLAIN}, /* the first: it is left out where it went to a file */
    {"id", "key_id", SA_CTL_PLAIN},         {"client", "client_id", SA_CTL_PLAIN},
    {"label", "label", SA_CTL_PLAIN},       {"may ask for", "audiences", SA_CTL_MEMBERS},
    {"made", "created_ms", SA_CTL_TIME_MS}, {"ends", "expires_ms", SA_CTL_TIME_MS},
};

static const struct sa_ctl_column rotated[] = {
    {"api key", "secret", SA_CTL_PLAIN},
    {"old ends", "old_expires_ms", SA_CTL_TIME_MS},
};

/* A file for the key, where one is named. */
struct key_file {
    char *path;
    int fd;
};

/* The whole of what came back, but the key where it goes to the file. */
static enum sa_ctl_exit
print_key(const struct sa_ctl *ctl, const struct key_file *file, json_t *object, json_t *secret,
          const struct sa_ctl_column *rows, size_t count)
{
    size_t without = file->path == NULL ? 0 : 1;

    if (file->path != NULL) {
        enum sa_ctl_exit result =
            sa_ctl_secret_write(file->path, file->fd, json_string_value(secret), "rotate it again");
        if (result != SA_CTL_OK)
            return result;
        json_object_del(object, "secret");
    } else if (json_object_set(object, "secret", secret) != 0) {
        return sa_ctl_no_memory();
    }
    enum sa_ctl_exit result = sa_ctl_print_one(ctl, object, rows + without, count - without);
    if (result == SA_CTL_OK && file->path == NULL && !ctl->json)
        fputs("The key is not shown again.\n", stderr);
    return result;
}

static void
close_file(const struct key_file *file, bool is_used)
{
    if (file->fd < 0)
        return;
    close(file->fd);
    if (!is_used)
        unlink(file->path);
}

/* ---- add ---- */

struct addition {
    Secauth__V1__CreateApiKeyRequest request;
    Secauth__V1__ApiKeyAudience audiences[SA_CTL_LIST_MAX];
    Secauth__V1__ApiKeyAudience *list[SA_CTL_LIST_MAX];
    struct sa_ctl_list scopes[SA_CTL_LIST_MAX];
};

/* "demo=read,write" */
static enum sa_ctl_exit
set_audiences(struct addition *addition, const struct sa_ctl_list *words)
{
    for (size_t i = 0; i < words->count; i++) {
        Secauth__V1__ApiKeyAudience *audience = &addition->audiences[i];
        char *equals = strchr(words->items[i], '=');
        if (equals == NULL) {
            sa_ctl_complain("--audience takes AUDIENCE=SCOPE,... , not `%s`", words->items[i]);
            return SA_CTL_USAGE;
        }
        *equals = '\0';
        secauth__v1__api_key_audience__init(audience);
        audience->audience = words->items[i];
        enum sa_ctl_exit result = sa_ctl_split(equals + 1, &addition->scopes[i]);
        if (result != SA_CTL_OK)
            return result;
        audience->n_scopes = addition->scopes[i].count;
        audience->scopes = addition->scopes[i].items;
        addition->list[i] = audience;
    }
    addition->request.n_audiences = words->count;
    addition->request.audiences = addition->list;
    return SA_CTL_OK;
}

static enum sa_ctl_exit
parse_addition(struct sa_ctl *ctl, struct addition *addition, struct key_file *file)
{
    char *label = NULL, *expires = NULL;
    struct sa_ctl_list audiences = {0};
    int64_t end_s = 0;
    const struct sa_ctl_option options[] = {
        {"--audience", .list = &audiences},
        {"--label", .text = &label},
        {"--expires", .text = &expires},
        {"--key-file", .text = &file->path},
    };

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), &addition->request.client_id, 1);
    if (result == SA_CTL_OK && expires != NULL)
        result = sa_ctl_parse_date(expires, &end_s);
    if (result != SA_CTL_OK)
        return result;
    if (label != NULL)
        addition->request.label = label;
    addition->request.expires_ms = end_s * 1000;
    return set_audiences(addition, &audiences);
}

enum sa_ctl_exit
sa_ctl_api_key_add(struct sa_ctl *ctl)
{
    struct addition addition = {.request = SECAUTH__V1__CREATE_API_KEY_REQUEST__INIT};
    struct key_file file = {.fd = -1};
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = parse_addition(ctl, &addition, &file);
    if (result == SA_CTL_OK && file.path != NULL)
        result = sa_ctl_secret_create(file.path, "no key was made", &file.fd);
    if (result != SA_CTL_OK)
        return result;
    result = sa_ctl_call(ctl, SERVICE, "CreateApiKey", &addition.request.base, &reply);
    bool is_used = result == SA_CTL_OK;
    if (is_used)
        result = print_key(ctl, &file, json_object_get(reply, "api_key"), json_object_get(reply, "secret"),
                           details, SA_COUNT(details));
    close_file(&file, is_used);
    return result;
}

/* ---- the others ---- */

enum sa_ctl_exit
sa_ctl_api_key_list(struct sa_ctl *ctl)
{
    Secauth__V1__ListApiKeysRequest request = SECAUTH__V1__LIST_API_KEYS_REQUEST__INIT;
    char *client = NULL;
    json_auto_t *rows = NULL;
    const struct sa_ctl_option options[] = {{"--client", .text = &client}};

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    if (client != NULL)
        request.client_id = client;
    request.page_size = PAGE_SIZE;
    result = sa_ctl_list(ctl, SERVICE, "ListApiKeys", &request.base, &request.page_token, "api_keys", &rows);
    return result == SA_CTL_OK ? sa_ctl_print_rows(ctl, rows, columns, SA_COUNT(columns)) : result;
}

enum sa_ctl_exit
sa_ctl_api_key_rotate(struct sa_ctl *ctl)
{
    Secauth__V1__RotateApiKeyRequest request = SECAUTH__V1__ROTATE_API_KEY_REQUEST__INIT;
    Secauth__V1__Seconds overlap = SECAUTH__V1__SECONDS__INIT;
    struct sa_ctl_number seconds = {.max = SECONDS_MAX};
    struct key_file file = {.fd = -1};
    json_auto_t *reply = NULL;
    const struct sa_ctl_option options[] = {{"--overlap", .number = &seconds},
                                            {"--key-file", .text = &file.path}};

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), &request.key_id, 1);
    if (result == SA_CTL_OK && file.path != NULL)
        result = sa_ctl_secret_create(file.path, "the key was not rotated", &file.fd);
    if (result != SA_CTL_OK)
        return result;
    overlap.value = (uint32_t)seconds.value;
    request.overlap = seconds.given ? &overlap : NULL;
    result = sa_ctl_call(ctl, SERVICE, "RotateApiKey", &request.base, &reply);
    bool is_used = result == SA_CTL_OK;
    if (is_used)
        result = print_key(ctl, &file, reply, json_object_get(reply, "secret"), rotated, SA_COUNT(rotated));
    close_file(&file, is_used);
    return result;
}

enum sa_ctl_exit
sa_ctl_api_key_end(struct sa_ctl *ctl)
{
    Secauth__V1__EndApiKeyOverlapRequest request = SECAUTH__V1__END_API_KEY_OVERLAP_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.key_id, 1);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_do(ctl, SERVICE, "EndApiKeyOverlap", &request.base, "%s has its newest secret and no other",
                     request.key_id);
}

enum sa_ctl_exit
sa_ctl_api_key_revoke(struct sa_ctl *ctl)
{
    Secauth__V1__RevokeApiKeyRequest request = SECAUTH__V1__REVOKE_API_KEY_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.key_id, 1);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_do(ctl, SERVICE, "RevokeApiKey", &request.base, "%s is revoked", request.key_id);
}
