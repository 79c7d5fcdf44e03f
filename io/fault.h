/*
 * The seam where tests make things go wrong. Every operation of io and batch that can fail for a
 * reason outside the program asks here first. The shipped program links io/fault.c, which always
 * says "nothing"; certmill-testing links io/fault_testing.c, which reads CERTMILL_TEST_FAULT and
 * CERTMILL_TEST_KILL. The code on this side of the seam is the same object file in both.
 *
 * Thread: any.
 */
#ifndef IO_FAULT_H
#define IO_FAULT_H

/*  X(NAME, "text in CERTMILL_TEST_FAULT", "what happens there") */
#define FAULT_POINTS(X)                                                                            \
    X(RING_SETUP, "ring.setup", "before io_uring_queue_init")                                      \
    X(RING_SUBMIT, "ring.submit", "before io_uring_submit")                                        \
    X(RING_OPEN, "ring.open", "the result of an open")                                             \
    X(RING_STAT, "ring.stat", "the result of a statx")                                             \
    X(RING_READ, "ring.read", "the result of a read; also short")                                  \
    X(RING_WRITE, "ring.write", "the result of a write; also short")                               \
    X(RING_SYNC, "ring.sync", "the result of an fsync")                                            \
    X(STORE_BEGIN, "store.begin", "before mdb_txn_begin")                                          \
    X(STORE_PUT, "store.put", "before mdb_put")                                                    \
    X(STORE_COMMIT, "store.commit", "before mdb_txn_commit")                                       \
    X(STORE_COMMITTED, "store.committed", "after mdb_txn_commit, before anything is published")    \
    X(OUTBOX_WRITE, "outbox.write", "before output bytes are written")                             \
    X(OUTBOX_SYNC, "outbox.sync", "before output files are synced")                                \
    X(OUTBOX_RENAME, "outbox.rename", "before an output file gets its final name")                 \
    X(OUTBOX_DIRSYNC, "outbox.dirsync", "before the output directory is synced")                   \
    X(FILE_WRITE, "file.write", "before a small file (key, store) is written")                     \
    X(FILE_RENAME, "file.rename", "before a small file gets its final name")                       \
    X(CHUNK, "chunk", "before ingest hands a chunk to the workers")                                \
    X(WORKER, "worker", "before a worker starts a chunk")                                          \
    X(GROUP, "group", "before the committer begins a group's transaction")

enum fault_point {
#define FAULT_POINT_VALUE(name, text, what) FAULT_##name,
    FAULT_POINTS(FAULT_POINT_VALUE)
#undef FAULT_POINT_VALUE
    FAULT_POINT_COUNT
};

#define FAULT_SHORT (-1)    /* transfer half of what was asked */

/* Counts one passage of the point. 0: nothing; > 0: an errno to fail with instead of doing the
 * operation; FAULT_SHORT. Sleeps and kills happen inside. */
int fault_hit(enum fault_point point);

#endif
