/*
 * The form of requests: version, names, attributes and requested extensions. One part at a time is
 * exchanged in a request made by hand.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/template.h"
#include "tests/support/request_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQ_OID "06092a864886f70d01090e"
#define MS_OID "060a2b060104018237020" "10e"

/* An extensionRequest around Extensions of 21 octets: SAN a.example or so. */
#define SAN_EXT "300c0603551d11040530038201" "61"
#define EXTS "300e" SAN_EXT
#define EXT_ATTR "301d" REQ_OID "3110" EXTS

static void a_request_has_version_0_and_all_its_fields_and_no_more(void **state)
{
    static const struct request_hex_case cases[] = {
        { "control", { .version = NULL }, CA_REASON_NONE },
        { "version 1", { .version = "020101" }, CA_REASON_BAD_VERSION },
        { "version 2", { .version = "020102" }, CA_REASON_BAD_VERSION },
        { "version -1", { .version = "0201ff" }, CA_REASON_BAD_VERSION },
        { "version 2^31", { .version = "02050080000000" }, CA_REASON_BAD_VERSION },
        { "version not minimal", { .version = "02020000" }, CA_REASON_BAD_DER },
        { "version without octets", { .version = "0200" }, CA_REASON_BAD_DER },
        { "no version", { .version = "" }, CA_REASON_BAD_VERSION },
        { "no subject", { .subject = "" }, CA_REASON_BAD_NAME },
        { "subject a SET", { .subject = "3100" }, CA_REASON_BAD_NAME },
        { "subject empty", { .subject = "3000" }, CA_REASON_NONE },
        { "no key", { .key = "" }, CA_REASON_BAD_KEY },
        { "no attributes", { .attributes = "" }, CA_REASON_BAD_ATTRIBUTES },
        { "attributes a SET", { .attributes = "3100" }, CA_REASON_BAD_ATTRIBUTES },
        { "attributes primitive", { .attributes = "8000" }, CA_REASON_BAD_ATTRIBUTES },
        { "attributes twice", { .attributes = "a000a000" }, CA_REASON_BAD_ATTRIBUTES },
        { "no algorithm", { .algorithm = "" }, CA_REASON_BAD_ALGORITHM },
        { "no signature", { .signature = "" }, CA_REASON_BAD_SIGNATURE },
        { "more in the request", { .signature = SIG_ECDSA "0500" }, CA_REASON_BAD_SIGNATURE },
        { "trailing octet", { .after = "00" }, CA_REASON_TRAILING_DATA },
        { "trailing element", { .after = "0500" }, CA_REASON_TRAILING_DATA },
        { "trailing line feed", { .after = "0a" }, CA_REASON_TRAILING_DATA },
    };

    (void)state;
    REQUEST_JUDGE_HEX(cases);
    request_judge(ca_bytes_of(NULL, 0), CA_REASON_EMPTY, "nothing");
    request_judge(ca_bytes_str("hello, world"), CA_REASON_BAD_DER, "text");
    request_judge(ca_bytes_of("\x30\x80\x00\x00", 4), CA_REASON_BAD_DER, "indefinite length");
    request_judge(ca_bytes_of("\x30\x00", 2), CA_REASON_BAD_DER, "empty SEQUENCE");
    request_judge(ca_bytes_of("\x30\x84\xff\xff\xff\xff", 6), CA_REASON_BAD_DER, "4 GiB");
}

/* A template may admit what the standards do not: that and nothing else. */
static void a_template_may_admit_other_versions(void **state)
{
    static const struct {
        const char *version;
        uint32_t value;
        enum ca_reason reason;
    } cases[] = {
        { "020100", 0, CA_REASON_NONE },
        { "020101", 1, CA_REASON_NONE },
        { "020102", 2, CA_REASON_NONE },
        { "02047fffffff", 0x7fffffff, CA_REASON_NONE },
        { "02050080000000", 0, CA_REASON_BAD_VERSION },
        { "0201ff", 0, CA_REASON_BAD_VERSION },
        { "02020001", 0, CA_REASON_BAD_DER },
        { "0200", 0, CA_REASON_BAD_DER },
        { "", 0, CA_REASON_BAD_VERSION },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_buf out;
        struct ca_bytes der =
            request_assemble(&(struct request_hex){ .version = cases[i].version }, &out);
        struct ca_request request;

        request_judge_admitting(der, CA_ADMIT_VERSION, cases[i].reason, cases[i].version);
        if (cases[i].reason == CA_REASON_NONE) {
            assert_int_equal(ca_request_parse(der, CA_ADMIT_VERSION, &request, NULL), CA_OK);
            assert_int_equal(request.version, cases[i].value);
        }
        if (cases[i].value != 0) {
            request_judge(der, CA_REASON_BAD_VERSION, cases[i].version);
            request_judge_admitting(der, CA_ADMIT_COUNTRY, CA_REASON_BAD_VERSION, cases[i].version);
        }
        ca_buf_clear(&out);
    }
}

/* countryName and nothing but it: PrintableStrings, one and three letters, digits. */
static void a_template_may_admit_other_countries(void **state)
{
    static const struct {
        const char *subject;
        enum ca_reason strict, admitted;
    } cases[] = {
        { "300d310b3009060355040613024445", CA_REASON_NONE, CA_REASON_NONE },
        { "300e310c300a06035504061303444555", CA_REASON_BAD_NAME, CA_REASON_NONE },
        { "300c310a3008060355040613" "0144", CA_REASON_BAD_NAME, CA_REASON_NONE },
        { "300d310b3009060355040613023439", CA_REASON_BAD_NAME, CA_REASON_NONE },
        { "300d310b300906035504060c024445", CA_REASON_BAD_NAME, CA_REASON_BAD_NAME },
        { "300d310b3009060355040613024440", CA_REASON_BAD_NAME, CA_REASON_BAD_NAME },
        { "300b3109300706035504061300", CA_REASON_BAD_NAME, CA_REASON_BAD_NAME },
        { "300c310a300806035504051c0161", CA_REASON_BAD_NAME, CA_REASON_BAD_NAME },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_buf out;
        struct ca_bytes der =
            request_assemble(&(struct request_hex){ .subject = cases[i].subject }, &out);

        request_judge(der, cases[i].strict, cases[i].subject);
        request_judge_admitting(der, CA_ADMIT_VERSION, cases[i].strict, cases[i].subject);
        request_judge_admitting(der, CA_ADMIT_COUNTRY, cases[i].admitted, cases[i].subject);
        ca_buf_clear(&out);
    }
}

static void the_outer_length_is_minimal(void **state)
{
    struct ca_buf good, bad;
    struct ca_bytes der = request_assemble(&(struct request_hex){ .version = NULL }, &good);

    (void)state;
    ca_buf_init(&bad, 1000);
    assert_true(der.len > 130 && der.len < 256 && der.data[1] == 0x81);
    ca_buf_append(&bad, "\x30\x82\x00", 3);
    ca_buf_append(&bad, der.data + 2, der.len - 2);
    request_judge(ca_buf_view(&bad), CA_REASON_BAD_DER, "length not minimal");
    ca_buf_reset(&bad);
    ca_buf_append(&bad, "\x30\x80", 2);
    ca_buf_append(&bad, der.data + 3, der.len - 3);
    ca_buf_append(&bad, "\0\0", 2);
    request_judge(ca_buf_view(&bad), CA_REASON_BAD_DER, "indefinite length");
    ca_buf_clear(&bad);
    ca_buf_clear(&good);
}

static void names_are_checked(void **state)
{
    static const struct request_hex_case cases[] = {
        { "NUL in the common name", { .subject = "300d310b300906035504030c026100" },
          CA_REASON_BAD_NAME },
        { "control character", { .subject = "300c310a300806035504030c010a" }, CA_REASON_BAD_NAME },
        { "UniversalString", { .subject = "300f310d300b06035504031c0400000061" },
          CA_REASON_BAD_NAME },
        { "PrintableString with @", { .subject = "300c310a30080603550403130140" },
          CA_REASON_BAD_NAME },
        { "invalid UTF-8", { .subject = "300c310a300806035504030c01ff" }, CA_REASON_BAD_NAME },
        { "empty RDN", { .subject = "30023100" }, CA_REASON_BAD_NAME },
        { "unsorted RDN",
          { .subject = "30163114" "3008060355040a0c0161" "300806035504030c0161" },
          CA_REASON_BAD_DER },
        { "sorted RDN",
          { .subject = "30163114" "300806035504030c0161" "3008060355040a0c0161" },
          CA_REASON_NONE },
    };

    (void)state;
    REQUEST_JUDGE_HEX(cases);
}

static void attributes_are_checked(void **state)
{
    static const struct request_hex_case cases[] = {
        { "control", { .attributes = "a01f" EXT_ATTR }, CA_REASON_NONE },
        { "the Microsoft OID", { .attributes = "a020" "301e" MS_OID "3110" EXTS },
          CA_REASON_NONE },
        { "two extensionRequests", { .attributes = "a03e" EXT_ATTR EXT_ATTR },
          CA_REASON_BAD_ATTRIBUTES },
        { "two extensionRequests that differ",
          { .attributes = "a03e" "301d" REQ_OID "3110" "300e300c0603551d1104053003820161"
                          "301d" REQ_OID "3110" "300e300c0603551d1104053003820162" },
          CA_REASON_BAD_ATTRIBUTES },
        { "one under each OID",
          { .attributes = "a03f" EXT_ATTR "301e" MS_OID "3110" EXTS }, CA_REASON_BAD_ATTRIBUTES },
        { "two values",
          { .attributes = "a02f302d" REQ_OID "3120" EXTS "300e300c0603551d1104053003820162" },
          CA_REASON_BAD_ATTRIBUTES },
        { "the same value twice", { .attributes = "a02f302d" REQ_OID "3120" EXTS EXTS },
          CA_REASON_BAD_ATTRIBUTES },
        { "two values under the Microsoft OID",
          { .attributes = "a030302e" MS_OID "3120" EXTS "300e300c0603551d1104053003820162" },
          CA_REASON_BAD_ATTRIBUTES },
        { "no value", { .attributes = "a00f300d" REQ_OID "3100" }, CA_REASON_BAD_ATTRIBUTES },
        { "no SET of values", { .attributes = "a00d300b" REQ_OID }, CA_REASON_BAD_ATTRIBUTES },
        { "more after the values", { .attributes = "a021" "301f" REQ_OID "3110" EXTS "0500" },
          CA_REASON_BAD_ATTRIBUTES },
        { "value not a SEQUENCE", { .attributes = "a011300f" REQ_OID "31020500" },
          CA_REASON_BAD_EXTENSIONS },
        { "challengePassword", { .attributes = "a0123010" "06092a864886f70d010907" "31030c0161" },
          CA_REASON_NONE },
        { "challengePassword twice",
          { .attributes = "a0153013" "06092a864886f70d010907" "31060c01610c0162" },
          CA_REASON_BAD_ATTRIBUTES },
        { "two values of an attribute that may have them",
          { .attributes = "a00e300c" "06022a03" "31060c01610c0162" }, CA_REASON_NONE },
        { "values not in order", { .attributes = "a00e300c" "06022a03" "31060c01620c0161" },
          CA_REASON_BAD_DER },
        { "value cut off", { .attributes = "a00b3009" "06022a03" "31030c0261" },
          CA_REASON_BAD_DER },
        { "BER inside a value", { .attributes = "a00c300a" "06022a03" "310430020580" },
          CA_REASON_BAD_DER },
        { "attributes not in order",
          { .attributes = "a014" "3008" "06022a04" "31020500" "3008" "06022a03" "31020500" },
          CA_REASON_BAD_DER },
        { "attributes in order",
          { .attributes = "a014" "3008" "06022a03" "31020500" "3008" "06022a04" "31020500" },
          CA_REASON_NONE },
        { "one attribute twice",
          { .attributes = "a015" "3008" "06022a03" "31020500" "3009" "06022a03" "3103020101" },
          CA_REASON_BAD_ATTRIBUTES },
    };

    (void)state;
    REQUEST_JUDGE_HEX(cases);
}

static void requested_extensions_are_checked(void **state)
{
    static const struct {
        const char *what, *extensions;      /* the content of Extensions */
        enum ca_reason reason;
    } cases[] = {
        { "SAN", SAN_EXT, CA_REASON_NONE },
        { "SAN critical", "300f0603551d110101ff04053003820161", CA_REASON_NONE },
        { "critical FALSE", "300f0603551d1101010004053003820161", CA_REASON_BAD_DER },
        { "critical 01", "300f0603551d1101010104053003820161", CA_REASON_BAD_DER },
        { "critical of two octets", "30100603551d110102ffff04053003820161", CA_REASON_BAD_DER },
        { "critical twice", "30120603551d110101ff0101ff04053003820161",
          CA_REASON_BAD_EXTENSIONS },
        { "none", "", CA_REASON_BAD_EXTENSIONS },
        { "SAN twice", SAN_EXT SAN_EXT, CA_REASON_BAD_EXTENSIONS },
        { "unknown", "300806022a030402ffff", CA_REASON_NONE },
        { "unknown twice", "300806022a030402ffff300806022a030402ffff", CA_REASON_BAD_EXTENSIONS },
        { "unknown empty", "300606022a030400", CA_REASON_NONE },
        { "no value", "30050603551d11", CA_REASON_BAD_EXTENSIONS },
        { "value not an OCTET STRING", "300c0603551d11030530038201" "61",
          CA_REASON_BAD_EXTENSIONS },
        { "more after the value", "300e0603551d110405300382016" "10500", CA_REASON_BAD_EXTENSIONS },
        { "CA:TRUE", "300c0603551d13040530030101ff", CA_REASON_NONE },
        { "AIA cut off", "301006082b060105050701010404" "30050000", CA_REASON_BAD_DER },
        { "AIA empty", "300c06082b06010505070101" "0400", CA_REASON_BAD_EXTENSIONS },
        { "tlsFeature", "301106082b0601050507011804053003020105", CA_REASON_NONE },
        { "keyUsage cut off", "300a0603551d0f0403030205", CA_REASON_BAD_DER },
        { "keyUsage with more after it", "300d0603551d0f0406030205a00500", CA_REASON_BAD_DER },
        { "keyUsage empty", "30070603551d0f0400", CA_REASON_BAD_EXTENSIONS },
        { "SAN without names", "30090603551d1104023000", CA_REASON_BAD_SAN },
        { "SAN without value", "30070603551d110400", CA_REASON_BAD_SAN },
        { "SAN with an iPAddress of 5 octets", "30100603551d1104093007870501020304" "05",
          CA_REASON_BAD_SAN },
        { "SAN with NUL", "300d0603551d11040630048202" "6100", CA_REASON_BAD_SAN },
        { "SAN with high bits", "300c0603551d110405300382" "01e9", CA_REASON_BAD_SAN },
        { "SAN followed by something", "300e0603551d1104073003820161" "0500", CA_REASON_BAD_SAN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char attributes[600];
        size_t len = strlen(cases[i].extensions) / 2;
        struct ca_buf out;

        (void)snprintf(attributes, sizeof(attributes), "a0%02zx30%02zx" REQ_OID "31%02zx30%02zx%s",
                       len + 17, len + 15, len + 2, len, cases[i].extensions);
        request_judge(request_assemble(&(struct request_hex){ .attributes = attributes }, &out),
                      cases[i].reason, cases[i].what);
        ca_buf_clear(&out);
    }
}

/* Attributes with the types 1.2.0, 1.2.1, ... and a NULL each. */
static void attributes_of_count(struct ca_buf *out, size_t count)
{
    ca_buf_init(out, 10000);
    for (size_t i = 0; i < count; i++) {
        const uint8_t attribute[] = { 0x30, 0x08, 0x06, 0x02, 0x2a, (uint8_t)i, 0x31, 2, 5, 0 };

        ca_buf_append(out, attribute, sizeof(attribute));
    }
    ca_der_wrap(out, 0, CA_DER_CONTEXT_CONSTRUCTED(0));
}

/* One extensionRequest of count extensions. */
static void extensions_of_count(struct ca_buf *out, size_t count)
{
    ca_buf_init(out, 10000);
    for (size_t i = 0; i < count; i++) {
        const uint8_t extension[] = { 0x30, 0x06, 0x06, 0x02, 0x2a, (uint8_t)i, 0x04, 0 };

        ca_buf_append(out, extension, sizeof(extension));
    }
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    ca_der_wrap(out, 0, CA_DER_SET);
    {
        struct ca_buf attribute;

        ca_buf_init(&attribute, 10000);
        request_add_hex(&attribute, REQ_OID);
        ca_buf_append_bytes(&attribute, ca_buf_view(out));
        ca_der_wrap(&attribute, 0, CA_DER_SEQUENCE);
        ca_der_wrap(&attribute, 0, CA_DER_CONTEXT_CONSTRUCTED(0));
        ca_buf_clear(out);
        *out = attribute;
    }
}

static void judge_attributes(struct ca_buf *attributes, enum ca_reason reason, const char *what)
{
    char *hex = malloc(2 * attributes->len + 1);
    struct ca_buf out;

    assert_non_null(hex);
    ca_hex_encode(ca_buf_view(attributes), hex);
    request_judge(request_assemble(&(struct request_hex){ .attributes = hex }, &out), reason, what);
    ca_buf_clear(&out);
    ca_buf_clear(attributes);
    free(hex);
}

static void there_are_at_most_16_attributes_and_32_extensions(void **state)
{
    struct ca_buf attributes;

    (void)state;
    attributes_of_count(&attributes, 16);
    judge_attributes(&attributes, CA_REASON_NONE, "16 attributes");
    attributes_of_count(&attributes, 17);
    judge_attributes(&attributes, CA_REASON_BAD_ATTRIBUTES, "17 attributes");
    extensions_of_count(&attributes, 32);
    judge_attributes(&attributes, CA_REASON_NONE, "32 extensions");
    extensions_of_count(&attributes, 33);
    judge_attributes(&attributes, CA_REASON_BAD_EXTENSIONS, "33 extensions");
}

/* A request filled up to a size by an attribute nobody reads. */
static void judge_size(size_t size, enum ca_reason reason)
{
    struct ca_buf attributes, out;
    size_t padding = 32300, len = 0;

    do {
        char *hex;

        ca_buf_init(&attributes, 100000);
        ca_buf_init(&out, 100000);
        assert_non_null(ca_buf_extend(&attributes, padding));
        memset(attributes.data, 'a', padding);
        ca_der_wrap(&attributes, 0, CA_DER_UTF8_STRING);
        ca_der_wrap(&attributes, 0, CA_DER_SET);
        request_add_hex(&out, "06022a03");
        ca_buf_append_bytes(&out, ca_buf_view(&attributes));
        ca_der_wrap(&out, 0, CA_DER_SEQUENCE);
        ca_der_wrap(&out, 0, CA_DER_CONTEXT_CONSTRUCTED(0));
        hex = malloc(2 * out.len + 1);
        assert_non_null(hex);
        ca_hex_encode(ca_buf_view(&out), hex);
        ca_buf_clear(&out);
        len = request_assemble(&(struct request_hex){ .attributes = hex }, &out).len;
        if (len == size) request_judge(ca_buf_view(&out), reason, "size");
        padding += size - len;
        free(hex);
        ca_buf_clear(&out);
        ca_buf_clear(&attributes);
    } while (len != size);
}

static void a_request_has_at_most_32768_octets(void **state)
{
    uint8_t *large = calloc(1, 1 << 20);

    (void)state;
    assert_non_null(large);
    judge_size(CA_REQUEST_DER_MAX, CA_REASON_NONE);
    judge_size(CA_REQUEST_DER_MAX + 1, CA_REASON_REQUEST_TOO_LONG);
    request_judge(ca_bytes_of(large, 1 << 20), CA_REASON_REQUEST_TOO_LONG, "1 MiB");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_version_0_and_all_its_fields_and_no_more),
        cmocka_unit_test(a_template_may_admit_other_versions),
        cmocka_unit_test(a_template_may_admit_other_countries),
        cmocka_unit_test(the_outer_length_is_minimal),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(attributes_are_checked),
        cmocka_unit_test(requested_extensions_are_checked),
        cmocka_unit_test(there_are_at_most_16_attributes_and_32_extensions),
        cmocka_unit_test(a_request_has_at_most_32768_octets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
