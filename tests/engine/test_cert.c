/* The certificate reader: what OpenSSL makes is read, what DER or RFC 5280 forbid is not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/cert.h"
#include "engine/ext.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    EVP_PKEY *key;
    EVP_PKEY *rsa;
    uint8_t *spki;
    size_t spki_len;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int len;

    assert_non_null(f);
    f->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    f->rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    assert_non_null(f->key);
    assert_non_null(f->rsa);
    len = i2d_PUBKEY(f->key, &f->spki);
    assert_true(len > 0);
    f->spki_len = (size_t)len;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    EVP_PKEY_free(f->key);
    EVP_PKEY_free(f->rsa);
    OPENSSL_free(f->spki);
    free(f);
    return 0;
}

static void assert_read(struct ca_bytes der, struct ca_cert *cert)
{
    struct ca_error err;

    if (ca_cert_parse(der, cert, &err) != CA_OK) fail_msg("%s", err.text);
}

static void assert_malformed(struct ca_bytes der, const char *part)
{
    struct ca_cert cert = { .path_len = -7 };
    struct ca_error err;

    if (ca_cert_parse(der, &cert, &err) != CA_MALFORMED) fail_msg("read: %s", part);
    assert_string_equal(ca_error_name(&err), "malformed-certificate");
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_int_equal(cert.path_len, -7);
}

/* Certificates by OpenSSL */

static void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *start_x509(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)"Foreign", -1, -1, 0), 1);
    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), 0xfedcba98u), 1);
    assert_int_equal(X509_set_subject_name(x, name), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_UTF8,
                                                (const unsigned char *)"Above", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(x, name), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), 1700000000));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), 2600000000));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    X509_NAME_free(name);
    return x;
}

static struct ca_bytes finish_x509(X509 *x, EVP_PKEY *key, const EVP_MD *md, uint8_t **der)
{
    int len;

    assert_true(X509_sign(x, key, md) > 0);
    *der = NULL;
    len = i2d_X509(x, der);
    assert_true(len > 0);
    return ca_bytes_of(*der, (size_t)len);
}

static void every_field_of_a_foreign_certificate_is_read(void **state)
{
    struct fixture *f = *state;
    X509 *x = start_x509(f->key);
    static const uint8_t serial[] = { 0xfe, 0xdc, 0xba, 0x98 };
    const ASN1_BIT_STRING *signature;
    const ASN1_OCTET_STRING *ski;
    struct ca_bytes whole;
    struct ca_cert cert;
    uint8_t *der, *name = NULL;
    int name_len;

    add_extension(x, NID_basic_constraints, "critical,CA:TRUE,pathlen:2");
    add_extension(x, NID_subject_key_identifier, "hash");
    add_extension(x, NID_authority_key_identifier, "keyid:always,issuer:always");
    add_extension(x, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign,decipherOnly");
    add_extension(x, NID_subject_alt_name, "DNS:a.example,IP:192.0.2.1");
    add_extension(x, NID_netscape_comment, "an extension that nobody needs");
    whole = finish_x509(x, f->key, EVP_sha256(), &der);
    assert_read(whole, &cert);
    assert_int_equal(cert.serial.len, sizeof(serial));
    assert_memory_equal(cert.serial.octets, serial, sizeof(serial));
    assert_int_equal(cert.sig_alg, CA_SIG_ECDSA_SHA256);
    X509_get0_signature(&signature, NULL, x);
    assert_true(ca_bytes_equal(cert.signature, ca_bytes_of(signature->data,
                                                           (size_t)signature->length)));
    name_len = i2d_X509_NAME(X509_get_subject_name(x), &name);
    assert_true(ca_bytes_equal(cert.subject, ca_bytes_of(name, (size_t)name_len)));
    assert_false(ca_cert_is_self_issued(&cert));
    assert_int_equal(cert.not_before_s, 1700000000);
    assert_int_equal(cert.not_after_s, 2600000000);
    assert_true(ca_bytes_equal(cert.key.whole, ca_bytes_of(f->spki, f->spki_len)));
    assert_true(cert.has_basic_constraints && cert.basic_constraints_critical && cert.is_ca);
    assert_int_equal(cert.path_len, 2);
    assert_true(cert.has_key_usage);
    assert_int_equal(cert.key_usage, CA_KU_DIGITAL_SIGNATURE | CA_KU_KEY_CERT_SIGN |
                     CA_KU_CRL_SIGN | CA_KU_DECIPHER_ONLY);
    ski = X509_get0_subject_key_id(x);
    assert_true(ca_bytes_equal(cert.ski, ca_bytes_of(ski->data, (size_t)ski->length)));
    assert_true(ca_bytes_equal(cert.aki, cert.ski));
    assert_true(cert.has_san);
    assert_int_equal(cert.san.data[0], 0x30);
    assert_true(ca_bytes_equal(cert.der, whole));
    assert_true(cert.tbs.data > cert.der.data && cert.tbs.len < cert.der.len);
    OPENSSL_free(name);
    OPENSSL_free(der);
    X509_free(x);
}

static void an_unknown_signature_algorithm_is_none_and_read(void **state)
{
    struct fixture *f = *state;
    X509 *x = start_x509(f->rsa);
    struct ca_cert cert;
    uint8_t *der;

    add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    assert_read(finish_x509(x, f->rsa, EVP_sha1(), &der), &cert);
    assert_int_equal(cert.sig_alg, CA_SIG_ALG_NONE);
    assert_int_equal(cert.path_len, CA_PATH_LEN_NONE);
    assert_int_equal(cert.key.kind, CA_KEY_KIND_RSA);
    OPENSSL_free(der);
    assert_read(finish_x509(x, f->rsa, EVP_sha384(), &der), &cert);
    assert_int_equal(cert.sig_alg, CA_SIG_RSA_SHA384);
    OPENSSL_free(der);
    X509_free(x);
}

static void the_extensions_can_be_walked(void **state)
{
    static const int nids[] = { NID_basic_constraints, NID_key_usage, NID_netscape_comment };
    struct fixture *f = *state;
    X509 *x = start_x509(f->key);
    struct ca_cert cert;
    struct ca_der walk;
    uint8_t *der;
    int i = 0;

    add_extension(x, nids[0], "critical,CA:TRUE");
    add_extension(x, nids[1], "critical,keyCertSign");
    add_extension(x, nids[2], "text");
    assert_read(finish_x509(x, f->key, EVP_sha256(), &der), &cert);
    for (walk = ca_der_open(cert.extensions); !ca_der_at_end(&walk); i++) {
        X509_EXTENSION *judge = X509_get_ext(x, i);
        const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(judge);
        const ASN1_OBJECT *object = OBJ_nid2obj(nids[i]);
        struct ca_extension extension;

        assert_int_equal(ca_extension_next(&walk, &extension, NULL), CA_OK);
        assert_int_equal(extension.critical, X509_EXTENSION_get_critical(judge));
        assert_true(ca_bytes_equal(extension.value,
                                   ca_bytes_of(value->data, (size_t)value->length)));
        assert_true(ca_bytes_equal(extension.oid, ca_bytes_of(OBJ_get0_data(object),
                                                              OBJ_length(object))));
    }
    assert_int_equal(i, 3);
    OPENSSL_free(der);
    X509_free(x);
}

static void a_certificate_that_is_cut_or_followed_by_anything_is_refused(void **state)
{
    struct fixture *f = *state;
    X509 *x = start_x509(f->key);
    struct ca_bytes whole;
    struct ca_cert cert;
    uint8_t *der, *copy;

    add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    whole = finish_x509(x, f->key, EVP_sha256(), &der);
    for (size_t len = 0; len < whole.len; len++) {
        copy = malloc(len + 1);         /* exact, so that a sanitizer sees a read past its end */
        assert_non_null(copy);
        memcpy(copy, whole.data, len);
        assert_malformed(ca_bytes_of(copy, len), "not a good certificate");
        free(copy);
    }
    copy = calloc(1, whole.len + 1);
    assert_non_null(copy);
    memcpy(copy, whole.data, whole.len);
    assert_malformed(ca_bytes_of(copy, whole.len + 1), "too many");
    assert_read(ca_bytes_of(copy, whole.len), &cert);
    free(copy);
    OPENSSL_free(der);
    X509_free(x);
}

/* Whatever octet is changed: no crash, and what is still read OpenSSL reads too. */
static void a_changed_octet_is_never_read_as_something_openssl_refuses(void **state)
{
    static const uint8_t values[] = { 0x00, 0x01, 0x30, 0x7f, 0x80, 0x81, 0xa0, 0xff };
    struct fixture *f = *state;
    X509 *x = start_x509(f->key);
    struct ca_bytes whole;
    uint8_t *der, *copy;
    size_t refused = 0;

    add_extension(x, NID_basic_constraints, "critical,CA:TRUE,pathlen:2");
    add_extension(x, NID_subject_key_identifier, "hash");
    add_extension(x, NID_authority_key_identifier, "keyid:always");
    add_extension(x, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(x, NID_subject_alt_name, "DNS:a.example");
    whole = finish_x509(x, f->key, EVP_sha256(), &der);
    copy = malloc(whole.len);
    assert_non_null(copy);
    for (size_t i = 0; i < whole.len; i++) {
        for (size_t v = 0; v < sizeof(values); v++) {
            struct ca_cert cert;
            const uint8_t *p = copy;
            X509 *judge;

            memcpy(copy, whole.data, whole.len);
            copy[i] = values[v];
            if (ca_cert_parse(ca_bytes_of(copy, whole.len), &cert, NULL) != CA_OK) {
                refused++;
                continue;
            }
            judge = d2i_X509(NULL, &p, (long)whole.len);
            if (judge == NULL) fail_msg("octet %zu = %02x is read", i, values[v]);
            X509_free(judge);
        }
    }
    assert_true(refused > whole.len);
    free(copy);
    OPENSSL_free(der);
    X509_free(x);
}

/* Certificates by hand, to break one rule at a time */

struct pieces {
    struct ca_bytes version, serial, algorithm, outer_algorithm, validity, before_extensions,
        extensions;
    struct ca_bytes name;           /* of issuer and subject */
    bool no_extensions;
};

#define BYTES(...)                                                                                 \
    ca_bytes_of((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define ECDSA_SHA256 0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2
#define NAME(tag, len, ...) 0x30, (len) + 11, 0x31, (len) + 9, 0x30, (len) + 7, 6, 3, 0x55, 4, 3,  \
                            (tag), (len), __VA_ARGS__
#define BC_TRUE 0x30, 15, 6, 3, 0x55, 0x1d, 0x13, 1, 1, 0xff, 4, 5, 0x30, 3, 1, 1, 0xff

static struct pieces good_pieces(void)
{
    static const uint8_t version[] = { 0xa0, 3, 2, 1, 2 };
    static const uint8_t serial[] = { 2, 1, 5 };
    static const uint8_t algorithm[] = { ECDSA_SHA256 };
    static const uint8_t validity[] = "\x30\x1e\x17\x0d" "260101000000Z" "\x17\x0d"
                                      "360101000000Z";
    static const uint8_t extensions[] = { BC_TRUE };
    static const uint8_t name[] = { NAME(0x0c, 1, 'A') };

    return (struct pieces){ .version = { version, sizeof(version) },
                            .serial = { serial, sizeof(serial) },
                            .algorithm = { algorithm, sizeof(algorithm) },
                            .outer_algorithm = { algorithm, sizeof(algorithm) },
                            .validity = { validity, sizeof(validity) - 1 },
                            .extensions = { extensions, sizeof(extensions) },
                            .name = { name, sizeof(name) } };
}

static void assemble(const struct fixture *f, const struct pieces *p, struct ca_buf *out)
{
    static const uint8_t signature[] = { 0x30, 6, 2, 1, 1, 2, 1, 1 };
    size_t mark;

    ca_buf_reset(out);
    ca_buf_append_bytes(out, p->version);
    ca_buf_append_bytes(out, p->serial);
    ca_buf_append_bytes(out, p->algorithm);
    ca_buf_append_bytes(out, p->name);
    ca_buf_append_bytes(out, p->validity);
    ca_buf_append_bytes(out, p->name);
    ca_buf_append(out, f->spki, f->spki_len);
    ca_buf_append_bytes(out, p->before_extensions);
    mark = out->len;
    ca_buf_append_bytes(out, p->extensions);
    if (!p->no_extensions) {
        ca_der_wrap(out, mark, CA_DER_SEQUENCE);
        ca_der_wrap(out, mark, CA_DER_CONTEXT_CONSTRUCTED(3));
    }
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    ca_buf_append_bytes(out, p->outer_algorithm);
    ca_der_add_bits(out, ca_bytes_of(signature, sizeof(signature)));
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    assert_int_equal(ca_buf_status(out, "a certificate", NULL), CA_OK);
}

static void assert_pieces_read(const struct fixture *f, const struct pieces *p,
                               struct ca_cert *cert)
{
    struct ca_buf out;

    ca_buf_init(&out, 2 * CA_CERT_DER_MAX);
    assemble(f, p, &out);
    assert_read(ca_buf_view(&out), cert);
    assert_true(ca_cert_is_self_issued(cert));
    ca_buf_clear(&out);         /* of the views in *cert only the lengths remain good */
}

static void assert_pieces_refused(const struct fixture *f, const struct pieces *p,
                                  const char *part)
{
    struct ca_buf out;

    ca_buf_init(&out, 2 * CA_CERT_DER_MAX);
    assemble(f, p, &out);
    assert_malformed(ca_buf_view(&out), part);
    ca_buf_clear(&out);
}

static void a_certificate_made_by_hand_is_read(void **state)
{
    struct pieces p = good_pieces();
    struct ca_cert cert;

    assert_pieces_read(*state, &p, &cert);
    assert_true(cert.is_ca);
    p.no_extensions = true;
    p.extensions.len = 0;
    assert_pieces_read(*state, &p, &cert);
    assert_false(cert.has_basic_constraints || cert.has_key_usage || cert.has_san || cert.is_ca);
    assert_int_equal(cert.extensions.len, 0);
}

static void only_version_3_is_read(void **state)
{
    struct pieces p = good_pieces();

    p.version = BYTES(0xa0, 3, 2, 1, 1);
    assert_pieces_refused(*state, &p, "version 3");
    p.version = BYTES(0xa0, 3, 2, 1, 3);
    assert_pieces_refused(*state, &p, "version 3");
    p.version = ca_bytes_of(NULL, 0);
    assert_pieces_refused(*state, &p, "version 3");
}

static void serials_are_positive_and_at_most_20_octets(void **state)
{
    static const uint8_t long_serial[] = { 2, 21, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                                           15, 16, 17, 18, 19, 20, 21 };
    static const uint8_t longest[] = { 2, 21, 0, 0x80, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                       16, 17, 18, 19, 20, 21 };
    struct pieces p = good_pieces();
    struct ca_cert cert;

    p.serial = BYTES(2, 1, 0);
    assert_pieces_refused(*state, &p, "serial number is zero");
    p.serial = BYTES(2, 1, 0x80);
    assert_pieces_refused(*state, &p, "negative");
    p.serial = BYTES(2, 2, 0, 1);
    assert_pieces_refused(*state, &p, "shortest");
    p.serial = ca_bytes_of(long_serial, sizeof(long_serial));
    assert_pieces_refused(*state, &p, "longer than 20");
    p.serial = ca_bytes_of(longest, sizeof(longest));
    assert_pieces_read(*state, &p, &cert);
    assert_int_equal(cert.serial.len, 20);
    assert_int_equal(cert.serial.octets[0], 0x80);
}

static void both_algorithms_agree_and_have_their_parameters(void **state)
{
#define RSA_SHA256_OID 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 11
    struct pieces p = good_pieces();
    struct ca_cert cert;

    p.outer_algorithm = BYTES(0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3);
    assert_pieces_refused(*state, &p, "two signature algorithms differ");
    p.algorithm = p.outer_algorithm = BYTES(0x30, 0x0c, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3,
                                            2, 5, 0);
    assert_pieces_refused(*state, &p, "wrong parameters");
    p.algorithm = p.outer_algorithm = BYTES(0x30, 0x0d, RSA_SHA256_OID, 5, 0);
    assert_pieces_read(*state, &p, &cert);
    assert_int_equal(cert.sig_alg, CA_SIG_RSA_SHA256);
    p.algorithm = p.outer_algorithm = BYTES(0x30, 0x0b, RSA_SHA256_OID);
    assert_pieces_read(*state, &p, &cert);
    assert_int_equal(cert.sig_alg, CA_SIG_RSA_SHA256);
    p.algorithm = p.outer_algorithm = BYTES(0x30, 0x0e, RSA_SHA256_OID, 4, 1, 0);
    assert_pieces_refused(*state, &p, "wrong parameters");
    p.algorithm = p.outer_algorithm = BYTES(0x30, 8, 6, 2, 0x2a, 3, 0x30, 2, 5, 0);
    assert_pieces_read(*state, &p, &cert);
    assert_int_equal(cert.sig_alg, CA_SIG_ALG_NONE);
    p.algorithm = p.outer_algorithm = BYTES(0x30, 8, 6, 2, 0x2a, 3, 5, 0, 5, 0);
    assert_pieces_refused(*state, &p, "too many");
#undef RSA_SHA256_OID
}

static void dates_are_those_of_rfc_5280(void **state)
{
    struct pieces p = good_pieces();
    static const uint8_t no_seconds[] = "\x30\x1c\x17\x0b" "2601010000Z" "\x17\x0d"
                                        "360101000000Z";
    static const uint8_t early_generalized[] = "\x30\x20\x17\x0d" "260101000000Z" "\x18\x0f"
                                               "20360101000000Z";

    p.validity = ca_bytes_of(no_seconds, sizeof(no_seconds) - 1);
    assert_pieces_refused(*state, &p, "notBefore");
    p.validity = ca_bytes_of(early_generalized, sizeof(early_generalized) - 1);
    assert_pieces_refused(*state, &p, "notAfter");
}

static void unique_identifiers_are_refused(void **state)
{
    struct pieces p = good_pieces();

    p.before_extensions = BYTES(0x81, 2, 0, 1);
    assert_pieces_refused(*state, &p, "extensions has tag 81");
}

static void names_are_made_of_strings(void **state)
{
    struct pieces p = good_pieces();
    struct ca_cert cert;

    p.name = BYTES(NAME(0x14, 2, 'A', 0xe9));           /* TeletexString, of old CAs */
    assert_pieces_read(*state, &p, &cert);
    p.name = BYTES(NAME(0x1e, 4, 0, 'A', 0, 'B'));
    assert_pieces_read(*state, &p, &cert);
    p.name = BYTES(0x30, 0);
    assert_pieces_read(*state, &p, &cert);
    p.name = BYTES(NAME(0x1e, 3, 0, 'A', 0));
    assert_pieces_refused(*state, &p, "no string");
    p.name = BYTES(NAME(0x1c, 2, 0, 'A'));
    assert_pieces_refused(*state, &p, "no string");
    p.name = BYTES(NAME(0x0c, 2, 0xc0, 0x80));
    assert_pieces_refused(*state, &p, "no string");
    p.name = BYTES(NAME(0x01, 1, 0xff));
    assert_pieces_refused(*state, &p, "no string");
    p.name = BYTES(0x30, 2, 0x31, 0);
    assert_pieces_refused(*state, &p, "missing");
}

static void the_extensions_list_is_not_empty_and_has_nothing_twice(void **state)
{
    struct pieces p = good_pieces();

    p.extensions.len = 0;
    assert_pieces_refused(*state, &p, "missing");
    p.extensions = BYTES(BC_TRUE, BC_TRUE);
    assert_pieces_refused(*state, &p, "twice");
    p.extensions = BYTES(0x30, 7, 6, 2, 0x2a, 3, 4, 1, 0, BC_TRUE, 0x30, 7, 6, 2, 0x2a, 3, 4, 1, 1);
    assert_pieces_refused(*state, &p, "twice");
}

static void two_hundred_and_fifty_six_extensions_are_the_limit(void **state)
{
    struct pieces p = good_pieces();
    struct ca_buf list;
    struct ca_cert cert;

    ca_buf_init(&list, 8192);
    for (unsigned i = 0; i < 257; i++) {
        const uint8_t oid[] = { 0x2a, (uint8_t)(0x81 + i / 128), i % 128 };

        if (i == 256) {
            p.extensions = ca_buf_view(&list);
            assert_pieces_read(*state, &p, &cert);
        }
        ca_ext_add(&list, ca_bytes_of(oid, sizeof(oid)), false, BYTES(5, 0));
    }
    p.extensions = ca_buf_view(&list);
    assert_pieces_refused(*state, &p, "more than 256");
    ca_buf_clear(&list);
}

static void defaults_that_are_written_out_are_refused(void **state)
{
    struct pieces p = good_pieces();

    p.extensions = BYTES(0x30, 10, 6, 2, 0x2a, 3, 1, 1, 0, 4, 1, 0);
    assert_pieces_refused(*state, &p, "critical FALSE");
    p.extensions = BYTES(0x30, 10, 6, 2, 0x2a, 3, 1, 1, 1, 4, 1, 0);
    assert_pieces_refused(*state, &p, "00 nor ff");
    p.extensions = BYTES(0x30, 12, 6, 3, 0x55, 0x1d, 0x13, 4, 5, 0x30, 3, 1, 1, 0);
    assert_pieces_refused(*state, &p, "cA FALSE");
}

static void basic_constraints_have_their_shape(void **state)
{
    struct pieces p = good_pieces();
    struct ca_cert cert;

    p.extensions = BYTES(0x30, 9, 6, 3, 0x55, 0x1d, 0x13, 4, 2, 0x30, 0);
    assert_pieces_read(*state, &p, &cert);
    assert_true(cert.has_basic_constraints && !cert.is_ca && !cert.basic_constraints_critical);
    p.extensions = BYTES(0x30, 12, 6, 3, 0x55, 0x1d, 0x13, 4, 5, 0x30, 3, 2, 1, 0);
    assert_pieces_refused(*state, &p, "too many");      /* a path length without cA */
    p.extensions = BYTES(0x30, 15, 6, 3, 0x55, 0x1d, 0x13, 4, 8, 0x30, 6, 1, 1, 0xff, 2, 1, 0xff);
    assert_pieces_refused(*state, &p, "negative");
    p.extensions = BYTES(0x30, 11, 6, 3, 0x55, 0x1d, 0x13, 4, 4, 0x30, 0, 5, 0);
    assert_pieces_refused(*state, &p, "too many");
}

static void key_usage_is_minimal_and_not_empty(void **state)
{
#define KEY_USAGE(len, ...) BYTES(0x30, (len) + 9, 6, 3, 0x55, 0x1d, 0x0f, 4, (len) + 2, 3,       \
                                  (len), __VA_ARGS__)
    struct pieces p = good_pieces();
    struct ca_cert cert;

    p.extensions = KEY_USAGE(2, 1, 0x86);
    assert_pieces_read(*state, &p, &cert);
    assert_int_equal(cert.key_usage, CA_KU_DIGITAL_SIGNATURE | CA_KU_KEY_CERT_SIGN |
                     CA_KU_CRL_SIGN);
    p.extensions = KEY_USAGE(2, 0, 0x01);
    assert_pieces_read(*state, &p, &cert);
    assert_int_equal(cert.key_usage, CA_KU_ENCIPHER_ONLY);
    p.extensions = KEY_USAGE(3, 7, 0x08, 0x80);
    assert_pieces_read(*state, &p, &cert);
    assert_int_equal(cert.key_usage, CA_KU_KEY_AGREEMENT | CA_KU_DECIPHER_ONLY);
    p.extensions = KEY_USAGE(2, 0, 0x86);               /* bit 7 zero, but counted */
    assert_pieces_refused(*state, &p, "not minimal");
    p.extensions = KEY_USAGE(3, 7, 0x86, 0x00);         /* nine bits, as AWS writes passed ones */
    assert_pieces_refused(*state, &p, "not minimal");
    p.extensions = KEY_USAGE(2, 2, 0x86);               /* an unused bit set */
    assert_pieces_refused(*state, &p, "not minimal");
    p.extensions = KEY_USAGE(2, 8, 0x80);
    assert_pieces_refused(*state, &p, "not minimal");
    p.extensions = KEY_USAGE(3, 6, 0x80, 0x40);
    assert_pieces_refused(*state, &p, "without a meaning");
    p.extensions = KEY_USAGE(2, 7, 0x00);
    assert_pieces_refused(*state, &p, "not minimal");
    p.extensions = KEY_USAGE(1, 0);
    assert_pieces_refused(*state, &p, "empty or too long");
    p.extensions = KEY_USAGE(4, 7, 0x80, 0x80, 0x80);
    assert_pieces_refused(*state, &p, "empty or too long");
#undef KEY_USAGE
}

static void key_identifiers_have_their_shape(void **state)
{
    struct pieces p = good_pieces();
    struct ca_cert cert;

    p.extensions = BYTES(0x30, 9, 6, 3, 0x55, 0x1d, 0x0e, 4, 2, 4, 0);
    assert_pieces_refused(*state, &p, "key identifier is empty");
    p.extensions = BYTES(0x30, 10, 6, 3, 0x55, 0x1d, 0x0e, 4, 3, 5, 1, 7);
    assert_pieces_refused(*state, &p, "SubjectKeyIdentifier");
    p.extensions = BYTES(0x30, 12, 6, 3, 0x55, 0x1d, 0x23, 4, 5, 0x30, 3, 0x80, 1, 9);
    assert_pieces_read(*state, &p, &cert);
    assert_int_equal(cert.aki.len, 1);
    p.extensions = BYTES(0x30, 9, 6, 3, 0x55, 0x1d, 0x23, 4, 2, 0x30, 0);
    assert_pieces_read(*state, &p, &cert);
    assert_int_equal(cert.aki.len, 0);
    p.extensions = BYTES(0x30, 15, 6, 3, 0x55, 0x1d, 0x23, 4, 8, 0x30, 6, 0x82, 1, 1, 0x80, 1, 9);
    assert_pieces_refused(*state, &p, "AuthorityKeyIdentifier");    /* wrong order */
}

static void alternative_names_have_their_shape(void **state)
{
    struct pieces p = good_pieces();
    struct ca_cert cert;

    p.extensions = BYTES(0x30, 12, 6, 3, 0x55, 0x1d, 0x11, 4, 5, 0x30, 3, 0x82, 1, 'a');
    assert_pieces_read(*state, &p, &cert);
    assert_true(cert.has_san);
    assert_int_equal(cert.san.len, 5);
    p.extensions = BYTES(0x30, 9, 6, 3, 0x55, 0x1d, 0x11, 4, 2, 0x30, 0);
    assert_pieces_refused(*state, &p, "missing");
    p.extensions = BYTES(0x30, 12, 6, 3, 0x55, 0x1d, 0x11, 4, 5, 0x30, 3, 0x0c, 1, 'a');
    assert_pieces_refused(*state, &p, "unknown form");
    p.extensions = BYTES(0x30, 12, 6, 3, 0x55, 0x1d, 0x11, 4, 5, 0x30, 3, 0x89, 1, 'a');
    assert_pieces_refused(*state, &p, "unknown form");
}

static void a_certificate_longer_than_the_limit_is_not_looked_at(void **state)
{
    uint8_t *octets = calloc(1, CA_CERT_DER_MAX + 1);

    (void)state;
    assert_non_null(octets);
    assert_malformed(ca_bytes_of(octets, CA_CERT_DER_MAX + 1), "longer than");
    free(octets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_a_foreign_certificate_is_read),
        cmocka_unit_test(an_unknown_signature_algorithm_is_none_and_read),
        cmocka_unit_test(the_extensions_can_be_walked),
        cmocka_unit_test(a_certificate_that_is_cut_or_followed_by_anything_is_refused),
        cmocka_unit_test(a_changed_octet_is_never_read_as_something_openssl_refuses),
        cmocka_unit_test(a_certificate_made_by_hand_is_read),
        cmocka_unit_test(only_version_3_is_read),
        cmocka_unit_test(serials_are_positive_and_at_most_20_octets),
        cmocka_unit_test(both_algorithms_agree_and_have_their_parameters),
        cmocka_unit_test(dates_are_those_of_rfc_5280),
        cmocka_unit_test(unique_identifiers_are_refused),
        cmocka_unit_test(names_are_made_of_strings),
        cmocka_unit_test(the_extensions_list_is_not_empty_and_has_nothing_twice),
        cmocka_unit_test(two_hundred_and_fifty_six_extensions_are_the_limit),
        cmocka_unit_test(defaults_that_are_written_out_are_refused),
        cmocka_unit_test(basic_constraints_have_their_shape),
        cmocka_unit_test(key_usage_is_minimal_and_not_empty),
        cmocka_unit_test(key_identifiers_have_their_shape),
        cmocka_unit_test(alternative_names_have_their_shape),
        cmocka_unit_test(a_certificate_longer_than_the_limit_is_not_looked_at),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
