#include "engine/rsa_power.h"

#include <assert.h>
#include <string.h>

/* The least that a prime factor can have: 757 is above 2^9. */
#define FACTOR_BITS_MIN 10

/*
 * For an odd exponent k every odd number has exactly one k-th root modulo 2^64 (and 2^128, ...), so
 * a root that is an integer below 2^64 is known at once, and it remains to look whether its length
 * is right. For small exponents, whose root is longer, a number that is no k-th power is very
 * probably none modulo one of the primes that are 1 mod k.
 */

/* 1 / k modulo 2^64, k odd: three bits are right in k itself, and each step doubles them. */
static uint64_t inverse(uint64_t k)
{
    uint64_t x = k;

    for (int i = 0; i < 5; i++) x *= 2 - k * x;
    return x;
}

/* Roots of one number modulo 2^64 */

/* of[i][j] = a^(j * 16^i): a power of a is then 16 multiplications. */
struct powers {
    uint64_t of[16][16];
};

static void find_powers(uint64_t a, struct powers *powers)
{
    for (size_t i = 0; i < 16; i++) {
        powers->of[i][0] = 1;
        for (size_t j = 1; j < 16; j++) powers->of[i][j] = powers->of[i][j - 1] * a;
        a *= powers->of[i][15];
    }
}

/* The k-th root: the group of odd numbers has 2^63 elements, so the exponent is 1/k. */
static uint64_t root_u64(const struct powers *powers, uint64_t k)
{
    uint64_t exponent = inverse(k), root = 1;

    for (size_t i = 0; i < 16; i++) root *= powers->of[i][(exponent >> (4 * i)) & 15];
    return root;
}

/* Roots modulo 2^(64 * limbs) */

/* out = a * b, only the low limbs; out is neither. */
static void multiply_low(const uint64_t *a, const uint64_t *b, size_t limbs, uint64_t *out)
{
    __extension__ typedef unsigned __int128 u128;

    memset(out, 0, limbs * sizeof(*out));
    for (size_t i = 0; i < limbs; i++) {
        uint64_t carry = 0;

        for (size_t j = 0; i + j < limbs; j++) {
            u128 sum = (u128)a[i] * b[j] + out[i + j] + carry;

            out[i + j] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
    }
}

/* The longest root is the cube root. */
#define ROOT_LIMBS_MAX (CA_NUMBER_BITS_MAX / 3 / 64 + 1)

/* out = a^k, k > 0; out is not a. */
static void power_low(const uint64_t *a, uint64_t k, size_t limbs, uint64_t *out)
{
    uint64_t product[ROOT_LIMBS_MAX];

    memcpy(out, a, limbs * sizeof(*out));
    for (int bit = 62 - __builtin_clzll(k); bit >= 0; bit--) {
        multiply_low(out, out, limbs, product);
        if ((k >> bit & 1) != 0) multiply_low(product, a, limbs, out);
        else memcpy(out, product, limbs * sizeof(*out));
    }
}

/* One step of Newton's method towards x = a^(-1/k): x += x * (1 - a * x^k) / k. */
static void improve(const uint64_t *a, uint64_t k, size_t limbs, const uint64_t *inverse_k,
                    uint64_t *x)
{
    uint64_t error[ROOT_LIMBS_MAX], product[ROOT_LIMBS_MAX];
    uint64_t carry = 0;

    power_low(x, k, limbs, product);
    multiply_low(product, a, limbs, error);
    /* 1 - e is the complement of e, and 2. */
    for (size_t i = 0; i < limbs; i++) error[i] = ~error[i];
    for (uint64_t add = 2, i = 0; i < limbs && add != 0; i++) {
        error[i] += add;
        add = error[i] < add;
    }
    multiply_low(error, inverse_k, limbs, product);
    multiply_low(product, x, limbs, error);
    for (size_t i = 0; i < limbs; i++) {
        uint64_t sum = x[i] + error[i], with_carry = sum + carry;

        carry = (uint64_t)(sum < error[i]) | (uint64_t)(with_carry < sum);
        x[i] = with_carry;
    }
}

/* 1/k modulo 2^(64 * limbs), likewise: x += x * (1 - k * x) is improve with exponent 1. */
static void inverse_long(uint64_t k, size_t limbs, uint64_t *x)
{
    static const uint64_t one[ROOT_LIMBS_MAX] = { 1 };
    uint64_t number[ROOT_LIMBS_MAX] = { k };

    memset(x, 0, limbs * sizeof(*x));
    x[0] = inverse(k);
    for (size_t good = 1; good < limbs; good *= 2) improve(number, 1, limbs, one, x);
}

/* root: the k-th root of a modulo 2^(64 * limbs). first: its root modulo 2^64. */
static void root_long(const struct ca_number *a, uint64_t k, uint64_t first, size_t limbs,
                      struct ca_number *root)
{
    uint64_t number[ROOT_LIMBS_MAX] = { 0 }, x[ROOT_LIMBS_MAX] = { 0 };
    uint64_t inverse_k[ROOT_LIMBS_MAX], power[ROOT_LIMBS_MAX];

    memcpy(number, a->limb, (a->len < limbs ? a->len : limbs) * sizeof(number[0]));
    inverse_long(k, limbs, inverse_k);
    x[0] = inverse(first);
    for (size_t good = 1; good < limbs;) {
        good = 2 * good < limbs ? 2 * good : limbs;
        improve(number, k, good, inverse_k, x);
    }
    /* a * (a^(-1/k))^(k-1) */
    power_low(x, k - 1, limbs, power);
    multiply_low(number, power, limbs, root->limb);
    while (limbs > 0 && root->limb[limbs - 1] == 0) limbs--;
    root->len = limbs;
}

/* Is it one? */

/* A root with a length that fits, and not only modulo a power of 2. */
static bool is_root(const struct ca_number *root, uint64_t k, const struct ca_number *a)
{
    struct ca_number power = *root, product;
    size_t root_bits = ca_number_bits(root), bits = ca_number_bits(a);

    if (root_bits == 0 || (root_bits - 1) * k >= bits || root_bits * k < bits) return false;
    for (int bit = 62 - __builtin_clzll(k); bit >= 0; bit--) {
        if (!ca_number_multiply(&power, &power, &product)) return false;
        if ((k >> bit & 1) == 0) power = product;
        else if (!ca_number_multiply(&product, root, &power)) return false;
    }
    return ca_number_equal(&power, a);
}

/* The k-th powers modulo a prime q = 1 (mod k) are one in k. from: where primes above k begin. */
static bool looks_like_power(const uint16_t residues[CA_PRIMES], uint32_t k, size_t from)
{
    for (size_t i = from; i < CA_PRIMES; i++) {
        uint32_t q = ca_primes[i];

        if ((q - 1) % k == 0 && ca_power_mod(residues[i], (q - 1) / k, q) != 1) return false;
    }
    return true;
}

static bool is_power(const struct ca_number *a, uint64_t k, const struct powers *powers)
{
    size_t limbs = (ca_number_bits(a) + k - 1) / k / 64 + 1;
    struct ca_number root;

    if (limbs == 1) ca_number_set(&root, root_u64(powers, k));
    else root_long(a, k, root_u64(powers, k), limbs, &root);
    return is_root(&root, k, a);
}

bool ca_number_is_odd_power(const struct ca_number *a, const uint16_t residues[CA_PRIMES])
{
    size_t bits = ca_number_bits(a);
    uint64_t k_max = bits / (FACTOR_BITS_MIN - 1);
    struct powers powers;

    assert(a->len <= CA_NUMBER_BITS_MAX / 64 && bits > 1);
    find_powers(a->limb[0], &powers);
    /* Exponents that are no primes need not be tried: from 752 on some are. */
    for (uint64_t i = 0, k = 3; k <= k_max; k = ++i < CA_PRIMES ? ca_primes[i] : k + 2) {
        if (bits / k >= 64 && !looks_like_power(residues, (uint32_t)k, i)) continue;
        if (is_power(a, k, &powers)) return true;
    }
    return false;
}
