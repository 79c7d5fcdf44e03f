/* What issuing needs of a CA, loaded once, and the check that it is still so. */
#include "batch/ca_key.h"
#include "batch/ca_row.h"
#include "batch/scope.h"

#include <stdlib.h>

static enum ca_status check_may_issue(const struct batch_ca *ca, bool self, struct ca_error *err)
{
    enum ca_status st;

    if (!self) return batch_ca_check_state(ca, BATCH_CA_ISSUE, err);
    if (!ca->row.is_root) {
        st = ca_fail_named(err, CA_REFUSED, "invalid-request",
                           "a subordinate CA cannot sign its own certificate");
        ca_hint(err, "name the parent that is to sign it");
        return st;
    }
    return batch_ca_check_state(ca, BATCH_CA_SIGN_SELF, err);
}

/* What a listing of it shows; who issues asks the row again (batch/scope.h). */
static uint32_t next_scope(const struct batch_registry *registry, const struct schema_ca *row,
                           const struct ca_revocation *revocation)
{
    struct batch_scope scope = batch_scope_of(row, revocation, registry->scope_certs);

    return batch_scope_advance(&scope, NULL) == CA_OK ? scope.scope : 0;
}

static enum ca_status fill_issuer(struct batch_registry *registry, const struct batch_ca *ca,
                                  bool self, struct batch_issuer *issuer, struct ca_error *err)
{
    enum ca_status st;

    issuer->ca = ca->number;
    issuer->generation = ca->row.generation;
    issuer->key_alg = (enum ca_key_alg)ca->row.key_alg;
    issuer->sig_alg = (enum ca_sig_alg)ca->row.sig_alg;
    issuer->short_lived = ca->row.short_lived;
    issuer->self = self;
    issuer->expired = ca->expired;
    issuer->revocation = calloc(1, sizeof(*issuer->revocation));
    if (issuer->revocation == NULL) return ca_fail(err, CA_NOMEM, "no memory for an issuer");
    st = batch_ca_parse_revocation(registry, ca->row.uuid, ca->row.revocation,
                                   (struct ca_bytes){ 0 }, issuer->revocation, err);
    if (st != CA_OK) return st;
    issuer->scope = next_scope(registry, &ca->row, issuer->revocation);
    if (self) return CA_OK;
    return ca_issuer_new(registry->crypto, ca->row.cert, ca->row.chain, &issuer->issuer, err);
}

static enum ca_status load(struct batch_registry *registry, const char *name_or_arn, bool self,
                           bool with_key, struct batch_issuer **out, struct ca_error *err)
{
    struct batch_issuer *issuer = NULL;
    struct batch_ca ca;
    enum ca_status st = batch_ca_find(registry, NULL, name_or_arn, &ca, err);

    if (st != CA_OK) return st;
    st = check_may_issue(&ca, self, err);
    if (st != CA_OK) goto out;
    issuer = calloc(1, sizeof(*issuer));
    if (issuer == NULL) {
        st = ca_fail(err, CA_NOMEM, "no memory for an issuer");
        goto out;
    }
    st = fill_issuer(registry, &ca, self, issuer, err);
    if (st == CA_OK && with_key)
        st = batch_key_read(registry, ca.row.uuid, ca.row.spki, &issuer->key, err);
    if (st != CA_OK) goto out;
    *out = issuer;
    issuer = NULL;
out:
    batch_issuer_free(issuer);
    batch_ca_clear(&ca);
    return st;
}

enum ca_status batch_issuer_load(struct batch_registry *registry, const char *name_or_arn,
                                 bool self, struct batch_issuer **out, struct ca_error *err)
{
    return load(registry, name_or_arn, self, true, out, err);
}

enum ca_status batch_issuer_load_public(struct batch_registry *registry, const char *name_or_arn,
                                        bool self, struct batch_issuer **out,
                                        struct ca_error *err)
{
    return load(registry, name_or_arn, self, false, out, err);
}

void batch_issuer_free(struct batch_issuer *issuer)
{
    if (issuer == NULL) return;
    ca_issuer_free(issuer->issuer);
    ca_key_free(issuer->key);
    if (issuer->revocation != NULL) ca_revocation_clear(issuer->revocation);
    free(issuer->revocation);
    free(issuer);
}

static enum ca_status refuse_changed(struct ca_error *err, const struct schema_ca *row,
                                     const char *what)
{
    enum ca_status st = ca_fail_named(err, CA_REFUSED, "ca-changed",
                                      "the CA \"%.*s\" %s since it was loaded",
                                      (int)row->name.len, (const char *)row->name.data, what);

    ca_hint(err, "nothing more is issued; look at: certmill ca describe %.*s", (int)row->name.len,
            (const char *)row->name.data);
    return st;
}

/* A partition has one URI, in all its certificates: with other settings the row may count another
 * one by now, and what was compiled before would mix the two. */
static bool partitions_changed(const struct schema_ca *row, const struct batch_issuer *issuer)
{
    const struct ca_revocation *revocation = issuer->revocation;

    return revocation != NULL && revocation->crl_partitioned &&
           !ca_bytes_equal(row->revocation, ca_buf_view(&revocation->json));
}

/* The row only, without parsing its certificate: this runs once in every group of a run. */
enum ca_status batch_issuer_recheck(struct store_txn *txn, const struct batch_issuer *issuer,
                                    int64_t now_ms, struct ca_error *err)
{
    struct schema_key key;
    struct schema_ca row;
    struct ca_bytes value;
    bool found = false, may_issue;
    enum ca_status st =
        store_get(txn, STORE_CA, schema_key_ca(&key, issuer->ca), &found, &value, err);

    if (st != CA_OK) return st;
    if (!found) {
        return ca_fail_named(err, CA_CORRUPT, "store-damaged", "the row of CA %u is gone",
                             issuer->ca);
    }
    st = schema_decode_ca(value, &row, err);
    if (st != CA_OK) return st;
    if (row.generation != issuer->generation) {
        return refuse_changed(err, &row, "has got another certificate");
    }
    if (partitions_changed(&row, issuer)) {
        return refuse_changed(err, &row, "has got other revocation settings");
    }
    /* A root that signs itself may be waiting for its first certificate. One that was disabled and
     * has expired is EXPIRED (spec section 3), and renewing it is what self is for. */
    may_issue = row.state == SCHEMA_CA_ACTIVE;
    if (issuer->self) may_issue = may_issue || row.state == SCHEMA_CA_PENDING_CERTIFICATE;
    if (issuer->self && row.state == SCHEMA_CA_DISABLED) may_issue = issuer->expired;
    if (!may_issue) return refuse_changed(err, &row, "has been disabled or deleted");
    if (!issuer->self && now_ms / 1000 > issuer->issuer->cert.not_after_s) {
        return refuse_changed(err, &row, "has expired");
    }
    return CA_OK;
}
