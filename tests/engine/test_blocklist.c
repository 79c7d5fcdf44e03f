#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/blocklist.h"
#include "engine/published_keys.h"

#include <dirent.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS CERTMILL_VECTORS_DIR "/keys/"

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

/* A user's file */

#define A "00112233445566778899aabbccddeeff"
#define B "00112233445566778899aabbccddef00"
#define C "ffffffffffffffffffffffffffffffff"

static const uint8_t hash_a[] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
static const uint8_t hash_b[] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xef, 0x00 };
static const uint8_t hash_c[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t hash_0[CA_KEY_HASH_LEN] = { 0 };

/* From memory of exactly the text's length, so that a sanitizer sees what is read behind it. */
static enum ca_status parse(struct ca_crypto *crypto, const char *text, struct ca_blocklist **out,
                            struct ca_error *err)
{
    size_t len = strlen(text);
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    enum ca_status st;

    assert_non_null(copy);
    memcpy(copy, text, len);
    st = ca_blocklist_parse(ca_bytes_of(copy, len), crypto, out, err);
    free(copy);
    return st;
}

static void hashes_are_read_and_found(void **state)
{
    static const char *const texts[] = {
        A "\n" B "\n" C "\n",
        A "\n" B "\n" C,
        A "\r\n" B "\r\n" C "\r\n",
        "# keys\n\n" A " # the first\n  \t\n" B "# the second\n# between\n\t" C " \n\n#",
        "00112233445566778899AABBCCDDEEFF\n00112233445566778899AabBccDdef00\n" C "\n",
    };
    struct ca_crypto *crypto = *state;
    uint8_t expected[32];
    uint8_t octets[3 * CA_KEY_HASH_LEN];

    memcpy(octets, hash_a, CA_KEY_HASH_LEN);
    memcpy(octets + CA_KEY_HASH_LEN, hash_b, CA_KEY_HASH_LEN);
    memcpy(octets + 2 * CA_KEY_HASH_LEN, hash_c, CA_KEY_HASH_LEN);
    assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, octets, sizeof(octets), expected, NULL), 1);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ca_blocklist *list = NULL;

        assert_int_equal(parse(crypto, texts[i], &list, NULL), CA_OK);
        assert_int_equal(ca_blocklist_count(list), 3);
        assert_memory_equal(ca_blocklist_hash(list), expected, 32);
        assert_true(ca_blocklist_has(list, hash_a));
        assert_true(ca_blocklist_has(list, hash_b));
        assert_true(ca_blocklist_has(list, hash_c));
        assert_false(ca_blocklist_has(list, hash_0));
        ca_blocklist_free(list);
    }
}

static void a_file_without_hashes_blocks_nothing(void **state)
{
    static const char *const texts[] = { "", "\n", "# nothing", "  \r\n#\n\n" };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ca_blocklist *list = NULL;

        assert_int_equal(parse(*state, texts[i], &list, NULL), CA_OK);
        assert_int_equal(ca_blocklist_count(list), 0);
        assert_false(ca_blocklist_has(list, hash_0));
        ca_blocklist_free(list);
    }
    ca_blocklist_free(NULL);
}

static void a_mistake_is_named_with_its_line(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "x", "line 1 of" },
        { A "\n" A "\n", "line 2 of the blocklist repeats" },
        { "#\n" B "\n\n" A "\n", "line 4 of the blocklist is less" },
        { A "\n" B "\n" C "0\n", "line 3 of the blocklist is not 32" },
        { A "\n" B "\n\nfffffffffffffffffffffffffffffff\n", "line 4 of the blocklist is not 32" },
        { "g0112233445566778899aabbccddeeff", "line 1 of the blocklist is not 32" },
        { "0011223344556677 8899aabbccddeeff", "line 1 of the blocklist is not 32" },
        { "00:11:22:33:44:55:66:77:88:99:aa", "line 1 of the blocklist is not 32" },
        { A " " B, "line 1 of the blocklist is not 32" },
        { "\n\n\n\n-----BEGIN", "line 5 of" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_blocklist *list = NULL;
        struct ca_error err;

        assert_int_equal(parse(*state, cases[i].text, &list, &err), CA_MALFORMED);
        assert_null(list);
        assert_string_equal(ca_error_name(&err), "blocklist");
        if (strncmp(err.text, cases[i].says, strlen(cases[i].says)) != 0)
            fail_msg("%s", err.text);
    }
}

static void a_file_of_more_than_a_gibibyte_is_not_read(void **state)
{
    struct ca_blocklist *list = NULL;
    struct ca_error err;
    uint8_t octet = '#';

    assert_int_equal(ca_blocklist_parse(ca_bytes_of(&octet, (size_t)CA_BLOCKLIST_FILE_MAX + 1),
                                        *state, &list, &err), CA_MALFORMED);
    assert_string_equal(ca_error_name(&err), "blocklist");
}

/* Every second of many, found or not as it should be. */
static void every_hash_of_a_long_list_is_found_and_none_between(void **state)
{
    enum { COUNT = 20011 };
    struct ca_blocklist *list = NULL;
    char *text = malloc((size_t)COUNT * 33 + 1);

    assert_non_null(text);
    for (unsigned i = 0; i < COUNT; i++)
        (void)snprintf(text + 33 * (size_t)i, 34, "%08x%024x\n", i * 97u, i);
    assert_int_equal(parse(*state, text, &list, NULL), CA_OK);
    assert_int_equal(ca_blocklist_count(list), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t hash[CA_KEY_HASH_LEN] = { 0 };

        ca_put_u32(hash, i * 97u);
        ca_put_u32(hash + 12, i);
        assert_true(ca_blocklist_has(list, hash));
        hash[8] = 1;
        assert_false(ca_blocklist_has(list, hash));
    }
    ca_blocklist_free(list);
    free(text);
}

/* The built-in list */

static EVP_PKEY *read_key(const char *path)
{
    static char text[16384];
    FILE *file = fopen(path, "r");
    size_t len;
    const char *pem;
    BIO *bio;
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *decoder;

    assert_non_null(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    (void)fclose(file);
    pem = strstr(text, "-----BEGIN");
    assert_non_null(pem);
    bio = BIO_new_mem_buf(pem, -1);
    decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, NULL, 0, NULL, NULL);
    (void)OSSL_DECODER_from_bio(decoder, bio);
    OSSL_DECODER_CTX_free(decoder);
    BIO_free(bio);
    return key;
}

/* False: it is no key that a certificate could be asked for. */
static bool hash_of_file(struct ca_crypto *crypto, const char *path, uint8_t hash[CA_KEY_HASH_LEN])
{
    EVP_PKEY *key = read_key(path);
    uint8_t *der = NULL;
    struct ca_spki spki;
    int len = key == NULL ? 0 : i2d_PUBKEY(key, &der);
    bool usable = len > 0 && ca_spki_parse(ca_bytes_of(der, (size_t)len), &spki, NULL) == CA_OK &&
                  (spki.kind != CA_KEY_KIND_RSA || spki.bits >= 2048);

    if (usable) assert_int_equal(ca_key_hash(crypto, &spki, hash, NULL), CA_OK);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    return usable;
}

/* How many keys of the folder are on the list; every one that could be asked for must be. */
static size_t assert_folder_is_published(struct ca_crypto *crypto, const char *folder,
                                         const char *where_begins)
{
    char path[512];
    DIR *dir = opendir(folder);
    size_t count = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        uint8_t hash[CA_KEY_HASH_LEN];
        const char *where = NULL;

        if (strstr(entry->d_name, ".key") == NULL) continue;
        assert_true(snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) <
                    (int)sizeof(path));
        if (!hash_of_file(crypto, path, hash)) continue;
        if (!ca_published_has(hash, &where)) fail_msg("%s is not on the list", path);
        assert_true(ca_published_has(hash, NULL));
        assert_memory_equal(where, where_begins, strlen(where_begins));
        count++;
    }
    (void)closedir(dir);
    return count;
}

static void keys_printed_in_rfcs_and_debians_are_published(void **state)
{
    assert_true(assert_folder_is_published(*state, KEYS "rfc-examples", "RFC ") >= 50);
    assert_int_equal(assert_folder_is_published(*state, KEYS "debian", "Debian"), 2);
}

static void weak_keys_of_badkeys_are_published_and_its_controls_are_not(void **state)
{
    static const struct {
        const char *name;
        bool published;
    } cases[] = {
        { "rsa-nprime.key", true }, { "rsa-debianweak.key", true },
        { "ed25519-rfc-example.key", true }, { "ec-p256-rfc-example.key", true },
        { "rsa-ok.key", false }, { "rsa-sharedprimes.key", false },
        { "rsa-smallfactors-valid.key", false },
        /* What key_check finds is refused for what it is. */
        { "rsa-roca.key", false }, { "rsa-fermat-pkcs1.key", false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[512];
        uint8_t hash[CA_KEY_HASH_LEN];

        assert_true(snprintf(path, sizeof(path), KEYS "badkeys/%s", cases[i].name) <
                    (int)sizeof(path));
        assert_true(hash_of_file(*state, path, hash));
        assert_int_equal(ca_published_has(hash, NULL), cases[i].published);
    }
}

static void the_published_list_is_sorted_and_has_a_hash(void **state)
{
    uint8_t hash[32], expected[32];

    assert_int_equal(ca_published_count(), ca_published_keys_count);
    assert_true(ca_published_count() >= 30);
    for (size_t i = 1; i < ca_published_count(); i++)
        assert_true(memcmp(ca_published_keys[i - 1], ca_published_keys[i], CA_KEY_HASH_LEN) < 0);
    assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, ca_published_keys,
                                  ca_published_count() * CA_KEY_HASH_LEN, expected, NULL), 1);
    assert_int_equal(ca_published_hash(*state, hash, NULL), CA_OK);
    assert_memory_equal(hash, expected, 32);
    assert_false(ca_published_has(hash_0, NULL));
    assert_false(ca_published_has(hash_c, NULL));
}

/* Requests that must be issued have keys that are on no list. */
static size_t count_published_requests(struct ca_crypto *crypto, const char *folder, size_t *seen)
{
    char path[512], line[1024], name[256], verdict[32];
    FILE *expect;
    size_t count = 0;

    assert_true(snprintf(path, sizeof(path), "%s/EXPECT.tsv", folder) < (int)sizeof(path));
    expect = fopen(path, "r");
    assert_non_null(expect);
    while (fgets(line, sizeof(line), expect) != NULL) {
        struct ca_spki spki;
        uint8_t hash[CA_KEY_HASH_LEN], *der = NULL;
        X509_REQ *request;
        BIO *bio;
        int len;

        if (sscanf(line, "%255[^\t]\t%31s", name, verdict) != 2) continue;
        if (strcmp(verdict, "accept") != 0 && strcmp(verdict, "policy") != 0) continue;
        assert_true(snprintf(path, sizeof(path), "%s/%s", folder, name) < (int)sizeof(path));
        bio = BIO_new_file(path, "r");
        request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
        if (request == NULL) {
            assert_int_equal(BIO_reset(bio), 0);
            request = d2i_X509_REQ_bio(bio, NULL);
        }
        assert_non_null(request);
        len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &der);
        assert_true(len > 0);
        assert_int_equal(ca_spki_parse(ca_bytes_of(der, (size_t)len), &spki, NULL), CA_OK);
        assert_int_equal(ca_key_hash(crypto, &spki, hash, NULL), CA_OK);
        if (ca_published_has(hash, NULL)) count++;
        if (spki.kind == CA_KEY_KIND_RSA)
            assert_int_equal(ca_rsa_check_modulus(spki.rsa_n, NULL), CA_OK);
        (*seen)++;
        OPENSSL_free(der);
        X509_REQ_free(request);
        BIO_free(bio);
    }
    (void)fclose(expect);
    return count;
}

static void no_request_that_must_be_issued_has_a_published_or_weak_key(void **state)
{
    DIR *dir = opendir(CERTMILL_VECTORS_DIR "/csr");
    size_t seen = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[512];

        if (entry->d_name[0] == '.') continue;
        assert_true(snprintf(path, sizeof(path), CERTMILL_VECTORS_DIR "/csr/%s", entry->d_name) <
                    (int)sizeof(path));
        assert_int_equal(count_published_requests(*state, path, &seen), 0);
    }
    (void)closedir(dir);
    assert_true(seen >= 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_read_and_found),
        cmocka_unit_test(a_file_without_hashes_blocks_nothing),
        cmocka_unit_test(a_mistake_is_named_with_its_line),
        cmocka_unit_test(a_file_of_more_than_a_gibibyte_is_not_read),
        cmocka_unit_test(every_hash_of_a_long_list_is_found_and_none_between),
        cmocka_unit_test(keys_printed_in_rfcs_and_debians_are_published),
        cmocka_unit_test(weak_keys_of_badkeys_are_published_and_its_controls_are_not),
        cmocka_unit_test(the_published_list_is_sorted_and_has_a_hash),
        cmocka_unit_test(no_request_that_must_be_issued_has_a_published_or_weak_key),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
