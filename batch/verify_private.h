/*
 * What the files of verify share; nothing else includes it.
 *
 *   verify.c        the walk over every table; meta, CAs, tokens, profiles
 *   verify_cert.c   certificates, their index, revocations, known keys
 *   verify_template.c   what certificates have of their templates (deep)
 *   verify_job.c    jobs, their results, inputs and ids
 *
 * Every check compares a row with what it finds by look-up in the same read transaction, so memory
 * is bounded whatever the store's size, and a batch that commits meanwhile is no finding.
 */
#ifndef BATCH_VERIFY_PRIVATE_H
#define BATCH_VERIFY_PRIVATE_H

#include "batch/ca_row.h"
#include "batch/verify.h"
#include "engine/cert.h"
#include "engine/prove.h"

#define VERIFY_SENTENCE_MAX 512

/* The results of one job as the walk passes them. */
struct verify_tally {
    bool open;
    bool known;                 /* the job's row was readable; without it only rows are checked */
    uint32_t job, ca;
    uint64_t done;              /* the job's row when its first result was seen */
    uint64_t issued, rejected;
    uint64_t next;              /* the ordinal that should come */
    uint64_t issued_seen, rejected_seen;
    bool unreadable;            /* some result was damaged: the counts prove nothing */
};

struct verify {
    struct batch_registry *registry;
    bool deep;
    void (*finding)(void *ctx, const char *sentence);
    void *ctx;
    struct batch_verify_report *report;
    enum store_table table;             /* being walked */
    struct ca_prover *prover;           /* deep */
    struct verify_template *tmpl;       /* deep: of the last certificate; NULL: none yet */
    struct batch_ca ca;                 /* the last one looked at */
    bool ca_loaded;
    struct verify_tally tally;
};

/* One sentence, counted and handed on. */
void verify_find(struct verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A row looked up by another. Damaged: it is there, but its value cannot be trusted; that is a
 * finding of its own table's walk, not of whoever looks it up. */
struct verify_row {
    bool found, damaged;
    struct ca_bytes value;
};
CA_MUST_CHECK enum ca_status verify_look(struct store_txn *txn, enum store_table table,
                                         struct ca_bytes key, struct verify_row *out,
                                         struct ca_error *err);

/* v->ca becomes that CA. *found false and no finding when there is none or its row is damaged. */
CA_MUST_CHECK enum ca_status verify_load_ca(struct verify *v, struct store_txn *txn, uint32_t ca,
                                            bool *found, struct ca_error *err);

/* Checks of one row. They return CA_OK whatever they find; other statuses end the check. */
CA_MUST_CHECK enum ca_status verify_cert(struct verify *v, struct store_txn *txn,
                                         struct ca_bytes key, struct ca_bytes value,
                                         struct ca_error *err);
/* A certificate's fixed parts against the profile that it names by the first octets of its hash;
 * serial is how sentences name it. */
CA_MUST_CHECK enum ca_status verify_template(struct verify *v, struct store_txn *txn,
                                             const char *serial, uint64_t profile,
                                             const struct ca_cert *cert, struct ca_error *err);
CA_MUST_CHECK enum ca_status verify_expiry(struct verify *v, struct store_txn *txn,
                                           struct ca_bytes key, struct ca_bytes value,
                                           struct ca_error *err);
CA_MUST_CHECK enum ca_status verify_revoked(struct verify *v, struct store_txn *txn,
                                            struct ca_bytes key, struct ca_bytes value,
                                            struct ca_error *err);
CA_MUST_CHECK enum ca_status verify_known(struct verify *v, struct store_txn *txn,
                                          struct ca_bytes key, struct ca_bytes value,
                                          struct ca_error *err);
CA_MUST_CHECK enum ca_status verify_job(struct verify *v, struct store_txn *txn,
                                        struct ca_bytes key, struct ca_bytes value,
                                        struct ca_error *err);
CA_MUST_CHECK enum ca_status verify_input(struct verify *v, struct store_txn *txn,
                                          struct ca_bytes key, struct ca_bytes value,
                                          struct ca_error *err);
CA_MUST_CHECK enum ca_status verify_id(struct verify *v, struct store_txn *txn,
                                       struct ca_bytes key, struct ca_bytes value,
                                       struct ca_error *err);
CA_MUST_CHECK enum ca_status verify_result(struct verify *v, struct store_txn *txn,
                                           struct ca_bytes key, struct ca_bytes value,
                                           struct ca_error *err);

void verify_template_free(struct verify_template *t);

/* A result whose checksum is wrong, and the end of the result table. */
CA_MUST_CHECK enum ca_status verify_result_damaged(struct verify *v, struct store_txn *txn,
                                                   struct ca_bytes key, struct ca_error *err);
void verify_results_end(struct verify *v);

#endif
