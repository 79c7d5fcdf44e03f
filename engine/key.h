/*
 * Private keys of CAs: generated, kept as PKCS#8 (RFC 5958), encrypted with PBES2 (RFC 8018):
 * AES-256-CBC under scrypt (N=2^14, r=8, p=5; RFC 7914), or PBKDF2-HMAC-SHA256 with 600,000 rounds.
 * (scrypt with N=2^15 needs 3 KiB more than the 32 MiB that OpenSSL ever allows a PKCS#8 file: the
 * openssl program could neither write nor open it.)
 *
 * Only this module knows where a private key lives. A key belongs to the thread whose ca_crypto it
 * was made with; another thread makes its own copy (RSA blinding is per key, and shared reference
 * counts are shared cache lines). Freed keys are wiped.
 */
#ifndef ENGINE_KEY_H
#define ENGINE_KEY_H

#include "engine/crypto.h"

struct ca_key;

#define CA_PASSPHRASE_MAX 1024

enum ca_key_kdf { CA_KDF_SCRYPT, CA_KDF_PBKDF2 };

CA_MUST_CHECK enum ca_status ca_key_generate(struct ca_crypto *crypto, enum ca_key_alg alg,
                                             struct ca_key **out, struct ca_error *err);
/* A copy for another thread's context. */
CA_MUST_CHECK enum ca_status ca_key_copy(const struct ca_key *key, struct ca_crypto *crypto,
                                         struct ca_key **out, struct ca_error *err);
void ca_key_free(struct ca_key *key);

enum ca_key_alg ca_key_algorithm(const struct ca_key *key);
/* The SubjectPublicKeyInfo in DER; lives as long as the key. */
struct ca_bytes ca_key_spki(const struct ca_key *key);

/* PEM: "ENCRYPTED PRIVATE KEY", or "PRIVATE KEY" when passphrase.len is 0. out should be cleared
 * with ca_buf_clear_secret. CA_REFUSED "passphrase-too-long" past CA_PASSPHRASE_MAX. */
CA_MUST_CHECK enum ca_status ca_key_encode(struct ca_crypto *crypto, const struct ca_key *key,
                                           struct ca_bytes passphrase, enum ca_key_kdf kdf,
                                           struct ca_buf *out, struct ca_error *err);
/* Reads what ca_key_encode wrote, and other PKCS#8 PEM files of a supported algorithm.
 *   CA_REFUSED "wrong-passphrase", "passphrase-needed" (encrypted, none given), "weak-encryption"
 *   (PBES1, PBKDF2 below 100,000 rounds, DES; or not encrypted although a passphrase was given),
 *   "key-algorithm"; CA_MALFORMED "bad-key-file" (also: halves that do not match, parameters that
 *   ask for absurd work) */
CA_MUST_CHECK enum ca_status ca_key_decode(struct ca_crypto *crypto, struct ca_bytes pem,
                                           struct ca_bytes passphrase, struct ca_key **out,
                                           struct ca_error *err);

#endif
