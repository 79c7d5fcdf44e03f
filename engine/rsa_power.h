/*
 * Private to engine: is a number the cube of another, the fifth power, the seventh, ...? As RSA
 * modulus such a one is a prime times itself, or worse. (Squares are found by Fermat's method.)
 *
 * Pure functions.
 */
#ifndef ENGINE_RSA_POWER_H
#define ENGINE_RSA_POWER_H

#include "engine/rsa_number.h"

/* a: odd, more than 1, without a prime factor below 752; residues: of all of ca_primes. About a
 * microsecond for a number that is none; some 100 for one made to look like one. */
bool ca_number_is_odd_power(const struct ca_number *a, const uint16_t residues[CA_PRIMES]);

#endif
