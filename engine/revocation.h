/*
 * What a CA does about revocation (RevocationConfiguration, spec 9.1): JSON in, checked values and
 * the URIs for certificates out.
 *
 * CrlConfiguration and OcspConfiguration with AWS's constraints, and our
 * CrlConfiguration.DeltaCrlConfiguration {Enabled, ExpirationInHours (1..720, 24 when not given),
 * CustomPath}; Enabled false stands alone in each. Unknown members are an error, with their path.
 *
 * URIs: http://HOST/PATH/UUID.crl for a complete CRL, http://HOST/PATH/UUID/000001.crl for the
 * first of a partitioned one; PATH is CustomPath or "crl". Deltas: the same under the delta's own
 * CustomPath, else with "-delta" before ".crl". In the texts below a partitioned URI has zeros
 * where the scope's number goes.
 *
 * Rare work, so jansson; any thread.
 */
#ifndef ENGINE_REVOCATION_H
#define ENGINE_REVOCATION_H

#include "engine/bytes.h"

#define CA_REVOCATION_JSON_MAX 65536    /* octets of a configuration file */

#define CA_SCOPE_DIGITS 6           /* of a scope's number in a URI, with leading zeros */
#define CA_SCOPE_MAX 999999
#define CA_SCOPE_CERTS 20000        /* certificates in one scope: its CRL stays below 1 MiB */

struct ca_revocation {
    bool crl_enabled, crl_partitioned, omit_cdp, ocsp_enabled, delta_enabled;
    uint32_t crl_expiration_days, delta_expiration_hours;
    struct ca_buf json;             /* canonical; a half that is off is {"Enabled":false} */
    char cdp_uri[512];              /* "" when no CDP is written */
    char freshest_uri[512];         /* "" when no freshestCRL is written */
    char ocsp_uri[512];             /* "" when none */
};

/* Where the scope's digits begin in a URI of a partitioned CRL; 0 when it has none. */
size_t ca_scope_digits_at(const char *uri);
/* Writes a scope's CA_SCOPE_DIGITS digits. */
void ca_scope_put_digits(uint32_t scope, uint8_t *out);

/* json.len 0 means none: both halves off. previous (may be empty) is the canonical JSON in force:
 * halves absent in json keep it, as UpdateCertificateAuthority does. ca_uuid goes into the URI. A
 * CRL without CustomCname and S3BucketName has no place to be: refused unless OmitExtension is
 * true. ExpirationInDays is 7 when it is not given. */
CA_MUST_CHECK enum ca_status ca_revocation_parse(struct ca_bytes json, struct ca_bytes previous,
                                                 const char *region, const char *ca_uuid,
                                                 struct ca_revocation *out, struct ca_error *err);
void ca_revocation_clear(struct ca_revocation *revocation);

#endif
