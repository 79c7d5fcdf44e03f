/*
 * A bug on purpose, for the proof that the fuzzer finds one: built with FUZZ_PLANTED, a target
 * reads one octet behind its input once it has taken something in that has a certain octet in a
 * certain place. Seeds do not have it; only mutation of what is accepted gets there. Without
 * FUZZ_PLANTED there is nothing here.
 */
#ifndef TESTS_FUZZ_PLANTED_H
#define TESTS_FUZZ_PLANTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void planted(bool reached, const uint8_t *data, size_t size)
{
#ifdef FUZZ_PLANTED
    volatile uint8_t sink;

    if (reached) {
        sink = data[size];
        (void)sink;
    }
#else
    (void)reached;
    (void)data;
    (void)size;
#endif
}

#endif
