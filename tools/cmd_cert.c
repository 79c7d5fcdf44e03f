/* certmill cert: certificates that were issued. */
#include "tools/cli.h"
#include "tools/commands.h"

#include "batch/registry_cert.h"
#include "engine/cert.h"
#include "engine/name.h"
#include "engine/pem.h"

#include <string.h>

#define ROW_MAX (UINT64_C(1) << 20)     /* octets of one certificate's JSON */

static const struct command_option list_options[] = {
    { "ca", "N", 0, "only those of this CA, by name or ARN", 0 },
    { "expiring", "30d", 0, "only valid ones that expire within this time", 0 },
    { "job", "J", 0, "only those of this job", 0 },
    { "subject", "GLOB", 0, "only subjects like this (RFC 4514 text, * and ?)", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

static const struct command_option show_options[] = {
    { "ca", "N", 0, "the CA, where two have the same serial", 0 },
    { "format", "F", 0, "text, pem, der or json (text)", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

/* One row at a time goes out: the list may have millions. */
struct list {
    struct cli *cli;
    struct batch_registry *registry;
    struct ca_buf row;
    uint64_t count;
};

static enum ca_status append_text_row(const struct list *list, const struct batch_cert *cert,
                                      struct ca_buf *out, struct ca_error *err)
{
    char serial[2 * SCHEMA_SERIAL_LEN + 1];
    char not_after[CA_TIME_TEXT_MAX];
    struct ca_cert parsed;
    enum ca_status st = ca_cert_parse(cert->row.der, &parsed, err);

    if (st != CA_OK) return st;
    ca_hex_encode(ca_bytes_of(cert->serial, SCHEMA_SERIAL_LEN), serial);
    ca_time_format(cert->row.not_after_s, not_after);
    ca_buf_printf(out, "%s  %-7s  %s  ", serial, batch_cert_status(list->registry, cert),
                  not_after);
    ca_name_print(parsed.subject, out);
    ca_buf_append_str(out, "\n");
    return CA_OK;
}

static enum ca_status print_row(void *ctx, const struct batch_cert *cert, struct ca_error *err)
{
    struct list *list = ctx;
    enum ca_status st;

    ca_buf_reset(&list->row);
    if (list->cli->json) {
        ca_buf_append_str(&list->row, list->count > 0 ? ",\n" : "{\"certificates\":[\n");
        st = batch_cert_describe(list->registry, cert, false, &list->row, err);
    } else {
        if (list->count == 0 && !list->cli->quiet) {
            ca_buf_printf(&list->row, "%-36s  %-7s  %-20s  %s\n", "SERIAL", "STATUS", "NOT AFTER",
                          "SUBJECT");
        }
        st = append_text_row(list, cert, &list->row, err);
    }
    if (st == CA_OK) st = print_buf(&list->row, err);
    if (st == CA_OK) list->count++;
    return st;
}

static enum ca_status read_query(struct cli *cli, const struct ca_validity *expiring,
                                 struct batch_cert_query *query, struct ca_error *err)
{
    query->ca = opts_value(cli, "ca");
    query->job = opts_value(cli, "job");
    query->subject_glob = opts_value(cli, "subject");
    if (expiring->type == CA_VALIDITY_NONE) return CA_OK;
    return ca_validity_not_after(expiring, ca_clock_now_s(&cli->testing.clock),
                                 &query->expiring_before_s, err);
}

static int run_list(struct cli *cli)
{
    struct batch_cert_query query = { .limit = 0 };
    struct list list = { .cli = cli };
    struct ca_validity expiring;
    struct ca_error err;
    enum ca_status st;

    if (!cli_validity(cli, "expiring", &expiring)) return EXIT_USAGE;
    st = read_query(cli, &expiring, &query, &err);
    if (st == CA_OK) st = cli_open_store(cli, STORE_READ, &list.registry, &err);
    if (st != CA_OK) return log_error(cli, &err);
    ca_buf_init(&list.row, ROW_MAX);
    st = batch_cert_each(list.registry, &query, print_row, &list, &err);
    /* A list that ended early has no end: then it is no JSON document, and nobody takes it for one.
     * An error before its first row (no such CA) is still told in JSON. */
    if (cli->json && list.count == 0 && st == CA_OK) printf("{\"certificates\":[");
    if (cli->json && st == CA_OK) printf("]}\n");
    if (!cli->json && list.count == 0 && st == CA_OK) {
        log_notice(cli, "there is no such certificate");
    }
    cli->printed = list.count > 0;
    ca_buf_clear(&list.row);
    batch_registry_close(list.registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

enum format { FORMAT_TEXT, FORMAT_PEM, FORMAT_DER, FORMAT_JSON, FORMAT_COUNT };

static bool read_format(struct cli *cli, enum format *out)
{
    static const char *const names[FORMAT_COUNT] = { "text", "pem", "der", "json" };
    const char *name = opts_value(cli, "format");

    *out = cli->json ? FORMAT_JSON : FORMAT_TEXT;
    if (name == NULL) return true;
    for (int i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(names[i], name) != 0) continue;
        if (cli->json && i != FORMAT_JSON) {
            (void)log_usage(cli, "--json and --format %s exclude each other", name);
            return false;
        }
        *out = (enum format)i;
        return true;
    }
    (void)log_usage(cli, "--format %s: text, pem, der or json is needed", name);
    return false;
}

static enum ca_status print_cert(struct batch_registry *registry, const struct batch_cert *cert,
                                 enum format format, struct ca_error *err)
{
    enum ca_status st = CA_OK;
    struct ca_buf out;

    ca_buf_init(&out, ROW_MAX);
    switch (format) {
    case FORMAT_DER: ca_buf_append_bytes(&out, cert->row.der); break;
    case FORMAT_PEM: ca_pem_append(&out, "CERTIFICATE", cert->row.der); break;
    case FORMAT_TEXT: st = batch_cert_describe(registry, cert, false, &out, err); break;
    case FORMAT_JSON: st = batch_cert_describe(registry, cert, true, &out, err); break;
    case FORMAT_COUNT: break;
    }
    if (st == CA_OK) st = ca_buf_status(&out, "the certificate", err);
    if (st == CA_OK && format == FORMAT_TEXT) {
        st = print_fields(ca_buf_view(&out), err);
    } else if (st == CA_OK && format == FORMAT_JSON) {
        st = print_json(ca_buf_view(&out), err);
    } else if (st == CA_OK) {
        st = print_buf(&out, err);
    }
    ca_buf_clear(&out);
    return st;
}

static int run_show(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct batch_cert cert;
    struct ca_buf value;
    struct ca_error err;
    enum format format;
    enum ca_status st;

    if (!read_format(cli, &format)) return EXIT_USAGE;
    ca_buf_init(&value, ROW_MAX);
    st = cli_open_store(cli, STORE_READ, &registry, &err);
    if (st == CA_OK) {
        st = batch_cert_find(registry, cli->operands[0], opts_value(cli, "ca"), &cert, &value,
                             &err);
    }
    if (st == CA_OK) st = print_cert(registry, &cert, format, &err);
    ca_buf_clear(&value);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static const struct command cert_list = {
    .name = "list",
    .path = "certmill cert list",
    .summary = "certificates by CA, job, subject or date of expiry",
    .synopsis = "[--ca N] [--expiring 30d] [--job J] [--subject GLOB]",
    .options = list_options,
    .run = run_list,
};

static const struct command cert_show = {
    .name = "show",
    .path = "certmill cert show",
    .summary = "one certificate",
    .synopsis = "SERIAL [--ca N] [--format F]",
    .options = show_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_show,
};

static const struct command *const subcommands[] = { &cert_list, &cert_show, NULL };

const struct command cmd_cert = {
    .name = "cert",
    .path = "certmill cert",
    .summary = "issued certificates: list, show",
    .synopsis = "",
    .subcommands = subcommands,
};
