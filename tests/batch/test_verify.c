/*
 * Verification: each kind of damage is planted in a sound store, with valid checksums unless the
 * test is about those, and must be found, and nothing else with it.
 */
#include "batch/verify.h"

#include "batch/issue.h"
#include "tests/support/job_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/x509.h>

#define ASKED 12            /* requests of the job, every fourth with a broken signature */
#define ISSUED 9
#define CERTIFICATES (ISSUED + 3)       /* root, subordinate and a single issue beside them */

struct found {
    unsigned count;
    char text[16384];
};

static void note(void *ctx, const char *sentence)
{
    struct found *found = ctx;
    size_t used = strlen(found->text);

    found->count++;
    (void)snprintf(found->text + used, sizeof(found->text) - used, "%s\n", sentence);
}

/* Expects exactly these findings, each as a part of one sentence. */
static void expect(struct store_fixture *f, bool deep, unsigned count, const char *part)
{
    struct batch_verify_report report;
    struct found found = { 0 };
    enum ca_status st = batch_verify(f->registry, deep, note, &found, &report, &f->err);

    if (found.count != count) fail_msg("%u findings:\n%s", found.count, found.text);
    if (strstr(found.text, part) == NULL) fail_msg("no \"%s\" in:\n%s", part, found.text);
    assert_int_equal(report.findings, count);
    assert_int_equal(st, CA_CORRUPT);
    assert_string_equal(ca_error_name(&f->err), "store-damaged");
}

static int setup(void **state)
{
    struct batch_issue spec = { .ca = "sub" };
    struct store_fixture *f;
    struct batch_issued issued;
    struct ca_buf csr;
    char path[512];
    int rc = store_fixture_setup(state);

    if (rc != 0) return rc;
    f = *state;
    store_fixture_hierarchy(f);
    job_fixture_bundle(f, "requests.pem", ASKED, 4, path);
    job_fixture_run(f, "fleet", path);
    ca_buf_init(&csr, 1 << 16);
    job_fixture_request("single", false, &csr);
    spec.csr = ca_buf_view(&csr);
    spec.token = "token-1";
    assert_int_equal(batch_issue(f->registry, &spec, &issued, &f->err), CA_OK);
    batch_issued_clear(&issued);
    ca_buf_clear(&csr);
    return 0;
}

/* ---- planting ---- */

/* A write transaction with one certificate of the job (ordinal 0) in hand. */
struct plant {
    struct store_txn *txn;
    uint32_t ca;
    uint8_t serial[SCHEMA_SERIAL_LEN];
    struct ca_buf value;            /* its row */
    struct schema_cert row;
    struct ca_buf job_value;
    struct schema_job job;
};

static struct ca_bytes get(struct plant *p, enum store_table table, struct ca_bytes key)
{
    struct ca_bytes value;
    bool found;

    assert_int_equal(store_get(p->txn, table, key, &found, &value, NULL), CA_OK);
    assert_true(found);
    return value;
}

static void begin(struct store_fixture *f, struct plant *p)
{
    struct schema_key key;
    struct schema_result result;

    *p = (struct plant){ 0 };
    ca_buf_init(&p->value, 1 << 20);
    ca_buf_init(&p->job_value, 1 << 20);
    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &p->txn, NULL), CA_OK);
    ca_buf_append_bytes(&p->job_value, get(p, STORE_JOB, schema_key_job(&key, 1)));
    assert_int_equal(schema_decode_job(ca_buf_view(&p->job_value), &p->job, NULL), CA_OK);
    p->ca = p->job.ca;
    assert_int_equal(schema_decode_result(get(p, STORE_RESULT, schema_key_ordinal(&key, 1, 0)),
                                          &result, NULL), CA_OK);
    memcpy(p->serial, result.serial, sizeof(p->serial));
    ca_buf_append_bytes(&p->value, get(p, STORE_CERT, schema_key_cert(&key, p->serial, p->ca)));
    assert_int_equal(schema_decode_cert(ca_buf_view(&p->value), &p->row, NULL), CA_OK);
}

static void end(struct plant *p)
{
    assert_int_equal(store_commit(p->txn, NULL), CA_OK);
    ca_buf_clear(&p->value);
    ca_buf_clear(&p->job_value);
}

static void put(struct plant *p, enum store_table table, struct ca_bytes key,
                struct ca_bytes value)
{
    assert_int_equal(store_put(p->txn, table, key, value, STORE_UPSERT, NULL), CA_OK);
}

static void drop(struct plant *p, enum store_table table, struct ca_bytes key)
{
    assert_int_equal(store_delete(p->txn, table, key, NULL), CA_OK);
}

static void put_cert(struct plant *p)
{
    struct schema_key key;
    struct ca_buf value;

    ca_buf_init(&value, 1 << 20);
    schema_encode_cert(&p->row, &value);
    put(p, STORE_CERT, schema_key_cert(&key, p->serial, p->ca), ca_buf_view(&value));
    ca_buf_clear(&value);
}

static void put_job(struct plant *p)
{
    struct schema_key key;
    struct ca_buf value;

    ca_buf_init(&value, 1 << 20);
    schema_encode_job(&p->job, &value);
    put(p, STORE_JOB, schema_key_job(&key, 1), ca_buf_view(&value));
    ca_buf_clear(&value);
}

static void put_result(struct plant *p, uint32_t job, uint64_t ordinal,
                       const struct schema_result *row)
{
    struct schema_key key;
    struct ca_buf value;

    ca_buf_init(&value, 1 << 20);
    schema_encode_result(row, &value);
    put(p, STORE_RESULT, schema_key_ordinal(&key, job, ordinal), ca_buf_view(&value));
    ca_buf_clear(&value);
}

static const struct schema_result a_rejection = { .status = SCHEMA_RESULT_REJECTED, .reason = 25 };

/* Changes one octet of the DER inside the certificate's row, counted from its end if negative. */
static void change_der(struct plant *p, long at)
{
    uint8_t *der = malloc(p->row.der.len);

    assert_non_null(der);
    memcpy(der, p->row.der.data, p->row.der.len);
    der[at < 0 ? p->row.der.len - (size_t)-at : (size_t)at] ^= 1;
    p->row.der.data = der;
    put_cert(p);
    free(der);
}

/* Where these octets stand in the certificate. */
static long find_in_der(const struct plant *p, const void *octets, size_t len)
{
    const uint8_t *at = memmem(p->row.der.data, p->row.der.len, octets, len);

    assert_non_null(at);
    return at - p->row.der.data;
}

/* ---- soundness ---- */

static void a_sound_store_has_no_findings(void **state)
{
    struct store_fixture *f = *state;
    struct batch_verify_report report;
    struct found found = { 0 };

    if (batch_verify(f->registry, false, note, &found, &report, &f->err) != CA_OK)
        fail_msg("%s\n%s", f->err.text, found.text);
    assert_int_equal(report.certificates, CERTIFICATES);
    assert_int_equal(report.verified, 0);
    assert_int_equal(report.rows[STORE_CERT], CERTIFICATES);
    assert_int_equal(report.rows[STORE_EXPIRY], CERTIFICATES);
    assert_int_equal(report.rows[STORE_CA], 2);
    assert_int_equal(report.rows[STORE_RESULT], ASKED);
    assert_int_equal(report.rows[STORE_JOB], 1);
    assert_int_equal(report.rows[STORE_TOKEN], 1);
    if (batch_verify(f->registry, true, note, &found, &report, &f->err) != CA_OK)
        fail_msg("%s\n%s", f->err.text, found.text);
    assert_int_equal(report.verified, CERTIFICATES);
    assert_int_equal(found.count, 0);
}

static void a_sound_store_has_none_when_opened_for_reading(void **state)
{
    struct store_fixture *f = *state;
    struct batch_verify_report report;

    assert_int_equal(store_fixture_reopen(f, STORE_READ), CA_OK);
    assert_int_equal(batch_verify(f->registry, true, NULL, NULL, &report, &f->err), CA_OK);
}

static void findings_are_counted_without_anybody_listening(void **state)
{
    struct store_fixture *f = *state;
    struct batch_verify_report report;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    drop(&p, STORE_EXPIRY, schema_key_expiry(&key, p.row.not_after_s, p.ca, p.serial));
    end(&p);
    assert_int_equal(batch_verify(f->registry, false, NULL, NULL, &report, &f->err), CA_CORRUPT);
    assert_int_equal(report.findings, 1);
}

/* Another process: verifies until told to stop. Exits 0 when it never had a finding, 1 otherwise, 2
 * when it could not look even twice. */
static void verify_until(struct store_fixture *f, int stop_fd)
{
    struct pollfd stop = { .fd = stop_fd, .events = POLLIN };
    struct batch_verify_report report;
    unsigned rounds = 0;

    if (store_fixture_reopen(f, STORE_READ) != CA_OK) _exit(3);
    do {
        if (batch_verify(f->registry, false, NULL, NULL, &report, NULL) != CA_OK) _exit(1);
        rounds++;
    } while (poll(&stop, 1, 0) == 0);
    _exit(rounds < 2 ? 2 : 0);
}

static void a_batch_that_commits_meanwhile_is_no_finding(void **state)
{
    struct store_fixture *f = *state;
    char path[512];
    int stop[2], status;
    pid_t pid;

    job_fixture_bundle(f, "many.pem", 2000, 7, path);
    assert_int_equal(pipe(stop), 0);
    batch_registry_close(f->registry);      /* LMDB must not cross a fork */
    f->registry = NULL;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(stop[1]);
        verify_until(f, stop[0]);
    }
    (void)close(stop[0]);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
    job_fixture_run(f, "many", path);
    assert_int_equal(write(stop[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(stop[1]);
}

/* ---- certificates ---- */

static void a_certificate_without_its_index_row_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    drop(&p, STORE_EXPIRY, schema_key_expiry(&key, p.row.not_after_s, p.ca, p.serial));
    end(&p);
    expect(f, false, 1, "missing in the expiry index");
}

static void an_index_row_without_its_certificate_is_found(void **state)
{
    struct store_fixture *f = *state;
    uint8_t serial[SCHEMA_SERIAL_LEN] = { 1 };
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    put(&p, STORE_EXPIRY, schema_key_expiry(&key, 1, p.ca, serial), ca_bytes_of(NULL, 0));
    end(&p);
    expect(f, false, 1, "there is no such certificate");
}

static void an_index_row_of_another_time_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    put(&p, STORE_EXPIRY, schema_key_expiry(&key, p.row.not_after_s + 1, p.ca, p.serial),
        ca_bytes_of(NULL, 0));
    end(&p);
    expect(f, false, 1, "ends at another time");
}

static void an_index_row_with_a_value_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    put(&p, STORE_EXPIRY, schema_key_expiry(&key, p.row.not_after_s, p.ca, p.serial),
        ca_bytes_str("x"));
    end(&p);
    expect(f, false, 1, "the row has a value");
}

static void a_lost_certificate_is_found_by_its_result_and_its_index(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    drop(&p, STORE_CERT, schema_key_cert(&key, p.serial, p.ca));
    end(&p);
    expect(f, false, 2, "its certificate is not in the store");
    expect(f, false, 2, "there is no such certificate");
}

static void a_certificate_under_another_serial_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    change_der(&p, find_in_der(&p, p.serial, sizeof(p.serial)) + SCHEMA_SERIAL_LEN - 1);
    end(&p);
    expect(f, false, 1, "its serial is another than its row's");
}

static void a_certificate_with_other_dates_is_found(void **state)
{
    struct store_fixture *f = *state;
    char text[32];
    struct ca_civil civil;
    struct plant p;

    begin(f, &p);
    ca_time_to_civil(p.row.not_after_s, &civil);
    (void)snprintf(text, sizeof(text), "%02d%02d%02d%02d%02d%02dZ", civil.year % 100, civil.month,
                   civil.day, civil.hour, civil.minute, civil.second);
    change_der(&p, find_in_der(&p, text, 13) + 11);
    end(&p);
    expect(f, false, 1, "its notAfter is another");
}

static void a_row_with_another_not_before_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.row.not_before_s -= 60;
    put_cert(&p);
    end(&p);
    expect(f, false, 1, "its notBefore is another");
}

static void a_certificate_that_is_no_certificate_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    change_der(&p, 0);
    end(&p);
    expect(f, false, 1, "certificate");
}

static void a_changed_signature_is_found_only_deep(void **state)
{
    struct store_fixture *f = *state;
    struct batch_verify_report report;
    struct plant p;

    begin(f, &p);
    change_der(&p, -1);
    end(&p);
    assert_int_equal(batch_verify(f->registry, false, NULL, NULL, &report, &f->err), CA_OK);
    expect(f, true, 1, "its signature is not CA 2's");
}

static void a_changed_subject_is_found_deep(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    change_der(&p, find_in_der(&p, "device-000001", 13));
    end(&p);
    expect(f, true, 1, "its signature is not CA 2's");
}

static void another_issuer_name_is_found_deep(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    change_der(&p, find_in_der(&p, "sub", 3));
    end(&p);
    expect(f, true, 2, "its issuer is not CA 2's name");
}

static void a_certificate_of_a_ca_that_does_not_exist_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    p.ca = 9;
    p.row.job = 0;
    put_cert(&p);
    put(&p, STORE_EXPIRY, schema_key_expiry(&key, p.row.not_after_s, p.ca, p.serial),
        ca_bytes_of(NULL, 0));
    end(&p);
    expect(f, true, 1, "its CA 9 does not exist");
}

static void a_certificate_of_a_later_ca_certificate_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.row.ca_generation = 2;
    put_cert(&p);
    end(&p);
    expect(f, false, 1, "it is of certificate 2 of CA 2, which has had 1");
}

static void a_certificate_of_another_profile_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.row.profile ^= 1;
    put_cert(&p);
    end(&p);
    expect(f, false, 1, "its profile is not its job's");
}

/* Puts the first certificate that no job asked for (a CA's own) in hand. */
static void take_single(struct plant *p)
{
    struct store_cursor *cursor = NULL;
    struct ca_bytes key, value;
    bool found = false;

    assert_int_equal(store_cursor_open(p->txn, STORE_CERT, &cursor, NULL), CA_OK);
    assert_int_equal(store_cursor_seek(cursor, ca_bytes_of(NULL, 0), &found, &key, &value, NULL),
                     CA_OK);
    assert_true(found);
    assert_int_equal(schema_read_key_cert(key, p->serial, &p->ca, NULL), CA_OK);
    ca_buf_reset(&p->value);
    ca_buf_append_bytes(&p->value, value);
    store_cursor_close(cursor);
    assert_int_equal(schema_decode_cert(ca_buf_view(&p->value), &p->row, NULL), CA_OK);
    assert_int_equal(p->row.job, 0);
}

static void a_single_certificate_without_its_profile_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    take_single(&p);
    p.row.profile ^= 1;
    put_cert(&p);
    end(&p);
    expect(f, false, 1, "its profile is not in the store");
}

/* A sound certificate under the profile of another template: only its octets can tell. */
static void a_certificate_that_its_template_does_not_give_is_found_deep(void **state)
{
    struct batch_issue spec = { .ca = "sub", .terms = { .tmpl = "CodeSigningCertificate/V1" } };
    struct store_fixture *f = *state;
    struct batch_verify_report report;
    struct batch_issued issued;
    struct schema_key key;
    struct schema_cert other;
    struct ca_buf csr;
    struct plant p;

    ca_buf_init(&csr, 1 << 16);
    job_fixture_request("signer", false, &csr);
    spec.csr = ca_buf_view(&csr);
    assert_int_equal(batch_issue(f->registry, &spec, &issued, &f->err), CA_OK);
    assert_int_equal(batch_verify(f->registry, true, NULL, NULL, &report, &f->err), CA_OK);
    begin(f, &p);
    assert_int_equal(schema_decode_cert(get(&p, STORE_CERT, schema_key_cert(
                                                &key, issued.serial.octets, p.ca)), &other, NULL),
                     CA_OK);
    take_single(&p);        /* the root's own */
    p.row.profile = other.profile;
    put_cert(&p);
    end(&p);
    assert_int_equal(batch_verify(f->registry, false, NULL, NULL, &report, &f->err), CA_OK);
    expect(f, true, 3, "its basic constraints: not as the template");
    expect(f, true, 3, "its key usage: not as the template");
    expect(f, true, 3, "its extended key usage: not as the template");
    batch_issued_clear(&issued);
    ca_buf_clear(&csr);
}

static void another_purpose_is_found_deep(void **state)
{
    static const uint8_t client_auth[] = { 0x2b, 6, 1, 5, 5, 7, 3, 2 };
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    change_der(&p, find_in_der(&p, client_auth, sizeof(client_auth)) + 7);
    end(&p);
    expect(f, true, 2, "its extended key usage: not as the template");
}

static void a_certificate_of_another_place_is_found_from_both_sides(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.row.ordinal = 1;
    put_cert(&p);
    end(&p);
    expect(f, false, 2, "the result of job 1, ordinal 1 is another");
    expect(f, false, 2, "its certificate belongs to job 1, ordinal 1");
}

static void a_certificate_of_a_job_that_does_not_exist_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.row.job = 8;
    put_cert(&p);
    end(&p);
    expect(f, false, 3, "its job 8 does not exist");
    expect(f, false, 3, "job 8 has no result for its ordinal 0");
    expect(f, false, 3, "its certificate belongs to job 8");
}

static void a_revocation_of_nothing_or_another_scope_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct batch_verify_report report;
    uint8_t serial[SCHEMA_SERIAL_LEN] = { 1 };
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    put(&p, STORE_REVOKED, schema_key_revoked(&key, p.ca, p.row.scope,
                                              ca_bytes_of(p.serial, sizeof(p.serial))),
        ca_bytes_str("r"));
    end(&p);
    assert_int_equal(batch_verify(f->registry, false, NULL, NULL, &report, &f->err), CA_OK);
    begin(f, &p);
    put(&p, STORE_REVOKED, schema_key_revoked(&key, p.ca, p.row.scope + 1,
                                              ca_bytes_of(p.serial, sizeof(p.serial))),
        ca_bytes_str("r"));
    put(&p, STORE_REVOKED, schema_key_revoked(&key, p.ca, 0, ca_bytes_of(serial, sizeof(serial))),
        ca_bytes_str("r"));
    put(&p, STORE_REVOKED, ca_bytes_str("short"), ca_bytes_str("r"));
    end(&p);
    expect(f, false, 3, "of another CRL scope");
    expect(f, false, 3, "revocation of 0100");
    expect(f, false, 3, "a key of revoked has 5 octets");
}

static void a_scope_that_the_ca_never_opened_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.row.scope = 3;
    put_cert(&p);
    end(&p);
    expect(f, false, 1, "it is of CRL scope 3, but CA 2 has opened 0");
}

/* ---- known keys ---- */

/* What identifies an EC key: the first half of SHA-256 over its point's x coordinate. */
static void known_hash(struct ca_bytes der, uint8_t hash[SCHEMA_KNOWN_LEN])
{
    const unsigned char *at = der.data;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    const ASN1_BIT_STRING *point;
    uint8_t digest[32];

    assert_non_null(cert);
    point = X509_get0_pubkey_bitstr(cert);
    assert_int_equal(ASN1_STRING_length(point), 65);
    assert_int_equal(EVP_Digest(ASN1_STRING_get0_data(point) + 1, 32, digest, NULL, EVP_sha256(),
                                NULL), 1);
    memcpy(hash, digest, SCHEMA_KNOWN_LEN);
    X509_free(cert);
}

static void put_known(struct plant *p, const uint8_t hash[SCHEMA_KNOWN_LEN],
                      const uint8_t serial[SCHEMA_SERIAL_LEN])
{
    struct schema_known row = { .ca = p->ca };
    struct schema_key key;
    struct ca_buf value;

    memcpy(row.serial, serial, sizeof(row.serial));
    ca_buf_init(&value, 1024);
    schema_encode_known(&row, &value);
    put(p, STORE_KNOWN, schema_key_known(&key, hash), ca_buf_view(&value));
    ca_buf_clear(&value);
}

static void a_known_key_of_no_or_another_certificate_is_found(void **state)
{
    static const uint8_t nobody[SCHEMA_SERIAL_LEN] = { 1 };
    struct store_fixture *f = *state;
    struct batch_verify_report report;
    uint8_t hash[SCHEMA_KNOWN_LEN];
    struct plant p;

    begin(f, &p);
    known_hash(p.row.der, hash);
    put_known(&p, hash, p.serial);
    end(&p);
    assert_int_equal(batch_verify(f->registry, true, NULL, NULL, &report, &f->err), CA_OK);
    begin(f, &p);
    hash[15] ^= 1;
    put_known(&p, hash, p.serial);
    hash[0] ^= 1;
    put_known(&p, hash, nobody);
    put(&p, STORE_KNOWN, ca_bytes_str("short"), ca_bytes_str("r"));
    put(&p, STORE_KNOWN, ca_bytes_str("sixteen octets.."), ca_bytes_str("r"));
    end(&p);
    expect(f, false, 4, "has another key");
    expect(f, false, 4, "there is no certificate 0100");
    expect(f, false, 4, "a key of known has 5 octets");
    expect(f, false, 4, "table known");
}

/* ---- jobs ---- */

static void a_job_that_counts_other_results_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.job.issued--;
    p.job.signed_count--;
    p.job.rejected++;
    put_job(&p);
    end(&p);
    expect(f, false, 2, "its row says 8 issued, its results 9");
    expect(f, false, 2, "its row says 4 rejected, its results 3");
}

static void a_job_whose_signatures_do_not_add_up_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.job.signed_count++;
    put_job(&p);
    end(&p);
    expect(f, false, 1, "10 were signed, but 9 issued and 0 discarded");
    begin(f, &p);
    p.job.discarded = p.job.rejected + 1;
    p.job.signed_count = p.job.issued + p.job.discarded;
    put_job(&p);
    end(&p);
    expect(f, false, 1, "4 were discarded, but 3 rejected");
}

static void more_results_than_committed_are_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    put_result(&p, 1, ASKED, &a_rejection);
    end(&p);
    expect(f, false, 1, "it has a result for ordinal 12, but 12 are committed");
}

static void more_committed_than_results_are_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.job.done += 2;
    put_job(&p);
    end(&p);
    expect(f, false, 1, "ordinals 12 to 13 have no result");
}

static void a_hole_in_the_results_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    drop(&p, STORE_RESULT, schema_key_ordinal(&key, 1, 3));         /* a rejection */
    end(&p);
    expect(f, false, 2, "ordinals 3 to 3 have no result");
    expect(f, false, 2, "its row says 3 rejected, its results 2");
}

static void a_job_that_lost_all_results_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    for (uint64_t i = 0; i < ASKED; i++) {
        drop(&p, STORE_RESULT, schema_key_ordinal(&key, 1, i));
    }
    end(&p);
    expect(f, false, ISSUED + 1, "it has no results, but 12 are committed");
}

static void results_of_a_job_that_does_not_exist_are_found_once(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    for (uint64_t i = 0; i < 5; i++) {
        put_result(&p, 7, i, &a_rejection);
    }
    end(&p);
    expect(f, false, 1, "there are results of job 7, which does not exist");
}

static void results_of_no_known_kind_are_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_result row = { .status = SCHEMA_RESULT_REJECTED, .reason = 60000 };
    struct plant p;

    begin(f, &p);
    put_result(&p, 1, 3, &row);
    end(&p);
    expect(f, false, 1, "there is no reason 60000");
}

static void a_job_without_ca_or_profile_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.job.profile[SCHEMA_HASH_LEN - 1] ^= 1;
    put_job(&p);
    end(&p);
    expect(f, false, 1, "its profile is not in the store");
    begin(f, &p);
    p.job.profile[SCHEMA_HASH_LEN - 1] ^= 1;
    p.job.ca = 9;
    put_job(&p);
    end(&p);
    expect(f, false, 1 + 2 * ISSUED, "its CA 9 does not exist");
}

static void a_job_whose_numbers_make_no_sense_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct plant p;

    begin(f, &p);
    p.job.out_done = ASKED + 1;
    p.job.spec = ca_bytes_str("{}");
    put_job(&p);
    end(&p);
    expect(f, false, 2, "13 are in the outputs, but 12 committed");
    expect(f, false, 2, "the arguments of a job have other members");
}

static void input_beyond_what_is_committed_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_input row = { .offset = 1 };
    struct schema_key key;
    struct ca_buf value;
    struct plant p;

    begin(f, &p);
    ca_buf_init(&value, 256);
    schema_encode_input(&row, &value);
    put(&p, STORE_INPUT, schema_key_ordinal(&key, 1, ASKED + 1), ca_buf_view(&value));
    put(&p, STORE_INPUT, schema_key_ordinal(&key, 5, 1), ca_buf_view(&value));
    ca_buf_clear(&value);
    end(&p);
    expect(f, false, 2, "its input is consumed to ordinal 13, but 12 are committed");
    expect(f, false, 2, "input of job 5, ordinal 1: there is no such job");
}

static void ids_that_lead_to_another_result_are_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct ca_buf value;
    struct plant p;

    begin(f, &p);
    ca_buf_init(&value, 256);
    schema_encode_ordinal(0, &value);
    put(&p, STORE_ID, schema_key_id(&key, 1, ca_bytes_str("strange")), ca_buf_view(&value));
    put(&p, STORE_ID, schema_key_id(&key, 6, ca_bytes_str("strange")), ca_buf_view(&value));
    ca_buf_clear(&value);
    end(&p);
    expect(f, false, 2, "an id of job 1 names ordinal 0, which has another id");
    expect(f, false, 2, "an id of job 6 names ordinal 0, which has no result");
}

/* ---- CAs, tokens, profiles, the clock ---- */

static void a_missing_key_file_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;
    char uuid[37], inside[64], path[512];

    assert_int_equal(batch_ca_find(f->registry, NULL, "sub", &ca, NULL), CA_OK);
    batch_uuid_format(ca.row.uuid, uuid);
    batch_ca_clear(&ca);
    (void)snprintf(inside, sizeof(inside), "keys/%s.pem", uuid);
    store_fixture_path(f, inside, path);
    assert_int_equal(unlink(path), 0);
    expect(f, false, 1, "CA 2: its key file is missing");
}

static void edit_ca(struct store_fixture *f, uint32_t number,
                    void (*edit)(struct schema_ca *row))
{
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct schema_ca row;
    struct ca_bytes value;
    struct ca_buf copy;
    bool found;

    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    assert_int_equal(store_get(txn, STORE_CA, schema_key_ca(&key, number), &found, &value, NULL),
                     CA_OK);
    assert_int_equal(schema_decode_ca(value, &row, NULL), CA_OK);
    edit(&row);
    ca_buf_init(&copy, 1 << 20);
    schema_encode_ca(&row, &copy);
    assert_int_equal(store_put(txn, STORE_CA, schema_key_ca(&key, number), ca_buf_view(&copy),
                               STORE_UPSERT, NULL), CA_OK);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    ca_buf_clear(&copy);
}

static void lose_certificate(struct schema_ca *row)
{
    row->cert.len = 0;
}

static void a_ca_that_is_active_without_a_certificate_is_found(void **state)
{
    struct store_fixture *f = *state;

    edit_ca(f, 1, lose_certificate);
    expect(f, true, 2, "CA 1: it is active without a certificate");
    expect(f, true, 2, "CA 1: it has no certificate, but 1 were imported");
}

static void change_certificate(struct schema_ca *row)
{
    static uint8_t der[4096];

    assert_true(row->cert.len <= sizeof(der));
    memcpy(der, row->cert.data, row->cert.len);
    der[row->cert.len - 1] ^= 1;
    row->cert.data = der;
}

static void a_ca_certificate_that_does_not_verify_is_found_deep(void **state)
{
    struct store_fixture *f = *state;
    struct batch_verify_report report;

    edit_ca(f, 1, change_certificate);
    assert_int_equal(batch_verify(f->registry, false, NULL, NULL, &report, &f->err), CA_OK);
    expect(f, true, 1, "CA 1: its certificate:");
}

static void take_the_other_key(struct schema_ca *row)
{
    static uint8_t spki[512];

    assert_true(row->spki.len <= sizeof(spki));
    memcpy(spki, row->spki.data, row->spki.len);
    spki[0] ^= 1;
    row->spki.data = spki;
}

static void a_ca_whose_public_key_is_none_is_found(void **state)
{
    struct store_fixture *f = *state;

    edit_ca(f, 2, take_the_other_key);
    expect(f, false, 1, "CA 2: its public key:");
}

static void a_token_of_nothing_is_found(void **state)
{
    struct store_fixture *f = *state;
    uint8_t hash[SCHEMA_HASH_LEN] = { 1 }, number[4] = { 0, 0, 0, 9 };
    uint8_t serial[SCHEMA_SERIAL_LEN] = { 2 };
    struct schema_token row = { .result = ca_bytes_of(serial, sizeof(serial)) };
    struct schema_key key;
    struct ca_buf value;
    struct plant p;

    begin(f, &p);
    ca_buf_init(&value, 1024);
    schema_encode_token(&row, &value);
    put(&p, STORE_TOKEN, schema_key_token(&key, SCHEMA_TOKEN_ISSUE, 2, hash),
        ca_buf_view(&value));
    put(&p, STORE_TOKEN, schema_key_token(&key, SCHEMA_TOKEN_CREATE_CA, 1, hash),
        ca_buf_view(&value));
    ca_buf_reset(&value);
    row.result = ca_bytes_of(number, sizeof(number));
    schema_encode_token(&row, &value);
    put(&p, STORE_TOKEN, schema_key_token(&key, SCHEMA_TOKEN_CREATE_CA, 0, hash),
        ca_buf_view(&value));
    put(&p, STORE_TOKEN, ca_bytes_str("short"), ca_buf_view(&value));
    ca_buf_clear(&value);
    end(&p);
    expect(f, false, 4, "a token of CA 2 names a certificate that does not exist");
    expect(f, false, 4, "a token names a CA that does not exist");
    expect(f, false, 4, "a token of operation 1 has a result of 18 octets");
    expect(f, false, 4, "a key of token has 5 octets");
}

static void a_profile_with_another_text_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    put(&p, STORE_PROFILE, schema_key_profile(&key, p.job.profile), ca_bytes_str("{}"));
    end(&p);
    expect(f, false, 1, "does not have the hash it is stored under");
}

static void a_clock_behind_what_was_given_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_clock clock;
    struct plant p;

    begin(f, &p);
    assert_int_equal(batch_registry_read_clock(p.txn, &clock, NULL), CA_OK);
    clock.last_tick_ms -= 100000;
    clock.last_ca = 1;
    clock.last_job = 0;
    assert_int_equal(batch_registry_write_clock(p.txn, &clock, NULL), CA_OK);
    end(&p);
    expect(f, false, 3, "meta clock: the last tick is");
    expect(f, false, 3, "the last CA is 1, but there is CA 2");
    expect(f, false, 3, "the last job is 0, but there is job 1");
}

static void a_missing_clock_is_found(void **state)
{
    struct store_fixture *f = *state;
    struct schema_key key;
    struct plant p;

    begin(f, &p);
    drop(&p, STORE_META, schema_key_meta(&key, "clock"));
    end(&p);
    expect(f, false, 1, "meta clock: there is no such row");
}

/* ---- rows that are no rows ---- */

static void put_alone(struct store_fixture *f, enum store_table table,
                      const struct schema_key *key, const struct ca_buf *value)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, NULL), CA_OK);
    assert_int_equal(store_put(txn, table, ca_bytes_of(key->octets, key->len), ca_buf_view(value),
                               STORE_UPSERT, NULL), CA_OK);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
}

/* The last row of a table: its key, its value, and its value with an octet more. */
static void read_last(struct store_fixture *f, enum store_table table, struct schema_key *key,
                      struct ca_buf *right, struct ca_buf *longer)
{
    struct store_txn *txn = NULL;
    struct store_cursor *cursor = NULL;
    struct ca_bytes at, value;
    bool there;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, NULL), CA_OK);
    assert_int_equal(store_cursor_open(txn, table, &cursor, NULL), CA_OK);
    assert_int_equal(store_cursor_last(cursor, &there, &at, &value, NULL), CA_OK);
    assert_true(there);
    store_cursor_close(cursor);
    memcpy(key->octets, at.data, at.len);
    key->len = at.len;
    ca_buf_init(right, 1 << 20);
    ca_buf_append_bytes(right, value);
    ca_buf_init(longer, 1 << 20);
    ca_buf_append_bytes(longer, value);
    ca_buf_append_u8(longer, 0);
    store_abort(txn);
}

/* One octet more than a row, in every table with a decoder; the key stays that of a real row. */
static void rows_that_do_not_decode_are_found(void **state)
{
    struct store_fixture *f = *state;
    static const enum store_table tables[] = { STORE_CERT, STORE_JOB, STORE_CA, STORE_INPUT,
                                               STORE_TOKEN, STORE_RESULT };

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        struct batch_verify_report report;
        struct schema_key key;
        struct ca_buf longer, right;
        struct found found = { 0 };

        read_last(f, tables[i], &key, &right, &longer);
        put_alone(f, tables[i], &key, &longer);
        assert_int_equal(batch_verify(f->registry, true, note, &found, &report, &f->err),
                         CA_CORRUPT);
        assert_int_equal(report.findings, 1);
        assert_non_null(strstr(found.text, store_table_name(tables[i])));
        put_alone(f, tables[i], &key, &right);
        assert_int_equal(batch_verify(f->registry, true, NULL, NULL, &report, &f->err), CA_OK);
        ca_buf_clear(&right);
        ca_buf_clear(&longer);
    }
}

static void keys_of_another_length_are_found(void **state)
{
    struct store_fixture *f = *state;
    static const enum store_table tables[] = { STORE_CERT, STORE_EXPIRY, STORE_JOB, STORE_CA,
                                               STORE_INPUT, STORE_RESULT, STORE_ID };
    struct plant p;

    begin(f, &p);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        put(&p, tables[i], ca_bytes_str("\x01\x02\x03"), ca_bytes_str("x"));
    }
    end(&p);
    expect(f, false, 7, "a key of id has 3 octets");
}

/* ---- checksums ---- */

/* Changes octets of the data file where LMDB does not look, behind the store's back. */
static void change_file(struct store_fixture *f, const void *octets, size_t len, size_t at)
{
    char path[512];
    struct stat file;
    uint8_t *data, *found;
    unsigned changed = 0;
    int fd;

    batch_registry_close(f->registry);
    f->registry = NULL;
    store_fixture_path(f, "data.mdb", path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &file), 0);
    data = malloc((size_t)file.st_size);
    assert_non_null(data);
    assert_int_equal(pread(fd, data, (size_t)file.st_size, 0), file.st_size);
    for (uint8_t *from = data;
         (found = memmem(from, (size_t)(data + file.st_size - from), octets, len)) != NULL;
         from = found + 1) {
        uint8_t octet = found[at] ^ 1;

        assert_int_equal(pwrite(fd, &octet, 1, found + at - data), 1);
        changed++;
    }
    assert_true(changed > 0);               /* old copies of a page count too */
    assert_int_equal(close(fd), 0);
    free(data);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
}

static void a_flipped_bit_in_a_certificate_is_found_and_the_rest_still_checked(void **state)
{
    struct store_fixture *f = *state;
    struct batch_verify_report report;
    struct found found = { 0 };
    uint8_t der[64];
    struct plant p;

    begin(f, &p);
    assert_true(p.row.der.len > 64);
    memcpy(der, p.row.der.data + p.row.der.len - 64, 64);       /* its signature */
    end(&p);
    change_file(f, der, 64, 20);
    assert_int_equal(batch_verify(f->registry, true, note, &found, &report, &f->err), CA_CORRUPT);
    assert_int_equal(report.findings, 1);
    assert_non_null(strstr(found.text, "table cert"));
    assert_non_null(strstr(found.text, "checksum"));
    assert_int_equal(report.certificates, CERTIFICATES);
    assert_int_equal(report.verified, CERTIFICATES - 1);
}

static void a_flipped_bit_in_a_result_spoils_no_count(void **state)
{
    struct store_fixture *f = *state;
    struct schema_result row = a_rejection;
    struct plant p;

    begin(f, &p);
    row.detail = ca_bytes_str("a sentence that stands nowhere else");
    put_result(&p, 1, 3, &row);
    end(&p);
    change_file(f, row.detail.data, row.detail.len, 5);
    expect(f, false, 1, "table result");
}

#define verify_test(name) cmocka_unit_test_setup_teardown(name, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        verify_test(a_sound_store_has_no_findings),
        verify_test(a_sound_store_has_none_when_opened_for_reading),
        verify_test(a_batch_that_commits_meanwhile_is_no_finding),
        verify_test(findings_are_counted_without_anybody_listening),
        verify_test(a_certificate_without_its_index_row_is_found),
        verify_test(an_index_row_without_its_certificate_is_found),
        verify_test(an_index_row_of_another_time_is_found),
        verify_test(an_index_row_with_a_value_is_found),
        verify_test(a_lost_certificate_is_found_by_its_result_and_its_index),
        verify_test(a_certificate_under_another_serial_is_found),
        verify_test(a_certificate_with_other_dates_is_found),
        verify_test(a_row_with_another_not_before_is_found),
        verify_test(a_certificate_that_is_no_certificate_is_found),
        verify_test(a_changed_signature_is_found_only_deep),
        verify_test(a_changed_subject_is_found_deep),
        verify_test(another_issuer_name_is_found_deep),
        verify_test(a_certificate_of_a_ca_that_does_not_exist_is_found),
        verify_test(a_certificate_of_a_later_ca_certificate_is_found),
        verify_test(a_certificate_of_another_profile_is_found),
        verify_test(a_single_certificate_without_its_profile_is_found),
        verify_test(a_certificate_that_its_template_does_not_give_is_found_deep),
        verify_test(another_purpose_is_found_deep),
        verify_test(a_certificate_of_another_place_is_found_from_both_sides),
        verify_test(a_certificate_of_a_job_that_does_not_exist_is_found),
        verify_test(a_revocation_of_nothing_or_another_scope_is_found),
        verify_test(a_scope_that_the_ca_never_opened_is_found),
        verify_test(a_known_key_of_no_or_another_certificate_is_found),
        verify_test(a_job_that_counts_other_results_is_found),
        verify_test(a_job_whose_signatures_do_not_add_up_is_found),
        verify_test(more_results_than_committed_are_found),
        verify_test(more_committed_than_results_are_found),
        verify_test(a_hole_in_the_results_is_found),
        verify_test(a_job_that_lost_all_results_is_found),
        verify_test(results_of_a_job_that_does_not_exist_are_found_once),
        verify_test(results_of_no_known_kind_are_found),
        verify_test(a_job_without_ca_or_profile_is_found),
        verify_test(a_job_whose_numbers_make_no_sense_is_found),
        verify_test(input_beyond_what_is_committed_is_found),
        verify_test(ids_that_lead_to_another_result_are_found),
        verify_test(a_missing_key_file_is_found),
        verify_test(a_ca_that_is_active_without_a_certificate_is_found),
        verify_test(a_ca_certificate_that_does_not_verify_is_found_deep),
        verify_test(a_ca_whose_public_key_is_none_is_found),
        verify_test(a_token_of_nothing_is_found),
        verify_test(a_profile_with_another_text_is_found),
        verify_test(a_clock_behind_what_was_given_is_found),
        verify_test(a_missing_clock_is_found),
        verify_test(rows_that_do_not_decode_are_found),
        verify_test(keys_of_another_length_are_found),
        verify_test(a_flipped_bit_in_a_certificate_is_found_and_the_rest_still_checked),
        verify_test(a_flipped_bit_in_a_result_spoils_no_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
