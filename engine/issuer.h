/*
 * An issuer: a CA certificate, its chain, and what certificates under it must repeat of it. Frozen
 * after load and shared as const between threads; the private key is not in here (engine/sign.h).
 */
#ifndef ENGINE_ISSUER_H
#define ENGINE_ISSUER_H

#include "engine/cert.h"
#include "engine/template.h"

struct ca_issuer {
    struct ca_cert cert;            /* views into der */
    uint8_t *der;
    size_t der_len;
    struct ca_bytes chain[CA_CHAIN_CERTS_MAX];  /* issuer first, root last; views into chain_der */
    size_t chain_len;
    uint8_t *chain_der;
    uint8_t key_hash[20];           /* SHA-1 of the public key, when the certificate has no SKI */
    struct ca_bytes key_id;         /* AKI keyIdentifier of what it issues: its SKI or key_hash */
    bool self_signed;
    int path_len_left;              /* CAs that may follow below it, by its own path length and
                                     * those of its chain; CA_PATH_LEN_NONE: no limit */
};

/* chain: DER certificates one after the other, issuer first; copied, as der is. CA_MALFORMED
 * "malformed-certificate". crypto is used during the call only. */
CA_MUST_CHECK enum ca_status ca_issuer_new(struct ca_crypto *crypto, struct ca_bytes der,
                                           struct ca_bytes chain, struct ca_issuer **out,
                                           struct ca_error *err);
void ca_issuer_free(struct ca_issuer *issuer);

/*
 * The rules for importing a CA certificate (spec 4.3), all but the state of the CA:
 *   CA_REFUSED "certificate-mismatch"   key is not this CA's; chain does not fit or not verify
 *   CA_REFUSED "invalid-request"        root not self-signed, root with chain, subordinate
 *                                       self-signed or without chain
 *   CA_MALFORMED "malformed-certificate" basicConstraints, critical extensions, key usage, path
 *                                       lengths, subject other than the CA's own, notAfter past one
 *                                       of the chain's
 * spki and subject are what the CA was created with.
 */
CA_MUST_CHECK enum ca_status ca_issuer_check_import(struct ca_crypto *crypto, bool is_root,
                                                    struct ca_bytes spki, struct ca_bytes subject,
                                                    struct ca_bytes cert, struct ca_bytes chain,
                                                    struct ca_error *err);

#endif
