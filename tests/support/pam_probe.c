/*
 * A PAM module for tests: every entry appends a line to DIR/record (what libpam and earlier modules say) and
 * returns the number in DIR/NAME.ENTRY, PAM_SUCCESS where there is no such file. Arguments: dir=DIR (default
 * /run/probe), name=NAME (default: the module's file, so that a copy can stand in for another module). It
 * records secrets.
 */
#include <dlfcn.h>
#include <security/pam_modules.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRY __attribute__((visibility("default"))) int

static const char *
text_of(const pam_handle_t *pamh, int item)
{
    const void *value = NULL;

    if (pam_get_item(pamh, item, &value) != PAM_SUCCESS || value == NULL)
        return "(unset)";
    return value;
}

static const char *
argument(int argc, const char **argv, const char *name, const char *fallback)
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], name, strlen(name)) == 0)
            return argv[i] + strlen(name);
    }
    return fallback;
}

/* "pam_unix" for /usr/lib/.../pam_unix.so. */
static void
module_name(char *ret_name, size_t size)
{
    Dl_info info;

    ret_name[0] = '\0';
    if (dladdr((void *)(uintptr_t)module_name, &info) == 0)
        return;
    const char *slash = strrchr(info.dli_fname, '/');
    snprintf(ret_name, size, "%s", slash == NULL ? info.dli_fname : slash + 1);
    ret_name[strcspn(ret_name, ".")] = '\0';
}

static int
code_of(const char *dir, const char *name, const char *entry)
{
    char path[256];
    int code = PAM_SUCCESS;

    snprintf(path, sizeof(path), "%s/%s.%s", dir, name, entry);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return PAM_SUCCESS;
    if (fscanf(file, "%d", &code) != 1)
        code = PAM_ABORT;
    fclose(file);
    return code;
}

static int
probe(pam_handle_t *pamh, const char *entry, int argc, const char **argv)
{
    const char *dir = argument(argc, argv, "dir=", "/run/probe");
    char path[256], file_name[64];

    module_name(file_name, sizeof(file_name));
    const char *name = argument(argc, argv, "name=", file_name);
    int code = code_of(dir, name, entry);
    snprintf(path, sizeof(path), "%s/record", dir);
    FILE *file = fopen(path, "ae");
    if (file != NULL) {
        fprintf(file, "%s %s code=%d user=%s authtok=%s oldauthtok=%s uid=%u/%u\n", name, entry, code,
                text_of(pamh, PAM_USER), text_of(pamh, PAM_AUTHTOK), text_of(pamh, PAM_OLDAUTHTOK), getuid(),
                geteuid());
        fclose(file);
    }
    return code;
}

#define DEFINE_ENTRY(function, name)                                                                         \
    ENTRY function(pam_handle_t *pamh, int flags, int argc, const char **argv)                               \
    {                                                                                                        \
        (void)flags;                                                                                         \
        return probe(pamh, name, argc, argv);                                                                \
    }

DEFINE_ENTRY(pam_sm_authenticate, "authenticate")
DEFINE_ENTRY(pam_sm_setcred, "setcred")
DEFINE_ENTRY(pam_sm_acct_mgmt, "acct_mgmt")
DEFINE_ENTRY(pam_sm_open_session, "open_session")
DEFINE_ENTRY(pam_sm_close_session, "close_session")

ENTRY
pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    return probe(pamh, (flags & PAM_PRELIM_CHECK) != 0 ? "chauthtok.prelim" : "chauthtok.update", argc, argv);
}
