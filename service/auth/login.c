#include "service/auth/login.h"

#include "service/auth/inside.h"
#include "service/auth/switches.h"
#include "service/crypto/password_cost.h"

#define FILLER      "\b\n\r\177INCORRECT"
#define FILLER_LEN  (sizeof(FILLER) - 1)
#define NAME_MAC    16u /* bytes of a mac that stand for a name */
#define DEAREST_FOR 2   /* times the dearest hash */
#define LATE_FOR_MS 2000

enum sa_status
sa_login_prove(struct sa_authority *authority, const struct sa_login_try *attempt, bool *ret_match,
               uint32_t *ret_retry_ms)
{
    uint32_t wait = sa_buckets_charge(authority->buckets, attempt->source, attempt->boot_ms);

    if (wait > 0) {
        *ret_retry_ms = wait;
        return SA_RATE_LIMITED;
    }
    if (attempt->hash != NULL)
        sa_login_saw_hash(authority, attempt->hash);
    int64_t before = sa_clock_cpu_us();
    enum sa_status status =
        sa_password_verify(&authority->policy, attempt->hash, attempt->password, ret_match);
    if (status == SA_OK)
        sa_authority_saw_hash(authority, (unsigned)((sa_clock_cpu_us() - before) / 1000) + 1);
    else
        sa_buckets_give_back(authority->buckets, attempt->source, attempt->boot_ms);
    return status;
}

/*
 * A hash with lanes of its own computes on other threads than the one that is measured, and one that was only
 * just stored has not been measured at all: what its parameters promise counts as well.
 */
void
sa_login_saw_hash(struct sa_authority *authority, const char *encoded)
{
    struct sa_password_cost cost;

    if (sa_password_cost_of(encoded, &cost) && cost.millis <= authority->policy.max_millis)
        sa_authority_saw_hash(authority, (unsigned)cost.millis);
}

int64_t
sa_login_denial_boot_ms(const struct sa_authority *authority, int64_t admitted_boot_ms, uint32_t random)
{
    int64_t takes = DEAREST_FOR * (int64_t)atomic_load(&authority->dearest_ms);

    if (takes < authority->conf->login_denial_floor)
        takes = authority->conf->login_denial_floor;
    return admitted_boot_ms + takes + random % (authority->conf->login_denial_jitter + 1);
}

void
sa_login_saw_denial(struct sa_authority *authority, bool kept, int64_t due_boot_ms, int64_t boot_ms)
{
    struct sa_late *late = &authority->late[kept];
    int64_t late_ms = boot_ms > due_boot_ms ? boot_ms - due_boot_ms : 0;

    if (late_ms < sa_login_late_ms(authority, kept, boot_ms))
        return;
    atomic_store(&late->ms, late_ms);
    atomic_store(&late->seen_boot_ms, boot_ms);
}

int64_t
sa_login_late_ms(const struct sa_authority *authority, bool kept, int64_t boot_ms)
{
    const struct sa_late *late = &authority->late[kept];

    if (!sa_switch_is_on(SA_SWITCH_late_denial))
        return 0;
    return boot_ms - atomic_load(&late->seen_boot_ms) < LATE_FOR_MS ? atomic_load(&late->ms) : 0;
}

bool
sa_login_is_filler(struct sa_bytes password)
{
    for (size_t i = 0; i < password.len; i++)
        if (password.data[i] != (uint8_t)FILLER[i % FILLER_LEN])
            return false;
    return password.len > 0;
}

const char *
sa_login_mismatch_reason(struct sa_bytes password)
{
    if (password.len > SA_PASSWORD_MAX)
        return "PASSWORD_OVER_511_BYTES";
    if (password.len > 0 && memchr(password.data, 0, password.len) != NULL)
        return "PASSWORD_WITH_NUL";
    return sa_login_is_filler(password) ? "REFUSED_BY_SSHD" : "WRONG_PASSWORD";
}

void
sa_login_unknown_name(const struct sa_authority *authority, struct sa_bytes name,
                      char ret_text[SA_LOGIN_UNKNOWN_LEN + 1])
{
    uint8_t mac[SA_MAC_LEN];

    sa_keyring_mac(authority->keyring, SA_KEY_AUDIT_NAME, name, mac);
    if (!sa_switch_is_on(SA_SWITCH_unknown_name)) {
        size_t len = name.len < SA_LOGIN_UNKNOWN_LEN ? name.len : SA_LOGIN_UNKNOWN_LEN;
        memcpy(ret_text, name.data, len);
        ret_text[len] = '\0';
        return;
    }
    ret_text[0] = '?';
    sa_hex(sa_bytes(mac, NAME_MAC), ret_text + 1);
}

bool
sa_login_leaves_unmanaged(const struct sa_authority *authority)
{
    return strcmp(authority->conf->login_unmanaged, "ask") == 0;
}

bool
sa_login_wants_rehash(const struct sa_authority *authority, const char *hash, size_t password_len)
{
    return sa_password_is_weaker(&authority->policy, hash, password_len);
}

enum sa_status
sa_login_hash(struct sa_authority *authority, struct sa_bytes password,
              char ret_encoded[SA_PASSWORD_HASH_MAX + 1])
{
    return sa_password_make(&authority->policy, password, ret_encoded);
}
