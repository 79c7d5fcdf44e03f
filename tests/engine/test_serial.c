/* engine/serial (RFC 5280 4.1.2.2). OpenSSL's ASN1_INTEGER and BIGNUM are the second opinion. */
#include "engine/serial.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#define NOW_MS INT64_C(1767225600123)       /* 2026-01-01T00:00:00.123Z */

struct fixture {
    struct ca_crypto *crypto;
    struct ca_rng *rng;
};

static struct fixture fixture;

static int set_up(void **state)
{
    if (ca_crypto_new(&fixture.crypto, NULL) != CA_OK) return -1;
    if (ca_rng_new(fixture.crypto, NULL, &fixture.rng, NULL) != CA_OK) return -1;
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ca_rng_free(f->rng);
    ca_crypto_free(f->crypto);
    return 0;
}

static int compare_octets(const void *a, const void *b)
{
    return memcmp(a, b, CA_SERIAL_OWN);
}

static void a_million_serials_are_positive_minimal_and_all_different(void **state)
{
    enum { COUNT = 1000000 };
    struct fixture *f = *state;
    uint8_t *all = malloc((size_t)COUNT * CA_SERIAL_OWN);
    size_t wrong = 0, equal = 0;

    assert_non_null(all);
    for (size_t i = 0; i < COUNT; i++) {
        int64_t tick = NOW_MS + (int64_t)(i / 4096);
        struct ca_serial serial = { .len = 0 };

        if (ca_serial_draw(f->rng, tick, i, &serial, NULL) != CA_OK) wrong++;
        if (serial.len != 18 || serial.octets[0] == 0 || serial.octets[0] >= 0x80) wrong++;
        if (serial.octets[18] != 0 || serial.octets[19] != 0) wrong++;
        if (ca_serial_tick_ms(&serial) != tick) wrong++;
        memcpy(all + i * CA_SERIAL_OWN, serial.octets, CA_SERIAL_OWN);
    }
    qsort(all, COUNT, CA_SERIAL_OWN, compare_octets);
    for (size_t i = 1; i < COUNT; i++) {
        if (memcmp(all + (i - 1) * CA_SERIAL_OWN, all + i * CA_SERIAL_OWN, CA_SERIAL_OWN) == 0) {
            equal++;
        }
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(equal, 0);
    free(all);
}

/* RFC 5280 4.1.2.2 */
static void openssl_encodes_a_drawn_serial_as_it_stands(void **state)
{
    static const int64_t ticks[] = { CA_CLOCK_MIN_MS, NOW_MS, INT64_C(0x7fffffffffff) };
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        struct ca_serial serial;
        BIGNUM *number;
        ASN1_INTEGER *integer;
        unsigned char *der = NULL;

        assert_int_equal(ca_serial_draw(f->rng, ticks[i], 0, &serial, NULL), CA_OK);
        number = BN_bin2bn(serial.octets, serial.len, NULL);
        integer = BN_to_ASN1_INTEGER(number, NULL);
        assert_int_equal(i2d_ASN1_INTEGER(integer, &der), 2 + CA_SERIAL_OWN);
        assert_memory_equal(der + 2, serial.octets, CA_SERIAL_OWN);
        OPENSSL_free(der);
        ASN1_INTEGER_free(integer);
        BN_free(number);
    }
}

static void later_ticks_give_greater_serials(void **state)
{
    struct fixture *f = *state;
    struct ca_serial last, next;

    assert_int_equal(ca_serial_draw(f->rng, NOW_MS, 0, &last, NULL), CA_OK);
    for (int64_t i = 1; i < 1000; i++) {
        assert_int_equal(ca_serial_draw(f->rng, NOW_MS + i, 0, &next, NULL), CA_OK);
        assert_true(ca_serial_compare(&last, &next) < 0);
        assert_true(ca_serial_compare(&next, &last) > 0);
        last = next;
    }
    assert_int_equal(ca_serial_compare(&last, &last), 0);
}

static void a_clock_before_2020_or_after_6429_is_refused(void **state)
{
    static const int64_t ticks[] = { CA_CLOCK_MIN_MS - 1, 0, -1, INT64_MIN, INT64_MAX,
                                     INT64_C(0x800000000000) };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
        struct ca_serial serial = { .len = 99 };
        struct ca_error err = { 0 };

        assert_int_equal(ca_serial_draw(f->rng, ticks[i], 0, &serial, &err), CA_REFUSED);
        assert_string_equal(err.name, "clock");
        assert_int_equal(serial.len, 99);
    }
}

static void a_seeded_serial_depends_on_tick_and_ordinal_only(void **state)
{
    const uint64_t seed = 5;
    struct fixture *f = *state;
    struct ca_rng *rng = NULL;
    struct ca_serial a, b, c;

    assert_int_equal(ca_rng_new(f->crypto, &seed, &rng, NULL), CA_OK);
    assert_int_equal(ca_serial_draw(rng, NOW_MS, 7, &a, NULL), CA_OK);
    assert_int_equal(ca_serial_draw(rng, NOW_MS, 8, &b, NULL), CA_OK);
    assert_int_equal(ca_serial_draw(rng, NOW_MS, 7, &c, NULL), CA_OK);
    assert_int_equal(ca_serial_compare(&a, &c), 0);
    assert_int_not_equal(ca_serial_compare(&a, &b), 0);
    ca_rng_free(rng);
}

static void every_way_of_writing_a_serial_reads_the_same(void **state)
{
    static const struct {
        const char *text, *canonical;
    } rows[] = {
        { "1", "01" }, { "01", "01" }, { "0001", "01" }, { "abc", "0abc" }, { "0ABC", "0abc" },
        { "0a:bc", "0abc" }, { "A:bC", "0abc" }, { "00:00:0a:bc", "0abc" }, { "80", "80" },
        { "a:bcde", "0abcde" }, { "7f0080", "7f0080" },
        { "0000000000000000000000000000000000000000000001", "01" },
        { "ffffffffffffffffffffffffffffffffffffffff", "ffffffffffffffffffffffffffffffffffffffff" },
        { "f:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff:ff",
          "0fffffffffffffffffffffffffffffffffffffff" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_serial serial;
        char text[CA_SERIAL_TEXT_MAX];

        assert_int_equal(ca_serial_parse(rows[i].text, &serial, NULL), CA_OK);
        assert_true(serial.len > 0 && serial.octets[0] != 0);
        ca_serial_format(&serial, text);
        assert_string_equal(text, rows[i].canonical);
    }
}

static void what_is_no_serial_is_malformed(void **state)
{
    static const char *const rows[] = {
        "", "0", "00", "00:00", ":", "1:", ":1", "01:", ":01", "01::02", "0:1:2", "01:2", "0x01",
        "g", "1g", "-1", " 1", "1 ", "01 02", "\xc3\xa9",
        "01ffffffffffffffffffffffffffffffffffffffff",      /* 21 octets */
        "1ffffffffffffffffffffffffffffffffffffffff",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_serial serial = { .len = 99 };
        struct ca_error err = { 0 };

        assert_int_equal(ca_serial_parse(rows[i], &serial, &err), CA_MALFORMED);
        assert_true(err.text[0] != '\0');
        assert_int_equal(serial.len, 99);
    }
}

/* Numbers as OpenSSL's BN_bn2hex writes them, of every length. */
static void parse_and_compare_agree_with_openssls_numbers(void **state)
{
    struct ca_serial last = { .len = 0 };
    BIGNUM *last_number = BN_new(), *number = BN_new();

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct ca_serial serial;
        char *hex, text[CA_SERIAL_TEXT_MAX], *upper = text;

        assert_int_equal(BN_rand(number, 1 + i % 160, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY), 1);
        if (BN_is_zero(number)) assert_int_equal(BN_add_word(number, 1), 1);
        hex = BN_bn2hex(number);
        assert_int_equal(ca_serial_parse(hex, &serial, NULL), CA_OK);
        ca_serial_format(&serial, text);
        for (; *upper != '\0'; upper++) {
            if (*upper >= 'a') *upper = (char)(*upper - 'a' + 'A');
        }
        assert_string_equal(text, hex);
        if (last.len != 0) {
            int ours = ca_serial_compare(&serial, &last), theirs = BN_cmp(number, last_number);

            assert_int_equal((ours > 0) - (ours < 0), theirs);
        }
        last = serial;
        assert_non_null(BN_copy(last_number, number));
        OPENSSL_free(hex);
    }
    BN_free(number);
    BN_free(last_number);
}

/* A context whose generator cannot be made: OpenSSL reads its name from the configuration. */
static struct ca_crypto *new_crypto_without_generator(void)
{
    static const char config[] = "openssl_conf = a\n[a]\nrandom = b\n[b]\nrandom = NO-SUCH\n";
    char path[] = "/tmp/certmill-test-XXXXXX";
    struct ca_crypto *crypto = NULL;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, config, sizeof(config) - 1), sizeof(config) - 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(setenv("OPENSSL_CONF", path, 1), 0);
    assert_int_equal(ca_crypto_new(&crypto, NULL), CA_OK);
    assert_int_equal(unsetenv("OPENSSL_CONF"), 0);
    assert_int_equal(unlink(path), 0);
    return crypto;
}

static void a_broken_generator_draws_no_serial(void **state)
{
    struct ca_crypto *crypto = new_crypto_without_generator();
    struct ca_serial serial = { .len = 99 };
    struct ca_rng *rng = NULL;

    (void)state;
    assert_int_equal(ca_rng_new(crypto, NULL, &rng, NULL), CA_OK);
    assert_int_equal(ca_serial_draw(rng, NOW_MS, 0, &serial, NULL), CA_CRYPTO);
    assert_int_equal(serial.len, 99);
    ca_rng_free(rng);
    ca_crypto_free(crypto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_serials_are_positive_minimal_and_all_different),
        cmocka_unit_test(openssl_encodes_a_drawn_serial_as_it_stands),
        cmocka_unit_test(later_ticks_give_greater_serials),
        cmocka_unit_test(a_clock_before_2020_or_after_6429_is_refused),
        cmocka_unit_test(a_broken_generator_draws_no_serial),
        cmocka_unit_test(a_seeded_serial_depends_on_tick_and_ordinal_only),
        cmocka_unit_test(every_way_of_writing_a_serial_reads_the_same),
        cmocka_unit_test(what_is_no_serial_is_malformed),
        cmocka_unit_test(parse_and_compare_agree_with_openssls_numbers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
