/*
 * One entry's view of a login: what libpam, the name service and the kernel say about it, in the words of the
 * contract. Lives on the entry's stack, in copies, since a conversation may change the items; holds no
 * secret.
 */
#ifndef SA_PAM_LOGIN_H
#define SA_PAM_LOGIN_H

#include <security/pam_modules.h>

#include "pam/options.h"
#include "secauth/v1/common.pb-c.h"

#define SA_LOGIN_USER_MAX    4096u /* a longer name is cut: no name of a person comes near */
#define SA_LOGIN_SERVICE_MAX 64u   /* these four are the contract's (common.proto) */
#define SA_LOGIN_RHOST_MAX   255u
#define SA_LOGIN_TTY_MAX     64u

/* The six entries are what the module exports. */
#define SA_ENTRY __attribute__((visibility("default")))

struct sa_login {
    pam_handle_t *pamh;
    const char *type; /* "auth", "account", ... as libpam's own log lines have it */
    int flags;
    struct sa_options options;
    ProtobufCBinaryData user;   /* PAM_USER, cut to SA_LOGIN_USER_MAX */
    Secauth__V1__PosixId *uid;  /* its uid; NULL where the name service does not know the name */
    Secauth__V1__Origin origin; /* what the application said of itself */
    int64_t waited_ms;          /* for the daemon, in all questions of this entry so far */

    /* Where the pointers above lead. */
    Secauth__V1__PosixId user_id;
    Secauth__V1__PosixId login_uid;
    Secauth__V1__PosixId audit_session;
    char service[SA_LOGIN_SERVICE_MAX + 1];
    char rhost[SA_LOGIN_RHOST_MAX];
    char tty[SA_LOGIN_TTY_MAX];
    char name[SA_LOGIN_USER_MAX];
};

/*
 * Begin an entry: read its options, ask for the name where the application has set none, look its uid up
 * (once, in this process, outside any deadline), gather the origin.
 *
 * Returns PAM_SUCCESS, or PAM_INCOMPLETE or PAM_CONV_ERR where no name could be had; *ret_login can be logged
 * with and left in every case.
 */
SA_MUST_CHECK int sa_login_begin(pam_handle_t *pamh, const char *type, int flags, int argc, const char **argv,
                                 struct sa_login *ret_login);

/* The end of an entry: with the option `debug` the code is logged. Returns the code. */
int sa_login_leave(const struct sa_login *login, int code);

#endif
