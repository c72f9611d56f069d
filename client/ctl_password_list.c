/* The list of breached passwords that `password.breached` names; service/auth/breached.h has its form. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl_password_sort.h"
#include "client/verify_sha1.h"

#define HEADER_LEN 32u
#define LINE_SIZE  4096u
#define HEX_LEN    (2 * SA_VERIFY_SHA1_LEN)
#define NTLM_LEN   32u

struct build {
    struct sa_sort *sort;
    uint64_t min_count;
    FILE *out;
    uint64_t count;
};

/* ---- reading the public forms ---- */

static bool
unhex(const char *text, uint8_t ret_digest[SA_VERIFY_SHA1_LEN])
{
    for (unsigned i = 0; i < SA_VERIFY_SHA1_LEN; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        if (strspn(pair, "0123456789abcdefABCDEF") != 2)
            return false;
        ret_digest[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

/* "SHA1:count" or "SHA1" alone; else the line is a password. NTLM's are told by their length. */
enum line { LINE_HASH, LINE_RARE, LINE_PASSWORD, LINE_NTLM };

static enum line
read_line(const char *line, size_t len, uint64_t min_count, uint8_t ret_digest[SA_VERIFY_SHA1_LEN])
{
    size_t hex = strspn(line, "0123456789abcdefABCDEF");
    const char *count = line + hex + 1;

    if (hex == NTLM_LEN && line[hex] == ':')
        return LINE_NTLM;
    if (hex != HEX_LEN || !unhex(line, ret_digest) ||
        (hex != len && (line[hex] != ':' || strspn(count, "0123456789") != len - hex - 1)))
        return LINE_PASSWORD;
    return hex != len && strtoull(count, NULL, 10) < min_count ? LINE_RARE : LINE_HASH;
}

static enum sa_ctl_exit
add_line(struct build *build, const char *path, const char *line, size_t len)
{
    uint8_t digest[SA_VERIFY_SHA1_LEN];

    switch (read_line(line, len, build->min_count, digest)) {
    case LINE_NTLM:
        sa_ctl_complain("%s holds NTLM hashes; the list is made of the SHA-1 ones", path);
        return SA_CTL_INVALID;
    case LINE_RARE:
        return SA_CTL_OK;
    case LINE_PASSWORD:
        if (!sa_verify_sha1(sa_bytes(line, len), digest)) {
            sa_ctl_complain("OpenSSL offers no SHA-1 here");
            return SA_CTL_BROKEN;
        }
        break;
    case LINE_HASH:
        break;
    }
    int error = sa_sort_add(build->sort, digest);
    if (error == 0)
        return SA_CTL_OK;
    sa_ctl_complain("sorting: %s", strerror(error));
    return SA_CTL_BROKEN;
}

static enum sa_ctl_exit
add_input(struct build *build, const char *path)
{
    FILE *in = fopen(path, "re");
    enum sa_ctl_exit result = SA_CTL_OK;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    if (in == NULL) {
        sa_ctl_complain("%s: %s", path, strerror(errno));
        return SA_CTL_BROKEN;
    }
    while (result == SA_CTL_OK && (len = getline(&line, &size, in)) >= 0) {
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = '\0';
        if (len > (ssize_t)LINE_SIZE) {
            sa_ctl_complain("%s: a line of more than %u bytes", path, LINE_SIZE);
            result = SA_CTL_INVALID;
        } else if (len > 0) {
            result = add_line(build, path, line, (size_t)len);
        }
    }
    if (result == SA_CTL_OK && ferror(in)) {
        sa_ctl_complain("%s: cannot be read to its end", path);
        result = SA_CTL_BROKEN;
    }
    free(line);
    fclose(in);
    return result;
}

/* ---- writing ---- */

static void
make_header(uint64_t count, uint8_t ret_header[HEADER_LEN])
{
    memset(ret_header, 0, HEADER_LEN);
    memcpy(ret_header, "SABREACH\1\1", 10);
    ret_header[10] = SA_SORT_WIDTH;
    for (unsigned i = 0; i < 8; i++)
        ret_header[16 + i] = (uint8_t)(count >> (56 - 8 * i));
}

static int
put(void *user, const uint8_t digest[SA_SORT_WIDTH])
{
    struct build *build = user;

    build->count++;
    return fwrite(digest, SA_SORT_WIDTH, 1, build->out) == 1 ? 0 : errno;
}

/* Beside its place, and there by rename: the daemon never sees half of it, and goes on reading the old one.
 */
static enum sa_ctl_exit
write_list(struct build *build, const char *path)
{
    uint8_t header[HEADER_LEN];
    char fresh[4096];

    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
        return SA_CTL_USAGE;
    build->out = fopen(fresh, "we");
    if (build->out == NULL) {
        sa_ctl_complain("%s: %s", fresh, strerror(errno));
        return SA_CTL_BROKEN;
    }
    make_header(0, header);
    errno = 0;
    bool good =
        fwrite(header, sizeof(header), 1, build->out) == 1 && sa_sort_finish(build->sort, put, build) == 0;
    make_header(build->count, header);
    good = good && fseek(build->out, 0, SEEK_SET) == 0 &&
           fwrite(header, sizeof(header), 1, build->out) == 1 && fflush(build->out) == 0 &&
           fchmod(fileno(build->out), 0644) == 0 && fsync(fileno(build->out)) == 0;
    good = fclose(build->out) == 0 && good && build->count > 0 && rename(fresh, path) == 0;
    if (good)
        return SA_CTL_OK;
    sa_ctl_complain("%s: %s", path, build->count == 0 ? "the inputs hold nothing" : strerror(errno));
    unlink(fresh);
    return SA_CTL_BROKEN;
}

enum sa_ctl_exit
sa_ctl_password_list_build(struct sa_ctl *ctl)
{
    struct sa_ctl_number min_count = {.max = UINT64_MAX};
    struct sa_ctl_list inputs = {0};
    struct build build = {0};
    char *path = NULL;
    const struct sa_ctl_option options[] = {{"--file", .text = &path}, {"--min-count", .number = &min_count}};

    enum sa_ctl_exit result = sa_ctl_parse_names(ctl, options, SA_COUNT(options), &inputs);
    if (result == SA_CTL_OK && (inputs.count == 0 || path == NULL))
        result = sa_ctl_usage(ctl);
    if (result != SA_CTL_OK)
        return result;
    char *folder = strdup(path);
    if (folder == NULL)
        return sa_ctl_no_memory();
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = '\0';
    build.min_count = min_count.value;
    build.sort = sa_sort_new(slash == NULL ? "." : folder);
    free(folder);
    if (build.sort == NULL) {
        sa_ctl_complain("room for sorting beside %s: %s", path, strerror(errno));
        return SA_CTL_BROKEN;
    }
    for (size_t i = 0; result == SA_CTL_OK && i < inputs.count; i++)
        result = add_input(&build, inputs.items[i]);
    if (result == SA_CTL_OK)
        result = write_list(&build, path);
    sa_sort_free(build.sort);
    if (result == SA_CTL_OK)
        printf("%s: %llu passwords\n", path, (unsigned long long)build.count);
    return result;
}

/* ---- asking one ---- */

/* 1 or 0; -1 where the file is no such list. */
static int
look_up(int fd, const uint8_t wanted[SA_VERIFY_SHA1_LEN])
{
    uint8_t header[HEADER_LEN], expected[HEADER_LEN], digest[SA_SORT_WIDTH];
    uint64_t low = 0, high = 0;
    struct stat status;

    if (fstat(fd, &status) != 0 || pread(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header))
        return -1;
    high = ((uint64_t)status.st_size - HEADER_LEN) / SA_SORT_WIDTH;
    make_header(high, expected);
    if (memcmp(header, expected, sizeof(header)) != 0)
        return -1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (pread(fd, digest, sizeof(digest), (off_t)(HEADER_LEN + middle * SA_SORT_WIDTH)) !=
            (ssize_t)sizeof(digest))
            return -1;
        int order = memcmp(wanted, digest, sizeof(digest));
        if (order == 0)
            return 1;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

enum sa_ctl_exit
sa_ctl_password_list_check(struct sa_ctl *ctl)
{
    uint8_t wanted[SA_VERIFY_SHA1_LEN];
    SA_CTL_SECRET(password);
    char *path;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &path, 1);
    if (result == SA_CTL_OK)
        result = sa_ctl_ask_secret("Password to look for: ", false, &password);
    if (result != SA_CTL_OK)
        return result;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int listed =
        fd >= 0 && sa_verify_sha1(sa_bytes(password.data, password.len), wanted) ? look_up(fd, wanted) : -1;
    if (listed < 0)
        sa_ctl_complain("%s: %s", path,
                        fd < 0 ? strerror(errno) : "is no list that password-list build has made");
    if (fd >= 0)
        close(fd);
    sa_wipe(wanted, sizeof(wanted));
    if (listed < 0)
        return SA_CTL_BROKEN;
    puts(listed == 1 ? "yes: it is on the list" : "no: it is not on the list");
    return listed == 1 ? SA_CTL_REFUSED : SA_CTL_OK;
}
