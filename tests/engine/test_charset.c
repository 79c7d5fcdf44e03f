#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/charset.h"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* X.680 table 10; ASN1_PRINTABLE_type is the judge: it says PrintableString only for those. */
static void printable_strings_have_the_octets_that_openssl_says(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        const unsigned char octet = (unsigned char)c;
        bool theirs = ASN1_PRINTABLE_type(&octet, 1) == V_ASN1_PRINTABLESTRING;

        if ((ca_charset_printable(ca_bytes_of(&octet, 1)) == 1) != theirs) fail_msg("%02x", octet);
    }
    assert_int_equal(ca_charset_printable(ca_bytes_of("\0", 1)), 0);
    assert_int_equal(ca_charset_printable(ca_bytes_str("ab@c")), 2);
}

static void ascii_is_what_can_be_printed(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const uint8_t octet = (uint8_t)c;

        assert_int_equal(ca_charset_ascii(ca_bytes_of(&octet, 1)), c >= 32 && c < 127 ? 1 : 0);
    }
    assert_int_equal(ca_charset_ascii(ca_bytes_str("abc\ndef")), 3);
    assert_int_equal(ca_charset_ascii(ca_bytes_of(NULL, 0)), 0);
}

/* Characters that are good UTF-8, but hide or reorder what a reader sees. */
static bool is_hidden(unsigned long c)
{
    static const unsigned long ranges[][2] = {
        { 0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e },
        { 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
        { 0xfdd0, 0xfdef }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
    };

    if ((c & 0xffff) >= 0xfffe) return true;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
    }
    return false;
}

/* Every character there is, encoded by OpenSSL. */
static void every_character_is_judged_alone(void **state)
{
    (void)state;
    for (unsigned long c = 0; c <= 0x10ffff; c++) {
        unsigned char text[8];
        int len = UTF8_putc(text, sizeof(text), c);
        size_t characters = 99, good;

        assert_int_equal(c >= 0x80 && ca_charset_hides((uint32_t)c),
                         c >= 0x80 && (is_hidden(c) || (c >= 0xd800 && c <= 0xdfff)));
        if (len <= 0) {                 /* surrogates */
            assert_true(c >= 0xd800 && c <= 0xdfff);
            continue;
        }
        good = ca_charset_utf8(ca_bytes_of(text, (size_t)len), &characters);
        if (good != (is_hidden(c) ? 0 : (size_t)len)) fail_msg("U+%04lx", c);
        assert_int_equal(characters, good == 0 ? 0 : 1);
    }
    assert_true(ca_charset_hides(0x110000));
    assert_true(ca_charset_hides(UINT32_MAX));
}

/* OpenSSL's reader is the judge of what is UTF-8 (it takes surrogates, which we do not). */
static void every_short_string_of_octets_is_judged_as_openssl_does(void **state)
{
    (void)state;
    for (unsigned first = 0x80; first < 256; first++) {
        for (unsigned rest = 0; rest < 65536; rest += 7) {
            unsigned char text[4] = { (unsigned char)first, (unsigned char)(rest >> 8),
                                      (unsigned char)rest, 0x80 };
            unsigned long c = 0;
            int theirs = UTF8_getc(text, sizeof(text), &c);
            size_t characters, ours;

            ours = ca_charset_utf8(ca_bytes_of(text, sizeof(text)), &characters);
            if (theirs > 0 && !(c >= 0xd800 && c <= 0xdfff) && c <= 0x10ffff && !is_hidden(c))
                assert_true(ours >= (size_t)theirs);
            else
                assert_int_equal(ours, 0);
        }
    }
}

static void characters_are_counted_not_octets(void **state)
{
    struct ca_bytes text = ca_bytes_str("Z\xc3\xbcrich \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x98\x80");
    size_t characters = 0;

    (void)state;
    assert_int_equal(ca_charset_utf8(text, &characters), text.len);
    assert_int_equal(characters, 11);
    assert_int_equal(ca_charset_utf8(ca_bytes_of(text.data, 2), &characters), 1);
    assert_int_equal(characters, 1);
}

static void joiners_that_scripts_need_are_good(void **state)
{
    size_t characters = 0;

    (void)state;
    assert_int_equal(ca_charset_utf8(ca_bytes_str("\xe2\x80\x8c\xe2\x80\x8d"), &characters), 6);
    assert_int_equal(characters, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_strings_have_the_octets_that_openssl_says),
        cmocka_unit_test(ascii_is_what_can_be_printed),
        cmocka_unit_test(every_character_is_judged_alone),
        cmocka_unit_test(every_short_string_of_octets_is_judged_as_openssl_does),
        cmocka_unit_test(characters_are_counted_not_octets),
        cmocka_unit_test(joiners_that_scripts_need_are_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
