/*
 * One request on its way, and the chunk that carries many: the only thing that moves between
 * threads.
 *
 * A chunk has fixed arenas for what comes in (views into them stay valid) and growing buffers for
 * what goes out (addressed by offset). It is made once and reused; once warm it allocates nothing.
 *
 * Thread: whoever holds the chunk. Ownership moves with the pointer.
 */
#ifndef BATCH_ITEM_H
#define BATCH_ITEM_H

#include "batch/plan.h"
#include "io/ingest.h"

#define BATCH_CHUNK_ITEMS_MAX 256
#define BATCH_CHUNK_INPUT_CLOSE ((size_t)256 * 1024)   /* octets of input that close a chunk */
/* One record and its file name may come on top of that. */
#define BATCH_CHUNK_INPUT_MAX (BATCH_CHUNK_INPUT_CLOSE + INGEST_RECORD_MAX + INGEST_PATH_MAX)
/* A record decodes to at most its own length twice: once unescaped, once from base64. */
#define BATCH_CHUNK_DECODED_MAX (2 * BATCH_CHUNK_INPUT_MAX)
#define BATCH_CHUNK_OUTPUT_MAX ((size_t)32 * 1024 * 1024)
#define BATCH_CHUNK_ARENA_BLOCK ((size_t)64 * 1024)
#define BATCH_CHUNK_ARENA_MAX ((size_t)32 * 1024 * 1024)

_Static_assert(SCHEMA_ID_MAX >= INGEST_PATH_MAX, "a file name fits into an id");

/* A piece of one of the chunk's growing buffers. */
struct batch_span {
    uint32_t offset, len;
};

struct batch_item {
    /* As ingest read it; views into the chunk's input arena. */
    enum ingest_kind kind;
    int errnum;
    uint32_t input;
    uint64_t offset;
    struct ca_bytes raw;
    struct ca_bytes path;

    /* As the worker decoded it; views into input or decoded. */
    struct ca_bytes id;             /* manifest id or file name; .len 0: none */
    struct ca_bytes der;
    struct ca_request request;
    /* Values of a manifest line that are objects or lists, raw JSON in raw; .len 0: not there. */
    struct ca_bytes line_subject, line_san, line_api;
    struct ca_contents contents;    /* views into input, decoded, arena and the profile */
    uint16_t profile;               /* index into the plan's table */
    uint8_t warnings;               /* SCHEMA_WARNING_*, set by the committer */

    bool refused;
    uint16_t reason;                /* enum ca_reason, when refused */
    struct batch_span detail;       /* in details: one sentence, when refused */

    struct ca_serial serial;
    int64_t not_before_s, not_after_s;
    struct ca_cert_slot slot;       /* in certs */
    struct batch_span row;          /* in rows: the encoded result row */
};

struct batch_chunk {
    const struct batch_plan *plan;
    uint64_t sequence;              /* from 0, in input order */
    uint64_t first_ordinal;
    int64_t tick_ms;
    uint32_t scope;                 /* CRL scope of its certificates */
    uint32_t count;
    int64_t begun_ms;               /* CLOCK_MONOTONIC, when its first record was read */

    struct ca_buf input, decoded;   /* fixed */
    struct ca_arena arena;          /* what was put together for certificates; views stay */
    struct ca_buf certs;            /* slots of finished certificates, DER */
    struct ca_buf details, rows;
    struct ca_buf out[3];           /* enum outbox_file: octets to append, in input order */

    /* Behind its last record. */
    struct ingest_position end;
    uint8_t digest[SCHEMA_HASH_LEN];

    uint32_t issued, rejected, signed_count;
    uint32_t by_reason[CA_REASON_COUNT];
    uint32_t notices;               /* CA_NOTICE_BIT of what was issued */
    uint64_t ignored;               /* CA_IGNORED_BIT, likewise */
    uint32_t discarded;             /* signed, and refused by the committer: of a twin */
    bool last_of_group;             /* set by the committer for the outbox */
    struct ca_error fatal;          /* status CA_OK, or what must end the run */

    struct batch_item items[BATCH_CHUNK_ITEMS_MAX];
};

CA_MUST_CHECK enum ca_status batch_chunk_new(struct batch_chunk **out, struct ca_error *err);
void batch_chunk_free(struct batch_chunk *chunk);
/* Empties it for reuse; memory is kept. */
void batch_chunk_reset(struct batch_chunk *chunk, const struct batch_plan *plan, uint64_t sequence,
                       uint64_t first_ordinal);

/* How many requests a chunk of this sequence number takes: 256, fewer for dear CA keys, an eighth
 * in the first 16 chunks so that small jobs use all cores. Depends on the job only, never on
 * timing. */
uint32_t batch_chunk_items_max(enum ca_key_alg ca_key, uint64_t sequence);

/* Copies a record in. True when the chunk is full by octets afterwards. */
bool batch_chunk_add(struct batch_chunk *chunk, const struct ingest_record *record);

/* From record to request DER: PEM, base64 or a manifest line. Sets id, der and the line's values.
 * CA_MALFORMED with a reason; *err is always filled then. */
CA_MUST_CHECK enum ca_status batch_item_decode(struct batch_chunk *chunk, struct batch_item *item,
                                               struct ca_error *err);

/* Marks an item refused by err (which must carry a reason). */
void batch_item_refuse(struct batch_chunk *chunk, struct batch_item *item,
                       const struct ca_error *err);

/*
 * Refuses an item that was signed already: the certificate is wiped from certs (a signature over
 * what was never issued must not stay), and counted as discarded. The results of the chunk have to
 * be encoded again afterwards.
 */
void batch_item_discard(struct batch_chunk *chunk, struct batch_item *item,
                        const struct ca_error *err);

/* Result rows and report lines of all items, in input order, the count of the issued ones and the
 * notices that they give cause for (bits of others stay); what an earlier call made is replaced.
 * Errors of the buffers go to chunk->fatal. */
void batch_chunk_encode(struct batch_chunk *chunk);

/* The item's result as a row, views into the chunk. */
void batch_item_result(const struct batch_chunk *chunk, const struct batch_item *item,
                       struct schema_result *out);

#endif
