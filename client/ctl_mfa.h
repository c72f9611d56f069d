/* A QR code on the terminal (ctl_mfa_qr.c). */
#ifndef SA_CTL_MFA_H
#define SA_CTL_MFA_H

#include "client/ctl.h"

/*
 * Print text as a QR code: half blocks in UTF-8, black on white by the 256 colours that no theme changes,
 * with the quiet zone that cameras look for.
 *
 * Returns SA_CTL_OK, also for text that no code can hold (over 2,331 bytes), after saying so; SA_CTL_BROKEN.
 */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_print_qr(const char *text);

#endif
