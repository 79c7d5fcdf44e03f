#include "batch/ca_row.h"
#include "batch/plan.h"
#include "batch/registry_cert.h"
#include "engine/name.h"
#include "engine/pem.h"

#include <jansson.h>

#define PROFILE_ID_LEN 8        /* octets of a profile's hash that a certificate's row has */

static void member_text(struct ca_buf *out, const char *name, struct ca_bytes text)
{
    ca_buf_printf(out, ",\"%s\":", name);
    ca_json_append_string(out, text);
}

static void member_time(struct ca_buf *out, const char *name, int64_t time_s)
{
    char text[CA_TIME_TEXT_MAX];

    ca_time_format(time_s, text);
    ca_buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

/* The printed form is not known to fit anything: print it aside, then escape it. */
static enum ca_status member_printed(struct ca_buf *out, const char *name, struct ca_bytes der,
                                     void (*print)(struct ca_bytes der, struct ca_buf *out),
                                     struct ca_error *err)
{
    struct ca_buf text;
    enum ca_status st;

    ca_buf_init(&text, out->max);
    print(der, &text);
    st = ca_buf_status(&text, name, err);
    if (st == CA_OK) member_text(out, name, ca_buf_view(&text));
    ca_buf_clear(&text);
    return st;
}

/* "ca" and "arn", which ends in the serial (spec section 1). */
static enum ca_status describe_ca(struct batch_registry *registry, struct store_txn *txn,
                                  const struct batch_cert *cert, const char *serial,
                                  struct ca_buf *out, struct ca_error *err)
{
    struct batch_ca ca;
    bool found;
    enum ca_status st = batch_ca_get(registry, txn, cert->ca, &found, &ca, err);

    if (st != CA_OK) return st;
    if (!found) {
        return ca_fail_named(err, CA_CORRUPT, "store-damaged",
                             "certificate %s belongs to CA %u, which is not in the store", serial,
                             (unsigned)cert->ca);
    }
    member_text(out, "ca", ca.row.name);
    ca_buf_printf(out, ",\"arn\":\"%s/certificate/%s\"", ca.arn, serial);
    batch_ca_clear(&ca);
    return CA_OK;
}

static enum ca_status describe_job(struct store_txn *txn, const struct batch_cert *cert,
                                   struct ca_buf *out, struct ca_error *err)
{
    struct schema_key key;
    struct schema_job job;
    struct ca_bytes value;
    bool found;
    enum ca_status st;

    if (cert->row.job == 0) {
        ca_buf_append_str(out, ",\"job\":null,\"ordinal\":null");
        return CA_OK;
    }
    st = store_get(txn, STORE_JOB, schema_key_job(&key, cert->row.job), &found, &value, err);
    if (st != CA_OK) return st;
    if (!found) {
        return ca_fail_named(err, CA_CORRUPT, "store-damaged",
                             "a certificate belongs to job %u, which is not in the store",
                             (unsigned)cert->row.job);
    }
    st = schema_decode_job(value, &job, err);
    if (st != CA_OK) return st;
    member_text(out, "job", job.name);
    ca_buf_printf(out, ",\"ordinal\":%llu", (unsigned long long)cert->row.ordinal);
    return CA_OK;
}

/* The short name of the template in a profile's text; null where this version knows none. */
static void describe_template(struct ca_bytes profile, struct ca_buf *out)
{
    json_t *root = json_loadb((const char *)profile.data, profile.len, 0, NULL);
    const char *name = json_string_value(json_object_get(json_object_get(root, "template"),
                                                         "name"));
    const struct ca_template *tmpl;

    if (name == NULL) {
        ca_buf_append_str(out, ",\"template\":null");
    } else {
        if (ca_template_find(name, &tmpl, NULL) == CA_OK) name = tmpl->name;
        member_text(out, "template", ca_bytes_str(name));
    }
    json_decref(root);
}

static enum ca_status describe_profile(struct store_txn *txn, const struct batch_cert *cert,
                                       struct ca_buf *out, struct ca_error *err)
{
    struct store_cursor *cursor = NULL;
    struct ca_bytes key, value;
    uint8_t id[PROFILE_ID_LEN];
    char hex[2 * SCHEMA_HASH_LEN + 1];
    bool found;
    enum ca_status st = store_cursor_open(txn, STORE_PROFILE, &cursor, err);

    if (st != CA_OK) return st;
    ca_put_u64(id, cert->row.profile);
    st = store_cursor_seek(cursor, ca_bytes_of(id, sizeof(id)), &found, &key, &value, err);
    if (st == CA_OK && found && key.len == SCHEMA_HASH_LEN &&
        batch_profile_id(key.data) == cert->row.profile) {
        ca_hex_encode(key, hex);
        ca_buf_printf(out, ",\"profile\":\"%s\"", hex);
        describe_template(value, out);
    } else if (st == CA_OK) {
        ca_buf_append_str(out, ",\"profile\":null,\"template\":null");
    }
    store_cursor_close(cursor);
    return st;
}

static enum ca_status describe_rows(struct batch_registry *registry, const struct batch_cert *cert,
                                    const char *serial, struct ca_buf *out, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    enum ca_status st = store_begin(registry->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = describe_ca(registry, txn, cert, serial, out, err);
    if (st == CA_OK) st = describe_job(txn, cert, out, err);
    if (st == CA_OK) st = describe_profile(txn, cert, out, err);
    store_abort(txn);
    return st;
}

static enum ca_status describe_content(struct batch_registry *registry,
                                       const struct batch_cert *cert, struct ca_buf *out,
                                       struct ca_error *err)
{
    uint8_t fingerprint[32];
    char hex[2 * sizeof(fingerprint) + 1];
    struct ca_cert parsed;
    enum ca_status st = ca_cert_parse(cert->row.der, &parsed, err);

    if (st == CA_OK) st = member_printed(out, "subject", parsed.subject, ca_name_print, err);
    if (st == CA_OK && parsed.has_san) {
        st = member_printed(out, "san", parsed.san, ca_san_print, err);
    } else {
        ca_buf_append_str(out, ",\"san\":null");
    }
    if (st != CA_OK) return st;
    member_time(out, "not_before", cert->row.not_before_s);
    member_time(out, "not_after", cert->row.not_after_s);
    st = ca_crypto_digest(registry->crypto, CA_DIGEST_SHA256, cert->row.der, fingerprint, err);
    if (st != CA_OK) return st;
    ca_hex_encode(ca_bytes_of(fingerprint, sizeof(fingerprint)), hex);
    ca_buf_printf(out, ",\"fingerprint_sha256\":\"%s\"", hex);
    return CA_OK;
}

static enum ca_status append_pem(const struct batch_cert *cert, struct ca_buf *out,
                                 struct ca_error *err)
{
    struct ca_buf pem;
    enum ca_status st;

    ca_buf_init(&pem, out->max);
    ca_pem_append(&pem, "CERTIFICATE", cert->row.der);
    st = ca_buf_status(&pem, "a certificate", err);
    if (st == CA_OK) member_text(out, "certificate", ca_buf_view(&pem));
    ca_buf_clear(&pem);
    return st;
}

enum ca_status batch_cert_describe(struct batch_registry *registry, const struct batch_cert *cert,
                                   bool with_pem, struct ca_buf *out, struct ca_error *err)
{
    char serial[2 * SCHEMA_SERIAL_LEN + 1];
    enum ca_status st;

    ca_hex_encode(ca_bytes_of(cert->serial, SCHEMA_SERIAL_LEN), serial);
    ca_buf_printf(out, "{\"serial\":\"%s\",\"status\":\"%s\"", serial,
                  batch_cert_status(registry, cert));
    st = describe_content(registry, cert, out, err);
    if (st == CA_OK) st = describe_rows(registry, cert, serial, out, err);
    if (st == CA_OK && with_pem) st = append_pem(cert, out, err);
    ca_buf_append_str(out, "}");
    return st == CA_OK ? ca_buf_status(out, "a certificate's description", err) : st;
}
