/* A CA's life after its activation: expiry, update, delete, restore and the end. */
#include "batch/registry_ca.h"
#include "engine/ca_config.h"
#include "io/fault_testing.h"
#include "tests/support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_refused(enum ca_status st, const struct ca_error *err, const char *name)
{
    if (st != CA_REFUSED) fail_msg("status %s, not refused", ca_status_name(st));
    assert_string_equal(ca_error_name(err), name);
}

static void find(struct store_fixture *f, const char *name, struct batch_ca *ca)
{
    if (batch_ca_find(f->registry, NULL, name, ca, &f->err) != CA_OK) {
        fail_msg("find %s: %s", name, f->err.text);
    }
}

static void assert_status(struct store_fixture *f, const char *name, const char *status)
{
    struct batch_ca ca;

    find(f, name, &ca);
    assert_string_equal(batch_ca_status_name(&ca), status);
    batch_ca_clear(&ca);
}

static void an_unknown_ca_is_no_such_ca_for_every_operation(void **state)
{
    const struct batch_tag tag = { "k", "v" };
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;
    int64_t until_ms;

    assert_refused(batch_ca_update(f->registry, "x", SCHEMA_CA_ACTIVE, (struct ca_bytes){ 0 },
                                   &f->err), &f->err, "no-such-ca");
    assert_refused(batch_ca_delete(f->registry, "x", 0, &until_ms, &f->err), &f->err, "no-such-ca");
    assert_refused(batch_ca_restore(f->registry, "x", &f->err), &f->err, "no-such-ca");
    assert_refused(batch_ca_tag(f->registry, "x", &tag, 1, &f->err), &f->err, "no-such-ca");
    assert_refused(batch_ca_untag(f->registry, "x", &tag, 1, &f->err), &f->err, "no-such-ca");
    assert_refused(batch_issuer_load(f->registry, "x", false, &issuer, &f->err), &f->err,
                   "no-such-ca");
}

/* ---- Time and update ---- */

/* What the reserve is for: a CA can be stopped on a full disk too. */
static void a_ca_is_disabled_on_a_full_disk_from_the_reserve(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    assert_int_equal(store_reserve_check(f->registry->store, &f->err), CA_OK);
    assert_int_equal(fault_testing_setup("store.commit:1=ENOSPC", NULL, NULL), CA_OK);
    assert_int_equal(batch_ca_update(f->registry, "root", SCHEMA_CA_DISABLED,
                                     (struct ca_bytes){ 0 }, &f->err), CA_OK);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    assert_int_equal(batch_ca_find(f->registry, NULL, "root", &ca, &f->err), CA_OK);
    assert_string_equal(batch_ca_status_name(&ca), "DISABLED");
    batch_ca_clear(&ca);
    /* Given up: issuing would refuse to start. */
    assert_refused(store_reserve_check(f->registry->store, &f->err), &f->err, "no-reserve");
}

static void a_disk_that_stays_full_is_said_to_be(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    assert_int_equal(fault_testing_setup("store.commit:1+=ENOSPC", NULL, NULL), CA_OK);
    assert_int_equal(batch_ca_update(f->registry, "root", SCHEMA_CA_DISABLED,
                                     (struct ca_bytes){ 0 }, &f->err), CA_FULL);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
}

static void a_ca_expires_after_the_last_second_of_its_certificate(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;
    int64_t not_after_s;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    find(f, "root", &ca);
    not_after_s = ca.not_after_s;
    batch_ca_clear(&ca);
    f->now_ms = not_after_s * 1000 + 999;
    assert_status(f, "root", "ACTIVE");
    f->now_ms++;
    assert_status(f, "root", "EXPIRED");
}

static void disabling_and_enabling_move_the_time_of_the_last_change(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    f->now_ms += 1000;
    assert_int_equal(batch_ca_update(f->registry, "root", SCHEMA_CA_ACTIVE, (struct ca_bytes){ 0 },
                                     &f->err), CA_OK);
    find(f, "root", &ca);
    assert_true(ca.row.changed_ms == f->now_ms - 1000);         /* nothing changed */
    batch_ca_clear(&ca);
    assert_int_equal(batch_ca_update(f->registry, "root", SCHEMA_CA_DISABLED,
                                     (struct ca_bytes){ 0 }, &f->err), CA_OK);
    find(f, "root", &ca);
    assert_string_equal(batch_ca_status_name(&ca), "DISABLED");
    assert_true(ca.row.changed_ms == f->now_ms);
    batch_ca_clear(&ca);
    assert_int_equal(batch_ca_update(f->registry, "root", SCHEMA_CA_ACTIVE, (struct ca_bytes){ 0 },
                                     &f->err), CA_OK);
    assert_status(f, "root", "ACTIVE");
}

static void an_update_replaces_the_half_it_names(void **state)
{
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    assert_int_equal(batch_ca_update(f->registry, "root", 0,
        ca_bytes_str("{\"CrlConfiguration\":{\"Enabled\":true,\"ExpirationInDays\":7,"
                     "\"CustomCname\":\"crl.example\"}}"), &f->err), CA_OK);
    assert_int_equal(batch_ca_update(f->registry, "root", 0,
        ca_bytes_str("{\"OcspConfiguration\":{\"Enabled\":true,"
                     "\"OcspCustomCname\":\"ocsp.example\"}}"), &f->err), CA_OK);
    assert_int_equal(batch_issuer_load(f->registry, "root", false, &issuer, &f->err), CA_OK);
    assert_true(issuer->revocation->crl_enabled && issuer->revocation->ocsp_enabled);
    assert_true(strncmp(issuer->revocation->cdp_uri, "http://crl.example/crl/", 23) == 0);
    assert_non_null(strstr(issuer->revocation->ocsp_uri, "ocsp.example"));
    batch_issuer_free(issuer);
}

static void an_update_against_the_rules_changes_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca before, after;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    find(f, "root", &before);
    assert_int_equal(batch_ca_update(f->registry, "root", SCHEMA_CA_DISABLED,
                                     ca_bytes_str("{\"CrlConfiguration\":{\"Enabled\":\"yes\"}}"),
                                     &f->err), CA_REFUSED);
    assert_refused(batch_ca_update(f->registry, "root", SCHEMA_CA_DELETED, (struct ca_bytes){ 0 },
                                   &f->err), &f->err, "invalid-request");
    find(f, "root", &after);
    assert_true(ca_bytes_equal(ca_buf_view(&before.value), ca_buf_view(&after.value)));
    batch_ca_clear(&before);
    batch_ca_clear(&after);
}

/* ---- Delete, restore, the end ---- */

static void delete_sub(struct store_fixture *f, uint32_t days, int64_t expected_days)
{
    int64_t until_ms = 0;

    assert_int_equal(batch_ca_delete(f->registry, "sub", days, &until_ms, &f->err), CA_OK);
    assert_true(until_ms == f->now_ms + expected_days * STORE_FIXTURE_DAY_MS);
    assert_status(f, "sub", "DELETED");
}

static void restore_gives_back_the_state_before(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_hierarchy(f);
    assert_int_equal(batch_ca_update(f->registry, "sub", SCHEMA_CA_DISABLED,
                                     (struct ca_bytes){ 0 }, &f->err), CA_OK);
    delete_sub(f, 0, 30);
    assert_int_equal(batch_ca_restore(f->registry, "sub", &f->err), CA_OK);
    assert_status(f, "sub", "DISABLED");
    store_fixture_create(f, "pending", false);
    assert_int_equal(batch_ca_delete(f->registry, "pending", 7, &(int64_t){ 0 }, &f->err), CA_OK);
    assert_int_equal(batch_ca_restore(f->registry, "pending", &f->err), CA_OK);
    assert_status(f, "pending", "PENDING_CERTIFICATE");
}

static void a_certificate_that_lapsed_while_deleted_shows_after_the_restore(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_hierarchy(f);
    assert_int_equal(batch_ca_update(f->registry, "sub", SCHEMA_CA_DISABLED,
                                     (struct ca_bytes){ 0 }, &f->err), CA_OK);
    f->now_ms += (3 * 365 - 10) * STORE_FIXTURE_DAY_MS;     /* 3 calendar years have a day more */
    delete_sub(f, 20, 20);
    f->now_ms += 19 * STORE_FIXTURE_DAY_MS;
    assert_status(f, "sub", "DELETED");
    assert_int_equal(batch_ca_restore(f->registry, "sub", &f->err), CA_OK);
    assert_status(f, "sub", "EXPIRED");
}

static void the_restore_window_has_7_to_30_days(void **state)
{
    struct store_fixture *f = *state;
    int64_t until_ms;

    store_fixture_create(f, "sub", false);
    assert_refused(batch_ca_delete(f->registry, "sub", 6, &until_ms, &f->err), &f->err,
                   "invalid-request");
    assert_refused(batch_ca_delete(f->registry, "sub", 31, &until_ms, &f->err), &f->err,
                   "invalid-request");
    delete_sub(f, 7, 7);
    assert_int_equal(batch_ca_restore(f->registry, "sub", &f->err), CA_OK);
    delete_sub(f, 30, 30);
}

static void sub_key_path(struct store_fixture *f, char path[512])
{
    struct batch_ca ca;
    char uuid[37], inside[64];

    find(f, "sub", &ca);
    batch_uuid_format(ca.row.uuid, uuid);
    batch_ca_clear(&ca);
    (void)snprintf(inside, sizeof(inside), "keys/%s.pem", uuid);
    store_fixture_path(f, inside, path);
}

static uint8_t raw_state(struct store_fixture *f, uint32_t number)
{
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct schema_ca row;
    struct ca_bytes value;
    bool found = false;
    uint8_t state;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    assert_int_equal(store_get(txn, STORE_CA, schema_key_ca(&key, number), &found, &value, &f->err),
                     CA_OK);
    assert_true(found);
    assert_int_equal(schema_decode_ca(value, &row, &f->err), CA_OK);
    state = row.state;
    store_abort(txn);
    return state;
}

static void the_first_write_open_after_the_window_erases_the_key(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;
    char path[512];

    store_fixture_create(f, "sub", false);
    sub_key_path(f, path);
    delete_sub(f, 7, 7);
    f->now_ms += 7 * STORE_FIXTURE_DAY_MS - 1;
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
    assert_status(f, "sub", "DELETED");
    assert_int_equal(access(path, F_OK), 0);
    f->now_ms++;
    assert_int_equal(store_fixture_reopen(f, STORE_READ), CA_OK);
    assert_refused(batch_ca_find(f->registry, NULL, "sub", &ca, &f->err), &f->err, "no-such-ca");
    assert_int_equal(access(path, F_OK), 0);        /* reading changes nothing */
    assert_int_equal(raw_state(f, 1), SCHEMA_CA_DELETED);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(raw_state(f, 1), SCHEMA_CA_TOMBSTONE);
    assert_refused(batch_ca_find(f->registry, NULL, "sub", &ca, &f->err), &f->err, "no-such-ca");
    assert_refused(batch_ca_restore(f->registry, "sub", &f->err), &f->err, "no-such-ca");
    /* A clock set back does not bring it to life. */
    f->now_ms -= 7 * STORE_FIXTURE_DAY_MS;
    assert_refused(batch_ca_restore(f->registry, "sub", &f->err), &f->err, "no-such-ca");
}

static enum ca_status count_one(void *ctx, const struct batch_ca *ca, struct ca_error *err)
{
    (void)ca;
    (void)err;
    ++*(unsigned *)ctx;
    return CA_OK;
}

static void a_name_is_free_again_when_its_ca_is_gone(void **state)
{
    struct store_fixture *f = *state;
    char config[512], path[512];
    struct batch_ca_create spec = { .name = "sub", .token = "once" };
    struct batch_ca ca;
    unsigned count = 0;
    bool existed = true;

    store_fixture_config("sub", "EC_prime256v1", "SHA256WITHECDSA", config);
    spec.config_json = ca_bytes_str(config);
    assert_int_equal(batch_ca_create(f->registry, &spec, &ca, &existed, &f->err), CA_OK);
    batch_ca_clear(&ca);
    sub_key_path(f, path);
    delete_sub(f, 7, 7);
    spec.token = NULL;
    assert_refused(batch_ca_create(f->registry, &spec, &ca, &existed, &f->err), &f->err,
                   "ca-exists");
    /* The window ends while the store is open: the create itself buries the old one. Its token is
     * free again, too. */
    f->now_ms += 7 * STORE_FIXTURE_DAY_MS;
    spec.token = "once";
    assert_int_equal(batch_ca_create(f->registry, &spec, &ca, &existed, &f->err), CA_OK);
    assert_false(existed);
    assert_int_equal(ca.number, 2);
    batch_ca_clear(&ca);
    assert_int_equal(raw_state(f, 1), SCHEMA_CA_TOMBSTONE);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(batch_ca_each(f->registry, count_one, &count, &f->err), CA_OK);
    assert_int_equal(count, 1);
}

static void a_failed_ca_is_gone_at_once(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;
    int64_t until_ms = -1;
    char path[512];

    store_fixture_create(f, "sub", false);
    sub_key_path(f, path);
    store_fixture_force_state(f, "sub", SCHEMA_CA_FAILED, 0);
    assert_int_equal(batch_ca_delete(f->registry, "sub", 30, &until_ms, &f->err), CA_OK);
    assert_true(until_ms == 0);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_refused(batch_ca_find(f->registry, NULL, "sub", &ca, &f->err), &f->err, "no-such-ca");
}

#define TEST(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_ca_is_no_such_ca_for_every_operation),
        TEST(a_ca_is_disabled_on_a_full_disk_from_the_reserve),
        TEST(a_disk_that_stays_full_is_said_to_be),
        TEST(a_ca_expires_after_the_last_second_of_its_certificate),
        TEST(disabling_and_enabling_move_the_time_of_the_last_change),
        TEST(an_update_replaces_the_half_it_names),
        TEST(an_update_against_the_rules_changes_nothing),
        TEST(restore_gives_back_the_state_before),
        TEST(a_certificate_that_lapsed_while_deleted_shows_after_the_restore),
        TEST(the_restore_window_has_7_to_30_days),
        TEST(the_first_write_open_after_the_window_erases_the_key),
        TEST(a_name_is_free_again_when_its_ca_is_gone),
        TEST(a_failed_ca_is_gone_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
