#include "engine/key.h"

#include "engine/ossl.h"
#include "engine/pbes2.h"
#include "engine/pem.h"
#include "engine/spki.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define KEY_FILE_MAX 16384          /* octets of PEM; RSA-4096 encrypted needs 3,400 */
#define LABEL_PLAIN "PRIVATE KEY"
#define LABEL_ENCRYPTED "ENCRYPTED PRIVATE KEY"

struct ca_key {
    EVP_PKEY *pkey;
    enum ca_key_alg alg;
    uint8_t *spki;                  /* OpenSSL's allocation */
    size_t spki_len;
};

EVP_PKEY *ca_key_pkey(const struct ca_key *key)
{
    return key->pkey;
}

enum ca_key_alg ca_key_algorithm(const struct ca_key *key)
{
    return key->alg;
}

struct ca_bytes ca_key_spki(const struct ca_key *key)
{
    return ca_bytes_of(key->spki, key->spki_len);
}

void ca_key_free(struct ca_key *key)
{
    if (key == NULL) return;
    EVP_PKEY_free(key->pkey);       /* wipes private values itself */
    OPENSSL_free(key->spki);
    free(key);
}

static enum ca_key_alg alg_of_spki(const struct ca_spki *spki)
{
    for (int alg = CA_KEY_RSA_2048; alg <= CA_KEY_ED25519; alg++) {
        if (ca_key_alg_kind((enum ca_key_alg)alg) == spki->kind &&
            ca_key_alg_bits((enum ca_key_alg)alg) == spki->bits) {
            return (enum ca_key_alg)alg;
        }
    }
    return CA_KEY_ALG_NONE;
}

static enum ca_status unsupported(struct ca_error *err)
{
    return ca_fail_named(err, CA_REFUSED, "key-algorithm",
                         "the private key is none of RSA 2048, 3072 or 4096, P-256, P-384, P-521 "
                         "(named curves) and Ed25519");
}

/* Reads the algorithm off the public key, with the same strict reader that judges requests: what
 * passes here has a named curve, an uncompressed point and a size that we know. */
static enum ca_status describe(struct ca_key *key, struct ca_error *err)
{
    struct ca_spki spki;
    int len;

    /* A PKCS#8 file with a compressed point would make a compressed SubjectPublicKeyInfo. */
    if (EVP_PKEY_is_a(key->pkey, "EC") &&
        EVP_PKEY_set_utf8_string_param(key->pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) != 1) {
        return ca_fail_openssl(err, CA_CRYPTO, "cannot choose the form of a public key");
    }
    len = i2d_PUBKEY(key->pkey, &key->spki);
    if (len <= 0) return ca_fail_openssl(err, CA_CRYPTO, "cannot encode a public key");
    key->spki_len = (size_t)len;
    if (ca_spki_parse(ca_key_spki(key), &spki, NULL) != CA_OK) return unsupported(err);
    key->alg = alg_of_spki(&spki);
    return key->alg == CA_KEY_ALG_NONE ? unsupported(err) : CA_OK;
}

/* Takes pkey, on failure too. */
static enum ca_status wrap(EVP_PKEY *pkey, struct ca_key **out, struct ca_error *err)
{
    struct ca_key *key = calloc(1, sizeof(*key));
    enum ca_status st;

    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return ca_fail(err, CA_NOMEM, "no memory for a key");
    }
    key->pkey = pkey;
    st = describe(key, err);
    if (st == CA_OK) *out = key;
    else ca_key_free(key);
    return st;
}

static const char *type_name(enum ca_key_kind kind)
{
    switch (kind) {
    case CA_KEY_KIND_NONE:
    case CA_KEY_KIND_ED448: return NULL;        /* of subjects only */
    case CA_KEY_KIND_RSA: return "RSA";
    case CA_KEY_KIND_P256:
    case CA_KEY_KIND_P384:
    case CA_KEY_KIND_P521: return "EC";
    case CA_KEY_KIND_ED25519: return "ED25519";
    }
    return NULL;
}

static bool set_size(EVP_PKEY_CTX *ctx, enum ca_key_alg alg)
{
    int bits = (int)ca_key_alg_bits(alg);

    switch (ca_key_alg_kind(alg)) {
    case CA_KEY_KIND_NONE:
    case CA_KEY_KIND_ED448: return false;
    case CA_KEY_KIND_RSA: return EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits) == 1;
    case CA_KEY_KIND_P256: return EVP_PKEY_CTX_set_group_name(ctx, "P-256") == 1;
    case CA_KEY_KIND_P384: return EVP_PKEY_CTX_set_group_name(ctx, "P-384") == 1;
    case CA_KEY_KIND_P521: return EVP_PKEY_CTX_set_group_name(ctx, "P-521") == 1;
    case CA_KEY_KIND_ED25519: return true;
    }
    return false;
}

enum ca_status ca_key_generate(struct ca_crypto *crypto, enum ca_key_alg alg, struct ca_key **out,
                               struct ca_error *err)
{
    const char *type = type_name(ca_key_alg_kind(alg));
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *pkey = NULL;
    bool made;

    if (type == NULL) return unsupported(err);
    ctx = EVP_PKEY_CTX_new_from_name(crypto->libctx, type, NULL);
    made = ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1 && set_size(ctx, alg) &&
           EVP_PKEY_generate(ctx, &pkey) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!made) {
        return ca_fail_openssl(err, CA_CRYPTO, "cannot generate a key of type %s",
                               ca_key_alg_name(alg));
    }
    return wrap(pkey, out, err);
}

/* OSSL_PARAM_free wipes only what lies in the secure heap. */
static void free_params(OSSL_PARAM *params)
{
    if (params == NULL) return;
    for (OSSL_PARAM *p = params; p->key != NULL; p++) {
        if (p->data != NULL) OPENSSL_cleanse(p->data, p->data_size);
    }
    OSSL_PARAM_free(params);
}

enum ca_status ca_key_copy(const struct ca_key *key, struct ca_crypto *crypto, struct ca_key **out,
                           struct ca_error *err)
{
    const char *type = type_name(ca_key_alg_kind(key->alg));
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(crypto->libctx, type, NULL);
    EVP_PKEY *pkey = NULL;
    bool made;

    /* Through numbers, not through a reference: the copy shares nothing with the original. */
    made = ctx != NULL && EVP_PKEY_todata(key->pkey, EVP_PKEY_KEYPAIR, &params) == 1 &&
           EVP_PKEY_fromdata_init(ctx) == 1 &&
           EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) == 1;
    free_params(params);
    EVP_PKEY_CTX_free(ctx);
    if (!made) return ca_fail_openssl(err, CA_CRYPTO, "cannot copy a private key");
    return wrap(pkey, out, err);
}

/* The encryption's parameters. The calls that take only a passphrase write 2,048 rounds; these are
 * the ones that do what they are asked. */
static X509_ALGOR *make_scheme(struct ca_crypto *crypto, enum ca_key_kdf kdf)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(crypto->libctx, "AES-256-CBC", NULL);
    uint8_t salt[CA_PBES2_SALT], iv[EVP_MAX_IV_LENGTH];
    X509_ALGOR *scheme = NULL;

    if (cipher == NULL || ca_crypto_random(crypto, salt, sizeof(salt), NULL) != CA_OK ||
        ca_crypto_random(crypto, iv, sizeof(iv), NULL) != CA_OK) {
        goto out;
    }
    switch (kdf) {
    case CA_KDF_SCRYPT:
        scheme = PKCS5_pbe2_set_scrypt(cipher, salt, sizeof(salt), iv, CA_PBES2_SCRYPT_N,
                                       CA_PBES2_SCRYPT_R, CA_PBES2_SCRYPT_P);
        break;
    case CA_KDF_PBKDF2:
        scheme = PKCS5_pbe2_set_iv_ex(cipher, CA_PBES2_ROUNDS, salt, sizeof(salt), iv,
                                      NID_hmacWithSHA256, crypto->libctx);
        break;
    }
out:
    EVP_CIPHER_free(cipher);
    return scheme;
}

static enum ca_status encode_encrypted(struct ca_crypto *crypto, PKCS8_PRIV_KEY_INFO *info,
                                       struct ca_bytes passphrase, enum ca_key_kdf kdf,
                                       struct ca_buf *out, struct ca_error *err)
{
    enum ca_status st = CA_OK;
    X509_ALGOR *scheme = make_scheme(crypto, kdf);
    X509_SIG *sealed = NULL;
    uint8_t *der = NULL;
    int len;

    if (scheme == NULL) {
        return ca_fail_openssl(err, CA_CRYPTO, "cannot prepare the encryption of a private key");
    }
    sealed = PKCS8_set0_pbe_ex((const char *)passphrase.data, (int)passphrase.len, info, scheme,
                               crypto->libctx, NULL);
    if (sealed == NULL) {
        X509_ALGOR_free(scheme);    /* taken only when it worked */
        return ca_fail_openssl(err, CA_CRYPTO, "cannot encrypt a private key");
    }
    len = i2d_X509_SIG(sealed, &der);
    if (len > 0) ca_pem_append(out, LABEL_ENCRYPTED, ca_bytes_of(der, (size_t)len));
    else st = ca_fail_openssl(err, CA_CRYPTO, "cannot encode an encrypted private key");
    OPENSSL_free(der);
    X509_SIG_free(sealed);
    return st;
}

static enum ca_status encode_plain(PKCS8_PRIV_KEY_INFO *info, struct ca_buf *out,
                                   struct ca_error *err)
{
    uint8_t *der = NULL;
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    if (len <= 0) return ca_fail_openssl(err, CA_CRYPTO, "cannot encode a private key");
    ca_pem_append(out, LABEL_PLAIN, ca_bytes_of(der, (size_t)len));
    OPENSSL_clear_free(der, (size_t)len);
    return CA_OK;
}

enum ca_status ca_key_encode(struct ca_crypto *crypto, const struct ca_key *key,
                             struct ca_bytes passphrase, enum ca_key_kdf kdf, struct ca_buf *out,
                             struct ca_error *err)
{
    PKCS8_PRIV_KEY_INFO *info;
    enum ca_status st;

    if (passphrase.len > CA_PASSPHRASE_MAX) {
        return ca_fail_named(err, CA_REFUSED, "passphrase-too-long",
                             "a passphrase has at most %d octets", CA_PASSPHRASE_MAX);
    }
    info = EVP_PKEY2PKCS8(key->pkey);
    if (info == NULL) return ca_fail_openssl(err, CA_CRYPTO, "cannot encode a private key");
    if (passphrase.len == 0) st = encode_plain(info, out, err);
    else st = encode_encrypted(crypto, info, passphrase, kdf, out, err);
    PKCS8_PRIV_KEY_INFO_free(info); /* wipes the key inside */
    return st != CA_OK ? st : ca_buf_status(out, "the key file", err);
}

static enum ca_status bad_file(struct ca_error *err, const char *why)
{
    return ca_fail_named(err, CA_MALFORMED, "bad-key-file", "%s", why);
}

static enum ca_status open_encrypted(struct ca_crypto *crypto, struct ca_bytes der,
                                     struct ca_bytes passphrase, PKCS8_PRIV_KEY_INFO **out,
                                     struct ca_error *err)
{
    const uint8_t *at = der.data;
    enum ca_status st = ca_pbes2_check(der, err);
    X509_SIG *sealed;

    if (st != CA_OK) return st;
    sealed = d2i_X509_SIG(NULL, &at, (long)der.len);
    if (sealed == NULL) {
        if (ca_openssl_drain()) return ca_fail(err, CA_NOMEM, "no memory to read a key file");
        return bad_file(err, "the key file is not an encrypted PKCS#8 key");
    }
    *out = PKCS8_decrypt_ex(sealed, (const char *)passphrase.data, (int)passphrase.len,
                            crypto->libctx, NULL);
    X509_SIG_free(sealed);
    if (*out != NULL) return CA_OK;
    if (ca_openssl_drain()) return ca_fail(err, CA_NOMEM, "no memory to decrypt a private key");
    /* CBC has no integrity check of its own: a damaged file looks like a wrong passphrase. */
    return ca_fail_named(err, CA_REFUSED, "wrong-passphrase",
                         "the passphrase does not open the private key");
}

static enum ca_status open_plain(struct ca_bytes der, PKCS8_PRIV_KEY_INFO **out,
                                 struct ca_error *err)
{
    const uint8_t *at = der.data;

    *out = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    if (*out != NULL && at == der.data + der.len) return CA_OK;
    if (ca_openssl_drain()) return ca_fail(err, CA_NOMEM, "no memory to read a key file");
    return bad_file(err, "the key file is not one PKCS#8 key");
}

/* The algorithm first, from its OID: OpenSSL's decoder gives no reason that can be told apart. */
static enum ca_status load(struct ca_crypto *crypto, const PKCS8_PRIV_KEY_INFO *info,
                           struct ca_key **out, struct ca_error *err)
{
    const ASN1_OBJECT *oid = NULL;
    EVP_PKEY *pkey;
    int nid;

    if (PKCS8_pkey_get0(&oid, NULL, NULL, NULL, info) != 1) {
        return ca_fail_openssl(err, CA_CRYPTO, "cannot read the algorithm of a private key");
    }
    nid = OBJ_obj2nid(oid);
    if (nid != NID_rsaEncryption && nid != NID_X9_62_id_ecPublicKey && nid != NID_ED25519) {
        return unsupported(err);
    }
    pkey = EVP_PKCS82PKEY_ex(info, crypto->libctx, NULL);
    if (pkey == NULL) {
        if (ca_openssl_drain()) return ca_fail(err, CA_NOMEM, "no memory for a private key");
        return bad_file(err, "the key file holds no usable key");
    }
    return wrap(pkey, out, err);
}

/* A file may carry a public half that is another key's; certificates would then bear a key that
 * never signs. One signature tells, at a thousandth of the price of a full RSA key check. */
static enum ca_status check_halves(struct ca_crypto *crypto, const struct ca_key *key,
                                   struct ca_error *err)
{
    static const uint8_t message[] = "certmill";
    enum ca_digest_alg digest = ca_sig_alg_digest(ca_sig_alg_default(key->alg));
    const EVP_MD *md = crypto->md[digest];
    const char *name = md == NULL ? NULL : EVP_MD_get0_name(md);
    uint8_t signature[CA_SIGNATURE_MAX];
    size_t len = sizeof(signature);
    EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
    bool good;

    good = sign != NULL && verify != NULL &&
           EVP_DigestSignInit_ex(sign, NULL, name, crypto->libctx, NULL, key->pkey, NULL) == 1 &&
           EVP_DigestSign(sign, signature, &len, message, sizeof(message)) == 1 &&
           EVP_DigestVerifyInit_ex(verify, NULL, name, crypto->libctx, NULL, key->pkey,
                                   NULL) == 1 &&
           EVP_DigestVerify(verify, signature, len, message, sizeof(message)) == 1;
    EVP_MD_CTX_free(sign);
    EVP_MD_CTX_free(verify);
    if (good) return CA_OK;
    if (ca_openssl_drain()) return ca_fail(err, CA_NOMEM, "no memory to try a private key");
    return bad_file(err, "the private and the public half of the key file are not one key");
}

static enum ca_status decode(struct ca_crypto *crypto, struct ca_bytes der, bool encrypted,
                             struct ca_bytes passphrase, struct ca_key **out, struct ca_error *err)
{
    PKCS8_PRIV_KEY_INFO *info = NULL;
    struct ca_key *key = NULL;
    enum ca_status st;

    if (encrypted) st = open_encrypted(crypto, der, passphrase, &info, err);
    else st = open_plain(der, &info, err);
    if (st == CA_OK) st = load(crypto, info, &key, err);
    if (st == CA_OK) st = check_halves(crypto, key, err);
    PKCS8_PRIV_KEY_INFO_free(info); /* wipes the key inside */
    if (st == CA_OK) *out = key;
    else ca_key_free(key);
    return st;
}

/* Is this passphrase, or none, what this kind of file wants? */
static enum ca_status check_passphrase(bool encrypted, struct ca_bytes passphrase,
                                       struct ca_error *err)
{
    if (encrypted && passphrase.len == 0) {
        return ca_fail_named(err, CA_REFUSED, "passphrase-needed",
                             "the private key is encrypted and no passphrase was given");
    }
    if (encrypted && passphrase.len > CA_PASSPHRASE_MAX) {
        return ca_fail_named(err, CA_REFUSED, "wrong-passphrase",
                             "a passphrase has at most %d octets", CA_PASSPHRASE_MAX);
    }
    if (!encrypted && passphrase.len != 0) {
        return ca_fail_named(err, CA_REFUSED, "weak-encryption",
                             "the key file is not encrypted, although a passphrase was given");
    }
    return CA_OK;
}

enum ca_status ca_key_decode(struct ca_crypto *crypto, struct ca_bytes pem,
                             struct ca_bytes passphrase, struct ca_key **out, struct ca_error *err)
{
    struct ca_pem_block block;
    struct ca_buf der;
    enum ca_status st;
    bool found = false, encrypted;
    uint8_t *at;
    size_t len = 0;

    if (pem.len > KEY_FILE_MAX) return bad_file(err, "the key file is longer than 16 KiB");
    if (ca_pem_find(pem, &block, &found, NULL) != CA_OK || !found) {
        return bad_file(err, "the key file holds no PEM block");
    }
    encrypted = ca_bytes_equal(block.label, ca_bytes_str(LABEL_ENCRYPTED));
    if (!encrypted && !ca_bytes_equal(block.label, ca_bytes_str(LABEL_PLAIN))) {
        st = bad_file(err, "the key file's first PEM block is not a PKCS#8 key");
        ca_hint(err, "convert it: openssl pkcs8 -topk8 -scrypt -in OLD -out NEW");
        return st;
    }
    st = check_passphrase(encrypted, passphrase, err);
    if (st != CA_OK) return st;
    ca_buf_init(&der, KEY_FILE_MAX);
    at = ca_buf_extend(&der, ca_base64_decoded_max(block.base64.len) + 1);  /* never zero octets */
    if (at == NULL) st = ca_buf_status(&der, "the key file", err);
    else if (ca_base64_decode(block.base64, at, &len, NULL) != CA_OK) {
        st = bad_file(err, "the key file's base64 is damaged");
    } else {
        st = decode(crypto, ca_bytes_of(at, len), encrypted, passphrase, out, err);
    }
    ca_buf_clear_secret(&der);
    return st;
}
