/* A CA's certificate, signed by itself or its parent and imported, in one transaction. */
#include "batch/ca_row.h"
#include "batch/plan.h"
#include "batch/profile.h"
#include "batch/registry_cert.h"
#include "batch/scope.h"
#include "engine/lint.h"
#include "engine/policy.h"
#include "engine/prove.h"
#include "engine/sign.h"

#include <string.h>

#define ROOT_TEMPLATE "RootCACertificate"
#define SUBORDINATE_TEMPLATE "SubordinateCACertificate_PathLen0"

/* One CA certificate on its way. */
struct signing {
    struct batch_issuer *issuer;
    struct batch_terms *terms;
    struct batch_compiled compiled;
    struct ca_request request;          /* the CA's own CSR; views into its row */
    struct ca_arena parts;              /* of contents */
    struct ca_contents contents;
    struct ca_serial serial;
    int64_t not_before_s, not_after_s;
    uint32_t scope;
    struct ca_buf arena;
    struct ca_bytes der;                /* the certificate, a view into arena */
};

static void signing_clear(struct signing *signing)
{
    batch_compiled_clear(&signing->compiled);
    batch_terms_free(signing->terms);
    batch_issuer_free(signing->issuer);
    ca_arena_clear(&signing->parts);
    ca_buf_clear(&signing->arena);
}

/* ---- Before the transaction ---- */

static enum ca_status choose_template(struct batch_registry *registry, const struct batch_ca *ca,
                                      const char *name, struct batch_terms **out,
                                      struct ca_error *err)
{
    enum ca_template_kind wanted = ca->row.is_root ? CA_TEMPLATE_ROOT_CA
                                                   : CA_TEMPLATE_SUBORDINATE_CA;
    struct batch_terms_spec spec = { .tmpl = name };
    enum ca_status st;

    if (name == NULL) spec.tmpl = ca->row.is_root ? ROOT_TEMPLATE : SUBORDINATE_TEMPLATE;
    st = batch_terms_new(&spec, registry->crypto, out, err);
    if (st != CA_OK || (*out)->tmpl->kind == wanted) return st;
    st = ca_fail_named(err, CA_REFUSED, "template", "the template %s is not for the certificate of "
                       "a %s CA", (*out)->tmpl->name, ca->row.is_root ? "root" : "subordinate");
    ca_hint(err, "see: certmill template list");
    return st;
}

static enum ca_status check_parent(const struct batch_ca *ca, const char *parent,
                                   struct ca_error *err)
{
    enum ca_status st = CA_OK;

    if (ca->row.is_root && parent != NULL) {
        st = ca_fail_named(err, CA_REFUSED, "invalid-request", "a root CA signs itself");
        ca_hint(err, "leave the parent out");
    } else if (!ca->row.is_root && parent == NULL) {
        st = ca_fail_named(err, CA_REFUSED, "invalid-request",
                           "a subordinate CA needs a parent that signs its certificate");
        ca_hint(err, "name an ACTIVE CA of this store, or take its CSR elsewhere: certmill ca csr");
    }
    return st;
}

/* All that needs no transaction: above all the key, whose KDF takes a tenth of a second. */
static enum ca_status prepare(struct batch_registry *registry,
                              const struct batch_ca_activate *spec, const struct batch_ca *ca,
                              struct signing *signing, struct ca_error *err)
{
    struct batch_profile_ask ask = { .validity = spec->validity };
    enum ca_status st = check_parent(ca, spec->parent, err);

    if (st != CA_OK) return st;
    st = choose_template(registry, ca, spec->tmpl, &signing->terms, err);
    if (st != CA_OK) return st;
    st = batch_ca_check_state(ca, BATCH_CA_IMPORT, err);
    if (st != CA_OK) return st;
    st = batch_issuer_load(registry, ca->row.is_root ? spec->name : spec->parent, ca->row.is_root,
                           &signing->issuer, err);
    if (st != CA_OK) return st;
    ask.terms = signing->terms;
    return batch_profile_compile(registry, signing->issuer, &ask, &signing->compiled, err);
}

/* ---- Signing ---- */

static enum ca_status check_policy(struct batch_registry *registry, struct signing *signing,
                                   struct ca_error *err)
{
    struct ca_ask ask = { .request = &signing->request };
    struct ca_policy *policy = NULL;
    enum ca_status st = ca_policy_new(registry->crypto, &policy, err);

    if (st != CA_OK) return st;
    st = ca_policy_check(policy, signing->compiled.profile, &ask, &signing->parts,
                         &signing->contents, err);
    ca_policy_free(policy);
    return st;
}

static enum ca_status check_request(struct batch_registry *registry, struct signing *signing,
                                    struct ca_bytes csr, struct ca_error *err)
{
    const struct ca_request *request = &signing->request;
    struct ca_prover *prover = NULL;
    bool proved = false;
    enum ca_status st = ca_request_parse(csr, signing->terms->tmpl->admit, &signing->request, err);

    if (st == CA_OK) st = check_policy(registry, signing, err);
    if (st == CA_OK) st = ca_prover_new(registry->crypto, &prover, err);
    if (st != CA_OK) return st;
    st = ca_prover_check(prover, &request, 1, &proved, err);
    if (st == CA_OK && !proved) st = ca_prover_refuse(prover, request, err);
    ca_prover_free(prover);
    return st;
}

static enum ca_status draw_serial(struct batch_registry *registry, int64_t tick_ms,
                                  struct ca_serial *out, struct ca_error *err)
{
    struct ca_rng *rng = NULL;
    enum ca_status st = ca_rng_new(registry->crypto, registry->seed, &rng, err);

    if (st != CA_OK) return st;
    st = ca_serial_draw(rng, tick_ms, 0, out, err);
    ca_rng_free(rng);
    return st;
}

static enum ca_status sign_tbs(struct batch_registry *registry, struct signing *signing,
                               struct ca_cert_slot *slot, struct ca_error *err)
{
    const struct batch_issuer *issuer = signing->issuer;
    uint8_t signature[CA_SIGNATURE_MAX];
    struct ca_signer *signer = NULL;
    size_t len = 0;
    struct ca_bytes tbs = ca_bytes_slice(ca_buf_view(&signing->arena), slot->tbs_offset,
                                         slot->tbs_len);
    enum ca_status st =
        ca_signer_new(registry->crypto, issuer->key, issuer->sig_alg, &signer, err);

    if (st != CA_OK) return st;
    st = ca_signer_sign(signer, tbs, signature, &len, err);
    if (st == CA_OK) st = ca_signer_check(signer, tbs, ca_bytes_of(signature, len), err);
    ca_signer_free(signer);
    if (st != CA_OK) return st;
    ca_profile_finish(signing->compiled.profile, &signing->arena, slot,
                      ca_bytes_of(signature, len));
    signing->der = ca_bytes_slice(ca_buf_view(&signing->arena), slot->der_offset, slot->der_len);
    return CA_OK;
}

static enum ca_status sign_certificate(struct batch_registry *registry, struct signing *signing,
                                       int64_t now_ms, int64_t tick_ms, struct ca_error *err)
{
    const struct ca_profile *profile = signing->compiled.profile;
    struct ca_cert_slot slot;
    struct ca_tbs_input input = {
        .request = &signing->request,
        .contents = &signing->contents,
        .serial = &signing->serial,
        .scope = signing->scope,
    };
    enum ca_status st = ca_profile_dates(profile, now_ms / 1000, &signing->not_before_s,
                                         &signing->not_after_s, err);

    if (st != CA_OK) return st;
    st = draw_serial(registry, tick_ms, &signing->serial, err);
    if (st != CA_OK) return st;
    input.not_before_s = signing->not_before_s;
    input.not_after_s = signing->not_after_s;
    st = ca_profile_build(profile, &input, &signing->arena, &slot, err);
    if (st != CA_OK) return st;
    st = ca_lint(profile, &input,
                 ca_bytes_slice(ca_buf_view(&signing->arena), slot.tbs_offset, slot.tbs_len), err);
    if (st != CA_OK) return st;
    return sign_tbs(registry, signing, &slot, err);
}

/* ---- Storing, as any issued certificate is stored ---- */

static enum ca_status put_certificate(struct store_txn *txn, const struct signing *signing,
                                      struct ca_error *err)
{
    const struct batch_issuer *issuer = signing->issuer;
    struct schema_cert row = {
        .ca_generation = issuer->generation,
        .scope = signing->scope,
        .not_before_s = signing->not_before_s,
        .not_after_s = signing->not_after_s,
        .profile = batch_profile_id(signing->compiled.hash),
        .der = signing->der,
    };
    struct ca_buf value;
    enum ca_status st = batch_profile_put(txn, &signing->compiled, err);

    if (st != CA_OK) return st;
    ca_buf_init(&value, BATCH_CA_ROW_MAX);
    st = batch_cert_put(txn, issuer->ca, signing->serial.octets, &row, &value, err);
    ca_buf_clear(&value);
    return st == CA_OK ? batch_scope_count(txn, issuer->ca, signing->scope, 1, err) : st;
}

/* A root's own certificate is on no CRL of its own, so it takes no place in a scope. */
static enum ca_status take_scope(const struct batch_registry *registry, struct store_txn *txn,
                                 struct signing *signing, struct ca_error *err)
{
    if (signing->issuer->self) return CA_OK;
    return batch_scope_take(registry, txn, signing->issuer, &signing->scope, err);
}

/* A tick past all others, so that this serial stands behind them in the store. */
static enum ca_status draw_tick(struct store_txn *txn, int64_t now_ms, int64_t *tick_ms,
                                struct ca_error *err)
{
    struct schema_clock clock;
    enum ca_status st = batch_registry_read_clock(txn, &clock, err);

    if (st != CA_OK) return st;
    clock.last_tick_ms = ca_tick_next(now_ms, clock.last_tick_ms);
    if (now_ms > clock.high_time_ms) clock.high_time_ms = now_ms;
    *tick_ms = clock.last_tick_ms;
    return batch_registry_write_clock(txn, &clock, err);
}

/* The parent's certificate and its chain, or nothing for a root. */
static void append_chain(const struct batch_issuer *issuer, struct ca_buf *out)
{
    if (issuer->self) return;
    ca_buf_append_bytes(out, issuer->issuer->cert.der);
    for (size_t i = 0; i < issuer->issuer->chain_len; i++) {
        ca_buf_append_bytes(out, issuer->issuer->chain[i]);
    }
}

static enum ca_status activate_inside(struct batch_registry *registry, struct store_txn *txn,
                                      const char *name, struct signing *signing,
                                      struct ca_error *err)
{
    struct batch_ca ca = { 0 };
    struct ca_buf chain;
    int64_t now_ms = 0, tick_ms = 0;
    enum ca_status st = batch_registry_issuing_time(registry, txn, &now_ms, err);

    ca_buf_init(&chain, BATCH_CA_ROW_MAX);
    if (st == CA_OK) st = batch_issuer_recheck(txn, signing->issuer, now_ms, err);
    if (st == CA_OK) st = batch_ca_find(registry, txn, name, &ca, err);
    if (st == CA_OK) st = check_request(registry, signing, ca.row.csr, err);
    if (st == CA_OK) st = draw_tick(txn, now_ms, &tick_ms, err);
    if (st == CA_OK) st = take_scope(registry, txn, signing, err);
    if (st == CA_OK) st = sign_certificate(registry, signing, now_ms, tick_ms, err);
    if (st == CA_OK) st = put_certificate(txn, signing, err);
    if (st != CA_OK) goto out;
    append_chain(signing->issuer, &chain);
    st = ca_buf_status(&chain, "a chain", err);
    if (st != CA_OK) goto out;
    st = batch_ca_install(registry, &ca, signing->der, ca_buf_view(&chain), err);
    if (st == CA_OK) st = batch_ca_put(txn, &ca, STORE_UPSERT, err);
out:
    batch_ca_clear(&ca);
    ca_buf_clear(&chain);
    return st;
}

enum ca_status batch_ca_activate(struct batch_registry *registry,
                                 const struct batch_ca_activate *spec, struct ca_serial *serial,
                                 struct ca_error *err)
{
    struct signing signing = { 0 };
    struct store_txn *txn = NULL;
    struct batch_ca ca;
    enum ca_status st = batch_ca_find(registry, NULL, spec->name, &ca, err);

    if (st != CA_OK) return st;
    ca_buf_init(&signing.arena, 2 * CA_CERT_DER_MAX);
    ca_arena_init(&signing.parts, CA_CERT_DER_MAX, 8 * (size_t)CA_CERT_DER_MAX);
    st = prepare(registry, spec, &ca, &signing, err);
    batch_ca_clear(&ca);
    if (st != CA_OK) goto out;
    st = store_begin(registry->store, STORE_WRITE, &txn, err);
    if (st != CA_OK) goto out;
    st = activate_inside(registry, txn, spec->name, &signing, err);
    if (st != CA_OK) {
        store_abort(txn);
        goto out;
    }
    st = store_commit(txn, err);
    if (st == CA_OK) *serial = signing.serial;
out:
    signing_clear(&signing);
    return st;
}
