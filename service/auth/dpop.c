#include "service/auth/dpop.h"

#include <strings.h>

#include "service/auth/inside.h"
#include "service/crypto/proof_jwt.h"

/* RFC 9449 section 4.3: without query and fragment; scheme and host in letters of either case. */
static bool
names(const char *htu, const char *origin, const char *method)
{
    size_t origin_len = strlen(origin);
    size_t method_len = strlen(method);
    size_t len = strcspn(htu, "?#");

    return len == origin_len + 1 + method_len && strncasecmp(htu, origin, origin_len) == 0 &&
           htu[origin_len] == '/' && memcmp(htu + origin_len + 1, method, method_len) == 0;
}

static bool
is_for(const struct sa_conf *conf, const char *htu, const char *method)
{
    const struct sa_conf_words *origins = &conf->token_origins;

    for (unsigned i = 0; i < origins->count; i++)
        if (names(htu, origins->word[i], method))
            return true;
    return origins->count == 0 && names(htu, conf->token_issuer, method);
}

static const char *
fault_of(const struct sa_conf *conf, const struct sa_dpop *dpop, const char *method, int64_t now_s)
{
    if (strcmp(dpop->htm, "POST") != 0)
        return "DPOP_OTHER_METHOD";
    if (!is_for(conf, dpop->htu, method))
        return "DPOP_OTHER_URI";
    if (dpop->iat > now_s + SA_PROOF_LEEWAY_S || dpop->iat < now_s - SA_PROOF_LIFE_S - SA_PROOF_LEEWAY_S)
        return "DPOP_STALE";
    return NULL;
}

enum sa_status
sa_dpop_check(struct sa_authority *authority, struct sa_bytes proof, const char *method, const char *source,
              struct sa_now now, char ret_jkt[SA_KID_LEN + 1], const char **ret_why)
{
    struct sa_dpop dpop;

    *ret_why = "DPOP_MALFORMED";
    enum sa_status status = sa_dpop_verify(proof, &dpop);
    if (status != SA_OK)
        return status;
    *ret_why = fault_of(authority->conf, &dpop, method, now.wall_ms / 1000);
    if (*ret_why != NULL)
        return SA_INVALID_DPOP_PROOF;
    struct sa_seen_proof seen = {SA_REPLAY_DPOP, dpop.jkt, dpop.jti, dpop.iat, source};
    status = sa_replay_accept(authority->replay, &seen, now);
    if (status == SA_ALREADY_EXISTS || status == SA_NOT_FOUND) {
        *ret_why = status == SA_NOT_FOUND ? "DPOP_BEFORE_START" : "DPOP_REPLAYED";
        return SA_INVALID_DPOP_PROOF;
    }
    if (status == SA_OK)
        memcpy(ret_jkt, dpop.jkt, sizeof(dpop.jkt));
    return status;
}
