/* Issuers and the import rules (spec 4.3), over hierarchies that OpenSSL's X509 API makes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/crypto.h"
#include "engine/issuer.h"

#include <openssl/conf.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 12     /* a hierarchy deeper than any that is accepted */

struct fixture {
    struct ca_crypto *crypto;
    EVP_PKEY *keys[KEYS];
    EVP_PKEY *rsa;
};

/* What a certificate is made of; zero means the usual. */
struct recipe {
    const char *subject, *issuer;       /* common names */
    EVP_PKEY *key, *signer;
    const char *constraints;            /* "critical,CA:TRUE"; "" for none */
    const char *usage;                  /* "critical,keyCertSign,cRLSign"; "" for none */
    const char *extra;                  /* "OID=value" in OpenSSL's syntax */
    bool no_ski;
    int64_t until_s;
    const EVP_MD *md;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    for (size_t i = 0; i < KEYS; i++) {
        f->keys[i] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        assert_non_null(f->keys[i]);
    }
    f->rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    assert_non_null(f->rsa);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < KEYS; i++) EVP_PKEY_free(f->keys[i]);
    EVP_PKEY_free(f->rsa);
    ca_crypto_free(f->crypto);
    free(f);
    return 0;
}

/* A certificate in DER, for as long as the test's pool lives. */
struct pool {
    uint8_t *der[64];
    size_t count;
};

static void drop_pool(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) OPENSSL_free(pool->der[i]);
}

static struct ca_bytes keep(struct pool *pool, uint8_t *der, int len)
{
    assert_true(len > 0);
    assert_true(pool->count < sizeof(pool->der) / sizeof(pool->der[0]));
    pool->der[pool->count++] = der;
    return ca_bytes_of(der, (size_t)len);
}

static X509_NAME *name_of(const char *common_name)
{
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)common_name, -1, -1, 0), 1);
    return name;
}

static void add_extension(X509 *x, const char *name, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;
    CONF *conf;

    if (value[0] == '\0') return;
    conf = NCONF_new(NULL);         /* empty; policies are not made without one */
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509V3_set_nconf(&ctx, conf);
    extension = X509V3_EXT_nconf(conf, &ctx, name, value);
    if (extension == NULL) fail_msg("OpenSSL makes no %s from %s", name, value);
    assert_int_equal(X509_add_ext(x, extension, -1), 1);
    X509_EXTENSION_free(extension);
    NCONF_free(conf);
}

static struct ca_bytes make(struct pool *pool, const struct recipe *r)
{
    X509 *x = X509_new();
    X509_NAME *subject = name_of(r->subject), *issuer = name_of(r->issuer);
    uint8_t *der = NULL;
    int len;

    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), (long)pool->count + 1), 1);
    assert_int_equal(X509_set_subject_name(x, subject), 1);
    assert_int_equal(X509_set_issuer_name(x, issuer), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), 1700000000));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), r->until_s != 0 ? r->until_s
                                                                        : 2000000000));
    assert_int_equal(X509_set_pubkey(x, r->key), 1);
    add_extension(x, "basicConstraints", r->constraints != NULL ? r->constraints
                                                                : "critical,CA:TRUE");
    add_extension(x, "keyUsage", r->usage != NULL ? r->usage : "critical,keyCertSign,cRLSign");
    if (!r->no_ski) add_extension(x, "subjectKeyIdentifier", "hash");
    if (r->extra != NULL) {
        char name[64];
        const char *equals = strchr(r->extra, '=');

        (void)snprintf(name, sizeof(name), "%.*s", (int)(equals - r->extra), r->extra);
        add_extension(x, name, equals + 1);
    }
    assert_true(X509_sign(x, r->signer, r->md != NULL ? r->md : EVP_sha256()) > 0);
    len = i2d_X509(x, &der);
    X509_NAME_free(subject);
    X509_NAME_free(issuer);
    X509_free(x);
    return keep(pool, der, len);
}

static struct recipe root_recipe(const struct fixture *f)
{
    return (struct recipe){ .subject = "Root", .issuer = "Root", .key = f->keys[0],
                            .signer = f->keys[0] };
}

static struct recipe sub_recipe(const struct fixture *f)
{
    return (struct recipe){ .subject = "Sub", .issuer = "Root", .key = f->keys[1],
                            .signer = f->keys[0] };
}

static struct ca_bytes spki_of(struct pool *pool, EVP_PKEY *key)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key, &der);

    return keep(pool, der, len);
}

static struct ca_bytes name_der_of(struct pool *pool, const char *common_name)
{
    X509_NAME *name = name_of(common_name);
    uint8_t *der = NULL;
    int len = i2d_X509_NAME(name, &der);

    X509_NAME_free(name);
    return keep(pool, der, len);
}

static struct ca_bytes join(struct pool *pool, const struct ca_bytes *parts, size_t count)
{
    size_t len = 0, used = 0;
    uint8_t *all;

    for (size_t i = 0; i < count; i++) len += parts[i].len;
    all = OPENSSL_malloc(len);
    assert_non_null(all);
    for (size_t i = 0; i < count; i++) {
        memcpy(all + used, parts[i].data, parts[i].len);
        used += parts[i].len;
    }
    return keep(pool, all, (int)len);
}

static const struct ca_bytes none = { .data = NULL, .len = 0 };

/* Importing */

static void assert_imports(struct fixture *f, struct pool *pool, bool is_root, EVP_PKEY *key,
                           const char *subject, struct ca_bytes cert, struct ca_bytes chain)
{
    struct ca_error err;

    if (ca_issuer_check_import(f->crypto, is_root, spki_of(pool, key), name_der_of(pool, subject),
                               cert, chain, &err) != CA_OK)
        fail_msg("%s", err.text);
}

static void assert_import_fails(struct fixture *f, struct pool *pool, bool is_root, EVP_PKEY *key,
                                const char *subject, struct ca_bytes cert, struct ca_bytes chain,
                                const char *name, const char *part)
{
    struct ca_error err;
    enum ca_status expected = strcmp(name, "malformed-certificate") == 0 ? CA_MALFORMED
                                                                         : CA_REFUSED;

    assert_int_equal(ca_issuer_check_import(f->crypto, is_root, spki_of(pool, key),
                                            name_der_of(pool, subject), cert, chain, &err),
                     expected);
    assert_string_equal(ca_error_name(&err), name);
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
}

static void a_root_and_a_subordinate_are_imported(void **state)
{
    struct fixture *f = *state;
    struct pool pool = { .count = 0 };
    struct recipe root = root_recipe(f), sub = sub_recipe(f);
    struct ca_bytes root_der = make(&pool, &root), sub_der = make(&pool, &sub);

    assert_imports(f, &pool, true, f->keys[0], "Root", root_der, none);
    assert_imports(f, &pool, false, f->keys[1], "Sub", sub_der, root_der);
    drop_pool(&pool);
}

static void a_certificate_for_another_key_or_name_is_refused(void **state)
{
    struct fixture *f = *state;
    struct pool pool = { .count = 0 };
    struct recipe root = root_recipe(f);
    struct ca_bytes der = make(&pool, &root);

    assert_import_fails(f, &pool, true, f->keys[1], "Root", der, none, "certificate-mismatch",
                        "another key");
    assert_import_fails(f, &pool, true, f->keys[0], "Toor", der, none, "malformed-certificate",
                        "subject");
    drop_pool(&pool);
}

static void what_is_no_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    struct pool pool = { .count = 0 };
    struct recipe root = root_recipe(f), sub = sub_recipe(f);
    struct ca_bytes root_der = make(&pool, &root), sub_der = make(&pool, &sub);
    const struct ca_bytes both[] = { root_der, { (const uint8_t *)"\x04\x01x", 3 } };
    const struct ca_bytes garbage[] = { root_der, { (const uint8_t *)"\x30\x01x", 3 } };

    assert_import_fails(f, &pool, true, f->keys[0], "Root", ca_bytes_of("\x30\x00", 2), none,
                        "malformed-certificate", "not a good certificate");
    assert_import_fails(f, &pool, false, f->keys[1], "Sub", sub_der, join(&pool, both, 2),
                        "malformed-certificate", "no certificate");
    assert_import_fails(f, &pool, false, f->keys[1], "Sub", sub_der, join(&pool, garbage, 2),
                        "malformed-certificate", "not a good certificate");
    drop_pool(&pool);
}

static void a_root_must_sign_itself_and_have_no_chain(void **state)
{
    struct fixture *f = *state;
    struct pool pool = { .count = 0 };
    struct recipe root = root_recipe(f), sub = sub_recipe(f);
    struct ca_bytes root_der = make(&pool, &root), sub_der = make(&pool, &sub), other;

    assert_import_fails(f, &pool, true, f->keys[0], "Root", root_der, root_der, "invalid-request",
                        "no chain");
    assert_import_fails(f, &pool, true, f->keys[1], "Sub", sub_der, none, "invalid-request",
                        "self-signed");
    root.signer = f->keys[2];           /* its own name, another's signature */
    other = make(&pool, &root);
    assert_import_fails(f, &pool, true, f->keys[0], "Root", other, none, "invalid-request",
                        "self-signed");
    drop_pool(&pool);
}

static void a_subordinate_must_not_sign_itself_and_needs_a_chain(void **state)
{
    struct fixture *f = *state;
    struct pool pool = { .count = 0 };
    struct recipe root = root_recipe(f), sub = sub_recipe(f);
    struct ca_bytes root_der = make(&pool, &root), sub_der = make(&pool, &sub);

    assert_import_fails(f, &pool, false, f->keys[0], "Root", root_der, root_der,
                        "invalid-request", "not be self-signed");
    assert_import_fails(f, &pool, false, f->keys[1], "Sub", sub_der, none, "invalid-request",
                        "needs the chain");
    drop_pool(&pool);
}

static void basic_constraints_must_be_there_critical_and_true(void **state)
{
    static const char *const constraints[] = { "", "CA:TRUE", "critical,CA:FALSE", "CA:FALSE" };
    struct fixture *f = *state;

    for (size_t i = 0; i < 4; i++) {
        struct pool pool = { .count = 0 };
        struct recipe root = root_recipe(f);

        root.constraints = constraints[i];
        assert_import_fails(f, &pool, true, f->keys[0], "Root", make(&pool, &root), none,
                            "malformed-certificate", "basic constraints");
        drop_pool(&pool);
    }
}

static void key_usage_must_allow_signing_certificates_where_it_is_there(void **state)
{
    struct fixture *f = *state;
    struct pool pool = { .count = 0 };
    struct recipe root = root_recipe(f);

    root.usage = "critical,digitalSignature,cRLSign";
    assert_import_fails(f, &pool, true, f->keys[0], "Root", make(&pool, &root), none,
                        "malformed-certificate", "key usage");
    root.usage = "";
    assert_imports(f, &pool, true, f->keys[0], "Root", make(&pool, &root), none);
    drop_pool(&pool);
}

static void only_the_listed_extensions_may_be_critical(void **state)
{
    static const char *const good[] = {
        "nameConstraints=critical,permitted;DNS:example.org",
        "certificatePolicies=critical,1.2.3.4",
        "extendedKeyUsage=critical,serverAuth",
        "inhibitAnyPolicy=critical,0",
        "subjectAltName=critical,DNS:ca.example.org",
        "issuerAltName=critical,DNS:ca.example.org",
        "policyMappings=critical,1.2.3.4:1.2.3.5",
        "2.5.29.9=critical,DER:3000",
        "2.5.29.35=critical,DER:3000",
        "1.3.6.1.5.5.7.1.11=critical,DER:3000",
        "crlDistributionPoints=URI:http://example.org/a.crl",
        "1.2.3.4.5=DER:0500",
    };
    static const char *const bad[] = {
        "authorityInfoAccess=critical,OCSP;URI:http://example.org",
        "crlDistributionPoints=critical,URI:http://example.org/a.crl",
        "freshestCRL=critical,URI:http://example.org/a.crl",
        "policyConstraints=critical,requireExplicitPolicy:0",
        "1.2.3.4.5=critical,DER:0500",
        "2.5.29.19.1=critical,DER:0500",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct pool pool = { .count = 0 };
        struct recipe root = root_recipe(f);

        root.extra = good[i];
        assert_imports(f, &pool, true, f->keys[0], "Root", make(&pool, &root), none);
        drop_pool(&pool);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pool pool = { .count = 0 };
        struct recipe root = root_recipe(f);

        root.extra = bad[i];
        assert_import_fails(f, &pool, true, f->keys[0], "Root", make(&pool, &root), none,
                            "malformed-certificate", "critical");
        drop_pool(&pool);
    }
}

/* Root, Inter, Sub; each may be bent by the caller before it is made. */
struct three {
    struct recipe root, inter, sub;
};

static struct three three_recipes(const struct fixture *f)
{
    struct three t = { .root = root_recipe(f), .inter = sub_recipe(f), .sub = sub_recipe(f) };

    t.inter.subject = "Inter";
    t.inter.key = f->keys[2];
    t.sub.issuer = "Inter";
    t.sub.signer = f->keys[2];
    return t;
}

static void assert_three(struct fixture *f, const struct three *t, const char *name,
                         const char *part)
{
    struct pool pool = { .count = 0 };
    struct ca_bytes above[2], sub;

    above[1] = make(&pool, &t->root);
    above[0] = make(&pool, &t->inter);
    sub = make(&pool, &t->sub);
    if (name == NULL) {
        assert_imports(f, &pool, false, t->sub.key, t->sub.subject, sub, join(&pool, above, 2));
    } else {
        assert_import_fails(f, &pool, false, t->sub.key, t->sub.subject, sub,
                            join(&pool, above, 2), name, part);
    }
    drop_pool(&pool);
}

static void a_chain_is_in_order_complete_and_without_the_certificate(void **state)
{
    struct fixture *f = *state;
    struct three t = three_recipes(f);
    struct pool pool = { .count = 0 };
    struct ca_bytes root = make(&pool, &t.root), inter = make(&pool, &t.inter),
                    sub = make(&pool, &t.sub);
    const struct ca_bytes wrong_order[] = { root, inter }, with_itself[] = { sub, inter, root };
    const struct ca_bytes without_root[] = { inter }, root_twice[] = { inter, root, root };

    assert_three(f, &t, NULL, NULL);
    assert_import_fails(f, &pool, false, f->keys[1], "Sub", sub, join(&pool, wrong_order, 2),
                        "certificate-mismatch", "not in order");
    assert_import_fails(f, &pool, false, f->keys[1], "Sub", sub, join(&pool, with_itself, 3),
                        "certificate-mismatch", "contains the certificate itself");
    assert_import_fails(f, &pool, false, f->keys[1], "Sub", sub, join(&pool, without_root, 1),
                        "certificate-mismatch", "does not end with a root");
    assert_import_fails(f, &pool, false, f->keys[1], "Sub", sub, root, "certificate-mismatch",
                        "not in order");
    /* A root that signs itself once more is odd, but breaks no rule. */
    assert_imports(f, &pool, false, f->keys[1], "Sub", sub, join(&pool, root_twice, 3));
    drop_pool(&pool);
}

static void every_signature_of_a_chain_is_verified(void **state)
{
    struct fixture *f = *state;
    struct three t = three_recipes(f);

    t.sub.signer = f->keys[3];
    assert_three(f, &t, "certificate-mismatch", "signature");
    t = three_recipes(f);
    t.inter.signer = f->keys[3];
    assert_three(f, &t, "certificate-mismatch", "signature");
    t = three_recipes(f);
    t.root.signer = f->keys[3];
    assert_three(f, &t, "certificate-mismatch", "root");
    t = three_recipes(f);
    t.sub.md = EVP_sha1();              /* an algorithm that is not verified here */
    assert_three(f, &t, "certificate-mismatch", "signature");
    t = three_recipes(f);
    t.root.key = t.root.signer = t.inter.signer = f->rsa;
    assert_three(f, &t, NULL, NULL);
    t.inter.signer = f->keys[3];        /* ECDSA where the issuer has an RSA key */
    assert_three(f, &t, "certificate-mismatch", "signature");
}

static void every_certificate_of_a_chain_is_a_ca(void **state)
{
    struct fixture *f = *state;
    struct three t = three_recipes(f);

    t.inter.constraints = "CA:FALSE";
    assert_three(f, &t, "malformed-certificate", "basic constraints");
    t = three_recipes(f);
    t.root.usage = "critical,cRLSign";
    assert_three(f, &t, "malformed-certificate", "key usage");
    t = three_recipes(f);
    t.inter.extra = "1.2.3.4.5=critical,DER:0500";
    assert_three(f, &t, "malformed-certificate", "critical");
    t = three_recipes(f);
    t.root.constraints = "CA:TRUE";     /* not critical: old roots are so */
    assert_three(f, &t, NULL, NULL);
}

static void path_lengths_of_the_whole_chain_are_respected(void **state)
{
    struct fixture *f = *state;
    struct three t = three_recipes(f);

    t.root.constraints = "critical,CA:TRUE,pathlen:0";
    assert_three(f, &t, "malformed-certificate", "path length");
    t.root.constraints = "critical,CA:TRUE,pathlen:1";
    assert_three(f, &t, "malformed-certificate", "path length");
    t.root.constraints = "critical,CA:TRUE,pathlen:2";
    assert_three(f, &t, NULL, NULL);
    t.inter.constraints = "critical,CA:TRUE,pathlen:0";
    assert_three(f, &t, "malformed-certificate", "path length");
    t.inter.constraints = "critical,CA:TRUE,pathlen:1";
    assert_three(f, &t, NULL, NULL);
}

/* RFC 5280 4.2.1.9: a key that a CA certifies anew under its own name takes no step. */
static void a_self_issued_certificate_takes_no_step_of_a_path_length(void **state)
{
    struct fixture *f = *state;
    struct three t = three_recipes(f);

    t.root.constraints = "critical,CA:TRUE,pathlen:1";
    t.inter.subject = "Root";
    t.sub.issuer = "Root";
    assert_three(f, &t, NULL, NULL);
    t.root.constraints = "critical,CA:TRUE,pathlen:0";
    assert_three(f, &t, "malformed-certificate", "path length");
}

static void it_must_not_outlive_its_chain(void **state)
{
    struct fixture *f = *state;
    struct three t = three_recipes(f);

    t.sub.until_s = 2000000001;
    assert_three(f, &t, "malformed-certificate", "longer than");
    t.inter.until_s = 2000000001;
    assert_three(f, &t, "malformed-certificate", "longer than");
    t.root.until_s = 2000000001;
    assert_three(f, &t, NULL, NULL);
}

static void a_chain_has_at_most_eight_certificates(void **state)
{
    struct fixture *f = *state;

    for (size_t above = CA_CHAIN_CERTS_MAX; above <= CA_CHAIN_CERTS_MAX + 1; above++) {
        struct pool pool = { .count = 0 };
        struct ca_bytes certs[KEYS];
        char names[KEYS][8];

        /* certs[above] is the root, certs[0] the one to import. */
        for (size_t i = 0; i <= above; i++) (void)snprintf(names[i], sizeof(names[i]), "CA%zu", i);
        for (size_t i = 0; i <= above; i++) {
            size_t up = i == above ? i : i + 1;
            struct recipe r = { .subject = names[i], .issuer = names[up], .key = f->keys[i],
                                .signer = f->keys[up] };

            certs[i] = make(&pool, &r);
        }
        if (above == CA_CHAIN_CERTS_MAX) {
            assert_imports(f, &pool, false, f->keys[0], "CA0", certs[0],
                           join(&pool, certs + 1, above));
        } else {
            assert_import_fails(f, &pool, false, f->keys[0], "CA0", certs[0],
                                join(&pool, certs + 1, above), "malformed-certificate",
                                "more than 8");
        }
        drop_pool(&pool);
    }
}

/* Loading */

static struct ca_issuer *load(struct fixture *f, struct ca_bytes der, struct ca_bytes chain)
{
    struct ca_issuer *issuer = NULL;
    struct ca_error err;

    if (ca_issuer_new(f->crypto, der, chain, &issuer, &err) != CA_OK) fail_msg("%s", err.text);
    return issuer;
}

static void an_issuer_owns_copies_of_its_certificates(void **state)
{
    struct fixture *f = *state;
    struct three t = three_recipes(f);
    struct pool pool = { .count = 0 };
    struct ca_bytes above[2], sub, chain;
    struct ca_issuer *issuer;

    above[1] = make(&pool, &t.root);
    above[0] = make(&pool, &t.inter);
    sub = make(&pool, &t.sub);
    chain = join(&pool, above, 2);
    issuer = load(f, sub, chain);
    assert_ptr_not_equal(issuer->cert.der.data, sub.data);
    assert_true(ca_bytes_equal(issuer->cert.der, sub));
    assert_int_equal(issuer->chain_len, 2);
    assert_true(ca_bytes_equal(issuer->chain[0], above[0]));
    assert_true(ca_bytes_equal(issuer->chain[1], above[1]));
    assert_false(issuer->self_signed);
    drop_pool(&pool);
    assert_int_equal(issuer->chain[1].data[0], 0x30);       /* still there */
    ca_issuer_free(issuer);
    ca_issuer_free(NULL);
}

static void the_key_id_is_the_ski_or_else_the_sha1_of_the_key(void **state)
{
    struct fixture *f = *state;
    struct pool pool = { .count = 0 };
    struct recipe with = root_recipe(f), without = root_recipe(f), odd = root_recipe(f);
    struct ca_issuer *a, *b, *c;
    static const uint8_t own[] = { 0xaa, 0xbb, 0xcc };

    without.no_ski = true;
    odd.no_ski = true;
    odd.extra = "subjectKeyIdentifier=aa:bb:cc";
    a = load(f, make(&pool, &with), none);
    b = load(f, make(&pool, &without), none);
    c = load(f, make(&pool, &odd), none);
    assert_int_equal(a->key_id.len, 20);
    assert_int_equal(b->cert.ski.len, 0);
    assert_true(ca_bytes_equal(a->key_id, b->key_id));      /* OpenSSL's hash is the SHA-1 too */
    assert_true(ca_bytes_equal(c->key_id, ca_bytes_of(own, sizeof(own))));
    assert_true(a->self_signed);
    ca_issuer_free(a);
    ca_issuer_free(b);
    ca_issuer_free(c);
    drop_pool(&pool);
}

static void only_a_signature_of_its_own_makes_it_self_signed(void **state)
{
    struct fixture *f = *state;
    struct pool pool = { .count = 0 };
    struct recipe root = root_recipe(f);
    struct ca_issuer *issuer;

    root.signer = f->keys[3];
    issuer = load(f, make(&pool, &root), none);
    assert_true(ca_cert_is_self_issued(&issuer->cert));
    assert_false(issuer->self_signed);
    ca_issuer_free(issuer);
    drop_pool(&pool);
}

static void the_tightest_path_length_of_the_chain_counts(void **state)
{
    static const struct { const char *root, *inter, *sub; int left; } rows[] = {
        { "", "", "", CA_PATH_LEN_NONE },
        { ",pathlen:5", "", "", 3 },
        { ",pathlen:2", "", "", 0 },
        { "", ",pathlen:3", "", 2 },
        { ",pathlen:3", ",pathlen:3", "", 1 },
        { ",pathlen:3", ",pathlen:3", ",pathlen:0", 0 },
        { ",pathlen:9", ",pathlen:9", ",pathlen:4", 4 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct three t = three_recipes(f);
        struct pool pool = { .count = 0 };
        char texts[3][64];
        struct ca_bytes above[2];
        struct ca_issuer *issuer;

        (void)snprintf(texts[0], 64, "critical,CA:TRUE%s", rows[i].root);
        (void)snprintf(texts[1], 64, "critical,CA:TRUE%s", rows[i].inter);
        (void)snprintf(texts[2], 64, "critical,CA:TRUE%s", rows[i].sub);
        t.root.constraints = texts[0];
        t.inter.constraints = texts[1];
        t.sub.constraints = texts[2];
        above[1] = make(&pool, &t.root);
        above[0] = make(&pool, &t.inter);
        issuer = load(f, make(&pool, &t.sub), join(&pool, above, 2));
        assert_int_equal(issuer->path_len_left, rows[i].left);
        ca_issuer_free(issuer);
        drop_pool(&pool);
    }
}

static void what_cannot_be_an_issuer_is_not_loaded(void **state)
{
    struct fixture *f = *state;
    struct pool pool = { .count = 0 };
    struct recipe root = root_recipe(f), sub = sub_recipe(f);
    struct ca_bytes tight, sub_der = make(&pool, &sub);
    struct ca_issuer *issuer = NULL;
    struct ca_error err;

    assert_int_equal(ca_issuer_new(f->crypto, ca_bytes_of("x", 1), none, &issuer, &err),
                     CA_MALFORMED);
    assert_string_equal(ca_error_name(&err), "malformed-certificate");
    assert_int_equal(ca_issuer_new(f->crypto, sub_der, ca_bytes_of("x", 1), &issuer, &err),
                     CA_MALFORMED);
    assert_string_equal(ca_error_name(&err), "malformed-certificate");
    root.constraints = "critical,CA:TRUE,pathlen:0";
    tight = make(&pool, &root);
    assert_int_equal(ca_issuer_new(f->crypto, sub_der, tight, &issuer, &err), CA_MALFORMED);
    assert_string_equal(ca_error_name(&err), "malformed-certificate");
    assert_null(issuer);
    drop_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_and_a_subordinate_are_imported),
        cmocka_unit_test(a_certificate_for_another_key_or_name_is_refused),
        cmocka_unit_test(what_is_no_certificate_is_refused),
        cmocka_unit_test(a_root_must_sign_itself_and_have_no_chain),
        cmocka_unit_test(a_subordinate_must_not_sign_itself_and_needs_a_chain),
        cmocka_unit_test(basic_constraints_must_be_there_critical_and_true),
        cmocka_unit_test(key_usage_must_allow_signing_certificates_where_it_is_there),
        cmocka_unit_test(only_the_listed_extensions_may_be_critical),
        cmocka_unit_test(a_chain_is_in_order_complete_and_without_the_certificate),
        cmocka_unit_test(every_signature_of_a_chain_is_verified),
        cmocka_unit_test(every_certificate_of_a_chain_is_a_ca),
        cmocka_unit_test(path_lengths_of_the_whole_chain_are_respected),
        cmocka_unit_test(a_self_issued_certificate_takes_no_step_of_a_path_length),
        cmocka_unit_test(it_must_not_outlive_its_chain),
        cmocka_unit_test(a_chain_has_at_most_eight_certificates),
        cmocka_unit_test(an_issuer_owns_copies_of_its_certificates),
        cmocka_unit_test(the_key_id_is_the_ski_or_else_the_sha1_of_the_key),
        cmocka_unit_test(only_a_signature_of_its_own_makes_it_self_signed),
        cmocka_unit_test(the_tightest_path_length_of_the_chain_counts),
        cmocka_unit_test(what_cannot_be_an_issuer_is_not_loaded),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
