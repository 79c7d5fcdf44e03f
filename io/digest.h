/*
 * XXH3: finds damage and routes in memory. Never a security decision: collisions can be
 * constructed. digest.c is the only file that includes xxhash.h. Any thread.
 */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include "engine/bytes.h"

/* XXH3-64 over domain, a and b one after the other with their lengths, so that the split counts. */
uint64_t digest_row(uint8_t domain, struct ca_bytes a, struct ca_bytes b);

#endif
