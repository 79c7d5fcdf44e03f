/*
 * Keys, requests, CA certificates and models of certificates made with OpenSSL's X509 API, the
 * judge of what the engine builds (engine itself never uses that API). Every function fails the
 * test when OpenSSL does.
 */
#ifndef TESTS_SUPPORT_X509_FIXTURE_H
#define TESTS_SUPPORT_X509_FIXTURE_H

#include "engine/contents.h"
#include "engine/issuer.h"
#include "engine/serial.h"
#include "engine/sign.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define X509_FIXTURE_FROM INT64_C(1767225600)   /* of CAs: 2026-01-01T00:00:00Z */
#define X509_FIXTURE_UNTIL INT64_C(2840140800)  /* 2060-01-01T00:00:00Z */
#define X509_FIXTURE_NOW INT64_C(1780000000)    /* 2026-05-28T20:26:40Z */

/* Keys of subjects; those of CAs end before Ed448. */
enum { OF_RSA, OF_P256, OF_P384, OF_P521, OF_ED25519, OF_ED448, KINDS };
#define ISSUER_KINDS (OF_ED25519 + 1)

EVP_PKEY *x509_make_key(int kind);
const EVP_MD *x509_digest(const EVP_PKEY *key);     /* SHA-256; NULL for EdDSA */
/* O=Widgets, CN=common_name; NULL: an empty one. */
X509_NAME *x509_make_name(const char *common_name);

/* One extension in OpenSSL's words: {"keyUsage", "critical,digitalSignature"}, or
 * {"1.2.3.4", "DER:0500"}; a value may name the section "@policy" (a policy with a CPS URI). type
 * NULL ends a list. */
struct x509_extension {
    const char *type, *value;
};

/* A subject: its key and its request, and what a certificate gets when nothing else is said. */
struct x509_subject {
    EVP_PKEY *pkey;                 /* borrowed */
    X509_REQ *req;
    uint8_t *der;
    struct ca_request request;
    struct ca_contents contents;    /* names of the request, key identifier; nothing else */
};

/* extensions may be NULL. */
void x509_make_subject(EVP_PKEY *key, const char *common_name,
                       const struct x509_extension *extensions, struct x509_subject *out);
void x509_drop_subject(struct x509_subject *subject);

struct x509_authority {
    enum ca_key_alg alg;
    enum ca_sig_alg sig_alg;
    EVP_PKEY *pkey;
    X509 *x509;
    struct ca_signer *signer;
    struct ca_issuer *issuer;
};

/* A CA that signs itself. path_len in OpenSSL's words (",pathlen:1") or "". */
void x509_make_authority(struct ca_crypto *crypto, int kind, const char *path_len,
                         struct x509_authority *out);
void x509_drop_authority(struct x509_authority *authority);

/* The parts of an authority: a certificate for key signed by signer (NULL: itself). */
X509 *x509_make_ca(EVP_PKEY *key, const char *common_name, const char *path_len, X509 *parent,
                   EVP_PKEY *signer);
struct ca_issuer *x509_make_issuer(struct ca_crypto *crypto, X509 *x, X509 *parent);
struct ca_signer *x509_make_signer(struct ca_crypto *crypto, EVP_PKEY *pkey,
                                   enum ca_sig_alg sig_alg);

/* A model: version, names, key, dates and serial set, no extension yet, not signed. */
struct x509_frame {
    const X509_NAME *issuer, *subject;
    EVP_PKEY *key;
    struct ca_serial serial;
    int64_t from_s, until_s;
};
X509 *x509_make_frame(const struct x509_frame *frame);
/* issuer is for "keyid:always"; may be NULL. */
void x509_add(X509 *x, X509 *issuer, const char *type, const char *value);
/* Of the request, as it stands there. */
void x509_add_san_of(X509 *x, X509_REQ *req);
/* Signs with the authority's key, so that the TBS is complete. */
void x509_sign_model(X509 *x, EVP_PKEY *key);

struct ca_serial x509_serial(const char *hex);
void x509_set_times(X509 *x, int64_t from_s, int64_t until_s);

#endif
