/*
 * Lines for the system log, in the form of libpam's own: `sshd[1]: pam_secauth(sshd:auth): ...`.
 *
 * They are sent straight to /dev/log. syslog(3), which pam_syslog ends in, keeps its descriptor open in the
 * host program, as descriptor 0 where that is free, and only closelog(3) would take it back, together with
 * the program's own settings.
 */
#ifndef SA_PAM_LOG_H
#define SA_PAM_LOG_H

#include "pam/login.h"

#define SA_LOG_ESCAPED_MAX 512u

/*
 * Write one line of at most 1,024 bytes. Waits at most half a second for a log daemon that is slow; a line
 * that cannot be written is lost.
 *
 *   priority  LOG_ERR, LOG_NOTICE, ...; the facility is LOG_AUTHPRIV.
 */
void sa_log(const struct sa_login *login, int priority, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * What came from outside, so that it cannot end a line or add a field: anything but printable ASCII, and
 * blanks, `=`, `"` and `\`, become \xHH; what does not fit is cut. Returns ret_text.
 */
const char *sa_log_escape(const void *data, size_t len, char ret_text[SA_LOG_ESCAPED_MAX]);

/*
 * The login's user, escaped; "(unknown)" where the name service does not know the name, for people type
 * passwords where the name belongs. Returns ret_text.
 */
const char *sa_log_user(const struct sa_login *login, char ret_text[SA_LOG_ESCAPED_MAX]);

#endif
