#include "batch/registry.h"

#include "batch/ca_key.h"
#include "batch/ca_row.h"
#include "engine/serial.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define META_IDENTITY "identity"
#define META_CLOCK "clock"
#define META_PASSPHRASE "passphrase"

#define REGION_DEFAULT "local"
#define ACCOUNT_DEFAULT "000000000000"
#define REGION_LEN_MAX 63
#define ACCOUNT_LEN 12
#define META_ROW_MAX 65536
#define SECRET_BYTES_MAX (2 * CA_PASSPHRASE_MAX)    /* a longer one is to be refused, not cut */

/* ---- Making a store ---- */

/* Rows of a new store, ready before its directory exists. */
struct first_rows {
    struct ca_buf identity, clock, passphrase;      /* passphrase.len 0: keys are not encrypted */
};

/* Both stand in ARNs, whose shape allows little (spec section 1). */
static enum ca_status check_region(const char *region, struct ca_error *err)
{
    size_t len = strlen(region);

    if (len == 0 || len > REGION_LEN_MAX ||
        strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != len) {
        return ca_fail_named(err, CA_REFUSED, "region",
                             "a region is 1 to %d lower-case letters, digits and hyphens",
                             REGION_LEN_MAX);
    }
    return CA_OK;
}

static enum ca_status check_account(const char *account, struct ca_error *err)
{
    if (strlen(account) != ACCOUNT_LEN || strspn(account, "0123456789") != ACCOUNT_LEN) {
        return ca_fail_named(err, CA_REFUSED, "account", "an account has %d digits", ACCOUNT_LEN);
    }
    return CA_OK;
}

static enum ca_status ask_passphrase(const struct batch_passphrase *source, bool confirm,
                                     struct ca_buf *out, struct ca_error *err)
{
    enum ca_status st;

    ca_buf_init(out, SECRET_BYTES_MAX);
    /* No growth later: a buffer that moves leaves a copy of the secret behind. */
    if (!ca_buf_reserve(out, SECRET_BYTES_MAX)) return ca_buf_status(out, "a passphrase", err);
    if (source->get == NULL) {
        return ca_fail_named(err, CA_REFUSED, "passphrase-needed",
                             "this store's keys are encrypted and no passphrase was given");
    }
    st = source->get(source->ctx, confirm, out, err);
    if (st != CA_OK) return st;
    st = ca_buf_status(out, "the passphrase", err);
    if (st != CA_OK) return st;
    if (out->len == 0) {
        return ca_fail_named(err, CA_REFUSED, "passphrase-needed", "the passphrase is empty");
    }
    if (out->len > CA_PASSPHRASE_MAX) {
        return ca_fail_named(err, CA_REFUSED, "passphrase-too-long",
                             "a passphrase has at most %d octets", CA_PASSPHRASE_MAX);
    }
    return CA_OK;
}

/* A key that signs nothing: that it decrypts proves the passphrase, with no hash of it about. */
static enum ca_status make_check_value(struct ca_crypto *crypto,
                                       const struct batch_passphrase *source, struct ca_buf *out,
                                       struct ca_error *err)
{
    struct ca_key *key = NULL;
    struct ca_buf secret;
    enum ca_status st = ask_passphrase(source, true, &secret, err);

    if (st != CA_OK) goto out;
    st = ca_key_generate(crypto, CA_KEY_ED25519, &key, err);
    if (st != CA_OK) goto out;
    ca_buf_clear(out);
    st = batch_key_encode(crypto, key, ca_buf_view(&secret), out, err);
out:
    ca_key_free(key);
    ca_buf_clear_secret(&secret);
    return st;
}

static enum ca_status prepare_rows(const struct batch_init_spec *spec, struct ca_crypto *crypto,
                                   struct first_rows *rows, struct ca_error *err)
{
    struct schema_identity identity = {
        .schema_version = STORE_SCHEMA_VERSION,
        .region = ca_bytes_str(spec->region != NULL ? spec->region : REGION_DEFAULT),
        .account = ca_bytes_str(spec->account != NULL ? spec->account : ACCOUNT_DEFAULT),
        .created_ms = ca_clock_now_ms(&spec->clock),
        .encrypted = spec->encrypted,
    };
    struct schema_clock clock = { 0 };
    enum ca_status st = batch_uuid_draw(crypto, identity.store_id, err);

    if (st != CA_OK) return st;
    if (spec->encrypted) {
        st = make_check_value(crypto, &spec->passphrase, &rows->passphrase, err);
        if (st != CA_OK) return st;
    }
    schema_encode_identity(&identity, &rows->identity);
    schema_encode_clock(&clock, &rows->clock);
    st = ca_buf_status(&rows->identity, "the identity row", err);
    if (st != CA_OK) return st;
    return ca_buf_status(&rows->clock, "the clock row", err);
}

static enum ca_status put_meta(struct store_txn *txn, const char *name, const struct ca_buf *value,
                               struct ca_error *err)
{
    struct schema_key key;

    return store_put(txn, STORE_META, schema_key_meta(&key, name), ca_buf_view(value),
                     STORE_UPSERT, err);
}

static enum ca_status fill_store(void *ctx, struct store_txn *txn, struct ca_error *err)
{
    const struct first_rows *rows = ctx;
    enum ca_status st = put_meta(txn, META_IDENTITY, &rows->identity, err);

    if (st != CA_OK) return st;
    st = put_meta(txn, META_CLOCK, &rows->clock, err);
    if (st != CA_OK) return st;
    if (rows->passphrase.len == 0) return CA_OK;
    return put_meta(txn, META_PASSPHRASE, &rows->passphrase, err);
}

enum ca_status batch_registry_init(const struct batch_init_spec *spec, struct ca_error *err)
{
    struct ca_crypto *crypto = NULL;
    struct first_rows rows;
    enum ca_status st = CA_OK;

    ca_buf_init(&rows.identity, META_ROW_MAX);
    ca_buf_init(&rows.clock, META_ROW_MAX);
    ca_buf_init(&rows.passphrase, META_ROW_MAX);
    if (spec->region != NULL) st = check_region(spec->region, err);
    if (st == CA_OK && spec->account != NULL) st = check_account(spec->account, err);
    if (st != CA_OK) goto out;
    st = ca_crypto_new(&crypto, err);
    if (st != CA_OK) goto out;
    st = prepare_rows(spec, crypto, &rows, err);
    if (st != CA_OK) goto out;
    st = store_create(spec->dir, spec->reserve_bytes, fill_store, &rows, err);
out:
    ca_buf_clear(&rows.identity);
    ca_buf_clear(&rows.clock);
    ca_buf_clear(&rows.passphrase);
    ca_crypto_free(crypto);
    return st;
}

/* ---- Opening ---- */

static enum ca_status need_meta(struct store_txn *txn, const char *name, struct ca_bytes *value,
                                struct ca_error *err)
{
    struct schema_key key;
    bool found = false;
    enum ca_status st =
        store_get(txn, STORE_META, schema_key_meta(&key, name), &found, value, err);

    if (st != CA_OK) return st;
    if (!found) {
        return ca_fail_named(err, CA_CORRUPT, "store-damaged", "the store has no row meta/%s",
                             name);
    }
    return CA_OK;
}

/* Copies a meta row into out, in a read transaction of its own. */
static enum ca_status copy_meta(struct store *store, const char *name, struct ca_buf *out,
                                struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct ca_bytes value;
    enum ca_status st = store_begin(store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = need_meta(txn, name, &value, err);
    if (st == CA_OK) {
        ca_buf_append_bytes(out, value);
        st = ca_buf_status(out, "a row of the store", err);
    }
    store_abort(txn);
    return st;
}

static enum ca_status load_identity(struct batch_registry *registry, struct ca_error *err)
{
    enum ca_status st =
        copy_meta(registry->store, META_IDENTITY, &registry->identity_row, err);

    if (st != CA_OK) return st;
    st = schema_decode_identity(ca_buf_view(&registry->identity_row), &registry->identity, err);
    if (st != CA_OK) return st;
    /* ARNs are built from these in buffers of fixed size. */
    if (registry->identity.region.len > REGION_LEN_MAX ||
        registry->identity.account.len != ACCOUNT_LEN) {
        return ca_fail_named(err, CA_CORRUPT, "bad-row", "meta/identity: no region or account");
    }
    return CA_OK;
}

enum ca_status batch_registry_open(const struct batch_open_spec *spec, struct batch_registry **out,
                                   struct ca_error *err)
{
    enum ca_status st = CA_OK;
    struct batch_registry *registry = calloc(1, sizeof(*registry));

    if (registry == NULL) return ca_fail(err, CA_NOMEM, "no memory for the registry");
    ca_buf_init(&registry->secret, SECRET_BYTES_MAX);
    ca_buf_init(&registry->identity_row, META_ROW_MAX);
    registry->clock = spec->clock;
    registry->passphrase = spec->passphrase;
    registry->seed = spec->seed;
    st = store_open(spec->dir, spec->access, &registry->store, err);
    if (st != CA_OK) goto out;
    st = load_identity(registry, err);
    if (st != CA_OK) goto out;
    st = ca_crypto_new(&registry->crypto, err);
    if (st != CA_OK) goto out;
    if (spec->access == STORE_WRITE) {
        st = batch_ca_bury_due(registry, err);
        if (st != CA_OK) goto out;
    }
    *out = registry;
    registry = NULL;
out:
    batch_registry_close(registry);
    return st;
}

void batch_registry_close(struct batch_registry *registry)
{
    if (registry == NULL) return;
    ca_buf_clear_secret(&registry->secret);
    ca_buf_clear(&registry->identity_row);
    ca_crypto_free(registry->crypto);
    store_close(registry->store);
    free(registry);
}

enum ca_status batch_registry_use_reserve(struct batch_registry *registry, struct ca_error *err)
{
    char *dir = strdup(store_dir(registry->store));
    enum ca_status st;

    if (dir == NULL) return ca_fail(err, CA_NOMEM, "no memory for the store's path");
    store_close(registry->store);
    registry->store = NULL;
    st = store_open(dir, STORE_WRITE, &registry->store, err);
    free(dir);
    return st == CA_OK ? store_reserve_release(registry->store, err) : st;
}

/* ---- The passphrase ---- */

static enum ca_status check_passphrase(struct batch_registry *registry, struct ca_error *err)
{
    struct ca_key *key = NULL;
    struct ca_buf pem;
    enum ca_status st;

    ca_buf_init(&pem, META_ROW_MAX);
    st = copy_meta(registry->store, META_PASSPHRASE, &pem, err);
    if (st == CA_OK) {
        st = ca_key_decode(registry->crypto, ca_buf_view(&pem), ca_buf_view(&registry->secret),
                           &key, err);
    }
    ca_key_free(key);
    ca_buf_clear(&pem);
    return st;
}

enum ca_status batch_registry_passphrase(struct batch_registry *registry, bool check,
                                         struct ca_bytes *out, struct ca_error *err)
{
    enum ca_status st = CA_OK;

    *out = (struct ca_bytes){ 0 };
    if (!registry->identity.encrypted) return CA_OK;
    if (!registry->secret_known) {
        ca_buf_clear_secret(&registry->secret);
        st = ask_passphrase(&registry->passphrase, false, &registry->secret, err);
        if (st != CA_OK) return st;
        registry->secret_known = true;
    }
    if (check) {
        st = check_passphrase(registry, err);
        if (st != CA_OK) return st;
    }
    *out = ca_buf_view(&registry->secret);
    return CA_OK;
}

/* ---- The clock ---- */

enum ca_status batch_registry_read_clock(struct store_txn *txn, struct schema_clock *out,
                                         struct ca_error *err)
{
    struct ca_bytes value;
    enum ca_status st = need_meta(txn, META_CLOCK, &value, err);

    if (st != CA_OK) return st;
    return schema_decode_clock(value, out, err);
}

enum ca_status batch_registry_write_clock(struct store_txn *txn, const struct schema_clock *clock,
                                          struct ca_error *err)
{
    struct ca_buf value;
    enum ca_status st;

    ca_buf_init(&value, META_ROW_MAX);
    schema_encode_clock(clock, &value);
    st = ca_buf_status(&value, "the clock row", err);
    if (st == CA_OK) st = put_meta(txn, META_CLOCK, &value, err);
    ca_buf_clear(&value);
    return st;
}

enum ca_status batch_registry_issuing_time(struct batch_registry *registry, struct store_txn *txn,
                                           int64_t *now_ms, struct ca_error *err)
{
    struct schema_clock clock;
    char seen[CA_TIME_TEXT_MAX];
    int64_t now = ca_clock_now_ms(&registry->clock);
    enum ca_status st = batch_registry_read_clock(txn, &clock, err);

    if (st != CA_OK) return st;
    if (now < CA_CLOCK_MIN_MS) {
        st = ca_fail_named(err, CA_REFUSED, "clock",
                           "the system clock stands before 2020: it is wrong");
        ca_hint(err, "set the clock, then repeat the command");
        return st;
    }
    if (now < clock.high_time_ms - BATCH_CLOCK_BACK_MAX_MS) {
        ca_time_format(clock.high_time_ms / 1000, seen);
        st = ca_fail_named(err, CA_REFUSED, "clock",
                           "the system clock is more than five minutes behind %s, the latest time "
                           "this store has seen", seen);
        ca_hint(err, "set the clock, then repeat the command");
        return st;
    }
    *now_ms = now;
    return CA_OK;
}

/* ---- UUIDs ---- */

enum ca_status batch_uuid_draw(struct ca_crypto *crypto, uint8_t uuid[SCHEMA_UUID_LEN],
                               struct ca_error *err)
{
    enum ca_status st = ca_crypto_random(crypto, uuid, SCHEMA_UUID_LEN, err);

    if (st != CA_OK) return st;
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);       /* version 4: random */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);       /* the variant of RFC 9562 */
    return CA_OK;
}

void batch_uuid_format(const uint8_t uuid[SCHEMA_UUID_LEN], char out[37])
{
    static const size_t groups[] = { 4, 2, 2, 2, 6 };
    size_t at = 0;

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (i > 0) *out++ = '-';
        ca_hex_encode(ca_bytes_of(uuid + at, groups[i]), out);
        at += groups[i];
        out += 2 * groups[i];
    }
    assert(at == SCHEMA_UUID_LEN);
}
