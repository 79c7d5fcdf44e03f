#include "batch/job_args.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void batch_job_args_clear(struct batch_job_args *args)
{
    for (size_t i = 0; i < args->input_count; i++) {
        free(args->inputs[i]);
    }
    free(args->inputs);
    free(args->ca);
    free(args->tmpl);
    free(args->tmpl_source);
    free(args->api_json);
    free(args->blocklist);
    *args = (struct batch_job_args){ 0 };
}

static enum ca_status no_memory(struct ca_error *err)
{
    return ca_fail(err, CA_NOMEM, "no memory for a job's arguments");
}

static bool is_utf8(const char *text)
{
    struct ca_bytes rest = ca_bytes_str(text);

    while (rest.len > 0) {
        size_t len = ca_utf8_sequence(rest);

        if (len == 0) return false;
        rest = ca_bytes_of(rest.data + len, rest.len - len);
    }
    return true;
}

static enum ca_status input_absolute(const char *input, char **out, struct ca_error *err)
{
    char *path = strcmp(input, "-") == 0 ? strdup(input) : realpath(input, NULL);

    if (path == NULL && (errno == ENOMEM || strcmp(input, "-") == 0)) return no_memory(err);
    if (path == NULL) {
        return ca_fail_named(err, CA_REFUSED, "input", "cannot read %s: %s", input,
                             strerror(errno));
    }
    if (!is_utf8(path)) {
        (void)ca_fail_named(err, CA_REFUSED, "input", "the name of an input is not UTF-8");
        ca_hint(err, "rename the file or its directory, or pipe it in: "
                     "certmill batch run ... - < FILE");
        free(path);
        return CA_REFUSED;
    }
    *out = path;
    return CA_OK;
}

enum ca_status batch_job_args_set_inputs(struct batch_job_args *args, const char *const *inputs,
                                         size_t count, struct ca_error *err)
{
    size_t streams = 0;

    if (count == 0) return ca_fail_named(err, CA_REFUSED, "input", "a job needs an input");
    if (count > BATCH_JOB_INPUTS_MAX) {
        (void)ca_fail_named(err, CA_REFUSED, "input", "%zu inputs are more than the %d of a job",
                            count, BATCH_JOB_INPUTS_MAX);
        ca_hint(err, "put the requests into one directory and name that");
        return CA_REFUSED;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(inputs[i], "-") == 0) streams++;
    }
    if (streams > 1) {
        return ca_fail_named(err, CA_REFUSED, "input", "standard input is named %zu times",
                             streams);
    }
    args->inputs = calloc(count, sizeof(*args->inputs));
    if (args->inputs == NULL) return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        enum ca_status st = input_absolute(inputs[i], &args->inputs[i], err);

        if (st != CA_OK) return st;
        args->input_count = i + 1;
    }
    return CA_OK;
}

static enum ca_status copy_text(struct ca_bytes text, char **out, struct ca_error *err)
{
    free(*out);
    *out = strndup((const char *)text.data, text.len);
    return *out != NULL ? CA_OK : no_memory(err);
}

enum ca_status batch_job_args_set_terms(struct batch_job_args *args,
                                        const struct batch_terms *terms, bool own_template,
                                        struct ca_error *err)
{
    enum ca_status st = copy_text(ca_bytes_str(terms->tmpl->name), &args->tmpl, err);

    if (st == CA_OK && own_template) st = copy_text(terms->tmpl->source, &args->tmpl_source, err);
    if (st == CA_OK && terms->api != NULL)
        st = copy_text(ca_buf_view(&terms->api_json), &args->api_json, err);
    if (st == CA_OK && terms->blocklist_path != NULL) {
        if (!is_utf8(terms->blocklist_path))
            return ca_fail_named(err, CA_REFUSED, "input",
                                 "the name of the blocklist is not UTF-8");
        st = copy_text(ca_bytes_str(terms->blocklist_path), &args->blocklist, err);
    }
    args->strict = terms->strict;
    return st;
}

static struct ca_bytes view_of(const char *text)
{
    return text != NULL ? ca_bytes_str(text) : ca_bytes_of(NULL, 0);
}

struct batch_terms_spec batch_job_args_terms(const struct batch_job_args *args)
{
    return (struct batch_terms_spec){
        .tmpl = args->tmpl, .tmpl_json = view_of(args->tmpl_source),
        .api_json = view_of(args->api_json), .blocklist = args->blocklist,
        .strict = args->strict,
    };
}

/* ---- JSON ---- */

static int append_text(const char *text, size_t len, void *ctx)
{
    struct ca_buf *out = ctx;

    ca_buf_append(out, text, len);
    return out->failed == CA_OK ? 0 : -1;
}

static json_t *inputs_json(const struct batch_job_args *args)
{
    json_t *inputs = json_array();

    for (size_t i = 0; inputs != NULL && i < args->input_count; i++) {
        if (json_array_append_new(inputs, json_string(args->inputs[i])) != 0) {
            json_decref(inputs);
            inputs = NULL;
        }
    }
    return inputs;
}

/* Adds a member that only some jobs have; value is taken over, NULL: no memory. */
static bool set_new(json_t *root, const char *name, json_t *value)
{
    return json_object_set_new(root, name, value) == 0;
}

static json_t *parsed(const char *json)
{
    return json_loads(json, JSON_REJECT_DUPLICATES, NULL);
}

static bool add_terms(json_t *root, const struct batch_job_args *args)
{
    bool good = true;

    if (args->tmpl_source != NULL)
        good = set_new(root, "template_source", parsed(args->tmpl_source));
    if (good && args->api_json != NULL)
        good = set_new(root, "api_passthrough", parsed(args->api_json));
    if (good && args->blocklist != NULL)
        good = set_new(root, "blocklist", json_string(args->blocklist));
    if (good && args->strict) good = set_new(root, "strict_passthrough", json_true());
    return good;
}

enum ca_status batch_job_args_encode(const struct batch_job_args *args, struct ca_buf *out,
                                     struct ca_error *err)
{
    char validity[CA_VALIDITY_TEXT_MAX];
    json_t *inputs = inputs_json(args);
    json_t *root;
    int rc;

    if (inputs == NULL) return no_memory(err);
    ca_validity_format(&args->validity, validity);
    /* o takes the reference over, also when packing fails. */
    root = json_pack("{s:s, s:s, s:s, s:o, s:b}", "ca", args->ca, "template", args->tmpl,
                     "validity", validity, "inputs", inputs, "per_file", (int)args->per_file);
    if (root == NULL) return no_memory(err);
    if (!add_terms(root, args)) {
        json_decref(root);
        return no_memory(err);
    }
    rc = json_dump_callback(root, append_text, out, JSON_COMPACT);
    json_decref(root);
    if (rc != 0 && out->failed == CA_OK) return no_memory(err);
    return ca_buf_status(out, "a job's arguments", err);
}

static enum ca_status bad_row(const char *what, struct ca_error *err)
{
    return ca_fail_named(err, CA_CORRUPT, "bad-row", "table job: the arguments of a job %s", what);
}

static enum ca_status decode_inputs(json_t *inputs, struct batch_job_args *out,
                                    struct ca_error *err)
{
    size_t count = json_array_size(inputs);

    if (count == 0 || count > BATCH_JOB_INPUTS_MAX) return bad_row("name no inputs", err);
    out->inputs = calloc(count, sizeof(*out->inputs));
    if (out->inputs == NULL) return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const char *input = json_string_value(json_array_get(inputs, i));

        if (input == NULL) return bad_row("have an input that is no string", err);
        out->inputs[i] = strdup(input);
        if (out->inputs[i] == NULL) return no_memory(err);
        out->input_count = i + 1;
    }
    return CA_OK;
}

/* An object's text again, as it was: members keep their order. */
static enum ca_status decode_object(const json_t *object, char **out, struct ca_error *err)
{
    if (!json_is_object(object)) return bad_row("have a text where an object belongs", err);
    *out = json_dumps(object, JSON_COMPACT);
    return *out != NULL ? CA_OK : no_memory(err);
}

static enum ca_status decode_members(json_t *root, struct batch_job_args *out,
                                     struct ca_error *err)
{
    const char *ca, *tmpl, *validity;
    json_t *inputs;
    const char *blocklist = NULL;
    json_t *source = NULL, *api = NULL;
    int per_file, strict = 0;
    enum ca_status st;

    if (json_unpack(root, "{s:s, s:s, s:s, s:o, s:b, s?o, s?o, s?s, s?b !}", "ca", &ca, "template",
                    &tmpl, "validity", &validity, "inputs", &inputs, "per_file", &per_file,
                    "template_source", &source, "api_passthrough", &api, "blocklist", &blocklist,
                    "strict_passthrough", &strict) != 0) {
        return bad_row("have other members", err);
    }
    if (!json_is_array(inputs)) return bad_row("have inputs that are no array", err);
    if (ca_validity_parse(validity, &out->validity, NULL) != CA_OK) {
        return bad_row("have no validity", err);
    }
    out->per_file = per_file != 0;
    out->strict = strict != 0;
    st = copy_text(ca_bytes_str(ca), &out->ca, err);
    if (st == CA_OK) st = copy_text(ca_bytes_str(tmpl), &out->tmpl, err);
    if (st == CA_OK && blocklist != NULL)
        st = copy_text(ca_bytes_str(blocklist), &out->blocklist, err);
    if (st == CA_OK && source != NULL) st = decode_object(source, &out->tmpl_source, err);
    if (st == CA_OK && api != NULL) st = decode_object(api, &out->api_json, err);
    return st == CA_OK ? decode_inputs(inputs, out, err) : st;
}

enum ca_status batch_job_args_decode(struct ca_bytes json, struct batch_job_args *out,
                                     struct ca_error *err)
{
    json_t *root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
    enum ca_status st;

    *out = (struct batch_job_args){ 0 };
    if (root == NULL) return bad_row("are no JSON", err);
    st = decode_members(root, out, err);
    json_decref(root);
    if (st != CA_OK) batch_job_args_clear(out);
    return st;
}

/* ---- where the outputs go ---- */

static enum ca_status refuse_out_dir(const char *dir, int errnum, struct ca_error *err)
{
    if (errnum == ENOMEM) return no_memory(err);
    (void)ca_fail_named(err, CA_REFUSED, "output", "cannot use %s for the outputs: %s", dir,
                        strerror(errnum));
    if (errnum == ENOENT) ca_hint(err, "the directory above it must exist");
    return CA_REFUSED;
}

/* "a/b///" is "a" and "b"; "b" is "." and "b"; "/b" is "/" and "b". last points into text. */
static const char *split_last(char *text, const char **last)
{
    size_t len = strlen(text);
    char *slash;

    while (len > 1 && text[len - 1] == '/') text[--len] = '\0';
    slash = strrchr(text, '/');
    if (slash == NULL) {
        *last = text;
        return ".";
    }
    *slash = '\0';
    *last = slash + 1;
    return slash == text ? "/" : text;
}

static enum ca_status join(const char *parent, const char *last, char **out, struct ca_error *err)
{
    const char *slash = strcmp(parent, "/") == 0 ? "" : "/";

    if (asprintf(out, "%s%s%s", parent, slash, last) < 0) {
        *out = NULL;
        return no_memory(err);
    }
    return CA_OK;
}

enum ca_status batch_job_out_dir(const char *dir, char **out, struct ca_error *err)
{
    char *text = NULL, *parent = NULL, *path = realpath(dir, NULL);
    const char *above, *last;
    enum ca_status st;

    if (path != NULL) {
        *out = path;
        return CA_OK;
    }
    if (errno != ENOENT || dir[0] == '\0') return refuse_out_dir(dir, errno, err);
    text = strdup(dir);
    if (text == NULL) return no_memory(err);
    above = split_last(text, &last);
    parent = realpath(above, NULL);
    if (parent == NULL) {
        st = refuse_out_dir(dir, errno, err);
    } else {
        st = join(parent, last, out, err);
    }
    free(parent);
    free(text);
    return st;
}
