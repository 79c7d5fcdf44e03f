/* The registry: a store made, opened, its clock and its passphrase. */
#include "batch/registry.h"
#include "engine/serial.h"
#include "tests/support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

static void assert_refused(enum ca_status st, const struct ca_error *err, const char *name)
{
    assert_int_equal(st, CA_REFUSED);
    assert_string_equal(ca_error_name(err), name);
    assert_true(err->text[0] != '\0');
}

static enum ca_status say(void *ctx, bool confirm, struct ca_buf *out, struct ca_error *err)
{
    (void)confirm;
    ca_buf_append_str(out, ctx);
    return ca_buf_status(out, "the passphrase", err);
}

/* A second store beside the fixture's. */
static enum ca_status init_beside(struct store_fixture *f, struct batch_init_spec *spec, char *dir,
                                  size_t size)
{
    (void)snprintf(dir, size, "%s/second", f->root);
    spec->dir = dir;
    spec->reserve_bytes = 1 << 16;
    spec->clock = f->clock;
    return batch_registry_init(spec, &f->err);
}

static void a_new_store_is_local_and_without_an_account(void **state)
{
    struct store_fixture *f = *state;
    const struct schema_identity *identity = &f->registry->identity;

    assert_int_equal(identity->schema_version, STORE_SCHEMA_VERSION);
    assert_true(ca_bytes_equal(identity->region, ca_bytes_str("local")));
    assert_true(ca_bytes_equal(identity->account, ca_bytes_str("000000000000")));
    assert_true(identity->created_ms == STORE_FIXTURE_NOW_MS);
    assert_false(identity->encrypted);
}

static void region_and_account_are_kept(void **state)
{
    struct store_fixture *f = *state;
    struct batch_init_spec spec = { .region = "eu-central-1", .account = "123456789012" };
    struct batch_open_spec open = { .access = STORE_READ, .clock = f->clock };
    struct batch_registry *registry = NULL;
    char dir[320];

    assert_int_equal(init_beside(f, &spec, dir, sizeof(dir)), CA_OK);
    open.dir = dir;
    assert_int_equal(batch_registry_open(&open, &registry, &f->err), CA_OK);
    assert_true(ca_bytes_equal(registry->identity.region, ca_bytes_str("eu-central-1")));
    assert_true(ca_bytes_equal(registry->identity.account, ca_bytes_str("123456789012")));
    batch_registry_close(registry);
}

static void a_region_or_account_that_fits_no_arn_is_refused(void **state)
{
    static const char *const regions[] = { "", "EU", "a:b", "a/b", "a b",
        "0123456789012345678901234567890123456789012345678901234567890123" };
    static const char *const accounts[] = { "", "12345678901", "1234567890123", "12345678901a" };
    struct store_fixture *f = *state;
    char dir[320];

    for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        struct batch_init_spec spec = { .region = regions[i] };

        assert_refused(init_beside(f, &spec, dir, sizeof(dir)), &f->err, "region");
    }
    for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
        struct batch_init_spec spec = { .account = accounts[i] };

        assert_refused(init_beside(f, &spec, dir, sizeof(dir)), &f->err, "account");
    }
}

static void a_store_is_not_made_over_another(void **state)
{
    struct store_fixture *f = *state;
    struct batch_init_spec spec = { .dir = f->dir, .reserve_bytes = 1 << 16, .clock = f->clock };

    assert_refused(batch_registry_init(&spec, &f->err), &f->err, "store-exists");
}

static void a_store_that_is_not_there_cannot_be_opened(void **state)
{
    struct store_fixture *f = *state;
    struct batch_open_spec open = { .access = STORE_READ, .clock = f->clock };
    struct batch_registry *registry = NULL;
    char dir[320];

    (void)snprintf(dir, sizeof(dir), "%s/nothing", f->root);
    open.dir = dir;
    assert_refused(batch_registry_open(&open, &registry, &f->err), &f->err, "no-store");
    assert_null(registry);
}

static void an_encrypted_store_needs_a_passphrase_of_some_length(void **state)
{
    struct store_fixture *f = *state;
    struct batch_init_spec spec = { .encrypted = true, .passphrase = { .get = say, .ctx = "" } };
    char dir[320], long_secret[CA_PASSPHRASE_MAX + 2] = "";

    assert_refused(init_beside(f, &spec, dir, sizeof(dir)), &f->err, "passphrase-needed");
    spec.passphrase.ctx = long_secret;
    memset(long_secret, 'x', sizeof(long_secret) - 1);
    assert_refused(init_beside(f, &spec, dir, sizeof(dir)), &f->err, "passphrase-too-long");
    spec.passphrase.get = NULL;
    assert_refused(init_beside(f, &spec, dir, sizeof(dir)), &f->err, "passphrase-needed");
}

static void a_store_without_encryption_never_asks(void **state)
{
    struct store_fixture *f = *state;
    struct ca_bytes secret = ca_bytes_str("x");

    assert_int_equal(batch_registry_passphrase(f->registry, true, &secret, &f->err), CA_OK);
    assert_int_equal(secret.len, 0);
    assert_int_equal(f->asked, 0);
}

static void the_passphrase_is_asked_for_once(void **state)
{
    struct store_fixture *f = *state;
    struct ca_bytes secret;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(batch_registry_passphrase(f->registry, i == 1, &secret, &f->err), CA_OK);
        assert_true(ca_bytes_equal(secret, ca_bytes_str(STORE_FIXTURE_PASSPHRASE)));
    }
    assert_int_equal(f->asked, 1);
}

static void a_mistyped_passphrase_is_noticed_when_it_is_checked(void **state)
{
    struct store_fixture *f = *state;
    struct ca_bytes secret;

    f->secret = "correct horse battery stable";
    assert_refused(batch_registry_passphrase(f->registry, true, &secret, &f->err), &f->err,
                   "wrong-passphrase");
    assert_int_equal(secret.len, 0);
}

/* OpenSSL's own reader judges: encrypted PKCS#8 under scrypt that opens with the passphrase only.
 * */
static void the_check_value_is_an_encrypted_key(void **state)
{
    struct store_fixture *f = *state;
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct ca_bytes value;
    bool found = false;
    BIO *bio;
    X509_SIG *sealed;
    PKCS8_PRIV_KEY_INFO *plain;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    assert_int_equal(store_get(txn, STORE_META, schema_key_meta(&key, "passphrase"), &found, &value,
                               &f->err), CA_OK);
    assert_true(found);
    bio = BIO_new_mem_buf(value.data, (int)value.len);
    sealed = PEM_read_bio_PKCS8(bio, NULL, NULL, NULL);
    assert_non_null(sealed);
    plain = PKCS8_decrypt(sealed, "another one", 11);
    assert_null(plain);
    plain = PKCS8_decrypt(sealed, STORE_FIXTURE_PASSPHRASE, (int)strlen(STORE_FIXTURE_PASSPHRASE));
    assert_non_null(plain);
    PKCS8_PRIV_KEY_INFO_free(plain);
    X509_SIG_free(sealed);
    BIO_free(bio);
    store_abort(txn);
}

static void set_clock(struct store_fixture *f, const struct schema_clock *clock)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, &f->err), CA_OK);
    assert_int_equal(batch_registry_write_clock(txn, clock, &f->err), CA_OK);
    assert_int_equal(store_commit(txn, &f->err), CA_OK);
}

static void the_clock_row_is_what_was_written_last(void **state)
{
    struct store_fixture *f = *state;
    struct schema_clock clock = { .last_tick_ms = 17, .high_time_ms = 18, .last_ca = 3,
                                  .last_job = 4 };
    struct store_txn *txn = NULL;

    set_clock(f, &clock);
    assert_int_equal(store_fixture_reopen(f, STORE_READ), CA_OK);
    memset(&clock, 0, sizeof(clock));
    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    assert_int_equal(batch_registry_read_clock(txn, &clock, &f->err), CA_OK);
    store_abort(txn);
    assert_true(clock.last_tick_ms == 17 && clock.high_time_ms == 18);
    assert_int_equal(clock.last_ca, 3);
    assert_int_equal(clock.last_job, 4);
}

static enum ca_status issuing_time(struct store_fixture *f, int64_t *now_ms)
{
    struct store_txn *txn = NULL;
    enum ca_status st;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    st = batch_registry_issuing_time(f->registry, txn, now_ms, &f->err);
    store_abort(txn);
    return st;
}

static void issuing_refuses_a_clock_before_2020(void **state)
{
    struct store_fixture *f = *state;
    int64_t now_ms = 0;

    f->now_ms = CA_CLOCK_MIN_MS - 1;
    assert_refused(issuing_time(f, &now_ms), &f->err, "clock");
    f->now_ms = CA_CLOCK_MIN_MS;
    assert_int_equal(issuing_time(f, &now_ms), CA_OK);
    assert_true(now_ms == CA_CLOCK_MIN_MS);
}

static void issuing_refuses_a_clock_that_went_back_more_than_five_minutes(void **state)
{
    struct store_fixture *f = *state;
    struct schema_clock clock = { .high_time_ms = STORE_FIXTURE_NOW_MS };
    int64_t now_ms = 0;

    set_clock(f, &clock);
    f->now_ms = STORE_FIXTURE_NOW_MS - 300000;
    assert_int_equal(issuing_time(f, &now_ms), CA_OK);
    assert_true(now_ms == f->now_ms);
    f->now_ms--;
    assert_refused(issuing_time(f, &now_ms), &f->err, "clock");
    assert_non_null(strstr(f->err.text, "2026-09-21T14:13:20Z"));
    assert_true(f->err.hint[0] != '\0');
}

static void a_store_without_its_clock_is_damaged(void **state)
{
    struct store_fixture *f = *state;
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct schema_clock clock;

    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, &f->err), CA_OK);
    assert_int_equal(store_delete(txn, STORE_META, schema_key_meta(&key, "clock"), &f->err), CA_OK);
    assert_int_equal(batch_registry_read_clock(txn, &clock, &f->err), CA_CORRUPT);
    assert_string_equal(ca_error_name(&f->err), "store-damaged");
    store_abort(txn);
}

/* RFC 9562 5.4 */
static void a_uuid_is_random_and_says_so(void **state)
{
    struct store_fixture *f = *state;
    uint8_t uuid[SCHEMA_UUID_LEN], other[SCHEMA_UUID_LEN];
    char text[37];

    for (int i = 0; i < 200; i++) {
        assert_int_equal(batch_uuid_draw(f->registry->crypto, uuid, &f->err), CA_OK);
        assert_int_equal(batch_uuid_draw(f->registry->crypto, other, &f->err), CA_OK);
        assert_memory_not_equal(uuid, other, sizeof(uuid));
        batch_uuid_format(uuid, text);
        assert_int_equal(text[14], '4');
        assert_non_null(strchr("89ab", text[19]));
    }
}

static void a_uuid_is_written_in_groups_of_8_4_4_4_12(void **state)
{
    static const uint8_t uuid[SCHEMA_UUID_LEN] = {
        0x91, 0x91, 0x08, 0xf7, 0x52, 0xd1, 0x43, 0x20,
        0x9b, 0xac, 0xf8, 0x47, 0xdb, 0x41, 0x48, 0xa8,
    };
    char text[37];

    (void)state;
    batch_uuid_format(uuid, text);
    assert_string_equal(text, "919108f7-52d1-4320-9bac-f847db4148a8");     /* RFC 9562 A.3 */
}

#define PLAIN(test)                                                                                \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)
#define ENCRYPTED(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup_encrypted, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(a_new_store_is_local_and_without_an_account),
        PLAIN(region_and_account_are_kept),
        PLAIN(a_region_or_account_that_fits_no_arn_is_refused),
        PLAIN(a_store_is_not_made_over_another),
        PLAIN(a_store_that_is_not_there_cannot_be_opened),
        PLAIN(an_encrypted_store_needs_a_passphrase_of_some_length),
        PLAIN(a_store_without_encryption_never_asks),
        ENCRYPTED(the_passphrase_is_asked_for_once),
        ENCRYPTED(a_mistyped_passphrase_is_noticed_when_it_is_checked),
        ENCRYPTED(the_check_value_is_an_encrypted_key),
        PLAIN(the_clock_row_is_what_was_written_last),
        PLAIN(issuing_refuses_a_clock_before_2020),
        PLAIN(issuing_refuses_a_clock_that_went_back_more_than_five_minutes),
        PLAIN(a_store_without_its_clock_is_damaged),
        PLAIN(a_uuid_is_random_and_says_so),
        PLAIN(a_uuid_is_written_in_groups_of_8_4_4_4_12),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
