/*
 * A login through the module against the hash alone, in turns.
 *     bench_login CONFDIR USER ROUNDS KIB PASSES    stdin: the password
 * Prints what the module adds in milliseconds, the hash in milliseconds, and hash / login. What it adds is
 * the median of the differences within a turn: the hash itself drifts by more than that from one second to
 * the next. CONFDIR holds a PAM service `bench`.
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

static int
compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double
median(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof(*numbers), compare);
    return numbers[count / 2];
}

int
main(int argc, char **argv)
{
    static double added_ms[ROUNDS_MAX], hashes_ms[ROUNDS_MAX];
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
        hashes_ms[i] = (double)(middle_ns - start_ns) / 1e6;
        added_ms[i] = (double)(now_ns() - middle_ns) / 1e6 - hashes_ms[i];
    }
    double added = median(added_ms, rounds), hash_ms = median(hashes_ms, rounds);
    printf("%.2f %.2f %.3f\n", added, hash_ms, hash_ms / (hash_ms + added));
    return 0;
}
