/*
 * Log lines to stderr or the journal. Libraries do not log: dispatch writes one line a call, main logs start,
 * stop and refusals to start. No argument may hold a secret; text from outside goes through sa_escape.
 */
#ifndef SA_LOG_H
#define SA_LOG_H

#include "proto/bytes.h"

enum sa_log_level {
    SA_LOG_ERROR = 3,
    SA_LOG_WARNING = 4,
    SA_LOG_INFO = 6,
    SA_LOG_DEBUG = 7
}; /* as syslog's */

/*
 * Where lines go from now on: up to `level`; with the journal's "<N>" prefix where stderr is the journal.
 * Called once, before there are threads; `program` outlives everything.
 */
void sa_log_start(const char *program, enum sa_log_level level);

/* Another level from now on; any thread. */
void sa_log_set_level(enum sa_log_level level);

/* Whether a line of this level would be written: spares the work of making it. */
bool sa_log_takes(enum sa_log_level level);

/*
 * One line of at most 1,023 bytes, in one write; control characters in it are escaped, so that no argument
 * can forge a second one. Any thread. Never waits: a line that cannot be written at once is lost, and
 * counted.
 */
void sa_log(enum sa_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Text from outside, fit to be printed: bytes outside 0x21..0x7e, and `\`, `"` and `=`, as \xHH; cut at
 * `size`. Always terminates; returns ret_text.
 */
char *sa_escape(struct sa_bytes from, char *ret_text, size_t size);

#endif
