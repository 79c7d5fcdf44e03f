/*
 * An arena: octets that stay where they are until all of them go at once.
 *
 * Views into it stay good while it grows (a ca_buf moves), so what is decided about a request can
 * be put together in it. Reset keeps the blocks: one that is warm allocates nothing.
 *
 * Thread: belongs to its owner.
 */
#ifndef ENGINE_ARENA_H
#define ENGINE_ARENA_H

#include "engine/bytes.h"

struct ca_arena_block;

struct ca_arena {
    struct ca_arena_block *first, *current;
    size_t block_octets;        /* of a block that is made; longer where one value needs it */
    size_t used, max;           /* octets given out since the reset, and their bound */
};

void ca_arena_init(struct ca_arena *arena, size_t block_octets, size_t max);
void ca_arena_clear(struct ca_arena *arena);
void ca_arena_reset(struct ca_arena *arena);

/* Room for len octets; NULL when there is no memory or max is reached. Not aligned. */
uint8_t *ca_arena_take(struct ca_arena *arena, size_t len);
/* A copy of bytes. CA_NOMEM, CA_FULL; "what" names the thing. */
CA_MUST_CHECK enum ca_status ca_arena_copy(struct ca_arena *arena, struct ca_bytes bytes,
                                           const char *what, struct ca_bytes *out,
                                           struct ca_error *err);

#endif
