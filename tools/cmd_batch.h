/*
 * certmill batch in two files: cmd_batch.c runs jobs, cmd_batch_show.c tells of them.
 */
#ifndef TOOLS_CMD_BATCH_H
#define TOOLS_CMD_BATCH_H

#include "tools/command.h"

extern const struct command cmd_batch_list;
extern const struct command cmd_batch_show;

#endif
