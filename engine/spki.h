/*
 * SubjectPublicKeyInfo (RFC 5280 4.1.2.7), read strictly without OpenSSL: named curves only,
 * uncompressed points, RSA with NULL parameters, Ed25519 and Ed448 without (RFC 3279, 5480, 8410).
 *
 * Views into the input; no allocation; any thread.
 */
#ifndef ENGINE_SPKI_H
#define ENGINE_SPKI_H

#include "engine/alg.h"
#include "engine/der.h"
#include "engine/reason.h"

struct ca_spki {
    struct ca_bytes whole;      /* the SEQUENCE */
    struct ca_bytes key;        /* content of the BIT STRING without its unused-bits octet */
    enum ca_key_kind kind;
    uint32_t bits;              /* RSA modulus length, curve size, 256 Ed25519, 456 Ed448 */
    struct ca_bytes rsa_n;      /* RSA only: magnitudes without leading zero octet */
    struct ca_bytes rsa_e;
};

/* Reads exactly one SPKI. CA_MALFORMED (reasons bad-key, bad-der), CA_REFUSED (key-not-supported:
 * another algorithm or curve, explicit parameters, compressed or hybrid points; bad-point: the
 * point at infinity). Sizes and strength are policy's business, except hard bounds: RSA 512..16384
 * bits. */
CA_MUST_CHECK enum ca_status ca_spki_parse(struct ca_bytes der, struct ca_spki *out,
                                           struct ca_error *err);

/* The length of rsa_n or rsa_e in bits. */
size_t ca_spki_number_bits(struct ca_bytes magnitude);

/* An Ed25519 or Ed448 key whose order divides the cofactor: anybody can sign for it. Every encoding
 * of such a point counts, also those that RFC 8032 5.1.3 and 5.2.3 do not allow. False for other
 * kinds of key. */
bool ca_spki_has_small_order(const struct ca_spki *key);

#endif
