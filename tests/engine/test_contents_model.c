/* What passes into a certificate, against a model that knows the rows of spec section 6 by their
 * names and its rules 6.1 by heart; requests are made by OpenSSL. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/contents_fixture.h"

#include <openssl/x509v3.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static uint64_t random_state = 0xa0761d6478bd642f;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

struct wish {
    const char *name, *text;
    enum ca_ignored csr, api;
};

#define CUSTOM CA_IGNORED_API_CUSTOM_EXTENSION

/* Several wishes for one type, each a whole extension; "own" stands for what only the request's key
 * says. */
static const struct wish wishes[] = {
    { "basicConstraints", "CA:FALSE", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "critical,CA:FALSE", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "CA:TRUE", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "critical,CA:TRUE", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "critical,CA:TRUE,pathlen:0", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "critical,CA:TRUE,pathlen:2", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "keyUsage", "critical,digitalSignature", CA_IGNORED_CSR_KEY_USAGE, CA_IGNORED_API_KEY_USAGE },
    { "keyUsage", "digitalSignature,keyEncipherment", CA_IGNORED_CSR_KEY_USAGE,
      CA_IGNORED_API_KEY_USAGE },
    { "keyUsage", "critical,digitalSignature,keyEncipherment", CA_IGNORED_CSR_KEY_USAGE,
      CA_IGNORED_API_KEY_USAGE },
    { "keyUsage", "critical,digitalSignature,keyCertSign,cRLSign", CA_IGNORED_CSR_KEY_USAGE,
      CA_IGNORED_API_KEY_USAGE },
    { "extendedKeyUsage", "serverAuth,clientAuth", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "clientAuth,serverAuth", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "clientAuth", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "critical,serverAuth", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "critical,codeSigning", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "critical,OCSPSigning", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "anyExtendedKeyUsage", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "2.5.29.14", "own", CA_IGNORED_CSR_SUBJECT_KEY_ID, CUSTOM },
    { "subjectKeyIdentifier", "00112233", CA_IGNORED_CSR_SUBJECT_KEY_ID, CUSTOM },
    { "2.5.29.35", "own", CA_IGNORED_CSR_AUTHORITY_KEY_ID, CUSTOM },
    { "certificatePolicies", "1.2.3.4", CA_IGNORED_CSR_CERTIFICATE_POLICIES,
      CA_IGNORED_API_CERTIFICATE_POLICIES },
    { "certificatePolicies", "2.5.29.32.0", CA_IGNORED_CSR_CERTIFICATE_POLICIES,
      CA_IGNORED_API_CERTIFICATE_POLICIES },
    { "crlDistributionPoints", "URI:http://e.example/", CA_IGNORED_CSR_CRL_DISTRIBUTION_POINTS,
      CUSTOM },
    { "freshestCRL", "URI:http://e.example/d", CA_IGNORED_CSR_FRESHEST_CRL, CUSTOM },
    { "authorityInfoAccess", "OCSP;URI:http://e.example/", CA_IGNORED_CSR_AUTHORITY_INFO_ACCESS,
      CUSTOM },
    { "authorityInfoAccess", "caIssuers;URI:http://e.example/",
      CA_IGNORED_CSR_AUTHORITY_INFO_ACCESS, CUSTOM },
    { "subjectInfoAccess", "caRepository;URI:http://e.example/",
      CA_IGNORED_CSR_SUBJECT_INFO_ACCESS, CUSTOM },
    { "nameConstraints", "critical,permitted;DNS:e.example", CA_IGNORED_CSR_NAME_CONSTRAINTS,
      CUSTOM },
    { "policyMappings", "1.2.3:1.2.4", CA_IGNORED_CSR_POLICY_MAPPINGS, CUSTOM },
    { "policyConstraints", "requireExplicitPolicy:0", CA_IGNORED_CSR_POLICY_CONSTRAINTS, CUSTOM },
    { "inhibitAnyPolicy", "critical,0", CA_IGNORED_CSR_INHIBIT_ANY_POLICY, CUSTOM },
    { "issuerAltName", "DNS:evil.example", CA_IGNORED_CSR_ISSUER_ALT_NAME, CUSTOM },
    { "tlsfeature", "status_request", CA_IGNORED_CSR_TLS_FEATURE, CUSTOM },
    { "noCheck", "ignored", CA_IGNORED_CSR_OCSP_NOCHECK, CUSTOM },
    { "2.5.29.56", "DER:0500", CA_IGNORED_CSR_NO_REV_AVAIL, CUSTOM },
    { "1.3.6.1.4.1.11129.2.4.3", "critical,DER:0500", CA_IGNORED_CSR_CT_POISON, CUSTOM },
    { "nsCertType", "sslCA", CA_IGNORED_CSR_NETSCAPE, CUSTOM },
    { "1.3.6.1.4.1.311.20.2", "DER:1E0400430041", CA_IGNORED_CSR_MICROSOFT, CUSTOM },
    { "1.2.3.4.5", "critical,DER:0500", CA_IGNORED_CSR_OTHER, CUSTOM },
    { "1.2.3.4.5", "ASN1:UTF8String:x", CA_IGNORED_CSR_OTHER, CUSTOM },
    { "2.5.29.9", "DER:3011300F06082B060105050709043103130144", CA_IGNORED_CSR_OTHER, CUSTOM },
};

enum outcome { OUT_PASSES, OUT_SAME, OUT_LOSES, OUT_REFUSED };

static bool is(const struct wish *wish, const char *name)
{
    return strcmp(wish->name, name) == 0;
}

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* What the row itself says, in OpenSSL's words; NULL where it says nothing. */
static const char *own_basic_constraints(const char *tmpl)
{
    static const char *const limited[] = {
        "critical,CA:TRUE,pathlen:0", "critical,CA:TRUE,pathlen:1",
        "critical,CA:TRUE,pathlen:2", "critical,CA:TRUE,pathlen:3",
    };
    const char *path = strstr(tmpl, "PathLen");

    if (contains(tmpl, "CriticalBasicConstraints")) return "critical,CA:FALSE";
    if (!contains(tmpl, "CACertificate")) return "CA:FALSE";
    return path == NULL ? "critical,CA:TRUE" : limited[path[7] - '0'];
}

static const char *own_key_usage(const char *tmpl)
{
    if (contains(tmpl, "Blank")) return NULL;
    if (contains(tmpl, "CACertificate")) return "critical,digitalSignature,keyCertSign,cRLSign";
    if (contains(tmpl, "SigningCertificate")) return "critical,digitalSignature";
    return "critical,digitalSignature,keyEncipherment";
}

static const char *own_ext_key_usage(const char *tmpl)
{
    if (contains(tmpl, "Blank") || contains(tmpl, "CACertificate")) return NULL;
    if (contains(tmpl, "CodeSigning")) return "critical,codeSigning";
    if (contains(tmpl, "OCSPSigning")) return "critical,OCSPSigning";
    if (contains(tmpl, "ClientAuth")) return "clientAuth";
    return contains(tmpl, "ServerAuth") ? "serverAuth" : "serverAuth,clientAuth";
}

/* The column "CDP from", beside CA. */
static bool cdp_may_come(const char *tmpl, bool from_api)
{
    if (contains(tmpl, "RootCA")) return from_api && contains(tmpl, "Blank");
    if (from_api) return contains(tmpl, "CriticalBasicConstraints");
    return true;
}

static enum outcome foresee(const struct contents_fixture *f, const char *tmpl,
                            const struct wish *wish, bool from_api)
{
    bool passes = contains(tmpl, "_APICSRPassthrough") ||
                  contains(tmpl, from_api ? "_APIPassthrough" : "_CSRPassthrough");
    bool for_ca = contains(tmpl, "CACertificate");
    enum outcome outcome = passes ? OUT_PASSES : OUT_LOSES;
    const char *own = NULL;

    if (is(wish, "basicConstraints")) own = own_basic_constraints(tmpl);
    if (is(wish, "keyUsage")) own = own_key_usage(tmpl);
    if (is(wish, "extendedKeyUsage")) own = own_ext_key_usage(tmpl);
    if (own != NULL) {
        return strcmp(own, wish->text) == 0 ||
                       (contains(own, "serverAuth,clientAuth") &&
                        strcmp(wish->text, "clientAuth,serverAuth") == 0)
                   ? OUT_SAME : OUT_LOSES;
    }
    if (is(wish, "2.5.29.14")) return OUT_SAME;
    if (is(wish, "subjectKeyIdentifier") || contains(wish->name, "11129")) return OUT_LOSES;
    if (is(wish, "2.5.29.35")) return passes && from_api && contains(tmpl, "RootCA") ? OUT_PASSES
                                                                                      : OUT_LOSES;
    if (is(wish, "keyUsage") && contains(wish->text, "keyCertSign") && !for_ca && passes)
        return OUT_REFUSED;
    if (is(wish, "crlDistributionPoints") &&
        (f->pointers.cdp || !cdp_may_come(tmpl, from_api)))
        return OUT_LOSES;
    if (is(wish, "freshestCRL") && f->pointers.freshest) return OUT_LOSES;
    if (is(wish, "authorityInfoAccess") && f->pointers.aia) return OUT_LOSES;
    if (!for_ca && (is(wish, "nameConstraints") || is(wish, "policyMappings") ||
                    is(wish, "policyConstraints") || is(wish, "inhibitAnyPolicy")))
        return OUT_LOSES;
    if (is(wish, "2.5.29.56") &&
        (for_ca || f->pointers.cdp || f->pointers.freshest || f->pointers.aia))
        return OUT_LOSES;
    return outcome;
}

struct forecast {
    const struct wish *passing[2 * COUNT(wishes)];
    size_t count;
    uint64_t ignored;
    bool refused;
};

/* Two wishes for one type, whatever their texts. */
static bool same_type(const struct wish *a, const struct wish *b)
{
    return a->csr == b->csr && (a->csr != CA_IGNORED_CSR_OTHER || strcmp(a->name, b->name) == 0);
}

static void foresee_one(const struct contents_fixture *f, const char *tmpl, const struct wish *wish,
                        bool from_api, struct forecast *out)
{
    enum outcome outcome = foresee(f, tmpl, wish, from_api);

    if (outcome == OUT_PASSES || outcome == OUT_REFUSED) {
        for (size_t i = 0; i < out->count; i++) {
            if (same_type(out->passing[i], wish))
                outcome = out->passing[i] == wish ? OUT_SAME : OUT_LOSES;
        }
    }
    if (outcome == OUT_LOSES) out->ignored |= UINT64_C(1) << (from_api ? wish->api : wish->csr);
    if (outcome == OUT_REFUSED) out->refused = true;
    if (outcome == OUT_PASSES) out->passing[out->count++] = wish;
}

/* RFC 9608 3 */
static bool contradicts_itself(const struct forecast *forecast)
{
    bool none = false, pointer = false;

    for (size_t i = 0; i < forecast->count; i++) {
        const struct wish *wish = forecast->passing[i];

        none = none || is(wish, "2.5.29.56");
        pointer = pointer || is(wish, "crlDistributionPoints") || is(wish, "freshestCRL") ||
                  (is(wish, "authorityInfoAccess") && contains(wish->text, "OCSP"));
    }
    return none && pointer;
}

/* A few wishes, none twice of a type, in any order. */
static size_t draw_wishes(const struct wish *drawn[COUNT(wishes)])
{
    uint64_t tries = next_random() % 12;
    size_t count = 0;

    while (tries-- > 0) {
        const struct wish *wish = &wishes[next_random() % COUNT(wishes)];
        bool there = false;

        for (size_t i = 0; i < count; i++) there = there || same_type(drawn[i], wish);
        if (!there) drawn[count++] = wish;
    }
    return count;
}

static const char *text_of(const struct contents_fixture *f, const struct wish *wish)
{
    if (strcmp(wish->text, "own") != 0) return wish->text;
    return is(wish, "2.5.29.14") ? f->own_key_id : f->own_authority;
}

/* Read by OpenSSL: none twice, and none that never passes. */
static void assert_sound(const struct contents_fixture *f, const struct ca_template *tmpl)
{
    const uint8_t *p = f->contents.extra.data, *end;
    ASN1_OBJECT *seen[256];
    size_t count = 0;

    if (tmpl->passthrough == 0) assert_int_equal(f->contents.extra.len, 0);
    if (f->contents.extra.len == 0) return;
    end = p + f->contents.extra.len;
    while (p < end) {
        X509_EXTENSION *extension = d2i_X509_EXTENSION(NULL, &p, end - p);
        int nid;

        assert_non_null(extension);
        nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        assert_true(nid != NID_basic_constraints && nid != NID_subject_key_identifier &&
                    nid != NID_ct_precert_poison && nid != NID_subject_alt_name);
        assert_true(nid != NID_authority_key_identifier || tmpl->kind == CA_TEMPLATE_ROOT_CA);
        for (size_t i = 0; i < count; i++)
            assert_int_not_equal(OBJ_cmp(seen[i], X509_EXTENSION_get_object(extension)), 0);
        seen[count++] = OBJ_dup(X509_EXTENSION_get_object(extension));
        X509_EXTENSION_free(extension);
    }
    while (count > 0) ASN1_OBJECT_free(seen[--count]);
}

static void one_soup(struct contents_fixture *f, const struct ca_template *tmpl, size_t *refused)
{
    const struct wish *drawn[COUNT(wishes)];
    struct forecast forecast = { .count = 0 };
    const char *pairs[2 * COUNT(wishes)][2];
    bool with_api = next_random() % 4 != 0;
    size_t count;

    contents_begin(f);
    contents_make_request(f);                /* for the texts of its own key */
    f->pointers = (struct ca_pointers){ next_random() % 2 == 0, next_random() % 4 == 0,
                                        next_random() % 2 == 0 };
    if (with_api) {
        f->ask.api = &f->api;
        count = draw_wishes(drawn);
        for (size_t i = 0; i < count; i++) {
            contents_ask_api(f, drawn[i]->name, text_of(f, drawn[i]), drawn[i]->api);
            foresee_one(f, tmpl->name, drawn[i], true, &forecast);
        }
    }
    count = draw_wishes(drawn);
    for (size_t i = 0; i < count; i++) {
        contents_ask_csr(f, drawn[i]->name, text_of(f, drawn[i]));
        foresee_one(f, tmpl->name, drawn[i], false, &forecast);
    }
    contents_make_request(f);
    if (contents_decide(f, tmpl) != CA_OK) {
        if (!forecast.refused && !contradicts_itself(&forecast))
            fail_msg("%s: %s", tmpl->name, f->err.text);
        assert_int_equal(f->err.reason, CA_REASON_PASSTHROUGH_REFUSED);
        ++*refused;
        return;
    }
    assert_false(forecast.refused || contradicts_itself(&forecast));
    assert_sound(f, tmpl);
    for (size_t i = 0; i < forecast.count; i++) {
        pairs[i][0] = forecast.passing[i]->name;
        pairs[i][1] = text_of(f, forecast.passing[i]);
    }
    contents_assert_extra(f, forecast.count, (const char *const(*)[2])pairs);
    assert_int_equal(f->contents.ignored, forecast.ignored);
    assert_ptr_equal(f->contents.subject.data, f->request.subject.data);
    assert_memory_equal(f->contents.subject_key_id, f->ask.subject_key_id, 20);
}

/* Every row of the catalogue, with random wishes from both sides. */
static void any_soup_comes_out_as_the_rules_say(void **state)
{
    struct contents_fixture *f = *state;
    size_t refused = 0;

    assert_int_equal(ca_template_count(), 61);
    for (size_t i = 0; i < ca_template_count(); i++) {
        for (size_t round = 0; round < 40; round++) one_soup(f, ca_template_at(i), &refused);
    }
    assert_true(refused > 10 && refused < 400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, contents_set_up, contents_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_soup_comes_out_as_the_rules_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
