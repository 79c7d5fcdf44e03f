/*
 * What a request costs, whatever it is: at most 5 ms of CPU time when it is refused, 1 ms when it
 * is admitted, and no memory that stays. Shapes that a stranger would send to make it more, within
 * the limit of 32 KiB. The bounds asserted are ten times as high, for busy machines and sanitizers;
 * the figures are printed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/mutant.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REFUSED_US_MAX 5000
#define ADMITTED_US_MAX 1000
#define MARGIN 10
#define ROUNDS 5
#define NOTATION_MAX 1000000        /* characters */

/* CPU time of this thread. */
static int64_t cpu_ns(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The least of a few rounds, in microseconds: what the request costs and not what else was going
 * on. */
static int64_t cost_us(struct mutant_fixture *f, struct ca_bytes der, enum ca_reason expected,
                       const char *what)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < ROUNDS; i++) {
        struct ca_error err = { .status = CA_OK };
        int64_t before = cpu_ns(), used;
        enum ca_reason reason = mutant_verdict(f, der, &err);

        used = cpu_ns() - before;
        if (used < least) least = used;
        if (reason != expected)
            fail_msg("%s: %s", what, reason == CA_REASON_NONE ? "accepted" : err.text);
    }
    return least / 1000;
}

static void flip_bit(struct ca_buf *part) { part->data[part->len / 2] ^= 1; }

static void judge(struct mutant_fixture *f, const char *what, struct ca_bytes der,
                  enum ca_reason expected)
{
    int64_t us = cost_us(f, der, expected, what);
    int64_t limit = expected == CA_REASON_NONE ? ADMITTED_US_MAX : REFUSED_US_MAX;

    print_message("%-44s %6zu octets %6lld us  %s\n", what, der.len, (long long)us,
                  expected == CA_REASON_NONE ? "admitted" : ca_reason_code((uint16_t)expected));
    assert_true(us <= limit * MARGIN);
}

static void judge_shapes(struct mutant_fixture *f, const struct request_signing *signing,
                         const struct mutant *shapes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ca_buf out;

        judge(f, shapes[i].what, request_build(&shapes[i].parts, signing, &out),
              shapes[i].reason);
        ca_buf_clear(&out);
    }
}

#define EXTS(extensions) "a0(30(06092a864886f70d01090e 31(30(" extensions "))))"
#define SAN(names) EXTS("30(0603551d11 04(30(" names ")))")
#define ATTR(values) "a0(30(06032a0304 31(" values ")))"
#define NEST8(inside) "30(30(30(30(30(30(30(30(" inside "))))))))"
#define NEST32(inside) NEST8(NEST8(NEST8(NEST8(inside))))

static void names_cost_no_more_than_they_may(void **state)
{
    static const struct mutant shapes[] = {
        { "nothing special", { .version = NULL }, CA_REASON_NONE },
        { "1000 names", { .attributes = SAN("82('a.example')*1000") }, CA_REASON_NONE },
        { "1001 names", { .attributes = SAN("82('a.example')*1001") },
          CA_REASON_TOO_MANY_NAMES },
        { "120 names of 253", { .attributes = SAN("82('a.'*126 'a')*120") }, CA_REASON_NONE },
        { "800 names of punycode",
          { .attributes = SAN("82('xn--4dbcagdahymbxekheh6e0a7fei0b')*800") }, CA_REASON_NONE },
        { "800 names of punycode, the last of them bad",
          { .attributes = SAN("82('xn--4dbcagdahymbxekheh6e0a7fei0b')*800 82('xn--9999')") },
          CA_REASON_BAD_SAN },
        { "1000 URIs", { .attributes = SAN("86('https://a.example/%20')*1000") }, CA_REASON_NONE },
        { "a URI of 32000 octets", { .attributes = SAN("86('https://a.example/' '%20'*10600)") },
          CA_REASON_NONE },
        { "1000 mailboxes", { .attributes = SAN("81('a.b.c.d@a.example')*1000") },
          CA_REASON_NONE },
        { "1000 otherNames",
          { .attributes = SAN("a0(06032a0304 a0(30(0c('a' c3a4 'b'))))*1000") }, CA_REASON_NONE },
        { "32 directoryNames of 64 RDNs",
          { .attributes = SAN("a4(30(31(30(060355040b 0c('a')))*64))*32") }, CA_REASON_NONE },
        { "64 RDNs", { .subject = "30(31(30(060355040b 0c('a'*64)))*64)" }, CA_REASON_NONE },
        { "1500 RDNs", { .subject = "30(31(30(060355040b 0c('a')))*1500)" }, CA_REASON_BAD_NAME },
        { "a surname of 32000 octets",
          { .subject = "30(31(30(0603550404 0c('\xe3\x82\xa2'*10500))))" }, CA_REASON_NONE },
        { "a common name of 32000 octets", { .subject = "30(31(30(0603550403 0c('a'*32000))))" },
          CA_REASON_NAME_TOO_LONG },
    };
    const struct request_signing signing = mutant_signing(*state, BY_P256);

    judge_shapes(*state, &signing, shapes, sizeof(shapes) / sizeof(shapes[0]));
}

/* count numbered pieces of notation in one; the caller frees it. */
static char *numbered(const char *before, const char *each, unsigned count, const char *after)
{
    struct ca_buf text;
    char *copy;

    ca_buf_init(&text, NOTATION_MAX);
    ca_buf_append_str(&text, before);
    for (unsigned i = 0; i < count; i++) {
        char number[8];
        const char *hole = strchr(each, '#');

        (void)snprintf(number, sizeof(number), "%04x", 0x1000 + i);
        ca_buf_append(&text, each, (size_t)(hole - each));
        ca_buf_append(&text, number, 4);
        ca_buf_append_str(&text, hole + 1);
    }
    ca_buf_append_str(&text, after);
    assert_int_equal(text.failed, CA_OK);
    copy = strndup((const char *)text.data, text.len);
    assert_non_null(copy);
    ca_buf_clear(&text);
    return copy;
}

static void attributes_cost_no_more_than_they_may(void **state)
{
    char *values = numbered("a0(30(06032a0304 31(", "0202#", 8000, ")))");
    char *attributes = numbered("a0(", "30(06042a03# 31(0500))", 16, ")");
    char *too_many = numbered("a0(", "30(06042a03# 31(0500))", 2000, ")");
    char *extensions = numbered("a0(30(06092a864886f70d01090e 31(30(",
                                "30(06042a03# 04(00*950))", 32, "))))");
    char *many_extensions = numbered("a0(30(06092a864886f70d01090e 31(30(", "30(06042a03# 0400)",
                                     2500, "))))");
    const struct mutant shapes[] = {
        { "8000 values", { .attributes = values }, CA_REASON_NONE },
        { "16 attributes", { .attributes = attributes }, CA_REASON_NONE },
        { "2000 attributes", { .attributes = too_many }, CA_REASON_BAD_ATTRIBUTES },
        { "32 extensions of 950 octets", { .attributes = extensions }, CA_REASON_NONE },
        { "2500 extensions", { .attributes = many_extensions }, CA_REASON_BAD_EXTENSIONS },
        { "nested 32 deep", { .attributes = ATTR(NEST32("")) }, CA_REASON_NONE },
        { "nested 33 deep", { .attributes = ATTR(NEST32("30()")) }, CA_REASON_BAD_DER },
        { "16000 elements", { .attributes = ATTR("30(05()*16000)") }, CA_REASON_NONE },
        { "16000 empty ones", { .attributes = ATTR("30(30()*16000)") }, CA_REASON_NONE },
        { "400 times nested 31 deep",
          { .attributes = ATTR("30(" NEST8(NEST8(NEST8("30(30(30(30(30(3000)))))"))) "*400)") },
          CA_REASON_NONE },
        { "a standard extension of 16000 elements",
          { .attributes = EXTS("30(0603551d20 04(30(05()*16000)))") }, CA_REASON_NONE },
        { "an OID of 30000 octets", { .attributes = "a0(30(06(2a ff*30000 7f) 31(0500)))" },
          CA_REASON_BAD_ATTRIBUTES },
        { "an octet string of 32000", { .attributes = ATTR("04(00*32000)") }, CA_REASON_NONE },
        { "more than 32 KiB", { .attributes = ATTR("04(00*40000)") }, CA_REASON_REQUEST_TOO_LONG },
    };
    const struct request_signing signing = mutant_signing(*state, BY_P256);

    judge_shapes(*state, &signing, shapes, sizeof(shapes) / sizeof(shapes[0]));
    free(values);
    free(attributes);
    free(too_many);
    free(extensions);
    free(many_extensions);
}

#define RSA_KEY(modulus, exponent)                                                                 \
    "30(30(06092a864886f70d010101 0500) 03(00 30(02(00" modulus ") 02(00" exponent "))))"
#define BITS(octets) "03(00 00*" octets ")"

/* What a template's bounds would refuse before (engine/policy.h) is bounded here too. */
static void keys_and_signatures_cost_no_more_than_they_may(void **state)
{
    static const struct mutant rsa[] = {
        { "RSA 2048, e of 64 bits", { .key = RSA_KEY("ff*256", "ff*8"), .bits = BITS("256") },
          CA_REASON_BAD_SIGNATURE },
        { "RSA 2048, e of 256 bits", { .key = RSA_KEY("ff*256", "ff*32"), .bits = BITS("256") },
          CA_REASON_BAD_SIGNATURE },
        { "RSA 2048, e of 2048 bits",
          { .key = RSA_KEY("ff*256", "fe ff*255"), .bits = BITS("256") }, CA_REASON_BAD_KEY },
        { "RSA 3072, e of 256 bits", { .key = RSA_KEY("ff*384", "ff*32"), .bits = BITS("384") },
          CA_REASON_BAD_SIGNATURE },
        { "RSA 4096, e of 64 bits", { .key = RSA_KEY("ff*512", "ff*8"), .bits = BITS("512") },
          CA_REASON_BAD_SIGNATURE },
        { "RSA 8192, e of 64 bits", { .key = RSA_KEY("ff*1024", "ff*8"), .bits = BITS("1024") },
          CA_REASON_BAD_SIGNATURE },
        { "RSA 8192, e of 256 bits", { .key = RSA_KEY("ff*1024", "ff*32"), .bits = BITS("1024") },
          CA_REASON_BAD_KEY },
        { "RSA 16384, e of 64 bits", { .key = RSA_KEY("ff*2048", "ff*8"), .bits = BITS("2048") },
          CA_REASON_BAD_KEY },
        { "RSA of 250000 bits", { .key = RSA_KEY("ff*31250", "83"), .bits = BITS("256") },
          CA_REASON_KEY_NOT_SUPPORTED },
    };
    struct request_signing signing = mutant_signing(*state, BY_RSA);

    judge_shapes(*state, &signing, rsa, sizeof(rsa) / sizeof(rsa[0]));
    for (int key = 0; key < MUTANT_KEYS; key++) {
        static const struct mutant whole[] = {
            { "signed over 32 KiB", { .attributes = ATTR("04(00*31500)") }, CA_REASON_NONE },
        };
        static const struct mutant foreign[] = {
            { "signed by another", { .attributes = ATTR("04(00*31500)"),
                                     .change = { [REQUEST_SIGNATURE] = flip_bit } },
              CA_REASON_BAD_SIGNATURE },
        };

        signing = mutant_signing(*state, key);
        judge_shapes(*state, &signing, whole, 1);
        judge_shapes(*state, &signing, foreign, 1);
    }
}

/* mallinfo2 knows nothing under a sanitizer, and the test then says nothing. */
static void refused_requests_leave_no_memory_behind(void **state)
{
    struct mutant_fixture *f = *state;
    size_t before = 0;

    for (int round = 0; round < 20; round++) {
        for (int key = 0; key < MUTANT_KEYS; key++) {
            static const struct request_parts parts = {
                .change = { [REQUEST_SIGNATURE] = flip_bit }
            };
            const struct request_signing signing = mutant_signing(f, key);
            struct ca_error err;
            struct ca_buf out;
            struct ca_bytes der = request_build(&parts, &signing, &out);

            for (int i = 0; i < 20; i++)
                assert_int_equal(mutant_verdict(f, der, &err), CA_REASON_BAD_SIGNATURE);
            ca_buf_clear(&out);
        }
        if (round == 2) before = mallinfo2().uordblks;      /* warm */
    }
    assert_true(mallinfo2().uordblks <= before + 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_cost_no_more_than_they_may),
        cmocka_unit_test(attributes_cost_no_more_than_they_may),
        cmocka_unit_test(keys_and_signatures_cost_no_more_than_they_may),
        cmocka_unit_test(refused_requests_leave_no_memory_behind),
    };

    return cmocka_run_group_tests(tests, mutant_set_up, mutant_tear_down);
}
