#include "tests/support/x509_fixture.h"

#include "engine/key.h"

#include <openssl/conf.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

EVP_PKEY *x509_make_key(int kind)
{
    static const char *const curves[KINDS] = { [OF_P256] = "P-256", [OF_P384] = "P-384",
                                               [OF_P521] = "P-521" };
    EVP_PKEY *key = NULL;

    if (kind == OF_RSA) key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    else if (kind == OF_ED25519) key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else if (kind == OF_ED448) key = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    else key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[kind]);
    assert_non_null(key);
    return key;
}

const EVP_MD *x509_digest(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448") ? NULL : EVP_sha256();
}

X509_NAME *x509_make_name(const char *common_name)
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

/* Sections that values may name: "@policy". */
static const char sections[] = "[policy]\npolicyIdentifier=1.3.6.1.4.1.99999.1\n"
                               "CPS.1=https://cps.example/policy\n";

static X509_EXTENSION *make_extension(X509V3_CTX *ctx, const char *type, const char *value)
{
    BIO *text = BIO_new_mem_buf(sections, -1);
    CONF *conf = NCONF_new(NULL);
    X509_EXTENSION *extension;
    long line = 0;

    assert_int_equal(NCONF_load_bio(conf, text, &line), 1);
    X509V3_set_nconf(ctx, conf);
    extension = X509V3_EXT_nconf(conf, ctx, type, value);
    if (extension == NULL) fail_msg("OpenSSL makes no %s of \"%s\"", type, value);
    NCONF_free(conf);
    BIO_free(text);
    return extension;
}

/* Subjects */

static void add_to_request(X509_REQ *req, const struct x509_extension *extensions)
{
    STACK_OF(X509_EXTENSION) *list = NULL;
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, NULL, NULL, req, NULL, 0);
    for (; extensions->type != NULL; extensions++) {
        X509_EXTENSION *extension = make_extension(&ctx, extensions->type, extensions->value);

        assert_non_null(X509v3_add_ext(&list, extension, -1));
        X509_EXTENSION_free(extension);
    }
    assert_int_equal(X509_REQ_add_extensions(req, list), 1);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

void x509_make_subject(EVP_PKEY *key, const char *common_name,
                       const struct x509_extension *extensions, struct x509_subject *out)
{
    X509_NAME *name = x509_make_name(common_name);
    struct ca_request *request = &out->request;
    struct ca_error err;
    unsigned int len = 0;
    int der_len;

    *out = (struct x509_subject){ .pkey = key, .req = X509_REQ_new() };
    assert_int_equal(X509_REQ_set_subject_name(out->req, name), 1);
    assert_int_equal(X509_REQ_set_pubkey(out->req, key), 1);
    if (extensions != NULL && extensions->type != NULL) add_to_request(out->req, extensions);
    assert_true(X509_REQ_sign(out->req, key, x509_digest(key)) > 0);
    der_len = i2d_X509_REQ(out->req, &out->der);
    assert_true(der_len > 0);
    if (ca_request_parse(ca_bytes_of(out->der, (size_t)der_len), 0, request, &err) != CA_OK)
        fail_msg("%s", err.text);
    out->contents = (struct ca_contents){
        .subject = request->subject, .subject_empty = request->subject_empty,
        .has_san = request->has_san, .san_critical = request->san_critical, .san = request->san,
    };
    assert_int_equal(EVP_Digest(request->key.key.data, request->key.key.len,
                                out->contents.subject_key_id, &len, EVP_sha1(), NULL), 1);
    X509_NAME_free(name);
}

void x509_drop_subject(struct x509_subject *subject)
{
    X509_REQ_free(subject->req);
    OPENSSL_free(subject->der);
}

/* Models */

struct ca_serial x509_serial(const char *hex)
{
    struct ca_serial serial;

    assert_int_equal(ca_serial_parse(hex, &serial, NULL), CA_OK);
    return serial;
}

void x509_set_times(X509 *x, int64_t from_s, int64_t until_s)
{
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), from_s));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), until_s));
}

X509 *x509_make_frame(const struct x509_frame *frame)
{
    X509 *x = X509_new();
    BIGNUM *serial = BN_bin2bn(frame->serial.octets, frame->serial.len, NULL);

    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_non_null(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)));
    assert_int_equal(X509_set_issuer_name(x, frame->issuer), 1);
    x509_set_times(x, frame->from_s, frame->until_s);
    assert_int_equal(X509_set_subject_name(x, frame->subject), 1);
    assert_int_equal(X509_set_pubkey(x, frame->key), 1);
    BN_free(serial);
    return x;
}

void x509_add(X509 *x, X509 *issuer, const char *type, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    extension = make_extension(&ctx, type, value);
    assert_int_equal(X509_add_ext(x, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

void x509_add_san_of(X509 *x, X509_REQ *req)
{
    STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(req);
    int at = list == NULL ? -1 : X509v3_get_ext_by_NID(list, NID_subject_alt_name, -1);

    if (at >= 0) {
        assert_int_equal(X509_add_ext(x, sk_X509_EXTENSION_value(list, at), -1), 1);
    }
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

void x509_sign_model(X509 *x, EVP_PKEY *key)
{
    assert_true(X509_sign(x, key, x509_digest(key)) > 0);
}

/* Authorities */

X509 *x509_make_ca(EVP_PKEY *key, const char *common_name, const char *path_len, X509 *parent,
                   EVP_PKEY *signer)
{
    X509_NAME *name = x509_make_name(common_name);
    const struct x509_frame frame = {
        .issuer = parent != NULL ? X509_get_subject_name(parent) : name, .subject = name,
        .key = key, .serial = x509_serial("07"),
        .from_s = X509_FIXTURE_FROM, .until_s = X509_FIXTURE_UNTIL,
    };
    X509 *x = x509_make_frame(&frame);
    char constraints[64];

    (void)snprintf(constraints, sizeof(constraints), "critical,CA:TRUE%s", path_len);
    x509_add(x, NULL, "basicConstraints", constraints);
    x509_add(x, NULL, "subjectKeyIdentifier", "hash");
    if (parent != NULL) x509_add(x, parent, "authorityKeyIdentifier", "keyid:always");
    x509_add(x, NULL, "keyUsage", "critical,keyCertSign,cRLSign");
    x509_sign_model(x, parent != NULL ? signer : key);
    X509_NAME_free(name);
    return x;
}

static struct ca_bytes der_of(X509 *x, uint8_t **der)
{
    int len = x != NULL ? i2d_X509(x, der) : 0;

    assert_true(len > 0 || x == NULL);
    return ca_bytes_of(*der, (size_t)len);
}

struct ca_issuer *x509_make_issuer(struct ca_crypto *crypto, X509 *x, X509 *parent)
{
    struct ca_issuer *issuer = NULL;
    uint8_t *der = NULL, *chain = NULL;
    struct ca_bytes own = der_of(x, &der), above = der_of(parent, &chain);

    assert_int_equal(ca_issuer_new(crypto, own, above, &issuer, NULL), CA_OK);
    OPENSSL_free(der);
    OPENSSL_free(chain);
    return issuer;
}

struct ca_signer *x509_make_signer(struct ca_crypto *crypto, EVP_PKEY *pkey,
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

void x509_make_authority(struct ca_crypto *crypto, int kind, const char *path_len,
                         struct x509_authority *out)
{
    static const enum ca_key_alg algs[ISSUER_KINDS] = {
        CA_KEY_RSA_2048, CA_KEY_EC_P256, CA_KEY_EC_P384, CA_KEY_EC_P521, CA_KEY_ED25519,
    };

    *out = (struct x509_authority){ .alg = algs[kind], .pkey = x509_make_key(kind) };
    out->sig_alg = kind == OF_RSA ? CA_SIG_RSA_SHA256
                                  : kind == OF_ED25519 ? CA_SIG_ED25519 : CA_SIG_ECDSA_SHA256;
    out->x509 = x509_make_ca(out->pkey, "Authority", path_len, NULL, NULL);
    out->signer = x509_make_signer(crypto, out->pkey, out->sig_alg);
    out->issuer = x509_make_issuer(crypto, out->x509, NULL);
}

void x509_drop_authority(struct x509_authority *authority)
{
    ca_signer_free(authority->signer);
    ca_issuer_free(authority->issuer);
    X509_free(authority->x509);
    EVP_PKEY_free(authority->pkey);
}
