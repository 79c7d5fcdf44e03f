/* CRL scopes: where certificates of a CA with partitioned CRLs go, and what its row remembers. */
#include "batch/scope.h"

#include "batch/issue.h"
#include "batch/registry_cert.h"
#include "batch/run.h"
#include "batch/verify.h"
#include "io/fault_testing.h"
#include "tests/support/job_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/x509v3.h>

#define PLACES 10           /* of a scope in these tests */

static const char partitioned[] =
    "{\"CrlConfiguration\":{\"Enabled\":true,\"CrlType\":\"PARTITIONED\","
    "\"CustomCname\":\"crl.example\",\"ExpirationInDays\":7}}";
static const char elsewhere[] =
    "{\"CrlConfiguration\":{\"Enabled\":true,\"CrlType\":\"PARTITIONED\","
    "\"CustomCname\":\"other.example\",\"ExpirationInDays\":7}}";
static const char longer[] =
    "{\"CrlConfiguration\":{\"Enabled\":true,\"CrlType\":\"PARTITIONED\","
    "\"CustomCname\":\"crl.example\",\"ExpirationInDays\":30}}";
static const char complete[] =
    "{\"CrlConfiguration\":{\"Enabled\":true,\"CrlType\":\"COMPLETE\","
    "\"CustomCname\":\"crl.example\",\"ExpirationInDays\":7}}";

/* ---- the rules alone ---- */

static void a_ca_with_complete_crls_has_no_scopes(void **state)
{
    const struct schema_ca row = { .scope = 7, .scope_used = 3 };
    const struct ca_revocation settings = { .crl_enabled = true };
    struct batch_scope scope = batch_scope_of(&row, &settings, PLACES);

    (void)state;
    assert_false(scope.partitioned);
    assert_int_equal(scope.scope, 0);
    assert_int_equal(batch_scope_advance(&scope, NULL), CA_OK);
    assert_int_equal(scope.scope, 0);
    assert_true(batch_scope_room(&scope) == UINT32_MAX);
    scope = batch_scope_of(&row, NULL, PLACES);
    assert_int_equal(scope.scope, 0);
}

static void a_full_scope_is_followed_by_the_next(void **state)
{
    static const struct { uint32_t scope, used, next, room; } cases[] = {
        { 0, 0, 1, PLACES }, { 1, 0, 1, PLACES }, { 1, 9, 1, 1 }, { 1, 10, 2, PLACES },
        { 1, 12, 2, PLACES }, { 41, 10, 42, PLACES }, { CA_SCOPE_MAX, 9, CA_SCOPE_MAX, 1 },
    };
    const struct ca_revocation settings = { .crl_enabled = true, .crl_partitioned = true };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct schema_ca row = { .scope = cases[i].scope, .scope_used = cases[i].used };
        struct batch_scope scope = batch_scope_of(&row, &settings, PLACES);

        assert_int_equal(batch_scope_advance(&scope, NULL), CA_OK);
        assert_int_equal(scope.scope, cases[i].next);
        assert_int_equal(batch_scope_room(&scope), cases[i].room);
    }
    {
        const struct schema_ca row = { .scope = CA_SCOPE_MAX, .scope_used = PLACES };
        struct batch_scope scope = batch_scope_of(&row, &settings, PLACES);
        struct ca_error err;

        assert_int_equal(batch_scope_room(&scope), 0);
        assert_int_equal(batch_scope_advance(&scope, &err), CA_REFUSED);
        assert_string_equal(ca_error_name(&err), "too-many-scopes");
        assert_int_equal(scope.scope, CA_SCOPE_MAX);
        scope = batch_scope_of(&row, &settings, 0);
        assert_int_equal(scope.size, 20000);
    }
}

static void new_settings_open_a_scope_only_where_they_must(void **state)
{
    struct ca_revocation none = { .crl_enabled = false };
    struct ca_revocation here = { .crl_enabled = true, .crl_partitioned = true,
                                  .cdp_uri = "http://a.example/crl/u/000000.crl" };
    struct ca_revocation there = { .crl_enabled = true, .crl_partitioned = true,
                                   .cdp_uri = "http://b.example/crl/u/000000.crl" };
    const struct {
        const struct ca_revocation *before, *after;
        uint32_t scope, used, scope_then, used_then;
    } cases[] = {
        { NULL, &none, 0, 0, 0, 0 },        { NULL, &here, 0, 0, 1, 0 },
        { &none, &here, 0, 0, 1, 0 },       { &here, &none, 3, 7, 3, 7 },
        { &here, &here, 3, 7, 3, 7 },       { &here, &there, 3, 7, 4, 0 },
        { &here, &there, 3, 0, 3, 0 },      { &none, &here, 3, 7, 4, 0 },
        { &none, &none, 3, 7, 3, 7 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct schema_ca row = { .scope = cases[i].scope, .scope_used = cases[i].used };

        assert_int_equal(batch_scope_reconfigure(&row, cases[i].before, cases[i].after, NULL),
                         CA_OK);
        if (row.scope != cases[i].scope_then || row.scope_used != cases[i].used_then)
            fail_msg("case %zu: scope %u, used %u", i, row.scope, row.scope_used);
    }
    {
        struct schema_ca row = { .scope = CA_SCOPE_MAX, .scope_used = 1 };
        struct ca_error err;

        assert_int_equal(batch_scope_reconfigure(&row, &here, &there, &err), CA_REFUSED);
        assert_string_equal(ca_error_name(&err), "too-many-scopes");
    }
}

/* ---- in a store ---- */

static void row_of(struct store_fixture *f, const char *name, uint32_t *scope, uint32_t *used)
{
    struct batch_ca ca;

    assert_int_equal(batch_ca_find(f->registry, NULL, name, &ca, &f->err), CA_OK);
    *scope = ca.row.scope;
    *used = ca.row.scope_used;
    batch_ca_clear(&ca);
}

static void assert_row(struct store_fixture *f, const char *name, uint32_t scope, uint32_t used)
{
    uint32_t has_scope, has_used;

    row_of(f, name, &has_scope, &has_used);
    if (has_scope != scope || has_used != used)
        fail_msg("CA %s: scope %u, used %u; expected %u, %u", name, has_scope, has_used, scope,
                 used);
}

static void update(struct store_fixture *f, const char *name, const char *settings)
{
    if (batch_ca_update(f->registry, name, 0, ca_bytes_str(settings), &f->err) != CA_OK)
        fail_msg("update: %s", f->err.text);
}

static void count(struct store_fixture *f, uint32_t scope, uint32_t places)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    assert_int_equal(batch_scope_count(txn, 2, scope, places, NULL), CA_OK);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
}

static int setup(void **state)
{
    struct store_fixture *f;
    int rc = store_fixture_setup(state);

    if (rc != 0) return rc;
    f = *state;
    store_fixture_hierarchy(f);
    f->registry->scope_certs = PLACES;
    return 0;
}

static void counting_never_goes_back(void **state)
{
    struct store_fixture *f = *state;
    struct store_txn *txn = NULL;

    count(f, 0, 5);                 /* complete CRLs: nothing to count */
    assert_row(f, "sub", 0, 0);
    count(f, 1, 5);
    assert_row(f, "sub", 1, 5);
    count(f, 1, 5);
    assert_row(f, "sub", 1, 10);
    count(f, 3, 2);
    assert_row(f, "sub", 3, 2);
    count(f, 2, 9);                 /* a later one is open already */
    assert_row(f, "sub", 3, 2);
    count(f, 3, UINT32_MAX);
    assert_row(f, "sub", 3, UINT32_MAX);
    assert_row(f, "root", 0, 0);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    assert_int_equal(batch_scope_count(txn, 99, 1, 1, &f->err), CA_CORRUPT);
    assert_string_equal(ca_error_name(&f->err), "store-damaged");
    store_abort(txn);
}

static void a_ca_made_with_partitions_begins_with_the_first(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca_create make = { .name = "made", .revocation_json = ca_bytes_str(partitioned) };
    struct batch_ca ca;
    char config[512];
    bool existed;

    store_fixture_config("Made", "EC_prime256v1", "SHA256WITHECDSA", config);
    make.config_json = ca_bytes_str(config);
    assert_int_equal(batch_ca_create(f->registry, &make, &ca, &existed, &f->err), CA_OK);
    batch_ca_clear(&ca);
    assert_row(f, "made", 1, 0);
}

/* A partition's CRL names its URI, which must be the one in its certificates. */
static void no_partition_is_used_under_two_addresses(void **state)
{
    struct store_fixture *f = *state;

    update(f, "sub", partitioned);
    assert_row(f, "sub", 1, 0);
    update(f, "sub", elsewhere);
    assert_row(f, "sub", 1, 0);     /* nobody has a certificate of the first yet */
    count(f, 1, 4);
    update(f, "sub", partitioned);
    assert_row(f, "sub", 2, 0);
    count(f, 2, 4);
    update(f, "sub", longer);
    assert_row(f, "sub", 2, 4);
    update(f, "sub", complete);
    assert_row(f, "sub", 2, 4);
    update(f, "sub", longer);
    assert_row(f, "sub", 3, 0);
}

static enum ca_status recheck(struct store_fixture *f, const struct batch_issuer *issuer)
{
    struct store_txn *txn = NULL;
    enum ca_status st;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, NULL), CA_OK);
    st = batch_issuer_recheck(txn, issuer, f->now_ms, &f->err);
    store_abort(txn);
    return st;
}

static void what_was_loaded_before_the_partitions_moved_issues_no_more(void **state)
{
    struct store_fixture *f = *state;
    struct batch_issuer *issuer = NULL;

    assert_int_equal(batch_issuer_load(f->registry, "sub", false, &issuer, &f->err), CA_OK);
    update(f, "sub", partitioned);
    assert_int_equal(recheck(f, issuer), CA_OK);        /* still complete: that has one place */
    batch_issuer_free(issuer);
    assert_int_equal(batch_issuer_load(f->registry, "sub", false, &issuer, &f->err), CA_OK);
    assert_int_equal(issuer->scope, 1);
    assert_int_equal(recheck(f, issuer), CA_OK);
    update(f, "sub", elsewhere);
    assert_int_equal(recheck(f, issuer), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "ca-changed");
    batch_issuer_free(issuer);
}

/* ---- certificates ---- */

/* The scope in the certificate's own CRL distribution point, read by OpenSSL. */
static uint32_t scope_in(struct ca_bytes der)
{
    const unsigned char *at = der.data;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    CRL_DIST_POINTS *points;
    const GENERAL_NAME *name;
    const char *uri, *end;
    unsigned long scope;

    assert_non_null(cert);
    points = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
    assert_non_null(points);
    assert_int_equal(sk_DIST_POINT_num(points), 1);
    name = sk_GENERAL_NAME_value(sk_DIST_POINT_value(points, 0)->distpoint->name.fullname, 0);
    assert_int_equal(name->type, GEN_URI);
    uri = (const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
    end = strstr(uri, ".crl");
    assert_non_null(end);
    assert_true(end - uri > 7 && end[-7] == '/');
    scope = strtoul(end - 6, NULL, 10);
    CRL_DIST_POINTS_free(points);
    X509_free(cert);
    return (uint32_t)scope;
}

/* How many certificates CA 2 has in each scope; the row and the certificate must say the same. */
struct tally {
    unsigned in[64];
    uint32_t last;              /* scope of the last one seen, in the order of the walk */
    bool ordered;
};

static enum ca_status tally_cert(void *ctx, const struct batch_cert *cert, struct ca_error *err)
{
    struct tally *tally = ctx;

    (void)err;
    if (cert->ca != 2) return CA_OK;
    assert_true(cert->row.scope < 64);
    assert_int_equal(scope_in(cert->row.der), cert->row.scope);
    tally->in[cert->row.scope]++;
    if (cert->row.scope < tally->last) tally->ordered = false;
    tally->last = cert->row.scope;
    return CA_OK;
}

static struct tally tally_of(struct store_fixture *f)
{
    struct tally tally = { .ordered = true };
    const struct batch_cert_query query = { .ca = "sub" };

    assert_int_equal(batch_cert_each(f->registry, &query, tally_cert, &tally, &f->err), CA_OK);
    return tally;
}

static void assert_sound(struct store_fixture *f)
{
    struct batch_verify_report report;

    if (batch_verify(f->registry, true, NULL, NULL, &report, &f->err) != CA_OK)
        fail_msg("verify: %s", f->err.text);
}

static enum ca_status run(struct store_fixture *f, const char *name, const char *input,
                          struct batch_run_result *result)
{
    const struct batch_run_spec spec = { .workers = 3, .fresh = input != NULL,
                                         .certmill_version = "t", .commit_linger_ms = 1 };
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;
    struct batch_run *started = NULL;
    enum ca_status st;

    if (input != NULL) {
        job_fixture_ask(f, name, input, &ask);
        st = batch_job_create(f->registry, &ask.spec, &job, &f->err);
    } else {
        st = batch_job_load(f->registry, name, NULL, &job, &f->err);
    }
    if (st != CA_OK) fail_msg("job: %s", f->err.text);
    st = batch_run_start(f->registry, job, &spec, &started, &f->err);
    if (st != CA_OK) return st;
    while (!batch_run_wait(started, 1000, NULL)) { }
    st = batch_run_join(started, result, &f->err);
    ca_buf_clear(&result->summary);
    return st;
}

static enum ca_status issue_one(struct store_fixture *f)
{
    struct batch_issue spec = { .ca = "sub" };
    struct batch_issued issued;
    struct ca_buf csr;
    enum ca_status st;

    ca_buf_init(&csr, 1 << 16);
    job_fixture_request("single", false, &csr);
    spec.csr = ca_buf_view(&csr);
    st = batch_issue(f->registry, &spec, &issued, &f->err);
    if (st == CA_OK) batch_issued_clear(&issued);
    ca_buf_clear(&csr);
    return st;
}

static void every_scope_gets_its_number_of_requests(void **state)
{
    struct store_fixture *f = *state;
    struct batch_run_result result;
    struct tally tally;
    char input[512];

    update(f, "sub", partitioned);
    job_fixture_bundle(f, "in.pem", 45, 0, input);
    assert_int_equal(run(f, "first", input, &result), CA_OK);
    assert_row(f, "sub", 5, 5);
    tally = tally_of(f);
    for (unsigned i = 1; i <= 4; i++) assert_int_equal(tally.in[i], PLACES);
    assert_int_equal(tally.in[0] + tally.in[6], 0);
    assert_int_equal(tally.in[5], 5);
    assert_true(tally.ordered);
    /* Single issues and the next job go on in the same scope. */
    for (unsigned i = 0; i < 2; i++) assert_int_equal(issue_one(f), CA_OK);
    assert_row(f, "sub", 5, 7);
    assert_int_equal(run(f, "second", input, &result), CA_OK);
    assert_row(f, "sub", 10, 2);
    tally = tally_of(f);
    for (unsigned i = 1; i <= 9; i++) assert_int_equal(tally.in[i], PLACES);
    assert_int_equal(tally.in[10], 2);
    for (unsigned i = 0; i < 9; i++) assert_int_equal(issue_one(f), CA_OK);
    assert_row(f, "sub", 11, 1);
    assert_int_equal(tally_of(f).in[11], 1);
    assert_sound(f);
}

static void refused_requests_use_their_places_up(void **state)
{
    struct store_fixture *f = *state;
    struct batch_run_result result;
    struct tally tally;
    char input[512];

    update(f, "sub", partitioned);
    job_fixture_bundle(f, "in.pem", 30, 5, input);
    assert_int_equal(run(f, "first", input, &result), CA_OK);
    assert_int_equal(result.rejected, 6);
    assert_row(f, "sub", 3, 10);
    tally = tally_of(f);
    for (unsigned i = 1; i <= 3; i++) assert_int_equal(tally.in[i], 8);
}

static void a_resumed_run_goes_on_where_the_row_says(void **state)
{
    static const char *const faults[] = { "chunk:4=EIO", "store.commit:3=EIO", "worker:5=EIO" };
    struct store_fixture *f = *state;
    char input[512];

    update(f, "sub", partitioned);
    job_fixture_bundle(f, "in.pem", 60, 0, input);
    for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct batch_run_result result;
        struct tally tally;
        char name[32];

        (void)snprintf(name, sizeof(name), "fault-%u", i);
        assert_int_equal(fault_testing_setup(faults[i], NULL, NULL), CA_OK);
        assert_int_equal(run(f, name, input, &result), CA_IO);
        assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
        assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
        f->registry->scope_certs = PLACES;
        assert_int_equal(run(f, name, NULL, &result), CA_OK);
        assert_int_equal(result.issued, 60);
        assert_row(f, "sub", 6 * (i + 1), PLACES);
        tally = tally_of(f);
        for (unsigned k = 1; k <= 6 * (i + 1); k++) assert_int_equal(tally.in[k], PLACES);
    }
    assert_sound(f);
}

static void a_ca_without_numbers_left_refuses_more(void **state)
{
    struct store_fixture *f = *state;
    struct batch_run_result result;
    char input[512];

    update(f, "sub", partitioned);
    count(f, CA_SCOPE_MAX, PLACES - 1);
    assert_int_equal(issue_one(f), CA_OK);
    assert_row(f, "sub", CA_SCOPE_MAX, PLACES);
    assert_int_equal(issue_one(f), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "too-many-scopes");
    job_fixture_bundle(f, "in.pem", 5, 0, input);
    assert_int_equal(run(f, "last", input, &result), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "too-many-scopes");
}

static void a_subordinates_certificate_takes_a_place_and_a_roots_own_none(void **state)
{
    struct store_fixture *f = *state;

    update(f, "root", partitioned);
    store_fixture_create(f, "sub2", false);
    store_fixture_activate(f, "sub2", "root");
    assert_row(f, "root", 1, 1);
    store_fixture_activate(f, "root", NULL);
    assert_row(f, "root", 1, 1);
    assert_sound(f);
}

/* 256 requests would be one chunk; the group has four scopes. */
static void one_group_may_hold_several_scopes(void **state)
{
    struct store_fixture *f = *state;
    struct batch_run_result result;
    struct tally tally;
    char input[512];

    f->registry->scope_certs = 700;
    update(f, "sub", partitioned);
    job_fixture_bundle(f, "in.pem", 2500, 0, input);
    assert_int_equal(fault_testing_setup("worker:1=sleep300", NULL, NULL), CA_OK);
    assert_int_equal(run(f, "wide", input, &result), CA_OK);
    assert_int_equal(fault_testing_setup(NULL, NULL, NULL), CA_OK);
    assert_row(f, "sub", 4, 400);
    tally = tally_of(f);
    for (unsigned i = 1; i <= 3; i++) assert_int_equal(tally.in[i], 700);
    assert_int_equal(tally.in[4], 400);
}

#define scope_test(name) cmocka_unit_test_setup_teardown(name, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ca_with_complete_crls_has_no_scopes),
        cmocka_unit_test(a_full_scope_is_followed_by_the_next),
        cmocka_unit_test(new_settings_open_a_scope_only_where_they_must),
        scope_test(counting_never_goes_back),
        scope_test(a_ca_made_with_partitions_begins_with_the_first),
        scope_test(no_partition_is_used_under_two_addresses),
        scope_test(what_was_loaded_before_the_partitions_moved_issues_no_more),
        scope_test(every_scope_gets_its_number_of_requests),
        scope_test(refused_requests_use_their_places_up),
        scope_test(a_resumed_run_goes_on_where_the_row_says),
        scope_test(a_ca_without_numbers_left_refuses_more),
        scope_test(a_subordinates_certificate_takes_a_place_and_a_roots_own_none),
        scope_test(one_group_may_hold_several_scopes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
