#include "pam/proof.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/decode.h"

#define HANDLE_DATA  "secauth_authn"
#define SESSION_DATA "secauth_session"

#define ID_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

bool
sa_proof_is_id(struct sa_bytes text)
{
    if (text.len != SA_PROOF_ID_LEN)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' || strchr(ID_ALPHABET, text.data[i]) == NULL)
            return false;
    }
    return true;
}

/* PAM's cleanup: it may run in a child, as another uid, or never; so it frees memory and does no more. */
static void
free_id(SA_UNUSED pam_handle_t *pamh, void *data, SA_UNUSED int status)
{
    if (data == NULL)
        return;
    sa_wipe(data, sizeof(struct sa_proof_id));
    free(data);
}

static int
keep(const struct sa_login *login, const char *name, struct sa_bytes text)
{
    struct sa_proof_id *id = calloc(1, sizeof(*id));

    if (id == NULL)
        return PAM_BUF_ERR;
    if (text.len > 0)
        memcpy(id->text, text.data, text.len < SA_PROOF_ID_LEN ? text.len : SA_PROOF_ID_LEN);
    if (pam_set_data(login->pamh, name, id, free_id) != PAM_SUCCESS) {
        free_id(login->pamh, id, 0);
        return PAM_BUF_ERR;
    }
    return PAM_SUCCESS;
}

static const char *
kept(const struct sa_login *login, const char *name)
{
    const void *data = NULL;

    if (pam_get_data(login->pamh, name, &data) != PAM_SUCCESS || data == NULL)
        return NULL;
    return ((const struct sa_proof_id *)data)->text;
}

static void
drop_handle(const struct sa_login *login)
{
    if (kept(login, HANDLE_DATA) != NULL)
        (void)pam_set_data(login->pamh, HANDLE_DATA, NULL, NULL);
    if (pam_getenv(login->pamh, SA_PROOF_VARIABLE) != NULL)
        (void)pam_putenv(login->pamh, SA_PROOF_VARIABLE);
}

void
sa_proof_leave(const struct sa_login *login, struct sa_bytes handle)
{
    char variable[sizeof(SA_PROOF_VARIABLE "=") + SA_PROOF_ID_LEN];

    drop_handle(login);
    if (!sa_proof_is_id(handle))
        return;
    snprintf(variable, sizeof(variable), SA_PROOF_VARIABLE "=%.*s", (int)handle.len,
             (const char *)handle.data);
    /* Without memory for it the login goes on: its session then says that nothing was proven. */
    if (keep(login, HANDLE_DATA, handle) == PAM_SUCCESS)
        (void)pam_putenv(login->pamh, variable);
    sa_wipe(variable, sizeof(variable));
}

void
sa_proof_take(const struct sa_login *login, struct sa_proof_id *ret_handle)
{
    const char *handle = kept(login, HANDLE_DATA);

    if (handle == NULL)
        handle = pam_getenv(login->pamh, SA_PROOF_VARIABLE);
    *ret_handle = (struct sa_proof_id){""};
    if (handle != NULL && sa_proof_is_id(sa_bytes_of(handle)))
        memcpy(ret_handle->text, handle, SA_PROOF_ID_LEN);
    drop_handle(login);
}

int
sa_proof_set_session(const struct sa_login *login, const char *session_id)
{
    return keep(login, SESSION_DATA, sa_bytes_of(session_id));
}

const char *
sa_proof_session(const struct sa_login *login)
{
    return kept(login, SESSION_DATA);
}
