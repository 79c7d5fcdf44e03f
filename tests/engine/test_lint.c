/*
 * The lint. OpenSSL's X509 API, which engine never uses for this, makes certificates that are right
 * in every octet; then one thing at a time is made wrong.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/lint_world.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void certificates_that_openssl_made_right_pass(void **state)
{
    for (size_t i = 0; i < LINT_MAKERS; i++) {
        struct lint_world w;
        char what[40];

        (void)snprintf(what, sizeof(what), "certificate %zu", i);
        lint_makers[i](&w, *state);
        lint_expect(&w, CA_REASON_NONE, what);
        lint_end(&w);
    }
}

static void certificates_that_we_build_pass(void **state)
{
    for (size_t i = 0; i < LINT_MAKERS; i++) {
        struct ca_cert_slot slot = { .offset = 0 };
        uint8_t tbs[LINT_TBS_MAX];
        struct ca_buf arena;
        struct lint_world w;

        lint_makers[i](&w, *state);
        ca_buf_init(&arena, 65536);
        assert_int_equal(ca_profile_build(w.profile, &w.input, &arena, &slot, NULL), CA_OK);
        lint_expect_octets(&w, arena.data + slot.tbs_offset, slot.tbs_len, CA_REASON_NONE, "ours");
        assert_int_equal(lint_tbs_of(&w, tbs), slot.tbs_len);
        assert_memory_equal(tbs, arena.data + slot.tbs_offset, slot.tbs_len);
        ca_buf_clear(&arena);
        lint_end(&w);
    }
}

/* One thing wrong in the certificate */

static void wrong_version(struct lint_world *w) { assert_int_equal(X509_set_version(w->x, 1), 1); }
static void no_version(struct lint_world *w) { assert_int_equal(X509_set_version(w->x, 0), 1); }

static void serial_of(struct lint_world *w, const char *hex)
{
    BIGNUM *number = NULL;

    assert_true(BN_hex2bn(&number, hex) > 0);
    assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(w->x)));
    BN_free(number);
}

static void other_serial(struct lint_world *w) { serial_of(w, "019c448006"); }
static void zero_serial(struct lint_world *w) { serial_of(w, "0"); }
static void negative_serial(struct lint_world *w) { serial_of(w, "-5"); }

static void long_serial(struct lint_world *w)
{
    w->serial.len = 20;     /* with its zero octet 21 */
    memset(w->serial.octets, 0x80, 20);
    serial_of(w, "8080808080808080808080808080808080808080");
}

static void other_algorithm(struct lint_world *w)
{
    assert_int_equal(X509_ALGOR_set0(lint_algorithm(w), OBJ_nid2obj(NID_ecdsa_with_SHA384),
                                     V_ASN1_UNDEF, NULL), 1);
}

static void parameters_of_algorithm(struct lint_world *w)
{
    assert_int_equal(X509_ALGOR_set0(lint_algorithm(w), OBJ_nid2obj(NID_ecdsa_with_SHA256),
                                     V_ASN1_NULL, NULL), 1);
}

static void set_name(struct lint_world *w, const char *common_name, bool issuer)
{
    X509_NAME *name = lint_name(common_name);

    assert_int_equal(issuer ? X509_set_issuer_name(w->x, name)
                            : X509_set_subject_name(w->x, name), 1);
    X509_NAME_free(name);
}

static void other_issuer(struct lint_world *w) { set_name(w, "Authoritx", true); }
static void no_issuer(struct lint_world *w) { set_name(w, NULL, true); }
static void other_subject(struct lint_world *w) { set_name(w, "device-000002", false); }
static void no_subject(struct lint_world *w) { set_name(w, NULL, false); }

/* The same characters in another string type are another name. */
static void issuer_of_another_string_type(struct lint_world *w)
{
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", V_ASN1_PRINTABLESTRING,
                                                (const unsigned char *)"Widgets", -1, -1, 0), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_PRINTABLESTRING,
                                                (const unsigned char *)"Authority", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(w->x, name), 1);
    X509_NAME_free(name);
}

static void other_begin(struct lint_world *w)
{
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(w->x), LINT_FROM + 1));
}

static void other_end(struct lint_world *w)
{
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(w->x), LINT_FROM + 366 * LINT_DAY));
}

static void set_time(ASN1_TIME *time, int type, const char *text)
{
    assert_int_equal(ASN1_STRING_set(time, text, -1), 1);
    time->type = type;
}

static void generalized_time_too_early(struct lint_world *w)
{
    set_time(X509_getm_notBefore(w->x), V_ASN1_GENERALIZEDTIME, "20260528202640Z");
}

static void utc_time_too_late(struct lint_world *w)
{
    set_time(X509_getm_notAfter(w->x), V_ASN1_UTCTIME, "500101000000Z");
}

static void time_without_seconds(struct lint_world *w)
{
    set_time(X509_getm_notBefore(w->x), V_ASN1_UTCTIME, "2605282026Z");
}

static void time_with_offset(struct lint_world *w)
{
    set_time(X509_getm_notBefore(w->x), V_ASN1_UTCTIME, "260528202640+0000");
}

static void no_date(struct lint_world *w)
{
    set_time(X509_getm_notBefore(w->x), V_ASN1_UTCTIME, "261328202640Z");
}

static void other_key(struct lint_world *w)
{
    assert_int_equal(X509_set_pubkey(w->x, w->f->other_key), 1);
}

/* The extensions */

static void no_basic_constraints(struct lint_world *w) { lint_drop(w->x, NID_basic_constraints); }

static void ca_true(struct lint_world *w)
{
    lint_replace(w->x, NID_basic_constraints,
                 lint_extension(NULL, NULL, NID_basic_constraints, "CA:TRUE"));
}

/* cA FALSE written out is no DER (X.690 11.5). */
static void ca_false_written_out(struct lint_world *w)
{
    static const uint8_t value[] = { 0x30, 3, 1, 1, 0 };

    lint_replace(w->x, NID_basic_constraints, lint_raw("2.5.29.19", false, value, sizeof(value)));
}

static void path_length_of_an_end_entity(struct lint_world *w)
{
    static const uint8_t value[] = { 0x30, 3, 2, 1, 0 };

    lint_replace(w->x, NID_basic_constraints, lint_raw("2.5.29.19", false, value, sizeof(value)));
}

static void critical_basic_constraints(struct lint_world *w)
{
    lint_critical(w->x, NID_basic_constraints, 1);
}

static void basic_constraints_not_critical(struct lint_world *w)
{
    lint_critical(w->x, NID_basic_constraints, 0);
}

static void other_path_length(struct lint_world *w)
{
    lint_replace(w->x, NID_basic_constraints,
                 lint_extension(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
}

static void no_path_length(struct lint_world *w)
{
    lint_replace(w->x, NID_basic_constraints,
                 lint_extension(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE"));
}

static void ca_false(struct lint_world *w)
{
    lint_replace(w->x, NID_basic_constraints,
                 lint_extension(NULL, NULL, NID_basic_constraints, "critical,CA:FALSE"));
}

static void no_authority_key_id(struct lint_world *w)
{
    lint_drop(w->x, NID_authority_key_identifier);
}

static void authority_key_id_of_another(struct lint_world *w)
{
    static const uint8_t value[24] = { 0x30, 22, 0x80, 20, 1, 2, 3 };

    lint_replace(w->x, NID_authority_key_identifier,
                 lint_raw("2.5.29.35", false, value, sizeof(value)));
}

static void authority_key_id_with_serial(struct lint_world *w)
{
    lint_replace(w->x, NID_authority_key_identifier,
                 lint_extension(w->f->ca, w->x, NID_authority_key_identifier,
                                "keyid:always,issuer:always"));
}

static void critical_authority_key_id(struct lint_world *w)
{
    lint_critical(w->x, NID_authority_key_identifier, 1);
}

static void no_subject_key_id(struct lint_world *w) { lint_drop(w->x, NID_subject_key_identifier); }

static void subject_key_id_of_another(struct lint_world *w)
{
    lint_replace(w->x, NID_subject_key_identifier,
                 lint_extension(NULL, w->f->ca, NID_subject_key_identifier, "hash"));
}

static void critical_subject_key_id(struct lint_world *w)
{
    lint_critical(w->x, NID_subject_key_identifier, 1);
}

static void key_ids_the_other_way_round(struct lint_world *w)
{
    X509_EXTENSION *first = X509_delete_ext(w->x, 1);

    lint_put(w->x, first, 2);
}

static void no_key_usage(struct lint_world *w) { lint_drop(w->x, NID_key_usage); }

static void more_key_usage(struct lint_world *w)
{
    lint_replace(w->x, NID_key_usage,
                 lint_extension(NULL, NULL, NID_key_usage,
                                "critical,digitalSignature,keyEncipherment,dataEncipherment"));
}

static void cert_sign_of_an_end_entity(struct lint_world *w)
{
    lint_replace(w->x, NID_key_usage,
                 lint_extension(NULL, NULL, NID_key_usage,
                                "critical,digitalSignature,keyCertSign"));
}

static void key_usage_not_minimal(struct lint_world *w)
{
    static const uint8_t value[] = { 3, 2, 4, 0xa0 };       /* 5 bits are used, 3 would do */

    lint_replace(w->x, NID_key_usage, lint_raw("2.5.29.15", true, value, sizeof(value)));
}

static void key_usage_not_critical(struct lint_world *w) { lint_critical(w->x, NID_key_usage, 0); }

static void no_purposes(struct lint_world *w) { lint_drop(w->x, NID_ext_key_usage); }

static void fewer_purposes(struct lint_world *w)
{
    lint_replace(w->x, NID_ext_key_usage,
                 lint_extension(NULL, NULL, NID_ext_key_usage, "serverAuth"));
}

static void purposes_in_another_order(struct lint_world *w)
{
    lint_replace(w->x, NID_ext_key_usage,
                 lint_extension(NULL, NULL, NID_ext_key_usage, "clientAuth,serverAuth"));
}

static void more_purposes(struct lint_world *w)
{
    lint_replace(w->x, NID_ext_key_usage,
                 lint_extension(NULL, NULL, NID_ext_key_usage,
                                "serverAuth,clientAuth,codeSigning"));
}

static void critical_purposes(struct lint_world *w) { lint_critical(w->x, NID_ext_key_usage, 1); }

static void purposes_not_critical(struct lint_world *w)
{
    lint_critical(w->x, NID_ext_key_usage, 0);
}

static void other_names(struct lint_world *w)
{
    lint_replace(w->x, NID_subject_alt_name,
                 lint_extension(NULL, NULL, NID_subject_alt_name, "DNS:device-000002.example.com"));
}

static void one_name_more(struct lint_world *w)
{
    lint_replace(w->x, NID_subject_alt_name,
                 lint_extension(NULL, NULL, NID_subject_alt_name,
                                "DNS:device-000001.example.com,DNS:x.example"));
}

static void no_names(struct lint_world *w) { lint_drop(w->x, NID_subject_alt_name); }
static void critical_names(struct lint_world *w) { lint_critical(w->x, NID_subject_alt_name, 1); }

static void names_not_critical(struct lint_world *w)
{
    lint_critical(w->x, NID_subject_alt_name, 0);
}

static void names_that_nobody_asked_for(struct lint_world *w)
{
    lint_put(w->x, lint_extension(NULL, NULL, NID_subject_alt_name, "DNS:x.example"), -1);
}

static void an_extension_at_the_end(struct lint_world *w)
{
    lint_put(w->x, lint_policies(), -1);
}

static void an_extension_in_the_middle(struct lint_world *w)
{
    lint_put(w->x, lint_policies(), 3);
}

static void an_extension_at_the_beginning(struct lint_world *w)
{
    lint_put(w->x, lint_policies(), 0);
}

static void an_extension_twice(struct lint_world *w)
{
    X509_EXTENSION *twin = X509_EXTENSION_dup(X509_get_ext(w->x, 2));

    lint_put(w->x, twin, 3);
}

static void poison_at_the_end(struct lint_world *w)
{
    static const uint8_t null[] = { 5, 0 };

    lint_put(w->x, lint_raw("1.3.6.1.4.1.11129.2.4.3", true, null, 2), -1);
}

static void a_pointer_nobody_configured(struct lint_world *w)
{
    lint_put(w->x, lint_extension(NULL, NULL, NID_crl_distribution_points,
                                  "URI:http://x.example/"), 5);
}

static void no_extensions(struct lint_world *w)
{
    while (X509_get_ext_count(w->x) > 0) X509_EXTENSION_free(X509_delete_ext(w->x, 0));
}

static void crl_of_another_scope(struct lint_world *w)
{
    lint_replace(w->x, NID_crl_distribution_points,
                 lint_extension(NULL, NULL, NID_crl_distribution_points,
                                "URI:http://crl.example/crl/u/120302.crl"));
}

static void crl_at_another_host(struct lint_world *w)
{
    lint_replace(w->x, NID_crl_distribution_points,
                 lint_extension(NULL, NULL, NID_crl_distribution_points,
                                "URI:http://crx.example/crl/u/120301.crl"));
}

static void two_uris_of_one_crl(struct lint_world *w)
{
    lint_replace(w->x, NID_crl_distribution_points,
                 lint_extension(NULL, NULL, NID_crl_distribution_points,
                                "URI:http://crl.example/crl/u/120301.crl,URI:http://x.example"));
}

static void critical_crl_pointer(struct lint_world *w)
{
    lint_critical(w->x, NID_crl_distribution_points, 1);
}

static void no_crl_pointer(struct lint_world *w) { lint_drop(w->x, NID_crl_distribution_points); }
static void no_ocsp_pointer(struct lint_world *w) { lint_drop(w->x, NID_info_access); }
static void no_delta_pointer(struct lint_world *w) { lint_drop(w->x, NID_freshest_crl); }

static void critical_delta_pointer(struct lint_world *w)
{
    lint_critical(w->x, NID_freshest_crl, 1);
}

static void critical_ocsp_pointer(struct lint_world *w) { lint_critical(w->x, NID_info_access, 1); }

static void delta_of_another_scope(struct lint_world *w)
{
    lint_replace(w->x, NID_freshest_crl,
                 lint_extension(NULL, NULL, NID_freshest_crl,
                                "URI:http://crl.example/crl/u/120300-delta.crl"));
}

static void other_responder(struct lint_world *w)
{
    lint_replace(w->x, NID_info_access,
                 lint_extension(NULL, NULL, NID_info_access, "OCSP;URI:http://ocsp.examplx"));
}

static void issuers_instead_of_ocsp(struct lint_world *w)
{
    lint_replace(w->x, NID_info_access,
                 lint_extension(NULL, NULL, NID_info_access, "caIssuers;URI:http://ocsp.example"));
}

static void passed_extensions_the_other_way_round(struct lint_world *w)
{
    X509_EXTENSION *first = X509_delete_ext(w->x, X509_get_ext_by_NID(w->x, NID_ext_key_usage, -1));

    lint_put(w->x, first, 5);
}

static void less_passed(struct lint_world *w) { lint_drop(w->x, NID_certificate_policies); }

static void less_of_the_template(struct lint_world *w)
{
    X509_EXTENSION_free(X509_delete_ext(w->x, 3));
}

#define BAD(maker, spoil, reason) { (maker), (spoil), CA_REASON_LINT_##reason, #spoil }

static void one_wrong_thing_in_a_certificate_is_refused(void **state)
{
    static const struct {
        void (*make)(struct lint_world *w, struct lint_fixture *f);
        void (*spoil)(struct lint_world *w);
        enum ca_reason reason;
        const char *what;
    } cases[] = {
        BAD(lint_device, wrong_version, VERSION),
        BAD(lint_device, no_version, VERSION),
        BAD(lint_device, other_serial, SERIAL),
        BAD(lint_device, zero_serial, SERIAL),
        BAD(lint_device, negative_serial, SERIAL),
        BAD(lint_device, long_serial, SERIAL),
        BAD(lint_device, other_algorithm, ALGORITHM),
        BAD(lint_device, parameters_of_algorithm, ALGORITHM),
        BAD(lint_device, other_issuer, ISSUER),
        BAD(lint_device, no_issuer, ISSUER),
        BAD(lint_device, issuer_of_another_string_type, ISSUER),
        BAD(lint_root, other_issuer, ISSUER),
        BAD(lint_device, other_begin, VALIDITY),
        BAD(lint_device, other_end, VALIDITY),
        BAD(lint_device, generalized_time_too_early, VALIDITY),
        BAD(lint_plain_rsa, utc_time_too_late, VALIDITY),
        BAD(lint_device, time_without_seconds, VALIDITY),
        BAD(lint_device, time_with_offset, VALIDITY),
        BAD(lint_device, no_date, VALIDITY),
        BAD(lint_device, other_subject, SUBJECT),
        BAD(lint_device, no_subject, SUBJECT),
        BAD(lint_device, other_key, KEY),
        BAD(lint_plain_rsa, other_key, KEY),
        BAD(lint_device, no_basic_constraints, BASIC_CONSTRAINTS),
        BAD(lint_device, ca_true, BASIC_CONSTRAINTS),
        BAD(lint_device, ca_false_written_out, BASIC_CONSTRAINTS),
        BAD(lint_device, path_length_of_an_end_entity, BASIC_CONSTRAINTS),
        BAD(lint_device, critical_basic_constraints, BASIC_CONSTRAINTS),
        BAD(lint_subordinate, basic_constraints_not_critical, BASIC_CONSTRAINTS),
        BAD(lint_root, basic_constraints_not_critical, BASIC_CONSTRAINTS),
        BAD(lint_subordinate, other_path_length, BASIC_CONSTRAINTS),
        BAD(lint_subordinate, no_path_length, BASIC_CONSTRAINTS),
        BAD(lint_root, other_path_length, BASIC_CONSTRAINTS),
        BAD(lint_subordinate, ca_false, BASIC_CONSTRAINTS),
        BAD(lint_device, no_authority_key_id, KEY_ID),
        BAD(lint_device, authority_key_id_of_another, KEY_ID),
        BAD(lint_device, authority_key_id_with_serial, KEY_ID),
        BAD(lint_device, critical_authority_key_id, KEY_ID),
        BAD(lint_device, no_subject_key_id, KEY_ID),
        BAD(lint_device, subject_key_id_of_another, KEY_ID),
        BAD(lint_device, critical_subject_key_id, KEY_ID),
        BAD(lint_device, key_ids_the_other_way_round, KEY_ID),
        BAD(lint_device, an_extension_twice, KEY_USAGE),
        BAD(lint_device, no_key_usage, KEY_USAGE),
        BAD(lint_device, more_key_usage, KEY_USAGE),
        BAD(lint_device, cert_sign_of_an_end_entity, KEY_USAGE),
        BAD(lint_device, key_usage_not_minimal, KEY_USAGE),
        BAD(lint_device, key_usage_not_critical, KEY_USAGE),
        BAD(lint_device, no_purposes, EXT_KEY_USAGE),
        BAD(lint_device, fewer_purposes, EXT_KEY_USAGE),
        BAD(lint_device, purposes_in_another_order, EXT_KEY_USAGE),
        BAD(lint_device, more_purposes, EXT_KEY_USAGE),
        BAD(lint_more_purposes, fewer_purposes, EXT_KEY_USAGE),
        BAD(lint_device, critical_purposes, EXT_KEY_USAGE),
        BAD(lint_plain_rsa, purposes_not_critical, EXT_KEY_USAGE),
        BAD(lint_device, other_names, SAN),
        BAD(lint_device, one_name_more, SAN),
        BAD(lint_device, no_names, SAN),
        BAD(lint_device, critical_names, SAN),
        BAD(lint_nameless, names_not_critical, SAN),
        BAD(lint_nameless, no_names, SAN),
        BAD(lint_plain_rsa, names_that_nobody_asked_for, EXTENSIONS),
        BAD(lint_device, an_extension_at_the_end, EXTENSIONS),
        BAD(lint_device, an_extension_in_the_middle, KEY_USAGE),
        BAD(lint_device, an_extension_at_the_beginning, BASIC_CONSTRAINTS),
        BAD(lint_device, poison_at_the_end, EXTENSIONS),
        BAD(lint_device, a_pointer_nobody_configured, SAN),
        BAD(lint_device, no_extensions, EXTENSIONS),
        BAD(lint_pointers, crl_of_another_scope, REVOCATION),
        BAD(lint_pointers, crl_at_another_host, REVOCATION),
        BAD(lint_pointers, two_uris_of_one_crl, REVOCATION),
        BAD(lint_pointers, critical_crl_pointer, REVOCATION),
        BAD(lint_pointers, no_crl_pointer, REVOCATION),
        BAD(lint_pointers, no_ocsp_pointer, REVOCATION),
        BAD(lint_pointers, no_delta_pointer, REVOCATION),
        BAD(lint_pointers, critical_delta_pointer, REVOCATION),
        BAD(lint_pointers, critical_ocsp_pointer, REVOCATION),
        BAD(lint_pointers, delta_of_another_scope, REVOCATION),
        BAD(lint_pointers, other_responder, REVOCATION),
        BAD(lint_pointers, issuers_instead_of_ocsp, REVOCATION),
        BAD(lint_complete_crl, crl_at_another_host, REVOCATION),
        BAD(lint_blank, passed_extensions_the_other_way_round, EXTENSIONS),
        BAD(lint_blank, less_passed, EXTENSIONS),
        BAD(lint_blank, less_of_the_template, EXTENSIONS),
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lint_world w;

        cases[i].make(&w, *state);
        lint_expect(&w, CA_REASON_NONE, cases[i].what);
        cases[i].spoil(&w);
        lint_expect(&w, cases[i].reason, cases[i].what);
        lint_end(&w);
    }
}

/* Octets */

/* There is one right certificate for what was asked: any other bit in any place is refused, and a
 * missing or an additional octet too. */
static void every_other_octet_is_refused(void **state)
{
    for (size_t i = 0; i < LINT_MAKERS; i++) {
        uint8_t tbs[LINT_TBS_MAX], other[LINT_TBS_MAX];
        struct lint_world w;
        size_t len;

        lint_makers[i](&w, *state);
        len = lint_tbs_of(&w, tbs);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            struct ca_error err;

            tbs[bit / 8] = (uint8_t)(tbs[bit / 8] ^ (1u << bit % 8));
            if (lint_octets(&w, tbs, len, &err) != CA_REFUSED)
                fail_msg("certificate %zu: bit %zu of octet %zu", i, bit % 8, bit / 8);
            assert_true(err.reason >= CA_REASON_LINT_ENCODING);
            tbs[bit / 8] = (uint8_t)(tbs[bit / 8] ^ (1u << bit % 8));
        }
        for (size_t at = 0; at <= len; at++) {
            assert_true(at == len || lint_octets(&w, tbs, at, NULL) == CA_REFUSED);
            memcpy(other, tbs, at);
            other[at] = 0;
            memcpy(other + at + 1, tbs + at, len - at);
            assert_int_equal(lint_octets(&w, other, len + 1, NULL), CA_REFUSED);
        }
        lint_end(&w);
    }
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

static size_t below(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % n);
}

static void spoilt_octets_never_pass_and_never_crash(void **state)
{
    for (size_t i = 0; i < LINT_MAKERS; i++) {
        uint8_t tbs[LINT_TBS_MAX], other[LINT_TBS_MAX];
        struct lint_world w;
        size_t len;

        lint_makers[i](&w, *state);
        len = lint_tbs_of(&w, tbs);
        for (int round = 0; round < 3000; round++) {
            size_t cut = below(4) == 0 ? below(len + 1) : len;

            memcpy(other, tbs, len);
            for (size_t n = 1 + below(6); n > 0; n--)
                other[below(len)] = (uint8_t)below(256);
            if (cut == len && memcmp(other, tbs, len) == 0) continue;
            assert_int_equal(lint_octets(&w, other, cut, NULL), CA_REFUSED);
        }
        lint_end(&w);
    }
}

static void what_is_no_der_is_said_to_be_none(void **state)
{
    uint8_t tbs[LINT_TBS_MAX], other[LINT_TBS_MAX];
    struct lint_world w;
    size_t len;

    lint_makers[0](&w, *state);
    len = lint_tbs_of(&w, tbs);
    lint_expect_octets(&w, tbs, 0, CA_REASON_LINT_ENCODING, "nothing");
    lint_expect_octets(&w, tbs, len - 1, CA_REASON_LINT_ENCODING, "cut off");
    memcpy(other, tbs, len);
    other[len] = 0;
    lint_expect_octets(&w, other, len + 1, CA_REASON_LINT_ENCODING, "an octet behind it");
    other[0] = 0x31;
    lint_expect_octets(&w, other, len, CA_REASON_LINT_ENCODING, "no SEQUENCE");
    memcpy(other, tbs, len);
    other[1] = 0x80;
    lint_expect_octets(&w, other, len, CA_REASON_LINT_ENCODING, "an indefinite length");
    /* TBS: 30 82 xx xx, version 5 octets, serial 02 12. */
    memcpy(other, tbs, len);
    other[4 + 5 + 1] = 0x81;
    lint_expect_octets(&w, other, len, CA_REASON_LINT_ENCODING, "a length that is not minimal");
    memcpy(other, tbs, len);
    other[4 + 5 + 2] = 0;
    other[4 + 5 + 3] = 1;
    lint_expect_octets(&w, other, len, CA_REASON_LINT_ENCODING, "a serial that is not minimal");
    lint_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_that_openssl_made_right_pass),
        cmocka_unit_test(certificates_that_we_build_pass),
        cmocka_unit_test(one_wrong_thing_in_a_certificate_is_refused),
        cmocka_unit_test(every_other_octet_is_refused),
        cmocka_unit_test(spoilt_octets_never_pass_and_never_crash),
        cmocka_unit_test(what_is_no_der_is_said_to_be_none),
    };

    return cmocka_run_group_tests(tests, lint_setup, lint_teardown);
}
