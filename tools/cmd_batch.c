/* certmill batch run, resume: a job's run, its signals, its progress and its end. */
#include "tools/cmd_batch.h"

#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/terms.h"

#include "batch/run.h"

#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define WORKERS_MAX 1024
#define LINGER_MS_DEFAULT 50
#define LINGER_MS_MAX 60000
#define TICK_MS 20          /* how long a signal or the end of the run waits to be seen */

#define RUN_OPTIONS                                                                                \
    { "workers", "N", 0, "threads that sign (one per core)", 0 },                                  \
    { "commit-linger", "MS", 0, "a group waits so long for more requests (50)", 0 }

static const struct command_option run_options[] = {
    { "ca", "N", OPTION_REQUIRED, "the issuing CA, by name or ARN", 0 },
    { "out", "DIR", OPTION_REQUIRED, "where certs.pem and the rest go; empty or not there", 0 },
    TERMS_OPTIONS,
    { "validity", "V", 0, "365d, 12mo, 10y, 36h, Value=1,Type=YEARS or a time (365d)", 0 },
    { "job", "NAME", 0, "what the job is called (job-1, job-2, ...)", 0 },
    { "per-file", NULL, 0, "also one PEM file for each certificate", 0 },
    RUN_OPTIONS,
    { NULL, NULL, 0, NULL, 0 },
};

static const struct command_option resume_options[] = {
    { "out", "DIR", 0, "where the outputs go (where they went before)", 0 },
    RUN_OPTIONS,
    { NULL, NULL, 0, NULL, 0 },
};

/* What a run leaves to be told, copied before the job goes to the run. */
struct outcome {
    struct batch_run_result result;
    enum ca_status status;
    struct ca_error err;
    struct ca_buf job;      /* its name, terminated */
    struct ca_buf out_dir;  /* terminated */
};

static void block_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    /* Before threads start: they inherit it, and only the main thread takes signals. */
    (void)sigprocmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);     /* a reader that goes away must not end the run */
}

/* For the run's opening: whether a signal is waiting. */
static bool interrupted(void *ctx)
{
    const struct timespec none = { .tv_nsec = 0 };
    const sigset_t *set = ctx;

    return sigtimedwait(set, NULL, &none) > 0;
}

/* Until the run has ended: progress, and the first signal asks it to stop. */
static void watch(struct cli *cli, struct batch_run *run, const sigset_t *set)
{
    const struct timespec tick = { .tv_nsec = TICK_MS * 1000000L };
    struct batch_progress now;
    struct progress progress;
    bool stopping = false;

    progress_init(&progress, cli->quiet);
    while (!batch_run_wait(run, 0, &now)) {
        progress_show(&progress, &now);
        if (sigtimedwait(set, NULL, &tick) > 0 && !stopping) {
            struct ca_error cause;

            (void)ca_fail_named(&cause, CA_AGAIN, "interrupted", "interrupted by a signal");
            batch_run_stop(run, &cause);
            stopping = true;
            progress_clear(&progress);
            log_notice(cli, "stopping; what is committed stays");
        }
    }
    progress_clear(&progress);
}

static void print_counts_by_code(json_t *by_code)
{
    const char *separator = "  refused: ";
    const char *code;
    json_t *count;

    json_object_foreach(by_code, code, count) {
        printf("%s%" JSON_INTEGER_FORMAT " %s", separator, json_integer_value(count), code);
        separator = ", ";
    }
    if (json_object_size(by_code) > 0) printf("\n");
}

/* What was different from what one would expect. */
static void print_notices(const json_t *summary)
{
    const char *why_plain = json_string_value(json_object_get(summary, "io_reason"));
    const json_t *notices = json_object_get(summary, "notices");
    size_t index;
    json_t *notice;

    if (why_plain != NULL) {
        printf("  note: plain system calls instead of io_uring: ");
        print_clean(stdout, why_plain);
        printf("\n");
    }
    json_array_foreach(notices, index, notice) {
        if (!json_is_string(notice)) continue;
        printf("  note: ");
        print_clean(stdout, json_string_value(notice));
        printf("\n");
    }
}

static void print_text(const struct outcome *outcome)
{
    const struct batch_run_result *result = &outcome->result;
    const char *job = (const char *)outcome->job.data;
    json_t *summary = json_loadb((const char *)result->summary.data, result->summary.len, 0, NULL);
    bool completed = result->state == SCHEMA_JOB_COMPLETED;

    printf("job %s: %s\n", job, completed ? "completed" : "not finished");
    printf("  %" PRIu64 " requests, %" PRIu64 " issued, %" PRIu64 " rejected", result->requested,
           result->issued, result->rejected);
    if (summary != NULL) {
        printf(", %.1f s, %.0f certificates/s",
               json_number_value(json_object_get(summary, "seconds")),
               json_number_value(json_object_get(summary, "certs_per_second")));
    }
    printf("\n");
    if (summary != NULL) {
        print_counts_by_code(json_object_get(summary, "by_code"));
        print_notices(summary);
    }
    if (completed) {
        printf("  outputs: ");
        print_clean(stdout, (const char *)outcome->out_dir.data);
        printf("/{certs.pem,results.ndjson,rejected.ndjson,summary.json}\n");
    }
    if (completed && result->rejected > 0) {
        printf("  rejected.ndjson says why; mended, it can be run again as input\n");
    }
    json_decref(summary);
}

static json_t *error_object(const struct outcome *outcome)
{
    struct ca_buf text;
    json_t *error;

    ca_buf_init(&text, 65536);
    log_append_error(&text, &outcome->err, outcome->result.resumable);
    error = json_loadb((const char *)text.data, text.len, 0, NULL);
    ca_buf_clear(&text);
    return error;
}

/* The summary, and for a run that did not complete the error inside it: one document. */
static enum ca_status print_document(const struct outcome *outcome, struct ca_error *err)
{
    struct ca_bytes summary = ca_buf_view(&outcome->result.summary);
    enum ca_status st = CA_OK;
    char *text = NULL;
    json_t *root;

    if (outcome->status == CA_OK) return print_json(summary, err);
    root = json_loadb((const char *)summary.data, summary.len, 0, NULL);
    if (root == NULL) root = json_object();         /* no summary could be made */
    if (json_object_set_new(root, "error", error_object(outcome)) == 0) {
        text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(PRINT_REAL_DIGITS));
    }
    st = text != NULL ? print_json(ca_bytes_str(text), err)
                      : ca_fail(err, CA_NOMEM, "no memory for the summary");
    free(text);
    json_decref(root);
    return st;
}

static int tell(struct cli *cli, const struct outcome *outcome)
{
    struct ca_error err;

    if (cli->json) {
        if (print_document(outcome, &err) != CA_OK) return log_error(cli, &err);
        if (outcome->status == CA_AGAIN) return EXIT_STOPPED;
        if (outcome->status != CA_OK) return EXIT_FAILED;
    } else {
        print_text(outcome);
        if (outcome->status != CA_OK) {
            return log_run_error(cli, &outcome->err, outcome->result.resumable);
        }
    }
    return outcome->result.rejected > 0 ? EXIT_REFUSED : EXIT_DONE;
}

/* Runs a job (taken over) to its end and tells of it. */
static int run_job(struct cli *cli, struct batch_registry *registry, struct batch_job *job,
                   struct batch_run_spec *spec, sigset_t *set)
{
    struct outcome outcome = { .status = CA_OK };
    struct batch_run *run = NULL;
    int code;

    ca_buf_init(&outcome.job, PRINT_MAX);
    ca_buf_init(&outcome.out_dir, PRINT_MAX);
    ca_buf_append(&outcome.job, job->name, strlen(job->name) + 1);
    ca_buf_append(&outcome.out_dir, job->out_dir, strlen(job->out_dir) + 1);
    outcome.status = ca_buf_status(&outcome.out_dir, "the output directory", &outcome.err);
    if (outcome.status != CA_OK) {
        batch_job_free(job);
        code = log_error(cli, &outcome.err);
        goto out;
    }
    (void)umask(cli->users_umask);      /* a run creates nothing but its outputs */
    spec->interrupted = interrupted;
    spec->interrupted_ctx = set;
    outcome.status = batch_run_start(registry, job, spec, &run, &outcome.err);
    if (outcome.status != CA_OK) {
        /* A new job that did not begin leaves no trace; an old one stays as it was. */
        if (!spec->fresh && outcome.err.hint[0] == '\0') {
            ca_hint(&outcome.err, "once that is mended, go on with: certmill batch resume %s",
                    (const char *)outcome.job.data);
        }
        code = log_run_error(cli, &outcome.err, !spec->fresh);
        goto out;
    }
    watch(cli, run, set);
    outcome.status = batch_run_join(run, &outcome.result, &outcome.err);
    code = tell(cli, &outcome);
    ca_buf_clear(&outcome.result.summary);
out:
    ca_buf_clear(&outcome.out_dir);
    ca_buf_clear(&outcome.job);
    return code;
}

/* The options that run and resume share. False after saying what is wrong. */
static bool read_run_spec(struct cli *cli, bool fresh, struct batch_run_spec *spec)
{
    uint64_t workers = 0;
    uint64_t linger_ms = LINGER_MS_DEFAULT;

    if (!opts_number(cli, "workers", 1, WORKERS_MAX, &workers)) return false;
    if (!opts_number(cli, "commit-linger", 1, LINGER_MS_MAX, &linger_ms)) return false;
    *spec = (struct batch_run_spec){
        .workers = (unsigned)workers,
        .commit_linger_ms = (unsigned)linger_ms,
        .no_uring = cli->no_uring,
        .fresh = fresh,
        .certmill_version = CERTMILL_VERSION,
    };
    return true;
}

static bool reads_stdin_twice(const struct cli *cli)
{
    for (int i = 0; i < cli->operand_count; i++) {
        if (strcmp(cli->operands[i], "-") == 0 && cli->passphrase.fd == 0) return true;
    }
    return false;
}

static int run_run(struct cli *cli)
{
    struct batch_job_spec spec = {
        .name = opts_value(cli, "job"),
        .ca = opts_value(cli, "ca"),
        .out_dir = opts_value(cli, "out"),
        .inputs = (const char *const *)cli->operands,
        .input_count = (size_t)cli->operand_count,
        .per_file = opts_flag(cli, "per-file"),
    };
    struct batch_registry *registry = NULL;
    struct batch_job *job = NULL;
    struct batch_run_spec run_spec;
    struct terms terms;
    struct ca_error err;
    enum ca_status st;
    sigset_t set;
    int code;

    if (!read_run_spec(cli, true, &run_spec)) return EXIT_USAGE;
    if (!cli_validity(cli, "validity", &spec.validity)) return EXIT_USAGE;
    if (reads_stdin_twice(cli)) {
        return log_usage(cli, "passphrase and requests cannot both come from standard input");
    }
    block_signals(&set);
    st = terms_read(cli, &terms, &err);
    spec.terms = terms.spec;
    if (st == CA_OK) st = cli_open_store(cli, STORE_WRITE, &registry, &err);
    if (st == CA_OK) st = batch_job_create(registry, &spec, &job, &err);
    code = st == CA_OK ? run_job(cli, registry, job, &run_spec, &set) : log_error(cli, &err);
    batch_registry_close(registry);
    terms_clear(&terms);
    return code;
}

static int run_resume(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct batch_job *job = NULL;
    struct batch_run_spec spec;
    struct ca_error err;
    enum ca_status st;
    sigset_t set;
    int code;

    if (!read_run_spec(cli, false, &spec)) return EXIT_USAGE;
    block_signals(&set);
    st = cli_open_store(cli, STORE_WRITE, &registry, &err);
    if (st == CA_OK) {
        st = batch_job_load(registry, cli->operands[0], opts_value(cli, "out"), &job, &err);
        if (st == CA_IO && err.hint[0] == '\0') {
            ca_hint(&err, "once that is mended, go on with: certmill batch resume %s",
                    cli->operands[0]);
        }
    }
    code = st == CA_OK ? run_job(cli, registry, job, &spec, &set) : log_error(cli, &err);
    batch_registry_close(registry);
    return code;
}

static const struct command batch_run_command = {
    .name = "run",
    .path = "certmill batch run",
    .summary = "issue certificates for many requests",
    .synopsis = "--ca N [--template T] [--validity V] --out DIR [--job NAME]\n"
                "           [--api-passthrough F] [--strict-passthrough] [--blocklist F]\n"
                "           [--workers N] [--per-file] [--commit-linger MS] INPUT...\n"
                "  INPUT: a directory of requests, a PEM bundle, .ndjson, or - (standard input)",
    .options = run_options,
    .operands_min = 1,
    .operands_max = -1,
    .run = run_run,
};

static const struct command batch_resume_command = {
    .name = "resume",
    .path = "certmill batch resume",
    .summary = "go on with a job that was stopped",
    .synopsis = "JOB [--out DIR] [--workers N] [--commit-linger MS]",
    .options = resume_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_resume,
};

static const struct command *const subcommands[] = {
    &batch_run_command, &batch_resume_command, &cmd_batch_list, &cmd_batch_show, NULL,
};

const struct command cmd_batch = {
    .name = "batch",
    .path = "certmill batch",
    .summary = "many requests at once: run, resume, list, show",
    .synopsis = "",
    .subcommands = subcommands,
};
