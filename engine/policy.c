#include "engine/policy.h"

/* Octets of an RSA exponent of 256 bits. */
#define RSA_EXPONENT_MAX 32

static enum ca_status check_rsa(const struct ca_spki *key, struct ca_error *err)
{
    const uint8_t *e = key->rsa_e.data;
    size_t e_len = key->rsa_e.len;

    if (key->bits < CA_RSA_BITS_MIN || key->bits > CA_RSA_BITS_MAX)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK, "the RSA key has %u bits, not %d to %d",
                         (unsigned)key->bits, CA_RSA_BITS_MIN, CA_RSA_BITS_MAX);
    if (key->bits % 8 != 0)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK,
                         "the RSA key has %u bits, which is no multiple of 8", (unsigned)key->bits);
    if ((key->rsa_n.data[key->rsa_n.len - 1] & 1) == 0)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK, "the RSA modulus is even");
    if (e_len > RSA_EXPONENT_MAX)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK, "the RSA exponent is longer than 256 bits");
    /* Three octets, the first not zero, are at least 65536, and odd ones at least 65537. */
    if (e_len < 3 || (e[e_len - 1] & 1) == 0)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK,
                         "the RSA exponent is even or below 65537");
    return CA_OK;
}

static enum ca_status check_names(const struct ca_template *tmpl, const struct ca_request *request,
                                  struct ca_error *err)
{
    if (!request->subject_empty) return CA_OK;
    if (tmpl->kind != CA_TEMPLATE_END_ENTITY)
        return ca_refuse(err, CA_REASON_NO_NAME, "a CA must have a subject");
    if (!request->has_san)
        return ca_refuse(err, CA_REASON_NO_NAME,
                         "the request has neither a subject nor a subject alternative name");
    if (!request->san_critical)
        return ca_refuse(err, CA_REASON_SAN_NOT_CRITICAL,
                         "CSR must mark the SAN extension critical when it has an empty subject");
    return CA_OK;
}

enum ca_status ca_policy_check(const struct ca_profile *profile, const struct ca_request *request,
                               struct ca_error *err)
{
    const struct ca_issuer *issuer = ca_profile_issuer(profile);
    enum ca_status st = check_names(ca_profile_template(profile), request, err);

    if (st != CA_OK) return st;
    if (ca_profile_cert_len_max(profile, request) > CA_CERT_DER_MAX)
        return ca_refuse(err, CA_REASON_REQUEST_TOO_LONG,
                         "the certificate would be longer than %d octets", CA_CERT_DER_MAX);
    if (!ca_sig_alg_fits_kind(request->sig_alg, request->key.kind))
        return ca_refuse(err, CA_REASON_ALGORITHM_NOT_SUPPORTED,
                         "the request is signed with an algorithm that is weak, unknown or not of "
                         "its key");
    if (request->key.kind == CA_KEY_KIND_RSA) {
        st = check_rsa(&request->key, err);
        if (st != CA_OK) return st;
    }
    if (issuer != NULL && ca_bytes_equal(request->key.whole, issuer->cert.key.whole))
        return ca_refuse(err, CA_REASON_CA_KEY_AS_SUBJECT,
                         "the request is for the issuing CA's own key");
    return CA_OK;
}
