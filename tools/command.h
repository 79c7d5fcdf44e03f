/*
 * What a command is, and one invocation of one. main.c holds the table; opts reads a command line
 * against it and prints its help; cmd_*.c run.
 *
 * Thread: the main thread only.
 */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

#include "batch/registry.h"
#include "tools/passphrase.h"
#include "tools/testing.h"

#include <sys/types.h>

/* Exit codes that scripts rely on. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_REFUSED = 3,       /* done, but something was refused */
    EXIT_STOPPED = 4,       /* by a signal or a limit; can be resumed */
};

enum option_traits {
    OPTION_REQUIRED = 1 << 0,
    OPTION_REPEATS = 1 << 1,    /* may be given more than once */
};

/* One option. A table of them ends with a row whose name is NULL. */
struct command_option {
    const char *name;       /* "idempotency-token" */
    const char *value;      /* what its value is called in the help ("T"); NULL: a flag */
    unsigned traits;        /* enum option_traits */
    const char *help;       /* one line */
    char letter;            /* 'q' for -q; 0: none */
};

struct cli;

/* Either subcommands or run is set. */
struct command {
    const char *name;       /* "create" */
    const char *path;       /* "certmill ca create", for messages */
    const char *summary;    /* one line for the list of commands, without a full stop */
    const char *synopsis;   /* what follows the path; a line break where it is long */
    const struct command_option *options;
    const struct command *const *subcommands;   /* ends with NULL */
    int operands_min, operands_max;             /* max -1: any number */
    int (*run)(struct cli *cli);                /* an exit code */
};

struct cli_option {
    const struct command_option *spec;
    const char *text;       /* "" for a flag */
};

/* One invocation. */
struct cli {
    const struct command *command;
    struct cli_option *options;     /* the command's own and the global ones, as given */
    size_t option_count;
    char **operands;
    int operand_count;

    const char *store;
    bool json, quiet, verbose, no_uring;
    bool help, version;
    mode_t users_umask;     /* before we made it private: for files that are the user's */
    bool printed;           /* part of a JSON document is out: an error can only go to stderr */

    struct passphrase passphrase;
    struct testing testing;
};

#endif
