/* links: sa_proto sa_shapes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/decode.h"
#include "proto/frame.h"
#include "secauth/v1/authn.pb-c.h"
#include "secauth/v1/token.pb-c.h"
#include "shapes.pb-c.h"

#define BODY(literal)                                                                                        \
    {                                                                                                        \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                      \
    }
#define SHAPE &secauth__test__shape__descriptor

/* Bytes, and the field and rule that they are refused for; NULL: they are legal. */
struct sample {
    struct sa_bytes body;
    const char *field;
    const char *rule;
};

static void
try_samples(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sa_problem problem = {.rule = NULL};
        enum sa_status status = sa_decode_check(SHAPE, samples[i].body, SA_DECODE_REQUEST, &problem);

        if ((status == SA_OK) != (samples[i].rule == NULL))
            fail_msg("sample %zu: %s %s", i, problem.field,
                     status == SA_OK ? "is let through" : problem.rule);
        if (status == SA_OK)
            continue;
        assert_int_equal(status, SA_INVALID_ARGUMENT);
        if (strcmp(problem.field, samples[i].field) != 0 || strcmp(problem.rule, samples[i].rule) != 0)
            fail_msg("sample %zu: refused for %s: %s", i, problem.field, problem.rule);
    }
}

#define TRY(samples) try_samples(samples, SA_COUNT(samples))

static void
lengths_outside_their_parent_are_refused(SA_UNUSED void **state)
{
    static const char outside[] = "a length is outside of what holds it";
    static const char cut[] = "ends in the middle of a number";
    static const struct sample samples[] = {
        {BODY("\x0a\x02x"), "text", outside},                 /* a string of 2, of which 1 is there */
        {BODY("\x0a"), "text", cut},                          /* no length at all */
        {BODY("\x0a\xff\xff\xff\xff\x0f"), "text", outside},  /* 4 GiB */
        {BODY("\x0a\xff\xff\xff\xff\x7f"), "text", outside},  /* 32 GiB */
        {BODY("\x2a\x03\x0a\x02x"), "child.text", outside},   /* outside of the child, */
        {BODY("\x2a\x03\x0a\x02xyz"), "child.text", outside}, /* inside of the body */
        {BODY("\x3a\x02\x01\x80"), "numbers", cut},           /* a packed number is cut */
        {BODY("\xda\x01\x05\x01\x02\x03\x04\x05"), "fixed32s", outside}, /* five bytes are no fixed32s */
        {BODY("\x85\x01\x01\x02\x03"), "fixed32", outside},
        {BODY("\xb1\x01\x01\x02\x03\x04\x05\x06\x07"), "fixed64", outside},
        {BODY("\x18\x01\x80"), "", cut},      /* a tag: no field is to blame */
        {BODY("\xfa\x3f\x05x"), "", outside}, /* an unknown field */
    };
    TRY(samples);
}

static void
numbers_wider_than_64_bits_are_refused(SA_UNUSED void **state)
{
    static const char bits[] = "a number has more than 64 bits";
    static const char bytes[] = "a number has too many bytes";
    static const struct sample samples[] = {
        {BODY("\xa0\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "uint64", bits},
        {BODY("\xa0\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), "uint64", bits},
        {BODY("\xa0\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NULL, NULL}, /* all 64 */
        {BODY("\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80"), "number", "ends in the middle of a number"},
        {BODY("\x0a\x80\x80\x80\x80\x80\x01"), "text", bytes}, /* a length of six bytes */
        {BODY("\x8a\x80\x80\x80\x80\x00\x00"), "", bytes},     /* a tag of six bytes */
    };
    TRY(samples);
}

static void
field_number_zero_groups_and_unknown_wire_types_are_refused(SA_UNUSED void **state)
{
    static const char number[] = "a field number is outside 1 to 536870911";
    static const char groups[] = "groups and unknown wire types are refused";
    static const struct sample samples[] = {
        {BODY("\x00\x00"), "", number},
        {BODY("\x02\x00"), "", number},
        {BODY("\x80\x80\x80\x80\x10\x00"), "", number}, /* 2^32 */
        {BODY("\x0b\x0c"), "", groups},                 /* group 1 */
        {BODY("\x0c"), "", groups},
        {BODY("\x0e\x00"), "", groups},
        {BODY("\x0f\x00"), "", groups},
        {BODY("\x2a\x02\x0b\x0c"), "child", groups},
    };
    TRY(samples);
}

static void
the_wire_type_of_another_type_is_refused(SA_UNUSED void **state)
{
    static const char other[] = "has the wire type of another type";
    static const struct sample samples[] = {
        {BODY("\x08\x01"), "text", other},                /* a number for a string */
        {BODY("\x1a\x01\x01"), "number", other},          /* bytes for a number: only repeated ones pack */
        {BODY("\x1d\x01\x02\x03\x04"), "number", other},  /* 32 bits for a varint */
        {BODY("\x80\x01\x01"), "fixed32", other},         /* a varint for 32 bits */
        {BODY("\x85\x01\x01\x02\x03\x04"), NULL, NULL},   /* 32 bits as they should be */
        {BODY("\x3d\x01\x02\x03\x04"), "numbers", other}, /* 32 bits for a repeated varint */
        {BODY("\x28\x01"), "child", other},
    };
    TRY(samples);
}

static void
what_is_set_twice_is_refused(SA_UNUSED void **state)
{
    static const char twice[] = "is set twice";
    static const char oneof[] = "one of its oneof is set already";
    static const struct sample samples[] = {
        {BODY("\x18\x01\x18\x01"), "number", twice},
        {BODY("\x18\x00\x18\x00"), "number", twice}, /* explicit defaults too */
        {BODY("\x0a\x00\x18\x01\x0a\x00"), "text", twice},
        {BODY("\x2a\x00\x2a\x00"), "child", twice}, /* protobuf would merge them */
        {BODY("\xc0\x3e\x01\xc0\x3e\x01"), "far_color", twice},
        {BODY("\x2a\x04\x18\x01\x18\x01"), "child.number", twice},
        {BODY("\x5a\x00\x60\x01"), "pick_number", oneof}, /* two members */
        {BODY("\x60\x01\x5a\x00"), "pick_text", oneof},
        {BODY("\x60\x01\x60\x01"), "pick_number", oneof}, /* one member twice */
        {BODY("\x6a\x00\x6a\x00"), "pick_shape", oneof},
        {BODY("\x60\x01\x2a\x02\x60\x01"), NULL, NULL},               /* another message's oneof */
        {BODY("\x32\x01x\x32\x01x\x3a\x01\x01\x38\x01"), NULL, NULL}, /* repeated fields repeat */
        {BODY("\x4a\x02\x18\x01\x4a\x02\x18\x01"), NULL, NULL}, /* each element is a message of its own */
    };
    TRY(samples);
}

static void
unknown_enum_values_are_refused(SA_UNUSED void **state)
{
    static const char unknown[] = "is not one of the known values";
    static const struct sample samples[] = {
        {BODY("\x20\x02"), "color", unknown},
        {BODY("\x20\x81\x80\x80\x80\x10"), "color", unknown}, /* 2^32 + 1 is not 1 */
        {BODY("\x20\xfd\xff\xff\xff\x0f"), "color", unknown}, /* 2^32 - 3 is not -3 */
        {BODY("\x42\x02\x01\x02"), "colors", unknown},
        {BODY("\x40\x02"), "colors", unknown},
        {BODY("\x20\x07"), NULL, NULL},
        {BODY("\x20\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NULL, NULL}, /* -3 */
        {BODY("\x42\x02\x01\x07\x40\x00"), NULL, NULL},
    };
    TRY(samples);
}

static void
strings_that_are_not_clean_utf8_are_refused(SA_UNUSED void **state)
{
    static const char rule[] = "must be UTF-8 without control characters";
    static const struct sample samples[] = {
        {BODY("\x0a\x03"
              "a\0b"),
         "text", rule}, /* protobuf-c would cut it here */
        {BODY("\x0a\x01\n"), "text", rule},
        {BODY("\x0a\x01\x1f"), "text", rule},
        {BODY("\x0a\x01\x7f"), "text", rule},
        {BODY("\x0a\x02\xc2\x80"), "text", rule}, /* C1 */
        {BODY("\x0a\x02\xc2\x9f"), "text", rule},
        {BODY("\x0a\x01\xff"), "text", rule},
        {BODY("\x0a\x01\x80"), "text", rule},
        {BODY("\x0a\x01\xc3\x90\x08\x01"), "text", rule}, /* cut, and a tag that would do as its rest */
        {BODY("\x0a\x03\xe2\x82\xc0"), "text", rule},
        {BODY("\x0a\x02\xc0\xaf"), "text", rule}, /* not the shortest form */
        {BODY("\x0a\x02\xc1\xbf"), "text", rule},
        {BODY("\x0a\x03\xe0\x9f\xbf"), "text", rule},
        {BODY("\x0a\x03\xed\xa0\x80"), "text", rule}, /* a surrogate */
        {BODY("\x0a\x04\xf0\x8f\xbf\xbf"), "text", rule},
        {BODY("\x0a\x04\xf4\x90\x80\x80"), "text", rule}, /* past U+10FFFF */
        {BODY("\x0a\x04\xf5\x80\x80\x80"), "text", rule},
        {BODY("\x0a\x03\xe2\x82"
              "x"),
         "text", rule},
        {BODY("\x32\x01x\x32\x01\n"), "texts", rule},
        {BODY("\x5a\x01\n"), "pick_text", rule},
        {BODY("\x0a\x02\xc2\xa0"), NULL, NULL},
        {BODY("\x0a\x0c\xc3\xa4\xe2\x82\xac\xed\x9f\xbf\xf4\x8f\xbf\xbf"), NULL, NULL},
        {BODY("\x12\x03"
              "a\0\n"),
         NULL, NULL}, /* bytes are bytes */
    };
    TRY(samples);
}

static void
odd_but_legal_encodings_pass(SA_UNUSED void **state)
{
    static const struct sample samples[] = {
        {{NULL, 0}, NULL, NULL},
        {BODY("\xf8\x3f\x01\xfd\x3f\x01\x02\x03\x04\xf9\x3f\x01\x02\x03\x04\x05\x06\x07\x08\xfa\x3f\x01\xff"),
         NULL, NULL}, /* unknown fields of every wire type, and twice the same */
        {BODY("\x0a\x00\x18\x00\x20\x00"), NULL, NULL},     /* explicit defaults */
        {BODY("\x3a\x03\x01\x02\x03\x38\x04"), NULL, NULL}, /* packed and unpacked at once */
        {BODY("\x3a\x00"), NULL, NULL},                     /* packed, none */
        {BODY("\x18\x81\x80\x00"), NULL, NULL},             /* a number that could be shorter */
    };
    TRY(samples);
}

/* `depth` messages, one in the other. */
static struct sa_bytes
nested(uint8_t *ret_body, unsigned depth)
{
    for (unsigned i = 0; i + 1 < depth; i++) {
        ret_body[2 * i] = 0x2a;
        ret_body[2 * i + 1] = (uint8_t)(2 * (depth - 2 - i));
    }
    return sa_bytes(ret_body, 2 * (depth - 1));
}

static void
depth_is_bounded(SA_UNUSED void **state)
{
    uint8_t body[64];
    struct sa_problem problem;

    assert_int_equal(
        sa_decode_check(SHAPE, nested(body, SA_DECODE_DEPTH_MAX + 1), SA_DECODE_REQUEST, &problem),
        SA_INVALID_ARGUMENT);
    assert_string_equal(problem.rule, "messages are nested too deep");
    assert_string_equal(problem.field, "child.child.child.child.child.child.child.child");
    assert_int_equal(sa_decode_check(SHAPE, nested(body, SA_DECODE_DEPTH_MAX), SA_DECODE_REQUEST, &problem),
                     SA_OK);
}

static void
the_number_of_fields_is_bounded(SA_UNUSED void **state)
{
    static uint8_t loose[2 * (SA_DECODE_REPLY_FIELDS_MAX + 1)];
    uint8_t packed[3 + SA_DECODE_REQUEST_FIELDS_MAX] = {0x3a, 0x80, 0x02};
    size_t request_len = 2 * (size_t)SA_DECODE_REQUEST_FIELDS_MAX,
           reply_len = 2 * (size_t)SA_DECODE_REPLY_FIELDS_MAX;
    struct sa_problem problem;

    for (size_t i = 0; i < sizeof(loose); i += 2) {
        loose[i] = 0x38;
        loose[i + 1] = 1;
    }
    assert_int_equal(sa_decode_check(SHAPE, sa_bytes(loose, request_len + 2), SA_DECODE_REQUEST, &problem),
                     SA_INVALID_ARGUMENT);
    assert_string_equal(problem.rule, "too many fields");
    assert_int_equal(sa_decode_check(SHAPE, sa_bytes(loose, reply_len + 2), SA_DECODE_REPLY, &problem),
                     SA_INVALID_ARGUMENT);
    assert_int_equal(sa_decode_check(SHAPE, sa_bytes(packed, sizeof(packed)), SA_DECODE_REQUEST, &problem),
                     SA_INVALID_ARGUMENT); /* 256 elements and the field that holds them */
    assert_int_equal(sa_decode_check(SHAPE, sa_bytes(loose, request_len), SA_DECODE_REQUEST, &problem),
                     SA_OK);
    assert_int_equal(sa_decode_check(SHAPE, sa_bytes(loose, reply_len), SA_DECODE_REPLY, &problem), SA_OK);
}

static void
a_long_path_is_cut_and_no_more(SA_UNUSED void **state)
{
    static const struct sample samples[] = {
        {BODY("\xca\x3e\x05\xca\x3e\x02\x18\x80"),
         "a_child_whose_name_is_longer_than_half_of_what_a_path_holds.a_child_whose_name_is_longer_than_h",
         "ends in the middle of a number"},
    };

    assert_int_equal(strlen(samples[0].field), SA_DECODE_PATH_MAX - 1);
    TRY(samples);
}

static void
a_path_names_the_field_of_the_contract(SA_UNUSED void **state)
{
    static const struct sa_bytes body = BODY("\x12\x06\x0a\x01x\x12\x01\n");
    struct sa_problem problem;

    assert_int_equal(
        sa_decode_check(&secauth__v1__issue_token_request__descriptor, body, SA_DECODE_REQUEST, &problem),
        SA_INVALID_ARGUMENT);
    assert_string_equal(problem.field, "tokens.scope");
}

static void
a_message_is_built_in_the_arena(SA_UNUSED void **state)
{
    static const struct sa_bytes body = BODY("\x0a\x02hi\x12\x03"
                                             "a\0b\x3a\x02\x05\x06\x2a\x02\x18\x09\x60\x04");
    SA_OWN(sa_arena) arena = sa_arena_new(4096);
    struct sa_problem problem;
    ProtobufCMessage *message = NULL;

    assert_int_equal(sa_decode(SHAPE, body, SA_DECODE_REQUEST, arena, &message, &problem), SA_OK);
    Secauth__Test__Shape *shape = (Secauth__Test__Shape *)message;
    assert_string_equal(shape->text, "hi");
    assert_int_equal(shape->raw.len, 3);
    assert_memory_equal(shape->raw.data, "a\0b", 3);
    assert_int_equal(shape->n_numbers, 2);
    assert_int_equal(shape->numbers[1], 6);
    assert_int_equal(shape->child->number, 9);
    assert_int_equal(shape->pick_case, SECAUTH__TEST__SHAPE__PICK_PICK_NUMBER);
    assert_int_equal(shape->pick_number, 4);
}

static void
nothing_is_written_where_a_message_is_refused(SA_UNUSED void **state)
{
    static const struct sa_bytes body = BODY("\x0a\x02x");
    SA_OWN(sa_arena) arena = sa_arena_new(4096);
    struct sa_problem problem;
    ProtobufCMessage *message = NULL;

    assert_int_equal(sa_decode(SHAPE, body, SA_DECODE_REQUEST, arena, &message, &problem),
                     SA_INVALID_ARGUMENT);
    assert_null(message);
}

static void
a_message_that_does_not_fit_the_arena_is_no_memory(SA_UNUSED void **state)
{
    static uint8_t body[SA_FRAME_REQUEST_MAX] = {0x12, 0xfc, 0xff, 0x03};
    struct sa_problem problem;
    ProtobufCMessage *message = NULL;

    for (size_t limit = 0; limit <= sizeof(body); limit += 1000) {
        SA_OWN(sa_arena) arena = sa_arena_new(limit);
        assert_int_equal(
            sa_decode(SHAPE, sa_bytes(body, sizeof(body)), SA_DECODE_REQUEST, arena, &message, &problem),
            SA_NO_MEMORY);
        assert_null(message);
    }
}

static void
the_worst_request_takes_little_more_than_its_bytes(SA_UNUSED void **state)
{
    static uint8_t body[SA_FRAME_REQUEST_MAX];
    size_t len = 0;
    struct sa_problem problem;
    ProtobufCMessage *message = NULL;

    /* 255 empty submessages, the dearest field there is, and bytes for the rest. */
    for (unsigned i = 0; i < SA_DECODE_REQUEST_FIELDS_MAX - 1; i++) {
        body[len++] = 0x4a;
        body[len++] = 0;
    }
    size_t rest = sizeof(body) - len - 4;
    body[len++] = 0x12;
    body[len++] = (uint8_t)(0x80 | (rest & 0x7f));
    body[len++] = (uint8_t)(0x80 | (rest >> 7 & 0x7f));
    body[len++] = (uint8_t)(rest >> 14);
    SA_OWN(sa_arena) arena = sa_arena_new(512 * 1024);
    assert_int_equal(
        sa_decode(SHAPE, sa_bytes(body, sizeof(body)), SA_DECODE_REQUEST, arena, &message, &problem), SA_OK);
}

static void
an_arena_never_hands_out_more_than_its_limit(SA_UNUSED void **state)
{
    SA_OWN(sa_arena) arena = sa_arena_new(100000);
    size_t handed_out = 60000;

    assert_null(sa_arena_alloc(arena, 100001));
    assert_null(sa_arena_alloc(arena, SIZE_MAX));
    assert_non_null(sa_arena_alloc(arena, 60000));
    assert_null(sa_arena_alloc(arena, 60000));
    while (sa_arena_alloc(arena, 100) != NULL)
        handed_out += 100;
    assert_in_range(handed_out, 80000, 100000);
    assert_null(sa_arena_alloc(arena, 100));
}

static void
pieces_of_an_arena_are_zeroed_aligned_and_apart(SA_UNUSED void **state)
{
    SA_OWN(sa_arena) arena = sa_arena_new(1 << 20);
    uint8_t *pieces[300];
    volatile uint8_t *dirt = malloc(4096);

    assert_non_null(dirt); /* what the first block is likely to be made of */
    for (size_t at = 0; at < 4096; at++)
        dirt[at] = 0xff;
    free((void *)(uintptr_t)dirt);
    for (size_t i = 0; i < SA_COUNT(pieces); i++) {
        pieces[i] = sa_arena_alloc(arena, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < i; at++)
            assert_int_equal(pieces[i][at], 0);
        memset(pieces[i], (int)(i & 0xff) | 1, i);
    }
    for (size_t i = 0; i < SA_COUNT(pieces); i++)
        for (size_t at = 0; at < i; at++)
            assert_int_equal(pieces[i][at], (i & 0xff) | 1);
}

static void
a_copied_string_is_whole(SA_UNUSED void **state)
{
    SA_OWN(sa_arena) arena = sa_arena_new(4096);

    assert_string_equal(sa_arena_strdup(arena, "alice"), "alice");
    assert_string_equal(sa_arena_strdup(arena, ""), "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_outside_their_parent_are_refused),
        cmocka_unit_test(numbers_wider_than_64_bits_are_refused),
        cmocka_unit_test(field_number_zero_groups_and_unknown_wire_types_are_refused),
        cmocka_unit_test(the_wire_type_of_another_type_is_refused),
        cmocka_unit_test(what_is_set_twice_is_refused),
        cmocka_unit_test(unknown_enum_values_are_refused),
        cmocka_unit_test(strings_that_are_not_clean_utf8_are_refused),
        cmocka_unit_test(odd_but_legal_encodings_pass),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(the_number_of_fields_is_bounded),
        cmocka_unit_test(a_long_path_is_cut_and_no_more),
        cmocka_unit_test(a_path_names_the_field_of_the_contract),
        cmocka_unit_test(a_message_is_built_in_the_arena),
        cmocka_unit_test(nothing_is_written_where_a_message_is_refused),
        cmocka_unit_test(a_message_that_does_not_fit_the_arena_is_no_memory),
        cmocka_unit_test(the_worst_request_takes_little_more_than_its_bytes),
        cmocka_unit_test(an_arena_never_hands_out_more_than_its_limit),
        cmocka_unit_test(pieces_of_an_arena_are_zeroed_aligned_and_apart),
        cmocka_unit_test(a_copied_string_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
