/*
 * How much of the cryptographic ceiling does a whole durable run reach?
 *
 * Subject: bundle in, checks, proof of possession, signature, LMDB, bundle out; every slice is a
 * new job in the same store. Reference: the same requests verified and as many digests signed on
 * the same number of threads, with everything prepared beforehand (keys, contexts, digests; a
 * library context per thread): the fastest loop that does the same cryptography.
 */
#include "batch/pool.h"
#include "batch/run.h"
#include "bench/bench.h"
#include "engine/csr.h"
#include "engine/name.h"
#include "engine/pem.h"
#include "io/file.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct parameters {
    uint64_t count;
    unsigned workers;
    enum ca_key_alg key, ca_key;
};

/* One request as the reference wants it: its key behind a context that is ready to verify. */
struct prepared {
    EVP_PKEY_CTX *verify;
    uint8_t digest[32];
    uint8_t signature[512];
    size_t signature_len;
};

struct reference {
    const struct parameters *parameters;
    struct prepared *prepared;      /* for each request, in its thread's own library context */
    OSSL_LIB_CTX **contexts;        /* per thread */
    EVP_PKEY **ca_keys;
    EVP_PKEY_CTX **sign;
    uint64_t good;
};

struct subject {
    const struct parameters *parameters;
    struct batch_registry *registry;
    char dir[512], bundle[600];
    uint64_t jobs;
};

static int64_t system_now_ms(void *ctx)
{
    struct timespec now;

    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Requests into a bundle; one key for all costs the pipeline nothing less, and saves minutes. */
static enum ca_status make_bundle(const struct parameters *parameters, struct ca_crypto *crypto,
                                  struct ca_buf *bundle, struct ca_buf *ders, size_t *offsets,
                                  struct ca_error *err)
{
    struct ca_key *key = NULL;
    struct ca_signer *signer = NULL;
    struct ca_buf subject;
    enum ca_status st = ca_key_generate(crypto, parameters->key, &key, err);

    ca_buf_init(&subject, 4096);
    if (st == CA_OK)
        st = ca_signer_new(crypto, key, ca_sig_alg_default(parameters->key), &signer, err);
    for (uint64_t i = 0; i < parameters->count && st == CA_OK; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "device-%06" PRIu64, i + 1);
        ca_buf_reset(&subject);
        st = ca_name_add(&subject, CA_ATTRIBUTE_COMMON_NAME, name, err);
        ca_der_wrap(&subject, 0, CA_DER_SEQUENCE);
        offsets[i] = ders->len;
        if (st == CA_OK)
            st = ca_csr_build(signer, ca_key_spki(key), ca_buf_view(&subject),
                              ca_bytes_of(NULL, 0), ders, err);
        offsets[i + 1] = ders->len;
        ca_pem_append(bundle, "CERTIFICATE REQUEST",
                      ca_bytes_of(ders->data + offsets[i], ders->len - offsets[i]));
    }
    if (st == CA_OK) st = ca_buf_status(bundle, "the bundle", err);
    ca_signer_free(signer);
    ca_key_free(key);
    ca_buf_clear(&subject);
    return st;
}

/* The request's own digest and signature, by OpenSSL's reader. */
static bool prepare_one(OSSL_LIB_CTX *context, struct ca_bytes der, struct prepared *out)
{
    const unsigned char *at = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    const ASN1_BIT_STRING *signature = NULL;
    unsigned char *info = NULL;
    EVP_PKEY *key = NULL;
    uint8_t *spki = NULL;
    int info_len, spki_len;
    bool good = false;

    if (request == NULL) return false;
    info_len = i2d_re_X509_REQ_tbs(request, &info);
    spki_len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &spki);
    X509_REQ_get0_signature(request, &signature, NULL);
    out->signature_len = (size_t)signature->length;
    if (info_len > 0 && spki_len > 0 && out->signature_len <= sizeof(out->signature)) {
        const unsigned char *spki_at = spki;

        memcpy(out->signature, signature->data, out->signature_len);
        key = d2i_PUBKEY_ex(NULL, &spki_at, spki_len, context, NULL);
        out->verify = key == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(context, key, NULL);
        good = out->verify != NULL && EVP_PKEY_verify_init(out->verify) == 1 &&
               EVP_Digest(info, (size_t)info_len, out->digest, NULL, EVP_sha256(), NULL) == 1;
        if (good && EVP_PKEY_is_a(key, "RSA"))
            good = EVP_PKEY_CTX_set_signature_md(out->verify, EVP_sha256()) == 1;
    }
    EVP_PKEY_free(key);
    OPENSSL_free(info);
    OPENSSL_free(spki);
    X509_REQ_free(request);
    return good;
}

static bool prepare_signers(struct reference *reference)
{
    for (unsigned i = 0; i < reference->parameters->workers; i++) {
        OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();
        uint32_t bits = ca_key_alg_bits(reference->parameters->ca_key);
        bool rsa = ca_key_alg_kind(reference->parameters->ca_key) == CA_KEY_KIND_RSA;

        reference->contexts[i] = context;
        if (context == NULL) return false;
        reference->ca_keys[i] =
            rsa ? EVP_PKEY_Q_keygen(context, NULL, "RSA", (size_t)bits)
                : EVP_PKEY_Q_keygen(context, NULL, "EC",
                                    bits == 256 ? "P-256" : bits == 384 ? "P-384" : "P-521");
        if (reference->ca_keys[i] == NULL) return false;
        reference->sign[i] = EVP_PKEY_CTX_new_from_pkey(context, reference->ca_keys[i], NULL);
        if (reference->sign[i] == NULL || EVP_PKEY_sign_init(reference->sign[i]) != 1 ||
            (rsa && EVP_PKEY_CTX_set_signature_md(reference->sign[i], EVP_sha256()) != 1))
            return false;
    }
    return true;
}

struct reference_thread {
    struct reference *reference;
    unsigned index;
    uint64_t good;
    pthread_t id;
};

static void *reference_main(void *arg)
{
    struct reference_thread *thread = arg;
    const struct reference *reference = thread->reference;
    unsigned workers = reference->parameters->workers;

    for (uint64_t i = thread->index; i < reference->parameters->count; i += workers) {
        const struct prepared *p = &reference->prepared[i];
        uint8_t signature[1024];
        size_t len = sizeof(signature);

        if (EVP_PKEY_verify(p->verify, p->signature, p->signature_len, p->digest, 32) == 1 &&
            EVP_PKEY_sign(reference->sign[thread->index], signature, &len, p->digest, 32) == 1)
            thread->good++;
    }
    return NULL;
}

static enum ca_status run_reference(void *ctx, unsigned slice, struct bench_slice *out,
                                    struct ca_error *err)
{
    struct reference *reference = ctx;
    unsigned workers = reference->parameters->workers;
    struct reference_thread threads[256];
    uint64_t good = 0;

    (void)slice;
    for (unsigned i = 0; i < workers; i++) {
        threads[i] = (struct reference_thread){ .reference = reference, .index = i };
        if (pthread_create(&threads[i].id, NULL, reference_main, &threads[i]) != 0)
            return ca_fail(err, CA_NOMEM, "cannot start a thread");
    }
    for (unsigned i = 0; i < workers; i++) {
        (void)pthread_join(threads[i].id, NULL);
        good += threads[i].good;
    }
    if (good != reference->parameters->count)
        return ca_fail(err, CA_CRYPTO, "the reference verified %" PRIu64 " of %" PRIu64, good,
                       reference->parameters->count);
    out->ops = good;
    out->checksum = good;
    return CA_OK;
}

static enum ca_status run_subject(void *ctx, unsigned slice, struct bench_slice *out,
                                  struct ca_error *err)
{
    struct subject *subject = ctx;
    char out_dir[640];
    const char *input = subject->bundle;
    struct batch_job_spec job_spec = {
        .ca = "issuing", .terms = { .tmpl = "device" },
        .validity = { .type = CA_VALIDITY_DAYS, .value = 365 },
        .out_dir = out_dir, .inputs = &input, .input_count = 1,
    };
    const struct batch_run_spec run_spec = { .workers = subject->parameters->workers,
                                             .fresh = true, .certmill_version = "bench" };
    struct batch_job *job = NULL;
    struct batch_run *run = NULL;
    struct batch_run_result result;
    enum ca_status st;

    (void)slice;
    (void)snprintf(out_dir, sizeof(out_dir), "%s/out-%" PRIu64, subject->dir, subject->jobs++);
    st = batch_job_create(subject->registry, &job_spec, &job, err);
    if (st == CA_OK) st = batch_run_start(subject->registry, job, &run_spec, &run, err);
    if (st != CA_OK) return st;
    while (!batch_run_wait(run, 1000, NULL)) { }
    st = batch_run_join(run, &result, err);
    ca_buf_clear(&result.summary);
    if (st != CA_OK) return st;
    if (result.issued != subject->parameters->count)
        return ca_fail(err, CA_CRYPTO, "%" PRIu64 " of %" PRIu64 " issued", result.issued,
                       subject->parameters->count);
    out->ops = result.issued;
    out->checksum = result.issued;
    bench_dir_remove(out_dir);
    return CA_OK;
}

static enum ca_status make_ca(struct batch_registry *registry, enum ca_key_alg alg,
                              struct ca_error *err)
{
    char config[256];
    struct batch_ca_create create = { .name = "issuing", .is_root = true };
    const struct batch_ca_activate activate = { .name = "issuing" };
    struct batch_ca ca;
    struct ca_serial serial;
    bool existed = false;
    enum ca_status st;

    (void)snprintf(config, sizeof(config),
                   "{\"KeyAlgorithm\":\"%s\",\"SigningAlgorithm\":\"%s\","
                   "\"Subject\":{\"CommonName\":\"Bench CA\"}}",
                   ca_key_alg_name(alg), ca_sig_alg_name(ca_sig_alg_default(alg)));
    create.config_json = ca_bytes_str(config);
    st = batch_ca_create(registry, &create, &ca, &existed, err);
    if (st != CA_OK) return st;
    batch_ca_clear(&ca);
    return batch_ca_activate(registry, &activate, &serial, err);
}

static enum ca_status make_subject(struct subject *subject, struct ca_error *err)
{
    char store[600];
    const struct ca_clock clock = { .now_ms = system_now_ms };
    struct batch_init_spec init = { .dir = store, .reserve_bytes = 1 << 20, .clock = clock };
    const struct batch_open_spec open = { .dir = store, .access = STORE_WRITE, .clock = clock };
    enum ca_status st;

    (void)snprintf(store, sizeof(store), "%s/store", subject->dir);
    st = batch_registry_init(&init, err);
    if (st == CA_OK) st = batch_registry_open(&open, &subject->registry, err);
    return st == CA_OK ? make_ca(subject->registry, subject->parameters->ca_key, err) : st;
}

static enum ca_status make_reference(struct reference *reference, const struct ca_buf *ders,
                                     const size_t *offsets, struct ca_error *err)
{
    const struct parameters *parameters = reference->parameters;

    reference->prepared = calloc(parameters->count, sizeof(*reference->prepared));
    reference->contexts = calloc(parameters->workers, sizeof(OSSL_LIB_CTX *));
    reference->ca_keys = calloc(parameters->workers, sizeof(EVP_PKEY *));
    reference->sign = calloc(parameters->workers, sizeof(EVP_PKEY_CTX *));
    if (reference->prepared == NULL || reference->contexts == NULL ||
        reference->ca_keys == NULL || reference->sign == NULL)
        return ca_fail(err, CA_NOMEM, "no memory for the reference");
    if (!prepare_signers(reference)) return ca_fail(err, CA_CRYPTO, "cannot make the CA's keys");
    for (uint64_t i = 0; i < parameters->count; i++) {
        struct ca_bytes der = ca_bytes_of(ders->data + offsets[i], offsets[i + 1] - offsets[i]);

        if (!prepare_one(reference->contexts[i % parameters->workers], der,
                         &reference->prepared[i]))
            return ca_fail(err, CA_CRYPTO, "cannot prepare request %" PRIu64, i);
    }
    return CA_OK;
}

static void free_reference(struct reference *reference)
{
    for (uint64_t i = 0; reference->prepared != NULL && i < reference->parameters->count; i++)
        EVP_PKEY_CTX_free(reference->prepared[i].verify);
    for (unsigned i = 0; reference->sign != NULL && i < reference->parameters->workers; i++) {
        EVP_PKEY_CTX_free(reference->sign[i]);
        EVP_PKEY_free(reference->ca_keys[i]);
        OSSL_LIB_CTX_free(reference->contexts[i]);
    }
    free(reference->prepared);
    free(reference->contexts);
    free(reference->ca_keys);
    free(reference->sign);
}

static enum ca_status measure(const struct bench_options *options, struct subject *subject,
                              struct reference *reference, struct ca_error *err)
{
    const struct parameters *p = subject->parameters;
    const struct bench_side us = { .name = "certmill batch run", .run = run_subject,
                                   .ctx = subject };
    const struct bench_side them = { .name = "verify and sign only", .run = run_reference,
                                     .ctx = reference };
    struct bench_result result;
    char params[256];
    enum ca_status st = bench_compare(options, BENCH_CPU_PROCESS, &us, &them, &result, err);

    if (st != CA_OK) return st;
    (void)snprintf(params, sizeof(params),
                   "\"requests\":%" PRIu64 ",\"workers\":%u,\"key\":\"%s\",\"ca_key\":\"%s\"",
                   p->count, p->workers, ca_key_alg_name(p->key), ca_key_alg_name(p->ca_key));
    return bench_print("run", params, &us, &them, &result, "", err);
}

static enum ca_status bench(const struct bench_options *options,
                            const struct parameters *parameters, struct ca_error *err)
{
    struct subject subject = { .parameters = parameters };
    struct reference reference = { .parameters = parameters };
    struct ca_buf bundle, ders;
    struct ca_crypto *crypto = NULL;
    size_t *offsets = calloc(parameters->count + 1, sizeof(*offsets));
    enum ca_status st = offsets == NULL ? ca_fail(err, CA_NOMEM, "no memory")
                                        : bench_dir_make(options, subject.dir,
                                                         sizeof(subject.dir), err);

    ca_buf_init(&bundle, SIZE_MAX / 2);
    ca_buf_init(&ders, SIZE_MAX / 2);
    (void)snprintf(subject.bundle, sizeof(subject.bundle), "%s/bundle.pem", subject.dir);
    if (st == CA_OK) st = ca_crypto_new(&crypto, err);
    if (st == CA_OK) st = make_bundle(parameters, crypto, &bundle, &ders, offsets, err);
    if (st == CA_OK) st = file_write(subject.bundle, 0600, ca_buf_view(&bundle), err);
    if (st == CA_OK) st = make_subject(&subject, err);
    if (st == CA_OK) st = make_reference(&reference, &ders, offsets, err);
    if (st == CA_OK) st = measure(options, &subject, &reference, err);
    free_reference(&reference);
    batch_registry_close(subject.registry);
    if (subject.dir[0] != '\0') bench_dir_remove(subject.dir);
    ca_crypto_free(crypto);
    ca_buf_clear(&bundle);
    ca_buf_clear(&ders);
    free(offsets);
    return st;
}

static bool parse_parameters(const struct bench_options *options, struct parameters *out)
{
    struct ca_error err;

    for (int i = 1; i < options->argc; i += 2) {
        const char *name = options->argv[i];
        const char *value = i + 1 < options->argc ? options->argv[i + 1] : NULL;

        if (value == NULL) return false;
        if (strcmp(name, "--count") == 0) out->count = strtoull(value, NULL, 10);
        else if (strcmp(name, "--workers") == 0)
            out->workers = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(name, "--key") == 0) {
            if (ca_key_alg_by_name(value, &out->key, &err) != CA_OK) return false;
        } else if (strcmp(name, "--ca-key") == 0) {
            if (ca_key_alg_by_name(value, &out->ca_key, &err) != CA_OK) return false;
        } else return false;
    }
    /* The reference signs digests: Ed25519 signs messages and would need another loop. */
    return out->count > 0 && out->workers > 0 && out->workers <= 256 &&
           out->key != CA_KEY_ED25519 && out->ca_key != CA_KEY_ED25519;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    struct parameters parameters = { .workers = batch_cores(), .key = CA_KEY_EC_P256,
                                     .ca_key = CA_KEY_EC_P256 };
    struct ca_error err;

    if (!bench_options_parse(argc, argv, &options)) return 2;
    parameters.count = options.tiny ? 300 : 20000;
    if (!parse_parameters(&options, &parameters)) {
        (void)fprintf(stderr, "usage: bench_run [--tiny] [--runs N] [--dir D] [--count N] "
                              "[--workers N] [--key ALG] [--ca-key ALG]\n"
                              "ALG: RSA_2048, RSA_3072, RSA_4096, EC_prime256v1, ...\n");
        return 2;
    }
    return bench(&options, &parameters, &err) == CA_OK ? 0 : bench_explain("run", &err);
}
