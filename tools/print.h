/*
 * Results on stdout: JSON set out for reading, objects as lines of text, PEM.
 *
 * Thread: the main thread only.
 */
#ifndef TOOLS_PRINT_H
#define TOOLS_PRINT_H

#include "engine/bytes.h"

#include <stdio.h>

#define PRINT_MAX (UINT64_C(64) << 20)      /* octets of one result held in memory */
/* As many digits as a decimal fraction that we wrote survives with: 17 would show 0.1 as
 * 0.10000000000000001. */
#define PRINT_REAL_DIGITS 15

/* The document with two columns a level and a line end; members keep their order. */
CA_MUST_CHECK enum ca_status print_json(struct ca_bytes json, struct ca_error *err);

/* A JSON object as text: a line for each member, objects inside it without their braces, lists with
 * commas; what is null or empty, also through what is in it, left out. */
CA_MUST_CHECK enum ca_status print_fields(struct ca_bytes json, struct ca_error *err);

/* The buffer as it is. CA_NOMEM or CA_FULL when it failed, CA_IO when stdout cannot be written. */
CA_MUST_CHECK enum ca_status print_buf(const struct ca_buf *buf, struct ca_error *err);

/* CA_IO once something could not be written: a long list need not go on then. */
CA_MUST_CHECK enum ca_status print_status(struct ca_error *err);

/* The same, for everything so far: a full disk is often seen only when a buffer is written out. */
CA_MUST_CHECK enum ca_status print_flush(struct ca_error *err);

/* Text from outside on a terminal: control octets become "?". */
void print_clean(FILE *stream, const char *text);

#endif
