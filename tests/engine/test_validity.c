#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/validity.h"

#include <string.h>
#include <time.h>

/* The C library's calendar is the judge. */
static int64_t utc(int year, int month, int day, int hour, int minute, int second)
{
    struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour,
                     .tm_min = minute, .tm_sec = second };

    return timegm(&tm);
}

static int64_t not_after(enum ca_validity_type type, int64_t value, int64_t now_s)
{
    const struct ca_validity validity = { .type = type, .value = value };
    int64_t end_s = -1;
    struct ca_error err;

    if (ca_validity_not_after(&validity, now_s, &end_s, &err) != CA_OK)
        fail_msg("%s", err.text);
    return end_s;
}

static void assert_refused(enum ca_validity_type type, int64_t value, int64_t now_s,
                           const char *part)
{
    const struct ca_validity validity = { .type = type, .value = value };
    int64_t end_s = -7;
    struct ca_error err;

    assert_int_equal(ca_validity_not_after(&validity, now_s, &end_s, &err), CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "validity");
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_int_equal(end_s, -7);
}

static void days_are_24_hours_from_issuance(void **state)
{
    int64_t now_s = utc(2026, 2, 14, 12, 30, 15);

    (void)state;
    assert_int_equal(not_after(CA_VALIDITY_DAYS, 365, now_s), utc(2027, 2, 14, 12, 30, 15));
    assert_int_equal(not_after(CA_VALIDITY_DAYS, 1, now_s), utc(2026, 2, 15, 12, 30, 15));
    assert_int_equal(not_after(CA_VALIDITY_SECONDS, 1, now_s), now_s + 1);
}

static void months_and_years_clamp_to_the_months_end(void **state)
{
    (void)state;
    assert_int_equal(not_after(CA_VALIDITY_MONTHS, 1, utc(2027, 1, 31, 1, 2, 3)),
                     utc(2027, 2, 28, 1, 2, 3));
    assert_int_equal(not_after(CA_VALIDITY_MONTHS, 1, utc(2028, 1, 31, 1, 2, 3)),
                     utc(2028, 2, 29, 1, 2, 3));
    assert_int_equal(not_after(CA_VALIDITY_MONTHS, 13, utc(2027, 3, 31, 0, 0, 0)),
                     utc(2028, 4, 30, 0, 0, 0));
    assert_int_equal(not_after(CA_VALIDITY_YEARS, 1, utc(2028, 2, 29, 23, 59, 59)),
                     utc(2029, 2, 28, 23, 59, 59));
    assert_int_equal(not_after(CA_VALIDITY_YEARS, 4, utc(2028, 2, 29, 23, 59, 59)),
                     utc(2032, 2, 29, 23, 59, 59));
}

static void an_absolute_time_is_that_instant(void **state)
{
    (void)state;
    assert_int_equal(not_after(CA_VALIDITY_ABSOLUTE, 2000000000, 1999999999), 2000000000);
    assert_int_equal(not_after(CA_VALIDITY_ABSOLUTE, CA_TIME_MAX_S, 1999999999), CA_TIME_MAX_S);
}

static void an_end_date_has_12_or_14_digits_or_11_when_a_zero_was_lost(void **state)
{
    int64_t early_s = utc(2002, 1, 1, 0, 0, 0);

    (void)state;
    assert_int_equal(not_after(CA_VALIDITY_END_DATE, 301231235959, early_s),
                     utc(2030, 12, 31, 23, 59, 59));
    assert_int_equal(not_after(CA_VALIDITY_END_DATE, INT64_C(20301231235959), early_s),
                     utc(2030, 12, 31, 23, 59, 59));
    assert_int_equal(not_after(CA_VALIDITY_END_DATE, INT64_C(99991231235959), early_s),
                     CA_TIME_MAX_S);
    assert_int_equal(not_after(CA_VALIDITY_END_DATE, 50102030405, early_s),
                     utc(2005, 1, 2, 3, 4, 5));
    assert_int_equal(not_after(CA_VALIDITY_END_DATE, 491231235959, early_s),
                     utc(2049, 12, 31, 23, 59, 59));
    /* 50 and above are years of the last century, which are over. */
    assert_refused(CA_VALIDITY_END_DATE, 500101000000, early_s, "before it is issued");
}

static void an_end_date_that_is_no_date_is_refused(void **state)
{
    static const int64_t bad[] = { 1, 5010203040, 301331000000, 300230000000, 301231240000,
                                   301231236000, 301231235960, 300001000000,
                                   INT64_C(2030123123595), INT64_C(203012312359590),
                                   INT64_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CA_VALIDITY_END_DATE, bad[i], 0, "YYYYMMDDHHMMSS");
    }
}

static void values_below_one_are_refused_in_the_words_of_aws(void **state)
{
    static const enum ca_validity_type types[] = { CA_VALIDITY_DAYS, CA_VALIDITY_MONTHS,
                                                   CA_VALIDITY_YEARS, CA_VALIDITY_ABSOLUTE,
                                                   CA_VALIDITY_END_DATE, CA_VALIDITY_SECONDS };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_refused(types[i], 0, 1000,
                       "1 validation error detected: Value '0' at 'validity.value' failed to "
                       "satisfy constraint: Member must have value greater than or equal to 1");
        assert_refused(types[i], -5, 1000, "Value '-5' at 'validity.value'");
    }
    assert_refused(CA_VALIDITY_NONE, 1, 1000, "no validity period");
}

static void an_end_that_is_not_after_issuance_is_refused(void **state)
{
    (void)state;
    assert_refused(CA_VALIDITY_ABSOLUTE, 2000000000, 2000000000, "before it is issued");
    assert_refused(CA_VALIDITY_END_DATE, 301231235959, utc(2030, 12, 31, 23, 59, 59),
                   "before it is issued");
    assert_int_equal(not_after(CA_VALIDITY_END_DATE, 301231235959,
                               utc(2030, 12, 31, 23, 59, 58)), utc(2030, 12, 31, 23, 59, 59));
}

static void nothing_ends_after_the_year_9999(void **state)
{
    int64_t now_s = utc(2026, 6, 1, 0, 0, 0);

    (void)state;
    assert_refused(CA_VALIDITY_DAYS, 3000000, now_s, "9999");
    assert_refused(CA_VALIDITY_DAYS, INT64_MAX, now_s, "9999");
    assert_refused(CA_VALIDITY_SECONDS, INT64_MAX, now_s, "9999");
    assert_refused(CA_VALIDITY_MONTHS, INT64_MAX, now_s, "9999");
    assert_refused(CA_VALIDITY_YEARS, INT64_MAX, now_s, "9999");
    assert_refused(CA_VALIDITY_YEARS, 7974, now_s, "9999");
    assert_refused(CA_VALIDITY_ABSOLUTE, CA_TIME_MAX_S + 1, now_s, "9999");
    assert_int_equal(not_after(CA_VALIDITY_YEARS, 7973, now_s), utc(9999, 6, 1, 0, 0, 0));
}

static void every_way_of_writing_a_period_is_read(void **state)
{
    static const struct { const char *text; enum ca_validity_type type; int64_t value; } rows[] = {
        { "365d", CA_VALIDITY_DAYS, 365 },
        { "12mo", CA_VALIDITY_MONTHS, 12 },
        { "10y", CA_VALIDITY_YEARS, 10 },
        { "36h", CA_VALIDITY_SECONDS, 36 * 3600 },
        { "90s", CA_VALIDITY_SECONDS, 90 },
        { "Value=365,Type=DAYS", CA_VALIDITY_DAYS, 365 },
        { "Type=MONTHS,Value=3", CA_VALIDITY_MONTHS, 3 },
        { "Value=2,Type=YEARS", CA_VALIDITY_YEARS, 2 },
        { "Value=2000000000,Type=ABSOLUTE", CA_VALIDITY_ABSOLUTE, 2000000000 },
        { "Value=301231235959,Type=END_DATE", CA_VALIDITY_END_DATE, 301231235959 },
        { "2030-12-31T23:59:59Z", CA_VALIDITY_ABSOLUTE, 1924991999 },
        { "2030-12-31T23:59:59+01:00", CA_VALIDITY_ABSOLUTE, 1924988399 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_validity validity = { .type = CA_VALIDITY_NONE };

        assert_int_equal(ca_validity_parse(rows[i].text, &validity, NULL), CA_OK);
        assert_int_equal(validity.type, rows[i].type);
        assert_int_equal(validity.value, rows[i].value);
    }
}

static void anything_else_is_refused_with_a_hint(void **state)
{
    static const char *const texts[] = {
        "", "d", "365", "365 d", " 365d", "365d ", "365D", "365days", "-365d", "+1d", "1.5d",
        "0x10d", "1m", "1w", "Value=365", "Value=365,Type=", "Value=365,Type=WEEKS",
        "Value=,Type=DAYS",
        "Value=365,Type=DAYS,", "Type=DAYS", "value=365,type=DAYS", "Value=365,Type=DAYSX",
        "Value=-1,Type=DAYS", "9999999999999999999d", "999999999999999999h",
        "2030-12-31", "2030-02-30T00:00:00Z", "Value=1,Type=SECONDS",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ca_validity validity = { .type = CA_VALIDITY_NONE };
        struct ca_error err;

        if (ca_validity_parse(texts[i], &validity, &err) != CA_REFUSED)
            fail_msg("\"%s\" was read", texts[i]);
        assert_string_equal(ca_error_name(&err), "validity");
        assert_true(err.hint[0] != '\0');
        assert_int_equal(validity.type, CA_VALIDITY_NONE);
    }
}

static void a_period_of_nothing_is_refused(void **state)
{
    static const char *const texts[] = { "0d", "0mo", "0h", "Value=0,Type=DAYS",
                                         "1970-01-01T00:00:00Z", "1969-12-31T00:00:00Z" };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ca_validity validity;
        struct ca_error err;

        assert_int_equal(ca_validity_parse(texts[i], &validity, &err), CA_REFUSED);
        assert_non_null(strstr(err.text, "greater than or equal to 1"));
    }
}

static void a_printed_period_is_read_back(void **state)
{
    static const struct { struct ca_validity validity; const char *text; } rows[] = {
        { { CA_VALIDITY_DAYS, 365 }, "Value=365,Type=DAYS" },
        { { CA_VALIDITY_MONTHS, 1 }, "Value=1,Type=MONTHS" },
        { { CA_VALIDITY_YEARS, 10 }, "Value=10,Type=YEARS" },
        { { CA_VALIDITY_ABSOLUTE, CA_TIME_MAX_S }, "Value=253402300799,Type=ABSOLUTE" },
        { { CA_VALIDITY_END_DATE, INT64_C(20301231235959) },
          "Value=20301231235959,Type=END_DATE" },
        { { CA_VALIDITY_SECONDS, 129600 }, "36h" },
        { { CA_VALIDITY_SECONDS, 3601 }, "3601s" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_validity again;
        char text[CA_VALIDITY_TEXT_MAX];

        ca_validity_format(&rows[i].validity, text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(ca_validity_parse(text, &again, NULL), CA_OK);
        assert_int_equal(again.type, rows[i].validity.type);
        assert_int_equal(again.value, rows[i].validity.value);
    }
}

static void only_the_types_of_aws_have_a_name(void **state)
{
    (void)state;
    assert_string_equal(ca_validity_type_name(CA_VALIDITY_DAYS), "DAYS");
    assert_string_equal(ca_validity_type_name(CA_VALIDITY_END_DATE), "END_DATE");
    assert_null(ca_validity_type_name(CA_VALIDITY_NONE));
    assert_null(ca_validity_type_name(CA_VALIDITY_SECONDS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_24_hours_from_issuance),
        cmocka_unit_test(months_and_years_clamp_to_the_months_end),
        cmocka_unit_test(an_absolute_time_is_that_instant),
        cmocka_unit_test(an_end_date_has_12_or_14_digits_or_11_when_a_zero_was_lost),
        cmocka_unit_test(an_end_date_that_is_no_date_is_refused),
        cmocka_unit_test(values_below_one_are_refused_in_the_words_of_aws),
        cmocka_unit_test(an_end_that_is_not_after_issuance_is_refused),
        cmocka_unit_test(nothing_ends_after_the_year_9999),
        cmocka_unit_test(every_way_of_writing_a_period_is_read),
        cmocka_unit_test(anything_else_is_refused_with_a_hint),
        cmocka_unit_test(a_period_of_nothing_is_refused),
        cmocka_unit_test(a_printed_period_is_read_back),
        cmocka_unit_test(only_the_types_of_aws_have_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
