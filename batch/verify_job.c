#include "batch/verify_private.h"

#include "batch/job_args.h"
#include "engine/reason.h"

#include <inttypes.h>
#include <string.h>

/* Whether a table keyed by (job, ordinal) has a row of the job at or above from, and where. */
static enum ca_status row_from(struct store_txn *txn, enum store_table table, uint32_t job,
                               uint64_t from, bool *found, uint64_t *ordinal, struct ca_error *err)
{
    struct store_cursor *cursor = NULL;
    struct schema_key start;
    struct ca_error why;
    struct ca_bytes key = { 0 }, value;
    bool more = false;
    enum ca_status st = store_cursor_open(txn, table, &cursor, err);

    *found = false;
    if (st != CA_OK) return st;
    st = store_cursor_seek(cursor, schema_key_ordinal(&start, job, from), &more, &key, &value,
                           &why);
    store_cursor_close(cursor);
    if (st != CA_OK && (why.name == NULL || strcmp(why.name, "checksum") != 0)) {
        if (err != NULL) *err = why;
        return st;
    }
    if (more && key.len == 12 && ca_get_u32(key.data) == job) {
        *found = true;
        *ordinal = ca_get_u64(key.data + 4);
    }
    return CA_OK;
}

static enum ca_status check_high_water(struct verify *v, struct store_txn *txn, uint32_t number,
                                       const struct schema_job *row, struct ca_error *err)
{
    uint64_t ordinal = 0;
    bool found;
    enum ca_status st = row_from(txn, STORE_RESULT, number, row->done, &found, &ordinal, err);

    if (st != CA_OK) return st;
    if (found) {
        verify_find(v, "job %u: it has a result for ordinal %" PRIu64 ", but %" PRIu64
                    " are committed", (unsigned)number, ordinal, row->done);
    }
    if (row->done > 0) {
        st = row_from(txn, STORE_RESULT, number, 0, &found, &ordinal, err);
        if (st == CA_OK && (!found || ordinal >= row->done)) {
            verify_find(v, "job %u: it has no results, but %" PRIu64 " are committed",
                        (unsigned)number, row->done);
        }
    }
    if (st == CA_OK && row->done < UINT64_MAX) {
        st = row_from(txn, STORE_INPUT, number, row->done + 1, &found, &ordinal, err);
        if (st == CA_OK && found) {
            verify_find(v, "job %u: its input is consumed to ordinal %" PRIu64 ", but %" PRIu64
                        " are committed", (unsigned)number, ordinal, row->done);
        }
    }
    return st;
}

static void check_job_counters(struct verify *v, uint32_t number, const struct schema_job *row)
{
    if (row->state < SCHEMA_JOB_RUNNING || row->state > SCHEMA_JOB_CANCELLED) {
        verify_find(v, "job %u: there is no state %u", (unsigned)number, (unsigned)row->state);
    }
    if (row->issued > row->done || row->rejected > row->done - row->issued) {
        verify_find(v, "job %u: %" PRIu64 " issued and %" PRIu64 " rejected are more than the %"
                    PRIu64 " committed", (unsigned)number, row->issued, row->rejected, row->done);
    }
    if (row->signed_count != row->issued + row->discarded) {
        verify_find(v, "job %u: %" PRIu64 " were signed, but %" PRIu64 " issued and %" PRIu64
                    " discarded", (unsigned)number, row->signed_count, row->issued, row->discarded);
    }
    if (row->discarded > row->rejected) {
        verify_find(v, "job %u: %" PRIu64 " were discarded, but %" PRIu64 " rejected",
                    (unsigned)number, row->discarded, row->rejected);
    }
    if (row->out_done > row->done) {
        verify_find(v, "job %u: %" PRIu64 " are in the outputs, but %" PRIu64 " committed",
                    (unsigned)number, row->out_done, row->done);
    }
}

static enum ca_status check_job_args(struct verify *v, uint32_t number,
                                     const struct schema_job *row, struct ca_error *err)
{
    struct ca_error why;
    struct batch_job_args args;
    enum ca_status st = batch_job_args_decode(row->spec, &args, &why);

    if (st == CA_OK) {
        batch_job_args_clear(&args);
    } else if (st == CA_CORRUPT) {
        verify_find(v, "job %u: %s", (unsigned)number, why.text);
    } else {                                    /* our own failure is no finding */
        if (err != NULL) *err = why;
        return st;
    }
    return CA_OK;
}

enum ca_status verify_job(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                          struct ca_bytes value, struct ca_error *err)
{
    struct ca_error why;
    struct schema_key other;
    struct schema_job row;
    struct verify_row look;
    uint32_t number;
    enum ca_status st = schema_read_key_u32(key, &number, &why);

    if (st == CA_OK) st = schema_decode_job(value, &row, &why);
    if (st != CA_OK) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    check_job_counters(v, number, &row);
    st = check_job_args(v, number, &row, err);
    if (st == CA_OK) st = verify_look(txn, STORE_CA, schema_key_ca(&other, row.ca), &look, err);
    if (st == CA_OK && !look.found) {
        verify_find(v, "job %u: its CA %u does not exist", (unsigned)number, (unsigned)row.ca);
    }
    if (st == CA_OK) {
        st = verify_look(txn, STORE_PROFILE, schema_key_profile(&other, row.profile), &look, err);
    }
    if (st == CA_OK && !look.found) {
        verify_find(v, "job %u: its profile is not in the store", (unsigned)number);
    }
    return st == CA_OK ? check_high_water(v, txn, number, &row, err) : st;
}

enum ca_status verify_input(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                            struct ca_bytes value, struct ca_error *err)
{
    struct ca_error why;
    struct schema_key other;
    struct schema_input row;
    struct verify_row look;
    uint64_t ordinal;
    uint32_t job;
    enum ca_status st = schema_read_key_ordinal(key, &job, &ordinal, &why);

    if (st == CA_OK) st = schema_decode_input(value, &row, &why);
    if (st != CA_OK) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    st = verify_look(txn, STORE_JOB, schema_key_job(&other, job), &look, err);
    if (st == CA_OK && !look.found) {
        verify_find(v, "input of job %u, ordinal %" PRIu64 ": there is no such job", (unsigned)job,
                    ordinal);
    }
    return st;
}

enum ca_status verify_id(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                         struct ca_bytes value, struct ca_error *err)
{
    struct ca_error why;
    struct schema_key other;
    struct schema_result result;
    struct verify_row look;
    uint64_t ordinal;
    uint32_t job;
    enum ca_status st;

    if (key.len <= 4) {
        verify_find(v, "a key of id has %zu octets", key.len);
        return CA_OK;
    }
    if (schema_decode_ordinal(value, &ordinal, &why) != CA_OK) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    job = ca_get_u32(key.data);
    st = verify_look(txn, STORE_RESULT, schema_key_ordinal(&other, job, ordinal), &look, err);
    if (st != CA_OK) return st;
    if (!look.found) {
        verify_find(v, "an id of job %u names ordinal %" PRIu64 ", which has no result",
                    (unsigned)job, ordinal);
    } else if (!look.damaged && schema_decode_result(look.value, &result, NULL) == CA_OK &&
               !ca_bytes_equal(result.id, ca_bytes_of(key.data + 4, key.len - 4))) {
        verify_find(v, "an id of job %u names ordinal %" PRIu64 ", which has another id",
                    (unsigned)job, ordinal);
    }
    return CA_OK;
}

/* ---- results ---- */

static void find_gap(struct verify *v, uint64_t until)
{
    const struct verify_tally *t = &v->tally;

    if (t->known && until > t->next) {
        verify_find(v, "job %u: ordinals %" PRIu64 " to %" PRIu64 " have no result",
                    (unsigned)t->job, t->next, until - 1);
    }
}

void verify_results_end(struct verify *v)
{
    struct verify_tally *t = &v->tally;

    if (!t->open) return;
    t->open = false;
    find_gap(v, t->done);
    if (!t->known || t->unreadable) return;
    if (t->issued_seen != t->issued) {
        verify_find(v, "job %u: its row says %" PRIu64 " issued, its results %" PRIu64,
                    (unsigned)t->job, t->issued, t->issued_seen);
    }
    if (t->rejected_seen != t->rejected) {
        verify_find(v, "job %u: its row says %" PRIu64 " rejected, its results %" PRIu64,
                    (unsigned)t->job, t->rejected, t->rejected_seen);
    }
}

/*
 * The job's counters as they are now. Results below its high-water mark never change, so they can
 * be counted over several transactions while the job goes on; what it commits meanwhile is above.
 */
static enum ca_status tally_open(struct verify *v, struct store_txn *txn, uint32_t job,
                                 struct ca_error *err)
{
    struct schema_key key;
    struct schema_job row;
    struct verify_row look;
    enum ca_status st;

    verify_results_end(v);
    v->tally = (struct verify_tally){ .open = true, .job = job };
    st = verify_look(txn, STORE_JOB, schema_key_job(&key, job), &look, err);
    if (st != CA_OK) return st;
    if (!look.found) {
        verify_find(v, "there are results of job %u, which does not exist", (unsigned)job);
        return CA_OK;
    }
    if (look.damaged || schema_decode_job(look.value, &row, NULL) != CA_OK) return CA_OK;
    v->tally.known = true;
    v->tally.ca = row.ca;
    v->tally.done = row.done;
    v->tally.issued = row.issued;
    v->tally.rejected = row.rejected;
    return CA_OK;
}

/* The next result is at this ordinal. */
static void tally_step(struct verify *v, uint64_t ordinal)
{
    if (ordinal >= v->tally.done) return;
    find_gap(v, ordinal);
    v->tally.next = ordinal + 1;
}

enum ca_status verify_result_damaged(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                                     struct ca_error *err)
{
    uint64_t ordinal;
    uint32_t job;
    enum ca_status st = CA_OK;

    if (schema_read_key_ordinal(key, &job, &ordinal, NULL) != CA_OK) return CA_OK;
    if (!v->tally.open || v->tally.job != job) st = tally_open(v, txn, job, err);
    if (st != CA_OK) return st;
    v->tally.unreadable = true;
    tally_step(v, ordinal);
    return CA_OK;
}

static enum ca_status check_issued(struct verify *v, struct store_txn *txn, uint64_t ordinal,
                                   const struct schema_result *result, struct ca_error *err)
{
    const struct verify_tally *t = &v->tally;
    struct schema_key key;
    struct schema_cert cert;
    struct verify_row look;
    enum ca_status st = verify_look(txn, STORE_CERT, schema_key_cert(&key, result->serial, t->ca),
                                    &look, err);

    if (st != CA_OK) return st;
    if (!look.found) {
        verify_find(v, "job %u, ordinal %" PRIu64 ": its certificate is not in the store",
                    (unsigned)t->job, ordinal);
    } else if (!look.damaged && schema_decode_cert(look.value, &cert, NULL) == CA_OK &&
               (cert.job != t->job || cert.ordinal != ordinal)) {
        verify_find(v, "job %u, ordinal %" PRIu64 ": its certificate belongs to job %u, ordinal %"
                    PRIu64, (unsigned)t->job, ordinal, (unsigned)cert.job, cert.ordinal);
    }
    return CA_OK;
}

static enum ca_status check_result(struct verify *v, struct store_txn *txn, uint64_t ordinal,
                                   const struct schema_result *result, struct ca_error *err)
{
    struct verify_tally *t = &v->tally;
    bool counts = ordinal < t->done;

    switch ((enum schema_result_status)result->status) {
    case SCHEMA_RESULT_ISSUED:
        if (counts) t->issued_seen++;
        return t->known ? check_issued(v, txn, ordinal, result, err) : CA_OK;
    case SCHEMA_RESULT_REJECTED:
        if (counts) t->rejected_seen++;
        if (ca_reason_code(result->reason) == NULL) {
            verify_find(v, "job %u, ordinal %" PRIu64 ": there is no reason %u", (unsigned)t->job,
                        ordinal, (unsigned)result->reason);
        }
        return CA_OK;
    case SCHEMA_RESULT_KNOWN:
    case SCHEMA_RESULT_REPLAYED:
        return CA_OK;
    }
    verify_find(v, "job %u, ordinal %" PRIu64 ": there is no status %u", (unsigned)t->job, ordinal,
                (unsigned)result->status);
    return CA_OK;
}

enum ca_status verify_result(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                             struct ca_bytes value, struct ca_error *err)
{
    struct ca_error why;
    struct schema_result result;
    uint64_t ordinal;
    uint32_t job;
    enum ca_status st = schema_read_key_ordinal(key, &job, &ordinal, &why);

    if (st != CA_OK) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    if (schema_decode_result(value, &result, &why) != CA_OK) {
        verify_find(v, "%s", why.text);
        return verify_result_damaged(v, txn, key, err);
    }
    if (!v->tally.open || v->tally.job != job) st = tally_open(v, txn, job, err);
    if (st != CA_OK) return st;
    tally_step(v, ordinal);
    return check_result(v, txn, ordinal, &result, err);
}
