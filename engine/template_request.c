#include "engine/template_reader.h"

#include <string.h>

#define DURATION_DIGITS_MAX 9
#define RSA_EXPONENT_BITS_MIN 17        /* 65537 */
#define DAY_S 86400

/* Keys and signatures */

static void read_rsa_bits(struct template_reader *reader, const json_t *value)
{
    static const char *const members[] = { "min", "max" };
    static const char path[] = "keys.rsa_bits";
    struct ca_key_rules *keys = &reader->tmpl->keys;
    int64_t min = keys->rsa_bits_min, max = keys->rsa_bits_max;

    if (value == NULL) return;
    (void)ca_finding_object(reader->findings, value, path, members, CA_COUNT(members));
    (void)ca_finding_number(reader->findings, value, path, "min", CA_RSA_BITS_MIN,
                            CA_RSA_BITS_MAX, &min);
    (void)ca_finding_number(reader->findings, value, path, "max", CA_RSA_BITS_MIN,
                            CA_RSA_BITS_MAX, &max);
    if (min > max)
        ca_finding_add(reader->findings, path, "min %d is above max %d", (int)min, (int)max);
    keys->rsa_bits_min = (uint16_t)min;
    keys->rsa_bits_max = (uint16_t)max;
}

static void read_keys(struct template_reader *reader)
{
    static const char *const members[] = { "algorithms", "rsa_bits", "rsa_exponent_bits_max" };
    const char *kinds[CA_KEY_KIND_COUNT - 1];   /* all but CA_KEY_KIND_NONE */
    const json_t *value = json_object_get(reader->root, "keys");
    struct ca_key_rules *keys = &reader->tmpl->keys;
    int64_t exponent = keys->rsa_exponent_bits_max;
    uint32_t set = 0;

    if (value == NULL) return;
    for (size_t i = 0; i < CA_COUNT(kinds); i++)
        kinds[i] = ca_key_kind_name((enum ca_key_kind)(i + 1));
    (void)ca_finding_object(reader->findings, value, "keys", members, CA_COUNT(members));
    if (template_read_set(reader, value, "keys", "algorithms", 1, kinds, CA_COUNT(kinds), &set))
        keys->kinds = (uint16_t)(set << 1);
    read_rsa_bits(reader, json_object_get(value, "rsa_bits"));
    (void)ca_finding_number(reader->findings, value, "keys", "rsa_exponent_bits_max",
                            RSA_EXPONENT_BITS_MIN, CA_RSA_EXPONENT_BITS_MAX, &exponent);
    keys->rsa_exponent_bits_max = (uint16_t)exponent;
}

/* One that no request could be signed with would refuse them all. */
static void check_algorithms(struct template_reader *reader)
{
    const struct ca_template *tmpl = reader->tmpl;

    for (unsigned kind = 1; kind < CA_KEY_KIND_COUNT; kind++) {
        if ((tmpl->keys.kinds & (1u << kind)) == 0) continue;
        for (unsigned alg = 1; alg < CA_SIG_ALG_COUNT; alg++) {
            if ((tmpl->request_algs & (UINT32_C(1) << alg)) != 0 &&
                ca_sig_alg_fits_kind((enum ca_sig_alg)alg, (enum ca_key_kind)kind))
                return;
        }
    }
    template_fault(reader, "request.signature_algorithms",
                   "none is for a key of keys.algorithms");
}

static void read_request(struct template_reader *reader)
{
    static const char *const members[] = { "signature_algorithms", "version", "country" };
    static const char *const versions[] = { "0", "any" };
    static const char *const countries[] = { "two-letters", "any" };
    const char *algs[CA_SIG_ALG_COUNT - 1];     /* all but CA_SIG_ALG_NONE */
    const json_t *value = json_object_get(reader->root, "request");
    struct ca_template *tmpl = reader->tmpl;
    size_t version = 0, country = 0;
    uint32_t set = 0;

    if (value == NULL) return;
    for (size_t i = 0; i < CA_COUNT(algs); i++) algs[i] = ca_sig_alg_name((enum ca_sig_alg)(i + 1));
    (void)ca_finding_object(reader->findings, value, "request", members, CA_COUNT(members));
    if (template_read_set(reader, value, "request", "signature_algorithms", 1, algs, CA_COUNT(algs),
                          &set))
        tmpl->request_algs = set << 1;
    (void)ca_finding_choice(reader->findings, value, "request", "version", versions,
                            CA_COUNT(versions), &version);
    (void)ca_finding_choice(reader->findings, value, "request", "country", countries,
                            CA_COUNT(countries), &country);
    if (version == 1) tmpl->admit |= CA_ADMIT_VERSION;
    if (country == 1) tmpl->admit |= CA_ADMIT_COUNTRY;
}

static void read_duplicate_keys(struct template_reader *reader)
{
    static const char *const members[] = { "run", "store" };
    static const char *const rules[] = { "allow", "warn", "reject" };
    static const enum ca_key_rule values[] = { CA_KEYS_ALLOW, CA_KEYS_WARN, CA_KEYS_REJECT };
    static const char path[] = "duplicate_keys";
    const json_t *value = json_object_get(reader->root, path);
    size_t run = 0, store = 0;

    if (value == NULL) return;
    (void)ca_finding_object(reader->findings, value, path, members, CA_COUNT(members));
    (void)ca_finding_choice(reader->findings, value, path, "run", rules, CA_COUNT(rules), &run);
    (void)ca_finding_choice(reader->findings, value, path, "store", rules, CA_COUNT(rules), &store);
    reader->tmpl->keys_in_run = values[run];
    reader->tmpl->keys_in_store = values[store];
}

void template_read_requests(struct template_reader *reader)
{
    read_keys(reader);
    read_request(reader);
    check_algorithms(reader);
    read_duplicate_keys(reader);
}

/* Dates */

/* The most that so many calendar months can be, from the first of any month of the calendar's 400
 * years; from a later day of a month they are as long, or cut at a month's end. Above CA_TIME_MAX_S
 * when there is no such date. */
static int64_t longest_months_s(int64_t months)
{
    int64_t longest = 0;

    for (int32_t i = 0; i < 400 * 12; i++) {
        struct ca_civil first = { .year = 2000 + i / 12, .month = 1 + i % 12, .day = 1 };
        int64_t from = 0, to = 0;

        if (ca_time_from_civil(&first, &from, NULL) != CA_OK ||
            ca_time_add_months(from, months, &to, NULL) != CA_OK)
            return CA_TIME_MAX_S + 1;
        if (to - from > longest) longest = to - from;
    }
    return longest;
}

static int64_t longest_s(const struct ca_validity *validity)
{
    int64_t value = validity->value;

    switch (validity->type) {
    case CA_VALIDITY_DAYS: return value * DAY_S;        /* nine digits at most */
    case CA_VALIDITY_SECONDS: return value;
    case CA_VALIDITY_MONTHS: return longest_months_s(value);
    case CA_VALIDITY_YEARS: return longest_months_s(value * 12);
    case CA_VALIDITY_ABSOLUTE:
    case CA_VALIDITY_END_DATE:
    case CA_VALIDITY_NONE: break;
    }
    return CA_TIME_MAX_S + 1;
}

/* A duration in ca_validity_parse's words, and the most that it can be; false when it is absent or
 * mistaken. An end date has no place in a template: that is what not_after is for. */
static bool read_duration(struct template_reader *reader, const json_t *object, const char *member,
                          struct ca_validity *out, int64_t *most_s)
{
    struct ca_finding_path at = ca_finding_join("validity", member);
    const json_t *value = json_object_get(object, member);
    const char *text = json_string_value(value);
    size_t digits = text != NULL ? strspn(text, "0123456789") : 0;

    if (value == NULL) return false;
    if (text == NULL || digits == 0 || digits > DURATION_DIGITS_MAX || text[0] == '0' ||
        strchr("smhdy", text[digits]) == NULL || ca_validity_parse(text, out, NULL) != CA_OK) {
        ca_finding_wrong(reader->findings, value, at.text,
                         "a duration such as 365d, 12mo, 10y, 36h or 90s");
        return false;
    }
    *most_s = longest_s(out);
    if (*most_s <= CA_TIME_MAX_S) return true;
    template_fault(reader, at.text, "is longer than there are dates (RFC 5280 4.1.2.5)");
    return false;
}

static void read_validity(struct template_reader *reader)
{
    static const char *const members[] = { "default", "max" };
    const json_t *value = json_object_get(reader->root, "validity");
    struct ca_template *tmpl = reader->tmpl;
    struct ca_validity fallback, cap;
    int64_t fallback_s = 0, cap_s = 0;

    if (value == NULL) return;
    (void)ca_finding_object(reader->findings, value, "validity", members, CA_COUNT(members));
    if (read_duration(reader, value, "default", &fallback, &fallback_s))
        tmpl->validity_default = fallback;
    if (read_duration(reader, value, "max", &cap, &cap_s)) tmpl->validity_max_s = cap_s;
    if (fallback_s > 0 && cap_s > 0 && fallback_s > cap_s)
        template_fault(reader, "validity.max", "is shorter than the default can be");
}

static void read_not_after(struct template_reader *reader)
{
    const json_t *value = json_object_get(reader->root, "not_after");
    const char *text = json_string_value(value);
    char again[CA_TIME_TEXT_MAX] = "";
    int64_t not_after_s = 0;

    if (value == NULL) return;
    /* One way to write a time, so that nobody has to know of offsets and fractions. */
    if (text != NULL && ca_time_parse(text, &not_after_s, NULL) == CA_OK)
        ca_time_format(not_after_s, again);
    if (text == NULL || strcmp(text, again) != 0 || not_after_s <= 0) {
        ca_finding_wrong(reader->findings, value, "not_after",
                         "a time after 1970 such as 9999-12-31T23:59:59Z");
        return;
    }
    if (json_object_get(reader->root, "validity") != NULL)
        template_fault(reader, "not_after",
                       "cannot stand beside validity: it is the end of every certificate");
    reader->tmpl->not_after_s = not_after_s;
}

void template_read_dates(struct template_reader *reader)
{
    read_validity(reader);
    read_not_after(reader);
}
