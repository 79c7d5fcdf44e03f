#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/name.h"

#include <openssl/bio.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A small generator of our own, so that a failure repeats. */
static uint64_t random_state = 0x94d049bb133111eb;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Names in hand-made DER: "type,tag,value" triples, RDN by RDN. */
struct name_builder {
    struct ca_buf out;
    size_t rdn;     /* where the open RDN begins */
};

static void builder_init(struct name_builder *b)
{
    ca_buf_init(&b->out, 100000);
    b->rdn = 0;
}

static void add_ava(struct name_builder *b, const char *oid, uint8_t tag, struct ca_bytes value)
{
    size_t mark = b->out.len;

    assert_int_equal(ca_der_oid_parse(oid, &b->out, NULL), CA_OK);
    ca_der_wrap(&b->out, mark, CA_DER_OID);
    ca_der_add(&b->out, tag, value);
    ca_der_wrap(&b->out, mark, CA_DER_SEQUENCE);
}

static void end_rdn(struct name_builder *b)
{
    ca_der_wrap(&b->out, b->rdn, CA_DER_SET);
    b->rdn = b->out.len;
}

static struct ca_bytes end_name(struct name_builder *b)
{
    ca_der_wrap(&b->out, 0, CA_DER_SEQUENCE);
    assert_int_equal(b->out.failed, CA_OK);
    return ca_buf_view(&b->out);
}

static enum ca_status check_exact(struct ca_bytes name, bool *empty, struct ca_error *err)
{
    uint8_t *copy = malloc(name.len == 0 ? 1 : name.len);
    enum ca_status st;

    assert_non_null(copy);
    if (name.len > 0) memcpy(copy, name.data, name.len);
    st = ca_name_check(ca_bytes_of(copy, name.len), empty, err);
    free(copy);
    return st;
}

static void expect(struct ca_bytes name, enum ca_reason reason, const char *what)
{
    struct ca_error err = { .status = CA_OK };
    bool empty = false;
    enum ca_status st = check_exact(name, &empty, &err);

    if (reason == CA_REASON_NONE) {
        if (st != CA_OK) fail_msg("%s: %s", what, err.text);
        return;
    }
    if (st == CA_OK) fail_msg("%s: accepted", what);
    if (err.reason != reason)
        fail_msg("%s: %s (%s), not %s", what, ca_reason_code(err.reason), err.text,
                 ca_reason_code((uint16_t)reason));
    assert_int_equal(st, err.status);
    assert_true(strlen(err.text) > 0);
}

/* A name of one attribute. */
static void judge_value(const char *oid, uint8_t tag, struct ca_bytes value,
                        enum ca_reason reason)
{
    struct name_builder b;
    char what[200];

    builder_init(&b);
    add_ava(&b, oid, tag, value);
    end_rdn(&b);
    (void)snprintf(what, sizeof(what), "%s %02x %.*s", oid, tag, (int)value.len, value.data);
    expect(end_name(&b), reason, what);
    ca_buf_clear(&b.out);
}

#define CN "2.5.4.3"
#define UTF8 CA_DER_UTF8_STRING
#define PRINTABLE CA_DER_PRINTABLE_STRING
#define IA5 CA_DER_IA5_STRING

static void values_must_have_the_string_type_of_their_attribute(void **state)
{
    static const struct {
        const char *oid;
        uint8_t tag;
        enum ca_reason reason;
    } cases[] = {
        { CN, UTF8, CA_REASON_NONE },
        { CN, PRINTABLE, CA_REASON_NONE },
        { CN, IA5, CA_REASON_BAD_NAME },
        { CN, CA_DER_TELETEX_STRING, CA_REASON_BAD_NAME },
        { CN, CA_DER_BMP_STRING, CA_REASON_BAD_NAME },
        { CN, CA_DER_UNIVERSAL_STRING, CA_REASON_BAD_NAME },
        { CN, CA_DER_OCTET_STRING, CA_REASON_BAD_NAME },
        { "2.5.4.6", PRINTABLE, CA_REASON_NONE },
        { "2.5.4.6", UTF8, CA_REASON_BAD_NAME },
        { "2.5.4.5", PRINTABLE, CA_REASON_NONE },
        { "2.5.4.5", UTF8, CA_REASON_BAD_NAME },
        { "2.5.4.46", PRINTABLE, CA_REASON_NONE },
        { "2.5.4.46", UTF8, CA_REASON_BAD_NAME },
        { "0.9.2342.19200300.100.1.25", IA5, CA_REASON_NONE },
        { "0.9.2342.19200300.100.1.25", UTF8, CA_REASON_BAD_NAME },
        { "1.2.840.113549.1.9.1", IA5, CA_REASON_NONE },
        { "1.2.840.113549.1.9.1", UTF8, CA_REASON_BAD_NAME },
        { "1.2.840.113549.1.9.2", IA5, CA_REASON_NONE },
        { "1.2.840.113549.1.9.2", UTF8, CA_REASON_NONE },
        { "1.2.3.4", UTF8, CA_REASON_NONE },
        { "1.2.3.4", PRINTABLE, CA_REASON_NONE },
        { "1.2.3.4", IA5, CA_REASON_NONE },
        { "1.2.3.4", CA_DER_TELETEX_STRING, CA_REASON_BAD_NAME },
        { "2.5.4.99", UTF8, CA_REASON_NONE },
        { "2.5.4.16", CA_DER_SEQUENCE, CA_REASON_BAD_NAME },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        judge_value(cases[i].oid, cases[i].tag, ca_bytes_str("AB"), cases[i].reason);
}

static void values_must_keep_to_the_alphabet_of_their_type(void **state)
{
    static const struct {
        uint8_t tag;
        const char *value;
        size_t len;
        bool good;
    } cases[] = {
        { UTF8, "a", 1, true },
        { UTF8, "Z\xc3\xbcrich", 7, true },
        { UTF8, "", 0, false },
        { UTF8, "a\0b", 3, false },
        { UTF8, "a\nb", 3, false },
        { UTF8, "a\x7f", 2, false },
        { UTF8, "\xc2\x85", 2, false },             /* NEL */
        { UTF8, "\xc0\x80", 2, false },             /* overlong NUL */
        { UTF8, "\xed\xa0\x80", 3, false },         /* surrogate */
        { UTF8, "\xff", 1, false },
        { UTF8, "a\xc3", 2, false },
        { UTF8, "a\xe2\x80\xae" "b", 5, false },    /* right-to-left override */
        { UTF8, "a\xe2\x80\x8b" "b", 5, false },    /* zero-width space */
        { PRINTABLE, "A-Za-z 0-9 '()+,-./:=?", 22, true },
        { PRINTABLE, "a@b", 3, false },
        { PRINTABLE, "a*", 2, false },
        { PRINTABLE, "a_b", 3, false },
        { PRINTABLE, "a&b", 3, false },
        { PRINTABLE, "a\0b", 3, false },
        { PRINTABLE, "\xc3\xbc", 2, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        judge_value(CN, cases[i].tag, ca_bytes_of(cases[i].value, cases[i].len),
                     cases[i].good ? CA_REASON_NONE : CA_REASON_BAD_NAME);
    judge_value("1.2.840.113549.1.9.1", IA5, ca_bytes_of("a\0@b", 4), CA_REASON_BAD_NAME);
    judge_value("1.2.840.113549.1.9.1", IA5, ca_bytes_str("a@\xc3\xbc"), CA_REASON_BAD_NAME);
}

static void a_country_is_two_letters(void **state)
{
    static const char *const bad[] = { "D", "DEU", "D1", "D ", "Great Country", "--" };

    (void)state;
    judge_value("2.5.4.6", PRINTABLE, ca_bytes_str("DE"), CA_REASON_NONE);
    judge_value("2.5.4.6", PRINTABLE, ca_bytes_str("de"), CA_REASON_NONE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        judge_value("2.5.4.6", PRINTABLE, ca_bytes_str(bad[i]), CA_REASON_BAD_NAME);
}

static void any_country_passes_when_the_template_admits_it(void **state)
{
    static const struct {
        const char *oid;
        uint8_t tag;
        const char *value;
        enum ca_reason reason;
    } cases[] = {
        { "2.5.4.6", PRINTABLE, "DE", CA_REASON_NONE },
        { "2.5.4.6", PRINTABLE, "USA", CA_REASON_NONE },
        { "2.5.4.6", PRINTABLE, "D", CA_REASON_NONE },
        { "2.5.4.6", PRINTABLE, "Great Country", CA_REASON_NONE },
        { "2.5.4.6", PRINTABLE, "", CA_REASON_BAD_NAME },
        { "2.5.4.6", PRINTABLE, "D_", CA_REASON_BAD_NAME },
        { "2.5.4.6", UTF8, "DE", CA_REASON_BAD_NAME },
        { "2.5.4.6", IA5, "DE", CA_REASON_BAD_NAME },
        { "2.5.4.5", UTF8, "1", CA_REASON_BAD_NAME },       /* nothing else is let through */
        { CN, IA5, "a", CA_REASON_BAD_NAME },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_error err = { .status = CA_OK };
        struct name_builder b;
        bool empty = true;
        enum ca_status st;

        builder_init(&b);
        add_ava(&b, cases[i].oid, cases[i].tag, ca_bytes_str(cases[i].value));
        end_rdn(&b);
        st = ca_name_check_lenient(end_name(&b), true, &empty, &err);
        if (st == CA_OK) assert_false(empty);
        if (err.reason != cases[i].reason) fail_msg("%s: %s", cases[i].value, err.text);
        assert_int_equal(st == CA_OK, cases[i].reason == CA_REASON_NONE);
        ca_buf_clear(&b.out);
    }
    for (size_t len = 128; len <= 129; len++) {
        struct ca_error err = { .status = CA_OK };
        struct name_builder b;
        char value[129];
        bool empty = true;

        memset(value, 'A', sizeof(value));
        builder_init(&b);
        add_ava(&b, "2.5.4.6", PRINTABLE, ca_bytes_of(value, len));
        end_rdn(&b);
        (void)!ca_name_check_lenient(end_name(&b), true, &empty, &err);
        assert_int_equal(err.reason, len == 128 ? CA_REASON_NONE : CA_REASON_NAME_TOO_LONG);
        ca_buf_clear(&b.out);
    }
}

/* RFC 5280 appendix A.1 counts characters, not octets. */
static void values_have_at_most_the_characters_of_their_upper_bound(void **state)
{
    static const struct {
        const char *oid;
        uint8_t tag;
        size_t max;
    } cases[] = {
        { CN, UTF8, 64 },           { CN, PRINTABLE, 64 },      { "2.5.4.10", UTF8, 64 },
        { "2.5.4.11", UTF8, 64 },   { "2.5.4.12", UTF8, 64 },   { "2.5.4.5", PRINTABLE, 64 },
        { "2.5.4.7", UTF8, 128 },   { "2.5.4.8", UTF8, 128 },   { "2.5.4.65", UTF8, 128 },
        { "1.2.840.113549.1.9.1", IA5, 255 },                   { "2.5.4.9", UTF8, 128 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[2 * 300];
        size_t step = cases[i].tag == UTF8 ? 2 : 1;

        for (size_t k = 0; k < sizeof(text); k += step)
            memcpy(text + k, step == 2 ? "\xc3\xa9" : "a", step);
        judge_value(cases[i].oid, cases[i].tag, ca_bytes_of(text, step * cases[i].max),
                    CA_REASON_NONE);
        judge_value(cases[i].oid, cases[i].tag, ca_bytes_of(text, step * (cases[i].max + 1)),
                    CA_REASON_NAME_TOO_LONG);
    }
}

static void rdns_are_sorted_sets_that_are_not_empty(void **state)
{
    struct name_builder b;

    (void)state;
    builder_init(&b);
    end_rdn(&b);
    expect(end_name(&b), CA_REASON_BAD_NAME, "an empty RDN");
    ca_buf_clear(&b.out);

    builder_init(&b);
    add_ava(&b, CN, UTF8, ca_bytes_str("a"));
    add_ava(&b, "2.5.4.10", UTF8, ca_bytes_str("b"));
    end_rdn(&b);
    expect(end_name(&b), CA_REASON_NONE, "two attributes in order");
    ca_buf_clear(&b.out);

    builder_init(&b);
    add_ava(&b, "2.5.4.10", UTF8, ca_bytes_str("b"));
    add_ava(&b, CN, UTF8, ca_bytes_str("a"));
    end_rdn(&b);
    expect(end_name(&b), CA_REASON_BAD_DER, "two attributes out of order");
    ca_buf_clear(&b.out);

    builder_init(&b);
    add_ava(&b, CN, UTF8, ca_bytes_str("a"));
    add_ava(&b, CN, UTF8, ca_bytes_str("a"));
    end_rdn(&b);
    expect(end_name(&b), CA_REASON_BAD_NAME, "the same attribute twice in an RDN");
    ca_buf_clear(&b.out);
}

static void a_name_has_at_most_64_attributes(void **state)
{
    (void)state;
    for (int extra = 0; extra <= 1; extra++) {
        struct name_builder b;

        builder_init(&b);
        for (int i = 0; i < CA_RDNS_MAX + extra; i++) {
            add_ava(&b, "2.5.4.11", UTF8, ca_bytes_str("x"));
            end_rdn(&b);
        }
        expect(end_name(&b), extra == 0 ? CA_REASON_NONE : CA_REASON_BAD_NAME, "many RDNs");
        ca_buf_clear(&b.out);
    }
}

static void an_empty_name_is_good_and_said_to_be_empty(void **state)
{
    static const uint8_t nothing[] = { 0x30, 0x00 };
    struct name_builder b;
    bool empty = false;

    (void)state;
    assert_int_equal(check_exact(ca_bytes_of(nothing, 2), &empty, NULL), CA_OK);
    assert_true(empty);
    builder_init(&b);
    add_ava(&b, CN, UTF8, ca_bytes_str("a"));
    end_rdn(&b);
    assert_int_equal(check_exact(end_name(&b), &empty, NULL), CA_OK);
    assert_false(empty);
    ca_buf_clear(&b.out);
}

static void names_that_are_not_der_or_not_names_are_refused(void **state)
{
    static const struct {
        const char *hex;
        enum ca_reason reason;
    } cases[] = {
        { "", CA_REASON_BAD_NAME },
        { "3100", CA_REASON_BAD_NAME },
        { "300000", CA_REASON_BAD_NAME },
        { "3080", CA_REASON_BAD_DER },
        { "308100", CA_REASON_BAD_DER },
        { "30023000", CA_REASON_BAD_NAME },                                 /* not a SET */
        { "300431023100", CA_REASON_BAD_NAME },                             /* not a SEQUENCE */
        { "3006310430020500", CA_REASON_BAD_NAME },                         /* type not an OID */
        { "3009310730050603550403", CA_REASON_BAD_NAME },                   /* no value */
        { "300e310c300a06035504030c0161" "0500", CA_REASON_BAD_NAME },      /* two values */
        { "300c310a300806035504030c0161", CA_REASON_NONE },                 /* control */
        { "300c310a300806035504030c0261", CA_REASON_BAD_DER },              /* cut off */
        { "300c310a30080603550480" "0c0161", CA_REASON_BAD_DER },           /* OID ends in an arc */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t octets[100];
        size_t len = 0;

        assert_int_equal(ca_hex_decode(cases[i].hex, octets, sizeof(octets), &len, NULL), CA_OK);
        expect(ca_bytes_of(octets, len), cases[i].reason, cases[i].hex);
    }
}

/* Building, with X509_NAME as the judge of the octets */

static const struct {
    enum ca_attribute attribute;
    const char *oid;
    size_t max;
    int type;
} members[] = {
    { CA_ATTRIBUTE_COUNTRY, "2.5.4.6", 2, V_ASN1_PRINTABLESTRING },
    { CA_ATTRIBUTE_ORGANIZATION, "2.5.4.10", 64, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_ORGANIZATIONAL_UNIT, "2.5.4.11", 64, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_DN_QUALIFIER, "2.5.4.46", 64, V_ASN1_PRINTABLESTRING },
    { CA_ATTRIBUTE_STATE, "2.5.4.8", 128, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_COMMON_NAME, CN, 64, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_SERIAL_NUMBER, "2.5.4.5", 64, V_ASN1_PRINTABLESTRING },
    { CA_ATTRIBUTE_LOCALITY, "2.5.4.7", 128, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_TITLE, "2.5.4.12", 64, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_SURNAME, "2.5.4.4", 40, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_GIVEN_NAME, "2.5.4.42", 16, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_INITIALS, "2.5.4.43", 5, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_PSEUDONYM, "2.5.4.65", 128, V_ASN1_UTF8STRING },
    { CA_ATTRIBUTE_GENERATION_QUALIFIER, "2.5.4.44", 3, V_ASN1_UTF8STRING },
};

static void add_theirs(X509_NAME *name, const char *oid, int type, const char *value)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);

    assert_int_equal(X509_NAME_add_entry_by_OBJ(name, object, type, (const unsigned char *)value,
                                                -1, -1, 0), 1);
    ASN1_OBJECT_free(object);
}

static void expect_same(struct ca_buf *rdns, X509_NAME *theirs)
{
    unsigned char *der = NULL;
    int len = i2d_X509_NAME(theirs, &der);
    bool empty = true;

    ca_der_wrap(rdns, 0, CA_DER_SEQUENCE);
    assert_int_equal(rdns->len, len);
    assert_memory_equal(rdns->data, der, rdns->len);
    assert_int_equal(ca_name_check(ca_buf_view(rdns), &empty, NULL), CA_OK);
    OPENSSL_free(der);
}

static void names_we_build_equal_those_of_openssl(void **state)
{
    X509_NAME *theirs = X509_NAME_new();
    struct ca_buf ours;

    (void)state;
    assert_int_equal(sizeof(members) / sizeof(members[0]), CA_ATTRIBUTE_COUNT);
    ca_buf_init(&ours, 10000);
    for (size_t i = 0; i < CA_ATTRIBUTE_COUNT; i++) {
        char value[130];

        memset(value, 'A', sizeof(value));
        value[members[i].max] = '\0';
        add_theirs(theirs, members[i].oid, members[i].type, value);
        assert_int_equal(ca_name_add(&ours, members[i].attribute, value, NULL), CA_OK);
    }
    add_theirs(theirs, "0.9.2342.19200300.100.1.25", V_ASN1_IA5STRING, "example");
    add_theirs(theirs, "1.2.840.113549.1.9.1", V_ASN1_IA5STRING, "a@b");
    add_theirs(theirs, "2.5.4.6", V_ASN1_PRINTABLESTRING, "DE");
    add_theirs(theirs, "2.5.4.5", V_ASN1_PRINTABLESTRING, "17");
    add_theirs(theirs, "2.5.4.46", V_ASN1_PRINTABLESTRING, "q");
    add_theirs(theirs, "1.2.3.4", V_ASN1_UTF8STRING, "Z\xc3\xbcrich");
    assert_int_equal(ca_name_add_custom(&ours, "0.9.2342.19200300.100.1.25", "example", NULL),
                     CA_OK);
    assert_int_equal(ca_name_add_custom(&ours, "1.2.840.113549.1.9.1", "a@b", NULL), CA_OK);
    assert_int_equal(ca_name_add_custom(&ours, "2.5.4.6", "DE", NULL), CA_OK);
    assert_int_equal(ca_name_add_custom(&ours, "2.5.4.5", "17", NULL), CA_OK);
    assert_int_equal(ca_name_add_custom(&ours, "2.5.4.46", "q", NULL), CA_OK);
    assert_int_equal(ca_name_add_custom(&ours, "1.2.3.4", "Z\xc3\xbcrich", NULL), CA_OK);
    expect_same(&ours, theirs);
    ca_buf_clear(&ours);
    X509_NAME_free(theirs);
}

static void expect_subject_refused(enum ca_status st, const struct ca_error *err, const char *what)
{
    if (st != CA_REFUSED) fail_msg("%s: accepted", what);
    assert_string_equal(ca_error_name(err), "subject");
    assert_non_null(strstr(err->text, what));
}

static void values_outside_the_shapes_limits_are_refused(void **state)
{
    struct ca_buf out;
    struct ca_error err;

    (void)state;
    ca_buf_init(&out, 10000);
    for (size_t i = 0; i < CA_ATTRIBUTE_COUNT; i++) {
        enum ca_attribute attribute = members[i].attribute;
        const char *member = ca_attribute_member(attribute);
        char value[130];

        memset(value, 'A', sizeof(value));
        value[members[i].max + 1] = '\0';
        expect_subject_refused(ca_name_add(&out, attribute, value, &err), &err, member);
        expect_subject_refused(ca_name_add(&out, attribute, "", &err), &err, member);
        expect_subject_refused(ca_name_add(&out, attribute, "\n", &err), &err, member);
        expect_subject_refused(ca_name_add(&out, attribute, "\xff", &err), &err, member);
    }
    expect_subject_refused(ca_name_add(&out, CA_ATTRIBUTE_COUNTRY, "D", &err), &err, "Country");
    expect_subject_refused(ca_name_add(&out, CA_ATTRIBUTE_SERIAL_NUMBER, "a_b", &err), &err,
                           "SerialNumber");
    assert_int_equal(out.len, 0);
    ca_buf_clear(&out);
}

static void custom_attributes_are_checked_like_the_others(void **state)
{
    struct ca_buf out;
    struct ca_error err;
    char value[300];

    (void)state;
    ca_buf_init(&out, 10000);
    memset(value, 'a', sizeof(value));
    value[256] = '\0';
    assert_int_equal(ca_name_add_custom(&out, "1.2.3.4", value, &err), CA_OK);
    value[256] = 'a';
    value[257] = '\0';
    ca_buf_reset(&out);
    expect_subject_refused(ca_name_add_custom(&out, "1.2.3.4", value, &err), &err, "1.2.3.4");
    value[65] = '\0';
    expect_subject_refused(ca_name_add_custom(&out, CN, value, &err), &err, "commonName");
    expect_subject_refused(ca_name_add_custom(&out, "1.2.3.4", "", &err), &err, "1.2.3.4");
    expect_subject_refused(ca_name_add_custom(&out, "no.oid", "x", &err), &err, "no.oid");
    expect_subject_refused(ca_name_add_custom(&out, "2.5.4.6", "x", &err), &err, "countryName");
    expect_subject_refused(ca_name_add_custom(&out, "1.2.840.113549.1.9.1", "\xc3\xa9@b", &err),
                           &err, "emailAddress");
    assert_int_equal(out.len, 0);
    ca_buf_clear(&out);
}

static void a_name_that_does_not_fit_its_buffer_is_an_error(void **state)
{
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 10);
    assert_int_equal(ca_name_add(&out, CA_ATTRIBUTE_COMMON_NAME, "device", NULL), CA_FULL);
    ca_buf_clear(&out);
}

/* Printing, with X509_NAME_print_ex as the judge */

static void expect_print(struct ca_bytes name, const char *text)
{
    struct ca_buf out;

    ca_buf_init(&out, 10000);
    ca_name_print(name, &out);
    ca_buf_append_u8(&out, '\0');
    assert_string_equal((char *)out.data, text);
    ca_buf_clear(&out);
}

static void names_print_as_openssl_prints_them(void **state)
{
    const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    static const char *const oids[] = { CN, "2.5.4.7", "2.5.4.8", "2.5.4.10", "2.5.4.11",
                                        "0.9.2342.19200300.100.1.1" };
    static const char *const pieces[] = { "a", "B", " ", ",", "+", "\"", "\\", "<", ">", ";", "=",
                                          "/", "\xc3\xa9", "\xe6\x9d\xb1", "x y", "x#" };

    (void)state;
    for (int round = 0; round < 1000; round++) {
        X509_NAME *theirs = X509_NAME_new();
        BIO *bio = BIO_new(BIO_s_mem());
        struct ca_buf out;
        unsigned char *der = NULL;
        char *text;
        int der_len;
        long text_len;
        size_t count = 1 + next_random() % 4;

        for (size_t i = 0; i < count; i++) {
            char value[100] = "";
            ASN1_OBJECT *object = OBJ_txt2obj(oids[next_random() % 6], 1);
            size_t parts = 1 + next_random() % 8;

            for (size_t k = 0; k < parts; k++) {
                const char *piece = pieces[next_random() % (sizeof(pieces) / sizeof(pieces[0]))];

                memcpy(value + strlen(value), piece, strlen(piece) + 1);
            }
            assert_int_equal(X509_NAME_add_entry_by_OBJ(theirs, object, V_ASN1_UTF8STRING,
                                                        (unsigned char *)value, -1, -1, 0), 1);
            ASN1_OBJECT_free(object);
        }
        der_len = i2d_X509_NAME(theirs, &der);
        assert_true(X509_NAME_print_ex(bio, theirs, 0, flags) >= 0);
        text_len = BIO_get_mem_data(bio, &text);
        ca_buf_init(&out, 10000);
        ca_name_print(ca_bytes_of(der, (size_t)der_len), &out);
        ca_buf_append_u8(&out, '\0');
        {
            char *copy = strndup(text, (size_t)text_len);

            assert_string_equal((char *)out.data, copy);
            free(copy);
        }
        ca_buf_clear(&out);
        BIO_free(bio);
        OPENSSL_free(der);
        X509_NAME_free(theirs);
    }
}

/* RFC 4514 2.2 leaves the order inside an RDN open; ours is that of the encoding. */
static void attributes_of_one_rdn_are_joined_by_plus_signs(void **state)
{
    struct name_builder b;

    (void)state;
    builder_init(&b);
    add_ava(&b, CN, UTF8, ca_bytes_str("a+b"));
    add_ava(&b, "2.5.4.10", UTF8, ca_bytes_str("org"));
    end_rdn(&b);
    add_ava(&b, CN, UTF8, ca_bytes_str("c"));
    end_rdn(&b);
    expect_print(end_name(&b), "CN=c,CN=a\\+b+O=org");
    ca_buf_clear(&b.out);

    builder_init(&b);           /* OpenSSL forgets this one when it is the whole value */
    add_ava(&b, CN, UTF8, ca_bytes_str("#"));
    end_rdn(&b);
    expect_print(end_name(&b), "CN=\\#");
    ca_buf_clear(&b.out);
}

static void types_without_keyword_and_values_without_text_print_as_hex(void **state)
{
    struct name_builder b;

    (void)state;
    builder_init(&b);
    add_ava(&b, "2.5.4.6", PRINTABLE, ca_bytes_str("NL"));
    end_rdn(&b);
    add_ava(&b, CN, UTF8, ca_bytes_str("node7.test"));
    end_rdn(&b);
    add_ava(&b, "2.5.4.5", PRINTABLE, ca_bytes_str("123"));
    end_rdn(&b);
    expect_print(end_name(&b), "2.5.4.5=#1303313233,CN=node7.test,C=NL");
    ca_buf_clear(&b.out);

    builder_init(&b);
    add_ava(&b, CN, CA_DER_BMP_STRING, ca_bytes_of("\0a", 2));
    end_rdn(&b);
    expect_print(end_name(&b), "CN=#1e020061");
    ca_buf_clear(&b.out);
}

static void what_a_terminal_should_not_see_is_escaped(void **state)
{
    static const uint8_t no_name[] = { 0x31, 0x00 };
    struct name_builder b;

    (void)state;
    builder_init(&b);
    add_ava(&b, CN, UTF8, ca_bytes_of("a\0b\nc\xff\xe2\x80\xae\xc3\xa9", 11));
    end_rdn(&b);
    expect_print(end_name(&b), "CN=a\\00b\\0Ac\\FF\\E2\\80\\AE\xc3\xa9");
    ca_buf_clear(&b.out);
    expect_print(ca_bytes_of(no_name, 2), "#3100");
    expect_print(ca_bytes_of("\x30\x00", 2), "");
}

static void the_common_name_is_the_first_one(void **state)
{
    struct name_builder b;
    struct ca_bytes name;

    (void)state;
    builder_init(&b);
    add_ava(&b, "2.5.4.10", UTF8, ca_bytes_str("org"));
    end_rdn(&b);
    add_ava(&b, CN, UTF8, ca_bytes_str("first"));
    end_rdn(&b);
    add_ava(&b, CN, UTF8, ca_bytes_str("second"));
    end_rdn(&b);
    name = end_name(&b);
    assert_true(ca_bytes_equal(ca_name_common_name(name), ca_bytes_str("first")));
    assert_true(ca_name_common_name(name).data > name.data);
    assert_int_equal(ca_name_common_name(ca_bytes_of("\x30\x00", 2)).len, 0);
    assert_int_equal(ca_name_common_name(ca_bytes_of("\x31", 1)).len, 0);
    ca_buf_clear(&b.out);
}

/* Attributes in all sorts of RDNs, as OpenSSL reads them. */
static void a_walk_sees_the_attributes_that_openssl_sees(void **state)
{
    static const char *const types[] = { CN, "2.5.4.10", "2.5.4.11", "1.2.3.4", "2.5.4.7" };

    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t count = (size_t)(next_random() % 10);
        X509_NAME *name = X509_NAME_new();
        struct ca_name_attribute attribute;
        struct ca_name_walk walk;
        uint8_t *der = NULL;
        bool empty = false;
        int len, sets[16] = { 0 };

        for (size_t i = 0; i < count; i++) {
            char value[8];

            (void)snprintf(value, sizeof(value), "v%zu", i);
            assert_int_equal(X509_NAME_add_entry_by_txt(
                                 name, types[next_random() % 5], MBSTRING_UTF8,
                                 (const unsigned char *)value, -1, -1,
                                 i > 0 && next_random() % 3 == 0 ? -1 : 0), 1);
        }
        len = i2d_X509_NAME(name, &der);
        assert_true(len > 0);
        assert_int_equal(ca_name_check(ca_bytes_of(der, (size_t)len), &empty, NULL), CA_OK);
        X509_NAME_free(name);
        name = d2i_X509_NAME(NULL, &(const uint8_t *){ der }, len);
        for (int i = 0; i < X509_NAME_entry_count(name); i++)
            sets[X509_NAME_ENTRY_set(X509_NAME_get_entry(name, i))]++;
        ca_name_walk_open(&walk, ca_bytes_of(der, (size_t)len));
        for (int i = 0; i < X509_NAME_entry_count(name); i++) {
            const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
            const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(entry);
            const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);

            assert_false(ca_name_walk_at_end(&walk));
            assert_true(ca_name_walk_next(&walk, &attribute));
            assert_int_equal(attribute.oid.len, OBJ_length(type));
            assert_memory_equal(attribute.oid.data, OBJ_get0_data(type), attribute.oid.len);
            assert_int_equal(attribute.tag, ASN1_STRING_type(value));
            assert_int_equal(attribute.value.len, ASN1_STRING_length(value));
            assert_memory_equal(attribute.value.data, ASN1_STRING_get0_data(value),
                                attribute.value.len);
            assert_int_equal(attribute.alone, sets[X509_NAME_ENTRY_set(entry)] == 1);
            assert_int_equal(attribute.rdn.data[0], CA_DER_SET);
        }
        assert_true(ca_name_walk_at_end(&walk));
        assert_false(ca_name_walk_next(&walk, &attribute));
        X509_NAME_free(name);
        OPENSSL_free(der);
    }
}

static void a_walk_does_not_pass_over_what_it_cannot_read(void **state)
{
    static const struct {
        uint8_t octets[12];
        size_t len;
    } cases[] = {
        { { 0x31, 0 }, 2 },                                 /* no SEQUENCE */
        { { 0x30, 2, 0x30, 0 }, 4 },                        /* no SET */
        { { 0x30, 2, 0x31, 0 }, 4 },                        /* an RDN without attributes */
        { { 0x30, 4, 0x31, 2, 0x30, 0 }, 6 },               /* an attribute without type */
        { { 0x30, 7, 0x31, 5, 0x30, 3, 6, 1, 0x2a }, 9 },   /* or without value */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_name_attribute attribute;
        struct ca_name_walk walk;

        ca_name_walk_open(&walk, ca_bytes_of(cases[i].octets, cases[i].len));
        assert_false(ca_name_walk_next(&walk, &attribute));
        assert_false(ca_name_walk_at_end(&walk));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_must_have_the_string_type_of_their_attribute),
        cmocka_unit_test(values_must_keep_to_the_alphabet_of_their_type),
        cmocka_unit_test(a_country_is_two_letters),
        cmocka_unit_test(any_country_passes_when_the_template_admits_it),
        cmocka_unit_test(values_have_at_most_the_characters_of_their_upper_bound),
        cmocka_unit_test(rdns_are_sorted_sets_that_are_not_empty),
        cmocka_unit_test(a_name_has_at_most_64_attributes),
        cmocka_unit_test(an_empty_name_is_good_and_said_to_be_empty),
        cmocka_unit_test(names_that_are_not_der_or_not_names_are_refused),
        cmocka_unit_test(names_we_build_equal_those_of_openssl),
        cmocka_unit_test(values_outside_the_shapes_limits_are_refused),
        cmocka_unit_test(custom_attributes_are_checked_like_the_others),
        cmocka_unit_test(a_name_that_does_not_fit_its_buffer_is_an_error),
        cmocka_unit_test(names_print_as_openssl_prints_them),
        cmocka_unit_test(attributes_of_one_rdn_are_joined_by_plus_signs),
        cmocka_unit_test(types_without_keyword_and_values_without_text_print_as_hex),
        cmocka_unit_test(what_a_terminal_should_not_see_is_escaped),
        cmocka_unit_test(the_common_name_is_the_first_one),
        cmocka_unit_test(a_walk_sees_the_attributes_that_openssl_sees),
        cmocka_unit_test(a_walk_does_not_pass_over_what_it_cannot_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
