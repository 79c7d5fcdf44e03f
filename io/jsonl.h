/*
 * Splits NDJSON into lines without reading them. A record is a line without its line end (LF or
 * CR LF); the last one may lack it. Lines of white space alone are no records and are consumed with
 * the record that follows them, unless they are longer than SPLIT_RECORD_MAX.
 */
#ifndef IO_JSONL_H
#define IO_JSONL_H

#include "io/split.h"

void jsonl_split(struct split *state, struct ca_bytes window, bool at_end, struct split_out *out);

#endif
