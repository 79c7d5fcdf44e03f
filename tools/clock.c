#include "tools/clock.h"

#include <time.h>

static int64_t system_now_ms(void *ctx)
{
    struct timespec now;

    (void)ctx;
    /* Cannot fail for this clock. */
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t fixed_now_ms(void *ctx)
{
    const int64_t *fixed_ms = ctx;

    return *fixed_ms;
}

struct ca_clock clock_system(void)
{
    return (struct ca_clock){ .now_ms = system_now_ms };
}

struct ca_clock clock_fixed(int64_t *fixed_ms)
{
    return (struct ca_clock){ .now_ms = fixed_now_ms, .ctx = fixed_ms };
}
