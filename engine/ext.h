/*
 * X.509 extensions (RFC 5280 4.2): each one built from a template's values. Criticality FALSE is
 * left out, being the DEFAULT.
 *
 * Appends to a buffer; any thread.
 */
#ifndef ENGINE_EXT_H
#define ENGINE_EXT_H

#include "engine/der.h"
#include "engine/template.h"

/* Content octets of the OIDs 2.5.29.x and of authorityInfoAccess. */
extern const struct ca_bytes ca_oid_subject_key_identifier, ca_oid_key_usage,
    ca_oid_subject_alt_name, ca_oid_basic_constraints, ca_oid_crl_distribution_points,
    ca_oid_authority_key_identifier, ca_oid_ext_key_usage, ca_oid_authority_info_access,
    ca_oid_extension_request;

/* One Extension around a ready value. */
void ca_ext_add(struct ca_buf *out, struct ca_bytes oid, bool critical, struct ca_bytes value);

void ca_ext_basic_constraints(struct ca_buf *out, bool critical, bool is_ca, int path_len);
void ca_ext_authority_key_id(struct ca_buf *out, struct ca_bytes key_id);
void ca_ext_subject_key_id(struct ca_buf *out, struct ca_bytes key_id);
void ca_ext_key_usage(struct ca_buf *out, uint16_t key_usage);              /* critical */
void ca_ext_ext_key_usage(struct ca_buf *out, bool critical, uint16_t eku);
void ca_ext_crl_distribution_point(struct ca_buf *out, const char *uri);
void ca_ext_ocsp(struct ca_buf *out, const char *uri);                      /* AIA id-ad-ocsp */

#endif
