/*
 * What somebody asked for and did not get: the names in "ignored" of results.ndjson. A template's
 * value stands above the API's, that above the request's (spec section 6.1); what loses is dropped,
 * and named here.
 *
 * Bits are stored in the result rows of a job and never change their meaning. An extension whose
 * value and criticality are what the certificate has anyway is not ignored.
 *
 * Thread: constant data.
 */
#ifndef ENGINE_IGNORED_H
#define ENGINE_IGNORED_H

#include "engine/bytes.h"

/*  X(bit, NAME, "name") */
#define CA_IGNORED(X)                                                                              \
    X(0, CSR_SUBJECT, "csr.subject")                                                               \
    X(1, CSR_SAN, "csr.subjectAltName")                                                            \
    X(2, CSR_BASIC_CONSTRAINTS, "csr.basicConstraints")                                            \
    X(3, CSR_KEY_USAGE, "csr.keyUsage")                                                            \
    X(4, CSR_EXT_KEY_USAGE, "csr.extendedKeyUsage")                                                \
    X(5, CSR_SUBJECT_KEY_ID, "csr.subjectKeyIdentifier")                                           \
    X(6, CSR_AUTHORITY_KEY_ID, "csr.authorityKeyIdentifier")                                       \
    X(7, CSR_CERTIFICATE_POLICIES, "csr.certificatePolicies")                                      \
    X(8, CSR_CRL_DISTRIBUTION_POINTS, "csr.cRLDistributionPoints")                                 \
    X(9, CSR_FRESHEST_CRL, "csr.freshestCRL")                                                      \
    X(10, CSR_AUTHORITY_INFO_ACCESS, "csr.authorityInfoAccess")                                    \
    X(11, CSR_SUBJECT_INFO_ACCESS, "csr.subjectInfoAccess")                                        \
    X(12, CSR_NAME_CONSTRAINTS, "csr.nameConstraints")                                             \
    X(13, CSR_POLICY_CONSTRAINTS, "csr.policyConstraints")                                         \
    X(14, CSR_POLICY_MAPPINGS, "csr.policyMappings")                                               \
    X(15, CSR_INHIBIT_ANY_POLICY, "csr.inhibitAnyPolicy")                                          \
    X(16, CSR_ISSUER_ALT_NAME, "csr.issuerAltName")                                                \
    X(17, CSR_TLS_FEATURE, "csr.tlsFeature")                                                       \
    X(18, CSR_OCSP_NOCHECK, "csr.ocspNoCheck")                                                     \
    X(19, CSR_NO_REV_AVAIL, "csr.noRevAvail")                                                      \
    X(20, CSR_CT_POISON, "csr.ctPoison")                                                           \
    X(21, CSR_NETSCAPE, "csr.netscape")                                                            \
    X(22, CSR_MICROSOFT, "csr.microsoft")                                                          \
    X(23, CSR_OTHER, "csr.otherExtension")                                                         \
    X(32, API_SUBJECT, "api.subject")                                                              \
    X(33, API_SAN, "api.subjectAlternativeNames")                                                  \
    X(34, API_KEY_USAGE, "api.keyUsage")                                                           \
    X(35, API_EXT_KEY_USAGE, "api.extendedKeyUsage")                                               \
    X(36, API_CERTIFICATE_POLICIES, "api.certificatePolicies")                                     \
    X(37, API_CUSTOM_EXTENSION, "api.customExtension")                                             \
    X(48, LINE_SUBJECT, "manifest.subject")                                                        \
    X(49, LINE_SAN, "manifest.san")

enum ca_ignored {
#define CA_IGNORED_VALUE(bit, name, text) CA_IGNORED_##name = (bit),
    CA_IGNORED(CA_IGNORED_VALUE)
#undef CA_IGNORED_VALUE
};

#define CA_IGNORED_BIT(name) (UINT64_C(1) << CA_IGNORED_##name)

/* The name of a bit; NULL for one that this version does not know. */
const char *ca_ignored_name(unsigned bit);
/* The bit for a requested extension's type (content octets of its OID). */
enum ca_ignored ca_ignored_of_csr_extension(struct ca_bytes oid);
/* Appends ["csr.keyUsage",...]. */
void ca_ignored_append_json(uint64_t ignored, struct ca_buf *out);

#endif
