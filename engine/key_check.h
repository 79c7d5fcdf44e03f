/*
 * Is this public key fit for a certificate? What can be said without OpenSSL, cheapest first and
 * bounded for any input: RSA with small factors, with the ROCA fingerprint (CVE-2017-15361), with
 * primes so close that Fermat finds them in 100 rounds, a perfect power; published and blocked keys
 * (engine/blocklist.h).
 *
 * Sizes and exponents are the template's business (engine/policy.h): what comes here is an RSA
 * modulus of 2048 to 8192 bits, odd. Whether an EC point lies on its curve is checked by
 * engine/prove.h, which imports it.
 *
 * Pure functions but for the crypto's digest; the owner of the crypto.
 */
#ifndef ENGINE_KEY_CHECK_H
#define ENGINE_KEY_CHECK_H

#include "engine/crypto.h"
#include "engine/spki.h"

#define CA_KEY_HASH_LEN 16      /* octets kept of a SHA-256 */

/* What identifies key material, whatever wraps it: the first octets of SHA-256 over the RSA modulus
 * (magnitude; another exponent makes no other key), the EC point's x coordinate (the negated point
 * has the negated private key), the EdDSA key's octets. */
CA_MUST_CHECK enum ca_status ca_key_hash(struct ca_crypto *crypto, const struct ca_spki *key,
                                         uint8_t hash[CA_KEY_HASH_LEN], struct ca_error *err);
/* True when both would have the same hash. */
bool ca_key_is_same(const struct ca_spki *a, const struct ca_spki *b);

/*
 * Magnitudes without leading zero octets. CA_REFUSED: key-too-weak (even, an odd power of a number,
 * more than 16384 bits), key-small-factor (below 752), key-roca, key-close-primes (also a square:
 * Fermat's round 0). A sound modulus costs 3.5 us at 2048 bits, 7 at 4096, 20 at 8192; one made to
 * cost most four times that.
 *
 * A modulus that is a prime passes. Finding it takes a power modulo n, which costs 1.4 ms at 2048
 * bits and 10 at 4096, where a verification costs 31 us; and who has such a key has as good as
 * published his private key, which no check of ours can keep anybody from. The one that stands in
 * public test data is on the list of engine/blocklist.h.
 */
CA_MUST_CHECK enum ca_status ca_rsa_check_modulus(struct ca_bytes n, struct ca_error *err);

/* The single tests behind it, for tests and `explain`: true when the key has the weakness. They
 * take any number, zero and one too; one of more than 16384 bits is not looked at and counts as
 * weak. *factor: 2 to 751, or 0. */
bool ca_rsa_has_small_factor(struct ca_bytes n, uint32_t *factor);
bool ca_rsa_is_roca(struct ca_bytes n);
bool ca_rsa_is_fermat_weak(struct ca_bytes n, uint32_t rounds);

#endif
