#include "client/ctl_mfa.h"

#include <errno.h>
#include <qrencode.h>
#include <stdio.h>

#define QUIET 4 /* modules around it (ISO/IEC 18004 section 6.3.8) */
#define BLACK "\033[38;5;16;48;5;231m"
#define PLAIN "\033[0m"

static bool
is_dark(const QRcode *code, int row, int column)
{
    if (row < 0 || column < 0 || row >= code->width || column >= code->width)
        return false;
    return (code->data[row * code->width + column] & 1) != 0;
}

/* Two rows of modules a line, since a character is about twice as high as it is wide. */
static void
print_code(const QRcode *code)
{
    static const char *const blocks[] = {" ", "\u2584", "\u2580", "\u2588"};

    for (int row = -QUIET; row < code->width + QUIET; row += 2) {
        fputs(BLACK, stdout);
        for (int column = -QUIET; column < code->width + QUIET; column++)
            fputs(blocks[(is_dark(code, row, column) ? 2 : 0) + (is_dark(code, row + 1, column) ? 1 : 0)],
                  stdout);
        fputs(PLAIN "\n", stdout);
    }
    putchar('\n');
}

enum sa_ctl_exit
sa_ctl_print_qr(const char *text)
{
    QRcode *code = QRcode_encodeData((int)strlen(text), (const unsigned char *)text, 0, QR_ECLEVEL_M);

    if (code == NULL && errno == ERANGE) {
        sa_ctl_complain("too long for a QR code");
        return SA_CTL_OK;
    }
    if (code == NULL)
        return sa_ctl_no_memory();
    print_code(code);
    sa_wipe(code->data, (size_t)(code->width * code->width));
    QRcode_free(code);
    return SA_CTL_OK;
}
