/*
 * Outbox: the output files of a job. Bytes are appended to .certmill-JOB.NAME.part files in the
 * output directory, synced now and then, and get their final names at the end: write, fsync,
 * rename, summary.json last, fsync of the directory.
 *
 * Everything is opened relative to the directory's descriptor with O_NOFOLLOW. Modes: certificates
 * and results 0644 as the umask allows.
 *
 * Thread: the outbox thread; the ring it is given belongs to the same thread.
 */
#ifndef IO_OUTBOX_H
#define IO_OUTBOX_H

#include "io/ring.h"

enum outbox_file { OUTBOX_CERTS, OUTBOX_RESULTS, OUTBOX_REJECTED, OUTBOX_FILE_COUNT };

/* "certs.pem", "results.ndjson", "rejected.ndjson". */
const char *outbox_file_name(enum outbox_file file);

struct outbox_lengths {
    uint64_t octets[OUTBOX_FILE_COUNT];
};

struct outbox_spec {
    const char *dir;            /* made (one level) when missing */
    const char *job;            /* the job's file-name tag, [A-Za-z0-9._-]+ */
    bool resume;                /* part files of this job may exist and are cut to lengths */
    bool finishing;             /* the job had begun to rename: final names are taken back */
    struct outbox_lengths lengths;
};

struct outbox;

/* CA_REFUSED "output-directory": it holds files that are not this job's (the first is named), is no
 * directory, or belongs to a job that is not resumed. Files of outbox_put_file cannot be told from
 * others: a resumed job that wrote some (it left a mark) accepts any regular file. CA_CORRUPT
 * "output-changed": a part file is shorter than its stored length (resume then starts them anew:
 * call again with zero lengths). */
CA_MUST_CHECK enum ca_status outbox_open(struct ring *ring, const struct outbox_spec *spec,
                                         struct outbox **out, struct ca_error *err);
/* Closes without finishing; part files stay. */
void outbox_close(struct outbox *outbox);
/* The same for one that was opened anew and got nothing: its part files are removed. */
void outbox_discard(struct outbox *outbox);

/* Appends; buffered (1 MiB), written through the ring. */
CA_MUST_CHECK enum ca_status outbox_append(struct outbox *outbox, enum outbox_file file,
                                           struct ca_bytes data, struct ca_error *err);
/* One whole file beside the others (--per-file). Replaces a file of that name left by an
 * interrupted run of the same job; has its final name after the next outbox_sync. CA_REFUSED
 * "output-name": not a plain file name, hidden, or one of ours; that one is no failure for good. */
CA_MUST_CHECK enum ca_status outbox_put_file(struct outbox *outbox, const char *name,
                                             struct ca_bytes data, struct ca_error *err);
/* Writes what is buffered, waits for all of it, fsyncs, says how long the files are now. The first
 * failure is final: never retried. */
CA_MUST_CHECK enum ca_status outbox_sync(struct outbox *outbox, struct outbox_lengths *lengths,
                                         struct ca_error *err);
/* Syncs and renames all; then writes summary.json the same way; then fsyncs the directory. */
CA_MUST_CHECK enum ca_status outbox_finish(struct outbox *outbox, struct ca_bytes summary,
                                           struct ca_error *err);
/* Fsyncs of files and directories so far. */
uint64_t outbox_sync_count(const struct outbox *outbox);

#endif
