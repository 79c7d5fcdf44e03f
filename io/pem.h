/*
 * Splits a text into PEM blocks (RFC 7468) without decoding them.
 *
 * A block goes from a line that begins with "-----BEGIN " to the next one that begins with
 * "-----END ", whatever the labels; its line end is consumed with it and is not part of it. A
 * second BEGIN line before the END line ends the block before as truncated, so that one damaged
 * block does not take its neighbour along; so does the end of the input. Other text is consumed
 * with the block that follows it.
 */
#ifndef IO_PEM_H
#define IO_PEM_H

#include "io/split.h"

void pem_split(struct split *state, struct ca_bytes window, bool at_end, struct split_out *out);

#endif
