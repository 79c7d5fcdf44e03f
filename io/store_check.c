#include "io/store_private.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/*
 * What is read here is LMDB 0.9's file format, native byte order, 64-bit page numbers:
 *   page   u64 number, u16 -, u16 flags, u16 lower, u16 upper, then u16 offsets of its nodes;
 *   meta   in pages 0 and 1: u32 magic, u32 version, u64 address, u64 map size, two tables of
 *          48 octets (u32 pad, u16 flags, u16 depth, u64 x 4, u64 root), u64 last page, u64 txn;
 *          the first table lists free pages, its pad is the page size;
 *   node   u16 lo, u16 hi, u16 flags, u16 key size, key, data; in a branch lo, hi and flags are the
 *          child's page number; in a leaf lo and hi are the data's length.
 */
#define LMDB_MAGIC UINT32_C(0xBEEFC0DE)
#define LMDB_MAGIC_SWAPPED UINT32_C(0xDEC0EFBE)
#define LMDB_FORMAT 1
#define PAGE_HEADER 16
#define PAGE_BRANCH 0x01
#define PAGE_LEAF 0x02
#define META_LEN 136            /* without the page header */
#define NODE_HEADER 8
#define NODE_BIG 0x01           /* data is the number of the first overflow page */
#define PAGE_NONE UINT64_MAX
#define DEPTH_MAX 32            /* LMDB's own */
#define CHECK_ROUNDS 16         /* a writer may commit while we look; then look again */

static_assert(sizeof(size_t) == 8, "LMDB's page numbers have the width of size_t");

struct meta {
    uint32_t page_bytes;
    uint64_t last_page, txn;
    uint64_t free_root;
    unsigned free_depth;
};

/* A walk over the table of free pages; counts those that lie past the end of the file. */
struct walk {
    int fd;
    struct meta meta;
    uint64_t file_pages;
    uint64_t pages_left;        /* to read: a damaged file may have circles */
    uint64_t free_past_end;
};

static uint16_t native_u16(const uint8_t *in)
{
    uint16_t v;

    memcpy(&v, in, sizeof(v));
    return v;
}

static uint32_t native_u32(const uint8_t *in)
{
    uint32_t v;

    memcpy(&v, in, sizeof(v));
    return v;
}

static uint64_t native_u64(const uint8_t *in)
{
    uint64_t v;

    memcpy(&v, in, sizeof(v));
    return v;
}

static bool read_whole(int fd, uint8_t *out, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = pread(fd, out, len, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        out += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

static enum ca_status damaged(struct ca_error *err, const char *why)
{
    (void)ca_fail_named(err, CA_CORRUPT, "store-damaged", "the store's data file %s", why);
    ca_hint(err, "Nothing was read from it; restore a backup.");
    return CA_CORRUPT;
}

/* ---- pages past the end of the file ---- */

static bool count_free_list(struct walk *w, uint64_t offset, uint64_t len)
{
    uint8_t numbers[4096];
    uint64_t count;

    if (len < 8 || len % 8 != 0 || !read_whole(w->fd, numbers, 8, offset)) return false;
    count = native_u64(numbers);
    if (count > (len - 8) / 8) return false;
    offset += 8;
    while (count > 0) {
        uint64_t part = count < sizeof(numbers) / 8 ? count : sizeof(numbers) / 8;

        if (!read_whole(w->fd, numbers, (size_t)part * 8, offset)) return false;
        for (uint64_t i = 0; i < part; i++) {
            uint64_t page = native_u64(numbers + i * 8);
            if (page >= w->file_pages && page <= w->meta.last_page) w->free_past_end++;
        }
        count -= part;
        offset += part * 8;
    }
    return true;
}

static bool walk_leaf_node(struct walk *w, const uint8_t *page, uint64_t number, size_t at)
{
    uint64_t data_len = native_u32(page + at);
    size_t data_at = at + NODE_HEADER + native_u16(page + at + 6);
    size_t page_bytes = w->meta.page_bytes;

    if ((native_u16(page + at + 4) & NODE_BIG) == 0) {
        if (data_at > page_bytes || data_len > page_bytes - data_at) return false;
        return count_free_list(w, number * page_bytes + data_at, data_len);
    }
    if (data_at + 8 > page_bytes) return false;
    number = native_u64(page + data_at);
    if (number >= w->file_pages) return false;
    return count_free_list(w, number * page_bytes + PAGE_HEADER, data_len);
}

static bool walk_page(struct walk *w, uint64_t number, unsigned depth)
{
    size_t page_bytes = w->meta.page_bytes;
    uint8_t *page;
    size_t lower;
    unsigned flags;
    bool right = false;

    if (depth == 0 || number >= w->file_pages || w->pages_left == 0) return false;
    w->pages_left--;
    page = malloc(page_bytes);
    if (page == NULL || !read_whole(w->fd, page, page_bytes, number * page_bytes)) goto out;
    flags = native_u16(page + 10);
    lower = native_u16(page + 12);
    if (lower < PAGE_HEADER || lower > page_bytes) goto out;
    for (size_t slot = PAGE_HEADER; slot + 2 <= lower; slot += 2) {
        size_t at = native_u16(page + slot);

        if (at + NODE_HEADER > page_bytes) goto out;
        if ((flags & PAGE_BRANCH) != 0) {
            uint64_t child = native_u32(page + at) | ((uint64_t)native_u16(page + at + 4) << 32);
            if (!walk_page(w, child, depth - 1)) goto out;
        } else if ((flags & PAGE_LEAF) == 0 || !walk_leaf_node(w, page, number, at)) {
            goto out;
        }
    }
    right = true;
out:
    free(page);
    return right;
}

/*
 * LMDB counts pages as used up to the last one ever given out, but never writes one that was given
 * out and freed again in the same transaction: a healthy file can end before its last page. That is
 * harmless as long as every page past the end is in the table of free pages, for nobody reads it
 * before it was written.
 */
static bool pages_past_end_are_free(int fd, const struct meta *meta, uint64_t file_pages)
{
    struct walk w = { .fd = fd, .meta = *meta, .file_pages = file_pages, .pages_left = file_pages };

    if (meta->free_root == PAGE_NONE) return false;
    if (meta->free_depth > DEPTH_MAX || !walk_page(&w, meta->free_root, meta->free_depth)) {
        return false;
    }
    return w.free_past_end == meta->last_page + 1 - file_pages;
}

/* ---- the meta pages ---- */

static enum ca_status parse_meta(const uint8_t *page, struct meta *out, struct ca_error *err)
{
    const uint8_t *meta = page + PAGE_HEADER;
    uint32_t magic = native_u32(meta), format = native_u32(meta + 4);

    if (magic == LMDB_MAGIC_SWAPPED) {
        return ca_fail_named(err, CA_REFUSED, "store-version",
                             "the store was made on a machine with another byte order");
    }
    if (magic != LMDB_MAGIC) return damaged(err, "does not begin like one");
    if (format != LMDB_FORMAT) {
        return ca_fail_named(err, CA_REFUSED, "store-version",
                             "the store's data file has LMDB format %u, this program knows %d",
                             (unsigned)format, LMDB_FORMAT);
    }
    out->page_bytes = native_u32(meta + 24);
    out->free_depth = native_u16(meta + 30);
    out->free_root = native_u64(meta + 64);
    out->last_page = native_u64(meta + 120);
    out->txn = native_u64(meta + 128);
    if (out->page_bytes < 512 || out->page_bytes > 65536 ||
        (out->page_bytes & (out->page_bytes - 1)) != 0 ||
        out->last_page >= (UINT64_MAX >> 1) / out->page_bytes) {
        return damaged(err, "has figures in its head that cannot be");
    }
    return CA_OK;
}

/* The newer of the two; LMDB opens a file only when both can be read. */
static enum ca_status read_meta(int fd, struct meta *out, struct ca_error *err)
{
    uint8_t page[PAGE_HEADER + META_LEN];
    struct meta first, second;
    enum ca_status st;

    if (!read_whole(fd, page, sizeof(page), 0)) return damaged(err, "is too short");
    st = parse_meta(page, &first, err);
    if (st != CA_OK) return st;
    if (!read_whole(fd, page, sizeof(page), first.page_bytes)) return damaged(err, "is too short");
    st = parse_meta(page, &second, err);
    if (st != CA_OK) return st;
    if (second.page_bytes != first.page_bytes) {
        return damaged(err, "has two heads that differ in page size");
    }
    *out = second.txn > first.txn ? second : first;
    return CA_OK;
}

static enum ca_status check_length(int fd, struct ca_error *err)
{
    struct meta meta, again;
    struct stat file;
    enum ca_status st = read_meta(fd, &meta, err);

    for (unsigned round = 0; st == CA_OK && round < CHECK_ROUNDS; round++) {
        uint64_t file_pages;

        if (fstat(fd, &file) != 0) return ca_fail_errno(err, errno, "cannot look at the data file");
        file_pages = (uint64_t)file.st_size / meta.page_bytes;
        if (file_pages > meta.last_page) return CA_OK;
        if (file_pages > 1 && pages_past_end_are_free(fd, &meta, file_pages)) return CA_OK;
        st = read_meta(fd, &again, err);
        if (st != CA_OK) return st;
        if (again.txn == meta.txn) break;       /* nobody wrote meanwhile: it is as it looks */
        meta = again;
    }
    return st != CA_OK ? st : damaged(err, "is shorter than its head says");
}

static enum ca_status check_data_file(const char *path, struct ca_error *err)
{
    struct stat file;
    enum ca_status st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) return damaged(err, "is missing");
    if (fd < 0) return ca_fail_errno(err, errno, "cannot open %s", path);
    if (fstat(fd, &file) != 0) {
        st = ca_fail_errno(err, errno, "cannot look at %s", path);
    } else if (!S_ISREG(file.st_mode)) {
        st = damaged(err, "is not a regular file");
    } else {
        st = check_length(fd, err);
    }
    (void)close(fd);
    return st;
}

/* ---- the directory ---- */

const char *store_remote_name(uint64_t type)
{
    /* statfs(2) and linux/magic.h; spelled out because not all of them are there on Debian 12. */
    static const struct { uint64_t type; const char *name; } remote[] = {
        { 0x6969, "NFS" }, { 0x517b, "SMB" }, { 0xff534d42, "CIFS" }, { 0xfe534d42, "SMB2" },
        { 0x65735546, "FUSE" }, { 0x01021997, "9P" }, { 0x5346414f, "AFS" },
        { 0x6b414653, "AFS" }, { 0x73757245, "CODA" }, { 0x00c36400, "CEPH" },
    };

    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        if (remote[i].type == type) return remote[i].name;
    }
    return NULL;
}

enum ca_status store_check_filesystem(const char *dir, struct ca_error *err)
{
    struct statfs fs;
    const char *name;

    if (statfs(dir, &fs) != 0) return ca_fail_errno(err, errno, "cannot look at %s", dir);
    /* f_type is a signed word; some magic numbers have their top bit set. */
    name = store_remote_name((uint64_t)fs.f_type & UINT32_MAX);
    if (name == NULL) return CA_OK;
    (void)ca_fail_named(err, CA_REFUSED, "remote-filesystem",
                        "%s lies on %s, where locks and memory maps are not to be trusted", dir,
                        name);
    ca_hint(err, "Put the store on a local file system.");
    return CA_REFUSED;
}

/*
 * LMDB must not be opened twice in one process: closing either environment drops the locks of both.
 * The kernel's list of our descriptors knows, where a list of our own would be a global.
 */
static bool open_in_this_process(const char *lock_path)
{
    char path[64];
    struct stat lock, file;
    struct dirent *entry;
    bool found = false;
    DIR *fds;

    if (stat(lock_path, &lock) != 0) return false;
    fds = opendir("/proc/self/fd");
    if (fds == NULL) return false;      /* no proc: nothing to look at */
    while (!found && (entry = readdir(fds)) != NULL) {
        if (snprintf(path, sizeof(path), "/proc/self/fd/%.20s", entry->d_name) < 0) continue;
        found = entry->d_name[0] != '.' && stat(path, &file) == 0 && file.st_dev == lock.st_dev &&
                file.st_ino == lock.st_ino;
    }
    (void)closedir(fds);
    return found;
}

static enum ca_status no_store(const char *dir, struct ca_error *err)
{
    (void)ca_fail_named(err, CA_REFUSED, "no-store", "there is no store in %s", dir);
    ca_hint(err, "Make one with certmill init, or name another with --store.");
    return CA_REFUSED;
}

enum ca_status store_check_dir(const char *dir, struct ca_error *err)
{
    char data[STORE_PATH_MAX], lock[STORE_PATH_MAX], keys[STORE_PATH_MAX];
    struct stat st;
    enum ca_status status;

    if (!store_path(data, dir, STORE_DATA_FILE) || !store_path(lock, dir, STORE_LOCK_FILE) ||
        !store_path(keys, dir, STORE_KEYS_DIR)) {
        return ca_fail(err, CA_REFUSED, "the store's path is too long");
    }
    if (stat(dir, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return no_store(dir, err);
        return ca_fail_errno(err, errno, "cannot look at %s", dir);
    }
    /* A directory that has nothing of a store is no damaged store but the wrong directory. */
    if (!S_ISDIR(st.st_mode) || (access(data, F_OK) != 0 && access(keys, F_OK) != 0 &&
                                 errno == ENOENT)) {
        return no_store(dir, err);
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        (void)ca_fail_named(err, CA_REFUSED, "store-mode", "others may write in %s (mode %04o)",
                            dir, (unsigned)(st.st_mode & 07777));
        ca_hint(err, "Make sure nobody did, then: chmod 700 %s", dir);
        return CA_REFUSED;
    }
    status = store_check_filesystem(dir, err);
    if (status != CA_OK) return status;
    if (open_in_this_process(lock)) {
        return ca_fail_named(err, CA_REFUSED, "store-open",
                             "%s is open in this process already", dir);
    }
    return check_data_file(data, err);
}
