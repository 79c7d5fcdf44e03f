/*
 * Rules for subjects. Names are made by OpenSSL, and what comes out is read by it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/name_rules_fixture.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

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

/* "C=DE/O=b": what OpenSSL reads. */
static void text_of(struct ca_bytes der, char *out, size_t cap)
{
    const uint8_t *at = der.data;
    X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)der.len);
    size_t len = 0;

    assert_non_null(name);
    assert_ptr_equal(at, der.data + der.len);
    out[0] = '\0';
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
        char oid[80];

        OBJ_obj2txt(oid, sizeof(oid), X509_NAME_ENTRY_get_object(entry), 1);
        len += (size_t)snprintf(out + len, cap - len, "%s%s=%.*s", i == 0 ? "" : "/",
                                nid == NID_undef ? oid : OBJ_nid2sn(nid),
                                ASN1_STRING_length(value),
                                (const char *)ASN1_STRING_get0_data(value));
        assert_true(len < cap);
    }
    X509_NAME_free(name);
}

/* want: the subject's text, or "!" and a part of the refusal's sentence. */
static void judge_subject(struct name_rules_fixture *f, const struct ca_name_rules *rules,
                          const char *name, const char *want)
{
    uint8_t *der = NULL;
    struct ca_bytes in = name_rules_subject(name, &der), out = { .len = 0 };
    struct ca_error err = { .status = CA_OK };
    char text[1024];
    enum ca_status st;

    ca_arena_reset(&f->arena);
    st = ca_name_rules_subject(rules, f->matcher, in, &f->arena, &out, &err);
    if (want[0] == '!') {
        if (st == CA_OK) fail_msg("%s: accepted", name);
        assert_int_equal(st, CA_REFUSED);
        assert_int_equal(err.reason, CA_REASON_SUBJECT_REFUSED);
        if (strstr(err.text, want + 1) == NULL) fail_msg("%s: %s", name, err.text);
    } else {
        bool empty = false;

        if (st != CA_OK) fail_msg("%s: %s", name, err.text);
        assert_int_equal(ca_name_check(out, &empty, NULL), CA_OK);
        text_of(out, text, sizeof(text));
        assert_string_equal(text, want);
        /* What need not change is the request's own. */
        if (strcmp(name, want) == 0) assert_ptr_equal(out.data, in.data);
    }
    OPENSSL_free(der);
}

static void judge_subjects(struct name_rules_fixture *f, const char *json,
                           const struct name_rules_case *cases, size_t count)
{
    struct ca_name_rules *rules = name_rules_of(json, NULL);

    for (size_t i = 0; i < count; i++)
        judge_subject(f, rules, cases[i].name, cases[i].want);
    ca_name_rules_free(rules);
}

#define JUDGE(json, ...)                                                                          \
    do {                                                                                          \
        static const struct name_rules_case cases_[] = { __VA_ARGS__ };                           \
        judge_subjects(*state, (json), cases_, sizeof(cases_) / sizeof(cases_[0]));               \
    } while (0)

static void attributes_are_required_optional_or_forbidden(void **state)
{
    JUDGE("{'attributes':{'CN':{'presence':'required'},'O':{},'OU':{'presence':'forbidden'}}}",
          { "CN=a", "CN=a" }, { "O=b/CN=a", "O=b/CN=a" }, { "O=b", "!has no CN" },
          { "", "!has no CN" }, { "OU=x/CN=a", "!OU x must not be in the subject" },
          { "CN=a/L=x", "CN=a/L=x" });
    JUDGE("{'attributes':{'CN':{}},'others':'forbid'}", { "CN=a", "CN=a" }, { "", "" },
          { "CN=a/O=b", "!does not have the attribute 2.5.4.10 (b)" },
          { "CN=a/1.2.3.4=b", "!does not have the attribute 1.2.3.4 (b)" });
    JUDGE("{'attributes':{'1.3.6.1.4.1.37244.2.1':"
          "{'presence':'required','pattern':'[0-9A-F]{4}'}}}",
          { "CN=a/1.3.6.1.4.1.37244.2.1=FFF1", "CN=a/1.3.6.1.4.1.37244.2.1=FFF1" },
          { "CN=a/1.3.6.1.4.1.37244.2.1=fff1", "!1.3.6.1.4.1.37244.2.1 fff1 does not match" },
          { "CN=a", "!has no 1.3.6.1.4.1.37244.2.1" });
}

static void an_empty_subject_can_be_forbidden(void **state)
{
    JUDGE("{'empty':'forbid'}", { "", "!the subject is empty" }, { "CN=a", "CN=a" });
    JUDGE("{'empty':'allow'}", { "", "" });
    JUDGE("{'empty':'forbid','attributes':{'O':{'fixed':'b'}}}", { "", "O=b" });
}

static void a_fixed_value_is_put_in_where_it_is_absent_and_no_other_passes(void **state)
{
    JUDGE("{'attributes':{'O':{'fixed':'Widgets'},'C':{'fixed':'DE'},'CN':{}}}",
          { "CN=a", "CN=a/C=DE/O=Widgets" }, { "O=Widgets/CN=a", "O=Widgets/CN=a/C=DE" },
          { "C=DE/O=Widgets/CN=a", "C=DE/O=Widgets/CN=a" },
          { "C=DE/O:PRINTABLE=Widgets/CN=a", "C=DE/O=Widgets/CN=a" },
          { "O=widgets/CN=a", "!O widgets must be Widgets" },
          { "O=Widgets /CN=a", "!O Widgets  must be Widgets" },
          { "C=AT/CN=a", "!C AT must be DE" },
          { "O=Widgets/O=Widgets", "!O stands in the subject more than 1 times" },
          { "", "C=DE/O=Widgets" });
    JUDGE("{'attributes':{'O':{'fixed':'Bäckerei Müller','max_count':2}}}",
          { "O=Bäckerei Müller/O=Bäckerei Müller", "O=Bäckerei Müller/O=Bäckerei Müller" },
          { "O=Bäckerei Müller/O=Bäckerei Muller", "!must be Bäckerei Müller" },
          { "CN=a", "CN=a/O=Bäckerei Müller" });
}

static void equal_characters_of_another_string_type_keep_their_type(void **state)
{
    struct name_rules_fixture *f = *state;
    struct ca_name_rules *rules = name_rules_of("{'attributes':{'O':{'fixed':'W'}}}", NULL);
    uint8_t *der = NULL;
    struct ca_bytes in = name_rules_subject("O:PRINTABLE=W", &der), out = { .len = 0 };

    assert_int_equal(ca_name_rules_subject(rules, f->matcher, in, &f->arena, &out, NULL), CA_OK);
    assert_ptr_equal(out.data, in.data);
    assert_int_equal(out.len, in.len);
    ca_name_rules_free(rules);
    OPENSSL_free(der);
}

/* The keyword's OID and the string type of values put in, both as OpenSSL sees them. */
static void every_keyword_stands_for_its_attribute(void **state)
{
    static const struct {
        const char *keyword, *oid;
        int type;
    } cases[] = {
        { "C", "2.5.4.6", V_ASN1_PRINTABLESTRING },
        { "O", "2.5.4.10", V_ASN1_UTF8STRING },
        { "OU", "2.5.4.11", V_ASN1_UTF8STRING },
        { "ST", "2.5.4.8", V_ASN1_UTF8STRING },
        { "CN", "2.5.4.3", V_ASN1_UTF8STRING },
        { "L", "2.5.4.7", V_ASN1_UTF8STRING },
        { "serialNumber", "2.5.4.5", V_ASN1_PRINTABLESTRING },
        { "title", "2.5.4.12", V_ASN1_UTF8STRING },
        { "surname", "2.5.4.4", V_ASN1_UTF8STRING },
        { "givenName", "2.5.4.42", V_ASN1_UTF8STRING },
        { "initials", "2.5.4.43", V_ASN1_UTF8STRING },
        { "pseudonym", "2.5.4.65", V_ASN1_UTF8STRING },
        { "generationQualifier", "2.5.4.44", V_ASN1_UTF8STRING },
        { "dnQualifier", "2.5.4.46", V_ASN1_PRINTABLESTRING },
        { "DC", "0.9.2342.19200300.100.1.25", V_ASN1_IA5STRING },
        { "UID", "0.9.2342.19200300.100.1.1", V_ASN1_UTF8STRING },
        { "emailAddress", "1.2.840.113549.1.9.1", V_ASN1_IA5STRING },
        { "street", "2.5.4.9", V_ASN1_UTF8STRING },
        { "postalCode", "2.5.4.17", V_ASN1_UTF8STRING },
        { "organizationIdentifier", "2.5.4.97", V_ASN1_UTF8STRING },
        { "2.5.4.3", "2.5.4.3", V_ASN1_UTF8STRING },
        { "1.2.3.4.5", "1.2.3.4.5", V_ASN1_UTF8STRING },
    };
    static const uint8_t empty_name[] = { 0x30, 0 };
    struct name_rules_fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_name_rules *rules;
        struct ca_bytes out = { .len = 0 };
        const X509_NAME_ENTRY *entry;
        X509_NAME *name;
        char json[200], oid[80];

        (void)snprintf(json, sizeof(json), "{'attributes':{'%s':{'fixed':'ab'}}}",
                       cases[i].keyword);
        rules = name_rules_of(json, NULL);
        assert_int_equal(ca_name_rules_subject(rules, f->matcher, ca_bytes_of(empty_name, 2),
                                               &f->arena, &out, NULL), CA_OK);
        name = d2i_X509_NAME(NULL, &(const uint8_t *){ out.data }, (long)out.len);
        assert_non_null(name);
        assert_int_equal(X509_NAME_entry_count(name), 1);
        entry = X509_NAME_get_entry(name, 0);
        OBJ_obj2txt(oid, sizeof(oid), X509_NAME_ENTRY_get_object(entry), 1);
        assert_string_equal(oid, cases[i].oid);
        assert_int_equal(ASN1_STRING_type(X509_NAME_ENTRY_get_data(entry)), cases[i].type);
        X509_NAME_free(name);
        ca_name_rules_free(rules);
    }
}

static void patterns_must_match_the_whole_value(void **state)
{
    JUDGE("{'attributes':{'CN':{'pattern':'dev-[0-9]{6}'}}}", { "CN=dev-000017", "CN=dev-000017" },
          { "CN=dev-00001", "!CN dev-00001 does not match dev-[0-9]{6}" },
          { "CN=dev-0000171", "!does not match" }, { "CN=xdev-000017", "!does not match" },
          { "CN=DEV-000017", "!does not match" });
    /* An alternative that matches a beginning must not hide the one that matches the whole; the
     * verb that accepts at once must not get round the anchors. */
    JUDGE("{'attributes':{'CN':{'pattern':'a|ab|abc'}}}", { "CN=abc", "CN=abc" },
          { "CN=abcd", "!does not match" }, { "CN=xa", "!does not match" });
    JUDGE("{'attributes':{'CN':{'pattern':'a(*ACCEPT)b'}}}", { "CN=a", "CN=a" },
          { "CN=ax", "!does not match" });
    JUDGE("{'attributes':{'CN':{'pattern':'.\\\\Kb$'}}}", { "CN=ab", "CN=ab" },
          { "CN=b", "!does not match" });
    JUDGE("{'attributes':{'CN':{'pattern':'(?m)^a$'}}}", { "CN=a", "CN=a" });
    /* Characters, not octets; digits and letters are ASCII's unless the pattern says otherwise. */
    JUDGE("{'attributes':{'CN':{'pattern':'...'}}}", { "CN=äöü", "CN=äöü" },
          { "CN=äöüß", "!does not match" });
    JUDGE("{'attributes':{'CN':{'pattern':'\\\\d+'}}}", { "CN=123", "CN=123" },
          { "CN=١٢٣", "!does not match" });
    JUDGE("{'attributes':{'CN':{'pattern':'\\\\p{L}+'}}}", { "CN=Müller", "CN=Müller" },
          { "CN=M1", "!does not match" });
}

static void lengths_count_characters(void **state)
{
    JUDGE("{'attributes':{'CN':{'min_length':3,'max_length':4}}}", { "CN=äöü", "CN=äöü" },
          { "CN=äöüß", "CN=äöüß" },
          { "CN=ab", "!CN ab has 2 characters, at least 3 are needed" },
          { "CN=äöüßx", "!has 5 characters, at most 4 are allowed" });
}

static void counts_are_one_unless_said_otherwise(void **state)
{
    JUDGE("{'attributes':{'OU':{'max_count':2},'CN':{}}}", { "OU=a/OU=b/CN=c", "OU=a/OU=b/CN=c" },
          { "OU=a/OU=b/OU=c", "!OU stands in the subject more than 2 times" },
          { "CN=a/CN=b", "!CN stands in the subject more than 1 times" }, { "L=a/L=b", "L=a/L=b" });
}

static void rdns_of_several_attributes_are_refused_under_rules(void **state)
{
    struct name_rules_fixture *f = *state;
    uint8_t *der = NULL;
    struct ca_bytes in = name_rules_subject("CN=a/+O=b", &der), out = { .len = 0 };
    struct ca_name_rules *san_only = name_rules_of(NULL, "{}");

    JUDGE("{'attributes':{'CN':{}}}", { "CN=a/+O=b", "!several attributes" },
          { "L=x/CN=a/+O=b", "!several attributes" });
    assert_int_equal(ca_name_rules_subject(san_only, f->matcher, in, &f->arena, &out, NULL), CA_OK);
    assert_ptr_equal(out.data, in.data);
    assert_int_equal(ca_name_rules_subject(NULL, f->matcher, in, &f->arena, &out, NULL), CA_OK);
    assert_ptr_equal(out.data, in.data);
    ca_name_rules_free(san_only);
    OPENSSL_free(der);
}

static void rdns_are_put_into_the_order_of_the_template(void **state)
{
    JUDGE("{'order':['C','O','CN']}", { "CN=a/O=b/C=DE", "C=DE/O=b/CN=a" },
          { "L=x/CN=a/ST=y/C=DE", "C=DE/CN=a/L=x/ST=y" }, { "C=DE/CN=a", "C=DE/CN=a" },
          { "", "" }, { "L=x/ST=y", "L=x/ST=y" }, { "O=2/O=1/C=DE", "C=DE/O=2/O=1" });
    JUDGE("{'order':['C','O','CN'],'attributes':{'O':{'fixed':'W'},'OU':{'fixed':'U'}}}",
          { "CN=a/C=DE", "C=DE/O=W/CN=a/OU=U" }, { "CN=a", "O=W/CN=a/OU=U" },
          { "OU=U/CN=a", "O=W/CN=a/OU=U" });
    JUDGE("{'order':['2.5.4.3','1.2.3.4']}", { "C=DE/1.2.3.4=x/CN=a", "CN=a/1.2.3.4=x/C=DE" });
}

/* Against sorting by a model: any number of attributes in any order. */
static void order_is_stable_for_any_subject(void **state)
{
    static const char *const keys[] = { "C", "O", "OU", "CN", "L", "ST" };
    struct name_rules_fixture *f = *state;
    struct ca_name_rules *rules = name_rules_of("{'order':['O','CN','C']}", NULL);

    for (int round = 0; round < 300; round++) {
        size_t count = below(12), picked[12];
        char name[400] = "", want[400] = "";

        for (size_t i = 0; i < count; i++) {
            picked[i] = below(6);
            (void)snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%s=%c%c",
                           i == 0 ? "" : "/", keys[picked[i]], (int)('a' + i), 'x');
        }
        for (size_t place = 0; place < 4; place++) {
            static const size_t at[6] = { 2, 0, 3, 1, 3, 3 };   /* place of keys[i] */

            for (size_t i = 0; i < count; i++) {
                if (at[picked[i]] != place) continue;
                (void)snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s%s=%c%c",
                               want[0] == '\0' ? "" : "/", keys[picked[i]], (int)('a' + i), 'x');
            }
        }
        judge_subject(f, rules, name, want);
    }
    ca_name_rules_free(rules);
}

static void the_order_of_json_members_decides_nothing(void **state)
{
    JUDGE("{'attributes':{'O':{'fixed':'W'},'1.2.3':{'fixed':'x'},'CN':{'fixed':'n'},"
          "'1.2.2':{'fixed':'y'},'C':{'fixed':'DE'}}}",
          { "", "C=DE/O=W/CN=n/1.2.2=y/1.2.3=x" });
    JUDGE("{'attributes':{'1.2.2':{'fixed':'y'},'C':{'fixed':'DE'},'CN':{'fixed':'n'},"
          "'1.2.3':{'fixed':'x'},'2.5.4.10':{'fixed':'W'}}}",
          { "", "C=DE/O=W/CN=n/1.2.2=y/1.2.3=x" });
}

static void a_subject_that_grows_too_large_is_refused_and_a_full_arena_is_told(void **state)
{
    struct name_rules_fixture *f = *state;
    struct ca_name_rules *rules = name_rules_of("{'attributes':{'O':{'fixed':'W'}}}", NULL);
    struct ca_bytes out = { .len = 0 };
    struct ca_arena small;
    char name[64 * 8] = "";
    uint8_t *der = NULL;
    struct ca_bytes in;

    for (int i = 0; i < 64; i++) strcat(name, i == 0 ? "L=x" : "/L=x");
    judge_subject(f, rules, name, "!more than 64 attributes");
    in = name_rules_subject("CN=a", &der);
    ca_arena_init(&small, 16, 16);
    assert_int_equal(ca_name_rules_subject(rules, f->matcher, in, &small, &out, NULL), CA_FULL);
    ca_arena_clear(&small);
    OPENSSL_free(der);
    ca_name_rules_free(rules);
}

/* For each kind of rule a good and a bad attribute. */
static void one_bad_attribute_among_any_number_at_any_place_is_refused(void **state)
{
    static const char *const bad_ones[] = { "CN=dev-1", "OU=zz", "O=Other", "L=x", "C=AT" };
    struct name_rules_fixture *f = *state;
    struct ca_name_rules *rules = name_rules_of(
        "{'attributes':{'CN':{'pattern':'dev-[0-9]{2}','max_count':20},"
        "'OU':{'max_length':1,'max_count':20},'O':{'fixed':'W','max_count':20},"
        "'L':{'presence':'forbidden'}},'others':'forbid'}", NULL);

    for (size_t n = 1; n <= 20; n++) {
        for (size_t bad = 0; bad <= n; bad++) {
            for (size_t kind = 0; kind < sizeof(bad_ones) / sizeof(bad_ones[0]); kind++) {
                static const char *const good_ones[] = { "CN=dev-17", "OU=z", "O=W" };
                char name[20 * 12] = "", want[20 * 12 + 8];
                bool has_o = false;

                for (size_t i = 0; i < n; i++) {
                    const char *part = i == bad ? bad_ones[kind] : good_ones[(kind + i) % 3];

                    if (i > 0) strcat(name, "/");
                    strcat(name, part);
                    has_o = has_o || strncmp(part, "O=", 2) == 0;
                }
                (void)snprintf(want, sizeof(want), "%s%s", name, has_o ? "" : "/O=W");
                judge_subject(f, rules, name, bad == n ? want : "!");
            }
        }
    }
    ca_name_rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_are_required_optional_or_forbidden),
        cmocka_unit_test(an_empty_subject_can_be_forbidden),
        cmocka_unit_test(a_fixed_value_is_put_in_where_it_is_absent_and_no_other_passes),
        cmocka_unit_test(equal_characters_of_another_string_type_keep_their_type),
        cmocka_unit_test(every_keyword_stands_for_its_attribute),
        cmocka_unit_test(patterns_must_match_the_whole_value),
        cmocka_unit_test(lengths_count_characters),
        cmocka_unit_test(counts_are_one_unless_said_otherwise),
        cmocka_unit_test(rdns_of_several_attributes_are_refused_under_rules),
        cmocka_unit_test(rdns_are_put_into_the_order_of_the_template),
        cmocka_unit_test(order_is_stable_for_any_subject),
        cmocka_unit_test(the_order_of_json_members_decides_nothing),
        cmocka_unit_test(a_subject_that_grows_too_large_is_refused_and_a_full_arena_is_told),
        cmocka_unit_test(one_bad_attribute_among_any_number_at_any_place_is_refused),
    };

    return cmocka_run_group_tests(tests, name_rules_setup, name_rules_teardown);
}
