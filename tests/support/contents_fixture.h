/*
 * Requests in the making, for tests of what passes into a certificate: what is asked by request and
 * API is made by OpenSSL, and so is what the decision is compared with. Every function fails the
 * test when OpenSSL does.
 */
#ifndef TESTS_SUPPORT_CONTENTS_FIXTURE_H
#define TESTS_SUPPORT_CONTENTS_FIXTURE_H

#include "engine/contents.h"

#include <openssl/x509v3.h>

/* One request in the making, and all that is decided about it. */
struct contents_fixture {
    EVP_PKEY *key;
    char own_key_id[64];            /* "DER:0414..." of it */
    char own_authority[64];         /* "DER:30168014..." */
    X509_NAME *subject;
    STACK_OF(X509_EXTENSION) *extensions;
    uint8_t *der;
    struct ca_request request;
    struct ca_api api;
    struct ca_arena arena, api_arena;
    struct ca_pointers pointers;
    struct ca_ask ask;
    struct ca_contents contents;
    struct ca_error err;
};

int contents_set_up(void **state);      /* *state: the fixture */
int contents_tear_down(void **state);

void contents_drop_extensions(STACK_OF(X509_EXTENSION) *list);
const struct ca_template *contents_row(const char *name);       /* of the catalogue */

/* Forgets what was asked. */
void contents_begin(struct contents_fixture *f);
void contents_set_subject(struct contents_fixture *f, const char *common_name);
/* One more extension, in OpenSSL's words. */
void contents_ask_csr(struct contents_fixture *f, const char *name, const char *text);
/* As ca_api_parse would have it, without its JSON. */
void contents_ask_api(struct contents_fixture *f, const char *name, const char *text,
                      enum ca_ignored bit);

/* The request as asked: made, signed, and read by the engine. */
void contents_make_request(struct contents_fixture *f);
/* Of the request that was made last; the others make it anew. */
enum ca_status contents_decide(struct contents_fixture *f, const struct ca_template *tmpl);
void contents_decide_good(struct contents_fixture *f, const struct ca_template *tmpl);
/* text: how the sentence begins. */
void contents_assert_refused(struct contents_fixture *f, const struct ca_template *tmpl,
                             enum ca_reason reason, const char *text);

/* The ignored ones as "a b c". */
void contents_assert_ignored(const struct contents_fixture *f, const char *names);
/* The extensions that pass, as OpenSSL reads and writes them: pairs of name and text. */
void contents_assert_extra(const struct contents_fixture *f, size_t count,
                           const char *const pairs[][2]);
#define CONTENTS_ASSERT_EXTRA(f, ...)                                                              \
    do {                                                                                           \
        static const char *const pairs[][2] = { __VA_ARGS__ };                                     \
        contents_assert_extra(f, sizeof(pairs) / sizeof(pairs[0]), pairs);                         \
    } while (0)

#endif
