/*
 * The one thread that commits, then hands out. Takes chunks back in input order, gathers them into
 * groups and writes each group in one transaction: certificates, expiry index, known keys, results,
 * where the input stands, the job's counters, the CA's CRL scope. Only what is committed goes on to
 * the outbox.
 *
 * A group closes at 4,096 requests, 16 MiB, a linger after its first chunk, or at once when nothing
 * is outstanding; also when it holds so many of the run's chunks that workers would run dry.
 */
#ifndef BATCH_COMMITTER_H
#define BATCH_COMMITTER_H

#include "batch/duplicates.h"
#include "batch/item.h"
#include "batch/queue.h"
#include "batch/registry_job.h"
#include "batch/stats.h"
#include "io/outbox.h"

#define BATCH_GROUP_REQUESTS_MAX 4096
#define BATCH_GROUP_BYTES_MAX ((size_t)16 * 1024 * 1024)

/*
 * One transaction. Thread: the caller's; store's write lock is held during the call only.
 *
 * Keys that stand twice are settled in it first, in input order (batch/duplicates.h): an item may
 * become refused here after it was signed (batch_item_discard), others get warnings; the chunk is
 * then encoded again. chunk->notices get DUPLICATE_KEYS and KNOWN_KEYS.
 */
struct batch_group {
    struct store *store;
    const struct batch_plan *plan;
    int64_t now_ms;
    struct batch_chunk *const *chunks;      /* consecutive, in order */
    size_t chunk_count;
    struct batch_job *job;                  /* NULL: a single issue; its row moves on on CA_OK */
    struct batch_key_set *keys;             /* of the run; NULL: a single issue, or no rule asks */
    uint64_t known_max;                     /* 0: BATCH_KNOWN_KEYS_MAX */
    uint64_t elapsed_ms;                    /* run time of the job so far, over all its runs */
    /* Put into the same transaction after everything else; may be NULL. */
    enum ca_status (*also)(void *ctx, struct store_txn *txn, struct ca_error *err);
    void *also_ctx;
};

/*
 * In its transaction it reads the CA's row again: no longer ACTIVE, or another certificate, is
 * CA_REFUSED "ca-changed". CA_CRYPTO "serial-collision": a serial drawn is in the store already;
 * the generator is broken. CA_REFUSED "too-many-keys", "too-many-known-keys": a limit of
 * batch/duplicates.h.
 *
 * A single issue (job NULL) whose only request is refused here: nothing at all is written, and the
 * call is CA_REFUSED with that reason in err (the item says the same).
 */
CA_MUST_CHECK enum ca_status batch_group_commit(const struct batch_group *group,
                                                struct ca_error *err);

/* Where the outbox has got to, handed to the committer, which stores it with its next transaction.
 * */
struct batch_published {
    uint64_t done;                          /* ordinals below this lie within lengths */
    struct outbox_lengths lengths;
};

struct batch_committer_spec {
    struct store *store;
    const struct batch_plan *plan;
    const struct ca_clock *clock;
    struct batch_job *job;
    struct batch_queue *done, *outbox;      /* chunks in, chunks on */
    struct batch_key_set *keys;             /* of the run; NULL: its template allows twins */
    uint64_t known_max;                     /* 0: BATCH_KNOWN_KEYS_MAX */
    size_t chunks_total, workers;
    unsigned linger_ms;
    int64_t begun_ms;                       /* of this run, CLOCK_MONOTONIC */
    uint64_t earlier_ms;                    /* run time of the job's earlier runs */
    struct batch_live *live;
    /* What the outbox has synced since last asked; false: nothing new. */
    bool (*published)(void *ctx, struct batch_published *out);
    /* The run's first fatal error. */
    void (*failed)(void *ctx, const struct ca_error *err);
    void *ctx;
};

/* The committer's thread: runs until done is closed and drained, fills *totals, then closes
 * outbox. */
void batch_committer_run(const struct batch_committer_spec *spec, struct batch_totals *totals);

#endif
