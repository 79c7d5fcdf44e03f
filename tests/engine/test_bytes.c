#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/bytes.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A small generator of our own, so that a failure repeats. */
static uint64_t random_state = 0xd1342543de82ef95;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void a_buffer_holds_what_was_appended_in_order(void **state)
{
    struct ca_buf buf;
    char model[5000];
    size_t len = 0;

    (void)state;
    ca_buf_init(&buf, sizeof(model));
    while (len < 4000) {
        char piece[40];
        size_t n = next_random() % sizeof(piece);

        for (size_t i = 0; i < n; i++) piece[i] = (char)next_random();
        ca_buf_append(&buf, piece, n);
        memcpy(model + len, piece, n);
        len += n;
    }
    ca_buf_append_u8(&buf, 'x');
    ca_buf_append_str(&buf, "yz");
    ca_buf_append_bytes(&buf, ca_bytes_str("12"));
    ca_buf_printf(&buf, "%d-%s", 34, "five");
    memcpy(model + len, "xyz1234-five", 12);
    len += 12;
    assert_int_equal(ca_buf_status(&buf, "it", NULL), CA_OK);
    assert_int_equal(buf.len, len);
    assert_memory_equal(buf.data, model, len);
    assert_true(ca_bytes_equal(ca_buf_view(&buf), ca_bytes_of(model, len)));
    ca_buf_clear(&buf);
    assert_null(buf.data);
}

static void a_buffer_never_passes_its_bound_and_remembers_that(void **state)
{
    struct ca_buf buf;
    struct ca_error err;

    (void)state;
    for (size_t max = 0; max < 600; max += 7) {
        size_t filled = 0;

        ca_buf_init(&buf, max);
        while (filled + 3 <= max) {
            ca_buf_append(&buf, "abc", 3);
            filled += 3;
        }
        assert_int_equal(buf.failed, CA_OK);
        ca_buf_append(&buf, "abc", 3);
        assert_int_equal(buf.failed, CA_FULL);
        assert_int_equal(buf.len, filled);
        ca_buf_append_u8(&buf, 'x');            /* would fit, but the run of appends has failed */
        assert_null(ca_buf_extend(&buf, 0));
        assert_false(ca_buf_reserve(&buf, 0));
        assert_int_equal(buf.len, filled);
        assert_true(buf.cap <= max);
        assert_int_equal(ca_buf_status(&buf, "the thing", &err), CA_FULL);
        assert_non_null(strstr(err.text, "the thing"));
        ca_buf_clear(&buf);
    }
}

static void a_reset_buffer_keeps_its_memory_and_forgets_its_failure(void **state)
{
    struct ca_buf buf;
    uint8_t *data;

    (void)state;
    ca_buf_init(&buf, 300);
    assert_non_null(ca_buf_extend(&buf, 300));
    data = buf.data;
    ca_buf_append_u8(&buf, 1);
    assert_int_equal(buf.failed, CA_FULL);
    ca_buf_reset(&buf);
    assert_int_equal(buf.len, 0);
    ca_buf_append(&buf, "abc", 3);
    assert_int_equal(buf.failed, CA_OK);
    assert_ptr_equal(buf.data, data);
    ca_buf_clear(&buf);
}

static void wiped_memory_is_zero_and_a_cleared_secret_is_gone(void **state)
{
    uint8_t secret[32];
    struct ca_buf buf;

    (void)state;
    memset(secret, 0xa5, sizeof(secret));
    ca_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++) assert_int_equal(secret[i], 0);
    ca_buf_init(&buf, 100);
    ca_buf_append_str(&buf, "passphrase");
    ca_buf_clear_secret(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    ca_buf_clear_secret(&buf);                  /* and again, being empty */
}

static void slices_and_comparisons_count_octets(void **state)
{
    struct ca_bytes text = ca_bytes_of("a\0b\0c", 5);

    (void)state;
    assert_true(ca_bytes_equal(ca_bytes_slice(text, 2, 3), ca_bytes_of("b\0c", 3)));
    assert_false(ca_bytes_equal(ca_bytes_slice(text, 2, 3), ca_bytes_of("b\0d", 3)));
    assert_false(ca_bytes_equal(ca_bytes_slice(text, 2, 2), ca_bytes_of("b\0c", 3)));
    assert_int_equal(ca_bytes_slice(text, 5, 0).len, 0);
    assert_true(ca_bytes_equal(ca_bytes_of(NULL, 0), ca_bytes_str("")));
}

static void integers_are_big_endian(void **state)
{
    static const uint8_t octets[8] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
    uint8_t out[8];

    (void)state;
    assert_int_equal(ca_get_u16(octets), 0x0123);
    assert_int_equal(ca_get_u32(octets), 0x01234567);
    assert_true(ca_get_u64(octets) == UINT64_C(0x0123456789abcdef));
    assert_true(ca_get_u64((const uint8_t[8]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe }) ==
                UINT64_MAX - 1);
    ca_put_u64(out, UINT64_C(0x0123456789abcdef));
    assert_memory_equal(out, octets, 8);
    ca_put_u32(out, 0x01234567);
    assert_memory_equal(out, octets, 4);
    ca_put_u16(out, 0x0123);
    assert_memory_equal(out, octets, 2);
}

static void hexadecimal_is_read_in_any_case_with_single_colons(void **state)
{
    static const struct {
        const char *text, *out;     /* out NULL: refused */
    } cases[] = {
        { "", "" },          { "0aFf", "0aff" },  { "0a:ff", "0aff" }, { "0a:ff:00", "0aff00" },
        { "0", NULL },       { "0aF", NULL },     { "0a::ff", NULL },  { ":0a", NULL },
        { "0a:", NULL },     { "0g", NULL },      { "0a ff", NULL },   { "0x0a", NULL },
        { "0a0b0c0d", "0a0b0c0d" }, { "0a0b0c0d0e", NULL }, { "0:a", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t octets[4];
        char text[9];
        size_t len = 0;
        enum ca_status st = ca_hex_decode(cases[i].text, octets, sizeof(octets), &len, NULL);

        if ((st == CA_OK) != (cases[i].out != NULL)) fail_msg("%s", cases[i].text);
        if (st != CA_OK) {
            assert_int_equal(st, CA_MALFORMED);
            continue;
        }
        ca_hex_encode(ca_bytes_of(octets, len), text);
        assert_string_equal(text, cases[i].out);
    }
}

/* jansson reads the string back; NUL is allowed to it by a flag. */
static void escaped_text_is_json_that_jansson_reads_as_the_same_text(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        static const char *const pieces[] = { "a",   "\"",  "\\",   "\n",       "\r",
                                              "\t",  "\x01", "\x1f", "\x7f",     "/",
                                              "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                              "\xef\xbf\xbf", "<", "'", "\xed\x9f\xbf" };
        char text[200];
        size_t len = 0, count = next_random() % 20;
        struct ca_buf out;
        json_t *value;

        for (size_t i = 0; i < count; i++) {
            const char *piece = pieces[next_random() % (sizeof(pieces) / sizeof(pieces[0]))];

            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
            if (next_random() % 10 == 0) text[len++] = '\0';
        }
        ca_buf_init(&out, 2000);
        ca_json_append_string(&out, ca_bytes_of(text, len));
        for (size_t i = 0; i < out.len; i++)
            assert_true(out.data[i] >= 0x20 && out.data[i] != 0x7f);
        value = json_loadb((char *)out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        assert_int_equal(json_string_length(value), len);
        assert_memory_equal(json_string_value(value), text, len);
        json_decref(value);
        ca_buf_clear(&out);
    }
}

static void octets_that_are_not_utf8_become_replacement_characters(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "a\xff" "b", "a\\ufffdb" },                   /* no first octet */
        { "\x80", "\\ufffd" },                          /* a continuation alone */
        { "\xc3", "\\ufffd" },                          /* cut off */
        { "\xc0\xaf", "\\ufffd\\ufffd" },               /* overlong slash */
        { "\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd" },
        { "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" },    /* a surrogate */
        { "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" }, /* over U+10FFFF */
        { "\xf0\x8f\xbf\xbf", "\\ufffd\\ufffd\\ufffd\\ufffd" },
        { "\xc3\xa9\xc3", "\xc3\xa9\\ufffd" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_buf out;

        ca_buf_init(&out, 200);
        ca_json_append_escaped(&out, ca_bytes_str(cases[i].in));
        assert_true(ca_bytes_equal(ca_buf_view(&out), ca_bytes_str(cases[i].out)));
        ca_buf_clear(&out);
    }
}

/* Whatever the octets: always one valid JSON string. */
static void any_octets_become_valid_json(void **state)
{
    (void)state;
    for (int round = 0; round < 3000; round++) {
        uint8_t text[40];
        size_t len = next_random() % sizeof(text);
        struct ca_buf out;
        json_t *value;

        for (size_t i = 0; i < len; i++)
            text[i] = (uint8_t)(next_random() | (round % 2 == 0 ? 0 : 0x80));
        ca_buf_init(&out, 2000);
        ca_json_append_string(&out, ca_bytes_of(text, len));
        value = json_loadb((char *)out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        json_decref(value);
        ca_buf_clear(&out);
    }
}

/* The sentences of engine/status.h hold 191 octets. */
static void a_sentence_that_does_not_fit_ends_in_dots_between_characters(void **state)
{
    char text[400] = "";
    struct ca_error err;

    (void)state;
    for (size_t i = 0; i < 190; i++) strcat(text, "\xc3\xa9");
    for (size_t shift = 0; shift < 2; shift++) {
        assert_int_equal(ca_fail(&err, CA_IO, "%s%s", shift == 0 ? "" : "x", text), CA_IO);
        assert_true(strlen(err.text) < sizeof(err.text));
        assert_string_equal(err.text + strlen(err.text) - 3, "...");
        for (const uint8_t *p = (const uint8_t *)err.text; *p != '\0';) {
            size_t len = ca_utf8_sequence(ca_bytes_str((const char *)p));

            assert_true(len > 0);
            p += len;
        }
    }
    assert_int_equal(ca_fail(&err, CA_IO, "%.*s", CA_ERROR_TEXT_MAX - 1, text), CA_IO);
    assert_null(strstr(err.text, "..."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_holds_what_was_appended_in_order),
        cmocka_unit_test(a_buffer_never_passes_its_bound_and_remembers_that),
        cmocka_unit_test(a_reset_buffer_keeps_its_memory_and_forgets_its_failure),
        cmocka_unit_test(wiped_memory_is_zero_and_a_cleared_secret_is_gone),
        cmocka_unit_test(slices_and_comparisons_count_octets),
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(hexadecimal_is_read_in_any_case_with_single_colons),
        cmocka_unit_test(escaped_text_is_json_that_jansson_reads_as_the_same_text),
        cmocka_unit_test(octets_that_are_not_utf8_become_replacement_characters),
        cmocka_unit_test(any_octets_become_valid_json),
        cmocka_unit_test(a_sentence_that_does_not_fit_ends_in_dots_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
