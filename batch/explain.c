#include "batch/explain.h"

#include "batch/item.h"
#include "batch/profile.h"
#include "batch/scope.h"
#include "engine/lint.h"
#include "engine/notice.h"
#include "engine/policy.h"
#include "engine/prove.h"
#include "engine/rng.h"

#include <assert.h>
#include <string.h>

/* Everything one request needs on its way. */
struct way {
    struct batch_registry *registry;
    const struct batch_explain *spec;
    struct batch_explained *out;
    struct batch_terms *terms;
    struct batch_issuer *issuer;
    struct batch_compiled compiled;
    struct batch_profile row;           /* the plan's only one */
    struct batch_plan plan;
    struct batch_chunk *chunk;
    struct batch_item *item;            /* the chunk's only one */
    struct ca_policy *policy;
    struct ca_ask ask;
    int64_t tick_ms;
    uint32_t scope;
    struct ca_cert_slot slot;
    bool stopped;                       /* a step refused */
};

static struct ca_tbs_input input_of(const struct way *way)
{
    return (struct ca_tbs_input){
        .request = &way->item->request, .contents = &way->item->contents,
        .serial = &way->out->serial, .not_before_s = way->out->not_before_s,
        .not_after_s = way->out->not_after_s, .scope = way->scope,
    };
}

/* ---- the steps, each with a request's way so far behind it ---- */

static enum ca_status step_template(struct way *way, struct ca_error *err)
{
    const struct batch_explain *spec = way->spec;
    const struct batch_profile_ask ask = {
        .terms = way->terms, .validity = spec->validity, .not_before_s = spec->not_before_s,
        .sig_alg = spec->sig_alg,
    };

    return batch_profile_compile(way->registry, way->issuer, &ask, &way->compiled, err);
}

static enum ca_status step_decode(struct way *way, struct ca_error *err)
{
    struct ingest_record record = { .kind = INGEST_FILE, .data = way->spec->csr };

    if (record.data.len > INGEST_RECORD_MAX)
        return ca_refuse(err, CA_REASON_RECORD_TOO_LONG, "the CSR file is longer than %d octets",
                         INGEST_RECORD_MAX);
    batch_chunk_reset(way->chunk, &way->plan, 0, 0);
    (void)batch_chunk_add(way->chunk, &record);
    way->item = &way->chunk->items[0];
    return batch_item_decode(way->chunk, way->item, err);
}

/* A root signs itself only for its own key. */
static enum ca_status check_own_request(const struct way *way, struct ca_error *err)
{
    struct batch_ca ca;
    enum ca_status st = batch_ca_find(way->registry, NULL, way->spec->ca, &ca, err);

    if (st != CA_OK) return st;
    if (!ca_bytes_equal(way->item->request.key.whole, ca.row.spki))
        st = ca_refuse(err, CA_REASON_TEMPLATE_NOT_FOR_ISSUER,
                       "a root template signs only this CA's own CSR");
    batch_ca_clear(&ca);
    return st;
}

static enum ca_status step_request(struct way *way, struct ca_error *err)
{
    enum ca_status st = ca_request_parse(way->item->der, way->terms->tmpl->admit,
                                         &way->item->request, err);

    if (st == CA_OK && way->issuer->self) st = check_own_request(way, err);
    if (st != CA_OK) return st;
    way->out->key_kind = way->item->request.key.kind;
    way->out->key_bits = way->item->request.key.bits;
    way->ask = (struct ca_ask){ .request = &way->item->request, .api = way->terms->api };
    return CA_OK;
}

static enum ca_status step_validity(struct way *way, struct ca_error *err)
{
    return ca_profile_dates(way->compiled.profile, way->tick_ms / 1000, &way->out->not_before_s,
                            &way->out->not_after_s, err);
}

static enum ca_status step_possession(struct way *way, struct ca_error *err)
{
    const struct ca_request *request = &way->item->request;
    struct ca_prover *prover = NULL;
    bool proved = false;
    enum ca_status st = ca_prover_new(way->registry->crypto, &prover, err);

    if (st != CA_OK) return st;
    st = ca_prover_check(prover, &request, 1, &proved, err);
    if (st == CA_OK && !proved) st = ca_prover_refuse(prover, request, err);
    ca_prover_free(prover);
    return st;
}

static enum ca_status is_known(const struct way *way, bool *known, struct ca_serial *serial,
                               struct ca_error *err)
{
    struct schema_known row;
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct ca_bytes value;
    enum ca_status st = store_begin(way->registry->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = store_get(txn, STORE_KNOWN, schema_key_known(&key, way->item->contents.key_hash), known,
                   &value, err);
    if (st == CA_OK && *known) st = schema_decode_known(value, &row, err);
    if (st == CA_OK && *known) {
        serial->len = SCHEMA_SERIAL_LEN;
        memcpy(serial->octets, row.serial, SCHEMA_SERIAL_LEN);
    }
    store_abort(txn);
    return st;
}

static enum ca_status step_known_key(struct way *way, struct ca_error *err)
{
    char text[CA_SERIAL_TEXT_MAX];
    struct ca_serial serial;
    bool known = false;
    enum ca_status st;

    if (way->terms->tmpl->keys_in_store == CA_KEYS_ALLOW) return CA_OK;
    st = is_known(way, &known, &serial, err);
    if (st != CA_OK || !known) return st;
    ca_serial_format(&serial, text);
    if (way->terms->tmpl->keys_in_store == CA_KEYS_REJECT)
        return ca_refuse(err, CA_REASON_KNOWN_KEY, "certificate %s has this key", text);
    way->out->notices |= CA_NOTICE_BIT(KNOWN_KEYS);
    return CA_OK;
}

/* With a serial drawn for nothing: explaining uses none up. */
static enum ca_status step_build(struct way *way, struct ca_error *err)
{
    struct ca_tbs_input input = input_of(way);
    struct ca_rng *rng = NULL;
    enum ca_status st = ca_rng_new(way->registry->crypto, way->registry->seed, &rng, err);

    if (st != CA_OK) return st;
    st = ca_serial_draw(rng, way->tick_ms, 0, &way->out->serial, err);
    ca_rng_free(rng);
    if (st != CA_OK) return st;
    return ca_profile_build(way->compiled.profile, &input, &way->chunk->certs, &way->slot, err);
}

static struct ca_bytes tbs_of(const struct way *way)
{
    return ca_bytes_slice(ca_buf_view(&way->chunk->certs), way->slot.tbs_offset,
                          way->slot.tbs_len);
}

static enum ca_status step_lint(struct way *way, struct ca_error *err)
{
    struct ca_tbs_input input = input_of(way);

    return ca_lint(way->compiled.profile, &input, tbs_of(way), err);
}

struct part {
    const char *name;
    enum ca_status (*run)(struct way *way, struct ca_error *err);
};

static const struct part parts_before[] = {
    { "template and CA", step_template },
    { "record", step_decode },
    { "request", step_request },
};

static const struct part parts_after[] = {
    { "validity", step_validity },
    { "proof of possession", step_possession },
    { "certificate", step_build },
    { "lint", step_lint },
    { "key known in the store", step_known_key },       /* the committer's: last */
};

#define COUNT_OF(parts) (sizeof(parts) / sizeof((parts)[0]))

/* ---- the way ---- */

/* Writes a step down. CA_OK also for one that refuses; anything else keeps us from knowing. */
static enum ca_status note(struct way *way, struct batch_step *step, enum ca_status st,
                           const struct ca_error *why, struct ca_error *err)
{
    if (st == CA_OK) {
        step->verdict = BATCH_VERDICT_OK;
        return CA_OK;
    }
    if (!ca_status_is_request(st)) {
        *err = *why;
        return st;
    }
    step->verdict = BATCH_VERDICT_REFUSED;
    step->code = ca_error_name(why);
    step->rule = ca_reason_rule(why->reason);
    memcpy(step->detail, why->text, sizeof(step->detail));
    way->stopped = true;
    return CA_OK;
}

static struct batch_step *add_step(struct way *way, const char *name)
{
    struct batch_explained *out = way->out;

    assert(out->step_count < BATCH_STEPS_MAX);
    out->steps[out->step_count] = (struct batch_step){ .name = name,
                                                       .verdict = BATCH_VERDICT_NOT_REACHED };
    return &out->steps[out->step_count++];
}

static enum ca_status walk_parts(struct way *way, const struct part *parts, size_t count,
                                 struct ca_error *err)
{
    enum ca_status st = CA_OK;

    for (size_t i = 0; i < count && st == CA_OK; i++) {
        struct batch_step *step = add_step(way, parts[i].name);
        struct ca_error why;

        if (way->stopped) continue;
        st = note(way, step, parts[i].run(way, &why), &why, err);
    }
    return st;
}

/* The policy's own steps, one by one. */
static enum ca_status walk_policy(struct way *way, struct ca_error *err)
{
    enum ca_status st = CA_OK;

    for (size_t i = 0; i < ca_policy_step_count() && st == CA_OK; i++) {
        struct batch_step *step = add_step(way, ca_policy_step_name(i));
        struct ca_error why;

        if (way->stopped) continue;
        st = ca_policy_step(way->policy, i, way->compiled.profile, &way->ask, &way->chunk->arena,
                            &way->item->contents, &why);
        st = note(way, step, st, &why, err);
    }
    return st;
}

/* When it would be issued, and on which CRL it would be. */
static enum ca_status read_place(struct way *way, struct ca_error *err)
{
    struct batch_registry *registry = way->registry;
    struct store_txn *txn = NULL;
    struct schema_clock clock;
    int64_t now_ms = 0;
    enum ca_status st = store_begin(registry->store, STORE_READ, &txn, err);

    if (st == CA_OK) st = batch_registry_issuing_time(registry, txn, &now_ms, err);
    if (st == CA_OK) st = batch_registry_read_clock(txn, &clock, err);
    if (st == CA_OK && !way->issuer->self)
        st = batch_scope_take(registry, txn, way->issuer, &way->scope, err);
    store_abort(txn);
    if (st == CA_OK) way->tick_ms = ca_tick_next(now_ms, clock.last_tick_ms);
    return st;
}

static enum ca_status prepare(struct way *way, struct ca_error *err)
{
    const struct batch_explain *spec = way->spec;
    enum ca_status st = batch_terms_new(&spec->terms, way->registry->crypto, &way->terms, err);

    if (st == CA_OK)
        st = batch_issuer_load_public(way->registry, spec->ca,
                                      way->terms->tmpl->kind == CA_TEMPLATE_ROOT_CA,
                                      &way->issuer, err);
    if (st == CA_OK) st = read_place(way, err);
    if (st == CA_OK) st = ca_policy_new(way->registry->crypto, &way->policy, err);
    if (st == CA_OK) st = batch_chunk_new(&way->chunk, err);
    if (st != CA_OK) return st;
    way->row = (struct batch_profile){ .issuer = way->issuer };
    way->plan = (struct batch_plan){ .profiles = &way->row, .profile_count = 1 };
    return CA_OK;
}

static enum ca_status accept(struct way *way, struct ca_error *err)
{
    struct batch_explained *out = way->out;
    const struct ca_contents *contents = &way->item->contents;

    ca_buf_append_bytes(&out->tbs, tbs_of(way));
    out->ignored = contents->ignored;
    out->notices |= ca_notices_of(way->terms->tmpl, out->key_kind);
    if (out->ignored != 0) out->notices |= CA_NOTICE_BIT(IGNORED);
    memcpy(out->key_hash, contents->key_hash, sizeof(out->key_hash));
    out->accepted = true;
    return ca_buf_status(&out->tbs, "a certificate", err);
}

_Static_assert(SCHEMA_KNOWN_LEN == CA_KEY_HASH_LEN, "the table known is keyed by key hashes");

static void way_clear(struct way *way)
{
    batch_chunk_free(way->chunk);
    ca_policy_free(way->policy);
    batch_compiled_clear(&way->compiled);
    batch_issuer_free(way->issuer);
    batch_terms_free(way->terms);
}

enum ca_status batch_explain(struct batch_registry *registry, const struct batch_explain *spec,
                             struct batch_explained *out, struct ca_error *err)
{
    struct way way = { .registry = registry, .spec = spec, .out = out };
    struct ca_error local;
    struct ca_error *e = err != NULL ? err : &local;
    enum ca_status st;

    memset(out, 0, sizeof(*out));
    ca_buf_init(&out->tbs, CA_CERT_DER_MAX);
    ca_buf_init(&way.compiled.text, 0);
    st = prepare(&way, e);
    if (st == CA_OK) st = walk_parts(&way, parts_before, COUNT_OF(parts_before), e);
    if (st == CA_OK) st = walk_policy(&way, e);
    if (st == CA_OK) st = walk_parts(&way, parts_after, COUNT_OF(parts_after), e);
    if (st == CA_OK && !way.stopped) st = accept(&way, e);
    way_clear(&way);
    return st;
}

void batch_explained_clear(struct batch_explained *explained)
{
    ca_buf_clear(&explained->tbs);
}
