/*
 * Times in the store that lie in the future: a clock was wrong when they were written, or is now. They refuse
 * nothing; each is logged once (bounded: of thousands, the oldest is forgotten). Thread-safe.
 */
#ifndef SA_STAMPS_H
#define SA_STAMPS_H

#include "proto/bytes.h"

struct sa_stamps;

/* NULL for lack of memory. */
struct sa_stamps *sa_stamps_new(void);
void sa_stamps_free(struct sa_stamps *stamps);
SA_DEFINE_OWN(sa_stamps, sa_stamps_free)

/*
 * Look at one.
 *   user    whose; what  a constant, "last_login": both are logged.
 *   slack_s how far ahead it may be.
 */
void sa_stamps_look(struct sa_stamps *stamps, const char *user, const char *what, int64_t stamp_s,
                    int64_t now_s, int64_t slack_s);

#endif
