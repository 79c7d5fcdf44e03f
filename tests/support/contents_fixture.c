#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/contents_fixture.h"

#include <openssl/conf.h>
#include <openssl/ec.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void contents_drop_extensions(STACK_OF(X509_EXTENSION) *list)
{
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

int contents_set_up(void **state)
{
    struct contents_fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) return -1;
    f->key = EVP_EC_gen("P-256");
    f->extensions = sk_X509_EXTENSION_new_null();
    f->subject = X509_NAME_new();
    ca_arena_init(&f->arena, 65536, 1u << 20);
    ca_arena_init(&f->api_arena, 65536, 1u << 20);
    *state = f;
    return f->key == NULL ? -1 : 0;
}

int contents_tear_down(void **state)
{
    struct contents_fixture *f = *state;

    EVP_PKEY_free(f->key);
    X509_NAME_free(f->subject);
    contents_drop_extensions(f->extensions);
    OPENSSL_free(f->der);
    ca_arena_clear(&f->arena);
    ca_arena_clear(&f->api_arena);
    free(f);
    return 0;
}

static X509_EXTENSION *extension_of(const char *name, const char *text)
{
    static const char sections[] = "[dn]\nCN=x\n";
    BIO *bio = BIO_new_mem_buf(sections, -1);
    CONF *conf = NCONF_new(NULL);
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    long line = 0;

    assert_true(NCONF_load_bio(conf, bio, &line) > 0);
    BIO_free(bio);
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    X509V3_set_nconf(&ctx, conf);
    extension = X509V3_EXT_nconf(conf, &ctx, name, text);
    NCONF_free(conf);
    if (extension == NULL) fail_msg("OpenSSL does not make %s = %s", name, text);
    return extension;
}

void contents_ask_csr(struct contents_fixture *f, const char *name, const char *text)
{
    assert_true(sk_X509_EXTENSION_push(f->extensions, extension_of(name, text)) > 0);
}

static struct ca_bytes keep(struct contents_fixture *f, struct ca_bytes bytes)
{
    struct ca_bytes kept;

    assert_int_equal(ca_arena_copy(&f->api_arena, bytes, "a test's", &kept, NULL), CA_OK);
    return kept;
}

/* As ca_api_parse would have it, without its JSON. */
void contents_ask_api(struct contents_fixture *f, const char *name, const char *text,
                      enum ca_ignored bit)
{
    X509_EXTENSION *extension = extension_of(name, text);
    const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
    const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(extension);
    struct ca_api_extension *out = &f->api.extensions[f->api.extension_count++];
    uint8_t *der = NULL;
    int len = i2d_X509_EXTENSION(extension, &der);

    assert_true(len > 0);
    out->oid = keep(f, ca_bytes_of(OBJ_get0_data(object), OBJ_length(object)));
    out->critical = X509_EXTENSION_get_critical(extension) == 1;
    out->value = keep(f, ca_bytes_of(ASN1_STRING_get0_data(data),
                                     (size_t)ASN1_STRING_length(data)));
    out->whole = keep(f, ca_bytes_of(der, (size_t)len));
    out->name = bit;
    f->ask.api = &f->api;
    OPENSSL_free(der);
    X509_EXTENSION_free(extension);
}

void contents_set_subject(struct contents_fixture *f, const char *common_name)
{
    X509_NAME_free(f->subject);
    f->subject = X509_NAME_new();
    assert_int_equal(X509_NAME_add_entry_by_txt(f->subject, "CN", MBSTRING_UTF8,
                                                (const uint8_t *)common_name, -1, -1, 0), 1);
}

/* Forgets what was asked. */
void contents_begin(struct contents_fixture *f)
{
    contents_drop_extensions(f->extensions);
    f->extensions = sk_X509_EXTENSION_new_null();
    f->ask = (struct ca_ask){ .request = &f->request };
    f->pointers = (struct ca_pointers){ false, false, false };
    f->api = (struct ca_api){ .extension_count = 0 };
    ca_arena_reset(&f->api_arena);
    contents_set_subject(f, "request");
}

/* The request as asked: made, signed, and read by the engine. */
void contents_make_request(struct contents_fixture *f)
{
    X509_REQ *request = X509_REQ_new();
    uint8_t digest[20];
    char hex[41];
    int len;

    assert_int_equal(X509_REQ_set_subject_name(request, f->subject), 1);
    assert_int_equal(X509_REQ_set_pubkey(request, f->key), 1);
    if (sk_X509_EXTENSION_num(f->extensions) > 0)
        assert_int_equal(X509_REQ_add_extensions(request, f->extensions), 1);
    assert_true(X509_REQ_sign(request, f->key, EVP_sha256()) > 0);
    OPENSSL_free(f->der);
    f->der = NULL;
    len = i2d_X509_REQ(request, &f->der);
    X509_REQ_free(request);
    assert_true(len > 0);
    if (ca_request_parse(ca_bytes_of(f->der, (size_t)len), 0, &f->request, &f->err) != CA_OK)
        fail_msg("the request: %s", f->err.text);
    assert_non_null(SHA1(f->request.key.key.data, f->request.key.key.len, digest));
    memcpy(f->ask.subject_key_id, digest, 20);
    ca_hex_encode(ca_bytes_of(digest, 20), hex);
    (void)snprintf(f->own_key_id, sizeof(f->own_key_id), "DER:0414%s", hex);
    (void)snprintf(f->own_authority, sizeof(f->own_authority), "DER:30168014%s", hex);
}

enum ca_status contents_decide(struct contents_fixture *f, const struct ca_template *tmpl)
{
    ca_arena_reset(&f->arena);
    memset(&f->contents, 0xa5, sizeof(f->contents));
    f->err = (struct ca_error){ .status = CA_OK };
    return ca_contents_decide(tmpl, &f->pointers, &f->ask, &f->arena, &f->contents, &f->err);
}

void contents_decide_good(struct contents_fixture *f, const struct ca_template *tmpl)
{
    contents_make_request(f);
    if (contents_decide(f, tmpl) != CA_OK) fail_msg("%s: %s", tmpl->name, f->err.text);
}

void contents_assert_refused(struct contents_fixture *f, const struct ca_template *tmpl,
                             enum ca_reason reason, const char *text)
{
    contents_make_request(f);
    assert_int_equal(contents_decide(f, tmpl), CA_REFUSED);
    assert_int_equal(f->err.reason, reason);
    if (strncmp(f->err.text, text, strlen(text)) != 0)
        fail_msg("\"%s\", not \"%s\"", f->err.text, text);
    assert_int_equal(ca_contents_decide(tmpl, &f->pointers, &f->ask, &f->arena, &f->contents, NULL),
                     CA_REFUSED);
}

const struct ca_template *contents_row(const char *name)
{
    const struct ca_template *tmpl = NULL;

    assert_int_equal(ca_template_find(name, &tmpl, NULL), CA_OK);
    return tmpl;
}

/* The ignored ones as "a b c". */
void contents_assert_ignored(const struct contents_fixture *f, const char *names)
{
    char text[1024] = "";
    size_t used = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        if ((f->contents.ignored >> bit & 1) == 0) continue;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? " " : "",
                                 ca_ignored_name(bit));
    }
    assert_string_equal(text, names);
}

/* The extensions that pass, as OpenSSL reads and writes them. */
void contents_assert_extra(const struct contents_fixture *f, size_t count,
                           const char *const pairs[][2])
{
    const uint8_t *p = f->contents.extra.data, *end;

    if (count == 0) {
        assert_int_equal(f->contents.extra.len, 0);
        return;
    }
    assert_true(f->contents.extra.len > 0);
    end = p + f->contents.extra.len;
    for (size_t i = 0; i < count; i++) {
        X509_EXTENSION *want = extension_of(pairs[i][0], pairs[i][1]);
        X509_EXTENSION *got = d2i_X509_EXTENSION(NULL, &p, end - p);
        uint8_t *a = NULL, *b = NULL;
        int len;

        if (got == NULL) fail_msg("%s = %s did not pass", pairs[i][0], pairs[i][1]);
        len = i2d_X509_EXTENSION(want, &a);
        assert_int_equal(i2d_X509_EXTENSION(got, &b), len);
        assert_memory_equal(a, b, (size_t)len);
        OPENSSL_free(a);
        OPENSSL_free(b);
        X509_EXTENSION_free(want);
        X509_EXTENSION_free(got);
    }
    assert_ptr_equal(p, end);
}
