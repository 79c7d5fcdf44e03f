/*
 * The lint, where the certificate is as it was asked for, but that should not have been asked for:
 * by the template, by what passes through, or by whoever decided.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/lint_world.h"

#include <openssl/x509v3.h>
#include <string.h>

static void validity_is_held_against_template_ca_and_usage_mode(void **state)
{
    struct lint_world w;

    lint_device(&w, *state);
    w.tmpl.validity_max_s = 365 * LINT_DAY - CA_BACKDATE_S;
    lint_expect(&w, CA_REASON_NONE, "the longest, with the backdate");
    w.tmpl.validity_max_s--;
    lint_expect(&w, CA_REASON_LINT_VALIDITY, "longer than the template's longest");
    w.tmpl.validity_max_s = 0;
    w.tmpl.not_after_s = LINT_FROM + 365 * LINT_DAY;
    lint_expect(&w, CA_REASON_NONE, "the fixed end");
    w.tmpl.not_after_s++;
    lint_expect(&w, CA_REASON_LINT_VALIDITY, "not the fixed end");
    lint_end(&w);

    lint_begin(&w, *state, "EndEntityCertificate", ((struct lint_fixture *)*state)->key, "d");
    w.spec.not_before_s = LINT_FROM;         /* asked for: nothing is backdated */
    w.tmpl.validity_max_s = 365 * LINT_DAY;
    lint_make(&w, NULL, NULL, NULL);
    lint_expect(&w, CA_REASON_NONE, "the longest without backdate");
    w.tmpl.validity_max_s--;
    lint_expect(&w, CA_REASON_LINT_VALIDITY, "longer without backdate");
    lint_end(&w);

    lint_begin(&w, *state, "EndEntityCertificate", ((struct lint_fixture *)*state)->key, "d");
    w.spec.short_lived = true;
    w.input.not_after_s = LINT_FROM + 7 * LINT_DAY + CA_BACKDATE_S;
    lint_make(&w, NULL, NULL, NULL);
    lint_expect(&w, CA_REASON_NONE, "seven days and the backdate");
    w.input.not_after_s++;
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(w.x), w.input.not_after_s));
    lint_expect(&w, CA_REASON_LINT_VALIDITY, "longer than seven days");
    lint_end(&w);
}

static void validity_lies_inside_the_issuers(void **state)
{
    static const struct {
        int64_t from_s, until_s;
        bool good;
    } cases[] = {
        { LINT_CA_FROM, LINT_CA_UNTIL, true },
        { LINT_CA_FROM - 1, LINT_CA_UNTIL, false },
        { LINT_CA_FROM, LINT_CA_UNTIL + 1, false },
        { LINT_FROM, LINT_FROM, false },
        { LINT_FROM, LINT_FROM - 1, false },
        { LINT_FROM, LINT_FROM + 1, true },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lint_world w;

        lint_begin(&w, *state, "EndEntityCertificate", ((struct lint_fixture *)*state)->key, "d");
        w.input.not_before_s = cases[i].from_s;
        w.input.not_after_s = cases[i].until_s;
        lint_make(&w, NULL, NULL, NULL);
        lint_expect(&w, cases[i].good ? CA_REASON_NONE : CA_REASON_LINT_VALIDITY, "dates");
        lint_end(&w);
    }
}

static void no_expiry_is_a_generalized_time(void **state)
{
    struct lint_world w;

    lint_begin(&w, *state, "RootCACertificate", ((struct lint_fixture *)*state)->key, "Root");
    w.spec.issuer = NULL;
    w.input.not_after_s = INT64_C(253402300799);        /* 99991231235959Z */
    lint_make(&w, NULL, NULL, NULL);
    lint_expect(&w, CA_REASON_NONE, "no expiry");
    lint_end(&w);
}

static void what_should_not_have_been_decided_is_refused(void **state)
{
    struct lint_fixture *f = *state;
    struct lint_world w;

    lint_nameless(&w, f);
    lint_critical(w.x, NID_subject_alt_name, 0);
    w.contents.san_critical = false;
    lint_expect(&w, CA_REASON_LINT_SAN, "an empty subject and names that are not critical");
    lint_drop(w.x, NID_subject_alt_name);
    w.contents.has_san = false;
    lint_expect(&w, CA_REASON_LINT_SAN, "an empty subject without names");
    lint_end(&w);

    lint_device(&w, f);
    w.contents.subject_empty = true;
    lint_expect(&w, CA_REASON_LINT_SUBJECT, "a subject said to be empty");
    lint_end(&w);

    lint_begin(&w, f, "SubordinateCACertificate_PathLen0", f->key, NULL);
    lint_make(&w, NULL, NULL, NULL);
    lint_expect(&w, CA_REASON_LINT_SUBJECT, "a CA without name");
    lint_end(&w);

    lint_begin(&w, f, "RootCACertificate", f->key, NULL);
    w.spec.issuer = NULL;
    lint_make(&w, NULL, NULL, NULL);
    lint_expect(&w, CA_REASON_LINT_ISSUER, "a root without name");
    lint_end(&w);

    lint_subordinate(&w, f);
    w.tmpl.path_len = 2;                /* the issuer's own */
    lint_replace(w.x, NID_basic_constraints,
                 lint_extension(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE,pathlen:2"));
    lint_expect(&w, CA_REASON_LINT_BASIC_CONSTRAINTS,
                "a path length that is not below the issuer's");
    w.tmpl.path_len = CA_PATH_LEN_NONE;
    lint_replace(w.x, NID_basic_constraints,
                 lint_extension(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE"));
    lint_expect(&w, CA_REASON_LINT_BASIC_CONSTRAINTS, "no path length under an issuer with one");
    lint_end(&w);

    lint_subordinate(&w, f);
    w.tmpl.basic_constraints_critical = false;
    lint_critical(w.x, NID_basic_constraints, 0);
    lint_expect(&w, CA_REASON_LINT_BASIC_CONSTRAINTS, "a CA whose constraints are not critical");
    lint_end(&w);

    lint_device(&w, f);
    w.tmpl.key_usage = w.tmpl.key_usage_signing_only = CA_KU_DIGITAL_SIGNATURE | CA_KU_CRL_SIGN;
    lint_replace(w.x, NID_key_usage,
                 lint_extension(NULL, NULL, NID_key_usage, "critical,digitalSignature,cRLSign"));
    lint_expect(&w, CA_REASON_LINT_KEY_USAGE, "a template that lets devices sign CRLs");
    lint_end(&w);
}

/* An algorithm that the issuer's key cannot use: the profile refuses it, so the key is another
 * one's. */
static void the_algorithm_fits_the_signing_key(void **state)
{
    struct lint_fixture *f = *state;
    struct lint_world w;

    lint_begin(&w, f, "RootCACertificate", f->rsa_key, "Root");
    w.spec.issuer = NULL;
    lint_make(&w, NULL, NULL, NULL);
    assert_int_equal(X509_ALGOR_set0(lint_algorithm(&w), OBJ_nid2obj(NID_ecdsa_with_SHA256),
                                     V_ASN1_UNDEF, NULL), 1);
    lint_expect(&w, CA_REASON_LINT_ALGORITHM, "an RSA root and an ECDSA signature");
    lint_end(&w);
}

struct passing {
    const char *template_name;
    const char *oid;
    bool critical;
    const char *value;          /* hexadecimal */
    enum ca_reason reason;
};

#define EE "BlankEndEntityCertificate_APICSRPassthrough"
#define SUB "BlankSubordinateCACertificate_PathLen0_APICSRPassthrough"
#define AIA_OCSP "301b301906082b06010505073001860d687474703a2f2f6f2e746573742f"
#define AIA_CA "301b301906082b06010505073002860d687474703a2f2f6f2e746573742f"
#define POINTS "30133011a00fa00d860b687474703a2f2f782e6e2f"

/* As a template's own, or as passed, is the same. */
static void extensions_from_outside_keep_to_the_rules(void **state)
{
    static const struct passing cases[] = {
        { EE, "1.2.3.4", true, "0500", CA_REASON_NONE },
        { EE, "2.5.29.15", true, "03020780", CA_REASON_NONE },
        { EE, "2.5.29.15", false, "03020780", CA_REASON_NONE },
        { EE, "2.5.29.15", true, "03020204", CA_REASON_LINT_KEY_USAGE },      /* keyCertSign */
        { EE, "2.5.29.15", true, "03020102", CA_REASON_LINT_KEY_USAGE },      /* cRLSign */
        { EE, "2.5.29.15", true, "03030080" "00", CA_REASON_LINT_KEY_USAGE }, /* not minimal */
        { EE, "2.5.29.15", true, "030100", CA_REASON_LINT_KEY_USAGE },        /* no bits */
        { EE, "2.5.29.15", true, "0300", CA_REASON_LINT_KEY_USAGE },
        { EE, "2.5.29.15", true, "0402" "0780", CA_REASON_LINT_KEY_USAGE },   /* no BIT STRING */
        { SUB, "2.5.29.15", true, "03020106", CA_REASON_NONE },
        { SUB, "2.5.29.15", true, "03020780", CA_REASON_LINT_KEY_USAGE },
        { EE, "2.5.29.19", false, "3000", CA_REASON_LINT_BASIC_CONSTRAINTS },
        { EE, "2.5.29.14", false, "0401aa", CA_REASON_LINT_KEY_ID },
        { EE, "2.5.29.35", false, "3003800101", CA_REASON_LINT_KEY_ID },
        { EE, "2.5.29.17", false, "3003820161", CA_REASON_LINT_SAN },
        { EE, "2.5.29.30", true, "3000", CA_REASON_LINT_EXTENSIONS },
        { SUB, "2.5.29.30", true, "300ea00c300a820865782e6578616d70", CA_REASON_NONE },
        { SUB, "2.5.29.30", false, "300ea00c300a820865782e6578616d70", CA_REASON_LINT_EXTENSIONS },
        { EE, "2.5.29.33", true, "3000", CA_REASON_LINT_EXTENSIONS },
        { SUB, "2.5.29.33", true, "300e300c06042a03040506042a030406", CA_REASON_NONE },
        { SUB, "2.5.29.33", false, "300e300c06042a03040506042a030406", CA_REASON_NONE },
        { EE, "2.5.29.36", true, "3003800100", CA_REASON_LINT_EXTENSIONS },
        { SUB, "2.5.29.36", true, "3003800100", CA_REASON_NONE },
        { SUB, "2.5.29.36", false, "3003800100", CA_REASON_LINT_EXTENSIONS },
        { EE, "2.5.29.54", true, "020100", CA_REASON_LINT_EXTENSIONS },
        { SUB, "2.5.29.54", true, "020100", CA_REASON_NONE },
        { SUB, "2.5.29.54", false, "020100", CA_REASON_LINT_EXTENSIONS },
        { EE, "1.3.6.1.5.5.7.1.1", false, AIA_OCSP, CA_REASON_NONE },
        { EE, "1.3.6.1.5.5.7.1.1", true, AIA_OCSP, CA_REASON_LINT_REVOCATION },
        { EE, "1.3.6.1.5.5.7.1.11", false, AIA_CA, CA_REASON_NONE },
        { EE, "1.3.6.1.5.5.7.1.11", true, AIA_CA, CA_REASON_LINT_EXTENSIONS },
        { EE, "2.5.29.46", false, POINTS, CA_REASON_NONE },
        { EE, "2.5.29.46", true, POINTS, CA_REASON_LINT_REVOCATION },
        { EE, "2.5.29.31", true, POINTS, CA_REASON_NONE },
        { EE, "2.5.29.9", false, "3000", CA_REASON_NONE },
        { EE, "2.5.29.9", true, "3000", CA_REASON_LINT_EXTENSIONS },
        { EE, "2.5.29.56", false, "0500", CA_REASON_NONE },
        { EE, "2.5.29.56", true, "0500", CA_REASON_LINT_REVOCATION },
        { EE, "2.5.29.56", false, "050100", CA_REASON_LINT_REVOCATION },
        { SUB, "2.5.29.56", false, "0500", CA_REASON_LINT_REVOCATION },
        { EE, "1.3.6.1.4.1.11129.2.4.3", true, "0500", CA_REASON_LINT_EXTENSIONS },
        { SUB, "1.3.6.1.4.1.11129.2.4.3", true, "0500", CA_REASON_LINT_EXTENSIONS },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int own = 0; own <= 1; own++) {
            uint8_t value[64];
            size_t len = 0;
            struct lint_world w;
            X509_EXTENSION *extension;

            assert_int_equal(ca_hex_decode(cases[i].value, value, sizeof(value), &len, NULL),
                             CA_OK);
            extension = lint_raw(cases[i].oid, cases[i].critical, value, len);
            lint_begin(&w, *state, cases[i].template_name, ((struct lint_fixture *)*state)->key,
                       "x");
            if (own == 1) lint_own(&w, extension);
            else lint_extra(&w, extension);
            lint_make(&w, NULL, NULL, NULL);
            lint_expect(&w, cases[i].reason, cases[i].oid);
            lint_end(&w);
        }
    }
}

static void an_end_entity_without_revocation_has_no_pointers(void **state)
{
    static const struct {
        const char *oid, *value;
        bool good;
    } cases[] = {
        { "2.5.29.31", POINTS, false },
        { "2.5.29.46", POINTS, false },
        { "1.3.6.1.5.5.7.1.1", AIA_OCSP, false },
        { "1.3.6.1.5.5.7.1.1", "3082", false },         /* not to be read, so not to be trusted */
        { "1.3.6.1.5.5.7.1.1", AIA_CA, true },
    };
    static const uint8_t null[] = { 5, 0 };
    struct lint_world w;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int first = 0; first <= 1; first++) {
            uint8_t value[64];
            size_t len = 0;

            assert_int_equal(ca_hex_decode(cases[i].value, value, sizeof(value), &len, NULL),
                             CA_OK);
            lint_begin(&w, *state, EE, ((struct lint_fixture *)*state)->key, "x");
            if (first == 1) lint_extra(&w, lint_raw("2.5.29.56", false, null, 2));
            lint_extra(&w, lint_raw(cases[i].oid, false, value, len));
            if (first == 0) lint_extra(&w, lint_raw("2.5.29.56", false, null, 2));
            lint_make(&w, NULL, NULL, NULL);
            lint_expect(&w, cases[i].good ? CA_REASON_NONE : CA_REASON_LINT_REVOCATION,
                        cases[i].value);
            lint_end(&w);
        }
    }
    lint_begin(&w, *state, EE, ((struct lint_fixture *)*state)->key, "x");
    lint_own(&w, lint_raw("2.5.29.56", false, null, 2));
    w.revocation = (struct ca_revocation){ .ocsp_uri = "http://ocsp.example" };
    w.spec.revocation = &w.revocation;
    lint_make(&w, NULL, "OCSP;URI:http://ocsp.example", NULL);
    lint_expect(&w, CA_REASON_LINT_REVOCATION, "beside the CA's own responder");
    lint_end(&w);
}

static void each_type_stands_once(void **state)
{
    static const char *const types[] = { "2.5.29.15", "2.5.29.32", "1.2.3.4", "2.5.29.37" };
    static const uint8_t usage[] = { 3, 2, 7, 0x80 };
    struct lint_fixture *f = *state;
    struct lint_world w;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        for (int own = 0; own <= 1; own++) {
            lint_begin(&w, f, EE, f->key, "x");
            lint_extra(&w, lint_raw(types[i], true, usage, sizeof(usage)));
            if (own == 1) lint_own(&w, lint_raw(types[i], true, usage, sizeof(usage)));
            else lint_extra(&w, lint_raw(types[i], true, usage, sizeof(usage)));
            lint_make(&w, NULL, NULL, NULL);
            lint_expect(&w, i == 0   ? CA_REASON_LINT_KEY_USAGE
                            : i == 3 ? CA_REASON_LINT_EXT_KEY_USAGE
                                     : CA_REASON_LINT_EXTENSIONS, types[i]);
            lint_end(&w);
        }
    }
    /* What the template writes, and then once more. */
    lint_begin(&w, f, "EndEntityCertificate_APIPassthrough", f->key, "x");
    lint_extra(&w, lint_raw("2.5.29.15", true, usage, sizeof(usage)));
    lint_make(&w, NULL, NULL, NULL);
    lint_expect(&w, CA_REASON_LINT_KEY_USAGE, "the template's key usage and another");
    lint_end(&w);
}

static void a_root_is_its_own_authority(void **state)
{
    struct lint_fixture *f = *state;
    uint8_t value[24] = { 0x30, 22, 0x80, 20, 1, 2, 3 };
    struct lint_world w;

    lint_begin(&w, f, "RootCACertificate_APIPassthrough", f->key, "Root");
    w.spec.issuer = NULL;
    lint_extra(&w, lint_raw("2.5.29.35", false, value, sizeof(value)));
    lint_make(&w, NULL, NULL, NULL);
    lint_expect(&w, CA_REASON_LINT_KEY_ID, "a root under a stranger");
    lint_end(&w);

    lint_begin(&w, f, "RootCACertificate", f->key, "Root");
    w.spec.issuer = NULL;
    memcpy(value + 4, w.contents.subject_key_id, 20);
    lint_extra(&w, lint_raw("2.5.29.35", false, value, sizeof(value)));
    lint_make(&w, NULL, NULL, NULL);
    lint_expect(&w, CA_REASON_LINT_KEY_ID, "a root whose template has no authority");
    lint_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validity_is_held_against_template_ca_and_usage_mode),
        cmocka_unit_test(validity_lies_inside_the_issuers),
        cmocka_unit_test(no_expiry_is_a_generalized_time),
        cmocka_unit_test(what_should_not_have_been_decided_is_refused),
        cmocka_unit_test(the_algorithm_fits_the_signing_key),
        cmocka_unit_test(extensions_from_outside_keep_to_the_rules),
        cmocka_unit_test(an_end_entity_without_revocation_has_no_pointers),
        cmocka_unit_test(each_type_stands_once),
        cmocka_unit_test(a_root_is_its_own_authority),
    };

    return cmocka_run_group_tests(tests, lint_setup, lint_teardown);
}
