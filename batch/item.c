#include "batch/item.h"

#include "batch/manifest.h"
#include "batch/report.h"
#include "engine/notice.h"
#include "engine/pem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Of a device certificate: in DER with the room its slot keeps, in PEM, its result as a row, as a
 * line. Larger ones make the buffers grow. */
#define USUAL_CERT_OCTETS 1024
#define USUAL_PEM_OCTETS 1280
#define USUAL_ROW_OCTETS 96
#define USUAL_LINE_OCTETS 256

enum ca_status batch_chunk_new(struct batch_chunk **out, struct ca_error *err)
{
    struct batch_chunk *chunk = calloc(1, sizeof(*chunk));

    if (chunk == NULL) return ca_fail(err, CA_NOMEM, "no memory for a chunk");
    ca_buf_init(&chunk->input, BATCH_CHUNK_INPUT_MAX);
    ca_buf_init(&chunk->decoded, BATCH_CHUNK_DECODED_MAX);
    ca_arena_init(&chunk->arena, BATCH_CHUNK_ARENA_BLOCK, BATCH_CHUNK_ARENA_MAX);
    ca_buf_init(&chunk->certs, BATCH_CHUNK_OUTPUT_MAX);
    ca_buf_init(&chunk->details, BATCH_CHUNK_OUTPUT_MAX);
    ca_buf_init(&chunk->rows, BATCH_CHUNK_OUTPUT_MAX);
    for (size_t i = 0; i < 3; i++) ca_buf_init(&chunk->out[i], BATCH_CHUNK_OUTPUT_MAX);
    /* The first two at their full size, because items hold views into them; the others at what
     * usual certificates need, so that they do not grow in steps on several threads' heaps. */
    if (!ca_buf_reserve(&chunk->input, BATCH_CHUNK_INPUT_MAX) ||
        !ca_buf_reserve(&chunk->decoded, BATCH_CHUNK_DECODED_MAX) ||
        !ca_buf_reserve(&chunk->certs, (size_t)BATCH_CHUNK_ITEMS_MAX * USUAL_CERT_OCTETS) ||
        !ca_buf_reserve(&chunk->rows, (size_t)BATCH_CHUNK_ITEMS_MAX * USUAL_ROW_OCTETS) ||
        !ca_buf_reserve(&chunk->out[0], (size_t)BATCH_CHUNK_ITEMS_MAX * USUAL_PEM_OCTETS) ||
        !ca_buf_reserve(&chunk->out[1], (size_t)BATCH_CHUNK_ITEMS_MAX * USUAL_LINE_OCTETS)) {
        batch_chunk_free(chunk);
        return ca_fail(err, CA_NOMEM, "no memory for a chunk");
    }
    *out = chunk;
    return CA_OK;
}

void batch_chunk_free(struct batch_chunk *chunk)
{
    if (chunk == NULL) return;
    ca_buf_clear(&chunk->input);
    ca_buf_clear(&chunk->decoded);
    ca_arena_clear(&chunk->arena);
    ca_buf_clear(&chunk->certs);
    ca_buf_clear(&chunk->details);
    ca_buf_clear(&chunk->rows);
    for (size_t i = 0; i < 3; i++) ca_buf_clear(&chunk->out[i]);
    free(chunk);
}

void batch_chunk_reset(struct batch_chunk *chunk, const struct batch_plan *plan, uint64_t sequence,
                       uint64_t first_ordinal)
{
    chunk->plan = plan;
    chunk->sequence = sequence;
    chunk->first_ordinal = first_ordinal;
    chunk->tick_ms = 0;
    chunk->scope = plan->profiles[0].issuer->scope;
    chunk->count = 0;
    chunk->begun_ms = 0;
    chunk->issued = chunk->rejected = chunk->signed_count = 0;
    chunk->notices = chunk->discarded = 0;
    chunk->ignored = 0;
    memset(chunk->by_reason, 0, sizeof(chunk->by_reason));
    chunk->last_of_group = false;
    chunk->fatal.status = CA_OK;
    ca_buf_reset(&chunk->input);
    ca_buf_reset(&chunk->decoded);
    ca_arena_reset(&chunk->arena);
    ca_buf_reset(&chunk->certs);
    ca_buf_reset(&chunk->details);
    ca_buf_reset(&chunk->rows);
    for (size_t i = 0; i < 3; i++) ca_buf_reset(&chunk->out[i]);
}

uint32_t batch_chunk_items_max(enum ca_key_alg ca_key, uint64_t sequence)
{
    uint32_t items = BATCH_CHUNK_ITEMS_MAX;

    switch (ca_key) {
    case CA_KEY_RSA_2048:
    case CA_KEY_EC_P384:    /* on OpenSSL 3.0 a P-384 signature costs three RSA-2048 ones */
    case CA_KEY_EC_P521: items = 64; break;
    case CA_KEY_RSA_3072:
    case CA_KEY_RSA_4096: items = 16; break;
    case CA_KEY_ALG_NONE:
    case CA_KEY_EC_P256:
    case CA_KEY_ED25519: break;
    }
    return sequence < 16 ? items / 8 : items;
}

static struct ca_bytes keep(struct ca_buf *arena, struct ca_bytes bytes)
{
    uint8_t *at = ca_buf_extend(arena, bytes.len);

    assert(at != NULL);         /* the arena was sized for every record a chunk can take */
    if (bytes.len > 0) memcpy(at, bytes.data, bytes.len);
    return ca_bytes_of(at, bytes.len);
}

bool batch_chunk_add(struct batch_chunk *chunk, const struct ingest_record *record)
{
    struct batch_item *item = &chunk->items[chunk->count];

    assert(chunk->count < BATCH_CHUNK_ITEMS_MAX);
    memset(item, 0, sizeof(*item));
    item->kind = record->kind;
    item->errnum = record->errnum;
    item->input = record->input;
    item->offset = record->offset;
    item->raw = keep(&chunk->input, record->data);
    item->path = keep(&chunk->input, record->path);
    item->id = item->path;
    chunk->count++;
    return chunk->input.len >= BATCH_CHUNK_INPUT_CLOSE;
}

/* Base64 text into the decoded arena. */
static enum ca_status decode_base64(struct batch_chunk *chunk, struct batch_item *item,
                                    struct ca_bytes text, struct ca_error *err)
{
    size_t room = ca_base64_decoded_max(text.len), len = 0;
    uint8_t *at = ca_buf_extend(&chunk->decoded, room);
    enum ca_status st;

    assert(at != NULL);
    st = ca_base64_decode(text, at, &len, err);
    if (st != CA_OK) return st;
    chunk->decoded.len -= room - len;
    item->der = ca_bytes_of(at, len);
    return CA_OK;
}

static bool label_is(struct ca_bytes label, const char *text)
{
    return ca_bytes_equal(label, ca_bytes_str(text));
}

/* One PEM block with a request in it; whole: nothing that looks like another may follow. */
static enum ca_status decode_pem(struct batch_chunk *chunk, struct batch_item *item,
                                 struct ca_bytes text, bool whole, struct ca_error *err)
{
    struct ca_pem_block block, second;
    bool found = false;
    enum ca_status st = ca_pem_find(text, &block, &found, err);

    if (st != CA_OK) return st;
    if (!found) return ca_refuse(err, CA_REASON_BAD_PEM, "no PEM block and no DER in it");
    if (!label_is(block.label, "CERTIFICATE REQUEST") &&
        !label_is(block.label, "NEW CERTIFICATE REQUEST"))
        return ca_refuse(err, CA_REASON_WRONG_LABEL,
                         "the PEM label is \"%.*s\", not CERTIFICATE REQUEST",
                         (int)(block.label.len > 64 ? 64 : block.label.len),
                         (const char *)block.label.data);
    if (whole) {
        found = false;
        st = ca_pem_find(block.after, &second, &found, NULL);
        if (st != CA_OK || found)
            return ca_refuse(err, CA_REASON_SEVERAL_REQUESTS,
                             "more than one PEM block in a file of a directory");
    }
    return decode_base64(chunk, item, block.base64, err);
}

static bool looks_like_pem(struct ca_bytes text)
{
    static const char dashes[] = "-----BEGIN ";

    return memmem(text.data, text.len, dashes, sizeof(dashes) - 1) != NULL;
}

static enum ca_status decode_file(struct batch_chunk *chunk, struct batch_item *item,
                                  struct ca_error *err)
{
    if (item->raw.len == 0) return ca_refuse(err, CA_REASON_EMPTY, "the file is empty");
    if (item->raw.data[0] == CA_DER_SEQUENCE && !looks_like_pem(item->raw)) {
        item->der = item->raw;
        return CA_OK;
    }
    return decode_pem(chunk, item, item->raw, true, err);
}

static enum ca_status decode_line(struct batch_chunk *chunk, struct batch_item *item,
                                  struct ca_error *err)
{
    struct batch_manifest_line line;
    enum ca_status st = batch_manifest_parse(item->raw, &chunk->decoded, &line, err);

    item->id = line.id;         /* also of a line that is refused for something else */
    if (st != CA_OK) return st;
    item->line_subject = line.subject;
    item->line_san = line.san;
    item->line_api = line.api_passthrough;
    if (looks_like_pem(line.csr)) return decode_pem(chunk, item, line.csr, true, err);
    return decode_base64(chunk, item, line.csr, err);
}

enum ca_status batch_item_decode(struct batch_chunk *chunk, struct batch_item *item,
                                 struct ca_error *err)
{
    enum ca_status st = CA_OK;

    switch (item->kind) {
    case INGEST_PEM: st = decode_pem(chunk, item, item->raw, false, err); break;
    case INGEST_FILE: st = decode_file(chunk, item, err); break;
    case INGEST_LINE: st = decode_line(chunk, item, err); break;
    case INGEST_TRUNCATED:
        return ca_refuse(err, CA_REASON_BAD_PEM, "a BEGIN line without its END line");
    case INGEST_TOO_LONG:
        return ca_refuse(err, CA_REASON_RECORD_TOO_LONG, "the record is longer than %d octets",
                         INGEST_RECORD_MAX);
    case INGEST_NOT_A_FILE:
        return ca_refuse(err, CA_REASON_NOT_A_FILE,
                         "not a regular file (links, directories, pipes and devices are not read)");
    case INGEST_UNREADABLE: {
        char reason[80];

        return ca_refuse(err, CA_REASON_UNREADABLE, "the file cannot be read: %s",
                         strerror_r(item->errnum, reason, sizeof(reason)));
    }
    case INGEST_END: assert(false); break;
    }
    if (st == CA_OK && item->der.len > CA_REQUEST_DER_MAX)
        st = ca_refuse(err, CA_REASON_REQUEST_TOO_LONG, "the request has %zu octets, %d at most",
                       item->der.len, CA_REQUEST_DER_MAX);
    return st;
}

static struct batch_span append_span(struct ca_buf *buf, struct ca_bytes bytes)
{
    struct batch_span span = { .offset = (uint32_t)buf->len, .len = (uint32_t)bytes.len };

    ca_buf_append_bytes(buf, bytes);
    return span;
}

void batch_item_refuse(struct batch_chunk *chunk, struct batch_item *item,
                       const struct ca_error *err)
{
    assert(err->reason > 0 && err->reason < CA_REASON_COUNT);
    item->refused = true;
    item->reason = err->reason;
    item->detail = append_span(&chunk->details, ca_bytes_str(err->text));
    chunk->rejected++;
    chunk->by_reason[err->reason]++;
}

void batch_item_discard(struct batch_chunk *chunk, struct batch_item *item,
                        const struct ca_error *err)
{
    assert(!item->refused && item->slot.der_len > 0);
    ca_wipe(chunk->certs.data + item->slot.offset, item->slot.size);
    item->slot = (struct ca_cert_slot){ 0 };
    chunk->discarded++;
    batch_item_refuse(chunk, item, err);
}

static uint8_t record_kind(const struct batch_item *item)
{
    if (item->raw.len == 0 || item->raw.len > SCHEMA_RECORD_MAX) return SCHEMA_RECORD_NONE;
    if (item->kind == INGEST_LINE) return SCHEMA_RECORD_LINE;
    if (item->kind == INGEST_FILE && !looks_like_pem(item->raw)) return SCHEMA_RECORD_BINARY;
    return SCHEMA_RECORD_TEXT;
}

void batch_item_result(const struct batch_chunk *chunk, const struct batch_item *item,
                       struct schema_result *out)
{
    memset(out, 0, sizeof(*out));
    out->id = item->id;
    out->id_is_null = item->id.len == 0;
    out->warnings = item->warnings;
    /* Of a request that got nothing, nothing was dropped; but for what it was refused for. */
    if (!item->refused || item->reason == CA_REASON_PASSTHROUGH_IGNORED)
        out->ignored = item->contents.ignored;
    if (!item->refused) {
        out->status = SCHEMA_RESULT_ISSUED;
        assert(item->serial.len == SCHEMA_SERIAL_LEN);
        memcpy(out->serial, item->serial.octets, SCHEMA_SERIAL_LEN);
        return;
    }
    out->status = SCHEMA_RESULT_REJECTED;
    out->reason = item->reason;
    out->detail = ca_bytes_of(chunk->details.data + item->detail.offset, item->detail.len);
    out->input = item->input;
    out->offset = item->offset;
    out->record_kind = record_kind(item);
    if (out->record_kind != SCHEMA_RECORD_NONE) out->record = item->raw;
}

/* An issued item's certificate, counted with what it gives cause for. */
static struct ca_bytes count_issued(struct batch_chunk *chunk, const struct batch_item *item)
{
    const struct batch_profile *profile = &chunk->plan->profiles[item->profile];

    chunk->issued++;
    chunk->notices |= ca_notices_of(ca_profile_template(profile->profile), item->request.key.kind);
    chunk->ignored |= item->contents.ignored;
    if (item->contents.ignored != 0) chunk->notices |= CA_NOTICE_BIT(IGNORED);
    return ca_bytes_of(chunk->certs.data + item->slot.der_offset, item->slot.der_len);
}

static void encode_item(struct batch_chunk *chunk, uint32_t index)
{
    struct batch_item *item = &chunk->items[index];
    struct ca_bytes der = { 0 };
    struct schema_result result;

    if (!item->refused) der = count_issued(chunk, item);
    batch_item_result(chunk, item, &result);
    item->row.offset = (uint32_t)chunk->rows.len;
    schema_encode_result(&result, &chunk->rows);
    item->row.len = (uint32_t)chunk->rows.len - item->row.offset;
    batch_report_item(chunk->first_ordinal + index, &result, item->not_after_s, der, chunk->out);
}

void batch_chunk_encode(struct batch_chunk *chunk)
{
    /* Before its spans are followed: one that did not fit leads nowhere. */
    enum ca_status st = ca_buf_status(&chunk->details, "a chunk's details", &chunk->fatal);

    if (st != CA_OK) return;
    chunk->issued = 0;
    chunk->ignored = 0;
    chunk->notices &= CA_NOTICE_BIT(DUPLICATE_KEYS) | CA_NOTICE_BIT(KNOWN_KEYS);
    ca_buf_reset(&chunk->rows);
    if (chunk->out[0].len > 0) ca_wipe(chunk->out[0].data, chunk->out[0].len);  /* discarded ones */
    for (size_t i = 0; i < 3; i++) ca_buf_reset(&chunk->out[i]);
    for (uint32_t i = 0; i < chunk->count; i++) encode_item(chunk, i);
    st = ca_buf_status(&chunk->rows, "a chunk's result rows", &chunk->fatal);
    for (size_t i = 0; i < 3 && st == CA_OK; i++) {
        st = ca_buf_status(&chunk->out[i], "a chunk's output", &chunk->fatal);
    }
}
