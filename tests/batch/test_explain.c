/* Explaining: the certificate shown is the certificate issued, and nothing is left behind. */
#include "batch/explain.h"
#include "batch/issue.h"
#include "engine/cert.h"
#include "engine/notice.h"
#include "engine/policy.h"
#include "io/ingest.h"
#include "tests/support/job_fixture.h"
#include "tests/support/x509_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct store_fixture *store;
    EVP_PKEY *key;
    struct x509_subject subject;
    struct batch_explained explained;
    struct ca_error err;
};

static int setup_in(void **state, int (*make_store)(void **state))
{
    static const struct x509_extension asked[] = {
        { "keyUsage", "critical,keyAgreement" },
        { "subjectAltName", "DNS:device.example,IP:192.0.2.7" },
        { NULL, NULL },
    };
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    if (make_store((void **)&f->store) != 0) return -1;
    store_fixture_hierarchy(f->store);
    f->key = x509_make_key(OF_P256);
    x509_make_subject(f->key, "device", asked, &f->subject);
    *state = f;
    return 0;
}

static int setup(void **state) { return setup_in(state, store_fixture_setup); }

static int setup_encrypted(void **state) { return setup_in(state, store_fixture_setup_encrypted); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *store = f->store;

    batch_explained_clear(&f->explained);
    x509_drop_subject(&f->subject);
    EVP_PKEY_free(f->key);
    free(f);
    return store_fixture_teardown(&store);
}

static struct batch_explain ask_of(const struct fixture *f)
{
    return (struct batch_explain){ .ca = "sub", .csr = f->subject.request.der };
}

static enum ca_status explain(struct fixture *f, const struct batch_explain *spec)
{
    batch_explained_clear(&f->explained);
    return batch_explain(f->store->registry, spec, &f->explained, &f->err);
}

/* The one step that refuses: those before it are passed, those behind it not reached. */
static const struct batch_step *refusal(const struct batch_explained *explained)
{
    const struct batch_step *found = NULL;

    assert_false(explained->accepted);
    for (size_t i = 0; i < explained->step_count; i++) {
        const struct batch_step *step = &explained->steps[i];

        if (step->verdict == BATCH_VERDICT_REFUSED) {
            assert_null(found);
            found = step;
            assert_non_null(step->code);
            assert_true(step->detail[0] != '\0');
        } else {
            assert_int_equal(step->verdict,
                             found == NULL ? BATCH_VERDICT_OK : BATCH_VERDICT_NOT_REACHED);
            assert_null(step->code);
        }
    }
    assert_non_null(found);
    return found;
}

static void assert_refused_at(struct fixture *f, const struct batch_explain *spec,
                              const char *name, const char *code)
{
    const struct batch_step *step;

    if (explain(f, spec) != CA_OK) fail_msg("%s", f->err.text);
    step = refusal(&f->explained);
    assert_string_equal(step->code, code);
    if (name != NULL) assert_string_equal(step->name, name);
    assert_non_null(step->rule);
    assert_int_equal(f->explained.tbs.len, 0);
}

static json_t *describe(const struct fixture *f)
{
    struct ca_buf out;
    json_t *object;

    ca_buf_init(&out, (size_t)1 << 20);
    assert_int_equal(batch_explain_describe(&f->explained, &out, NULL), CA_OK);
    object = json_loadb((const char *)out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    ca_buf_clear(&out);
    return object;
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

/* With a clock that stands still and a seeded generator issuing comes to the same octets. */
static void what_is_shown_is_what_is_issued(void **state)
{
    static const uint64_t seed = 7;
    static const char *const templates[] = {
        "EndEntityCertificate", "EndEntityCertificate_CSRPassthrough",
        "EndEntityCertificate_APICSRPassthrough", "BlankEndEntityCertificate_APICSRPassthrough",
        "OCSPSigningCertificate", "SubordinateCACertificate_PathLen0",
    };
    struct fixture *f = *state;

    f->store->registry->seed = &seed;
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        struct batch_explain ask = ask_of(f);
        struct batch_issue spec = { .csr = ask.csr };
        struct batch_issued issued;
        struct ca_cert cert;
        X509 *x;
        unsigned char *der = NULL;
        BIO *bio;
        int len;

        /* "sub" has path length 0: a CA below it is the root's to issue. */
        ask.ca = spec.ca = strncmp(templates[i], "Sub", 3) == 0 ? "root" : "sub";
        ask.terms.tmpl = spec.terms.tmpl = templates[i];
        if (strstr(templates[i], "API") != NULL) {
            ask.terms.api_json = spec.terms.api_json = ca_bytes_str(
                "{\"Extensions\":{\"CustomExtensions\":[{\"ObjectIdentifier\":\"1.2.3.4\","
                "\"Value\":\"BQA=\",\"Critical\":false}]}}");
        }
        if (explain(f, &ask) != CA_OK) fail_msg("%s", f->err.text);
        if (!f->explained.accepted)
            fail_msg("%s: %s", templates[i], refusal(&f->explained)->detail);
        for (size_t s = 0; s < f->explained.step_count; s++)
            assert_int_equal(f->explained.steps[s].verdict, BATCH_VERDICT_OK);
        if (batch_issue(f->store->registry, &spec, &issued, &f->err) != CA_OK)
            fail_msg("%s", f->err.text);
        bio = BIO_new_mem_buf(issued.pem.data, (int)issued.pem.len);
        x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        assert_non_null(x);
        len = i2d_X509(x, &der);
        assert_true(len > 0);
        assert_int_equal(ca_cert_parse(ca_bytes_of(der, (size_t)len), &cert, NULL), CA_OK);
        assert_true(ca_bytes_equal(cert.tbs, ca_buf_view(&f->explained.tbs)));
        assert_true(issued.ignored == f->explained.ignored);
        assert_int_equal(issued.notices, f->explained.notices);
        assert_int_equal(issued.not_after_s, f->explained.not_after_s);
        OPENSSL_free(der);
        X509_free(x);
        BIO_free(bio);
        batch_issued_clear(&issued);
    }
    f->store->registry->seed = NULL;
}

static void nothing_is_stored_and_no_passphrase_asked_for(void **state)
{
    struct fixture *f = *state;
    struct batch_explain ask = ask_of(f);
    uint64_t before[STORE_TABLE_COUNT];

    assert_int_equal(store_fixture_reopen(f->store, STORE_WRITE), CA_OK);
    f->store->asked = 0;
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) before[t] = rows(f, (enum store_table)t);
    assert_int_equal(explain(f, &ask), CA_OK);
    assert_true(f->explained.accepted);
    assert_int_equal(f->store->asked, 0);
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++)
        assert_int_equal(rows(f, (enum store_table)t), before[t]);
}

static void a_store_opened_for_reading_is_enough(void **state)
{
    struct fixture *f = *state;
    struct batch_explain ask = ask_of(f);

    assert_int_equal(store_fixture_reopen(f->store, STORE_READ), CA_OK);
    assert_int_equal(explain(f, &ask), CA_OK);
    assert_true(f->explained.accepted);
}

static void each_refusal_stands_at_its_step(void **state)
{
    struct fixture *f = *state;
    struct batch_explain ask = ask_of(f);
    struct ca_buf text;
    uint8_t *der;

    ask.csr = ca_bytes_str("nothing");
    assert_refused_at(f, &ask, "record", "bad-pem");
    ask.csr = ca_bytes_of("\x30\x03\x02\x01\x05", 5);
    assert_refused_at(f, &ask, "request", "bad-der");
    ask = ask_of(f);
    ask.terms.strict = true;
    assert_refused_at(f, &ask, NULL, "passthrough-ignored");
    ask = ask_of(f);
    ask.validity = (struct ca_validity){ .type = CA_VALIDITY_YEARS, .value = 100 };
    assert_refused_at(f, &ask, "validity", "validity-past-ca");
    ask = ask_of(f);
    ask.terms.tmpl = "SubordinateCACertificate_PathLen3";
    assert_refused_at(f, &ask, "template and CA", "path-length");
    ask = ask_of(f);
    ask.terms.tmpl_json = ca_bytes_str("{\"name\":\"m\",\"base\":\"EndEntityCertificate/V1\","
                                       "\"allowed_cas\":[\"another\"]}");
    assert_refused_at(f, &ask, "template and CA", "ca-not-allowed");
    ask = ask_of(f);
    ask.ca = "root";
    ask.terms.tmpl = "RootCACertificate/V1";
    assert_refused_at(f, &ask, "request", "template-not-for-issuer");

    ca_buf_init(&text, 65536);
    job_fixture_request("broken", true, &text);
    ask = ask_of(f);
    ask.csr = ca_buf_view(&text);
    assert_refused_at(f, &ask, "proof of possession", "bad-signature");
    ca_buf_clear(&text);

    der = calloc(1, INGEST_RECORD_MAX + 1);
    assert_non_null(der);
    ask.csr = ca_bytes_of(der, INGEST_RECORD_MAX + 1);
    assert_refused_at(f, &ask, "record", "record-too-long");
    free(der);
}

static void a_key_that_is_known_is_refused_or_remarked_on_as_the_template_says(void **state)
{
    static const char *const rules[] = {
        "{\"name\":\"m\",\"base\":\"EndEntityCertificate/V1\",\"duplicate_keys\":"
        "{\"store\":\"warn\"}}",
        "{\"name\":\"m\",\"base\":\"EndEntityCertificate/V1\",\"duplicate_keys\":"
        "{\"store\":\"reject\"}}",
    };
    struct fixture *f = *state;
    struct batch_explain ask = ask_of(f);
    struct batch_issue spec = { .ca = "sub", .csr = ask.csr };
    struct batch_issued issued;

    ask.terms.tmpl_json = spec.terms.tmpl_json = ca_bytes_str(rules[0]);
    assert_int_equal(explain(f, &ask), CA_OK);
    assert_int_equal(f->explained.notices & CA_NOTICE_BIT(KNOWN_KEYS), 0);
    assert_int_equal(batch_issue(f->store->registry, &spec, &issued, &f->err), CA_OK);
    batch_issued_clear(&issued);
    assert_int_equal(explain(f, &ask), CA_OK);
    assert_true(f->explained.accepted);
    assert_int_not_equal(f->explained.notices & CA_NOTICE_BIT(KNOWN_KEYS), 0);
    ask.terms.tmpl_json = ca_bytes_str(rules[1]);
    assert_refused_at(f, &ask, "key known in the store", "known-key");
}

static void what_keeps_us_from_knowing_is_no_verdict(void **state)
{
    struct fixture *f = *state;
    struct batch_explain ask = ask_of(f);

    ask.ca = "nobody";
    assert_int_equal(explain(f, &ask), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "no-such-ca");
    ask = ask_of(f);
    ask.terms.tmpl = "nothing";
    assert_int_equal(explain(f, &ask), CA_REFUSED);
    assert_string_equal(ca_error_name(&f->err), "template");
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    if (text == NULL) fail_msg("no \"%s\"", name);
    return text;
}

/* Extension by extension as OpenSSL reads them in the same certificate, issued. */
static void assert_same_extensions(const struct fixture *f, const json_t *list)
{
    struct batch_issue spec = { .ca = "sub", .csr = f->subject.request.der };
    struct batch_issued issued;
    X509 *x;
    BIO *bio;

    assert_int_equal(batch_issue(f->store->registry, &spec, &issued, NULL), CA_OK);
    bio = BIO_new_mem_buf(issued.pem.data, (int)issued.pem.len);
    x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(x);
    assert_int_equal((int)json_array_size(list), X509_get_ext_count(x));
    for (int i = 0; i < X509_get_ext_count(x); i++) {
        X509_EXTENSION *extension = X509_get_ext(x, i);
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
        const json_t *shown = json_array_get(list, (size_t)i);
        char oid[80], *hex;

        assert_true(OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(extension), 1) > 0);
        assert_string_equal(text_of(shown, "oid"), oid);
        assert_int_equal(json_is_true(json_object_get(shown, "critical")),
                         X509_EXTENSION_get_critical(extension));
        hex = malloc(2 * (size_t)value->length + 1);
        assert_non_null(hex);
        ca_hex_encode(ca_bytes_of(value->data, (size_t)value->length), hex);
        assert_string_equal(text_of(shown, "value"), hex);
        free(hex);
    }
    X509_free(x);
    BIO_free(bio);
    batch_issued_clear(&issued);
}

static void an_accepted_request_is_described_with_its_certificate(void **state)
{
    struct fixture *f = *state;
    struct batch_explain ask = ask_of(f);
    json_t *object, *certificate, *key;

    assert_int_equal(explain(f, &ask), CA_OK);
    object = describe(f);
    assert_string_equal(text_of(object, "verdict"), "accepted");
    assert_int_equal(json_array_size(json_object_get(object, "steps")), f->explained.step_count);
    certificate = json_object_get(object, "certificate");
    assert_non_null(strstr(text_of(certificate, "subject"), "CN=device"));
    assert_non_null(strstr(text_of(certificate, "san"), "device.example"));
    assert_string_equal(text_of(certificate, "not_before"), "2026-09-21T13:13:20Z");
    assert_string_equal(text_of(certificate, "not_after"), "2027-09-21T14:13:20Z");
    assert_int_equal(strlen(text_of(certificate, "serial")), 36);
    assert_int_equal(strlen(text_of(certificate, "tbs")), 2 * f->explained.tbs.len);
    key = json_object_get(certificate, "key");
    assert_string_equal(text_of(key, "kind"), "EC_prime256v1");
    assert_int_equal(json_integer_value(json_object_get(key, "bits")), 256);
    assert_int_equal(strlen(text_of(key, "hash")), 32);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(certificate, "ignored"), 0)),
        "csr.keyUsage");
    assert_int_equal(json_array_size(json_object_get(certificate, "notices")), 2);
    assert_same_extensions(f, json_object_get(certificate, "extensions"));
    json_decref(object);
}

static void a_refused_request_is_described_with_its_refusal(void **state)
{
    struct fixture *f = *state;
    struct batch_explain ask = ask_of(f);
    size_t refused = 0, i;
    json_t *object, *step;

    ask.terms.strict = true;
    assert_int_equal(explain(f, &ask), CA_OK);
    object = describe(f);
    assert_string_equal(text_of(object, "verdict"), "refused");
    assert_true(json_is_null(json_object_get(object, "certificate")));
    json_array_foreach(json_object_get(object, "steps"), i, step)
    {
        assert_string_equal(text_of(step, "verdict"),
                            batch_verdict_name(f->explained.steps[i].verdict));
        if (f->explained.steps[i].verdict == BATCH_VERDICT_REFUSED) {
            refused++;
            assert_string_equal(text_of(step, "code"), "passthrough-ignored");
            assert_string_equal(text_of(step, "rule"), "--strict-passthrough");
            assert_true(*text_of(step, "detail") != '\0');
        } else {
            assert_true(json_is_null(json_object_get(step, "code")));
        }
    }
    assert_int_equal(refused, 1);
    json_decref(object);
}

static void every_step_of_the_policy_has_its_place(void **state)
{
    struct fixture *f = *state;
    struct batch_explain ask = ask_of(f);
    size_t from = 3;        /* behind the template, the record and the request */

    assert_int_equal(explain(f, &ask), CA_OK);
    assert_true(f->explained.step_count > from + ca_policy_step_count());
    for (size_t i = 0; i < ca_policy_step_count(); i++)
        assert_string_equal(f->explained.steps[from + i].name, ca_policy_step_name(i));
    assert_true(f->explained.step_count <= BATCH_STEPS_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_shown_is_what_is_issued),
        cmocka_unit_test_setup_teardown(nothing_is_stored_and_no_passphrase_asked_for,
                                        setup_encrypted, teardown),
        TEST(a_store_opened_for_reading_is_enough),
        TEST(each_refusal_stands_at_its_step),
        TEST(a_key_that_is_known_is_refused_or_remarked_on_as_the_template_says),
        TEST(what_keeps_us_from_knowing_is_no_verdict),
        TEST(an_accepted_request_is_described_with_its_certificate),
        TEST(a_refused_request_is_described_with_its_refusal),
        TEST(every_step_of_the_policy_has_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
