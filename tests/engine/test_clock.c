#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>


/* A small generator of our own, so that a failure repeats. */
static uint64_t random_state = 0xbf58476d1ce4e5b9;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int64_t random_time(void)
{
    return CA_TIME_MIN_S + (int64_t)(next_random() % (uint64_t)(CA_TIME_MAX_S - CA_TIME_MIN_S + 1));
}

static void civil_time_equals_that_of_the_c_library(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        int64_t time_s = i == 0 ? CA_TIME_MIN_S : i == 1 ? CA_TIME_MAX_S : random_time();
        time_t theirs_s = (time_t)time_s;
        struct tm tm;
        struct ca_civil c;
        int64_t back = 0;

        assert_non_null(gmtime_r(&theirs_s, &tm));
        ca_time_to_civil(time_s, &c);
        if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 || c.day != tm.tm_mday ||
            c.hour != tm.tm_hour || c.minute != tm.tm_min || c.second != tm.tm_sec)
            fail_msg("%lld", (long long)time_s);
        assert_int_equal(ca_time_from_civil(&c, &back, NULL), CA_OK);
        assert_true(back == timegm(&tm));
    }
}

/* Every day of five centuries and the end of each: leap years in all their kinds. */
static void every_day_is_followed_by_the_next(void **state)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    struct ca_civil c = { .year = 1899, .month = 12, .day = 31 };
    int64_t expected = 0, time_s = 0;

    (void)state;
    assert_int_equal(ca_time_from_civil(&c, &expected, NULL), CA_OK);
    for (int32_t year = 1900; year <= 2400; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        for (int32_t month = 1; month <= 12; month++) {
            int32_t last = days[month - 1] + (month == 2 && leap ? 1 : 0);

            for (int32_t day = 1; day <= last; day++) {
                expected += 86400;
                c = (struct ca_civil){ .year = year, .month = month, .day = day };
                assert_int_equal(ca_time_from_civil(&c, &time_s, NULL), CA_OK);
                assert_true(time_s == expected);
            }
            c = (struct ca_civil){ .year = year, .month = month, .day = last + 1 };
            assert_int_equal(ca_time_from_civil(&c, &time_s, NULL), CA_MALFORMED);
        }
    }
}

static void dates_and_times_that_do_not_exist_are_refused(void **state)
{
    static const struct ca_civil bad[] = {
        { 0, 1, 1, 0, 0, 0 },    { 10000, 1, 1, 0, 0, 0 }, { 2026, 0, 1, 0, 0, 0 },
        { 2026, 13, 1, 0, 0, 0 }, { 2026, 1, 0, 0, 0, 0 },  { 2026, 1, 32, 0, 0, 0 },
        { 2026, 2, 29, 0, 0, 0 }, { 2100, 2, 29, 0, 0, 0 }, { 2026, 1, 1, 24, 0, 0 },
        { 2026, 1, 1, 0, 60, 0 }, { 2026, 1, 1, 0, 0, 60 }, { 2026, 1, 1, -1, 0, 0 },
        { 2026, 1, 1, 0, -1, 0 }, { 2026, 1, 1, 0, 0, -1 }, { 2026, -1, 1, 0, 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ca_error err;
        int64_t time_s;

        assert_int_equal(ca_time_from_civil(&bad[i], &time_s, &err), CA_MALFORMED);
        assert_true(strlen(err.text) > 0);
    }
}

static int64_t at(const char *text)
{
    int64_t time_s = 0;

    assert_int_equal(ca_time_parse(text, &time_s, NULL), CA_OK);
    return time_s;
}

static void months_later_is_the_same_day_or_the_last_of_the_month(void **state)
{
    static const struct {
        const char *from;
        int64_t months;
        const char *to;
    } cases[] = {
        { "2026-01-31T12:34:56Z", 0, "2026-01-31T12:34:56Z" },
        { "2026-01-31T12:34:56Z", 1, "2026-02-28T12:34:56Z" },
        { "2028-01-31T12:34:56Z", 1, "2028-02-29T12:34:56Z" },
        { "2026-01-31T12:34:56Z", 3, "2026-04-30T12:34:56Z" },
        { "2026-01-31T12:34:56Z", 12, "2027-01-31T12:34:56Z" },
        { "2024-02-29T00:00:00Z", 12, "2025-02-28T00:00:00Z" },
        { "2024-02-29T00:00:00Z", 48, "2028-02-29T00:00:00Z" },
        { "2096-02-29T00:00:00Z", 48, "2100-02-28T00:00:00Z" },
        { "2026-12-15T23:59:59Z", 1, "2027-01-15T23:59:59Z" },
        { "2026-11-30T23:59:59Z", 3, "2027-02-28T23:59:59Z" },
        { "1969-12-31T23:59:59Z", 2, "1970-02-28T23:59:59Z" },
        { "9999-11-30T00:00:00Z", 1, "9999-12-30T00:00:00Z" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CA_TIME_TEXT_MAX];
        int64_t to = 0;

        assert_int_equal(ca_time_add_months(at(cases[i].from), cases[i].months, &to, NULL), CA_OK);
        ca_time_format(to, text);
        assert_string_equal(text, cases[i].to);
    }
}

/* Independent of our calendar: mktime's own normalisation gives the month after. */
static void months_later_lands_in_the_right_month(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t from = random_time(), to = 0;
        int months = (int)(next_random() % 600);
        time_t from_t = (time_t)from;
        struct tm tm, first, got;
        time_t first_t, to_t;

        assert_non_null(gmtime_r(&from_t, &tm));
        first = tm;
        first.tm_mday = 1;
        first.tm_mon += months;
        first_t = timegm(&first);
        if (ca_time_add_months(from, months, &to, NULL) != CA_OK) {
            assert_true(first_t > CA_TIME_MAX_S);
            continue;
        }
        to_t = (time_t)to;
        assert_non_null(gmtime_r(&to_t, &got));
        assert_int_equal(got.tm_year, first.tm_year);
        assert_int_equal(got.tm_mon, first.tm_mon);
        assert_true(got.tm_mday == tm.tm_mday || (got.tm_mday < tm.tm_mday && got.tm_mday >= 28));
        assert_int_equal(to - (int64_t)first_t, (got.tm_mday - 1) * 86400);
    }
}

static void months_that_lead_past_the_year_9999_are_refused(void **state)
{
    int64_t to;

    (void)state;
    assert_int_equal(ca_time_add_months(at("9999-12-01T00:00:00Z"), 1, &to, NULL), CA_REFUSED);
    assert_int_equal(ca_time_add_months(at("2026-01-01T00:00:00Z"), 12 * 7974, &to, NULL),
                     CA_REFUSED);
    assert_int_equal(ca_time_add_months(0, INT64_MAX, &to, NULL), CA_REFUSED);
    assert_int_equal(ca_time_add_months(0, -1, &to, NULL), CA_REFUSED);
}

static void rfc_3339_times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t time_s;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-01-31T23:59:59Z", 1769903999 },
        { "2026-01-31t23:59:59z", 1769903999 },
        { "2026-01-31T23:59:59.123456789Z", 1769903999 },
        { "2026-02-01T01:59:59+02:00", 1769903999 },
        { "2026-01-31T18:29:59-05:30", 1769903999 },
        { "9999-12-31T23:59:59Z", CA_TIME_MAX_S },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t time_s = -1;

        if (ca_time_parse(cases[i].text, &time_s, NULL) != CA_OK) fail_msg("%s", cases[i].text);
        assert_true(time_s == cases[i].time_s);
    }
}

static void texts_that_are_no_rfc_3339_time_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "2026", "2026-01-31", "2026-01-31T23:59:59", "2026-01-31 23:59:59Z",
        "2026-01-31T23:59Z", "2026-01-31T23:59:59.Z", "2026-01-31T23:59:59Zx",
        "2026-01-31T23:59:59+0200", "2026-01-31T23:59:59+24:00", "2026-01-31T23:59:59+02:60",
        "2026-1-31T23:59:59Z", "2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T23:59:60Z", "-026-01-31T23:59:59Z", "12026-01-31T23:59:59Z",
        "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+23:59",
        " 2026-01-31T23:59:59Z", "2026/01/31T23:59:59Z",
        "0000-01-01T00:00:00Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t time_s;

        if (ca_time_parse(bad[i], &time_s, NULL) != CA_MALFORMED) fail_msg("accepted %s", bad[i]);
    }
}

static void formatted_times_equal_those_of_the_c_library_and_are_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t time_s = random_time(), back = 0;
        time_t theirs_s = (time_t)time_s;
        struct tm tm;
        char ours[CA_TIME_TEXT_MAX], theirs[64];

        assert_non_null(gmtime_r(&theirs_s, &tm));
        (void)snprintf(theirs, sizeof(theirs), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        ca_time_format(time_s, ours);
        assert_string_equal(ours, theirs);
        assert_int_equal(ca_time_parse(ours, &back, NULL), CA_OK);
        assert_true(back == time_s);
    }
}

static void milliseconds_are_three_digits(void **state)
{
    char text[CA_TIME_TEXT_MAX];

    (void)state;
    ca_time_format_ms(INT64_C(1769903999007), text);
    assert_string_equal(text, "2026-01-31T23:59:59.007Z");
    ca_time_format_ms(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
}

static int64_t fixed_now_ms(void *ctx) { return *(int64_t *)ctx; }

static void a_clock_is_what_was_passed_in(void **state)
{
    int64_t now_ms = 1769903999007;
    struct ca_clock clock = { .now_ms = fixed_now_ms, .ctx = &now_ms };

    (void)state;
    assert_true(ca_clock_now_ms(&clock) == 1769903999007);
    assert_true(ca_clock_now_s(&clock) == 1769903999);
    now_ms++;
    assert_true(ca_clock_now_ms(&clock) == 1769903999008);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(civil_time_equals_that_of_the_c_library),
        cmocka_unit_test(every_day_is_followed_by_the_next),
        cmocka_unit_test(dates_and_times_that_do_not_exist_are_refused),
        cmocka_unit_test(months_later_is_the_same_day_or_the_last_of_the_month),
        cmocka_unit_test(months_later_lands_in_the_right_month),
        cmocka_unit_test(months_that_lead_past_the_year_9999_are_refused),
        cmocka_unit_test(rfc_3339_times_are_read),
        cmocka_unit_test(texts_that_are_no_rfc_3339_time_are_refused),
        cmocka_unit_test(formatted_times_equal_those_of_the_c_library_and_are_read_back),
        cmocka_unit_test(milliseconds_are_three_digits),
        cmocka_unit_test(a_clock_is_what_was_passed_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
