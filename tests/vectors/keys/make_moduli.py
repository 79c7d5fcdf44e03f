#!/usr/bin/env python3
"""Writes moduli.tsv: RSA moduli with and without weaknesses, and what is true of each.

usage: make_moduli.py > moduli.tsv        (always the same)

The facts are computed here with Python's integers and by other ways than engine/key_check.c: trial
division, the table of the powers of 65537, a square root in every round, roots by halving.
"""
import math
import random
import sys

PRIMES = [p for p in range(2, 752) if all(p % d for d in range(2, math.isqrt(p) + 1))]
ROCA_PRIMES = [p for p in PRIMES if 3 <= p <= 167]
ROCA_PRODUCT = math.prod(ROCA_PRIMES)
ROCA_POWERS = {p: {pow(65537, i, p) for i in range(p)} for p in ROCA_PRIMES}
ROUNDS = 150                    # how far Fermat is followed here

rng = random.Random(20240229)


def odd(bits):
    return rng.getrandbits(bits) | 1 << (bits - 1) | 1


def small_factor(n):
    return next((p for p in PRIMES if n % p == 0), 0)


def is_roca(n):
    return all(n % p in powers for p, powers in ROCA_POWERS.items())


def fermat_round(n):
    a = math.isqrt(n - 1) + 1
    for i in range(ROUNDS):
        rest = (a + i) ** 2 - n
        if math.isqrt(rest) ** 2 == rest:
            return i
    return -1


def root(n, k):
    low, high = 0, 1 << -(-n.bit_length() // k)
    if high < 1 << 40:                      # a logarithm is exact enough
        middle = round(2 ** (math.log2(n) / k))
        low, high = max(middle - 2, 0), middle + 3
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle ** k <= n else (low, middle)
    return low


def is_odd_power(n):
    return any(root(n, k) ** k == n for k in range(3, n.bit_length() // 9 + 1, 2)
               if k > 751 or k in PRIMES)


def verdict(n):
    if n % 2 == 0:
        return "key-too-weak"
    if small_factor(n):
        return "key-small-factor"
    if is_roca(n):
        return "key-roca"
    if 0 <= fermat_round(n) < 100:
        return "key-close-primes"
    return "key-too-weak" if is_odd_power(n) else "ok"


def sound(bits):
    """No weakness, so far as one sees without factoring."""
    while verdict(n := odd(bits)) != "ok":
        pass
    return n


def rough(bits):
    while small_factor(n := odd(bits)):
        pass
    return n


def moduli():
    for n in (1, 2, 3, 4, 9, 15, 751, 753, 757, 757 * 761, 757 ** 2, 757 ** 3, 761 ** 19, 2 ** 64 - 1):
        yield n
    for p in PRIMES:
        yield p * rough(200)
    for p in (3, 53, 59, 751):
        yield p * rough(2048 - p.bit_length())
    for p in (757, 761, 31337):
        yield p * rough(1024)
    for bits in (512, 1000, 2047, 2048, 2049, 3072, 4096, 8192, 16384):
        yield sound(bits)
    for bits in (512, 1024, 2048, 4096):
        residue = pow(65537, rng.getrandbits(60), ROCA_PRODUCT)
        factor = odd(bits - ROCA_PRODUCT.bit_length())
        yield residue + ROCA_PRODUCT * (factor + (residue + factor + 1) % 2)
    for p in (11, 37, 97, 157):             # the fingerprint but for one prime
        n = pow(65537, rng.getrandbits(60), ROCA_PRODUCT // p) + ROCA_PRODUCT // p * odd(1900)
        while n % p in ROCA_POWERS[p] or small_factor(n):
            n += ROCA_PRODUCT // p
        yield n
    for bits in (64, 1024, 1029, 1536, 2048):
        for wanted in (0, 1, 41, 98, 99, 100, 101):
            while True:                     # (a - b)(a + b), b so long that a is found at wanted
                a = odd(bits)
                b = math.isqrt(2 * a * wanted + rng.randrange(a)) & ~1
                n = a * a - b * b
                if a - (math.isqrt(n - 1) + 1) == wanted and not small_factor(n):
                    break
            yield n
    for bits in (2048, 4096):
        n = rough(bits // 2)
        yield from (n ** 2, n ** 2 + 4, n ** 2 - 4, n * (n + 2))
    for bits, exponents in ((1024, (3, 9, 97)), (2048, (3, 5, 7, 31, 37, 199)), (4096, (11, 59, 67)),
                            (8192, (3, 127, 131, 757))):
        for k in exponents:
            n = rough(bits // k) ** k
            yield n
            if bits == 2048:
                yield n + 1024


def main():
    print("# Written by make_moduli.py. factor: below 752, 0: none. round: of Fermat's method that"
          " finds\n# factors, -1: none of the first %d." % ROUNDS)
    print("verdict\tfactor\troca\tround\tmodulus")
    for n in moduli():
        print(verdict(n), small_factor(n), int(is_roca(n)), fermat_round(n),
              n.to_bytes(-(-n.bit_length() // 8), "big").hex(), sep="\t")


if __name__ == "__main__":
    sys.exit(main())
