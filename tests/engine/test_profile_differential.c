/*
 * Every template of the specification's section 6 with every kind of key, against OpenSSL's X509
 * API: the same words make the same octets. What a request and an ApiPassthrough ask for goes the
 * whole way (api_passthrough, contents, profile); what of it the certificate has, in which order,
 * is worked out here again from sections 6 and 6.1.
 *
 * Each certificate is then signed and verified with X509_V_FLAG_X509_STRICT, root -> subordinate ->
 * certificate. OpenSSL refuses one thing that AWS's templates allow: see is_allowed.
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
#define DAY 86400
#define ARENA_MAX (1u << 20)
#define SCOPE 41
#define CDP_URI "http://crl.example/crl/0f0e0d0c-0b0a-4908-8706-050403020100/%06d.crl"
#define FRESHEST_URI "http://crl.example/crl/0f0e0d0c-0b0a-4908-8706-050403020100/%06d-delta.crl"
#define OCSP_URI "http://ocsp.example"

/* The specification's section 6 in OpenSSL's words */

enum source { NONE = 0, API = 1, CSR = 2, CA = 4 };

struct row {
    const char *name;
    const char *constraints;
    const char *usage;              /* NULL: the template leaves it open */
    const char *extended;
    unsigned passes;                /* whose extensions, and of the API's also names */
    unsigned cdp;                   /* whose CDP */
};

#define EE "critical,digitalSignature,keyEncipherment"
#define SIGN "critical,digitalSignature"
#define CA_KU "critical,digitalSignature,keyCertSign,cRLSign"

/* The rows of the table, in its order, without its three slips (notes 1 and 2: sources of a CDP or
 * of names that the variant does not have; note 3: blank roots have a CDP from the API). */
static const struct row rows[] = {
    { "EndEntityCertificate", "CA:FALSE",
      EE, "serverAuth,clientAuth", NONE, CA },
    { "EndEntityCertificate_CSRPassthrough", "CA:FALSE",
      EE, "serverAuth,clientAuth", CSR, CA | CSR },
    { "EndEntityCertificate_APIPassthrough", "CA:FALSE",
      EE, "serverAuth,clientAuth", API, CA },
    { "EndEntityCertificate_APICSRPassthrough", "CA:FALSE",
      EE, "serverAuth,clientAuth", API | CSR, CA | CSR },
    { "EndEntityClientAuthCertificate", "CA:FALSE",
      EE, "clientAuth", NONE, CA },
    { "EndEntityClientAuthCertificate_CSRPassthrough", "CA:FALSE",
      EE, "clientAuth", CSR, CA | CSR },
    { "EndEntityClientAuthCertificate_APIPassthrough", "CA:FALSE",
      EE, "clientAuth", API, CA },
    { "EndEntityClientAuthCertificate_APICSRPassthrough", "CA:FALSE",
      EE, "clientAuth", API | CSR, CA | CSR },
    { "EndEntityServerAuthCertificate", "CA:FALSE",
      EE, "serverAuth", NONE, CA },
    { "EndEntityServerAuthCertificate_CSRPassthrough", "CA:FALSE",
      EE, "serverAuth", CSR, CA | CSR },
    { "EndEntityServerAuthCertificate_APIPassthrough", "CA:FALSE",
      EE, "serverAuth", API, CA },
    { "EndEntityServerAuthCertificate_APICSRPassthrough", "CA:FALSE",
      EE, "serverAuth", API | CSR, CA | CSR },
    { "CodeSigningCertificate", "CA:FALSE",
      SIGN, "critical,codeSigning", NONE, CA },
    { "CodeSigningCertificate_CSRPassthrough", "CA:FALSE",
      SIGN, "critical,codeSigning", CSR, CA | CSR },
    { "CodeSigningCertificate_APIPassthrough", "CA:FALSE",
      SIGN, "critical,codeSigning", API, CA },
    { "CodeSigningCertificate_APICSRPassthrough", "CA:FALSE",
      SIGN, "critical,codeSigning", API | CSR, CA | CSR },
    { "OCSPSigningCertificate", "CA:FALSE",
      SIGN, "critical,OCSPSigning", NONE, CA },
    { "OCSPSigningCertificate_CSRPassthrough", "CA:FALSE",
      SIGN, "critical,OCSPSigning", CSR, CA | CSR },
    { "OCSPSigningCertificate_APIPassthrough", "CA:FALSE",
      SIGN, "critical,OCSPSigning", API, CA },
    { "OCSPSigningCertificate_APICSRPassthrough", "CA:FALSE",
      SIGN, "critical,OCSPSigning", API | CSR, CA | CSR },
    { "BlankEndEntityCertificate_CSRPassthrough", "CA:FALSE",
      NULL, NULL, CSR, CA | CSR },
    { "BlankEndEntityCertificate_APIPassthrough", "CA:FALSE",
      NULL, NULL, API, CA },
    { "BlankEndEntityCertificate_APICSRPassthrough", "CA:FALSE",
      NULL, NULL, API | CSR, CA | CSR },
    { "BlankEndEntityCertificate_CriticalBasicConstraints_CSRPassthrough", "critical,CA:FALSE",
      NULL, NULL, CSR, CA | CSR },
    { "BlankEndEntityCertificate_CriticalBasicConstraints_APIPassthrough", "critical,CA:FALSE",
      NULL, NULL, API, CA | API },
    { "BlankEndEntityCertificate_CriticalBasicConstraints_APICSRPassthrough", "critical,CA:FALSE",
      NULL, NULL, API | CSR, CA | API | CSR },
    { "SubordinateCACertificate_PathLen0", "critical,CA:TRUE,pathlen:0",
      CA_KU, NULL, NONE, CA },
    { "SubordinateCACertificate_PathLen1", "critical,CA:TRUE,pathlen:1",
      CA_KU, NULL, NONE, CA },
    { "SubordinateCACertificate_PathLen2", "critical,CA:TRUE,pathlen:2",
      CA_KU, NULL, NONE, CA },
    { "SubordinateCACertificate_PathLen3", "critical,CA:TRUE,pathlen:3",
      CA_KU, NULL, NONE, CA },
    { "SubordinateCACertificate_PathLen0_CSRPassthrough", "critical,CA:TRUE,pathlen:0",
      CA_KU, NULL, CSR, CA | CSR },
    { "SubordinateCACertificate_PathLen1_CSRPassthrough", "critical,CA:TRUE,pathlen:1",
      CA_KU, NULL, CSR, CA | CSR },
    { "SubordinateCACertificate_PathLen2_CSRPassthrough", "critical,CA:TRUE,pathlen:2",
      CA_KU, NULL, CSR, CA | CSR },
    { "SubordinateCACertificate_PathLen3_CSRPassthrough", "critical,CA:TRUE,pathlen:3",
      CA_KU, NULL, CSR, CA | CSR },
    { "SubordinateCACertificate_PathLen0_APIPassthrough", "critical,CA:TRUE,pathlen:0",
      CA_KU, NULL, API, CA },
    { "SubordinateCACertificate_PathLen1_APIPassthrough", "critical,CA:TRUE,pathlen:1",
      CA_KU, NULL, API, CA },
    { "SubordinateCACertificate_PathLen2_APIPassthrough", "critical,CA:TRUE,pathlen:2",
      CA_KU, NULL, API, CA },
    { "SubordinateCACertificate_PathLen3_APIPassthrough", "critical,CA:TRUE,pathlen:3",
      CA_KU, NULL, API, CA },
    { "SubordinateCACertificate_PathLen0_APICSRPassthrough", "critical,CA:TRUE,pathlen:0",
      CA_KU, NULL, API | CSR, CA | CSR },
    { "SubordinateCACertificate_PathLen1_APICSRPassthrough", "critical,CA:TRUE,pathlen:1",
      CA_KU, NULL, API | CSR, CA | CSR },
    { "SubordinateCACertificate_PathLen2_APICSRPassthrough", "critical,CA:TRUE,pathlen:2",
      CA_KU, NULL, API | CSR, CA | CSR },
    { "SubordinateCACertificate_PathLen3_APICSRPassthrough", "critical,CA:TRUE,pathlen:3",
      CA_KU, NULL, API | CSR, CA | CSR },
    { "BlankSubordinateCACertificate_PathLen0_CSRPassthrough", "critical,CA:TRUE,pathlen:0",
      NULL, NULL, CSR, CA | CSR },
    { "BlankSubordinateCACertificate_PathLen1_CSRPassthrough", "critical,CA:TRUE,pathlen:1",
      NULL, NULL, CSR, CA | CSR },
    { "BlankSubordinateCACertificate_PathLen2_CSRPassthrough", "critical,CA:TRUE,pathlen:2",
      NULL, NULL, CSR, CA | CSR },
    { "BlankSubordinateCACertificate_PathLen3_CSRPassthrough", "critical,CA:TRUE,pathlen:3",
      NULL, NULL, CSR, CA | CSR },
    { "BlankSubordinateCACertificate_PathLen0_APIPassthrough", "critical,CA:TRUE,pathlen:0",
      NULL, NULL, API, CA },
    { "BlankSubordinateCACertificate_PathLen1_APIPassthrough", "critical,CA:TRUE,pathlen:1",
      NULL, NULL, API, CA },
    { "BlankSubordinateCACertificate_PathLen2_APIPassthrough", "critical,CA:TRUE,pathlen:2",
      NULL, NULL, API, CA },
    { "BlankSubordinateCACertificate_PathLen3_APIPassthrough", "critical,CA:TRUE,pathlen:3",
      NULL, NULL, API, CA },
    { "BlankSubordinateCACertificate_PathLen0_APICSRPassthrough", "critical,CA:TRUE,pathlen:0",
      NULL, NULL, API | CSR, CA | CSR },
    { "BlankSubordinateCACertificate_PathLen1_APICSRPassthrough", "critical,CA:TRUE,pathlen:1",
      NULL, NULL, API | CSR, CA | CSR },
    { "BlankSubordinateCACertificate_PathLen2_APICSRPassthrough", "critical,CA:TRUE,pathlen:2",
      NULL, NULL, API | CSR, CA | CSR },
    { "BlankSubordinateCACertificate_PathLen3_APICSRPassthrough", "critical,CA:TRUE,pathlen:3",
      NULL, NULL, API | CSR, CA | CSR },
    { "RootCACertificate", "critical,CA:TRUE",
      CA_KU, NULL, NONE, NONE },
    { "RootCACertificate_APIPassthrough", "critical,CA:TRUE",
      CA_KU, NULL, API, NONE },
    { "BlankRootCACertificate_APIPassthrough", "critical,CA:TRUE",
      NULL, NULL, API, API },
    { "BlankRootCACertificate_PathLen0_APIPassthrough", "critical,CA:TRUE,pathlen:0",
      NULL, NULL, API, API },
    { "BlankRootCACertificate_PathLen1_APIPassthrough", "critical,CA:TRUE,pathlen:1",
      NULL, NULL, API, API },
    { "BlankRootCACertificate_PathLen2_APIPassthrough", "critical,CA:TRUE,pathlen:2",
      NULL, NULL, API, API },
    { "BlankRootCACertificate_PathLen3_APIPassthrough", "critical,CA:TRUE,pathlen:3",
      NULL, NULL, API, API },
};

#undef EE
#undef SIGN
#undef CA_KU

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool is_root(const struct row *row) { return strstr(row->name, "Root") != NULL; }
static bool is_ca(const struct row *row) { return strstr(row->constraints, "TRUE") != NULL; }

/* What is asked for */

#define POLICY_JSON "\"CertificatePolicies\":[{\"CertPolicyId\":\"1.3.6.1.4.1.99999.1\"," \
                    "\"PolicyQualifiers\":[{\"PolicyQualifierId\":\"CPS\",\"Qualifier\":" \
                    "{\"CpsUri\":\"https://cps.example/policy\"}}]}]"
#define EKU_JSON "\"ExtendedKeyUsage\":[{\"ExtendedKeyUsageType\":\"EMAIL_PROTECTION\"}," \
                 "{\"ExtendedKeyUsageObjectIdentifier\":\"1.3.6.1.5.5.7.3.17\"}]"
#define EE_KU_JSON "\"KeyUsage\":{\"DigitalSignature\":true,\"NonRepudiation\":true}"
#define CA_KU_JSON "\"KeyUsage\":{\"KeyCertSign\":true,\"CRLSign\":true}"
#define SUBJECT_JSON "\"Subject\":{\"CommonName\":\"from the API\",\"Organization\":\"Widgets\"," \
                     "\"Country\":\"NL\"}"
#define SAN_JSON "\"SubjectAlternativeNames\":[{\"DnsName\":\"api.example\"}," \
                 "{\"IpAddress\":\"192.0.2.7\"}]"
#define API_SAN "DNS:api.example,IP:192.0.2.7"

/* An ApiPassthrough: JSON, and the same in OpenSSL's words in the order in which it stands in a
 * certificate. custom becomes CustomExtensions. */
struct api {
    const char *json;               /* Subject and all of Extensions but CustomExtensions */
    bool names;                     /* it has SUBJECT_JSON and SAN_JSON */
    const struct x509_extension *typed, *custom;
};

struct scenario {
    const char *name;
    bool pointers;                  /* the CA writes CDP, OCSP and freshestCRL */
    bool nameless;                  /* the request's subject is empty */
    const struct x509_extension *csr;
    const struct api *api;          /* NULL: none */
};

static const struct x509_extension san_only[] = {
    { "subjectAltName", "DNS:device.example,email:a@example.org" }, { NULL, NULL },
};
static const struct x509_extension critical_san[] = {
    { "subjectAltName", "critical,IP:2001:db8::1" }, { NULL, NULL },
};
static const struct x509_extension losing_pointers[] = {
    { "crlDistributionPoints", "URI:http://csr.example/crl" },
    { "subjectAltName", "critical,DNS:device.example" },
    { "authorityInfoAccess", "OCSP;URI:http://csr.example/ocsp" }, { NULL, NULL },
};

#define CSR_SOUP(usage)                                                                            \
    { "basicConstraints", "critical,CA:TRUE,pathlen:3" },                                          \
    { "extendedKeyUsage", "clientAuth,1.3.6.1.5.5.7.3.21" },                                       \
    { "subjectKeyIdentifier", "0102030405060708090a0b0c0d0e0f1011121314" },                        \
    { "crlDistributionPoints", "URI:http://csr.example/crl" },                                     \
    { "keyUsage", usage },                                                                         \
    { "subjectAltName", "DNS:*.device.example,URI:https://device.example/a" },                     \
    { "authorityInfoAccess", "OCSP;URI:http://csr.example/ocsp" },                                 \
    { "1.2.3.4.5", "DER:3003020105" },                                                             \
    { "certificatePolicies", "1.3.6.1.4.1.99999.2" },                                              \
    { "authorityKeyIdentifier", "DER:3006800401020304" }

static const struct x509_extension ee_soup[] = {
    CSR_SOUP("critical,digitalSignature,keyAgreement"), { "1.3.6.1.5.5.7.1.24", "DER:3003020105" },
    { NULL, NULL },
};
static const struct x509_extension ca_soup[] = {
    CSR_SOUP("keyCertSign,cRLSign"), { "nameConstraints", "critical,permitted;DNS:device.example" },
    { NULL, NULL },
};

static const struct x509_extension ee_typed[] = {
    { "certificatePolicies", "@policy" },
    { "keyUsage", "critical,digitalSignature,nonRepudiation" },
    { "extendedKeyUsage", "emailProtection,1.3.6.1.5.5.7.3.17" }, { NULL, NULL },
};
static const struct x509_extension ca_typed[] = {
    { "certificatePolicies", "@policy" }, { "keyUsage", "critical,keyCertSign,cRLSign" },
    { NULL, NULL },
};
static const struct x509_extension ee_custom[] = {
    { "1.2.3.4.6", "DER:04020102" }, { "crlDistributionPoints", "URI:http://api.example/crl" },
    { NULL, NULL },
};
static const struct x509_extension ca_custom[] = {
    { "nameConstraints", "critical,excluded;DNS:example.net" },
    { "crlDistributionPoints", "URI:http://api.example/crl" },
    { "authorityKeyIdentifier", "keyid:always" },   /* a root's own, or it is refused */
    { "1.2.3.4.6", "DER:04020102" }, { NULL, NULL },
};
/* Only as CustomExtensions can purposes be critical (spec 7.1). */
static const struct x509_extension ee_critical[] = {
    { "extendedKeyUsage", "critical,serverAuth" }, { "basicConstraints", "CA:TRUE" },
    { "1.2.3.4.5", "DER:0500" }, { NULL, NULL },
};
static const struct x509_extension ca_critical[] = {
    { "keyUsage", "critical,keyCertSign" }, { "basicConstraints", "CA:TRUE" },
    { "1.2.3.4.5", "DER:0500" }, { NULL, NULL },
};
static const struct x509_extension nothing[] = { { NULL, NULL } };

#define ALL_JSON(usage) SUBJECT_JSON ",\"Extensions\":{" SAN_JSON "," POLICY_JSON "," usage

static const struct api ee_api = { ALL_JSON(EE_KU_JSON "," EKU_JSON), true, ee_typed, ee_custom };
static const struct api ca_api = { ALL_JSON(CA_KU_JSON), true, ca_typed, ca_custom };
static const struct api ee_half = { "\"Extensions\":{", false, nothing, ee_critical };
static const struct api ca_half = { "\"Extensions\":{", false, nothing, ca_critical };

/* For end entities, and for CAs. */
static const struct scenario scenarios[][2] = {
    { { "bare", false, false, nothing, NULL }, { "bare", false, false, nothing, NULL } },
    { { "names", false, false, san_only, NULL }, { "names", false, false, san_only, NULL } },
    { { "critical names", true, true, critical_san, NULL },
      { "critical names", true, false, critical_san, NULL } },
    { { "pointers", true, false, losing_pointers, NULL },
      { "pointers", true, false, losing_pointers, NULL } },
    { { "soup", false, false, ee_soup, NULL }, { "soup", false, false, ca_soup, NULL } },
    { { "API", false, false, san_only, &ee_api }, { "API", false, false, san_only, &ca_api } },
    { { "API and soup", false, false, ee_soup, &ee_api },
      { "API and soup", false, false, ca_soup, &ca_api } },
    { { "half an API, pointers and soup", true, false, ee_soup, &ee_half },
      { "half an API, pointers and soup", true, false, ca_soup, &ca_half } },
};

#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

/* Fixture */

struct fixture {
    struct ca_crypto *crypto;
    struct ca_arena arena;          /* of the ApiPassthroughs */
    EVP_PKEY *keys[KINDS];
    struct ca_signer *signers[ISSUER_KINDS];    /* of roots: the subjects' own keys */
    struct x509_subject subjects[SCENARIOS][2][KINDS];
    struct ca_api *apis[SCENARIOS][2][KINDS];
    struct x509_authority root, sub;
    X509_NAME *api_name;
    struct ca_revocation revocation;
};

static const enum ca_key_alg root_algs[ISSUER_KINDS] = {
    CA_KEY_RSA_2048, CA_KEY_EC_P256, CA_KEY_EC_P384, CA_KEY_EC_P521, CA_KEY_ED25519,
};
static const enum ca_sig_alg root_sig_algs[ISSUER_KINDS] = {
    CA_SIG_RSA_SHA256, CA_SIG_ECDSA_SHA256, CA_SIG_ECDSA_SHA256, CA_SIG_ECDSA_SHA256,
    CA_SIG_ED25519,
};

/* The subordinate that issues everything but roots, with room for four CAs below it. */
static void make_hierarchy(struct fixture *f)
{
    struct x509_authority *sub = &f->sub;

    x509_make_authority(f->crypto, OF_RSA, "", &f->root);
    sub->alg = CA_KEY_ED25519;
    sub->sig_alg = CA_SIG_ED25519;
    sub->pkey = x509_make_key(OF_ED25519);
    sub->x509 = x509_make_ca(sub->pkey, "Subordinate", ",pathlen:4", f->root.x509, f->root.pkey);
    sub->signer = x509_make_signer(f->crypto, sub->pkey, sub->sig_alg);
    sub->issuer = x509_make_issuer(f->crypto, sub->x509, f->root.x509);
}

/* Appends the list as CustomExtensions. Key identifiers are those of key. */
static void append_custom(const struct x509_extension *list, EVP_PKEY *key, struct ca_buf *json)
{
    X509 *x = X509_new();

    assert_int_equal(X509_set_pubkey(x, key), 1);
    x509_add(x, NULL, "subjectKeyIdentifier", "hash");
    for (; list->type != NULL; list++) x509_add(x, x, list->type, list->value);
    ca_buf_append_str(json, "\"CustomExtensions\":[");
    for (int i = 1; i < X509_get_ext_count(x); i++) {
        X509_EXTENSION *extension = X509_get_ext(x, i);
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
        unsigned char base64[512];
        char oid[80];

        assert_in_range(ASN1_STRING_length(value), 1, 300);
        (void)EVP_EncodeBlock(base64, ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
        assert_true(OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(extension), 1) > 0);
        ca_buf_printf(json, "%s{\"ObjectIdentifier\":\"%s\",\"Value\":\"%s\"%s}",
                      i == 1 ? "" : ",", oid, (const char *)base64,
                      X509_EXTENSION_get_critical(extension) != 0 ? ",\"Critical\":true" : "");
    }
    ca_buf_append_str(json, "]");
    X509_free(x);
}

static struct ca_api *make_api(struct fixture *f, const struct api *api, EVP_PKEY *key)
{
    struct ca_api *out = calloc(1, sizeof(*out));
    struct ca_error err;
    struct ca_buf json;

    assert_non_null(out);
    ca_buf_init(&json, 65536);
    ca_buf_printf(&json, "{%s%s", api->json, api->names ? "," : "");
    append_custom(api->custom, key, &json);
    ca_buf_append_str(&json, "}}");
    if (ca_api_parse(ca_buf_view(&json), &f->arena, out, &err) != CA_OK) fail_msg("%s", err.text);
    ca_buf_clear(&json);
    return out;
}

static X509_NAME *make_api_name(void)
{
    static const char *const parts[][2] = { { "C", "NL" }, { "O", "Widgets" },
                                            { "CN", "from the API" } };
    X509_NAME *name = X509_NAME_new();

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(X509_NAME_add_entry_by_txt(name, parts[i][0], MBSTRING_UTF8,
                                                    (const unsigned char *)parts[i][1], -1, -1, 0),
                         1);
    }
    return name;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    ca_arena_init(&f->arena, 65536, 1u << 20);
    make_hierarchy(f);
    for (int k = 0; k < KINDS; k++) {
        f->keys[k] = x509_make_key(k);
        if (k < ISSUER_KINDS)
            f->signers[k] = x509_make_signer(f->crypto, f->keys[k], root_sig_algs[k]);
    }
    for (size_t s = 0; s < SCENARIOS; s++) {
        for (int ca = 0; ca < 2; ca++) {
            const struct scenario *scenario = &scenarios[s][ca];

            for (int k = 0; k < KINDS; k++) {
                if (scenario->api != NULL)
                    f->apis[s][ca][k] = make_api(f, scenario->api, f->keys[k]);
                x509_make_subject(f->keys[k], scenario->nameless ? NULL : "device-000001",
                                  scenario->csr, &f->subjects[s][ca][k]);
            }
        }
    }
    f->api_name = make_api_name();
    f->revocation = (struct ca_revocation){ .crl_enabled = true, .crl_partitioned = true,
                                            .delta_enabled = true, .ocsp_enabled = true };
    (void)snprintf(f->revocation.cdp_uri, sizeof(f->revocation.cdp_uri), CDP_URI, 0);
    (void)snprintf(f->revocation.freshest_uri, sizeof(f->revocation.freshest_uri), FRESHEST_URI,
                   0);
    (void)snprintf(f->revocation.ocsp_uri, sizeof(f->revocation.ocsp_uri), OCSP_URI);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t s = 0; s < SCENARIOS; s++) {
        for (int ca = 0; ca < 2; ca++) {
            for (int k = 0; k < KINDS; k++) {
                free(f->apis[s][ca][k]);
                x509_drop_subject(&f->subjects[s][ca][k]);
            }
        }
    }
    for (int k = 0; k < KINDS; k++) {
        EVP_PKEY_free(f->keys[k]);
        if (k < ISSUER_KINDS) ca_signer_free(f->signers[k]);
    }
    x509_drop_authority(&f->sub);
    x509_drop_authority(&f->root);
    X509_NAME_free(f->api_name);
    ca_arena_clear(&f->arena);
    ca_crypto_free(f->crypto);
    free(f);
    return 0;
}

/* The model */

/* One certificate to be made twice. */
struct order {
    const struct row *row;
    const struct scenario *scenario;
    int kind;
    const struct x509_subject *subject;
    const struct ca_api *api;
    EVP_PKEY *signing_key;
    X509 *issuer;                   /* NULL: signs itself */
};

static bool same_type(const struct x509_extension *extension, const char *type)
{
    return strcmp(extension->type, type) == 0;
}

/* Section 6.1: may an extension of this source stand in the certificate? */
static bool passes(const struct order *o, enum source source, const struct x509_extension *e)
{
    const struct row *row = o->row;
    bool ca_writes = o->scenario->pointers && o->issuer != NULL;

    if ((row->passes & source) == 0) return false;
    if (same_type(e, "basicConstraints") || same_type(e, "subjectKeyIdentifier") ||
        same_type(e, "subjectAltName"))
        return false;
    if (same_type(e, "authorityKeyIdentifier")) return source == API && is_root(row);
    if (same_type(e, "keyUsage")) return row->usage == NULL;
    if (same_type(e, "extendedKeyUsage")) return row->extended == NULL;
    if (same_type(e, "crlDistributionPoints"))
        return (row->cdp & source) != 0 && !(ca_writes && (row->cdp & CA) != 0);
    if (same_type(e, "authorityInfoAccess")) return !ca_writes;
    return true;
}

static bool api_has(const struct order *o, const char *type)
{
    const struct x509_extension *lists[2];

    if (o->scenario->api == NULL || (o->row->passes & API) == 0) return false;
    lists[0] = o->scenario->api->typed;
    lists[1] = o->scenario->api->custom;
    for (size_t i = 0; i < 2; i++) {
        for (const struct x509_extension *e = lists[i]; e->type != NULL; e++) {
            if (same_type(e, type) && passes(o, API, e)) return true;
        }
    }
    return false;
}

static void add_passing(X509 *x, const struct order *o, enum source source,
                        const struct x509_extension *list)
{
    for (; list->type != NULL; list++) {
        if (!passes(o, source, list)) continue;
        if (source == CSR && api_has(o, list->type)) continue;
        x509_add(x, x, list->type, list->value);
    }
}

static void add_uri(X509 *x, const char *type, const char *format)
{
    char value[300];

    (void)snprintf(value, sizeof(value), format, SCOPE);
    x509_add(x, NULL, type, value);
}

static bool names_of_api(const struct order *o)
{
    return (o->row->passes & API) != 0 && o->scenario->api != NULL && o->scenario->api->names;
}

static X509 *make_model(const struct fixture *f, const struct order *o)
{
    const X509_NAME *subject = names_of_api(o) ? f->api_name
                                               : X509_REQ_get_subject_name(o->subject->req);
    const struct x509_frame frame = {
        .issuer = o->issuer != NULL ? X509_get_subject_name(o->issuer) : subject,
        .subject = subject, .key = o->subject->pkey,
        .serial = x509_serial("019a0000000112233445566778899aabbcc0"),
        .from_s = NOW - 3600, .until_s = NOW + 365 * DAY,
    };
    bool pointers = o->scenario->pointers && o->issuer != NULL;
    X509 *x = x509_make_frame(&frame);

    x509_add(x, NULL, "basicConstraints", o->row->constraints);
    if (o->issuer != NULL) x509_add(x, o->issuer, "authorityKeyIdentifier", "keyid:always");
    x509_add(x, NULL, "subjectKeyIdentifier", "hash");
    if (o->row->usage != NULL) x509_add(x, NULL, "keyUsage", o->row->usage);
    if (o->row->extended != NULL) x509_add(x, NULL, "extendedKeyUsage", o->row->extended);
    if (pointers) {
        add_uri(x, "crlDistributionPoints", "URI:" CDP_URI);
        x509_add(x, NULL, "authorityInfoAccess", "OCSP;URI:" OCSP_URI);
        add_uri(x, "freshestCRL", "URI:" FRESHEST_URI);
    }
    if (o->scenario->api != NULL) {
        add_passing(x, o, API, o->scenario->api->typed);
        add_passing(x, o, API, o->scenario->api->custom);
    }
    add_passing(x, o, CSR, o->scenario->csr);
    if (names_of_api(o)) x509_add(x, NULL, "subjectAltName", API_SAN);
    else x509_add_san_of(x, o->subject->req);
    x509_sign_model(x, o->signing_key);
    return x;
}

/* Ours */

static struct ca_profile *make_profile(const struct fixture *f, const struct order *o)
{
    struct ca_profile_spec spec = {
        .issuer = o->issuer != NULL ? f->sub.issuer : NULL,
        .issuer_key = o->issuer != NULL ? f->sub.alg : root_algs[o->kind],
        .sig_alg = o->issuer != NULL ? f->sub.sig_alg : root_sig_algs[o->kind],
        .validity = { .type = CA_VALIDITY_DAYS, .value = 365 },
        .revocation = o->scenario->pointers ? &f->revocation : NULL,
        .api = o->api,
    };
    struct ca_profile *profile = NULL;
    struct ca_error err;

    assert_int_equal(ca_template_find(o->row->name, &spec.tmpl, NULL), CA_OK);
    if (ca_profile_new(&spec, &profile, &err) != CA_OK) fail_msg("%s: %s", o->row->name, err.text);
    return profile;
}

/* The certificate, finished; the arena is the caller's. */
static void make_ours(const struct fixture *f, const struct order *o, struct ca_buf *out,
                      struct ca_cert_slot *slot)
{
    const struct ca_serial serial = x509_serial("019a0000000112233445566778899aabbcc0");
    struct ca_profile *profile = make_profile(f, o);
    const struct ca_pointers pointers = ca_profile_pointers(profile);
    struct ca_ask ask = { .request = &o->subject->request, .api = o->api };
    struct ca_signer *signer = o->issuer != NULL ? f->sub.signer : f->signers[o->kind];
    struct ca_tbs_input input = { .request = &o->subject->request, .serial = &serial,
                                  .scope = SCOPE };
    uint8_t signature[CA_SIGNATURE_MAX];
    struct ca_contents contents;
    struct ca_arena arena;
    struct ca_error err;
    size_t len = 0;

    memcpy(ask.subject_key_id, o->subject->contents.subject_key_id, sizeof(ask.subject_key_id));
    ca_arena_init(&arena, 65536, 1u << 20);
    if (ca_contents_decide(ca_profile_template(profile), &pointers, &ask, &arena, &contents,
                           &err) != CA_OK)
        fail_msg("%s, %s: %s", o->row->name, o->scenario->name, err.text);
    input.contents = &contents;
    assert_int_equal(ca_profile_dates(profile, NOW, &input.not_before_s, &input.not_after_s, NULL),
                     CA_OK);
    assert_int_equal(ca_profile_build(profile, &input, out, slot, NULL), CA_OK);
    assert_true(slot->size <= ca_profile_cert_len_max(profile, input.request, &contents));
    assert_int_equal(ca_signer_sign(signer,
                                    ca_bytes_of(out->data + slot->tbs_offset, slot->tbs_len),
                                    signature, &len, NULL), CA_OK);
    ca_profile_finish(profile, out, slot, ca_bytes_of(signature, len));
    ca_arena_clear(&arena);
    ca_profile_free(profile);
}

/* The one thing of AWS's that X509_V_FLAG_X509_STRICT refuses: blank CA templates leave KeyUsage to
 * what passes, and where nothing does, the certificate has none, against the MUST of RFC 5280
 * 4.2.1.3. OpenSSL says so by the path length (4.2.1.9 wants keyCertSign with it). It does not look
 * at a root that stands alone, at least not in 3.0. */
static bool is_allowed(const struct order *o, X509 *x, int verdict)
{
    bool refused = verdict == X509_V_ERR_PATHLEN_WITHOUT_KU_KEY_CERT_SIGN ||
                   verdict == X509_V_ERR_CA_CERT_MISSING_KEY_USAGE;

    if (!is_ca(o->row) || X509_get_ext_by_NID(x, NID_key_usage, -1) >= 0)
        return verdict == X509_V_OK;
    assert_null(o->row->usage);
    return refused || (is_root(o->row) && verdict == X509_V_OK);
}

static void assert_verifies(const struct fixture *f, const struct order *o, X509 *x)
{
    X509_STORE *trusted = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    int verdict;

    assert_int_equal(X509_STORE_add_cert(trusted, o->issuer != NULL ? f->root.x509 : x), 1);
    assert_true(sk_X509_push(between, f->sub.x509) > 0);
    assert_int_equal(X509_STORE_CTX_init(ctx, trusted, x, between), 1);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), NOW);
    verdict = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    if (!is_allowed(o, x, verdict))
        fail_msg("%s, %s: %s", o->row->name, o->scenario->name,
                 X509_verify_cert_error_string(verdict));
    sk_X509_free(between);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(trusted);
}

static void assert_as_openssl(const struct fixture *f, const struct order *o)
{
    X509 *model = make_model(f, o), *ours;
    struct ca_cert_slot slot;
    struct ca_buf out;
    uint8_t *tbs = NULL;
    const uint8_t *p;
    int tbs_len = i2d_re_X509_tbs(model, &tbs);

    ca_buf_init(&out, ARENA_MAX);
    make_ours(f, o, &out, &slot);
    if (slot.tbs_len != (size_t)tbs_len ||
        memcmp(out.data + slot.tbs_offset, tbs, slot.tbs_len) != 0)
        fail_msg("%s, %s, key %d: not the TBS that OpenSSL makes", o->row->name,
                 o->scenario->name, o->kind);
    p = out.data + slot.der_offset;
    ours = d2i_X509(NULL, &p, (long)slot.der_len);
    assert_non_null(ours);
    assert_ptr_equal(p, out.data + slot.der_offset + slot.der_len);
    assert_verifies(f, o, ours);
    X509_free(ours);
    X509_free(model);
    OPENSSL_free(tbs);
    ca_buf_clear(&out);
}

static void every_template_key_and_wish_gives_the_certificate_that_openssl_makes(void **state)
{
    struct fixture *f = *state;

    for (size_t r = 0; r < ROWS; r++) {
        int ca = is_ca(&rows[r]) ? 1 : 0;

        for (size_t s = 0; s < SCENARIOS; s++) {
            for (int k = 0; k < (is_root(&rows[r]) ? ISSUER_KINDS : KINDS); k++) {
                struct order o = {
                    .row = &rows[r], .scenario = &scenarios[s][ca], .kind = k,
                    .subject = &f->subjects[s][ca][k], .api = f->apis[s][ca][k],
                    .signing_key = is_root(&rows[r]) ? f->keys[k] : f->sub.pkey,
                    .issuer = is_root(&rows[r]) ? NULL : f->sub.x509,
                };

                assert_as_openssl(f, &o);
            }
        }
    }
}

static void the_catalogue_has_the_rows_of_the_specification_in_its_order(void **state)
{
    (void)state;
    assert_int_equal(ca_template_count(), ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        assert_string_equal(ca_template_at(i)->name, rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_catalogue_has_the_rows_of_the_specification_in_its_order),
        cmocka_unit_test(every_template_key_and_wish_gives_the_certificate_that_openssl_makes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
