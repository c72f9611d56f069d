#include "service/store/store_factor.h"

#include "service/store/inside.h"
#include "service/store/store_login.h"

#define TABLE "totp"
#define KEY   "key"

/* ---- within a login's transaction ---- */

static enum sa_status
spend_step(struct sa_sql *sql, const struct sa_factor_use *use)
{
    static const char SPEND[] =
        "UPDATE totp SET last_step = ?2 WHERE subject = ?1 AND armed = 1 AND last_step < ?2";

    SA_QUERY(query, sql, SPEND);
    sa_put_text(&query, use->subject);
    sa_put_int(&query, use->step);
    enum sa_status status = sa_query_run(&query);
    return status == SA_OK && sa_query_changed(&query) == 0 ? SA_NOT_FOUND : status;
}

static enum sa_status
spend_recovery(struct sa_sql *sql, const struct sa_factor_use *use)
{
    static const char SPEND[] = "DELETE FROM recovery_codes WHERE subject = ?1 AND mac = ?2";

    SA_QUERY(query, sql, SPEND);
    sa_put_text(&query, use->subject);
    sa_put_blob(&query, use->recovery_mac, SA_MAC_LEN);
    enum sa_status status = sa_query_run(&query);
    return status == SA_OK && sa_query_changed(&query) == 0 ? SA_NOT_FOUND : status;
}

enum sa_status
sa_factor_use(struct sa_sql *sql, const struct sa_factor_use *use)
{
    static const char CLEAR[] = "DELETE FROM wrong_codes WHERE subject = ?";
    enum sa_status status = use->is_totp ? spend_step(sql, use) : spend_recovery(sql, use);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, CLEAR);
    sa_put_text(&query, use->subject);
    return sa_query_run(&query);
}

enum sa_status
sa_factor_wrong(struct sa_sql *sql, const char *subject)
{
    static const char COUNT[] =
        "INSERT INTO wrong_codes (subject, failures) SELECT subject, 1 FROM users WHERE subject = ? "
        "ON CONFLICT (subject) DO UPDATE SET failures = failures + 1";

    SA_QUERY(query, sql, COUNT);
    sa_put_text(&query, subject);
    return sa_query_run(&query);
}

/* ---- reading ---- */

struct factors {
    const struct sa_keyring *keyring;
    const char *subject;
    struct sa_factors_state *state;
};

static enum sa_status
read_key(struct sa_query *query, const struct factors *factors, struct sa_totp *totp)
{
    uint8_t sealed[SA_TOTP_KEY_MAX + SA_SEAL_OVERHEAD];
    size_t len = sa_get_blob(query, sealed, sizeof(sealed));
    enum sa_status status = sa_query_done(query);

    if (status != SA_OK)
        return status;
    if (len <= SA_SEAL_OVERHEAD)
        return SA_INTERNAL;
    totp->key_len = len - SA_SEAL_OVERHEAD;
    return sa_keyring_unseal(factors->keyring, TABLE, KEY, sa_bytes_of(factors->subject),
                             sa_bytes(sealed, len), totp->key);
}

static enum sa_status
read_totp(struct sa_sql *sql, const struct factors *factors)
{
    static const char TOTP[] =
        "SELECT armed, algorithm, digits, armed_s, last_step, key FROM totp WHERE subject = ?";
    enum sa_status status;

    SA_QUERY(query, sql, TOTP);
    sa_put_text(&query, factors->subject);
    while ((status = sa_query_step(&query)) == SA_OK) {
        bool armed = sa_get_int(&query) != 0;
        struct sa_totp *totp = armed ? &factors->state->totp : &factors->state->pending;
        *(armed ? &factors->state->has_totp : &factors->state->has_pending) = true;
        totp->armed = armed;
        totp->algorithm = (enum sa_totp_algorithm)sa_get_int(&query);
        totp->digits = (unsigned)sa_get_int(&query);
        totp->armed_s = sa_get_int(&query);
        totp->last_step = sa_get_int(&query);
        status = read_key(&query, factors, totp);
        if (status != SA_OK)
            return status;
    }
    return status == SA_NOT_FOUND ? SA_OK : status;
}

static enum sa_status
read_factors(struct sa_sql *sql, void *context)
{
    static const char COUNTS[] = "SELECT (SELECT count(*) FROM recovery_codes WHERE subject = ?1), "
                                 "(SELECT coalesce(max(failures), 0) FROM wrong_codes WHERE subject = ?1)";
    const struct factors *factors = context;
    enum sa_status status = read_totp(sql, factors);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, COUNTS);
    sa_put_text(&query, factors->subject);
    status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    factors->state->recovery_codes = (unsigned)sa_get_int(&query);
    factors->state->failures = (uint32_t)sa_get_int(&query);
    return sa_query_done(&query);
}

enum sa_status
sa_store_factors(struct sa_store *store, const char *subject, struct sa_factors_state *ret_state)
{
    struct sa_factors_state state = {.has_totp = false};
    struct factors factors = {store->keyring, subject, &state};
    enum sa_status status = sa_store_read(store, read_factors, &factors);

    if (status == SA_OK)
        *ret_state = state;
    sa_wipe(&state, sizeof(state));
    return status;
}
