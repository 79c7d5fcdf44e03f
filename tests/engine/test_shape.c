/* GeneralName and ASN1Subject of the API, against what OpenSSL makes and reads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/general_name.h"
#include "engine/shape.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static json_t *json_of(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    if (value == NULL) fail_msg("no JSON: %s", text);
    return value;
}

static enum ca_status general_name(const char *json, struct ca_buf *out, struct ca_error *err)
{
    json_t *value = json_of(json);
    enum ca_status st = ca_shape_general_name(value, "Name", out, err);

    json_decref(value);
    return st;
}

/* Read by OpenSSL, written again with the same octets, and printed by us. */
static void assert_general_name(const char *json, int type, const char *printed)
{
    struct ca_buf out, text;
    struct ca_error err;
    const uint8_t *p;
    uint8_t *again = NULL;
    GENERAL_NAME *name;
    int len;

    ca_buf_init(&out, 65536);
    ca_buf_init(&text, 65536);
    if (general_name(json, &out, &err) != CA_OK) fail_msg("%s: %s", json, err.text);
    p = out.data;
    name = d2i_GENERAL_NAME(NULL, &p, (long)out.len);
    if (name == NULL) fail_msg("%s: OpenSSL does not read it", json);
    assert_ptr_equal(p, out.data + out.len);
    assert_int_equal(name->type, type);
    len = i2d_GENERAL_NAME(name, &again);
    assert_int_equal(len, out.len);
    assert_memory_equal(again, out.data, out.len);
    GENERAL_NAME_free(name);
    OPENSSL_free(again);
    ca_der_wrap(&out, 0, CA_DER_SEQUENCE);
    assert_int_equal(ca_san_check(ca_buf_view(&out), NULL), CA_OK);
    ca_san_print(ca_buf_view(&out), &text);
    ca_buf_append_u8(&text, 0);
    assert_string_equal((const char *)text.data, printed);
    ca_buf_clear(&text);
    ca_buf_clear(&out);
}

static void every_form_of_general_name_is_made(void **state)
{
    (void)state;
    assert_general_name("{\"DnsName\":\"*.a.example\"}", GEN_DNS, "DNS:*.a.example");
    assert_general_name("{\"Rfc822Name\":\"a@b.example\"}", GEN_EMAIL, "email:a@b.example");
    assert_general_name("{\"UniformResourceIdentifier\":\"https://a.example/x\"}", GEN_URI,
                        "URI:https://a.example/x");
    assert_general_name("{\"IpAddress\":\"192.0.2.1\"}", GEN_IPADD, "IP:192.0.2.1");
    assert_general_name("{\"IpAddress\":\"2001:0db8:0000:0000:0000:0000:0000:0001\"}", GEN_IPADD,
                        "IP:2001:db8::1");
    assert_general_name("{\"RegisteredId\":\"1.2.3.4\"}", GEN_RID, "RID:1.2.3.4");
    assert_general_name("{\"OtherName\":{\"TypeId\":\"1.3.6.1.4.1.311.20.2.3\","
                        "\"Value\":\"a@b.example\"}}",
                        GEN_OTHERNAME, "othername:1.3.6.1.4.1.311.20.2.3:a@b.example");
    assert_general_name("{\"DirectoryName\":{\"Country\":\"DE\",\"CommonName\":\"x\"}}",
                        GEN_DIRNAME, "dirName:CN=x\\,C=DE");
    assert_general_name("{\"EdiPartyName\":{\"PartyName\":\"Example\"}}", GEN_EDIPARTY,
                        "EDI:Example");
    assert_general_name("{\"EdiPartyName\":{\"PartyName\":\"a/b\",\"NameAssigner\":\"G, S\"}}",
                        GEN_EDIPARTY, "EDI:G\\, S/a\\/b");
}

/* Octet by octet: the tags around a CHOICE are easily got wrong. */
static void an_edi_party_name_has_its_parts_where_they_belong(void **state)
{
    static const uint8_t want[] = { 0xa5, 0x11, 0xa0, 0x05, 0x0c, 0x03, 'G', 'S', '1', 0xa1,
                                    0x08, 0x0c, 0x06, 'F',  0xc3, 0xbc, 'r', 't', 'h' };
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 1024);
    assert_int_equal(general_name("{\"EdiPartyName\":{\"PartyName\":\"F\\u00fcrth\","
                                  "\"NameAssigner\":\"GS1\"}}", &out, NULL), CA_OK);
    assert_int_equal(out.len, sizeof(want));
    assert_memory_equal(out.data, want, sizeof(want));
    ca_buf_clear(&out);
}

static void a_foreign_edi_party_name_is_read_strictly(void **state)
{
    static const struct {
        const char *hex;
        bool good;
    } rows[] = {
        { "300aa508a1060c0441424344", true },
        { "300aa508a106130441424344", true },
        { "300fa50da0030c0141a1060c0441424344", true },
        { "300aa508a1061604" "41424344", false },       /* IA5String */
        { "300aa508a1060c0441424307", false },          /* a control character */
        { "300aa508a106130441424340", false },          /* @ in a PrintableString */
        { "300aa508a1060c04414243c3", false },          /* UTF-8 cut off */
        { "3006a504a1020c00", false },                  /* empty */
        { "3007a505a0030c0141", false },                /* no party */
        { "300ca50aa1030c0141a0030c0141", false },      /* the other order */
        { "300aa508a1030c01410c0141", false },          /* something after it */
        { "3002a500", false },
        { "3008a5060c0441424344", false },              /* without its tag */
        { "300ca50aa1080c01410c0342" "4344", false },   /* two strings under one tag */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t octets[64];
        size_t len = 0;
        struct ca_error err = { .status = CA_OK };

        assert_int_equal(ca_hex_decode(rows[i].hex, octets, sizeof(octets), &len, NULL), CA_OK);
        if ((ca_san_check(ca_bytes_of(octets, len), &err) == CA_OK) != rows[i].good)
            fail_msg("%s: %s", rows[i].hex, rows[i].good ? err.text : "accepted");
        if (!rows[i].good) assert_true(err.reason == CA_REASON_BAD_SAN);
    }
}

static void a_refused_general_name_is_named_by_its_path(void **state)
{
    static const struct {
        const char *json, *text;
    } rows[] = {
        { "7", "Name: must be an object" },
        { "{}", "Name: must have exactly one member" },
        { "{\"DnsName\":\"a.example\",\"IpAddress\":\"192.0.2.1\"}",
          "Name: must have exactly one" },
        { "{\"X400Address\":\"a\"}", "Name.X400Address: unknown member" },
        { "{\"DnsName\":7}", "Name.DnsName: must be a string" },
        { "{\"DnsName\":\"\"}", "Name.DnsName: has 0 characters, not 1 to 253" },
        { "{\"DnsName\":\"a b\"}", "Name.DnsName: dNSName a b has a character" },
        { "{\"DnsName\":\"\\u00e4.example\"}", "Name.DnsName: dNSName has octet c3" },
        { "{\"Rfc822Name\":\"x\"}", "Name.Rfc822Name: rfc822Name x has no @" },
        { "{\"UniformResourceIdentifier\":\"x\"}", "Name.UniformResourceIdentifier: URI x has no" },
        { "{\"IpAddress\":\"192.0.2\"}", "Name.IpAddress: is no IPv4 or IPv6 address" },
        { "{\"IpAddress\":\"0000:0000:0000:0000:0000:ffff:192.0.002.1\"}",
          "Name.IpAddress: has 41 characters, not 1 to 39" },
        { "{\"RegisteredId\":\"3.1\"}", "Name.RegisteredId: " },
        { "{\"RegisteredId\":\"1\"}", "Name.RegisteredId: " },
        { "{\"OtherName\":{\"TypeId\":\"1.2\"}}", "Name.OtherName.Value: is missing" },
        { "{\"OtherName\":{\"TypeId\":\"1.2\",\"Value\":\"\"}}",
          "Name.OtherName.Value: has 0 char" },
        { "{\"OtherName\":{\"TypeId\":\"x\",\"Value\":\"a\"}}", "Name.OtherName.TypeId: " },
        { "{\"OtherName\":{\"TypeId\":\"1.2\",\"Value\":\"\\u202e\"}}", "Name.OtherName: " },
        { "{\"DirectoryName\":{}}", "Name.DirectoryName: at least one attribute" },
        { "{\"DirectoryName\":{\"Country\":\"DEU\"}}", "Name.DirectoryName.Country: " },
        { "{\"DirectoryName\":{\"CustomAttributes\":[{\"ObjectIdentifier\":\"1.2\"}]}}",
          "Name.DirectoryName.CustomAttributes[0].Value: is missing" },
        { "{\"EdiPartyName\":{}}", "Name.EdiPartyName.PartyName: is missing" },
        { "{\"EdiPartyName\":{\"PartyName\":\"\"}}", "Name.EdiPartyName.PartyName: has 0 char" },
        { "{\"EdiPartyName\":{\"PartyName\":\"a\",\"NameAssigner\":\"\"}}",
          "Name.EdiPartyName.NameAssigner: has 0 characters" },
        { "{\"EdiPartyName\":{\"PartyName\":\"a\\u0007\"}}",
          "Name.EdiPartyName: an ediPartyName's" },
        { "{\"EdiPartyName\":\"a\"}", "Name.EdiPartyName: must be an object" },
    };
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 65536);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ca_error err;

        if (general_name(rows[i].json, &out, &err) == CA_OK) fail_msg("%s: made", rows[i].json);
        if (strncmp(err.text, rows[i].text, strlen(rows[i].text)) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].json, err.text, rows[i].text);
        ca_buf_reset(&out);
    }
    ca_buf_clear(&out);
}

/* Lengths are in characters; the limits of spec section 7. */
static void lengths_are_counted_in_characters(void **state)
{
    static const struct {
        const char *before, *piece, *after;
        size_t max;
    } rows[] = {
        { "{\"OtherName\":{\"TypeId\":\"1.2\",\"Value\":\"", "\xc3\xa4", "\"}}", 256 },
        { "{\"EdiPartyName\":{\"PartyName\":\"", "\xc3\xa4", "\"}}", 256 },
        { "{\"EdiPartyName\":{\"PartyName\":\"x\",\"NameAssigner\":\"", "\xc3\xa4", "\"}}", 256 },
        { "{\"UniformResourceIdentifier\":\"a:", "b", "\"}", 251 },
        { "{\"DirectoryName\":{\"CommonName\":\"", "\xc3\xa4", "\"}}", 64 },
    };
    struct ca_buf json, out;

    (void)state;
    ca_buf_init(&json, 65536);
    ca_buf_init(&out, 65536);
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t extra = 0; extra < 2; extra++) {
            ca_buf_reset(&json);
            ca_buf_reset(&out);
            ca_buf_append_str(&json, rows[i].before);
            for (size_t n = 0; n < rows[i].max + extra; n++)
                ca_buf_append_str(&json, rows[i].piece);
            ca_buf_append_str(&json, rows[i].after);
            ca_buf_append_u8(&json, 0);
            assert_int_equal(general_name((const char *)json.data, &out, NULL),
                             extra == 0 ? CA_OK : CA_REFUSED);
        }
    }
    ca_buf_clear(&json);
    ca_buf_clear(&out);
}

static void texts_make_the_same_names_as_objects(void **state)
{
    static const struct {
        const char *text, *json;        /* NULL: refused */
    } rows[] = {
        { "DNS:a.example", "{\"DnsName\":\"a.example\"}" },
        { "IP:192.0.2.1", "{\"IpAddress\":\"192.0.2.1\"}" },
        { "IP:2001:db8::1", "{\"IpAddress\":\"2001:db8::1\"}" },
        { "email:a@b.example", "{\"Rfc822Name\":\"a@b.example\"}" },
        { "URI:urn:a:b", "{\"UniformResourceIdentifier\":\"urn:a:b\"}" },
        { "a.example", NULL },
        { "dns:a.example", NULL },
        { "DNS:", NULL },
        { "DNS: a.example", NULL },
        { "IP:a.example", NULL },
        { "email:a", NULL },
        { "URI:a", NULL },
        { "RID:1.2.3", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct ca_buf a, b;
        struct ca_error err = { .status = CA_OK };
        enum ca_status st;

        ca_buf_init(&a, 1024);
        ca_buf_init(&b, 1024);
        st = ca_shape_general_name_text(rows[i].text, "san[0]", &a, &err);
        if (rows[i].json == NULL) {
            assert_int_equal(st, CA_REFUSED);
            assert_int_equal(strncmp(err.text, "san[0]: ", 8), 0);
        } else {
            if (st != CA_OK) fail_msg("%s: %s", rows[i].text, err.text);
            assert_int_equal(general_name(rows[i].json, &b, NULL), CA_OK);
            assert_true(ca_bytes_equal(ca_buf_view(&a), ca_buf_view(&b)));
        }
        ca_buf_clear(&a);
        ca_buf_clear(&b);
    }
}

/* The order and the string types of spec 2.3, which were seen on the real service. */
static void a_subject_has_the_order_of_the_members(void **state)
{
    json_t *json = json_of("{\"Locality\":\"L\",\"GenerationQualifier\":\"Jr\","
                           "\"CommonName\":\"CN\",\"State\":\"S\",\"SerialNumber\":\"1\","
                           "\"Title\":\"T\",\"Country\":\"DE\","
                           "\"DistinguishedNameQualifier\":\"q\",\"Pseudonym\":\"p\","
                           "\"Organization\":\"O\",\"OrganizationalUnit\":\"OU\",\"Surname\":\"s\","
                           "\"GivenName\":\"g\",\"Initials\":\"i\"}");
    static const struct {
        int nid, type;
    } want[] = {
        { NID_countryName, V_ASN1_PRINTABLESTRING }, { NID_organizationName, V_ASN1_UTF8STRING },
        { NID_organizationalUnitName, V_ASN1_UTF8STRING },
        { NID_dnQualifier, V_ASN1_PRINTABLESTRING },
        { NID_stateOrProvinceName, V_ASN1_UTF8STRING }, { NID_commonName, V_ASN1_UTF8STRING },
        { NID_serialNumber, V_ASN1_PRINTABLESTRING }, { NID_localityName, V_ASN1_UTF8STRING },
        { NID_title, V_ASN1_UTF8STRING }, { NID_surname, V_ASN1_UTF8STRING },
        { NID_givenName, V_ASN1_UTF8STRING }, { NID_initials, V_ASN1_UTF8STRING },
        { NID_pseudonym, V_ASN1_UTF8STRING }, { NID_generationQualifier, V_ASN1_UTF8STRING },
    };
    struct ca_buf out;
    const uint8_t *p;
    X509_NAME *name;

    (void)state;
    ca_buf_init(&out, 4096);
    assert_int_equal(ca_shape_subject(json, "Subject", &out, NULL), CA_OK);
    p = out.data;
    name = d2i_X509_NAME(NULL, &p, (long)out.len);
    assert_non_null(name);
    assert_int_equal(X509_NAME_entry_count(name), COUNT(want));
    for (int i = 0; i < (int)COUNT(want); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);

        assert_int_equal(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)), want[i].nid);
        assert_int_equal(ASN1_STRING_type(X509_NAME_ENTRY_get_data(entry)), want[i].type);
        assert_int_equal(X509_NAME_ENTRY_set(entry), i);
    }
    X509_NAME_free(name);
    ca_buf_clear(&out);
    json_decref(json);
}

static void custom_attributes_keep_their_order_and_may_repeat(void **state)
{
    json_t *json = json_of(
        "{\"CustomAttributes\":["
        "{\"ObjectIdentifier\":\"0.9.2342.19200300.100.1.25\",\"Value\":\"example\"},"
        "{\"ObjectIdentifier\":\"0.9.2342.19200300.100.1.25\",\"Value\":\"com\"},"
        "{\"ObjectIdentifier\":\"2.5.4.3\",\"Value\":\"\\u00e4\"},"
        "{\"ObjectIdentifier\":\"1.3.6.1.4.1.37244.2.1\",\"Value\":\"FFF1\"}]}");
    struct ca_buf out;
    const uint8_t *p;
    X509_NAME *name;
    char text[256];

    (void)state;
    ca_buf_init(&out, 4096);
    assert_int_equal(ca_shape_subject(json, "Subject", &out, NULL), CA_OK);
    p = out.data;
    name = d2i_X509_NAME(NULL, &p, (long)out.len);
    assert_non_null(name);
    assert_non_null(X509_NAME_oneline(name, text, sizeof(text)));
    assert_string_equal(text, "/DC=example/DC=com/CN=\\xC3\\xA4/1.3.6.1.4.1.37244.2.1=FFF1");
    X509_NAME_free(name);
    ca_buf_clear(&out);
    json_decref(json);
}

static void a_list_is_told_from_an_object(void **state)
{
    json_t *value = NULL;
    struct ca_error err;

    (void)state;
    assert_int_equal(ca_shape_parse_list(ca_bytes_str("[1]"), 100, &value, &err), CA_OK);
    json_decref(value);
    assert_int_equal(ca_shape_parse_list(ca_bytes_str("{}"), 100, &value, &err), CA_MALFORMED);
    assert_string_equal(err.name, "bad-json");
    assert_int_equal(ca_shape_parse(ca_bytes_str("[]"), 100, &value, &err), CA_MALFORMED);
    assert_int_equal(ca_shape_parse_list(ca_bytes_str("[[[]"), 100, &value, &err), CA_MALFORMED);
    assert_int_equal(ca_shape_parse_list(ca_bytes_str("[1] x"), 100, &value, &err), CA_MALFORMED);
    assert_int_equal(ca_shape_parse_list(ca_bytes_str("[1]"), 2, &value, &err), CA_MALFORMED);
}

/* Deep paths are not cut in their middle. */
static void a_deep_path_is_shown_whole(void **state)
{
    struct ca_shape_path path = ca_shape_at("Extensions.SubjectAlternativeNames", 149);

    (void)state;
    path = ca_shape_join(path.text, "DirectoryName");
    path = ca_shape_join(path.text, "CustomAttributes");
    path = ca_shape_at(path.text, 63);
    path = ca_shape_join(path.text, "ObjectIdentifier");
    assert_string_equal(path.text, "Extensions.SubjectAlternativeNames[149].DirectoryName."
                                   "CustomAttributes[63].ObjectIdentifier");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_general_name_is_made),
        cmocka_unit_test(an_edi_party_name_has_its_parts_where_they_belong),
        cmocka_unit_test(a_foreign_edi_party_name_is_read_strictly),
        cmocka_unit_test(a_refused_general_name_is_named_by_its_path),
        cmocka_unit_test(lengths_are_counted_in_characters),
        cmocka_unit_test(texts_make_the_same_names_as_objects),
        cmocka_unit_test(a_subject_has_the_order_of_the_members),
        cmocka_unit_test(custom_attributes_keep_their_order_and_may_repeat),
        cmocka_unit_test(a_list_is_told_from_an_object),
        cmocka_unit_test(a_deep_path_is_shown_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
