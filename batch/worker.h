/*
 * A worker: everything one thread needs to take a chunk from records to signed certificates, made
 * at its start and reused for every chunk. On the way of a request it takes no lock, makes no
 * system call of its own and, once warm, allocates nothing.
 *
 * Stages over a whole chunk: check (decode, strict DER, names of a manifest line, policy; cheapest
 * first), prove (possession, grouped by key kind), build (serial, TBS, lint), sign, encode (PEM,
 * result lines and rows).
 *
 * Thread: the one that made it.
 */
#ifndef BATCH_WORKER_H
#define BATCH_WORKER_H

#include "batch/item.h"

struct batch_worker;

/* plan must outlive the worker. */
CA_MUST_CHECK enum ca_status batch_worker_new(const struct batch_plan *plan,
                                              struct batch_worker **out, struct ca_error *err);
void batch_worker_free(struct batch_worker *worker);

/*
 * Works on a chunk whose tick and scope have been set. Refused requests are no failure: each item
 * has its verdict. When the run must end (OpenSSL or memory failed, a signature did not verify),
 * chunk->fatal says why and nothing in the chunk may be used. stopping is asked between dear
 * operations; once it says true the chunk is given up with chunk->fatal CA_AGAIN. stopping NULL:
 * never.
 */
void batch_worker_process(struct batch_worker *worker, struct batch_chunk *chunk,
                          bool (*stopping)(void *ctx), void *ctx);

#endif
