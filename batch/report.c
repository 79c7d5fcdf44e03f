#include "batch/report.h"

#include "batch/manifest.h"
#include "engine/clock.h"
#include "engine/pem.h"
#include "io/outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(OUTBOX_FILE_COUNT == 3, "one buffer for each output file");
_Static_assert(SCHEMA_WARNING_DUPLICATE_KEY == 1 && SCHEMA_WARNING_KNOWN_KEY == 2,
               "names of warnings are listed by bit");

static void add_id(struct ca_buf *out, const struct schema_result *result)
{
    ca_buf_append_str(out, ",\"id\":");
    if (result->id.len == 0) ca_buf_append_str(out, "null");
    else ca_json_append_string(out, result->id);
}

static void add_ordinal(struct ca_buf *out, uint64_t ordinal)
{
    ca_buf_printf(out, "{\"ordinal\":%" PRIu64, ordinal);
}

/* What was dropped and what is odd, where there is any. */
static void add_remarks(struct ca_buf *out, const struct schema_result *result)
{
    static const char *const names[] = { "duplicate-key", "known-key" };
    const char *comma = "";

    if (result->ignored != 0) {
        ca_buf_append_str(out, ",\"ignored\":");
        ca_ignored_append_json(result->ignored, out);
    }
    if (result->warnings == 0) return;
    ca_buf_append_str(out, ",\"warnings\":[");
    for (unsigned bit = 0; bit < sizeof(names) / sizeof(names[0]); bit++) {
        if ((result->warnings >> bit & 1) == 0) continue;
        ca_buf_append_str(out, comma);
        ca_json_append_string(out, ca_bytes_str(names[bit]));
        comma = ",";
    }
    ca_buf_append_u8(out, ']');
}

static void add_issued(struct ca_buf *out, uint64_t ordinal, const struct schema_result *result,
                       int64_t not_after_s)
{
    char serial[2 * SCHEMA_SERIAL_LEN + 1], not_after[CA_TIME_TEXT_MAX];

    ca_hex_encode(ca_bytes_of(result->serial, SCHEMA_SERIAL_LEN), serial);
    ca_time_format(not_after_s, not_after);
    add_ordinal(out, ordinal);
    add_id(out, result);
    ca_buf_append_str(out, ",\"status\":\"issued\",\"serial\":\"");
    ca_buf_append_str(out, serial);
    ca_buf_append_str(out, "\",\"not_after\":\"");
    ca_buf_append_str(out, not_after);
    ca_buf_append_u8(out, '"');
    add_remarks(out, result);
    ca_buf_append_str(out, "}\n");
}

static void add_verdict(struct ca_buf *out, const struct schema_result *result)
{
    const char *code = ca_reason_code(result->reason);
    const char *rule = ca_reason_rule(result->reason);

    ca_buf_append_str(out, ",\"status\":\"rejected\",\"code\":");
    ca_json_append_string(out, ca_bytes_str(code != NULL ? code : "unknown"));
    ca_buf_append_str(out, ",\"detail\":");
    ca_json_append_string(out, result->detail);
    ca_buf_append_str(out, ",\"rule\":");
    ca_json_append_string(out, ca_bytes_str(rule != NULL ? rule : ""));
    add_remarks(out, result);
}

static void add_member(struct ca_buf *out, const struct batch_member *member)
{
    ca_buf_append_str(out, ",\"");
    ca_buf_append_bytes(out, member->name);
    ca_buf_append_str(out, "\":");
    ca_buf_append_bytes(out, member->value);
}

/* A name with an escape in it could be one of ours in disguise, and speak for us. */
static bool names_are_plain(const struct batch_member_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct ca_bytes *name = &list->members[i].name;

        if (name->len > 0 && memchr(name->data, '\\', name->len) != NULL) return false;
    }
    return true;
}

/* The refused record in a form that is an input again once it is mended: the members of a manifest
 * line as they stood, anything else as "csr". */
static void add_record(struct ca_buf *out, const struct schema_result *result)
{
    struct batch_member_list list;

    if (result->record_kind == SCHEMA_RECORD_LINE &&
        batch_manifest_split(result->record, &list, NULL) == CA_OK && names_are_plain(&list)) {
        for (size_t i = 0; i < list.count; i++) {
            if (!batch_manifest_is_ours(list.members[i].name)) add_member(out, &list.members[i]);
        }
        return;
    }
    add_id(out, result);
    ca_buf_append_str(out, ",\"csr\":");
    if (result->record_kind == SCHEMA_RECORD_NONE) {
        ca_buf_append_str(out, "null");
    } else if (result->record_kind == SCHEMA_RECORD_BINARY) {
        ca_buf_append_u8(out, '"');
        ca_base64_append(out, result->record);
        ca_buf_append_u8(out, '"');
    } else {
        ca_json_append_string(out, result->record);
    }
}

void batch_report_item(uint64_t ordinal, const struct schema_result *result, int64_t not_after_s,
                       struct ca_bytes der, struct ca_buf out[3])
{
    if (result->status == SCHEMA_RESULT_ISSUED) {
        ca_pem_append(&out[OUTBOX_CERTS], "CERTIFICATE", der);
        add_issued(&out[OUTBOX_RESULTS], ordinal, result, not_after_s);
        return;
    }
    add_ordinal(&out[OUTBOX_RESULTS], ordinal);
    add_id(&out[OUTBOX_RESULTS], result);
    add_verdict(&out[OUTBOX_RESULTS], result);
    ca_buf_append_str(&out[OUTBOX_RESULTS], "}\n");
    add_ordinal(&out[OUTBOX_REJECTED], ordinal);
    add_verdict(&out[OUTBOX_REJECTED], result);
    add_record(&out[OUTBOX_REJECTED], result);
    ca_buf_append_str(&out[OUTBOX_REJECTED], "}\n");
}

static void add_string(struct ca_buf *out, const char *name, const char *value)
{
    ca_buf_printf(out, "  \"%s\": ", name);
    ca_json_append_string(out, ca_bytes_str(value));
    ca_buf_append_str(out, ",\n");
}

static void add_number(struct ca_buf *out, const char *name, uint64_t value)
{
    ca_buf_printf(out, "  \"%s\": %" PRIu64 ",\n", name, value);
}

static void add_codes(struct ca_buf *out, const struct batch_totals *totals)
{
    const char *comma = "";

    ca_buf_append_str(out, "  \"by_code\": {");
    for (uint16_t i = 0; i < CA_REASON_COUNT; i++) {
        if (totals->by_reason[i] == 0) continue;
        ca_buf_printf(out, "%s \"%s\": %" PRIu64, comma, ca_reason_code(i), totals->by_reason[i]);
        comma = ",";
    }
    ca_buf_append_str(out, *comma == '\0' ? "},\n" : " },\n");
}

static void add_latency(struct ca_buf *out, const char *name,
                        const struct batch_histogram *histogram)
{
    ca_buf_printf(out,
                  "  \"%s\": { \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"p999\": %.3f },\n",
                  name, (double)batch_histogram_quantile(histogram, 0.5) / 1000.0,
                  (double)batch_histogram_quantile(histogram, 0.9) / 1000.0,
                  (double)batch_histogram_quantile(histogram, 0.99) / 1000.0,
                  (double)batch_histogram_quantile(histogram, 0.999) / 1000.0);
}

void batch_report_summary(const struct batch_summary *s, struct ca_buf *out)
{
    double rate = s->seconds > 0 ? (double)s->totals->issued / s->seconds : 0;

    ca_buf_append_str(out, "{\n");
    add_string(out, "job", s->job);
    add_string(out, "state", s->state);
    add_string(out, "ca", s->ca);
    add_string(out, "template", s->tmpl);
    add_string(out, "out_dir", s->out_dir);
    add_number(out, "requested", s->requested);
    add_number(out, "issued", s->totals->issued);
    add_number(out, "rejected", s->totals->rejected);
    add_codes(out, s->totals);
    add_number(out, "signed", s->totals->signed_count);
    add_number(out, "discarded", s->totals->discarded);
    ca_buf_printf(out, "  \"seconds\": %.3f,\n  \"certs_per_second\": %.1f,\n", s->seconds, rate);
    add_latency(out, "request_latency_ms", &s->totals->request_latency);
    add_latency(out, "commit_latency_ms", &s->totals->commit_latency);
    add_number(out, "commits", s->commits);
    add_number(out, "syncs", s->syncs);
    add_string(out, "io", s->io);
    if (*s->io_why_plain != '\0') add_string(out, "io_reason", s->io_why_plain);
    add_number(out, "workers", s->workers);
    ca_buf_append_str(out, "  \"notices\": ");
    ca_buf_append_bytes(out, s->notices.len > 0 ? s->notices : ca_bytes_str("[]"));
    ca_buf_append_str(out, ",\n");
    add_string(out, "certmill_version", s->certmill_version);
    ca_buf_printf(out, "  \"peak_rss_kib\": %" PRIu64 "\n}\n", s->peak_rss_kib);
}
