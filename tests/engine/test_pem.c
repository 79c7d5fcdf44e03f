#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/pem.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

/* A small generator of our own, so that a failure repeats. */
static uint64_t random_state = 0x2545f4914f6cdd1d;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void fill_random(uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)next_random();
}

/* Decodes a copy that ends where the text ends, into a buffer of exactly the promised size. */
static enum ca_status decode(const char *text, size_t text_len, uint8_t **out, size_t *len,
                             struct ca_error *err)
{
    uint8_t *copy = malloc(text_len == 0 ? 1 : text_len);
    size_t cap = ca_base64_decoded_max(text_len);
    enum ca_status st;

    *out = malloc(cap == 0 ? 1 : cap);
    assert_non_null(copy);
    assert_non_null(*out);
    memcpy(copy, text, text_len);
    st = ca_base64_decode(ca_bytes_of(copy, text_len), *out, len, err);
    free(copy);
    return st;
}

static void base64_equals_that_of_openssl_and_comes_back(void **state)
{
    (void)state;
    for (size_t len = 0; len < 400; len++) {
        uint8_t in[400], *back;
        char theirs[600];
        struct ca_buf out;
        size_t back_len = 0;

        fill_random(in, len);
        EVP_EncodeBlock((unsigned char *)theirs, in, (int)len);
        ca_buf_init(&out, 1000);
        ca_base64_append(&out, ca_bytes_of(in, len));
        assert_int_equal(out.len, strlen(theirs));
        if (out.len > 0) assert_memory_equal(out.data, theirs, out.len);
        assert_int_equal(decode(theirs, strlen(theirs), &back, &back_len, NULL), CA_OK);
        assert_int_equal(back_len, len);
        if (len > 0) assert_memory_equal(back, in, len);
        free(back);
        ca_buf_clear(&out);
    }
}

static void white_space_anywhere_does_not_matter(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        static const char white[] = " \t\r\n";
        uint8_t in[100], *back;
        char plain[200], spaced[600];
        size_t len = next_random() % sizeof(in), back_len = 0, n = 0;

        fill_random(in, len);
        EVP_EncodeBlock((unsigned char *)plain, in, (int)len);
        for (const char *p = plain;; p++) {
            while (next_random() % 4 == 0) spaced[n++] = white[next_random() % 4];
            if (*p == '\0') break;
            spaced[n++] = *p;
            assert_true(n < sizeof(spaced) - 50);
        }
        assert_int_equal(decode(spaced, n, &back, &back_len, NULL), CA_OK);
        assert_int_equal(back_len, len);
        if (len > 0) assert_memory_equal(back, in, len);
        free(back);
    }
}

static void base64_that_is_not_exactly_right_is_refused(void **state)
{
    static const char *const bad[] = {
        "A", "AA", "AAA", "AAAAA", "AA=", "AAA==", "A===", "====", "=", "AAAA=", "AAAA====",
        "AA==AA==", "AA==A", "AAA=AAAA", "AB==", "AAB=", "AA*=", "AA-_", "AAA\v", "AAAA!",
        "AA=A", "AAAA\xff\xff\xff\xff", "AAAA====\n", "A A = = =",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ca_error err;
        uint8_t *out;
        size_t len = 77;

        if (decode(bad[i], strlen(bad[i]), &out, &len, &err) != CA_MALFORMED)
            fail_msg("accepted %s", bad[i]);
        assert_int_equal(err.reason, CA_REASON_BAD_PEM);
        assert_int_equal(len, 77);
        free(out);
    }
    {
        uint8_t *out;
        size_t len;

        assert_int_equal(decode("AA\0A", 4, &out, &len, NULL), CA_MALFORMED);
        free(out);
    }
}

/* The one alphabet, octet by octet: each of 256 octets in each place of a group. */
static void exactly_64_octets_are_digits(void **state)
{
    (void)state;
    for (int place = 0; place < 4; place++) {
        int digits = 0;

        for (int c = 0; c < 256; c++) {
            char text[4] = { 'A', 'A', 'A', 'A' };
            uint8_t *out;
            size_t len = 0;

            text[place] = (char)c;
            if (decode(text, 4, &out, &len, NULL) == CA_OK && len == 3) digits++;
            free(out);
        }
        assert_int_equal(digits, 64);
    }
}

static void a_pem_block_equals_that_of_openssl(void **state)
{
    (void)state;
    for (size_t len = 1; len < 300; len++) {
        uint8_t in[300];
        BIO *bio = BIO_new(BIO_s_mem());
        char *theirs;
        struct ca_buf out;
        long their_len;

        fill_random(in, len);
        assert_true(PEM_write_bio(bio, "CERTIFICATE", "", in, (long)len) > 0);
        their_len = BIO_get_mem_data(bio, &theirs);
        ca_buf_init(&out, 1000);
        ca_pem_append(&out, "CERTIFICATE", ca_bytes_of(in, len));
        assert_int_equal(out.len, their_len);
        assert_int_equal(out.len, ca_pem_len("CERTIFICATE", len));
        assert_memory_equal(out.data, theirs, out.len);
        ca_buf_clear(&out);
        BIO_free(bio);
    }
}

static void an_empty_block_is_two_lines(void **state)
{
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 1000);
    ca_pem_append(&out, "X", ca_bytes_of(NULL, 0));
    ca_buf_append_u8(&out, '\0');
    assert_string_equal((char *)out.data, "-----BEGIN X-----\n-----END X-----\n");
    assert_int_equal(ca_pem_len("X", 0), out.len - 1);
    ca_buf_clear(&out);
}

struct find_case {
    const char *text;
    const char *label, *base64, *after;     /* label NULL: no block; "!": bad-pem */
};

static void judge(const struct find_case *c)
{
    size_t len = strlen(c->text);
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    struct ca_pem_block block;
    struct ca_error err;
    bool found = true;
    enum ca_status st;

    assert_non_null(copy);
    memcpy(copy, c->text, len);
    st = ca_pem_find(ca_bytes_of(copy, len), &block, &found, &err);
    if (c->label != NULL && strcmp(c->label, "!") == 0) {
        if (st != CA_MALFORMED) fail_msg("accepted: %s", c->text);
        assert_int_equal(err.reason, CA_REASON_BAD_PEM);
        assert_false(found);
    } else {
        if (st != CA_OK) fail_msg("%s: %s", c->text, err.text);
        if (found != (c->label != NULL)) fail_msg("found or not: %s", c->text);
    }
    if (st == CA_OK && found) {
        assert_true(ca_bytes_equal(block.label, ca_bytes_str(c->label)));
        assert_true(ca_bytes_equal(block.base64, ca_bytes_str(c->base64)));
        assert_true(ca_bytes_equal(block.after, ca_bytes_str(c->after)));
    }
    free(copy);
}

static void blocks_are_found_as_they_occur_in_the_wild(void **state)
{
    static const struct find_case cases[] = {
        { "", NULL, NULL, NULL },
        { "hello\n", NULL, NULL, NULL },
        { "x -----BEGIN A-----\nAA==\n-----END A-----\n", NULL, NULL, NULL },
        { "-----BEGIN A-----\nAA==\n-----END A-----\n", "A", "AA==\n", "" },
        { "-----BEGIN A-----\nAA==\n-----END A-----", "A", "AA==\n", "" },
        { "-----BEGIN A-----\r\nAA==\r\n-----END A-----\r\nnext", "A", "AA==\r\n", "next" },
        { "-----BEGIN A-----  \t\nAA==\n-----END A----- \n \n", "A", "AA==\n", " \n" },
        { "text\n more -- text\n-----BEGIN A B-----\n\n AA\n==\n-----END A B-----\n", "A B",
          "\n AA\n==\n", "" },
        { "  -----BEGIN A-----\n  AA==\n  -----END A-----\n", "A", "  AA==\n  ", "" },
        { "\xef\xbb\xbf-----BEGIN A-----\nAA==\n-----END A-----\n", "A", "AA==\n", "" },
        { "no -----BEGIN X\n-----BEGIN A-----\nAA==\n-----END A-----\n", "A", "AA==\n", "" },
        { "-----BEGIN X-509-----\n-----END X-509-----\n", "X-509", "", "" },
        { "-----BEGIN A-----\nAA==\n-----END A-----\n-----BEGIN B-----\n", "A", "AA==\n",
          "-----BEGIN B-----\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) judge(&cases[i]);
}

static void a_begin_line_without_its_end_line_is_refused(void **state)
{
    static const char *const bad[] = {
        "-----BEGIN A-----\nAA==\n",
        "-----BEGIN A-----\nAA==\n-----END B-----\n",
        "-----BEGIN A-----\nAA==\n-----END A\n",
        "-----BEGIN A-----\nAA==\n-----END A----\n",
        "-----BEGIN A-----\nAA==\n-----END A-----x\n",
        "-----BEGIN A-----\nAA== -----END A-----\n",
        "-----BEGIN A-----\nAA==\n-----BEGIN A-----\nAA==\n-----END A-----\n",
        "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n-----END A-----\n",
        "-----BEGIN A-----AA==\n-----END A-----\n",
        "-----BEGIN A",
        "-----BEGIN ",
        "-----BEGIN -----\nAA==\n-----END -----\n",
        "-----BEGIN A\x01-----\nAA==\n-----END A\x01-----\n",
        "-----BEGIN A----\nAA==\n-----END A-----\n",
        "-----BEGIN A-----",
        "-----BEGIN A-----\n-",
        "-----BEGIN A-----\n-----END ",
    };
    char long_label[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        judge(&(struct find_case){ bad[i], "!", NULL, NULL });
    for (int len = CA_PEM_LABEL_MAX; len <= CA_PEM_LABEL_MAX + 1; len++) {
        char label[CA_PEM_LABEL_MAX + 2];

        memset(label, 'L', sizeof(label));
        label[len] = '\0';
        (void)snprintf(long_label, sizeof(long_label), "-----BEGIN %s-----\n-----END %s-----\n",
                       label, label);
        judge(&(struct find_case){ long_label, len <= CA_PEM_LABEL_MAX ? label : "!", "", "" });
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_equals_that_of_openssl_and_comes_back),
        cmocka_unit_test(white_space_anywhere_does_not_matter),
        cmocka_unit_test(base64_that_is_not_exactly_right_is_refused),
        cmocka_unit_test(exactly_64_octets_are_digits),
        cmocka_unit_test(a_pem_block_equals_that_of_openssl),
        cmocka_unit_test(an_empty_block_is_two_lines),
        cmocka_unit_test(blocks_are_found_as_they_occur_in_the_wild),
        cmocka_unit_test(a_begin_line_without_its_end_line_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
