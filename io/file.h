/*
 * Small whole files: configuration, requests, key files. Read with a bound, written atomically.
 *
 * Thread: any.
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include "engine/bytes.h"

enum file_privacy {
    FILE_PUBLIC,
    FILE_PRIVATE,   /* refuses a file others may read or write, of another owner, or a symlink */
};

/* Reads the whole of a regular file ("-" is standard input, public only) of at most max octets,
 * appending to out. CA_IO when it cannot be opened or read (the sentence names path and reason),
 * CA_REFUSED "file-mode", "file-type" (FIFO, directory, device), "file-size". */
CA_MUST_CHECK enum ca_status file_read(const char *path, size_t max, enum file_privacy privacy,
                                       struct ca_buf *out, struct ca_error *err);

/* Reads an open descriptor to its end, at most max octets. */
CA_MUST_CHECK enum ca_status file_read_fd(int fd, size_t max, const char *what, struct ca_buf *out,
                                          struct ca_error *err);

/* Writes path.tmp with exactly this mode whatever the umask, fsyncs, renames over path, fsyncs the
 * directory. Nothing of path.tmp stays on failure. */
CA_MUST_CHECK enum ca_status file_write(const char *path, unsigned mode, struct ca_bytes data,
                                        struct ca_error *err);

/* Overwrites with zeros, unlinks, fsyncs the directory; no error when it is not there. */
CA_MUST_CHECK enum ca_status file_erase(const char *path, struct ca_error *err);

CA_MUST_CHECK enum ca_status file_sync_dir(const char *dir, struct ca_error *err);

#endif
