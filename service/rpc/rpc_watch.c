/* KeyService: WatchKeySet and WatchRevocations, the streams of verifiers. */
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/api_key.h"
#include "service/auth/inside.h"
#include "service/auth/signing.h"
#include "service/rpc/shared.h"
#include "service/store/store_revocation.h"

#define ALIVE_MS 5000 /* a message at least so often, however late the loop is: 10 s are promised */

/* ---- WatchKeySet ---- */

struct key_watch {
    char etag[SA_BASE64URL_LEN(SA_SHA256_LEN) + 1]; /* of the set that was told last */
    int64_t tell_boot_ms;                           /* again, though it is the same */
};

static enum sa_status
tell_keys(struct sa_call *call)
{
    Secauth__V1__WatchKeySetResponse message = SECAUTH__V1__WATCH_KEY_SET_RESPONSE__INIT;
    struct key_watch *watch = call->state;
    const struct sa_bell *bell = sa_signing_bell(call->authority);
    uint64_t heard = sa_bell_rings(bell);
    SA_OWN(sa_signing_set) set = sa_signing_hold(call->authority);

    if (strcmp(set->etag, watch->etag) == 0 && call->now.boot_ms < watch->tell_boot_ms)
        return sa_call_wait(call, bell, heard, watch->tell_boot_ms, SA_LANE_INLINE, tell_keys);
    memcpy(watch->etag, set->etag, sizeof(watch->etag));
    watch->tell_boot_ms = call->now.boot_ms + ALIVE_MS;
    message.jwks = (ProtobufCBinaryData){strlen(set->jwks), (uint8_t *)set->jwks};
    message.etag = watch->etag;
    message.max_age_seconds = (uint32_t)call->authority->conf->token_key_max_age;
    return sa_call_item(call, &message.base, SA_LANE_INLINE, tell_keys);
}

enum sa_status
rpc_key_watch_set(struct sa_call *call, SA_UNUSED const Secauth__V1__WatchKeySetRequest *request,
                  SA_UNUSED Secauth__V1__WatchKeySetResponse *reply)
{
    struct key_watch watch = {.tell_boot_ms = 0};
    enum sa_status status = sa_call_keep(call, &watch, sizeof(watch));

    return status == SA_OK ? tell_keys(call) : status;
}

/* ---- WatchRevocations: who sees what ---- */

struct watch {
    bool sees_all;
    char client_id[SA_CLIENT_ID_MAX + 1];
    uint32_t client_row;
    char api_key[SA_ID_LEN + 1]; /* by which it has proven itself; "" for none */
    unsigned owned_count;
    char owned[SA_OWNED_MAX][SA_JWT_AUDIENCE_MAX + 1];
    uint64_t sequence; /* told up to here */
    bool snapshot;     /* it began at the beginning */
    bool caught_up;
    int64_t tell_boot_ms; /* a message, though there is nothing to tell */
};

static void
know_client(struct watch *watch, const struct sa_client *client)
{
    memcpy(watch->client_id, client->id, sizeof(watch->client_id));
    watch->client_row = client->row;
    watch->owned_count = client->owned_count;
    memcpy(watch->owned, client->owned, sizeof(watch->owned));
}

/* Root, administrators and a gateway for itself need not be a client. */
static enum sa_status
identify(struct sa_call *call, const Secauth__V1__ClientAuth *auth, struct watch *watch)
{
    SA_OWN(sa_client) client = NULL;

    if (auth == NULL && (call->caller.administrator || call->caller.standing == SA_CALLER_GATEWAY)) {
        watch->sees_all = true;
        return SA_OK;
    }
    enum sa_status status = rpc_authenticate_confidential(call, auth, &client);
    if (status != SA_OK)
        return status;
    know_client(watch, client);
    if (auth->method_case == SECAUTH__V1__CLIENT_AUTH__METHOD_API_KEY)
        return sa_api_key_parse(rpc_bytes(auth->api_key), watch->api_key);
    return SA_OK;
}

/* Whether the key by which a client has proven itself is still one. */
static enum sa_status
look_at_key(struct sa_call *call, const struct watch *watch)
{
    struct sa_api_key key;

    if (watch->api_key[0] == '\0')
        return SA_OK;
    enum sa_status status = sa_store_api_key_by_id(call->authority->store, watch->api_key, &key);
    bool is_over = status == SA_OK && key.expires_ms != 0 && key.expires_ms <= call->now.wall_ms;
    return status == SA_NOT_FOUND || is_over ? SA_INVALID_CLIENT : status;
}

/* As the client is now: what it owns may change, and one that is gone hears no more. */
static enum sa_status
look_again(struct sa_call *call, struct watch *watch)
{
    SA_OWN(sa_client) client = NULL;

    if (watch->sees_all)
        return SA_OK;
    enum sa_status status =
        sa_store_client_by_id(call->authority->store, sa_bytes_of(watch->client_id), &client);
    if (status == SA_NOT_FOUND || (status == SA_OK && (client->row != watch->client_row || !client->active)))
        return SA_INVALID_CLIENT;
    if (status != SA_OK)
        return status;
    know_client(watch, client);
    return look_at_key(call, watch);
}

/* Whether one of the audiences, each on a line, is among those that are owned. */
static bool
owns_any(const struct watch *watch, const char *audiences)
{
    for (const char *at = audiences; *at != '\0'; at += at[0] == '\n' ? 1 : 0) {
        size_t len = strcspn(at, "\n");
        for (unsigned i = 0; i < watch->owned_count; i++)
            if (sa_bytes_equal(sa_bytes(at, len), sa_bytes_of(watch->owned[i])))
                return true;
        at += len;
    }
    return false;
}

/* Whether it concerns tokens that the follower may hold or be shown; of rules nobody can tell. */
static bool
concerns(const struct watch *watch, const struct sa_revocation *row)
{
    if (watch->sees_all || (row->kind != SA_REVOKED_SESSION && row->kind != SA_REVOKED_TOKEN))
        return true;
    if (row->client_row == watch->client_row)
        return true;
    return row->audiences[0] == '\0' ? watch->owned_count > 0 : owns_any(watch, row->audiences);
}

/* ---- what is said ---- */

/* One message and what it is made of. */
struct telling {
    Secauth__V1__WatchRevocationsResponse message;
    Secauth__V1__Revocation *list[SA_REVOCATIONS_PAGE];
    Secauth__V1__Revocation revocations[SA_REVOCATIONS_PAGE];
    Secauth__V1__NotBeforeRule rules[SA_REVOCATIONS_PAGE];
};

static void
say_rule(const struct sa_revocation *row, char *key, Secauth__V1__NotBeforeRule *rule)
{
    secauth__v1__not_before_rule__init(rule);
    rule->since_ms = row->since_ms;
    rule->not_before_ms = row->not_before_ms;
    if (row->kind == SA_REVOKED_SUBJECT) {
        rule->whose_case = SECAUTH__V1__NOT_BEFORE_RULE__WHOSE_SUBJECT;
        rule->subject = key;
    } else if (row->kind == SA_REVOKED_CLIENT) {
        rule->whose_case = SECAUTH__V1__NOT_BEFORE_RULE__WHOSE_CLIENT;
        rule->client = (uint32_t)strtoul(key, NULL, 10);
    } else {
        rule->whose_case = SECAUTH__V1__NOT_BEFORE_RULE__WHOSE_INSTANCE;
        rule->instance = (uint32_t)strtoul(key, NULL, 10);
    }
}

static void
say(struct sa_revocation *row, struct telling *telling)
{
    size_t place = telling->message.n_revocations++;
    Secauth__V1__Revocation *said = &telling->revocations[place];

    telling->list[place] = said;
    secauth__v1__revocation__init(said);
    said->until_ms = row->until_ms;
    if (row->kind == SA_REVOKED_SESSION) {
        said->what_case = SECAUTH__V1__REVOCATION__WHAT_SID;
        said->sid = row->key;
    } else if (row->kind == SA_REVOKED_TOKEN) {
        said->what_case = SECAUTH__V1__REVOCATION__WHAT_JTI;
        said->jti = row->key;
    } else {
        said->what_case = SECAUTH__V1__REVOCATION__WHAT_RULE;
        said->rule = &telling->rules[place];
        say_rule(row, row->key, said->rule);
    }
}

/* ---- its steps ---- */

static enum sa_status catch_up(struct sa_call *call);
static enum sa_status listen(struct sa_call *call);

/* Say what is in a page, where there is anything to say; then the next page, or wait for more. */
static enum sa_status
tell(struct sa_call *call, struct sa_revocations *page, uint64_t heard)
{
    struct watch *watch = call->state;
    struct telling telling;
    const char *incarnation = sa_store_incarnation(call->authority->store);

    secauth__v1__watch_revocations_response__init(&telling.message);
    telling.message.revocations = telling.list;
    for (unsigned i = 0; i < page->count; i++)
        if (concerns(watch, &page->rows[i]))
            say(&page->rows[i], &telling);
    watch->sequence = page->sequence;
    if (page->more && telling.message.n_revocations == 0)
        return sa_call_settle(call, SA_LANE_STORE, catch_up);
    if (!page->more && watch->caught_up && telling.message.n_revocations == 0 &&
        call->now.boot_ms < watch->tell_boot_ms)
        return sa_call_wait(call, sa_store_revocation_bell(call->authority->store), heard,
                            watch->tell_boot_ms, SA_LANE_INLINE, listen);
    telling.message.incarnation = (char *)(uintptr_t)incarnation;
    telling.message.sequence = page->sequence;
    telling.message.snapshot = watch->snapshot && !watch->caught_up;
    telling.message.caught_up = !page->more;
    watch->caught_up = watch->caught_up || !page->more;
    watch->tell_boot_ms = call->now.boot_ms + ALIVE_MS;
    return page->more ? sa_call_item(call, &telling.message.base, SA_LANE_STORE, catch_up)
                      : sa_call_item(call, &telling.message.base, SA_LANE_INLINE, listen);
}

/* From the store; a client is looked at anew. */
static enum sa_status
catch_up(struct sa_call *call)
{
    struct watch *watch = call->state;
    struct sa_revocations page;
    uint64_t heard = sa_bell_rings(sa_store_revocation_bell(call->authority->store));
    enum sa_status status = look_again(call, watch);

    if (status == SA_OK)
        status = sa_store_revocations(call->authority->store, watch->sequence, &page);
    return status == SA_OK ? tell(call, &page, heard) : status;
}

/* From memory, for as long as it reaches back far enough and no other message is due. */
static enum sa_status
listen(struct sa_call *call)
{
    const struct watch *watch = call->state;
    struct sa_revocations page;
    uint64_t heard = sa_bell_rings(sa_store_revocation_bell(call->authority->store));

    if (call->now.boot_ms >= watch->tell_boot_ms ||
        sa_store_revocations_recent(call->authority->store, watch->sequence, &page) != SA_OK)
        return sa_call_settle(call, SA_LANE_STORE, catch_up);
    return tell(call, &page, heard);
}

enum sa_status
rpc_key_watch_revocations(struct sa_call *call, const Secauth__V1__WatchRevocationsRequest *request,
                          SA_UNUSED Secauth__V1__WatchRevocationsResponse *reply)
{
    const char *incarnation = sa_store_incarnation(call->authority->store);
    struct watch watch = {.sequence = request->sequence, .snapshot = request->incarnation[0] == '\0'};

    if (watch.snapshot && request->sequence != 0)
        return sa_call_refuse(call, "sequence", "0 where `incarnation` is empty");
    enum sa_status status = identify(call, request->client, &watch);
    if (status == SA_OK && !watch.snapshot && strcmp(request->incarnation, incarnation) != 0)
        return SA_OUT_OF_RANGE;
    if (status == SA_OK)
        status = sa_call_keep(call, &watch, sizeof(watch));
    return status == SA_OK ? catch_up(call) : status;
}
