#include "tools/extension_text.h"

#include "engine/ext.h"

#define URI_DEPTH_MAX 8         /* of GeneralNames inside each other; RFC 5280's have four */

const char *extension_name(struct ca_bytes oid)
{
    static const struct {
        const struct ca_bytes *oid;
        const char *name;
    } names[] = {
        { &ca_oid_subject_directory_attributes, "subjectDirectoryAttributes" },
        { &ca_oid_subject_key_identifier, "subjectKeyIdentifier" },
        { &ca_oid_key_usage, "keyUsage" },
        { &ca_oid_subject_alt_name, "subjectAltName" },
        { &ca_oid_issuer_alt_name, "issuerAltName" },
        { &ca_oid_basic_constraints, "basicConstraints" },
        { &ca_oid_name_constraints, "nameConstraints" },
        { &ca_oid_crl_distribution_points, "cRLDistributionPoints" },
        { &ca_oid_certificate_policies, "certificatePolicies" },
        { &ca_oid_policy_mappings, "policyMappings" },
        { &ca_oid_authority_key_identifier, "authorityKeyIdentifier" },
        { &ca_oid_policy_constraints, "policyConstraints" },
        { &ca_oid_ext_key_usage, "extendedKeyUsage" },
        { &ca_oid_freshest_crl, "freshestCRL" },
        { &ca_oid_inhibit_any_policy, "inhibitAnyPolicy" },
        { &ca_oid_no_rev_avail, "noRevAvail" },
        { &ca_oid_authority_info_access, "authorityInfoAccess" },
        { &ca_oid_subject_info_access, "subjectInfoAccess" },
        { &ca_oid_tls_feature, "tlsFeature" },
        { &ca_oid_ocsp_nocheck, "ocspNoCheck" },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (ca_bytes_equal(oid, *names[i].oid)) return names[i].name;
    }
    return NULL;
}

static void append_item(struct ca_buf *out, size_t mark, const char *text)
{
    if (out->len > mark) ca_buf_append_str(out, ", ");
    ca_buf_append_str(out, text);
}

static void append_hex(struct ca_bytes bytes, struct ca_buf *out)
{
    char digits[3];

    for (size_t i = 0; i < bytes.len; i++) {
        ca_hex_encode(ca_bytes_of(bytes.data + i, 1), digits);
        ca_buf_append_str(out, digits);
    }
}

/* Each of these returns false where the value is not what it should be; hexadecimal then. */
static bool append_key_usage(struct ca_bytes value, struct ca_buf *out)
{
    struct ca_der der = ca_der_open(value);
    struct ca_der_element bits;
    size_t mark = out->len;

    if (ca_der_take(&der, CA_DER_BIT_STRING, "keyUsage", &bits, NULL) != CA_OK) return false;
    for (unsigned bit = 0; bit < CA_KEY_USAGE_COUNT; bit++) {
        size_t at = 1 + bit / 8;        /* behind the octet that counts unused bits */

        if (at < bits.content.len && (bits.content.data[at] & (0x80u >> bit % 8)) != 0)
            append_item(out, mark, ca_key_usage_name(bit));
    }
    return out->len > mark;
}

static void append_purpose(struct ca_bytes oid, size_t mark, struct ca_buf *out)
{
    char dotted[128];

    for (unsigned bit = 0; bit < CA_EKU_COUNT; bit++) {
        if (ca_bytes_equal(oid, ca_eku_oid(bit))) {
            append_item(out, mark, ca_eku_name(bit));
            return;
        }
    }
    ca_der_oid_text(oid, dotted, sizeof(dotted));
    append_item(out, mark, dotted);
}

static bool append_purposes(struct ca_bytes value, struct ca_buf *out)
{
    struct ca_der der = ca_der_open(value);
    struct ca_der list;
    struct ca_bytes oid;
    size_t mark = out->len;

    if (ca_der_enter(&der, CA_DER_SEQUENCE, "purposes", &list, NULL) != CA_OK) return false;
    while (!ca_der_at_end(&list)) {
        if (ca_der_oid(&list, "a purpose", &oid, NULL) != CA_OK) return false;
        append_purpose(oid, mark, out);
    }
    return out->len > mark;
}

static bool append_basic_constraints(struct ca_bytes value, struct ca_buf *out)
{
    struct ca_der der = ca_der_open(value);
    struct ca_der inner;
    bool is_ca = false;
    uint32_t path_len;

    if (ca_der_enter(&der, CA_DER_SEQUENCE, "constraints", &inner, NULL) != CA_OK) return false;
    if (ca_der_next_is(&inner, CA_DER_BOOLEAN) &&
        ca_der_bool(&inner, "cA", &is_ca, NULL) != CA_OK) return false;
    ca_buf_append_str(out, is_ca ? "CA:TRUE" : "CA:FALSE");
    if (ca_der_at_end(&inner)) return true;
    if (ca_der_small(&inner, "pathLenConstraint", &path_len, NULL) != CA_OK) return false;
    ca_buf_printf(out, ", pathlen:%u", (unsigned)path_len);
    return true;
}

static bool append_subject_key_id(struct ca_bytes value, struct ca_buf *out)
{
    struct ca_der der = ca_der_open(value);
    struct ca_der_element id;

    if (ca_der_take(&der, CA_DER_OCTET_STRING, "an identifier", &id, NULL) != CA_OK) return false;
    append_hex(id.content, out);
    return true;
}

/* Only the form that we write: the issuer's key identifier alone. */
static bool append_authority_key_id(struct ca_bytes value, struct ca_buf *out)
{
    struct ca_der der = ca_der_open(value);
    struct ca_der inner;
    struct ca_der_element id;

    if (ca_der_enter(&der, CA_DER_SEQUENCE, "an identifier", &inner, NULL) != CA_OK) return false;
    if (ca_der_take(&inner, CA_DER_CONTEXT(0), "an identifier", &id, NULL) != CA_OK) return false;
    append_hex(id.content, out);
    return ca_der_at_end(&inner);
}

static void append_uri(struct ca_bytes uri, size_t mark, struct ca_buf *out)
{
    if (out->len > mark) ca_buf_append_str(out, ", ");
    for (size_t i = 0; i < uri.len; i++) {
        bool plain = uri.data[i] > 0x20 && uri.data[i] < 0x7f;

        ca_buf_append_u8(out, plain ? uri.data[i] : '?');
    }
}

/* Every [6] on the way is a URI: nothing else in these extensions has that tag. */
static bool append_uris(struct ca_bytes value, unsigned depth, size_t mark, struct ca_buf *out)
{
    struct ca_der der = ca_der_open(value);
    struct ca_der_element element;

    while (!ca_der_at_end(&der)) {
        if (ca_der_any(&der, &element, NULL) != CA_OK) return false;
        if (element.tag == CA_DER_CONTEXT(6)) {
            append_uri(element.content, mark, out);
        } else if ((element.tag & 0x20u) != 0) {
            if (depth == 0 || !append_uris(element.content, depth - 1, mark, out)) return false;
        }
    }
    return out->len > mark;
}

static bool append_words(struct ca_bytes oid, struct ca_bytes value, struct ca_buf *out)
{
    if (ca_bytes_equal(oid, ca_oid_key_usage)) return append_key_usage(value, out);
    if (ca_bytes_equal(oid, ca_oid_ext_key_usage)) return append_purposes(value, out);
    if (ca_bytes_equal(oid, ca_oid_basic_constraints)) return append_basic_constraints(value, out);
    if (ca_bytes_equal(oid, ca_oid_subject_key_identifier))
        return append_subject_key_id(value, out);
    if (ca_bytes_equal(oid, ca_oid_authority_key_identifier))
        return append_authority_key_id(value, out);
    if (ca_bytes_equal(oid, ca_oid_crl_distribution_points) ||
        ca_bytes_equal(oid, ca_oid_freshest_crl) ||
        ca_bytes_equal(oid, ca_oid_authority_info_access))
        return append_uris(value, URI_DEPTH_MAX, out->len, out);
    return false;
}

void extension_append_text(struct ca_bytes oid, struct ca_bytes value, struct ca_buf *out)
{
    struct ca_buf words;

    ca_buf_init(&words, 65536);
    if (append_words(oid, value, &words)) {
        ca_buf_append(out, words.data, words.len);
    } else {
        append_hex(value, out);
    }
    if (words.failed != CA_OK) out->failed = words.failed;
    ca_buf_clear(&words);
}
