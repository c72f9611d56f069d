/* What a client proves itself by, and what it may exchange, between message and record. */
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/client.h"
#include "service/auth/names.h"
#include "service/auth/scope.h"
#include "service/crypto/proof_jwt.h"
#include "service/rpc/client_message.h"

#define UID_MAX_VALUE 4294967294u

/* ---- reading ---- */

/* A systemd unit's name: what may stand there without escaping, and an ending. */
static bool
is_unit(const char *unit)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
    size_t len = strlen(unit);

    return len <= SA_UNIT_MAX && strspn(unit, LETTERS) == len && strchr(unit, '.') != NULL && unit[0] != '.';
}

static enum sa_status
read_attestation(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client *client)
{
    const Secauth__V1__ClientAttestation *attestation = from->attestation;

    if (attestation == NULL)
        return SA_OK;
    if (client->kind != SA_CLIENT_CONFIDENTIAL || from->n_certificates > 0)
        return sa_call_refuse(call, "client.attestation",
                              "for confidential clients only, and not beside certificates");
    if (attestation->uid == NULL || attestation->uid->id == 0 || attestation->uid->id > UID_MAX_VALUE)
        return sa_call_refuse(call, "client.attestation.uid", "1 to 4,294,967,294");
    if (attestation->unit[0] != '\0' && !is_unit(attestation->unit))
        return sa_call_refuse(call, "client.attestation.unit",
                              "a systemd unit with its ending, at most 255 bytes");
    client->attest_uid = attestation->uid->id;
    snprintf(client->attest_unit, sizeof(client->attest_unit), "%s", attestation->unit);
    return SA_OK;
}

static enum sa_status
read_certificates(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client *client)
{
    if (from->n_certificates > SA_CLIENT_CERTIFICATES)
        return sa_call_refuse(call, "client.certificates", "at most 2 certificates");
    if (from->n_certificates > 0 && client->kind != SA_CLIENT_CONFIDENTIAL)
        return sa_call_refuse(call, "client.certificates", "for confidential clients only");
    for (size_t i = 0; i < from->n_certificates; i++) {
        if (from->certificates[i].len != SA_SHA256_LEN)
            return sa_call_refuse(call, "client.certificates", "SHA-256 of the certificate's DER, 32 bytes");
        if (i > 0 && memcmp(client->certificates[0], from->certificates[i].data, SA_SHA256_LEN) == 0)
            return sa_call_refuse(call, "client.certificates", "each certificate once");
        memcpy(client->certificates[i], from->certificates[i].data, SA_SHA256_LEN);
    }
    client->certificate_count = (unsigned)from->n_certificates;
    return SA_OK;
}

static enum sa_status
read_jwks(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client *client)
{
    struct sa_bytes jwks = rpc_bytes(from->jwks);

    if (jwks.len == 0)
        return SA_OK;
    if (client->kind != SA_CLIENT_CONFIDENTIAL || from->n_certificates > 0)
        return sa_call_refuse(call, "client.jwks",
                              "for confidential clients only, and not beside certificates");
    if (jwks.len > SA_JWKS_MAX)
        return sa_call_refuse(call, "client.jwks", "at most 4,096 bytes");
    if (!sa_jwks_is_good(jwks))
        return sa_call_refuse(call, "client.jwks",
                              "a JWK Set of 1 or 2 public keys, EC P-256 or RSA of 2,048 to 4,096 bits");
    client->jwks = strndup((const char *)jwks.data, jwks.len);
    return client->jwks == NULL ? SA_NO_MEMORY : SA_OK;
}

static enum sa_status
read_exchange(struct sa_call *call, const Secauth__V1__ClientExchange *from, const struct sa_client *client,
              struct sa_client_exchange *exchange)
{
    if (!sa_name_is_audience(sa_bytes_of(from->from_audience)) ||
        !sa_client_owns(client, from->from_audience))
        return sa_call_refuse(call, "client.exchanges.from_audience", "an audience that the client owns");
    if (!sa_name_is_audience(sa_bytes_of(from->to_audience)))
        return sa_call_refuse(call, "client.exchanges.to_audience", SA_RULE_AUDIENCE);
    snprintf(exchange->from, sizeof(exchange->from), "%s", from->from_audience);
    snprintf(exchange->to, sizeof(exchange->to), "%s", from->to_audience);
    return rpc_read_scopes(call, "client.exchanges", from->scopes, from->n_scopes, exchange->scopes);
}

static enum sa_status
read_exchanges(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client *client)
{
    if (from->n_exchanges > SA_CLIENT_EXCHANGES)
        return sa_call_refuse(call, "client.exchanges", "at most 16 rows");
    if (from->n_exchanges > 0 && client->kind != SA_CLIENT_CONFIDENTIAL)
        return sa_call_refuse(call, "client.exchanges", "for confidential clients only");
    if (!sa_client_room(client, (unsigned)from->n_exchanges))
        return SA_NO_MEMORY;
    for (unsigned i = 0; i < from->n_exchanges; i++) {
        struct sa_client_exchange *exchange = &client->exchanges[i];
        enum sa_status status = read_exchange(call, from->exchanges[i], client, exchange);
        if (status != SA_OK)
            return status;
        for (unsigned before = 0; before < i; before++)
            if (strcmp(client->exchanges[before].from, exchange->from) == 0 &&
                strcmp(client->exchanges[before].to, exchange->to) == 0)
                return sa_call_refuse(call, "client.exchanges", "each pair of audiences once");
        client->exchange_count++;
    }
    return SA_OK;
}

enum sa_status
rpc_read_client_proofs(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client *client)
{
    client->say_groups = from->groups;
    client->dpop_bound = from->dpop_bound;
    enum sa_status status = read_certificates(call, from, client);
    if (status == SA_OK)
        status = read_attestation(call, from, client);
    if (status == SA_OK)
        status = read_jwks(call, from, client);
    return status == SA_OK ? read_exchanges(call, from, client) : status;
}

/* ---- writing ---- */

static bool
put_attestation(struct sa_call *call, const struct sa_client *client, Secauth__V1__Client *row)
{
    if (client->attest_uid == 0)
        return true;
    row->attestation = sa_arena_alloc(call->arena, sizeof(*row->attestation));
    if (row->attestation == NULL)
        return false;
    secauth__v1__client_attestation__init(row->attestation);
    return rpc_put_id(call, client->attest_uid, &row->attestation->uid) &&
           rpc_put_text(call, client->attest_unit, &row->attestation->unit);
}

static bool
put_certificates(struct sa_call *call, const struct sa_client *client, Secauth__V1__Client *row)
{
    row->certificates = sa_arena_alloc(call->arena, SA_CLIENT_CERTIFICATES * sizeof(*row->certificates));
    if (row->certificates == NULL)
        return false;
    for (unsigned i = 0; i < client->certificate_count; i++)
        if (!rpc_put_bytes(call, sa_bytes(client->certificates[i], SA_SHA256_LEN), &row->certificates[i]))
            return false;
    row->n_certificates = client->certificate_count;
    return client->jwks == NULL || rpc_put_bytes(call, sa_bytes_of(client->jwks), &row->jwks);
}

static bool
put_exchanges(struct sa_call *call, const struct sa_client *client, Secauth__V1__Client *row)
{
    Secauth__V1__ClientExchange *exchanges =
        sa_arena_alloc(call->arena, client->exchange_count * sizeof(*exchanges));

    row->exchanges = sa_arena_alloc(call->arena, client->exchange_count * sizeof(*row->exchanges));
    if (exchanges == NULL || row->exchanges == NULL)
        return false;
    for (unsigned i = 0; i < client->exchange_count; i++) {
        const struct sa_client_exchange *from = &client->exchanges[i];

        secauth__v1__client_exchange__init(&exchanges[i]);
        if (!rpc_put_text(call, from->from, &exchanges[i].from_audience) ||
            !rpc_put_text(call, from->to, &exchanges[i].to_audience) ||
            !rpc_put_scopes(call, from->scopes, &exchanges[i].scopes, &exchanges[i].n_scopes))
            return false;
        row->exchanges[i] = &exchanges[i];
    }
    row->n_exchanges = client->exchange_count;
    return true;
}

bool
rpc_put_secrets(struct sa_call *call, const struct sa_client_secret *secrets, unsigned count,
                Secauth__V1__ClientSecret ***ret_rows, size_t *ret_count)
{
    Secauth__V1__ClientSecret *rows = sa_arena_alloc(call->arena, SA_CLIENT_SECRETS * sizeof(*rows));
    Secauth__V1__ClientSecret **list = sa_arena_alloc(call->arena, SA_CLIENT_SECRETS * sizeof(*list));
    size_t live = 0;

    if (rows == NULL || list == NULL)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (secrets[i].expires_ms != 0 && secrets[i].expires_ms <= call->now.wall_ms)
            continue;
        secauth__v1__client_secret__init(&rows[live]);
        rows[live].created_ms = secrets[i].created_ms;
        rows[live].expires_ms = secrets[i].expires_ms;
        rows[live].last_used_ms = secrets[i].last_used_ms;
        list[live] = &rows[live];
        live++;
    }
    *ret_rows = list;
    *ret_count = live;
    return true;
}

bool
rpc_put_client_proofs(struct sa_call *call, const struct sa_client *client, Secauth__V1__Client *row)
{
    row->groups = client->say_groups;
    row->dpop_bound = client->dpop_bound;
    return put_attestation(call, client, row) && put_certificates(call, client, row) &&
           put_exchanges(call, client, row) &&
           rpc_put_secrets(call, client->secrets, client->secret_count, &row->secrets, &row->n_secrets);
}
