/*
 * Jobs in the store: a job is what a run is asked to do and how far it got.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_REGISTRY_JOB_H
#define BATCH_REGISTRY_JOB_H

#include "batch/registry_ca.h"
#include "batch/terms.h"

struct batch_job_spec {
    const char *name;               /* NULL: "job-N"; [A-Za-z0-9][A-Za-z0-9._-]{0,127} */
    const char *ca;
    struct batch_terms_spec terms;
    /* NONE: batch_validity_default. */
    struct ca_validity validity;
    const char *out_dir;            /* made absolute here; need not exist yet */
    const char *const *inputs;      /* made absolute here; "-" stays */
    size_t input_count;
    bool per_file;
};

/* A job as a run needs it. Everything is owned. */
struct batch_job {
    uint32_t number;
    struct schema_job row;          /* views into value; counters are kept current by the run */
    struct ca_buf value;
    char *name, *ca, *tmpl_name, *out_dir;
    char **inputs;
    size_t input_count;
    bool per_file;
    struct batch_terms *terms;
    struct ca_validity validity;
    struct batch_issuer *issuer;
    struct ca_profile *profile;
    uint8_t profile_hash[SCHEMA_HASH_LEN];
};

/* Loads the CA (asks for the passphrase), compiles and stores the profile, writes the job row
 * (RUNNING) in one transaction; jobs that a killed run left RUNNING become INTERRUPTED there.
 * CA_REFUSED "job-exists" when the name is taken (the hint says resume or another name);
 * "validity-past-ca" when the template outlives the CA, before the first signature; "run-active";
 * "input", "output" for paths that cannot be used; "name"; errors of batch_terms_new and
 * batch_profile_compile. */
CA_MUST_CHECK enum ca_status batch_job_create(struct batch_registry *registry,
                                              const struct batch_job_spec *spec,
                                              struct batch_job **out, struct ca_error *err);
/* By name, UUID or number, for resume: reads the terms again, also the blocklist from its file,
 * compiles the profile from them and refuses another hash (CA_REFUSED "profile-changed"); a
 * completed job is CA_REFUSED "job-completed", "job-cancelled" likewise. The row becomes RUNNING.
 * out_dir NULL: the stored one; another one takes its place, with out_done and out_lengths 0.
 * Refuses as batch_job_create does for "validity-past-ca", "run-active", "output". */
CA_MUST_CHECK enum ca_status batch_job_load(struct batch_registry *registry, const char *job,
                                            const char *out_dir, struct batch_job **out,
                                            struct ca_error *err);
void batch_job_free(struct batch_job *job);

/* Once the run's lock is held, and before the first batch_job_put: the row is still as create or
 * load left it, or became INTERRUPTED because another job was begun before this one had the lock.
 * CA_REFUSED "job-changed": between load and lock another process ran the same job. */
CA_MUST_CHECK enum ca_status batch_job_recheck(struct store_txn *txn, const struct batch_job *job,
                                               struct ca_error *err);

/* The job's row as it is now, written inside a transaction. */
CA_MUST_CHECK enum ca_status batch_job_put(struct store_txn *txn, const struct batch_job *job,
                                           struct ca_error *err);

/* For list and show: the row copied out, without loading keys. CA_REFUSED "no-such-job". A job
 * whose row says RUNNING while no run holds the store's lock is shown as INTERRUPTED. */
struct batch_job_view {
    uint32_t number;
    struct schema_job row;          /* views into value */
    struct ca_buf value;
    const char *state;              /* "running", "interrupted", "completed", "failed", ... */
};
void batch_job_view_clear(struct batch_job_view *view);
CA_MUST_CHECK enum ca_status batch_job_find(struct batch_registry *registry, const char *job,
                                            struct batch_job_view *out, struct ca_error *err);
CA_MUST_CHECK enum ca_status batch_job_each(struct batch_registry *registry,
                                            enum ca_status (*visit)(void *ctx,
                                                                    const struct batch_job_view *v,
                                                                    struct ca_error *err),
                                            void *ctx, struct ca_error *err);
/* JSON object of a job: job and name (the same, as in the summary), number, uuid, state, ca,
 * template, template_source (a user's), api_passthrough, strict_passthrough, blocklist (null where
 * the job has none), validity, inputs, out_dir, created_at, updated_at, done, issued, rejected,
 * seconds, certs_per_second, profile, and summary when completed. */
void batch_job_describe(const struct batch_registry *registry, const struct batch_job_view *view,
                        struct ca_buf *out);

#endif
