/*
 * The seam between certmill and certmill-testing: which clock, which seed, which faults. The
 * shipped program links testing_off.c, the other one testing.c; everything else is the same object
 * files.
 *
 * Thread: the main thread, before others start.
 */
#ifndef TOOLS_TESTING_H
#define TOOLS_TESTING_H

#include "engine/clock.h"

struct testing {
    struct ca_clock clock;      /* may point into this struct: do not move it */
    int64_t fixed_ms;
    uint64_t seed;
    bool has_seed;
};

/* The system's clock and no seed in the shipped program. In certmill-testing CERTMILL_TEST_NOW,
 * CERTMILL_TEST_SEED, CERTMILL_TEST_FAULT and CERTMILL_TEST_KILL; CA_MALFORMED names the one that
 * cannot be read. */
CA_MUST_CHECK enum ca_status testing_setup(struct testing *testing, struct ca_error *err);

/* No core dumps and no debugger in the shipped program: keys are in this memory. */
void testing_protect_memory(void);

/* `--faults` alone on the command line: certmill-testing appends its list and says true. */
bool testing_list_faults(int argc, char **argv, struct ca_buf *out);

#endif
