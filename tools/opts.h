/*
 * Command lines: read with getopt_long against the command table, which also makes the help.
 *
 * Options may stand before or after the words of the command and its operands; "--" ends them. Long
 * names are not abbreviated: a script's "--val" would change its meaning with the next version's
 * options. An option given twice is an error unless its row says otherwise.
 *
 * Thread: the main thread only (getopt has global state).
 */
#ifndef TOOLS_OPTS_H
#define TOOLS_OPTS_H

#include "tools/command.h"

/* Fills cli from the command line; free with opts_clear. EXIT_DONE, or EXIT_USAGE after saying on
 * stderr (or, with --json, on stdout) what is wrong. Requirements of the command itself (operands,
 * required options) are not looked at when help or version was asked for. */
CA_MUST_CHECK int opts_parse(const struct command *program, int argc, char **argv,
                             struct cli *cli);
void opts_clear(struct cli *cli);

/* The help of cli->command on stdout. */
void opts_print_help(const struct cli *cli);

/* An option's value, "" for a flag, NULL when it was not given. The command must have it. */
const char *opts_value(const struct cli *cli, const char *name);
bool opts_flag(const struct cli *cli, const char *name);
/* The values of an option that repeats: values holds as many as were given (cli->option_count is
 * always enough). */
size_t opts_values(const struct cli *cli, const char *name, const char **values);

/* A whole number from min to max, left alone when the option was not given. False after saying that
 * it is none. */
CA_MUST_CHECK bool opts_number(struct cli *cli, const char *name, uint64_t min, uint64_t max,
                               uint64_t *out);

#endif
