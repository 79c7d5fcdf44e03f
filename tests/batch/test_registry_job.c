/* Jobs: made, found, listed, described, taken up again. */
#include "batch/registry_job.h"

#include "batch/job_args.h"
#include "io/file.h"
#include "tests/support/job_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>
#include <openssl/evp.h>

static void assert_refused(enum ca_status st, const struct ca_error *err, const char *name)
{
    assert_int_equal(st, CA_REFUSED);
    assert_string_equal(ca_error_name(err), name);
}

static struct batch_job *create(struct store_fixture *f, const char *name)
{
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;

    job_fixture_ask(f, name, "-", &ask);
    if (batch_job_create(f->registry, &ask.spec, &job, &f->err) != CA_OK)
        fail_msg("create: %s", f->err.text);
    return job;
}

/* Writes a job's row in another state, as a run would have left it. */
static void leave_in_state(struct store_fixture *f, struct batch_job *job, uint8_t state)
{
    struct store_txn *txn = NULL;

    job->row.state = state;
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    assert_int_equal(batch_job_put(txn, job, NULL), CA_OK);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
}

static uint64_t rows(struct store_fixture *f, enum store_table table)
{
    struct store_txn *txn = NULL;
    uint64_t count = 0;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, NULL), CA_OK);
    assert_int_equal(store_count(txn, table, &count, NULL), CA_OK);
    store_abort(txn);
    return count;
}

static json_t *describe(struct store_fixture *f, const char *name)
{
    struct batch_job_view view;
    struct ca_buf text;
    json_t *root;

    assert_int_equal(batch_job_find(f->registry, name, &view, &f->err), CA_OK);
    ca_buf_init(&text, 1 << 20);
    batch_job_describe(f->registry, &view, &text);
    assert_int_equal(ca_buf_status(&text, "text", NULL), CA_OK);
    root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    ca_buf_clear(&text);
    batch_job_view_clear(&view);
    return root;
}

static const char *text_of(const json_t *root, const char *member)
{
    const char *text = json_string_value(json_object_get(root, member));

    assert_non_null(text);
    return text;
}

static int setup(void **state)
{
    int rc = store_fixture_setup(state);

    if (rc == 0) store_fixture_hierarchy(*state);
    return rc;
}

/* Another process that holds the run's lock until its pipe is closed. */
struct holder {
    pid_t pid;
    int fd;
};

static void hold_lock(struct store_fixture *f, struct holder *holder)
{
    int ready[2], go_on[2];
    char octet;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go_on), 0);
    batch_registry_close(f->registry);      /* LMDB must not cross a fork */
    f->registry = NULL;
    holder->pid = fork();
    assert_true(holder->pid >= 0);
    if (holder->pid == 0) {
        struct store *store = NULL;

        (void)close(go_on[1]);
        if (store_open(f->dir, STORE_WRITE, &store, NULL) != CA_OK) _exit(1);
        if (store_lock_run(store, NULL) != CA_OK) _exit(2);
        if (write(ready[1], "x", 1) != 1) _exit(3);
        (void)!read(go_on[0], &octet, 1);
        _exit(0);
    }
    (void)close(ready[1]);
    (void)close(go_on[0]);
    assert_int_equal(read(ready[0], &octet, 1), 1);
    (void)close(ready[0]);
    holder->fd = go_on[1];
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
}

static void end_holder(struct holder *holder)
{
    int status;

    (void)close(holder->fd);
    assert_int_equal(waitpid(holder->pid, &status, 0), holder->pid);
    assert_int_equal(status, 0);
}

static void a_job_without_a_name_is_called_by_its_number(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *first = create(f, NULL), *second = create(f, NULL);

    assert_int_equal(first->number, 1);
    assert_string_equal(first->name, "job-1");
    assert_int_equal(second->number, 2);
    assert_string_equal(second->name, "job-2");
    batch_job_free(first);
    batch_job_free(second);
}

static void a_number_that_is_taken_as_a_name_gives_way(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *first = create(f, "job-2"), *second = create(f, NULL);

    assert_int_equal(second->number, 2);
    assert_string_equal(second->name, "job-2.1");
    batch_job_free(first);
    batch_job_free(second);
}

static void a_name_that_is_taken_is_refused_and_nothing_is_written(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job = create(f, "fleet"), *other = NULL;
    struct job_fixture_spec ask;

    job_fixture_ask(f, "fleet", "-", &ask);
    assert_refused(batch_job_create(f->registry, &ask.spec, &other, &f->err), &f->err,
                   "job-exists");
    assert_non_null(strstr(f->err.hint, "resume fleet"));
    assert_null(other);
    assert_int_equal(rows(f, STORE_JOB), 1);
    batch_job_free(job);
}

static void a_name_with_strange_characters_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job = NULL;
    struct job_fixture_spec ask;

    job_fixture_ask(f, "a/b", "-", &ask);
    ask.spec.out_dir = f->root;
    assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err, "name");
}

static void a_pile_of_requests_makes_no_pile_of_cas(void **state)
{
    static const char *const templates[] = { "RootCACertificate",
                                             "SubordinateCACertificate_PathLen0" };
    struct store_fixture *f = *state;

    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        struct batch_job *job = NULL;
        struct job_fixture_spec ask;

        job_fixture_ask(f, "cas", "-", &ask);
        ask.spec.terms.tmpl = templates[i];
        assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err,
                       "ca-template");
    }
    assert_int_equal(rows(f, STORE_JOB), 0);
}

static void a_new_job_is_running_with_profile_and_arguments(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job;
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct schema_job row;
    struct ca_bytes value;
    uint8_t hash[32];
    bool found;

    f->now_ms += 1234;
    job = create(f, "fleet");
    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, NULL), CA_OK);
    assert_int_equal(store_get(txn, STORE_JOB, schema_key_job(&key, job->number), &found, &value,
                               NULL), CA_OK);
    assert_true(found);
    assert_int_equal(schema_decode_job(value, &row, NULL), CA_OK);
    assert_int_equal(row.state, SCHEMA_JOB_RUNNING);
    assert_int_equal(row.created_ms, f->now_ms);
    assert_int_equal(row.ca, job->issuer->ca);
    assert_int_equal(row.done, 0);
    assert_memory_equal(row.profile, job->profile_hash, sizeof(hash));
    assert_int_equal(store_get(txn, STORE_PROFILE, schema_key_profile(&key, row.profile), &found,
                               &value, NULL), CA_OK);
    assert_true(found);
    assert_int_equal(EVP_Digest(value.data, value.len, hash, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(row.profile, hash, sizeof(hash));
    store_abort(txn);
    batch_job_free(job);
}

static void two_jobs_alike_share_a_profile(void **state)
{
    struct store_fixture *f = *state;
    uint64_t before = rows(f, STORE_PROFILE);
    struct batch_job *first = create(f, NULL), *second = create(f, NULL);

    assert_memory_equal(first->profile_hash, second->profile_hash, SCHEMA_HASH_LEN);
    assert_int_equal(rows(f, STORE_PROFILE), before + 1);
    batch_job_free(first);
    batch_job_free(second);
}

static void inputs_and_outputs_are_kept_as_absolute_paths(void **state)
{
    struct store_fixture *f = *state;
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;
    const char *inputs[2] = { "./requests", "-" };
    char path[512], *cwd = getcwd(NULL, 0), *root = realpath(f->root, NULL);
    json_t *text;

    assert_int_equal(chdir(f->root), 0);
    assert_int_equal(mkdir("requests", 0700), 0);
    job_fixture_ask(f, "fleet", "-", &ask);
    ask.spec.inputs = inputs;
    ask.spec.input_count = 2;
    ask.spec.out_dir = "new///";
    assert_int_equal(batch_job_create(f->registry, &ask.spec, &job, &f->err), CA_OK);
    assert_int_equal(chdir(cwd), 0);
    (void)snprintf(path, sizeof(path), "%s/requests", root);
    assert_string_equal(job->inputs[0], path);
    assert_string_equal(job->inputs[1], "-");
    (void)snprintf(path, sizeof(path), "%s/new", root);
    assert_string_equal(job->out_dir, path);
    batch_job_free(job);
    text = describe(f, "fleet");
    assert_string_equal(text_of(text, "out_dir"), path);
    assert_int_equal(json_array_size(json_object_get(text, "inputs")), 2);
    json_decref(text);
    free(cwd);
    free(root);
}

static void paths_that_lead_nowhere_are_refused(void **state)
{
    struct store_fixture *f = *state;
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;
    const char *twice[2] = { "-", "-" };
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/missing", f->root);
    job_fixture_ask(f, "fleet", path, &ask);
    assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err, "input");
    assert_non_null(strstr(f->err.text, "missing"));
    ask.inputs[0] = "-";
    ask.spec.input_count = 0;
    assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err, "input");
    ask.spec.inputs = twice;
    ask.spec.input_count = 2;
    assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err, "input");
    (void)snprintf(path, sizeof(path), "%s/missing/out", f->root);
    ask.spec.input_count = 1;
    ask.spec.out_dir = path;
    assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err, "output");
    ask.spec.out_dir = "";
    assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err, "output");
    assert_int_equal(rows(f, STORE_JOB), 0);
}

static void an_input_whose_name_is_not_utf8_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/b\xfcndel", f->root);
    assert_int_equal(mkdir(path, 0700), 0);
    job_fixture_ask(f, "fleet", path, &ask);
    assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err, "input");
}

/* The sentence is AWS's (spec section 5). */
static void a_template_that_outlives_the_ca_is_refused_before_anything_is_written(void **state)
{
    struct store_fixture *f = *state;
    uint64_t before = rows(f, STORE_PROFILE);
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;

    job_fixture_ask(f, "fleet", "-", &ask);
    ask.spec.validity = (struct ca_validity){ .type = CA_VALIDITY_YEARS, .value = 4 };
    assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err,
                   "validity-past-ca");
    assert_string_equal(f->err.text, "The certificate validity specified exceeds the certificate "
                                     "authority validity");
    assert_int_equal(rows(f, STORE_JOB), 0);
    assert_int_equal(rows(f, STORE_PROFILE), before);
}

static void the_default_validity_is_a_year_and_less_where_there_is_a_cap(void **state)
{
    struct store_fixture *f = *state;
    struct job_fixture_spec ask;
    struct batch_job *job = create(f, NULL);

    assert_int_equal(job->validity.type, CA_VALIDITY_DAYS);
    assert_int_equal(job->validity.value, 365);
    batch_job_free(job);
    job_fixture_ask(f, NULL, "-", &ask);
    ask.spec.terms.tmpl_json = ca_bytes_str("{\"name\":\"capped\","
                                            "\"base\":\"EndEntityCertificate/V1\","
                                            "\"validity\":{\"max\":\"90d\"}}");
    assert_int_equal(batch_job_create(f->registry, &ask.spec, &job, &f->err), CA_OK);
    assert_int_equal(job->validity.value, 90);
    batch_job_free(job);
}

static void a_short_lived_ca_gives_seven_days(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca_activate activate = { .name = "short", .parent = "root" };
    struct batch_ca_create make = { .name = "short", .short_lived = true };
    struct job_fixture_spec ask;
    struct ca_serial serial;
    struct batch_job *job = NULL;
    struct batch_ca ca;
    bool existed;
    char config[512];

    store_fixture_config("Short", "EC_prime256v1", "SHA256WITHECDSA", config);
    make.config_json = ca_bytes_str(config);
    assert_int_equal(batch_ca_create(f->registry, &make, &ca, &existed, &f->err), CA_OK);
    batch_ca_clear(&ca);
    assert_int_equal(batch_ca_activate(f->registry, &activate, &serial, &f->err), CA_OK);
    job_fixture_ask(f, "fleet", "-", &ask);
    ask.spec.ca = "short";
    assert_int_equal(batch_job_create(f->registry, &ask.spec, &job, &f->err), CA_OK);
    assert_int_equal(job->validity.type, CA_VALIDITY_DAYS);
    assert_int_equal(job->validity.value, 7);
    batch_job_free(job);
}

static void a_job_is_found_by_name_uuid_and_number(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *first = create(f, "fleet"), *second = create(f, "1");
    struct batch_job_view view;
    char uuid[37];

    batch_uuid_format(first->row.uuid, uuid);
    assert_int_equal(batch_job_find(f->registry, "fleet", &view, &f->err), CA_OK);
    assert_int_equal(view.number, 1);
    batch_job_view_clear(&view);
    assert_int_equal(batch_job_find(f->registry, uuid, &view, &f->err), CA_OK);
    assert_int_equal(view.number, 1);
    batch_job_view_clear(&view);
    /* A name comes before a number. */
    assert_int_equal(batch_job_find(f->registry, "1", &view, &f->err), CA_OK);
    assert_int_equal(view.number, 2);
    batch_job_view_clear(&view);
    assert_int_equal(batch_job_find(f->registry, "2", &view, &f->err), CA_OK);
    assert_int_equal(view.number, 2);
    batch_job_view_clear(&view);
    assert_refused(batch_job_find(f->registry, "3", &view, &f->err), &f->err, "no-such-job");
    assert_refused(batch_job_load(f->registry, "3", NULL, &first, &f->err), &f->err,
                   "no-such-job");
    batch_job_free(first);
    batch_job_free(second);
}

struct listed {
    unsigned count;
    char names[8][32];
    char states[8][32];
};

static enum ca_status list(void *ctx, const struct batch_job_view *v, struct ca_error *err)
{
    struct listed *listed = ctx;

    (void)err;
    assert_true(listed->count < 8);
    (void)snprintf(listed->names[listed->count], 32, "%.*s", (int)v->row.name.len,
                   (const char *)v->row.name.data);
    (void)snprintf(listed->states[listed->count], 32, "%s", v->state);
    listed->count++;
    return listed->count == 3 ? CA_AGAIN : CA_OK;
}

static void jobs_are_listed_in_order_until_the_visitor_ends_it(void **state)
{
    struct store_fixture *f = *state;
    struct listed listed = { 0 };

    batch_job_free(create(f, "a"));
    batch_job_free(create(f, "b"));
    assert_int_equal(batch_job_each(f->registry, list, &listed, &f->err), CA_OK);
    assert_int_equal(listed.count, 2);
    assert_string_equal(listed.names[0], "a");
    assert_string_equal(listed.names[1], "b");
    batch_job_free(create(f, "c"));
    batch_job_free(create(f, "d"));
    listed = (struct listed){ 0 };
    assert_int_equal(batch_job_each(f->registry, list, &listed, &f->err), CA_AGAIN);
    assert_int_equal(listed.count, 3);
}

static void a_running_job_is_shown_so_only_while_a_run_holds_the_lock(void **state)
{
    struct store_fixture *f = *state;
    struct holder holder;
    struct batch_job_view view;

    batch_job_free(create(f, "fleet"));
    assert_int_equal(batch_job_find(f->registry, "fleet", &view, &f->err), CA_OK);
    assert_string_equal(view.state, "interrupted");
    batch_job_view_clear(&view);
    hold_lock(f, &holder);
    assert_int_equal(batch_job_find(f->registry, "fleet", &view, &f->err), CA_OK);
    assert_string_equal(view.state, "running");
    batch_job_view_clear(&view);
    end_holder(&holder);
    assert_int_equal(batch_job_find(f->registry, "fleet", &view, &f->err), CA_OK);
    assert_string_equal(view.state, "interrupted");
    batch_job_view_clear(&view);
    /* Looking did not take the lock. */
    assert_int_equal(store_lock_run(f->registry->store, &f->err), CA_OK);
    assert_int_equal(batch_job_find(f->registry, "fleet", &view, &f->err), CA_OK);
    assert_string_equal(view.state, "running");
    batch_job_view_clear(&view);
    store_unlock_run(f->registry->store);
}

static void while_a_run_is_active_none_is_made_or_taken_up(void **state)
{
    struct store_fixture *f = *state;
    struct job_fixture_spec ask;
    struct holder holder;
    struct batch_job *job = NULL;

    batch_job_free(create(f, "fleet"));
    hold_lock(f, &holder);
    job_fixture_ask(f, "other", "-", &ask);
    assert_refused(batch_job_create(f->registry, &ask.spec, &job, &f->err), &f->err,
                   "run-active");
    assert_refused(batch_job_load(f->registry, "fleet", NULL, &job, &f->err), &f->err,
                   "run-active");
    end_holder(&holder);
    assert_int_equal(rows(f, STORE_JOB), 1);
}

static void a_job_of_a_killed_run_is_not_shown_as_the_running_one(void **state)
{
    struct store_fixture *f = *state;
    struct listed listed = { 0 };

    batch_job_free(create(f, "killed"));
    batch_job_free(create(f, "now"));
    assert_int_equal(store_lock_run(f->registry->store, &f->err), CA_OK);
    assert_int_equal(batch_job_each(f->registry, list, &listed, &f->err), CA_OK);
    assert_string_equal(listed.states[0], "interrupted");
    assert_string_equal(listed.states[1], "running");
    store_unlock_run(f->registry->store);
}

static void a_stopped_job_comes_back_as_it_was(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job = create(f, "fleet"), *again = NULL;

    job->row.done = 70;
    job->row.issued = 60;
    job->row.rejected = 10;
    job->row.out_done = 64;
    job->row.out_lengths[0] = 4711;
    leave_in_state(f, job, SCHEMA_JOB_INTERRUPTED);
    assert_int_equal(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), CA_OK);
    assert_int_equal(again->number, job->number);
    assert_string_equal(again->name, "fleet");
    assert_string_equal(again->ca, "sub");
    assert_string_equal(again->out_dir, job->out_dir);
    assert_string_equal(again->inputs[0], "-");
    assert_ptr_equal(again->terms->tmpl, ca_template_default());
    assert_string_equal(again->tmpl_name, "EndEntityCertificate");
    assert_int_equal(again->row.state, SCHEMA_JOB_RUNNING);
    assert_int_equal(again->row.done, 70);
    assert_int_equal(again->row.out_done, 64);
    assert_int_equal(again->row.out_lengths[0], 4711);
    assert_memory_equal(again->profile_hash, job->profile_hash, SCHEMA_HASH_LEN);
    assert_non_null(again->issuer->key);
    batch_job_free(again);
    batch_job_free(job);
}

static void a_failed_job_can_be_taken_up_again(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job = create(f, "fleet"), *again = NULL;

    leave_in_state(f, job, SCHEMA_JOB_FAILED);
    assert_int_equal(batch_job_load(f->registry, "1", NULL, &again, &f->err), CA_OK);
    batch_job_free(again);
    batch_job_free(job);
}

static void in_another_directory_the_outputs_begin_anew(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job = create(f, "fleet"), *again = NULL;
    char path[512], *root = realpath(f->root, NULL);

    job->row.done = job->row.issued = job->row.out_done = 70;
    job->row.out_lengths[0] = 4711;
    leave_in_state(f, job, SCHEMA_JOB_INTERRUPTED);
    (void)snprintf(path, sizeof(path), "%s/elsewhere", root);
    assert_int_equal(batch_job_load(f->registry, "fleet", path, &again, &f->err), CA_OK);
    assert_string_equal(again->out_dir, path);
    assert_int_equal(again->row.done, 70);
    assert_int_equal(again->row.out_done, 0);
    assert_int_equal(again->row.out_lengths[0], 0);
    batch_job_free(again);
    /* And stay there. */
    assert_int_equal(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), CA_OK);
    assert_string_equal(again->out_dir, path);
    batch_job_free(again);
    batch_job_free(job);
    free(root);
}

static void an_ended_job_is_not_taken_up_again(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job = create(f, "fleet"), *again = NULL;

    leave_in_state(f, job, SCHEMA_JOB_COMPLETED);
    assert_refused(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), &f->err,
                   "job-completed");
    assert_non_null(strstr(f->err.hint, "fleet.out"));
    leave_in_state(f, job, SCHEMA_JOB_CANCELLED);
    assert_refused(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), &f->err,
                   "job-cancelled");
    batch_job_free(job);
}

/* Here: the CA writes a CRL's address into its certificates from now on. */
static void a_job_whose_certificates_would_be_others_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job = create(f, "fleet"), *again = NULL;
    const char *revocation = "{\"CrlConfiguration\":{\"Enabled\":true,\"ExpirationInDays\":7,"
                             "\"CustomCname\":\"crl.example\",\"S3BucketName\":\"bucket\"}}";

    leave_in_state(f, job, SCHEMA_JOB_INTERRUPTED);
    assert_int_equal(batch_ca_update(f->registry, "sub", 0, ca_bytes_str(revocation), &f->err),
                     CA_OK);
    assert_refused(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), &f->err,
                   "profile-changed");
    batch_job_free(job);
}

/* ---- terms ---- */

static const char own_template[] =
    "{ \"name\": \"gadget\", \"comment\": \"ours\", \"base\": "
    "\"EndEntityCertificate_APIPassthrough/V1\", \"duplicate_keys\": { \"run\": \"reject\" } }";
static const char own_api[] =
    "{ \"Subject\": { \"Organization\": \"B\\u00fccher & Co\", \"Country\": \"DE\" } }";

static void write_blocklist(const struct store_fixture *f, const char *hash, char path[512])
{
    (void)snprintf(path, 512, "%s/blocked", f->root);
    assert_int_equal(file_write(path, 0600, ca_bytes_str(hash), NULL), CA_OK);
}

static struct batch_job *create_with_terms(struct store_fixture *f, const char *blocklist)
{
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;

    job_fixture_ask(f, "fleet", "-", &ask);
    ask.spec.terms = (struct batch_terms_spec){
        .tmpl_json = ca_bytes_str(own_template), .api_json = ca_bytes_str(own_api),
        .blocklist = blocklist, .strict = true,
    };
    if (batch_job_create(f->registry, &ask.spec, &job, &f->err) != CA_OK)
        fail_msg("create: %s", f->err.text);
    return job;
}

static void a_resumed_job_has_the_terms_it_began_with(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job, *again = NULL;
    char blocklist[512];

    write_blocklist(f, "# none\n00112233445566778899aabbccddeeff\n", blocklist);
    job = create_with_terms(f, blocklist);
    assert_string_equal(job->tmpl_name, "gadget");
    leave_in_state(f, job, SCHEMA_JOB_INTERRUPTED);
    assert_int_equal(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), CA_OK);
    assert_memory_equal(again->profile_hash, job->profile_hash, SCHEMA_HASH_LEN);
    assert_string_equal(again->tmpl_name, "gadget");
    assert_true(ca_bytes_equal(again->terms->tmpl->source, job->terms->tmpl->source));
    assert_int_equal(again->terms->tmpl->keys_in_run, CA_KEYS_REJECT);
    assert_true(ca_bytes_equal(ca_buf_view(&again->terms->api_json),
                               ca_buf_view(&job->terms->api_json)));
    assert_int_equal(ca_blocklist_count(again->terms->blocklist), 1);
    assert_true(again->terms->strict);
    batch_job_free(again);
    batch_job_free(job);
}

static void a_blocklist_that_changed_or_went_stops_a_resume(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job, *again = NULL;
    char blocklist[512];

    write_blocklist(f, "00112233445566778899aabbccddeeff\n", blocklist);
    job = create_with_terms(f, blocklist);
    leave_in_state(f, job, SCHEMA_JOB_INTERRUPTED);
    write_blocklist(f, "00112233445566778899aabbccddeefe\n", blocklist);
    assert_refused(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), &f->err,
                   "profile-changed");
    assert_non_null(strstr(f->err.hint, "blocklist"));
    assert_int_equal(unlink(blocklist), 0);
    assert_int_equal(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), CA_IO);
    assert_non_null(strstr(f->err.text, "blocked"));
    write_blocklist(f, "# what it says counts\n00112233445566778899aabbccddeeff\n", blocklist);
    assert_int_equal(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), CA_OK);
    batch_job_free(again);
    batch_job_free(job);
}

static void terms_that_cannot_be_used_leave_no_job(void **state)
{
    static const struct { const char *tmpl, *json, *api; } bad[] = {
        { "NoSuchTemplate", NULL, NULL }, { NULL, "{\"name\":\"x\"}", NULL },
        { NULL, NULL, "{\"Subject\":{\"Planet\":\"Earth\"}}" }, { NULL, NULL, "[" },
    };
    struct store_fixture *f = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct job_fixture_spec ask;
        struct batch_job *job = NULL;

        job_fixture_ask(f, "fleet", "-", &ask);
        ask.spec.terms.tmpl = bad[i].tmpl;
        if (bad[i].json != NULL) ask.spec.terms.tmpl_json = ca_bytes_str(bad[i].json);
        if (bad[i].api != NULL) ask.spec.terms.api_json = ca_bytes_str(bad[i].api);
        assert_true(ca_status_is_request(batch_job_create(f->registry, &ask.spec, &job, &f->err)));
        assert_null(job);
    }
    assert_int_equal(rows(f, STORE_JOB), 0);
}

static void a_job_is_described_with_its_terms(void **state)
{
    struct store_fixture *f = *state;
    char blocklist[512], *path;
    json_t *text, *subject;

    write_blocklist(f, "00112233445566778899aabbccddeeff\n", blocklist);
    path = realpath(blocklist, NULL);
    batch_job_free(create_with_terms(f, blocklist));
    text = describe(f, "fleet");
    assert_string_equal(text_of(text, "template"), "gadget");
    assert_string_equal(text_of(json_object_get(text, "template_source"), "base"),
                        "EndEntityCertificate_APIPassthrough/V1");
    subject = json_object_get(json_object_get(text, "api_passthrough"), "Subject");
    assert_string_equal(text_of(subject, "Organization"), "B\xc3\xbc" "cher & Co");
    assert_true(json_is_true(json_object_get(text, "strict_passthrough")));
    assert_string_equal(text_of(text, "blocklist"), path);
    json_decref(text);
    free(path);
    batch_job_free(create(f, "plain"));
    text = describe(f, "plain");
    assert_string_equal(text_of(text, "template"), "EndEntityCertificate");
    assert_true(json_is_null(json_object_get(text, "template_source")));
    assert_true(json_is_null(json_object_get(text, "api_passthrough")));
    assert_true(json_is_false(json_object_get(text, "strict_passthrough")));
    assert_true(json_is_null(json_object_get(text, "blocklist")));
    json_decref(text);
}

static void a_job_taken_up_too_late_for_its_ca_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *job = create(f, "fleet"), *again = NULL;

    leave_in_state(f, job, SCHEMA_JOB_INTERRUPTED);
    f->now_ms += 2 * 366 * STORE_FIXTURE_DAY_MS;
    assert_refused(batch_job_load(f->registry, "fleet", NULL, &again, &f->err), &f->err,
                   "validity-past-ca");
    batch_job_free(job);
}

static void a_row_that_moved_between_load_and_lock_is_noticed(void **state)
{
    struct store_fixture *f = *state;
    struct batch_job *mine = create(f, "fleet"), *theirs = NULL;
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, NULL), CA_OK);
    assert_int_equal(batch_job_recheck(txn, mine, &f->err), CA_OK);
    store_abort(txn);
    f->now_ms += 1;
    assert_int_equal(batch_job_load(f->registry, "fleet", NULL, &theirs, &f->err), CA_OK);
    theirs->row.done = 1;
    leave_in_state(f, theirs, SCHEMA_JOB_INTERRUPTED);
    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, NULL), CA_OK);
    assert_refused(batch_job_recheck(txn, mine, &f->err), &f->err, "job-changed");
    store_abort(txn);
    batch_job_free(theirs);
    batch_job_free(mine);
}

static void a_completed_job_is_described_with_its_counts(void **state)
{
    struct store_fixture *f = *state;
    char path[512];
    json_t *text;

    job_fixture_bundle(f, "requests.pem", 20, 5, path);
    job_fixture_run(f, "fleet", path);
    text = describe(f, "fleet");
    assert_string_equal(text_of(text, "state"), "completed");
    assert_string_equal(text_of(text, "name"), "fleet");
    assert_string_equal(text_of(text, "ca"), "sub");
    assert_string_equal(text_of(text, "template"), "EndEntityCertificate");
    assert_string_equal(text_of(text, "validity"), "Value=365,Type=DAYS");
    assert_string_equal(text_of(text, "created_at"), "2026-09-21T14:13:20.000Z");
    assert_int_equal(strlen(text_of(text, "uuid")), 36);
    assert_int_equal(strlen(text_of(text, "profile")), 64);
    assert_int_equal(json_integer_value(json_object_get(text, "number")), 1);
    assert_int_equal(json_integer_value(json_object_get(text, "done")), 20);
    assert_int_equal(json_integer_value(json_object_get(text, "issued")), 16);
    assert_int_equal(json_integer_value(json_object_get(text, "rejected")), 4);
    assert_true(json_is_object(json_object_get(text, "summary")));
    json_decref(text);
}

static void arguments_that_encode_did_not_write_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "[]", "{}", "{\"ca\":\"a\",\"template\":\"b\",\"validity\":\"1d\",\"inputs\":[]"
        ",\"per_file\":false}",
        "{\"ca\":\"a\",\"template\":\"b\",\"validity\":\"x\",\"inputs\":[\"-\"],\"per_file\":true}",
        "{\"ca\":\"a\",\"template\":\"b\",\"validity\":\"1d\",\"inputs\":[1],\"per_file\":true}",
        "{\"ca\":\"a\",\"template\":\"b\",\"validity\":\"1d\",\"inputs\":[\"-\"],\"per_file\":true,"
        "\"more\":1}",
        "{\"ca\":\"a\",\"template\":\"b\",\"validity\":\"1d\",\"inputs\":[\"-\"],\"per_file\":true,"
        "\"api_passthrough\":\"{}\"}",
        "{\"ca\":\"a\",\"template\":\"b\",\"validity\":\"1d\",\"inputs\":[\"-\"],\"per_file\":true,"
        "\"template_source\":[]}",
        "{\"ca\":\"a\",\"template\":\"b\",\"validity\":\"1d\",\"inputs\":[\"-\"],\"per_file\":true,"
        "\"blocklist\":1}",
        "{\"ca\":\"a\",\"template\":\"b\",\"validity\":\"1d\",\"inputs\":[\"-\"],\"per_file\":true,"
        "\"strict_passthrough\":1}",
    };
    struct batch_job_args args;
    struct ca_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(batch_job_args_decode(ca_bytes_str(bad[i]), &args, &err), CA_CORRUPT);
        assert_string_equal(ca_error_name(&err), "bad-row");
        assert_null(args.inputs);
    }
}

#define job_test(name) cmocka_unit_test_setup_teardown(name, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        job_test(a_job_without_a_name_is_called_by_its_number),
        job_test(a_number_that_is_taken_as_a_name_gives_way),
        job_test(a_name_that_is_taken_is_refused_and_nothing_is_written),
        job_test(a_name_with_strange_characters_is_refused),
        job_test(a_pile_of_requests_makes_no_pile_of_cas),
        job_test(a_new_job_is_running_with_profile_and_arguments),
        job_test(two_jobs_alike_share_a_profile),
        job_test(inputs_and_outputs_are_kept_as_absolute_paths),
        job_test(paths_that_lead_nowhere_are_refused),
        job_test(an_input_whose_name_is_not_utf8_is_refused),
        job_test(a_template_that_outlives_the_ca_is_refused_before_anything_is_written),
        job_test(the_default_validity_is_a_year_and_less_where_there_is_a_cap),
        job_test(a_short_lived_ca_gives_seven_days),
        job_test(a_job_is_found_by_name_uuid_and_number),
        job_test(jobs_are_listed_in_order_until_the_visitor_ends_it),
        job_test(a_running_job_is_shown_so_only_while_a_run_holds_the_lock),
        job_test(while_a_run_is_active_none_is_made_or_taken_up),
        job_test(a_job_of_a_killed_run_is_not_shown_as_the_running_one),
        job_test(a_stopped_job_comes_back_as_it_was),
        job_test(a_failed_job_can_be_taken_up_again),
        job_test(in_another_directory_the_outputs_begin_anew),
        job_test(an_ended_job_is_not_taken_up_again),
        job_test(a_job_whose_certificates_would_be_others_is_refused),
        job_test(a_resumed_job_has_the_terms_it_began_with),
        job_test(a_blocklist_that_changed_or_went_stops_a_resume),
        job_test(terms_that_cannot_be_used_leave_no_job),
        job_test(a_job_is_described_with_its_terms),
        job_test(a_job_taken_up_too_late_for_its_ca_is_refused),
        job_test(a_row_that_moved_between_load_and_lock_is_noticed),
        job_test(a_completed_job_is_described_with_its_counts),
        cmocka_unit_test(arguments_that_encode_did_not_write_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
