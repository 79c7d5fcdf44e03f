#include "engine/clock.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define DAY_S INT64_C(86400)

static bool is_leap(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int32_t days_in_month(int32_t year, int32_t month)
{
    static const int32_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of March of a year counted from March, by 400-year eras: the
 * leap day then falls at the end and needs no case of its own. */
static int64_t days_from_civil(int32_t year, int32_t month, int32_t day)
{
    int64_t y = month <= 2 ? (int64_t)year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

void ca_time_to_civil(int64_t time_s, struct ca_civil *out)
{
    int64_t days = time_s >= 0 ? time_s / DAY_S : -((DAY_S - 1 - time_s) / DAY_S);
    int64_t rest = time_s - days * DAY_S;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;

    assert(time_s >= CA_TIME_MIN_S && time_s <= CA_TIME_MAX_S);
    out->day = (int32_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out->month = (int32_t)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    out->year = (int32_t)(year_of_era + era * 400 + (out->month <= 2 ? 1 : 0));
    out->hour = (int32_t)(rest / 3600);
    out->minute = (int32_t)(rest / 60 % 60);
    out->second = (int32_t)(rest % 60);
}

enum ca_status ca_time_from_civil(const struct ca_civil *c, int64_t *time_s, struct ca_error *err)
{
    if (c->year < 1 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > days_in_month(c->year, c->month))
        return ca_fail(err, CA_MALFORMED, "no such date: %04d-%02d-%02d", (int)c->year,
                       (int)c->month, (int)c->day);
    if (c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59 || c->second < 0 ||
        c->second > 59)
        return ca_fail(err, CA_MALFORMED, "no such time: %02d:%02d:%02d", (int)c->hour,
                       (int)c->minute, (int)c->second);
    *time_s = days_from_civil(c->year, c->month, c->day) * DAY_S + c->hour * 3600 +
              c->minute * 60 + c->second;
    return CA_OK;
}

enum ca_status ca_time_add_months(int64_t time_s, int64_t months, int64_t *out,
                                  struct ca_error *err)
{
    struct ca_civil c;
    int64_t total;
    int32_t last;

    if (months < 0 || months > INT64_C(9999) * 12)
        return ca_fail(err, CA_REFUSED, "the date would lie after the year 9999");
    ca_time_to_civil(time_s, &c);
    total = (int64_t)c.year * 12 + (c.month - 1) + months;
    if (total / 12 > 9999)
        return ca_fail(err, CA_REFUSED, "the date would lie after the year 9999");
    c.year = (int32_t)(total / 12);
    c.month = (int32_t)(total % 12) + 1;
    last = days_in_month(c.year, c.month);
    if (c.day > last) c.day = last;
    return ca_time_from_civil(&c, out, err);
}

void ca_time_format(int64_t time_s, char *out)
{
    struct ca_civil c;

    ca_time_to_civil(time_s, &c);
    (void)snprintf(out, CA_TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ",
                   (unsigned)c.year % 10000, (unsigned)c.month % 100, (unsigned)c.day % 100,
                   (unsigned)c.hour % 100, (unsigned)c.minute % 100, (unsigned)c.second % 100);
}

void ca_time_format_ms(int64_t time_ms, char *out)
{
    char whole[CA_TIME_TEXT_MAX];

    assert(time_ms >= 0);
    ca_time_format(time_ms / 1000, whole);
    (void)snprintf(out, CA_TIME_TEXT_MAX, "%.19s.%03uZ", whole, (unsigned)(time_ms % 1000));
}

/* Reads exactly n digits and moves *text past them; -1 when there are fewer. */
static int32_t take_digits(const char **text, int n)
{
    int32_t value = 0;

    for (int i = 0; i < n; i++) {
        if (**text < '0' || **text > '9') return -1;
        value = value * 10 + (**text - '0');
        (*text)++;
    }
    return value;
}

static bool take_char(const char **text, char c)
{
    if (**text != c) return false;
    (*text)++;
    return true;
}

static bool take_offset(const char **text, int64_t *offset_s)
{
    int32_t hours, minutes;
    bool negative = **text == '-';

    if (take_char(text, 'Z') || take_char(text, 'z')) {
        *offset_s = 0;
        return true;
    }
    if (**text != '+' && **text != '-') return false;
    (*text)++;
    hours = take_digits(text, 2);
    if (hours < 0 || hours > 23 || !take_char(text, ':')) return false;
    minutes = take_digits(text, 2);
    if (minutes < 0 || minutes > 59) return false;
    *offset_s = (hours * 3600 + minutes * 60) * (negative ? -1 : 1);
    return true;
}

enum ca_status ca_time_parse(const char *text, int64_t *time_s, struct ca_error *err)
{
    struct ca_civil c;
    const char *p = text;
    int64_t offset_s = 0, local_s = 0;
    bool good = (c.year = take_digits(&p, 4)) >= 0 && take_char(&p, '-') &&
                (c.month = take_digits(&p, 2)) >= 0 && take_char(&p, '-') &&
                (c.day = take_digits(&p, 2)) >= 0 && (take_char(&p, 'T') || take_char(&p, 't')) &&
                (c.hour = take_digits(&p, 2)) >= 0 && take_char(&p, ':') &&
                (c.minute = take_digits(&p, 2)) >= 0 && take_char(&p, ':') &&
                (c.second = take_digits(&p, 2)) >= 0;

    if (good && take_char(&p, '.')) {
        good = *p >= '0' && *p <= '9';
        while (*p >= '0' && *p <= '9') p++;
    }
    if (!good || !take_offset(&p, &offset_s) || *p != '\0')
        return ca_fail(err, CA_MALFORMED, "not an RFC 3339 time such as 2030-12-31T23:59:59Z");
    if (ca_time_from_civil(&c, &local_s, err) != CA_OK) return CA_MALFORMED;
    if (local_s - offset_s > CA_TIME_MAX_S || local_s - offset_s < CA_TIME_MIN_S)
        return ca_fail(err, CA_MALFORMED, "the time lies outside the years 1 to 9999");
    *time_s = local_s - offset_s;
    return CA_OK;
}
