#include "batch/ca_row.h"
#include "engine/ca_config.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static enum ca_status load_tags(struct ca_bytes json, json_t **out, struct ca_error *err)
{
    json_t *array = json.len == 0
        ? json_array()
        : json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);

    if (array == NULL || !json_is_array(array)) {
        json_decref(array);
        return ca_fail_named(err, CA_CORRUPT, "bad-row", "the tags of a CA cannot be read");
    }
    *out = array;
    return CA_OK;
}

static enum ca_status save_tags(const json_t *array, struct ca_buf *out, struct ca_error *err)
{
    char *text = json_dumps(array, JSON_COMPACT | JSON_PRESERVE_ORDER);

    if (text == NULL) return ca_fail(err, CA_NOMEM, "no memory for tags");
    ca_buf_append_str(out, text);
    free(text);
    return ca_buf_status(out, "the tags", err);
}

/* Index of the tag with this key, or the size of the array. */
static size_t find_tag(const json_t *array, const char *key)
{
    size_t i;

    for (i = 0; i < json_array_size(array); i++) {
        const char *have = json_string_value(json_object_get(json_array_get(array, i), "Key"));

        if (have != NULL && strcmp(have, key) == 0) break;
    }
    return i;
}

static enum ca_status set_tag(json_t *array, const struct batch_tag *tag, struct ca_error *err)
{
    const char *value = tag->value != NULL ? tag->value : "";
    size_t at = find_tag(array, tag->key);
    json_t *object;
    int failed;

    if (at == BATCH_TAGS_MAX) {
        return ca_fail_named(err, CA_REFUSED, "too-many-tags", "a CA has at most %d tags",
                             BATCH_TAGS_MAX);
    }
    object = json_pack("{s:s, s:s}", "Key", tag->key, "Value", value);
    if (object == NULL) {
        /* The rules were checked; what is left is text that is no UTF-8, or no memory. */
        return ca_fail_named(err, CA_REFUSED, "tag", "a tag must be valid UTF-8");
    }
    failed = at < json_array_size(array) ? json_array_set_new(array, at, object)
                                         : json_array_append_new(array, object);
    return failed ? ca_fail(err, CA_NOMEM, "no memory for tags") : CA_OK;
}

enum ca_status batch_tags_set(struct ca_bytes json, const struct batch_tag *tags, size_t count,
                              struct ca_buf *out, struct ca_error *err)
{
    json_t *array = NULL;
    enum ca_status st = load_tags(json, &array, err);

    for (size_t i = 0; st == CA_OK && i < count; i++) {
        st = ca_tag_check(tags[i].key, tags[i].value != NULL ? tags[i].value : "", err);
        if (st == CA_OK) st = set_tag(array, &tags[i], err);
    }
    if (st == CA_OK) st = save_tags(array, out, err);
    json_decref(array);
    return st;
}

static void unset_tag(json_t *array, const struct batch_tag *tag)
{
    size_t at = find_tag(array, tag->key);
    const char *have;

    if (at == json_array_size(array)) return;
    have = json_string_value(json_object_get(json_array_get(array, at), "Value"));
    if (tag->value != NULL && (have == NULL || strcmp(have, tag->value) != 0)) return;
    (void)json_array_remove(array, at);     /* fails for an index past the end only */
}

enum ca_status batch_tags_unset(struct ca_bytes json, const struct batch_tag *tags, size_t count,
                                struct ca_buf *out, struct ca_error *err)
{
    json_t *array = NULL;
    enum ca_status st = load_tags(json, &array, err);

    for (size_t i = 0; st == CA_OK && i < count; i++) {
        st = ca_tag_check(tags[i].key, tags[i].value != NULL ? tags[i].value : "", err);
        if (st == CA_OK) unset_tag(array, &tags[i]);
    }
    if (st == CA_OK) st = save_tags(array, out, err);
    json_decref(array);
    return st;
}
