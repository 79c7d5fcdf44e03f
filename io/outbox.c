#include "io/outbox.h"
#include "io/fault.h"
#include "io/outbox_dir.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_OCTETS ((size_t)1 << 18)     /* six of them, soon all in use: memory is soon level */
#define LOOSE_MAX 64        /* files of put_file that are written and wait for a common sync */
#define TAG_SYNC 16         /* tags below: file * 2 + buffer; from here on: an fsync */

struct buffer {
    uint8_t *data;          /* BUFFER_OCTETS; NULL before its first use */
    size_t filled;
    bool writing;           /* the ring reads it */
};

struct part {
    int fd;
    uint64_t queued;        /* octets handed to the ring: where the next write goes */
    bool dirty;             /* written to since the last sync */
    unsigned filling;       /* which buffer takes what is appended */
    struct buffer buffers[2];
};

struct loose {
    int fd;
    char name[NAME_MAX + 1];
};

struct outbox {
    struct ring *ring;
    struct outbox_dir dir;
    struct part parts[OUTBOX_FILE_COUNT];
    struct loose loose[LOOSE_MAX];
    size_t loose_count;
    uint64_t sync_count;
    bool ring_dead;             /* no result comes any more, and nothing is under way */
    bool failed;
    struct ca_error failure;    /* the first; every later call returns it */
};

const char *outbox_file_name(enum outbox_file file)
{
    switch (file) {
    case OUTBOX_CERTS: return "certs.pem";
    case OUTBOX_RESULTS: return "results.ndjson";
    case OUTBOX_REJECTED: return "rejected.ndjson";
    case OUTBOX_FILE_COUNT: break;
    }
    return "";
}

enum ca_status outbox_open(struct ring *ring, const struct outbox_spec *spec, struct outbox **out,
                           struct ca_error *err)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    int fds[OUTBOX_FILE_COUNT];
    enum ca_status st;

    if (outbox == NULL) return ca_fail(err, CA_NOMEM, "no memory for the outputs");
    outbox->ring = ring;
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) outbox->parts[i].fd = -1;
    outbox->dir.fd = -1;
    st = outbox_dir_open(&outbox->dir, spec, err);
    if (st == CA_OK) st = outbox_dir_open_parts(&outbox->dir, spec, fds, err);
    if (st != CA_OK) {
        outbox_close(outbox);
        return st;
    }
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        outbox->parts[i].fd = fds[i];
        outbox->parts[i].queued = spec->resume ? spec->lengths.octets[i] : 0;
        outbox->parts[i].dirty = true;      /* created or cut just now */
    }
    *out = outbox;
    return CA_OK;
}

/* Keeps the first failure: after it nothing is written, synced or renamed any more, because what
 * the kernel dropped at a failed write or sync stays dropped even where a second one succeeds. */
static enum ca_status keep(struct outbox *outbox, enum ca_status st, const struct ca_error *failure,
                           struct ca_error *err)
{
    if (st == CA_OK) return st;
    if (!outbox->failed) {
        outbox->failed = true;
        outbox->failure = *failure;
    }
    if (err != NULL) *err = outbox->failure;
    return outbox->failure.status;
}

/* Takes one result. A failed write or sync is the call's failure. */
static enum ca_status take_result(struct outbox *outbox, struct ca_error *err)
{
    struct ring_result result;
    size_t count;
    enum ca_status st = ring_wait(outbox->ring, &result, 1, &count, err);
    struct buffer *buffer;

    if (st != CA_OK) {
        outbox->ring_dead = true;
        return st;
    }
    assert(count == 1);
    if (result.tag >= TAG_SYNC) {
        if (result.res >= 0) return CA_OK;
        return ca_fail_errno(err, -result.res, "cannot sync the outputs in %s", outbox->dir.path);
    }
    buffer = &outbox->parts[result.tag / 2].buffers[result.tag % 2];
    buffer->writing = false;
    buffer->filled = 0;
    if (result.res >= 0) return CA_OK;
    return ca_fail_errno(err, -result.res, "cannot write %s in %s",
                         outbox_file_name((enum outbox_file)(result.tag / 2)), outbox->dir.path);
}

/* Takes all results, the failed ones too; returns the first failure. */
static enum ca_status take_all(struct outbox *outbox, struct ca_error *err)
{
    enum ca_status first = CA_OK;

    while (ring_pending(outbox->ring) > 0 && !outbox->ring_dead) {
        enum ca_status st = take_result(outbox, first == CA_OK ? err : NULL);

        if (first == CA_OK) first = st;
    }
    return first;
}

void outbox_close(struct outbox *outbox)
{
    if (outbox == NULL) return;
    /* The ring may still read from our buffers; whether it succeeds concerns nobody now. */
    (void)!take_all(outbox, NULL);
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        struct part *part = &outbox->parts[i];

        if (part->fd != -1) (void)close(part->fd);
        free(part->buffers[0].data);
        free(part->buffers[1].data);
    }
    for (size_t i = 0; i < outbox->loose_count; i++) (void)close(outbox->loose[i].fd);
    outbox_dir_close(&outbox->dir);
    free(outbox);
}

void outbox_discard(struct outbox *outbox)
{
    if (outbox == NULL) return;
    outbox_dir_remove_parts(&outbox->dir);
    outbox_close(outbox);
}

static enum ca_status make_room(struct outbox *outbox, struct ca_error *err)
{
    return ring_room(outbox->ring) > 0 ? CA_OK : take_result(outbox, err);
}

static enum ca_status hit(struct outbox *outbox, enum fault_point point, const char *what,
                          struct ca_error *err)
{
    int fault = fault_hit(point);

    if (fault <= 0) return CA_OK;
    return ca_fail_errno(err, fault, "cannot %s in %s", what, outbox->dir.path);
}

/* Hands the buffer that was being filled to the ring, and takes the other one. */
static enum ca_status flush(struct outbox *outbox, enum outbox_file file, struct ca_error *err)
{
    struct part *part = &outbox->parts[file];
    struct buffer *buffer = &part->buffers[part->filling];
    enum ca_status st;

    if (buffer->filled == 0) return CA_OK;
    st = hit(outbox, FAULT_OUTBOX_WRITE, "write the outputs", err);
    if (st == CA_OK) st = make_room(outbox, err);
    if (st != CA_OK) return st;
    ring_write(outbox->ring, part->fd, buffer->data, (uint32_t)buffer->filled, part->queued,
               (uint64_t)file * 2 + part->filling);
    buffer->writing = true;
    part->queued += buffer->filled;
    part->dirty = true;
    part->filling = 1 - part->filling;
    st = ring_submit(outbox->ring, err);
    while (st == CA_OK && part->buffers[part->filling].writing) st = take_result(outbox, err);
    return st;
}

static enum ca_status append(struct outbox *outbox, enum outbox_file file, struct ca_bytes data,
                             struct ca_error *err)
{
    struct part *part = &outbox->parts[file];

    while (data.len > 0) {
        struct buffer *buffer = &part->buffers[part->filling];
        size_t step;

        if (buffer->data == NULL) buffer->data = malloc(BUFFER_OCTETS);
        if (buffer->data == NULL) return ca_fail(err, CA_NOMEM, "no memory for the outputs");
        step = BUFFER_OCTETS - buffer->filled;
        if (step > data.len) step = data.len;
        memcpy(buffer->data + buffer->filled, data.data, step);
        buffer->filled += step;
        data = ca_bytes_slice(data, step, data.len - step);
        if (buffer->filled == BUFFER_OCTETS) {
            enum ca_status st = flush(outbox, file, err);

            if (st != CA_OK) return st;
        }
    }
    return CA_OK;
}

enum ca_status outbox_append(struct outbox *outbox, enum outbox_file file, struct ca_bytes data,
                             struct ca_error *err)
{
    struct ca_error failure;
    enum ca_status st;

    if (outbox->failed) return keep(outbox, outbox->failure.status, NULL, err);
    st = append(outbox, file, data, &failure);
    return keep(outbox, st, &failure, err);
}

static enum ca_status sync_dir(struct outbox *outbox, struct ca_error *err)
{
    enum ca_status st = hit(outbox, FAULT_OUTBOX_DIRSYNC, "sync the directory", err);

    if (st != CA_OK) return st;
    outbox->sync_count++;
    return ring_fsync_now(outbox->ring, outbox->dir.fd, outbox->dir.path, err);
}

static enum ca_status queue_sync(struct outbox *outbox, int fd, struct ca_error *err)
{
    enum ca_status st = make_room(outbox, err);

    if (st != CA_OK) return st;
    ring_fsync(outbox->ring, fd, TAG_SYNC);
    outbox->sync_count++;
    return CA_OK;
}

/* All writes were seen to succeed before the first fsync is queued. */
static enum ca_status sync_files(struct outbox *outbox, struct ca_error *err)
{
    enum ca_status st = hit(outbox, FAULT_OUTBOX_SYNC, "sync the outputs", err);

    for (int i = 0; i < OUTBOX_FILE_COUNT && st == CA_OK; i++) {
        if (outbox->parts[i].dirty) st = queue_sync(outbox, outbox->parts[i].fd, err);
    }
    for (size_t i = 0; i < outbox->loose_count && st == CA_OK; i++) {
        st = queue_sync(outbox, outbox->loose[i].fd, err);
    }
    if (st == CA_OK) st = take_all(outbox, err);
    for (int i = 0; i < OUTBOX_FILE_COUNT && st == CA_OK; i++) outbox->parts[i].dirty = false;
    return st;
}

/* Gives a file that is synced its final name. */
static enum ca_status publish(struct outbox *outbox, const char *name, bool replace,
                              struct ca_error *err)
{
    enum ca_status st = hit(outbox, FAULT_OUTBOX_RENAME, "rename the outputs", err);

    return st == CA_OK ? outbox_dir_publish(&outbox->dir, name, replace, err) : st;
}

static enum ca_status publish_loose(struct outbox *outbox, struct ca_error *err)
{
    enum ca_status st = CA_OK;

    if (outbox->loose_count == 0) return CA_OK;
    for (size_t i = 0; i < outbox->loose_count; i++) {
        (void)close(outbox->loose[i].fd);       /* synced before */
        if (st == CA_OK) st = publish(outbox, outbox->loose[i].name, true, err);
    }
    outbox->loose_count = 0;
    return st == CA_OK ? sync_dir(outbox, err) : st;
}

static enum ca_status sync_all(struct outbox *outbox, struct outbox_lengths *lengths,
                               struct ca_error *err)
{
    enum ca_status st = CA_OK;

    for (int i = 0; i < OUTBOX_FILE_COUNT && st == CA_OK; i++) {
        st = flush(outbox, (enum outbox_file)i, err);
    }
    if (st == CA_OK) st = take_all(outbox, err);
    if (st == CA_OK) st = sync_files(outbox, err);
    if (st == CA_OK) st = publish_loose(outbox, err);
    for (int i = 0; i < OUTBOX_FILE_COUNT && st == CA_OK && lengths != NULL; i++) {
        lengths->octets[i] = outbox->parts[i].queued;
    }
    return st;
}

enum ca_status outbox_sync(struct outbox *outbox, struct outbox_lengths *lengths,
                           struct ca_error *err)
{
    struct ca_error failure;
    enum ca_status st;

    if (outbox->failed) return keep(outbox, outbox->failure.status, NULL, err);
    st = sync_all(outbox, lengths, &failure);
    return keep(outbox, st, &failure, err);
}

static enum ca_status check_name(const struct outbox *outbox, const char *name,
                                 struct ca_error *err)
{
    bool ours = strcmp(name, OUTBOX_SUMMARY) == 0;

    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) {
        if (strcmp(name, outbox_file_name((enum outbox_file)i)) == 0) ours = true;
    }
    if (!ours && name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL
        && outbox_dir_name_fits(&outbox->dir, name)) {
        return CA_OK;
    }
    return ca_fail_named(err, CA_REFUSED, "output-name", "no output file can be called \"%s\"",
                         name);
}

/* Writes a whole file under its part name; *fd stays open for the sync. */
static enum ca_status write_whole(struct outbox *outbox, const char *name, struct ca_bytes data,
                                  int *fd, struct ca_error *err)
{
    enum ca_status st = take_all(outbox, err);      /* ring_write_now wants the ring for itself */

    if (st == CA_OK) st = hit(outbox, FAULT_OUTBOX_WRITE, "write the outputs", err);
    if (st == CA_OK) st = outbox_dir_create(&outbox->dir, name, fd, err);
    if (st != CA_OK) return st;
    st = ring_write_now(outbox->ring, *fd, data, 0, name, err);
    if (st == CA_OK) return CA_OK;
    (void)close(*fd);
    *fd = -1;
    return st;
}

static bool is_waiting(const struct outbox *outbox, const char *name)
{
    for (size_t i = 0; i < outbox->loose_count; i++) {
        if (strcmp(outbox->loose[i].name, name) == 0) return true;
    }
    return false;
}

static enum ca_status put_file(struct outbox *outbox, const char *name, struct ca_bytes data,
                               struct ca_error *err)
{
    enum ca_status st = CA_OK;
    bool marked = outbox->dir.has_loose;
    struct loose *loose;
    int fd;

    /* A second file of a name must not take the part name from under the first. */
    if (outbox->loose_count == LOOSE_MAX || is_waiting(outbox, name)) {
        st = sync_all(outbox, NULL, err);
    }
    if (st == CA_OK && !marked) st = outbox_dir_mark_loose(&outbox->dir, err);
    /* The mark must be there before the files that it explains. */
    if (st == CA_OK && !marked) st = take_all(outbox, err);
    if (st == CA_OK && !marked) st = sync_dir(outbox, err);
    if (st == CA_OK) st = write_whole(outbox, name, data, &fd, err);
    if (st != CA_OK) return st;
    loose = &outbox->loose[outbox->loose_count++];
    loose->fd = fd;
    memcpy(loose->name, name, strlen(name) + 1);
    return CA_OK;
}

enum ca_status outbox_put_file(struct outbox *outbox, const char *name, struct ca_bytes data,
                               struct ca_error *err)
{
    struct ca_error failure;
    enum ca_status st;

    if (outbox->failed) return keep(outbox, outbox->failure.status, NULL, err);
    st = check_name(outbox, name, err);
    if (st != CA_OK) return st;
    st = put_file(outbox, name, data, &failure);
    return keep(outbox, st, &failure, err);
}

static enum ca_status put_summary(struct outbox *outbox, struct ca_bytes summary,
                                  struct ca_error *err)
{
    int fd = -1;
    enum ca_status st = write_whole(outbox, OUTBOX_SUMMARY, summary, &fd, err);

    if (st == CA_OK) st = hit(outbox, FAULT_OUTBOX_SYNC, "sync the outputs", err);
    if (st == CA_OK) {
        outbox->sync_count++;
        st = ring_fsync_now(outbox->ring, fd, OUTBOX_SUMMARY, err);
    }
    if (fd != -1) (void)close(fd);      /* synced, or of no use */
    return st == CA_OK ? publish(outbox, OUTBOX_SUMMARY, false, err) : st;
}

static enum ca_status finish(struct outbox *outbox, struct ca_bytes summary, struct ca_error *err)
{
    enum ca_status st = sync_all(outbox, NULL, err);

    for (int i = 0; i < OUTBOX_FILE_COUNT && st == CA_OK; i++) {
        st = publish(outbox, outbox_file_name((enum outbox_file)i), false, err);
    }
    /* Twice: a summary that is there says that all the others are. */
    if (st == CA_OK) st = sync_dir(outbox, err);
    if (st == CA_OK) st = put_summary(outbox, summary, err);
    if (st == CA_OK) st = outbox_dir_unmark_loose(&outbox->dir, err);
    return st == CA_OK ? sync_dir(outbox, err) : st;
}

enum ca_status outbox_finish(struct outbox *outbox, struct ca_bytes summary, struct ca_error *err)
{
    struct ca_error failure;
    enum ca_status st;

    if (outbox->failed) return keep(outbox, outbox->failure.status, NULL, err);
    st = finish(outbox, summary, &failure);
    return keep(outbox, st, &failure, err);
}

uint64_t outbox_sync_count(const struct outbox *outbox)
{
    return outbox->sync_count;
}
