#include "tools/cli.h"

#include "tools/commands.h"

#include <stddef.h>

static const struct command *const commands[] = {
    &cmd_init,    &cmd_ca,    &cmd_template, &cmd_issue, &cmd_explain,
    &cmd_batch,   &cmd_cert,  &cmd_store,    &cmd_verify,
    NULL,
};

static const struct command certmill = {
    .name = "certmill",
    .path = "certmill",
    .summary = "issues X.509 certificates in bulk for a private PKI",
    .synopsis = "",
    .subcommands = commands,
};

int main(int argc, char **argv)
{
    return cli_main(&certmill, argc, argv);
}
