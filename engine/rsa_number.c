#include "engine/rsa_number.h"

#include <assert.h>
#include <string.h>

/* C has no other name for it. */
__extension__ typedef unsigned __int128 u128;

/* The number in n limbs that may begin with zeros. */
static void trim(struct ca_number *a, size_t n)
{
    while (n > 0 && a->limb[n - 1] == 0) n--;
    a->len = n;
}

bool ca_number_load(struct ca_number *out, struct ca_bytes big_endian)
{
    const uint8_t *data = big_endian.data;
    size_t len = big_endian.len, limbs;

    while (len > 0 && data[0] == 0) {
        data++;
        len--;
    }
    if (len > CA_NUMBER_BITS_MAX / 8) return false;
    limbs = (len + 7) / 8;
    for (size_t i = 0; i < len / 8; i++) out->limb[i] = ca_get_u64(data + len - 8 * (i + 1));
    if (len % 8 != 0) {
        out->limb[limbs - 1] = 0;
        for (size_t i = 0; i < len % 8; i++)
            out->limb[limbs - 1] = (out->limb[limbs - 1] << 8) | data[i];
    }
    out->len = limbs;
    return true;
}

void ca_number_set(struct ca_number *out, uint64_t value)
{
    out->limb[0] = value;
    trim(out, 1);
}

size_t ca_number_bits(const struct ca_number *a)
{
    if (a->len == 0) return 0;
    return 64 * a->len - (size_t)__builtin_clzll(a->limb[a->len - 1]);
}

bool ca_number_equal(const struct ca_number *a, const struct ca_number *b)
{
    return a->len == b->len && memcmp(a->limb, b->limb, a->len * sizeof(a->limb[0])) == 0;
}

void ca_number_add(struct ca_number *a, uint64_t b)
{
    for (size_t i = 0; i < a->len && b != 0; i++) {
        a->limb[i] += b;
        b = a->limb[i] < b;
    }
    if (b == 0) return;
    assert(a->len < CA_NUMBER_LIMBS_MAX);
    a->limb[a->len++] = b;
}

void ca_number_subtract(struct ca_number *a, const struct ca_number *b)
{
    uint64_t borrow = 0;

    assert(a->len >= b->len);
    for (size_t i = 0; i < a->len; i++) {
        u128 difference = (u128)a->limb[i] - (i < b->len ? b->limb[i] : 0) - borrow;

        a->limb[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    assert(borrow == 0);
    trim(a, a->len);
}

bool ca_number_multiply(const struct ca_number *a, const struct ca_number *b, struct ca_number *out)
{
    if (a->len + b->len > CA_NUMBER_LIMBS_MAX) return false;
    memset(out->limb, 0, (a->len + b->len) * sizeof(out->limb[0]));
    for (size_t i = 0; i < a->len; i++) {
        uint64_t carry = 0;

        for (size_t j = 0; j < b->len; j++) {
            u128 sum = (u128)a->limb[i] * b->limb[j] + out->limb[i + j] + carry;

            out->limb[i + j] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
        out->limb[i + b->len] = carry;
    }
    trim(out, a->len + b->len);
    return true;
}

/* Square root */

/* a * 2^shift with an even number of limbs, the first of which is at least 2^62: shift is even. */
static unsigned normalise(const struct ca_number *a, struct ca_number *out)
{
    unsigned lead = (unsigned)__builtin_clzll(a->limb[a->len - 1]) & ~1u;
    size_t up = a->len & 1;

    for (size_t i = a->len; i-- > 0;) {
        uint64_t low = i == 0 || lead == 0 ? 0 : a->limb[i - 1] >> (64 - lead);

        out->limb[i + up] = a->limb[i] << lead | low;
    }
    if (up == 1) out->limb[0] = 0;
    out->len = a->len + up;
    return lead + 64 * (unsigned)up;
}

/* The square root of a number of at least 2^62: 32 bits. */
static uint64_t sqrt_u64(uint64_t a)
{
    uint64_t root = UINT64_C(0xffffffff);

    /* Newton from above falls until it is there. */
    for (;;) {
        uint64_t next = (root + a / root) / 2;

        if (next >= root) return root;
        root = next;
    }
}

/* The same of two limbs, the second of which is at least 2^62. What is left, at most twice the
 * root, takes their place. */
static uint64_t sqrt_u128(uint64_t limbs[2])
{
    u128 a = (u128)limbs[1] << 64 | limbs[0];
    u128 root = (u128)(sqrt_u64(limbs[1]) + 1) << 32;

    if (root >> 64 != 0) root = UINT64_MAX;
    for (;;) {
        u128 next = (root + a / root) / 2;

        if (next >= root) break;
        root = next;
    }
    a -= root * root;
    limbs[0] = (uint64_t)a;
    limbs[1] = (uint64_t)(a >> 64);
    return (uint64_t)root;
}

/* rest -= digit * (twice the root so far, and digit under it). rest has len + 1 limbs and twice the
 * root len, the lowest of which is free for digit. True: it was too much. */
static bool take_digit(uint64_t *rest, uint64_t *twice, size_t len, uint64_t digit)
{
    uint64_t carry = 0, borrow = 0;
    u128 difference;

    twice[0] = digit;
    for (size_t i = 0; i < len; i++) {
        u128 product = (u128)digit * twice[i] + carry;

        difference = (u128)rest[i] - (uint64_t)product - borrow;
        rest[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
        carry = (uint64_t)(product >> 64);
    }
    difference = (u128)rest[len] - carry - borrow;
    rest[len] = (uint64_t)difference;
    return difference >> 64 != 0;
}

/* digit was one too big, and is now less by one: rest += twice the root with digit, and one. True:
 * rest is no longer negative. */
static bool give_back(uint64_t *rest, uint64_t *twice, size_t len, uint64_t digit)
{
    uint64_t carry = 0;

    twice[0] = digit << 1 | 1;
    twice[1] |= digit >> 63;
    for (size_t i = 0; i <= len; i++) {
        u128 sum = (u128)rest[i] + (i < len ? twice[i] : 0) + carry;

        rest[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    twice[1] &= ~UINT64_C(1);
    return carry != 0;
}

/* Half of the rest's first limbs by the root's first limb: at least the next digit, and rarely more
 * than one above it (Knuth 4.3.1, as the divisor has its top bit set). */
static uint64_t guess_digit(const uint64_t *rest, const uint64_t *twice, size_t len)
{
    uint64_t root = twice[len - 1] << 63 | twice[len - 2] >> 1;
    u128 half = ((u128)rest[len] << 127) | ((u128)rest[len - 1] << 63) | (rest[len - 2] >> 1);

    if (half >> 64 >= root) return UINT64_MAX;
    return (uint64_t)(half / root);
}

/*
 * By hand, as in school, with digits of 64 bits: each digit of the root takes two of the number,
 * and what is left stands in the number's place. It costs about as much as one multiplication of
 * numbers of the root's length, where Newton would divide five times.
 *
 * twice has room for one limb above the digits and has their highest already. Before the step for
 * digit i what is left has limbs 2i + 2 to digits + i + 1, and twice the root i + 1 to digits.
 */
static void find_digits(uint64_t *rest, uint64_t *twice, size_t digits)
{
    for (size_t i = digits - 1; i-- > 0;) {
        size_t len = digits - i + 1;
        uint64_t digit = guess_digit(rest + 2 * i, twice + i, len);

        if (take_digit(rest + 2 * i, twice + i, len, digit)) {
            do digit--;
            while (!give_back(rest + 2 * i, twice + i, len, digit));
        }
        twice[i] = digit << 1;
        twice[i + 1] |= digit >> 63;
    }
}

/* a / 2^shift, below 2^64. */
static void shift_right(struct ca_number *a, unsigned shift)
{
    if (shift == 0) return;
    for (size_t i = 0; i < a->len; i++) {
        uint64_t high = i + 1 < a->len ? a->limb[i + 1] : 0;

        a->limb[i] = a->limb[i] >> shift | high << (64 - shift);
    }
    trim(a, a->len);
}

bool ca_number_sqrt(const struct ca_number *a, struct ca_number *root)
{
    struct ca_number rest;
    uint64_t twice[CA_NUMBER_LIMBS_MAX / 2 + 1] = { 0 };
    unsigned shift;
    uint64_t digit, left = 0;
    size_t digits;

    root->len = 0;
    if (a->len == 0) return true;
    shift = normalise(a, &rest);
    digits = rest.len / 2;
    digit = sqrt_u128(&rest.limb[rest.len - 2]);
    twice[digits - 1] = digit << 1;
    twice[digits] = digit >> 63;
    find_digits(rest.limb, twice, digits);
    for (size_t i = 0; i < digits; i++) root->limb[i] = twice[i] >> 1 | twice[i + 1] << 63;
    for (size_t i = 0; i < rest.len; i++) left |= rest.limb[i];
    root->len = digits;
    shift_right(root, shift / 2);       /* the root of a * 2^shift is that of a, shifted by half */
    return left == 0;
}

/* Residues */

/* A divisor with its top bit set, and floor((2^128 - 1) / divisor) - 2^64, with which a division
 * costs two multiplications (Moeller and Granlund, "Improved division by invariant integers"). */
struct divisor {
    uint64_t value;
    uint64_t reciprocal;
};

/* (high * 2^64 + low) mod divisor; high is below it. */
static inline uint64_t reduce(uint64_t high, uint64_t low, const struct divisor *divisor)
{
    u128 quotient = (u128)divisor->reciprocal * high + ((u128)high << 64 | low);
    uint64_t rest = low - ((uint64_t)(quotient >> 64) + 1) * divisor->value;

    if (rest > (uint64_t)quotient) rest += divisor->value;
    return rest >= divisor->value ? rest - divisor->value : rest;
}

/* rest[i] = a mod divisors[i]. All at once: the steps for one divisor wait for each other, those
 * for different ones do not. */
static void residues(const struct ca_number *a, const struct divisor *divisors, size_t count,
                     uint64_t *rest)
{
    for (size_t i = 0; i < count; i++) rest[i] = 0;
    for (size_t limb = a->len; limb-- > 0;) {
        for (size_t i = 0; i < count; i++) rest[i] = reduce(rest[i], a->limb[limb], &divisors[i]);
    }
}

/* Small primes */

const uint16_t ca_primes[CA_PRIMES] = {
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193,
    197, 199, 211, 223, 227, 229, 233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307,
    311, 313, 317, 331, 337, 347, 349, 353, 359, 367, 373, 379, 383, 389, 397, 401, 409, 419, 421,
    431, 433, 439, 443, 449, 457, 461, 463, 467, 479, 487, 491, 499, 503, 509, 521, 523, 541, 547,
    557, 563, 569, 571, 577, 587, 593, 599, 601, 607, 613, 617, 619, 631, 641, 643, 647, 653, 659,
    661, 673, 677, 683, 691, 701, 709, 719, 727, 733, 739, 743, 751,
};

/* As many primes as go into 64 bits, shifted up until the top bit is set: the residue by a multiple
 * of a prime has the prime's residue. */
#define SHIFTED(product) ((uint64_t)(product) << __builtin_clzll(product))
#define GROUP(primes, product)                                                                     \
    { .divisor = { SHIFTED(product), (uint64_t)(~(u128)0 / SHIFTED(product)) }, .count = (primes) }

static const struct {
    struct divisor divisor;
    uint8_t count;
} groups[CA_PRIME_GROUPS] = {
    GROUP(15, UINT64_C(3) * 5 * 7 * 11 * 13 * 17 * 19 * 23 * 29 * 31 * 37 * 41 * 43 * 47 *
              53),
    GROUP(10, UINT64_C(59) * 61 * 67 * 71 * 73 * 79 * 83 * 89 * 97 * 101),
    GROUP(9, UINT64_C(103) * 107 * 109 * 113 * 127 * 131 * 137 * 139 * 149),
    GROUP(8, UINT64_C(151) * 157 * 163 * 167 * 173 * 179 * 181 * 191),
    GROUP(8, UINT64_C(193) * 197 * 199 * 211 * 223 * 227 * 229 * 233),
    GROUP(7, UINT64_C(239) * 241 * 251 * 257 * 263 * 269 * 271),
    GROUP(7, UINT64_C(277) * 281 * 283 * 293 * 307 * 311 * 313),
    GROUP(7, UINT64_C(317) * 331 * 337 * 347 * 349 * 353 * 359),
    GROUP(7, UINT64_C(367) * 373 * 379 * 383 * 389 * 397 * 401),
    GROUP(7, UINT64_C(409) * 419 * 421 * 431 * 433 * 439 * 443),
    GROUP(7, UINT64_C(449) * 457 * 461 * 463 * 467 * 479 * 487),
    GROUP(7, UINT64_C(491) * 499 * 503 * 509 * 521 * 523 * 541),
    GROUP(6, UINT64_C(547) * 557 * 563 * 569 * 571 * 577),
    GROUP(6, UINT64_C(587) * 593 * 599 * 601 * 607 * 613),
    GROUP(6, UINT64_C(617) * 619 * 631 * 641 * 643 * 647),
    GROUP(6, UINT64_C(653) * 659 * 661 * 673 * 677 * 683),
    GROUP(6, UINT64_C(691) * 701 * 709 * 719 * 727 * 733),
    GROUP(3, UINT64_C(739) * 743 * 751),
};

void ca_number_mod_primes(const struct ca_number *a, size_t group_count, uint16_t *rest)
{
    struct divisor divisors[CA_PRIME_GROUPS];
    uint64_t of_group[CA_PRIME_GROUPS];
    size_t prime = 0;

    assert(group_count <= CA_PRIME_GROUPS);
    for (size_t i = 0; i < group_count; i++) divisors[i] = groups[i].divisor;
    residues(a, divisors, group_count, of_group);
    for (size_t i = 0; i < group_count; i++) {
        for (size_t end = prime + groups[i].count; prime < end; prime++)
            rest[prime] = (uint16_t)(of_group[i] % ca_primes[prime]);
    }
}

uint32_t ca_power_mod(uint32_t base, uint32_t exponent, uint32_t prime)
{
    uint32_t power = 1;

    assert(base < prime && prime <= UINT16_MAX);
    for (; exponent != 0; exponent >>= 1) {
        if ((exponent & 1) != 0) power = power * base % prime;
        base = base * base % prime;
    }
    return power;
}
