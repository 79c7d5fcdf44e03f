/*
 * Certification requests (PKCS#10, RFC 2986), read strictly over slices: no OpenSSL decoder sees
 * bytes that have not passed here.
 *
 * One request, strict DER, nothing after it; version 0 (a template may admit others); attributes
 * present (may be empty); at most one extensionRequest (1.2.840.113549.1.9.14, or Microsoft's OID
 * for the same) with one value, each extension once. Names and subject alternative names are
 * checked in full (engine/name.h). challengePassword is tolerated and never kept.
 *
 * Signed with RSA PKCS #1 v1.5 or PSS (hash, MGF1's hash and salt of one length), ECDSA, each with
 * SHA-256, SHA-384 or SHA-512, Ed25519 or Ed448; the parameters as their RFCs have them, except
 * that ECDSA may have the NULL that Mbed TLS wrote.
 *
 * All members are views into the input. No allocation; any thread.
 */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "engine/spki.h"

#define CA_REQUEST_DER_MAX 32768        /* octets, spec section 8.1 */

struct ca_request {
    struct ca_bytes der;            /* the whole request */
    struct ca_bytes info;           /* CertificationRequestInfo, the bytes that were signed */
    struct ca_bytes subject;        /* the Name, whole; 30 00 when empty */
    bool subject_empty;
    struct ca_spki key;
    uint32_t version;
    struct ca_bytes extensions;     /* content of the requested Extensions, .len 0 when none */
    bool has_san;
    bool san_critical;
    struct ca_bytes san;            /* the GeneralNames SEQUENCE, whole (content of extnValue) */
    enum ca_sig_alg sig_alg;
    struct ca_bytes signature;      /* BIT STRING content: DER Ecdsa-Sig-Value, or octets */
};

/*
 * admit: enum ca_request_admit bits (engine/template.h), 0: none.
 * CA_MALFORMED or CA_REFUSED with a reason (engine/reason.h) in err->reason; *out is then unusable.
 * The signature is not checked here: see engine/prove.h. Costs well below a microsecond.
 */
CA_MUST_CHECK enum ca_status ca_request_parse(struct ca_bytes der, unsigned admit,
                                              struct ca_request *out, struct ca_error *err);

#endif
