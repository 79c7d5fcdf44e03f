#include "io/split.h"

void split_finish(struct split *state, enum split_kind kind, size_t start, size_t end, size_t next,
                  struct split_out *out)
{
    uint64_t base = state->base;

    *out = (struct split_out){ .kind = SPLIT_TOO_LONG, .consumed = next };
    if (state->too_long) {
        out->offset = state->record;
    } else {
        out->offset = base + start;
    }
    if (!state->too_long && end - start <= SPLIT_RECORD_MAX) {
        out->kind = kind;
        out->start = start;
        out->len = end - start;
    }
    *state = (struct split){ .base = base + next };
}

void split_want_more(struct split *state, size_t start, size_t scan, struct split_out *out)
{
    /* One octet of grace: a CR before the line end is no part of the record. */
    if (!state->too_long && scan - start > SPLIT_RECORD_MAX + 1) {
        state->too_long = true;
        state->record = state->base + start;
    }
    if (state->too_long) start = scan;
    *out = (struct split_out){ .kind = SPLIT_MORE, .consumed = start };
    state->base += start;
    state->scan = scan - start;
}
