#include "tests/support/store_fixture.h"

#include <ftw.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t fixture_now(void *ctx)
{
    const struct store_fixture *f = ctx;

    return f->now_ms;
}

static enum ca_status fixture_secret(void *ctx, bool confirm, struct ca_buf *out,
                                     struct ca_error *err)
{
    struct store_fixture *f = ctx;

    (void)confirm;
    f->asked++;
    ca_buf_append_str(out, f->secret);
    return ca_buf_status(out, "the passphrase", err);
}

static int setup(void **state, bool encrypted)
{
    const char *tmp = getenv("TMPDIR");
    struct store_fixture *f = calloc(1, sizeof(*f));
    struct batch_init_spec spec = { 0 };

    assert_non_null(f);
    f->now_ms = STORE_FIXTURE_NOW_MS;
    f->clock = (struct ca_clock){ .now_ms = fixture_now, .ctx = f };
    f->secret = STORE_FIXTURE_PASSPHRASE;
    (void)snprintf(f->root, sizeof(f->root), "%s/certmill-test-XXXXXX",
                   tmp != NULL && strlen(tmp) < 200 ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->root));
    (void)snprintf(f->dir, sizeof(f->dir), "%s/store", f->root);
    spec.dir = f->dir;
    spec.reserve_bytes = 1 << 16;
    spec.encrypted = encrypted;
    spec.passphrase = (struct batch_passphrase){ .get = fixture_secret, .ctx = f };
    spec.clock = f->clock;
    if (batch_registry_init(&spec, &f->err) != CA_OK) fail_msg("init: %s", f->err.text);
    if (store_fixture_reopen(f, STORE_WRITE) != CA_OK) fail_msg("open: %s", f->err.text);
    f->asked = 0;
    *state = f;
    return 0;
}

int store_fixture_setup(void **state)
{
    return setup(state, false);
}

int store_fixture_setup_encrypted(void **state)
{
    return setup(state, true);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int store_fixture_teardown(void **state)
{
    struct store_fixture *f = *state;

    if (f == NULL) return 0;
    batch_registry_close(f->registry);
    (void)nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    *state = NULL;
    return 0;
}

enum ca_status store_fixture_reopen(struct store_fixture *f, enum store_access access)
{
    struct batch_open_spec spec = {
        .dir = f->dir,
        .access = access,
        .clock = f->clock,
        .passphrase = { .get = fixture_secret, .ctx = f },
    };

    batch_registry_close(f->registry);
    f->registry = NULL;
    return batch_registry_open(&spec, &f->registry, &f->err);
}

void store_fixture_path(const struct store_fixture *f, const char *inside, char out[512])
{
    (void)snprintf(out, 512, "%s/%s", f->dir, inside);
}

void store_fixture_config(const char *common_name, const char *key_alg, const char *sig_alg,
                          char out[512])
{
    (void)snprintf(out, 512,
                   "{\"KeyAlgorithm\":\"%s\",\"SigningAlgorithm\":\"%s\","
                   "\"Subject\":{\"Country\":\"DE\",\"Organization\":\"Example\","
                   "\"CommonName\":\"%.64s\"}}",
                   key_alg, sig_alg, common_name);
}

void store_fixture_create(struct store_fixture *f, const char *name, bool is_root)
{
    char config[512];
    struct batch_ca ca;
    bool existed = true;
    struct batch_ca_create spec = { .name = name, .is_root = is_root };

    store_fixture_config(name, "EC_prime256v1", "SHA256WITHECDSA", config);
    spec.config_json = ca_bytes_str(config);
    if (batch_ca_create(f->registry, &spec, &ca, &existed, &f->err) != CA_OK) {
        fail_msg("create %s: %s", name, f->err.text);
    }
    assert_false(existed);
    batch_ca_clear(&ca);
}

void store_fixture_activate(struct store_fixture *f, const char *name, const char *parent)
{
    struct batch_ca_activate spec = { .name = name, .parent = parent };
    struct ca_serial serial;

    if (batch_ca_activate(f->registry, &spec, &serial, &f->err) != CA_OK) {
        fail_msg("activate %s: %s", name, f->err.text);
    }
}

void store_fixture_hierarchy(struct store_fixture *f)
{
    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    store_fixture_create(f, "sub", false);
    store_fixture_activate(f, "sub", "root");
}

void store_fixture_force_state(struct store_fixture *f, const char *name, uint8_t state,
                               uint8_t state_before)
{
    struct store_txn *txn = NULL;
    struct batch_ca ca;
    struct schema_key key;
    struct ca_buf value;

    ca_buf_init(&value, 1 << 20);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, &f->err), CA_OK);
    assert_int_equal(batch_ca_find(f->registry, txn, name, &ca, &f->err), CA_OK);
    ca.row.state = state;
    ca.row.state_before = state_before;
    ca.row.restorable_until_ms =
        state == SCHEMA_CA_DELETED ? f->now_ms + 30 * STORE_FIXTURE_DAY_MS : 0;
    schema_encode_ca(&ca.row, &value);
    assert_int_equal(ca_buf_status(&value, "a row", &f->err), CA_OK);
    assert_int_equal(store_put(txn, STORE_CA, schema_key_ca(&key, ca.number), ca_buf_view(&value),
                               STORE_UPSERT, &f->err),
                     CA_OK);
    assert_int_equal(store_commit(txn, &f->err), CA_OK);
    batch_ca_clear(&ca);
    ca_buf_clear(&value);
}
