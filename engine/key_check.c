#include "engine/key_check.h"

#include "engine/reason.h"
#include "engine/rsa_power.h"

#include <assert.h>
#include <string.h>

#define FERMAT_ROUNDS 100       /* BR 6.1.1.3 */

/* What identifies a key */

/* The octets that ca_key_hash is over. */
static struct ca_bytes material_of(const struct ca_spki *key)
{
    switch (key->kind) {
    case CA_KEY_KIND_RSA: return key->rsa_n;
    case CA_KEY_KIND_P256:
    case CA_KEY_KIND_P384:
    case CA_KEY_KIND_P521:
        assert(key->key.len % 2 == 1 && key->key.data[0] == 0x04);
        return ca_bytes_slice(key->key, 1, key->key.len / 2);
    case CA_KEY_KIND_NONE:
    case CA_KEY_KIND_ED25519:
    case CA_KEY_KIND_ED448: break;
    }
    return key->key;
}

bool ca_key_is_same(const struct ca_spki *a, const struct ca_spki *b)
{
    return a->kind == b->kind && ca_bytes_equal(material_of(a), material_of(b));
}

enum ca_status ca_key_hash(struct ca_crypto *crypto, const struct ca_spki *key,
                           uint8_t hash[CA_KEY_HASH_LEN], struct ca_error *err)
{
    uint8_t digest[CA_DIGEST_MAX];
    enum ca_status st = ca_crypto_digest(crypto, CA_DIGEST_SHA256, material_of(key), digest, err);

    if (st == CA_OK) memcpy(hash, digest, CA_KEY_HASH_LEN);
    return st;
}

/* RSA: small factors */

static bool is_even(const struct ca_number *n)
{
    return n->len == 0 || (n->limb[0] & 1) == 0;
}

/* 0: none. */
static uint32_t small_factor(const uint16_t residues[CA_PRIMES])
{
    for (size_t i = 0; i < CA_PRIMES; i++) {
        if (residues[i] == 0) return ca_primes[i];
    }
    return 0;
}

bool ca_rsa_has_small_factor(struct ca_bytes n, uint32_t *factor)
{
    struct ca_number number;
    uint16_t residues[CA_PRIMES];

    *factor = 0;
    if (!ca_number_load(&number, n)) return true;
    if (is_even(&number)) {
        *factor = 2;
        return true;
    }
    ca_number_mod_primes(&number, CA_PRIME_GROUPS, residues);
    *factor = small_factor(residues);
    return *factor != 0;
}

/* RSA: ROCA */

/*
 * CVE-2017-15361: a library made primes of the form k * M + (65537^a mod M), M a product of small
 * primes; so modulo each of them n is a power of 65537, too. A sound n is one modulo all the primes
 * to 167 once in 240 million times (its owner makes another key).
 *
 * The powers of 65537 are a subgroup of a cyclic group: exactly the elements whose order divides
 * 65537's, which is given here for each prime.
 */
static const uint8_t roca_orders[] = {
    2, 4, 6, 2, 6, 8, 9, 22, 28, 30, 3, 40, 42, 46, 26, 58, 20, 66, 35, 24, 13, 82, 88, 6, 100, 51,
    53, 54, 112, 42, 130, 136, 138, 148, 50, 78, 162, 166,
};

static_assert(sizeof(roca_orders) <= CA_PRIMES_OF_FOUR_GROUPS, "a residue for each");

static bool has_roca_residues(const uint16_t *residues)
{
    for (size_t i = 0; i < sizeof(roca_orders); i++) {
        if (ca_power_mod(residues[i], roca_orders[i], ca_primes[i]) != 1) return false;
    }
    return true;
}

bool ca_rsa_is_roca(struct ca_bytes n)
{
    struct ca_number number;
    uint16_t residues[CA_PRIMES];

    if (!ca_number_load(&number, n)) return true;
    ca_number_mod_primes(&number, 4, residues);
    return has_roca_residues(residues);
}

/* RSA: close primes */

/* Bit x of the entry for a prime: x is a square modulo it. The same for 64. */
static const uint64_t squares_mod_64 = UINT64_C(0x0202021202030213);
static const uint64_t squares[CA_PRIMES_OF_FIRST_GROUP] = {
    0x3, 0x13, 0x17, 0x23b, 0x161b, 0x1a317, 0x30af3, 0x5335f, 0x13d122f3, 0x121d47b7,
    0x165e211e9b, 0x1b382b50737, 0x35883a3ee53, 0x4351b2753df, 0x12dd703303aed3,
};

/* What is known of n and of the least a with a^2 >= n, for all rounds. */
struct fermat {
    const struct ca_number *n;
    struct ca_number a;
    uint16_t n_residues[CA_PRIMES_OF_FIRST_GROUP];
    uint16_t a_residues[CA_PRIMES_OF_FIRST_GROUP];
};

/* Modulo 64 alone four rounds of five are done, modulo all these all but one of 55,000. */
static bool looks_like_square(const struct fermat *fermat, uint32_t round)
{
    uint64_t a = fermat->a.limb[0] + round;

    if ((squares_mod_64 >> ((a * a - fermat->n->limb[0]) & 63) & 1) == 0) return false;
    for (size_t i = 0; i < CA_PRIMES_OF_FIRST_GROUP; i++) {
        uint32_t prime = ca_primes[i], x = fermat->a_residues[i] + round % prime;

        if ((squares[i] >> ((x * x + prime - fermat->n_residues[i]) % prime) & 1) == 0)
            return false;
    }
    return true;
}

/* Is (a + round)^2 - n a square? */
static bool is_square(const struct fermat *fermat, uint32_t round)
{
    struct ca_number a = fermat->a, square, root;

    ca_number_add(&a, round);
    if (!ca_number_multiply(&a, &a, &square)) return true;  /* cannot be: a is half as long as n */
    ca_number_subtract(&square, fermat->n);
    return ca_number_sqrt(&square, &root);
}

/*
 * n = a^2 - b^2 = (a + b)(a - b): from the root of n upwards the first a for which a^2 - n is a
 * square gives the factors. Only the first a is computed; what follows goes by residues, and hardly
 * ever to a square and a root.
 */
static bool is_fermat_weak(const struct ca_number *n, const uint16_t *n_residues, uint32_t rounds)
{
    struct fermat fermat;

    if (rounds == 0) return false;
    if (ca_number_sqrt(n, &fermat.a)) return true;
    ca_number_add(&fermat.a, 1);
    fermat.n = n;
    memcpy(fermat.n_residues, n_residues, sizeof(fermat.n_residues));
    ca_number_mod_primes(&fermat.a, 1, fermat.a_residues);
    for (uint32_t round = 0; round < rounds; round++) {
        if (looks_like_square(&fermat, round) && is_square(&fermat, round)) return true;
    }
    return false;
}

bool ca_rsa_is_fermat_weak(struct ca_bytes n, uint32_t rounds)
{
    struct ca_number number;
    uint16_t residues[CA_PRIMES_OF_FIRST_GROUP];

    if (!ca_number_load(&number, n)) return true;
    ca_number_mod_primes(&number, 1, residues);
    return is_fermat_weak(&number, residues, rounds);
}

/* RSA: all of it */

enum ca_status ca_rsa_check_modulus(struct ca_bytes n, struct ca_error *err)
{
    struct ca_number number;
    uint16_t residues[CA_PRIMES];
    uint32_t factor;

    if (!ca_number_load(&number, n))
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK, "the RSA modulus has more than %d bits",
                         CA_NUMBER_BITS_MAX);
    if (is_even(&number))
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK, "the RSA modulus is even");
    ca_number_mod_primes(&number, CA_PRIME_GROUPS, residues);
    factor = small_factor(residues);
    if (factor != 0)
        return ca_refuse(err, CA_REASON_KEY_SMALL_FACTOR, "the RSA modulus is divisible by %u",
                         (unsigned)factor);
    if (has_roca_residues(residues))
        return ca_refuse(err, CA_REASON_KEY_ROCA,
                         "the RSA modulus has the fingerprint of keys that can be factored (ROCA)");
    if (is_fermat_weak(&number, residues, FERMAT_ROUNDS))
        return ca_refuse(err, CA_REASON_KEY_CLOSE_PRIMES,
                         "the RSA primes are so close that the modulus is factored in %d rounds",
                         FERMAT_ROUNDS);
    if (ca_number_is_odd_power(&number, residues))
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK, "the RSA modulus is a power of one number");
    return CA_OK;
}
