/*
 * The ingest side of a run: records of the inputs into chunks, chunks to the workers. On resume it
 * reads over what is committed and makes sure that it is still the same input.
 *
 * Where the CA's CRLs are partitioned each chunk gets its scope here, beginning with what the CA's
 * row says is open; a chunk ends where its scope is full.
 *
 * Thread: one; it opens, runs and closes a feed (ring and crypto belong to it).
 */
#ifndef BATCH_FEED_H
#define BATCH_FEED_H

#include "batch/item.h"
#include "batch/queue.h"
#include "batch/registry_job.h"
#include "batch/stats.h"

struct batch_feed;

struct batch_feed_spec {
    const struct batch_job *job;
    struct store *store;
    const struct ca_clock *clock;
    const struct batch_plan *plan;
    int64_t last_tick_ms, high_time_ms;     /* as the store has them */
    struct batch_queue *free, *todo;        /* empty chunks in, full ones on */
    struct batch_live *live;
    int stop_fd;                            /* readable: stop waiting for input */
    bool no_uring;
    uint32_t scope_certs;                   /* places in a CRL scope; 0: CA_SCOPE_CERTS */
};

/* What is known once the inputs are open. */
struct batch_feed_facts {
    uint64_t total_bytes;                   /* 0: unknown */
    const char *io;                         /* "io_uring" or "plain" */
    char io_why[96];                        /* why plain; "" otherwise */
};

/* Opens the inputs; on resume skips what is committed. CA_REFUSED "input", "input-changed". */
CA_MUST_CHECK enum ca_status batch_feed_open(const struct batch_feed_spec *spec,
                                             struct batch_feed **out,
                                             struct batch_feed_facts *facts,
                                             struct ca_error *err);

/* Feeds until the inputs end: CA_OK, *chunks is how many were pushed. CA_AGAIN: a queue was closed,
 * the run is stopping. Anything else must end the run (CA_REFUSED "clock", "too-many-scopes"). */
CA_MUST_CHECK enum ca_status batch_feed_run(struct batch_feed *feed, uint64_t *chunks,
                                            struct ca_error *err);
void batch_feed_close(struct batch_feed *feed);

#endif
