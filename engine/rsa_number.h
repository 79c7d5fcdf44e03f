/*
 * Private to engine: what engine/key_check.c computes with RSA moduli. Natural numbers of at most
 * 16384 bits in fixed storage, so that no input costs memory, and schoolbook arithmetic whose cost
 * is bounded by the squares of the lengths. Nothing here is secret: no function is constant time.
 *
 * OpenSSL's BIGNUM has no square root, and its division would make the residues dear.
 *
 * Thread: values belong to their owner.
 */
#ifndef ENGINE_RSA_NUMBER_H
#define ENGINE_RSA_NUMBER_H

#include "engine/bytes.h"

#define CA_NUMBER_BITS_MAX 16384    /* of a number that is loaded */
/* 64-bit limbs that a result may have: a power that was guessed a little too big must fit. */
#define CA_NUMBER_LIMBS_MAX 288

/* Little-endian limbs without leading zeros; zero has none. */
struct ca_number {
    size_t len;
    uint64_t limb[CA_NUMBER_LIMBS_MAX];
};

/* False: longer than CA_NUMBER_BITS_MAX. Leading zero octets do not count. */
CA_MUST_CHECK bool ca_number_load(struct ca_number *out, struct ca_bytes big_endian);
void ca_number_set(struct ca_number *out, uint64_t value);

size_t ca_number_bits(const struct ca_number *a);   /* 0 for zero */
bool ca_number_equal(const struct ca_number *a, const struct ca_number *b);

void ca_number_add(struct ca_number *a, uint64_t b);
/* a - b in a; a must not be less. */
void ca_number_subtract(struct ca_number *a, const struct ca_number *b);
/* out is neither a nor b. False: the product might be longer than CA_NUMBER_LIMBS_MAX. */
CA_MUST_CHECK bool ca_number_multiply(const struct ca_number *a, const struct ca_number *b,
                                      struct ca_number *out);
/* The integer part of the square root; true when nothing is left. root may not be a. */
bool ca_number_sqrt(const struct ca_number *a, struct ca_number *root);

/* The primes 3 to 751, ascending. */
#define CA_PRIMES 132
extern const uint16_t ca_primes[CA_PRIMES];

/* rest[i] = a mod ca_primes[i], for the primes of the first groups: 15 primes (3 to 53) in one
 * group, 25 in two, 34 in three, 42 in four, 132 in all 18. A group costs one pass over a. */
#define CA_PRIME_GROUPS 18
#define CA_PRIMES_OF_FIRST_GROUP 15
#define CA_PRIMES_OF_FOUR_GROUPS 42
void ca_number_mod_primes(const struct ca_number *a, size_t group_count, uint16_t *rest);

/* base^exponent mod prime; base is below prime, prime below 2^16. */
uint32_t ca_power_mod(uint32_t base, uint32_t exponent, uint32_t prime);

#endif
