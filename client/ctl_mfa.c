/* secauthctl mfa: second factors. */
#include "client/ctl_mfa.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secauth/v1/mfa.pb-c.h"

#define SERVICE &secauth__v1__mfa_service__descriptor
#define KEY_MAX 64u /* bytes, as the daemon takes them */
#define TRIES   3u  /* at a terminal, for a code */
#define GROUP   4u  /* letters of a key between two blanks */

/* Whom a command is about, and what has to be proven for it. */
struct whom {
    char *user; /* "" for oneself */
    bool proves;
    bool armed; /* a key is, already */
    struct sa_ctl_secret password;
};

static void
whom_wipe(struct whom *whom)
{
    sa_ctl_secret_wipe(&whom->password);
}

static enum sa_ctl_exit
parse(struct sa_ctl *ctl, const struct sa_ctl_option *options, size_t count, struct whom *whom)
{
    static char oneself[] = "";
    struct sa_ctl_list names = {0};

    enum sa_ctl_exit result = sa_ctl_parse_names(ctl, options, count, &names);
    if (result == SA_CTL_OK && names.count > 1)
        return sa_ctl_usage(ctl);
    whom->user = names.count == 1 ? names.items[0] : oneself;
    return result;
}

static enum sa_ctl_exit
get(struct sa_ctl *ctl, char *user, json_t **ret_reply)
{
    Secauth__V1__GetMfaRequest request = SECAUTH__V1__GET_MFA_REQUEST__INIT;

    request.user = user;
    return sa_ctl_call(ctl, SERVICE, "GetMfa", &request.base, ret_reply);
}

/* People take their time, and the daemon does not keep a connection that long. */
static enum sa_ctl_exit
ask(struct sa_ctl *ctl, const char *prompt, struct sa_ctl_secret *ret_secret)
{
    sa_disconnect(ctl->connection);
    ctl->connection = NULL;
    fflush(stdout);
    return sa_ctl_ask_secret(prompt, false, ret_secret);
}

/* An authenticator shows blanks within a code, and people type them. */
static enum sa_ctl_exit
ask_code(struct sa_ctl *ctl, const char *prompt, struct sa_ctl_secret *ret_code)
{
    enum sa_ctl_exit result = ask(ctl, prompt, ret_code);
    size_t len = 0;

    for (size_t i = 0; result == SA_CTL_OK && i < ret_code->len; i++)
        if (ret_code->data[i] != ' ')
            ret_code->data[len++] = ret_code->data[i];
    if (result == SA_CTL_OK)
        ret_code->len = len;
    return result;
}

static enum sa_ctl_exit
ask_proof(struct sa_ctl *ctl, struct whom *whom)
{
    json_auto_t *has = NULL;

    enum sa_ctl_exit result = get(ctl, whom->user, &has);
    if (result != SA_CTL_OK)
        return result;
    whom->armed = json_is_true(json_object_get(has, "totp"));
    whom->proves = json_is_true(json_object_get(has, "prove"));
    return whom->proves ? ask(ctl, "Your password: ", &whom->password) : SA_CTL_OK;
}

static enum sa_ctl_exit
print_recovery(const json_t *codes)
{
    puts("recovery codes, each good once in place of a code; keep them where the device is not:");
    for (size_t i = 0; i < json_array_size(codes); i++)
        printf("  %s\n", json_string_value(json_array_get(codes, i)));
    return fflush(stdout) == 0 ? SA_CTL_OK : SA_CTL_BROKEN;
}

/* ---- enroll ---- */

struct enrolment {
    struct whom whom;
    char *key_file;
    bool no_recovery;
    bool qr;
    struct sa_ctl_secret key;
    Secauth__V1__EnrollTotpRequest request;
};

static void
enrolment_wipe(struct enrolment *enrolment)
{
    whom_wipe(&enrolment->whom);
    sa_ctl_secret_wipe(&enrolment->key);
}

/* The bytes of a key as they are: a regular file that nobody else can read. */
static enum sa_ctl_exit
read_key(const char *path, struct sa_ctl_secret *ret_key)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &status) != 0) {
        sa_ctl_complain("%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return SA_CTL_BROKEN;
    }
    bool regular = S_ISREG(status.st_mode);
    bool open_to_others = (status.st_mode & 077) != 0;
    ssize_t len = regular && !open_to_others ? read(fd, ret_key->data, KEY_MAX + 1) : -1;
    close(fd);
    if (len > 0 && len <= (ssize_t)KEY_MAX) {
        ret_key->len = (size_t)len;
        return SA_CTL_OK;
    }
    if (regular && open_to_others) {
        sa_ctl_complain("%s is open to others, and so is the key in it: `chmod 600 %s`", path, path);
        return SA_CTL_REFUSED;
    }
    sa_ctl_complain("%s: not a file of 1 to %u bytes", path, KEY_MAX);
    return SA_CTL_INVALID;
}

static enum sa_ctl_exit
parse_algorithm(const struct sa_ctl *ctl, const char *name, Secauth__V1__TotpAlgorithm *ret_algorithm)
{
    static const struct {
        const char *name;
        Secauth__V1__TotpAlgorithm algorithm;
    } algorithms[] = {
        {"sha1", SECAUTH__V1__TOTP_ALGORITHM__TOTP_ALGORITHM_SHA1},
        {"sha256", SECAUTH__V1__TOTP_ALGORITHM__TOTP_ALGORITHM_SHA256},
        {"sha512", SECAUTH__V1__TOTP_ALGORITHM__TOTP_ALGORITHM_SHA512},
    };

    for (size_t i = 0; i < SA_COUNT(algorithms); i++)
        if (name == NULL || strcmp(name, algorithms[i].name) == 0) {
            *ret_algorithm = algorithms[i].algorithm;
            return SA_CTL_OK;
        }
    sa_ctl_complain("--algorithm takes sha1, sha256 or sha512, not `%s`", name);
    return sa_ctl_usage(ctl);
}

static enum sa_ctl_exit
parse_enrolment(struct sa_ctl *ctl, struct enrolment *enrolment)
{
    struct sa_ctl_number digits = {.max = 8, .value = 6};
    char *algorithm = NULL;
    const struct sa_ctl_option options[] = {{"--algorithm", .text = &algorithm},
                                            {"--digits", .number = &digits},
                                            {"--key-file", .text = &enrolment->key_file},
                                            {"--no-recovery", .flag = &enrolment->no_recovery},
                                            {"--qr", .flag = &enrolment->qr}};

    enum sa_ctl_exit result = parse(ctl, options, SA_COUNT(options), &enrolment->whom);
    if (result == SA_CTL_OK)
        result = parse_algorithm(ctl, algorithm, &enrolment->request.algorithm);
    if (result == SA_CTL_OK && digits.value != 6 && digits.value != 8) {
        sa_ctl_complain("--digits takes 6 or 8");
        result = sa_ctl_usage(ctl);
    }
    if (result == SA_CTL_OK && enrolment->key_file != NULL)
        result = read_key(enrolment->key_file, &enrolment->key);
    enrolment->request.user = enrolment->whom.user;
    enrolment->request.digits = (uint32_t)digits.value;
    enrolment->request.key = sa_ctl_secret_field(&enrolment->key);
    return result;
}

/* The URI, the key for those who type it, and the picture for those who can point a camera at it. */
static enum sa_ctl_exit
print_key(const struct sa_ctl *ctl, const struct enrolment *enrolment, const json_t *reply)
{
    const char *uri = json_string_value(json_object_get(reply, "uri"));
    const char *secret = json_string_value(json_object_get(reply, "secret"));

    if (ctl->json)
        return sa_ctl_print_json(reply);
    if (uri == NULL || secret == NULL) {
        sa_ctl_complain("%s: the daemon's answer has no key", ctl->row->name);
        return SA_CTL_BROKEN;
    }
    printf("%s\n\n", uri);
    for (size_t i = 0; secret[i] != '\0'; i++)
        printf("%s%c", i > 0 && i % GROUP == 0 ? " " : "", secret[i]);
    puts("\n");
    if (enrolment->qr || isatty(STDOUT_FILENO))
        return sa_ctl_print_qr(uri);
    return SA_CTL_OK;
}

static enum sa_ctl_exit
begin(struct sa_ctl *ctl, struct enrolment *enrolment)
{
    json_auto_t *reply = NULL;

    enrolment->request.password = sa_ctl_secret_field(&enrolment->whom.password);
    enum sa_ctl_exit result = sa_ctl_call(ctl, SERVICE, "EnrollTotp", &enrolment->request.base, &reply);
    return result == SA_CTL_OK ? print_key(ctl, enrolment, reply) : result;
}

static enum sa_ctl_exit
confirm_once(struct sa_ctl *ctl, struct enrolment *enrolment, json_t **ret_reply)
{
    Secauth__V1__ConfirmTotpRequest request = SECAUTH__V1__CONFIRM_TOTP_REQUEST__INIT;
    struct whom *whom = &enrolment->whom;
    SA_CTL_SECRET(current);
    SA_CTL_SECRET(code);

    enum sa_ctl_exit result = ask_code(ctl, "The code that the device shows now: ", &code);
    if (result == SA_CTL_OK && whom->proves && whom->armed)
        result = ask_code(ctl, "A code of the key from before, or a recovery code: ", &current);
    if (result != SA_CTL_OK)
        return result;
    request.user = whom->user;
    request.password = sa_ctl_secret_field(&whom->password);
    request.code = sa_ctl_secret_field(&code);
    request.current_code = sa_ctl_secret_field(&current);
    request.recovery_codes = !enrolment->no_recovery;
    return sa_ctl_call(ctl, SERVICE, "ConfirmTotp", &request.base, ret_reply);
}

static enum sa_ctl_exit
confirm(struct sa_ctl *ctl, struct enrolment *enrolment)
{
    unsigned tries = isatty(STDIN_FILENO) ? TRIES : 1;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = confirm_once(ctl, enrolment, &reply);
    while (result == SA_CTL_REFUSED && --tries > 0)
        result = confirm_once(ctl, enrolment, &reply);
    if (result != SA_CTL_OK)
        return result;
    if (ctl->json)
        return sa_ctl_print_json(reply);
    puts("the key is armed");
    return enrolment->no_recovery ? SA_CTL_OK : print_recovery(json_object_get(reply, "recovery_codes"));
}

enum sa_ctl_exit
sa_ctl_mfa_enroll(struct sa_ctl *ctl)
{
    __attribute__((cleanup(enrolment_wipe))) struct enrolment enrolment = {
        .request = SECAUTH__V1__ENROLL_TOTP_REQUEST__INIT};

    enum sa_ctl_exit result = parse_enrolment(ctl, &enrolment);
    if (result == SA_CTL_OK)
        result = ask_proof(ctl, &enrolment.whom);
    if (result == SA_CTL_OK)
        result = begin(ctl, &enrolment);
    return result == SA_CTL_OK ? confirm(ctl, &enrolment) : result;
}

/* ---- recovery, show, remove ---- */

enum sa_ctl_exit
sa_ctl_mfa_recovery(struct sa_ctl *ctl)
{
    Secauth__V1__CreateRecoveryCodesRequest request = SECAUTH__V1__CREATE_RECOVERY_CODES_REQUEST__INIT;
    __attribute__((cleanup(whom_wipe))) struct whom whom = {0};
    json_auto_t *reply = NULL;
    SA_CTL_SECRET(code);

    enum sa_ctl_exit result = parse(ctl, NULL, 0, &whom);
    if (result == SA_CTL_OK)
        result = ask_proof(ctl, &whom);
    if (result == SA_CTL_OK && whom.proves)
        result = ask_code(ctl, "The code that the device shows now, or a recovery code: ", &code);
    if (result != SA_CTL_OK)
        return result;
    request.user = whom.user;
    request.password = sa_ctl_secret_field(&whom.password);
    request.code = sa_ctl_secret_field(&code);
    result = sa_ctl_call(ctl, SERVICE, "CreateRecoveryCodes", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    return ctl->json ? sa_ctl_print_json(reply) : print_recovery(json_object_get(reply, "codes"));
}

enum sa_ctl_exit
sa_ctl_mfa_show(struct sa_ctl *ctl)
{
    static const struct sa_ctl_column columns[] = {
        {"key", "totp", SA_CTL_PLAIN},
        {"armed", "totp_armed", SA_CTL_TIME_S},
        {"recovery codes", "recovery_codes", SA_CTL_PLAIN},
        {"wrong codes", "failures", SA_CTL_PLAIN},
        {"shut", "locked", SA_CTL_PLAIN},
    };
    struct whom whom = {0};
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = parse(ctl, NULL, 0, &whom);
    if (result == SA_CTL_OK)
        result = get(ctl, whom.user, &reply);
    return result == SA_CTL_OK ? sa_ctl_print_one(ctl, reply, columns, SA_COUNT(columns)) : result;
}

enum sa_ctl_exit
sa_ctl_mfa_remove(struct sa_ctl *ctl)
{
    Secauth__V1__RemoveMfaRequest request = SECAUTH__V1__REMOVE_MFA_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.user, 1);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_do(ctl, SERVICE, "RemoveMfa", &request.base, "%s has no second factor now", request.user);
}
