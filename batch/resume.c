#include "batch/resume.h"

#include "engine/pem.h"

#include <stdio.h>
#include <string.h>

/* Rows read in one transaction: a long reader keeps pages from being reused. */
#define ROWS_PER_TXN 4096
#define FILL_BUFFER_MAX ((size_t)4 * 1024 * 1024)

enum ca_status batch_resume_position(struct store *store, const struct batch_job *job,
                                     struct ingest_position *position,
                                     uint8_t digest[SCHEMA_HASH_LEN], struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct schema_input row;
    struct ca_bytes value;
    bool found = false;
    enum ca_status st = store_begin(store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = store_get(txn, STORE_INPUT, schema_key_ordinal(&key, job->number, job->row.done), &found,
                   &value, err);
    if (st == CA_OK && !found)
        st = ca_fail_named(err, CA_CORRUPT, "bad-row",
                           "the store does not say where the input of job %s stands", job->name);
    if (st == CA_OK) st = schema_decode_input(value, &row, err);
    if (st == CA_OK) {
        position->input = row.input;
        position->offset = row.offset;
        memcpy(digest, row.digest, SCHEMA_HASH_LEN);
    }
    store_abort(txn);
    return st;
}

enum ca_status batch_put_cert_file(struct outbox *outbox, const uint8_t serial[SCHEMA_SERIAL_LEN],
                                   struct ca_bytes der, struct ca_buf *scratch,
                                   struct ca_error *err)
{
    char hex[2 * SCHEMA_SERIAL_LEN + 1], name[sizeof(hex) + 4];
    enum ca_status st;

    ca_hex_encode(ca_bytes_of(serial, SCHEMA_SERIAL_LEN), hex);
    (void)snprintf(name, sizeof(name), "%s.pem", hex);
    ca_buf_reset(scratch);
    ca_pem_append(scratch, "CERTIFICATE", der);
    st = ca_buf_status(scratch, "a certificate's PEM", err);
    return st != CA_OK ? st : outbox_put_file(outbox, name, ca_buf_view(scratch), err);
}

struct fill {
    const struct batch_job *job;
    struct outbox *outbox;
    struct ca_buf out[3];
    struct ca_buf scratch;
};

static enum ca_status fill_row(struct fill *fill, struct store_txn *txn, uint64_t ordinal,
                               struct ca_bytes value, struct ca_error *err)
{
    struct schema_result result;
    struct schema_cert cert = { .not_after_s = 0 };
    struct schema_key key;
    struct ca_bytes cert_value;
    bool found = false;
    enum ca_status st = schema_decode_result(value, &result, err);

    if (st != CA_OK) return st;
    if (result.status == SCHEMA_RESULT_ISSUED) {
        st = store_get(txn, STORE_CERT,
                       schema_key_cert(&key, result.serial, fill->job->row.ca), &found,
                       &cert_value, err);
        if (st == CA_OK && !found)
            st = ca_fail_named(err, CA_CORRUPT, "bad-row",
                               "a result of job %s names a certificate that is not in the store",
                               fill->job->name);
        if (st == CA_OK) st = schema_decode_cert(cert_value, &cert, err);
        if (st == CA_OK && fill->job->per_file)
            st = batch_put_cert_file(fill->outbox, result.serial, cert.der, &fill->scratch, err);
        if (st != CA_OK) return st;
    }
    batch_report_item(ordinal, &result, cert.not_after_s, cert.der, fill->out);
    return CA_OK;
}

/* The rows of one read transaction, collected into fill->out. */
static enum ca_status fill_some(struct fill *fill, struct store *store, uint64_t from, uint64_t to,
                                struct ca_error *err)
{
    struct store_txn *txn = NULL;
    enum ca_status st = store_begin(store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    for (uint64_t ordinal = from; ordinal < to && st == CA_OK; ordinal++) {
        struct schema_key key;
        struct ca_bytes value;
        bool found = false;

        st = store_get(txn, STORE_RESULT, schema_key_ordinal(&key, fill->job->number, ordinal),
                       &found, &value, err);
        if (st == CA_OK && !found)
            st = ca_fail_named(err, CA_CORRUPT, "bad-row", "a result of job %s is missing",
                               fill->job->name);
        if (st == CA_OK) st = fill_row(fill, txn, ordinal, value, err);
    }
    store_abort(txn);
    return st;
}

static enum ca_status flush(struct fill *fill, struct ca_error *err)
{
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        enum ca_status st = ca_buf_status(&fill->out[i], "a job's outputs", err);

        if (st == CA_OK)
            st = outbox_append(fill->outbox, (enum outbox_file)i, ca_buf_view(&fill->out[i]),
                               err);
        if (st != CA_OK) return st;
        ca_buf_reset(&fill->out[i]);
    }
    return CA_OK;
}

enum ca_status batch_resume_fill(struct store *store, const struct batch_job *job, uint64_t from,
                                 uint64_t to, bool (*stopping)(void *ctx), void *ctx,
                                 struct outbox *outbox, struct ca_error *err)
{
    /* A refused record of 16 KiB can become 96 KiB of escapes: 256 rows fit in any case. */
    enum { STEP = 256 };
    struct fill fill = { .job = job, .outbox = outbox };
    enum ca_status st = CA_OK;

    for (int i = 0; i < OUTBOX_FILE_COUNT; i++)
        ca_buf_init(&fill.out[i], (size_t)STEP * 128 * 1024 + FILL_BUFFER_MAX);
    ca_buf_init(&fill.scratch, 2 * CA_CERT_DER_MAX);
    while (from < to && st == CA_OK) {
        uint64_t end = to - from < STEP ? to : from + STEP;

        st = stopping(ctx) ? ca_fail(err, CA_AGAIN, "stopped")
                           : fill_some(&fill, store, from, end, err);
        if (st == CA_OK) st = flush(&fill, err);
        from = end;
    }
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) ca_buf_clear(&fill.out[i]);
    ca_buf_clear(&fill.scratch);
    return st;
}

static enum ca_status count_some(struct store *store, const struct batch_job *job,
                                 uint64_t *ordinal, uint64_t by_reason[CA_REASON_COUNT],
                                 struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct store_cursor *cursor = NULL;
    struct schema_key key;
    struct ca_bytes row_key, value;
    bool found = false;
    enum ca_status st = store_begin(store, STORE_READ, &txn, err);

    if (st == CA_OK) st = store_cursor_open(txn, STORE_RESULT, &cursor, err);
    if (st == CA_OK)
        st = store_cursor_seek(cursor, schema_key_ordinal(&key, job->number, *ordinal), &found,
                               &row_key, &value, err);
    for (int i = 0; i < ROWS_PER_TXN && st == CA_OK && found && *ordinal < job->row.done; i++) {
        struct schema_result result;

        st = schema_decode_result(value, &result, err);
        if (st == CA_OK && result.reason > 0 && result.reason < CA_REASON_COUNT)
            by_reason[result.reason]++;
        (*ordinal)++;
        if (st == CA_OK) st = store_cursor_next(cursor, &found, &row_key, &value, err);
    }
    if (st == CA_OK && !found) *ordinal = job->row.done;
    store_cursor_close(cursor);
    store_abort(txn);
    return st;
}

enum ca_status batch_resume_count(struct store *store, const struct batch_job *job,
                                  bool (*stopping)(void *ctx), void *ctx,
                                  uint64_t by_reason[CA_REASON_COUNT], struct ca_error *err)
{
    uint64_t ordinal = 0;

    while (ordinal < job->row.done) {
        enum ca_status st = stopping(ctx) ? ca_fail(err, CA_AGAIN, "stopped")
                                          : count_some(store, job, &ordinal, by_reason, err);

        if (st != CA_OK) return st;
    }
    return CA_OK;
}
