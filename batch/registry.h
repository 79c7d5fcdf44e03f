/*
 * The registry: the one place where engine objects meet store rows. Opens a store with what every
 * command needs around it: a clock, one thread's crypto, the passphrase.
 *
 * CAs are in batch/registry_ca.h, certificates in batch/registry_cert.h, jobs in
 * batch/registry_job.h; all take a struct batch_registry.
 *
 * Thread: one at a time (it owns a ca_crypto); the store inside may be used by other threads.
 */
#ifndef BATCH_REGISTRY_H
#define BATCH_REGISTRY_H

#include "engine/clock.h"
#include "engine/crypto.h"
#include "engine/issuer.h"
#include "engine/key.h"
#include "io/schema.h"
#include "io/store.h"

#define BATCH_CLOCK_BACK_MAX_MS INT64_C(300000)     /* issuing refuses a clock further behind */

/* Where the passphrase comes from: asked at most once per process, when a key is first needed.
 * Fills out (a secret buffer); confirm: a new secret is being set, ask twice where a person types
 * it. */
struct batch_passphrase {
    enum ca_status (*get)(void *ctx, bool confirm, struct ca_buf *out, struct ca_error *err);
    void *ctx;
};

struct batch_registry {
    struct store *store;
    struct ca_crypto *crypto;
    struct ca_clock clock;
    struct batch_passphrase passphrase;
    struct ca_buf secret;               /* the passphrase once asked for; wiped at close */
    bool secret_known;
    const uint64_t *seed;               /* tests only; NULL: the CSPRNG */
    uint32_t scope_certs;               /* tests only; 0: CA_SCOPE_CERTS */
    uint64_t run_keys_max, known_keys_max;  /* tests only; 0: batch/duplicates.h */
    /* From the identity row; views into `identity_row`. */
    struct schema_identity identity;
    struct ca_buf identity_row;
};

struct batch_init_spec {
    const char *dir;
    const char *region;             /* NULL: "local" */
    const char *account;            /* NULL: "000000000000"; 12 digits */
    uint64_t reserve_bytes;
    bool encrypted;                 /* keys are encrypted under a passphrase */
    struct batch_passphrase passphrase;     /* asked now (confirm), when encrypted */
    struct ca_clock clock;
};

/* Makes a store and leaves it closed. With a passphrase a check value is stored (a throw-away key
 * encrypted under it), so that a later command with a mistyped one is refused before it encrypts a
 * CA's key. */
CA_MUST_CHECK enum ca_status batch_registry_init(const struct batch_init_spec *spec,
                                                 struct ca_error *err);

struct batch_open_spec {
    const char *dir;
    enum store_access access;
    struct ca_clock clock;
    struct batch_passphrase passphrase;
    const uint64_t *seed;
};

/* Opens the store; a write open also carries out what is due: CAs whose restore window is over lose
 * their key file (the row stays as a tombstone). */
CA_MUST_CHECK enum ca_status batch_registry_open(const struct batch_open_spec *spec,
                                                 struct batch_registry **out,
                                                 struct ca_error *err);
void batch_registry_close(struct batch_registry *registry);

/* The passphrase, asked for at most once and checked against the store's check value when `check`
 * is set. .len 0 for an unencrypted store. View into registry->secret. */
CA_MUST_CHECK enum ca_status batch_registry_passphrase(struct batch_registry *registry, bool check,
                                                       struct ca_bytes *out, struct ca_error *err);

/* Time for issuing: refuses (CA_REFUSED "clock") a clock before 2020 or more than five minutes
 * behind the highest time the store has seen. */
CA_MUST_CHECK enum ca_status batch_registry_issuing_time(struct batch_registry *registry,
                                                         struct store_txn *txn, int64_t *now_ms,
                                                         struct ca_error *err);

/* The clock row, read and written inside a transaction (numbers for new CAs and jobs, ticks). */
CA_MUST_CHECK enum ca_status batch_registry_read_clock(struct store_txn *txn,
                                                       struct schema_clock *out,
                                                       struct ca_error *err);
CA_MUST_CHECK enum ca_status batch_registry_write_clock(struct store_txn *txn,
                                                        const struct schema_clock *clock,
                                                        struct ca_error *err);

/* After a commit that failed for lack of space: opens the store again (the failed commit ended
 * writing in it) and gives its reserve up, so that a short command can be tried once more. Issuing
 * then refuses to start until the reserve is made whole. On failure the registry can only be
 * closed. */
CA_MUST_CHECK enum ca_status batch_registry_use_reserve(struct batch_registry *registry,
                                                        struct ca_error *err);

/* A random UUID (RFC 9562 version 4), and its text (37 characters with the zero). */
CA_MUST_CHECK enum ca_status batch_uuid_draw(struct ca_crypto *crypto,
                                             uint8_t uuid[SCHEMA_UUID_LEN], struct ca_error *err);
void batch_uuid_format(const uint8_t uuid[SCHEMA_UUID_LEN], char out[37]);

#endif
