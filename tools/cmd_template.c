/* certmill template: the catalogue of what a certificate can look like, and users' own files. */
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/terms.h"

#include "engine/preset.h"
#include "engine/template_file.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

/* A template as the command line names it: one of the catalogue, or one that was read. */
struct named {
    const struct ca_template *tmpl;
    struct ca_template *own;        /* NULL for the catalogue's */
};

static enum ca_status read_file(const char *path, struct ca_findings *findings,
                                struct named *out, struct ca_error *err)
{
    struct ca_buf json;
    enum ca_status st;

    ca_buf_init(&json, CA_TEMPLATE_JSON_MAX + 1);
    st = file_read(path, CA_TEMPLATE_JSON_MAX, FILE_PUBLIC, &json, err);
    if (st == CA_OK) st = ca_template_parse(ca_buf_view(&json), &out->own, findings, err);
    if (st == CA_OK) out->tmpl = out->own;
    ca_buf_clear(&json);
    return st;
}

static enum ca_status find(const char *text, struct named *out, struct ca_error *err)
{
    struct ca_bytes json;
    enum ca_status st;

    *out = (struct named){ .tmpl = NULL };
    if (terms_is_file(text)) {
        st = read_file(text, NULL, out, err);
        if (st != CA_OK && strcmp(ca_error_name(err), "template") == 0) {
            st = cli_blame_file(text, err);
            ca_hint(err, "certmill template check %s shows every mistake", text);
        }
        return st;
    }
    if (!ca_preset_find(text, &json)) return ca_template_find(text, &out->tmpl, err);
    st = ca_template_parse(json, &out->own, NULL, err);
    if (st == CA_OK) out->tmpl = out->own;
    return st;
}

/* A template that is built in, typed where a file is expected. */
static bool is_built_in(const char *text)
{
    const struct ca_template *tmpl;
    struct ca_bytes json;

    return ca_preset_find(text, &json) || ca_template_find(text, &tmpl, NULL) == CA_OK;
}

/* ---- list ---- */

static void append_row(struct ca_buf *out, const struct ca_template *tmpl)
{
    if (out->data[out->len - 1] != '[') ca_buf_append_str(out, ",");
    ca_buf_append_str(out, "{\"name\":");
    ca_json_append_string(out, ca_bytes_str(tmpl->name));
    ca_buf_append_str(out, ",\"arn\":");
    if (tmpl->ours) {
        ca_buf_append_str(out, "null");
    } else {
        ca_buf_append_str(out, "\"");
        ca_template_arn(tmpl, out);
        ca_buf_append_str(out, "\"");
    }
    ca_buf_append_str(out, ",\"summary\":");
    ca_json_append_string(out, ca_bytes_str(tmpl->summary));
    ca_buf_append_str(out, "}");
}

/* Calls visit for the catalogue. */
static void each_row(void (*visit)(void *ctx, const struct ca_template *tmpl), void *ctx)
{
    for (size_t i = 0; i < ca_template_count(); i++) visit(ctx, ca_template_at(i));
}

/* Calls visit for the presets. */
static enum ca_status each_preset(void (*visit)(void *ctx, const struct ca_template *tmpl),
                                  void *ctx, struct ca_error *err)
{
    for (size_t i = 0; i < ca_preset_count(); i++) {
        struct ca_template *preset = NULL;
        struct ca_bytes json;
        const char *name;
        enum ca_status st;

        ca_preset_at(i, &name, &json);
        st = ca_template_parse(json, &preset, NULL, err);
        if (st != CA_OK) return st;
        visit(ctx, preset);
        ca_template_free(preset);
    }
    return CA_OK;
}

static void visit_json(void *ctx, const struct ca_template *tmpl)
{
    append_row(ctx, tmpl);
}

static void visit_width(void *ctx, const struct ca_template *tmpl)
{
    int *width = ctx;
    int len = (int)strlen(tmpl->name);

    if (len > *width) *width = len;
}

static void visit_text(void *ctx, const struct ca_template *tmpl)
{
    const int *width = ctx;

    printf("%-*s  %s\n", *width, tmpl->name, tmpl->summary);
}

static enum ca_status list_json(struct ca_error *err)
{
    struct ca_buf out;
    enum ca_status st;

    ca_buf_init(&out, PRINT_MAX);
    ca_buf_append_str(&out, "{\"templates\":[");
    st = ca_buf_status(&out, "the list", err);
    if (st == CA_OK) each_row(visit_json, &out);
    if (st == CA_OK) st = each_preset(visit_json, &out, err);
    ca_buf_append_str(&out, "]}");
    if (st == CA_OK) st = ca_buf_status(&out, "the list", err);
    if (st == CA_OK) st = print_json(ca_buf_view(&out), err);
    ca_buf_clear(&out);
    return st;
}

/* Presets first, with a column of their own width: AWS's names are three times as long. */
static enum ca_status list_text(struct ca_error *err)
{
    int width = 0;
    enum ca_status st = each_preset(visit_width, &width, err);

    if (st == CA_OK) st = each_preset(visit_text, &width, err);
    if (st != CA_OK) return st;
    printf("\n");
    width = 0;
    each_row(visit_width, &width);
    each_row(visit_text, &width);
    return print_status(err);
}

static int run_list(struct cli *cli)
{
    struct ca_error err;
    enum ca_status st = cli->json ? list_json(&err) : list_text(&err);

    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

/* ---- show ---- */

static int run_show(struct cli *cli)
{
    struct named named;
    struct ca_error err;
    struct ca_buf out;
    enum ca_status st = find(cli->operands[0], &named, &err);

    if (st != CA_OK) return log_error(cli, &err);
    ca_buf_init(&out, PRINT_MAX);
    ca_template_describe(named.tmpl, &out);
    st = ca_buf_status(&out, "the template", &err);
    if (st == CA_OK) {
        st = cli->json ? print_json(ca_buf_view(&out), &err)
                       : print_fields(ca_buf_view(&out), &err);
    }
    ca_buf_clear(&out);
    ca_template_free(named.own);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

/* ---- check ---- */

static void append_finding(struct ca_buf *out, const struct ca_finding *finding)
{
    ca_buf_append_str(out, "{\"path\":");
    ca_json_append_string(out, ca_bytes_str(finding->path));
    ca_buf_append_str(out, ",\"text\":");
    ca_json_append_string(out, ca_bytes_str(finding->text));
    ca_buf_append_str(out, "}");
}

static enum ca_status print_findings_json(const char *path, const struct ca_findings *findings,
                                          struct ca_error *err)
{
    struct ca_buf out;
    enum ca_status st;

    ca_buf_init(&out, PRINT_MAX);
    ca_buf_append_str(&out, "{\"file\":");
    ca_json_append_string(&out, ca_bytes_str(path));
    ca_buf_printf(&out, ",\"verdict\":\"%s\",\"mistakes\":%zu,\"findings\":[",
                  findings->total == 0 ? "good" : "bad", findings->total);
    for (size_t i = 0; i < findings->count; i++) {
        if (i > 0) ca_buf_append_str(&out, ",");
        append_finding(&out, &findings->items[i]);
    }
    ca_buf_append_str(&out, "]}");
    st = ca_buf_status(&out, "the findings", err);
    if (st == CA_OK) st = print_json(ca_buf_view(&out), err);
    ca_buf_clear(&out);
    return st;
}

static void print_findings_text(const char *path, const struct ca_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct ca_finding *finding = &findings->items[i];

        print_clean(stdout, path);
        printf(": ");
        print_clean(stdout, finding->path[0] != '\0' ? finding->path : "the document");
        printf(": ");
        print_clean(stdout, finding->text);
        printf("\n");
    }
    if (findings->total > findings->count)
        printf("and %zu more\n", findings->total - findings->count);
}

static int run_check(struct cli *cli)
{
    const char *path = cli->operands[0];
    struct ca_findings *findings = calloc(1, sizeof(*findings));
    struct named named = { .tmpl = NULL };
    struct ca_error err;
    enum ca_status st = findings != NULL ? read_file(path, findings, &named, &err)
                                         : ca_fail(&err, CA_NOMEM, "no memory for findings");
    int code = EXIT_FAILED;

    if (findings == NULL || (st != CA_OK && findings->total == 0)) {
        if (st != CA_OK && is_built_in(path)) {
            ca_hint(&err, "a file is checked; for what is built in: certmill template show %s",
                    path);
        }
        code = log_error(cli, &err);
    } else if (cli->json) {
        code = st == CA_OK ? EXIT_DONE : EXIT_FAILED;
        if (print_findings_json(path, findings, &err) != CA_OK) code = log_error(cli, &err);
    } else if (st != CA_OK) {
        print_findings_text(path, findings);
    } else {
        print_clean(stdout, path);
        printf(": good, template %s\n", named.tmpl->name);
        code = EXIT_DONE;
    }
    ca_template_free(named.own);
    free(findings);
    return code;
}

static const struct command template_list = {
    .name = "list",
    .path = "certmill template list",
    .summary = "all templates that are built in",
    .synopsis = "",
    .run = run_list,
};

static const struct command template_show = {
    .name = "show",
    .path = "certmill template show",
    .summary = "what a template puts into a certificate and asks of a request",
    .synopsis = "T\n  T: a name, an ARN or a .json file",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_show,
};

static const struct command template_check = {
    .name = "check",
    .path = "certmill template check",
    .summary = "what is wrong in a template's file, with JSON paths",
    .synopsis = "FILE",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_check,
};

static const struct command *const subcommands[] = {
    &template_list, &template_show, &template_check, NULL,
};

const struct command cmd_template = {
    .name = "template",
    .path = "certmill template",
    .summary = "what certificates look like: list, show, check",
    .synopsis = "",
    .subcommands = subcommands,
};
