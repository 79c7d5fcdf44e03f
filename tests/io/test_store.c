/* Rows, transactions, checksums and failed commits. */
#include "tests/io/store_case.h"

#include <pthread.h>

#include "io/store_private.h"

#define KEYS 48         /* of the model */

/* ---- rows ---- */

static void a_committed_row_is_there_in_every_table_after_reopening(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;

    case_create(c);
    store = case_open(c);
    txn = case_begin(store, STORE_WRITE);
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        case_put(txn, (enum store_table)t, "key", store_table_name((enum store_table)t));
    }
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    assert_int_equal(store_commit_count(store), 1);
    assert_string_equal(store_dir(store), c->dir);
    store_close(store);
    store = case_open(c);
    txn = case_begin(store, STORE_READ);
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        uint64_t rows = 0;

        case_expect_row(txn, (enum store_table)t, "key", store_table_name((enum store_table)t));
        case_expect_row(txn, (enum store_table)t, "kez", NULL);
        assert_int_equal(store_count(txn, (enum store_table)t, &rows, NULL), CA_OK);
        assert_int_equal(rows, t == STORE_META ? 2 : 1);    /* the store's own row */
    }
    store_abort(txn);
    store_close(store);
}

static void an_aborted_transaction_leaves_nothing(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;

    case_create(c);
    store = case_open(c);
    txn = case_begin(store, STORE_WRITE);
    case_put(txn, STORE_CERT, "a", "1");
    store_abort(txn);
    store_abort(NULL);
    case_expect_committed(store, "a", NULL);
    store_close(store);
    store_close(NULL);
}

static void insert_and_append_refuse_a_key_that_is_there(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;

    case_create(c);
    store = case_open(c);
    txn = case_begin(store, STORE_WRITE);
    case_put(txn, STORE_CERT, "b", "1");
    assert_int_equal(store_put(txn, STORE_CERT, text("b"), text("2"), STORE_INSERT, &c->err),
                     CA_DUPLICATE);
    assert_non_null(strstr(c->err.text, "table cert, key 62"));
    assert_int_equal(store_put(txn, STORE_CERT, text("b"), text("3"), STORE_APPEND, NULL),
                     CA_DUPLICATE);
    case_expect_row(txn, STORE_CERT, "b", "1");
    case_put(txn, STORE_CERT, "b", "another length");
    /* A duplicate is an answer, not a failure: the transaction goes on. */
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    case_expect_committed(store, "b", "another length");
    store_close(store);
}

static void append_takes_keys_that_are_not_last_as_well(void **state)
{
    static const char *const keys[] = { "c", "e", "b", "d", "f", "a" };
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;

    case_create(c);
    store = case_open(c);
    txn = case_begin(store, STORE_WRITE);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(store_put(txn, STORE_CERT, text(keys[i]), text(keys[i]), STORE_APPEND,
                                   NULL), CA_OK);
    }
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    for (size_t i = 0; i < 6; i++) case_expect_committed(store, keys[i], keys[i]);
    store_close(store);
}

struct model {
    bool there[KEYS];
    uint32_t len[KEYS];
    uint8_t fill[KEYS];
};

static uint32_t next_random(uint64_t *x)
{
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*x >> 33);
}

/* One to three octets, so that keys of several lengths stand side by side. */
static struct ca_bytes model_key(uint8_t out[3], uint32_t number)
{
    memset(out, (int)number, 3);
    return ca_bytes_of(out, number % 3 + 1);
}

static void model_step(struct store_txn *txn, struct model *m, uint64_t *x)
{
    static uint8_t value[20000];
    uint8_t key[3];
    uint32_t n = next_random(x) % KEYS;
    struct ca_bytes k = model_key(key, n);
    /* Lengths around nothing, a node, and overflow pages of one and several. */
    static const uint32_t lens[] = { 0, 1, 100, 2000, 2040, 4080, 4090, 9000, 20000 };
    uint32_t len = lens[next_random(x) % 9];
    enum store_put_mode mode = (enum store_put_mode)(next_random(x) % 3);
    enum ca_status st;

    if (next_random(x) % 4 == 0) {
        assert_int_equal(store_delete(txn, STORE_CERT, k, NULL), CA_OK);
        m->there[n] = false;
        return;
    }
    memset(value, (int)(n + len), len);
    st = store_put(txn, STORE_CERT, k, ca_bytes_of(value, len), mode, NULL);
    assert_int_equal(st, mode != STORE_UPSERT && m->there[n] ? CA_DUPLICATE : CA_OK);
    if (st != CA_OK) return;
    m->there[n] = true;
    m->len[n] = len;
    m->fill[n] = (uint8_t)(n + len);
}

static void model_compare(struct store_txn *txn, const struct model *m)
{
    uint64_t rows = 0, want = 0;

    for (uint32_t n = 0; n < KEYS; n++) {
        struct ca_bytes value;
        bool found = false;
        uint8_t key[3];

        assert_int_equal(store_get(txn, STORE_CERT, model_key(key, n), &found, &value, NULL),
                         CA_OK);
        assert_int_equal(found, m->there[n]);
        if (!found) continue;
        want++;
        assert_int_equal(value.len, m->len[n]);
        for (size_t i = 0; i < value.len; i++) assert_int_equal(value.data[i], m->fill[n]);
    }
    assert_int_equal(store_count(txn, STORE_CERT, &rows, NULL), CA_OK);
    assert_int_equal(rows, want);
}

static void random_work_agrees_with_a_model_over_commits_aborts_and_reopens(void **state)
{
    struct store_case *c = *state;
    struct model now = { .there = { false } }, saved = { .there = { false } };
    struct store *store;
    uint64_t x = 42;

    case_create(c);
    store = case_open(c);
    for (unsigned round = 0; round < 120; round++) {
        struct store_txn *txn = case_begin(store, STORE_WRITE);

        for (uint32_t i = next_random(&x) % 60; i > 0; i--) model_step(txn, &now, &x);
        model_compare(txn, &now);
        if (next_random(&x) % 3 == 0) {
            store_abort(txn);
            now = saved;
        } else {
            assert_int_equal(store_commit(txn, NULL), CA_OK);
            saved = now;
        }
        if (next_random(&x) % 8 == 0) {     /* passes the checks before opening every time */
            store_close(store);
            store = case_open(c);
        }
        txn = case_begin(store, STORE_READ);
        model_compare(txn, &saved);
        store_abort(txn);
    }
    store_close(store);
}

static void a_cursor_walks_in_the_order_of_keys(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;
    struct store_cursor *cursor = NULL;
    struct ca_bytes key, value;
    bool found = true;

    case_create(c);
    store = case_open(c);
    txn = case_begin(store, STORE_WRITE);
    assert_int_equal(store_cursor_open(txn, STORE_JOB, &cursor, NULL), CA_OK);
    assert_int_equal(store_cursor_seek(cursor, text(""), &found, &key, &value, NULL), CA_OK);
    assert_false(found);
    assert_int_equal(store_cursor_last(cursor, &found, &key, &value, NULL), CA_OK);
    assert_false(found);
    store_cursor_close(cursor);
    store_cursor_close(NULL);
    case_put(txn, STORE_JOB, "b", "2");
    case_put(txn, STORE_JOB, "d", "4");
    case_put(txn, STORE_JOB, "a", "1");
    assert_int_equal(store_cursor_open(txn, STORE_JOB, &cursor, NULL), CA_OK);
    assert_int_equal(store_cursor_seek(cursor, text(""), &found, &key, &value, NULL), CA_OK);
    assert_true(found && ca_bytes_equal(key, text("a")) && ca_bytes_equal(value, text("1")));
    assert_int_equal(store_cursor_next(cursor, &found, &key, &value, NULL), CA_OK);
    assert_true(found && ca_bytes_equal(key, text("b")) && ca_bytes_equal(value, text("2")));
    assert_int_equal(store_cursor_seek(cursor, text("c"), &found, &key, &value, NULL), CA_OK);
    assert_true(found && ca_bytes_equal(key, text("d")));
    assert_int_equal(store_cursor_next(cursor, &found, &key, &value, NULL), CA_OK);
    assert_false(found);
    assert_int_equal(store_cursor_last(cursor, &found, &key, &value, NULL), CA_OK);
    assert_true(found && ca_bytes_equal(key, text("d")) && ca_bytes_equal(value, text("4")));
    assert_int_equal(store_cursor_seek(cursor, text("e"), &found, &key, &value, NULL), CA_OK);
    assert_false(found);
    store_cursor_close(cursor);
    store_abort(txn);
    store_close(store);
}

/* ---- checksums ---- */

/* Finds octets in the data file, which must be there just once, and returns where. */
static long find_in_data(struct store_case *c, const char *octets)
{
    size_t len = strlen(octets), size;
    char *all;
    long at = -1;
    FILE *file = fopen(case_path(c, STORE_DATA_FILE), "rb");

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = (size_t)ftell(file);
    rewind(file);
    all = malloc(size);
    assert_non_null(all);
    assert_int_equal(fread(all, 1, size, file), size);
    for (size_t i = 0; i + len <= size; i++) {
        if (memcmp(all + i, octets, len) != 0) continue;
        assert_int_equal(at, -1);
        at = (long)i;
    }
    free(all);
    (void)fclose(file);
    assert_true(at >= 0);
    return at;
}

static void flip_in_data(struct store_case *c, long at, unsigned bit)
{
    uint8_t octet;
    int fd = open(case_path(c, STORE_DATA_FILE), O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &octet, 1, at), 1);
    octet ^= (uint8_t)(1u << bit);
    assert_int_equal(pwrite(fd, &octet, 1, at), 1);
    (void)close(fd);
}

#define MARK "a value that is nowhere else in the file"

static void any_flipped_bit_of_a_value_or_its_sum_is_reported_with_table_and_key(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    long at;

    case_create(c);
    store = case_open(c);
    case_put_and_commit(store, "k1", MARK);
    store_close(store);
    at = find_in_data(c, MARK);
    for (long octet = 0; octet < (long)strlen(MARK) + STORE_CHECKSUM_LEN; octet++) {
        struct ca_bytes value;
        struct store_txn *txn;
        bool found = false;

        flip_in_data(c, at + octet, (unsigned)octet % 8);
        store = case_open(c);
        txn = case_begin(store, STORE_READ);
        assert_int_equal(store_get(txn, STORE_CERT, text("k1"), &found, &value, &c->err),
                         CA_CORRUPT);
        assert_string_equal(ca_error_name(&c->err), "checksum");
        assert_non_null(strstr(c->err.text, "table cert, key 6b31:"));
        assert_false(found);
        store_abort(txn);
        store_close(store);
        flip_in_data(c, at + octet, (unsigned)octet % 8);
    }
    store = case_open(c);
    case_expect_committed(store, "k1", MARK);
    store_close(store);
}

static void a_cursor_names_a_damaged_row_and_goes_on(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;
    struct store_cursor *cursor = NULL;
    struct ca_bytes key, value;
    bool found = false;

    case_create(c);
    store = case_open(c);
    case_put_and_commit(store, "k1", "1");
    case_put_and_commit(store, "a key that is nowhere else", "2");
    store_close(store);
    /* Also a changed key is found: the sum covers it. */
    flip_in_data(c, find_in_data(c, "a key that is nowhere else"), 1);
    store = case_open(c);
    txn = case_begin(store, STORE_READ);
    assert_int_equal(store_cursor_open(txn, STORE_CERT, &cursor, NULL), CA_OK);
    assert_int_equal(store_cursor_seek(cursor, text(""), &found, &key, &value, &c->err),
                     CA_CORRUPT);
    assert_true(found && ca_bytes_equal(key, text("c key that is nowhere else")));
    assert_string_equal(ca_error_name(&c->err), "checksum");
    assert_int_equal(store_cursor_next(cursor, &found, &key, &value, NULL), CA_OK);
    assert_true(found && ca_bytes_equal(key, text("k1")));
    store_cursor_close(cursor);
    store_abort(txn);
    store_close(store);
}

/* ---- failures ---- */

static void after_a_failed_commit_no_write_begins_and_earlier_rows_are_there(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;

    case_create(c);
    store = case_open(c);
    case_arm("store.commit:3=EIO");
    case_put_and_commit(store, "a", "1");
    case_put_and_commit(store, "b", "2");
    txn = case_begin(store, STORE_WRITE);
    case_put(txn, STORE_CERT, "c", "3");
    assert_int_equal(store_commit(txn, &c->err), CA_IO);
    assert_int_equal(c->err.code, EIO);
    assert_non_null(strstr(c->err.hint, "What was committed before is durable"));
    for (unsigned i = 0; i < 2; i++) {      /* the fault is over; the store does not try again */
        txn = NULL;
        memset(&c->err, 0, sizeof(c->err));
        assert_int_equal(store_begin(store, STORE_WRITE, &txn, &c->err), CA_IO);
        assert_int_equal(c->err.code, EIO);
        assert_null(txn);
    }
    assert_int_equal(store_commit_count(store), 2);
    case_expect_committed(store, "a", "1");
    case_expect_committed(store, "b", "2");
    case_expect_committed(store, "c", NULL);
    store_close(store);
    store = case_open(c);
    case_expect_committed(store, "b", "2");
    case_expect_committed(store, "c", NULL);
    case_put_and_commit(store, "c", "3");
    store_close(store);
}

static void a_commit_that_cannot_be_trusted_ends_writing_although_it_may_be_durable(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;

    case_create(c);
    store = case_open(c);
    case_arm("store.committed:1=EIO");
    txn = case_begin(store, STORE_WRITE);
    case_put(txn, STORE_CERT, "a", "1");
    assert_int_equal(store_commit(txn, NULL), CA_IO);
    txn = NULL;
    assert_int_equal(store_begin(store, STORE_WRITE, &txn, NULL), CA_IO);
    store_close(store);
    store = case_open(c);
    case_expect_committed(store, "a", "1");
    store_close(store);
}

static void a_full_disk_at_commit_is_full_and_says_what_to_do(void **state)
{
    static const char *const faults[] = { "store.commit:1=ENOSPC", "store.commit:1=EDQUOT",
                                          "store.commit:1=EFBIG" };
    struct store_case *c = *state;

    case_create(c);
    for (size_t i = 0; i < 3; i++) {
        struct store *store = case_open(c);
        struct store_txn *txn = case_begin(store, STORE_WRITE);

        case_arm(faults[i]);
        case_put(txn, STORE_CERT, "a", "1");
        assert_int_equal(store_commit(txn, &c->err), CA_FULL);
        assert_int_equal(c->err.status, CA_FULL);
        assert_non_null(strstr(c->err.hint, "batch resume"));
        assert_int_equal(store_begin(store, STORE_WRITE, &txn, NULL), CA_FULL);
        store_close(store);
    }
}

static void a_failed_put_voids_its_transaction_and_no_more(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;

    case_create(c);
    store = case_open(c);
    case_arm("store.put:2=EIO");
    txn = case_begin(store, STORE_WRITE);
    case_put(txn, STORE_CERT, "a", "1");
    assert_int_equal(store_put(txn, STORE_CERT, text("b"), text("2"), STORE_UPSERT, &c->err),
                     CA_IO);
    assert_non_null(strstr(c->err.text, "cannot write table cert, key 62"));
    assert_int_equal(store_put(txn, STORE_CERT, text("c"), text("3"), STORE_UPSERT, NULL), CA_IO);
    assert_int_equal(store_delete(txn, STORE_CERT, text("a"), NULL), CA_IO);
    assert_int_equal(store_commit(txn, &c->err), CA_IO);
    assert_int_equal(c->err.code, EIO);
    case_expect_committed(store, "a", NULL);
    case_put_and_commit(store, "a", "1");
    case_arm("store.put:1=ENOSPC");
    txn = case_begin(store, STORE_WRITE);
    assert_int_equal(store_delete(txn, STORE_CERT, text("a"), &c->err), CA_FULL);
    store_abort(txn);
    case_expect_committed(store, "a", "1");
    store_close(store);
}

static void a_begin_that_failed_can_be_tried_again(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn = NULL;

    case_create(c);
    store = case_open(c);
    case_arm("store.begin:1=ENOMEM");
    assert_int_equal(store_begin(store, STORE_WRITE, &txn, &c->err), CA_NOMEM);
    assert_null(txn);
    case_put_and_commit(store, "a", "1");
    store_close(store);
}

static void numbers_of_lmdb_become_our_statuses(void **state)
{
    static const struct { int rc; enum ca_status st; const char *name; } known[] = {
        { -30792, CA_FULL, "map-full" }, { -30785, CA_FULL, "map-full" },
        { -30788, CA_FULL, "transaction-full" }, { -30790, CA_AGAIN, "readers-full" },
        { -30794, CA_REFUSED, "store-version" }, { -30793, CA_CORRUPT, "store-damaged" },
        { -30796, CA_CORRUPT, "store-damaged" }, { -30797, CA_CORRUPT, "store-damaged" },
        { -30795, CA_IO, "io" }, { ENOSPC, CA_FULL, "full" }, { EIO, CA_IO, "io" },
        { EFBIG, CA_FULL, "full" }, { ENOMEM, CA_NOMEM, "no-memory" },
    };
    struct ca_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(store_fail_lmdb(&err, known[i].rc, "what"), known[i].st);
        assert_int_equal(err.status, known[i].st);
        assert_int_equal(err.code, known[i].rc);
        assert_string_equal(ca_error_name(&err), known[i].name);
        assert_int_equal(store_fail_lmdb(NULL, known[i].rc, "what"), known[i].st);
    }
}

static void more_readers_than_there_are_places_are_told_to_wait(void **state)
{
    struct store_case *c = *state;
    struct store_txn *readers[127] = { NULL };
    struct store *store;

    case_create(c);
    store = case_open(c);
    /* All in one thread: a reader's place belongs to its transaction. */
    for (size_t i = 0; i < 126; i++) readers[i] = case_begin(store, STORE_READ);
    assert_int_equal(store_begin(store, STORE_READ, &readers[126], &c->err), CA_AGAIN);
    assert_string_equal(ca_error_name(&c->err), "readers-full");
    case_put_and_commit(store, "a", "1");        /* a writer needs none */
    store_abort(readers[0]);
    case_expect_committed(store, "a", "1");
    for (size_t i = 1; i < 126; i++) store_abort(readers[i]);
    store_close(store);
}

struct waiting {
    struct store *store;
    enum ca_status st;
    struct ca_error err;
};

static void *wait_for_write(void *arg)
{
    struct waiting *w = arg;
    struct store_txn *txn = NULL;

    w->st = store_begin(w->store, STORE_WRITE, &txn, &w->err);
    store_abort(txn);
    return NULL;
}

static void a_thread_that_waits_for_the_writer_hears_of_its_failed_commit(void **state)
{
    struct store_case *c = *state;
    struct waiting w = { .st = CA_OK };
    struct store_txn *txn;
    pthread_t thread;

    case_create(c);
    w.store = case_open(c);
    case_arm("store.commit:1=EIO");
    txn = case_begin(w.store, STORE_WRITE);
    case_put(txn, STORE_CERT, "a", "1");
    assert_int_equal(pthread_create(&thread, NULL, wait_for_write, &w), 0);
    (void)usleep(50000);        /* so that it waits; sooner or later, the answer is the same */
    assert_int_equal(store_commit(txn, NULL), CA_IO);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w.st, CA_IO);
    assert_int_equal(w.err.code, EIO);
    store_close(w.store);
}

/* ---- figures ---- */

/* RssFile of this process in KiB: pages of mapped files, the store's map among them. */
static unsigned long mapped_file_kib(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");

    assert_non_null(status);
    while (fgets(line, sizeof(line), status) != NULL) {
        if (sscanf(line, "RssFile: %lu kB", &kib) == 1) break;
    }
    (void)fclose(status);
    return kib;
}

static void memory_does_not_grow_with_the_store(void **state)
{
    enum { GROUPS = 96, ROWS = 1024 };
    struct store_case *c = *state;
    struct store *store;
    unsigned long before_kib;
    uint8_t value[700] = { 0 }, key[12] = { 0 };

    case_create(c);
    store = case_open(c);
    before_kib = mapped_file_kib();
    for (uint32_t group = 0; group < GROUPS; group++) {
        struct store_txn *txn = case_begin(store, STORE_WRITE);

        for (uint32_t row = 0; row < ROWS; row++) {
            ca_put_u32(key, group);
            ca_put_u32(key + 4, row);
            assert_int_equal(store_put(txn, STORE_CERT, ca_bytes_of(key, sizeof(key)),
                                       ca_bytes_of(value, sizeof(value)), STORE_APPEND, NULL),
                             CA_OK);
            assert_int_equal(store_put(txn, STORE_EXPIRY, ca_bytes_of(key, sizeof(key)),
                                       ca_bytes_of(NULL, 0), STORE_INSERT, NULL),
                             CA_OK);
            assert_int_equal(store_put(txn, STORE_RESULT, ca_bytes_of(key, sizeof(key)),
                                       ca_bytes_of(value, 20), STORE_INSERT, NULL),
                             CA_OK);
        }
        assert_int_equal(store_commit(txn, NULL), CA_OK);
    }
    /* Some 80 MiB were written; what is mapped of them stays below what triggers a release. */
    assert_true(mapped_file_kib() < before_kib + 10 * 1024);
    store_close(store);
}

static void figures_of_the_store_are_right(void **state)
{
    struct store_case *c = *state;
    struct store_stat stat;
    struct store *store;
    struct store_txn *reader;
    struct stat file;

    case_create(c);
    store = case_open(c);
    case_put_and_commit(store, "a", "1");
    case_put_and_commit(store, "b", "2");
    reader = case_begin(store, STORE_READ);
    assert_int_equal(store_stat(store, &stat, &c->err), CA_OK);
    assert_int_equal(stat.rows[STORE_CERT], 2);
    assert_int_equal(stat.rows[STORE_META], 1);
    assert_int_equal(stat.rows[STORE_KNOWN], 0);
    assert_int_equal(stat.readers, 1);
    assert_int_equal(stat.reserve_bytes, CASE_RESERVE);
    assert_true(stat.page_bytes >= 4096);
    assert_int_equal(stat.map_bytes & (stat.map_bytes - 1), 0);
    assert_true(stat.map_bytes <= UINT64_C(1) << 40 && stat.map_bytes >= UINT64_C(16) << 30);
    assert_int_equal(lstat(case_path(c, STORE_DATA_FILE), &file), 0);
    assert_int_equal(stat.data_bytes, file.st_size);
    /* Two heads, table of names, meta, cert, and what the free pages take. */
    assert_true(stat.used_bytes >= 5 * (uint64_t)stat.page_bytes);
    assert_true(stat.used_bytes <= stat.data_bytes);
    assert_non_null(strstr(store_lmdb_version(), "LMDB"));
    store_abort(reader);
    store_close(store);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, case_setup, case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_committed_row_is_there_in_every_table_after_reopening),
        CASE(an_aborted_transaction_leaves_nothing),
        CASE(insert_and_append_refuse_a_key_that_is_there),
        CASE(append_takes_keys_that_are_not_last_as_well),
        CASE(random_work_agrees_with_a_model_over_commits_aborts_and_reopens),
        CASE(a_cursor_walks_in_the_order_of_keys),
        CASE(any_flipped_bit_of_a_value_or_its_sum_is_reported_with_table_and_key),
        CASE(a_cursor_names_a_damaged_row_and_goes_on),
        CASE(after_a_failed_commit_no_write_begins_and_earlier_rows_are_there),
        CASE(a_commit_that_cannot_be_trusted_ends_writing_although_it_may_be_durable),
        CASE(a_full_disk_at_commit_is_full_and_says_what_to_do),
        CASE(a_failed_put_voids_its_transaction_and_no_more),
        CASE(a_begin_that_failed_can_be_tried_again),
        CASE(numbers_of_lmdb_become_our_statuses),
        CASE(more_readers_than_there_are_places_are_told_to_wait),
        CASE(a_thread_that_waits_for_the_writer_hears_of_its_failed_commit),
        CASE(memory_does_not_grow_with_the_store),
        CASE(figures_of_the_store_are_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
