/* The forms of names. A rule is said in words beside each, for the caller who broke it. */
#ifndef SA_NAMES_H
#define SA_NAMES_H

#include "proto/bytes.h"

#define SA_RULE_USER_NAME "1 to 32 bytes, [a-z_][a-z0-9_.-]* and perhaps a $ at the end"
#define SA_RULE_GROUP     "1 to 32 bytes, [a-z_][a-z0-9_-]*"
#define SA_RULE_CLIENT_ID "1 to 64 bytes of [A-Za-z0-9_-]"
#define SA_RULE_AUDIENCE  "1 to 64 bytes of [A-Za-z0-9_.:/-]"
#define SA_RULE_SCOPE     "1 to 64 bytes of a scope's characters (RFC 6749 section 3.3)"
#define SA_RULE_EMAIL     "a mailbox (RFC 5321) of at most 254 bytes"
#define SA_RULE_ID        "22 characters of base64url"
#define SA_RULE_KID       "43 characters of base64url"

bool sa_name_is_user(struct sa_bytes name);
bool sa_name_is_group(struct sa_bytes name);
bool sa_name_is_client_id(struct sa_bytes name);
bool sa_name_is_audience(struct sa_bytes name);

/* One scope: %x21 / %x23-5B / %x5D-7E. */
bool sa_name_is_scope(struct sa_bytes name);

/* A dot-string or nothing quoted before the @, a domain of labels behind it (RFC 5321 section 4.1.2). */
bool sa_name_is_email(struct sa_bytes name);

/* The form of what sa_random_id makes. */
bool sa_name_is_id(struct sa_bytes name);

/* The form of a key's id, an RFC 7638 thumbprint. */
bool sa_name_is_kid(struct sa_bytes name);

#endif
