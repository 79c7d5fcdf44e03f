/*
 * Private to ring*.c: one operation on its way, and how it is done by a plain system call.
 *
 * Thread: the ring's.
 */
#ifndef IO_RING_OP_H
#define IO_RING_OP_H

#include "io/ring.h"

enum ring_kind { RING_READ, RING_WRITE, RING_FSYNC, RING_OPENAT2, RING_STATX, RING_CLOSE };

enum ring_state {
    RING_FREE,
    RING_QUEUED,        /* waits in the ring's own queue */
    RING_UNDER_WAY,     /* handed to the kernel */
};

struct ring_op {
    enum ring_kind kind;
    enum ring_state state;
    int fd;                 /* of the directory for RING_OPENAT2 */
    uint32_t len;           /* octets asked in all */
    uint32_t done;          /* of them transferred so far */
    uint64_t offset;        /* in the file, of the first octet asked */
    uint64_t tag;
    union {
        uint8_t *into;              /* RING_READ */
        const uint8_t *from;        /* RING_WRITE */
        struct statx *statx;        /* RING_STATX */
        const char *path;           /* RING_OPENAT2 */
    };
    struct open_how *how;   /* RING_OPENAT2 */
};

/* Does once what is left of op; the result as io_uring gives it: octets, a descriptor or 0, or
 * -errno. May be short. Interrupted calls are repeated. */
int32_t ring_plain_run(const struct ring_op *op);

#endif
