/* certmill init: makes a store, or makes the reserve of one again. */
#include "tools/cli.h"
#include "tools/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESERVE_BYTES_MAX (UINT64_C(1) << 40)

static const struct command_option options[] = {
    { "no-passphrase", NULL, 0, "keep the keys unencrypted", 0 },
    { "region", "R", 0, "region in ARNs (local)", 0 },
    { "account", "A", 0, "account in ARNs, 12 digits (000000000000)", 0 },
    { "reserve", "BYTES", 0, "disk space set aside for when the disk is full (16M)", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

/* Octets, or with K, M or G in powers of 1024. */
static bool parse_size(const char *text, uint64_t *out)
{
    static const char units[] = "KMG";
    const char *unit;
    char *end;
    uint64_t bytes;
    unsigned shift = 0;

    errno = 0;
    bytes = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0) return false;
    if (*end != '\0') {
        unit = strchr(units, *end);
        if (unit == NULL || end[1] != '\0') return false;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (bytes > RESERVE_BYTES_MAX >> shift) return false;
    *out = bytes << shift;
    return true;
}

static int say_made(struct cli *cli, const struct batch_init_spec *spec)
{
    struct ca_error err;
    struct ca_buf out;
    enum ca_status st;

    if (!cli->json) {
        printf("new store in %s, keys %s\n", spec->dir,
               spec->encrypted ? "encrypted" : "not encrypted");
        log_notice(cli, "next: certmill%s%s ca create --name N --type ROOT --config ca-config.json",
                   opts_flag(cli, "store") ? " --store " : "",
                   opts_flag(cli, "store") ? spec->dir : "");
        return EXIT_DONE;
    }
    ca_buf_init(&out, PRINT_MAX);
    ca_buf_append_str(&out, "{\"store\":");
    ca_json_append_string(&out, ca_bytes_str(spec->dir));
    ca_buf_printf(&out, ",\"encrypted\":%s,\"reserve_bytes\":%" PRIu64 "}",
                  spec->encrypted ? "true" : "false", spec->reserve_bytes);
    st = print_json(ca_buf_view(&out), &err);
    ca_buf_clear(&out);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

/* `init --reserve` alone on a store that is there: a disk was full, the reserve was given up. */
static bool asks_for_reserve_only(const struct cli *cli)
{
    return opts_flag(cli, "reserve") && !opts_flag(cli, "no-passphrase") &&
           !opts_flag(cli, "region") && !opts_flag(cli, "account") &&
           cli->passphrase.file == NULL && cli->passphrase.fd < 0 && access(cli->store, F_OK) == 0;
}

static int restore_reserve(struct cli *cli)
{
    struct ca_error err;
    struct batch_registry *registry = NULL;
    enum ca_status st = cli_open_store(cli, STORE_WRITE, &registry, &err);

    if (st == CA_OK) st = store_reserve_restore(registry->store, &err);
    batch_registry_close(registry);
    if (st != CA_OK) return log_error(cli, &err);
    if (!cli->json) {
        printf("the reserve of %s is whole\n", cli->store);
    } else {
        printf("{\"reserve\":\"restored\"}\n");
    }
    return EXIT_DONE;
}

static int run(struct cli *cli)
{
    struct batch_init_spec spec = {
        .dir = cli->store,
        .region = opts_value(cli, "region"),
        .account = opts_value(cli, "account"),
        .reserve_bytes = STORE_RESERVE_BYTES_DEFAULT,
        .encrypted = !opts_flag(cli, "no-passphrase"),
        .passphrase = passphrase_source(&cli->passphrase),
        .clock = cli->testing.clock,
    };
    const char *reserve = opts_value(cli, "reserve");
    struct ca_error err;

    if (!spec.encrypted && (cli->passphrase.file != NULL || cli->passphrase.fd >= 0)) {
        return log_usage(cli, "--no-passphrase and a passphrase exclude each other");
    }
    if (reserve != NULL && !parse_size(reserve, &spec.reserve_bytes)) {
        return log_usage(cli, "--reserve %s: a size is needed, such as 16M", reserve);
    }
    if (asks_for_reserve_only(cli)) return restore_reserve(cli);
    if (batch_registry_init(&spec, &err) != CA_OK) {
        if (err.status == CA_FULL && err.hint[0] == '\0') {
            ca_hint(&err, "make room, or set less aside with --reserve");
        }
        return log_error(cli, &err);
    }
    if (!spec.encrypted) {
        log_notice(cli, "whoever can read %s/keys can issue certificates", spec.dir);
    }
    return say_made(cli, &spec);
}

const struct command cmd_init = {
    .name = "init",
    .path = "certmill init",
    .summary = "make a store",
    .synopsis = "(--passphrase-file F | --no-passphrase) [--region R] [--account A]\n"
                "           [--reserve BYTES]",
    .options = options,
    .run = run,
};
