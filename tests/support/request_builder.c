#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/der.h"
#include "tests/support/request_builder.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 60
#define SIGNATURE_MAX 4096

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* When *text has a *N, what stands in out from mark on is made to stand there N times. */
static void take_times(const char **text, size_t mark, struct ca_buf *out)
{
    size_t len = out->len - mark;
    unsigned long times;
    uint8_t *copy;
    char *end;

    if (**text != '*') return;
    assert_true(len > 0);
    times = strtoul(*text + 1, &end, 10);
    *text = end;
    copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, out->data + mark, len);
    for (unsigned long i = 1; i < times; i++) ca_buf_append(out, copy, len);
    free(copy);
}

/* An octet or a quoted text. */
static void take_octets(const char **text, struct ca_buf *out)
{
    const char *p = *text;

    if (*p == '\'') {
        const char *end = strchr(p + 1, '\'');

        if (end == NULL) fail_msg("no closing quote: %s", p);
        ca_buf_append(out, p + 1, (size_t)(end - p - 1));
        *text = end + 1;
    } else {
        int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);

        if (low < 0) fail_msg("no octet: %s", p);
        ca_buf_append_u8(out, (uint8_t)((unsigned)high << 4 | (unsigned)low));
        *text = p + 2;
    }
}

void request_notation(const char *text, struct ca_buf *out)
{
    struct {
        size_t mark;
        uint8_t tag;
    } open[DEPTH_MAX] = { { 0, 0 } };
    size_t depth = 0;

    for (const char *p = text; *p != '\0';) {
        size_t mark = out->len;

        if (*p == ' ') {
            p++;
            continue;
        }
        if (*p == ')') {
            if (depth == 0) fail_msg("brackets do not match: %s", text);
            mark = open[--depth].mark;
            ca_der_wrap(out, mark, open[depth].tag);
            p++;
        } else {
            take_octets(&p, out);
            if (*p == '(') {
                assert_true(depth < DEPTH_MAX && out->len > mark);
                out->len--;
                open[depth].mark = out->len;
                open[depth++].tag = out->data[out->len];
                p++;
                continue;
            }
        }
        take_times(&p, mark, out);
    }
    if (depth != 0) fail_msg("brackets do not match: %s", text);
    assert_int_equal(out->failed, CA_OK);
}

/* Algorithm identifiers */

static const char *algorithm_of(const struct request_signing *signing)
{
    static const struct {
        const char *type, *digest, *algorithm;
    } rows[] = {
        { "RSA", "MD5", "30(06092a864886f70d010104 0500)" },
        { "RSA", "SHA1", "30(06092a864886f70d010105 0500)" },
        { "RSA", "SHA224", "30(06092a864886f70d01010e 0500)" },
        { "RSA", "SHA256", "30(06092a864886f70d01010b 0500)" },
        { "RSA", "SHA384", "30(06092a864886f70d01010c 0500)" },
        { "RSA", "SHA512", "30(06092a864886f70d01010d 0500)" },
        { "RSA", "SHA512-256", "30(06092a864886f70d010110 0500)" },
        { "RSA", "SHA3-256", "30(060960864801650304030e 0500)" },
        { "EC", "SHA1", "30(06072a8648ce3d0401)" },
        { "EC", "SHA224", "30(06082a8648ce3d040301)" },
        { "EC", "SHA256", "30(06082a8648ce3d040302)" },
        { "EC", "SHA384", "30(06082a8648ce3d040303)" },
        { "EC", "SHA512", "30(06082a8648ce3d040304)" },
        { "EC", "SHA3-256", "30(060960864801650304030a)" },
        { "ED25519", NULL, "30(06032b6570)" },
        { "ED448", NULL, "30(06032b6571)" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (EVP_PKEY_is_a(signing->key, rows[i].type) &&
            (rows[i].digest == NULL || strcmp(signing->digest, rows[i].digest) == 0))
            return rows[i].algorithm;
    }
    fail_msg("no algorithm for %s", signing->digest == NULL ? "that key" : signing->digest);
    return "";
}

/* OpenSSL writes PSS parameters as DER; it is not asked to for the others, whose identifiers are
 * written down above. */
static EVP_MD_CTX *start_signing(const struct request_signing *signing)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL;

    assert_non_null(ctx);
    assert_int_equal(EVP_DigestSignInit_ex(ctx, &pkey_ctx, signing->digest, NULL, NULL,
                                           signing->key, NULL), 1);
    if (signing->mgf1_digest != NULL) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md_name(pkey_ctx, signing->mgf1_digest, NULL),
                         1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, signing->salt_len), 1);
    }
    return ctx;
}

static void add_algorithm(const struct request_signing *signing, struct ca_buf *out)
{
    EVP_MD_CTX *ctx;
    X509_REQ *req;
    const X509_ALGOR *algor = NULL;
    unsigned char *der = NULL;
    int len;

    if (signing->mgf1_digest == NULL) {
        request_notation(algorithm_of(signing), out);
        return;
    }
    ctx = start_signing(signing);
    req = X509_REQ_new();
    assert_int_equal(X509_REQ_set_pubkey(req, signing->key), 1);
    assert_true(X509_REQ_sign_ctx(req, ctx) > 0);
    X509_REQ_get0_signature(req, NULL, &algor);
    len = i2d_X509_ALGOR(algor, &der);
    assert_true(len > 0);
    ca_buf_append(out, der, (size_t)len);
    OPENSSL_free(der);
    X509_REQ_free(req);
    EVP_MD_CTX_free(ctx);
}

static void add_key(EVP_PKEY *key, struct ca_buf *out)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);

    assert_true(len > 0);
    ca_buf_append(out, der, (size_t)len);
    OPENSSL_free(der);
}

static void add_signature(const struct request_signing *signing, struct ca_bytes info,
                          struct ca_buf *out)
{
    EVP_MD_CTX *ctx = start_signing(signing);
    uint8_t signature[SIGNATURE_MAX];
    size_t len = sizeof(signature);

    assert_int_equal(EVP_DigestSign(ctx, signature, &len, info.data, info.len), 1);
    ca_buf_append(out, signature, len);
    EVP_MD_CTX_free(ctx);
}

/* The request */

static const char *or_else(const char *part, const char *standard)
{
    return part == NULL ? standard : part;
}

static void hook(const struct request_parts *parts, enum request_stage stage, struct ca_buf *part)
{
    if (parts->change[stage] != NULL) parts->change[stage](part);
    assert_int_equal(part->failed, CA_OK);
}

static void build_info(const struct request_parts *parts, EVP_PKEY *key, struct ca_buf *out)
{
    struct ca_buf spki;

    ca_buf_init(&spki, REQUEST_BUILDER_MAX);
    if (parts->key == NULL) add_key(key, &spki);
    else request_notation(parts->key, &spki);
    hook(parts, REQUEST_KEY, &spki);
    request_notation(or_else(parts->version, "020100"), out);
    request_notation(or_else(parts->subject, "30(31(30(0603550403 0c('device'))))"), out);
    ca_buf_append_bytes(out, ca_buf_view(&spki));
    request_notation(or_else(parts->attributes, "a0()"), out);
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    hook(parts, REQUEST_INFO, out);
    ca_buf_clear(&spki);
}

struct ca_bytes request_build(const struct request_parts *parts,
                              const struct request_signing *signing, struct ca_buf *out)
{
    struct ca_buf signature;

    ca_buf_init(out, REQUEST_BUILDER_MAX);
    ca_buf_init(&signature, REQUEST_BUILDER_MAX);
    build_info(parts, signing->key, out);
    add_signature(signing, ca_buf_view(out), &signature);
    hook(parts, REQUEST_SIGNATURE, &signature);
    if (parts->algorithm == NULL) add_algorithm(signing, out);
    else request_notation(parts->algorithm, out);
    if (parts->bits == NULL) ca_der_add_bits(out, ca_buf_view(&signature));
    else request_notation(parts->bits, out);
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    hook(parts, REQUEST_WHOLE, out);
    ca_buf_clear(&signature);
    return ca_buf_view(out);
}

EVP_PKEY *request_make_key(const char *kind)
{
    EVP_PKEY *key;

    if (strcmp(kind, "RSA") == 0) key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    else if (strncmp(kind, "ED", 2) == 0) key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    else key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
    assert_non_null(key);
    return key;
}

bool request_openssl_verifies(struct ca_bytes der)
{
    const unsigned char *at = der.data;
    X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)der.len);
    EVP_PKEY *key = req == NULL ? NULL : X509_REQ_get0_pubkey(req);
    bool good = key != NULL && X509_REQ_verify(req, key) == 1;

    X509_REQ_free(req);
    ERR_clear_error();
    return good;
}
