#include "service/auth/source.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "service/auth/names.h"
#include "service/auth/switches.h"
#include "service/base/log.h"

#define NET64_LEN   8u
#define SEATS_MAX   63u
#define ZONE_MAX    16u /* IFNAMSIZ */
#define ADDRESS_MAX (INET6_ADDRSTRLEN + ZONE_MAX)

/*
 * The text of an address: itself for IPv4 (also when it is mapped into IPv6), its /64 for IPv6, whose hosts
 * have a whole one each. False for anything else, and for loopback, which says nothing about where a person
 * is.
 */
static bool
address_text(struct sa_bytes from, const char **ret_kind, char ret_text[INET6_ADDRSTRLEN])
{
    char text[ADDRESS_MAX] = {0};
    struct in6_addr six;
    struct in_addr four;

    if (from.len == 0 || from.len >= sizeof(text) || memchr(from.data, 0, from.len) != NULL)
        return false;
    memcpy(text, from.data, from.len);
    if (inet_pton(AF_INET, text, &four) != 1) {
        text[strcspn(text, "%")] = '\0';
        if (inet_pton(AF_INET6, text, &six) != 1 || IN6_IS_ADDR_LOOPBACK(&six))
            return false;
        if (!IN6_IS_ADDR_V4MAPPED(&six)) {
            if (sa_switch_is_on(SA_SWITCH_net64))
                memset(six.s6_addr + NET64_LEN, 0, sizeof(six.s6_addr) - NET64_LEN);
            *ret_kind = "net64";
            return inet_ntop(AF_INET6, &six, ret_text, INET6_ADDRSTRLEN) != NULL;
        }
        memcpy(&four, six.s6_addr + 12, sizeof(four));
    }
    if (ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET)
        return false;
    *ret_kind = "addr";
    return inet_ntop(AF_INET, &four, ret_text, INET6_ADDRSTRLEN) != NULL;
}

/* `kind:` and what came from outside, escaped and cut. */
static void
opaque(const char *kind, struct sa_bytes text, struct sa_source *ret_source)
{
    *ret_source = (struct sa_source){.text = ""};
    int len = snprintf(ret_source->text, sizeof(ret_source->text), "%s:", kind);
    sa_escape(text, ret_source->text + len, sizeof(ret_source->text) - (size_t)len);
}

/* The same, of what needs no escape. */
__attribute__((format(printf, 2, 3))) static void
plain(struct sa_source *ret_source, const char *format, ...)
{
    va_list arguments;

    *ret_source = (struct sa_source){.text = ""};
    va_start(arguments, format);
    vsnprintf(ret_source->text, sizeof(ret_source->text), format, arguments);
    va_end(arguments);
}

/* The number behind `prefix`, without a leading zero; -1 for anything else. */
static int
numbered(struct sa_bytes text, const char *prefix)
{
    size_t at = strlen(prefix);
    int number = 0;

    if (text.len <= at || text.len > at + 3 || memcmp(text.data, prefix, at) != 0)
        return -1;
    if (text.data[at] == '0' && text.len > at + 1)
        return -1;
    for (; at < text.len; at++) {
        if (text.data[at] < '0' || text.data[at] > '9')
            return -1;
        number = number * 10 + (text.data[at] - '0');
    }
    return number;
}

/* The seat of a terminal; false where it is none (a pseudo terminal says nothing). */
static bool
seat(struct sa_bytes tty, struct sa_bytes *ret_seat)
{
    if (tty.len > 5 && memcmp(tty.data, "/dev/", 5) == 0)
        tty = sa_bytes(tty.data + 5, tty.len - 5);
    int console = numbered(tty, "tty");
    if ((console < 1 || console > (int)SEATS_MAX) && numbered(tty, ":") < 0)
        return false;
    *ret_seat = tty;
    return true;
}

void
sa_source_pam(const struct sa_origin *origin, const struct sa_conf_words *console_services,
              struct sa_source *ret_source)
{
    char address[INET6_ADDRSTRLEN];
    struct sa_bytes at;
    const char *kind;

    if (address_text(origin->rhost, &kind, address))
        plain(ret_source, "%s:%s", kind, address);
    else if (origin->rhost.len > 0 && sa_switch_is_on(SA_SWITCH_opaque))
        opaque("text", origin->rhost, ret_source);
    else if (origin->acting_uid != 0 && sa_switch_is_on(SA_SWITCH_acting_uid))
        sa_source_uid(origin->acting_uid, ret_source);
    else if ((sa_conf_has_word(console_services, origin->service) ||
              !sa_switch_is_on(SA_SWITCH_console_services)) &&
             seat(origin->tty, &at))
        opaque("seat", at, ret_source);
    else
        opaque("service", origin->service, ret_source);
}

void
sa_source_uid(uint32_t uid, struct sa_source *ret_source)
{
    plain(ret_source, "uid:%u", uid);
}

void
sa_source_service_uid(uint32_t uid, struct sa_bytes rhost, struct sa_source *ret_source)
{
    char text[INET6_ADDRSTRLEN];
    char words[SA_SOURCE_TEXT_MAX - 32];
    const char *kind;

    if (address_text(rhost, &kind, text))
        plain(ret_source, "uid:%u@%s:%s", uid, kind, text);
    else
        plain(ret_source, "uid:%u@%s", uid, sa_escape(rhost, words, sizeof(words)));
}

void
sa_source_address(const char *address, struct sa_source *ret_source)
{
    char text[INET6_ADDRSTRLEN];
    const char *kind;

    if (address_text(sa_bytes_of(address), &kind, text))
        plain(ret_source, "%s:%s", kind, text);
    else
        opaque("text", sa_bytes_of(address), ret_source);
}

void
sa_source_client(const char *client_id, const char *address, int64_t uid, struct sa_source *ret_source)
{
    struct sa_source at = {.text = ""};
    bool is_id = client_id[0] == '\0' || sa_name_is_client_id(sa_bytes_of(client_id));

    if (address != NULL && address[0] != '\0')
        sa_source_address(address, &at);
    else if (uid >= 0)
        sa_source_uid((uint32_t)uid, &at);
    plain(ret_source, "client:%s@%.*s", is_id ? client_id : "?", (int)SA_CONF_WORD_MAX + 1, at.text);
}
