#include "engine/csr.h"

#include "engine/der.h"
#include "engine/ext.h"

/* attributes [0] IMPLICIT SET OF Attribute: present even when empty (RFC 2986 4.1). */
static void add_attributes(struct ca_buf *out, struct ca_bytes extensions)
{
    size_t all = out->len, attribute, values;

    if (extensions.len > 0) {
        attribute = out->len;
        ca_der_add_oid(out, ca_oid_extension_request);
        values = out->len;
        ca_der_add(out, CA_DER_SEQUENCE, extensions);
        ca_der_wrap(out, values, CA_DER_SET);
        ca_der_wrap(out, attribute, CA_DER_SEQUENCE);
    }
    ca_der_wrap(out, all, CA_DER_CONTEXT_CONSTRUCTED(0));
}

static void add_info(struct ca_buf *out, struct ca_bytes spki, struct ca_bytes subject,
                     struct ca_bytes extensions)
{
    size_t mark = out->len;

    ca_der_add_small(out, 0);       /* v1 */
    ca_buf_append_bytes(out, subject);
    ca_buf_append_bytes(out, spki);
    add_attributes(out, extensions);
    ca_der_wrap(out, mark, CA_DER_SEQUENCE);
}

enum ca_status ca_csr_build(struct ca_signer *signer, struct ca_bytes spki, struct ca_bytes subject,
                            struct ca_bytes extensions, struct ca_buf *out, struct ca_error *err)
{
    uint8_t signature[CA_SIGNATURE_MAX];
    size_t mark = out->len, len = 0;
    enum ca_status st;

    add_info(out, spki, subject, extensions);
    st = ca_buf_status(out, "a certificate request", err);
    if (st == CA_OK) {
        struct ca_bytes info = ca_bytes_of(out->data + mark, out->len - mark);

        st = ca_signer_sign(signer, info, signature, &len, err);
    }
    if (st == CA_OK) {
        ca_buf_append_bytes(out, ca_sig_alg_der(ca_signer_alg(signer)));
        ca_der_add_bits(out, ca_bytes_of(signature, len));
        ca_der_wrap(out, mark, CA_DER_SEQUENCE);
        st = ca_buf_status(out, "a certificate request", err);
    }
    if (st != CA_OK && out->len > mark) out->len = mark;    /* nothing half written */
    return st;
}
