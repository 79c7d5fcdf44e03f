/*
 * The values of extensions, as RFC 5280 4.2 and its successors define them: what somebody else made
 * and wants to see in a certificate of ours is checked as strictly as if we had built it.
 *
 * Known are: authorityInfoAccess, authorityKeyIdentifier, basicConstraints, cRLDistributionPoints,
 * certificatePolicies, extKeyUsage, freshestCRL, inhibitAnyPolicy, issuerAltName, keyUsage,
 * nameConstraints, noRevAvail (RFC 9608), ocsp-nocheck (RFC 6960 4.2.2.2.1), policyConstraints,
 * policyMappings, privateKeyUsagePeriod, subjectAltName, subjectDirectoryAttributes,
 * subjectInfoAccess, subjectKeyIdentifier, TLS features (RFC 7633), a precertificate's poison
 * (RFC 6962 3.1).
 *
 * Checks allocate nothing and are linear in the value but for short lists; any thread.
 */
#ifndef ENGINE_EXTENSION_VALUE_H
#define ENGINE_EXTENSION_VALUE_H

#include "engine/bytes.h"
#include "engine/reason.h"

/* Policies, purposes and TLS features in one value: none may come twice. */
#define CA_EXTENSION_ENTRIES_MAX 64

/* oid: content octets; value: content of extnValue. Strict DER, minimal named bits, no empty lists,
 * good URIs; CA_REFUSED passthrough-refused otherwise, the text begins with the extension's name.
 * Of unknown types: one DER value when they are of an arc of PKIX (id-ce, id-pe) or begin like one;
 * others are octets of somebody else's, not empty. */
CA_MUST_CHECK enum ca_status ca_extension_value_check(struct ca_bytes oid, struct ca_bytes value,
                                                      struct ca_error *err);

/* The bits of a KeyUsage value (enum ca_key_usage); false when it is none. */
bool ca_key_usage_read(struct ca_bytes value, uint16_t *bits);

#endif
