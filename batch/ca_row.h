/*
 * Rows of the ca table for the modules that move a CA through its life (registry_ca, ca_create,
 * ca_import, ca_activate, ca_life, registry_issuer); everybody else takes batch/registry_ca.h.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_CA_ROW_H
#define BATCH_CA_ROW_H

#include "batch/registry_ca.h"
#include "engine/ca_config.h"

#define BATCH_CA_NAME_MAX 128
#define BATCH_CA_ROW_MAX ((size_t)4 << 20)      /* a chain may have 2 MiB */
#define BATCH_DAY_MS INT64_C(86400000)

/* [A-Za-z0-9][A-Za-z0-9._-]{0,127}; CA_REFUSED "name". what: "CA" or "job". */
CA_MUST_CHECK enum ca_status batch_name_check(const char *name, const char *what,
                                              struct ca_error *err);

/* Copies a row and derives what a batch_ca has beside it. On failure *out is cleared. */
CA_MUST_CHECK enum ca_status batch_ca_decode(const struct batch_registry *registry,
                                             uint32_t number, struct ca_bytes value,
                                             struct batch_ca *out, struct ca_error *err);

/* By number, gone ones too. *found false and CA_OK when there is no such row. */
CA_MUST_CHECK enum ca_status batch_ca_get(const struct batch_registry *registry,
                                          struct store_txn *txn, uint32_t number, bool *found,
                                          struct batch_ca *out, struct ca_error *err);

/* The first CA with a number above after, gone ones too. */
CA_MUST_CHECK enum ca_status batch_ca_next(const struct batch_registry *registry,
                                           struct store_txn *txn, uint32_t after, bool *found,
                                           struct batch_ca *out, struct ca_error *err);

/* As batch_ca_find, but *found false and CA_OK when there is none. */
CA_MUST_CHECK enum ca_status batch_ca_look_up(const struct batch_registry *registry,
                                              struct store_txn *txn, const char *name_or_arn,
                                              bool *found, struct batch_ca *out,
                                              struct ca_error *err);

/* ca_revocation_parse with this store's region and a CA's UUID. */
CA_MUST_CHECK enum ca_status batch_ca_parse_revocation(const struct batch_registry *registry,
                                                       const uint8_t uuid[SCHEMA_UUID_LEN],
                                                       struct ca_bytes json,
                                                       struct ca_bytes previous,
                                                       struct ca_revocation *out,
                                                       struct ca_error *err);

/* Writes ca->row under ca->number. Its views may point anywhere but into the store's map. */
CA_MUST_CHECK enum ca_status batch_ca_put(struct store_txn *txn, const struct batch_ca *ca,
                                          enum store_put_mode mode, struct ca_error *err);

/*
 * One change to one CA: begin finds it in a write transaction and checks that its state allows the
 * operation; the caller changes ca.row; end writes the row and commits when st is CA_OK, and ends
 * the transaction in any case. end must follow begin, with the status of whatever failed before.
 */
struct batch_ca_edit {
    struct store_txn *txn;
    struct batch_ca ca;
};
CA_MUST_CHECK enum ca_status batch_ca_edit_begin(struct batch_registry *registry,
                                                 const char *name_or_arn,
                                                 enum batch_ca_operation operation,
                                                 struct batch_ca_edit *edit,
                                                 struct ca_error *err);
CA_MUST_CHECK enum ca_status batch_ca_edit_end(struct batch_ca_edit *edit, enum ca_status st,
                                               struct ca_error *err);

/* A tombstone, or a DELETED one that the next write open will make one. */
bool batch_ca_is_gone(const struct batch_registry *registry, const struct batch_ca *ca);

/* Erases the key files of CAs whose restore window is over and makes their rows tombstones. Inside
 * a write transaction, so that nobody restores one meanwhile. */
CA_MUST_CHECK enum ca_status batch_ca_bury(struct batch_registry *registry, struct store_txn *txn,
                                           struct ca_error *err);
/* The same with a transaction of its own, and none when nothing is due. */
CA_MUST_CHECK enum ca_status batch_ca_bury_due(struct batch_registry *registry,
                                               struct ca_error *err);

/* Tags: the JSON array of a row with these set (same key: overwritten in its place) or taken away.
 * CA_REFUSED "tag", "too-many-tags". */
#define BATCH_TAGS_MAX 50
CA_MUST_CHECK enum ca_status batch_tags_set(struct ca_bytes json, const struct batch_tag *tags,
                                            size_t count, struct ca_buf *out,
                                            struct ca_error *err);
CA_MUST_CHECK enum ca_status batch_tags_unset(struct ca_bytes json, const struct batch_tag *tags,
                                              size_t count, struct ca_buf *out,
                                              struct ca_error *err);

/* Checks a certificate against its CA and puts it into ca->row (not into the store): state,
 * generation, times. der and chain must live as long as ca is used. */
CA_MUST_CHECK enum ca_status batch_ca_install(struct batch_registry *registry,
                                              struct batch_ca *ca, struct ca_bytes der,
                                              struct ca_bytes chain, struct ca_error *err);

#endif
