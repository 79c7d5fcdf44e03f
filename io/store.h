/*
 * The store: one directory with an LMDB environment (default flags, the only ones that survive
 * power loss), keys/, run.lock and reserve. store.c and store_rows.c are the only files that
 * include lmdb.h.
 *
 * Keys and values here are octets; io/schema gives them meaning. Every value is stored with an
 * XXH3-64 over table, key and value behind it, checked on every read: LMDB 0.9 has no checksums,
 * and a flipped bit is otherwise silent.
 *
 * Threads: a store may be shared; a transaction belongs to the thread that began it (which may have
 * others beside it, one of them writing). One write transaction at a time (LMDB's own lock, also
 * between processes). Never across fork; a directory is open once in a process. Values read are
 * views into the map, valid until their transaction ends or is written to.
 *
 * A failed commit is final: the store refuses further write transactions (LMDB would go on after a
 * failed fsync as if nothing had happened).
 */
#ifndef IO_STORE_H
#define IO_STORE_H

#include "engine/bytes.h"

#include <stdint.h>

#define STORE_SCHEMA_VERSION 2
#define STORE_RESERVE_BYTES_DEFAULT (UINT64_C(16) << 20)

/*
 * The store's own row in meta, beside those of io/schema: u32 schema version, u32 LMDB version
 * (major << 16 | minor << 8 | patch), u64 octets of reserve. The first four octets keep their
 * meaning in every version to come, so that any program can say why it refuses.
 */
#define STORE_FORMAT_KEY "format"
#define STORE_FORMAT_LEN 16

/* The order is the order on disk of nothing: tables go by name. */
enum store_table {
    STORE_META, STORE_CA, STORE_TOKEN, STORE_CERT, STORE_CERT_FOREIGN, STORE_EXPIRY, STORE_JOB,
    STORE_INPUT, STORE_ID, STORE_RESULT, STORE_PROFILE, STORE_REVOKED, STORE_CHANGE, STORE_CRL,
    STORE_SUCCESSOR, STORE_AUDIT, STORE_KNOWN, STORE_TABLE_COUNT
};

const char *store_table_name(enum store_table table);   /* "cert_foreign" */

enum store_access { STORE_READ, STORE_WRITE };

struct store;
struct store_txn;
struct store_cursor;

/*
 * Makes a store: everything in DIR.tmp, fsync, rename to DIR, fsync of the directory above. fill is
 * called inside the first write transaction to put the first rows. CA_REFUSED "store-exists": DIR
 * is there already (a left-over DIR.tmp of an init that was cut short is removed first; one with
 * foreign files is in the way too). "run-active": another init builds there now. Directory 0700,
 * files 0600.
 */
CA_MUST_CHECK enum ca_status store_create(const char *dir, uint64_t reserve_bytes,
                                          enum ca_status (*fill)(void *ctx, struct store_txn *txn,
                                                                 struct ca_error *err),
                                          void *ctx, struct ca_error *err);

/*
 * CA_REFUSED "no-store" (hint: certmill init; also a directory with nothing of a store in it),
 * "store-version" (another schema or byte order), "store-open" (open in this process already),
 * "remote-filesystem" (NFS, CIFS, FUSE and the like, by statfs), "store-mode" (directory writable
 * by others); CA_CORRUPT "store-damaged" (no LMDB file, or shorter than its meta page says: reading
 * it would be SIGBUS). Clears dead readers. map 1 TiB set once, halved down to 16 GiB where that
 * fails.
 */
CA_MUST_CHECK enum ca_status store_open(const char *dir, enum store_access access,
                                        struct store **out, struct ca_error *err);
void store_close(struct store *store);
const char *store_dir(const struct store *store);

/* Waits for the writer before us. CA_AGAIN "readers-full": 126 readers at once; CA_FULL "map-full";
 * for writing also the failure of an earlier commit, again and again. STORE_WRITE needs a store
 * opened so. */
CA_MUST_CHECK enum ca_status store_begin(struct store *store, enum store_access access,
                                         struct store_txn **out, struct ca_error *err);
/* Ends txn whatever happens. After CA_OK everything in it is durable. CA_FULL: no space (told from
 * EIO by statvfs), CA_IO: anything else; hint says what is durable. */
CA_MUST_CHECK enum ca_status store_commit(struct store_txn *txn, struct ca_error *err);
void store_abort(struct store_txn *txn);        /* NULL is accepted */

/* *found false and CA_OK when there is no such key. CA_CORRUPT "checksum" names table and key. */
CA_MUST_CHECK enum ca_status store_get(struct store_txn *txn, enum store_table table,
                                       struct ca_bytes key, bool *found, struct ca_bytes *value,
                                       struct ca_error *err);

enum store_put_mode {
    STORE_UPSERT,
    STORE_INSERT,   /* CA_DUPLICATE when the key is there */
    STORE_APPEND,   /* the key is expected past all others: cheap; falls back to INSERT */
};
/* value must not be a view into the store. Keys have 1 to 511 octets. A failure other than
 * CA_DUPLICATE voids the transaction: every later put, delete and the commit answer with it. */
CA_MUST_CHECK enum ca_status store_put(struct store_txn *txn, enum store_table table,
                                       struct ca_bytes key, struct ca_bytes value,
                                       enum store_put_mode mode, struct ca_error *err);
/* CA_OK also when there was nothing to delete. */
CA_MUST_CHECK enum ca_status store_delete(struct store_txn *txn, enum store_table table,
                                          struct ca_bytes key, struct ca_error *err);

/* Rows in a table. */
CA_MUST_CHECK enum ca_status store_count(struct store_txn *txn, enum store_table table,
                                         uint64_t *count, struct ca_error *err);

/* A cursor over one table. Ends with its transaction at the latest (close it before). */
CA_MUST_CHECK enum ca_status store_cursor_open(struct store_txn *txn, enum store_table table,
                                               struct store_cursor **out, struct ca_error *err);
void store_cursor_close(struct store_cursor *cursor);
/* The first row whose key is >= key (key.len 0: the first of all). *found false at the end. A row
 * with a wrong checksum is CA_CORRUPT; key is still written and the cursor can go on. */
CA_MUST_CHECK enum ca_status store_cursor_seek(struct store_cursor *cursor, struct ca_bytes key,
                                               bool *found, struct ca_bytes *key_out,
                                               struct ca_bytes *value, struct ca_error *err);
CA_MUST_CHECK enum ca_status store_cursor_next(struct store_cursor *cursor, bool *found,
                                               struct ca_bytes *key_out, struct ca_bytes *value,
                                               struct ca_error *err);
/* The last row of the table. */
CA_MUST_CHECK enum ca_status store_cursor_last(struct store_cursor *cursor, bool *found,
                                               struct ca_bytes *key_out, struct ca_bytes *value,
                                               struct ca_error *err);

/* run.lock: one batch run per store. CA_REFUSED "run-active" at once when another holds it (the
 * text says its pid). Held until unlock or close; a killed holder's lock is gone with it. */
CA_MUST_CHECK enum ca_status store_lock_run(struct store *store, struct ca_error *err);
void store_unlock_run(struct store *store);
/* Whether anybody, this process included, holds run.lock. Takes nothing, so it cannot get in the
 * way of a run that starts meanwhile; the answer may be out of date as soon as it is given. */
CA_MUST_CHECK enum ca_status store_run_active(const struct store *store, bool *active,
                                              struct ca_error *err);

/* CA_REFUSED "no-reserve" when the reserve file is missing or smaller than it should be (hint says
 * how to make it again: store_reserve_restore, done by `certmill init --reserve` ). */
CA_MUST_CHECK enum ca_status store_reserve_check(const struct store *store, struct ca_error *err);
/* Gives the reserve up, so that a short command can still commit on a full disk. */
CA_MUST_CHECK enum ca_status store_reserve_release(struct store *store, struct ca_error *err);
CA_MUST_CHECK enum ca_status store_reserve_restore(struct store *store, struct ca_error *err);

struct store_stat {
    uint64_t map_bytes;         /* size of the address range */
    uint64_t data_bytes;        /* length of data.mdb */
    uint64_t used_bytes;        /* pages in use x page size */
    uint64_t reserve_bytes;     /* of the reserve file, 0 when given up */
    uint64_t rows[STORE_TABLE_COUNT];
    uint32_t page_bytes;
    uint32_t readers;
};
CA_MUST_CHECK enum ca_status store_stat(struct store *store, struct store_stat *out,
                                        struct ca_error *err);

/* Commits since open. Thread: the one that commits, or any after it was joined. */
uint64_t store_commit_count(const struct store *store);

const char *store_lmdb_version(void);

#endif
