#include "tools/progress.h"

#include "batch/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 256
#define RATE_AFTER_S 0.5        /* a rate from less is noise */
#define ETA_MAX_S 359999.0      /* 99 hours */

void progress_init(struct progress *progress, bool quiet)
{
    *progress = (struct progress){ .shown = !quiet && isatty(STDERR_FILENO) == 1 };
}

static void append_eta(const struct batch_progress *first, const struct batch_progress *now,
                       double seconds, struct ca_buf *out)
{
    uint64_t read = now->consumed_bytes - first->consumed_bytes;
    double left_s;
    unsigned left;

    if (now->consumed_bytes <= first->consumed_bytes) return;
    if (now->total_bytes <= now->consumed_bytes) return;
    left_s = (double)(now->total_bytes - now->consumed_bytes) * seconds / (double)read;
    if (left_s > ETA_MAX_S) return;
    left = (unsigned)left_s;
    if (left >= 3600) {
        ca_buf_printf(out, "  %u:%02u:%02u left", left / 3600, left / 60 % 60, left % 60);
    } else {
        ca_buf_printf(out, "  %u:%02u left", left / 60, left % 60);
    }
}

void progress_format(const struct batch_progress *first, const struct batch_progress *now,
                     struct ca_buf *out)
{
    double seconds = now->seconds - first->seconds;

    if (now->total_bytes > 0) {
        uint64_t read = now->consumed_bytes < now->total_bytes ? now->consumed_bytes
                                                               : now->total_bytes;
        ca_buf_printf(out, "%3u %%  ", (unsigned)((double)read * 100.0 /
                                                 (double)now->total_bytes));
    }
    ca_buf_printf(out, "%" PRIu64 " done  %" PRIu64 " issued  %" PRIu64 " rejected", now->done,
                  now->issued, now->rejected);
    if (seconds < RATE_AFTER_S) return;
    ca_buf_printf(out, "  %.0f certs/s", (double)(now->issued - first->issued) / seconds);
    append_eta(first, now, seconds, out);
}

static size_t terminal_columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

void progress_show(struct progress *progress, const struct batch_progress *now)
{
    struct ca_buf line;
    int64_t now_ms = batch_monotonic_ms();
    size_t columns;

    if (!progress->shown) return;
    if (!progress->begun) {
        progress->first = *now;
        progress->begun = true;
    }
    if (progress->drawn_ms != 0 && now_ms - progress->drawn_ms < PROGRESS_REDRAW_MS) return;
    progress->drawn_ms = now_ms;
    ca_buf_init(&line, LINE_MAX_OCTETS);
    progress_format(&progress->first, now, &line);
    columns = terminal_columns() - 1;       /* a full line would wrap and not be redrawn */
    if (line.len > columns) line.len = columns;
    (void)fprintf(stderr, "\r\033[K%.*s", (int)line.len, (const char *)line.data);
    (void)fflush(stderr);
    ca_buf_clear(&line);
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn_ms == 0) return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress->drawn_ms = 0;
}
