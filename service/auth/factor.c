#include "service/auth/factor.h"

#include <assert.h>
#include <string.h>

#include "service/auth/inside.h"
#include "service/auth/switches.h"
#include "service/crypto/encode.h"

#define RECOVERY_LEN 12u /* of 32 letters: 60 bits; shown as xxxxxx-xxxxxx */

struct sa_bytes
sa_factor_strip(struct sa_bytes text)
{
    static const char BLANKS[] = " \t";

    while (text.len > 0 && memchr(BLANKS, text.data[0], sizeof(BLANKS) - 1) != NULL)
        text = sa_bytes(text.data + 1, text.len - 1);
    while (text.len > 0 && memchr(BLANKS, text.data[text.len - 1], sizeof(BLANKS) - 1) != NULL)
        text.len--;
    return text;
}

/* ---- TOTP ---- */

/* Every step of the window is computed and compared, whichever of them the code is of. */
bool
sa_factor_step(const struct sa_totp *totp, struct sa_bytes code, int64_t wall_ms, int64_t *ret_step)
{
    int64_t now = wall_ms / 1000 / SA_TOTP_PERIOD_S;
    int64_t found = -1;
    char expected[SA_TOTP_DIGITS_MAX + 1];

    if (code.len != totp->digits)
        return false;
    for (int64_t step = now - SA_TOTP_SKEW; step <= now + SA_TOTP_SKEW; step++) {
        if (sa_totp_code(totp->algorithm, sa_bytes(totp->key, totp->key_len), step, totp->digits, expected) !=
            SA_OK)
            continue;
        bool same = sa_secret_equal(code, sa_bytes_of(expected));
        if (same && step > totp->last_step)
            found = step;
    }
    sa_wipe(expected, sizeof(expected));
    if (found < 0)
        return false;
    *ret_step = found;
    return true;
}

static uint32_t
failures_max(const struct sa_authority *authority)
{
    return sa_switch_is_on(SA_SWITCH_factor_lock) ? (uint32_t)authority->conf->login_factor_failures
                                                  : UINT32_MAX;
}

bool
sa_factor_totp_is_open(const struct sa_authority *authority, const struct sa_factors_state *state)
{
    return state->has_totp && state->failures < failures_max(authority);
}

bool
sa_factor_may_be_appended(struct sa_bytes password)
{
    unsigned digits = 0;

    while (digits < password.len && password.data[password.len - 1 - digits] >= '0' &&
           password.data[password.len - 1 - digits] <= '9')
        digits++;
    return digits >= SA_TOTP_DIGITS_MIN;
}

size_t
sa_factor_appended(const struct sa_authority *authority, const char *subject,
                   const struct sa_factors_state *state, struct sa_bytes password, int64_t wall_ms,
                   struct sa_factor_use *ret_use)
{
    struct sa_factor_use use = {.subject = subject, .is_totp = true, .failures_max = failures_max(authority)};

    if (!sa_factor_totp_is_open(authority, state) || password.len <= state->totp.digits)
        return 0;
    size_t len = password.len - state->totp.digits;
    struct sa_bytes code = sa_bytes(password.data + len, state->totp.digits);
    if (!sa_factor_step(&state->totp, code, wall_ms, &use.step))
        return 0;
    *ret_use = use;
    return len;
}

/* ---- recovery codes ---- */

/* No l, o, 0 or 1: nobody reads one for another. */
static const char LETTERS[] = "abcdefghijkmnpqrstuvwxyz23456789";
static_assert(sizeof(LETTERS) == 33, "five bits a letter");

static void
mac_recovery(const struct sa_authority *authority, const char *subject, const char code[RECOVERY_LEN],
             uint8_t ret_mac[SA_MAC_LEN])
{
    uint8_t data[SA_ID_LEN + RECOVERY_LEN] = {0};

    memcpy(data, subject, strnlen(subject, SA_ID_LEN));
    memcpy(data + SA_ID_LEN, code, RECOVERY_LEN);
    sa_keyring_mac(authority->keyring, SA_KEY_RECOVERY, sa_bytes(data, sizeof(data)), ret_mac);
    sa_wipe(data, sizeof(data));
}

/* Case and dashes do not matter, as people type them. */
static bool
read_recovery(struct sa_bytes text, char ret_code[RECOVERY_LEN])
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '-')
            continue;
        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c - 'A' + 'a');
        if (len == RECOVERY_LEN || memchr(LETTERS, c, sizeof(LETTERS) - 1) == NULL)
            return false;
        ret_code[len++] = (char)c;
    }
    return len == RECOVERY_LEN;
}

void
sa_factor_make_recovery(const struct sa_authority *authority, const char *subject,
                        char ret_code[SA_RECOVERY_TEXT_LEN + 1], uint8_t ret_mac[SA_MAC_LEN])
{
    uint8_t random[RECOVERY_LEN];
    char code[RECOVERY_LEN];

    sa_random(random, sizeof(random));
    for (unsigned i = 0; i < RECOVERY_LEN; i++)
        code[i] = LETTERS[random[i] % 32u];
    mac_recovery(authority, subject, code, ret_mac);
    memcpy(ret_code, code, RECOVERY_LEN / 2);
    ret_code[RECOVERY_LEN / 2] = '-';
    memcpy(ret_code + RECOVERY_LEN / 2 + 1, code + RECOVERY_LEN / 2, RECOVERY_LEN / 2);
    ret_code[SA_RECOVERY_TEXT_LEN] = '\0';
    sa_wipe(code, sizeof(code));
    sa_wipe(random, sizeof(random));
}

/* ---- either ---- */

enum sa_status
sa_factor_judge(const struct sa_authority *authority, const char *subject,
                const struct sa_factors_state *state, struct sa_bytes answer, int64_t wall_ms,
                uint8_t mac[SA_MAC_LEN], struct sa_factor_use *ret_use)
{
    struct sa_factor_use use = {.subject = subject};
    char code[RECOVERY_LEN];

    if (answer.len > SA_ANSWER_MAX)
        return SA_INVALID_CREDENTIALS;
    answer = sa_factor_strip(answer);
    if (sa_factor_totp_is_open(authority, state) &&
        sa_factor_step(&state->totp, answer, wall_ms, &use.step)) {
        use.is_totp = true;
        use.failures_max = failures_max(authority);
        *ret_use = use;
        return SA_OK;
    }
    if (state->recovery_codes == 0 || !read_recovery(answer, code))
        return SA_INVALID_CREDENTIALS;
    mac_recovery(authority, subject, code, mac);
    sa_wipe(code, sizeof(code));
    use.recovery_mac = mac;
    *ret_use = use;
    return SA_OK;
}
