/*
 * What a job is asked to do, as its row keeps it: a JSON object that a resumed run repeats.
 *
 *   {"ca":"factory","template":"EndEntityCertificate","validity":"Value=365,Type=DAYS",
 *    "inputs":["/data/requests.pem","-"],"per_file":false}
 *
 * And, where the job has them: "template_source" (a user's template, an object), "api_passthrough"
 * (an object), "blocklist" (a file's name), "strict_passthrough":true.
 *
 * Paths are absolute, because a resume may be typed in another directory.
 *
 * Thread: values belong to their owner.
 */
#ifndef BATCH_JOB_ARGS_H
#define BATCH_JOB_ARGS_H

#include "batch/terms.h"

#define BATCH_JOB_ARGS_MAX (UINT32_C(4) << 20)      /* octets of JSON */
#define BATCH_JOB_INPUTS_MAX 4096

/* Everything is owned. */
struct batch_job_args {
    char *ca, *tmpl;                /* tmpl: name */
    char *tmpl_source, *api_json;   /* canonical JSON; NULL: none */
    char *blocklist;                /* NULL: none */
    bool strict;
    struct ca_validity validity;
    char **inputs;
    size_t input_count;
    bool per_file;
};

/* CA_REFUSED "input": no inputs, one that does not exist, standard input named twice, a name that
 * is not UTF-8 (the row is JSON). */
CA_MUST_CHECK enum ca_status batch_job_args_set_inputs(struct batch_job_args *args,
                                                       const char *const *inputs, size_t count,
                                                       struct ca_error *err);
/* What a job's terms come to. own_template: the template was given as a file, whose text a resume
 * must have; a row of the catalogue or a preset goes by its name. */
CA_MUST_CHECK enum ca_status batch_job_args_set_terms(struct batch_job_args *args,
                                                      const struct batch_terms *terms,
                                                      bool own_template, struct ca_error *err);
/* The terms to ask for again; views into args. */
struct batch_terms_spec batch_job_args_terms(const struct batch_job_args *args);
void batch_job_args_clear(struct batch_job_args *args);

CA_MUST_CHECK enum ca_status batch_job_args_encode(const struct batch_job_args *args,
                                                   struct ca_buf *out, struct ca_error *err);
/* CA_CORRUPT "bad-row": not what encode writes. On failure *out is cleared. */
CA_MUST_CHECK enum ca_status batch_job_args_decode(struct ca_bytes json, struct batch_job_args *out,
                                                   struct ca_error *err);

/* The absolute name of a directory that may not exist yet; the one above it must. *out is the
 * caller's to free. CA_REFUSED "output". */
CA_MUST_CHECK enum ca_status batch_job_out_dir(const char *dir, char **out, struct ca_error *err);

#endif
