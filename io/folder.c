#include "io/folder.h"
#include "io/source.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_MAX 256                       /* files open at once */
#define ARENA_OCTETS ((size_t)1 << 20)      /* content read and not yet handed out */
#define NAMES_MAX ((size_t)1 << 30)         /* octets of all names of a directory */
#define ASK_MIN 4096                        /* a usual request fits, whatever statx said */
#define ASK_MAX (INGEST_RECORD_MAX + 1)     /* one more shows that the file is too long */
#define FDS_SPARE 64                        /* descriptors left for the rest of the process */
#define RESULTS_MAX 64

enum slot_state { SLOT_TO_READ, SLOT_DONE };

/* One file of the batch. */
struct slot {
    enum slot_state state;
    enum ingest_kind kind;      /* when done */
    int fd;                     /* -1: not open */
    int errnum;
    int32_t res;                /* of the last operation */
    uint32_t ask;               /* octets to read */
    uint8_t *data;              /* in the arena */
    size_t len;                 /* octets of the file, when it is INGEST_FILE */
    struct statx stat;
};

struct folder {
    struct ring *ring;
    const char *path;
    int stop_fd;
    int dir_fd;
    struct open_how how;
    struct ca_buf text;         /* the names, each with its terminating zero */
    const char **names;         /* sorted */
    size_t count;
    size_t next;                /* index of the file that folder_next gives */
    size_t first;               /* index of slots[0] */
    size_t loaded;              /* slots in use */
    size_t batch_max;
    uint8_t *arena;
    struct slot slots[BATCH_MAX];
};

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Calls each with every entry of the directory; closes fd. */
static enum ca_status for_each_entry(int fd, const char *path,
                                     void (*each)(void *ctx, const char *name), void *ctx,
                                     struct ca_error *err)
{
    DIR *dir = fd == -1 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    int failed = errno;

    if (dir == NULL) {
        if (fd != -1) (void)close(fd);
        return ca_fail_errno(err, failed, "cannot list %s", path);
    }
    for (;;) {
        errno = 0;
        entry = readdir(dir);
        if (entry == NULL) break;
        if (!is_dots(entry->d_name)) each(ctx, entry->d_name);
    }
    failed = errno;
    (void)closedir(dir);
    return failed == 0 ? CA_OK : ca_fail_errno(err, failed, "cannot list %s", path);
}

static void count_entry(void *ctx, const char *name)
{
    uint64_t *count = ctx;

    (void)name;
    (*count)++;
}

enum ca_status folder_count_entries(const char *path, uint64_t *count, struct ca_error *err)
{
    uint64_t n = 0;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum ca_status st = for_each_entry(fd, path, count_entry, &n, err);

    if (st == CA_OK) *count = n;
    return st;
}

static void add_entry(void *ctx, const char *name)
{
    struct folder *folder = ctx;

    ca_buf_append(&folder->text, name, strlen(name) + 1);
    folder->count++;
}

/* strcmp compares as unsigned char: byte order, whatever the locale. */
static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum ca_status list(struct folder *folder, struct ca_error *err)
{
    int fd = fcntl(folder->dir_fd, F_DUPFD_CLOEXEC, 0);
    enum ca_status st = for_each_entry(fd, folder->path, add_entry, folder, err);
    const char *at;

    if (st == CA_OK) st = ca_buf_status(&folder->text, "the names of a directory", err);
    if (st != CA_OK) return st;
    folder->names = calloc(folder->count + 1, sizeof(*folder->names));
    if (folder->names == NULL) {
        return ca_fail(err, CA_NOMEM, "no memory for the names of a directory");
    }
    at = (const char *)folder->text.data;
    for (size_t i = 0; i < folder->count; i++) {
        folder->names[i] = at;
        at += strlen(at) + 1;
    }
    qsort(folder->names, folder->count, sizeof(*folder->names), compare_names);
    return CA_OK;
}

/* As many files at once as the limit on descriptors lets us, so that a low one costs speed only. */
static size_t choose_batch(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= BATCH_MAX + FDS_SPARE) {
        return BATCH_MAX;
    }
    return limit.rlim_cur > FDS_SPARE ? (size_t)limit.rlim_cur - FDS_SPARE : 1;
}

enum ca_status folder_open(struct ring *ring, const char *path, int stop_fd, struct folder **out,
                           struct ca_error *err)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    enum ca_status st = CA_OK;

    if (folder == NULL) return ca_fail(err, CA_NOMEM, "no memory for a directory");
    folder->ring = ring;
    folder->path = path;
    folder->stop_fd = stop_fd;
    folder->batch_max = choose_batch();
    /* O_NONBLOCK: a FIFO without a writer must not hold us up before statx tells what it is. */
    folder->how = (struct open_how){
        .flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    ca_buf_init(&folder->text, NAMES_MAX);
    folder->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->dir_fd == -1) {
        st = ca_fail_errno(err, errno, "cannot open %s", path);
        goto out;
    }
    folder->arena = malloc(ARENA_OCTETS);
    if (folder->arena == NULL) {
        st = ca_fail(err, CA_NOMEM, "no memory for the files of a directory");
        goto out;
    }
    st = list(folder, err);
    if (st != CA_OK) goto out;
    *out = folder;
    folder = NULL;
out:
    folder_close(folder);
    return st;
}

void folder_close(struct folder *folder)
{
    if (folder == NULL) return;
    for (size_t i = 0; i < folder->loaded; i++) {
        if (folder->slots[i].fd >= 0) (void)close(folder->slots[i].fd);     /* read only */
    }
    if (folder->dir_fd >= 0) (void)close(folder->dir_fd);
    ca_buf_clear(&folder->text);
    free(folder->names);
    free(folder->arena);
    free(folder);
}

uint64_t folder_count(const struct folder *folder)
{
    return folder->count;
}

struct ca_bytes folder_name(const struct folder *folder, uint64_t index)
{
    assert(index < folder->count);
    return ca_bytes_str(folder->names[index]);
}

void folder_seek(struct folder *folder, uint64_t index)
{
    assert(folder->loaded == 0 && index <= folder->count);
    folder->next = folder->first = (size_t)index;
}

/* Takes results into their slots until at most left operations are pending. */
static enum ca_status collect(struct folder *folder, unsigned left, struct ca_error *err)
{
    while (ring_pending(folder->ring) > left) {
        struct ring_result results[RESULTS_MAX];
        size_t count;
        enum ca_status st = ring_wait(folder->ring, results, RESULTS_MAX, &count, err);

        if (st != CA_OK) return st;
        for (size_t i = 0; i < count; i++) folder->slots[results[i].tag].res = results[i].res;
    }
    return CA_OK;
}

static enum ca_status make_room(struct folder *folder, struct ca_error *err)
{
    if (ring_room(folder->ring) > 0) return CA_OK;
    return collect(folder, ring_pending(folder->ring) - 1, err);
}

/* Closes what is done; a failed close of a file that was only read loses nothing. */
static enum ca_status close_done(struct folder *folder, struct ca_error *err)
{
    for (size_t i = 0; i < folder->loaded; i++) {
        struct slot *slot = &folder->slots[i];
        enum ca_status st;

        if (slot->state != SLOT_DONE || slot->fd < 0) continue;
        st = make_room(folder, err);
        if (st != CA_OK) return st;
        ring_close_fd(folder->ring, slot->fd, i);
        slot->fd = -1;
    }
    return collect(folder, 0, err);
}

static void settle(struct slot *slot, enum ingest_kind kind, int errnum)
{
    slot->state = SLOT_DONE;
    slot->kind = kind;
    slot->errnum = errnum;
}

/* What a refused open says about the entry. CA_IO when it says something about us: good requests
 * must not be refused because descriptors are short. */
static enum ca_status judge_open(struct folder *folder, size_t index, struct ca_error *err)
{
    struct slot *slot = &folder->slots[index];
    int errnum = -slot->res;
    enum ca_status st;

    if (slot->res >= 0) {
        slot->fd = slot->res;
        return CA_OK;
    }
    if (errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM) {
        st = ca_fail_errno(err, errnum, "cannot open %s/%s", folder->path,
                           folder->names[folder->first + index]);
        ca_hint(err, "raise the limit on open files (ulimit -n)");
        return st;
    }
    /* A link, a way out of the directory, a socket or a device without a driver. */
    if (errnum == ELOOP || errnum == EXDEV || errnum == ENXIO || errnum == ENODEV) {
        settle(slot, INGEST_NOT_A_FILE, 0);
    } else {
        settle(slot, INGEST_UNREADABLE, errnum);
    }
    return CA_OK;
}

static enum ca_status open_all(struct folder *folder, struct ca_error *err)
{
    enum ca_status st = CA_OK;

    for (size_t i = 0; i < folder->loaded; i++) {
        const char *name = folder->names[folder->first + i];

        /* Some file systems have longer names than others have room for. */
        if (strlen(name) > INGEST_PATH_MAX) {
            settle(&folder->slots[i], INGEST_UNREADABLE, ENAMETOOLONG);
            continue;
        }
        st = make_room(folder, err);
        if (st != CA_OK) return st;
        ring_openat2(folder->ring, folder->dir_fd, name, &folder->how, i);
    }
    st = collect(folder, 0, err);
    if (st != CA_OK) return st;
    for (size_t i = 0; i < folder->loaded; i++) {
        enum ca_status judged;

        if (folder->slots[i].state == SLOT_DONE) continue;
        judged = judge_open(folder, i, st == CA_OK ? err : NULL);
        if (st == CA_OK) st = judged;       /* go on: every descriptor must come into its slot */
    }
    return st;
}

static void judge_stat(struct slot *slot)
{
    if (slot->res < 0) {
        settle(slot, INGEST_UNREADABLE, -slot->res);
    } else if (!S_ISREG(slot->stat.stx_mode)) {
        settle(slot, INGEST_NOT_A_FILE, 0);
    } else if (slot->stat.stx_size > INGEST_RECORD_MAX) {
        settle(slot, INGEST_TOO_LONG, 0);
    } else {
        slot->ask = (uint32_t)slot->stat.stx_size + 1;
        if (slot->ask < ASK_MIN) slot->ask = ASK_MIN;
    }
}

static enum ca_status stat_all(struct folder *folder, struct ca_error *err)
{
    enum ca_status st;

    for (size_t i = 0; i < folder->loaded; i++) {
        struct slot *slot = &folder->slots[i];

        if (slot->state == SLOT_DONE) continue;
        st = make_room(folder, err);
        if (st != CA_OK) return st;
        ring_statx(folder->ring, slot->fd, &slot->stat, i);
    }
    st = collect(folder, 0, err);
    if (st != CA_OK) return st;
    for (size_t i = 0; i < folder->loaded; i++) {
        if (folder->slots[i].state == SLOT_TO_READ) judge_stat(&folder->slots[i]);
    }
    return close_done(folder, err);
}

/* Opens and looks at the next files; their content is read when it is asked for. */
static enum ca_status load(struct folder *folder, struct ca_error *err)
{
    size_t left = folder->count - folder->next;
    enum ca_status st = source_check_stop(folder->stop_fd, err);

    if (st != CA_OK) return st;
    folder->first = folder->next;
    folder->loaded = left < folder->batch_max ? left : folder->batch_max;
    for (size_t i = 0; i < folder->loaded; i++) folder->slots[i] = (struct slot){ .fd = -1 };
    st = open_all(folder, err);
    return st == CA_OK ? stat_all(folder, err) : st;
}

/* False when the file turned out longer than it was said to be and must be read anew. */
static bool judge_read(struct slot *slot)
{
    if (slot->res < 0) {
        settle(slot, INGEST_UNREADABLE, -slot->res);
    } else if (slot->res > INGEST_RECORD_MAX) {
        settle(slot, INGEST_TOO_LONG, 0);
    } else if ((uint32_t)slot->res == slot->ask) {
        slot->ask = ASK_MAX;
        return false;
    } else {
        settle(slot, INGEST_FILE, 0);
        slot->len = (size_t)slot->res;
    }
    return true;
}

/* Reads files from this slot on, as many as the arena holds. */
static enum ca_status read_group(struct folder *folder, size_t from, struct ca_error *err)
{
    size_t used = 0;
    size_t end = from;
    enum ca_status st;

    for (; end < folder->loaded; end++) {
        struct slot *slot = &folder->slots[end];

        if (slot->state == SLOT_DONE) continue;
        if (slot->ask > ARENA_OCTETS - used) break;
        st = make_room(folder, err);
        if (st != CA_OK) return st;
        slot->data = folder->arena + used;
        used += slot->ask;
        ring_read(folder->ring, slot->fd, slot->data, slot->ask, 0, end);
    }
    st = collect(folder, 0, err);
    if (st != CA_OK) return st;
    for (size_t i = from; i < end; i++) {
        if (folder->slots[i].state == SLOT_DONE) continue;
        /* It and those behind it are read again: the next group begins with it and takes the
         * arena. */
        if (!judge_read(&folder->slots[i])) break;
    }
    return close_done(folder, err);
}

enum ca_status folder_next(struct folder *folder, struct folder_file *out, struct ca_error *err)
{
    struct slot *slot;
    enum ca_status st = CA_OK;

    assert(folder->next < folder->count);
    if (folder->next == folder->first + folder->loaded) st = load(folder, err);
    if (st != CA_OK) return st;
    slot = &folder->slots[folder->next - folder->first];
    while (slot->state == SLOT_TO_READ) {
        st = read_group(folder, folder->next - folder->first, err);
        if (st != CA_OK) return st;
    }
    *out = (struct folder_file){
        .kind = slot->kind,
        .name = folder_name(folder, folder->next),
        .errnum = slot->errnum,
    };
    if (out->name.len > INGEST_PATH_MAX) out->name.len = INGEST_PATH_MAX;
    if (slot->kind == INGEST_FILE) out->data = ca_bytes_of(slot->data, slot->len);
    folder->next++;
    return CA_OK;
}
