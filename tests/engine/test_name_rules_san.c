/*
 * Rules for subject alternative names, and the bounds of patterns. General names are made by
 * OpenSSL; suffixes and address blocks are compared with slow models of their own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/name_rules_fixture.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A small generator of our own, so that a failure repeats. */
static uint64_t random_state = 0x2545f4914f6cdd1d;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t below(size_t n) { return (size_t)(next_random() % n); }

/* Subject alternative names in OpenSSL's syntax */

static struct ca_bytes san_of(const char *text, X509_EXTENSION **extension)
{
    struct ca_bytes view = { .len = 0 };
    struct ca_error err;
    X509V3_CTX ctx;

    *extension = NULL;
    if (text[0] == '\0') return view;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    *extension = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, text);
    if (*extension == NULL) fail_msg("OpenSSL cannot make %s", text);
    view = ca_bytes_of(ASN1_STRING_get0_data(X509_EXTENSION_get_data(*extension)),
                       (size_t)ASN1_STRING_length(X509_EXTENSION_get_data(*extension)));
    if (ca_san_check(view, &err) != CA_OK) fail_msg("%s: %s", text, err.text);
    return view;
}

/* want: "" accepted, else a part of the sentence. */
static void judge_san(struct name_rules_fixture *f, const struct ca_name_rules *rules,
                      const char *names, const char *want)
{
    X509_EXTENSION *extension;
    struct ca_bytes san = san_of(names, &extension);
    struct ca_error err = { .status = CA_OK };
    bool critical = false;
    enum ca_status st = ca_name_rules_san(rules, f->matcher, san, false, &critical, &err);

    if (want[0] == '\0') {
        if (st != CA_OK) fail_msg("%s: %s", names, err.text);
    } else {
        if (st == CA_OK) fail_msg("%s: accepted", names);
        assert_int_equal(st, CA_REFUSED);
        assert_int_equal(err.reason, CA_REASON_SAN_REFUSED);
        if (strstr(err.text, want) == NULL) fail_msg("%s: %s", names, err.text);
    }
    X509_EXTENSION_free(extension);
}

static void judge_sans(struct name_rules_fixture *f, const char *json,
                       const struct name_rules_case *cases, size_t count)
{
    struct ca_name_rules *rules = name_rules_of(NULL, json);

    for (size_t i = 0; i < count; i++) judge_san(f, rules, cases[i].name, cases[i].want);
    ca_name_rules_free(rules);
}

#define JUDGE_SAN(json, ...)                                                                      \
    do {                                                                                          \
        static const struct name_rules_case cases_[] = { __VA_ARGS__ };                           \
        judge_sans(*state, (json), cases_, sizeof(cases_) / sizeof(cases_[0]));                   \
    } while (0)

static void forms_that_the_template_does_not_have_are_forbidden(void **state)
{
    JUDGE_SAN("{}", { "", "" }, { "DNS:a.example", "dNSName a.example has a form" },
              { "IP:192.0.2.1", "iPAddress 192.0.2.1 has a form" },
              { "IP:2001:db8::1", "iPAddress 2001:db8::1 has a form" },
              { "email:a@b.example", "rfc822Name a@b.example has a form" },
              { "URI:https://a.example/", "URI https://a.example/ has a form" },
              { "RID:1.2.3.4", "registeredID 1.2.3.4 has a form" },
              { "otherName:1.2.3.5;UTF8:x", "otherName 1.2.3.5 has a form" });
    JUDGE_SAN("{'dns':{}}", { "DNS:a.example,DNS:b.example", "" },
              { "DNS:a.example,IP:192.0.2.1", "iPAddress 192.0.2.1 has a form" });
    JUDGE_SAN("{'ip':{},'email':{},'uri':{},'registered_id':{},'other_name':{}}",
              { "IP:192.0.2.1,email:a@b.example,URI:https://a.example/,RID:1.2.3,"
                "otherName:1.2.3.5;UTF8:x", "" });
}

static void counts_have_bounds_over_all_and_for_each_form(void **state)
{
    JUDGE_SAN("{'min':1,'max':3,'dns':{'max':2},'ip':{'min':1}}",
              { "", "0 subject alternative names, the template wants 1 to 3" },
              { "IP:192.0.2.1", "" }, { "DNS:a.example", "0 names of the form iPAddress" },
              { "IP:192.0.2.1,DNS:a.example,DNS:b.example", "" },
              { "IP:192.0.2.1,IP:192.0.2.2,DNS:a.example,DNS:b.example",
                "4 subject alternative names, the template wants 1 to 3" });
    JUDGE_SAN("{'dns':{'max':0},'ip':{}}", { "IP:192.0.2.1", "" },
              { "DNS:a.example", "1 names of the form dNSName, the template wants 0 to 0" });
    JUDGE_SAN("{'dns':{'min':2}}", { "DNS:a.example", "1 names of the form dNSName" },
              { "", "0 names of the form dNSName" }, { "DNS:a.example,DNS:a.example", "" });
}

static void dns_suffixes_match_whole_labels_without_case(void **state)
{
    JUDGE_SAN("{'dns':{'suffixes':['.Example.COM','host.example']}}",
              { "DNS:a.example.com", "" }, { "DNS:A.EXAMPLE.com", "" },
              { "DNS:a.b.c.example.com", "" }, { "DNS:host.example", "" },
              { "DNS:HOST.EXAMPLE", "" }, { "DNS:example.com", "none of the template's suffixes" },
              { "DNS:xexample.com", "none of the template's suffixes" },
              { "DNS:a.xexample.com", "none of the template's suffixes" },
              { "DNS:a.host.example", "none of the template's suffixes" },
              { "DNS:xhost.example", "none of the template's suffixes" },
              { "DNS:a.example.com.evil.example", "none of the template's suffixes" },
              { "DNS:com", "none of the template's suffixes" },
              { "DNS:*.example.com", "is a wildcard" });
    JUDGE_SAN("{'dns':{'suffixes':['.example.com','host.example'],'wildcards':true}}",
              { "DNS:*.example.com", "" }, { "DNS:*.a.example.com", "" },
              { "DNS:*.xexample.com", "none" }, { "DNS:*.host.example", "none" });
    JUDGE_SAN("{'dns':{'wildcards':true}}", { "DNS:*.anything.example", "" });
    JUDGE_SAN("{'dns':{}}", { "DNS:*.anything.example", "is a wildcard" });
}

static void patterns_of_a_form_are_alternatives_beside_the_suffixes(void **state)
{
    JUDGE_SAN("{'dns':{'suffixes':['.example.com'],"
              "'patterns':['node-[0-9]+\\\\..*','www\\\\..*']}}",
              { "DNS:node-7.example.com", "" }, { "DNS:www.example.com", "" },
              { "DNS:www.example.org", "none of the template's suffixes" },
              { "DNS:mail.example.com", "matches none of the template's 2 patterns" });
    JUDGE_SAN("{'uri':{'patterns':['https://[a-z.]+/thing/[0-9]+']}}",
              { "URI:https://a.example/thing/7", "" },
              { "URI:https://a.example/thing/7/x", "does not match https://" },
              { "URI:http://a.example/thing/7", "does not match" });
    JUDGE_SAN("{'email':{'suffixes':['@example.com'],'patterns':['[a-z]+@.*']}}",
              { "email:joe@example.com", "" }, { "email:joe1@example.com", "does not match" },
              { "email:joe@example.org", "none of the template's suffixes" });
}

static void mailboxes_have_suffixes_of_their_host(void **state)
{
    JUDGE_SAN("{'email':{'suffixes':['@example.com','.corp.example','Root@one.example']}}",
              { "email:a@example.com", "" }, { "email:a@EXAMPLE.com", "" },
              { "email:a@x.example.com", "none of the template's suffixes" },
              { "email:a@x.corp.example", "" }, { "email:a@corp.example", "none" },
              { "email:a@xexample.com", "none" }, { "email:Root@one.example", "" },
              { "email:Root@ONE.example", "" }, { "email:root@one.example", "none" },
              { "email:xRoot@one.example", "none" });
}

static void addresses_lie_in_ranges(void **state)
{
    JUDGE_SAN("{'ip':{'ranges':['10.0.0.0/8','192.0.2.128/25','198.51.100.7/32','2001:db8::/33',"
              "'::1/128']}}",
              { "IP:10.0.0.0", "" }, { "IP:10.255.255.255", "" },
              { "IP:11.0.0.0", "iPAddress 11.0.0.0 lies in none of the template's ranges" },
              { "IP:192.0.2.128", "" }, { "IP:192.0.2.127", "lies in none" },
              { "IP:198.51.100.7", "" }, { "IP:198.51.100.6", "lies in none" },
              { "IP:2001:db8:7fff::1", "" },
              { "IP:2001:db8:8000::1", "iPAddress 2001:db8:8000::1 lies in none" },
              { "IP:::1", "" }, { "IP:::2", "lies in none" },
              { "IP:::ffff:10.0.0.1", "lies in none" });
    JUDGE_SAN("{'ip':{'ranges':['0.0.0.0/0']}}", { "IP:255.1.2.3", "" }, { "IP:::1", "lies in" });
    JUDGE_SAN("{'ip':{'ranges':['::/0']}}", { "IP:ff00::1", "" }, { "IP:10.0.0.1", "lies in" });
}

static void object_identifiers_are_listed(void **state)
{
    JUDGE_SAN("{'registered_id':{'oids':['1.2.3.4']},'other_name':{'types':['1.3.6.1.5.5.7.8.4']}}",
              { "RID:1.2.3.4", "" }, { "RID:1.2.3.5", "registeredID 1.2.3.5 is none" },
              { "RID:1.2.3", "is none" }, { "otherName:1.3.6.1.5.5.7.8.4;UTF8:x", "" },
              { "otherName:1.3.6.1.5.5.7.8.5;UTF8:x",
                "otherName 1.3.6.1.5.5.7.8.5 has none of the template's types" });
}

/* A form that templates cannot name is forbidden, and hides nothing behind it. */
static void no_name_hides_behind_another(void **state)
{
    /* [5] { [1] { UTF8String "a" } }, DNS:evil; [5] alone; an x400Address, DNS:evil. */
    static const uint8_t edi[] = { 0x30, 13, 0xa5, 5, 0xa1, 3, 12, 1, 'a',
                                   0x82, 4, 'e', 'v', 'i', 'l' };
    static const uint8_t alone[] = { 0x30, 7, 0xa5, 5, 0xa1, 3, 12, 1, 'a' };
    static const uint8_t x400[] = { 0x30, 8, 0xa3, 0, 0x82, 4, 'e', 'v', 'i', 'l' };
    static const struct {
        struct ca_bytes names;
        const char *want;
    } cases[] = {
        { { edi, sizeof(edi) }, "ediPartyName" },
        { { alone, sizeof(alone) }, "ediPartyName" },
        { { x400, sizeof(x400) }, "cannot be read to their end" },
        { { edi + 1, 3 }, "cannot be read to their end" },
    };
    struct name_rules_fixture *f = *state;
    struct ca_name_rules *rules = name_rules_of(NULL, "{'dns':{'suffixes':['.good.example']}}");
    struct ca_name_rules *subject = name_rules_of("{'attributes':{'CN':{}}}", NULL);
    struct ca_bytes out;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_error err = { .status = CA_OK };
        bool critical = false;

        assert_int_equal(ca_name_rules_san(rules, f->matcher, cases[i].names, false, &critical,
                                           &err), CA_REFUSED);
        assert_int_equal(err.reason, CA_REASON_SAN_REFUSED);
        if (strstr(err.text, cases[i].want) == NULL) fail_msg("%zu: %s", i, err.text);
    }
    assert_int_equal(ca_name_rules_subject(subject, f->matcher, ca_bytes_of(x400, sizeof(x400)),
                                           &f->arena, &out, NULL), CA_REFUSED);
    ca_name_rules_free(rules);
    ca_name_rules_free(subject);
}

/* Forms and values as OpenSSL reads them. */
static void a_walk_sees_the_names_that_openssl_sees(void **state)
{
    static const struct {
        const char *text;
        enum ca_san_form form;
        int type;
    } kinds[] = {
        { "DNS:a.example", CA_SAN_DNS, GEN_DNS },
        { "IP:192.0.2.1", CA_SAN_IP, GEN_IPADD },
        { "email:a@b.example", CA_SAN_EMAIL, GEN_EMAIL },
        { "URI:https://a.example/", CA_SAN_URI, GEN_URI },
        { "RID:1.2.3.4", CA_SAN_REGISTERED_ID, GEN_RID },
        { "otherName:1.2.3.5;UTF8:x", CA_SAN_OTHER_NAME, GEN_OTHERNAME },
    };

    (void)state;
    for (int round = 0; round < 100; round++) {
        size_t picked[8], count = 1 + below(8);
        struct ca_general_name name;
        X509_EXTENSION *extension;
        GENERAL_NAMES *theirs;
        char text[400] = "";
        struct ca_der names;
        struct ca_bytes san;

        for (size_t i = 0; i < count; i++) {
            picked[i] = below(6);
            if (i > 0) strcat(text, ",");
            strcat(text, kinds[picked[i]].text);
        }
        san = san_of(text, &extension);
        theirs = X509V3_EXT_d2i(extension);
        assert_int_equal(sk_GENERAL_NAME_num(theirs), count);
        ca_san_open(san, &names);
        for (size_t i = 0; i < count; i++) {
            const GENERAL_NAME *g = sk_GENERAL_NAME_value(theirs, (int)i);

            assert_true(ca_san_next(&names, &name));
            assert_int_equal(g->type, kinds[picked[i]].type);
            assert_int_equal(name.form, kinds[picked[i]].form);
            if (g->type == GEN_DNS || g->type == GEN_EMAIL || g->type == GEN_URI) {
                assert_int_equal(name.value.len, ASN1_STRING_length(g->d.ia5));
                assert_memory_equal(name.value.data, ASN1_STRING_get0_data(g->d.ia5),
                                    name.value.len);
            } else if (g->type == GEN_RID || g->type == GEN_OTHERNAME) {
                const ASN1_OBJECT *oid = g->type == GEN_RID ? g->d.rid : g->d.otherName->type_id;
                struct ca_bytes ours = g->type == GEN_RID ? name.value : name.type;

                assert_int_equal(ours.len, OBJ_length(oid));
                assert_memory_equal(ours.data, OBJ_get0_data(oid), ours.len);
            }
        }
        assert_false(ca_san_next(&names, &name));
        assert_true(ca_der_at_end(&names));
        GENERAL_NAMES_free(theirs);
        X509_EXTENSION_free(extension);
    }
}

/* A model: labels split and compared from the end. */
static bool model_below(const char *host, const char *domain)
{
    size_t h = strlen(host), d = strlen(domain);

    if (h < d + 2 || host[h - d - 1] != '.') return false;
    return strcasecmp(host + h - d, domain) == 0;
}

static void suffixes_agree_with_a_model(void **state)
{
    static const char *const labels[] = { "a", "b", "ab", "example", "EXAMPLE", "com" };
    struct name_rules_fixture *f = *state;

    for (int round = 0; round < 500; round++) {
        char host[100] = "", domain[100] = "", names[120], json[200];
        bool under = below(2) == 0, good;
        struct ca_name_rules *rules;

        for (size_t i = 0, n = 1 + below(4); i < n; i++)
            (void)snprintf(host + strlen(host), sizeof(host) - strlen(host), "%s%s",
                           i == 0 ? "" : ".", labels[below(6)]);
        for (size_t i = 0, n = 1 + below(3); i < n; i++)
            (void)snprintf(domain + strlen(domain), sizeof(domain) - strlen(domain), "%s%s",
                           i == 0 ? "" : ".", labels[below(6)]);
        (void)snprintf(json, sizeof(json), "{'dns':{'suffixes':['%s%s']}}", under ? "." : "",
                       domain);
        (void)snprintf(names, sizeof(names), "DNS:%s", host);
        good = under ? model_below(host, domain) : strcasecmp(host, domain) == 0;
        rules = name_rules_of(NULL, json);
        judge_san(f, rules, names, good ? "" : "none of the template's suffixes");
        ca_name_rules_free(rules);
    }
}

/* A model: bit by bit. */
static void ranges_agree_with_a_model(void **state)
{
    struct name_rules_fixture *f = *state;

    for (int round = 0; round < 1000; round++) {
        bool v6 = below(2) == 0;
        size_t octets = v6 ? 16 : 4, prefix = below(8 * octets + 1);
        uint8_t block[16], address[16];
        char text[INET6_ADDRSTRLEN], json[120], names[80];
        struct ca_name_rules *rules;
        bool good = true;

        for (size_t i = 0; i < octets; i++) block[i] = (uint8_t)next_random();
        for (size_t bit = prefix; bit < 8 * octets; bit++)
            block[bit / 8] = (uint8_t)(block[bit / 8] & ~(0x80u >> (bit % 8)));
        memcpy(address, block, octets);
        for (int n = 0; n < 3; n++) {
            size_t bit = below(8 * octets);

            address[bit / 8] = (uint8_t)(address[bit / 8] ^ (0x80u >> (bit % 8)));
        }
        for (size_t bit = 0; bit < prefix; bit++) {
            unsigned mask = 0x80u >> (bit % 8);

            if ((address[bit / 8] & mask) != (block[bit / 8] & mask)) good = false;
        }
        assert_non_null(inet_ntop(v6 ? AF_INET6 : AF_INET, block, text, sizeof(text)));
        (void)snprintf(json, sizeof(json), "{'ip':{'ranges':['%s/%zu']}}", text, prefix);
        assert_non_null(inet_ntop(v6 ? AF_INET6 : AF_INET, address, text, sizeof(text)));
        (void)snprintf(names, sizeof(names), "IP:%s", text);
        rules = name_rules_of(NULL, json);
        judge_san(f, rules, names, good ? "" : "lies in none");
        ca_name_rules_free(rules);
    }
}

static void criticality_follows_the_template_and_an_empty_subject(void **state)
{
    static const struct {
        const char *json;
        bool empty, asked, want;
    } cases[] = {
        { "{'dns':{}}", false, false, false },
        { "{'dns':{}}", false, true, true },
        { "{'dns':{},'critical':'as-requested'}", false, true, true },
        { "{'dns':{},'critical':'as-requested'}", true, false, true },
        { "{'dns':{},'critical':true}", false, false, true },
        { "{'dns':{},'critical':true}", true, false, true },
        { "{'dns':{},'critical':false}", false, true, false },
        { "{'dns':{},'critical':false}", true, false, true },
    };
    struct name_rules_fixture *f = *state;
    X509_EXTENSION *extension;
    struct ca_bytes san = san_of("DNS:a.example", &extension);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_name_rules *rules = name_rules_of(NULL, cases[i].json);
        bool critical = cases[i].asked;

        assert_int_equal(ca_name_rules_san(rules, f->matcher, san, cases[i].empty, &critical, NULL),
                         CA_OK);
        assert_int_equal(critical, cases[i].want);
        ca_name_rules_free(rules);
    }
    X509_EXTENSION_free(extension);
}

/* For each form a good and a bad name. */
static void one_bad_name_among_any_number_at_any_place_is_refused(void **state)
{
    static const struct {
        const char *good, *bad;
    } kinds[] = {
        { "DNS:n%zu.example.com", "DNS:n%zu.example.org" },
        { "DNS:n%zu.example.com", "DNS:example.com" },
        { "DNS:n%zu.example.com", "DNS:m%zu.example.com" },
        { "DNS:n%zu.example.com", "DNS:*.n%zu.example.com" },
        { "IP:10.0.0.%zu", "IP:11.0.0.%zu" },
        { "IP:2001:db8::%zu", "IP:2001:db9::%zu" },
        { "email:n%zu@example.com", "email:n%zu@example.org" },
        { "URI:https://a.example/%zu", "URI:https://b.example/%zu" },
        { "RID:1.2.3.4", "RID:1.2.3.%zu" },
        { "otherName:1.2.3.5;UTF8:n%zu", "otherName:1.2.3.6;UTF8:n%zu" },
        { "DNS:n%zu.example.com", "dirName:dir" },
    };
    struct name_rules_fixture *f = *state;
    struct ca_name_rules *rules = name_rules_of(NULL,
        "{'dns':{'suffixes':['.example.com'],'patterns':['n[0-9]+\\\\..*','\\\\*.*']},"
        "'ip':{'ranges':['10.0.0.0/8','2001:db8::/32']},'email':{'suffixes':['@example.com']},"
        "'uri':{'patterns':['https://a\\\\.example/[0-9]+']},'registered_id':{'oids':['1.2.3.4']},"
        "'other_name':{'types':['1.2.3.5']}}");

    for (size_t n = 1; n <= 20; n++) {
        for (size_t bad = 0; bad <= n; bad++) {     /* n: none of them */
            for (size_t kind = 0; kind + 1 < sizeof(kinds) / sizeof(kinds[0]); kind++) {
                char names[20 * 64] = "";

                for (size_t i = 0; i < n; i++) {
                    const char *format = i == bad ? kinds[kind].bad
                                                  : kinds[(kind + i) % 10].good;
                    size_t len = strlen(names);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                    if (i > 0) names[len++] = ',';
                    (void)snprintf(names + len, sizeof(names) - len, format, i + 50);
#pragma GCC diagnostic pop
                }
                judge_san(f, rules, names, bad == n ? "" : " ");
            }
        }
    }
    ca_name_rules_free(rules);
}

/* Bounds of patterns */

static double seconds(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWER 20
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOWER 20
#endif
#endif
#ifndef SLOWER
#define SLOWER 1
#endif

static void a_pattern_that_runs_away_refuses_the_request_at_once(void **state)
{
    static const struct {
        const char *pattern, *want;
    } cases[] = {
        { "(a+)+$", "takes more than" },
        { "(a|a)*b?$", "takes more than" },
        { "(?:.*?,?){20}x?!!", "takes more than" },
        { "(a?){60}a{60}!!", "" },
        { "^(([a-z])+.)+[A-Z]([a-z])+$", "" },
        { "(?:a|b)*?(?:a|c)*?(?:a|d)*?(?:a|e)*?f?$", "" },
    };
    struct name_rules_fixture *f = *state;
    char name[128] = "CN=";
    uint8_t *der = NULL;
    struct ca_bytes in, out = { .len = 0 };

    for (int i = 0; i < 63; i++) strcat(name, "a");
    strcat(name, "!");
    in = name_rules_subject(name, &der);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_error err = { .status = CA_OK };
        struct ca_name_rules *rules;
        char json[200];
        double before, took;

        (void)snprintf(json, sizeof(json), "{'attributes':{'CN':{'pattern':'%s'}}}",
                       cases[i].pattern);
        rules = name_rules_of(json, NULL);
        before = seconds();
        assert_int_equal(ca_name_rules_subject(rules, f->matcher, in, &f->arena, &out, &err),
                         CA_REFUSED);
        took = seconds() - before;
        if (strstr(err.text, cases[i].want) == NULL) fail_msg("%s: %s", json, err.text);
        if (took > 0.005 * SLOWER) fail_msg("%s: %.1f ms", cases[i].pattern, took * 1e3);
        ca_name_rules_free(rules);
    }
    OPENSSL_free(der);
}

/* Every name within its own bounds, but the request as a whole is not. */
static void many_dear_names_refuse_the_request_in_bounded_time(void **state)
{
    struct name_rules_fixture *f = *state;
    struct ca_name_rules *rules = name_rules_of(
        NULL, "{'dns':{'patterns':['(?:[a-z]+)*\\\\.(?:[a-z]*)*q|(?:(?:a+)+b)?.*']}}");
    struct ca_error err = { .status = CA_OK };
    struct ca_buf names;
    bool critical = false;
    double before, took;
    enum ca_status st;

    ca_buf_init(&names, 100000);
    for (int i = 0; i < 900; i++) ca_san_add_dns(&names, "aaaaaaaaaaaa.aaaaaaaaaaaaaaa");
    ca_der_wrap(&names, 0, CA_DER_SEQUENCE);
    assert_int_equal(ca_san_check(ca_buf_view(&names), NULL), CA_OK);
    before = seconds();
    st = ca_name_rules_san(rules, f->matcher, ca_buf_view(&names), false, &critical, &err);
    took = seconds() - before;
    assert_int_equal(st, CA_REFUSED);
    assert_int_equal(err.reason, CA_REASON_SAN_REFUSED);
    if (took > 0.02 * SLOWER) fail_msg("%.1f ms", took * 1e3);
    /* The next request begins anew. */
    judge_san(f, rules, "DNS:b.example", "");
    ca_buf_clear(&names);
    ca_name_rules_free(rules);
}

/* None runs over a bound of its own, and each name fits the last pattern: what all the others cost
 * before it is the request's, too. */
static void many_patterns_for_many_names_are_bounded_too(void **state)
{
    struct name_rules_fixture *f = *state;
    char json[8192] = "{'uri':{'patterns':[";
    struct ca_name_rules *rules;
    struct ca_error err = { .status = CA_OK };
    struct ca_buf names;
    bool critical = false;

    for (int i = 0; i < 15; i++) {
        strcat(json, "'(?:");
        for (char c = 'A'; c < 'T'; c++) {
            size_t len = strlen(json);

            (void)snprintf(json + len, sizeof(json) - len, "[a-z:/.]*%c|", c);
        }
        strcat(json, "x)',");
    }
    strcat(json, "'.*']}}");
    rules = name_rules_of(NULL, json);
    ca_buf_init(&names, 100000);
    for (int i = 0; i < 1000; i++)
        ca_der_add(&names, CA_DER_CONTEXT(6), ca_bytes_str("https://a.example/aaaaaaaaaa"));
    ca_der_wrap(&names, 0, CA_DER_SEQUENCE);
    assert_int_equal(ca_name_rules_san(rules, f->matcher, ca_buf_view(&names), false, &critical,
                                       &err), CA_REFUSED);
    assert_non_null(strstr(err.text, "the names together take too many steps"));
    ca_buf_clear(&names);
    ca_name_rules_free(rules);
}

static void depth_and_memory_are_bounded_too(void **state)
{
    struct name_rules_fixture *f = *state;
    char groups[CA_PATTERN_MAX + 1] = "", json[800], names[300] = "DNS:";
    struct ca_name_rules *rules;

    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 60; k++) strcat(names, "a");
        strcat(names, ".");
    }
    strcat(names, "aa");
    /* An honest pattern that goes two levels deep for each character. */
    rules = name_rules_of(NULL, "{'dns':{'patterns':['(?:[a-m]|[n-z.])+']}}");
    judge_san(f, rules, names, "");
    ca_name_rules_free(rules);
    rules = name_rules_of(NULL, "{'dns':{'patterns':['(?:(?:a|b|[.])(?=.|$))+']}}");
    judge_san(f, rules, names, "levels deep");
    ca_name_rules_free(rules);
    for (int i = 0; i < 100; i++) strcat(groups, "()");
    (void)snprintf(json, sizeof(json), "{'dns':{'patterns':['%s(?:[a-m]|[n-z.])+']}}", groups);
    rules = name_rules_of(NULL, json);
    judge_san(f, rules, names, "KiB to match ()()");
    ca_name_rules_free(rules);
}

static void matching_allocates_nothing_once_warm(void **state)
{
    struct name_rules_fixture *f = *state;
    struct ca_name_rules *rules =
        name_rules_of(NULL, "{'dns':{'suffixes':['.example.com'],"
                            "'patterns':['(?:[a-m]|[n-z0-9.-])+']}}");
    X509_EXTENSION *extension;
    struct ca_bytes san = san_of("DNS:node-17.example.com,DNS:www.example.com", &extension);
    struct mallinfo2 before, after;
    bool critical = false;

    assert_int_equal(ca_name_rules_san(rules, f->matcher, san, false, &critical, NULL), CA_OK);
    before = mallinfo2();
    for (int i = 0; i < 1000; i++)
        assert_int_equal(ca_name_rules_san(rules, f->matcher, san, false, &critical, NULL), CA_OK);
    after = mallinfo2();
    assert_int_equal(before.uordblks, after.uordblks);
    X509_EXTENSION_free(extension);
    ca_name_rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_that_the_template_does_not_have_are_forbidden),
        cmocka_unit_test(counts_have_bounds_over_all_and_for_each_form),
        cmocka_unit_test(dns_suffixes_match_whole_labels_without_case),
        cmocka_unit_test(patterns_of_a_form_are_alternatives_beside_the_suffixes),
        cmocka_unit_test(mailboxes_have_suffixes_of_their_host),
        cmocka_unit_test(addresses_lie_in_ranges),
        cmocka_unit_test(object_identifiers_are_listed),
        cmocka_unit_test(no_name_hides_behind_another),
        cmocka_unit_test(a_walk_sees_the_names_that_openssl_sees),
        cmocka_unit_test(suffixes_agree_with_a_model),
        cmocka_unit_test(ranges_agree_with_a_model),
        cmocka_unit_test(criticality_follows_the_template_and_an_empty_subject),
        cmocka_unit_test(one_bad_name_among_any_number_at_any_place_is_refused),
        cmocka_unit_test(a_pattern_that_runs_away_refuses_the_request_at_once),
        cmocka_unit_test(many_dear_names_refuse_the_request_in_bounded_time),
        cmocka_unit_test(many_patterns_for_many_names_are_bounded_too),
        cmocka_unit_test(depth_and_memory_are_bounded_too),
        cmocka_unit_test(matching_allocates_nothing_once_warm),
    };

    return cmocka_run_group_tests(tests, name_rules_setup, name_rules_teardown);
}
