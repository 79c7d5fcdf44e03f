/* certmill ca create, activate, update, delete, restore, tag, untag. */
#include "tools/cmd_ca.h"

#include "tools/cli.h"
#include "tools/commands.h"

#include "batch/registry_ca.h"
#include "engine/ca_config.h"

#include <stdlib.h>
#include <string.h>

#define DELETE_DAYS_DEFAULT 30      /* spec section 3 */
#define DELETE_DAYS_MIN 7
#define DELETE_DAYS_MAX 30

static const struct command_option create_options[] = {
    { "name", "N", OPTION_REQUIRED, "what the CA is called here", 0 },
    { "type", "TYPE", OPTION_REQUIRED, "ROOT or SUBORDINATE", 0 },
    { "config", "F", OPTION_REQUIRED, "JSON: KeyAlgorithm, SigningAlgorithm, Subject", 0 },
    { "usage-mode", "M", 0, "GENERAL_PURPOSE or SHORT_LIVED_CERTIFICATE", 0 },
    { "revocation", "F", 0, "JSON: CrlConfiguration, OcspConfiguration", 0 },
    { "idempotency-token", "T", 0, "the same token gives the same CA again", 0 },
    { "tag", "K=V", OPTION_REPEATS, "a tag; may be given more than once", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

static const struct command_option activate_options[] = {
    { "parent", "P", 0, "the CA that signs it (a root signs itself)", 0 },
    { "template", "T", 0, "RootCACertificate, or SubordinateCACertificate_PathLen0", 0 },
    { "validity", "V", 0, "how long it is valid (root 10y, subordinate 3y)", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

static const struct command_option update_options[] = {
    { "status", "S", 0, "ACTIVE or DISABLED", 0 },
    { "revocation", "F", 0, "JSON: CrlConfiguration, OcspConfiguration", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

static const struct command_option delete_options[] = {
    { "days", "7..30", 0, "how long it can be restored (30)", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

/* One of two words, the first being number 0. False after saying that it is neither. */
static bool read_choice(struct cli *cli, const char *option, const char *const words[2],
                        bool *second)
{
    const char *text = opts_value(cli, option);

    if (text == NULL) return true;
    *second = strcmp(text, words[1]) == 0;
    if (*second || strcmp(text, words[0]) == 0) return true;
    (void)log_usage(cli, "--%s %s: %s or %s is needed", option, text, words[0], words[1]);
    return false;
}

/* Tags are K=V; key and value are cut apart inside the words of the command line. */
struct tags {
    struct batch_tag *tags;
    char **words;           /* owned copies */
    size_t count;
};

static void tags_clear(struct tags *tags)
{
    for (size_t i = 0; tags->words != NULL && i < tags->count; i++) free(tags->words[i]);
    free(tags->words);
    free(tags->tags);
    *tags = (struct tags){ .count = 0 };
}

static enum ca_status tags_init(struct tags *tags, const char *const *words, size_t count,
                                struct ca_error *err)
{
    *tags = (struct tags){ .tags = calloc(count + 1, sizeof(*tags->tags)),
                           .words = calloc(count + 1, sizeof(*tags->words)) };
    for (size_t i = 0; i < count && tags->tags != NULL && tags->words != NULL; i++) {
        char *equals;

        tags->words[i] = strdup(words[i]);
        if (tags->words[i] == NULL) break;
        tags->count++;
        equals = strchr(tags->words[i], '=');
        tags->tags[i] = (struct batch_tag){ .key = tags->words[i] };
        if (equals == NULL) continue;
        *equals = '\0';
        tags->tags[i].value = equals + 1;
    }
    return tags->count == count ? CA_OK : ca_fail(err, CA_NOMEM, "no memory for tags");
}

/* False after saying which tag has no value. */
static bool all_have_values(struct cli *cli, const struct tags *tags)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (tags->tags[i].value != NULL) continue;
        (void)log_usage(cli, "the tag \"%s\" has no value; K=V is needed", tags->tags[i].key);
        return false;
    }
    return true;
}

static enum ca_status print_created(struct cli *cli, const struct batch_ca *ca, bool existed,
                                    struct ca_error *err)
{
    struct ca_buf out;
    enum ca_status st;

    if (existed) log_notice(cli, "this token was used before: the same CA again");
    if (!cli->json) {
        printf("%s\n", ca->arn);
        return print_status(err);
    }
    ca_buf_init(&out, PRINT_MAX);
    ca_buf_append_str(&out, "{\"name\":");
    ca_json_append_string(&out, ca->row.name);
    ca_buf_printf(&out, ",\"arn\":\"%s\",\"status\":\"%s\",\"existed\":%s}", ca->arn,
                  batch_ca_status_name(ca), existed ? "true" : "false");
    st = ca_buf_status(&out, "the CA", err);
    if (st == CA_OK) st = print_json(ca_buf_view(&out), err);
    ca_buf_clear(&out);
    return st;
}

/* Puts the file that an option names before the sentence. */
static enum ca_status blame_file(struct cli *cli, const char *option, struct ca_error *err)
{
    return cli_blame_file(opts_value(cli, option), err);
}

/* Nobody below knows which file a configuration came from: it is looked at before it is used. */
static enum ca_status check_config(struct cli *cli, struct ca_bytes json, struct ca_error *err)
{
    struct ca_config config;
    enum ca_status st = ca_config_parse(json, &config, err);

    if (st != CA_OK) return blame_file(cli, "config", err);
    ca_config_clear(&config);
    return CA_OK;
}

/* The same for what only the CA's own row can settle, once the other file is known to be right. */
static enum ca_status blame_revocation(struct cli *cli, enum ca_status st, struct ca_error *err)
{
    const char *name = st != CA_OK ? ca_error_name(err) : "";

    if (strcmp(name, "configuration") != 0 && strcmp(name, "bad-json") != 0) return st;
    return opts_flag(cli, "revocation") ? blame_file(cli, "revocation", err) : st;
}

static enum ca_status create(struct cli *cli, struct batch_ca_create *spec, struct ca_error *err)
{
    struct batch_registry *registry = NULL;
    struct batch_ca ca = { .number = 0 };
    bool existed = false;
    struct ca_buf config, revocation;
    enum ca_status st;

    ca_buf_init(&revocation, CA_CONFIG_JSON_MAX);
    st = cli_read_option(cli, "config", CA_CONFIG_JSON_MAX, &config, err);
    if (st == CA_OK) st = cli_read_option(cli, "revocation", CA_CONFIG_JSON_MAX, &revocation, err);
    spec->config_json = ca_buf_view(&config);
    spec->revocation_json = ca_buf_view(&revocation);
    if (st == CA_OK) st = check_config(cli, spec->config_json, err);
    if (st == CA_OK) st = cli_open_store(cli, STORE_WRITE, &registry, err);
    if (st == CA_OK) {
        st = blame_revocation(cli, batch_ca_create(registry, spec, &ca, &existed, err), err);
    }
    if (st == CA_OK) st = print_created(cli, &ca, existed, err);
    batch_ca_clear(&ca);
    batch_registry_close(registry);
    ca_buf_clear(&revocation);
    ca_buf_clear(&config);
    return st;
}

static int run_create(struct cli *cli)
{
    static const char *const types[2] = { "SUBORDINATE", "ROOT" };
    static const char *const modes[2] = { "GENERAL_PURPOSE", "SHORT_LIVED_CERTIFICATE" };
    struct batch_ca_create spec = {
        .name = opts_value(cli, "name"),
        .token = opts_value(cli, "idempotency-token"),
    };
    const char **words = calloc(cli->option_count, sizeof(*words));    /* --name is one */
    struct ca_error err;
    struct tags tags = { .count = 0 };
    enum ca_status st;
    int code = EXIT_USAGE;

    if (words == NULL) {
        (void)ca_fail(&err, CA_NOMEM, "no memory for tags");
        return log_error(cli, &err);
    }
    if (!read_choice(cli, "type", types, &spec.is_root)) goto out;
    if (!read_choice(cli, "usage-mode", modes, &spec.short_lived)) goto out;
    st = tags_init(&tags, words, opts_values(cli, "tag", words), &err);
    if (st == CA_OK && !all_have_values(cli, &tags)) goto out;
    spec.tags = tags.tags;
    spec.tag_count = tags.count;
    if (st == CA_OK) st = create(cli, &spec, &err);
    code = st == CA_OK ? EXIT_DONE : log_error(cli, &err);
out:
    tags_clear(&tags);
    free(words);
    return code;
}

static int run_activate(struct cli *cli)
{
    struct batch_ca_activate spec = {
        .name = cli->operands[0],
        .parent = opts_value(cli, "parent"),
        .tmpl = opts_value(cli, "template"),
    };
    struct batch_registry *registry = NULL;
    struct ca_serial serial;
    struct ca_error err;
    enum ca_status st;

    if (!cli_validity(cli, "validity", &spec.validity)) return EXIT_USAGE;
    st = cli_open_store(cli, STORE_WRITE, &registry, &err);
    if (st == CA_OK) st = batch_ca_activate(registry, &spec, &serial, &err);
    if (st == CA_OK) st = cmd_ca_print_state(cli, registry, spec.name, &err);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static int run_update(struct cli *cli)
{
    static const char *const states[2] = { "ACTIVE", "DISABLED" };
    struct batch_registry *registry = NULL;
    struct ca_error err;
    struct ca_buf revocation;
    bool disable = false;
    uint8_t state = 0;
    enum ca_status st;

    if (!opts_flag(cli, "status") && !opts_flag(cli, "revocation")) {
        return log_usage(cli, "--status or --revocation is needed");
    }
    if (!read_choice(cli, "status", states, &disable)) return EXIT_USAGE;
    if (opts_flag(cli, "status")) state = disable ? SCHEMA_CA_DISABLED : SCHEMA_CA_ACTIVE;
    st = cli_read_option(cli, "revocation", CA_CONFIG_JSON_MAX, &revocation, &err);
    if (st == CA_OK) st = cli_open_store(cli, STORE_WRITE, &registry, &err);
    if (st == CA_OK) {
        st = batch_ca_update(registry, cli->operands[0], state, ca_buf_view(&revocation), &err);
        st = blame_revocation(cli, st, &err);
    }
    if (st == CA_OK && store_reserve_check(registry->store, NULL) != CA_OK) {
        log_notice(cli, "the disk was full and the store's reserve is given up: make room, then "
                        "certmill init --reserve 16M, before anything is issued");
    }
    if (st == CA_OK) st = cmd_ca_print_state(cli, registry, cli->operands[0], &err);
    batch_registry_close(registry);
    ca_buf_clear(&revocation);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static int run_delete(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct ca_error err;
    uint64_t days = DELETE_DAYS_DEFAULT;
    int64_t until_ms;
    enum ca_status st;

    if (!opts_number(cli, "days", DELETE_DAYS_MIN, DELETE_DAYS_MAX, &days)) return EXIT_USAGE;
    st = cli_open_store(cli, STORE_WRITE, &registry, &err);
    if (st == CA_OK) {
        st = batch_ca_delete(registry, cli->operands[0], (uint32_t)days, &until_ms, &err);
    }
    if (st == CA_OK) st = cmd_ca_print_state(cli, registry, cli->operands[0], &err);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static int run_restore(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct ca_error err;
    enum ca_status st = cli_open_store(cli, STORE_WRITE, &registry, &err);

    if (st == CA_OK) st = batch_ca_restore(registry, cli->operands[0], &err);
    if (st == CA_OK) st = cmd_ca_print_state(cli, registry, cli->operands[0], &err);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

/* tag and untag differ in what is done and in whether a tag must have a value. */
static int change_tags(struct cli *cli, bool take_away)
{
    const char *name = cli->operands[0];
    const char *const *words = (const char *const *)(cli->operands + 1);
    size_t count = (size_t)cli->operand_count - 1;
    struct batch_registry *registry = NULL;
    struct ca_error err;
    struct tags tags;
    enum ca_status st = tags_init(&tags, words, count, &err);

    if (st == CA_OK && !take_away && !all_have_values(cli, &tags)) {
        tags_clear(&tags);
        return EXIT_USAGE;
    }
    if (st == CA_OK) st = cli_open_store(cli, STORE_WRITE, &registry, &err);
    if (st == CA_OK) {
        st = take_away ? batch_ca_untag(registry, name, tags.tags, tags.count, &err)
                       : batch_ca_tag(registry, name, tags.tags, tags.count, &err);
    }
    if (st == CA_OK) st = cmd_ca_print_state(cli, registry, name, &err);
    batch_registry_close(registry);
    tags_clear(&tags);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static int run_tag(struct cli *cli)
{
    return change_tags(cli, false);
}

static int run_untag(struct cli *cli)
{
    return change_tags(cli, true);
}

static const struct command ca_create = {
    .name = "create",
    .path = "certmill ca create",
    .summary = "make a CA with a new key; prints its ARN",
    .synopsis = "--name N --type ROOT|SUBORDINATE --config ca-config.json\n"
                "           [--usage-mode M] [--revocation rev.json] [--idempotency-token T]\n"
                "           [--tag K=V]...",
    .options = create_options,
    .run = run_create,
};

static const struct command ca_activate = {
    .name = "activate",
    .path = "certmill ca activate",
    .summary = "sign a CA's certificate (itself or by a parent) and import it",
    .synopsis = "N [--parent P] [--template T] [--validity 10y]",
    .options = activate_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_activate,
};

static const struct command ca_update = {
    .name = "update",
    .path = "certmill ca update",
    .summary = "disable or enable a CA, change its revocation settings",
    .synopsis = "N [--status ACTIVE|DISABLED] [--revocation F]",
    .options = update_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_update,
};

static const struct command ca_delete = {
    .name = "delete",
    .path = "certmill ca delete",
    .summary = "delete a CA; it can be restored for some days",
    .synopsis = "N [--days 7..30]",
    .options = delete_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_delete,
};

static const struct command ca_restore = {
    .name = "restore",
    .path = "certmill ca restore",
    .summary = "bring a deleted CA back",
    .synopsis = "N",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_restore,
};

static const struct command ca_tag = {
    .name = "tag",
    .path = "certmill ca tag",
    .summary = "set tags",
    .synopsis = "N K=V...",
    .operands_min = 2,
    .operands_max = -1,
    .run = run_tag,
};

static const struct command ca_untag = {
    .name = "untag",
    .path = "certmill ca untag",
    .summary = "take tags away: K whatever its value, K=V on a match",
    .synopsis = "N K...",
    .operands_min = 2,
    .operands_max = -1,
    .run = run_untag,
};

static const struct command *const subcommands[] = {
    &ca_create,          &ca_activate,  &cmd_ca_csr,      &cmd_ca_cert,
    &cmd_ca_import_cert, &cmd_ca_list,  &cmd_ca_describe, &ca_update,
    &ca_delete,          &ca_restore,   &ca_tag,          &ca_untag,
    NULL,
};

const struct command cmd_ca = {
    .name = "ca",
    .path = "certmill ca",
    .summary = "certificate authorities: create, activate, list, describe, ...",
    .synopsis = "",
    .subcommands = subcommands,
};
