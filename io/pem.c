#include "io/pem.h"

#include <string.h>

static const char begin_mark[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";

#define BEGIN_LEN (sizeof(begin_mark) - 1)
#define END_LEN (sizeof(end_mark) - 1)

enum mark { MARK_NONE, MARK_BEGIN, MARK_END, MARK_UNSURE };

/* What the line says that begins here; unsure while it could still become either mark. */
static enum mark read_mark(struct ca_bytes line, bool at_end)
{
    if (line.data[0] != '-') return MARK_NONE;      /* nearly every line */
    if (line.len >= BEGIN_LEN && memcmp(line.data, begin_mark, BEGIN_LEN) == 0) return MARK_BEGIN;
    if (line.len >= END_LEN && memcmp(line.data, end_mark, END_LEN) == 0) return MARK_END;
    if (at_end) return MARK_NONE;
    if (line.len < BEGIN_LEN && memcmp(line.data, begin_mark, line.len) == 0) return MARK_UNSURE;
    if (line.len < END_LEN && memcmp(line.data, end_mark, line.len) == 0) return MARK_UNSURE;
    return MARK_NONE;
}

static size_t without_cr(struct ca_bytes window, size_t start, size_t end)
{
    return end > start && window.data[end - 1] == '\r' ? end - 1 : end;
}

/* The input ends at the window's end. */
static void finish_input(struct split *state, struct ca_bytes window, size_t start,
                         struct split_out *out)
{
    if (!state->in_block) {
        split_want_more(state, window.len, window.len, out);
    } else if (state->in_end) {
        split_finish(state, SPLIT_RECORD, start, without_cr(window, start, window.len), window.len,
                     out);
    } else {
        split_finish(state, SPLIT_TRUNCATED, start, window.len, window.len, out);
    }
}

void pem_split(struct split *state, struct ca_bytes window, bool at_end, struct split_out *out)
{
    size_t start = 0;           /* of the block that is open */
    size_t at = state->scan;

    while (at < window.len) {
        enum mark mark;

        if (state->in_line || state->in_end) {
            const uint8_t *lf = memchr(window.data + at, '\n', window.len - at);

            at = lf == NULL ? window.len : (size_t)(lf - window.data) + 1;
            if (lf == NULL) break;
            if (state->in_end) {
                split_finish(state, SPLIT_RECORD, start, without_cr(window, start, at - 1), at,
                             out);
                return;
            }
            state->in_line = false;
            continue;
        }
        mark = read_mark(ca_bytes_of(window.data + at, window.len - at), at_end);
        if (mark == MARK_UNSURE) break;
        if (mark == MARK_BEGIN && state->in_block) {
            split_finish(state, SPLIT_TRUNCATED, start, at, at, out);
            return;
        }
        if (mark == MARK_BEGIN) {
            state->in_block = true;
            start = at;
        }
        state->in_end = mark == MARK_END && state->in_block;
        state->in_line = !state->in_end;
    }
    if (at_end) finish_input(state, window, start, out);
    else split_want_more(state, state->in_block ? start : at, at, out);
}
