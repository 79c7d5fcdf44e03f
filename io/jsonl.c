#include "io/jsonl.h"

#include <string.h>

static bool is_blank(const uint8_t *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') return false;
    }
    return true;
}

/* The line from start to end is whole. False when it is blank and no record. */
static bool finish_line(struct split *state, struct ca_bytes window, size_t start, size_t end,
                        size_t next, struct split_out *out)
{
    size_t len = end - start;

    if (len > 0 && window.data[end - 1] == '\r') len--;
    if (!state->too_long && len <= SPLIT_RECORD_MAX
        && (len == 0 || is_blank(window.data + start, len))) {
        return false;
    }
    split_finish(state, SPLIT_RECORD, start, start + len, next, out);
    return true;
}

void jsonl_split(struct split *state, struct ca_bytes window, bool at_end, struct split_out *out)
{
    size_t start = 0;
    size_t at = state->scan;

    while (at < window.len) {
        const uint8_t *lf = memchr(window.data + at, '\n', window.len - at);
        size_t end;

        if (lf == NULL) break;
        end = (size_t)(lf - window.data);
        if (finish_line(state, window, start, end, end + 1, out)) return;
        start = at = end + 1;
    }
    if (at_end && (window.len > start || state->too_long)
        && finish_line(state, window, start, window.len, window.len, out)) {
        return;
    }
    if (at_end) start = window.len;
    split_want_more(state, start, window.len, out);
}
