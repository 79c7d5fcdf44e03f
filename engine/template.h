/*
 * Certificate templates: what a certificate of a kind looks like. The catalogue of spec section 6
 * under its own names, plus our presets.
 *
 * The table is constant data; any thread.
 */
#ifndef ENGINE_TEMPLATE_H
#define ENGINE_TEMPLATE_H

#include "engine/alg.h"

enum ca_template_kind { CA_TEMPLATE_END_ENTITY, CA_TEMPLATE_SUBORDINATE_CA, CA_TEMPLATE_ROOT_CA };

/* Named bits of KeyUsage (RFC 5280 4.2.1.3): bit i is (1 << i). */
enum ca_key_usage {
    CA_KU_DIGITAL_SIGNATURE = 1 << 0, CA_KU_NON_REPUDIATION = 1 << 1,
    CA_KU_KEY_ENCIPHERMENT = 1 << 2, CA_KU_DATA_ENCIPHERMENT = 1 << 3,
    CA_KU_KEY_AGREEMENT = 1 << 4, CA_KU_KEY_CERT_SIGN = 1 << 5, CA_KU_CRL_SIGN = 1 << 6,
    CA_KU_ENCIPHER_ONLY = 1 << 7, CA_KU_DECIPHER_ONLY = 1 << 8
};

enum ca_eku {
    CA_EKU_SERVER_AUTH = 1 << 0, CA_EKU_CLIENT_AUTH = 1 << 1, CA_EKU_CODE_SIGNING = 1 << 2,
    CA_EKU_OCSP_SIGNING = 1 << 3
};

#define CA_PATH_LEN_NONE (-1)

struct ca_template {
    const char *name;           /* "EndEntityCertificate"; ARN and "/V1" are added around it */
    bool ours;                  /* a preset of ours: no ARN, no /V1 */
    enum ca_template_kind kind;
    uint16_t key_usage;         /* enum ca_key_usage bits; 0: no KeyUsage extension */
    /* Bits instead of key_usage for keys that cannot encipher (EC, EdDSA; RFC 8813 and 9295);
     * equal to key_usage in the AWS rows, which ignore the key's type. */
    uint16_t key_usage_signing_only;
    uint16_t eku;               /* enum ca_eku bits, written in the order of the enum */
    bool eku_critical;
    bool basic_constraints_critical;
    int path_len;               /* CA templates: 0..3, or CA_PATH_LEN_NONE */
    uint32_t max_validity_days; /* 0: none of its own */
    const char *summary;        /* one line for `template list` */
};

size_t ca_template_count(void);
const struct ca_template *ca_template_at(size_t index);

/* By short name ("EndEntityCertificate"), with "/V1", or by ARN
 * (arn:PARTITION:acm-pca:::template/NAME/V1). CA_REFUSED, name "template": unknown (says to look at
 * `certmill template list`). */
CA_MUST_CHECK enum ca_status ca_template_find(const char *text, const struct ca_template **out,
                                              struct ca_error *err);
/* "arn:aws:acm-pca:::template/EndEntityCertificate/V1", or the plain name of a preset. */
void ca_template_arn(const struct ca_template *tmpl, struct ca_buf *out);
/* The default when none is named: EndEntityCertificate (spec section 4, IssueCertificate). */
const struct ca_template *ca_template_default(void);
/* Canonical JSON of all that decides a certificate's extensions; what a profile's hash covers. */
void ca_template_describe(const struct ca_template *tmpl, struct ca_buf *out);

#endif
