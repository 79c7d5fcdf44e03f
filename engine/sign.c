#include "engine/sign.h"

#include "engine/ossl.h"

#include <openssl/rsa.h>
#include <stdlib.h>

struct ca_signer {
    struct ca_crypto *crypto;
    struct ca_key *key;             /* own copy */
    enum ca_sig_alg alg;
    enum ca_digest_alg digest;      /* NONE: Ed25519, which signs the message itself */
    size_t signature_max;
    EVP_PKEY_CTX *sign;             /* NULL for Ed25519 */
    EVP_PKEY_CTX *verify;           /* NULL for Ed25519 */
    EVP_MD_CTX *message;            /* Ed25519 only */
};

/* Padding and digest are set once; EVP_PKEY_sign and _verify may then be called any number of
 * times. Naming the digest also makes them refuse one of another length. */
static bool set_scheme(EVP_PKEY_CTX *ctx, const EVP_MD *md, bool rsa)
{
    if (rsa && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1) return false;
    return EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;
}

static bool prepare(struct ca_signer *signer)
{
    EVP_PKEY *pkey = ca_key_pkey(signer->key);
    OSSL_LIB_CTX *libctx = signer->crypto->libctx;
    const EVP_MD *md = signer->crypto->md[signer->digest];
    bool rsa = EVP_PKEY_is_a(pkey, "RSA") == 1;

    signer->signature_max = (size_t)EVP_PKEY_get_size(pkey);
    if (signer->digest == CA_DIGEST_NONE) {
        signer->message = EVP_MD_CTX_new();
        return signer->message != NULL;
    }
    signer->sign = EVP_PKEY_CTX_new_from_pkey(libctx, pkey, NULL);
    signer->verify = EVP_PKEY_CTX_new_from_pkey(libctx, pkey, NULL);
    return signer->sign != NULL && signer->verify != NULL &&
           EVP_PKEY_sign_init(signer->sign) == 1 && set_scheme(signer->sign, md, rsa) &&
           EVP_PKEY_verify_init(signer->verify) == 1 && set_scheme(signer->verify, md, rsa);
}

enum ca_status ca_signer_new(struct ca_crypto *crypto, const struct ca_key *key,
                             enum ca_sig_alg alg, struct ca_signer **out, struct ca_error *err)
{
    enum ca_status st = ca_sig_alg_check(alg, ca_key_algorithm(key), err);
    struct ca_signer *signer;

    if (st != CA_OK) return st;
    signer = calloc(1, sizeof(*signer));
    if (signer == NULL) return ca_fail(err, CA_NOMEM, "no memory for a signer");
    signer->crypto = crypto;
    signer->alg = alg;
    signer->digest = ca_sig_alg_digest(alg);
    st = ca_key_copy(key, crypto, &signer->key, err);
    if (st != CA_OK) goto out;
    if (!prepare(signer)) {
        st = ca_fail_openssl(err, CA_CRYPTO, "cannot sign with a key of type %s",
                             ca_key_alg_name(ca_key_algorithm(key)));
        goto out;
    }
    *out = signer;
    signer = NULL;                  /* the caller's now */
out:
    ca_signer_free(signer);
    return st;
}

void ca_signer_free(struct ca_signer *signer)
{
    if (signer == NULL) return;
    EVP_PKEY_CTX_free(signer->sign);
    EVP_PKEY_CTX_free(signer->verify);
    EVP_MD_CTX_free(signer->message);
    ca_key_free(signer->key);
    free(signer);
}

enum ca_sig_alg ca_signer_alg(const struct ca_signer *signer)
{
    return signer->alg;
}

size_t ca_signer_signature_max(const struct ca_signer *signer)
{
    return signer->signature_max;
}

/* Ed25519 takes the message in one piece and wants its context initialised before every use. */
static bool sign_message(struct ca_signer *signer, struct ca_bytes message, uint8_t *signature,
                         size_t *len)
{
    return EVP_MD_CTX_reset(signer->message) == 1 &&
           EVP_DigestSignInit_ex(signer->message, NULL, NULL, signer->crypto->libctx, NULL,
                                 ca_key_pkey(signer->key), NULL) == 1 &&
           EVP_DigestSign(signer->message, signature, len, message.data, message.len) == 1;
}

enum ca_status ca_signer_sign(struct ca_signer *signer, struct ca_bytes message, uint8_t *signature,
                              size_t *len, struct ca_error *err)
{
    uint8_t digest[CA_DIGEST_MAX];
    size_t used = signer->signature_max;
    enum ca_status st;
    bool made;

    if (signer->digest == CA_DIGEST_NONE) {
        made = sign_message(signer, message, signature, &used);
    } else {
        st = ca_crypto_digest(signer->crypto, signer->digest, message, digest, err);
        if (st != CA_OK) return st;
        made = EVP_PKEY_sign(signer->sign, signature, &used, digest,
                             ca_digest_len(signer->digest)) == 1;
    }
    if (!made) return ca_fail_openssl(err, CA_CRYPTO, "cannot sign");
    *len = used;
    return CA_OK;
}

static int verify_message(struct ca_signer *signer, struct ca_bytes message,
                          struct ca_bytes signature)
{
    if (EVP_MD_CTX_reset(signer->message) != 1 ||
        EVP_DigestVerifyInit_ex(signer->message, NULL, NULL, signer->crypto->libctx, NULL,
                                ca_key_pkey(signer->key), NULL) != 1) {
        return 0;
    }
    return EVP_DigestVerify(signer->message, signature.data, signature.len, message.data,
                            message.len);
}

enum ca_status ca_signer_check(struct ca_signer *signer, struct ca_bytes message,
                               struct ca_bytes signature, struct ca_error *err)
{
    uint8_t digest[CA_DIGEST_MAX];
    bool good = false;
    enum ca_status st;
    int answer;

    if (signer->digest == CA_DIGEST_NONE) {
        answer = verify_message(signer, message, signature);
    } else {
        st = ca_crypto_digest(signer->crypto, signer->digest, message, digest, err);
        if (st != CA_OK) return st;
        answer = EVP_PKEY_verify(signer->verify, signature.data, signature.len, digest,
                                 ca_digest_len(signer->digest));
    }
    st = ca_openssl_verdict(answer, &good, err);
    if (st != CA_OK || good) return st;
    return ca_fail_named(err, CA_CRYPTO, "signature-fault",
                         "a signature just made does not verify: this machine cannot be trusted");
}
