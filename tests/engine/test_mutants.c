/*
 * Requests that are wrong in one thing and signed rightly all the same: a verifier that only asks
 * OpenSSL says yes to most of them. Each must be refused with the reason that names its fault; each
 * is one change away from a control that is accepted. Here: the structure, the attributes and the
 * names. Keys, algorithms and signatures are in test_mutant_keys.c.
 *
 * What is well formed and refused by a template (weak keys, no names, versions and countries that a
 * template may admit) is in test_policy.c and test_request.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/mutant.h"

#include <stdlib.h>
#include <string.h>

/* Pieces of notation */

#define CN(value) "30(31(30(0603550403 " value ")))"
#define AVA(arc, value) "30(06035504" arc " " value ")"
#define EXT_REQ "06092a864886f70d01090e"
#define MS_EXT_REQ "060a2b060104018237020" "10e"
#define PASSWORD "06092a864886f70d010907"
#define ATTR(type, values) "30(" type " 31(" values "))"
#define EXTS(extensions) "a0(" ATTR(EXT_REQ, "30(" extensions ")") ")"
#define EXT(arc, value) "30(0603551d" arc " 04(" value "))"
#define SAN(names) EXTS(EXT("11", "30(" names ")"))
#define DNS(text) "82('" text "')"

/* The controls: everything that the mutants change, as it should be. */

static const struct request_parts controls[] = {
    { .version = NULL },
    { .subject = "30()", .attributes = EXTS("30(0603551d11 0101ff 04(30(82('a.example'))))") },
    { .subject = "30(31(" AVA("06", "13('DE')") ") 31(" AVA("0a", "0c('Widgets')") ") 31("
                 AVA("03", "0c('a')") AVA("05", "13('1')") "))" },
    { .attributes = SAN(DNS("*.a.example") DNS("xn--bcher-kva.example") "87(c0000201) 87(20*16)"
                        "81('a@b.example') 86('https://a.example/x?y=z')"
                        "a4(30(31(30(0603550403 0c('a'))))) 88(2a0304)"
                        "a0(06032a0304 a0(0c('x')))") },
    { .attributes = "a0(" ATTR("06032a0304", "0c('a') 0c('b')") ATTR(PASSWORD, "0c('secret')")
                    ATTR(EXT_REQ, "30(" EXT("0f", "030205a0") EXT("13", "30(0101ff)")
                                  EXT("25", "30(06082b06010505070301)") EXT("11", "30(82('a'))")
                                  "30(06032a0304 04(ffff)))") ")" },
    { .attributes = "a0(" ATTR(MS_EXT_REQ, "30(" EXT("11", "30(82('a'))") ")") ")" },
};

static void what_is_right_is_accepted(void **state)
{
    struct mutant_fixture *f = *state;

    for (int key = 0; key < MUTANT_KEYS; key++) {
        struct request_signing signing = mutant_signing(f, key);

        for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
            struct ca_buf out;
            struct ca_error err = { .status = CA_OK };
            struct ca_bytes der = request_build(&controls[i], &signing, &out);

            if (mutant_verdict(f, der, &err) != CA_REASON_NONE)
                fail_msg("key %d, control %zu: %s", key, i, err.text);
            assert_true(request_openssl_verifies(der));
            ca_buf_clear(&out);
        }
    }
}

#define JUDGE(name, key, mutants)                                                                  \
    do {                                                                                           \
        const struct request_signing signing_ = mutant_signing(*state, key);                       \
        mutant_judge_all(*state, name, &signing_, mutants,                                         \
                         sizeof(mutants) / sizeof((mutants)[0]));                                  \
    } while (0)

static void append_zero(struct ca_buf *part) { ca_buf_append_u8(part, 0); }
static void append_null(struct ca_buf *part) { ca_buf_append(part, "\x05\x00", 2); }
static void append_line_feed(struct ca_buf *part) { ca_buf_append_u8(part, '\n'); }

/* The outer header has a length of one or two octets behind 81 or 82: requests here have 128 to
 * 65535 octets. */
static void make_indefinite(struct ca_buf *part)
{
    assert_true(part->data[1] == 0x81 || part->data[1] == 0x82);
    mutant_replace(part, 1, 1 + (part->data[1] & 0x7fu), "80");
    ca_buf_append(part, "\0\0", 2);
}

static void make_length_long(struct ca_buf *part)
{
    uint8_t octets = part->data[1] & 0x7fu;

    part->data[1]++;
    mutant_replace(part, 2, 0, "00");
    assert_int_equal(part->data[1] & 0x7fu, octets + 1);
}

static void append_twin(struct ca_buf *part)
{
    size_t len = part->len;
    uint8_t *copy = malloc(len);

    assert_non_null(copy);
    memcpy(copy, part->data, len);
    ca_buf_append(part, copy, len);
    free(copy);
}

/* RFC 2986 4.1 and 4.2, X.690 10.1 */
static void a_request_that_is_built_wrongly_is_refused(void **state)
{
    static const struct mutant mutants[] = {
        { "version 1", { .version = "020101" }, CA_REASON_BAD_VERSION },
        { "version 2", { .version = "020102" }, CA_REASON_BAD_VERSION },
        { "version -1", { .version = "0201ff" }, CA_REASON_BAD_VERSION },
        { "version 2^31", { .version = "02050080000000" }, CA_REASON_BAD_VERSION },
        { "version 2^64", { .version = "020901 00*8" }, CA_REASON_BAD_VERSION },
        { "version not minimal", { .version = "02020000" }, CA_REASON_BAD_DER },
        { "version with a long length", { .version = "02810100" }, CA_REASON_BAD_DER },
        { "trailing octet", { .change = { [REQUEST_WHOLE] = append_zero } },
          CA_REASON_TRAILING_DATA },
        { "trailing NULL", { .change = { [REQUEST_WHOLE] = append_null } },
          CA_REASON_TRAILING_DATA },
        { "trailing line feed", { .change = { [REQUEST_WHOLE] = append_line_feed } },
          CA_REASON_TRAILING_DATA },
        { "the request twice", { .change = { [REQUEST_WHOLE] = append_twin } },
          CA_REASON_TRAILING_DATA },
        { "indefinite length", { .change = { [REQUEST_WHOLE] = make_indefinite } },
          CA_REASON_BAD_DER },
        { "length not minimal", { .change = { [REQUEST_WHOLE] = make_length_long } },
          CA_REASON_BAD_DER },
        { "content of indefinite length", { .change = { [REQUEST_INFO] = make_indefinite } },
          CA_REASON_BAD_DER },
        { "content's length not minimal", { .change = { [REQUEST_INFO] = make_length_long } },
          CA_REASON_BAD_DER },
        { "key of indefinite length", { .change = { [REQUEST_KEY] = make_indefinite } },
          CA_REASON_BAD_DER },
        { "key's length not minimal", { .change = { [REQUEST_KEY] = make_length_long } },
          CA_REASON_BAD_DER },
        { "no attributes field", { .attributes = "" }, CA_REASON_BAD_ATTRIBUTES },
        { "attributes of indefinite length", { .attributes = "a0800000" }, CA_REASON_BAD_DER },
        { "attributes as [1]", { .attributes = "a1()" }, CA_REASON_BAD_ATTRIBUTES },
        { "something after the attributes", { .attributes = "a0() 0500" },
          CA_REASON_BAD_ATTRIBUTES },
        { "unused bits in the signature", { .bits = "03020100" }, CA_REASON_BAD_SIGNATURE },
        { "an empty signature", { .bits = "030100" }, CA_REASON_BAD_SIGNATURE },
        { "a signature without octets", { .bits = "0300" }, CA_REASON_BAD_DER },
    };

    JUDGE("structure", BY_RSA, mutants);
}

/* RFC 2985 5.4, RFC 5280 4.2 */
static void attributes_that_are_wrong_are_refused(void **state)
{
#define SAN_A "30(" EXT("11", "30(82('a'))") ")"
#define SAN_B "30(" EXT("11", "30(82('b'))") ")"
    static const struct mutant mutants[] = {
        { "two extension requests",
          { .attributes = "a0(" ATTR(EXT_REQ, SAN_A) ATTR(EXT_REQ, SAN_B) ")" },
          CA_REASON_BAD_ATTRIBUTES },
        { "the same twice", { .attributes = "a0(" ATTR(EXT_REQ, SAN_A) ATTR(EXT_REQ, SAN_A) ")" },
          CA_REASON_BAD_ATTRIBUTES },
        { "one under each OID",
          { .attributes = "a0(" ATTR(EXT_REQ, SAN_A) ATTR(MS_EXT_REQ, SAN_B) ")" },
          CA_REASON_BAD_ATTRIBUTES },
        { "two values", { .attributes = "a0(" ATTR(EXT_REQ, SAN_A SAN_B) ")" },
          CA_REASON_BAD_ATTRIBUTES },
        { "two values under the other OID",
          { .attributes = "a0(" ATTR(MS_EXT_REQ, SAN_A SAN_B) ")" }, CA_REASON_BAD_ATTRIBUTES },
        { "no value", { .attributes = "a0(" ATTR(EXT_REQ, "") ")" }, CA_REASON_BAD_ATTRIBUTES },
        { "an unknown attribute without value", { .attributes = "a0(" ATTR("06032a0304", "") ")" },
          CA_REASON_BAD_ATTRIBUTES },
        { "an attribute of one type twice",
          { .attributes = "a0(" ATTR("06032a0304", "0500") ATTR("06032a0304", "0c0161") ")" },
          CA_REASON_BAD_ATTRIBUTES },
        { "attributes not in order",
          { .attributes = "a0(" ATTR("06032a0305", "0500") ATTR("06032a0304", "0500") ")" },
          CA_REASON_BAD_DER },
        { "values not in order", { .attributes = "a0(" ATTR("06032a0304", "0c0162 0c0161") ")" },
          CA_REASON_BAD_DER },
        { "a value twice", { .attributes = "a0(" ATTR("06032a0304", "0c0161 0c0161") ")" },
          CA_REASON_BAD_ATTRIBUTES },
        { "two passwords", { .attributes = "a0(" ATTR(PASSWORD, "0c0161 0c0162") ")" },
          CA_REASON_BAD_ATTRIBUTES },
        { "a value of indefinite length",
          { .attributes = "a0(" ATTR("06032a0304", "3080 0500 0000") ")" }, CA_REASON_BAD_DER },
        { "a constructed string", { .attributes = "a0(" ATTR(PASSWORD, "2c(0c0161)") ")" },
          CA_REASON_BAD_DER },
        { "a type that is no OID", { .attributes = "a0(30(06032a8004 31(0500)))" },
          CA_REASON_BAD_DER },
        { "nested 33 deep",
          { .attributes = "a0(" ATTR("06032a0304",
                                     "30(30(30(30(30(30(30(30(30(30(30(30(30(30(30(30(30("
                                     "30(30(30(30(30(30(30(30(30(30(30(30(30(30(30(30()"
                                     "))))))))))))))))))))))))))))))))") ")" }, CA_REASON_BAD_DER },
        { "no extensions", { .attributes = EXTS("") }, CA_REASON_BAD_EXTENSIONS },
        { "one extension twice",
          { .attributes = EXTS(EXT("11", "30(82('a'))") EXT("11", "30(82('b'))")) },
          CA_REASON_BAD_EXTENSIONS },
        { "an unknown extension twice",
          { .attributes = EXTS("30(06032a0304 04(0500)) 30(06032a0304 04(0500))") },
          CA_REASON_BAD_EXTENSIONS },
        { "critical FALSE encoded",
          { .attributes = EXTS("30(0603551d11 010100 04(30(82('a'))))") }, CA_REASON_BAD_DER },
        { "critical TRUE as 01",
          { .attributes = EXTS("30(0603551d11 010101 04(30(82('a'))))") }, CA_REASON_BAD_DER },
        { "basicConstraints with TRUE as 01", { .attributes = EXTS(EXT("13", "30(010101)")) },
          CA_REASON_BAD_DER },
        { "basicConstraints cut off", { .attributes = EXTS(EXT("13", "30030101")) },
          CA_REASON_BAD_DER },
        { "something after basicConstraints",
          { .attributes = EXTS(EXT("13", "30(0101ff) 0500")) }, CA_REASON_BAD_DER },
        { "keyUsage with set bits after its end", { .attributes = EXTS(EXT("0f", "030205bf")) },
          CA_REASON_BAD_DER },
        { "keyUsage without value", { .attributes = EXTS(EXT("0f", "")) },
          CA_REASON_BAD_EXTENSIONS },
        { "AIA of indefinite length",
          { .attributes = EXTS("30(06082b06010505070101 04(3080 0000))") }, CA_REASON_BAD_DER },
        { "a constructed OCTET STRING",
          { .attributes = EXTS("30(0603551d11 24(04(30(82('a')))))") }, CA_REASON_BAD_EXTENSIONS },
    };

    JUDGE("attributes", BY_P256, mutants);
}

/* RFC 5280 4.1.2.4, 4.1.2.6, A.1; X.690 11.6 */
static void names_that_are_wrong_are_refused(void **state)
{
    static const struct mutant mutants[] = {
        { "NUL in the CN", { .subject = CN("0c('a.example' 00 '.evil.example')") },
          CA_REASON_BAD_NAME },
        { "line feed", { .subject = CN("0c('a' 0a 'b')") }, CA_REASON_BAD_NAME },
        { "DEL", { .subject = CN("0c('a' 7f)") }, CA_REASON_BAD_NAME },
        { "C1 control", { .subject = CN("0c('a' c285)") }, CA_REASON_BAD_NAME },
        { "right-to-left override", { .subject = CN("0c('a' e280ae 'b')") }, CA_REASON_BAD_NAME },
        { "right-to-left mark", { .subject = CN("0c('a' e2808f)") }, CA_REASON_BAD_NAME },
        { "isolate", { .subject = CN("0c('a' e281a6)") }, CA_REASON_BAD_NAME },
        { "zero-width space", { .subject = CN("0c('a' e2808b 'b')") }, CA_REASON_BAD_NAME },
        { "soft hyphen", { .subject = CN("0c('a' c2ad 'b')") }, CA_REASON_BAD_NAME },
        { "byte order mark", { .subject = CN("0c(efbbbf 'a')") }, CA_REASON_BAD_NAME },
        { "line separator", { .subject = CN("0c('a' e280a8)") }, CA_REASON_BAD_NAME },
        { "overlong UTF-8", { .subject = CN("0c(c1a1)") }, CA_REASON_BAD_NAME },
        { "overlong NUL", { .subject = CN("0c('a' c080)") }, CA_REASON_BAD_NAME },
        { "a surrogate", { .subject = CN("0c(eda080)") }, CA_REASON_BAD_NAME },
        { "above U+10FFFF", { .subject = CN("0c(f4908080)") }, CA_REASON_BAD_NAME },
        { "Latin-1 in UTF-8", { .subject = CN("0c(e9)") }, CA_REASON_BAD_NAME },
        { "UTF-8 cut off", { .subject = CN("0c('a' c3)") }, CA_REASON_BAD_NAME },
        { "@ in PrintableString", { .subject = CN("13('a@b')") }, CA_REASON_BAD_NAME },
        { "* in PrintableString", { .subject = CN("13('*.a')") }, CA_REASON_BAD_NAME },
        { "_ in PrintableString", { .subject = CN("13('a_b')") }, CA_REASON_BAD_NAME },
        { "UniversalString", { .subject = CN("1c(00000061)") }, CA_REASON_BAD_NAME },
        { "BMPString", { .subject = CN("1e(0061)") }, CA_REASON_BAD_NAME },
        { "odd BMPString", { .subject = CN("1e(006100)") }, CA_REASON_BAD_NAME },
        { "TeletexString", { .subject = CN("14('a')") }, CA_REASON_BAD_NAME },
        { "IA5String for the CN", { .subject = CN("16('a')") }, CA_REASON_BAD_NAME },
        { "OCTET STRING for the CN", { .subject = CN("04('a')") }, CA_REASON_BAD_NAME },
        { "constructed string", { .subject = CN("2c(0c('a'))") }, CA_REASON_BAD_NAME },
        { "empty CN", { .subject = CN("0c()") }, CA_REASON_BAD_NAME },
        { "CN of 65", { .subject = CN("0c('a'*65)") }, CA_REASON_NAME_TOO_LONG },
        { "CN of 200", { .subject = CN("0c('a'*200)") }, CA_REASON_NAME_TOO_LONG },
        { "O of 65", { .subject = "30(31(" AVA("0a", "0c('a'*65)") "))" },
          CA_REASON_NAME_TOO_LONG },
        { "L of 129", { .subject = "30(31(" AVA("07", "0c('a'*129)") "))" },
          CA_REASON_NAME_TOO_LONG },
        { "serialNumber of 65", { .subject = "30(31(" AVA("05", "13('1'*65)") "))" },
          CA_REASON_NAME_TOO_LONG },
        { "serialNumber in UTF-8", { .subject = "30(31(" AVA("05", "0c('1')") "))" },
          CA_REASON_BAD_NAME },
        { "country of three letters", { .subject = "30(31(" AVA("06", "13('DEU')") "))" },
          CA_REASON_BAD_NAME },
        { "country in UTF-8", { .subject = "30(31(" AVA("06", "0c('DE')") "))" },
          CA_REASON_BAD_NAME },
        { "country of digits", { .subject = "30(31(" AVA("06", "13('49')") "))" },
          CA_REASON_BAD_NAME },
        { "emailAddress in UTF-8",
          { .subject = "30(31(30(06092a864886f70d010901 0c('a@b.example'))))" },
          CA_REASON_BAD_NAME },
        { "emailAddress with high bits",
          { .subject = "30(31(30(06092a864886f70d010901 16(e9 '@b.example'))))" },
          CA_REASON_BAD_NAME },
        { "emailAddress of 256",
          { .subject = "30(31(30(06092a864886f70d010901 16('a'*256))))" },
          CA_REASON_NAME_TOO_LONG },
        { "DC in UTF-8", { .subject = "30(31(30(060a0992268993f22c640119 0c('example'))))" },
          CA_REASON_BAD_NAME },
        { "empty RDN", { .subject = "30(31())" }, CA_REASON_BAD_NAME },
        { "empty RDN after another", { .subject = "30(31(" AVA("03", "0c('a')") ") 31())" },
          CA_REASON_BAD_NAME },
        { "RDN not in order",
          { .subject = "30(31(" AVA("0a", "0c('a')") AVA("03", "0c('a')") "))" },
          CA_REASON_BAD_DER },
        { "an attribute twice in an RDN",
          { .subject = "30(31(" AVA("03", "0c('a')") AVA("03", "0c('a')") "))" },
          CA_REASON_BAD_NAME },
        { "an RDN that is a SEQUENCE", { .subject = "30(30(" AVA("03", "0c('a')") "))" },
          CA_REASON_BAD_NAME },
        { "a name that is a SET", { .subject = "31(31(" AVA("03", "0c('a')") "))" },
          CA_REASON_BAD_NAME },
        { "65 RDNs", { .subject = "30(31(" AVA("0b", "0c('a')") ")*65)" }, CA_REASON_BAD_NAME },
        { "65 RDNs", { .subject = "30(31(" AVA("0b", "0c('a')") ")*65)" }, CA_REASON_BAD_NAME },
        { "an attribute without value", { .subject = "30(31(30(0603550403)))" },
          CA_REASON_BAD_NAME },
        { "an attribute with two values",
          { .subject = "30(31(30(0603550403 0c('a') 0c('b'))))" }, CA_REASON_BAD_NAME },
        { "a type that is no OID", { .subject = "30(31(30(06048055 0403 0c('a'))))" },
          CA_REASON_BAD_DER },
        { "length not minimal", { .subject = "30(31(30(0603550403 0c810161)))" },
          CA_REASON_BAD_DER },
        { "indefinite length", { .subject = "3080 31(" AVA("03", "0c('a')") ") 0000" },
          CA_REASON_BAD_DER },
    };

    JUDGE("names", BY_P256, mutants);
}

/* RFC 5280 4.2.1.6, RFC 9549 */
static void subject_alternative_names_that_are_wrong_are_refused(void **state)
{
    static const struct mutant mutants[] = {
        { "none", { .attributes = SAN("") }, CA_REASON_BAD_SAN },
        { "NUL", { .attributes = SAN("82('a.example' 00 '.evil.example')") }, CA_REASON_BAD_SAN },
        { "high bits", { .attributes = SAN("82('b' fc 'cher.example')") }, CA_REASON_BAD_SAN },
        { "U-label", { .attributes = SAN("82('b' c3bc 'cher.example')") }, CA_REASON_BAD_SAN },
        { "line feed", { .attributes = SAN("82('a.example' 0a)") }, CA_REASON_BAD_SAN },
        { "empty", { .attributes = SAN("82()") }, CA_REASON_BAD_SAN },
        { "dot at the end", { .attributes = SAN(DNS("a.example.")) }, CA_REASON_BAD_SAN },
        { "dot at the start", { .attributes = SAN(DNS(".a.example")) }, CA_REASON_BAD_SAN },
        { "empty label", { .attributes = SAN(DNS("a..example")) }, CA_REASON_BAD_SAN },
        { "hyphen at the start", { .attributes = SAN(DNS("-a.example")) }, CA_REASON_BAD_SAN },
        { "hyphen at the end", { .attributes = SAN(DNS("a-.example")) }, CA_REASON_BAD_SAN },
        { "label of 64", { .attributes = SAN("82('a'*64 '.example')") }, CA_REASON_BAD_SAN },
        { "name of 254", { .attributes = SAN("82('a.'*126 'aa')") }, CA_REASON_BAD_SAN },
        { "blank", { .attributes = SAN(DNS("a b.example")) }, CA_REASON_BAD_SAN },
        { "a URI", { .attributes = SAN(DNS("https://a.example")) }, CA_REASON_BAD_SAN },
        { "a port", { .attributes = SAN(DNS("a.example:443")) }, CA_REASON_BAD_SAN },
        { "a wildcard alone", { .attributes = SAN(DNS("*")) }, CA_REASON_BAD_SAN },
        { "two wildcards", { .attributes = SAN(DNS("*.*.example")) }, CA_REASON_BAD_SAN },
        { "a wildcard in the middle", { .attributes = SAN(DNS("a.*.example")) },
          CA_REASON_BAD_SAN },
        { "a wildcard in a label", { .attributes = SAN(DNS("f*o.example")) }, CA_REASON_BAD_SAN },
        { "no punycode", { .attributes = SAN(DNS("xn--.example")) }, CA_REASON_BAD_SAN },
        { "punycode that overflows", { .attributes = SAN(DNS("xn--99999999999.example")) },
          CA_REASON_BAD_SAN },
        { "punycode of an override", { .attributes = SAN(DNS("xn--zvg.example")) },
          CA_REASON_BAD_SAN },
        { "constructed dNSName", { .attributes = SAN("a2(16('a.example'))") }, CA_REASON_BAD_SAN },
        { "iPAddress of 5", { .attributes = SAN("87(c000020105)") }, CA_REASON_BAD_SAN },
        { "iPAddress of 0", { .attributes = SAN("87()") }, CA_REASON_BAD_SAN },
        { "iPAddress of 8", { .attributes = SAN("87(c0000201ffffff00)") }, CA_REASON_BAD_SAN },
        { "mailbox without @", { .attributes = SAN("81('a.example')") }, CA_REASON_BAD_SAN },
        { "two @", { .attributes = SAN("81('a@b@c.example')") }, CA_REASON_BAD_SAN },
        { "mailbox with high bits", { .attributes = SAN("81(c3a9 '@b.example')") },
          CA_REASON_BAD_SAN },
        { "mailbox with a name", { .attributes = SAN("81('A <a@b.example>')") },
          CA_REASON_BAD_SAN },
        { "relative URI", { .attributes = SAN("86('/a/b')") }, CA_REASON_BAD_SAN },
        { "URI without host", { .attributes = SAN("86('https:///a')") }, CA_REASON_BAD_SAN },
        { "URI with a blank", { .attributes = SAN("86('https://a.example/ b')") },
          CA_REASON_BAD_SAN },
        { "URI with %", { .attributes = SAN("86('https://a.example/%4')") }, CA_REASON_BAD_SAN },
        { "empty directoryName", { .attributes = SAN("a4(30())") }, CA_REASON_BAD_SAN },
        { "directoryName with NUL", { .attributes = SAN("a4(" CN("0c('a' 00)") ")") },
          CA_REASON_BAD_NAME },
        { "directoryName IMPLICIT", { .attributes = SAN("a4(31(" AVA("03", "0c('a')") "))") },
          CA_REASON_BAD_NAME },
        { "registeredID that is none", { .attributes = SAN("88(2a80)") }, CA_REASON_BAD_DER },
        { "otherName without value", { .attributes = SAN("a0(06032a0304)") }, CA_REASON_BAD_SAN },
        { "otherName with two values",
          { .attributes = SAN("a0(06032a0304 a0(0c('a') 0c('b')))") }, CA_REASON_BAD_SAN },
        { "otherName with NUL", { .attributes = SAN("a0(06032a0304 a0(0c('a' 00)))") },
          CA_REASON_BAD_SAN },
        { "x400Address", { .attributes = SAN("a3(30())") }, CA_REASON_BAD_SAN },
        { "tag 9", { .attributes = SAN("89('a')") }, CA_REASON_BAD_SAN },
        { "something after the names", { .attributes = EXTS(EXT("11", "30(82('a')) 0500")) },
          CA_REASON_BAD_SAN },
        { "a bare name", { .attributes = EXTS(EXT("11", "82('a')")) }, CA_REASON_BAD_SAN },
        { "indefinite length", { .attributes = EXTS(EXT("11", "3080 82('a') 0000")) },
          CA_REASON_BAD_DER },
        { "length not minimal", { .attributes = EXTS(EXT("11", "3081 03 82('a')")) },
          CA_REASON_BAD_DER },
        { "1001 names", { .attributes = SAN("82('a')*1001") }, CA_REASON_TOO_MANY_NAMES },
    };

    JUDGE("subject alternative names", BY_ED25519, mutants);
}

/* The last of all. */
static void a_verifier_that_only_asks_openssl_would_say_yes_to_most(void **state)
{
    const struct mutant_fixture *f = *state;

    print_message("%zu mutants refused, OpenSSL verifies %zu of them\n", f->refused,
                  f->openssl_says_yes);
    assert_true(f->refused >= 140);
    assert_true(f->openssl_says_yes >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_is_accepted),
        cmocka_unit_test(a_request_that_is_built_wrongly_is_refused),
        cmocka_unit_test(attributes_that_are_wrong_are_refused),
        cmocka_unit_test(names_that_are_wrong_are_refused),
        cmocka_unit_test(subject_alternative_names_that_are_wrong_are_refused),
        cmocka_unit_test(a_verifier_that_only_asks_openssl_would_say_yes_to_most),
    };

    return cmocka_run_group_tests(tests, mutant_set_up, mutant_tear_down);
}
