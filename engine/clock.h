/*
 * Time: a clock that is passed in, and civil time in UTC (proleptic Gregorian, no leap seconds).
 *
 * Nothing in engine, batch or io looks at the wall clock by itself: tools makes the system's
 * clock, tests make a fixed one. Durations are measured with CLOCK_MONOTONIC, which is no clock in
 * this sense and may be read anywhere.
 */
#ifndef ENGINE_CLOCK_H
#define ENGINE_CLOCK_H

#include "engine/bytes.h"

#define CA_TIME_MAX_S INT64_C(253402300799)     /* 9999-12-31T23:59:59Z, RFC 5280 4.1.2.5 */
#define CA_TIME_MIN_S INT64_C(-62135596800)     /* 0001-01-01T00:00:00Z */
#define CA_TIME_TEXT_MAX 32

/* now_ms returns milliseconds since 1970-01-01T00:00:00Z; callable from any thread. */
struct ca_clock {
    int64_t (*now_ms)(void *ctx);
    void *ctx;
};

static inline int64_t ca_clock_now_ms(const struct ca_clock *clock)
{
    return clock->now_ms(clock->ctx);
}

static inline int64_t ca_clock_now_s(const struct ca_clock *clock)
{
    return clock->now_ms(clock->ctx) / 1000;
}

struct ca_civil {
    int32_t year;       /* 1..9999 */
    int32_t month;      /* 1..12 */
    int32_t day;        /* 1..31 */
    int32_t hour, minute, second;
};

/* time_s from CA_TIME_MIN_S to CA_TIME_MAX_S; asserts otherwise. */
void ca_time_to_civil(int64_t time_s, struct ca_civil *out);
/* CA_MALFORMED for a date that does not exist (30 February, second 60, hour 24). */
CA_MUST_CHECK enum ca_status ca_time_from_civil(const struct ca_civil *civil, int64_t *time_s,
                                                struct ca_error *err);
/* Calendar months later, the day clamped to the month's end (31 January + 1 month = 28 or 29
 * February; spec section 5). CA_REFUSED past year 9999. */
CA_MUST_CHECK enum ca_status ca_time_add_months(int64_t time_s, int64_t months, int64_t *out,
                                                struct ca_error *err);

/* RFC 3339 with Z, whole seconds: "2026-01-31T23:59:59Z"; out holds CA_TIME_TEXT_MAX. */
void ca_time_format(int64_t time_s, char *out);
/* RFC 3339 with milliseconds, for the AWS shapes. */
void ca_time_format_ms(int64_t time_ms, char *out);
/* RFC 3339: Z or a numeric offset, optional fraction (dropped). CA_MALFORMED otherwise. */
CA_MUST_CHECK enum ca_status ca_time_parse(const char *text, int64_t *time_s, struct ca_error *err);

#endif
