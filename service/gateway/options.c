#include "service/gateway/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/sockets.h"

#define NAME_MAX_LEN 32u

const char sa_gateway_usage[] =
    "usage: secauth-grpc --local PATH --upstream NAME [OPTIONS]\n"
    "       secauth-grpc --listen ADDRESS:PORT --cert FILE --key FILE --upstream NAME [OPTIONS]\n"
    "\n"
    "  --local PATH             serve gRPC on a Unix socket; the kernel names the callers\n"
    "  --listen ADDRESS:PORT    serve gRPC with TLS\n"
    "  --cert FILE              the certificate and its chain, PEM\n"
    "  --key FILE               its private key, PEM, readable by its owner only\n"
    "  --client-ca FILE         clients must show a certificate of these authorities, PEM\n"
    "  --client-certificates required|requested  with --client-ca; requested: may (required)\n"
    "  --upstream NAME          the daemon's socket: " SA_GATEWAY_DIR "/NAME.sock\n"
    "  --calls N                calls in flight, 1 to 65536 (1024)\n"
    "  --calls-per-minute N     for one address, IPv6 /64 or uid, 1 to 1000000 (any number)\n"
    "  --connections N          open connections, 1 to 16384 (what the descriptor limit carries)\n"
    "  --connections-per-peer N for one address, IPv6 /64 or uid, 1 to 16384 (256)\n"
    "  --handshake-seconds N    for a TLS handshake, 1 to 60 (5)\n"
    "  --drain-seconds N        for running calls at stop, 1 to 300 (10)\n"
    "  --verbose                log more\n"
    "  --help, --version\n";

enum option_id {
    LOCAL = 1,
    LISTEN,
    CERT,
    KEY,
    CLIENT_CA,
    CLIENT_CERTIFICATES,
    UPSTREAM,
    CALLS,
    CALLS_PER_MINUTE,
    CONNECTIONS,
    PER_PEER,
    HANDSHAKE,
    DRAIN,
    VERBOSE,
    HELP,
    VERSION
};

static const struct option table[] = {
    {"local", required_argument, NULL, LOCAL},
    {"listen", required_argument, NULL, LISTEN},
    {"cert", required_argument, NULL, CERT},
    {"key", required_argument, NULL, KEY},
    {"client-ca", required_argument, NULL, CLIENT_CA},
    {"client-certificates", required_argument, NULL, CLIENT_CERTIFICATES},
    {"upstream", required_argument, NULL, UPSTREAM},
    {"calls", required_argument, NULL, CALLS},
    {"calls-per-minute", required_argument, NULL, CALLS_PER_MINUTE},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"connections-per-peer", required_argument, NULL, PER_PEER},
    {"handshake-seconds", required_argument, NULL, HANDSHAKE},
    {"drain-seconds", required_argument, NULL, DRAIN},
    {"verbose", no_argument, NULL, VERBOSE},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0},
};

/* NULL where the number is in its range, 1 to a constant, else the rule. */
#define READ_NUMBER(text, max, ret_number)                                                                   \
    read_number(text, max, "the number is out of its range, 1 to " #max, ret_number)
static const char *
read_number(const char *text, unsigned max, const char *rule, unsigned *ret_number)
{
    unsigned long number = 0;
    char *end = NULL;

    if (text[0] >= '0' && text[0] <= '9' && strlen(text) < 10)
        number = strtoul(text, &end, 10);
    if (end == NULL || *end != '\0' || number < 1 || number > max)
        return rule;
    *ret_number = (unsigned)number;
    return NULL;
}

static const char *
read_upstream(const char *name, char ret_path[SA_GATEWAY_PATH_MAX])
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_LEN || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len)
        return "a gateway's name is 1 to 32 of a-z, 0-9, _ and -";
    snprintf(ret_path, SA_GATEWAY_PATH_MAX, SA_GATEWAY_DIR "/%s.sock", name);
    return NULL;
}

static const char *
read_certificates(const char *value, struct sa_gateway_options *options)
{
    options->certificates = value;
    return strcmp(value, "required") == 0 || strcmp(value, "requested") == 0
               ? NULL
               : "it is `required` or `requested`";
}

static const char *
take_option(struct sa_gateway_options *options, int id, const char *value)
{
    switch (id) {
    case LOCAL:
        options->local = value;
        return NULL;
    case LISTEN:
        options->listen = value;
        return NULL;
    case CERT:
        options->cert = value;
        return NULL;
    case KEY:
        options->key = value;
        return NULL;
    case CLIENT_CA:
        options->client_ca = value;
        return NULL;
    case CLIENT_CERTIFICATES:
        return read_certificates(value, options);
    case UPSTREAM:
        return read_upstream(value, options->upstream);
    case CALLS:
        return READ_NUMBER(value, 65536, &options->calls);
    case CALLS_PER_MINUTE:
        return READ_NUMBER(value, 1000000, &options->calls_per_minute);
    case CONNECTIONS:
        return READ_NUMBER(value, 16384, &options->connections);
    case PER_PEER:
        return READ_NUMBER(value, 16384, &options->connections_per_peer);
    case HANDSHAKE:
        return READ_NUMBER(value, 60, &options->handshake_seconds);
    case DRAIN:
        return READ_NUMBER(value, 300, &options->drain_seconds);
    case VERBOSE:
        options->verbose = true;
        return NULL;
    case HELP:
        options->help = true;
        return NULL;
    case VERSION:
        options->version = true;
        return NULL;
    default:
        return "unknown option, or its value is missing";
    }
}

/* What the options together must be. */
static const char *
broken_rule(const struct sa_gateway_options *options)
{
    if (options->help || options->version)
        return NULL;
    if (options->upstream[0] == '\0')
        return "--upstream is missing";
    if ((options->local != NULL) == (options->listen != NULL))
        return "one of --local and --listen is needed";
    if (options->local != NULL && (options->cert != NULL || options->key != NULL))
        return "--cert and --key belong to --listen";
    if (options->listen != NULL && (options->cert == NULL || options->key == NULL))
        return "--listen needs --cert and --key: there is no network without TLS";
    if (options->local != NULL && options->client_ca != NULL)
        return "--client-ca belongs to --listen";
    if (options->client_ca == NULL && options->certificates != NULL)
        return "--client-certificates needs --client-ca";
    return NULL;
}

enum sa_status
sa_gateway_options_read(int argc, char **argv, struct sa_gateway_options *ret_options, char *ret_why,
                        size_t size)
{
    struct sa_gateway_options options = {
        .calls = 1024, .connections_per_peer = 256, .handshake_seconds = 5, .drain_seconds = 10};
    const char *rule;
    int id, row;

    optind = 0; /* a fresh start, also in tests that read more than one command line */
    opterr = 0;
    while ((id = getopt_long(argc, argv, "", table, &row)) != -1) {
        rule = take_option(&options, id, optarg);
        if (rule != NULL) {
            snprintf(ret_why, size, "%s%s: %s", id == '?' ? "" : "--",
                     id == '?' ? argv[optind - 1] : table[row].name, rule);
            return SA_INVALID_ARGUMENT;
        }
    }
    rule = optind < argc ? "it takes options only" : broken_rule(&options);
    if (rule != NULL) {
        snprintf(ret_why, size, "%s", rule);
        return SA_INVALID_ARGUMENT;
    }
    *ret_options = options;
    return SA_OK;
}
