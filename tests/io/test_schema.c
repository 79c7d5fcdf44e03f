/* Rows and keys: round trips of random rows, frozen encodings, refusal of what is no row. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/clock.h"
#include "io/schema.h"

#define ROUNDS 300
#define POOL_LEN 20000
#define ROW_MAX (1u << 20)

/* Random rows from a seed, so that a failure can be seen again. */
struct source {
    uint64_t x;
    uint8_t pool[POOL_LEN];     /* what random byte strings are views of */
};

static uint64_t next_u64(struct source *s)
{
    s->x ^= s->x << 13;
    s->x ^= s->x >> 7;
    s->x ^= s->x << 17;
    return s->x * UINT64_C(0x2545f4914f6cdd1d);
}

/* Small, large and extreme ones. */
static uint64_t any_u64(struct source *s)
{
    switch (next_u64(s) % 4) {
    case 0: return next_u64(s) % 4;
    case 1: return UINT64_MAX - next_u64(s) % 4;
    case 2: return UINT64_C(1) << (next_u64(s) % 64);
    }
    return next_u64(s);
}

static uint32_t any_u32(struct source *s) { return (uint32_t)any_u64(s); }
static int64_t any_i64(struct source *s) { return (int64_t)any_u64(s); }
static bool any_bool(struct source *s) { return (next_u64(s) & 1) != 0; }

static uint8_t any_in(struct source *s, unsigned min, unsigned max)
{
    return (uint8_t)(min + next_u64(s) % (max - min + 1));
}

static void any_octets(struct source *s, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)next_u64(s);
}

/* Often empty, often of the greatest length. */
static struct ca_bytes any_bytes(struct source *s, size_t max)
{
    size_t len = next_u64(s) % 4 == 0 ? (any_bool(s) ? 0 : max) : next_u64(s) % 100;

    if (len > max) len = max;
    return ca_bytes_of(s->pool + next_u64(s) % (POOL_LEN - len + 1), len);
}

static int source_setup(void **state)
{
    struct source *s = calloc(1, sizeof(*s));

    if (s == NULL) return -1;
    s->x = UINT64_C(0x9e3779b97f4a7c15);
    any_octets(s, s->pool, sizeof(s->pool));
    *state = s;
    return 0;
}

static int source_teardown(void **state)
{
    free(*state);
    return 0;
}

static void same_bytes(struct ca_bytes a, struct ca_bytes b)
{
    assert_true(ca_bytes_equal(a, b));
}

/* ---- one round trip for every kind of row ---- */

#define SAME(field) assert_true(a.field == b.field)
#define SAME_OCTETS(field) assert_memory_equal(a.field, b.field, sizeof(a.field))
#define SAME_BYTES(field) same_bytes(a.field, b.field)

static void trip_identity(struct source *s, struct ca_buf *buf)
{
    struct schema_identity b, a = { .schema_version = any_u32(s), .created_ms = any_i64(s),
                                    .encrypted = any_bool(s), .region = any_bytes(s, 255),
                                    .account = any_bytes(s, 255) };

    any_octets(s, a.store_id, sizeof(a.store_id));
    schema_encode_identity(&a, buf);
    assert_int_equal(schema_decode_identity(ca_buf_view(buf), &b, NULL), CA_OK);
    SAME(schema_version);
    SAME_OCTETS(store_id);
    SAME(created_ms);
    SAME(encrypted);
    SAME_BYTES(region);
    SAME_BYTES(account);
}

static void trip_clock(struct source *s, struct ca_buf *buf)
{
    struct schema_clock b, a = { any_i64(s), any_i64(s), any_u32(s), any_u32(s) };

    schema_encode_clock(&a, buf);
    assert_int_equal(schema_decode_clock(ca_buf_view(buf), &b, NULL), CA_OK);
    SAME(last_tick_ms);
    SAME(high_time_ms);
    SAME(last_ca);
    SAME(last_job);
}

static void trip_ca(struct source *s, struct ca_buf *buf)
{
    struct schema_ca b, a = {
        .name = any_bytes(s, SCHEMA_NAME_MAX), .is_root = any_bool(s),
        .state = any_in(s, SCHEMA_CA_CREATING, SCHEMA_CA_TOMBSTONE),
        .state_before = any_in(s, 0, SCHEMA_CA_TOMBSTONE), .short_lived = any_bool(s),
        .key_alg = any_in(s, 0, 255), .sig_alg = any_in(s, 0, 255), .created_ms = any_i64(s),
        .changed_ms = any_i64(s), .restorable_until_ms = any_i64(s), .generation = any_u32(s),
        .scope = any_u32(s), .scope_used = any_u32(s), .config = any_bytes(s, 9000),
        .revocation = any_bytes(s, 300), .tags = any_bytes(s, POOL_LEN),
        .subject = any_bytes(s, 300), .spki = any_bytes(s, 800),
        .csr = any_bytes(s, 3000), .cert = any_bytes(s, 3000), .chain = any_bytes(s, 9000),
    };

    any_octets(s, a.uuid, sizeof(a.uuid));
    schema_encode_ca(&a, buf);
    assert_int_equal(schema_decode_ca(ca_buf_view(buf), &b, NULL), CA_OK);
    SAME_OCTETS(uuid);
    SAME_BYTES(name);
    SAME(is_root);
    SAME(state);
    SAME(state_before);
    SAME(short_lived);
    SAME(key_alg);
    SAME(sig_alg);
    SAME(created_ms);
    SAME(changed_ms);
    SAME(restorable_until_ms);
    SAME(generation);
    SAME(scope);
    SAME(scope_used);
    SAME_BYTES(config);
    SAME_BYTES(revocation);
    SAME_BYTES(tags);
    SAME_BYTES(subject);
    SAME_BYTES(spki);
    SAME_BYTES(csr);
    SAME_BYTES(cert);
    SAME_BYTES(chain);
}

static void trip_token(struct source *s, struct ca_buf *buf)
{
    struct schema_token b, a = { .created_ms = any_i64(s), .result = any_bytes(s, 255) };

    any_octets(s, a.arguments, sizeof(a.arguments));
    schema_encode_token(&a, buf);
    assert_int_equal(schema_decode_token(ca_buf_view(buf), &b, NULL), CA_OK);
    SAME_OCTETS(arguments);
    SAME(created_ms);
    SAME_BYTES(result);
}

static void trip_cert(struct source *s, struct ca_buf *buf)
{
    struct schema_cert b, a = {
        .ca_generation = any_u32(s), .scope = any_u32(s), .profile = any_u64(s),
        .not_before_s = any_i64(s), .not_after_s = any_i64(s), .job = any_u32(s),
        .ordinal = any_u64(s), .der = any_bytes(s, 9000),
    };

    schema_encode_cert(&a, buf);
    assert_int_equal(schema_decode_cert(ca_buf_view(buf), &b, NULL), CA_OK);
    SAME(ca_generation);
    SAME(scope);
    SAME(profile);
    SAME(not_before_s);
    SAME(not_after_s);
    SAME(job);
    SAME(ordinal);
    SAME_BYTES(der);
}

static void trip_job(struct source *s, struct ca_buf *buf)
{
    struct schema_job b, a = {
        .name = any_bytes(s, SCHEMA_NAME_MAX),
        .state = any_in(s, SCHEMA_JOB_RUNNING, SCHEMA_JOB_CANCELLED), .finishing = any_bool(s),
        .ca = any_u32(s), .spec = any_bytes(s, 3000), .out_dir = any_bytes(s, 4096),
        .created_ms = any_i64(s), .updated_ms = any_i64(s), .done = any_u64(s),
        .issued = any_u64(s), .rejected = any_u64(s), .signed_count = any_u64(s),
        .discarded = any_u64(s), .elapsed_ms = any_u64(s), .out_done = any_u64(s),
        .out_lengths = { any_u64(s), any_u64(s), any_u64(s) }, .notices = any_u32(s),
        .ignored = any_u64(s),
        .duplicate_keys = any_u64(s), .known_keys = any_u64(s), .summary = any_bytes(s, 3000),
    };

    any_octets(s, a.uuid, sizeof(a.uuid));
    any_octets(s, a.profile, sizeof(a.profile));
    schema_encode_job(&a, buf);
    assert_int_equal(schema_decode_job(ca_buf_view(buf), &b, NULL), CA_OK);
    SAME_OCTETS(uuid);
    SAME_BYTES(name);
    SAME(state);
    SAME(finishing);
    SAME(ca);
    SAME_OCTETS(profile);
    SAME_BYTES(spec);
    SAME_BYTES(out_dir);
    SAME(created_ms);
    SAME(updated_ms);
    SAME(done);
    SAME(issued);
    SAME(rejected);
    SAME(signed_count);
    SAME(discarded);
    SAME(elapsed_ms);
    SAME(out_done);
    SAME_OCTETS(out_lengths);
    SAME(notices);
    SAME(ignored);
    SAME(duplicate_keys);
    SAME(known_keys);
    SAME_BYTES(summary);
}

static void trip_input(struct source *s, struct ca_buf *buf)
{
    struct schema_input b, a = { .input = any_u32(s), .offset = any_u64(s) };

    any_octets(s, a.digest, sizeof(a.digest));
    schema_encode_input(&a, buf);
    assert_int_equal(schema_decode_input(ca_buf_view(buf), &b, NULL), CA_OK);
    SAME(input);
    SAME(offset);
    SAME_OCTETS(digest);
}

static void trip_result(struct source *s, struct ca_buf *buf)
{
    struct schema_result b, a = {
        .status = any_in(s, SCHEMA_RESULT_ISSUED, SCHEMA_RESULT_REPLAYED),
        .id_is_null = any_bool(s), .ignored = any_bool(s) ? any_u64(s) : 0,
        .warnings = any_in(s, 0, SCHEMA_WARNING_DUPLICATE_KEY | SCHEMA_WARNING_KNOWN_KEY),
    };

    if (!a.id_is_null) a.id = any_bytes(s, SCHEMA_ID_MAX);
    if (a.status == SCHEMA_RESULT_REJECTED) {
        a.reason = (uint16_t)any_u64(s);
        a.detail = any_bytes(s, 300);
        a.input = any_u32(s);
        a.offset = any_u64(s);
        a.record_kind = any_in(s, SCHEMA_RECORD_NONE, SCHEMA_RECORD_LINE);
        a.record = any_bytes(s, SCHEMA_RECORD_MAX);
    } else {
        any_octets(s, a.serial, sizeof(a.serial));
    }
    schema_encode_result(&a, buf);
    assert_int_equal(schema_decode_result(ca_buf_view(buf), &b, NULL), CA_OK);
    SAME(status);
    SAME(warnings);
    SAME(ignored);
    SAME_OCTETS(serial);
    SAME_BYTES(id);
    SAME(id_is_null);
    SAME(reason);
    SAME_BYTES(detail);
    SAME(input);
    SAME(offset);
    SAME(record_kind);
    SAME_BYTES(record);
}

static void trip_ordinal(struct source *s, struct ca_buf *buf)
{
    uint64_t a = any_u64(s), b = 0;

    schema_encode_ordinal(a, buf);
    assert_int_equal(schema_decode_ordinal(ca_buf_view(buf), &b, NULL), CA_OK);
    assert_true(a == b);
}

static void trip_known(struct source *s, struct ca_buf *buf)
{
    struct schema_known b, a = { .ca = any_u32(s) };

    any_octets(s, a.serial, sizeof(a.serial));
    schema_encode_known(&a, buf);
    assert_int_equal(schema_decode_known(ca_buf_view(buf), &b, NULL), CA_OK);
    SAME(ca);
    SAME_OCTETS(serial);
}

/* ---- the same over all kinds ---- */

union any_row {
    struct schema_identity identity;
    struct schema_clock clock;
    struct schema_ca ca;
    struct schema_token token;
    struct schema_cert cert;
    struct schema_job job;
    struct schema_input input;
    struct schema_result result;
    struct schema_known known;
    uint64_t ordinal;
};

#define KINDS 10

static enum ca_status decode(unsigned kind, struct ca_bytes value, union any_row *row,
                             struct ca_error *err)
{
    switch (kind) {
    case 0: return schema_decode_identity(value, &row->identity, err);
    case 1: return schema_decode_clock(value, &row->clock, err);
    case 2: return schema_decode_ca(value, &row->ca, err);
    case 3: return schema_decode_token(value, &row->token, err);
    case 4: return schema_decode_cert(value, &row->cert, err);
    case 5: return schema_decode_job(value, &row->job, err);
    case 6: return schema_decode_input(value, &row->input, err);
    case 7: return schema_decode_result(value, &row->result, err);
    case 9: return schema_decode_known(value, &row->known, err);
    }
    return schema_decode_ordinal(value, &row->ordinal, err);
}

static void trip(unsigned kind, struct source *s, struct ca_buf *buf)
{
    static void (*const trips[KINDS])(struct source *, struct ca_buf *) = {
        trip_identity, trip_clock, trip_ca, trip_token, trip_cert, trip_job, trip_input,
        trip_result, trip_ordinal, trip_known,
    };

    ca_buf_reset(buf);
    trips[kind](s, buf);
    assert_int_equal(ca_buf_status(buf, "row", NULL), CA_OK);
}

static const char *const kind_tables[KINDS] = { "meta", "meta", "ca", "token", "cert", "job",
                                                "input", "result", "id", "known" };

static void refused(unsigned kind, struct ca_bytes value)
{
    union any_row row, before;
    struct ca_error err;

    memset(&row, 0x5a, sizeof(row));
    before = row;
    assert_int_equal(decode(kind, value, &row, &err), CA_CORRUPT);
    assert_string_equal(ca_error_name(&err), "bad-row");
    assert_non_null(strstr(err.text, kind_tables[kind]));
    assert_memory_equal(&row, &before, sizeof(row));    /* nothing half written */
}

static void random_rows_come_back_as_they_were(void **state)
{
    struct ca_buf buf;

    ca_buf_init(&buf, ROW_MAX);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (unsigned i = 0; i < ROUNDS; i++) trip(kind, *state, &buf);
    }
    ca_buf_clear(&buf);
}

/* A copy of exactly the value's size, so that a sanitizer sees a read past its end. */
static void refused_copy(unsigned kind, struct ca_bytes value, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    memcpy(copy, value.data, len);
    refused(kind, ca_bytes_of(copy, len));
    free(copy);
}

static void every_truncation_and_every_octet_too_much_is_refused(void **state)
{
    struct ca_buf buf;

    ca_buf_init(&buf, ROW_MAX);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        for (unsigned i = 0; i < 12; i++) {
            size_t whole;

            trip(kind, *state, &buf);
            whole = buf.len;
            for (size_t len = 0; len < whole; len += len < 400 || whole - len < 400 ? 1 : 97) {
                refused_copy(kind, ca_buf_view(&buf), len);
            }
            for (unsigned octet = 0; octet < 256; octet += 51) {
                ca_buf_append_u8(&buf, (uint8_t)octet);
                refused_copy(kind, ca_buf_view(&buf), buf.len);
                buf.len = whole;
            }
        }
    }
    ca_buf_clear(&buf);
}

static void octets_that_are_no_row_are_refused_or_read_but_never_crash(void **state)
{
    struct source *s = *state;
    uint8_t octets[120];
    unsigned taken = 0;

    for (unsigned i = 0; i < 60000; i++) {
        union any_row row;
        unsigned kind = i % KINDS;
        size_t len = next_u64(s) % sizeof(octets);
        struct ca_error err;
        enum ca_status st;

        any_octets(s, octets, len);
        for (size_t at = 0; at < len; at++) {       /* lengths are mostly small numbers */
            if (next_u64(s) % 2 == 0) octets[at] = 0;
        }
        if (len > 0) octets[0] = 1;                 /* past the first hurdle */
        st = decode(kind, ca_bytes_of(octets, len), &row, &err);
        assert_true(st == CA_OK || st == CA_CORRUPT);
        if (st == CA_OK) taken++;
    }
    assert_true(taken > 0);     /* some got to the end of their decoder */
}

static void flags_states_and_versions_that_do_not_exist_are_refused(void **state)
{
    struct ca_buf buf;
    static const struct { unsigned kind; size_t at; uint8_t octet; } wrong[] = {
        { 0, 29, 2 },           /* identity: encrypted is neither true nor false */
        { 2, 19, 0x04 },        /* ca: unknown flag (behind a name of one octet) */
        { 2, 20, 0 }, { 2, 20, 8 },             /* ca: state */
        { 2, 21, 8 },           /* ca: state before */
        { 5, 19, 0 }, { 5, 19, 6 },             /* job: state */
        { 5, 20, 2 },           /* job: finishing */
        { 7, 1, 0 }, { 7, 1, 5 }, { 7, 1, 0x85 }, /* result: status */
        /* kind 10 stands for a result with remarks: ignored that names nothing (its lowest octet),
         * warnings that are none or unknown */
        { 10, 9, 0 }, { 10, 10, 0 }, { 10, 10, 4 },
    };

    (void)state;
    ca_buf_init(&buf, ROW_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct schema_identity identity = { .schema_version = 1 };
        struct schema_ca ca = { .name = ca_bytes_str("n"), .state = SCHEMA_CA_ACTIVE };
        struct schema_job job = { .name = ca_bytes_str("n"), .state = SCHEMA_JOB_RUNNING };
        struct schema_result result = { .status = SCHEMA_RESULT_ISSUED };
        unsigned kind = wrong[i].kind == 10 ? 7 : wrong[i].kind;
        union any_row row;

        if (wrong[i].kind == 10) {
            result.ignored = 1;
            result.warnings = SCHEMA_WARNING_KNOWN_KEY;
        }
        ca_buf_reset(&buf);
        if (wrong[i].kind == 0) schema_encode_identity(&identity, &buf);
        if (wrong[i].kind == 2) schema_encode_ca(&ca, &buf);
        if (wrong[i].kind == 5) schema_encode_job(&job, &buf);
        if (kind == 7) schema_encode_result(&result, &buf);
        assert_int_equal(decode(kind, ca_buf_view(&buf), &row, NULL), CA_OK);
        buf.data[wrong[i].at] = wrong[i].octet;
        refused(kind, ca_buf_view(&buf));
    }
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct source *s = *state;
        trip(kind, s, &buf);
        buf.data[0] = 2;        /* a row of a version to come */
        refused(kind, ca_buf_view(&buf));
    }
    ca_buf_clear(&buf);
}

static void a_string_too_long_for_its_row_fails_and_is_not_cut(void **state)
{
    struct source *s = *state;
    struct ca_buf buf;
    struct schema_ca ca = { .name = ca_bytes_of(s->pool, SCHEMA_NAME_MAX + 1),
                            .state = SCHEMA_CA_ACTIVE };
    struct schema_result id = { .status = SCHEMA_RESULT_ISSUED,
                                .id = ca_bytes_of(s->pool, SCHEMA_ID_MAX + 1) };
    struct schema_result record = { .status = SCHEMA_RESULT_REJECTED,
                                    .record = ca_bytes_of(s->pool, SCHEMA_RECORD_MAX + 1) };

    ca_buf_init(&buf, ROW_MAX);
    schema_encode_ca(&ca, &buf);
    assert_int_equal(ca_buf_status(&buf, "row", NULL), CA_FULL);
    ca_buf_reset(&buf);
    schema_encode_result(&id, &buf);
    assert_int_equal(ca_buf_status(&buf, "row", NULL), CA_FULL);
    ca_buf_reset(&buf);
    schema_encode_result(&record, &buf);
    assert_int_equal(ca_buf_status(&buf, "row", NULL), CA_FULL);
    ca_buf_clear(&buf);
}

static void a_stored_record_longer_than_the_limit_is_refused(void **state)
{
    struct source *s = *state;
    struct ca_buf buf;
    struct schema_result row = { .status = SCHEMA_RESULT_REJECTED, .id_is_null = true,
                                 .record = ca_bytes_of(s->pool, SCHEMA_RECORD_MAX) };
    const size_t len_at = 19;   /* of the record: version, status, 2 + 4 + 8 + 1, 2 of detail */

    ca_buf_init(&buf, ROW_MAX);
    schema_encode_result(&row, &buf);
    assert_int_equal(ca_get_u16(buf.data + len_at), SCHEMA_RECORD_MAX);
    ca_put_u16(buf.data + len_at, SCHEMA_RECORD_MAX + 1);
    ca_buf_append_u8(&buf, 0);
    refused(7, ca_buf_view(&buf));
    ca_buf_clear(&buf);
}

/* ---- what lies on disk, written down by hand ---- */

static void equals_hex(struct ca_bytes got, const char *hex)
{
    uint8_t want[256];
    size_t len = 0;

    assert_int_equal(ca_hex_decode(hex, want, sizeof(want), &len, NULL), CA_OK);
    assert_int_equal(got.len, len);
    assert_memory_equal(got.data, want, len);
}

static void a_certificate_row_has_49_octets_before_its_der(void **state)
{
    static const uint8_t der[3] = { 0x30, 0x01, 0x00 };
    struct schema_cert row = { 1, 2, UINT64_C(0x1122334455667788), 1000, -1, 3, 4,
                               ca_bytes_of(der, sizeof(der)) };
    struct ca_buf buf;

    (void)state;
    ca_buf_init(&buf, 256);
    schema_encode_cert(&row, &buf);
    equals_hex(ca_buf_view(&buf), "01" "00000001" "00000002" "1122334455667788"
                                  "00000000000003e8" "ffffffffffffffff" "00000003"
                                  "0000000000000004" "00000003" "300100");
    ca_buf_clear(&buf);
}

static void a_result_row_of_an_issued_request_has_21_octets_and_the_id(void **state)
{
    struct schema_result row = { .status = SCHEMA_RESULT_ISSUED, .id = ca_bytes_str("dev") };
    struct ca_buf buf;

    (void)state;
    for (unsigned i = 0; i < SCHEMA_SERIAL_LEN; i++) row.serial[i] = (uint8_t)(i + 1);
    ca_buf_init(&buf, 256);
    schema_encode_result(&row, &buf);
    equals_hex(ca_buf_view(&buf), "01" "01" "03646576" "0102030405060708090a0b0c0d0e0f101112");
    ca_buf_reset(&buf);
    row.id = ca_bytes_of(NULL, 0);
    row.id_is_null = true;
    schema_encode_result(&row, &buf);
    equals_hex(ca_buf_view(&buf), "01" "81" "0102030405060708090a0b0c0d0e0f101112");
    ca_buf_clear(&buf);
}

static void remarks_stand_before_the_id_and_only_where_there_are_any(void **state)
{
    struct schema_result row = { .status = SCHEMA_RESULT_ISSUED, .id = ca_bytes_str("d"),
                                 .ignored = UINT64_C(0x0001000000000009) };
    struct ca_buf buf;

    (void)state;
    ca_buf_init(&buf, 256);
    schema_encode_result(&row, &buf);
    equals_hex(ca_buf_view(&buf),
               "01" "41" "0001000000000009" "0164" "000000000000000000000000000000000000");
    ca_buf_reset(&buf);
    row.warnings = SCHEMA_WARNING_DUPLICATE_KEY;
    schema_encode_result(&row, &buf);
    equals_hex(ca_buf_view(&buf),
               "01" "61" "0001000000000009" "01" "0164" "000000000000000000000000000000000000");
    ca_buf_reset(&buf);
    row.ignored = 0;
    schema_encode_result(&row, &buf);
    equals_hex(ca_buf_view(&buf), "01" "21" "01" "0164" "000000000000000000000000000000000000");
    ca_buf_clear(&buf);
}

static void a_known_key_has_23_octets_under_the_16_of_its_hash(void **state)
{
    struct schema_known row = { .ca = 7 };
    uint8_t hash[SCHEMA_KNOWN_LEN];
    struct schema_key key;
    struct ca_buf buf;

    (void)state;
    for (unsigned i = 0; i < sizeof(row.serial); i++) row.serial[i] = (uint8_t)(i + 1);
    memset(hash, 0xcd, sizeof(hash));
    ca_buf_init(&buf, 256);
    schema_encode_known(&row, &buf);
    equals_hex(ca_buf_view(&buf), "01" "00000007" "0102030405060708090a0b0c0d0e0f101112");
    equals_hex(schema_key_known(&key, hash), "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd");
    ca_buf_clear(&buf);
}

static void a_result_row_of_a_refused_request_carries_reason_place_and_record(void **state)
{
    struct schema_result row = {
        .status = SCHEMA_RESULT_REJECTED, .id_is_null = true, .reason = 25,
        .detail = ca_bytes_str("no"), .input = 1, .offset = 258,
        .record_kind = SCHEMA_RECORD_TEXT, .record = ca_bytes_str("abc"),
    };
    struct ca_buf buf;

    (void)state;
    ca_buf_init(&buf, 256);
    schema_encode_result(&row, &buf);
    equals_hex(ca_buf_view(&buf), "01" "82" "0019" "00000001" "0000000000000102" "01"
                                  "0002" "6e6f" "0003" "616263");
    ca_buf_clear(&buf);
}

static void keys_have_their_fields_side_by_side_in_big_endian(void **state)
{
    uint8_t serial[SCHEMA_SERIAL_LEN], hash[SCHEMA_HASH_LEN];
    struct schema_key key;

    (void)state;
    for (unsigned i = 0; i < sizeof(serial); i++) serial[i] = (uint8_t)(i + 1);
    memset(hash, 0xab, sizeof(hash));
    equals_hex(schema_key_meta(&key, "clock"), "636c6f636b");
    equals_hex(schema_key_ca(&key, 0x01020304), "01020304");
    equals_hex(schema_key_job(&key, 7), "00000007");
    equals_hex(schema_key_token(&key, SCHEMA_TOKEN_ISSUE, 5, hash),
               "0200000005" "abababababababababababababababababababababababababababababababab");
    equals_hex(schema_key_cert(&key, serial, 9), "0102030405060708090a0b0c0d0e0f101112" "00000009");
    equals_hex(schema_key_expiry(&key, 1, 9, serial),
               "8000000000000001" "00000009" "0102030405060708090a0b0c0d0e0f101112");
    equals_hex(schema_key_ordinal(&key, 2, 258), "00000002" "0000000000000102");
    equals_hex(schema_key_id(&key, 2, ca_bytes_str("a")), "00000002" "61");
    equals_hex(schema_key_profile(&key, hash),
               "abababababababababababababababababababababababababababababababab");
    equals_hex(schema_key_revoked(&key, 1, 2, ca_bytes_of(serial, 3)),
               "00000001" "00000002" "03" "010203");
}

static void keys_read_back_what_was_put_in_and_refuse_another_length(void **state)
{
    struct source *s = *state;
    uint8_t serial[SCHEMA_SERIAL_LEN], got[SCHEMA_SERIAL_LEN];
    struct schema_key key;
    struct ca_error err;
    int64_t time_s;
    uint32_t number;
    uint64_t ordinal;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t ca = any_u32(s);
        int64_t when = any_i64(s);
        uint64_t n = any_u64(s);

        any_octets(s, serial, sizeof(serial));
        assert_int_equal(schema_read_key_cert(schema_key_cert(&key, serial, ca), got, &number,
                                              &err), CA_OK);
        assert_true(number == ca && memcmp(got, serial, sizeof(got)) == 0);
        assert_int_equal(schema_read_key_expiry(schema_key_expiry(&key, when, ca, serial), &time_s,
                                                &number, got, &err), CA_OK);
        assert_true(number == ca && time_s == when && memcmp(got, serial, sizeof(got)) == 0);
        assert_int_equal(schema_read_key_u32(schema_key_ca(&key, ca), &number, &err), CA_OK);
        assert_true(number == ca);
        assert_int_equal(schema_read_key_ordinal(schema_key_ordinal(&key, ca, n), &number, &ordinal,
                                                 &err), CA_OK);
        assert_true(number == ca && ordinal == n);
    }
    for (size_t len = 0; len <= 40; len++) {
        struct ca_bytes odd = ca_bytes_of(s->pool, len);

        assert_int_equal(schema_read_key_cert(odd, got, &number, &err),
                         len == 22 ? CA_OK : CA_CORRUPT);
        assert_int_equal(schema_read_key_expiry(odd, &time_s, &number, got, &err),
                         len == 30 ? CA_OK : CA_CORRUPT);
        assert_int_equal(schema_read_key_u32(odd, &number, &err), len == 4 ? CA_OK : CA_CORRUPT);
        assert_int_equal(schema_read_key_ordinal(odd, &number, &ordinal, &err),
                         len == 12 ? CA_OK : CA_CORRUPT);
    }
    assert_string_equal(ca_error_name(&err), "bad-row");
}

static void the_order_of_expiry_keys_is_the_order_of_time(void **state)
{
    static const int64_t times[] = { INT64_MIN, -62135596800, -1, 0, 1, 255, 256, CA_TIME_MAX_S,
                                     INT64_MAX };
    static const uint8_t serial[SCHEMA_SERIAL_LEN];
    struct schema_key before, after;

    (void)state;
    for (size_t i = 1; i < sizeof(times) / sizeof(times[0]); i++) {
        (void)schema_key_expiry(&before, times[i - 1], UINT32_MAX, serial);
        (void)schema_key_expiry(&after, times[i], 0, serial);
        assert_true(memcmp(before.octets, after.octets, before.len) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rows_come_back_as_they_were),
        cmocka_unit_test(every_truncation_and_every_octet_too_much_is_refused),
        cmocka_unit_test(octets_that_are_no_row_are_refused_or_read_but_never_crash),
        cmocka_unit_test(flags_states_and_versions_that_do_not_exist_are_refused),
        cmocka_unit_test(a_string_too_long_for_its_row_fails_and_is_not_cut),
        cmocka_unit_test(a_stored_record_longer_than_the_limit_is_refused),
        cmocka_unit_test(a_certificate_row_has_49_octets_before_its_der),
        cmocka_unit_test(a_result_row_of_an_issued_request_has_21_octets_and_the_id),
        cmocka_unit_test(a_result_row_of_a_refused_request_carries_reason_place_and_record),
        cmocka_unit_test(remarks_stand_before_the_id_and_only_where_there_are_any),
        cmocka_unit_test(a_known_key_has_23_octets_under_the_16_of_its_hash),
        cmocka_unit_test(keys_have_their_fields_side_by_side_in_big_endian),
        cmocka_unit_test(keys_read_back_what_was_put_in_and_refuse_another_length),
        cmocka_unit_test(the_order_of_expiry_keys_is_the_order_of_time),
    };

    return cmocka_run_group_tests(tests, source_setup, source_teardown);
}
