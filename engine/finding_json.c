#include "engine/finding_json.h"

#include "engine/charset.h"
#include "engine/der.h"
#include "engine/pattern.h"
#include "engine/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 40     /* characters of a name that guesses are made for */
#define NEAR_MAX 2      /* changes between a name and one that it may have meant */

struct ca_finding_path ca_finding_join(const char *path, const char *member)
{
    struct ca_finding_path joined;

    /* What is cut here belongs to a sentence only. */
    (void)snprintf(joined.text, sizeof(joined.text), "%s%s%s", path, path[0] == '\0' ? "" : ".",
                   member);
    return joined;
}

struct ca_finding_path ca_finding_at(const char *path, size_t index)
{
    struct ca_finding_path joined;

    (void)snprintf(joined.text, sizeof(joined.text), "%s[%zu]", path, index);
    return joined;
}

/* Guessing what was meant */

/* Case and the dash are what is mistaken most, and are no change. */
static char fold(char c)
{
    if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
    return c == '-' ? '_' : c;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t low = a < b ? a : b;

    return low < c ? low : c;
}

/* Insertions, deletions and replacements from one word to the other (Wagner and Fischer, one row).
 * Words longer than WORD_MAX are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], a_len = strlen(a), b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++) row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t replaced = diagonal + (fold(a[i - 1]) == fold(b[j - 1]) ? 0 : 1);

            row[j] = least(replaced, above + 1, row[j - 1] + 1);
            diagonal = above;
        }
    }
    return row[b_len];
}

/* The likeliest of the names, or NULL. Short words are near to everything, so that they must differ
 * in less than half of their letters. */
static const char *guess(const char *word, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = NEAR_MAX + 1;

    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, names[i]);

        if (d >= best_distance || 2 * d >= strlen(names[i])) continue;
        best = names[i];
        best_distance = d;
    }
    return best;
}

/* Members */

static bool is_one_of(const char *word, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, names[i]) == 0) return true;
    }
    return false;
}

bool ca_finding_object(struct ca_findings *findings, const json_t *value, const char *path,
                       const char *const *members, size_t count)
{
    json_t *walked = ca_shape_mutable(value);
    const char *key;
    json_t *ignored;
    bool good = true;

    if (!json_is_object(value)) {
        ca_finding_add(findings, path, "must be an object");
        return false;
    }
    json_object_foreach(walked, key, ignored) {
        const char *near;

        if (is_one_of(key, members, count)) continue;
        good = false;
        near = guess(key, members, count);
        if (near != NULL) {
            ca_finding_add(findings, ca_finding_join(path, key).text,
                           "is an unknown member; did you mean \"%s\"?", near);
        } else {
            ca_finding_add(findings, ca_finding_join(path, key).text, "is an unknown member");
        }
    }
    return good;
}

const char *ca_finding_text_value(struct ca_findings *findings, const json_t *value,
                                  const char *path, size_t min, size_t max)
{
    const char *text = json_string_value(value);
    size_t characters = 0;

    if (text == NULL) {
        ca_finding_add(findings, path, "must be a string");
        return NULL;
    }
    if (ca_charset_utf8(ca_bytes_str(text), &characters) != strlen(text)) {
        ca_finding_add(findings, path, "has a character that cannot be printed");
        return NULL;
    }
    if (characters < min || characters > max) {
        ca_finding_add(findings, path, "has %zu characters, not %zu to %zu", characters, min, max);
        return NULL;
    }
    return text;
}

const char *ca_finding_text(struct ca_findings *findings, const json_t *object, const char *path,
                            const char *member, size_t min, size_t max)
{
    const json_t *value = json_object_get(object, member);

    if (value == NULL) return NULL;
    return ca_finding_text_value(findings, value, ca_finding_join(path, member).text, min, max);
}

bool ca_finding_number(struct ca_findings *findings, const json_t *object, const char *path,
                       const char *member, int64_t min, int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(object, member);
    int64_t number = json_integer_value(value);

    if (value == NULL) return false;
    if (!json_is_integer(value)) {
        ca_finding_add(findings, ca_finding_join(path, member).text,
                       "must be a whole number from %" PRId64 " to %" PRId64, min, max);
        return false;
    }
    if (number < min || number > max) {
        ca_finding_add(findings, ca_finding_join(path, member).text,
                       "is %" PRId64 ", not %" PRId64 " to %" PRId64, number, min, max);
        return false;
    }
    *out = number;
    return true;
}

bool ca_finding_flag(struct ca_findings *findings, const json_t *object, const char *path,
                     const char *member, bool *out)
{
    const json_t *value = json_object_get(object, member);

    if (value == NULL) return false;
    if (!json_is_boolean(value)) {
        ca_finding_add(findings, ca_finding_join(path, member).text, "must be true or false");
        return false;
    }
    *out = json_is_true(value);
    return true;
}

const json_t *ca_finding_list(struct ca_findings *findings, const json_t *object,
                              const char *path, const char *member, size_t min, size_t max)
{
    const json_t *value = json_object_get(object, member);
    struct ca_finding_path at = ca_finding_join(path, member);

    if (value == NULL) return NULL;
    if (!json_is_array(value)) {
        ca_finding_add(findings, at.text, "must be a list");
        return NULL;
    }
    if (json_array_size(value) < min || json_array_size(value) > max) {
        ca_finding_add(findings, at.text, "has %zu items, not %zu to %zu", json_array_size(value),
                       min, max);
        return NULL;
    }
    return value;
}

/* "a", "b" or "c", as far as it fits. */
static void list_choices(const char *const *choices, size_t count, char *out, size_t cap)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count && used < cap; i++) {
        const char *separator = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        int n = snprintf(out + used, cap - used, "%s\"%s\"", separator, choices[i]);

        used += n > 0 ? (size_t)n : 0;
    }
}

bool ca_finding_choice_value(struct ca_findings *findings, const json_t *value, const char *path,
                             const char *const *choices, size_t count, size_t *out)
{
    const char *text = json_string_value(value);
    const char *near;
    char all[CA_ERROR_TEXT_MAX];
    int shown;

    for (size_t i = 0; text != NULL && i < count; i++) {
        if (strcmp(text, choices[i]) != 0) continue;
        *out = i;
        return true;
    }
    list_choices(choices, count, all, sizeof(all));
    near = text != NULL ? guess(text, choices, count) : NULL;
    shown = text != NULL ? ca_shown_len(ca_bytes_str(text)) : 0;
    if (near != NULL) {
        ca_finding_add(findings, path, "is \"%.*s\"; did you mean \"%s\"?", shown, text, near);
    } else if (text != NULL) {
        ca_finding_add(findings, path, "is \"%.*s\", not %s", shown, text, all);
    } else {
        ca_finding_add(findings, path, "must be %s", all);
    }
    return false;
}

bool ca_finding_choice(struct ca_findings *findings, const json_t *object, const char *path,
                       const char *member, const char *const *choices, size_t count, size_t *out)
{
    const json_t *value = json_object_get(object, member);

    if (value == NULL) return false;
    return ca_finding_choice_value(findings, value, ca_finding_join(path, member).text, choices,
                                   count, out);
}

void ca_finding_wrong(struct ca_findings *findings, const json_t *value, const char *path,
                      const char *expected)
{
    const char *text = json_string_value(value);

    if (text != NULL) {
        ca_finding_add(findings, path, "is \"%.*s\", not %s", ca_shown_len(ca_bytes_str(text)),
                       text, expected);
    } else {
        ca_finding_add(findings, path, "must be %s, in a string", expected);
    }
}

bool ca_finding_oid(struct ca_findings *findings, const json_t *value, const char *path,
                    struct ca_buf *out)
{
    const char *text = json_string_value(value);
    struct ca_error why = { .status = CA_OK };

    if (text != NULL && ca_der_oid_parse(text, out, &why) == CA_OK) return true;
    if (why.status == CA_NOMEM || why.status == CA_FULL) return true;   /* out remembers it */
    ca_finding_wrong(findings, value, path, "an object identifier of at most 64 octets");
    return false;
}
