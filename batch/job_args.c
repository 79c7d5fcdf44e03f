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

static enum ca_status decode_members(json_t *root, struct batch_job_args *out,
                                     struct ca_error *err)
{
    const char *ca, *tmpl, *validity;
    json_t *inputs;
    int per_file;

    if (json_unpack(root, "{s:s, s:s, s:s, s:o, s:b !}", "ca", &ca, "template", &tmpl, "validity",
                    &validity, "inputs", &inputs, "per_file", &per_file) != 0) {
        return bad_row("have other members", err);
    }
    if (!json_is_array(inputs)) return bad_row("have inputs that are no array", err);
    if (ca_validity_parse(validity, &out->validity, NULL) != CA_OK) {
        return bad_row("have no validity", err);
    }
    out->per_file = per_file != 0;
    out->ca = strdup(ca);
    out->tmpl = strdup(tmpl);
    if (out->ca == NULL || out->tmpl == NULL) return no_memory(err);
    return decode_inputs(inputs, out, err);
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
