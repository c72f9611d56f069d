#include "client/verify_certificate.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

bool
sa_verify_certificate_digest(const char *path, uint8_t ret_digest[SA_VERIFY_CERTIFICATE_LEN])
{
    FILE *file = fopen(path, "re");
    X509 *certificate = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
    unsigned len = 0;
    bool done = certificate != NULL && X509_digest(certificate, EVP_sha256(), ret_digest, &len) == 1 &&
                len == SA_VERIFY_CERTIFICATE_LEN;

    X509_free(certificate);
    if (file != NULL)
        fclose(file);
    return done;
}
