/*
 * Requests that are wrong in one thing and signed rightly all the same, judged by the parser and
 * the proof of possession; OpenSSL's X509_REQ_verify is asked too, to see what it lets through.
 */
#ifndef TESTS_SUPPORT_MUTANT_H
#define TESTS_SUPPORT_MUTANT_H

#include "engine/prove.h"
#include "engine/request.h"
#include "tests/support/request_builder.h"

/* Who signs. */
enum { BY_RSA, BY_P256, BY_P384, BY_P521, BY_ED25519, BY_ED448, BY_OTHER_RSA, MUTANT_KEYS };

struct mutant_fixture {
    struct ca_crypto *crypto;
    struct ca_prover *prover;
    EVP_PKEY *keys[MUTANT_KEYS];
    size_t refused, openssl_says_yes;       /* over all groups */
};

/* A cmocka group's. */
int mutant_set_up(void **state);
int mutant_tear_down(void **state);

/* With the digest that goes with the key. */
struct request_signing mutant_signing(const struct mutant_fixture *f, int key);

/* The engine's verdict: the parser's, else the proof's; NONE: accepted. */
enum ca_reason mutant_verdict(struct mutant_fixture *f, struct ca_bytes der, struct ca_error *err);

/* A group of mutants, counted and printed together. */
struct mutant_group {
    struct mutant_fixture *f;
    const char *name;
    size_t refused, openssl_says_yes;
};

struct mutant_group mutant_begin(struct mutant_fixture *f, const char *name);
void mutant_judge(struct mutant_group *group, const char *what, struct ca_bytes der,
                  enum ca_reason expected);
void mutant_end(const struct mutant_group *group);

struct mutant {
    const char *what;
    struct request_parts parts;
    enum ca_reason reason;
};

void mutant_judge_all(struct mutant_fixture *f, const char *name,
                      const struct request_signing *signing, const struct mutant *mutants,
                      size_t count);

/* Replaces len octets at a place. */
void mutant_replace(struct ca_buf *part, size_t at, size_t len, const char *notation);

#endif
