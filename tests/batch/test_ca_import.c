/* Certificates imported from outside (spec 4.3), made with OpenSSL. */
#include "batch/registry_ca.h"
#include "engine/pem.h"
#include "tests/support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define PEM_MAX 16384

static void assert_refused(enum ca_status st, const struct ca_error *err, const char *name)
{
    if (st != CA_REFUSED) fail_msg("status %s, not refused", ca_status_name(st));
    assert_string_equal(ca_error_name(err), name);
}

static void find(struct store_fixture *f, const char *name, struct batch_ca *ca)
{
    if (batch_ca_find(f->registry, NULL, name, ca, &f->err) != CA_OK) {
        fail_msg("find %s: %s", name, f->err.text);
    }
}

static void assert_status(struct store_fixture *f, const char *name, const char *status)
{
    struct batch_ca ca;

    find(f, name, &ca);
    assert_string_equal(batch_ca_status_name(&ca), status);
    batch_ca_clear(&ca);
}

/* ---- A CA outside the store, made with OpenSSL ---- */

struct outside {
    EVP_PKEY *key;
    X509 *cert;
};

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* A CA certificate for this key and name, valid from now + from_s to now + to_s. */
static X509 *make_cert(struct store_fixture *f, EVP_PKEY *key, const X509_NAME *name,
                       const struct outside *issuer, EVP_PKEY *issuer_key, int64_t from_s,
                       int64_t to_s)
{
    X509 *cert = X509_new();
    time_t now = (time_t)(f->now_ms / 1000);

    assert_non_null(cert);
    assert_int_equal(X509_set_version(cert, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711), 1);
    assert_non_null(X509_time_adj(X509_getm_notBefore(cert), (long)from_s, &now));
    assert_non_null(X509_time_adj(X509_getm_notAfter(cert), (long)to_s, &now));
    assert_int_equal(X509_set_subject_name(cert, name), 1);
    assert_int_equal(X509_set_issuer_name(
        cert, issuer != NULL ? X509_get_subject_name(issuer->cert) : name), 1);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    return cert;
}

static void outside_init(struct store_fixture *f, struct outside *ca)
{
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)"Outside Root", -1, -1, 0),
                     1);
    ca->key = EVP_EC_gen("P-256");
    assert_non_null(ca->key);
    ca->cert = make_cert(f, ca->key, name, NULL, ca->key, -3600, 20 * 365 * 86400L);
    X509_NAME_free(name);
}

static void outside_clear(struct outside *ca)
{
    EVP_PKEY_free(ca->key);
    X509_free(ca->cert);
}

static void cert_pem(X509 *cert, char out[PEM_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long len;

    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    len = BIO_get_mem_data(bio, &text);
    assert_true(len > 0 && len < PEM_MAX);
    memcpy(out, text, (size_t)len);
    out[len] = '\0';
    BIO_free(bio);
}

static X509_REQ *csr_of(struct store_fixture *f, const char *name)
{
    struct batch_ca ca;
    const uint8_t *at;
    X509_REQ *req;

    find(f, name, &ca);
    at = ca.row.csr.data;
    req = d2i_X509_REQ(NULL, &at, (long)ca.row.csr.len);
    assert_non_null(req);
    batch_ca_clear(&ca);
    return req;
}

/* The outside CA signs a CA's CSR. */
static void sign_outside(struct store_fixture *f, const char *name, const struct outside *issuer,
                         int64_t from_s, int64_t to_s, char out[PEM_MAX])
{
    X509_REQ *req = csr_of(f, name);
    X509 *cert = make_cert(f, X509_REQ_get0_pubkey(req), X509_REQ_get_subject_name(req), issuer,
                           issuer->key, from_s, to_s);

    cert_pem(cert, out);
    X509_free(cert);
    X509_REQ_free(req);
}

static enum ca_status import(struct store_fixture *f, const char *name, const char *cert,
                             const char *chain)
{
    return batch_ca_import(f->registry, name, ca_bytes_str(cert), ca_bytes_str(chain), &f->err);
}

/* An active root with a certificate for 10 years, and another one of its own for 20. */
static void make_root(struct store_fixture *f, const char *name, char renewed[PEM_MAX])
{
    struct batch_ca_activate years = { .name = name, .validity = { CA_VALIDITY_YEARS, 20 } };
    struct ca_serial serial;
    struct batch_ca ca;
    struct ca_buf pem;

    ca_buf_init(&pem, PEM_MAX);
    store_fixture_create(f, name, true);
    assert_int_equal(batch_ca_activate(f->registry, &years, &serial, &f->err), CA_OK);
    find(f, name, &ca);
    ca_pem_append(&pem, "CERTIFICATE", ca.row.cert);
    memcpy(renewed, pem.data, pem.len);
    renewed[pem.len] = '\0';
    batch_ca_clear(&ca);
    ca_buf_clear(&pem);
    store_fixture_activate(f, name, NULL);
}

/* ---- Import ---- */

static void a_certificate_for_an_unknown_ca_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct outside outside;
    char pem[PEM_MAX];

    outside_init(f, &outside);
    cert_pem(outside.cert, pem);
    assert_refused(import(f, "x", pem, ""), &f->err, "no-such-ca");
    outside_clear(&outside);
}

static void a_subordinate_certified_elsewhere_becomes_active(void **state)
{
    struct store_fixture *f = *state;
    struct outside outside;
    char cert[PEM_MAX], chain[PEM_MAX];
    struct batch_ca ca;

    outside_init(f, &outside);
    store_fixture_create(f, "sub", false);
    sign_outside(f, "sub", &outside, -3600, 86400, cert);
    cert_pem(outside.cert, chain);
    f->now_ms += 5;
    assert_int_equal(import(f, "sub", cert, chain), CA_OK);
    find(f, "sub", &ca);
    assert_string_equal(batch_ca_status_name(&ca), "ACTIVE");
    assert_int_equal(ca.row.generation, 1);
    assert_true(ca.row.changed_ms == f->now_ms);
    assert_true(ca.not_after_s == STORE_FIXTURE_NOW_MS / 1000 + 86400);
    assert_int_equal(ca.serial.len, 2);
    assert_true(ca.serial.octets[0] == 0x12 && ca.serial.octets[1] == 0x67);    /* 4711 */
    batch_ca_clear(&ca);
    outside_clear(&outside);
}

static void certificate_and_chain_may_come_in_one_text(void **state)
{
    static const char *const between[] = { "", "\n", "\t", " ", "\r\n\r\n" };
    struct store_fixture *f = *state;
    char cert[PEM_MAX], chain[PEM_MAX], both[2 * PEM_MAX + 8];
    struct outside outside;
    struct batch_ca ca;

    outside_init(f, &outside);
    store_fixture_create(f, "sub", false);
    sign_outside(f, "sub", &outside, -3600, 86400, cert);
    cert[strlen(cert) - 1] = '\0';      /* no newline after END, as GetCertificate answers */
    cert_pem(outside.cert, chain);
    for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
        (void)snprintf(both, sizeof(both), "%s%s%s", cert, between[i], chain);
        if (import(f, "sub", both, "") != CA_OK) fail_msg("%zu: %s", i, f->err.text);
        find(f, "sub", &ca);
        assert_int_equal(ca.row.generation, i + 1);
        assert_true(ca.row.chain.len > 0);
        batch_ca_clear(&ca);
    }
    outside_clear(&outside);
}

static void text_that_is_not_one_certificate_is_malformed(void **state)
{
    struct store_fixture *f = *state;
    char cert[PEM_MAX], chain[PEM_MAX], twice[2 * PEM_MAX], many[10 * PEM_MAX] = "";
    struct outside outside;

    outside_init(f, &outside);
    store_fixture_create(f, "sub", false);
    sign_outside(f, "sub", &outside, -3600, 86400, cert);
    cert_pem(outside.cert, chain);
    (void)snprintf(twice, sizeof(twice), "%s%s", cert, chain);
    for (int i = 0; i < 10; i++) (void)strcat(many, chain);
    const struct { const char *cert, *chain; } cases[] = {
        { "", "" },
        { "hello", "" },
        { cert, "hello" },
        { twice, chain },
        { many, "" },
        { "-----BEGIN CERTIFICATE-----\nAAAA\n", "" },
        { "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "" },
        { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "" },
        { "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum ca_status st = import(f, "sub", cases[i].cert, cases[i].chain);

        if (st != CA_MALFORMED) fail_msg("case %zu: %s", i, ca_status_name(st));
        assert_string_equal(ca_error_name(&f->err), "malformed-certificate");
    }
    assert_status(f, "sub", "PENDING_CERTIFICATE");
    outside_clear(&outside);
}

static void a_certificate_for_another_key_is_refused(void **state)
{
    struct store_fixture *f = *state;
    char cert[PEM_MAX], chain[PEM_MAX];
    struct outside outside;

    outside_init(f, &outside);
    store_fixture_create(f, "sub", false);
    store_fixture_create(f, "other", false);
    sign_outside(f, "other", &outside, -3600, 86400, cert);
    cert_pem(outside.cert, chain);
    assert_refused(import(f, "sub", cert, chain), &f->err, "certificate-mismatch");
    assert_status(f, "sub", "PENDING_CERTIFICATE");
    outside_clear(&outside);
}

static void a_subordinate_needs_a_chain_and_a_root_must_have_none(void **state)
{
    struct store_fixture *f = *state;
    char cert[PEM_MAX], chain[PEM_MAX];
    struct outside outside;

    outside_init(f, &outside);
    cert_pem(outside.cert, chain);
    store_fixture_create(f, "sub", false);
    sign_outside(f, "sub", &outside, -3600, 86400, cert);
    assert_refused(import(f, "sub", cert, ""), &f->err, "invalid-request");
    assert_status(f, "sub", "PENDING_CERTIFICATE");
    make_root(f, "root", cert);
    assert_refused(import(f, "root", cert, chain), &f->err, "invalid-request");
    assert_int_equal(import(f, "root", cert, ""), CA_OK);
    outside_clear(&outside);
}

static void a_certificate_outside_its_time_is_refused(void **state)
{
    struct store_fixture *f = *state;
    char cert[PEM_MAX], chain[PEM_MAX];
    struct outside outside;

    outside_init(f, &outside);
    cert_pem(outside.cert, chain);
    store_fixture_create(f, "sub", false);
    sign_outside(f, "sub", &outside, -7200, -1, cert);
    assert_refused(import(f, "sub", cert, chain), &f->err, "certificate-expired");
    sign_outside(f, "sub", &outside, 3601, 86400, cert);
    assert_refused(import(f, "sub", cert, chain), &f->err, "certificate-not-yet-valid");
    assert_status(f, "sub", "PENDING_CERTIFICATE");
    sign_outside(f, "sub", &outside, 3600, 86400, cert);
    assert_int_equal(import(f, "sub", cert, chain), CA_OK);
    sign_outside(f, "sub", &outside, -7200, 0, cert);
    assert_int_equal(import(f, "sub", cert, chain), CA_OK);
    outside_clear(&outside);
}

static void a_fresh_certificate_revives_an_expired_ca(void **state)
{
    struct store_fixture *f = *state;
    char renewed[PEM_MAX];

    make_root(f, "root", renewed);
    f->now_ms += 11 * 365 * STORE_FIXTURE_DAY_MS;
    assert_status(f, "root", "EXPIRED");
    assert_int_equal(import(f, "root", renewed, ""), CA_OK);
    assert_status(f, "root", "ACTIVE");
}

static void a_ca_disabled_before_its_import_stays_disabled(void **state)
{
    struct store_fixture *f = *state;
    char renewed[PEM_MAX];

    make_root(f, "root", renewed);
    store_fixture_force_state(f, "root", SCHEMA_CA_DISABLED, 0);
    f->now_ms += 11 * 365 * STORE_FIXTURE_DAY_MS;
    assert_status(f, "root", "EXPIRED");
    assert_int_equal(import(f, "root", renewed, ""), CA_OK);
    assert_status(f, "root", "DISABLED");
    assert_int_equal(import(f, "root", renewed, ""), CA_OK);
    assert_status(f, "root", "DISABLED");
}

#define TEST(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_certificate_for_an_unknown_ca_is_refused),
        TEST(a_subordinate_certified_elsewhere_becomes_active),
        TEST(certificate_and_chain_may_come_in_one_text),
        TEST(text_that_is_not_one_certificate_is_malformed),
        TEST(a_certificate_for_another_key_is_refused),
        TEST(a_subordinate_needs_a_chain_and_a_root_must_have_none),
        TEST(a_certificate_outside_its_time_is_refused),
        TEST(a_fresh_certificate_revives_an_expired_ca),
        TEST(a_ca_disabled_before_its_import_stays_disabled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
