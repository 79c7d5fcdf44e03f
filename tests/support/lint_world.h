/*
 * Certificates for tests of the lint: OpenSSL's X509 API makes them right in every octet, for what
 * was asked, so that a test may make one thing wrong. Every function fails the test when OpenSSL
 * does.
 */
#ifndef TESTS_SUPPORT_LINT_WORLD_H
#define TESTS_SUPPORT_LINT_WORLD_H

#include "engine/lint.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define LINT_CA_FROM INT64_C(1767225600)        /* 2026-01-01T00:00:00Z */
#define LINT_CA_UNTIL INT64_C(2840140800)       /* 2060-01-01T00:00:00Z */
#define LINT_FROM INT64_C(1780000000)           /* 2026-05-28T20:26:40Z */
#define LINT_DAY INT64_C(86400)
#define LINT_TBS_MAX 8192

/* What all certificates of the tests share. */
struct lint_fixture {
    struct ca_crypto *crypto;
    EVP_PKEY *ca_key, *key, *other_key, *rsa_key;
    X509 *ca;
    struct ca_issuer *issuer;
};

/* One certificate: what was asked, and what OpenSSL made of it. */
struct lint_world {
    struct lint_fixture *f;
    struct ca_template tmpl;
    struct ca_revocation revocation;
    struct ca_profile_spec spec;
    struct ca_profile *profile;
    struct ca_request request;
    struct ca_contents contents;
    struct ca_serial serial;
    struct ca_tbs_input input;
    EVP_PKEY *key;
    uint8_t *spki, *subject;
    struct ca_buf extra, own, san;          /* octets that the views above show */
    X509 *x;
};

int lint_setup(void **state);       /* *state: the fixture */
int lint_teardown(void **state);

/* O=Widgets, CN=common_name; NULL: an empty one. */
X509_NAME *lint_name(const char *common_name);

/* Extensions: in OpenSSL's words, as octets, and a certificatePolicies. */
X509_EXTENSION *lint_extension(X509 *issuer, X509 *subject, int nid, const char *value);
X509_EXTENSION *lint_raw(const char *oid, bool critical, const void *value, size_t len);
X509_EXTENSION *lint_policies(void);

/* Adds it at place loc (-1: the end) and drops it. */
void lint_put(X509 *x, X509_EXTENSION *extension, int loc);
void lint_drop(X509 *x, int nid);
/* In its place, another one of the same type or of another. */
void lint_replace(X509 *x, int nid, X509_EXTENSION *with);
void lint_critical(X509 *x, int nid, int critical);

/* The world before its certificate is made: template, names, key. */
void lint_begin(struct lint_world *w, struct lint_fixture *f, const char *template_name,
                EVP_PKEY *key, const char *common_name);
void lint_names(struct lint_world *w, const char *san, bool critical);
/* Extensions that passed, and that the template adds: more calls, more of them. */
void lint_extra(struct lint_world *w, X509_EXTENSION *extension);
void lint_own(struct lint_world *w, X509_EXTENSION *extension);
/* cdp, ocsp and freshest: OpenSSL's words, or NULL. */
void lint_make(struct lint_world *w, const char *cdp, const char *ocsp, const char *freshest);
void lint_end(struct lint_world *w);

/* Whole worlds, each with its lint_begin and lint_make. */
void lint_device(struct lint_world *w, struct lint_fixture *f);
void lint_plain_rsa(struct lint_world *w, struct lint_fixture *f);
void lint_pointers(struct lint_world *w, struct lint_fixture *f);
void lint_complete_crl(struct lint_world *w, struct lint_fixture *f);
void lint_subordinate(struct lint_world *w, struct lint_fixture *f);
void lint_root(struct lint_world *w, struct lint_fixture *f);
void lint_blank(struct lint_world *w, struct lint_fixture *f);
void lint_nameless(struct lint_world *w, struct lint_fixture *f);
void lint_more_purposes(struct lint_world *w, struct lint_fixture *f);

/* All of these, and a root that passes its own key identifier. */
#define LINT_MAKERS 10
extern void (*const lint_makers[LINT_MAKERS])(struct lint_world *w, struct lint_fixture *f);

/* The algorithm inside the TBS, to be changed. */
X509_ALGOR *lint_algorithm(struct lint_world *w);
size_t lint_tbs_of(struct lint_world *w, uint8_t out[LINT_TBS_MAX]);

/* Lints a copy in memory of exactly its size, for the sanitizers. */
enum ca_status lint_octets(const struct lint_world *w, const uint8_t *tbs, size_t len,
                           struct ca_error *err);
/* CA_REASON_NONE: it passes. Anything else: refused for that, in a sentence that begins with the
 * rule. */
void lint_expect_octets(const struct lint_world *w, const uint8_t *tbs, size_t len,
                        enum ca_reason reason, const char *what);
void lint_expect(struct lint_world *w, enum ca_reason reason, const char *what);

#endif
