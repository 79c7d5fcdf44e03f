#include "batch/registry_cert.h"

#include "batch/ca_row.h"
#include "batch/registry_job.h"
#include "batch/walk.h"
#include "engine/name.h"

#include <assert.h>
#include <fnmatch.h>
#include <string.h>

#define CERT_SUBJECT_MAX (1u << 20)     /* octets of a printed Name; a request has 32 KiB */
#define CERT_ROW_MAX (CA_CERT_DER_MAX + 256)  /* octets of a row */

enum ca_status batch_cert_put(struct store_txn *txn, uint32_t ca,
                              const uint8_t serial[SCHEMA_SERIAL_LEN],
                              const struct schema_cert *row, struct ca_buf *value,
                              struct ca_error *err)
{
    struct schema_key key;
    enum ca_status st;

    ca_buf_reset(value);
    schema_encode_cert(row, value);
    st = ca_buf_status(value, "a certificate's row", err);
    if (st != CA_OK) return st;
    st = store_put(txn, STORE_CERT, schema_key_cert(&key, serial, ca), ca_buf_view(value),
                   STORE_APPEND, err);
    if (st == CA_DUPLICATE)
        return ca_fail_named(err, CA_CRYPTO, "serial-collision",
                             "a serial number was drawn twice: the random generator is broken");
    if (st != CA_OK) return st;
    return store_put(txn, STORE_EXPIRY, schema_key_expiry(&key, row->not_after_s, ca, serial),
                     ca_bytes_of(NULL, 0), STORE_INSERT, err);
}

/* Which table leads the walk: the one that makes its time proportional to its answer. */
enum cert_order { CERT_BY_SERIAL, CERT_BY_EXPIRY, CERT_BY_ORDINAL };

struct cert_walk {
    struct batch_registry *registry;
    const struct batch_cert_query *query;
    enum ca_status (*visit)(void *ctx, const struct batch_cert *cert, struct ca_error *err);
    void *ctx;
    enum cert_order order;
    uint32_t ca, job;           /* of the query; 0: all */
    uint32_t job_ca;            /* whose certificates the job asked for */
    uint64_t visited;
    struct ca_buf subject;
    bool ended;
};

static enum store_table walk_table(const struct cert_walk *walk)
{
    switch (walk->order) {
    case CERT_BY_SERIAL: return STORE_CERT;
    case CERT_BY_EXPIRY: return STORE_EXPIRY;
    case CERT_BY_ORDINAL: return STORE_RESULT;
    }
    assert(false);
    return STORE_CERT;
}

static enum ca_status is_revoked(struct store_txn *txn, const struct batch_cert *cert,
                                 bool *revoked, struct ca_error *err)
{
    struct schema_key key;
    struct ca_bytes value;

    return store_get(txn, STORE_REVOKED,
                     schema_key_revoked(&key, cert->ca, cert->row.scope,
                                        ca_bytes_of(cert->serial, SCHEMA_SERIAL_LEN)),
                     revoked, &value, err);
}

/* The row that an index or a result names. It must be there: rows of cert are never deleted. */
static enum ca_status fetch(struct store_txn *txn, const char *named_by, struct batch_cert *cert,
                            struct ca_error *err)
{
    struct schema_key key;
    struct ca_bytes value;
    bool found;
    enum ca_status st = store_get(txn, STORE_CERT, schema_key_cert(&key, cert->serial, cert->ca),
                                  &found, &value, err);

    if (st != CA_OK) return st;
    if (!found) {
        (void)ca_fail_named(err, CA_CORRUPT, "store-damaged",
                            "table %s names a certificate that is not in the store", named_by);
        ca_hint(err, "certmill verify lists all that is damaged");
        return CA_CORRUPT;
    }
    return schema_decode_cert(value, &cert->row, err);
}

static enum ca_status read_by_expiry(struct cert_walk *walk, struct store_txn *txn,
                                     struct ca_bytes key, struct batch_cert *cert,
                                     struct ca_error *err)
{
    int64_t not_after_s;
    enum ca_status st = schema_read_key_expiry(key, &not_after_s, &cert->ca, cert->serial, err);

    if (st != CA_OK) return st;
    if (not_after_s > walk->query->expiring_before_s) {
        walk->ended = true;
        return CA_OK;
    }
    return fetch(txn, "expiry", cert, err);
}

/* Only what the job issued itself: a known or replayed result names a certificate of another. */
static enum ca_status read_by_ordinal(struct cert_walk *walk, struct store_txn *txn,
                                      struct ca_bytes key, struct ca_bytes value,
                                      struct batch_cert *cert, bool *wanted, struct ca_error *err)
{
    struct schema_result result;
    uint64_t ordinal;
    uint32_t job;
    enum ca_status st = schema_read_key_ordinal(key, &job, &ordinal, err);

    if (st != CA_OK) return st;
    if (job != walk->job) {
        walk->ended = true;
        return CA_OK;
    }
    st = schema_decode_result(value, &result, err);
    if (st != CA_OK) return st;
    if (result.status != SCHEMA_RESULT_ISSUED) {
        *wanted = false;
        return CA_OK;
    }
    cert->ca = walk->job_ca;
    memcpy(cert->serial, result.serial, sizeof(cert->serial));
    return fetch(txn, "result", cert, err);
}

static enum ca_status read_row(struct cert_walk *walk, struct store_txn *txn, struct ca_bytes key,
                               struct ca_bytes value, struct batch_cert *cert, bool *wanted,
                               struct ca_error *err)
{
    enum ca_status st = CA_OK;

    *wanted = true;
    switch (walk->order) {
    case CERT_BY_SERIAL:
        st = schema_read_key_cert(key, cert->serial, &cert->ca, err);
        if (st == CA_OK) st = schema_decode_cert(value, &cert->row, err);
        break;
    case CERT_BY_EXPIRY:
        st = read_by_expiry(walk, txn, key, cert, err);
        break;
    case CERT_BY_ORDINAL:
        st = read_by_ordinal(walk, txn, key, value, cert, wanted, err);
        break;
    }
    if (walk->ended) *wanted = false;
    return st;
}

static enum ca_status subject_matches(struct cert_walk *walk, const struct batch_cert *cert,
                                      bool *matches, struct ca_error *err)
{
    struct ca_cert parsed;
    enum ca_status st = ca_cert_parse(cert->row.der, &parsed, err);

    if (st != CA_OK) return st;
    ca_buf_reset(&walk->subject);
    ca_name_print(parsed.subject, &walk->subject);
    ca_buf_append_u8(&walk->subject, 0);
    st = ca_buf_status(&walk->subject, "a subject", err);
    if (st != CA_OK) return st;
    /* Backslashes escape in RFC 4514 texts, so in the pattern they stand for themselves. */
    *matches = fnmatch(walk->query->subject_glob, (const char *)walk->subject.data,
                       FNM_NOESCAPE) == 0;
    return CA_OK;
}

static enum ca_status visit_row(struct cert_walk *walk, struct store_txn *txn, struct ca_bytes key,
                                struct ca_bytes value, struct ca_error *err)
{
    struct batch_cert cert = { 0 };
    bool wanted;
    enum ca_status st = read_row(walk, txn, key, value, &cert, &wanted, err);

    if (st != CA_OK || !wanted) return st;
    if (walk->ca != 0 && cert.ca != walk->ca) return CA_OK;
    if (walk->job != 0 && cert.row.job != walk->job) return CA_OK;
    if (walk->query->subject_glob != NULL) {
        st = subject_matches(walk, &cert, &wanted, err);
        if (st != CA_OK || !wanted) return st;
    }
    st = is_revoked(txn, &cert, &cert.revoked, err);
    if (st == CA_OK) st = walk->visit(walk->ctx, &cert, err);
    if (st == CA_OK && ++walk->visited == walk->query->limit) walk->ended = true;
    return st;
}

static enum ca_status walk_row(void *ctx, struct store_txn *txn, struct ca_bytes key,
                               struct ca_bytes value, bool *stop, struct ca_error *err)
{
    struct cert_walk *walk = ctx;
    enum ca_status st = visit_row(walk, txn, key, value, err);

    *stop = walk->ended;
    return st;
}

static enum ca_status find_ca(struct batch_registry *registry, const char *name, uint32_t *number,
                              struct ca_error *err)
{
    struct batch_ca ca;
    enum ca_status st = batch_ca_find(registry, NULL, name, &ca, err);

    if (st != CA_OK) return st;
    *number = ca.number;
    batch_ca_clear(&ca);
    return CA_OK;
}

static enum ca_status find_job(struct cert_walk *walk, struct ca_error *err)
{
    struct batch_job_view view;
    enum ca_status st = batch_job_find(walk->registry, walk->query->job, &view, err);

    if (st != CA_OK) return st;
    walk->job = view.number;
    walk->job_ca = view.row.ca;
    batch_job_view_clear(&view);
    return CA_OK;
}

/* Chooses the table that leads and writes the key where its answer begins. */
static struct ca_bytes walk_start(struct cert_walk *walk, struct schema_key *key)
{
    static const uint8_t lowest[SCHEMA_SERIAL_LEN];
    int64_t now_s = ca_clock_now_s(&walk->registry->clock);

    if (walk->query->expiring_before_s != 0) {
        walk->order = CERT_BY_EXPIRY;
        return schema_key_expiry(key, now_s + 1, 0, lowest);
    }
    if (walk->job != 0) {
        walk->order = CERT_BY_ORDINAL;
        return schema_key_ordinal(key, walk->job, 0);
    }
    walk->order = CERT_BY_SERIAL;
    return ca_bytes_of(NULL, 0);
}

enum ca_status batch_cert_each(struct batch_registry *registry,
                               const struct batch_cert_query *query,
                               enum ca_status (*visit)(void *ctx, const struct batch_cert *cert,
                                                       struct ca_error *err),
                               void *ctx, struct ca_error *err)
{
    struct cert_walk walk = { .registry = registry, .query = query, .visit = visit, .ctx = ctx };
    struct batch_walk rows = { .store = registry->store, .row = walk_row, .ctx = &walk };
    struct schema_key start;
    enum ca_status st = CA_OK;

    if (query->ca != NULL) st = find_ca(registry, query->ca, &walk.ca, err);
    if (st == CA_OK && query->job != NULL) st = find_job(&walk, err);
    if (st != CA_OK) return st;
    rows.from = walk_start(&walk, &start);
    rows.table = walk_table(&walk);
    ca_buf_init(&walk.subject, CERT_SUBJECT_MAX);
    st = batch_walk_run(&rows, err);
    ca_buf_clear(&walk.subject);
    return st;
}

/* ---- one by its serial ---- */

static enum ca_status refuse_unknown(const char *serial, struct ca_error *err)
{
    (void)ca_fail_named(err, CA_REFUSED, "no-such-certificate",
                        "no certificate with serial %s is in the store", serial);
    ca_hint(err, "certmill cert list shows what is");
    return CA_REFUSED;
}

/* Rows with this serial, of whichever CA: the key begins with it, so they are neighbours. */
static enum ca_status seek_serial(struct store_txn *txn, const struct ca_serial *serial,
                                  uint32_t ca, unsigned *matches, struct batch_cert *out,
                                  struct ca_bytes *value_out, struct ca_error *err)
{
    struct store_cursor *cursor = NULL;
    struct schema_key start;
    struct ca_bytes key, value;
    struct batch_cert cert = { 0 };
    bool found;
    enum ca_status st = store_cursor_open(txn, STORE_CERT, &cursor, err);

    *matches = 0;
    if (st != CA_OK) return st;
    st = store_cursor_seek(cursor, schema_key_cert(&start, serial->octets, 0), &found, &key,
                           &value, err);
    while (st == CA_OK && found) {
        st = schema_read_key_cert(key, cert.serial, &cert.ca, err);
        if (st != CA_OK || memcmp(cert.serial, serial->octets, SCHEMA_SERIAL_LEN) != 0) break;
        if (ca == 0 || ca == cert.ca) {
            *out = cert;
            *value_out = value;
            (*matches)++;
        }
        st = store_cursor_next(cursor, &found, &key, &value, err);
    }
    store_cursor_close(cursor);
    return st;
}

enum ca_status batch_cert_find(struct batch_registry *registry, const char *serial, const char *ca,
                               struct batch_cert *out, struct ca_buf *value, struct ca_error *err)
{
    struct ca_serial parsed;
    struct store_txn *txn = NULL;
    struct batch_cert cert = { 0 };
    struct ca_bytes row;
    uint32_t number = 0;
    unsigned matches;
    enum ca_status st = ca_serial_parse(serial, &parsed, err);

    ca_buf_init(value, CERT_ROW_MAX);
    if (st == CA_OK && ca != NULL) st = find_ca(registry, ca, &number, err);
    if (st != CA_OK) return st;
    if (parsed.len != SCHEMA_SERIAL_LEN) return refuse_unknown(serial, err);
    st = store_begin(registry->store, STORE_READ, &txn, err);
    if (st != CA_OK) return st;
    st = seek_serial(txn, &parsed, number, &matches, &cert, &row, err);
    if (st == CA_OK && matches == 0) st = refuse_unknown(serial, err);
    if (st == CA_OK && matches > 1) {
        st = ca_fail_named(err, CA_REFUSED, "ambiguous-serial",
                           "%u CAs have a certificate with serial %s", matches, serial);
        ca_hint(err, "name the CA with --ca");
    }
    if (st == CA_OK) {
        ca_buf_append_bytes(value, row);
        st = ca_buf_status(value, "a certificate's row", err);
    }
    if (st == CA_OK) st = schema_decode_cert(ca_buf_view(value), &cert.row, err);
    if (st == CA_OK) st = is_revoked(txn, &cert, &cert.revoked, err);
    store_abort(txn);
    if (st != CA_OK) {
        ca_buf_clear(value);
        return st;
    }
    *out = cert;
    return CA_OK;
}

const char *batch_cert_status(const struct batch_registry *registry, const struct batch_cert *cert)
{
    if (cert->revoked) return "REVOKED";
    return ca_clock_now_s(&registry->clock) > cert->row.not_after_s ? "EXPIRED" : "VALID";
}
