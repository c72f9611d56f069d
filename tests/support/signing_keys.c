/*
 * The private halves of a daemon's signing keys, for tests that sign what the daemon never would. While it is
 * stopped. signing_keys STORE MASTER-KEY OWNER-UID    prints a line for each: kid, alg, PKCS #8 in base64url
 */
#include <stdio.h>
#include <stdlib.h>

#include "service/store/store.h"

int
main(int argc, char **argv)
{
    struct sa_keyring *keyring;
    struct sa_store *store;
    struct sa_key_row *keys;
    unsigned count;
    const char *why;

    if (argc != 4 || sa_keyring_open(argv[2], (uint32_t)atoi(argv[3]), false, &keyring, &why) != SA_OK)
        return 1;
    struct sa_store_options options = {.path = argv[1], .keyring = keyring};
    if (sa_store_open(&options, &store, &why) != SA_OK || sa_store_key_list(store, &keys, &count) != SA_OK)
        return 1;
    for (unsigned i = 0; i < count; i++) {
        char text[SA_BASE64URL_LEN(SA_JWT_PRIVATE_MAX) + 1];
        SA_OWN(sa_signing_key) key = NULL;
        struct sa_bytes der = sa_secret_bytes(keys[i].private_der);
        if (sa_signing_key_load(der, &key) != SA_OK)
            return 1;
        sa_base64url(der, text);
        printf("%s %s %s\n", keys[i].kid, sa_key_alg_name(sa_signing_key_alg(key)), text);
    }
    sa_key_rows_free(keys, count);
    sa_store_close(store);
    sa_keyring_free(keyring);
    return 0;
}
