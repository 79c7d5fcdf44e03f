#include "batch/committer.h"

#include "batch/registry_cert.h"
#include "batch/scope.h"
#include "engine/serial.h"
#include "io/fault.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct by_serial {
    const uint8_t *serial;
    const struct batch_item *item;
};

static int compare_serials(const void *a, const void *b)
{
    return memcmp(((const struct by_serial *)a)->serial, ((const struct by_serial *)b)->serial,
                  SCHEMA_SERIAL_LEN);
}

static enum ca_status put_cert(struct store_txn *txn, const struct batch_chunk *chunk,
                               const struct batch_item *item, struct ca_buf *value,
                               struct ca_error *err)
{
    const struct batch_profile *profile = &chunk->plan->profiles[item->profile];
    uint64_t ordinal = chunk->first_ordinal + (uint64_t)(item - chunk->items);
    struct schema_cert row = {
        .ca_generation = profile->issuer->generation, .scope = chunk->scope,
        .profile = profile->id, .not_before_s = item->not_before_s,
        .not_after_s = item->not_after_s, .job = chunk->plan->job, .ordinal = ordinal,
        .der = ca_bytes_of(chunk->certs.data + item->slot.der_offset, item->slot.der_len),
    };

    return batch_cert_put(txn, profile->issuer->ca, item->serial.octets, &row, value, err);
}

/* A chunk's serials share their tick; sorted, they append to the B+tree. */
static enum ca_status put_certs(struct store_txn *txn, const struct batch_chunk *chunk,
                                struct ca_buf *value, struct ca_error *err)
{
    struct by_serial order[BATCH_CHUNK_ITEMS_MAX];
    size_t count = 0;

    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct batch_item *item = &chunk->items[i];

        if (item->refused) continue;
        order[count].serial = item->serial.octets;
        order[count++].item = item;
    }
    qsort(order, count, sizeof(order[0]), compare_serials);
    for (size_t i = 0; i < count; i++) {
        enum ca_status st = put_cert(txn, chunk, order[i].item, value, err);

        if (st != CA_OK) return st;
    }
    return CA_OK;
}

static enum ca_status put_results(struct store_txn *txn, const struct batch_chunk *chunk,
                                  struct ca_error *err)
{
    for (uint32_t i = 0; i < chunk->count; i++) {
        const struct batch_span *row = &chunk->items[i].row;
        struct schema_key key;
        enum ca_status st = store_put(
            txn, STORE_RESULT,
            schema_key_ordinal(&key, chunk->plan->job, chunk->first_ordinal + i),
            ca_bytes_of(chunk->rows.data + row->offset, row->len), STORE_APPEND, err);

        if (st != CA_OK) return st;
    }
    return CA_OK;
}

/* Where the input stands behind the group, and the job's counters. */
static enum ca_status put_job(struct store_txn *txn, const struct batch_group *group,
                              const struct batch_key_check *keys, struct schema_job *row,
                              struct ca_error *err)
{
    const struct batch_chunk *last = group->chunks[group->chunk_count - 1];
    struct schema_input input = { .input = last->end.input, .offset = last->end.offset };
    struct ca_buf value;
    struct schema_key key;
    enum ca_status st;

    for (size_t i = 0; i < group->chunk_count; i++) {
        row->issued += group->chunks[i]->issued;
        row->rejected += group->chunks[i]->rejected;
        row->signed_count += group->chunks[i]->signed_count;
        row->discarded += group->chunks[i]->discarded;
        row->notices |= group->chunks[i]->notices;
        row->ignored |= group->chunks[i]->ignored;
    }
    row->duplicate_keys += keys->duplicate_keys;
    row->known_keys += keys->known_keys;
    row->done = last->first_ordinal + last->count;
    row->updated_ms = group->now_ms;
    row->elapsed_ms = group->elapsed_ms;
    memcpy(input.digest, last->digest, sizeof(input.digest));
    ca_buf_init(&value, 4096);
    schema_encode_input(&input, &value);
    st = ca_buf_status(&value, "an input row", err);
    if (st == CA_OK)
        st = store_put(txn, STORE_INPUT, schema_key_ordinal(&key, group->job->number, row->done),
                       ca_buf_view(&value), STORE_UPSERT, err);
    ca_buf_clear(&value);
    if (st != CA_OK) return st;
    {
        struct batch_job moved = *group->job;

        moved.row = *row;
        return batch_job_put(txn, &moved, err);
    }
}

static enum ca_status put_clock(struct store_txn *txn, const struct batch_group *group,
                                struct ca_error *err)
{
    struct schema_clock clock;
    enum ca_status st = batch_registry_read_clock(txn, &clock, err);

    if (st != CA_OK) return st;
    for (size_t i = 0; i < group->chunk_count; i++) {
        if (group->chunks[i]->tick_ms > clock.last_tick_ms)
            clock.last_tick_ms = group->chunks[i]->tick_ms;
    }
    if (group->now_ms > clock.high_time_ms) clock.high_time_ms = group->now_ms;
    return batch_registry_write_clock(txn, &clock, err);
}

static enum ca_status recheck_issuers(struct store_txn *txn, const struct batch_group *group,
                                      struct ca_error *err)
{
    const struct batch_plan *plan = group->plan;

    for (size_t i = 0; i < plan->profile_count; i++) {
        enum ca_status st;

        if (i > 0 && plan->profiles[i].issuer == plan->profiles[i - 1].issuer) continue;
        st = batch_issuer_recheck(txn, plan->profiles[i].issuer, group->now_ms, err);
        if (st != CA_OK) return st;
    }
    return CA_OK;
}

/* Consecutive chunks of one scope are counted in one step: the CA's row is rewritten for it. */
static enum ca_status count_scopes(struct store_txn *txn, const struct batch_group *group,
                                   struct ca_error *err)
{
    uint32_t ca = group->plan->profiles[0].issuer->ca;
    uint32_t scope = 0, count = 0;

    for (size_t i = 0; i < group->chunk_count; i++) {
        const struct batch_chunk *chunk = group->chunks[i];

        if (chunk->scope != scope) {
            enum ca_status st = batch_scope_count(txn, ca, scope, count, err);

            if (st != CA_OK) return st;
            scope = chunk->scope;
            count = 0;
        }
        count += chunk->count;
    }
    return batch_scope_count(txn, ca, scope, count, err);
}

/* A single issue that is refused only now ends without a trace. */
static enum ca_status single_verdict(const struct batch_group *group, struct ca_error *err)
{
    const struct batch_chunk *chunk = group->chunks[0];
    const struct batch_item *item = &chunk->items[0];

    if (group->job != NULL || !item->refused) return CA_OK;
    return ca_refuse(err, (enum ca_reason)item->reason, "%.*s", (int)item->detail.len,
                     (const char *)chunk->details.data + item->detail.offset);
}

static enum ca_status fill_chunk(struct store_txn *txn, const struct batch_group *group,
                                 struct batch_chunk *chunk, struct batch_key_check *keys,
                                 struct ca_buf *value, struct ca_error *err)
{
    enum ca_status st = batch_key_check_chunk(keys, chunk, err);

    if (st == CA_OK) st = single_verdict(group, err);
    if (st == CA_OK) st = put_certs(txn, chunk, value, err);
    if (st == CA_OK) st = batch_key_check_remember(keys, chunk, err);
    if (st == CA_OK && group->job != NULL) st = put_results(txn, chunk, err);
    return st;
}

static enum ca_status fill_group(struct store_txn *txn, const struct batch_group *group,
                                 struct schema_job *row, struct ca_error *err)
{
    struct batch_key_check keys;
    struct ca_buf value;
    enum ca_status st = recheck_issuers(txn, group, err);

    batch_key_check_init(&keys, txn, group->keys, group->known_max);
    ca_buf_init(&value, CA_CERT_DER_MAX + 4096);
    for (size_t i = 0; i < group->chunk_count && st == CA_OK; i++)
        st = fill_chunk(txn, group, group->chunks[i], &keys, &value, err);
    ca_buf_clear(&value);
    if (st == CA_OK) st = count_scopes(txn, group, err);
    if (st == CA_OK && group->job != NULL) st = put_job(txn, group, &keys, row, err);
    if (st == CA_OK) st = put_clock(txn, group, err);
    if (st == CA_OK && group->also != NULL) st = group->also(group->also_ctx, txn, err);
    return st;
}

enum ca_status batch_group_commit(const struct batch_group *group, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct schema_job row = { 0 };
    enum ca_status st;

    assert(group->chunk_count > 0);
    assert(group->job != NULL || (group->chunk_count == 1 && group->chunks[0]->count == 1));
    if (group->job != NULL) row = group->job->row;
    st = store_begin(group->store, STORE_WRITE, &txn, err);
    if (st != CA_OK) return st;
    st = fill_group(txn, group, &row, err);
    if (st != CA_OK) {
        store_abort(txn);
        return st;
    }
    st = store_commit(txn, err);
    if (st == CA_OK && group->job != NULL) group->job->row = row;
    return st;
}

/* The committer's own state: what it holds and has not committed. */
struct committer {
    const struct batch_committer_spec *spec;
    struct batch_totals *totals;
    struct batch_chunk **held;              /* early chunks, by sequence modulo chunks_total */
    struct batch_chunk **group;
    size_t group_count, group_requests, group_bytes;
    int64_t group_begun_ms;
    uint64_t next;                          /* sequence that the group wants next */
    bool broken;                            /* a commit failed: nothing more is committed */
};

static void group_add(struct committer *c, struct batch_chunk *chunk)
{
    if (c->group_count == 0) c->group_begun_ms = batch_monotonic_ms();
    c->group[c->group_count++] = chunk;
    c->group_requests += chunk->count;
    c->group_bytes += chunk->certs.len + chunk->rows.len;
}

/* Takes a chunk back. A chunk that failed stays out, and with it everything behind it. */
static void receive(struct committer *c, struct batch_chunk *chunk)
{
    size_t total = c->spec->chunks_total;

    atomic_fetch_sub_explicit(&c->spec->live->outstanding, 1, memory_order_relaxed);
    if (chunk->fatal.status != CA_OK) {
        c->spec->failed(c->spec->ctx, &chunk->fatal);
        return;
    }
    assert(c->held[chunk->sequence % total] == NULL);
    c->held[chunk->sequence % total] = chunk;
}

static bool next_is_held(const struct committer *c)
{
    return c->held[c->next % c->spec->chunks_total] != NULL;
}

static bool group_is_large(const struct committer *c)
{
    return c->group_requests >= BATCH_GROUP_REQUESTS_MAX ||
           c->group_bytes >= BATCH_GROUP_BYTES_MAX;
}

/* What waited behind a slow chunk comes at once, and may be more than one group. */
static void gather(struct committer *c)
{
    while (!group_is_large(c) && next_is_held(c)) {
        struct batch_chunk **place = &c->held[c->next % c->spec->chunks_total];

        assert((*place)->sequence == c->next);
        group_add(c, *place);
        *place = NULL;
        c->next++;
    }
}

static bool group_is_full(const struct committer *c)
{
    const struct batch_committer_spec *spec = c->spec;
    uint64_t outstanding =
        atomic_load_explicit(&spec->live->outstanding, memory_order_relaxed);

    return group_is_large(c) || outstanding == 0 ||
           c->group_count + 2 * spec->workers >= spec->chunks_total ||
           batch_monotonic_ms() >= c->group_begun_ms + (int64_t)spec->linger_ms;
}

static void count_group(struct committer *c, int64_t began_ms)
{
    int64_t now_ms = batch_monotonic_ms();
    struct batch_live *live = c->spec->live;
    const struct schema_job *row = &c->spec->job->row;

    batch_histogram_add(&c->totals->commit_latency, (uint64_t)(now_ms - began_ms) * 1000, 1);
    for (size_t i = 0; i < c->group_count; i++) {
        const struct batch_chunk *chunk = c->group[i];

        batch_histogram_add(&c->totals->request_latency,
                            (uint64_t)(now_ms - chunk->begun_ms) * 1000, chunk->count);
        for (size_t reason = 0; reason < CA_REASON_COUNT; reason++)
            c->totals->by_reason[reason] += chunk->by_reason[reason];
    }
    atomic_store_explicit(&live->done, row->done, memory_order_relaxed);
    atomic_store_explicit(&live->issued, row->issued, memory_order_relaxed);
    atomic_store_explicit(&live->rejected, row->rejected, memory_order_relaxed);
}

static void commit_group(struct committer *c)
{
    const struct batch_committer_spec *spec = c->spec;
    struct batch_group group = {
        .store = spec->store, .plan = spec->plan, .now_ms = ca_clock_now_ms(spec->clock),
        .chunks = c->group, .chunk_count = c->group_count, .job = spec->job,
        .keys = spec->keys, .known_max = spec->known_max,
    };
    struct batch_published published;
    struct ca_error err;
    int64_t began_ms = batch_monotonic_ms();
    int fault = fault_hit(FAULT_GROUP);
    enum ca_status st;

    group.elapsed_ms = spec->earlier_ms + (uint64_t)(began_ms - spec->begun_ms);
    if (spec->published(spec->ctx, &published)) {
        spec->job->row.out_done = published.done;
        memcpy(spec->job->row.out_lengths, published.lengths.octets,
               sizeof(spec->job->row.out_lengths));
    }
    st = fault > 0 ? ca_fail_errno(&err, fault, "the committer failed")
                   : batch_group_commit(&group, &err);
    if (st != CA_OK) {
        c->broken = true;
        spec->failed(spec->ctx, &err);
    } else {
        count_group(c, began_ms);
        c->group[c->group_count - 1]->last_of_group = true;
        for (size_t i = 0; i < c->group_count; i++)
            (void)batch_queue_push(spec->outbox, c->group[i]);      /* closed by us alone */
    }
    c->group_count = c->group_requests = c->group_bytes = 0;
}

/* Commits as many groups as are due. */
static void settle(struct committer *c, bool ended)
{
    do {
        gather(c);
        if (!c->broken && c->group_count > 0 && (ended || group_is_full(c))) commit_group(c);
        if (c->broken) c->group_count = c->group_requests = c->group_bytes = 0;
    } while (next_is_held(c));
}

static void loop(struct committer *c)
{
    for (;;) {
        bool timed_out = false;
        struct batch_chunk *chunk =
            c->group_count == 0
                ? batch_queue_pop(c->spec->done)
                : batch_queue_pop_until(c->spec->done,
                                        c->group_begun_ms + (int64_t)c->spec->linger_ms,
                                        &timed_out);
        bool ended = chunk == NULL && !timed_out;

        if (chunk != NULL) receive(c, chunk);
        settle(c, ended);
        if (ended) return;
    }
}

void batch_committer_run(const struct batch_committer_spec *spec, struct batch_totals *totals)
{
    struct committer c = { .spec = spec, .totals = totals };

    c.held = calloc(spec->chunks_total, sizeof(struct batch_chunk *));
    c.group = calloc(spec->chunks_total, sizeof(struct batch_chunk *));
    if (c.held == NULL || c.group == NULL) {
        struct ca_error err;

        (void)ca_fail(&err, CA_NOMEM, "no memory for the committer");
        spec->failed(spec->ctx, &err);
        while (batch_queue_pop(spec->done) != NULL) { }
    } else {
        loop(&c);
    }
    free(c.held);
    free(c.group);
    totals->issued = spec->job->row.issued;
    totals->rejected = spec->job->row.rejected;
    totals->signed_count = spec->job->row.signed_count;
    totals->discarded = spec->job->row.discarded;
    batch_queue_close(spec->outbox);    /* last: whoever sees it closed may read the totals */
}
