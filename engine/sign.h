/*
 * Signing: one signer per thread and CA key. Digest in a reused context and sign the digest
 * (a DigestSignInit per certificate costs 18 % of a P-256 signature); Ed25519 signs the message.
 *
 * Thread: the owner of the ca_crypto it was made with.
 */
#ifndef ENGINE_SIGN_H
#define ENGINE_SIGN_H

#include "engine/key.h"

struct ca_signer;

/* Copies key into crypto's context. CA_REFUSED "signing-algorithm": alg does not fit the key. */
CA_MUST_CHECK enum ca_status ca_signer_new(struct ca_crypto *crypto, const struct ca_key *key,
                                           enum ca_sig_alg alg, struct ca_signer **out,
                                           struct ca_error *err);
void ca_signer_free(struct ca_signer *signer);

enum ca_sig_alg ca_signer_alg(const struct ca_signer *signer);
size_t ca_signer_signature_max(const struct ca_signer *signer);    /* octets */

/* signature holds ca_signer_signature_max; *len is what was written. CA_CRYPTO: stop the run. */
CA_MUST_CHECK enum ca_status ca_signer_sign(struct ca_signer *signer, struct ca_bytes message,
                                            uint8_t *signature, size_t *len, struct ca_error *err);

/* Verifies a signature just made with the signer's own public key: a fault in the arithmetic must
 * not leave the process. CA_CRYPTO "signature-fault" when it does not verify. */
CA_MUST_CHECK enum ca_status ca_signer_check(struct ca_signer *signer, struct ca_bytes message,
                                             struct ca_bytes signature, struct ca_error *err);

#endif
