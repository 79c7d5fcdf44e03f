/*
 * Do two sources ask for the same names? Compared is what they say, not how it is written: in a
 * Name the characters whatever the string type, in general names the set whatever the order.
 * Letters of another case are other characters: what is not plainly the same is not the same.
 *
 * All names have passed ca_name_check or ca_san_check. Pure functions; any thread.
 */
#ifndef ENGINE_NAME_EQUAL_H
#define ENGINE_NAME_EQUAL_H

#include "engine/bytes.h"

/* The same RDNs in the same order. */
bool ca_name_equal(struct ca_bytes a, struct ca_bytes b);
/* GeneralNames: each name of one is in the other. n log n. */
bool ca_san_equal(struct ca_bytes a, struct ca_bytes b);

#endif
