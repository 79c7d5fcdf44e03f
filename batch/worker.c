#include "batch/worker.h"

#include "engine/lint.h"
#include "engine/policy.h"
#include "engine/prove.h"
#include "engine/rng.h"
#include "engine/sign.h"

#include <assert.h>
#include <stdlib.h>

/* One in this many signatures is verified beside the first of every chunk: a fault in the
 * arithmetic must not leave the process unseen. */
#define SIGNATURE_CHECK_ONE_IN 1024

struct batch_worker {
    const struct batch_plan *plan;
    struct ca_crypto *crypto;
    struct ca_rng *rng;
    struct ca_policy *policy;
    struct ca_prover *prover;
    struct ca_api api;                  /* of the manifest line at hand, when it has one */
    struct ca_signer **signers;         /* one per profile; profiles of one CA key share theirs */
    const struct ca_request *requests[BATCH_CHUNK_ITEMS_MAX];   /* of one key kind */
    uint32_t indexes[BATCH_CHUNK_ITEMS_MAX];
    bool proved[BATCH_CHUNK_ITEMS_MAX];
    /* Dates of the current chunk, by profile, worked out when first asked for. */
    struct {
        enum { DATES_UNKNOWN, DATES_GOOD, DATES_REFUSED } state;
        int64_t not_before_s, not_after_s;
        struct ca_error refusal;
    } *dates;
};

/* The signer of an earlier profile with the same key and algorithm, or NULL. */
static struct ca_signer *same_signer(const struct batch_worker *worker, size_t index)
{
    const struct batch_profile *profiles = worker->plan->profiles;

    for (size_t i = 0; i < index; i++) {
        if (profiles[i].issuer->key == profiles[index].issuer->key &&
            ca_profile_sig_alg(profiles[i].profile) == ca_profile_sig_alg(profiles[index].profile))
            return worker->signers[i];
    }
    return NULL;
}

static enum ca_status make_signers(struct batch_worker *worker, struct ca_error *err)
{
    const struct batch_plan *plan = worker->plan;

    for (size_t i = 0; i < plan->profile_count; i++) {
        enum ca_status st;

        worker->signers[i] = same_signer(worker, i);
        if (worker->signers[i] != NULL) continue;
        st = ca_signer_new(worker->crypto, plan->profiles[i].issuer->key,
                           ca_profile_sig_alg(plan->profiles[i].profile), &worker->signers[i],
                           err);
        if (st != CA_OK) return st;
    }
    return CA_OK;
}

enum ca_status batch_worker_new(const struct batch_plan *plan, struct batch_worker **out,
                                struct ca_error *err)
{
    struct batch_worker *worker = calloc(1, sizeof(*worker));
    enum ca_status st;

    if (worker == NULL) return ca_fail(err, CA_NOMEM, "no memory for a worker");
    worker->plan = plan;
    worker->signers = calloc(plan->profile_count, sizeof(struct ca_signer *));
    worker->dates = calloc(plan->profile_count, sizeof(*worker->dates));
    st = worker->signers != NULL && worker->dates != NULL
             ? ca_crypto_new(&worker->crypto, err)
             : ca_fail(err, CA_NOMEM, "no memory for a worker");
    if (st == CA_OK) st = ca_rng_new(worker->crypto, plan->seed, &worker->rng, err);
    if (st == CA_OK) st = ca_policy_new(worker->crypto, &worker->policy, err);
    if (st == CA_OK) st = ca_prover_new(worker->crypto, &worker->prover, err);
    if (st == CA_OK) st = make_signers(worker, err);
    if (st != CA_OK) {
        batch_worker_free(worker);
        return st;
    }
    *out = worker;
    return CA_OK;
}

void batch_worker_free(struct batch_worker *worker)
{
    if (worker == NULL) return;
    if (worker->signers != NULL) {
        for (size_t i = worker->plan->profile_count; i > 0; i--) {
            if (worker->signers[i - 1] == same_signer(worker, i - 1)) continue;
            ca_signer_free(worker->signers[i - 1]);
        }
    }
    free(worker->signers);
    free(worker->dates);
    ca_prover_free(worker->prover);
    ca_policy_free(worker->policy);
    ca_rng_free(worker->rng);
    ca_crypto_free(worker->crypto);
    free(worker);
}

static const struct batch_profile *profile_of(const struct batch_worker *worker,
                                              const struct batch_item *item)
{
    return &worker->plan->profiles[item->profile];
}

/* All certificates of a chunk are issued at its tick. */
static enum ca_status item_dates(struct batch_worker *worker, const struct batch_chunk *chunk,
                                 struct batch_item *item, struct ca_error *err)
{
    if (worker->dates[item->profile].state == DATES_UNKNOWN) {
        int64_t not_before_s = 0, not_after_s = 0;
        enum ca_status st = ca_profile_dates(profile_of(worker, item)->profile,
                                             chunk->tick_ms / 1000, &not_before_s, &not_after_s,
                                             &worker->dates[item->profile].refusal);

        worker->dates[item->profile].state = st == CA_OK ? DATES_GOOD : DATES_REFUSED;
        worker->dates[item->profile].not_before_s = not_before_s;
        worker->dates[item->profile].not_after_s = not_after_s;
    }
    if (worker->dates[item->profile].state == DATES_REFUSED) {
        *err = worker->dates[item->profile].refusal;
        return err->status;
    }
    item->not_before_s = worker->dates[item->profile].not_before_s;
    item->not_after_s = worker->dates[item->profile].not_after_s;
    return CA_OK;
}

/* What a manifest line says beside its request. A line's ApiPassthrough takes the place of the
 * job's as a whole. */
static enum ca_status read_line(struct batch_worker *worker, struct batch_chunk *chunk,
                                const struct batch_item *item, struct ca_ask *ask,
                                struct ca_error *err)
{
    enum ca_status st = CA_OK;

    if (item->line_subject.len > 0)
        st = ca_line_subject_parse(item->line_subject, &chunk->arena, &ask->line_subject, err);
    if (st == CA_OK && item->line_san.len > 0)
        st = ca_line_san_parse(item->line_san, &chunk->arena, &ask->line_san, err);
    if (st == CA_OK && item->line_api.len > 0) {
        st = ca_api_parse(item->line_api, &chunk->arena, &worker->api, err);
        ask->api = &worker->api;
        if (ca_status_is_request(st)) {
            struct ca_error why = *err;

            /* Its paths begin inside the member; a line has a "subject" of its own. */
            st = ca_refuse(err, (enum ca_reason)why.reason, "api_passthrough%s%s",
                           st == CA_MALFORMED ? ": " : ".", why.text);
        }
    }
    return st;
}

static enum ca_status check_item(struct batch_worker *worker, struct batch_chunk *chunk,
                                 struct batch_item *item, struct ca_error *err)
{
    const struct ca_profile *profile = profile_of(worker, item)->profile;
    struct ca_ask ask = { .request = &item->request, .api = ca_profile_spec_of(profile)->api };
    enum ca_status st = batch_item_decode(chunk, item, err);

    if (st == CA_OK)
        st = ca_request_parse(item->der, ca_profile_template(profile)->admit, &item->request, err);
    if (st == CA_OK) st = read_line(worker, chunk, item, &ask, err);
    if (st == CA_OK)
        st = ca_policy_check(worker->policy, profile, &ask, &chunk->arena, &item->contents, err);
    if (st == CA_OK) st = item_dates(worker, chunk, item, err);
    return st;
}

/* What has a reason is a verdict on the request; anything else ends the run, and is false here. */
static bool settle(struct batch_chunk *chunk, struct batch_item *item, enum ca_status st,
                   const struct ca_error *err)
{
    if (st == CA_OK) return true;
    if (!ca_status_is_request(st) || err->reason == CA_REASON_NONE) {
        chunk->fatal = *err;
        return false;
    }
    batch_item_refuse(chunk, item, err);
    return true;
}

static void check_chunk(struct batch_worker *worker, struct batch_chunk *chunk,
                        bool (*stopping)(void *ctx), void *ctx)
{
    struct ca_error err;

    for (size_t i = 0; i < worker->plan->profile_count; i++)
        worker->dates[i].state = DATES_UNKNOWN;
    for (uint32_t i = 0; i < chunk->count; i++) {
        enum ca_status st = stopping != NULL && stopping(ctx)
                                ? ca_fail(&err, CA_AGAIN, "stopped")
                                : check_item(worker, chunk, &chunk->items[i], &err);

        if (!settle(chunk, &chunk->items[i], st, &err)) return;
    }
}

/* Proof of possession for the items of one key kind. */
static void prove_kind(struct batch_worker *worker, struct batch_chunk *chunk,
                       enum ca_key_kind kind, bool (*stopping)(void *ctx), void *ctx)
{
    /* Enough for a many-at-once backend, few enough that a stop is heard within milliseconds. */
    enum { STRIDE = 64 };
    struct ca_error err;
    size_t count = 0;

    for (uint32_t i = 0; i < chunk->count; i++) {
        if (chunk->items[i].refused || chunk->items[i].request.key.kind != kind) continue;
        worker->requests[count] = &chunk->items[i].request;
        worker->indexes[count++] = i;
    }
    for (size_t from = 0; from < count; from += STRIDE) {
        size_t some = count - from < STRIDE ? count - from : STRIDE;
        enum ca_status st = stopping != NULL && stopping(ctx)
                                ? ca_fail(&err, CA_AGAIN, "stopped")
                                : ca_prover_check(worker->prover, worker->requests + from, some,
                                                  worker->proved + from, &err);

        if (st != CA_OK) {
            chunk->fatal = err;
            return;
        }
    }
    for (size_t i = 0; i < count; i++) {
        enum ca_status st;

        if (worker->proved[i]) continue;
        st = ca_prover_refuse(worker->prover, worker->requests[i], &err);
        if (!settle(chunk, &chunk->items[worker->indexes[i]], st, &err)) return;
    }
}

static void prove_chunk(struct batch_worker *worker, struct batch_chunk *chunk,
                        bool (*stopping)(void *ctx), void *ctx)
{
    for (int kind = CA_KEY_KIND_NONE + 1; kind < CA_KEY_KIND_COUNT; kind++) {
        prove_kind(worker, chunk, (enum ca_key_kind)kind, stopping, ctx);
        if (chunk->fatal.status != CA_OK) return;
    }
}

/* The TBS, and the lint's verdict on it. The slot of one that lint refuses stays without a
 * signature and is never looked at again. */
static enum ca_status build_item(struct batch_worker *worker, struct batch_chunk *chunk,
                                 uint32_t index, struct ca_error *err)
{
    struct batch_item *item = &chunk->items[index];
    const struct ca_profile *profile = profile_of(worker, item)->profile;
    struct ca_tbs_input input = {
        .request = &item->request, .contents = &item->contents, .serial = &item->serial,
        .not_before_s = item->not_before_s, .not_after_s = item->not_after_s,
        .scope = chunk->scope,
    };
    enum ca_status st = ca_serial_draw(worker->rng, chunk->tick_ms, chunk->first_ordinal + index,
                                       &item->serial, err);

    if (st == CA_OK) st = ca_profile_build(profile, &input, &chunk->certs, &item->slot, err);
    if (st != CA_OK) return st;
    return ca_lint(profile, &input,
                   ca_bytes_of(chunk->certs.data + item->slot.tbs_offset, item->slot.tbs_len), err);
}

static void build_chunk(struct batch_worker *worker, struct batch_chunk *chunk)
{
    struct ca_error err;

    for (uint32_t i = 0; i < chunk->count; i++) {
        enum ca_status st;

        if (chunk->items[i].refused) continue;
        st = build_item(worker, chunk, i, &err);
        if (!settle(chunk, &chunk->items[i], st, &err)) return;
    }
}

/* The first signature of each chunk and a random sample are verified. RSA checks its own CRT result
 * inside the library (the check costs it next to nothing), so it is not asked again. */
static bool wants_check(const struct ca_signer *signer, const struct batch_chunk *chunk,
                        const struct batch_item *item)
{
    if (ca_sig_alg_fits_kind(ca_signer_alg(signer), CA_KEY_KIND_RSA)) return false;
    return chunk->signed_count == 0 ||
           ca_get_u16(item->serial.octets + CA_SERIAL_OWN - 2) % SIGNATURE_CHECK_ONE_IN == 0;
}

static enum ca_status sign_item(struct batch_worker *worker, struct batch_chunk *chunk,
                                struct batch_item *item, struct ca_error *err)
{
    struct ca_signer *signer = worker->signers[item->profile];
    struct ca_bytes tbs = ca_bytes_of(chunk->certs.data + item->slot.tbs_offset,
                                      item->slot.tbs_len);
    uint8_t signature[CA_SIGNATURE_MAX];
    size_t len = 0;
    enum ca_status st = ca_signer_sign(signer, tbs, signature, &len, err);

    if (st == CA_OK && wants_check(signer, chunk, item))
        st = ca_signer_check(signer, tbs, ca_bytes_of(signature, len), err);
    if (st != CA_OK) return st;
    ca_profile_finish(profile_of(worker, item)->profile, &chunk->certs, &item->slot,
                      ca_bytes_of(signature, len));
    chunk->signed_count++;
    return CA_OK;
}

static void sign_chunk(struct batch_worker *worker, struct batch_chunk *chunk,
                       bool (*stopping)(void *ctx), void *ctx)
{
    struct ca_error err;

    for (uint32_t i = 0; i < chunk->count; i++) {
        enum ca_status st;

        if (chunk->items[i].refused) continue;
        st = stopping != NULL && stopping(ctx)
                 ? ca_fail(&err, CA_AGAIN, "stopped")
                 : sign_item(worker, chunk, &chunk->items[i], &err);
        if (st != CA_OK) {
            chunk->fatal = err;
            return;
        }
    }
}

void batch_worker_process(struct batch_worker *worker, struct batch_chunk *chunk,
                          bool (*stopping)(void *ctx), void *ctx)
{
    check_chunk(worker, chunk, stopping, ctx);
    if (chunk->fatal.status == CA_OK) prove_chunk(worker, chunk, stopping, ctx);
    if (chunk->fatal.status == CA_OK) build_chunk(worker, chunk);
    if (chunk->fatal.status == CA_OK) sign_chunk(worker, chunk, stopping, ctx);
    if (chunk->fatal.status == CA_OK) batch_chunk_encode(chunk);
}
