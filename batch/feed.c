#include "batch/feed.h"

#include "batch/resume.h"
#include "batch/scope.h"
#include "engine/crypto.h"
#include "io/fault.h"
#include "io/ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_DEPTH 256

struct batch_feed {
    struct batch_feed_spec spec;
    struct ring *ring;
    struct ingest *ingest;
    struct ca_crypto *crypto;
    struct ca_hash *hash;
    struct ca_error hash_error;     /* observe() cannot return one */
    int64_t last_tick_ms, high_time_ms;
    uint64_t ordinal, sequence;
    struct batch_scope scope;       /* where the next request goes */
};

static void observe(void *ctx, struct ca_bytes consumed)
{
    struct batch_feed *feed = ctx;

    if (feed->hash_error.status != CA_OK) return;
    if (ca_hash_update(feed->hash, consumed, &feed->hash_error) != CA_OK) return;
}

/* The running digest of everything consumed so far. */
static enum ca_status digest_now(struct batch_feed *feed, uint8_t digest[SCHEMA_HASH_LEN],
                                 struct ca_error *err)
{
    if (feed->hash_error.status != CA_OK) {
        *err = feed->hash_error;
        return err->status;
    }
    return ca_hash_peek(feed->hash, digest, err);
}

static enum ca_status skip_committed(struct batch_feed *feed, struct ca_error *err)
{
    const struct batch_job *job = feed->spec.job;
    struct ingest_position position;
    uint8_t wanted[SCHEMA_HASH_LEN], seen[SCHEMA_HASH_LEN];
    enum ca_status st;

    if (job->row.done == 0) return CA_OK;
    st = batch_resume_position(feed->spec.store, job, &position, wanted, err);
    if (st != CA_OK) return st;         /* the store's damage, not the input's */
    st = ingest_skip(feed->ingest, &position, err);
    if (st == CA_OK) st = digest_now(feed, seen, err);
    if (st == CA_OK && memcmp(seen, wanted, sizeof(seen)) == 0) return CA_OK;
    if (st == CA_OK || st == CA_CORRUPT) {
        st = ca_fail_named(err, CA_REFUSED, "input-changed",
                           "the input of job %s is not what it was when the job began",
                           job->name);
        ca_hint(err, "resume needs the same input; give the changed one to a new job");
    }
    return st;
}

static enum ca_status open_inputs(struct batch_feed *feed, struct ca_error *err)
{
    const struct batch_feed_spec *spec = &feed->spec;
    const struct ingest_spec inputs = {
        .inputs = (const char *const *)spec->job->inputs, .input_count = spec->job->input_count,
        .observe = observe, .observe_ctx = feed, .stop_fd = spec->stop_fd,
    };
    enum ca_status st = ca_crypto_new(&feed->crypto, err);

    if (st == CA_OK) st = ca_hash_new(feed->crypto, &feed->hash, err);
    if (st == CA_OK)
        st = ring_open(spec->no_uring ? RING_PLAIN : RING_AUTO, RING_DEPTH, &feed->ring, err);
    if (st == CA_OK) st = ingest_open(feed->ring, &inputs, &feed->ingest, err);
    return st == CA_OK ? skip_committed(feed, err) : st;
}

static enum ca_status read_scope(struct batch_feed *feed, struct ca_error *err)
{
    const struct batch_feed_spec *spec = &feed->spec;
    struct store_txn *txn = NULL;
    enum ca_status st = store_begin(spec->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = batch_scope_read(txn, spec->job->issuer, spec->scope_certs, &feed->scope, err);
    store_abort(txn);
    return st;
}

enum ca_status batch_feed_open(const struct batch_feed_spec *spec, struct batch_feed **out,
                               struct batch_feed_facts *facts, struct ca_error *err)
{
    struct batch_feed *feed = calloc(1, sizeof(*feed));
    enum ca_status st;

    if (feed == NULL) return ca_fail(err, CA_NOMEM, "no memory for reading the inputs");
    feed->spec = *spec;
    feed->last_tick_ms = spec->last_tick_ms;
    feed->high_time_ms = spec->high_time_ms;
    feed->ordinal = spec->job->row.done;
    st = read_scope(feed, err);
    if (st == CA_OK) st = open_inputs(feed, err);
    if (st != CA_OK) {
        batch_feed_close(feed);
        return st;
    }
    facts->total_bytes = ingest_total(feed->ingest);
    facts->io = ring_name(feed->ring);
    (void)snprintf(facts->io_why, sizeof(facts->io_why), "%s", ring_why_plain(feed->ring));
    *out = feed;
    return CA_OK;
}

void batch_feed_close(struct batch_feed *feed)
{
    if (feed == NULL) return;
    ingest_close(feed->ingest);
    ring_close(feed->ring);
    ca_hash_free(feed->hash);
    ca_crypto_free(feed->crypto);
    free(feed);
}

/* The chunk's tick: now, but always past the last one. Refuses a clock that went back. */
static enum ca_status draw_tick(struct batch_feed *feed, struct batch_chunk *chunk,
                                struct ca_error *err)
{
    int64_t now_ms = ca_clock_now_ms(feed->spec.clock);

    if (now_ms + BATCH_CLOCK_BACK_MAX_MS < feed->high_time_ms)
        return ca_fail_named(err, CA_REFUSED, "clock",
                             "the clock went back more than five minutes during the run");
    if (now_ms > feed->high_time_ms) feed->high_time_ms = now_ms;
    feed->last_tick_ms = ca_tick_next(now_ms, feed->last_tick_ms);
    chunk->tick_ms = feed->last_tick_ms;
    return CA_OK;
}

/* A file that its owner keeps from us is that request's matter; a disk that cannot be read, or no
 * descriptors and memory left, would refuse good requests one after the other. */
static bool ends_the_run(const struct ingest_record *record)
{
    if (record->kind != INGEST_UNREADABLE) return false;
    return record->errnum == EIO || record->errnum == ENOMEM || record->errnum == EMFILE ||
           record->errnum == ENFILE;
}

/* Records into an empty chunk. *ended: the inputs are at their end (the chunk may hold some all the
 * same). */
static enum ca_status fill_chunk(struct batch_feed *feed, struct batch_chunk *chunk, bool *ended,
                                 struct ca_error *err)
{
    uint32_t room = batch_scope_room(&feed->scope);
    uint32_t items_max =
        batch_chunk_items_max(feed->spec.job->issuer->key_alg, feed->sequence);
    bool full = false;

    if (items_max > room) items_max = room;
    chunk->scope = feed->scope.scope;

    while (!full && chunk->count < items_max) {
        struct ingest_record record;
        enum ca_status st = ingest_next(feed->ingest, &record, err);

        if (st != CA_OK) return st;
        *ended = record.kind == INGEST_END;
        if (*ended) break;
        if (ends_the_run(&record))
            return ca_fail_errno(err, record.errnum, "cannot read the input file %.*s",
                                 (int)record.path.len, (const char *)record.path.data);
        if (chunk->count == 0) chunk->begun_ms = batch_monotonic_ms();
        full = batch_chunk_add(chunk, &record);
    }
    if (feed->scope.partitioned) feed->scope.used += chunk->count;
    ingest_position(feed->ingest, &chunk->end);
    return digest_now(feed, chunk->digest, err);
}

/* One chunk on its way; *ended after the last. */
static enum ca_status feed_chunk(struct batch_feed *feed, bool *ended, struct ca_error *err)
{
    struct batch_live *live = feed->spec.live;
    struct batch_chunk *chunk = batch_queue_pop(feed->spec.free);
    enum ca_status st;
    int fault;

    if (chunk == NULL) return ca_fail(err, CA_AGAIN, "the run is stopping");
    batch_chunk_reset(chunk, feed->spec.plan, feed->sequence, feed->ordinal);
    st = batch_scope_advance(&feed->scope, err);
    if (st == CA_OK) st = fill_chunk(feed, chunk, ended, err);
    fault = fault_hit(FAULT_CHUNK);
    if (st == CA_OK && fault > 0) st = ca_fail_errno(err, fault, "cannot read the input");
    if (st == CA_OK) st = draw_tick(feed, chunk, err);
    if (st != CA_OK || chunk->count == 0) return st;
    atomic_store_explicit(&live->consumed_bytes, ingest_consumed(feed->ingest),
                          memory_order_relaxed);
    feed->ordinal += chunk->count;
    feed->sequence++;
    /* Before the push: the committer must never see a chunk that was not counted. */
    atomic_fetch_add_explicit(&live->outstanding, 1, memory_order_relaxed);
    if (!batch_queue_push(feed->spec.todo, chunk))
        return ca_fail(err, CA_AGAIN, "the run is stopping");
    return CA_OK;
}

enum ca_status batch_feed_run(struct batch_feed *feed, uint64_t *chunks, struct ca_error *err)
{
    bool ended = false;

    while (!ended) {
        enum ca_status st = feed_chunk(feed, &ended, err);

        if (st != CA_OK) return st;
    }
    *chunks = feed->sequence;
    return CA_OK;
}
