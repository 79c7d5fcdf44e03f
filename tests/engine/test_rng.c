/* engine/rng: no octet twice, not in a child process either; a seeded generator is a function of
 * (seed, ordinal). OpenSSL's SHA-256 is the judge of the latter. */
#include "engine/rng.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#define DRAW 12

/* Stands in for the C library's: a kernel that does not know MADV_WIPEONFORK, when asked. */
static bool old_kernel;

int madvise(void *addr, size_t len, int advice)
{
    if (old_kernel && advice == MADV_WIPEONFORK) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, addr, len, advice);
}

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

static int compare_draws(const void *a, const void *b)
{
    return memcmp(a, b, DRAW);
}

static void assert_all_differ(uint8_t *draws, size_t count)
{
    qsort(draws, count, DRAW, compare_draws);
    for (size_t i = 1; i < count; i++) {
        assert_true(memcmp(draws + (i - 1) * DRAW, draws + i * DRAW, DRAW) != 0);
    }
}

static void draws_never_repeat_over_many_refills(void **state)
{
    enum { COUNT = 20000 };     /* 58 pools */
    struct ca_rng *rng = NULL;
    uint8_t *draws = malloc((size_t)COUNT * DRAW);

    assert_non_null(draws);
    assert_int_equal(ca_rng_new(*state, NULL, &rng, NULL), CA_OK);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(ca_rng_draw(rng, 0, draws + i * DRAW, DRAW, NULL), CA_OK);
    }
    assert_all_differ(draws, COUNT);
    ca_rng_free(rng);
    free(draws);
}

static void draws_of_every_length_fill_exactly_what_was_asked(void **state)
{
    struct ca_rng *rng = NULL;
    uint8_t seen[33][33] = { { 0 } };

    assert_int_equal(ca_rng_new(*state, NULL, &rng, NULL), CA_OK);
    for (int round = 0; round < 40; round++) {      /* 21 KiB: five pools */
        for (size_t len = 0; len <= 32; len++) {
            uint8_t out[33] = { 0 };

            assert_int_equal(ca_rng_draw(rng, 0, out, len, NULL), CA_OK);
            for (size_t i = 0; i < 33; i++) seen[len][i] |= out[i];
        }
    }
    for (size_t len = 0; len <= 32; len++) {
        /* An octet that is zero forty times: 2^-320. */
        for (size_t i = 0; i < 33; i++) assert_int_equal(seen[len][i] != 0, i < len);
    }
    ca_rng_free(rng);
}

/* The child's next draws, read through a pipe. */
static void draw_in_child(struct ca_rng *rng, uint8_t *draws, size_t count)
{
    int ends[2], status;
    pid_t child;
    size_t got = 0;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (size_t i = 0; i < count; i++) {
            uint8_t draw[DRAW];

            if (ca_rng_draw(rng, 0, draw, DRAW, NULL) != CA_OK) _exit(1);
            if (write(ends[1], draw, DRAW) != DRAW) _exit(2);
        }
        _exit(0);
    }
    assert_int_equal(close(ends[1]), 0);
    while (got < count * DRAW) {
        ssize_t n = read(ends[0], draws + got, count * DRAW - got);

        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void check_fork(struct ca_crypto *crypto)
{
    enum { EACH = 100 };
    struct ca_rng *rng = NULL;
    uint8_t draws[(3 * EACH + 1) * DRAW];

    assert_int_equal(ca_rng_new(crypto, NULL, &rng, NULL), CA_OK);
    assert_int_equal(ca_rng_draw(rng, 0, draws, DRAW, NULL), CA_OK);     /* the pool is filled */
    draw_in_child(rng, draws + DRAW, EACH);
    draw_in_child(rng, draws + (EACH + 1) * DRAW, EACH);
    for (size_t i = 2 * EACH + 1; i < 3 * EACH + 1; i++) {
        assert_int_equal(ca_rng_draw(rng, 0, draws + i * DRAW, DRAW, NULL), CA_OK);
    }
    assert_all_differ(draws, 3 * EACH + 1);
    ca_rng_free(rng);
}

static void a_child_process_draws_other_octets_than_its_parent_and_its_sibling(void **state)
{
    check_fork(*state);
}

static void a_child_process_draws_its_own_octets_on_a_kernel_that_cannot_wipe(void **state)
{
    old_kernel = true;
    check_fork(*state);
    old_kernel = false;
}

static void a_seeded_draw_is_the_digest_of_seed_and_ordinal(void **state)
{
    const uint64_t seed = UINT64_C(0x0123456789abcdef);
    static const uint8_t in[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                    0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10 };
    struct ca_rng *rng = NULL;
    uint8_t expected[32], drawn[32];

    assert_int_equal(EVP_Digest(in, sizeof(in), expected, NULL, EVP_sha256(), NULL), 1);
    assert_int_equal(ca_rng_new(*state, &seed, &rng, NULL), CA_OK);
    assert_int_equal(ca_rng_draw(rng, UINT64_C(0xfedcba9876543210), drawn, 32, NULL), CA_OK);
    assert_memory_equal(drawn, expected, 32);
    assert_int_equal(ca_rng_draw(rng, UINT64_C(0xfedcba9876543210), drawn, 12, NULL), CA_OK);
    assert_memory_equal(drawn, expected, 12);
    ca_rng_free(rng);
}

static void seeded_draws_depend_on_seed_and_ordinal_and_not_on_order(void **state)
{
    const uint64_t one = 1, two = 2;
    struct ca_rng *a = NULL, *b = NULL, *other = NULL;
    uint8_t forward[50][DRAW], draw[DRAW];

    assert_int_equal(ca_rng_new(*state, &one, &a, NULL), CA_OK);
    assert_int_equal(ca_rng_new(*state, &one, &b, NULL), CA_OK);
    assert_int_equal(ca_rng_new(*state, &two, &other, NULL), CA_OK);
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(ca_rng_draw(a, i, forward[i], DRAW, NULL), CA_OK);
    }
    for (uint64_t i = 50; i-- > 0;) {
        assert_int_equal(ca_rng_draw(b, i, draw, DRAW, NULL), CA_OK);
        assert_memory_equal(draw, forward[i], DRAW);
        assert_int_equal(ca_rng_draw(other, i, draw, DRAW, NULL), CA_OK);
        assert_memory_not_equal(draw, forward[i], DRAW);
    }
    assert_all_differ(forward[0], 50);
    ca_rng_free(a);
    ca_rng_free(b);
    ca_rng_free(other);
    ca_rng_free(NULL);
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

static void a_broken_generator_gives_nothing_however_often_it_is_asked(void **state)
{
    struct ca_crypto *crypto = new_crypto_without_generator();
    struct ca_rng *rng = NULL;
    uint8_t out[DRAW] = { 0 };
    static const uint8_t untouched[DRAW];

    (void)state;
    assert_int_equal(ca_rng_new(crypto, NULL, &rng, NULL), CA_OK);
    for (int i = 0; i < 3; i++) {
        struct ca_error err = { 0 };

        assert_int_equal(ca_rng_draw(rng, 0, out, DRAW, &err), CA_CRYPTO);
        assert_string_equal(err.source, "openssl");
        assert_memory_equal(out, untouched, DRAW);
    }
    assert_int_equal(ca_crypto_random(crypto, out, DRAW, NULL), CA_CRYPTO);
    ca_rng_free(rng);
    ca_crypto_free(crypto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_never_repeat_over_many_refills),
        cmocka_unit_test(draws_of_every_length_fill_exactly_what_was_asked),
        cmocka_unit_test(a_child_process_draws_other_octets_than_its_parent_and_its_sibling),
        cmocka_unit_test(a_child_process_draws_its_own_octets_on_a_kernel_that_cannot_wipe),
        cmocka_unit_test(a_broken_generator_gives_nothing_however_often_it_is_asked),
        cmocka_unit_test(a_seeded_draw_is_the_digest_of_seed_and_ordinal),
        cmocka_unit_test(seeded_draws_depend_on_seed_and_ordinal_and_not_on_order),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
