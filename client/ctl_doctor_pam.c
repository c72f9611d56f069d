/* The stacks, as pam-auth-update leaves them on Debian: one file of /etc/pam.d a kind. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/ctl_doctor.h"

#define LINES_MAX 128u
#define LINE_LEN  1024u
#define STACKS    4u

struct line {
    char text[LINE_LEN];
    char *control; /* "required", or what stands between [ and ] */
    char *module;
    char *options;
};

struct stack {
    const char *file;
    size_t count; /* of lines that name a module */
    struct line lines[LINES_MAX];
};

static const char *const files[STACKS] = {"/etc/pam.d/common-auth", "/etc/pam.d/common-account",
                                          "/etc/pam.d/common-password", "/etc/pam.d/common-session"};
enum { SESSION = 3 };

static bool
is_module(const struct line *line, const char *name)
{
    const char *base = strrchr(line->module, '/');
    return strcmp(base == NULL ? line->module : base + 1, name) == 0;
}

/* TYPE CONTROL MODULE OPTIONS; false for another kind of line. */
static bool
parse(struct line *line)
{
    char *at = line->text;

    at[strcspn(at, "#\n")] = '\0';
    if (strsep(&at, " \t") == NULL || at == NULL)
        return false;
    at += strspn(at, " \t");
    line->control = *at == '[' ? at + 1 : at;
    at = *at == '[' ? strchr(at, ']') : strpbrk(at, " \t");
    if (at == NULL)
        return false;
    *at++ = '\0';
    at += strspn(at, " \t");
    line->module = at;
    at += strcspn(at, " \t");
    if (*at != '\0')
        *at++ = '\0';
    line->options = at;
    return line->text[0] != '@' && line->module[0] != '\0';
}

/* Empty where it cannot be read: then it lacks the module. */
static struct stack *
read_stack(const char *path)
{
    struct stack *stack = calloc(1, sizeof(*stack));
    FILE *file = fopen(path, "re");

    if (stack == NULL)
        abort();
    stack->file = path;
    while (file != NULL && stack->count < LINES_MAX &&
           fgets(stack->lines[stack->count].text, LINE_LEN, file) != NULL)
        stack->count += parse(&stack->lines[stack->count]) ? 1 : 0;
    if (file != NULL)
        fclose(file);
    return stack;
}

/* The first line of a module; stack->count where there is none. */
static size_t
find(const struct stack *stack, const char *module)
{
    size_t at = 0;

    while (at < stack->count && !is_module(&stack->lines[at], module))
        at++;
    return at;
}

/* What [name=...] says in a control; NULL where it does not. */
static const char *
action(const struct line *line, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = line->control; *at != '\0'; at += strcspn(at, " \t"), at += strspn(at, " \t"))
        if (strncmp(at, name, len) == 0 && at[len] == '=')
            return at + len + 1;
    return NULL;
}

static bool
acts(const struct line *line, const char *name, const char *word)
{
    const char *found = action(line, name);
    size_t len = strlen(word);

    return found != NULL && strncmp(found, word, len) == 0 &&
           (found[len] == '\0' || isspace((unsigned char)found[len]));
}

typedef void (*look_fn)(struct sa_doctor *doctor, const struct stack *stack);

static void
each_stack(struct sa_doctor *doctor, unsigned count, look_fn look)
{
    for (unsigned i = 0; i < count; i++) {
        struct stack *stack = read_stack(files[i]);
        look(doctor, stack);
        free(stack);
    }
}

/* Every line of pam_secauth in a stack. */
static void
each_line(struct sa_doctor *doctor, const struct stack *stack,
          void (*look)(struct sa_doctor *, const struct stack *, size_t at))
{
    for (size_t at = 0; at < stack->count; at++)
        if (is_module(&stack->lines[at], "pam_secauth.so"))
            look(doctor, stack, at);
}

/* ---- the checks ---- */

void
sa_doctor_pam_module(struct sa_doctor *doctor)
{
    static const char *const places[] = {"/usr/lib/x86_64-linux-gnu/security/pam_secauth.so",
                                         "/usr/lib/aarch64-linux-gnu/security/pam_secauth.so",
                                         "/usr/lib/security/pam_secauth.so"};

    for (size_t i = 0; i < SA_COUNT(places); i++)
        if (access(places[i], R_OK) == 0)
            return;
    sa_doctor_tell(doctor, "no %s", places[0]);
}

static void
missing(struct sa_doctor *doctor, const struct stack *stack)
{
    if (find(stack, "pam_secauth.so") == stack->count)
        sa_doctor_tell(doctor, "%s", stack->file);
}

void
sa_doctor_pam_missing(struct sa_doctor *doctor)
{
    each_stack(doctor, STACKS, missing);
}

static void
order(struct sa_doctor *doctor, const struct stack *stack)
{
    size_t ours = find(stack, "pam_secauth.so"), theirs = find(stack, "pam_unix.so");

    if (ours < stack->count && theirs < ours)
        sa_doctor_tell(doctor, "%s", stack->file);
}

void
sa_doctor_pam_order(struct sa_doctor *doctor)
{
    each_stack(doctor, SESSION, order); /* both open sessions, in either order */
}

static void
revived_line(struct sa_doctor *doctor, const struct stack *stack, size_t at)
{
    const struct line *line = &stack->lines[at];

    if (strcmp(line->control, "required") == 0 || strcmp(line->control, "requisite") == 0 ||
        acts(line, "default", "die"))
        return;
    sa_doctor_tell(doctor, "%s: [%s]", stack->file, line->control);
}

static void
revived(struct sa_doctor *doctor, const struct stack *stack)
{
    each_line(doctor, stack, revived_line);
}

void
sa_doctor_pam_revived(struct sa_doctor *doctor)
{
    each_stack(doctor, SESSION, revived);
}

static void
cut_line(struct sa_doctor *doctor, const struct stack *stack, size_t at)
{
    const struct line *line = &stack->lines[at];

    if (strcmp(line->control, "sufficient") == 0 || acts(line, "success", "done"))
        sa_doctor_tell(doctor, "%s: %s", stack->file, line->control);
}

static void
cut(struct sa_doctor *doctor, const struct stack *stack)
{
    each_line(doctor, stack, cut_line);
}

void
sa_doctor_pam_cut(struct sa_doctor *doctor)
{
    each_stack(doctor, STACKS, cut);
}

/* `end` of the profile has become the number of lines up to the one after pam_deny. */
static void
jump_line(struct sa_doctor *doctor, const struct stack *stack, size_t at)
{
    const char *success = action(&stack->lines[at], "success");
    size_t deny = find(stack, "pam_deny.so");

    if (success == NULL || !isdigit((unsigned char)success[0]))
        return; /* another check's */
    size_t lands = at + 1 + strtoul(success, NULL, 10);
    if (deny < stack->count && lands != deny + 1)
        sa_doctor_tell(doctor, "%s: success=%lu, where %zu is right", stack->file, strtoul(success, NULL, 10),
                       deny - at);
}

static void
jump(struct sa_doctor *doctor, const struct stack *stack)
{
    each_line(doctor, stack, jump_line);
}

void
sa_doctor_pam_jump(struct sa_doctor *doctor)
{
    each_stack(doctor, SESSION, jump);
}

static void
option_line(struct sa_doctor *doctor, const struct stack *stack, size_t at)
{
    static const char *const known[] = {"debug", "try_first_pass", "use_authtok", "use_first_pass"};
    char options[LINE_LEN];
    char *rest = options;
    char *word;

    snprintf(options, sizeof(options), "%s", stack->lines[at].options);
    while ((word = strsep(&rest, " \t")) != NULL) {
        bool found = word[0] == '\0' || strncmp(word, "timeout=", 8) == 0;
        for (size_t i = 0; i < SA_COUNT(known) && !found; i++)
            found = strcmp(word, known[i]) == 0;
        if (!found)
            sa_doctor_tell(doctor, "%s: %s", stack->file, word);
    }
}

static void
option(struct sa_doctor *doctor, const struct stack *stack)
{
    each_line(doctor, stack, option_line);
}

void
sa_doctor_pam_option(struct sa_doctor *doctor)
{
    each_stack(doctor, STACKS, option);
}

/* Whether a service's file takes a common stack in. */
static bool
includes(const char *path, const char *stack)
{
    FILE *file = fopen(path, "re");
    char line[LINE_LEN], word[64];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = sscanf(line, "@include %63s", word) == 1 && strcmp(word, stack) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

void
sa_doctor_pam_sshd(struct sa_doctor *doctor)
{
    static const char *const services[] = {"/etc/pam.d/sshd", "/etc/pam.d/sudo", "/etc/pam.d/su",
                                           "/etc/pam.d/login"};

    for (size_t i = 0; i < SA_COUNT(services); i++)
        for (unsigned k = 0; k < SESSION; k++) {
            const char *stack = strrchr(files[k], '/') + 1;
            bool changes = strcmp(stack, "common-password") == 0; /* few services change passwords */
            if (access(services[i], F_OK) == 0 && (!changes || i == 0) && !includes(services[i], stack))
                sa_doctor_tell(doctor, "%s has no `@include %s`", services[i], stack);
        }
}
