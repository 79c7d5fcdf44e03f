#include "io/ring.h"
#include "io/fault.h"
#include "io/ring_op.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DEPTH_MAX 1024
#define SUBMIT_TRIES_MAX 10000      /* of SUBMIT_PAUSE_MS each: ten seconds without any progress */
#define SUBMIT_PAUSE_MS 1

struct ring {
    unsigned depth;
    bool plain;
    bool disabled;          /* made with R_DISABLED, not yet enabled by the thread that uses it */
    bool broken;            /* the kernel refused a submission for good */
    char why[96];           /* why it is plain */
    struct ring_op *ops;    /* depth of them */
    uint32_t *free_ops;     /* a stack of indexes */
    unsigned free_count;
    uint32_t *queue;        /* indexes in the order of queueing, a circle of depth places */
    unsigned queue_head;
    unsigned queue_count;
    unsigned under_way;     /* in the kernel: SQEs taken in less CQEs seen */
    struct io_uring uring;
};

/* A name for what the kernel refused, without strerror's shared buffer. */
static void say_why(struct ring *ring, const char *what, int errnum)
{
    const char *name = strerrorname_np(errnum);

    (void)snprintf(ring->why, sizeof(ring->why), "%s: %s", what, name == NULL ? "error" : name);
}

static int init_uring(struct ring *ring)
{
    /* One thread submits, and completions run when it asks for them instead of interrupting it:
     * measured 10 to 100 % over default flags for many small files. Made disabled, because the
     * kernel binds the ring to the thread that enables it, and the opener may hand it on. */
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED,
    };
    int res = io_uring_queue_init_params(ring->depth, &ring->uring, &params);

    if (res == 0) ring->disabled = true;
    if (res != -EINVAL) return res;
    params = (struct io_uring_params){ 0 };     /* a kernel before 6.1 */
    return io_uring_queue_init_params(ring->depth, &ring->uring, &params);
}

static bool knows_opcodes(struct ring *ring)
{
    static const int needed[] = { IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC,
                                  IORING_OP_OPENAT2, IORING_OP_STATX, IORING_OP_CLOSE };
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
    bool all = probe != NULL;

    for (size_t i = 0; all && i < sizeof(needed) / sizeof(needed[0]); i++) {
        all = io_uring_opcode_supported(probe, needed[i]) != 0;
    }
    io_uring_free_probe(probe);
    return all;
}

/* Leaves the ring usable in any case: with io_uring, or plain and the reason kept. */
static void choose(struct ring *ring, enum ring_want want)
{
    int res;

    ring->plain = true;
    if (want == RING_PLAIN) {
        (void)snprintf(ring->why, sizeof(ring->why), "asked for");
        return;
    }
    res = -fault_hit(FAULT_RING_SETUP);
    if (res == 0) res = init_uring(ring);
    if (res != 0) {
        say_why(ring, "io_uring_setup", -res);
        return;
    }
    if (!knows_opcodes(ring)) {
        io_uring_queue_exit(&ring->uring);
        (void)snprintf(ring->why, sizeof(ring->why), "this kernel's io_uring lacks operations");
        return;
    }
    ring->plain = false;
}

enum ca_status ring_open(enum ring_want want, unsigned depth, struct ring **out,
                         struct ca_error *err)
{
    struct ring *ring;

    assert(depth >= 1 && depth <= DEPTH_MAX);
    ring = calloc(1, sizeof(*ring));
    if (ring == NULL) return ca_fail(err, CA_NOMEM, "no memory for a ring");
    ring->depth = depth;
    ring->plain = true;
    ring->ops = calloc(depth, sizeof(*ring->ops));
    ring->free_ops = calloc(depth, sizeof(*ring->free_ops));
    ring->queue = calloc(depth, sizeof(*ring->queue));
    if (ring->ops == NULL || ring->free_ops == NULL || ring->queue == NULL) {
        ring_close(ring);
        return ca_fail(err, CA_NOMEM, "no memory for a ring of %u operations", depth);
    }
    for (unsigned i = 0; i < depth; i++) ring->free_ops[i] = depth - 1 - i;
    ring->free_count = depth;
    choose(ring, want);
    *out = ring;
    return CA_OK;
}

const char *ring_name(const struct ring *ring)
{
    return ring->plain ? "plain" : "io_uring";
}

const char *ring_why_plain(const struct ring *ring)
{
    return ring->plain ? ring->why : "";
}

unsigned ring_room(const struct ring *ring)
{
    return ring->free_count;
}

unsigned ring_pending(const struct ring *ring)
{
    return ring->depth - ring->free_count;
}

static uint32_t index_of(const struct ring *ring, const struct ring_op *op)
{
    return (uint32_t)(op - ring->ops);
}

static void push(struct ring *ring, struct ring_op *op)
{
    assert(ring->queue_count < ring->depth);
    op->state = RING_QUEUED;
    ring->queue[(ring->queue_head + ring->queue_count++) % ring->depth] = index_of(ring, op);
}

static struct ring_op *pop(struct ring *ring)
{
    struct ring_op *op = &ring->ops[ring->queue[ring->queue_head]];

    assert(ring->queue_count > 0 && op->state == RING_QUEUED);
    ring->queue_head = (ring->queue_head + 1) % ring->depth;
    ring->queue_count--;
    return op;
}

static void add(struct ring *ring, const struct ring_op *model)
{
    struct ring_op *op;

    assert(ring->free_count > 0);
    op = &ring->ops[ring->free_ops[--ring->free_count]];
    assert(op->state == RING_FREE);
    *op = *model;
    push(ring, op);
}

static void release(struct ring *ring, struct ring_op *op)
{
    op->state = RING_FREE;
    ring->free_ops[ring->free_count++] = index_of(ring, op);
}

void ring_read(struct ring *ring, int fd, void *data, uint32_t len, uint64_t offset, uint64_t tag)
{
    assert(len <= INT32_MAX);       /* or the count would look like an error */
    add(ring, &(struct ring_op){ .kind = RING_READ, .fd = fd, .into = data, .len = len,
                                 .offset = offset, .tag = tag });
}

void ring_write(struct ring *ring, int fd, const void *data, uint32_t len, uint64_t offset,
                uint64_t tag)
{
    assert(len <= INT32_MAX);
    add(ring, &(struct ring_op){ .kind = RING_WRITE, .fd = fd, .from = data, .len = len,
                                 .offset = offset, .tag = tag });
}

void ring_fsync(struct ring *ring, int fd, uint64_t tag)
{
    add(ring, &(struct ring_op){ .kind = RING_FSYNC, .fd = fd, .tag = tag });
}

void ring_openat2(struct ring *ring, int dir_fd, const char *path, struct open_how *how,
                  uint64_t tag)
{
    add(ring, &(struct ring_op){ .kind = RING_OPENAT2, .fd = dir_fd, .path = path, .how = how,
                                 .tag = tag });
}

void ring_statx(struct ring *ring, int fd, struct statx *out, uint64_t tag)
{
    add(ring, &(struct ring_op){ .kind = RING_STATX, .fd = fd, .statx = out, .tag = tag });
}

void ring_close_fd(struct ring *ring, int fd, uint64_t tag)
{
    add(ring, &(struct ring_op){ .kind = RING_CLOSE, .fd = fd, .tag = tag });
}

static bool is_transfer(const struct ring_op *op)
{
    return op->kind == RING_READ || op->kind == RING_WRITE;
}

static void close_quietly(int fd)
{
    (void)ring_plain_run(&(struct ring_op){ .kind = RING_CLOSE, .fd = fd });
}

/* What the test seam makes of a true result. It sits here, behind both paths, because a tracer that
 * changes system calls does not see what io_uring does. */
static int32_t apply_fault(const struct ring_op *op, int32_t res)
{
    int fault = 0;

    switch (op->kind) {
    case RING_READ: fault = fault_hit(FAULT_RING_READ); break;
    case RING_WRITE: fault = fault_hit(FAULT_RING_WRITE); break;
    case RING_FSYNC: fault = fault_hit(FAULT_RING_SYNC); break;
    case RING_OPENAT2: fault = fault_hit(FAULT_RING_OPEN); break;
    case RING_STATX: fault = fault_hit(FAULT_RING_STAT); break;
    case RING_CLOSE: break;
    }
    if (fault == FAULT_SHORT) return is_transfer(op) && res > 1 ? res / 2 : res;
    if (fault == 0) return res;
    if (op->kind == RING_OPENAT2 && res >= 0) close_quietly(res);
    return -fault;
}

/* One result of the kernel. True when the operation is over and *out written; false when the rest
 * of it waits in the queue again. */
static bool settle(struct ring *ring, struct ring_op *op, int32_t res, struct ring_result *out)
{
    res = apply_fault(op, res);
    if (res == -EAGAIN) {
        /* Some file systems and kernels answer so for ever to a descriptor with O_NONBLOCK whose
         * pages are not in memory. The plain call does not: regular files ignore the flag there. */
        res = apply_fault(op, ring_plain_run(op));
    }
    if (res == -EINTR) {
        push(ring, op);
        return false;
    }
    if (is_transfer(op) && res >= 0) {
        assert((uint32_t)res <= op->len - op->done);
        op->done += (uint32_t)res;
        if (res > 0 && op->done < op->len) {
            push(ring, op);
            return false;
        }
        /* A write that moves nothing would be repeated for ever. */
        if (op->kind == RING_WRITE && op->done < op->len) res = -EIO;
        else res = (int32_t)op->done;
    }
    *out = (struct ring_result){ .tag = op->tag, .res = res };
    release(ring, op);
    return true;
}

static size_t run_plain(struct ring *ring, struct ring_result *results, size_t max)
{
    size_t count = 0;

    while (count < max && ring->queue_count > 0) {
        struct ring_op *op = pop(ring);

        if (settle(ring, op, ring_plain_run(op), &results[count])) count++;
    }
    return count;
}

static void prepare(struct io_uring_sqe *sqe, const struct ring_op *op)
{
    uint64_t at = op->offset + op->done;
    uint32_t left = op->len - op->done;

    switch (op->kind) {
    case RING_READ: io_uring_prep_read(sqe, op->fd, op->into + op->done, left, at); break;
    case RING_WRITE: io_uring_prep_write(sqe, op->fd, op->from + op->done, left, at); break;
    case RING_FSYNC: io_uring_prep_fsync(sqe, op->fd, 0); break;
    case RING_OPENAT2: io_uring_prep_openat2(sqe, op->fd, op->path, op->how); break;
    case RING_STATX:
        io_uring_prep_statx(sqe, op->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, op->statx);
        break;
    case RING_CLOSE: io_uring_prep_close(sqe, op->fd); break;
    }
}

static void fill_sqes(struct ring *ring)
{
    while (ring->queue_count > 0) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
        struct ring_op *op;

        if (sqe == NULL) return;        /* the next submission takes the rest */
        op = pop(ring);
        prepare(sqe, op);
        io_uring_sqe_set_data64(sqe, index_of(ring, op));
        op->state = RING_UNDER_WAY;
        ring->under_way++;
    }
}

/* The kernel writes into the callers' buffers until the last CQE: wait for all of them, so that
 * these may be freed. What it has not taken yet is not begun. Descriptors that nobody will take are
 * closed. */
static void drain(struct ring *ring)
{
    while (ring->under_way > io_uring_sq_ready(&ring->uring)) {
        struct io_uring_cqe *cqe = NULL;
        int res = io_uring_wait_cqe(&ring->uring, &cqe);

        if (res == -EINTR) continue;
        if (res < 0) return;        /* freeing the ring cancels the rest */
        if (ring->ops[io_uring_cqe_get_data64(cqe)].kind == RING_OPENAT2 && cqe->res >= 0) {
            close_quietly(cqe->res);
        }
        io_uring_cqe_seen(&ring->uring, cqe);
        ring->under_way--;
    }
}

/* The ring is of no more use; nothing of it is under way any more. */
static enum ca_status fail_ring(struct ring *ring, const char *what, int errnum,
                                struct ca_error *err)
{
    ring->broken = true;
    drain(ring);
    return ca_fail_errno(err, errnum, "io_uring failed: %s", what);
}

static enum ca_status enable(struct ring *ring, struct ca_error *err)
{
    int res;

    if (!ring->disabled) return CA_OK;
    /* Not io_uring_enable_rings: the shared library of liburing 2.3 does not export it. */
    res = io_uring_register((unsigned)ring->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (res < 0) return fail_ring(ring, "cannot enable the ring", -res, err);
    ring->disabled = false;
    return CA_OK;
}

static int submit_once(struct ring *ring, unsigned wait)
{
    int fault = fault_hit(FAULT_RING_SUBMIT);

    if (fault > 0) return -fault;
    if (wait > 0) return io_uring_submit_and_wait(&ring->uring, wait);
    return io_uring_submit(&ring->uring);
}

static bool has_results(struct ring *ring)
{
    return io_uring_cq_ready(&ring->uring) > 0;
}

/* Hands everything queued to the kernel; with wait, comes back when there is a result. A refused
 * submission leaves its SQEs in the ring: it is repeated, never dropped. */
static enum ca_status submit(struct ring *ring, unsigned wait, struct ca_error *err)
{
    const struct timespec pause = { .tv_nsec = SUBMIT_PAUSE_MS * 1000000L };
    enum ca_status st = enable(ring, err);
    unsigned tries = 0;

    if (st != CA_OK) return st;
    fill_sqes(ring);
    while (io_uring_sq_ready(&ring->uring) > 0 || (wait > 0 && !has_results(ring))) {
        unsigned before = io_uring_sq_ready(&ring->uring);
        int res = submit_once(ring, wait);

        if (res < 0 && res != -EINTR && res != -EAGAIN && res != -EBUSY) {
            return fail_ring(ring, "cannot submit", -res, err);
        }
        if (res < 0 && has_results(ring) && wait > 0) return CA_OK;     /* taking them makes room */
        if (io_uring_sq_ready(&ring->uring) < before) tries = 0;
        else if (res < 0 && ++tries > SUBMIT_TRIES_MAX) {
            return fail_ring(ring, "it takes no work", -res, err);
        }
        if (res == -EAGAIN || res == -EBUSY) (void)nanosleep(&pause, NULL);
        fill_sqes(ring);
    }
    return CA_OK;
}

static size_t reap(struct ring *ring, struct ring_result *results, size_t max)
{
    struct io_uring_cqe *cqe = NULL;
    size_t count = 0;

    while (count < max && has_results(ring) && io_uring_peek_cqe(&ring->uring, &cqe) == 0) {
        uint64_t index = io_uring_cqe_get_data64(cqe);
        int32_t res = cqe->res;
        struct ring_op *op;

        io_uring_cqe_seen(&ring->uring, cqe);
        assert(index < ring->depth && ring->under_way > 0);
        op = &ring->ops[index];
        assert(op->state == RING_UNDER_WAY);    /* one CQE for one SQE */
        ring->under_way--;
        if (settle(ring, op, res, &results[count])) count++;
    }
    return count;
}

enum ca_status ring_submit(struct ring *ring, struct ca_error *err)
{
    if (ring->plain) return CA_OK;
    if (ring->broken) return ca_fail(err, CA_IO, "the ring failed before");
    return ring->queue_count == 0 ? CA_OK : submit(ring, 0, err);
}

static enum ca_status wait_uring(struct ring *ring, struct ring_result *results, size_t max,
                                 size_t *count, struct ca_error *err)
{
    enum ca_status st;

    if (ring->broken) return ca_fail(err, CA_IO, "the ring failed before");
    do {
        st = submit(ring, 1, err);
        if (st != CA_OK) return st;
        *count = reap(ring, results, max);
    } while (*count == 0);
    /* What came back short goes on while the caller works on the rest. */
    return ring_submit(ring, err);
}

enum ca_status ring_wait(struct ring *ring, struct ring_result *results, size_t max,
                         size_t *count, struct ca_error *err)
{
    assert(max > 0);
    *count = 0;
    if (ring->plain) {
        while (*count == 0 && ring_pending(ring) > 0) *count = run_plain(ring, results, max);
        return CA_OK;
    }
    if (ring_pending(ring) == 0) return CA_OK;
    return wait_uring(ring, results, max, count, err);
}

static enum ca_status wait_one(struct ring *ring, int32_t *res, struct ca_error *err)
{
    struct ring_result result = { 0 };
    size_t count;
    enum ca_status st = ring_wait(ring, &result, 1, &count, err);

    *res = result.res;
    return st;
}

enum ca_status ring_write_now(struct ring *ring, int fd, struct ca_bytes data, uint64_t offset,
                              const char *what, struct ca_error *err)
{
    assert(ring_pending(ring) == 0);
    while (data.len > 0) {
        uint32_t len = data.len > INT32_MAX ? INT32_MAX : (uint32_t)data.len;
        enum ca_status st;
        int32_t res;

        ring_write(ring, fd, data.data, len, offset, 0);
        st = wait_one(ring, &res, err);
        if (st != CA_OK) return st;
        if (res < 0) return ca_fail_errno(err, -res, "cannot write %s", what);
        data = ca_bytes_slice(data, len, data.len - len);
        offset += len;
    }
    return CA_OK;
}

enum ca_status ring_fsync_now(struct ring *ring, int fd, const char *what, struct ca_error *err)
{
    enum ca_status st;
    int32_t res;

    assert(ring_pending(ring) == 0);
    ring_fsync(ring, fd, 0);
    st = wait_one(ring, &res, err);
    if (st != CA_OK) return st;
    if (res < 0) return ca_fail_errno(err, -res, "cannot sync %s", what);
    return CA_OK;
}

void ring_close(struct ring *ring)
{
    if (ring == NULL) return;
    if (!ring->plain) {
        if (!ring->broken) drain(ring);
        io_uring_queue_exit(&ring->uring);
    }
    free(ring->ops);
    free(ring->free_ops);
    free(ring->queue);
    free(ring);
}
