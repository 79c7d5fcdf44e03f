/*
 * Why a request was refused: a stable code for scripts, the rule it broke, and what a status it is.
 *
 * Numbers are stored in the result rows of a job and never change their meaning; new ones are added
 * at the end (33 and 53 to 59 belong to no reason yet). The code is what results.ndjson shows.
 *
 * Thread: constant data.
 */
#ifndef ENGINE_REASON_H
#define ENGINE_REASON_H

#include "engine/status.h"

/*  X(number, NAME, "code", status, "rule") */
#define CA_REASONS(X)                                                                              \
    X(1, EMPTY, "empty", CA_MALFORMED, "RFC 7468 2")                                               \
    X(2, RECORD_TOO_LONG, "record-too-long", CA_MALFORMED, "limit: 64 KiB a record")               \
    X(3, REQUEST_TOO_LONG, "request-too-long", CA_MALFORMED, "limit: 32 KiB a request")            \
    X(4, BAD_PEM, "bad-pem", CA_MALFORMED, "RFC 7468 3")                                           \
    X(5, WRONG_LABEL, "wrong-label", CA_MALFORMED, "RFC 7468 7")                                   \
    X(6, SEVERAL_REQUESTS, "several-requests", CA_MALFORMED, "one request a file")                 \
    X(7, BAD_JSON, "bad-json", CA_MALFORMED, "RFC 8259")                                           \
    X(8, UNKNOWN_MEMBER, "unknown-member", CA_MALFORMED, "manifest line")                          \
    X(9, NO_REQUEST, "no-request", CA_MALFORMED, "manifest line")                                  \
    X(10, BAD_ID, "bad-id", CA_MALFORMED, "manifest line: id")                                     \
    X(11, UNREADABLE, "unreadable", CA_MALFORMED, "input file")                                    \
    X(12, NOT_A_FILE, "not-a-file", CA_MALFORMED, "input: regular files only")                     \
    X(13, BAD_DER, "bad-der", CA_MALFORMED, "X.690 10")                                            \
    X(14, TRAILING_DATA, "trailing-data", CA_MALFORMED, "X.690 10")                                \
    X(15, BAD_VERSION, "bad-version", CA_MALFORMED, "RFC 2986 4.1")                                \
    X(16, BAD_NAME, "bad-name", CA_MALFORMED, "RFC 5280 4.1.2.6")                                  \
    X(17, BAD_KEY, "bad-key", CA_MALFORMED, "RFC 5280 4.1.2.7")                                    \
    X(18, BAD_ATTRIBUTES, "bad-attributes", CA_MALFORMED, "RFC 2986 4.1")                          \
    X(19, BAD_EXTENSIONS, "bad-extensions", CA_MALFORMED, "RFC 5280 4.2")                          \
    X(20, BAD_SAN, "bad-san", CA_MALFORMED, "RFC 5280 4.2.1.6")                                    \
    X(21, BAD_ALGORITHM, "bad-algorithm", CA_MALFORMED, "RFC 2986 4.2")                            \
    X(22, KEY_NOT_SUPPORTED, "key-not-supported", CA_REFUSED, "RFC 5480 2.1.1")                    \
    X(23, KEY_TOO_WEAK, "key-too-weak", CA_REFUSED, "template: keys")                              \
    X(24, ALGORITHM_NOT_SUPPORTED, "algorithm-not-supported", CA_REFUSED,                          \
      "template: request signatures")                                                              \
    X(25, BAD_SIGNATURE, "bad-signature", CA_REFUSED, "RFC 2986 4.2")                              \
    X(26, NO_NAME, "no-name", CA_REFUSED, "RFC 5280 4.1.2.6")                                      \
    X(27, SAN_NOT_CRITICAL, "san-not-critical", CA_REFUSED, "RFC 5280 4.2.1.6")                    \
    X(28, CA_KEY_AS_SUBJECT, "ca-key-as-subject", CA_REFUSED, "template: keys")                    \
    X(29, VALIDITY_PAST_CA, "validity-past-ca", CA_REFUSED, "RFC 5280 6.1.3")                      \
    X(30, VALIDITY_REFUSED, "validity-refused", CA_REFUSED, "template: validity")                  \
    X(31, PATH_LENGTH, "path-length", CA_REFUSED, "RFC 5280 4.2.1.9")                              \
    X(32, TEMPLATE_NOT_FOR_ISSUER, "template-not-for-issuer", CA_REFUSED, "template: issuer")      \
    X(34, NAME_TOO_LONG, "name-too-long", CA_REFUSED, "RFC 5280 appendix A.1")                     \
    X(35, TOO_MANY_NAMES, "too-many-names", CA_REFUSED, "limit: 1000 names")                       \
    X(36, KEY_NOT_ALLOWED, "key-not-allowed", CA_REFUSED, "template: keys")                        \
    X(37, KEY_SMALL_FACTOR, "key-small-factor", CA_REFUSED, "BR 6.1.6")                            \
    X(38, KEY_ROCA, "key-roca", CA_REFUSED, "BR 6.1.1.3 (CVE-2017-15361)")                         \
    X(39, KEY_CLOSE_PRIMES, "key-close-primes", CA_REFUSED, "BR 6.1.1.3 (Fermat, 100 rounds)")     \
    X(40, KEY_PUBLISHED, "key-published", CA_REFUSED, "RFC 9500 2")                                \
    X(41, KEY_BLOCKED, "key-blocked", CA_REFUSED, "BR 6.1.1.3 (blocklist)")                        \
    X(42, BAD_POINT, "bad-point", CA_REFUSED, "SP 800-56A 5.6.2.3")                                \
    X(43, SUBJECT_REFUSED, "subject-refused", CA_REFUSED, "template: subject")                     \
    X(44, SAN_REFUSED, "san-refused", CA_REFUSED, "template: san")                                 \
    X(45, NAMES_DISAGREE, "names-disagree", CA_REFUSED, "template: names")                         \
    X(46, NO_MANIFEST_NAMES, "no-manifest-names", CA_REFUSED, "template: names")                   \
    X(47, BAD_MEMBER, "bad-member", CA_MALFORMED, "manifest line")                                 \
    X(48, PASSTHROUGH_IGNORED, "passthrough-ignored", CA_REFUSED, "--strict-passthrough")          \
    X(49, PASSTHROUGH_REFUSED, "passthrough-refused", CA_REFUSED, "RFC 5280 4.2")                  \
    X(50, DUPLICATE_KEY, "duplicate-key", CA_REFUSED, "template: duplicate_keys.run")              \
    X(51, KNOWN_KEY, "known-key", CA_REFUSED, "template: duplicate_keys.store")                    \
    X(52, CA_NOT_ALLOWED, "ca-not-allowed", CA_REFUSED, "template: allowed_cas")                   \
    X(60, LINT_ENCODING, "lint-encoding", CA_REFUSED, "RFC 5280 4.1")                              \
    X(61, LINT_VERSION, "lint-version", CA_REFUSED, "RFC 5280 4.1.2.1")                            \
    X(62, LINT_SERIAL, "lint-serial", CA_REFUSED, "RFC 5280 4.1.2.2")                              \
    X(63, LINT_ALGORITHM, "lint-algorithm", CA_REFUSED, "RFC 5280 4.1.2.3")                        \
    X(64, LINT_ISSUER, "lint-issuer", CA_REFUSED, "RFC 5280 4.1.2.4")                              \
    X(65, LINT_VALIDITY, "lint-validity", CA_REFUSED, "RFC 5280 4.1.2.5")                          \
    X(66, LINT_SUBJECT, "lint-subject", CA_REFUSED, "RFC 5280 4.1.2.6")                            \
    X(67, LINT_KEY, "lint-key", CA_REFUSED, "RFC 5280 4.1.2.7")                                    \
    X(68, LINT_EXTENSIONS, "lint-extensions", CA_REFUSED, "RFC 5280 4.2")                          \
    X(69, LINT_KEY_ID, "lint-key-id", CA_REFUSED, "RFC 5280 4.2.1.1")                              \
    X(70, LINT_KEY_USAGE, "lint-key-usage", CA_REFUSED, "RFC 5280 4.2.1.3")                        \
    X(71, LINT_SAN, "lint-san", CA_REFUSED, "RFC 5280 4.2.1.6")                                    \
    X(72, LINT_BASIC_CONSTRAINTS, "lint-basic-constraints", CA_REFUSED, "RFC 5280 4.2.1.9")        \
    X(73, LINT_EXT_KEY_USAGE, "lint-ext-key-usage", CA_REFUSED, "RFC 5280 4.2.1.12")               \
    X(74, LINT_REVOCATION, "lint-revocation", CA_REFUSED, "RFC 9608 3")

enum ca_reason {
    CA_REASON_NONE = 0,
#define CA_REASON_VALUE(number, name, code, status, rule) CA_REASON_##name = (number),
    CA_REASONS(CA_REASON_VALUE)
#undef CA_REASON_VALUE
};

#define CA_REASON_COUNT 75      /* one past the highest number */

/* Stable code ("bad-signature"); NULL for a number this version does not know. */
const char *ca_reason_code(uint16_t reason);
/* The RFC section or template member ("RFC 2986 4.2"); NULL for an unknown number. */
const char *ca_reason_rule(uint16_t reason);

/* Fills *err (may be NULL) with the reason's status, number and name and one sentence; returns the
 * status. */
enum ca_status ca_refuse(struct ca_error *err, enum ca_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
