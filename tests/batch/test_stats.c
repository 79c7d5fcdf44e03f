#include "batch/stats.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void quantiles_lie_within_a_bucket_of_the_sorted_values(void **state)
{
    static const double shares[] = { 0.01, 0.5, 0.9, 0.99, 0.999 };
    enum { N = 20000 };
    struct batch_histogram histogram = { .total = 0 };
    uint64_t *values = calloc(N, sizeof(*values));
    uint64_t seed = 7;

    (void)state;
    assert_non_null(values);
    for (size_t i = 0; i < N; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        values[i] = 1 + (seed >> 33) % (UINT64_C(1) << (1 + (seed >> 60) * 2 % 30));
        batch_histogram_add(&histogram, values[i], 1);
    }
    qsort(values, N, sizeof(*values), compare);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        double exact = (double)values[(size_t)(shares[i] * N) - 1];
        double said = (double)batch_histogram_quantile(&histogram, shares[i]);

        assert_true(said >= exact * 0.99 - 1 && said <= exact * 1.20 + 1);
    }
    free(values);
}

static void weights_count_as_often_as_they_say(void **state)
{
    struct batch_histogram histogram = { .total = 0 };

    (void)state;
    assert_true(batch_histogram_quantile(&histogram, 0.5) == 0);
    batch_histogram_add(&histogram, 10, 99);
    batch_histogram_add(&histogram, 1000000, 1);
    assert_true(batch_histogram_quantile(&histogram, 0.98) < 20);
    assert_true(batch_histogram_quantile(&histogram, 1.0) >= 900000);
}

static void a_value_beyond_the_last_bucket_is_kept_in_it(void **state)
{
    struct batch_histogram histogram = { .total = 0 };

    (void)state;
    batch_histogram_add(&histogram, UINT64_MAX, 1);
    assert_true(histogram.counts[BATCH_HISTOGRAM_BUCKETS - 1] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_lie_within_a_bucket_of_the_sorted_values),
        cmocka_unit_test(weights_count_as_often_as_they_say),
        cmocka_unit_test(a_value_beyond_the_last_bucket_is_kept_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
