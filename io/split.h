/*
 * What the splitters of one input format (pem, jsonl) share: state and answer. A splitter looks at
 * a window, the contiguous octets of an input that are read and not yet consumed, and says where
 * the next record lies in it, or that it needs more. It is a pure function of state and octets, and
 * its records do not depend on where windows begin or end.
 *
 * The caller's loop: call; drop out.consumed octets from the window's front; on SPLIT_MORE append
 * at least one octet, or set at_end when there is none, and call again. The input is over when
 * SPLIT_MORE comes back at its end. After SPLIT_MORE at most SPLIT_CARRY_MAX octets stay in the
 * window.
 *
 * Thread: values belong to their owner.
 */
#ifndef IO_SPLIT_H
#define IO_SPLIT_H

#include "engine/bytes.h"

#define SPLIT_RECORD_MAX 65536                      /* octets; longer records are skipped */
#define SPLIT_CARRY_MAX (SPLIT_RECORD_MAX + 16)     /* a line end, or the beginning of a mark */

enum split_kind {
    SPLIT_MORE,         /* no whole record in the window */
    SPLIT_RECORD,
    SPLIT_TRUNCATED,    /* pem: a block that lacks its END line */
    SPLIT_TOO_LONG,     /* more than SPLIT_RECORD_MAX octets; none of them is given */
};

/* All zero but base at the start of an input, and after any record. */
struct split {
    uint64_t base;      /* octets consumed so far: where the window begins in the input */
    uint64_t record;    /* where the record began that is too long */
    size_t scan;        /* octets of the window looked at before */
    bool in_line;       /* what follows them, up to the next line end, means nothing */
    bool in_block;      /* pem: the window begins inside a block, or with its BEGIN line */
    bool in_end;        /* pem: what follows them is the rest of a block's END line */
    bool too_long;      /* the record has outgrown the limit: it is consumed as it comes */
};

struct split_out {
    enum split_kind kind;
    size_t start;       /* the record in the window; SPLIT_RECORD and SPLIT_TRUNCATED only */
    size_t len;
    uint64_t offset;    /* of the record's first octet in the input; every kind but SPLIT_MORE */
    size_t consumed;    /* octets of the window that are done with */
};

/*
 * For the splitters themselves: the record from start to end of the window is complete, the window
 * is consumed up to next. Becomes SPLIT_TOO_LONG where that is what it is.
 */
void split_finish(struct split *state, enum split_kind kind, size_t start, size_t end, size_t next,
                  struct split_out *out);

/* No whole record: the window was looked at up to scan, the record that may follow begins at start
 * (scan when there is none), and is given up here when it has outgrown the limit. */
void split_want_more(struct split *state, size_t start, size_t scan, struct split_out *out);

#endif
