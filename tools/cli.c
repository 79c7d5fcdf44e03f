#include "tools/cli.h"

#include "engine/blocklist.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A program started with stdout closed would get the store's file as descriptor 1 and print into
 * it. What was closed stays unusable: reading from or writing to it goes on to fail. */
static void occupy_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) _exit(EXIT_FAILED);
    }
}

/* The hash of the built-in list of published keys, in hexadecimal. */
static enum ca_status published_hash(char hex[65], struct ca_error *err)
{
    struct ca_crypto *crypto = NULL;
    uint8_t hash[32];
    enum ca_status st = ca_crypto_new(&crypto, err);

    if (st == CA_OK) st = ca_published_hash(crypto, hash, err);
    if (st == CA_OK) ca_hex_encode(ca_bytes_of(hash, sizeof(hash)), hex);
    ca_crypto_free(crypto);
    return st;
}

static enum ca_status print_version_json(const char *hash, struct ca_error *err)
{
    struct ca_buf out;
    enum ca_status st;

    ca_buf_init(&out, 4096);
    ca_buf_append_str(&out, "{\"certmill\":\"" CERTMILL_VERSION "\",\"openssl\":");
    ca_json_append_string(&out, ca_bytes_str(ca_crypto_version()));
    ca_buf_append_str(&out, ",\"lmdb\":");
    ca_json_append_string(&out, ca_bytes_str(store_lmdb_version()));
    ca_buf_printf(&out, ",\"published_keys\":{\"count\":%zu,\"sha256\":\"%s\"}}",
                  ca_published_count(), hash);
    st = ca_buf_status(&out, "the version", err);
    if (st == CA_OK) st = print_json(ca_buf_view(&out), err);
    ca_buf_clear(&out);
    return st;
}

static int print_version(struct cli *cli)
{
    struct ca_error err;
    char hash[65];
    enum ca_status st;

    if (!cli->json && !cli->verbose) {
        printf("certmill %s\n", CERTMILL_VERSION);
        return EXIT_DONE;
    }
    st = published_hash(hash, &err);
    if (st == CA_OK && cli->json) {
        st = print_version_json(hash, &err);
    } else if (st == CA_OK) {
        printf("certmill %s\n%s\n%s\n%zu published keys, sha256 %s\n", CERTMILL_VERSION,
               ca_crypto_version(), store_lmdb_version(), ca_published_count(), hash);
    }
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

/* A result that nobody received is no success: a full disk shows only now. */
static int finish_output(struct cli *cli, int code)
{
    struct ca_error err;
    bool failed = ferror(stdout) != 0;

    if (fclose(stdout) == 0 && !failed) return code;
    if (code == EXIT_FAILED || code == EXIT_USAGE) return code;     /* said already */
    (void)ca_fail(&err, CA_IO, "cannot write to standard output");
    cli->printed = true;        /* there is nowhere to print JSON to */
    (void)log_error(cli, &err);
    return EXIT_FAILED;
}

static bool print_faults(int argc, char **argv)
{
    struct ca_buf out;
    bool listed;

    ca_buf_init(&out, PRINT_MAX);
    listed = testing_list_faults(argc, argv, &out);
    if (out.len > 0) (void)fwrite(out.data, 1, out.len, stdout);    /* finish_output looks at it */
    ca_buf_clear(&out);
    return listed;
}

static int run(struct cli *cli, const struct command *program, int argc, char **argv)
{
    struct ca_error err;
    int code;

    if (print_faults(argc, argv)) return EXIT_DONE;
    code = opts_parse(program, argc, argv, cli);
    if (code != EXIT_DONE) return code;
    if (cli->help) {
        opts_print_help(cli);
        return EXIT_DONE;
    }
    if (cli->version) return print_version(cli);
    if (testing_setup(&cli->testing, &err) != CA_OK) return log_error(cli, &err);
    return cli->command->run(cli);
}

int cli_main(const struct command *program, int argc, char **argv)
{
    struct cli cli = { .command = program };
    int code;

    occupy_standard_descriptors();
    testing_protect_memory();
    cli.users_umask = umask(077);   /* whatever a library creates in the store is private */
    code = run(&cli, program, argc, argv);
    code = finish_output(&cli, code);
    opts_clear(&cli);
    return code;
}

enum ca_status cli_open_store(struct cli *cli, enum store_access access,
                              struct batch_registry **out, struct ca_error *err)
{
    const struct batch_open_spec spec = {
        .dir = cli->store,
        .access = access,
        .clock = cli->testing.clock,
        .passphrase = passphrase_source(&cli->passphrase),
        .seed = cli->testing.has_seed ? &cli->testing.seed : NULL,
    };

    return batch_registry_open(&spec, out, err);
}

bool cli_validity(struct cli *cli, const char *name, struct ca_validity *out)
{
    const char *text = opts_value(cli, name);
    struct ca_error err;

    *out = (struct ca_validity){ .type = CA_VALIDITY_NONE };
    if (text == NULL || ca_validity_parse(text, out, &err) == CA_OK) return true;
    (void)log_usage(cli, "--%s: %s; 365d, 12mo, 10y, 36h, Value=365,Type=DAYS or a time such as "
                    "2030-12-31T23:59:59Z is needed", name, err.text);
    return false;
}

enum ca_status cli_read_option(struct cli *cli, const char *name, size_t max, struct ca_buf *out,
                               struct ca_error *err)
{
    const char *path = opts_value(cli, name);

    ca_buf_init(out, max + 1);      /* file_read sees by one octet more that a file is longer */
    return path != NULL ? file_read(path, max, FILE_PUBLIC, out, err) : CA_OK;
}

enum ca_status cli_blame_file(const char *path, struct ca_error *err)
{
    const struct ca_error why = *err;

    (void)ca_fail_named(err, why.status, why.name, "%.100s: %s", path, why.text);
    if (why.hint[0] != '\0') ca_hint(err, "%s", why.hint);
    return why.status;
}
