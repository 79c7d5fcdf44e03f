#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/lint_world.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Making certificates */

X509_NAME *lint_name(const char *common_name)
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

X509_EXTENSION *lint_extension(X509 *issuer, X509 *subject, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, subject, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (extension == NULL) fail_msg("OpenSSL cannot make %s %s", OBJ_nid2sn(nid), value);
    return extension;
}

X509_EXTENSION *lint_raw(const char *oid, bool critical, const void *value, size_t len)
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

X509_EXTENSION *lint_policies(void)
{
    static const uint8_t value[] = { 0x30, 8, 0x30, 6, 6, 4, 0x2a, 3, 4, 5 };

    return lint_raw("2.5.29.32", false, value, sizeof(value));
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
void lint_put(X509 *x, X509_EXTENSION *extension, int loc)
{
    assert_int_equal(X509_add_ext(x, extension, loc), 1);
    X509_EXTENSION_free(extension);
}

void lint_drop(X509 *x, int nid)
{
    int at = X509_get_ext_by_NID(x, nid, -1);

    assert_true(at >= 0);
    X509_EXTENSION_free(X509_delete_ext(x, at));
}

/* In its place, another one of the same type or of another. */
void lint_replace(X509 *x, int nid, X509_EXTENSION *with)
{
    int at = X509_get_ext_by_NID(x, nid, -1);

    assert_true(at >= 0);
    X509_EXTENSION_free(X509_delete_ext(x, at));
    lint_put(x, with, at);
}

void lint_critical(X509 *x, int nid, int critical)
{
    X509_EXTENSION *extension = X509_get_ext(x, X509_get_ext_by_NID(x, nid, -1));

    assert_non_null(extension);
    assert_int_equal(X509_EXTENSION_set_critical(extension, critical), 1);
}

static X509 *make_ca(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = lint_name("Authority");

    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 7), 1);
    assert_int_equal(X509_set_issuer_name(x, name), 1);
    assert_int_equal(X509_set_subject_name(x, name), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), LINT_CA_FROM));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), LINT_CA_UNTIL));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    lint_put(x, lint_extension(NULL, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:2"), -1);
    lint_put(x, lint_extension(NULL, x, NID_subject_key_identifier, "hash"), -1);
    lint_put(x, lint_extension(NULL, x, NID_key_usage, "critical,keyCertSign,cRLSign"), -1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    X509_NAME_free(name);
    return x;
}

int lint_setup(void **state)
{
    struct lint_fixture *f = calloc(1, sizeof(*f));
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

int lint_teardown(void **state)
{
    struct lint_fixture *f = *state;

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
void lint_begin(struct lint_world *w, struct lint_fixture *f, const char *template_name,
                EVP_PKEY *key, const char *common_name)
{
    const struct ca_template *tmpl = NULL;
    X509_PUBKEY *pubkey = NULL;
    X509_NAME *name = lint_name(common_name);
    unsigned int id_len = 0;
    int len;

    memset(w, 0, sizeof(*w));
    w->f = f;
    w->key = key;
    assert_int_equal(ca_template_find(template_name, &tmpl, NULL), CA_OK);
    w->tmpl = *tmpl;
    ca_buf_init(&w->extra, LINT_TBS_MAX);
    ca_buf_init(&w->own, LINT_TBS_MAX);
    ca_buf_init(&w->san, LINT_TBS_MAX);
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
                                      .serial = &w->serial, .not_before_s = LINT_FROM,
                                      .not_after_s = LINT_FROM + 365 * LINT_DAY };
    w->spec = (struct ca_profile_spec){ .tmpl = &w->tmpl, .issuer = f->issuer,
                                        .issuer_key = CA_KEY_EC_P256,
                                        .sig_alg = CA_SIG_ECDSA_SHA256,
                                        .validity = { CA_VALIDITY_DAYS, 365 } };
    X509_PUBKEY_free(pubkey);
    X509_NAME_free(name);
}

void lint_names(struct lint_world *w, const char *san, bool critical)
{
    X509_EXTENSION *extension = lint_extension(NULL, NULL, NID_subject_alt_name, san);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);

    ca_buf_append(&w->san, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    w->contents.has_san = true;
    w->contents.san_critical = critical;
    w->contents.san = ca_buf_view(&w->san);
    X509_EXTENSION_free(extension);
}

/* Extensions that passed, and that the template adds: more calls, more of them. */
void lint_extra(struct lint_world *w, X509_EXTENSION *extension)
{
    append_extension(&w->extra, extension);
    w->contents.extra = ca_buf_view(&w->extra);
    X509_EXTENSION_free(extension);
}

void lint_own(struct lint_world *w, X509_EXTENSION *extension)
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
        lint_put(x, extension, -1);
    }
}

/* OpenSSL's words for a template's bits. */
static void put_usages(struct lint_world *w)
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
        lint_put(w->x, lint_extension(NULL, NULL, NID_key_usage, text), -1);
    if (w->tmpl.eku_critical) strcat(eku, "critical");
    for (int i = 0; i < 4; i++) {
        if ((w->tmpl.eku >> i & 1) == 0) continue;
        if (eku[0] != '\0') strcat(eku, ",");
        strcat(eku, purposes[i]);
    }
    if (w->tmpl.eku != 0) lint_put(w->x, lint_extension(NULL, NULL, NID_ext_key_usage, eku), -1);
}

/* cdp and ocsp: OpenSSL's words, or NULL. */
void lint_make(struct lint_world *w, const char *cdp, const char *ocsp, const char *freshest)
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
    lint_put(x, lint_extension(NULL, NULL, NID_basic_constraints, constraints), -1);
    if (w->spec.issuer != NULL)
        lint_put(x, lint_extension(w->f->ca, x, NID_authority_key_identifier, "keyid:always"), -1);
    lint_put(x, lint_extension(NULL, x, NID_subject_key_identifier, "hash"), -1);
    put_usages(w);
    if (cdp != NULL) lint_put(x, lint_extension(NULL, NULL, NID_crl_distribution_points, cdp), -1);
    if (ocsp != NULL) lint_put(x, lint_extension(NULL, NULL, NID_info_access, ocsp), -1);
    if (freshest != NULL) lint_put(x, lint_extension(NULL, NULL, NID_freshest_crl, freshest), -1);
    put_list(x, w->tmpl.extensions);
    put_list(x, w->contents.extra);
    if (w->contents.has_san)
        lint_put(x, lint_raw("2.5.29.17", w->contents.san_critical, w->san.data, w->san.len), -1);
    /* Signing sets the algorithm inside; the key does not matter here. */
    assert_true(X509_sign(x, w->spec.issuer == NULL ? w->key : w->f->ca_key, EVP_sha256()) > 0);
    BN_free(serial);
    X509_NAME_free(subject);
}

void lint_end(struct lint_world *w)
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

size_t lint_tbs_of(struct lint_world *w, uint8_t out[LINT_TBS_MAX])
{
    uint8_t *at = out;
    int len = i2d_re_X509_tbs(w->x, NULL);

    assert_true(len > 0 && len < LINT_TBS_MAX);
    assert_int_equal(i2d_re_X509_tbs(w->x, &at), len);
    return (size_t)len;
}

/* In memory of exactly its size, for the sanitizers. */
enum ca_status lint_octets(const struct lint_world *w, const uint8_t *tbs, size_t len,
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

void lint_expect_octets(const struct lint_world *w, const uint8_t *tbs, size_t len,
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

void lint_expect(struct lint_world *w, enum ca_reason reason, const char *what)
{
    uint8_t tbs[LINT_TBS_MAX];
    size_t len = lint_tbs_of(w, tbs);

    lint_expect_octets(w, tbs, len, reason, what);
}

X509_ALGOR *lint_algorithm(struct lint_world *w)
{
    union {
        const X509_ALGOR *in;
        X509_ALGOR *out;
    } same = { .in = X509_get0_tbs_sigalg(w->x) };

    return same.out;
}

/* The certificates */

void lint_device(struct lint_world *w, struct lint_fixture *f)
{
    lint_begin(w, f, "EndEntityCertificate", f->key, "device-000001");
    lint_names(w, "DNS:device-000001.example.com", false);
    lint_make(w, NULL, NULL, NULL);
}

void lint_plain_rsa(struct lint_world *w, struct lint_fixture *f)
{
    lint_begin(w, f, "OCSPSigningCertificate", f->rsa_key, "responder");
    w->input.not_after_s = INT64_C(2524608000);     /* 2050-01-01: GeneralizedTime */
    lint_make(w, NULL, NULL, NULL);
}

void lint_pointers(struct lint_world *w, struct lint_fixture *f)
{
    lint_begin(w, f, "EndEntityServerAuthCertificate", f->key, "server");
    w->revocation = (struct ca_revocation){ .crl_enabled = true, .crl_partitioned = true,
                                            .ocsp_enabled = true, .delta_enabled = true,
                                            .cdp_uri = "http://crl.example/crl/u/000000.crl",
                                            .freshest_uri =
                                                "http://crl.example/crl/u/000000-delta.crl",
                                            .ocsp_uri = "http://ocsp.example" };
    w->spec.revocation = &w->revocation;
    w->input.scope = 120301;
    lint_make(w, "URI:http://crl.example/crl/u/120301.crl", "OCSP;URI:http://ocsp.example",
              "URI:http://crl.example/crl/u/120301-delta.crl");
}

void lint_complete_crl(struct lint_world *w, struct lint_fixture *f)
{
    lint_begin(w, f, "EndEntityServerAuthCertificate", f->key, "server");
    w->revocation = (struct ca_revocation){ .crl_enabled = true,
                                            .cdp_uri = "http://crl.example/crl/000000.crl" };
    w->spec.revocation = &w->revocation;
    lint_make(w, "URI:http://crl.example/crl/000000.crl", NULL, NULL);
}

void lint_subordinate(struct lint_world *w, struct lint_fixture *f)
{
    lint_begin(w, f, "SubordinateCACertificate_PathLen1", f->key, "Below");
    lint_extra(w, lint_extension(NULL, NULL, NID_name_constraints,
                                 "critical,permitted;DNS:example.com"));
    lint_extra(w, lint_extension(NULL, NULL, NID_policy_constraints,
                                 "critical,requireExplicitPolicy:0"));
    lint_extra(w, lint_extension(NULL, NULL, NID_inhibit_any_policy, "critical,0"));
    lint_make(w, NULL, NULL, NULL);
}

void lint_root(struct lint_world *w, struct lint_fixture *f)
{
    lint_begin(w, f, "RootCACertificate", f->key, "Root");
    w->spec.issuer = NULL;
    lint_make(w, NULL, NULL, NULL);
}

static void root_with_key_id(struct lint_world *w, struct lint_fixture *f)
{
    uint8_t value[24] = { 0x30, 22, 0x80, 20 };

    lint_begin(w, f, "RootCACertificate_APIPassthrough", f->key, "Root");
    w->spec.issuer = NULL;
    memcpy(value + 4, w->contents.subject_key_id, 20);
    lint_extra(w, lint_raw("2.5.29.35", false, value, sizeof(value)));
    lint_make(w, NULL, NULL, NULL);
}

/* What users and requests may add. */
void lint_blank(struct lint_world *w, struct lint_fixture *f)
{
    static const uint8_t null[] = { 5, 0 };

    lint_begin(w, f, "BlankEndEntityCertificate_APICSRPassthrough", f->key, "thing");
    lint_own(w, lint_raw("2.5.29.56", false, null, sizeof(null)));
    lint_own(w, lint_raw("1.2.3.4", true, null, sizeof(null)));
    lint_extra(w, lint_policies());
    lint_extra(w, lint_extension(NULL, NULL, NID_key_usage,
                                 "critical,digitalSignature,decipherOnly"));
    lint_extra(w, lint_extension(NULL, NULL, NID_ext_key_usage, "clientAuth"));
    lint_extra(w, lint_extension(NULL, NULL, NID_info_access,
                                 "caIssuers;URI:http://ca.example/ca.cer"));
    lint_extra(w, lint_raw("1.2.3.5", false, null, sizeof(null)));
    lint_names(w, "DNS:a.example,IP:192.0.2.1", true);
    lint_make(w, NULL, NULL, NULL);
}

void lint_nameless(struct lint_world *w, struct lint_fixture *f)
{
    lint_begin(w, f, "EndEntityClientAuthCertificate", f->key, NULL);
    lint_names(w, "URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true);
    lint_make(w, NULL, NULL, NULL);
}

void lint_more_purposes(struct lint_world *w, struct lint_fixture *f)
{
    static const uint8_t more[] = { 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 17 };

    lint_begin(w, f, "EndEntityServerAuthCertificate", f->key, "server");
    w->tmpl.eku_more = ca_bytes_of(more, sizeof(more));
    lint_make(w, NULL, NULL, NULL);
    lint_replace(w->x, NID_ext_key_usage,
                 lint_extension(NULL, NULL, NID_ext_key_usage, "serverAuth,1.3.6.1.5.5.7.3.17"));
}

void (*const lint_makers[LINT_MAKERS])(struct lint_world *w, struct lint_fixture *f) = {
    lint_device,   lint_plain_rsa,        lint_pointers, lint_complete_crl, lint_subordinate,
    lint_root,     root_with_key_id, lint_blank,    lint_nameless,     lint_more_purposes,
};
