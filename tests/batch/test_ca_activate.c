/* CAs certified inside the store: chains that OpenSSL accepts, rows like any issued certificate's.
 * */
#include "batch/registry_ca.h"
#include "engine/serial.h"
#include "tests/support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

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

static X509 *next_cert(const uint8_t **at, const uint8_t *end)
{
    X509 *cert = d2i_X509(NULL, at, (long)(end - *at));

    assert_non_null(cert);
    return cert;
}

static X509 *cert_of(struct store_fixture *f, const char *name)
{
    struct batch_ca ca;
    const uint8_t *at;
    X509 *cert;

    find(f, name, &ca);
    at = ca.row.cert.data;
    cert = next_cert(&at, at + ca.row.cert.len);
    batch_ca_clear(&ca);
    return cert;
}

/* OpenSSL builds the path from a CA's certificate over its stored chain to the root; the result is
 * X509_V_OK or why not. */
static int verify(struct store_fixture *f, const char *name, const char *root)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *trusted = cert_of(f, root), *leaf = cert_of(f, name);
    struct batch_ca ca;
    const uint8_t *at, *end;
    int result;

    find(f, name, &ca);
    at = ca.row.chain.data;
    end = at + ca.row.chain.len;
    while (at < end) assert_true(sk_X509_push(chain, next_cert(&at, end)) > 0);
    batch_ca_clear(&ca);
    assert_int_equal(X509_STORE_add_cert(store, trusted), 1);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf, chain), 1);
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)(f->now_ms / 1000));
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx),
                                X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    (void)X509_verify_cert(ctx);
    result = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    sk_X509_pop_free(chain, X509_free);
    X509_free(trusted);
    X509_free(leaf);
    return result;
}

static enum ca_status activate(struct store_fixture *f, const char *name, const char *parent,
                               const char *tmpl, struct ca_validity validity)
{
    struct batch_ca_activate spec = { .name = name, .parent = parent, .tmpl = tmpl,
                                      .validity = validity };
    struct ca_serial serial = { 0 };

    return batch_ca_activate(f->registry, &spec, &serial, &f->err);
}

static const struct ca_validity by_default = { 0 };

static void a_root_and_its_subordinate_verify(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_hierarchy(f);
    assert_int_equal(verify(f, "root", "root"), X509_V_OK);
    assert_int_equal(verify(f, "sub", "root"), X509_V_OK);
}

static void four_levels_verify_with_their_chain(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    store_fixture_create(f, "policy", false);
    assert_int_equal(activate(f, "policy", "root", "SubordinateCACertificate_PathLen1",
                              (struct ca_validity){ CA_VALIDITY_YEARS, 5 }), CA_OK);
    store_fixture_create(f, "issuing", false);
    store_fixture_activate(f, "issuing", "policy");
    assert_int_equal(verify(f, "issuing", "root"), X509_V_OK);
    store_fixture_create(f, "below", false);
    assert_refused(activate(f, "below", "issuing", NULL, by_default), &f->err, "path-length");
    find(f, "below", &ca);
    assert_string_equal(batch_ca_status_name(&ca), "PENDING_CERTIFICATE");
    batch_ca_clear(&ca);
}

static void every_pair_of_key_algorithms_verifies(void **state)
{
    static const char *const algs[][2] = {
        { "RSA_2048", "SHA512WITHRSA" }, { "EC_prime256v1", "SHA256WITHECDSA" },
        { "EC_secp384r1", "SHA384WITHECDSA" }, { "EC_secp521r1", "SHA256WITHECDSA" },
        { "ED25519", "ED25519" },
    };
    struct store_fixture *f = *state;
    const size_t count = sizeof(algs) / sizeof(algs[0]);

    for (size_t i = 0; i < count; i++) {
        for (int root = 1; root >= 0; root--) {
            struct batch_ca_create spec = { .is_root = root == 1 };
            struct batch_ca ca;
            char config[512], name[32];
            bool existed;

            (void)snprintf(name, sizeof(name), "%s%zu", root ? "root" : "sub", i);
            store_fixture_config(name, algs[i][0], algs[i][1], config);
            spec.name = name;
            spec.config_json = ca_bytes_str(config);
            assert_int_equal(batch_ca_create(f->registry, &spec, &ca, &existed, &f->err), CA_OK);
            batch_ca_clear(&ca);
            if (root) store_fixture_activate(f, name, NULL);
        }
    }
    for (size_t i = 0; i < count; i++) {
        char root[16], sub[16];

        (void)snprintf(root, sizeof(root), "root%zu", i);
        (void)snprintf(sub, sizeof(sub), "sub%zu", (i + 1) % count);
        store_fixture_activate(f, sub, root);
        assert_int_equal(verify(f, sub, root), X509_V_OK);
    }
}

/* Spec section 5: 10 years, 3 years, an hour back. */
static void defaults_are_ten_years_and_three(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca root, sub;

    store_fixture_hierarchy(f);
    find(f, "root", &root);
    find(f, "sub", &sub);
    assert_true(root.not_before_s == f->now_ms / 1000 - 3600);
    assert_true(sub.not_before_s == f->now_ms / 1000 - 3600);
    assert_true(root.not_after_s == INT64_C(2105619200));   /* 2036-09-21T14:13:20Z */
    assert_true(sub.not_after_s == INT64_C(1884694400));    /* 2029-09-21T14:13:20Z */
    batch_ca_clear(&root);
    batch_ca_clear(&sub);
}

static void a_certificate_is_stored_like_any_other(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca_activate root = { .name = "root" }, sub = { .name = "sub", .parent = "root" };
    struct ca_serial root_serial, sub_serial;
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct schema_cert row;
    struct schema_clock clock;
    struct ca_bytes value;
    struct batch_ca ca;
    bool found = false;

    store_fixture_create(f, "root", true);
    store_fixture_create(f, "sub", false);
    assert_int_equal(batch_ca_activate(f->registry, &root, &root_serial, &f->err), CA_OK);
    assert_int_equal(batch_ca_activate(f->registry, &sub, &sub_serial, &f->err), CA_OK);
    assert_true(ca_serial_tick_ms(&root_serial) == f->now_ms);
    assert_true(ca_serial_tick_ms(&sub_serial) == f->now_ms + 1);   /* ticks never stand still */
    find(f, "sub", &ca);
    assert_int_equal(ca_serial_compare(&ca.serial, &sub_serial), 0);
    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    assert_int_equal(store_get(txn, STORE_CERT, schema_key_cert(&key, sub_serial.octets, 1), &found,
                               &value, &f->err), CA_OK);
    assert_true(found);
    assert_int_equal(schema_decode_cert(value, &row, &f->err), CA_OK);
    assert_true(ca_bytes_equal(row.der, ca.row.cert));
    assert_int_equal(row.job, 0);
    assert_int_equal(row.ca_generation, 1);
    assert_true(row.not_after_s == ca.not_after_s && row.not_before_s == ca.not_before_s);
    assert_int_equal(store_get(txn, STORE_EXPIRY,
                               schema_key_expiry(&key, ca.not_after_s, 1, sub_serial.octets),
                               &found, &value, &f->err), CA_OK);
    assert_true(found);
    assert_int_equal(store_get(txn, STORE_CERT, schema_key_cert(&key, root_serial.octets, 1),
                               &found, &value, &f->err), CA_OK);
    assert_true(found);
    assert_int_equal(batch_registry_read_clock(txn, &clock, &f->err), CA_OK);
    assert_true(clock.last_tick_ms == f->now_ms + 1);
    assert_true(clock.high_time_ms == f->now_ms);
    assert_int_equal(clock.last_ca, 2);
    store_abort(txn);
    batch_ca_clear(&ca);
}

static void the_profile_of_a_certificate_is_kept(void **state)
{
    struct store_fixture *f = *state;
    struct store_txn *txn = NULL;
    uint64_t rows = 0;

    store_fixture_hierarchy(f);
    store_fixture_activate(f, "sub", "root");       /* the same profile once more */
    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    assert_int_equal(store_count(txn, STORE_PROFILE, &rows, &f->err), CA_OK);
    assert_int_equal(rows, 2);
    assert_int_equal(store_count(txn, STORE_CERT, &rows, &f->err), CA_OK);
    assert_int_equal(rows, 3);
    store_abort(txn);
}

static void another_activation_counts_a_generation(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;

    store_fixture_hierarchy(f);
    f->now_ms += 1000;
    store_fixture_activate(f, "sub", "root");
    find(f, "sub", &ca);
    assert_int_equal(ca.row.generation, 2);
    assert_string_equal(batch_ca_status_name(&ca), "ACTIVE");
    assert_true(ca.row.changed_ms == f->now_ms);
    batch_ca_clear(&ca);
    assert_int_equal(verify(f, "sub", "root"), X509_V_OK);
}

static void the_parents_uris_stand_in_the_certificate_and_a_root_has_none(void **state)
{
    struct store_fixture *f = *state;
    X509 *root, *sub;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    assert_int_equal(batch_ca_update(f->registry, "root", 0,
        ca_bytes_str("{\"CrlConfiguration\":{\"Enabled\":true,\"CustomCname\":\"crl.example\"},"
                     "\"OcspConfiguration\":{\"Enabled\":true,\"OcspCustomCname\":"
                     "\"ocsp.example\"}}"), &f->err), CA_OK);
    store_fixture_activate(f, "root", NULL);
    store_fixture_create(f, "sub", false);
    store_fixture_activate(f, "sub", "root");
    root = cert_of(f, "root");
    sub = cert_of(f, "sub");
    assert_true(X509_get_ext_by_NID(root, NID_crl_distribution_points, -1) < 0);
    assert_true(X509_get_ext_by_NID(root, NID_info_access, -1) < 0);
    assert_true(X509_get_ext_by_NID(sub, NID_crl_distribution_points, -1) >= 0);
    assert_true(X509_get_ext_by_NID(sub, NID_info_access, -1) >= 0);
    X509_free(root);
    X509_free(sub);
}

/* ---- Mistakes: each stops before the first signature (T33) ---- */

static void assert_nothing_issued(struct store_fixture *f)
{
    struct store_txn *txn = NULL;
    uint64_t rows = 99;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    assert_int_equal(store_count(txn, STORE_CERT, &rows, &f->err), CA_OK);
    store_abort(txn);
    assert_int_equal(rows, 0);
}

static void a_root_with_a_parent_and_a_subordinate_without_are_refused(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    store_fixture_create(f, "sub", false);
    assert_refused(activate(f, "root", "sub", NULL, by_default), &f->err, "invalid-request");
    assert_refused(activate(f, "sub", NULL, NULL, by_default), &f->err, "invalid-request");
    assert_refused(activate(f, "none", NULL, NULL, by_default), &f->err, "no-such-ca");
    assert_refused(activate(f, "sub", "none", NULL, by_default), &f->err, "no-such-ca");
    assert_nothing_issued(f);
}

static void a_template_of_another_kind_is_refused(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    assert_refused(activate(f, "root", NULL, "EndEntityCertificate", by_default), &f->err,
                   "template");
    assert_refused(activate(f, "root", NULL, "SubordinateCACertificate_PathLen0", by_default),
                   &f->err, "template");
    assert_refused(activate(f, "root", NULL, "NoSuchTemplate", by_default), &f->err, "template");
    assert_nothing_issued(f);
}

static void a_parent_that_is_not_active_signs_nothing(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    store_fixture_create(f, "sub", false);
    assert_refused(activate(f, "sub", "root", NULL, by_default), &f->err, "invalid-state");
    assert_nothing_issued(f);
    store_fixture_activate(f, "root", NULL);
    assert_int_equal(batch_ca_update(f->registry, "root", SCHEMA_CA_DISABLED,
                                     (struct ca_bytes){ 0 }, &f->err), CA_OK);
    assert_refused(activate(f, "sub", "root", NULL, by_default), &f->err, "invalid-state");
    assert_refused(activate(f, "root", NULL, NULL, by_default), &f->err, "invalid-state");
}

static void a_ca_cannot_outlive_its_parent(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    store_fixture_activate(f, "root", NULL);
    store_fixture_create(f, "sub", false);
    assert_refused(activate(f, "sub", "root", NULL, (struct ca_validity){ CA_VALIDITY_YEARS, 11 }),
                   &f->err, "validity-past-ca");
    assert_int_equal(activate(f, "sub", "root", NULL,
                              (struct ca_validity){ CA_VALIDITY_ABSOLUTE, INT64_C(2105619200) }),
                     CA_OK);
}

static void a_short_lived_root_may_have_a_long_life_of_its_own(void **state)
{
    struct batch_ca_create spec = { .name = "short", .is_root = true, .short_lived = true };
    struct store_fixture *f = *state;
    char config[512];
    struct batch_ca ca;
    bool existed;

    store_fixture_config("short", "EC_prime256v1", "SHA256WITHECDSA", config);
    spec.config_json = ca_bytes_str(config);
    assert_int_equal(batch_ca_create(f->registry, &spec, &ca, &existed, &f->err), CA_OK);
    batch_ca_clear(&ca);
    store_fixture_activate(f, "short", NULL);
    store_fixture_create(f, "sub", false);
    assert_refused(activate(f, "sub", "short", NULL, by_default), &f->err,
                   "template-not-for-issuer");
}

static void a_ca_does_not_certify_itself_as_its_subordinate(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_hierarchy(f);
    assert_int_not_equal(activate(f, "sub", "sub", NULL, by_default), CA_OK);
    assert_int_equal(verify(f, "sub", "root"), X509_V_OK);
}

static void a_wrong_clock_signs_nothing(void **state)
{
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    f->now_ms = CA_CLOCK_MIN_MS - 1;
    assert_refused(activate(f, "root", NULL, NULL, by_default), &f->err, "clock");
    assert_nothing_issued(f);
    f->now_ms = STORE_FIXTURE_NOW_MS;
    store_fixture_activate(f, "root", NULL);
    f->now_ms -= 300001;
    assert_refused(activate(f, "root", NULL, NULL, by_default), &f->err, "clock");
}

static void a_csr_that_is_not_the_cas_own_is_not_signed(void **state)
{
    struct store_fixture *f = *state;
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct ca_buf value;
    uint8_t csr[4096];
    struct batch_ca ca;

    store_fixture_create(f, "root", true);
    find(f, "root", &ca);
    assert_true(ca.row.csr.len <= sizeof(csr));
    memcpy(csr, ca.row.csr.data, ca.row.csr.len);
    csr[ca.row.csr.len - 1] ^= 1;       /* in the signature */
    ca.row.csr.data = csr;
    ca_buf_init(&value, 1 << 20);
    schema_encode_ca(&ca.row, &value);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, &f->err), CA_OK);
    assert_int_equal(store_put(txn, STORE_CA, schema_key_ca(&key, 1), ca_buf_view(&value),
                               STORE_UPSERT, &f->err), CA_OK);
    assert_int_equal(store_commit(txn, &f->err), CA_OK);
    assert_refused(activate(f, "root", NULL, NULL, by_default), &f->err, "bad-signature");
    assert_nothing_issued(f);
    batch_ca_clear(&ca);
    ca_buf_clear(&value);
}

static void a_seeded_store_draws_the_same_serials(void **state)
{
    static const uint64_t seed = 42;
    struct store_fixture *f = *state;
    struct batch_ca_activate spec = { .name = "root" };
    struct ca_serial first, second;

    store_fixture_create(f, "root", true);
    f->registry->seed = &seed;
    assert_int_equal(batch_ca_activate(f->registry, &spec, &first, &f->err), CA_OK);
    assert_int_equal(batch_ca_activate(f->registry, &spec, &second, &f->err), CA_OK);
    assert_memory_equal(first.octets + 6, second.octets + 6, 12);
    assert_int_not_equal(ca_serial_compare(&first, &second), 0);    /* the tick goes on */
}

#define TEST(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_root_and_its_subordinate_verify),
        TEST(four_levels_verify_with_their_chain),
        TEST(every_pair_of_key_algorithms_verifies),
        TEST(defaults_are_ten_years_and_three),
        TEST(a_certificate_is_stored_like_any_other),
        TEST(the_profile_of_a_certificate_is_kept),
        TEST(another_activation_counts_a_generation),
        TEST(the_parents_uris_stand_in_the_certificate_and_a_root_has_none),
        TEST(a_root_with_a_parent_and_a_subordinate_without_are_refused),
        TEST(a_template_of_another_kind_is_refused),
        TEST(a_parent_that_is_not_active_signs_nothing),
        TEST(a_ca_cannot_outlive_its_parent),
        TEST(a_short_lived_root_may_have_a_long_life_of_its_own),
        TEST(a_ca_does_not_certify_itself_as_its_subordinate),
        TEST(a_wrong_clock_signs_nothing),
        TEST(a_csr_that_is_not_the_cas_own_is_not_signed),
        TEST(a_seeded_store_draws_the_same_serials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
