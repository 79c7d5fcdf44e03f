#include "io/schema.h"

#include <assert.h>
#include <string.h>

/*
 * Every value begins with one octet, the version of its row inside the store's schema version
 * (another one's rows are never read: io/store). Then the fields in the order of the struct where
 * the code says nothing else; flags are bits of one octet, unknown bits are refused; a byte string
 * has its length before it, one, two or four octets wide.
 */
#define ROW_VERSION 1

#define CERT_HEAD_LEN 49        /* octets of a cert row before its DER */
/* Beside the status: what a row has only where there is something to say. */
#define RESULT_ID_NULL 0x80
#define RESULT_IGNORED 0x40
#define RESULT_WARNINGS 0x20
#define RESULT_STATUS_MASK 0x1f
#define WARNINGS_MAX (SCHEMA_WARNING_DUPLICATE_KEY | SCHEMA_WARNING_KNOWN_KEY)

/* ---- writing ---- */

static void put_u16(struct ca_buf *out, uint16_t v)
{
    uint8_t *room = ca_buf_extend(out, 2);

    if (room != NULL) ca_put_u16(room, v);
}

static void put_u32(struct ca_buf *out, uint32_t v)
{
    uint8_t *room = ca_buf_extend(out, 4);

    if (room != NULL) ca_put_u32(room, v);
}

static void put_u64(struct ca_buf *out, uint64_t v)
{
    uint8_t *room = ca_buf_extend(out, 8);

    if (room != NULL) ca_put_u64(room, v);
}

static void put_i64(struct ca_buf *out, int64_t v)
{
    put_u64(out, (uint64_t)v);
}

/* What does not fit its length field is a failure of the whole row, never cut. */
static bool fits(struct ca_buf *out, struct ca_bytes bytes, size_t max)
{
    if (bytes.len <= max) return true;
    if (out->failed == CA_OK) out->failed = CA_FULL;
    return false;
}

static void put_bytes8(struct ca_buf *out, struct ca_bytes bytes)
{
    if (!fits(out, bytes, UINT8_MAX)) return;
    ca_buf_append_u8(out, (uint8_t)bytes.len);
    ca_buf_append_bytes(out, bytes);
}

static void put_bytes16(struct ca_buf *out, struct ca_bytes bytes, size_t max)
{
    assert(max <= UINT16_MAX);
    if (!fits(out, bytes, max)) return;
    put_u16(out, (uint16_t)bytes.len);
    ca_buf_append_bytes(out, bytes);
}

static void put_bytes32(struct ca_buf *out, struct ca_bytes bytes)
{
    if (!fits(out, bytes, UINT32_MAX)) return;
    put_u32(out, (uint32_t)bytes.len);
    ca_buf_append_bytes(out, bytes);
}

/* ---- reading ---- */

/* Remembers that something was wrong; what is read after that is zero. */
struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static const uint8_t *take(struct reader *r, size_t len)
{
    const uint8_t *at = r->at;

    if (r->bad || len > r->left) {
        r->bad = true;
        return NULL;
    }
    if (len > 0) r->at += len;      /* an empty value may have no address */
    r->left -= len;
    return at;
}

static uint8_t get_u8(struct reader *r)
{
    const uint8_t *at = take(r, 1);

    return at != NULL ? at[0] : 0;
}

static uint16_t get_u16(struct reader *r)
{
    const uint8_t *at = take(r, 2);

    return (uint16_t)(at != NULL ? ca_get_u16(at) : 0);
}

static uint32_t get_u32(struct reader *r)
{
    const uint8_t *at = take(r, 4);

    return at != NULL ? ca_get_u32(at) : 0;
}

static uint64_t get_u64(struct reader *r)
{
    const uint8_t *at = take(r, 8);

    return at != NULL ? ca_get_u64(at) : 0;
}

static int64_t get_i64(struct reader *r)
{
    return (int64_t)get_u64(r);
}

/* A number that must lie in min..max. */
static uint8_t get_choice(struct reader *r, uint8_t min, uint8_t max)
{
    uint8_t v = get_u8(r);

    if (v < min || v > max) r->bad = true;
    return v;
}

static void get_octets(struct reader *r, uint8_t *out, size_t len)
{
    const uint8_t *at = take(r, len);

    if (at != NULL) memcpy(out, at, len);
}

static struct ca_bytes get_view(struct reader *r, size_t len)
{
    const uint8_t *at = take(r, len);

    return at != NULL ? ca_bytes_of(at, len) : ca_bytes_of(NULL, 0);
}

static struct ca_bytes get_bytes8(struct reader *r)
{
    return get_view(r, get_u8(r));
}

static struct ca_bytes get_bytes16(struct reader *r, size_t max)
{
    size_t len = get_u16(r);

    if (len > max) r->bad = true;
    return get_view(r, len);
}

static struct ca_bytes get_bytes32(struct reader *r)
{
    return get_view(r, get_u32(r));
}

static struct reader reader_of(struct ca_bytes value)
{
    struct reader r = { .at = value.data, .left = value.len };

    if (get_u8(&r) != ROW_VERSION) r.bad = true;
    return r;
}

static enum ca_status finish(const struct reader *r, const char *table, struct ca_error *err)
{
    if (!r->bad && r->left == 0) return CA_OK;
    return ca_fail_named(err, CA_CORRUPT, "bad-row", "a row of table %s is damaged", table);
}

/* ---- meta ---- */

void schema_encode_identity(const struct schema_identity *row, struct ca_buf *out)
{
    ca_buf_append_u8(out, ROW_VERSION);
    put_u32(out, row->schema_version);
    ca_buf_append(out, row->store_id, sizeof(row->store_id));
    put_i64(out, row->created_ms);
    ca_buf_append_u8(out, row->encrypted ? 1 : 0);
    put_bytes8(out, row->region);
    put_bytes8(out, row->account);
}

enum ca_status schema_decode_identity(struct ca_bytes value, struct schema_identity *row,
                                      struct ca_error *err)
{
    struct reader r = reader_of(value);
    struct schema_identity v = { .schema_version = get_u32(&r) };
    enum ca_status st;

    get_octets(&r, v.store_id, sizeof(v.store_id));
    v.created_ms = get_i64(&r);
    v.encrypted = get_choice(&r, 0, 1) != 0;
    v.region = get_bytes8(&r);
    v.account = get_bytes8(&r);
    st = finish(&r, "meta", err);
    if (st == CA_OK) *row = v;
    return st;
}

void schema_encode_clock(const struct schema_clock *row, struct ca_buf *out)
{
    ca_buf_append_u8(out, ROW_VERSION);
    put_i64(out, row->last_tick_ms);
    put_i64(out, row->high_time_ms);
    put_u32(out, row->last_ca);
    put_u32(out, row->last_job);
}

enum ca_status schema_decode_clock(struct ca_bytes value, struct schema_clock *row,
                                   struct ca_error *err)
{
    struct reader r = reader_of(value);
    struct schema_clock v = { .last_tick_ms = get_i64(&r) };
    enum ca_status st;

    v.high_time_ms = get_i64(&r);
    v.last_ca = get_u32(&r);
    v.last_job = get_u32(&r);
    st = finish(&r, "meta", err);
    if (st == CA_OK) *row = v;
    return st;
}

/* ---- ca ---- */

#define CA_FLAG_ROOT 1
#define CA_FLAG_SHORT_LIVED 2

void schema_encode_ca(const struct schema_ca *row, struct ca_buf *out)
{
    unsigned flags = (row->is_root ? CA_FLAG_ROOT : 0U) |
                     (row->short_lived ? CA_FLAG_SHORT_LIVED : 0U);

    assert(row->state >= SCHEMA_CA_CREATING && row->state <= SCHEMA_CA_TOMBSTONE);
    assert(row->state_before <= SCHEMA_CA_TOMBSTONE);
    ca_buf_append_u8(out, ROW_VERSION);
    ca_buf_append(out, row->uuid, sizeof(row->uuid));
    put_bytes8(out, row->name);
    ca_buf_append_u8(out, (uint8_t)flags);
    ca_buf_append_u8(out, row->state);
    ca_buf_append_u8(out, row->state_before);
    ca_buf_append_u8(out, row->key_alg);
    ca_buf_append_u8(out, row->sig_alg);
    put_i64(out, row->created_ms);
    put_i64(out, row->changed_ms);
    put_i64(out, row->restorable_until_ms);
    put_u32(out, row->generation);
    put_u32(out, row->scope);
    put_u32(out, row->scope_used);
    put_bytes32(out, row->config);
    put_bytes32(out, row->revocation);
    put_bytes32(out, row->tags);
    put_bytes32(out, row->subject);
    put_bytes32(out, row->spki);
    put_bytes32(out, row->csr);
    put_bytes32(out, row->cert);
    put_bytes32(out, row->chain);
}

static void decode_ca_blobs(struct reader *r, struct schema_ca *v)
{
    v->config = get_bytes32(r);
    v->revocation = get_bytes32(r);
    v->tags = get_bytes32(r);
    v->subject = get_bytes32(r);
    v->spki = get_bytes32(r);
    v->csr = get_bytes32(r);
    v->cert = get_bytes32(r);
    v->chain = get_bytes32(r);
}

enum ca_status schema_decode_ca(struct ca_bytes value, struct schema_ca *row, struct ca_error *err)
{
    struct reader r = reader_of(value);
    struct schema_ca v = { .is_root = false };
    unsigned flags;
    enum ca_status st;

    get_octets(&r, v.uuid, sizeof(v.uuid));
    v.name = get_bytes8(&r);
    flags = get_choice(&r, 0, CA_FLAG_ROOT | CA_FLAG_SHORT_LIVED);
    v.is_root = (flags & CA_FLAG_ROOT) != 0;
    v.short_lived = (flags & CA_FLAG_SHORT_LIVED) != 0;
    v.state = get_choice(&r, SCHEMA_CA_CREATING, SCHEMA_CA_TOMBSTONE);
    v.state_before = get_choice(&r, 0, SCHEMA_CA_TOMBSTONE);
    v.key_alg = get_u8(&r);
    v.sig_alg = get_u8(&r);
    v.created_ms = get_i64(&r);
    v.changed_ms = get_i64(&r);
    v.restorable_until_ms = get_i64(&r);
    v.generation = get_u32(&r);
    v.scope = get_u32(&r);
    v.scope_used = get_u32(&r);
    decode_ca_blobs(&r, &v);
    st = finish(&r, "ca", err);
    if (st == CA_OK) *row = v;
    return st;
}

/* ---- token ---- */

void schema_encode_token(const struct schema_token *row, struct ca_buf *out)
{
    ca_buf_append_u8(out, ROW_VERSION);
    ca_buf_append(out, row->arguments, sizeof(row->arguments));
    put_i64(out, row->created_ms);
    put_bytes8(out, row->result);
}

enum ca_status schema_decode_token(struct ca_bytes value, struct schema_token *row,
                                   struct ca_error *err)
{
    struct reader r = reader_of(value);
    struct schema_token v = { .created_ms = 0 };
    enum ca_status st;

    get_octets(&r, v.arguments, sizeof(v.arguments));
    v.created_ms = get_i64(&r);
    v.result = get_bytes8(&r);
    st = finish(&r, "token", err);
    if (st == CA_OK) *row = v;
    return st;
}

/* ---- cert ---- */

/* Once per certificate, so written in one piece. */
void schema_encode_cert(const struct schema_cert *row, struct ca_buf *out)
{
    uint8_t *at;

    if (!fits(out, row->der, UINT32_MAX)) return;
    at = ca_buf_extend(out, CERT_HEAD_LEN + row->der.len);
    if (at == NULL) return;
    at[0] = ROW_VERSION;
    ca_put_u32(at + 1, row->ca_generation);
    ca_put_u32(at + 5, row->scope);
    ca_put_u64(at + 9, row->profile);
    ca_put_u64(at + 17, (uint64_t)row->not_before_s);
    ca_put_u64(at + 25, (uint64_t)row->not_after_s);
    ca_put_u32(at + 33, row->job);
    ca_put_u64(at + 37, row->ordinal);
    ca_put_u32(at + 45, (uint32_t)row->der.len);
    if (row->der.len > 0) memcpy(at + CERT_HEAD_LEN, row->der.data, row->der.len);
}

enum ca_status schema_decode_cert(struct ca_bytes value, struct schema_cert *row,
                                  struct ca_error *err)
{
    struct reader r = reader_of(value);
    struct schema_cert v = { .ca_generation = get_u32(&r) };
    enum ca_status st;

    v.scope = get_u32(&r);
    v.profile = get_u64(&r);
    v.not_before_s = get_i64(&r);
    v.not_after_s = get_i64(&r);
    v.job = get_u32(&r);
    v.ordinal = get_u64(&r);
    v.der = get_bytes32(&r);
    st = finish(&r, "cert", err);
    if (st == CA_OK) *row = v;
    return st;
}

/* ---- job ---- */

void schema_encode_job(const struct schema_job *row, struct ca_buf *out)
{
    assert(row->state >= SCHEMA_JOB_RUNNING && row->state <= SCHEMA_JOB_CANCELLED);
    ca_buf_append_u8(out, ROW_VERSION);
    ca_buf_append(out, row->uuid, sizeof(row->uuid));
    put_bytes8(out, row->name);
    ca_buf_append_u8(out, row->state);
    ca_buf_append_u8(out, row->finishing ? 1 : 0);
    put_u32(out, row->ca);
    ca_buf_append(out, row->profile, sizeof(row->profile));
    put_bytes32(out, row->spec);
    put_bytes32(out, row->out_dir);
    put_i64(out, row->created_ms);
    put_i64(out, row->updated_ms);
    put_u64(out, row->done);
    put_u64(out, row->issued);
    put_u64(out, row->rejected);
    put_u64(out, row->signed_count);
    put_u64(out, row->discarded);
    put_u64(out, row->elapsed_ms);
    put_u64(out, row->out_done);
    for (size_t i = 0; i < 3; i++) put_u64(out, row->out_lengths[i]);
    put_u32(out, row->notices);
    put_u64(out, row->ignored);
    put_u64(out, row->duplicate_keys);
    put_u64(out, row->known_keys);
    put_bytes32(out, row->summary);
}

enum ca_status schema_decode_job(struct ca_bytes value, struct schema_job *row,
                                 struct ca_error *err)
{
    struct reader r = reader_of(value);
    struct schema_job v = { .finishing = false };
    enum ca_status st;

    get_octets(&r, v.uuid, sizeof(v.uuid));
    v.name = get_bytes8(&r);
    v.state = get_choice(&r, SCHEMA_JOB_RUNNING, SCHEMA_JOB_CANCELLED);
    v.finishing = get_choice(&r, 0, 1) != 0;
    v.ca = get_u32(&r);
    get_octets(&r, v.profile, sizeof(v.profile));
    v.spec = get_bytes32(&r);
    v.out_dir = get_bytes32(&r);
    v.created_ms = get_i64(&r);
    v.updated_ms = get_i64(&r);
    v.done = get_u64(&r);
    v.issued = get_u64(&r);
    v.rejected = get_u64(&r);
    v.signed_count = get_u64(&r);
    v.discarded = get_u64(&r);
    v.elapsed_ms = get_u64(&r);
    v.out_done = get_u64(&r);
    for (size_t i = 0; i < 3; i++) v.out_lengths[i] = get_u64(&r);
    v.notices = get_u32(&r);
    v.ignored = get_u64(&r);
    v.duplicate_keys = get_u64(&r);
    v.known_keys = get_u64(&r);
    v.summary = get_bytes32(&r);
    st = finish(&r, "job", err);
    if (st == CA_OK) *row = v;
    return st;
}

/* ---- input ---- */

void schema_encode_input(const struct schema_input *row, struct ca_buf *out)
{
    ca_buf_append_u8(out, ROW_VERSION);
    put_u32(out, row->input);
    put_u64(out, row->offset);
    ca_buf_append(out, row->digest, sizeof(row->digest));
}

enum ca_status schema_decode_input(struct ca_bytes value, struct schema_input *row,
                                   struct ca_error *err)
{
    struct reader r = reader_of(value);
    struct schema_input v = { .input = get_u32(&r) };
    enum ca_status st;

    v.offset = get_u64(&r);
    get_octets(&r, v.digest, sizeof(v.digest));
    st = finish(&r, "input", err);
    if (st == CA_OK) *row = v;
    return st;
}

/* ---- result ---- */

/*
 * version, status with its flags, ignored and warnings where there are any, id unless null; then
 * issued, known and replayed: the serial (21 octets and the id); rejected: reason, input, offset,
 * kind, detail, record.
 */
void schema_encode_result(const struct schema_result *row, struct ca_buf *out)
{
    unsigned status = row->status;
    unsigned flags = (row->id_is_null ? RESULT_ID_NULL : 0U) |
                     (row->ignored != 0 ? RESULT_IGNORED : 0U) |
                     (row->warnings != 0 ? RESULT_WARNINGS : 0U);

    assert(status >= SCHEMA_RESULT_ISSUED && status <= SCHEMA_RESULT_REPLAYED);
    assert(!row->id_is_null || row->id.len == 0);
    assert(row->record_kind <= SCHEMA_RECORD_LINE);
    assert(row->warnings <= WARNINGS_MAX);
    ca_buf_append_u8(out, ROW_VERSION);
    ca_buf_append_u8(out, (uint8_t)(status | flags));
    if (row->ignored != 0) put_u64(out, row->ignored);
    if (row->warnings != 0) ca_buf_append_u8(out, row->warnings);
    if (!row->id_is_null) put_bytes8(out, row->id);
    if (status != SCHEMA_RESULT_REJECTED) {
        ca_buf_append(out, row->serial, sizeof(row->serial));
        return;
    }
    put_u16(out, row->reason);
    put_u32(out, row->input);
    put_u64(out, row->offset);
    ca_buf_append_u8(out, row->record_kind);
    put_bytes16(out, row->detail, UINT16_MAX);
    put_bytes16(out, row->record, SCHEMA_RECORD_MAX);
}

enum ca_status schema_decode_result(struct ca_bytes value, struct schema_result *row,
                                    struct ca_error *err)
{
    struct reader r = reader_of(value);
    uint8_t first = get_u8(&r);
    struct schema_result v = { .status = first & RESULT_STATUS_MASK,
                               .id_is_null = (first & RESULT_ID_NULL) != 0 };
    enum ca_status st;

    if (v.status < SCHEMA_RESULT_ISSUED || v.status > SCHEMA_RESULT_REPLAYED) r.bad = true;
    if ((first & RESULT_IGNORED) != 0) v.ignored = get_u64(&r);
    if ((first & RESULT_IGNORED) != 0 && v.ignored == 0) r.bad = true;
    if ((first & RESULT_WARNINGS) != 0) v.warnings = get_choice(&r, 1, WARNINGS_MAX);
    if (!v.id_is_null) v.id = get_bytes8(&r);
    if (v.status != SCHEMA_RESULT_REJECTED) {
        get_octets(&r, v.serial, sizeof(v.serial));
    } else {
        v.reason = get_u16(&r);
        v.input = get_u32(&r);
        v.offset = get_u64(&r);
        v.record_kind = get_choice(&r, SCHEMA_RECORD_NONE, SCHEMA_RECORD_LINE);
        v.detail = get_bytes16(&r, UINT16_MAX);
        v.record = get_bytes16(&r, SCHEMA_RECORD_MAX);
    }
    st = finish(&r, "result", err);
    if (st == CA_OK) *row = v;
    return st;
}

/* ---- known ---- */

void schema_encode_known(const struct schema_known *row, struct ca_buf *out)
{
    ca_buf_append_u8(out, ROW_VERSION);
    put_u32(out, row->ca);
    ca_buf_append(out, row->serial, sizeof(row->serial));
}

enum ca_status schema_decode_known(struct ca_bytes value, struct schema_known *row,
                                   struct ca_error *err)
{
    struct reader r = reader_of(value);
    struct schema_known v = { .ca = get_u32(&r) };
    enum ca_status st;

    get_octets(&r, v.serial, sizeof(v.serial));
    st = finish(&r, "known", err);
    if (st == CA_OK) *row = v;
    return st;
}

/* ---- id ---- */

void schema_encode_ordinal(uint64_t ordinal, struct ca_buf *out)
{
    ca_buf_append_u8(out, ROW_VERSION);
    put_u64(out, ordinal);
}

enum ca_status schema_decode_ordinal(struct ca_bytes value, uint64_t *ordinal, struct ca_error *err)
{
    struct reader r = reader_of(value);
    uint64_t v = get_u64(&r);
    enum ca_status st = finish(&r, "id", err);

    if (st == CA_OK) *ordinal = v;
    return st;
}
