/* The store's directory: making one, what is checked before it is opened, run.lock, reserve. */
#include "tests/io/store_case.h"

#include "io/store_private.h"

static void has_mode(const char *path, mode_t mode)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static enum ca_status put_meta(struct store_txn *txn, const char *key, const void *data, size_t len,
                               struct ca_error *err)
{
    return store_put(txn, STORE_META, ca_bytes_str(key), ca_bytes_of(data, len), STORE_UPSERT, err);
}

/* ---- making a store ---- */

static void a_new_store_has_its_files_with_their_modes_whatever_the_umask(void **state)
{
    static const mode_t masks[] = { 0, 022, 0277 };
    static const char *const files[] = { "data.mdb", "lock.mdb", "run.lock", "reserve" };
    struct store_case *c = *state;
    struct stat st;

    for (size_t i = 0; i < 3; i++) {
        mode_t before = umask(masks[i]);

        assert_int_equal(store_create(c->dir, CASE_RESERVE, NULL, NULL, &c->err), CA_OK);
        (void)umask(before);
        has_mode(c->dir, 0700);
        has_mode(case_path(c, "keys"), 0700);
        for (size_t f = 0; f < 4; f++) has_mode(case_path(c, files[f]), 0600);
        assert_int_equal(lstat(case_path(c, "reserve"), &st), 0);
        assert_int_equal(st.st_size, CASE_RESERVE);
        assert_true(st.st_blocks * 512 >= CASE_RESERVE);    /* really set aside, not a hole */
        assert_int_equal(lstat(case_path(c, "run.lock"), &st), 0);
        assert_int_equal(st.st_size, 0);
        assert_false(is_there(c->tmp));
        store_close(case_open(c));
        assert_int_equal(nftw(c->dir, case_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    }
}

static enum ca_status fill_one_row(void *ctx, struct store_txn *txn, struct ca_error *err)
{
    return put_meta(txn, "first", ctx, 4, err);
}

static enum ca_status fill_fails(void *ctx, struct store_txn *txn, struct ca_error *err)
{
    enum ca_status st = fill_one_row(ctx, txn, err);

    return st != CA_OK ? st : ca_fail_named(err, CA_REFUSED, "asked-to", "as asked");
}

static void the_first_rows_are_put_by_the_caller(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct store_txn *txn = NULL;
    struct ca_bytes value;
    char row[] = "rows";
    bool found = false;

    assert_int_equal(store_create(c->dir, 0, fill_one_row, row, &c->err), CA_OK);
    store = case_open(c);
    assert_int_equal(store_begin(store, STORE_READ, &txn, NULL), CA_OK);
    assert_int_equal(store_get(txn, STORE_META, ca_bytes_str("first"), &found, &value, NULL),
                     CA_OK);
    assert_true(found && ca_bytes_equal(value, ca_bytes_str("rows")));
    store_abort(txn);
    assert_int_equal(store_reserve_check(store, NULL), CA_OK);     /* none was asked for */
    store_close(store);
}

static void a_store_that_could_not_be_made_leaves_nothing(void **state)
{
    static const struct { const char *fault; enum ca_status st; } faults[] = {
        { "store.begin:1=EIO", CA_IO }, { "store.put:1=EIO", CA_IO },
        { "store.commit:1=ENOSPC", CA_FULL }, { "store.committed:1=EIO", CA_IO },
        { "file.write:1=ENOSPC", CA_FULL }, { "file.rename:1=EIO", CA_IO },
    };
    struct store_case *c = *state;
    char row[] = "rows";

    assert_int_equal(store_create(c->dir, 0, fill_fails, row, &c->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&c->err), "asked-to");
    assert_false(is_there(c->dir) || is_there(c->tmp));
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        case_arm(faults[i].fault);
        assert_int_equal(store_create(c->dir, CASE_RESERVE, NULL, NULL, &c->err), faults[i].st);
        assert_false(is_there(c->dir) || is_there(c->tmp));
    }
    case_create(c);
}

static void a_store_killed_while_it_was_made_is_not_there_and_can_be_made_again(void **state)
{
    static const char *const kills[] = { "file.write:1", "store.begin:1", "store.commit:1",
                                         "store.committed:1", "file.rename:1" };
    struct store_case *c = *state;

    for (size_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++) {
        struct case_child child;
        int status;

        case_spawn(&child, "create", c->dir, kills[i]);
        status = case_end(&child, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_false(is_there(c->dir));
        assert_true(is_there(c->tmp));
        case_create(c);         /* takes the left-over away */
        assert_false(is_there(c->tmp));
        store_close(case_open(c));
        assert_int_equal(nftw(c->dir, case_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    }
}

static void create_refused(struct store_case *c, const char *name)
{
    memset(&c->err, 0, sizeof(c->err));
    assert_int_equal(store_create(c->dir, CASE_RESERVE, NULL, NULL, &c->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&c->err), name);
}

static void what_is_there_already_is_not_touched(void **state)
{
    struct store_case *c = *state;

    case_create(c);
    create_refused(c, "store-exists");
    store_close(case_open(c));
    assert_int_equal(nftw(c->dir, case_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(mkdir(c->dir, 0700), 0);       /* also when it is empty */
    create_refused(c, "store-exists");
    assert_int_equal(rmdir(c->dir), 0);
    assert_int_equal(symlink("nowhere", c->dir), 0);
    create_refused(c, "store-exists");
}

static void a_foreign_directory_in_the_way_is_not_removed(void **state)
{
    struct store_case *c = *state;
    char path[320];
    int fd;

    assert_int_equal(mkdir(c->tmp, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/thesis.txt", c->tmp);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    create_refused(c, "store-exists");
    assert_true(is_there(path));
    assert_int_equal(unlink(path), 0);
    /* A key is more than an init leaves behind. */
    (void)snprintf(path, sizeof(path), "%s/keys", c->tmp);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/keys/1.pem", c->tmp);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_true(store_create(c->dir, CASE_RESERVE, NULL, NULL, &c->err) != CA_OK);
    assert_true(is_there(path));
    assert_false(is_there(c->dir));
}

static void two_processes_do_not_make_the_same_store_at_once(void **state)
{
    struct store_case *c = *state;
    struct case_child child;
    char line[80];
    int status;

    case_spawn(&child, "create-slowly", c->dir, "");
    case_expect(&child, "in the transaction");
    create_refused(c, "run-active");
    (void)snprintf(line, sizeof(line), "process %ld", (long)child.pid);
    assert_non_null(strstr(c->err.text, line));
    status = case_end(&child, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    store_close(case_open(c));
}

static void a_path_may_end_in_slashes_but_not_be_empty_or_endless(void **state)
{
    struct store_case *c = *state;
    char path[5000];

    (void)snprintf(path, sizeof(path), "%s//", c->dir);
    assert_int_equal(store_create(path, 0, NULL, NULL, &c->err), CA_OK);
    store_close(case_open(c));
    assert_int_equal(nftw(c->dir, case_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(chdir(c->root), 0);
    assert_int_equal(store_create("store", 0, NULL, NULL, &c->err), CA_OK);
    assert_int_equal(chdir("/"), 0);
    store_close(case_open(c));
    assert_int_equal(store_create("", 0, NULL, NULL, &c->err), CA_REFUSED);
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(store_create(path, 0, NULL, NULL, &c->err), CA_REFUSED);
    (void)snprintf(path, sizeof(path), "%s/none/store", c->root);
    assert_int_equal(store_create(path, 0, NULL, NULL, &c->err), CA_IO);
}

/* ---- before opening ---- */

static void a_place_without_a_store_is_said_to_have_none(void **state)
{
    struct store_case *c = *state;

    case_open_fails(c, CA_REFUSED, "no-store");
    assert_non_null(strstr(c->err.hint, "certmill init"));
    assert_int_equal(mkdir(c->dir, 0700), 0);       /* a directory of something else */
    case_open_fails(c, CA_REFUSED, "no-store");
    assert_int_equal(rmdir(c->dir), 0);
    assert_int_equal(close(open(c->dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    case_open_fails(c, CA_REFUSED, "no-store");
}

static void a_store_without_its_data_file_is_damaged(void **state)
{
    struct store_case *c = *state;

    case_create(c);
    assert_int_equal(unlink(case_path(c, "data.mdb")), 0);
    case_open_fails(c, CA_CORRUPT, "store-damaged");
    assert_int_equal(mkdir(case_path(c, "data.mdb"), 0700), 0);
    case_open_fails(c, CA_CORRUPT, "store-damaged");
}

static void a_directory_that_others_may_write_is_refused(void **state)
{
    static const mode_t modes[] = { 0770, 0702, 0777 };
    struct store_case *c = *state;

    case_create(c);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chmod(c->dir, modes[i]), 0);
        case_open_fails(c, CA_REFUSED, "store-mode");
    }
    assert_int_equal(chmod(c->dir, 0755), 0);
    store_close(case_open(c));
}

static void remote_file_systems_are_known_by_their_type(void **state)
{
    (void)state;
    assert_string_equal(store_remote_name(0x6969), "NFS");
    assert_string_equal(store_remote_name(0x517b), "SMB");
    assert_string_equal(store_remote_name(0xff534d42), "CIFS");
    assert_string_equal(store_remote_name(0xfe534d42), "SMB2");
    assert_string_equal(store_remote_name(0x65735546), "FUSE");
    assert_string_equal(store_remote_name(0x01021997), "9P");
    assert_string_equal(store_remote_name(0x5346414f), "AFS");
    assert_string_equal(store_remote_name(0x73757245), "CODA");
    assert_string_equal(store_remote_name(0x00c36400), "CEPH");
    assert_null(store_remote_name(0xef53));         /* ext4 */
    assert_null(store_remote_name(0x01021994));     /* tmpfs */
    assert_null(store_remote_name(0x9123683e));     /* btrfs */
}

static void a_store_is_open_only_once_in_a_process(void **state)
{
    struct store_case *c = *state;
    struct store *store;

    case_create(c);
    store = case_open(c);
    case_open_fails(c, CA_REFUSED, "store-open");
    store_close(store);
    store_close(case_open(c));
}

static void a_store_opened_for_reading_is_read_while_another_writes(void **state)
{
    struct store_case *c = *state;
    struct store *store = NULL;
    struct store_txn *txn = NULL;
    struct case_child child;
    uint64_t rows = 0;

    case_create(c);
    case_spawn(&child, "hold", c->dir, "");
    case_expect(&child, "held");
    assert_int_equal(store_open(c->dir, STORE_READ, &store, &c->err), CA_OK);
    assert_int_equal(store_begin(store, STORE_READ, &txn, NULL), CA_OK);
    assert_int_equal(store_count(txn, STORE_META, &rows, NULL), CA_OK);
    assert_int_equal(rows, 1);
    store_abort(txn);
    store_close(store);
    (void)case_end(&child, 0);
}

/* ---- versions ---- */

struct format_row {
    uint8_t octets[20];
    size_t len;         /* 0: no row */
};

static enum ca_status fill_format(void *ctx, struct store_txn *txn, struct ca_error *err)
{
    const struct format_row *row = ctx;

    if (row->len == 0) {
        return store_delete(txn, STORE_META, ca_bytes_str(STORE_FORMAT_KEY), err);
    }
    return put_meta(txn, STORE_FORMAT_KEY, row->octets, row->len, err);
}

static void a_store_of_another_version_is_refused(void **state)
{
    static const struct { struct format_row row; enum ca_status st; const char *name; } stores[] = {
        { { { 0, 0, 0, 1, 0, 0, 9, 24 }, 16 }, CA_REFUSED, "store-version" },   /* the first */
        { { { 0, 0, 0, 3, 0, 0, 9, 24 }, 16 }, CA_REFUSED, "store-version" },
        { { { 0, 0, 0, 3 }, 4 }, CA_REFUSED, "store-version" },
        { { { 0, 0, 0, 2, 0, 1, 0, 0 }, 16 }, CA_REFUSED, "store-version" },    /* LMDB 1.0 */
        { { { 0, 0, 0, 2 }, 15 }, CA_CORRUPT, "store-damaged" },
        { { { 0, 0, 0, 2 }, 17 }, CA_CORRUPT, "store-damaged" },
        { { { 0, 0, 1 }, 3 }, CA_CORRUPT, "store-damaged" },
        { { { 0 }, 0 }, CA_CORRUPT, "store-damaged" },
    };
    struct store_case *c = *state;

    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        struct format_row row = stores[i].row;

        assert_int_equal(store_create(c->dir, 0, fill_format, &row, &c->err), CA_OK);
        case_open_fails(c, stores[i].st, stores[i].name);
        assert_int_equal(nftw(c->dir, case_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    }
}

/* ---- damage to the data file ---- */

static void change_data(struct store_case *c, const void *octets, size_t len, off_t at)
{
    int fd = open(case_path(c, "data.mdb"), O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, octets, len, at), len);
    (void)close(fd);
}

static uint64_t data_length(struct store_case *c)
{
    struct stat st;

    assert_int_equal(lstat(case_path(c, "data.mdb"), &st), 0);
    return (uint64_t)st.st_size;
}

static void a_file_of_another_byte_order_or_lmdb_is_refused_and_garbage_is_damaged(void **state)
{
    struct store_case *c = *state;
    const off_t magic_at = 16, version_at = 20, second = 4096;
    const uint32_t magic = UINT32_C(0xbeefc0de), swapped = UINT32_C(0xdec0efbe), version = 1;
    const uint32_t other_version = 2, garbage = 0x12345678;

    case_create(c);
    change_data(c, &swapped, 4, magic_at);
    case_open_fails(c, CA_REFUSED, "store-version");
    assert_non_null(strstr(c->err.text, "byte order"));
    change_data(c, &garbage, 4, magic_at);
    case_open_fails(c, CA_CORRUPT, "store-damaged");
    change_data(c, &magic, 4, magic_at);
    change_data(c, &other_version, 4, second + version_at);
    case_open_fails(c, CA_REFUSED, "store-version");
    change_data(c, &version, 4, second + version_at);
    store_close(case_open(c));
    /* Page size, in both heads: none, no power of two. */
    change_data(c, &garbage, 4, 40);
    case_open_fails(c, CA_CORRUPT, "store-damaged");
}

/* Commits rows of len octets under count keys, then deletes all but one in the same transaction. */
static void put_and_delete(struct store *store, size_t len, uint32_t count)
{
    static uint8_t value[9000];
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin(store, STORE_WRITE, &txn, NULL), CA_OK);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(store_put(txn, STORE_CERT, ca_bytes_of(&i, 4), ca_bytes_of(value, len),
                                   STORE_UPSERT, NULL), CA_OK);
    }
    for (uint32_t i = count - 1; i > 0; i--) {
        assert_int_equal(store_delete(txn, STORE_CERT, ca_bytes_of(&i, 4), NULL), CA_OK);
    }
    assert_int_equal(store_commit(txn, NULL), CA_OK);
}

/* Last page of the newer head (io/store_check.c gives the layout). */
static uint64_t last_page(struct store_case *c)
{
    uint64_t last[2], txn[2];
    int fd = open(case_path(c, "data.mdb"), O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pread(fd, &last[i], 8, i * 4096 + 136), 8);
        assert_int_equal(pread(fd, &txn[i], 8, i * 4096 + 144), 8);
    }
    (void)close(fd);
    return txn[1] > txn[0] ? last[1] : last[0];
}

/* LMDB leaves pages unwritten only while it works from a list of those freed earlier. */
static void make_short_file(struct store_case *c, uint32_t count, unsigned lists)
{
    struct store *store = case_open(c);
    struct store_txn *reader = NULL;

    for (unsigned i = 0; i < 3; i++) put_and_delete(store, 9000, 10);
    /* A reader keeps every list of free pages from being used up. */
    assert_int_equal(store_begin(store, STORE_READ, &reader, NULL), CA_OK);
    for (unsigned i = 0; i < lists; i++) put_and_delete(store, 9000, 10);
    put_and_delete(store, 9000, count);
    store_abort(reader);
    store_close(store);
    assert_true((last_page(c) + 1) * 4096 > data_length(c));
}

static void a_file_cut_short_anywhere_is_refused_before_it_is_mapped(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    uint64_t whole;

    case_create(c);
    store = case_open(c);
    put_and_delete(store, 5000, 1);
    store_close(store);
    whole = data_length(c);
    assert_true(whole % 4096 == 0);
    for (uint64_t len = whole; len > 0;) {
        len -= len % 4096 == 0 ? 1 : 4095;      /* just short of a page, then at its edge */
        assert_int_equal(truncate(case_path(c, "data.mdb"), (off_t)len), 0);
        case_open_fails(c, CA_CORRUPT, "store-damaged");
    }
}

static void a_sound_file_that_ends_before_its_free_pages_is_opened(void **state)
{
    /* Free pages in one list inside a page, on pages of its own, and in lists that make a tree. */
    static const struct { uint32_t count; unsigned lists; } works[] = {
        { 40, 0 }, { 700, 0 }, { 3000, 0 }, { 40, 300 }, { 700, 300 },
    };
    struct store_case *c = *state;

    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        struct store *store;

        case_create(c);
        make_short_file(c, works[i].count, works[i].lists);
        store = case_open(c);
        put_and_delete(store, 9000, 1);     /* and works */
        store_close(store);
        store_close(case_open(c));
        assert_int_equal(nftw(c->dir, case_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    }
    case_create(c);
    make_short_file(c, 700, 0);
    assert_int_equal(truncate(case_path(c, "data.mdb"), (off_t)data_length(c) - 4096), 0);
    case_open_fails(c, CA_CORRUPT, "store-damaged");
}

static void checks_of_a_damaged_short_file_never_crash(void **state)
{
    struct store_case *c = *state;
    uint64_t x = 7, pages;
    uint8_t *good;
    unsigned refused = 0;
    int fd;

    case_create(c);
    make_short_file(c, 700, 100);
    pages = data_length(c) / 4096;
    good = malloc(pages * 4096);
    assert_non_null(good);
    fd = open(case_path(c, "data.mdb"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, good, pages * 4096, 0), pages * 4096);
    for (unsigned round = 0; round < 3000; round++) {
        uint64_t at;
        uint8_t octet;

        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        /* Heads and page headers half of the time: there a change matters most. */
        at = (x >> 33) % pages * 4096 + (x >> 20) % ((x >> 60) < 8 ? 200 : 4096);
        octet = (uint8_t)(x >> 50);
        assert_int_equal(pwrite(fd, &octet, 1, (off_t)at), 1);
        if (store_check_dir(c->dir, &c->err) != CA_OK) refused++;
        if (round % 4 == 3) {       /* up to four changes at once */
            assert_int_equal(pwrite(fd, good, pages * 4096, 0), pages * 4096);
        }
    }
    assert_true(refused > 0);
    (void)close(fd);
    free(good);
}

/* ---- run.lock ---- */

static void lock_refused(struct store_case *c, struct store *store, pid_t holder)
{
    char text[40];

    assert_int_equal(store_lock_run(store, &c->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&c->err), "run-active");
    (void)snprintf(text, sizeof(text), "(process %ld)", (long)holder);
    assert_non_null(strstr(c->err.text, text));
}

static void one_run_at_a_time_and_a_killed_one_blocks_nobody(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct case_child child;

    case_create(c);
    store = case_open(c);
    case_spawn(&child, "hold", c->dir, "");
    case_expect(&child, "held");
    lock_refused(c, store, child.pid);
    (void)case_end(&child, SIGKILL);
    assert_int_equal(store_lock_run(store, &c->err), CA_OK);
    case_spawn(&child, "hold", c->dir, "");
    case_expect(&child, "run-active");      /* the other side sees ours */
    (void)case_end(&child, 0);
    store_unlock_run(store);
    store_unlock_run(store);                /* harmless */
    case_spawn(&child, "hold", c->dir, "");
    case_expect(&child, "held");
    lock_refused(c, store, child.pid);
    (void)case_end(&child, 0);              /* ends in order: closing gives it back */
    assert_int_equal(store_lock_run(store, &c->err), CA_OK);
    store_close(store);
    case_run_child("hold", c->dir, "", "held");
}

static void whether_a_run_is_active_is_seen_without_taking_the_lock(void **state)
{
    struct store_case *c = *state;
    struct store *store;
    struct case_child child;
    bool active = true;

    case_create(c);
    store = case_open(c);
    assert_int_equal(store_run_active(store, &active, &c->err), CA_OK);
    assert_false(active);
    case_spawn(&child, "hold", c->dir, "");
    case_expect(&child, "held");            /* was not hindered by our look */
    assert_int_equal(store_run_active(store, &active, &c->err), CA_OK);
    assert_true(active);
    (void)case_end(&child, SIGKILL);
    assert_int_equal(store_run_active(store, &active, &c->err), CA_OK);
    assert_false(active);
    assert_int_equal(store_lock_run(store, &c->err), CA_OK);
    assert_int_equal(store_run_active(store, &active, &c->err), CA_OK);
    assert_true(active);                    /* our own counts */
    case_spawn(&child, "hold", c->dir, "");
    case_expect(&child, "run-active");      /* looking did not give our lock away */
    (void)case_end(&child, 0);
    store_unlock_run(store);
    assert_int_equal(unlink(case_path(c, "run.lock")), 0);
    assert_int_equal(store_run_active(store, &active, &c->err), CA_OK);
    assert_false(active);
    store_close(store);
}

static void a_lock_file_that_was_deleted_is_made_again(void **state)
{
    struct store_case *c = *state;
    struct store *store;

    case_create(c);
    assert_int_equal(unlink(case_path(c, "run.lock")), 0);
    store = case_open(c);
    assert_int_equal(store_lock_run(store, &c->err), CA_OK);
    has_mode(case_path(c, "run.lock"), 0600);
    store_close(store);
}

/* ---- reserve ---- */

static uint64_t reserve_length(struct store_case *c)
{
    struct stat st;

    return lstat(case_path(c, "reserve"), &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void no_reserve(struct store_case *c, struct store *store)
{
    assert_int_equal(store_reserve_check(store, &c->err), CA_REFUSED);
    assert_string_equal(ca_error_name(&c->err), "no-reserve");
    assert_non_null(strstr(c->err.hint, "--reserve 65536"));
}

static void the_reserve_is_given_up_and_set_aside_again(void **state)
{
    struct store_case *c = *state;
    struct store *store;

    case_create(c);
    store = case_open(c);
    assert_int_equal(store_reserve_check(store, &c->err), CA_OK);
    assert_int_equal(store_reserve_release(store, &c->err), CA_OK);
    assert_int_equal(reserve_length(c), 0);
    no_reserve(c, store);
    assert_int_equal(store_reserve_release(store, &c->err), CA_OK);     /* again: nothing to do */
    assert_int_equal(store_reserve_restore(store, &c->err), CA_OK);
    assert_int_equal(reserve_length(c), CASE_RESERVE);
    assert_int_equal(store_reserve_check(store, &c->err), CA_OK);
    assert_int_equal(truncate(case_path(c, "reserve"), CASE_RESERVE - 1), 0);
    no_reserve(c, store);
    assert_int_equal(unlink(case_path(c, "reserve")), 0);
    no_reserve(c, store);
    assert_int_equal(store_reserve_release(store, &c->err), CA_OK);
    store_close(store);
    store = case_open(c);       /* how much it should be is in the store */
    no_reserve(c, store);
    assert_int_equal(store_reserve_restore(store, &c->err), CA_OK);
    assert_int_equal(reserve_length(c), CASE_RESERVE);
    store_close(store);
}

static void half_a_reserve_is_given_back_at_once(void **state)
{
    struct store_case *c = *state;
    struct store *store;

    case_create(c);
    store = case_open(c);
    assert_int_equal(store_reserve_release(store, &c->err), CA_OK);
    case_arm("file.write:1=ENOSPC");
    assert_int_equal(store_reserve_restore(store, &c->err), CA_FULL);
    assert_int_equal(reserve_length(c), 0);
    no_reserve(c, store);
    store_close(store);
}

/* ---- the other process's side ---- */

static int child_hold(const char *dir)
{
    struct store *store = NULL;
    struct ca_error err;

    if (store_open(dir, STORE_WRITE, &store, &err) != CA_OK) return 8;
    case_say_and_wait(store_lock_run(store, &err) == CA_OK ? "held" : ca_error_name(&err));
    store_close(store);
    return 0;
}

static enum ca_status fill_slowly(void *ctx, struct store_txn *txn, struct ca_error *err)
{
    (void)ctx;
    (void)txn;
    (void)err;
    case_say_and_wait("in the transaction");
    return CA_OK;
}

static int child_main(const char *mode, const char *dir, const char *argument)
{
    if (strcmp(mode, "hold") == 0) return child_hold(dir);
    if (strcmp(mode, "create-slowly") == 0) {
        return store_create(dir, CASE_RESERVE, fill_slowly, NULL, NULL) == CA_OK ? 0 : 7;
    }
    if (fault_testing_setup(NULL, argument, NULL) != CA_OK) return 6;
    return store_create(dir, CASE_RESERVE, NULL, NULL, NULL) == CA_OK ? 0 : 7;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, case_setup, case_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(a_new_store_has_its_files_with_their_modes_whatever_the_umask),
        CASE(the_first_rows_are_put_by_the_caller),
        CASE(a_store_that_could_not_be_made_leaves_nothing),
        CASE(a_store_killed_while_it_was_made_is_not_there_and_can_be_made_again),
        CASE(what_is_there_already_is_not_touched),
        CASE(a_foreign_directory_in_the_way_is_not_removed),
        CASE(two_processes_do_not_make_the_same_store_at_once),
        CASE(a_path_may_end_in_slashes_but_not_be_empty_or_endless),
        CASE(a_place_without_a_store_is_said_to_have_none),
        CASE(a_store_without_its_data_file_is_damaged),
        CASE(a_directory_that_others_may_write_is_refused),
        CASE(remote_file_systems_are_known_by_their_type),
        CASE(a_store_is_open_only_once_in_a_process),
        CASE(a_store_opened_for_reading_is_read_while_another_writes),
        CASE(a_store_of_another_version_is_refused),
        CASE(a_file_of_another_byte_order_or_lmdb_is_refused_and_garbage_is_damaged),
        CASE(a_file_cut_short_anywhere_is_refused_before_it_is_mapped),
        CASE(a_sound_file_that_ends_before_its_free_pages_is_opened),
        CASE(checks_of_a_damaged_short_file_never_crash),
        CASE(one_run_at_a_time_and_a_killed_one_blocks_nobody),
        CASE(whether_a_run_is_active_is_seen_without_taking_the_lock),
        CASE(a_lock_file_that_was_deleted_is_made_again),
        CASE(the_reserve_is_given_up_and_set_aside_again),
        CASE(half_a_reserve_is_given_back_at_once),
    };

    if (argc == 4) return child_main(argv[1], argv[2], argv[3]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
