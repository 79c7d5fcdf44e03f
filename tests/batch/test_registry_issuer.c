/* What issuing needs of a CA: loaded, refused (T29), checked again. */
#include "batch/registry_ca.h"
#include "engine/ca_config.h"
#include "io/file.h"
#include "tests/support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_refused(enum ca_status st, const struct ca_error *err, const char *name)
{
    if (st != CA_REFUSED) fail_msg("status %s, not refused", ca_status_name(st));
    assert_string_equal(ca_error_name(err), name);
}

static enum ca_status load(struct store_fixture *f, const char *name, bool self)
{
    struct batch_issuer *issuer = NULL;
    enum ca_status st = batch_issuer_load(f->registry, name, self, &issuer, &f->err);

    assert_true((issuer != NULL) == (st == CA_OK));
    batch_issuer_free(issuer);
    return st;
}

static void key_path(struct store_fixture *f, const char *name, char path[512])
{
    struct batch_ca ca;
    char uuid[37], inside[64];

    assert_int_equal(batch_ca_find(f->registry, NULL, name, &ca, &f->err), CA_OK);
    batch_uuid_format(ca.row.uuid, uuid);
    batch_ca_clear(&ca);
    (void)snprintf(inside, sizeof(inside), "keys/%s.pem", uuid);
    store_fixture_path(f, inside, path);
}

/* ---- Loading ---- */

static void an_active_ca_is_loaded_with_all_that_issuing_needs(void **state)
{
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;
    struct batch_ca ca;

    store_fixture_hierarchy(f);
    assert_int_equal(batch_issuer_load(f->registry, "sub", false, &issuer, &f->err), CA_OK);
    assert_int_equal(batch_ca_find(f->registry, NULL, "sub", &ca, &f->err), CA_OK);
    assert_int_equal(issuer->ca, 2);
    assert_int_equal(issuer->generation, 1);
    assert_int_equal(issuer->scope, 0);
    assert_int_equal(issuer->key_alg, CA_KEY_EC_P256);
    assert_int_equal(issuer->sig_alg, CA_SIG_ECDSA_SHA256);
    assert_false(issuer->short_lived);
    assert_false(issuer->self);
    assert_true(ca_bytes_equal(issuer->issuer->cert.der, ca.row.cert));
    assert_int_equal(issuer->issuer->chain_len, 1);
    assert_true(ca_bytes_equal(ca_key_spki(issuer->key), ca.row.spki));
    assert_string_equal(issuer->revocation->cdp_uri, "");
    assert_string_equal(issuer->revocation->ocsp_uri, "");
    batch_ca_clear(&ca);
    batch_issuer_free(issuer);
}

static void a_root_that_signs_itself_needs_no_certificate(void **state)
{
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;

    store_fixture_create(f, "root", true);
    assert_int_equal(batch_issuer_load(f->registry, "root", true, &issuer, &f->err), CA_OK);
    assert_true(issuer->self);
    assert_null(issuer->issuer);
    assert_non_null(issuer->key);
    batch_issuer_free(issuer);
}

static void a_subordinate_does_not_sign_itself(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_create(f, "sub", false);
    assert_refused(load(f, "sub", true), &f->err, "invalid-request");
}

static void an_encrypted_key_asks_for_the_passphrase_once(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    assert_int_equal(store_fixture_reopen(f, STORE_READ), CA_OK);
    f->asked = 0;
    assert_int_equal(load(f, "root", false), CA_OK);
    assert_int_equal(load(f, "root", false), CA_OK);
    assert_int_equal(f->asked, 1);
    assert_int_equal(store_fixture_reopen(f, STORE_READ), CA_OK);
    f->secret = "another one";
    assert_refused(load(f, "root", false), &f->err, "wrong-passphrase");
}

static void what_the_public_half_says_needs_no_passphrase(void **state)
{
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    assert_int_equal(store_fixture_reopen(f, STORE_READ), CA_OK);
    f->asked = 0;
    assert_int_equal(batch_issuer_load_public(f->registry, "root", false, &issuer, &f->err),
                     CA_OK);
    assert_int_equal(f->asked, 0);
    assert_null(issuer->key);
    assert_non_null(issuer->issuer);
    assert_int_equal(issuer->key_alg, CA_KEY_EC_P256);
    batch_issuer_free(issuer);
    assert_refused(batch_issuer_load_public(f->registry, "other", false, &issuer, &f->err),
                   &f->err, "no-such-ca");
}

/* ---- Key files that are not as they should be (T29) ---- */

static void a_key_file_that_others_may_touch_is_refused(void **state)
{
    static const mode_t modes[] = { 0644, 0660, 0640, 0604, 0602, 0610 };
    struct store_fixture *f = *state;
    char path[512];

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    key_path(f, "root", path);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_refused(load(f, "root", false), &f->err, "file-mode");
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(load(f, "root", false), CA_OK);
}

static void a_key_directory_that_others_may_write_to_is_refused(void **state)
{
    struct store_fixture *f = *state;
    char keys[512];

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    store_fixture_path(f, "keys", keys);
    assert_int_equal(chmod(keys, 0770), 0);
    assert_refused(load(f, "root", false), &f->err, "keys-mode");
    assert_int_equal(chmod(keys, 0702), 0);
    assert_refused(load(f, "root", false), &f->err, "keys-mode");
    assert_int_equal(chmod(keys, 0700), 0);
    assert_int_equal(load(f, "root", false), CA_OK);
}

static void a_key_file_that_is_no_regular_file_is_refused(void **state)
{
    struct store_fixture *f = *state;
    char path[512], moved[520];

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    key_path(f, "root", path);
    (void)snprintf(moved, sizeof(moved), "%s.real", path);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(load(f, "root", false), CA_IO);            /* not there */
    assert_int_equal(symlink(moved, path), 0);
    assert_refused(load(f, "root", false), &f->err, "file-type");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(load(f, "root", false), &f->err, "file-type");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(moved, path), 0);
    assert_int_equal(load(f, "root", false), CA_OK);
}

static void the_key_of_another_ca_is_refused(void **state)
{
    struct store_fixture *f = *state;
    char root[512], other[512];

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    store_fixture_create(f, "other", true);
    key_path(f, "root", root);
    key_path(f, "other", other);
    assert_int_equal(rename(other, root), 0);
    assert_refused(load(f, "root", false), &f->err, "key-mismatch");
}

static void a_plain_key_in_an_encrypted_store_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct ca_key *key = NULL;
    struct ca_buf pem;
    char path[512];

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    key_path(f, "root", path);
    ca_buf_init(&pem, 65536);
    assert_int_equal(ca_key_generate(f->registry->crypto, CA_KEY_EC_P256, &key, &f->err), CA_OK);
    assert_int_equal(ca_key_encode(f->registry->crypto, key, (struct ca_bytes){ 0 }, CA_KDF_SCRYPT,
                                   &pem, &f->err), CA_OK);
    assert_int_equal(file_write(path, 0600, ca_buf_view(&pem), &f->err), CA_OK);
    assert_refused(load(f, "root", false), &f->err, "key-not-encrypted");
    ca_key_free(key);
    ca_buf_clear_secret(&pem);
}

static void rubbish_in_a_key_file_is_malformed(void **state)
{
    static const char *const texts[] = { "", "rubbish",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n" };
    struct store_fixture *f = *state;
    char path[512];

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    key_path(f, "root", path);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(file_write(path, 0600, ca_bytes_str(texts[i]), &f->err), CA_OK);
        assert_int_equal(load(f, "root", false), CA_MALFORMED);
        assert_string_equal(ca_error_name(&f->err), "bad-key-file");
    }
}

static void rubbish_in_the_key_file_of_an_encrypted_store_is_malformed(void **state)
{
    struct store_fixture *f = *state;
    char path[512];

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    key_path(f, "root", path);
    assert_int_equal(file_write(path, 0600, ca_bytes_str("rubbish"), &f->err), CA_OK);
    assert_int_equal(load(f, "root", false), CA_MALFORMED);
    assert_string_equal(ca_error_name(&f->err), "bad-key-file");
}

/* ---- Checked again inside a transaction ---- */

static enum ca_status recheck(struct store_fixture *f, const struct batch_issuer *issuer,
                              int64_t now_ms)
{
    struct store_txn *txn = NULL;
    enum ca_status st;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    st = batch_issuer_recheck(txn, issuer, now_ms, &f->err);
    store_abort(txn);
    return st;
}

static void a_ca_that_changed_ends_issuing(void **state)
{
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;
    int64_t until_ms, last_ms;

    store_fixture_hierarchy(f);
    assert_int_equal(batch_issuer_load(f->registry, "sub", false, &issuer, &f->err), CA_OK);
    assert_int_equal(recheck(f, issuer, f->now_ms), CA_OK);
    last_ms = issuer->issuer->cert.not_after_s * 1000 + 999;
    assert_int_equal(recheck(f, issuer, last_ms), CA_OK);
    assert_refused(recheck(f, issuer, last_ms + 1), &f->err, "ca-changed");
    assert_int_equal(batch_ca_update(f->registry, "sub", SCHEMA_CA_DISABLED,
                                     (struct ca_bytes){ 0 }, &f->err), CA_OK);
    assert_refused(recheck(f, issuer, f->now_ms), &f->err, "ca-changed");
    assert_int_equal(batch_ca_delete(f->registry, "sub", 7, &until_ms, &f->err), CA_OK);
    assert_refused(recheck(f, issuer, f->now_ms), &f->err, "ca-changed");
    assert_int_equal(batch_ca_restore(f->registry, "sub", &f->err), CA_OK);
    assert_int_equal(batch_ca_update(f->registry, "sub", SCHEMA_CA_ACTIVE,
                                     (struct ca_bytes){ 0 }, &f->err), CA_OK);
    assert_int_equal(recheck(f, issuer, f->now_ms), CA_OK);     /* the same again */
    store_fixture_activate(f, "sub", "root");
    assert_refused(recheck(f, issuer, f->now_ms), &f->err, "ca-changed");
    assert_true(f->err.hint[0] != '\0');
    batch_issuer_free(issuer);
}

static void a_row_that_is_gone_is_damage(void **state)
{
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;
    struct store_txn *txn = NULL;
    struct schema_key key;

    store_fixture_create(f, "root", true);
    assert_int_equal(batch_issuer_load(f->registry, "root", true, &issuer, &f->err), CA_OK);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, &f->err), CA_OK);
    assert_int_equal(store_delete(txn, STORE_CA, schema_key_ca(&key, 1), &f->err), CA_OK);
    assert_int_equal(batch_issuer_recheck(txn, issuer, f->now_ms, &f->err), CA_CORRUPT);
    store_abort(txn);
    batch_issuer_free(issuer);
}

static void a_root_signing_itself_is_checked_by_its_own_rules(void **state)
{
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;

    store_fixture_create(f, "root", true);
    assert_int_equal(batch_issuer_load(f->registry, "root", true, &issuer, &f->err), CA_OK);
    assert_int_equal(recheck(f, issuer, f->now_ms), CA_OK);
    store_fixture_activate(f, "root", NULL);
    assert_refused(recheck(f, issuer, f->now_ms), &f->err, "ca-changed");
    batch_issuer_free(issuer);
    issuer = NULL;
    assert_int_equal(batch_issuer_load(f->registry, "root", true, &issuer, &f->err), CA_OK);
    assert_int_equal(recheck(f, issuer, f->now_ms), CA_OK);
    store_fixture_force_state(f, "root", SCHEMA_CA_DISABLED, 0);
    assert_refused(recheck(f, issuer, f->now_ms), &f->err, "ca-changed");
    batch_issuer_free(issuer);
    issuer = NULL;
    /* Disabled and expired is EXPIRED: it may renew itself. */
    f->now_ms += 11 * 365 * STORE_FIXTURE_DAY_MS;
    assert_int_equal(batch_issuer_load(f->registry, "root", true, &issuer, &f->err), CA_OK);
    assert_int_equal(recheck(f, issuer, f->now_ms), CA_OK);
    batch_issuer_free(issuer);
    store_fixture_activate(f, "root", NULL);
    assert_refused(load(f, "root", false), &f->err, "invalid-state");       /* still disabled */
}

#define PLAIN(test)                                                                                \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)
#define ENCRYPTED(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup_encrypted, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(an_active_ca_is_loaded_with_all_that_issuing_needs),
        PLAIN(a_root_that_signs_itself_needs_no_certificate),
        PLAIN(a_subordinate_does_not_sign_itself),
        ENCRYPTED(an_encrypted_key_asks_for_the_passphrase_once),
        ENCRYPTED(what_the_public_half_says_needs_no_passphrase),
        PLAIN(a_key_file_that_others_may_touch_is_refused),
        PLAIN(a_key_directory_that_others_may_write_to_is_refused),
        PLAIN(a_key_file_that_is_no_regular_file_is_refused),
        PLAIN(the_key_of_another_ca_is_refused),
        ENCRYPTED(a_plain_key_in_an_encrypted_store_is_refused),
        PLAIN(rubbish_in_a_key_file_is_malformed),
        ENCRYPTED(rubbish_in_the_key_file_of_an_encrypted_store_is_malformed),
        PLAIN(a_ca_that_changed_ends_issuing),
        PLAIN(a_row_that_is_gone_is_damage),
        PLAIN(a_root_signing_itself_is_checked_by_its_own_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
