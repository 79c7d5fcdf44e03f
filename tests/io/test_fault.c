#include "io/fault_testing.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A program linked with --wrap gets these from the linker; here the test stands in for it. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__real_malloc(size_t size)
{
    return malloc(size);
}

void *__real_calloc(size_t count, size_t size)
{
    return calloc(count, size);
}

void *__real_realloc(void *old, size_t size)
{
    return realloc(old, size);
}

static void arm(const char *fault)
{
    struct ca_error err = { .text = "" };

    if (fault_testing_setup(fault, NULL, &err) != CA_OK) fail_msg("%s; %s", err.text, err.hint);
}

static int disarm(void **state)
{
    (void)state;
    return fault_testing_setup(NULL, NULL, NULL) == CA_OK ? 0 : -1;
}

static void nothing_fails_when_nothing_is_armed(void **state)
{
    (void)state;
    arm("");
    for (int i = 0; i < FAULT_POINT_COUNT; i++) {
        assert_int_equal(fault_hit((enum fault_point)i), 0);
        assert_int_equal(fault_testing_passages((enum fault_point)i), 1);
    }
}

static void only_the_named_passage_of_the_named_point_fails(void **state)
{
    (void)state;
    arm("store.commit:3=EIO;outbox.sync:1=ENOSPC");
    assert_int_equal(fault_hit(FAULT_STORE_COMMIT), 0);
    assert_int_equal(fault_hit(FAULT_STORE_COMMIT), 0);
    assert_int_equal(fault_hit(FAULT_STORE_COMMITTED), 0);
    assert_int_equal(fault_hit(FAULT_STORE_COMMIT), EIO);
    assert_int_equal(fault_hit(FAULT_STORE_COMMIT), 0);
    assert_int_equal(fault_hit(FAULT_OUTBOX_SYNC), ENOSPC);
    assert_int_equal(fault_hit(FAULT_OUTBOX_SYNC), 0);
}

static void a_plus_means_that_passage_and_all_later_ones(void **state)
{
    (void)state;
    arm("outbox.write:2+=ENOSPC");
    assert_int_equal(fault_hit(FAULT_OUTBOX_WRITE), 0);
    for (int i = 0; i < 5; i++) assert_int_equal(fault_hit(FAULT_OUTBOX_WRITE), ENOSPC);
}

static void a_transfer_can_be_short(void **state)
{
    (void)state;
    arm("ring.read:1=short");
    assert_int_equal(fault_hit(FAULT_RING_READ), FAULT_SHORT);
    assert_int_equal(fault_hit(FAULT_RING_READ), 0);
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void a_passage_can_sleep_and_then_succeed(void **state)
{
    int64_t start;

    (void)state;
    arm("worker:1=sleep50");
    start = now_ms();
    assert_int_equal(fault_hit(FAULT_WORKER), 0);
    assert_true(now_ms() - start >= 50);
}

static void several_rules_may_meet_at_one_passage(void **state)
{
    (void)state;
    arm("worker:1=sleep1;worker:1=EAGAIN");
    assert_int_equal(fault_hit(FAULT_WORKER), EAGAIN);
}

static void the_process_is_killed_at_the_named_passage_and_not_before(void **state)
{
    int pipe_fds[2];
    char passed[8];
    int status;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        if (fault_testing_setup(NULL, "chunk:3", NULL) != CA_OK) _exit(1);
        for (int i = 0; i < 5; i++) {
            (void)fault_hit(FAULT_CHUNK);
            if (write(pipe_fds[1], "x", 1) != 1) _exit(2);
        }
        _exit(0);
    }
    (void)close(pipe_fds[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(read(pipe_fds[0], passed, sizeof(passed)), 2);
    (void)close(pipe_fds[0]);
}

static void the_nth_allocation_fails_of_whatever_kind(void **state)
{
    void *a, *b;

    (void)state;
    arm("alloc:3;alloc:5");
    a = __wrap_malloc(1);
    b = __wrap_calloc(1, 1);
    assert_non_null(a);
    assert_non_null(b);
    errno = 0;
    assert_null(__wrap_realloc(a, 100));
    assert_int_equal(errno, ENOMEM);
    a = __wrap_realloc(a, 100);
    assert_non_null(a);
    assert_null(__wrap_malloc(1));
    assert_int_equal(fault_testing_allocations(), 5);
    free(a);
    free(b);
}

static void broken_plans_are_refused_and_arm_nothing(void **state)
{
    static const char *const broken[] = {
        "store.commit", "store.commit:", "store.commit:3", "store.commit:0=EIO",
        "store.commit:x=EIO",
        "store.commit:-1=EIO", "store.commit:1=", "store.commit:1=EWRONG", "store.commit:1=sleep",
        "store.commit:1=sleepx", "store.commit:99999999999999999999=EIO", "stor.commit:1=EIO",
        ":1=EIO",
        "alloc:1=EIO", "alloc:0", "alloc", "store.commit:1=EIO;x:1=EIO", "store.commit:+=EIO",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct ca_error err = { .text = "" };

        if (fault_testing_setup(broken[i], NULL, &err) != CA_MALFORMED) fail_msg("%s", broken[i]);
        assert_int_equal(fault_hit(FAULT_STORE_COMMIT), 0);
    }
    assert_int_equal(fault_testing_setup(NULL, "chunk:1=EIO", NULL), CA_MALFORMED);
    assert_int_equal(fault_testing_setup(NULL, "alloc:1", NULL), CA_MALFORMED);
}

static void an_unknown_point_is_answered_with_the_points_there_are(void **state)
{
    struct ca_error err = { .text = "" };

    (void)state;
    assert_int_equal(fault_testing_setup("ring.raed:1=EIO", NULL, &err), CA_MALFORMED);
    assert_non_null(strstr(err.text, "ring.raed"));
    assert_string_equal(err.hint,
                        "points: ring.{setup,submit,open,stat,read,write,sync} "
                        "store.{begin,put,commit,committed} outbox.{write,sync,rename,dirsync} "
                        "file.{write,rename} chunk worker group alloc");
}

static void too_many_rules_are_refused(void **state)
{
    struct ca_buf plan;

    (void)state;
    ca_buf_init(&plan, 4096);
    for (int i = 0; i < FAULT_RULES_MAX; i++) ca_buf_append_str(&plan, "chunk:9=EIO;");
    ca_buf_append(&plan, "", 1);
    assert_int_equal(fault_testing_setup((const char *)plan.data, NULL, NULL), CA_OK);
    plan.len--;
    ca_buf_append_str(&plan, "chunk:9=EIO");
    ca_buf_append(&plan, "", 1);
    assert_int_equal(fault_testing_setup((const char *)plan.data, NULL, NULL), CA_MALFORMED);
    ca_buf_clear(&plan);
}

static void the_list_has_a_line_for_each_point(void **state)
{
    struct ca_buf list;
    size_t lines = 0;

    (void)state;
    ca_buf_init(&list, 8192);
    fault_testing_list(&list);
    ca_buf_append(&list, "", 1);
    assert_int_equal(list.failed, CA_OK);
    for (const char *c = (const char *)list.data; *c != '\0'; c++) lines += *c == '\n';
    assert_int_equal(lines, FAULT_POINT_COUNT + 1);
    assert_non_null(strstr((const char *)list.data, "store.committed  after mdb_txn_commit"));
    assert_non_null(strstr((const char *)list.data, "alloc "));
    ca_buf_clear(&list);
}

static void *pass_a_thousand_times(void *arg)
{
    atomic_int *hits = arg;

    for (int i = 0; i < 1000; i++) {
        if (fault_hit(FAULT_GROUP) == EIO) atomic_fetch_add(hits, 1);
    }
    return NULL;
}

static void one_passage_fails_exactly_once_among_threads(void **state)
{
    pthread_t threads[4];
    atomic_int hits = 0;

    (void)state;
    arm("group:2000=EIO");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, pass_a_thousand_times, &hits), 0);
    }
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&hits), 1);
    assert_int_equal(fault_testing_passages(FAULT_GROUP), 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_fails_when_nothing_is_armed, disarm),
        cmocka_unit_test_teardown(only_the_named_passage_of_the_named_point_fails, disarm),
        cmocka_unit_test_teardown(a_plus_means_that_passage_and_all_later_ones, disarm),
        cmocka_unit_test_teardown(a_transfer_can_be_short, disarm),
        cmocka_unit_test_teardown(a_passage_can_sleep_and_then_succeed, disarm),
        cmocka_unit_test_teardown(several_rules_may_meet_at_one_passage, disarm),
        cmocka_unit_test_teardown(the_process_is_killed_at_the_named_passage_and_not_before,
                                  disarm),
        cmocka_unit_test_teardown(the_nth_allocation_fails_of_whatever_kind, disarm),
        cmocka_unit_test_teardown(broken_plans_are_refused_and_arm_nothing, disarm),
        cmocka_unit_test_teardown(an_unknown_point_is_answered_with_the_points_there_are, disarm),
        cmocka_unit_test_teardown(too_many_rules_are_refused, disarm),
        cmocka_unit_test_teardown(the_list_has_a_line_for_each_point, disarm),
        cmocka_unit_test_teardown(one_passage_fails_exactly_once_among_threads, disarm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
