/* Each extension against the one that OpenSSL makes from its configuration syntax. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/ext.h"

#include <openssl/x509v3.h>
#include <string.h>

static const uint8_t key_id[20] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
                                    19, 0xff };

/* OpenSSL's Extension for a value in its configuration syntax. */
static struct ca_bytes by_openssl(int nid, const char *value, uint8_t out[1024])
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    uint8_t *p = out;
    int len;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    len = i2d_X509_EXTENSION(extension, NULL);
    assert_in_range(len, 1, 1024);
    assert_int_equal(i2d_X509_EXTENSION(extension, &p), len);
    X509_EXTENSION_free(extension);
    return ca_bytes_of(out, (size_t)len);
}

static void assert_same(struct ca_buf *ours, int nid, const char *value)
{
    uint8_t out[1024];
    struct ca_bytes theirs = by_openssl(nid, value, out);

    assert_int_equal(ca_buf_status(ours, "an extension", NULL), CA_OK);
    assert_int_equal(ours->len, theirs.len);
    assert_memory_equal(ours->data, theirs.data, theirs.len);
    ca_buf_reset(ours);
}

static void basic_constraints_are_as_openssl_writes_them(void **state)
{
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 4096);
    ca_ext_basic_constraints(&out, false, false, CA_PATH_LEN_NONE);
    assert_same(&out, NID_basic_constraints, "CA:FALSE");
    ca_ext_basic_constraints(&out, true, false, CA_PATH_LEN_NONE);
    assert_same(&out, NID_basic_constraints, "critical,CA:FALSE");
    ca_ext_basic_constraints(&out, true, true, CA_PATH_LEN_NONE);
    assert_same(&out, NID_basic_constraints, "critical,CA:TRUE");
    ca_ext_basic_constraints(&out, true, true, 0);
    assert_same(&out, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    ca_ext_basic_constraints(&out, false, true, 3);
    assert_same(&out, NID_basic_constraints, "CA:TRUE,pathlen:3");
    ca_ext_basic_constraints(&out, true, true, 200);
    assert_same(&out, NID_basic_constraints, "critical,CA:TRUE,pathlen:200");
    ca_buf_clear(&out);
}

static void an_end_entity_ignores_a_path_length(void **state)
{
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 4096);
    ca_ext_basic_constraints(&out, false, false, 3);
    assert_same(&out, NID_basic_constraints, "CA:FALSE");
    ca_buf_clear(&out);
}

static void key_identifiers_are_as_openssl_writes_them(void **state)
{
    static const uint8_t authority[] = { 0x30, 0x1f, 6, 3, 0x55, 0x1d, 0x23, 4, 0x18, 0x30, 0x16,
                                         0x80, 0x14 };
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 4096);
    ca_ext_subject_key_id(&out, ca_bytes_of(key_id, sizeof(key_id)));
    assert_same(&out, NID_subject_key_identifier,
                "01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:ff");
    /* OpenSSL takes an AKI from a certificate only; test_profile.c compares that one. */
    ca_ext_authority_key_id(&out, ca_bytes_of(key_id, sizeof(key_id)));
    assert_int_equal(out.len, sizeof(authority) + sizeof(key_id));
    assert_memory_equal(out.data, authority, sizeof(authority));
    assert_memory_equal(out.data + sizeof(authority), key_id, sizeof(key_id));
    ca_buf_clear(&out);
}

static void every_bit_of_key_usage_is_minimal_and_critical(void **state)
{
    static const char *const names[] = { "digitalSignature", "nonRepudiation", "keyEncipherment",
                                         "dataEncipherment", "keyAgreement", "keyCertSign",
                                         "cRLSign", "encipherOnly", "decipherOnly" };
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 4096);
    for (uint16_t bits = 1; bits < 512; bits++) {
        char value[256] = "critical";

        for (size_t i = 0; i < 9; i++) {
            if ((bits & (1u << i)) == 0) continue;
            strcat(value, ",");
            strcat(value, names[i]);
        }
        ca_ext_key_usage(&out, bits);
        assert_same(&out, NID_key_usage, value);
    }
    ca_buf_clear(&out);
}

/* OpenSSL's word for each bit, or the OID of the specification's section 7. */
static const char *const purposes[CA_EKU_COUNT] = {
    "serverAuth", "clientAuth", "codeSigning", "OCSPSigning", "emailProtection", "timeStamping",
    "1.3.6.1.4.1.311.20.2.2", "1.3.6.1.4.1.311.10.3.12", "1.3.6.1.4.1.11129.2.4.4",
};

static void extended_key_usages_stand_in_the_order_of_the_enum(void **state)
{
    const struct ca_bytes none = { 0 };
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 4096);
    for (uint16_t bits = 1; bits < 1u << CA_EKU_COUNT; bits++) {
        char value[512] = "";

        for (size_t i = 0; i < CA_EKU_COUNT; i++) {
            if ((bits & (1u << i)) == 0) continue;
            if (value[0] != '\0') strcat(value, ",");
            strcat(value, purposes[i]);
        }
        ca_ext_ext_key_usage(&out, false, bits, none);
        assert_same(&out, NID_ext_key_usage, value);
    }
    ca_ext_ext_key_usage(&out, true, CA_EKU_CODE_SIGNING, none);
    assert_same(&out, NID_ext_key_usage, "critical,codeSigning");
    ca_buf_clear(&out);
}

static void further_purposes_stand_behind_the_named_ones(void **state)
{
    static const uint8_t more[] = { 6, 3, 0x2a, 3, 4, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 17 };
    const struct ca_bytes further = ca_bytes_of(more, sizeof(more));
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 4096);
    ca_ext_ext_key_usage(&out, false, CA_EKU_CLIENT_AUTH | CA_EKU_TIME_STAMPING, further);
    assert_same(&out, NID_ext_key_usage, "clientAuth,timeStamping,1.2.3.4,1.3.6.1.5.5.7.3.17");
    ca_ext_ext_key_usage(&out, true, 0, further);
    assert_same(&out, NID_ext_key_usage, "critical,1.2.3.4,1.3.6.1.5.5.7.3.17");
    ca_buf_clear(&out);
}

static void every_purpose_has_its_oid(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < CA_EKU_COUNT; bit++) {
        ASN1_OBJECT *object = OBJ_txt2obj(purposes[bit], 0);
        struct ca_bytes oid = ca_eku_oid(bit);

        assert_non_null(object);
        assert_int_equal(oid.len, OBJ_length(object));
        assert_memory_equal(oid.data, OBJ_get0_data(object), oid.len);
        ASN1_OBJECT_free(object);
    }
}

static void uris_of_any_length_are_wrapped_right(void **state)
{
    struct ca_buf out;
    char uri[400] = "http://crl.example/";
    char value[420];

    (void)state;
    ca_buf_init(&out, 4096);
    for (size_t len = strlen(uri); len + 1 < sizeof(uri); len++) {
        uri[len] = 'x';
        uri[len + 1] = '\0';
        ca_ext_crl_distribution_point(&out, uri);
        (void)snprintf(value, sizeof(value), "URI:%s", uri);
        assert_same(&out, NID_crl_distribution_points, value);
        ca_ext_freshest_crl(&out, uri);
        assert_same(&out, NID_freshest_crl, value);
        ca_ext_ocsp(&out, uri);
        (void)snprintf(value, sizeof(value), "OCSP;URI:%s", uri);
        assert_same(&out, NID_info_access, value);
    }
    ca_buf_clear(&out);
}

static void any_extension_wraps_a_ready_value(void **state)
{
    static const uint8_t value[] = { 0x30, 0x07, 0x82, 0x05, 'a', '.', 'o', 'r', 'g' };
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 4096);
    ca_ext_add(&out, ca_oid_subject_alt_name, false, ca_bytes_of(value, sizeof(value)));
    assert_same(&out, NID_subject_alt_name, "DNS:a.org");
    ca_ext_add(&out, ca_oid_subject_alt_name, true, ca_bytes_of(value, sizeof(value)));
    assert_same(&out, NID_subject_alt_name, "critical,DNS:a.org");
    ca_buf_clear(&out);
}

static void the_named_oids_have_the_numbers_of_their_standards(void **state)
{
    /* noRevAvail is younger than OpenSSL 3.0, so all of them by number (RFC 5280 A.2, RFC 7633,
     * RFC 6960 4.2.2.2.1, RFC 6962 3.1, RFC 9608, RFC 2985 5.4.2). */
    const struct { const struct ca_bytes *oid; const char *text; } rows[] = {
        { &ca_oid_subject_directory_attributes, "2.5.29.9" },
        { &ca_oid_subject_key_identifier, "2.5.29.14" },
        { &ca_oid_key_usage, "2.5.29.15" },
        { &ca_oid_private_key_usage_period, "2.5.29.16" },
        { &ca_oid_subject_alt_name, "2.5.29.17" },
        { &ca_oid_issuer_alt_name, "2.5.29.18" },
        { &ca_oid_basic_constraints, "2.5.29.19" },
        { &ca_oid_name_constraints, "2.5.29.30" },
        { &ca_oid_crl_distribution_points, "2.5.29.31" },
        { &ca_oid_certificate_policies, "2.5.29.32" },
        { &ca_oid_policy_mappings, "2.5.29.33" },
        { &ca_oid_authority_key_identifier, "2.5.29.35" },
        { &ca_oid_policy_constraints, "2.5.29.36" },
        { &ca_oid_ext_key_usage, "2.5.29.37" },
        { &ca_oid_freshest_crl, "2.5.29.46" },
        { &ca_oid_inhibit_any_policy, "2.5.29.54" },
        { &ca_oid_no_rev_avail, "2.5.29.56" },
        { &ca_oid_authority_info_access, "1.3.6.1.5.5.7.1.1" },
        { &ca_oid_subject_info_access, "1.3.6.1.5.5.7.1.11" },
        { &ca_oid_tls_feature, "1.3.6.1.5.5.7.1.24" },
        { &ca_oid_ocsp_nocheck, "1.3.6.1.5.5.7.48.1.5" },
        { &ca_oid_ct_poison, "1.3.6.1.4.1.11129.2.4.3" },
        { &ca_oid_extension_request, "1.2.840.113549.1.9.14" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ASN1_OBJECT *object = OBJ_txt2obj(rows[i].text, 1);

        assert_non_null(object);
        assert_int_equal(rows[i].oid->len, OBJ_length(object));
        assert_memory_equal(rows[i].oid->data, OBJ_get0_data(object), rows[i].oid->len);
        ASN1_OBJECT_free(object);
    }
}

static void a_full_buffer_is_remembered(void **state)
{
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 20);
    ca_ext_subject_key_id(&out, ca_bytes_of(key_id, sizeof(key_id)));
    ca_ext_key_usage(&out, CA_KU_CRL_SIGN);
    assert_int_equal(ca_buf_status(&out, "extensions", NULL), CA_FULL);
    ca_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic_constraints_are_as_openssl_writes_them),
        cmocka_unit_test(an_end_entity_ignores_a_path_length),
        cmocka_unit_test(key_identifiers_are_as_openssl_writes_them),
        cmocka_unit_test(every_bit_of_key_usage_is_minimal_and_critical),
        cmocka_unit_test(extended_key_usages_stand_in_the_order_of_the_enum),
        cmocka_unit_test(further_purposes_stand_behind_the_named_ones),
        cmocka_unit_test(every_purpose_has_its_oid),
        cmocka_unit_test(uris_of_any_length_are_wrapped_right),
        cmocka_unit_test(any_extension_wraps_a_ready_value),
        cmocka_unit_test(the_named_oids_have_the_numbers_of_their_standards),
        cmocka_unit_test(a_full_buffer_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
