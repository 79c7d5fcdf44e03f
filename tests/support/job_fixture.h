/*
 * Jobs for tests of what reads them: requests made by OpenSSL, run through the real pipeline in a
 * store of tests/support/store_fixture.h that has a CA "sub".
 */
#ifndef TESTS_SUPPORT_JOB_FIXTURE_H
#define TESTS_SUPPORT_JOB_FIXTURE_H

#include "batch/registry_job.h"
#include "tests/support/store_fixture.h"

/* One request in PEM: P-256, subject "O=Example, CN=<name>", one DNS name <name>.example. */
void job_fixture_request(const char *name, bool broken_signature, struct ca_buf *out);

/* Writes "<root>/<file>": count requests device-000001 and so on, all with one key; every
 * broken_every-th one (0: none) has a wrong signature. path holds 512. */
void job_fixture_bundle(const struct store_fixture *f, const char *file, unsigned count,
                        unsigned broken_every, char path[512]);
#define JOB_FIXTURE_KEYS_MAX 1024
/* The same with a key for each: requests with the same number in keys have the same one. */
void job_fixture_bundle_keys(const struct store_fixture *f, const char *file, const unsigned *keys,
                             unsigned count, char path[512]);

/* A specification for CA "sub", EndEntityCertificate, of one input; outputs in "<root>/<name>.out".
 * It points into the struct. */
struct job_fixture_spec {
    struct batch_job_spec spec;
    const char *inputs[1];
    char out_dir[512];
};
void job_fixture_ask(const struct store_fixture *f, const char *name, const char *input,
                     struct job_fixture_spec *out);

/* Creates the job and runs it to its end. Fails the test when it does not complete. */
void job_fixture_run(struct store_fixture *f, const char *name, const char *input);

#endif
