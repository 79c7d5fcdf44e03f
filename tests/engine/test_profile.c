/*
 * Profiles. The judge of what they build is OpenSSL's X509 API, which makes the same certificate
 * from the specification's words (engine never uses that API) and must come to the same octets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/key.h"
#include "engine/profile.h"
#include "engine/sign.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER_FROM INT64_C(1767225600)     /* 2026-01-01T00:00:00Z */
#define ISSUER_UNTIL INT64_C(2840140800)    /* 2060-01-01T00:00:00Z */
#define NOW INT64_C(1780000000)             /* 2026-05-28T20:26:40Z */
#define ARENA_MAX (1u << 20)
#define DAY 86400

/* A subject: its key and its request, made by OpenSSL. */
struct subject {
    EVP_PKEY *pkey;
    X509_REQ *req;
    uint8_t *der;
    struct ca_request request;
    uint8_t key_id[20];
};

struct authority {
    enum ca_key_alg alg;
    enum ca_sig_alg sig_alg;
    EVP_PKEY *pkey;
    X509 *x509;
    struct ca_signer *signer;
    struct ca_issuer *issuer;
};

enum { OF_RSA, OF_P256, OF_P384, OF_P521, OF_ED25519, KINDS };

static const enum ca_key_alg algs[KINDS] = { CA_KEY_RSA_2048, CA_KEY_EC_P256, CA_KEY_EC_P384,
                                             CA_KEY_EC_P521, CA_KEY_ED25519 };

struct fixture {
    struct ca_crypto *crypto;
    EVP_PKEY *keys[KINDS];          /* of subjects */
    struct subject subjects[KINDS];
    struct authority authorities[KINDS];
};

/* Fixture */

static EVP_PKEY *make_key(int kind)
{
    static const char *const curves[KINDS] = { NULL, "P-256", "P-384", "P-521", NULL };
    EVP_PKEY *key = NULL;

    if (kind == OF_RSA) key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    else if (kind == OF_ED25519) key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[kind]);
    assert_non_null(key);
    return key;
}

static const EVP_MD *digest_of(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
}

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

/* san: OpenSSL's syntax, or NULL. common_name NULL: an empty subject. */
static void make_subject(EVP_PKEY *key, const char *common_name, const char *san,
                         struct subject *out)
{
    X509_NAME *name = make_name(common_name);
    unsigned int len = 0;
    int der_len;

    *out = (struct subject){ .pkey = key, .req = X509_REQ_new() };
    assert_int_equal(X509_REQ_set_subject_name(out->req, name), 1);
    assert_int_equal(X509_REQ_set_pubkey(out->req, key), 1);
    if (san != NULL) {
        STACK_OF(X509_EXTENSION) *list = NULL;
        X509_EXTENSION *extension;
        X509V3_CTX ctx;

        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, NULL, NULL, out->req, NULL, 0);
        extension = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, san);
        assert_non_null(extension);
        assert_non_null(X509v3_add_ext(&list, extension, -1));
        assert_int_equal(X509_REQ_add_extensions(out->req, list), 1);
        sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
        X509_EXTENSION_free(extension);
    }
    assert_true(X509_REQ_sign(out->req, key, digest_of(key)) > 0);
    der_len = i2d_X509_REQ(out->req, &out->der);
    assert_true(der_len > 0);
    assert_int_equal(ca_request_parse(ca_bytes_of(out->der, (size_t)der_len), &out->request, NULL),
                     CA_OK);
    assert_int_equal(EVP_Digest(out->request.key.key.data, out->request.key.key.len, out->key_id,
                                &len, EVP_sha1(), NULL), 1);
    X509_NAME_free(name);
}

static void drop_subject(struct subject *subject)
{
    X509_REQ_free(subject->req);
    OPENSSL_free(subject->der);
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void set_times(X509 *x, int64_t from_s, int64_t until_s)
{
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), from_s));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), until_s));
}

/* A CA certificate by OpenSSL; path_len as in its syntax (",pathlen:1") or "". */
static X509 *make_ca_x509(EVP_PKEY *key, const char *path_len)
{
    X509 *x = X509_new();
    X509_NAME *name = make_name("Authority");
    char constraints[64];

    (void)snprintf(constraints, sizeof(constraints), "critical,CA:TRUE%s", path_len);
    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 7), 1);
    assert_int_equal(X509_set_issuer_name(x, name), 1);
    assert_int_equal(X509_set_subject_name(x, name), 1);
    set_times(x, ISSUER_FROM, ISSUER_UNTIL);
    assert_int_equal(X509_set_pubkey(x, key), 1);
    add_extension(x, NULL, NID_basic_constraints, constraints);
    add_extension(x, NULL, NID_subject_key_identifier, "hash");
    add_extension(x, NULL, NID_key_usage, "critical,keyCertSign,cRLSign");
    assert_true(X509_sign(x, key, digest_of(key)) > 0);
    X509_NAME_free(name);
    return x;
}

static struct ca_issuer *make_issuer(struct ca_crypto *crypto, X509 *x)
{
    struct ca_issuer *issuer = NULL;
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);

    assert_true(len > 0);
    assert_int_equal(ca_issuer_new(crypto, ca_bytes_of(der, (size_t)len), ca_bytes_of(NULL, 0),
                                   &issuer, NULL), CA_OK);
    OPENSSL_free(der);
    return issuer;
}

static struct ca_signer *make_signer(struct ca_crypto *crypto, EVP_PKEY *pkey,
                                     enum ca_sig_alg sig_alg)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct ca_key *key = NULL;
    struct ca_signer *signer = NULL;
    char *text = NULL;
    long len;

    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    len = BIO_get_mem_data(bio, &text);
    assert_int_equal(ca_key_decode(crypto, ca_bytes_of(text, (size_t)len), ca_bytes_of(NULL, 0),
                                   &key, NULL), CA_OK);
    assert_int_equal(ca_signer_new(crypto, key, sig_alg, &signer, NULL), CA_OK);
    ca_key_free(key);
    BIO_free(bio);
    return signer;
}

static int setup(void **state)
{
    static const char *const sans[KINDS] = {
        "DNS:rsa.example", "DNS:node.example,IP:192.0.2.1,IP:2001:db8::1", NULL,
        "email:a@example.org,URI:https://example.org/x", "critical,DNS:*.example.org",
    };
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    for (int i = 0; i < KINDS; i++) {
        struct authority *a = &f->authorities[i];

        f->keys[i] = make_key(i);
        make_subject(f->keys[i], "device-000001", sans[i], &f->subjects[i]);
        a->alg = algs[i];
        a->sig_alg = i == OF_RSA ? CA_SIG_RSA_SHA256
                              : i == OF_ED25519 ? CA_SIG_ED25519 : CA_SIG_ECDSA_SHA256;
        a->pkey = make_key(i);
        a->x509 = make_ca_x509(a->pkey, "");
        a->signer = make_signer(f->crypto, a->pkey, a->sig_alg);
        a->issuer = make_issuer(f->crypto, a->x509);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < KINDS; i++) {
        struct authority *a = &f->authorities[i];

        drop_subject(&f->subjects[i]);
        EVP_PKEY_free(f->keys[i]);
        ca_signer_free(a->signer);
        ca_issuer_free(a->issuer);
        X509_free(a->x509);
        EVP_PKEY_free(a->pkey);
    }
    ca_crypto_free(f->crypto);
    free(f);
    return 0;
}

/* The model */

/* What the specification's section 6 says, in the words of OpenSSL's configuration. */
struct row {
    const char *name;
    const char *constraints;
    const char *usage_rsa, *usage_other;
    const char *extended;           /* NULL: none */
};

#define CA_USAGE "critical,digitalSignature,keyCertSign,cRLSign"
#define EE_USAGE "critical,digitalSignature,keyEncipherment"
#define SIGN_USAGE "critical,digitalSignature"

static const struct row rows[] = {
    { "EndEntityCertificate", "CA:FALSE", EE_USAGE, EE_USAGE, "serverAuth,clientAuth" },
    { "EndEntityClientAuthCertificate", "CA:FALSE", EE_USAGE, EE_USAGE, "clientAuth" },
    { "EndEntityServerAuthCertificate", "CA:FALSE", EE_USAGE, EE_USAGE, "serverAuth" },
    { "CodeSigningCertificate", "CA:FALSE", SIGN_USAGE, SIGN_USAGE, "critical,codeSigning" },
    { "OCSPSigningCertificate", "CA:FALSE", SIGN_USAGE, SIGN_USAGE, "critical,OCSPSigning" },
    { "SubordinateCACertificate_PathLen0", "critical,CA:TRUE,pathlen:0", CA_USAGE, CA_USAGE, NULL },
    { "SubordinateCACertificate_PathLen1", "critical,CA:TRUE,pathlen:1", CA_USAGE, CA_USAGE, NULL },
    { "SubordinateCACertificate_PathLen2", "critical,CA:TRUE,pathlen:2", CA_USAGE, CA_USAGE, NULL },
    { "SubordinateCACertificate_PathLen3", "critical,CA:TRUE,pathlen:3", CA_USAGE, CA_USAGE, NULL },
    { "device", "CA:FALSE", EE_USAGE, SIGN_USAGE, "serverAuth,clientAuth" },
};

static const struct row root_row = { "RootCACertificate", "critical,CA:TRUE", CA_USAGE, CA_USAGE,
                                     NULL };

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* One certificate to be made twice. */
struct order {
    const struct row *row;
    const struct subject *subject;
    const struct authority *authority;
    bool self_signed;               /* a root: the authority's key over its own request */
    struct ca_serial serial;
    int64_t from_s, until_s;
    const char *cdp, *ocsp;
};

static struct ca_serial serial_of(const char *hex)
{
    struct ca_serial serial;

    assert_int_equal(ca_serial_parse(hex, &serial, NULL), CA_OK);
    return serial;
}

static struct order order_of(const struct row *row, const struct subject *subject,
                             const struct authority *authority)
{
    return (struct order){ .row = row, .subject = subject, .authority = authority,
                           .serial = serial_of("019a0000000112233445566778899aabbcc0"),
                           .from_s = NOW - 3600, .until_s = NOW + 365 * DAY };
}

static void copy_san(X509 *x, X509_REQ *req)
{
    STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(req);
    int at = list == NULL ? -1 : X509v3_get_ext_by_NID(list, NID_subject_alt_name, -1);

    if (at >= 0) {
        assert_int_equal(X509_add_ext(x, sk_X509_EXTENSION_value(list, at), -1), 1);
    }
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static X509 *make_model(const struct order *o)
{
    const X509_NAME *subject = X509_REQ_get_subject_name(o->subject->req);
    bool rsa = EVP_PKEY_is_a(o->subject->pkey, "RSA");
    X509 *x = X509_new();
    BIGNUM *serial = BN_bin2bn(o->serial.octets, o->serial.len, NULL);
    char uri[600];

    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_non_null(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)));
    assert_int_equal(X509_set_issuer_name(x, o->self_signed ? subject
                                          : X509_get_subject_name(o->authority->x509)), 1);
    set_times(x, o->from_s, o->until_s);
    assert_int_equal(X509_set_subject_name(x, subject), 1);
    assert_int_equal(X509_set_pubkey(x, o->subject->pkey), 1);
    add_extension(x, NULL, NID_basic_constraints, o->row->constraints);
    if (!o->self_signed)
        add_extension(x, o->authority->x509, NID_authority_key_identifier, "keyid:always");
    add_extension(x, NULL, NID_subject_key_identifier, "hash");
    add_extension(x, NULL, NID_key_usage, rsa ? o->row->usage_rsa : o->row->usage_other);
    if (o->row->extended != NULL) add_extension(x, NULL, NID_ext_key_usage, o->row->extended);
    if (o->cdp != NULL) {
        (void)snprintf(uri, sizeof(uri), "URI:%s", o->cdp);
        add_extension(x, NULL, NID_crl_distribution_points, uri);
    }
    if (o->ocsp != NULL) {
        (void)snprintf(uri, sizeof(uri), "OCSP;URI:%s", o->ocsp);
        add_extension(x, NULL, NID_info_access, uri);
    }
    copy_san(x, o->subject->req);
    assert_true(X509_sign(x, o->authority->pkey, digest_of(o->authority->pkey)) > 0);
    BN_free(serial);
    return x;
}

/* Ours */

static const struct ca_template *template_of(const char *name)
{
    const struct ca_template *tmpl = NULL;

    assert_int_equal(ca_template_find(name, &tmpl, NULL), CA_OK);
    return tmpl;
}

static struct ca_profile_spec spec_of(const struct order *o)
{
    return (struct ca_profile_spec){
        .tmpl = template_of(o->row->name),
        .issuer = o->self_signed ? NULL : o->authority->issuer,
        .issuer_key = o->authority->alg,
        .sig_alg = o->authority->sig_alg,
        .validity = { .type = CA_VALIDITY_DAYS, .value = 365 },
        .cdp_uri = o->cdp,
        .ocsp_uri = o->ocsp,
    };
}

static struct ca_profile *profile_of(const struct order *o)
{
    struct ca_profile_spec spec = spec_of(o);
    struct ca_profile *profile = NULL;
    struct ca_error err;

    if (ca_profile_new(&spec, &profile, &err) != CA_OK) fail_msg("%s: %s", o->row->name, err.text);
    return profile;
}

static struct ca_tbs_input input_of(const struct order *o)
{
    return (struct ca_tbs_input){ .request = &o->subject->request, .serial = &o->serial,
                                  .not_before_s = o->from_s, .not_after_s = o->until_s,
                                  .subject_key_id = o->subject->key_id };
}

static void build_and_finish(const struct order *o, struct ca_buf *arena,
                             struct ca_cert_slot *slot)
{
    struct ca_profile *profile = profile_of(o);
    struct ca_tbs_input input = input_of(o);
    uint8_t signature[CA_SIGNATURE_MAX];
    size_t len = 0;

    assert_int_equal(ca_profile_build(profile, &input, arena, slot, NULL), CA_OK);
    assert_int_equal(ca_signer_sign(o->authority->signer,
                                    ca_bytes_of(arena->data + slot->tbs_offset, slot->tbs_len),
                                    signature, &len, NULL), CA_OK);
    ca_profile_finish(profile, arena, slot, ca_bytes_of(signature, len));
    ca_profile_free(profile);
}

static size_t cert_len_max(const struct order *o)
{
    struct ca_profile *profile = profile_of(o);
    size_t len = ca_profile_cert_len_max(profile, &o->subject->request);

    ca_profile_free(profile);
    return len;
}

/* The TBS is OpenSSL's, octet for octet; the certificate is one, verifies, and where signatures
 * are deterministic is OpenSSL's too. */
static void assert_as_openssl(const struct order *o)
{
    struct ca_cert_slot slot;
    struct ca_buf arena;
    X509 *model = make_model(o), *ours;
    uint8_t *tbs = NULL, *whole = NULL;
    const uint8_t *p;
    int tbs_len = i2d_re_X509_tbs(model, &tbs), whole_len = i2d_X509(model, &whole);

    ca_buf_init(&arena, ARENA_MAX);
    build_and_finish(o, &arena, &slot);
    if (slot.tbs_len != (size_t)tbs_len ||
        memcmp(arena.data + slot.tbs_offset, tbs, slot.tbs_len) != 0)
        fail_msg("%s: not the TBS that OpenSSL makes", o->row->name);
    assert_in_range(slot.der_len, 1, slot.size);
    assert_true(slot.size <= cert_len_max(o));
    p = arena.data + slot.der_offset;
    ours = d2i_X509(NULL, &p, (long)slot.der_len);
    assert_non_null(ours);
    assert_ptr_equal(p, arena.data + slot.der_offset + slot.der_len);
    assert_int_equal(X509_verify(ours, o->authority->pkey), 1);
    if (o->authority->alg == CA_KEY_RSA_2048 || o->authority->alg == CA_KEY_ED25519) {
        assert_int_equal(slot.der_len, whole_len);
        assert_memory_equal(arena.data + slot.der_offset, whole, slot.der_len);
    }
    X509_free(ours);
    X509_free(model);
    OPENSSL_free(tbs);
    OPENSSL_free(whole);
    ca_buf_clear(&arena);
}

/* Building */

static void every_template_key_and_issuer_gives_the_certificate_that_openssl_makes(void **state)
{
    static const int issuers[] = { OF_RSA, OF_P256, OF_ED25519 };
    struct fixture *f = *state;

    for (size_t r = 0; r < ROWS; r++) {
        for (size_t s = 0; s < KINDS; s++) {
            for (size_t i = 0; i < sizeof(issuers) / sizeof(issuers[0]); i++) {
                struct order o = order_of(&rows[r], &f->subjects[s],
                                          &f->authorities[issuers[i]]);

                assert_as_openssl(&o);
            }
        }
    }
}

static void every_template_but_the_root_is_compared(void **state)
{
    (void)state;
    assert_int_equal(ca_template_count(), ROWS + 1);
}

static void roots_of_every_key_type_sign_themselves(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < KINDS; i++) {
        struct subject self;
        struct order o;

        make_subject(f->authorities[i].pkey, "Root", NULL, &self);
        o = order_of(&root_row, &self, &f->authorities[i]);
        o.self_signed = true;
        o.until_s = CA_TIME_MAX_S;
        assert_as_openssl(&o);
        drop_subject(&self);
    }
}

static void every_curve_issues(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < KINDS; i++) {
        struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[i]);

        assert_as_openssl(&o);
    }
}

static void uris_of_the_crl_and_of_ocsp_stand_before_the_names(void **state)
{
    struct fixture *f = *state;

    for (size_t r = 0; r < ROWS; r++) {
        for (int which = 1; which < 4; which++) {
            struct order o = order_of(&rows[r], &f->subjects[OF_P256], &f->authorities[OF_P256]);

            if ((which & 1) != 0) o.cdp = "http://crl.example/crl/0f0e0d0c.crl";
            if ((which & 2) != 0) o.ocsp = "http://ocsp.example";
            assert_as_openssl(&o);
        }
    }
}

static void an_empty_subject_keeps_its_critical_names(void **state)
{
    struct fixture *f = *state;
    struct subject nameless;
    struct order o;

    make_subject(f->keys[OF_P256], NULL, "critical,DNS:device-000003.example", &nameless);
    assert_true(nameless.request.subject_empty);
    o = order_of(&rows[0], &nameless, &f->authorities[OF_P256]);
    assert_as_openssl(&o);
    drop_subject(&nameless);
}

static void lengths_are_right_on_both_sides_of_every_header_size(void **state)
{
    struct fixture *f = *state;
    char san[24000];

    for (size_t names = 1; names <= 700; names += names < 24 ? 1 : 169) {
        struct subject many;
        struct order o;
        size_t used = 0;

        for (size_t i = 0; i < names; i++) {
            used += (size_t)snprintf(san + used, sizeof(san) - used, "%sDNS:n%04zu.example.org",
                                     i == 0 ? "" : ",", i);
        }
        make_subject(f->keys[OF_P256], "n", san, &many);
        o = order_of(&rows[0], &many, &f->authorities[OF_ED25519]);
        assert_as_openssl(&o);
        drop_subject(&many);
    }
}

static void serials_of_every_length_are_positive(void **state)
{
    struct fixture *f = *state;

    for (size_t len = 1; len <= CA_SERIAL_MAX; len++) {
        struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);

        o.serial = (struct ca_serial){ .len = (uint8_t)len, .octets = { 0x7f, 1, 2, 3 } };
        assert_as_openssl(&o);
        if (len == CA_SERIAL_MAX) continue;     /* the zero octet would be the twenty-first */
        o.serial.octets[0] = 0x80;
        assert_as_openssl(&o);
    }
}

static void dates_change_their_type_at_2050(void **state)
{
    static const int64_t turns[] = { INT64_C(2524607999), INT64_C(2524608000), CA_TIME_MAX_S };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
        struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);

        o.until_s = turns[i];
        assert_as_openssl(&o);
        o.from_s = turns[i] - 1;
        assert_as_openssl(&o);
    }
}

static void other_digests_are_named_in_both_places(void **state)
{
    struct fixture *f = *state;
    static const enum ca_sig_alg sig_algs[] = { CA_SIG_RSA_SHA384, CA_SIG_RSA_SHA512 };
    static const int nids[] = { NID_sha384WithRSAEncryption, NID_sha512WithRSAEncryption };

    for (size_t i = 0; i < 2; i++) {
        struct authority a = f->authorities[OF_RSA];
        struct order o = order_of(&rows[0], &f->subjects[OF_P256], &a);
        struct ca_cert_slot slot;
        struct ca_buf arena;
        const uint8_t *p;
        X509 *x;

        a.sig_alg = sig_algs[i];
        a.signer = make_signer(f->crypto, a.pkey, a.sig_alg);
        ca_buf_init(&arena, ARENA_MAX);
        build_and_finish(&o, &arena, &slot);
        p = arena.data + slot.der_offset;
        x = d2i_X509(NULL, &p, (long)slot.der_len);
        assert_non_null(x);
        assert_int_equal(X509_get_signature_nid(x), nids[i]);
        assert_int_equal(OBJ_obj2nid(X509_get0_tbs_sigalg(x)->algorithm), nids[i]);
        assert_int_equal(X509_verify(x, a.pkey), 1);
        X509_free(x);
        ca_signer_free(a.signer);
        ca_buf_clear(&arena);
    }
}

/* Slots */

static void finishing_out_of_order_leaves_the_neighbours_alone(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile *profile = profile_of(&o);
    struct ca_tbs_input input = input_of(&o);
    struct ca_cert_slot slots[16];
    struct ca_buf arena;

    ca_buf_init(&arena, ARENA_MAX);
    for (uint8_t i = 0; i < 16; i++) {
        o.serial.octets[17] = i;
        assert_int_equal(ca_profile_build(profile, &input, &arena, &slots[i], NULL), CA_OK);
        assert_int_equal(slots[i].offset, i == 0 ? 0 : slots[i - 1].offset + slots[i - 1].size);
    }
    assert_int_equal(arena.len, slots[15].offset + slots[15].size);
    for (size_t k = 0; k < 16; k++) {
        struct ca_cert_slot *slot = &slots[(k * 5) % 16];
        uint8_t signature[CA_SIGNATURE_MAX];
        size_t len = 0;

        assert_int_equal(ca_signer_sign(o.authority->signer,
                                        ca_bytes_of(arena.data + slot->tbs_offset, slot->tbs_len),
                                        signature, &len, NULL), CA_OK);
        ca_profile_finish(profile, &arena, slot, ca_bytes_of(signature, len));
        assert_true(slot->der_offset >= slot->offset);
        assert_true(slot->der_offset + slot->der_len <= slot->offset + slot->size);
    }
    for (uint8_t i = 0; i < 16; i++) {
        const uint8_t *p = arena.data + slots[i].der_offset;
        X509 *x = d2i_X509(NULL, &p, (long)slots[i].der_len);

        assert_non_null(x);
        assert_int_equal(X509_get0_serialNumber(x)->data[17], i);
        assert_int_equal(X509_verify(x, o.authority->pkey), 1);
        X509_free(x);
    }
    ca_buf_clear(&arena);
    ca_profile_free(profile);
}

static void signatures_of_every_length_fit_their_slot(void **state)
{
    struct fixture *f = *state;
    static const size_t longest[KINDS] = { 256, 72, 104, 139, 64 };
    uint8_t signature[256];

    memset(signature, 0x5a, sizeof(signature));
    for (size_t i = 0; i < KINDS; i++) {
        struct order o = order_of(&rows[0], &f->subjects[OF_ED25519], &f->authorities[i]);
        struct ca_profile *profile = profile_of(&o);
        struct ca_tbs_input input = input_of(&o);

        for (size_t len = longest[i] - 6; len <= longest[i]; len++) {
            struct ca_cert_slot slot;
            struct ca_buf arena;
            const uint8_t *p;
            X509 *x;

            ca_buf_init(&arena, ARENA_MAX);
            assert_int_equal(ca_profile_build(profile, &input, &arena, &slot, NULL), CA_OK);
            ca_profile_finish(profile, &arena, &slot, ca_bytes_of(signature, len));
            p = arena.data + slot.der_offset;
            x = d2i_X509(NULL, &p, (long)slot.der_len);
            assert_non_null(x);
            assert_ptr_equal(p, arena.data + slot.der_offset + slot.der_len);
            X509_free(x);
            ca_buf_clear(&arena);
        }
        ca_profile_free(profile);
    }
}

static void a_warm_arena_is_not_allocated_again(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile *profile = profile_of(&o);
    struct ca_tbs_input input = input_of(&o);
    struct ca_cert_slot slot;
    struct ca_buf arena;
    const uint8_t *memory = NULL;

    ca_buf_init(&arena, ARENA_MAX);
    for (int round = 0; round < 3; round++) {
        ca_buf_reset(&arena);
        for (int i = 0; i < 256; i++) {
            assert_int_equal(ca_profile_build(profile, &input, &arena, &slot, NULL), CA_OK);
        }
        if (round > 0) assert_ptr_equal(arena.data, memory);
        memory = arena.data;
    }
    ca_buf_clear(&arena);
    ca_profile_free(profile);
}

static void a_full_arena_ends_the_chunk(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile *profile = profile_of(&o);
    struct ca_tbs_input input = input_of(&o);
    struct ca_cert_slot slot;
    struct ca_buf arena;

    ca_buf_init(&arena, 400);
    assert_int_equal(ca_profile_build(profile, &input, &arena, &slot, NULL), CA_FULL);
    ca_buf_clear(&arena);
    ca_profile_free(profile);
}

static void a_certificate_that_would_be_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    struct subject big = f->subjects[OF_P256];
    uint8_t *names = calloc(1, CA_CERT_DER_MAX);
    struct order o = order_of(&rows[0], &big, &f->authorities[OF_P256]);
    struct ca_profile *profile = profile_of(&o);
    struct ca_tbs_input input = input_of(&o);
    struct ca_cert_slot slot;
    struct ca_error err;
    struct ca_buf arena;

    assert_non_null(names);
    ca_buf_init(&arena, ARENA_MAX);
    big.request.has_san = true;
    big.request.san = ca_bytes_of(names, CA_CERT_DER_MAX - 300);
    assert_int_equal(ca_profile_build(profile, &input, &arena, &slot, &err), CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_REQUEST_TOO_LONG);
    assert_int_equal(arena.len, 0);
    assert_true(ca_profile_cert_len_max(profile, &big.request) > CA_CERT_DER_MAX);
    big.request.san.len = CA_CERT_DER_MAX - 1000;
    assert_int_equal(ca_profile_build(profile, &input, &arena, &slot, &err), CA_OK);
    ca_buf_clear(&arena);
    ca_profile_free(profile);
    free(names);
}

/* Which issuer may use which template */

static void assert_new_fails(const struct ca_profile_spec *spec, enum ca_reason reason)
{
    struct ca_profile *profile = NULL;
    struct ca_error err;

    assert_int_equal(ca_profile_new(spec, &profile, &err), CA_REFUSED);
    assert_int_equal(err.reason, reason);
    assert_null(profile);
}

static void only_the_root_template_is_for_a_self_signer_and_for_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec = spec_of(&o);

    spec.tmpl = template_of("RootCACertificate");
    assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
    spec.issuer = NULL;
    for (size_t r = 0; r < ROWS; r++) {
        spec.tmpl = template_of(rows[r].name);
        assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
    }
}

static void a_path_length_must_be_below_the_issuers(void **state)
{
    struct fixture *f = *state;
    static const char *const lens[] = { ",pathlen:0", ",pathlen:1", ",pathlen:2", ",pathlen:3",
                                        ",pathlen:4", "" };

    for (int issuer_len = 0; issuer_len < 6; issuer_len++) {
        X509 *x = make_ca_x509(f->authorities[OF_P256].pkey, lens[issuer_len]);
        struct ca_issuer *issuer = make_issuer(f->crypto, x);
        struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
        struct ca_profile_spec spec = spec_of(&o);

        spec.issuer = issuer;
        for (int len = 0; len < 4; len++) {
            struct ca_profile *profile = NULL;

            spec.tmpl = template_of(rows[5 + len].name);
            if (issuer_len < 5 && len >= issuer_len) {
                assert_new_fails(&spec, CA_REASON_PATH_LENGTH);
                continue;
            }
            assert_int_equal(ca_profile_new(&spec, &profile, NULL), CA_OK);
            ca_profile_free(profile);
        }
        spec.tmpl = template_of("EndEntityCertificate");
        {
            struct ca_profile *profile = NULL;

            assert_int_equal(ca_profile_new(&spec, &profile, NULL), CA_OK);
            ca_profile_free(profile);
        }
        ca_issuer_free(issuer);
        X509_free(x);
    }
}

static void what_is_no_ca_issues_nothing(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec = spec_of(&o);
    X509 *x = make_model(&o);
    struct ca_issuer *issuer = make_issuer(f->crypto, x);

    spec.issuer = issuer;
    assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
    ca_issuer_free(issuer);
    X509_free(x);
}

static void the_signing_key_must_be_the_issuers(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec = spec_of(&o);
    struct ca_profile *profile = NULL;
    struct ca_error err;

    spec.sig_alg = CA_SIG_RSA_SHA256;
    assert_int_equal(ca_profile_new(&spec, &profile, &err), CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "signing-algorithm");
    spec.issuer_key = CA_KEY_RSA_2048;
    assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
    o.authority = &f->authorities[OF_RSA];
    spec = spec_of(&o);
    spec.issuer_key = CA_KEY_RSA_4096;      /* of a longer signature */
    assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
}

static void a_profile_gives_back_what_it_was_made_of(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[3], &f->subjects[OF_P256], &f->authorities[OF_ED25519]);
    struct ca_profile *profile = profile_of(&o);

    assert_string_equal(ca_profile_template(profile)->name, "CodeSigningCertificate");
    assert_ptr_equal(ca_profile_issuer(profile), f->authorities[OF_ED25519].issuer);
    assert_int_equal(ca_profile_sig_alg(profile), CA_SIG_ED25519);
    ca_profile_free(profile);
    ca_profile_free(NULL);
}

/* Dates */

static enum ca_status dates(const struct ca_profile_spec *spec, int64_t now_s, int64_t *from_s,
                            int64_t *until_s, struct ca_error *err)
{
    struct ca_profile *profile = NULL;
    enum ca_status st;

    assert_int_equal(ca_profile_new(spec, &profile, NULL), CA_OK);
    st = ca_profile_dates(profile, now_s, from_s, until_s, err);
    ca_profile_free(profile);
    return st;
}

static void assert_dates(const struct ca_profile_spec *spec, int64_t now_s, int64_t from_s,
                         int64_t until_s)
{
    int64_t from = 0, until = 0;
    struct ca_error err;

    if (dates(spec, now_s, &from, &until, &err) != CA_OK) fail_msg("%s", err.text);
    assert_int_equal(from, from_s);
    assert_int_equal(until, until_s);
}

static void assert_no_dates(const struct ca_profile_spec *spec, int64_t now_s,
                            enum ca_reason reason, const char *part)
{
    int64_t from = -7, until = -7;
    struct ca_error err;

    assert_int_equal(dates(spec, now_s, &from, &until, &err), CA_REFUSED);
    assert_int_equal(err.reason, reason);
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_int_equal(from, -7);
}

static void dates_begin_an_hour_back_but_not_before_the_issuer(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec = spec_of(&o);

    assert_dates(&spec, NOW, NOW - 3600, NOW + 365 * DAY);
    assert_dates(&spec, ISSUER_FROM + 3600, ISSUER_FROM, ISSUER_FROM + 3600 + 365 * DAY);
    assert_dates(&spec, ISSUER_FROM + 60, ISSUER_FROM, ISSUER_FROM + 60 + 365 * DAY);
}

static void a_given_beginning_moves_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec = spec_of(&o);

    spec.not_before_s = NOW + 10 * DAY;
    assert_dates(&spec, NOW, NOW + 10 * DAY, NOW + 365 * DAY);
    spec.not_before_s = NOW + 365 * DAY;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "before it begins");
}

static void an_end_at_the_issuers_is_allowed_and_one_second_later_refused(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec = spec_of(&o);

    spec.validity = (struct ca_validity){ CA_VALIDITY_ABSOLUTE, ISSUER_UNTIL };
    assert_dates(&spec, NOW, NOW - 3600, ISSUER_UNTIL);
    spec.validity.value++;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_PAST_CA,
                    "The certificate validity specified exceeds the certificate authority "
                    "validity");
    /* An issuer that has expired issues nothing at all. */
    spec.validity = (struct ca_validity){ CA_VALIDITY_SECONDS, 1 };
    assert_no_dates(&spec, ISSUER_UNTIL, CA_REASON_VALIDITY_PAST_CA, "exceeds");
}

static void a_root_is_compared_with_nothing(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&root_row, &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec;

    o.self_signed = true;
    spec = spec_of(&o);
    spec.short_lived = true;
    spec.validity = (struct ca_validity){ CA_VALIDITY_ABSOLUTE, CA_TIME_MAX_S };
    assert_dates(&spec, NOW, NOW - 3600, CA_TIME_MAX_S);
}

static void short_lived_certificates_end_within_seven_days(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec = spec_of(&o);

    spec.short_lived = true;
    spec.validity = (struct ca_validity){ CA_VALIDITY_DAYS, 7 };
    assert_dates(&spec, NOW, NOW - 3600, NOW + 7 * DAY);
    spec.validity = (struct ca_validity){ CA_VALIDITY_SECONDS, 7 * DAY + 1 };
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "7 days");
}

static void a_template_may_have_a_limit_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec = spec_of(&o);
    struct ca_template limited = *spec.tmpl;

    limited.max_validity_days = 90;
    spec.tmpl = &limited;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "at most 90 days");
    spec.validity.value = 90;
    assert_dates(&spec, NOW, NOW - 3600, NOW + 90 * DAY);
}

static void a_period_without_sense_is_refused_with_its_own_sentence(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_P256]);
    struct ca_profile_spec spec = spec_of(&o);

    spec.validity.value = 0;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "Value '0' at 'validity.value'");
}

/* Hash */

static void hash_of(struct fixture *f, const struct ca_profile_spec *spec, uint8_t hash[32])
{
    struct ca_profile *profile = NULL;
    struct ca_buf text;
    uint8_t again[32];

    ca_buf_init(&text, 65536);
    assert_int_equal(ca_profile_new(spec, &profile, NULL), CA_OK);
    assert_int_equal(ca_profile_hash(profile, f->crypto, hash, NULL, NULL), CA_OK);
    assert_int_equal(ca_profile_hash(profile, f->crypto, again, &text, NULL), CA_OK);
    assert_memory_equal(hash, again, 32);
    assert_int_equal(EVP_Digest(text.data, text.len, again, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(hash, again, 32);       /* of exactly the text */
    ca_buf_clear(&text);
    ca_profile_free(profile);
}

static void the_hash_covers_everything_that_decides_a_certificate(void **state)
{
    struct fixture *f = *state;
    struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[OF_RSA]);
    X509 *x = make_ca_x509(f->authorities[OF_RSA].pkey, ",pathlen:3");
    struct ca_issuer *other = make_issuer(f->crypto, x);
    struct ca_profile_spec specs[10];
    uint8_t hashes[10][32], again[32];

    for (size_t i = 0; i < 10; i++) specs[i] = spec_of(&o);
    specs[1].tmpl = template_of("device");
    specs[2].issuer = other;
    specs[3].sig_alg = CA_SIG_RSA_SHA512;
    specs[4].validity.value = 364;
    specs[5].validity.type = CA_VALIDITY_MONTHS;
    specs[6].not_before_s = NOW;
    specs[7].cdp_uri = "http://a.example/\"quoted\"";
    specs[8].ocsp_uri = "http://a.example/";
    specs[9].short_lived = true;
    for (size_t i = 0; i < 10; i++) {
        hash_of(f, &specs[i], hashes[i]);
        for (size_t k = 0; k < i; k++) assert_memory_not_equal(hashes[i], hashes[k], 32);
    }
    hash_of(f, &specs[0], again);
    assert_memory_equal(again, hashes[0], 32);
    ca_issuer_free(other);
    X509_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_template_key_and_issuer_gives_the_certificate_that_openssl_makes),
        cmocka_unit_test(every_template_but_the_root_is_compared),
        cmocka_unit_test(roots_of_every_key_type_sign_themselves),
        cmocka_unit_test(every_curve_issues),
        cmocka_unit_test(uris_of_the_crl_and_of_ocsp_stand_before_the_names),
        cmocka_unit_test(an_empty_subject_keeps_its_critical_names),
        cmocka_unit_test(lengths_are_right_on_both_sides_of_every_header_size),
        cmocka_unit_test(serials_of_every_length_are_positive),
        cmocka_unit_test(dates_change_their_type_at_2050),
        cmocka_unit_test(other_digests_are_named_in_both_places),
        cmocka_unit_test(finishing_out_of_order_leaves_the_neighbours_alone),
        cmocka_unit_test(signatures_of_every_length_fit_their_slot),
        cmocka_unit_test(a_warm_arena_is_not_allocated_again),
        cmocka_unit_test(a_full_arena_ends_the_chunk),
        cmocka_unit_test(a_certificate_that_would_be_too_long_is_refused),
        cmocka_unit_test(only_the_root_template_is_for_a_self_signer_and_for_nobody_else),
        cmocka_unit_test(a_path_length_must_be_below_the_issuers),
        cmocka_unit_test(what_is_no_ca_issues_nothing),
        cmocka_unit_test(the_signing_key_must_be_the_issuers),
        cmocka_unit_test(a_profile_gives_back_what_it_was_made_of),
        cmocka_unit_test(dates_begin_an_hour_back_but_not_before_the_issuer),
        cmocka_unit_test(a_given_beginning_moves_nothing_else),
        cmocka_unit_test(an_end_at_the_issuers_is_allowed_and_one_second_later_refused),
        cmocka_unit_test(a_root_is_compared_with_nothing),
        cmocka_unit_test(short_lived_certificates_end_within_seven_days),
        cmocka_unit_test(a_template_may_have_a_limit_of_its_own),
        cmocka_unit_test(a_period_without_sense_is_refused_with_its_own_sentence),
        cmocka_unit_test(the_hash_covers_everything_that_decides_a_certificate),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
