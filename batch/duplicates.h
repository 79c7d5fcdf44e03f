/*
 * Keys that stand twice: in the run (template: duplicate_keys.run) and in the store
 * (duplicate_keys.store). Decided by the committer, in input order: the first request with a key
 * that is issued has it, later ones are its twins. Refused requests count for nothing.
 *
 * The run's keys are kept in memory, about 31 octets each, and made again from the store when a job
 * is resumed. The store's are in the table known: for each key the first certificate of ours,
 * whatever CA, that a template other than "allow" asked to remember. Certificates of the same job
 * are the business of the first rule, also where the table has them.
 *
 * What is settled counts when its group is committed; a commit that fails ends the run, and the set
 * with it.
 *
 * Thread: the committer's, or that of a single issue.
 */
#ifndef BATCH_DUPLICATES_H
#define BATCH_DUPLICATES_H

#include "batch/item.h"
#include "batch/registry_job.h"

#define BATCH_RUN_KEYS_MAX UINT64_C(10000000)       /* 310 MB */
#define BATCH_KNOWN_KEYS_MAX UINT64_C(10000000)     /* some 0.9 GB in the store */

/* ---- the keys of a run ---- */

struct batch_key_set;

/* max 0: BATCH_RUN_KEYS_MAX. */
CA_MUST_CHECK enum ca_status batch_key_set_new(uint64_t max, struct batch_key_set **out,
                                               struct ca_error *err);
void batch_key_set_free(struct batch_key_set *set);
uint64_t batch_key_set_count(const struct batch_key_set *set);

/* The ordinal that a key came in with; false when it is not there. */
bool batch_key_set_find(const struct batch_key_set *set, const uint8_t hash[CA_KEY_HASH_LEN],
                        uint64_t *ordinal);
/* A key that is there keeps its ordinal. CA_NOMEM; CA_REFUSED "too-many-keys" at the limit. */
CA_MUST_CHECK enum ca_status batch_key_set_add(struct batch_key_set *set,
                                               const uint8_t hash[CA_KEY_HASH_LEN],
                                               uint64_t ordinal, struct ca_error *err);

/* *out is the set of a job that goes on, with the keys of what it has issued so far; NULL when its
 * template allows twins in the run. stopping is asked now and then; once it says true: CA_AGAIN. */
CA_MUST_CHECK enum ca_status batch_key_set_of_job(struct store *store,
                                                  const struct batch_job *job, uint64_t max,
                                                  bool (*stopping)(void *ctx), void *ctx,
                                                  struct batch_key_set **out,
                                                  struct ca_error *err);

/* ---- a group's chunks, inside its write transaction ---- */

struct batch_key_check {
    struct store_txn *txn;
    struct batch_key_set *run;      /* NULL: no rule of the run */
    uint64_t known_max;
    /* Issued all the same: twins in the run, keys known in the store. */
    uint64_t duplicate_keys, known_keys;
};

/* run may be NULL. known_max 0: BATCH_KNOWN_KEYS_MAX. */
void batch_key_check_init(struct batch_key_check *check, struct store_txn *txn,
                          struct batch_key_set *run, uint64_t known_max);

/* Before a chunk's rows are put: sets items' warnings and refuses twins (duplicate-key, known-key),
 * then encodes the chunk again where it changed anything. Other statuses than CA_OK end the run:
 * CA_REFUSED "too-many-keys", those of the store and of the chunk's buffers. */
CA_MUST_CHECK enum ca_status batch_key_check_chunk(struct batch_key_check *check,
                                                   struct batch_chunk *chunk,
                                                   struct ca_error *err);
/* After a chunk's certificates were put: remembers their keys in the store. CA_REFUSED
 * "too-many-known-keys". */
CA_MUST_CHECK enum ca_status batch_key_check_remember(
    const struct batch_key_check *check, const struct batch_chunk *chunk, struct ca_error *err);

#endif
