/*
 * Requests of other programs: those of the corpus, and those that OpenSSL makes and reads.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/pem.h"
#include "engine/template.h"
#include "tests/support/request_judge.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests of the corpus */

static struct ca_bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(100000);
    size_t len;

    if (file == NULL) fail_msg("cannot open %s", path);
    assert_non_null(data);
    len = fread(data, 1, 100000, file);
    assert_true(len > 0 && len < 100000);
    assert_int_equal(fclose(file), 0);
    return ca_bytes_of(data, len);
}

/* Reads a vector, PEM or DER; *der is the DER, for the caller to free. */
static enum ca_status parse_vector(const char *path, unsigned admit, uint8_t **der,
                                   struct ca_request *request, struct ca_error *err)
{
    struct ca_bytes text = read_file(path);
    struct ca_pem_block block;
    bool found = false;
    size_t len = 0;
    enum ca_status st = ca_pem_find(text, &block, &found, err);

    assert_int_equal(st, CA_OK);
    if (!found) {
        *der = (uint8_t *)(uintptr_t)text.data;
        return ca_request_parse(text, admit, request, err);
    }
    *der = malloc(ca_base64_decoded_max(block.base64.len));
    assert_non_null(*der);
    assert_int_equal(ca_base64_decode(block.base64, *der, &len, err), CA_OK);
    free((void *)(uintptr_t)text.data);
    return ca_request_parse(ca_bytes_of(*der, len), admit, request, err);
}

static const char *const folders[] = {
    "asn1crypto", "aws-lc", "badkeys", "boulder", "cfssl", "ct-go", "gnutls", "mbedtls",
    "mbedtls-malformed", "openssl-cmp", "roca", "rustcrypto", "smallstep", "smallstep-crypto",
    "x509-parser", "xipki",
};

/* What EXPECT.tsv rejects for a reason that is not the request's form: other stages find it. */
static const char *const good_form[] = {
    "badkeys/rsa-fermat.csr",                                   /* weak key */
    "boulder/no_names.der.csr",                                 /* policy: no name */
    "boulder/short_key.der.csr",                                /* RSA 512 */
    "cfssl/ex.csr",                                             /* RSA 1024, and all below */
    "cfssl/ip.csr",
    "gnutls/arb-extensions.csr",
    "gnutls/template-tlsfeature.csr",
    "gnutls/2e7defbf265715d2c2d5ea8bc464071ce19e667a",
    "gnutls/9a926fe3e62b45ba45705ef482a04289a942804f",
    "gnutls/b63e395f3b22408f4c03a9ef249afedb48b64609",
    "gnutls/d1e497073008aa907e2c79e236234eff7a21e43e",
    "mbedtls/test_csr_v3_all.csr.der",
    "mbedtls/test_csr_v3_keyUsage.csr.der",
    "mbedtls/test_csr_v3_subjectAltName.csr.der",
    /* Changed to an attribute type that nobody knows, and to a keyUsage of another ASN.1 type,
     * which nobody reads: the proof of possession fails, and RSA 1024. */
    "mbedtls-malformed/test_csr_v3_all_malformed_attributes_extension_request.csr.der",
    "mbedtls-malformed/test_csr_v3_all_malformed_extension_key_usage_bitstream_tag.csr.der",
};

/* Accepted where the template admits it: countryName is "Great Country" (RFC 5280 A.1: two
 * letters). */
static const char *const admitted_only[] = { "cfssl/localhost.csr" };

static bool is_listed(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], name) == 0) return true;
    }
    return false;
}

#define LISTED(list, name) is_listed(list, sizeof(list) / sizeof((list)[0]), name)

/* One line of EXPECT.tsv; counts what it lists. */
static void judge_vector(const char *folder, const char *file, const char *verdict,
                         size_t *listed)
{
    char name[300], path[600];
    struct ca_request request;
    struct ca_error err = { .status = CA_OK };
    uint8_t *der = NULL;
    bool good = strcmp(verdict, "reject") != 0;
    enum ca_status st;

    (void)snprintf(name, sizeof(name), "%s/%s", folder, file);
    (void)snprintf(path, sizeof(path), CERTMILL_VECTORS_DIR "/csr/%s", name);
    if (LISTED(good_form, name) || LISTED(admitted_only, name)) {
        good = !good;
        (*listed)++;
    }
    st = parse_vector(path, 0, &der, &request, &err);
    free(der);
    if ((st == CA_OK) != good)
        fail_msg("%s: %s", name, st == CA_OK ? "accepted" : err.text);
    if (st != CA_OK) assert_true(err.reason != CA_REASON_NONE);
    if (LISTED(admitted_only, name)) {
        st = parse_vector(path, CA_ADMIT_COUNTRY, &der, &request, &err);
        free(der);
        if (st != CA_OK) fail_msg("%s: %s", name, err.text);
        st = parse_vector(path, ~(unsigned)CA_ADMIT_COUNTRY, &der, &request, &err);
        free(der);
        assert_int_equal(st, CA_MALFORMED);
    }
}

static void requests_from_the_wild_have_the_verdict_that_the_corpus_says(void **state)
{
    size_t files = 0, listed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        char path[600], line[600], file[200], verdict[20];
        FILE *expect;

        (void)snprintf(path, sizeof(path), CERTMILL_VECTORS_DIR "/csr/%s/EXPECT.tsv", folders[i]);
        expect = fopen(path, "r");
        if (expect == NULL) fail_msg("cannot open %s", path);
        assert_non_null(fgets(line, sizeof(line), expect));     /* the heading */
        while (fgets(line, sizeof(line), expect) != NULL) {
            assert_int_equal(sscanf(line, "%199[^\t]\t%19[^\t]", file, verdict), 2);
            judge_vector(folders[i], file, verdict, &listed);
            files++;
        }
        (void)fclose(expect);
    }
    assert_int_equal(files, 104);
    assert_int_equal(listed, sizeof(good_form) / sizeof(good_form[0]) +
                                 sizeof(admitted_only) / sizeof(admitted_only[0]));
}

/* Reasons where the corpus names one fault. */
static void requests_from_the_wild_are_refused_for_the_right_reason(void **state)
{
    static const struct {
        const char *name;
        enum ca_reason reason;
    } cases[] = {
        { "asn1crypto/test-windows-host.csr", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "aws-lc/csr-mldsa44.pem", CA_REASON_KEY_NOT_SUPPORTED },
        { "boulder/bad_algorithm.der.csr", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "boulder/long_cn.der.csr", CA_REASON_NAME_TOO_LONG },
        { "cfssl/localhost.csr", CA_REASON_BAD_NAME },
        { "cfssl/test.csr.pem", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "mbedtls/server1.req.sha224", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "mbedtls/server5.req.sha1", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "mbedtls/server9.req.sha1", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "mbedtls/server9.req.sha256", CA_REASON_ALGORITHM_NOT_SUPPORTED },    /* salt of 94 */
        { "mbedtls-malformed/test_csr_v3_all_malformed_attributes_len1.csr.der",
          CA_REASON_BAD_DER },
        { "mbedtls-malformed/test_csr_v3_all_malformed_attributes_sequence_tag.csr.der",
          CA_REASON_BAD_ATTRIBUTES },
        { "mbedtls-malformed/"
          "test_csr_v3_all_malformed_attributes_extension_request_set_tag.csr.der",
          CA_REASON_BAD_ATTRIBUTES },
        { "mbedtls-malformed/"
          "test_csr_v3_all_malformed_attributes_extension_request_sequence_len2.csr.der",
          CA_REASON_BAD_DER },
        { "mbedtls-malformed/test_csr_v3_all_malformed_extension_data_len1.csr.der",
          CA_REASON_BAD_DER },
        { "mbedtls-malformed/test_csr_v3_all_malformed_extension_data_tag.csr.der",
          CA_REASON_BAD_EXTENSIONS },
        { "mbedtls-malformed/"
          "test_csr_v3_all_malformed_extension_subject_alt_name_sequence_tag.csr.der",
          CA_REASON_BAD_SAN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[600];
        struct ca_request request;
        struct ca_error err = { .status = CA_OK };
        uint8_t *der = NULL;

        (void)snprintf(path, sizeof(path), CERTMILL_VECTORS_DIR "/csr/%s", cases[i].name);
        if (parse_vector(path, 0, &der, &request, &err) == CA_OK)
            fail_msg("%s: accepted", cases[i].name);
        if (err.reason != cases[i].reason) fail_msg("%s: %s", cases[i].name, err.text);
        free(der);
    }
}

/* Requests made by OpenSSL */

static EVP_PKEY *make_key(const char *kind)
{
    if (strcmp(kind, "RSA") == 0) return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    if (strncmp(kind, "ED", 2) == 0) return EVP_PKEY_Q_keygen(NULL, NULL, kind);
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
}

/* The caller frees it. */
static X509_REQ *make_request(EVP_PKEY *key, const char *digest, const char *common_name,
                              const char *san)
{
    X509_REQ *req = X509_REQ_new();
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(X509_REQ_set_version(req, 0), 1);
    if (common_name != NULL)
        assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                    (const unsigned char *)common_name, -1, -1, 0),
                         1);
    assert_int_equal(X509_REQ_set_subject_name(req, name), 1);
    assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
    if (san != NULL) {
        STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);

        assert_non_null(extension);
        assert_true(sk_X509_EXTENSION_push(extensions, extension) > 0);
        assert_int_equal(X509_REQ_add_extensions(req, extensions), 1);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    }
    assert_true(X509_REQ_sign(req, key, digest == NULL ? NULL : EVP_get_digestbyname(digest)) > 0);
    X509_NAME_free(name);
    return req;
}

static struct ca_bytes der_of(X509_REQ *req)
{
    unsigned char *der = NULL;
    int len = i2d_X509_REQ(req, &der);

    assert_true(len > 0);
    return ca_bytes_of(der, (size_t)len);
}

static void free_der(struct ca_bytes der) { OPENSSL_free((void *)(uintptr_t)der.data); }

/* Each member of the request against what OpenSSL says of the same one. */
static void expect_members(const struct ca_request *r, X509_REQ *req)
{
    unsigned char *der = NULL;
    const ASN1_BIT_STRING *signature;
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
    int at = extensions == NULL ? -1
                                : X509v3_get_ext_by_NID(extensions, NID_subject_alt_name, -1);
    int len = i2d_re_X509_REQ_tbs(req, &der);

    assert_true(ca_bytes_equal(r->info, ca_bytes_of(der, (size_t)len)));
    OPENSSL_free(der);
    der = NULL;
    len = i2d_X509_NAME(X509_REQ_get_subject_name(req), &der);
    assert_true(ca_bytes_equal(r->subject, ca_bytes_of(der, (size_t)len)));
    assert_int_equal(r->subject_empty, X509_NAME_entry_count(X509_REQ_get_subject_name(req)) == 0);
    OPENSSL_free(der);
    der = NULL;
    len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), &der);
    assert_true(ca_bytes_equal(r->key.whole, ca_bytes_of(der, (size_t)len)));
    OPENSSL_free(der);
    X509_REQ_get0_signature(req, &signature, NULL);
    assert_true(ca_bytes_equal(r->signature, ca_bytes_of(signature->data,
                                                         (size_t)signature->length)));
    assert_int_equal(r->has_san, at >= 0);
    if (at >= 0) {
        X509_EXTENSION *san = X509v3_get_ext(extensions, at);
        ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(san);

        assert_true(ca_bytes_equal(r->san, ca_bytes_of(ASN1_STRING_get0_data(value),
                                                       (size_t)ASN1_STRING_length(value))));
        assert_int_equal(r->san_critical, X509_EXTENSION_get_critical(san) == 1);
    } else {
        assert_int_equal(r->san.len, 0);
    }
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

static void requests_of_every_kind_are_read_as_openssl_reads_them(void **state)
{
    static const struct {
        const char *key, *digest;
        enum ca_sig_alg alg;
    } kinds[] = {
        { "RSA", "SHA256", CA_SIG_RSA_SHA256 },   { "RSA", "SHA384", CA_SIG_RSA_SHA384 },
        { "RSA", "SHA512", CA_SIG_RSA_SHA512 },   { "P-256", "SHA256", CA_SIG_ECDSA_SHA256 },
        { "P-256", "SHA512", CA_SIG_ECDSA_SHA512 }, { "P-384", "SHA384", CA_SIG_ECDSA_SHA384 },
        { "P-521", "SHA512", CA_SIG_ECDSA_SHA512 }, { "ED25519", NULL, CA_SIG_ED25519 },
        { "ED448", NULL, CA_SIG_ED448 },
    };
    static const struct {
        const char *common_name, *san;
    } names[] = {
        { "device-000001", NULL },
        { "device-000001", "DNS:device-000001.example" },
        { NULL, "critical,DNS:a.example,IP:192.0.2.1,email:a@b.example" },
        { NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        EVP_PKEY *key = make_key(kinds[i].key);

        assert_non_null(key);
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            X509_REQ *req = make_request(key, kinds[i].digest, names[k].common_name, names[k].san);
            struct ca_bytes der = der_of(req);
            struct ca_request request;
            struct ca_error err;
            uint8_t *copy;

            if (request_parse_exact(der, &request, &copy, &err) != CA_OK) fail_msg("%s", err.text);
            assert_int_equal(request.sig_alg, kinds[i].alg);
            assert_int_equal(request.der.len, der.len);
            expect_members(&request, req);
            free(copy);
            free_der(der);
            X509_REQ_free(req);
        }
        EVP_PKEY_free(key);
    }
}

/* PSS as OpenSSL writes its parameters: only one of these has what we take (RFC 4055 3.1). */
static void pss_is_read_as_openssl_writes_it(void **state)
{
    static const struct {
        const char *digest, *mgf1_digest;
        int salt_len;
        enum ca_sig_alg alg;        /* NONE: not supported */
    } cases[] = {
        { "SHA256", "SHA256", 32, CA_SIG_RSA_PSS_SHA256 },
        { "SHA384", "SHA384", 48, CA_SIG_RSA_PSS_SHA384 },
        { "SHA512", "SHA512", 64, CA_SIG_RSA_PSS_SHA512 },
        { "SHA256", "SHA256", 20, CA_SIG_ALG_NONE }, { "SHA256", "SHA256", 0, CA_SIG_ALG_NONE },
        { "SHA256", "SHA256", 222, CA_SIG_ALG_NONE }, { "SHA256", "SHA1", 32, CA_SIG_ALG_NONE },
        { "SHA256", "SHA512", 32, CA_SIG_ALG_NONE }, { "SHA1", "SHA1", 20, CA_SIG_ALG_NONE },
        { "SHA224", "SHA224", 28, CA_SIG_ALG_NONE }, { "SHA1", "SHA256", 32, CA_SIG_ALG_NONE },
        { "SHA512-256", "SHA512-256", 32, CA_SIG_ALG_NONE },
    };
    EVP_PKEY *key = make_key("RSA");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        X509_REQ *req = make_request(key, "SHA256", "device", NULL);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pkey_ctx = NULL;
        struct ca_request request;
        struct ca_bytes der;

        assert_int_equal(EVP_DigestSignInit_ex(ctx, &pkey_ctx, cases[i].digest, NULL, NULL, key,
                                               NULL), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md_name(pkey_ctx, cases[i].mgf1_digest, NULL),
                         1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, cases[i].salt_len), 1);
        assert_true(X509_REQ_sign_ctx(req, ctx) > 0);
        der = der_of(req);
        if (cases[i].alg == CA_SIG_ALG_NONE) {
            request_judge(der, CA_REASON_ALGORITHM_NOT_SUPPORTED, "PSS");
        } else {
            assert_int_equal(ca_request_parse(der, 0, &request, NULL), CA_OK);
            assert_int_equal(request.sig_alg, cases[i].alg);
            expect_members(&request, req);
        }
        free_der(der);
        EVP_MD_CTX_free(ctx);
        X509_REQ_free(req);
    }
    EVP_PKEY_free(key);
}

static void a_weak_digest_is_not_supported(void **state)
{
    static const struct {
        const char *key, *digest;
    } kinds[] = { { "RSA", "SHA1" },  { "RSA", "MD5" },     { "RSA", "SHA224" },
                  { "P-256", "SHA1" }, { "P-256", "SHA224" }, { "RSA", "SHA512-256" } };

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        EVP_PKEY *key = make_key(kinds[i].key);
        X509_REQ *req = make_request(key, kinds[i].digest, "a", NULL);
        struct ca_bytes der = der_of(req);

        request_judge(der, CA_REASON_ALGORITHM_NOT_SUPPORTED, kinds[i].digest);
        free_der(der);
        X509_REQ_free(req);
        EVP_PKEY_free(key);
    }
}

static void a_request_cut_off_anywhere_is_refused(void **state)
{
    EVP_PKEY *key = make_key("P-256");
    X509_REQ *req = make_request(key, "SHA256", "device", "DNS:a.example");
    struct ca_bytes der = der_of(req);

    (void)state;
    for (size_t len = 0; len < der.len; len++) {
        struct ca_request request;
        uint8_t *copy;

        assert_int_equal(request_parse_exact(ca_bytes_of(der.data, len), &request, &copy, NULL),
                         CA_MALFORMED);
        free(copy);
    }
    free_der(der);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
}

/* A small generator of our own, so that a failure repeats. */
static uint64_t random_state = 0xa0761d6478bd642f;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* No octet may be changed without somebody seeing it: either the form breaks, or one of the views
 * that later stages look at has changed. */
static void every_changed_octet_is_refused_or_seen(void **state)
{
    EVP_PKEY *key = make_key("P-256");
    X509_REQ *req = make_request(key, "SHA256", "device", "DNS:a.example");
    struct ca_bytes der = der_of(req);
    struct ca_request before;

    (void)state;
    assert_int_equal(ca_request_parse(der, 0, &before, NULL), CA_OK);
    for (size_t i = 0; i < der.len; i++) {
        for (int round = 0; round < 20; round++) {
            uint8_t *octet = (uint8_t *)(uintptr_t)der.data + i;
            uint8_t old = *octet;
            struct ca_request after;
            uint8_t *copy;

            *octet = (uint8_t)(old ^ (1 + next_random() % 255));
            if (request_parse_exact(der, &after, &copy, NULL) == CA_OK) {
                bool in_info = i >= (size_t)(before.info.data - der.data) &&
                               i < (size_t)(before.info.data - der.data) + before.info.len;
                bool in_signature = i >= (size_t)(before.signature.data - der.data);

                /* or ecdsa-with-SHA384 and 512, which the proof of possession then refutes */
                assert_true(in_info || in_signature || after.sig_alg != before.sig_alg);
            }
            free(copy);
            *octet = old;
        }
    }
    free_der(der);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_from_the_wild_have_the_verdict_that_the_corpus_says),
        cmocka_unit_test(requests_from_the_wild_are_refused_for_the_right_reason),
        cmocka_unit_test(requests_of_every_kind_are_read_as_openssl_reads_them),
        cmocka_unit_test(pss_is_read_as_openssl_writes_it),
        cmocka_unit_test(a_weak_digest_is_not_supported),
        cmocka_unit_test(a_request_cut_off_anywhere_is_refused),
        cmocka_unit_test(every_changed_octet_is_refused_or_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
