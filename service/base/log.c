#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 2048

static const char *program = "secauth";
static atomic_int threshold = SA_LOG_INFO;
static bool to_journal;
static atomic_uint lost; /* lines */

/* systemd names the device and inode of the stream that it gave us. */
static bool
stderr_is_the_journal(void)
{
    const char *named = getenv("JOURNAL_STREAM");
    unsigned long long device;
    unsigned long long inode;
    struct stat stat;

    return named != NULL && sscanf(named, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &stat) == 0 && stat.st_dev == device && stat.st_ino == inode;
}

void
sa_log_start(const char *name, enum sa_log_level level)
{
    program = name;
    to_journal = stderr_is_the_journal();
    atomic_store(&threshold, (int)level);
}

void
sa_log_set_level(enum sa_log_level level)
{
    atomic_store(&threshold, (int)level);
}

bool
sa_log_takes(enum sa_log_level level)
{
    return (int)level <= atomic_load_explicit(&threshold, memory_order_relaxed);
}

static const char *
level_name(enum sa_log_level level)
{
    switch (level) {
    case SA_LOG_ERROR:
        return "error";
    case SA_LOG_WARNING:
        return "warning";
    case SA_LOG_INFO:
        return "info";
    case SA_LOG_DEBUG:
        return "debug";
    }
    return "?";
}

/* The journal stamps lines itself. */
static size_t
put_prefix(char *line, size_t size, enum sa_log_level level)
{
    struct timespec now = {0};
    struct tm utc;
    char stamp[24] = "";
    int len;

    if (to_journal) {
        len = snprintf(line, size, "<%d>", (int)level);
        return (size_t)len;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &utc) != NULL)
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    len = snprintf(line, size, "%s.%03ldZ %s %s: ", stamp, now.tv_nsec / 1000000, program, level_name(level));
    return (size_t)len;
}

/*
 * One write, so that lines of several threads never mix. Whoever reads the log too slowly stops nobody: the
 * line is lost, and the next one that is not says how many were.
 */
static void
write_line(const char *line, size_t len)
{
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
    char words[64];

    if (poll(&log, 1, 0) != 1 || (log.revents & POLLOUT) == 0) {
        atomic_fetch_add(&lost, 1);
        return;
    }
    unsigned count = atomic_exchange(&lost, 0);
    int words_len = snprintf(words, sizeof(words), "(%u lines of the log were lost)\n", count);
    if (count > 0 && write(STDERR_FILENO, words, (size_t)words_len) < 0)
        return;
    if (write(STDERR_FILENO, line, len) < 0)
        return;
}

void
sa_log(enum sa_log_level level, const char *format, ...)
{
    char text[LINE_MAX_LEN / 2];
    char line[LINE_MAX_LEN];
    va_list arguments;

    if (!sa_log_takes(level))
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    size_t len = put_prefix(line, sizeof(line), level);
    for (const char *at = text; *at != '\0' && len + 5 < sizeof(line); at++) {
        unsigned char c = (unsigned char)*at;
        if (c >= 0x20 && c != 0x7f)
            line[len++] = *at;
        else
            len += (size_t)snprintf(line + len, 5, "\\x%02x", c);
    }
    line[len++] = '\n';
    write_line(line, len);
}

char *
sa_escape(struct sa_bytes from, char *ret_text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;

    for (size_t i = 0; i < from.len; i++) {
        uint8_t c = from.data[i];
        bool plain = c > 0x20 && c < 0x7f && c != '\\' && c != '"' && c != '=';
        if (len + (plain ? 1 : 4) + 1 > size)
            break;
        if (plain) {
            ret_text[len++] = (char)c;
            continue;
        }
        ret_text[len++] = '\\';
        ret_text[len++] = 'x';
        ret_text[len++] = digits[c >> 4];
        ret_text[len++] = digits[c & 15];
    }
    ret_text[len] = '\0';
    return ret_text;
}
