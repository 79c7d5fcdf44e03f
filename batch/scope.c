#include "batch/scope.h"

#include "batch/ca_row.h"

#include <string.h>

static enum ca_status read_row(struct store_txn *txn, uint32_t ca, struct schema_ca *row,
                               struct ca_error *err)
{
    struct schema_key key;
    struct ca_bytes value;
    bool found = false;
    enum ca_status st = store_get(txn, STORE_CA, schema_key_ca(&key, ca), &found, &value, err);

    if (st != CA_OK) return st;
    if (!found)
        return ca_fail_named(err, CA_CORRUPT, "store-damaged", "the row of CA %u is gone",
                             (unsigned)ca);
    return schema_decode_ca(value, row, err);
}

struct batch_scope batch_scope_of(const struct schema_ca *row,
                                  const struct ca_revocation *revocation, uint32_t size)
{
    struct batch_scope scope = { .size = size == 0 ? CA_SCOPE_CERTS : size };

    if (revocation == NULL || !revocation->crl_partitioned) return scope;
    scope.partitioned = true;
    /* Settings that open the first scope write it into the row; one without has just begun. */
    scope.scope = row->scope == 0 ? 1 : row->scope;
    scope.used = row->scope == 0 ? 0 : row->scope_used;
    return scope;
}

enum ca_status batch_scope_read(struct store_txn *txn, const struct batch_issuer *issuer,
                                uint32_t size, struct batch_scope *out, struct ca_error *err)
{
    struct schema_ca row;
    enum ca_status st = read_row(txn, issuer->ca, &row, err);

    if (st == CA_OK) *out = batch_scope_of(&row, issuer->revocation, size);
    return st;
}

static enum ca_status refuse_more(struct ca_error *err)
{
    (void)ca_fail_named(err, CA_REFUSED, "too-many-scopes",
                        "the CA has opened %d CRL partitions, and there are no more numbers",
                        CA_SCOPE_MAX);
    ca_hint(err, "make a new CA, or set the CA's CrlType to COMPLETE");
    return CA_REFUSED;
}

enum ca_status batch_scope_advance(struct batch_scope *scope, struct ca_error *err)
{
    if (!scope->partitioned) return CA_OK;
    if (scope->used >= scope->size) {
        if (scope->scope >= CA_SCOPE_MAX) return refuse_more(err);
        scope->scope++;
        scope->used = 0;
    }
    return CA_OK;
}

uint32_t batch_scope_room(const struct batch_scope *scope)
{
    if (!scope->partitioned) return UINT32_MAX;
    return scope->used >= scope->size ? 0 : scope->size - scope->used;
}

enum ca_status batch_scope_take(const struct batch_registry *registry, struct store_txn *txn,
                                const struct batch_issuer *issuer, uint32_t *scope,
                                struct ca_error *err)
{
    struct batch_scope next;
    enum ca_status st = batch_scope_read(txn, issuer, registry->scope_certs, &next, err);

    if (st == CA_OK) st = batch_scope_advance(&next, err);
    if (st == CA_OK) *scope = next.scope;
    return st;
}

enum ca_status batch_scope_count(struct store_txn *txn, uint32_t ca, uint32_t scope,
                                 uint32_t count, struct ca_error *err)
{
    struct schema_ca row;
    struct schema_key key;
    struct ca_buf value;
    enum ca_status st;

    if (scope == 0 || count == 0) return CA_OK;
    st = read_row(txn, ca, &row, err);
    if (st != CA_OK) return st;
    /* Somebody else has opened a later one: this one is over, and its count is of no use. */
    if (row.scope > scope) return CA_OK;
    if (row.scope < scope) row.scope_used = 0;
    row.scope = scope;
    row.scope_used = row.scope_used > UINT32_MAX - count ? UINT32_MAX : row.scope_used + count;
    ca_buf_init(&value, BATCH_CA_ROW_MAX);
    schema_encode_ca(&row, &value);
    st = ca_buf_status(&value, "a CA's row", err);
    if (st == CA_OK)
        st = store_put(txn, STORE_CA, schema_key_ca(&key, ca), ca_buf_view(&value), STORE_UPSERT,
                       err);
    ca_buf_clear(&value);
    return st;
}

enum ca_status batch_scope_reconfigure(struct schema_ca *row, const struct ca_revocation *before,
                                       const struct ca_revocation *after, struct ca_error *err)
{
    bool same_place = before != NULL && before->crl_partitioned &&
                      strcmp(before->cdp_uri, after->cdp_uri) == 0;

    if (!after->crl_partitioned) return CA_OK;
    if (row->scope == 0) {
        row->scope = 1;
        row->scope_used = 0;
        return CA_OK;
    }
    if (same_place || row->scope_used == 0) return CA_OK;
    if (row->scope >= CA_SCOPE_MAX) return refuse_more(err);
    row->scope++;
    row->scope_used = 0;
    return CA_OK;
}
