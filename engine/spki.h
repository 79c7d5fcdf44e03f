/*
 * SubjectPublicKeyInfo (RFC 5280 4.1.2.7), read strictly without OpenSSL: named curves only,
 * uncompressed points, RSA with NULL parameters, Ed25519 without (RFC 3279, 5480, 8410).
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
    uint32_t bits;              /* RSA modulus length, curve size, 256 for Ed25519 */
    struct ca_bytes rsa_n;      /* RSA only: magnitudes without leading zero octet */
    struct ca_bytes rsa_e;
};

/* Reads exactly one SPKI. CA_MALFORMED (reasons bad-key, bad-der), CA_REFUSED (key-not-supported:
 * another algorithm or curve, explicit parameters, compressed or hybrid points). Sizes and strength
 * are policy's business, except hard bounds: RSA 512..16384 bits. */
CA_MUST_CHECK enum ca_status ca_spki_parse(struct ca_bytes der, struct ca_spki *out,
                                           struct ca_error *err);

#endif
