/*
 * What a run leaves for people and scripts: the lines of results.ndjson and rejected.ndjson, the
 * PEM of certs.pem, summary.json. Every line is a function of the stored rows, so that the same
 * octets can be made again from the store.
 *
 * Appends to buffers; any thread.
 */
#ifndef BATCH_REPORT_H
#define BATCH_REPORT_H

#include "batch/item.h"
#include "batch/stats.h"

/* Appends one request's part to each of the output files; out is indexed by enum outbox_file. der
 * and not_after_s count for an issued one only. */
void batch_report_item(uint64_t ordinal, const struct schema_result *result, int64_t not_after_s,
                       struct ca_bytes der, struct ca_buf out[3]);

struct batch_summary {
    const char *job, *state;
    const char *certmill_version;
    const char *io, *io_why_plain;      /* "io_uring" or "plain"; "" or why */
    unsigned workers;
    uint64_t requested;
    const struct batch_totals *totals;
    uint64_t commits, syncs;
    double seconds;                     /* of this and earlier runs of the job */
    uint64_t peak_rss_kib;
    const char *ca, *tmpl, *out_dir;
    struct ca_bytes notices;            /* a JSON list; .len 0: none */
};

/* summary.json: one object, indented, ends in a newline. */
void batch_report_summary(const struct batch_summary *summary, struct ca_buf *out);

#endif
