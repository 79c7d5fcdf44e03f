/*
 * Proof of possession (RFC 2986 4.2): the request is signed with the key it asks a certificate for.
 * Checked over the bytes received.
 *
 * The key goes into OpenSSL without a decoder: EVP_PKEY_set1_encoded_public_key on a reused
 * EVP_PKEY for EC (100 times cheaper than d2i_PUBKEY on OpenSSL 3.0), EVP_PKEY_fromdata for RSA,
 * a fresh raw key for Ed25519 and Ed448. The setter silently changes nothing for EdDSA and leaves a
 * changed key behind when it refuses a point; both would let the previous request's key vouch for
 * the next one, so neither object survives such a case.
 *
 * The cost is bounded for any key: an RSA modulus has at most CA_RSA_BITS_MAX bits and its exponent
 * at most CA_RSA_EXPONENT_BITS_MAX (engine/template.h), and OpenSSL takes no exponent over 64 bits
 * with a modulus over 3072. What is larger proves nothing.
 *
 * Thread: the owner of the ca_crypto it was made with.
 */
#ifndef ENGINE_PROVE_H
#define ENGINE_PROVE_H

#include "engine/crypto.h"
#include "engine/request.h"

struct ca_prover;

CA_MUST_CHECK enum ca_status ca_prover_new(struct ca_crypto *crypto, struct ca_prover **out,
                                           struct ca_error *err);
void ca_prover_free(struct ca_prover *prover);

/*
 * Verifies count requests, all of one key kind (the caller groups them), and writes a verdict for
 * each into proved[]. A verdict of false: wrong signature, or a key that is no valid key (point off
 * the curve, RSA with an even or trivial exponent, an EdDSA point of small order); why, says
 * ca_prover_refuse. One bad request changes no other verdict.
 *   CA_CRYPTO / CA_NOMEM   OpenSSL itself failed; the run must stop; proved[] is unusable
 */
CA_MUST_CHECK enum ca_status ca_prover_check(struct ca_prover *prover,
                                             const struct ca_request *const *requests,
                                             size_t count, bool *proved, struct ca_error *err);

/*
 * Refuses a request whose verdict was false. Never CA_OK:
 *   CA_REFUSED bad-point     an EC point that is not on its curve, an EdDSA point of small order
 *   CA_MALFORMED bad-key     an RSA key with an even or trivial exponent, or too large to verify
 *   CA_REFUSED bad-signature the key is one, and did not sign this
 *   CA_CRYPTO / CA_NOMEM     as above: says nothing about the request, the run must stop
 */
CA_MUST_CHECK enum ca_status ca_prover_refuse(struct ca_prover *prover,
                                              const struct ca_request *request,
                                              struct ca_error *err);

/* One signature by one key over one message: for certificates and test vectors. */
CA_MUST_CHECK enum ca_status ca_prover_verify(struct ca_prover *prover, const struct ca_spki *key,
                                              enum ca_sig_alg alg, struct ca_bytes message,
                                              struct ca_bytes signature, bool *good,
                                              struct ca_error *err);

#endif
