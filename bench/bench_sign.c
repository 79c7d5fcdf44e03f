/*
 * How much of OpenSSL's bare speed do engine/sign and engine/prove keep? Signing: a 600-octet
 * message by one key. Proving: certification requests of a few keys, as the workers do it.
 * Reference: the fastest honest loop over EVP, with prepared keys and contexts, fetched digests and
 * a library context of its own; for proving it even has each request's key ready, which no CA can.
 */
#include "bench/bench.h"
#include "engine/csr.h"
#include "engine/name.h"
#include "engine/prove.h"
#include "engine/sign.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_LEN 600
#define REQUESTS_MAX 4
#define PEM_MAX 16384

struct kind {
    enum ca_key_alg key;
    unsigned signs, proofs;         /* per slice: some 20 ms each */
    unsigned keys;                  /* requests of different keys; RSA keys are slow to make */
};

static const struct kind kinds[] = {
    { CA_KEY_EC_P256, 500, 200, 4 },  { CA_KEY_EC_P384, 24, 24, 4 }, { CA_KEY_EC_P521, 48, 24, 4 },
    { CA_KEY_ED25519, 400, 160, 4 },  { CA_KEY_RSA_2048, 48, 800, 2 },
    { CA_KEY_RSA_3072, 12, 400, 2 },  { CA_KEY_RSA_4096, 6, 240, 2 },
};

/* One key on both sides. */
struct pair {
    struct ca_key *key;
    struct ca_signer *signer;
    struct ca_buf der;              /* a request signed by it */
    struct ca_request request;
    EVP_PKEY *bare;
    EVP_PKEY_CTX *sign, *verify;    /* NULL for Ed25519, which signs the message */
    /* For Ed25519. One per key and direction: a used one goes on with the key it had. */
    EVP_MD_CTX *sign_whole, *verify_whole;
};

struct sides {
    struct ca_crypto *crypto;
    struct ca_prover *prover;
    OSSL_LIB_CTX *libctx;
    EVP_MD *md;
    EVP_MD_CTX *hash;
    enum ca_sig_alg alg;
    struct pair pairs[REQUESTS_MAX];
    unsigned pair_count, signs, proofs;
    uint8_t message[MESSAGE_LEN];
};

static enum ca_status openssl_failed(const char *what, struct ca_error *err)
{
    return ca_fail(err, CA_CRYPTO, "the reference failed: %s", what);
}

static const char *digest_name(enum ca_sig_alg alg)
{
    switch (ca_sig_alg_digest(alg)) {
    case CA_DIGEST_SHA256: return "SHA256";
    case CA_DIGEST_SHA384: return "SHA384";
    case CA_DIGEST_SHA512: return "SHA512";
    case CA_DIGEST_SHA1:
    case CA_DIGEST_NONE: break;
    }
    return NULL;
}

/* ---- the bare loop ---- */

static bool bare_digest(struct sides *s, struct ca_bytes message, unsigned char *digest,
                        unsigned *len)
{
    return EVP_DigestInit_ex2(s->hash, s->md, NULL) == 1 &&
           EVP_DigestUpdate(s->hash, message.data, message.len) == 1 &&
           EVP_DigestFinal_ex(s->hash, digest, len) == 1;
}

static bool bare_sign(struct sides *s, const struct pair *p, struct ca_bytes message,
                      unsigned char *signature, size_t *len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len;

    *len = CA_SIGNATURE_MAX;
    if (p->sign == NULL) {
        return EVP_DigestSignInit_ex(p->sign_whole, NULL, NULL, s->libctx, NULL, p->bare,
                                     NULL) == 1 &&
               EVP_DigestSign(p->sign_whole, signature, len, message.data, message.len) == 1;
    }
    return bare_digest(s, message, digest, &digest_len) &&
           EVP_PKEY_sign(p->sign, signature, len, digest, digest_len) == 1;
}

static bool bare_verify(struct sides *s, const struct pair *p, struct ca_bytes message,
                        struct ca_bytes signature)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len;

    if (p->verify == NULL) {
        return EVP_DigestVerifyInit_ex(p->verify_whole, NULL, NULL, s->libctx, NULL, p->bare,
                                       NULL) == 1 &&
               EVP_DigestVerify(p->verify_whole, signature.data, signature.len, message.data,
                                message.len) == 1;
    }
    return bare_digest(s, message, digest, &digest_len) &&
           EVP_PKEY_verify(p->verify, signature.data, signature.len, digest, digest_len) == 1;
}

/* ---- slices ---- */

struct stopwatch { double cpu_s, wall_s; };

static struct stopwatch watch_start(void)
{
    return (struct stopwatch){ bench_cpu_s(BENCH_CPU_THREAD), bench_wall_s() };
}

static void watch_stop(struct stopwatch from, struct bench_slice *out)
{
    out->cpu_s = bench_cpu_s(BENCH_CPU_THREAD) - from.cpu_s;
    out->wall_s = bench_wall_s() - from.wall_s;
}

/* ECDSA signatures are never the same twice, so the checksum says that the last one verified. */
static enum ca_status check_last(struct sides *s, const unsigned char *signature, size_t len,
                                 struct bench_slice *out, struct ca_error *err)
{
    if (!bare_verify(s, &s->pairs[0], ca_bytes_of(s->message, MESSAGE_LEN),
                     ca_bytes_of(signature, len))) {
        return ca_fail(err, CA_CRYPTO, "a signature does not verify");
    }
    out->ops = s->signs;
    out->checksum = s->signs;
    return CA_OK;
}

static enum ca_status sign_ours(void *ctx, unsigned slice, struct bench_slice *out,
                                struct ca_error *err)
{
    struct sides *s = ctx;
    uint8_t signature[CA_SIGNATURE_MAX];
    size_t len = 0;
    struct stopwatch watch = watch_start();

    (void)slice;
    for (unsigned i = 0; i < s->signs; i++) {
        enum ca_status st;

        ca_put_u32(s->message, i);
        st = ca_signer_sign(s->pairs[0].signer, ca_bytes_of(s->message, MESSAGE_LEN), signature,
                            &len, err);
        if (st != CA_OK) return st;
    }
    watch_stop(watch, out);
    return check_last(s, signature, len, out, err);
}

static enum ca_status sign_bare(void *ctx, unsigned slice, struct bench_slice *out,
                                struct ca_error *err)
{
    struct sides *s = ctx;
    unsigned char signature[CA_SIGNATURE_MAX];
    size_t len = 0;
    struct stopwatch watch = watch_start();

    (void)slice;
    for (unsigned i = 0; i < s->signs; i++) {
        ca_put_u32(s->message, i);
        if (!bare_sign(s, &s->pairs[0], ca_bytes_of(s->message, MESSAGE_LEN), signature, &len))
            return openssl_failed("sign", err);
    }
    watch_stop(watch, out);
    return check_last(s, signature, len, out, err);
}

static enum ca_status prove_ours(void *ctx, unsigned slice, struct bench_slice *out,
                                 struct ca_error *err)
{
    struct sides *s = ctx;
    const struct ca_request *requests[REQUESTS_MAX];
    bool proved[REQUESTS_MAX];
    struct stopwatch watch;

    (void)slice;
    for (unsigned i = 0; i < s->pair_count; i++) {
        requests[i] = &s->pairs[i].request;
    }
    watch = watch_start();
    for (unsigned done = 0; done < s->proofs; done += s->pair_count) {
        enum ca_status st = ca_prover_check(s->prover, requests, s->pair_count, proved, err);

        if (st != CA_OK) return st;
        for (unsigned i = 0; i < s->pair_count; i++) {
            if (!proved[i]) return ca_fail(err, CA_CRYPTO, "a request was not proved");
            out->checksum++;
        }
        out->ops += s->pair_count;
    }
    watch_stop(watch, out);
    return CA_OK;
}

static enum ca_status prove_bare(void *ctx, unsigned slice, struct bench_slice *out,
                                 struct ca_error *err)
{
    struct sides *s = ctx;
    struct stopwatch watch = watch_start();

    (void)slice;
    for (unsigned done = 0; done < s->proofs; done += s->pair_count) {
        for (unsigned i = 0; i < s->pair_count; i++) {
            const struct ca_request *request = &s->pairs[i].request;

            if (!bare_verify(s, &s->pairs[i], request->info, request->signature))
                return openssl_failed("verify", err);
            out->checksum++;
        }
        out->ops += s->pair_count;
    }
    watch_stop(watch, out);
    return CA_OK;
}

/* ---- setting up ---- */

static enum ca_status make_request(struct pair *p, unsigned number, struct ca_error *err)
{
    struct ca_buf rdns, name;
    char text[32];
    enum ca_status st;

    ca_buf_init(&rdns, 1024);
    ca_buf_init(&name, 1024);
    (void)snprintf(text, sizeof(text), "device-%06u", number);
    st = ca_name_add(&rdns, CA_ATTRIBUTE_COMMON_NAME, text, err);
    if (st == CA_OK) {
        ca_der_add(&name, CA_DER_SEQUENCE, ca_buf_view(&rdns));
        st = ca_buf_status(&name, "a name", err);
    }
    if (st == CA_OK) {
        st = ca_csr_build(p->signer, ca_key_spki(p->key), ca_buf_view(&name),
                          ca_bytes_of(NULL, 0), &p->der, err);
    }
    if (st == CA_OK) st = ca_request_parse(ca_buf_view(&p->der), 0, &p->request, err);
    ca_buf_clear(&rdns);
    ca_buf_clear(&name);
    return st;
}

/* The same key for OpenSSL alone, in a library context that engine has no part in. */
static enum ca_status make_bare(struct sides *s, struct pair *p, struct ca_error *err)
{
    struct ca_buf pem;
    BIO *bio = NULL;
    enum ca_status st;

    ca_buf_init(&pem, PEM_MAX);
    st = ca_key_encode(s->crypto, p->key, ca_bytes_of(NULL, 0), CA_KDF_SCRYPT, &pem, err);
    if (st == CA_OK) {
        bio = BIO_new_mem_buf(pem.data, (int)pem.len);
        p->bare = bio == NULL ? NULL
                              : PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, s->libctx, NULL);
        if (p->bare == NULL) st = openssl_failed("read a key", err);
    }
    BIO_free(bio);
    ca_buf_clear_secret(&pem);
    p->sign_whole = EVP_MD_CTX_new();
    p->verify_whole = EVP_MD_CTX_new();
    if (p->sign_whole == NULL || p->verify_whole == NULL)
        return openssl_failed("prepare contexts", err);
    if (st != CA_OK || s->md == NULL) return st;
    p->sign = EVP_PKEY_CTX_new_from_pkey(s->libctx, p->bare, NULL);
    p->verify = EVP_PKEY_CTX_new_from_pkey(s->libctx, p->bare, NULL);
    if (p->sign == NULL || p->verify == NULL || EVP_PKEY_sign_init(p->sign) != 1 ||
        EVP_PKEY_verify_init(p->verify) != 1 ||
        EVP_PKEY_CTX_set_signature_md(p->sign, s->md) != 1 ||
        EVP_PKEY_CTX_set_signature_md(p->verify, s->md) != 1) {
        return openssl_failed("prepare contexts", err);
    }
    return CA_OK;
}

static enum ca_status make_pair(struct sides *s, enum ca_key_alg alg, unsigned number,
                                struct ca_error *err)
{
    struct pair *p = &s->pairs[number];
    enum ca_status st;

    ca_buf_init(&p->der, PEM_MAX);
    s->pair_count = number + 1;
    st = ca_key_generate(s->crypto, alg, &p->key, err);
    if (st == CA_OK) st = ca_signer_new(s->crypto, p->key, s->alg, &p->signer, err);
    if (st == CA_OK) st = make_request(p, number, err);
    return st == CA_OK ? make_bare(s, p, err) : st;
}

static void sides_clear(struct sides *s)
{
    for (unsigned i = 0; i < s->pair_count; i++) {
        struct pair *p = &s->pairs[i];

        EVP_MD_CTX_free(p->sign_whole);
        EVP_MD_CTX_free(p->verify_whole);
        EVP_PKEY_CTX_free(p->sign);
        EVP_PKEY_CTX_free(p->verify);
        EVP_PKEY_free(p->bare);
        ca_buf_clear(&p->der);
        ca_signer_free(p->signer);
        ca_key_free(p->key);
    }
    EVP_MD_CTX_free(s->hash);
    EVP_MD_free(s->md);
    OSSL_LIB_CTX_free(s->libctx);
    ca_prover_free(s->prover);
    ca_crypto_free(s->crypto);
}

static enum ca_status sides_init(struct sides *s, const struct kind *kind, bool tiny,
                                 struct ca_error *err)
{
    uint64_t seed = 1;
    const char *digest;
    enum ca_status st;

    *s = (struct sides){ .signs = tiny ? 1 : kind->signs, .proofs = tiny ? 1 : kind->proofs };
    bench_random_fill(&seed, s->message, sizeof(s->message));
    s->alg = ca_sig_alg_default(kind->key);
    digest = digest_name(s->alg);
    st = ca_crypto_new(&s->crypto, err);
    if (st == CA_OK) st = ca_prover_new(s->crypto, &s->prover, err);
    if (st != CA_OK) return st;
    s->libctx = OSSL_LIB_CTX_new();
    s->hash = EVP_MD_CTX_new();
    if (digest != NULL) s->md = EVP_MD_fetch(s->libctx, digest, NULL);
    if (s->libctx == NULL || s->hash == NULL || (digest != NULL && s->md == NULL))
        return openssl_failed("set up", err);
    for (unsigned i = 0; st == CA_OK && i < kind->keys; i++) {
        st = make_pair(s, kind->key, i, err);
    }
    return st;
}

static enum ca_status compare(const struct bench_options *options, const char *bench,
                              const char *params, const struct bench_side *ours,
                              const struct bench_side *bare, struct ca_error *err)
{
    struct bench_result result;
    enum ca_status st = bench_compare(options, BENCH_CPU_THREAD, ours, bare, &result, err);

    return st == CA_OK ? bench_print(bench, params, ours, bare, &result, "", err) : st;
}

static enum ca_status measure(const struct bench_options *options, const struct kind *kind,
                              struct ca_error *err)
{
    struct sides s;
    char params[128];
    enum ca_status st = sides_init(&s, kind, options->tiny, err);
    struct bench_side sign[2] = { { "engine/sign", sign_ours, &s }, { "EVP", sign_bare, &s } };
    struct bench_side prove[2] = { { "engine/prove", prove_ours, &s }, { "EVP", prove_bare, &s } };

    (void)snprintf(params, sizeof(params), "\"key\":\"%s\",\"algorithm\":\"%s\"",
                   ca_key_alg_name(kind->key), ca_sig_alg_name(s.alg));
    if (st == CA_OK) st = compare(options, "sign", params, &sign[0], &sign[1], err);
    if (st == CA_OK) st = compare(options, "prove", params, &prove[0], &prove[1], err);
    sides_clear(&s);
    return st;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    struct ca_error err;

    if (!bench_options_parse(argc, argv, &options)) return 2;
    if (options.argc != 1) {
        fprintf(stderr, "usage: %s [--tiny] [--runs N]\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        /* Large RSA keys take seconds to make and run the same code as small ones. */
        bool slow = kinds[i].key == CA_KEY_RSA_3072 || kinds[i].key == CA_KEY_RSA_4096;

        if (options.tiny && slow) continue;
        if (measure(&options, &kinds[i], &err) != CA_OK) return bench_explain("bench_sign", &err);
    }
    return 0;
}
