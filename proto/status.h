/*
 * Outcomes. One table (status.def) says what each is on the wire, in gRPC, in HTTP, in OAuth 2.0 and in PAM.
 *
 * Compared with SA_OK, never taken as true or false: zero is unset and means no.
 */
#ifndef SA_STATUS_H
#define SA_STATUS_H

#include <stdint.h>

enum sa_status {
#define STATUS(name, wire, grpc, http, oauth, pam, reason, words) SA_##name = (wire),
#include "status.def"
#undef STATUS
};

struct sa_status_row {
    enum sa_status status;
    int grpc;
    int http;
    const char *name;   /* "INVALID_GRANT" */
    const char *oauth;  /* "" where there is none */
    const char *pam;    /* "AUTH_ERR": the name without PAM_ */
    const char *reason; /* ErrorInfo.reason */
    const char *words;  /* what the caller may read */
};

/* The row of a status; the row of SA_INTERNAL for a number that has none. Never NULL. */
const struct sa_status_row *sa_status_row(enum sa_status status);

/*
 * The status of a number from a frame. Unset, local and unknown numbers read as SA_MALFORMED: what cannot be
 * understood is never a grant.
 */
enum sa_status sa_status_from_wire(uint16_t wire);

/* All rows, for tests and documentation; *ret_count rows in the order of the table. */
const struct sa_status_row *sa_status_table(unsigned *ret_count);

#endif
