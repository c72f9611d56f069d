/*
 * Tokens verified offline by libsecauth, a line each on stdin, a line each on stdout: "ok" or the reason.
 *     offline_verify KEYS ISSUER AUDIENCE [AT [LEEWAY]]    KEYS is a file with a JWK Set; AT in seconds since
 * 1970, 0: now
 */
#include <err.h>
#include <secauth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
    static char keys[65537], line[3 * SECAUTH_TOKEN_MAX];
    struct secauth_verifier *verifier;
    struct secauth_error error;

    if (argc < 4 || argc > 6)
        errx(2, "usage: offline_verify KEYS ISSUER AUDIENCE [AT [LEEWAY]]");
    const char *const audiences[] = {argv[3]};
    struct secauth_identity identity = {argv[2], audiences, 1, argc == 6 ? atoi(argv[5]) : 0, 0};
    struct secauth_want want = {.at_seconds = argc > 4 ? atoll(argv[4]) : 0};
    FILE *file = fopen(argv[1], "r");
    size_t len = file == NULL ? 0 : fread(keys, 1, sizeof(keys) - 1, file);
    if (secauth_verifier_new(&identity, &verifier, &error) != SECAUTH_OK ||
        secauth_verifier_set_keys(verifier, keys, len, &error) != SECAUTH_OK)
        errx(1, "%s", error.message);
    fclose(file);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct secauth_claims *claims;
        line[strcspn(line, "\n")] = '\0';
        if (secauth_verify(verifier, line, &want, &claims, &error) == SECAUTH_OK) {
            puts("ok");
            secauth_claims_free(claims);
        } else {
            puts(error.message);
        }
        fflush(stdout);
    }
    secauth_verifier_free(verifier);
    return 0;
}
