/*
 * Extension smuggling: whatever extensions a request carries, the certificate has those of the
 * template and no others. Random requests with random extensions under every template; where
 * nothing may pass, the TBSCertificate must be, octet for octet, the one of the bare request. Where
 * a template lets extensions pass, OpenSSL reads the result and says whether it is a CA.
 *
 * 100,000 requests; CERTMILL_SMUGGLING=1000000 asks for more.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/ext.h"
#include "engine/lint.h"
#include "engine/policy.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_DEFAULT 100000
#define SOUP_MAX 8

struct fixture {
    struct ca_crypto *crypto;
    struct ca_policy *policy;
    struct ca_arena arena;
    struct ca_issuer *issuer;
    struct ca_profile **profiles;       /* of every row of the catalogue */
    uint8_t *spki;
    size_t spki_len;
    uint64_t random;
};

/* ---- what is asked for ---- */

struct wish {
    const char *oid;
    const char *value;          /* hexadecimal */
};

/* Everything that would give a certificate more than its template does, and harmless company. */
static const struct wish wishes[] = {
    { "2.5.29.19", "30030101ff" },                              /* CA:TRUE */
    { "2.5.29.19", "30060101ff020105" },                        /* CA:TRUE, path length 5 */
    { "2.5.29.19", "3000" },
    { "2.5.29.15", "03020106" },                                /* keyCertSign, cRLSign */
    { "2.5.29.15", "030205a0" },
    { "2.5.29.15", "03020780" },
    { "2.5.29.37", "300606042a030405" },
    { "2.5.29.37", "3006060455" "1d2500" },                     /* anyExtendedKeyUsage */
    { "2.5.29.37", "300a06082b06010505070301" },
    { "2.5.29.37", "300a06082b06010505070309" },                /* OCSPSigning */
    { "2.5.29.30", "300ca00a300882066578616d7065" },            /* nameConstraints */
    { "2.5.29.32", "30063004" "0602" "2a03" },
    { "2.5.29.32", "300630040602" "5500" },
    { "2.5.29.33", "300e300c06042a03040506042a030406" },        /* policyMappings */
    { "2.5.29.36", "3003800100" },                              /* policyConstraints */
    { "2.5.29.54", "020100" },                                  /* inhibitAnyPolicy */
    { "2.5.29.14", "04141111111111111111111111111111111111111111" },
    { "2.5.29.35", "301680142222222222222222222222222222222222222222" },
    { "2.5.29.31", "301b3019a017a0158613687474703a2f2f6576696c2e6578616d706c65" },
    { "2.5.29.46", "301b3019a017a0158613687474703a2f2f6576696c2e6578616d706c65" },
    { "1.3.6.1.5.5.7.1.1",
      "3022302006082b06010505073001" "8614687474703a2f2f6576696c2e6578616d706c652f" },
    { "1.3.6.1.5.5.7.1.11",
      "3022302006082b06010505073005" "8614687474703a2f2f6576696c2e6578616d706c652f" },
    { "1.3.6.1.4.1.11129.2.4.3", "0500" },                      /* CT poison */
    { "1.3.6.1.5.5.7.48.1.5", "0500" },                         /* OCSP no-check */
    { "1.3.6.1.5.5.7.1.24", "3003020105" },                     /* must-staple */
    { "2.5.29.56", "0500" },                                    /* noRevAvail */
    { "2.5.29.18", "300f820d6576696c2e6578616d706c652e" },
    { "2.5.29.16", "30228" "00f32303230303130313030303030305a810f32303330303130313030303030305a" },
    { "1.3.6.1.4.1.311.20.2", "1e0a00530075006200430041" },     /* certificate template name */
    { "1.3.6.1.4.1.311.21.10", "300c300a06082b06010505070302" },
    { "2.16.840.1.113730.1.1", "03020007" },                    /* netscape certificate type */
    { "1.2.3.4.5", "0c0568656c6c6f" },
    { "1.3.6.1.4.1.99999.1", "ffff" },
};

static const char *const sans[] = {
    NULL, "3010820e6465766963652e6578616d706c65", "30068704c0000201",
    "301481126f706572406578616d706c652e6578616d70",
    "301c820e6465766963652e6578616d706c65860a75726e3a613a62636465",
};

static uint32_t pick(struct fixture *f, uint32_t below)
{
    /* xorshift64: the same soup in every run. */
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return (uint32_t)((f->random >> 32) % below);
}

static void append_hex(struct ca_buf *out, const char *hex)
{
    uint8_t octets[256];
    size_t len = 0;

    assert_int_equal(ca_hex_decode(hex, octets, sizeof(octets), &len, NULL), CA_OK);
    ca_buf_append(out, octets, len);
}

static void append_oid(struct ca_buf *out, const char *dotted)
{
    size_t mark = out->len;

    assert_int_equal(ca_der_oid_parse(dotted, out, NULL), CA_OK);
    ca_der_wrap(out, mark, CA_DER_OID);
}

static void append_extension(struct ca_buf *out, const char *oid, bool critical, const char *hex)
{
    static const uint8_t yes[] = { CA_DER_BOOLEAN, 1, 0xff };
    size_t mark = out->len, value;

    append_oid(out, oid);
    if (critical) ca_buf_append(out, yes, sizeof(yes));
    value = out->len;
    append_hex(out, hex);
    ca_der_wrap(out, value, CA_DER_OCTET_STRING);
    ca_der_wrap(out, mark, CA_DER_SEQUENCE);
}

/* Extensions: the SAN somewhere among up to SOUP_MAX others of different types. */
static void append_soup(struct fixture *f, const char *san, bool san_critical, size_t count,
                        struct ca_buf *out)
{
    const char *used[SOUP_MAX];
    size_t used_count = 0, mark = out->len, san_at = pick(f, (uint32_t)count + 1);

    for (size_t i = 0; i <= count; i++) {
        const struct wish *wish = &wishes[pick(f, sizeof(wishes) / sizeof(wishes[0]))];
        bool seen = false;

        if (i == san_at && san != NULL) append_extension(out, "2.5.29.17", san_critical, san);
        if (i == count) break;
        for (size_t k = 0; k < used_count; k++) seen = seen || strcmp(used[k], wish->oid) == 0;
        if (seen) continue;
        used[used_count++] = wish->oid;
        append_extension(out, wish->oid, pick(f, 2) == 0, wish->value);
    }
    if (out->len > mark) ca_der_wrap(out, mark, CA_DER_SEQUENCE);
}

/* The request's attributes: the extensions under one of their two types, in the order of a SET. */
static void append_attributes(struct fixture *f, const struct ca_buf *extensions, bool soup,
                              struct ca_buf *out)
{
    bool microsoft = soup && pick(f, 4) == 0;
    bool password = soup && pick(f, 4) == 0;
    size_t mark = out->len, at = out->len;

    if (extensions->len > 0 && !microsoft) {
        append_oid(out, "1.2.840.113549.1.9.14");
        ca_buf_append_bytes(out, ca_buf_view(extensions));
        ca_der_wrap(out, out->len - extensions->len, CA_DER_SET);
        ca_der_wrap(out, at, CA_DER_SEQUENCE);
    }
    /* A shorter one comes first: its length octet is the smaller. */
    if (password && (microsoft || extensions->len == 0)) {
        at = out->len;
        append_oid(out, "1.2.840.113549.1.9.7");
        append_hex(out, "31050c03616263");
        ca_der_wrap(out, at, CA_DER_SEQUENCE);
    }
    if (extensions->len > 0 && microsoft) {
        at = out->len;
        append_oid(out, "1.3.6.1.4.1.311.2.1.14");
        ca_buf_append_bytes(out, ca_buf_view(extensions));
        ca_der_wrap(out, out->len - extensions->len, CA_DER_SET);
        ca_der_wrap(out, at, CA_DER_SEQUENCE);
    }
    ca_der_wrap(out, mark, CA_DER_CONTEXT_CONSTRUCTED(0));
}

static void build_request(struct fixture *f, const char *san, bool san_critical, size_t soup,
                          struct ca_buf *out)
{
    struct ca_buf extensions;
    size_t info, whole;

    ca_buf_init(&extensions, 65536);
    append_soup(f, san, san_critical, soup, &extensions);
    ca_buf_reset(out);
    whole = info = out->len;
    append_hex(out, "020100" "300d310b3009060355040b0c0278" "79");
    ca_buf_append(out, f->spki, f->spki_len);
    append_attributes(f, &extensions, soup > 0, out);
    ca_der_wrap(out, info, CA_DER_SEQUENCE);
    append_hex(out, "300a06082a8648ce3d040302" "0309003006020101020101");
    ca_der_wrap(out, whole, CA_DER_SEQUENCE);
    assert_int_equal(out->failed, CA_OK);
    ca_buf_clear(&extensions);
}

/* ---- what is made of it ---- */

/* The finished TBS for a request, or the refusal. */
static enum ca_status issue(struct fixture *f, const struct ca_profile *profile,
                            struct ca_bytes der, struct ca_buf *out, struct ca_cert_slot *slot,
                            struct ca_contents *contents, struct ca_error *err)
{
    static const struct ca_serial serial = { .len = 18, .octets = { 1, 0x90, 3 } };
    struct ca_request request;
    struct ca_ask ask = { .request = &request };
    struct ca_tbs_input input = { .request = &request, .contents = contents, .serial = &serial,
                                  .not_before_s = 1800000000, .not_after_s = 1800086400 };
    enum ca_status st = ca_request_parse(der, 0, &request, err);

    ca_arena_reset(&f->arena);
    ca_buf_reset(out);
    if (st == CA_OK)
        st = ca_policy_check(f->policy, profile, &ask, &f->arena, contents, err);
    if (st == CA_OK) st = ca_profile_build(profile, &input, out, slot, err);
    if (st == CA_OK)
        st = ca_lint(profile, &input, ca_bytes_of(out->data + slot->tbs_offset, slot->tbs_len),
                     err);
    return st;
}

/* OpenSSL's opinion of the same octets, with a signature that is none. */
static void assert_no_ca(const struct ca_profile *profile, struct ca_buf *out,
                         struct ca_cert_slot *slot)
{
    static const uint8_t none[70] = { 0 };
    const unsigned char *at;
    X509 *x;

    ca_profile_finish(profile, out, slot, ca_bytes_of(none, sizeof(none)));
    at = out->data + slot->der_offset;
    x = d2i_X509(NULL, &at, (long)slot->der_len);
    assert_non_null(x);
    if (ca_profile_template(profile)->kind == CA_TEMPLATE_END_ENTITY) {
        assert_int_equal(X509_check_ca(x), 0);
        assert_int_equal(X509_get_key_usage(x) != UINT32_MAX &&
                         (X509_get_key_usage(x) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0, 0);
        assert_int_equal(X509_get_ext_by_NID(x, NID_name_constraints, -1), -1);
    } else {
        assert_int_equal(X509_get_pathlen(x), ca_profile_template(profile)->path_len);
    }
    assert_int_equal(X509_get_ext_by_NID(x, NID_ct_precert_poison, -1), -1);
    X509_free(x);
}

static struct ca_issuer *make_issuer(struct ca_crypto *crypto)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *x = X509_new();
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                                              "critical,CA:TRUE");
    struct ca_issuer *issuer = NULL;
    uint8_t *der = NULL;
    int len;

    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), 1700000000));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), 2500000000));
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                                (const unsigned char *)"CA", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(x)), 1);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_int_equal(X509_add_ext(x, ext, -1), 1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    len = i2d_X509(x, &der);
    assert_true(len > 0);
    assert_int_equal(ca_issuer_new(crypto, ca_bytes_of(der, (size_t)len), ca_bytes_of(NULL, 0),
                                   &issuer, NULL), CA_OK);
    OPENSSL_free(der);
    X509_EXTENSION_free(ext);
    X509_free(x);
    EVP_PKEY_free(key);
    return issuer;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    f->random = UINT64_C(0x9e3779b97f4a7c15);
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    assert_int_equal(ca_policy_new(f->crypto, &f->policy, NULL), CA_OK);
    ca_arena_init(&f->arena, 65536, 1 << 20);
    f->issuer = make_issuer(f->crypto);
    f->profiles = calloc(ca_template_count(), sizeof(struct ca_profile *));
    for (size_t i = 0; i < ca_template_count(); i++) {
        const struct ca_template *tmpl = ca_template_at(i);
        struct ca_profile_spec spec = {
            .tmpl = tmpl, .issuer = tmpl->kind == CA_TEMPLATE_ROOT_CA ? NULL : f->issuer,
            .issuer_key = CA_KEY_EC_P256, .sig_alg = CA_SIG_ECDSA_SHA256,
            .validity = { CA_VALIDITY_DAYS, 1 },
        };

        assert_int_equal(ca_profile_new(&spec, &f->profiles[i], NULL), CA_OK);
    }
    f->spki_len = (size_t)i2d_PUBKEY(key, &f->spki);
    EVP_PKEY_free(key);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ca_template_count(); i++) ca_profile_free(f->profiles[i]);
    free(f->profiles);
    OPENSSL_free(f->spki);
    ca_issuer_free(f->issuer);
    ca_arena_clear(&f->arena);
    ca_policy_free(f->policy);
    ca_crypto_free(f->crypto);
    free(f);
    return 0;
}

static void whatever_a_request_asks_the_certificate_is_the_templates(void **state)
{
    struct fixture *f = *state;
    const char *asked = getenv("CERTMILL_SMUGGLING");
    unsigned long count = asked != NULL ? strtoul(asked, NULL, 10) : COUNT_DEFAULT;
    unsigned long same = 0, passed = 0, refused = 0, unread = 0;
    struct ca_buf request, bare, out, wanted;

    ca_buf_init(&request, 65536);
    ca_buf_init(&bare, 65536);
    ca_buf_init(&out, 1 << 17);
    ca_buf_init(&wanted, 1 << 17);
    for (unsigned long i = 0; i < count; i++) {
        const struct ca_profile *profile = f->profiles[pick(f, (uint32_t)ca_template_count())];
        const char *san = sans[pick(f, sizeof(sans) / sizeof(sans[0]))];
        bool critical = pick(f, 4) == 0;
        struct ca_cert_slot slot, wanted_slot;
        struct ca_contents contents;
        struct ca_error err;
        enum ca_status st;

        build_request(f, san, critical, 1 + pick(f, SOUP_MAX), &request);
        st = issue(f, profile, ca_buf_view(&request), &out, &slot, &contents, &err);
        if (st != CA_OK) {
            /* Soup can be too hot for the reader; where nothing passes that is all it can be. */
            if ((ca_profile_template(profile)->passthrough & CA_FROM_CSR) == 0) unread++;
            else refused++;
            assert_true(ca_status_is_request(st));
            if ((ca_profile_template(profile)->passthrough & CA_FROM_CSR) == 0 &&
                err.reason != CA_REASON_BAD_DER && err.reason != CA_REASON_BAD_EXTENSIONS &&
                err.reason != CA_REASON_BAD_SAN)
                fail_msg("%s: %s", ca_profile_template(profile)->name, err.text);
            continue;
        }
        if ((ca_profile_template(profile)->passthrough & CA_FROM_CSR) != 0) {
            assert_no_ca(profile, &out, &slot);
            passed++;
            continue;
        }
        build_request(f, san, critical, 0, &bare);
        assert_int_equal(issue(f, profile, ca_buf_view(&bare), &wanted, &wanted_slot, &contents,
                               &err), CA_OK);
        assert_int_equal(slot.tbs_len, wanted_slot.tbs_len);
        assert_memory_equal(out.data + slot.tbs_offset, wanted.data + wanted_slot.tbs_offset,
                            slot.tbs_len);
        assert_no_ca(profile, &out, &slot);
        same++;
    }
    printf("%lu the same as bare, %lu with what may pass, %lu refused, %lu unreadable\n", same,
           passed, refused, unread);
    assert_true(same > count / 4);
    assert_true(passed > count / 100);
    ca_buf_clear(&request);
    ca_buf_clear(&bare);
    ca_buf_clear(&out);
    ca_buf_clear(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_a_request_asks_the_certificate_is_the_templates,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
