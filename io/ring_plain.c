#include "io/ring_op.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where the kernel or a container's filter does not know openat2: a name without a slash that is
 * not ".." cannot leave the directory, and O_NOFOLLOW refuses the link it may be. */
static long open_one_name(const struct ring_op *op)
{
    if (strchr(op->path, '/') != NULL || strcmp(op->path, "..") == 0) {
        errno = ENOSYS;
        return -1;
    }
    return openat(op->fd, op->path, (int)op->how->flags | O_NOFOLLOW, (mode_t)op->how->mode);
}

static long run_openat2(const struct ring_op *op)
{
    long fd = syscall(SYS_openat2, op->fd, op->path, op->how, sizeof(*op->how));

    if (fd == -1 && errno == ENOSYS) fd = open_one_name(op);
    return fd;
}

static long run_close(int fd)
{
    /* Linux frees the descriptor before it reports EINTR; a second close could hit another's. */
    if (close(fd) == -1 && errno != EINTR) return -1;
    return 0;
}

static long run_once(const struct ring_op *op)
{
    off_t at = (off_t)(op->offset + op->done);
    size_t left = op->len - op->done;

    switch (op->kind) {
    case RING_READ: return pread(op->fd, op->into + op->done, left, at);
    case RING_WRITE: return pwrite(op->fd, op->from + op->done, left, at);
    case RING_FSYNC: return fsync(op->fd);
    case RING_OPENAT2: return run_openat2(op);
    case RING_STATX:
        return statx(op->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, op->statx);
    case RING_CLOSE: return run_close(op->fd);
    }
    errno = EINVAL;
    return -1;
}

int32_t ring_plain_run(const struct ring_op *op)
{
    long res;

    do res = run_once(op);
    while (res == -1 && errno == EINTR);
    return res == -1 ? -errno : (int32_t)res;
}
