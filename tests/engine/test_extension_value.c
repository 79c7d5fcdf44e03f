/* What OpenSSL makes from its configuration syntax is accepted; what is accepted, OpenSSL reads
 * whole and writes again with the same octets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ext.h"
#include "engine/extension_value.h"

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define VALUE_MAX 4096

/* A small generator of our own, so that a failure repeats. */
static uint64_t random_state = 0xa0761d6478bd642f;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

struct value {
    struct ca_bytes oid;
    uint8_t octets[VALUE_MAX];
    size_t len;
    X509_EXTENSION *extension;
};

/* From a line of OpenSSL's configuration, with the sections that it needs. */
static void by_openssl(const char *name, const char *text, struct value *out)
{
    static const char sections[] =
        "[dn]\nC=DE\nO=Example\nCN=Root\n"
        "[point]\nfullname=URI:http://a.example/c.crl\nCRLissuer=dirName:dn\n"
        "[partial]\nfullname=URI:http://a.example/k.crl\nreasons=keyCompromise,CACompromise\n"
        "[whole]\nfullname=URI:http://a.example/c.crl,URI:http://b.example/c.crl\n"
        "[policy]\npolicyIdentifier=1.3.5.8\nCPS.1=http://a.example/cps\nuserNotice.1=@notice\n"
        "[notice]\nexplicitText=UTF8:Not for money\norganization=UTF8:Example\n"
        "noticeNumbers=1,2\n";
    BIO *bio = BIO_new_mem_buf(sections, -1);
    CONF *conf = NCONF_new(NULL);
    X509V3_CTX ctx;
    const ASN1_OCTET_STRING *data;
    const ASN1_OBJECT *object;
    long line = 0;

    assert_true(NCONF_load_bio(conf, bio, &line) > 0);
    BIO_free(bio);
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    X509V3_set_nconf(&ctx, conf);
    out->extension = X509V3_EXT_nconf(conf, &ctx, name, text);
    if (out->extension == NULL) {
        ERR_print_errors_fp(stderr);
        fail_msg("OpenSSL does not make %s = %s", name, text);
        return;
    }
    NCONF_free(conf);
    object = X509_EXTENSION_get_object(out->extension);
    out->oid = ca_bytes_of(OBJ_get0_data(object), OBJ_length(object));
    data = X509_EXTENSION_get_data(out->extension);
    out->len = (size_t)ASN1_STRING_length(data);
    assert_true(out->len <= VALUE_MAX);
    memcpy(out->octets, ASN1_STRING_get0_data(data), out->len);
}

/* The check on a copy that ends where the value ends. */
static enum ca_status check(struct ca_bytes oid, const uint8_t *octets, size_t len,
                            struct ca_error *err)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    enum ca_status st;

    assert_non_null(copy);
    if (len > 0) memcpy(copy, octets, len);
    st = ca_extension_value_check(oid, ca_bytes_of(copy, len), err);
    free(copy);
    return st;
}

static const struct {
    const char *name, *text;
} good[] = {
    { "basicConstraints", "CA:FALSE" },
    { "basicConstraints", "critical,CA:TRUE" },
    { "basicConstraints", "CA:TRUE,pathlen:0" },
    { "basicConstraints", "CA:TRUE,pathlen:300" },
    { "keyUsage", "digitalSignature" },
    { "keyUsage", "decipherOnly" },
    { "keyUsage", "keyCertSign,cRLSign" },
    { "keyUsage", "digitalSignature,nonRepudiation,keyEncipherment,dataEncipherment,keyAgreement,"
                  "keyCertSign,cRLSign,encipherOnly,decipherOnly" },
    { "extendedKeyUsage", "serverAuth" },
    { "extendedKeyUsage", "critical,clientAuth,1.2.3.4,anyExtendedKeyUsage" },
    { "subjectKeyIdentifier", "00112233" },
    { "subjectAltName", "DNS:a.example,IP:192.0.2.1,email:a@b.example,URI:https://a.example/,"
                        "RID:1.2.3,otherName:1.2.3;UTF8:x,dirName:dn" },
    { "issuerAltName", "DNS:a.example" },
    { "certificatePolicies", "1.2.3.4" },
    { "certificatePolicies", "2.5.29.32.0,1.2.3" },
    { "certificatePolicies", "1.2.3,@policy" },
    { "certificatePolicies", "ia5org,1.2.3,@policy" },
    { "crlDistributionPoints", "URI:http://a.example/c.crl" },
    { "crlDistributionPoints", "whole" },
    { "crlDistributionPoints", "point" },
    { "crlDistributionPoints", "whole,partial" },
    { "crlDistributionPoints", "URI:ldap:///cn=a%2Cdc=example?certificateRevocationList" },
    { "crlDistributionPoints", "URI:LDAPS:///cn=a" },
    { "freshestCRL", "URI:http://a.example/d.crl" },
    { "authorityInfoAccess", "OCSP;URI:http://a.example/" },
    { "authorityInfoAccess",
      "OCSP;URI:http://a.example/,caIssuers;URI:ldap:///cn=a?cACertificate" },
    { "subjectInfoAccess", "caRepository;URI:rsync://a.example/r" },
    { "nameConstraints", "critical,permitted;DNS:example.com" },
    { "nameConstraints", "permitted;IP:10.0.0.0/255.0.0.0,excluded;email:.example.com,"
                         "excluded;email:a@example.com,excluded;URI:.example.com,"
                         "permitted;dirName:dn" },
    { "nameConstraints", "excluded;IP:2001:db8::/ffff:ffff::" },
    { "2.5.29.30", "DER:3006A10430028200" },
    { "nameConstraints", "permitted;email:example.com,excluded;IP:0.0.0.0/0.0.0.0" },
    { "policyMappings", "1.2.3:1.2.4,1.2.5:1.2.6" },
    { "policyConstraints", "requireExplicitPolicy:0" },
    { "policyConstraints", "inhibitPolicyMapping:3" },
    { "policyConstraints", "requireExplicitPolicy:200,inhibitPolicyMapping:0" },
    { "inhibitAnyPolicy", "2" },
    { "tlsfeature", "status_request" },
    { "tlsfeature", "5,17" },
    { "noCheck", "ignored" },
    { "1.3.6.1.4.1.11129.2.4.3", "DER:0500" },
    { "2.5.29.56", "DER:0500" },
    { "2.5.29.35", "DER:30068004AABBCCDD" },
    { "2.5.29.35", "DER:3016A110A40E300C310A300806035504030C0141820200FF" },
    { "2.5.29.16", "DER:3022800F32303236303130313030303030305A810F32303530303130313030303030305A" },
    { "2.5.29.16", "DER:3011800F31393530303130313030303030305A" },
    { "2.5.29.9", "DER:3011300F06082B060105050709043103130144" },
};

static void what_openssl_makes_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct value value;
        struct ca_error err = { .status = CA_OK };

        by_openssl(good[i].name, good[i].text, &value);
        if (check(value.oid, value.octets, value.len, &err) != CA_OK)
            fail_msg("%s = %s: %s", good[i].name, good[i].text, err.text);
        X509_EXTENSION_free(value.extension);
    }
}

/* OpenSSL reads the value whole, and what it read it writes with the same octets. */
static bool openssl_agrees(struct ca_bytes oid, const uint8_t *octets, size_t len)
{
    ASN1_OBJECT *object;
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;
    const X509V3_EXT_METHOD *method;
    uint8_t header[2 + 64], *again = NULL;
    const uint8_t *p = header;
    void *read;
    int again_len = -1;

    header[0] = 6;
    header[1] = (uint8_t)oid.len;
    memcpy(header + 2, oid.data, oid.len);
    object = d2i_ASN1_OBJECT(NULL, &p, (long)oid.len + 2);
    assert_non_null(object);
    assert_int_equal(ASN1_OCTET_STRING_set(data, octets, (int)len), 1);
    extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, data);
    assert_non_null(extension);
    method = X509V3_EXT_get(extension);
    read = method == NULL ? NULL : X509V3_EXT_d2i(extension);
    if (read != NULL && method->it != NULL) {
        again_len = ASN1_item_i2d(read, &again, ASN1_ITEM_ptr(method->it));
        ASN1_item_free(read, ASN1_ITEM_ptr(method->it));
    } else if (read != NULL) {
        again_len = method->i2d(read, &again);
        method->ext_free(read);
    }
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(data);
    ASN1_OBJECT_free(object);
    ERR_clear_error();
    if (method == NULL) {
        OPENSSL_free(again);
        return true;                    /* unknown to OpenSSL: no opinion */
    }
    read = again_len == (int)len && memcmp(again, octets, len) == 0 ? again : NULL;
    OPENSSL_free(again);
    return read != NULL;
}

static size_t mutate(uint8_t *octets, size_t len)
{
    size_t at = len == 0 ? 0 : next_random() % len;

    switch (next_random() % 5) {
    case 0: if (len > 0) octets[at] = (uint8_t)next_random(); break;
    case 1: if (len > 0) octets[at] = (uint8_t)(octets[at] ^ (1u << (next_random() % 8))); break;
    case 2: if (len > 0) octets[at] = (uint8_t)(octets[at] + (next_random() % 2 == 0 ? 1 : 255));
        break;
    case 3:                             /* an octet less, the lengths around it as they were */
        if (len == 0) break;
        memmove(octets + at, octets + at + 1, len - at - 1);
        return len - 1;
    default:
        if (len == VALUE_MAX) break;
        memmove(octets + at + 1, octets + at, len - at);
        octets[at] = (uint8_t)next_random();
        return len + 1;
    }
    return len;
}

static void what_is_accepted_openssl_reads_and_writes_alike(void **state)
{
    size_t accepted = 0, refused = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct value value;

        by_openssl(good[i].name, good[i].text, &value);
        assert_true(openssl_agrees(value.oid, value.octets, value.len));
        for (size_t round = 0; round < 1000; round++) {
            uint8_t octets[VALUE_MAX];
            size_t len = value.len;
            struct ca_error err = { .status = CA_OK };

            memcpy(octets, value.octets, len);
            for (uint64_t n = next_random() % 3 + 1; n > 0; n--) len = mutate(octets, len);
            if (check(value.oid, octets, len, &err) == CA_OK) {
                accepted++;
                if (!openssl_agrees(value.oid, octets, len)) {
                    for (size_t k = 0; k < len; k++) print_message("%02x", octets[k]);
                    fail_msg(": %s, accepted", good[i].name);
                }
            } else {
                refused++;
                assert_int_equal(err.status, CA_REFUSED);
                assert_int_equal(err.reason, CA_REASON_PASSTHROUGH_REFUSED);
            }
        }
        X509_EXTENSION_free(value.extension);
    }
    /* The mutants are neither all nonsense nor all harmless. */
    assert_true(accepted > 1000 && refused > 10000);
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t len = 0;

    assert_int_equal(ca_hex_decode(hex, out, VALUE_MAX, &len, NULL), CA_OK);
    return len;
}

static void what_rfc_5280_forbids_is_refused_by_name(void **state)
{
    static const struct {
        const struct ca_bytes *oid;
        const char *hex, *text;
    } bad[] = {
        { &ca_oid_basic_constraints, "3003010100", "basicConstraints: cA is FALSE" },
        { &ca_oid_basic_constraints, "3003020100", "basicConstraints: a path length without cA" },
        { &ca_oid_basic_constraints, "30060101ff0201ff",
          "basicConstraints: the path length is neg" },
        { &ca_oid_basic_constraints, "30070101ff02020001",
          "basicConstraints: the path length is no" },
        { &ca_oid_basic_constraints, "30030101ff00", "basicConstraints: 1 octets too many" },
        { &ca_oid_key_usage, "030100", "keyUsage: no bit is set" },
        { &ca_oid_key_usage, "03020000", "keyUsage: the BIT STRING ends in zero bits" },
        { &ca_oid_key_usage, "03020780", NULL },
        { &ca_oid_key_usage, "03020080", "keyUsage: the BIT STRING ends in zero bits" },
        { &ca_oid_key_usage, "03030080" "00", "keyUsage: the BIT STRING ends in zero bits" },
        { &ca_oid_key_usage, "0303070080", NULL },
        { &ca_oid_key_usage, "0303060040", "keyUsage: a bit is set that has no name" },
        { &ca_oid_key_usage, "030205a1", "keyUsage: the BIT STRING is not well-formed" },
        { &ca_oid_key_usage, "030208a0", "keyUsage: the BIT STRING is not well-formed" },
        { &ca_oid_key_usage, "0300", "keyUsage: the BIT STRING is not well-formed" },
        { &ca_oid_ext_key_usage, "3000", "extKeyUsage: the value is an empty SEQUENCE" },
        { &ca_oid_ext_key_usage, "300606012a06012a", "extKeyUsage: an entry stands twice" },
        { &ca_oid_subject_key_identifier, "0400",
          "subjectKeyIdentifier: the key identifier is em" },
        { &ca_oid_subject_alt_name, "3000", "subjectAltName: the subjectAltName has no names" },
        { &ca_oid_subject_alt_name, "3004820241ff", "subjectAltName: dNSName has octet ff" },
        { &ca_oid_issuer_alt_name, "300482022d2d", "issuerAltName: " },
        { &ca_oid_certificate_policies, "3000", "certificatePolicies: the value is an empty" },
        { &ca_oid_certificate_policies, "300a300306012a300306012a",
          "certificatePolicies: an entry stands twice" },
        { &ca_oid_certificate_policies, "3007300506012a3000",
          "certificatePolicies: a list of qualifiers is empty" },
        { &ca_oid_certificate_policies, "300c300a06012a30053003" "06012a",
          "certificatePolicies: a qualifier is neither" },
        { &ca_oid_certificate_policies, "3016301406012a300f300d06082b060105050702011601" "78",
          "certificatePolicies: a CPS URI has no scheme" },
        { &ca_oid_certificate_policies, "3015301306012a300e300c06082b060105050702023000",
          "certificatePolicies: a notice is empty" },
        { &ca_oid_certificate_policies, "3018301606012a3011300f06082b060105050702023003160141",
          "certificatePolicies: a notice's text is no UTF8String or VisibleString" },
        { &ca_oid_certificate_policies, "3018301606012a3011300f06082b060105050702023003" "0c0107",
          "certificatePolicies: a notice's text has an octet" },
        { &ca_oid_certificate_policies, "3017301506012a3010300e06082b060105050702023002" "0c00",
          "certificatePolicies: a notice's text has not 1 to 200" },
        { &ca_oid_crl_distribution_points, "3000", "cRLDistributionPoints: the value is an empty" },
        { &ca_oid_crl_distribution_points, "30023000",
          "cRLDistributionPoints: a distribution poi" },
        { &ca_oid_crl_distribution_points, "3006300481020640",
          "cRLDistributionPoints: a distribution point has neither name nor issuer" },
        { &ca_oid_crl_distribution_points, "30063004a002a000",
          "cRLDistributionPoints: a list of names is empty" },
        { &ca_oid_crl_distribution_points, "300a3008a006a0048602" "783a",
          "cRLDistributionPoints: URI x: has nothing after its scheme" },
        { &ca_oid_crl_distribution_points, "300f300da007a0058603783a6181020640",
          "cRLDistributionPoints: no distribution point is for all reasons" },
        { &ca_oid_crl_distribution_points, "30063004a002a100",
          "cRLDistributionPoints: a name relative" },
        { &ca_oid_crl_distribution_points, "30093007a2058603783a61",
          "cRLDistributionPoints: a CRL issuer's name has tag 86" },
        { &ca_oid_freshest_crl, "3000", "freshestCRL: the value is an empty" },
        { &ca_oid_authority_info_access, "3000", "authorityInfoAccess: the value is an empty" },
        { &ca_oid_authority_info_access, "300a300806012a8603612e62",
          "authorityInfoAccess: URI a.b has no scheme" },
        { &ca_oid_subject_info_access, "3000", "subjectInfoAccess: the value is an empty" },
        { &ca_oid_name_constraints, "3000", "nameConstraints: the value is an empty" },
        { &ca_oid_name_constraints, "3002a000", "nameConstraints: a list of subtrees is empty" },
        { &ca_oid_name_constraints, "300aa0083006820161800100",
          "nameConstraints: a subtree has a minimum or maximum" },
        { &ca_oid_name_constraints, "300aa0083006820161810105",
          "nameConstraints: a subtree has a minimum or maximum" },
        { &ca_oid_name_constraints, "300aa00830068704c0000201",
          "nameConstraints: an iPAddress is not an address and its mask" },
        { &ca_oid_name_constraints, "300ea00c300a8708c0000200ff00ff00",
          "nameConstraints: an iPAddress has a mask that is no prefix" },
        { &ca_oid_name_constraints, "3008a006300482022e61",
          "nameConstraints: the base of a subtree has an empty label" },
        { &ca_oid_name_constraints, "300aa00830068604613a2f2f", "nameConstraints: the base of a" },
        { &ca_oid_name_constraints, "300aa0083006" "86042d612e62",
          "nameConstraints: the base of a" },
        { &ca_oid_name_constraints, "300aa0083006" "81042d612e62",
          "nameConstraints: the base of a" },
        { &ca_oid_name_constraints, "3007a0053003" "86012e", "nameConstraints: the base of a" },
        { &ca_oid_name_constraints, "3006a00430028600", "nameConstraints: the base of a" },
        { &ca_oid_name_constraints, "300ca1053003820161a0033001", "nameConstraints: " },
        { &ca_oid_policy_mappings, "300b3009060455" "1d200006012a",
          "policyMappings: anyPolicy is mapped" },
        { &ca_oid_policy_mappings, "300b300906012a0604551d2000",
          "policyMappings: anyPolicy is mapped" },
        { &ca_oid_policy_mappings, "3000", "policyMappings: the value is an empty" },
        { &ca_oid_policy_constraints, "3000", "policyConstraints: the value is an empty" },
        { &ca_oid_policy_constraints, "30038001ff",
          "policyConstraints: a count of certificates is" },
        { &ca_oid_policy_constraints, "3004800200" "01", "policyConstraints: a count" },
        { &ca_oid_policy_constraints, "3006810100800100", "policyConstraints: 3 octets too many" },
        { &ca_oid_inhibit_any_policy, "0201ff", "inhibitAnyPolicy: the value is negative" },
        { &ca_oid_inhibit_any_policy, "0100", "inhibitAnyPolicy: the value has tag 01" },
        { &ca_oid_authority_key_identifier, "3000", "authorityKeyIdentifier: the value is an emp" },
        { &ca_oid_authority_key_identifier, "30028000", "authorityKeyIdentifier: the key identif" },
        { &ca_oid_authority_key_identifier, "3003820101",
          "authorityKeyIdentifier: issuer and serial number do not come together" },
        { &ca_oid_authority_key_identifier, "3007a1058203612e62",
          "authorityKeyIdentifier: issuer and serial number do not come together" },
        { &ca_oid_authority_key_identifier, "300aa1058203612e62820100",
          "authorityKeyIdentifier: the serial number is zero" },
        { &ca_oid_no_rev_avail, "", "noRevAvail: the value is not NULL" },
        { &ca_oid_no_rev_avail, "050100", "noRevAvail: the value is not NULL" },
        { &ca_oid_ocsp_nocheck, "3000", "ocspNoCheck: the value is not NULL" },
        { &ca_oid_ct_poison, "0400", "ctPoison: the value is not NULL" },
        { &ca_oid_tls_feature, "3000", "tlsFeature: the value is an empty" },
        { &ca_oid_tls_feature, "3006020105020105", "tlsFeature: an entry stands twice" },
        { &ca_oid_tls_feature, "30050203010000", "tlsFeature: a feature is over 65535" },
        { &ca_oid_private_key_usage_period, "3000",
          "privateKeyUsagePeriod: the value is an empty" },
        { &ca_oid_private_key_usage_period,
          "3022800f32303330303130313030303030305a810f32303236303130313030303030305a",
          "privateKeyUsagePeriod: the period ends before it begins" },
        { &ca_oid_private_key_usage_period, "3011800f32303236313330313030303030305a",
          "privateKeyUsagePeriod: a time is not a date" },
        { &ca_oid_private_key_usage_period, "300f800d3236303130313030303030305a",
          "privateKeyUsagePeriod: a time is not YYYYMMDDHHMMSSZ" },
        { &ca_oid_subject_directory_attributes, "3007300506012a3100",
          "subjectDirectoryAttributes: an attribute has no value" },
        { &ca_oid_subject_directory_attributes, "300d300b06012a3106020102020101",
          "subjectDirectoryAttributes: a value: the SET is not in DER order" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint8_t octets[VALUE_MAX];
        size_t len = from_hex(bad[i].hex, octets);
        struct ca_error err = { .status = CA_OK };
        enum ca_status st = check(*bad[i].oid, octets, len, &err);

        if (bad[i].text == NULL) {
            if (st != CA_OK) fail_msg("%s: %s", bad[i].hex, err.text);
            continue;
        }
        if (st == CA_OK) fail_msg("%s, for \"%s\": accepted", bad[i].hex, bad[i].text);
        if (strncmp(err.text, bad[i].text, strlen(bad[i].text)) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", bad[i].hex, err.text, bad[i].text);
        assert_int_equal(st, CA_REFUSED);
        assert_int_equal(err.reason, CA_REASON_PASSTHROUGH_REFUSED);
        assert_int_equal(check(*bad[i].oid, octets, len, NULL), CA_REFUSED);
    }
}

static void lists_without_twins_have_at_most_64_entries(void **state)
{
    uint8_t octets[VALUE_MAX] = { 0x30, 0x82 };
    struct ca_error err = { .status = CA_OK };

    (void)state;
    for (size_t count = 63; count <= 65; count++) {
        for (size_t i = 0; i < count; i++) {
            uint8_t oid[] = { 6, 2, 0x2a, (uint8_t)i };

            memcpy(octets + 4 + 4 * i, oid, sizeof(oid));
        }
        ca_put_u16(octets + 2, (uint16_t)(4 * count));
        if (4 * count < 256) {          /* 63 entries need a length of one octet */
            octets[1] = 0x81;
            octets[2] = (uint8_t)(4 * count);
            memmove(octets + 3, octets + 4, 4 * count);
            assert_int_equal(check(ca_oid_ext_key_usage, octets, 3 + 4 * count, &err), CA_OK);
            octets[1] = 0x82;
            continue;
        }
        assert_int_equal(check(ca_oid_ext_key_usage, octets, 4 + 4 * count, &err),
                         count <= CA_EXTENSION_ENTRIES_MAX ? CA_OK : CA_REFUSED);
    }
    assert_string_equal(err.text, "extKeyUsage: more than 64 entries");
}

static void unknown_types_are_der_where_they_could_be(void **state)
{
    static const uint8_t unknown_ce[] = { 0x55, 0x1d, 99 }, unknown_pe[] = { 0x2b, 6, 1, 5, 5, 7, 1,
                                                                           77 },
                         private_oid[] = { 0x2b, 6, 1, 4, 1, 0x83, 1 };
    struct ca_bytes ce = ca_bytes_of(unknown_ce, sizeof(unknown_ce));
    struct ca_bytes pe = ca_bytes_of(unknown_pe, sizeof(unknown_pe));
    struct ca_bytes private_one = ca_bytes_of(private_oid, sizeof(private_oid));
    static const uint8_t null[] = { 5, 0 }, text[] = "https://a.example",
                         ber[] = { 0x30, 0x80, 0, 0 }, cut[] = { 0x30, 3, 5, 0 },
                         two[] = { 5, 0, 5, 0 },
                         utf8[] = { 0x0c, 5, 'a' }, printable[] = { 0x13, 5, 'a' };
    struct ca_error err = { .status = CA_OK };

    (void)state;
    assert_int_equal(check(ce, null, 2, &err), CA_OK);
    assert_int_equal(check(pe, null, 2, &err), CA_OK);
    assert_int_equal(check(private_one, null, 2, &err), CA_OK);
    assert_int_equal(check(ce, text, sizeof(text) - 1, &err), CA_REFUSED);
    assert_int_equal(check(pe, text, sizeof(text) - 1, &err), CA_REFUSED);
    assert_int_equal(check(private_one, text, sizeof(text) - 1, &err), CA_OK);
    assert_int_equal(check(private_one, ber, sizeof(ber), &err), CA_REFUSED);
    assert_int_equal(check(private_one, cut, sizeof(cut), &err), CA_REFUSED);
    assert_int_equal(check(private_one, two, sizeof(two), &err), CA_REFUSED);
    assert_int_equal(check(private_one, utf8, sizeof(utf8), &err), CA_REFUSED);
    assert_int_equal(check(private_one, printable, sizeof(printable), &err), CA_REFUSED);
    assert_int_equal(check(private_one, NULL, 0, &err), CA_REFUSED);
    assert_string_equal(err.text, "1.3.6.1.4.1.385: the value is empty");
}

static void key_usage_bits_are_read_as_openssl_reads_them(void **state)
{
    (void)state;
    for (uint16_t want = 1; want < 1u << 9; want++) {
        struct ca_buf out;
        ASN1_BIT_STRING *bits;
        const uint8_t *p;
        uint16_t got = 0;

        ca_buf_init(&out, 16);
        ca_der_add_named_bits(&out, want);
        p = out.data;
        bits = d2i_ASN1_BIT_STRING(NULL, &p, (long)out.len);
        assert_non_null(bits);
        assert_true(ca_key_usage_read(ca_buf_view(&out), &got));
        for (int i = 0; i < 16; i++)
            assert_int_equal(ASN1_BIT_STRING_get_bit(bits, i), (got >> i) & 1);
        assert_int_equal(got, want);
        ASN1_BIT_STRING_free(bits);
        ca_buf_clear(&out);
    }
    assert_false(ca_key_usage_read(ca_bytes_of("\x03\x01\x00", 3), &(uint16_t){ 0 }));
    assert_false(ca_key_usage_read(ca_bytes_of(NULL, 0), &(uint16_t){ 0 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_openssl_makes_is_accepted),
        cmocka_unit_test(what_is_accepted_openssl_reads_and_writes_alike),
        cmocka_unit_test(what_rfc_5280_forbids_is_refused_by_name),
        cmocka_unit_test(lists_without_twins_have_at_most_64_entries),
        cmocka_unit_test(unknown_types_are_der_where_they_could_be),
        cmocka_unit_test(key_usage_bits_are_read_as_openssl_reads_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
