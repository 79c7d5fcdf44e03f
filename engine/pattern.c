#include "engine/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 60

/*
 * What a match may cost. A step takes about 12 ns, and one like .* half a nanosecond more for each
 * octet of the value that it looks at again; one unit of cost is half a nanosecond. The first steps
 * of each match are free, being what an honest pattern takes and bounded by a request's size.
 */
#define STEPS_FREE 16
#define STEPS_FACTOR 4
#define STEP_COST 24
#define MATCH_COST_MAX UINT64_C(2500000)
#define REQUEST_COST_MAX UINT64_C(6000000)

struct ca_pattern {
    pcre2_code *code;
    int shown;                  /* octets of text that errors show */
    char text[CA_PATTERN_MAX + 1];
};

struct ca_matcher {
    pcre2_match_context *limits;
    pcre2_match_data *data;     /* keeps PCRE2's stack from match to match */
    uint64_t cost_left;         /* of this request */
};

enum ca_status ca_matcher_new(struct ca_matcher **out, struct ca_error *err)
{
    struct ca_matcher *matcher = calloc(1, sizeof(*matcher));

    if (matcher == NULL) return ca_fail(err, CA_NOMEM, "no memory for a matcher");
    matcher->limits = pcre2_match_context_create(NULL);
    matcher->data = pcre2_match_data_create(1, NULL);
    if (matcher->limits == NULL || matcher->data == NULL) {
        ca_matcher_free(matcher);
        return ca_fail(err, CA_NOMEM, "no memory for a matcher");
    }
    (void)pcre2_set_depth_limit(matcher->limits, CA_PATTERN_DEPTH_MAX);
    (void)pcre2_set_heap_limit(matcher->limits, CA_PATTERN_HEAP_KIB);
    ca_matcher_begin(matcher);
    *out = matcher;
    return CA_OK;
}

void ca_matcher_free(struct ca_matcher *matcher)
{
    if (matcher == NULL) return;
    pcre2_match_data_free(matcher->data);
    pcre2_match_context_free(matcher->limits);
    free(matcher);
}

void ca_matcher_begin(struct ca_matcher *matcher)
{
    matcher->cost_left = REQUEST_COST_MAX;
}

/* Compiling */

enum ca_status ca_pattern_new(struct ca_bytes text, struct ca_pattern **out, struct ca_error *err)
{
    /* UTF-8 is checked at every match: values are foreign. Unicode properties for \d and \w stay
     * off, so that a template's digits are ten and its letters those of ASCII. */
    const uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
                             PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP;
    struct ca_pattern *pattern;
    PCRE2_UCHAR message[120];
    PCRE2_SIZE offset = 0;
    int code = 0;

    if (text.len == 0) return ca_fail(err, CA_REFUSED, "is empty");
    if (text.len > CA_PATTERN_MAX)
        return ca_fail(err, CA_REFUSED, "has %zu octets, at most %d are allowed", text.len,
                       CA_PATTERN_MAX);
    pattern = calloc(1, sizeof(*pattern));
    if (pattern == NULL) return ca_fail(err, CA_NOMEM, "no memory for a pattern");
    memcpy(pattern->text, text.data, text.len);
    pattern->shown = ca_shown_len(text);
    pattern->code = pcre2_compile(text.data, text.len, options, &code, &offset, NULL);
    if (pattern->code != NULL) {
        *out = pattern;
        return CA_OK;
    }
    ca_pattern_free(pattern);
    if (code == PCRE2_ERROR_HEAP_FAILED) return ca_fail(err, CA_NOMEM, "no memory for a pattern");
    if (pcre2_get_error_message(code, message, sizeof(message)) < 0) message[0] = '\0';
    return ca_fail(err, CA_REFUSED, "is no regular expression: %s, at offset %zu",
                   (const char *)message, offset);
}

void ca_pattern_free(struct ca_pattern *pattern)
{
    if (pattern == NULL) return;
    pcre2_code_free(pattern->code);
    free(pattern);
}

const char *ca_pattern_shown(const struct ca_pattern *pattern, int *len)
{
    *len = pattern->shown;
    return pattern->text;
}

int ca_shown_len(struct ca_bytes text)
{
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;

    /* Not in the middle of a character. */
    while (len > 0 && len < text.len && (text.data[len] & 0xc0) == 0x80) len--;
    return (int)len;
}

/* Matching */

/* The most steps that one match over so many octets may take. */
static uint32_t steps_max(size_t octets)
{
    uint64_t steps = MATCH_COST_MAX / (STEP_COST + octets);

    if (steps > CA_PATTERN_STEPS_MAX) return CA_PATTERN_STEPS_MAX;
    return steps < STEPS_FREE ? STEPS_FREE : (uint32_t)steps;
}

static int try_match(const struct ca_pattern *pattern, struct ca_matcher *matcher,
                     struct ca_bytes value, uint32_t steps)
{
    static const uint8_t nothing[1];

    (void)pcre2_set_match_limit(matcher->limits, steps);
    return pcre2_match(pattern->code, value.len == 0 ? nothing : value.data, value.len, 0, 0,
                       matcher->data, matcher->limits);
}

/* PCRE2 does not say how many steps a match took. So it gets few, and then four times as many: the
 * request pays for what it needed within that factor, and the whole costs a third more. */
enum ca_status ca_pattern_match(const struct ca_pattern *pattern, struct ca_matcher *matcher,
                                struct ca_bytes value, bool *matches, struct ca_error *err)
{
    uint32_t max = steps_max(value.len), steps = STEPS_FREE;
    int result = try_match(pattern, matcher, value, steps);

    while (result == PCRE2_ERROR_MATCHLIMIT && steps < max) {
        uint64_t cost;

        steps = steps >= max / STEPS_FACTOR ? max : steps * STEPS_FACTOR;
        cost = steps * (uint64_t)(STEP_COST + value.len);
        if (cost > matcher->cost_left)
            return ca_fail(err, CA_REFUSED,
                           "is one too many: the names together take too many steps to match %.*s",
                           pattern->shown, pattern->text);
        matcher->cost_left -= cost;
        result = try_match(pattern, matcher, value, steps);
    }
    switch (result) {
    case PCRE2_ERROR_NOMATCH: *matches = false; return CA_OK;
    case PCRE2_ERROR_MATCHLIMIT:
        return ca_fail(err, CA_REFUSED, "takes more than %u steps to match %.*s", (unsigned)max,
                       pattern->shown, pattern->text);
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_RECURSELOOP:
        return ca_fail(err, CA_REFUSED, "leads more than %d levels deep into %.*s",
                       CA_PATTERN_DEPTH_MAX, pattern->shown, pattern->text);
    case PCRE2_ERROR_HEAPLIMIT:
        return ca_fail(err, CA_REFUSED, "takes more than %d KiB to match %.*s",
                       CA_PATTERN_HEAP_KIB, pattern->shown, pattern->text);
    case PCRE2_ERROR_NOMEMORY: return ca_fail(err, CA_NOMEM, "no memory for matching a pattern");
    default: break;
    }
    /* Zero: matched, with more groups than we keep. */
    if (result < 0)
        return ca_fail(err, CA_REFUSED, "cannot be matched with %.*s (PCRE2 error %d)",
                       pattern->shown, pattern->text, result);
    *matches = true;
    return CA_OK;
}
