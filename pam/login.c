#include "pam/login.h"

#include <errno.h>
#include <fcntl.h>
#include <security/pam_modutil.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "pam/file.h"
#include "pam/log.h"

#define NO_ID UINT32_MAX /* the kernel's (uid_t)-1: none was ever set */

static const char *
item_of(pam_handle_t *pamh, int item)
{
    const void *value = NULL;

    if (pam_get_item(pamh, item, &value) != PAM_SUCCESS)
        return NULL;
    return value;
}

/* A text as a message's bytes, copied to `place`, at most `max` of them. */
static ProtobufCBinaryData
copy(const char *text, char *place, size_t max)
{
    size_t len = text == NULL ? 0 : strnlen(text, max);

    if (len == 0)
        return (ProtobufCBinaryData){0, NULL};
    return (ProtobufCBinaryData){len, memcpy(place, text, len)};
}

/* An id that the kernel keeps for this process; NULL where it keeps none. */
static Secauth__V1__PosixId *
kernel_id(const char *path, Secauth__V1__PosixId *ret_id)
{
    char text[16];
    char *end;
    size_t len = sa_file_read(path, text, sizeof(text) - 1);

    text[len] = '\0';
    errno = 0;
    unsigned long id = strtoul(text, &end, 10);
    if (end == text || errno != 0 || id >= NO_ID)
        return NULL;
    secauth__v1__posix_id__init(ret_id);
    ret_id->id = (uint32_t)id;
    return ret_id;
}

static void
gather_origin(struct sa_login *login)
{
    const char *service = item_of(login->pamh, PAM_SERVICE);
    Secauth__V1__Origin *origin = &login->origin;

    if (service != NULL)
        memcpy(login->service, service, strnlen(service, SA_LOGIN_SERVICE_MAX));
    secauth__v1__origin__init(origin);
    origin->service = login->service;
    origin->rhost = copy(item_of(login->pamh, PAM_RHOST), login->rhost, SA_LOGIN_RHOST_MAX);
    origin->tty = copy(item_of(login->pamh, PAM_TTY), login->tty, SA_LOGIN_TTY_MAX);
    origin->acting_uid = getuid();
    origin->login_uid = kernel_id("/proc/self/loginuid", &login->login_uid);
    origin->audit_session = kernel_id("/proc/self/sessionid", &login->audit_session);
}

static int
find_user(struct sa_login *login)
{
    const char *name = NULL;
    int code = pam_get_user(login->pamh, &name, NULL);

    if (code == PAM_CONV_AGAIN || code == PAM_INCOMPLETE)
        return PAM_INCOMPLETE;
    if (code != PAM_SUCCESS || name == NULL)
        return PAM_CONV_ERR;
    login->user = copy(name, login->name, SA_LOGIN_USER_MAX);

    const struct passwd *entry = pam_modutil_getpwnam(login->pamh, name);
    if (entry != NULL) {
        secauth__v1__posix_id__init(&login->user_id);
        login->user_id.id = entry->pw_uid;
        login->uid = &login->user_id;
    }
    return PAM_SUCCESS;
}

int
sa_login_begin(pam_handle_t *pamh, const char *type, int flags, int argc, const char **argv,
               struct sa_login *ret_login)
{
    struct sa_login *login = ret_login;
    const char *bad;

    *login = (struct sa_login){.pamh = pamh, .type = type, .flags = flags};
    sa_options_parse(argc, argv, &login->options, &bad);
    gather_origin(login);
    if (bad != NULL)
        sa_log(login, LOG_ERR, "option ignored: \"%s\" is unknown or out of range", bad);
    return find_user(login);
}

int
sa_login_leave(const struct sa_login *login, int code)
{
    if (login->options.debug)
        sa_log(login, LOG_DEBUG, "returns %d (%s)", code, pam_strerror(login->pamh, code));
    return code;
}
