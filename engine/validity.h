/*
 * Validity periods as the AWS shapes have them (spec section 5), plus durations below a day.
 *
 * Pure functions; any thread.
 */
#ifndef ENGINE_VALIDITY_H
#define ENGINE_VALIDITY_H

#include "engine/clock.h"

enum ca_validity_type {
    CA_VALIDITY_NONE = 0,
    CA_VALIDITY_DAYS,       /* value x 24 h from issuance */
    CA_VALIDITY_MONTHS,     /* calendar months, day clamped */
    CA_VALIDITY_YEARS,      /* calendar years, 29 February clamped */
    CA_VALIDITY_ABSOLUTE,   /* notAfter, seconds since 1970 */
    CA_VALIDITY_END_DATE,   /* notAfter, digits YYMMDDHHMMSS or YYYYMMDDHHMMSS */
    CA_VALIDITY_SECONDS,    /* ours: for "36h" */
};

struct ca_validity {
    enum ca_validity_type type;
    int64_t value;          /* >= 1 */
};

#define CA_BACKDATE_S 3600          /* notBefore = issuance - 60 minutes (spec section 5) */
#define CA_VALIDITY_TEXT_MAX 48

/* "365d", "12mo", "10y", "36h", "90s", "Value=365,Type=DAYS" (any AWS type, either order), or an
 * RFC 3339 time (ABSOLUTE). CA_REFUSED, name "validity": anything else, or a value below 1. */
CA_MUST_CHECK enum ca_status ca_validity_parse(const char *text, struct ca_validity *out,
                                               struct ca_error *err);
/* "Value=365,Type=DAYS"; SECONDS as "36h" or "Ns". out holds CA_VALIDITY_TEXT_MAX. */
void ca_validity_format(const struct ca_validity *validity, char *out);
/* The AWS names for JSON; NULL for NONE and SECONDS. */
const char *ca_validity_type_name(enum ca_validity_type type);

/* notAfter of a certificate issued at now_s. CA_REFUSED (validity): no such date, not after now,
 * past year 9999. */
CA_MUST_CHECK enum ca_status ca_validity_not_after(const struct ca_validity *validity,
                                                   int64_t now_s, int64_t *not_after_s,
                                                   struct ca_error *err);

#endif
