/* Names against a comparison of what OpenSSL reads out of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/name.h"
#include "engine/name_equal.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t random_state = 0xa0761d6478bd642f;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* A name of few words, so that equal ones are common; string types at random. */
static void add_random_name(struct ca_buf *out)
{
    static const uint8_t types[][3] = { { 0x55, 4, 3 }, { 0x55, 4, 10 }, { 0x55, 4, 11 } };
    static const char *const words[] = { "a", "A", "ab" };
    size_t mark = out->len;
    uint64_t rdns = next_random() % 2 + 1;

    for (uint64_t i = 0; i < rdns; i++) {
        size_t rdn = out->len;
        uint64_t first = next_random() % 3, count = next_random() % 4 == 0 ? 2 : 1;

        /* The types ascend, and so do the elements: the lengths are equal in one RDN. */
        const char *word = words[next_random() % 3];

        if (first == 2) count = 1;
        for (uint64_t k = 0; k < count; k++) {
            size_t ava = out->len;

            ca_der_add_oid(out, ca_bytes_of(types[first + k], 3));
            ca_der_add(out, next_random() % 2 == 0 ? CA_DER_UTF8_STRING : CA_DER_PRINTABLE_STRING,
                       ca_bytes_str(word));
            ca_der_wrap(out, ava, CA_DER_SEQUENCE);
        }
        ca_der_wrap(out, rdn, CA_DER_SET);
    }
    ca_der_wrap(out, mark, CA_DER_SEQUENCE);
}

/* By OpenSSL's view of it: RDN numbers, types and octets. */
static bool model_equal(struct ca_bytes a, struct ca_bytes b)
{
    const uint8_t *p = a.data, *q = b.data;
    X509_NAME *x = d2i_X509_NAME(NULL, &p, (long)a.len);
    X509_NAME *y = d2i_X509_NAME(NULL, &q, (long)b.len);
    bool equal;

    assert_non_null(x);
    assert_non_null(y);
    equal = X509_NAME_entry_count(x) == X509_NAME_entry_count(y);
    for (int i = 0; equal && i < X509_NAME_entry_count(x); i++) {
        X509_NAME_ENTRY *e = X509_NAME_get_entry(x, i), *f = X509_NAME_get_entry(y, i);
        const ASN1_STRING *s = X509_NAME_ENTRY_get_data(e), *t = X509_NAME_ENTRY_get_data(f);

        equal = X509_NAME_ENTRY_set(e) == X509_NAME_ENTRY_set(f) &&
                OBJ_cmp(X509_NAME_ENTRY_get_object(e), X509_NAME_ENTRY_get_object(f)) == 0 &&
                ASN1_STRING_length(s) == ASN1_STRING_length(t) &&
                memcmp(ASN1_STRING_get0_data(s), ASN1_STRING_get0_data(t),
                       (size_t)ASN1_STRING_length(s)) == 0;
    }
    X509_NAME_free(x);
    X509_NAME_free(y);
    return equal;
}

static void names_are_equal_when_their_characters_are(void **state)
{
    size_t equal = 0, unlike = 0;

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        struct ca_buf a, b;
        bool empty, ours;

        ca_buf_init(&a, 1024);
        ca_buf_init(&b, 1024);
        add_random_name(&a);
        add_random_name(&b);
        assert_int_equal(ca_name_check(ca_buf_view(&a), &empty, NULL), CA_OK);
        ours = ca_name_equal(ca_buf_view(&a), ca_buf_view(&b));
        assert_int_equal(ours, model_equal(ca_buf_view(&a), ca_buf_view(&b)));
        assert_int_equal(ours, ca_name_equal(ca_buf_view(&b), ca_buf_view(&a)));
        if (!ours) {
            unlike++;
        } else if (!ca_bytes_equal(ca_buf_view(&a), ca_buf_view(&b))) {
            equal++;
        }
        ca_buf_clear(&a);
        ca_buf_clear(&b);
    }
    assert_true(equal > 200 && unlike > 5000);      /* equal, and written in another way */
}

/* Of a small world: DNS names, addresses, and a directory name in two string types. */
static void add_general_name(struct ca_buf *out, uint64_t which)
{
    static const uint8_t utf8[] = { 0xa4, 0x0e, 0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 6,
                                    3,    0x55, 4,    3,    0x0c, 1,    'x' };
    char text[] = "a.example";

    if (which == 6 || which == 7) {
        ca_buf_append(out, utf8, sizeof(utf8));
        if (which == 7) out->data[out->len - 3] = CA_DER_PRINTABLE_STRING;
        return;
    }
    text[0] = (char)('a' + which / 2);
    ca_der_add(out, which % 2 == 0 ? CA_DER_CONTEXT(2) : CA_DER_CONTEXT(6), ca_bytes_str(text));
}

static void alternative_names_are_compared_as_sets(void **state)
{
    size_t equal = 0, unlike = 0;

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        struct ca_buf san[2];
        unsigned set[2] = { 0, 0 };
        bool ours;

        for (size_t k = 0; k < 2; k++) {
            ca_buf_init(&san[k], 1024);
            for (uint64_t n = next_random() % 4 + 1; n > 0; n--) {
                uint64_t which = next_random() % 8;

                add_general_name(&san[k], which);
                set[k] |= 1u << (which == 7 ? 6 : which);
            }
            ca_der_wrap(&san[k], 0, CA_DER_SEQUENCE);
        }
        ours = ca_san_equal(ca_buf_view(&san[0]), ca_buf_view(&san[1]));
        assert_int_equal(ours, set[0] == set[1]);
        *(ours ? &equal : &unlike) += 1;
        ca_buf_clear(&san[0]);
        ca_buf_clear(&san[1]);
    }
    assert_true(equal > 200 && unlike > 5000);
}

/* The longest that two lists can take, in reverse order of each other: bounded far below 5 ms. */
static void a_thousand_names_cost_little(void **state)
{
    struct ca_buf up, down;
    struct timespec from, to;
    char text[32];

    (void)state;
    ca_buf_init(&up, 65536);
    ca_buf_init(&down, 65536);
    for (int i = 0; i < CA_NAMES_MAX; i++) {
        (void)snprintf(text, sizeof(text), "host-%04d.example", i);
        ca_san_add_dns(&up, text);
        (void)snprintf(text, sizeof(text), "host-%04d.example", CA_NAMES_MAX - 1 - i);
        ca_san_add_dns(&down, text);
    }
    ca_der_wrap(&up, 0, CA_DER_SEQUENCE);
    ca_der_wrap(&down, 0, CA_DER_SEQUENCE);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &from), 0);
    assert_true(ca_san_equal(ca_buf_view(&up), ca_buf_view(&down)));
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &to), 0);
    print_message("%d names in %ld us\n", CA_NAMES_MAX,
                  (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
    up.data[up.len - 1] = 'f';
    assert_false(ca_san_equal(ca_buf_view(&up), ca_buf_view(&down)));
    ca_buf_clear(&up);
    ca_buf_clear(&down);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_equal_when_their_characters_are),
        cmocka_unit_test(alternative_names_are_compared_as_sets),
        cmocka_unit_test(a_thousand_names_cost_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
