#include "batch/run.h"

#include "batch/feed.h"
#include "batch/notices.h"
#include "batch/pool.h"
#include "batch/publish.h"
#include "batch/report.h"
#include "batch/resume.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define COMMIT_LINGER_MS_DEFAULT 50

#define SUMMARY_MAX 65536
#define NOTICES_MAX 16384       /* octets of a summary's list of them */
#define OPENING_TICK_MS 20      /* how long a signal waits to be seen while a run opens */

/* A thread that opens something before it runs, and says how that went. */
struct opening {
    bool told, opened;
};

struct batch_run {
    struct batch_registry *registry;
    struct batch_job *job;
    struct batch_run_spec spec;
    struct batch_profile profile;
    struct batch_plan plan;
    struct batch_pool *pool;
    struct batch_queue *free, *todo, *done, *outbox;
    struct batch_chunk **chunks;
    size_t chunk_count;
    int stop_fd;
    int64_t begun_ms;               /* CLOCK_MONOTONIC */
    uint64_t earlier_ms;            /* run time of the job's earlier runs */
    struct schema_clock clock_row;  /* as the run began: last tick, highest time */
    bool lock_held;

    struct batch_live live;
    _Atomic bool stopping;          /* relaxed: a hint to give up sooner; queues order the rest */

    pthread_t ingest_thread, committer_thread, outbox_thread;
    bool ingest_started, committer_started, outbox_started;

    pthread_mutex_t lock;           /* guards everything below */
    pthread_cond_t changed;
    struct opening ingest_opening, outbox_opening;
    struct ca_error error;          /* the first fatal one; status CA_OK: none */
    bool published_new;
    struct batch_published published;
    bool all_read;                  /* ingest reached the end of the inputs */
    uint64_t chunks_read;
    bool begun;                     /* everything is open, chunks flow */
    bool finished;                  /* the outbox thread has ended */
    bool completed;                 /* outputs have their names, the job's row says so */

    /* Written by their threads, read after they were joined (or by the outbox thread at its end).
     * */
    struct batch_totals totals;
    struct batch_feed_facts facts;
    struct batch_key_set *keys;     /* from the outbox thread's opening to the committer's end */
    uint64_t outbox_syncs;
    struct ca_buf summary;
};

static bool run_stopping(void *ctx)
{
    struct batch_run *run = ctx;

    return atomic_load_explicit(&run->stopping, memory_order_relaxed);
}

void batch_run_stop(struct batch_run *run, const struct ca_error *cause)
{
    const uint64_t one = 1;

    (void)pthread_mutex_lock(&run->lock);
    if (run->error.status == CA_OK) run->error = *cause;
    (void)pthread_mutex_unlock(&run->lock);
    atomic_store_explicit(&run->stopping, true, memory_order_relaxed);
    (void)!write(run->stop_fd, &one, sizeof(one));      /* only fails when it is readable anyway */
    batch_queue_close(run->free);
    batch_queue_close(run->todo);
}

static void run_failed(void *ctx, const struct ca_error *err)
{
    batch_run_stop(ctx, err);
}

/* Tells batch_run_start how an opening went. */
static void tell(struct batch_run *run, struct opening *opening, bool opened)
{
    (void)pthread_mutex_lock(&run->lock);
    opening->told = true;
    opening->opened = opened;
    (void)pthread_cond_broadcast(&run->changed);
    (void)pthread_mutex_unlock(&run->lock);
}

static struct timespec from_now(int timeout_ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return until;
}

/* A stop that is asked for while the run opens: reading over a long input, or waiting for a stream,
 * may take long. */
static void heed_interrupt(struct batch_run *run)
{
    struct ca_error cause;

    if (run->spec.interrupted == NULL || run_stopping(run)) return;
    if (!run->spec.interrupted(run->spec.interrupted_ctx)) return;
    (void)ca_fail_named(&cause, CA_AGAIN, "interrupted", "interrupted by a signal");
    batch_run_stop(run, &cause);
}

/* True when the thread has opened what it needs, and nobody wants the run to stop. */
static bool wait_told(struct batch_run *run, const struct opening *opening)
{
    bool told = false, opened = false;

    while (!told) {
        struct timespec until = from_now(OPENING_TICK_MS);

        heed_interrupt(run);
        (void)pthread_mutex_lock(&run->lock);
        if (!opening->told) (void)pthread_cond_timedwait(&run->changed, &run->lock, &until);
        told = opening->told;
        opened = opening->opened;
        (void)pthread_mutex_unlock(&run->lock);
    }
    return opened && !run_stopping(run);
}

static void *ingest_main(void *arg)
{
    struct batch_run *run = arg;
    const struct batch_feed_spec spec = {
        .job = run->job, .store = run->registry->store, .clock = &run->registry->clock,
        .plan = &run->plan, .last_tick_ms = run->clock_row.last_tick_ms,
        .high_time_ms = run->clock_row.high_time_ms, .free = run->free, .todo = run->todo,
        .live = &run->live, .stop_fd = run->stop_fd, .no_uring = run->spec.no_uring,
        .scope_certs = run->registry->scope_certs,
    };
    struct batch_feed *feed = NULL;
    struct ca_error err;
    uint64_t chunks = 0;
    enum ca_status st = batch_feed_open(&spec, &feed, &run->facts, &err);

    if (st != CA_OK) batch_run_stop(run, &err);
    tell(run, &run->ingest_opening, st == CA_OK);
    if (st == CA_OK) {
        st = batch_feed_run(feed, &chunks, &err);
        if (st == CA_OK) {
            (void)pthread_mutex_lock(&run->lock);
            run->all_read = true;
            run->chunks_read = chunks;
            (void)pthread_mutex_unlock(&run->lock);
        } else if (st != CA_AGAIN) {
            batch_run_stop(run, &err);
        }
    }
    batch_feed_close(feed);
    batch_queue_close(run->todo);
    return NULL;
}

static void put_published(void *ctx, const struct batch_published *published)
{
    struct batch_run *run = ctx;

    (void)pthread_mutex_lock(&run->lock);
    run->published = *published;
    run->published_new = true;
    (void)pthread_mutex_unlock(&run->lock);
}

static bool take_published(void *ctx, struct batch_published *out)
{
    struct batch_run *run = ctx;
    bool fresh;

    (void)pthread_mutex_lock(&run->lock);
    fresh = run->published_new;
    *out = run->published;
    run->published_new = false;
    (void)pthread_mutex_unlock(&run->lock);
    return fresh;
}

static void *committer_main(void *arg)
{
    struct batch_run *run = arg;
    const struct batch_committer_spec spec = {
        .store = run->registry->store, .plan = &run->plan, .clock = &run->registry->clock,
        .job = run->job, .keys = run->keys, .known_max = run->registry->known_keys_max,
        .done = run->done, .outbox = run->outbox,
        .chunks_total = run->chunk_count, .workers = run->spec.workers,
        .linger_ms = run->spec.commit_linger_ms, .begun_ms = run->begun_ms,
        .earlier_ms = run->earlier_ms, .live = &run->live,
        .published = take_published, .failed = run_failed, .ctx = run,
    };

    batch_committer_run(&spec, &run->totals);
    return NULL;
}

static enum ca_status put_job_row(struct batch_run *run, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    enum ca_status st = store_begin(run->registry->store, STORE_WRITE, &txn, err);

    if (st != CA_OK) return st;
    run->job->row.updated_ms = ca_clock_now_ms(&run->registry->clock);
    st = batch_job_put(txn, run->job, err);
    if (st != CA_OK) {
        store_abort(txn);
        return st;
    }
    return store_commit(txn, err);
}

static uint64_t run_ms(const struct batch_run *run)
{
    return (uint64_t)(batch_monotonic_ms() - run->begun_ms);
}

static void make_summary(struct batch_run *run, const char *state)
{
    struct rusage usage;
    const struct schema_job *row = &run->job->row;
    uint64_t commits = store_commit_count(run->registry->store);
    uint64_t ms = run_ms(run);
    struct ca_buf notices;
    struct batch_summary summary = {
        .job = run->job->name, .state = state, .certmill_version = run->spec.certmill_version,
        .io = run->facts.io != NULL ? run->facts.io : "none", .io_why_plain = run->facts.io_why,
        .workers = run->spec.workers, .requested = row->done, .totals = &run->totals,
        .commits = commits,
        /* LMDB flushes twice a commit: the data, then the meta page. */
        .syncs = 2 * commits + run->outbox_syncs,
        .seconds = (double)(run->earlier_ms + ms) / 1000.0,
        .ca = run->job->ca, .tmpl = run->job->tmpl_name, .out_dir = run->job->out_dir,
    };

    if (getrusage(RUSAGE_SELF, &usage) == 0) summary.peak_rss_kib = (uint64_t)usage.ru_maxrss;
    ca_buf_init(&notices, NOTICES_MAX);
    batch_notices_append_json(row, &notices);
    summary.notices = ca_buf_view(&notices);
    ca_buf_reset(&run->summary);
    batch_report_summary(&summary, &run->summary);
    if (notices.failed != CA_OK && run->summary.failed == CA_OK)
        run->summary.failed = notices.failed;
    ca_buf_clear(&notices);
}

/* Everything is committed and appended: the files get their names, then the job is completed. The
 * row says "finishing" before the first rename, so that a resume knows whose final names it finds.
 * */
static enum ca_status complete(struct batch_run *run, struct batch_publish *publish,
                               struct ca_error *err)
{
    struct schema_job *row = &run->job->row;
    enum ca_status st;

    row->out_done = run->published.done;
    memcpy(row->out_lengths, run->published.lengths.octets, sizeof(row->out_lengths));
    row->finishing = true;
    st = put_job_row(run, err);
    if (st != CA_OK) return st;
    run->outbox_syncs = batch_publish_syncs(publish);
    make_summary(run, "completed");
    st = ca_buf_status(&run->summary, "the summary", err);
    if (st == CA_OK) st = batch_publish_finish(publish, ca_buf_view(&run->summary), err);
    if (st != CA_OK) return st;
    row->finishing = false;
    row->state = SCHEMA_JOB_COMPLETED;
    row->elapsed_ms = run->earlier_ms + run_ms(run);
    row->summary = ca_buf_view(&run->summary);
    st = put_job_row(run, err);
    row->finishing = st != CA_OK;       /* the final names are there: a resume must know whose */
    return st;
}

/* Every chunk that was read was committed and published, and nothing went wrong. The committer has
 * ended by now: it closed the queue that the outbox thread drained. */
static bool run_is_whole(struct batch_run *run, uint64_t chunks, uint64_t done)
{
    bool whole;

    (void)pthread_mutex_lock(&run->lock);
    whole = run->error.status == CA_OK && run->all_read && done == run->job->row.done &&
            chunks == run->chunks_read;
    (void)pthread_mutex_unlock(&run->lock);
    return whole;
}

static void publish_all(struct batch_run *run, struct batch_publish *publish)
{
    struct ca_error err;
    uint64_t done = 0;
    uint64_t chunks = batch_publish_run(publish, &done);

    if (run_is_whole(run, chunks, done)) {
        run->completed = complete(run, publish, &err) == CA_OK;
        if (!run->completed) batch_run_stop(run, &err);
    }
    run->outbox_syncs = batch_publish_syncs(publish);
}

/* A new job's run that did not begin, or was refused before anything was committed (an input
 * without any request), leaves no trace: part files would keep the directory from the next job, and
 * nothing could be resumed. Asked when the committer has ended. */
static bool leaves_no_trace(struct batch_run *run)
{
    bool useless;

    (void)pthread_mutex_lock(&run->lock);
    useless = !run->begun || (run->error.status == CA_REFUSED && run->job->row.done == 0);
    (void)pthread_mutex_unlock(&run->lock);
    return run->spec.fresh && useless;
}

static void close_publish(struct batch_run *run, struct batch_publish *publish)
{
    if (leaves_no_trace(run)) batch_publish_discard(publish);
    else batch_publish_close(publish);
}

/* What a job that goes on has to know of its past: its rejections, the keys of what it issued. */
static enum ca_status recall(struct batch_run *run, struct ca_error *err)
{
    struct store *store = run->registry->store;
    enum ca_status st = batch_resume_count(store, run->job, run_stopping, run,
                                           run->totals.by_reason, err);

    if (st != CA_OK) return st;
    return batch_key_set_of_job(store, run->job, run->registry->run_keys_max, run_stopping, run,
                                &run->keys, err);
}

static void *outbox_main(void *arg)
{
    struct batch_run *run = arg;
    const struct batch_publish_spec spec = {
        .store = run->registry->store, .job = run->job, .fresh = run->spec.fresh,
        .no_uring = run->spec.no_uring, .outbox = run->outbox, .free = run->free,
        .stopping = run_stopping, .synced = put_published, .failed = run_failed, .ctx = run,
    };
    struct batch_publish *publish = NULL;
    struct ca_error err;
    enum ca_status st = batch_publish_open(&spec, &publish, &err);

    if (st == CA_OK) st = recall(run, &err);
    if (st != CA_OK) batch_run_stop(run, &err);
    tell(run, &run->outbox_opening, st == CA_OK);
    if (st == CA_OK) publish_all(run, publish);
    close_publish(run, publish);
    (void)pthread_mutex_lock(&run->lock);
    run->finished = true;
    (void)pthread_cond_broadcast(&run->changed);
    (void)pthread_mutex_unlock(&run->lock);
    return NULL;
}

static enum ca_status make_queues(struct batch_run *run, struct ca_error *err)
{
    size_t count = run->chunk_count;
    enum ca_status st = batch_queue_new(count, &run->free, err);

    if (st == CA_OK) st = batch_queue_new(count, &run->todo, err);
    if (st == CA_OK) st = batch_queue_new(count, &run->done, err);
    if (st == CA_OK) st = batch_queue_new(count, &run->outbox, err);
    return st;
}

static enum ca_status make_chunks(struct batch_run *run, struct ca_error *err)
{
    run->chunks = calloc(run->chunk_count, sizeof(struct batch_chunk *));
    if (run->chunks == NULL) return ca_fail(err, CA_NOMEM, "no memory for the chunks");
    for (size_t i = 0; i < run->chunk_count; i++) {
        enum ca_status st = batch_chunk_new(&run->chunks[i], err);

        if (st != CA_OK) return st;
    }
    return CA_OK;
}

/* What must be true of store and clock before a run begins. */
static enum ca_status check_store(struct batch_run *run, struct ca_error *err)
{
    struct store *store = run->registry->store;
    struct store_txn *txn = NULL;
    int64_t now_ms = 0;
    enum ca_status st = store_lock_run(store, err);

    if (st != CA_OK) return st;
    run->lock_held = true;
    st = store_reserve_check(store, err);
    if (st == CA_OK) st = store_begin(store, STORE_READ, &txn, err);
    if (st == CA_OK) st = batch_registry_issuing_time(run->registry, txn, &now_ms, err);
    if (st == CA_OK) st = batch_registry_read_clock(txn, &run->clock_row, err);
    if (st == CA_OK) st = batch_job_recheck(txn, run->job, err);
    store_abort(txn);
    return st;
}

static enum ca_status make_run(struct batch_run *run, struct ca_error *err)
{
    struct batch_job *job = run->job;
    enum ca_status st;

    if (run->spec.workers == 0) run->spec.workers = batch_cores();
    if (run->spec.commit_linger_ms == 0) run->spec.commit_linger_ms = COMMIT_LINGER_MS_DEFAULT;
    run->chunk_count = (size_t)run->spec.workers * 4 + 4;
    run->earlier_ms = job->row.elapsed_ms;
    run->begun_ms = batch_monotonic_ms();
    run->profile = (struct batch_profile){
        .profile = job->profile, .issuer = job->issuer,
        .id = batch_profile_id(job->profile_hash),
    };
    run->plan = (struct batch_plan){
        .profiles = &run->profile, .profile_count = 1, .job = job->number,
        .seed = run->registry->seed,
    };
    atomic_store_explicit(&run->live.done, job->row.done, memory_order_relaxed);
    atomic_store_explicit(&run->live.issued, job->row.issued, memory_order_relaxed);
    atomic_store_explicit(&run->live.rejected, job->row.rejected, memory_order_relaxed);
    run->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (run->stop_fd < 0) return ca_fail_errno(err, errno, "cannot make an eventfd");
    st = check_store(run, err);
    if (st == CA_OK) st = make_queues(run, err);
    if (st == CA_OK) st = make_chunks(run, err);
    return st;
}

static enum ca_status start_thread(struct batch_run *run, pthread_t *thread,
                                   void *(*thread_main)(void *), bool *started,
                                   struct ca_error *err)
{
    int failed = pthread_create(thread, NULL, thread_main, run);

    if (failed != 0) return ca_fail_errno(err, failed, "cannot start a thread");
    *started = true;
    return CA_OK;
}

static enum ca_status opening_failed(struct batch_run *run, struct ca_error *err)
{
    enum ca_status st;

    (void)pthread_mutex_lock(&run->lock);
    st = run->error.status;
    if (err != NULL) *err = run->error;
    (void)pthread_mutex_unlock(&run->lock);
    return st;
}

/* A new job whose run did not begin leaves no trace: its name may be used again at once. Unless
 * another process has taken it up meanwhile. */
static void forget_job(struct batch_run *run)
{
    struct store_txn *txn = NULL;
    struct schema_key key;

    if (store_begin(run->registry->store, STORE_WRITE, &txn, NULL) != CA_OK) return;
    if (batch_job_recheck(txn, run->job, NULL) != CA_OK ||
        store_delete(txn, STORE_JOB, schema_key_job(&key, run->job->number), NULL) != CA_OK) {
        store_abort(txn);
        return;
    }
    (void)!store_commit(txn, NULL);     /* at worst the job is listed as interrupted, with 0 done */
}

/* Inputs are looked at first, then the output directory; work begins when both are good. */
static enum ca_status start_threads(struct batch_run *run, struct ca_error *err)
{
    const struct batch_pool_spec pool = {
        .plan = &run->plan, .workers = run->spec.workers, .todo = run->todo, .done = run->done,
        .stopping = run_stopping, .failed = run_failed, .ctx = run,
    };
    enum ca_status st =
        start_thread(run, &run->ingest_thread, ingest_main, &run->ingest_started, err);

    if (st != CA_OK) return st;
    if (!wait_told(run, &run->ingest_opening)) return opening_failed(run, err);
    st = start_thread(run, &run->outbox_thread, outbox_main, &run->outbox_started, err);
    if (st != CA_OK) return st;
    if (!wait_told(run, &run->outbox_opening)) return opening_failed(run, err);
    st = start_thread(run, &run->committer_thread, committer_main, &run->committer_started, err);
    if (st == CA_OK) st = batch_pool_start(&pool, &run->pool, err);
    if (st != CA_OK) return st;
    (void)pthread_mutex_lock(&run->lock);
    run->begun = true;
    (void)pthread_mutex_unlock(&run->lock);
    for (size_t i = 0; i < run->chunk_count; i++)
        (void)batch_queue_push(run->free, run->chunks[i]);
    return CA_OK;
}

/* Ends whatever was started. Without workers or a committer nobody else closes their queues. */
static void end_threads(struct batch_run *run)
{
    if (run->ingest_started) (void)pthread_join(run->ingest_thread, NULL);
    if (run->pool == NULL && run->done != NULL) batch_queue_close(run->done);
    batch_pool_join(run->pool);
    if (run->committer_started) (void)pthread_join(run->committer_thread, NULL);
    else if (run->outbox != NULL) batch_queue_close(run->outbox);
    if (run->outbox_started) (void)pthread_join(run->outbox_thread, NULL);
}

static void run_free(struct batch_run *run)
{
    if (run->lock_held) store_unlock_run(run->registry->store);
    for (size_t i = 0; run->chunks != NULL && i < run->chunk_count; i++)
        batch_chunk_free(run->chunks[i]);
    free(run->chunks);
    batch_queue_free(run->free);
    batch_queue_free(run->todo);
    batch_queue_free(run->done);
    batch_queue_free(run->outbox);
    if (run->stop_fd >= 0) (void)close(run->stop_fd);
    batch_key_set_free(run->keys);
    batch_job_free(run->job);
    ca_buf_clear(&run->summary);
    (void)pthread_mutex_destroy(&run->lock);
    (void)pthread_cond_destroy(&run->changed);
    free(run);
}

/* What a person reads when a run ended early: what the cause had to say, what is safe, and how to
 * go on. */
static void explain_end(const struct batch_run *run, struct ca_error *err)
{
    const struct schema_job *row = &run->job->row;
    char cause[CA_ERROR_HINT_MAX];

    if (err == NULL) return;
    memcpy(cause, err->hint, sizeof(cause));
    ca_hint(err, "%.150s%s%llu requests are durable in the store (%llu issued, %llu refused); "
            "go on with: certmill batch resume %s", cause, cause[0] != '\0' ? " " : "",
            (unsigned long long)row->done, (unsigned long long)row->issued,
            (unsigned long long)row->rejected, run->job->name);
}

enum ca_status batch_run_start(struct batch_registry *registry, struct batch_job *job,
                               const struct batch_run_spec *spec, struct batch_run **out,
                               struct ca_error *err)
{
    struct batch_run *run = calloc(1, sizeof(*run));
    enum ca_status st;

    if (run == NULL) {
        batch_job_free(job);
        return ca_fail(err, CA_NOMEM, "no memory for a run");
    }
    run->registry = registry;
    run->job = job;
    run->spec = *spec;
    run->stop_fd = -1;
    (void)pthread_mutex_init(&run->lock, NULL);
    (void)pthread_cond_init(&run->changed, NULL);
    ca_buf_init(&run->summary, SUMMARY_MAX);
    st = make_run(run, err);
    if (st == CA_OK) {
        st = start_threads(run, err);
        if (st != CA_OK) {
            struct ca_error cause;

            (void)ca_fail(&cause, st, "the run did not begin");
            batch_run_stop(run, &cause);
            end_threads(run);
        }
    }
    if (st != CA_OK) {
        if (spec->fresh) forget_job(run);
        else if (st == CA_AGAIN) explain_end(run, err);
        run_free(run);
        return st;
    }
    *out = run;
    return CA_OK;
}

bool batch_run_wait(struct batch_run *run, int timeout_ms, struct batch_progress *progress)
{
    struct timespec until = from_now(timeout_ms);
    bool finished;

    (void)pthread_mutex_lock(&run->lock);
    while (!run->finished && timeout_ms > 0) {
        if (pthread_cond_timedwait(&run->changed, &run->lock, &until) != 0) break;
    }
    finished = run->finished;
    (void)pthread_mutex_unlock(&run->lock);
    if (progress != NULL) {
        progress->done = atomic_load_explicit(&run->live.done, memory_order_relaxed);
        progress->issued = atomic_load_explicit(&run->live.issued, memory_order_relaxed);
        progress->rejected = atomic_load_explicit(&run->live.rejected, memory_order_relaxed);
        progress->consumed_bytes =
            atomic_load_explicit(&run->live.consumed_bytes, memory_order_relaxed);
        progress->total_bytes = run->facts.total_bytes;     /* written before start returned */
        progress->seconds = (double)run_ms(run) / 1000.0;
        progress->finished = finished;
    }
    return finished;
}

enum ca_status batch_run_join(struct batch_run *run, struct batch_run_result *result,
                              struct ca_error *err)
{
    struct schema_job *row = &run->job->row;
    struct ca_error first;
    enum ca_status st = CA_OK;

    end_threads(run);
    first = run->error;
    result->resumable = false;
    if (!run->completed) {
        st = first.status != CA_OK ? first.status : CA_IO;
        if (first.status == CA_OK) (void)ca_fail(&first, CA_IO, "the run ended early");
        row->state = st == CA_AGAIN ? SCHEMA_JOB_INTERRUPTED : SCHEMA_JOB_FAILED;
        row->elapsed_ms = run->earlier_ms + run_ms(run);
        row->summary = ca_bytes_of(NULL, 0);
        if (run->published_new) {
            row->out_done = run->published.done;
            memcpy(row->out_lengths, run->published.lengths.octets, sizeof(row->out_lengths));
        }
        make_summary(run, st == CA_AGAIN ? "interrupted" : "failed");
        result->resumable = !leaves_no_trace(run);
        if (!result->resumable) {
            forget_job(run);
            if (first.hint[0] == '\0')
                ca_hint(&first, "nothing was issued and no job is left; mend this, then repeat the "
                        "command");
        } else {
            /* Best effort: a store that cannot be written has said why already, and a job found
             * RUNNING without a run is shown as interrupted. */
            (void)!put_job_row(run, NULL);
            explain_end(run, &first);
        }
        if (err != NULL) *err = first;
    }
    result->state = row->state;
    result->requested = row->done;
    result->issued = row->issued;
    result->rejected = row->rejected;
    result->summary = run->summary;         /* taken over by the caller */
    ca_buf_init(&run->summary, SUMMARY_MAX);
    run_free(run);
    return st;
}
