#include "batch/verify_private.h"

#include "batch/walk.h"
#include "engine/serial.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_MAX_OCTETS 4096

void verify_find(struct verify *v, const char *format, ...)
{
    char sentence[VERIFY_SENTENCE_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, args);     /* cut, never overrun */
    va_end(args);
    v->report->findings++;
    if (v->finding != NULL) v->finding(v->ctx, sentence);
}

enum ca_status verify_look(struct store_txn *txn, enum store_table table, struct ca_bytes key,
                           struct verify_row *out, struct ca_error *err)
{
    struct ca_error why;
    enum ca_status st;

    *out = (struct verify_row){ .found = false };
    st = store_get(txn, table, key, &out->found, &out->value, &why);
    if (st == CA_OK) return CA_OK;
    if (why.name != NULL && strcmp(why.name, "checksum") == 0) {
        *out = (struct verify_row){ .found = true, .damaged = true };
        return CA_OK;
    }
    if (err != NULL) *err = why;
    return st;
}

static void forget_ca(struct verify *v)
{
    if (v->ca_loaded) batch_ca_clear(&v->ca);
    v->ca_loaded = false;
}

enum ca_status verify_load_ca(struct verify *v, struct store_txn *txn, uint32_t ca, bool *found,
                              struct ca_error *err)
{
    struct ca_error why;
    enum ca_status st;

    *found = true;
    if (v->ca_loaded && v->ca.number == ca) return CA_OK;
    forget_ca(v);
    st = batch_ca_get(v->registry, txn, ca, found, &v->ca, &why);
    if (st == CA_OK) {
        v->ca_loaded = *found;
        return CA_OK;
    }
    *found = false;
    if (st == CA_CORRUPT) return CA_OK;
    if (err != NULL) *err = why;
    return st;
}

/* ---- meta ---- */

static enum ca_status check_meta(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                                 struct ca_bytes value, struct ca_error *err)
{
    struct ca_error why;
    struct schema_identity identity;
    struct schema_clock clock;
    enum ca_status st = CA_OK;

    (void)txn;
    (void)err;
    if (ca_bytes_equal(key, ca_bytes_str("identity"))) {
        st = schema_decode_identity(value, &identity, &why);
    } else if (ca_bytes_equal(key, ca_bytes_str("clock"))) {
        st = schema_decode_clock(value, &clock, &why);
    }
    if (st != CA_OK) verify_find(v, "%s", why.text);
    return CA_OK;
}

/* The last key of a table; *found false also for one that cannot be read. */
static enum ca_status last_key(struct store_txn *txn, enum store_table table, bool *found,
                               struct ca_bytes *key, struct ca_error *err)
{
    struct store_cursor *cursor = NULL;
    struct ca_error why;
    struct ca_bytes value;
    enum ca_status st = store_cursor_open(txn, table, &cursor, err);

    *found = false;
    if (st != CA_OK) return st;
    st = store_cursor_last(cursor, found, key, &value, &why);
    store_cursor_close(cursor);
    if (st == CA_OK || st == CA_CORRUPT) return CA_OK;      /* the table's own walk finds it */
    if (err != NULL) *err = why;
    return st;
}

/* A tick or number given twice is a serial or job given twice: the clock must be past them all. */
static enum ca_status check_numbers(struct verify *v, struct store_txn *txn,
                                    const struct schema_clock *clock, struct ca_error *err)
{
    struct ca_serial serial = { .len = SCHEMA_SERIAL_LEN };
    struct ca_bytes key;
    bool found;
    enum ca_status st = last_key(txn, STORE_CERT, &found, &key, err);

    if (st == CA_OK && found && key.len >= SCHEMA_SERIAL_LEN) {
        memcpy(serial.octets, key.data, SCHEMA_SERIAL_LEN);
        if (ca_serial_tick_ms(&serial) > clock->last_tick_ms) {
            verify_find(v, "meta clock: the last tick is %" PRId64 ", but a serial has %" PRId64,
                        clock->last_tick_ms, ca_serial_tick_ms(&serial));
        }
    }
    if (st == CA_OK) st = last_key(txn, STORE_CA, &found, &key, err);
    if (st == CA_OK && found && key.len == 4 && ca_get_u32(key.data) > clock->last_ca) {
        verify_find(v, "meta clock: the last CA is %u, but there is CA %u",
                    (unsigned)clock->last_ca, (unsigned)ca_get_u32(key.data));
    }
    if (st == CA_OK) st = last_key(txn, STORE_JOB, &found, &key, err);
    if (st == CA_OK && found && key.len == 4 && ca_get_u32(key.data) > clock->last_job) {
        verify_find(v, "meta clock: the last job is %u, but there is job %u",
                    (unsigned)clock->last_job, (unsigned)ca_get_u32(key.data));
    }
    return st;
}

static enum ca_status check_clock(struct verify *v, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct schema_clock clock;
    struct schema_key key;
    struct verify_row row;
    enum ca_status st = store_begin(v->registry->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = verify_look(txn, STORE_META, schema_key_meta(&key, "clock"), &row, err);
    if (st == CA_OK && !row.found) verify_find(v, "meta clock: there is no such row");
    if (st == CA_OK && row.found && !row.damaged &&
        schema_decode_clock(row.value, &clock, NULL) == CA_OK) {
        st = check_numbers(v, txn, &clock, err);
    }
    store_abort(txn);
    return st;
}

/* ---- CAs ---- */

static bool has_key_file(const struct verify *v, const struct batch_ca *ca)
{
    char uuid[37], path[PATH_MAX_OCTETS];
    struct stat file;
    int len;

    batch_uuid_format(ca->row.uuid, uuid);
    len = snprintf(path, sizeof(path), "%s/keys/%s.pem", store_dir(v->registry->store), uuid);
    return len > 0 && (size_t)len < sizeof(path) && stat(path, &file) == 0 &&
           S_ISREG(file.st_mode) && file.st_size > 0;
}

static bool needs_key(const struct verify *v, const struct batch_ca *ca)
{
    switch ((enum schema_ca_state)ca->row.state) {
    case SCHEMA_CA_PENDING_CERTIFICATE:
    case SCHEMA_CA_ACTIVE:
    case SCHEMA_CA_DISABLED:
    case SCHEMA_CA_DELETED:
        return !batch_ca_is_gone(v->registry, ca);
    case SCHEMA_CA_CREATING:
    case SCHEMA_CA_FAILED:
    case SCHEMA_CA_TOMBSTONE:
        break;
    }
    return false;
}

static void check_ca_state(struct verify *v, uint32_t number, const struct schema_ca *row)
{
    bool has_cert = row->cert.len > 0;
    bool issues = row->state == SCHEMA_CA_ACTIVE || row->state == SCHEMA_CA_DISABLED;

    if (row->state < SCHEMA_CA_CREATING || row->state > SCHEMA_CA_TOMBSTONE) {
        verify_find(v, "CA %u: there is no state %u", (unsigned)number, (unsigned)row->state);
    }
    if (issues && !has_cert) {
        verify_find(v, "CA %u: it is active without a certificate", (unsigned)number);
    }
    if (has_cert != (row->generation > 0)) {
        verify_find(v, "CA %u: it has %s certificate, but %u were imported", (unsigned)number,
                    has_cert ? "a" : "no", (unsigned)row->generation);
    }
}

static enum ca_status check_ca_deep(struct verify *v, const struct batch_ca *ca,
                                    struct ca_error *err)
{
    const struct schema_ca *row = &ca->row;
    struct ca_error why;
    enum ca_status st;

    if (!v->deep || row->cert.len == 0) return CA_OK;
    st = ca_issuer_check_import(v->registry->crypto, row->is_root, row->spki, row->subject,
                                row->cert, row->chain, &why);
    if (st == CA_OK) return CA_OK;
    if (!ca_status_is_request(st)) {
        if (err != NULL) *err = why;
        return st;
    }
    verify_find(v, "CA %u: its certificate: %s", (unsigned)ca->number, why.text);
    return CA_OK;
}

static enum ca_status check_ca(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                               struct ca_bytes value, struct ca_error *err)
{
    struct ca_error why;
    struct batch_ca ca;
    struct ca_spki spki;
    uint32_t number;
    enum ca_status st = schema_read_key_u32(key, &number, &why);

    (void)txn;
    if (st == CA_OK) st = batch_ca_decode(v->registry, number, value, &ca, &why);
    if (st == CA_NOMEM) {
        if (err != NULL) *err = why;
        return st;
    }
    if (st != CA_OK) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    check_ca_state(v, number, &ca.row);
    if (ca_spki_parse(ca.row.spki, &spki, &why) != CA_OK) {
        verify_find(v, "CA %u: its public key: %s", (unsigned)number, why.text);
    }
    if (needs_key(v, &ca) && !has_key_file(v, &ca)) {
        verify_find(v, "CA %u: its key file is missing", (unsigned)number);
    }
    st = check_ca_deep(v, &ca, err);
    batch_ca_clear(&ca);
    return st;
}

/* ---- tokens, profiles ---- */

static enum ca_status check_token_result(struct verify *v, struct store_txn *txn, uint8_t operation,
                                         uint32_t ca, struct ca_bytes result, struct ca_error *err)
{
    struct schema_key key;
    struct verify_row row;
    enum ca_status st;

    if (operation == SCHEMA_TOKEN_CREATE_CA && result.len == 4) {
        st = verify_look(txn, STORE_CA, schema_key_ca(&key, ca_get_u32(result.data)), &row, err);
        if (st == CA_OK && !row.found) verify_find(v, "a token names a CA that does not exist");
        return st;
    }
    if (operation == SCHEMA_TOKEN_ISSUE && result.len == SCHEMA_SERIAL_LEN) {
        st = verify_look(txn, STORE_CERT, schema_key_cert(&key, result.data, ca), &row, err);
        if (st == CA_OK && !row.found) {
            verify_find(v, "a token of CA %u names a certificate that does not exist",
                        (unsigned)ca);
        }
        return st;
    }
    verify_find(v, "a token of operation %u has a result of %zu octets", (unsigned)operation,
                result.len);
    return CA_OK;
}

static enum ca_status check_token(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                                  struct ca_bytes value, struct ca_error *err)
{
    struct ca_error why;
    struct schema_token row;

    if (key.len != 1 + 4 + SCHEMA_HASH_LEN) {
        verify_find(v, "a key of token has %zu octets", key.len);
        return CA_OK;
    }
    if (schema_decode_token(value, &row, &why) != CA_OK) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    return check_token_result(v, txn, key.data[0], ca_get_u32(key.data + 1), row.result, err);
}

static enum ca_status check_profile(struct verify *v, struct store_txn *txn, struct ca_bytes key,
                                    struct ca_bytes value, struct ca_error *err)
{
    uint8_t hash[SCHEMA_HASH_LEN];
    enum ca_status st;

    (void)txn;
    st = ca_crypto_digest(v->registry->crypto, CA_DIGEST_SHA256, value, hash, err);
    if (st == CA_OK && !ca_bytes_equal(key, ca_bytes_of(hash, sizeof(hash)))) {
        verify_find(v, "a profile's text does not have the hash it is stored under");
    }
    return st;
}

/* ---- the walk ---- */

static enum ca_status check_row(void *ctx, struct store_txn *txn, struct ca_bytes key,
                                struct ca_bytes value, bool *stop, struct ca_error *err)
{
    struct verify *v = ctx;

    (void)stop;
    v->report->rows[v->table]++;
    switch (v->table) {
    case STORE_META: return check_meta(v, txn, key, value, err);
    case STORE_CA: return check_ca(v, txn, key, value, err);
    case STORE_TOKEN: return check_token(v, txn, key, value, err);
    case STORE_CERT: return verify_cert(v, txn, key, value, err);
    case STORE_EXPIRY: return verify_expiry(v, txn, key, value, err);
    case STORE_JOB: return verify_job(v, txn, key, value, err);
    case STORE_INPUT: return verify_input(v, txn, key, value, err);
    case STORE_ID: return verify_id(v, txn, key, value, err);
    case STORE_RESULT: return verify_result(v, txn, key, value, err);
    case STORE_PROFILE: return check_profile(v, txn, key, value, err);
    case STORE_REVOKED: return verify_revoked(v, txn, key, value, err);
    case STORE_KNOWN: return verify_known(v, txn, key, value, err);
    /* Tables that this version reserves: their checksums are right if they have rows. */
    case STORE_CERT_FOREIGN:
    case STORE_CHANGE:
    case STORE_CRL:
    case STORE_SUCCESSOR:
    case STORE_AUDIT:
    case STORE_TABLE_COUNT:
        break;
    }
    return CA_OK;
}

static enum ca_status check_damaged(void *ctx, struct store_txn *txn, struct ca_bytes key,
                                    const struct ca_error *why, struct ca_error *err)
{
    struct verify *v = ctx;

    v->report->rows[v->table]++;
    verify_find(v, "%s", why->text);
    return v->table == STORE_RESULT ? verify_result_damaged(v, txn, key, err) : CA_OK;
}

/* A tree that LMDB itself cannot follow is a finding too; the other tables are still looked at. */
static enum ca_status check_table(struct verify *v, enum store_table table, struct ca_error *err)
{
    struct batch_walk walk = {
        .store = v->registry->store, .table = table, .row = check_row, .damaged = check_damaged,
        .ctx = v,
    };
    struct ca_error why;
    enum ca_status st;

    v->table = table;
    forget_ca(v);
    st = batch_walk_run(&walk, &why);
    if (st == CA_CORRUPT) {
        verify_find(v, "%s", why.text);
        st = CA_OK;
    }
    if (st != CA_OK && err != NULL) *err = why;
    if (st == CA_OK && table == STORE_RESULT) verify_results_end(v);
    return st;
}

static enum ca_status check_all(struct verify *v, struct ca_error *err)
{
    struct ca_error why;
    enum ca_status st = CA_OK;

    for (unsigned t = 0; st == CA_OK && t < STORE_TABLE_COUNT; t++) {
        st = check_table(v, (enum store_table)t, err);
    }
    if (st != CA_OK) return st;
    st = check_clock(v, &why);
    if (st == CA_CORRUPT) {
        verify_find(v, "%s", why.text);
        return CA_OK;
    }
    if (st != CA_OK && err != NULL) *err = why;
    return st;
}

enum ca_status batch_verify(struct batch_registry *registry, bool deep,
                            void (*finding)(void *ctx, const char *sentence), void *ctx,
                            struct batch_verify_report *report, struct ca_error *err)
{
    struct verify v = { .registry = registry, .deep = deep, .finding = finding, .ctx = ctx,
                        .report = report };
    enum ca_status st = CA_OK;

    *report = (struct batch_verify_report){ 0 };
    if (deep) st = ca_prover_new(registry->crypto, &v.prover, err);
    if (st == CA_OK) st = check_all(&v, err);
    report->certificates = report->rows[STORE_CERT];
    forget_ca(&v);
    verify_template_free(v.tmpl);
    ca_prover_free(v.prover);
    if (st != CA_OK || report->findings == 0) return st;
    (void)ca_fail_named(err, CA_CORRUPT, "store-damaged",
                        "%" PRIu64 " things in the store are wrong", report->findings);
    ca_hint(err, "do not issue from this store; keep a copy of it and restore a backup");
    return CA_CORRUPT;
}
