/* Options of a client's record that say how it proves itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/ctl_client.h"

enum sa_ctl_exit
sa_ctl_record_attest(struct sa_ctl_record *record, char *text)
{
    struct sa_ctl_list words = {0};
    enum sa_ctl_exit result = sa_ctl_split(text, &words);
    char *end = NULL;

    if (result != SA_CTL_OK)
        return result;
    secauth__v1__client_attestation__init(&record->attestation);
    secauth__v1__posix_id__init(&record->attest_uid);
    bool good = words.count <= 2 && strncmp(words.items[0], "uid=", 4) == 0 && words.items[0][4] >= '0' &&
                words.items[0][4] <= '9';
    unsigned long long uid = good ? strtoull(words.items[0] + 4, &end, 10) : 0;
    if (good && words.count == 2)
        good = strncmp(words.items[1], "unit=", 5) == 0;
    if (!good || *end != '\0' || uid > UINT32_MAX) {
        sa_ctl_complain("--attest takes uid=N or uid=N,unit=NAME.service");
        return SA_CTL_USAGE;
    }
    record->attest_uid.id = (uint32_t)uid;
    record->attestation.uid = &record->attest_uid;
    if (words.count == 2)
        record->attestation.unit = words.items[1] + 5;
    record->client.attestation = &record->attestation;
    return SA_CTL_OK;
}

/* "FROM=TO=SCOPE,...": no audience has an equals sign. */
enum sa_ctl_exit
sa_ctl_record_exchanges(struct sa_ctl_record *record, const struct sa_ctl_list *words)
{
    for (size_t i = 0; i < words->count; i++) {
        Secauth__V1__ClientExchange *exchange = &record->exchanges[i];
        char *to = strchr(words->items[i], '=');
        char *scopes = to == NULL ? NULL : strchr(to + 1, '=');
        if (scopes == NULL) {
            sa_ctl_complain("--exchange takes FROM=TO=SCOPE,... , not `%s`", words->items[i]);
            return SA_CTL_USAGE;
        }
        *to++ = '\0';
        *scopes++ = '\0';
        secauth__v1__client_exchange__init(exchange);
        exchange->from_audience = words->items[i];
        exchange->to_audience = to;
        enum sa_ctl_exit result = sa_ctl_split(scopes, &record->exchange_scopes[i]);
        if (result != SA_CTL_OK)
            return result;
        exchange->n_scopes = record->exchange_scopes[i].count;
        exchange->scopes = record->exchange_scopes[i].items;
        record->exchange_list[i] = exchange;
    }
    record->client.n_exchanges = words->count;
    record->client.exchanges = record->exchange_list;
    return SA_CTL_OK;
}

static int
digit(char c)
{
    static const char DIGITS[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(DIGITS, c | 0x20);

    return at == NULL ? -1 : (int)(at - DIGITS);
}

static bool
from_hex(const char *text, uint8_t ret_digest[SA_VERIFY_CERTIFICATE_LEN])
{
    if (strlen(text) != (size_t)2 * SA_VERIFY_CERTIFICATE_LEN)
        return false;
    for (size_t i = 0; i < SA_VERIFY_CERTIFICATE_LEN; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

enum sa_ctl_exit
sa_ctl_record_certificates(struct sa_ctl_record *record, const struct sa_ctl_list *words)
{
    for (size_t i = 0; i < words->count; i++) {
        if (!from_hex(words->items[i], record->digests[i]) &&
            !sa_verify_certificate_digest(words->items[i], record->digests[i])) {
            sa_ctl_complain("%s is neither a readable certificate in PEM nor its SHA-256 in hexadecimal",
                            words->items[i]);
            return SA_CTL_USAGE;
        }
        record->certificates[i] =
            (ProtobufCBinaryData){.len = SA_VERIFY_CERTIFICATE_LEN, .data = record->digests[i]};
    }
    record->client.n_certificates = words->count;
    record->client.certificates = record->certificates;
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_record_jwks(struct sa_ctl_record *record, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t len = 0;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && len < sizeof(record->jwks)) {
        got = read(fd, record->jwks + len, sizeof(record->jwks) - len);
        len += got > 0 ? (size_t)got : 0;
    }
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0) {
        sa_ctl_complain("%s: %s", path, strerror(error));
        return SA_CTL_BROKEN;
    }
    if (len == 0 || len > SA_CTL_JWKS_MAX) {
        sa_ctl_complain("%s: a JWK Set has 1 to %u bytes", path, SA_CTL_JWKS_MAX);
        return SA_CTL_INVALID;
    }
    record->client.jwks = (ProtobufCBinaryData){.len = len, .data = record->jwks};
    return SA_CTL_OK;
}
