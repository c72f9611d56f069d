/*
 * A login through the module against the hash alone, in turns.
 *     bench_login CONFDIR USER ROUNDS KIB PASSES    stdin: the password
 * Prints what the module adds in milliseconds, the hash in milliseconds (medians), and hash / login.
 * CONFDIR holds a PAM service `bench`.
 */
#include <security/pam_appl.h>
#include <sodium.h>

#include "tests/bench/bench.h"

#define ROUNDS_MAX 1000

static char password[256];

static int
answer(int count, const struct pam_message **messages, struct pam_response **ret_responses, void *unused)
{
    struct pam_response *responses = calloc((size_t)count, sizeof(*responses));

    (void)unused;
    if (responses == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++)
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
            responses[i].resp = strdup(password);
    *ret_responses = responses;
    return PAM_SUCCESS;
}

static void
log_in(const char *confdir, const char *user)
{
    struct pam_conv conversation = {.conv = answer};
    pam_handle_t *handle;

    int status = pam_start_confdir("bench", user, &conversation, confdir, &handle);
    if (status == PAM_SUCCESS)
        status = pam_authenticate(handle, 0);
    if (status != PAM_SUCCESS)
        give_up("the login failed: %s", pam_strerror(NULL, status));
    pam_end(handle, status);
}

static void
hash(unsigned long long passes, size_t bytes)
{
    uint8_t out[32], salt[crypto_pwhash_SALTBYTES] = {1};

    if (crypto_pwhash(out, sizeof(out), password, strlen(password), salt, passes, bytes,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        give_up("no memory for a hash");
}

static double
median_ms(uint32_t *micros, size_t count)
{
    qsort(micros, count, sizeof(uint32_t), compare_micros);
    return micros[count / 2] / 1000.0;
}

int
main(int argc, char **argv)
{
    static uint32_t logins[ROUNDS_MAX], hashes[ROUNDS_MAX];
    size_t rounds = argc == 6 ? (size_t)atol(argv[3]) : 0;

    if (rounds < 1 || rounds > ROUNDS_MAX || fgets(password, sizeof(password), stdin) == NULL ||
        sodium_init() < 0)
        give_up("usage: bench_login CONFDIR USER ROUNDS KIB PASSES < PASSWORD");
    password[strcspn(password, "\n")] = '\0';
    log_in(argv[1], argv[2]);
    for (size_t i = 0; i < rounds; i++) {
        uint64_t start_ns = now_ns();
        hash((unsigned long long)atol(argv[5]), (size_t)atol(argv[4]) * 1024);
        uint64_t middle_ns = now_ns();
        log_in(argv[1], argv[2]);
        hashes[i] = (uint32_t)((middle_ns - start_ns) / 1000);
        logins[i] = (uint32_t)((now_ns() - middle_ns) / 1000);
    }
    double login_ms = median_ms(logins, rounds), hash_ms = median_ms(hashes, rounds);
    printf("%.2f %.2f %.3f\n", login_ms - hash_ms, hash_ms, hash_ms / login_ms);
    return 0;
}
