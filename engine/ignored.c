#include "engine/ignored.h"

#include "engine/ext.h"

#include <string.h>

const char *ca_ignored_name(unsigned bit)
{
    static const char *const names[] = {
#define IGNORED_NAME(number, name, text) [number] = (text),
        CA_IGNORED(IGNORED_NAME)
#undef IGNORED_NAME
    };

    return bit < CA_COUNT(names) ? names[bit] : NULL;
}

/* id-ce (2.5.29) by its last arc. */
static enum ca_ignored of_id_ce(uint8_t arc)
{
    switch (arc) {
    case 14: return CA_IGNORED_CSR_SUBJECT_KEY_ID;
    case 15: return CA_IGNORED_CSR_KEY_USAGE;
    case 17: return CA_IGNORED_CSR_SAN;
    case 18: return CA_IGNORED_CSR_ISSUER_ALT_NAME;
    case 19: return CA_IGNORED_CSR_BASIC_CONSTRAINTS;
    case 30: return CA_IGNORED_CSR_NAME_CONSTRAINTS;
    case 31: return CA_IGNORED_CSR_CRL_DISTRIBUTION_POINTS;
    case 32: return CA_IGNORED_CSR_CERTIFICATE_POLICIES;
    case 33: return CA_IGNORED_CSR_POLICY_MAPPINGS;
    case 35: return CA_IGNORED_CSR_AUTHORITY_KEY_ID;
    case 36: return CA_IGNORED_CSR_POLICY_CONSTRAINTS;
    case 37: return CA_IGNORED_CSR_EXT_KEY_USAGE;
    case 46: return CA_IGNORED_CSR_FRESHEST_CRL;
    case 54: return CA_IGNORED_CSR_INHIBIT_ANY_POLICY;
    case 56: return CA_IGNORED_CSR_NO_REV_AVAIL;
    default: return CA_IGNORED_CSR_OTHER;
    }
}

static bool begins_with(struct ca_bytes oid, const uint8_t *arc, size_t len)
{
    return oid.len > len && memcmp(oid.data, arc, len) == 0;
}

enum ca_ignored ca_ignored_of_csr_extension(struct ca_bytes oid)
{
    static const uint8_t netscape[] = { 0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42 };
    static const uint8_t microsoft[] = { 0x2b, 6, 1, 4, 1, 0x82, 0x37 };

    if (oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x1d) return of_id_ce(oid.data[2]);
    if (ca_bytes_equal(oid, ca_oid_authority_info_access))
        return CA_IGNORED_CSR_AUTHORITY_INFO_ACCESS;
    if (ca_bytes_equal(oid, ca_oid_subject_info_access)) return CA_IGNORED_CSR_SUBJECT_INFO_ACCESS;
    if (ca_bytes_equal(oid, ca_oid_tls_feature)) return CA_IGNORED_CSR_TLS_FEATURE;
    if (ca_bytes_equal(oid, ca_oid_ocsp_nocheck)) return CA_IGNORED_CSR_OCSP_NOCHECK;
    if (ca_bytes_equal(oid, ca_oid_ct_poison)) return CA_IGNORED_CSR_CT_POISON;
    if (begins_with(oid, netscape, sizeof(netscape))) return CA_IGNORED_CSR_NETSCAPE;
    if (begins_with(oid, microsoft, sizeof(microsoft))) return CA_IGNORED_CSR_MICROSOFT;
    return CA_IGNORED_CSR_OTHER;
}

void ca_ignored_append_json(uint64_t ignored, struct ca_buf *out)
{
    const char *between = "";

    ca_buf_append_u8(out, '[');
    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = ca_ignored_name(bit);

        if ((ignored >> bit & 1) == 0 || name == NULL) continue;
        ca_buf_append_str(out, between);
        ca_json_append_string(out, ca_bytes_str(name));
        between = ",";
    }
    ca_buf_append_u8(out, ']');
}
