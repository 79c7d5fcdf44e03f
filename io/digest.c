#include "io/digest.h"

#include <string.h>

/* Inlined, so that the streaming state lives on the stack whatever version of the library is there
 * at run time; XXH3's results are the same from 0.8.0 on. */
#define XXH_INLINE_ALL
#include <xxhash.h>

/* The sum is XXH3-64, seed 0, of: domain, u64 length of a, a, u64 length of b, b (big-endian). */
uint64_t digest_row(uint8_t domain, struct ca_bytes a, struct ca_bytes b)
{
    XXH3_state_t state;
    uint8_t head[9], between[8];

    head[0] = domain;
    ca_put_u64(head + 1, a.len);
    ca_put_u64(between, b.len);
    (void)XXH3_64bits_reset(&state);        /* these fail for a NULL state or a NULL input only */
    (void)XXH3_64bits_update(&state, head, sizeof(head));
    if (a.len > 0) (void)XXH3_64bits_update(&state, a.data, a.len);
    (void)XXH3_64bits_update(&state, between, sizeof(between));
    if (b.len > 0) (void)XXH3_64bits_update(&state, b.data, b.len);
    return XXH3_64bits_digest(&state);
}
