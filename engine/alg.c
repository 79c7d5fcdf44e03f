#include "engine/alg.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

struct key_alg {
    const char *name;
    const char *alias;      /* written by guides, never shown by us; NULL when there is none */
    enum ca_key_kind kind;
    uint32_t bits;
    enum ca_sig_alg sig_default;
};

static const struct key_alg key_algs[] = {
    [CA_KEY_RSA_2048] = { "RSA_2048", NULL, CA_KEY_KIND_RSA, 2048, CA_SIG_RSA_SHA256 },
    [CA_KEY_RSA_3072] = { "RSA_3072", NULL, CA_KEY_KIND_RSA, 3072, CA_SIG_RSA_SHA256 },
    [CA_KEY_RSA_4096] = { "RSA_4096", NULL, CA_KEY_KIND_RSA, 4096, CA_SIG_RSA_SHA256 },
    [CA_KEY_EC_P256] = { "EC_prime256v1", "EC_256", CA_KEY_KIND_P256, 256, CA_SIG_ECDSA_SHA256 },
    [CA_KEY_EC_P384] = { "EC_secp384r1", "EC_384", CA_KEY_KIND_P384, 384, CA_SIG_ECDSA_SHA384 },
    [CA_KEY_EC_P521] = { "EC_secp521r1", "EC_521", CA_KEY_KIND_P521, 521, CA_SIG_ECDSA_SHA512 },
    [CA_KEY_ED25519] = { "ED25519", NULL, CA_KEY_KIND_ED25519, 256, CA_SIG_ED25519 },
};

#define KEY_ALG_COUNT CA_COUNT(key_algs)

enum family { FAMILY_NONE, FAMILY_RSA, FAMILY_EC, FAMILY_ED25519, FAMILY_ED448 };

struct sig_alg {
    const char *name;
    enum family family;
    enum ca_digest_alg digest;
    bool of_requests_only;
    uint8_t der_len;        /* octets of der that are used */
    uint8_t der[67];        /* AlgorithmIdentifier: 30 len, 06 len OID, and the parameters */
};

/* id-RSASSA-PSS with the hash, MGF1 with the same hash, and the salt's length (RFC 4055 3.1). */
#define PSS_DER(hash, salt)                                                                        \
    { 0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a,                \
      0x30, 0x34, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,                \
      0x03, 0x04, 0x02, (hash), 5, 0, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86,              \
      0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86,                \
      0x48, 0x01, 0x65, 0x03, 0x04, 0x02, (hash), 5, 0, 0xa2, 0x03, 0x02, 0x01, (salt) }

/* RFC 4055 5 (NULL parameters required), RFC 5758 3.2 and RFC 8410 3 (parameters absent). */
static const struct sig_alg sig_algs[] = {
    [CA_SIG_RSA_SHA256] = { "SHA256WITHRSA", FAMILY_RSA, CA_DIGEST_SHA256, false, 15,
        { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 5, 0 } },
    [CA_SIG_RSA_SHA384] = { "SHA384WITHRSA", FAMILY_RSA, CA_DIGEST_SHA384, false, 15,
        { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c, 5, 0 } },
    [CA_SIG_RSA_SHA512] = { "SHA512WITHRSA", FAMILY_RSA, CA_DIGEST_SHA512, false, 15,
        { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d, 5, 0 } },
    [CA_SIG_ECDSA_SHA256] = { "SHA256WITHECDSA", FAMILY_EC, CA_DIGEST_SHA256, false, 12,
        { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 } },
    [CA_SIG_ECDSA_SHA384] = { "SHA384WITHECDSA", FAMILY_EC, CA_DIGEST_SHA384, false, 12,
        { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03 } },
    [CA_SIG_ECDSA_SHA512] = { "SHA512WITHECDSA", FAMILY_EC, CA_DIGEST_SHA512, false, 12,
        { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04 } },
    [CA_SIG_ED25519] = { "ED25519", FAMILY_ED25519, CA_DIGEST_NONE, false, 7,
        { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70 } },
    [CA_SIG_RSA_PSS_SHA256] = { "SHA256WITHRSAANDMGF1", FAMILY_RSA, CA_DIGEST_SHA256, true, 67,
        PSS_DER(1, 32) },
    [CA_SIG_RSA_PSS_SHA384] = { "SHA384WITHRSAANDMGF1", FAMILY_RSA, CA_DIGEST_SHA384, true, 67,
        PSS_DER(2, 48) },
    [CA_SIG_RSA_PSS_SHA512] = { "SHA512WITHRSAANDMGF1", FAMILY_RSA, CA_DIGEST_SHA512, true, 67,
        PSS_DER(3, 64) },
    [CA_SIG_ED448] = { "ED448", FAMILY_ED448, CA_DIGEST_NONE, true, 7,
        { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71 } },
};

#define SIG_ALG_COUNT CA_COUNT(sig_algs)
_Static_assert(SIG_ALG_COUNT == CA_SIG_ALG_COUNT, "one row for each");

/* Longest list of names is that of the key algorithms, about 90 characters. */
#define NAME_LIST_MAX 128

/* NULL for NONE and for a number that a newer version may have stored. */
static const struct key_alg *find_key_alg(enum ca_key_alg alg)
{
    size_t i = (size_t)alg;

    return i < KEY_ALG_COUNT && key_algs[i].name != NULL ? &key_algs[i] : NULL;
}

static const struct sig_alg *find_sig_alg(enum ca_sig_alg alg)
{
    size_t i = (size_t)alg;

    return i < SIG_ALG_COUNT && sig_algs[i].name != NULL ? &sig_algs[i] : NULL;
}

static bool is_pss(const struct sig_alg *alg)
{
    return alg->family == FAMILY_RSA && alg->of_requests_only;
}

static enum family family_of_kind(enum ca_key_kind kind)
{
    switch (kind) {
    case CA_KEY_KIND_NONE: return FAMILY_NONE;
    case CA_KEY_KIND_RSA: return FAMILY_RSA;
    case CA_KEY_KIND_P256:
    case CA_KEY_KIND_P384:
    case CA_KEY_KIND_P521: return FAMILY_EC;
    case CA_KEY_KIND_ED25519: return FAMILY_ED25519;
    case CA_KEY_KIND_ED448: return FAMILY_ED448;
    }
    return FAMILY_NONE;
}

static void add_to_list(char *list, const char *name)
{
    size_t used = strlen(list);

    (void)snprintf(list + used, NAME_LIST_MAX - used, "%s%s", used == 0 ? "" : ", ", name);
}

/* The names of what CAs of one family sign with, or of all when family is FAMILY_NONE. */
static void list_sig_algs(enum family family, char *list)
{
    list[0] = '\0';
    for (size_t i = 0; i < SIG_ALG_COUNT; i++) {
        if (sig_algs[i].name == NULL || sig_algs[i].of_requests_only) continue;
        if (family == FAMILY_NONE || sig_algs[i].family == family) {
            add_to_list(list, sig_algs[i].name);
        }
    }
}

/* FIPS 204's names are official values of the API, so they deserve more than "unknown". */
static bool is_ml_dsa(const char *name)
{
    return strcmp(name, "ML_DSA_44") == 0 || strcmp(name, "ML_DSA_65") == 0 ||
           strcmp(name, "ML_DSA_87") == 0;
}

static enum ca_status refuse_ml_dsa(struct ca_error *err, const char *error_name, const char *name)
{
    return ca_fail_named(err, CA_REFUSED, error_name,
                         "%s needs OpenSSL 3.5 and a later certmill; the library in use is "
                         "OpenSSL %s",
                         name, OpenSSL_version(OPENSSL_VERSION_STRING));
}

const char *ca_key_alg_name(enum ca_key_alg alg)
{
    const struct key_alg *found = find_key_alg(alg);

    return found == NULL ? NULL : found->name;
}

enum ca_status ca_key_alg_by_name(const char *name, enum ca_key_alg *out, struct ca_error *err)
{
    char list[NAME_LIST_MAX] = "";

    for (size_t i = 0; i < KEY_ALG_COUNT; i++) {
        const struct key_alg *alg = &key_algs[i];

        if (alg->name == NULL) continue;
        if (strcmp(name, alg->name) == 0 ||
            (alg->alias != NULL && strcmp(name, alg->alias) == 0)) {
            *out = (enum ca_key_alg)i;
            return CA_OK;
        }
        add_to_list(list, alg->name);
    }
    if (is_ml_dsa(name)) return refuse_ml_dsa(err, "key-algorithm", name);
    return ca_fail_named(err, CA_REFUSED, "key-algorithm",
                         "unknown key algorithm \"%.32s\"; valid are %s", name, list);
}

enum ca_key_kind ca_key_alg_kind(enum ca_key_alg alg)
{
    const struct key_alg *found = find_key_alg(alg);

    return found == NULL ? CA_KEY_KIND_NONE : found->kind;
}

uint32_t ca_key_alg_bits(enum ca_key_alg alg)
{
    const struct key_alg *found = find_key_alg(alg);

    return found == NULL ? 0 : found->bits;
}

const char *ca_key_kind_name(enum ca_key_kind kind)
{
    switch (kind) {
    case CA_KEY_KIND_RSA: return "RSA";
    case CA_KEY_KIND_P256: return "EC_prime256v1";
    case CA_KEY_KIND_P384: return "EC_secp384r1";
    case CA_KEY_KIND_P521: return "EC_secp521r1";
    case CA_KEY_KIND_ED25519: return "ED25519";
    case CA_KEY_KIND_ED448: return "ED448";
    case CA_KEY_KIND_NONE: break;
    }
    return NULL;
}

const char *ca_sig_alg_name(enum ca_sig_alg alg)
{
    const struct sig_alg *found = find_sig_alg(alg);

    return found == NULL ? NULL : found->name;
}

enum ca_status ca_sig_alg_by_name(const char *name, enum ca_sig_alg *out, struct ca_error *err)
{
    char list[NAME_LIST_MAX];

    for (size_t i = 0; i < SIG_ALG_COUNT; i++) {
        if (sig_algs[i].name == NULL || sig_algs[i].of_requests_only) continue;
        if (strcmp(name, sig_algs[i].name) == 0) {
            *out = (enum ca_sig_alg)i;
            return CA_OK;
        }
    }
    if (is_ml_dsa(name)) return refuse_ml_dsa(err, "signing-algorithm", name);
    list_sig_algs(FAMILY_NONE, list);
    return ca_fail_named(err, CA_REFUSED, "signing-algorithm",
                         "unknown signing algorithm \"%.32s\"; valid are %s", name, list);
}

enum ca_digest_alg ca_sig_alg_digest(enum ca_sig_alg alg)
{
    const struct sig_alg *found = find_sig_alg(alg);

    return found == NULL ? CA_DIGEST_NONE : found->digest;
}

struct ca_bytes ca_sig_alg_der(enum ca_sig_alg alg)
{
    const struct sig_alg *found = find_sig_alg(alg);

    return found == NULL ? ca_bytes_of(NULL, 0) : ca_bytes_of(found->der, found->der_len);
}

enum ca_sig_alg ca_sig_alg_by_oid(struct ca_bytes oid)
{
    for (size_t i = 0; i < SIG_ALG_COUNT; i++) {
        const struct sig_alg *alg = &sig_algs[i];

        /* The OID of RSASSA-PSS says nothing without its parameters. */
        if (alg->name == NULL || is_pss(alg)) continue;
        /* der: 30 len 06 OID-len OID */
        if (ca_bytes_equal(oid, ca_bytes_of(alg->der + 4, alg->der[3]))) return (enum ca_sig_alg)i;
    }
    return CA_SIG_ALG_NONE;
}

enum ca_sig_alg ca_sig_alg_by_pss(enum ca_digest_alg hash, enum ca_digest_alg mgf1_hash,
                                  uint32_t salt_len)
{
    if (hash != mgf1_hash || salt_len != ca_digest_len(hash)) return CA_SIG_ALG_NONE;
    for (size_t i = 0; i < SIG_ALG_COUNT; i++) {
        if (is_pss(&sig_algs[i]) && sig_algs[i].digest == hash) return (enum ca_sig_alg)i;
    }
    return CA_SIG_ALG_NONE;
}

enum ca_status ca_sig_alg_check(enum ca_sig_alg alg, enum ca_key_alg key, struct ca_error *err)
{
    const struct sig_alg *sig = find_sig_alg(alg);
    const struct key_alg *with = find_key_alg(key);
    char list[NAME_LIST_MAX];

    if (with == NULL) {
        return ca_fail_named(err, CA_REFUSED, "signing-algorithm", "the key has no algorithm");
    }
    if (ca_sig_alg_fits_kind(alg, with->kind) && !sig->of_requests_only) return CA_OK;
    list_sig_algs(family_of_kind(with->kind), list);
    return ca_fail_named(err, CA_REFUSED, "signing-algorithm",
                         "signing algorithm %s is not valid for a key of type %s; valid are %s",
                         sig == NULL ? "(none)" : sig->name, with->name, list);
}

bool ca_sig_alg_fits_kind(enum ca_sig_alg alg, enum ca_key_kind kind)
{
    const struct sig_alg *found = find_sig_alg(alg);

    return found != NULL && found->family == family_of_kind(kind);
}

enum ca_sig_alg ca_sig_alg_default(enum ca_key_alg key)
{
    const struct key_alg *found = find_key_alg(key);

    return found == NULL ? CA_SIG_ALG_NONE : found->sig_default;
}

size_t ca_digest_len(enum ca_digest_alg alg)
{
    switch (alg) {
    case CA_DIGEST_NONE: return 0;
    case CA_DIGEST_SHA1: return 20;
    case CA_DIGEST_SHA256: return 32;
    case CA_DIGEST_SHA384: return 48;
    case CA_DIGEST_SHA512: return 64;
    }
    return 0;
}
