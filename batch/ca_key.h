/*
 * The files in keys/: one PKCS#8 PEM per CA, named by its UUID, 0600, encrypted when the store is.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_CA_KEY_H
#define BATCH_CA_KEY_H

#include "batch/registry.h"

#define BATCH_KEY_FILE_MAX 65536        /* octets; an encrypted RSA-4096 key has 3,500 */

/* PEM of a key under the passphrase (PBKDF2, 600,000 rounds; plain when secret.len is 0). Inits
 * out; clear it with ca_buf_clear_secret. */
CA_MUST_CHECK enum ca_status batch_key_encode(struct ca_crypto *crypto, const struct ca_key *key,
                                              struct ca_bytes secret, struct ca_buf *out,
                                              struct ca_error *err);

/* pem: from batch_key_encode. Durable when it returns. */
CA_MUST_CHECK enum ca_status batch_key_write(const struct batch_registry *registry,
                                             const uint8_t uuid[SCHEMA_UUID_LEN],
                                             struct ca_bytes pem, struct ca_error *err);

/*
 * Reads and decrypts (asks for the passphrase when the store has one).
 *   CA_REFUSED    "file-mode", "file-type" and so on from io/file, "keys-mode" (others may write
 *                 to keys/), "key-not-encrypted" (plain key in an encrypted store),
 *                 "key-mismatch" (not spki's key), and what ca_key_decode refuses
 *   CA_MALFORMED  "bad-key-file"
 */
CA_MUST_CHECK enum ca_status batch_key_read(struct batch_registry *registry,
                                            const uint8_t uuid[SCHEMA_UUID_LEN],
                                            struct ca_bytes spki, struct ca_key **out,
                                            struct ca_error *err);

/* Overwrites and removes; no error when it is not there. */
CA_MUST_CHECK enum ca_status batch_key_erase(const struct batch_registry *registry,
                                             const uint8_t uuid[SCHEMA_UUID_LEN],
                                             struct ca_error *err);

/* Erases key files whose UUID has no row: what a crash between key file and row leaves. Inside a
 * write transaction: key files are only written inside one, so none is on its way. */
CA_MUST_CHECK enum ca_status batch_key_erase_orphans(struct batch_registry *registry,
                                                     struct store_txn *txn, struct ca_error *err);

#endif
