#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/name_rules_fixture.h"

#include "engine/name_rules_json.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static json_t *json_of(const char *text)
{
    char *copy = strdup(text);
    json_error_t why;
    json_t *value;

    assert_non_null(copy);
    for (char *c = copy; *c != '\0'; c++) {
        if (*c == '\'') *c = '"';
    }
    value = json_loads(copy, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (value == NULL) fail_msg("%s: %s", copy, why.text);
    free(copy);
    return value;
}

enum ca_status name_rules_parse(const char *subject, const char *san, struct ca_findings *findings,
                                struct ca_name_rules **out, struct ca_error *err)
{
    json_t *subject_json = subject == NULL ? NULL : json_of(subject);
    json_t *san_json = san == NULL ? NULL : json_of(san);
    enum ca_status st;

    memset(findings, 0, sizeof(*findings));
    st = ca_name_rules_parse(subject_json, san_json, findings, out, err);
    json_decref(subject_json);
    json_decref(san_json);
    return st;
}

struct ca_name_rules *name_rules_of(const char *subject, const char *san)
{
    struct ca_name_rules *rules = NULL;
    struct ca_findings findings;
    struct ca_error err;

    if (name_rules_parse(subject, san, &findings, &rules, &err) != CA_OK) fail_msg("%s", err.text);
    assert_int_equal(findings.total, 0);
    assert_non_null(rules);
    return rules;
}

int name_rules_setup(void **state)
{
    struct name_rules_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(ca_matcher_new(&f->matcher, NULL), CA_OK);
    ca_arena_init(&f->arena, 4096, 65536);
    *state = f;
    return 0;
}

int name_rules_teardown(void **state)
{
    struct name_rules_fixture *f = *state;

    ca_matcher_free(f->matcher);
    ca_arena_clear(&f->arena);
    free(f);
    return 0;
}

static int string_type(const char *name)
{
    if (strcmp(name, "PRINTABLE") == 0) return V_ASN1_PRINTABLESTRING;
    if (strcmp(name, "IA5") == 0) return V_ASN1_IA5STRING;
    return V_ASN1_UTF8STRING;
}

static int default_type(const char *key)
{
    if (strcmp(key, "C") == 0 || strcmp(key, "serialNumber") == 0 ||
        strcmp(key, "dnQualifier") == 0)
        return V_ASN1_PRINTABLESTRING;
    if (strcmp(key, "DC") == 0 || strcmp(key, "emailAddress") == 0) return V_ASN1_IA5STRING;
    return V_ASN1_UTF8STRING;
}

struct ca_bytes name_rules_subject(const char *text, uint8_t **der)
{
    X509_NAME *name = X509_NAME_new();
    char *copy = strdup(text), *rest = copy, *part;
    bool empty = false;
    struct ca_error err;
    struct ca_bytes view;
    int len;

    while ((part = strsep(&rest, "/")) != NULL && part[0] != '\0') {
        bool joined = part[0] == '+';
        char *value = strchr(part, '='), *key = part + (joined ? 1 : 0), *type;

        assert_non_null(value);
        *value++ = '\0';
        type = strchr(key, ':');
        if (type != NULL) *type++ = '\0';
        assert_int_equal(X509_NAME_add_entry_by_txt(
                             name, key, type == NULL ? default_type(key) : string_type(type),
                             (const unsigned char *)value, -1, -1, joined ? -1 : 0), 1);
    }
    *der = NULL;
    len = i2d_X509_NAME(name, der);
    assert_true(len > 0);
    view = ca_bytes_of(*der, (size_t)len);
    if (ca_name_check(view, &empty, &err) != CA_OK) fail_msg("%s: %s", text, err.text);
    X509_NAME_free(name);
    free(copy);
    return view;
}
