/*
 * CRL scopes (spec section 9.2): a CA whose CrlType is PARTITIONED binds each certificate to one of
 * many CRLs, whose number stands in the certificate's pointers to CRLs. A scope takes
 * CA_SCOPE_CERTS requests; then the next one is opened, and none is ever opened twice.
 *
 * The CA's row keeps the highest scope opened and how many requests were assigned to it, also while
 * the CA is COMPLETE: then certificates get scope 0, and numbering goes on where it stopped.
 * Refused requests of a run use their places up: the scope is assigned before their verdict. A run
 * assigns scopes to its chunks before they are signed; single issues beside it take places of the
 * scope that the row shows, so that such a scope may get a few certificates more.
 *
 * Thread: that of the transaction.
 */
#ifndef BATCH_SCOPE_H
#define BATCH_SCOPE_H

#include "batch/registry_ca.h"
#include "engine/ca_config.h"

/* Where the next certificate goes. */
struct batch_scope {
    bool partitioned;               /* false: scope is 0 and nothing is counted */
    uint32_t scope;
    uint32_t used;                  /* places taken in it */
    uint32_t size;                  /* places that a scope has */
};

/* As a CA's row says, for certificates made with these revocation settings (NULL: none). size 0:
 * CA_SCOPE_CERTS. */
struct batch_scope batch_scope_of(const struct schema_ca *row,
                                  const struct ca_revocation *revocation, uint32_t size);
/* The same from the row inside txn and the settings that the issuer was loaded with. CA_CORRUPT
 * "store-damaged" without the CA's row. */
CA_MUST_CHECK enum ca_status batch_scope_read(struct store_txn *txn,
                                              const struct batch_issuer *issuer, uint32_t size,
                                              struct batch_scope *out, struct ca_error *err);

/* Opens the next scope when this one is full, so that there is room in it. CA_REFUSED
 * "too-many-scopes" past CA_SCOPE_MAX. */
CA_MUST_CHECK enum ca_status batch_scope_advance(struct batch_scope *scope, struct ca_error *err);
/* Places left; UINT32_MAX when not partitioned. */
uint32_t batch_scope_room(const struct batch_scope *scope);

/* For a single certificate: read and advance in one. Nothing is written: batch_group_commit counts
 * the certificate, and who does not commit through it calls batch_scope_count. */
CA_MUST_CHECK enum ca_status batch_scope_take(const struct batch_registry *registry,
                                              struct store_txn *txn,
                                              const struct batch_issuer *issuer,
                                              uint32_t *scope, struct ca_error *err);

/* Counts places taken in a scope into the CA's row, read again: the row may be further already.
 * scope 0: nothing. Inside a write transaction. */
CA_MUST_CHECK enum ca_status batch_scope_count(struct store_txn *txn, uint32_t ca, uint32_t scope,
                                               uint32_t count, struct ca_error *err);

/*
 * What new revocation settings mean for the scope of a CA's row: PARTITIONED opens the first, or
 * goes on with the one that is open; the next one when certificates of the open one may point to
 * another URI (a partitioned CRL names its URI, which must be the one in its certificates).
 * before NULL: the CA had no settings.
 */
CA_MUST_CHECK enum ca_status batch_scope_reconfigure(struct schema_ca *row,
                                                     const struct ca_revocation *before,
                                                     const struct ca_revocation *after,
                                                     struct ca_error *err);

#endif
