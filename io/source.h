/*
 * The octets of one file or stream at a time, as a window that grows at its end and is dropped from
 * at its front, contiguous whatever the reads were. Files are read through the ring, the next read
 * under way while the window is worked on; streams (standard input) by poll and read. Private to
 * ingest.
 *
 * Thread: the ring's.
 */
#ifndef IO_SOURCE_H
#define IO_SOURCE_H

#include "io/ring.h"
#include "io/split.h"

struct source;

/* read_octets: of one read, from 1. Memory: twice that and SPLIT_CARRY_MAX, for all inputs. */
CA_MUST_CHECK enum ca_status source_new(struct ring *ring, size_t read_octets, int stop_fd,
                                        struct source **out, struct ca_error *err);
void source_free(struct source *source);

/* Begins with an empty window at the descriptor's beginning (a file) or next octet (a stream). A
 * file's fd is the source's from here on and closed by source_end; a stream's stays the caller's.
 * name is for sentences and must stay valid. */
CA_MUST_CHECK enum ca_status source_begin(struct source *source, int fd, bool is_file,
                                          const char *name, struct ca_error *err);
void source_end(struct source *source);

/* Valid until the next source_more; source_drop only moves its front. */
struct ca_bytes source_window(const struct source *source);
void source_drop(struct source *source, size_t octets);

/* Nothing comes after the window. */
bool source_at_end(const struct source *source);

/* Waits for at least one octet more, or the end. At most SPLIT_CARRY_MAX octets may be in the
 * window. CA_AGAIN: stop_fd is readable. CA_IO: the read failed. */
CA_MUST_CHECK enum ca_status source_more(struct source *source, struct ca_error *err);

/* CA_AGAIN when stop_fd (-1: none) is readable, else CA_OK. */
CA_MUST_CHECK enum ca_status source_check_stop(int stop_fd, struct ca_error *err);

#endif
