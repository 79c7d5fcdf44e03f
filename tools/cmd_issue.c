/* certmill issue: one certificate. */
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/terms.h"

#include "batch/issue.h"
#include "engine/notice.h"
#include "engine/request.h"
#include "io/file.h"

#define CSR_FILE_MAX 65536      /* octets; a request's DER is at most half of it */

static const struct command_option options[] = {
    { "ca", "N", OPTION_REQUIRED, "the issuing CA, by name or ARN", 0 },
    { "csr", "F", OPTION_REQUIRED, "the request, PEM or DER; - is standard input", 0 },
    TERMS_OPTIONS,
    { "validity", "V", 0, "365d, 12mo, 10y, 36h, Value=1,Type=YEARS or a time (365d)", 0 },
    { "not-before", "T", 0, "begin of validity, RFC 3339 (an hour ago)", 0 },
    { "signing-algorithm", "A", 0, "such as SHA256WITHRSA (the CA's own)", 0 },
    { "idempotency-token", "T", 0, "the same token gives the same certificate again", 0 },
    { "chain", NULL, 0, "also print the chain, issuer first", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

/* Fills what the options say, except for the request and its terms. */
static enum ca_status read_spec(struct cli *cli, struct batch_issue *spec, struct ca_error *err)
{
    const char *sig_alg = opts_value(cli, "signing-algorithm");

    spec->ca = opts_value(cli, "ca");
    spec->token = opts_value(cli, "idempotency-token");
    return sig_alg != NULL ? ca_sig_alg_by_name(sig_alg, &spec->sig_alg, err) : CA_OK;
}

static void append_arn(struct batch_registry *registry, const char *name, const char *serial,
                       struct ca_buf *out)
{
    struct batch_ca ca;

    /* The certificate is issued: a CA that went meanwhile takes its ARN along, no more. */
    if (batch_ca_find(registry, NULL, name, &ca, NULL) != CA_OK) {
        ca_buf_append_str(out, "null");
        return;
    }
    ca_buf_printf(out, "\"%s/certificate/%s\"", ca.arn, serial);
    batch_ca_clear(&ca);
}

static enum ca_status print_document(struct batch_registry *registry,
                                     const struct batch_issue *spec,
                                     const struct batch_issued *issued, struct ca_error *err)
{
    char serial[CA_SERIAL_TEXT_MAX];
    char not_after[CA_TIME_TEXT_MAX];
    struct ca_buf out;
    enum ca_status st;

    ca_serial_format(&issued->serial, serial);
    ca_time_format(issued->not_after_s, not_after);
    ca_buf_init(&out, PRINT_MAX);
    ca_buf_printf(&out, "{\"serial\":\"%s\",\"arn\":", serial);
    append_arn(registry, spec->ca, serial, &out);
    ca_buf_printf(&out, ",\"not_after\":\"%s\",\"replayed\":%s,\"ignored\":", not_after,
                  issued->replayed ? "true" : "false");
    ca_ignored_append_json(issued->ignored, &out);
    ca_buf_append_str(&out, ",\"certificate\":");
    ca_json_append_string(&out, ca_buf_view(&issued->pem));
    ca_buf_append_str(&out, ",\"chain\":");
    if (issued->chain_pem.len > 0) {
        ca_json_append_string(&out, ca_buf_view(&issued->chain_pem));
    } else {
        ca_buf_append_str(&out, "null");
    }
    ca_buf_append_str(&out, "}");
    st = ca_buf_status(&out, "the certificate", err);
    if (st == CA_OK) st = print_json(ca_buf_view(&out), err);
    ca_buf_clear(&out);
    return st;
}

/* With -v: what the template dropped, and what it does that rules of today advise against. */
static void tell_remarks(struct cli *cli, const struct batch_issued *issued)
{
    if (!cli->verbose) return;
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((issued->ignored >> bit & 1) != 0)
            log_notice(cli, "ignored: %s", ca_ignored_name(bit));
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        if ((issued->notices >> bit & 1) != 0 && bit != CA_NOTICE_IGNORED)
            log_notice(cli, "%s: %s (%s)", ca_notice_code(bit), ca_notice_text(bit),
                       ca_notice_rule(bit));
    }
}

static enum ca_status print_issued(struct cli *cli, struct batch_registry *registry,
                                   const struct batch_issue *spec,
                                   const struct batch_issued *issued, struct ca_error *err)
{
    char serial[CA_SERIAL_TEXT_MAX];
    enum ca_status st;

    if (issued->replayed) {
        log_notice(cli, "this token was used before: the same certificate again");
    }
    tell_remarks(cli, issued);
    if (cli->json) {
        st = print_document(registry, spec, issued, err);
    } else {
        st = print_buf(&issued->pem, err);
        if (st == CA_OK && opts_flag(cli, "chain")) st = print_buf(&issued->chain_pem, err);
    }
    if (st == CA_OK) st = print_flush(err);
    if (st != CA_OK) {
        ca_serial_format(&issued->serial, serial);
        ca_hint(err, "it is issued all the same: certmill cert show %s", serial);
    }
    return st;
}

static int run(struct cli *cli)
{
    struct batch_issue spec = { .sig_alg = CA_SIG_ALG_NONE };
    struct batch_issued issued = { .replayed = false };
    struct batch_registry *registry = NULL;
    const char *not_before = opts_value(cli, "not-before");
    struct ca_error err = { .status = CA_OK };
    struct terms terms;
    struct ca_buf csr;
    enum ca_status st;

    if (!cli_validity(cli, "validity", &spec.validity)) return EXIT_USAGE;
    if (not_before != NULL && ca_time_parse(not_before, &spec.not_before_s, &err) != CA_OK) {
        return log_usage(cli, "--not-before: %s", err.text);
    }
    ca_buf_init(&csr, 0);
    st = terms_read(cli, &terms, &err);
    spec.terms = terms.spec;
    if (st == CA_OK) st = cli_read_option(cli, "csr", CSR_FILE_MAX, &csr, &err);
    spec.csr = ca_buf_view(&csr);
    if (st == CA_OK) st = read_spec(cli, &spec, &err);
    if (st == CA_OK) st = cli_open_store(cli, STORE_WRITE, &registry, &err);
    if (st == CA_OK) st = batch_issue(registry, &spec, &issued, &err);
    if (st == CA_OK) st = print_issued(cli, registry, &spec, &issued, &err);
    batch_issued_clear(&issued);
    batch_registry_close(registry);
    terms_clear(&terms);
    ca_buf_clear(&csr);
    if (st == CA_OK) return EXIT_DONE;
    if (ca_status_is_request(st) && err.reason != 0) return log_refusal(cli, &err);
    return log_error(cli, &err);
}

const struct command cmd_issue = {
    .name = "issue",
    .path = "certmill issue",
    .summary = "issue one certificate, PEM on stdout",
    .synopsis = "--ca N --csr F [--template T] [--validity V] [--not-before T]\n"
                "           [--signing-algorithm A] [--api-passthrough F] [--strict-passthrough]\n"
                "           [--blocklist F] [--idempotency-token T] [--chain]",
    .options = options,
    .run = run,
};
