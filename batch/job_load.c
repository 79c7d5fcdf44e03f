/* Jobs with all that a run needs of them: a new one made, a stopped one taken up again. */
#include "batch/registry_job.h"

#include "batch/ca_row.h"
#include "batch/job_args.h"
#include "batch/job_row.h"
#include "batch/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void batch_job_free(struct batch_job *job)
{
    if (job == NULL) return;
    for (size_t i = 0; i < job->input_count; i++) {
        free(job->inputs[i]);
    }
    free(job->inputs);
    free(job->name);
    free(job->ca);
    free(job->tmpl_name);
    free(job->out_dir);
    ca_profile_free(job->profile);
    batch_issuer_free(job->issuer);     /* the profile borrowed from both */
    batch_terms_free(job->terms);
    ca_buf_clear(&job->value);
    free(job);
}

/* ---- what a job is made of ---- */

/* Copies a row into the job; the row's views then point into job->value. */
static enum ca_status job_set_row(struct batch_job *job, const struct schema_job *row,
                                  struct ca_error *err)
{
    struct ca_buf value;
    enum ca_status st = batch_job_encode(row, &value, err);

    if (st == CA_OK) st = schema_decode_job(ca_buf_view(&value), &job->row, err);
    if (st != CA_OK) {
        ca_buf_clear(&value);
        return st;
    }
    ca_buf_clear(&job->value);          /* row may have been a view into it until here */
    job->value = value;
    return CA_OK;
}

static enum ca_status copy_text(struct ca_bytes text, char **out, struct ca_error *err)
{
    free(*out);
    *out = strndup((const char *)text.data, text.len);
    return *out != NULL ? CA_OK : ca_fail(err, CA_NOMEM, "no memory for a job");
}

/* Moves what a job keeps of the arguments into it. */
static void job_take_args(struct batch_job *job, struct batch_job_args *args)
{
    job->ca = args->ca;
    job->tmpl_name = args->tmpl;
    job->validity = args->validity;
    job->inputs = args->inputs;
    job->input_count = args->input_count;
    job->per_file = args->per_file;
    args->ca = args->tmpl = NULL;
    args->inputs = NULL;
    args->input_count = 0;
}

/* The profile becomes the job's; compiled keeps its description. */
static enum ca_status job_compile(struct batch_registry *registry, struct batch_job *job,
                                  struct batch_compiled *compiled, struct ca_error *err)
{
    const struct batch_profile_ask ask = { .terms = job->terms, .validity = job->validity };
    enum ca_status st = batch_profile_compile(registry, job->issuer, &ask, compiled, err);

    if (st != CA_OK) return st;
    job->profile = compiled->profile;
    compiled->profile = NULL;
    memcpy(job->profile_hash, compiled->hash, sizeof(job->profile_hash));
    return CA_OK;
}

/* Before anything is signed: the CA is as it was loaded, and a certificate may have these dates. */
static enum ca_status check_issuing(struct batch_registry *registry, struct store_txn *txn,
                                    const struct batch_job *job, int64_t *now_ms,
                                    struct ca_error *err)
{
    int64_t not_before_s, not_after_s;
    enum ca_status st = batch_registry_issuing_time(registry, txn, now_ms, err);

    if (st == CA_OK) st = batch_issuer_recheck(txn, job->issuer, *now_ms, err);
    if (st != CA_OK) return st;
    return ca_profile_dates(job->profile, *now_ms / 1000, &not_before_s, &not_after_s, err);
}

static enum ca_status refuse_active(const struct batch_registry *registry, struct ca_error *err)
{
    bool active;
    enum ca_status st = store_run_active(registry->store, &active, err);

    if (st != CA_OK || !active) return st;
    (void)ca_fail_named(err, CA_REFUSED, "run-active", "another run works in this store");
    ca_hint(err, "Wait for it to end, or stop it with SIGTERM; it can be resumed.");
    return CA_REFUSED;
}

/* No run is active and one begins: whichever row still says RUNNING belongs to a run that was
 * killed. Left alone it would be shown as running once the new run holds the lock. */
static enum ca_status settle_killed(struct batch_registry *registry, struct store_txn *txn,
                                    uint32_t except, struct ca_error *err)
{
    struct schema_clock numbers;
    struct schema_key key;
    enum ca_status st = batch_registry_read_clock(txn, &numbers, err);

    for (uint32_t number = 1; st == CA_OK && number <= numbers.last_job; number++) {
        struct ca_bytes value;
        struct schema_job row;
        bool found;

        st = store_get(txn, STORE_JOB, schema_key_job(&key, number), &found, &value, err);
        if (st != CA_OK || !found || number == except) continue;
        st = schema_decode_job(value, &row, err);
        if (st != CA_OK || row.state != SCHEMA_JOB_RUNNING) continue;
        row.state = SCHEMA_JOB_INTERRUPTED;
        row.updated_ms = ca_clock_now_ms(&registry->clock);
        st = batch_job_put_row(txn, number, &row, err);
    }
    return st;
}

/* ---- a new one ---- */

/* The CA's own name, also when the job was given its ARN. */
static enum ca_status ca_name_of(struct batch_registry *registry, uint32_t number, char **name,
                                 char **arn, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct batch_ca ca;
    bool found;
    enum ca_status st = store_begin(registry->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = batch_ca_get(registry, txn, number, &found, &ca, err);
    store_abort(txn);
    if (st != CA_OK) return st;
    if (!found) {
        return ca_fail_named(err, CA_CORRUPT, "store-damaged", "CA %" PRIu32 " is not in the store",
                             number);
    }
    if (name != NULL) st = copy_text(ca.row.name, name, err);
    if (st == CA_OK && arn != NULL) st = copy_text(ca_bytes_str(ca.arn), arn, err);
    batch_ca_clear(&ca);
    return st;
}

/* A pile of requests must not make a pile of CAs: those are made one by one, on purpose. */
static enum ca_status refuse_ca_template(const struct ca_template *tmpl, struct ca_error *err)
{
    if (tmpl->kind == CA_TEMPLATE_END_ENTITY) return CA_OK;
    (void)ca_fail_named(err, CA_REFUSED, "ca-template",
                        "template %s makes CA certificates, which a batch does not issue",
                        tmpl->name);
    ca_hint(err, "certmill issue and certmill ca activate sign them one by one");
    return CA_REFUSED;
}

/* Everything but number, name and row. */
static enum ca_status job_prepare(struct batch_registry *registry,
                                  const struct batch_job_spec *spec, struct batch_job *job,
                                  struct batch_job_args *args, struct batch_compiled *compiled,
                                  struct ca_error *err)
{
    enum ca_status st = batch_terms_new(&spec->terms, registry->crypto, &job->terms, err);

    if (st == CA_OK) st = refuse_ca_template(job->terms->tmpl, err);
    if (st == CA_OK)
        st = batch_job_args_set_terms(args, job->terms, spec->terms.tmpl_json.len > 0, err);
    if (st == CA_OK)
        st = batch_job_args_set_inputs(args, spec->inputs, spec->input_count, err);
    if (st == CA_OK) st = batch_job_out_dir(spec->out_dir, &job->out_dir, err);
    if (st == CA_OK) st = batch_issuer_load(registry, spec->ca, false, &job->issuer, err);
    if (st == CA_OK) st = ca_name_of(registry, job->issuer->ca, &args->ca, NULL, err);
    if (st != CA_OK) return st;
    args->per_file = spec->per_file;
    args->validity = spec->validity;
    if (args->validity.type == CA_VALIDITY_NONE) {
        args->validity = batch_validity_default(job->terms->tmpl, job->issuer->short_lived);
    }
    job->validity = args->validity;
    return job_compile(registry, job, compiled, err);
}

static enum ca_status name_is_free(struct store_txn *txn, const char *name, bool *is_free,
                                   struct ca_error *err)
{
    struct schema_job row;
    struct ca_bytes value;
    uint32_t number;
    bool found;
    enum ca_status st = batch_job_look_up(txn, name, &found, &number, &value, err);

    *is_free = true;
    if (st != CA_OK || !found) return st;
    st = schema_decode_job(value, &row, err);
    if (st != CA_OK) return st;
    /* A name that reads like another job's number or UUID is odd but no clash. */
    *is_free = !ca_bytes_equal(row.name, ca_bytes_str(name));
    return CA_OK;
}

/* "job-N"; ".1" and so on behind it when somebody gave that name to another job. */
static enum ca_status choose_name(struct store_txn *txn, const char *wanted, uint32_t number,
                                  char **out, struct ca_error *err)
{
    char name[BATCH_CA_NAME_MAX + 1];
    bool is_free = false;
    enum ca_status st = CA_OK;

    if (wanted != NULL) {
        st = name_is_free(txn, wanted, &is_free, err);
        if (st == CA_OK && !is_free) {
            st = ca_fail_named(err, CA_REFUSED, "job-exists", "there is a job %s already", wanted);
            ca_hint(err, "certmill batch show %s says how it stands, and certmill batch resume %s "
                    "goes on with it when it is not completed; a new one needs another name",
                    wanted, wanted);
        }
        return st == CA_OK ? copy_text(ca_bytes_str(wanted), out, err) : st;
    }
    for (unsigned attempt = 0; st == CA_OK && !is_free; attempt++) {
        int len = snprintf(name, sizeof(name), "job-%" PRIu32, number);

        if (attempt > 0) {
            (void)snprintf(name + len, sizeof(name) - (size_t)len, ".%u", attempt);
        }
        st = name_is_free(txn, name, &is_free, err);
    }
    return st == CA_OK ? copy_text(ca_bytes_str(name), out, err) : st;
}

static enum ca_status next_number(struct store_txn *txn, uint32_t *number, struct ca_error *err)
{
    struct schema_clock clock;
    enum ca_status st = batch_registry_read_clock(txn, &clock, err);

    if (st != CA_OK) return st;
    if (clock.last_job == UINT32_MAX) {
        return ca_fail_named(err, CA_FULL, "too-many-jobs", "the store has no job numbers left");
    }
    *number = ++clock.last_job;
    return batch_registry_write_clock(txn, &clock, err);
}

/* Inside the transaction that makes the job. */
static enum ca_status job_insert(struct batch_registry *registry, struct store_txn *txn,
                                 const struct batch_job_spec *spec, struct batch_job *job,
                                 struct ca_bytes args, const struct batch_compiled *compiled,
                                 struct ca_error *err)
{
    struct schema_job row = { .state = SCHEMA_JOB_RUNNING, .ca = job->issuer->ca, .spec = args };
    enum ca_status st = check_issuing(registry, txn, job, &row.created_ms, err);

    if (st == CA_OK) st = settle_killed(registry, txn, 0, err);
    if (st == CA_OK) st = next_number(txn, &job->number, err);
    if (st == CA_OK) st = choose_name(txn, spec->name, job->number, &job->name, err);
    if (st == CA_OK) st = batch_uuid_draw(registry->crypto, row.uuid, err);
    if (st == CA_OK) st = batch_profile_put(txn, compiled, err);
    if (st != CA_OK) return st;
    row.updated_ms = row.created_ms;
    row.name = ca_bytes_str(job->name);
    row.out_dir = ca_bytes_str(job->out_dir);
    memcpy(row.profile, job->profile_hash, sizeof(row.profile));
    st = job_set_row(job, &row, err);
    return st == CA_OK ? batch_job_put(txn, job, err) : st;
}

enum ca_status batch_job_create(struct batch_registry *registry, const struct batch_job_spec *spec,
                                struct batch_job **out, struct ca_error *err)
{
    struct batch_job *job = calloc(1, sizeof(*job));
    struct batch_job_args args = { 0 };
    struct batch_compiled compiled = { .profile = NULL };
    struct ca_buf args_json;
    struct store_txn *txn = NULL;
    enum ca_status st = CA_OK;

    if (job == NULL) return ca_fail(err, CA_NOMEM, "no memory for a job");
    ca_buf_init(&args_json, BATCH_JOB_ARGS_MAX);
    if (spec->name != NULL) st = batch_name_check(spec->name, "job", err);
    if (st == CA_OK) st = refuse_active(registry, err);
    if (st == CA_OK) st = job_prepare(registry, spec, job, &args, &compiled, err);
    if (st == CA_OK) st = batch_job_args_encode(&args, &args_json, err);
    if (st == CA_OK) st = store_begin(registry->store, STORE_WRITE, &txn, err);
    if (st != CA_OK) goto out;
    st = job_insert(registry, txn, spec, job, ca_buf_view(&args_json), &compiled, err);
    if (st != CA_OK) goto out;
    st = store_commit(txn, err);
    txn = NULL;
    if (st != CA_OK) goto out;
    job_take_args(job, &args);
    *out = job;
    job = NULL;
out:
    store_abort(txn);
    batch_job_args_clear(&args);
    ca_buf_clear(&args_json);
    batch_compiled_clear(&compiled);
    batch_job_free(job);
    return st;
}

/* ---- one taken up again ---- */

static enum ca_status refuse_ended(const struct schema_job *row, const char *job,
                                   struct ca_error *err)
{
    switch ((enum schema_job_state)row->state) {
    case SCHEMA_JOB_RUNNING:
    case SCHEMA_JOB_INTERRUPTED:
    case SCHEMA_JOB_FAILED:
        return CA_OK;
    case SCHEMA_JOB_COMPLETED:
        (void)ca_fail_named(err, CA_REFUSED, "job-completed", "job %s is completed", job);
        ca_hint(err, "its outputs lie in %.*s", (int)row->out_dir.len,
                (const char *)row->out_dir.data);
        return CA_REFUSED;
    case SCHEMA_JOB_CANCELLED:
        (void)ca_fail_named(err, CA_REFUSED, "job-cancelled", "job %s was cancelled", job);
        ca_hint(err, "give its inputs to a new job");
        return CA_REFUSED;
    }
    return ca_fail_named(err, CA_CORRUPT, "bad-row", "table job: job %s has state %u", job,
                         (unsigned)row->state);
}

static enum ca_status read_job(struct batch_registry *registry, const char *name,
                               struct batch_job *job, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct ca_bytes value;
    bool found;
    enum ca_status st = store_begin(registry->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = batch_job_look_up(txn, name, &found, &job->number, &value, err);
    if (st == CA_OK && !found) st = batch_job_refuse_unknown(name, err);
    if (st == CA_OK) st = schema_decode_job(value, &job->row, err);
    if (st == CA_OK) st = job_set_row(job, &job->row, err);
    store_abort(txn);
    if (st == CA_OK) st = copy_text(job->row.name, &job->name, err);
    if (st == CA_OK) st = copy_text(job->row.out_dir, &job->out_dir, err);
    return st;
}

/* By number, so that a CA made later under the same name cannot take its place. */
static enum ca_status load_issuer(struct batch_registry *registry, struct batch_job *job,
                                  struct ca_error *err)
{
    char *arn = NULL;
    enum ca_status st = ca_name_of(registry, job->row.ca, NULL, &arn, err);

    if (st == CA_OK) st = batch_issuer_load(registry, arn, false, &job->issuer, err);
    free(arn);
    return st;
}

static enum ca_status refuse_other_profile(const struct batch_job *job, struct ca_error *err)
{
    (void)ca_fail_named(err, CA_REFUSED, "profile-changed",
                        "job %s would issue other certificates than when it began", job->name);
    ca_hint(err, "the CA's certificate, its revocation settings, %sor what this version makes of "
                 "the template changed; give the inputs that are left to a new job",
            job->terms->blocklist_path != NULL ? "the blocklist's file " : "");
    return CA_REFUSED;
}

/* The terms again as they were asked for, and the same profile from them. */
static enum ca_status check_profile(struct batch_registry *registry, struct batch_job *job,
                                    const struct batch_job_args *args, struct ca_error *err)
{
    struct batch_terms_spec spec = batch_job_args_terms(args);
    struct batch_compiled compiled = { .profile = NULL };
    enum ca_status st;

    spec.tmpl = job->tmpl_name;         /* moved out of args */
    st = batch_terms_new(&spec, registry->crypto, &job->terms, err);
    if (st == CA_OK) st = job_compile(registry, job, &compiled, err);
    batch_compiled_clear(&compiled);
    if (st != CA_OK) return st;
    if (memcmp(job->profile_hash, job->row.profile, sizeof(job->profile_hash)) == 0) return CA_OK;
    return refuse_other_profile(job, err);
}

/* Whether a row, as it is in the store, is still the job's; one that was settled counts as such. */
static enum ca_status is_unchanged(const struct batch_job *job, struct ca_bytes value, bool *same,
                                   struct ca_error *err)
{
    struct schema_job row;
    struct ca_buf settled;
    enum ca_status st;

    *same = ca_bytes_equal(value, ca_buf_view(&job->value));
    if (*same) return CA_OK;
    st = schema_decode_job(value, &row, err);
    if (st != CA_OK || row.state != SCHEMA_JOB_INTERRUPTED) return st;
    row.state = SCHEMA_JOB_RUNNING;
    row.updated_ms = job->row.updated_ms;
    st = batch_job_encode(&row, &settled, err);
    *same = st == CA_OK && ca_bytes_equal(ca_buf_view(&settled), ca_buf_view(&job->value));
    ca_buf_clear(&settled);
    return st;
}

enum ca_status batch_job_recheck(struct store_txn *txn, const struct batch_job *job,
                                 struct ca_error *err)
{
    struct schema_key key;
    struct ca_bytes value;
    bool found, same = false;
    enum ca_status st = store_get(txn, STORE_JOB, schema_key_job(&key, job->number), &found, &value,
                                  err);

    if (st == CA_OK && found) st = is_unchanged(job, value, &same, err);
    if (st != CA_OK || same) return st;
    (void)ca_fail_named(err, CA_REFUSED, "job-changed",
                        "another process worked on job %s meanwhile", job->name);
    ca_hint(err, "certmill batch show %s says how far it is", job->name);
    return CA_REFUSED;
}

/* The old directory has the part files; in another one they are written from the beginning. */
static enum ca_status job_move(struct batch_job *job, const char *dir, struct ca_error *err)
{
    char *path = NULL;
    enum ca_status st = batch_job_out_dir(dir, &path, err);

    if (st != CA_OK) return st;
    if (strcmp(path, job->out_dir) != 0) {
        job->row.finishing = false;     /* no final name in the other directory is this job's */
        job->row.out_done = 0;
        memset(job->row.out_lengths, 0, sizeof(job->row.out_lengths));
    }
    free(job->out_dir);
    job->out_dir = path;
    return CA_OK;
}

/* Inside the transaction that makes it RUNNING. */
static enum ca_status job_restart(struct batch_registry *registry, struct store_txn *txn,
                                  struct batch_job *job, const char *out_dir, struct ca_error *err)
{
    struct schema_job row;
    int64_t now_ms;
    enum ca_status st = batch_job_recheck(txn, job, err);

    if (st == CA_OK) st = check_issuing(registry, txn, job, &now_ms, err);
    if (st == CA_OK) st = settle_killed(registry, txn, job->number, err);
    if (st == CA_OK && out_dir != NULL) st = job_move(job, out_dir, err);
    if (st != CA_OK) return st;
    row = job->row;
    row.state = SCHEMA_JOB_RUNNING;
    row.updated_ms = now_ms;
    row.out_dir = ca_bytes_str(job->out_dir);
    st = job_set_row(job, &row, err);
    return st == CA_OK ? batch_job_put(txn, job, err) : st;
}

enum ca_status batch_job_load(struct batch_registry *registry, const char *name,
                              const char *out_dir, struct batch_job **out, struct ca_error *err)
{
    struct batch_job *job = calloc(1, sizeof(*job));
    struct batch_job_args args = { 0 };
    struct store_txn *txn = NULL;
    enum ca_status st;

    if (job == NULL) return ca_fail(err, CA_NOMEM, "no memory for a job");
    st = read_job(registry, name, job, err);
    if (st == CA_OK) st = refuse_ended(&job->row, job->name, err);
    if (st == CA_OK) st = refuse_active(registry, err);
    if (st == CA_OK) st = batch_job_args_decode(job->row.spec, &args, err);
    if (st != CA_OK) goto out;
    job_take_args(job, &args);
    st = load_issuer(registry, job, err);
    if (st == CA_OK) st = check_profile(registry, job, &args, err);
    if (st == CA_OK) st = store_begin(registry->store, STORE_WRITE, &txn, err);
    if (st == CA_OK) st = job_restart(registry, txn, job, out_dir, err);
    if (st != CA_OK) goto out;
    st = store_commit(txn, err);
    txn = NULL;
    if (st != CA_OK) goto out;
    *out = job;
    job = NULL;
out:
    store_abort(txn);
    batch_job_args_clear(&args);
    batch_job_free(job);
    return st;
}
