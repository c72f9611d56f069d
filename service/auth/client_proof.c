#include "service/auth/client_proof.h"

#include "service/auth/inside.h"
#include "service/crypto/proof_jwt.h"

/* A key that nobody has proven anything with: what a client without keys is checked against, to take as long.
 */
static const char NO_KEYS[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
                              "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                              "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

/* ---- secrets ---- */

int64_t
sa_secret_find(const struct sa_keyring *keyring, enum sa_key_use use, struct sa_bytes text,
               const struct sa_client_secret *secrets, unsigned count, int64_t wall_ms)
{
    static const struct sa_client_secret NONE;
    uint8_t mac[SA_MAC_LEN];
    int64_t found = 0;

    sa_keyring_mac(keyring, use, text, mac);
    for (unsigned i = 0; i < SA_CLIENT_SECRETS; i++) {
        const struct sa_client_secret *secret = i < count ? &secrets[i] : &NONE;
        bool lives = secret->expires_ms == 0 || secret->expires_ms > wall_ms;
        bool same = sa_secret_equal(sa_bytes(mac, sizeof(mac)), sa_bytes(secret->mac, sizeof(secret->mac)));
        if (same && lives)
            found = secret->number;
    }
    return found;
}

enum sa_status
sa_client_by_secret(struct sa_authority *authority, const struct sa_client *client,
                    const struct sa_client_proof *proof, struct sa_client_proven *ret_proven,
                    const char **ret_why)
{
    const struct sa_client_secret *secrets = client == NULL ? NULL : client->secrets;
    unsigned count = client == NULL ? 0 : client->secret_count;

    *ret_why = count == 0 ? "NO_SECRET" : "WRONG_SECRET";
    int64_t found = sa_secret_find(authority->keyring, SA_KEY_CLIENT_SECRET, proof->text, secrets, count,
                                   proof->now.wall_ms);
    if (found == 0)
        return SA_INVALID_CLIENT;
    ret_proven->secret = found;
    return SA_OK;
}

/* ---- private_key_jwt (RFC 7523 section 3) ---- */

static const char *
fault_of(const struct sa_conf *conf, const char *client_id, const struct sa_assertion *assertion,
         int64_t now_s)
{
    if (strcmp(assertion->iss, client_id) != 0 || strcmp(assertion->sub, client_id) != 0)
        return "ASSERTION_OF_ANOTHER";
    if (strcmp(assertion->aud, conf->token_issuer) != 0)
        return "ASSERTION_FOR_ANOTHER";
    if (assertion->exp <= now_s - SA_PROOF_LEEWAY_S)
        return "ASSERTION_EXPIRED";
    if (assertion->exp > now_s + SA_PROOF_LIFE_S + SA_PROOF_LEEWAY_S)
        return "ASSERTION_TOO_LONG";
    if (assertion->iat > now_s + SA_PROOF_LEEWAY_S || assertion->nbf > now_s + SA_PROOF_LEEWAY_S)
        return "ASSERTION_FROM_THE_FUTURE";
    if (assertion->iat < now_s - SA_PROOF_LIFE_S - SA_PROOF_LEEWAY_S || assertion->iat > assertion->exp)
        return "ASSERTION_STALE";
    return NULL;
}

enum sa_status
sa_client_by_assertion(struct sa_authority *authority, const struct sa_client *client,
                       const struct sa_client_proof *proof, const char **ret_why)
{
    bool has_keys = client != NULL && client->jwks != NULL;
    struct sa_assertion assertion;
    enum sa_status status =
        sa_assertion_verify(sa_bytes_of(has_keys ? client->jwks : NO_KEYS), proof->text, &assertion);

    *ret_why = has_keys ? "ASSERTION_UNVERIFIED" : "NO_KEYS";
    if (status != SA_OK || !has_keys)
        return SA_INVALID_CLIENT;
    *ret_why = fault_of(authority->conf, client->id, &assertion, proof->now.wall_ms / 1000);
    if (*ret_why != NULL)
        return SA_INVALID_CLIENT;
    struct sa_seen_proof seen = {
        .kind = SA_REPLAY_ASSERTION, .who = client->id, .jti = assertion.jti, .iat_s = assertion.iat};
    status = sa_replay_accept(authority->replay, &seen, proof->now);
    if (status != SA_ALREADY_EXISTS && status != SA_NOT_FOUND)
        return status;
    *ret_why = status == SA_NOT_FOUND ? "ASSERTION_BEFORE_START" : "ASSERTION_REPLAYED";
    return SA_INVALID_CLIENT;
}

/* ---- certificates (RFC 8705 section 2.2) ---- */

enum sa_status
sa_client_by_certificate(const struct sa_client *client, const struct sa_client_proof *proof,
                         struct sa_client_proven *ret_proven, const char **ret_why)
{
    *ret_why = proof->certificate == NULL ? "NO_CERTIFICATE" : "WRONG_CERTIFICATE";
    for (unsigned i = 0; client != NULL && proof->certificate != NULL && i < client->certificate_count; i++)
        if (memcmp(client->certificates[i], proof->certificate, SA_SHA256_LEN) == 0) { /* no secret */
            sa_base64url(sa_bytes(proof->certificate, SA_SHA256_LEN), ret_proven->x5t);
            return SA_OK;
        }
    return SA_INVALID_CLIENT;
}
