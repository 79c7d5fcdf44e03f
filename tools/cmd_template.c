/* certmill template: the catalogue of what a certificate can look like. */
#include "tools/cli.h"
#include "tools/commands.h"

#include "engine/template.h"

#include <string.h>

static void append_row(struct ca_buf *out, const struct ca_template *tmpl)
{
    ca_buf_printf(out, "{\"name\":\"%s\",\"arn\":", tmpl->name);
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

static int list_json(struct cli *cli)
{
    struct ca_error err;
    struct ca_buf out;
    enum ca_status st;

    ca_buf_init(&out, PRINT_MAX);
    ca_buf_append_str(&out, "{\"templates\":[");
    for (size_t i = 0; i < ca_template_count(); i++) {
        if (i > 0) ca_buf_append_str(&out, ",");
        append_row(&out, ca_template_at(i));
    }
    ca_buf_append_str(&out, "]}");
    st = ca_buf_status(&out, "the list", &err);
    if (st == CA_OK) st = print_json(ca_buf_view(&out), &err);
    ca_buf_clear(&out);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static int run_list(struct cli *cli)
{
    int width = 0;

    if (cli->json) return list_json(cli);
    for (size_t i = 0; i < ca_template_count(); i++) {
        int len = (int)strlen(ca_template_at(i)->name);
        if (len > width) width = len;
    }
    for (size_t i = 0; i < ca_template_count(); i++) {
        const struct ca_template *tmpl = ca_template_at(i);
        printf("%-*s  %s\n", width, tmpl->name, tmpl->summary);
    }
    return EXIT_DONE;
}

static int run_show(struct cli *cli)
{
    const struct ca_template *tmpl;
    struct ca_error err;
    struct ca_buf out;
    enum ca_status st = ca_template_find(cli->operands[0], &tmpl, &err);

    if (st != CA_OK) return log_error(cli, &err);
    ca_buf_init(&out, PRINT_MAX);
    ca_template_describe(tmpl, &out);
    st = ca_buf_status(&out, "the template", &err);
    if (st == CA_OK) {
        st = cli->json ? print_json(ca_buf_view(&out), &err)
                       : print_fields(ca_buf_view(&out), &err);
    }
    ca_buf_clear(&out);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static const struct command template_list = {
    .name = "list",
    .path = "certmill template list",
    .summary = "all templates",
    .synopsis = "",
    .run = run_list,
};

static const struct command template_show = {
    .name = "show",
    .path = "certmill template show",
    .summary = "what a template puts into a certificate",
    .synopsis = "T",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_show,
};

static const struct command *const subcommands[] = { &template_list, &template_show, NULL };

const struct command cmd_template = {
    .name = "template",
    .path = "certmill template",
    .summary = "what certificates look like: list, show",
    .synopsis = "",
    .subcommands = subcommands,
};
