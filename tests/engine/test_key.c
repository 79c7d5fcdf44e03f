/* engine/key: PKCS#8 files (RFC 5958) and their encryption. The openssl(1) program reads what we
 * write and writes what we read. */
#include "engine/key.h"

#include "engine/sign.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#define PASSPHRASE "correct horse battery staple"
#define OUTPUT_MAX 16384

static const enum ca_key_alg algs[] = { CA_KEY_RSA_2048, CA_KEY_EC_P256, CA_KEY_EC_P384,
                                        CA_KEY_EC_P521, CA_KEY_ED25519 };
#define ALGS (sizeof(algs) / sizeof(algs[0]))

struct fixture {
    struct ca_crypto *crypto;
    struct ca_key *keys[ALGS];
    char dir[64];
};

static struct fixture fixture;

static int set_up(void **state)
{
    struct fixture *f = &fixture;

    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/certmill-test-key-XXXXXX");
    if (mkdtemp(f->dir) == NULL || ca_crypto_new(&f->crypto, NULL) != CA_OK) return -1;
    for (size_t i = 0; i < ALGS; i++) {
        if (ca_key_generate(f->crypto, algs[i], &f->keys[i], NULL) != CA_OK) return -1;
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ALGS; i++) ca_key_free(f->keys[i]);
    ca_crypto_free(f->crypto);
    return rmdir(f->dir);
}

/* Runs a command line in the fixture's directory; its output, zero-terminated, goes to out. */
static int run(const struct fixture *f, const char *command, char *out)
{
    char line[1024];
    size_t len;
    FILE *pipe;

    assert_true(snprintf(line, sizeof(line), "cd %s && ( %s ) 2>&1", f->dir, command) < 1024);
    pipe = popen(line, "r");
    assert_non_null(pipe);
    len = fread(out, 1, OUTPUT_MAX - 1, pipe);
    out[len] = '\0';
    return pclose(pipe);
}

static void write_file(const struct fixture *f, const char *name, struct ca_bytes data)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data.data, 1, data.len, file), data.len);
    assert_int_equal(fclose(file), 0);
}

static void remove_file(const struct fixture *f, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
    assert_int_equal(unlink(path), 0);
}

static struct ca_buf encode(const struct fixture *f, const struct ca_key *key,
                            const char *passphrase, enum ca_key_kdf kdf)
{
    struct ca_buf pem;

    ca_buf_init(&pem, 65536);
    assert_int_equal(ca_key_encode(f->crypto, key, ca_bytes_str(passphrase), kdf, &pem, NULL),
                     CA_OK);
    return pem;
}

static enum ca_status decode(const struct fixture *f, struct ca_bytes pem, const char *passphrase,
                             struct ca_key **out, struct ca_error *err)
{
    enum ca_status st;

    *out = NULL;
    st = ca_key_decode(f->crypto, pem, ca_bytes_str(passphrase), out, err);
    assert_int_equal(ERR_peek_error(), 0);
    if (st != CA_OK) assert_null(*out);
    return st;
}

static void assert_refused(const struct fixture *f, struct ca_bytes pem, const char *passphrase,
                           enum ca_status status, const char *name)
{
    struct ca_error err = { 0 };
    struct ca_key *key;

    assert_int_equal(decode(f, pem, passphrase, &key, &err), status);
    assert_string_equal(ca_error_name(&err), name);
    assert_true(err.text[0] != '\0');
}

static void generated_keys_have_the_kind_and_size_that_was_asked(void **state)
{
    static const char *const expected[ALGS] = { "Public-Key: (2048 bit)", "NIST CURVE: P-256",
                                                "NIST CURVE: P-384", "NIST CURVE: P-521",
                                                "ED25519 Public-Key" };
    struct fixture *f = *state;
    char out[OUTPUT_MAX];

    for (size_t i = 0; i < ALGS; i++) {
        write_file(f, "spki", ca_key_spki(f->keys[i]));
        assert_int_equal(run(f, "openssl pkey -pubin -inform DER -in spki -noout -text", out), 0);
        assert_non_null(strstr(out, expected[i]));
        assert_int_equal(ca_key_algorithm(f->keys[i]), algs[i]);
        remove_file(f, "spki");
    }
}

static void no_two_generated_keys_are_the_same(void **state)
{
    struct fixture *f = *state;
    struct ca_key *other = NULL;

    assert_int_equal(ca_key_generate(f->crypto, CA_KEY_EC_P256, &other, NULL), CA_OK);
    assert_false(ca_bytes_equal(ca_key_spki(other), ca_key_spki(f->keys[1])));
    ca_key_free(other);
    ca_key_free(NULL);
}

static void a_key_of_no_algorithm_is_not_generated(void **state)
{
    struct fixture *f = *state;
    struct ca_key *key = NULL;
    struct ca_error err = { 0 };

    assert_int_equal(ca_key_generate(f->crypto, CA_KEY_ALG_NONE, &key, &err), CA_REFUSED);
    assert_string_equal(err.name, "key-algorithm");
    assert_null(key);
}

/* Our file opened by openssl(1) with the passphrase gives the public key that we say it has. */
static void check_opens(const struct fixture *f, size_t i, enum ca_key_kdf kdf)
{
    struct ca_buf pem = encode(f, f->keys[i], PASSPHRASE, kdf);
    char out[OUTPUT_MAX];

    assert_memory_equal(pem.data, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 38);
    write_file(f, "key.pem", ca_buf_view(&pem));
    write_file(f, "pass", ca_bytes_str(PASSPHRASE "\n"));
    write_file(f, "wrong", ca_bytes_str(PASSPHRASE "!\n"));
    write_file(f, "spki", ca_key_spki(f->keys[i]));
    assert_int_equal(run(f, "openssl pkey -in key.pem -passin file:pass -pubout -outform DER -out o"
                            " && cmp o spki", out), 0);
    assert_int_not_equal(run(f, "openssl pkey -in key.pem -passin file:wrong -noout", out), 0);
    assert_int_equal(run(f, "rm key.pem pass wrong spki o", out), 0);
    ca_buf_clear_secret(&pem);
}

static void openssl_opens_our_files_of_every_algorithm_and_derivation(void **state)
{
    for (size_t i = 0; i < ALGS; i++) {
        check_opens(*state, i, CA_KDF_SCRYPT);
        check_opens(*state, i, CA_KDF_PBKDF2);
    }
}

/* RFC 7914, RFC 8018: the parameters that were asked for are the ones written. */
static void the_file_says_aes_256_and_scrypt_with_the_promised_numbers(void **state)
{
    struct fixture *f = *state;
    struct ca_buf pem = encode(f, f->keys[1], PASSPHRASE, CA_KDF_SCRYPT);
    char out[OUTPUT_MAX];

    write_file(f, "key.pem", ca_buf_view(&pem));
    assert_int_equal(run(f, "openssl asn1parse -in key.pem", out), 0);
    remove_file(f, "key.pem");
    assert_non_null(strstr(out, ":PBES2"));
    assert_non_null(strstr(out, ":scrypt"));
    assert_non_null(strstr(out, ":aes-256-cbc"));
    assert_non_null(strstr(out, "INTEGER           :4000\n"));     /* N = 2^14 */
    assert_non_null(strstr(out, "INTEGER           :08\n"));
    assert_non_null(strstr(out, "INTEGER           :05\n"));
    ca_buf_clear_secret(&pem);
}

static void the_file_says_aes_256_and_pbkdf2_with_600000_rounds(void **state)
{
    struct fixture *f = *state;
    struct ca_buf pem = encode(f, f->keys[1], PASSPHRASE, CA_KDF_PBKDF2);
    char out[OUTPUT_MAX];

    write_file(f, "key.pem", ca_buf_view(&pem));
    assert_int_equal(run(f, "openssl asn1parse -in key.pem", out), 0);
    remove_file(f, "key.pem");
    assert_non_null(strstr(out, ":PBES2"));
    assert_non_null(strstr(out, ":PBKDF2"));
    assert_non_null(strstr(out, ":hmacWithSHA256"));
    assert_non_null(strstr(out, ":aes-256-cbc"));
    assert_non_null(strstr(out, "INTEGER           :0927C0\n"));   /* 600,000 */
    ca_buf_clear_secret(&pem);
}

static void salt_and_iv_are_new_in_every_file(void **state)
{
    struct fixture *f = *state;
    struct ca_buf a = encode(f, f->keys[1], PASSPHRASE, CA_KDF_SCRYPT);
    struct ca_buf b = encode(f, f->keys[1], PASSPHRASE, CA_KDF_SCRYPT);
    char *first = (char *)a.data, *second = (char *)b.data;

    assert_int_equal(a.len, b.len);
    /* Past the label and the line that holds only OIDs and lengths. */
    assert_true(memcmp(first + 38 + 64, second + 38 + 64, 64) != 0);
    assert_true(memcmp(first + 38 + 3 * 65, second + 38 + 3 * 65, 64) != 0);
    ca_buf_clear_secret(&a);
    ca_buf_clear_secret(&b);
}

static void our_files_come_back_as_the_same_key(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ALGS; i++) {
        struct ca_buf pem = encode(f, f->keys[i], PASSPHRASE, CA_KDF_SCRYPT);
        struct ca_buf plain = encode(f, f->keys[i], "", CA_KDF_SCRYPT);
        struct ca_key *key = NULL;

        assert_int_equal(decode(f, ca_buf_view(&pem), PASSPHRASE, &key, NULL), CA_OK);
        assert_int_equal(ca_key_algorithm(key), algs[i]);
        assert_true(ca_bytes_equal(ca_key_spki(key), ca_key_spki(f->keys[i])));
        ca_key_free(key);
        assert_int_equal(decode(f, ca_buf_view(&plain), "", &key, NULL), CA_OK);
        assert_true(ca_bytes_equal(ca_key_spki(key), ca_key_spki(f->keys[i])));
        ca_key_free(key);
        ca_buf_clear_secret(&pem);
        ca_buf_clear_secret(&plain);
    }
}

/* RFC 5958: a plain file is version 0, the algorithm, the key. */
static void openssl_checks_our_plain_files_in_full(void **state)
{
    struct fixture *f = *state;
    char out[OUTPUT_MAX];

    for (size_t i = 0; i < ALGS; i++) {
        struct ca_buf pem = encode(f, f->keys[i], "", CA_KDF_SCRYPT);

        assert_memory_equal(pem.data, "-----BEGIN PRIVATE KEY-----\n", 28);
        write_file(f, "key.pem", ca_buf_view(&pem));
        write_file(f, "spki", ca_key_spki(f->keys[i]));
        assert_int_equal(run(f, "openssl pkey -in key.pem -check -noout", out), 0);
        assert_int_equal(run(f, "openssl pkey -in key.pem -pubout -outform DER | cmp - spki", out),
                         0);
        assert_int_equal(run(f, "rm key.pem spki", out), 0);
        ca_buf_clear_secret(&pem);
    }
}

/* Runs openssl(1), which writes key.pem, and decodes that. */
static enum ca_status decode_made_by(const struct fixture *f, const char *command,
                                     const char *passphrase, struct ca_key **out,
                                     struct ca_error *err)
{
    char said[OUTPUT_MAX], pem[OUTPUT_MAX];
    enum ca_status st;

    write_file(f, "pass", ca_bytes_str(PASSPHRASE "\n"));
    if (run(f, command, said) != 0) fail_msg("%s: %s", command, said);
    assert_int_equal(run(f, "cat key.pem", pem), 0);
    st = decode(f, ca_bytes_str(pem), passphrase, out, err);
    remove_file(f, "key.pem");
    remove_file(f, "pass");
    return st;
}

#define GENPKEY "openssl genpkey -quiet -out plain.pem -algorithm "
#define SEAL " && openssl pkcs8 -topk8 -in plain.pem -out key.pem -passout file:pass "
#define DONE " && rm plain.pem"

static void files_made_by_openssl_are_read(void **state)
{
    static const struct {
        const char *command;
        enum ca_key_alg alg;
    } rows[] = {
        { GENPKEY "RSA -pkeyopt bits:2048" SEAL "-scrypt" DONE, CA_KEY_RSA_2048 },
        { GENPKEY "RSA -pkeyopt bits:3072" SEAL "-v2 aes-256-cbc -iter 100000" DONE,
          CA_KEY_RSA_3072 },
        { GENPKEY "EC -pkeyopt group:P-256" SEAL "-v2 aes-128-cbc -iter 100000" DONE,
          CA_KEY_EC_P256 },
        { GENPKEY "EC -pkeyopt group:P-384" SEAL "-v2 aes-192-cbc -iter 200000"
          " -v2prf hmacWithSHA512" DONE, CA_KEY_EC_P384 },
        { GENPKEY "EC -pkeyopt group:P-521" SEAL "-v2 aes256 -iter 100000"
          " -v2prf hmacWithSHA1" DONE, CA_KEY_EC_P521 },
        { GENPKEY "ED25519" SEAL "-scrypt -scrypt_N 32768 -scrypt_r 7 -scrypt_p 2" DONE,
          CA_KEY_ED25519 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_error err = { 0 };
        struct ca_key *key = NULL;

        if (decode_made_by(f, rows[i].command, PASSPHRASE, &key, &err) != CA_OK) {
            fail_msg("%s: %s", rows[i].command, err.text);
        }
        assert_int_equal(ca_key_algorithm(key), rows[i].alg);
        ca_key_free(key);
    }
}

static void weakly_encrypted_files_are_refused_before_anything_is_derived(void **state)
{
    static const char *const rows[] = {
        GENPKEY "ED25519" SEAL DONE,                                    /* 2,048 rounds */
        GENPKEY "ED25519" SEAL "-v2 aes-256-cbc -iter 99999" DONE,
        GENPKEY "ED25519" SEAL "-v2 des3 -iter 600000" DONE,
        GENPKEY "ED25519" SEAL "-v2 camellia-256-cbc -iter 600000" DONE,
        GENPKEY "ED25519" SEAL "-v1 PBE-SHA1-3DES -iter 600000" DONE,
        GENPKEY "ED25519" SEAL "-v1 PBE-MD5-DES -provider legacy -provider default" DONE,
        GENPKEY "ED25519" SEAL "-v1 PBE-SHA1-RC2-40 -provider legacy -provider default" DONE,
        GENPKEY "ED25519" SEAL "-scrypt -scrypt_N 8192 -scrypt_r 8 -scrypt_p 1" DONE,
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_error err = { 0 };
        struct ca_key *key;

        /* The passphrase is right: only the check of the parameters can refuse. */
        if (decode_made_by(f, rows[i], PASSPHRASE, &key, &err) != CA_REFUSED) {
            fail_msg("%s: %s", rows[i], err.text);
        }
        assert_string_equal(err.name, "weak-encryption");
        assert_true(err.hint[0] != '\0');
    }
}

static void keys_of_other_algorithms_and_sizes_are_refused(void **state)
{
    static const char *const rows[] = {
        "openssl genpkey -quiet -out key.pem -algorithm RSA -pkeyopt bits:1024",
        "openssl genpkey -quiet -out key.pem -algorithm RSA -pkeyopt bits:2056",
        "openssl genpkey -quiet -out key.pem -algorithm EC -pkeyopt group:secp256k1",
        ("openssl genpkey -quiet -out key.pem -algorithm EC -pkeyopt group:P-256"
         " -pkeyopt ec_param_enc:explicit"),
        "openssl genpkey -quiet -out key.pem -algorithm X25519",
        "openssl genpkey -quiet -out key.pem -algorithm ED448",
        "openssl genpkey -quiet -out key.pem -algorithm RSA-PSS -pkeyopt bits:2048",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_error err = { 0 };
        struct ca_key *key;

        if (decode_made_by(f, rows[i], "", &key, &err) != CA_REFUSED) {
            fail_msg("%s: %s", rows[i], err.text);
        }
        assert_string_equal(err.name, "key-algorithm");
    }
}

/* RFC 5480 2.2: our certificates carry uncompressed points, whatever form the file had. */
static void a_file_with_a_compressed_point_gives_an_uncompressed_public_key(void **state)
{
    struct fixture *f = *state;
    struct ca_key *key = NULL;

    assert_int_equal(decode_made_by(f, GENPKEY "EC -pkeyopt group:P-256 && openssl ec -in plain.pem"
                                       " -conv_form compressed -out c.pem && openssl pkcs8 -topk8"
                                       " -nocrypt -in c.pem -out key.pem && rm c.pem" DONE,
                                    "", &key, NULL), CA_OK);
    assert_int_equal(ca_key_spki(key).len, 91);
    assert_int_equal(ca_key_spki(key).data[26], 0x04);
    ca_key_free(key);
}

static void the_wrong_passphrase_has_its_own_name(void **state)
{
    static const char *const wrong[] = { "x", PASSPHRASE "!", "Correct horse battery staple",
                                         "correct horse battery stapl" };
    struct fixture *f = *state;
    struct ca_buf pem = encode(f, f->keys[1], PASSPHRASE, CA_KDF_SCRYPT);

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_refused(f, ca_buf_view(&pem), wrong[i], CA_REFUSED, "wrong-passphrase");
    }
    assert_refused(f, ca_buf_view(&pem), "", CA_REFUSED, "passphrase-needed");
    ca_buf_clear_secret(&pem);
}

static void a_passphrase_may_be_1024_octets_long_and_no_longer(void **state)
{
    struct fixture *f = *state;
    char passphrase[CA_PASSPHRASE_MAX + 2];
    struct ca_error err = { 0 };
    struct ca_key *key = NULL;
    struct ca_buf pem;

    memset(passphrase, 'p', sizeof(passphrase));
    passphrase[CA_PASSPHRASE_MAX] = '\0';
    pem = encode(f, f->keys[1], passphrase, CA_KDF_SCRYPT);
    assert_int_equal(decode(f, ca_buf_view(&pem), passphrase, &key, NULL), CA_OK);
    ca_key_free(key);
    passphrase[CA_PASSPHRASE_MAX - 1] = 'q';        /* its last octet counts */
    assert_refused(f, ca_buf_view(&pem), passphrase, CA_REFUSED, "wrong-passphrase");
    passphrase[CA_PASSPHRASE_MAX] = 'p';
    passphrase[CA_PASSPHRASE_MAX + 1] = '\0';
    assert_refused(f, ca_buf_view(&pem), passphrase, CA_REFUSED, "wrong-passphrase");
    ca_buf_clear_secret(&pem);
    ca_buf_init(&pem, 65536);
    assert_int_equal(ca_key_encode(f->crypto, f->keys[1], ca_bytes_str(passphrase), CA_KDF_SCRYPT,
                                   &pem, &err), CA_REFUSED);
    assert_string_equal(err.name, "passphrase-too-long");
    assert_int_equal(pem.len, 0);
    ca_buf_clear_secret(&pem);
}

static void a_plain_file_is_refused_where_a_passphrase_was_given(void **state)
{
    struct fixture *f = *state;
    struct ca_buf pem = encode(f, f->keys[1], "", CA_KDF_SCRYPT);

    assert_refused(f, ca_buf_view(&pem), PASSPHRASE, CA_REFUSED, "weak-encryption");
    ca_buf_clear_secret(&pem);
}

static void what_is_no_key_file_is_malformed(void **state)
{
    static const char *const rows[] = {
        "", "hello", "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    };
    struct fixture *f = *state;
    char *large = calloc(1, 20001);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_refused(f, ca_bytes_str(rows[i]), "", CA_MALFORMED, "bad-key-file");
    }
    assert_refused(f, ca_bytes_str("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n"
                                   "-----END ENCRYPTED PRIVATE KEY-----\n"),
                   "x", CA_MALFORMED, "bad-key-file");
    assert_non_null(large);
    memset(large, ' ', 20000);
    assert_refused(f, ca_bytes_str(large), "", CA_MALFORMED, "bad-key-file");
    free(large);
}

static struct ca_bytes pem_of(const char *label, const uint8_t *der, size_t len, char **text)
{
    BIO *bio = BIO_new(BIO_s_mem());
    long got;
    char *data;

    assert_true(PEM_write_bio(bio, label, "", der, (long)len) > 0);
    got = BIO_get_mem_data(bio, &data);
    *text = malloc((size_t)got);
    assert_non_null(*text);
    memcpy(*text, data, (size_t)got);
    BIO_free(bio);
    return ca_bytes_of(*text, (size_t)got);
}

/* DER of one of our files, through OpenSSL's reader. */
static long der_of(const struct ca_buf *pem, uint8_t **der)
{
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    char *name = NULL, *header = NULL;
    long len = 0;

    assert_int_equal(PEM_read_bio(bio, &name, &header, der, &len), 1);
    OPENSSL_free(name);
    OPENSSL_free(header);
    BIO_free(bio);
    return len;
}

static void trailing_octets_make_a_file_malformed(void **state)
{
    struct fixture *f = *state;

    for (size_t encrypted = 0; encrypted < 2; encrypted++) {
        const char *passphrase = encrypted ? PASSPHRASE : "";
        struct ca_buf pem = encode(f, f->keys[1], passphrase, CA_KDF_SCRYPT);
        uint8_t *der = NULL, *longer;
        long len = der_of(&pem, &der);
        struct ca_bytes text;
        char *owned;

        longer = calloc(1, (size_t)len + 1);
        assert_non_null(longer);
        memcpy(longer, der, (size_t)len);
        text = pem_of(encrypted ? "ENCRYPTED PRIVATE KEY" : "PRIVATE KEY", longer, (size_t)len + 1,
                      &owned);
        assert_refused(f, text, passphrase, CA_MALFORMED, "bad-key-file");
        free(owned);
        free(longer);
        OPENSSL_free(der);
        ca_buf_clear_secret(&pem);
    }
}

/* Every cut and every changed octet of an encrypted file is an answer, never a crash. CBC has no
 * integrity: a change in the last 82 octets (IV, header, ciphertext) may give another key, which
 * then is not the certificate's. Before them nothing may pass. */
static void damaged_files_are_refused_whatever_octet_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct ca_buf pem = encode(f, f->keys[4], PASSPHRASE, CA_KDF_SCRYPT);
    uint8_t *der = NULL;
    long len = der_of(&pem, &der);

    for (long i = 0; i < len - 1; i++) {
        struct ca_error err = { 0 };
        struct ca_key *key;
        struct ca_bytes text;
        char *owned;

        /* Salt, IV and ciphertext cost a derivation each: a sample of those is enough. */
        if (i > 40 && i % 16 != 0) continue;
        text = pem_of("ENCRYPTED PRIVATE KEY", der, (size_t)len - (size_t)i - 1, &owned);
        assert_int_equal(decode(f, text, PASSPHRASE, &key, &err), CA_MALFORMED);
        assert_string_equal(err.name, "bad-key-file");
        free(owned);
        der[i] ^= 0x15;
        text = pem_of("ENCRYPTED PRIVATE KEY", der, (size_t)len, &owned);
        if (decode(f, text, PASSPHRASE, &key, &err) == CA_OK) assert_true(i >= len - 82);
        else assert_true(ca_status_is_request(err.status));
        ca_key_free(key);
        free(owned);
        der[i] ^= 0x15;
    }
    OPENSSL_free(der);
    ca_buf_clear_secret(&pem);
}

/* The certificates would bear a key that never signs. */
static void a_file_whose_halves_do_not_match_is_malformed(void **state)
{
    struct fixture *f = *state;
    struct ca_buf a = encode(f, f->keys[1], "", CA_KDF_SCRYPT);
    struct ca_bytes spki, text;
    struct ca_key *other = NULL;
    uint8_t *der = NULL;
    char *owned;
    long len = der_of(&a, &der);

    assert_int_equal(ca_key_generate(f->crypto, CA_KEY_EC_P256, &other, NULL), CA_OK);
    spki = ca_key_spki(other);
    /* Both end in the 65 octets of the point. */
    assert_memory_equal(der + len - 65, ca_key_spki(f->keys[1]).data + 26, 65);
    memcpy(der + len - 65, spki.data + 26, 65);
    text = pem_of("PRIVATE KEY", der, (size_t)len, &owned);
    assert_refused(f, text, "", CA_MALFORMED, "bad-key-file");
    free(owned);
    OPENSSL_free(der);
    ca_key_free(other);
    ca_buf_clear_secret(&a);
}

/* The copy must outlive the original and its context, and sign what the original's key verifies. */
static void a_copy_lives_in_its_own_context_and_signs_as_the_same_key(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ALGS; i++) {
        struct ca_crypto *first = NULL, *second = NULL;
        struct ca_key *key = NULL, *copy = NULL;
        struct ca_signer *signer = NULL;
        struct ca_buf pem = encode(f, f->keys[i], "", CA_KDF_SCRYPT);
        uint8_t signature[CA_SIGNATURE_MAX];
        size_t len = 0;
        const uint8_t *at = ca_key_spki(f->keys[i]).data;
        EVP_PKEY *judge = d2i_PUBKEY(NULL, &at, (long)ca_key_spki(f->keys[i]).len);
        EVP_MD_CTX *verify = EVP_MD_CTX_new();

        assert_int_equal(ca_crypto_new(&first, NULL), CA_OK);
        assert_int_equal(ca_crypto_new(&second, NULL), CA_OK);
        assert_int_equal(ca_key_decode(first, ca_buf_view(&pem), ca_bytes_of(NULL, 0), &key, NULL),
                         CA_OK);
        assert_int_equal(ca_key_copy(key, second, &copy, NULL), CA_OK);
        ca_key_free(key);
        ca_crypto_free(first);
        assert_int_equal(ca_key_algorithm(copy), algs[i]);
        assert_true(ca_bytes_equal(ca_key_spki(copy), ca_key_spki(f->keys[i])));
        assert_int_equal(ca_signer_new(second, copy, ca_sig_alg_default(algs[i]), &signer, NULL),
                         CA_OK);
        assert_int_equal(ca_signer_sign(signer, ca_bytes_str("message"), signature, &len, NULL),
                         CA_OK);
        assert_int_equal(EVP_DigestVerifyInit(verify, NULL,
                                              algs[i] == CA_KEY_ED25519 ? NULL :
                                              algs[i] == CA_KEY_EC_P384 ? EVP_sha384() :
                                              algs[i] == CA_KEY_EC_P521 ? EVP_sha512() :
                                              EVP_sha256(), NULL, judge), 1);
        assert_int_equal(EVP_DigestVerify(verify, signature, len, (const uint8_t *)"message", 7),
                         1);
        EVP_MD_CTX_free(verify);
        EVP_PKEY_free(judge);
        ca_signer_free(signer);
        ca_key_free(copy);
        ca_crypto_free(second);
        ca_buf_clear_secret(&pem);
    }
}

struct copier {
    const struct ca_key *key;
    struct ca_bytes message;
    int good;
};

static void *copy_and_sign(void *arg)
{
    struct copier *job = arg;

    for (int i = 0; i < 3; i++) {
        struct ca_crypto *crypto = NULL;
        struct ca_signer *signer = NULL;
        uint8_t signature[CA_SIGNATURE_MAX];
        size_t len = 0;

        if (ca_crypto_new(&crypto, NULL) == CA_OK &&
            ca_signer_new(crypto, job->key, ca_sig_alg_default(ca_key_algorithm(job->key)), &signer,
                          NULL) == CA_OK &&
            ca_signer_sign(signer, job->message, signature, &len, NULL) == CA_OK &&
            ca_signer_check(signer, job->message, ca_bytes_of(signature, len), NULL) == CA_OK) {
            job->good++;
        }
        ca_signer_free(signer);
        ca_crypto_free(crypto);
    }
    return NULL;
}

/* What every worker does at its start, all from one key that nobody changes. */
static void many_threads_may_copy_one_key_at_once(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ALGS; i++) {
        pthread_t threads[4];
        struct copier jobs[4];

        for (size_t t = 0; t < 4; t++) {
            jobs[t] = (struct copier){ .key = f->keys[i], .message = ca_bytes_str("message") };
            assert_int_equal(pthread_create(&threads[t], NULL, copy_and_sign, &jobs[t]), 0);
        }
        for (size_t t = 0; t < 4; t++) {
            assert_int_equal(pthread_join(threads[t], NULL), 0);
            assert_int_equal(jobs[t].good, 3);
        }
    }
}

static void a_buffer_that_is_too_small_is_full(void **state)
{
    struct fixture *f = *state;
    struct ca_error err = { 0 };
    struct ca_buf pem;

    ca_buf_init(&pem, 100);
    assert_int_equal(ca_key_encode(f->crypto, f->keys[1], ca_bytes_of(NULL, 0), CA_KDF_SCRYPT, &pem,
                                   &err), CA_FULL);
    ca_buf_clear_secret(&pem);
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

static void a_broken_generator_makes_no_key_and_no_file(void **state)
{
    struct fixture *f = *state;
    struct ca_crypto *crypto = new_crypto_without_generator();
    struct ca_key *key = NULL;
    struct ca_error err = { 0 };
    struct ca_buf pem;

    assert_int_equal(ca_key_generate(crypto, CA_KEY_EC_P256, &key, &err), CA_CRYPTO);
    assert_null(key);
    assert_int_equal(ERR_peek_error(), 0);
    ca_buf_init(&pem, 65536);
    assert_int_equal(ca_key_encode(crypto, f->keys[1], ca_bytes_str("x"), CA_KDF_SCRYPT, &pem,
                                   &err), CA_CRYPTO);
    assert_int_equal(pem.len, 0);
    ca_buf_clear_secret(&pem);
    ca_crypto_free(crypto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_keys_have_the_kind_and_size_that_was_asked),
        cmocka_unit_test(no_two_generated_keys_are_the_same),
        cmocka_unit_test(a_key_of_no_algorithm_is_not_generated),
        cmocka_unit_test(openssl_opens_our_files_of_every_algorithm_and_derivation),
        cmocka_unit_test(the_file_says_aes_256_and_scrypt_with_the_promised_numbers),
        cmocka_unit_test(the_file_says_aes_256_and_pbkdf2_with_600000_rounds),
        cmocka_unit_test(salt_and_iv_are_new_in_every_file),
        cmocka_unit_test(our_files_come_back_as_the_same_key),
        cmocka_unit_test(openssl_checks_our_plain_files_in_full),
        cmocka_unit_test(files_made_by_openssl_are_read),
        cmocka_unit_test(weakly_encrypted_files_are_refused_before_anything_is_derived),
        cmocka_unit_test(keys_of_other_algorithms_and_sizes_are_refused),
        cmocka_unit_test(a_file_with_a_compressed_point_gives_an_uncompressed_public_key),
        cmocka_unit_test(the_wrong_passphrase_has_its_own_name),
        cmocka_unit_test(a_passphrase_may_be_1024_octets_long_and_no_longer),
        cmocka_unit_test(a_plain_file_is_refused_where_a_passphrase_was_given),
        cmocka_unit_test(what_is_no_key_file_is_malformed),
        cmocka_unit_test(trailing_octets_make_a_file_malformed),
        cmocka_unit_test(damaged_files_are_refused_whatever_octet_is_wrong),
        cmocka_unit_test(a_file_whose_halves_do_not_match_is_malformed),
        cmocka_unit_test(a_copy_lives_in_its_own_context_and_signs_as_the_same_key),
        cmocka_unit_test(many_threads_may_copy_one_key_at_once),
        cmocka_unit_test(a_buffer_that_is_too_small_is_full),
        cmocka_unit_test(a_broken_generator_makes_no_key_and_no_file),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
