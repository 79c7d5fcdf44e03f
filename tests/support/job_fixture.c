#include "tests/support/job_fixture.h"

#include "batch/run.h"
#include "io/file.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static void request_add_san(X509_REQ *request, const char *name)
{
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    X509_EXTENSION *san;
    char text[128];

    (void)snprintf(text, sizeof(text), "DNS:%s.example", name);
    san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
    assert_non_null(san);
    assert_true(sk_X509_EXTENSION_push(extensions, san) > 0);
    assert_int_equal(X509_REQ_add_extensions(request, extensions), 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

static X509_REQ *request_new(EVP_PKEY *key, const char *name)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *subject;

    assert_non_null(request);
    subject = X509_REQ_get_subject_name(request);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                                (const unsigned char *)"Example", -1, -1, 0), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)name, -1, -1, 0), 1);
    assert_int_equal(X509_REQ_set_version(request, 0), 1);
    assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
    request_add_san(request, name);
    assert_true(X509_REQ_sign(request, key, EVP_sha256()) > 0);
    return request;
}

static void append_pem(const unsigned char *der, int len, struct ca_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long text_len;

    assert_non_null(bio);
    assert_true(PEM_write_bio(bio, "CERTIFICATE REQUEST", "", der, len) > 0);
    text_len = BIO_get_mem_data(bio, &text);
    ca_buf_append(out, text, (size_t)text_len);
    BIO_free(bio);
}

static void append_request(EVP_PKEY *key, const char *name, bool broken, struct ca_buf *out)
{
    X509_REQ *request = request_new(key, name);
    unsigned char *der = NULL;
    int len = i2d_X509_REQ(request, &der);

    assert_true(len > 0);
    if (broken) der[len - 1] ^= 1;          /* the end of the second number of the signature */
    append_pem(der, len, out);
    OPENSSL_free(der);
    X509_REQ_free(request);
}

void job_fixture_request(const char *name, bool broken_signature, struct ca_buf *out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    assert_non_null(key);
    append_request(key, name, broken_signature, out);
    EVP_PKEY_free(key);
}

static void write_bundle(const struct store_fixture *f, const char *file, struct ca_buf *text,
                         char path[512])
{
    struct ca_error err;

    (void)snprintf(path, 512, "%s/%s", f->root, file);
    if (file_write(path, 0644, ca_buf_view(text), &err) != CA_OK) fail_msg("%s", err.text);
    ca_buf_clear(text);
}

void job_fixture_bundle(const struct store_fixture *f, const char *file, unsigned count,
                        unsigned broken_every, char path[512])
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct ca_buf text;

    assert_non_null(key);
    ca_buf_init(&text, (size_t)64 << 20);
    for (unsigned i = 1; i <= count; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "device-%06u", i);
        append_request(key, name, broken_every != 0 && i % broken_every == 0, &text);
    }
    EVP_PKEY_free(key);
    write_bundle(f, file, &text, path);
}

void job_fixture_bundle_keys(const struct store_fixture *f, const char *file, const unsigned *keys,
                             unsigned count, char path[512])
{
    EVP_PKEY *made[JOB_FIXTURE_KEYS_MAX] = { NULL };
    struct ca_buf text;

    ca_buf_init(&text, (size_t)64 << 20);
    for (unsigned i = 0; i < count; i++) {
        char name[32];

        assert_true(keys[i] < JOB_FIXTURE_KEYS_MAX);
        if (made[keys[i]] == NULL) made[keys[i]] = EVP_EC_gen("P-256");
        assert_non_null(made[keys[i]]);
        (void)snprintf(name, sizeof(name), "device-%06u", i + 1);
        append_request(made[keys[i]], name, false, &text);
    }
    for (unsigned i = 0; i < JOB_FIXTURE_KEYS_MAX; i++) EVP_PKEY_free(made[i]);
    write_bundle(f, file, &text, path);
}

void job_fixture_ask(const struct store_fixture *f, const char *name, const char *input,
                     struct job_fixture_spec *out)
{
    *out = (struct job_fixture_spec){ .inputs = { input } };
    (void)snprintf(out->out_dir, sizeof(out->out_dir), "%s/%s.out", f->root,
                   name != NULL ? name : "unnamed");
    out->spec = (struct batch_job_spec){
        .name = name, .ca = "sub", .out_dir = out->out_dir, .inputs = out->inputs,
        .input_count = 1,
    };
}

void job_fixture_run(struct store_fixture *f, const char *name, const char *input)
{
    struct batch_run_spec run_spec = { .workers = 2, .fresh = true, .certmill_version = "test" };
    struct batch_run_result result;
    struct batch_progress progress;
    struct job_fixture_spec ask;
    struct batch_job *job = NULL;
    struct batch_run *run = NULL;

    job_fixture_ask(f, name, input, &ask);
    if (batch_job_create(f->registry, &ask.spec, &job, &f->err) != CA_OK)
        fail_msg("create: %s", f->err.text);
    if (batch_run_start(f->registry, job, &run_spec, &run, &f->err) != CA_OK)
        fail_msg("start: %s", f->err.text);
    for (unsigned waits = 0; !batch_run_wait(run, 100, &progress); waits++) {
        assert_true(waits < 300);
    }
    if (batch_run_join(run, &result, &f->err) != CA_OK) fail_msg("join: %s", f->err.text);
    assert_int_equal(result.state, SCHEMA_JOB_COMPLETED);
    ca_buf_clear(&result.summary);
}
