/*
 * Profiles as jobs and single issues use them: compiled for a loaded CA, with the row that
 * remembers what was compiled.
 *
 * Thread: the registry's.
 */
#ifndef BATCH_PROFILE_H
#define BATCH_PROFILE_H

#include "batch/registry_ca.h"
#include "batch/terms.h"

struct batch_profile_ask {
    const struct batch_terms *terms;    /* must outlive what is compiled */
    struct ca_validity validity;    /* NONE: batch_validity_default */
    int64_t not_before_s;           /* 0: backdated */
    enum ca_sig_alg sig_alg;        /* NONE: the CA's own */
};

struct batch_compiled {
    struct ca_profile *profile;
    uint8_t hash[SCHEMA_HASH_LEN];
    struct ca_buf text;             /* what the hash covers; the row's value */
};

/* What nobody asked for: the template's own default, else (spec section 5, the console's) 10 years
 * for a root, 3 for a subordinate, 365 days for an end entity; never past the template's own cap,
 * nor for an end entity of a SHORT_LIVED_CERTIFICATE CA past 7 days. */
struct ca_validity batch_validity_default(const struct ca_template *tmpl, bool short_lived);

/* issuer must outlive out->profile. Errors of ca_profile_new; CA_REFUSED ca-not-allowed. */
CA_MUST_CHECK enum ca_status batch_profile_compile(struct batch_registry *registry,
                                                   const struct batch_issuer *issuer,
                                                   const struct batch_profile_ask *ask,
                                                   struct batch_compiled *out,
                                                   struct ca_error *err);
void batch_compiled_clear(struct batch_compiled *compiled);

/* Into the table `profile`; a row that is there already is the same one. */
CA_MUST_CHECK enum ca_status batch_profile_put(struct store_txn *txn,
                                               const struct batch_compiled *compiled,
                                               struct ca_error *err);

#endif
