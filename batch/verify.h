/*
 * Checks a store: checksums of every value, rows that decode, indexes that agree with what they
 * index, counts that add up; deep: every certificate parses, verifies under its CA's certificate,
 * says what its row says, and has what its template fixes.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_VERIFY_H
#define BATCH_VERIFY_H

#include "batch/registry_cert.h"

struct batch_verify_report {
    uint64_t rows[STORE_TABLE_COUNT];
    uint64_t certificates, verified;    /* verified: signatures checked (deep) */
    uint64_t findings;
};

/* finding is called with one sentence for each thing that is wrong; the check goes on. CA_CORRUPT
 * "store-damaged" at the end when there was any finding. */
CA_MUST_CHECK enum ca_status batch_verify(struct batch_registry *registry, bool deep,
                                          void (*finding)(void *ctx, const char *sentence),
                                          void *ctx, struct batch_verify_report *report,
                                          struct ca_error *err);

#endif
