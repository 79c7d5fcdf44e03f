/* Import of a CA's certificate (spec 4.3): the text taken apart, the rules, the row. */
#include "batch/ca_row.h"
#include "engine/pem.h"

#include <string.h>

/* Spec 4: a chain has at most 2 MiB; the certificate stands before it. */
#define IMPORT_TEXT_MAX ((size_t)(2097152 + 65536))

/* Certificates read from PEM: DER one after the other. */
struct cert_list {
    struct ca_buf der;
    size_t first_len;           /* octets of the first */
    size_t count;
};

/* A BEGIN line after a TAB or a space, as the AWS CLI's text output joins certificate and chain,
 * gets a line of its own. */
static void put_begins_on_lines(struct ca_bytes text, struct ca_buf *out)
{
    static const char begin[] = "-----BEGIN ";
    const size_t begin_len = sizeof(begin) - 1;

    for (size_t i = 0; i < text.len; i++) {
        if (text.len - i >= begin_len && memcmp(text.data + i, begin, begin_len) == 0) {
            ca_buf_append_u8(out, '\n');
        }
        ca_buf_append_u8(out, text.data[i]);
    }
}

static enum ca_status refuse_pem(struct ca_error *err, const char *why)
{
    return ca_fail_named(err, CA_MALFORMED, "malformed-certificate", "%s", why);
}

static enum ca_status add_block(const struct ca_pem_block *block, struct cert_list *list,
                                struct ca_error *err)
{
    size_t old_len = list->der.len, len = 0;
    uint8_t *der;

    if (!ca_bytes_equal(block->label, ca_bytes_str("CERTIFICATE"))) {
        return refuse_pem(err, "a PEM block is labelled other than CERTIFICATE");
    }
    if (list->count == 1 + CA_CHAIN_CERTS_MAX) {
        return refuse_pem(err, "there are more certificates than a chain can have");
    }
    der = ca_buf_extend(&list->der, ca_base64_decoded_max(block->base64.len));
    if (der == NULL) return ca_buf_status(&list->der, "the certificates", err);
    if (ca_base64_decode(block->base64, der, &len, NULL) != CA_OK) {
        return refuse_pem(err, "the base64 text of a certificate is damaged");
    }
    if (len > CA_CERT_DER_MAX) return refuse_pem(err, "a certificate is too long");
    list->der.len = old_len + len;
    if (list->count++ == 0) list->first_len = len;
    return CA_OK;
}

/* Appends the certificates of a text to list. */
static enum ca_status read_pem(struct ca_bytes text, struct cert_list *list, struct ca_error *err)
{
    struct ca_pem_block block;
    struct ca_buf lines;
    bool found = false;
    enum ca_status st;

    if (text.len > IMPORT_TEXT_MAX) return refuse_pem(err, "the PEM text is longer than 2 MiB");
    ca_buf_init(&lines, 2 * IMPORT_TEXT_MAX);
    put_begins_on_lines(text, &lines);
    st = ca_buf_status(&lines, "the certificates", err);
    block.after = ca_buf_view(&lines);
    while (st == CA_OK) {
        if (ca_pem_find(block.after, &block, &found, NULL) != CA_OK) {
            st = refuse_pem(err, "a PEM block has no END line");
        }
        if (st != CA_OK || !found) break;
        st = add_block(&block, list, err);
    }
    ca_buf_clear(&lines);
    return st;
}

/* The certificate and its chain, whether they come in one text or in two. */
static enum ca_status read_import(struct ca_bytes cert_pem, struct ca_bytes chain_pem,
                                  struct cert_list *list, struct ca_error *err)
{
    enum ca_status st = read_pem(cert_pem, list, err);

    if (st != CA_OK) return st;
    if (list->count == 0) {
        st = refuse_pem(err, "there is no PEM block CERTIFICATE in the text");
        ca_hint(err, "convert DER with: openssl x509 -inform DER -in FILE -out FILE.pem");
        return st;
    }
    if (chain_pem.len == 0) return CA_OK;
    if (list->count != 1) {
        return refuse_pem(err, "with a chain of its own the certificate must stand alone");
    }
    st = read_pem(chain_pem, list, err);
    if (st == CA_OK && list->count == 1) {
        return refuse_pem(err, "there is no PEM block CERTIFICATE in the chain");
    }
    return st;
}

static enum ca_status check_dates(const struct batch_registry *registry,
                                  const struct ca_cert *cert, struct ca_error *err)
{
    int64_t now_s = ca_clock_now_s(&registry->clock);
    char text[CA_TIME_TEXT_MAX];

    if (cert->not_after_s < now_s) {
        ca_time_format(cert->not_after_s, text);
        return ca_fail_named(err, CA_REFUSED, "certificate-expired",
                             "the certificate expired at %s", text);
    }
    /* By so much do our own certificates begin before their issuance. */
    if (cert->not_before_s > now_s + CA_BACKDATE_S) {
        ca_time_format(cert->not_before_s, text);
        return ca_fail_named(err, CA_REFUSED, "certificate-not-yet-valid",
                             "the certificate is not valid before %s", text);
    }
    return CA_OK;
}

enum ca_status batch_ca_install(struct batch_registry *registry, struct batch_ca *ca,
                                struct ca_bytes der, struct ca_bytes chain, struct ca_error *err)
{
    struct ca_cert cert;
    enum ca_status st = batch_ca_check_state(ca, BATCH_CA_IMPORT, err);

    if (st != CA_OK) return st;
    st = ca_issuer_check_import(registry->crypto, ca->row.is_root, ca->row.spki, ca->row.subject,
                                der, chain, err);
    if (st != CA_OK) return st;
    st = ca_cert_parse(der, &cert, err);
    if (st != CA_OK) return st;
    st = check_dates(registry, &cert, err);
    if (st != CA_OK) return st;
    ca->row.cert = der;
    ca->row.chain = chain;
    ca->row.generation++;
    ca->row.changed_ms = ca_clock_now_ms(&registry->clock);
    /* ACTIVE and DISABLED stay what they are, expired or not: a fresh certificate does not switch a
     * CA on that somebody switched off. */
    if (ca->row.state == SCHEMA_CA_PENDING_CERTIFICATE) ca->row.state = SCHEMA_CA_ACTIVE;
    return CA_OK;
}

enum ca_status batch_ca_import(struct batch_registry *registry, const char *name_or_arn,
                               struct ca_bytes cert_pem, struct ca_bytes chain_pem,
                               struct ca_error *err)
{
    struct cert_list list = { 0 };
    struct batch_ca_edit edit;
    enum ca_status st;

    ca_buf_init(&list.der, IMPORT_TEXT_MAX);
    st = read_import(cert_pem, chain_pem, &list, err);
    if (st == CA_OK) {
        struct ca_bytes all = ca_buf_view(&list.der);

        st = batch_ca_edit_begin(registry, name_or_arn, BATCH_CA_IMPORT, &edit, err);
        if (st == CA_OK) {
            st = batch_ca_install(registry, &edit.ca, ca_bytes_slice(all, 0, list.first_len),
                                  ca_bytes_slice(all, list.first_len, all.len - list.first_len),
                                  err);
        }
        st = batch_ca_edit_end(&edit, st, err);
    }
    ca_buf_clear(&list.der);
    return st;
}
