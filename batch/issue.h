/*
 * One certificate, the whole way of a batch without its threads: the same worker, the same commit.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_ISSUE_H
#define BATCH_ISSUE_H

#include "batch/registry_ca.h"
#include "batch/terms.h"

struct batch_issue {
    const char *ca;
    struct ca_bytes csr;            /* PEM or DER */
    struct batch_terms_spec terms;
    struct ca_validity validity;    /* NONE: batch_validity_default */
    int64_t not_before_s;           /* 0: backdated */
    enum ca_sig_alg sig_alg;        /* NONE: the CA's own */
    const char *token;              /* NULL: none */
};

struct batch_issued {
    struct ca_serial serial;
    int64_t not_after_s;
    struct ca_buf pem;              /* the certificate */
    struct ca_buf chain_pem;        /* issuer first, root last */
    bool replayed;                  /* the token had been used: the same certificate again */
    /* Not known of a replayed one: 0. */
    uint64_t ignored;               /* CA_IGNORED_BIT: asked for and not in the certificate */
    uint32_t notices;               /* CA_NOTICE_BIT */
};

/* CA_MALFORMED / CA_REFUSED with a reason when the request was refused. A root template on a root's
 * own CSR signs itself (PENDING_CERTIFICATE, EXPIRED, ACTIVE). On CA_OK the certificate is durable.
 * */
CA_MUST_CHECK enum ca_status batch_issue(struct batch_registry *registry,
                                         const struct batch_issue *spec,
                                         struct batch_issued *out, struct ca_error *err);
void batch_issued_clear(struct batch_issued *issued);

#endif
