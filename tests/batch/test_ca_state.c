/* Which state of a CA allows what: spec 3.1 as a table. */
#include "batch/registry_ca.h"
#include "engine/pem.h"
#include "io/file.h"
#include "tests/support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PEM_MAX 16384

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

/* ---- Operation and state (spec 3.1) ---- */

/* A root whose row and key file are put back before each cell of the table. */
struct subject {
    struct ca_buf row;
    struct ca_buf key;
    char key_path[512];
    char renewed[PEM_MAX];      /* another certificate of its own, good for 20 years */
};

enum column { CREATING, PENDING, ACTIVE, DISABLED, EXPIRED, FAILED, DELETED, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {
    "CREATING", "PENDING_CERTIFICATE", "ACTIVE", "DISABLED", "EXPIRED", "FAILED", "DELETED",
};

static const uint8_t column_states[COLUMN_COUNT] = {
    SCHEMA_CA_CREATING, SCHEMA_CA_PENDING_CERTIFICATE, SCHEMA_CA_ACTIVE, SCHEMA_CA_DISABLED,
    SCHEMA_CA_ACTIVE, SCHEMA_CA_FAILED, SCHEMA_CA_DELETED,
};

static void subject_init(struct store_fixture *f, struct subject *subject)
{
    struct batch_ca_activate years = { .name = "root", .validity = { CA_VALIDITY_YEARS, 20 } };
    struct ca_serial serial;
    struct batch_ca ca;
    struct ca_buf pem;
    char uuid[37], inside[64];

    ca_buf_init(&subject->row, 1 << 20);
    ca_buf_init(&subject->key, 1 << 20);
    ca_buf_init(&pem, PEM_MAX);
    store_fixture_create(f, "root", true);
    assert_int_equal(batch_ca_activate(f->registry, &years, &serial, &f->err), CA_OK);
    find(f, "root", &ca);
    ca_pem_append(&pem, "CERTIFICATE", ca.row.cert);
    memcpy(subject->renewed, pem.data, pem.len);
    subject->renewed[pem.len] = '\0';
    batch_ca_clear(&ca);
    ca_buf_clear(&pem);
    store_fixture_activate(f, "root", NULL);
    find(f, "root", &ca);
    ca_buf_append_bytes(&subject->row, ca_buf_view(&ca.value));
    batch_uuid_format(ca.row.uuid, uuid);
    batch_ca_clear(&ca);
    (void)snprintf(inside, sizeof(inside), "keys/%s.pem", uuid);
    store_fixture_path(f, inside, subject->key_path);
    assert_int_equal(file_read(subject->key_path, 65536, FILE_PRIVATE, &subject->key, &f->err),
                     CA_OK);
}

static void subject_clear(struct subject *subject)
{
    ca_buf_clear(&subject->row);
    ca_buf_clear_secret(&subject->key);
}

static void put_into(struct store_fixture *f, const struct subject *subject, enum column column)
{
    struct store_txn *txn = NULL;
    struct schema_key key;

    f->now_ms = STORE_FIXTURE_NOW_MS;
    if (column == EXPIRED) f->now_ms += 11 * 365 * STORE_FIXTURE_DAY_MS;
    assert_int_equal(file_write(subject->key_path, 0600, ca_buf_view(&subject->key), &f->err),
                     CA_OK);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, &f->err), CA_OK);
    assert_int_equal(store_put(txn, STORE_CA, schema_key_ca(&key, 1), ca_buf_view(&subject->row),
                               STORE_UPSERT, &f->err), CA_OK);
    assert_int_equal(store_commit(txn, &f->err), CA_OK);
    store_fixture_force_state(f, "root", column_states[column],
                              column == DELETED ? SCHEMA_CA_DISABLED : 0);
    assert_status(f, "root", column_names[column]);
}

static enum ca_status check_only(struct store_fixture *f, enum batch_ca_operation operation)
{
    struct batch_ca ca;
    enum ca_status st;

    find(f, "root", &ca);
    st = batch_ca_check_state(&ca, operation, &f->err);
    batch_ca_clear(&ca);
    return st;
}

static enum ca_status try_csr(struct store_fixture *f, const struct subject *subject)
{
    (void)subject;
    return check_only(f, BATCH_CA_GET_CSR);
}

static enum ca_status try_certificate(struct store_fixture *f, const struct subject *subject)
{
    (void)subject;
    return check_only(f, BATCH_CA_GET_CERTIFICATE);
}

static enum ca_status load_issuer(struct store_fixture *f, bool self)
{
    struct batch_issuer *issuer = NULL;
    enum ca_status st = batch_issuer_load(f->registry, "root", self, &issuer, &f->err);

    batch_issuer_free(issuer);
    return st;
}

static enum ca_status try_issue(struct store_fixture *f, const struct subject *subject)
{
    (void)subject;
    return load_issuer(f, false);
}

static enum ca_status try_sign_self(struct store_fixture *f, const struct subject *subject)
{
    (void)subject;
    return load_issuer(f, true);
}

static enum ca_status try_import(struct store_fixture *f, const struct subject *subject)
{
    return batch_ca_import(f->registry, "root", ca_bytes_str(subject->renewed),
                           (struct ca_bytes){ 0 }, &f->err);
}

static enum ca_status try_update(struct store_fixture *f, const struct subject *subject)
{
    (void)subject;
    return batch_ca_update(f->registry, "root", SCHEMA_CA_DISABLED, (struct ca_bytes){ 0 },
                           &f->err);
}

static enum ca_status try_delete(struct store_fixture *f, const struct subject *subject)
{
    int64_t until_ms;

    (void)subject;
    return batch_ca_delete(f->registry, "root", 7, &until_ms, &f->err);
}

static enum ca_status try_restore(struct store_fixture *f, const struct subject *subject)
{
    (void)subject;
    return batch_ca_restore(f->registry, "root", &f->err);
}

static enum ca_status try_tag(struct store_fixture *f, const struct subject *subject)
{
    const struct batch_tag tag = { "k", "v" };

    (void)subject;
    return batch_ca_tag(f->registry, "root", &tag, 1, &f->err);
}

static enum ca_status try_untag(struct store_fixture *f, const struct subject *subject)
{
    const struct batch_tag tag = { "k", "v" };

    (void)subject;
    return batch_ca_untag(f->registry, "root", &tag, 1, &f->err);
}

static void every_state_allows_what_the_table_says_and_nothing_else(void **state)
{
    static const struct {
        const char *name;
        enum ca_status (*attempt)(struct store_fixture *f, const struct subject *subject);
        const char *allowed;        /* a column each: + or - */
        const char *fragment;
    } rows[] = {
        { "csr", try_csr, "-++++--",
          "is not in the correct state to have a certificate signing request" },
        { "certificate", try_certificate, "--+++--",
          "is not in the correct state to have a certificate signing request" },
        { "issue", try_issue, "--+----",
          "The certificate authority is not in a valid state for issuing certificates" },
        { "sign itself", try_sign_self, "-++-+--",
          "The certificate authority is not in a valid state for issuing certificates" },
        { "import", try_import, "-++++--",
          "The certificate authority is not in a valid state for importing a certificate" },
        { "update", try_update, "--++---",
          "The certificate authority must be in the ACTIVE or DISABLED state to be updated" },
        { "delete", try_delete, "++-+++-",
          "The certificate authority is not in a valid state for deletion." },
        { "restore", try_restore, "------+",
          "The certificate authority is not in a valid state for restoration." },
        { "tag", try_tag, "++++++-",
          "The certificate authority is not in a valid state for tagging" },
        { "untag", try_untag, "++++++-",
          "The certificate authority is not in a valid state for tagging" },
    };
    struct store_fixture *f = *state;
    struct subject subject;

    subject_init(f, &subject);
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        for (enum column column = CREATING; column < COLUMN_COUNT; column++) {
            bool allowed = rows[row].allowed[column] == '+';
            enum ca_status st;

            put_into(f, &subject, column);
            st = rows[row].attempt(f, &subject);
            if ((st == CA_OK) != allowed) {
                fail_msg("%s in %s: %s", rows[row].name, column_names[column],
                         ca_status_name(st));
            }
            if (allowed) continue;
            if (column == CREATING && rows[row].attempt == try_csr) {
                assert_int_equal(st, CA_AGAIN);
                assert_string_equal(ca_error_name(&f->err), "request-in-progress");
                continue;
            }
            assert_refused(st, &f->err, "invalid-state");
            assert_non_null(strstr(f->err.text, rows[row].fragment));
            assert_non_null(strstr(f->err.text, column_names[column]));
            assert_true(f->err.hint[0] != '\0');
            assert_status(f, "root", column_names[column]);     /* refused means unchanged */
        }
    }
    subject_clear(&subject);
}

static void a_long_name_does_not_push_the_state_out_of_the_sentence(void **state)
{
    static const char name[] = "0123456789012345678901234567890123456789012345678901234567890123"
                               "0123456789012345678901234567890123456789012345678901234567890123";
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;

    store_fixture_create(f, name, true);
    assert_refused(batch_issuer_load(f->registry, name, false, &issuer, &f->err), &f->err,
                   "invalid-state");
    assert_non_null(strstr(f->err.text, "PENDING_CERTIFICATE)"));
}

#define TEST(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_state_allows_what_the_table_says_and_nothing_else),
        TEST(a_long_name_does_not_push_the_state_out_of_the_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
