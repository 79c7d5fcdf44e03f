#include "tools/log.h"

#include "engine/reason.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 65536

/* One write for the whole message, so that messages of several processes do not mix in a log. What
 * cannot be written to stderr cannot be told anywhere. */
static void put(FILE *stream, const struct ca_buf *text)
{
    if (text->len == 0) return;     /* there was no memory for it */
    (void)fwrite(text->data, 1, text->len, stream);
    (void)fflush(stream);
}

/* Colour for people only, and never against their wish (no-color.org). */
static bool wants_colour(void)
{
    const char *term = getenv("TERM");
    const char *refused = getenv("NO_COLOR");

    if (refused != NULL && refused[0] != '\0') return false;
    return isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}

static void append_prefix(struct ca_buf *out)
{
    ca_buf_append_str(out, wants_colour() ? "\033[1;31mcertmill:\033[0m " : "certmill: ");
}

static void append_json(struct ca_buf *out, const char *code, const char *message,
                        const char *hint, bool resumable)
{
    ca_buf_append_str(out, "{\"code\":");
    ca_json_append_string(out, ca_bytes_str(code));
    ca_buf_append_str(out, ",\"message\":");
    ca_json_append_string(out, ca_bytes_str(message));
    ca_buf_append_str(out, ",\"hint\":");
    ca_json_append_string(out, ca_bytes_str(hint));
    ca_buf_printf(out, ",\"resumable\":%s}", resumable ? "true" : "false");
}

void log_append_error(struct ca_buf *out, const struct ca_error *err, bool resumable)
{
    append_json(out, ca_error_name(err), err->text, err->hint, resumable);
}

/* Words of the command line come back in messages: none of them may steer a terminal. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
    }
}

static void put_json(const char *code, const char *message, const char *hint, bool resumable)
{
    struct ca_buf out;

    ca_buf_init(&out, MESSAGE_MAX);
    ca_buf_append_str(&out, "{\"error\":");
    append_json(&out, code, message, hint, resumable);
    ca_buf_append_str(&out, "}\n");
    put(stdout, &out);
    ca_buf_clear(&out);
}

/* In JSON unless a document has begun on stdout, where a second one would break the first, or
 * nothing can be written there. */
static bool speaks_json(const struct cli *cli)
{
    return cli->json && !cli->printed && ferror(stdout) == 0;
}

static void put_text(const struct cli *cli, const struct ca_error *err, const char *rule)
{
    struct ca_buf out;

    ca_buf_init(&out, MESSAGE_MAX);
    append_prefix(&out);
    if (rule != NULL) ca_buf_printf(&out, "refused, %s: ", ca_error_name(err));
    ca_buf_printf(&out, "%s\n", err->text);
    if (rule != NULL) ca_buf_printf(&out, "  rule: %s\n", rule);
    if (err->hint[0] != '\0') ca_buf_printf(&out, "  %s\n", err->hint);
    if (cli->verbose && rule == NULL) {     /* a refusal has said its code */
        ca_buf_printf(&out, "  code: %s", ca_error_name(err));
        if (err->source != NULL) ca_buf_printf(&out, " (%s %" PRId64 ")", err->source, err->code);
        ca_buf_append_str(&out, "\n");
    }
    (void)fflush(stdout);   /* results before what ended them, when both go to one place */
    put(stderr, &out);
    ca_buf_clear(&out);
}

int log_run_error(const struct cli *cli, const struct ca_error *err, bool resumable)
{
    if (speaks_json(cli)) {
        put_json(ca_error_name(err), err->text, err->hint, resumable);
    } else {
        put_text(cli, err, NULL);
    }
    return err->status == CA_AGAIN ? EXIT_STOPPED : EXIT_FAILED;
}

int log_error(const struct cli *cli, const struct ca_error *err)
{
    return log_run_error(cli, err, false);
}

int log_refusal(const struct cli *cli, const struct ca_error *err)
{
    const char *rule = ca_reason_rule(err->reason);
    char hint[2 * CA_ERROR_HINT_MAX];

    if (rule == NULL) rule = "unknown";
    if (speaks_json(cli)) {
        (void)snprintf(hint, sizeof(hint), "rule: %s%s%s", rule, err->hint[0] != '\0' ? "; " : "",
                       err->hint);
        put_json(ca_error_name(err), err->text, hint, false);
    } else {
        put_text(cli, err, rule);
    }
    return EXIT_REFUSED;
}

void log_append_usage(struct ca_buf *out, const struct command *command)
{
    const struct command *const *sub = command->subcommands;

    if (sub == NULL) {
        ca_buf_printf(out, "%s%s%s", command->path, command->synopsis[0] != '\0' ? " " : "",
                      command->synopsis);
        return;
    }
    ca_buf_printf(out, "%s COMMAND ...; commands:", command->path);
    for (; *sub != NULL; sub++) {
        ca_buf_printf(out, " %s%s", (*sub)->name, sub[1] != NULL ? "," : "");
    }
}

int log_usage(const struct cli *cli, const char *format, ...)
{
    struct ca_buf out;
    char message[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    make_printable(message);
    ca_buf_init(&out, MESSAGE_MAX);
    if (speaks_json(cli)) {
        ca_buf_append_str(&out, "usage: ");
        log_append_usage(&out, cli->command);
        ca_buf_append_u8(&out, '\0');
        if (out.failed == CA_OK) put_json("usage", message, (const char *)out.data, false);
    } else {
        append_prefix(&out);
        ca_buf_printf(&out, "%s\nusage: ", message);
        log_append_usage(&out, cli->command);
        ca_buf_printf(&out, "\n  %s --help says more\n", cli->command->path);
        put(stderr, &out);
    }
    ca_buf_clear(&out);
    return EXIT_USAGE;
}

void log_notice(const struct cli *cli, const char *format, ...)
{
    char message[512];
    va_list args;

    if (cli->quiet) return;
    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    make_printable(message);
    (void)fflush(stdout);
    (void)fprintf(stderr, "certmill: %s\n", message);
}
