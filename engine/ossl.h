/*
 * Private to engine: what its OpenSSL modules (crypto, key, sign, prove) share. No public header
 * includes this, so that OpenSSL's types stay inside engine's .c files.
 *
 * Thread: everything here belongs to the owner of the ca_crypto; the error queue is the thread's.
 */
#ifndef ENGINE_OSSL_H
#define ENGINE_OSSL_H

#include "engine/key.h"

#include <openssl/evp.h>

#define CA_OSSL_DIGESTS (CA_DIGEST_SHA512 + 1)

struct ca_crypto {
    OSSL_LIB_CTX *libctx;
    EVP_MD *md[CA_OSSL_DIGESTS];        /* by enum ca_digest_alg; NONE stays NULL */
    EVP_MD_CTX *hash[CA_OSSL_DIGESTS];  /* initialised once: a digest allocates no context */
};

/*
 * ca_fail for a failed OpenSSL call: adds the library's reason to the sentence and its packed code
 * to err->code. Reads and empties the error queue; a queue that speaks of a failed allocation turns
 * status into CA_NOMEM.
 */
enum ca_status ca_fail_openssl(struct ca_error *err, enum ca_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Empties the error queue. True when it spoke of a failed allocation. */
bool ca_openssl_drain(void);

/*
 * What a call that judges foreign bytes said. 1: true. Anything else (0, and the negative values
 * that OpenSSL returns for a signature it cannot even parse): false, and the error queue is empty
 * again. CA_NOMEM when memory failed, which says nothing about the bytes.
 */
CA_MUST_CHECK enum ca_status ca_openssl_verdict(int answer, bool *good, struct ca_error *err);

/* Borrowed, lives as long as the key. */
EVP_PKEY *ca_key_pkey(const struct ca_key *key);

#endif
