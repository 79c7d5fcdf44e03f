/* An explanation as JSON. */
#include "batch/explain.h"

#include "engine/cert.h"
#include "engine/ext.h"
#include "engine/name.h"
#include "engine/notice.h"

const char *batch_verdict_name(enum batch_verdict verdict)
{
    switch (verdict) {
    case BATCH_VERDICT_OK: return "ok";
    case BATCH_VERDICT_REFUSED: return "refused";
    case BATCH_VERDICT_NOT_REACHED: break;
    }
    return "not-reached";
}

/* text NULL or "": null. */
static void add_text(struct ca_buf *out, const char *name, const char *text)
{
    ca_buf_printf(out, "\"%s\":", name);
    if (text == NULL || *text == '\0') ca_buf_append_str(out, "null");
    else ca_json_append_string(out, ca_bytes_str(text));
}

static void add_hex(struct ca_buf *out, struct ca_bytes octets)
{
    char text[3];

    ca_buf_append_u8(out, '"');
    for (size_t i = 0; i < octets.len; i++) {
        ca_hex_encode(ca_bytes_slice(octets, i, 1), text);
        ca_buf_append_str(out, text);
    }
    ca_buf_append_u8(out, '"');
}

static void add_time(struct ca_buf *out, const char *name, int64_t time_s)
{
    char text[CA_TIME_TEXT_MAX];

    ca_time_format(time_s, text);
    ca_buf_printf(out, "\"%s\":\"%s\",", name, text);
}

static void add_step_json(struct ca_buf *out, const struct batch_step *step)
{
    ca_buf_append_u8(out, '{');
    add_text(out, "step", step->name);
    ca_buf_printf(out, ",\"verdict\":\"%s\",", batch_verdict_name(step->verdict));
    add_text(out, "code", step->code);
    ca_buf_append_u8(out, ',');
    add_text(out, "detail", step->detail);
    ca_buf_append_u8(out, ',');
    add_text(out, "rule", step->rule);
    ca_buf_append_u8(out, '}');
}

static void add_notices(struct ca_buf *out, uint32_t notices)
{
    const char *comma = "";

    ca_buf_append_str(out, "\"notices\":[");
    for (unsigned bit = 0; bit < 32; bit++) {
        if ((notices >> bit & 1) == 0) continue;
        ca_buf_printf(out, "%s{", comma);
        add_text(out, "code", ca_notice_code(bit));
        ca_buf_append_u8(out, ',');
        add_text(out, "text", ca_notice_text(bit));
        ca_buf_append_u8(out, ',');
        add_text(out, "rule", ca_notice_rule(bit));
        ca_buf_append_u8(out, '}');
        comma = ",";
    }
    ca_buf_append_str(out, "],");
}

/* What is shown of a TBSCertificate; views into it. */
struct shown {
    struct ca_bytes subject, extensions;    /* Name; content of Extensions */
    struct ca_bytes san;                    /* GeneralNames; .len 0: none */
};

static enum ca_status find_san(struct shown *shown, struct ca_error *err)
{
    struct ca_der der = ca_der_open(shown->extensions);

    while (!ca_der_at_end(&der)) {
        struct ca_extension extension;
        enum ca_status st = ca_extension_next(&der, &extension, err);

        if (st != CA_OK) return st;
        if (ca_bytes_equal(extension.oid, ca_oid_subject_alt_name)) shown->san = extension.value;
    }
    return CA_OK;
}

/* The lint has read it: version, serial, algorithm, issuer, validity, subject, key, extensions. */
static enum ca_status read_tbs(struct ca_bytes tbs, struct shown *out, struct ca_error *err)
{
    struct ca_der der = ca_der_open(tbs), whole, wrapped, list;
    struct ca_der_element element;
    enum ca_status st = ca_der_enter(&der, CA_DER_SEQUENCE, "a certificate", &whole, err);

    *out = (struct shown){ .san = { 0 } };
    for (int i = 0; st == CA_OK && i < 7; i++) {
        st = ca_der_any(&whole, &element, err);
        if (st == CA_OK && i == 5) out->subject = element.whole;
    }
    if (st != CA_OK || ca_der_at_end(&whole)) return st;
    st = ca_der_enter(&whole, CA_DER_CONTEXT_CONSTRUCTED(3), "extensions", &wrapped, err);
    if (st == CA_OK) st = ca_der_enter(&wrapped, CA_DER_SEQUENCE, "extensions", &list, err);
    if (st != CA_OK) return st;
    out->extensions = list.rest;
    return find_san(out, err);
}

static enum ca_status add_extensions(struct ca_buf *out, struct ca_bytes extensions,
                                     struct ca_error *err)
{
    struct ca_der der = ca_der_open(extensions);
    const char *comma = "";

    ca_buf_append_str(out, "\"extensions\":[");
    while (!ca_der_at_end(&der)) {
        struct ca_extension extension;
        char oid[128];
        enum ca_status st = ca_extension_next(&der, &extension, err);

        if (st != CA_OK) return st;
        ca_der_oid_text(extension.oid, oid, sizeof(oid));
        ca_buf_printf(out, "%s{\"oid\":\"%s\",\"critical\":%s,\"value\":", comma, oid,
                      extension.critical ? "true" : "false");
        add_hex(out, extension.value);
        ca_buf_append_u8(out, '}');
        comma = ",";
    }
    ca_buf_append_str(out, "],");
    return CA_OK;
}

/* The printed form is not known to fit anything: print it aside, then escape it. */
static enum ca_status add_printed(struct ca_buf *out, const char *name, struct ca_bytes der,
                                  void (*print)(struct ca_bytes der, struct ca_buf *out),
                                  struct ca_error *err)
{
    struct ca_buf text;
    enum ca_status st;

    ca_buf_init(&text, out->max);
    if (der.len > 0) print(der, &text);
    st = ca_buf_status(&text, name, err);
    ca_buf_printf(out, "\"%s\":", name);
    if (der.len > 0) ca_json_append_string(out, ca_buf_view(&text));
    else ca_buf_append_str(out, "null");
    ca_buf_append_u8(out, ',');
    ca_buf_clear(&text);
    return st;
}

static enum ca_status add_certificate(struct ca_buf *out, const struct batch_explained *explained,
                                      struct ca_error *err)
{
    char serial[CA_SERIAL_TEXT_MAX];
    struct shown shown;
    enum ca_status st = read_tbs(ca_buf_view(&explained->tbs), &shown, err);

    ca_buf_append_str(out, "{");
    if (st == CA_OK) st = add_printed(out, "subject", shown.subject, ca_name_print, err);
    if (st == CA_OK) st = add_printed(out, "san", shown.san, ca_san_print, err);
    if (st != CA_OK) return st;
    ca_serial_format(&explained->serial, serial);
    ca_buf_printf(out, "\"serial\":\"%s\",", serial);
    add_time(out, "not_before", explained->not_before_s);
    add_time(out, "not_after", explained->not_after_s);
    ca_buf_printf(out, "\"key\":{\"kind\":\"%s\",\"bits\":%u,\"hash\":",
                  ca_key_kind_name(explained->key_kind), (unsigned)explained->key_bits);
    add_hex(out, ca_bytes_of(explained->key_hash, sizeof(explained->key_hash)));
    ca_buf_append_str(out, "},\"ignored\":");
    ca_ignored_append_json(explained->ignored, out);
    ca_buf_append_u8(out, ',');
    add_notices(out, explained->notices);
    st = add_extensions(out, shown.extensions, err);
    ca_buf_append_str(out, "\"tbs\":");
    add_hex(out, ca_buf_view(&explained->tbs));
    ca_buf_append_u8(out, '}');
    return st;
}

enum ca_status batch_explain_describe(const struct batch_explained *explained, struct ca_buf *out,
                                      struct ca_error *err)
{
    enum ca_status st = CA_OK;

    ca_buf_printf(out, "{\"verdict\":\"%s\",\"steps\":[",
                  explained->accepted ? "accepted" : "refused");
    for (size_t i = 0; i < explained->step_count; i++) {
        if (i > 0) ca_buf_append_u8(out, ',');
        add_step_json(out, &explained->steps[i]);
    }
    ca_buf_append_str(out, "],\"certificate\":");
    if (explained->accepted) st = add_certificate(out, explained, err);
    else ca_buf_append_str(out, "null");
    ca_buf_append_u8(out, '}');
    return st == CA_OK ? ca_buf_status(out, "an explanation", err) : st;
}
