/*
 * The lint. OpenSSL's X509 API, which engine never uses for this, makes certificates that are right
 * in every octet; then one thing at a time is made wrong.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ext.h"
#include "engine/lint.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CA_FROM INT64_C(1767225600)         /* 2026-01-01T00:00:00Z */
#define CA_UNTIL INT64_C(2840140800)        /* 2060-01-01T00:00:00Z */
#define FROM INT64_C(1780000000)            /* 2026-05-28T20:26:40Z */
#define DAY INT64_C(86400)
#define TBS_MAX 8192

/* What all certificates of the tests share. */
struct fixture {
    struct ca_crypto *crypto;
    EVP_PKEY *ca_key, *key, *other_key, *rsa_key;
    X509 *ca;
    struct ca_issuer *issuer;
};

/* One certificate: what was asked, and what OpenSSL made of it. */
struct world {
    struct fixture *f;
    struct ca_template tmpl;
    struct ca_revocation revocation;
    struct ca_profile_spec spec;
    struct ca_profile *profile;
    struct ca_request request;
    struct ca_contents contents;
    struct ca_serial serial;
    struct ca_tbs_input input;
    EVP_PKEY *key;
    uint8_t *spki, *subject;
    struct ca_buf extra, own, san;          /* octets that the views above show */
    X509 *x;
};

/* Making certificates */

static X509_NAME *make_name(const char *common_name)
{
    X509_NAME *name = X509_NAME_new();

    assert_non_null(name);
    if (common_name == NULL) return name;
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                                (const unsigned char *)"Widgets", -1, -1, 0), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)common_name, -1, -1, 0), 1);
    return name;
}

static X509_EXTENSION *make_extension(X509 *issuer, X509 *subject, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, subject, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (extension == NULL) fail_msg("OpenSSL cannot make %s %s", OBJ_nid2sn(nid), value);
    return extension;
}

static X509_EXTENSION *make_raw(const char *oid, bool critical, const void *value, size_t len)
{
    ASN1_OBJECT *type = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;

    assert_int_equal(ASN1_OCTET_STRING_set(octets, value, (int)len), 1);
    extension = X509_EXTENSION_create_by_OBJ(NULL, type, critical ? 1 : 0, octets);
    assert_non_null(extension);
    ASN1_OBJECT_free(type);
    ASN1_OCTET_STRING_free(octets);
    return extension;
}

static X509_EXTENSION *make_policies(void)
{
    static const uint8_t value[] = { 0x30, 8, 0x30, 6, 6, 4, 0x2a, 3, 4, 5 };

    return make_raw("2.5.29.32", false, value, sizeof(value));
}

static void append_extension(struct ca_buf *out, X509_EXTENSION *extension)
{
    uint8_t *der = NULL;
    int len = i2d_X509_EXTENSION(extension, &der);

    assert_true(len > 0);
    ca_buf_append(out, der, (size_t)len);
    OPENSSL_free(der);
}

/* Adds it at place loc (-1: the end) and drops it. */
static void put(X509 *x, X509_EXTENSION *extension, int loc)
{
    assert_int_equal(X509_add_ext(x, extension, loc), 1);
    X509_EXTENSION_free(extension);
}

static void drop(X509 *x, int nid)
{
    int at = X509_get_ext_by_NID(x, nid, -1);

    assert_true(at >= 0);
    X509_EXTENSION_free(X509_delete_ext(x, at));
}

/* In its place, another one of the same type or of another. */
static void replace(X509 *x, int nid, X509_EXTENSION *with)
{
    int at = X509_get_ext_by_NID(x, nid, -1);

    assert_true(at >= 0);
    X509_EXTENSION_free(X509_delete_ext(x, at));
    put(x, with, at);
}

static void set_critical(X509 *x, int nid, int critical)
{
    X509_EXTENSION *extension = X509_get_ext(x, X509_get_ext_by_NID(x, nid, -1));

    assert_non_null(extension);
    assert_int_equal(X509_EXTENSION_set_critical(extension, critical), 1);
}

static X509 *make_ca(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = make_name("Authority");

    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 7), 1);
    assert_int_equal(X509_set_issuer_name(x, name), 1);
    assert_int_equal(X509_set_subject_name(x, name), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), CA_FROM));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), CA_UNTIL));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    put(x, make_extension(NULL, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:2"), -1);
    put(x, make_extension(NULL, x, NID_subject_key_identifier, "hash"), -1);
    put(x, make_extension(NULL, x, NID_key_usage, "critical,keyCertSign,cRLSign"), -1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    X509_NAME_free(name);
    return x;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    uint8_t *der = NULL;
    int len;

    assert_non_null(f);
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    f->ca_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    f->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    f->other_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    f->rsa_key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    f->ca = make_ca(f->ca_key);
    len = i2d_X509(f->ca, &der);
    assert_true(len > 0);
    assert_int_equal(ca_issuer_new(f->crypto, ca_bytes_of(der, (size_t)len), ca_bytes_of(NULL, 0),
                                   &f->issuer, NULL), CA_OK);
    OPENSSL_free(der);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ca_issuer_free(f->issuer);
    X509_free(f->ca);
    EVP_PKEY_free(f->ca_key);
    EVP_PKEY_free(f->key);
    EVP_PKEY_free(f->other_key);
    EVP_PKEY_free(f->rsa_key);
    ca_crypto_free(f->crypto);
    free(f);
    return 0;
}

/* The world before its certificate is made: template, names, key. */
static void world_begin(struct world *w, struct fixture *f, const char *template_name,
                        EVP_PKEY *key, const char *common_name)
{
    const struct ca_template *tmpl = NULL;
    X509_PUBKEY *pubkey = NULL;
    X509_NAME *name = make_name(common_name);
    unsigned int id_len = 0;
    int len;

    memset(w, 0, sizeof(*w));
    w->f = f;
    w->key = key;
    assert_int_equal(ca_template_find(template_name, &tmpl, NULL), CA_OK);
    w->tmpl = *tmpl;
    ca_buf_init(&w->extra, TBS_MAX);
    ca_buf_init(&w->own, TBS_MAX);
    ca_buf_init(&w->san, TBS_MAX);
    assert_int_equal(X509_PUBKEY_set(&pubkey, key), 1);
    len = i2d_X509_PUBKEY(pubkey, &w->spki);
    assert_true(len > 0);
    assert_int_equal(ca_spki_parse(ca_bytes_of(w->spki, (size_t)len), &w->request.key, NULL),
                     CA_OK);
    assert_int_equal(EVP_Digest(w->request.key.key.data, w->request.key.key.len,
                                w->contents.subject_key_id, &id_len, EVP_sha1(), NULL), 1);
    len = i2d_X509_NAME(name, &w->subject);
    w->contents.subject = ca_bytes_of(w->subject, (size_t)len);
    w->contents.subject_empty = common_name == NULL;
    w->serial = (struct ca_serial){ .len = 18, .octets = { 0x01, 0x9c, 0x44, 0x80, 5 } };
    w->input = (struct ca_tbs_input){ .request = &w->request, .contents = &w->contents,
                                      .serial = &w->serial, .not_before_s = FROM,
                                      .not_after_s = FROM + 365 * DAY };
    w->spec = (struct ca_profile_spec){ .tmpl = &w->tmpl, .issuer = f->issuer,
                                        .issuer_key = CA_KEY_EC_P256,
                                        .sig_alg = CA_SIG_ECDSA_SHA256,
                                        .validity = { CA_VALIDITY_DAYS, 365 } };
    X509_PUBKEY_free(pubkey);
    X509_NAME_free(name);
}

static void world_names(struct world *w, const char *san, bool critical)
{
    X509_EXTENSION *extension = make_extension(NULL, NULL, NID_subject_alt_name, san);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);

    ca_buf_append(&w->san, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    w->contents.has_san = true;
    w->contents.san_critical = critical;
    w->contents.san = ca_buf_view(&w->san);
    X509_EXTENSION_free(extension);
}

/* Extensions that passed, and that the template adds: more calls, more of them. */
static void world_extra(struct world *w, X509_EXTENSION *extension)
{
    append_extension(&w->extra, extension);
    w->contents.extra = ca_buf_view(&w->extra);
    X509_EXTENSION_free(extension);
}

static void world_own(struct world *w, X509_EXTENSION *extension)
{
    append_extension(&w->own, extension);
    w->tmpl.extensions = ca_buf_view(&w->own);
    X509_EXTENSION_free(extension);
}

static void put_list(X509 *x, struct ca_bytes list)
{
    const uint8_t *at = list.data;
    size_t left = list.len;

    while (left > 0) {
        const uint8_t *begin = at;
        X509_EXTENSION *extension = d2i_X509_EXTENSION(NULL, &at, (long)left);

        assert_non_null(extension);
        left -= (size_t)(at - begin);
        put(x, extension, -1);
    }
}

/* OpenSSL's words for a template's bits. */
static void put_usages(struct world *w)
{
    static const char *const usages[] = { "digitalSignature", "nonRepudiation", "keyEncipherment",
                                          "dataEncipherment", "keyAgreement", "keyCertSign",
                                          "cRLSign", "encipherOnly", "decipherOnly" };
    static const char *const purposes[] = { "serverAuth", "clientAuth", "codeSigning",
                                            "OCSPSigning" };
    char text[300] = "critical", eku[300] = "";

    for (int i = 0; i < 9; i++) {
        if ((w->tmpl.key_usage >> i & 1) == 0) continue;
        strcat(text, ",");
        strcat(text, usages[i]);
    }
    if (w->tmpl.key_usage != 0)
        put(w->x, make_extension(NULL, NULL, NID_key_usage, text), -1);
    if (w->tmpl.eku_critical) strcat(eku, "critical");
    for (int i = 0; i < 4; i++) {
        if ((w->tmpl.eku >> i & 1) == 0) continue;
        if (eku[0] != '\0') strcat(eku, ",");
        strcat(eku, purposes[i]);
    }
    if (w->tmpl.eku != 0) put(w->x, make_extension(NULL, NULL, NID_ext_key_usage, eku), -1);
}

/* cdp and ocsp: OpenSSL's words, or NULL. */
static void world_make(struct world *w, const char *cdp, const char *ocsp, const char *freshest)
{
    BIGNUM *serial = BN_bin2bn(w->serial.octets, w->serial.len, NULL);
    const uint8_t *at = w->subject;
    X509_NAME *subject = d2i_X509_NAME(NULL, &at, (long)w->contents.subject.len);
    char constraints[60];
    struct ca_error err;
    X509 *x = X509_new();

    if (ca_profile_new(&w->spec, &w->profile, &err) != CA_OK) fail_msg("%s", err.text);
    w->x = x;
    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_non_null(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)));
    assert_int_equal(X509_set_subject_name(x, subject), 1);
    assert_int_equal(X509_set_issuer_name(x, w->spec.issuer == NULL
                                                 ? subject : X509_get_subject_name(w->f->ca)), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), w->input.not_before_s));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), w->input.not_after_s));
    assert_int_equal(X509_set_pubkey(x, w->key), 1);
    (void)snprintf(constraints, sizeof(constraints), "%sCA:%s",
                   w->tmpl.basic_constraints_critical ? "critical," : "",
                   w->tmpl.kind == CA_TEMPLATE_END_ENTITY ? "FALSE" : "TRUE");
    if (w->tmpl.path_len >= 0 && w->tmpl.kind != CA_TEMPLATE_END_ENTITY)
        (void)snprintf(constraints + strlen(constraints), 20, ",pathlen:%d", w->tmpl.path_len);
    put(x, make_extension(NULL, NULL, NID_basic_constraints, constraints), -1);
    if (w->spec.issuer != NULL)
        put(x, make_extension(w->f->ca, x, NID_authority_key_identifier, "keyid:always"), -1);
    put(x, make_extension(NULL, x, NID_subject_key_identifier, "hash"), -1);
    put_usages(w);
    if (cdp != NULL) put(x, make_extension(NULL, NULL, NID_crl_distribution_points, cdp), -1);
    if (ocsp != NULL) put(x, make_extension(NULL, NULL, NID_info_access, ocsp), -1);
    if (freshest != NULL) put(x, make_extension(NULL, NULL, NID_freshest_crl, freshest), -1);
    put_list(x, w->tmpl.extensions);
    put_list(x, w->contents.extra);
    if (w->contents.has_san)
        put(x, make_raw("2.5.29.17", w->contents.san_critical, w->san.data, w->san.len), -1);
    /* Signing sets the algorithm inside; the key does not matter here. */
    assert_true(X509_sign(x, w->spec.issuer == NULL ? w->key : w->f->ca_key, EVP_sha256()) > 0);
    BN_free(serial);
    X509_NAME_free(subject);
}

static void world_end(struct world *w)
{
    X509_free(w->x);
    ca_profile_free(w->profile);
    OPENSSL_free(w->spki);
    OPENSSL_free(w->subject);
    ca_buf_clear(&w->extra);
    ca_buf_clear(&w->own);
    ca_buf_clear(&w->san);
}

/* Judging */

static size_t tbs_of(struct world *w, uint8_t out[TBS_MAX])
{
    uint8_t *at = out;
    int len = i2d_re_X509_tbs(w->x, NULL);

    assert_true(len > 0 && len < TBS_MAX);
    assert_int_equal(i2d_re_X509_tbs(w->x, &at), len);
    return (size_t)len;
}

/* In memory of exactly its size, for the sanitizers. */
static enum ca_status lint_octets(const struct world *w, const uint8_t *tbs, size_t len,
                                  struct ca_error *err)
{
    uint8_t *exact = malloc(len == 0 ? 1 : len);
    enum ca_status st;

    assert_non_null(exact);
    if (len > 0) memcpy(exact, tbs, len);
    st = ca_lint(w->profile, &w->input, ca_bytes_of(exact, len), err);
    free(exact);
    return st;
}

static void expect_octets(const struct world *w, const uint8_t *tbs, size_t len,
                          enum ca_reason reason, const char *what)
{
    struct ca_error err = { .status = CA_OK };
    enum ca_status st = lint_octets(w, tbs, len, &err);

    if (reason == CA_REASON_NONE) {
        if (st != CA_OK) fail_msg("%s: %s: %s", what, ca_reason_code(err.reason), err.text);
        return;
    }
    if (st == CA_OK) fail_msg("%s: passed", what);
    assert_int_equal(st, CA_REFUSED);
    if (err.reason != reason)
        fail_msg("%s: %s (%s), not %s", what, ca_reason_code(err.reason), err.text,
                 ca_reason_code((uint16_t)reason));
    /* The sentence begins with the rule. */
    if (strncmp(err.text, "RFC ", 4) != 0 && strncmp(err.text, "X.690 ", 6) != 0 &&
        strncmp(err.text, "template: ", 10) != 0 && strncmp(err.text, "usage mode: ", 12) != 0)
        fail_msg("%s: %s", what, err.text);
    assert_int_equal(ca_lint(w->profile, &w->input, ca_bytes_of(tbs, len), NULL), CA_REFUSED);
}

static void expect(struct world *w, enum ca_reason reason, const char *what)
{
    uint8_t tbs[TBS_MAX];
    size_t len = tbs_of(w, tbs);

    expect_octets(w, tbs, len, reason, what);
}

/* The certificates */

static void make_device(struct world *w, struct fixture *f)
{
    world_begin(w, f, "EndEntityCertificate", f->key, "device-000001");
    world_names(w, "DNS:device-000001.example.com", false);
    world_make(w, NULL, NULL, NULL);
}

static void make_plain_rsa(struct world *w, struct fixture *f)
{
    world_begin(w, f, "OCSPSigningCertificate", f->rsa_key, "responder");
    w->input.not_after_s = INT64_C(2524608000);     /* 2050-01-01: GeneralizedTime */
    world_make(w, NULL, NULL, NULL);
}

static void make_pointers(struct world *w, struct fixture *f)
{
    world_begin(w, f, "EndEntityServerAuthCertificate", f->key, "server");
    w->revocation = (struct ca_revocation){ .crl_enabled = true, .crl_partitioned = true,
                                            .ocsp_enabled = true, .delta_enabled = true,
                                            .cdp_uri = "http://crl.example/crl/u/000000.crl",
                                            .freshest_uri =
                                                "http://crl.example/crl/u/000000-delta.crl",
                                            .ocsp_uri = "http://ocsp.example" };
    w->spec.revocation = &w->revocation;
    w->input.scope = 120301;
    world_make(w, "URI:http://crl.example/crl/u/120301.crl", "OCSP;URI:http://ocsp.example",
               "URI:http://crl.example/crl/u/120301-delta.crl");
}

static void make_complete_crl(struct world *w, struct fixture *f)
{
    world_begin(w, f, "EndEntityServerAuthCertificate", f->key, "server");
    w->revocation = (struct ca_revocation){ .crl_enabled = true,
                                            .cdp_uri = "http://crl.example/crl/000000.crl" };
    w->spec.revocation = &w->revocation;
    world_make(w, "URI:http://crl.example/crl/000000.crl", NULL, NULL);
}

static void make_subordinate(struct world *w, struct fixture *f)
{
    world_begin(w, f, "SubordinateCACertificate_PathLen1", f->key, "Below");
    world_extra(w, make_extension(NULL, NULL, NID_name_constraints,
                                  "critical,permitted;DNS:example.com"));
    world_extra(w, make_extension(NULL, NULL, NID_policy_constraints,
                                  "critical,requireExplicitPolicy:0"));
    world_extra(w, make_extension(NULL, NULL, NID_inhibit_any_policy, "critical,0"));
    world_make(w, NULL, NULL, NULL);
}

static void make_root(struct world *w, struct fixture *f)
{
    world_begin(w, f, "RootCACertificate", f->key, "Root");
    w->spec.issuer = NULL;
    world_make(w, NULL, NULL, NULL);
}

static void make_root_with_key_id(struct world *w, struct fixture *f)
{
    uint8_t value[24] = { 0x30, 22, 0x80, 20 };

    world_begin(w, f, "RootCACertificate_APIPassthrough", f->key, "Root");
    w->spec.issuer = NULL;
    memcpy(value + 4, w->contents.subject_key_id, 20);
    world_extra(w, make_raw("2.5.29.35", false, value, sizeof(value)));
    world_make(w, NULL, NULL, NULL);
}

/* What users and requests may add. */
static void make_blank(struct world *w, struct fixture *f)
{
    static const uint8_t null[] = { 5, 0 };

    world_begin(w, f, "BlankEndEntityCertificate_APICSRPassthrough", f->key, "thing");
    world_own(w, make_raw("2.5.29.56", false, null, sizeof(null)));
    world_own(w, make_raw("1.2.3.4", true, null, sizeof(null)));
    world_extra(w, make_policies());
    world_extra(w, make_extension(NULL, NULL, NID_key_usage,
                                  "critical,digitalSignature,decipherOnly"));
    world_extra(w, make_extension(NULL, NULL, NID_ext_key_usage, "clientAuth"));
    world_extra(w, make_extension(NULL, NULL, NID_info_access,
                                  "caIssuers;URI:http://ca.example/ca.cer"));
    world_extra(w, make_raw("1.2.3.5", false, null, sizeof(null)));
    world_names(w, "DNS:a.example,IP:192.0.2.1", true);
    world_make(w, NULL, NULL, NULL);
}

static void make_nameless(struct world *w, struct fixture *f)
{
    world_begin(w, f, "EndEntityClientAuthCertificate", f->key, NULL);
    world_names(w, "URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true);
    world_make(w, NULL, NULL, NULL);
}

static void make_more_purposes(struct world *w, struct fixture *f)
{
    static const uint8_t more[] = { 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 17 };

    world_begin(w, f, "EndEntityServerAuthCertificate", f->key, "server");
    w->tmpl.eku_more = ca_bytes_of(more, sizeof(more));
    world_make(w, NULL, NULL, NULL);
    replace(w->x, NID_ext_key_usage,
            make_extension(NULL, NULL, NID_ext_key_usage, "serverAuth,1.3.6.1.5.5.7.3.17"));
}

static void (*const makers[])(struct world *w, struct fixture *f) = {
    make_device,   make_plain_rsa,        make_pointers, make_complete_crl, make_subordinate,
    make_root,     make_root_with_key_id, make_blank,    make_nameless,     make_more_purposes,
};
#define MAKERS (sizeof(makers) / sizeof(makers[0]))

static void certificates_that_openssl_made_right_pass(void **state)
{
    for (size_t i = 0; i < MAKERS; i++) {
        struct world w;
        char what[40];

        (void)snprintf(what, sizeof(what), "certificate %zu", i);
        makers[i](&w, *state);
        expect(&w, CA_REASON_NONE, what);
        world_end(&w);
    }
}

static void certificates_that_we_build_pass(void **state)
{
    for (size_t i = 0; i < MAKERS; i++) {
        struct ca_cert_slot slot = { .offset = 0 };
        uint8_t tbs[TBS_MAX];
        struct ca_buf arena;
        struct world w;

        makers[i](&w, *state);
        ca_buf_init(&arena, 65536);
        assert_int_equal(ca_profile_build(w.profile, &w.input, &arena, &slot, NULL), CA_OK);
        expect_octets(&w, arena.data + slot.tbs_offset, slot.tbs_len, CA_REASON_NONE, "ours");
        assert_int_equal(tbs_of(&w, tbs), slot.tbs_len);
        assert_memory_equal(tbs, arena.data + slot.tbs_offset, slot.tbs_len);
        ca_buf_clear(&arena);
        world_end(&w);
    }
}

/* One thing wrong in the certificate */

static void wrong_version(struct world *w) { assert_int_equal(X509_set_version(w->x, 1), 1); }
static void no_version(struct world *w) { assert_int_equal(X509_set_version(w->x, 0), 1); }

static void serial_of(struct world *w, const char *hex)
{
    BIGNUM *number = NULL;

    assert_true(BN_hex2bn(&number, hex) > 0);
    assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(w->x)));
    BN_free(number);
}

static void other_serial(struct world *w) { serial_of(w, "019c448006"); }
static void zero_serial(struct world *w) { serial_of(w, "0"); }
static void negative_serial(struct world *w) { serial_of(w, "-5"); }

static void long_serial(struct world *w)
{
    w->serial.len = 20;     /* with its zero octet 21 */
    memset(w->serial.octets, 0x80, 20);
    serial_of(w, "8080808080808080808080808080808080808080");
}

static X509_ALGOR *algorithm(struct world *w)
{
    union {
        const X509_ALGOR *in;
        X509_ALGOR *out;
    } same = { .in = X509_get0_tbs_sigalg(w->x) };

    return same.out;
}

static void other_algorithm(struct world *w)
{
    assert_int_equal(X509_ALGOR_set0(algorithm(w), OBJ_nid2obj(NID_ecdsa_with_SHA384),
                                     V_ASN1_UNDEF, NULL), 1);
}

static void parameters_of_algorithm(struct world *w)
{
    assert_int_equal(X509_ALGOR_set0(algorithm(w), OBJ_nid2obj(NID_ecdsa_with_SHA256), V_ASN1_NULL,
                                     NULL), 1);
}

static void set_name(struct world *w, const char *common_name, bool issuer)
{
    X509_NAME *name = make_name(common_name);

    assert_int_equal(issuer ? X509_set_issuer_name(w->x, name)
                            : X509_set_subject_name(w->x, name), 1);
    X509_NAME_free(name);
}

static void other_issuer(struct world *w) { set_name(w, "Authoritx", true); }
static void no_issuer(struct world *w) { set_name(w, NULL, true); }
static void other_subject(struct world *w) { set_name(w, "device-000002", false); }
static void no_subject(struct world *w) { set_name(w, NULL, false); }

/* The same characters in another string type are another name. */
static void issuer_of_another_string_type(struct world *w)
{
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", V_ASN1_PRINTABLESTRING,
                                                (const unsigned char *)"Widgets", -1, -1, 0), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_PRINTABLESTRING,
                                                (const unsigned char *)"Authority", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(w->x, name), 1);
    X509_NAME_free(name);
}

static void other_begin(struct world *w)
{
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(w->x), FROM + 1));
}

static void other_end(struct world *w)
{
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(w->x), FROM + 366 * DAY));
}

static void set_time(ASN1_TIME *time, int type, const char *text)
{
    assert_int_equal(ASN1_STRING_set(time, text, -1), 1);
    time->type = type;
}

static void generalized_time_too_early(struct world *w)
{
    set_time(X509_getm_notBefore(w->x), V_ASN1_GENERALIZEDTIME, "20260528202640Z");
}

static void utc_time_too_late(struct world *w)
{
    set_time(X509_getm_notAfter(w->x), V_ASN1_UTCTIME, "500101000000Z");
}

static void time_without_seconds(struct world *w)
{
    set_time(X509_getm_notBefore(w->x), V_ASN1_UTCTIME, "2605282026Z");
}

static void time_with_offset(struct world *w)
{
    set_time(X509_getm_notBefore(w->x), V_ASN1_UTCTIME, "260528202640+0000");
}

static void no_date(struct world *w)
{
    set_time(X509_getm_notBefore(w->x), V_ASN1_UTCTIME, "261328202640Z");
}

static void other_key(struct world *w)
{
    assert_int_equal(X509_set_pubkey(w->x, w->f->other_key), 1);
}

/* The extensions */

static void no_basic_constraints(struct world *w) { drop(w->x, NID_basic_constraints); }

static void ca_true(struct world *w)
{
    replace(w->x, NID_basic_constraints,
            make_extension(NULL, NULL, NID_basic_constraints, "CA:TRUE"));
}

/* cA FALSE written out is no DER (X.690 11.5). */
static void ca_false_written_out(struct world *w)
{
    static const uint8_t value[] = { 0x30, 3, 1, 1, 0 };

    replace(w->x, NID_basic_constraints, make_raw("2.5.29.19", false, value, sizeof(value)));
}

static void path_length_of_an_end_entity(struct world *w)
{
    static const uint8_t value[] = { 0x30, 3, 2, 1, 0 };

    replace(w->x, NID_basic_constraints, make_raw("2.5.29.19", false, value, sizeof(value)));
}

static void critical_basic_constraints(struct world *w)
{
    set_critical(w->x, NID_basic_constraints, 1);
}

static void basic_constraints_not_critical(struct world *w)
{
    set_critical(w->x, NID_basic_constraints, 0);
}

static void other_path_length(struct world *w)
{
    replace(w->x, NID_basic_constraints,
            make_extension(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
}

static void no_path_length(struct world *w)
{
    replace(w->x, NID_basic_constraints,
            make_extension(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE"));
}

static void ca_false(struct world *w)
{
    replace(w->x, NID_basic_constraints,
            make_extension(NULL, NULL, NID_basic_constraints, "critical,CA:FALSE"));
}

static void no_authority_key_id(struct world *w) { drop(w->x, NID_authority_key_identifier); }

static void authority_key_id_of_another(struct world *w)
{
    static const uint8_t value[24] = { 0x30, 22, 0x80, 20, 1, 2, 3 };

    replace(w->x, NID_authority_key_identifier,
            make_raw("2.5.29.35", false, value, sizeof(value)));
}

static void authority_key_id_with_serial(struct world *w)
{
    replace(w->x, NID_authority_key_identifier,
            make_extension(w->f->ca, w->x, NID_authority_key_identifier,
                           "keyid:always,issuer:always"));
}

static void critical_authority_key_id(struct world *w)
{
    set_critical(w->x, NID_authority_key_identifier, 1);
}

static void no_subject_key_id(struct world *w) { drop(w->x, NID_subject_key_identifier); }

static void subject_key_id_of_another(struct world *w)
{
    replace(w->x, NID_subject_key_identifier,
            make_extension(NULL, w->f->ca, NID_subject_key_identifier, "hash"));
}

static void critical_subject_key_id(struct world *w)
{
    set_critical(w->x, NID_subject_key_identifier, 1);
}

static void key_ids_the_other_way_round(struct world *w)
{
    X509_EXTENSION *first = X509_delete_ext(w->x, 1);

    put(w->x, first, 2);
}

static void no_key_usage(struct world *w) { drop(w->x, NID_key_usage); }

static void more_key_usage(struct world *w)
{
    replace(w->x, NID_key_usage,
            make_extension(NULL, NULL, NID_key_usage,
                           "critical,digitalSignature,keyEncipherment,dataEncipherment"));
}

static void cert_sign_of_an_end_entity(struct world *w)
{
    replace(w->x, NID_key_usage,
            make_extension(NULL, NULL, NID_key_usage, "critical,digitalSignature,keyCertSign"));
}

static void key_usage_not_minimal(struct world *w)
{
    static const uint8_t value[] = { 3, 2, 4, 0xa0 };       /* 5 bits are used, 3 would do */

    replace(w->x, NID_key_usage, make_raw("2.5.29.15", true, value, sizeof(value)));
}

static void key_usage_not_critical(struct world *w) { set_critical(w->x, NID_key_usage, 0); }

static void no_purposes(struct world *w) { drop(w->x, NID_ext_key_usage); }

static void fewer_purposes(struct world *w)
{
    replace(w->x, NID_ext_key_usage, make_extension(NULL, NULL, NID_ext_key_usage, "serverAuth"));
}

static void purposes_in_another_order(struct world *w)
{
    replace(w->x, NID_ext_key_usage,
            make_extension(NULL, NULL, NID_ext_key_usage, "clientAuth,serverAuth"));
}

static void more_purposes(struct world *w)
{
    replace(w->x, NID_ext_key_usage,
            make_extension(NULL, NULL, NID_ext_key_usage, "serverAuth,clientAuth,codeSigning"));
}

static void critical_purposes(struct world *w) { set_critical(w->x, NID_ext_key_usage, 1); }
static void purposes_not_critical(struct world *w) { set_critical(w->x, NID_ext_key_usage, 0); }

static void other_names(struct world *w)
{
    replace(w->x, NID_subject_alt_name,
            make_extension(NULL, NULL, NID_subject_alt_name, "DNS:device-000002.example.com"));
}

static void one_name_more(struct world *w)
{
    replace(w->x, NID_subject_alt_name,
            make_extension(NULL, NULL, NID_subject_alt_name,
                           "DNS:device-000001.example.com,DNS:x.example"));
}

static void no_names(struct world *w) { drop(w->x, NID_subject_alt_name); }
static void critical_names(struct world *w) { set_critical(w->x, NID_subject_alt_name, 1); }
static void names_not_critical(struct world *w) { set_critical(w->x, NID_subject_alt_name, 0); }

static void names_that_nobody_asked_for(struct world *w)
{
    put(w->x, make_extension(NULL, NULL, NID_subject_alt_name, "DNS:x.example"), -1);
}

static void an_extension_at_the_end(struct world *w)
{
    put(w->x, make_policies(), -1);
}

static void an_extension_in_the_middle(struct world *w)
{
    put(w->x, make_policies(), 3);
}

static void an_extension_at_the_beginning(struct world *w)
{
    put(w->x, make_policies(), 0);
}

static void an_extension_twice(struct world *w)
{
    X509_EXTENSION *twin = X509_EXTENSION_dup(X509_get_ext(w->x, 2));

    put(w->x, twin, 3);
}

static void poison_at_the_end(struct world *w)
{
    static const uint8_t null[] = { 5, 0 };

    put(w->x, make_raw("1.3.6.1.4.1.11129.2.4.3", true, null, 2), -1);
}

static void a_pointer_nobody_configured(struct world *w)
{
    put(w->x, make_extension(NULL, NULL, NID_crl_distribution_points, "URI:http://x.example/"), 5);
}

static void no_extensions(struct world *w)
{
    while (X509_get_ext_count(w->x) > 0) X509_EXTENSION_free(X509_delete_ext(w->x, 0));
}

static void crl_of_another_scope(struct world *w)
{
    replace(w->x, NID_crl_distribution_points,
            make_extension(NULL, NULL, NID_crl_distribution_points,
                           "URI:http://crl.example/crl/u/120302.crl"));
}

static void crl_at_another_host(struct world *w)
{
    replace(w->x, NID_crl_distribution_points,
            make_extension(NULL, NULL, NID_crl_distribution_points,
                           "URI:http://crx.example/crl/u/120301.crl"));
}

static void two_uris_of_one_crl(struct world *w)
{
    replace(w->x, NID_crl_distribution_points,
            make_extension(NULL, NULL, NID_crl_distribution_points,
                           "URI:http://crl.example/crl/u/120301.crl,URI:http://x.example"));
}

static void critical_crl_pointer(struct world *w)
{
    set_critical(w->x, NID_crl_distribution_points, 1);
}

static void no_crl_pointer(struct world *w) { drop(w->x, NID_crl_distribution_points); }
static void no_ocsp_pointer(struct world *w) { drop(w->x, NID_info_access); }
static void no_delta_pointer(struct world *w) { drop(w->x, NID_freshest_crl); }
static void critical_delta_pointer(struct world *w) { set_critical(w->x, NID_freshest_crl, 1); }
static void critical_ocsp_pointer(struct world *w) { set_critical(w->x, NID_info_access, 1); }

static void delta_of_another_scope(struct world *w)
{
    replace(w->x, NID_freshest_crl,
            make_extension(NULL, NULL, NID_freshest_crl,
                           "URI:http://crl.example/crl/u/120300-delta.crl"));
}

static void other_responder(struct world *w)
{
    replace(w->x, NID_info_access,
            make_extension(NULL, NULL, NID_info_access, "OCSP;URI:http://ocsp.examplx"));
}

static void issuers_instead_of_ocsp(struct world *w)
{
    replace(w->x, NID_info_access,
            make_extension(NULL, NULL, NID_info_access, "caIssuers;URI:http://ocsp.example"));
}

static void passed_extensions_the_other_way_round(struct world *w)
{
    X509_EXTENSION *first = X509_delete_ext(w->x, X509_get_ext_by_NID(w->x, NID_ext_key_usage, -1));

    put(w->x, first, 5);
}

static void less_passed(struct world *w) { drop(w->x, NID_certificate_policies); }
static void less_of_the_template(struct world *w) { X509_EXTENSION_free(X509_delete_ext(w->x, 3)); }

#define BAD(maker, spoil, reason) { (maker), (spoil), CA_REASON_LINT_##reason, #spoil }

static void one_wrong_thing_in_a_certificate_is_refused(void **state)
{
    static const struct {
        void (*make)(struct world *w, struct fixture *f);
        void (*spoil)(struct world *w);
        enum ca_reason reason;
        const char *what;
    } cases[] = {
        BAD(make_device, wrong_version, VERSION),
        BAD(make_device, no_version, VERSION),
        BAD(make_device, other_serial, SERIAL),
        BAD(make_device, zero_serial, SERIAL),
        BAD(make_device, negative_serial, SERIAL),
        BAD(make_device, long_serial, SERIAL),
        BAD(make_device, other_algorithm, ALGORITHM),
        BAD(make_device, parameters_of_algorithm, ALGORITHM),
        BAD(make_device, other_issuer, ISSUER),
        BAD(make_device, no_issuer, ISSUER),
        BAD(make_device, issuer_of_another_string_type, ISSUER),
        BAD(make_root, other_issuer, ISSUER),
        BAD(make_device, other_begin, VALIDITY),
        BAD(make_device, other_end, VALIDITY),
        BAD(make_device, generalized_time_too_early, VALIDITY),
        BAD(make_plain_rsa, utc_time_too_late, VALIDITY),
        BAD(make_device, time_without_seconds, VALIDITY),
        BAD(make_device, time_with_offset, VALIDITY),
        BAD(make_device, no_date, VALIDITY),
        BAD(make_device, other_subject, SUBJECT),
        BAD(make_device, no_subject, SUBJECT),
        BAD(make_device, other_key, KEY),
        BAD(make_plain_rsa, other_key, KEY),
        BAD(make_device, no_basic_constraints, BASIC_CONSTRAINTS),
        BAD(make_device, ca_true, BASIC_CONSTRAINTS),
        BAD(make_device, ca_false_written_out, BASIC_CONSTRAINTS),
        BAD(make_device, path_length_of_an_end_entity, BASIC_CONSTRAINTS),
        BAD(make_device, critical_basic_constraints, BASIC_CONSTRAINTS),
        BAD(make_subordinate, basic_constraints_not_critical, BASIC_CONSTRAINTS),
        BAD(make_root, basic_constraints_not_critical, BASIC_CONSTRAINTS),
        BAD(make_subordinate, other_path_length, BASIC_CONSTRAINTS),
        BAD(make_subordinate, no_path_length, BASIC_CONSTRAINTS),
        BAD(make_root, other_path_length, BASIC_CONSTRAINTS),
        BAD(make_subordinate, ca_false, BASIC_CONSTRAINTS),
        BAD(make_device, no_authority_key_id, KEY_ID),
        BAD(make_device, authority_key_id_of_another, KEY_ID),
        BAD(make_device, authority_key_id_with_serial, KEY_ID),
        BAD(make_device, critical_authority_key_id, KEY_ID),
        BAD(make_device, no_subject_key_id, KEY_ID),
        BAD(make_device, subject_key_id_of_another, KEY_ID),
        BAD(make_device, critical_subject_key_id, KEY_ID),
        BAD(make_device, key_ids_the_other_way_round, KEY_ID),
        BAD(make_device, an_extension_twice, KEY_USAGE),
        BAD(make_device, no_key_usage, KEY_USAGE),
        BAD(make_device, more_key_usage, KEY_USAGE),
        BAD(make_device, cert_sign_of_an_end_entity, KEY_USAGE),
        BAD(make_device, key_usage_not_minimal, KEY_USAGE),
        BAD(make_device, key_usage_not_critical, KEY_USAGE),
        BAD(make_device, no_purposes, EXT_KEY_USAGE),
        BAD(make_device, fewer_purposes, EXT_KEY_USAGE),
        BAD(make_device, purposes_in_another_order, EXT_KEY_USAGE),
        BAD(make_device, more_purposes, EXT_KEY_USAGE),
        BAD(make_more_purposes, fewer_purposes, EXT_KEY_USAGE),
        BAD(make_device, critical_purposes, EXT_KEY_USAGE),
        BAD(make_plain_rsa, purposes_not_critical, EXT_KEY_USAGE),
        BAD(make_device, other_names, SAN),
        BAD(make_device, one_name_more, SAN),
        BAD(make_device, no_names, SAN),
        BAD(make_device, critical_names, SAN),
        BAD(make_nameless, names_not_critical, SAN),
        BAD(make_nameless, no_names, SAN),
        BAD(make_plain_rsa, names_that_nobody_asked_for, EXTENSIONS),
        BAD(make_device, an_extension_at_the_end, EXTENSIONS),
        BAD(make_device, an_extension_in_the_middle, KEY_USAGE),
        BAD(make_device, an_extension_at_the_beginning, BASIC_CONSTRAINTS),
        BAD(make_device, poison_at_the_end, EXTENSIONS),
        BAD(make_device, a_pointer_nobody_configured, SAN),
        BAD(make_device, no_extensions, EXTENSIONS),
        BAD(make_pointers, crl_of_another_scope, REVOCATION),
        BAD(make_pointers, crl_at_another_host, REVOCATION),
        BAD(make_pointers, two_uris_of_one_crl, REVOCATION),
        BAD(make_pointers, critical_crl_pointer, REVOCATION),
        BAD(make_pointers, no_crl_pointer, REVOCATION),
        BAD(make_pointers, no_ocsp_pointer, REVOCATION),
        BAD(make_pointers, no_delta_pointer, REVOCATION),
        BAD(make_pointers, critical_delta_pointer, REVOCATION),
        BAD(make_pointers, critical_ocsp_pointer, REVOCATION),
        BAD(make_pointers, delta_of_another_scope, REVOCATION),
        BAD(make_pointers, other_responder, REVOCATION),
        BAD(make_pointers, issuers_instead_of_ocsp, REVOCATION),
        BAD(make_complete_crl, crl_at_another_host, REVOCATION),
        BAD(make_blank, passed_extensions_the_other_way_round, EXTENSIONS),
        BAD(make_blank, less_passed, EXTENSIONS),
        BAD(make_blank, less_of_the_template, EXTENSIONS),
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world w;

        cases[i].make(&w, *state);
        expect(&w, CA_REASON_NONE, cases[i].what);
        cases[i].spoil(&w);
        expect(&w, cases[i].reason, cases[i].what);
        world_end(&w);
    }
}

/* The certificate is as it was asked for, but that should not have been asked for. */

static void validity_is_held_against_template_ca_and_usage_mode(void **state)
{
    struct world w;

    make_device(&w, *state);
    w.tmpl.validity_max_s = 365 * DAY - CA_BACKDATE_S;
    expect(&w, CA_REASON_NONE, "the longest, with the backdate");
    w.tmpl.validity_max_s--;
    expect(&w, CA_REASON_LINT_VALIDITY, "longer than the template's longest");
    w.tmpl.validity_max_s = 0;
    w.tmpl.not_after_s = FROM + 365 * DAY;
    expect(&w, CA_REASON_NONE, "the fixed end");
    w.tmpl.not_after_s++;
    expect(&w, CA_REASON_LINT_VALIDITY, "not the fixed end");
    world_end(&w);

    world_begin(&w, *state, "EndEntityCertificate", ((struct fixture *)*state)->key, "d");
    w.spec.not_before_s = FROM;         /* asked for: nothing is backdated */
    w.tmpl.validity_max_s = 365 * DAY;
    world_make(&w, NULL, NULL, NULL);
    expect(&w, CA_REASON_NONE, "the longest without backdate");
    w.tmpl.validity_max_s--;
    expect(&w, CA_REASON_LINT_VALIDITY, "longer without backdate");
    world_end(&w);

    world_begin(&w, *state, "EndEntityCertificate", ((struct fixture *)*state)->key, "d");
    w.spec.short_lived = true;
    w.input.not_after_s = FROM + 7 * DAY + CA_BACKDATE_S;
    world_make(&w, NULL, NULL, NULL);
    expect(&w, CA_REASON_NONE, "seven days and the backdate");
    w.input.not_after_s++;
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(w.x), w.input.not_after_s));
    expect(&w, CA_REASON_LINT_VALIDITY, "longer than seven days");
    world_end(&w);
}

static void validity_lies_inside_the_issuers(void **state)
{
    static const struct {
        int64_t from_s, until_s;
        bool good;
    } cases[] = {
        { CA_FROM, CA_UNTIL, true },
        { CA_FROM - 1, CA_UNTIL, false },
        { CA_FROM, CA_UNTIL + 1, false },
        { FROM, FROM, false },
        { FROM, FROM - 1, false },
        { FROM, FROM + 1, true },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world w;

        world_begin(&w, *state, "EndEntityCertificate", ((struct fixture *)*state)->key, "d");
        w.input.not_before_s = cases[i].from_s;
        w.input.not_after_s = cases[i].until_s;
        world_make(&w, NULL, NULL, NULL);
        expect(&w, cases[i].good ? CA_REASON_NONE : CA_REASON_LINT_VALIDITY, "dates");
        world_end(&w);
    }
}

static void no_expiry_is_a_generalized_time(void **state)
{
    struct world w;

    world_begin(&w, *state, "RootCACertificate", ((struct fixture *)*state)->key, "Root");
    w.spec.issuer = NULL;
    w.input.not_after_s = INT64_C(253402300799);        /* 99991231235959Z */
    world_make(&w, NULL, NULL, NULL);
    expect(&w, CA_REASON_NONE, "no expiry");
    world_end(&w);
}

static void what_should_not_have_been_decided_is_refused(void **state)
{
    struct fixture *f = *state;
    struct world w;

    make_nameless(&w, f);
    set_critical(w.x, NID_subject_alt_name, 0);
    w.contents.san_critical = false;
    expect(&w, CA_REASON_LINT_SAN, "an empty subject and names that are not critical");
    drop(w.x, NID_subject_alt_name);
    w.contents.has_san = false;
    expect(&w, CA_REASON_LINT_SAN, "an empty subject without names");
    world_end(&w);

    make_device(&w, f);
    w.contents.subject_empty = true;
    expect(&w, CA_REASON_LINT_SUBJECT, "a subject said to be empty");
    world_end(&w);

    world_begin(&w, f, "SubordinateCACertificate_PathLen0", f->key, NULL);
    world_make(&w, NULL, NULL, NULL);
    expect(&w, CA_REASON_LINT_SUBJECT, "a CA without name");
    world_end(&w);

    world_begin(&w, f, "RootCACertificate", f->key, NULL);
    w.spec.issuer = NULL;
    world_make(&w, NULL, NULL, NULL);
    expect(&w, CA_REASON_LINT_ISSUER, "a root without name");
    world_end(&w);

    make_subordinate(&w, f);
    w.tmpl.path_len = 2;                /* the issuer's own */
    replace(w.x, NID_basic_constraints,
            make_extension(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE,pathlen:2"));
    expect(&w, CA_REASON_LINT_BASIC_CONSTRAINTS, "a path length that is not below the issuer's");
    w.tmpl.path_len = CA_PATH_LEN_NONE;
    no_path_length(&w);
    expect(&w, CA_REASON_LINT_BASIC_CONSTRAINTS, "no path length under an issuer with one");
    world_end(&w);

    make_subordinate(&w, f);
    w.tmpl.basic_constraints_critical = false;
    basic_constraints_not_critical(&w);
    expect(&w, CA_REASON_LINT_BASIC_CONSTRAINTS, "a CA whose constraints are not critical");
    world_end(&w);

    make_device(&w, f);
    w.tmpl.key_usage = w.tmpl.key_usage_signing_only = CA_KU_DIGITAL_SIGNATURE | CA_KU_CRL_SIGN;
    replace(w.x, NID_key_usage,
            make_extension(NULL, NULL, NID_key_usage, "critical,digitalSignature,cRLSign"));
    expect(&w, CA_REASON_LINT_KEY_USAGE, "a template that lets devices sign CRLs");
    world_end(&w);
}

/* An algorithm that the issuer's key cannot use: the profile refuses it, so the key is another
 * one's. */
static void the_algorithm_fits_the_signing_key(void **state)
{
    struct fixture *f = *state;
    struct world w;

    world_begin(&w, f, "RootCACertificate", f->rsa_key, "Root");
    w.spec.issuer = NULL;
    world_make(&w, NULL, NULL, NULL);
    assert_int_equal(X509_ALGOR_set0(algorithm(&w), OBJ_nid2obj(NID_ecdsa_with_SHA256),
                                     V_ASN1_UNDEF, NULL), 1);
    expect(&w, CA_REASON_LINT_ALGORITHM, "an RSA root and an ECDSA signature");
    world_end(&w);
}

struct passing {
    const char *template_name;
    const char *oid;
    bool critical;
    const char *value;          /* hexadecimal */
    enum ca_reason reason;
};

#define EE "BlankEndEntityCertificate_APICSRPassthrough"
#define SUB "BlankSubordinateCACertificate_PathLen0_APICSRPassthrough"
#define AIA_OCSP "301b301906082b06010505073001860d687474703a2f2f6f2e746573742f"
#define AIA_CA "301b301906082b06010505073002860d687474703a2f2f6f2e746573742f"
#define POINTS "30133011a00fa00d860b687474703a2f2f782e6e2f"

/* As a template's own, or as passed, is the same. */
static void extensions_from_outside_keep_to_the_rules(void **state)
{
    static const struct passing cases[] = {
        { EE, "1.2.3.4", true, "0500", CA_REASON_NONE },
        { EE, "2.5.29.15", true, "03020780", CA_REASON_NONE },
        { EE, "2.5.29.15", false, "03020780", CA_REASON_NONE },
        { EE, "2.5.29.15", true, "03020204", CA_REASON_LINT_KEY_USAGE },      /* keyCertSign */
        { EE, "2.5.29.15", true, "03020102", CA_REASON_LINT_KEY_USAGE },      /* cRLSign */
        { EE, "2.5.29.15", true, "03030080" "00", CA_REASON_LINT_KEY_USAGE }, /* not minimal */
        { EE, "2.5.29.15", true, "030100", CA_REASON_LINT_KEY_USAGE },        /* no bits */
        { EE, "2.5.29.15", true, "0300", CA_REASON_LINT_KEY_USAGE },
        { EE, "2.5.29.15", true, "0402" "0780", CA_REASON_LINT_KEY_USAGE },   /* no BIT STRING */
        { SUB, "2.5.29.15", true, "03020106", CA_REASON_NONE },
        { SUB, "2.5.29.15", true, "03020780", CA_REASON_LINT_KEY_USAGE },
        { EE, "2.5.29.19", false, "3000", CA_REASON_LINT_BASIC_CONSTRAINTS },
        { EE, "2.5.29.14", false, "0401aa", CA_REASON_LINT_KEY_ID },
        { EE, "2.5.29.35", false, "3003800101", CA_REASON_LINT_KEY_ID },
        { EE, "2.5.29.17", false, "3003820161", CA_REASON_LINT_SAN },
        { EE, "2.5.29.30", true, "3000", CA_REASON_LINT_EXTENSIONS },
        { SUB, "2.5.29.30", true, "300ea00c300a820865782e6578616d70", CA_REASON_NONE },
        { SUB, "2.5.29.30", false, "300ea00c300a820865782e6578616d70", CA_REASON_LINT_EXTENSIONS },
        { EE, "2.5.29.33", true, "3000", CA_REASON_LINT_EXTENSIONS },
        { SUB, "2.5.29.33", true, "300e300c06042a03040506042a030406", CA_REASON_NONE },
        { SUB, "2.5.29.33", false, "300e300c06042a03040506042a030406", CA_REASON_NONE },
        { EE, "2.5.29.36", true, "3003800100", CA_REASON_LINT_EXTENSIONS },
        { SUB, "2.5.29.36", true, "3003800100", CA_REASON_NONE },
        { SUB, "2.5.29.36", false, "3003800100", CA_REASON_LINT_EXTENSIONS },
        { EE, "2.5.29.54", true, "020100", CA_REASON_LINT_EXTENSIONS },
        { SUB, "2.5.29.54", true, "020100", CA_REASON_NONE },
        { SUB, "2.5.29.54", false, "020100", CA_REASON_LINT_EXTENSIONS },
        { EE, "1.3.6.1.5.5.7.1.1", false, AIA_OCSP, CA_REASON_NONE },
        { EE, "1.3.6.1.5.5.7.1.1", true, AIA_OCSP, CA_REASON_LINT_REVOCATION },
        { EE, "1.3.6.1.5.5.7.1.11", false, AIA_CA, CA_REASON_NONE },
        { EE, "1.3.6.1.5.5.7.1.11", true, AIA_CA, CA_REASON_LINT_EXTENSIONS },
        { EE, "2.5.29.46", false, POINTS, CA_REASON_NONE },
        { EE, "2.5.29.46", true, POINTS, CA_REASON_LINT_REVOCATION },
        { EE, "2.5.29.31", true, POINTS, CA_REASON_NONE },
        { EE, "2.5.29.9", false, "3000", CA_REASON_NONE },
        { EE, "2.5.29.9", true, "3000", CA_REASON_LINT_EXTENSIONS },
        { EE, "2.5.29.56", false, "0500", CA_REASON_NONE },
        { EE, "2.5.29.56", true, "0500", CA_REASON_LINT_REVOCATION },
        { EE, "2.5.29.56", false, "050100", CA_REASON_LINT_REVOCATION },
        { SUB, "2.5.29.56", false, "0500", CA_REASON_LINT_REVOCATION },
        { EE, "1.3.6.1.4.1.11129.2.4.3", true, "0500", CA_REASON_LINT_EXTENSIONS },
        { SUB, "1.3.6.1.4.1.11129.2.4.3", true, "0500", CA_REASON_LINT_EXTENSIONS },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int own = 0; own <= 1; own++) {
            uint8_t value[64];
            size_t len = 0;
            struct world w;
            X509_EXTENSION *extension;

            assert_int_equal(ca_hex_decode(cases[i].value, value, sizeof(value), &len, NULL),
                             CA_OK);
            extension = make_raw(cases[i].oid, cases[i].critical, value, len);
            world_begin(&w, *state, cases[i].template_name, ((struct fixture *)*state)->key, "x");
            if (own == 1) world_own(&w, extension);
            else world_extra(&w, extension);
            world_make(&w, NULL, NULL, NULL);
            expect(&w, cases[i].reason, cases[i].oid);
            world_end(&w);
        }
    }
}

static void an_end_entity_without_revocation_has_no_pointers(void **state)
{
    static const struct {
        const char *oid, *value;
        bool good;
    } cases[] = {
        { "2.5.29.31", POINTS, false },
        { "2.5.29.46", POINTS, false },
        { "1.3.6.1.5.5.7.1.1", AIA_OCSP, false },
        { "1.3.6.1.5.5.7.1.1", "3082", false },         /* not to be read, so not to be trusted */
        { "1.3.6.1.5.5.7.1.1", AIA_CA, true },
    };
    static const uint8_t null[] = { 5, 0 };
    struct world w;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int first = 0; first <= 1; first++) {
            uint8_t value[64];
            size_t len = 0;

            assert_int_equal(ca_hex_decode(cases[i].value, value, sizeof(value), &len, NULL),
                             CA_OK);
            world_begin(&w, *state, EE, ((struct fixture *)*state)->key, "x");
            if (first == 1) world_extra(&w, make_raw("2.5.29.56", false, null, 2));
            world_extra(&w, make_raw(cases[i].oid, false, value, len));
            if (first == 0) world_extra(&w, make_raw("2.5.29.56", false, null, 2));
            world_make(&w, NULL, NULL, NULL);
            expect(&w, cases[i].good ? CA_REASON_NONE : CA_REASON_LINT_REVOCATION, cases[i].value);
            world_end(&w);
        }
    }
    world_begin(&w, *state, EE, ((struct fixture *)*state)->key, "x");
    world_own(&w, make_raw("2.5.29.56", false, null, 2));
    w.revocation = (struct ca_revocation){ .ocsp_uri = "http://ocsp.example" };
    w.spec.revocation = &w.revocation;
    world_make(&w, NULL, "OCSP;URI:http://ocsp.example", NULL);
    expect(&w, CA_REASON_LINT_REVOCATION, "beside the CA's own responder");
    world_end(&w);
}

static void each_type_stands_once(void **state)
{
    static const char *const types[] = { "2.5.29.15", "2.5.29.32", "1.2.3.4", "2.5.29.37" };
    static const uint8_t usage[] = { 3, 2, 7, 0x80 };
    struct fixture *f = *state;
    struct world w;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        for (int own = 0; own <= 1; own++) {
            world_begin(&w, f, EE, f->key, "x");
            world_extra(&w, make_raw(types[i], true, usage, sizeof(usage)));
            if (own == 1) world_own(&w, make_raw(types[i], true, usage, sizeof(usage)));
            else world_extra(&w, make_raw(types[i], true, usage, sizeof(usage)));
            world_make(&w, NULL, NULL, NULL);
            expect(&w, i == 0   ? CA_REASON_LINT_KEY_USAGE
                       : i == 3 ? CA_REASON_LINT_EXT_KEY_USAGE
                                : CA_REASON_LINT_EXTENSIONS, types[i]);
            world_end(&w);
        }
    }
    /* What the template writes, and then once more. */
    world_begin(&w, f, "EndEntityCertificate_APIPassthrough", f->key, "x");
    world_extra(&w, make_raw("2.5.29.15", true, usage, sizeof(usage)));
    world_make(&w, NULL, NULL, NULL);
    expect(&w, CA_REASON_LINT_KEY_USAGE, "the template's key usage and another");
    world_end(&w);
}

static void a_root_is_its_own_authority(void **state)
{
    struct fixture *f = *state;
    uint8_t value[24] = { 0x30, 22, 0x80, 20, 1, 2, 3 };
    struct world w;

    world_begin(&w, f, "RootCACertificate_APIPassthrough", f->key, "Root");
    w.spec.issuer = NULL;
    world_extra(&w, make_raw("2.5.29.35", false, value, sizeof(value)));
    world_make(&w, NULL, NULL, NULL);
    expect(&w, CA_REASON_LINT_KEY_ID, "a root under a stranger");
    world_end(&w);

    world_begin(&w, f, "RootCACertificate", f->key, "Root");
    w.spec.issuer = NULL;
    memcpy(value + 4, w.contents.subject_key_id, 20);
    world_extra(&w, make_raw("2.5.29.35", false, value, sizeof(value)));
    world_make(&w, NULL, NULL, NULL);
    expect(&w, CA_REASON_LINT_KEY_ID, "a root whose template has no authority");
    world_end(&w);
}

/* Octets */

/* There is one right certificate for what was asked: any other bit in any place is refused, and a
 * missing or an additional octet too. */
static void every_other_octet_is_refused(void **state)
{
    for (size_t i = 0; i < MAKERS; i++) {
        uint8_t tbs[TBS_MAX], other[TBS_MAX];
        struct world w;
        size_t len;

        makers[i](&w, *state);
        len = tbs_of(&w, tbs);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            struct ca_error err;

            tbs[bit / 8] = (uint8_t)(tbs[bit / 8] ^ (1u << bit % 8));
            if (lint_octets(&w, tbs, len, &err) != CA_REFUSED)
                fail_msg("certificate %zu: bit %zu of octet %zu", i, bit % 8, bit / 8);
            assert_true(err.reason >= CA_REASON_LINT_ENCODING);
            tbs[bit / 8] = (uint8_t)(tbs[bit / 8] ^ (1u << bit % 8));
        }
        for (size_t at = 0; at <= len; at++) {
            assert_true(at == len || lint_octets(&w, tbs, at, NULL) == CA_REFUSED);
            memcpy(other, tbs, at);
            other[at] = 0;
            memcpy(other + at + 1, tbs + at, len - at);
            assert_int_equal(lint_octets(&w, other, len + 1, NULL), CA_REFUSED);
        }
        world_end(&w);
    }
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

static size_t below(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % n);
}

static void spoilt_octets_never_pass_and_never_crash(void **state)
{
    for (size_t i = 0; i < MAKERS; i++) {
        uint8_t tbs[TBS_MAX], other[TBS_MAX];
        struct world w;
        size_t len;

        makers[i](&w, *state);
        len = tbs_of(&w, tbs);
        for (int round = 0; round < 3000; round++) {
            size_t cut = below(4) == 0 ? below(len + 1) : len;

            memcpy(other, tbs, len);
            for (size_t n = 1 + below(6); n > 0; n--)
                other[below(len)] = (uint8_t)below(256);
            if (cut == len && memcmp(other, tbs, len) == 0) continue;
            assert_int_equal(lint_octets(&w, other, cut, NULL), CA_REFUSED);
        }
        world_end(&w);
    }
}

static void what_is_no_der_is_said_to_be_none(void **state)
{
    uint8_t tbs[TBS_MAX], other[TBS_MAX];
    struct world w;
    size_t len;

    makers[0](&w, *state);
    len = tbs_of(&w, tbs);
    expect_octets(&w, tbs, 0, CA_REASON_LINT_ENCODING, "nothing");
    expect_octets(&w, tbs, len - 1, CA_REASON_LINT_ENCODING, "cut off");
    memcpy(other, tbs, len);
    other[len] = 0;
    expect_octets(&w, other, len + 1, CA_REASON_LINT_ENCODING, "an octet behind it");
    other[0] = 0x31;
    expect_octets(&w, other, len, CA_REASON_LINT_ENCODING, "no SEQUENCE");
    memcpy(other, tbs, len);
    other[1] = 0x80;
    expect_octets(&w, other, len, CA_REASON_LINT_ENCODING, "an indefinite length");
    /* TBS: 30 82 xx xx, version 5 octets, serial 02 12. */
    memcpy(other, tbs, len);
    other[4 + 5 + 1] = 0x81;
    expect_octets(&w, other, len, CA_REASON_LINT_ENCODING, "a length that is not minimal");
    memcpy(other, tbs, len);
    other[4 + 5 + 2] = 0;
    other[4 + 5 + 3] = 1;
    expect_octets(&w, other, len, CA_REASON_LINT_ENCODING, "a serial that is not minimal");
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_that_openssl_made_right_pass),
        cmocka_unit_test(certificates_that_we_build_pass),
        cmocka_unit_test(one_wrong_thing_in_a_certificate_is_refused),
        cmocka_unit_test(validity_is_held_against_template_ca_and_usage_mode),
        cmocka_unit_test(validity_lies_inside_the_issuers),
        cmocka_unit_test(no_expiry_is_a_generalized_time),
        cmocka_unit_test(what_should_not_have_been_decided_is_refused),
        cmocka_unit_test(the_algorithm_fits_the_signing_key),
        cmocka_unit_test(extensions_from_outside_keep_to_the_rules),
        cmocka_unit_test(an_end_entity_without_revocation_has_no_pointers),
        cmocka_unit_test(each_type_stands_once),
        cmocka_unit_test(a_root_is_its_own_authority),
        cmocka_unit_test(every_other_octet_is_refused),
        cmocka_unit_test(spoilt_octets_never_pass_and_never_crash),
        cmocka_unit_test(what_is_no_der_is_said_to_be_none),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
