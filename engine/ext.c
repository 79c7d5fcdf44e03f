#include "engine/ext.h"

#include <assert.h>

static const uint8_t subject_directory_attributes[] = { 0x55, 0x1d, 9 };
static const uint8_t subject_key_identifier[] = { 0x55, 0x1d, 14 };
static const uint8_t key_usage_oid[] = { 0x55, 0x1d, 15 };
static const uint8_t private_key_usage_period[] = { 0x55, 0x1d, 16 };
static const uint8_t subject_alt_name[] = { 0x55, 0x1d, 17 };
static const uint8_t issuer_alt_name[] = { 0x55, 0x1d, 18 };
static const uint8_t basic_constraints[] = { 0x55, 0x1d, 19 };
static const uint8_t name_constraints[] = { 0x55, 0x1d, 30 };
static const uint8_t crl_distribution_points[] = { 0x55, 0x1d, 31 };
static const uint8_t certificate_policies[] = { 0x55, 0x1d, 32 };
static const uint8_t policy_mappings[] = { 0x55, 0x1d, 33 };
static const uint8_t authority_key_identifier[] = { 0x55, 0x1d, 35 };
static const uint8_t policy_constraints[] = { 0x55, 0x1d, 36 };
static const uint8_t ext_key_usage[] = { 0x55, 0x1d, 37 };
static const uint8_t freshest_crl[] = { 0x55, 0x1d, 46 };
static const uint8_t inhibit_any_policy[] = { 0x55, 0x1d, 54 };
static const uint8_t no_rev_avail[] = { 0x55, 0x1d, 56 };
static const uint8_t authority_info_access[] = { 0x2b, 6, 1, 5, 5, 7, 1, 1 };
static const uint8_t subject_info_access[] = { 0x2b, 6, 1, 5, 5, 7, 1, 11 };
static const uint8_t tls_feature[] = { 0x2b, 6, 1, 5, 5, 7, 1, 24 };
static const uint8_t ocsp_nocheck[] = { 0x2b, 6, 1, 5, 5, 7, 48, 1, 5 };
static const uint8_t ct_poison[] = { 0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 3 };
static const uint8_t extension_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14 };
static const uint8_t ad_ocsp[] = { 0x2b, 6, 1, 5, 5, 7, 48, 1 };

/* Purposes: id-kp (1.3.6.1.5.5.7.3), Microsoft's and that of RFC 6962. */
static const uint8_t server_auth[] = { 0x2b, 6, 1, 5, 5, 7, 3, 1 };
static const uint8_t client_auth[] = { 0x2b, 6, 1, 5, 5, 7, 3, 2 };
static const uint8_t code_signing[] = { 0x2b, 6, 1, 5, 5, 7, 3, 3 };
static const uint8_t email_protection[] = { 0x2b, 6, 1, 5, 5, 7, 3, 4 };
static const uint8_t time_stamping[] = { 0x2b, 6, 1, 5, 5, 7, 3, 8 };
static const uint8_t ocsp_signing[] = { 0x2b, 6, 1, 5, 5, 7, 3, 9 };
static const uint8_t smart_card_login[] = { 0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 2 };
static const uint8_t document_signing[] = { 0x2b, 6, 1, 4, 1, 0x82, 0x37, 10, 3, 12 };
static const uint8_t certificate_transparency[] = { 0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 4 };

#define OID(octets) { .data = (octets), .len = sizeof(octets) }

const struct ca_bytes ca_oid_subject_directory_attributes = OID(subject_directory_attributes);
const struct ca_bytes ca_oid_subject_key_identifier = OID(subject_key_identifier);
const struct ca_bytes ca_oid_key_usage = OID(key_usage_oid);
const struct ca_bytes ca_oid_private_key_usage_period = OID(private_key_usage_period);
const struct ca_bytes ca_oid_subject_alt_name = OID(subject_alt_name);
const struct ca_bytes ca_oid_issuer_alt_name = OID(issuer_alt_name);
const struct ca_bytes ca_oid_basic_constraints = OID(basic_constraints);
const struct ca_bytes ca_oid_name_constraints = OID(name_constraints);
const struct ca_bytes ca_oid_crl_distribution_points = OID(crl_distribution_points);
const struct ca_bytes ca_oid_certificate_policies = OID(certificate_policies);
const struct ca_bytes ca_oid_policy_mappings = OID(policy_mappings);
const struct ca_bytes ca_oid_authority_key_identifier = OID(authority_key_identifier);
const struct ca_bytes ca_oid_policy_constraints = OID(policy_constraints);
const struct ca_bytes ca_oid_ext_key_usage = OID(ext_key_usage);
const struct ca_bytes ca_oid_freshest_crl = OID(freshest_crl);
const struct ca_bytes ca_oid_inhibit_any_policy = OID(inhibit_any_policy);
const struct ca_bytes ca_oid_no_rev_avail = OID(no_rev_avail);
const struct ca_bytes ca_oid_authority_info_access = OID(authority_info_access);
const struct ca_bytes ca_oid_subject_info_access = OID(subject_info_access);
const struct ca_bytes ca_oid_tls_feature = OID(tls_feature);
const struct ca_bytes ca_oid_ocsp_nocheck = OID(ocsp_nocheck);
const struct ca_bytes ca_oid_ct_poison = OID(ct_poison);
const struct ca_bytes ca_oid_extension_request = OID(extension_request);
const struct ca_bytes ca_oid_ad_ocsp = OID(ad_ocsp);

/* By bit of enum ca_eku. */
static const struct ca_bytes purposes[CA_EKU_COUNT] = {
    OID(server_auth), OID(client_auth), OID(code_signing), OID(ocsp_signing),
    OID(email_protection), OID(time_stamping), OID(smart_card_login), OID(document_signing),
    OID(certificate_transparency),
};

struct ca_bytes ca_eku_oid(unsigned bit)
{
    assert(bit < CA_EKU_COUNT);
    return purposes[bit];
}

/* Where an extension under construction began, and its value. */
struct open_ext {
    size_t whole;
    size_t value;
};

static struct open_ext ext_begin(struct ca_buf *out, struct ca_bytes oid, bool critical)
{
    static const uint8_t critical_true[] = { CA_DER_BOOLEAN, 1, 0xff };
    struct open_ext open = { .whole = out->len };

    ca_der_add_oid(out, oid);
    if (critical) ca_buf_append(out, critical_true, sizeof(critical_true));
    open.value = out->len;
    return open;
}

static void ext_end(struct ca_buf *out, struct open_ext open)
{
    ca_der_wrap(out, open.value, CA_DER_OCTET_STRING);
    ca_der_wrap(out, open.whole, CA_DER_SEQUENCE);
}

void ca_ext_add(struct ca_buf *out, struct ca_bytes oid, bool critical, struct ca_bytes value)
{
    struct open_ext open = ext_begin(out, oid, critical);

    ca_buf_append_bytes(out, value);
    ext_end(out, open);
}

/* cA FALSE is the DEFAULT, so an end entity's value is an empty SEQUENCE (X.690 11.5). */
void ca_ext_basic_constraints(struct ca_buf *out, bool critical, bool is_ca, int path_len)
{
    static const uint8_t ca_true[] = { CA_DER_BOOLEAN, 1, 0xff };
    struct open_ext open = ext_begin(out, ca_oid_basic_constraints, critical);
    size_t value = out->len;

    if (is_ca) ca_buf_append(out, ca_true, sizeof(ca_true));
    if (is_ca && path_len >= 0) ca_der_add_small(out, (uint32_t)path_len);
    ca_der_wrap(out, value, CA_DER_SEQUENCE);
    ext_end(out, open);
}

void ca_ext_authority_key_id(struct ca_buf *out, struct ca_bytes key_id)
{
    struct open_ext open = ext_begin(out, ca_oid_authority_key_identifier, false);
    size_t value = out->len;

    ca_der_add(out, CA_DER_CONTEXT(0), key_id);
    ca_der_wrap(out, value, CA_DER_SEQUENCE);
    ext_end(out, open);
}

void ca_ext_subject_key_id(struct ca_buf *out, struct ca_bytes key_id)
{
    struct open_ext open = ext_begin(out, ca_oid_subject_key_identifier, false);

    ca_der_add(out, CA_DER_OCTET_STRING, key_id);
    ext_end(out, open);
}

void ca_ext_key_usage(struct ca_buf *out, uint16_t key_usage)
{
    struct open_ext open = ext_begin(out, ca_oid_key_usage, true);

    ca_der_add_named_bits(out, key_usage);
    ext_end(out, open);
}

void ca_ext_ext_key_usage(struct ca_buf *out, bool critical, uint16_t eku, struct ca_bytes more)
{
    struct open_ext open = ext_begin(out, ca_oid_ext_key_usage, critical);
    size_t value = out->len;

    for (unsigned bit = 0; bit < CA_EKU_COUNT; bit++) {
        if ((eku & (1u << bit)) != 0) ca_der_add_oid(out, purposes[bit]);
    }
    ca_buf_append_bytes(out, more);
    ca_der_wrap(out, value, CA_DER_SEQUENCE);
    ext_end(out, open);
}

/* One DistributionPoint with a fullName of one URI (RFC 5280 4.2.1.13). distributionPoint is [0]
 * explicit, because DistributionPointName is a CHOICE; fullName is [0] implicit. */
static void add_distribution_point(struct ca_buf *out, struct ca_bytes oid, const char *uri)
{
    struct open_ext open = ext_begin(out, oid, false);
    size_t value = out->len;

    ca_der_add(out, CA_DER_CONTEXT(6), ca_bytes_str(uri));
    ca_der_wrap(out, value, CA_DER_CONTEXT_CONSTRUCTED(0));     /* fullName */
    ca_der_wrap(out, value, CA_DER_CONTEXT_CONSTRUCTED(0));     /* distributionPoint */
    ca_der_wrap(out, value, CA_DER_SEQUENCE);                   /* DistributionPoint */
    ca_der_wrap(out, value, CA_DER_SEQUENCE);                   /* CRLDistributionPoints */
    ext_end(out, open);
}

void ca_ext_crl_distribution_point(struct ca_buf *out, const char *uri)
{
    add_distribution_point(out, ca_oid_crl_distribution_points, uri);
}

/* Of the same syntax, never critical (RFC 5280 4.2.1.15). */
void ca_ext_freshest_crl(struct ca_buf *out, const char *uri)
{
    add_distribution_point(out, ca_oid_freshest_crl, uri);
}

void ca_ext_ocsp(struct ca_buf *out, const char *uri)
{
    struct open_ext open = ext_begin(out, ca_oid_authority_info_access, false);
    size_t value = out->len;

    ca_der_add_oid(out, ca_oid_ad_ocsp);
    ca_der_add(out, CA_DER_CONTEXT(6), ca_bytes_str(uri));
    ca_der_wrap(out, value, CA_DER_SEQUENCE);                   /* AccessDescription */
    ca_der_wrap(out, value, CA_DER_SEQUENCE);
    ext_end(out, open);
}
