#include "engine/ext.h"

static const uint8_t subject_key_identifier[] = { 0x55, 0x1d, 0x0e };
static const uint8_t key_usage_oid[] = { 0x55, 0x1d, 0x0f };
static const uint8_t subject_alt_name[] = { 0x55, 0x1d, 0x11 };
static const uint8_t basic_constraints[] = { 0x55, 0x1d, 0x13 };
static const uint8_t crl_distribution_points[] = { 0x55, 0x1d, 0x1f };
static const uint8_t authority_key_identifier[] = { 0x55, 0x1d, 0x23 };
static const uint8_t ext_key_usage[] = { 0x55, 0x1d, 0x25 };
static const uint8_t authority_info_access[] = { 0x2b, 6, 1, 5, 5, 7, 1, 1 };
static const uint8_t extension_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14 };
static const uint8_t ad_ocsp[] = { 0x2b, 6, 1, 5, 5, 7, 48, 1 };

#define OID(octets) { .data = (octets), .len = sizeof(octets) }

const struct ca_bytes ca_oid_subject_key_identifier = OID(subject_key_identifier);
const struct ca_bytes ca_oid_key_usage = OID(key_usage_oid);
const struct ca_bytes ca_oid_subject_alt_name = OID(subject_alt_name);
const struct ca_bytes ca_oid_basic_constraints = OID(basic_constraints);
const struct ca_bytes ca_oid_crl_distribution_points = OID(crl_distribution_points);
const struct ca_bytes ca_oid_authority_key_identifier = OID(authority_key_identifier);
const struct ca_bytes ca_oid_ext_key_usage = OID(ext_key_usage);
const struct ca_bytes ca_oid_authority_info_access = OID(authority_info_access);
const struct ca_bytes ca_oid_extension_request = OID(extension_request);

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

void ca_ext_ext_key_usage(struct ca_buf *out, bool critical, uint16_t eku)
{
    /* Last arc under id-kp (1.3.6.1.5.5.7.3) by bit of enum ca_eku. */
    static const uint8_t arcs[] = { 1, 2, 3, 9 };
    struct open_ext open = ext_begin(out, ca_oid_ext_key_usage, critical);
    size_t value = out->len;

    for (size_t i = 0; i < sizeof(arcs); i++) {
        const uint8_t purpose[] = { 0x2b, 6, 1, 5, 5, 7, 3, arcs[i] };

        if ((eku & (1u << i)) != 0) ca_der_add_oid(out, ca_bytes_of(purpose, sizeof(purpose)));
    }
    ca_der_wrap(out, value, CA_DER_SEQUENCE);
    ext_end(out, open);
}

/* One DistributionPoint with a fullName of one URI (RFC 5280 4.2.1.13). distributionPoint is [0]
 * explicit, because DistributionPointName is a CHOICE; fullName is [0] implicit. */
void ca_ext_crl_distribution_point(struct ca_buf *out, const char *uri)
{
    struct open_ext open = ext_begin(out, ca_oid_crl_distribution_points, false);
    size_t value = out->len;

    ca_der_add(out, CA_DER_CONTEXT(6), ca_bytes_str(uri));
    ca_der_wrap(out, value, CA_DER_CONTEXT_CONSTRUCTED(0));     /* fullName */
    ca_der_wrap(out, value, CA_DER_CONTEXT_CONSTRUCTED(0));     /* distributionPoint */
    ca_der_wrap(out, value, CA_DER_SEQUENCE);                   /* DistributionPoint */
    ca_der_wrap(out, value, CA_DER_SEQUENCE);                   /* CRLDistributionPoints */
    ext_end(out, open);
}

void ca_ext_ocsp(struct ca_buf *out, const char *uri)
{
    struct open_ext open = ext_begin(out, ca_oid_authority_info_access, false);
    size_t value = out->len;

    ca_der_add_oid(out, ca_bytes_of(ad_ocsp, sizeof(ad_ocsp)));
    ca_der_add(out, CA_DER_CONTEXT(6), ca_bytes_str(uri));
    ca_der_wrap(out, value, CA_DER_SEQUENCE);                   /* AccessDescription */
    ca_der_wrap(out, value, CA_DER_SEQUENCE);
    ext_end(out, open);
}
