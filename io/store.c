#include "io/store_private.h"

#include "io/fault.h"

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_BYTES_MAX (UINT64_C(1) << 40)
#define MAP_BYTES_MIN (UINT64_C(16) << 30)
#define FULL_BELOW_BYTES (UINT64_C(1) << 20)    /* free space below which EIO means "full" */

#define LMDB_FORMAT_MASK UINT32_C(0xffffff00)   /* the file format changes with the minor version */

static const char *const table_names[STORE_TABLE_COUNT] = {
    [STORE_META] = "meta", [STORE_CA] = "ca", [STORE_TOKEN] = "token", [STORE_CERT] = "cert",
    [STORE_CERT_FOREIGN] = "cert_foreign", [STORE_EXPIRY] = "expiry", [STORE_JOB] = "job",
    [STORE_INPUT] = "input", [STORE_ID] = "id", [STORE_RESULT] = "result",
    [STORE_PROFILE] = "profile", [STORE_REVOKED] = "revoked", [STORE_CHANGE] = "change",
    [STORE_CRL] = "crl", [STORE_SUCCESSOR] = "successor", [STORE_AUDIT] = "audit",
    [STORE_KNOWN] = "known",
};

const char *store_table_name(enum store_table table)
{
    assert((unsigned)table < STORE_TABLE_COUNT);
    return table_names[table];
}

const char *store_lmdb_version(void)
{
    return mdb_version(NULL, NULL, NULL);
}

static uint32_t lmdb_version_number(void)
{
    int major, minor, patch;

    (void)mdb_version(&major, &minor, &patch);
    return ((uint32_t)major << 16) | ((uint32_t)minor << 8) | (uint32_t)patch;
}

static enum ca_status status_of_lmdb(int rc, const char **name)
{
    *name = NULL;
    switch (rc) {
    case MDB_MAP_FULL:
    case MDB_MAP_RESIZED: *name = "map-full"; return CA_FULL;
    case MDB_TXN_FULL: *name = "transaction-full"; return CA_FULL;
    case MDB_READERS_FULL: *name = "readers-full"; return CA_AGAIN;
    case MDB_VERSION_MISMATCH: *name = "store-version"; return CA_REFUSED;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_NOTFOUND:
    case MDB_INVALID: *name = "store-damaged"; return CA_CORRUPT;
    default: return CA_IO;
    }
}

enum ca_status store_fail_lmdb(struct ca_error *err, int rc, const char *what)
{
    const char *name;
    enum ca_status st;

    if (rc > 0) {
        st = ca_fail_errno(err, rc, "%s", what);
        if (rc != EFBIG) return st;
        /* A file may not grow further: for the user the same as a full disk. */
        if (err != NULL) err->status = CA_FULL;
        return CA_FULL;
    }
    st = status_of_lmdb(rc, &name);
    (void)ca_fail_named(err, st, name, "%s: %s", what, mdb_strerror(rc));
    if (err != NULL) {
        err->source = "lmdb";
        err->code = rc;
    }
    return st;
}

/* ---- the environment ---- */

static enum ca_status store_new(const char *dir, enum store_access access, struct store **out,
                                struct ca_error *err)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL) return ca_fail(err, CA_NOMEM, "no memory for a store");
    store->run_fd = -1;
    store->access = access;
    store->pid = getpid();
    store->dir = strdup(dir);
    if (store->dir == NULL || pthread_mutex_init(&store->write_lock, NULL) != 0) {
        store_close(store);
        return ca_fail(err, CA_NOMEM, "no memory for a store");
    }
    store->write_lock_made = true;
    *out = store;
    return CA_OK;
}

static int env_open_with_map(struct store *store, uint64_t map_bytes)
{
    /*
     * Default flags but these, which do not touch durability. MDB_NOTLS gives a reader's slot to
     * its transaction object instead of its thread: a thread may have several, also while it
     * writes, and one that ends leaves no slot behind.
     */
    unsigned flags = MDB_NOTLS | (store->access == STORE_READ ? MDB_RDONLY : 0U);
    MDB_env *env = NULL;
    int rc = mdb_env_create(&env);

    if (rc != 0) return rc;
    rc = mdb_env_set_mapsize(env, map_bytes);
    if (rc == 0) rc = mdb_env_set_maxdbs(env, STORE_TABLE_COUNT);
    if (rc == 0) rc = mdb_env_open(env, store->dir, flags, 0600);
    if (rc != 0) {
        mdb_env_close(env);
        return rc;
    }
    store->env = env;
    store->map_bytes = map_bytes;
    return 0;
}

static enum ca_status env_open(struct store *store, struct ca_error *err)
{
    uint64_t map_bytes = MAP_BYTES_MAX;
    int dead = 0;
    int rc = env_open_with_map(store, map_bytes);

    while (rc == ENOMEM && map_bytes > MAP_BYTES_MIN) {     /* a limit on address space */
        map_bytes /= 2;
        rc = env_open_with_map(store, map_bytes);
    }
    if (rc != 0) return store_fail_lmdb(err, rc, "cannot open the store's data file");
    /* A reader killed in its transaction pins every page freed since, until somebody looks. */
    rc = mdb_reader_check(store->env, &dead);
    if (rc != 0) return store_fail_lmdb(err, rc, "cannot check the store's readers");
    store_map_find(store);
    return CA_OK;
}

void store_close(struct store *store)
{
    if (store == NULL) return;
    store_unlock_run(store);
    if (store->env != NULL) mdb_env_close(store->env);
    if (store->write_lock_made) (void)pthread_mutex_destroy(&store->write_lock);
    free(store->dir);
    free(store);
}

const char *store_dir(const struct store *store)
{
    return store->dir;
}

uint64_t store_commit_count(const struct store *store)
{
    return store->commits;
}

static enum ca_status open_table(struct store_txn *txn, enum store_table table, unsigned flags,
                                 struct ca_error *err)
{
    int rc = mdb_dbi_open(txn->mdb, table_names[table], flags, &txn->store->dbi[table]);
    char what[64];

    if (rc == 0) return CA_OK;
    (void)snprintf(what, sizeof(what), "cannot open table %s", table_names[table]);
    return store_fail_lmdb(err, rc, what);
}

static enum ca_status check_format(struct store_txn *txn, struct ca_error *err)
{
    struct ca_bytes value;
    bool found;
    uint32_t lmdb = lmdb_version_number(), made_by;
    enum ca_status st = store_get(txn, STORE_META, ca_bytes_str(STORE_FORMAT_KEY), &found, &value,
                                  err);

    if (st != CA_OK) return st;
    if (!found || value.len < 4) {
        return ca_fail_named(err, CA_CORRUPT, "store-damaged", "the store has no format row");
    }
    if (ca_get_u32(value.data) != STORE_SCHEMA_VERSION) {
        return ca_fail_named(err, CA_REFUSED, "store-version",
                             "the store has schema version %u, this program knows version %d",
                             (unsigned)ca_get_u32(value.data), STORE_SCHEMA_VERSION);
    }
    if (value.len != STORE_FORMAT_LEN) {
        return ca_fail_named(err, CA_CORRUPT, "store-damaged",
                             "the store's format row has %zu octets instead of %d", value.len,
                             STORE_FORMAT_LEN);
    }
    made_by = ca_get_u32(value.data + 4);
    if ((made_by & LMDB_FORMAT_MASK) != (lmdb & LMDB_FORMAT_MASK)) {
        return ca_fail_named(err, CA_REFUSED, "store-version",
                             "the store was made by LMDB %u.%u, this program has %u.%u",
                             (unsigned)(made_by >> 16), (unsigned)((made_by >> 8) & 0xff),
                             (unsigned)(lmdb >> 16), (unsigned)((lmdb >> 8) & 0xff));
    }
    txn->store->reserve_bytes = ca_get_u64(value.data + 8);
    return CA_OK;
}

/* Table handles live as long as the environment once their transaction was committed. */
static enum ca_status open_tables(struct store *store, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    enum ca_status st = store_begin(store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = open_table(txn, STORE_META, 0, err);
    if (st == CA_OK) st = check_format(txn, err);   /* another version may have other tables */
    for (unsigned t = STORE_META + 1; st == CA_OK && t < STORE_TABLE_COUNT; t++) {
        st = open_table(txn, (enum store_table)t, 0, err);
    }
    if (st == CA_OK) return store_commit(txn, err);
    store_abort(txn);
    return st;
}

enum ca_status store_open(const char *dir, enum store_access access, struct store **out,
                          struct ca_error *err)
{
    struct store *store = NULL;
    enum ca_status st = store_check_dir(dir, err);

    if (st != CA_OK) return st;
    st = store_new(dir, access, &store, err);
    if (st != CA_OK) return st;
    st = env_open(store, err);
    if (st == CA_OK) st = open_tables(store, err);
    if (st != CA_OK) {
        store_close(store);
        return st;
    }
    *out = store;
    return CA_OK;
}

static enum ca_status put_format(struct store_txn *txn, uint64_t reserve_bytes,
                                 struct ca_error *err)
{
    uint8_t value[STORE_FORMAT_LEN];

    ca_put_u32(value, STORE_SCHEMA_VERSION);
    ca_put_u32(value + 4, lmdb_version_number());
    ca_put_u64(value + 8, reserve_bytes);
    return store_put(txn, STORE_META, ca_bytes_str(STORE_FORMAT_KEY),
                     ca_bytes_of(value, sizeof(value)), STORE_INSERT, err);
}

enum ca_status store_env_create(const char *dir, uint64_t reserve_bytes,
                                enum ca_status (*fill)(void *ctx, struct store_txn *txn,
                                                       struct ca_error *err),
                                void *ctx, struct ca_error *err)
{
    struct store *store = NULL;
    struct store_txn *txn = NULL;
    enum ca_status st = store_new(dir, STORE_WRITE, &store, err);

    if (st != CA_OK) return st;
    st = env_open(store, err);
    if (st == CA_OK) st = store_begin(store, STORE_WRITE, &txn, err);
    for (unsigned t = 0; st == CA_OK && t < STORE_TABLE_COUNT; t++) {
        st = open_table(txn, (enum store_table)t, MDB_CREATE, err);
    }
    if (st == CA_OK) st = put_format(txn, reserve_bytes, err);
    if (st == CA_OK && fill != NULL) st = fill(ctx, txn, err);
    if (st == CA_OK) {
        st = store_commit(txn, err);
        txn = NULL;
    }
    store_abort(txn);
    store_close(store);
    return st;
}

/* ---- transactions ---- */

static int txn_begin(struct store *store, struct store_txn *txn)
{
    int rc;

    if (txn->access == STORE_READ) return mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn->mdb);
    rc = fault_hit(FAULT_STORE_BEGIN);
    if (rc > 0) return rc;
    return mdb_txn_begin(store->env, NULL, 0, &txn->mdb);
}

enum ca_status store_begin(struct store *store, enum store_access access, struct store_txn **out,
                           struct ca_error *err)
{
    struct store_txn *txn = calloc(1, sizeof(*txn));
    enum ca_status st = CA_OK;
    int rc;

    assert(store->pid == getpid());
    assert(access == STORE_READ || store->access == STORE_WRITE);
    if (txn == NULL) return ca_fail(err, CA_NOMEM, "no memory for a transaction");
    txn->store = store;
    txn->access = access;
    if (access == STORE_WRITE) {
        (void)pthread_mutex_lock(&store->write_lock);   /* cannot fail: made by us, not recursive */
        st = store->poison.status;
        if (st != CA_OK && err != NULL) *err = store->poison;
    }
    if (st == CA_OK) {
        rc = txn_begin(store, txn);
        if (rc != 0) st = store_fail_lmdb(err, rc, "cannot begin a transaction of the store");
    }
    if (st != CA_OK) {
        if (access == STORE_WRITE) (void)pthread_mutex_unlock(&store->write_lock);
        free(txn);
        return st;
    }
    *out = txn;
    return CA_OK;
}

void store_abort(struct store_txn *txn)
{
    if (txn == NULL) return;
    assert(txn->cursors == 0);
    mdb_txn_abort(txn->mdb);
    if (txn->access == STORE_WRITE) (void)pthread_mutex_unlock(&txn->store->write_lock);
    free(txn);
}

/* LMDB answers EIO for a short write, and a full disk makes one. */
static bool data_file_cannot_grow(const struct store *store)
{
    uint64_t free_bytes;
    struct rlimit limit;
    struct stat data;
    int fd;

    if (store_free_bytes(store->dir, &free_bytes, NULL) == CA_OK && free_bytes < FULL_BELOW_BYTES) {
        return true;
    }
    if (mdb_env_get_fd(store->env, &fd) != 0 || fstat(fd, &data) != 0) return false;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           (uint64_t)data.st_size + FULL_BELOW_BYTES > limit.rlim_cur;
}

static enum ca_status commit_failed(struct store *store, int rc, struct ca_error *err)
{
    struct ca_error *poison = &store->poison;

    if (rc == EIO && data_file_cannot_grow(store)) rc = ENOSPC;
    (void)store_fail_lmdb(poison, rc, "cannot commit to the store");
    if (poison->status == CA_FULL) {
        ca_hint(poison, "What was committed before is durable, this was not; make room where the "
                        "store lies, then go on (a batch: certmill batch resume).");
    } else {
        ca_hint(poison, "What was committed before is durable, this may not be; look at the disk, "
                        "run certmill verify, then go on (a batch: certmill batch resume).");
    }
    if (err != NULL) *err = *poison;
    return poison->status;
}

static enum ca_status commit_write(struct store_txn *txn, struct ca_error *err)
{
    struct store *store = txn->store;
    int rc = fault_hit(FAULT_STORE_COMMIT);

    if (rc > 0) {
        mdb_txn_abort(txn->mdb);
    } else {
        rc = mdb_txn_commit(txn->mdb);      /* frees it, also on failure */
    }
    txn->mdb = NULL;
    if (rc == 0) {
        store->commits++;
        store_map_release(store);
        rc = fault_hit(FAULT_STORE_COMMITTED);
        if (rc < 0) rc = 0;
    }
    /* Final, never retried: after a failed fsync the kernel may drop the pages and answer the next
     * one with success. */
    return rc == 0 ? CA_OK : commit_failed(store, rc, err);
}

enum ca_status store_commit(struct store_txn *txn, struct ca_error *err)
{
    struct store *store = txn->store;
    enum ca_status st = txn->failed.status;
    int rc;

    assert(txn->cursors == 0);
    if (st != CA_OK) {
        if (err != NULL) *err = txn->failed;
        store_abort(txn);
        return st;
    }
    if (txn->access == STORE_READ) {
        rc = mdb_txn_commit(txn->mdb);
        if (rc != 0) st = store_fail_lmdb(err, rc, "cannot end a read of the store");
    } else {
        st = commit_write(txn, err);
        (void)pthread_mutex_unlock(&store->write_lock);
    }
    free(txn);
    return st;
}

/* ---- figures ---- */

/* Called once for a heading, or for "no readers", and once for every reader. */
static int count_line(const char *line, void *ctx)
{
    int *lines = ctx;

    (void)line;
    (*lines)++;
    return 0;
}

static uint64_t pages_of(const MDB_stat *stat)
{
    return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

static int stat_tables(struct store *store, MDB_txn *mdb, struct store_stat *out)
{
    const MDB_dbi free_pages = 0, names = 1;    /* LMDB's own tables (lmdb.h, mdb_stat.c) */
    uint64_t pages = 2;                         /* the meta pages */
    MDB_stat stat;
    int rc = mdb_stat(mdb, free_pages, &stat);

    if (rc != 0) return rc;
    pages += pages_of(&stat);
    rc = mdb_stat(mdb, names, &stat);
    if (rc != 0) return rc;
    pages += pages_of(&stat);
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        rc = mdb_stat(mdb, store->dbi[t], &stat);
        if (rc != 0) return rc;
        pages += pages_of(&stat);
        out->rows[t] = stat.ms_entries;
    }
    out->page_bytes = stat.ms_psize;
    out->used_bytes = pages * stat.ms_psize;
    return 0;
}

enum ca_status store_stat(struct store *store, struct store_stat *out, struct ca_error *err)
{
    struct store_stat result = { .map_bytes = store->map_bytes };
    struct store_txn *txn = NULL;
    struct stat file;
    char path[STORE_PATH_MAX];
    int fd, lines = 0, rc;
    enum ca_status st;

    rc = mdb_reader_list(store->env, count_line, &lines);
    if (rc < 0) return store_fail_lmdb(err, rc, "cannot list the store's readers");
    result.readers = lines > 0 ? (uint32_t)lines - 1 : 0;
    st = store_begin(store, STORE_READ, &txn, err);
    if (st != CA_OK) return st;
    rc = stat_tables(store, txn->mdb, &result);
    store_abort(txn);
    if (rc == 0) rc = mdb_env_get_fd(store->env, &fd);
    if (rc != 0) return store_fail_lmdb(err, rc, "cannot count the store's rows");
    if (fstat(fd, &file) != 0) return ca_fail_errno(err, errno, "cannot look at the data file");
    result.data_bytes = (uint64_t)file.st_size;
    if (store_path(path, store->dir, STORE_RESERVE_FILE) && stat(path, &file) == 0) {
        result.reserve_bytes = (uint64_t)file.st_size;
    }
    *out = result;
    return CA_OK;
}
