/* certmill verify: does the store hold together? */
#include "tools/cli.h"
#include "tools/commands.h"

#include "batch/verify.h"

#include <inttypes.h>

static const struct command_option options[] = {
    { "deep", NULL, 0, "also parse every certificate and verify it under its CA", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

/* Findings are printed as they come: a damaged store may have millions. */
struct findings {
    struct cli *cli;
    uint64_t count;
};

static void print_finding(void *ctx, const char *sentence)
{
    struct findings *findings = ctx;
    struct ca_buf line;

    if (!findings->cli->json) {
        print_clean(stdout, sentence);
        (void)putchar('\n');
        return;
    }
    ca_buf_init(&line, 65536);
    ca_buf_append_str(&line, findings->count++ > 0 ? ",\n" : "\n");
    ca_json_append_string(&line, ca_bytes_str(sentence));
    (void)fwrite(line.data, 1, line.len, stdout);
    ca_buf_clear(&line);
}

static void print_text_end(const struct batch_verify_report *report, bool deep)
{
    uint64_t rows = 0;

    for (int i = 0; i < STORE_TABLE_COUNT; i++) rows += report->rows[i];
    printf("%" PRIu64 " rows, %" PRIu64 " certificates", rows, report->certificates);
    if (deep) printf(", %" PRIu64 " signatures verified", report->verified);
    printf(", %" PRIu64 " findings\n", report->findings);
}

static void print_json_end(const struct batch_verify_report *report, const struct ca_error *err)
{
    struct ca_buf out;

    ca_buf_init(&out, 65536);
    ca_buf_append_str(&out, "],\n\"rows\":{");
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        ca_buf_printf(&out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "",
                      store_table_name((enum store_table)i), report->rows[i]);
    }
    ca_buf_printf(&out, "},\n\"certificates\":%" PRIu64 ",\"verified\":%" PRIu64
                        ",\"finding_count\":%" PRIu64, report->certificates, report->verified,
                  report->findings);
    if (err != NULL) {
        ca_buf_append_str(&out, ",\n\"error\":");
        log_append_error(&out, err, false);
    }
    ca_buf_append_str(&out, "}\n");
    (void)fwrite(out.data, 1, out.len, stdout);
    ca_buf_clear(&out);
}

static int run(struct cli *cli)
{
    struct findings findings = { .cli = cli };
    struct batch_verify_report report = { .findings = 0 };
    struct batch_registry *registry = NULL;
    struct ca_error err;
    bool deep = opts_flag(cli, "deep");
    enum ca_status st = cli_open_store(cli, STORE_READ, &registry, &err);

    if (st != CA_OK) return log_error(cli, &err);
    if (cli->json) printf("{\"findings\":[");
    cli->printed = cli->json;
    st = batch_verify(registry, deep, print_finding, &findings, &report, &err);
    if (cli->json) {
        print_json_end(&report, st == CA_OK ? NULL : &err);
    } else {
        print_text_end(&report, deep);
    }
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

const struct command cmd_verify = {
    .name = "verify",
    .path = "certmill verify",
    .summary = "check the store: checksums, indexes, counts",
    .synopsis = "[--deep]",
    .options = options,
    .run = run,
};
