/*
 * One question to the daemon, within what is left of the entry's time, on a connection of its own.
 */
#ifndef SA_ASK_H
#define SA_ASK_H

#include "client/call.h"
#include "pam/login.h"

#define SA_ASK_ARENA_MAX    (64u * 1024u)
#define SA_ASK_PASSWORD_MAX 1024u /* a longer password is cut: over 511 bytes it is denied in any case */

struct sa_answer {
    enum sa_status status;
    ProtobufCMessage *reply;    /* set where the status is SA_OK; lives in the arena */
    struct sa_call_error error; /* request_id is set whenever the daemon answered */
};

/*
 * Ask. All questions of one entry share the option `timeout=`; what the person takes in between does not
 * count.
 *
 *   login       its waited_ms grows.
 *   method      "AuthnService/CheckAccount".
 *   reply_type  the descriptor of the response.
 *   arena       of SA_ASK_ARENA_MAX; NULL, for lack of memory, is taken.
 *
 * Returns a PAM code and no other than: PAM_SUCCESS (the reply is there, not yet looked at), PAM_AUTH_ERR,
 * PAM_PERM_DENIED, PAM_AUTHTOK_ERR (the daemon said no), PAM_USER_UNKNOWN (no record), PAM_AUTHINFO_UNAVAIL
 * (nobody listens, and the person may have a record), PAM_SYSTEM_ERR (anything that strangers can cause). The
 * last two are logged with their reason.
 */
SA_MUST_CHECK int sa_ask(struct sa_login *login, const char *method, const ProtobufCMessage *request,
                         const ProtobufCMessageDescriptor *reply_type, struct sa_arena *arena,
                         struct sa_answer *ret_answer);

/* A reply that decodes and yet makes no sense: logged. Returns PAM_SYSTEM_ERR. */
int sa_ask_refuse_reply(const struct sa_login *login, const struct sa_answer *answer, const char *why);

/* A password as a message's bytes, cut to SA_ASK_PASSWORD_MAX; NULL is absent. */
ProtobufCBinaryData sa_ask_password(const char *password);

/* The PAM code of a status, from the table of statuses; PAM_SYSTEM_ERR for what is not in it. */
int sa_ask_code(enum sa_status status);

#endif
