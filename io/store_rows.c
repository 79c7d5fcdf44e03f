#include "io/store_private.h"

#include "io/digest.h"
#include "io/fault.h"

#include <assert.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 511             /* octets; LMDB's limit as it is usually built */
#define KEY_SHOWN_MAX 32        /* octets of a key in a sentence */

struct store_cursor {
    struct store_txn *txn;
    enum store_table table;
    MDB_cursor *mdb;
};

/* What a checksum begins with, so that a row in the wrong table is found. Never renumber. */
static const uint8_t table_domains[STORE_TABLE_COUNT] = {
    [STORE_META] = 1, [STORE_CA] = 2, [STORE_TOKEN] = 3, [STORE_CERT] = 4,
    [STORE_CERT_FOREIGN] = 5, [STORE_EXPIRY] = 6, [STORE_JOB] = 7, [STORE_INPUT] = 8,
    [STORE_ID] = 9, [STORE_RESULT] = 10, [STORE_PROFILE] = 11, [STORE_REVOKED] = 12,
    [STORE_CHANGE] = 13, [STORE_CRL] = 14, [STORE_SUCCESSOR] = 15, [STORE_AUDIT] = 16,
    [STORE_KNOWN] = 17,
};

static MDB_val val_of(struct ca_bytes bytes)
{
    /* LMDB's type has no const; it does not write through keys. */
    return (MDB_val){ .mv_size = bytes.len, .mv_data = (void *)(uintptr_t)bytes.data };
}

static struct ca_bytes bytes_of(const MDB_val *val)
{
    return ca_bytes_of(val->mv_data, val->mv_size);
}

static uint64_t checksum(enum store_table table, struct ca_bytes key, struct ca_bytes value)
{
    return digest_row(table_domains[table], key, value);
}

/* Says which row it was: "cert 0123ab...: what". */
static void describe(char *out, size_t cap, enum store_table table, struct ca_bytes key)
{
    char hex[2 * KEY_SHOWN_MAX + 1];
    size_t shown = key.len < KEY_SHOWN_MAX ? key.len : KEY_SHOWN_MAX;

    ca_hex_encode(ca_bytes_of(key.data, shown), hex);
    (void)snprintf(out, cap, "table %s, key %s%s", store_table_name(table), hex,
                   shown < key.len ? "..." : "");
}

static enum ca_status fail_row(struct ca_error *err, int rc, const char *doing,
                               enum store_table table, struct ca_bytes key)
{
    char row[128], what[160];

    describe(row, sizeof(row), table, key);
    (void)snprintf(what, sizeof(what), "cannot %s %s", doing, row);
    return store_fail_lmdb(err, rc, what);
}

/* Cuts the checksum off a stored value, once it was found right. */
static enum ca_status open_value(enum store_table table, struct ca_bytes key, const MDB_val *stored,
                                 struct ca_bytes *value, struct ca_error *err)
{
    const uint8_t *octets = stored->mv_data;
    struct ca_bytes inside;
    char row[128];

    if (stored->mv_size >= STORE_CHECKSUM_LEN) {
        inside = ca_bytes_of(octets, stored->mv_size - STORE_CHECKSUM_LEN);
        if (ca_get_u64(octets + inside.len) == checksum(table, key, inside)) {
            *value = inside;
            return CA_OK;
        }
    }
    describe(row, sizeof(row), table, key);
    (void)ca_fail_named(err, CA_CORRUPT, "checksum", "%s: the stored checksum is wrong", row);
    ca_hint(err, "The disk or the memory changed it; run certmill verify and restore a backup.");
    return CA_CORRUPT;
}

static void check_key(struct ca_bytes key)
{
    assert(key.len >= 1 && key.len <= KEY_MAX);     /* io/schema makes them, within bounds */
    (void)key;
}

enum ca_status store_get(struct store_txn *txn, enum store_table table, struct ca_bytes key,
                         bool *found, struct ca_bytes *value, struct ca_error *err)
{
    MDB_val k = val_of(key), stored;
    enum ca_status st;
    int rc;

    check_key(key);
    rc = mdb_get(txn->mdb, txn->store->dbi[table], &k, &stored);
    if (rc == MDB_NOTFOUND) {
        *found = false;
        return CA_OK;
    }
    if (rc != 0) return fail_row(err, rc, "read", table, key);
    st = open_value(table, key, &stored, value, err);
    if (st == CA_OK) *found = true;
    return st;
}

/* ---- writing ---- */

/* After a failed put or delete LMDB's transaction is void; ours says with what it failed. */
static enum ca_status refuse_failed(const struct store_txn *txn, struct ca_error *err)
{
    if (txn->failed.status != CA_OK && err != NULL) *err = txn->failed;
    return txn->failed.status;
}

static enum ca_status write_failed(struct store_txn *txn, int rc, const char *doing,
                                   enum store_table table, struct ca_bytes key,
                                   struct ca_error *err)
{
    (void)fail_row(&txn->failed, rc, doing, table, key);
    if (txn->failed.status == CA_FULL) {
        ca_hint(&txn->failed, "What was committed before is durable; nothing of this was written.");
    }
    return refuse_failed(txn, err);
}

/* MDB_RESERVE: LMDB makes the room and value and checksum are written straight into the page. */
static int put_room(struct store_txn *txn, enum store_table table, MDB_val *key, size_t len,
                    enum store_put_mode mode, uint8_t **room)
{
    MDB_dbi dbi = txn->store->dbi[table];
    MDB_val data = { .mv_size = len, .mv_data = NULL };
    unsigned flags = mode == STORE_UPSERT ? 0U : MDB_NOOVERWRITE;
    int rc = fault_hit(FAULT_STORE_PUT);

    if (rc > 0) return rc;
    if (mode == STORE_APPEND) {
        rc = mdb_put(txn->mdb, dbi, key, &data, MDB_APPEND | MDB_RESERVE);
        if (rc == MDB_KEYEXIST) {       /* not past the last key; it may still be a new one */
            data = (MDB_val){ .mv_size = len, .mv_data = NULL };
            rc = mdb_put(txn->mdb, dbi, key, &data, MDB_NOOVERWRITE | MDB_RESERVE);
        }
    } else {
        rc = mdb_put(txn->mdb, dbi, key, &data, flags | MDB_RESERVE);
    }
    *room = data.mv_data;
    return rc;
}

enum ca_status store_put(struct store_txn *txn, enum store_table table, struct ca_bytes key,
                         struct ca_bytes value, enum store_put_mode mode, struct ca_error *err)
{
    MDB_val k = val_of(key);
    uint8_t *room = NULL;
    char row[128];
    int rc;

    assert(txn->access == STORE_WRITE);
    check_key(key);
    if (txn->failed.status != CA_OK) return refuse_failed(txn, err);
    rc = put_room(txn, table, &k, value.len + STORE_CHECKSUM_LEN, mode, &room);
    if (rc == MDB_KEYEXIST) {
        describe(row, sizeof(row), table, key);
        return ca_fail(err, CA_DUPLICATE, "%s: there is such a row already", row);
    }
    if (rc != 0) return write_failed(txn, rc, "write", table, key, err);
    if (value.len > 0) memcpy(room, value.data, value.len);
    ca_put_u64(room + value.len, checksum(table, key, value));
    return CA_OK;
}

enum ca_status store_delete(struct store_txn *txn, enum store_table table, struct ca_bytes key,
                            struct ca_error *err)
{
    MDB_val k = val_of(key);
    int rc;

    assert(txn->access == STORE_WRITE);
    check_key(key);
    if (txn->failed.status != CA_OK) return refuse_failed(txn, err);
    rc = fault_hit(FAULT_STORE_PUT);
    if (rc <= 0) rc = mdb_del(txn->mdb, txn->store->dbi[table], &k, NULL);
    if (rc == 0 || rc == MDB_NOTFOUND) return CA_OK;
    return write_failed(txn, rc, "delete", table, key, err);
}

enum ca_status store_count(struct store_txn *txn, enum store_table table, uint64_t *count,
                           struct ca_error *err)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->mdb, txn->store->dbi[table], &stat);

    if (rc != 0) return store_fail_lmdb(err, rc, "cannot count the rows of a table");
    *count = stat.ms_entries;
    return CA_OK;
}

/* ---- cursors ---- */

enum ca_status store_cursor_open(struct store_txn *txn, enum store_table table,
                                 struct store_cursor **out, struct ca_error *err)
{
    struct store_cursor *cursor = calloc(1, sizeof(*cursor));
    int rc;

    if (cursor == NULL) return ca_fail(err, CA_NOMEM, "no memory for a cursor");
    cursor->txn = txn;
    cursor->table = table;
    rc = mdb_cursor_open(txn->mdb, txn->store->dbi[table], &cursor->mdb);
    if (rc != 0) {
        free(cursor);
        return store_fail_lmdb(err, rc, "cannot open a cursor");
    }
    txn->cursors++;
    *out = cursor;
    return CA_OK;
}

void store_cursor_close(struct store_cursor *cursor)
{
    if (cursor == NULL) return;
    mdb_cursor_close(cursor->mdb);
    cursor->txn->cursors--;
    free(cursor);
}

static enum ca_status cursor_get(struct store_cursor *cursor, MDB_cursor_op op, MDB_val key,
                                 bool *found, struct ca_bytes *key_out, struct ca_bytes *value,
                                 struct ca_error *err)
{
    MDB_val stored;
    char what[64];
    int rc = mdb_cursor_get(cursor->mdb, &key, &stored, op);

    if (rc == MDB_NOTFOUND) {
        *found = false;
        return CA_OK;
    }
    if (rc != 0) {
        (void)snprintf(what, sizeof(what), "cannot read table %s", store_table_name(cursor->table));
        return store_fail_lmdb(err, rc, what);
    }
    *found = true;
    *key_out = bytes_of(&key);
    return open_value(cursor->table, *key_out, &stored, value, err);
}

enum ca_status store_cursor_seek(struct store_cursor *cursor, struct ca_bytes key, bool *found,
                                 struct ca_bytes *key_out, struct ca_bytes *value,
                                 struct ca_error *err)
{
    assert(key.len <= KEY_MAX);
    return cursor_get(cursor, key.len == 0 ? MDB_FIRST : MDB_SET_RANGE, val_of(key), found, key_out,
                      value, err);
}

enum ca_status store_cursor_next(struct store_cursor *cursor, bool *found, struct ca_bytes *key_out,
                                 struct ca_bytes *value, struct ca_error *err)
{
    return cursor_get(cursor, MDB_NEXT, (MDB_val){ 0, NULL }, found, key_out, value, err);
}

enum ca_status store_cursor_last(struct store_cursor *cursor, bool *found, struct ca_bytes *key_out,
                                 struct ca_bytes *value, struct ca_error *err)
{
    return cursor_get(cursor, MDB_LAST, (MDB_val){ 0, NULL }, found, key_out, value, err);
}
