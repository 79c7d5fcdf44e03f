/*
 * What a template asks of the names of a certificate: subject attributes and subject alternative
 * names. Part of a user's template (engine/template_file.h):
 *
 *   "subject": {
 *     "attributes": {                        by keyword (C O OU ST CN L serialNumber title
 *                                            surname givenName initials pseudonym
 *                                            generationQualifier dnQualifier DC UID emailAddress
 *                                            street postalCode organizationIdentifier) or OID
 *       "CN": { "presence": "required" | "optional" | "forbidden",       optional
 *               "fixed": "text",           the certificate has exactly this value: put in where the
 *                                          request has none (behind what it has, in the order of
 *                                          AWS's ASN1Subject, unless "order" has it), another value
 *                                          is refused
 *               "pattern": "dev-[0-9]{6}", PCRE2, UTF-8, anchored at both ends
 *               "min_length": 1, "max_length": 64, in characters
 *               "max_count": 1 } },                                      1
 *     "others": "allow" | "forbid",        attributes that are not named; allow
 *     "order": ["C", "O", "CN"],           the certificate's RDNs are put into this order, those
 *                                          not named behind them as they came
 *     "empty": "allow" | "forbid" }                                      allow
 *   "san": {
 *     "min": 1, "max": 10,                 over all types
 *     "critical": "as-requested" | true | false      as-requested; under an empty subject the
 *                                          extension is critical whatever is said here
 *     "dns":   { "min": 0, "max": 5, "suffixes": [".example.com", "host.example"],
 *                "patterns": ["..."], "wildcards": false },
 *     "ip":    { "min", "max", "ranges": ["10.0.0.0/8", "2001:db8::/32"] },
 *     "email": { "min", "max", "suffixes": ["@example.com", ".example.com"], "patterns" },
 *     "uri":   { "min", "max", "patterns" },
 *     "directory_name": { "min", "max" }, "registered_id": { "min", "max", "oids": [...] },
 *     "other_name": { "min", "max", "types": ["1.3.6.1.5.5.7.8.4"] } }
 *
 * A name passes when it matches one of the suffixes or ranges (where there are any) and one of the
 * patterns (where there are any). A suffix that begins with "." matches whole labels before it,
 * without case; one that does not, only itself; of an rfc822Name they are about the host, and
 * "@example.com" is that host itself. Bounds not given are 0 and CA_NAMES_MAX; wildcards are not
 * allowed unless said. Types that "san" does not have are forbidden; a template without "san" takes
 * any. A subject with rules must have one attribute per RDN. Lists are not empty; a form has at
 * most 16 patterns, 256 of the others.
 *
 * Rules are frozen after load. Matching needs memory of its own, one ca_matcher per thread, bounded
 * in steps and depth (engine/pattern.h; a pattern that runs over them refuses the request).
 */
#ifndef ENGINE_NAME_RULES_H
#define ENGINE_NAME_RULES_H

#include "engine/arena.h"
#include "engine/name.h"
#include "engine/pattern.h"

struct ca_name_rules;

void ca_name_rules_free(struct ca_name_rules *rules);

/* The subject that the certificate gets: name itself, or one put together in arena (fixed values,
 * order). name has passed ca_name_check; rules NULL: any will do. CA_REFUSED subject-refused;
 * CA_NOMEM; CA_FULL: arena. */
CA_MUST_CHECK enum ca_status ca_name_rules_subject(const struct ca_name_rules *rules,
                                                   struct ca_matcher *matcher,
                                                   struct ca_bytes name, struct ca_arena *arena,
                                                   struct ca_bytes *out, struct ca_error *err);

/* general_names: has passed ca_san_check, or .len 0 when there is none; rules NULL: any will do.
 * *critical: as asked for; written with what the rules say. subject_empty: of the certificate.
 * CA_REFUSED san-refused; CA_NOMEM. */
CA_MUST_CHECK enum ca_status ca_name_rules_san(const struct ca_name_rules *rules,
                                               struct ca_matcher *matcher,
                                               struct ca_bytes general_names, bool subject_empty,
                                               bool *critical, struct ca_error *err);

#endif
