/*
 * Patterns of templates: PCRE2 over UTF-8, anchored at both ends, and what it takes to run them
 * over values that strangers chose.
 *
 * A pattern backtracks, and its cost can grow with the power of the value's length. So every match
 * is bounded in steps, in depth and in memory, and all matches of one request together in the work
 * that is not cheap: one that runs over a bound refuses the request. \d and \w mean ASCII; \C is
 * not allowed; a callout does nothing.
 *
 * Thread: a compiled pattern is frozen and may be used by any; a matcher belongs to one.
 */
#ifndef ENGINE_PATTERN_H
#define ENGINE_PATTERN_H

#include "engine/bytes.h"

struct ca_pattern;
struct ca_matcher;

#define CA_PATTERN_MAX 512              /* octets of a pattern */
#define CA_PATTERN_STEPS_MAX 20000      /* PCRE2's match limit: bounds the time of one match; fewer
                                         * for values longer than 100 octets */
/* Nested choices. A group repeated for each character takes one or two for each, so that (a|b)+ can
 * match about 200 characters. */
#define CA_PATTERN_DEPTH_MAX 400
#define CA_PATTERN_HEAP_KIB 64          /* memory of a matcher */

CA_MUST_CHECK enum ca_status ca_matcher_new(struct ca_matcher **out, struct ca_error *err);
void ca_matcher_free(struct ca_matcher *matcher);
/* Forgets what earlier requests have cost. */
void ca_matcher_begin(struct ca_matcher *matcher);

/* text is UTF-8. CA_REFUSED: the text of *err continues a sentence that begins with the pattern's
 * place ("is no regular expression: ..., at offset 3"). */
CA_MUST_CHECK enum ca_status ca_pattern_new(struct ca_bytes text, struct ca_pattern **out,
                                            struct ca_error *err);
void ca_pattern_free(struct ca_pattern *pattern);
/* The beginning of the pattern's text for a sentence: as many octets as *len says. */
const char *ca_pattern_shown(const struct ca_pattern *pattern, int *len);

/* Does the whole value match? CA_REFUSED: a bound was reached, or value is not UTF-8; the text of
 * *err continues a sentence that begins with the value. CA_NOMEM. */
CA_MUST_CHECK enum ca_status ca_pattern_match(const struct ca_pattern *pattern,
                                              struct ca_matcher *matcher, struct ca_bytes value,
                                              bool *matches, struct ca_error *err);

/* How many octets of UTF-8 text a sentence shows: whole characters, at most 60 octets. */
int ca_shown_len(struct ca_bytes text);

#endif
