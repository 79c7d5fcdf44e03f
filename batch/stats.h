/*
 * Counters and latency histograms of a run. The committer counts, others read: atomics with relaxed
 * order, because each number stands alone and none guards other memory.
 */
#ifndef BATCH_STATS_H
#define BATCH_STATS_H

#include "engine/reason.h"

#include <stdatomic.h>
#include <stddef.h>

/* Logarithmic buckets with four steps an octave: a value lies within 19 % of its bucket's bound. */
#define BATCH_HISTOGRAM_BUCKETS 160

struct batch_histogram {
    uint64_t counts[BATCH_HISTOGRAM_BUCKETS];
    uint64_t total;
};

/* value_us in microseconds, weight times. */
void batch_histogram_add(struct batch_histogram *histogram, uint64_t value_us, uint64_t weight);
/* The value below which this share (0..1) of the entries lies, in microseconds; 0 when empty. */
uint64_t batch_histogram_quantile(const struct batch_histogram *histogram, double share);

/* Counted by the committer's thread only. */
struct batch_totals {
    uint64_t issued, rejected, signed_count, discarded;
    uint64_t by_reason[CA_REASON_COUNT];
    struct batch_histogram request_latency;     /* from being read to being durable */
    struct batch_histogram commit_latency;      /* of a group's transaction */
};

/* Read by the thread that shows progress. */
struct batch_live {
    _Atomic uint64_t done, issued, rejected;    /* committed */
    _Atomic uint64_t consumed_bytes;
    _Atomic uint64_t outstanding;               /* chunks between ingest and committer */
};

#endif
