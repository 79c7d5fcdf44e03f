/* certmill store: what the store itself looks like. */
#include "tools/cli.h"
#include "tools/commands.h"

#include <inttypes.h>

static void append_string(struct ca_buf *out, const char *member, struct ca_bytes text)
{
    ca_buf_printf(out, ",\"%s\":", member);
    ca_json_append_string(out, text);
}

static void append_identity(struct ca_buf *out, const struct schema_identity *identity)
{
    char uuid[37];
    char created[CA_TIME_TEXT_MAX];

    batch_uuid_format(identity->store_id, uuid);
    ca_time_format(identity->created_ms / 1000, created);
    append_string(out, "store_id", ca_bytes_str(uuid));
    ca_buf_printf(out, ",\"schema_version\":%" PRIu32, identity->schema_version);
    append_string(out, "region", identity->region);
    append_string(out, "account", identity->account);
    append_string(out, "created_at", ca_bytes_str(created));
    ca_buf_printf(out, ",\"keys_encrypted\":%s", identity->encrypted ? "true" : "false");
}

static void append_stat(struct ca_buf *out, const struct store_stat *stat)
{
    ca_buf_printf(out, ",\"data_bytes\":%" PRIu64 ",\"used_bytes\":%" PRIu64, stat->data_bytes,
                  stat->used_bytes);
    ca_buf_printf(out, ",\"map_bytes\":%" PRIu64 ",\"reserve_bytes\":%" PRIu64, stat->map_bytes,
                  stat->reserve_bytes);
    ca_buf_printf(out, ",\"page_bytes\":%" PRIu32 ",\"readers\":%" PRIu32, stat->page_bytes,
                  stat->readers);
    ca_buf_append_str(out, ",\"rows\":{");
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        ca_buf_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "",
                      store_table_name((enum store_table)i), stat->rows[i]);
    }
    ca_buf_append_str(out, "}");
}

static int run_info(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct store_stat stat;
    struct ca_error err;
    struct ca_buf out;
    enum ca_status st = cli_open_store(cli, STORE_READ, &registry, &err);

    ca_buf_init(&out, PRINT_MAX);
    if (st == CA_OK) st = store_stat(registry->store, &stat, &err);
    if (st == CA_OK) {
        ca_buf_append_str(&out, "{\"store\":");
        ca_json_append_string(&out, ca_bytes_str(store_dir(registry->store)));
        append_identity(&out, &registry->identity);
        append_stat(&out, &stat);
        ca_buf_append_str(&out, "}");
        st = ca_buf_status(&out, "the description of the store", &err);
    }
    if (st == CA_OK) {
        st = cli->json ? print_json(ca_buf_view(&out), &err)
                       : print_fields(ca_buf_view(&out), &err);
    }
    ca_buf_clear(&out);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static const struct command store_info = {
    .name = "info",
    .path = "certmill store info",
    .summary = "sizes, rows and identity of the store",
    .synopsis = "",
    .run = run_info,
};

static const struct command *const subcommands[] = { &store_info, NULL };

const struct command cmd_store = {
    .name = "store",
    .path = "certmill store",
    .summary = "the store itself: info",
    .synopsis = "",
    .subcommands = subcommands,
};
