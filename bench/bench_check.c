/*
 * What do all checks of a request cost beside its proof of possession? Reading the request, policy
 * (names, what passes, key strength), building the TBSCertificate and lint, for a device's request
 * with a P-256 key and with an RSA-2048 key under the preset's template. Reference: the proof of
 * possession of the same request, the least that no CA can leave out. "extra" has each stage in
 * nanoseconds.
 */
#include "bench/bench.h"
#include "engine/csr.h"
#include "engine/lint.h"
#include "engine/name.h"
#include "engine/policy.h"
#include "engine/preset.h"
#include "engine/prove.h"
#include "engine/template_file.h"

#include <stdio.h>
#include <string.h>

#define NOW_S INT64_C(1800000000)
#define OPS 4000
#define OPS_PROVE 400
#define ARENA_MAX (1u << 20)

enum stage { STAGE_PARSE, STAGE_POLICY, STAGE_BUILD, STAGE_LINT, STAGE_COUNT };

struct sides {
    struct ca_crypto *crypto;
    struct ca_policy *policy;
    struct ca_prover *prover;
    struct ca_key *ca_key, *key;
    struct ca_template *preset;
    struct ca_issuer *issuer;
    struct ca_profile *profile;
    struct ca_arena arena;
    struct ca_buf der, certs;       /* the request; certificates under construction */
    unsigned ops, proofs;
    double stage_s[STAGE_COUNT];
    uint64_t stage_ops;
};

/* ---- the subject ---- */

struct one {
    struct ca_request request;
    struct ca_ask ask;
    struct ca_contents contents;
    struct ca_serial serial;
    struct ca_tbs_input input;
    struct ca_cert_slot slot;
};

static enum ca_status run_stage(struct sides *s, struct one *one, enum stage stage,
                                struct ca_error *err)
{
    switch (stage) {
    case STAGE_PARSE:
        return ca_request_parse(ca_buf_view(&s->der), 0, &one->request, err);
    case STAGE_POLICY:
        one->ask = (struct ca_ask){ .request = &one->request };
        ca_arena_reset(&s->arena);
        return ca_policy_check(s->policy, s->profile, &one->ask, &s->arena, &one->contents, err);
    case STAGE_BUILD:
        ca_buf_reset(&s->certs);
        return ca_profile_build(s->profile, &one->input, &s->certs, &one->slot, err);
    case STAGE_LINT:
        return ca_lint(s->profile, &one->input,
                       ca_bytes_of(s->certs.data + one->slot.tbs_offset, one->slot.tbs_len), err);
    case STAGE_COUNT: break;
    }
    return CA_OK;
}

static void one_init(struct one *one)
{
    *one = (struct one){ .serial = { .len = 18, .octets = { 1, 0x90, 2 } } };
    one->input = (struct ca_tbs_input){
        .request = &one->request, .contents = &one->contents, .serial = &one->serial,
        .not_before_s = NOW_S - CA_BACKDATE_S, .not_after_s = NOW_S + 86400,
    };
}

static enum ca_status check_all(void *ctx, unsigned slice, struct bench_slice *out,
                                struct ca_error *err)
{
    struct sides *s = ctx;
    struct one one;

    (void)slice;
    one_init(&one);
    out->checksum = BENCH_CHECKSUM_INIT;
    for (unsigned i = 0; i < s->ops; i++) {
        for (int stage = 0; stage < STAGE_COUNT; stage++) {
            enum ca_status st = run_stage(s, &one, (enum stage)stage, err);

            if (st != CA_OK) return st;
        }
    }
    out->checksum = bench_checksum(out->checksum,
                                   ca_bytes_of(&one.slot.tbs_len, sizeof(one.slot.tbs_len)));
    out->ops = s->ops;
    return CA_OK;
}

/* Each stage by itself, many times over. */
static enum ca_status measure_stages(struct sides *s, struct ca_error *err)
{
    struct one one;

    one_init(&one);
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        double begun = bench_cpu_s(BENCH_CPU_THREAD);

        for (unsigned i = 0; i < s->ops; i++) {
            enum ca_status st = run_stage(s, &one, (enum stage)stage, err);

            if (st != CA_OK) return st;
        }
        s->stage_s[stage] = bench_cpu_s(BENCH_CPU_THREAD) - begun;
    }
    s->stage_ops = s->ops;
    return CA_OK;
}

/* ---- the reference ---- */

static enum ca_status prove(void *ctx, unsigned slice, struct bench_slice *out,
                            struct ca_error *err)
{
    struct sides *s = ctx;
    const struct ca_request *requests[1];
    struct ca_request request;
    bool proved = false;
    enum ca_status st = ca_request_parse(ca_buf_view(&s->der), 0, &request, err);

    (void)slice;
    requests[0] = &request;
    for (unsigned i = 0; st == CA_OK && i < s->proofs; i++) {
        st = ca_prover_check(s->prover, requests, 1, &proved, err);
        if (st == CA_OK && !proved) st = ca_fail(err, CA_CRYPTO, "a request was not proved");
        out->checksum++;
    }
    out->ops = s->proofs;
    return st;
}

/* ---- setting up ---- */

static enum ca_status make_request(struct sides *s, const struct ca_key *key, const char *name,
                                   bool with_san, struct ca_buf *out, struct ca_error *err)
{
    static const uint8_t san[] = { 0x30, 0x1b, 0x06, 3, 0x55, 0x1d, 0x11, 0x04, 0x14, 0x30, 0x12,
                                   0x82, 0x10, 'd', 'e', 'v', 'i', 'c', 'e', '.', 'e', 'x', 'a',
                                   'm', 'p', 'l', 'e', '.', '1' };
    struct ca_signer *signer = NULL;
    struct ca_buf rdns, subject;
    enum ca_status st;

    ca_buf_init(&rdns, 1024);
    ca_buf_init(&subject, 1024);
    st = ca_name_add(&rdns, CA_ATTRIBUTE_ORGANIZATION, "Example", err);
    if (st == CA_OK) st = ca_name_add(&rdns, CA_ATTRIBUTE_COMMON_NAME, name, err);
    ca_der_add(&subject, CA_DER_SEQUENCE, ca_buf_view(&rdns));
    if (st == CA_OK) st = ca_buf_status(&subject, "a name", err);
    if (st == CA_OK)
        st = ca_signer_new(s->crypto, key, ca_sig_alg_default(ca_key_algorithm(key)), &signer, err);
    if (st == CA_OK)
        st = ca_csr_build(signer, ca_key_spki(key), ca_buf_view(&subject),
                          ca_bytes_of(san, with_san ? sizeof(san) : 0), out, err);
    ca_signer_free(signer);
    ca_buf_clear(&rdns);
    ca_buf_clear(&subject);
    return st;
}

/* A root's own certificate, made with the same pieces. */
static enum ca_status make_root(struct sides *s, struct ca_error *err)
{
    struct ca_profile_spec spec = { .issuer_key = CA_KEY_EC_P256, .sig_alg = CA_SIG_ECDSA_SHA256,
                                    .validity = { CA_VALIDITY_YEARS, 10 } };
    struct ca_profile *profile = NULL;
    struct ca_signer *signer = NULL;
    uint8_t signature[CA_SIGNATURE_MAX];
    struct one one;
    struct ca_buf csr;
    size_t len = 0;
    enum ca_status st;

    one_init(&one);
    one.ask.request = &one.request;
    one.input.not_after_s = NOW_S + INT64_C(3600) * 24 * 3650;
    ca_buf_init(&csr, ARENA_MAX);
    st = ca_template_find("RootCACertificate", &spec.tmpl, err);
    if (st == CA_OK) st = ca_profile_new(&spec, &profile, err);
    if (st == CA_OK) st = make_request(s, s->ca_key, "Root", false, &csr, err);
    if (st == CA_OK) st = ca_request_parse(ca_buf_view(&csr), 0, &one.request, err);
    if (st == CA_OK)
        st = ca_policy_check(s->policy, profile, &one.ask, &s->arena, &one.contents, err);
    if (st == CA_OK) st = ca_profile_build(profile, &one.input, &s->certs, &one.slot, err);
    if (st == CA_OK) st = ca_signer_new(s->crypto, s->ca_key, CA_SIG_ECDSA_SHA256, &signer, err);
    if (st == CA_OK)
        st = ca_signer_sign(signer, ca_bytes_of(s->certs.data + one.slot.tbs_offset,
                                                one.slot.tbs_len), signature, &len, err);
    if (st == CA_OK) {
        ca_profile_finish(profile, &s->certs, &one.slot, ca_bytes_of(signature, len));
        st = ca_issuer_new(s->crypto, ca_bytes_of(s->certs.data + one.slot.der_offset,
                                                  one.slot.der_len),
                           ca_bytes_of(NULL, 0), &s->issuer, err);
    }
    ca_signer_free(signer);
    ca_profile_free(profile);
    ca_buf_clear(&csr);
    return st;
}

static enum ca_status make_profile(struct sides *s, struct ca_error *err)
{
    struct ca_profile_spec spec = { .issuer = s->issuer, .issuer_key = CA_KEY_EC_P256,
                                    .sig_alg = CA_SIG_ECDSA_SHA256,
                                    .validity = { CA_VALIDITY_DAYS, 1 } };
    struct ca_bytes json;
    enum ca_status st;

    if (!ca_preset_find("device", &json))
        return ca_fail(err, CA_REFUSED, "there is no preset \"device\"");
    st = ca_template_parse(json, &s->preset, NULL, err);
    spec.tmpl = s->preset;
    return st == CA_OK ? ca_profile_new(&spec, &s->profile, err) : st;
}

static enum ca_status sides_init(struct sides *s, enum ca_key_alg alg, bool tiny,
                                 struct ca_error *err)
{
    enum ca_status st;

    *s = (struct sides){ .ops = tiny ? 10 : OPS, .proofs = tiny ? 2 : OPS_PROVE };
    ca_arena_init(&s->arena, 65536, ARENA_MAX);
    ca_buf_init(&s->der, ARENA_MAX);
    ca_buf_init(&s->certs, ARENA_MAX);
    st = ca_crypto_new(&s->crypto, err);
    if (st == CA_OK) st = ca_policy_new(s->crypto, &s->policy, err);
    if (st == CA_OK) st = ca_prover_new(s->crypto, &s->prover, err);
    if (st == CA_OK) st = ca_key_generate(s->crypto, CA_KEY_EC_P256, &s->ca_key, err);
    if (st == CA_OK) st = ca_key_generate(s->crypto, alg, &s->key, err);
    if (st == CA_OK) st = make_root(s, err);
    if (st == CA_OK) st = make_profile(s, err);
    if (st == CA_OK) st = make_request(s, s->key, "device-000001", true, &s->der, err);
    return st;
}

static void sides_clear(struct sides *s)
{
    ca_profile_free(s->profile);
    ca_template_free(s->preset);
    ca_issuer_free(s->issuer);
    ca_key_free(s->key);
    ca_key_free(s->ca_key);
    ca_prover_free(s->prover);
    ca_policy_free(s->policy);
    ca_crypto_free(s->crypto);
    ca_arena_clear(&s->arena);
    ca_buf_clear(&s->der);
    ca_buf_clear(&s->certs);
}

static enum ca_status measure(const struct bench_options *options, enum ca_key_alg alg,
                              struct ca_error *err)
{
    static const char *const names[] = { "parse_ns", "policy_ns", "build_ns", "lint_ns" };
    struct sides s;
    struct bench_side checks = { "checks", check_all, &s }, proof = { "proof", prove, &s };
    struct bench_result result;
    char params[64], extra[256] = "";
    enum ca_status st = sides_init(&s, alg, options->tiny, err);

    (void)snprintf(params, sizeof(params), "\"key\":\"%s\"", ca_key_alg_name(alg));
    if (st == CA_OK)
        st = bench_compare(options, BENCH_CPU_THREAD, &checks, &proof, &result, err);
    if (st == CA_OK) st = measure_stages(&s, err);
    for (int i = 0; st == CA_OK && i < STAGE_COUNT; i++) {
        size_t used = strlen(extra);

        (void)snprintf(extra + used, sizeof(extra) - used, "%s\"%s\":%.0f", i > 0 ? "," : "",
                       names[i], s.stage_s[i] * 1e9 / (double)s.stage_ops);
    }
    if (st == CA_OK) st = bench_print("check", params, &checks, &proof, &result, extra, err);
    sides_clear(&s);
    return st;
}

int main(int argc, char **argv)
{
    static const enum ca_key_alg kinds[] = { CA_KEY_EC_P256, CA_KEY_RSA_2048, CA_KEY_RSA_4096 };
    struct bench_options options;
    struct ca_error err;

    if (!bench_options_parse(argc, argv, &options)) return 2;
    if (options.argc != 1) {
        fprintf(stderr, "usage: %s [--tiny] [--runs N]\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (options.tiny && kinds[i] == CA_KEY_RSA_4096) continue;      /* slow to make */
        if (measure(&options, kinds[i], &err) != CA_OK) return bench_explain("bench_check", &err);
    }
    return 0;
}
