/* engine/crypto: contexts that respect OpenSSL's configuration, digests against published values,
 * and OpenSSL's error queue, which is always left empty. */
#include "engine/ossl.h"

#include <openssl/err.h>
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

/* FIPS 180-4 examples, "abc" */
static const struct {
    enum ca_digest_alg alg;
    const char *hex;
} abc[] = {
    { CA_DIGEST_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { CA_DIGEST_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { CA_DIGEST_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                        "8086072ba1e7cc2358baeca134c825a7" },
    { CA_DIGEST_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
};

static void digests_give_the_published_values_again_and_again(void **state)
{
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(abc) / sizeof(abc[0]); i++) {
            uint8_t digest[CA_DIGEST_MAX];
            char hex[2 * CA_DIGEST_MAX + 1];

            assert_int_equal(ca_crypto_digest(*state, abc[i].alg, ca_bytes_str("abc"), digest,
                                              NULL), CA_OK);
            ca_hex_encode(ca_bytes_of(digest, ca_digest_len(abc[i].alg)), hex);
            assert_string_equal(hex, abc[i].hex);
        }
    }
}

static void the_digest_of_nothing_is_the_published_one(void **state)
{
    uint8_t digest[32];
    char hex[65];

    assert_int_equal(ca_crypto_digest(*state, CA_DIGEST_SHA256, ca_bytes_of(NULL, 0), digest, NULL),
                     CA_OK);
    ca_hex_encode(ca_bytes_of(digest, 32), hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_running_digest_can_be_read_at_any_point_while_it_goes_on(void **state)
{
    struct ca_hash *hash = NULL;
    uint8_t text[1000];

    for (size_t i = 0; i < sizeof(text); i++) text[i] = (uint8_t)(i * 7);
    assert_int_equal(ca_hash_new(*state, &hash, NULL), CA_OK);
    for (size_t i = 0; i < sizeof(text); i++) {
        uint8_t peek[32], again[32], whole[32];

        assert_int_equal(ca_hash_update(hash, ca_bytes_of(text + i, 1), NULL), CA_OK);
        assert_int_equal(ca_hash_peek(hash, peek, NULL), CA_OK);
        assert_int_equal(ca_hash_peek(hash, again, NULL), CA_OK);
        assert_int_equal(EVP_Digest(text, i + 1, whole, NULL, EVP_sha256(), NULL), 1);
        assert_memory_equal(peek, whole, 32);
        assert_memory_equal(again, whole, 32);
    }
    ca_hash_free(hash);
}

static void random_octets_differ_and_every_octet_position_moves(void **state)
{
    uint8_t all_or[64] = { 0 }, all_and[64], drawn[64];

    memset(all_and, 0xff, sizeof(all_and));
    for (int i = 0; i < 200; i++) {
        assert_int_equal(ca_crypto_random(*state, drawn, sizeof(drawn), NULL), CA_OK);
        for (size_t k = 0; k < sizeof(drawn); k++) {
            all_or[k] |= drawn[k];
            all_and[k] &= drawn[k];
        }
    }
    /* Each bit stays put with probability 2^-199. */
    for (size_t k = 0; k < sizeof(drawn); k++) {
        assert_int_equal(all_or[k], 0xff);
        assert_int_equal(all_and[k], 0);
    }
}

static void the_version_is_that_of_the_library_in_use(void **state)
{
    (void)state;
    assert_int_equal(strncmp(ca_crypto_version(), "OpenSSL 3.", 10), 0);
    assert_non_null(strstr(ca_crypto_version(), OpenSSL_version(OPENSSL_VERSION_STRING)));
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    ca_crypto_free(NULL);
    ca_hash_free(NULL);
}

/* Runs ca_crypto_new with a configuration file of this text. */
static enum ca_status new_with_config(const char *text, struct ca_error *err)
{
    char path[] = "/tmp/certmill-test-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    struct ca_crypto *crypto = NULL;
    enum ca_status st;

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setenv("OPENSSL_CONF", path, 1), 0);
    st = ca_crypto_new(&crypto, err);
    assert_int_equal(unsetenv("OPENSSL_CONF"), 0);
    assert_int_equal(unlink(path), 0);
    ca_crypto_free(crypto);
    return st;
}

static void a_missing_configuration_file_is_no_error(void **state)
{
    struct ca_crypto *crypto = NULL;
    struct ca_error err = { 0 };

    (void)state;
    assert_int_equal(setenv("OPENSSL_CONF", "/nonexistent/openssl.cnf", 1), 0);
    assert_int_equal(ca_crypto_new(&crypto, &err), CA_OK);
    assert_int_equal(unsetenv("OPENSSL_CONF"), 0);
    assert_int_equal(ERR_peek_error(), 0);
    ca_crypto_free(crypto);
}

static void a_broken_configuration_file_stops_the_setup(void **state)
{
    struct ca_error err = { 0 };

    (void)state;
    assert_int_equal(new_with_config("openssl_conf = a\n[a\nproviders = b\n", &err), CA_CRYPTO);
    assert_string_equal(err.source, "openssl");
    assert_true(err.code != 0);
    assert_non_null(strstr(err.text, "configuration"));
    assert_int_equal(ERR_peek_error(), 0);
}

static void a_configuration_without_the_needed_provider_stops_the_setup(void **state)
{
    struct ca_error err = { 0 };

    (void)state;
    assert_int_equal(new_with_config("openssl_conf = a\n[a]\nproviders = b\n[b]\nbase = c\n"
                                     "[c]\nactivate = 1\n", &err), CA_CRYPTO);
    assert_non_null(strstr(err.text, "SHA1"));
    assert_int_equal(ERR_peek_error(), 0);
}

static void *make_and_free(void *arg)
{
    int *made = arg;

    for (int i = 0; i < 20; i++) {
        struct ca_crypto *crypto = NULL;
        uint8_t digest[32];

        if (ca_crypto_new(&crypto, NULL) != CA_OK) break;
        if (ca_crypto_digest(crypto, CA_DIGEST_SHA256, ca_bytes_str("x"), digest, NULL) == CA_OK) {
            (*made)++;
        }
        ca_crypto_free(crypto);
    }
    return NULL;
}

/* The system's openssl.cnf has an ssl_conf section, whose module rewrites a process-wide table. */
static void many_threads_may_set_up_at_once(void **state)
{
    pthread_t threads[4];
    int made[4] = { 0 };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_and_free, &made[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(made[i], 20);
    }
}

static void a_failure_takes_the_oldest_reason_and_leaves_the_queue_empty(void **state)
{
    struct ca_error err = { 0 };
    unsigned long cause;

    (void)state;
    ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
    cause = ERR_peek_error();
    ERR_raise(ERR_LIB_EVP, EVP_R_INITIALIZATION_ERROR);
    assert_int_equal(ca_fail_openssl(&err, CA_CRYPTO, "cannot do %d", 7), CA_CRYPTO);
    assert_string_equal(err.text, "cannot do 7: bad decrypt");
    assert_int_equal(err.code, cause);
    assert_string_equal(err.source, "openssl");
    assert_int_equal(ERR_peek_error(), 0);
}

static void a_failed_allocation_anywhere_in_the_queue_is_a_lack_of_memory(void **state)
{
    struct ca_error err = { 0 };
    bool good = true;

    (void)state;
    ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
    ERR_raise(ERR_LIB_BN, ERR_R_MALLOC_FAILURE);
    assert_int_equal(ca_fail_openssl(NULL, CA_CRYPTO, "cannot"), CA_NOMEM);
    assert_int_equal(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_BN, ERR_R_MALLOC_FAILURE);
    assert_int_equal(ca_openssl_verdict(0, &good, &err), CA_NOMEM);
    assert_int_equal(err.status, CA_NOMEM);
    assert_int_equal(ERR_peek_error(), 0);
}

static void a_negative_answer_is_a_verdict_and_leaves_the_queue_empty(void **state)
{
    (void)state;
    for (int answer = -2; answer <= 1; answer++) {
        bool good = answer != 1;

        if (answer != 1) ERR_raise(ERR_LIB_EVP, EVP_R_BAD_DECRYPT);
        assert_int_equal(ca_openssl_verdict(answer, &good, NULL), CA_OK);
        assert_int_equal(good, answer == 1);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_give_the_published_values_again_and_again),
        cmocka_unit_test(the_digest_of_nothing_is_the_published_one),
        cmocka_unit_test(a_running_digest_can_be_read_at_any_point_while_it_goes_on),
        cmocka_unit_test(random_octets_differ_and_every_octet_position_moves),
        cmocka_unit_test(the_version_is_that_of_the_library_in_use),
        cmocka_unit_test(freeing_nothing_is_allowed),
        cmocka_unit_test(a_missing_configuration_file_is_no_error),
        cmocka_unit_test(a_broken_configuration_file_stops_the_setup),
        cmocka_unit_test(a_configuration_without_the_needed_provider_stops_the_setup),
        cmocka_unit_test(many_threads_may_set_up_at_once),
        cmocka_unit_test(a_failure_takes_the_oldest_reason_and_leaves_the_queue_empty),
        cmocka_unit_test(a_failed_allocation_anywhere_in_the_queue_is_a_lack_of_memory),
        cmocka_unit_test(a_negative_answer_is_a_verdict_and_leaves_the_queue_empty),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
