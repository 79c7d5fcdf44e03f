#include "engine/prove.h"

#include "engine/ossl.h"
#include "engine/template.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* One curve's reusable key and the context that verifies with it. Both are NULL until the curve is
 * first needed, and again after a key was refused. */
struct curve {
    const char *group;
    size_t point_len;               /* of 04 || X || Y */
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *verify;
};

enum { CURVE_P256, CURVE_P384, CURVE_P521, CURVE_COUNT };

struct ca_prover {
    struct ca_crypto *crypto;
    struct curve curves[CURVE_COUNT];
    EVP_PKEY_CTX *rsa;              /* makes RSA keys from numbers */
    EVP_MD_CTX *message;            /* EdDSA */
};

/* What is verified, once the key is known. */
struct claim {
    enum ca_sig_alg alg;
    struct ca_bytes message;
    struct ca_bytes signature;
};

enum ca_status ca_prover_new(struct ca_crypto *crypto, struct ca_prover **out, struct ca_error *err)
{
    enum ca_status st = CA_OK;
    struct ca_prover *prover = calloc(1, sizeof(*prover));

    if (prover == NULL) return ca_fail(err, CA_NOMEM, "no memory for a prover");
    prover->crypto = crypto;
    prover->curves[CURVE_P256] = (struct curve){ .group = "P-256", .point_len = 65 };
    prover->curves[CURVE_P384] = (struct curve){ .group = "P-384", .point_len = 97 };
    prover->curves[CURVE_P521] = (struct curve){ .group = "P-521", .point_len = 133 };
    prover->rsa = EVP_PKEY_CTX_new_from_name(crypto->libctx, "RSA", NULL);
    prover->message = EVP_MD_CTX_new();
    if (prover->rsa == NULL || prover->message == NULL ||
        EVP_PKEY_fromdata_init(prover->rsa) != 1) {
        st = ca_fail_openssl(err, CA_CRYPTO, "cannot prepare the verification of requests");
        goto out;
    }
    *out = prover;
    prover = NULL;                  /* the caller's now */
out:
    ca_prover_free(prover);
    return st;
}

static void drop_key(struct curve *curve)
{
    EVP_PKEY_CTX_free(curve->verify);
    EVP_PKEY_free(curve->pkey);
    curve->verify = NULL;
    curve->pkey = NULL;
}

void ca_prover_free(struct ca_prover *prover)
{
    if (prover == NULL) return;
    for (size_t i = 0; i < CURVE_COUNT; i++) drop_key(&prover->curves[i]);
    EVP_PKEY_CTX_free(prover->rsa);
    EVP_MD_CTX_free(prover->message);
    free(prover);
}

static struct curve *curve_of(struct ca_prover *prover, enum ca_key_kind kind)
{
    switch (kind) {
    case CA_KEY_KIND_P256: return &prover->curves[CURVE_P256];
    case CA_KEY_KIND_P384: return &prover->curves[CURVE_P384];
    case CA_KEY_KIND_P521: return &prover->curves[CURVE_P521];
    case CA_KEY_KIND_NONE:
    case CA_KEY_KIND_RSA:
    case CA_KEY_KIND_ED25519:
    case CA_KEY_KIND_ED448: return NULL;
    }
    return NULL;
}

/* An EVP_PKEY that has a curve and no point yet. */
static enum ca_status make_key(struct ca_crypto *crypto, struct curve *curve, struct ca_error *err)
{
    char group[8];
    OSSL_PARAM params[2] = { OSSL_PARAM_END, OSSL_PARAM_END };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(crypto->libctx, "EC", NULL);
    bool made;

    memcpy(group, curve->group, strlen(curve->group) + 1);      /* the API wants it writable */
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    made = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
           EVP_PKEY_fromdata(ctx, &curve->pkey, EVP_PKEY_KEY_PARAMETERS, params) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (made) curve->verify = EVP_PKEY_CTX_new_from_pkey(crypto->libctx, curve->pkey, NULL);
    if (curve->verify != NULL) return CA_OK;
    drop_key(curve);
    return ca_fail_openssl(err, CA_CRYPTO, "cannot prepare keys on %s", curve->group);
}

/*
 * Puts the claimant's point into the curve's key. *good says whether it is one. The setter would
 * also take compressed, hybrid and infinite points, and a point that it refuses leaves the key
 * changed: the form is checked before it, and a key that refused something is never used again.
 */
static enum ca_status set_point(struct ca_crypto *crypto, struct curve *curve,
                                struct ca_bytes point, bool *good, struct ca_error *err)
{
    enum ca_status st;

    *good = false;
    if (point.len != curve->point_len || point.data[0] != 0x04) return CA_OK;
    if (curve->pkey == NULL) {
        st = make_key(crypto, curve, err);
        if (st != CA_OK) return st;
    }
    st = ca_openssl_verdict(EVP_PKEY_set1_encoded_public_key(curve->pkey, point.data, point.len),
                            good, err);
    if (st != CA_OK || !*good) drop_key(curve);
    return st;
}

static enum ca_status verify_ec(struct ca_prover *prover, struct curve *curve,
                                struct ca_bytes point, const struct claim *claim, bool *good,
                                struct ca_error *err)
{
    enum ca_digest_alg digest_alg = ca_sig_alg_digest(claim->alg);
    uint8_t digest[CA_DIGEST_MAX];
    enum ca_status st = set_point(prover->crypto, curve, point, good, err);

    if (st != CA_OK || !*good) return st;
    st = ca_crypto_digest(prover->crypto, digest_alg, claim->message, digest, err);
    if (st != CA_OK) return st;
    /* Init again for every key: it makes OpenSSL look at the key as it is now, whichever provider
     * verifies. Without it today's built-in provider sees the new point too, but one that keeps
     * its own copy would verify with the previous request's key. It costs 0.7 us of 70; a fresh
     * context would cost 2. */
    if (EVP_PKEY_verify_init(curve->verify) != 1) {
        drop_key(curve);
        return ca_fail_openssl(err, CA_CRYPTO, "cannot verify with a key on %s", curve->group);
    }
    return ca_openssl_verdict(EVP_PKEY_verify(curve->verify, claim->signature.data,
                                              claim->signature.len, digest,
                                              ca_digest_len(digest_alg)),
                              good, err);
}

/* e = 1 makes every message its own signature, and an even e belongs to no key. */
static bool exponent_is_sane(struct ca_bytes e)
{
    if (e.len == 0 || (e.data[e.len - 1] & 1) == 0) return false;
    return e.len > 1 || e.data[0] != 1;
}

/* What OpenSSL takes: no exponent over 64 bits with a modulus over 3072
 * (OPENSSL_RSA_MAX_PUBEXP_BITS and OPENSSL_RSA_SMALL_MODULUS_BITS). */
#define SMALL_MODULUS_OCTETS (3072 / 8)
#define LARGE_MODULUS_EXPONENT_OCTETS (64 / 8)

#define MODULUS_OCTETS_MAX (CA_RSA_BITS_MAX / 8)
#define EXPONENT_OCTETS_MAX (CA_RSA_EXPONENT_BITS_MAX / 8)

/* Here and not left to OpenSSL, so that no array is sized by what a stranger sent and nobody's key
 * costs more than milliseconds. */
static bool rsa_is_bounded(const struct ca_spki *key)
{
    size_t n_len = key->rsa_n.len, e_len = key->rsa_e.len;

    if (n_len == 0 || n_len > MODULUS_OCTETS_MAX || e_len > EXPONENT_OCTETS_MAX) return false;
    return n_len <= SMALL_MODULUS_OCTETS || e_len <= LARGE_MODULUS_EXPONENT_OCTETS;
}

/* OSSL_PARAM holds integers in the machine's order. */
static void copy_native(uint8_t *out, struct ca_bytes big_endian)
{
    bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    size_t len = big_endian.len;

    for (size_t i = 0; i < len; i++) out[i] = big_endian.data[little ? len - 1 - i : i];
}

static enum ca_status make_rsa(struct ca_prover *prover, const struct ca_spki *spki,
                               EVP_PKEY **out, bool *good, struct ca_error *err)
{
    uint8_t n[MODULUS_OCTETS_MAX], e[EXPONENT_OCTETS_MAX];
    OSSL_PARAM params[3];

    *good = false;
    if (!rsa_is_bounded(spki) || !exponent_is_sane(spki->rsa_e)) return CA_OK;
    copy_native(n, spki->rsa_n);
    copy_native(e, spki->rsa_e);
    params[0] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n, spki->rsa_n.len);
    params[1] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e, spki->rsa_e.len);
    params[2] = OSSL_PARAM_construct_end();
    return ca_openssl_verdict(EVP_PKEY_fromdata(prover->rsa, out, EVP_PKEY_PUBLIC_KEY, params),
                              good, err);
}

static bool is_pss(enum ca_sig_alg alg)
{
    return alg == CA_SIG_RSA_PSS_SHA256 || alg == CA_SIG_RSA_PSS_SHA384 ||
           alg == CA_SIG_RSA_PSS_SHA512;
}

/* Every parameter is set, none left to be guessed: OpenSSL would otherwise read the length of a PSS
 * salt out of the signature. */
static bool set_padding(EVP_PKEY_CTX *ctx, enum ca_sig_alg alg, const EVP_MD *md)
{
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, is_pss(alg) ? RSA_PKCS1_PSS_PADDING
                                                      : RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_CTX_set_signature_md(ctx, md) != 1)
        return false;
    return !is_pss(alg) || (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
                            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static enum ca_status verify_rsa(struct ca_prover *prover, const struct ca_spki *spki,
                                 const struct claim *claim, bool *good, struct ca_error *err)
{
    enum ca_digest_alg digest_alg = ca_sig_alg_digest(claim->alg);
    uint8_t digest[CA_DIGEST_MAX];
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *verify = NULL;
    enum ca_status st = make_rsa(prover, spki, &pkey, good, err);

    if (st != CA_OK || !*good) goto out;
    st = ca_crypto_digest(prover->crypto, digest_alg, claim->message, digest, err);
    if (st != CA_OK) goto out;
    verify = EVP_PKEY_CTX_new_from_pkey(prover->crypto->libctx, pkey, NULL);
    if (verify == NULL || EVP_PKEY_verify_init(verify) != 1 ||
        !set_padding(verify, claim->alg, prover->crypto->md[digest_alg])) {
        st = ca_fail_openssl(err, CA_CRYPTO, "cannot verify with an RSA key");
        goto out;
    }
    st = ca_openssl_verdict(EVP_PKEY_verify(verify, claim->signature.data, claim->signature.len,
                                            digest, ca_digest_len(digest_alg)),
                            good, err);
out:
    EVP_PKEY_CTX_free(verify);
    EVP_PKEY_free(pkey);
    return st;
}

/* A fresh key for every request: the setter that EC uses returns 1 here and changes nothing. */
static enum ca_status verify_eddsa(struct ca_prover *prover, const struct ca_spki *key,
                                   const struct claim *claim, bool *good, struct ca_error *err)
{
    const char *name = key->kind == CA_KEY_KIND_ED448 ? "ED448" : "ED25519";
    OSSL_LIB_CTX *libctx = prover->crypto->libctx;
    EVP_PKEY *pkey;
    enum ca_status st;

    *good = false;
    if (key->key.len != (key->kind == CA_KEY_KIND_ED448 ? 57 : 32) || ca_spki_has_small_order(key))
        return CA_OK;
    pkey = EVP_PKEY_new_raw_public_key_ex(libctx, name, NULL, key->key.data, key->key.len);
    if (pkey == NULL || EVP_MD_CTX_reset(prover->message) != 1 ||
        EVP_DigestVerifyInit_ex(prover->message, NULL, NULL, libctx, NULL, pkey, NULL) != 1) {
        st = ca_fail_openssl(err, CA_CRYPTO, "cannot verify with an %s key", name);
    } else {
        st = ca_openssl_verdict(EVP_DigestVerify(prover->message, claim->signature.data,
                                                 claim->signature.len, claim->message.data,
                                                 claim->message.len),
                                good, err);
    }
    EVP_PKEY_free(pkey);            /* the context holds the last reference until its next reset */
    return st;
}

static enum ca_status verify(struct ca_prover *prover, const struct ca_spki *key,
                             const struct claim *claim, bool *good, struct ca_error *err)
{
    *good = false;
    switch (key->kind) {
    case CA_KEY_KIND_NONE: return CA_OK;
    case CA_KEY_KIND_RSA: return verify_rsa(prover, key, claim, good, err);
    case CA_KEY_KIND_P256:
    case CA_KEY_KIND_P384:
    case CA_KEY_KIND_P521:
        return verify_ec(prover, curve_of(prover, key->kind), key->key, claim, good, err);
    case CA_KEY_KIND_ED25519:
    case CA_KEY_KIND_ED448: return verify_eddsa(prover, key, claim, good, err);
    }
    return CA_OK;
}

enum ca_status ca_prover_verify(struct ca_prover *prover, const struct ca_spki *key,
                                enum ca_sig_alg alg, struct ca_bytes message,
                                struct ca_bytes signature, bool *good, struct ca_error *err)
{
    const struct claim claim = { .alg = alg, .message = message, .signature = signature };
    enum ca_status st;

    *good = false;
    if (!ca_sig_alg_fits_kind(alg, key->kind)) return CA_OK;
    st = verify(prover, key, &claim, good, err);
    /* A refusal is final and stored, so it is looked at twice: some allocations deep in OpenSSL
     * fail without an error in the queue and look like a bad signature. */
    if (st == CA_OK && !*good) st = verify(prover, key, &claim, good, err);
    return st;
}

enum ca_status ca_prover_check(struct ca_prover *prover, const struct ca_request *const *requests,
                               size_t count, bool *proved, struct ca_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct ca_request *request = requests[i];
        enum ca_status st = ca_prover_verify(prover, &request->key, request->sig_alg,
                                             request->info, request->signature, &proved[i], err);

        if (st != CA_OK) return st;
    }
    return CA_OK;
}

/* *valid: OpenSSL takes the point. Looked at twice like a signature. */
static enum ca_status check_point(struct ca_prover *prover, const struct ca_spki *key, bool *valid,
                                  struct ca_error *err)
{
    struct curve *curve = curve_of(prover, key->kind);
    enum ca_status st = set_point(prover->crypto, curve, key->key, valid, err);

    if (st == CA_OK && !*valid) st = set_point(prover->crypto, curve, key->key, valid, err);
    return st;
}

/* The reason why nobody could have signed with that key; NONE when it is a good one. */
static enum ca_status key_fault(struct ca_prover *prover, const struct ca_spki *key,
                                enum ca_reason *reason, struct ca_error *err)
{
    bool valid = true;
    enum ca_status st = CA_OK;

    *reason = CA_REASON_NONE;
    switch (key->kind) {
    case CA_KEY_KIND_NONE: return CA_OK;
    case CA_KEY_KIND_RSA:
        if (!rsa_is_bounded(key) || !exponent_is_sane(key->rsa_e)) *reason = CA_REASON_BAD_KEY;
        return CA_OK;
    case CA_KEY_KIND_P256:
    case CA_KEY_KIND_P384:
    case CA_KEY_KIND_P521: st = check_point(prover, key, &valid, err); break;
    case CA_KEY_KIND_ED25519:
    case CA_KEY_KIND_ED448: valid = !ca_spki_has_small_order(key); break;
    }
    if (st == CA_OK && !valid) *reason = CA_REASON_BAD_POINT;
    return st;
}

enum ca_status ca_prover_refuse(struct ca_prover *prover, const struct ca_request *request,
                                struct ca_error *err)
{
    enum ca_reason reason = CA_REASON_NONE;
    enum ca_status st = key_fault(prover, &request->key, &reason, err);

    if (st != CA_OK) return st;
    if (reason == CA_REASON_BAD_POINT)
        return ca_refuse(err, reason, "the public key's point %s",
                         curve_of(prover, request->key.kind) != NULL
                             ? "is not on its curve"
                             : "has a small order: anybody can sign for it");
    if (reason == CA_REASON_BAD_KEY)
        return ca_refuse(err, reason, "the RSA exponent is even, 1, or too large to verify with");
    return ca_refuse(err, CA_REASON_BAD_SIGNATURE,
                     "the request is not signed with the key that it asks a certificate for");
}
