#include "engine/name_rules_json.h"

#include "engine/name_rules_read.h"
#include "engine/shape.h"

#include <stdlib.h>
#include <string.h>

#define CHARS_MAX 32768             /* ub-name; a request is not longer */
#define TEXTS_MAX (1u << 20)
#define FIXED_RDN_MAX 2048

/* Attribute types */

struct keyword {
    const char *text;
    const char *oid;
};

/* First the members of AWS's ASN1Subject in their order: fixed values are put in likewise. */
static const struct keyword keywords[] = {
    { "C", "2.5.4.6" },
    { "O", "2.5.4.10" },
    { "OU", "2.5.4.11" },
    { "dnQualifier", "2.5.4.46" },
    { "ST", "2.5.4.8" },
    { "CN", "2.5.4.3" },
    { "serialNumber", "2.5.4.5" },
    { "L", "2.5.4.7" },
    { "title", "2.5.4.12" },
    { "surname", "2.5.4.4" },
    { "givenName", "2.5.4.42" },
    { "initials", "2.5.4.43" },
    { "pseudonym", "2.5.4.65" },
    { "generationQualifier", "2.5.4.44" },
    { "street", "2.5.4.9" },
    { "postalCode", "2.5.4.17" },
    { "organizationIdentifier", "2.5.4.97" },
    { "UID", "0.9.2342.19200300.100.1.1" },
    { "DC", "0.9.2342.19200300.100.1.25" },
    { "emailAddress", "1.2.840.113549.1.9.1" },
};
#define KEYWORD_COUNT CA_COUNT(keywords)

struct attribute_type {
    const char *dotted;
    struct ca_bytes oid;            /* kept with the rules */
    unsigned rank;
};

static bool read_attribute_type(struct ca_rules_reader *r, const char *text, const char *path,
                                struct attribute_type *out)
{
    const char *what = "a keyword such as CN, O or serialNumber, or an OID such as 2.5.4.3";
    char dotted[64];

    *out = (struct attribute_type){ .dotted = text, .rank = KEYWORD_COUNT };
    for (unsigned i = 0; i < KEYWORD_COUNT; i++) {
        if (strcmp(text, keywords[i].text) == 0) out->dotted = keywords[i].oid;
    }
    if (!ca_rules_read_oid(r, out->dotted, path, what, &out->oid)) return false;
    ca_der_oid_text(out->oid, dotted, sizeof(dotted));
    for (unsigned i = 0; i < KEYWORD_COUNT; i++) {
        if (strcmp(dotted, keywords[i].oid) == 0) out->rank = i;
    }
    return true;
}

/* Subject: one attribute */

struct attribute_target {
    struct ca_attribute_rule *rule;
    const char *dotted;
};

static void read_presence(struct ca_rules_reader *r, const json_t *value, const char *path,
                          void *target)
{
    static const char *const words[] = { "optional", "required", "forbidden" };
    struct attribute_target *to = target;
    unsigned word = 0;

    ca_rules_read_word(r, value, path, words, 3, "\"required\", \"optional\" or \"forbidden\"",
                       &word);
    to->rule->presence = (enum ca_presence)word;
}

/* What engine/name.h says about values of this type, it says here too. */
static void read_fixed(struct ca_rules_reader *r, const json_t *value, const char *path,
                       void *target)
{
    struct attribute_target *to = target;
    struct ca_bytes text = { .len = 0 };
    struct ca_error why;
    struct ca_buf rdn;
    enum ca_status st;

    if (!ca_rules_read_text(r, value, path, "a string", &text)) return;
    ca_buf_init(&rdn, FIXED_RDN_MAX);
    st = ca_name_add_custom(&rdn, to->dotted, json_string_value(value), &why);
    if (st == CA_NOMEM) {
        ca_rules_no_memory(r);
    } else if (st != CA_OK) {
        ca_finding_add(r->findings, path, "cannot stand in a subject: %s", why.text);
    } else if (ca_rules_keep(r, ca_buf_view(&rdn), &to->rule->fixed_rdn)) {
        (void)ca_rules_keep(r, text, &to->rule->fixed);
    }
    ca_buf_clear(&rdn);
}

static void read_attribute_pattern(struct ca_rules_reader *r, const json_t *value, const char *path,
                                   void *target)
{
    struct attribute_target *to = target;

    (void)ca_rules_read_pattern(r, value, path, &to->rule->pattern);
}

static void read_min_length(struct ca_rules_reader *r, const json_t *value, const char *path,
                            void *target)
{
    struct attribute_target *to = target;

    ca_rules_read_number(r, value, path, 1, CHARS_MAX, &to->rule->chars_min);
}

static void read_max_length(struct ca_rules_reader *r, const json_t *value, const char *path,
                            void *target)
{
    struct attribute_target *to = target;

    ca_rules_read_number(r, value, path, 1, CHARS_MAX, &to->rule->chars_max);
}

static void read_max_count(struct ca_rules_reader *r, const json_t *value, const char *path,
                           void *target)
{
    struct attribute_target *to = target;

    ca_rules_read_number(r, value, path, 1, CA_RDNS_MAX, &to->rule->count_max);
}

/* What no request could satisfy is a mistake too. */
static void check_attribute(struct ca_rules_reader *r, const struct ca_attribute_rule *rule,
                            const char *path)
{
    struct ca_error why;
    enum ca_status st;

    if (rule->chars_min > rule->chars_max)
        ca_finding_add(r->findings, ca_rules_path_join(path, "min_length").text,
                       "is %u, expected at most max_length, which is %u",
                       (unsigned)rule->chars_min, (unsigned)rule->chars_max);
    if (rule->fixed.len == 0) return;
    if (rule->presence == CA_PRESENCE_FORBIDDEN)
        ca_finding_add(r->findings, ca_rules_path_join(path, "fixed").text,
                       "stands beside \"presence\": \"forbidden\", expected one of them");
    ca_matcher_begin(r->matcher);
    st = ca_attribute_rule_judge(rule, r->matcher, rule->fixed, &why);
    if (st == CA_REFUSED)
        ca_finding_add(r->findings, ca_rules_path_join(path, "fixed").text,
                       "breaks the other members' rules: it %s", why.text);
    if (st == CA_NOMEM) ca_rules_no_memory(r);
}

static void read_attribute(struct ca_rules_reader *r, const char *key, const json_t *value,
                           const char *path)
{
    static const struct ca_rules_member members[] = {
        { "presence", read_presence },         { "fixed", read_fixed },
        { "pattern", read_attribute_pattern }, { "min_length", read_min_length },
        { "max_length", read_max_length },     { "max_count", read_max_count },
    };
    struct ca_name_rules *rules = r->rules;
    struct ca_attribute_rule *rule;
    struct attribute_target target;
    struct attribute_type type;
    struct ca_bytes label = { .len = 0 };

    if (!read_attribute_type(r, key, path, &type)) return;
    for (size_t i = 0; i < rules->attribute_count; i++) {
        if (!ca_bytes_equal(rules->attributes[i].oid, type.oid)) continue;
        ca_finding_add(r->findings, path, "is the same attribute as %.60s, expected one of them",
                       rules->attributes[i].label);
        return;
    }
    if (rules->attribute_count == CA_RDNS_MAX) {
        ca_finding_add(r->findings, path, "is one attribute too many, expected at most %d",
                       CA_RDNS_MAX);
        return;
    }
    /* With its terminating zero. */
    if (!ca_rules_keep(r, ca_bytes_of(key, strlen(key) + 1), &label)) return;
    rule = &rules->attributes[rules->attribute_count++];
    *rule = (struct ca_attribute_rule){ .oid = type.oid, .label = (const char *)label.data,
                                        .rank = type.rank, .chars_min = 1,
                                        .chars_max = CHARS_MAX, .count_max = 1 };
    target = (struct attribute_target){ .rule = rule, .dotted = type.dotted };
    if (ca_rules_read_object(r, value, path, members, CA_COUNT(members),
                             &target))
        check_attribute(r, rule, path);
}

/* Subject: the whole */

static void read_attributes(struct ca_rules_reader *r, const json_t *value, const char *path,
                            void *target)
{
    json_t *walked = ca_shape_mutable(value);
    const char *key;
    json_t *inner;

    (void)target;
    if (!json_is_object(value)) {
        ca_rules_expected(r, path, value, "an object");
        return;
    }
    json_object_foreach(walked, key, inner) {
        read_attribute(r, key, inner, ca_rules_path_join(path, key).text);
        if (r->st != CA_OK) return;
    }
}

static void read_allow_or_forbid(struct ca_rules_reader *r, const json_t *value, const char *path,
                                 bool *forbidden)
{
    static const char *const words[] = { "allow", "forbid" };
    unsigned word = 0;

    ca_rules_read_word(r, value, path, words, 2, "\"allow\" or \"forbid\"", &word);
    *forbidden = word == 1;
}

static void read_others(struct ca_rules_reader *r, const json_t *value, const char *path,
                        void *target)
{
    (void)target;
    read_allow_or_forbid(r, value, path, &r->rules->others_forbidden);
}

static void read_empty(struct ca_rules_reader *r, const json_t *value, const char *path,
                       void *target)
{
    (void)target;
    read_allow_or_forbid(r, value, path, &r->rules->empty_forbidden);
}

static void read_place(struct ca_rules_reader *r, const json_t *value, const char *path)
{
    struct ca_name_rules *rules = r->rules;
    struct attribute_type type;
    struct ca_bytes text = { .len = 0 };

    if (!ca_rules_read_text(r, value, path, "an attribute's keyword or OID", &text)) return;
    if (!read_attribute_type(r, json_string_value(value), path, &type)) return;
    for (size_t i = 0; i < rules->order_count; i++) {
        if (!ca_bytes_equal(rules->order[i], type.oid)) continue;
        ca_finding_add(r->findings, path, "is \"%.60s\" again, expected each attribute once",
                       json_string_value(value));
        return;
    }
    rules->order[rules->order_count++] = type.oid;
}

static void read_order(struct ca_rules_reader *r, const json_t *value, const char *path,
                       void *target)
{
    size_t count = ca_rules_read_list(r, value, path, CA_RDNS_MAX);

    (void)target;
    for (size_t i = 0; i < count && r->st == CA_OK; i++)
        read_place(r, json_array_get(value, i), ca_rules_path_at(path, i).text);
}

/* The order of a JSON object's members must not decide what a certificate looks like. */
static int compare_attributes(const void *a, const void *b)
{
    const struct ca_attribute_rule *x = a, *y = b;
    size_t common = x->oid.len < y->oid.len ? x->oid.len : y->oid.len;
    int order;

    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    order = memcmp(x->oid.data, y->oid.data, common);
    if (order != 0) return order;
    return x->oid.len < y->oid.len ? -1 : x->oid.len > y->oid.len;
}

static void read_subject(struct ca_rules_reader *r, const json_t *subject)
{
    static const struct ca_rules_member members[] = {
        { "attributes", read_attributes },
        { "others", read_others },
        { "order", read_order },
        { "empty", read_empty },
    };
    struct ca_name_rules *rules = r->rules;

    rules->has_subject = true;
    (void)ca_rules_read_object(r, subject, "subject", members, CA_COUNT(members),
                               NULL);
    if (rules->attribute_count > 1)
        qsort(rules->attributes, rules->attribute_count, sizeof(rules->attributes[0]),
              compare_attributes);
}

/* The whole */

enum ca_status ca_name_rules_parse(const json_t *subject, const json_t *san,
                                   struct ca_findings *findings, struct ca_name_rules **out,
                                   struct ca_error *err)
{
    struct ca_rules_reader r = { .findings = findings, .err = err };
    size_t found = findings->total, first = findings->count;

    *out = NULL;
    if (subject == NULL && san == NULL) return CA_OK;
    r.st = ca_matcher_new(&r.matcher, err);
    if (r.st != CA_OK) return r.st;
    r.rules = calloc(1, sizeof(*r.rules));
    if (r.rules == NULL) {
        ca_rules_no_memory(&r);
        goto out;
    }
    ca_arena_init(&r.rules->texts, 2048, TEXTS_MAX);
    if (subject != NULL) read_subject(&r, subject);
    if (san != NULL && r.st == CA_OK) ca_rules_read_san(&r, san);
    if (r.st != CA_OK) goto out;
    if (findings->total > found) {
        const struct ca_finding *finding = first < findings->count ? &findings->items[first] : NULL;

        r.st = finding == NULL
                   ? ca_fail_named(err, CA_REFUSED, "template", "has too many mistakes")
                   : ca_fail_named(err, CA_REFUSED, "template", "%.60s: %s", finding->path,
                                   finding->text);
        goto out;
    }
    *out = r.rules;
    r.rules = NULL;
out:
    ca_name_rules_free(r.rules);
    ca_matcher_free(r.matcher);
    return r.st;
}
