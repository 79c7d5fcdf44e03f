#include "io/fault_testing.h"
#include "io/file.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    char old_dir[256];
};

static void arm(const char *fault)
{
    assert_int_equal(fault_testing_setup(fault, NULL, NULL), CA_OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) return -1;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-file-XXXXXX");
    if (mkdtemp(f->dir) == NULL || getcwd(f->old_dir, sizeof(f->old_dir)) == NULL) return -1;
    *state = f;
    return chdir(f->dir);
}

static int tear_down(void **state)
{
    static const char *const names[] = { "a", "a.tmp", "b", "link", "fifo", "dir/a", "dir/a.tmp" };
    struct fixture *f = *state;

    arm(NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) (void)unlink(names[i]);
    (void)rmdir("dir");
    if (chdir(f->old_dir) == -1) return -1;
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

static void put(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
}

/* Judged without the code under test. */
static void assert_content(const char *path, const char *text)
{
    char data[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len;

    assert_int_not_equal(fd, -1);
    len = read(fd, data, sizeof(data) - 1);
    (void)close(fd);
    assert_true(len >= 0);
    data[len] = '\0';
    assert_string_equal(data, text);
}

static void assert_missing(const char *path)
{
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(errno, ENOENT);
}

/* What file_read appends behind "x", or the name of its error. */
static void check_read(const char *path, size_t max, enum file_privacy privacy,
                       enum ca_status status, const char *expected)
{
    struct ca_error err = { .text = "" };
    struct ca_buf out;

    ca_buf_init(&out, 1 << 20);
    ca_buf_append_str(&out, "x");
    assert_int_equal(file_read(path, max, privacy, &out, &err), status);
    if (status != CA_OK) {
        assert_string_equal(ca_error_name(&err), expected);
        assert_non_null(strstr(err.text, path));
        assert_int_equal(out.len, 1);
    } else {
        ca_buf_append(&out, "", 1);
        assert_string_equal((char *)out.data + 1, expected);
    }
    ca_buf_clear(&out);
}

static void a_file_is_read_whole_up_to_its_limit(void **state)
{
    (void)state;
    put("a", "hello", 0644);
    check_read("a", 100, FILE_PUBLIC, CA_OK, "hello");
    check_read("a", 5, FILE_PUBLIC, CA_OK, "hello");
    check_read("a", 4, FILE_PUBLIC, CA_REFUSED, "file-size");
    check_read("a", 0, FILE_PUBLIC, CA_REFUSED, "file-size");
    put("a", "", 0644);
    check_read("a", 0, FILE_PUBLIC, CA_OK, "");
}

static void a_large_file_is_read_in_several_steps(void **state)
{
    struct ca_buf out;

    (void)state;
    put("a", "start", 0644);
    assert_int_equal(truncate("a", 300000), 0);
    ca_buf_init(&out, 1 << 20);
    assert_int_equal(file_read("a", 300000, FILE_PUBLIC, &out, NULL), CA_OK);
    assert_int_equal(out.len, 300000);
    assert_memory_equal(out.data, "start\0", 6);
    ca_buf_clear(&out);
    ca_buf_init(&out, 1000);        /* the buffer's own bound */
    assert_int_equal(file_read("a", 300000, FILE_PUBLIC, &out, NULL), CA_FULL);
    ca_buf_clear(&out);
}

static void only_regular_files_are_read(void **state)
{
    (void)state;
    assert_int_equal(mkdir("dir", 0700), 0);
    assert_int_equal(mkfifo("fifo", 0600), 0);
    put("a", "hello", 0600);
    assert_int_equal(symlink("a", "link"), 0);
    check_read("dir", 10, FILE_PUBLIC, CA_REFUSED, "file-type");
    check_read("fifo", 10, FILE_PUBLIC, CA_REFUSED, "file-type");
    check_read("/dev/null", 10, FILE_PUBLIC, CA_REFUSED, "file-type");
    check_read("link", 10, FILE_PUBLIC, CA_OK, "hello");
    check_read("missing", 10, FILE_PUBLIC, CA_IO, "io");
}

static void a_private_file_is_the_owners_alone(void **state)
{
    static const mode_t loose[] = { 0640, 0604, 0660, 0602, 0610, 0601, 0666 };

    (void)state;
    put("a", "key", 0600);
    check_read("a", 10, FILE_PRIVATE, CA_OK, "key");
    put("a", "key", 0400);
    check_read("a", 10, FILE_PRIVATE, CA_OK, "key");
    for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++) {
        assert_int_equal(chmod("a", loose[i]), 0);
        check_read("a", 10, FILE_PRIVATE, CA_REFUSED, "file-mode");
    }
    assert_int_equal(chmod("a", 0600), 0);
    assert_int_equal(symlink("a", "link"), 0);
    check_read("link", 10, FILE_PRIVATE, CA_REFUSED, "file-type");
    check_read("-", 10, FILE_PRIVATE, CA_IO, "io");     /* no file of that name is here */
}

static void a_private_file_of_another_owner_is_refused(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        put("a", "key", 0600);
        assert_int_equal(chown("a", 12345, (gid_t)-1), 0);
        check_read("a", 10, FILE_PRIVATE, CA_REFUSED, "file-mode");
    } else {
        check_read("/etc/passwd", 1 << 19, FILE_PRIVATE, CA_REFUSED, "file-mode");
    }
}

static void standard_input_and_descriptors_are_read_to_their_end(void **state)
{
    int old_stdin = dup(STDIN_FILENO);
    struct ca_buf out;
    struct ca_error err;
    int fds[2];

    (void)state;
    for (size_t max = 4; max <= 6; max++) {
        assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
        assert_int_equal(write(fds[1], "hello", 5), 5);
        (void)close(fds[1]);
        assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
        (void)close(fds[0]);
        ca_buf_init(&out, 100);
        assert_int_equal(file_read("-", max, FILE_PUBLIC, &out, &err),
                         max < 5 ? CA_REFUSED : CA_OK);
        if (max >= 5) assert_true(ca_bytes_equal(ca_buf_view(&out), ca_bytes_str("hello")));
        ca_buf_clear(&out);
    }
    assert_int_equal(dup2(old_stdin, STDIN_FILENO), STDIN_FILENO);
    (void)close(old_stdin);
    ca_buf_init(&out, 100);
    assert_int_equal(file_read_fd(9999, 10, "the passphrase", &out, &err), CA_IO);
    assert_non_null(strstr(err.text, "cannot read the passphrase"));
    ca_buf_clear(&out);
}

static mode_t mode_of(const char *path)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 07777;
}

static void a_written_file_has_exactly_its_mode_and_content(void **state)
{
    mode_t old_umask = umask(0);

    (void)state;
    assert_int_equal(file_write("a", 0600, ca_bytes_str("one"), NULL), CA_OK);
    assert_content("a", "one");
    assert_int_equal(mode_of("a"), 0600);
    (void)umask(0777);
    assert_int_equal(file_write("a", 0644, ca_bytes_str("two"), NULL), CA_OK);
    (void)umask(old_umask);
    assert_content("a", "two");
    assert_int_equal(mode_of("a"), 0644);
    assert_missing("a.tmp");
    arm("file.write:1=short");
    assert_int_equal(file_write("a", 0600, ca_bytes_str("three"), NULL), CA_OK);
    assert_content("a", "three");
    assert_int_equal(file_write("a", 0600, ca_bytes_of(NULL, 0), NULL), CA_OK);
    assert_content("a", "");
}

static void what_a_crash_left_is_no_obstacle_and_no_trap(void **state)
{
    (void)state;
    put("b", "untouched", 0600);
    put("a.tmp", "half", 0666);
    assert_int_equal(file_write("a", 0600, ca_bytes_str("one"), NULL), CA_OK);
    assert_content("a", "one");
    assert_int_equal(mode_of("a"), 0600);
    assert_int_equal(symlink("b", "a.tmp"), 0);
    assert_int_equal(file_write("a", 0600, ca_bytes_str("two"), NULL), CA_OK);
    assert_content("a", "two");
    assert_content("b", "untouched");
}

static void a_failed_write_leaves_the_old_file_and_no_other(void **state)
{
    static const struct {
        const char *plan;
        enum ca_status status;
    } cases[] = { { "file.write:1=ENOSPC", CA_FULL }, { "file.write:1=EIO", CA_IO },
                  { "file.rename:1=EIO", CA_IO } };

    (void)state;
    assert_int_equal(mkdir("dir", 0700), 0);
    put("dir/a", "old", 0600);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_error err = { .text = "" };

        arm(cases[i].plan);
        assert_int_equal(file_write("dir/a", 0600, ca_bytes_str("new"), &err), cases[i].status);
        assert_non_null(strstr(err.text, "dir/a"));
        assert_content("dir/a", "old");
        assert_missing("dir/a.tmp");
    }
    arm(NULL);
    assert_int_equal(file_write("no/a", 0600, ca_bytes_str("new"), NULL), CA_IO);
    assert_int_equal(mkdir("a.tmp", 0700), 0);      /* cannot be replaced */
    assert_int_equal(file_write("a", 0600, ca_bytes_str("new"), NULL), CA_IO);
    assert_int_equal(rmdir("a.tmp"), 0);
    assert_missing("a");
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    char path[PATH_MAX + 10];

    (void)state;
    memset(path, 'a', sizeof(path));
    path[PATH_MAX - 2] = '\0';
    assert_int_equal(file_write(path, 0600, ca_bytes_str("new"), NULL), CA_IO);
}

static void an_erased_file_is_overwritten_before_it_goes(void **state)
{
    char data[16] = "";

    (void)state;
    put("a", "secret", 0600);
    assert_int_equal(link("a", "b"), 0);        /* shows what became of the octets */
    assert_int_equal(file_erase("a", NULL), CA_OK);
    assert_missing("a");
    {
        int fd = open("b", O_RDONLY | O_CLOEXEC);

        assert_int_equal(read(fd, data, sizeof(data)), 6);
        (void)close(fd);
    }
    assert_memory_equal(data, "\0\0\0\0\0\0", 6);
    assert_int_equal(file_erase("a", NULL), CA_OK);     /* not there: nothing to do */
}

static void only_a_regular_file_is_erased(void **state)
{
    struct ca_error err = { .text = "" };

    (void)state;
    put("a", "secret", 0600);
    assert_int_equal(symlink("a", "link"), 0);
    assert_int_equal(file_erase("link", &err), CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "file-type");
    assert_content("a", "secret");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(file_erase("fifo", &err), CA_REFUSED);
    arm("file.write:1=EIO");
    assert_int_equal(file_erase("a", &err), CA_IO);
    assert_content("a", "secret");
}

static void a_directory_is_synced_or_the_error_names_it(void **state)
{
    struct ca_error err = { .text = "" };

    (void)state;
    assert_int_equal(file_sync_dir(".", &err), CA_OK);
    assert_int_equal(file_sync_dir("missing", &err), CA_IO);
    assert_non_null(strstr(err.text, "missing"));
    put("a", "", 0600);
    assert_int_equal(file_sync_dir("a", &err), CA_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_read_whole_up_to_its_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_file_is_read_in_several_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_regular_files_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_private_file_is_the_owners_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_private_file_of_another_owner_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(standard_input_and_descriptors_are_read_to_their_end,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_written_file_has_exactly_its_mode_and_content, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_a_crash_left_is_no_obstacle_and_no_trap, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_file_and_no_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_path_that_is_too_long_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_erased_file_is_overwritten_before_it_goes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(only_a_regular_file_is_erased, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_is_synced_or_the_error_names_it, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
