#include "batch/stats.h"

#include <math.h>

/* Bucket i holds values up to 2^(i/4) microseconds. */
static size_t bucket_of(uint64_t value_us)
{
    double steps;

    if (value_us <= 1) return 0;
    steps = ceil(log2((double)value_us) * 4.0);
    return steps >= BATCH_HISTOGRAM_BUCKETS ? BATCH_HISTOGRAM_BUCKETS - 1 : (size_t)steps;
}

void batch_histogram_add(struct batch_histogram *histogram, uint64_t value_us, uint64_t weight)
{
    histogram->counts[bucket_of(value_us)] += weight;
    histogram->total += weight;
}

uint64_t batch_histogram_quantile(const struct batch_histogram *histogram, double share)
{
    double wanted = share * (double)histogram->total;
    uint64_t seen = 0;

    if (histogram->total == 0) return 0;
    for (size_t i = 0; i < BATCH_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if ((double)seen >= wanted && seen > 0) return (uint64_t)llround(exp2((double)i / 4.0));
    }
    return (uint64_t)llround(exp2((BATCH_HISTOGRAM_BUCKETS - 1) / 4.0));
}
