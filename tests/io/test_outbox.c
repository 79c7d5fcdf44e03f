#include "io/fault_testing.h"
#include "io/outbox.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUMMARY "{\"state\":\"completed\"}\n"
#define CERTS "certificate 1\ncertificate 2\n"
#define RESULTS "{\"ordinal\":0}\n"

struct fixture {
    enum ring_want want;
    char base[64];
    char dir[80];               /* the output directory; not made yet */
    struct ring *ring;
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
    (void)snprintf(f->base, sizeof(f->base), "/tmp/test-outbox-XXXXXX");
    if (mkdtemp(f->base) == NULL) return -1;
    (void)snprintf(f->dir, sizeof(f->dir), "%s/out", f->base);
    arm(NULL);
    *state = f;
    return ring_open(want, 8, &f->ring, NULL) == CA_OK ? 0 : -1;
}

static int set_up_auto(void **state)
{
    return set_up(state, RING_AUTO);
}

static int set_up_plain(void **state)
{
    return set_up(state, RING_PLAIN);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arm(NULL);
    ring_close(f->ring);
    (void)nftw(f->base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void path_in(const struct fixture *f, const char *name, char path[512])
{
    (void)snprintf(path, 512, "%s/%s", f->dir, name);
}

static bool is_there(const struct fixture *f, const char *name)
{
    char path[512];
    struct stat info;

    path_in(f, name, path);
    return lstat(path, &info) == 0;
}

/* The content of a small file, or NULL. */
static const char *content(const struct fixture *f, const char *name)
{
    static char data[4096];
    char path[512];
    ssize_t len;
    int fd;

    path_in(f, name, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) return NULL;
    len = read(fd, data, sizeof(data) - 1);
    (void)close(fd);
    assert_true(len >= 0);
    data[len] = '\0';
    return data;
}

static void assert_content(const struct fixture *f, const char *name, const char *expected)
{
    const char *text = content(f, name);

    if (text == NULL) fail_msg("%s is not there", name);
    assert_string_equal(text, expected);
}

static void put(const struct fixture *f, const char *name, const char *text)
{
    char path[512];
    FILE *file;

    (void)mkdir(f->dir, 0700);
    path_in(f, name, path);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct outbox_spec new_job(const struct fixture *f)
{
    return (struct outbox_spec){ .dir = f->dir, .job = "job-1" };
}

static struct outbox_spec old_job(const struct fixture *f, uint64_t certs, uint64_t results,
                                  bool finishing)
{
    return (struct outbox_spec){ .dir = f->dir, .job = "job-1", .resume = true,
                                 .finishing = finishing,
                                 .lengths = { { certs, results, 0 } } };
}

static struct outbox *open_box(const struct fixture *f, const struct outbox_spec *spec)
{
    struct outbox *outbox = NULL;
    struct ca_error err = { .text = "" };

    if (outbox_open(f->ring, spec, &outbox, &err) != CA_OK) fail_msg("%s", err.text);
    return outbox;
}

static void append(struct outbox *outbox, enum outbox_file file, const char *text)
{
    assert_int_equal(outbox_append(outbox, file, ca_bytes_str(text), NULL), CA_OK);
}

static void assert_refused(const struct fixture *f, const struct outbox_spec *spec, const char *why)
{
    struct outbox *outbox = NULL;
    struct ca_error err = { .text = "" };

    assert_int_equal(outbox_open(f->ring, spec, &outbox, &err), CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "output-directory");
    if (strstr(err.text, why) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, why);
    assert_null(outbox);
}

static void assert_finished(const struct fixture *f)
{
    assert_content(f, "certs.pem", CERTS);
    assert_content(f, "results.ndjson", RESULTS);
    assert_content(f, "rejected.ndjson", "");
    assert_content(f, "summary.json", SUMMARY);
    assert_false(is_there(f, ".certmill-job-1.certs.pem.part"));
    assert_false(is_there(f, ".certmill-job-1.results.ndjson.part"));
    assert_false(is_there(f, ".certmill-job-1.rejected.ndjson.part"));
    assert_false(is_there(f, ".certmill-job-1.summary.json.part"));
    assert_false(is_there(f, ".certmill-job-1..files.part"));
}

static void a_finished_job_leaves_whole_files_and_no_other(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox *outbox = open_box(f, &spec);
    struct outbox_lengths lengths;
    struct stat info;
    char path[512];

    append(outbox, OUTBOX_CERTS, "certificate 1\n");
    append(outbox, OUTBOX_RESULTS, RESULTS);
    assert_int_equal(outbox_sync(outbox, &lengths, NULL), CA_OK);
    assert_int_equal(lengths.octets[OUTBOX_CERTS], 14);
    assert_int_equal(lengths.octets[OUTBOX_RESULTS], strlen(RESULTS));
    assert_int_equal(lengths.octets[OUTBOX_REJECTED], 0);
    assert_content(f, ".certmill-job-1.certs.pem.part", "certificate 1\n");
    assert_false(is_there(f, "certs.pem"));
    append(outbox, OUTBOX_CERTS, "certificate 2\n");
    assert_true(outbox_sync_count(outbox) >= 3);
    assert_int_equal(outbox_finish(outbox, ca_bytes_str(SUMMARY), NULL), CA_OK);
    outbox_close(outbox);
    assert_finished(f);
    path_in(f, "certs.pem", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07133, 0);      /* 0644 at most */
}

static void outputs_larger_than_the_buffers_are_written_in_order(void **state)
{
    enum { LINES = 400000 };
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox *outbox = open_box(f, &spec);
    struct ca_buf big;
    char path[512], line[64];
    FILE *file;

    arm("ring.write:1=short;ring.write:3=EINTR;ring.write:4=short");
    ca_buf_init(&big, (size_t)1 << 24);
    for (int i = 0; i < LINES; i++) {
        ca_buf_printf(&big, "line %d\n", i);
        if (i % 1000 != 999 && i != LINES - 1) continue;
        assert_int_equal(outbox_append(outbox, OUTBOX_CERTS, ca_buf_view(&big), NULL), CA_OK);
        append(outbox, OUTBOX_REJECTED, "r\n");
        ca_buf_reset(&big);
    }
    memset(ca_buf_extend(&big, 5000000), 'x', 5000000);     /* larger than both buffers */
    assert_int_equal(outbox_append(outbox, OUTBOX_RESULTS, ca_buf_view(&big), NULL), CA_OK);
    ca_buf_clear(&big);
    assert_int_equal(outbox_finish(outbox, ca_bytes_str(SUMMARY), NULL), CA_OK);
    outbox_close(outbox);
    path_in(f, "certs.pem", path);
    file = fopen(path, "re");
    assert_non_null(file);
    for (int i = 0; i < LINES; i++) {
        char expected[64];

        (void)snprintf(expected, sizeof(expected), "line %d\n", i);
        assert_non_null(fgets(line, sizeof(line), file));
        if (strcmp(line, expected) != 0) fail_msg("line %d", i);
    }
    assert_null(fgets(line, sizeof(line), file));
    (void)fclose(file);
    {
        struct stat info;

        path_in(f, "results.ndjson", path);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, 5000000);
        path_in(f, "rejected.ndjson", path);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, 800);
    }
}

static void an_empty_directory_is_taken_and_a_missing_one_is_made(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    char deep[200];

    assert_int_equal(mkdir(f->dir, 0700), 0);
    outbox_close(open_box(f, &spec));
    (void)snprintf(deep, sizeof(deep), "%s/one/two", f->base);
    spec.dir = deep;
    assert_int_equal(outbox_open(f->ring, &spec, &(struct outbox *){ NULL }, NULL), CA_IO);
    (void)snprintf(deep, sizeof(deep), "%s/one", f->base);
    outbox_close(open_box(f, &spec));
    outbox_close(NULL);
}

static void foreign_files_are_refused_and_stay(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox_spec resumed = old_job(f, 0, 0, false);

    put(f, "notes.txt", "mine");
    put(f, "zebra", "mine");
    assert_refused(f, &spec, "holds notes.txt, which is not this job's");
    assert_refused(f, &resumed, "holds notes.txt");
    assert_content(f, "notes.txt", "mine");
}

static void what_is_no_directory_is_refused(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    int fd = open(f->dir, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)close(fd);
    assert_refused(f, &spec, "is no directory");
}

static void the_directory_of_an_unfinished_job_is_its_own(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox_spec other = spec;
    struct outbox_spec longer = spec;

    other.job = "job-2";
    other.resume = true;
    longer.job = "job-1.certs.pem";         /* a name that only begins like ours */
    longer.resume = true;
    outbox_close(open_box(f, &spec));
    assert_refused(f, &spec, "belongs to a job that is not resumed");
    assert_refused(f, &other, "belongs to a job that is not resumed");
    assert_refused(f, &longer, "belongs to a job that is not resumed");
}

static void a_job_that_comes_to_nothing_leaves_its_directory_to_the_next(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);

    outbox_discard(open_box(f, &spec));
    outbox_discard(NULL);
    spec.job = "job-2";
    outbox_close(open_box(f, &spec));
}

static void a_job_name_that_leaves_no_room_is_refused(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    char job[300];

    memset(job, 'j', sizeof(job));
    job[240] = '\0';
    spec.job = job;
    assert_refused(f, &spec, "too long");
}

static void a_resumed_job_cuts_its_files_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox *outbox = open_box(f, &spec);
    struct outbox_lengths lengths;

    append(outbox, OUTBOX_CERTS, "certificate 1\nto be cut");
    append(outbox, OUTBOX_RESULTS, "to be cut");
    assert_int_equal(outbox_sync(outbox, &lengths, NULL), CA_OK);
    outbox_close(outbox);
    spec = old_job(f, 14, 0, false);
    outbox = open_box(f, &spec);
    append(outbox, OUTBOX_CERTS, "certificate 2\n");
    append(outbox, OUTBOX_RESULTS, RESULTS);
    assert_int_equal(outbox_sync(outbox, &lengths, NULL), CA_OK);
    assert_int_equal(lengths.octets[OUTBOX_CERTS], strlen(CERTS));
    assert_int_equal(outbox_finish(outbox, ca_bytes_str(SUMMARY), NULL), CA_OK);
    outbox_close(outbox);
    assert_finished(f);
}

static void parts_that_are_too_short_are_noticed_before_anything_is_cut(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = old_job(f, 5, 100, false);
    struct outbox *outbox = NULL;
    struct ca_error err = { .text = "" };

    put(f, ".certmill-job-1.certs.pem.part", "0123456789");
    put(f, ".certmill-job-1.results.ndjson.part", "short");
    assert_int_equal(outbox_open(f->ring, &spec, &outbox, &err), CA_CORRUPT);
    assert_string_equal(ca_error_name(&err), "output-changed");
    assert_non_null(strstr(err.text, "results.ndjson"));
    assert_content(f, ".certmill-job-1.certs.pem.part", "0123456789");
    spec = old_job(f, 0, 0, false);         /* anew */
    outbox = open_box(f, &spec);
    assert_content(f, ".certmill-job-1.certs.pem.part", "");
    outbox_close(outbox);
    (void)nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    spec = old_job(f, 5, 0, false);         /* and where the directory is gone altogether */
    assert_int_equal(outbox_open(f->ring, &spec, &outbox, &err), CA_CORRUPT);
}

static void a_part_that_became_a_link_or_a_fifo_is_not_opened(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = old_job(f, 0, 0, false);
    struct outbox *outbox = NULL;
    char path[512], victim[512];
    struct stat info;

    put(f, "../victim", "precious");
    path_in(f, "../victim", victim);
    path_in(f, ".certmill-job-1.certs.pem.part", path);
    assert_int_equal(symlink(victim, path), 0);
    assert_int_equal(outbox_open(f->ring, &spec, &outbox, NULL), CA_IO);
    assert_int_equal(stat(victim, &info), 0);
    assert_int_equal(info.st_size, strlen("precious"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_not_equal(outbox_open(f->ring, &spec, &outbox, NULL), CA_OK);
}

/* Writes the whole job; false at the first failure. */
static bool run_job(struct outbox *outbox, bool per_file, struct ca_error *err)
{
    return outbox_append(outbox, OUTBOX_CERTS, ca_bytes_str(CERTS), err) == CA_OK
           && (!per_file
               || outbox_put_file(outbox, "01.pem", ca_bytes_str("certificate 1\n"), err) == CA_OK)
           && (!per_file
               || outbox_put_file(outbox, "02.pem", ca_bytes_str("certificate 2\n"), err) == CA_OK)
           && outbox_append(outbox, OUTBOX_RESULTS, ca_bytes_str(RESULTS), err) == CA_OK
           && outbox_finish(outbox, ca_bytes_str(SUMMARY), err) == CA_OK;
}

/* Under a final name there is a whole file or none, and the summary only beside all others. */
static void assert_only_whole_files(const struct fixture *f)
{
    static const char *const names[] = { "certs.pem", "results.ndjson", "rejected.ndjson", "01.pem",
                                         "02.pem" };
    static const char *const whole[] = { CERTS, RESULTS, "", "certificate 1\n", "certificate 2\n" };

    for (int i = 0; i < 5; i++) {
        if (is_there(f, names[i])) assert_content(f, names[i], whole[i]);
    }
    if (!is_there(f, "summary.json")) return;
    assert_content(f, "summary.json", SUMMARY);
    for (int i = 0; i < 3; i++) assert_true(is_there(f, names[i]));
}

static void finish_again(const struct fixture *f, bool per_file)
{
    struct outbox_spec spec = old_job(f, 0, 0, true);
    struct outbox *outbox = open_box(f, &spec);
    struct ca_error err = { .text = "" };

    assert_false(is_there(f, "certs.pem"));
    assert_false(is_there(f, "summary.json"));
    if (!run_job(outbox, per_file, &err)) fail_msg("%s", err.text);
    outbox_close(outbox);
    assert_finished(f);
    if (!per_file) return;
    assert_content(f, "01.pem", "certificate 1\n");
    assert_content(f, "02.pem", "certificate 2\n");
}

/* Counts up the passage of each point that fails, until a run has none of that number. */
static void a_failure_at_any_point_is_final_and_leaves_only_whole_files(void **state)
{
    static const char *const points[] = { "outbox.write", "outbox.sync", "outbox.rename",
                                          "outbox.dirsync", "ring.write", "ring.sync" };
    static const char *const errors[] = { "ENOSPC", "EIO" };
    struct fixture *f = *state;

    for (size_t round = 0; round < 12; round++) {
        bool failed = true;

        for (int n = 1; failed; n++) {
            struct outbox_spec spec = new_job(f);
            struct outbox *outbox = open_box(f, &spec);
            struct ca_error err = { .text = "" }, again = { .text = "" };
            enum ca_status expected = round % 2 == 0 ? CA_FULL : CA_IO;
            char plan[64];

            (void)snprintf(plan, sizeof(plan), "%s:%d=%s", points[round / 2], n, errors[round % 2]);
            arm(plan);
            failed = !run_job(outbox, true, &err);
            assert_only_whole_files(f);
            if (failed) {
                assert_int_equal(err.status, expected);
                assert_int_equal(outbox_sync(outbox, NULL, &again), expected);
                assert_string_equal(again.text, err.text);
                assert_int_equal(outbox_append(outbox, OUTBOX_CERTS, ca_bytes_str("x"), NULL),
                                 expected);
                assert_int_equal(outbox_put_file(outbox, "x", ca_bytes_str("x"), NULL), expected);
                assert_int_equal(outbox_finish(outbox, ca_bytes_str("x"), NULL), expected);
                assert_only_whole_files(f);
            }
            outbox_close(outbox);
            assert_true(failed || n > 1);       /* the first passage exists */
            arm(NULL);
            finish_again(f, true);
            (void)nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        }
    }
}

/* The same with SIGKILL, which leaves no time to tidy up. */
static void a_kill_at_any_point_leaves_only_whole_files_and_the_job_can_be_finished(void **state)
{
    static const char *const points[] = { "outbox.write", "outbox.sync", "outbox.rename",
                                          "outbox.dirsync", "ring.write", "ring.sync" };
    struct fixture *f = *state;

    for (size_t i = 0; i < 6; i++) {
        bool killed = true;

        for (int n = 1; killed; n++) {
            char plan[64];
            int status;
            pid_t child;

            (void)snprintf(plan, sizeof(plan), "%s:%d", points[i], n);
            child = fork();
            assert_int_not_equal(child, -1);
            if (child == 0) {
                struct outbox_spec spec = new_job(f);
                struct outbox *outbox = NULL;
                struct ring *ring = NULL;       /* a ring does not cross a fork */

                if (ring_open(f->want, 8, &ring, NULL) != CA_OK) _exit(1);
                if (outbox_open(ring, &spec, &outbox, NULL) != CA_OK) _exit(2);
                if (fault_testing_setup(NULL, plan, NULL) != CA_OK) _exit(3);
                _exit(run_job(outbox, true, NULL) ? 0 : 4);
            }
            assert_int_equal(waitpid(child, &status, 0), child);
            killed = WIFSIGNALED(status);
            assert_true(killed || n > 1);       /* the first passage exists */
            if (!killed) assert_int_equal(WEXITSTATUS(status), 0);
            assert_only_whole_files(f);
            finish_again(f, true);
            (void)nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        }
    }
}

static void a_final_name_that_somebody_took_meanwhile_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox *outbox = open_box(f, &spec);
    struct ca_error err = { .text = "" };

    put(f, "results.ndjson", "mine");
    assert_false(run_job(outbox, false, &err));
    assert_int_equal(err.status, CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "output-directory");
    assert_content(f, "results.ndjson", "mine");
    outbox_close(outbox);
    spec = old_job(f, 0, 0, true);
    assert_refused(f, &spec, "results.ndjson");     /* a part and a final name at once */
    assert_content(f, "results.ndjson", "mine");
}

static void files_of_their_own_get_their_names_when_they_are_synced(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox *outbox = open_box(f, &spec);

    assert_int_equal(outbox_put_file(outbox, "aa.pem", ca_bytes_str("one"), NULL), CA_OK);
    assert_false(is_there(f, "aa.pem"));
    assert_int_equal(outbox_sync(outbox, NULL, NULL), CA_OK);
    assert_content(f, "aa.pem", "one");
    assert_false(is_there(f, ".certmill-job-1.aa.pem.part"));
    for (int i = 0; i < 200; i++) {         /* more than wait for one sync */
        char name[32];

        (void)snprintf(name, sizeof(name), "%03d.pem", i);
        assert_int_equal(outbox_put_file(outbox, name, ca_bytes_str(name), NULL), CA_OK);
    }
    assert_int_equal(outbox_put_file(outbox, "aa.pem", ca_bytes_str("two"), NULL), CA_OK);
    assert_int_equal(outbox_put_file(outbox, "aa.pem", ca_bytes_str("twice"), NULL), CA_OK);
    outbox_close(outbox);
    assert_content(f, "aa.pem", "two");
    spec = old_job(f, 0, 0, false);
    outbox = open_box(f, &spec);
    assert_false(is_there(f, ".certmill-job-1.aa.pem.part"));
    assert_int_equal(outbox_put_file(outbox, "aa.pem", ca_bytes_str("three"), NULL), CA_OK);
    assert_int_equal(outbox_finish(outbox, ca_bytes_str(SUMMARY), NULL), CA_OK);
    outbox_close(outbox);
    assert_content(f, "aa.pem", "three");
    assert_content(f, "000.pem", "000.pem");
    assert_false(is_there(f, ".certmill-job-1..files.part"));
}

static void names_that_are_no_plain_file_names_are_refused_and_do_no_harm(void **state)
{
    static const char *const bad[] = { "", ".", "..", ".hidden", "a/b", "/a", "../a", "certs.pem",
                                       "results.ndjson", "rejected.ndjson", "summary.json" };
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox *outbox = open_box(f, &spec);
    struct ca_error err = { .text = "" };
    char longest[300];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(outbox_put_file(outbox, bad[i], ca_bytes_str("x"), &err), CA_REFUSED);
        assert_string_equal(ca_error_name(&err), "output-name");
    }
    memset(longest, 'n', sizeof(longest));
    longest[255 - strlen(".certmill-job-1..part") + 1] = '\0';
    assert_int_equal(outbox_put_file(outbox, longest, ca_bytes_str("x"), NULL), CA_REFUSED);
    longest[255 - strlen(".certmill-job-1..part")] = '\0';
    assert_int_equal(outbox_put_file(outbox, longest, ca_bytes_str("x"), NULL), CA_OK);
    assert_int_equal(outbox_put_file(outbox, "files", ca_bytes_str("x"), NULL), CA_OK);
    assert_int_equal(outbox_sync(outbox, NULL, NULL), CA_OK);
    assert_content(f, "files", "x");
    outbox_close(outbox);
}

static void a_directory_inside_is_foreign_even_to_a_job_with_files_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox *outbox = open_box(f, &spec);
    char path[512];

    assert_int_equal(outbox_put_file(outbox, "aa.pem", ca_bytes_str("one"), NULL), CA_OK);
    outbox_close(outbox);
    path_in(f, "sub", path);
    assert_int_equal(mkdir(path, 0700), 0);
    spec = old_job(f, 0, 0, false);
    assert_refused(f, &spec, "sub");
}

static void a_broken_ring_is_a_failure_like_any_other(void **state)
{
    struct fixture *f = *state;
    struct outbox_spec spec = new_job(f);
    struct outbox *outbox = open_box(f, &spec);
    bool plain = strcmp(ring_name(f->ring), "plain") == 0;

    append(outbox, OUTBOX_CERTS, CERTS);
    arm("ring.submit:1=EIO");
    assert_int_equal(outbox_sync(outbox, NULL, NULL), plain ? CA_OK : CA_IO);
    if (!plain) assert_int_equal(outbox_sync(outbox, NULL, NULL), CA_IO);
    outbox_close(outbox);
}

static void the_files_have_the_names_that_scripts_know(void **state)
{
    (void)state;
    assert_string_equal(outbox_file_name(OUTBOX_CERTS), "certs.pem");
    assert_string_equal(outbox_file_name(OUTBOX_RESULTS), "results.ndjson");
    assert_string_equal(outbox_file_name(OUTBOX_REJECTED), "rejected.ndjson");
}

#define ON_BOTH(test)                                                                              \
    { #test " (io_uring)", test, set_up_auto, tear_down, NULL },                                   \
    { #test " (plain)", test, set_up_plain, tear_down, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_finished_job_leaves_whole_files_and_no_other),
        ON_BOTH(outputs_larger_than_the_buffers_are_written_in_order),
        ON_BOTH(an_empty_directory_is_taken_and_a_missing_one_is_made),
        ON_BOTH(foreign_files_are_refused_and_stay),
        ON_BOTH(what_is_no_directory_is_refused),
        ON_BOTH(the_directory_of_an_unfinished_job_is_its_own),
        ON_BOTH(a_job_that_comes_to_nothing_leaves_its_directory_to_the_next),
        ON_BOTH(a_job_name_that_leaves_no_room_is_refused),
        ON_BOTH(a_resumed_job_cuts_its_files_and_goes_on),
        ON_BOTH(parts_that_are_too_short_are_noticed_before_anything_is_cut),
        ON_BOTH(a_part_that_became_a_link_or_a_fifo_is_not_opened),
        ON_BOTH(a_failure_at_any_point_is_final_and_leaves_only_whole_files),
        ON_BOTH(a_kill_at_any_point_leaves_only_whole_files_and_the_job_can_be_finished),
        ON_BOTH(a_final_name_that_somebody_took_meanwhile_is_not_replaced),
        ON_BOTH(files_of_their_own_get_their_names_when_they_are_synced),
        ON_BOTH(names_that_are_no_plain_file_names_are_refused_and_do_no_harm),
        ON_BOTH(a_directory_inside_is_foreign_even_to_a_job_with_files_of_its_own),
        ON_BOTH(a_broken_ring_is_a_failure_like_any_other),
        cmocka_unit_test_setup_teardown(the_files_have_the_names_that_scripts_know, set_up_plain,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
