/*
 * One name for each rule of a login that a test must be able to switch off, to show that it is this rule that
 * holds.
 *
 * The daemon links switches.c, where every rule is on and nothing is read. The tests link a daemon of their
 * own, `secauthd_switched`, which differs in this one object: tests/support/switches.c takes the names from
 * the environment (SECAUTH_TEST_OFF="pair_wait guard"). No release program holds it; tests/lint looks at its
 * symbols.
 */
#ifndef SA_SWITCHES_H
#define SA_SWITCHES_H

#include <stdbool.h>

enum sa_switch {
#define SWITCH(name, sentence) SA_SWITCH_##name,
#include "service/auth/switches.def"
#undef SWITCH
    SA_SWITCH_COUNT
};

/* Whether a rule is in force. Any thread, cheap. */
bool sa_switch_is_on(enum sa_switch rule);

#endif
