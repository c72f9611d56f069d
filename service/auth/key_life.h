/* The life of the signing keys: what key_plan.h finds is written, recorded and then published. */
#ifndef SA_KEY_LIFE_H
#define SA_KEY_LIFE_H

#include "service/auth/authority.h"

/*
 * Read the keys, and make what is missing: the first one; a new one that signs at once where the life of
 * every one is over. Where there are keys a store that does not write now is no reason to refuse. ret_why  on
 * any other status than SA_OK the reason, a constant.
 */
SA_MUST_CHECK enum sa_status sa_keys_start(struct sa_authority *authority, struct sa_now now,
                                           const char **ret_why);

/* One step, where one is due. What the store does not take is tried again some seconds later. */
void sa_keys_tick(struct sa_authority *authority, struct sa_now now);

struct sa_keys_rotated {
    bool rotated;
    char kid[SA_KID_LEN + 1]; /* the key that signs now, or that would; "" where there is none */
    int64_t ready_ms;         /* not rotated: when it may be */
};

/*
 * Let the prepared key sign now, if every verifier can have it or `forced`.
 *   record  of the caller; event and detail are filled in here. Written where something has changed.
 * Returns SA_OK with *ret_rotated; SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_keys_rotate(struct sa_authority *authority, bool forced, int64_t now_ms,
                                            struct sa_audit *record, struct sa_keys_rotated *ret_rotated);

/*
 * Take a key out of the key set for good. Where it signs, the prepared one does from now on, else a new one.
 *   record   as above.
 *   ret_kid  of the key that signs now.
 * Returns SA_OK, SA_NOT_FOUND, SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_keys_revoke(struct sa_authority *authority, const char *kid, int64_t now_ms,
                                            struct sa_audit *record, char ret_kid[SA_KID_LEN + 1]);

#endif
