/*
 * One request's way through all checks, as `certmill explain` shows it: the same code as a batch's,
 * step by step, up to the certificate that would be signed. Nothing is signed and nothing stored.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_EXPLAIN_H
#define BATCH_EXPLAIN_H

#include "batch/registry_ca.h"
#include "batch/terms.h"

struct batch_explain {
    const char *ca;
    struct ca_bytes csr;            /* PEM or DER */
    struct batch_terms_spec terms;
    struct ca_validity validity;    /* NONE: batch_validity_default */
    int64_t not_before_s;           /* 0: backdated */
    enum ca_sig_alg sig_alg;        /* NONE: the CA's own */
};

enum batch_verdict { BATCH_VERDICT_OK, BATCH_VERDICT_REFUSED, BATCH_VERDICT_NOT_REACHED };

struct batch_step {
    const char *name;               /* "proof of possession" */
    enum batch_verdict verdict;
    const char *code, *rule;        /* refused: stable code, RFC section or template member */
    char detail[CA_ERROR_TEXT_MAX]; /* refused: one sentence; ok: a remark or "" */
};

#define BATCH_STEPS_MAX 48

struct batch_explained {
    bool accepted;
    struct batch_step steps[BATCH_STEPS_MAX];
    size_t step_count;

    /* Only when accepted. */
    struct ca_buf tbs;              /* TBSCertificate; its serial is one drawn for nothing */
    struct ca_serial serial;
    int64_t not_before_s, not_after_s;
    enum ca_key_kind key_kind;
    uint32_t key_bits;
    uint8_t key_hash[SCHEMA_KNOWN_LEN];     /* what a blocklist would name */
    uint64_t ignored;               /* CA_IGNORED_BIT */
    uint32_t notices;               /* CA_NOTICE_BIT */
};

/* CA_OK for a refused request too: out says where. Otherwise what kept us from finding out: no such
 * CA, a template that cannot be read, the store. Clear *out in all cases. */
CA_MUST_CHECK enum ca_status batch_explain(struct batch_registry *registry,
                                           const struct batch_explain *spec,
                                           struct batch_explained *out, struct ca_error *err);
void batch_explained_clear(struct batch_explained *explained);

/* "ok", "refused", "not-reached". */
const char *batch_verdict_name(enum batch_verdict verdict);

/*
 * {"verdict":"accepted","steps":[{"step","verdict","code","detail","rule"},...],
 *  "certificate":{"subject","san","serial","not_before","not_after",
 *    "key":{"kind","bits","hash"},"ignored":[...],"notices":[{"code","text","rule"},...],
 *    "extensions":[{"oid","critical","value"},...],"tbs"}}
 * Values and tbs in hexadecimal; certificate is null when refused; code, detail and rule are null
 * where there is nothing to say.
 */
CA_MUST_CHECK enum ca_status batch_explain_describe(const struct batch_explained *explained,
                                                    struct ca_buf *out, struct ca_error *err);

#endif
