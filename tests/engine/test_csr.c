/* engine/csr (RFC 2986): what we build is read and verified by OpenSSL's X509_REQ, by openssl(1)
 * and by our own strict reader. */
#include "engine/csr.h"

#include "engine/prove.h"
#include "engine/request.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct {
    enum ca_key_alg key;
    enum ca_sig_alg sig;
    int nid;
} rows[] = {
    { CA_KEY_RSA_2048, CA_SIG_RSA_SHA256, NID_sha256WithRSAEncryption },
    { CA_KEY_RSA_2048, CA_SIG_RSA_SHA512, NID_sha512WithRSAEncryption },
    { CA_KEY_EC_P256, CA_SIG_ECDSA_SHA256, NID_ecdsa_with_SHA256 },
    { CA_KEY_EC_P384, CA_SIG_ECDSA_SHA384, NID_ecdsa_with_SHA384 },
    { CA_KEY_EC_P521, CA_SIG_ECDSA_SHA512, NID_ecdsa_with_SHA512 },
    { CA_KEY_ED25519, CA_SIG_ED25519, NID_ED25519 },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* CN=device-000001 */
static const uint8_t subject[] = { 0x30, 0x18, 0x31, 0x16, 0x30, 0x14, 0x06, 0x03, 0x55, 0x04, 0x03,
                                   0x0c, 0x0d, 'd', 'e', 'v', 'i', 'c', 'e', '-', '0', '0', '0',
                                   '0', '0', '1' };
/* subjectAltName: DNS:d1.example; basicConstraints critical CA:TRUE */
static const uint8_t extensions[] = { 0x30, 0x15, 0x06, 0x03, 0x55, 0x1d, 0x11, 0x04, 0x0e, 0x30,
                                      0x0c, 0x82, 0x0a, 'd', '1', '.', 'e', 'x', 'a', 'm', 'p', 'l',
                                      'e', 0x30, 0x0f, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01,
                                      0xff, 0x04, 0x05, 0x30, 0x03, 0x01, 0x01, 0xff };

struct fixture {
    struct ca_crypto *crypto;
    struct ca_key *key[ROWS];
    struct ca_signer *signer[ROWS];
};

static struct fixture fixture;

static int set_up(void **state)
{
    struct fixture *f = &fixture;

    if (ca_crypto_new(&f->crypto, NULL) != CA_OK) return -1;
    for (size_t i = 0; i < ROWS; i++) {
        if (ca_key_generate(f->crypto, rows[i].key, &f->key[i], NULL) != CA_OK ||
            ca_signer_new(f->crypto, f->key[i], rows[i].sig, &f->signer[i], NULL) != CA_OK) {
            return -1;
        }
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ROWS; i++) {
        ca_signer_free(f->signer[i]);
        ca_key_free(f->key[i]);
    }
    ca_crypto_free(f->crypto);
    return 0;
}

static struct ca_bytes with_extensions(bool with)
{
    return with ? ca_bytes_of(extensions, sizeof(extensions)) : ca_bytes_of(NULL, 0);
}

static struct ca_buf build(struct fixture *f, size_t row, bool with)
{
    struct ca_buf der;

    ca_buf_init(&der, 65536);
    assert_int_equal(ca_csr_build(f->signer[row], ca_key_spki(f->key[row]),
                                  ca_bytes_of(subject, sizeof(subject)), with_extensions(with),
                                  &der, NULL), CA_OK);
    return der;
}

static void openssl_reads_and_verifies_every_request(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 2 * ROWS; i++) {
        size_t row = i / 2;
        bool with = i % 2 == 1;
        struct ca_buf der = build(f, row, with);
        const uint8_t *at = der.data;
        X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)der.len);
        STACK_OF(X509_EXTENSION) *found;
        uint8_t *name = NULL, *spki = NULL;

        assert_non_null(req);
        assert_ptr_equal(at, der.data + der.len);
        assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
        assert_int_equal(X509_REQ_get_version(req), X509_REQ_VERSION_1);
        assert_int_equal(X509_REQ_get_signature_nid(req), rows[row].nid);
        assert_int_equal(i2d_X509_NAME(X509_REQ_get_subject_name(req), &name), sizeof(subject));
        assert_memory_equal(name, subject, sizeof(subject));
        assert_int_equal(i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), &spki),
                         ca_key_spki(f->key[row]).len);
        assert_memory_equal(spki, ca_key_spki(f->key[row]).data, ca_key_spki(f->key[row]).len);
        found = X509_REQ_get_extensions(req);
        if (with) {
            assert_int_equal(sk_X509_EXTENSION_num(found), 2);
            assert_int_equal(X509_REQ_get_attr_count(req), 1);
        } else {
            assert_int_equal(X509_REQ_get_attr_count(req), 0);
        }
        sk_X509_EXTENSION_pop_free(found, X509_EXTENSION_free);
        OPENSSL_free(name);
        OPENSSL_free(spki);
        X509_REQ_free(req);
        ca_buf_clear(&der);
    }
}

/* OpenSSL writes the same octets, signature aside. */
static void openssls_own_request_has_the_same_octets(void **state)
{
    struct fixture *f = *state;
    struct ca_buf der = build(f, 2, true);
    X509_REQ *req = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    X509_NAME *name = X509_NAME_new();
    const uint8_t *at = ca_key_spki(f->key[2]).data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)ca_key_spki(f->key[2]).len);
    struct ca_request parsed;
    uint8_t *info = NULL;
    int len;

    at = extensions;
    for (int i = 0; i < 2; i++) {
        X509_EXTENSION *ext = d2i_X509_EXTENSION(NULL, &at, extensions + sizeof(extensions) - at);

        assert_non_null(ext);
        assert_true(sk_X509_EXTENSION_push(list, ext) > 0);
    }
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING,
                                                (const unsigned char *)"device-000001", -1, -1, 0),
                     1);
    assert_int_equal(X509_REQ_set_version(req, X509_REQ_VERSION_1), 1);
    assert_int_equal(X509_REQ_set_subject_name(req, name), 1);
    assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
    assert_int_equal(X509_REQ_add_extensions(req, list), 1);
    len = i2d_re_X509_REQ_tbs(req, &info);
    assert_int_equal(ca_request_parse(ca_buf_view(&der), 0, &parsed, NULL), CA_OK);
    assert_int_equal(parsed.info.len, len);
    assert_memory_equal(parsed.info.data, info, parsed.info.len);
    OPENSSL_free(info);
    EVP_PKEY_free(key);
    X509_NAME_free(name);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(req);
    ca_buf_clear(&der);
}

/* RFC 2986 4.1: attributes are no OPTIONAL field. */
static void without_extensions_the_attributes_are_present_and_empty(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ROWS; i++) {
        struct ca_buf der = build(f, i, false);
        struct ca_request request;
        const uint8_t *end;

        assert_int_equal(ca_request_parse(ca_buf_view(&der), 0, &request, NULL), CA_OK);
        end = request.info.data + request.info.len;
        assert_int_equal(end[-2], 0xa0);
        assert_int_equal(end[-1], 0x00);
        assert_int_equal(request.extensions.len, 0);
        ca_buf_clear(&der);
    }
}

static void our_reader_accepts_and_our_prover_proves_them(void **state)
{
    struct fixture *f = *state;
    struct ca_prover *prover = NULL;

    assert_int_equal(ca_prover_new(f->crypto, &prover, NULL), CA_OK);
    for (size_t i = 0; i < 2 * ROWS; i++) {
        struct ca_buf der = build(f, i / 2, i % 2 == 1);
        struct ca_request request;
        const struct ca_request *list = &request;
        bool proved = false;

        assert_int_equal(ca_request_parse(ca_buf_view(&der), 0, &request, NULL), CA_OK);
        assert_true(ca_bytes_equal(request.extensions, with_extensions(i % 2 == 1)));
        assert_int_equal(ca_prover_check(prover, &list, 1, &proved, NULL), CA_OK);
        assert_true(proved);
        ca_buf_clear(&der);
    }
    ca_prover_free(prover);
}

static void the_openssl_program_verifies_them(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ROWS; i++) {
        struct ca_buf der = build(f, i, true);
        FILE *program = popen("openssl req -inform DER -verify -noout >/dev/null 2>&1", "w");

        assert_non_null(program);
        assert_int_equal(fwrite(der.data, 1, der.len, program), der.len);
        assert_int_equal(pclose(program), 0);
        ca_buf_clear(&der);
    }
}

static void a_request_is_appended_to_what_is_there(void **state)
{
    struct fixture *f = *state;
    struct ca_buf out;

    ca_buf_init(&out, 65536);
    ca_buf_append_str(&out, "before");
    assert_int_equal(ca_csr_build(f->signer[5], ca_key_spki(f->key[5]),
                                  ca_bytes_of(subject, sizeof(subject)), with_extensions(true),
                                  &out, NULL), CA_OK);
    assert_memory_equal(out.data, "before", 6);
    {
        struct ca_request request;
        struct ca_bytes der = ca_bytes_of(out.data + 6, out.len - 6);

        assert_int_equal(ca_request_parse(der, 0, &request, NULL), CA_OK);
    }
    ca_buf_clear(&out);
}

static void a_full_buffer_leaves_nothing_half_written(void **state)
{
    struct fixture *f = *state;
    struct ca_buf whole = build(f, 5, true);

    for (size_t max = 6; max < 6 + whole.len; max++) {
        struct ca_error err = { 0 };
        struct ca_buf out;

        ca_buf_init(&out, max);
        ca_buf_append_str(&out, "before");
        assert_int_equal(ca_csr_build(f->signer[5], ca_key_spki(f->key[5]),
                                      ca_bytes_of(subject, sizeof(subject)), with_extensions(true),
                                      &out, &err), CA_FULL);
        assert_int_equal(out.len, 6);
        assert_memory_equal(out.data, "before", 6);
        ca_buf_clear(&out);
    }
    ca_buf_clear(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_reads_and_verifies_every_request),
        cmocka_unit_test(openssls_own_request_has_the_same_octets),
        cmocka_unit_test(without_extensions_the_attributes_are_present_and_empty),
        cmocka_unit_test(our_reader_accepts_and_our_prover_proves_them),
        cmocka_unit_test(the_openssl_program_verifies_them),
        cmocka_unit_test(a_request_is_appended_to_what_is_there),
        cmocka_unit_test(a_full_buffer_leaves_nothing_half_written),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
