/*
 * May this request have that template? Everything that can be said before the proof of possession,
 * cheapest first: a refused request costs below a microsecond, a verification 70.
 *
 * Pure functions over frozen objects; any thread.
 */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include "engine/profile.h"

#define CA_RSA_BITS_MIN 2048
#define CA_RSA_BITS_MAX 8192

/* CA_REFUSED or CA_MALFORMED with a reason: request-too-long (its certificate would be longer than
 * CA_CERT_DER_MAX), key-too-weak (RSA size, not a multiple of 8, exponent even or below
 * 65537 or over 256 bits), algorithm-not-supported (request signed with less than SHA-256),
 * no-name, san-not-critical, ca-key-as-subject (the issuer's own key, unless it signs itself). */
CA_MUST_CHECK enum ca_status ca_policy_check(const struct ca_profile *profile,
                                             const struct ca_request *request,
                                             struct ca_error *err);

#endif
