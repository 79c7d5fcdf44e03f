#include "io/source.h"
#include "io/fault.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads land behind SPLIT_CARRY_MAX octets of room, into which the rest of the window before is
 * copied: that is what keeps the window contiguous, and costs one part of a record in each read. */
struct buffer {
    uint8_t *memory;
    size_t filled;      /* octets read, behind the room */
    bool reading;       /* the ring writes into it */
};

struct source {
    struct ring *ring;
    size_t read_octets;
    int stop_fd;
    struct buffer buffers[2];
    unsigned next;              /* file: the buffer whose read comes next; stream: the one in use */
    int fd;                     /* -1: none */
    bool is_file;
    bool at_end;
    const char *name;
    uint64_t offset;            /* file: where the next read begins */
    const uint8_t *data;        /* the window */
    size_t len;
};

enum ca_status source_new(struct ring *ring, size_t read_octets, int stop_fd, struct source **out,
                          struct ca_error *err)
{
    struct source *source = calloc(1, sizeof(*source));

    assert(read_octets > 0 && read_octets <= INT32_MAX);
    if (source == NULL) return ca_fail(err, CA_NOMEM, "no memory for reading inputs");
    source->ring = ring;
    source->read_octets = read_octets;
    source->stop_fd = stop_fd;
    source->fd = -1;
    for (int i = 0; i < 2; i++) {
        source->buffers[i].memory = malloc(SPLIT_CARRY_MAX + read_octets);
        if (source->buffers[i].memory == NULL) {
            source_free(source);
            return ca_fail(err, CA_NOMEM, "no memory for reading inputs");
        }
    }
    *out = source;
    return CA_OK;
}

void source_free(struct source *source)
{
    if (source == NULL) return;
    source_end(source);
    free(source->buffers[0].memory);
    free(source->buffers[1].memory);
    free(source);
}

enum ca_status source_check_stop(int stop_fd, struct ca_error *err)
{
    struct pollfd poll_fd = { .fd = stop_fd, .events = POLLIN };

    if (stop_fd == -1 || poll(&poll_fd, 1, 0) <= 0) return CA_OK;
    return ca_fail(err, CA_AGAIN, "asked to stop");
}

static void start_read(struct source *source, unsigned index)
{
    struct buffer *buffer = &source->buffers[index];

    buffer->reading = true;
    buffer->filled = 0;
    ring_read(source->ring, source->fd, buffer->memory + SPLIT_CARRY_MAX,
              (uint32_t)source->read_octets, source->offset, index);
    source->offset += source->read_octets;
}

/* Takes results until the buffer's own has come. */
static enum ca_status finish_read(struct source *source, unsigned index, struct ca_error *err)
{
    while (source->buffers[index].reading) {
        struct ring_result result;
        struct buffer *buffer;
        size_t count;
        enum ca_status st = ring_wait(source->ring, &result, 1, &count, err);

        if (st != CA_OK) return st;
        assert(count == 1 && result.tag < 2);
        buffer = &source->buffers[result.tag];
        buffer->reading = false;
        if (result.res < 0) return ca_fail_errno(err, -result.res, "cannot read %s", source->name);
        buffer->filled = (size_t)result.res;
    }
    return CA_OK;
}

enum ca_status source_begin(struct source *source, int fd, bool is_file, const char *name,
                            struct ca_error *err)
{
    assert(source->fd == -1);
    source->fd = fd;
    source->is_file = is_file;
    source->at_end = false;
    source->name = name;
    source->offset = 0;
    source->next = 0;
    source->buffers[0].filled = 0;
    source->data = source->buffers[0].memory + SPLIT_CARRY_MAX;
    source->len = 0;
    if (!is_file) return CA_OK;
    start_read(source, 0);
    return ring_submit(source->ring, err);
}

void source_end(struct source *source)
{
    if (source->fd == -1) return;
    for (unsigned i = 0; i < 2; i++) {
        /* Nobody wants the octets any more. A broken ring has nothing under way. */
        if (source->buffers[i].reading) (void)!finish_read(source, i, NULL);
        source->buffers[i].reading = false;
    }
    if (source->is_file) (void)close(source->fd);       /* read only: nothing to lose */
    source->fd = -1;
    source->len = 0;
}

struct ca_bytes source_window(const struct source *source)
{
    return ca_bytes_of(source->data, source->len);
}

void source_drop(struct source *source, size_t octets)
{
    assert(octets <= source->len);
    source->data += octets;
    source->len -= octets;
}

bool source_at_end(const struct source *source)
{
    return source->at_end;
}

/* Moves the window to the end of the room before buffer's read octets. */
static void carry(struct source *source, const struct buffer *buffer)
{
    uint8_t *to = buffer->memory + SPLIT_CARRY_MAX - source->len;

    assert(source->len <= SPLIT_CARRY_MAX);
    memcpy(to, source->data, source->len);
    source->data = to;
}

static enum ca_status more_of_file(struct source *source, struct ca_error *err)
{
    unsigned taken = source->next;
    enum ca_status st = finish_read(source, taken, err);

    if (st != CA_OK) return st;
    carry(source, &source->buffers[taken]);
    source->len += source->buffers[taken].filled;
    source->at_end = source->buffers[taken].filled < source->read_octets;
    if (source->at_end) return CA_OK;
    source->next = 1 - taken;
    start_read(source, source->next);
    return ring_submit(source->ring, err);
}

/* Until the stream has something or stop_fd says that nobody waits for it any more. */
static enum ca_status wait_readable(const struct source *source, struct ca_error *err)
{
    struct pollfd fds[2] = { { .fd = source->stop_fd, .events = POLLIN },
                             { .fd = source->fd, .events = POLLIN } };

    while (poll(fds, 2, -1) == -1) {        /* a negative descriptor is passed over */
        if (errno != EINTR) return ca_fail_errno(err, errno, "cannot wait for %s", source->name);
    }
    if (fds[0].revents != 0) return ca_fail(err, CA_AGAIN, "asked to stop");
    return CA_OK;
}

/* One read; -1 and errno EAGAIN when a descriptor of the non-blocking kind has nothing after
 * all. */
static ssize_t read_stream(const struct source *source, uint8_t *into, size_t len)
{
    int fault = fault_hit(FAULT_RING_READ);

    if (fault > 0) {
        errno = fault;
        return -1;
    }
    if (fault == FAULT_SHORT && len > 1) len /= 2;
    return read(source->fd, into, len);
}

static enum ca_status more_of_stream(struct source *source, struct ca_error *err)
{
    struct buffer *buffer = &source->buffers[source->next];
    ssize_t got;

    if (buffer->filled == source->read_octets) {
        source->next = 1 - source->next;
        buffer = &source->buffers[source->next];
        buffer->filled = 0;
        carry(source, buffer);
    }
    do {
        enum ca_status st = wait_readable(source, err);

        if (st != CA_OK) return st;
        got = read_stream(source, buffer->memory + SPLIT_CARRY_MAX + buffer->filled,
                          source->read_octets - buffer->filled);
    } while (got == -1 && (errno == EINTR || errno == EAGAIN));
    if (got == -1) return ca_fail_errno(err, errno, "cannot read %s", source->name);
    buffer->filled += (size_t)got;
    source->len += (size_t)got;
    source->at_end = got == 0;
    return CA_OK;
}

enum ca_status source_more(struct source *source, struct ca_error *err)
{
    enum ca_status st;

    assert(source->fd != -1 && !source->at_end);
    if (!source->is_file) return more_of_stream(source, err);
    st = source_check_stop(source->stop_fd, err);
    return st == CA_OK ? more_of_file(source, err) : st;
}
