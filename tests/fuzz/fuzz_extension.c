/*
 * Values of extensions, as they pass from requests and from the API: what is accepted for a type of
 * RFC 5280, OpenSSL can read too.
 *
 * The first octet chooses the type; the rest is the value.
 */
#include "engine/contents.h"
#include "engine/ext.h"
#include "tests/fuzz/planted.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

/* A fuzz target's own way to fail: asserts may be compiled out. */
static void require(bool holds)
{
    if (!holds) abort();
}

static const int nids[] = {
    NID_basic_constraints, NID_key_usage, NID_ext_key_usage, NID_certificate_policies,
    NID_crl_distribution_points, NID_freshest_crl, NID_info_access, NID_sinfo_access,
    NID_name_constraints, NID_policy_mappings, NID_policy_constraints, NID_inhibit_any_policy,
    NID_issuer_alt_name, NID_subject_alt_name, NID_authority_key_identifier,
    NID_subject_key_identifier, NID_tlsfeature, NID_private_key_usage_period,
    NID_id_pkix_OCSP_noCheck,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_error err = { .status = CA_OK };
    ASN1_OCTET_STRING *octets;
    X509_EXTENSION *extension;
    const ASN1_OBJECT *type;
    void *theirs;
    int nid;

    if (size < 2 || size > 16384) return 0;
    nid = nids[data[0] % (sizeof(nids) / sizeof(nids[0]))];
    type = OBJ_nid2obj(nid);
    if (ca_extension_value_check(ca_bytes_of(OBJ_get0_data(type), OBJ_length(type)),
                                 ca_bytes_of(data + 1, size - 1), &err) != CA_OK) {
        require(err.reason != CA_REASON_NONE && err.text[0] != '\0');
        return 0;
    }
    octets = ASN1_OCTET_STRING_new();
    require(ASN1_OCTET_STRING_set(octets, data + 1, (int)size - 1) == 1);
    extension = X509_EXTENSION_create_by_NID(NULL, nid, 0, octets);
    theirs = X509V3_EXT_d2i(extension);
    require(theirs != NULL);
    X509V3_EXT_METHOD *method = (X509V3_EXT_METHOD *)X509V3_EXT_get_nid(nid);
    if (method->it != NULL) ASN1_item_free(theirs, ASN1_ITEM_ptr(method->it));
    else method->ext_free(theirs);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(octets);
    planted(data[size - 1] == 0x7e, data, size);
    return 0;
}
