#include "batch/walk.h"

#include <assert.h>
#include <string.h>

struct place {
    struct schema_key next;     /* the walk goes on at the first key from here */
    bool ended;
};

/* The least key behind this one has a zero octet more. */
static void go_behind(struct place *place, struct ca_bytes key)
{
    assert(key.len < SCHEMA_KEY_MAX);
    memcpy(place->next.octets, key.data, key.len);
    place->next.octets[key.len] = 0;
    place->next.len = key.len + 1;
}

/* One row as a cursor gave it, whatever its status. */
static enum ca_status take_row(const struct batch_walk *walk, struct store_txn *txn,
                               enum ca_status got, struct ca_bytes key, struct ca_bytes value,
                               bool *stop, const struct ca_error *why, struct ca_error *err)
{
    if (got == CA_OK) return walk->row(walk->ctx, txn, key, value, stop, err);
    if (walk->damaged != NULL && why->name != NULL && strcmp(why->name, "checksum") == 0) {
        return walk->damaged(walk->ctx, txn, key, why, err);
    }
    if (err != NULL) *err = *why;
    return got;
}

static enum ca_status walk_rows(const struct batch_walk *walk, struct store_txn *txn,
                                struct store_cursor *cursor, struct place *place,
                                struct ca_error *err)
{
    struct ca_error why;
    struct ca_bytes key = { 0 }, value = { 0 };
    bool found = false;
    enum ca_status st, got;

    got = store_cursor_seek(cursor, ca_bytes_of(place->next.octets, place->next.len), &found, &key,
                            &value, &why);
    for (unsigned rows = 1; got != CA_OK || found; rows++) {
        st = take_row(walk, txn, got, key, value, &place->ended, &why, err);
        if (st != CA_OK || place->ended) return st;
        if (rows == BATCH_WALK_ROWS_PER_TXN) {
            go_behind(place, key);
            return CA_OK;
        }
        got = store_cursor_next(cursor, &found, &key, &value, &why);
    }
    place->ended = true;
    return CA_OK;
}

enum ca_status batch_walk_run(const struct batch_walk *walk, struct ca_error *err)
{
    struct place place = { .ended = false };
    enum ca_status st = CA_OK;

    assert(walk->from.len <= SCHEMA_KEY_MAX);
    if (walk->from.len > 0) memcpy(place.next.octets, walk->from.data, walk->from.len);
    place.next.len = walk->from.len;
    while (st == CA_OK && !place.ended) {
        struct store_txn *txn = NULL;
        struct store_cursor *cursor = NULL;

        st = store_begin(walk->store, STORE_READ, &txn, err);
        if (st != CA_OK) return st;
        st = store_cursor_open(txn, walk->table, &cursor, err);
        if (st == CA_OK) st = walk_rows(walk, txn, cursor, &place, err);
        store_cursor_close(cursor);
        store_abort(txn);
    }
    return st;
}
