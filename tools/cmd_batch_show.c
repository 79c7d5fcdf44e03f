/* certmill batch list, show. */
#include "tools/cli.h"
#include "tools/cmd_batch.h"

#include "batch/registry_job.h"

#include <inttypes.h>

/* Two walks for the text: the first finds the widest name. */
struct job_list {
    const struct batch_registry *registry;
    struct ca_buf *out;
    int width;
    size_t count;
};

static enum ca_status measure(void *ctx, const struct batch_job_view *view, struct ca_error *err)
{
    struct job_list *list = ctx;

    (void)err;
    if ((int)view->row.name.len > list->width) list->width = (int)view->row.name.len;
    return CA_OK;
}

static enum ca_status append_json_row(void *ctx, const struct batch_job_view *view,
                                      struct ca_error *err)
{
    struct job_list *list = ctx;

    if (list->count++ > 0) ca_buf_append_str(list->out, ",");
    batch_job_describe(list->registry, view, list->out);
    return ca_buf_status(list->out, "the list", err);
}

static enum ca_status append_text_row(void *ctx, const struct batch_job_view *view,
                                      struct ca_error *err)
{
    struct job_list *list = ctx;
    char updated[CA_TIME_TEXT_MAX];

    ca_time_format(view->row.updated_ms / 1000, updated);
    ca_buf_printf(list->out, "%-*.*s  %-11s  %10" PRIu64 "  %10" PRIu64 "  %s\n", list->width,
                  (int)view->row.name.len, (const char *)view->row.name.data, view->state,
                  view->row.issued, view->row.rejected, updated);
    return ca_buf_status(list->out, "the list", err);
}

static enum ca_status append_text(struct batch_registry *registry, struct job_list *list,
                                  struct ca_error *err)
{
    enum ca_status st = batch_job_each(registry, measure, list, err);

    if (st != CA_OK || list->width == 0) return st;
    if (list->width < 3) list->width = 3;
    ca_buf_printf(list->out, "%-*s  %-11s  %10s  %10s  %s\n", list->width, "JOB", "STATE", "ISSUED",
                  "REJECTED", "UPDATED");
    return batch_job_each(registry, append_text_row, list, err);
}

static int run_list(struct cli *cli)
{
    struct batch_registry *registry = NULL;
    struct job_list list = { .count = 0 };
    struct ca_error err;
    struct ca_buf out;
    enum ca_status st = cli_open_store(cli, STORE_READ, &registry, &err);

    ca_buf_init(&out, PRINT_MAX);
    list.registry = registry;
    list.out = &out;
    if (st == CA_OK && cli->json) {
        ca_buf_append_str(&out, "{\"jobs\":[");
        st = batch_job_each(registry, append_json_row, &list, &err);
        ca_buf_append_str(&out, "]}");
        if (st == CA_OK) st = ca_buf_status(&out, "the list", &err);
        if (st == CA_OK) st = print_json(ca_buf_view(&out), &err);
    } else if (st == CA_OK) {
        st = append_text(registry, &list, &err);
        if (st == CA_OK) st = print_buf(&out, &err);
        if (st == CA_OK && out.len == 0) log_notice(cli, "there is no job yet");
    }
    ca_buf_clear(&out);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

static int run_show(struct cli *cli)
{
    struct batch_job_view view = { .number = 0 };
    struct batch_registry *registry = NULL;
    struct ca_error err;
    struct ca_buf out;
    enum ca_status st = cli_open_store(cli, STORE_READ, &registry, &err);

    ca_buf_init(&out, PRINT_MAX);
    if (st == CA_OK) st = batch_job_find(registry, cli->operands[0], &view, &err);
    if (st == CA_OK) {
        batch_job_describe(registry, &view, &out);
        st = ca_buf_status(&out, "the job", &err);
    }
    if (st == CA_OK) {
        st = cli->json ? print_json(ca_buf_view(&out), &err)
                       : print_fields(ca_buf_view(&out), &err);
    }
    ca_buf_clear(&out);
    batch_job_view_clear(&view);
    batch_registry_close(registry);
    return st == CA_OK ? EXIT_DONE : log_error(cli, &err);
}

const struct command cmd_batch_list = {
    .name = "list",
    .path = "certmill batch list",
    .summary = "all jobs",
    .synopsis = "",
    .run = run_list,
};

const struct command cmd_batch_show = {
    .name = "show",
    .path = "certmill batch show",
    .summary = "one job: how far it got, and its summary",
    .synopsis = "JOB",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_show,
};
