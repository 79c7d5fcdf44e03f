/*
 * What profiles build. The judge of it is OpenSSL's X509 API, which makes the same certificate from
 * the specification's words (engine never uses that API) and must come to the same octets. Every
 * row of the catalogue with every kind of key: test_profile_differential.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/profile.h"
#include "tests/support/x509_fixture.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW X509_FIXTURE_NOW
#define ARENA_MAX (1u << 20)
#define DAY 86400

struct fixture {
    struct ca_crypto *crypto;
    EVP_PKEY *keys[KINDS];          /* of subjects */
    struct x509_subject subjects[KINDS];
    struct x509_authority authorities[ISSUER_KINDS];
    struct ca_template device;      /* KeyUsage by the kind of key */
};

/* Fixture */

static int setup(void **state)
{
    static const struct x509_extension sans[KINDS][2] = {
        { { "subjectAltName", "DNS:rsa.example" } },
        { { "subjectAltName", "DNS:node.example,IP:192.0.2.1,IP:2001:db8::1" } },
        { { NULL, NULL } },
        { { "subjectAltName", "email:a@example.org,URI:https://example.org/x" } },
        { { "subjectAltName", "critical,DNS:*.example.org" } },
        { { "subjectAltName", "DNS:ed448.example" } },
    };
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    for (int i = 0; i < KINDS; i++) {
        f->keys[i] = x509_make_key(i);
        x509_make_subject(f->keys[i], "device-000001", sans[i], &f->subjects[i]);
        if (i < ISSUER_KINDS) x509_make_authority(f->crypto, i, "", &f->authorities[i]);
    }
    f->device = *ca_template_default();
    f->device.name = "device";
    f->device.ours = true;
    f->device.key_usage_signing_only = CA_KU_DIGITAL_SIGNATURE;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < KINDS; i++) {
        x509_drop_subject(&f->subjects[i]);
        EVP_PKEY_free(f->keys[i]);
        if (i < ISSUER_KINDS) x509_drop_authority(&f->authorities[i]);
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
};

/* A template of a user's: EndEntityCertificate with the bits that fit the key (RFC 8813, 9295). */
static const struct row device_row = { "device", "CA:FALSE", EE_USAGE, SIGN_USAGE,
                                       "serverAuth,clientAuth" };

static const struct row root_row = { "RootCACertificate", "critical,CA:TRUE", CA_USAGE, CA_USAGE,
                                     NULL };

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* One certificate to be made twice. */
struct order {
    const struct row *row;
    const struct ca_template *tmpl;     /* instead of the row's */
    const struct x509_subject *subject;
    const struct x509_authority *authority;
    bool self_signed;               /* a root: the authority's key over its own request */
    struct ca_serial serial;
    int64_t from_s, until_s;
    const struct ca_revocation *revocation;
    uint32_t scope;
    const char *cdp, *ocsp, *freshest;          /* as they stand in the model */
    const struct x509_extension *own, *extra;   /* the template's further ones, what passed */
};

static struct order order_of(const struct row *row, const struct x509_subject *subject,
                             const struct x509_authority *authority)
{
    return (struct order){ .row = row, .subject = subject, .authority = authority,
                           .serial = x509_serial("019a0000000112233445566778899aabbcc0"),
                           .from_s = NOW - 3600, .until_s = NOW + 365 * DAY };
}

static void add_uri(X509 *x, const char *type, const char *before, const char *uri)
{
    char value[600];

    if (uri == NULL) return;
    (void)snprintf(value, sizeof(value), "%sURI:%s", before, uri);
    x509_add(x, NULL, type, value);
}

static void add_all(X509 *x, const struct x509_extension *list)
{
    for (; list != NULL && list->type != NULL; list++) x509_add(x, NULL, list->type, list->value);
}

static X509 *make_model(const struct order *o)
{
    const X509_NAME *subject = X509_REQ_get_subject_name(o->subject->req);
    const struct x509_frame frame = {
        .issuer = o->self_signed ? subject : X509_get_subject_name(o->authority->x509),
        .subject = subject, .key = o->subject->pkey, .serial = o->serial,
        .from_s = o->from_s, .until_s = o->until_s,
    };
    bool rsa = EVP_PKEY_is_a(o->subject->pkey, "RSA");
    X509 *x = x509_make_frame(&frame);

    x509_add(x, NULL, "basicConstraints", o->row->constraints);
    if (!o->self_signed)
        x509_add(x, o->authority->x509, "authorityKeyIdentifier", "keyid:always");
    x509_add(x, NULL, "subjectKeyIdentifier", "hash");
    x509_add(x, NULL, "keyUsage", rsa ? o->row->usage_rsa : o->row->usage_other);
    if (o->row->extended != NULL) x509_add(x, NULL, "extendedKeyUsage", o->row->extended);
    add_uri(x, "crlDistributionPoints", "", o->cdp);
    add_uri(x, "authorityInfoAccess", "OCSP;", o->ocsp);
    add_uri(x, "freshestCRL", "", o->freshest);
    add_all(x, o->own);
    add_all(x, o->extra);
    x509_add_san_of(x, o->subject->req);
    x509_sign_model(x, o->authority->pkey);
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
        .tmpl = o->tmpl != NULL ? o->tmpl : template_of(o->row->name),
        .issuer = o->self_signed ? NULL : o->authority->issuer,
        .issuer_key = o->authority->alg,
        .sig_alg = o->authority->sig_alg,
        .validity = { .type = CA_VALIDITY_DAYS, .value = 365 },
        .revocation = o->revocation,
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
    return (struct ca_tbs_input){ .request = &o->subject->request,
                                  .contents = &o->subject->contents, .serial = &o->serial,
                                  .not_before_s = o->from_s, .not_after_s = o->until_s,
                                  .scope = o->scope };
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
    size_t len = ca_profile_cert_len_max(profile, &o->subject->request, &o->subject->contents);

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

static void key_usage_may_depend_on_the_kind_of_key(void **state)
{
    struct fixture *f = *state;

    for (size_t s = 0; s < KINDS; s++) {
        struct order o = order_of(&device_row, &f->subjects[s], &f->authorities[OF_P256]);

        o.tmpl = &f->device;
        assert_as_openssl(&o);
    }
}

static void roots_of_every_key_type_sign_themselves(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ISSUER_KINDS; i++) {
        struct x509_subject self;
        struct order o;

        x509_make_subject(f->authorities[i].pkey, "Root", NULL, &self);
        o = order_of(&root_row, &self, &f->authorities[i]);
        o.self_signed = true;
        o.until_s = CA_TIME_MAX_S;
        assert_as_openssl(&o);
        x509_drop_subject(&self);
    }
}

static void every_curve_issues(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ISSUER_KINDS; i++) {
        struct order o = order_of(&rows[0], &f->subjects[OF_P256], &f->authorities[i]);

        assert_as_openssl(&o);
    }
}

#define CDP_URI "http://crl.example/crl/0f0e0d0c.crl"
#define FRESHEST_URI "http://crl.example/crl/0f0e0d0c-delta.crl"
#define OCSP_URI "http://ocsp.example"

/* One of the texts of revocation settings; returns uri. */
static const char *set_uri(char out[512], const char *uri)
{
    (void)snprintf(out, 512, "%s", uri);
    return uri;
}

static void uris_of_the_crls_and_of_ocsp_stand_before_the_names(void **state)
{
    struct fixture *f = *state;

    for (size_t r = 0; r < ROWS; r++) {
        for (int which = 0; which < 8; which++) {
            struct ca_revocation revocation = { .crl_enabled = true };
            struct order o = order_of(&rows[r], &f->subjects[OF_P256], &f->authorities[OF_P256]);

            o.revocation = &revocation;
            if ((which & 1) != 0) o.cdp = set_uri(revocation.cdp_uri, CDP_URI);
            if ((which & 2) != 0) o.ocsp = set_uri(revocation.ocsp_uri, OCSP_URI);
            if ((which & 4) != 0) (void)set_uri(revocation.freshest_uri, FRESHEST_URI);
            if ((which & 5) == 5) o.freshest = FRESHEST_URI;    /* never without a CDP */
            assert_as_openssl(&o);
        }
    }
}

static void a_scope_stands_in_the_uris_of_partitioned_crls(void **state)
{
    static const char cdp[] = "http://crl.example/crl/0f0e0d0c/%06u.crl";
    static const char freshest[] = "http://crl.example/crl/0f0e0d0c/%06u-delta.crl";
    static const unsigned scopes[] = { 0, 1, 7, 12345, CA_SCOPE_MAX };
    struct fixture *f = *state;

    for (int partitioned = 0; partitioned < 2; partitioned++) {
        for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
            unsigned scope = partitioned != 0 ? scopes[i] : 0;
            struct ca_revocation revocation = { .crl_enabled = true,
                                                .crl_partitioned = partitioned != 0 };
            struct order o = order_of(&rows[0], &f->subjects[i], &f->authorities[OF_ED25519]);
            char cdp_uri[128], freshest_uri[128];

            (void)snprintf(revocation.cdp_uri, 512, cdp, 0u);
            (void)snprintf(revocation.freshest_uri, 512, freshest, 0u);
            o.ocsp = set_uri(revocation.ocsp_uri, OCSP_URI);
            (void)snprintf(cdp_uri, sizeof(cdp_uri), cdp, scope);
            (void)snprintf(freshest_uri, sizeof(freshest_uri), freshest, scope);
            o.revocation = &revocation;
            o.scope = scopes[i];
            o.cdp = cdp_uri;
            o.freshest = freshest_uri;
            assert_as_openssl(&o);
        }
    }
}

/* OpenSSL's Extensions, one after the other. */
static void collect(const struct x509_extension *list, struct ca_buf *out)
{
    X509 *x = X509_new();

    ca_buf_init(out, 65536);
    add_all(x, list);
    for (int i = 0; i < X509_get_ext_count(x); i++) {
        uint8_t *der = NULL;
        int len = i2d_X509_EXTENSION(X509_get_ext(x, i), &der);

        assert_true(len > 0);
        ca_buf_append(out, der, (size_t)len);
        OPENSSL_free(der);
    }
    X509_free(x);
}

static void further_extensions_stand_between_the_crls_and_the_names(void **state)
{
    static const struct x509_extension own[] = {
        { "1.3.6.1.5.5.7.1.24", "DER:3003020105" }, { "certificatePolicies", "1.2.3.4,@policy" },
        { NULL, NULL },
    };
    static const struct x509_extension extra[] = {
        { "1.2.3.4.5", "critical,DER:0500" }, { "nsComment", "x" }, { NULL, NULL },
    };
    struct fixture *f = *state;
    struct ca_revocation revocation = { .crl_enabled = true };
    struct ca_buf own_der, extra_der;

    (void)set_uri(revocation.cdp_uri, CDP_URI);
    (void)set_uri(revocation.freshest_uri, FRESHEST_URI);
    (void)set_uri(revocation.ocsp_uri, OCSP_URI);
    collect(own, &own_der);
    collect(extra, &extra_der);
    for (int which = 0; which < 4; which++) {
        struct x509_subject subject = f->subjects[OF_P256];
        struct ca_template tmpl = *ca_template_default();
        struct order o = order_of(&rows[0], &subject, &f->authorities[OF_P256]);

        o.tmpl = &tmpl;
        o.revocation = &revocation;
        o.cdp = CDP_URI;
        o.ocsp = OCSP_URI;
        o.freshest = FRESHEST_URI;
        if ((which & 1) != 0) {
            tmpl.extensions = ca_buf_view(&own_der);
            o.own = own;
        }
        if ((which & 2) != 0) {
            subject.contents.extra = ca_buf_view(&extra_der);
            o.extra = extra;
        }
        assert_as_openssl(&o);
    }
    ca_buf_clear(&own_der);
    ca_buf_clear(&extra_der);
}

static void further_purposes_of_a_template_are_written(void **state)
{
    static const uint8_t more[] = { 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 17 };
    static const struct row with_both = { "x", "CA:FALSE", EE_USAGE, EE_USAGE,
                                          "serverAuth,clientAuth,1.3.6.1.5.5.7.3.17" };
    static const struct row with_one = { "x", "CA:FALSE", EE_USAGE, EE_USAGE,
                                         "critical,1.3.6.1.5.5.7.3.17" };
    struct fixture *f = *state;
    struct ca_template tmpl = *ca_template_default();
    struct order o = order_of(&with_both, &f->subjects[OF_P256], &f->authorities[OF_P256]);

    o.tmpl = &tmpl;
    tmpl.eku_more = ca_bytes_of(more, sizeof(more));
    assert_as_openssl(&o);
    tmpl.eku = 0;
    tmpl.eku_critical = true;
    o.row = &with_one;
    assert_as_openssl(&o);
}

/* The subject and the names of a certificate are what was decided, not what was requested. */
static void names_come_from_what_was_decided(void **state)
{
    static const struct x509_extension san[] = { { "subjectAltName", "critical,DNS:api.example" },
                                                 { NULL, NULL } };
    struct fixture *f = *state;
    struct x509_subject asked = f->subjects[OF_P256], other;
    struct order o = order_of(&rows[0], &asked, &f->authorities[OF_P256]);
    struct ca_cert_slot slot;
    struct ca_buf arena;
    uint8_t *tbs = NULL;
    X509 *model;
    int len;

    x509_make_subject(f->keys[OF_P256], "decided", san, &other);
    asked.contents = other.contents;
    ca_buf_init(&arena, ARENA_MAX);
    build_and_finish(&o, &arena, &slot);
    o.subject = &other;
    model = make_model(&o);
    len = i2d_re_X509_tbs(model, &tbs);
    assert_int_equal(slot.tbs_len, len);
    assert_memory_equal(arena.data + slot.tbs_offset, tbs, slot.tbs_len);
    X509_free(model);
    OPENSSL_free(tbs);
    ca_buf_clear(&arena);
    x509_drop_subject(&other);
}

static void an_empty_subject_keeps_its_critical_names(void **state)
{
    static const struct x509_extension san[] = {
        { "subjectAltName", "critical,DNS:device-000003.example" }, { NULL, NULL },
    };
    struct fixture *f = *state;
    struct x509_subject nameless;
    struct order o;

    x509_make_subject(f->keys[OF_P256], NULL, san, &nameless);
    assert_true(nameless.request.subject_empty);
    o = order_of(&rows[0], &nameless, &f->authorities[OF_P256]);
    assert_as_openssl(&o);
    x509_drop_subject(&nameless);
}

static void lengths_are_right_on_both_sides_of_every_header_size(void **state)
{
    struct fixture *f = *state;
    char san[24000];
    const struct x509_extension extensions[] = { { "subjectAltName", san }, { NULL, NULL } };

    for (size_t names = 1; names <= 700; names += names < 24 ? 1 : 169) {
        struct x509_subject many;
        struct order o;
        size_t used = 0;

        for (size_t i = 0; i < names; i++) {
            used += (size_t)snprintf(san + used, sizeof(san) - used, "%sDNS:n%04zu.example.org",
                                     i == 0 ? "" : ",", i);
        }
        x509_make_subject(f->keys[OF_P256], "n", extensions, &many);
        o = order_of(&rows[0], &many, &f->authorities[OF_ED25519]);
        assert_as_openssl(&o);
        x509_drop_subject(&many);
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
        struct x509_authority a = f->authorities[OF_RSA];
        struct order o = order_of(&rows[0], &f->subjects[OF_P256], &a);
        struct ca_cert_slot slot;
        struct ca_buf arena;
        const uint8_t *p;
        X509 *x;

        a.sig_alg = sig_algs[i];
        a.signer = x509_make_signer(f->crypto, a.pkey, a.sig_alg);
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
    static const size_t longest[ISSUER_KINDS] = { 256, 72, 104, 139, 64 };
    uint8_t signature[256];

    memset(signature, 0x5a, sizeof(signature));
    for (size_t i = 0; i < ISSUER_KINDS; i++) {
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
    struct x509_subject big = f->subjects[OF_P256];
    uint8_t *names = calloc(1, CA_CERT_DER_MAX);
    struct order o = order_of(&rows[0], &big, &f->authorities[OF_P256]);
    struct ca_profile *profile = profile_of(&o);
    struct ca_tbs_input input = input_of(&o);
    struct ca_cert_slot slot;
    struct ca_error err;
    struct ca_buf arena;

    assert_non_null(names);
    ca_buf_init(&arena, ARENA_MAX);
    big.contents.has_san = true;
    big.contents.san = ca_bytes_of(names, CA_CERT_DER_MAX - 300);
    assert_int_equal(ca_profile_build(profile, &input, &arena, &slot, &err), CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_REQUEST_TOO_LONG);
    assert_int_equal(arena.len, 0);
    assert_true(ca_profile_cert_len_max(profile, &big.request, &big.contents) > CA_CERT_DER_MAX);
    big.contents.san.len = CA_CERT_DER_MAX - 1000;
    assert_int_equal(ca_profile_build(profile, &input, &arena, &slot, &err), CA_OK);
    big.contents.extra = ca_bytes_of(names, 700);
    assert_int_equal(ca_profile_build(profile, &input, &arena, &slot, &err), CA_MALFORMED);
    assert_true(ca_profile_cert_len_max(profile, &big.request, &big.contents) > CA_CERT_DER_MAX);
    ca_buf_clear(&arena);
    ca_profile_free(profile);
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_template_key_and_issuer_gives_the_certificate_that_openssl_makes),
        cmocka_unit_test(key_usage_may_depend_on_the_kind_of_key),
        cmocka_unit_test(roots_of_every_key_type_sign_themselves),
        cmocka_unit_test(every_curve_issues),
        cmocka_unit_test(uris_of_the_crls_and_of_ocsp_stand_before_the_names),
        cmocka_unit_test(a_scope_stands_in_the_uris_of_partitioned_crls),
        cmocka_unit_test(further_extensions_stand_between_the_crls_and_the_names),
        cmocka_unit_test(further_purposes_of_a_template_are_written),
        cmocka_unit_test(names_come_from_what_was_decided),
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
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
