#include "io/fault_testing.h"
#include "io/ring.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_OCTETS 100000

/* Every test but those about the choice itself runs over both kinds of ring. */
struct fixture {
    enum ring_want want;
    char dir[64];
    int dir_fd;
    int fd;                     /* a file of FILE_OCTETS known octets */
    uint8_t content[FILE_OCTETS];
};

static void arm(const char *fault)
{
    assert_int_equal(fault_testing_setup(fault, NULL, NULL), CA_OK);
}

static int set_up(void **state, enum ring_want want)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) return -1;
    f->want = want;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-ring-XXXXXX");
    if (mkdtemp(f->dir) == NULL) return -1;
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->fd = openat(f->dir_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (size_t i = 0; i < FILE_OCTETS; i++) f->content[i] = (uint8_t)(i * 2654435761U >> 13);
    if (write(f->fd, f->content, FILE_OCTETS) != FILE_OCTETS) return -1;
    arm(NULL);
    *state = f;
    return 0;
}

static int set_up_auto(void **state)
{
    return set_up(state, RING_AUTO);
}

static int set_up_plain(void **state)
{
    return set_up(state, RING_PLAIN);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    DIR *dir = fdopendir(f->dir_fd);
    const struct dirent *entry;

    arm(NULL);
    while ((entry = readdir(dir)) != NULL) (void)unlinkat(f->dir_fd, entry->d_name, 0);
    (void)closedir(dir);
    (void)close(f->fd);
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

static struct ring *open_ring(const struct fixture *f, unsigned depth)
{
    struct ring *ring = NULL;
    struct ca_error err = { .text = "" };

    if (ring_open(f->want, depth, &ring, &err) != CA_OK) fail_msg("%s", err.text);
    return ring;
}

/* The result of the one operation that is queued. */
static int32_t result_of(struct ring *ring, uint64_t tag)
{
    struct ring_result result = { 0 };
    struct ca_error err = { .text = "" };
    size_t count = 0;

    assert_int_equal(ring_pending(ring), 1);
    if (ring_wait(ring, &result, 1, &count, &err) != CA_OK) fail_msg("%s", err.text);
    assert_int_equal(count, 1);
    assert_int_equal(result.tag, tag);
    assert_int_equal(ring_pending(ring), 0);
    return result.res;
}

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) count++;
    (void)closedir(dir);
    return count;
}

static void a_read_gives_the_octets_at_its_offset(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 8);
    uint8_t data[5000];

    ring_read(ring, f->fd, data, sizeof(data), 1234, 77);
    assert_int_equal(result_of(ring, 77), sizeof(data));
    assert_memory_equal(data, f->content + 1234, sizeof(data));
    ring_close(ring);
}

static void a_read_over_the_end_gives_what_is_there(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 8);
    uint8_t data[5000];

    ring_read(ring, f->fd, data, sizeof(data), FILE_OCTETS - 10, 1);
    assert_int_equal(result_of(ring, 1), 10);
    assert_memory_equal(data, f->content + FILE_OCTETS - 10, 10);
    ring_read(ring, f->fd, data, sizeof(data), FILE_OCTETS, 2);
    assert_int_equal(result_of(ring, 2), 0);
    ring_read(ring, f->fd, data, 0, 0, 3);
    assert_int_equal(result_of(ring, 3), 0);
    ring_close(ring);
}

static void what_is_written_is_in_the_file(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 8);
    uint8_t data[7000];

    ring_write(ring, f->fd, "hello", 5, 500, 1);
    assert_int_equal(result_of(ring, 1), 5);
    ring_fsync(ring, f->fd, 2);
    assert_int_equal(result_of(ring, 2), 0);
    assert_int_equal(pread(f->fd, data, 7, 499), 7);
    assert_int_equal(data[0], f->content[499]);
    assert_memory_equal(data + 1, "hello", 5);
    assert_int_equal(data[6], f->content[505]);
    ring_close(ring);
}

static void short_transfers_are_continued_until_all_is_done(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 8);
    static uint8_t data[FILE_OCTETS];

    arm("ring.read:1=short;ring.read:2=short;ring.read:3=short;ring.write:1=short;"
        "ring.write:2=short");
    ring_read(ring, f->fd, data, FILE_OCTETS, 0, 5);
    assert_int_equal(result_of(ring, 5), FILE_OCTETS);
    assert_memory_equal(data, f->content, FILE_OCTETS);
    assert_int_equal(fault_testing_passages(FAULT_RING_READ), 4);
    for (size_t i = 0; i < FILE_OCTETS; i++) f->content[i] ^= 0x55;
    ring_write(ring, f->fd, f->content, FILE_OCTETS, 0, 6);
    assert_int_equal(result_of(ring, 6), FILE_OCTETS);
    assert_int_equal(fault_testing_passages(FAULT_RING_WRITE), 3);
    assert_int_equal(pread(f->fd, data, FILE_OCTETS, 0), FILE_OCTETS);
    assert_memory_equal(data, f->content, FILE_OCTETS);
    ring_close(ring);
}

static void interrupted_operations_are_repeated(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 8);
    int before = open_descriptors();
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
    uint8_t data[100];
    int32_t fd;

    arm("ring.read:1=EINTR;ring.read:2=EAGAIN;ring.open:1=EINTR;ring.open:2=EAGAIN");
    ring_read(ring, f->fd, data, sizeof(data), 0, 1);
    assert_int_equal(result_of(ring, 1), sizeof(data));
    assert_memory_equal(data, f->content, sizeof(data));
    ring_openat2(ring, f->dir_fd, "file", &how, 2);
    fd = result_of(ring, 2);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(open_descriptors(), before);
    ring_close(ring);
}

static void an_operation_that_fails_gives_its_errno(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 8);
    int read_only = openat(f->dir_fd, "file", O_RDONLY | O_CLOEXEC);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
    struct statx info;
    uint8_t data[10];

    ring_read(ring, 9999, data, sizeof(data), 0, 1);
    assert_int_equal(result_of(ring, 1), -EBADF);
    ring_read(ring, f->dir_fd, data, sizeof(data), 0, 1);
    assert_int_equal(result_of(ring, 1), -EISDIR);
    ring_write(ring, read_only, "x", 1, 0, 2);
    assert_int_equal(result_of(ring, 2), -EBADF);
    ring_write(ring, full, "x", 1, 0, 2);
    assert_int_equal(result_of(ring, 2), -ENOSPC);
    ring_fsync(ring, 9999, 3);
    assert_int_equal(result_of(ring, 3), -EBADF);
    ring_openat2(ring, f->dir_fd, "nothing", &how, 4);
    assert_int_equal(result_of(ring, 4), -ENOENT);
    ring_statx(ring, 9999, &info, 5);
    assert_int_equal(result_of(ring, 5), -EBADF);
    ring_close_fd(ring, 9999, 6);
    assert_int_equal(result_of(ring, 6), -EBADF);
    (void)close(read_only);
    (void)close(full);
    ring_close(ring);
}

static void an_open_stays_beneath_the_directory_and_follows_no_link(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 8);
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    struct statx info;
    int32_t fd;

    assert_int_equal(symlinkat("file", f->dir_fd, "link"), 0);
    ring_openat2(ring, f->dir_fd, "link", &how, 1);
    assert_int_equal(result_of(ring, 1), -ELOOP);
    ring_openat2(ring, f->dir_fd, "../x", &how, 2);
    assert_int_equal(result_of(ring, 2), -EXDEV);
    ring_openat2(ring, f->dir_fd, "/etc/passwd", &how, 3);
    assert_int_equal(result_of(ring, 3), -EXDEV);
    ring_openat2(ring, f->dir_fd, "file", &how, 4);
    fd = result_of(ring, 4);
    assert_true(fd >= 0);
    ring_statx(ring, fd, &info, 5);
    assert_int_equal(result_of(ring, 5), 0);
    assert_int_equal(info.stx_size, FILE_OCTETS);
    assert_true(S_ISREG(info.stx_mode));
    ring_close_fd(ring, fd, 6);
    assert_int_equal(result_of(ring, 6), 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    ring_close(ring);
}

static void injected_errors_take_the_place_of_results(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 8);
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
    int before = open_descriptors();
    struct statx info;
    uint8_t data[10];

    arm("ring.read:1=EIO;ring.write:1=ENOSPC;ring.sync:1=EIO;ring.open:1=EACCES;ring.stat:1=EIO");
    ring_read(ring, f->fd, data, sizeof(data), 0, 1);
    assert_int_equal(result_of(ring, 1), -EIO);
    ring_write(ring, f->fd, "x", 1, 0, 2);
    assert_int_equal(result_of(ring, 2), -ENOSPC);
    ring_fsync(ring, f->fd, 3);
    assert_int_equal(result_of(ring, 3), -EIO);
    ring_openat2(ring, f->dir_fd, "file", &how, 4);
    assert_int_equal(result_of(ring, 4), -EACCES);
    assert_int_equal(open_descriptors(), before);
    ring_statx(ring, f->fd, &info, 5);
    assert_int_equal(result_of(ring, 5), -EIO);
    ring_close(ring);
}

static void more_operations_than_places_each_come_back_once(void **state)
{
    enum { OPERATIONS = 3000, DEPTH = 7, EACH = 32 };
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, DEPTH);
    static uint8_t data[OPERATIONS][EACH];
    static uint8_t seen[OPERATIONS];
    size_t queued = 0, done = 0;

    memset(seen, 0, sizeof(seen));
    arm("ring.read:10=short;ring.read:100=EINTR;ring.read:500=EAGAIN;ring.submit:3=EINTR;"
        "ring.submit:9=EAGAIN");
    while (done < OPERATIONS) {
        struct ring_result results[3];
        size_t count;

        while (queued < OPERATIONS && ring_room(ring) > 0) {
            ring_read(ring, f->fd, data[queued], EACH, queued * EACH, queued);
            queued++;
        }
        assert_int_equal(ring_pending(ring), queued - done);
        assert_int_equal(ring_wait(ring, results, 3, &count, NULL), CA_OK);
        assert_true(count >= 1 && count <= 3);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(results[i].res, EACH);
            assert_int_equal(seen[results[i].tag]++, 0);
        }
        done += count;
    }
    assert_memory_equal(data, f->content, OPERATIONS * EACH);
    assert_int_equal(ring_room(ring), DEPTH);
    ring_close(ring);
}

static void waiting_with_nothing_pending_gives_nothing(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 1);
    struct ring_result result;
    size_t count = 9;

    assert_int_equal(ring_wait(ring, &result, 1, &count, NULL), CA_OK);
    assert_int_equal(count, 0);
    assert_int_equal(ring_submit(ring, NULL), CA_OK);
    ring_close(ring);
    ring_close(NULL);
}

static void a_ring_closes_with_operations_under_way_and_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    int before = open_descriptors();
    struct ring *ring = open_ring(f, 8);
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };
    uint8_t *data = malloc(FILE_OCTETS);

    assert_non_null(data);
    ring_read(ring, f->fd, data, FILE_OCTETS, 0, 1);
    ring_openat2(ring, f->dir_fd, "file", &how, 2);
    assert_int_equal(ring_submit(ring, NULL), CA_OK);
    ring_read(ring, f->fd, data, FILE_OCTETS, 0, 3);    /* queued only */
    ring_close(ring);
    free(data);
    assert_int_equal(open_descriptors(), before);
}

static void write_now_and_fsync_now_name_what_failed(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 2);
    struct ca_error err = { .text = "" };
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    uint8_t data[6];

    arm("ring.write:1=short");
    assert_int_equal(ring_write_now(ring, f->fd, ca_bytes_str("abcdef"), 42, "the thing", &err),
                     CA_OK);
    assert_int_equal(pread(f->fd, data, 6, 42), 6);
    assert_memory_equal(data, "abcdef", 6);
    assert_int_equal(ring_fsync_now(ring, f->fd, "the thing", &err), CA_OK);
    assert_int_equal(ring_write_now(ring, full, ca_bytes_str("x"), 0, "the thing", &err), CA_FULL);
    assert_non_null(strstr(err.text, "the thing"));
    assert_int_equal(ring_fsync_now(ring, 9999, "that file", &err), CA_IO);
    assert_non_null(strstr(err.text, "that file"));
    (void)close(full);
    ring_close(ring);
}

struct job {
    struct ring *ring;
    const struct fixture *f;
    int32_t res;
};

static void *read_in_thread(void *arg)
{
    struct job *job = arg;
    uint8_t data[100];

    ring_read(job->ring, job->f->fd, data, sizeof(data), 0, 1);
    job->res = result_of(job->ring, 1);
    return NULL;
}

static void a_ring_may_be_used_by_another_thread_than_its_opener(void **state)
{
    struct fixture *f = *state;
    struct job job = { .ring = open_ring(f, 4), .f = f };
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &job), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(job.res, 100);
    ring_close(job.ring);
}

/* What follows is about the choice, and runs once. */

static void a_plain_ring_is_had_for_the_asking(void **state)
{
    struct ring *ring = NULL;

    (void)state;
    assert_int_equal(ring_open(RING_PLAIN, 1, &ring, NULL), CA_OK);
    assert_string_equal(ring_name(ring), "plain");
    assert_string_not_equal(ring_why_plain(ring), "");
    ring_close(ring);
}

static bool kernel_has_io_uring(void)
{
    struct ring *ring = NULL;
    bool has;

    assert_int_equal(ring_open(RING_AUTO, 4, &ring, NULL), CA_OK);
    has = strcmp(ring_name(ring), "io_uring") == 0;
    if (has) assert_string_equal(ring_why_plain(ring), "");
    ring_close(ring);
    return has;
}

static void io_uring_is_used_where_the_kernel_allows_it(void **state)
{
    (void)state;
    if (!kernel_has_io_uring()) skip();
}

static void a_refused_setup_falls_back_to_plain_and_says_why(void **state)
{
    static const char *const names[] = { "ENOSYS", "EPERM",  "EACCES",
                                         "ENOMEM", "EINVAL", "EMFILE" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char plan[64];
        struct ring *ring;
        uint8_t data[10];

        (void)snprintf(plan, sizeof(plan), "ring.setup:1=%s", names[i]);
        arm(plan);
        ring = open_ring(f, 4);
        assert_string_equal(ring_name(ring), "plain");
        assert_non_null(strstr(ring_why_plain(ring), names[i]));
        ring_read(ring, f->fd, data, sizeof(data), 0, 1);
        assert_int_equal(result_of(ring, 1), sizeof(data));
        ring_close(ring);
    }
}

static void a_refused_submission_is_repeated(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 4);
    uint8_t data[10];

    arm("ring.submit:1=EINTR;ring.submit:2=EAGAIN;ring.submit:3=EBUSY");
    ring_read(ring, f->fd, data, sizeof(data), 0, 1);
    assert_int_equal(result_of(ring, 1), sizeof(data));
    if (kernel_has_io_uring()) assert_true(fault_testing_passages(FAULT_RING_SUBMIT) >= 4);
    ring_close(ring);
}

static void a_broken_ring_says_so_for_ever(void **state)
{
    struct fixture *f = *state;
    struct ring *ring = open_ring(f, 4);
    struct ring_result result;
    struct ca_error err = { .text = "" };
    size_t count;
    uint8_t data[10];

    if (strcmp(ring_name(ring), "plain") == 0) {
        ring_close(ring);
        skip();
    }
    arm("ring.submit:1=EIO");
    ring_read(ring, f->fd, data, sizeof(data), 0, 1);
    assert_int_equal(ring_wait(ring, &result, 1, &count, &err), CA_IO);
    assert_string_equal(err.source, "errno");
    assert_int_equal(err.code, EIO);
    assert_int_equal(count, 0);
    assert_int_equal(ring_wait(ring, &result, 1, &count, &err), CA_IO);
    assert_int_equal(ring_submit(ring, &err), CA_IO);
    ring_close(ring);
}

/* As a container does it: a filter answers for the kernel. */
static int refuse_calls(void)
{
#define ANSWER(call, errnum)                                                                       \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1),                                             \
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (errnum))
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ANSWER(SYS_io_uring_setup, EPERM),
        ANSWER(SYS_openat2, ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
#undef ANSWER
    struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* 0 when all is well; runs in a child, whose filter cannot be taken off again. */
static int use_ring_in_container(const struct fixture *f)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    static const struct {
        const char *path;
        int32_t res;
    } opens[] = { { "link", -ELOOP }, { "..", -ENOSYS }, { "a/b", -ENOSYS },
                  { "nothing", -ENOENT } };
    struct ring *ring;
    struct ring_result result;
    size_t count;

    if (refuse_calls() == -1) return 1;
    if (ring_open(RING_AUTO, 4, &ring, NULL) != CA_OK) return 2;
    if (strcmp(ring_why_plain(ring), "io_uring_setup: EPERM") != 0) return 3;
    for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
        ring_openat2(ring, f->dir_fd, opens[i].path, &how, i);
        if (ring_wait(ring, &result, 1, &count, NULL) != CA_OK) return 4;
        if (result.res != opens[i].res) return 10 + (int)i;
    }
    ring_openat2(ring, f->dir_fd, "file", &how, 0);
    if (ring_wait(ring, &result, 1, &count, NULL) != CA_OK || result.res < 0) return 5;
    ring_close(ring);
    return 0;
}

static void a_container_that_refuses_io_uring_and_openat2_is_served_all_the_same(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t child;

    assert_int_equal(symlinkat("file", f->dir_fd, "link"), 0);
    child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) _exit(use_ring_in_container(f));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define ON_BOTH(test)                                                                              \
    { #test " (io_uring)", test, set_up_auto, tear_down, NULL },                                   \
    { #test " (plain)", test, set_up_plain, tear_down, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_read_gives_the_octets_at_its_offset),
        ON_BOTH(a_read_over_the_end_gives_what_is_there),
        ON_BOTH(what_is_written_is_in_the_file),
        ON_BOTH(short_transfers_are_continued_until_all_is_done),
        ON_BOTH(interrupted_operations_are_repeated),
        ON_BOTH(an_operation_that_fails_gives_its_errno),
        ON_BOTH(an_open_stays_beneath_the_directory_and_follows_no_link),
        ON_BOTH(injected_errors_take_the_place_of_results),
        ON_BOTH(more_operations_than_places_each_come_back_once),
        ON_BOTH(waiting_with_nothing_pending_gives_nothing),
        ON_BOTH(a_ring_closes_with_operations_under_way_and_leaves_nothing_behind),
        ON_BOTH(write_now_and_fsync_now_name_what_failed),
        ON_BOTH(a_ring_may_be_used_by_another_thread_than_its_opener),
        cmocka_unit_test_setup_teardown(a_plain_ring_is_had_for_the_asking, set_up_auto, tear_down),
        cmocka_unit_test_setup_teardown(io_uring_is_used_where_the_kernel_allows_it, set_up_auto,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_refused_setup_falls_back_to_plain_and_says_why,
                                        set_up_auto, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_submission_is_repeated, set_up_auto, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_ring_says_so_for_ever, set_up_auto, tear_down),
        cmocka_unit_test_setup_teardown(
            a_container_that_refuses_io_uring_and_openat2_is_served_all_the_same, set_up_auto,
            tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
