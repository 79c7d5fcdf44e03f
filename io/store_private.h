/*
 * What the files of the store share. Private to io/store*.c and their tests.
 *
 *   store.c         environment, transactions, what a failed commit means
 *   store_rows.c    rows and cursors, with their checksums
 *   store_check.c   what is looked at before LMDB may map the file
 *   store_files.c   the directory: making a store, run.lock, reserve
 */
#ifndef IO_STORE_PRIVATE_H
#define IO_STORE_PRIVATE_H

#include "io/store.h"

#include <pthread.h>
#include <sys/types.h>

struct MDB_env;
struct MDB_txn;

#define STORE_PATH_MAX 4096             /* octets of a path with its terminating zero */
#define STORE_CHECKSUM_LEN 8            /* XXH3-64, big-endian, behind every value */
#define STORE_DATA_FILE "data.mdb"
#define STORE_LOCK_FILE "lock.mdb"      /* LMDB's own: readers and the writers' mutex */
#define STORE_RUN_LOCK_FILE "run.lock"
#define STORE_RESERVE_FILE "reserve"
#define STORE_KEYS_DIR "keys"

struct store {
    char *dir;
    enum store_access access;
    struct MDB_env *env;
    unsigned dbi[STORE_TABLE_COUNT];
    uint64_t map_bytes;
    uint64_t reserve_bytes;     /* what the format row asks for */
    uint64_t commits;
    void *map;                  /* where the data file is mapped; NULL: not known */
    uint64_t released_bytes;    /* the data file's used length when its mapping was last released */
    int run_fd;                 /* holds the lock on run.lock; -1: not ours */
    pid_t pid;                  /* that opened it: LMDB must not cross a fork */
    /* Held while a write transaction lives. LMDB's lock alone would let a waiting thread in between
     * a failed commit and our noting it. */
    pthread_mutex_t write_lock;
    bool write_lock_made;
    struct ca_error poison;     /* the commit that failed; status CA_OK: none. Under write_lock. */
};

struct store_txn {
    struct store *store;
    struct MDB_txn *mdb;
    enum store_access access;
    unsigned cursors;           /* open; all must be closed before the transaction ends */
    struct ca_error failed;     /* the first failed put or delete: commit then refuses */
};

/* store.c */
/* Translates LMDB's number (or an errno, which LMDB passes through) after "what: ". */
enum ca_status store_fail_lmdb(struct ca_error *err, int rc, const char *what);
/* Makes environment, tables and format row in an existing directory, runs fill, commits, closes. */
CA_MUST_CHECK enum ca_status store_env_create(const char *dir, uint64_t reserve_bytes,
                                              enum ca_status (*fill)(void *ctx,
                                                                     struct store_txn *txn,
                                                                     struct ca_error *err),
                                              void *ctx, struct ca_error *err);

/* store_check.c */
/* The directory: there, not writable by others, on a local file system, holding an LMDB file that
 * can be mapped, not open in this process already. Statuses as store_open. */
CA_MUST_CHECK enum ca_status store_check_dir(const char *dir, struct ca_error *err);
CA_MUST_CHECK enum ca_status store_check_filesystem(const char *dir, struct ca_error *err);
/* Name of a file system that is not to be trusted with shared memory maps and locks; NULL for
 * others. type is statfs's f_type. */
const char *store_remote_name(uint64_t type);

/* store_map.c */
/* Finds out where the data file is mapped. */
void store_map_find(struct store *store);
/* After a commit: gives back what the kernel mapped of the data file while it grew. LMDB appends by
 * pwrite, but every look at the tree's edge maps the pages around it too, and a run of a million
 * certificates would seem to need the memory of its whole store. The pages stay in the page cache;
 * whoever needs one again takes a minor fault. */
void store_map_release(struct store *store);

/* store_files.c */
/* "DIR/NAME" into out; false when it does not fit. */
bool store_path(char out[STORE_PATH_MAX], const char *dir, const char *name);
CA_MUST_CHECK enum ca_status store_free_bytes(const char *dir, uint64_t *bytes,
                                              struct ca_error *err);

#endif
