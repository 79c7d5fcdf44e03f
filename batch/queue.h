/*
 * A bounded queue of pointers between threads. Ownership moves with the pointer: after a push, do
 * not look at it again.
 *
 * Any number of pushing and popping threads. A mutex and two condition variables: a pointer carries
 * a chunk of hundreds of requests, so the lock is taken a few hundred times a second.
 */
#ifndef BATCH_QUEUE_H
#define BATCH_QUEUE_H

#include "engine/status.h"

#include <stddef.h>

struct batch_queue;

CA_MUST_CHECK enum ca_status batch_queue_new(size_t items_max, struct batch_queue **out,
                                             struct ca_error *err);
void batch_queue_free(struct batch_queue *queue);      /* must be empty of what needs freeing */

/* Blocks while full. False when the queue is closed: the item is still the caller's. */
bool batch_queue_push(struct batch_queue *queue, void *item);
/* Blocks while empty. NULL: closed and drained. */
void *batch_queue_pop(struct batch_queue *queue);
/* The same, but at most until deadline (CLOCK_MONOTONIC ms). *timed_out tells the two NULLs apart.
 * */
void *batch_queue_pop_until(struct batch_queue *queue, int64_t deadline_ms, bool *timed_out);
/* No more pushes; pops go on until it is empty. May be called more than once, from any thread. */
void batch_queue_close(struct batch_queue *queue);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t batch_monotonic_ms(void);

#endif
