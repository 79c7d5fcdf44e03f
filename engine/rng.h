/*
 * Random octets for serial numbers: a pool of 4 KiB per thread, refilled from the CSPRNG (one call
 * per serial would cost 1 us, the pool costs 0.01 us). Used octets are wiped.
 *
 * In tests a seed makes the octets a function of (seed, ordinal), so that the same job gives the
 * same serials with any number of workers.
 *
 * Thread: the one that owns the ca_crypto it was made with.
 */
#ifndef ENGINE_RNG_H
#define ENGINE_RNG_H

#include "engine/crypto.h"

struct ca_rng;

/* seed NULL: the CSPRNG. crypto is borrowed and must outlive the rng. */
CA_MUST_CHECK enum ca_status ca_rng_new(struct ca_crypto *crypto, const uint64_t *seed,
                                        struct ca_rng **out, struct ca_error *err);
void ca_rng_free(struct ca_rng *rng);

/* len <= 32. ordinal counts only in a seeded generator. CA_CRYPTO: the generator failed; do not
 * retry, a broken generator must stop the run. */
CA_MUST_CHECK enum ca_status ca_rng_draw(struct ca_rng *rng, uint64_t ordinal, uint8_t *out,
                                         size_t len, struct ca_error *err);

#endif
