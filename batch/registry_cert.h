/*
 * Certificates in the store: found, listed, described.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_REGISTRY_CERT_H
#define BATCH_REGISTRY_CERT_H

#include "batch/registry_ca.h"

/* A certificate's row with its key. In a visit: views into the store, good until visit returns. */
struct batch_cert {
    uint32_t ca;
    uint8_t serial[SCHEMA_SERIAL_LEN];
    struct schema_cert row;
    bool revoked;
};

/*
 * Stores a certificate of ours and its place in the expiry index. Serials are expected to come in
 * order; value is scratch and keeps its memory. CA_CRYPTO "serial-collision": a serial drawn is in
 * the store already; the generator is broken.
 */
CA_MUST_CHECK enum ca_status batch_cert_put(struct store_txn *txn, uint32_t ca,
                                            const uint8_t serial[SCHEMA_SERIAL_LEN],
                                            const struct schema_cert *row, struct ca_buf *value,
                                            struct ca_error *err);

struct batch_cert_query {
    const char *ca;                 /* name or ARN; NULL: all */
    const char *subject_glob;       /* against the RFC 4514 subject, fnmatch; NULL: all */
    const char *job;                /* name or UUID; NULL: all */
    int64_t expiring_before_s;      /* 0: all; otherwise notAfter in (now, this] */
    uint64_t limit;                 /* 0: no limit */
};

/* visit in order of expiry when expiring_before_s is set, of ordinal when only a job is named, of
 * serial otherwise. Long walks are cut into several read transactions, so that no reader pins the
 * store's pages; a visit may use the registry. What visit returns other than CA_OK ends the walk
 * and is returned. */
CA_MUST_CHECK enum ca_status batch_cert_each(struct batch_registry *registry,
                                             const struct batch_cert_query *query,
                                             enum ca_status (*visit)(void *ctx,
                                                                     const struct batch_cert *cert,
                                                                     struct ca_error *err),
                                             void *ctx, struct ca_error *err);

/* By serial in any form that ca_serial_parse reads (CA_MALFORMED otherwise), and CA when two CAs
 * have the same one (cannot happen with our own serials; CA_REFUSED "ambiguous-serial" when none is
 * named). The row is copied into value, which is initialised here; clear it. CA_REFUSED
 * "no-such-certificate". */
CA_MUST_CHECK enum ca_status batch_cert_find(struct batch_registry *registry, const char *serial,
                                             const char *ca, struct batch_cert *out,
                                             struct ca_buf *value, struct ca_error *err);

/* "VALID", "EXPIRED", "REVOKED". */
const char *batch_cert_status(const struct batch_registry *registry, const struct batch_cert *cert);

/* One JSON object: serial, ca, status, subject, san, not_before, not_after, job, ordinal, profile,
 * template, fingerprint_sha256, arn; certificate (PEM) when with_pem. */
CA_MUST_CHECK enum ca_status batch_cert_describe(struct batch_registry *registry,
                                                 const struct batch_cert *cert, bool with_pem,
                                                 struct ca_buf *out, struct ca_error *err);

#endif
