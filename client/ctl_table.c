#include "client/ctl.h"

#include <stdio.h>

#define TIMEOUT_SECONDS 30u

static enum sa_ctl_exit
version(struct sa_ctl *ctl)
{
    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    if (!ctl->json) {
        puts("secauthctl " SA_VERSION);
        return SA_CTL_OK;
    }
    json_auto_t *object = json_pack("{s:s}", "version", SA_VERSION);
    return object == NULL ? sa_ctl_no_memory() : sa_ctl_print_json(object);
}

static enum sa_ctl_exit
help_json(const struct sa_ctl_row *rows, size_t count)
{
    json_auto_t *commands = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *row = json_pack("{s:s, s:s, s:s}", "name", rows[i].name, "arguments", rows[i].arguments,
                                "sentence", rows[i].sentence);
        if (json_array_append_new(commands, row) != 0)
            return sa_ctl_no_memory();
    }
    return sa_ctl_print_json(commands);
}

static enum sa_ctl_exit
help(struct sa_ctl *ctl)
{
    size_t count;
    const struct sa_ctl_row *rows = sa_ctl_rows(&count);
    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);

    if (result != SA_CTL_OK)
        return result;
    if (ctl->json)
        return help_json(rows, count);
    puts("usage: secauthctl [--output text|json] [--socket PATH] [--timeout SECONDS] COMMAND ...\n");
    for (size_t i = 0; i < count; i++)
        printf("  %s%s%s\n      %s\n", rows[i].name, rows[i].arguments[0] == '\0' ? "" : " ",
               rows[i].arguments, rows[i].sentence);
    puts("\nPasswords, secrets and tokens are asked for on the terminal or read from stdin, never from the "
         "command\n"
         "line. Exit codes and everything else: secauthctl(8).");
    return SA_CTL_OK;
}

/* Whether --help stands among the words of a command. */
static bool
wants_help(char *const *words, int count)
{
    for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++)
        if (strcmp(words[i], "--help") == 0)
            return true;
    return false;
}

enum sa_ctl_exit
sa_ctl_run(int count, char **words)
{
    struct sa_ctl ctl = {
        .words = words, .count = count, .socket = sa_call_socket(), .timeout_s = TIMEOUT_SECONDS};
    int used;

    enum sa_ctl_exit result = sa_ctl_parse_first(&ctl);
    if (result != SA_CTL_OK)
        return result;
    if (ctl.count == 0) {
        sa_ctl_complain("no command; `secauthctl help` lists them");
        return SA_CTL_USAGE;
    }
    ctl.row = sa_ctl_find(ctl.words, ctl.count, &used);
    if (ctl.row == NULL) {
        sa_ctl_complain("there is no command `%s%s%s`; `secauthctl help` lists them", ctl.words[0],
                        ctl.count > 1 ? " " : "", ctl.count > 1 ? ctl.words[1] : "");
        return SA_CTL_USAGE;
    }
    ctl.words += used;
    ctl.count -= used;
    if (wants_help(ctl.words, ctl.count)) {
        printf("usage: secauthctl %s %s\n%s\n", ctl.row->name, ctl.row->arguments, ctl.row->sentence);
        return SA_CTL_OK;
    }
    result = ctl.row->run(&ctl);
    sa_disconnect(ctl.connection);
    return result;
}

/* How many of the words spell the name; 0 where they do not. */
static int
spelled(const char *name, char *const *words, int count)
{
    int used = 0;

    while (*name != '\0') {
        size_t len = strcspn(name, " ");
        if (used == count || strlen(words[used]) != len || memcmp(words[used], name, len) != 0)
            return 0;
        used++;
        name += len + (name[len] == ' ');
    }
    return used;
}

const struct sa_ctl_row *
sa_ctl_find(char *const *words, int count, int *ret_used)
{
    const struct sa_ctl_row *found = NULL;
    int most = 0;
    size_t row_count;
    const struct sa_ctl_row *rows = sa_ctl_rows(&row_count);

    for (size_t i = 0; i < row_count; i++) {
        int used = spelled(rows[i].name, words, count);
        if (used > most) {
            most = used;
            found = &rows[i];
        }
    }
    if (found != NULL)
        *ret_used = most;
    return found;
}

/* clang-format off */
static const struct sa_ctl_row table[] = {
    {"user add", "NAME --uid N [--full-name TEXT] [--email ADDRESS] [--group G]... [--groups-from-host] [--not-before DATE] [--not-after DATE] [--must-change]",
     "Add a user with a password.", sa_ctl_user_add},
    {"user list", "[--orphans]", "List the users, or those whom this host does not know or knows otherwise.", sa_ctl_user_list},
    {"user show", "NAME", "Show one user.", sa_ctl_user_show},
    {"user update", "NAME [--full-name TEXT] [--email ADDRESS] [--not-before DATE|never] [--not-after DATE|never] [--max-days N] [--min-days N] [--warn-days N] [--inactive-days N|never] [--must-change yes|no] [--groups G,...] [--group-add G]... [--group-remove G]...",
     "Change a user's record.", sa_ctl_user_update},
    {"user passwd", "NAME [--temporary] [--generate]", "Set a user's password; every session of the user ends.", sa_ctl_user_passwd},
    {"user disable", "NAME", "Disable a user; every session of the user ends.", sa_ctl_user_disable},
    {"user enable", "NAME", "Enable a user again.", sa_ctl_user_enable},
    {"user delete", "NAME", "Delete a user.", sa_ctl_user_delete},
    {"user import", "[FILE] [--uid N] [--full-name TEXT] [--groups-from-host] [--dry-run]", "Add users from lines of shadow(5), from a file or standard input.", sa_ctl_user_import},
    {"user export", "NAME... | --all [--file FILE]", "Write users as lines of shadow(5), with their hashes; root's.", sa_ctl_user_export},
    {"password-list build", "INPUT... --file FILE [--min-count N]", "Make a list of breached passwords from the public ones.", sa_ctl_password_list_build},
    {"password-list check", "FILE", "Ask for a password, and say whether it is on such a list.", sa_ctl_password_list_check},
    {"client add", "ID [--public] [--login] [--grant client_credentials|refresh_token|token_exchange]... [--owns AUDIENCE]... [--audience AUDIENCE=SCOPE,...]... [--access-ttl SECONDS] [--grace SECONDS] [--attest uid=N[,unit=UNIT]] [--certificate FILE|HEX]... [--jwks FILE] [--dpop] [--groups] [--exchange FROM=TO=SCOPE,...]... [--secret-file FILE]",
     "Register a client; the secret of a confidential one is shown once.", sa_ctl_client_add},
    {"client update", "ID [options of client add but --secret-file]", "Replace a client's record: what is not said is as for a new one.", sa_ctl_client_update},
    {"client show", "ID", "Show a client's record, and when its secrets were last used.", sa_ctl_client_show},
    {"client secret rotate", "ID [--overlap SECONDS] [--secret-file FILE]", "Give a client a new secret; the one before goes on for the overlap.", sa_ctl_client_secret_rotate},
    {"client secret end", "ID", "End the overlap: the newest secret is good and no other.", sa_ctl_client_secret_end},
    {"client list", "", "List the clients.", sa_ctl_client_list},
    {"client disable", "ID", "Disable a client; its sessions and tokens end.", sa_ctl_client_disable},
    {"client enable", "ID", "Enable a client again.", sa_ctl_client_enable},
    {"client delete", "ID", "Delete a client; its sessions and tokens end.", sa_ctl_client_delete},
    {"client audience allow", "ID AUDIENCE --scopes SCOPE,... [--group G] [--plain-typ]", "Let a client ask for tokens for an audience.", sa_ctl_client_audience_allow},
    {"client audience remove", "ID AUDIENCE", "Take an audience away from a client.", sa_ctl_client_audience_remove},
    {"api-key add", "CLIENT --audience AUDIENCE=SCOPE,... [--audience ...]... [--label TEXT] [--expires DATE] [--key-file FILE]", "Make an API key of a client; it is shown once.", sa_ctl_api_key_add},
    {"api-key list", "[--client ID]", "List API keys, and when they were last used.", sa_ctl_api_key_list},
    {"api-key rotate", "KEY-ID [--overlap SECONDS] [--key-file FILE]", "Give an API key a new secret; the one before goes on for the overlap.", sa_ctl_api_key_rotate},
    {"api-key end", "KEY-ID", "End the overlap: the newest secret of an API key is good and no other.", sa_ctl_api_key_end},
    {"api-key revoke", "KEY-ID", "Revoke an API key.", sa_ctl_api_key_revoke},
    {"token", "--audience AUDIENCE... [--scope SCOPES] [--session ID | --client ID] [--claims | --file FILE]", "Get a token for the login session that this process belongs to, or for the client that it is.", sa_ctl_token},
    {"token issue", "--client ID --secret-file FILE --audience AUDIENCE... [--scope SCOPES] [--claims]", "Get a token for a client itself.", sa_ctl_token_issue},
    {"token refresh", "--client ID [--secret-file FILE] [--audience AUDIENCE]... [--scope SCOPES] [--claims]", "Present the refresh token on standard input, and print the new pair.", sa_ctl_token_refresh},
    {"token exchange", "--client ID --secret-file FILE --audience AUDIENCE [--scope SCOPES] [--claims]", "Exchange the token on standard input, which was meant for the client, for one that the client hands on.", sa_ctl_token_exchange},
    {"token introspect", "[--client ID --secret-file FILE]", "Ask what the token on standard input is worth now.", sa_ctl_token_introspect},
    {"token revoke", "--client ID [--secret-file FILE]", "Revoke the token on standard input.", sa_ctl_token_revoke},
    {"session list", "[--user NAME] [--client ID] [--source SOURCE] [--unused-since DATE]", "List live sessions, the newest first.", sa_ctl_session_list},
    {"session show", "ID", "Show one live session.", sa_ctl_session_show},
    {"session revoke", "ID | --all [--user NAME] | --others [--session ID] [--user NAME]", "End one session, all of a user, or all but one, and every token that they gave.", sa_ctl_session_revoke},
    {"lockout list", "[--user NAME] [--source SOURCE]", "List the failures that count against logins now.", sa_ctl_lockout_list},
    {"lockout show", "NAME", "Show what stands against a user, and where the user is known from.", sa_ctl_lockout_show},
    {"lockout clear", "[--user NAME] [--source SOURCE] [--all]", "Forget failures.", sa_ctl_lockout_clear},
    {"mfa enroll", "[USER] [--algorithm sha1|sha256|sha512] [--digits 6|8] [--key-file FILE] [--no-recovery] [--qr]",
     "Set a second factor up: a key for an authenticator, armed by its first code, and ten recovery codes.", sa_ctl_mfa_enroll},
    {"mfa recovery", "[USER]", "Make ten new recovery codes; the ones from before are void.", sa_ctl_mfa_recovery},
    {"mfa show", "[USER]", "Show which second factors there are.", sa_ctl_mfa_show},
    {"mfa remove", "USER", "Remove every second factor of a user.", sa_ctl_mfa_remove},
    {"key list", "", "List the keys that sign tokens.", sa_ctl_key_list},
    {"key rotate", "[--force]", "Let the prepared key sign now, or say when it may.", sa_ctl_key_rotate},
    {"key revoke", "KID", "Revoke a key and every token that it signed.", sa_ctl_key_revoke},
    {"key export", "--jwks | --pem", "Print the public keys.", sa_ctl_key_export},
    {"key watch", "", "Print the key set as a line of JSON, now and whenever it changes.", sa_ctl_key_watch},
    {"revocation watch", "[--client ID --secret-file FILE] [--after INCARNATION:SEQUENCE]", "Print what is revoked before it expires, as lines of JSON.", sa_ctl_revocation_watch},
    {"audit list", "[--user NAME] [--event EVENT] [--request ID] [--after N] [--limit N] [--newest]", "List records of the audit log.", sa_ctl_audit_list},
    {"gateway list", "", "List the gateways that ever were.", sa_ctl_gateway_list},
    {"gateway revoke", "NAME --since DATE", "End what was made through a gateway: its sessions and tokens.", sa_ctl_gateway_revoke},
    {"master-key rotate", "", "Let another master key seal what is secret in the store, while service goes on.", sa_ctl_master_key_rotate},
    {"explain", "--user NAME --service SERVICE [--rhost HOST] [--tty TTY] [--time DATE]", "Say what would become of a login with the right password: the real rules, run dry.", sa_ctl_explain},
    {"status", "", "Show how the daemon is.", sa_ctl_status},
    {"doctor", "", "Look at the host, and say what is wrong and how to mend it.", sa_ctl_doctor},
    {"setup", "[--yes] [--issuer URL] [--daemon PATH] [--import all|none|NAME,...] [--test-user NAME | --skip-test] [--profile yes|no]",
     "Set a host up, step by step; root's.", sa_ctl_setup},
    {"--offline", "user passwd|enable|export NAME | mfa remove NAME | lockout clear", "Repair the store while the daemon is stopped; root's.", sa_ctl_offline},
    {"version", "", "Print the version of this program.", version},
    {"help", "", "List the commands.", help},
    {"--help", "", "The same.", help},
};
/* clang-format on */

const struct sa_ctl_row *
sa_ctl_rows(size_t *ret_count)
{
    *ret_count = SA_COUNT(table);
    return table;
}
