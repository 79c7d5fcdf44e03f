/*
 * The testing half of the seam in io/fault.h: which passage of which point fails, sleeps or kills.
 *
 * A plan is a list of rules separated by ";":
 *   POINT:N=ERRNO     the N-th passage (from 1) fails with this error: "store.commit:3=EIO"
 *   POINT:N=short     the N-th transfer moves half of what was asked: "ring.read:20=short"
 *   POINT:N=sleepMS   the N-th passage sleeps so long first: "worker:5=sleep500"
 *   alloc:N           the N-th allocation of our own objects returns NULL: "alloc:912"
 * "N+" means the N-th passage and every later one: a disk that stays full is
 * "outbox.write:7+=ENOSPC". A kill is "POINT:N": SIGKILL to this process at the N-th passage.
 *
 * Allocations are counted in a program that is linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc; in any other one "alloc:N" does nothing.
 *
 * Thread: set up before other threads start; fault_hit is then called from any.
 */
#ifndef IO_FAULT_TESTING_H
#define IO_FAULT_TESTING_H

#include "engine/bytes.h"
#include "io/fault.h"

#define FAULT_RULES_MAX 32

/* Forgets what was armed and counted before, then arms. Either text may be NULL or empty: nothing.
 * CA_MALFORMED for an unknown point or error name or a broken rule; the hint lists the points; then
 * nothing is armed. */
CA_MUST_CHECK enum ca_status fault_testing_setup(const char *fault, const char *kill,
                                                 struct ca_error *err);

/* How often a point was passed, or our objects allocated, since the setup. */
uint64_t fault_testing_passages(enum fault_point point);
uint64_t fault_testing_allocations(void);

/* Appends a line for each point: its name and what happens there. */
void fault_testing_list(struct ca_buf *out);

#endif
