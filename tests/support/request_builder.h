/*
 * Certification requests in parts, one of which can be something else, signed rightly all the same:
 * what a strict reader must refuse although the signature is good.
 *
 * DER is written in a notation: hexadecimal octets, where XX( ... ) is an element of tag XX around
 * what stands inside, 'text' is the octets of that text, and an octet, a text or an element may be
 * followed by *N, to stand N times. Blanks are ignored: "30( 31(30(0603550403 0c('a'*64)))*2 )".
 *
 * Every function fails the test when the notation or OpenSSL does.
 */
#ifndef TESTS_SUPPORT_REQUEST_BUILDER_H
#define TESTS_SUPPORT_REQUEST_BUILDER_H

#include "engine/bytes.h"

#include <openssl/evp.h>

#define REQUEST_BUILDER_MAX 100000      /* octets of a part, and of a request */

/* Appends. */
void request_notation(const char *text, struct ca_buf *out);

/* Where the hooks are called, with what has just been made and may be changed. */
enum request_stage {
    REQUEST_KEY,            /* SubjectPublicKeyInfo */
    REQUEST_INFO,           /* CertificationRequestInfo, not yet signed */
    REQUEST_SIGNATURE,      /* the signature's octets */
    REQUEST_WHOLE,
    REQUEST_STAGES
};

/* In notation; NULL: as it should be. */
struct request_parts {
    const char *version, *subject, *key, *attributes, *algorithm;
    const char *bits;               /* the BIT STRING of the signature, whole */
    void (*change[REQUEST_STAGES])(struct ca_buf *part);    /* NULL: leave it */
};

struct request_signing {
    EVP_PKEY *key;
    const char *digest;             /* "SHA256"; NULL for EdDSA */
    const char *mgf1_digest;        /* NULL: no PSS */
    int salt_len;
};

/* Its AlgorithmIdentifier, its signature: *out is initialised and the caller's to clear. */
struct ca_bytes request_build(const struct request_parts *parts,
                              const struct request_signing *signing, struct ca_buf *out);

/* "RSA" (2048 bits), "ED25519", "ED448" or a curve's name. The caller frees it. */
EVP_PKEY *request_make_key(const char *kind);

/* Does OpenSSL read the request and say that it is signed with its key? */
bool request_openssl_verifies(struct ca_bytes der);

#endif
