#include "engine/name_rules_read.h"

#include "engine/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OID_OCTETS_MAX 64

/* Paths, findings */

struct ca_rules_path ca_rules_path_join(const char *path, const char *member)
{
    struct ca_rules_path joined;

    (void)snprintf(joined.text, sizeof(joined.text), "%.80s.%.70s", path, member);
    return joined;
}

struct ca_rules_path ca_rules_path_at(const char *path, size_t index)
{
    struct ca_rules_path joined;

    (void)snprintf(joined.text, sizeof(joined.text), "%.130s[%zu]", path, index);
    return joined;
}

void ca_rules_no_memory(struct ca_rules_reader *r)
{
    r->st = ca_fail(r->err, CA_NOMEM, "no memory for a template's name rules");
}

static const char *type_phrase(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "a whole number";
    case JSON_REAL: return "a number with a fraction";
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_NULL: return "null";
    }
    return "something else";
}

void ca_rules_expected(struct ca_rules_reader *r, const char *path, const json_t *value,
                       const char *what)
{
    if (json_is_string(value)) {
        struct ca_bytes text = ca_bytes_of(json_string_value(value), json_string_length(value));

        ca_finding_add(r->findings, path, "is \"%.*s\", expected %s", ca_shown_len(text),
                       json_string_value(value), what);
        return;
    }
    ca_finding_add(r->findings, path, "is %s, expected %s", type_phrase(value), what);
}

/* Values */

bool ca_rules_read_text(struct ca_rules_reader *r, const json_t *value, const char *path,
                        const char *what, struct ca_bytes *out)
{
    if (!json_is_string(value)) {
        ca_rules_expected(r, path, value, what);
        return false;
    }
    *out = ca_bytes_of(json_string_value(value), json_string_length(value));
    return true;
}

void ca_rules_read_flag(struct ca_rules_reader *r, const json_t *value, const char *path, bool *out)
{
    if (json_is_boolean(value)) *out = json_is_true(value);
    else ca_rules_expected(r, path, value, "true or false");
}

void ca_rules_read_number(struct ca_rules_reader *r, const json_t *value, const char *path,
                          uint32_t min, uint32_t max, uint32_t *out)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value)) {
        ca_rules_expected(r, path, value, "a whole number");
    } else if (number < (json_int_t)min || number > (json_int_t)max) {
        ca_finding_add(r->findings, path, "is %lld, expected %u to %u", (long long)number,
                       (unsigned)min, (unsigned)max);
    } else {
        *out = (uint32_t)number;
    }
}

void ca_rules_read_word(struct ca_rules_reader *r, const json_t *value, const char *path,
                        const char *const words[], unsigned count, const char *what, unsigned *out)
{
    const char *text = json_string_value(value);

    for (unsigned i = 0; text != NULL && i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return;
        }
    }
    ca_rules_expected(r, path, value, what);
}

size_t ca_rules_read_list(struct ca_rules_reader *r, const json_t *value, const char *path,
                          size_t max)
{
    size_t count = json_array_size(value);

    if (!json_is_array(value)) {
        ca_rules_expected(r, path, value, "a list");
    } else if (count < 1 || count > max) {
        ca_finding_add(r->findings, path, "has %zu entries, expected 1 to %zu", count, max);
    } else {
        return count;
    }
    return 0;
}

void *ca_rules_new_array(struct ca_rules_reader *r, size_t count, size_t size)
{
    void *array = calloc(count, size);

    if (array == NULL) ca_rules_no_memory(r);
    return array;
}

bool ca_rules_keep(struct ca_rules_reader *r, struct ca_bytes bytes, struct ca_bytes *out)
{
    enum ca_status st = ca_arena_copy(&r->rules->texts, bytes, "a template's name rules", out,
                                      r->err);

    if (st != CA_OK) r->st = st;
    return st == CA_OK;
}

static const struct ca_rules_member *find_member(const struct ca_rules_member *members,
                                                 size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(members[i].name, name) == 0) return &members[i];
    }
    return NULL;
}

static void unknown_member(struct ca_rules_reader *r, const char *path,
                           const struct ca_rules_member *members, size_t count)
{
    char known[128] = "";
    size_t len = 0;

    for (size_t i = 0; i < count && len < sizeof(known); i++) {
        int added = snprintf(known + len, sizeof(known) - len, "%s%s", i == 0 ? "" : ", ",
                             members[i].name);

        if (added < 0) break;
        len += (size_t)added;
    }
    ca_finding_add(r->findings, path, "is an unknown member, expected one of %s", known);
}

bool ca_rules_read_object(struct ca_rules_reader *r, const json_t *object, const char *path,
                          const struct ca_rules_member *members, size_t count, void *target)
{
    json_t *walked = ca_shape_mutable(object);
    const char *key;
    json_t *value;

    if (!json_is_object(object)) {
        ca_rules_expected(r, path, object, "an object");
        return false;
    }
    json_object_foreach(walked, key, value) {
        const struct ca_rules_member *member = find_member(members, count, key);
        struct ca_rules_path inner = ca_rules_path_join(path, key);

        if (member != NULL) member->read(r, value, inner.text, target);
        else unknown_member(r, inner.text, members, count);
        if (r->st != CA_OK) return false;
    }
    return true;
}

bool ca_rules_read_pattern(struct ca_rules_reader *r, const json_t *value, const char *path,
                           struct ca_pattern **out)
{
    struct ca_bytes text = { .len = 0 };
    struct ca_error why;
    enum ca_status st;

    if (!ca_rules_read_text(r, value, path, "a regular expression in a string", &text))
        return false;
    st = ca_pattern_new(text, out, &why);
    if (st == CA_OK) return true;
    if (st == CA_REFUSED) ca_finding_add(r->findings, path, "%s", why.text);
    else ca_rules_no_memory(r);
    return false;
}

bool ca_rules_read_oid(struct ca_rules_reader *r, const char *text, const char *path,
                       const char *what, struct ca_bytes *out)
{
    struct ca_buf oid;
    struct ca_error why;
    enum ca_status st;
    bool good = false;

    ca_buf_init(&oid, OID_OCTETS_MAX);
    st = ca_der_oid_parse(text, &oid, &why);
    if (st == CA_OK) {
        good = ca_rules_keep(r, ca_buf_view(&oid), out);
    } else if (st == CA_NOMEM) {
        ca_rules_no_memory(r);
    } else {
        ca_finding_add(r->findings, path, "is \"%.*s\", expected %s",
                       ca_shown_len(ca_bytes_str(text)), text, what);
    }
    ca_buf_clear(&oid);
    return good;
}
