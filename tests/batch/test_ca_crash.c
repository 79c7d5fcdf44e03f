/*
 * CAs and sudden death: what a process leaves that is killed before or after a commit, and what a
 * failed write or commit leaves. The victim is a child that opens the store itself.
 */
#include "batch/registry_ca.h"
#include "io/fault_testing.h"
#include "tests/support/store_fixture.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static enum ca_status create_root(struct store_fixture *f)
{
    struct batch_ca_create spec = { .name = "root", .is_root = true };
    struct batch_ca ca;
    char config[512];
    bool existed;
    enum ca_status st;

    store_fixture_config("root", "EC_prime256v1", "SHA256WITHECDSA", config);
    spec.config_json = ca_bytes_str(config);
    st = batch_ca_create(f->registry, &spec, &ca, &existed, &f->err);
    batch_ca_clear(&ca);
    return st;
}

static enum ca_status activate_root(struct store_fixture *f)
{
    struct batch_ca_activate spec = { .name = "root" };
    struct ca_serial serial;

    return batch_ca_activate(f->registry, &spec, &serial, &f->err);
}

static enum ca_status only_open(struct store_fixture *f)
{
    (void)f;
    return CA_OK;
}

/* Opens the store in a child, does something and is killed at a point on the way; opens the store
 * here again afterwards. */
static void die_at(struct store_fixture *f, const char *kill_at,
                   enum ca_status (*work)(struct store_fixture *f))
{
    int status = 0;
    pid_t child;

    batch_registry_close(f->registry);
    f->registry = NULL;
    child = fork();
    assert_true(child != -1);
    if (child == 0) {
        if (fault_testing_setup(NULL, kill_at, &f->err) != CA_OK) _exit(2);
        if (store_fixture_reopen(f, STORE_WRITE) != CA_OK) _exit(3);
        if (work(f) != CA_OK) _exit(4);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
}

static unsigned key_files(const struct store_fixture *f)
{
    const struct dirent *entry;
    unsigned count = 0;
    char path[512];
    DIR *dir;

    store_fixture_path(f, "keys", path);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

/* The status of "root", or "none". */
static const char *root_status(struct store_fixture *f)
{
    const char *name;
    struct batch_ca ca;

    if (batch_ca_find(f->registry, NULL, "root", &ca, &f->err) != CA_OK) return "none";
    name = batch_ca_status_name(&ca);
    batch_ca_clear(&ca);
    return name;
}

static uint64_t rows(struct store_fixture *f, enum store_table table)
{
    struct store_txn *txn = NULL;
    uint64_t count = 99;

    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    assert_int_equal(store_count(txn, table, &count, &f->err), CA_OK);
    store_abort(txn);
    return count;
}

static void killed_between_key_and_row_a_create_leaves_no_ca(void **state)
{
    struct store_fixture *f = *state;

    die_at(f, "store.commit:1", create_root);
    assert_string_equal(root_status(f), "none");
    assert_int_equal(key_files(f), 1);
    assert_int_equal(create_root(f), CA_OK);
    assert_int_equal(key_files(f), 1);              /* the orphan went, the new one is there */
    assert_int_equal(activate_root(f), CA_OK);
}

static void killed_after_the_commit_a_create_leaves_a_whole_ca(void **state)
{
    struct store_fixture *f = *state;

    die_at(f, "store.committed:1", create_root);
    assert_string_equal(root_status(f), "PENDING_CERTIFICATE");
    assert_int_equal(activate_root(f), CA_OK);
}

static void killed_while_activating_a_ca_has_certificate_and_row_or_neither(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(create_root(f), CA_OK);
    die_at(f, "store.commit:1", activate_root);
    assert_string_equal(root_status(f), "PENDING_CERTIFICATE");
    assert_int_equal(rows(f, STORE_CERT), 0);
    assert_int_equal(rows(f, STORE_EXPIRY), 0);
    die_at(f, "store.committed:1", activate_root);
    assert_string_equal(root_status(f), "ACTIVE");
    assert_int_equal(rows(f, STORE_CERT), 1);
    assert_int_equal(rows(f, STORE_EXPIRY), 1);
}

static void killed_between_erasing_a_key_and_its_tombstone_the_next_open_goes_on(void **state)
{
    struct store_fixture *f = *state;
    int64_t until_ms;

    assert_int_equal(create_root(f), CA_OK);
    assert_int_equal(batch_ca_delete(f->registry, "root", 7, &until_ms, &f->err), CA_OK);
    f->now_ms = until_ms;
    die_at(f, "store.commit:1", only_open);         /* and opens again */
    assert_int_equal(key_files(f), 0);
    assert_string_equal(root_status(f), "none");
    f->now_ms -= 1;
    assert_string_equal(root_status(f), "none");    /* a tombstone, whatever the clock says */
    assert_int_equal(create_root(f), CA_OK);
}

static void a_full_disk_makes_no_ca(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(fault_testing_setup("file.write:1=ENOSPC", NULL, &f->err), CA_OK);
    assert_int_equal(create_root(f), CA_FULL);
    assert_int_equal(fault_testing_setup(NULL, NULL, &f->err), CA_OK);
    assert_int_equal(key_files(f), 0);
    assert_string_equal(root_status(f), "none");
    assert_int_equal(create_root(f), CA_OK);
}

static void a_failed_commit_leaves_the_key_until_the_next_create(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(fault_testing_setup("store.commit:1=EIO", NULL, &f->err), CA_OK);
    assert_int_equal(create_root(f), CA_IO);
    assert_int_equal(fault_testing_setup(NULL, NULL, &f->err), CA_OK);
    assert_int_equal(store_fixture_reopen(f, STORE_WRITE), CA_OK);
    assert_string_equal(root_status(f), "none");
    assert_int_equal(key_files(f), 1);
    assert_int_equal(create_root(f), CA_OK);
    assert_int_equal(key_files(f), 1);
}

static void a_failed_put_changes_nothing(void **state)
{
    struct store_fixture *f = *state;

    assert_int_equal(create_root(f), CA_OK);
    /* clock, profile, certificate, expiry, CA */
    for (int at = 1; at <= 5; at++) {
        char fault[32];

        (void)snprintf(fault, sizeof(fault), "store.put:%d=EIO", at);
        assert_int_equal(fault_testing_setup(fault, NULL, &f->err), CA_OK);
        assert_int_equal(activate_root(f), CA_IO);
        assert_int_equal(fault_testing_setup(NULL, NULL, &f->err), CA_OK);
        assert_string_equal(root_status(f), "PENDING_CERTIFICATE");
        assert_int_equal(rows(f, STORE_CERT), 0);
        assert_int_equal(rows(f, STORE_EXPIRY), 0);
        assert_int_equal(rows(f, STORE_PROFILE), 0);
    }
    assert_int_equal(activate_root(f), CA_OK);
}

#define TEST(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_between_key_and_row_a_create_leaves_no_ca),
        TEST(killed_after_the_commit_a_create_leaves_a_whole_ca),
        TEST(killed_while_activating_a_ca_has_certificate_and_row_or_neither),
        TEST(killed_between_erasing_a_key_and_its_tombstone_the_next_open_goes_on),
        TEST(a_full_disk_makes_no_ca),
        TEST(a_failed_commit_leaves_the_key_until_the_next_create),
        TEST(a_failed_put_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
