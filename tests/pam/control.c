/* A module that calls the host program's idea of protobuf-c: the control of linking.test. */
#include <protobuf-c/protobuf-c.h>
#include <security/pam_modules.h>

__attribute__((visibility("default"))) int
pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return protobuf_c_version()[0] == '\0' ? PAM_AUTH_ERR : PAM_SUCCESS;
}
