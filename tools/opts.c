#include "tools/opts.h"

#include "tools/log.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command_option global_options[] = {
    { "store", "DIR", 0, "the store (else $CERTMILL_STORE, else ./certmill-store)", 0 },
    { "passphrase-file", "F", 0, "private file with the passphrase of the store's keys", 0 },
    { "passphrase-fd", "N", 0, "read the passphrase from this open descriptor", 0 },
    { "json", NULL, 0, "one JSON document on stdout, errors too", 0 },
    { "quiet", NULL, 0, "no progress and no remarks", 'q' },
    { "verbose", NULL, 0, "say more: errors, versions, what was ignored", 'v' },
    { "no-uring", NULL, 0, "plain system calls instead of io_uring", 0 },
    { "help", NULL, 0, "help for the program or a command", 'h' },
    { "version", NULL, 0, "the version; with -v also those of the libraries", 0 },
    { NULL, NULL, 0, NULL, 0 },
};

#define LETTERS "qvh"           /* of the table above; none of them takes a value */
#define OPTIONS_MAX 48          /* global ones and a command's own */
#define LONG_VALUE 256          /* what getopt_long returns for row 0; letters lie below */

/* The options that may stand where getopt is now, in one table for getopt and for us. */
struct grammar {
    const struct command_option *rows[OPTIONS_MAX];
    struct option longs[OPTIONS_MAX + 1];
    size_t count;
};

static void grammar_add(struct grammar *grammar, const struct command_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        size_t at = grammar->count++;

        assert(at < OPTIONS_MAX);
        grammar->rows[at] = options;
        grammar->longs[at] = (struct option){
            .name = options->name,
            .has_arg = options->value != NULL ? required_argument : no_argument,
            .val = LONG_VALUE + (int)at,
        };
    }
}

static void grammar_init(struct grammar *grammar, const struct command *command)
{
    *grammar = (struct grammar){ .count = 0 };
    grammar_add(grammar, global_options);
    grammar_add(grammar, command->options);
}

static const struct command_option *grammar_row(const struct grammar *grammar, int value)
{
    if (value == 0) return NULL;
    if (value >= LONG_VALUE) return grammar->rows[value - LONG_VALUE];
    for (size_t i = 0; i < grammar->count; i++) {
        if (grammar->rows[i]->letter == value) return grammar->rows[i];
    }
    return NULL;
}

/* The word that getopt_long has just read: the one before the value when that was a word too. */
static const char *word_read(char **argv)
{
    bool apart = optarg != NULL && optarg == argv[optind - 1];

    return argv[apart ? optind - 2 : optind - 1];
}

static bool is_abbreviated(const char *word, const struct command_option *row)
{
    return strncmp(word, "--", 2) == 0 && strcspn(word + 2, "=") != strlen(row->name);
}

static int add_option(struct cli *cli, const struct command_option *row, const char *text)
{
    for (size_t i = 0; i < cli->option_count; i++) {
        if (cli->options[i].spec == row && (row->traits & OPTION_REPEATS) == 0) {
            return log_usage(cli, "--%s was given twice", row->name);
        }
    }
    cli->options[cli->option_count++] = (struct cli_option){ row, text };
    return EXIT_DONE;
}

static int say_bad_option(const struct cli *cli, const struct grammar *grammar, int returned,
                          char **argv)
{
    const struct command_option *row = grammar_row(grammar, optopt);
    const char *word = argv[optind - 1];

    if (returned == ':' && row != NULL) {
        return log_usage(cli, "--%s needs a value (%s)", row->name, row->value);
    }
    if (row != NULL) return log_usage(cli, "--%s takes no value", row->name);
    if (optopt != 0) return log_usage(cli, "there is no option -%c here", optopt);
    return log_usage(cli, "there is no option %.*s here", (int)strcspn(word, "="), word);
}

/*
 * Reads options of cli->command from argv[1] on. argv[0] is not looked at. For a group (words) it
 * stops at the first word that is no option, for a command it takes those as operands. *next is the
 * index of what was not read.
 */
static int read_options(struct cli *cli, int argc, char **argv, bool words, int *next)
{
    struct grammar grammar;
    int returned;

    grammar_init(&grammar, cli->command);
    optind = 0;         /* GNU: begin anew, also inside */
    opterr = 0;
    /* "-": operands come in order as value 1, whatever POSIXLY_CORRECT says. */
    while ((returned = getopt_long(argc, argv, words ? "+:" LETTERS : "-:" LETTERS, grammar.longs,
                                   NULL)) != -1) {
        const struct command_option *row;
        int code;

        if (returned == 1) {
            cli->operands[cli->operand_count++] = optarg;
            continue;
        }
        if (returned == '?' || returned == ':') {
            return say_bad_option(cli, &grammar, returned, argv);
        }
        row = grammar_row(&grammar, returned);
        assert(row != NULL);
        if (returned >= LONG_VALUE && is_abbreviated(word_read(argv), row)) {
            return log_usage(cli, "there is no option %s here; did you mean --%s?",
                             word_read(argv), row->name);
        }
        code = add_option(cli, row, optarg != NULL ? optarg : "");
        if (code != EXIT_DONE) return code;
    }
    *next = optind;
    return EXIT_DONE;
}

static const struct command *find_subcommand(const struct command *group, const char *word)
{
    for (size_t i = 0; group->subcommands[i] != NULL; i++) {
        if (strcmp(group->subcommands[i]->name, word) == 0) return group->subcommands[i];
    }
    return NULL;
}

static bool was_given(const struct cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->option_count; i++) {
        if (strcmp(cli->options[i].spec->name, name) == 0) return true;
    }
    return false;
}

/* Down the command words to a command that runs, or to where --help or --version is asked. */
static int read_words(struct cli *cli, int *argc, char ***argv)
{
    while (cli->command->subcommands != NULL) {
        const struct command *sub;
        int next = 0;
        int code = read_options(cli, *argc, *argv, true, &next);

        if (code != EXIT_DONE) return code;
        *argc -= next;
        *argv += next;
        if (*argc == 0) {
            if (was_given(cli, "help") || was_given(cli, "version")) return EXIT_DONE;
            return log_usage(cli, "a command is missing");
        }
        sub = find_subcommand(cli->command, **argv);
        if (sub == NULL) {
            return log_usage(cli, "there is no command \"%s %s\"", cli->command->path, **argv);
        }
        cli->command = sub;
    }
    return EXIT_DONE;
}

static int check_requirements(const struct cli *cli)
{
    const struct command *command = cli->command;

    for (const struct command_option *row = command->options; row != NULL && row->name != NULL;
         row++) {
        if ((row->traits & OPTION_REQUIRED) != 0 && !was_given(cli, row->name)) {
            return log_usage(cli, "--%s %s is missing", row->name, row->value);
        }
    }
    if (cli->operand_count < command->operands_min) {
        return log_usage(cli, "an argument is missing after \"%s\"", command->path);
    }
    if (command->operands_max >= 0 && cli->operand_count > command->operands_max) {
        return log_usage(cli, "\"%s\" is one word too many",
                         cli->operands[command->operands_max]);
    }
    return EXIT_DONE;
}

static int take_globals(struct cli *cli)
{
    uint64_t fd = UINT64_MAX;

    cli->store = opts_value(cli, "store");
    if (cli->store == NULL) cli->store = getenv("CERTMILL_STORE");
    if (cli->store == NULL || cli->store[0] == '\0') cli->store = "certmill-store";
    cli->json = opts_flag(cli, "json");
    cli->quiet = opts_flag(cli, "quiet");
    cli->verbose = opts_flag(cli, "verbose");
    cli->no_uring = opts_flag(cli, "no-uring");
    cli->help = opts_flag(cli, "help");
    cli->version = opts_flag(cli, "version");
    cli->passphrase.file = opts_value(cli, "passphrase-file");
    if (!opts_number(cli, "passphrase-fd", 0, INT_MAX, &fd)) return EXIT_USAGE;
    if (fd != UINT64_MAX) cli->passphrase.fd = (int)fd;
    if (cli->passphrase.file != NULL && cli->passphrase.fd >= 0) {
        return log_usage(cli, "--passphrase-file and --passphrase-fd exclude each other");
    }
    return EXIT_DONE;
}

/* Errors of the command line itself must know about --json before the line is understood. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0) return true;
    }
    return false;
}

int opts_parse(const struct command *program, int argc, char **argv, struct cli *cli)
{
    struct ca_error err;
    /* No more options and operands than words, but for letters that share a word. */
    size_t slots = (size_t)argc + sizeof(LETTERS);
    int next = 0;
    int code;

    cli->command = program;
    cli->passphrase.fd = -1;
    cli->json = asks_for_json(argc, argv);
    cli->options = calloc(slots, sizeof(*cli->options));
    cli->operands = calloc(slots, sizeof(*cli->operands));
    if (cli->options == NULL || cli->operands == NULL) {
        (void)ca_fail(&err, CA_NOMEM, "no memory for the command line");
        return log_error(cli, &err);
    }
    code = read_words(cli, &argc, &argv);
    if (code == EXIT_DONE && cli->command->run != NULL) {
        code = read_options(cli, argc, argv, false, &next);
        while (code == EXIT_DONE && next < argc) {
            cli->operands[cli->operand_count++] = argv[next++];     /* behind "--" */
        }
    }
    if (code == EXIT_DONE) code = take_globals(cli);
    if (code != EXIT_DONE || cli->help || cli->version) return code;
    return check_requirements(cli);
}

void opts_clear(struct cli *cli)
{
    free(cli->options);
    free(cli->operands);
    cli->options = NULL;
    cli->operands = NULL;
}

const char *opts_value(const struct cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->option_count; i++) {
        if (strcmp(cli->options[i].spec->name, name) == 0) return cli->options[i].text;
    }
    return NULL;
}

bool opts_flag(const struct cli *cli, const char *name)
{
    return opts_value(cli, name) != NULL;
}

size_t opts_values(const struct cli *cli, const char *name, const char **values)
{
    size_t count = 0;

    for (size_t i = 0; i < cli->option_count; i++) {
        if (strcmp(cli->options[i].spec->name, name) == 0) values[count++] = cli->options[i].text;
    }
    return count;
}

bool opts_number(struct cli *cli, const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
    const char *text = opts_value(cli, name);
    uint64_t number;
    char *end;

    if (text == NULL) return true;
    errno = 0;
    number = strtoull(text, &end, 10);
    /* strtoull also takes white space and signs. */
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < min ||
        number > max) {
        (void)log_usage(cli, "--%s %s: a whole number from %llu to %llu is needed", name, text,
                        (unsigned long long)min, (unsigned long long)max);
        return false;
    }
    *out = number;
    return true;
}

static int option_width(const struct command_option *row)
{
    return (int)(2 + strlen(row->name) + (row->value != NULL ? 1 + strlen(row->value) : 0));
}

static int widest(const struct command_option *rows, int width)
{
    for (; rows != NULL && rows->name != NULL; rows++) {
        if (option_width(rows) > width) width = option_width(rows);
    }
    return width;
}

static void print_options(const char *title, const struct command_option *rows, int width)
{
    printf("\n%s:\n", title);
    for (; rows->name != NULL; rows++) {
        char letter[5] = "    ";

        if (rows->letter != 0) (void)snprintf(letter, sizeof(letter), "-%c, ", rows->letter);
        printf("  %s--%s%s%s%*s  %s%s\n", letter, rows->name, rows->value != NULL ? " " : "",
               rows->value != NULL ? rows->value : "", width - option_width(rows), "", rows->help,
               (rows->traits & OPTION_REQUIRED) != 0 ? " (needed)" : "");
    }
}

static void print_subcommands(const struct command *group)
{
    int width = 0;

    for (size_t i = 0; group->subcommands[i] != NULL; i++) {
        int len = (int)strlen(group->subcommands[i]->name);
        if (len > width) width = len;
    }
    printf("\ncommands:\n");
    for (size_t i = 0; group->subcommands[i] != NULL; i++) {
        printf("  %-*s  %s\n", width, group->subcommands[i]->name, group->subcommands[i]->summary);
    }
}

void opts_print_help(const struct cli *cli)
{
    const struct command *command = cli->command;
    int width = widest(command->options, command->run != NULL ? 0 : widest(global_options, 0));

    printf("%s: %s\n\nusage: %s %s\n", command->path, command->summary, command->path,
           command->subcommands != NULL ? "[options] COMMAND ..." : command->synopsis);
    if (command->subcommands != NULL) print_subcommands(command);
    if (command->options != NULL) print_options("options", command->options, width);
    if (command->run != NULL) {
        printf("\nmore options, such as --store DIR and --json: certmill --help\n");
        return;
    }
    print_options("options of every command, before or after it", global_options, width);
    printf("\nexit status: 0 done, 1 failed, 2 wrong command line, 3 done but something was\n"
           "refused, 4 stopped and can be resumed. \"man certmill\" tells the rest.\n");
}
