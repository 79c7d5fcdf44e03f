#include "batch/item.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PEM_OF(body) "-----BEGIN CERTIFICATE REQUEST-----\n" body "\n-----END CERTIFICATE REQUEST-----\n"

struct fixture {
    struct batch_issuer issuer;
    struct batch_profile profile;
    struct batch_plan plan;
    struct batch_chunk *chunk;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->profile.issuer = &f->issuer;
    f->plan.profiles = &f->profile;
    f->plan.profile_count = 1;
    assert_int_equal(batch_chunk_new(&f->chunk, NULL), CA_OK);
    batch_chunk_reset(f->chunk, &f->plan, 0, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    batch_chunk_free(f->chunk);
    free(f);
    return 0;
}

static struct batch_item *add(struct fixture *f, enum ingest_kind kind, struct ca_bytes data,
                              const char *path)
{
    struct ingest_record record = { .kind = kind, .data = data, .errnum = EACCES,
                                    .path = ca_bytes_str(path) };

    if (f->chunk->count == BATCH_CHUNK_ITEMS_MAX) batch_chunk_reset(f->chunk, &f->plan, 0, 0);
    (void)batch_chunk_add(f->chunk, &record);
    return &f->chunk->items[f->chunk->count - 1];
}

static enum ca_reason reason_of(struct fixture *f, enum ingest_kind kind, const char *text)
{
    struct ca_error err;
    struct batch_item *item = add(f, kind, ca_bytes_str(text), "");

    if (batch_item_decode(f->chunk, item, &err) == CA_OK) return CA_REASON_NONE;
    assert_int_equal(err.status, CA_MALFORMED);
    return (enum ca_reason)err.reason;
}

static void each_shape_gives_the_octets_of_the_request(void **state)
{
    static const uint8_t der[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };
    static const struct { enum ingest_kind kind; const char *text; } shapes[] = {
        { INGEST_PEM, PEM_OF("MAMCAQU=") },
        { INGEST_PEM, "-----BEGIN NEW CERTIFICATE REQUEST-----\nMAMC\nAQU=\n"
                      "-----END NEW CERTIFICATE REQUEST-----\n" },
        { INGEST_FILE, PEM_OF("MAMCAQU=") },
        { INGEST_FILE, "a word before\n" PEM_OF("MAMCAQU=") "and after\n" },
        { INGEST_LINE, "{\"csr\":\"MAMCAQU=\"}" },
        { INGEST_LINE, "{\"csr\":\"-----BEGIN CERTIFICATE REQUEST-----\\nMAMCAQU=\\n"
                       "-----END CERTIFICATE REQUEST-----\\n\"}" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct ca_error err;
        struct batch_item *item = add(f, shapes[i].kind, ca_bytes_str(shapes[i].text), "");

        assert_int_equal(batch_item_decode(f->chunk, item, &err), CA_OK);
        assert_int_equal(item->der.len, sizeof(der));
        assert_memory_equal(item->der.data, der, sizeof(der));
    }
    {
        struct ca_error err;
        struct batch_item *item = add(f, INGEST_FILE, ca_bytes_of(der, sizeof(der)), "x.der");

        assert_int_equal(batch_item_decode(f->chunk, item, &err), CA_OK);
        assert_memory_equal(item->der.data, der, sizeof(der));
        assert_int_equal(item->id.len, 5);
    }
}

static void a_line_brings_its_names_and_its_api_passthrough(void **state)
{
    struct fixture *f = *state;
    struct ca_error err;
    struct batch_item *item =
        add(f, INGEST_LINE,
            ca_bytes_str("{\"subject\":{\"CommonName\":\"x\"},\"csr\":\"MAMCAQU=\","
                         "\"san\":[\"DNS:a\"],\"api_passthrough\":{ }}"),
            "");

    assert_int_equal(batch_item_decode(f->chunk, item, &err), CA_OK);
    assert_true(ca_bytes_equal(item->line_subject, ca_bytes_str("{\"CommonName\":\"x\"}")));
    assert_true(ca_bytes_equal(item->line_san, ca_bytes_str("[\"DNS:a\"]")));
    assert_true(ca_bytes_equal(item->line_api, ca_bytes_str("{ }")));
    assert_int_equal(reason_of(f, INGEST_LINE, "{\"csr\":\"MAMCAQU=\",\"san\":1}"),
                     CA_REASON_BAD_MEMBER);
    /* A file has no line. */
    item = add(f, INGEST_FILE, ca_bytes_str(PEM_OF("MAMCAQU=")), "");
    assert_int_equal(batch_item_decode(f->chunk, item, &err), CA_OK);
    assert_int_equal(item->line_subject.len + item->line_san.len + item->line_api.len, 0);
}

static void each_bad_shape_has_its_reason(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(reason_of(f, INGEST_FILE, ""), CA_REASON_EMPTY);
    assert_int_equal(reason_of(f, INGEST_FILE, "binary \x01\x02 garbage"), CA_REASON_BAD_PEM);
    assert_int_equal(reason_of(f, INGEST_FILE, PEM_OF("MAMCAQU=") PEM_OF("MAMCAQU=")),
                     CA_REASON_SEVERAL_REQUESTS);
    assert_int_equal(reason_of(f, INGEST_PEM, PEM_OF("M*MCAQU=")), CA_REASON_BAD_PEM);
    assert_int_equal(reason_of(f, INGEST_PEM, "-----BEGIN PRIVATE KEY-----\nMAMCAQU=\n"
                                              "-----END PRIVATE KEY-----\n"),
                     CA_REASON_WRONG_LABEL);
    assert_int_equal(reason_of(f, INGEST_TRUNCATED, "-----BEGIN CERTIFICATE REQUEST-----\nMAM"),
                     CA_REASON_BAD_PEM);
    assert_int_equal(reason_of(f, INGEST_TOO_LONG, ""), CA_REASON_RECORD_TOO_LONG);
    assert_int_equal(reason_of(f, INGEST_NOT_A_FILE, ""), CA_REASON_NOT_A_FILE);
    assert_int_equal(reason_of(f, INGEST_UNREADABLE, ""), CA_REASON_UNREADABLE);
    assert_int_equal(reason_of(f, INGEST_LINE, "{\"csr\":\"MAMC*QU=\"}"), CA_REASON_BAD_PEM);
    assert_int_equal(reason_of(f, INGEST_LINE, "{\"id\":\"x\"}"), CA_REASON_NO_REQUEST);
    assert_int_equal(reason_of(f, INGEST_LINE, "nonsense"), CA_REASON_BAD_JSON);
}

static void a_request_longer_than_32_kib_is_refused_at_the_octet(void **state)
{
    struct fixture *f = *state;
    uint8_t *der = calloc(1, CA_REQUEST_DER_MAX + 1);
    struct ca_error err;

    assert_non_null(der);
    der[0] = 0x30;
    assert_int_equal(
        batch_item_decode(f->chunk,
                          add(f, INGEST_FILE, ca_bytes_of(der, CA_REQUEST_DER_MAX), ""), &err),
        CA_OK);
    assert_int_equal(
        batch_item_decode(f->chunk,
                          add(f, INGEST_FILE, ca_bytes_of(der, CA_REQUEST_DER_MAX + 1), ""),
                          &err),
        CA_MALFORMED);
    assert_int_equal(err.reason, CA_REASON_REQUEST_TOO_LONG);
    free(der);
}

static void a_chunk_closes_at_256_kib_whatever_the_records_are(void **state)
{
    static const size_t lengths[] = { 1, 700, 65536 };
    struct fixture *f = *state;
    uint8_t *data = calloc(1, INGEST_RECORD_MAX);

    assert_non_null(data);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        size_t octets = 0;
        bool full = false;

        batch_chunk_reset(f->chunk, &f->plan, 0, 0);
        while (!full && f->chunk->count < BATCH_CHUNK_ITEMS_MAX) {
            struct ingest_record record = { .kind = INGEST_FILE,
                                            .data = ca_bytes_of(data, lengths[i]) };

            full = batch_chunk_add(f->chunk, &record);
            octets += lengths[i];
        }
        assert_true(full == (octets >= BATCH_CHUNK_INPUT_CLOSE));
        assert_true(octets < BATCH_CHUNK_INPUT_CLOSE + INGEST_RECORD_MAX);
    }
    free(data);
}

/* Views handed out earlier must survive whatever is added later. */
static void records_stay_where_they_are_while_a_chunk_fills(void **state)
{
    struct fixture *f = *state;
    uint8_t data[1000];

    for (uint32_t i = 0; i < BATCH_CHUNK_ITEMS_MAX; i++) {
        memset(data, (int)(i & 255), sizeof(data));
        (void)add(f, INGEST_FILE, ca_bytes_of(data, sizeof(data)), "name");
    }
    for (uint32_t i = 0; i < f->chunk->count; i++) {
        assert_int_equal(f->chunk->items[i].raw.data[0], i & 255);
        assert_int_equal(f->chunk->items[i].raw.data[999], i & 255);
        assert_memory_equal(f->chunk->items[i].path.data, "name", 4);
    }
}

static void a_reset_chunk_forgets_its_arena_and_keeps_its_memory(void **state)
{
    struct fixture *f = *state;
    uint8_t *first = ca_arena_take(&f->chunk->arena, 100);

    assert_non_null(first);
    f->chunk->notices = 1;
    f->chunk->discarded = 2;
    batch_chunk_reset(f->chunk, &f->plan, 1, 7);
    assert_int_equal(f->chunk->arena.used, 0);
    assert_ptr_equal(ca_arena_take(&f->chunk->arena, 100), first);
    assert_int_equal(f->chunk->notices, 0);
    assert_int_equal(f->chunk->discarded, 0);
    assert_null(ca_arena_take(&f->chunk->arena, BATCH_CHUNK_ARENA_MAX));
}

static void what_was_ignored_and_warned_of_goes_into_the_result(void **state)
{
    struct fixture *f = *state;
    struct schema_result result;
    struct batch_item *item = add(f, INGEST_FILE, ca_bytes_str("x"), "x");

    item->serial.len = SCHEMA_SERIAL_LEN;
    item->contents.ignored = 5;
    item->warnings = SCHEMA_WARNING_KNOWN_KEY;
    batch_item_result(f->chunk, item, &result);
    assert_int_equal(result.status, SCHEMA_RESULT_ISSUED);
    assert_true(result.ignored == 5);
    assert_int_equal(result.warnings, SCHEMA_WARNING_KNOWN_KEY);
    /* Nothing is dropped of a request that gets nothing, but for what it was refused for. */
    ca_buf_append_str(&f->chunk->details, "why");
    item->refused = true;
    item->reason = CA_REASON_BAD_SIGNATURE;
    batch_item_result(f->chunk, item, &result);
    assert_true(result.ignored == 0);
    item->reason = CA_REASON_PASSTHROUGH_IGNORED;
    batch_item_result(f->chunk, item, &result);
    assert_true(result.ignored == 5);
}

static void dear_keys_and_first_chunks_get_fewer_requests(void **state)
{
    (void)state;
    assert_int_equal(batch_chunk_items_max(CA_KEY_EC_P256, 16), 256);
    assert_int_equal(batch_chunk_items_max(CA_KEY_EC_P256, 15), 32);
    assert_int_equal(batch_chunk_items_max(CA_KEY_ED25519, 100), 256);
    assert_int_equal(batch_chunk_items_max(CA_KEY_RSA_2048, 100), 64);
    assert_int_equal(batch_chunk_items_max(CA_KEY_RSA_2048, 0), 8);
    assert_int_equal(batch_chunk_items_max(CA_KEY_RSA_4096, 100), 16);
    assert_int_equal(batch_chunk_items_max(CA_KEY_RSA_3072, 0), 2);
}

static void a_refused_record_is_kept_up_to_16_kib(void **state)
{
    struct fixture *f = *state;
    struct schema_result result;
    struct ca_error err;
    uint8_t *data = calloc(1, SCHEMA_RECORD_MAX + 1);

    assert_non_null(data);
    memset(data, 'x', SCHEMA_RECORD_MAX + 1);
    for (size_t len = SCHEMA_RECORD_MAX; len <= SCHEMA_RECORD_MAX + 1; len++) {
        struct batch_item *item = add(f, INGEST_FILE, ca_bytes_of(data, len), "big");

        assert_int_equal(batch_item_decode(f->chunk, item, &err), CA_MALFORMED);
        batch_item_refuse(f->chunk, item, &err);
        batch_item_result(f->chunk, item, &result);
        assert_int_equal(result.status, SCHEMA_RESULT_REJECTED);
        assert_int_equal(result.reason, CA_REASON_BAD_PEM);
        assert_int_equal(result.record.len, len <= SCHEMA_RECORD_MAX ? len : 0);
        assert_int_equal(result.record_kind,
                         len <= SCHEMA_RECORD_MAX ? SCHEMA_RECORD_BINARY : SCHEMA_RECORD_NONE);
    }
    assert_int_equal(f->chunk->rejected, 2);
    assert_int_equal(f->chunk->by_reason[CA_REASON_BAD_PEM], 2);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_shape_gives_the_octets_of_the_request, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_line_brings_its_names_and_its_api_passthrough, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(each_bad_shape_has_its_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_longer_than_32_kib_is_refused_at_the_octet,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_chunk_closes_at_256_kib_whatever_the_records_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(records_stay_where_they_are_while_a_chunk_fills, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_reset_chunk_forgets_its_arena_and_keeps_its_memory,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_ignored_and_warned_of_goes_into_the_result,
                                        setup, teardown),
        cmocka_unit_test(dear_keys_and_first_chunks_get_fewer_requests),
        cmocka_unit_test_setup_teardown(a_refused_record_is_kept_up_to_16_kib, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
