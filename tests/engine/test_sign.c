/* engine/sign: every algorithm over every kind of key, judged by OpenSSL's own EVP_DigestVerify
 * and, where signatures are deterministic, by published values. */
#include "engine/sign.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct {
    enum ca_key_alg key;
    enum ca_sig_alg sig;
    const char *digest;
} rows[] = {
    { CA_KEY_RSA_2048, CA_SIG_RSA_SHA256, "SHA256" },
    { CA_KEY_RSA_2048, CA_SIG_RSA_SHA384, "SHA384" },
    { CA_KEY_RSA_2048, CA_SIG_RSA_SHA512, "SHA512" },
    { CA_KEY_EC_P256, CA_SIG_ECDSA_SHA256, "SHA256" },
    { CA_KEY_EC_P256, CA_SIG_ECDSA_SHA512, "SHA512" },      /* a digest longer than the curve */
    { CA_KEY_EC_P384, CA_SIG_ECDSA_SHA256, "SHA256" },
    { CA_KEY_EC_P384, CA_SIG_ECDSA_SHA384, "SHA384" },
    { CA_KEY_EC_P521, CA_SIG_ECDSA_SHA384, "SHA384" },
    { CA_KEY_EC_P521, CA_SIG_ECDSA_SHA512, "SHA512" },
    { CA_KEY_ED25519, CA_SIG_ED25519, NULL },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static int set_up(void **state)
{
    struct ca_crypto *crypto = NULL;

    if (ca_crypto_new(&crypto, NULL) != CA_OK) return -1;
    *state = crypto;
    return 0;
}

static int tear_down(void **state)
{
    ca_crypto_free(*state);
    return 0;
}

static bool openssl_verifies(struct ca_bytes spki, const char *digest, struct ca_bytes message,
                             struct ca_bytes signature)
{
    const uint8_t *at = spki.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good;

    assert_non_null(key);
    assert_int_equal(EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL), 1);
    good = EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

static struct ca_signer *new_signer(struct ca_crypto *crypto, size_t row, struct ca_key **key)
{
    struct ca_signer *signer = NULL;

    assert_int_equal(ca_key_generate(crypto, rows[row].key, key, NULL), CA_OK);
    assert_int_equal(ca_signer_new(crypto, *key, rows[row].sig, &signer, NULL), CA_OK);
    return signer;
}

static void openssl_verifies_every_signature_of_a_long_series(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct ca_key *key = NULL;
        struct ca_signer *signer = new_signer(*state, i, &key);
        uint8_t message[300];

        memset(message, 'm', sizeof(message));
        assert_int_equal(ca_signer_alg(signer), rows[i].sig);
        for (size_t n = 0; n < 20; n++) {
            uint8_t signature[CA_SIGNATURE_MAX];
            struct ca_bytes text = ca_bytes_of(message, n * 15);       /* an empty one first */
            size_t len = 0;

            message[0] = (uint8_t)n;
            assert_int_equal(ca_signer_sign(signer, text, signature, &len, NULL), CA_OK);
            assert_true(len > 0 && len <= ca_signer_signature_max(signer));
            assert_true(openssl_verifies(ca_key_spki(key), rows[i].digest, text,
                                         ca_bytes_of(signature, len)));
        }
        ca_signer_free(signer);
        ca_key_free(key);
    }
}

static void a_signature_never_needs_more_room_than_was_said(void **state)
{
    struct ca_key *key = NULL;
    struct ca_signer *signer = new_signer(*state, 3, &key);
    size_t max = ca_signer_signature_max(signer);

    assert_int_equal(max, 72);          /* two INTEGERs of 33 octets and three headers */
    for (int i = 0; i < 300; i++) {
        uint8_t *exact = malloc(max);   /* the sanitizer watches its end */
        size_t len = 0;

        assert_non_null(exact);
        assert_int_equal(ca_signer_sign(signer, ca_bytes_of(&i, sizeof(i)), exact, &len, NULL),
                         CA_OK);
        assert_true(len <= max);
        free(exact);
    }
    ca_signer_free(signer);
    ca_key_free(key);
}

/* RFC 8032 7.1, test 3 */
static void ed25519_gives_the_signature_of_rfc_8032(void **state)
{
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIMWqjfQ/n4N77bdELzHct7Fm04U1B28JS4XOOi4LRFj3\n"
                              "-----END PRIVATE KEY-----\n";
    static const uint8_t message[] = { 0xaf, 0x82 };
    struct ca_key *key = NULL;
    struct ca_signer *signer = NULL;
    uint8_t signature[64];
    char hex[129];
    size_t len = 0;

    assert_int_equal(ca_key_decode(*state, ca_bytes_str(pem), ca_bytes_of(NULL, 0), &key, NULL),
                     CA_OK);
    ca_hex_encode(ca_bytes_slice(ca_key_spki(key), 12, 32), hex);
    assert_string_equal(hex, "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    assert_int_equal(ca_signer_new(*state, key, CA_SIG_ED25519, &signer, NULL), CA_OK);
    assert_int_equal(ca_signer_sign(signer, ca_bytes_of(message, 2), signature, &len, NULL), CA_OK);
    assert_int_equal(len, 64);
    ca_hex_encode(ca_bytes_of(signature, 64), hex);
    assert_string_equal(hex, "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                             "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
    ca_signer_free(signer);
    ca_key_free(key);
}

static void a_signer_checks_its_own_signatures(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct ca_key *key = NULL;
        struct ca_signer *signer = new_signer(*state, i, &key);
        struct ca_bytes message = ca_bytes_str("to be signed");

        for (int n = 0; n < 3; n++) {
            uint8_t signature[CA_SIGNATURE_MAX];
            size_t len = 0;

            assert_int_equal(ca_signer_sign(signer, message, signature, &len, NULL), CA_OK);
            assert_int_equal(ca_signer_check(signer, message, ca_bytes_of(signature, len), NULL),
                             CA_OK);
        }
        ca_signer_free(signer);
        ca_key_free(key);
    }
}

static void assert_fault(struct ca_signer *signer, struct ca_bytes message,
                         struct ca_bytes signature)
{
    struct ca_error err = { 0 };

    assert_int_equal(ca_signer_check(signer, message, signature, &err), CA_CRYPTO);
    assert_string_equal(err.name, "signature-fault");
    assert_int_equal(ERR_peek_error(), 0);
}

/* One flipped bit, wherever it is: what a fault in the arithmetic would look like. */
static void a_signature_with_any_bit_changed_is_a_fault(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct ca_key *key = NULL;
        struct ca_signer *signer = new_signer(*state, i, &key);
        struct ca_bytes message = ca_bytes_str("to be signed");
        uint8_t signature[CA_SIGNATURE_MAX];
        size_t len = 0;

        assert_int_equal(ca_signer_sign(signer, message, signature, &len, NULL), CA_OK);
        for (size_t at = 0; at < len; at += 5) {
            signature[at] ^= (uint8_t)(1u << (at % 8));
            assert_fault(signer, message, ca_bytes_of(signature, len));
            signature[at] ^= (uint8_t)(1u << (at % 8));
        }
        assert_fault(signer, ca_bytes_str("to be Signed"), ca_bytes_of(signature, len));
        assert_fault(signer, message, ca_bytes_of(signature, len - 1));
        assert_fault(signer, message, ca_bytes_of(signature, 0));
        /* and a fault spoils nothing for the next one */
        assert_int_equal(ca_signer_check(signer, message, ca_bytes_of(signature, len), NULL),
                         CA_OK);
        ca_signer_free(signer);
        ca_key_free(key);
    }
}

static void another_keys_signature_is_a_fault(void **state)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct ca_key *key = NULL, *other_key = NULL;
        struct ca_signer *signer = new_signer(*state, i, &key);
        struct ca_signer *other = new_signer(*state, i, &other_key);
        struct ca_bytes message = ca_bytes_str("to be signed");
        uint8_t signature[CA_SIGNATURE_MAX];
        size_t len = 0;

        assert_int_equal(ca_signer_sign(other, message, signature, &len, NULL), CA_OK);
        assert_fault(signer, message, ca_bytes_of(signature, len));
        ca_signer_free(signer);
        ca_signer_free(other);
        ca_key_free(key);
        ca_key_free(other_key);
    }
}

static void a_signer_of_the_wrong_family_is_refused(void **state)
{
    static const struct {
        enum ca_key_alg key;
        enum ca_sig_alg sig;
    } wrong[] = {
        { CA_KEY_EC_P256, CA_SIG_RSA_SHA256 }, { CA_KEY_EC_P256, CA_SIG_ED25519 },
        { CA_KEY_RSA_2048, CA_SIG_ECDSA_SHA256 }, { CA_KEY_ED25519, CA_SIG_ECDSA_SHA256 },
        { CA_KEY_ED25519, CA_SIG_ALG_NONE },
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ca_key *key = NULL;
        struct ca_signer *signer = NULL;
        struct ca_error err = { 0 };

        assert_int_equal(ca_key_generate(*state, wrong[i].key, &key, NULL), CA_OK);
        assert_int_equal(ca_signer_new(*state, key, wrong[i].sig, &signer, &err), CA_REFUSED);
        assert_string_equal(err.name, "signing-algorithm");
        assert_null(signer);
        ca_key_free(key);
    }
    ca_signer_free(NULL);
}

static void a_signer_outlives_the_key_it_was_made_from(void **state)
{
    struct ca_key *key = NULL;
    struct ca_signer *signer = new_signer(*state, 0, &key);
    uint8_t signature[CA_SIGNATURE_MAX];
    size_t len = 0;

    ca_key_free(key);
    assert_int_equal(ca_signer_sign(signer, ca_bytes_str("x"), signature, &len, NULL), CA_OK);
    assert_int_equal(ca_signer_check(signer, ca_bytes_str("x"), ca_bytes_of(signature, len), NULL),
                     CA_OK);
    ca_signer_free(signer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_verifies_every_signature_of_a_long_series),
        cmocka_unit_test(a_signature_never_needs_more_room_than_was_said),
        cmocka_unit_test(ed25519_gives_the_signature_of_rfc_8032),
        cmocka_unit_test(a_signer_checks_its_own_signatures),
        cmocka_unit_test(a_signature_with_any_bit_changed_is_a_fault),
        cmocka_unit_test(another_keys_signature_is_a_fault),
        cmocka_unit_test(a_signer_of_the_wrong_family_is_refused),
        cmocka_unit_test(a_signer_outlives_the_key_it_was_made_from),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
