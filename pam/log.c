#include "pam/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "pam/file.h"

#define LINE_MAX_BYTES 1024u
#define WAIT_MICROS    500000

/* RFC 3164 section 4.1.2: the months are English whatever the locale of the host program. */
static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int
open_log(void)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    struct timeval wait = {.tv_usec = WAIT_MICROS};
    int fd = sa_file_raise(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void
send_line(const char *line, size_t len)
{
    int fd = open_log();
    if (fd < 0)
        return;
    while (send(fd, line, len, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
    close(fd);
}

/*
 * Everything before the message. Returns its length. The program goes by the kernel's name for it: what argv
 * held may have been written over, by PostgreSQL with the name that a stranger typed.
 */
static size_t
write_head(const struct sa_login *login, int priority, char ret_line[LINE_MAX_BYTES])
{
    char name[16] = "", program[SA_LOG_ESCAPED_MAX], service[SA_LOG_ESCAPED_MAX];
    time_t now = time(NULL);
    struct tm local = {0};

    localtime_r(&now, &local);
    prctl(PR_GET_NAME, name);
    sa_log_escape(name, strnlen(name, sizeof(name)), program);
    sa_log_escape(login->service, strlen(login->service), service);
    int len = snprintf(ret_line, LINE_MAX_BYTES,
                       "<%d>%s %2d %02d:%02d:%02d %s[%ld]: pam_secauth(%s:%s): ", LOG_AUTHPRIV | priority,
                       months[local.tm_mon], local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                       program, (long)getpid(), service, login->type);
    return len < 0 ? 0 : (size_t)len; /* under 700: it always fits */
}

void
sa_log(const struct sa_login *login, int priority, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    int saved_errno = errno;
    size_t head_len = write_head(login, priority, line);
    va_list words;

    va_start(words, format);
    int len = vsnprintf(line + head_len, sizeof(line) - head_len, format, words);
    va_end(words);
    if (len >= 0)
        send_line(line, strlen(line));
    errno = saved_errno;
}

static bool
is_plain(unsigned char byte)
{
    return byte > ' ' && byte < 0x7f && strchr("=\"\\", byte) == NULL;
}

const char *
sa_log_escape(const void *data, size_t len, char ret_text[SA_LOG_ESCAPED_MAX])
{
    const unsigned char *from = data;
    size_t to = 0;

    for (size_t i = 0; i < len && to + 5 <= SA_LOG_ESCAPED_MAX; i++) {
        if (is_plain(from[i]))
            ret_text[to++] = (char)from[i];
        else
            to += (size_t)snprintf(ret_text + to, SA_LOG_ESCAPED_MAX - to, "\\x%02x", from[i]);
    }
    ret_text[to] = '\0';
    return ret_text;
}

const char *
sa_log_user(const struct sa_login *login, char ret_text[SA_LOG_ESCAPED_MAX])
{
    if (login->uid == NULL)
        return memcpy(ret_text, "(unknown)", sizeof("(unknown)"));
    return sa_log_escape(login->user.data, login->user.len, ret_text);
}
