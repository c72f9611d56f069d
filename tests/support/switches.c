/*
 * In place of service/auth/switches.c in secauthd_switched: SECAUTH_TEST_OFF="pair_wait guard" names the
 * rules that are off. A word that names none stops the daemon, so that no test is passed by a typing error.
 */
#include "service/auth/switches.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
#define SWITCH(name, sentence) #name,
#include "service/auth/switches.def"
#undef SWITCH
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool off[SA_SWITCH_COUNT];

static void
turn_off(const char *word, size_t len)
{
    for (size_t i = 0; i < SA_SWITCH_COUNT; i++)
        if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0) {
            off[i] = true;
            return;
        }
    fprintf(stderr, "SECAUTH_TEST_OFF: no rule is called %.*s\n", (int)len, word);
    abort();
}

static void
read_names(void)
{
    const char *at = getenv("SECAUTH_TEST_OFF");

    while (at != NULL && *at != '\0') {
        size_t len = strcspn(at, " ");
        if (len > 0)
            turn_off(at, len);
        at += len + (at[len] == ' ');
    }
}

bool
sa_switch_is_on(enum sa_switch rule)
{
    pthread_once(&once, read_names);
    return !off[rule];
}
