#include "batch/report.h"
#include "io/outbox.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct report {
    struct ca_buf out[OUTBOX_FILE_COUNT];
};

static int setup(void **state)
{
    struct report *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) ca_buf_init(&r->out[i], (size_t)1 << 20);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct report *r = *state;

    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) ca_buf_clear(&r->out[i]);
    free(r);
    return 0;
}

/* The one line of an output, as a general JSON library reads it; the caller's to free. */
static json_t *read_line(const struct report *r, enum outbox_file file)
{
    struct ca_bytes text = ca_buf_view(&r->out[file]);
    json_error_t why;
    json_t *object;

    assert_true(text.len > 0);
    assert_int_equal(text.data[text.len - 1], '\n');
    assert_ptr_equal(memchr(text.data, '\n', text.len), text.data + text.len - 1);
    object = json_loadb((const char *)text.data, text.len,
                        JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (object == NULL) fail_msg("%s: %.*s", why.text, (int)text.len, (const char *)text.data);
    return object;
}

static void report(struct report *r, uint64_t ordinal, const struct schema_result *result,
                   int64_t not_after_s, struct ca_bytes der)
{
    for (int i = 0; i < OUTBOX_FILE_COUNT; i++) ca_buf_reset(&r->out[i]);
    batch_report_item(ordinal, result, not_after_s, der, r->out);
}

static void assert_member(const json_t *object, const char *name, const char *wanted)
{
    const char *text = json_string_value(json_object_get(object, name));

    assert_non_null(text);
    assert_string_equal(text, wanted);
}

static void an_issued_request_leaves_a_line_and_a_certificate(void **state)
{
    struct report *r = *state;
    struct schema_result result = { .status = SCHEMA_RESULT_ISSUED, .id = ca_bytes_str("a\"b"),
                                    .serial = { 1, 2, 0xff } };
    json_t *line;

    report(r, 12, &result, 1790000000, ca_bytes_str("DER"));
    line = read_line(r, OUTBOX_RESULTS);
    assert_int_equal(json_integer_value(json_object_get(line, "ordinal")), 12);
    assert_member(line, "id", "a\"b");
    assert_member(line, "status", "issued");
    assert_member(line, "serial", "0102ff000000000000000000000000000000");
    assert_member(line, "not_after", "2026-09-21T14:13:20Z");
    json_decref(line);
    assert_true(ca_bytes_equal(ca_buf_view(&r->out[OUTBOX_CERTS]),
                               ca_bytes_str("-----BEGIN CERTIFICATE-----\nREVS\n"
                                            "-----END CERTIFICATE-----\n")));
    assert_int_equal(r->out[OUTBOX_REJECTED].len, 0);
}

static void a_refused_line_keeps_its_members_and_loses_our_old_ones(void **state)
{
    struct report *r = *state;
    struct schema_result result = {
        .status = SCHEMA_RESULT_REJECTED, .id = ca_bytes_str("d"), .reason = CA_REASON_BAD_PEM,
        .detail = ca_bytes_str("no"), .record_kind = SCHEMA_RECORD_LINE,
        .record = ca_bytes_str("{\"ordinal\":99,\"code\":\"old\",\"id\":\"d\","
                               "\"csr\":\"\\u0041\"}"),
    };
    json_t *line;

    report(r, 3, &result, 0, ca_bytes_of(NULL, 0));
    line = read_line(r, OUTBOX_REJECTED);
    assert_int_equal(json_integer_value(json_object_get(line, "ordinal")), 3);
    assert_member(line, "code", "bad-pem");
    assert_member(line, "id", "d");
    assert_member(line, "csr", "A");
    assert_int_equal(json_object_size(line), 7);
    json_decref(line);
}

/* T9: what a request holds is data, whatever it looks like. */
static void a_refused_line_cannot_speak_for_us(void **state)
{
    static const char *const records[] = {
        "{\"csr\":\"x\",\"\\u0073tatus\":\"issued\",\"\\u0063ode\":\"fine\"}",
        "{\"csr\":\"x\"}\n{\"ordinal\":1,\"status\":\"issued\"}",
        "\",\"status\":\"issued\",\"x\":\"",
    };
    struct report *r = *state;

    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        struct schema_result result = {
            .status = SCHEMA_RESULT_REJECTED, .reason = CA_REASON_UNKNOWN_MEMBER,
            .detail = ca_bytes_str("\",\"status\":\"issued"),
            .record_kind = SCHEMA_RECORD_LINE, .record = ca_bytes_str(records[i]),
        };
        json_t *line;

        report(r, 0, &result, 0, ca_bytes_of(NULL, 0));
        line = read_line(r, OUTBOX_REJECTED);
        assert_member(line, "status", "rejected");
        assert_member(line, "code", "unknown-member");
        json_decref(line);
        line = read_line(r, OUTBOX_RESULTS);
        assert_member(line, "status", "rejected");
        json_decref(line);
    }
}

/* Octets with a liking for what JSON cares about. */
static size_t noise(uint64_t *seed, uint8_t *out, size_t max)
{
    static const uint8_t liked[] = "\"\\/{}[]:,\n\r\t\0\x7f\x80\xc3\xa9\xed\xa0\xff u0041";
    size_t len;

    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    len = (size_t)(*seed >> 40) % (max + 1);
    for (size_t i = 0; i < len; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        out[i] = (*seed >> 60) < 4 ? (uint8_t)(*seed >> 33)
                                   : liked[(*seed >> 33) % (sizeof(liked) - 1)];
    }
    return len;
}

static void every_line_is_json_whatever_a_request_holds(void **state)
{
    struct report *r = *state;
    uint64_t seed = 7;

    for (int i = 0; i < 20000; i++) {
        uint8_t id[64], detail[64], record[128];
        struct schema_result result = { .status = SCHEMA_RESULT_REJECTED };

        result.reason = CA_REASON_BAD_PEM;
        result.record_kind = (uint8_t)(i % (SCHEMA_RECORD_LINE + 1));
        result.id = ca_bytes_of(id, noise(&seed, id, sizeof(id)));
        result.detail = ca_bytes_of(detail, noise(&seed, detail, sizeof(detail)));
        result.record = ca_bytes_of(record, noise(&seed, record, sizeof(record)));
        report(r, (uint64_t)i, &result, 0, ca_bytes_of(NULL, 0));
        json_decref(read_line(r, OUTBOX_RESULTS));
        json_decref(read_line(r, OUTBOX_REJECTED));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_issued_request_leaves_a_line_and_a_certificate, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_refused_line_keeps_its_members_and_loses_our_old_ones,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_line_cannot_speak_for_us, setup, teardown),
        cmocka_unit_test_setup_teardown(every_line_is_json_whatever_a_request_holds, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
