/*
 * Access tokens: JWT (RFC 7519) in the profile of RFC 9068, signed with ES256 or RS256 (RFC 7518 section 3).
 * Signing keys and the key set (RFC 7517) that verifies them.
 */
#ifndef SA_JWT_H
#define SA_JWT_H

#include "service/base/secret.h"
#include "service/crypto/encode.h"

#define SA_KID_LEN          43u /* RFC 7638 thumbprint, base64url of SHA-256 */
#define SA_JTI_LEN          35u /* base64url of 26 bytes: mint time (ms) 6, instance 2, client row 4, random 14 */
#define SA_JWT_MAX          4096u
#define SA_JWT_AUDIENCES    8u
#define SA_JWT_AUDIENCE_MAX 64u
#define SA_JWT_ACTORS       3u    /* of a chain of delegation (RFC 8693 section 4.1) */
#define SA_JWT_GROUPS_MAX   2111u /* characters: 64 of 32 each, with a space between two */
#define SA_JWT_PRIVATE_MAX  1400u /* PKCS#8 of RSA-2048 is 1,219 bytes at most */

enum sa_key_alg { SA_KEY_ES256 = 1, SA_KEY_RS256 = 2 };

/* "ES256", "RS256". */
const char *sa_key_alg_name(enum sa_key_alg alg);

struct sa_signing_key; /* a key pair; immutable, counted */

/* A new P-256 or RSA-2048 key; the caller owns it. NULL for lack of memory. */
struct sa_signing_key *sa_signing_key_generate(enum sa_key_alg alg);

/* From the bytes of sa_signing_key_private. Returns SA_OK, SA_INTERNAL, SA_NO_MEMORY. */
SA_MUST_CHECK enum sa_status sa_signing_key_load(struct sa_bytes private_der,
                                                 struct sa_signing_key **ret_key);

/* The same key with one more owner; each calls sa_signing_key_free. */
struct sa_signing_key *sa_signing_key_hold(struct sa_signing_key *key);

void sa_signing_key_free(struct sa_signing_key *key);
SA_DEFINE_OWN(sa_signing_key, sa_signing_key_free)

/* The private half as PKCS#8 DER, to be sealed; the caller owns the secret. NULL for lack of memory. */
struct sa_secret *sa_signing_key_private(const struct sa_signing_key *key);

enum sa_key_alg sa_signing_key_alg(const struct sa_signing_key *key);

/* RFC 7638 thumbprint; as long as the key. */
const char *sa_signing_key_kid(const struct sa_signing_key *key);

/* SubjectPublicKeyInfo as PEM, terminated; as long as the key. */
const char *sa_signing_key_pem(const struct sa_signing_key *key);

/*
 * A JWK Set of public keys (kty, crv, x, y or kty, e, n; kid, use, alg), a terminated string that the caller
 * frees with free(); NULL for lack of memory. The bytes depend on the keys and their order only.
 */
char *sa_jwks(struct sa_signing_key *const *keys, unsigned count);

/* What a token is bound to (`cnf`, RFC 7800 section 3.1); both "": nothing, whoever bears it may use it. */
struct sa_binding {
    char x5t[SA_KID_LEN +
             1]; /* `x5t#S256`: base64url of SHA-256 of a certificate's DER (RFC 8705 section 3.1) */
    char jkt[SA_KID_LEN + 1]; /* `jkt`: RFC 7638 thumbprint of a DPoP key (RFC 9449 section 6.1) */
};

/* What a token says. Strings are terminated; "" and 0 are absent. */
struct sa_claims {
    char iss[256];
    char sub[65];
    char aud[SA_JWT_AUDIENCES][SA_JWT_AUDIENCE_MAX + 1];
    unsigned aud_count;
    int64_t exp; /* seconds since 1970 */
    int64_t iat;
    char jti[SA_JTI_LEN + 1];
    char client_id[65];
    char scope[1025];
    char sid[SA_ID_LEN + 1];
    int64_t auth_time; /* 0: absent */
    char amr[65];      /* separated by spaces here, an array in the token; "" with sid set: an empty array */
    char acr[9];       /* "0", "1", "2" */
    char username[33];
    bool has_groups;                    /* the client's record says so; with none of them an empty array */
    char groups[SA_JWT_GROUPS_MAX + 1]; /* as amr */
    struct sa_binding cnf;
    unsigned act_count;
    char act[SA_JWT_ACTORS][65]; /* `act`: who acts for the subject now, then who did before */
    bool plain_typ;              /* `typ` is JWT and not at+jwt, for verifiers that know no other */
};

/* Make the `jti` of design section 7 from its parts. */
void sa_jti_make(int64_t now_ms, uint16_t instance, uint32_t client_row, char ret_jti[SA_JTI_LEN + 1]);

/* Its parts. Returns SA_OK or SA_INVALID_ARGUMENT; any ret_ may be NULL. */
SA_MUST_CHECK enum sa_status sa_jti_parse(const char *jti, int64_t *ret_mint_ms, uint16_t *ret_instance,
                                          uint32_t *ret_client_row);

/*
 * Sign. `aud` is a string for one audience and an array for several. Absent claims are left out.
 *
 *   ret_token  a terminated compact JWT.
 *
 * Returns SA_OK, SA_NO_MEMORY, SA_TOO_LARGE (over SA_JWT_MAX), SA_INTERNAL. Thread-safe; keeps a context a
 * thread.
 */
SA_MUST_CHECK enum sa_status sa_jwt_sign(const struct sa_signing_key *key, const struct sa_claims *claims,
                                         char ret_token[SA_JWT_MAX + 1]);

/*
 * Verify a token of our own: typ at+jwt or JWT (nothing else is ever signed with these keys, so that neither
 * can stand for another kind of token, RFC 8725 section 3.12), kid of one of the keys, that key's own alg,
 * nothing else in the header, canonical base64url, a signature of the right length, no duplicate members, iss
 * equal to `issuer`, every claim in form. Times are not judged: the caller does.
 *
 *   ret_reason  why not, for a log: the words of secauth_verify() in client/secauth.h.
 *
 * Returns SA_OK, or SA_INVALID_GRANT for anything that is not ours.
 */
SA_MUST_CHECK enum sa_status sa_jwt_verify(struct sa_signing_key *const *keys, unsigned count,
                                           const char *issuer, struct sa_bytes token,
                                           struct sa_claims *ret_claims, const char **ret_reason);

#endif
