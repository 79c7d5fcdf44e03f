/*
 * Profiles: who may have which, what they point to, the dates they give, and their hash. What they
 * build: test_profile_build.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/profile.h"
#include "tests/support/x509_fixture.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER_FROM X509_FIXTURE_FROM
#define ISSUER_UNTIL X509_FIXTURE_UNTIL
#define NOW X509_FIXTURE_NOW
#define DAY 86400
#define CDP_URI "http://crl.example/crl/0f0e0d0c.crl"
#define FRESHEST_URI "http://crl.example/crl/0f0e0d0c-delta.crl"
#define OCSP_URI "http://ocsp.example"

struct fixture {
    struct ca_crypto *crypto;
    struct x509_authority authorities[ISSUER_KINDS];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    for (int i = 0; i < ISSUER_KINDS; i++) {
        x509_make_authority(f->crypto, i, "", &f->authorities[i]);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < ISSUER_KINDS; i++) x509_drop_authority(&f->authorities[i]);
    ca_crypto_free(f->crypto);
    free(f);
    return 0;
}

/* One of the texts of revocation settings. */
static void set_uri(char out[512], const char *uri)
{
    (void)snprintf(out, 512, "%s", uri);
}

static const struct ca_template *template_of(const char *name)
{
    const struct ca_template *tmpl = NULL;

    assert_int_equal(ca_template_find(name, &tmpl, NULL), CA_OK);
    return tmpl;
}

/* The default template under the issuer with this kind of key, for 365 days. */
static struct ca_profile_spec spec_under(const struct fixture *f, int kind)
{
    const struct x509_authority *authority = &f->authorities[kind];

    return (struct ca_profile_spec){
        .tmpl = ca_template_default(),
        .issuer = authority->issuer,
        .issuer_key = authority->alg,
        .sig_alg = authority->sig_alg,
        .validity = { .type = CA_VALIDITY_DAYS, .value = 365 },
    };
}

static struct ca_profile_spec spec_of_root(const struct fixture *f)
{
    struct ca_profile_spec spec = spec_under(f, OF_P256);

    spec.tmpl = template_of("RootCACertificate");
    spec.issuer = NULL;
    return spec;
}

static struct ca_profile *profile_of(const struct ca_profile_spec *spec)
{
    struct ca_profile *profile = NULL;
    struct ca_error err;

    if (ca_profile_new(spec, &profile, &err) != CA_OK) fail_msg("%s", err.text);
    return profile;
}

/* Which issuer may use which template */

static void assert_new_fails(const struct ca_profile_spec *spec, enum ca_reason reason)
{
    struct ca_profile *profile = NULL;
    struct ca_error err;

    assert_int_equal(ca_profile_new(spec, &profile, &err), CA_REFUSED);
    assert_int_equal(err.reason, reason);
    assert_null(profile);
}

static void only_the_root_template_is_for_a_self_signer_and_for_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);

    spec.tmpl = template_of("RootCACertificate");
    assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
    spec.issuer = NULL;
    for (size_t i = 0; i < ca_template_count(); i++) {
        spec.tmpl = ca_template_at(i);
        if (strstr(spec.tmpl->name, "RootCA") != NULL) continue;
        assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
    }
}

static void a_path_length_must_be_below_the_issuers(void **state)
{
    struct fixture *f = *state;
    static const char *const lens[] = { ",pathlen:0", ",pathlen:1", ",pathlen:2", ",pathlen:3",
                                        ",pathlen:4", "" };
    static const char *const templates[] = {
        "SubordinateCACertificate_PathLen0", "SubordinateCACertificate_PathLen1",
        "SubordinateCACertificate_PathLen2", "SubordinateCACertificate_PathLen3",
    };

    for (int issuer_len = 0; issuer_len < 6; issuer_len++) {
        X509 *x = x509_make_ca(f->authorities[OF_P256].pkey, "Authority", lens[issuer_len],
                               NULL, NULL);
        struct ca_issuer *issuer = x509_make_issuer(f->crypto, x, NULL);
        struct ca_profile_spec spec = spec_under(f, OF_P256);

        spec.issuer = issuer;
        for (int len = 0; len < 4; len++) {
            spec.tmpl = template_of(templates[len]);
            if (issuer_len < 5 && len >= issuer_len) {
                assert_new_fails(&spec, CA_REASON_PATH_LENGTH);
                continue;
            }
            ca_profile_free(profile_of(&spec));
        }
        spec.tmpl = template_of("EndEntityCertificate");
        ca_profile_free(profile_of(&spec));
        ca_issuer_free(issuer);
        X509_free(x);
    }
}

static void what_is_no_ca_issues_nothing(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    X509_NAME *name = x509_make_name("no CA");
    const struct x509_frame frame = {
        .issuer = name, .subject = name, .key = f->authorities[OF_P256].pkey,
        .serial = x509_serial("07"), .from_s = ISSUER_FROM, .until_s = ISSUER_UNTIL,
    };
    X509 *x = x509_make_frame(&frame);
    struct ca_issuer *issuer;

    x509_add(x, NULL, "basicConstraints", "CA:FALSE");
    x509_sign_model(x, frame.key);
    issuer = x509_make_issuer(f->crypto, x, NULL);
    spec.issuer = issuer;
    assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
    ca_issuer_free(issuer);
    X509_free(x);
    X509_NAME_free(name);
}

static void the_signing_key_must_be_the_issuers(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_profile *profile = NULL;
    struct ca_error err;

    spec.sig_alg = CA_SIG_RSA_SHA256;
    assert_int_equal(ca_profile_new(&spec, &profile, &err), CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "signing-algorithm");
    spec.issuer_key = CA_KEY_RSA_2048;
    assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
    spec = spec_under(f, OF_RSA);
    spec.issuer_key = CA_KEY_RSA_4096;      /* of a longer signature */
    assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
}

static void a_profile_gives_back_what_it_was_made_of(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_ED25519);
    struct ca_profile *profile;

    spec.tmpl = template_of("CodeSigningCertificate");
    profile = profile_of(&spec);
    assert_string_equal(ca_profile_template(profile)->name, "CodeSigningCertificate");
    assert_ptr_equal(ca_profile_issuer(profile), f->authorities[OF_ED25519].issuer);
    assert_int_equal(ca_profile_sig_alg(profile), CA_SIG_ED25519);
    assert_int_equal(ca_profile_spec_of(profile)->validity.value, 365);
    assert_null(ca_profile_spec_of(profile)->revocation);
    ca_profile_free(profile);
    ca_profile_free(NULL);
}

static void revocation_settings_are_copied(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_revocation revocation = { .crl_enabled = true };
    struct ca_profile *profile;

    set_uri(revocation.cdp_uri, CDP_URI);
    spec.revocation = &revocation;
    profile = profile_of(&spec);
    memset(&revocation, 0x5a, sizeof(revocation));
    assert_ptr_not_equal(ca_profile_spec_of(profile)->revocation, &revocation);
    assert_string_equal(ca_profile_spec_of(profile)->revocation->cdp_uri, CDP_URI);
    ca_profile_free(profile);
}

static struct ca_pointers pointers_of(const struct ca_profile_spec *spec)
{
    struct ca_profile *profile = profile_of(spec);
    struct ca_pointers pointers = ca_profile_pointers(profile);

    ca_profile_free(profile);
    return pointers;
}

static void assert_pointers(const struct ca_profile_spec *spec, bool cdp, bool freshest, bool aia)
{
    struct ca_pointers pointers = pointers_of(spec);

    assert_int_equal(pointers.cdp, cdp);
    assert_int_equal(pointers.freshest, freshest);
    assert_int_equal(pointers.aia, aia);
}

static void the_ca_writes_pointers_where_the_template_takes_them(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_revocation revocation = { .crl_enabled = true };
    struct ca_template tmpl = *spec.tmpl;

    set_uri(revocation.cdp_uri, CDP_URI);
    set_uri(revocation.freshest_uri, FRESHEST_URI);
    set_uri(revocation.ocsp_uri, OCSP_URI);
    spec.revocation = &revocation;
    spec.tmpl = &tmpl;
    assert_pointers(&spec, true, true, true);
    tmpl.cdp_from = CA_FROM_API | CA_FROM_CSR;
    assert_pointers(&spec, false, false, true);
    tmpl.cdp_from |= CA_FROM_CA;
    tmpl.no_revocation_pointers = true;
    assert_pointers(&spec, false, false, false);
    tmpl.no_revocation_pointers = false;
    revocation.cdp_uri[0] = '\0';           /* OmitExtension */
    assert_pointers(&spec, false, false, true);
    revocation.ocsp_uri[0] = '\0';
    assert_pointers(&spec, false, false, false);
    spec.revocation = NULL;
    assert_pointers(&spec, false, false, false);
    set_uri(revocation.cdp_uri, CDP_URI);
    set_uri(revocation.ocsp_uri, OCSP_URI);
    spec.revocation = &revocation;
    spec.issuer = NULL;
    tmpl = *template_of("RootCACertificate");
    assert_pointers(&spec, false, false, false);
    tmpl.cdp_from = CA_FROM_CA;             /* whatever a row says, a root has none */
    assert_pointers(&spec, false, false, false);
}

static void extensions_of_a_template_that_fill_a_certificate_are_refused(void **state)
{
    static uint8_t octets[40000];
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_template tmpl = *spec.tmpl;
    struct ca_profile *profile = NULL;
    struct ca_error err;

    spec.tmpl = &tmpl;
    tmpl.extensions = ca_bytes_of(octets, 32768);
    ca_profile_free(profile_of(&spec));
    tmpl.eku_more = ca_bytes_of(octets, 1);
    assert_int_equal(ca_profile_new(&spec, &profile, &err), CA_REFUSED);
    assert_string_equal(ca_error_name(&err), "template");
    tmpl.eku_more.len = 0;
    tmpl.extensions.len++;
    assert_int_equal(ca_profile_new(&spec, &profile, &err), CA_REFUSED);
}

/* Dates */

static enum ca_status dates(const struct ca_profile_spec *spec, int64_t now_s, int64_t *from_s,
                            int64_t *until_s, struct ca_error *err)
{
    struct ca_profile *profile = NULL;
    enum ca_status st;

    assert_int_equal(ca_profile_new(spec, &profile, NULL), CA_OK);
    st = ca_profile_dates(profile, now_s, from_s, until_s, err);
    ca_profile_free(profile);
    return st;
}

static void assert_dates(const struct ca_profile_spec *spec, int64_t now_s, int64_t from_s,
                         int64_t until_s)
{
    int64_t from = 0, until = 0;
    struct ca_error err;

    if (dates(spec, now_s, &from, &until, &err) != CA_OK) fail_msg("%s", err.text);
    assert_int_equal(from, from_s);
    assert_int_equal(until, until_s);
}

static void assert_no_dates(const struct ca_profile_spec *spec, int64_t now_s,
                            enum ca_reason reason, const char *part)
{
    int64_t from = -7, until = -7;
    struct ca_error err;

    assert_int_equal(dates(spec, now_s, &from, &until, &err), CA_REFUSED);
    assert_int_equal(err.reason, reason);
    if (strstr(err.text, part) == NULL) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_int_equal(from, -7);
}

static void dates_begin_an_hour_back_but_not_before_the_issuer(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);

    assert_dates(&spec, NOW, NOW - 3600, NOW + 365 * DAY);
    assert_dates(&spec, ISSUER_FROM + 3600, ISSUER_FROM, ISSUER_FROM + 3600 + 365 * DAY);
    assert_dates(&spec, ISSUER_FROM + 60, ISSUER_FROM, ISSUER_FROM + 60 + 365 * DAY);
}

static void a_given_beginning_moves_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);

    spec.not_before_s = NOW + 10 * DAY;
    assert_dates(&spec, NOW, NOW + 10 * DAY, NOW + 365 * DAY);
    spec.not_before_s = NOW + 365 * DAY;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "before it begins");
}

static void an_end_at_the_issuers_is_allowed_and_one_second_later_refused(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);

    spec.validity = (struct ca_validity){ CA_VALIDITY_ABSOLUTE, ISSUER_UNTIL };
    assert_dates(&spec, NOW, NOW - 3600, ISSUER_UNTIL);
    spec.validity.value++;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_PAST_CA,
                    "The certificate validity specified exceeds the certificate authority "
                    "validity");
    /* An issuer that has expired issues nothing at all. */
    spec.validity = (struct ca_validity){ CA_VALIDITY_SECONDS, 1 };
    assert_no_dates(&spec, ISSUER_UNTIL, CA_REASON_VALIDITY_PAST_CA, "exceeds");
}

static void a_root_is_compared_with_nothing(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_of_root(f);

    spec.short_lived = true;
    spec.validity = (struct ca_validity){ CA_VALIDITY_ABSOLUTE, CA_TIME_MAX_S };
    assert_dates(&spec, NOW, NOW - 3600, CA_TIME_MAX_S);
}

static void short_lived_certificates_end_within_seven_days(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);

    spec.short_lived = true;
    spec.validity = (struct ca_validity){ CA_VALIDITY_DAYS, 7 };
    assert_dates(&spec, NOW, NOW - 3600, NOW + 7 * DAY);
    spec.validity = (struct ca_validity){ CA_VALIDITY_SECONDS, 7 * DAY + 1 };
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "7 days");
}

/* Spec 6.2: any end entity's template, and no other. */
static void an_issuer_of_short_lived_certificates_makes_no_cas(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);

    spec.short_lived = true;
    spec.validity = (struct ca_validity){ CA_VALIDITY_DAYS, 7 };
    for (size_t i = 0; i < ca_template_count(); i++) {
        struct ca_profile *profile = NULL;

        spec.tmpl = ca_template_at(i);
        if (spec.tmpl->kind == CA_TEMPLATE_END_ENTITY) {
            assert_int_equal(ca_profile_new(&spec, &profile, NULL), CA_OK);
            ca_profile_free(profile);
        } else {
            assert_new_fails(&spec, CA_REASON_TEMPLATE_NOT_FOR_ISSUER);
        }
    }
}

static void a_template_may_have_a_limit_of_its_own(void **state)
{
    static const struct { int64_t max_s; const char *part; } rows_of[] = {
        { 90 * DAY, "at most 90 days (validity.max)" }, { DAY, "at most 1 day (validity.max)" },
        { 36 * 3600, "at most 36 hours (validity.max)" }, { 90, "at most 90 seconds" },
    };
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_template limited = *spec.tmpl;

    spec.tmpl = &limited;
    for (size_t i = 0; i < sizeof(rows_of) / sizeof(rows_of[0]); i++) {
        limited.validity_max_s = rows_of[i].max_s;
        spec.validity = (struct ca_validity){ CA_VALIDITY_SECONDS, rows_of[i].max_s };
        assert_dates(&spec, NOW, NOW - 3600, NOW + rows_of[i].max_s);
        spec.validity.value++;
        assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, rows_of[i].part);
    }
}

static void a_beginning_in_the_past_does_not_stretch_a_limit(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_template limited = *spec.tmpl;

    limited.validity_max_s = 90 * DAY;
    spec.tmpl = &limited;
    spec.validity.value = 60;
    spec.not_before_s = NOW - 30 * DAY;
    assert_dates(&spec, NOW, NOW - 30 * DAY, NOW + 60 * DAY);
    spec.not_before_s--;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "at most 90 days");
    limited.validity_max_s = 0;
    spec.short_lived = true;
    spec.validity.value = 6;
    spec.not_before_s = NOW - DAY;
    assert_dates(&spec, NOW, NOW - DAY, NOW + 6 * DAY);
    spec.not_before_s--;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "7 days");
}

static void what_nobody_asks_for_is_the_templates_validity(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_template tmpl = *spec.tmpl;

    spec.tmpl = &tmpl;
    spec.validity = (struct ca_validity){ CA_VALIDITY_NONE, 0 };
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "no validity period is given");
    tmpl.validity_default = (struct ca_validity){ CA_VALIDITY_DAYS, 30 };
    assert_dates(&spec, NOW, NOW - 3600, NOW + 30 * DAY);
    tmpl.not_after_s = ISSUER_UNTIL;        /* stands above it */
    assert_dates(&spec, NOW, NOW - 3600, ISSUER_UNTIL);
}

static void a_fixed_end_is_the_only_one(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_template tmpl = *spec.tmpl;

    spec.tmpl = &tmpl;
    tmpl.not_after_s = NOW + 100 * DAY;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "fixed at 2026-09-05T20:26:40Z");
    spec.validity = (struct ca_validity){ CA_VALIDITY_ABSOLUTE, NOW + 100 * DAY };
    assert_dates(&spec, NOW, NOW - 3600, NOW + 100 * DAY);
    spec.validity.value++;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "(not_after)");
    spec.validity.value -= 2;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "(not_after)");
    spec.validity = (struct ca_validity){ CA_VALIDITY_NONE, 0 };
    tmpl.validity_max_s = 99 * DAY;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "at most 99 days");
    assert_no_dates(&spec, NOW + 100 * DAY, CA_REASON_VALIDITY_REFUSED, "before it is issued");
}

/* The end that never comes (RFC 5280 4.1.2.5) needs an issuer that has it too. */
static void no_expiry_needs_an_issuer_without_expiry(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_template tmpl = *spec.tmpl;
    struct ca_issuer *endless = x509_make_issuer(f->crypto, f->authorities[OF_P256].x509, NULL);
    int64_t from = 0, until = 0;
    struct ca_error err;

    spec.tmpl = &tmpl;
    spec.validity = (struct ca_validity){ CA_VALIDITY_NONE, 0 };
    tmpl.not_after_s = CA_TIME_MAX_S;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_PAST_CA,
                    "needs a CA that ends at 9999-12-31T23:59:59Z or later");
    assert_int_equal(dates(&spec, NOW, &from, &until, &err), CA_REFUSED);
    assert_non_null(strstr(err.hint, "the CA's certificate ends at 2060-01-01T00:00:00Z"));
    endless->cert.not_after_s = CA_TIME_MAX_S;
    spec.issuer = endless;
    assert_dates(&spec, NOW, NOW - 3600, CA_TIME_MAX_S);
    ca_issuer_free(endless);
}

static void a_period_without_sense_is_refused_with_its_own_sentence(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);

    spec.validity.value = 0;
    assert_no_dates(&spec, NOW, CA_REASON_VALIDITY_REFUSED, "Value '0' at 'validity.value'");
}

/* Hash */

static void hash_of(struct fixture *f, const struct ca_profile_spec *spec, uint8_t hash[32])
{
    struct ca_profile *profile = NULL;
    struct ca_buf text;
    uint8_t again[32];

    ca_buf_init(&text, 65536);
    assert_int_equal(ca_profile_new(spec, &profile, NULL), CA_OK);
    assert_int_equal(ca_profile_hash(profile, f->crypto, hash, NULL, NULL), CA_OK);
    assert_int_equal(ca_profile_hash(profile, f->crypto, again, &text, NULL), CA_OK);
    assert_memory_equal(hash, again, 32);
    assert_int_equal(EVP_Digest(text.data, text.len, again, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(hash, again, 32);       /* of exactly the text */
    ca_buf_clear(&text);
    ca_profile_free(profile);
}

#define HASHES 22

static void the_hash_covers_everything_that_decides_a_certificate(void **state)
{
    struct fixture *f = *state;
    const struct ca_profile_spec base = spec_under(f, OF_RSA);
    X509 *x = x509_make_ca(f->authorities[OF_RSA].pkey, "Authority", ",pathlen:3", NULL, NULL);
    struct ca_issuer *other = x509_make_issuer(f->crypto, x, NULL);
    struct ca_blocklist *lists[2] = { NULL, NULL };
    struct ca_revocation settings[5] = { { .crl_enabled = true } };
    struct ca_template own[4];
    struct ca_profile_spec specs[HASHES];
    uint8_t hashes[HASHES][32], again[32];

    for (size_t i = 0; i < HASHES; i++) specs[i] = base;
    specs[1].tmpl = template_of("EndEntityClientAuthCertificate");
    specs[2].issuer = other;
    specs[3].sig_alg = CA_SIG_RSA_SHA512;
    specs[4].validity.value = 364;
    specs[5].validity.type = CA_VALIDITY_MONTHS;
    specs[6].not_before_s = NOW;
    specs[7].short_lived = true;
    specs[8].strict = true;
    set_uri(settings[0].cdp_uri, "http://a.example/\"quoted\"");
    set_uri(settings[1].ocsp_uri, "http://a.example/");
    set_uri(settings[2].cdp_uri, "http://a.example/000000.crl");
    settings[3] = settings[2];
    settings[3].crl_partitioned = true;
    settings[4] = settings[2];
    set_uri(settings[4].freshest_uri, "http://a.example/000000-delta.crl");
    for (size_t i = 0; i < 5; i++) specs[9 + i].revocation = &settings[i];
    for (size_t i = 0; i < 4; i++) {
        own[i] = *base.tmpl;
        specs[14 + i].tmpl = &own[i];
    }
    own[0].extensions = ca_bytes_str("\x30\x03\x06\x01\x2a");
    own[1].source = ca_bytes_str("{\"base\":\"EndEntityCertificate\"}");
    own[2].not_after_s = NOW + 365 * DAY;
    own[3].key_usage_signing_only = CA_KU_DIGITAL_SIGNATURE;
    specs[18].api_json = ca_bytes_str("{\"Subject\":{\"CommonName\":\"a\"}}");
    specs[19].api_json = ca_bytes_str("{\"Subject\":{\"CommonName\":\"b\"}}");
    for (size_t i = 0; i < 2; i++) {
        const char *text = i == 0 ? "000102030405060708090a0b0c0d0e0f\n"
                                  : "000102030405060708090a0b0c0d0e10\n";

        assert_int_equal(ca_blocklist_parse(ca_bytes_str(text), f->crypto, &lists[i], NULL),
                         CA_OK);
        specs[20 + i].blocklist = lists[i];
    }
    for (size_t i = 0; i < HASHES; i++) {
        hash_of(f, &specs[i], hashes[i]);
        for (size_t k = 0; k < i; k++) {
            if (memcmp(hashes[i], hashes[k], 32) == 0) fail_msg("%zu and %zu are alike", i, k);
        }
    }
    hash_of(f, &specs[0], again);
    assert_memory_equal(again, hashes[0], 32);
    for (size_t i = 0; i < 2; i++) ca_blocklist_free(lists[i]);
    ca_issuer_free(other);
    X509_free(x);
}

/* A root has no pointers, so that its profile does not change with the CA's settings. */
static void the_hash_of_a_root_does_not_cover_what_it_does_not_get(void **state)
{
    struct fixture *f = *state;
    struct ca_revocation revocation = { .crl_enabled = true };
    struct ca_profile_spec spec = spec_of_root(f);
    uint8_t without[32], with[32];

    hash_of(f, &spec, without);
    set_uri(revocation.cdp_uri, CDP_URI);
    spec.revocation = &revocation;
    hash_of(f, &spec, with);
    assert_memory_equal(with, without, 32);
}

static void the_description_is_one_line_of_json(void **state)
{
    struct fixture *f = *state;
    struct ca_profile_spec spec = spec_under(f, OF_P256);
    struct ca_revocation revocation = { .crl_enabled = true };
    struct ca_profile *profile;
    struct ca_buf text;
    uint8_t hash[32];
    json_t *json;

    set_uri(revocation.cdp_uri, CDP_URI);
    spec.revocation = &revocation;
    spec.api_json = ca_bytes_str("{\"Subject\":{\"CommonName\":\"a\"}}");
    ca_buf_init(&text, CA_PROFILE_TEXT_MAX);
    profile = profile_of(&spec);
    assert_int_equal(ca_profile_hash(profile, f->crypto, hash, &text, NULL), CA_OK);
    assert_null(memchr(text.data, '\n', text.len));
    json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "crl_distribution_point")),
                        CDP_URI);
    assert_true(json_is_null(json_object_get(json, "freshest_crl")));
    assert_true(json_is_false(json_object_get(json, "strict")));
    assert_string_equal(json_string_value(json_object_get(json, "validity")),
                        "Value=365,Type=DAYS");
    assert_true(json_is_object(json_object_get(json_object_get(json, "api_passthrough"),
                                               "Subject")));
    json_decref(json);
    ca_profile_free(profile);
    ca_buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_root_template_is_for_a_self_signer_and_for_nobody_else),
        cmocka_unit_test(a_path_length_must_be_below_the_issuers),
        cmocka_unit_test(what_is_no_ca_issues_nothing),
        cmocka_unit_test(the_signing_key_must_be_the_issuers),
        cmocka_unit_test(a_profile_gives_back_what_it_was_made_of),
        cmocka_unit_test(revocation_settings_are_copied),
        cmocka_unit_test(the_ca_writes_pointers_where_the_template_takes_them),
        cmocka_unit_test(extensions_of_a_template_that_fill_a_certificate_are_refused),
        cmocka_unit_test(dates_begin_an_hour_back_but_not_before_the_issuer),
        cmocka_unit_test(a_given_beginning_moves_nothing_else),
        cmocka_unit_test(an_end_at_the_issuers_is_allowed_and_one_second_later_refused),
        cmocka_unit_test(a_root_is_compared_with_nothing),
        cmocka_unit_test(short_lived_certificates_end_within_seven_days),
        cmocka_unit_test(an_issuer_of_short_lived_certificates_makes_no_cas),
        cmocka_unit_test(a_template_may_have_a_limit_of_its_own),
        cmocka_unit_test(a_beginning_in_the_past_does_not_stretch_a_limit),
        cmocka_unit_test(what_nobody_asks_for_is_the_templates_validity),
        cmocka_unit_test(a_fixed_end_is_the_only_one),
        cmocka_unit_test(no_expiry_needs_an_issuer_without_expiry),
        cmocka_unit_test(a_period_without_sense_is_refused_with_its_own_sentence),
        cmocka_unit_test(the_hash_covers_everything_that_decides_a_certificate),
        cmocka_unit_test(the_hash_of_a_root_does_not_cover_what_it_does_not_get),
        cmocka_unit_test(the_description_is_one_line_of_json),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
