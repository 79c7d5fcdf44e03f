/* Single certificates: terms, idempotency, scopes, keys that are known. */
#include "batch/issue.h"
#include "batch/registry_cert.h"
#include "engine/notice.h"
#include "tests/support/job_fixture.h"
#include "tests/support/x509_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WITH_API "EndEntityCertificate_APIPassthrough/V1"

struct fixture {
    struct store_fixture *store;
    EVP_PKEY *key;
    struct x509_subject subject;    /* CN=device, asks for keyUsage */
    struct batch_issued issued;
    struct ca_error err;
};

static int setup(void **state)
{
    static const struct x509_extension asked[] = {
        { "keyUsage", "critical,keyAgreement" },
        { "subjectAltName", "DNS:device.example" },
        { NULL, NULL },
    };
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    if (store_fixture_setup((void **)&f->store) != 0) return -1;
    store_fixture_hierarchy(f->store);
    f->key = x509_make_key(OF_P256);
    x509_make_subject(f->key, "device", asked, &f->subject);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *store = f->store;

    batch_issued_clear(&f->issued);
    x509_drop_subject(&f->subject);
    EVP_PKEY_free(f->key);
    free(f);
    return store_fixture_teardown(&store);
}

static struct batch_issue ask_of(const struct fixture *f)
{
    return (struct batch_issue){ .ca = "sub", .csr = f->subject.request.der };
}

static enum ca_status issue(struct fixture *f, const struct batch_issue *spec)
{
    batch_issued_clear(&f->issued);
    return batch_issue(f->store->registry, spec, &f->issued, &f->err);
}

static X509 *certificate(const struct fixture *f)
{
    BIO *bio = BIO_new_mem_buf(f->issued.pem.data, (int)f->issued.pem.len);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(x);
    BIO_free(bio);
    return x;
}

static uint64_t rows(const struct fixture *f, enum store_table table)
{
    struct store_txn *txn = NULL;
    uint64_t count = 0;

    assert_int_equal(store_begin(f->store->registry->store, STORE_READ, &txn, NULL), CA_OK);
    assert_int_equal(store_count(txn, table, &count, NULL), CA_OK);
    store_abort(txn);
    return count;
}

static void assert_refused(struct fixture *f, const struct batch_issue *spec,
                           enum ca_reason reason)
{
    uint64_t before = rows(f, STORE_CERT);
    enum ca_status st = issue(f, spec);

    assert_true(st == CA_REFUSED || st == CA_MALFORMED);
    if (f->err.reason != reason) fail_msg("%s: %s", ca_error_name(&f->err), f->err.text);
    assert_int_equal(rows(f, STORE_CERT), before);
    assert_int_equal(f->issued.pem.len, 0);
}

static void what_a_request_asks_for_in_vain_is_said_with_the_certificate(void **state)
{
    struct fixture *f = *state;
    struct batch_issue spec = ask_of(f);

    assert_int_equal(issue(f, &spec), CA_OK);
    assert_true(f->issued.ignored == CA_IGNORED_BIT(CSR_KEY_USAGE));
    assert_int_equal(f->issued.notices,
                     CA_NOTICE_BIT(IGNORED) | CA_NOTICE_BIT(KEY_ENCIPHERMENT_EC));
    spec.terms.strict = true;
    assert_refused(f, &spec, CA_REASON_PASSTHROUGH_IGNORED);
}

static void an_api_passthrough_stands_in_the_certificate(void **state)
{
    struct fixture *f = *state;
    struct batch_issue spec = ask_of(f);
    char name[64];
    X509 *x;

    spec.terms.tmpl = WITH_API;
    spec.terms.api_json = ca_bytes_str("{\"Subject\":{\"CommonName\":\"by the API\"}}");
    assert_int_equal(issue(f, &spec), CA_OK);
    assert_true((f->issued.ignored & CA_IGNORED_BIT(CSR_SUBJECT)) != 0);
    x = certificate(f);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name,
                                          sizeof(name)) > 0);
    assert_string_equal(name, "by the API");
    X509_free(x);
}

static void a_template_of_a_users_own_decides_and_may_name_its_cas(void **state)
{
    struct fixture *f = *state;
    struct batch_issue spec = ask_of(f);
    int64_t from_s = STORE_FIXTURE_NOW_MS / 1000;

    spec.terms.tmpl_json = ca_bytes_str(
        "{\"name\":\"mine\",\"base\":\"EndEntityCertificate/V1\",\"allowed_cas\":[\"sub\"],"
        "\"validity\":{\"default\":\"20d\",\"max\":\"30d\"}}");
    assert_int_equal(issue(f, &spec), CA_OK);
    assert_int_equal(f->issued.not_after_s, from_s + 20 * 86400);
    spec.validity = (struct ca_validity){ .type = CA_VALIDITY_DAYS, .value = 31 };
    assert_refused(f, &spec, CA_REASON_VALIDITY_REFUSED);
    spec.validity.type = CA_VALIDITY_NONE;
    spec.terms.tmpl_json = ca_bytes_str("{\"name\":\"mine\",\"base\":\"EndEntityCertificate/V1\","
                                        "\"allowed_cas\":[\"another\"]}");
    assert_refused(f, &spec, CA_REASON_CA_NOT_ALLOWED);
}

/* The default is what nobody asked for, so it gives way to the template's cap. */
static void a_default_validity_stays_below_a_templates_cap(void **state)
{
    struct fixture *f = *state;
    struct batch_issue spec = ask_of(f);

    spec.terms.tmpl_json = ca_bytes_str("{\"name\":\"mine\",\"base\":\"EndEntityCertificate/V1\","
                                        "\"validity\":{\"max\":\"36h\"}}");
    assert_int_equal(issue(f, &spec), CA_OK);
    assert_int_equal(f->issued.not_after_s, STORE_FIXTURE_NOW_MS / 1000 + 36 * 3600);
}

static void a_token_gives_the_same_certificate_for_the_same_terms_only(void **state)
{
    struct fixture *f = *state;
    struct batch_issue first = ask_of(f), other;
    struct ca_serial serial;

    first.token = "once";
    first.terms.tmpl = WITH_API;
    first.terms.api_json = ca_bytes_str("{\"Subject\":{\"CommonName\":\"a\"}}");
    assert_int_equal(issue(f, &first), CA_OK);
    assert_false(f->issued.replayed);
    serial = f->issued.serial;
    /* Other spaces and another order are the same ApiPassthrough. */
    first.terms.api_json = ca_bytes_str("{ \"Subject\" : { \"CommonName\" : \"a\" } }");
    assert_int_equal(issue(f, &first), CA_OK);
    assert_true(f->issued.replayed);
    assert_memory_equal(&f->issued.serial, &serial, sizeof(serial));
    assert_int_equal(f->issued.ignored, 0);

    for (int i = 0; i < 5; i++) {
        other = first;
        switch (i) {
        case 0: other.terms.api_json = ca_bytes_str("{\"Subject\":{\"CommonName\":\"b\"}}"); break;
        case 1: other.terms.api_json = ca_bytes_of(NULL, 0); break;
        case 2: other.terms.tmpl = "EndEntityCertificate_APICSRPassthrough/V1"; break;
        case 3: other.terms.strict = true; break;
        case 4:
            other.terms.tmpl = NULL;
            other.terms.tmpl_json = ca_bytes_str(
                "{\"name\":\"mine\",\"base\":\"" WITH_API "\"}");
            break;
        }
        assert_int_equal(issue(f, &other), CA_REFUSED);
        assert_string_equal(ca_error_name(&f->err), "idempotency");
    }
    assert_int_equal(rows(f, STORE_CERT), 3);       /* two CAs' and this one */
}

static void a_key_that_has_a_certificate_is_refused_where_the_template_says_so(void **state)
{
    struct fixture *f = *state;
    struct batch_issue spec = ask_of(f);

    spec.terms.tmpl_json = ca_bytes_str("{\"name\":\"mine\",\"base\":\"EndEntityCertificate/V1\","
                                        "\"duplicate_keys\":{\"store\":\"warn\"}}");
    assert_int_equal(issue(f, &spec), CA_OK);
    assert_int_equal(f->issued.notices & CA_NOTICE_BIT(KNOWN_KEYS), 0);
    assert_int_equal(issue(f, &spec), CA_OK);
    assert_int_not_equal(f->issued.notices & CA_NOTICE_BIT(KNOWN_KEYS), 0);
    spec.terms.tmpl_json = ca_bytes_str("{\"name\":\"mine\",\"base\":\"EndEntityCertificate/V1\","
                                        "\"duplicate_keys\":{\"store\":\"reject\"}}");
    assert_refused(f, &spec, CA_REASON_KNOWN_KEY);
}

static void a_blocked_key_is_refused(void **state)
{
    struct fixture *f = *state;
    struct batch_issue spec = ask_of(f);
    char path[300], text[64];
    uint8_t hash[CA_KEY_HASH_LEN];
    FILE *file;

    assert_int_equal(ca_key_hash(f->store->registry->crypto, &f->subject.request.key, hash, NULL),
                     CA_OK);
    ca_hex_encode(ca_bytes_of(hash, sizeof(hash)), text);
    (void)snprintf(path, sizeof(path), "%s/blocked", f->store->root);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", text) > 0);
    assert_int_equal(fclose(file), 0);
    spec.terms.blocklist = path;
    assert_refused(f, &spec, CA_REASON_KEY_BLOCKED);
}

static void partition(struct fixture *f, const char *ca)
{
    assert_int_equal(
        batch_ca_update(f->store->registry, ca, 0,
                        ca_bytes_str("{\"CrlConfiguration\":{\"Enabled\":true,"
                                     "\"CrlType\":\"PARTITIONED\",\"ExpirationInDays\":7,"
                                     "\"CustomCname\":\"crl.example\"}}"),
                        &f->err),
        CA_OK);
}

static bool names_crl(const X509 *x, const char *end)
{
    STACK_OF(DIST_POINT) *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
    const ASN1_STRING *uri;
    bool same;

    assert_non_null(points);
    uri = sk_GENERAL_NAME_value(sk_DIST_POINT_value(points, 0)->distpoint->name.fullname, 0)
              ->d.uniformResourceIdentifier;
    same = (size_t)ASN1_STRING_length(uri) > strlen(end) &&
           memcmp(ASN1_STRING_get0_data(uri) + ASN1_STRING_length(uri) - strlen(end), end,
                  strlen(end)) == 0;
    sk_DIST_POINT_pop_free(points, DIST_POINT_free);
    return same;
}

static void a_certificate_of_a_partitioned_ca_names_its_scope_and_takes_a_place_in_it(void **state)
{
    struct fixture *f = *state;
    struct batch_issue spec = ask_of(f);

    f->store->registry->scope_certs = 2;
    partition(f, "sub");
    for (uint32_t i = 0; i < 5; i++) {
        char serial[CA_SERIAL_TEXT_MAX], end[32];
        struct batch_cert cert;
        struct batch_ca ca;
        struct ca_buf value;
        X509 *x;

        assert_int_equal(issue(f, &spec), CA_OK);
        x = certificate(f);
        (void)snprintf(end, sizeof(end), "/%06u.crl", i / 2 + 1);
        assert_true(names_crl(x, end));
        X509_free(x);
        ca_serial_format(&f->issued.serial, serial);
        assert_int_equal(batch_cert_find(f->store->registry, serial, NULL, &cert, &value, NULL),
                         CA_OK);
        assert_int_equal(cert.row.scope, i / 2 + 1);
        ca_buf_clear(&value);
        assert_int_equal(batch_ca_find(f->store->registry, NULL, "sub", &ca, NULL), CA_OK);
        assert_int_equal(ca.row.scope, i / 2 + 1);
        assert_int_equal(ca.row.scope_used, i % 2 + 1);
        batch_ca_clear(&ca);
    }
}

/* A subordinate's certificate too; a root's own is on no CRL of its own. */
static void a_partitioned_root_counts_what_it_issues_to_others(void **state)
{
    struct fixture *f = *state;
    struct batch_issue own = { .ca = "root", .terms.tmpl = "RootCACertificate/V1" };
    struct batch_ca ca;
    X509 *x;

    partition(f, "root");
    store_fixture_create(f->store, "third", false);
    store_fixture_activate(f->store, "third", "root");
    assert_int_equal(batch_ca_find(f->store->registry, NULL, "root", &ca, NULL), CA_OK);
    assert_int_equal(ca.row.scope, 1);
    assert_int_equal(ca.row.scope_used, 1);
    own.csr = ca.row.csr;
    assert_int_equal(issue(f, &own), CA_OK);
    x = certificate(f);
    assert_int_equal(X509_get_ext_by_NID(x, NID_crl_distribution_points, -1), -1);
    X509_free(x);
    batch_ca_clear(&ca);
    assert_int_equal(batch_ca_find(f->store->registry, NULL, "root", &ca, NULL), CA_OK);
    assert_int_equal(ca.row.scope_used, 1);
    batch_ca_clear(&ca);
    assert_int_equal(batch_ca_find(f->store->registry, NULL, "third", &ca, NULL), CA_OK);
    {
        const uint8_t *der = ca.row.cert.data;

        x = d2i_X509(NULL, &der, (long)ca.row.cert.len);
        assert_non_null(x);
        assert_true(names_crl(x, "/000001.crl"));
        X509_free(x);
    }
    batch_ca_clear(&ca);
}

static void a_root_template_signs_only_the_roots_own_request(void **state)
{
    struct fixture *f = *state;
    struct batch_issue spec = ask_of(f);

    spec.ca = "root";
    spec.terms.tmpl = "RootCACertificate/V1";
    assert_refused(f, &spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
}

static void terms_that_cannot_be_read_refuse_before_anything_else(void **state)
{
    struct fixture *f = *state;
    struct batch_issue spec = ask_of(f);

    spec.ca = "no such CA";
    spec.terms.tmpl = "no such template";
    assert_int_equal(issue(f, &spec), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "template");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_a_request_asks_for_in_vain_is_said_with_the_certificate),
        TEST(an_api_passthrough_stands_in_the_certificate),
        TEST(a_template_of_a_users_own_decides_and_may_name_its_cas),
        TEST(a_default_validity_stays_below_a_templates_cap),
        TEST(a_token_gives_the_same_certificate_for_the_same_terms_only),
        TEST(a_key_that_has_a_certificate_is_refused_where_the_template_says_so),
        TEST(a_blocked_key_is_refused),
        TEST(a_certificate_of_a_partitioned_ca_names_its_scope_and_takes_a_place_in_it),
        TEST(a_partitioned_root_counts_what_it_issues_to_others),
        TEST(a_root_template_signs_only_the_roots_own_request),
        TEST(terms_that_cannot_be_read_refuse_before_anything_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
