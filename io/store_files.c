#include "io/store_private.h"

#include "io/fault.h"
#include "io/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RELEASED_MIN_BYTES (UINT64_C(64) << 10)     /* what a short command's commit needs */

bool store_path(char out[STORE_PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, STORE_PATH_MAX, "%s/%s", dir, name);

    return n > 0 && n < STORE_PATH_MAX;
}

enum ca_status store_free_bytes(const char *dir, uint64_t *bytes, struct ca_error *err)
{
    struct statvfs fs;

    if (statvfs(dir, &fs) != 0) return ca_fail_errno(err, errno, "cannot look at %s", dir);
    /* Some blocks are kept for root. */
    *bytes = (uint64_t)(geteuid() == 0 ? fs.f_bfree : fs.f_bavail) * fs.f_frsize;
    return CA_OK;
}

/* ---- run.lock ---- */

/* An open file description's lock: gone with its holder, and untouched by other opens and closes of
 * the file in this process. */
static int lock_whole(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

/* Another may have deleted the file between our open and our lock, which then keeps nobody out. */
static bool is_still_at(int fd, const char *path)
{
    struct stat ours, there;

    return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

static enum ca_status fail_locked(int fd, struct ca_error *err)
{
    char text[24] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;

    if (pid > 0) {
        (void)ca_fail_named(err, CA_REFUSED, "run-active",
                            "another run works in this store (process %ld)", pid);
    } else {        /* between its lock and its writing the number */
        (void)ca_fail_named(err, CA_REFUSED, "run-active", "another run works in this store");
    }
    ca_hint(err, "Wait for it to end, or stop it with SIGTERM; it can be resumed.");
    return CA_REFUSED;
}

static enum ca_status lock_run_file(const char *path, int *out, struct ca_error *err)
{
    char text[24];
    int n, rc;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) return ca_fail_errno(err, errno, "cannot open %s", path);
    rc = lock_whole(fd);
    if (rc == 0 && !is_still_at(fd, path)) rc = EAGAIN;
    if (rc != 0) {
        enum ca_status st = rc == EAGAIN || rc == EACCES
                                ? fail_locked(fd, err)
                                : ca_fail_errno(err, rc, "cannot lock %s", path);
        (void)close(fd);
        return st;
    }
    /* The number is for the other's message only; a full disk must not stop a run here. */
    n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0) (void)!pwrite(fd, text, (size_t)n, 0);
    *out = fd;
    return CA_OK;
}

enum ca_status store_lock_run(struct store *store, struct ca_error *err)
{
    char path[STORE_PATH_MAX];

    if (store->run_fd >= 0)
        return ca_fail_named(err, CA_REFUSED, "run-active",
                             "this process runs another job in the store");
    if (!store_path(path, store->dir, STORE_RUN_LOCK_FILE)) {
        return ca_fail(err, CA_REFUSED, "the store's path is too long");
    }
    return lock_run_file(path, &store->run_fd, err);
}

void store_unlock_run(struct store *store)
{
    if (store->run_fd < 0) return;
    (void)!ftruncate(store->run_fd, 0);     /* a number of no use to anybody now */
    (void)close(store->run_fd);
    store->run_fd = -1;
}

enum ca_status store_run_active(const struct store *store, bool *active, struct ca_error *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char path[STORE_PATH_MAX];
    enum ca_status st = CA_OK;
    int fd;

    if (!store_path(path, store->dir, STORE_RUN_LOCK_FILE)) {
        return ca_fail(err, CA_REFUSED, "the store's path is too long");
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        if (errno != ENOENT) return ca_fail_errno(err, errno, "cannot open %s", path);
        *active = false;
        return CA_OK;
    }
    if (fcntl(fd, F_OFD_GETLK, &lock) != 0) {
        st = ca_fail_errno(err, errno, "cannot look at the lock of %s", path);
    } else {
        *active = lock.l_type != F_UNLCK;
    }
    (void)close(fd);
    return st;
}

/* ---- reserve ---- */

static enum ca_status reserve_fill(const char *path, uint64_t bytes, struct ca_error *err)
{
    enum ca_status st = CA_OK;
    int rc;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) return ca_fail_errno(err, errno, "cannot open %s", path);
    rc = fault_hit(FAULT_FILE_WRITE);
    if (rc <= 0 && bytes > 0) {
        do {
            rc = posix_fallocate(fd, 0, (off_t)bytes);
        } while (rc == EINTR);
    }
    if (rc == EFBIG) rc = ENOSPC;       /* a limit on file size; the same to the user */
    if (rc <= 0) rc = fsync(fd) == 0 ? 0 : errno;
    if (rc != 0) {
        st = ca_fail_errno(err, rc, "cannot set %llu octets aside in %s",
                           (unsigned long long)bytes, path);
        (void)!ftruncate(fd, 0);        /* half a reserve only makes the disk fuller */
    }
    (void)close(fd);
    return st;
}

enum ca_status store_reserve_check(const struct store *store, struct ca_error *err)
{
    char path[STORE_PATH_MAX];
    struct stat file;
    uint64_t there = 0;

    if (store->reserve_bytes == 0) return CA_OK;
    if (store_path(path, store->dir, STORE_RESERVE_FILE) && stat(path, &file) == 0) {
        there = (uint64_t)file.st_size;
    }
    if (there >= store->reserve_bytes) return CA_OK;
    (void)ca_fail_named(err, CA_REFUSED, "no-reserve",
                        "the store's reserve has %llu of %llu octets", (unsigned long long)there,
                        (unsigned long long)store->reserve_bytes);
    ca_hint(err, "Make room on the disk, then set it aside again: certmill init --reserve %llu",
            (unsigned long long)store->reserve_bytes);
    return CA_REFUSED;
}

enum ca_status store_reserve_release(struct store *store, struct ca_error *err)
{
    char path[STORE_PATH_MAX];
    uint64_t free_bytes;
    enum ca_status st;
    int rc = 0, fd;

    if (!store_path(path, store->dir, STORE_RESERVE_FILE)) {
        return ca_fail(err, CA_REFUSED, "the store's path is too long");
    }
    fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT) return ca_fail_errno(err, errno, "cannot open %s", path);
    if (fd >= 0) {
        /* The blocks are free for others once the truncation is on disk. */
        if (ftruncate(fd, 0) != 0 || fsync(fd) != 0) rc = errno;
        (void)close(fd);
    }
    if (rc != 0) return ca_fail_errno(err, rc, "cannot give up %s", path);
    st = store_free_bytes(store->dir, &free_bytes, err);
    if (st != CA_OK) return st;
    if (free_bytes >= RELEASED_MIN_BYTES) return CA_OK;
    (void)ca_fail(err, CA_FULL, "the disk is full although the reserve was given up");
    ca_hint(err, "Make room where the store lies.");
    return CA_FULL;
}

enum ca_status store_reserve_restore(struct store *store, struct ca_error *err)
{
    char path[STORE_PATH_MAX];

    if (!store_path(path, store->dir, STORE_RESERVE_FILE)) {
        return ca_fail(err, CA_REFUSED, "the store's path is too long");
    }
    return reserve_fill(path, store->reserve_bytes, err);
}

/* ---- making a store ---- */

struct place {
    char dir[STORE_PATH_MAX];
    char tmp[STORE_PATH_MAX];       /* dir.tmp: built here, renamed when it is whole */
    char parent[STORE_PATH_MAX];
    int lock_fd;                    /* run.lock of tmp, so that two inits do not mix */
    bool renamed;                   /* tmp is dir now */
};

static enum ca_status place_init(struct place *place, const char *dir, struct ca_error *err)
{
    size_t len = strlen(dir);
    char *slash;

    while (len > 1 && dir[len - 1] == '/') len--;       /* "store/" is "store" */
    if (len == 0 || len + sizeof(".tmp/" STORE_RUN_LOCK_FILE) > STORE_PATH_MAX) {
        return ca_fail(err, CA_REFUSED, "the store's path is empty or too long");
    }
    place->lock_fd = -1;
    place->renamed = false;
    memcpy(place->dir, dir, len);
    place->dir[len] = '\0';
    memcpy(place->tmp, place->dir, len);
    memcpy(place->tmp + len, ".tmp", sizeof(".tmp"));
    memcpy(place->parent, place->dir, len + 1);
    slash = strrchr(place->parent, '/');
    if (slash == NULL) {
        memcpy(place->parent, ".", sizeof("."));
    } else if (slash == place->parent) {
        slash[1] = '\0';
    } else {
        *slash = '\0';
    }
    return CA_OK;
}

static enum ca_status fail_exists(const struct place *place, struct ca_error *err)
{
    (void)ca_fail_named(err, CA_REFUSED, "store-exists", "%s is there already", place->dir);
    ca_hint(err, "Use it as it is, or make another store with --store.");
    return CA_REFUSED;
}

static const char *const tree_files[] = { STORE_DATA_FILE, STORE_LOCK_FILE, STORE_RUN_LOCK_FILE,
                                          STORE_RESERVE_FILE };
#define TREE_FILES (sizeof(tree_files) / sizeof(tree_files[0]))

/* True when the directory holds nothing but what an init that was cut short leaves behind. */
static bool only_our_files(const char *dir)
{
    struct dirent *entry;
    bool ours = true;
    DIR *list = opendir(dir);

    if (list == NULL) return false;
    while (ours && (entry = readdir(list)) != NULL) {
        const char *name = entry->d_name;

        ours = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
               strcmp(name, STORE_KEYS_DIR) == 0;
        for (size_t i = 0; i < TREE_FILES; i++) {
            if (strcmp(name, tree_files[i]) == 0) ours = true;
        }
    }
    (void)closedir(list);
    return ours;
}

/* keys/ goes first and only when it is empty: a key is never deleted here. */
static bool remove_tree(const char *tmp)
{
    char path[STORE_PATH_MAX];

    if (store_path(path, tmp, STORE_KEYS_DIR) && rmdir(path) != 0 && errno != ENOENT) return false;
    for (size_t i = 0; i < TREE_FILES; i++) {
        if (!store_path(path, tmp, tree_files[i])) return false;
        if (unlink(path) != 0 && errno != ENOENT) return false;
    }
    return rmdir(tmp) == 0;
}

/* place_init left room for every name. */
static const char *in_tmp(const struct place *place, const char *name, char path[STORE_PATH_MAX])
{
    bool fits = store_path(path, place->tmp, name);

    assert(fits);
    (void)fits;
    return path;
}

static enum ca_status remove_leftover(const struct place *place, struct ca_error *err)
{
    char path[STORE_PATH_MAX];
    struct stat st;
    int fd = -1;
    enum ca_status status = CA_OK;

    if (lstat(place->tmp, &st) != 0) {
        return errno == ENOENT ? CA_OK : ca_fail_errno(err, errno, "cannot look at %s", place->tmp);
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || !only_our_files(place->tmp)) {
        return ca_fail_named(err, CA_REFUSED, "store-exists",
                             "%s is in the way and was not left by an init", place->tmp);
    }
    /* Whoever holds the lock is building there now. */
    status = lock_run_file(in_tmp(place, STORE_RUN_LOCK_FILE, path), &fd, err);
    if (status != CA_OK) return status;
    if (!remove_tree(place->tmp)) {
        status = ca_fail_errno(err, errno, "cannot remove %s, left by an earlier init", place->tmp);
    }
    (void)close(fd);
    return status;
}

/* Exactly these modes whatever the umask says. */
static enum ca_status make_dir(const char *path, struct ca_error *err)
{
    if (mkdir(path, 0700) != 0 || chmod(path, 0700) != 0) {
        return ca_fail_errno(err, errno, "cannot make %s", path);
    }
    return CA_OK;
}

static enum ca_status make_tree(struct place *place, uint64_t reserve_bytes, struct ca_error *err)
{
    char path[STORE_PATH_MAX];
    enum ca_status st = store_check_filesystem(place->tmp, err);

    if (st != CA_OK) return st;
    st = lock_run_file(in_tmp(place, STORE_RUN_LOCK_FILE, path), &place->lock_fd, err);
    if (st != CA_OK) return st;
    st = make_dir(in_tmp(place, STORE_KEYS_DIR, path), err);
    if (st != CA_OK) return st;
    return reserve_fill(in_tmp(place, STORE_RESERVE_FILE, path), reserve_bytes, err);
}

static enum ca_status sync_file(const char *path, struct ca_error *err)
{
    enum ca_status st = CA_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) return ca_fail_errno(err, errno, "cannot open %s", path);
    if (fchmod(fd, 0600) != 0 || fsync(fd) != 0) {
        st = ca_fail_errno(err, errno, "cannot make %s durable", path);
    }
    (void)close(fd);
    return st;
}

static enum ca_status sync_tree(const struct place *place, struct ca_error *err)
{
    char path[STORE_PATH_MAX];
    enum ca_status st = CA_OK;

    if (ftruncate(place->lock_fd, 0) != 0) {    /* our number; the store is born unlocked */
        return ca_fail_errno(err, errno, "cannot write in %s", place->tmp);
    }
    for (size_t i = 0; st == CA_OK && i < TREE_FILES; i++) {
        st = sync_file(in_tmp(place, tree_files[i], path), err);
    }
    if (st == CA_OK) st = file_sync_dir(in_tmp(place, STORE_KEYS_DIR, path), err);
    if (st == CA_OK) st = file_sync_dir(place->tmp, err);
    return st;
}

static enum ca_status publish(struct place *place, struct ca_error *err)
{
    struct stat there;
    int rc = fault_hit(FAULT_FILE_RENAME);

    if (rc > 0) return ca_fail_errno(err, rc, "cannot rename %s", place->tmp);
    rc = renameat2(AT_FDCWD, place->tmp, AT_FDCWD, place->dir, RENAME_NOREPLACE);
    if (rc != 0 && errno == EINVAL && lstat(place->dir, &there) != 0) {
        rc = rename(place->tmp, place->dir);    /* a file system without the flag */
    }
    if (rc != 0 && (errno == EEXIST || errno == ENOTEMPTY)) return fail_exists(place, err);
    if (rc != 0) return ca_fail_errno(err, errno, "cannot rename %s", place->tmp);
    place->renamed = true;
    return file_sync_dir(place->parent, err);
}

/* Without the lock what lies in tmp may be another's; an empty directory harms nobody. */
static void take_back(const struct place *place)
{
    if (place->lock_fd >= 0) {
        (void)remove_tree(place->tmp);
    } else {
        (void)rmdir(place->tmp);
    }
}

enum ca_status store_create(const char *dir, uint64_t reserve_bytes,
                            enum ca_status (*fill)(void *ctx, struct store_txn *txn,
                                                   struct ca_error *err),
                            void *ctx, struct ca_error *err)
{
    struct place place;
    struct stat there;
    enum ca_status st = place_init(&place, dir, err);

    if (st != CA_OK) return st;
    if (lstat(place.dir, &there) == 0) return fail_exists(&place, err);
    if (errno != ENOENT) return ca_fail_errno(err, errno, "cannot look at %s", place.dir);
    st = remove_leftover(&place, err);
    if (st != CA_OK) return st;
    st = make_dir(place.tmp, err);
    if (st != CA_OK) return st;
    st = make_tree(&place, reserve_bytes, err);
    if (st == CA_OK) st = store_env_create(place.tmp, reserve_bytes, fill, ctx, err);
    if (st == CA_OK) st = sync_tree(&place, err);
    if (st == CA_OK) st = publish(&place, err);
    if (st != CA_OK && !place.renamed) take_back(&place);
    if (place.lock_fd >= 0) (void)close(place.lock_fd);
    return st;
}
