#include "engine/validity.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY_S INT64_C(86400)
#define HOUR_S INT64_C(3600)

const char *ca_validity_type_name(enum ca_validity_type type)
{
    switch (type) {
    case CA_VALIDITY_DAYS: return "DAYS";
    case CA_VALIDITY_MONTHS: return "MONTHS";
    case CA_VALIDITY_YEARS: return "YEARS";
    case CA_VALIDITY_ABSOLUTE: return "ABSOLUTE";
    case CA_VALIDITY_END_DATE: return "END_DATE";
    case CA_VALIDITY_NONE:
    case CA_VALIDITY_SECONDS: break;
    }
    return NULL;
}

/* The sentence of the AWS service, which clients match on (spec section 5). */
static enum ca_status refuse_value(int64_t value, struct ca_error *err)
{
    return ca_fail_named(err, CA_REFUSED, "validity",
                         "1 validation error detected: Value '%" PRId64 "' at 'validity.value' "
                         "failed to satisfy constraint: Member must have value greater than or "
                         "equal to 1", value);
}

static enum ca_status refuse_text(const char *text, struct ca_error *err)
{
    (void)ca_fail_named(err, CA_REFUSED, "validity", "\"%s\" is not a validity period", text);
    ca_hint(err, "write 365d, 12mo, 10y, 36h, Value=365,Type=DAYS, or a time such as "
                 "2030-12-31T23:59:59Z");
    return CA_REFUSED;
}

/* Reads digits, moves *text past them. False when there are none or more than 18, which no
 * validity needs and int64_t holds. */
static bool take_number(const char **text, int64_t *value)
{
    int digits = 0;

    *value = 0;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        if (++digits > 18) return false;
        *value = *value * 10 + (**text - '0');
    }
    return digits > 0;
}

static bool take_text(const char **text, const char *expected)
{
    size_t len = strlen(expected);

    if (strncmp(*text, expected, len) != 0) return false;
    *text += len;
    return true;
}

static bool take_type(const char **text, enum ca_validity_type *type)
{
    static const enum ca_validity_type types[] = { CA_VALIDITY_DAYS, CA_VALIDITY_MONTHS,
                                                   CA_VALIDITY_YEARS, CA_VALIDITY_ABSOLUTE,
                                                   CA_VALIDITY_END_DATE };

    for (size_t i = 0; i < CA_COUNT(types); i++) {
        if (!take_text(text, ca_validity_type_name(types[i]))) continue;
        *type = types[i];
        return true;
    }
    return false;
}

/* "Value=365,Type=DAYS", in either order, as the AWS CLI reads its shorthand. */
static bool read_shorthand(const char *text, struct ca_validity *out)
{
    const char *p = text;

    if (take_text(&p, "Value=")) {
        return take_number(&p, &out->value) && take_text(&p, ",Type=") &&
               take_type(&p, &out->type) && *p == '\0';
    }
    return take_text(&p, "Type=") && take_type(&p, &out->type) && take_text(&p, ",Value=") &&
           take_number(&p, &out->value) && *p == '\0';
}

static bool read_duration(const char *text, struct ca_validity *out)
{
    const char *p = text;
    int64_t unit = 1;

    if (!take_number(&p, &out->value)) return false;
    if (strcmp(p, "d") == 0) out->type = CA_VALIDITY_DAYS;
    else if (strcmp(p, "mo") == 0) out->type = CA_VALIDITY_MONTHS;
    else if (strcmp(p, "y") == 0) out->type = CA_VALIDITY_YEARS;
    else if (strcmp(p, "h") == 0 || strcmp(p, "s") == 0) out->type = CA_VALIDITY_SECONDS;
    else return false;
    if (*p == 'h') unit = HOUR_S;
    if (out->value > CA_TIME_MAX_S / unit) return false;
    out->value *= unit;
    return true;
}

enum ca_status ca_validity_parse(const char *text, struct ca_validity *out, struct ca_error *err)
{
    struct ca_validity validity = { .type = CA_VALIDITY_NONE };
    int64_t absolute_s = 0;

    if (ca_time_parse(text, &absolute_s, NULL) == CA_OK) {
        validity.type = CA_VALIDITY_ABSOLUTE;
        validity.value = absolute_s;
    } else if (!read_shorthand(text, &validity) && !read_duration(text, &validity)) {
        return refuse_text(text, err);
    }
    if (validity.value < 1) return refuse_value(validity.value, err);
    *out = validity;
    return CA_OK;
}

void ca_validity_format(const struct ca_validity *validity, char *out)
{
    const char *type = ca_validity_type_name(validity->type);

    if (type != NULL) {
        (void)snprintf(out, CA_VALIDITY_TEXT_MAX, "Value=%" PRId64 ",Type=%s", validity->value,
                       type);
    } else if (validity->value % HOUR_S == 0) {
        (void)snprintf(out, CA_VALIDITY_TEXT_MAX, "%" PRId64 "h", validity->value / HOUR_S);
    } else {
        (void)snprintf(out, CA_VALIDITY_TEXT_MAX, "%" PRId64 "s", validity->value);
    }
}

static enum ca_status refuse_late(struct ca_error *err)
{
    return ca_fail_named(err, CA_REFUSED, "validity",
                         "the certificate would end after the year 9999");
}

static enum ca_status add_seconds(int64_t now_s, int64_t count, int64_t unit_s, int64_t *out,
                                  struct ca_error *err)
{
    if (count > (CA_TIME_MAX_S - now_s) / unit_s) return refuse_late(err);
    *out = now_s + count * unit_s;
    return CA_OK;
}

static enum ca_status add_months(int64_t now_s, int64_t count, int64_t unit, int64_t *out,
                                 struct ca_error *err)
{
    if (count > INT64_C(9999) * 12 / unit) return refuse_late(err);
    if (ca_time_add_months(now_s, count * unit, out, NULL) != CA_OK) return refuse_late(err);
    return CA_OK;
}

/* The digits of a UTCTime or GeneralizedTime read as one integer. A UTCTime of the years 2000 to
 * 2009 has lost the first zero of its year, so eleven digits are one too. */
static enum ca_status read_end_date(int64_t digits, int64_t *out, struct ca_error *err)
{
    bool short_year = digits >= INT64_C(10000000000) && digits < INT64_C(1000000000000);
    bool long_year = digits >= INT64_C(10000000000000) && digits < INT64_C(100000000000000);
    int32_t year = (int32_t)(digits / INT64_C(10000000000) % 10000);
    struct ca_civil civil = { .month = (int32_t)(digits / 100000000 % 100),
                              .day = (int32_t)(digits / 1000000 % 100),
                              .hour = (int32_t)(digits / 10000 % 100),
                              .minute = (int32_t)(digits / 100 % 100),
                              .second = (int32_t)(digits % 100) };

    if (short_year) year += year >= 50 ? 1900 : 2000;
    civil.year = year;
    if ((!short_year && !long_year) || ca_time_from_civil(&civil, out, NULL) != CA_OK)
        return ca_fail_named(err, CA_REFUSED, "validity",
                             "END_DATE %" PRId64 " is not a date written YYMMDDHHMMSS or "
                             "YYYYMMDDHHMMSS", digits);
    return CA_OK;
}

static enum ca_status end_of(const struct ca_validity *validity, int64_t now_s, int64_t *out,
                             struct ca_error *err)
{
    int64_t value = validity->value;

    switch (validity->type) {
    case CA_VALIDITY_DAYS: return add_seconds(now_s, value, DAY_S, out, err);
    case CA_VALIDITY_SECONDS: return add_seconds(now_s, value, 1, out, err);
    case CA_VALIDITY_MONTHS: return add_months(now_s, value, 1, out, err);
    case CA_VALIDITY_YEARS: return add_months(now_s, value, 12, out, err);
    case CA_VALIDITY_END_DATE: return read_end_date(value, out, err);
    case CA_VALIDITY_ABSOLUTE:
        if (value > CA_TIME_MAX_S) return refuse_late(err);
        *out = value;
        return CA_OK;
    case CA_VALIDITY_NONE: break;
    }
    return ca_fail_named(err, CA_REFUSED, "validity", "no validity period is given");
}

enum ca_status ca_validity_not_after(const struct ca_validity *validity, int64_t now_s,
                                     int64_t *not_after_s, struct ca_error *err)
{
    int64_t end_s = 0;
    enum ca_status st;

    assert(now_s >= 0 && now_s <= CA_TIME_MAX_S);       /* a clock's value, not input */
    if (validity->type != CA_VALIDITY_NONE && validity->value < 1)
        return refuse_value(validity->value, err);
    st = end_of(validity, now_s, &end_s, err);
    if (st != CA_OK) return st;
    if (end_s <= now_s)
        return ca_fail_named(err, CA_REFUSED, "validity",
                             "the certificate would end before it is issued");
    *not_after_s = end_s;
    return CA_OK;
}
