/*
 * The workers' threads: start, and join when the queue of chunks is closed and drained.
 *
 * Thread: start and join from one thread.
 */
#ifndef BATCH_POOL_H
#define BATCH_POOL_H

#include "batch/queue.h"
#include "batch/worker.h"

struct batch_pool;

struct batch_pool_spec {
    const struct batch_plan *plan;
    unsigned workers;
    struct batch_queue *todo;       /* chunks to work on */
    struct batch_queue *done;       /* chunks worked on; closed when the last worker has ended */
    bool (*stopping)(void *ctx);
    /* A worker could not be made; its chunks are worked on by the others, if any. */
    void (*failed)(void *ctx, const struct ca_error *err);
    void *ctx;
};

CA_MUST_CHECK enum ca_status batch_pool_start(const struct batch_pool_spec *spec,
                                              struct batch_pool **out, struct ca_error *err);
/* Waits for the workers; frees. NULL is accepted. */
void batch_pool_join(struct batch_pool *pool);

/* Processors this process may run on, 1..256. */
unsigned batch_cores(void);

#endif
