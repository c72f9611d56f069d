/* What the commands about clients share. */
#ifndef SA_CTL_CLIENT_H
#define SA_CTL_CLIENT_H

#include "client/ctl.h"
#include "client/verify_certificate.h"
#include "secauth/v1/client.pb-c.h"

#define SA_CTL_JWKS_MAX 4096u

/* A client's record as its options say it, with room for all that they can say. */
struct sa_ctl_record {
    Secauth__V1__Client client;
    Secauth__V1__Seconds grace;
    Secauth__V1__ClientGrant grants[SA_CTL_LIST_MAX];
    Secauth__V1__ClientAudience audiences[SA_CTL_LIST_MAX];
    Secauth__V1__ClientAudience *audience_list[SA_CTL_LIST_MAX];
    struct sa_ctl_list scopes[SA_CTL_LIST_MAX];
    struct sa_ctl_list owned;
    Secauth__V1__ClientAttestation attestation;
    Secauth__V1__PosixId attest_uid;
    Secauth__V1__ClientExchange exchanges[SA_CTL_LIST_MAX];
    Secauth__V1__ClientExchange *exchange_list[SA_CTL_LIST_MAX];
    struct sa_ctl_list exchange_scopes[SA_CTL_LIST_MAX];
    ProtobufCBinaryData certificates[SA_CTL_LIST_MAX];
    uint8_t digests[SA_CTL_LIST_MAX][SA_VERIFY_CERTIFICATE_LEN];
    uint8_t jwks[SA_CTL_JWKS_MAX + 1];
    char *secret_file; /* of `client add` */
};

/* Read the words of `client add` or `client update` into a record, which must stay where it is. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_record_parse(struct sa_ctl *ctl, bool is_new,
                                                   struct sa_ctl_record *ret_record);

/* "uid=1000,unit=backup.service", "FROM=TO=SCOPE,...", a PEM file or 64 hexadecimal digits, a file with a JWK
 * Set. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_record_attest(struct sa_ctl_record *record, char *text);
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_record_exchanges(struct sa_ctl_record *record,
                                                       const struct sa_ctl_list *words);
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_record_certificates(struct sa_ctl_record *record,
                                                          const struct sa_ctl_list *words);
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_record_jwks(struct sa_ctl_record *record, const char *path);

/*
 * A new file of mode 0600 for a secret, made before there is one: what cannot be written down would be lost.
 *   undone  what did not happen where it cannot be made; advice  what to do where the secret is lost.
 */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_secret_create(const char *path, const char *undone, int *ret_fd);
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_secret_write(const char *path, int fd, const char *secret,
                                                   const char *advice);

#endif
