#include "batch/registry_job.h"

#include "batch/job_args.h"
#include "batch/job_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum ca_status batch_job_encode(const struct schema_job *row, struct ca_buf *out,
                                struct ca_error *err)
{
    ca_buf_init(out, BATCH_JOB_ROW_MAX);
    schema_encode_job(row, out);
    return ca_buf_status(out, "a job's row", err);
}

enum ca_status batch_job_put(struct store_txn *txn, const struct batch_job *job,
                             struct ca_error *err)
{
    return batch_job_put_row(txn, job->number, &job->row, err);
}

enum ca_status batch_job_put_row(struct store_txn *txn, uint32_t number,
                                 const struct schema_job *row, struct ca_error *err)
{
    struct schema_key key;
    struct ca_buf value;
    enum ca_status st = batch_job_encode(row, &value, err);

    if (st == CA_OK) {
        st = store_put(txn, STORE_JOB, schema_key_job(&key, number), ca_buf_view(&value),
                       STORE_UPSERT, err);
    }
    ca_buf_clear(&value);
    return st;
}

/* ---- views ---- */

void batch_job_view_clear(struct batch_job_view *view)
{
    ca_buf_clear(&view->value);
    *view = (struct batch_job_view){ 0 };
}

static const char *state_name(uint8_t state, bool run_active)
{
    switch ((enum schema_job_state)state) {
    case SCHEMA_JOB_RUNNING: return run_active ? "running" : "interrupted";
    case SCHEMA_JOB_INTERRUPTED: return "interrupted";
    case SCHEMA_JOB_COMPLETED: return "completed";
    case SCHEMA_JOB_FAILED: return "failed";
    case SCHEMA_JOB_CANCELLED: return "cancelled";
    }
    return "unknown";       /* of a later version */
}

static enum ca_status view_copy(uint32_t number, struct ca_bytes value, bool run_active,
                                struct batch_job_view *out, struct ca_error *err)
{
    enum ca_status st;

    *out = (struct batch_job_view){ .number = number };
    ca_buf_init(&out->value, BATCH_JOB_ROW_MAX);
    ca_buf_append_bytes(&out->value, value);
    st = ca_buf_status(&out->value, "a job's row", err);
    if (st == CA_OK) st = schema_decode_job(ca_buf_view(&out->value), &out->row, err);
    if (st == CA_OK) out->state = state_name(out->row.state, run_active);
    if (st != CA_OK) batch_job_view_clear(out);
    return st;
}

/* The first job with a number above after. */
static enum ca_status view_next(struct batch_registry *registry, uint32_t after, bool run_active,
                                bool *found, struct batch_job_view *out, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct store_cursor *cursor = NULL;
    struct schema_key start;
    struct ca_bytes key, value;
    uint32_t number;
    enum ca_status st;

    *found = false;
    if (after == UINT32_MAX) return CA_OK;
    st = store_begin(registry->store, STORE_READ, &txn, err);
    if (st != CA_OK) return st;
    st = store_cursor_open(txn, STORE_JOB, &cursor, err);
    if (st == CA_OK) {
        st = store_cursor_seek(cursor, schema_key_job(&start, after + 1), found, &key, &value, err);
    }
    if (st == CA_OK && *found) st = schema_read_key_u32(key, &number, err);
    if (st == CA_OK && *found) st = view_copy(number, value, run_active, out, err);
    store_cursor_close(cursor);
    store_abort(txn);
    return st;
}

enum ca_status batch_job_each(struct batch_registry *registry,
                              enum ca_status (*visit)(void *ctx, const struct batch_job_view *v,
                                                      struct ca_error *err),
                              void *ctx, struct ca_error *err)
{
    struct batch_job_view view;
    bool run_active = false, found = true;
    uint32_t after = 0;
    enum ca_status st = store_run_active(registry->store, &run_active, err);

    while (st == CA_OK) {
        st = view_next(registry, after, run_active, &found, &view, err);
        if (st != CA_OK || !found) break;
        after = view.number;
        st = visit(ctx, &view, err);
        batch_job_view_clear(&view);
    }
    return st;
}

/* ---- by name, UUID or number ---- */

/* A name wins over what only looks like a number. */
enum match { MATCH_NONE, MATCH_NUMBER, MATCH_UUID, MATCH_NAME };

static enum match match_of(const char *job, uint32_t number, const struct schema_job *row)
{
    char text[37];

    if (ca_bytes_equal(row->name, ca_bytes_str(job))) return MATCH_NAME;
    batch_uuid_format(row->uuid, text);
    if (strcasecmp(text, job) == 0) return MATCH_UUID;
    (void)snprintf(text, sizeof(text), "%" PRIu32, number);
    return strcmp(text, job) == 0 ? MATCH_NUMBER : MATCH_NONE;
}

enum ca_status batch_job_look_up(struct store_txn *txn, const char *job, bool *found,
                                 uint32_t *number_out, struct ca_bytes *value_out,
                                 struct ca_error *err)
{
    struct store_cursor *cursor = NULL;
    struct ca_bytes key, value;
    struct schema_job row;
    enum match best = MATCH_NONE;
    bool more;
    enum ca_status st = store_cursor_open(txn, STORE_JOB, &cursor, err);

    if (st != CA_OK) return st;
    st = store_cursor_seek(cursor, ca_bytes_of(NULL, 0), &more, &key, &value, err);
    while (st == CA_OK && more && best != MATCH_NAME) {
        uint32_t number;
        enum match match;

        st = schema_read_key_u32(key, &number, err);
        if (st == CA_OK) st = schema_decode_job(value, &row, err);
        if (st != CA_OK) break;
        match = match_of(job, number, &row);
        if (match > best) {
            best = match;
            *number_out = number;
            *value_out = value;
        }
        st = store_cursor_next(cursor, &more, &key, &value, err);
    }
    store_cursor_close(cursor);
    *found = best != MATCH_NONE;
    return st;
}

enum ca_status batch_job_refuse_unknown(const char *job, struct ca_error *err)
{
    (void)ca_fail_named(err, CA_REFUSED, "no-such-job", "there is no job %s", job);
    ca_hint(err, "certmill batch list shows the jobs of this store");
    return CA_REFUSED;
}

enum ca_status batch_job_find(struct batch_registry *registry, const char *job,
                              struct batch_job_view *out, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct ca_bytes value;
    uint32_t number;
    bool run_active, found;
    enum ca_status st = store_run_active(registry->store, &run_active, err);

    if (st == CA_OK) st = store_begin(registry->store, STORE_READ, &txn, err);
    if (st != CA_OK) return st;
    st = batch_job_look_up(txn, job, &found, &number, &value, err);
    if (st == CA_OK && !found) st = batch_job_refuse_unknown(job, err);
    if (st == CA_OK) st = view_copy(number, value, run_active, out, err);
    store_abort(txn);
    return st;
}

/* ---- JSON ---- */

static void member_text(struct ca_buf *out, const char *name, struct ca_bytes text)
{
    ca_buf_printf(out, ",\"%s\":", name);
    ca_json_append_string(out, text);
}

static void member_time(struct ca_buf *out, const char *name, int64_t time_ms)
{
    char text[CA_TIME_TEXT_MAX];

    ca_time_format_ms(time_ms, text);
    ca_buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

/* A member whose value is JSON already; null when there is none. */
static void member_json(struct ca_buf *out, const char *name, const char *json)
{
    ca_buf_printf(out, ",\"%s\":", name);
    ca_buf_append_str(out, json != NULL ? json : "null");
}

static void describe_terms(const struct batch_job_args *args, struct ca_buf *out)
{
    member_text(out, "template", ca_bytes_str(args->tmpl));
    member_json(out, "template_source", args->tmpl_source);
    member_json(out, "api_passthrough", args->api_json);
    member_json(out, "strict_passthrough", args->strict ? "true" : "false");
    if (args->blocklist != NULL) member_text(out, "blocklist", ca_bytes_str(args->blocklist));
    else member_json(out, "blocklist", NULL);
}

static void describe_args(struct ca_bytes spec, struct ca_buf *out)
{
    char validity[CA_VALIDITY_TEXT_MAX];
    struct batch_job_args args;
    enum ca_status st = batch_job_args_decode(spec, &args, NULL);

    if (st == CA_NOMEM && out->failed == CA_OK) out->failed = CA_NOMEM;
    if (st != CA_OK) {
        /* A listing goes on past a damaged row; certmill verify reports it. */
        ca_buf_append_str(out, ",\"ca\":null,\"template\":null,\"template_source\":null,"
                               "\"api_passthrough\":null,\"strict_passthrough\":null,"
                               "\"blocklist\":null,\"validity\":null,\"inputs\":[]");
        return;
    }
    ca_validity_format(&args.validity, validity);
    member_text(out, "ca", ca_bytes_str(args.ca));
    describe_terms(&args, out);
    member_text(out, "validity", ca_bytes_str(validity));
    ca_buf_append_str(out, ",\"inputs\":[");
    for (size_t i = 0; i < args.input_count; i++) {
        if (i > 0) ca_buf_append_str(out, ",");
        ca_json_append_string(out, ca_bytes_str(args.inputs[i]));
    }
    ca_buf_append_str(out, "]");
    batch_job_args_clear(&args);
}

static void describe_progress(const struct schema_job *row, struct ca_buf *out)
{
    double seconds = (double)row->elapsed_ms / 1000;

    ca_buf_printf(out, ",\"done\":%" PRIu64 ",\"issued\":%" PRIu64 ",\"rejected\":%" PRIu64
                       ",\"seconds\":%.3f", row->done, row->issued, row->rejected, seconds);
    if (row->elapsed_ms == 0) {
        ca_buf_append_str(out, ",\"certs_per_second\":null");
    } else {
        ca_buf_printf(out, ",\"certs_per_second\":%.1f", (double)row->issued / seconds);
    }
}

void batch_job_describe(const struct batch_registry *registry, const struct batch_job_view *view,
                        struct ca_buf *out)
{
    const struct schema_job *row = &view->row;
    char uuid[37], hash[2 * SCHEMA_HASH_LEN + 1];

    (void)registry;
    batch_uuid_format(row->uuid, uuid);
    ca_hex_encode(ca_bytes_of(row->profile, sizeof(row->profile)), hash);
    ca_buf_append_str(out, "{\"job\":");
    ca_json_append_string(out, row->name);
    ca_buf_printf(out, ",\"number\":%" PRIu32, view->number);
    member_text(out, "name", row->name);
    ca_buf_printf(out, ",\"uuid\":\"%s\",\"state\":\"%s\"", uuid, view->state);
    describe_args(row->spec, out);
    member_text(out, "out_dir", row->out_dir);
    member_time(out, "created_at", row->created_ms);
    member_time(out, "updated_at", row->updated_ms);
    describe_progress(row, out);
    ca_buf_printf(out, ",\"profile\":\"%s\"", hash);
    if (row->summary.len > 0) {             /* JSON already, as the run wrote it */
        ca_buf_append_str(out, ",\"summary\":");
        ca_buf_append_bytes(out, row->summary);
    }
    ca_buf_append_str(out, "}");
}
