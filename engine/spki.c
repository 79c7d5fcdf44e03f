#include "engine/spki.h"

#include <string.h>

#define RSA_BITS_MIN 512
#define RSA_BITS_MAX 16384

/* Content octets of the algorithm OIDs we can use, and of the curves. */
static const uint8_t oid_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
static const uint8_t oid_ed25519[] = { 0x2b, 0x65, 0x70 };
static const uint8_t oid_p256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t oid_p384[] = { 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t oid_p521[] = { 0x2b, 0x81, 0x04, 0x00, 0x23 };

#define IS(oid, known) ((oid).len == sizeof(known) && memcmp((oid).data, known, sizeof(known)) == 0)

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

static enum ca_status check_rsa_numbers(struct ca_spki *key, struct ca_error *err)
{
    struct ca_bytes n = key->rsa_n, e = key->rsa_e;
    size_t bits = n.len * 8;

    for (uint8_t top = n.data[0]; top != 0 && top < 0x80; top = (uint8_t)(top << 1)) bits--;
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
    if (IS(curve, oid_p256)) {
        key->kind = CA_KEY_KIND_P256;
        key->bits = 256;
    } else if (IS(curve, oid_p384)) {
        key->kind = CA_KEY_KIND_P384;
        key->bits = 384;
    } else if (IS(curve, oid_p521)) {
        key->kind = CA_KEY_KIND_P521;
        key->bits = 521;
    } else {
        return unknown_curve(curve, err);
    }
    return check_point(key, err);
}

/* RFC 8410 3 and 4: no parameters, 32 octets. */
static enum ca_status read_ed25519(struct ca_spki *key, struct ca_error *err)
{
    if (key->key.len != 32)
        return ca_refuse(err, CA_REASON_BAD_KEY, "the Ed25519 key has %zu octets, not 32",
                         key->key.len);
    key->kind = CA_KEY_KIND_ED25519;
    key->bits = 256;
    return CA_OK;
}

static enum ca_status unknown_algorithm(struct ca_bytes oid, struct ca_error *err)
{
    char text[80];

    ca_der_oid_text(oid, text, sizeof(text));
    return ca_refuse(err, CA_REASON_KEY_NOT_SUPPORTED,
                     "the key's algorithm %s is not RSA, EC or Ed25519", text);
}

/* By the OID; alg stands at the parameters. */
static enum ca_status read_by_algorithm(struct ca_bytes oid, struct ca_der *alg,
                                        struct ca_spki *key, struct ca_error *err)
{
    enum ca_status st;

    if (IS(oid, oid_ec)) st = read_ec(alg, key, err);
    else if (IS(oid, oid_rsa)) st = read_rsa(alg, key, err);
    else if (IS(oid, oid_ed25519)) st = read_ed25519(key, err);
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
