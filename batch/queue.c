#include "batch/queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct batch_queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    size_t items_max;
    size_t head, count;         /* a ring of items_max pointers */
    bool closed;
    void **items;
};

enum ca_status batch_queue_new(size_t items_max, struct batch_queue **out, struct ca_error *err)
{
    struct batch_queue *queue = calloc(1, sizeof(*queue));
    pthread_condattr_t monotonic;

    assert(items_max > 0);
    if (queue == NULL) return ca_fail(err, CA_NOMEM, "no memory for a queue");
    queue->items = calloc(items_max, sizeof(*queue->items));
    if (queue->items == NULL) {
        free(queue);
        return ca_fail(err, CA_NOMEM, "no memory for a queue");
    }
    queue->items_max = items_max;
    /* These cannot fail on Linux: no resource is taken. */
    (void)pthread_mutex_init(&queue->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue->not_empty, &monotonic);
    (void)pthread_cond_init(&queue->not_full, NULL);
    (void)pthread_condattr_destroy(&monotonic);
    *out = queue;
    return CA_OK;
}

void batch_queue_free(struct batch_queue *queue)
{
    if (queue == NULL) return;
    (void)pthread_mutex_destroy(&queue->lock);
    (void)pthread_cond_destroy(&queue->not_empty);
    (void)pthread_cond_destroy(&queue->not_full);
    free(queue->items);
    free(queue);
}

bool batch_queue_push(struct batch_queue *queue, void *item)
{
    bool pushed = false;

    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == queue->items_max && !queue->closed) {
        (void)pthread_cond_wait(&queue->not_full, &queue->lock);
    }
    if (!queue->closed) {
        queue->items[(queue->head + queue->count) % queue->items_max] = item;
        queue->count++;
        pushed = true;
        (void)pthread_cond_signal(&queue->not_empty);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return pushed;
}

/* With the lock held and something in the queue. */
static void *take_first(struct batch_queue *queue)
{
    void *item = queue->items[queue->head];

    queue->head = (queue->head + 1) % queue->items_max;
    queue->count--;
    (void)pthread_cond_signal(&queue->not_full);
    return item;
}

void *batch_queue_pop(struct batch_queue *queue)
{
    void *item = NULL;

    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed) {
        (void)pthread_cond_wait(&queue->not_empty, &queue->lock);
    }
    if (queue->count > 0) item = take_first(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    return item;
}

void *batch_queue_pop_until(struct batch_queue *queue, int64_t deadline_ms, bool *timed_out)
{
    const struct timespec deadline = { .tv_sec = deadline_ms / 1000,
                                       .tv_nsec = (deadline_ms % 1000) * 1000000 };
    void *item = NULL;
    int waited = 0;

    (void)pthread_mutex_lock(&queue->lock);
    while (queue->count == 0 && !queue->closed && waited == 0) {
        waited = pthread_cond_timedwait(&queue->not_empty, &queue->lock, &deadline);
    }
    if (queue->count > 0) item = take_first(queue);
    *timed_out = item == NULL && !queue->closed;
    (void)pthread_mutex_unlock(&queue->lock);
    return item;
}

void batch_queue_close(struct batch_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    (void)pthread_cond_broadcast(&queue->not_empty);
    (void)pthread_cond_broadcast(&queue->not_full);
    (void)pthread_mutex_unlock(&queue->lock);
}

int64_t batch_monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
