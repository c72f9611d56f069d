/* links: sa_crypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/crypto/encode.h"
#include "service/crypto/keyring.h"

static const uint8_t master[32] = "an example key for tests, 32 byt";

static struct sa_keyring *keyring;
static char directory[] = "/tmp/sa-keyring-XXXXXX";
static char path[64];

static int
start(void **state SA_UNUSED)
{
    keyring = sa_keyring_new(sa_bytes(master, sizeof(master)));
    if (keyring == NULL || mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/master.key", directory);
    return 0;
}

static int
stop(void **state SA_UNUSED)
{
    sa_keyring_free(keyring);
    unlink(path);
    return rmdir(directory);
}

static enum sa_status
open_file(bool may_create, const char **ret_why)
{
    struct sa_keyring *opened = NULL;
    enum sa_status status = sa_keyring_open(path, getuid(), may_create, &opened, ret_why);

    sa_keyring_free(opened);
    return status;
}

static void
write_file(size_t len, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(master, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void
a_key_that_others_can_read_is_refused(void **state SA_UNUSED)
{
    const char *why = NULL;

    write_file(32, 0644);
    assert_int_equal(open_file(true, &why), SA_PERMISSION_DENIED);
    assert_non_null(strstr(why, "0600"));
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(open_file(true, &why), SA_PERMISSION_DENIED);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(open_file(true, &why), SA_OK);
    assert_int_equal(chmod(directory, 0777), 0);
    assert_int_equal(open_file(true, &why), SA_PERMISSION_DENIED);
    assert_int_equal(chmod(directory, 0700), 0);
}

static void
a_key_of_another_length_or_a_link_is_refused(void **state SA_UNUSED)
{
    const char *why;
    char target[80];

    write_file(31, 0600);
    assert_int_equal(open_file(true, &why), SA_INVALID_ARGUMENT);
    snprintf(target, sizeof(target), "%s/elsewhere", directory);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(open_file(true, &why), SA_STORAGE);
    assert_int_equal(unlink(target), 0);
    assert_int_equal(unlink(path), 0);
}

static void
a_missing_key_is_made_only_where_there_is_no_store(void **state SA_UNUSED)
{
    const char *why;
    struct stat st;

    unlink(path);
    assert_int_equal(open_file(false, &why), SA_INVALID_ARGUMENT);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(open_file(true, &why), SA_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 32);
    assert_int_equal(open_file(false, &why), SA_OK);
}

static void
a_sealed_value_opens_in_its_own_place_only(void **state SA_UNUSED)
{
    struct sa_bytes plain = sa_bytes_of("$argon2id$...");
    uint8_t sealed[64], opened[64];
    struct sa_bytes box = sa_bytes(sealed, plain.len + SA_SEAL_OVERHEAD);

    sa_keyring_seal(keyring, "users", "hash", sa_bytes_of("row1"), plain, sealed);
    assert_int_equal(sa_keyring_unseal(keyring, "users", "hash", sa_bytes_of("row1"), box, opened), SA_OK);
    assert_memory_equal(opened, plain.data, plain.len);
    assert_int_equal(sa_keyring_unseal(keyring, "users", "hash", sa_bytes_of("row2"), box, opened),
                     SA_INTERNAL);
    assert_int_equal(sa_keyring_unseal(keyring, "users", "hasr", sa_bytes_of("ow1"), box, opened),
                     SA_INTERNAL);
    assert_int_equal(sa_keyring_unseal(keyring, "keys", "hash", sa_bytes_of("row1"), box, opened),
                     SA_INTERNAL);
    for (size_t i = 0; i < box.len; i++) {
        sealed[i] ^= 1;
        assert_int_equal(sa_keyring_unseal(keyring, "users", "hash", sa_bytes_of("row1"), box, opened),
                         SA_INTERNAL);
        sealed[i] ^= 1;
        assert_int_equal(
            sa_keyring_unseal(keyring, "users", "hash", sa_bytes_of("row1"), sa_bytes(sealed, i), opened),
            SA_INTERNAL);
    }
}

/* ---- rotation ---- */

static struct sa_keyring *
reopen(void)
{
    struct sa_keyring *opened = NULL;
    const char *why;

    assert_int_equal(sa_keyring_open(path, getuid(), false, &opened, &why), SA_OK);
    return opened;
}

/* A file, its next one, and what the store would be told of both. */
static struct sa_keyring *
begin_rotation(struct sa_kept kept[2])
{
    const char *why;

    write_file(32, 0600);
    struct sa_keyring *rotating = reopen();
    assert_int_equal(sa_keyring_settle(rotating, NULL, 0, &why), SA_OK);
    assert_int_equal(sa_keyring_prepare(rotating, 2), SA_OK);
    assert_int_equal(sa_keyring_keep(rotating, 1, &kept[0]), SA_OK);
    assert_int_equal(sa_keyring_keep(rotating, 2, &kept[1]), SA_OK);
    return rotating;
}

static struct sa_bytes
seal(const struct sa_keyring *with, uint8_t sealed[64])
{
    struct sa_bytes plain = sa_bytes_of("a secret");

    sa_keyring_seal(with, "users", "hash", sa_bytes_of("row"), plain, sealed);
    return sa_bytes(sealed, plain.len + SA_SEAL_OVERHEAD);
}

static enum sa_status
unseal(const struct sa_keyring *with, struct sa_bytes sealed)
{
    uint8_t plain[64];

    return sa_keyring_unseal(with, "users", "hash", sa_bytes_of("row"), sealed, plain);
}

static void
a_key_that_is_not_the_store_s_is_refused(void **state SA_UNUSED)
{
    char next[80];
    struct sa_kept kept[2];
    const char *why = "";

    SA_OWN(sa_keyring) rotating = begin_rotation(kept);
    assert_int_equal(sa_keyring_epoch(rotating), 1); /* nothing is sealed with the next one yet */
    SA_OWN(sa_keyring) other = sa_keyring_new(sa_bytes("0123456789abcdef0123456789abcdef", 32));
    assert_int_equal(sa_keyring_settle(other, kept, 1, &why), SA_INVALID_ARGUMENT);
    assert_non_null(strstr(why, "another master key"));
    assert_int_equal(sa_keyring_settle(other, kept, 2, &why), SA_INVALID_ARGUMENT);
    assert_non_null(strstr(why, ".next"));

    struct sa_kept swapped[2] = {kept[1], kept[0]};
    SA_OWN(sa_keyring) both = reopen();
    assert_int_equal(sa_keyring_settle(both, swapped, 2, &why), SA_INVALID_ARGUMENT);

    struct sa_kept renamed = kept[0];
    renamed.epoch = 2;
    assert_int_equal(sa_keyring_settle(both, &renamed, 1, &why), SA_INVALID_ARGUMENT);
    renamed.sealed[0] = 2;
    assert_int_equal(sa_keyring_settle(both, &renamed, 1, &why), SA_INVALID_ARGUMENT);

    snprintf(next, sizeof(next), "%s.next", path);
    assert_int_equal(chmod(next, 0640), 0); /* others could read it: it is as good as absent */
    SA_OWN(sa_keyring) half = reopen();
    assert_int_equal(sa_keyring_settle(half, kept, 2, &why), SA_INVALID_ARGUMENT);
    assert_int_equal(unlink(next), 0);
}

static void
both_keys_open_until_the_old_one_is_forgotten(void **state SA_UNUSED)
{
    uint8_t first[64], second[64];
    struct sa_kept kept[2];
    char next[80];

    SA_OWN(sa_keyring) rotating = begin_rotation(kept);
    struct sa_bytes old = seal(rotating, first);
    assert_int_equal(first[0], 1);
    sa_keyring_switch(rotating);
    struct sa_bytes new = seal(rotating, second);
    assert_int_equal(second[0], 2);
    assert_int_equal(sa_keyring_epoch(rotating), 2);
    assert_int_equal(unseal(rotating, old), SA_OK);
    assert_int_equal(unseal(rotating, new), SA_OK);
    first[0] = 2; /* the epoch is a part of what is sealed */
    assert_int_equal(unseal(rotating, old), SA_INTERNAL);
    first[0] = 3;
    assert_int_equal(unseal(rotating, old), SA_INTERNAL);
    first[0] = 1;

    assert_int_equal(sa_keyring_adopt(rotating), SA_OK);
    snprintf(next, sizeof(next), "%s.next", path);
    assert_int_equal(access(next, F_OK), -1);
    assert_int_equal(unseal(rotating, old), SA_OK);
    sa_keyring_forget(rotating);
    assert_int_equal(unseal(rotating, old), SA_INTERNAL);
    assert_int_equal(unseal(rotating, new), SA_OK);
}

static void
a_start_goes_on_from_wherever_the_rotation_was(void **state SA_UNUSED)
{
    uint8_t first[64], second[64];
    struct sa_kept kept[2];
    const char *why = "";
    char next[80];
    struct stat st;

    SA_OWN(sa_keyring) rotating = begin_rotation(kept);
    struct sa_bytes old = seal(rotating, first);
    sa_keyring_switch(rotating);
    struct sa_bytes new = seal(rotating, second);
    snprintf(next, sizeof(next), "%s.next", path);

    SA_OWN(sa_keyring) before = reopen(); /* the file is there, and the store does not know of it */
    assert_int_equal(sa_keyring_settle(before, NULL, 0, &why), SA_OK);
    assert_int_equal(unseal(before, old), SA_OK);
    assert_int_equal(unseal(before, new), SA_INTERNAL);

    SA_OWN(sa_keyring) within = reopen();
    assert_int_equal(sa_keyring_settle(within, kept, 2, &why), SA_OK);
    assert_int_equal(unseal(within, old), SA_OK);
    assert_int_equal(unseal(within, new), SA_OK);
    assert_int_equal(sa_keyring_epoch(within), 2);
    assert_int_equal(access(next, F_OK), 0);

    SA_OWN(sa_keyring) after = reopen(); /* the store is done, and the file has not its name yet */
    assert_int_equal(sa_keyring_settle(after, &kept[1], 1, &why), SA_OK);
    assert_int_equal(unseal(after, old), SA_INTERNAL);
    assert_int_equal(unseal(after, new), SA_OK);
    assert_int_equal(access(next, F_OK), -1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    SA_OWN(sa_keyring) later = reopen();
    assert_int_equal(sa_keyring_settle(later, &kept[1], 1, &why), SA_OK);
    assert_int_equal(unseal(later, new), SA_OK);
    SA_OWN(sa_keyring) back = reopen(); /* with a store from before */
    assert_int_equal(sa_keyring_settle(back, kept, 1, &why), SA_INVALID_ARGUMENT);
}

static void
the_keys_of_keyed_hashes_stay(void **state SA_UNUSED)
{
    uint8_t before[SA_MAC_LEN], after[SA_MAC_LEN];
    struct sa_kept kept[2];
    const char *why;

    SA_OWN(sa_keyring) rotating = begin_rotation(kept);
    sa_keyring_switch(rotating);
    assert_int_equal(sa_keyring_adopt(rotating), SA_OK);
    SA_OWN(sa_keyring) opened = reopen();
    sa_keyring_mac(rotating, SA_KEY_CLIENT_SECRET, sa_bytes_of("secret"), before);
    sa_keyring_mac(opened, SA_KEY_CLIENT_SECRET, sa_bytes_of("secret"), after);
    assert_memory_not_equal(before, after, SA_MAC_LEN); /* the store has not told it yet */
    assert_int_equal(sa_keyring_settle(opened, &kept[1], 1, &why), SA_OK);
    for (unsigned use = SA_KEY_SEAL + 1; use < SA_KEY_USES; use++) {
        sa_keyring_mac(keyring, (enum sa_key_use)use, sa_bytes_of("secret"), before);
        sa_keyring_mac(opened, (enum sa_key_use)use, sa_bytes_of("secret"), after);
        assert_memory_equal(before, after, SA_MAC_LEN);
    }
}

static void
a_next_key_that_cannot_be_written_changes_nothing(void **state SA_UNUSED)
{
    uint8_t sealed[64];
    char next[80];
    const char *why;

    write_file(32, 0600);
    SA_OWN(sa_keyring) opened = reopen();
    assert_int_equal(sa_keyring_settle(opened, NULL, 0, &why), SA_OK);
    snprintf(next, sizeof(next), "%s.next", path);
    assert_int_equal(mkdir(next, 0700), 0); /* root could write into any directory */
    assert_int_equal(sa_keyring_prepare(opened, 2), SA_STORAGE);
    assert_int_equal(rmdir(next), 0);
    assert_int_equal(sa_keyring_epoch(opened), 1);
    assert_int_equal(unseal(keyring, seal(opened, sealed)), SA_OK);
}

static void
every_use_has_a_key_of_its_own(void **state SA_UNUSED)
{
    uint8_t macs[SA_KEY_USES][SA_MAC_LEN];

    for (unsigned i = 0; i < SA_KEY_USES; i++) {
        sa_keyring_mac(keyring, (enum sa_key_use)i, sa_bytes_of("data"), macs[i]);
        for (unsigned j = 0; j < i; j++)
            assert_memory_not_equal(macs[i], macs[j], SA_MAC_LEN);
    }
}

static void
base64url_takes_its_canonical_form_only(void **state SA_UNUSED)
{
    static const char *const bad[] = {"A", "AB=", "AB==", "A B", "AB\n", "A+", "A/", "AB", "ABD", "AAAAA"};
    uint8_t data[8];
    size_t len = 99;

    for (size_t i = 0; i < SA_COUNT(bad); i++) /* "AB" and "ABD" have bits past the last byte */
        assert_int_equal(sa_base64url_decode(sa_bytes_of(bad[i]), data, sizeof(data), &len),
                         SA_INVALID_ARGUMENT);
    assert_int_equal(sa_base64url_decode(sa_bytes_of("AAAAAAAAAAAA"), data, 8, &len), SA_INVALID_ARGUMENT);
    assert_int_equal(len, 99);
    for (unsigned byte = 0x80; byte <= 0xff; byte++) {
        uint8_t high[] = {'A', 'A', 'A', (uint8_t)byte};
        assert_int_equal(sa_base64url_decode(sa_bytes(high, sizeof(high)), data, sizeof(data), &len),
                         SA_INVALID_ARGUMENT);
    }
    assert_int_equal(sa_base64url_decode(sa_bytes_of("-_8"), data, sizeof(data), &len), SA_OK);
    assert_int_equal(len, 2);
    assert_memory_equal(data, "\xfb\xff", 2);
}

static void
an_id_is_no_option_of_a_command(void **state SA_UNUSED)
{
    char id[SA_ID_LEN + 1];

    for (unsigned i = 0; i < 10000; i++) { /* one in 64 would begin with a dash */
        sa_random_id(id);
        assert_int_equal(strlen(id), SA_ID_LEN);
        assert_int_not_equal(id[0], '-');
    }
}

static void
tag_of(enum sa_key_use use, uint8_t kind, const char *one, const char *two, uint8_t ret_tag[SA_TAG_LEN])
{
    const struct sa_bytes parts[] = {sa_bytes_of(one), sa_bytes_of(two)};

    sa_keyring_tag(keyring, use, kind, parts, 2, ret_tag);
}

static void
tags_keep_parts_kinds_and_uses_apart(void **state SA_UNUSED)
{
    char of64[65] = {0};
    char of65[66] = {0};
    uint8_t tags[8][SA_TAG_LEN];

    memset(of64, 'a', 64);
    memset(of65, 'a', 65);
    tag_of(SA_KEY_LOCKOUT, 'p', "alice", "there", tags[0]);
    tag_of(SA_KEY_LOCKOUT, 'p', "alicet", "here", tags[1]);
    tag_of(SA_KEY_LOCKOUT, 'p', "", "alicethere", tags[2]);
    tag_of(SA_KEY_LOCKOUT, 'n', "alice", "there", tags[3]);
    tag_of(SA_KEY_AUDIT_NAME, 'p', "alice", "there", tags[4]);
    tag_of(SA_KEY_LOCKOUT, 'p', of64, "", tags[5]);
    tag_of(SA_KEY_LOCKOUT, 'p', of65, "", tags[6]);
    of65[64] = 'b';
    tag_of(SA_KEY_LOCKOUT, 'p', of65, "", tags[7]);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned k = 0; k < i; k++)
            assert_memory_not_equal(tags[i], tags[k], SA_TAG_LEN);
    tag_of(SA_KEY_LOCKOUT, 'p', "alice", "there", tags[1]);
    assert_memory_equal(tags[0], tags[1], SA_TAG_LEN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_others_can_read_is_refused),
        cmocka_unit_test(a_key_of_another_length_or_a_link_is_refused),
        cmocka_unit_test(a_missing_key_is_made_only_where_there_is_no_store),
        cmocka_unit_test(a_sealed_value_opens_in_its_own_place_only),
        cmocka_unit_test(a_key_that_is_not_the_store_s_is_refused),
        cmocka_unit_test(both_keys_open_until_the_old_one_is_forgotten),
        cmocka_unit_test(a_start_goes_on_from_wherever_the_rotation_was),
        cmocka_unit_test(the_keys_of_keyed_hashes_stay),
        cmocka_unit_test(a_next_key_that_cannot_be_written_changes_nothing),
        cmocka_unit_test(every_use_has_a_key_of_its_own),
        cmocka_unit_test(base64url_takes_its_canonical_form_only),
        cmocka_unit_test(an_id_is_no_option_of_a_command),
        cmocka_unit_test(tags_keep_parts_kinds_and_uses_apart),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
