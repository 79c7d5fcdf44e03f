#include "engine/arena.h"

#include <stdlib.h>
#include <string.h>

struct ca_arena_block {
    struct ca_arena_block *next;
    size_t cap, len;
    uint8_t octets[];
};

void ca_arena_init(struct ca_arena *arena, size_t block_octets, size_t max)
{
    *arena = (struct ca_arena){ .block_octets = block_octets, .max = max };
}

void ca_arena_clear(struct ca_arena *arena)
{
    while (arena->first != NULL) {
        struct ca_arena_block *next = arena->first->next;

        free(arena->first);
        arena->first = next;
    }
    arena->current = NULL;
    arena->used = 0;
}

void ca_arena_reset(struct ca_arena *arena)
{
    for (struct ca_arena_block *b = arena->first; b != NULL; b = b->next) b->len = 0;
    arena->current = arena->first;
    arena->used = 0;
}

/* A block with room, behind the current one; those before it stay as full as they are. */
static struct ca_arena_block *block_for(struct ca_arena *arena, size_t len)
{
    struct ca_arena_block *block = arena->current, *last = NULL;
    size_t cap = len > arena->block_octets ? len : arena->block_octets;

    while (block != NULL && block->cap - block->len < len) {
        last = block;
        block = block->next;
    }
    if (block != NULL) return block;
    block = malloc(sizeof(*block) + cap);
    if (block == NULL) return NULL;
    *block = (struct ca_arena_block){ .next = NULL, .cap = cap, .len = 0 };
    if (last != NULL) last->next = block;
    else arena->first = block;
    return block;
}

uint8_t *ca_arena_take(struct ca_arena *arena, size_t len)
{
    struct ca_arena_block *block;
    uint8_t *at;

    if (len > arena->max - arena->used) return NULL;
    block = block_for(arena, len);
    if (block == NULL) return NULL;
    arena->current = block;
    at = block->octets + block->len;
    block->len += len;
    arena->used += len;
    return at;
}

enum ca_status ca_arena_copy(struct ca_arena *arena, struct ca_bytes bytes, const char *what,
                             struct ca_bytes *out, struct ca_error *err)
{
    bool full = bytes.len > arena->max - arena->used;
    uint8_t *at = full ? NULL : ca_arena_take(arena, bytes.len);

    if (full) return ca_fail(err, CA_FULL, "%s: more than %zu octets", what, arena->max);
    if (at == NULL) return ca_fail(err, CA_NOMEM, "no memory for %s", what);
    if (bytes.len > 0) memcpy(at, bytes.data, bytes.len);
    *out = ca_bytes_of(at, bytes.len);
    return CA_OK;
}
