#include "engine/pbes2.h"

#include "engine/der.h"

#include <string.h>

#define ROUNDS_MIN 100000u          /* usual some years ago; OWASP asks for 600,000 now */
#define ROUNDS_MAX 10000000u        /* some seconds */
#define SALT_MIN 8                  /* octets, RFC 8018 4.1 */
#define SCRYPT_COST_MIN (UINT64_C(16384) * 8)       /* N * r: openssl's own default, 16 MiB */
#define SCRYPT_MEMORY_MAX (UINT64_C(32) * 1024 * 1024)  /* OpenSSL's, octets */
#define SCRYPT_P_MAX 16
#define AES_BLOCK 16
#define KEY_LENGTH_ABSENT 0

/* Content octets of OIDs: RFC 8018 appendix C, RFC 7914 7, NIST's aes arc. */
static const uint8_t oid_pbes2[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d };
static const uint8_t oid_pbkdf2[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c };
static const uint8_t oid_scrypt[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b };
/* id-hmacWithSHA1 .2.7; .2.8 to .2.11 are SHA-224, 256, 384 and 512. */
static const uint8_t oid_hmac_arc[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02 };
/* aes128-CBC-PAD .2, aes192 .22, aes256 .42 */
static const uint8_t oid_aes_arc[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01 };

static bool oid_is(struct ca_bytes oid, const uint8_t *octets, size_t len)
{
    return ca_bytes_equal(oid, ca_bytes_of(octets, len));
}

/* The last arc of an OID one octet longer than this prefix; 0 when it is another OID. */
static uint8_t last_arc(struct ca_bytes oid, const uint8_t *prefix, size_t len)
{
    if (oid.len != len + 1 || memcmp(oid.data, prefix, len) != 0) return 0;
    return oid.data[len];
}

static enum ca_status weak(struct ca_error *err, const char *why)
{
    enum ca_status st = ca_fail_named(err, CA_REFUSED, "weak-encryption",
                                      "the private key is encrypted too weakly: %s", why);

    ca_hint(err, "encrypt it again: openssl pkcs8 -topk8 -scrypt -in OLD -out NEW");
    return st;
}

static enum ca_status too_dear(struct ca_error *err)
{
    return ca_fail(err, CA_MALFORMED, "it asks for more work or memory than any honest file");
}

/* AlgorithmIdentifier: the OID, and a reader for what follows it. */
static enum ca_status enter_algorithm(struct ca_der *der, struct ca_bytes *oid,
                                      struct ca_der *parameters, struct ca_error *err)
{
    enum ca_status st = ca_der_enter(der, CA_DER_SEQUENCE, "algorithm", parameters, err);

    return st != CA_OK ? st : ca_der_oid(parameters, "algorithm", oid, err);
}

static enum ca_status take_salt(struct ca_der *der, struct ca_error *err)
{
    struct ca_der_element salt;
    enum ca_status st = ca_der_take(der, CA_DER_OCTET_STRING, "salt", &salt, err);

    if (st != CA_OK) return st;
    return salt.content.len < SALT_MIN ? weak(err, "its salt is shorter than 8 octets") : CA_OK;
}

/* keyLength OPTIONAL, in both functions. */
static enum ca_status take_key_length(struct ca_der *der, uint32_t *len, struct ca_error *err)
{
    *len = KEY_LENGTH_ABSENT;
    if (!ca_der_next_is(der, CA_DER_INTEGER)) return CA_OK;
    return ca_der_small(der, "key length", len, err);
}

static enum ca_status check_prf(struct ca_der *der, struct ca_error *err)
{
    struct ca_bytes oid;
    struct ca_der parameters;
    enum ca_status st;
    uint8_t arc;

    if (ca_der_at_end(der)) return CA_OK;       /* the DEFAULT, HMAC-SHA1: slow enough by rounds */
    st = enter_algorithm(der, &oid, &parameters, err);
    if (st != CA_OK) return st;
    arc = last_arc(oid, oid_hmac_arc, sizeof(oid_hmac_arc));
    if (arc < 7 || arc > 11) return weak(err, "its PBKDF2 uses neither HMAC-SHA1 nor HMAC-SHA2");
    return CA_OK;
}

static enum ca_status check_pbkdf2(struct ca_der *params, uint32_t *key_len, struct ca_error *err)
{
    uint32_t rounds;
    enum ca_status st = take_salt(params, err);

    if (st == CA_OK) st = ca_der_small(params, "iteration count", &rounds, err);
    if (st != CA_OK) return st;
    if (rounds < ROUNDS_MIN) return weak(err, "PBKDF2 with less than 100,000 rounds");
    if (rounds > ROUNDS_MAX) return too_dear(err);
    st = take_key_length(params, key_len, err);
    if (st == CA_OK) st = check_prf(params, err);
    return st != CA_OK ? st : ca_der_end(params, "PBKDF2 parameters", err);
}

static enum ca_status check_scrypt(struct ca_der *params, uint32_t *key_len, struct ca_error *err)
{
    uint32_t n = 0, r = 0, p = 0;
    enum ca_status st = take_salt(params, err);

    if (st == CA_OK) st = ca_der_small(params, "scrypt N", &n, err);
    if (st == CA_OK) st = ca_der_small(params, "scrypt r", &r, err);
    if (st == CA_OK) st = ca_der_small(params, "scrypt p", &p, err);
    if (st == CA_OK) st = take_key_length(params, key_len, err);
    if (st == CA_OK) st = ca_der_end(params, "scrypt parameters", err);
    if (st != CA_OK) return st;
    /* r below 2^31 and N + 2 + p below 2^33: by parts, so that nothing wraps. */
    if (r > SCRYPT_MEMORY_MAX / 128 || p > SCRYPT_P_MAX ||
        ((uint64_t)n + 2 + p) * r > SCRYPT_MEMORY_MAX / 128) {
        return too_dear(err);
    }
    if ((uint64_t)n * r < SCRYPT_COST_MIN || p == 0) return weak(err, "scrypt below 16 MiB");
    /* RFC 7914 2 and what OpenSSL makes of it. */
    if ((n & (n - 1)) != 0 || r == 1) return ca_fail(err, CA_MALFORMED, "scrypt has no such N");
    return CA_OK;
}

static enum ca_status check_kdf(struct ca_der *der, uint32_t *key_len, struct ca_error *err)
{
    struct ca_bytes oid;
    struct ca_der algorithm, params;
    enum ca_status st = enter_algorithm(der, &oid, &algorithm, err);
    bool pbkdf2, scrypt;

    if (st != CA_OK) return st;
    pbkdf2 = oid_is(oid, oid_pbkdf2, sizeof(oid_pbkdf2));
    scrypt = oid_is(oid, oid_scrypt, sizeof(oid_scrypt));
    if (!pbkdf2 && !scrypt) return weak(err, "its key derivation is neither scrypt nor PBKDF2");
    st = ca_der_enter(&algorithm, CA_DER_SEQUENCE, "key derivation", &params, err);
    if (st == CA_OK) st = ca_der_end(&algorithm, "key derivation", err);
    if (st != CA_OK) return st;
    return pbkdf2 ? check_pbkdf2(&params, key_len, err) : check_scrypt(&params, key_len, err);
}

static enum ca_status check_cipher(struct ca_der *der, uint32_t key_len, struct ca_error *err)
{
    struct ca_bytes oid;
    struct ca_der algorithm;
    struct ca_der_element iv;
    enum ca_status st = enter_algorithm(der, &oid, &algorithm, err);
    uint8_t arc;

    if (st != CA_OK) return st;
    arc = last_arc(oid, oid_aes_arc, sizeof(oid_aes_arc));
    if (arc != 2 && arc != 22 && arc != 42) return weak(err, "its cipher is not AES-CBC");
    st = ca_der_take(&algorithm, CA_DER_OCTET_STRING, "IV", &iv, err);
    if (st == CA_OK) st = ca_der_end(&algorithm, "cipher", err);
    if (st != CA_OK) return st;
    /* 2, 22, 42 are AES with 16, 24, 32 octets of key */
    if (key_len != KEY_LENGTH_ABSENT && key_len != 16 + (arc - 2u) / 20 * 8) {
        return ca_fail(err, CA_MALFORMED, "its key length is not the cipher's");
    }
    if (iv.content.len != AES_BLOCK) return ca_fail(err, CA_MALFORMED, "an AES IV has 16 octets");
    return CA_OK;
}

static enum ca_status check(struct ca_bytes der, struct ca_error *err)
{
    struct ca_der in = ca_der_open(der), info, algorithm, params;
    struct ca_der_element data;
    struct ca_bytes oid;
    uint32_t key_len = KEY_LENGTH_ABSENT;
    enum ca_status st = ca_der_enter(&in, CA_DER_SEQUENCE, "encrypted key", &info, err);

    if (st == CA_OK) st = ca_der_end(&in, "encrypted key", err);
    if (st == CA_OK) st = enter_algorithm(&info, &oid, &algorithm, err);
    if (st == CA_OK) st = ca_der_take(&info, CA_DER_OCTET_STRING, "encrypted data", &data, err);
    if (st == CA_OK) st = ca_der_end(&info, "encrypted key", err);
    if (st != CA_OK) return st;
    if (!oid_is(oid, oid_pbes2, sizeof(oid_pbes2))) return weak(err, "its scheme is not PBES2");
    st = ca_der_enter(&algorithm, CA_DER_SEQUENCE, "PBES2 parameters", &params, err);
    if (st == CA_OK) st = ca_der_end(&algorithm, "PBES2 parameters", err);
    if (st == CA_OK) st = check_kdf(&params, &key_len, err);
    if (st == CA_OK) st = check_cipher(&params, key_len, err);
    if (st == CA_OK) st = ca_der_end(&params, "PBES2 parameters", err);
    if (st != CA_OK) return st;
    if (data.content.len == 0 || data.content.len % AES_BLOCK != 0) {
        return ca_fail(err, CA_MALFORMED, "the encrypted part is cut");
    }
    return CA_OK;
}

enum ca_status ca_pbes2_check(struct ca_bytes der, struct ca_error *err)
{
    struct ca_error why = { .status = CA_OK };
    enum ca_status st = check(der, &why);

    if (st == CA_MALFORMED) {       /* the reader's own sentences say where, not what file */
        return ca_fail_named(err, CA_MALFORMED, "bad-key-file",
                             "not a key file that can be used: %.120s", why.text);
    }
    if (st != CA_OK && err != NULL) *err = why;
    return st;
}
