/* certmill ca csr, cert, import-cert, list, describe. */
#include "tools/cli.h"
#include "tools/cmd_ca.h"

#include "batch/registry_ca.h"
#include "engine/cert.h"
#include "engine/pem.h"

#define CERT_FILE_MAX 32768             /* octets (spec section 4) */
#define CHAIN_FILE_MAX 2097152

enum ca_status cmd_ca_print_state(struct cli *cli, struct batch_registry *registry,
                                  const char *name, struct ca_error *err)
{
    char until[CA_TIME_TEXT_MAX] = "";
    struct batch_ca ca;
    struct ca_buf out;
    enum ca_status st = batch_ca_find(registry, NULL, name, &ca, err);

    if (st != CA_OK) return st;
    if (ca.row.restorable_until_ms > 0) ca_time_format(ca.row.restorable_until_ms / 1000, until);
    ca_buf_init(&out, PRINT_MAX);
    if (cli->json) {
        ca_buf_append_str(&out, "{\"name\":");
        ca_json_append_string(&out, ca.row.name);
        ca_buf_printf(&out, ",\"arn\":\"%s\",\"status\":\"%s\"", ca.arn,
                      batch_ca_status_name(&ca));
        if (until[0] != '\0') ca_buf_printf(&out, ",\"restorable_until\":\"%s\"", until);
        ca_buf_append_str(&out, "}");
        st = ca_buf_status(&out, "the state", err);
        if (st == CA_OK) st = print_json(ca_buf_view(&out), err);
    } else {
        ca_buf_append_bytes(&out, ca.row.name);
        ca_buf_printf(&out, " is %s", batch_ca_status_name(&ca));
        if (until[0] != '\0') ca_buf_printf(&out, ", can be restored until %s", until);
        ca_buf_append_str(&out, "\n");
        st = print_buf(&out, err);
    }
    ca_buf_clear(&out);
    batch_ca_clear(&ca);
    return st;
}

/* Opens the store for reading and copies a CA's row. Both are the caller's to close. */
static enum ca_status find(struct cli *cli, struct batch_registry **registry, struct batch_ca *ca,
                           struct ca_error *err)
{
    enum ca_status st = cli_open_store(cli, STORE_READ, registry, err);

    if (st == CA_OK) st = batch_ca_find(*registry, NULL, cli->operands[0], ca, err);
    return st;
}

static int run_csr(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct batch_ca ca = { .number = 0 };
    struct ca_error err;
    struct ca_buf pem, out;
    enum ca_status st = find(cli, &registry, &ca, &err);

    ca_buf_init(&pem, PRINT_MAX);
    ca_buf_init(&out, PRINT_MAX);
    if (st == CA_OK && (ca.row.csr.len == 0 || ca.row.state == SCHEMA_CA_DELETED ||
                        ca.row.state == SCHEMA_CA_FAILED)) {
        st = ca_fail_named(&err, CA_REFUSED, "invalid-state",
                           "The certificate authority is not in the correct state to have a "
                           "certificate signing request: it is %s", batch_ca_status_name(&ca));
        if (ca.row.state == SCHEMA_CA_DELETED) {
            ca_hint(&err, "certmill ca restore %s brings it back", cli->operands[0]);
        }
    }
    if (st == CA_OK) {
        ca_pem_append(&pem, "CERTIFICATE REQUEST", ca.row.csr);
        ca_buf_append_str(&out, "{\"csr\":");
        ca_json_append_string(&out, ca_buf_view(&pem));
        ca_buf_append_str(&out, "}");
        st = ca_buf_status(&out, "the request", &err);
    }
    if (st == CA_OK) st = cli->json ? print_json(ca_buf_view(&out), &err) : print_buf(&pem, &err);
    ca_buf_clear(&out);
    ca_buf_clear(&pem);
    batch_ca_clear(&ca);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

/* The row has DER certificates one after the other. */
static enum ca_status append_chain(struct ca_bytes chain, struct ca_buf *pem, struct ca_error *err)
{
    struct ca_der der = ca_der_open(chain);

    while (!ca_der_at_end(&der)) {
        struct ca_der_element cert;
        enum ca_status st = ca_der_take(&der, CA_DER_SEQUENCE, "a certificate of the chain", &cert,
                                        err);

        if (st != CA_OK) return st;
        ca_pem_append(pem, "CERTIFICATE", cert.whole);
    }
    return CA_OK;
}

static enum ca_status print_ca_cert(struct cli *cli, const struct batch_ca *ca,
                                    struct ca_error *err)
{
    struct ca_buf cert, chain, out;
    enum ca_status st;

    ca_buf_init(&cert, PRINT_MAX);
    ca_buf_init(&chain, PRINT_MAX);
    ca_buf_init(&out, PRINT_MAX);
    ca_pem_append(&cert, "CERTIFICATE", ca->row.cert);
    st = append_chain(ca->row.chain, &chain, err);
    ca_buf_append_str(&out, "{\"certificate\":");
    ca_json_append_string(&out, ca_buf_view(&cert));
    ca_buf_append_str(&out, ",\"chain\":");
    if (chain.len > 0) {
        ca_json_append_string(&out, ca_buf_view(&chain));
    } else {
        ca_buf_append_str(&out, "null");
    }
    ca_buf_append_str(&out, "}");
    if (st == CA_OK) st = ca_buf_status(&out, "the certificate", err);
    if (st == CA_OK) st = cli->json ? print_json(ca_buf_view(&out), err) : print_buf(&cert, err);
    if (st == CA_OK && !cli->json && opts_flag(cli, "chain")) st = print_buf(&chain, err);
    ca_buf_clear(&out);
    ca_buf_clear(&chain);
    ca_buf_clear(&cert);
    return st;
}

static int run_cert(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct batch_ca ca = { .number = 0 };
    struct ca_error err;
    enum ca_status st = find(cli, &registry, &ca, &err);

    /* The sentence is the one that clients of the original service match on, request or not. */
    if (st == CA_OK && (ca.row.cert.len == 0 || ca.row.state == SCHEMA_CA_DELETED)) {
        st = ca_fail_named(&err, CA_REFUSED, "invalid-state",
                           "The certificate authority is not in the correct state to have a "
                           "certificate signing request or a certificate: it is %s",
                           batch_ca_status_name(&ca));
        if (ca.row.state == SCHEMA_CA_DELETED) {
            ca_hint(&err, "certmill ca restore %s brings it back", cli->operands[0]);
        } else {
            ca_hint(&err, "certmill ca activate %s gives it one", cli->operands[0]);
        }
    }
    if (st == CA_OK) st = print_ca_cert(cli, &ca, &err);
    batch_ca_clear(&ca);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static int run_import_cert(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct ca_error err;
    struct ca_buf cert, chain;
    enum ca_status st, chain_st;

    st = cli_read_option(cli, "cert", CERT_FILE_MAX, &cert, &err);
    chain_st = cli_read_option(cli, "chain", CHAIN_FILE_MAX, &chain, st == CA_OK ? &err : NULL);
    if (st == CA_OK) st = chain_st;
    if (st == CA_OK) st = cli_open_store(cli, STORE_WRITE, &registry, &err);
    if (st == CA_OK) {
        st = batch_ca_import(registry, cli->operands[0], ca_buf_view(&cert), ca_buf_view(&chain),
                             &err);
    }
    if (st == CA_OK) st = cmd_ca_print_state(cli, registry, cli->operands[0], &err);
    ca_buf_clear(&chain);
    ca_buf_clear(&cert);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static int run_describe(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct batch_ca ca = { .number = 0 };
    struct ca_error err;
    struct ca_buf out;
    enum ca_status st = find(cli, &registry, &ca, &err);

    ca_buf_init(&out, PRINT_MAX);
    if (st == CA_OK) {
        batch_ca_describe(registry, &ca, &out);
        st = ca_buf_status(&out, "the description", &err);
    }
    if (st == CA_OK) st = print_json(ca_buf_view(&out), &err);
    ca_buf_clear(&out);
    batch_ca_clear(&ca);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

/* Two walks for the text: the first finds the widest name. There are few CAs. */
struct ca_list {
    const struct batch_registry *registry;
    struct ca_buf *out;
    int width;
    size_t count;
};

static enum ca_status measure(void *ctx, const struct batch_ca *ca, struct ca_error *err)
{
    struct ca_list *list = ctx;

    (void)err;
    if ((int)ca->row.name.len > list->width) list->width = (int)ca->row.name.len;
    return CA_OK;
}

static enum ca_status append_json_row(void *ctx, const struct batch_ca *ca, struct ca_error *err)
{
    struct ca_list *list = ctx;

    if (list->count++ > 0) ca_buf_append_str(list->out, ",");
    batch_ca_describe(list->registry, ca, list->out);
    return ca_buf_status(list->out, "the list", err);
}

static enum ca_status append_text_row(void *ctx, const struct batch_ca *ca, struct ca_error *err)
{
    struct ca_list *list = ctx;
    const char *key = ca_key_alg_name((enum ca_key_alg)ca->row.key_alg);
    char not_after[CA_TIME_TEXT_MAX] = "-";
    struct ca_cert cert;

    if (ca->row.cert.len > 0) {
        enum ca_status st = ca_cert_parse(ca->row.cert, &cert, err);

        if (st != CA_OK) return st;
        ca_time_format(cert.not_after_s, not_after);
    }
    ca_buf_printf(list->out, "%-*.*s  %-11s  %-19s  %-13s  %s\n", list->width,
                  (int)ca->row.name.len, (const char *)ca->row.name.data,
                  ca->row.is_root ? "ROOT" : "SUBORDINATE", batch_ca_status_name(ca),
                  key != NULL ? key : "?", not_after);
    return ca_buf_status(list->out, "the list", err);
}

static enum ca_status append_text(struct batch_registry *registry, struct ca_list *list,
                                  struct ca_error *err)
{
    enum ca_status st = batch_ca_each(registry, measure, list, err);

    if (st != CA_OK || list->width == 0) return st;
    if (list->width < 4) list->width = 4;
    ca_buf_printf(list->out, "%-*s  %-11s  %-19s  %-13s  %s\n", list->width, "NAME", "TYPE",
                  "STATUS", "KEY", "NOT AFTER");
    return batch_ca_each(registry, append_text_row, list, err);
}

static int run_list(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct ca_list list = { .count = 0 };
    struct ca_error err;
    struct ca_buf out;
    enum ca_status st = cli_open_store(cli, STORE_READ, &registry, &err);

    ca_buf_init(&out, PRINT_MAX);
    list.registry = registry;
    list.out = &out;
    if (st == CA_OK && cli->json) {
        ca_buf_append_str(&out, "{\"certificate_authorities\":[");
        st = batch_ca_each(registry, append_json_row, &list, &err);
        ca_buf_append_str(&out, "]}");
        if (st == CA_OK) st = ca_buf_status(&out, "the list", &err);
        if (st == CA_OK) st = print_json(ca_buf_view(&out), &err);
    } else if (st == CA_OK) {
        st = append_text(registry, &list, &err);
        if (st == CA_OK) st = print_buf(&out, &err);
        if (st == CA_OK && out.len == 0) {
            log_notice(cli, "there is no CA yet; see: certmill ca create --help");
        }
    }
    ca_buf_clear(&out);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static const struct command_option cert_options[] = {
    { "chain", NULL, 0, "also print the chain, issuer first", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

static const struct command_option import_options[] = {
    { "cert", "F", OPTION_REQUIRED, "the CA's certificate, PEM", 0 },
    { "chain", "F", 0, "its chain, PEM, issuer first (subordinate CAs)", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

const struct command cmd_ca_csr = {
    .name = "csr",
    .path = "certmill ca csr",
    .summary = "the CA's certificate signing request, PEM",
    .synopsis = "N",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_csr,
};

const struct command cmd_ca_cert = {
    .name = "cert",
    .path = "certmill ca cert",
    .summary = "the CA's certificate, PEM",
    .synopsis = "N [--chain]",
    .options = cert_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_cert,
};

const struct command cmd_ca_import_cert = {
    .name = "import-cert",
    .path = "certmill ca import-cert",
    .summary = "give a CA its certificate: it becomes ACTIVE",
    .synopsis = "N --cert F [--chain F]",
    .options = import_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_import_cert,
};

const struct command cmd_ca_list = {
    .name = "list",
    .path = "certmill ca list",
    .summary = "all CAs",
    .synopsis = "",
    .run = run_list,
};

const struct command cmd_ca_describe = {
    .name = "describe",
    .path = "certmill ca describe",
    .summary = "everything about one CA, JSON",
    .synopsis = "N",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_describe,
};
