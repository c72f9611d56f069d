#include "service/store/store_factor.h"

#include "service/store/inside.h"
#include "service/store/store_login.h"

#define TABLE "totp"
#define KEY   "key"

/* ---- within a login's transaction ---- */

/* Codes that are tried at once are judged before any of them is counted: the one that is good must come in
 * time.
 */
static enum sa_status
spend_step(struct sa_sql *sql, const struct sa_factor_use *use)
{
    static const char SPEND[] =
        "UPDATE totp SET last_step = ?2 WHERE subject = ?1 AND armed = 1 AND last_step < ?2 "
        "AND (SELECT coalesce(max(failures), 0) FROM wrong_codes WHERE subject = ?1) < ?3";

    SA_QUERY(query, sql, SPEND);
    sa_put_text(&query, use->subject);
    sa_put_int(&query, use->step);
    sa_put_int(&query, use->failures_max);
    return sa_query_run_found(&query);
}

static enum sa_status
spend_recovery(struct sa_sql *sql, const struct sa_factor_use *use)
{
    static const char SPEND[] = "DELETE FROM recovery_codes WHERE subject = ?1 AND mac = ?2";

    SA_QUERY(query, sql, SPEND);
    sa_put_text(&query, use->subject);
    sa_put_blob(&query, use->recovery_mac, SA_MAC_LEN);
    return sa_query_run_found(&query);
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

/* ---- changes ---- */

struct change {
    const struct sa_keyring *keyring;
    const char *subject;
    const struct sa_totp *totp;
    const struct sa_totp_arming *arming;
    const struct sa_factor_use *current;
    const uint8_t (*macs)[SA_MAC_LEN];
};

static enum sa_status
run_for(struct sa_sql *sql, const char *text, const char *subject)
{
    SA_QUERY(query, sql, text);
    sa_put_text(&query, subject);
    return sa_query_run(&query);
}

static enum sa_status
enroll(struct sa_sql *sql, struct sa_work *work)
{
    static const char ENROLL[] =
        "INSERT INTO totp (subject, armed, algorithm, digits, key, armed_s, last_step) "
        "SELECT subject, 0, ?2, ?3, ?4, 0, -1 FROM users WHERE subject = ?1 "
        "ON CONFLICT (subject, armed) DO UPDATE SET algorithm = excluded.algorithm, "
        "digits = excluded.digits, key = excluded.key";
    const struct change *change = work->context;
    const struct sa_totp *totp = change->totp;
    uint8_t sealed[SA_TOTP_KEY_MAX + SA_SEAL_OVERHEAD];

    sa_keyring_seal(change->keyring, TABLE, KEY, sa_bytes_of(change->subject),
                    sa_bytes(totp->key, totp->key_len), sealed);
    SA_QUERY(query, sql, ENROLL);
    sa_put_text(&query, change->subject);
    sa_put_int(&query, totp->algorithm);
    sa_put_int(&query, totp->digits);
    sa_put_blob(&query, sealed, totp->key_len + SA_SEAL_OVERHEAD);
    return sa_query_run_found(&query);
}

enum sa_status
sa_store_totp_enroll(struct sa_store *store, const char *subject, const struct sa_totp *totp,
                     const struct sa_audit *audit)
{
    struct change change = {.keyring = store->keyring, .subject = subject, .totp = totp};
    struct sa_work work = sa_work(enroll, &change, audit);

    if (totp->key_len < SA_TOTP_KEY_MIN || totp->key_len > SA_TOTP_KEY_MAX)
        return SA_INVALID_ARGUMENT;
    return sa_store_write(store, &work);
}

static enum sa_status
remove_recovery(struct sa_sql *sql, const char *subject)
{
    static const char REMOVE[] = "DELETE FROM recovery_codes WHERE subject = ?";

    return run_for(sql, REMOVE, subject);
}

static enum sa_status
replace_recovery(struct sa_sql *sql, const struct change *change)
{
    static const char ADD[] = "INSERT INTO recovery_codes (subject, mac) SELECT subject, ?2 FROM users "
                              "WHERE subject = ?1";
    enum sa_status status = remove_recovery(sql, change->subject);

    for (unsigned i = 0; i < SA_RECOVERY_CODES && status == SA_OK; i++) {
        SA_QUERY(query, sql, ADD);
        sa_put_text(&query, change->subject);
        sa_put_blob(&query, change->macs[i], SA_MAC_LEN);
        status = sa_query_run_found(&query);
    }
    return status;
}

/* What was for or against the key that is gone: wrong codes, and the places where it was proven lately. */
static enum sa_status
forget_proofs(struct sa_sql *sql, const char *subject)
{
    static const char WRONG[] = "DELETE FROM wrong_codes WHERE subject = ?";
    static const char FRESH[] = "UPDATE known_sources SET factor_s = 0 WHERE subject = ?";
    enum sa_status status = run_for(sql, WRONG, subject);

    return status == SA_OK ? run_for(sql, FRESH, subject) : status;
}

static bool
is_same_key(const struct sa_totp *a, const struct sa_totp *b)
{
    return a->algorithm == b->algorithm && a->digits == b->digits &&
           sa_secret_equal(sa_bytes(a->key, a->key_len), sa_bytes(b->key, b->key_len));
}

/*
 * Another enrolment may have begun since the code was judged: its key was never shown to whoever typed that.
 *   ret_last_step  spent with the key that is armed; where that is the same one as before, no step of it
 * comes back.
 */
static enum sa_status
check_waits(struct sa_sql *sql, const struct change *change, int64_t *ret_last_step)
{
    const struct sa_totp_arming *arming = change->arming;
    struct sa_factors_state state = {.has_totp = false};
    const struct factors factors = {change->keyring, change->subject, &state};
    enum sa_status status = read_totp(sql, &factors);

    bool waits = status == SA_OK && state.has_pending && is_same_key(&state.pending, arming->pending);
    bool was_armed = waits && state.has_totp && is_same_key(&state.totp, arming->pending);
    *ret_last_step = was_armed && state.totp.last_step > arming->step ? state.totp.last_step : arming->step;
    sa_wipe(&state, sizeof(state));
    if (status != SA_OK)
        return status;
    return waits ? SA_OK : SA_NOT_FOUND;
}

static enum sa_status
replace_armed(struct sa_sql *sql, const struct change *change, int64_t last_step)
{
    static const char OLD[] = "DELETE FROM totp WHERE subject = ? AND armed = 1";
    static const char ARM[] =
        "UPDATE totp SET armed = 1, armed_s = ?2, last_step = ?3 WHERE subject = ?1 AND armed = 0";
    enum sa_status status = run_for(sql, OLD, change->subject);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, ARM);
    sa_put_text(&query, change->subject);
    sa_put_int(&query, change->arming->now_s);
    sa_put_int(&query, last_step);
    status = sa_query_run_found(&query);
    return status == SA_OK ? forget_proofs(sql, change->subject) : status;
}

static enum sa_status
arm(struct sa_sql *sql, struct sa_work *work)
{
    const struct change *change = work->context;
    int64_t last_step;
    enum sa_status status = check_waits(sql, change, &last_step);

    if (status == SA_OK && change->current != NULL)
        status = sa_factor_use(sql, change->current);
    if (status == SA_OK)
        status = replace_armed(sql, change, last_step);
    return status == SA_OK && change->macs != NULL ? replace_recovery(sql, change) : status;
}

enum sa_status
sa_store_totp_arm(struct sa_store *store, const char *subject, const struct sa_totp_arming *arming,
                  const struct sa_audit *audit)
{
    struct change change = {.keyring = store->keyring,
                            .subject = subject,
                            .arming = arming,
                            .current = arming->current,
                            .macs = arming->macs};
    struct sa_work work = sa_work(arm, &change, audit);

    return sa_store_write(store, &work);
}

static enum sa_status
set_recovery(struct sa_sql *sql, struct sa_work *work)
{
    const struct change *change = work->context;
    enum sa_status status = change->current == NULL ? SA_OK : sa_factor_use(sql, change->current);

    return status == SA_OK ? replace_recovery(sql, change) : status;
}

enum sa_status
sa_store_recovery_set(struct sa_store *store, const char *subject, const struct sa_factor_use *current,
                      const uint8_t macs[SA_RECOVERY_CODES][SA_MAC_LEN], const struct sa_audit *audit)
{
    struct change change = {.subject = subject, .current = current, .macs = macs};
    struct sa_work work = sa_work(set_recovery, &change, audit);

    return sa_store_write(store, &work);
}

static enum sa_status
remove_all(struct sa_sql *sql, struct sa_work *work)
{
    static const char TOTP[] = "DELETE FROM totp WHERE subject = ?";
    const struct change *change = work->context;
    enum sa_status status = run_for(sql, TOTP, change->subject);

    if (status == SA_OK)
        status = remove_recovery(sql, change->subject);
    return status == SA_OK ? forget_proofs(sql, change->subject) : status;
}

enum sa_status
sa_store_factors_remove(struct sa_store *store, const char *subject, const struct sa_audit *audit)
{
    struct change change = {.subject = subject};
    struct sa_work work = sa_work(remove_all, &change, audit);

    return sa_store_write(store, &work);
}
