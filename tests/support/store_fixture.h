/*
 * A store in a directory of its own, with a clock that stands still until a test moves it, a real
 * passphrase, and the registry opened for writing. One per test: store_fixture_setup and
 * store_fixture_teardown fit cmocka_unit_test_setup_teardown.
 *
 * A scrypt run costs about 0.1 s, so the default is a store without a passphrase;
 * store_fixture_setup_encrypted makes the other kind.
 */
#ifndef TESTS_SUPPORT_STORE_FIXTURE_H
#define TESTS_SUPPORT_STORE_FIXTURE_H

#include "batch/registry_ca.h"

#define STORE_FIXTURE_NOW_MS INT64_C(1790000000000)     /* 2026-09-21T14:13:20Z */
#define STORE_FIXTURE_DAY_MS INT64_C(86400000)
#define STORE_FIXTURE_PASSPHRASE "correct horse battery staple"

struct store_fixture {
    char root[256];             /* the test's own directory, removed at teardown */
    char dir[272];              /* the store inside it */
    int64_t now_ms;             /* what the clock says */
    struct ca_clock clock;
    const char *secret;         /* what a question for the passphrase is answered with */
    unsigned asked;             /* how often it was asked */
    struct batch_registry *registry;
    struct ca_error err;        /* for calls that are expected to fail */
};

int store_fixture_setup(void **state);              /* init --no-passphrase, opened for writing */
int store_fixture_setup_encrypted(void **state);
int store_fixture_teardown(void **state);

/* Closes the registry, if open, and opens it again; the status of the open. */
enum ca_status store_fixture_reopen(struct store_fixture *f, enum store_access access);

/* Path of a file inside the store: "keys/x.pem". out holds 512. */
void store_fixture_path(const struct store_fixture *f, const char *inside, char out[512]);

/* The JSON of the AWS CLI for a CA with this common name. out holds 512. */
void store_fixture_config(const char *common_name, const char *key_alg, const char *sig_alg,
                          char out[512]);

/* Creates a P-256 CA (common name = name), PENDING_CERTIFICATE. Fails the test when it cannot. */
void store_fixture_create(struct store_fixture *f, const char *name, bool is_root);
/* Activates one with the defaults of its type; parent NULL for a root. */
void store_fixture_activate(struct store_fixture *f, const char *name, const char *parent);
/* Both for a root "root" and a subordinate "sub" under it. */
void store_fixture_hierarchy(struct store_fixture *f);

/* Writes a CA's state behind the registry's back, for states that need days or a fault to reach. */
void store_fixture_force_state(struct store_fixture *f, const char *name, uint8_t state,
                               uint8_t state_before);

#endif
