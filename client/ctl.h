/*
 * secauthctl: what its commands share. A command is a row of the table in ctl_main.c and a function; what it
 * asks the daemon for and what it gets back are the messages of proto/secauth/v1, which --output json shows
 * under the very names that they have there.
 */
#ifndef SA_CTL_H
#define SA_CTL_H

#include <jansson.h>

#include "client/call.h"

#define SA_CTL_LIST_MAX   64u   /* values of an option that may be repeated */
#define SA_CTL_SECRET_MAX 4096u /* bytes of a password, a secret, a token or a line of shadow(5) */

/* Exit codes, as secauthctl(8) explains them. */
enum sa_ctl_exit {
    SA_CTL_OK = 0,
    SA_CTL_REFUSED = 1,     /* the daemon said no */
    SA_CTL_USAGE = 2,       /* the command line is wrong; nothing was asked */
    SA_CTL_NOT_FOUND = 3,   /* there is no such user, client, session, ... */
    SA_CTL_EXISTS = 4,      /* there is one already */
    SA_CTL_UNAVAILABLE = 5, /* the daemon is not running, busy, or cannot write; try again */
    SA_CTL_INVALID = 6,     /* a value breaks a rule; the message names both */
    SA_CTL_BROKEN = 7,      /* an internal error, or something on this side failed */
};

struct sa_ctl;

/* A command: "user add", the words after it, what it does in one sentence, the function. */
struct sa_ctl_row {
    const char *name;
    const char *arguments;
    const char *sentence;
    enum sa_ctl_exit (*run)(struct sa_ctl *ctl);
};

/* One run of the program. */
struct sa_ctl {
    const struct sa_ctl_row *row; /* the command */
    char **words;                 /* what stands after it, `count` of them */
    int count;
    bool json;                        /* --output json */
    const char *socket;               /* --socket, else the one for this user */
    uint32_t timeout_s;               /* --timeout */
    struct sa_connection *connection; /* opened by the first call */
};

/* ---- the command line (ctl_options.c) ---- */

struct sa_ctl_number {
    uint64_t max; /* the largest value that is taken */
    bool given;
    uint64_t value;
};

struct sa_ctl_list {
    size_t count;
    char *items[SA_CTL_LIST_MAX];
};

/* An option, with exactly one place for what it says. All but lists may be given once. */
struct sa_ctl_option {
    const char *name; /* "--uid" */
    bool *flag;
    char **text;
    struct sa_ctl_number *number;
    struct sa_ctl_list *list;
};

/*
 * Read the words of a command: options in any order, `--name value` or `--name=value`, `--` before a name
 * that begins with a dash, and exactly `name_count` other words.
 *
 *   ret_names  the other words; they live as long as the program.
 *
 * Returns SA_CTL_OK, or SA_CTL_USAGE after saying what is wrong and how the command is written.
 */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_parse(struct sa_ctl *ctl, const struct sa_ctl_option *options,
                                            size_t option_count, char **ret_names, size_t name_count);

/* The same with up to SA_CTL_LIST_MAX other words, or none. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_parse_names(struct sa_ctl *ctl, const struct sa_ctl_option *options,
                                                  size_t option_count, struct sa_ctl_list *ret_names);

/* The options of every command (--output, --socket, --timeout) in front of it; advances words and count. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_parse_first(struct sa_ctl *ctl);

/* Say how the command is written. Returns SA_CTL_USAGE. */
enum sa_ctl_exit sa_ctl_usage(const struct sa_ctl *ctl);

/*
 * A point in time: "2026-12-31" (its first second) or "2026-12-31T18:00:00Z", UTC, from 1970 to 9999.
 * Returns SA_CTL_OK, or SA_CTL_USAGE after saying what is wrong.
 */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_parse_date(const char *text, int64_t *ret_seconds);

/* Split "read,write" in place at its commas. SA_CTL_USAGE for more than SA_CTL_LIST_MAX words, or an empty
 * one. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_split(char *text, struct sa_ctl_list *ret_words);

/* ---- calls (ctl_call.c) ---- */

/*
 * Call `rpc` of a service.
 *
 *   request    may hold secrets.
 *   ret_reply  the response as JSON (ctl_json.c); written only on SA_CTL_OK; the caller releases it.
 *
 * Any other result than SA_CTL_OK was explained on stderr: what went wrong, the request id, what to do next.
 */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_call(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service,
                                           const char *rpc, const ProtobufCMessage *request,
                                           json_t **ret_reply);

/* The same; with `quiet` a daemon that is away (SA_CTL_UNAVAILABLE) is not explained: it was before. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_try(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service,
                                          const char *rpc, const ProtobufCMessage *request, bool quiet,
                                          json_t **ret_reply);

/*
 * The same for an rpc whose response says no more than `accepted`; says `done` (printf) when it was, or
 * prints {"accepted": true}.
 */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_do(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service,
                                         const char *rpc, const ProtobufCMessage *request, const char *done,
                                         ...) __attribute__((format(printf, 5, 6)));

/*
 * Follow a stream: print what `pick` makes of each message, as a line of JSON, until it ends or falls silent.
 *
 *   pick  called with each message as JSON; false: it is not worth a line.
 *
 * Never returns SA_CTL_OK: the end of a stream is explained like a call that failed.
 */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_follow(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service,
                                             const char *rpc, const ProtobufCMessage *request,
                                             bool (*pick)(void *user, const json_t *message), void *user);

/*
 * Ask for every page of a list.
 *
 *   page_token  the request's field of that name; it is as it was when this returns.
 *   field       the response's list.
 *   ret_rows    an array; the caller releases it.
 */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_list(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service,
                                           const char *rpc, const ProtobufCMessage *request,
                                           char **page_token, const char *field, json_t **ret_rows);

/* The exit code and the advice that belong to a status; *ret_advice is "" where there is none. */
enum sa_ctl_exit sa_ctl_outcome(enum sa_status status, const char **ret_advice);

/* A line on stderr, escaped. */
void sa_ctl_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Say that memory is short. Returns SA_CTL_BROKEN. */
enum sa_ctl_exit sa_ctl_no_memory(void);

/* ---- messages as JSON (ctl_json.c) ---- */

/* Make jansson wipe what it frees: grants and secrets pass through it. Call before its first use. */
void sa_ctl_json_start(void);

/*
 * A message as an object: fields under their names in the .proto, ids and lengths of time as numbers, enum
 * values in lower case without their prefix, bytes as text (hashes in hexadecimal), absent messages as null.
 * NULL for lack of memory; the caller releases it.
 */
json_t *sa_ctl_json(const ProtobufCMessage *message);

/* ---- what a person or a program reads (ctl_print.c) ---- */

enum sa_ctl_format {
    SA_CTL_PLAIN,   /* by the value's type */
    SA_CTL_TIME_MS, /* milliseconds since 1970 */
    SA_CTL_TIME_S,  /* seconds since 1970 */
    SA_CTL_MEMBERS, /* an object, or an array of them: each its members that are not empty */
};

struct sa_ctl_column {
    const char *title;
    const char *key;
    enum sa_ctl_format format;
};

/* An array of objects: aligned columns under their titles, or JSON. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_print_rows(const struct sa_ctl *ctl, const json_t *rows,
                                                 const struct sa_ctl_column *columns, size_t column_count);

/* One object: a line a column, or JSON. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_print_one(const struct sa_ctl *ctl, const json_t *object,
                                                const struct sa_ctl_column *columns, size_t column_count);

/* JSON as it is, indented, with a line feed. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_print_json(const json_t *value);

/*
 * Text from outside, so that a terminal shows it and does nothing: control characters, characters that turn
 * the direction of writing and bytes that are not UTF-8 become \xNN or \u{NNNN}, a backslash becomes two.
 *   ret_text  a terminated string of at most `size` - 1 bytes, cut at a character.
 */
void sa_ctl_escape(const char *text, size_t len, char *ret_text, size_t size);

/* "2026-12-31T18:00:00Z"; "-" for 0. `ret_text` has SA_CTL_TIME_LEN + 1 bytes. */
#define SA_CTL_TIME_LEN 31u
void sa_ctl_time(int64_t seconds, char ret_text[SA_CTL_TIME_LEN + 1]);

/* ---- secrets (ctl_secret.c) ---- */

struct sa_ctl_secret {
    size_t len;
    uint8_t data[SA_CTL_SECRET_MAX + 1]; /* terminated */
};

void sa_ctl_secret_wipe(struct sa_ctl_secret *secret);

/* SA_CTL_SECRET(name): one that is wiped when it goes out of scope. */
#define SA_CTL_SECRET(name) __attribute__((cleanup(sa_ctl_secret_wipe))) struct sa_ctl_secret name = {0}

/* A secret as a field of a message; as long as the secret. */
ProtobufCBinaryData sa_ctl_secret_field(struct sa_ctl_secret *secret);

/* Text as a field of bytes. */
ProtobufCBinaryData sa_ctl_text_field(char *text);

/* Ask on the terminal without echo, twice with `twice`; where stdin is no terminal, read one line from it. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_ask_secret(const char *prompt, bool twice,
                                                 struct sa_ctl_secret *ret_secret);

/* One line of stdin, the line feed taken off. *ret_end: there was none. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_read_line(struct sa_ctl_secret *ret_line, bool *ret_end);

/* The first line of a file; one that is a regular file must not be open to others. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_read_secret_file(const char *path, struct sa_ctl_secret *ret_secret);

/* ---- claims (ctl_claims.c) ---- */

/* The payload of a JWT, not verified. NULL where it is none; the caller releases it. */
json_t *sa_ctl_claims(const char *token, size_t len);

/* ---- a token in a file (ctl_token_file.c) ---- */

/*
 * Keep what IssueAttestedToken gives in a file of mode 0600, fresh, until SIGTERM, SIGINT or SIGHUP; then
 * take the file away.
 *
 *   request  an IssueAttestedTokenRequest.
 *   path     its directory must be this user's, writable by nobody else, with no symbolic link on the way.
 *
 * Returns SA_CTL_OK after a signal; SA_CTL_REFUSED where the session has ended; what else waiting does not
 * mend. A daemon that is away is asked again after 1 s, doubling to 30 s.
 */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_token_keep(struct sa_ctl *ctl, const ProtobufCMessage *request,
                                                 const char *path);

/* ---- the commands ---- */

enum sa_ctl_exit sa_ctl_user_add(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_user_list(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_user_show(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_user_passwd(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_user_disable(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_user_enable(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_user_delete(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_user_import(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_user_export(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_user_update(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_password_list_build(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_password_list_check(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_add(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_show(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_update(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_secret_rotate(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_secret_end(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_list(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_disable(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_enable(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_delete(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_audience_allow(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_client_audience_remove(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_api_key_add(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_api_key_list(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_api_key_rotate(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_api_key_end(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_api_key_revoke(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_token(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_token_issue(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_token_refresh(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_token_exchange(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_token_introspect(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_token_revoke(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_session_list(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_session_show(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_session_revoke(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_lockout_list(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_lockout_show(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_lockout_clear(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_mfa_enroll(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_mfa_recovery(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_mfa_show(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_mfa_remove(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_key_list(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_key_rotate(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_key_revoke(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_key_export(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_key_watch(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_revocation_watch(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_audit_list(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_gateway_list(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_gateway_revoke(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_master_key_rotate(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_status(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_explain(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_offline(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_setup(struct sa_ctl *ctl);
enum sa_ctl_exit sa_ctl_doctor(struct sa_ctl *ctl);

/* The table of commands. */
const struct sa_ctl_row *sa_ctl_rows(size_t *ret_count);

/*
 * The command that the first of `count` words name: the row with the most words among those that fit.
 *   ret_used  how many words it took.
 * NULL where there is none.
 */
const struct sa_ctl_row *sa_ctl_find(char *const *words, int count, int *ret_used);

/* Everything after main's start: `words` without the program's name. Returns the exit code. */
enum sa_ctl_exit sa_ctl_run(int count, char **words);

#endif
