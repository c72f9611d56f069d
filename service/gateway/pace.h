/*
 * How many calls one address makes: a bucket for each address, IPv6 /64 or uid, in a table of fixed size.
 * From any thread.
 */
#ifndef SA_GATEWAY_PACE_H
#define SA_GATEWAY_PACE_H

#include "proto/bytes.h"

#define SA_PACE_KEY_LEN 16u

struct sa_pace;

/* So many calls in a minute, all of them at once if need be; NULL for lack of memory. */
struct sa_pace *sa_pace_new(unsigned calls_per_minute);
void sa_pace_free(struct sa_pace *pace);
SA_DEFINE_OWN(sa_pace, sa_pace_free)

/* Take one. Returns 0, or how many milliseconds until there is one. */
uint32_t sa_pace_spend(struct sa_pace *pace, const uint8_t key[SA_PACE_KEY_LEN], int64_t now_ms);

#endif
