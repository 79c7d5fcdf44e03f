/*
 * The clocks that are passed into everything below: the system's, and a fixed one for
 * certmill-testing. The one place where the program reads the wall clock.
 *
 * Thread: any.
 */
#ifndef TOOLS_CLOCK_H
#define TOOLS_CLOCK_H

#include "engine/clock.h"

struct ca_clock clock_system(void);

/* Always *fixed_ms, which must outlive the clock. */
struct ca_clock clock_fixed(int64_t *fixed_ms);

#endif
