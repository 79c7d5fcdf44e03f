#include "engine/template.h"

/* Shorthands for the table below, as spec section 6 abbreviates. */
#define DS CA_KU_DIGITAL_SIGNATURE
#define KE CA_KU_KEY_ENCIPHERMENT
#define KCS CA_KU_KEY_CERT_SIGN
#define CRLS CA_KU_CRL_SIGN
#define SERVER CA_EKU_SERVER_AUTH
#define CLIENT CA_EKU_CLIENT_AUTH
#define CODE CA_EKU_CODE_SIGNING
#define OCSP CA_EKU_OCSP_SIGNING
#define API CA_FROM_API
#define CSR CA_FROM_CSR
#define CA CA_FROM_CA

/* AWS rows give every key the same KeyUsage, keyEncipherment for EC keys included. */
#define KU(bits) .key_usage = (bits), .key_usage_signing_only = (bits)
#define EKU(bits) .eku = (bits), .eku_critical = false
#define EKU_CRITICAL(bits) .eku = (bits), .eku_critical = true
#define PASS(sources) .passthrough = (sources)
#define CDP(sources) .cdp_from = (sources)

/* What users' templates narrow: every kind of key, RSA up to the default maximum, and every
 * signature that rests on SHA-2 or is EdDSA's own. */
#define KIND(kind) (1u << CA_KEY_KIND_##kind)
#define SIGNED_WITH(alg) (1u << CA_SIG_##alg)
#define DEFAULTS                                                                                   \
    .keys = { .kinds = KIND(RSA) | KIND(P256) | KIND(P384) | KIND(P521) | KIND(ED25519) |          \
                       KIND(ED448),                                                                \
              .rsa_bits_min = CA_RSA_BITS_MIN, .rsa_bits_max = CA_RSA_BITS_DEFAULT_MAX,            \
              .rsa_exponent_bits_max = CA_RSA_EXPONENT_BITS_DEFAULT },                             \
    .request_algs = SIGNED_WITH(RSA_SHA256) | SIGNED_WITH(RSA_SHA384) | SIGNED_WITH(RSA_SHA512) |  \
                    SIGNED_WITH(ECDSA_SHA256) | SIGNED_WITH(ECDSA_SHA384) |                        \
                    SIGNED_WITH(ECDSA_SHA512) | SIGNED_WITH(ED25519) | SIGNED_WITH(ED448) |        \
                    SIGNED_WITH(RSA_PSS_SHA256) | SIGNED_WITH(RSA_PSS_SHA384) |                    \
                    SIGNED_WITH(RSA_PSS_SHA512)

#define END_ENTITY                                                                                 \
    .kind = CA_TEMPLATE_END_ENTITY, .basic_constraints_critical = false,                           \
    .path_len = CA_PATH_LEN_NONE, DEFAULTS
#define END_ENTITY_CRITICAL                                                                        \
    .kind = CA_TEMPLATE_END_ENTITY, .basic_constraints_critical = true,                            \
    .path_len = CA_PATH_LEN_NONE, DEFAULTS
#define SUBORDINATE(n)                                                                             \
    .kind = CA_TEMPLATE_SUBORDINATE_CA, .basic_constraints_critical = true, .path_len = (n),       \
    DEFAULTS
#define ROOT(n)                                                                                    \
    .kind = CA_TEMPLATE_ROOT_CA, .basic_constraints_critical = true, .path_len = (n), DEFAULTS

/* The rows of spec section 6 in its order. A member that a row does not name is none: what has no
 * PASS lets nothing pass, what has no KU or EKU leaves the extension to what passes. Roots have no
 * authority key identifier and no CDP but what CustomExtensions give, and RootCACertificate* no CDP
 * at all. */
static const struct ca_template rows[] = {
    { .name = "EndEntityCertificate",
      END_ENTITY, CDP(CA), KU(DS | KE), EKU(SERVER | CLIENT),
      .summary = "TLS server and client" },
    { .name = "EndEntityCertificate_CSRPassthrough",
      END_ENTITY, PASS(CSR), CDP(CA | CSR), KU(DS | KE), EKU(SERVER | CLIENT),
      .summary = "TLS server and client; more from the CSR" },
    { .name = "EndEntityCertificate_APIPassthrough",
      END_ENTITY, PASS(API), CDP(CA), KU(DS | KE), EKU(SERVER | CLIENT),
      .summary = "TLS server and client; more from the API" },
    { .name = "EndEntityCertificate_APICSRPassthrough",
      END_ENTITY, PASS(API | CSR), CDP(CA | CSR), KU(DS | KE), EKU(SERVER | CLIENT),
      .summary = "TLS server and client; more from the API and the CSR" },
    /* Documented with a CSR source of CDP although nothing passes from a CSR here: a slip of
     * the edition, not followed. */
    { .name = "EndEntityClientAuthCertificate",
      END_ENTITY, CDP(CA), KU(DS | KE), EKU(CLIENT),
      .summary = "TLS client" },
    { .name = "EndEntityClientAuthCertificate_CSRPassthrough",
      END_ENTITY, PASS(CSR), CDP(CA | CSR), KU(DS | KE), EKU(CLIENT),
      .summary = "TLS client; more from the CSR" },
    { .name = "EndEntityClientAuthCertificate_APIPassthrough",
      END_ENTITY, PASS(API), CDP(CA), KU(DS | KE), EKU(CLIENT),
      .summary = "TLS client; more from the API" },
    { .name = "EndEntityClientAuthCertificate_APICSRPassthrough",
      END_ENTITY, PASS(API | CSR), CDP(CA | CSR), KU(DS | KE), EKU(CLIENT),
      .summary = "TLS client; more from the API and the CSR" },
    { .name = "EndEntityServerAuthCertificate",
      END_ENTITY, CDP(CA), KU(DS | KE), EKU(SERVER),
      .summary = "TLS server" },
    { .name = "EndEntityServerAuthCertificate_CSRPassthrough",
      END_ENTITY, PASS(CSR), CDP(CA | CSR), KU(DS | KE), EKU(SERVER),
      .summary = "TLS server; more from the CSR" },
    { .name = "EndEntityServerAuthCertificate_APIPassthrough",
      END_ENTITY, PASS(API), CDP(CA), KU(DS | KE), EKU(SERVER),
      .summary = "TLS server; more from the API" },
    { .name = "EndEntityServerAuthCertificate_APICSRPassthrough",
      END_ENTITY, PASS(API | CSR), CDP(CA | CSR), KU(DS | KE), EKU(SERVER),
      .summary = "TLS server; more from the API and the CSR" },
    { .name = "CodeSigningCertificate",
      END_ENTITY, CDP(CA), KU(DS), EKU_CRITICAL(CODE),
      .summary = "Signer of code" },
    { .name = "CodeSigningCertificate_CSRPassthrough",
      END_ENTITY, PASS(CSR), CDP(CA | CSR), KU(DS), EKU_CRITICAL(CODE),
      .summary = "Signer of code; more from the CSR" },
    { .name = "CodeSigningCertificate_APIPassthrough",
      END_ENTITY, PASS(API), CDP(CA), KU(DS), EKU_CRITICAL(CODE),
      .summary = "Signer of code; more from the API" },
    { .name = "CodeSigningCertificate_APICSRPassthrough",
      END_ENTITY, PASS(API | CSR), CDP(CA | CSR), KU(DS), EKU_CRITICAL(CODE),
      .summary = "Signer of code; more from the API and the CSR" },
    { .name = "OCSPSigningCertificate",
      END_ENTITY, CDP(CA), KU(DS), EKU_CRITICAL(OCSP),
      .summary = "Signer of OCSP responses" },
    { .name = "OCSPSigningCertificate_CSRPassthrough",
      END_ENTITY, PASS(CSR), CDP(CA | CSR), KU(DS), EKU_CRITICAL(OCSP),
      .summary = "Signer of OCSP responses; more from the CSR" },
    { .name = "OCSPSigningCertificate_APIPassthrough",
      END_ENTITY, PASS(API), CDP(CA), KU(DS), EKU_CRITICAL(OCSP),
      .summary = "Signer of OCSP responses; more from the API" },
    { .name = "OCSPSigningCertificate_APICSRPassthrough",
      END_ENTITY, PASS(API | CSR), CDP(CA | CSR), KU(DS), EKU_CRITICAL(OCSP),
      .summary = "Signer of OCSP responses; more from the API and the CSR" },
    { .name = "BlankEndEntityCertificate_CSRPassthrough",
      END_ENTITY, PASS(CSR), CDP(CA | CSR),
      .summary = "End entity, usages open; more from the CSR" },
    { .name = "BlankEndEntityCertificate_APIPassthrough",
      END_ENTITY, PASS(API), CDP(CA),
      .summary = "End entity, usages open; more from the API" },
    { .name = "BlankEndEntityCertificate_APICSRPassthrough",
      END_ENTITY, PASS(API | CSR), CDP(CA | CSR),
      .summary = "End entity, usages open; more from the API and the CSR" },
    /* Documented with names "API or CSR" although the API passes nothing here: another slip. */
    { .name = "BlankEndEntityCertificate_CriticalBasicConstraints_CSRPassthrough",
      END_ENTITY_CRITICAL, PASS(CSR), CDP(CA | CSR),
      .summary = "End entity, BC critical, usages open; more from the CSR" },
    { .name = "BlankEndEntityCertificate_CriticalBasicConstraints_APIPassthrough",
      END_ENTITY_CRITICAL, PASS(API), CDP(CA | API),
      .summary = "End entity, BC critical, usages open; more from the API" },
    { .name = "BlankEndEntityCertificate_CriticalBasicConstraints_APICSRPassthrough",
      END_ENTITY_CRITICAL, PASS(API | CSR), CDP(CA | API | CSR),
      .summary = "End entity, BC critical, usages open; more from the API and the CSR" },
    { .name = "SubordinateCACertificate_PathLen0",
      SUBORDINATE(0), CDP(CA), KU(DS | KCS | CRLS),
      .summary = "CA that issues end-entity certificates only" },
    { .name = "SubordinateCACertificate_PathLen1",
      SUBORDINATE(1), CDP(CA), KU(DS | KCS | CRLS),
      .summary = "CA with at most one level of CAs below it" },
    { .name = "SubordinateCACertificate_PathLen2",
      SUBORDINATE(2), CDP(CA), KU(DS | KCS | CRLS),
      .summary = "CA with at most two levels of CAs below it" },
    { .name = "SubordinateCACertificate_PathLen3",
      SUBORDINATE(3), CDP(CA), KU(DS | KCS | CRLS),
      .summary = "CA with at most three levels of CAs below it" },
    { .name = "SubordinateCACertificate_PathLen0_CSRPassthrough",
      SUBORDINATE(0), PASS(CSR), CDP(CA | CSR), KU(DS | KCS | CRLS),
      .summary = "CA, no CAs below; more from the CSR" },
    { .name = "SubordinateCACertificate_PathLen1_CSRPassthrough",
      SUBORDINATE(1), PASS(CSR), CDP(CA | CSR), KU(DS | KCS | CRLS),
      .summary = "CA, one level of CAs below; more from the CSR" },
    { .name = "SubordinateCACertificate_PathLen2_CSRPassthrough",
      SUBORDINATE(2), PASS(CSR), CDP(CA | CSR), KU(DS | KCS | CRLS),
      .summary = "CA, two levels of CAs below; more from the CSR" },
    { .name = "SubordinateCACertificate_PathLen3_CSRPassthrough",
      SUBORDINATE(3), PASS(CSR), CDP(CA | CSR), KU(DS | KCS | CRLS),
      .summary = "CA, three levels of CAs below; more from the CSR" },
    { .name = "SubordinateCACertificate_PathLen0_APIPassthrough",
      SUBORDINATE(0), PASS(API), CDP(CA), KU(DS | KCS | CRLS),
      .summary = "CA, no CAs below; more from the API" },
    { .name = "SubordinateCACertificate_PathLen1_APIPassthrough",
      SUBORDINATE(1), PASS(API), CDP(CA), KU(DS | KCS | CRLS),
      .summary = "CA, one level of CAs below; more from the API" },
    { .name = "SubordinateCACertificate_PathLen2_APIPassthrough",
      SUBORDINATE(2), PASS(API), CDP(CA), KU(DS | KCS | CRLS),
      .summary = "CA, two levels of CAs below; more from the API" },
    { .name = "SubordinateCACertificate_PathLen3_APIPassthrough",
      SUBORDINATE(3), PASS(API), CDP(CA), KU(DS | KCS | CRLS),
      .summary = "CA, three levels of CAs below; more from the API" },
    { .name = "SubordinateCACertificate_PathLen0_APICSRPassthrough",
      SUBORDINATE(0), PASS(API | CSR), CDP(CA | CSR), KU(DS | KCS | CRLS),
      .summary = "CA, no CAs below; more from the API and the CSR" },
    { .name = "SubordinateCACertificate_PathLen1_APICSRPassthrough",
      SUBORDINATE(1), PASS(API | CSR), CDP(CA | CSR), KU(DS | KCS | CRLS),
      .summary = "CA, one level of CAs below; more from the API and the CSR" },
    { .name = "SubordinateCACertificate_PathLen2_APICSRPassthrough",
      SUBORDINATE(2), PASS(API | CSR), CDP(CA | CSR), KU(DS | KCS | CRLS),
      .summary = "CA, two levels of CAs below; more from the API and the CSR" },
    { .name = "SubordinateCACertificate_PathLen3_APICSRPassthrough",
      SUBORDINATE(3), PASS(API | CSR), CDP(CA | CSR), KU(DS | KCS | CRLS),
      .summary = "CA, three levels of CAs below; more from the API and the CSR" },
    { .name = "BlankSubordinateCACertificate_PathLen0_CSRPassthrough",
      SUBORDINATE(0), PASS(CSR), CDP(CA | CSR),
      .summary = "CA, no CAs below, usages open; more from the CSR" },
    { .name = "BlankSubordinateCACertificate_PathLen1_CSRPassthrough",
      SUBORDINATE(1), PASS(CSR), CDP(CA | CSR),
      .summary = "CA, one level of CAs below, usages open; more from the CSR" },
    { .name = "BlankSubordinateCACertificate_PathLen2_CSRPassthrough",
      SUBORDINATE(2), PASS(CSR), CDP(CA | CSR),
      .summary = "CA, two levels of CAs below, usages open; more from the CSR" },
    { .name = "BlankSubordinateCACertificate_PathLen3_CSRPassthrough",
      SUBORDINATE(3), PASS(CSR), CDP(CA | CSR),
      .summary = "CA, three levels of CAs below, usages open; more from the CSR" },
    { .name = "BlankSubordinateCACertificate_PathLen0_APIPassthrough",
      SUBORDINATE(0), PASS(API), CDP(CA),
      .summary = "CA, no CAs below, usages open; more from the API" },
    { .name = "BlankSubordinateCACertificate_PathLen1_APIPassthrough",
      SUBORDINATE(1), PASS(API), CDP(CA),
      .summary = "CA, one level of CAs below, usages open; more from the API" },
    { .name = "BlankSubordinateCACertificate_PathLen2_APIPassthrough",
      SUBORDINATE(2), PASS(API), CDP(CA),
      .summary = "CA, two levels of CAs below, usages open; more from the API" },
    { .name = "BlankSubordinateCACertificate_PathLen3_APIPassthrough",
      SUBORDINATE(3), PASS(API), CDP(CA),
      .summary = "CA, three levels of CAs below, usages open; more from the API" },
    { .name = "BlankSubordinateCACertificate_PathLen0_APICSRPassthrough",
      SUBORDINATE(0), PASS(API | CSR), CDP(CA | CSR),
      .summary = "CA, no CAs below, usages open; more from the API and the CSR" },
    { .name = "BlankSubordinateCACertificate_PathLen1_APICSRPassthrough",
      SUBORDINATE(1), PASS(API | CSR), CDP(CA | CSR),
      .summary = "CA, one level of CAs below, usages open; more from the API and the CSR" },
    { .name = "BlankSubordinateCACertificate_PathLen2_APICSRPassthrough",
      SUBORDINATE(2), PASS(API | CSR), CDP(CA | CSR),
      .summary = "CA, two levels of CAs below, usages open; more from the API and the CSR" },
    { .name = "BlankSubordinateCACertificate_PathLen3_APICSRPassthrough",
      SUBORDINATE(3), PASS(API | CSR), CDP(CA | CSR),
      .summary = "CA, three levels of CAs below, usages open; more from the API and the CSR" },
    { .name = "RootCACertificate",
      ROOT(CA_PATH_LEN_NONE), KU(DS | KCS | CRLS),
      .summary = "Self-signed root CA" },
    { .name = "RootCACertificate_APIPassthrough",
      ROOT(CA_PATH_LEN_NONE), PASS(API), .aki_from_api = true, KU(DS | KCS | CRLS),
      .summary = "Self-signed root CA; more from the API" },
    { .name = "BlankRootCACertificate_APIPassthrough",
      ROOT(CA_PATH_LEN_NONE), PASS(API), CDP(API), .aki_from_api = true,
      .summary = "Self-signed root CA, usages open; more from the API" },
    { .name = "BlankRootCACertificate_PathLen0_APIPassthrough",
      ROOT(0), PASS(API), CDP(API), .aki_from_api = true,
      .summary = "Self-signed root CA, no CAs below, usages open; more from the API" },
    { .name = "BlankRootCACertificate_PathLen1_APIPassthrough",
      ROOT(1), PASS(API), CDP(API), .aki_from_api = true,
      .summary = "Self-signed root CA, one level of CAs below, usages open; more from the API" },
    { .name = "BlankRootCACertificate_PathLen2_APIPassthrough",
      ROOT(2), PASS(API), CDP(API), .aki_from_api = true,
      .summary = "Self-signed root CA, two levels of CAs below, usages open; more from the API" },
    { .name = "BlankRootCACertificate_PathLen3_APIPassthrough",
      ROOT(3), PASS(API), CDP(API), .aki_from_api = true,
      .summary = "Self-signed root CA, three levels of CAs below, usages open; more from the API" },
};

#define ROW_COUNT CA_COUNT(rows)

size_t ca_template_count(void)
{
    return ROW_COUNT;
}

const struct ca_template *ca_template_at(size_t index)
{
    return index < ROW_COUNT ? &rows[index] : NULL;
}

const struct ca_template *ca_template_default(void)
{
    return &rows[0];
}
