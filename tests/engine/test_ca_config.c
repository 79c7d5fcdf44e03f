/* CA configurations. What goes into DER is judged by OpenSSL. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/ca_config.h"

#include <openssl/conf.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ca_config parse(const char *json)
{
    struct ca_config config;
    struct ca_error err;

    if (ca_config_parse(ca_bytes_str(json), &config, &err) != CA_OK)
        fail_msg("%s: %s", json, err.text);
    return config;
}

static void assert_refused(const char *json, const char *part)
{
    struct ca_config config;
    struct ca_error err;

    if (ca_config_parse(ca_bytes_str(json), &config, &err) != CA_REFUSED)
        fail_msg("not refused: %s", json);
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_non_null(err.name);
    assert_null(config.subject.data);
    assert_null(config.csr_extensions.data);
    assert_null(config.json.data);
}

/* The rest of a configuration around a Subject. */
static void with_subject(const char *subject, char out[4096])
{
    (void)snprintf(out, 4096, "{\"KeyAlgorithm\":\"RSA_2048\","
                              "\"SigningAlgorithm\":\"SHA256WITHRSA\",\"Subject\":%s}", subject);
}

static void with_extensions(const char *extensions, char out[4096])
{
    (void)snprintf(out, 4096, "{\"KeyAlgorithm\":\"RSA_2048\","
                              "\"SigningAlgorithm\":\"SHA256WITHRSA\","
                              "\"Subject\":{\"CommonName\":\"x\"},\"CsrExtensions\":%s}",
                   extensions);
}

/* A Name as OpenSSL prints it: "C=NL/O=..." with types where they are not UTF8String. */
static void print_name(const struct ca_buf *der, char out[4096])
{
    const uint8_t *p = der->data;
    X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)der->len);
    size_t used = 0;

    assert_non_null(name);
    assert_ptr_equal(p, der->data + der->len);
    out[0] = '\0';
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        char oid[80];
        int type = ASN1_STRING_type(value);

        assert_int_equal(X509_NAME_ENTRY_set(entry), i);    /* one attribute per RDN */
        OBJ_obj2txt(oid, sizeof(oid), X509_NAME_ENTRY_get_object(entry), 1);
        used += (size_t)snprintf(out + used, 4096 - used, "%s%s=%s%.*s", i == 0 ? "" : "/", oid,
                                 type == V_ASN1_PRINTABLESTRING ? "p:"
                                     : type == V_ASN1_IA5STRING ? "i:" : "",
                                 ASN1_STRING_length(value),
                                 (const char *)ASN1_STRING_get0_data(value));
    }
    X509_NAME_free(name);
}

static void assert_subject(const char *subject, const char *expected)
{
    struct ca_config config;
    char json[4096], printed[4096];

    with_subject(subject, json);
    config = parse(json);
    print_name(&config.subject, printed);
    assert_string_equal(printed, expected);
    ca_config_clear(&config);
}

static void assert_subject_refused(const char *subject, const char *part)
{
    char json[4096];

    with_subject(subject, json);
    assert_refused(json, part);
}

/* Algorithms */

static void the_guides_configuration_is_read(void **state)
{
    struct ca_config config = parse(
        "{\n  \"KeyAlgorithm\": \"EC_256\",\n  \"SigningAlgorithm\": \"SHA256WITHECDSA\",\n"
        "  \"Subject\": {\n    \"Country\": \"US\",\n    \"Organization\": \"Example Corp\",\n"
        "    \"OrganizationalUnit\": \"IT\",\n    \"CommonName\": \"Example Root\"\n  }\n}\n");
    char printed[4096];

    (void)state;
    assert_int_equal(config.key_alg, CA_KEY_EC_P256);
    assert_int_equal(config.sig_alg, CA_SIG_ECDSA_SHA256);
    print_name(&config.subject, printed);
    assert_string_equal(printed, "2.5.4.6=p:US/2.5.4.10=Example Corp/2.5.4.11=IT/"
                                 "2.5.4.3=Example Root");
    ca_config_clear(&config);
}

static void every_key_algorithm_goes_with_its_signing_algorithms(void **state)
{
    static const char *const keys[] = { "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1",
                                        "EC_secp384r1", "EC_secp521r1", "ED25519", "EC_256",
                                        "EC_384", "EC_521" };
    static const char *const signings[] = { "SHA256WITHRSA", "SHA384WITHRSA", "SHA512WITHRSA",
                                            "SHA256WITHECDSA", "SHA384WITHECDSA",
                                            "SHA512WITHECDSA", "ED25519" };

    (void)state;
    for (size_t k = 0; k < 10; k++) {
        for (size_t s = 0; s < 7; s++) {
            char json[512];
            struct ca_config config;
            bool fits = k == 6 ? s == 6 : k < 3 ? s < 3 : s >= 3 && s < 6;

            (void)snprintf(json, sizeof(json), "{\"KeyAlgorithm\":\"%s\",\"SigningAlgorithm\":"
                           "\"%s\",\"Subject\":{\"CommonName\":\"x\"}}", keys[k], signings[s]);
            if (!fits) {
                assert_refused(json, "SigningAlgorithm: ");
                continue;
            }
            config = parse(json);
            assert_string_equal(ca_sig_alg_name(config.sig_alg), signings[s]);
            ca_config_clear(&config);
        }
    }
}

static void aliases_become_the_official_names(void **state)
{
    static const char expected[] = "{\"KeyAlgorithm\":\"EC_secp384r1\",\"SigningAlgorithm\":"
                                   "\"SHA384WITHECDSA\",\"Subject\":{\"CommonName\":\"x\"}}";
    struct ca_config config = parse("{\"Subject\":{\"CommonName\":\"x\"},\"SigningAlgorithm\":"
                                    "\"SHA384WITHECDSA\",\"KeyAlgorithm\":\"EC_384\"}");

    (void)state;
    assert_int_equal(config.json.len, strlen(expected));
    assert_memory_equal(config.json.data, expected, config.json.len);
    ca_config_clear(&config);
}

static void unknown_algorithms_are_refused_by_name(void **state)
{
    struct ca_config config;
    struct ca_error err;

    (void)state;
    assert_int_equal(ca_config_parse(ca_bytes_str(
        "{\"KeyAlgorithm\":\"RSA_1024\",\"SigningAlgorithm\":\"SHA256WITHRSA\","
        "\"Subject\":{\"CommonName\":\"x\"}}"), &config, &err), CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "key-algorithm");
    assert_non_null(strstr(err.text, "KeyAlgorithm: "));
    assert_int_equal(ca_config_parse(ca_bytes_str(
        "{\"KeyAlgorithm\":\"RSA_2048\",\"SigningAlgorithm\":\"SHA1WITHRSA\","
        "\"Subject\":{\"CommonName\":\"x\"}}"), &config, &err), CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "signing-algorithm");
}

/* JSON */

static void what_is_no_json_object_is_bad_json(void **state)
{
    static const char *const texts[] = { "", "{", "[]", "1", "null", "{} {}", "{\"a\":1,}",
                                         "{'a':1}", "{\"a\":\"\xff\"}", "{\"a\":\"\\u0000\"}",
                                         "{\"Subject\":{},\"Subject\":{}}" };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ca_config config;
        struct ca_error err;

        assert_int_equal(ca_config_parse(ca_bytes_str(texts[i]), &config, &err), CA_MALFORMED);
        assert_string_equal(ca_error_name(&err), "bad-json");
        assert_null(config.json.data);
    }
}

static void a_configuration_longer_than_the_limit_is_bad_json(void **state)
{
    char *text = calloc(1, CA_CONFIG_JSON_MAX + 2);
    struct ca_config config;
    struct ca_error err;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', CA_CONFIG_JSON_MAX + 1);
    assert_int_equal(ca_config_parse(ca_bytes_of(text, CA_CONFIG_JSON_MAX + 1), &config, &err),
                     CA_MALFORMED);
    assert_non_null(strstr(err.text, "longer than"));
    free(text);
}

static void every_member_is_known_present_and_of_its_type(void **state)
{
    (void)state;
    assert_refused("{\"KeyAlgorithm\":\"RSA_2048\",\"SigningAlgorithm\":\"SHA256WITHRSA\"}",
                   "Subject: is missing");
    assert_refused("{\"SigningAlgorithm\":\"SHA256WITHRSA\",\"Subject\":{\"CommonName\":\"x\"}}",
                   "KeyAlgorithm: is missing");
    assert_refused("{\"KeyAlgorithm\":\"RSA_2048\",\"Subject\":{\"CommonName\":\"x\"}}",
                   "SigningAlgorithm: is missing");
    assert_refused("{\"KeyAlgorithm\":2048,\"SigningAlgorithm\":\"SHA256WITHRSA\",\"Subject\":{}}",
                   "KeyAlgorithm: must be a string");
    assert_refused("{\"KeyAlgorithm\":\"RSA_2048\",\"SigningAlgorithm\":\"SHA256WITHRSA\","
                   "\"Subject\":null}", "Subject: must be an object");
    assert_refused("{\"keyAlgorithm\":\"RSA_2048\",\"SigningAlgorithm\":\"SHA256WITHRSA\","
                   "\"Subject\":{\"CommonName\":\"x\"}}", "keyAlgorithm: unknown member");
    assert_subject_refused("{\"Comonname\":\"x\"}", "Subject.Comonname: unknown member");
    assert_subject_refused("{\"CommonName\":7}", "Subject.CommonName: must be a string");
}

/* Subject */

static void attributes_stand_in_the_order_of_the_api_whatever_the_json_says(void **state)
{
    (void)state;
    assert_subject("{\"GenerationQualifier\":\"Jr\",\"Pseudonym\":\"P\",\"Initials\":\"AB\","
                   "\"GivenName\":\"G\",\"Surname\":\"S\",\"Title\":\"T\",\"Locality\":\"L\","
                   "\"SerialNumber\":\"7\",\"CommonName\":\"CN\",\"State\":\"ST\","
                   "\"DistinguishedNameQualifier\":\"Q\",\"OrganizationalUnit\":\"OU\","
                   "\"Organization\":\"O\",\"Country\":\"NL\"}",
                   "2.5.4.6=p:NL/2.5.4.10=O/2.5.4.11=OU/2.5.4.46=p:Q/2.5.4.8=ST/2.5.4.3=CN/"
                   "2.5.4.5=p:7/2.5.4.7=L/2.5.4.12=T/2.5.4.4=S/2.5.4.42=G/2.5.4.43=AB/"
                   "2.5.4.65=P/2.5.4.44=Jr");
    assert_subject("{\"CommonName\":\"Zo\xc3\xab \\u00c5\"}", "2.5.4.3=Zo\xc3\xab \xc3\x85");
}

static void a_subject_has_at_least_one_attribute_and_none_is_empty(void **state)
{
    (void)state;
    assert_subject_refused("{}", "Subject: at least one attribute");
    assert_subject_refused("{\"CommonName\":\"\"}", "Subject.CommonName: is empty");
}

static void values_that_do_not_fit_their_attribute_are_refused_with_their_path(void **state)
{
    (void)state;
    assert_subject_refused("{\"Country\":\"NLD\"}", "Subject.Country: ");
    assert_subject_refused("{\"Country\":\"N1\"}", "Subject.Country: ");
    assert_subject_refused("{\"Initials\":\"ABCDEF\"}", "Subject.Initials: ");
    assert_subject_refused("{\"GenerationQualifier\":\"IIII\"}", "Subject.GenerationQualifier: ");
    assert_subject_refused("{\"SerialNumber\":\"a_b\"}", "Subject.SerialNumber: ");
    assert_subject_refused("{\"CommonName\":\"a\\nb\"}", "Subject.CommonName: ");
    assert_subject_refused("{\"CommonName\":\"1234567890123456789012345678901234567890123456789012"
                           "3456789012345\"}", "Subject.CommonName: ");
}

static void custom_attributes_keep_their_order_and_may_repeat(void **state)
{
    (void)state;
    assert_subject("{\"CustomAttributes\":[{\"ObjectIdentifier\":\"0.9.2342.19200300.100.1.25\","
                   "\"Value\":\"org\"},{\"ObjectIdentifier\":\"0.9.2342.19200300.100.1.25\","
                   "\"Value\":\"example\"},{\"ObjectIdentifier\":\"2.5.4.3\",\"Value\":\"x\"},"
                   "{\"Value\":\"y\",\"ObjectIdentifier\":\"1.3.6.1.4.1.37244.1.3\"}]}",
                   "0.9.2342.19200300.100.1.25=i:org/0.9.2342.19200300.100.1.25=i:example/"
                   "2.5.4.3=x/1.3.6.1.4.1.37244.1.3=y");
}

static void custom_attributes_stand_alone_and_are_checked(void **state)
{
    (void)state;
    assert_subject_refused("{\"CommonName\":\"x\",\"CustomAttributes\":[{\"ObjectIdentifier\":"
                           "\"2.5.4.10\",\"Value\":\"y\"}]}", "cannot stand beside");
    assert_subject_refused("{\"CustomAttributes\":[]}", "Subject.CustomAttributes: ");
    assert_subject_refused("{\"CustomAttributes\":{}}", "Subject.CustomAttributes: must be a list");
    assert_subject_refused("{\"CustomAttributes\":[7]}",
                           "Subject.CustomAttributes[0]: must be an object");
    assert_subject_refused("{\"CustomAttributes\":[{\"ObjectIdentifier\":\"2.5.4.3\"}]}",
                           "Subject.CustomAttributes[0].Value: is missing");
    assert_subject_refused("{\"CustomAttributes\":[{\"ObjectIdentifier\":\"2.5.4.3\","
                           "\"Value\":\"\"}]}", "Subject.CustomAttributes[0].Value: ");
    assert_subject_refused("{\"CustomAttributes\":[{\"ObjectIdentifier\":\"2.5.4.3\","
                           "\"Value\":\"x\"},{\"ObjectIdentifier\":\"2.5.4.03\",\"Value\":\"x\"}]}",
                           "Subject.CustomAttributes[1]");
    assert_subject_refused("{\"CustomAttributes\":[{\"ObjectIdentifier\":\"1.2.3.4.5.6.7.8.9.10.11."
                           "12.13.14.15.16.17.18.19.20.21.22.23.24.25.26\",\"Value\":\"x\"}]}",
                           "Subject.CustomAttributes[0].ObjectIdentifier: ");
    assert_subject_refused("{\"CustomAttributes\":[{\"ObjectIdentifier\":\"2.5.4.3\","
                           "\"Value\":\"x\",\"Type\":\"UTF8\"}]}",
                           "Subject.CustomAttributes[0].Type: unknown member");
}

static void custom_attributes_have_a_limit_of_number_and_length(void **state)
{
    struct ca_config config;
    struct ca_error err;
    struct ca_buf json;

    (void)state;
    ca_buf_init(&json, 65536);
    for (size_t count = 64; count <= 65; count++) {
        ca_buf_reset(&json);
        ca_buf_append_str(&json, "{\"KeyAlgorithm\":\"RSA_2048\",\"SigningAlgorithm\":"
                                 "\"SHA256WITHRSA\",\"Subject\":{\"CustomAttributes\":[");
        for (size_t i = 0; i < count; i++) {
            ca_buf_printf(&json, "%s{\"ObjectIdentifier\":\"2.5.4.11\",\"Value\":\"u%zu\"}",
                          i == 0 ? "" : ",", i);
        }
        ca_buf_append_str(&json, "]}}");
        assert_int_equal(ca_config_parse(ca_buf_view(&json), &config, &err),
                         count == 64 ? CA_OK : CA_REFUSED);
        ca_config_clear(&config);
    }
    assert_non_null(strstr(err.text, "65 attributes"));
    /* 40 values of 240 octets each. */
    ca_buf_reset(&json);
    ca_buf_append_str(&json, "{\"KeyAlgorithm\":\"RSA_2048\",\"SigningAlgorithm\":"
                             "\"SHA256WITHRSA\",\"Subject\":{\"CustomAttributes\":[");
    for (size_t i = 0; i < 40; i++) {
        ca_buf_printf(&json, "%s{\"ObjectIdentifier\":\"1.2.3.4\",\"Value\":\"%0240zu\"}",
                      i == 0 ? "" : ",", i);
    }
    ca_buf_append_str(&json, "]}}");
    assert_int_equal(ca_config_parse(ca_buf_view(&json), &config, &err), CA_REFUSED);
    assert_non_null(strstr(err.text, "more than 8192"));
    ca_buf_clear(&json);
}

/* CsrExtensions */

/* The extensions of a configuration as OpenSSL reads them. */
static STACK_OF(X509_EXTENSION) *extensions_of(const struct ca_config *config)
{
    STACK_OF(X509_EXTENSION) *list;
    struct ca_buf whole;
    const uint8_t *p;

    ca_buf_init(&whole, 65536);
    ca_buf_append_u8(&whole, 0x30);
    assert_true(config->csr_extensions.len < 0x10000);
    ca_buf_append_u8(&whole, 0x82);
    ca_buf_append_u8(&whole, (uint8_t)(config->csr_extensions.len >> 8));
    ca_buf_append_u8(&whole, (uint8_t)config->csr_extensions.len);
    ca_buf_append_bytes(&whole, ca_buf_view(&config->csr_extensions));
    p = whole.data;
    list = d2i_X509_EXTENSIONS(NULL, &p, (long)whole.len);
    assert_non_null(list);
    assert_ptr_equal(p, whole.data + whole.len);
    ca_buf_clear(&whole);
    return list;
}

static void print_extension(const STACK_OF(X509_EXTENSION) *list, int at, char out[1024])
{
    X509_EXTENSION *extension = sk_X509_EXTENSION_value(list, at);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;
    int used;

    assert_non_null(extension);
    used = snprintf(out, 1024, "%s%s: ",
                    OBJ_nid2sn(OBJ_obj2nid(X509_EXTENSION_get_object(extension))),
                    X509_EXTENSION_get_critical(extension) ? " critical" : "");
    assert_int_equal(X509V3_EXT_print(bio, extension, X509V3_EXT_ERROR_UNKNOWN, 0), 1);
    len = BIO_get_mem_data(bio, &text);
    (void)snprintf(out + used, 1024 - (size_t)used, "%.*s", (int)len, text);
    BIO_free(bio);
}

static void assert_extensions(const char *json_extensions, int count, int at, const char *printed)
{
    STACK_OF(X509_EXTENSION) *list;
    struct ca_config config;
    char json[4096], out[1024];

    with_extensions(json_extensions, json);
    config = parse(json);
    list = extensions_of(&config);
    assert_int_equal(sk_X509_EXTENSION_num(list), count);
    print_extension(list, 0, out);
    assert_string_equal(out, "basicConstraints critical: CA:TRUE");
    print_extension(list, at, out);
    assert_string_equal(out, printed);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    ca_config_clear(&config);
}

static void the_request_always_says_that_it_is_for_a_ca(void **state)
{
    STACK_OF(X509_EXTENSION) *list;
    struct ca_config config;
    char json[4096], out[1024];

    (void)state;
    with_subject("{\"CommonName\":\"x\"}", json);
    config = parse(json);
    list = extensions_of(&config);
    assert_int_equal(sk_X509_EXTENSION_num(list), 1);
    print_extension(list, 0, out);
    assert_string_equal(out, "basicConstraints critical: CA:TRUE");
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    ca_config_clear(&config);
    assert_extensions("{}", 1, 0, "basicConstraints critical: CA:TRUE");
}

static void key_usage_has_nine_booleans(void **state)
{
    (void)state;
    assert_extensions("{\"KeyUsage\":{\"KeyCertSign\":true,\"CRLSign\":true,"
                      "\"DigitalSignature\":false}}", 2, 1,
                      "keyUsage critical: Certificate Sign, CRL Sign");
    assert_extensions("{\"KeyUsage\":{\"DigitalSignature\":true,\"NonRepudiation\":true,"
                      "\"KeyEncipherment\":true,\"DataEncipherment\":true,\"KeyAgreement\":true,"
                      "\"KeyCertSign\":true,\"CRLSign\":true,\"EncipherOnly\":true,"
                      "\"DecipherOnly\":true}}", 2, 1,
                      "keyUsage critical: Digital Signature, Non Repudiation, Key Encipherment, "
                      "Data Encipherment, Key Agreement, Certificate Sign, CRL Sign, "
                      "Encipher Only, Decipher Only");
    assert_extensions("{\"KeyUsage\":{\"CRLSign\":false}}", 1, 0,
                      "basicConstraints critical: CA:TRUE");
}

#define LOCATION(form) "{\"SubjectInformationAccess\":[{\"AccessMethod\":{\"AccessMethodType\":"   \
                       "\"CA_REPOSITORY\"},\"AccessLocation\":{" form "}}]}"

/* The second extension is the one that OpenSSL makes from its own configuration syntax. */
static void assert_access(const char *json_extensions, const char *openssl_syntax)
{
    static const char section[] = "[person]\nC = NL\nCN = x\n";
    STACK_OF(X509_EXTENSION) *list;
    X509_EXTENSION *theirs, *ours;
    BIO *bio = BIO_new_mem_buf(section, -1);
    CONF *conf = NCONF_new(NULL);
    struct ca_config config;
    char json[4096];
    uint8_t *a = NULL, *b = NULL;
    X509V3_CTX ctx;
    long line = 0;
    int len;

    assert_int_equal(NCONF_load_bio(conf, bio, &line), 1);
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    X509V3_set_nconf(&ctx, conf);
    ASN1_STRING_set_default_mask(B_ASN1_UTF8STRING);
    theirs = X509V3_EXT_nconf_nid(conf, &ctx, NID_sinfo_access, openssl_syntax);
    assert_non_null(theirs);
    with_extensions(json_extensions, json);
    config = parse(json);
    list = extensions_of(&config);
    assert_int_equal(sk_X509_EXTENSION_num(list), 2);
    ours = sk_X509_EXTENSION_value(list, 1);
    len = i2d_X509_EXTENSION(theirs, &a);
    assert_int_equal(i2d_X509_EXTENSION(ours, &b), len);
    assert_memory_equal(a, b, (size_t)len);
    OPENSSL_free(a);
    OPENSSL_free(b);
    X509_EXTENSION_free(theirs);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    ca_config_clear(&config);
    NCONF_free(conf);
    BIO_free(bio);
}

static void subject_information_access_takes_every_method_and_name(void **state)
{
    (void)state;
    assert_access("{\"SubjectInformationAccess\":["
                  "{\"AccessMethod\":{\"AccessMethodType\":\"CA_REPOSITORY\"},"
                  "\"AccessLocation\":{\"UniformResourceIdentifier\":"
                  "\"https://repo.example/\"}},"
                  "{\"AccessMethod\":{\"AccessMethodType\":\"RESOURCE_PKI_MANIFEST\"},"
                  "\"AccessLocation\":{\"DnsName\":\"a.example\"}},"
                  "{\"AccessMethod\":{\"AccessMethodType\":\"RESOURCE_PKI_NOTIFY\"},"
                  "\"AccessLocation\":{\"IpAddress\":\"192.0.2.1\"}},"
                  "{\"AccessMethod\":{\"CustomObjectIdentifier\":\"1.2.3.4\"},"
                  "\"AccessLocation\":{\"IpAddress\":\"2001:db8::1\"}}]}",
                  "1.3.6.1.5.5.7.48.5;URI:https://repo.example/,"
                  "1.3.6.1.5.5.7.48.10;DNS:a.example,1.3.6.1.5.5.7.48.13;IP:192.0.2.1,"
                  "1.2.3.4;IP:2001:db8::1");
    assert_access(LOCATION("\"Rfc822Name\":\"ca@example.org\""),
                  "caRepository;email:ca@example.org");
    assert_access(LOCATION("\"RegisteredId\":\"1.2.3.4\""), "caRepository;RID:1.2.3.4");
    assert_access(LOCATION("\"DirectoryName\":{\"CommonName\":\"x\",\"Country\":\"NL\"}"),
                  "caRepository;dirName:person");
    assert_access(LOCATION("\"OtherName\":{\"TypeId\":\"1.3.6.1.4.1.311.20.2.3\","
                           "\"Value\":\"ca@example.org\"}"),
                  "caRepository;otherName:1.3.6.1.4.1.311.20.2.3;UTF8:ca@example.org");
}

static void csr_extensions_without_sense_are_refused_with_their_path(void **state)
{
    static const struct { const char *json; const char *part; } rows[] = {
        { "{\"SubjectKeyIdentifier\":true}", "CsrExtensions.SubjectKeyIdentifier: unknown" },
        { "{\"KeyUsage\":{\"keyCertSign\":true}}", "CsrExtensions.KeyUsage.keyCertSign: unknown" },
        { "{\"KeyUsage\":{\"KeyCertSign\":1}}",
          "CsrExtensions.KeyUsage.KeyCertSign: must be true" },
        { "{\"SubjectInformationAccess\":[]}", "CsrExtensions.SubjectInformationAccess: is empty" },
        { "{\"SubjectInformationAccess\":[{}]}",
          "CsrExtensions.SubjectInformationAccess[0].AccessMethod: is missing" },
        { "{\"SubjectInformationAccess\":[{\"AccessMethod\":{\"AccessMethodType\":"
          "\"CA_REPOSITORY\",\"CustomObjectIdentifier\":\"1.2.3\"},"
          "\"AccessLocation\":{\"DnsName\":\"a.b\"}}]}",
          "exactly one member" },
        { "{\"SubjectInformationAccess\":[{\"AccessMethod\":{},"
          "\"AccessLocation\":{\"DnsName\":\"a.b\"}}]}", "exactly one member" },
        { "{\"SubjectInformationAccess\":[{\"AccessMethod\":{\"AccessMethodType\":\"REPOSITORY\"},"
          "\"AccessLocation\":{\"DnsName\":\"a.b\"}}]}", "must be CA_REPOSITORY" },
        { "{\"SubjectInformationAccess\":[{\"AccessMethod\":{\"CustomObjectIdentifier\":\"1\"},"
          "\"AccessLocation\":{\"DnsName\":\"a.b\"}}]}", "CustomObjectIdentifier: " },
        { LOCATION(""), "exactly one member" },
        { LOCATION("\"DnsName\":\"a.b\",\"IpAddress\":\"192.0.2.1\""), "exactly one member" },
        { LOCATION("\"IpAddress\":\"192.0.2.256\""), "AccessLocation.IpAddress: " },
        { LOCATION("\"DnsName\":\"\""), "AccessLocation.DnsName: " },
        { LOCATION("\"DnsName\":\"a b\""), "AccessLocation.DnsName: " },
        { LOCATION("\"RegisteredId\":\"9.1\""), "AccessLocation.RegisteredId: " },
        { LOCATION("\"DirectoryName\":{}"), "AccessLocation.DirectoryName: " },
        { LOCATION("\"OtherName\":{\"TypeId\":\"1.2.3\"}"), "Value: is missing" },
        { LOCATION("\"EdiPartyName\":{\"NameAssigner\":\"x\"}"), "PartyName: is missing" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char json[4096];

        with_extensions(rows[i].json, json);
        assert_refused(json, rows[i].part);
    }
}

static void the_canonical_json_reads_back_to_itself(void **state)
{
    struct ca_config first, second;
    char json[4096];

    (void)state;
    with_extensions(LOCATION("\"DnsName\":\"a.example\""), json);
    first = parse(json);
    assert_int_equal(ca_config_parse(ca_buf_view(&first.json), &second, NULL), CA_OK);
    assert_true(ca_bytes_equal(ca_buf_view(&first.json), ca_buf_view(&second.json)));
    assert_true(ca_bytes_equal(ca_buf_view(&first.csr_extensions),
                               ca_buf_view(&second.csr_extensions)));
    ca_config_clear(&first);
    ca_config_clear(&second);
}

/* Tags and tokens */

static void tags_have_their_alphabet_and_lengths(void **state)
{
    static const char *const keys[] = { "k", "Cost Center", "a_b.c:d/e=f+g-h@i", "Z\xc3\xbcrich",
                                        "\xe6\x9d\xb1\xe4\xba\xac", "awsome", "AW:x" };
    static const char *const bad[] = { "", "a*b", "a,b", "a\tb", "a\nb", "a#b", "\xff", "a\xc3",
                                       "aws:x", "AWS:x", "aws:", "a\"b" };
    char key[130], value[258];

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(ca_tag_check(keys[i], "", NULL), CA_OK);
        assert_int_equal(ca_tag_check("k", keys[i], NULL), CA_OK);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ca_error err;

        assert_int_equal(ca_tag_check(bad[i], "v", &err), CA_REFUSED);
        assert_string_equal(ca_error_name(&err), "tag");
    }
    assert_int_equal(ca_tag_check("k", "a*b", NULL), CA_REFUSED);
    assert_int_equal(ca_tag_check("k", "aws:allowed in values", NULL), CA_OK);
    memset(key, 'k', sizeof(key));
    memset(value, 'v', sizeof(value));
    key[128] = '\0';
    value[256] = '\0';
    assert_int_equal(ca_tag_check(key, value, NULL), CA_OK);
    key[128] = 'k';
    key[129] = '\0';
    assert_int_equal(ca_tag_check(key, value, NULL), CA_REFUSED);
    key[128] = '\0';
    value[256] = 'v';
    value[257] = '\0';
    assert_int_equal(ca_tag_check(key, value, NULL), CA_REFUSED);
}

static void tokens_have_1_to_36_characters_up_to_u00ff(void **state)
{
    static const char *const good[] = { "a", "01234567-0123-0123-0123-0123456789ab", " \t\r\n",
                                        "\xc2\x80", "\xc3\xbf", "~\x7f",
        /* 36 characters in 72 octets */
        "\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf"
        "\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf"
        "\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf\xc3\xbf"
        "\xc3\xbf\xc3\xbf\xc3\xbf" };
    static const char *const bad[] = { "", "01234567-0123-0123-0123-0123456789abc", "\x01", "\x0b",
                                       "\xc4\x80", "\xe2\x82\xac", "\xff", "a\xc3", "\x80",
                                       "\xc3\x61", "\xc1\xbf" };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(ca_token_check(good[i], NULL), CA_OK);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ca_error err;

        assert_int_equal(ca_token_check(bad[i], &err), CA_REFUSED);
        assert_string_equal(ca_error_name(&err), "idempotency-token");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guides_configuration_is_read),
        cmocka_unit_test(every_key_algorithm_goes_with_its_signing_algorithms),
        cmocka_unit_test(aliases_become_the_official_names),
        cmocka_unit_test(unknown_algorithms_are_refused_by_name),
        cmocka_unit_test(what_is_no_json_object_is_bad_json),
        cmocka_unit_test(a_configuration_longer_than_the_limit_is_bad_json),
        cmocka_unit_test(every_member_is_known_present_and_of_its_type),
        cmocka_unit_test(attributes_stand_in_the_order_of_the_api_whatever_the_json_says),
        cmocka_unit_test(a_subject_has_at_least_one_attribute_and_none_is_empty),
        cmocka_unit_test(values_that_do_not_fit_their_attribute_are_refused_with_their_path),
        cmocka_unit_test(custom_attributes_keep_their_order_and_may_repeat),
        cmocka_unit_test(custom_attributes_stand_alone_and_are_checked),
        cmocka_unit_test(custom_attributes_have_a_limit_of_number_and_length),
        cmocka_unit_test(the_request_always_says_that_it_is_for_a_ca),
        cmocka_unit_test(key_usage_has_nine_booleans),
        cmocka_unit_test(subject_information_access_takes_every_method_and_name),
        cmocka_unit_test(csr_extensions_without_sense_are_refused_with_their_path),
        cmocka_unit_test(the_canonical_json_reads_back_to_itself),
        cmocka_unit_test(tags_have_their_alphabet_and_lengths),
        cmocka_unit_test(tokens_have_1_to_36_characters_up_to_u00ff),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
