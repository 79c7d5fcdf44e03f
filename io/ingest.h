/*
 * Ingest: reads the inputs of a run through the ring and yields whole records, one at a time, in
 * order. It does not look inside a record beyond what splitting needs.
 *
 * Inputs: a directory (each regular file beneath it is one record, sorted by name in byte order,
 * not recursive; opened by openat2 beneath it without following links, statx'ed, read to limit + 1,
 * closed, in three phases of 256 operations); a file that is a PEM bundle (a record from each BEGIN
 * to its END line, text between blocks ignored) or NDJSON (name ends in .ndjson or .jsonl, or the
 * first octet that is no white space is "{"; a record is a line, blank lines are no records); "-"
 * for standard input, of either form. A named file may also be a single request in DER (first octet
 * 0x30): one record.
 *
 * A record is at most INGEST_RECORD_MAX octets. A longer one is skipped without buffering and
 * reported once, by kind. A UTF-8 byte order mark at the start of an input is text between records.
 *
 * Thread: the ingest thread; the ring it is given belongs to the same thread.
 */
#ifndef IO_INGEST_H
#define IO_INGEST_H

#include "io/ring.h"

#define INGEST_RECORD_MAX 65536     /* octets of one record */
#define INGEST_PATH_MAX 255         /* octets of a file name beneath an input directory */
#define INGEST_READ_OCTETS 524288   /* two buffers of it are in use */

enum ingest_kind {
    INGEST_END,             /* no more records */
    INGEST_PEM,             /* one PEM block of any label, from BEGIN to END line */
    INGEST_LINE,            /* one NDJSON line without its line end */
    INGEST_FILE,            /* the whole content of one file: PEM or DER */
    INGEST_TOO_LONG,        /* longer than INGEST_RECORD_MAX; data is empty */
    INGEST_TRUNCATED,       /* a BEGIN line without END before the next BEGIN; data as it is */
    INGEST_NOT_A_FILE,      /* in a directory: symlink, FIFO, device, directory; data is empty */
    INGEST_UNREADABLE,      /* in a directory: open or read failed; errnum says why */
};

struct ingest_record {
    enum ingest_kind kind;
    struct ca_bytes data;       /* valid until the next call */
    struct ca_bytes path;       /* file name beneath a directory input; .len 0 otherwise */
    int errnum;                 /* INGEST_UNREADABLE */
    uint32_t input;             /* index of the input, from 0 */
    uint64_t offset;            /* of its first octet in its input; directory: file index */
};

/* How far an input has been consumed: everything before offset in input is behind us. For a
 * directory the offset counts files. */
struct ingest_position {
    uint32_t input;
    uint64_t offset;
};

struct ingest_spec {
    const char *const *inputs;      /* as the user wrote them; "-" is standard input, at most once;
                                       they stay valid until ingest_close */
    size_t input_count;
    /* Called with every octet of the inputs in order, each exactly once, as it is consumed (for a
     * directory: each file name and a zero octet), and with a separator between inputs. After
     * ingest_next returned a record, what was observed ends exactly at ingest_position(). */
    void (*observe)(void *ctx, struct ca_bytes consumed);
    void *observe_ctx;
    int stop_fd;                    /* an eventfd or pipe; readable: stop waiting; -1: none */
    size_t read_octets;             /* of one read of a bundle; 0: INGEST_READ_OCTETS */
};

struct ingest;

/*
 * Opens nothing yet but checks what can be checked: a name that does not exist or cannot be read, a
 * FIFO, device or socket, an empty directory: CA_REFUSED "input" with a sentence that names it.
 */
CA_MUST_CHECK enum ca_status ingest_open(struct ring *ring, const struct ingest_spec *spec,
                                         struct ingest **out, struct ca_error *err);
void ingest_close(struct ingest *ingest);

/*
 * The next record. At the end kind is INGEST_END, again and again.
 *   CA_REFUSED "input"  an input without any record ("no PEM block in it")
 *   CA_IO               an input could not be read; the run ends
 *   CA_AGAIN            stop_fd is readable; looked at before every read
 * After an error more may have been observed than ingest_position() says.
 */
CA_MUST_CHECK enum ca_status ingest_next(struct ingest *ingest, struct ingest_record *out,
                                         struct ca_error *err);

/* After the last record that ingest_next gave. */
void ingest_position(const struct ingest *ingest, struct ingest_position *out);

/* Before the first ingest_next: consumes the inputs up to position, observing but not yielding.
 * CA_CORRUPT "input-changed" when an input ends before it; CA_IO and CA_AGAIN as ingest_next. */
CA_MUST_CHECK enum ca_status ingest_skip(struct ingest *ingest,
                                         const struct ingest_position *position,
                                         struct ca_error *err);

/* Total octets of all regular-file inputs (directories: files), for a progress bar; 0 when
 * unknown. */
uint64_t ingest_total(const struct ingest *ingest);
uint64_t ingest_consumed(const struct ingest *ingest);

#endif
