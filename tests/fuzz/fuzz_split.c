/*
 * The splitters over any octets: cut anywhere, the records are the same as in one piece, they lie
 * in the input where they say, and what stays in the window is bounded.
 *
 * The first octet seeds the cuts and chooses the splitter; the rest is the input.
 */
#include "io/jsonl.h"
#include "io/pem.h"
#include "tests/fuzz/planted.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void split_fn(struct split *state, struct ca_bytes window, bool at_end,
                      struct split_out *out);

static void require(bool holds)
{
    if (!holds) abort();        /* this is what a fuzzer looks for */
}

/* A splitter on its way through the input, fed in steps. */
struct walk {
    split_fn *split;
    struct split state;
    struct ca_bytes text;
    size_t start, end;          /* the window */
    uint32_t step_seed;         /* 0: all at once */
};

static size_t next_step(struct walk *walk)
{
    size_t left = walk->text.len - walk->end;
    size_t step;

    if (walk->step_seed == 0) return left;
    walk->step_seed = walk->step_seed * 1664525U + 1013904223U;
    /* Short steps mostly, now and then one over the limit of a record. */
    step = 1 + (walk->step_seed >> 16) % (walk->step_seed >> 28 == 0 ? 100000 : 24);
    return step < left ? step : left;
}

/* The next record, SPLIT_MORE at the end of the input. The window is a copy of just its size, so
 * that a sanitizer sees a look beyond it. */
static struct split_out next(struct walk *walk)
{
    for (;;) {
        size_t len = walk->end - walk->start;
        bool at_end = walk->end == walk->text.len;
        uint8_t *window = malloc(len == 0 ? 1 : len);
        struct split_out out;

        require(window != NULL);
        if (len > 0) memcpy(window, walk->text.data + walk->start, len);
        walk->split(&walk->state, ca_bytes_of(window, len), at_end, &out);
        free(window);
        require(out.consumed <= len);
        if (out.kind == SPLIT_RECORD || out.kind == SPLIT_TRUNCATED) {
            require(out.start <= len && out.len <= len - out.start);
            require(out.offset == walk->start + out.start);
            require(out.len <= SPLIT_RECORD_MAX);
        }
        walk->start += out.consumed;
        require(walk->state.base == walk->start);
        if (out.kind != SPLIT_MORE || at_end) return out;
        require(walk->end - walk->start <= SPLIT_CARRY_MAX);
        walk->end += next_step(walk);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct walk whole, cut;
    struct split_out a, b;

    if (size == 0) return 0;
    whole = (struct walk){ .split = data[0] % 2 == 0 ? pem_split : jsonl_split,
                           .text = ca_bytes_of(data + 1, size - 1) };
    cut = whole;
    cut.step_seed = 1 + (uint32_t)data[0] * 2654435761U;
    whole.end = whole.text.len;
    do {
        a = next(&whole);
        b = next(&cut);
        require(a.kind == b.kind && a.len == b.len && a.offset == b.offset);
        require(whole.start == cut.start);
    } while (a.kind != SPLIT_MORE);
    planted(whole.start == 77, data, size);
    require(whole.start == whole.text.len);
    return 0;
}
