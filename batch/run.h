/*
 * A run: a job's pipeline from inputs to outputs.
 *
 *   ingest -> todo -> workers -> done -> committer -> outbox thread -> free chunks -> ingest
 *
 * batch_run_start opens everything and starts the threads; the caller waits for signals and prints
 * progress; batch_run_join ends it. Only batch/run and batch/pool create threads.
 *
 * Threads: start, wait, progress, join from one thread; batch_run_stop from any.
 */
#ifndef BATCH_RUN_H
#define BATCH_RUN_H

#include "batch/registry_job.h"

struct batch_run;

struct batch_run_spec {
    unsigned workers;               /* 0: one per core */
    unsigned commit_linger_ms;      /* a group is committed this long after its first chunk; 50 */
    bool no_uring;                  /* plain system calls */
    bool fresh;                     /* a new job (false: resume) */
    const char *certmill_version;   /* for the summary */
    /* Asked by batch_run_start about every 20 ms while the run opens, which takes long where much
     * has to be read again; true: stop. NULL: never. */
    bool (*interrupted)(void *ctx);
    void *interrupted_ctx;
};

struct batch_progress {
    uint64_t done;                  /* committed ordinals */
    uint64_t issued, rejected;
    uint64_t consumed_bytes, total_bytes;   /* of the inputs; total 0: unknown */
    double seconds;
    bool finished;
};

/*
 * job: a job row as batch_job_create or batch_job_load left it; taken over (and freed at join).
 * Locks the store for runs. Errors here leave an old job as it was, resumable, and nothing of a new
 * one.
 *   CA_REFUSED "run-active"   another run has the lock
 *   CA_REFUSED "job-changed"  another process ran the job after it was loaded
 *   CA_AGAIN "interrupted"    spec->interrupted said so
 */
CA_MUST_CHECK enum ca_status batch_run_start(struct batch_registry *registry,
                                             struct batch_job *job,
                                             const struct batch_run_spec *spec,
                                             struct batch_run **out, struct ca_error *err);

/* Waits at most timeout_ms for the end of the run; true when it has ended. */
bool batch_run_wait(struct batch_run *run, int timeout_ms, struct batch_progress *progress);

/* Asks the run to stop: what is in the workers is finished or given up, what is committed stays.
 * cause is copied; the first one wins. CA_AGAIN "interrupted" for a signal. */
void batch_run_stop(struct batch_run *run, const struct ca_error *cause);

struct batch_run_result {
    uint8_t state;                  /* enum schema_job_state */
    /* The job is there and not completed. False too for a new job that was refused before anything
     * was committed: it is forgotten. */
    bool resumable;
    uint64_t requested, issued, rejected;
    struct ca_buf summary;          /* JSON, whatever the state; clear it */
};

/* Ends the threads, closes everything, frees the run. CA_OK: the job is completed and its outputs
 * have their names. CA_AGAIN: stopped, can be resumed. Otherwise the run's first fatal error, with
 * what is durable and how to go on in the hint. *result is written in all cases. */
CA_MUST_CHECK enum ca_status batch_run_join(struct batch_run *run, struct batch_run_result *result,
                                            struct ca_error *err);

#endif
