/*
 * What an administrator may write behind pam_secauth.so in a service file; pam_secauth(8) has the same list.
 */
#ifndef SA_OPTIONS_H
#define SA_OPTIONS_H

#include "proto/bytes.h"

#define SA_OPTIONS_TIMEOUT_SECONDS     8u
#define SA_OPTIONS_TIMEOUT_SECONDS_MAX 60u

struct sa_options {
    unsigned timeout_seconds; /* the longest wait for the daemon in one entry */
    bool debug;               /* log each entry and its code; never a secret */
    bool use_first_pass;      /* take the password that is set already, never ask */
    bool try_first_pass;      /* take it where it is set, ask where it is not */
    bool use_authtok;         /* take the new password that is set already, never ask for one */
};

/*
 * Read a module's arguments.
 *
 *   ret_bad  the first argument that is no option or whose value is out of range, NULL where all are good.
 * Bad ones change nothing: a typing error in a service file must not lock a host.
 */
void sa_options_parse(int argc, const char **argv, struct sa_options *ret_options, const char **ret_bad);

#endif
