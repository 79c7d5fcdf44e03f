/*
 * What goes wrong, told to a person on stderr or, with --json, to a script on stdout:
 *
 *     certmill: one sentence
 *       what to do about it
 *
 *     {"error":{"code":"no-such-ca","message":"...","hint":"...","resumable":false}}
 *
 * Thread: the main thread only.
 */
#ifndef TOOLS_LOG_H
#define TOOLS_LOG_H

#include "tools/command.h"

/* Tells it and returns the exit code that belongs to it: EXIT_STOPPED for CA_AGAIN, otherwise
 * EXIT_FAILED. */
int log_error(const struct cli *cli, const struct ca_error *err);
/* The same for a run that may be taken up again. */
int log_run_error(const struct cli *cli, const struct ca_error *err, bool resumable);
/* A refused request: with its code and rule. Returns EXIT_REFUSED. */
int log_refusal(const struct cli *cli, const struct ca_error *err);

/* A wrong command line: the sentence and the synopsis of cli->command. Returns EXIT_USAGE. */
int log_usage(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A remark on stderr; nothing with -q. */
void log_notice(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The object that stands behind "error": for a document that has more to say. */
void log_append_error(struct ca_buf *out, const struct ca_error *err, bool resumable);

/* "certmill ca create --name N ...", or the commands of a group; without a line end. */
void log_append_usage(struct ca_buf *out, const struct command *command);

#endif
