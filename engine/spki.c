#include "engine/spki.h"

#include <string.h>

#define RSA_BITS_MIN 512
#define RSA_BITS_MAX 16384

/* Content octets of the algorithm OIDs we can use, and of the curves. */
static const uint8_t oid_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
static const uint8_t oid_ed25519[] = { 0x2b, 0x65, 0x70 };
static const uint8_t oid_ed448[] = { 0x2b, 0x65, 0x71 };
static const uint8_t oid_p256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t oid_p384[] = { 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t oid_p521[] = { 0x2b, 0x81, 0x04, 0x00, 0x23 };

/* RFC 3279 2.3.1: RSAPublicKey ::= SEQUENCE { modulus, publicExponent }. */
static enum ca_status read_rsa_key(struct ca_spki *key, struct ca_error *err)
{
    struct ca_der der = { .rest = key->key, .reason = CA_REASON_BAD_KEY };
    struct ca_der inner = { .reason = 0 };
    enum ca_status st = ca_der_enter(&der, CA_DER_SEQUENCE, "the RSA public key", &inner, err);

    if (st == CA_OK) st = ca_der_end(&der, "the RSA public key", err);
    if (st == CA_OK) st = ca_der_unsigned(&inner, "the RSA modulus", &key->rsa_n, err);
    if (st == CA_OK) st = ca_der_unsigned(&inner, "the RSA exponent", &key->rsa_e, err);
    if (st == CA_OK) st = ca_der_end(&inner, "the RSA public key", err);
    return st;
}

size_t ca_spki_number_bits(struct ca_bytes magnitude)
{
    size_t bits = 8 * magnitude.len;

    for (unsigned top = magnitude.data[0]; top > 0 && top < 0x80; top <<= 1) bits--;
    return bits;
}

static enum ca_status check_rsa_numbers(struct ca_spki *key, struct ca_error *err)
{
    struct ca_bytes n = key->rsa_n, e = key->rsa_e;
    size_t bits = ca_spki_number_bits(n);

    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return ca_refuse(err, CA_REASON_KEY_NOT_SUPPORTED,
                         "an RSA modulus of %zu bits, %d to %d are read", bits, RSA_BITS_MIN,
                         RSA_BITS_MAX);
    if ((n.data[n.len - 1] & 1) == 0)
        return ca_refuse(err, CA_REASON_BAD_KEY, "the RSA modulus is even");
    if (e.len > n.len || (e.len == 1 && e.data[0] == 0))
        return ca_refuse(err, CA_REASON_BAD_KEY, "the RSA exponent is zero or above the modulus");
    key->kind = CA_KEY_KIND_RSA;
    key->bits = (uint32_t)bits;
    return CA_OK;
}

/* RFC 3279 2.3.1: the parameters are NULL, not absent. */
static enum ca_status read_rsa(struct ca_der *alg, struct ca_spki *key, struct ca_error *err)
{
    struct ca_der_element null = { .tag = 0 };
    enum ca_status st = ca_der_take(alg, CA_DER_NULL, "the RSA key's parameter", &null, err);

    if (st == CA_OK && null.content.len != 0)
        return ca_refuse(err, CA_REASON_BAD_DER, "a NULL with content");
    if (st == CA_OK) st = read_rsa_key(key, err);
    if (st == CA_OK) st = check_rsa_numbers(key, err);
    return st;
}

static enum ca_status unknown_curve(struct ca_bytes oid, struct ca_error *err)
{
    char text[80];

    ca_der_oid_text(oid, text, sizeof(text));
    return ca_refuse(err, CA_REASON_KEY_NOT_SUPPORTED,
                     "the curve %s is not P-256, P-384 or P-521", text);
}

/* RFC 5480 2.2: an uncompressed point. Whether it lies on the curve is for the arithmetic to say,
 * when the proof of possession is checked. */
static enum ca_status check_point(const struct ca_spki *key, struct ca_error *err)
{
    size_t coordinate = (key->bits + 7) / 8;
    uint8_t form = key->key.len == 0 ? 0 : key->key.data[0];

    if (form == 0 && key->key.len == 1)     /* SEC 1 2.3.3 */
        return ca_refuse(err, CA_REASON_BAD_POINT, "the EC point is the point at infinity");
    if (form == 2 || form == 3)
        return ca_refuse(err, CA_REASON_KEY_NOT_SUPPORTED, "the EC point is compressed");
    if (form == 6 || form == 7)
        return ca_refuse(err, CA_REASON_KEY_NOT_SUPPORTED, "the EC point is in hybrid form");
    if (form != 4 || key->key.len != 1 + 2 * coordinate)
        return ca_refuse(err, CA_REASON_BAD_KEY,
                         "the EC point has %zu octets and begins with %02x, not %zu and 04",
                         key->key.len, form, 1 + 2 * coordinate);
    return CA_OK;
}

/* RFC 5480 2.1.1: named curves only. Explicit parameters were what CVE-2022-0778 looped on. */
static enum ca_status read_ec(struct ca_der *alg, struct ca_spki *key, struct ca_error *err)
{
    struct ca_bytes curve = { .len = 0 };
    enum ca_status st;

    if (ca_der_next_is(alg, CA_DER_SEQUENCE))
        return ca_refuse(err, CA_REASON_KEY_NOT_SUPPORTED,
                         "the EC key has explicit curve parameters, not a named curve");
    st = ca_der_oid(alg, "the EC key's curve", &curve, err);
    if (st != CA_OK) return st;
    if (CA_BYTES_ARE(curve, oid_p256)) {
        key->kind = CA_KEY_KIND_P256;
        key->bits = 256;
    } else if (CA_BYTES_ARE(curve, oid_p384)) {
        key->kind = CA_KEY_KIND_P384;
        key->bits = 384;
    } else if (CA_BYTES_ARE(curve, oid_p521)) {
        key->kind = CA_KEY_KIND_P521;
        key->bits = 521;
    } else {
        return unknown_curve(curve, err);
    }
    return check_point(key, err);
}

#define ED25519_OCTETS 32
#define ED448_OCTETS 57

/* RFC 8410 3 and 4: no parameters; the octets of RFC 8032 5.1.5 and 5.2.5. */
static enum ca_status read_eddsa(enum ca_key_kind kind, const char *name, size_t octets,
                                 struct ca_spki *key, struct ca_error *err)
{
    if (key->key.len != octets)
        return ca_refuse(err, CA_REASON_BAD_KEY, "the %s key has %zu octets, not %zu", name,
                         key->key.len, octets);
    key->kind = kind;
    key->bits = (uint32_t)octets * 8;
    return CA_OK;
}

static enum ca_status unknown_algorithm(struct ca_bytes oid, struct ca_error *err)
{
    char text[80];

    ca_der_oid_text(oid, text, sizeof(text));
    return ca_refuse(err, CA_REASON_KEY_NOT_SUPPORTED,
                     "the key's algorithm %s is not RSA, EC, Ed25519 or Ed448", text);
}

/* By the OID; alg stands at the parameters. */
static enum ca_status read_by_algorithm(struct ca_bytes oid, struct ca_der *alg,
                                        struct ca_spki *key, struct ca_error *err)
{
    enum ca_status st;

    if (CA_BYTES_ARE(oid, oid_ec)) st = read_ec(alg, key, err);
    else if (CA_BYTES_ARE(oid, oid_rsa)) st = read_rsa(alg, key, err);
    else if (CA_BYTES_ARE(oid, oid_ed25519))
        st = read_eddsa(CA_KEY_KIND_ED25519, "Ed25519", ED25519_OCTETS, key, err);
    else if (CA_BYTES_ARE(oid, oid_ed448))
        st = read_eddsa(CA_KEY_KIND_ED448, "Ed448", ED448_OCTETS, key, err);
    else return unknown_algorithm(oid, err);

    if (st == CA_OK) st = ca_der_end(alg, "the key's algorithm", err);
    return st;
}

enum ca_status ca_spki_parse(struct ca_bytes der, struct ca_spki *out, struct ca_error *err)
{
    struct ca_der input = { .rest = der, .reason = CA_REASON_BAD_KEY };
    struct ca_der inner = { .reason = 0 };
    struct ca_der alg = { .reason = 0 };
    struct ca_spki key = { .whole = der };
    struct ca_bytes oid = { .len = 0 };
    enum ca_status st = ca_der_enter(&input, CA_DER_SEQUENCE, "the public key", &inner, err);

    if (st == CA_OK) st = ca_der_end(&input, "the public key", err);
    if (st == CA_OK) st = ca_der_enter(&inner, CA_DER_SEQUENCE, "the key's algorithm", &alg, err);
    if (st == CA_OK) st = ca_der_oid(&alg, "the key's algorithm", &oid, err);
    if (st == CA_OK) st = ca_der_octets_of_bits(&inner, "the public key", &key.key, err);
    if (st == CA_OK) st = ca_der_end(&inner, "the public key", err);
    if (st == CA_OK) st = read_by_algorithm(oid, &alg, &key, err);
    if (st == CA_OK) *out = key;
    return st;
}

/* Points of small order */

/*
 * The encodings of points whose order divides 8, sign bit cleared (those of p and p + 1 are not
 * canonical, and OpenSSL reads them). Under such a key anybody can make a signature that fits a
 * message, or every message, without having a private key: it proves nothing.
 */
static const uint8_t ed25519_small_order[][ED25519_OCTETS] = {
    { 0 },
    { 1 },
    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
      0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
      0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
      0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
      0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
};

static bool is_ed25519_small_order(const uint8_t point[ED25519_OCTETS])
{
    uint8_t y[ED25519_OCTETS];

    memcpy(y, point, sizeof(y));
    y[sizeof(y) - 1] &= 0x7f;
    for (size_t i = 0; i < CA_COUNT(ed25519_small_order); i++) {
        if (memcmp(y, ed25519_small_order[i], sizeof(y)) == 0) return true;
    }
    return false;
}

static bool all_are(const uint8_t *octets, size_t len, uint8_t value)
{
    for (size_t i = 0; i < len; i++) {
        if (octets[i] != value) return false;
    }
    return true;
}

/*
 * Ed448's cofactor is 4: (0, 1), (0, -1) and the two with y = 0. y stands in 56 octets, those of p
 * being ff 28 times, fe, and ff 27 times; so every y in question is two halves, each one octet and
 * 27 equal ones. The last octet has the sign.
 */
static bool is_ed448_small_order(const uint8_t point[ED448_OCTETS])
{
    static const struct {
        uint8_t low_first, low_rest, high_first, high_rest;
    } small_order[] = {
        { 0x00, 0x00, 0x00, 0x00 },     /* 0 */
        { 0x01, 0x00, 0x00, 0x00 },     /* 1 */
        { 0xfe, 0xff, 0xfe, 0xff },     /* p - 1 */
        { 0xff, 0xff, 0xfe, 0xff },     /* p, for 0 */
        { 0x00, 0x00, 0xff, 0xff },     /* p + 1, for 1 */
    };

    for (size_t i = 0; i < CA_COUNT(small_order); i++) {
        if (point[0] == small_order[i].low_first && point[28] == small_order[i].high_first &&
            all_are(point + 1, 27, small_order[i].low_rest) &&
            all_are(point + 29, 27, small_order[i].high_rest))
            return true;
    }
    return false;
}

bool ca_spki_has_small_order(const struct ca_spki *key)
{
    switch (key->kind) {
    case CA_KEY_KIND_NONE:
    case CA_KEY_KIND_RSA:
    case CA_KEY_KIND_P256:
    case CA_KEY_KIND_P384:
    case CA_KEY_KIND_P521: return false;
    case CA_KEY_KIND_ED25519:
        return key->key.len == ED25519_OCTETS && is_ed25519_small_order(key->key.data);
    case CA_KEY_KIND_ED448:
        return key->key.len == ED448_OCTETS && is_ed448_small_order(key->key.data);
    }
    return false;
}
