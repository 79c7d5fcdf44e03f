/* Each extension of an ApiPassthrough against the one that OpenSSL makes from its configuration
 * syntax; limits of spec section 7 at their edges. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/api_passthrough.h"
#include "engine/ext.h"
#include "engine/general_name.h"

#include <openssl/conf.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Pieces of JSON. */
#define EXTENSIONS(text) "{\"Extensions\":{" text "}}"
#define CUSTOM(text) EXTENSIONS("\"CustomExtensions\":[" text "]")
#define ONE(oid, value) "{\"ObjectIdentifier\":\"" oid "\",\"Value\":\"" value "\"}"
#define POLICIES(text) EXTENSIONS("\"CertificatePolicies\":[" text "]")
#define QUALIFIED(text)                                                                            \
    POLICIES("{\"CertPolicyId\":\"1.2.3\",\"PolicyQualifiers\":[" text "]}")
#define PURPOSES(text) EXTENSIONS("\"ExtendedKeyUsage\":[" text "]")
#define NAMES(text) EXTENSIONS("\"SubjectAlternativeNames\":[" text "]")
#define SAN "MAuCCWEuZXhhbXBsZQ=="           /* the base64 of a.example's */

struct fixture {
    struct ca_arena arena;
    struct ca_api api;
    struct ca_error err;
    struct ca_buf json;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) return -1;
    ca_arena_init(&f->arena, 4096, 4u << 20);
    ca_buf_init(&f->json, 8u << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ca_arena_clear(&f->arena);
    ca_buf_clear(&f->json);
    free(f);
    return 0;
}

static enum ca_status parse(struct fixture *f, const char *json)
{
    ca_arena_reset(&f->arena);
    return ca_api_parse(ca_bytes_str(json), &f->arena, &f->api, &f->err);
}

static void parse_good(struct fixture *f, const char *json)
{
    if (parse(f, json) != CA_OK) fail_msg("%.200s: %s", json, f->err.text);
}

static void assert_refused(struct fixture *f, const char *json, const char *text)
{
    f->err = (struct ca_error){ .status = CA_OK };
    if (parse(f, json) == CA_OK) fail_msg("%.200s: taken", json);
    if (strncmp(f->err.text, text, strlen(text)) != 0)
        fail_msg("%.200s: \"%s\", not \"%s\"", json, f->err.text, text);
    assert_int_equal(f->err.status, CA_REFUSED);
    assert_string_equal(f->err.name, "api-passthrough");
    assert_int_equal(f->err.reason, CA_REASON_BAD_MEMBER);
    assert_int_equal(ca_api_parse(ca_bytes_str(json), &f->arena, &f->api, NULL), CA_REFUSED);
}

/* Extension number index is the one that OpenSSL makes. */
static void assert_extension(const struct fixture *f, size_t index, const char *name,
                             const char *text)
{
    static const char sections[] = "[p]\npolicyIdentifier=1.2.3.4\nCPS.1=http://a.example/1\n"
                                   "CPS.2=http://a.example/2\n";
    const struct ca_api_extension *ours = &f->api.extensions[index];
    BIO *bio = BIO_new_mem_buf(sections, -1);
    CONF *conf = NCONF_new(NULL);
    X509V3_CTX ctx;
    X509_EXTENSION *theirs;
    const ASN1_OBJECT *object;
    uint8_t *der = NULL;
    long line = 0;
    int len;

    assert_true(index < f->api.extension_count);
    assert_true(NCONF_load_bio(conf, bio, &line) > 0);
    BIO_free(bio);
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    X509V3_set_nconf(&ctx, conf);
    theirs = X509V3_EXT_nconf(conf, &ctx, name, text);
    NCONF_free(conf);
    if (theirs == NULL) fail_msg("OpenSSL does not make %s = %s", name, text);
    len = i2d_X509_EXTENSION(theirs, &der);
    if (len != (int)ours->whole.len || memcmp(der, ours->whole.data, ours->whole.len) != 0)
        fail_msg("%s = %s is something else", name, text);
    object = X509_EXTENSION_get_object(theirs);
    assert_true(ca_bytes_equal(ours->oid,
                               ca_bytes_of(OBJ_get0_data(object), OBJ_length(object))));
    assert_int_equal(ours->critical, X509_EXTENSION_get_critical(theirs));
    assert_true(ca_bytes_equal(
        ours->value, ca_bytes_of(ASN1_STRING_get0_data(X509_EXTENSION_get_data(theirs)),
                                 (size_t)ASN1_STRING_length(X509_EXTENSION_get_data(theirs)))));
    OPENSSL_free(der);
    X509_EXTENSION_free(theirs);
}

static void everything_at_once_is_read(void **state)
{
    struct fixture *f = *state;
    const uint8_t *p;
    X509_NAME *subject;
    GENERAL_NAMES *names;
    char text[256];

    parse_good(f,
        "{\"Subject\":{\"CommonName\":\"x\",\"Country\":\"DE\"},\"Extensions\":{"
        "\"CustomExtensions\":["
        "{\"ObjectIdentifier\":\"1.2.3.4.5\",\"Value\":\"DAFh\",\"Critical\":true},"
        "{\"ObjectIdentifier\":\"2.5.29.36\",\"Value\":\"MAOAAQA=\"}],"
        "\"SubjectAlternativeNames\":[{\"DnsName\":\"a.example\"},"
        "{\"EdiPartyName\":{\"PartyName\":\"x\"}},{\"IpAddress\":\"192.0.2.1\"}],"
        "\"ExtendedKeyUsage\":[{\"ExtendedKeyUsageType\":\"SERVER_AUTH\"},"
        "{\"ExtendedKeyUsageObjectIdentifier\":\"1.2.3.4\"}],"
        "\"KeyUsage\":{\"DigitalSignature\":true,\"KeyAgreement\":true,\"CRLSign\":false},"
        "\"CertificatePolicies\":[{\"CertPolicyId\":\"1.2.3.4\",\"PolicyQualifiers\":["
        "{\"PolicyQualifierId\":\"CPS\",\"Qualifier\":{\"CpsUri\":\"http://a.example/1\"}},"
        "{\"PolicyQualifierId\":\"CPS\",\"Qualifier\":{\"CpsUri\":\"http://a.example/2\"}}]},"
        "{\"CertPolicyId\":\"2.5.29.32.0\"}]}}");
    assert_int_equal(f->api.extension_count, 5);
    assert_extension(f, 0, "certificatePolicies", "@p,2.5.29.32.0");
    assert_extension(f, 1, "keyUsage", "critical,digitalSignature,keyAgreement");
    assert_extension(f, 2, "extendedKeyUsage", "serverAuth,1.2.3.4");
    assert_extension(f, 3, "1.2.3.4.5", "critical,ASN1:UTF8String:a");
    assert_extension(f, 4, "policyConstraints", "requireExplicitPolicy:0");
    assert_int_equal(f->api.extensions[0].name, CA_IGNORED_API_CERTIFICATE_POLICIES);
    assert_int_equal(f->api.extensions[1].name, CA_IGNORED_API_KEY_USAGE);
    assert_int_equal(f->api.extensions[2].name, CA_IGNORED_API_EXT_KEY_USAGE);
    assert_int_equal(f->api.extensions[3].name, CA_IGNORED_API_CUSTOM_EXTENSION);
    assert_int_equal(f->api.extensions[4].name, CA_IGNORED_API_CUSTOM_EXTENSION);

    p = f->api.subject.data;
    subject = d2i_X509_NAME(NULL, &p, (long)f->api.subject.len);
    assert_non_null(subject);
    assert_string_equal(X509_NAME_oneline(subject, text, sizeof(text)), "/C=DE/CN=x");
    X509_NAME_free(subject);
    assert_false(f->api.subject_empty);

    assert_true(f->api.has_san);
    assert_false(f->api.san_critical);
    p = f->api.san.data;
    names = d2i_GENERAL_NAMES(NULL, &p, (long)f->api.san.len);
    assert_non_null(names);
    assert_ptr_equal(p, f->api.san.data + f->api.san.len);
    assert_int_equal(sk_GENERAL_NAME_num(names), 3);
    assert_int_equal(sk_GENERAL_NAME_value(names, 1)->type, GEN_EDIPARTY);
    GENERAL_NAMES_free(names);
}

static void nothing_may_be_asked_for(void **state)
{
    struct fixture *f = *state;

    parse_good(f, "{}");
    assert_int_equal(f->api.extension_count, 0);
    assert_int_equal(f->api.subject.len, 0);
    assert_false(f->api.has_san);
    parse_good(f, "{\"Extensions\":{}}");
    assert_int_equal(f->api.extension_count, 0);
}

/* Every purpose by its name, against the dotted OIDs of spec section 7. */
static void purposes_have_names(void **state)
{
    static const struct {
        const char *type, *dotted;
    } rows[] = {
        { "SERVER_AUTH", "1.3.6.1.5.5.7.3.1" },
        { "CLIENT_AUTH", "1.3.6.1.5.5.7.3.2" },
        { "CODE_SIGNING", "1.3.6.1.5.5.7.3.3" },
        { "EMAIL_PROTECTION", "1.3.6.1.5.5.7.3.4" },
        { "TIME_STAMPING", "1.3.6.1.5.5.7.3.8" },
        { "OCSP_SIGNING", "1.3.6.1.5.5.7.3.9" },
        { "SMART_CARD_LOGIN", "1.3.6.1.4.1.311.20.2.2" },
        { "DOCUMENT_SIGNING", "1.3.6.1.4.1.311.10.3.12" },
        { "CERTIFICATE_TRANSPARENCY", "1.3.6.1.4.1.11129.2.4.4" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        char json[200];

        (void)snprintf(json, sizeof(json),
                       PURPOSES("{\"ExtendedKeyUsageType\":\"%s\"}"),
                       rows[i].type);
        parse_good(f, json);
        assert_extension(f, 0, "extendedKeyUsage", rows[i].dotted);
    }
}

/* Minimal DER, unlike the real service's nine bits (spec 7.1). */
static void key_usage_is_critical_and_minimal(void **state)
{
    static const struct {
        const char *member, *name;
    } rows[] = {
        { "DigitalSignature", "digitalSignature" }, { "NonRepudiation", "nonRepudiation" },
        { "KeyEncipherment", "keyEncipherment" },   { "DataEncipherment", "dataEncipherment" },
        { "KeyAgreement", "keyAgreement" },         { "KeyCertSign", "keyCertSign" },
        { "CRLSign", "cRLSign" },                   { "EncipherOnly", "encipherOnly" },
        { "DecipherOnly", "decipherOnly" },
    };
    struct fixture *f = *state;

    for (unsigned bits = 1; bits < 1u << COUNT(rows); bits++) {
        char json[400] = "{\"Extensions\":{\"KeyUsage\":{", text[300] = "critical";
        size_t at = strlen(json), used = strlen(text);

        for (size_t i = 0; i < COUNT(rows); i++) {
            at += (size_t)snprintf(json + at, sizeof(json) - at, "%s\"%s\":%s", i == 0 ? "" : ",",
                                   rows[i].member, (bits >> i & 1) != 0 ? "true" : "false");
            if ((bits >> i & 1) != 0)
                used += (size_t)snprintf(text + used, sizeof(text) - used, ",%s", rows[i].name);
        }
        (void)snprintf(json + at, sizeof(json) - at, "}}}");
        parse_good(f, json);
        assert_extension(f, 0, "keyUsage", text);
    }
}

static void a_custom_subject_alt_name_is_the_names(void **state)
{
    struct fixture *f = *state;
    static const char custom[] = "{\"Extensions\":{\"CustomExtensions\":[{\"ObjectIdentifier\":"
                                 "\"2.5.29.17\",\"Value\":\"" SAN "\"%s}]}}";
    char json[300];

    (void)snprintf(json, sizeof(json), custom, ",\"Critical\":true");
    parse_good(f, json);
    assert_int_equal(f->api.extension_count, 0);
    assert_true(f->api.has_san && f->api.san_critical);
    assert_int_equal(ca_san_check(f->api.san, NULL), CA_OK);
    assert_int_equal(f->api.san.len, 13);
    (void)snprintf(json, sizeof(json), custom, ",\"Critical\":false");
    parse_good(f, json);
    assert_true(f->api.has_san && !f->api.san_critical);
}

static void what_cannot_be_is_refused_by_path(void **state)
{
    static const struct {
        const char *json, *text;
    } rows[] = {
        { "{\"Subjects\":{}}", "Subjects: unknown member" },
        { "{\"Subject\":[]}", "Subject: must be an object" },
        { "{\"Subject\":null}", "Subject: must be an object" },
        { "{\"Subject\":{}}", "Subject: at least one attribute is needed" },
        { "{\"Subject\":{\"Foo\":\"x\"}}", "Subject.Foo: unknown member" },
        { "{\"Subject\":{\"CommonName\":\"\"}}", "Subject.CommonName: is empty" },
        { "{\"Subject\":{\"CommonName\":\"x\",\"CustomAttributes\":[" ONE("2.5.4.3", "x") "]}}",
          "Subject: CustomAttributes cannot stand beside" },
        { "{\"Subject\":{\"CustomAttributes\":[{\"ObjectIdentifier\":\"2.5.4\",\"Value\":\"x\","
          "\"More\":1}]}}", "Subject.CustomAttributes[0].More: unknown member" },
        { "{\"Extensions\":[]}", "Extensions: must be an object" },
        { EXTENSIONS("\"Foo\":1"), "Extensions.Foo: unknown member" },
        { EXTENSIONS("\"KeyUsage\":{}"), "Extensions.KeyUsage: at least one usage" },
        { EXTENSIONS("\"KeyUsage\":{\"CRLSign\":1}"), "Extensions.KeyUsage.CRLSign: must be true" },
        { EXTENSIONS("\"KeyUsage\":{\"CrlSign\":true}"), "Extensions.KeyUsage.CrlSign: unknown" },
        { PURPOSES(""), "Extensions.ExtendedKeyUsage: has 0 entries, not 1 to 20" },
        { PURPOSES("{}"), "Extensions.ExtendedKeyUsage[0]: must have exactly one member" },
        { PURPOSES("{\"ExtendedKeyUsageType\":\"SERVER_AUTH\","
                   "\"ExtendedKeyUsageObjectIdentifier\":\"1.2.3\"}"),
          "Extensions.ExtendedKeyUsage[0]: must have exactly one member" },
        { PURPOSES("{\"ExtendedKeyUsageType\":\"server_auth\"}"),
          "Extensions.ExtendedKeyUsage[0].ExtendedKeyUsageType: must be one of" },
        { PURPOSES("{\"ExtendedKeyUsageType\":\"SERVER_AUTH\"},"
                   "{\"ExtendedKeyUsageObjectIdentifier\":\"1.3.6.1.5.5.7.3.1\"}"),
          "Extensions.ExtendedKeyUsage[1].ExtendedKeyUsageObjectIdentifier: stands twice" },
        { PURPOSES("{\"ExtendedKeyUsageObjectIdentifier\":\"x\"}"),
          "Extensions.ExtendedKeyUsage[0].ExtendedKeyUsageObjectIdentifier: " },
        { PURPOSES("7"), "Extensions.ExtendedKeyUsage[0]: must be an object" },
        { POLICIES(""), "Extensions.CertificatePolicies: has 0 entries, not 1 to 20" },
        { POLICIES("{}"), "Extensions.CertificatePolicies[0].CertPolicyId: is missing" },
        { POLICIES("{\"CertPolicyId\":\"1.2.3\"},{\"CertPolicyId\":\"1.2.4\"},"
                   "{\"CertPolicyId\":\"1.2.3\"}"),
          "Extensions.CertificatePolicies[2].CertPolicyId: stands twice" },
        { QUALIFIED(""), "Extensions.CertificatePolicies[0].PolicyQualifiers: has 0 entries" },
        { QUALIFIED("{\"PolicyQualifierId\":\"UNOTICE\",\"Qualifier\":{\"CpsUri\":\"a:b\"}}"),
          "Extensions.CertificatePolicies[0].PolicyQualifiers[0].PolicyQualifierId: must be CPS" },
        { QUALIFIED("{\"PolicyQualifierId\":\"CPS\"}"),
          "Extensions.CertificatePolicies[0].PolicyQualifiers[0].Qualifier: is missing" },
        { QUALIFIED("{\"PolicyQualifierId\":\"CPS\",\"Qualifier\":{}}"),
          "Extensions.CertificatePolicies[0].PolicyQualifiers[0].Qualifier.CpsUri: is missing" },
        { QUALIFIED("{\"PolicyQualifierId\":\"CPS\",\"Qualifier\":{\"CpsUri\":\"a.example\"}}"),
          "Extensions.CertificatePolicies[0].PolicyQualifiers[0].Qualifier.CpsUri: has no scheme" },
        { NAMES(""), "Extensions.SubjectAlternativeNames: has 0 entries, not 1 to 150" },
        { NAMES("\"DNS:a.example\""), "Extensions.SubjectAlternativeNames[0]: must be an object" },
        { NAMES("{\"DnsName\":\"a.example\"},{\"IpAddress\":\"x\"}"),
          "Extensions.SubjectAlternativeNames[1].IpAddress: is no IPv4" },
        { CUSTOM(""), "Extensions.CustomExtensions: has 0 entries, not 1 to 150" },
        { CUSTOM("{}"), "Extensions.CustomExtensions[0].ObjectIdentifier: is missing" },
        { CUSTOM("7"), "Extensions.CustomExtensions[0]: must be an object" },
        { CUSTOM(ONE("1.2.3", "")), "Extensions.CustomExtensions[0].Value: has 0 characters" },
        { CUSTOM(ONE("1.2.3", "BQ")), "Extensions.CustomExtensions[0].Value: " },
        { CUSTOM(ONE("1.2.3", "BQA")), "Extensions.CustomExtensions[0].Value: " },
        { CUSTOM(ONE("1.2.3", "BQB=")), "Extensions.CustomExtensions[0].Value: " },
        { CUSTOM(ONE("1.2.3", "B QA=")), "Extensions.CustomExtensions[0].Value: has a character" },
        { CUSTOM(ONE("1.2.3", "BQA=\\n")), "Extensions.CustomExtensions[0].Value: has a char" },
        { CUSTOM(ONE("1.2.3", "-_==")), "Extensions.CustomExtensions[0].Value: " },
        { CUSTOM(ONE("1.2.3", "====")), "Extensions.CustomExtensions[0].Value: " },
        { CUSTOM(ONE("1.2", "MIAAAA==")), "Extensions.CustomExtensions[0]: 1.2: indefinite" },
        { CUSTOM(ONE("2.5.29.15", "AwEA")), "Extensions.CustomExtensions[0]: keyUsage: no bit" },
        { CUSTOM(ONE("2.5.29.17", "MAA=")), "Extensions.CustomExtensions[0]: subjectAltName: " },
        { CUSTOM(ONE("1.3.6.1.4.1.11129.2.4.3", "BQA=")),
          "Extensions.CustomExtensions[0].ObjectIdentifier: a precertificate's poison" },
        { CUSTOM(ONE("1.2.3", "BQA=") "," ONE("1.2.3", "BQA=")),
          "Extensions.CustomExtensions[1]: this extension is given twice" },
        { CUSTOM(ONE("2.5.29.17", SAN) "," ONE("2.5.29.17", SAN)),
          "Extensions.CustomExtensions[1]: this extension is given twice" },
        { EXTENSIONS("\"KeyUsage\":{\"CRLSign\":true},\"CustomExtensions\":["
                     ONE("2.5.29.15", "AwIHgA==") "]"),
          "Extensions.CustomExtensions[0]: this extension is given twice" },
        { EXTENSIONS("\"SubjectAlternativeNames\":[{\"DnsName\":\"a.example\"}],"
                     "\"CustomExtensions\":[" ONE("2.5.29.17", SAN) "]"),
          "Extensions.CustomExtensions[0]: this extension is given twice" },
        { CUSTOM("{\"ObjectIdentifier\":\"1.2\",\"Value\":\"BQA=\",\"Critical\":\"true\"}"),
          "Extensions.CustomExtensions[0].Critical: must be true or false" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(rows); i++) assert_refused(f, rows[i].json, rows[i].text);
}

static void what_is_no_json_is_malformed(void **state)
{
    static const char *const rows[] = {
        "", "x", "[]", "7", "{\"Subject\":{},\"Subject\":{}}", "{} {}", "{\"Subject\":",
        "{\"Subject\":{\"CommonName\":\"\\u0000\"}}", "{\"Subject\":{\"CommonName\":\"\xff\"}}",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(parse(f, rows[i]), CA_MALFORMED);
        assert_string_equal(f->err.name, "bad-json");
        assert_int_equal(f->err.reason, CA_REASON_BAD_MEMBER);
    }
}

/* before, then count pieces with commas between, %zu in them their number, then after. */
static const char *repeat(struct fixture *f, const char *before, const char *piece, size_t count,
                          const char *between, const char *after)
{
    ca_buf_reset(&f->json);
    ca_buf_append_str(&f->json, before);
    for (size_t i = 0; i < count; i++) {
        const char *number = strstr(piece, "%zu");

        if (i > 0) ca_buf_append_str(&f->json, between);
        if (number == NULL) {
            ca_buf_append_str(&f->json, piece);
            continue;
        }
        ca_buf_append(&f->json, piece, (size_t)(number - piece));
        ca_buf_printf(&f->json, "%zu%s", i, number + 3);
    }
    ca_buf_append_str(&f->json, after);
    ca_buf_append_u8(&f->json, 0);
    assert_int_equal(f->json.failed, CA_OK);
    return (const char *)f->json.data;
}

static void limits_are_those_of_the_service(void **state)
{
    static const struct {
        const char *before, *piece, *between, *after;
        size_t max;
        const char *path;
    } rows[] = {
        { "{\"Extensions\":{\"CertificatePolicies\":[", "{\"CertPolicyId\":\"1.2.%zu\"}", ",",
          "]}}",
          20, "Extensions.CertificatePolicies: has 21 entries, not 1 to 20" },
        { "{\"Extensions\":{\"CertificatePolicies\":[{\"CertPolicyId\":\"1.2\","
          "\"PolicyQualifiers\":[",
          "{\"PolicyQualifierId\":\"CPS\",\"Qualifier\":{\"CpsUri\":\"a:%zu\"}}", ",", "]}]}}", 20,
          "Extensions.CertificatePolicies[0].PolicyQualifiers: has 21 entries, not 1 to 20" },
        { "{\"Extensions\":{\"ExtendedKeyUsage\":[",
          "{\"ExtendedKeyUsageObjectIdentifier\":\"1.2.%zu\"}",
          ",", "]}}", 20, "Extensions.ExtendedKeyUsage: has 21 entries, not 1 to 20" },
        { "{\"Extensions\":{\"SubjectAlternativeNames\":[", "{\"DnsName\":\"a%zu.example\"}", ",",
          "]}}",
          150, "Extensions.SubjectAlternativeNames: has 151 entries, not 1 to 150" },
        { "{\"Extensions\":{\"CustomExtensions\":[",
          "{\"ObjectIdentifier\":\"1.2.%zu\",\"Value\":\"BQA=\"}", ",", "]}}", 150,
          "Extensions.CustomExtensions: has 151 entries, not 1 to 150" },
        { "{\"Subject\":{\"CustomAttributes\":[",
          "{\"ObjectIdentifier\":\"1.2.%zu\",\"Value\":\"x\"}", ",",
          "]}}", 64, "Subject.CustomAttributes: has 65 attributes, not 1 to 64" },
        { "{\"Subject\":{\"CustomAttributes\":[{\"ObjectIdentifier\":\"1.2.3\",\"Value\":\"",
          "\xc3\xa4",
          "", "\"}]}}", 256,
          "Subject.CustomAttributes[0].Value: has 257 characters, not 1 to 256" },
        { "{\"Extensions\":{\"CertificatePolicies\":[{\"CertPolicyId\":\"1.2\","
          "\"PolicyQualifiers\":[{\"PolicyQualifierId\":\"CPS\",\"Qualifier\":{\"CpsUri\":\"a:",
          "x", "", "\"}}]}]}}", 254,
          "Extensions.CertificatePolicies[0].PolicyQualifiers[0].Qualifier.CpsUri: has 257 char" },
        { "{\"Extensions\":{\"CertificatePolicies\":[{\"CertPolicyId\":\"1.2", ".1", "", "\"}]}}",
          30,
          "Extensions.CertificatePolicies[0].CertPolicyId: has 65 characters, not 1 to 64" },
        /* 4096 characters: an OCTET STRING of 3068 octets, its header in whole groups of three. */
        { "{\"Extensions\":{\"CustomExtensions\":[{\"ObjectIdentifier\":\"1.2\","
          "\"Value\":\"BIIL/AAA", "AAAA",
          "", "\"}]}}", 1022, "Extensions.CustomExtensions[0].Value: has 4100 characters" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        parse_good(f, repeat(f, rows[i].before, rows[i].piece, rows[i].max, rows[i].between,
                             rows[i].after));
        assert_refused(f, repeat(f, rows[i].before, rows[i].piece, rows[i].max + 1,
                                 rows[i].between, rows[i].after), rows[i].path);
    }
}

static void the_longest_list_of_extensions_fits(void **state)
{
    struct fixture *f = *state;

    parse_good(f, repeat(f, "{\"Extensions\":{\"KeyUsage\":{\"CRLSign\":true},"
                            "\"CertificatePolicies\":[{\"CertPolicyId\":\"1.2.3\"}],"
                            "\"ExtendedKeyUsage\":[{\"ExtendedKeyUsageType\":\"CLIENT_AUTH\"}],"
                            "\"CustomExtensions\":[",
                         "{\"ObjectIdentifier\":\"1.2.%zu\",\"Value\":\"BQA=\"}", 150, ",", "]}}"));
    assert_int_equal(f->api.extension_count, CA_API_EXTENSIONS_MAX);
    assert_extension(f, 152, "1.2.149", "ASN1:NULL");
}

static void a_full_arena_is_not_the_callers_fault(void **state)
{
    struct fixture *f = *state;
    struct ca_arena small;
    size_t full = 0;

    for (size_t max = 0; max < 200; max++) {
        enum ca_status st;

        ca_arena_init(&small, 64, max);
        st = ca_api_parse(ca_bytes_str("{\"Subject\":{\"CommonName\":\"x\"},\"Extensions\":{"
                                       "\"SubjectAlternativeNames\":[{\"DnsName\":\"a.example\"}],"
                                       "\"KeyUsage\":{\"CRLSign\":true},\"CustomExtensions\":["
                                       "{\"ObjectIdentifier\":\"1.2\",\"Value\":\"BQA=\"}]}}"),
                          &small, &f->api, &f->err);
        assert_true(st == CA_OK || st == CA_FULL);
        if (st == CA_FULL) full++;
        ca_arena_clear(&small);
    }
    assert_true(full > 20 && full < 100);
}

static void canonical_json_is_compact_and_sorted(void **state)
{
    struct fixture *f = *state;
    static const char loose[] = " { \"Subject\" : {\"Organization\":\"\\u00e4\",\n"
                                "\"CommonName\":\"x\"}, \"Extensions\":{} }";
    static const char tight[] = "{\"Extensions\":{},\"Subject\":{\"CommonName\":\"x\","
                                "\"Organization\":\"\xc3\xa4\"}}";
    struct ca_buf out;

    ca_buf_init(&out, 4096);
    assert_int_equal(ca_api_canonical(ca_bytes_str(loose), &out, &f->err), CA_OK);
    ca_buf_append_u8(&out, 0);
    assert_string_equal((const char *)out.data, tight);
    ca_buf_reset(&out);
    assert_int_equal(ca_api_canonical(ca_bytes_str("[]"), &out, &f->err), CA_MALFORMED);
    assert_int_equal(f->err.reason, CA_REASON_BAD_MEMBER);
    ca_buf_clear(&out);
    ca_buf_init(&out, 4);
    assert_int_equal(ca_api_canonical(ca_bytes_str("{\"a\":1}"), &out, &f->err), CA_FULL);
    ca_buf_clear(&out);
}

/* Names of a manifest line */

static enum ca_status line_subject(struct fixture *f, const char *json, struct ca_bytes *out)
{
    return ca_line_subject_parse(ca_bytes_str(json), &f->arena, out, &f->err);
}

static enum ca_status line_san(struct fixture *f, const char *json, struct ca_bytes *out)
{
    return ca_line_san_parse(ca_bytes_str(json), &f->arena, out, &f->err);
}

static void a_line_has_a_subject_and_names_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct ca_bytes subject, san;
    const uint8_t *p;
    X509_NAME *name;
    char text[256];
    struct ca_buf printed;

    assert_int_equal(line_subject(f, "{\"CommonName\":\"x\",\"Country\":\"DE\"}", &subject), CA_OK);
    p = subject.data;
    name = d2i_X509_NAME(NULL, &p, (long)subject.len);
    assert_non_null(name);
    assert_string_equal(X509_NAME_oneline(name, text, sizeof(text)), "/C=DE/CN=x");
    X509_NAME_free(name);

    assert_int_equal(line_san(f, "[\"DNS:a.example\",{\"RegisteredId\":\"1.2.3\"},"
                                 "\"IP:2001:db8::1\",\"email:a@b.example\","
                                 "\"URI:https://a.example/\"]", &san), CA_OK);
    ca_buf_init(&printed, 4096);
    ca_san_print(san, &printed);
    ca_buf_append_u8(&printed, 0);
    assert_string_equal((const char *)printed.data,
                        "DNS:a.example, RID:1.2.3, IP:2001:db8::1, email:a@b.example, "
                        "URI:https://a.example/");
    ca_buf_clear(&printed);
    assert_int_equal(line_san(f, repeat(f, "[", "\"DNS:a%zu.example\"", 1000, ",", "]"), &san),
                     CA_OK);
}

static void bad_names_of_a_line_are_refused_by_path(void **state)
{
    static const struct {
        const char *json, *text;
        enum ca_status status;
    } subjects[] = {
        { "{}", "subject: at least one attribute", CA_REFUSED },
        { "{\"CommonName\":7}", "subject.CommonName: must be a string", CA_REFUSED },
        { "[]", "subject: not a JSON object", CA_MALFORMED },
        { "", "subject: is empty", CA_MALFORMED },
    }, names[] = {
        { "[]", "san: has 0 entries, not 1 to 1000", CA_REFUSED },
        { "[7]", "san[0]: must be an object", CA_REFUSED },
        { "[\"a.example\"]", "san[0]: must begin with DNS:", CA_REFUSED },
        { "[\"DNS:a.example\",\"DNS:a b\"]", "san[1]: dNSName a b has", CA_REFUSED },
        { "[{\"DnsName\":\"a..b\"}]", "san[0].DnsName: dNSName a..b has an empty label",
          CA_REFUSED },
        { "{}", "san: not a JSON list", CA_MALFORMED },
        { "[", "san: line 1, column 1: ", CA_MALFORMED },
    };
    struct fixture *f = *state;
    struct ca_bytes out;

    for (size_t i = 0; i < COUNT(subjects) + COUNT(names); i++) {
        bool is_san = i >= COUNT(subjects);
        const char *json = is_san ? names[i - COUNT(subjects)].json : subjects[i].json;
        const char *text = is_san ? names[i - COUNT(subjects)].text : subjects[i].text;
        enum ca_status want = is_san ? names[i - COUNT(subjects)].status : subjects[i].status;
        enum ca_status st = is_san ? line_san(f, json, &out) : line_subject(f, json, &out);

        if (strncmp(f->err.text, text, strlen(text)) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", json, f->err.text, text);
        assert_int_equal(st, want);
        assert_int_equal(f->err.status, want);
        assert_int_equal(f->err.reason, CA_REASON_BAD_MEMBER);
        assert_string_equal(f->err.name, want == CA_REFUSED ? "bad-member" : "bad-json");
    }
    assert_int_equal(line_san(f, repeat(f, "[", "\"DNS:a%zu.example\"", 1001, ",", "]"), &out),
                     CA_REFUSED);
    assert_int_equal(ca_line_san_parse(ca_bytes_str("["), &f->arena, &out, NULL), CA_MALFORMED);
    ca_arena_clear(&f->arena);
    ca_arena_init(&f->arena, 16, 8);
    assert_int_equal(line_san(f, "[\"DNS:a.example\"]", &out), CA_FULL);
    assert_int_equal(line_subject(f, "{\"CommonName\":\"x\"}", &out), CA_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_at_once_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_may_be_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(purposes_have_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_usage_is_critical_and_minimal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_custom_subject_alt_name_is_the_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused_by_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_json_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_are_those_of_the_service, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_longest_list_of_extensions_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_arena_is_not_the_callers_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(canonical_json_is_compact_and_sorted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_has_a_subject_and_names_of_its_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(bad_names_of_a_line_are_refused_by_path, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
