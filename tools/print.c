#include "tools/print.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum ca_status print_status(struct ca_error *err)
{
    if (ferror(stdout) == 0) return CA_OK;
    return ca_fail(err, CA_IO, "cannot write to standard output");
}

enum ca_status print_flush(struct ca_error *err)
{
    (void)fflush(stdout);       /* print_status looks at it */
    return print_status(err);
}

enum ca_status print_buf(const struct ca_buf *buf, struct ca_error *err)
{
    enum ca_status st = ca_buf_status(buf, "the result", err);

    if (st != CA_OK) return st;
    if (buf->len == 0) return CA_OK;
    (void)fwrite(buf->data, 1, buf->len, stdout);   /* print_status looks at it */
    return print_status(err);
}

static enum ca_status load(struct ca_bytes json, json_t **out, struct ca_error *err)
{
    json_error_t why;

    *out = json_loadb((const char *)json.data, json.len, 0, &why);
    if (*out == NULL) return ca_fail(err, CA_CORRUPT, "the result is no JSON: %s", why.text);
    return CA_OK;
}

enum ca_status print_json(struct ca_bytes json, struct ca_error *err)
{
    json_t *root = NULL;
    enum ca_status st = load(json, &root, err);

    if (st != CA_OK) return st;
    (void)json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(PRINT_REAL_DIGITS));
    (void)putchar('\n');
    json_decref(root);
    return print_status(err);
}

void print_clean(FILE *stream, const char *text)
{
    for (; *text != '\0'; text++) {
        bool control = (unsigned char)*text < 0x20 || *text == 0x7f;

        (void)fputc(control ? '?' : *text, stream);
    }
}

static void print_value(const json_t *value)
{
    size_t index;
    const json_t *item;

    switch (json_typeof(value)) {
    case JSON_STRING: print_clean(stdout, json_string_value(value)); break;
    case JSON_INTEGER: printf("%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: printf("%.*g", PRINT_REAL_DIGITS, json_real_value(value)); break;
    case JSON_TRUE: printf("yes"); break;
    case JSON_FALSE: printf("no"); break;
    case JSON_NULL: break;
    case JSON_OBJECT: (void)json_dumpf(value, stdout, JSON_COMPACT); break;
    case JSON_ARRAY:
        json_array_foreach(value, index, item) {
            if (index > 0) printf(", ");
            print_value(item);
        }
        break;
    }
}

/* The widest name, with two columns for each level inside; objects inside lists are compact. */
static int fields_width(json_t *object, int indent)
{
    int width = 0;
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value) {
        int own = indent + (int)strlen(name);
        int inner = json_is_object(value) ? fields_width(value, indent + 2) : 0;

        if (own > width) width = own;
        if (inner > width) width = inner;
    }
    return width;
}

/* True for what has nothing to show, at any depth. */
static bool is_empty(json_t *value)
{
    const char *name;
    json_t *inner;

    if (json_is_null(value)) return true;
    if (json_is_string(value)) return json_string_length(value) == 0;
    if (json_is_array(value)) return json_array_size(value) == 0;
    if (!json_is_object(value)) return false;
    json_object_foreach(value, name, inner) {
        if (!is_empty(inner)) return false;
    }
    return true;
}

/* Our own documents are a few levels deep; jansson bounds the depth of what it reads. */
static void print_object(json_t *object, int indent, int width)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value) {
        if (is_empty(value)) continue;
        printf("%*s", indent, "");
        for (const char *at = name; *at != '\0'; at++) (void)putchar(*at == '_' ? ' ' : *at);
        if (json_is_object(value)) {
            (void)putchar('\n');
            print_object(value, indent + 2, width);
            continue;
        }
        printf("%*s  ", width - indent - (int)strlen(name), "");
        print_value(value);
        (void)putchar('\n');
    }
}

enum ca_status print_fields(struct ca_bytes json, struct ca_error *err)
{
    json_t *root = NULL;
    enum ca_status st = load(json, &root, err);

    if (st != CA_OK) return st;
    print_object(root, 0, fields_width(root, 0));
    json_decref(root);
    return print_status(err);
}
