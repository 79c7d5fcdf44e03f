/*
 * What every command does first and last: the process made safe, the command line read, the store
 * opened, standard output checked.
 *
 * Thread: the main thread only.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include "tools/command.h"
#include "tools/log.h"
#include "tools/opts.h"
#include "tools/print.h"

#include "engine/validity.h"

/* The whole program: an exit code. */
int cli_main(const struct command *program, int argc, char **argv);

/* The store that --store names, with the passphrase's source and the clock around it. */
CA_MUST_CHECK enum ca_status cli_open_store(struct cli *cli, enum store_access access,
                                            struct batch_registry **out, struct ca_error *err);

/* A validity option; NONE when it was not given. False after saying that it is none. */
CA_MUST_CHECK bool cli_validity(struct cli *cli, const char *name, struct ca_validity *out);

/* Reads the file that an option names (--config F), at most max octets; an empty buffer when the
 * option was not given. out is initialised here. */
CA_MUST_CHECK enum ca_status cli_read_option(struct cli *cli, const char *name, size_t max,
                                             struct ca_buf *out, struct ca_error *err);

/* Puts a file's name before an error's sentence; returns the error's status. */
CA_MUST_CHECK enum ca_status cli_blame_file(const char *path, struct ca_error *err);

#endif
