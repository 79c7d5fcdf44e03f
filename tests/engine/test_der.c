#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/clock.h"
#include "engine/der.h"
#include "engine/reason.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A small generator of our own, so that a failure repeats. */
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* A cursor over a copy that ends exactly where the bytes end, so that a sanitizer sees every octet
 * read too far. */
struct exact {
    uint8_t *copy;
    struct ca_der der;
};

static struct exact exact_of(const void *data, size_t len)
{
    struct exact exact = { .copy = malloc(len == 0 ? 1 : len) };

    assert_non_null(exact.copy);
    if (len > 0) memcpy(exact.copy, data, len);
    exact.der = ca_der_open(ca_bytes_of(exact.copy, len));
    return exact;
}

static void exact_free(struct exact *exact) { free(exact->copy); }

struct hex_case {
    const char *hex;
    bool good;
};

static size_t from_hex(const char *hex, uint8_t *out, size_t cap)
{
    size_t len = 0;

    assert_int_equal(ca_hex_decode(hex, out, cap, &len, NULL), CA_OK);
    return len;
}

/* Runs a typed reader over each case and compares the verdict. */
static void judge(const struct hex_case *cases, size_t count,
                  enum ca_status (*read)(struct ca_der *der, struct ca_error *err))
{
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[256];
        size_t len = from_hex(cases[i].hex, bytes, sizeof(bytes));
        struct exact in = exact_of(bytes, len);
        struct ca_error err = { .status = CA_OK };
        enum ca_status st = read(&in.der, &err);

        if (st == CA_OK) st = ca_der_end(&in.der, "the case", &err);
        exact_free(&in);
        if ((st == CA_OK) != cases[i].good) fail_msg("%s: %s", cases[i].hex, err.text);
        if (st == CA_OK) continue;
        assert_int_equal(st, CA_MALFORMED);
        assert_int_equal(err.reason, CA_REASON_BAD_DER);
        assert_true(strlen(err.text) > 0);
    }
}

#define JUDGE(cases, read) judge(cases, sizeof(cases) / sizeof((cases)[0]), read)

static enum ca_status read_any(struct ca_der *der, struct ca_error *err)
{
    struct ca_der_element element;

    return ca_der_any(der, &element, err);
}

static void lengths_are_definite_and_minimal(void **state)
{
    static const struct hex_case cases[] = {
        { "0400", true },           { "0401aa", true },
        { "300200", false },        { "04", false },
        { "", false },              { "0480", false },
        { "30800000", false },      { "048100", false },
        { "04017f", true },         { "04817f", false },
        { "048101aa", false },      { "04820001aa", false },
        { "0482", false },          { "0484", false },
        { "0485000000000100", false }, { "04ff", false },
        { "0484ffffffff00", false },   { "04840000000100", false },
        { "1f0100", false },        { "3f8100", false },
        { "0000", false },          { "2000", false },
        { "8000", true },           { "a000", true },
        { "9f1f00", false },        { "040100aa", false },
    };

    (void)state;
    JUDGE(cases, read_any);
}

/* X.690 8.1.3, with OpenSSL's writer as the judge of ours and our reader. */
static void headers_equal_those_of_openssl(void **state)
{
    static const size_t lens[] = { 0,   1,     126,   127,   128,    129,      254,
                                   255, 256,   257,   65534, 65535,  65536,    65537,
                                   70000, 16777215, 16777216 };

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        uint8_t theirs[16], ours[16];
        uint8_t *end = theirs;
        size_t header;

        ASN1_put_object(&end, 0, (int)lens[i], V_ASN1_OCTET_STRING, V_ASN1_UNIVERSAL);
        header = ca_der_put_header(ours, CA_DER_OCTET_STRING, lens[i]);
        assert_int_equal(header, end - theirs);
        assert_int_equal(header, ca_der_header_len(lens[i]));
        assert_memory_equal(ours, theirs, header);
    }
}

static void elements_of_every_length_are_read_and_their_prefixes_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < 300; len++) {
        struct ca_buf out;
        uint8_t content[300];
        struct exact in;
        struct ca_der_element element;

        memset(content, 0x5a, sizeof(content));
        ca_buf_init(&out, 1000);
        ca_der_add(&out, CA_DER_OCTET_STRING, ca_bytes_of(content, len));
        in = exact_of(out.data, out.len);
        assert_int_equal(ca_der_any(&in.der, &element, NULL), CA_OK);
        assert_int_equal(element.tag, CA_DER_OCTET_STRING);
        assert_int_equal(element.content.len, len);
        assert_int_equal(element.whole.len, out.len);
        assert_true(ca_der_at_end(&in.der));
        exact_free(&in);
        for (size_t cut = 0; cut < out.len; cut++) {
            in = exact_of(out.data, cut);
            assert_int_equal(ca_der_any(&in.der, &element, NULL), CA_MALFORMED);
            exact_free(&in);
        }
        ca_buf_clear(&out);
    }
}

static void a_large_element_is_read(void **state)
{
    size_t len = 70000;
    uint8_t *whole = calloc(1, len + 5);
    struct ca_der der;
    struct ca_der_element element;

    (void)state;
    assert_non_null(whole);
    assert_int_equal(ca_der_put_header(whole, CA_DER_OCTET_STRING, len), 5);
    der = ca_der_open(ca_bytes_of(whole, len + 5));
    assert_int_equal(ca_der_any(&der, &element, NULL), CA_OK);
    assert_int_equal(element.content.len, len);
    free(whole);
}

static enum ca_status read_bool(struct ca_der *der, struct ca_error *err)
{
    bool value;

    return ca_der_bool(der, "the flag", &value, err);
}

static void a_boolean_is_00_or_ff(void **state)
{
    static const struct hex_case cases[] = {
        { "010100", true }, { "0101ff", true },    { "010101", false }, { "0101fe", false },
        { "0100", false },  { "0102ffff", false }, { "0201ff", false },
    };

    (void)state;
    JUDGE(cases, read_bool);
}

static enum ca_status read_unsigned(struct ca_der *der, struct ca_error *err)
{
    struct ca_bytes value;

    return ca_der_unsigned(der, "the number", &value, err);
}

static void an_integer_is_minimal_and_not_negative(void **state)
{
    static const struct hex_case cases[] = {
        { "020100", true },    { "02017f", true },   { "02020080", true }, { "020200ff", true },
        { "0200", false },     { "020180", false },  { "0201ff", false },  { "02020000", false },
        { "0202007f", false }, { "0202ff80", false }, { "0203000080", false }, { "030100", false },
    };

    (void)state;
    JUDGE(cases, read_unsigned);
}

static void integers_equal_those_of_openssl(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        uint8_t octets[40], *theirs = NULL;
        size_t len = next_random() % sizeof(octets);
        BIGNUM *number;
        ASN1_INTEGER *integer;
        struct ca_buf out;
        struct ca_der der;
        struct ca_bytes magnitude;
        int their_len;

        for (size_t k = 0; k < len; k++) {
            octets[k] = next_random() % 3 == 0 ? 0 : (uint8_t)next_random();
        }
        number = BN_bin2bn(octets, (int)len, NULL);
        integer = BN_to_ASN1_INTEGER(number, NULL);
        their_len = i2d_ASN1_INTEGER(integer, &theirs);
        ca_buf_init(&out, 100);
        ca_der_add_unsigned(&out, ca_bytes_of(octets, len));
        assert_int_equal(out.len, their_len);
        assert_memory_equal(out.data, theirs, out.len);

        der = ca_der_open(ca_buf_view(&out));
        assert_int_equal(ca_der_unsigned(&der, "the number", &magnitude, NULL), CA_OK);
        assert_int_equal(magnitude.len, BN_is_zero(number) ? 1 : BN_num_bytes(number));
        assert_true(BN_is_zero(number) || magnitude.data[0] != 0);
        ca_buf_clear(&out);
        OPENSSL_free(theirs);
        ASN1_INTEGER_free(integer);
        BN_free(number);
    }
}

static void small_numbers_stop_at_31_bits(void **state)
{
    static const uint32_t values[] = { 0, 1, 127, 128, 255, 256, 65535, 65536, 0x7fffffff };
    static const uint8_t too_large[] = { 2, 5, 0, 0x80, 0, 0, 0 };
    static const uint8_t far_too_large[] = { 2, 5, 1, 0, 0, 0, 0 };
    struct ca_der der;
    uint32_t value = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct ca_buf out;

        ca_buf_init(&out, 10);
        ca_der_add_small(&out, values[i]);
        der = ca_der_open(ca_buf_view(&out));
        assert_int_equal(ca_der_small(&der, "the number", &value, NULL), CA_OK);
        assert_int_equal(value, values[i]);
        ca_buf_clear(&out);
    }
    der = ca_der_open(ca_bytes_of(too_large, sizeof(too_large)));
    assert_int_equal(ca_der_small(&der, "the number", &value, NULL), CA_MALFORMED);
    der = ca_der_open(ca_bytes_of(far_too_large, sizeof(far_too_large)));
    assert_int_equal(ca_der_small(&der, "the number", &value, NULL), CA_MALFORMED);
}

static enum ca_status read_bits(struct ca_der *der, struct ca_error *err)
{
    struct ca_bytes value;

    return ca_der_octets_of_bits(der, "the bits", &value, err);
}

static void a_bit_string_of_octets_has_no_unused_bits(void **state)
{
    static const struct hex_case cases[] = {
        { "030100", true },    { "030200aa", true },  { "0300", false },
        { "030201aa", false }, { "030207aa", false }, { "030208aa", false },
        { "0303070000", false }, { "040100", false },
    };

    (void)state;
    JUDGE(cases, read_bits);
}

static enum ca_status read_oid(struct ca_der *der, struct ca_error *err)
{
    struct ca_bytes value;

    return ca_der_oid(der, "the type", &value, err);
}

static void an_oid_has_minimal_arcs_and_at_most_64_octets(void **state)
{
    static const struct hex_case cases[] = {
        { "0603550403", true },  { "06012a", true },       { "0600", false },
        { "06028001", false },   { "060455048001", false }, { "0603550480", false },
        { "0602ff7f", true },    { "060455808001", false },
    };
    char longest[2 * 67 + 1] = "0640", too_long[2 * 68 + 1] = "0641";

    (void)state;
    JUDGE(cases, read_oid);
    for (size_t i = 0; i < 64; i++) memcpy(longest + 4 + 2 * i, "2a", 3);
    for (size_t i = 0; i < 65; i++) memcpy(too_long + 4 + 2 * i, "2a", 3);
    judge(&(struct hex_case){ longest, true }, 1, read_oid);
    judge(&(struct hex_case){ too_long, false }, 1, read_oid);
}

/* A random dotted OID whose arcs have up to arc_bits bits. */
static void random_dotted(char *out, size_t cap, unsigned arc_bits)
{
    unsigned root = (unsigned)(next_random() % 3);
    size_t arcs = 1 + next_random() % 8;
    size_t len = (size_t)snprintf(out, cap, "%u", root);

    for (size_t i = 0; i < arcs; i++) {
        uint64_t arc = next_random() >> (64 - (1 + next_random() % arc_bits));

        if (i == 0 && root < 2) arc %= 40;
        len += (size_t)snprintf(out + len, cap - len, ".%llu", (unsigned long long)arc);
    }
}

static void oids_equal_those_of_openssl(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        char dotted[400], text[400];
        ASN1_OBJECT *object;
        struct ca_buf content;

        random_dotted(dotted, sizeof(dotted), i % 2 == 0 ? 20 : 63);
        object = OBJ_txt2obj(dotted, 1);
        assert_non_null(object);
        ca_buf_init(&content, 100);
        if (OBJ_length(object) > 64) {
            assert_int_equal(ca_der_oid_parse(dotted, &content, NULL), CA_MALFORMED);
        } else {
            assert_int_equal(ca_der_oid_parse(dotted, &content, NULL), CA_OK);
            assert_int_equal(content.len, OBJ_length(object));
            assert_memory_equal(content.data, OBJ_get0_data(object), content.len);
            ca_der_oid_text(ca_buf_view(&content), text, sizeof(text));
            assert_string_equal(text, dotted);
        }
        ca_buf_clear(&content);
        ASN1_OBJECT_free(object);
    }
}

/* 2.25 and a UUID as one number (X.667): arcs are not bound to 64 bits. The others are where the
 * subtraction of 80 from the first arc borrows. */
static void arcs_of_any_size_are_read_and_printed(void **state)
{
    static const char *const dotted[] = {
        "2.25.329800735698586629295641978511506172918.0.4294967296",
        "2.999999999960",
        "2.999999999999999925",
        "2.329800735698586629295641978511506172918",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(dotted) / sizeof(dotted[0]); i++) {
        ASN1_OBJECT *object = OBJ_txt2obj(dotted[i], 1);
        struct ca_buf content;
        char text[100];

        assert_non_null(object);
        ca_buf_init(&content, 100);
        assert_int_equal(ca_der_oid_parse(dotted[i], &content, NULL), CA_OK);
        assert_int_equal(content.len, OBJ_length(object));
        assert_memory_equal(content.data, OBJ_get0_data(object), content.len);
        ca_der_oid_text(ca_buf_view(&content), text, sizeof(text));
        assert_string_equal(text, dotted[i]);
        ca_buf_clear(&content);
        ASN1_OBJECT_free(object);
    }
}

static void texts_that_are_no_oid_are_refused(void **state)
{
    static const char *const bad[] = { "", "1", "1.", ".1", "3.1", "0.40", "1.40", "1.2.", "1..2",
                                       "1.2.x", "1.02", "1.2 ", " 1.2", "-1.2", "1.2.-3", "01.2" };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ca_buf out;

        ca_buf_init(&out, 100);
        if (ca_der_oid_parse(bad[i], &out, NULL) != CA_MALFORMED) fail_msg("accepted %s", bad[i]);
        assert_int_equal(out.len, 0);
        ca_buf_clear(&out);
    }
}

static void an_oid_too_long_for_its_text_ends_in_dots(void **state)
{
    static const uint8_t oid[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d };     /* 1.2.840.113549 */

    (void)state;
    for (size_t cap = 1; cap < 20; cap++) {
        char *text = malloc(cap);       /* exactly as large as is said */

        assert_non_null(text);
        ca_der_oid_text(ca_bytes_of(oid, sizeof(oid)), text, cap);
        assert_true(strlen(text) < cap);
        if (cap > 14) assert_string_equal(text, "1.2.840.113549");
        else if (cap >= 4) assert_string_equal(text + strlen(text) - 3, "...");
        free(text);
    }
    {
        uint8_t ones[64];
        char text[200];

        memset(ones, 0xff, 63);
        ones[63] = 0x7f;        /* one arc of 448 bits */
        ca_der_oid_text(ca_bytes_of(ones, sizeof(ones)), text, sizeof(text));
        /* 2^448 - 1 - 80 */
        assert_string_equal(text, "2.726838724295606890549323807888004534353641360687"
                                  "31806028149019918063928811339792332619105071376356"
                                  "5560762521606266177933534601628614575");
    }
}

static void times_equal_those_of_openssl(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        /* 1950 to 9999, and around the change of types in 2050 every third time */
        int64_t time_s = i % 3 == 0
                             ? INT64_C(2524608000) - 10 + (int64_t)(next_random() % 20)
                             : INT64_C(-631152000) + (int64_t)(next_random() % 254033453000);
        struct ca_buf out;
        ASN1_TIME *theirs = ASN1_TIME_set(NULL, (time_t)time_s);
        uint8_t *their_der = NULL;
        int their_len = i2d_ASN1_TIME(theirs, &their_der);
        struct ca_der der;
        int64_t back = 0;

        ca_buf_init(&out, 100);
        ca_der_add_time(&out, time_s);
        assert_int_equal(out.len, their_len);
        assert_memory_equal(out.data, their_der, out.len);
        der = ca_der_open(ca_buf_view(&out));
        assert_int_equal(ca_der_time(&der, "the time", &back, NULL), CA_OK);
        assert_int_equal(back, time_s);
        ca_buf_clear(&out);
        OPENSSL_free(their_der);
        ASN1_TIME_free(theirs);
    }
}

static void only_zulu_times_in_whole_seconds_of_the_right_type_are_read(void **state)
{
    static const struct {
        uint8_t tag;
        const char *text;
        bool good;
    } cases[] = {
        { CA_DER_UTC_TIME, "260131235959Z", true },
        { CA_DER_UTC_TIME, "500101000000Z", true },
        { CA_DER_UTC_TIME, "2601312359Z", false },
        { CA_DER_UTC_TIME, "260131235959+0000", false },
        { CA_DER_UTC_TIME, "260131235959", false },
        { CA_DER_UTC_TIME, "260230000000Z", false },
        { CA_DER_UTC_TIME, "261301000000Z", false },
        { CA_DER_UTC_TIME, "260101240000Z", false },
        { CA_DER_UTC_TIME, "260101000060Z", false },
        { CA_DER_UTC_TIME, "26010100006xZ", false },
        { CA_DER_UTC_TIME, "-60101000000Z", false },
        { CA_DER_GENERALIZED_TIME, "20500101000000Z", true },
        { CA_DER_GENERALIZED_TIME, "19491231235959Z", true },
        { CA_DER_GENERALIZED_TIME, "99991231235959Z", true },
        { CA_DER_GENERALIZED_TIME, "20491231235959Z", false },
        { CA_DER_GENERALIZED_TIME, "20500101000000.5Z", false },
        { CA_DER_GENERALIZED_TIME, "20500101000000", false },
        { CA_DER_GENERALIZED_TIME, "00000101000000Z", false },
        { CA_DER_OCTET_STRING, "260131235959Z", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_buf out;
        struct ca_der der;
        int64_t time_s;
        enum ca_status st;

        ca_buf_init(&out, 100);
        ca_der_add(&out, cases[i].tag, ca_bytes_str(cases[i].text));
        der = ca_der_open(ca_buf_view(&out));
        st = ca_der_time(&der, "the time", &time_s, NULL);
        if ((st == CA_OK) != cases[i].good) fail_msg("%s", cases[i].text);
        ca_buf_clear(&out);
    }
}

/* X.690 11.2.2, with OpenSSL as the judge. */
static void named_bits_equal_those_of_openssl(void **state)
{
    (void)state;
    for (uint16_t bits = 0; bits < 512; bits++) {
        ASN1_BIT_STRING *theirs = ASN1_BIT_STRING_new();
        uint8_t *their_der = NULL;
        struct ca_buf out;
        int their_len;

        for (int i = 0; i < 9; i++) {
            if ((bits & (1 << i)) != 0) assert_int_equal(ASN1_BIT_STRING_set_bit(theirs, i, 1), 1);
        }
        their_len = i2d_ASN1_BIT_STRING(theirs, &their_der);
        ca_buf_init(&out, 100);
        ca_der_add_named_bits(&out, bits);
        assert_int_equal(out.len, their_len);
        assert_memory_equal(out.data, their_der, out.len);
        ca_buf_clear(&out);
        OPENSSL_free(their_der);
        ASN1_BIT_STRING_free(theirs);
    }
}

static void wrapping_puts_the_right_header_before_what_was_written(void **state)
{
    static const size_t lens[] = { 0, 5, 127, 128, 255, 256, 65535, 65536 };

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct ca_buf out;
        struct ca_der der;
        struct ca_der_element first, second;

        ca_buf_init(&out, 100000);
        ca_der_add_small(&out, 7);
        {
            size_t mark = out.len;
            uint8_t *content = ca_buf_extend(&out, lens[i]);

            assert_non_null(content);
            for (size_t k = 0; k < lens[i]; k++) content[k] = (uint8_t)(k * 7);
            ca_der_wrap(&out, mark, CA_DER_SEQUENCE);
        }
        assert_int_equal(out.failed, CA_OK);
        der = ca_der_open(ca_buf_view(&out));
        assert_int_equal(ca_der_any(&der, &first, NULL), CA_OK);
        assert_int_equal(ca_der_take(&der, CA_DER_SEQUENCE, "it", &second, NULL), CA_OK);
        assert_int_equal(second.content.len, lens[i]);
        for (size_t k = 0; k < lens[i]; k++)
            assert_int_equal(second.content.data[k], (uint8_t)(k * 7));
        assert_true(ca_der_at_end(&der));
        ca_buf_clear(&out);
    }
}

static void wrapping_after_a_failure_does_nothing(void **state)
{
    uint8_t content[64] = { 0 };
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 64);
    ca_buf_append(&out, content, sizeof(content));
    ca_der_wrap(&out, 0, CA_DER_SEQUENCE);          /* no room for the header */
    assert_int_equal(out.failed, CA_FULL);
    ca_der_wrap(&out, 0, CA_DER_SEQUENCE);
    assert_int_equal(ca_buf_status(&out, "it", NULL), CA_FULL);
    ca_buf_clear(&out);
}

/* depth SEQUENCEs inside each other, the innermost empty. */
static void add_nested(struct ca_buf *out, size_t depth)
{
    size_t mark = out->len;

    for (size_t i = 0; i < depth; i++) ca_der_wrap(out, mark, CA_DER_SEQUENCE);
}

static void nesting_is_read_down_to_its_limit(void **state)
{
    static const struct {
        const char *hex;
        bool good;
    } cases[] = {
        { "", false },               { "3000", true },            { "30030201", false },
        { "300402010530", false },
        { "3003020105", true },      { "3004300205", false },     { "30043002", false },
        { "300430020500", true },    { "30053003058100", false }, { "30000500", false },
        /* each universal type's own rules */
        { "0101ff", true },          { "010101", false },         { "0100", false },
        { "0200", false },           { "020100", true },          { "02020080", true },
        { "0202007f", false },       { "0202ff7f", true },        { "0202ff80", false },
        { "0201ff", true },          { "0a0100", true },          { "0a020000", false },
        { "0300", false },           { "030100", true },          { "030101", false },
        { "030201fe", true },        { "030201ff", false },       { "03020780", true },
        { "03020880", false },       { "0500", true },            { "050100", false },
        { "0600", false },           { "06022a03", true },        { "06022a83", false },
        { "1e020061", true },        { "1e0161", false },         { "1c0400000061", true },
        { "1c03000061", false },     { "2400", false },           { "2c03040161", false },
        { "1000", false },           { "1100", false },           { "2800", true },
        { "0800", false },           { "8001ff", true },          { "a003020105", true },
        { "a00402020000", false },   { "3106020105020104", true },
        /* Times: Zulu and seconds, a date that exists, no fraction that ends in zero. */
        { "170d3236303133313233353935395a", true }, { "170d3236303233303233353935395a", false },
        { "170b323630313331323335395a", false },    { "170144", false },
        { "170d32363031333132333539353944", false },
        { "180f32303236303133313233353935395a", true },
        { "181132303236303133313233353935392e355a", true },
        { "181132303236303133313233353935392e305a", false },
        { "181032303236303133313233353935392e5a", false },
        { "180f30303030303133313233353935395a", false },
    };
    struct ca_buf out;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[64];
        size_t len;
        struct exact in;
        enum ca_status st;

        len = from_hex(cases[i].hex, bytes, sizeof(bytes));
        in = exact_of(bytes, len);
        st = ca_der_check_nested(in.der.rest, "the value", NULL);
        if ((st == CA_OK) != cases[i].good) fail_msg("%s", cases[i].hex);
        exact_free(&in);
    }
    ca_buf_init(&out, 1000);
    add_nested(&out, CA_DER_DEPTH_MAX);
    assert_int_equal(ca_der_check_nested(ca_buf_view(&out), "the value", NULL), CA_OK);
    ca_buf_reset(&out);
    add_nested(&out, CA_DER_DEPTH_MAX + 1);
    assert_int_equal(ca_der_check_nested(ca_buf_view(&out), "the value", NULL), CA_MALFORMED);
    ca_buf_clear(&out);
}

static enum ca_status read_set(const char *hex, struct ca_error *err)
{
    uint8_t bytes[64];
    struct ca_der set = ca_der_open(ca_bytes_of(bytes, from_hex(hex, bytes, sizeof(bytes))));
    struct ca_bytes previous = { .len = 0 };
    enum ca_status st = CA_OK;

    while (st == CA_OK && !ca_der_at_end(&set)) {
        struct ca_der_element element;

        st = ca_der_set_next(&set, CA_DER_INTEGER, "a number", &previous, &element, err);
    }
    return st;
}

/* X.690 11.6 */
static void a_set_is_in_ascending_order_without_twins(void **state)
{
    (void)state;
    assert_int_equal(read_set("", NULL), CA_OK);
    assert_int_equal(read_set("020105", NULL), CA_OK);
    assert_int_equal(read_set("020105020106", NULL), CA_OK);
    assert_int_equal(read_set("02010602020080", NULL), CA_OK);
    assert_int_equal(read_set("020106020105", NULL), CA_MALFORMED);
    assert_int_equal(read_set("02020080020105", NULL), CA_MALFORMED);
    assert_int_equal(read_set("020105020105", NULL), CA_MALFORMED);
    assert_int_equal(read_set("020105010100", NULL), CA_MALFORMED);
}

static void faults_of_grammar_carry_the_reason_of_the_cursor(void **state)
{
    static const uint8_t list[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };
    static const uint8_t broken[] = { 0x30, 0x03, 0x02, 0x02, 0x05 };
    struct ca_der der = { .rest = { list, sizeof(list) }, .reason = CA_REASON_BAD_KEY };
    struct ca_der copy = der, inner;
    struct ca_bytes oid, number;
    struct ca_error err;

    (void)state;
    assert_int_equal(ca_der_enter(&copy, CA_DER_SET, "the set", &inner, &err), CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_BAD_KEY);
    assert_non_null(strstr(err.text, "the set"));
    copy = der;
    assert_int_equal(ca_der_enter(&copy, CA_DER_SEQUENCE, "the list", &inner, &err), CA_OK);
    assert_int_equal(ca_der_end(&inner, "the list", &err), CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_BAD_KEY);
    assert_int_equal(ca_der_oid(&inner, "the type", &oid, &err), CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_BAD_KEY);
    assert_int_equal(ca_der_enter(&copy, CA_DER_SEQUENCE, "the next", &inner, &err), CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_BAD_KEY);
    assert_string_equal(err.text, "the next is missing");

    /* What is not DER at all stays bad-der. */
    der.rest = ca_bytes_of(broken, sizeof(broken));
    assert_int_equal(ca_der_enter(&der, CA_DER_SEQUENCE, "the list", &inner, &err), CA_OK);
    assert_int_equal(ca_der_unsigned(&inner, "the number", &number, &err), CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_BAD_DER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_definite_and_minimal),
        cmocka_unit_test(headers_equal_those_of_openssl),
        cmocka_unit_test(elements_of_every_length_are_read_and_their_prefixes_refused),
        cmocka_unit_test(a_large_element_is_read),
        cmocka_unit_test(a_boolean_is_00_or_ff),
        cmocka_unit_test(an_integer_is_minimal_and_not_negative),
        cmocka_unit_test(integers_equal_those_of_openssl),
        cmocka_unit_test(small_numbers_stop_at_31_bits),
        cmocka_unit_test(a_bit_string_of_octets_has_no_unused_bits),
        cmocka_unit_test(an_oid_has_minimal_arcs_and_at_most_64_octets),
        cmocka_unit_test(oids_equal_those_of_openssl),
        cmocka_unit_test(arcs_of_any_size_are_read_and_printed),
        cmocka_unit_test(texts_that_are_no_oid_are_refused),
        cmocka_unit_test(an_oid_too_long_for_its_text_ends_in_dots),
        cmocka_unit_test(times_equal_those_of_openssl),
        cmocka_unit_test(only_zulu_times_in_whole_seconds_of_the_right_type_are_read),
        cmocka_unit_test(named_bits_equal_those_of_openssl),
        cmocka_unit_test(wrapping_puts_the_right_header_before_what_was_written),
        cmocka_unit_test(wrapping_after_a_failure_does_nothing),
        cmocka_unit_test(nesting_is_read_down_to_its_limit),
        cmocka_unit_test(a_set_is_in_ascending_order_without_twins),
        cmocka_unit_test(faults_of_grammar_carry_the_reason_of_the_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
