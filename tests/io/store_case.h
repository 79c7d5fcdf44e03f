/*
 * What the tests of the store share: a directory of the test's own, and the test program itself
 * started again as another process (a store must not cross a fork).
 */
#ifndef TESTS_IO_STORE_CASE_H
#define TESTS_IO_STORE_CASE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/fault_testing.h"
#include "io/store.h"

#define CASE_RESERVE 65536

extern char **environ;

struct store_case {
    char root[256];
    char dir[288];      /* root/store */
    char tmp[292];      /* root/store.tmp */
    struct ca_error err;
};

static inline int case_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int case_setup(void **state)
{
    struct store_case *c = calloc(1, sizeof(*c));
    const char *base = getenv("TMPDIR");

    if (c == NULL) return -1;
    (void)snprintf(c->root, sizeof(c->root), "%.200s/certmill-test-XXXXXX",
                   base != NULL ? base : "/tmp");
    if (mkdtemp(c->root) == NULL) return -1;
    (void)snprintf(c->dir, sizeof(c->dir), "%s/store", c->root);
    (void)snprintf(c->tmp, sizeof(c->tmp), "%s.tmp", c->dir);
    *state = c;
    return fault_testing_setup(NULL, NULL, NULL) == CA_OK ? 0 : -1;
}

static inline int case_teardown(void **state)
{
    struct store_case *c = *state;
    int rc = nftw(c->root, case_remove, 16, FTW_DEPTH | FTW_PHYS);

    free(c);
    return rc;
}

static inline void case_create(struct store_case *c)
{
    assert_int_equal(store_create(c->dir, CASE_RESERVE, NULL, NULL, &c->err), CA_OK);
}

static inline struct store *case_open(struct store_case *c)
{
    struct store *store = NULL;

    assert_int_equal(store_open(c->dir, STORE_WRITE, &store, &c->err), CA_OK);
    return store;
}

/* Opening must fail so. */
static inline void case_open_fails(struct store_case *c, enum ca_status st, const char *name)
{
    struct store *store = NULL;

    memset(&c->err, 0, sizeof(c->err));
    assert_int_equal(store_open(c->dir, STORE_WRITE, &store, &c->err), st);
    assert_string_equal(ca_error_name(&c->err), name);
    assert_null(store);
}

static inline void case_arm(const char *fault)
{
    assert_int_equal(fault_testing_setup(fault, NULL, NULL), CA_OK);
}

/* Path of a file in the store; overwritten by the next call. */
static inline const char *case_path(struct store_case *c, const char *name)
{
    static char path[600];

    (void)snprintf(path, sizeof(path), "%s/%s", c->dir, name);
    return path;
}

/* ---- rows of a test: texts, in table cert unless said otherwise ---- */

static inline struct ca_bytes text(const char *s)
{
    return ca_bytes_str(s);
}

static inline struct store_txn *case_begin(struct store *store, enum store_access access)
{
    struct store_txn *txn = NULL;

    assert_int_equal(store_begin(store, access, &txn, NULL), CA_OK);
    return txn;
}

static inline void case_put(struct store_txn *txn, enum store_table table, const char *key,
                            const char *value)
{
    assert_int_equal(store_put(txn, table, text(key), text(value), STORE_UPSERT, NULL), CA_OK);
}

static inline void case_put_and_commit(struct store *store, const char *key, const char *value)
{
    struct store_txn *txn = case_begin(store, STORE_WRITE);

    case_put(txn, STORE_CERT, key, value);
    assert_int_equal(store_commit(txn, NULL), CA_OK);
}

/* value NULL: no such row. */
static inline void case_expect_row(struct store_txn *txn, enum store_table table, const char *key,
                                   const char *value)
{
    struct ca_bytes got;
    bool found = false;

    assert_int_equal(store_get(txn, table, text(key), &found, &got, NULL), CA_OK);
    assert_int_equal(found, value != NULL);
    if (value != NULL) assert_true(ca_bytes_equal(got, text(value)));
}

static inline void case_expect_committed(struct store *store, const char *key, const char *value)
{
    struct store_txn *txn = case_begin(store, STORE_READ);

    case_expect_row(txn, STORE_CERT, key, value);
    store_abort(txn);
}

/* ---- the other process ---- */

struct case_child {
    pid_t pid;
    int in, out;    /* its standard input and output */
};

static inline void case_spawn(struct case_child *child, const char *mode, const char *dir,
                              const char *argument)
{
    const char *const args[] = { "test", mode, dir, argument, NULL };
    posix_spawn_file_actions_t actions;
    int in[2], out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], 0), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
    assert_int_equal(posix_spawn(&child->pid, "/proc/self/exe", &actions, NULL,
                                 (char *const *)(uintptr_t)args, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    child->in = in[1];
    child->out = out[0];
}

/* Waits until it wrote a line, which must be this one. */
static inline void case_expect(struct case_child *child, const char *line)
{
    char got[256] = "";
    size_t len = 0;

    while (len + 1 < sizeof(got) && read(child->out, got + len, 1) == 1) {
        if (got[len] == '\n') break;
        len++;
    }
    got[len] = '\0';
    assert_string_equal(got, line);
}

/* Lets it go on (its standard input ends) or kills it; returns what waitpid says. */
static inline int case_end(struct case_child *child, int signal_number)
{
    int status = -1;

    if (signal_number != 0) assert_int_equal(kill(child->pid, signal_number), 0);
    (void)close(child->in);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    (void)close(child->out);
    return status;
}

static inline void case_run_child(const char *mode, const char *dir, const char *argument,
                                  const char *line)
{
    struct case_child child;
    int status;

    case_spawn(&child, mode, dir, argument);
    case_expect(&child, line);
    status = case_end(&child, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* In the other process: says a line, then waits for its standard input to end. */
static inline void case_say_and_wait(const char *line)
{
    char octet;

    (void)printf("%s\n", line);
    (void)fflush(stdout);
    while (read(0, &octet, 1) > 0) continue;
}

#endif
