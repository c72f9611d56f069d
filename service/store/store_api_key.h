/* The store's API keys. What store.h says of every function holds here. */
#ifndef SA_STORE_API_KEY_H
#define SA_STORE_API_KEY_H

#include "service/store/store.h"

#define SA_API_KEYS_MAX      64u /* of one client */
#define SA_API_KEY_AUDIENCES 8u
#define SA_API_KEY_LABEL_MAX 64u

struct sa_api_key_audience {
    char audience[SA_JWT_AUDIENCE_MAX + 1];
    char scopes[SA_SCOPE_LIST_MAX + 1]; /* separated by single spaces */
};

struct sa_api_key {
    char id[SA_ID_LEN + 1]; /* made by the caller with sa_random_id */
    int64_t number;         /* the store's */
    char client_id[SA_CLIENT_ID_MAX + 1];
    uint32_t client_row; /* filled in by the store */
    char label[SA_API_KEY_LABEL_MAX + 1];
    int64_t created_ms;
    int64_t expires_ms; /* 0: it does not */
    unsigned audience_count;
    struct sa_api_key_audience audiences[SA_API_KEY_AUDIENCES];
    unsigned secret_count; /* newest first; one that has ended may be among them */
    struct sa_client_secret secrets[SA_CLIENT_SECRETS];
};

/*
 * Make a key with its one secret. SA_OK; SA_NOT_FOUND: no such client; SA_TOO_LARGE: it has SA_API_KEYS_MAX
 * keys; SA_ALREADY_EXISTS for an id that is in use.
 */
SA_MUST_CHECK enum sa_status sa_store_api_key_create(struct sa_store *store, struct sa_api_key *key,
                                                     const struct sa_audit *audit);

/* SA_OK or SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_store_api_key_by_id(struct sa_store *store, const char *id,
                                                    struct sa_api_key *ret_key);

/* By id, after one ("" for the first), of one client ("" for all); *ret_keys is freed with free(). */
SA_MUST_CHECK enum sa_status sa_store_api_key_list(struct sa_store *store, const char *client_id,
                                                   const char *after, unsigned limit,
                                                   struct sa_api_key **ret_keys, unsigned *ret_count,
                                                   bool *ret_more);

/* As sa_store_client_rotate_secret and sa_store_client_end_secrets. SA_OK or SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_store_api_key_rotate(struct sa_store *store, const char *id,
                                                     struct sa_client_secret *secret, int64_t until_ms,
                                                     const struct sa_audit *audit);
SA_MUST_CHECK enum sa_status sa_store_api_key_end_secrets(struct sa_store *store, const char *id,
                                                          const struct sa_audit *audit);

/* It is gone with its secrets. SA_OK or SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_store_api_key_revoke(struct sa_store *store, const char *id,
                                                     const struct sa_audit *audit);

#endif
