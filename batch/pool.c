#include "batch/pool.h"

#include "io/fault.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

struct batch_pool {
    struct batch_pool_spec spec;
    pthread_mutex_t lock;
    unsigned running;               /* under lock: workers that have not ended */
    unsigned started;
    pthread_t threads[];
};

unsigned batch_cores(void)
{
    cpu_set_t set;
    int count;

    if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
    count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > 256 ? 256 : (unsigned)count;
}

/* The last one out closes the door. */
static void worker_ended(struct batch_pool *pool)
{
    bool last;

    (void)pthread_mutex_lock(&pool->lock);
    last = --pool->running == 0;
    (void)pthread_mutex_unlock(&pool->lock);
    if (last) batch_queue_close(pool->spec.done);
}

static void work(struct batch_pool *pool, struct batch_worker *worker)
{
    struct batch_chunk *chunk;

    while ((chunk = batch_queue_pop(pool->spec.todo)) != NULL) {    /* NULL: closed and drained */
        int fault = fault_hit(FAULT_WORKER);

        if (fault > 0) (void)ca_fail_errno(&chunk->fatal, fault, "a worker failed");
        else batch_worker_process(worker, chunk, pool->spec.stopping, pool->spec.ctx);
        (void)batch_queue_push(pool->spec.done, chunk);     /* closed by the last worker only */
    }
}

static void *worker_main(void *arg)
{
    struct batch_pool *pool = arg;
    struct batch_worker *worker = NULL;
    struct ca_error err;

    if (batch_worker_new(pool->spec.plan, &worker, &err) == CA_OK) work(pool, worker);
    else pool->spec.failed(pool->spec.ctx, &err);
    batch_worker_free(worker);
    worker_ended(pool);
    return NULL;
}

enum ca_status batch_pool_start(const struct batch_pool_spec *spec, struct batch_pool **out,
                                struct ca_error *err)
{
    struct batch_pool *pool = calloc(1, sizeof(*pool) + spec->workers * sizeof(pthread_t));
    int failed = 0;

    if (pool == NULL) return ca_fail(err, CA_NOMEM, "no memory for the workers");
    pool->spec = *spec;
    (void)pthread_mutex_init(&pool->lock, NULL);
    pool->running = spec->workers;
    while (pool->started < spec->workers && failed == 0) {
        failed = pthread_create(&pool->threads[pool->started], NULL, worker_main, pool);
        if (failed == 0) pool->started++;
    }
    if (failed != 0) {
        batch_queue_close(spec->todo);
        for (unsigned i = pool->started; i < spec->workers; i++) worker_ended(pool);
        batch_pool_join(pool);
        return ca_fail_errno(err, failed, "cannot start a worker thread");
    }
    *out = pool;
    return CA_OK;
}

void batch_pool_join(struct batch_pool *pool)
{
    if (pool == NULL) return;
    for (unsigned i = 0; i < pool->started; i++) (void)pthread_join(pool->threads[i], NULL);
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}
