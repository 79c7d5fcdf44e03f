/* The whole pipeline in one process, with a fixed clock, fixed randomness and armed faults. */
#include "batch/committer.h"
#include "batch/run.h"
#include "io/fault_testing.h"
#include "io/file.h"
#include "tests/support/job_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT 1500

static void read_output(const char *dir, const char *name, struct ca_buf *out)
{
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    ca_buf_init(out, (size_t)64 << 20);
    assert_int_equal(file_read(path, (size_t)64 << 20, FILE_PUBLIC, out, NULL), CA_OK);
}

static bool exists(const char *dir, const char *name)
{
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static enum ca_status run_with(struct store_fixture *f, struct batch_job *job,
                               const struct batch_run_spec *spec, struct batch_run_result *result,
                               struct ca_error *err)
{
    struct batch_run *run = NULL;
    enum ca_status st = batch_run_start(f->registry, job, spec, &run, err);

    memset(result, 0, sizeof(*result));
    if (st != CA_OK) return st;
    while (!batch_run_wait(run, 1000, NULL)) { }
    return batch_run_join(run, result, err);
}

static enum ca_status start_job(struct store_fixture *f, const char *name, const char *input,
                                struct job_fixture_spec *ask, struct batch_job **job)
{
    job_fixture_ask(f, name, input, ask);
    return batch_job_create(f->registry, &ask->spec, job, &f->err);
}

/* The TBS of every certificate in a bundle, one after the other. */
static void collect_tbs(const char *dir, struct ca_buf *out)
{
    struct ca_buf text;
    BIO *bio;
    X509 *cert;

    read_output(dir, "certs.pem", &text);
    ca_buf_init(out, (size_t)64 << 20);
    bio = BIO_new_mem_buf(text.data, (int)text.len);
    assert_non_null(bio);
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        unsigned char *tbs = NULL;
        int len = i2d_re_X509_tbs(cert, &tbs);

        assert_true(len > 0);
        ca_buf_append(out, tbs, (size_t)len);
        OPENSSL_free(tbs);
        X509_free(cert);
    }
    BIO_free(bio);
    ca_buf_clear(&text);
}

struct outcome {
    struct ca_buf tbs, results, rejected;
};

static void outcome_clear(struct outcome *o)
{
    ca_buf_clear(&o->tbs);
    ca_buf_clear(&o->results);
    ca_buf_clear(&o->rejected);
}

static void outcome_read(const char *dir, struct outcome *out)
{
    collect_tbs(dir, &out->tbs);
    read_output(dir, "results.ndjson", &out->results);
    read_output(dir, "rejected.ndjson", &out->rejected);
}

static void assert_same_outcome(const struct outcome *a, const struct outcome *b)
{
    assert_true(ca_bytes_equal(ca_buf_view(&a->tbs), ca_buf_view(&b->tbs)));
    assert_true(ca_bytes_equal(ca_buf_view(&a->results), ca_buf_view(&b->results)));
    assert_true(ca_bytes_equal(ca_buf_view(&a->rejected), ca_buf_view(&b->rejected)));
}

/* Makes to a copy of from while no store is open. */
static void copy_store(struct store_fixture *f, const char *from, const char *to)
{
    char command[1200];

    batch_registry_close(f->registry);
    f->registry = NULL;
    (void)snprintf(command, sizeof(command), "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    assert_int_equal(system(command), 0);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
}

/* A seed makes serials a function of the ordinal, and a standing clock makes ticks a function of
 * the chunk: then nothing may depend on threads or on how bytes were read. */
static void any_number_of_workers_and_either_io_give_the_same_certificates(void **state)
{
    static const struct { unsigned workers; bool no_uring; } ways[] = {
        { 1, false }, { 2, false }, { 3, true }, { 8, false }, { 1, true },
    };
    static const uint64_t seed = 42;
    struct store_fixture *f = *state;
    struct outcome first = { .tbs = { 0 } };
    char input[512], kept[512];

    job_fixture_bundle(f, "in.pem", 700, 50, input);
    (void)snprintf(kept, sizeof(kept), "%s.kept", f->dir);
    copy_store(f, f->dir, kept);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct batch_run_spec spec = { .workers = ways[i].workers, .fresh = true,
                                       .no_uring = ways[i].no_uring, .certmill_version = "t" };
        struct job_fixture_spec ask;
        struct batch_run_result result;
        struct batch_job *job = NULL;
        struct outcome next;
        char name[32];

        /* The same serials cannot be in one store twice: each round begins with the same copy. */
        copy_store(f, kept, f->dir);
        f->registry->seed = &seed;
        (void)snprintf(name, sizeof(name), "way-%zu", i);
        assert_int_equal(start_job(f, name, input, &ask, &job), CA_OK);
        assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_OK);
        assert_int_equal(result.issued, 686);
        assert_int_equal(result.rejected, 14);
        ca_buf_clear(&result.summary);
        outcome_read(ask.out_dir, &next);
        if (i == 0) {
            first = next;
            continue;
        }
        assert_same_outcome(&first, &next);
        outcome_clear(&next);
    }
    outcome_clear(&first);
}

static void a_stopped_run_is_resumed_to_the_same_results(void **state)
{
    struct store_fixture *f = *state;
    struct batch_run_spec spec = { .workers = 2, .fresh = true, .certmill_version = "t" };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    struct ca_error cause;
    struct outcome out;
    char input[512];
    unsigned interruptions = 0;

    job_fixture_bundle(f, "in.pem", COUNT, 100, input);
    assert_int_equal(start_job(f, "stopped", input, &ask, &job), CA_OK);
    (void)ca_fail_named(&cause, CA_AGAIN, "interrupted", "interrupted");
    /* Workers are slowed, so that the stop falls into the middle. */
    assert_int_equal(fault_testing_setup("worker:6=sleep40;worker:9=sleep40", NULL, NULL), CA_OK);
    for (;;) {
        struct batch_run *run = NULL;
        enum ca_status st;

        assert_int_equal(batch_run_start(f->registry, job, &spec, &run, &f->err), CA_OK);
        (void)batch_run_wait(run, 30, NULL);
        if (interruptions < 3) batch_run_stop(run, &cause);
        while (!batch_run_wait(run, 1000, NULL)) { }
        st = batch_run_join(run, &result, &f->err);
        ca_buf_clear(&result.summary);
        if (st == CA_OK) break;
        assert_int_equal(st, CA_AGAIN);
        assert_int_equal(result.state, SCHEMA_JOB_INTERRUPTED);
        assert_non_null(strstr(f->err.hint, "batch resume stopped"));
        interruptions++;
        spec.fresh = false;
        assert_int_equal(batch_job_load(f->registry, "stopped", NULL, &job, &f->err), CA_OK);
    }
    assert_true(interruptions > 0);
    assert_int_equal(result.requested, COUNT);
    assert_int_equal(result.issued, COUNT - COUNT / 100);
    outcome_read(ask.out_dir, &out);
    outcome_clear(&out);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    /* A completed job is not resumed again. */
    assert_int_equal(batch_job_load(f->registry, "stopped", NULL, &job, &f->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "job-completed");
}

/* Each fault ends the run; without it the job is resumed to its end, and nothing is issued twice.
 * */
static void every_fault_ends_the_run_and_resume_completes_it(void **state)
{
    static const char *const faults[] = {
        "store.commit:2=EIO", "store.commit:3=ENOSPC", "store.put:500=EIO", "store.begin:4=EIO",
        "outbox.write:1=ENOSPC", "outbox.sync:1=EIO", "outbox.rename:1=EIO",
        "outbox.rename:3=EIO", "outbox.dirsync:1=EIO", "ring.write:1=EIO", "ring.sync:1=EIO",
        "ring.read:1=EIO", "chunk:5=EIO", "worker:7=EIO",
    };
    struct store_fixture *f = *state;
    char input[512];

    job_fixture_bundle(f, "in.pem", COUNT, 0, input);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct batch_run_spec spec = { .workers = 2, .fresh = true, .certmill_version = "t",
                                       .commit_linger_ms = 1 };
        struct job_fixture_spec ask;
        struct batch_run_result result;
        struct batch_job *job = NULL;
        struct outcome out;
        char name[32];
        enum ca_status st;

        (void)snprintf(name, sizeof(name), "fault-%zu", i);
        assert_int_equal(start_job(f, name, input, &ask, &job), CA_OK);
        assert_int_equal(fault_testing_setup(faults[i], NULL, &f->err), CA_OK);
        st = run_with(f, job, &spec, &result, &f->err);
        assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
        if (st == CA_OK) fail_msg("%s did not end the run", faults[i]);
        if (ca_status_is_request(st) || st == CA_AGAIN)
            fail_msg("%s ended as %s: %s", faults[i], ca_status_name(st), f->err.text);
        ca_buf_clear(&result.summary);
        assert_false(exists(ask.out_dir, "summary.json") &&
                     strncmp(faults[i], "outbox.dirsync", 14) != 0);
        /* A store whose commit failed refuses to go on until it is opened again. */
        assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
        if (batch_job_load(f->registry, name, NULL, &job, &f->err) != CA_OK)
            fail_msg("%s: %s", faults[i], f->err.text);
        spec.fresh = false;
        if (run_with(f, job, &spec, &result, &f->err) != CA_OK)
            fail_msg("%s, resumed: %s", faults[i], f->err.text);
        assert_int_equal(result.issued, COUNT);
        ca_buf_clear(&result.summary);
        outcome_read(ask.out_dir, &out);
        outcome_clear(&out);
    }
}

static unsigned count_in(const char *dir, const char *name, const char *needle)
{
    struct ca_buf text;
    unsigned count = 0;
    const char *at;

    read_output(dir, name, &text);
    ca_buf_append_u8(&text, 0);
    for (at = strstr((const char *)text.data, needle); at != NULL; at = strstr(at + 1, needle))
        count++;
    ca_buf_clear(&text);
    return count;
}

static void assert_whole(const struct batch_run_result *result, const char *dir, unsigned count,
                         unsigned rejected, const char *what)
{
    char summary[64];

    (void)snprintf(summary, sizeof(summary), "\"issued\": %u,", count - rejected);
    if (result->issued != count - rejected || result->rejected != rejected ||
        count_in(dir, "results.ndjson", "\"issued\"") != count - rejected ||
        count_in(dir, "certs.pem", "-----BEGIN ") != count - rejected ||
        count_in(dir, "rejected.ndjson", "\"rejected\"") != rejected ||
        count_in(dir, "summary.json", summary) != 1)
        fail_msg("%s: the outputs are not whole", what);
}

/* One job with this rule armed, then resumed without it. False when the rule was not met. */
static bool run_into(struct store_fixture *f, const char *name, const char *input,
                     const char *rule, unsigned count, unsigned rejected)
{
    struct batch_run_spec spec = { .workers = 2, .fresh = true, .certmill_version = "t",
                                   .commit_linger_ms = 1 };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    enum ca_status st;

    assert_int_equal(start_job(f, name, input, &ask, &job), CA_OK);
    assert_int_equal(fault_testing_setup(rule, NULL, &f->err), CA_OK);
    st = run_with(f, job, &spec, &result, &f->err);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    if (st == CA_OK) {
        assert_whole(&result, ask.out_dir, count, rejected, rule);
        ca_buf_clear(&result.summary);
        return false;
    }
    ca_buf_clear(&result.summary);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
    st = batch_job_load(f->registry, name, NULL, &job, &f->err);
    /* The commit that was said to have failed after all was the last one. */
    if (st != CA_OK && strcmp(ca_error_name(&f->err), "job-completed") == 0) return true;
    if (st != CA_OK) fail_msg("%s: %s", rule, f->err.text);
    spec.fresh = false;
    if (run_with(f, job, &spec, &result, &f->err) != CA_OK)
        fail_msg("%s, resumed: %s", rule, f->err.text);
    assert_whole(&result, ask.out_dir, count, rejected, rule);
    ca_buf_clear(&result.summary);
    return true;
}

/* Every passage of these points, the first to the last: also those at the very end, where files
 * have their names already and the job's row does not say so. */
static void a_failure_anywhere_is_followed_by_a_resume_to_the_same_end(void **state)
{
    static const char *const points[] = {
        "store.begin", "store.commit", "store.committed", "outbox.rename", "outbox.dirsync",
        "outbox.sync", "group",
    };
    struct store_fixture *f = *state;
    char input[512];

    job_fixture_bundle(f, "in.pem", 100, 40, input);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        char name[64], rule[64];
        unsigned passage = 0;

        do {
            (void)snprintf(name, sizeof(name), "%s-%u", points[i], ++passage);
            (void)snprintf(rule, sizeof(rule), "%s:%u=EIO", points[i], passage);
        } while (run_into(f, name, input, rule, 100, 2));
        assert_true(passage > 1);
    }
}

/* Begins a job that fails when its files get their names: some have them, some do not. */
static void fail_renaming(struct store_fixture *f, const char *name, struct job_fixture_spec *ask)
{
    const struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t" };
    struct batch_run_result result;
    struct batch_job *job = NULL;
    char input[512];

    job_fixture_bundle(f, "in.pem", 20, 0, input);
    assert_int_equal(start_job(f, name, input, ask, &job), CA_OK);
    assert_int_equal(fault_testing_setup("outbox.rename:2=EIO", NULL, NULL), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_IO);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    ca_buf_clear(&result.summary);
}

static void a_job_that_was_renaming_takes_nothing_over_in_another_directory(void **state)
{
    struct store_fixture *f = *state;
    const struct batch_run_spec spec = { .workers = 1, .certmill_version = "t" };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    struct ca_buf text;
    char other[512], path[1024];

    fail_renaming(f, "renaming", &ask);
    (void)snprintf(other, sizeof(other), "%s/other", f->root);
    assert_int_equal(mkdir(other, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/certs.pem", other);
    assert_int_equal(file_write(path, 0600, ca_bytes_str("precious"), NULL), CA_OK);
    assert_int_equal(batch_job_load(f->registry, "renaming", other, &job, &f->err), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "output-directory");
    read_output(other, "certs.pem", &text);
    assert_true(ca_bytes_equal(ca_buf_view(&text), ca_bytes_str("precious")));
    ca_buf_clear(&text);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(batch_job_load(f->registry, "renaming", other, &job, &f->err), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_OK);
    assert_whole(&result, other, 20, 0, "elsewhere");
    ca_buf_clear(&result.summary);
}

/* Two processes take up the same job; the second gets the lock when the first is through. */
static void a_job_that_was_run_since_it_was_loaded_is_not_run_again(void **state)
{
    struct store_fixture *f = *state;
    struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t",
                                   .commit_linger_ms = 1 };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL, *stale = NULL;
    struct batch_job_view view;
    uint64_t done;
    char input[512];

    job_fixture_bundle(f, "in.pem", COUNT, 0, input);
    assert_int_equal(start_job(f, "twice", input, &ask, &job), CA_OK);
    assert_int_equal(batch_job_load(f->registry, "twice", NULL, &stale, &f->err), CA_OK);
    assert_int_equal(fault_testing_setup("chunk:9=EIO", NULL, NULL), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_IO);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    done = result.requested;
    assert_true(done > 0);
    ca_buf_clear(&result.summary);
    spec.fresh = false;
    assert_int_equal(run_with(f, stale, &spec, &result, &f->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "job-changed");
    assert_int_equal(batch_job_find(f->registry, "twice", &view, &f->err), CA_OK);
    assert_int_equal(view.row.done, done);
    batch_job_view_clear(&view);
    assert_int_equal(batch_job_load(f->registry, "twice", NULL, &job, &f->err), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_OK);
    assert_whole(&result, ask.out_dir, COUNT, 0, "twice");
    ca_buf_clear(&result.summary);
}

/* Behind one slow chunk all others of the run pile up, more than a group may hold. */
static void no_group_has_more_requests_than_its_limit(void **state)
{
    enum { REQUESTS = 6000 };
    struct store_fixture *f = *state;
    const struct batch_run_spec spec = { .workers = 8, .fresh = true, .certmill_version = "t",
                                         .commit_linger_ms = 5000 };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    struct store_txn *txn = NULL;
    struct store_cursor *cursor = NULL;
    struct ca_bytes key, value;
    uint64_t before = 0;
    bool found = false;
    char input[512];

    job_fixture_bundle(f, "in.pem", REQUESTS, 0, input);
    assert_int_equal(start_job(f, "pile", input, &ask, &job), CA_OK);
    assert_int_equal(fault_testing_setup("worker:17=sleep1500", NULL, NULL), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_OK);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    assert_whole(&result, ask.out_dir, REQUESTS, 0, "pile");
    ca_buf_clear(&result.summary);
    /* A row of the table input ends each group. */
    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, NULL), CA_OK);
    assert_int_equal(store_cursor_open(txn, STORE_INPUT, &cursor, NULL), CA_OK);
    assert_int_equal(store_cursor_seek(cursor, ca_bytes_of(NULL, 0), &found, &key, &value, NULL),
                     CA_OK);
    while (found) {
        uint32_t number;
        uint64_t end;

        assert_int_equal(schema_read_key_ordinal(key, &number, &end, NULL), CA_OK);
        assert_true(end - before < BATCH_GROUP_REQUESTS_MAX + BATCH_CHUNK_ITEMS_MAX);
        before = end;
        assert_int_equal(store_cursor_next(cursor, &found, &key, &value, NULL), CA_OK);
    }
    assert_int_equal(before, REQUESTS);
    store_cursor_close(cursor);
    store_abort(txn);
}

/* Says yes from the asking that ctx counts down to. */
static bool interrupted(void *ctx)
{
    unsigned *askings = ctx;

    if (*askings > 0) --*askings;
    return *askings == 0;
}

static void a_new_run_that_is_interrupted_before_it_begins_leaves_no_trace(void **state)
{
    struct store_fixture *f = *state;
    char input[512];

    job_fixture_bundle(f, "in.pem", 10, 0, input);
    for (unsigned asking = 1; asking <= 2; asking++) {
        unsigned askings = asking;
        struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t",
                                       .interrupted = interrupted,
                                       .interrupted_ctx = &askings };
        struct job_fixture_spec ask;
        struct batch_run_result result;
        struct batch_job_view view;
        struct batch_job *job = NULL;

        assert_int_equal(start_job(f, "early", input, &ask, &job), CA_OK);
        assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_AGAIN);
        assert_string_equal(ca_error_name(&f->err), "interrupted");
        assert_int_equal(batch_job_find(f->registry, "early", &view, &f->err), CA_REFUSED);
        /* An empty directory may be left, which takes the next job. */
        assert_true(rmdir(ask.out_dir) == 0 || !exists(f->root, "early.out"));
    }
}

/* A resume from standard input reads the stream again up to where the job stopped, and the stream
 * may keep it waiting. */
static void a_resume_that_waits_for_its_stream_is_interrupted(void **state)
{
    struct store_fixture *f = *state;
    unsigned askings = 3;
    struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t",
                                   .commit_linger_ms = 1 };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    int pipe_fds[2], kept = dup(STDIN_FILENO);
    char input[512], name[129];

    /* The longest that a job's name may be: the hint has it whole. */
    memset(name, 's', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    job_fixture_bundle(f, "in.pem", COUNT, 0, input);
    assert_non_null(freopen(input, "r", stdin));
    assert_int_equal(start_job(f, name, "-", &ask, &job), CA_OK);
    assert_int_equal(fault_testing_setup("chunk:9=EIO", NULL, NULL), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_IO);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    assert_true(result.requested > 0);
    ca_buf_clear(&result.summary);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_true(dup2(pipe_fds[0], STDIN_FILENO) == STDIN_FILENO);
    assert_int_equal(batch_job_load(f->registry, name, NULL, &job, &f->err), CA_OK);
    spec.fresh = false;
    spec.interrupted = interrupted;
    spec.interrupted_ctx = &askings;
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_AGAIN);
    assert_string_equal(ca_error_name(&f->err), "interrupted");
    assert_non_null(strstr(f->err.hint, name));
    assert_int_equal(close(pipe_fds[0]) + close(pipe_fds[1]), 0);
    assert_non_null(freopen(input, "r", stdin));
    spec.interrupted = NULL;
    assert_int_equal(batch_job_load(f->registry, name, NULL, &job, &f->err), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_OK);
    assert_whole(&result, ask.out_dir, COUNT, 0, "stream");
    ca_buf_clear(&result.summary);
    assert_true(dup2(kept, STDIN_FILENO) == STDIN_FILENO);
    assert_int_equal(close(kept), 0);
}

static void a_ca_disabled_during_a_run_stops_it_at_the_next_group(void **state)
{
    struct store_fixture *f = *state;
    const struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t",
                                         .commit_linger_ms = 1 };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    struct batch_run *run = NULL;
    char input[512];

    job_fixture_bundle(f, "in.pem", COUNT, 0, input);
    assert_int_equal(start_job(f, "disabled", input, &ask, &job), CA_OK);
    assert_int_equal(fault_testing_setup("worker:5=sleep300", NULL, NULL), CA_OK);
    assert_int_equal(batch_run_start(f->registry, job, &spec, &run, &f->err), CA_OK);
    (void)batch_run_wait(run, 100, NULL);
    assert_int_equal(batch_ca_update(f->registry, "sub", SCHEMA_CA_DISABLED,
                                     ca_bytes_of(NULL, 0), &f->err),
                     CA_OK);
    while (!batch_run_wait(run, 1000, NULL)) { }
    assert_int_equal(batch_run_join(run, &result, &f->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "ca-changed");
    assert_true(result.issued > 0 && result.issued < COUNT);
    ca_buf_clear(&result.summary);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
}

static void a_second_run_in_the_same_store_is_refused(void **state)
{
    struct store_fixture *f = *state;
    const struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t" };
    struct job_fixture_spec first_ask, second_ask;
    struct batch_run_result result;
    struct batch_job *first = NULL, *second = NULL;
    struct batch_run *run = NULL, *other = NULL;
    char input[512];

    job_fixture_bundle(f, "in.pem", 300, 0, input);
    /* The second is created last, as if it came in the moment before the first has the lock. */
    assert_int_equal(start_job(f, "first", input, &first_ask, &first), CA_OK);
    assert_int_equal(start_job(f, "second", input, &second_ask, &second), CA_OK);
    assert_int_equal(fault_testing_setup("worker:1=sleep200", NULL, NULL), CA_OK);
    assert_int_equal(batch_run_start(f->registry, first, &spec, &run, &f->err), CA_OK);
    assert_int_equal(batch_run_start(f->registry, second, &spec, &other, &f->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "run-active");
    while (!batch_run_wait(run, 1000, NULL)) { }
    assert_int_equal(batch_run_join(run, &result, &f->err), CA_OK);
    ca_buf_clear(&result.summary);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    assert_false(exists(second_ask.out_dir, "certs.pem"));
    /* The refused job left no trace: its name is free. */
    assert_int_equal(start_job(f, "second", input, &second_ask, &second), CA_OK);
    batch_job_free(second);
}

static void a_changed_input_is_not_resumed(void **state)
{
    struct store_fixture *f = *state;
    struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t",
                                   .commit_linger_ms = 1 };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    struct batch_run *run = NULL;
    char input[512];

    job_fixture_bundle(f, "in.pem", COUNT, 0, input);
    assert_int_equal(start_job(f, "changed", input, &ask, &job), CA_OK);
    assert_int_equal(fault_testing_setup("store.commit:3=EIO", NULL, NULL), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_IO);
    assert_true(result.requested > 0);
    ca_buf_clear(&result.summary);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
    job_fixture_bundle(f, "in.pem", COUNT, 7, input);       /* other requests under the same name */
    assert_int_equal(batch_job_load(f->registry, "changed", NULL, &job, &f->err), CA_OK);
    spec.fresh = false;
    assert_int_equal(batch_run_start(f->registry, job, &spec, &run, &f->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "input-changed");
}

/* That is the store's damage: nobody should look for a changed input. */
static void a_store_that_lost_the_place_of_a_job_says_so(void **state)
{
    struct store_fixture *f = *state;
    struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t",
                                   .commit_linger_ms = 1 };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    struct batch_run *run = NULL;
    struct store_txn *txn = NULL;
    struct schema_key key;
    char input[512];

    job_fixture_bundle(f, "in.pem", COUNT, 0, input);
    assert_int_equal(start_job(f, "lost", input, &ask, &job), CA_OK);
    assert_int_equal(fault_testing_setup("chunk:9=EIO", NULL, NULL), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_IO);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    assert_true(result.requested > 0);
    ca_buf_clear(&result.summary);
    assert_int_equal(batch_job_load(f->registry, "lost", NULL, &job, &f->err), CA_OK);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    assert_int_equal(store_delete(txn, STORE_INPUT,
                                  schema_key_ordinal(&key, job->number, job->row.done), NULL),
                     CA_OK);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    spec.fresh = false;
    assert_int_equal(batch_run_start(f->registry, job, &spec, &run, &f->err), CA_CORRUPT);
    assert_string_equal(ca_error_name(&f->err), "bad-row");
}

static void a_foreign_file_in_the_output_directory_is_refused_before_the_first_signature(
    void **state)
{
    struct store_fixture *f = *state;
    const struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t" };
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;
    struct batch_run *run = NULL;
    char input[512], path[1024];

    job_fixture_bundle(f, "in.pem", 10, 0, input);
    assert_int_equal(start_job(f, "foreign", input, &ask, &job), CA_OK);
    assert_int_equal(mkdir(ask.out_dir, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/certs.pem", ask.out_dir);
    assert_int_equal(file_write(path, 0600, ca_bytes_str("precious"), NULL), CA_OK);
    assert_int_equal(batch_run_start(f->registry, job, &spec, &run, &f->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "output-directory");
    {
        struct ca_buf text;

        read_output(ask.out_dir, "certs.pem", &text);
        assert_true(ca_bytes_equal(ca_buf_view(&text), ca_bytes_str("precious")));
        ca_buf_clear(&text);
    }
}

static void a_disk_that_cannot_be_read_ends_the_run_and_refuses_nobody(void **state)
{
    enum { FILES = 20 };
    struct store_fixture *f = *state;
    struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t" };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    char dir[512], path[600];

    (void)snprintf(dir, sizeof(dir), "%s/in", f->root);
    assert_int_equal(mkdir(dir, 0700), 0);
    for (int i = 0; i < FILES; i++) {
        struct ca_buf pem;

        ca_buf_init(&pem, 1 << 16);
        (void)snprintf(path, sizeof(path), "%s/device-%02d.csr", dir, i);
        job_fixture_request("device", false, &pem);
        assert_int_equal(file_write(path, 0600, ca_buf_view(&pem), NULL), CA_OK);
        ca_buf_clear(&pem);
    }
    assert_int_equal(start_job(f, "dying", dir, &ask, &job), CA_OK);
    assert_int_equal(fault_testing_setup("ring.read:7=EIO", NULL, NULL), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_IO);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    assert_int_equal(result.rejected, 0);
    assert_non_null(strstr(f->err.text, "device-06.csr"));
    ca_buf_clear(&result.summary);
    assert_int_equal(batch_job_load(f->registry, "dying", NULL, &job, &f->err), CA_OK);
    spec.fresh = false;
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_OK);
    assert_int_equal(result.issued, FILES);
    ca_buf_clear(&result.summary);
}

/* Nothing of it can be resumed: neither the name nor the directory may stay taken. */
static void an_input_without_any_request_leaves_no_job_and_no_files(void **state)
{
    struct store_fixture *f = *state;
    const struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t" };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    struct batch_job_view view;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/words.pem", f->root);
    assert_int_equal(file_write(path, 0600, ca_bytes_str("no block in here\n"), NULL), CA_OK);
    assert_int_equal(start_job(f, "words", path, &ask, &job), CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_REFUSED);
    ca_buf_clear(&result.summary);
    assert_false(result.resumable);
    assert_null(strstr(f->err.hint, "resume"));
    assert_int_equal(batch_job_find(f->registry, "words", &view, NULL), CA_REFUSED);
    assert_int_equal(rmdir(ask.out_dir), 0);     /* empty: the next job may use it */
}

/* A killed run must not lose the time it took: rates of a resumed job count all of it. */
static void run_time_is_stored_with_every_group(void **state)
{
    struct store_fixture *f = *state;
    const struct batch_run_spec spec = { .workers = 1, .fresh = true, .certmill_version = "t",
                                         .commit_linger_ms = 1 };
    struct job_fixture_spec ask;
    struct batch_run_result result;
    struct batch_job *job = NULL;
    struct batch_job_view view;
    char input[512];

    job_fixture_bundle(f, "in.pem", 300, 0, input);
    assert_int_equal(start_job(f, "timed", input, &ask, &job), CA_OK);
    /* The last commit that works is a group's: what it stored is what a kill would leave. */
    assert_int_equal(fault_testing_setup("worker:1=sleep60;store.commit:2+=EIO", NULL, NULL),
                     CA_OK);
    assert_int_equal(run_with(f, job, &spec, &result, &f->err), CA_IO);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    ca_buf_clear(&result.summary);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
    assert_int_equal(batch_job_find(f->registry, "timed", &view, NULL), CA_OK);
    assert_true(view.row.done > 0 && view.row.elapsed_ms >= 60);
    batch_job_view_clear(&view);
}

static int setup(void **state)
{
    int failed = store_fixture_setup(state);

    if (failed == 0) store_fixture_hierarchy(*state);
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            any_number_of_workers_and_either_io_give_the_same_certificates, setup,
            store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_stopped_run_is_resumed_to_the_same_results, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(every_fault_ends_the_run_and_resume_completes_it, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_failure_anywhere_is_followed_by_a_resume_to_the_same_end, setup,
            store_fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_job_that_was_renaming_takes_nothing_over_in_another_directory, setup,
            store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_job_that_was_run_since_it_was_loaded_is_not_run_again,
                                        setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(no_group_has_more_requests_than_its_limit, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_new_run_that_is_interrupted_before_it_begins_leaves_no_trace, setup,
            store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_resume_that_waits_for_its_stream_is_interrupted, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_ca_disabled_during_a_run_stops_it_at_the_next_group,
                                        setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_second_run_in_the_same_store_is_refused, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_disk_that_cannot_be_read_ends_the_run_and_refuses_nobody, setup,
            store_fixture_teardown),
        cmocka_unit_test_setup_teardown(an_input_without_any_request_leaves_no_job_and_no_files,
                                        setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(run_time_is_stored_with_every_group, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_changed_input_is_not_resumed, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_store_that_lost_the_place_of_a_job_says_so, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_foreign_file_in_the_output_directory_is_refused_before_the_first_signature, setup,
            store_fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
