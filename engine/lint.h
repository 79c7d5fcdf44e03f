/*
 * Lint: the finished TBSCertificate against its template and the rules of RFC 5280, 9549, 9598 and
 * 9608, before it is signed. Always on; a failure refuses that request and says which rule, and
 * nothing is signed.
 *
 * It reads the octets again with the strict reader and asks the template and the issuer, never the
 * pieces the builder was compiled from: a fault in the builder must not hide here.
 *
 *   encoding    strict DER throughout, nothing left over
 *   version, serial (positive, minimal, at most 20 octets), algorithm as asked, issuer's octets
 *   validity    Times of the right form for their year, inside the issuer's, notBefore < notAfter,
 *               at most what template and usage mode allow
 *   names       subject as decided; SAN there and critical when it is empty
 *   key         the request's own octets
 *   extensions  each type once, in our order, with the criticality that RFC and template ask;
 *               BasicConstraints, path length, KeyUsage, purposes as the template has them; nothing
 *               from a CA (keyCertSign, nameConstraints, policyMappings...) in an end entity's;
 *               AKI = the issuer's SKI; SKI of this key; noRevAvail only without CDP, freshestCRL
 *               and OCSP pointers (RFC 9608 3)
 *
 * Pure functions; any thread. Costs below a microsecond for a device's certificate.
 */
#ifndef ENGINE_LINT_H
#define ENGINE_LINT_H

#include "engine/profile.h"

/* CA_REFUSED with one of the lint-* reasons; the text names the rule it broke. */
CA_MUST_CHECK enum ca_status ca_lint(const struct ca_profile *profile,
                                     const struct ca_tbs_input *input, struct ca_bytes tbs,
                                     struct ca_error *err);

#endif
