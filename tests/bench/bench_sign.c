/*
 * S: access tokens built and signed (ES256) by every core at once, with no daemon around them.
 *     bench_sign SECONDS    prints tokens a second, and microseconds of a core for each
 */
#include <pthread.h>
#include <unistd.h>

#include "service/crypto/jwt.h"
#include "tests/bench/bench.h"

#define THREADS_MAX 256

static struct sa_signing_key *key;
static uint64_t end_ns;

static void *
sign(void *ret_count)
{
    struct sa_claims claims = {
        .iss = "https://private.example",
        .aud = {"demo"},
        .aud_count = 1,
        .client_id = "bench",
        .sub = "bench",
        .scope = "read write",
    };
    char token[SA_JWT_MAX + 1];
    uint64_t count = 0;

    while (now_ns() < end_ns) {
        claims.iat = 1800000000 + (int64_t)count;
        claims.exp = claims.iat + 600;
        sa_jti_make(claims.iat * 1000, 0, 2, claims.jti);
        if (sa_jwt_sign(key, &claims, token) != SA_OK)
            give_up("a token could not be signed");
        count++;
    }
    *(uint64_t *)ret_count = count;
    return NULL;
}

int
main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    uint64_t counts[THREADS_MAX] = {0}, total = 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    double seconds = argc == 2 ? atof(argv[1]) : 0;

    if (seconds <= 0 || cores < 1)
        give_up("usage: bench_sign SECONDS");
    key = sa_signing_key_generate(SA_KEY_ES256);
    if (key == NULL)
        give_up("out of memory");
    cores = cores < THREADS_MAX ? cores : THREADS_MAX;
    end_ns = now_ns() + (uint64_t)(seconds * 1e9);
    for (long i = 0; i < cores; i++)
        if (pthread_create(&threads[i], NULL, sign, &counts[i]) != 0)
            give_up("no thread");
    for (long i = 0; i < cores; i++) {
        pthread_join(threads[i], NULL);
        total += counts[i];
    }
    printf("%.0f %.2f\n", (double)total / seconds, cpu_us() / (double)total);
    sa_signing_key_free(key);
    return 0;
}
