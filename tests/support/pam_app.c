/*
 * A small PAM application for tests: runs entries against a service of a private directory, answers prompts
 * from a script, prints every code and every message. `pam_app --help` lists the words.
 *
 * Descriptors 0 to 2 may be closed (--close): what it prints then goes to --output.
 */
#include <fcntl.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWERS_MAX     32
#define DESCRIPTORS_MAX 256
#define AT_MAX          4
#define ENTRIES_MAX     16

static const char usage[] =
    "pam_app [OPTION...] ENTRY...\n"
    "  --service NAME, --confdir DIR (default /etc/pam.d by libpam), --user NAME\n"
    "  --rhost TEXT, --tty TEXT, --ruser TEXT   items\n"
    "  --authtok-file FILE   an answer that is the file's whole content\n"
    "  --answer TEXT         the next answer; or @ERR, @AGAIN (the conversation fails), @NULLARRAY, @NULL, "
    "@EMPTY\n"
    "  --silent              PAM_SILENT in every entry\n"
    "  --no-conv             a null conversation function;  --no-conv-after-first  from the second prompt "
    "on\n"
    "  --disallow-null       PAM_DISALLOW_NULL_AUTHTOK in every entry\n"
    "  --change-items        set name, remote host and terminal anew, to what they are, at every prompt\n"
    "  --think SECONDS       wait so long before every answer\n"
    "  --ticks               a timer's signal every millisecond, which restarts no system call\n"
    "  --list-in-child       at a prompt, exec `ls -l /proc/self/fd`\n"
    "  --close 0,1,2         close these descriptors first;  --output FILE  where to print\n"
    "  --descriptors         compare the descriptor tables before and after\n"
    "  --repeat N, --threads N;  --at N COMMAND  run before the N-th time\n"
    "  --env                 print the PAM environment at the end\n"
    "ENTRY: authenticate acct_mgmt setcred setcred:delete setcred:reinitialize setcred:refresh open_session\n"
    "       close_session chauthtok chauthtok:expired; or sh:COMMAND, run in between\n"
    "The exit status is the last entry's code; entries after a failed one are run all the same.\n";

static const char *const code_names[] = {
    "SUCCESS",
    "OPEN_ERR",
    "SYMBOL_ERR",
    "SERVICE_ERR",
    "SYSTEM_ERR",
    "BUF_ERR",
    "PERM_DENIED",
    "AUTH_ERR",
    "CRED_INSUFFICIENT",
    "AUTHINFO_UNAVAIL",
    "USER_UNKNOWN",
    "MAXTRIES",
    "NEW_AUTHTOK_REQD",
    "ACCT_EXPIRED",
    "SESSION_ERR",
    "CRED_UNAVAIL",
    "CRED_EXPIRED",
    "CRED_ERR",
    "NO_MODULE_DATA",
    "CONV_ERR",
    "AUTHTOK_ERR",
    "AUTHTOK_RECOVERY_ERR",
    "AUTHTOK_LOCK_BUSY",
    "AUTHTOK_DISABLE_AGING",
    "TRY_AGAIN",
    "IGNORE",
    "ABORT",
    "AUTHTOK_EXPIRED",
    "MODULE_UNKNOWN",
    "BAD_ITEM",
    "CONV_AGAIN",
    "INCOMPLETE",
};

static struct {
    const char *service, *confdir, *user, *rhost, *tty, *ruser, *output;
    const char *answers[ANSWERS_MAX];
    char **entries;
    int n_answers, n_entries, flags, repeat, threads, quiet;
    int no_conv, no_conv_after_first, change_items, ticks, list_in_child, descriptors, env;
    double think;
    const char *close, *at_commands[AT_MAX];
    int at_times[AT_MAX], n_at;
} script = {.service = "test", .repeat = 1, .threads = 1};

/* One run of the script: its place in the answers. */
struct run {
    pam_handle_t *pamh;
    int next_answer;
    int last_code;
    int counts[ENTRIES_MAX][32]; /* how often an entry returned a code */
};

static FILE *out;

static void
list_in_child(void)
{
    int status;
    pid_t child;

    fflush(out);
    child = fork();
    if (child == 0) {
        dup2(fileno(out), STDOUT_FILENO);
        execlp("ls", "ls", "-l", "/proc/self/fd", (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
}

/* The next answer, or a code of the conversation. *ret_no_array: success, and no responses at all. */
static int
next_answer(struct run *run, char **ret_answer, int *ret_no_array)
{
    const char *answer = run->next_answer < script.n_answers ? script.answers[run->next_answer++] : "@ERR";

    if (strcmp(answer, "@ERR") == 0)
        return PAM_CONV_ERR;
    if (strcmp(answer, "@AGAIN") == 0)
        return PAM_CONV_AGAIN;
    if (strcmp(answer, "@NULLARRAY") == 0)
        *ret_no_array = 1;
    else if (strcmp(answer, "@EMPTY") == 0)
        *ret_answer = strdup("");
    else if (strcmp(answer, "@NULL") != 0)
        *ret_answer = strdup(answer);
    return PAM_SUCCESS;
}

static void
set_items(pam_handle_t *pamh)
{
    if (script.rhost != NULL)
        pam_set_item(pamh, PAM_RHOST, script.rhost);
    if (script.tty != NULL)
        pam_set_item(pamh, PAM_TTY, script.tty);
    if (script.ruser != NULL)
        pam_set_item(pamh, PAM_RUSER, script.ruser);
}

/* What a program may do to its handle while it is asked. */
static void
act_at_prompt(struct run *run)
{
    static const struct pam_conv none = {NULL, NULL};

    if (script.list_in_child)
        list_in_child();
    if (script.change_items) {
        set_items(run->pamh);
        pam_set_item(run->pamh, PAM_USER, script.user);
    }
    if (script.no_conv_after_first)
        pam_set_item(run->pamh, PAM_CONV, &none);
    if (script.think > 0)
        usleep((useconds_t)(script.think * 1e6));
}

static int
converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
    static const char *const styles[] = {"", "prompt", "prompt with echo", "error", "info"};
    struct run *run = data;
    int no_array = 0;
    struct pam_response *answers = calloc((size_t)count, sizeof(*answers));

    for (int i = 0; i < count; i++) {
        int style = messages[i]->msg_style;
        if (!script.quiet)
            fprintf(out, "%s: %s\n", style >= 1 && style <= 4 ? styles[style] : "?", messages[i]->msg);
        if (style != PAM_PROMPT_ECHO_OFF && style != PAM_PROMPT_ECHO_ON)
            continue;
        act_at_prompt(run);
        int code = next_answer(run, &answers[i].resp, &no_array);
        if (code != PAM_SUCCESS || no_array) {
            free(answers);
            *responses = NULL;
            return code;
        }
    }
    *responses = answers;
    return PAM_SUCCESS;
}

static int
run_entry(pam_handle_t *pamh, const char *entry)
{
    int flags = script.flags;

    if (strcmp(entry, "authenticate") == 0)
        return pam_authenticate(pamh, flags);
    if (strcmp(entry, "acct_mgmt") == 0)
        return pam_acct_mgmt(pamh, flags);
    if (strcmp(entry, "setcred") == 0)
        return pam_setcred(pamh, flags | PAM_ESTABLISH_CRED);
    if (strcmp(entry, "setcred:delete") == 0)
        return pam_setcred(pamh, flags | PAM_DELETE_CRED);
    if (strcmp(entry, "setcred:reinitialize") == 0)
        return pam_setcred(pamh, flags | PAM_REINITIALIZE_CRED);
    if (strcmp(entry, "setcred:refresh") == 0)
        return pam_setcred(pamh, flags | PAM_REFRESH_CRED);
    if (strcmp(entry, "open_session") == 0)
        return pam_open_session(pamh, flags);
    if (strcmp(entry, "close_session") == 0)
        return pam_close_session(pamh, flags);
    if (strcmp(entry, "chauthtok") == 0)
        return pam_chauthtok(pamh, flags);
    if (strcmp(entry, "chauthtok:expired") == 0)
        return pam_chauthtok(pamh, flags | PAM_CHANGE_EXPIRED_AUTHTOK);
    fprintf(stderr, "pam_app: no entry %s\n", entry);
    exit(2);
}

static void
print_environment(pam_handle_t *pamh)
{
    char **environment = pam_getenvlist(pamh);

    for (char **entry = environment; entry != NULL && *entry != NULL; entry++) {
        fprintf(out, "env: %s\n", *entry);
        free(*entry);
    }
    free(environment);
}

static void *
run_script(void *data)
{
    struct run *run = data;
    struct pam_conv conversation = {script.no_conv ? NULL : converse, run};
    pam_handle_t *pamh = NULL;

    for (int i = 0; i < script.repeat; i++) {
        run->next_answer = 0;
        for (int at = 0; at < script.n_at; at++)
            if (script.at_times[at] == i && system(script.at_commands[at]) != 0)
                exit(2);
        run->last_code = script.confdir == NULL ? pam_start(script.service, script.user, &conversation, &pamh)
                                                : pam_start_confdir(script.service, script.user,
                                                                    &conversation, script.confdir, &pamh);
        if (run->last_code != PAM_SUCCESS) {
            fprintf(out, "pam_start %d\n", run->last_code);
            return NULL;
        }
        run->pamh = pamh;
        set_items(pamh);
        for (int e = 0; e < script.n_entries; e++) {
            if (strncmp(script.entries[e], "sh:", 3) == 0) {
                run->last_code = system(script.entries[e] + 3);
                continue;
            }
            int code = run->last_code = run_entry(pamh, script.entries[e]);
            run->counts[e][code & 31]++;
            if (!script.quiet)
                fprintf(out, "%s %d %s\n", script.entries[e], code,
                        code >= 0 && code < 32 ? code_names[code] : "?");
        }
        if (script.env)
            print_environment(pamh);
        pam_end(pamh, run->last_code);
    }
    return NULL;
}

/* The descriptor table as text: "3:/dev/null 4:socket:[7]". */
static void
describe_descriptors(char *ret_text, size_t size)
{
    size_t len = 0;

    ret_text[0] = '\0';
    for (int fd = 0; fd < DESCRIPTORS_MAX && len + 300 < size; fd++) {
        char path[64], target[200];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t got = readlink(path, target, sizeof(target) - 1);
        if (got < 0)
            continue;
        target[got] = '\0';
        len += (size_t)snprintf(ret_text + len, size - len, "%d:%s ", fd, target);
    }
}

static void
print_counts(const struct run *run)
{
    for (int e = 0; e < script.n_entries; e++)
        for (int code = 0; code < 32; code++)
            if (run->counts[e][code] > 0)
                fprintf(out, "%d times %s %d %s\n", run->counts[e][code], script.entries[e], code,
                        code_names[code]);
    fprintf(out, "last %d %s\n", run->last_code, code_names[run->last_code & 31]);
}

static void
run_threads(void)
{
    pthread_t *threads = calloc((size_t)script.threads, sizeof(*threads));
    struct run *runs = calloc((size_t)script.threads, sizeof(*runs));
    int counts[64] = {0};

    for (int i = 0; i < script.threads; i++)
        pthread_create(&threads[i], NULL, run_script, &runs[i]);
    for (int i = 0; i < script.threads; i++) {
        pthread_join(threads[i], NULL);
        counts[runs[i].last_code & 63]++;
    }
    for (int code = 0; code < 32; code++)
        if (counts[code] > 0)
            fprintf(out, "%d threads: %d %s\n", counts[code], code, code_names[code]);
    free(threads);
    free(runs);
}

static const char *
read_file(const char *path)
{
    static char text[4 << 20];
    FILE *file = fopen(path, "re");

    if (file == NULL || strcmp(path, "") == 0)
        exit(2);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void
add_answer(const char *answer)
{
    if (script.n_answers == ANSWERS_MAX)
        exit(2);
    script.answers[script.n_answers++] = answer;
}

/* Take one option with its value. Returns how many words it was. */
static int
take_option(char **words)
{
    static const struct {
        const char *name;
        const char **place;
    } texts[] = {
        {"--service", &script.service}, {"--confdir", &script.confdir}, {"--user", &script.user},
        {"--rhost", &script.rhost},     {"--tty", &script.tty},         {"--ruser", &script.ruser},
        {"--output", &script.output},   {"--close", &script.close},
    };
    static const struct {
        const char *name;
        int *place;
    } switches[] = {
        {"--no-conv", &script.no_conv},
        {"--no-conv-after-first", &script.no_conv_after_first},
        {"--change-items", &script.change_items},
        {"--ticks", &script.ticks},
        {"--list-in-child", &script.list_in_child},
        {"--descriptors", &script.descriptors},
        {"--env", &script.env},
    };

    for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
        if (strcmp(words[0], switches[i].name) == 0)
            return *switches[i].place = 1;
    }
    if (strcmp(words[0], "--silent") == 0) {
        script.flags |= PAM_SILENT;
        return 1;
    }
    if (strcmp(words[0], "--disallow-null") == 0) {
        script.flags |= PAM_DISALLOW_NULL_AUTHTOK;
        return 1;
    }
    if (words[1] == NULL) {
        fputs(usage, stderr);
        exit(2);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (strcmp(words[0], texts[i].name) == 0) {
            *texts[i].place = words[1];
            return 2;
        }
    }
    if (strcmp(words[0], "--at") == 0 && words[2] != NULL && script.n_at < AT_MAX) {
        script.at_times[script.n_at] = atoi(words[1]);
        script.at_commands[script.n_at++] = words[2];
        return 3;
    }
    if (strcmp(words[0], "--answer") == 0)
        add_answer(words[1]);
    else if (strcmp(words[0], "--authtok-file") == 0)
        add_answer(read_file(words[1]));
    else if (strcmp(words[0], "--repeat") == 0)
        script.repeat = atoi(words[1]);
    else if (strcmp(words[0], "--think") == 0)
        script.think = strtod(words[1], NULL);
    else if (strcmp(words[0], "--threads") == 0)
        script.threads = atoi(words[1]);
    else {
        fputs(usage, stderr);
        exit(2);
    }
    return 2;
}

static void
take_tick(int number)
{
    (void)number;
}

static void
start_ticks(void)
{
    const struct sigaction action = {.sa_handler = take_tick};
    const struct itimerval every = {{0, 1000}, {0, 1000}};

    if (sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &every, NULL) != 0)
        exit(2);
}

static void
open_output(void)
{
    int fd = script.output != NULL ? open(script.output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)
                                   : dup(STDOUT_FILENO);
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 100);

    close(fd);
    out = fdopen(high, "w");
    if (out == NULL)
        exit(2);
    setvbuf(out, NULL, _IOLBF, 0);
    for (const char *digit = script.close; digit != NULL && *digit != '\0'; digit++) {
        if (*digit >= '0' && *digit <= '2')
            close(*digit - '0');
    }
}

int
main(int argc, char **argv)
{
    static char before[65536], after[65536];
    struct run run = {0};
    int i = 1;

    while (i < argc && argv[i][0] == '-')
        i += take_option(argv + i);
    script.entries = argv + i;
    script.n_entries = argc - i;
    if (script.n_entries > ENTRIES_MAX)
        return 2;
    script.quiet = script.repeat > 1 || script.threads > 1;
    open_output();
    if (script.ticks)
        start_ticks();
    describe_descriptors(before, sizeof(before));
    if (script.threads > 1)
        run_threads();
    else
        run_script(&run);
    if (script.quiet && script.threads == 1)
        print_counts(&run);
    describe_descriptors(after, sizeof(after));
    if (script.descriptors)
        fprintf(out, "descriptors %s\n", strcmp(before, after) == 0 ? "equal" : "differ");
    if (script.descriptors && strcmp(before, after) != 0)
        fprintf(out, "before: %s\nafter: %s\n", before, after);
    fclose(out);
    return run.last_code;
}
