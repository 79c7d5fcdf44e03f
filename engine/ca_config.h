/*
 * CA configuration as the AWS CLI reads it (spec 2.2, 2.3): JSON in, checked values out. What a CA
 * does about revocation is the other half of what it is created with: engine/revocation.h.
 *
 * Unknown members are an error here, with their JSON path: a misspelt member must not silently give
 * another CA. Rare work, so jansson; any thread.
 */
#ifndef ENGINE_CA_CONFIG_H
#define ENGINE_CA_CONFIG_H

#include "engine/alg.h"
#include "engine/revocation.h"

#define CA_CONFIG_JSON_MAX 65536        /* octets of a configuration file */

struct ca_config {
    enum ca_key_alg key_alg;
    enum ca_sig_alg sig_alg;
    struct ca_buf subject;          /* Name in DER */
    struct ca_buf csr_extensions;   /* Extensions (content octets) for the CSR: always
                                     * BasicConstraints critical CA:TRUE, then what was asked */
    struct ca_buf json;             /* the configuration in canonical form, for describe */
};

/* The object of --certificate-authority-configuration. CA_MALFORMED "bad-json", CA_REFUSED with the
 * JSON path in the text ("Subject.Country: ..."). On failure *out is cleared. */
CA_MUST_CHECK enum ca_status ca_config_parse(struct ca_bytes json, struct ca_config *out,
                                             struct ca_error *err);
void ca_config_clear(struct ca_config *config);

/* Tags and tokens (spec 12 and 4.1): CA_REFUSED "tag" / "idempotency-token". */
CA_MUST_CHECK enum ca_status ca_tag_check(const char *key, const char *value,
                                          struct ca_error *err);
CA_MUST_CHECK enum ca_status ca_token_check(const char *token, struct ca_error *err);

#endif
