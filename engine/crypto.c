#include "engine/ossl.h"

#include <assert.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

struct ca_hash {
    EVP_MD_CTX *running;
    EVP_MD_CTX *peek;
};

/* OpenSSL's configuration modules write process-wide state without a lock (ssl_conf frees and
 * replaces one table), so two threads that set up their contexts at once would free it twice. The
 * lock stands for OpenSSL's state, not for ours, and is taken once per thread's life. */
static pthread_mutex_t config_lock = PTHREAD_MUTEX_INITIALIZER;

/* An own context ignores openssl.cnf (providers, FIPS properties) unless it is told to read it. A
 * missing file is no error, a bad one is: half a configuration is not what somebody wanted. */
static bool load_config(OSSL_LIB_CTX *libctx)
{
    int ok;

    if (pthread_mutex_lock(&config_lock) != 0) return false;
    /* The default context reads the same file at its first use, in whatever thread that happens:
     * let it happen here. */
    ok = OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) == 1 &&
         CONF_modules_load_file_ex(libctx, NULL, NULL, CONF_MFLAGS_IGNORE_MISSING_FILE) > 0;
    (void)pthread_mutex_unlock(&config_lock);   /* locked above, cannot fail */
    return ok;
}

static const char *digest_name(enum ca_digest_alg alg)
{
    switch (alg) {
    case CA_DIGEST_NONE: return NULL;
    case CA_DIGEST_SHA1: return "SHA1";
    case CA_DIGEST_SHA256: return "SHA256";
    case CA_DIGEST_SHA384: return "SHA384";
    case CA_DIGEST_SHA512: return "SHA512";
    }
    return NULL;
}

static enum ca_status prepare_digest(struct ca_crypto *crypto, enum ca_digest_alg alg,
                                     struct ca_error *err)
{
    const char *name = digest_name(alg);

    crypto->md[alg] = EVP_MD_fetch(crypto->libctx, name, NULL);
    if (crypto->md[alg] == NULL) {
        return ca_fail_openssl(err, CA_CRYPTO, "OpenSSL offers no %s", name);
    }
    crypto->hash[alg] = EVP_MD_CTX_new();
    if (crypto->hash[alg] == NULL ||
        EVP_DigestInit_ex2(crypto->hash[alg], crypto->md[alg], NULL) != 1) {
        return ca_fail_openssl(err, CA_CRYPTO, "cannot prepare %s", name);
    }
    return CA_OK;
}

enum ca_status ca_crypto_new(struct ca_crypto **out, struct ca_error *err)
{
    static const enum ca_digest_alg algs[] = { CA_DIGEST_SHA1, CA_DIGEST_SHA256, CA_DIGEST_SHA384,
                                               CA_DIGEST_SHA512 };
    enum ca_status st = CA_OK;
    struct ca_crypto *crypto = calloc(1, sizeof(*crypto));

    if (crypto == NULL) return ca_fail(err, CA_NOMEM, "no memory for a library context");
    crypto->libctx = OSSL_LIB_CTX_new();
    if (crypto->libctx == NULL) {
        st = ca_fail_openssl(err, CA_CRYPTO, "cannot make an OpenSSL library context");
        goto out;
    }
    if (!load_config(crypto->libctx)) {
        st = ca_fail_openssl(err, CA_CRYPTO, "cannot load OpenSSL's configuration file");
        goto out;
    }
    for (size_t i = 0; st == CA_OK && i < CA_COUNT(algs); i++) {
        st = prepare_digest(crypto, algs[i], err);
    }
    if (st != CA_OK) goto out;
    *out = crypto;
    crypto = NULL;                  /* the caller's now */
out:
    ca_crypto_free(crypto);
    return st;
}

void ca_crypto_free(struct ca_crypto *crypto)
{
    if (crypto == NULL) return;
    for (size_t i = 0; i < CA_OSSL_DIGESTS; i++) {
        EVP_MD_CTX_free(crypto->hash[i]);
        EVP_MD_free(crypto->md[i]);
    }
    OSSL_LIB_CTX_free(crypto->libctx);
    free(crypto);
}

const char *ca_crypto_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

enum ca_status ca_crypto_digest(struct ca_crypto *crypto, enum ca_digest_alg alg,
                                struct ca_bytes in, uint8_t *out, struct ca_error *err)
{
    EVP_MD_CTX *hash = crypto->hash[alg];

    assert(hash != NULL);       /* CA_DIGEST_NONE has none */
    /* No type given: keeps the fetched digest, half the cost of naming it again. */
    if (EVP_DigestInit_ex2(hash, NULL, NULL) != 1 ||
        EVP_DigestUpdate(hash, in.data, in.len) != 1 ||
        EVP_DigestFinal_ex(hash, out, NULL) != 1) {
        return ca_fail_openssl(err, CA_CRYPTO, "cannot compute a %s digest", digest_name(alg));
    }
    return CA_OK;
}

enum ca_status ca_crypto_random(struct ca_crypto *crypto, uint8_t *out, size_t len,
                                struct ca_error *err)
{
    if (RAND_priv_bytes_ex(crypto->libctx, out, len, 0) != 1) {
        return ca_fail_openssl(err, CA_CRYPTO, "the random generator failed");
    }
    return CA_OK;
}

enum ca_status ca_hash_new(struct ca_crypto *crypto, struct ca_hash **out, struct ca_error *err)
{
    enum ca_status st = CA_OK;
    struct ca_hash *hash = calloc(1, sizeof(*hash));

    if (hash == NULL) return ca_fail(err, CA_NOMEM, "no memory for a running digest");
    hash->running = EVP_MD_CTX_new();
    hash->peek = EVP_MD_CTX_new();
    if (hash->running == NULL || hash->peek == NULL ||
        EVP_DigestInit_ex2(hash->running, crypto->md[CA_DIGEST_SHA256], NULL) != 1) {
        st = ca_fail_openssl(err, CA_CRYPTO, "cannot prepare a running digest");
        goto out;
    }
    *out = hash;
    hash = NULL;                    /* the caller's now */
out:
    ca_hash_free(hash);
    return st;
}

void ca_hash_free(struct ca_hash *hash)
{
    if (hash == NULL) return;
    EVP_MD_CTX_free(hash->running);
    EVP_MD_CTX_free(hash->peek);
    free(hash);
}

enum ca_status ca_hash_update(struct ca_hash *hash, struct ca_bytes in, struct ca_error *err)
{
    if (EVP_DigestUpdate(hash->running, in.data, in.len) != 1) {
        return ca_fail_openssl(err, CA_CRYPTO, "cannot extend a running digest");
    }
    return CA_OK;
}

enum ca_status ca_hash_peek(struct ca_hash *hash, uint8_t out[32], struct ca_error *err)
{
    /* Reset first: copying onto a used context has crashed (openssl #31867, in 3.5). */
    if (EVP_MD_CTX_reset(hash->peek) != 1 ||
        EVP_MD_CTX_copy_ex(hash->peek, hash->running) != 1 ||
        EVP_DigestFinal_ex(hash->peek, out, NULL) != 1) {
        return ca_fail_openssl(err, CA_CRYPTO, "cannot read a running digest");
    }
    return CA_OK;
}
