/* A login through the module before any program of the host goes through it: nothing in /etc/pam.d is
 * touched. */
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/setup.h"

#define SERVICE "secauth-setup"

static const char stack[] = "auth required pam_secauth.so\n"
                            "account required pam_secauth.so\n";

/* The person's answers: the password once, for whatever is asked first; nothing for anything after it but by
 * hand. */
static int
converse(int count, const struct pam_message **messages, struct pam_response **ret_responses, void *user)
{
    struct pam_response *responses = calloc((size_t)count, sizeof(*responses));

    (void)user;
    if (responses == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++) {
        if (messages[i]->msg_style == PAM_TEXT_INFO || messages[i]->msg_style == PAM_ERROR_MSG) {
            setup_say("  %s", messages[i]->msg);
            continue;
        }
        SA_CTL_SECRET(answer);
        if (sa_ctl_ask_secret(messages[i]->msg, false, &answer) == SA_CTL_OK)
            responses[i].resp = strdup((const char *)answer.data);
        if (responses[i].resp == NULL) {
            for (int k = 0; k < i; k++) {
                if (responses[k].resp != NULL)
                    sa_wipe(responses[k].resp, strlen(responses[k].resp));
                free(responses[k].resp);
            }
            free(responses);
            return PAM_CONV_ERR;
        }
    }
    *ret_responses = responses;
    return PAM_SUCCESS;
}

static int
log_in(const char *directory, const char *name)
{
    const struct pam_conv conversation = {.conv = converse};
    pam_handle_t *handle = NULL;

    int code = pam_start_confdir(SERVICE, name, &conversation, directory, &handle);
    if (code != PAM_SUCCESS)
        return code;
    code = pam_authenticate(handle, 0);
    if (code == PAM_SUCCESS)
        code = pam_acct_mgmt(handle, 0);
    pam_end(handle, code);
    return code;
}

static bool
write_service(const char *path)
{
    FILE *file = fopen(path, "wex");
    bool written = file != NULL && fputs(stack, file) >= 0;

    return file != NULL && fclose(file) == 0 && written;
}

enum sa_ctl_exit
setup_login(const struct setup *setup)
{
    char directory[] = "/run/secauth-setup-XXXXXX";
    char path[sizeof(directory) + sizeof("/" SERVICE)];
    const char *name = setup->test_user != NULL ? setup->test_user : setup->first;
    int code = PAM_SYSTEM_ERR;

    if (setup->skip_test) {
        setup_say("login: not tried, as you say (--skip-test)");
        return SA_CTL_OK;
    }
    if (name[0] == '\0')
        return setup_stop("login: there is nobody with a record here to try one with",
                          "import somebody (--import), or say --skip-test");
    setup_say("login: %s is asked for the password, through pam_secauth alone", name);
    if (mkdtemp(directory) == NULL)
        return setup_stop("login: /run cannot be written", "look at `mount` and `df /run`");
    snprintf(path, sizeof(path), "%s/" SERVICE, directory);
    if (write_service(path))
        code = log_in(directory, name);
    unlink(path);
    rmdir(directory);
    if (code == PAM_SUCCESS || code == PAM_NEW_AUTHTOK_REQD) {
        setup_say("login: %s got in%s", name, code == PAM_SUCCESS ? "" : "; the password must be changed");
        return SA_CTL_OK;
    }
    fprintf(stderr, "secauthctl setup: login: %s\n", pam_strerror(NULL, code));
    return setup_stop(
        "login: refused, so nothing was changed in /etc/pam.d",
        "`secauthctl audit list --newest` and `secauthctl explain` say why; then run setup again");
}
