/*
 * A walk over a table, cut into read transactions of some thousand rows: a read transaction pins
 * every page that writers free meanwhile, and a long one beside a run would make the file grow
 * without end. Between two slices rows may come and go; each slice alone is one state of the store.
 *
 * Thread: any; everything is the caller's.
 */
#ifndef BATCH_WALK_H
#define BATCH_WALK_H

#include "io/schema.h"

#define BATCH_WALK_ROWS_PER_TXN 4096

struct batch_walk {
    struct store *store;
    enum store_table table;
    struct ca_bytes from;       /* begins at the first key >= from; .len 0: at the table's first */
    /* Called for every row; key and value are good until it returns. *stop set ends the walk. What
     * it returns other than CA_OK ends the walk and is returned. */
    enum ca_status (*row)(void *ctx, struct store_txn *txn, struct ca_bytes key,
                          struct ca_bytes value, bool *stop, struct ca_error *err);
    /* Called for a row whose checksum is wrong. NULL: such a row ends the walk with CA_CORRUPT. */
    enum ca_status (*damaged)(void *ctx, struct store_txn *txn, struct ca_bytes key,
                              const struct ca_error *why, struct ca_error *err);
    void *ctx;
};

CA_MUST_CHECK enum ca_status batch_walk_run(const struct batch_walk *walk, struct ca_error *err);

#endif
