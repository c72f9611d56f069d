/* People from /etc/shadow, by `secauthctl user import`, a line at a time. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/setup.h"

#define UID_FIRST 1000u /* below it are the system's, and root */
#define UID_LAST  60000u

static bool
is_chosen(const char *import, const char *name)
{
    size_t len = strlen(name);

    if (strcmp(import, "all") == 0)
        return true;
    for (const char *word = import; *word != '\0'; word += *word == ',') {
        size_t n = strcspn(word, ",");
        if (n == len && memcmp(word, name, n) == 0)
            return true;
        word += n;
    }
    return false;
}

static bool
is_person(const char *name)
{
    const struct passwd *entry = getpwnam(name);

    return entry != NULL && entry->pw_uid >= UID_FIRST && entry->pw_uid <= UID_LAST;
}

/* Names that were asked for by hand and are none that can be imported. */
static void
explain_refused(const char *name)
{
    if (strcmp(name, "root") == 0)
        setup_say("import: root keeps pam_unix, as shipped: it is the way in when all else fails");
    else
        setup_say("import: %s is a user of the system, and stays where it is", name);
}

static bool
has_record(const char *name)
{
    return setup_run((const char *const[]){"secauthctl", "user", "show", name, NULL}, NULL, true) == 0;
}

/* A line of shadow(5): true where it is dealt with, false where the daemon refused it (and said why). */
static bool
import_line(struct setup *setup, char *line)
{
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, ":\n"), line);
    if (!is_chosen(setup->import, name))
        return true;
    if (!is_person(name)) {
        if (strcmp(setup->import, "all") != 0)
            explain_refused(name);
        return true;
    }
    if (has_record(name))
        setup_say("import: %s has a record already", name);
    else if (setup_run((const char *const[]){"secauthctl", "user", "import", NULL}, line, true) != 0)
        return false;
    else
        setup_say("import: %s is imported", name);
    if (setup->first[0] == '\0' && strchr(line, ':') != NULL && strchr("!*:", strchr(line, ':')[1]) == NULL)
        snprintf(setup->first, sizeof(setup->first), "%s", name);
    return true;
}

enum sa_ctl_exit
setup_import(struct setup *setup)
{
    unsigned refused = 0;
    size_t room = 0;
    char *line = NULL;
    ssize_t len;

    if (setup->import == NULL)
        setup->import =
            setup_ask(setup, "Import whom from /etc/shadow (all, none, or names with commas)", "none");
    if (strcmp(setup->import, "none") == 0) {
        setup_say("import: nobody");
        return SA_CTL_OK;
    }
    FILE *file = fopen("/etc/shadow", "re");
    if (file == NULL)
        return setup_stop("import: /etc/shadow cannot be read", "look at its mode and at what mounts /etc");
    while ((len = getline(&line, &room, file)) > 0) {
        refused += !import_line(setup, line);
        sa_wipe(line, room);
    }
    free(line);
    fclose(file);
    if (refused == 0)
        return SA_CTL_OK;
    fprintf(stderr, "secauthctl setup: import: %u refused\n", refused);
    return setup_stop(
        "import: the lines named above were not taken; who was taken has a record",
        "give those people a password with `secauthctl user add`, or leave them out with --import NAME,...");
}
