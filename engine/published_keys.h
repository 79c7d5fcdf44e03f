/*
 * Private to engine: the built-in list of engine/blocklist.h. Written by
 * tests/vectors/keys/make_published.py from the keys beside it; sorted by hash.
 */
#ifndef ENGINE_PUBLISHED_KEYS_H
#define ENGINE_PUBLISHED_KEYS_H

#include "engine/key_check.h"

extern const size_t ca_published_keys_count;
extern const uint8_t ca_published_keys[][CA_KEY_HASH_LEN];
extern const char *const ca_published_keys_where[];     /* in the same order */

#endif
