/* Values of rules: names, addresses, times. Strict: what could mean two things means none. */
#include "rules_inside.h"

#include <arpa/inet.h>

#include "service/auth/names.h"

#define V4_BITS        32u
#define MAPPED_BITS    96u
#define DAY_MINUTES    1440u
#define FRESH_MAX_S    (30 * 86400)
#define RATE_MAX       100000u
#define RATE_WINDOW    3600u
#define WEEK_DAYS      7u
#define LOOPBACK       127u
#define LOOPBACK_BITS  8u
#define OVERFLOW_LIMIT 4294967294u

#define RULE_LIST "names separated by single commas"
#define RULE_NET  "not an address, a network ADDRESS/BITS, or a word that stands for a place"
#define RULE_WHEN "DAY[-DAY][/HH:MM-HH:MM], days Mon Tue Wed Thu Fri Sat Sun"

bool
sa_rule_next(struct sa_bytes *list, char separator, struct sa_bytes *ret_word)
{
    if (list->data == NULL)
        return false;
    const uint8_t *end = list->len == 0 ? NULL : memchr(list->data, separator, list->len);
    size_t len = end == NULL ? list->len : (size_t)(end - list->data);
    *ret_word = sa_bytes(list->data, len);
    *list = end == NULL ? sa_bytes(NULL, 0) : sa_bytes(end + 1, list->len - len - 1);
    return true;
}

static bool
is_word(struct sa_bytes value, const char *word)
{
    return sa_bytes_equal(value, sa_bytes_of(word));
}

/* Digits alone, no leading zero but in 0 itself, at most `max`. */
static bool
number(struct sa_bytes text, uint64_t max, uint64_t *ret_number)
{
    uint64_t value = 0;

    if (text.len == 0 || text.len > 10 || (text.data[0] == '0' && text.len > 1))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (value > max)
        return false;
    *ret_number = value;
    return true;
}

/* ---- names ---- */

const char *
sa_rule_check_person(struct sa_bytes word)
{
    if (word.len > 0 && word.data[0] == '@')
        return sa_name_is_group(sa_bytes(word.data + 1, word.len - 1)) ? NULL
                                                                       : "@ and a group: " SA_RULE_GROUP;
    return sa_name_is_user(word) ? NULL : "a user, " SA_RULE_USER_NAME ", or @GROUP";
}

const char *
sa_rule_check_service(struct sa_bytes word)
{
    static const char rule[] = "a PAM service, 1 to 64 bytes of [A-Za-z0-9_.-]";

    if (word.len == 0 || word.len > SA_CONF_WORD_MAX)
        return rule;
    for (size_t i = 0; i < word.len; i++)
        if (memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-", word.data[i], 65) ==
            NULL)
            return rule;
    return NULL;
}

static const char *
check_list(struct sa_bytes list, const char *(*check)(struct sa_bytes word), bool may_be_all)
{
    struct sa_bytes word;

    while (sa_rule_next(&list, ',', &word)) {
        if (word.len == 0)
            return RULE_LIST;
        const char *broken = may_be_all && is_word(word, "*") ? NULL : check(word);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

const char *
sa_rule_read_who(struct sa_bytes value, struct sa_rule *rule)
{
    rule->who = value;
    return check_list(value, sa_rule_check_person, true);
}

const char *
sa_rule_read_services(struct sa_bytes value, struct sa_rule *rule)
{
    rule->services = value;
    return check_list(value, sa_rule_check_service, false);
}

/* ---- places ---- */

static bool
host_bits_are_zero(const uint8_t *net, unsigned bits, unsigned all)
{
    for (unsigned bit = bits; bit < all; bit++)
        if ((net[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return false;
    return true;
}

static const char *
check_net(const struct sa_rule_from *from)
{
    bool four = from->place == SA_PLACE_NET4;
    static const uint8_t loopback6[16] = {[15] = 1};

    if (!host_bits_are_zero(from->net, from->bits, four ? V4_BITS : 128))
        return "an address with bits behind its network's";
    if (four ? from->net[0] == LOOPBACK && from->bits >= LOOPBACK_BITS
             : memcmp(from->net, loopback6, sizeof(loopback6)) == 0)
        return "loopback, which says nothing about where a person is and is no source";
    if (!four && from->bits > SA_RULE_V6_BITS_MAX)
        return "an IPv6 network of at most 64 bits: a source is known by its /64";
    return NULL;
}

/* ADDRESS or ADDRESS/BITS; IPv4 mapped into IPv6 is IPv4. */
static const char *
read_net(struct sa_bytes word, struct sa_rule_from *ret_from)
{
    char text[INET6_ADDRSTRLEN] = {0};
    struct sa_rule_from from = {.place = SA_PLACE_NET4, .bits = V4_BITS};
    struct sa_bytes rest = word;
    struct sa_bytes address;
    uint64_t bits;

    if (!sa_rule_next(&rest, '/', &address) || address.len == 0 || address.len >= sizeof(text))
        return RULE_NET;
    memcpy(text, address.data, address.len);
    bool mapped = false;
    if (inet_pton(AF_INET, text, from.net) != 1) {
        if (inet_pton(AF_INET6, text, from.net) != 1)
            return RULE_NET;
        mapped = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)from.net);
        from.place = SA_PLACE_NET6;
        from.bits = 128;
    }
    if (rest.data != NULL) {
        if (!number(rest, from.bits, &bits))
            return "a network ADDRESS/BITS, at most 32 bits for IPv4";
        from.bits = (unsigned)bits;
    }
    if (mapped && from.bits >= MAPPED_BITS) {
        from.place = SA_PLACE_NET4;
        from.bits -= MAPPED_BITS;
        memmove(from.net, from.net + 12, 4);
        memset(from.net + 4, 0, 12);
    }
    *ret_from = from;
    return check_net(&from);
}

const char *
sa_rule_read_from(struct sa_bytes value, struct sa_rule *rule)
{
    struct sa_bytes word;

    while (sa_rule_next(&value, ',', &word)) {
        if (rule->from_count == SA_RULE_FROM_MAX)
            return "at most 32 places";
        struct sa_rule_from *from = &rule->from[rule->from_count++];
        const char *broken = NULL;
        if (is_word(word, "console"))
            from->place = SA_PLACE_CONSOLE;
        else if (is_word(word, "known"))
            from->place = SA_PLACE_KNOWN;
        else
            broken = read_net(word, from);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

const char *
sa_rule_read_shared(struct sa_bytes word, struct sa_rule_from *ret_from)
{
    uint64_t uid;

    if (word.len <= 4 || memcmp(word.data, "uid:", 4) != 0)
        return read_net(word, ret_from);
    if (!number(sa_bytes(word.data + 4, word.len - 4), OVERFLOW_LIMIT, &uid))
        return "uid: and a number";
    *ret_from = (struct sa_rule_from){.place = SA_PLACE_UID, .uid = (uint32_t)uid};
    return NULL;
}

/* ---- times ---- */

static bool
day(struct sa_bytes word, unsigned *ret_day)
{
    static const char *const days[WEEK_DAYS] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

    for (unsigned i = 0; i < WEEK_DAYS; i++)
        if (is_word(word, days[i])) {
            *ret_day = i;
            return true;
        }
    return false;
}

static bool
minute(struct sa_bytes word, unsigned max, uint16_t *ret_minute)
{
    if (word.len != 5 || word.data[2] != ':')
        return false;
    for (unsigned i = 0; i < 5; i++)
        if (i != 2 && (word.data[i] < '0' || word.data[i] > '9'))
            return false;
    unsigned hours = (unsigned)(word.data[0] - '0') * 10 + (unsigned)(word.data[1] - '0');
    unsigned minutes = (unsigned)(word.data[3] - '0') * 10 + (unsigned)(word.data[4] - '0');
    if (minutes > 59 || hours * 60 + minutes > max)
        return false;
    *ret_minute = (uint16_t)(hours * 60 + minutes);
    return true;
}

/* Mon-Fri, Fri-Mon (over the week's end), or one day. */
static bool
read_days(struct sa_bytes days, uint8_t *ret_days)
{
    struct sa_bytes word;
    unsigned first;
    unsigned last;

    if (!sa_rule_next(&days, '-', &word) || !day(word, &first))
        return false;
    last = first;
    if (days.data != NULL && !day(days, &last))
        return false;
    uint8_t set = 0;
    for (unsigned i = first; i != last; i = (i + 1) % WEEK_DAYS)
        set |= (uint8_t)(1u << i);
    *ret_days = (uint8_t)(set | 1u << last);
    return true;
}

static const char *
read_span(struct sa_bytes word, struct sa_rule_when *ret_when)
{
    struct sa_bytes part;
    struct sa_rule_when when = {.begin = 0, .until = DAY_MINUTES};

    if (!sa_rule_next(&word, '/', &part) || !read_days(part, &when.days))
        return RULE_WHEN;
    if (word.data != NULL) {
        if (!sa_rule_next(&word, '-', &part) || !minute(part, DAY_MINUTES - 1, &when.begin) ||
            !minute(word, DAY_MINUTES, &when.until))
            return RULE_WHEN;
        if (when.begin == when.until)
            return "a time that begins and ends at once; a whole day is 00:00-24:00";
    }
    *ret_when = when;
    return NULL;
}

const char *
sa_rule_read_when(struct sa_bytes value, struct sa_rule *rule)
{
    struct sa_bytes word;

    while (sa_rule_next(&value, ',', &word)) {
        if (rule->when_count == SA_RULE_WHEN_MAX)
            return "at most 8 times";
        const char *broken = read_span(word, &rule->when[rule->when_count++]);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

const char *
sa_rule_read_fresh(struct sa_bytes value, struct sa_rule *rule)
{
    static const char rule_of_fresh[] = "a number and s, m, h or d, 1s to 30d";
    uint64_t count;
    int64_t unit;

    switch (value.len == 0 ? 0 : value.data[value.len - 1]) {
    case 's':
        unit = 1;
        break;
    case 'm':
        unit = 60;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'd':
        unit = 86400;
        break;
    default:
        return rule_of_fresh;
    }
    if (!number(sa_bytes(value.data, value.len - 1), FRESH_MAX_S, &count) || count == 0 ||
        (int64_t)count * unit > FRESH_MAX_S)
        return rule_of_fresh;
    rule->fresh_s = (int64_t)count * unit;
    return NULL;
}

/* ---- the rest ---- */

const char *
sa_rule_read_factors(struct sa_bytes value, struct sa_rule *rule)
{
    static const struct {
        const char *word;
        enum sa_factors factors;
    } words[] = {{"off", SA_FACTORS_OFF},
                 {"enrolled", SA_FACTORS_ENROLLED},
                 {"after_password", SA_FACTORS_AFTER_PASSWORD},
                 {"always", SA_FACTORS_ALWAYS}};

    for (unsigned i = 0; i < SA_COUNT(words); i++)
        if (is_word(value, words[i].word)) {
            rule->factors = words[i].factors;
            return NULL;
        }
    return "off, enrolled, after_password or always";
}

const char *
sa_rule_read_uid(struct sa_bytes value, struct sa_rule *rule)
{
    uint64_t uid;

    if (!number(value, OVERFLOW_LIMIT, &uid) || uid == 0)
        return "a uid other than root's, 1 to 4294967294";
    rule->uid = (uint32_t)uid;
    return NULL;
}

const char *
sa_rule_read_rate(struct sa_bytes value, struct sa_rule *rule)
{
    struct sa_bytes failures;
    uint64_t count;
    uint64_t window;

    if (!sa_rule_next(&value, '/', &failures) || !number(failures, RATE_MAX, &count) || count == 0 ||
        value.data == NULL || !number(value, RATE_WINDOW, &window) || window == 0)
        return "FAILURES/SECONDS, 1 to 100000 in 1 to 3600";
    rule->failures = (unsigned)count;
    rule->window_s = (unsigned)window;
    return NULL;
}
