/*
 * Certificates (RFC 5280 4.1) read strictly over slices, as far as a CA must know them: its own,
 * imported ones, stored ones that are shown or verified.
 *
 * Views into the input; no allocation; any thread.
 */
#ifndef ENGINE_CERT_H
#define ENGINE_CERT_H

#include "engine/request.h"
#include "engine/serial.h"

#define CA_CERT_DER_MAX 36864       /* a request's 32 KiB, and what a template and signature add */
#define CA_CHAIN_CERTS_MAX 8

struct ca_cert {
    struct ca_bytes der;
    struct ca_bytes tbs;            /* the bytes that were signed */
    struct ca_serial serial;
    enum ca_sig_alg sig_alg;        /* NONE when unknown to us */
    struct ca_bytes signature;
    struct ca_bytes issuer;         /* Names, whole */
    struct ca_bytes subject;
    int64_t not_before_s, not_after_s;
    struct ca_spki key;
    struct ca_bytes extensions;     /* content of the Extensions SEQUENCE; .len 0 when none */
    bool has_basic_constraints, basic_constraints_critical, is_ca;
    int path_len;                   /* CA_PATH_LEN_NONE when absent */
    bool has_key_usage;
    uint16_t key_usage;             /* enum ca_key_usage bits */
    struct ca_bytes ski;            /* keyIdentifier octets; .len 0 when absent */
    struct ca_bytes aki;            /* keyIdentifier octets; .len 0 when absent */
    bool has_san;
    struct ca_bytes san;            /* GeneralNames, whole */
};

/* One extension of a list. */
struct ca_extension {
    struct ca_bytes oid;            /* content octets */
    bool critical;
    struct ca_bytes value;          /* content of extnValue */
    struct ca_bytes whole;          /* the Extension */
};

/* Reads exactly one certificate. CA_MALFORMED "malformed-certificate". */
CA_MUST_CHECK enum ca_status ca_cert_parse(struct ca_bytes der, struct ca_cert *out,
                                           struct ca_error *err);

/* Walks an Extensions content (of a certificate or request). Call with der opened on it until
 * ca_der_at_end. */
CA_MUST_CHECK enum ca_status ca_extension_next(struct ca_der *der, struct ca_extension *out,
                                               struct ca_error *err);

/* True when subject and issuer are the same octets. */
bool ca_cert_is_self_issued(const struct ca_cert *cert);

#endif
