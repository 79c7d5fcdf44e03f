#include "batch/registry_ca.h"

#include "batch/ca_row.h"
#include "engine/der.h"
#include "engine/pem.h"

#include <assert.h>
#include <string.h>

/* ---- Finding ---- */

enum ca_status batch_ca_find(struct batch_registry *registry, struct store_txn *txn,
                             const char *name_or_arn, struct batch_ca *out, struct ca_error *err)
{
    struct store_txn *own = NULL;
    bool found = false;
    enum ca_status st = CA_OK;

    *out = (struct batch_ca){ 0 };
    if (txn == NULL) {
        st = store_begin(registry->store, STORE_READ, &own, err);
        if (st != CA_OK) return st;
        txn = own;
    }
    st = batch_ca_look_up(registry, txn, name_or_arn, &found, out, err);
    store_abort(own);
    if (st == CA_OK && !found) {
        st = ca_fail_named(err, CA_REFUSED, "no-such-ca", "there is no CA \"%s\" in this store",
                           name_or_arn);
        ca_hint(err, "see: certmill ca list");
    }
    return st;
}

/* The next CA that is not gone, in a read transaction that is over when it returns: visitors may
 * open their own, and none holds the store's pages while somebody reads a long list. */
static enum ca_status next_living(struct batch_registry *registry, uint32_t after, bool *found,
                                  struct batch_ca *out, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    enum ca_status st = store_begin(registry->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    for (;;) {
        st = batch_ca_next(registry, txn, after, found, out, err);
        if (st != CA_OK || !*found || !batch_ca_is_gone(registry, out)) break;
        after = out->number;
        batch_ca_clear(out);
    }
    store_abort(txn);
    return st;
}

enum ca_status batch_ca_each(struct batch_registry *registry,
                             enum ca_status (*visit)(void *ctx, const struct batch_ca *ca,
                                                     struct ca_error *err),
                             void *ctx, struct ca_error *err)
{
    struct batch_ca ca = { 0 };
    uint32_t after = 0;
    bool found = false;

    for (;;) {
        enum ca_status st = next_living(registry, after, &found, &ca, err);

        if (st != CA_OK || !found) return st;
        after = ca.number;
        st = visit(ctx, &ca, err);
        batch_ca_clear(&ca);
        if (st != CA_OK) return st;
    }
}

/* ---- Describing (spec 2.1) ---- */

static void add_string(struct ca_buf *out, const char *member, struct ca_bytes value)
{
    ca_buf_printf(out, ",\"%s\":", member);
    ca_json_append_string(out, value);
}

static void add_text(struct ca_buf *out, const char *member, const char *value)
{
    add_string(out, member, ca_bytes_str(value));
}

/* A member whose value is JSON already; left out when there is none. */
static void add_json(struct ca_buf *out, const char *member, struct ca_bytes json)
{
    if (json.len == 0) return;
    ca_buf_printf(out, ",\"%s\":", member);
    ca_buf_append_bytes(out, json);
}

static void add_time_ms(struct ca_buf *out, const char *member, int64_t time_ms)
{
    char text[CA_TIME_TEXT_MAX];

    ca_time_format_ms(time_ms, text);
    add_text(out, member, text);
}

static void add_time(struct ca_buf *out, const char *member, int64_t time_s)
{
    char text[CA_TIME_TEXT_MAX];

    ca_time_format(time_s, text);
    add_text(out, member, text);
}

/* Certificates one after the other in DER, as PEM text. */
static void add_pem(struct ca_buf *out, const char *member, struct ca_bytes ders)
{
    struct ca_der der = ca_der_open(ders);
    struct ca_buf pem;

    if (ders.len == 0) return;
    ca_buf_init(&pem, 2 * BATCH_CA_ROW_MAX);
    while (!ca_der_at_end(&der)) {
        struct ca_der_element cert;

        /* Import checked them one by one, and a checksum stands behind the row. */
        if (ca_der_any(&der, &cert, NULL) != CA_OK) break;
        ca_pem_append(&pem, "CERTIFICATE", cert.whole);
    }
    if (pem.failed != CA_OK) out->failed = pem.failed;
    add_string(out, member, ca_buf_view(&pem));
    ca_buf_clear(&pem);
}

static void add_certificate_members(const struct batch_ca *ca, struct ca_buf *out)
{
    char serial[CA_SERIAL_TEXT_MAX];

    if (ca->serial.len == 0) return;
    ca_serial_format(&ca->serial, serial);
    add_text(out, "Serial", serial);
    add_time(out, "NotBefore", ca->not_before_s);
    add_time(out, "NotAfter", ca->not_after_s);
}

/* KeyStorageSecurityStandard is left out: it names classes of hardware, and keys here are files. */
void batch_ca_describe(const struct batch_registry *registry, const struct batch_ca *ca,
                       struct ca_buf *out)
{
    ca_buf_append_str(out, "{\"Arn\":");
    ca_json_append_string(out, ca_bytes_str(ca->arn));
    add_string(out, "OwnerAccount", registry->identity.account);
    add_time_ms(out, "CreatedAt", ca->row.created_ms);
    add_time_ms(out, "LastStateChangeAt", ca->row.changed_ms);
    add_text(out, "Type", ca->row.is_root ? "ROOT" : "SUBORDINATE");
    add_text(out, "Status", batch_ca_status_name(ca));
    add_certificate_members(ca, out);
    add_json(out, "CertificateAuthorityConfiguration", ca->row.config);
    add_json(out, "RevocationConfiguration", ca->row.revocation);
    if (ca->row.state == SCHEMA_CA_DELETED) {
        add_time_ms(out, "RestorableUntil", ca->row.restorable_until_ms);
    }
    add_text(out, "UsageMode",
             ca->row.short_lived ? "SHORT_LIVED_CERTIFICATE" : "GENERAL_PURPOSE");
    add_json(out, "Tags", ca->row.tags);
    add_string(out, "name", ca->row.name);
    add_pem(out, "certificate", ca->row.cert);
    add_pem(out, "chain", ca->row.chain);
    ca_buf_append_u8(out, '}');
}
