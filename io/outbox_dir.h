/*
 * The names in an output directory: whose they are, part names, final names. Private to outbox.
 *
 * A file NAME of job JOB is written as .certmill-JOB.NAME.part and gets its name when it is whole.
 * .certmill-JOB..files.part marks a directory that also holds files of outbox_put_file.
 *
 * Thread: the outbox's.
 */
#ifndef IO_OUTBOX_DIR_H
#define IO_OUTBOX_DIR_H

#include "io/outbox.h"

#define OUTBOX_SUMMARY "summary.json"

struct outbox_dir {
    int fd;
    char *path;         /* for sentences */
    char *job;
    bool has_loose;     /* the mark is there */
};

/* Makes or opens the directory and checks that everything in it is the job's. */
CA_MUST_CHECK enum ca_status outbox_dir_open(struct outbox_dir *dir, const struct outbox_spec *spec,
                                             struct ca_error *err);
/* dir->fd -1 is accepted. */
void outbox_dir_close(struct outbox_dir *dir);

/* Creates the part files, or takes them back and cuts them. fds are written on CA_OK only. */
CA_MUST_CHECK enum ca_status outbox_dir_open_parts(struct outbox_dir *dir,
                                                   const struct outbox_spec *spec,
                                                   int fds[OUTBOX_FILE_COUNT],
                                                   struct ca_error *err);

/* Removes the part files, as far as it goes: for a job that comes to nothing. */
void outbox_dir_remove_parts(struct outbox_dir *dir);

/* Whether a file name is short enough to have a part name. */
bool outbox_dir_name_fits(const struct outbox_dir *dir, const char *name);

/* A new, empty part file of this name; one that a crash left is removed. */
CA_MUST_CHECK enum ca_status outbox_dir_create(struct outbox_dir *dir, const char *name, int *fd,
                                               struct ca_error *err);
/* Part name to final name. Without replace CA_REFUSED "output-directory" when that is taken. */
CA_MUST_CHECK enum ca_status outbox_dir_publish(struct outbox_dir *dir, const char *name,
                                                bool replace, struct ca_error *err);

CA_MUST_CHECK enum ca_status outbox_dir_mark_loose(struct outbox_dir *dir, struct ca_error *err);
CA_MUST_CHECK enum ca_status outbox_dir_unmark_loose(struct outbox_dir *dir, struct ca_error *err);

#endif
