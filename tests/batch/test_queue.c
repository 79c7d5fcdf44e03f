#include "batch/queue.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#define ITEMS 20000

static void items_come_out_in_the_order_they_went_in(void **state)
{
    struct batch_queue *queue = NULL;
    int items[3] = { 0 };

    (void)state;
    assert_int_equal(batch_queue_new(3, &queue, NULL), CA_OK);
    for (size_t i = 0; i < 3; i++) assert_true(batch_queue_push(queue, &items[i]));
    for (size_t i = 0; i < 3; i++) assert_ptr_equal(batch_queue_pop(queue), &items[i]);
    batch_queue_free(queue);
}

static void a_closed_queue_takes_nothing_and_gives_what_it_has(void **state)
{
    struct batch_queue *queue = NULL;
    int item = 0;

    (void)state;
    assert_int_equal(batch_queue_new(2, &queue, NULL), CA_OK);
    assert_true(batch_queue_push(queue, &item));
    batch_queue_close(queue);
    assert_false(batch_queue_push(queue, &item));
    assert_ptr_equal(batch_queue_pop(queue), &item);
    assert_null(batch_queue_pop(queue));
    batch_queue_free(queue);
}

static void a_pop_with_a_deadline_tells_time_out_from_the_end(void **state)
{
    struct batch_queue *queue = NULL;
    bool timed_out = false;
    int64_t begun_ms = batch_monotonic_ms();

    (void)state;
    assert_int_equal(batch_queue_new(2, &queue, NULL), CA_OK);
    assert_null(batch_queue_pop_until(queue, begun_ms + 30, &timed_out));
    assert_true(timed_out);
    assert_true(batch_monotonic_ms() >= begun_ms + 30);
    batch_queue_close(queue);
    assert_null(batch_queue_pop_until(queue, batch_monotonic_ms() + 60000, &timed_out));
    assert_false(timed_out);
    batch_queue_free(queue);
}

struct traffic {
    struct batch_queue *queue;
    uint64_t popped_sum;
};

static void *push_all(void *arg)
{
    struct traffic *t = arg;

    for (uintptr_t i = 1; i <= ITEMS; i++) {
        if (!batch_queue_push(t->queue, (void *)i)) break;
    }
    return NULL;
}

static void *pop_all(void *arg)
{
    struct traffic *t = arg;
    void *item;

    while ((item = batch_queue_pop(t->queue)) != NULL) t->popped_sum += (uintptr_t)item;
    return NULL;
}

static void every_item_reaches_exactly_one_of_several_threads(void **state)
{
    struct traffic in[2] = { { 0 } }, out[3] = { { 0 } };
    pthread_t pushers[2], poppers[3];
    struct batch_queue *queue = NULL;
    uint64_t sum = 0;

    (void)state;
    assert_int_equal(batch_queue_new(7, &queue, NULL), CA_OK);
    for (size_t i = 0; i < 3; i++) {
        out[i].queue = queue;
        assert_int_equal(pthread_create(&poppers[i], NULL, pop_all, &out[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        in[i].queue = queue;
        assert_int_equal(pthread_create(&pushers[i], NULL, push_all, &in[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(pushers[i], NULL), 0);
    batch_queue_close(queue);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(poppers[i], NULL), 0);
        sum += out[i].popped_sum;
    }
    assert_true(sum == UINT64_C(2) * ITEMS * (ITEMS + 1) / 2);
    batch_queue_free(queue);
}

static void closing_wakes_a_push_that_waits_for_room(void **state)
{
    struct traffic t = { 0 };
    pthread_t pusher;

    (void)state;
    assert_int_equal(batch_queue_new(1, &t.queue, NULL), CA_OK);
    assert_int_equal(pthread_create(&pusher, NULL, push_all, &t), 0);
    assert_ptr_equal(batch_queue_pop(t.queue), (void *)1);
    batch_queue_close(t.queue);
    assert_int_equal(pthread_join(pusher, NULL), 0);    /* would hang */
    batch_queue_free(t.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_closed_queue_takes_nothing_and_gives_what_it_has),
        cmocka_unit_test(a_pop_with_a_deadline_tells_time_out_from_the_end),
        cmocka_unit_test(every_item_reaches_exactly_one_of_several_threads),
        cmocka_unit_test(closing_wakes_a_push_that_waits_for_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
