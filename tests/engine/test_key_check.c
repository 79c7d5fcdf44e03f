#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/key_check.h"
#include "engine/reason.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS CERTMILL_VECTORS_DIR "/keys/"
#define MODULUS_MAX 2304        /* octets: more than anything looks at */

static int setup(void **state)
{
    struct ca_crypto *crypto = NULL;

    assert_int_equal(ca_crypto_new(&crypto, NULL), CA_OK);
    *state = crypto;
    return 0;
}

static int teardown(void **state)
{
    ca_crypto_free(*state);
    return 0;
}

static uint16_t reason_of(struct ca_bytes n)
{
    struct ca_error err;

    if (ca_rsa_check_modulus(n, &err) == CA_OK) {
        assert_int_equal(ca_rsa_check_modulus(n, NULL), CA_OK);
        return CA_REASON_NONE;
    }
    assert_int_equal(err.status, CA_REFUSED);
    assert_int_equal(ca_rsa_check_modulus(n, NULL), CA_REFUSED);
    return err.reason;
}

/* Moduli: a model in Python has said what they are (vectors/keys/make_moduli.py) */

struct fact {
    char verdict[32];
    unsigned factor, roca;
    int round;
    uint8_t n[MODULUS_MAX];
    size_t n_len;
};

static bool next_fact(FILE *file, struct fact *fact)
{
    static char line[2 * MODULUS_MAX + 100], hex[2 * MODULUS_MAX + 1];

    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%31s %u %u %d %4608s", fact->verdict, &fact->factor, &fact->roca,
                   &fact->round, hex) != 5) {
            continue;
        }
        assert_int_equal(ca_hex_decode(hex, fact->n, sizeof(fact->n), &fact->n_len, NULL), CA_OK);
        return true;
    }
    return false;
}

static void assert_fact(const struct fact *fact)
{
    struct ca_bytes n = ca_bytes_of(fact->n, fact->n_len);
    uint16_t reason = reason_of(n);
    uint32_t factor = UINT32_MAX;

    assert_string_equal(reason == CA_REASON_NONE ? "ok" : ca_reason_code(reason), fact->verdict);
    assert_int_equal(ca_rsa_has_small_factor(n, &factor), fact->factor != 0);
    assert_int_equal(factor, fact->factor);
    assert_int_equal(ca_rsa_is_roca(n), fact->roca);
    assert_false(ca_rsa_is_fermat_weak(n, 0));
    if (fact->round < 0) {
        assert_false(ca_rsa_is_fermat_weak(n, 150));
    } else {
        assert_false(ca_rsa_is_fermat_weak(n, (uint32_t)fact->round));
        assert_true(ca_rsa_is_fermat_weak(n, (uint32_t)fact->round + 1));
    }
}

static void moduli_have_the_weaknesses_that_a_model_finds(void **state)
{
    FILE *file = fopen(KEYS "moduli.tsv", "r");
    static struct fact fact;
    size_t count = 0;

    (void)state;
    assert_non_null(file);
    for (; next_fact(file, &fact); count++) assert_fact(&fact);
    (void)fclose(file);
    assert_true(count > 200);
}

/* 2^bits + low, and its octets. */
static struct ca_bytes put_number(uint8_t octets[MODULUS_MAX], size_t len, uint8_t first,
                                  uint8_t last)
{
    memset(octets, 0, len);
    octets[0] = first;
    octets[len - 1] |= last;
    return ca_bytes_of(octets, len);
}

static void what_is_too_long_to_be_looked_at_counts_as_weak(void **state)
{
    uint8_t octets[MODULUS_MAX];
    struct ca_bytes n = put_number(octets, 2049, 1, 7);
    uint32_t factor = 1;

    (void)state;
    assert_int_equal(reason_of(n), CA_REASON_KEY_TOO_WEAK);
    assert_true(ca_rsa_has_small_factor(n, &factor));
    assert_int_equal(factor, 0);
    assert_true(ca_rsa_is_roca(n));
    assert_true(ca_rsa_is_fermat_weak(n, 1));
}

static void zero_and_leading_zeros_do_no_harm(void **state)
{
    uint8_t octets[MODULUS_MAX] = { 0 };
    uint32_t factor = 0;

    (void)state;
    for (size_t len = 0; len < 20; len++) {
        struct ca_bytes zero = ca_bytes_of(octets, len);

        assert_int_equal(reason_of(zero), CA_REASON_KEY_TOO_WEAK);
        assert_true(ca_rsa_has_small_factor(zero, &factor));
        assert_int_equal(factor, 2);
        assert_false(ca_rsa_is_roca(zero));
        assert_true(ca_rsa_is_fermat_weak(zero, 1));
    }
    assert_int_equal(reason_of(ca_bytes_of(NULL, 0)), CA_REASON_KEY_TOO_WEAK);
    for (size_t len = 2; len <= 2300; len += 91) {
        /* 757 behind zeros: neither a small factor, nor more octets than are read. */
        memset(octets, 0, len);
        octets[len - 2] = 0x02;
        octets[len - 1] = 0xf5;
        assert_int_equal(reason_of(ca_bytes_of(octets, len)), CA_REASON_NONE);
    }
}

/* The longest that is read, and its neighbours: all ones, and a square of all ones. */
static void the_longest_numbers_are_computed_with(void **state)
{
    uint8_t octets[MODULUS_MAX];
    BIGNUM *root = BN_new(), *square = BN_new();
    BN_CTX *ctx = BN_CTX_new();

    (void)state;
    memset(octets, 0xff, 2048);
    /* 2^16384 - 1 = (2^8192 - 1)(2^8192 + 1). */
    assert_true(ca_rsa_is_fermat_weak(ca_bytes_of(octets, 2048), 1));
    assert_int_equal(reason_of(ca_bytes_of(octets, 2048)), CA_REASON_KEY_SMALL_FACTOR);
    for (int bits = 1; bits <= 8192; bits += bits < 200 ? 1 : 61) {
        assert_int_equal(BN_set_word(root, 0) && BN_set_bit(root, bits) && BN_sub_word(root, 1), 1);
        assert_int_equal(BN_sqr(square, root, ctx), 1);
        assert_true(ca_rsa_is_fermat_weak(
            ca_bytes_of(octets, (size_t)BN_bn2bin(square, octets)), 1));
        /* Two less: a number of the form 4k + 3 is no difference of squares at the first root. */
        assert_int_equal(BN_sub_word(square, 2), 1);
        if (bits > 1)
            assert_false(ca_rsa_is_fermat_weak(
                ca_bytes_of(octets, (size_t)BN_bn2bin(square, octets)), 1));
    }
    BN_free(root);
    BN_free(square);
    BN_CTX_free(ctx);
}

/* Keys made by OpenSSL, and keys of others */

static struct ca_bytes modulus_of(EVP_PKEY *key, uint8_t octets[MODULUS_MAX])
{
    BIGNUM *n = NULL;
    int len;

    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    len = BN_bn2bin(n, octets);
    BN_free(n);
    return ca_bytes_of(octets, (size_t)len);
}

static void sound_keys_pass(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
        uint8_t octets[MODULUS_MAX];

        assert_non_null(key);
        assert_int_equal(reason_of(modulus_of(key, octets)), CA_REASON_NONE);
        EVP_PKEY_free(key);
    }
}

/* A file with a key or a certificate in PEM, whatever stands before it; NULL: OpenSSL cannot. */
static EVP_PKEY *read_key(const char *text)
{
    const char *pem = strstr(text, "-----BEGIN");
    BIO *bio;
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *decoder;

    assert_non_null(pem);
    bio = BIO_new_mem_buf(pem, -1);
    if (strncmp(pem, "-----BEGIN CERT", 15) == 0) {
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        assert_non_null(x);
        key = X509_get_pubkey(x);
        X509_free(x);
    } else {
        decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, NULL, 0, NULL, NULL);
        (void)OSSL_DECODER_from_bio(decoder, bio);
        OSSL_DECODER_CTX_free(decoder);
    }
    BIO_free(bio);
    return key;
}

static void read_text(const char *folder, const char *name, char text[16384])
{
    char path[512];
    FILE *file;
    size_t len;

    assert_true(snprintf(path, sizeof(path), KEYS "%s/%s", folder, name) < (int)sizeof(path));
    file = fopen(path, "r");
    assert_non_null(file);
    len = fread(text, 1, 16383, file);
    text[len] = '\0';
    (void)fclose(file);
}

static struct ca_bytes modulus_in(const char *folder, const char *name,
                                  uint8_t octets[MODULUS_MAX])
{
    char text[16384];
    struct ca_bytes n = { .len = 0 };

    read_text(folder, name, text);
    if (strncmp(text, "0x", 2) == 0) {
        text[strcspn(text, "\r\n")] = '\0';
        assert_int_equal(ca_hex_decode(text + 2, octets, MODULUS_MAX, &n.len, NULL), CA_OK);
        n.data = octets;
    } else {
        EVP_PKEY *key = read_key(text);

        assert_non_null(key);
        n = modulus_of(key, octets);
        EVP_PKEY_free(key);
    }
    return n;
}

static void keys_of_others_are_judged_as_their_authors_say(void **state)
{
    static const struct {
        const char *folder, *name;
        enum ca_reason reason;
    } cases[] = {
        { "roca", "mod01.txt", CA_REASON_KEY_ROCA },
        { "roca", "mod03.txt", CA_REASON_KEY_ROCA },
        { "roca", "mod04.txt", CA_REASON_NONE },
        { "roca", "mod05.txt", CA_REASON_NONE },
        { "roca", "cert01.pem", CA_REASON_NONE },
        { "roca", "cert02.pem", CA_REASON_NONE },
        { "roca", "cert04.pem", CA_REASON_KEY_ROCA },
        { "roca", "pubkey01.pem", CA_REASON_NONE },
        { "badkeys", "rsa-ok.key", CA_REASON_NONE },
        { "badkeys", "rsa-roca.key", CA_REASON_KEY_ROCA },
        { "badkeys", "rsa-fermat-pkcs1.key", CA_REASON_KEY_CLOSE_PRIMES },
        /* Its factor 31337 is above the bound, its primes stand in other keys. */
        { "badkeys", "rsa-smallfactors-valid.key", CA_REASON_NONE },
        { "badkeys", "rsa-sharedprimes.key", CA_REASON_NONE },
        /* For the list of published keys. */
        { "badkeys", "rsa-nprime.key", CA_REASON_NONE },
        { "badkeys", "rsa-debianweak.key", CA_REASON_NONE },
        { "debian", "rsa2048-ssh-be32-0.key", CA_REASON_NONE },
        { "rfc-examples", "pub-rsa4096-rfc9500.key", CA_REASON_NONE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t octets[MODULUS_MAX];

        assert_int_equal(reason_of(modulus_in(cases[i].folder, cases[i].name, octets)),
                         cases[i].reason);
    }
}

/* What identifies a key */

static struct ca_spki spki_of(EVP_PKEY *key, uint8_t **der)
{
    struct ca_spki spki;
    int len;

    *der = NULL;
    len = i2d_PUBKEY(key, der);
    assert_true(len > 0);
    assert_int_equal(ca_spki_parse(ca_bytes_of(*der, (size_t)len), &spki, NULL), CA_OK);
    return spki;
}

/* SHA-256 of what OpenSSL says about the key. */
static void hash_of_param(EVP_PKEY *key, const char *name, size_t len, uint8_t hash[32])
{
    uint8_t octets[MODULUS_MAX];
    BIGNUM *number = NULL;
    size_t hash_len = 0, raw_len = sizeof(octets);

    if (name == NULL) {
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, octets, &raw_len), 1);
        len = raw_len;
    } else {
        assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
        if (len == 0) len = (size_t)BN_num_bytes(number);
        assert_true(BN_bn2binpad(number, octets, (int)len) > 0);
        BN_free(number);
    }
    assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, octets, len, hash, &hash_len), 1);
}

static void assert_hash(struct ca_crypto *crypto, EVP_PKEY *key, const char *param, size_t len)
{
    uint8_t expected[32], hash[CA_KEY_HASH_LEN];
    uint8_t *der = NULL;
    struct ca_spki spki = spki_of(key, &der);

    hash_of_param(key, param, len, expected);
    assert_int_equal(ca_key_hash(crypto, &spki, hash, NULL), CA_OK);
    assert_memory_equal(hash, expected, CA_KEY_HASH_LEN);
    assert_true(ca_key_is_same(&spki, &spki));
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static void a_key_is_identified_by_modulus_coordinate_or_octets(void **state)
{
    struct ca_crypto *crypto = *state;

    assert_hash(crypto, EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), OSSL_PKEY_PARAM_RSA_N,
                0);
    assert_hash(crypto, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), OSSL_PKEY_PARAM_EC_PUB_X, 32);
    assert_hash(crypto, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), OSSL_PKEY_PARAM_EC_PUB_X, 48);
    assert_hash(crypto, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"), OSSL_PKEY_PARAM_EC_PUB_X, 66);
    assert_hash(crypto, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, 0);
    assert_hash(crypto, EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), NULL, 0);
}

static void another_exponent_or_the_negated_point_makes_no_other_key(void **state)
{
    struct ca_crypto *crypto = *state;
    uint8_t n[256], e[3] = { 1, 0, 1 }, other_e[3] = { 1, 0, 3 }, point[65], negated[65];
    struct ca_spki a = { .kind = CA_KEY_KIND_RSA, .rsa_n = { n, 256 }, .rsa_e = { e, 3 } };
    struct ca_spki b = { .kind = CA_KEY_KIND_RSA, .rsa_n = { n, 256 }, .rsa_e = { other_e, 3 } };
    uint8_t hash[CA_KEY_HASH_LEN], other[CA_KEY_HASH_LEN];

    memset(n, 0xc5, sizeof(n));
    memset(point, 0x11, sizeof(point));
    point[0] = 0x04;
    memcpy(negated, point, sizeof(point));
    memset(negated + 33, 0x22, 32);
    assert_true(ca_key_is_same(&a, &b));
    assert_int_equal(ca_key_hash(crypto, &a, hash, NULL), CA_OK);
    assert_int_equal(ca_key_hash(crypto, &b, other, NULL), CA_OK);
    assert_memory_equal(hash, other, sizeof(hash));

    a = (struct ca_spki){ .kind = CA_KEY_KIND_P256, .key = { point, 65 } };
    assert_false(ca_key_is_same(&a, &b));
    b = (struct ca_spki){ .kind = CA_KEY_KIND_P256, .key = { negated, 65 } };
    assert_true(ca_key_is_same(&a, &b));
    assert_int_equal(ca_key_hash(crypto, &a, hash, NULL), CA_OK);
    assert_int_equal(ca_key_hash(crypto, &b, other, NULL), CA_OK);
    assert_memory_equal(hash, other, sizeof(hash));
    negated[32] ^= 1;
    assert_false(ca_key_is_same(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moduli_have_the_weaknesses_that_a_model_finds),
        cmocka_unit_test(what_is_too_long_to_be_looked_at_counts_as_weak),
        cmocka_unit_test(zero_and_leading_zeros_do_no_harm),
        cmocka_unit_test(the_longest_numbers_are_computed_with),
        cmocka_unit_test(sound_keys_pass),
        cmocka_unit_test(keys_of_others_are_judged_as_their_authors_say),
        cmocka_unit_test(a_key_is_identified_by_modulus_coordinate_or_octets),
        cmocka_unit_test(another_exponent_or_the_negated_point_makes_no_other_key),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
