/* One chunk through a worker, judged by OpenSSL's own objects. */
#include "batch/worker.h"
#include "tests/support/job_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
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

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct job_fixture_spec ask;

    assert_non_null(f);
    if (store_fixture_setup((void **)&f->store) != 0) return -1;
    store_fixture_hierarchy(f->store);
    job_fixture_ask(f->store, "one", "-", &ask);
    assert_int_equal(batch_job_create(f->store->registry, &ask.spec, &f->job, &f->store->err),
                     CA_OK);
    f->profile = (struct batch_profile){ .profile = f->job->profile, .issuer = f->job->issuer };
    f->plan = (struct batch_plan){ .profiles = &f->profile, .profile_count = 1, .job = 1 };
    assert_int_equal(batch_worker_new(&f->plan, &f->worker, NULL), CA_OK);
    assert_int_equal(batch_chunk_new(&f->chunk, NULL), CA_OK);
    batch_chunk_reset(f->chunk, &f->plan, 0, 0);
    f->chunk->tick_ms = f->store->now_ms;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *store = f->store;

    batch_worker_free(f->worker);
    batch_chunk_free(f->chunk);
    batch_job_free(f->job);
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
        cmocka_unit_test_setup_teardown(a_buffer_that_cannot_grow_ends_the_run, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
