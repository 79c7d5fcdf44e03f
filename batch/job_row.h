/*
 * Rows of the job table for the modules that make and list jobs (registry_job, job_load);
 * everybody else takes batch/registry_job.h.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_JOB_ROW_H
#define BATCH_JOB_ROW_H

#include "batch/registry_job.h"

#define BATCH_JOB_ROW_MAX ((size_t)6 << 20)     /* of which arguments have 4 MiB at most */

/* Initialises out. */
CA_MUST_CHECK enum ca_status batch_job_encode(const struct schema_job *row, struct ca_buf *out,
                                              struct ca_error *err);
CA_MUST_CHECK enum ca_status batch_job_put_row(struct store_txn *txn, uint32_t number,
                                               const struct schema_job *row, struct ca_error *err);

/* By name, UUID or number, in this order where several fit. *found false and CA_OK when none does.
 * *value is a view into the store. */
CA_MUST_CHECK enum ca_status batch_job_look_up(struct store_txn *txn, const char *job, bool *found,
                                               uint32_t *number, struct ca_bytes *value,
                                               struct ca_error *err);
CA_MUST_CHECK enum ca_status batch_job_refuse_unknown(const char *job, struct ca_error *err);

#endif
