/* Certificates found, listed and described; OpenSSL says what is in them. */
#include "batch/registry_cert.h"

#include "batch/issue.h"
#include "batch/walk.h"
#include "tests/support/job_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define DAY_S INT64_C(86400)
#define LISTED_MAX 20000

static void assert_refused(enum ca_status st, const struct ca_error *err, const char *name)
{
    assert_int_equal(st, CA_REFUSED);
    assert_string_equal(ca_error_name(err), name);
}

static int setup(void **state)
{
    int rc = store_fixture_setup(state);

    if (rc == 0) store_fixture_hierarchy(*state);
    return rc;
}

/* A certificate of CA "sub" that lives so many days; its serial in hex. */
static void issue(struct store_fixture *f, const char *name, int days, char serial[41])
{
    struct batch_issue spec = { .ca = "sub",
                                .validity = { .type = CA_VALIDITY_DAYS, .value = days } };
    struct batch_issued issued;
    struct ca_buf csr;

    ca_buf_init(&csr, 1 << 16);
    job_fixture_request(name, false, &csr);
    spec.csr = ca_buf_view(&csr);
    if (batch_issue(f->registry, &spec, &issued, &f->err) != CA_OK) fail_msg("%s", f->err.text);
    ca_serial_format(&issued.serial, serial);
    batch_issued_clear(&issued);
    ca_buf_clear(&csr);
}

struct listed {
    struct batch_registry *registry;
    size_t count, stop_at;
    uint8_t (*serials)[SCHEMA_SERIAL_LEN];
    struct batch_cert last;
    char names[64][64];         /* common names of the first ones */
};

static void name_of(const struct batch_cert *cert, char out[64])
{
    const unsigned char *p = cert->row.der.data;
    X509 *x = d2i_X509(NULL, &p, (long)cert->row.der.len);

    assert_non_null(x);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out, 64) > 0);
    X509_free(x);
}

static enum ca_status list(void *ctx, const struct batch_cert *cert, struct ca_error *err)
{
    struct listed *listed = ctx;

    assert_true(listed->count < LISTED_MAX);
    memcpy(listed->serials[listed->count], cert->serial, SCHEMA_SERIAL_LEN);
    if (listed->count < 64) name_of(cert, listed->names[listed->count]);
    listed->last = *cert;
    listed->count++;
    if (listed->count == listed->stop_at) return ca_fail(err, CA_AGAIN, "enough");
    return CA_OK;
}

static void begin_list(struct listed *listed, struct store_fixture *f)
{
    *listed = (struct listed){ .registry = f->registry };
    listed->serials = calloc(LISTED_MAX, sizeof(*listed->serials));
    assert_non_null(listed->serials);
}

static void run_list(struct store_fixture *f, const struct batch_cert_query *query,
                     struct listed *listed)
{
    begin_list(listed, f);
    if (batch_cert_each(f->registry, query, list, listed, &f->err) != CA_OK)
        fail_msg("%s", f->err.text);
}

static size_t count_of(struct store_fixture *f, const struct batch_cert_query *query)
{
    struct listed listed;
    size_t count;

    run_list(f, query, &listed);
    count = listed.count;
    free(listed.serials);
    return count;
}

static void put(struct store_txn *txn, enum store_table table, struct ca_bytes key,
                struct ca_bytes value)
{
    assert_int_equal(store_put(txn, table, key, value, STORE_INSERT, NULL), CA_OK);
}

/* Copies a certificate's row under another serial and CA. */
static void plant_copy(struct store_txn *txn, const struct batch_cert *cert, uint64_t number,
                       uint32_t ca)
{
    uint8_t serial[SCHEMA_SERIAL_LEN] = { 0x7f };
    struct schema_key key;
    struct ca_buf value;

    ca_put_u64(serial + 10, number);
    ca_buf_init(&value, 1 << 16);
    schema_encode_cert(&cert->row, &value);
    put(txn, STORE_CERT, schema_key_cert(&key, serial, ca), ca_buf_view(&value));
    ca_buf_clear(&value);
}

static void a_list_of_all_is_in_order_of_serial(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { 0 };
    struct listed listed;
    char serial[41];

    issue(f, "one", 10, serial);
    issue(f, "two", 5, serial);
    run_list(f, &query, &listed);
    assert_int_equal(listed.count, 4);          /* root, sub and these */
    for (size_t i = 1; i < listed.count; i++) {
        assert_true(memcmp(listed.serials[i - 1], listed.serials[i], SCHEMA_SERIAL_LEN) < 0);
    }
    assert_string_equal(listed.names[2], "one");
    assert_string_equal(listed.names[3], "two");
    free(listed.serials);
}

static void a_list_can_be_of_one_ca(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { .ca = "sub" };
    char serial[41];
    struct batch_ca ca;

    issue(f, "one", 10, serial);
    assert_int_equal(count_of(f, &query), 1);
    query.ca = "root";
    assert_int_equal(count_of(f, &query), 2);
    assert_int_equal(batch_ca_find(f->registry, NULL, "sub", &ca, NULL), CA_OK);
    query.ca = ca.arn;
    assert_int_equal(count_of(f, &query), 1);
    batch_ca_clear(&ca);
}

static void a_list_of_an_unknown_ca_or_job_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { .ca = "nobody" };

    assert_refused(batch_cert_each(f->registry, &query, list, NULL, &f->err), &f->err,
                   "no-such-ca");
    query = (struct batch_cert_query){ .job = "nothing" };
    assert_refused(batch_cert_each(f->registry, &query, list, NULL, &f->err), &f->err,
                   "no-such-job");
}

static void a_list_of_a_job_is_what_it_issued_in_its_order(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { .job = "fleet" };
    struct listed listed;
    char path[512], serial[41];

    issue(f, "single", 10, serial);
    job_fixture_bundle(f, "one.pem", 40, 4, path);
    job_fixture_run(f, "fleet", path);
    job_fixture_bundle(f, "two.pem", 7, 0, path);
    job_fixture_run(f, "other", path);
    run_list(f, &query, &listed);
    assert_int_equal(listed.count, 30);
    for (unsigned i = 1, at = 0; i <= 40; i++) {
        char name[32];

        if (i % 4 == 0) continue;               /* these had a broken signature */
        (void)snprintf(name, sizeof(name), "device-%06u", i);
        assert_string_equal(listed.names[at++], name);
    }
    free(listed.serials);
    query.job = "2";
    assert_int_equal(count_of(f, &query), 7);
    query.subject_glob = "CN=device-00000[12],*";
    assert_int_equal(count_of(f, &query), 2);
}

static void a_list_by_subject_matches_the_printed_name(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { .subject_glob = "*CN=pump-*" };
    char serial[41];

    issue(f, "pump-1", 10, serial);
    issue(f, "pump-2", 10, serial);
    issue(f, "valve-1", 10, serial);
    assert_int_equal(count_of(f, &query), 2);
    query.subject_glob = "CN=valve-1,O=Example";
    assert_int_equal(count_of(f, &query), 1);
    query.subject_glob = "valve-1";
    assert_int_equal(count_of(f, &query), 0);
}

static void a_list_of_the_expiring_is_in_order_of_expiry_and_without_the_expired(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { 0 };
    struct listed listed;
    char serial[41];

    issue(f, "ten", 10, serial);
    issue(f, "one", 1, serial);
    issue(f, "five", 5, serial);
    query.expiring_before_s = f->now_ms / 1000 + 10 * DAY_S;
    run_list(f, &query, &listed);
    assert_int_equal(listed.count, 3);
    assert_string_equal(listed.names[0], "one");
    assert_string_equal(listed.names[1], "five");
    assert_string_equal(listed.names[2], "ten");        /* ends at this very second */
    free(listed.serials);
    query.expiring_before_s--;
    assert_int_equal(count_of(f, &query), 2);
    f->now_ms += DAY_S * 1000;                          /* the first ends now: no longer ahead */
    assert_int_equal(count_of(f, &query), 1);
    query.ca = "root";
    assert_int_equal(count_of(f, &query), 0);
}

static void a_limit_ends_a_list(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { .limit = 2 };
    char serial[41];

    issue(f, "one", 10, serial);
    assert_int_equal(count_of(f, &query), 2);
    query.limit = 3;
    assert_int_equal(count_of(f, &query), 3);
    query.limit = 0;
    assert_int_equal(count_of(f, &query), 3);
}

static void what_a_visit_returns_ends_the_list(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { 0 };
    struct listed listed;

    begin_list(&listed, f);
    listed.stop_at = 1;
    assert_int_equal(batch_cert_each(f->registry, &query, list, &listed, &f->err), CA_AGAIN);
    assert_string_equal(f->err.text, "enough");
    assert_int_equal(listed.count, 1);
    free(listed.serials);
}

/* Writes one more row behind all others while the list is at its first. */
static enum ca_status add_one_meanwhile(void *ctx, const struct batch_cert *cert,
                                        struct ca_error *err)
{
    struct listed *listed = ctx;
    struct store_txn *txn = NULL;

    if (listed->count == 0) {
        assert_int_equal(store_begin(listed->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
        plant_copy(txn, cert, UINT64_MAX, cert->ca);
        assert_int_equal(store_commit(txn, NULL), CA_OK);
    }
    return list(ctx, cert, err);
}

static void a_long_list_gives_each_certificate_once_and_in_order(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { 0 };
    struct store_txn *txn = NULL;
    struct listed listed;
    const uint64_t planted = 3 * BATCH_WALK_ROWS_PER_TXN + 17;

    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    for (uint64_t i = 0; i < planted; i++) {
        struct schema_cert row = { .der = ca_bytes_str("x") };
        struct batch_cert cert = { .ca = 1, .row = row };

        plant_copy(txn, &cert, i, 1);
    }
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    begin_list(&listed, f);
    listed.count = 64;              /* the planted rows have no names */
    assert_int_equal(batch_cert_each(f->registry, &query, list, &listed, NULL), CA_OK);
    assert_int_equal(listed.count, 64 + 2 + planted);
    for (size_t i = 65; i < listed.count; i++) {
        assert_true(memcmp(listed.serials[i - 1], listed.serials[i], SCHEMA_SERIAL_LEN) < 0);
    }
    free(listed.serials);
}

static void what_is_issued_during_a_long_list_is_in_it(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { 0 };
    struct store_txn *txn = NULL;
    struct batch_cert cert;
    struct ca_buf value;
    struct listed listed;
    char serial[41];

    issue(f, "one", 10, serial);
    assert_int_equal(batch_cert_find(f->registry, serial, NULL, &cert, &value, NULL), CA_OK);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    for (uint64_t i = 0; i < BATCH_WALK_ROWS_PER_TXN; i++) {
        plant_copy(txn, &cert, i, 1);
    }
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    begin_list(&listed, f);
    assert_int_equal(batch_cert_each(f->registry, &query, add_one_meanwhile, &listed, NULL), CA_OK);
    assert_int_equal(listed.count, 3 + BATCH_WALK_ROWS_PER_TXN + 1);
    free(listed.serials);
    ca_buf_clear(&value);
}

static void a_certificate_is_found_in_any_form_of_its_serial(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert cert;
    struct ca_buf value;
    char serial[41], colons[64] = "", upper[41];
    size_t len;

    issue(f, "one", 10, serial);
    len = strlen(serial);
    for (size_t i = 0; i <= len; i++) {
        upper[i] = (char)(serial[i] >= 'a' && serial[i] <= 'f' ? serial[i] - 'a' + 'A' : serial[i]);
    }
    for (size_t i = 0; i < len; i += 2) {
        (void)snprintf(colons + i / 2 * 3, 4, "%.2s%s", serial + i, i + 2 < len ? ":" : "");
    }
    assert_int_equal(batch_cert_find(f->registry, serial, NULL, &cert, &value, NULL), CA_OK);
    assert_int_equal(cert.row.not_after_s, f->now_ms / 1000 + 10 * DAY_S);
    assert_false(cert.revoked);
    ca_buf_clear(&value);
    assert_int_equal(batch_cert_find(f->registry, upper, NULL, &cert, &value, NULL), CA_OK);
    ca_buf_clear(&value);
    assert_int_equal(batch_cert_find(f->registry, colons, "sub", &cert, &value, NULL), CA_OK);
    assert_int_equal(cert.row.job, 0);
    ca_buf_clear(&value);
}

static void an_unknown_serial_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert cert;
    struct ca_buf value;
    char serial[41];

    issue(f, "one", 10, serial);
    assert_refused(batch_cert_find(f->registry, "7f00000000000000000000000000000000ff", NULL,
                                   &cert, &value, &f->err), &f->err, "no-such-certificate");
    assert_refused(batch_cert_find(f->registry, "01", NULL, &cert, &value, &f->err), &f->err,
                   "no-such-certificate");
    assert_refused(batch_cert_find(f->registry, serial, "root", &cert, &value, &f->err), &f->err,
                   "no-such-certificate");
    assert_refused(batch_cert_find(f->registry, serial, "nobody", &cert, &value, &f->err),
                   &f->err, "no-such-ca");
    assert_int_equal(batch_cert_find(f->registry, "not hex", NULL, &cert, &value, &f->err),
                     CA_MALFORMED);
}

static void a_serial_of_two_cas_needs_the_ca(void **state)
{
    struct store_fixture *f = *state;
    const char *serial = "7f0000000000000000000000000000000005";
    struct store_txn *txn = NULL;
    struct batch_cert first = { .row = { .ordinal = 1, .der = ca_bytes_str("x") } };
    struct batch_cert second = { .row = { .ordinal = 2, .der = ca_bytes_str("x") } };
    struct batch_cert found;
    struct ca_buf value;

    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    plant_copy(txn, &first, 5, 1);
    plant_copy(txn, &second, 5, 2);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    assert_refused(batch_cert_find(f->registry, serial, NULL, &found, &value, &f->err), &f->err,
                   "ambiguous-serial");
    assert_int_equal(batch_cert_find(f->registry, serial, "sub", &found, &value, NULL), CA_OK);
    assert_int_equal(found.row.ordinal, 2);
    ca_buf_clear(&value);
    assert_int_equal(batch_cert_find(f->registry, serial, "root", &found, &value, NULL), CA_OK);
    assert_int_equal(found.row.ordinal, 1);
    ca_buf_clear(&value);
}

static void a_certificate_is_valid_then_expired_and_revoked_beats_both(void **state)
{
    struct store_fixture *f = *state;
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct batch_cert cert;
    struct ca_buf value;
    char serial[41];

    issue(f, "one", 10, serial);
    assert_int_equal(batch_cert_find(f->registry, serial, NULL, &cert, &value, NULL), CA_OK);
    assert_string_equal(batch_cert_status(f->registry, &cert), "VALID");
    f->now_ms += 10 * STORE_FIXTURE_DAY_MS;     /* RFC 5280 4.1.2.5: notAfter is inclusive */
    assert_string_equal(batch_cert_status(f->registry, &cert), "VALID");
    f->now_ms += 1000;
    assert_string_equal(batch_cert_status(f->registry, &cert), "EXPIRED");
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    put(txn, STORE_REVOKED, schema_key_revoked(&key, cert.ca, cert.row.scope,
                                               ca_bytes_of(cert.serial, SCHEMA_SERIAL_LEN)),
        ca_bytes_str("r"));
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    ca_buf_clear(&value);
    assert_int_equal(batch_cert_find(f->registry, serial, NULL, &cert, &value, NULL), CA_OK);
    assert_true(cert.revoked);
    assert_string_equal(batch_cert_status(f->registry, &cert), "REVOKED");
    ca_buf_clear(&value);
}

/* ---- described ---- */

static enum ca_status describe_visited(void *ctx, const struct batch_cert *cert,
                                       struct ca_error *err)
{
    struct listed *listed = ctx;
    struct ca_buf text;
    json_t *root;

    ca_buf_init(&text, 1 << 20);
    assert_int_equal(batch_cert_describe(listed->registry, cert, true, &text, err), CA_OK);
    root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    json_decref(root);
    ca_buf_clear(&text);
    listed->count++;
    return CA_OK;
}

static X509 *x509_of(const json_t *root)
{
    const char *pem = json_string_value(json_object_get(root, "certificate"));
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(x);
    BIO_free(bio);
    return x;
}

static const char *text_of(const json_t *root, const char *member)
{
    const char *text = json_string_value(json_object_get(root, member));

    if (text == NULL) fail_msg("no member %s", member);
    return text;
}

static void assert_describes(const json_t *root, const X509 *x)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "", time_text[CA_TIME_TEXT_MAX], *serial;
    ASN1_TIME *not_after = ASN1_TIME_new();
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    unsigned len;

    assert_int_equal(X509_digest(x, EVP_sha256(), digest, &len), 1);
    ca_hex_encode(ca_bytes_of(digest, len), hex);
    assert_string_equal(text_of(root, "fingerprint_sha256"), hex);
    serial = BN_bn2hex(number);
    assert_int_equal(strcasecmp(text_of(root, "serial"), serial), 0);
    (void)snprintf(time_text, sizeof(time_text), "%s", text_of(root, "not_after"));
    for (char *p = time_text, *to = time_text; ; p++) {     /* RFC 3339 to GeneralizedTime */
        if (*p != '-' && *p != ':' && *p != 'T') *to++ = *p;
        if (*p == '\0') break;
    }
    assert_int_equal(ASN1_TIME_set_string(not_after, time_text), 1);
    assert_int_equal(ASN1_TIME_compare(not_after, X509_get0_notAfter(x)), 0);
    OPENSSL_free(serial);
    BN_free(number);
    ASN1_TIME_free(not_after);
}

static json_t *describe(struct store_fixture *f, const char *serial, bool with_pem)
{
    struct batch_cert cert;
    struct ca_buf value, text;
    json_t *root;

    assert_int_equal(batch_cert_find(f->registry, serial, NULL, &cert, &value, NULL), CA_OK);
    ca_buf_init(&text, 1 << 20);
    assert_int_equal(batch_cert_describe(f->registry, &cert, with_pem, &text, &f->err), CA_OK);
    root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    ca_buf_clear(&text);
    ca_buf_clear(&value);
    return root;
}

static void a_description_says_what_the_certificate_says(void **state)
{
    struct store_fixture *f = *state;
    char serial[41], arn[256];
    struct batch_ca ca;
    json_t *root;
    X509 *x;

    issue(f, "pump", 10, serial);
    root = describe(f, serial, true);
    x = x509_of(root);
    assert_describes(root, x);
    assert_string_equal(text_of(root, "ca"), "sub");
    assert_string_equal(text_of(root, "status"), "VALID");
    assert_string_equal(text_of(root, "subject"), "CN=pump,O=Example");
    assert_string_equal(text_of(root, "san"), "DNS:pump.example");
    assert_int_equal(batch_ca_find(f->registry, NULL, "sub", &ca, NULL), CA_OK);
    (void)snprintf(arn, sizeof(arn), "%s/certificate/%s", ca.arn, serial);
    assert_string_equal(text_of(root, "arn"), arn);
    assert_true(json_is_null(json_object_get(root, "job")));
    assert_true(json_is_null(json_object_get(root, "ordinal")));
    batch_ca_clear(&ca);
    X509_free(x);
    json_decref(root);
    root = describe(f, serial, false);
    assert_null(json_object_get(root, "certificate"));
    json_decref(root);
}

static void a_description_of_a_jobs_certificate_names_job_template_and_profile(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { .job = "fleet" };
    struct listed listed;
    char path[512], serial[41];
    json_t *root;

    job_fixture_bundle(f, "one.pem", 3, 0, path);
    job_fixture_run(f, "fleet", path);
    run_list(f, &query, &listed);
    ca_hex_encode(ca_bytes_of(listed.serials[2], SCHEMA_SERIAL_LEN), serial);
    root = describe(f, serial, false);
    assert_string_equal(text_of(root, "job"), "fleet");
    assert_int_equal(json_integer_value(json_object_get(root, "ordinal")), 2);
    assert_string_equal(text_of(root, "template"), "EndEntityCertificate");
    assert_int_equal(strlen(text_of(root, "profile")), 64);
    json_decref(root);
    free(listed.serials);
}

static void certificates_can_be_described_while_they_are_listed(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { 0 };
    struct listed listed = { .registry = f->registry };

    assert_int_equal(batch_cert_each(f->registry, &query, describe_visited, &listed, &f->err),
                     CA_OK);
    assert_int_equal(listed.count, 2);
}

static void an_index_row_without_its_certificate_ends_the_list(void **state)
{
    struct store_fixture *f = *state;
    struct batch_cert_query query = { 0 };
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct batch_cert cert;
    struct ca_buf value;
    struct listed listed;
    char serial[41];

    issue(f, "one", 10, serial);
    assert_int_equal(batch_cert_find(f->registry, serial, NULL, &cert, &value, NULL), CA_OK);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    assert_int_equal(store_delete(txn, STORE_CERT, schema_key_cert(&key, cert.serial, cert.ca),
                                  NULL), CA_OK);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    begin_list(&listed, f);
    query.expiring_before_s = cert.row.not_after_s;
    assert_int_equal(batch_cert_each(f->registry, &query, list, &listed, &f->err), CA_CORRUPT);
    assert_string_equal(ca_error_name(&f->err), "store-damaged");
    free(listed.serials);
    ca_buf_clear(&value);
}

#define cert_test(name) cmocka_unit_test_setup_teardown(name, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cert_test(a_list_of_all_is_in_order_of_serial),
        cert_test(a_list_can_be_of_one_ca),
        cert_test(a_list_of_an_unknown_ca_or_job_is_refused),
        cert_test(a_list_of_a_job_is_what_it_issued_in_its_order),
        cert_test(a_list_by_subject_matches_the_printed_name),
        cert_test(a_list_of_the_expiring_is_in_order_of_expiry_and_without_the_expired),
        cert_test(a_limit_ends_a_list),
        cert_test(what_a_visit_returns_ends_the_list),
        cert_test(a_long_list_gives_each_certificate_once_and_in_order),
        cert_test(what_is_issued_during_a_long_list_is_in_it),
        cert_test(a_certificate_is_found_in_any_form_of_its_serial),
        cert_test(an_unknown_serial_is_refused),
        cert_test(a_serial_of_two_cas_needs_the_ca),
        cert_test(a_certificate_is_valid_then_expired_and_revoked_beats_both),
        cert_test(a_description_says_what_the_certificate_says),
        cert_test(a_description_of_a_jobs_certificate_names_job_template_and_profile),
        cert_test(certificates_can_be_described_while_they_are_listed),
        cert_test(an_index_row_without_its_certificate_ends_the_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
