/* One chunk through a worker, judged by OpenSSL's own objects. */
#include "batch/worker.h"
#include "engine/notice.h"
#include "engine/pem.h"
#include "tests/support/job_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct store_fixture *store;
    struct batch_job *job;
    struct batch_profile profile;
    struct batch_plan plan;
    struct batch_worker *worker;
    struct batch_chunk *chunk;
};

/* A job under these terms, and a worker and a chunk for it. */
static void open_job(struct fixture *f, const char *name, const struct batch_terms_spec *terms)
{
    struct job_fixture_spec ask;

    job_fixture_ask(f->store, name, "-", &ask);
    ask.spec.terms = *terms;
    if (batch_job_create(f->store->registry, &ask.spec, &f->job, &f->store->err) != CA_OK)
        fail_msg("%s", f->store->err.text);
    f->profile = (struct batch_profile){ .profile = f->job->profile, .issuer = f->job->issuer };
    f->plan = (struct batch_plan){ .profiles = &f->profile, .profile_count = 1, .job = 1 };
    assert_int_equal(batch_worker_new(&f->plan, &f->worker, NULL), CA_OK);
    assert_int_equal(batch_chunk_new(&f->chunk, NULL), CA_OK);
    batch_chunk_reset(f->chunk, &f->plan, 0, 0);
    f->chunk->tick_ms = f->store->now_ms;
}

static void close_job(struct fixture *f)
{
    batch_worker_free(f->worker);
    batch_chunk_free(f->chunk);
    batch_job_free(f->job);
}

/* The same with another job. */
static void change_terms(struct fixture *f, const char *name, const struct batch_terms_spec *terms)
{
    close_job(f);
    open_job(f, name, terms);
}

static int setup(void **state)
{
    static const struct batch_terms_spec terms = { 0 };
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    if (store_fixture_setup((void **)&f->store) != 0) return -1;
    store_fixture_hierarchy(f->store);
    open_job(f, "one", &terms);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *store = f->store;

    close_job(f);
    free(f);
    return store_fixture_teardown(&store);
}

/* A request by OpenSSL: named after CN, for key, signed by signer. */
static void add_request(struct fixture *f, const char *cn, EVP_PKEY *key, EVP_PKEY *signer)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = X509_REQ_get_subject_name(request);
    unsigned char *der = NULL;
    const EVP_MD *md = EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256();
    struct ingest_record record = { .kind = INGEST_FILE };
    int len;

    assert_non_null(request);
    assert_int_equal(X509_REQ_set_version(request, 0), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)cn, -1, -1, 0),
                     1);
    assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
    assert_true(X509_REQ_sign(request, signer, md) > 0);
    len = i2d_X509_REQ(request, &der);
    assert_true(len > 0);
    record.data = ca_bytes_of(der, (size_t)len);
    (void)batch_chunk_add(f->chunk, &record);
    OPENSSL_free(der);
    X509_REQ_free(request);
}

static X509 *issued(const struct fixture *f, uint32_t index)
{
    const struct batch_item *item = &f->chunk->items[index];
    const unsigned char *der = f->chunk->certs.data + item->slot.der_offset;
    X509 *cert = d2i_X509(NULL, &der, (long)item->slot.der_len);

    assert_non_null(cert);
    return cert;
}

static EVP_PKEY *make_key(int kind)
{
    switch (kind) {
    case 0: return EVP_EC_gen("P-256");
    case 1: return EVP_EC_gen("P-384");
    case 2: return EVP_EC_gen("P-521");
    case 3: return EVP_RSA_gen(2048);
    default: return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
}

/* Adjacent items, every key kind: the key that a prover holds from the item before must not vouch
 * for the next one. */
static void a_request_signed_by_its_neighbours_key_is_refused(void **state)
{
    struct fixture *f = *state;

    for (int kind = 0; kind < 5; kind++) {
        EVP_PKEY *first = make_key(kind), *second = make_key(kind);

        batch_chunk_reset(f->chunk, &f->plan, 0, 0);
        f->chunk->tick_ms = f->store->now_ms;
        add_request(f, "honest", first, first);
        add_request(f, "thief", second, first);
        add_request(f, "honest too", second, second);
        add_request(f, "thief again", first, second);
        batch_worker_process(f->worker, f->chunk, NULL, NULL);
        assert_int_equal(f->chunk->fatal.status, CA_OK);
        assert_false(f->chunk->items[0].refused);
        assert_true(f->chunk->items[1].refused);
        assert_false(f->chunk->items[2].refused);
        assert_true(f->chunk->items[3].refused);
        assert_int_equal(f->chunk->items[1].reason, CA_REASON_BAD_SIGNATURE);
        assert_int_equal(f->chunk->items[3].reason, CA_REASON_BAD_SIGNATURE);
        EVP_PKEY_free(first);
        EVP_PKEY_free(second);
    }
}

static void a_chunk_of_every_key_kind_gives_each_its_own_certificate(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *keys[10];
    const unsigned char *issuer_der = f->job->issuer->issuer->der;
    X509 *issuer = d2i_X509(NULL, &issuer_der, (long)f->job->issuer->issuer->der_len);

    assert_non_null(issuer);
    for (int i = 0; i < 10; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "device %d", i);
        keys[i] = make_key(i % 5);
        add_request(f, name, keys[i], keys[i]);
    }
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_int_equal(f->chunk->fatal.status, CA_OK);
    assert_int_equal(f->chunk->issued, 10);
    for (uint32_t i = 0; i < 10; i++) {
        X509 *cert = issued(f, i);
        EVP_PKEY *key = X509_get0_pubkey(cert);
        char wanted[32], got[64];

        (void)snprintf(wanted, sizeof(wanted), "device %u", (unsigned)i);
        assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, got,
                                              sizeof(got)) > 0);
        assert_string_equal(got, wanted);
        assert_int_equal(EVP_PKEY_eq(key, keys[i]), 1);
        assert_int_equal(X509_verify(cert, X509_get0_pubkey(issuer)), 1);
        X509_free(cert);
        EVP_PKEY_free(keys[i]);
    }
    X509_free(issuer);
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void a_stopping_run_gives_the_chunk_up(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);

    add_request(f, "a", key, key);
    batch_worker_process(f->worker, f->chunk, always, NULL);
    assert_int_equal(f->chunk->fatal.status, CA_AGAIN);
    assert_int_equal(f->chunk->signed_count, 0);
    EVP_PKEY_free(key);
}

static void a_certificate_that_would_outlive_its_ca_is_refused_not_clipped(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);

    add_request(f, "a", key, key);
    /* The issuing CA lives three years: 365 days from late in its third are too many. */
    f->chunk->tick_ms = f->store->now_ms + INT64_C(1000) * STORE_FIXTURE_DAY_MS;
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_int_equal(f->chunk->fatal.status, CA_OK);
    assert_true(f->chunk->items[0].refused);
    assert_int_equal(f->chunk->items[0].reason, CA_REASON_VALIDITY_PAST_CA);
    EVP_PKEY_free(key);
}

static void refused_and_issued_requests_have_their_lines_in_input_order(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0), *other = make_key(0);
    const struct ca_buf *results = &f->chunk->out[1];

    add_request(f, "a", key, key);
    add_request(f, "b", key, other);
    add_request(f, "c", key, key);
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_int_equal(f->chunk->issued, 2);
    assert_int_equal(f->chunk->rejected, 1);
    ca_buf_append_u8(&f->chunk->out[1], 0);
    {
        const char *text = (const char *)results->data;
        const char *first = strstr(text, "{\"ordinal\":0,"), *second = strstr(text, "{\"ordinal\":1,");
        const char *third = strstr(text, "{\"ordinal\":2,");

        assert_true(first != NULL && second > first && third > second);
        assert_non_null(strstr(second, "\"status\":\"rejected\",\"code\":\"bad-signature\""));
    }
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

/* A line of a manifest around a request named CN=device that asks for keyUsage; more: members with
 * a comma before them. */
static void add_line(struct fixture *f, EVP_PKEY *key, const char *more)
{
    X509_REQ *request = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    struct ingest_record record = { .kind = INGEST_LINE };
    unsigned char *der = NULL;
    struct ca_buf line;
    int len;

    assert_int_equal(X509_REQ_set_version(request, 0), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN",
                                                MBSTRING_UTF8, (const unsigned char *)"device",
                                                -1, -1, 0),
                     1);
    assert_true(sk_X509_EXTENSION_push(
                    extensions, X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage,
                                                    "critical,keyAgreement")) > 0);
    assert_int_equal(X509_REQ_add_extensions(request, extensions), 1);
    assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
    assert_true(X509_REQ_sign(request, key, EVP_sha256()) > 0);
    len = i2d_X509_REQ(request, &der);
    assert_true(len > 0);
    ca_buf_init(&line, 65536);
    ca_buf_append_str(&line, "{\"csr\":\"");
    ca_base64_append(&line, ca_bytes_of(der, (size_t)len));
    ca_buf_append_str(&line, "\"");
    ca_buf_append_str(&line, more);
    ca_buf_append_str(&line, "}");
    record.data = ca_buf_view(&line);
    (void)batch_chunk_add(f->chunk, &record);
    ca_buf_clear(&line);
    OPENSSL_free(der);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
}

static void assert_common_name(const X509 *x, const char *wanted)
{
    char name[64];

    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name,
                                          sizeof(name)) > 0);
    assert_string_equal(name, wanted);
}

static const char *text_of(struct ca_buf *out)
{
    ca_buf_append_u8(out, 0);
    return (const char *)out->data;
}

static void what_a_template_drops_is_named_in_the_line_and_noticed_once(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);
    const char *first, *second;

    add_line(f, key, "");
    add_request(f, "bare", key, key);
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_int_equal(f->chunk->issued, 2);
    assert_true(f->chunk->items[0].contents.ignored == CA_IGNORED_BIT(CSR_KEY_USAGE));
    assert_true(f->chunk->items[1].contents.ignored == 0);
    assert_int_equal(f->chunk->notices,
                     CA_NOTICE_BIT(IGNORED) | CA_NOTICE_BIT(KEY_ENCIPHERMENT_EC));
    first = text_of(&f->chunk->out[1]);
    second = strstr(first, "{\"ordinal\":1,");
    assert_true(strstr(first, "\"ignored\":[\"csr.keyUsage\"]") < second);
    assert_null(strstr(second, "ignored"));
    EVP_PKEY_free(key);
}

static void a_strict_job_refuses_what_would_be_dropped(void **state)
{
    static const struct batch_terms_spec terms = { .strict = true };
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);

    change_terms(f, "strict", &terms);
    add_line(f, key, "");
    add_request(f, "bare", key, key);
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_int_equal(f->chunk->items[0].reason, CA_REASON_PASSTHROUGH_IGNORED);
    assert_false(f->chunk->items[1].refused);
    assert_int_equal(f->chunk->notices & CA_NOTICE_BIT(IGNORED), 0);
    EVP_PKEY_free(key);
}

static void names_come_from_the_line_where_the_template_says_so(void **state)
{
    struct batch_terms_spec terms = {
        .tmpl_json = ca_bytes_str("{\"name\":\"by-line\",\"base\":\"EndEntityCertificate/V1\","
                                  "\"names\":\"manifest\"}"),
    };
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);
    STACK_OF(GENERAL_NAME) *names;
    X509 *x;

    change_terms(f, "by-line", &terms);
    add_line(f, key, ",\"subject\":{\"CommonName\":\"first\"},\"san\":[\"DNS:a.example\"]");
    add_line(f, key, ",\"subject\":{\"CommonName\":\"second\"},"
                     "\"san\":[{\"IpAddress\":\"192.0.2.1\"}]");
    add_line(f, key, "");
    add_line(f, key, ",\"subject\":{\"Country\":\"Germany\"}");
    add_line(f, key, ",\"subject\":{\"CommonName\":\"x\"},\"san\":[\"DNS:-a-\"]");
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_int_equal(f->chunk->fatal.status, CA_OK);
    x = issued(f, 0);
    assert_common_name(x, "first");
    names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(names), 1);
    assert_int_equal(sk_GENERAL_NAME_value(names, 0)->type, GEN_DNS);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    X509_free(x);
    x = issued(f, 1);
    assert_common_name(x, "second");
    X509_free(x);
    assert_int_equal(f->chunk->items[2].reason, CA_REASON_NO_MANIFEST_NAMES);
    assert_int_equal(f->chunk->items[3].reason, CA_REASON_BAD_MEMBER);
    assert_int_equal(f->chunk->items[4].reason, CA_REASON_BAD_MEMBER);
    EVP_PKEY_free(key);
}

/* As a whole: nothing of the job's is left where a line has its own. */
static void a_lines_api_passthrough_takes_the_place_of_the_jobs(void **state)
{
    struct batch_terms_spec terms = {
        .tmpl = "EndEntityCertificate_APIPassthrough/V1",
        .api_json = ca_bytes_str("{\"Subject\":{\"CommonName\":\"of the job\"},\"Extensions\":"
                                 "{\"SubjectAlternativeNames\":[{\"DnsName\":\"job.example\"}]}}"),
    };
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);
    X509 *x;

    change_terms(f, "api", &terms);
    add_line(f, key, "");
    add_line(f, key, ",\"api_passthrough\":{\"Subject\":{\"CommonName\":\"of the line\"}}");
    add_line(f, key, ",\"api_passthrough\":{}");
    add_line(f, key, ",\"api_passthrough\":null");
    add_line(f, key, ",\"api_passthrough\":{\"Extensions\":{\"Nothing\":1}}");
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_int_equal(f->chunk->fatal.status, CA_OK);
    for (uint32_t i = 0; i < 4; i++) {
        static const char *const names[] = { "of the job", "of the line", "device", "of the job" };

        x = issued(f, i);
        assert_common_name(x, names[i]);
        assert_int_equal(X509_get_ext_by_NID(x, NID_subject_alt_name, -1) >= 0, i % 3 == 0);
        X509_free(x);
    }
    assert_int_equal(f->chunk->items[4].reason, CA_REASON_BAD_MEMBER);
    EVP_PKEY_free(key);
}

/* A job's ApiPassthrough that no certificate has room for: each request is refused for it, however
 * many there are in a chunk, and a line that has another one is issued. */
static void an_api_passthrough_that_is_too_long_ends_no_run(void **state)
{
    enum { VALUES = 150, VALUE_OCTETS = 3000 };
    static uint8_t value[VALUE_OCTETS];
    struct batch_terms_spec terms = { .tmpl = "BlankEndEntityCertificate_APIPassthrough/V1" };
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);
    struct ca_buf json;
    X509 *x;

    ca_buf_init(&json, 1 << 20);
    ca_buf_append_str(&json, "{\"Extensions\":{\"CustomExtensions\":[");
    for (int i = 0; i < VALUES; i++) {
        ca_buf_printf(&json, "%s{\"ObjectIdentifier\":\"1.2.3.%d\",\"Value\":\"",
                      i > 0 ? "," : "", i);
        ca_base64_append(&json, ca_bytes_of(value, sizeof(value)));
        ca_buf_append_str(&json, "\"}");
    }
    ca_buf_append_str(&json, "]}}");
    terms.api_json = ca_buf_view(&json);
    change_terms(f, "long", &terms);
    while (f->chunk->count < BATCH_CHUNK_ITEMS_MAX - 1) add_line(f, key, "");
    add_line(f, key, ",\"api_passthrough\":{\"Subject\":{\"CommonName\":\"short\"}}");
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_int_equal(f->chunk->fatal.status, CA_OK);
    assert_int_equal(f->chunk->rejected, BATCH_CHUNK_ITEMS_MAX - 1);
    assert_int_equal(f->chunk->by_reason[CA_REASON_REQUEST_TOO_LONG], BATCH_CHUNK_ITEMS_MAX - 1);
    x = issued(f, BATCH_CHUNK_ITEMS_MAX - 1);
    assert_common_name(x, "short");
    X509_free(x);
    ca_buf_clear(&json);
    EVP_PKEY_free(key);
}

static size_t count_of(struct ca_bytes in, struct ca_bytes what)
{
    size_t count = 0;

    for (size_t i = 0; i + what.len <= in.len; i++) {
        if (memcmp(in.data + i, what.data, what.len) == 0) count++;
    }
    return count;
}

/* What the committer does to a twin. */
static void a_discarded_item_leaves_no_octet_of_its_certificate(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);
    struct batch_item *item = &f->chunk->items[1];
    struct ca_cert_slot slot;
    struct ca_error err;
    struct ca_bytes signature_end, others;
    struct ca_buf copy, before;
    X509 *x;

    add_request(f, "a", key, key);
    add_line(f, key, "");
    add_request(f, "c", key, key);
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_int_equal(f->chunk->issued, 3);
    slot = item->slot;
    ca_buf_init(&copy, 65536);
    ca_buf_init(&before, 65536);
    ca_buf_append(&copy, f->chunk->certs.data + slot.der_offset, slot.der_len);
    ca_buf_append_bytes(&before, ca_buf_view(&f->chunk->out[0]));
    (void)ca_refuse(&err, CA_REASON_DUPLICATE_KEY, "a twin");
    f->chunk->notices |= CA_NOTICE_BIT(DUPLICATE_KEYS);
    batch_item_discard(f->chunk, item, &err);
    batch_chunk_encode(f->chunk);
    assert_int_equal(f->chunk->fatal.status, CA_OK);

    for (size_t i = 0; i < slot.size; i++)
        assert_int_equal(f->chunk->certs.data[slot.offset + i], 0);
    signature_end = ca_bytes_of(copy.data + copy.len - 16, 16);
    assert_int_equal(count_of(ca_buf_view(&f->chunk->certs), signature_end), 0);
    assert_true(item->refused);
    assert_int_equal(item->reason, CA_REASON_DUPLICATE_KEY);
    assert_int_equal(f->chunk->issued, 2);
    assert_int_equal(f->chunk->rejected, 1);
    assert_int_equal(f->chunk->signed_count, 3);
    assert_int_equal(f->chunk->discarded, 1);
    assert_int_equal(f->chunk->by_reason[CA_REASON_DUPLICATE_KEY], 1);
    /* It was the only one that something was ignored of. */
    assert_int_equal(f->chunk->notices,
                     CA_NOTICE_BIT(DUPLICATE_KEYS) | CA_NOTICE_BIT(KEY_ENCIPHERMENT_EC));
    /* The others as they were, in their order. */
    others = ca_buf_view(&f->chunk->out[0]);
    assert_int_equal(count_of(others, ca_bytes_str("BEGIN CERTIFICATE")), 2);
    assert_true(others.len < before.len);
    for (size_t i = others.len; i < before.len; i++) assert_int_equal(others.data[i], 0);
    x = issued(f, 2);
    assert_common_name(x, "c");
    X509_free(x);
    assert_int_equal(count_of(ca_buf_view(&f->chunk->out[1]), ca_bytes_str("\n")), 3);
    assert_int_equal(count_of(ca_buf_view(&f->chunk->out[2]), ca_bytes_str("\n")), 1);
    assert_non_null(strstr(text_of(&f->chunk->out[2]), "\"code\":\"duplicate-key\""));
    ca_buf_clear(&copy);
    ca_buf_clear(&before);
    EVP_PKEY_free(key);
}

static void encoding_again_gives_the_same(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0), *other = make_key(0);
    struct ca_buf before[4];

    add_request(f, "a", key, key);
    add_request(f, "b", key, other);
    add_line(f, key, "");
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    for (size_t i = 0; i < 4; i++) {
        ca_buf_init(&before[i], 65536);
        ca_buf_append_bytes(&before[i],
                            ca_buf_view(i < 3 ? &f->chunk->out[i] : &f->chunk->rows));
    }
    batch_chunk_encode(f->chunk);
    for (size_t i = 0; i < 4; i++) {
        assert_true(ca_bytes_equal(ca_buf_view(&before[i]),
                                   ca_buf_view(i < 3 ? &f->chunk->out[i] : &f->chunk->rows)));
        ca_buf_clear(&before[i]);
    }
    assert_int_equal(f->chunk->issued, 2);
    assert_int_equal(f->chunk->rejected, 1);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

/* The issuer's key identifier is compiled into the profile; lint asks the issuer itself. With
 * another one there, no certificate may be signed. */
static void what_lint_finds_is_not_signed(void **state)
{
    static const uint8_t another[20] = { 1 };
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);
    struct ca_issuer *issuer = f->job->issuer->issuer;
    struct ca_bytes key_id = issuer->key_id, ski = issuer->cert.ski;

    add_request(f, "a", key, key);
    issuer->key_id = issuer->cert.ski = ca_bytes_of(another, sizeof(another));
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    issuer->key_id = key_id;
    issuer->cert.ski = ski;
    assert_int_equal(f->chunk->fatal.status, CA_OK);
    assert_true(f->chunk->items[0].refused);
    assert_int_equal(f->chunk->items[0].reason, CA_REASON_LINT_KEY_ID);
    assert_int_equal(f->chunk->signed_count, 0);
    assert_int_equal(f->chunk->notices, 0);
    assert_int_equal(f->chunk->out[0].len, 0);
    EVP_PKEY_free(key);
}

/* A point that is on no curve is no wrong signature. */
static void a_key_that_is_none_has_its_own_reason(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = make_key(0);
    struct batch_item *item = &f->chunk->items[0];
    uint8_t *raw;

    add_request(f, "a", key, key);
    raw = (uint8_t *)(uintptr_t)item->raw.data;     /* the chunk's own, so it may be changed */
    for (size_t i = 0; i + 4 < item->raw.len; i++) {
        /* BIT STRING of 66 octets, no unused bits, uncompressed. */
        if (memcmp(raw + i, "\x03\x42\x00\x04", 4) == 0) raw[i + 4] ^= 1;
    }
    batch_worker_process(f->worker, f->chunk, NULL, NULL);
    assert_true(item->refused);
    assert_int_equal(item->reason, CA_REASON_BAD_POINT);
    EVP_PKEY_free(key);
}

/* Memory that runs out, as a bound: whichever buffer cannot take its part, nothing of the chunk is
 * used. */
static void a_buffer_that_cannot_grow_ends_the_run(void **state)
{
    struct fixture *f = *state;
    struct batch_chunk *chunk = f->chunk;
    struct ca_buf *const buffers[] = { &chunk->certs, &chunk->details, &chunk->rows,
                                       &chunk->out[0], &chunk->out[1], &chunk->out[2] };
    EVP_PKEY *key = make_key(0), *other = make_key(0);

    for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
        size_t max = buffers[i]->max;

        batch_chunk_reset(chunk, &f->plan, 0, 0);
        chunk->tick_ms = f->store->now_ms;
        add_request(f, "a", key, key);
        add_request(f, "b", key, other);
        ca_buf_clear(buffers[i]);
        ca_buf_init(buffers[i], 1);
        batch_worker_process(f->worker, chunk, NULL, NULL);
        assert_int_equal(chunk->fatal.status, CA_FULL);
        ca_buf_clear(buffers[i]);
        ca_buf_init(buffers[i], max);
    }
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_signed_by_its_neighbours_key_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_chunk_of_every_key_kind_gives_each_its_own_certificate,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopping_run_gives_the_chunk_up, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_certificate_that_would_outlive_its_ca_is_refused_not_clipped, setup, teardown),
        cmocka_unit_test_setup_teardown(
            refused_and_issued_requests_have_their_lines_in_input_order, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_a_template_drops_is_named_in_the_line_and_noticed_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_strict_job_refuses_what_would_be_dropped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(names_come_from_the_line_where_the_template_says_so,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_api_passthrough_that_is_too_long_ends_no_run, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lines_api_passthrough_takes_the_place_of_the_jobs,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_discarded_item_leaves_no_octet_of_its_certificate,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(encoding_again_gives_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(what_lint_finds_is_not_signed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_is_none_has_its_own_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_buffer_that_cannot_grow_ends_the_run, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
