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

/* Content octets of the OIDs of extensions: id-ce (2.5.29), id-pe (1.3.6.1.5.5.7.1), and others. */
extern const struct ca_bytes ca_oid_subject_directory_attributes, ca_oid_subject_key_identifier,
    ca_oid_key_usage, ca_oid_private_key_usage_period, ca_oid_subject_alt_name,
    ca_oid_issuer_alt_name, ca_oid_basic_constraints, ca_oid_name_constraints,
    ca_oid_crl_distribution_points, ca_oid_certificate_policies, ca_oid_policy_mappings,
    ca_oid_authority_key_identifier, ca_oid_policy_constraints, ca_oid_ext_key_usage,
    ca_oid_freshest_crl, ca_oid_inhibit_any_policy, ca_oid_no_rev_avail,
    ca_oid_authority_info_access, ca_oid_subject_info_access, ca_oid_tls_feature,
    ca_oid_ocsp_nocheck, ca_oid_ct_poison, ca_oid_extension_request;

/* The access method id-ad-ocsp (RFC 5280 4.2.2.1). */
extern const struct ca_bytes ca_oid_ad_ocsp;

/* The purpose's OID (content octets) by number of its bit in enum ca_eku. */
struct ca_bytes ca_eku_oid(unsigned bit);

/* One Extension around a ready value. */
void ca_ext_add(struct ca_buf *out, struct ca_bytes oid, bool critical, struct ca_bytes value);

void ca_ext_basic_constraints(struct ca_buf *out, bool critical, bool is_ca, int path_len);
void ca_ext_authority_key_id(struct ca_buf *out, struct ca_bytes key_id);
void ca_ext_subject_key_id(struct ca_buf *out, struct ca_bytes key_id);
void ca_ext_key_usage(struct ca_buf *out, uint16_t key_usage);              /* critical */
/* more: further purposes, OIDs, each whole; behind the named ones. */
void ca_ext_ext_key_usage(struct ca_buf *out, bool critical, uint16_t eku, struct ca_bytes more);
void ca_ext_crl_distribution_point(struct ca_buf *out, const char *uri);
void ca_ext_freshest_crl(struct ca_buf *out, const char *uri);
void ca_ext_ocsp(struct ca_buf *out, const char *uri);                      /* AIA id-ad-ocsp */

#endif
