/*
 * The frozen certificates of tests/vectors/certs (made by openssl(1), read by eye; see its README)
 * rebuilt octet for octet from the same requests, keys, serial numbers and dates.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/key.h"
#include "engine/policy.h"
#include "engine/preset.h"
#include "engine/prove.h"
#include "engine/sign.h"
#include "engine/template_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vector {
    const char *file;
    const char *tmpl;           /* of the catalogue, or the preset "device" */
    const char *issuer;         /* file of the issuer; its own for a root */
    const char *chain;          /* certificate above the issuer, or NULL */
    const char *serial;
    const char *not_before, *not_after;
    const char *cdp, *ocsp;
};

static const struct vector vectors[] = {
    { "root-rsa", "RootCACertificate", "root-rsa", NULL,
      "018f4a6b2c0001020304050607080910111213", "2026-01-01T00:00:00Z", "2040-12-31T23:59:59Z",
      NULL, NULL },
    { "root-ed25519", "RootCACertificate", "root-ed25519", NULL, "01", "2026-01-01T00:00:00Z",
      "9999-12-31T23:59:59Z", NULL, NULL },
    { "sub-pathlen0", "SubordinateCACertificate_PathLen0", "root-rsa", NULL,
      "019a00000001a0b1c2d3e4f5061728394a5b", "2026-02-01T00:00:00Z", "2036-02-01T00:00:00Z",
      NULL, NULL },
    { "sub-pathlen3", "SubordinateCACertificate_PathLen3", "root-ed25519", NULL,
      "7fffffffffffffffffffffffffffffffffffffff", "2026-03-01T12:00:00Z", "2050-01-01T00:00:00Z",
      "http://crl.widgets.example/crl/7b0c1c5e-1d2f-4a3b-8c4d-5e6f708192a3.crl",
      "http://ocsp.widgets.example" },
    { "end-entity", "EndEntityCertificate", "sub-pathlen0", "root-rsa",
      "019a0000000200112233445566778899aabb", "2026-04-01T09:00:00Z", "2027-04-01T10:00:00Z",
      NULL, NULL },
    { "end-entity-urls", "EndEntityCertificate", "sub-pathlen0", "root-rsa",
      "019a0000000300112233445566778899aabb", "2026-04-01T09:00:00Z", "2027-04-01T10:00:00Z",
      "http://bucket.s3.eu-west-1.amazonaws.com/crl/0f0e0d0c-0b0a-4908-8706-050403020100.crl",
      "http://ocsp.widgets.example" },
    { "client-auth", "EndEntityClientAuthCertificate", "root-ed25519", NULL, "2a",
      "2026-05-01T00:00:00Z", "2026-05-08T01:00:00Z", NULL, NULL },
    { "server-auth", "EndEntityServerAuthCertificate", "root-rsa", NULL,
      "80ffeeddccbbaa99887766554433221100", "2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z", NULL,
      NULL },
    { "code-signing", "CodeSigningCertificate", "root-ed25519", NULL,
      "019a0000000400112233445566778899aabb", "2026-06-01T00:00:00Z", "2029-06-01T00:00:00Z",
      NULL, NULL },
    { "ocsp-signing", "OCSPSigningCertificate", "sub-pathlen0", "root-rsa",
      "019a0000000500112233445566778899aabb", "2026-06-01T00:00:00Z", "2026-07-01T01:00:00Z",
      NULL, NULL },
    { "device-ec", "device", "sub-pathlen0", "root-rsa", "019a0000000600112233445566778899aabb",
      "2026-06-01T00:00:00Z", "2036-02-01T00:00:00Z", NULL, NULL },
    { "device-rsa", "device", "root-ed25519", NULL, "019a0000000700112233445566778899aabb",
      "2050-01-01T00:00:00Z", "2060-01-01T00:00:00Z", NULL, NULL },
    { "no-subject", "device", "root-rsa", NULL, "019a0000000800112233445566778899aabb",
      "2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z", NULL, NULL },
};

#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))
#define FILE_MAX 65536

static void read_file(const char *name, const char *suffix, struct ca_buf *out)
{
    char path[512];
    FILE *file;
    size_t len;

    (void)snprintf(path, sizeof(path), "%s/certs/%s%s", CERTMILL_VECTORS_DIR, name, suffix);
    file = fopen(path, "rb");
    if (file == NULL) fail_msg("cannot open %s", path);
    ca_buf_init(out, FILE_MAX);
    assert_true(ca_buf_reserve(out, FILE_MAX));
    len = fread(out->data, 1, FILE_MAX, file);
    assert_true(len > 0 && len < FILE_MAX);
    out->len = len;
    fclose(file);
}

/* What rebuilding one vector needs. */
struct work {
    struct ca_buf der, csr, key_pem, issuer_der, chain_der;
    struct ca_request request;
    struct ca_serial serial;
    struct ca_template *preset; /* NULL: one of the catalogue */
    struct ca_key *key;
    struct ca_signer *signer;
    struct ca_issuer *issuer;
    struct ca_profile *profile;
    int64_t from_s, until_s;
};

static void open_signer(struct ca_crypto *crypto, const struct vector *v, struct work *w)
{
    enum ca_sig_alg sig_alg;

    read_file(v->issuer, ".key.pem", &w->key_pem);
    assert_int_equal(ca_key_decode(crypto, ca_buf_view(&w->key_pem), ca_bytes_of(NULL, 0),
                                   &w->key, NULL), CA_OK);
    sig_alg = ca_sig_alg_default(ca_key_algorithm(w->key));
    assert_int_equal(ca_signer_new(crypto, w->key, sig_alg, &w->signer, NULL), CA_OK);
}

static void open_issuer(struct ca_crypto *crypto, const struct vector *v, struct work *w)
{
    if (strcmp(v->issuer, v->file) == 0) return;
    read_file(v->issuer, ".der", &w->issuer_der);
    if (v->chain != NULL) read_file(v->chain, ".der", &w->chain_der);
    assert_int_equal(ca_issuer_new(crypto, ca_buf_view(&w->issuer_der),
                                   ca_buf_view(&w->chain_der), &w->issuer, NULL), CA_OK);
}

static const struct ca_template *open_template(const struct vector *v, struct work *w)
{
    const struct ca_template *tmpl = NULL;
    struct ca_bytes json;
    struct ca_error err;

    if (strcmp(v->tmpl, "device") != 0) {
        assert_int_equal(ca_template_find(v->tmpl, &tmpl, NULL), CA_OK);
        return tmpl;
    }
    assert_true(ca_preset_find(v->tmpl, &json));
    if (ca_template_parse(json, &w->preset, NULL, &err) != CA_OK) fail_msg("%s", err.text);
    return w->preset;
}

static void open_work(struct ca_crypto *crypto, const struct vector *v, struct work *w)
{
    struct ca_revocation revocation = { .crl_enabled = v->cdp != NULL };
    struct ca_profile_spec spec = { .revocation = &revocation };

    (void)snprintf(revocation.cdp_uri, sizeof(revocation.cdp_uri), "%s",
                   v->cdp != NULL ? v->cdp : "");
    (void)snprintf(revocation.ocsp_uri, sizeof(revocation.ocsp_uri), "%s",
                   v->ocsp != NULL ? v->ocsp : "");
    *w = (struct work){ .from_s = 0 };
    read_file(v->file, ".der", &w->der);
    read_file(v->file, ".csr.der", &w->csr);
    assert_int_equal(ca_request_parse(ca_buf_view(&w->csr), 0, &w->request, NULL), CA_OK);
    assert_int_equal(ca_serial_parse(v->serial, &w->serial, NULL), CA_OK);
    assert_int_equal(ca_time_parse(v->not_before, &w->from_s, NULL), CA_OK);
    assert_int_equal(ca_time_parse(v->not_after, &w->until_s, NULL), CA_OK);
    open_signer(crypto, v, w);
    open_issuer(crypto, v, w);
    spec.tmpl = open_template(v, w);
    spec.issuer = w->issuer;
    spec.issuer_key = ca_key_algorithm(w->key);
    spec.sig_alg = ca_signer_alg(w->signer);
    spec.validity = (struct ca_validity){ CA_VALIDITY_ABSOLUTE, w->until_s };
    spec.not_before_s = w->from_s;
    assert_int_equal(ca_profile_new(&spec, &w->profile, NULL), CA_OK);
}

static void close_work(struct work *w)
{
    ca_profile_free(w->profile);
    ca_template_free(w->preset);
    ca_issuer_free(w->issuer);
    ca_signer_free(w->signer);
    ca_key_free(w->key);
    ca_buf_clear(&w->der);
    ca_buf_clear(&w->csr);
    ca_buf_clear_secret(&w->key_pem);
    ca_buf_clear(&w->issuer_der);
    ca_buf_clear(&w->chain_der);
}

/* What policy says of the request; the contents are views into ask and arena. */
static void decide(struct ca_crypto *crypto, const struct vector *v, struct work *w,
                   struct ca_ask *ask, struct ca_arena *arena, struct ca_contents *contents)
{
    struct ca_policy *policy = NULL;
    struct ca_error err;

    *ask = (struct ca_ask){ .request = &w->request };
    assert_int_equal(ca_policy_new(crypto, &policy, NULL), CA_OK);
    if (ca_policy_check(policy, w->profile, ask, arena, contents, &err) != CA_OK)
        fail_msg("%s: %s", v->file, err.text);
    assert_int_equal(contents->ignored, 0);
    ca_policy_free(policy);
}

static void assert_possession(struct ca_crypto *crypto, const struct work *w)
{
    struct ca_prover *prover = NULL;
    bool good = false;

    assert_int_equal(ca_prover_new(crypto, &prover, NULL), CA_OK);
    assert_int_equal(ca_prover_verify(prover, &w->request.key, w->request.sig_alg, w->request.info,
                                      w->request.signature, &good, NULL), CA_OK);
    assert_true(good);
    ca_prover_free(prover);
}

/* The whole way of a request: policy, possession, dates, TBS, signature. */
static void assert_rebuilt(struct ca_crypto *crypto, const struct vector *v, struct work *w)
{
    struct ca_contents contents;
    struct ca_tbs_input input = { .request = &w->request, .contents = &contents,
                                  .serial = &w->serial };
    uint8_t signature[CA_SIGNATURE_MAX];
    struct ca_cert_slot slot;
    struct ca_arena decided;
    struct ca_ask ask;
    struct ca_buf arena;
    size_t len = 0;

    ca_buf_init(&arena, FILE_MAX);
    ca_arena_init(&decided, 4096, FILE_MAX);
    decide(crypto, v, w, &ask, &decided, &contents);
    assert_possession(crypto, w);
    assert_int_equal(ca_profile_dates(w->profile, w->from_s + 1, &input.not_before_s,
                                      &input.not_after_s, NULL), CA_OK);
    assert_int_equal(ca_profile_build(w->profile, &input, &arena, &slot, NULL), CA_OK);
    assert_int_equal(ca_signer_sign(w->signer,
                                    ca_bytes_of(arena.data + slot.tbs_offset, slot.tbs_len),
                                    signature, &len, NULL), CA_OK);
    ca_profile_finish(w->profile, &arena, &slot, ca_bytes_of(signature, len));
    if (slot.der_len != w->der.len ||
        memcmp(arena.data + slot.der_offset, w->der.data, w->der.len) != 0)
        fail_msg("%s.der is not rebuilt", v->file);
    ca_arena_clear(&decided);
    ca_buf_clear(&arena);
}

static void every_frozen_certificate_is_rebuilt_octet_for_octet(void **state)
{
    struct ca_crypto *crypto = NULL;

    (void)state;
    assert_int_equal(ca_crypto_new(&crypto, NULL), CA_OK);
    for (size_t i = 0; i < VECTORS; i++) {
        struct work w;

        open_work(crypto, &vectors[i], &w);
        assert_rebuilt(crypto, &vectors[i], &w);
        close_work(&w);
    }
    ca_crypto_free(crypto);
}

static void every_frozen_certificate_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct vector *v = &vectors[i];
        struct ca_serial serial;
        struct ca_cert cert;
        struct ca_buf der;
        int64_t from_s, until_s;

        read_file(v->file, ".der", &der);
        assert_int_equal(ca_cert_parse(ca_buf_view(&der), &cert, NULL), CA_OK);
        assert_int_equal(ca_serial_parse(v->serial, &serial, NULL), CA_OK);
        assert_int_equal(ca_serial_compare(&cert.serial, &serial), 0);
        assert_int_equal(ca_time_parse(v->not_before, &from_s, NULL), CA_OK);
        assert_int_equal(ca_time_parse(v->not_after, &until_s, NULL), CA_OK);
        assert_int_equal(cert.not_before_s, from_s);
        assert_int_equal(cert.not_after_s, until_s);
        assert_int_equal(ca_cert_is_self_issued(&cert), strcmp(v->issuer, v->file) == 0);
        ca_buf_clear(&der);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frozen_certificate_is_rebuilt_octet_for_octet),
        cmocka_unit_test(every_frozen_certificate_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
