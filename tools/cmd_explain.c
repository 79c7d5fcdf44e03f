/* certmill explain: one request's way through all checks, nothing signed, nothing stored. */
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/extension_text.h"
#include "tools/terms.h"

#include "batch/explain.h"
#include "engine/ext.h"
#include "io/file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CSR_FILE_MAX 65536      /* octets; a request's DER is at most half of it */

static const struct command_option options[] = {
    { "ca", "N", OPTION_REQUIRED, "the CA that would issue, by name or ARN", 0 },
    TERMS_OPTIONS,
    { "validity", "V", 0, "365d, 12mo, 10y, 36h, Value=1,Type=YEARS or a time (365d)", 0 },
    { "not-before", "T", 0, "begin of validity, RFC 3339 (an hour ago)", 0 },
    { "signing-algorithm", "A", 0, "such as SHA256WITHRSA (the CA's own)", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

static int step_width(const struct batch_explained *explained)
{
    int width = 0;

    for (size_t i = 0; i < explained->step_count; i++) {
        int len = (int)strlen(explained->steps[i].name);

        if (len > width) width = len;
    }
    return width;
}

/* What was not reached is counted only: after a refusal it has nothing to say. */
static void print_steps(const struct batch_explained *explained)
{
    int width = step_width(explained);
    size_t left = 0;

    for (size_t i = 0; i < explained->step_count; i++) {
        const struct batch_step *step = &explained->steps[i];

        if (step->verdict == BATCH_VERDICT_NOT_REACHED) {
            left++;
            continue;
        }
        printf("%-*s  %s", width, step->name, batch_verdict_name(step->verdict));
        if (step->code != NULL) printf(", %s", step->code);
        if (step->detail[0] != '\0') {
            printf(": ");
            print_clean(stdout, step->detail);
        }
        printf("\n");
        if (step->rule != NULL) printf("%*s  rule: %s\n", width, "", step->rule);
    }
    if (left > 0) printf("%-*s  not reached\n", width, left == 1 ? "the last check" : "the others");
}

/* ---- extensions ---- */

/* An extension as it is printed: what it is called, and its value in words. */
struct row {
    struct ca_buf label, text;  /* terminated */
};

/* san: the alternative names as the certificate's own member has them, or NULL. */
static enum ca_status make_row(const json_t *extension, const char *san, struct row *row,
                               struct ca_error *err)
{
    const char *dotted = json_string_value(json_object_get(extension, "oid"));
    const char *hex = json_string_value(json_object_get(extension, "value"));
    size_t cap = strlen(hex) / 2;
    uint8_t *value = malloc(cap + 1);
    const char *name;
    struct ca_buf oid;
    size_t len = 0;
    enum ca_status st = value != NULL ? CA_OK : ca_fail(err, CA_NOMEM, "no memory for a value");

    ca_buf_init(&oid, CSR_FILE_MAX);
    if (st == CA_OK) st = ca_der_oid_parse(dotted, &oid, err);
    if (st == CA_OK && cap > 0) st = ca_hex_decode(hex, value, cap, &len, err);
    if (st == CA_OK) {
        name = extension_name(ca_buf_view(&oid));
        ca_buf_printf(&row->label, "%s%s", name != NULL ? name : dotted,
                      json_is_true(json_object_get(extension, "critical")) ? ", critical" : "");
        ca_buf_append_u8(&row->label, '\0');
        if (san != NULL && ca_bytes_equal(ca_buf_view(&oid), ca_oid_subject_alt_name)) {
            ca_buf_append_str(&row->text, san);
        } else {
            extension_append_text(ca_buf_view(&oid), ca_bytes_of(value, len), &row->text);
        }
        ca_buf_append_u8(&row->text, '\0');
        st = ca_buf_status(&row->label, "an extension", err);
        if (st == CA_OK) st = ca_buf_status(&row->text, "an extension", err);
    }
    ca_buf_clear(&oid);
    free(value);
    return st;
}

/* Calls for each extension, first to measure, then to print. */
static enum ca_status print_extension(const json_t *extension, const char *san, bool measure,
                                      int *width, struct ca_error *err)
{
    struct row row;
    enum ca_status st;

    ca_buf_init(&row.label, PRINT_MAX);
    ca_buf_init(&row.text, PRINT_MAX);
    st = make_row(extension, san, &row, err);
    if (st == CA_OK && measure && (int)row.label.len - 1 > *width) *width = (int)row.label.len - 1;
    if (st == CA_OK && !measure) {
        printf("  %-*s  ", *width, (const char *)row.label.data);
        print_clean(stdout, (const char *)row.text.data);
        printf("\n");
    }
    ca_buf_clear(&row.label);
    ca_buf_clear(&row.text);
    return st;
}

static enum ca_status print_extensions(const json_t *extensions, const char *san,
                                       struct ca_error *err)
{
    size_t count = json_array_size(extensions);
    enum ca_status st = CA_OK;
    int width = 0;

    printf("extensions\n");
    for (size_t i = 0; i < 2 * count && st == CA_OK; i++) {
        st = print_extension(json_array_get(extensions, i % count), san, i < count, &width, err);
    }
    return st;
}

/* The certificate's members as text; its extensions and notices a line each. */
static enum ca_status print_certificate(json_t *certificate, struct ca_error *err)
{
    json_t *extensions = json_incref(json_object_get(certificate, "extensions"));
    json_t *notices = json_incref(json_object_get(certificate, "notices"));
    const char *san = json_string_value(json_object_get(certificate, "san"));
    enum ca_status st = CA_OK;
    json_t *item;
    size_t index;
    char *text;

    (void)json_object_del(certificate, "extensions");
    (void)json_object_del(certificate, "notices");
    (void)json_object_del(certificate, "tbs");
    text = json_dumps(certificate, JSON_COMPACT);
    printf("accepted; it would get this certificate:\n");
    st = text != NULL ? print_fields(ca_bytes_str(text), err)
                      : ca_fail(err, CA_NOMEM, "no memory for the certificate");
    if (st == CA_OK) st = print_extensions(extensions, san, err);
    json_array_foreach(notices, index, item) {
        printf("notice  %s: %s (%s)\n", json_string_value(json_object_get(item, "code")),
               json_string_value(json_object_get(item, "text")),
               json_string_value(json_object_get(item, "rule")));
    }
    free(text);
    json_decref(extensions);
    json_decref(notices);
    return st;
}

static enum ca_status print_text(const struct batch_explained *explained, struct ca_bytes json,
                                 struct ca_error *err)
{
    json_t *root = json_loadb((const char *)json.data, json.len, 0, NULL);
    enum ca_status st = CA_OK;

    print_steps(explained);
    if (root == NULL) st = ca_fail(err, CA_NOMEM, "no memory for the explanation");
    if (st == CA_OK && explained->accepted)
        st = print_certificate(json_object_get(root, "certificate"), err);
    json_decref(root);
    return st;
}

static enum ca_status print_explained(struct cli *cli, const struct batch_explained *explained,
                                      struct ca_error *err)
{
    struct ca_buf out;
    enum ca_status st;

    ca_buf_init(&out, PRINT_MAX);
    st = batch_explain_describe(explained, &out, err);
    if (st == CA_OK) {
        st = cli->json ? print_json(ca_buf_view(&out), err)
                       : print_text(explained, ca_buf_view(&out), err);
    }
    ca_buf_clear(&out);
    return st;
}

static int run(struct cli *cli)
{
    const char *not_before = opts_value(cli, "not-before");
    const char *sig_alg = opts_value(cli, "signing-algorithm");
    struct batch_explain spec = { .ca = opts_value(cli, "ca") };
    struct batch_explained *explained = calloc(1, sizeof(*explained));
    struct batch_registry *registry = NULL;
    struct ca_error err = { .status = CA_OK };
    struct terms terms;
    struct ca_buf csr;
    enum ca_status st;
    int code = EXIT_FAILED;

    ca_buf_init(&csr, CSR_FILE_MAX + 1);
    st = terms_read(cli, &terms, &err);
    spec.terms = terms.spec;
    if (!cli_validity(cli, "validity", &spec.validity)) {
        code = EXIT_USAGE;
        goto out;
    }
    if (not_before != NULL && ca_time_parse(not_before, &spec.not_before_s, &err) != CA_OK) {
        code = log_usage(cli, "--not-before: %s", err.text);
        goto out;
    }
    if (explained == NULL) st = ca_fail(&err, CA_NOMEM, "no memory for an explanation");
    if (st == CA_OK && sig_alg != NULL) st = ca_sig_alg_by_name(sig_alg, &spec.sig_alg, &err);
    if (st == CA_OK)
        st = file_read(cli->operands[0], CSR_FILE_MAX, FILE_PUBLIC, &csr, &err);
    spec.csr = ca_buf_view(&csr);
    if (st == CA_OK) st = cli_open_store(cli, STORE_READ, &registry, &err);
    if (st == CA_OK) st = batch_explain(registry, &spec, explained, &err);
    if (st == CA_OK) st = print_explained(cli, explained, &err);
    if (st == CA_OK) code = explained->accepted ? EXIT_DONE : EXIT_REFUSED;
    else code = log_error(cli, &err);
out:
    if (explained != NULL) batch_explained_clear(explained);
    free(explained);
    batch_registry_close(registry);
    terms_clear(&terms);
    ca_buf_clear(&csr);
    return code;
}

const struct command cmd_explain = {
    .name = "explain",
    .path = "certmill explain",
    .summary = "one request's way through all checks, without signing",
    .synopsis = "CSR --ca N [--template T] [--validity V] [--not-before T]\n"
                "           [--signing-algorithm A] [--api-passthrough F] [--strict-passthrough]\n"
                "           [--blocklist F]",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
