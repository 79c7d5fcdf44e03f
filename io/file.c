#include "io/file.h"
#include "io/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536

/* Waits, for a descriptor somebody made non-blocking. */
static void wait_readable(int fd)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

    (void)poll(&poll_fd, 1, -1);    /* the read that follows says what is wrong */
}

/* One octet more than max is asked for: that is how a longer file shows. */
static enum ca_status read_all(int fd, size_t max, const char *what, struct ca_buf *out,
                               struct ca_error *err)
{
    size_t total = 0;

    while (total <= max) {
        size_t step = max - total < READ_STEP ? max - total + 1 : READ_STEP;
        size_t before = out->len;
        uint8_t *at = ca_buf_extend(out, step);
        ssize_t got;

        if (at == NULL) return ca_buf_status(out, what, err);
        got = read(fd, at, step);
        out->len = before + (got > 0 ? (size_t)got : 0);
        if (got == 0) return CA_OK;
        if (got > 0) total += (size_t)got;
        if (got > 0 || errno == EINTR) continue;
        if (errno != EAGAIN) return ca_fail_errno(err, errno, "cannot read %s", what);
        wait_readable(fd);
    }
    return ca_fail_named(err, CA_REFUSED, "file-size", "%s is longer than %zu octets", what, max);
}

enum ca_status file_read_fd(int fd, size_t max, const char *what, struct ca_buf *out,
                            struct ca_error *err)
{
    size_t before = out->len;
    enum ca_status st = read_all(fd, max, what, out, err);

    if (st != CA_OK && out->data != NULL) {
        ca_wipe(out->data + before, out->cap - before);     /* it may have been part of a key */
        out->len = before;
    }
    return st;
}

static enum ca_status check_private(const char *path, const struct stat *info,
                                    struct ca_error *err)
{
    if (info->st_uid != geteuid()) {
        return ca_fail_named(err, CA_REFUSED, "file-mode", "%s belongs to another user", path);
    }
    if ((info->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)ca_fail_named(err, CA_REFUSED, "file-mode", "others may use %s (mode %04o)", path,
                            (unsigned)info->st_mode & 07777U);
        ca_hint(err, "chmod 600 %s", path);
        return CA_REFUSED;
    }
    return CA_OK;
}

static enum ca_status check_open_file(int fd, const char *path, enum file_privacy privacy,
                                      struct ca_error *err)
{
    struct stat info;

    if (fstat(fd, &info) == -1) return ca_fail_errno(err, errno, "cannot look at %s", path);
    if (!S_ISREG(info.st_mode)) {
        return ca_fail_named(err, CA_REFUSED, "file-type", "%s is no regular file", path);
    }
    return privacy == FILE_PRIVATE ? check_private(path, &info, err) : CA_OK;
}

static enum ca_status fail_open(const char *path, int errnum, struct ca_error *err)
{
    if (errnum == ELOOP || errnum == ENXIO) {       /* a symlink where none may be; a socket */
        return ca_fail_named(err, CA_REFUSED, "file-type", "%s is no regular file", path);
    }
    return ca_fail_errno(err, errnum, "cannot open %s", path);
}

enum ca_status file_read(const char *path, size_t max, enum file_privacy privacy,
                         struct ca_buf *out, struct ca_error *err)
{
    /* O_NONBLOCK: a FIFO must not hold us up before fstat tells what it is. */
    int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    enum ca_status st;
    int fd;

    if (strcmp(path, "-") == 0 && privacy == FILE_PUBLIC) {
        return file_read_fd(STDIN_FILENO, max, "standard input", out, err);
    }
    if (privacy == FILE_PRIVATE) flags |= O_NOFOLLOW;
    fd = open(path, flags);
    if (fd == -1) return fail_open(path, errno, err);
    st = check_open_file(fd, path, privacy, err);
    if (st == CA_OK) st = file_read_fd(fd, max, path, out, err);
    (void)close(fd);        /* read only: nothing to lose */
    return st;
}

static enum ca_status write_all(int fd, struct ca_bytes data, const char *path,
                                struct ca_error *err)
{
    int fault = fault_hit(FAULT_FILE_WRITE);

    if (fault > 0) return ca_fail_errno(err, fault, "cannot write %s", path);
    while (data.len > 0) {
        size_t step = fault == FAULT_SHORT && data.len > 1 ? data.len / 2 : data.len;
        ssize_t done = write(fd, data.data, step);

        if (done == -1 && errno == EINTR) continue;
        if (done == -1) return ca_fail_errno(err, errno, "cannot write %s", path);
        data = ca_bytes_slice(data, (size_t)done, data.len - (size_t)done);
    }
    return CA_OK;
}

static enum ca_status sync_fd(int fd, const char *path, struct ca_error *err)
{
    if (fsync(fd) == 0) return CA_OK;       /* a failed one is never tried again */
    return ca_fail_errno(err, errno, "cannot sync %s", path);
}

/* The name is new, whatever a crash left under it. */
static int create(const char *path)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags, 0600);

    if (fd == -1 && errno == EEXIST && unlink(path) == 0) fd = open(path, flags, 0600);
    return fd;
}

static enum ca_status write_new(const char *path, unsigned mode, struct ca_bytes data,
                                struct ca_error *err)
{
    int fd = create(path);
    enum ca_status st;

    if (fd == -1) return ca_fail_errno(err, errno, "cannot create %s", path);
    st = write_all(fd, data, path, err);
    if (st == CA_OK && fchmod(fd, (mode_t)mode) == -1) {
        st = ca_fail_errno(err, errno, "cannot set the mode of %s", path);
    }
    if (st == CA_OK) st = sync_fd(fd, path, err);
    if (close(fd) == -1 && st == CA_OK) st = ca_fail_errno(err, errno, "cannot close %s", path);
    if (st != CA_OK) (void)unlink(path);    /* the failure that counts is known */
    return st;
}

static enum ca_status rename_file(const char *from, const char *to, struct ca_error *err)
{
    int failed = fault_hit(FAULT_FILE_RENAME);

    if (failed <= 0) failed = rename(from, to) == 0 ? 0 : errno;
    if (failed == 0) return CA_OK;
    (void)unlink(from);
    return ca_fail_errno(err, failed, "cannot rename %s", from);
}

enum ca_status file_sync_dir(const char *dir, struct ca_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum ca_status st;

    if (fd == -1) return ca_fail_errno(err, errno, "cannot open %s", dir);
    st = sync_fd(fd, dir, err);
    (void)close(fd);
    return st;
}

static enum ca_status sync_parent(const char *path, struct ca_error *err)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];

    if (slash == NULL) return file_sync_dir(".", err);
    if (slash == path) return file_sync_dir("/", err);
    if ((size_t)(slash - path) >= sizeof(dir)) {
        return ca_fail_errno(err, ENAMETOOLONG, "cannot sync the directory of %s", path);
    }
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    return file_sync_dir(dir, err);
}

enum ca_status file_write(const char *path, unsigned mode, struct ca_bytes data,
                          struct ca_error *err)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
    enum ca_status st;

    if (len < 0 || (size_t)len >= sizeof(temporary)) {
        return ca_fail_errno(err, ENAMETOOLONG, "cannot write %s", path);
    }
    st = write_new(temporary, mode, data, err);
    if (st == CA_OK) st = rename_file(temporary, path, err);
    return st == CA_OK ? sync_parent(path, err) : st;
}

static enum ca_status overwrite(int fd, const char *path, struct ca_error *err)
{
    static const uint8_t zeros[4096];
    enum ca_status st = check_open_file(fd, path, FILE_PUBLIC, err);
    struct stat info;
    off_t left;

    if (st != CA_OK) return st;
    if (fstat(fd, &info) == -1) return ca_fail_errno(err, errno, "cannot look at %s", path);
    left = info.st_size;
    while (left > 0) {
        size_t step = left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros);

        st = write_all(fd, ca_bytes_of(zeros, step), path, err);
        if (st != CA_OK) return st;
        left -= (off_t)step;
    }
    return sync_fd(fd, path, err);
}

enum ca_status file_erase(const char *path, struct ca_error *err)
{
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    enum ca_status st;

    if (fd == -1 && errno == ENOENT) return CA_OK;
    if (fd == -1) return fail_open(path, errno, err);
    st = overwrite(fd, path, err);
    (void)close(fd);        /* synced before */
    if (st != CA_OK) return st;
    if (unlink(path) == -1) return ca_fail_errno(err, errno, "cannot remove %s", path);
    return sync_parent(path, err);
}
