/*
 * The commands, one file each (cmd_<name>.c). Results go to stdout, everything else to stderr; each
 * returns an exit code after saying what went wrong.
 */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

#include "tools/command.h"

extern const struct command cmd_init;
extern const struct command cmd_ca;
extern const struct command cmd_template;
extern const struct command cmd_issue;
extern const struct command cmd_explain;
extern const struct command cmd_batch;
extern const struct command cmd_cert;
extern const struct command cmd_store;
extern const struct command cmd_verify;

#endif
