/*
 * The output side of a run: what is committed, appended to the output files in input order. On
 * resume it first makes again from the store what the part files lack.
 *
 * Thread: one; it opens, runs and closes a publish (the ring belongs to it).
 */
#ifndef BATCH_PUBLISH_H
#define BATCH_PUBLISH_H

#include "batch/committer.h"

struct batch_publish;

struct batch_publish_spec {
    struct store *store;
    const struct batch_job *job;
    bool fresh;                             /* no part files of this job are expected */
    bool no_uring;
    struct batch_queue *outbox, *free;      /* committed chunks in, empty ones back */
    bool (*stopping)(void *ctx);            /* asked while the part files are filled up */
    /* After every 32 groups: the files are synced up to here. */
    void (*synced)(void *ctx, const struct batch_published *published);
    /* Outputs cannot be written any more; chunks go on being returned. */
    void (*failed)(void *ctx, const struct ca_error *err);
    void *ctx;
};

/* CA_REFUSED "output-directory"; CA_AGAIN when stopping said so. */
CA_MUST_CHECK enum ca_status batch_publish_open(const struct batch_publish_spec *spec,
                                                struct batch_publish **out,
                                                struct ca_error *err);

/* Appends chunks until the queue is closed and drained, then syncs. Returns the chunks seen; *done
 * is the ordinal behind the last one appended. */
uint64_t batch_publish_run(struct batch_publish *publish, uint64_t *done);

/* Gives the files their names; summary.json last. */
CA_MUST_CHECK enum ca_status batch_publish_finish(struct batch_publish *publish,
                                                  struct ca_bytes summary, struct ca_error *err);
uint64_t batch_publish_syncs(const struct batch_publish *publish);
void batch_publish_close(struct batch_publish *publish);
/* The same for a new job's run that published nothing: removes its part files too. */
void batch_publish_discard(struct batch_publish *publish);

#endif
