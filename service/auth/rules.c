#include "rules_inside.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct sa_rules default_rules = {
    .session_services = {.count = 4, .word = {"sshd", "login", "lightdm", "gdm-password"}},
    .console_services = {.count = 3, .word = {"login", "lightdm", "gdm-password"}},
};

const struct sa_rules *
sa_rules_default(void)
{
    return &default_rules;
}

struct sa_bytes
sa_rules_text(const struct sa_rules *rules)
{
    return sa_bytes(rules->text, rules->text_len);
}

void
sa_rules_free(struct sa_rules *rules)
{
    if (rules == NULL)
        return;
    free(rules->access.rules);
    free(rules->factors.rules);
    free(rules->service_uids.rules);
    free(rules->text);
    free(rules);
}

/* ---- whom, which, when ---- */

static bool
list_has(struct sa_bytes list, struct sa_bytes name)
{
    struct sa_bytes word;

    while (sa_rule_next(&list, ',', &word))
        if (sa_bytes_equal(word, name))
            return true;
    return false;
}

/* Without a record nobody is in a group. */
static bool
is_person(struct sa_bytes word, struct sa_bytes name, const struct sa_user *user)
{
    if (word.len == 0 || word.data[0] != '@')
        return sa_bytes_equal(word, name);
    for (unsigned i = 0; user != NULL && i < user->group_count; i++)
        if (sa_bytes_equal(sa_bytes(word.data + 1, word.len - 1), sa_bytes_of(user->groups[i])))
            return true;
    return false;
}

static bool
names_person(struct sa_bytes who, const struct sa_rule_login *login)
{
    struct sa_bytes word;

    while (sa_rule_next(&who, ',', &word))
        if (sa_bytes_equal(word, sa_bytes_of("*")) || is_person(word, login->name, login->user))
            return true;
    return false;
}

/* A time over midnight belongs to the day on which it begins. */
static bool
is_time(const struct sa_rule *rule, int64_t wall_ms)
{
    time_t now = (time_t)(wall_ms / 1000);
    struct tm local;

    if (rule->when_count == 0)
        return true;
    if (localtime_r(&now, &local) == NULL)
        return rule->denies; /* a clock beyond all years: what limits applies */
    unsigned minute = (unsigned)(local.tm_hour * 60 + local.tm_min);
    unsigned today = 1u << local.tm_wday;
    unsigned yesterday = 1u << (local.tm_wday + 6) % 7;
    for (unsigned i = 0; i < rule->when_count; i++) {
        const struct sa_rule_when *when = &rule->when[i];
        bool over_midnight = when->until < when->begin;
        if ((when->days & today) != 0 && minute >= when->begin && (over_midnight || minute < when->until))
            return true;
        if (over_midnight && (when->days & yesterday) != 0 && minute < when->until)
            return true;
    }
    return false;
}

/* ---- where ---- */

/* A source, taken apart again. */
struct place {
    enum sa_rule_place place; /* NET4, NET6, CONSOLE, UID; 0: nowhere */
    uint8_t address[16];
    uint32_t uid;
    bool reported; /* by a gateway or a service's uid: may add a limit, never lift one */
};

static const char *
after(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static struct place
place_of(const struct sa_source *source)
{
    const char *text = source->text;
    const char *at = after(text, "client:") != NULL || after(text, "uid:") != NULL ? strchr(text, '@') : NULL;
    struct place place = {.reported = at != NULL || after(text, "client:") != NULL};
    const char *rest;

    if (at != NULL)
        text = at + 1;
    if ((rest = after(text, "addr:")) != NULL && inet_pton(AF_INET, rest, place.address) == 1)
        place.place = SA_PLACE_NET4;
    else if ((rest = after(text, "net64:")) != NULL && inet_pton(AF_INET6, rest, place.address) == 1)
        place.place = SA_PLACE_NET6;
    else if (after(text, "seat:") != NULL)
        place.place = SA_PLACE_CONSOLE;
    else if ((rest = after(text, "uid:")) != NULL && sscanf(rest, "%" SCNu32, &place.uid) == 1)
        place.place = SA_PLACE_UID;
    return place;
}

static bool
is_within(const struct sa_rule_from *from, const struct place *place)
{
    unsigned bytes = from->bits / 8;
    unsigned rest = from->bits % 8;

    if (from->place != place->place)
        return false;
    if (from->place == SA_PLACE_UID)
        return from->uid == place->uid;
    if (from->place == SA_PLACE_CONSOLE)
        return true;
    return memcmp(from->net, place->address, bytes) == 0 &&
           (rest == 0 || (from->net[bytes] ^ place->address[bytes]) >> (8 - rest) == 0);
}

/* limits: the rule takes something away. Only such a one may go by an address that was reported. */
static bool
is_from(const struct sa_rule *rule, const struct sa_rule_login *login, bool limits)
{
    if (rule->from_count == 0)
        return true;
    struct place place = place_of(login->source);
    if (place.reported && !limits)
        return false;
    for (unsigned i = 0; i < rule->from_count; i++)
        if (rule->from[i].place == SA_PLACE_KNOWN ? login->is_known && !place.reported
                                                  : is_within(&rule->from[i], &place))
            return true;
    return false;
}

static bool
applies(const struct sa_rule *rule, const struct sa_rule_login *login, bool limits)
{
    return names_person(rule->who, login) &&
           (rule->services.len == 0 || list_has(rule->services, login->service)) &&
           is_from(rule, login, limits) && is_time(rule, login->wall_ms);
}

/* ---- questions ---- */

struct sa_rule_verdict
sa_rules_access(const struct sa_rules *rules, const struct sa_rule_login *login)
{
    for (unsigned i = 0; i < rules->access.count; i++) {
        const struct sa_rule *rule = &rules->access.rules[i];
        if (applies(rule, login, rule->denies))
            return (struct sa_rule_verdict){.denied = rule->denies, .line = rule->line};
    }
    return (struct sa_rule_verdict){.denied = false};
}

struct sa_factor_verdict
sa_rules_factors(const struct sa_rules *rules, const struct sa_rule_login *login)
{
    for (unsigned i = 0; i < rules->factors.count; i++) {
        const struct sa_rule *rule = &rules->factors.rules[i];
        /* A locker may have no way to type a code: a rule must mean it by its service. */
        if (login->is_oneself && rule->services.len == 0)
            continue;
        /* fresh= lifts nothing either: what is reported is never known. */
        bool limits = rule->factors >= SA_FACTORS_AFTER_PASSWORD;
        if (applies(rule, login, limits))
            return (struct sa_factor_verdict){rule->factors, rule->fresh_s, rule->line};
    }
    return (struct sa_factor_verdict){.factors = login->is_oneself ? SA_FACTORS_OFF : SA_FACTORS_ENROLLED};
}

bool
sa_rules_gives_session(const struct sa_rules *rules, struct sa_bytes service)
{
    return sa_conf_has_word(&rules->session_services, service);
}

const struct sa_conf_words *
sa_rules_console_services(const struct sa_rules *rules)
{
    return &rules->console_services;
}

bool
sa_rules_is_shared(const struct sa_rules *rules, const struct sa_source *source)
{
    struct place place = place_of(source);

    for (unsigned i = 0; i < rules->shared_count; i++)
        if (is_within(&rules->shared[i], &place))
            return true;
    return false;
}

bool
sa_rules_service_uid(const struct sa_rules *rules, uint32_t uid, struct sa_bytes service,
                     struct sa_service_uid *ret_rule)
{
    for (unsigned i = 0; i < rules->service_uids.count; i++) {
        const struct sa_rule *rule = &rules->service_uids.rules[i];
        if (rule->uid != uid || (service.len > 0 && !list_has(rule->services, service)))
            continue;
        *ret_rule = (struct sa_service_uid){rule->name, rule->failures, rule->window_s};
        return true;
    }
    return false;
}

bool
sa_rules_is_ambient(const struct sa_rules *rules, const struct sa_user *user)
{
    for (unsigned i = 0; i < rules->ambient_count; i++)
        if (is_person(rules->ambient[i], sa_bytes_of(user->name), user))
            return true;
    return false;
}
