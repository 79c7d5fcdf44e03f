/* The names of what was ignored; object identifiers by OpenSSL, JSON by jansson. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ignored.h"

#include <jansson.h>
#include <openssl/objects.h>
#include <string.h>

static enum ca_ignored of_dotted(const char *dotted)
{
    ASN1_OBJECT *object = OBJ_txt2obj(dotted, 1);
    enum ca_ignored name;

    assert_non_null(object);
    name = ca_ignored_of_csr_extension(ca_bytes_of(OBJ_get0_data(object), OBJ_length(object)));
    ASN1_OBJECT_free(object);
    return name;
}

static void every_known_extension_has_a_name_of_its_own(void **state)
{
    static const struct {
        const char *dotted;
        const char *name;
    } rows[] = {
        { "2.5.29.14", "csr.subjectKeyIdentifier" },
        { "2.5.29.15", "csr.keyUsage" },
        { "2.5.29.17", "csr.subjectAltName" },
        { "2.5.29.18", "csr.issuerAltName" },
        { "2.5.29.19", "csr.basicConstraints" },
        { "2.5.29.30", "csr.nameConstraints" },
        { "2.5.29.31", "csr.cRLDistributionPoints" },
        { "2.5.29.32", "csr.certificatePolicies" },
        { "2.5.29.33", "csr.policyMappings" },
        { "2.5.29.35", "csr.authorityKeyIdentifier" },
        { "2.5.29.36", "csr.policyConstraints" },
        { "2.5.29.37", "csr.extendedKeyUsage" },
        { "2.5.29.46", "csr.freshestCRL" },
        { "2.5.29.54", "csr.inhibitAnyPolicy" },
        { "2.5.29.56", "csr.noRevAvail" },
        { "1.3.6.1.5.5.7.1.1", "csr.authorityInfoAccess" },
        { "1.3.6.1.5.5.7.1.11", "csr.subjectInfoAccess" },
        { "1.3.6.1.5.5.7.1.24", "csr.tlsFeature" },
        { "1.3.6.1.5.5.7.48.1.5", "csr.ocspNoCheck" },
        { "1.3.6.1.4.1.11129.2.4.3", "csr.ctPoison" },
        { "2.16.840.1.113730.1.1", "csr.netscape" },
        { "2.16.840.1.113730.1.13", "csr.netscape" },
        { "1.3.6.1.4.1.311.20.2", "csr.microsoft" },
        { "1.3.6.1.4.1.311.21.7", "csr.microsoft" },
        { "1.3.6.1.4.1.311", "csr.otherExtension" },
        { "1.3.6.1.4.1.3110.1", "csr.otherExtension" },
        { "2.16.840.1.113730", "csr.otherExtension" },
        { "2.5.29.9", "csr.otherExtension" },
        { "2.5.29.16", "csr.otherExtension" },
        { "2.5.29.99", "csr.otherExtension" },
        { "2.5.29.15.1", "csr.otherExtension" },
        { "2.5.4.15", "csr.otherExtension" },
        { "1.3.6.1.4.1.11129.2.4.2", "csr.otherExtension" },
        { "1.2.3.4", "csr.otherExtension" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(ca_ignored_name(of_dotted(rows[i].dotted)), rows[i].name);
}

/* The bits are stored: these numbers may never change. */
static void bits_keep_their_meaning(void **state)
{
    (void)state;
    assert_string_equal(ca_ignored_name(0), "csr.subject");
    assert_string_equal(ca_ignored_name(4), "csr.extendedKeyUsage");
    assert_string_equal(ca_ignored_name(23), "csr.otherExtension");
    assert_string_equal(ca_ignored_name(32), "api.subject");
    assert_string_equal(ca_ignored_name(37), "api.customExtension");
    assert_string_equal(ca_ignored_name(48), "manifest.subject");
    assert_string_equal(ca_ignored_name(49), "manifest.san");
    assert_null(ca_ignored_name(24));
    assert_null(ca_ignored_name(50));
    assert_null(ca_ignored_name(64));
    assert_null(ca_ignored_name(UINT32_MAX));
}

static void the_list_is_json_in_the_order_of_the_bits(void **state)
{
    struct ca_buf out;
    json_t *list;
    size_t entries = 0;

    (void)state;
    ca_buf_init(&out, 4096);
    ca_ignored_append_json(0, &out);
    assert_int_equal(out.len, 2);
    assert_memory_equal(out.data, "[]", 2);
    ca_buf_reset(&out);
    ca_ignored_append_json(CA_IGNORED_BIT(LINE_SAN) | CA_IGNORED_BIT(CSR_SUBJECT), &out);
    assert_int_equal(out.len, strlen("[\"csr.subject\",\"manifest.san\"]"));
    assert_memory_equal(out.data, "[\"csr.subject\",\"manifest.san\"]", out.len);
    ca_buf_reset(&out);
    ca_ignored_append_json(UINT64_MAX, &out);       /* bits of a later version are left out */
    list = json_loadb((const char *)out.data, out.len, 0, NULL);
    assert_non_null(list);
    for (unsigned bit = 0; bit < 64; bit++) {
        if (ca_ignored_name(bit) == NULL) continue;
        assert_string_equal(json_string_value(json_array_get(list, entries)),
                            ca_ignored_name(bit));
        entries++;
    }
    assert_int_equal(json_array_size(list), entries);
    json_decref(list);
    ca_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_extension_has_a_name_of_its_own),
        cmocka_unit_test(bits_keep_their_meaning),
        cmocka_unit_test(the_list_is_json_in_the_order_of_the_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
