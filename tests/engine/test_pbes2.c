/* engine/pbes2: key files whose encryption is too cheap or too dear are refused before anything is
 * derived. The structures are written by OpenSSL; what it would not write is patched in. */
#include "engine/pbes2.h"

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static const uint8_t salt[16] = { 1 }, data[48] = { 2 };

/* EncryptedPrivateKeyInfo with these parameters, in DER. Takes scheme; the caller frees. */
static uint8_t *sealed_with(X509_ALGOR *scheme, int data_len, size_t *len)
{
    X509_SIG *sig = X509_SIG_new();
    X509_ALGOR *algor = NULL;
    ASN1_OCTET_STRING *octets = NULL;
    uint8_t *der = NULL;
    int got;

    assert_non_null(scheme);
    X509_SIG_getm(sig, &algor, &octets);
    assert_int_equal(X509_ALGOR_copy(algor, scheme), 1);
    assert_int_equal(ASN1_OCTET_STRING_set(octets, data, data_len), 1);
    got = i2d_X509_SIG(sig, &der);
    assert_true(got > 0);
    *len = (size_t)got;
    X509_SIG_free(sig);
    X509_ALGOR_free(scheme);
    return der;
}

static X509_ALGOR *pbkdf2(int rounds, int prf, int salt_len)
{
    return PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), rounds, (uint8_t *)salt, salt_len, NULL, prf);
}

static X509_ALGOR *scrypt(uint64_t n, uint64_t r, uint64_t p)
{
    return PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, sizeof(salt), NULL, n, r, p);
}

static X509_ALGOR *with_cipher(const EVP_CIPHER *cipher)
{
    return PKCS5_pbe2_set_iv(cipher, 600000, (uint8_t *)salt, sizeof(salt), NULL,
                             NID_hmacWithSHA256);
}

/* name NULL: it passes */
static void assert_says(struct ca_bytes der, enum ca_status status, const char *name)
{
    struct ca_error err = { 0 };

    assert_int_equal(ca_pbes2_check(der, &err), status);
    assert_int_equal(ca_pbes2_check(der, NULL), status);
    if (name != NULL) assert_string_equal(err.name, name);
}

static void parameters_outside_both_bounds_are_refused(void **state)
{
    const struct {
        X509_ALGOR *scheme;
        enum ca_status status;
        const char *name;
    } rows[] = {
        { pbkdf2(100000, NID_hmacWithSHA256, 16), CA_OK, NULL },
        { pbkdf2(99999, NID_hmacWithSHA256, 16), CA_REFUSED, "weak-encryption" },
        { pbkdf2(10000000, NID_hmacWithSHA256, 16), CA_OK, NULL },
        { pbkdf2(10000001, NID_hmacWithSHA256, 16), CA_MALFORMED, "bad-key-file" },
        { pbkdf2(INT32_MAX, NID_hmacWithSHA256, 16), CA_MALFORMED, "bad-key-file" },
        { pbkdf2(600000, NID_hmacWithSHA1, 16), CA_OK, NULL },
        { pbkdf2(600000, NID_hmacWithSHA512, 16), CA_OK, NULL },
        { pbkdf2(600000, NID_hmacWithMD5, 16), CA_REFUSED, "weak-encryption" },
        { pbkdf2(600000, NID_hmacWithSHA256, 7), CA_REFUSED, "weak-encryption" },
        { pbkdf2(600000, NID_hmacWithSHA256, 8), CA_OK, NULL },
        { scrypt(16384, 8, 1), CA_OK, NULL },
        { scrypt(16384, 7, 1), CA_REFUSED, "weak-encryption" },
        { scrypt(8192, 8, 1), CA_REFUSED, "weak-encryption" },
        { scrypt(32768, 7, 1), CA_OK, NULL },
        { scrypt(16384, 8, 16), CA_OK, NULL },
        { scrypt(16384, 8, 17), CA_MALFORMED, "bad-key-file" },
        { scrypt(CA_PBES2_SCRYPT_N, CA_PBES2_SCRYPT_R, CA_PBES2_SCRYPT_P), CA_OK, NULL },
        { pbkdf2(CA_PBES2_ROUNDS, NID_hmacWithSHA256, CA_PBES2_SALT), CA_OK, NULL },
        { with_cipher(EVP_aes_128_cbc()), CA_OK, NULL },
        { with_cipher(EVP_aes_192_cbc()), CA_OK, NULL },
        { with_cipher(EVP_aes_256_ecb()), CA_REFUSED, "weak-encryption" },
        { with_cipher(EVP_des_ede3_cbc()), CA_REFUSED, "weak-encryption" },
        { with_cipher(EVP_camellia_256_cbc()), CA_REFUSED, "weak-encryption" },
        { PKCS5_pbe_set(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 600000, salt, sizeof(salt)),
          CA_REFUSED, "weak-encryption" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len;
        uint8_t *der = sealed_with(rows[i].scheme, sizeof(data), &len);

        assert_says(ca_bytes_of(der, len), rows[i].status, rows[i].name);
        OPENSSL_free(der);
    }
}

static void ciphertext_of_no_whole_blocks_is_malformed(void **state)
{
    static const int lens[] = { 0, 1, 15, 17, 47 };

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        size_t len;
        uint8_t *der = sealed_with(scrypt(16384, 8, 1), lens[i], &len);

        assert_says(ca_bytes_of(der, len), CA_MALFORMED, "bad-key-file");
        OPENSSL_free(der);
    }
}

/* RFC 7914 2; what OpenSSL would answer with "illegal parameters", or worse, would work on. */
static void scrypt_numbers_beyond_reason_are_refused(void **state)
{
    static const struct {
        uint8_t n[2], r, p;
        enum ca_status status;
        const char *name;
    } rows[] = {
        { { 0x40, 0x00 }, 15, 1, CA_OK, NULL },
        { { 0x40, 0x00 }, 16, 1, CA_MALFORMED, "bad-key-file" },       /* 32 MiB and a little */
        { { 0x40, 0x00 }, 17, 1, CA_MALFORMED, "bad-key-file" },
        { { 0x7f, 0xff }, 127, 1, CA_MALFORMED, "bad-key-file" },
        { { 0x48, 0x00 }, 8, 1, CA_MALFORMED, "bad-key-file" },        /* no power of two */
        { { 0x40, 0x00 }, 8, 0, CA_REFUSED, "weak-encryption" },
        { { 0x40, 0x00 }, 0, 1, CA_REFUSED, "weak-encryption" },
        { { 0xc0, 0x00 }, 8, 1, CA_MALFORMED, "bad-key-file" },        /* negative */
        { { 0x00, 0x40 }, 8, 1, CA_MALFORMED, "bad-key-file" },        /* not minimal */
    };
    static const uint8_t pattern[] = { 0x02, 0x02, 0x40, 0x00, 0x02, 0x01, 0x08, 0x02, 0x01, 0x01 };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len;
        uint8_t *der = sealed_with(scrypt(16384, 8, 1), sizeof(data), &len);
        uint8_t *at = memmem(der, len, pattern, sizeof(pattern));

        assert_non_null(at);
        memcpy(at + 2, rows[i].n, 2);
        at[6] = rows[i].r;
        at[9] = rows[i].p;
        assert_says(ca_bytes_of(der, len), rows[i].status, rows[i].name);
        OPENSSL_free(der);
    }
}

/* keyLength OPTIONAL in PBKDF2-params (RFC 8018 A.2): its value must be the cipher's. */
static void a_key_length_that_is_not_the_ciphers_is_malformed(void **state)
{
    static const struct {
        int key_len;
        enum ca_status status;
    } rows[] = { { 32, CA_OK }, { 16, CA_MALFORMED }, { 24, CA_MALFORMED }, { 33, CA_MALFORMED } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        X509_ALGOR *scheme = pbkdf2(600000, NID_hmacWithSHA256, 16);
        PBE2PARAM *params;
        size_t len;
        uint8_t *der;
        const ASN1_OBJECT *oid;
        const void *value;
        int type;

        X509_ALGOR_get0(&oid, &type, &value, scheme);
        params = ASN1_item_unpack(value, ASN1_ITEM_rptr(PBE2PARAM));
        assert_non_null(params);
        X509_ALGOR_free(params->keyfunc);
        params->keyfunc = PKCS5_pbkdf2_set(600000, (uint8_t *)salt, sizeof(salt),
                                           NID_hmacWithSHA256, rows[i].key_len);
        assert_non_null(params->keyfunc);
        assert_non_null(ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(PBE2PARAM), params,
                                                &scheme->parameter));
        der = sealed_with(scheme, sizeof(data), &len);
        assert_says(ca_bytes_of(der, len), rows[i].status,
                    rows[i].status == CA_OK ? NULL : "bad-key-file");
        OPENSSL_free(der);
        PBE2PARAM_free(params);
    }
}

static void every_cut_and_every_octet_more_is_malformed(void **state)
{
    size_t len;
    uint8_t *der = sealed_with(scrypt(16384, 8, 1), sizeof(data), &len);
    uint8_t longer[512] = { 0 };

    (void)state;
    assert_true(len < sizeof(longer));
    memcpy(longer, der, len);
    for (size_t i = 0; i < len; i++) {
        assert_says(ca_bytes_of(der, i), CA_MALFORMED, "bad-key-file");
    }
    assert_says(ca_bytes_of(longer, len), CA_OK, NULL);
    assert_says(ca_bytes_of(longer, len + 1), CA_MALFORMED, "bad-key-file");
    OPENSSL_free(der);
}

static void a_weak_file_comes_with_a_hint(void **state)
{
    size_t len;
    uint8_t *der = sealed_with(pbkdf2(2048, NID_hmacWithSHA256, 16), sizeof(data), &len);
    struct ca_error err = { 0 };

    (void)state;
    assert_int_equal(ca_pbes2_check(ca_bytes_of(der, len), &err), CA_REFUSED);
    assert_non_null(strstr(err.text, "100,000"));
    assert_non_null(strstr(err.hint, "openssl pkcs8 -topk8 -scrypt"));
    OPENSSL_free(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_outside_both_bounds_are_refused),
        cmocka_unit_test(ciphertext_of_no_whole_blocks_is_malformed),
        cmocka_unit_test(scrypt_numbers_beyond_reason_are_refused),
        cmocka_unit_test(a_key_length_that_is_not_the_ciphers_is_malformed),
        cmocka_unit_test(every_cut_and_every_octet_more_is_malformed),
        cmocka_unit_test(a_weak_file_comes_with_a_hint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
