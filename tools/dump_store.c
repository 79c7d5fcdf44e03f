/*
 * dump_store DIR [TABLE...]: prints the rows of a store, one JSON line each, without the engine: a
 * second reader for tests and for people who look for a fault.
 *
 *   {"table":"cert","key":"<hex>","value":"<hex>","row":{...}}      row: what io/schema reads in it
 *   {"table":"cert","key":"<hex>","error":"checksum"}               or "bad-row", then with value
 *
 * Reads one snapshot; writes nothing but its entry in the table of readers.
 * Exit: 0 all rows are right, 1 something could not be read, 2 usage.
 */
#include "io/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)64 << 20)

/* ---- JSON members; a row is "{" ... "}" with a comma before every member but the first ---- */

static void name_of(struct ca_buf *out, const char *name)
{
    if (out->len > 0 && out->data[out->len - 1] != '{') ca_buf_append_u8(out, ',');
    ca_buf_printf(out, "\"%s\":", name);
}

static void put_number(struct ca_buf *out, const char *name, uint64_t v)
{
    name_of(out, name);
    ca_buf_printf(out, "%" PRIu64, v);
}

static void put_signed(struct ca_buf *out, const char *name, int64_t v)
{
    name_of(out, name);
    ca_buf_printf(out, "%" PRId64, v);
}

static void put_bool(struct ca_buf *out, const char *name, bool v)
{
    name_of(out, name);
    ca_buf_append_str(out, v ? "true" : "false");
}

static void put_text(struct ca_buf *out, const char *name, struct ca_bytes v)
{
    name_of(out, name);
    ca_json_append_string(out, v);
}

static void put_hex(struct ca_buf *out, const char *name, struct ca_bytes v)
{
    static const char digits[] = "0123456789abcdef";

    name_of(out, name);
    ca_buf_append_u8(out, '"');
    for (size_t i = 0; i < v.len; i++) {
        ca_buf_append_u8(out, (uint8_t)digits[v.data[i] >> 4]);
        ca_buf_append_u8(out, (uint8_t)digits[v.data[i] & 15]);
    }
    ca_buf_append_u8(out, '"');
}

/* ---- values ---- */

static enum ca_status show_meta(struct ca_bytes key, struct ca_bytes value, struct ca_buf *out,
                                struct ca_error *err)
{
    struct schema_identity id;
    struct schema_clock clock;
    enum ca_status st = CA_OK;

    if (ca_bytes_equal(key, ca_bytes_str("identity"))) {
        st = schema_decode_identity(value, &id, err);
        if (st != CA_OK) return st;
        put_number(out, "schema_version", id.schema_version);
        put_hex(out, "store_id", ca_bytes_of(id.store_id, sizeof(id.store_id)));
        put_text(out, "region", id.region);
        put_text(out, "account", id.account);
        put_signed(out, "created_ms", id.created_ms);
        put_bool(out, "encrypted", id.encrypted);
    } else if (ca_bytes_equal(key, ca_bytes_str("clock"))) {
        st = schema_decode_clock(value, &clock, err);
        if (st != CA_OK) return st;
        put_signed(out, "last_tick_ms", clock.last_tick_ms);
        put_signed(out, "high_time_ms", clock.high_time_ms);
        put_number(out, "last_ca", clock.last_ca);
        put_number(out, "last_job", clock.last_job);
    } else if (ca_bytes_equal(key, ca_bytes_str(STORE_FORMAT_KEY)) &&
               value.len == STORE_FORMAT_LEN) {
        put_number(out, "schema_version", ca_get_u32(value.data));
        put_number(out, "lmdb_version", ca_get_u32(value.data + 4));
        put_number(out, "reserve_bytes", ca_get_u64(value.data + 8));
    }
    return CA_OK;
}

static enum ca_status show_ca(struct ca_bytes value, struct ca_buf *out, struct ca_error *err)
{
    struct schema_ca row;
    enum ca_status st = schema_decode_ca(value, &row, err);

    if (st != CA_OK) return st;
    put_hex(out, "uuid", ca_bytes_of(row.uuid, sizeof(row.uuid)));
    put_text(out, "name", row.name);
    put_bool(out, "is_root", row.is_root);
    put_number(out, "state", row.state);
    put_number(out, "state_before", row.state_before);
    put_bool(out, "short_lived", row.short_lived);
    put_number(out, "key_alg", row.key_alg);
    put_number(out, "sig_alg", row.sig_alg);
    put_signed(out, "created_ms", row.created_ms);
    put_signed(out, "changed_ms", row.changed_ms);
    put_signed(out, "restorable_until_ms", row.restorable_until_ms);
    put_number(out, "generation", row.generation);
    put_number(out, "scope", row.scope);
    put_number(out, "scope_used", row.scope_used);
    put_text(out, "config", row.config);
    put_text(out, "revocation", row.revocation);
    put_text(out, "tags", row.tags);
    put_hex(out, "subject", row.subject);
    put_hex(out, "spki", row.spki);
    put_hex(out, "csr", row.csr);
    put_hex(out, "cert", row.cert);
    put_hex(out, "chain", row.chain);
    return CA_OK;
}

static enum ca_status show_token(struct ca_bytes value, struct ca_buf *out, struct ca_error *err)
{
    struct schema_token row;
    enum ca_status st = schema_decode_token(value, &row, err);

    if (st != CA_OK) return st;
    put_hex(out, "arguments", ca_bytes_of(row.arguments, sizeof(row.arguments)));
    put_signed(out, "created_ms", row.created_ms);
    put_hex(out, "result", row.result);
    return CA_OK;
}

static enum ca_status show_cert(struct ca_bytes key, struct ca_bytes value, struct ca_buf *out,
                                struct ca_error *err)
{
    uint8_t serial[SCHEMA_SERIAL_LEN], profile[8];
    struct schema_cert row;
    uint32_t ca;
    enum ca_status st = schema_read_key_cert(key, serial, &ca, err);

    if (st == CA_OK) st = schema_decode_cert(value, &row, err);
    if (st != CA_OK) return st;
    put_hex(out, "serial", ca_bytes_of(serial, sizeof(serial)));
    put_number(out, "ca", ca);
    put_number(out, "ca_generation", row.ca_generation);
    put_number(out, "scope", row.scope);
    ca_put_u64(profile, row.profile);
    put_hex(out, "profile", ca_bytes_of(profile, sizeof(profile)));
    put_signed(out, "not_before_s", row.not_before_s);
    put_signed(out, "not_after_s", row.not_after_s);
    put_number(out, "job", row.job);
    put_number(out, "ordinal", row.ordinal);
    put_hex(out, "der", row.der);
    return CA_OK;
}

/* All of it is in the key. */
static enum ca_status show_expiry(struct ca_bytes key, struct ca_buf *out, struct ca_error *err)
{
    uint8_t serial[SCHEMA_SERIAL_LEN];
    int64_t not_after_s;
    uint32_t ca;
    enum ca_status st = schema_read_key_expiry(key, &not_after_s, &ca, serial, err);

    if (st != CA_OK) return st;
    put_signed(out, "not_after_s", not_after_s);
    put_number(out, "ca", ca);
    put_hex(out, "serial", ca_bytes_of(serial, sizeof(serial)));
    return CA_OK;
}

static enum ca_status show_job(struct ca_bytes value, struct ca_buf *out, struct ca_error *err)
{
    struct schema_job row;
    enum ca_status st = schema_decode_job(value, &row, err);

    if (st != CA_OK) return st;
    put_hex(out, "uuid", ca_bytes_of(row.uuid, sizeof(row.uuid)));
    put_text(out, "name", row.name);
    put_number(out, "state", row.state);
    put_bool(out, "finishing", row.finishing);
    put_number(out, "ca", row.ca);
    put_hex(out, "profile", ca_bytes_of(row.profile, sizeof(row.profile)));
    put_text(out, "spec", row.spec);
    put_text(out, "out_dir", row.out_dir);
    put_signed(out, "created_ms", row.created_ms);
    put_signed(out, "updated_ms", row.updated_ms);
    put_number(out, "done", row.done);
    put_number(out, "issued", row.issued);
    put_number(out, "rejected", row.rejected);
    put_number(out, "signed", row.signed_count);
    put_number(out, "discarded", row.discarded);
    put_number(out, "elapsed_ms", row.elapsed_ms);
    put_number(out, "out_done", row.out_done);
    put_number(out, "certs_length", row.out_lengths[0]);
    put_number(out, "results_length", row.out_lengths[1]);
    put_number(out, "rejected_length", row.out_lengths[2]);
    put_number(out, "notices", row.notices);
    put_number(out, "ignored", row.ignored);
    put_number(out, "duplicate_keys", row.duplicate_keys);
    put_number(out, "known_keys", row.known_keys);
    put_text(out, "summary", row.summary);
    return CA_OK;
}

static enum ca_status show_ordinal_key(struct ca_bytes key, struct ca_buf *out,
                                       struct ca_error *err)
{
    uint32_t job;
    uint64_t ordinal;
    enum ca_status st = schema_read_key_ordinal(key, &job, &ordinal, err);

    if (st != CA_OK) return st;
    put_number(out, "job", job);
    put_number(out, "ordinal", ordinal);
    return CA_OK;
}

static enum ca_status show_input(struct ca_bytes key, struct ca_bytes value, struct ca_buf *out,
                                 struct ca_error *err)
{
    struct schema_input row;
    enum ca_status st = schema_decode_input(value, &row, err);

    if (st == CA_OK) st = show_ordinal_key(key, out, err);
    if (st != CA_OK) return st;
    put_number(out, "input", row.input);
    put_number(out, "offset", row.offset);
    put_hex(out, "digest", ca_bytes_of(row.digest, sizeof(row.digest)));
    return CA_OK;
}

static enum ca_status show_result(struct ca_bytes key, struct ca_bytes value, struct ca_buf *out,
                                  struct ca_error *err)
{
    struct schema_result row;
    enum ca_status st = schema_decode_result(value, &row, err);

    if (st == CA_OK) st = show_ordinal_key(key, out, err);
    if (st != CA_OK) return st;
    put_number(out, "status", row.status);
    if (row.ignored != 0) put_number(out, "ignored", row.ignored);
    if (row.warnings != 0) put_number(out, "warnings", row.warnings);
    if (!row.id_is_null) put_text(out, "id", row.id);
    if (row.status != SCHEMA_RESULT_REJECTED) {
        put_hex(out, "serial", ca_bytes_of(row.serial, sizeof(row.serial)));
        return CA_OK;
    }
    put_number(out, "reason", row.reason);
    put_text(out, "detail", row.detail);
    put_number(out, "input", row.input);
    put_number(out, "offset", row.offset);
    put_number(out, "record_kind", row.record_kind);
    put_hex(out, "record", row.record);
    return CA_OK;
}

static enum ca_status show_id(struct ca_bytes key, struct ca_bytes value, struct ca_buf *out,
                              struct ca_error *err)
{
    uint64_t ordinal;
    enum ca_status st = schema_decode_ordinal(value, &ordinal, err);

    if (st != CA_OK) return st;
    if (key.len < 4) return ca_fail_named(err, CA_CORRUPT, "bad-row", "a key of id is too short");
    put_number(out, "job", ca_get_u32(key.data));
    put_text(out, "id", ca_bytes_of(key.data + 4, key.len - 4));
    put_number(out, "ordinal", ordinal);
    return CA_OK;
}

static enum ca_status show_known(struct ca_bytes value, struct ca_buf *out, struct ca_error *err)
{
    struct schema_known row;
    enum ca_status st = schema_decode_known(value, &row, err);

    if (st != CA_OK) return st;
    put_number(out, "ca", row.ca);
    put_hex(out, "serial", ca_bytes_of(row.serial, sizeof(row.serial)));
    return CA_OK;
}

static enum ca_status show_row(enum store_table table, struct ca_bytes key, struct ca_bytes value,
                               struct ca_buf *out, struct ca_error *err)
{
    uint32_t number;
    enum ca_status st = CA_OK;

    switch (table) {
    case STORE_META: return show_meta(key, value, out, err);
    case STORE_CA:
    case STORE_JOB:
        st = schema_read_key_u32(key, &number, err);
        if (st != CA_OK) return st;
        put_number(out, "number", number);
        return table == STORE_CA ? show_ca(value, out, err) : show_job(value, out, err);
    case STORE_TOKEN: return show_token(value, out, err);
    case STORE_CERT: return show_cert(key, value, out, err);
    case STORE_EXPIRY: return show_expiry(key, out, err);
    case STORE_INPUT: return show_input(key, value, out, err);
    case STORE_ID: return show_id(key, value, out, err);
    case STORE_RESULT: return show_result(key, value, out, err);
    case STORE_KNOWN: return show_known(value, out, err);
    case STORE_PROFILE:         /* a frozen template; the engine reads it */
    case STORE_CERT_FOREIGN:    /* hexadecimal only */
    case STORE_REVOKED:
    case STORE_CHANGE:
    case STORE_CRL:
    case STORE_SUCCESSOR:
    case STORE_AUDIT:
    case STORE_TABLE_COUNT: break;
    }
    return CA_OK;
}

/* ---- the dump ---- */

struct dump {
    struct ca_buf line, row;
    bool wrong;     /* some row was */
};

/* read is what the cursor said about the row: CA_OK or CA_CORRUPT. */
static void print_row(struct dump *d, enum store_table table, struct ca_bytes key,
                      struct ca_bytes value, enum ca_status read, struct ca_error *err)
{
    enum ca_status st = read;

    ca_buf_reset(&d->line);
    ca_buf_append_u8(&d->line, '{');
    put_text(&d->line, "table", ca_bytes_str(store_table_name(table)));
    put_hex(&d->line, "key", key);
    if (read == CA_OK) {
        put_hex(&d->line, "value", value);
        ca_buf_reset(&d->row);
        ca_buf_append_u8(&d->row, '{');
        st = show_row(table, key, value, &d->row, err);
    }
    if (st != CA_OK) {
        put_text(&d->line, "error", ca_bytes_str(ca_error_name(err)));
        d->wrong = true;
    } else if (d->row.len > 1) {
        ca_buf_append_u8(&d->row, '}');
        name_of(&d->line, "row");
        ca_buf_append_bytes(&d->line, ca_buf_view(&d->row));
    }
    ca_buf_append_str(&d->line, "}\n");
    (void)fwrite(d->line.data, 1, d->line.len, stdout);     /* ferror is asked at the end */
}

static enum ca_status dump_table(struct dump *d, struct store_txn *txn, enum store_table table,
                                 struct ca_error *err)
{
    struct store_cursor *cursor = NULL;
    struct ca_bytes key, value;
    bool found = false;
    enum ca_status st = store_cursor_open(txn, table, &cursor, err);

    if (st != CA_OK) return st;
    st = store_cursor_seek(cursor, ca_bytes_of(NULL, 0), &found, &key, &value, err);
    while (found) {
        print_row(d, table, key, value, st, err);
        if (ca_buf_status(&d->line, "line", err) != CA_OK) break;
        if (ca_buf_status(&d->row, "row", err) != CA_OK) break;
        found = false;      /* stays so when the cursor cannot go on */
        st = store_cursor_next(cursor, &found, &key, &value, err);
    }
    store_cursor_close(cursor);
    if (d->line.failed != CA_OK) return d->line.failed;
    return d->row.failed != CA_OK ? d->row.failed : st;
}

/* With names after the directory only those tables. */
static bool is_wanted(enum store_table table, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], store_table_name(table)) == 0) return true;
    }
    return argc == 2;
}

static enum ca_status dump_store(struct dump *d, int argc, char **argv, struct ca_error *err)
{
    struct store *store = NULL;
    struct store_txn *txn = NULL;
    enum ca_status st = store_open(argv[1], STORE_READ, &store, err);

    if (st == CA_OK) st = store_begin(store, STORE_READ, &txn, err);
    for (unsigned t = 0; st == CA_OK && t < STORE_TABLE_COUNT; t++) {
        if (is_wanted((enum store_table)t, argc, argv)) {
            st = dump_table(d, txn, (enum store_table)t, err);
        }
    }
    store_abort(txn);
    store_close(store);
    return st;
}

static bool is_table(const char *name)
{
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        if (strcmp(name, store_table_name((enum store_table)t)) == 0) return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct dump d = { .wrong = false };
    struct ca_error err = { .status = CA_OK };
    enum ca_status st;

    for (int i = 2; i < argc; i++) {
        if (!is_table(argv[i])) {
            (void)fprintf(stderr, "dump_store: there is no table %s\n", argv[i]);
            return 2;
        }
    }
    if (argc < 2) {
        (void)fputs("usage: dump_store DIR [TABLE...]\n", stderr);
        return 2;
    }
    ca_buf_init(&d.line, LINE_MAX_BYTES);
    ca_buf_init(&d.row, LINE_MAX_BYTES);
    st = dump_store(&d, argc, argv, &err);
    ca_buf_clear(&d.line);
    ca_buf_clear(&d.row);
    if (st != CA_OK) {
        (void)fprintf(stderr, "dump_store: %s (%s)\n", err.text, ca_error_name(&err));
        return 1;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fputs("dump_store: cannot write\n", stderr);
        return 1;
    }
    return d.wrong ? 1 : 0;
}
