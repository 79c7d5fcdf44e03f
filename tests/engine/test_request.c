#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/pem.h"
#include "engine/request.h"
#include "engine/template.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A small generator of our own, so that a failure repeats. */
static uint64_t random_state = 0xa0761d6478bd642f;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Parses a copy that ends where the request ends. The copy is the caller's to free: the request is
 * made of views into it. */
static enum ca_status parse_admitting(struct ca_bytes der, unsigned admit, struct ca_request *out,
                                      uint8_t **copy, struct ca_error *err)
{
    *copy = malloc(der.len == 0 ? 1 : der.len);
    assert_non_null(*copy);
    if (der.len > 0) memcpy(*copy, der.data, der.len);
    return ca_request_parse(ca_bytes_of(*copy, der.len), admit, out, err);
}

static enum ca_status parse_exact(struct ca_bytes der, struct ca_request *out, uint8_t **copy,
                                  struct ca_error *err)
{
    return parse_admitting(der, 0, out, copy, err);
}

static void judge_admitting(struct ca_bytes der, unsigned admit, enum ca_reason reason,
                            const char *what)
{
    struct ca_request request;
    struct ca_error err = { .status = CA_OK };
    uint8_t *copy;
    enum ca_status st = parse_admitting(der, admit, &request, &copy, &err);

    free(copy);
    if (reason == CA_REASON_NONE) {
        if (st != CA_OK) fail_msg("%s: %s", what, err.text);
        return;
    }
    if (st == CA_OK) fail_msg("%s: accepted", what);
    if (err.reason != reason)
        fail_msg("%s: %s (%s), not %s", what, ca_reason_code(err.reason), err.text,
                 ca_reason_code((uint16_t)reason));
    assert_int_equal(st, err.status);
    assert_true(st == CA_MALFORMED || st == CA_REFUSED);
    assert_true(strlen(err.text) > 0);
}

static void judge(struct ca_bytes der, enum ca_reason reason, const char *what)
{
    judge_admitting(der, 0, reason, what);
}

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

            if (parse_exact(der, &request, &copy, &err) != CA_OK) fail_msg("%s", err.text);
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
            judge(der, CA_REASON_ALGORITHM_NOT_SUPPORTED, "PSS");
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

        judge(der, CA_REASON_ALGORITHM_NOT_SUPPORTED, kinds[i].digest);
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

        assert_int_equal(parse_exact(ca_bytes_of(der.data, len), &request, &copy, NULL),
                         CA_MALFORMED);
        free(copy);
    }
    free_der(der);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
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
            if (parse_exact(der, &after, &copy, NULL) == CA_OK) {
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

/* Requests made by hand: each part in hexadecimal, to be exchanged one at a time. The signature is
 * not right: it is not this module's to check. */

#define HEX32 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KEY_P256 "3059301306072a8648ce3d020106082a8648ce3d03010703420004" HEX32 HEX32
#define KEY_ED25519 "302a300506032b6570032100" HEX32
#define KEY_RSA512                                                                                 \
    "305c300d06092a864886f70d0101010500034b003048024100" "f123456789abcdef"                        \
    "0123456789abcdef0123456789abcdef0123456789abcdef" HEX32 "0203010001"
#define ALG_ECDSA "300a06082a8648ce3d040302"
#define ALG_ED25519 "300506032b6570"
#define ALG_RSA "300d06092a864886f70d01010b0500"
#define SIG_ECDSA "030900" "3006020101020101"
#define SIG_64 "034100" HEX32 HEX32
#define KEY_ED448                                                                                  \
    "3043300506032b6571033a00" HEX32 "0123456789abcdef0123456789abcdef0123456789abcdef80"
#define ALG_ED448 "300506032b6571"
#define SIG_114 "037300" HEX32 HEX32 HEX32 "0123456789abcdef0123456789abcdef0123"
#define SUBJECT "300c310a300806035504030c0161"
#define REQ_OID "06092a864886f70d01090e"
#define MS_OID "060a2b060104018237020" "10e"

/* An extensionRequest around Extensions of 21 octets: SAN a.example or so. */
#define SAN_EXT "300c0603551d11040530038201" "61"
#define EXTS "300e" SAN_EXT
#define EXT_ATTR "301d" REQ_OID "3110" EXTS

struct parts {
    const char *version, *subject, *key, *attributes, *algorithm, *signature, *after;
};

static void add_hex(struct ca_buf *out, const char *hex)
{
    static uint8_t octets[40000];
    size_t len = 0;

    assert_int_equal(ca_hex_decode(hex, octets, sizeof(octets), &len, NULL), CA_OK);
    ca_buf_append(out, octets, len);
}

static const char *part_or(const char *part, const char *standard)
{
    return part == NULL ? standard : part;
}

static struct ca_bytes assemble(const struct parts *parts, struct ca_buf *out)
{
    ca_buf_init(out, 100000);
    add_hex(out, part_or(parts->version, "020100"));
    add_hex(out, part_or(parts->subject, SUBJECT));
    add_hex(out, part_or(parts->key, KEY_P256));
    add_hex(out, part_or(parts->attributes, "a000"));
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    add_hex(out, part_or(parts->algorithm, ALG_ECDSA));
    add_hex(out, part_or(parts->signature, SIG_ECDSA));
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    add_hex(out, part_or(parts->after, ""));
    assert_int_equal(out->failed, CA_OK);
    return ca_buf_view(out);
}

struct part_case {
    const char *what;
    struct parts parts;
    enum ca_reason reason;
};

static void judge_parts(const struct part_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ca_buf out;

        judge(assemble(&cases[i].parts, &out), cases[i].reason, cases[i].what);
        ca_buf_clear(&out);
    }
}

#define JUDGE_PARTS(cases) judge_parts(cases, sizeof(cases) / sizeof((cases)[0]))

static void a_request_has_version_0_and_all_its_fields_and_no_more(void **state)
{
    static const struct part_case cases[] = {
        { "control", { .version = NULL }, CA_REASON_NONE },
        { "version 1", { .version = "020101" }, CA_REASON_BAD_VERSION },
        { "version 2", { .version = "020102" }, CA_REASON_BAD_VERSION },
        { "version -1", { .version = "0201ff" }, CA_REASON_BAD_VERSION },
        { "version 2^31", { .version = "02050080000000" }, CA_REASON_BAD_VERSION },
        { "version not minimal", { .version = "02020000" }, CA_REASON_BAD_DER },
        { "version without octets", { .version = "0200" }, CA_REASON_BAD_DER },
        { "no version", { .version = "" }, CA_REASON_BAD_VERSION },
        { "no subject", { .subject = "" }, CA_REASON_BAD_NAME },
        { "subject a SET", { .subject = "3100" }, CA_REASON_BAD_NAME },
        { "subject empty", { .subject = "3000" }, CA_REASON_NONE },
        { "no key", { .key = "" }, CA_REASON_BAD_KEY },
        { "no attributes", { .attributes = "" }, CA_REASON_BAD_ATTRIBUTES },
        { "attributes a SET", { .attributes = "3100" }, CA_REASON_BAD_ATTRIBUTES },
        { "attributes primitive", { .attributes = "8000" }, CA_REASON_BAD_ATTRIBUTES },
        { "attributes twice", { .attributes = "a000a000" }, CA_REASON_BAD_ATTRIBUTES },
        { "no algorithm", { .algorithm = "" }, CA_REASON_BAD_ALGORITHM },
        { "no signature", { .signature = "" }, CA_REASON_BAD_SIGNATURE },
        { "more in the request", { .signature = SIG_ECDSA "0500" }, CA_REASON_BAD_SIGNATURE },
        { "trailing octet", { .after = "00" }, CA_REASON_TRAILING_DATA },
        { "trailing element", { .after = "0500" }, CA_REASON_TRAILING_DATA },
        { "trailing line feed", { .after = "0a" }, CA_REASON_TRAILING_DATA },
    };

    (void)state;
    JUDGE_PARTS(cases);
    judge(ca_bytes_of(NULL, 0), CA_REASON_EMPTY, "nothing");
    judge(ca_bytes_str("hello, world"), CA_REASON_BAD_DER, "text");
    judge(ca_bytes_of("\x30\x80\x00\x00", 4), CA_REASON_BAD_DER, "indefinite length");
    judge(ca_bytes_of("\x30\x00", 2), CA_REASON_BAD_DER, "empty SEQUENCE");
    judge(ca_bytes_of("\x30\x84\xff\xff\xff\xff", 6), CA_REASON_BAD_DER, "4 GiB");
}

/* A template may admit what the standards do not: that and nothing else. */
static void a_template_may_admit_other_versions(void **state)
{
    static const struct {
        const char *version;
        uint32_t value;
        enum ca_reason reason;
    } cases[] = {
        { "020100", 0, CA_REASON_NONE },
        { "020101", 1, CA_REASON_NONE },
        { "020102", 2, CA_REASON_NONE },
        { "02047fffffff", 0x7fffffff, CA_REASON_NONE },
        { "02050080000000", 0, CA_REASON_BAD_VERSION },
        { "0201ff", 0, CA_REASON_BAD_VERSION },
        { "02020001", 0, CA_REASON_BAD_DER },
        { "0200", 0, CA_REASON_BAD_DER },
        { "", 0, CA_REASON_BAD_VERSION },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_buf out;
        struct ca_bytes der = assemble(&(struct parts){ .version = cases[i].version }, &out);
        struct ca_request request;

        judge_admitting(der, CA_ADMIT_VERSION, cases[i].reason, cases[i].version);
        if (cases[i].reason == CA_REASON_NONE) {
            assert_int_equal(ca_request_parse(der, CA_ADMIT_VERSION, &request, NULL), CA_OK);
            assert_int_equal(request.version, cases[i].value);
        }
        if (cases[i].value != 0) {
            judge(der, CA_REASON_BAD_VERSION, cases[i].version);
            judge_admitting(der, CA_ADMIT_COUNTRY, CA_REASON_BAD_VERSION, cases[i].version);
        }
        ca_buf_clear(&out);
    }
}

/* countryName and nothing but it: PrintableStrings, one and three letters, digits. */
static void a_template_may_admit_other_countries(void **state)
{
    static const struct {
        const char *subject;
        enum ca_reason strict, admitted;
    } cases[] = {
        { "300d310b3009060355040613024445", CA_REASON_NONE, CA_REASON_NONE },
        { "300e310c300a06035504061303444555", CA_REASON_BAD_NAME, CA_REASON_NONE },
        { "300c310a3008060355040613" "0144", CA_REASON_BAD_NAME, CA_REASON_NONE },
        { "300d310b3009060355040613023439", CA_REASON_BAD_NAME, CA_REASON_NONE },
        { "300d310b300906035504060c024445", CA_REASON_BAD_NAME, CA_REASON_BAD_NAME },
        { "300d310b3009060355040613024440", CA_REASON_BAD_NAME, CA_REASON_BAD_NAME },
        { "300b3109300706035504061300", CA_REASON_BAD_NAME, CA_REASON_BAD_NAME },
        { "300c310a300806035504051c0161", CA_REASON_BAD_NAME, CA_REASON_BAD_NAME },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_buf out;
        struct ca_bytes der = assemble(&(struct parts){ .subject = cases[i].subject }, &out);

        judge(der, cases[i].strict, cases[i].subject);
        judge_admitting(der, CA_ADMIT_VERSION, cases[i].strict, cases[i].subject);
        judge_admitting(der, CA_ADMIT_COUNTRY, cases[i].admitted, cases[i].subject);
        ca_buf_clear(&out);
    }
}

static void the_outer_length_is_minimal(void **state)
{
    struct ca_buf good, bad;
    struct ca_bytes der = assemble(&(struct parts){ .version = NULL }, &good);

    (void)state;
    ca_buf_init(&bad, 1000);
    assert_true(der.len > 130 && der.len < 256 && der.data[1] == 0x81);
    ca_buf_append(&bad, "\x30\x82\x00", 3);
    ca_buf_append(&bad, der.data + 2, der.len - 2);
    judge(ca_buf_view(&bad), CA_REASON_BAD_DER, "length not minimal");
    ca_buf_reset(&bad);
    ca_buf_append(&bad, "\x30\x80", 2);
    ca_buf_append(&bad, der.data + 3, der.len - 3);
    ca_buf_append(&bad, "\0\0", 2);
    judge(ca_buf_view(&bad), CA_REASON_BAD_DER, "indefinite length");
    ca_buf_clear(&bad);
    ca_buf_clear(&good);
}

static void names_are_checked(void **state)
{
    static const struct part_case cases[] = {
        { "NUL in the common name", { .subject = "300d310b300906035504030c026100" },
          CA_REASON_BAD_NAME },
        { "control character", { .subject = "300c310a300806035504030c010a" }, CA_REASON_BAD_NAME },
        { "UniversalString", { .subject = "300f310d300b06035504031c0400000061" },
          CA_REASON_BAD_NAME },
        { "PrintableString with @", { .subject = "300c310a30080603550403130140" },
          CA_REASON_BAD_NAME },
        { "invalid UTF-8", { .subject = "300c310a300806035504030c01ff" }, CA_REASON_BAD_NAME },
        { "empty RDN", { .subject = "30023100" }, CA_REASON_BAD_NAME },
        { "unsorted RDN",
          { .subject = "30163114" "3008060355040a0c0161" "300806035504030c0161" },
          CA_REASON_BAD_DER },
        { "sorted RDN",
          { .subject = "30163114" "300806035504030c0161" "3008060355040a0c0161" },
          CA_REASON_NONE },
    };

    (void)state;
    JUDGE_PARTS(cases);
}

static void attributes_are_checked(void **state)
{
    static const struct part_case cases[] = {
        { "control", { .attributes = "a01f" EXT_ATTR }, CA_REASON_NONE },
        { "the Microsoft OID", { .attributes = "a020" "301e" MS_OID "3110" EXTS },
          CA_REASON_NONE },
        { "two extensionRequests", { .attributes = "a03e" EXT_ATTR EXT_ATTR },
          CA_REASON_BAD_ATTRIBUTES },
        { "two extensionRequests that differ",
          { .attributes = "a03e" "301d" REQ_OID "3110" "300e300c0603551d1104053003820161"
                          "301d" REQ_OID "3110" "300e300c0603551d1104053003820162" },
          CA_REASON_BAD_ATTRIBUTES },
        { "one under each OID",
          { .attributes = "a03f" EXT_ATTR "301e" MS_OID "3110" EXTS }, CA_REASON_BAD_ATTRIBUTES },
        { "two values",
          { .attributes = "a02f302d" REQ_OID "3120" EXTS "300e300c0603551d1104053003820162" },
          CA_REASON_BAD_ATTRIBUTES },
        { "the same value twice", { .attributes = "a02f302d" REQ_OID "3120" EXTS EXTS },
          CA_REASON_BAD_ATTRIBUTES },
        { "two values under the Microsoft OID",
          { .attributes = "a030302e" MS_OID "3120" EXTS "300e300c0603551d1104053003820162" },
          CA_REASON_BAD_ATTRIBUTES },
        { "no value", { .attributes = "a00f300d" REQ_OID "3100" }, CA_REASON_BAD_ATTRIBUTES },
        { "no SET of values", { .attributes = "a00d300b" REQ_OID }, CA_REASON_BAD_ATTRIBUTES },
        { "more after the values", { .attributes = "a021" "301f" REQ_OID "3110" EXTS "0500" },
          CA_REASON_BAD_ATTRIBUTES },
        { "value not a SEQUENCE", { .attributes = "a011300f" REQ_OID "31020500" },
          CA_REASON_BAD_EXTENSIONS },
        { "challengePassword", { .attributes = "a0123010" "06092a864886f70d010907" "31030c0161" },
          CA_REASON_NONE },
        { "challengePassword twice",
          { .attributes = "a0153013" "06092a864886f70d010907" "31060c01610c0162" },
          CA_REASON_BAD_ATTRIBUTES },
        { "two values of an attribute that may have them",
          { .attributes = "a00e300c" "06022a03" "31060c01610c0162" }, CA_REASON_NONE },
        { "values not in order", { .attributes = "a00e300c" "06022a03" "31060c01620c0161" },
          CA_REASON_BAD_DER },
        { "value cut off", { .attributes = "a00b3009" "06022a03" "31030c0261" },
          CA_REASON_BAD_DER },
        { "BER inside a value", { .attributes = "a00c300a" "06022a03" "310430020580" },
          CA_REASON_BAD_DER },
        { "attributes not in order",
          { .attributes = "a014" "3008" "06022a04" "31020500" "3008" "06022a03" "31020500" },
          CA_REASON_BAD_DER },
        { "attributes in order",
          { .attributes = "a014" "3008" "06022a03" "31020500" "3008" "06022a04" "31020500" },
          CA_REASON_NONE },
        { "one attribute twice",
          { .attributes = "a015" "3008" "06022a03" "31020500" "3009" "06022a03" "3103020101" },
          CA_REASON_BAD_ATTRIBUTES },
    };

    (void)state;
    JUDGE_PARTS(cases);
}

static void requested_extensions_are_checked(void **state)
{
    static const struct {
        const char *what, *extensions;      /* the content of Extensions */
        enum ca_reason reason;
    } cases[] = {
        { "SAN", SAN_EXT, CA_REASON_NONE },
        { "SAN critical", "300f0603551d110101ff04053003820161", CA_REASON_NONE },
        { "critical FALSE", "300f0603551d1101010004053003820161", CA_REASON_BAD_DER },
        { "critical 01", "300f0603551d1101010104053003820161", CA_REASON_BAD_DER },
        { "critical of two octets", "30100603551d110102ffff04053003820161", CA_REASON_BAD_DER },
        { "critical twice", "30120603551d110101ff0101ff04053003820161",
          CA_REASON_BAD_EXTENSIONS },
        { "none", "", CA_REASON_BAD_EXTENSIONS },
        { "SAN twice", SAN_EXT SAN_EXT, CA_REASON_BAD_EXTENSIONS },
        { "unknown", "300806022a030402ffff", CA_REASON_NONE },
        { "unknown twice", "300806022a030402ffff300806022a030402ffff", CA_REASON_BAD_EXTENSIONS },
        { "unknown empty", "300606022a030400", CA_REASON_NONE },
        { "no value", "30050603551d11", CA_REASON_BAD_EXTENSIONS },
        { "value not an OCTET STRING", "300c0603551d11030530038201" "61",
          CA_REASON_BAD_EXTENSIONS },
        { "more after the value", "300e0603551d110405300382016" "10500", CA_REASON_BAD_EXTENSIONS },
        { "CA:TRUE", "300c0603551d13040530030101ff", CA_REASON_NONE },
        { "AIA cut off", "301006082b060105050701010404" "30050000", CA_REASON_BAD_DER },
        { "AIA empty", "300c06082b06010505070101" "0400", CA_REASON_BAD_EXTENSIONS },
        { "tlsFeature", "301106082b0601050507011804053003020105", CA_REASON_NONE },
        { "keyUsage cut off", "300a0603551d0f0403030205", CA_REASON_BAD_DER },
        { "keyUsage with more after it", "300d0603551d0f0406030205a00500", CA_REASON_BAD_DER },
        { "keyUsage empty", "30070603551d0f0400", CA_REASON_BAD_EXTENSIONS },
        { "SAN without names", "30090603551d1104023000", CA_REASON_BAD_SAN },
        { "SAN without value", "30070603551d110400", CA_REASON_BAD_SAN },
        { "SAN with an iPAddress of 5 octets", "30100603551d1104093007870501020304" "05",
          CA_REASON_BAD_SAN },
        { "SAN with NUL", "300d0603551d11040630048202" "6100", CA_REASON_BAD_SAN },
        { "SAN with high bits", "300c0603551d110405300382" "01e9", CA_REASON_BAD_SAN },
        { "SAN followed by something", "300e0603551d1104073003820161" "0500", CA_REASON_BAD_SAN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char attributes[600];
        size_t len = strlen(cases[i].extensions) / 2;
        struct ca_buf out;

        (void)snprintf(attributes, sizeof(attributes), "a0%02zx30%02zx" REQ_OID "31%02zx30%02zx%s",
                       len + 17, len + 15, len + 2, len, cases[i].extensions);
        judge(assemble(&(struct parts){ .attributes = attributes }, &out), cases[i].reason,
              cases[i].what);
        ca_buf_clear(&out);
    }
}

/* Attributes with the types 1.2.0, 1.2.1, ... and a NULL each. */
static void attributes_of_count(struct ca_buf *out, size_t count)
{
    ca_buf_init(out, 10000);
    for (size_t i = 0; i < count; i++) {
        const uint8_t attribute[] = { 0x30, 0x08, 0x06, 0x02, 0x2a, (uint8_t)i, 0x31, 2, 5, 0 };

        ca_buf_append(out, attribute, sizeof(attribute));
    }
    ca_der_wrap(out, 0, CA_DER_CONTEXT_CONSTRUCTED(0));
}

/* One extensionRequest of count extensions. */
static void extensions_of_count(struct ca_buf *out, size_t count)
{
    ca_buf_init(out, 10000);
    for (size_t i = 0; i < count; i++) {
        const uint8_t extension[] = { 0x30, 0x06, 0x06, 0x02, 0x2a, (uint8_t)i, 0x04, 0 };

        ca_buf_append(out, extension, sizeof(extension));
    }
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    ca_der_wrap(out, 0, CA_DER_SET);
    {
        struct ca_buf attribute;

        ca_buf_init(&attribute, 10000);
        add_hex(&attribute, REQ_OID);
        ca_buf_append_bytes(&attribute, ca_buf_view(out));
        ca_der_wrap(&attribute, 0, CA_DER_SEQUENCE);
        ca_der_wrap(&attribute, 0, CA_DER_CONTEXT_CONSTRUCTED(0));
        ca_buf_clear(out);
        *out = attribute;
    }
}

static void judge_attributes(struct ca_buf *attributes, enum ca_reason reason, const char *what)
{
    char *hex = malloc(2 * attributes->len + 1);
    struct ca_buf out;

    assert_non_null(hex);
    ca_hex_encode(ca_buf_view(attributes), hex);
    judge(assemble(&(struct parts){ .attributes = hex }, &out), reason, what);
    ca_buf_clear(&out);
    ca_buf_clear(attributes);
    free(hex);
}

static void there_are_at_most_16_attributes_and_32_extensions(void **state)
{
    struct ca_buf attributes;

    (void)state;
    attributes_of_count(&attributes, 16);
    judge_attributes(&attributes, CA_REASON_NONE, "16 attributes");
    attributes_of_count(&attributes, 17);
    judge_attributes(&attributes, CA_REASON_BAD_ATTRIBUTES, "17 attributes");
    extensions_of_count(&attributes, 32);
    judge_attributes(&attributes, CA_REASON_NONE, "32 extensions");
    extensions_of_count(&attributes, 33);
    judge_attributes(&attributes, CA_REASON_BAD_EXTENSIONS, "33 extensions");
}

/* A request filled up to a size by an attribute nobody reads. */
static void judge_size(size_t size, enum ca_reason reason)
{
    struct ca_buf attributes, out;
    size_t padding = 32300, len = 0;

    do {
        char *hex;

        ca_buf_init(&attributes, 100000);
        ca_buf_init(&out, 100000);
        assert_non_null(ca_buf_extend(&attributes, padding));
        memset(attributes.data, 'a', padding);
        ca_der_wrap(&attributes, 0, CA_DER_UTF8_STRING);
        ca_der_wrap(&attributes, 0, CA_DER_SET);
        add_hex(&out, "06022a03");
        ca_buf_append_bytes(&out, ca_buf_view(&attributes));
        ca_der_wrap(&out, 0, CA_DER_SEQUENCE);
        ca_der_wrap(&out, 0, CA_DER_CONTEXT_CONSTRUCTED(0));
        hex = malloc(2 * out.len + 1);
        assert_non_null(hex);
        ca_hex_encode(ca_buf_view(&out), hex);
        ca_buf_clear(&out);
        len = assemble(&(struct parts){ .attributes = hex }, &out).len;
        if (len == size) judge(ca_buf_view(&out), reason, "size");
        padding += size - len;
        free(hex);
        ca_buf_clear(&out);
        ca_buf_clear(&attributes);
    } while (len != size);
}

static void a_request_has_at_most_32768_octets(void **state)
{
    uint8_t *large = calloc(1, 1 << 20);

    (void)state;
    assert_non_null(large);
    judge_size(CA_REQUEST_DER_MAX, CA_REASON_NONE);
    judge_size(CA_REQUEST_DER_MAX + 1, CA_REASON_REQUEST_TOO_LONG);
    judge(ca_bytes_of(large, 1 << 20), CA_REASON_REQUEST_TOO_LONG, "1 MiB");
    free(large);
}

static void the_signature_algorithm_fits_the_key_and_has_its_parameters(void **state)
{
    static const struct part_case cases[] = {
        { "Ed25519", { .key = KEY_ED25519, .algorithm = ALG_ED25519, .signature = SIG_64 },
          CA_REASON_NONE },
        { "RSA", { .key = KEY_RSA512, .algorithm = ALG_RSA, .signature = SIG_64 },
          CA_REASON_NONE },
        { "RSA parameters absent",
          { .key = KEY_RSA512, .algorithm = "300b06092a864886f70d01010b", .signature = SIG_64 },
          CA_REASON_NONE },
        { "RSA parameters INTEGER",
          { .key = KEY_RSA512, .algorithm = "300e06092a864886f70d01010b020100",
            .signature = SIG_64 }, CA_REASON_BAD_ALGORITHM },
        { "RSA NULL with content",
          { .key = KEY_RSA512, .algorithm = "300e06092a864886f70d01010b050100",
            .signature = SIG_64 }, CA_REASON_BAD_DER },
        { "RSA NULL twice",
          { .key = KEY_RSA512, .algorithm = "300f06092a864886f70d01010b05000500",
            .signature = SIG_64 }, CA_REASON_BAD_ALGORITHM },
        { "ECDSA NULL, as Mbed TLS wrote it",
          { .algorithm = "300c06082a8648ce3d0403020500" }, CA_REASON_NONE },
        { "ECDSA with a curve", { .algorithm = "301406082a8648ce3d04030206082a8648ce3d030107" },
          CA_REASON_BAD_ALGORITHM },
        { "Ed448", { .key = KEY_ED448, .algorithm = ALG_ED448, .signature = SIG_114 },
          CA_REASON_NONE },
        { "Ed448 NULL",
          { .key = KEY_ED448, .algorithm = "300706032b65710500", .signature = SIG_114 },
          CA_REASON_BAD_ALGORITHM },
        { "Ed448 for an Ed25519 key", { .key = KEY_ED25519, .algorithm = ALG_ED448 },
          CA_REASON_BAD_ALGORITHM },
        { "Ed25519 for an Ed448 key", { .key = KEY_ED448, .algorithm = ALG_ED25519 },
          CA_REASON_BAD_ALGORITHM },
        { "Ed25519 NULL",
          { .key = KEY_ED25519, .algorithm = "300706032b65700500", .signature = SIG_64 },
          CA_REASON_BAD_ALGORITHM },
        { "RSA for an EC key", { .algorithm = ALG_RSA }, CA_REASON_BAD_ALGORITHM },
        { "ECDSA for an RSA key", { .key = KEY_RSA512 }, CA_REASON_BAD_ALGORITHM },
        { "Ed25519 for an EC key", { .algorithm = ALG_ED25519 }, CA_REASON_BAD_ALGORITHM },
        { "ECDSA for an Ed25519 key", { .key = KEY_ED25519 }, CA_REASON_BAD_ALGORITHM },
        { "unknown algorithm", { .algorithm = "300406022a03" },
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "RSASSA-PSS without parameters",
          { .key = KEY_RSA512, .algorithm = "300b06092a864886f70d01010a" },
          CA_REASON_BAD_ALGORITHM },
        { "empty algorithm", { .algorithm = "3000" }, CA_REASON_BAD_ALGORITHM },
        { "a bare OID", { .algorithm = "06082a8648ce3d040302" }, CA_REASON_BAD_ALGORITHM },
    };

    (void)state;
    JUDGE_PARTS(cases);
}

#define PSS "06092a864886f70d01010a"
#define SHA256_NULL "300d06096086480165030402010500"
#define SHA256_BARE "300b0609608648016503040201"
#define SHA1_NULL "300906052b0e03021a0500"
#define MGF1 "06092a864886f70d010108"
#define HASH "a00f" SHA256_NULL
#define MASK "a11c301a" MGF1 SHA256_NULL
#define SALT "a203020120"

/* RFC 4055 3.1. Each string is what stands in the parameters' SEQUENCE, and after it. */
static void the_parameters_of_pss_are_strict(void **state)
{
    static const struct {
        const char *what, *params, *after;
        enum ca_reason reason;
    } cases[] = {
        { "control", HASH MASK SALT, "", CA_REASON_NONE },
        { "hash without NULL", "a00d" SHA256_BARE MASK SALT, "", CA_REASON_NONE },
        { "mask's hash without NULL", HASH "a11a3018" MGF1 SHA256_BARE SALT, "", CA_REASON_NONE },
        { "empty", "", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "no salt: 20", HASH MASK, "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "no mask: SHA-1", HASH SALT, "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "no hash: SHA-1", MASK SALT, "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "SHA-1", "a00b" SHA1_NULL MASK SALT, "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "mask's hash SHA-1", HASH "a1183016" MGF1 SHA1_NULL SALT, "",
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "SHA-384 for the hash", "a00f300d06096086480165030402020500" MASK SALT, "",
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "SHA3-256", "a00f300d06096086480165030402080500" MASK SALT, "",
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "salt of 31", HASH MASK "a20302011f", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "salt of 288", HASH MASK "a20402020120", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "salt of 2^32 + 32", HASH MASK "a20702050100000020", "", CA_REASON_BAD_ALGORITHM },
        { "salt of -32", HASH MASK "a2030201e0", "", CA_REASON_BAD_ALGORITHM },
        { "salt of 20 encoded", HASH MASK "a203020114", "", CA_REASON_BAD_DER },
        { "salt not minimal", HASH MASK "a20402020020", "", CA_REASON_BAD_DER },
        { "salt twice", HASH MASK SALT SALT, "", CA_REASON_BAD_ALGORITHM },
        { "more than the salt", HASH MASK "a206020120020120", "", CA_REASON_BAD_ALGORITHM },
        { "salt an OCTET STRING", HASH MASK "a203040120", "", CA_REASON_BAD_ALGORITHM },
        { "salt IMPLICIT", HASH MASK "820120", "", CA_REASON_BAD_ALGORITHM },
        { "trailer 1 encoded", HASH MASK SALT "a303020101", "", CA_REASON_BAD_DER },
        { "trailer 2", HASH MASK SALT "a303020102", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "trailer 0", HASH MASK SALT "a303020100", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "in another order", MASK HASH SALT, "", CA_REASON_BAD_ALGORITHM },
        { "a fifth", HASH MASK SALT "a403020101", "", CA_REASON_BAD_ALGORITHM },
        { "NULL inside", HASH MASK SALT "0500", "", CA_REASON_BAD_ALGORITHM },
        { "NULL after them", HASH MASK SALT, "0500", CA_REASON_BAD_ALGORITHM },
        { "hash's NULL with content", "a010300e0609608648016503040201050100" MASK SALT, "",
          CA_REASON_BAD_DER },
        { "hash's parameter a SEQUENCE", "a00f300d06096086480165030402013000" MASK SALT, "",
          CA_REASON_BAD_ALGORITHM },
        { "hash a bare OID", "a00b0609608648016503040201" MASK SALT, "", CA_REASON_BAD_ALGORITHM },
        { "two hashes", "a01e" SHA256_NULL SHA256_NULL MASK SALT, "", CA_REASON_BAD_ALGORITHM },
        { "hash empty", "a000" MASK SALT, "", CA_REASON_BAD_ALGORITHM },
        { "mask not MGF1", HASH "a11c301a06092a864886f70d010109" SHA256_NULL SALT, "",
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "mask without hash", HASH "a10d300b" MGF1 SALT, "", CA_REASON_BAD_ALGORITHM },
        { "mask and more", HASH "a11e301c" MGF1 SHA256_NULL "0500" SALT, "",
          CA_REASON_BAD_ALGORITHM },
    };
    static const char *const instead[] = { "0500", "020101", "3100", "0400" };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char algorithm[400];
        size_t len = strlen(cases[i].params) / 2, after = strlen(cases[i].after) / 2;
        struct ca_buf out;

        (void)snprintf(algorithm, sizeof(algorithm), "30%02zx" PSS "30%02zx%s%s",
                       len + after + 13, len, cases[i].params, cases[i].after);
        judge(assemble(&(struct parts){ .key = KEY_RSA512, .algorithm = algorithm,
                                        .signature = SIG_64 }, &out),
              cases[i].reason, cases[i].what);
        ca_buf_clear(&out);
    }
    for (size_t i = 0; i < sizeof(instead) / sizeof(instead[0]); i++) {
        char algorithm[100];
        struct ca_buf out;

        (void)snprintf(algorithm, sizeof(algorithm), "30%02zx" PSS "%s",
                       11 + strlen(instead[i]) / 2, instead[i]);
        judge(assemble(&(struct parts){ .key = KEY_RSA512, .algorithm = algorithm,
                                        .signature = SIG_64 }, &out),
              CA_REASON_BAD_ALGORITHM, instead[i]);
        ca_buf_clear(&out);
    }
}

static void pss_is_for_rsa_keys(void **state)
{
    static const struct part_case cases[] = {
        { "EC", { .algorithm = "3041" PSS "3034" HASH MASK SALT }, CA_REASON_BAD_ALGORITHM },
        { "Ed25519",
          { .key = KEY_ED25519, .algorithm = "3041" PSS "3034" HASH MASK SALT,
            .signature = SIG_64 }, CA_REASON_BAD_ALGORITHM },
        { "a PSS key",
          { .key = "305c300d06092a864886f70d01010a0500034b003048024100" "f123456789abcdef"
                   "0123456789abcdef0123456789abcdef0123456789abcdef" HEX32 "0203010001",
            .algorithm = "3041" PSS "3034" HASH MASK SALT, .signature = SIG_64 },
          CA_REASON_KEY_NOT_SUPPORTED },
    };

    (void)state;
    JUDGE_PARTS(cases);
}

static void an_ecdsa_signature_is_two_minimal_positive_numbers(void **state)
{
    static const struct part_case cases[] = {
        { "largest",
          { .signature = "0349003046022100f123456789abcdef" "0123456789abcdef0123456789abcdef"
                         "0123456789abcdef" "022100f123456789abcdef"
                         "0123456789abcdef0123456789abcdef0123456789abcdef" }, CA_REASON_NONE },
        { "r negative", { .signature = "030900" "3006020180020101" }, CA_REASON_BAD_SIGNATURE },
        { "s negative", { .signature = "030900" "30060201010201ff" }, CA_REASON_BAD_SIGNATURE },
        { "r zero", { .signature = "030900" "3006020100020101" }, CA_REASON_BAD_SIGNATURE },
        { "s zero", { .signature = "030900" "3006020101020100" }, CA_REASON_BAD_SIGNATURE },
        { "r not minimal", { .signature = "030a00" "300702020001020101" }, CA_REASON_BAD_DER },
        { "length not minimal", { .signature = "030a00" "308106020101020101" },
          CA_REASON_BAD_DER },
        { "three numbers", { .signature = "030c00" "3009020101020101020101" },
          CA_REASON_BAD_SIGNATURE },
        { "one number", { .signature = "030600" "3003020101" }, CA_REASON_BAD_SIGNATURE },
        { "trailing octet", { .signature = "030a00" "300602010102010100" },
          CA_REASON_BAD_SIGNATURE },
        { "r of 33 octets",
          { .signature = "032900" "3026022101" HEX32 "020101" }, CA_REASON_BAD_SIGNATURE },
        { "raw r and s", { .signature = SIG_64 }, CA_REASON_BAD_SIGNATURE },
        { "nothing", { .signature = "030100" }, CA_REASON_BAD_SIGNATURE },
        { "unused bits", { .signature = "030901" "3006020101020102" }, CA_REASON_BAD_SIGNATURE },
        { "an OCTET STRING", { .signature = "0408" "3006020101020101" },
          CA_REASON_BAD_SIGNATURE },
    };

    (void)state;
    JUDGE_PARTS(cases);
}

static void other_signatures_are_as_long_as_their_key_says(void **state)
{
    static const struct part_case cases[] = {
        { "Ed25519 of 63",
          { .key = KEY_ED25519, .algorithm = ALG_ED25519,
            .signature = "034000" HEX32
                         "23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
          CA_REASON_BAD_SIGNATURE },
        { "Ed25519 of 65",
          { .key = KEY_ED25519, .algorithm = ALG_ED25519, .signature = "034200" HEX32 HEX32 "00" },
          CA_REASON_BAD_SIGNATURE },
        { "Ed448 of 64", { .key = KEY_ED448, .algorithm = ALG_ED448, .signature = SIG_64 },
          CA_REASON_BAD_SIGNATURE },
        { "Ed448 of 115",
          { .key = KEY_ED448, .algorithm = ALG_ED448,
            .signature = "037400" HEX32 HEX32 HEX32 "0123456789abcdef0123456789abcdef012300" },
          CA_REASON_BAD_SIGNATURE },
        { "RSA of 65",
          { .key = KEY_RSA512, .algorithm = ALG_RSA, .signature = "03420000" HEX32 HEX32 },
          CA_REASON_BAD_SIGNATURE },
        { "RSA of 0", { .key = KEY_RSA512, .algorithm = ALG_RSA, .signature = "030100" },
          CA_REASON_BAD_SIGNATURE },
    };

    (void)state;
    JUDGE_PARTS(cases);
}

static void keys_are_checked(void **state)
{
    static const struct part_case cases[] = {
        { "compressed", { .key = "3039301306072a8648ce3d020106082a8648ce3d03010703220002" HEX32 },
          CA_REASON_KEY_NOT_SUPPORTED },
        { "infinity", { .key = "3019301306072a8648ce3d020106082a8648ce3d030107" "03020000" },
          CA_REASON_BAD_POINT },
        { "unused bits",
          { .key = "3059301306072a8648ce3d020106082a8648ce3d03010703420104" HEX32 HEX32 },
          CA_REASON_BAD_KEY },
        { "explicit parameters", { .key = "3051300b06072a8648ce3d0201300003420004" HEX32 HEX32 },
          CA_REASON_KEY_NOT_SUPPORTED },
    };

    (void)state;
    JUDGE_PARTS(cases);
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
        cmocka_unit_test(a_request_has_version_0_and_all_its_fields_and_no_more),
        cmocka_unit_test(a_template_may_admit_other_versions),
        cmocka_unit_test(a_template_may_admit_other_countries),
        cmocka_unit_test(the_outer_length_is_minimal),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(attributes_are_checked),
        cmocka_unit_test(requested_extensions_are_checked),
        cmocka_unit_test(there_are_at_most_16_attributes_and_32_extensions),
        cmocka_unit_test(a_request_has_at_most_32768_octets),
        cmocka_unit_test(the_signature_algorithm_fits_the_key_and_has_its_parameters),
        cmocka_unit_test(the_parameters_of_pss_are_strict),
        cmocka_unit_test(pss_is_for_rsa_keys),
        cmocka_unit_test(an_ecdsa_signature_is_two_minimal_positive_numbers),
        cmocka_unit_test(other_signatures_are_as_long_as_their_key_says),
        cmocka_unit_test(keys_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
