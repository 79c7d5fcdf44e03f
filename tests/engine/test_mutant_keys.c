/*
 * Requests whose key, algorithm or signature is wrong in one thing, most of them signed rightly all
 * the same (test_mutants.c has the other parts): each must be refused with the reason that names
 * its fault, and what is one change away from it accepted.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/mutant.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <stdlib.h>
#include <string.h>

static const struct request_parts control = { .version = NULL };

static void every_digest_and_padding_that_is_right_is_accepted(void **state)
{
    static const struct {
        const char *digest, *mgf1_digest;
        int key, salt_len;
    } cases[] = {
        { "SHA256", NULL, BY_RSA, 0 },      { "SHA384", NULL, BY_RSA, 0 },
        { "SHA512", NULL, BY_RSA, 0 },      { "SHA256", "SHA256", BY_RSA, 32 },
        { "SHA384", "SHA384", BY_RSA, 48 }, { "SHA512", "SHA512", BY_RSA, 64 },
        { "SHA384", NULL, BY_P256, 0 },     { "SHA512", NULL, BY_P256, 0 },
        { "SHA256", NULL, BY_P521, 0 },
    };
    struct mutant_fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct request_signing signing = { f->keys[cases[i].key], cases[i].digest,
                                                 cases[i].mgf1_digest, cases[i].salt_len };
        struct ca_buf out;
        struct ca_error err = { .status = CA_OK };
        struct ca_bytes der = request_build(&control, &signing, &out);

        if (mutant_verdict(f, der, &err) != CA_REASON_NONE) fail_msg("%zu: %s", i, err.text);
        assert_true(request_openssl_verifies(der));
        ca_buf_clear(&out);
    }
}

#define JUDGE(name, key, mutants)                                                                  \
    do {                                                                                           \
        const struct request_signing signing_ = mutant_signing(*state, key);                       \
        mutant_judge_all(*state, name, &signing_, mutants,                                         \
                         sizeof(mutants) / sizeof((mutants)[0]));                                  \
    } while (0)

/* Keys */

/* The key's numbers: N for RSA, X and Y for EC, P for EdDSA. */
static struct ca_bytes number_of(EVP_PKEY *key, char letter, uint8_t *room, size_t cap)
{
    const char *name = letter == 'N' ? OSSL_PKEY_PARAM_RSA_N
                       : letter == 'X' ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_EC_PUB_Y;
    BIGNUM *number = NULL;
    size_t len = cap;

    if (letter == 'P') {
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, room, &len), 1);
        return ca_bytes_of(room, len);
    }
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    len = (size_t)(EVP_PKEY_get_bits(key) + 7) / 8;
    assert_int_equal(BN_bn2binpad(number, room, (int)len), (int)len);
    BN_free(number);
    return ca_bytes_of(room, len);
}

/* Notation in which N, X, Y and P stand for the key's numbers; the caller frees it. */
static char *with_numbers(const char *notation, EVP_PKEY *key)
{
    struct ca_buf text;
    char *copy;

    ca_buf_init(&text, REQUEST_BUILDER_MAX);
    for (const char *p = notation; *p != '\0'; p++) {
        uint8_t room[600];
        char hex[1201];

        if (strchr("NXYP", *p) == NULL) {
            ca_buf_append_u8(&text, (uint8_t)*p);
            continue;
        }
        ca_hex_encode(number_of(key, *p, room, sizeof(room)), hex);
        ca_buf_append_str(&text, hex);
    }
    ca_buf_append_u8(&text, 0);
    assert_int_equal(text.failed, CA_OK);
    copy = strdup((const char *)text.data);
    assert_non_null(copy);
    ca_buf_clear(&text);
    return copy;
}

struct key_mutant {
    const char *what, *key;     /* SubjectPublicKeyInfo */
    enum ca_reason reason;
};

static void judge_keys(struct mutant_fixture *f, const char *name,
                       const struct request_signing *signing, const struct key_mutant *mutants,
                       size_t count)
{
    struct mutant_group group = mutant_begin(f, name);

    for (size_t i = 0; i < count; i++) {
        char *key = with_numbers(mutants[i].key, signing->key);
        const struct request_parts parts = { .key = key };
        struct ca_buf out;

        mutant_judge(&group, mutants[i].what, request_build(&parts, signing, &out),
                     mutants[i].reason);
        ca_buf_clear(&out);
        free(key);
    }
    mutant_end(&group);
}

#define JUDGE_KEYS(name, signing, mutants)                                                         \
    judge_keys(*state, name, signing, mutants, sizeof(mutants) / sizeof((mutants)[0]))

#define RSA_OID "06092a864886f70d010101"
#define E65537 "0203010001"
#define RSA_SPKI(parameters, key) "30(30(" RSA_OID parameters ") 03(" key "))"

/* RFC 3279 2.3.1 */
static void rsa_keys_that_are_wrong_are_refused(void **state)
{
    static const struct key_mutant mutants[] = {
        { "parameters absent", RSA_SPKI("", "00 30(02(00N)" E65537 ")"), CA_REASON_BAD_KEY },
        { "parameters an INTEGER", RSA_SPKI("020100", "00 30(02(00N)" E65537 ")"),
          CA_REASON_BAD_KEY },
        { "NULL twice", RSA_SPKI("05000500", "00 30(02(00N)" E65537 ")"), CA_REASON_BAD_KEY },
        { "negative modulus", RSA_SPKI("0500", "00 30(02(N)" E65537 ")"), CA_REASON_BAD_KEY },
        { "modulus not minimal", RSA_SPKI("0500", "00 30(02(0000N)" E65537 ")"),
          CA_REASON_BAD_DER },
        { "exponent not minimal", RSA_SPKI("0500", "00 30(02(00N) 020400010001)"),
          CA_REASON_BAD_DER },
        { "three numbers", RSA_SPKI("0500", "00 30(02(00N)" E65537 "020101)"), CA_REASON_BAD_KEY },
        { "trailing octet in the key", RSA_SPKI("0500", "00 30(02(00N)" E65537 ") 00"),
          CA_REASON_BAD_KEY },
        { "indefinite length in the key", RSA_SPKI("0500", "00 3080 02(00N)" E65537 "0000"),
          CA_REASON_BAD_DER },
        { "unused bits", RSA_SPKI("0500", "01 30(02(00N)" E65537 ")"), CA_REASON_BAD_KEY },
        { "trailing element", "30(30(" RSA_OID "0500) 03(00 30(02(00N)" E65537 ")) 0500)",
          CA_REASON_BAD_KEY },
        { "exponent 0", RSA_SPKI("0500", "00 30(02(00N) 020100)"), CA_REASON_BAD_KEY },
        { "exponent negative", RSA_SPKI("0500", "00 30(02(00N) 0201fd)"), CA_REASON_BAD_KEY },
    };
    const struct request_signing signing = mutant_signing(*state, BY_RSA);

    JUDGE_KEYS("RSA keys", &signing, mutants);
}

static void a_key_that_says_rsassa_pss_is_refused(void **state)
{
    static const struct key_mutant mutants[] = {
        { "RSASSA-PSS", "30(30(06092a864886f70d01010a) 03(00 30(02(00N)" E65537 ")))",
          CA_REASON_KEY_NOT_SUPPORTED },
        { "RSASSA-PSS and parameters",
          "30(30(06092a864886f70d01010a 30(a0(30(0609608648016503040201 0500))"
          "a1(30(06092a864886f70d010108 30(0609608648016503040201 0500))) a2(020120)))"
          "03(00 30(02(00N)" E65537 ")))", CA_REASON_KEY_NOT_SUPPORTED },
    };
    const struct mutant_fixture *f = *state;
    const struct request_signing signing = { f->keys[BY_RSA], "SHA256", "SHA256", 32 };

    JUDGE_KEYS("PSS keys", &signing, mutants);
}

#define EC_OID "06072a8648ce3d0201"
#define P256_OID "06082a8648ce3d030107"
#define EC_SPKI(parameters, point) "30(30(" EC_OID parameters ") 03(" point "))"
/* SEC 2 2.4.2: P-256 spelled out. */
#define P256_P "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
#define P256_SPELLED_OUT                                                                           \
    "30(020101 30(06072a8648ce3d0101 02(00" P256_P "))"                                            \
    "30(04(ffffffff00000001000000000000000000000000fffffffffffffffffffffffc)"                      \
    "04(5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b))"                        \
    "04(04 6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"                       \
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)"                            \
    "02(00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551) 020101)"

/* RFC 5480 2.1.1 and 2.2, SP 800-56A 5.6.2.3 */
static void ec_keys_that_are_wrong_are_refused(void **state)
{
    static const struct key_mutant mutants[] = {
        { "compressed, even", EC_SPKI(P256_OID, "00 02X"), CA_REASON_KEY_NOT_SUPPORTED },
        { "compressed, odd", EC_SPKI(P256_OID, "00 03X"), CA_REASON_KEY_NOT_SUPPORTED },
        { "hybrid, even", EC_SPKI(P256_OID, "00 06XY"), CA_REASON_KEY_NOT_SUPPORTED },
        { "hybrid, odd", EC_SPKI(P256_OID, "00 07XY"), CA_REASON_KEY_NOT_SUPPORTED },
        { "unused bits", EC_SPKI(P256_OID, "01 04XY"), CA_REASON_BAD_KEY },
        { "explicit parameters", EC_SPKI(P256_SPELLED_OUT, "00 04XY"),
          CA_REASON_KEY_NOT_SUPPORTED },
        { "no curve", EC_SPKI("", "00 04XY"), CA_REASON_BAD_KEY },
        { "NULL for the curve", EC_SPKI("0500", "00 04XY"), CA_REASON_BAD_KEY },
        { "NULL after the curve", EC_SPKI(P256_OID "0500", "00 04XY"), CA_REASON_BAD_KEY },
        { "another curve", EC_SPKI("06052b8104000a", "00 04XY"), CA_REASON_KEY_NOT_SUPPORTED },
        { "infinity", EC_SPKI(P256_OID, "00 00"), CA_REASON_BAD_POINT },
        { "(0, 0)", EC_SPKI(P256_OID, "00 04 00*64"), CA_REASON_BAD_POINT },
        { "(x, x)", EC_SPKI(P256_OID, "00 04XX"), CA_REASON_BAD_POINT },
        { "(y, x)", EC_SPKI(P256_OID, "00 04YX"), CA_REASON_BAD_POINT },
        { "(p, y)", EC_SPKI(P256_OID, "00 04" P256_P "Y"), CA_REASON_BAD_POINT },
        { "(2^256 - 1, y)", EC_SPKI(P256_OID, "00 04 ff*32 Y"), CA_REASON_BAD_POINT },
        { "trailing octet in the point", EC_SPKI(P256_OID, "00 04XY 00"), CA_REASON_BAD_KEY },
        { "y alone missing", EC_SPKI(P256_OID, "00 04X"), CA_REASON_BAD_KEY },
        { "a key for ECDH", "30(30(06052b8104010c" P256_OID ") 03(00 04XY))",
          CA_REASON_KEY_NOT_SUPPORTED },
    };
    const struct request_signing signing = mutant_signing(*state, BY_P256);

    JUDGE_KEYS("EC keys", &signing, mutants);
}

static void keys_on_other_curves_are_refused(void **state)
{
    static const char *const curves[] = { "P-224", "secp256k1", "brainpoolP256r1",
                                          "brainpoolP384r1" };
    struct mutant_group group = mutant_begin(*state, "other curves");

    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        const struct request_signing signing = { .key = request_make_key(curves[i]),
                                                 .digest = "SHA256" };
        struct ca_buf out;

        mutant_judge(&group, curves[i], request_build(&control, &signing, &out),
                     CA_REASON_KEY_NOT_SUPPORTED);
        ca_buf_clear(&out);
        EVP_PKEY_free(signing.key);
    }
    mutant_end(&group);
}

/* RFC 8410 3 and 4. The points of small order come below, with signatures that fit them. */
static void eddsa_keys_that_are_wrong_are_refused(void **state)
{
    static const struct key_mutant mutants[][4] = {
        { { "NULL", "30(30(06032b6570 0500) 03(00P))", CA_REASON_BAD_KEY },
          { "unused bits", "30(30(06032b6570) 03(01P))", CA_REASON_BAD_KEY },
          { "an octet more", "30(30(06032b6570) 03(00P00))", CA_REASON_BAD_KEY },
          { "X25519", "30(30(06032b656e) 03(00P))", CA_REASON_KEY_NOT_SUPPORTED } },
        { { "NULL", "30(30(06032b6571 0500) 03(00P))", CA_REASON_BAD_KEY },
          { "unused bits", "30(30(06032b6571) 03(01P))", CA_REASON_BAD_KEY },
          { "an octet more", "30(30(06032b6571) 03(00P00))", CA_REASON_BAD_KEY },
          { "Ed25519", "30(30(06032b6570) 03(00P))", CA_REASON_BAD_KEY } },
    };
    struct request_signing signing = mutant_signing(*state, BY_ED25519);

    JUDGE_KEYS("Ed25519 keys", &signing, mutants[0]);
    signing = mutant_signing(*state, BY_ED448);
    JUDGE_KEYS("Ed448 keys", &signing, mutants[1]);
}

/* Signature algorithms */

/* RFC 4055 3.1, RFC 5758 3.2; weak digests are weak, and good ones that we do not have unknown. */
static void other_digests_and_paddings_are_refused(void **state)
{
    static const struct {
        const char *digest, *mgf1_digest;
        int key, salt_len;
    } cases[] = {
        { "MD5", NULL, BY_RSA, 0 },          { "SHA1", NULL, BY_RSA, 0 },
        { "SHA224", NULL, BY_RSA, 0 },       { "SHA512-256", NULL, BY_RSA, 0 },
        { "SHA3-256", NULL, BY_RSA, 0 },     { "SHA1", NULL, BY_P256, 0 },
        { "SHA224", NULL, BY_P256, 0 },      { "SHA3-256", NULL, BY_P256, 0 },
        { "SHA1", "SHA1", BY_RSA, 20 },      { "SHA256", "SHA256", BY_RSA, 20 },
        { "SHA256", "SHA256", BY_RSA, 0 },   { "SHA256", "SHA256", BY_RSA, 31 },
        { "SHA256", "SHA256", BY_RSA, 222 }, { "SHA256", "SHA1", BY_RSA, 32 },
        { "SHA256", "SHA384", BY_RSA, 32 },  { "SHA512", "SHA256", BY_RSA, 64 },
        { "SHA224", "SHA224", BY_RSA, 28 },
    };
    struct mutant_fixture *f = *state;
    struct mutant_group group = mutant_begin(f, "digests and paddings");

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct request_signing signing = { f->keys[cases[i].key], cases[i].digest,
                                                 cases[i].mgf1_digest, cases[i].salt_len };
        struct ca_buf out;

        mutant_judge(&group, cases[i].digest, request_build(&control, &signing, &out),
                     CA_REASON_ALGORITHM_NOT_SUPPORTED);
        ca_buf_clear(&out);
    }
    mutant_end(&group);
}

static void algorithms_with_wrong_parameters_are_refused(void **state)
{
    static const struct mutant of_rsa[] = {
        { "INTEGER", { .algorithm = "30(06092a864886f70d01010b 020100)" },
          CA_REASON_BAD_ALGORITHM },
        { "NULL twice", { .algorithm = "30(06092a864886f70d01010b 0500 0500)" },
          CA_REASON_BAD_ALGORITHM },
        { "rsaEncryption", { .algorithm = "30(06092a864886f70d010101 0500)" },
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "says SHA-384", { .algorithm = "30(06092a864886f70d01010c 0500)" },
          CA_REASON_BAD_SIGNATURE },
        { "says ECDSA", { .algorithm = "30(06082a8648ce3d040302)" }, CA_REASON_BAD_ALGORITHM },
        { "PSS without parameters", { .algorithm = "30(06092a864886f70d01010a)" },
          CA_REASON_BAD_ALGORITHM },
        { "length not minimal", { .algorithm = "30810d 06092a864886f70d01010b 0500" },
          CA_REASON_BAD_DER },
        { "a bare OID", { .algorithm = "06092a864886f70d01010b" }, CA_REASON_BAD_ALGORITHM },
    };
    static const struct mutant of_ec[] = {
        { "the curve", { .algorithm = "30(06082a8648ce3d040302 06082a8648ce3d030107)" },
          CA_REASON_BAD_ALGORITHM },
        { "NULL twice", { .algorithm = "30(06082a8648ce3d040302 05000500)" },
          CA_REASON_BAD_ALGORITHM },
        { "says SHA-512", { .algorithm = "30(06082a8648ce3d040304)" }, CA_REASON_BAD_SIGNATURE },
        { "says RSA", { .algorithm = "30(06092a864886f70d01010b 0500)" },
          CA_REASON_BAD_ALGORITHM },
    };
    static const struct mutant of_ed25519[] = {
        { "NULL", { .algorithm = "30(06032b6570 0500)" }, CA_REASON_BAD_ALGORITHM },
        { "says Ed448", { .algorithm = "30(06032b6571)" }, CA_REASON_BAD_ALGORITHM },
        { "says Ed25519ph", { .algorithm = "30(06032b6573)" },
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
    };
    static const struct mutant of_ed448[] = {
        { "NULL", { .algorithm = "30(06032b6571 0500)" }, CA_REASON_BAD_ALGORITHM },
    };

    JUDGE("algorithms of RSA", BY_RSA, of_rsa);
    JUDGE("algorithms of EC", BY_P256, of_ec);
    JUDGE("algorithms of Ed25519", BY_ED25519, of_ed25519);
    JUDGE("algorithms of Ed448", BY_ED448, of_ed448);
}

#define PSS_WITH(hash, mask, more)                                                                 \
    "30(06092a864886f70d01010a 30(a0(30(0609608648016503040201" hash "))"                          \
    "a1(30(06092a864886f70d010108 30(0609608648016503040201" mask "))) a2(020120)" more "))"

/* The parameters say what was done, in another encoding. */
static void pss_parameters_that_are_no_der_are_refused(void **state)
{
    static const struct mutant mutants[] = {
        { "the trailer is the default", { .algorithm = PSS_WITH("0500", "0500", "a3(020101)") },
          CA_REASON_BAD_DER },
        { "another trailer", { .algorithm = PSS_WITH("0500", "0500", "a3(020102)") },
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "hash with an INTEGER", { .algorithm = PSS_WITH("020100", "0500", "") },
          CA_REASON_BAD_ALGORITHM },
        { "mask with an INTEGER", { .algorithm = PSS_WITH("0500", "020100", "") },
          CA_REASON_BAD_ALGORITHM },
        { "something more", { .algorithm = PSS_WITH("0500", "0500", "0500") },
          CA_REASON_BAD_ALGORITHM },
    };
    struct mutant_fixture *f = *state;
    const struct request_signing signing = { f->keys[BY_RSA], "SHA256", "SHA256", 32 };
    const struct request_parts right = { .algorithm = PSS_WITH("", "", "") };
    struct mutant_group group = mutant_begin(f, "PSS parameters");
    struct ca_error err;
    struct ca_buf out;

    for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++) {
        mutant_judge(&group, mutants[i].what, request_build(&mutants[i].parts, &signing, &out),
                     mutants[i].reason);
        ca_buf_clear(&out);
    }
    /* RFC 4055 2.1: without NULL is right too. */
    assert_int_equal(mutant_verdict(f, request_build(&right, &signing, &out), &err),
                     CA_REASON_NONE);
    ca_buf_clear(&out);
    mutant_end(&group);
}

/* What Mbed TLS wrote for ECDSA, and RSA without NULL (RFC 4055 5), are let through. */
static void parameters_that_many_clients_write_are_accepted(void **state)
{
    static const struct request_parts of_ec = { .algorithm = "30(06082a8648ce3d040302 0500)" };
    static const struct request_parts of_rsa = { .algorithm = "30(06092a864886f70d01010b)" };
    struct request_signing signing = mutant_signing(*state, BY_P256);
    struct ca_error err;
    struct ca_buf out;

    assert_int_equal(mutant_verdict(*state, request_build(&of_ec, &signing, &out), &err),
                     CA_REASON_NONE);
    ca_buf_clear(&out);
    signing = mutant_signing(*state, BY_RSA);
    assert_int_equal(mutant_verdict(*state, request_build(&of_rsa, &signing, &out), &err),
                     CA_REASON_NONE);
    ca_buf_clear(&out);
}

/* Signatures */

static void prepend_zero(struct ca_buf *part) { mutant_replace(part, 0, 0, "00"); }
static void cut_last(struct ca_buf *part) { part->len--; }
static void flip_bit(struct ca_buf *part) { part->data[part->len / 2] ^= 1; }
static void make_zero(struct ca_buf *part) { memset(part->data, 0, part->len); }

static void append_zero(struct ca_buf *part) { ca_buf_append_u8(part, 0); }

/* SEQUENCE { r, s } with fewer than 128 octets, its length in two. */
static void stretch_length(struct ca_buf *part) { mutant_replace(part, 1, 0, "81"); }

static void pad_r(struct ca_buf *part)
{
    part->data[1] = (uint8_t)(part->data[1] + 2);
    part->data[3] = (uint8_t)(part->data[3] + 2);
    mutant_replace(part, 4, 0, "0000");
}

static void negate_r(struct ca_buf *part) { part->data[4] |= 0x80; }

static void zero_r(struct ca_buf *part)
{
    mutant_replace(part, 2, 2 + (size_t)part->data[3], "020100");
    part->data[1] = (uint8_t)(part->len - 2);
}

static void signatures_that_are_wrong_are_refused(void **state)
{
#define SIGNATURE_HOOK(function) { .change = { [REQUEST_SIGNATURE] = (function) } }
    static const struct mutant of_rsa[] = {
        { "zero before it", SIGNATURE_HOOK(prepend_zero), CA_REASON_BAD_SIGNATURE },
        { "zero after it", SIGNATURE_HOOK(append_zero), CA_REASON_BAD_SIGNATURE },
        { "cut off", SIGNATURE_HOOK(cut_last), CA_REASON_BAD_SIGNATURE },
        { "a bit", SIGNATURE_HOOK(flip_bit), CA_REASON_BAD_SIGNATURE },
        { "zero", SIGNATURE_HOOK(make_zero), CA_REASON_BAD_SIGNATURE },
    };
    static const struct mutant of_ec[] = {
        { "zero after it", SIGNATURE_HOOK(append_zero), CA_REASON_BAD_SIGNATURE },
        { "a bit", SIGNATURE_HOOK(flip_bit), CA_REASON_BAD_SIGNATURE },
        { "length not minimal", SIGNATURE_HOOK(stretch_length), CA_REASON_BAD_DER },
        { "r not minimal", SIGNATURE_HOOK(pad_r), CA_REASON_BAD_DER },
        { "r is zero", SIGNATURE_HOOK(zero_r), CA_REASON_BAD_SIGNATURE },
        { "r is negative", SIGNATURE_HOOK(negate_r), CA_REASON_BAD_SIGNATURE },
    };
    static const struct mutant of_eddsa[] = {
        { "zero after it", SIGNATURE_HOOK(append_zero), CA_REASON_BAD_SIGNATURE },
        { "cut off", SIGNATURE_HOOK(cut_last), CA_REASON_BAD_SIGNATURE },
        { "a bit", SIGNATURE_HOOK(flip_bit), CA_REASON_BAD_SIGNATURE },
        { "zero", SIGNATURE_HOOK(make_zero), CA_REASON_BAD_SIGNATURE },
    };

    JUDGE("signatures of RSA", BY_RSA, of_rsa);
    JUDGE("signatures of EC", BY_P256, of_ec);
    JUDGE("signatures of Ed25519", BY_ED25519, of_eddsa);
    JUDGE("signatures of Ed448", BY_ED448, of_eddsa);
}

/* A request that is another's, whole or in part. */
static void requests_that_somebody_else_signed_are_refused(void **state)
{
    struct mutant_fixture *f = *state;
    const struct request_signing other = mutant_signing(f, BY_OTHER_RSA);
    char *key = with_numbers(RSA_SPKI("0500", "00 30(02(00N)" E65537 ")"), f->keys[BY_RSA]);
    const struct request_parts stolen_key = { .key = key };
    struct mutant_group group = mutant_begin(f, "stolen keys");
    struct ca_buf out;

    mutant_judge(&group, "another's key", request_build(&stolen_key, &other, &out),
                 CA_REASON_BAD_SIGNATURE);
    ca_buf_clear(&out);
    mutant_end(&group);
    free(key);
}

/* Forgeries: signatures that nobody made with a private key. */

static struct ca_buf signed_info;

static void keep_info(struct ca_buf *part)
{
    ca_buf_reset(&signed_info);
    ca_buf_append_bytes(&signed_info, ca_buf_view(part));
}

/* With e = 1 the padded digest is its own signature (RFC 8017 8.2.2). */
static void forge_rsa(struct ca_buf *part)
{
    ca_buf_reset(part);
    request_notation("00 01 ff*202 00 3031 300d 0609608648016503040201 0500 0420", part);
    assert_int_equal(part->len, 256 - 32);
    assert_non_null(ca_buf_extend(part, 32));
    assert_int_equal(EVP_Digest(signed_info.data, signed_info.len, part->data + 256 - 32, NULL,
                                EVP_sha256(), NULL), 1);
}

/* Under the neutral element R = 01 00.., S = 0 fits every message. */
static void forge_eddsa(struct ca_buf *part)
{
    memset(part->data, 0, part->len);
    part->data[0] = 1;
}

static void forgeries_that_need_no_private_key_are_refused(void **state)
{
    struct mutant_fixture *f = *state;
    char *e_one = with_numbers(RSA_SPKI("0500", "00 30(02(00N) 020101)"), f->keys[BY_RSA]);
    const struct {
        const char *what;
        int key;
        struct request_parts parts;
        enum ca_reason reason;
        bool fools_openssl;
    } forgeries[] = {
        { "RSA with e = 1", BY_RSA,
          { .key = e_one, .change = { [REQUEST_INFO] = keep_info,
                                      [REQUEST_SIGNATURE] = forge_rsa } },
          CA_REASON_BAD_KEY, true },
        { "Ed25519's neutral element", BY_ED25519,
          { .key = "30(30(06032b6570) 03(00 01 00*31))",
            .change = { [REQUEST_SIGNATURE] = forge_eddsa } }, CA_REASON_BAD_POINT, true },
        { "Ed448's neutral element", BY_ED448,
          { .key = "30(30(06032b6571) 03(00 01 00*56))",
            .change = { [REQUEST_SIGNATURE] = forge_eddsa } }, CA_REASON_BAD_POINT, false },
    };
    struct mutant_group group = mutant_begin(f, "forgeries");

    ca_buf_init(&signed_info, REQUEST_BUILDER_MAX);
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        const struct request_signing signing = mutant_signing(f, forgeries[i].key);
        struct ca_buf out;
        struct ca_bytes der = request_build(&forgeries[i].parts, &signing, &out);

        mutant_judge(&group, forgeries[i].what, der, forgeries[i].reason);
        if (forgeries[i].fools_openssl) assert_true(request_openssl_verifies(der));
        ca_buf_clear(&out);
    }
    ca_buf_clear(&signed_info);
    mutant_end(&group);
    free(e_one);
}

/* The last of all. */
static void openssl_would_say_yes_to_many(void **state)
{
    const struct mutant_fixture *f = *state;

    print_message("%zu mutants refused, OpenSSL verifies %zu of them\n", f->refused,
                  f->openssl_says_yes);
    assert_true(f->refused >= 100);
    assert_true(f->openssl_says_yes >= 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_digest_and_padding_that_is_right_is_accepted),
        cmocka_unit_test(rsa_keys_that_are_wrong_are_refused),
        cmocka_unit_test(a_key_that_says_rsassa_pss_is_refused),
        cmocka_unit_test(ec_keys_that_are_wrong_are_refused),
        cmocka_unit_test(keys_on_other_curves_are_refused),
        cmocka_unit_test(eddsa_keys_that_are_wrong_are_refused),
        cmocka_unit_test(other_digests_and_paddings_are_refused),
        cmocka_unit_test(algorithms_with_wrong_parameters_are_refused),
        cmocka_unit_test(pss_parameters_that_are_no_der_are_refused),
        cmocka_unit_test(parameters_that_many_clients_write_are_accepted),
        cmocka_unit_test(signatures_that_are_wrong_are_refused),
        cmocka_unit_test(requests_that_somebody_else_signed_are_refused),
        cmocka_unit_test(forgeries_that_need_no_private_key_are_refused),
        cmocka_unit_test(openssl_would_say_yes_to_many),
    };

    return cmocka_run_group_tests(tests, mutant_set_up, mutant_tear_down);
}
