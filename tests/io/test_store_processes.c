/* Several processes at one store, and limits on what a process may do. */
#include "tests/io/store_case.h"

#include <sys/resource.h>

static void a_reader_keeps_its_snapshot_while_another_process_commits(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *before;

    case_create(c);
    store = case_open(c);
    case_put_and_commit(store, "k", "old");
    before = case_begin(store, STORE_READ);
    case_run_child("write", c->dir, "new", "ok");
    case_expect_row(before, STORE_CERT, "k", "old");
    case_expect_committed(store, "k", "new");
    store_abort(before);
    store_close(store);
}

static void a_writer_waits_for_the_writer_of_another_process(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct case_child child;
    int status;

    case_create(c);
    store = case_open(c);
    case_spawn(&child, "write-slowly", c->dir, "theirs");
    case_expect(&child, "in the transaction");
    (void)close(child.in);      /* goes on: sleeps, then commits */
    child.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    case_put_and_commit(store, "k", "ours");
    status = case_end(&child, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    case_expect_committed(store, "k", "ours");
    case_expect_committed(store, "slow", "theirs");        /* was committed before us */
    store_close(store);
}

static void a_writer_killed_in_its_transaction_leaves_no_row_and_no_lock(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct case_child child;

    case_create(c);
    store = case_open(c);
    case_spawn(&child, "write-slowly", c->dir, "theirs");
    case_expect(&child, "in the transaction");
    (void)case_end(&child, SIGKILL);
    case_expect_committed(store, "slow", NULL);
    case_put_and_commit(store, "k", "ours");
    store_close(store);
}

static void a_killed_reader_gives_its_place_back_at_the_next_open(void **state)
{
    struct store_case *c = *state;
    struct store_stat stat;
    struct store *store;
    struct case_child child;

    case_create(c);
    store = case_open(c);
    case_spawn(&child, "read", c->dir, "");
    case_expect(&child, "in the transaction");
    (void)case_end(&child, SIGKILL);
    assert_int_equal(store_stat(store, &stat, NULL), CA_OK);
    assert_int_equal(stat.readers, 1);
    case_run_child("write", c->dir, "new", "ok");
    assert_int_equal(store_stat(store, &stat, NULL), CA_OK);
    assert_int_equal(stat.readers, 0);
    store_close(store);
}

/* A limit on file size stands in for a full disk: LMDB gets short writes and answers EIO. */
static void a_data_file_that_cannot_grow_is_full_and_keeps_what_was_committed(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn;
    struct case_child child;
    uint64_t rows = 0;
    char line[32] = "";
    int status;

    case_create(c);
    case_spawn(&child, "fill", c->dir, "");
    assert_true(read(child.out, line, sizeof(line) - 1) > 0);
    status = case_end(&child, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    store = case_open(c);
    txn = case_begin(store, STORE_READ);
    assert_int_equal(store_count(txn, STORE_CERT, &rows, NULL), CA_OK);
    assert_int_equal(rows, strtoul(line, NULL, 10));
    assert_true(rows > 1);
    store_abort(txn);
    case_put_and_commit(store, "room again", "yes");
    store_close(store);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED   /* a sanitizer's shadow memory is itself larger than the limit */
static void the_map_is_halved_until_it_fits_the_address_space(void **state)
{
    struct store_case *c = *state;

    case_create(c);
    case_run_child("map", c->dir, "100", "64");
    case_run_child("map", c->dir, "20", "16");
    case_run_child("map", c->dir, "10", "no-memory");
}
#endif

/* ---- the other process's side ---- */

static int child_write(struct store *store, const char *value)
{
    struct store_txn *txn = case_begin(store, STORE_WRITE);

    case_put(txn, STORE_CERT, "k", value);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    case_say_and_wait("ok");
    return 0;
}

static int child_write_slowly(struct store *store, const char *value)
{
    struct store_txn *txn = case_begin(store, STORE_WRITE);

    case_put(txn, STORE_CERT, "slow", value);
    case_put(txn, STORE_CERT, "k", value);
    case_say_and_wait("in the transaction");
    (void)usleep(50000);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
    return 0;
}

static int child_read(struct store *store)
{
    struct store_txn *txn = case_begin(store, STORE_READ);

    case_say_and_wait("in the transaction");
    store_abort(txn);
    return 0;
}

/* Commits until the limit stops it; prints how many rows were committed. */
static int child_fill(struct store *store)
{
    static uint8_t value[50000];
    const struct rlimit limit = { 1000000, 1000000 };
    struct ca_error err;
    enum ca_status st = CA_OK;
    uint32_t rows = 0;

    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    for (;;) {
        struct store_txn *txn = case_begin(store, STORE_WRITE);

        st = store_put(txn, STORE_CERT, ca_bytes_of(&rows, sizeof(rows)),
                       ca_bytes_of(value, sizeof(value)), STORE_UPSERT, &err);
        if (st != CA_OK) {
            store_abort(txn);
            return 2;
        }
        st = store_commit(txn, &err);
        if (st != CA_OK) {
            if (st != CA_FULL || store_begin(store, STORE_WRITE, &txn, &err) != CA_FULL) return 3;
            break;
        }
        rows++;
    }
    (void)printf("%u\n", (unsigned)rows);
    return 0;
}

static int child_map(const char *dir, const char *gib)
{
    const rlim_t bytes = strtoul(gib, NULL, 10) << 30;
    const struct rlimit limit = { bytes, bytes };
    struct store *store = NULL;
    struct store_stat stat;
    struct ca_error err;

    if (setrlimit(RLIMIT_AS, &limit) != 0) return 1;
    if (store_open(dir, STORE_WRITE, &store, &err) != CA_OK) {
        (void)printf("%s\n", ca_error_name(&err));
        return 0;
    }
    if (store_stat(store, &stat, &err) != CA_OK) return 1;
    (void)printf("%u\n", (unsigned)(stat.map_bytes >> 30));
    store_close(store);
    return 0;
}

static int child_main(const char *mode, const char *dir, const char *argument)
{
    struct store *store = NULL;
    int rc = 9;

    if (strcmp(mode, "map") == 0) return child_map(dir, argument);
    if (store_open(dir, STORE_WRITE, &store, NULL) != CA_OK) return 8;
    if (strcmp(mode, "write") == 0) rc = child_write(store, argument);
    if (strcmp(mode, "write-slowly") == 0) rc = child_write_slowly(store, argument);
    if (strcmp(mode, "read") == 0) rc = child_read(store);
    if (strcmp(mode, "fill") == 0) rc = child_fill(store);
    store_close(store);
    return rc;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, case_setup, case_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(a_reader_keeps_its_snapshot_while_another_process_commits),
        CASE(a_writer_waits_for_the_writer_of_another_process),
        CASE(a_writer_killed_in_its_transaction_leaves_no_row_and_no_lock),
        CASE(a_killed_reader_gives_its_place_back_at_the_next_open),
        CASE(a_data_file_that_cannot_grow_is_full_and_keeps_what_was_committed),
#ifndef SANITIZED
        CASE(the_map_is_halved_until_it_fits_the_address_space),
#endif
    };

    if (argc == 4) return child_main(argv[1], argv[2], argv[3]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
