/*
 * Certificate authorities in the store: the whole life cycle of spec section 3 with its refusals.
 *
 * A CA is named by its --name or its ARN. Errors that several functions share: CA_REFUSED
 * "no-such-ca"; CA_REFUSED "invalid-state" with AWS's message fragments (spec 3.1, end) and what to
 * do in the hint.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_REGISTRY_CA_H
#define BATCH_REGISTRY_CA_H

#include "batch/registry.h"
#include "engine/profile.h"

/* A CA's row, copied out of the store, with what is derived from it. Free with batch_ca_clear. */
struct batch_ca {
    uint32_t number;
    struct schema_ca row;           /* views into value */
    struct ca_buf value;
    bool expired;                   /* the certificate's notAfter has passed (and not DELETED) */
    struct ca_serial serial;        /* of its certificate; .len 0 before the first import */
    int64_t not_before_s, not_after_s;  /* of its certificate; 0 before the first import */
    char arn[160];
};

/* What a CA's state allows or refuses (spec 3.1). Describing and listing always work. */
enum batch_ca_operation {
    BATCH_CA_GET_CSR,
    BATCH_CA_GET_CERTIFICATE,
    BATCH_CA_ISSUE,
    BATCH_CA_SIGN_SELF,             /* a root's own CSR with a root template */
    BATCH_CA_IMPORT,
    BATCH_CA_UPDATE,
    BATCH_CA_DELETE,
    BATCH_CA_RESTORE,
    BATCH_CA_TAG,
    BATCH_CA_OPERATION_COUNT
};

/* CA_REFUSED "invalid-state"; CA_AGAIN "request-in-progress": the CSR of a CA being created. */
CA_MUST_CHECK enum ca_status batch_ca_check_state(const struct batch_ca *ca,
                                                  enum batch_ca_operation operation,
                                                  struct ca_error *err);

/* "CREATING", "PENDING_CERTIFICATE", "ACTIVE", "DISABLED", "EXPIRED", "FAILED", "DELETED". */
const char *batch_ca_status_name(const struct batch_ca *ca);
void batch_ca_clear(struct batch_ca *ca);

/* txn NULL: a read transaction of its own. Tombstones are "no-such-ca". */
CA_MUST_CHECK enum ca_status batch_ca_find(struct batch_registry *registry, struct store_txn *txn,
                                           const char *name_or_arn, struct batch_ca *out,
                                           struct ca_error *err);
/* Calls visit for every CA in order of creation, DELETED ones included, tombstones not. */
CA_MUST_CHECK enum ca_status batch_ca_each(struct batch_registry *registry,
                                           enum ca_status (*visit)(void *ctx,
                                                                   const struct batch_ca *ca,
                                                                   struct ca_error *err),
                                           void *ctx, struct ca_error *err);

struct batch_tag { const char *key, *value; };

struct batch_ca_create {
    const char *name;               /* [A-Za-z0-9][A-Za-z0-9._-]{0,127}, unique among living CAs */
    bool is_root;
    bool short_lived;               /* SHORT_LIVED_CERTIFICATE */
    struct ca_bytes config_json, revocation_json;   /* revocation_json.len 0: none */
    const char *token;              /* NULL: none */
    const struct batch_tag *tags;
    size_t tag_count;
};

/* Generates the key, writes keys/UUID.pem, then the row (PENDING_CERTIFICATE, with CSR). The same
 * token with the same arguments gives the same CA and *existed true; with others CA_REFUSED
 * "idempotency". A crash between key file and row leaves a key file without a row: harmless,
 * removed by the next create. */
CA_MUST_CHECK enum ca_status batch_ca_create(struct batch_registry *registry,
                                             const struct batch_ca_create *spec,
                                             struct batch_ca *out, bool *existed,
                                             struct ca_error *err);

/* cert_pem: one certificate, may be followed by its chain when chain_pem is empty (white space or a
 * TAB between, as the CLI's text output writes them). */
CA_MUST_CHECK enum ca_status batch_ca_import(struct batch_registry *registry,
                                             const char *name_or_arn, struct ca_bytes cert_pem,
                                             struct ca_bytes chain_pem, struct ca_error *err);

struct batch_ca_activate {
    const char *name;
    const char *parent;             /* NULL: root, signs itself */
    const char *tmpl;               /* NULL: RootCACertificate, SubordinateCACertificate_PathLen0 */
    struct ca_validity validity;    /* NONE: 10 years for a root, 3 for a subordinate */
};
/* Signs (itself or by its parent) and imports, both in one transaction. */
CA_MUST_CHECK enum ca_status batch_ca_activate(struct batch_registry *registry,
                                               const struct batch_ca_activate *spec,
                                               struct ca_serial *serial, struct ca_error *err);

/* status: SCHEMA_CA_ACTIVE, SCHEMA_CA_DISABLED or 0 to leave it; revocation_json.len 0 leaves it.
 * */
CA_MUST_CHECK enum ca_status batch_ca_update(struct batch_registry *registry, const char *name,
                                             uint8_t status, struct ca_bytes revocation_json,
                                             struct ca_error *err);
CA_MUST_CHECK enum ca_status batch_ca_delete(struct batch_registry *registry, const char *name,
                                             uint32_t days, int64_t *restorable_until_ms,
                                             struct ca_error *err);
CA_MUST_CHECK enum ca_status batch_ca_restore(struct batch_registry *registry, const char *name,
                                              struct ca_error *err);
CA_MUST_CHECK enum ca_status batch_ca_tag(struct batch_registry *registry, const char *name,
                                          const struct batch_tag *tags, size_t count,
                                          struct ca_error *err);
/* A tag with value NULL goes whatever its value; with a value only on a match. */
CA_MUST_CHECK enum ca_status batch_ca_untag(struct batch_registry *registry, const char *name,
                                            const struct batch_tag *tags, size_t count,
                                            struct ca_error *err);

/* One CA as JSON: AWS's CertificateAuthority plus name, certificate, chain. */
void batch_ca_describe(const struct batch_registry *registry, const struct batch_ca *ca,
                       struct ca_buf *out);

/*
 * What issuing needs of a CA: the frozen issuer and its key. Refuses a CA that is not ACTIVE ("The
 * certificate authority is not in a valid state for issuing certificates"). For a root that signs
 * its own CSR (self true: PENDING_CERTIFICATE, EXPIRED or ACTIVE) issuer is NULL.
 */
struct batch_issuer {
    uint32_t ca;
    uint32_t generation;
    uint32_t scope;                 /* of the CA's next certificate when it was loaded; 0: none */
    enum ca_key_alg key_alg;
    enum ca_sig_alg sig_alg;        /* the CA's own SigningAlgorithm */
    bool short_lived;
    bool self;
    bool expired;                   /* self only: its certificate had expired when it was loaded */
    struct ca_issuer *issuer;
    struct ca_key *key;             /* NULL after batch_issuer_load_public */
    struct ca_revocation *revocation;   /* CDP and OCSP URIs to write */
};
CA_MUST_CHECK enum ca_status batch_issuer_load(struct batch_registry *registry,
                                               const char *name_or_arn, bool self,
                                               struct batch_issuer **out, struct ca_error *err);
/* The same without the private key: no passphrase is asked for and nothing can be signed, but
 * everything else about a certificate can be said. */
CA_MUST_CHECK enum ca_status batch_issuer_load_public(struct batch_registry *registry,
                                                      const char *name_or_arn, bool self,
                                                      struct batch_issuer **out,
                                                      struct ca_error *err);
void batch_issuer_free(struct batch_issuer *issuer);

/* Inside a group's write transaction: the CA is still ACTIVE with the same certificate and not
 * expired at now_ms, and where its CRLs are partitioned they are at the same place. CA_REFUSED
 * "ca-changed" ends the run, resumable. */
CA_MUST_CHECK enum ca_status batch_issuer_recheck(struct store_txn *txn,
                                                  const struct batch_issuer *issuer,
                                                  int64_t now_ms, struct ca_error *err);

#endif
