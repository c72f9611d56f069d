/* A TOTP key as an authenticator reads it: the key URI format, otpauth://totp/ISSUER:USER?secret=... */
#ifndef SA_OTPAUTH_H
#define SA_OTPAUTH_H

#include "service/store/store_factor.h"

/* Bytes: the host of the issuer twice and the name, every byte as %XX, and the rest. */
#define SA_OTPAUTH_MAX 2560u

/*
 * Make the URI. Function of its arguments.
 *
 *   issuer   the issuer of tokens; its host names the key in the authenticator.
 *   ret_uri  a secret: it holds the key. The caller wipes it.
 */
void sa_otpauth_uri(const struct sa_totp *totp, const char *issuer, const char *user,
                    char ret_uri[SA_OTPAUTH_MAX + 1]);

/* "SHA1", "SHA256", "SHA512" */
const char *sa_otpauth_algorithm(enum sa_totp_algorithm algorithm);

#endif
