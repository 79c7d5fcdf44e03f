/*
 * certmill ca in two files: cmd_ca.c changes CAs, cmd_ca_show.c shows them and moves certificates
 * in and out.
 */
#ifndef TOOLS_CMD_CA_H
#define TOOLS_CMD_CA_H

#include "tools/command.h"

extern const struct command cmd_ca_csr;
extern const struct command cmd_ca_cert;
extern const struct command cmd_ca_import_cert;
extern const struct command cmd_ca_list;
extern const struct command cmd_ca_describe;

/* Tells which state a CA has now: the result of every command that changed it. */
CA_MUST_CHECK enum ca_status cmd_ca_print_state(struct cli *cli, struct batch_registry *registry,
                                                const char *name, struct ca_error *err);

#endif
