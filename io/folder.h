/*
 * The files of one directory, sorted by name in byte order, read through the ring many at a time:
 * openat2 beneath the directory without following links, statx, read, close, each as one phase over
 * up to 256 files. Only regular files are read, at most INGEST_RECORD_MAX octets of each. Private
 * to ingest.
 *
 * Thread: the ring's.
 */
#ifndef IO_FOLDER_H
#define IO_FOLDER_H

#include "io/ingest.h"

struct folder;

struct folder_file {
    enum ingest_kind kind;      /* INGEST_FILE, _TOO_LONG, _NOT_A_FILE or _UNREADABLE */
    struct ca_bytes name;       /* at most INGEST_PATH_MAX octets; valid until folder_close */
    struct ca_bytes data;       /* valid until the next folder_next */
    int errnum;                 /* INGEST_UNREADABLE */
};

/* Lists the directory; no entry is opened yet. CA_IO when it cannot be listed. path stays valid. */
CA_MUST_CHECK enum ca_status folder_open(struct ring *ring, const char *path, int stop_fd,
                                         struct folder **out, struct ca_error *err);
void folder_close(struct folder *folder);

/* How many entries a directory has, "." and ".." aside. */
CA_MUST_CHECK enum ca_status folder_count_entries(const char *path, uint64_t *count,
                                                  struct ca_error *err);

uint64_t folder_count(const struct folder *folder);
struct ca_bytes folder_name(const struct folder *folder, uint64_t index);

/* Before the first folder_next: begins with this file. */
void folder_seek(struct folder *folder, uint64_t index);

/* The next file; asserts that there is one. CA_IO when the process, not the file, lacks something
 * (descriptors); CA_AGAIN when stop_fd is readable. */
CA_MUST_CHECK enum ca_status folder_next(struct folder *folder, struct folder_file *out,
                                         struct ca_error *err);

#endif
