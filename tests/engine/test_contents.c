/*
 * What passes into a certificate, rule by rule; requests are made by OpenSSL.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/cert.h"
#include "engine/ext.h"
#include "tests/support/contents_fixture.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define CUSTOM CA_IGNORED_API_CUSTOM_EXTENSION

static void a_plain_request_gets_its_names_and_nothing_is_ignored(void **state)
{
    struct contents_fixture *f = *state;

    contents_begin(f);
    contents_ask_csr(f, "subjectAltName", "critical,DNS:a.example");
    contents_decide_good(f, contents_row("EndEntityCertificate"));
    assert_true(ca_bytes_equal(f->contents.subject, f->request.subject));
    assert_true(ca_bytes_equal(f->contents.san, f->request.san));
    assert_true(f->contents.has_san && f->contents.san_critical && !f->contents.subject_empty);
    assert_int_equal(f->contents.extra.len, 0);
    contents_assert_ignored(f, "");
    /* Not ours to touch. */
    assert_int_equal(f->contents.key_hash[0], 0xa5);
}

static void names_of_the_api_replace_the_requests(void **state)
{
    static const uint8_t subject[] = { 0x30, 12,   0x31, 10, 0x30, 8, 6,
                                       3,    0x55, 4,    3,  0x0c, 1, 'A' };
    static const uint8_t san[] = { 0x30, 3, 0x82, 1, 'a' };
    struct contents_fixture *f = *state;

    contents_begin(f);
    contents_ask_csr(f, "subjectAltName", "DNS:b.example");
    f->ask.api = &f->api;
    f->api.subject = ca_bytes_of(subject, sizeof(subject));
    f->api.san = ca_bytes_of(san, sizeof(san));
    f->api.has_san = true;
    contents_decide_good(f, contents_row("EndEntityCertificate_APIPassthrough"));
    assert_ptr_equal(f->contents.subject.data, subject);
    assert_ptr_equal(f->contents.san.data, san);
    assert_false(f->contents.san_critical);
    contents_assert_ignored(f, "csr.subject csr.subjectAltName");

    /* Without passthrough nothing of it is heard. */
    contents_decide_good(f, contents_row("EndEntityCertificate"));
    assert_ptr_equal(f->contents.subject.data, f->request.subject.data);
    contents_assert_ignored(f, "api.subject api.subjectAlternativeNames");
    contents_decide_good(f, contents_row("BlankEndEntityCertificate_CSRPassthrough"));
    contents_assert_ignored(f, "api.subject api.subjectAlternativeNames");

    /* Names that are the same are not ignored, whatever their string types. */
    contents_set_subject(f, "A");
    contents_decide_good(f, contents_row("EndEntityCertificate_APIPassthrough"));
    contents_assert_ignored(f, "csr.subjectAltName");
    contents_decide_good(f, contents_row("EndEntityCertificate"));
    contents_assert_ignored(f, "api.subjectAlternativeNames");

    /* SubjectAlternativeNames cannot ask for criticality, so they lose nothing by it. */
    contents_drop_extensions(f->extensions);
    f->extensions = sk_X509_EXTENSION_new_null();
    contents_ask_csr(f, "subjectAltName", "critical,DNS:a");
    contents_decide_good(f, contents_row("EndEntityCertificate"));
    contents_assert_ignored(f, "");
    assert_true(f->contents.san_critical);

    /* A custom subjectAltName can. */
    f->api.san_critical = true;
    contents_decide_good(f, contents_row("EndEntityCertificate_APICSRPassthrough"));
    assert_true(f->contents.san_critical);
    contents_assert_ignored(f, "");
    contents_drop_extensions(f->extensions);
    f->extensions = sk_X509_EXTENSION_new_null();
    contents_ask_csr(f, "subjectAltName", "DNS:a");
    contents_decide_good(f, contents_row("EndEntityCertificate"));
    contents_assert_ignored(f, "api.subjectAlternativeNames");
}

static void names_without_a_subject_are_critical(void **state)
{
    static const uint8_t san[] = { 0x30, 3, 0x82, 1, 'a' };
    struct contents_fixture *f = *state;

    contents_begin(f);
    X509_NAME_free(f->subject);
    f->subject = X509_NAME_new();
    f->ask.api = &f->api;
    f->api.san = ca_bytes_of(san, sizeof(san));
    f->api.has_san = true;
    contents_decide_good(f, contents_row("EndEntityCertificate_APIPassthrough"));
    assert_true(f->contents.subject_empty && f->contents.has_san && f->contents.san_critical);
}

static void the_api_stands_above_the_request(void **state)
{
    struct contents_fixture *f = *state;

    contents_begin(f);
    contents_ask_api(f, "certificatePolicies", "1.2.3", CA_IGNORED_API_CERTIFICATE_POLICIES);
    contents_ask_api(f, "1.2.3.4", "DER:0500", CUSTOM);
    contents_ask_csr(f, "1.2.3.5", "critical,DER:0500");
    contents_ask_csr(f, "1.2.3.4", "critical,DER:0500");
    contents_ask_csr(f, "certificatePolicies", "1.2.3");
    contents_decide_good(f, contents_row("EndEntityCertificate_APICSRPassthrough"));
    CONTENTS_ASSERT_EXTRA(f, { "certificatePolicies", "1.2.3" }, { "1.2.3.4", "DER:0500" },
                          { "1.2.3.5", "critical,DER:0500" });
    contents_assert_ignored(f, "csr.otherExtension");
}

static void the_ca_stands_above_both_with_its_pointers(void **state)
{
    struct contents_fixture *f = *state;
    const struct ca_template *tmpl =
        contents_row("BlankEndEntityCertificate_CriticalBasicConstraints_APICSRPassthrough");
    struct ca_template without = *tmpl;

    contents_begin(f);
    contents_ask_api(f, "crlDistributionPoints", "URI:http://a.example/", CUSTOM);
    contents_ask_csr(f, "crlDistributionPoints", "URI:http://b.example/");
    contents_ask_csr(f, "freshestCRL", "URI:http://b.example/");
    contents_ask_csr(f, "authorityInfoAccess", "OCSP;URI:http://b.example/");
    contents_decide_good(f, tmpl);
    CONTENTS_ASSERT_EXTRA(f, { "crlDistributionPoints", "URI:http://a.example/" },
                          { "freshestCRL", "URI:http://b.example/" },
                          { "authorityInfoAccess", "OCSP;URI:http://b.example/" });
    contents_assert_ignored(f, "csr.cRLDistributionPoints");
    f->pointers = (struct ca_pointers){ true, true, true };
    contents_decide_good(f, tmpl);
    assert_int_equal(f->contents.extra.len, 0);
    contents_assert_ignored(f, "csr.cRLDistributionPoints csr.freshestCRL csr.authorityInfoAccess "
                               "api.customExtension");
    f->pointers = (struct ca_pointers){ false, false, false };
    without.no_revocation_pointers = true;
    contents_decide_good(f, &without);
    assert_int_equal(f->contents.extra.len, 0);
}

static void extensions_of_a_users_template_win(void **state)
{
    struct contents_fixture *f = *state;
    struct ca_template own = *contents_row("BlankEndEntityCertificate_CSRPassthrough");
    struct ca_buf extensions;

    ca_buf_init(&extensions, 1024);
    ca_ext_add(&extensions, ca_oid_tls_feature, false, ca_bytes_of("\x30\x03\x02\x01\x05", 5));
    ca_ext_add(&extensions, ca_oid_no_rev_avail, false, ca_bytes_of("\x05\x00", 2));
    own.extensions = ca_buf_view(&extensions);
    contents_begin(f);
    contents_ask_csr(f, "tlsfeature", "17");
    contents_ask_csr(f, "1.2.3", "DER:0500");
    contents_decide_good(f, &own);
    CONTENTS_ASSERT_EXTRA(f, { "1.2.3", "DER:0500" });
    contents_assert_ignored(f, "csr.tlsFeature");
    contents_begin(f);
    contents_ask_csr(f, "tlsfeature", "status_request");
    contents_ask_csr(f, "2.5.29.56", "DER:0500");
    contents_decide_good(f, &own);
    assert_int_equal(f->contents.extra.len, 0);
    contents_assert_ignored(f, "");
    /* Its noRevAvail leaves no room for pointers (RFC 9608 3). */
    contents_begin(f);
    contents_ask_csr(f, "crlDistributionPoints", "URI:http://b.example/");
    contents_ask_csr(f, "freshestCRL", "URI:http://b.example/");
    contents_ask_csr(f, "authorityInfoAccess", "OCSP;URI:http://b.example/");
    contents_decide_good(f, &own);
    assert_int_equal(f->contents.extra.len, 0);
    contents_assert_ignored(f, "csr.cRLDistributionPoints csr.freshestCRL csr.authorityInfoAccess");
    ca_buf_clear(&extensions);
}

static void further_purposes_of_a_template_are_compared_too(void **state)
{
    static const uint8_t more[] = { 6, 2, 0x2a, 3, 6, 2, 0x2a, 4 };     /* 1.2.3 and 1.2.4 */
    static const struct {
        const char *text;
        bool same;
    } rows[] = {
        { "clientAuth,1.2.3,1.2.4", true }, { "1.2.4,clientAuth,1.2.3", true },
        { "clientAuth,1.2.3", false },      { "clientAuth,1.2.4", false },
        { "1.2.3,1.2.4", false },           { "clientAuth,1.2.3,1.2.4,1.2.5", false },
        { "clientAuth,1.2.3,1.2.3", false }, { "clientAuth,clientAuth,1.2.3,1.2.4", false },
        { "critical,clientAuth,1.2.3,1.2.4", false },
    };
    struct contents_fixture *f = *state;
    struct ca_template own = *contents_row("EndEntityClientAuthCertificate");

    own.eku_more = ca_bytes_of(more, sizeof(more));
    for (size_t i = 0; i < COUNT(rows); i++) {
        contents_begin(f);
        contents_ask_csr(f, "extendedKeyUsage", rows[i].text);
        contents_decide_good(f, &own);
        contents_assert_ignored(f, rows[i].same ? "" : "csr.extendedKeyUsage");
    }
    own.eku = 0;            /* and alone */
    contents_begin(f);
    contents_ask_csr(f, "extendedKeyUsage", "1.2.4,1.2.3");
    contents_decide_good(f, &own);
    contents_assert_ignored(f, "");
}

static void key_usage_is_compared_by_the_type_of_the_key(void **state)
{
    struct contents_fixture *f = *state;
    struct ca_template own = *contents_row("EndEntityCertificate");

    own.key_usage_signing_only = CA_KU_DIGITAL_SIGNATURE;
    contents_begin(f);
    contents_ask_csr(f, "keyUsage", "critical,digitalSignature");
    contents_decide_good(f, &own);
    contents_assert_ignored(f, "");
    contents_begin(f);
    contents_ask_csr(f, "keyUsage", "critical,digitalSignature,keyEncipherment");
    contents_decide_good(f, &own);
    contents_assert_ignored(f, "csr.keyUsage");
}

static void what_passes_from_a_request_is_checked(void **state)
{
    static const struct {
        const char *name, *value, *text;
    } rows[] = {
        { "2.5.29.32", "DER:3000", "certificatePolicies: the value is an empty SEQUENCE" },
        { "2.5.29.31", "DER:30023000", "cRLDistributionPoints: a distribution point has neither" },
        { "2.5.29.15", "DER:030100", "keyUsage: no bit is set" },
        { "2.5.29.37", "DER:3000", "extKeyUsage: the value is an empty SEQUENCE" },
        { "1.3.6.1.5.5.7.1.24", "DER:3000", "tlsFeature: the value is an empty SEQUENCE" },
        { "1.2.3.4", "DER:30020500FF", "1.2.3.4: " },
        { "keyUsage", "critical,digitalSignature,keyCertSign", "keyUsage: keyCertSign in an end" },
        { "keyUsage", "critical,cRLSign", "keyUsage: cRLSign in an end" },
    };
    struct contents_fixture *f = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        contents_begin(f);
        contents_ask_csr(f, rows[i].name, rows[i].value);
        contents_assert_refused(f, contents_row("BlankEndEntityCertificate_CSRPassthrough"),
                                CA_REASON_PASSTHROUGH_REFUSED, rows[i].text);
        contents_decide_good(f, contents_row("EndEntityCertificate"));  /* nobody hears it there */
        assert_int_equal(f->contents.extra.len, 0);
    }
    contents_begin(f);
    contents_ask_api(f, "keyUsage", "keyCertSign", CA_IGNORED_API_KEY_USAGE);
    contents_assert_refused(f, contents_row("BlankEndEntityCertificate_APIPassthrough"),
                            CA_REASON_PASSTHROUGH_REFUSED, "keyUsage: keyCertSign in an end");
    contents_decide_good(f, contents_row("BlankSubordinateCACertificate_PathLen0_APIPassthrough"));
    CONTENTS_ASSERT_EXTRA(f, { "keyUsage", "keyCertSign" });
}

static void no_revocation_and_a_pointer_to_it_contradict(void **state)
{
    static const struct {
        const char *name, *text;
        bool good;
    } rows[] = {
        { "crlDistributionPoints", "URI:http://b.example/", false },
        { "freshestCRL", "URI:http://b.example/", false },
        { "authorityInfoAccess",
          "caIssuers;URI:http://b.example/,OCSP;URI:http://b.example/", false },
        { "authorityInfoAccess", "caIssuers;URI:http://b.example/", true },
    };
    struct contents_fixture *f = *state;
    const struct ca_template *tmpl = contents_row("BlankEndEntityCertificate_CSRPassthrough");

    for (size_t i = 0; i < COUNT(rows); i++) {
        contents_begin(f);
        contents_ask_csr(f, rows[i].name, rows[i].text);
        contents_ask_csr(f, "2.5.29.56", "DER:0500");
        if (rows[i].good) {
            contents_decide_good(f, tmpl);
        } else {
            contents_assert_refused(f, tmpl, CA_REASON_PASSTHROUGH_REFUSED, "noRevAvail: beside a");
        }
    }
}

static void a_root_names_no_other_key_than_its_own(void **state)
{
    struct contents_fixture *f = *state;
    const struct ca_template *tmpl = contents_row("RootCACertificate_APIPassthrough");
    const char *pairs[1][2] = { { "2.5.29.35", NULL } };

    contents_begin(f);
    contents_make_request(f);
    contents_ask_api(f, "2.5.29.35", f->own_authority, CUSTOM);
    contents_decide_good(f, tmpl);
    pairs[0][1] = f->own_authority;
    contents_assert_extra(f, 1, (const char *const(*)[2])pairs);
    contents_begin(f);
    contents_ask_api(f, "2.5.29.35", "DER:30168014000102030405060708090A0B0C0D0E0F10111213",
                     CUSTOM);
    contents_assert_refused(f, tmpl, CA_REASON_PASSTHROUGH_REFUSED, "authorityKeyIdentifier: not");
    contents_decide_good(f, contents_row("RootCACertificate"));
    contents_assert_ignored(f, "api.customExtension");
}

/* Names of manifest lines */

static const uint8_t line_subject[] = { 0x30, 18,  0x31, 16,  0x30, 14,  6,   3,   0x55, 4,
                                        3,    0x13, 7,    'r', 'e',  'q', 'u', 'e', 's',  't' };
static const uint8_t line_san[] = { 0x30, 17,  0x82, 9,    'b', '.', 'e', 'x', 'a', 'm',
                                    'p',  'l', 'e',  0x87, 4,   192, 0,   2,   1 };

static void lines_are_not_heard_where_names_are_the_requests(void **state)
{
    static const uint8_t other[] = { 0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, 'o' };
    struct contents_fixture *f = *state;

    contents_begin(f);
    f->ask.line_subject = ca_bytes_of(other, sizeof(other));
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    contents_decide_good(f, contents_row("EndEntityCertificate"));
    contents_assert_ignored(f, "manifest.subject manifest.san");
    assert_false(f->contents.has_san);
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    f->ask.line_san = ca_bytes_of(NULL, 0);
    contents_decide_good(f, contents_row("EndEntityCertificate"));
    contents_assert_ignored(f, "");          /* the same, in another string type */
}

static void names_come_from_lines_where_the_template_says_so(void **state)
{
    static const uint8_t other[] = { 0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, 'o' };
    struct contents_fixture *f = *state;
    struct ca_template own = *contents_row("EndEntityCertificate");

    own.names_from = CA_NAMES_FROM_MANIFEST;
    contents_begin(f);
    contents_ask_csr(f, "subjectAltName", "DNS:c.example");
    contents_assert_refused(f, &own, CA_REASON_NO_MANIFEST_NAMES, "the template takes names");
    f->ask.line_subject = ca_bytes_of(other, sizeof(other));
    contents_decide_good(f, &own);
    assert_ptr_equal(f->contents.subject.data, other);
    assert_false(f->contents.has_san || f->contents.subject_empty);
    contents_assert_ignored(f, "csr.subject csr.subjectAltName");
    f->ask.line_subject = ca_bytes_of(NULL, 0);
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    contents_decide_good(f, &own);
    assert_true(f->contents.subject_empty && f->contents.san_critical);
    assert_memory_equal(f->contents.subject.data, "\x30\x00", 2);
    contents_assert_ignored(f, "csr.subject csr.subjectAltName");

    contents_begin(f);
    contents_ask_csr(f, "subjectAltName", "IP:192.0.2.1,DNS:b.example");
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    contents_decide_good(f, &own);
    contents_assert_ignored(f, "");          /* the same set, in another order */
}

static void both_must_agree_where_the_template_says_so(void **state)
{
    struct contents_fixture *f = *state;
    struct ca_template own = *contents_row("EndEntityCertificate");

    own.names_from = CA_NAMES_BOTH_MUST_AGREE;
    contents_begin(f);
    contents_ask_csr(f, "subjectAltName", "critical,IP:192.0.2.1,DNS:b.example");
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    contents_decide_good(f, &own);
    assert_ptr_equal(f->contents.subject.data, f->request.subject.data);
    assert_true(f->contents.san_critical);
    contents_assert_ignored(f, "");

    f->ask.line_san = ca_bytes_of(NULL, 0);
    contents_assert_refused(f, &own, CA_REASON_NAMES_DISAGREE, "the request has other subject alt");
    f->ask.line_san = ca_bytes_of("\x30\x03\x82\x01" "a", 5);
    contents_assert_refused(f, &own, CA_REASON_NAMES_DISAGREE, "the request has other subject alt");
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    f->ask.line_subject = ca_bytes_of(NULL, 0);
    contents_assert_refused(f, &own, CA_REASON_NAMES_DISAGREE, "the request has another subject");
    contents_set_subject(f, "Request");
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    contents_assert_refused(f, &own, CA_REASON_NAMES_DISAGREE, "the request has another subject");
    f->ask.line_subject = f->ask.line_san = ca_bytes_of(NULL, 0);
    contents_assert_refused(f, &own, CA_REASON_NO_MANIFEST_NAMES, "request and line of");

    contents_begin(f);                       /* neither has alternative names */
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    contents_decide_good(f, &own);
    assert_false(f->contents.has_san);
    X509_NAME_free(f->subject);     /* nor a subject */
    f->subject = X509_NAME_new();
    f->ask.line_subject = ca_bytes_of(NULL, 0);
    contents_decide_good(f, &own);
    assert_true(f->contents.subject_empty);
}

/* The chunk's arena is for 256 requests, whatever is asked for all of them. */
static void extensions_longer_than_a_certificate_are_refused_and_kept_nowhere(void **state)
{
    struct contents_fixture *f = *state;
    char value[2 * 4000 + 16] = "DER:04820F9C", type[32];

    for (size_t len = strlen(value); len < 12 + 2 * 3996; len++) value[len] = '0';
    contents_begin(f);
    for (unsigned i = 0; i < 9; i++) {
        (void)snprintf(type, sizeof(type), "1.2.3.%u", i + 1);
        contents_ask_api(f, type, value, CA_IGNORED_API_CUSTOM_EXTENSION);
    }
    contents_decide_good(f, contents_row("BlankEndEntityCertificate_APIPassthrough"));
    assert_in_range(f->contents.extra.len, 9 * 4000, CA_CERT_DER_MAX);
    contents_ask_api(f, "1.2.3.10", value, CA_IGNORED_API_CUSTOM_EXTENSION);
    ca_arena_reset(&f->arena);
    assert_int_equal(contents_decide(f, contents_row("BlankEndEntityCertificate_APIPassthrough")),
                     CA_MALFORMED);
    assert_int_equal(f->err.reason, CA_REASON_REQUEST_TOO_LONG);
    assert_string_equal(f->err.text, "the certificate would be longer than 36864 octets");
    assert_int_equal(f->arena.used, 0);
    contents_decide_good(f, contents_row("EndEntityCertificate"));
}

static void a_full_arena_is_nobodys_refusal(void **state)
{
    struct contents_fixture *f = *state;
    struct ca_arena small;

    contents_begin(f);
    contents_ask_csr(f, "1.2.3", "DER:0500");
    contents_make_request(f);
    ca_arena_init(&small, 16, 9);
    assert_int_equal(ca_contents_decide(contents_row("BlankEndEntityCertificate_CSRPassthrough"),
                                        &f->pointers, &f->ask, &small, &f->contents, &f->err),
                     CA_FULL);
    assert_int_equal(ca_contents_decide(contents_row("EndEntityCertificate"), &f->pointers,
                                        &f->ask, &small, &f->contents, &f->err), CA_OK);
    ca_arena_clear(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, contents_set_up, contents_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_request_gets_its_names_and_nothing_is_ignored),
        TEST(names_of_the_api_replace_the_requests),
        TEST(names_without_a_subject_are_critical),
        TEST(the_api_stands_above_the_request),
        TEST(the_ca_stands_above_both_with_its_pointers),
        TEST(extensions_of_a_users_template_win),
        TEST(further_purposes_of_a_template_are_compared_too),
        TEST(key_usage_is_compared_by_the_type_of_the_key),
        TEST(what_passes_from_a_request_is_checked),
        TEST(no_revocation_and_a_pointer_to_it_contradict),
        TEST(a_root_names_no_other_key_than_its_own),
        TEST(lines_are_not_heard_where_names_are_the_requests),
        TEST(names_come_from_lines_where_the_template_says_so),
        TEST(both_must_agree_where_the_template_says_so),
        TEST(extensions_longer_than_a_certificate_are_refused_and_kept_nowhere),
        TEST(a_full_arena_is_nobodys_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
