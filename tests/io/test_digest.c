/*
 * The row checksum against values computed apart from io/digest.c: XXH3_64bits of the library in
 * one call, over the octets laid out as io/digest.c says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/digest.h"

#define B_LEN_MAX 5000

struct inputs {
    uint8_t a[511];
    uint8_t b[B_LEN_MAX];
};

static void fill(struct inputs *in)
{
    for (size_t i = 0; i < sizeof(in->a); i++) in->a[i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < sizeof(in->b); i++) in->b[i] = (uint8_t)(i * 13 + 5);
}

static void the_sum_is_xxh3_over_domain_lengths_and_octets(void **state)
{
    /* All of XXH3's ways: up to 16, 128 and 240 octets in all, one block, several blocks. */
    static const struct { uint8_t domain; size_t a_len, b_len; uint64_t sum; } known[] = {
        { 0, 0, 0, UINT64_C(0xc2915ca0df7ad4c1) },
        { 1, 0, 1, UINT64_C(0xa1771f24286a4f32) },
        { 4, 22, 0, UINT64_C(0x827a9eaab4ea96e0) },
        { 17, 22, 5, UINT64_C(0xeb2f8a4232a30322) },
        { 255, 4, 100, UINT64_C(0x7914e18318b81839) },
        { 4, 22, 200, UINT64_C(0xe8aba0922c500c62) },
        { 4, 22, 201, UINT64_C(0x75c5e49fc5b12251) },
        { 4, 22, 700, UINT64_C(0x0909bd12bd10a39c) },
        { 4, 511, 5000, UINT64_C(0xd9317d5c969b1e4a) },
    };
    static struct inputs in;

    (void)state;
    fill(&in);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(digest_row(known[i].domain, ca_bytes_of(in.a, known[i].a_len),
                                    ca_bytes_of(in.b, known[i].b_len)),
                         known[i].sum);
    }
}

static void every_single_bit_changes_the_sum(void **state)
{
    static struct inputs in;
    const size_t a_len = 22, b_len = 120;
    uint64_t sum;

    (void)state;
    fill(&in);
    sum = digest_row(4, ca_bytes_of(in.a, a_len), ca_bytes_of(in.b, b_len));
    for (size_t bit = 0; bit < (a_len + b_len) * 8; bit++) {
        uint8_t *octet = bit / 8 < a_len ? &in.a[bit / 8] : &in.b[bit / 8 - a_len];

        *octet ^= (uint8_t)(1u << (bit % 8));
        assert_true(digest_row(4, ca_bytes_of(in.a, a_len), ca_bytes_of(in.b, b_len)) != sum);
        *octet ^= (uint8_t)(1u << (bit % 8));
    }
    assert_true(digest_row(5, ca_bytes_of(in.a, a_len), ca_bytes_of(in.b, b_len)) != sum);
}

static void the_same_octets_split_elsewhere_have_another_sum(void **state)
{
    static const uint8_t octets[64] = { 1, 2, 3 };
    uint64_t sum = digest_row(1, ca_bytes_of(octets, 32), ca_bytes_of(octets + 32, 32));

    (void)state;
    for (size_t at = 0; at <= sizeof(octets); at++) {
        if (at == 32) continue;
        assert_true(digest_row(1, ca_bytes_of(octets, at),
                               ca_bytes_of(octets + at, sizeof(octets) - at)) != sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_xxh3_over_domain_lengths_and_octets),
        cmocka_unit_test(every_single_bit_changes_the_sum),
        cmocka_unit_test(the_same_octets_split_elsewhere_have_another_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
