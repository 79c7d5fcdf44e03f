#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/crypto.h"
#include "engine/policy.h"
#include "engine/template_file.h"

#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS CERTMILL_VECTORS_DIR "/keys/"

struct fixture {
    struct ca_crypto *crypto;
    struct ca_policy *policy;
    struct ca_arena arena;
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

static struct ca_profile *make_profile_of(const struct ca_profile_spec *spec)
{
    struct ca_profile *profile = NULL;
    struct ca_error err;

    if (ca_profile_new(spec, &profile, &err) != CA_OK) fail_msg("%s", err.text);
    return profile;
}

static struct ca_profile_spec spec_of(const struct ca_issuer *issuer,
                                      const struct ca_template *tmpl)
{
    return (struct ca_profile_spec){ .tmpl = tmpl, .issuer = issuer, .issuer_key = CA_KEY_EC_P256,
                                     .sig_alg = CA_SIG_ECDSA_SHA256,
                                     .validity = { CA_VALIDITY_DAYS, 1 } };
}

static struct ca_profile *make_profile(const struct ca_issuer *issuer, const char *name)
{
    const struct ca_template *tmpl = NULL;
    struct ca_profile_spec spec;

    assert_int_equal(ca_template_find(name, &tmpl, NULL), CA_OK);
    spec = spec_of(issuer, tmpl);
    return make_profile_of(&spec);
}

/* A template of a user's, with these members beside its name and base. */
struct own {
    struct ca_template *tmpl;
    struct ca_profile *profile;
};

static struct own make_own(const struct fixture *f, const char *members)
{
    struct own own = { .tmpl = NULL };
    struct ca_profile_spec spec;
    struct ca_error err;
    char json[2048];

    assert_true(snprintf(json, sizeof(json), "{ \"name\": \"own\", \"base\": "
                         "\"EndEntityCertificate/V1\", %s }", members) < (int)sizeof(json));
    if (ca_template_parse(ca_bytes_str(json), &own.tmpl, NULL, &err) != CA_OK)
        fail_msg("%s", err.text);
    spec = spec_of(f->issuer, own.tmpl);
    own.profile = make_profile_of(&spec);
    return own;
}

static void drop_own(struct own *own)
{
    ca_profile_free(own->profile);
    ca_template_free(own->tmpl);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    assert_non_null(f);
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    assert_int_equal(ca_policy_new(f->crypto, &f->policy, NULL), CA_OK);
    ca_arena_init(&f->arena, 65536, 1u << 20);
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
    ca_policy_free(f->policy);
    ca_policy_free(NULL);
    ca_arena_clear(&f->arena);
    ca_crypto_free(f->crypto);
    free(f);
    return 0;
}

/* CN=device */
static const uint8_t name_device[] = { 0x30, 0x11, 0x31, 0x0f, 0x30, 0x0d, 0x06, 0x03, 0x55, 0x04,
                                       0x03, 0x0c, 0x06, 'd', 'e', 'v', 'i', 'c', 'e' };
static const uint8_t name_empty[] = { 0x30, 0x00 };
/* DNS:host.example */
static const uint8_t san_host[] = { 0x30, 0x0e, 0x82, 0x0c, 'h', 'o', 's', 't', '.', 'e', 'x', 'a',
                                    'm', 'p', 'l', 'e' };

#define VIEW(array) ca_bytes_of(array, sizeof(array))

/* A request that nothing is wrong with, as the reader leaves it. */
static struct ca_request good_request(const struct fixture *f)
{
    struct ca_request request = { .sig_alg = CA_SIG_ECDSA_SHA256, .subject = VIEW(name_device) };

    assert_int_equal(ca_spki_parse(ca_bytes_of(f->spki, f->spki_len), &request.key, NULL), CA_OK);
    return request;
}

static void empty_subject(struct ca_request *request)
{
    request->subject = VIEW(name_empty);
    request->subject_empty = true;
}

static void give_san(struct ca_request *request, bool critical)
{
    request->san = VIEW(san_host);
    request->has_san = true;
    request->san_critical = critical;
}

static enum ca_status check(struct fixture *f, const struct ca_profile *profile,
                            const struct ca_request *request, struct ca_contents *out,
                            struct ca_error *err)
{
    struct ca_ask ask = { .request = request };

    ca_arena_reset(&f->arena);
    return ca_policy_check(f->policy, profile, &ask, &f->arena, out, err);
}

static void assert_allowed(struct fixture *f, const struct ca_profile *profile,
                           const struct ca_request *request)
{
    struct ca_contents out;
    struct ca_error err;

    if (check(f, profile, request, &out, &err) != CA_OK) fail_msg("%s", err.text);
}

static void assert_refused(struct fixture *f, const struct ca_profile *profile,
                           const struct ca_request *request, enum ca_reason reason)
{
    struct ca_contents out;
    struct ca_error err;

    assert_int_equal(check(f, profile, request, &out, &err), CA_REFUSED);
    if (err.reason != reason) fail_msg("%s: %s", ca_reason_code(err.reason), err.text);
    assert_int_equal(check(f, profile, request, &out, NULL), CA_REFUSED);
}

static void a_good_request_may_have_every_template(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);

    assert_allowed(f, f->end_entity, &request);
    assert_allowed(f, f->subordinate, &request);
    assert_allowed(f, f->root, &request);
}

/* Names */

static void a_request_needs_a_subject_or_a_critical_alternative_name(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    struct ca_contents out;
    struct ca_error err;

    give_san(&request, false);
    assert_allowed(f, f->end_entity, &request);
    empty_subject(&request);
    assert_refused(f, f->end_entity, &request, CA_REASON_SAN_NOT_CRITICAL);
    (void)!check(f, f->end_entity, &request, &out, &err);
    assert_string_equal(err.text, "CSR must mark the SAN extension critical when it has an empty "
                                  "subject");
    request.san_critical = true;
    assert_allowed(f, f->end_entity, &request);
    request.has_san = false;
    assert_refused(f, f->end_entity, &request, CA_REASON_NO_NAME);
}

static void a_ca_needs_a_subject_whatever_else_it_has(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);

    empty_subject(&request);
    give_san(&request, true);
    assert_refused(f, f->subordinate, &request, CA_REASON_NO_NAME);
    assert_refused(f, f->root, &request, CA_REASON_NO_NAME);
}

static void a_request_whose_certificate_would_be_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    uint8_t *names = calloc(1, CA_CERT_DER_MAX);
    struct ca_contents out;
    struct ca_error err;

    assert_non_null(names);
    request.has_san = true;
    request.san = ca_bytes_of(names, CA_CERT_DER_MAX - 1000);
    assert_allowed(f, f->end_entity, &request);
    request.san.len = CA_CERT_DER_MAX - 300;
    assert_int_equal(check(f, f->end_entity, &request, &out, &err), CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_REQUEST_TOO_LONG);
    request.has_san = false;
    assert_allowed(f, f->end_entity, &request);
    /* A root's subject stands in its certificate twice. */
    request.subject = ca_bytes_of(names, CA_CERT_DER_MAX / 2);
    assert_allowed(f, f->end_entity, &request);
    assert_int_equal(check(f, f->root, &request, &out, &err), CA_MALFORMED);
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

/* One step alone: the numbers here have the right sizes and no more. */
static enum ca_status run_step(struct fixture *f, const char *name,
                               const struct ca_profile *profile, const struct ca_request *request,
                               struct ca_error *err)
{
    struct ca_contents out = { .ignored = 0 };
    struct ca_ask ask = { .request = request };

    for (size_t i = 0; i < ca_policy_step_count(); i++) {
        if (strcmp(ca_policy_step_name(i), name) == 0)
            return ca_policy_step(f->policy, i, profile, &ask, &f->arena, &out, err);
    }
    fail_msg("no step is called %s", name);
    return CA_CORRUPT;
}

/* NONE: allowed. */
static void assert_rsa(struct fixture *f, const struct ca_profile *profile,
                       const struct rsa_case *c, enum ca_reason reason)
{
    uint8_t n[1200], e[64];
    struct ca_request request = rsa_request(f, c, n, e);
    struct ca_error err = { .reason = 0 };
    enum ca_status st = run_step(f, "key kind and size", profile, &request, &err);

    assert_int_equal(st, reason == CA_REASON_NONE ? CA_OK : CA_REFUSED);
    assert_int_equal(err.reason, reason);
}

#define WIDE                                                                                       \
    "\"keys\": { \"rsa_bits\": { \"max\": 8192 }, \"rsa_exponent_bits_max\": 256 }"

static void rsa_keys_within_the_limits_are_allowed(void **state)
{
    static const struct rsa_case cases[] = {
        { 2048, 0xff, E_F4 }, { 2056, 0x01, E_F4 }, { 3072, 0xff, E_F4 }, { 4096, 0xff, E_F4 },
        { 2048, 0xff, "010003" }, { 2048, 0xff, "ffffff" }, { 2048, 0xff, "ffffffffffffffff" },
    };
    static const struct rsa_case wide_cases[] = {
        { 4104, 0xff, E_F4 }, { 8192, 0xff, E_F4 }, { 2048, 0xff, E_256 },
        { 2048, 0xff, "010000000000000001" },
    };
    struct fixture *f = *state;
    struct own wide = make_own(f, WIDE);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_rsa(f, f->end_entity, &cases[i], CA_REASON_NONE);
        assert_rsa(f, wide.profile, &cases[i], CA_REASON_NONE);
    }
    for (size_t i = 0; i < sizeof(wide_cases) / sizeof(wide_cases[0]); i++) {
        assert_rsa(f, f->end_entity, &wide_cases[i], CA_REASON_KEY_NOT_ALLOWED);
        assert_rsa(f, wide.profile, &wide_cases[i], CA_REASON_NONE);
    }
    drop_own(&wide);
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
    struct own wide = make_own(f, WIDE);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_rsa(f, f->end_entity, &cases[i], CA_REASON_KEY_TOO_WEAK);
        assert_rsa(f, wide.profile, &cases[i], CA_REASON_KEY_TOO_WEAK);
    }
    drop_own(&wide);
}

static void a_template_narrows_keys_and_signatures(void **state)
{
    static const struct rsa_case rsa_2048 = { 2048, 0xff, E_F4 }, rsa_3072 = { 3072, 0xff, E_F4 },
                                 rsa_4096 = { 4096, 0xff, E_F4 }, long_e = { 3072, 0xff, "010003" };
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    struct own own = make_own(f, "\"keys\": { \"algorithms\": [\"RSA\", \"ED25519\"], "
                                 "\"rsa_bits\": { \"min\": 3072, \"max\": 3072 }, "
                                 "\"rsa_exponent_bits_max\": 17 }");

    assert_refused(f, own.profile, &request, CA_REASON_KEY_NOT_ALLOWED);
    assert_rsa(f, own.profile, &rsa_2048, CA_REASON_KEY_NOT_ALLOWED);
    assert_rsa(f, own.profile, &rsa_3072, CA_REASON_NONE);
    assert_rsa(f, own.profile, &long_e, CA_REASON_NONE);
    assert_rsa(f, own.profile, &rsa_4096, CA_REASON_KEY_NOT_ALLOWED);
    drop_own(&own);
    own = make_own(f, "\"request\": { \"signature_algorithms\": [\"SHA384WITHECDSA\"] }");
    assert_refused(f, own.profile, &request, CA_REASON_ALGORITHM_NOT_SUPPORTED);
    request.sig_alg = CA_SIG_ECDSA_SHA384;
    assert_allowed(f, own.profile, &request);
    drop_own(&own);
}

static void the_request_must_be_signed_with_an_algorithm_of_its_key(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);

    request.sig_alg = CA_SIG_ALG_NONE;      /* SHA-1, MD5, PSS and the like */
    assert_refused(f, f->end_entity, &request, CA_REASON_ALGORITHM_NOT_SUPPORTED);
    request.sig_alg = CA_SIG_RSA_SHA256;
    assert_refused(f, f->end_entity, &request, CA_REASON_ALGORITHM_NOT_SUPPORTED);
    request.sig_alg = CA_SIG_ED25519;
    assert_refused(f, f->end_entity, &request, CA_REASON_ALGORITHM_NOT_SUPPORTED);
    request.sig_alg = CA_SIG_ECDSA_SHA512;
    assert_allowed(f, f->end_entity, &request);
}

static void the_issuers_own_key_is_certified_by_nobody_but_itself(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);

    assert_int_equal(ca_spki_parse(ca_bytes_of(f->ca_spki, f->ca_spki_len), &request.key, NULL),
                     CA_OK);
    assert_refused(f, f->end_entity, &request, CA_REASON_CA_KEY_AS_SUBJECT);
    assert_refused(f, f->subordinate, &request, CA_REASON_CA_KEY_AS_SUBJECT);
    assert_allowed(f, f->root, &request);
}

/* The octets of y do not count: at this x there are two points, with one private key but for the
 * sign. */
static void a_point_at_the_issuers_x_is_the_issuers_key(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    uint8_t *spki = malloc(f->ca_spki_len);

    assert_non_null(spki);
    memcpy(spki, f->ca_spki, f->ca_spki_len);
    spki[f->ca_spki_len - 1] ^= 1;
    assert_int_equal(ca_spki_parse(ca_bytes_of(spki, f->ca_spki_len), &request.key, NULL), CA_OK);
    assert_refused(f, f->end_entity, &request, CA_REASON_CA_KEY_AS_SUBJECT);
    free(spki);
}

/* What the certificate will have */

static void the_contents_are_those_of_the_request(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    struct ca_contents out;
    uint8_t digest[32];

    give_san(&request, false);
    memset(&out, 0xee, sizeof(out));
    assert_int_equal(check(f, f->end_entity, &request, &out, NULL), CA_OK);
    assert_true(ca_bytes_equal(out.subject, VIEW(name_device)));
    assert_true(ca_bytes_equal(out.san, VIEW(san_host)));
    assert_true(out.has_san && !out.san_critical && !out.subject_empty);
    assert_int_equal(out.ignored, 0);
    assert_int_equal(out.extra.len, 0);
    assert_int_equal(EVP_Q_digest(NULL, "SHA1", NULL, request.key.key.data, request.key.key.len,
                                  digest, NULL), 1);
    assert_memory_equal(out.subject_key_id, digest, 20);
    assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, request.key.key.data + 1, 32, digest, NULL),
                     1);
    assert_memory_equal(out.key_hash, digest, CA_KEY_HASH_LEN);
}

/* keyUsage: digitalSignature; extendedKeyUsage: codeSigning */
static const uint8_t asked[] = {
    0x30, 0x0b, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x04, 0x04, 0x03, 0x02, 0x07, 0x80,
    0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01,
    0x05, 0x05, 0x07, 0x03, 0x03,
};

static void what_is_ignored_is_noted_and_refused_where_the_job_is_strict(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    const struct ca_template *tmpl = ca_profile_template(f->end_entity);
    struct ca_profile_spec spec = spec_of(f->issuer, tmpl);
    struct ca_profile *strict;
    struct ca_contents out;
    struct ca_error err;

    spec.strict = true;
    strict = make_profile_of(&spec);
    assert_allowed(f, strict, &request);
    request.extensions = VIEW(asked);
    assert_int_equal(check(f, f->end_entity, &request, &out, NULL), CA_OK);
    assert_int_equal(out.ignored,
                     CA_IGNORED_BIT(CSR_KEY_USAGE) | CA_IGNORED_BIT(CSR_EXT_KEY_USAGE));
    assert_refused(f, strict, &request, CA_REASON_PASSTHROUGH_IGNORED);
    (void)!check(f, strict, &request, &out, &err);
    assert_string_equal(err.text, "the template would ignore csr.keyUsage, csr.extendedKeyUsage");
    ca_profile_free(strict);
}

/* Everything at once that a request can ask for in vain. */
static void a_long_list_of_ignored_things_is_cut(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    const struct ca_template *tmpl = ca_profile_template(f->end_entity);
    struct ca_profile_spec spec = spec_of(f->issuer, tmpl);
    struct ca_profile *strict;
    struct ca_contents out;
    struct ca_error err;
    uint8_t list[512];
    size_t len = 0;

    /* Extensions of id-ce whose values are empty SEQUENCEs. */
    for (uint8_t arc = 9; arc < 55; arc++) {
        const uint8_t extension[] = { 0x30, 0x09, 0x06, 0x03, 0x55, 0x1d, arc,
                                      0x04, 0x02, 0x30, 0x00 };

        if (arc == 17) continue;
        if (len + sizeof(extension) > sizeof(list)) break;
        memcpy(list + len, extension, sizeof(extension));
        len += sizeof(extension);
    }
    spec.strict = true;
    strict = make_profile_of(&spec);
    request.extensions = ca_bytes_of(list, len);
    assert_int_equal(check(f, strict, &request, &out, &err), CA_REFUSED);
    assert_int_equal(err.reason, CA_REASON_PASSTHROUGH_IGNORED);
    assert_non_null(strstr(err.text, " more"));
    ca_profile_free(strict);
}

static void refusals_of_contents_come_through(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    struct ca_profile *passing =
        make_profile(f->issuer, "BlankEndEntityCertificate_CSRPassthrough");
    struct own manifest = make_own(f, "\"names\": \"manifest\"");
    struct own both = make_own(f, "\"names\": \"both-must-agree\"");
    /* keyUsage with a bit that is not minimal */
    static const uint8_t bad[] = { 0x30, 0x0b, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x04, 0x04,
                                   0x03, 0x02, 0x00, 0x80 };

    assert_refused(f, manifest.profile, &request, CA_REASON_NO_MANIFEST_NAMES);
    assert_refused(f, both.profile, &request, CA_REASON_NO_MANIFEST_NAMES);
    request.extensions = VIEW(bad);
    assert_refused(f, passing, &request, CA_REASON_PASSTHROUGH_REFUSED);
    ca_profile_free(passing);
    drop_own(&manifest);
    drop_own(&both);
}

/* The template's rules for names */

static void names_must_fit_the_templates_rules(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    struct own own = make_own(f, "\"subject\": { \"attributes\": { \"CN\": { \"pattern\": "
                                 "\"dev[a-z]+\" } } }, \"san\": { \"dns\": { \"max\": 1, "
                                 "\"suffixes\": [\".example\"] } }");

    assert_allowed(f, own.profile, &request);
    give_san(&request, false);
    assert_allowed(f, own.profile, &request);
    drop_own(&own);
    own = make_own(f, "\"subject\": { \"attributes\": { \"CN\": { \"fixed\": \"other\" } } }");
    assert_refused(f, own.profile, &request, CA_REASON_SUBJECT_REFUSED);
    drop_own(&own);
    own = make_own(f, "\"san\": { \"ip\": {} }");
    assert_refused(f, own.profile, &request, CA_REASON_SAN_REFUSED);
    drop_own(&own);
}

static void what_the_template_puts_in_counts_as_a_name(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    struct ca_contents out;
    struct own own = make_own(f, "\"subject\": { \"attributes\": { \"CN\": { "
                                 "\"fixed\": \"device\", \"presence\": \"required\" } } }");

    empty_subject(&request);
    assert_refused(f, f->end_entity, &request, CA_REASON_NO_NAME);
    assert_int_equal(check(f, own.profile, &request, &out, NULL), CA_OK);
    assert_false(out.subject_empty);
    assert_true(out.subject.len > 2);
    drop_own(&own);
    own = make_own(f, "\"san\": { \"critical\": true, \"dns\": {} }");
    give_san(&request, false);
    assert_refused(f, f->end_entity, &request, CA_REASON_SAN_NOT_CRITICAL);
    assert_int_equal(check(f, own.profile, &request, &out, NULL), CA_OK);
    assert_true(out.san_critical);
    drop_own(&own);
}

/* The key itself */

/* A request for the key in a file of public keys. */
static struct ca_request request_for_file(const struct fixture *f, const char *name,
                                          enum ca_sig_alg alg, uint8_t **der)
{
    struct ca_request request = good_request(f);
    char path[512];
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *decoder;
    BIO *bio;
    int len;

    assert_true(snprintf(path, sizeof(path), KEYS "%s", name) < (int)sizeof(path));
    bio = BIO_new_file(path, "r");
    assert_non_null(bio);
    decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, NULL, 0, NULL, NULL);
    assert_int_equal(OSSL_DECODER_from_bio(decoder, bio), 1);
    *der = NULL;
    len = i2d_PUBKEY(key, der);
    assert_int_equal(ca_spki_parse(ca_bytes_of(*der, (size_t)len), &request.key, NULL), CA_OK);
    request.sig_alg = alg;
    OSSL_DECODER_CTX_free(decoder);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return request;
}

static void weak_and_published_keys_are_refused(void **state)
{
    static const struct {
        const char *name;
        enum ca_sig_alg alg;
        enum ca_reason reason;
    } cases[] = {
        { "rfc-examples/pub-ecdsap256-rfc9500.key", CA_SIG_ECDSA_SHA256, CA_REASON_KEY_PUBLISHED },
        { "rfc-examples/pub-rsa2048-rfc9500.key", CA_SIG_RSA_SHA256, CA_REASON_KEY_PUBLISHED },
        { "rfc-examples/pub-ed25519-rfc8410.key", CA_SIG_ED25519, CA_REASON_KEY_PUBLISHED },
        { "rfc-examples/pub-ed448-rfc8080.key", CA_SIG_ED448, CA_REASON_KEY_PUBLISHED },
        { "badkeys/rsa-nprime.key", CA_SIG_RSA_SHA256, CA_REASON_KEY_PUBLISHED },
        { "debian/rsa2048-ssh-be32-0.key", CA_SIG_RSA_SHA256, CA_REASON_KEY_TOO_WEAK },
        { "debian/ecp256-ssl-le64-1000-rnd.key", CA_SIG_ECDSA_SHA256, CA_REASON_KEY_PUBLISHED },
        { "badkeys/rsa-debianweak.key", CA_SIG_RSA_SHA256, CA_REASON_KEY_PUBLISHED },
        { "badkeys/rsa-roca.key", CA_SIG_RSA_SHA256, CA_REASON_KEY_ROCA },
        { "badkeys/rsa-fermat-pkcs1.key", CA_SIG_RSA_SHA256, CA_REASON_KEY_CLOSE_PRIMES },
        { "badkeys/rsa-large-e.key", CA_SIG_RSA_SHA256, CA_REASON_KEY_TOO_WEAK },
        { "badkeys/rsa-e1.key", CA_SIG_RSA_SHA256, CA_REASON_KEY_TOO_WEAK },
    };
    struct fixture *f = *state;
    uint8_t *der = NULL;
    struct ca_request request;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        request = request_for_file(f, cases[i].name, cases[i].alg, &der);
        assert_refused(f, f->end_entity, &request, cases[i].reason);
        if (cases[i].alg == CA_SIG_ECDSA_SHA256 && cases[i].reason == CA_REASON_KEY_PUBLISHED)
            assert_refused(f, f->root, &request, cases[i].reason);
        OPENSSL_free(der);
    }
    request = request_for_file(f, "badkeys/rsa-ok.key", CA_SIG_RSA_SHA256, &der);
    assert_allowed(f, f->end_entity, &request);
    OPENSSL_free(der);
}

static void an_rsa_key_with_a_small_factor_is_refused(void **state)
{
    struct fixture *f = *state;
    struct rsa_case c = { 2048, 0xff, E_F4 };
    uint8_t n[1200], e[64];
    struct ca_request request = rsa_request(f, &c, n, e);

    /* Octets of one value: divisible by 1 + 2^8 = 257 and more. */
    memset(n, 0xff, 256);
    assert_refused(f, f->end_entity, &request, CA_REASON_KEY_SMALL_FACTOR);
}

static void points_of_small_order_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    uint8_t octets[57] = { 0 };

    request.key = (struct ca_spki){ .kind = CA_KEY_KIND_ED25519, .bits = 256, .key = { octets, 32 },
                                    .whole = { octets, 32 } };
    request.sig_alg = CA_SIG_ED25519;
    assert_refused(f, f->end_entity, &request, CA_REASON_BAD_POINT);
    octets[0] = 1;
    octets[31] = 0x80;
    assert_refused(f, f->end_entity, &request, CA_REASON_BAD_POINT);
    octets[31] = 0;
    request.key.kind = CA_KEY_KIND_ED448;
    request.key.key.len = 57;
    request.sig_alg = CA_SIG_ED448;
    assert_refused(f, f->end_entity, &request, CA_REASON_BAD_POINT);
    octets[0] = 9;      /* no point at all, but none of small order: for the proof to see */
    assert_allowed(f, f->end_entity, &request);
}

static void a_key_on_the_users_list_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    struct ca_profile_spec spec = spec_of(f->issuer, ca_profile_template(f->end_entity));
    struct ca_blocklist *list = NULL;
    struct ca_profile *blocking;
    uint8_t digest[32];
    char text[2 * CA_KEY_HASH_LEN + 1];

    assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, request.key.key.data + 1, 32, digest, NULL),
                     1);
    ca_hex_encode(ca_bytes_of(digest, CA_KEY_HASH_LEN), text);
    assert_int_equal(ca_blocklist_parse(ca_bytes_str(text), f->crypto, &list, NULL), CA_OK);
    spec.blocklist = list;
    blocking = make_profile_of(&spec);
    assert_refused(f, blocking, &request, CA_REASON_KEY_BLOCKED);
    request.key.kind = CA_KEY_KIND_ED25519;     /* another key altogether */
    request.key.key = ca_bytes_slice(request.key.key, 2, 32);
    request.sig_alg = CA_SIG_ED25519;
    assert_allowed(f, blocking, &request);
    ca_profile_free(blocking);
    ca_blocklist_free(list);
}

/* The steps */

static void steps_one_by_one_are_the_whole_check(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = good_request(f);
    struct ca_ask ask = { .request = &request };
    struct ca_contents one_by_one = { .ignored = 0 }, whole;

    give_san(&request, true);
    for (size_t i = 0; i < ca_policy_step_count(); i++) {
        assert_true(strlen(ca_policy_step_name(i)) > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ca_policy_step_name(i), ca_policy_step_name(j));
        assert_int_equal(ca_policy_step(f->policy, i, f->end_entity, &ask, &f->arena, &one_by_one,
                                        NULL), CA_OK);
    }
    assert_int_equal(check(f, f->end_entity, &request, &whole, NULL), CA_OK);
    assert_true(ca_bytes_equal(one_by_one.subject, whole.subject));
    assert_true(ca_bytes_equal(one_by_one.san, whole.san));
    assert_memory_equal(one_by_one.key_hash, whole.key_hash, CA_KEY_HASH_LEN);
    assert_memory_equal(one_by_one.subject_key_id, whole.subject_key_id, 20);
    assert_memory_equal(ask.subject_key_id, whole.subject_key_id, 20);
}

/* A hostile key of a size that is refused is never computed with. */
static void the_cheap_faults_are_found_first(void **state)
{
    struct fixture *f = *state;
    uint8_t *der = NULL;
    struct ca_request request =
        request_for_file(f, "badkeys/rsa-roca.key", CA_SIG_RSA_SHA256, &der);

    empty_subject(&request);
    assert_refused(f, f->end_entity, &request, CA_REASON_NO_NAME);
    request.key.bits = 1024;
    assert_refused(f, f->end_entity, &request, CA_REASON_KEY_TOO_WEAK);
    request.sig_alg = CA_SIG_ALG_NONE;
    assert_refused(f, f->end_entity, &request, CA_REASON_ALGORITHM_NOT_SUPPORTED);
    OPENSSL_free(der);
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
        cmocka_unit_test(a_template_narrows_keys_and_signatures),
        cmocka_unit_test(the_request_must_be_signed_with_an_algorithm_of_its_key),
        cmocka_unit_test(the_issuers_own_key_is_certified_by_nobody_but_itself),
        cmocka_unit_test(a_point_at_the_issuers_x_is_the_issuers_key),
        cmocka_unit_test(the_contents_are_those_of_the_request),
        cmocka_unit_test(what_is_ignored_is_noted_and_refused_where_the_job_is_strict),
        cmocka_unit_test(a_long_list_of_ignored_things_is_cut),
        cmocka_unit_test(refusals_of_contents_come_through),
        cmocka_unit_test(names_must_fit_the_templates_rules),
        cmocka_unit_test(what_the_template_puts_in_counts_as_a_name),
        cmocka_unit_test(weak_and_published_keys_are_refused),
        cmocka_unit_test(an_rsa_key_with_a_small_factor_is_refused),
        cmocka_unit_test(points_of_small_order_are_refused),
        cmocka_unit_test(a_key_on_the_users_list_is_refused),
        cmocka_unit_test(steps_one_by_one_are_the_whole_check),
        cmocka_unit_test(the_cheap_faults_are_found_first),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
