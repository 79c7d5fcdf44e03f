/*
 * Going on where a job stopped: where its input stands, and the outputs made again from the store.
 *
 * Outputs are a projection of the store: what the part files lack is written from the rows, octet
 * for octet what the workers would have written.
 *
 * Thread: the caller's; read transactions are short.
 */
#ifndef BATCH_RESUME_H
#define BATCH_RESUME_H

#include "batch/report.h"
#include "batch/registry_job.h"
#include "io/ingest.h"
#include "io/outbox.h"

/* The input position and running SHA-256 behind the last committed request. CA_CORRUPT "bad-row"
 * when a job that got somewhere has none. */
CA_MUST_CHECK enum ca_status batch_resume_position(struct store *store,
                                                   const struct batch_job *job,
                                                   struct ingest_position *position,
                                                   uint8_t digest[SCHEMA_HASH_LEN],
                                                   struct ca_error *err);

/* Appends the ordinals from..to (exclusive) of a job to the outbox. stopping is asked now and then;
 * once it says true: CA_AGAIN. */
CA_MUST_CHECK enum ca_status batch_resume_fill(struct store *store, const struct batch_job *job,
                                               uint64_t from, uint64_t to,
                                               bool (*stopping)(void *ctx), void *ctx,
                                               struct outbox *outbox, struct ca_error *err);

/* Rejections of a job by reason, from its result rows. stopping as above. */
CA_MUST_CHECK enum ca_status batch_resume_count(struct store *store, const struct batch_job *job,
                                                bool (*stopping)(void *ctx), void *ctx,
                                                uint64_t by_reason[CA_REASON_COUNT],
                                                struct ca_error *err);

/* Writes one certificate's own file (--per-file): SERIAL.pem. */
CA_MUST_CHECK enum ca_status batch_put_cert_file(struct outbox *outbox,
                                                 const uint8_t serial[SCHEMA_SERIAL_LEN],
                                                 struct ca_bytes der, struct ca_buf *scratch,
                                                 struct ca_error *err);

#endif
