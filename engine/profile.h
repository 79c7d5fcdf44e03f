/*
 * A profile: template + issuer + validity + signature algorithm + what a job asks for all of its
 * certificates, compiled into the pieces of a TBSCertificate that do not change from request to
 * request. Compiled and frozen at a job's start, then shared as const between threads.
 *
 * A certificate (RFC 5280 4.1) is then: version, the serial, piece "middle" (signature algorithm
 * and issuer), validity, subject as decided (engine/contents.h), the key as a slice of the request,
 * and the extensions: BasicConstraints, AKI, SKI, KeyUsage, ExtendedKeyUsage,
 * CRLDistributionPoints, AuthorityInfoAccess, FreshestCRL, the template's own further ones, what
 * passed from the API and the request, SAN, in this order (spec section 8 as far as it goes; where
 * the others stand is ours to say).
 *
 * With partitioned CRLs (spec 9.2) the pointers to them name the certificate's scope: its number,
 * six digits, is written into the URI when a certificate is built.
 */
#ifndef ENGINE_PROFILE_H
#define ENGINE_PROFILE_H

#include "engine/blocklist.h"
#include "engine/contents.h"
#include "engine/issuer.h"
#include "engine/revocation.h"
#include "engine/validity.h"

struct ca_profile;

struct ca_profile_spec {
    const struct ca_template *tmpl;     /* borrowed; must outlive the profile */
    /* NULL for a root that signs itself: then the request's subject is the issuer and there is no
     * AKI. Borrowed; must outlive the profile. */
    const struct ca_issuer *issuer;
    enum ca_key_alg issuer_key;         /* of the signing key */
    enum ca_sig_alg sig_alg;
    struct ca_validity validity;        /* NONE: the template's not_after_s or validity_default */
    int64_t not_before_s;               /* ValidityNotBefore; 0: backdated from issuance */
    /* What is written into certificates about CRLs and OCSP; NULL: nothing. Copied, all but its
     * JSON. A template without revocation pointers, and a root that signs itself, have none of
     * it. */
    const struct ca_revocation *revocation;
    bool short_lived;                   /* the CA's usage mode: at most 7 days */
    bool strict;                        /* what would be ignored is refused */
    const struct ca_blocklist *blocklist;   /* the user's, or NULL; borrowed */
    /* The job's ApiPassthrough and its canonical JSON, or NULL and .len 0; both borrowed. */
    const struct ca_api *api;
    struct ca_bytes api_json;
};

/* CA_REFUSED: template not for this issuer (a root template under an issuer, a subordinate's under
 * one for short-lived certificates, a path length that is not below the issuer's; spec 6.2),
 * algorithm of the wrong family; "template": its extensions alone are too long for a certificate.
 * */
CA_MUST_CHECK enum ca_status ca_profile_new(const struct ca_profile_spec *spec,
                                            struct ca_profile **out, struct ca_error *err);
void ca_profile_free(struct ca_profile *profile);

const struct ca_template *ca_profile_template(const struct ca_profile *profile);
const struct ca_issuer *ca_profile_issuer(const struct ca_profile *profile);
enum ca_sig_alg ca_profile_sig_alg(const struct ca_profile *profile);
/* What it was made of, with its own copy of the revocation settings and the validity resolved. */
const struct ca_profile_spec *ca_profile_spec_of(const struct ca_profile *profile);
/* Which pointers the certificates of this profile get from the CA's configuration. */
struct ca_pointers ca_profile_pointers(const struct ca_profile *profile);

#define CA_PROFILE_TEXT_MAX (UINT32_C(8) << 20)     /* octets of a description */

/* SHA-256 over everything that decides a certificate (a canonical description, also appended to
 * *text when that is not NULL: JSON, one line). crypto for the digest only. */
CA_MUST_CHECK enum ca_status ca_profile_hash(const struct ca_profile *profile,
                                             struct ca_crypto *crypto, uint8_t hash[32],
                                             struct ca_buf *text, struct ca_error *err);

/* The dates of a certificate issued at now_s: notBefore = max(now - 60 min, issuer's notBefore);
 * CA_REFUSED (validity-past-ca, validity-refused): notAfter past the issuer's is refused, never
 * clipped; so is one that is not the template's fixed one, or past its longest period (counted from
 * now, or from an earlier ValidityNotBefore). A self-signed root is compared with no issuer. */
CA_MUST_CHECK enum ca_status ca_profile_dates(const struct ca_profile *profile, int64_t now_s,
                                              int64_t *not_before_s, int64_t *not_after_s,
                                              struct ca_error *err);

struct ca_tbs_input {
    const struct ca_request *request;   /* its key */
    const struct ca_contents *contents; /* names, extensions, key identifier */
    const struct ca_serial *serial;
    int64_t not_before_s, not_after_s;
    uint32_t scope;                     /* CRL scope; 0: the complete CRL */
};

/* Where a certificate lies inside an arena (offsets, because the arena may move while it grows).
 * The slot has room for the finished certificate: its header goes before the TBS, signature
 * algorithm and signature after it. */
struct ca_cert_slot {
    size_t offset;              /* of the slot */
    size_t size;                /* octets reserved */
    size_t tbs_offset, tbs_len; /* the TBS, from the arena's start */
    size_t der_offset, der_len; /* after ca_profile_finish: the certificate, likewise */
};

/* The longest that a certificate for this can get; over CA_CERT_DER_MAX it is not built. */
size_t ca_profile_cert_len_max(const struct ca_profile *profile, const struct ca_request *request,
                               const struct ca_contents *contents);

/* Appends a slot with the TBSCertificate to arena. CA_FULL / CA_NOMEM: the arena. CA_MALFORMED
 * (request-too-long): longer than CA_CERT_DER_MAX, which ca_policy_check refuses before. */
CA_MUST_CHECK enum ca_status ca_profile_build(const struct ca_profile *profile,
                                              const struct ca_tbs_input *input,
                                              struct ca_buf *arena, struct ca_cert_slot *slot,
                                              struct ca_error *err);

/* Completes the certificate in its slot. Cannot fail: the slot was reserved for the longest
 * signature (asserts otherwise). */
void ca_profile_finish(const struct ca_profile *profile, struct ca_buf *arena,
                       struct ca_cert_slot *slot, struct ca_bytes signature);

#endif
