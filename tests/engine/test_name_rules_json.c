/*
 * Reading rules for names: mistakes in templates, each found with its place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/name_rules_json.h"
#include "tests/support/name_rules_fixture.h"

#include <stdlib.h>
#include <string.h>

struct mistake {
    const char *subject, *san, *path, *text;
};

static void every_mistake_is_found_with_its_path(void **state)
{
    static const struct mistake cases[] = {
        { "[]", NULL, "subject", "is a list, expected an object" },
        { "'x'", NULL, "subject", "is \"x\", expected an object" },
        { NULL, "7", "san", "is a whole number, expected an object" },
        { "{'atributes':{}}", NULL, "subject.atributes",
          "is an unknown member, expected one of attributes, others, order, empty" },
        { "{'attributes':[]}", NULL, "subject.attributes", "is a list, expected an object" },
        { "{'attributes':{'cn':{}}}", NULL, "subject.attributes.cn",
          "is \"cn\", expected a keyword such as CN" },
        { "{'attributes':{'2.5.4.':{}}}", NULL, "subject.attributes.2.5.4.", "expected a keyword" },
        { "{'attributes':{'CN':null}}", NULL, "subject.attributes.CN",
          "is null, expected an object" },
        { "{'attributes':{'CN':{},'2.5.4.3':{}}}", NULL, "subject.attributes.2.5.4.3",
          "is the same attribute as CN" },
        { "{'attributes':{'CN':{'regex':'x'}}}", NULL, "subject.attributes.CN.regex",
          "is an unknown member, expected one of presence, fixed, pattern" },
        { "{'attributes':{'CN':{'presence':'maybe'}}}", NULL, "subject.attributes.CN.presence",
          "is \"maybe\", expected \"required\", \"optional\" or \"forbidden\"" },
        { "{'attributes':{'CN':{'presence':true}}}", NULL, "subject.attributes.CN.presence",
          "is true, expected" },
        { "{'attributes':{'CN':{'fixed':7}}}", NULL, "subject.attributes.CN.fixed",
          "is a whole number, expected a string" },
        { "{'attributes':{'CN':{'fixed':''}}}", NULL, "subject.attributes.CN.fixed", "is empty" },
        { "{'attributes':{'C':{'fixed':'DEU'}}}", NULL, "subject.attributes.C.fixed",
          "countryName is not two letters" },
        { "{'attributes':{'serialNumber':{'fixed':'a_b'}}}", NULL,
          "subject.attributes.serialNumber.fixed", "octet 5f" },
        { "{'attributes':{'CN':{'fixed':'a','presence':'forbidden'}}}", NULL,
          "subject.attributes.CN.fixed", "\"forbidden\"" },
        { "{'attributes':{'CN':{'fixed':'abc','pattern':'[0-9]+'}}}", NULL,
          "subject.attributes.CN.fixed", "it does not match [0-9]+" },
        { "{'attributes':{'CN':{'fixed':'abc','min_length':4}}}", NULL,
          "subject.attributes.CN.fixed", "it has 3 characters, at least 4 are needed" },
        { "{'attributes':{'CN':{'pattern':'a('}}}", NULL, "subject.attributes.CN.pattern",
          "is no regular expression: missing closing parenthesis, at offset 2" },
        { "{'attributes':{'CN':{'pattern':'a\\\\C'}}}", NULL, "subject.attributes.CN.pattern",
          "is no regular expression: using \\C is disabled" },
        { "{'attributes':{'CN':{'pattern':'(*UCP)a'}}}", NULL, "subject.attributes.CN.pattern",
          "is no regular expression: " },
        { "{'attributes':{'CN':{'pattern':''}}}", NULL, "subject.attributes.CN.pattern",
          "is empty" },
        { "{'attributes':{'CN':{'pattern':[]}}}", NULL, "subject.attributes.CN.pattern",
          "is a list, expected a regular expression in a string" },
        { "{'attributes':{'CN':{'min_length':0}}}", NULL, "subject.attributes.CN.min_length",
          "is 0, expected 1 to 32768" },
        { "{'attributes':{'CN':{'max_length':1e3}}}", NULL, "subject.attributes.CN.max_length",
          "is a number with a fraction, expected a whole number" },
        { "{'attributes':{'CN':{'max_length':99999999999}}}", NULL,
          "subject.attributes.CN.max_length", "is 99999999999, expected 1 to 32768" },
        { "{'attributes':{'CN':{'min_length':5,'max_length':4}}}", NULL,
          "subject.attributes.CN.min_length", "is 5, expected at most max_length, which is 4" },
        { "{'attributes':{'CN':{'max_count':0}}}", NULL, "subject.attributes.CN.max_count",
          "is 0, expected 1 to 64" },
        { "{'others':'deny'}", NULL, "subject.others",
          "is \"deny\", expected \"allow\" or \"forbid\"" },
        { "{'empty':false}", NULL, "subject.empty", "is false, expected \"allow\" or \"forbid\"" },
        { "{'order':'CN'}", NULL, "subject.order", "is \"CN\", expected a list" },
        { "{'order':[]}", NULL, "subject.order", "has 0 entries, expected 1 to 64" },
        { "{'order':['CN',7]}", NULL, "subject.order[1]",
          "is a whole number, expected an attribute's keyword or OID" },
        { "{'order':['CN','O','2.5.4.3']}", NULL, "subject.order[2]",
          "is \"2.5.4.3\" again, expected each attribute once" },
        { NULL, "{'dnss':{}}", "san.dnss", "is an unknown member, expected one of min, max" },
        { NULL, "{'dns':[]}", "san.dns", "is a list, expected an object" },
        { NULL, "{'dns':{'ranges':[]}}", "san.dns.ranges", "is an unknown member" },
        { NULL, "{'ip':{'suffixes':[]}}", "san.ip.suffixes", "is an unknown member" },
        { NULL, "{'directory_name':{'patterns':['x']}}", "san.directory_name.patterns",
          "is an unknown member, expected one of min, max" },
        { NULL, "{'min':-1,'dns':{}}", "san.min", "is -1, expected 0 to 1000" },
        { NULL, "{'max':1001}", "san.max", "is 1001, expected 0 to 1000" },
        { NULL, "{'min':3,'max':2,'dns':{}}", "san.min", "is 3, expected at most max, which is 2" },
        { NULL, "{'min':3,'dns':{'max':1},'ip':{'max':1}}", "san.min",
          "is 3, expected at most 2, which is all that the forms allow" },
        { NULL, "{'min':1}", "san.min", "expected at most 0" },
        { NULL, "{'max':2,'dns':{'min':2},'ip':{'min':1}}", "san.max",
          "is 2, expected at least 3, which the forms ask for" },
        { NULL, "{'dns':{'min':3,'max':2}}", "san.dns.min", "is 3, expected at most max" },
        { NULL, "{'critical':'yes'}", "san.critical",
          "is \"yes\", expected \"as-requested\", true or false" },
        { NULL, "{'dns':{'wildcards':'no'}}", "san.dns.wildcards",
          "is \"no\", expected true or false" },
        { NULL, "{'dns':{'suffixes':['.example.com','.exa mple']}}", "san.dns.suffixes[1]",
          "has the host name \"exa mple\", which has a character that" },
        { NULL, "{'dns':{'suffixes':['*.example.com']}}", "san.dns.suffixes[0]", "host name" },
        { NULL, "{'dns':{'suffixes':['.']}}", "san.dns.suffixes[0]", "is empty" },
        { NULL, "{'dns':{'suffixes':['']}}", "san.dns.suffixes[0]", "is empty" },
        { NULL, "{'dns':{'suffixes':[]}}", "san.dns.suffixes", "has 0 entries" },
        { NULL, "{'dns':{'suffixes':[5]}}", "san.dns.suffixes[0]",
          "is a whole number, expected a string" },
        { NULL, "{'dns':{'patterns':['ok','(']}}", "san.dns.patterns[1]",
          "is no regular expression" },
        { NULL, "{'email':{'suffixes':['example.com']}}", "san.email.suffixes[0]",
          "is \"example.com\", expected \"@host\", \".domain\" or a whole mailbox" },
        { NULL, "{'email':{'suffixes':['@.example.com']}}", "san.email.suffixes[0]",
          "expected a host name behind the @" },
        { NULL, "{'email':{'suffixes':['@']}}", "san.email.suffixes[0]", "is empty" },
        { NULL, "{'ip':{'ranges':['10.0.0.0']}}", "san.ip.ranges[0]",
          "is \"10.0.0.0\", expected an address block" },
        { NULL, "{'ip':{'ranges':['10.0.0/8']}}", "san.ip.ranges[0]", "expected an address block" },
        { NULL, "{'ip':{'ranges':['10.0.0.0/33']}}", "san.ip.ranges[0]",
          "has the prefix \"33\", expected 0 to 32" },
        { NULL, "{'ip':{'ranges':['10.0.0.0/']}}", "san.ip.ranges[0]", "has the prefix \"\"" },
        { NULL, "{'ip':{'ranges':['10.0.0.0/08']}}", "san.ip.ranges[0]", "has the prefix \"08\"" },
        { NULL, "{'ip':{'ranges':['10.0.0.0/+8']}}", "san.ip.ranges[0]", "has the prefix \"+8\"" },
        { NULL, "{'ip':{'ranges':['10.0.0.0/99999999999999999999']}}", "san.ip.ranges[0]",
          "has the prefix" },
        { NULL, "{'ip':{'ranges':['10.0.0.1/8']}}", "san.ip.ranges[0]",
          "is \"10.0.0.1/8\", expected an address whose bits behind the prefix are zero" },
        { NULL, "{'ip':{'ranges':['2001:db8::/16']}}", "san.ip.ranges[0]", "expected an address" },
        { NULL, "{'ip':{'ranges':['2001:db8::/129']}}", "san.ip.ranges[0]",
          "has the prefix \"129\", expected 0 to 128" },
        { NULL, "{'ip':{'ranges':['/8']}}", "san.ip.ranges[0]", "expected an address block" },
        { NULL, "{'registered_id':{'oids':['1.2.x']}}", "san.registered_id.oids[0]",
          "is \"1.2.x\", expected an OID" },
        { NULL, "{'other_name':{'types':['3.1']}}", "san.other_name.types[0]", "expected an OID" },
        { NULL, "{'other_name':{'oids':['1.2']}}", "san.other_name.oids", "is an unknown member" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *what = cases[i].subject != NULL ? cases[i].subject : cases[i].san;
        struct ca_name_rules *rules = (struct ca_name_rules *)&cases;   /* to be overwritten */
        struct ca_error err = { .status = CA_OK };
        struct ca_findings findings;

        if (name_rules_parse(cases[i].subject, cases[i].san, &findings, &rules, &err) != CA_REFUSED)
            fail_msg("%s: accepted", what);
        assert_null(rules);
        assert_string_equal(err.name, "template");
        if (findings.total != 1)
            fail_msg("%s: %zu findings, %s", what, findings.total, err.text);
        if (strcmp(findings.items[0].path, cases[i].path) != 0 ||
            strstr(findings.items[0].text, cases[i].text) == NULL)
            fail_msg("%s: %s: %s", what, findings.items[0].path, findings.items[0].text);
        assert_non_null(strstr(err.text, cases[i].path));
    }
}

static void all_mistakes_are_collected(void **state)
{
    struct ca_name_rules *rules = NULL;
    struct ca_findings findings;
    struct ca_error err;

    (void)state;
    assert_int_equal(name_rules_parse("{'attributes':{'CN':{'pattern':'(','min_length':0},'xx':{},"
                           "'O':{'fixed':''}},'others':1,'order':['C','C','?']}",
                           "{'dns':{'suffixes':['a..b','ok.example','-'],'patterns':['[']},'z':1}",
                           &findings, &rules, &err), CA_REFUSED);
    assert_int_equal(findings.total, 11);
    assert_int_equal(findings.count, 11);
    assert_null(rules);
}

static void more_mistakes_than_are_kept_are_counted(void **state)
{
    struct ca_name_rules *rules = NULL;
    struct ca_findings findings;
    char json[4096] = "{'dns':{'suffixes':[";
    struct ca_error err;

    (void)state;
    for (int i = 0; i < 100; i++) strcat(json, i == 0 ? "'-'" : ",'-'");
    strcat(json, "]}}");
    assert_int_equal(name_rules_parse(NULL, json, &findings, &rules, &err), CA_REFUSED);
    assert_int_equal(findings.total, 100);
    assert_int_equal(findings.count, CA_FINDINGS_MAX);
}

static void lists_and_patterns_have_bounds(void **state)
{
    static const struct {
        const char *head, *item;
        int max;
    } cases[] = {
        { "{'dns':{'suffixes':[", "'.a.example'", 256 },
        { "{'dns':{'patterns':[", "'a'", 16 },
        { "{'ip':{'ranges':[", "'10.0.0.0/8'", 256 },
        { "{'registered_id':{'oids':[", "'1.2.3'", 256 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int extra = 0; extra <= 1; extra++) {
            struct ca_name_rules *rules = NULL;
            struct ca_findings findings;
            struct ca_error err;
            char *json = calloc(1, 8192);

            assert_non_null(json);
            strcat(json, cases[i].head);
            for (int k = 0; k < cases[i].max + extra; k++) {
                if (k > 0) strcat(json, ",");
                strcat(json, cases[i].item);
            }
            strcat(json, "]}}");
            assert_int_equal(name_rules_parse(NULL, json, &findings, &rules, &err),
                             extra == 0 ? CA_OK : CA_REFUSED);
            ca_name_rules_free(rules);
            free(json);
        }
    }
    for (int extra = 0; extra <= 1; extra++) {
        char json[700] = "{'attributes':{'CN':{'pattern':'";
        struct ca_name_rules *rules = NULL;
        struct ca_findings findings;
        struct ca_error err;

        for (int k = 0; k < CA_PATTERN_MAX + extra; k++) strcat(json, "a");
        strcat(json, "'}}}");
        assert_int_equal(name_rules_parse(json, NULL, &findings, &rules, &err),
                         extra == 0 ? CA_OK : CA_REFUSED);
        ca_name_rules_free(rules);
    }
}

static void no_rules_come_from_no_members(void **state)
{
    struct ca_name_rules *rules = NULL;
    struct ca_findings findings;

    (void)state;
    assert_int_equal(name_rules_parse(NULL, NULL, &findings, &rules, NULL), CA_OK);
    assert_null(rules);
    assert_int_equal(findings.total, 0);
    ca_name_rules_free(NULL);
    ca_matcher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_found_with_its_path),
        cmocka_unit_test(all_mistakes_are_collected),
        cmocka_unit_test(more_mistakes_than_are_kept_are_counted),
        cmocka_unit_test(lists_and_patterns_have_bounds),
        cmocka_unit_test(no_rules_come_from_no_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
