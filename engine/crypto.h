/*
 * One thread's OpenSSL: its own library context (configuration loaded, so that openssl.cnf and
 * FIPS count), digests fetched once, contexts reused.
 *
 * A fetch per operation takes eight locks on OpenSSL 3.0 and a shared context makes threads meet on
 * one reference count; hence one of these per thread, made at its start. Everything else in engine
 * that needs OpenSSL is given a ca_crypto and belongs to the same thread.
 */
#ifndef ENGINE_CRYPTO_H
#define ENGINE_CRYPTO_H

#include "engine/alg.h"

struct ca_crypto;
struct ca_hash;

/* CA_CRYPTO: OpenSSL cannot be set up (no default provider, bad configuration file). */
CA_MUST_CHECK enum ca_status ca_crypto_new(struct ca_crypto **out, struct ca_error *err);
void ca_crypto_free(struct ca_crypto *crypto);

/* "OpenSSL 3.0.22 25 Aug 2026", of the library in use. */
const char *ca_crypto_version(void);

/* One-shot digest on a reused context; out holds ca_digest_len(alg). */
CA_MUST_CHECK enum ca_status ca_crypto_digest(struct ca_crypto *crypto, enum ca_digest_alg alg,
                                              struct ca_bytes in, uint8_t *out,
                                              struct ca_error *err);

/* Random octets from the context's private CSPRNG. CA_CRYPTO: it failed; stop, never retry. */
CA_MUST_CHECK enum ca_status ca_crypto_random(struct ca_crypto *crypto, uint8_t *out, size_t len,
                                              struct ca_error *err);

/* A running SHA-256 whose value can be read at any point while it goes on. */
CA_MUST_CHECK enum ca_status ca_hash_new(struct ca_crypto *crypto, struct ca_hash **out,
                                         struct ca_error *err);
void ca_hash_free(struct ca_hash *hash);
CA_MUST_CHECK enum ca_status ca_hash_update(struct ca_hash *hash, struct ca_bytes in,
                                            struct ca_error *err);
CA_MUST_CHECK enum ca_status ca_hash_peek(struct ca_hash *hash, uint8_t out[32],
                                          struct ca_error *err);

#endif
