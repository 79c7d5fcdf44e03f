/*
 * Certificate templates: what a certificate of a kind looks like, and what a request must be like
 * to get one. The catalogue of spec section 6 under its own names (engine/catalogue.c), and the
 * ones that users write (engine/template_file.h).
 *
 * Frozen after load; any thread.
 */
#ifndef ENGINE_TEMPLATE_H
#define ENGINE_TEMPLATE_H

#include "engine/alg.h"
#include "engine/validity.h"

struct ca_name_rules;

enum ca_template_kind { CA_TEMPLATE_END_ENTITY, CA_TEMPLATE_SUBORDINATE_CA, CA_TEMPLATE_ROOT_CA };

/* Named bits of KeyUsage (RFC 5280 4.2.1.3): bit i is (1 << i). */
enum ca_key_usage {
    CA_KU_DIGITAL_SIGNATURE = 1 << 0, CA_KU_NON_REPUDIATION = 1 << 1,
    CA_KU_KEY_ENCIPHERMENT = 1 << 2, CA_KU_DATA_ENCIPHERMENT = 1 << 3,
    CA_KU_KEY_AGREEMENT = 1 << 4, CA_KU_KEY_CERT_SIGN = 1 << 5, CA_KU_CRL_SIGN = 1 << 6,
    CA_KU_ENCIPHER_ONLY = 1 << 7, CA_KU_DECIPHER_ONLY = 1 << 8
};
#define CA_KEY_USAGE_COUNT 9

/* Purposes with names of their own; their OIDs are in engine/ext.h. */
enum ca_eku {
    CA_EKU_SERVER_AUTH = 1 << 0, CA_EKU_CLIENT_AUTH = 1 << 1, CA_EKU_CODE_SIGNING = 1 << 2,
    CA_EKU_OCSP_SIGNING = 1 << 3, CA_EKU_EMAIL_PROTECTION = 1 << 4, CA_EKU_TIME_STAMPING = 1 << 5,
    CA_EKU_SMART_CARD_LOGIN = 1 << 6, CA_EKU_DOCUMENT_SIGNING = 1 << 7,
    CA_EKU_CERTIFICATE_TRANSPARENCY = 1 << 8
};
#define CA_EKU_COUNT 9

#define CA_PATH_LEN_NONE (-1)

/* Who may give an extension or a name that the template leaves open. */
enum ca_source { CA_FROM_API = 1 << 0, CA_FROM_CSR = 1 << 1, CA_FROM_CA = 1 << 2 };

enum ca_names_from { CA_NAMES_FROM_CSR = 0, CA_NAMES_FROM_MANIFEST, CA_NAMES_BOTH_MUST_AGREE };

enum ca_key_rule { CA_KEYS_ALLOW = 0, CA_KEYS_WARN, CA_KEYS_REJECT };

/* What requests a template admits that the standards do not. */
enum ca_request_admit {
    CA_ADMIT_VERSION = 1 << 0,      /* a version other than 0 (RFC 2986 4.1) */
    CA_ADMIT_COUNTRY = 1 << 1       /* countryName that is not two letters (RFC 5280 A.1) */
};

/* Hard bounds, whatever a template says: the cost of one request. */
#define CA_RSA_BITS_MIN 2048
#define CA_RSA_BITS_MAX 8192
#define CA_RSA_EXPONENT_BITS_MAX 256
/* And the defaults. 2^64 itself is even, so "at most 2^64" is 64 bits. */
#define CA_RSA_BITS_DEFAULT_MAX 4096
#define CA_RSA_EXPONENT_BITS_DEFAULT 64

struct ca_key_rules {
    uint16_t kinds;             /* bit (1 << enum ca_key_kind) */
    uint16_t rsa_bits_min, rsa_bits_max;
    uint16_t rsa_exponent_bits_max;
};

struct ca_template {
    const char *name;           /* "EndEntityCertificate"; ARN and "/V1" are added around it */
    bool ours;                  /* a user's or a preset of ours: no ARN, no /V1 */
    enum ca_template_kind kind;
    uint8_t passthrough;        /* CA_FROM_API, CA_FROM_CSR: extensions, and from the API names */
    uint8_t cdp_from;           /* CA_FROM_CA first; the others where the CA writes none */
    bool aki_from_api;          /* a root's: only what CustomExtensions give */
    uint16_t key_usage;         /* enum ca_key_usage bits; 0: left to passthrough */
    /* Bits instead of key_usage for keys that cannot encipher (EC, EdDSA; RFC 8813 and 9295);
     * equal to key_usage in the AWS rows, which ignore the key's type. */
    uint16_t key_usage_signing_only;
    uint16_t eku;               /* enum ca_eku bits, written in the order of the enum */
    struct ca_bytes eku_more;   /* further purposes: OIDs, each whole */
    bool eku_critical;
    bool basic_constraints_critical;
    int path_len;               /* CA templates: 0..3, or CA_PATH_LEN_NONE */
    const char *summary;        /* one line for `template list` */

    /* What users' templates narrow; the catalogue's rows have the defaults. */
    struct ca_key_rules keys;
    uint32_t request_algs;      /* bit (1 << enum ca_sig_alg): what requests may be signed with */
    uint8_t admit;              /* enum ca_request_admit */
    enum ca_names_from names_from;
    const struct ca_name_rules *names;      /* subject and SAN; NULL: any */
    struct ca_validity validity_default;    /* NONE: by kind */
    int64_t validity_max_s;     /* 0: none of its own */
    int64_t not_after_s;        /* fixed; 0: none */
    bool no_revocation_pointers;            /* no CDP, freshestCRL, AIA whatever the CA says */
    struct ca_bytes extensions; /* further ones, ready: Extension after Extension */
    enum ca_key_rule keys_in_run, keys_in_store;
    const char *const *allowed_cas;         /* names or ARNs; NULL: any */
    size_t allowed_ca_count;
    /* Canonical JSON of a user's file without its comments; .len 0 for the catalogue. */
    struct ca_bytes source;
};

/* The catalogue, in the order of spec section 6. */
size_t ca_template_count(void);
const struct ca_template *ca_template_at(size_t index);

/* A row of the catalogue by short name ("EndEntityCertificate"), with "/V1", or by ARN
 * (arn:PARTITION:acm-pca:::template/NAME/V1). CA_REFUSED, name "template": unknown (says to look at
 * `certmill template list`). */
CA_MUST_CHECK enum ca_status ca_template_find(const char *text, const struct ca_template **out,
                                              struct ca_error *err);
/* "arn:aws:acm-pca:::template/EndEntityCertificate/V1", or the plain name of one of ours. */
void ca_template_arn(const struct ca_template *tmpl, struct ca_buf *out);
/* The default when none is named: EndEntityCertificate (spec section 4, IssueCertificate). */
const struct ca_template *ca_template_default(void);
/* Canonical JSON of all that decides a certificate; what a profile's hash covers. For one of a
 * user's the member "source" has the file's own text. */
void ca_template_describe(const struct ca_template *tmpl, struct ca_buf *out);

/* KeyUsage for a key of this kind. */
uint16_t ca_template_key_usage(const struct ca_template *tmpl, enum ca_key_kind kind);
/* May a CA with this name and ARN use it (allowed_cas)? */
bool ca_template_allows_ca(const struct ca_template *tmpl, const char *name, const char *arn);

/* Names of bits: "digitalSignature", "serverAuth"; NULL for a bit without one. */
const char *ca_key_usage_name(unsigned bit);
const char *ca_eku_name(unsigned bit);

#endif
