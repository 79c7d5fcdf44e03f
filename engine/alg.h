/*
 * Algorithms: the names of the AWS shapes (spec/acm-pca 2.4) plus ED25519, their OIDs (RFC 4055,
 * 5480, 5758, 8410), digests and sizes.
 *
 * Thread: constant data.
 */
#ifndef ENGINE_ALG_H
#define ENGINE_ALG_H

#include "engine/bytes.h"

/* Numbers are stored in rows: never renumber. */
enum ca_key_alg {
    CA_KEY_ALG_NONE = 0,
    CA_KEY_RSA_2048 = 1,
    CA_KEY_RSA_3072 = 2,
    CA_KEY_RSA_4096 = 3,
    CA_KEY_EC_P256 = 4,
    CA_KEY_EC_P384 = 5,
    CA_KEY_EC_P521 = 6,
    CA_KEY_ED25519 = 7,
};

enum ca_sig_alg {
    CA_SIG_ALG_NONE = 0,
    CA_SIG_RSA_SHA256 = 1,
    CA_SIG_RSA_SHA384 = 2,
    CA_SIG_RSA_SHA512 = 3,
    CA_SIG_ECDSA_SHA256 = 4,
    CA_SIG_ECDSA_SHA384 = 5,
    CA_SIG_ECDSA_SHA512 = 6,
    CA_SIG_ED25519 = 7,
    /* Of requests only: no CA signs with these. PSS with MGF1 of the same digest and a salt of its
     * length (RFC 4055 3.1), nothing else. */
    CA_SIG_RSA_PSS_SHA256 = 8,
    CA_SIG_RSA_PSS_SHA384 = 9,
    CA_SIG_RSA_PSS_SHA512 = 10,
    CA_SIG_ED448 = 11,
};
#define CA_SIG_ALG_COUNT 12

enum ca_digest_alg { CA_DIGEST_NONE = 0, CA_DIGEST_SHA1, CA_DIGEST_SHA256, CA_DIGEST_SHA384,
                     CA_DIGEST_SHA512 };

#define CA_DIGEST_MAX 64
#define CA_SIGNATURE_MAX 1024       /* RSA-8192; ECDSA P-521 needs 139, Ed25519 64 */

/* What a subject's public key is, independent of its size. */
enum ca_key_kind { CA_KEY_KIND_NONE = 0, CA_KEY_KIND_RSA, CA_KEY_KIND_P256, CA_KEY_KIND_P384,
                   CA_KEY_KIND_P521, CA_KEY_KIND_ED25519, CA_KEY_KIND_ED448 };
#define CA_KEY_KIND_COUNT 7

/* AWS name ("RSA_2048", "EC_prime256v1", "ED25519"); NULL for NONE or an unknown number. */
const char *ca_key_alg_name(enum ca_key_alg alg);
/* By AWS name or the aliases EC_256, EC_384, EC_521. CA_REFUSED, name "key-algorithm": unknown
 * (the text lists the valid ones), or ML_DSA_* ("needs OpenSSL 3.5 and a later certmill"). */
CA_MUST_CHECK enum ca_status ca_key_alg_by_name(const char *name, enum ca_key_alg *out,
                                                struct ca_error *err);
enum ca_key_kind ca_key_alg_kind(enum ca_key_alg alg);
uint32_t ca_key_alg_bits(enum ca_key_alg alg);      /* RSA modulus or curve bits */
/* "RSA", the AWS name of a curve or "ED25519", and "ED448"; NULL for NONE or an unknown number. */
const char *ca_key_kind_name(enum ca_key_kind kind);

/* AWS name ("SHA256WITHRSA", "SHA256WITHECDSA", "ED25519"); ours are "SHA256WITHRSAANDMGF1" and
 * "ED448". */
const char *ca_sig_alg_name(enum ca_sig_alg alg);
/* What a CA can sign with. CA_REFUSED, name "signing-algorithm": unknown, or of requests only. */
CA_MUST_CHECK enum ca_status ca_sig_alg_by_name(const char *name, enum ca_sig_alg *out,
                                                struct ca_error *err);
enum ca_digest_alg ca_sig_alg_digest(enum ca_sig_alg alg);     /* NONE for EdDSA */
/* The whole AlgorithmIdentifier in DER: RSA with NULL parameters, ECDSA and EdDSA without, PSS with
 * its own and NULL in both hashes. */
struct ca_bytes ca_sig_alg_der(enum ca_sig_alg alg);
/* Content octets of the signature OID -> algorithm, CA_SIG_ALG_NONE when unknown or RSASSA-PSS,
 * which is known by its parameters. */
enum ca_sig_alg ca_sig_alg_by_oid(struct ca_bytes oid);
/* RSASSA-PSS by its parameters; CA_SIG_ALG_NONE for others than enum ca_sig_alg has. */
enum ca_sig_alg ca_sig_alg_by_pss(enum ca_digest_alg hash, enum ca_digest_alg mgf1_hash,
                                  uint32_t salt_len);
/* May a CA with that key sign with that? CA_REFUSED, name "signing-algorithm": wrong family, or of
 * requests only; the text names the algorithm, the key and the valid signing algorithms, as AWS
 * does. */
CA_MUST_CHECK enum ca_status ca_sig_alg_check(enum ca_sig_alg alg, enum ca_key_alg key,
                                              struct ca_error *err);
/* Those of requests too. */
bool ca_sig_alg_fits_kind(enum ca_sig_alg alg, enum ca_key_kind kind);
/* What a CA key signs with when nobody says otherwise: RSA and P-256 SHA-256, P-384 SHA-384,
 * P-521 SHA-512, Ed25519 itself. */
enum ca_sig_alg ca_sig_alg_default(enum ca_key_alg key);
size_t ca_digest_len(enum ca_digest_alg alg);

#endif
