#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/spki.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* A key's SubjectPublicKeyInfo as OpenSSL writes it; the caller frees it with OPENSSL_free. */
static struct ca_bytes spki_of(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int len;

    assert_non_null(key);
    len = i2d_PUBKEY(key, &der);
    assert_true(len > 0);
    return ca_bytes_of(der, (size_t)len);
}

static EVP_PKEY *ec_key(const char *curve, const char *encoding, const char *form)
{
    OSSL_PARAM params[3], *p = params;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;

    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve,
                                            0);
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING,
                                            (char *)(uintptr_t)encoding, 0);
    *p = OSSL_PARAM_construct_end();
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_params(ctx, params), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(
                         key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, form), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static enum ca_status parse_exact(struct ca_bytes der, struct ca_spki *out, struct ca_error *err)
{
    uint8_t *copy = malloc(der.len == 0 ? 1 : der.len);
    enum ca_status st;

    assert_non_null(copy);
    if (der.len > 0) memcpy(copy, der.data, der.len);
    st = ca_spki_parse(ca_bytes_of(copy, der.len), out, err);
    free(copy);
    return st;
}

static void expect_refusal(struct ca_bytes der, enum ca_reason reason, const char *what)
{
    struct ca_spki spki;
    struct ca_error err = { .status = CA_OK };
    enum ca_status st = parse_exact(der, &spki, &err);

    if (st == CA_OK) fail_msg("%s: accepted", what);
    if (err.reason != reason)
        fail_msg("%s: %s (%s), not %s", what, ca_reason_code(err.reason), err.text,
                 ca_reason_code((uint16_t)reason));
    assert_int_equal(st, err.status);
    assert_true(strlen(err.text) > 0);
}

static void expect_key_refused(EVP_PKEY *key, const char *what)
{
    struct ca_bytes der = spki_of(key);

    expect_refusal(der, CA_REASON_KEY_NOT_SUPPORTED, what);
    OPENSSL_free((void *)(uintptr_t)der.data);
    EVP_PKEY_free(key);
}

static void rsa_keys_are_read_as_openssl_wrote_them(void **state)
{
    static const unsigned bits[] = { 512, 1024, 1031, 2048 };

    (void)state;
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        EVP_PKEY *key = EVP_RSA_gen(bits[i]);
        struct ca_bytes der = spki_of(key);
        struct ca_spki spki;
        BIGNUM *n = NULL, *e = NULL;
        uint8_t octets[300];
        int len;

        assert_int_equal(ca_spki_parse(der, &spki, NULL), CA_OK);
        assert_int_equal(spki.kind, CA_KEY_KIND_RSA);
        assert_int_equal(spki.bits, EVP_PKEY_get_bits(key));
        assert_ptr_equal(spki.whole.data, der.data);
        assert_int_equal(spki.whole.len, der.len);
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n);
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e);
        len = BN_bn2bin(n, octets);
        assert_true(ca_bytes_equal(spki.rsa_n, ca_bytes_of(octets, (size_t)len)));
        len = BN_bn2bin(e, octets);
        assert_true(ca_bytes_equal(spki.rsa_e, ca_bytes_of(octets, (size_t)len)));
        BN_free(n);
        BN_free(e);
        OPENSSL_free((void *)(uintptr_t)der.data);
        EVP_PKEY_free(key);
    }
}

static void named_curves_are_read_as_openssl_wrote_them(void **state)
{
    static const struct {
        const char *curve;
        enum ca_key_kind kind;
        uint32_t bits;
    } curves[] = { { "P-256", CA_KEY_KIND_P256, 256 },
                   { "P-384", CA_KEY_KIND_P384, 384 },
                   { "P-521", CA_KEY_KIND_P521, 521 } };

    (void)state;
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        EVP_PKEY *key = ec_key(curves[i].curve, "named_curve", "uncompressed");
        struct ca_bytes der = spki_of(key);
        struct ca_spki spki;
        uint8_t point[200];
        size_t len = 0;

        assert_int_equal(ca_spki_parse(der, &spki, NULL), CA_OK);
        assert_int_equal(spki.kind, curves[i].kind);
        assert_int_equal(spki.bits, curves[i].bits);
        assert_int_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                         sizeof(point), &len), 1);
        assert_true(ca_bytes_equal(spki.key, ca_bytes_of(point, len)));
        assert_int_equal(spki.rsa_n.len, 0);
        OPENSSL_free((void *)(uintptr_t)der.data);
        EVP_PKEY_free(key);
    }
}

static void eddsa_keys_are_read_as_openssl_wrote_them(void **state)
{
    static const struct {
        const char *type;
        enum ca_key_kind kind;
        size_t octets;
    } kinds[] = { { "ED25519", CA_KEY_KIND_ED25519, 32 }, { "ED448", CA_KEY_KIND_ED448, 57 } };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, kinds[i].type);
        struct ca_bytes der = spki_of(key);
        struct ca_spki spki;
        uint8_t raw[57];
        size_t len = sizeof(raw);

        assert_int_equal(ca_spki_parse(der, &spki, NULL), CA_OK);
        assert_int_equal(spki.kind, kinds[i].kind);
        assert_int_equal(spki.bits, EVP_PKEY_get_bits(key));
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
        assert_int_equal(len, kinds[i].octets);
        assert_true(ca_bytes_equal(spki.key, ca_bytes_of(raw, len)));
        assert_false(ca_spki_has_small_order(&spki));
        OPENSSL_free((void *)(uintptr_t)der.data);
        EVP_PKEY_free(key);
    }
}

static void other_algorithms_curves_and_point_forms_are_not_supported(void **state)
{
    (void)state;
    expect_key_refused(ec_key("secp256k1", "named_curve", "uncompressed"), "secp256k1");
    expect_key_refused(ec_key("P-224", "named_curve", "uncompressed"), "P-224");
    expect_key_refused(ec_key("brainpoolP256r1", "named_curve", "uncompressed"), "brainpool");
    expect_key_refused(ec_key("P-256", "explicit", "uncompressed"), "explicit P-256");
    expect_key_refused(ec_key("P-256", "named_curve", "compressed"), "compressed");
    expect_key_refused(ec_key("P-384", "named_curve", "hybrid"), "hybrid");
    expect_key_refused(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "X25519");
    expect_key_refused(EVP_PKEY_Q_keygen(NULL, NULL, "X448"), "X448");
}

static void an_rsa_pss_key_is_not_supported(void **state)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;

    (void)state;
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 1024), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    expect_key_refused(key, "RSA-PSS");
}

/* Hand-made keys: SEQUENCE { SEQUENCE { algorithm }, BIT STRING { unused, key } } in hex. */
static struct ca_bytes build(const char *algorithm, const char *unused_and_key, struct ca_buf *out)
{
    uint8_t octets[5000];
    size_t len = 0;
    size_t mark;

    ca_buf_init(out, 10000);
    assert_int_equal(ca_hex_decode(algorithm, octets, sizeof(octets), &len, NULL), CA_OK);
    ca_der_add(out, CA_DER_SEQUENCE, ca_bytes_of(octets, len));
    assert_int_equal(ca_hex_decode(unused_and_key, octets, sizeof(octets), &len, NULL), CA_OK);
    mark = out->len;
    ca_buf_append(out, octets, len);
    ca_der_wrap(out, mark, CA_DER_BIT_STRING);
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    assert_int_equal(out->failed, CA_OK);
    return ca_buf_view(out);
}

#define RSA_ALG "06092a864886f70d010101"
#define RSA_ALG_NULL RSA_ALG "0500"
#define EC_ALG "06072a8648ce3d0201"
#define P256 "06082a8648ce3d030107"
#define ED_ALG "06032b6570"
#define HEX32 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ED448_ALG "06032b6571"
#define HEX24 "0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX57 HEX32 HEX24 "80"
#define N512 "0241" "00" "81" "23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"     \
             HEX32
#define E65537 "0203010001"

static void keys_that_are_not_what_their_algorithm_says_are_refused(void **state)
{
    static const struct {
        const char *what, *algorithm, *key;
        enum ca_reason reason;
    } cases[] = {
        { "control RSA", RSA_ALG_NULL, "003048" N512 E65537, CA_REASON_NONE },
        { "control EC", EC_ALG P256, "0004" HEX32 HEX32, CA_REASON_NONE },
        { "control Ed25519", ED_ALG, "00" HEX32, CA_REASON_NONE },
        { "RSA parameters absent", RSA_ALG, "003048" N512 E65537, CA_REASON_BAD_KEY },
        { "RSA parameters INTEGER", RSA_ALG "020100", "003048" N512 E65537, CA_REASON_BAD_KEY },
        { "RSA parameters NULL with content", RSA_ALG "050100", "003048" N512 E65537,
          CA_REASON_BAD_DER },
        { "RSA parameters twice", RSA_ALG "05000500", "003048" N512 E65537, CA_REASON_BAD_KEY },
        { "RSA negative modulus", RSA_ALG_NULL,
          "003047" "0240" "8123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" HEX32
          E65537, CA_REASON_BAD_KEY },
        { "RSA modulus not minimal", RSA_ALG_NULL,
          "003049" "0242" "00008123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
          HEX32 E65537, CA_REASON_BAD_DER },
        { "RSA even modulus", RSA_ALG_NULL,
          "003048" "024100" "81" "23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
          "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdee" E65537,
          CA_REASON_BAD_KEY },
        { "RSA exponent zero", RSA_ALG_NULL, "003046" N512 "020100", CA_REASON_BAD_KEY },
        { "RSA exponent negative", RSA_ALG_NULL, "003046" N512 "0201ff", CA_REASON_BAD_KEY },
        { "RSA exponent longer than the modulus", RSA_ALG_NULL,
          "00308188" N512 "024301" "0000" HEX32 HEX32, CA_REASON_BAD_KEY },
        { "RSA three numbers", RSA_ALG_NULL, "00304b" N512 E65537 "020101", CA_REASON_BAD_KEY },
        { "RSA one number", RSA_ALG_NULL, "003043" N512, CA_REASON_BAD_KEY },
        { "RSA trailing octet", RSA_ALG_NULL, "003048" N512 E65537 "00", CA_REASON_BAD_KEY },
        { "RSA 511 bits", RSA_ALG_NULL,
          "003047" "0240" "4123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" HEX32
          E65537, CA_REASON_KEY_NOT_SUPPORTED },
        { "RSA modulus zero", RSA_ALG_NULL, "003008" "020100" E65537,
          CA_REASON_KEY_NOT_SUPPORTED },
        { "unused bits", EC_ALG P256, "0104" HEX32 HEX32, CA_REASON_BAD_KEY },
        { "empty BIT STRING", EC_ALG P256, "", CA_REASON_BAD_DER },
        { "no point", EC_ALG P256, "00", CA_REASON_BAD_KEY },
        { "infinity", EC_ALG P256, "0000", CA_REASON_BAD_POINT },
        { "infinity and more", EC_ALG P256, "00" "00" HEX32 HEX32, CA_REASON_BAD_KEY },
        { "point too short", EC_ALG P256, "0004" HEX32, CA_REASON_BAD_KEY },
        { "point too long", EC_ALG P256, "0004" HEX32 HEX32 "00", CA_REASON_BAD_KEY },
        { "compressed", EC_ALG P256, "0002" HEX32, CA_REASON_KEY_NOT_SUPPORTED },
        { "hybrid", EC_ALG P256, "0006" HEX32 HEX32, CA_REASON_KEY_NOT_SUPPORTED },
        { "EC without curve", EC_ALG, "0004" HEX32 HEX32, CA_REASON_BAD_KEY },
        { "EC with NULL", EC_ALG "0500", "0004" HEX32 HEX32, CA_REASON_BAD_KEY },
        { "EC with explicit parameters", EC_ALG "3000", "0004" HEX32 HEX32,
          CA_REASON_KEY_NOT_SUPPORTED },
        { "EC with more after the curve", EC_ALG P256 "0500", "0004" HEX32 HEX32,
          CA_REASON_BAD_KEY },
        { "Ed25519 with NULL", ED_ALG "0500", "00" HEX32, CA_REASON_BAD_KEY },
        { "Ed25519 of 31 octets", ED_ALG,
          "0023456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", CA_REASON_BAD_KEY },
        { "control Ed448", ED448_ALG, "00" HEX57, CA_REASON_NONE },
        { "Ed448 with NULL", ED448_ALG "0500", "00" HEX57, CA_REASON_BAD_KEY },
        { "Ed448 of 56 octets", ED448_ALG, "00" HEX32 HEX24, CA_REASON_BAD_KEY },
        { "Ed448 of 58 octets", ED448_ALG, "00" HEX57 "00", CA_REASON_BAD_KEY },
        { "no algorithm", "", "00" HEX32, CA_REASON_BAD_KEY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_buf out;
        struct ca_bytes der = build(cases[i].algorithm, cases[i].key, &out);

        if (cases[i].reason == CA_REASON_NONE) {
            struct ca_spki spki;
            struct ca_error err;

            if (parse_exact(der, &spki, &err) != CA_OK)
                fail_msg("%s: %s", cases[i].what, err.text);
        } else {
            expect_refusal(der, cases[i].reason, cases[i].what);
        }
        ca_buf_clear(&out);
    }
}

/* A modulus with as many bits as asked for, all ones. */
static void expect_bits(uint32_t bits, bool good)
{
    uint8_t modulus[2100];
    static const uint8_t exponent[] = { 1, 0, 1 };
    static const uint8_t algorithm[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
    size_t len = (bits + 7) / 8;
    struct ca_buf key, out;
    struct ca_spki spki;

    memset(modulus, 0xff, len);
    if (bits % 8 != 0) modulus[0] = (uint8_t)((1u << (bits % 8)) - 1);
    ca_buf_init(&key, 10000);
    ca_buf_init(&out, 10000);
    ca_der_add_unsigned(&key, ca_bytes_of(modulus, len));
    ca_der_add_unsigned(&key, ca_bytes_of(exponent, sizeof(exponent)));
    ca_der_wrap(&key, 0, CA_DER_SEQUENCE);
    ca_buf_append(&out, algorithm, sizeof(algorithm));
    ca_der_add_bits(&out, ca_buf_view(&key));
    ca_der_wrap(&out, 0, CA_DER_SEQUENCE);
    if (good) {
        assert_int_equal(ca_spki_parse(ca_buf_view(&out), &spki, NULL), CA_OK);
        assert_int_equal(spki.bits, bits);
    } else {
        expect_refusal(ca_buf_view(&out), CA_REASON_KEY_NOT_SUPPORTED, "size");
    }
    ca_buf_clear(&key);
    ca_buf_clear(&out);
}

static void rsa_keys_are_read_from_512_to_16384_bits(void **state)
{
    (void)state;
    expect_bits(511, false);
    for (uint32_t bits = 512; bits < 540; bits++) expect_bits(bits, true);
    expect_bits(2047, true);
    expect_bits(16384, true);
    expect_bits(16385, false);
}

static void a_key_cut_off_or_followed_by_something_is_refused(void **state)
{
    struct ca_buf out;
    struct ca_bytes der = build(EC_ALG P256, "0004" HEX32 HEX32, &out);
    struct ca_spki spki;

    (void)state;
    for (size_t len = 0; len < der.len; len++)
        assert_int_equal(parse_exact(ca_bytes_of(der.data, len), &spki, NULL), CA_MALFORMED);
    ca_buf_append_u8(&out, 0);
    expect_refusal(ca_buf_view(&out), CA_REASON_BAD_KEY, "trailing octet");
    ca_buf_clear(&out);
}

/* Every encoding of every point whose order divides the cofactor: computed by multiplying points
 * drawn at random with the order of the base point, until all 8 and all 4 were found; y and, where
 * it fits, y + p, with both signs. */
static const char *const small_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000080",
    "00000000000000000000000000000000000000000000000000000000ffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffff00",
    "00000000000000000000000000000000000000000000000000000000ffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffff80",
    "0100000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000080",
    "fefffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffff00",
    "fefffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffff80",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffff00",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffff80",
};

static bool has_small_order(const uint8_t *octets, size_t len, enum ca_key_kind kind)
{
    const struct ca_spki key = { .kind = kind, .key = { octets, len } };

    return ca_spki_has_small_order(&key);
}

static void points_of_small_order_are_known_in_every_encoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++) {
        uint8_t octets[57];
        size_t len = 0;
        enum ca_key_kind kind;

        assert_int_equal(ca_hex_decode(small_order[i], octets, sizeof(octets), &len, NULL), CA_OK);
        kind = len == 32 ? CA_KEY_KIND_ED25519 : CA_KEY_KIND_ED448;
        assert_true(has_small_order(octets, len, kind));
        assert_false(has_small_order(octets, len - 1, kind));
        assert_false(has_small_order(octets, len, CA_KEY_KIND_P256));
        assert_false(has_small_order(octets, len, CA_KEY_KIND_RSA));
        for (size_t at = 0; at + 1 < len; at++) {       /* and nothing beside them is one */
            octets[at] ^= 0x10;
            assert_false(has_small_order(octets, len, kind));
            octets[at] ^= 0x10;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_keys_are_read_as_openssl_wrote_them),
        cmocka_unit_test(named_curves_are_read_as_openssl_wrote_them),
        cmocka_unit_test(eddsa_keys_are_read_as_openssl_wrote_them),
        cmocka_unit_test(other_algorithms_curves_and_point_forms_are_not_supported),
        cmocka_unit_test(an_rsa_pss_key_is_not_supported),
        cmocka_unit_test(keys_that_are_not_what_their_algorithm_says_are_refused),
        cmocka_unit_test(rsa_keys_are_read_from_512_to_16384_bits),
        cmocka_unit_test(points_of_small_order_are_known_in_every_encoding),
        cmocka_unit_test(a_key_cut_off_or_followed_by_something_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
