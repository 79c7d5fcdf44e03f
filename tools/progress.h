/*
 * A run's progress in one line of stderr, redrawn in place at most five times a second and gone at
 * the end. Nothing when stderr is no terminal or --quiet was given.
 *
 * Thread: the main thread only.
 */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include "batch/run.h"

#define PROGRESS_REDRAW_MS 200

struct progress {
    bool shown;                     /* there is anybody to show it to */
    int64_t drawn_ms;               /* CLOCK_MONOTONIC; 0: never */
    bool begun;
    struct batch_progress first;    /* a resumed job's rate begins where this run does */
};

void progress_init(struct progress *progress, bool quiet);
void progress_show(struct progress *progress, const struct batch_progress *now);
/* Takes the line away, so that what follows has the terminal to itself. */
void progress_clear(struct progress *progress);

/* The text of one line, for width columns, without colour or control characters. */
void progress_format(const struct batch_progress *first, const struct batch_progress *now,
                     struct ca_buf *out);

#endif
