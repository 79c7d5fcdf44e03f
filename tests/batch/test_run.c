/* The whole pipeline in one process, with a fixed clock, fixed randomness and armed faults. */
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

/* A seed makes serials a function of the ordinal, and a standing clock makes ticks a function of the
 * chunk: then nothing may depend on threads or on how bytes were read. */
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

/* Each fault ends the run; without it the job is resumed to its end, and nothing is issued twice. */
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
        cmocka_unit_test_setup_teardown(a_ca_disabled_during_a_run_stops_it_at_the_next_group,
                                        setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_second_run_in_the_same_store_is_refused, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(a_changed_input_is_not_resumed, setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_foreign_file_in_the_output_directory_is_refused_before_the_first_signature, setup,
            store_fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
