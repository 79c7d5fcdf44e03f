#include "engine/issuer.h"

#include "engine/prove.h"

#include <stdlib.h>
#include <string.h>

static enum ca_status malformed(struct ca_error *err, const char *sentence)
{
    return ca_fail_named(err, CA_MALFORMED, "malformed-certificate", "%s", sentence);
}

static enum ca_status mismatch(struct ca_error *err, const char *sentence)
{
    return ca_fail_named(err, CA_REFUSED, "certificate-mismatch", "%s", sentence);
}

static enum ca_status bad_request(struct ca_error *err, const char *sentence)
{
    return ca_fail_named(err, CA_REFUSED, "invalid-request", "%s", sentence);
}

/* Splits certificates that stand one after the other. */
static enum ca_status split_chain(struct ca_bytes chain, struct ca_bytes out[CA_CHAIN_CERTS_MAX],
                                  size_t *count, struct ca_error *err)
{
    struct ca_der der = ca_der_open(chain);
    size_t n = 0;

    while (!ca_der_at_end(&der)) {
        struct ca_der_element element;

        if (n == CA_CHAIN_CERTS_MAX)
            return ca_fail_named(err, CA_MALFORMED, "malformed-certificate",
                                 "the chain has more than %d certificates", CA_CHAIN_CERTS_MAX);
        if (ca_der_take(&der, CA_DER_SEQUENCE, "certificate", &element, NULL) != CA_OK)
            return malformed(err, "the chain holds something that is no certificate");
        out[n++] = element.whole;
    }
    *count = n;
    return CA_OK;
}

/* Whether subject's signature verifies under signer's key; false for an algorithm unknown to us. */
static enum ca_status verifies(struct ca_prover *prover, const struct ca_cert *subject,
                               const struct ca_cert *signer, bool *good, struct ca_error *err)
{
    *good = false;
    if (!ca_sig_alg_fits_kind(subject->sig_alg, signer->key.kind)) return CA_OK;
    return ca_prover_verify(prover, &signer->key, subject->sig_alg, subject->tbs,
                            subject->signature, good, err);
}

static enum ca_status is_self_signed(struct ca_prover *prover, const struct ca_cert *cert,
                                     bool *self_signed, struct ca_error *err)
{
    *self_signed = false;
    if (!ca_cert_is_self_issued(cert)) return CA_OK;
    return verifies(prover, cert, cert, self_signed, err);
}

/*
 * CAs that may still follow below a certificate: the tightest pathLenConstraint of it and of the
 * certificates above it, each less the CAs between (RFC 5280 6.1.4 (l), (m): a certificate that is
 * self-issued does not count). path: the certificate first, the root last. Below -1 never: -1 is
 * CA_PATH_LEN_NONE, and *broken says that a constraint is passed already.
 */
static int path_len_left(const struct ca_cert *path, size_t count, bool *broken)
{
    int left = CA_PATH_LEN_NONE;
    int below = 0;              /* CAs under path[i] that count against its constraint */

    *broken = false;
    for (size_t i = 0; i < count; i++) {
        int rest = path[i].path_len - below;

        if (path[i].path_len != CA_PATH_LEN_NONE) {
            if (rest < 0) *broken = true;
            else if (left == CA_PATH_LEN_NONE || rest < left) left = rest;
        }
        if (!ca_cert_is_self_issued(&path[i])) below++;
    }
    return left;
}

/* Loading */

static enum ca_status copy_octets(struct ca_bytes in, uint8_t **out, struct ca_error *err)
{
    *out = malloc(in.len > 0 ? in.len : 1);
    if (*out == NULL) return ca_fail(err, CA_NOMEM, "no memory for a CA certificate");
    if (in.len > 0) memcpy(*out, in.data, in.len);
    return CA_OK;
}

static enum ca_status find_path_len(struct ca_issuer *issuer, struct ca_error *err)
{
    struct ca_cert path[1 + CA_CHAIN_CERTS_MAX];
    bool broken = false;

    path[0] = issuer->cert;
    for (size_t i = 0; i < issuer->chain_len; i++) {
        enum ca_status st = ca_cert_parse(issuer->chain[i], &path[1 + i], err);

        if (st != CA_OK) return st;
    }
    issuer->path_len_left = path_len_left(path, 1 + issuer->chain_len, &broken);
    if (broken) return malformed(err, "a path length in the chain leaves no room for this CA");
    return CA_OK;
}

static enum ca_status find_key_id(struct ca_crypto *crypto, struct ca_issuer *issuer,
                                  struct ca_error *err)
{
    enum ca_status st;

    issuer->key_id = issuer->cert.ski;
    if (issuer->key_id.len > 0) return CA_OK;
    st = ca_crypto_digest(crypto, CA_DIGEST_SHA1, issuer->cert.key.key, issuer->key_hash, err);
    issuer->key_id = ca_bytes_of(issuer->key_hash, sizeof(issuer->key_hash));
    return st;
}

enum ca_status ca_issuer_new(struct ca_crypto *crypto, struct ca_bytes der, struct ca_bytes chain,
                             struct ca_issuer **out, struct ca_error *err)
{
    struct ca_issuer *issuer = calloc(1, sizeof(*issuer));
    struct ca_prover *prover = NULL;
    enum ca_status st;

    if (issuer == NULL) return ca_fail(err, CA_NOMEM, "no memory for an issuer");
    issuer->der_len = der.len;
    st = copy_octets(der, &issuer->der, err);
    if (st == CA_OK) st = copy_octets(chain, &issuer->chain_der, err);
    if (st != CA_OK) goto out;
    st = ca_cert_parse(ca_bytes_of(issuer->der, der.len), &issuer->cert, err);
    if (st != CA_OK) goto out;
    st = split_chain(ca_bytes_of(issuer->chain_der, chain.len), issuer->chain, &issuer->chain_len,
                     err);
    if (st == CA_OK) st = find_path_len(issuer, err);
    if (st == CA_OK) st = find_key_id(crypto, issuer, err);
    if (st == CA_OK) st = ca_prover_new(crypto, &prover, err);
    if (st == CA_OK) st = is_self_signed(prover, &issuer->cert, &issuer->self_signed, err);
    if (st != CA_OK) goto out;
    *out = issuer;
    issuer = NULL;
out:
    ca_prover_free(prover);
    ca_issuer_free(issuer);
    return st;
}

void ca_issuer_free(struct ca_issuer *issuer)
{
    if (issuer == NULL) return;
    free(issuer->der);
    free(issuer->chain_der);
    free(issuer);
}

/* Importing */

/* Extensions that may be critical in a CA certificate (spec 4.3): last octet of 2.5.29.x, and
 * subjectInfoAccess. */
static bool may_be_critical(struct ca_bytes oid)
{
    static const uint8_t subject_info_access[] = { 0x2b, 6, 1, 5, 5, 7, 1, 11 };
    /* subjectDirectoryAttributes, SKI, KU, SAN, issuerAltName, BC, nameConstraints,
     * certificatePolicies, policyMappings, AKI, EKU, inhibitAnyPolicy */
    static const uint8_t last_arcs[] = { 9, 14, 15, 17, 18, 19, 30, 32, 33, 35, 37, 54 };

    if (CA_BYTES_ARE(oid, subject_info_access))
        return true;
    if (oid.len != 3 || oid.data[0] != 0x55 || oid.data[1] != 0x1d) return false;
    return memchr(last_arcs, oid.data[2], sizeof(last_arcs)) != NULL;
}

static enum ca_status check_critical(const struct ca_cert *cert, struct ca_error *err)
{
    struct ca_der der = ca_der_open(cert->extensions);

    while (!ca_der_at_end(&der)) {
        struct ca_extension extension;
        char oid[64];

        if (ca_extension_next(&der, &extension, NULL) != CA_OK)
            return malformed(err, "the extensions are damaged");
        if (!extension.critical || may_be_critical(extension.oid)) continue;
        ca_der_oid_text(extension.oid, oid, sizeof(oid));
        return ca_fail_named(err, CA_MALFORMED, "malformed-certificate",
                             "extension %s is critical, which a CA certificate here may not have",
                             oid);
    }
    return CA_OK;
}

/* What makes a certificate one of a CA, wherever it stands in the path. */
static enum ca_status check_is_ca(const struct ca_cert *cert, struct ca_error *err)
{
    if (!cert->has_basic_constraints || !cert->is_ca)
        return malformed(err, "basic constraints do not say that it is a CA");
    if (cert->has_key_usage && (cert->key_usage & CA_KU_KEY_CERT_SIGN) == 0)
        return malformed(err, "key usage does not allow signing certificates");
    return check_critical(cert, err);
}

static enum ca_status check_own(const struct ca_cert *cert, struct ca_bytes spki,
                                struct ca_bytes subject, struct ca_error *err)
{
    if (!ca_bytes_equal(cert->key.whole, spki))
        return mismatch(err, "the certificate is for another key than this CA's");
    if (!ca_bytes_equal(cert->subject, subject))
        return malformed(err, "the certificate's subject is not the one this CA was created with");
    if (cert->has_basic_constraints && !cert->basic_constraints_critical)
        return malformed(err, "basic constraints are not critical");
    return check_is_ca(cert, err);
}

/* path[0] is the imported certificate, then its chain. Each must be signed by the next one. */
static enum ca_status check_chain(struct ca_prover *prover, const struct ca_cert *path,
                                  size_t count, struct ca_error *err)
{
    bool good = false;
    enum ca_status st;

    for (size_t i = 1; i < count; i++) {
        if (ca_bytes_equal(path[i].der, path[0].der))
            return mismatch(err, "the chain contains the certificate itself");
        if (!ca_bytes_equal(path[i - 1].issuer, path[i].subject))
            return mismatch(err, "the chain is not in order: an issuer is not the next subject");
        st = check_is_ca(&path[i], err);
        if (st == CA_OK) st = verifies(prover, &path[i - 1], &path[i], &good, err);
        if (st != CA_OK) return st;
        if (!good) return mismatch(err, "a signature in the chain does not verify");
        if (path[0].not_after_s > path[i].not_after_s)
            return malformed(err, "it is valid for longer than a certificate of its chain");
    }
    st = is_self_signed(prover, &path[count - 1], &good, err);
    if (st == CA_OK && !good) return mismatch(err, "the chain does not end with a root");
    return st;
}

static enum ca_status check_root(struct ca_prover *prover, const struct ca_cert *cert,
                                 size_t chain_len, struct ca_error *err)
{
    bool self_signed = false;
    enum ca_status st = is_self_signed(prover, cert, &self_signed, err);

    if (st != CA_OK) return st;
    if (!self_signed) return bad_request(err, "the certificate of a root CA must be self-signed");
    if (chain_len > 0) return bad_request(err, "a root CA has no chain");
    return CA_OK;
}

static enum ca_status check_subordinate(struct ca_prover *prover, const struct ca_cert *path,
                                        size_t count, struct ca_error *err)
{
    bool self_signed = false, broken = false;
    enum ca_status st = is_self_signed(prover, &path[0], &self_signed, err);

    if (st != CA_OK) return st;
    if (self_signed)
        return bad_request(err, "the certificate of a subordinate CA must not be self-signed");
    if (count == 1)
        return bad_request(err, "a subordinate CA needs the chain up to its root");
    st = check_chain(prover, path, count, err);
    if (st != CA_OK) return st;
    (void)path_len_left(path, count, &broken);
    if (broken) return malformed(err, "a path length in the chain leaves no room for this CA");
    return CA_OK;
}

enum ca_status ca_issuer_check_import(struct ca_crypto *crypto, bool is_root, struct ca_bytes spki,
                                      struct ca_bytes subject, struct ca_bytes cert,
                                      struct ca_bytes chain, struct ca_error *err)
{
    struct ca_bytes chain_ders[CA_CHAIN_CERTS_MAX];
    struct ca_cert path[1 + CA_CHAIN_CERTS_MAX];
    struct ca_prover *prover = NULL;
    size_t chain_len = 0;
    enum ca_status st = ca_cert_parse(cert, &path[0], err);

    if (st == CA_OK) st = check_own(&path[0], spki, subject, err);
    if (st == CA_OK) st = split_chain(chain, chain_ders, &chain_len, err);
    for (size_t i = 0; st == CA_OK && i < chain_len; i++) {
        st = ca_cert_parse(chain_ders[i], &path[1 + i], err);
    }
    if (st == CA_OK) st = ca_prover_new(crypto, &prover, err);
    if (st != CA_OK) goto out;
    if (is_root) st = check_root(prover, &path[0], chain_len, err);
    else st = check_subordinate(prover, path, 1 + chain_len, err);
out:
    ca_prover_free(prover);
    return st;
}
