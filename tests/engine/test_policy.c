#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/crypto.h"
#include "engine/policy.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct ca_crypto *crypto;
    EVP_PKEY *ca_key;
    struct ca_issuer *issuer;
    struct ca_profile *end_entity, *subordinate, *root;
    uint8_t *ca_spki, *spki;
    size_t ca_spki_len, spki_len;
};

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static struct ca_issuer *make_issuer(struct ca_crypto *crypto, EVP_PKEY *key)
{
    X509 *x = X509_new();
    struct ca_issuer *issuer = NULL;
    uint8_t *der = NULL;
    int len;

    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), 1700000000));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), 2500000000));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    len = i2d_X509(x, &der);
    assert_true(len > 0);
    assert_int_equal(ca_issuer_new(crypto, ca_bytes_of(der, (size_t)len), ca_bytes_of(NULL, 0),
                                   &issuer, NULL), CA_OK);
    OPENSSL_free(der);
    X509_free(x);
    return issuer;
}

static struct ca_profile *make_profile(const struct ca_issuer *issuer, const char *name)
{
    struct ca_profile_spec spec = { .issuer = issuer, .issuer_key = CA_KEY_EC_P256,
                                    .sig_alg = CA_SIG_ECDSA_SHA256,
                                    .validity = { CA_VALIDITY_DAYS, 1 } };
    struct ca_profile *profile = NULL;

    assert_int_equal(ca_template_find(name, &spec.tmpl, NULL), CA_OK);
    assert_int_equal(ca_profile_new(&spec, &profile, NULL), CA_OK);
    return profile;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    assert_non_null(f);
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    f->ca_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    f->issuer = make_issuer(f->crypto, f->ca_key);
    f->end_entity = make_profile(f->issuer, "EndEntityCertificate");
    f->subordinate = make_profile(f->issuer, "SubordinateCACertificate_PathLen0");
    f->root = make_profile(NULL, "RootCACertificate");
    f->ca_spki_len = (size_t)i2d_PUBKEY(f->ca_key, &f->ca_spki);
    f->spki_len = (size_t)i2d_PUBKEY(key, &f->spki);
    EVP_PKEY_free(key);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    OPENSSL_free(f->ca_spki);
    OPENSSL_free(f->spki);
    ca_profile_free(f->end_entity);
    ca_profile_free(f->subordinate);
    ca_profile_free(f->root);
    ca_issuer_free(f->issuer);
    EVP_PKEY_free(f->ca_key);
    ca_crypto_free(f->crypto);
    free(f);
    return 0;
}

/* A request that nothing is wrong with, as the reader leaves it. */
static struct ca_request good_request(const struct fixture *f)
{
    struct ca_request request = { .sig_alg = CA_SIG_ECDSA_SHA256 };

    assert_int_equal(ca_spki_parse(ca_bytes_of(f->spki, f->spki_len), &request.key, NULL), CA_OK);
    return request;
}

static void assert_allowed(const struct ca_profile *profile, const struct ca_request *request)
{
    struct ca_error err;

    if (ca_policy_check(profile, request, &err) != CA_OK) fail_msg("%s", err.text);
}

static void assert_refused(const struct ca_profile *profile, const struct ca_request *request,
                           enum ca_reason reason)
{
    struct ca_error err;

    assert_int_equal(ca_policy_check(profile, request, &err), CA_REFUSED);
    assert_int_equal(err.reason, reason);
    assert_int_equal(ca_policy_check(profile, request, NULL), CA_REFUSED);
}

static void a_good_request_may_have_every_template(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);

    assert_allowed(f->end_entity, &request);
    assert_allowed(f->subordinate, &request);
    assert_allowed(f->root, &request);
}

/* Names */

static void a_request_needs_a_subject_or_a_critical_alternative_name(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    struct ca_error err;

    request.has_san = true;
    assert_allowed(f->end_entity, &request);
    request.subject_empty = true;
    assert_refused(f->end_entity, &request, CA_REASON_SAN_NOT_CRITICAL);
    (void)!ca_policy_check(f->end_entity, &request, &err);
    assert_string_equal(err.text, "CSR must mark the SAN extension critical when it has an empty "
                                  "subject");
    request.san_critical = true;
    assert_allowed(f->end_entity, &request);
    request.has_san = false;
    assert_refused(f->end_entity, &request, CA_REASON_NO_NAME);
}

static void a_ca_needs_a_subject_whatever_else_it_has(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);

    request.subject_empty = true;
    request.has_san = true;
    request.san_critical = true;
    assert_refused(f->subordinate, &request, CA_REASON_NO_NAME);
    assert_refused(f->root, &request, CA_REASON_NO_NAME);
}

static void a_request_whose_certificate_would_be_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    uint8_t *names = calloc(1, CA_CERT_DER_MAX);
    struct ca_error err;

    assert_non_null(names);
    request.has_san = true;
    request.san = ca_bytes_of(names, CA_CERT_DER_MAX - 1000);
    assert_allowed(f->end_entity, &request);
    request.san.len = CA_CERT_DER_MAX - 300;
    assert_int_equal(ca_policy_check(f->end_entity, &request, &err), CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_REQUEST_TOO_LONG);
    request.has_san = false;
    assert_allowed(f->end_entity, &request);
    /* A root's subject stands in its certificate twice. */
    request.subject = ca_bytes_of(names, CA_CERT_DER_MAX / 2);
    assert_allowed(f->end_entity, &request);
    assert_int_equal(ca_policy_check(f->root, &request, &err), CA_MALFORMED);
    free(names);
}

/* Keys */

struct rsa_case {
    uint32_t bits;
    uint8_t n_last;
    const char *e;      /* hexadecimal */
};

static struct ca_request rsa_request(const struct fixture *f, const struct rsa_case *c,
                                     uint8_t n[1200], uint8_t e[64])
{
    struct ca_request request = good_request(f);
    size_t e_len = 0, n_len = (c->bits + 7) / 8;

    memset(n, 0xa5, n_len);
    n[n_len - 1] = c->n_last;
    assert_int_equal(ca_hex_decode(c->e, e, 64, &e_len, NULL), CA_OK);
    request.sig_alg = CA_SIG_RSA_SHA256;
    request.key.kind = CA_KEY_KIND_RSA;
    request.key.bits = c->bits;
    request.key.rsa_n = ca_bytes_of(n, n_len);
    request.key.rsa_e = ca_bytes_of(e, e_len);
    return request;
}

#define E_F4 "010001"
#define E_256 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static void rsa_keys_within_the_limits_are_allowed(void **state)
{
    static const struct rsa_case cases[] = {
        { 2048, 0xff, E_F4 }, { 2056, 0x01, E_F4 }, { 3072, 0xff, E_F4 }, { 8192, 0xff, E_F4 },
        { 2048, 0xff, "010003" }, { 2048, 0xff, "ffffff" }, { 2048, 0xff, E_256 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t n[1200], e[64];
        struct ca_request request = rsa_request(f, &cases[i], n, e);

        assert_allowed(f->end_entity, &request);
    }
}

static void rsa_keys_outside_the_limits_are_too_weak(void **state)
{
    static const struct rsa_case cases[] = {
        { 1024, 0xff, E_F4 }, { 2040, 0xff, E_F4 }, { 2047, 0xff, E_F4 }, { 2049, 0xff, E_F4 },
        { 2052, 0xff, E_F4 }, { 8200, 0xff, E_F4 }, { 2048, 0xfe, E_F4 }, { 2048, 0xff, "03" },
        { 2048, 0xff, "01" }, { 2048, 0xff, "ffff" }, { 2048, 0xff, "010000" },
        { 2048, 0xff, "010002" }, { 2048, 0xff, "01" E_256 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t n[1200], e[64];
        struct ca_request request = rsa_request(f, &cases[i], n, e);

        assert_refused(f->end_entity, &request, CA_REASON_KEY_TOO_WEAK);
    }
}

static void the_request_must_be_signed_with_an_algorithm_of_its_key(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);

    request.sig_alg = CA_SIG_ALG_NONE;      /* SHA-1, MD5, PSS and the like */
    assert_refused(f->end_entity, &request, CA_REASON_ALGORITHM_NOT_SUPPORTED);
    request.sig_alg = CA_SIG_RSA_SHA256;
    assert_refused(f->end_entity, &request, CA_REASON_ALGORITHM_NOT_SUPPORTED);
    request.sig_alg = CA_SIG_ED25519;
    assert_refused(f->end_entity, &request, CA_REASON_ALGORITHM_NOT_SUPPORTED);
    request.sig_alg = CA_SIG_ECDSA_SHA512;
    assert_allowed(f->end_entity, &request);
}

static void the_issuers_own_key_is_certified_by_nobody_but_itself(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);

    assert_int_equal(ca_spki_parse(ca_bytes_of(f->ca_spki, f->ca_spki_len), &request.key, NULL),
                     CA_OK);
    assert_refused(f->end_entity, &request, CA_REASON_CA_KEY_AS_SUBJECT);
    assert_refused(f->subordinate, &request, CA_REASON_CA_KEY_AS_SUBJECT);
    assert_allowed(f->root, &request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_request_may_have_every_template),
        cmocka_unit_test(a_request_needs_a_subject_or_a_critical_alternative_name),
        cmocka_unit_test(a_ca_needs_a_subject_whatever_else_it_has),
        cmocka_unit_test(a_request_whose_certificate_would_be_too_long_is_refused),
        cmocka_unit_test(rsa_keys_within_the_limits_are_allowed),
        cmocka_unit_test(rsa_keys_outside_the_limits_are_too_weak),
        cmocka_unit_test(the_request_must_be_signed_with_an_algorithm_of_its_key),
        cmocka_unit_test(the_issuers_own_key_is_certified_by_nobody_but_itself),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
