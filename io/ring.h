/*
 * Asynchronous file operations: io_uring where the kernel allows it, plain system calls behind the
 * same interface where it does not. ring.c is the only file that includes liburing.h.
 *
 * Operations are queued with a caller's tag, submitted and completed by ring_wait. Reads and writes
 * complete in full: a short result is resubmitted inside, so a result below the length asked means
 * end of file (read) or an error. Nothing is ever linked: an fsync is queued by the caller only
 * after the results of all its writes were seen (a short write breaks a link, and what is behind it
 * then runs or is cancelled at the wrong time).
 *
 * Thread: one ring, one thread. The opener may hand it to another thread before its first use.
 */
#ifndef IO_RING_H
#define IO_RING_H

#include "engine/bytes.h"

#include <stdint.h>

struct open_how;
struct statx;
struct ring;

enum ring_want {
    RING_AUTO,      /* io_uring, or plain when the kernel refuses it, for whatever reason */
    RING_PLAIN,     /* plain system calls (--no-uring) */
};

struct ring_result {
    uint64_t tag;
    int32_t res;    /* octets, a descriptor or 0; negative: -errno */
};

/* depth: operations under way at once, 1..1024. */
CA_MUST_CHECK enum ca_status ring_open(enum ring_want want, unsigned depth, struct ring **out,
                                       struct ca_error *err);
/* Waits for what is under way, then frees; what is queued and not submitted is dropped. NULL is
 * accepted. */
void ring_close(struct ring *ring);

/* "io_uring" or "plain"; and why it is plain ("" when it is not). */
const char *ring_name(const struct ring *ring);
const char *ring_why_plain(const struct ring *ring);

/* Free places; queueing without one asserts. */
unsigned ring_room(const struct ring *ring);
unsigned ring_pending(const struct ring *ring);     /* queued or under way, result not yet taken */

/* Buffers, paths and structs must stay valid until the result was taken. */
void ring_read(struct ring *ring, int fd, void *data, uint32_t len, uint64_t offset, uint64_t tag);
void ring_write(struct ring *ring, int fd, const void *data, uint32_t len, uint64_t offset,
                uint64_t tag);
void ring_fsync(struct ring *ring, int fd, uint64_t tag);
void ring_openat2(struct ring *ring, int dir_fd, const char *path, struct open_how *how,
                  uint64_t tag);
void ring_statx(struct ring *ring, int fd, struct statx *out, uint64_t tag); /* AT_EMPTY_PATH */
void ring_close_fd(struct ring *ring, int fd, uint64_t tag);

/* Submits what is queued without waiting, so that it goes on while the caller works; a plain ring
 * does nothing here. CA_IO: the ring itself broke. */
CA_MUST_CHECK enum ca_status ring_submit(struct ring *ring, struct ca_error *err);

/* Submits what is queued and waits for at least one result when any is pending. *count results are
 * written, at most max. A negative res is no failure of this call. CA_IO: the ring itself broke;
 * nothing is under way any more and no further result comes. */
CA_MUST_CHECK enum ca_status ring_wait(struct ring *ring, struct ring_result *results, size_t max,
                                       size_t *count, struct ca_error *err);

/* One operation at a time, for the simple cases: writes all of it at offset / syncs. Only when
 * nothing else is pending. The error names what failed ("what"). */
CA_MUST_CHECK enum ca_status ring_write_now(struct ring *ring, int fd, struct ca_bytes data,
                                            uint64_t offset, const char *what,
                                            struct ca_error *err);
CA_MUST_CHECK enum ca_status ring_fsync_now(struct ring *ring, int fd, const char *what,
                                            struct ca_error *err);

#endif
