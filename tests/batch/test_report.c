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

static void assert_names(const json_t *object, const char *name, const char *const *wanted,
                         size_t count)
{
    const json_t *list = json_object_get(object, name);

    assert_true(json_is_array(list));
    assert_int_equal(json_array_size(list), count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(json_string_value(json_array_get(list, i)), wanted[i]);
}

static void what_was_ignored_or_is_odd_stands_in_the_line_and_nothing_where_there_is_none(
    void **state)
{
    static const char *const ignored[] = { "csr.keyUsage", "manifest.san" };
    static const char *const warnings[] = { "duplicate-key", "known-key" };
    struct report *r = *state;
    struct schema_result result = {
        .status = SCHEMA_RESULT_ISSUED, .id_is_null = true,
        .ignored = CA_IGNORED_BIT(CSR_KEY_USAGE) | CA_IGNORED_BIT(LINE_SAN),
        .warnings = SCHEMA_WARNING_DUPLICATE_KEY | SCHEMA_WARNING_KNOWN_KEY,
    };
    json_t *line;

    report(r, 1, &result, 0, ca_bytes_str("DER"));
    line = read_line(r, OUTBOX_RESULTS);
    assert_names(line, "ignored", ignored, 2);
    assert_names(line, "warnings", warnings, 2);
    json_decref(line);
    result.ignored = 0;
    result.warnings = SCHEMA_WARNING_KNOWN_KEY;
    report(r, 1, &result, 0, ca_bytes_str("DER"));
    line = read_line(r, OUTBOX_RESULTS);
    assert_null(json_object_get(line, "ignored"));
    assert_names(line, "warnings", warnings + 1, 1);
    json_decref(line);
    result.warnings = 0;
    report(r, 1, &result, 0, ca_bytes_str("DER"));
    line = read_line(r, OUTBOX_RESULTS);
    assert_null(json_object_get(line, "warnings"));
    json_decref(line);
}

/* A refused line is an input again once it is mended: what it asked for beside its request stays,
 * and what was said about it goes. */
static void a_refused_line_keeps_subject_san_and_api_passthrough_word_for_word(void **state)
{
    static const char *const ignored[] = { "csr.keyUsage" };
    struct report *r = *state;
    struct schema_result result = {
        .status = SCHEMA_RESULT_REJECTED, .id = ca_bytes_str("d"),
        .reason = CA_REASON_PASSTHROUGH_IGNORED, .ignored = CA_IGNORED_BIT(CSR_KEY_USAGE),
        .detail = ca_bytes_str("no"), .record_kind = SCHEMA_RECORD_LINE,
        .record = ca_bytes_str("{\"ignored\":[\"csr.other\"],\"warnings\":[\"known-key\"],"
                               "\"id\":\"d\",\"csr\":\"A\","
                               "\"subject\": {\"CommonName\" : \"\\u00e9\"},"
                               "\"san\":[ \"DNS:a\" ],\"api_passthrough\":{\"Extensions\":{}}}"),
    };
    const char *text;
    json_t *line;

    report(r, 3, &result, 0, ca_bytes_of(NULL, 0));
    line = read_line(r, OUTBOX_REJECTED);
    assert_names(line, "ignored", ignored, 1);
    assert_null(json_object_get(line, "warnings"));
    assert_int_equal(json_object_size(line), 11);
    json_decref(line);
    ca_buf_append_u8(&r->out[OUTBOX_REJECTED], 0);
    text = (const char *)r->out[OUTBOX_REJECTED].data;
    assert_non_null(strstr(text, "\"subject\":{\"CommonName\" : \"\\u00e9\"}"));
    assert_non_null(strstr(text, "\"san\":[ \"DNS:a\" ]"));
    assert_non_null(strstr(text, "\"api_passthrough\":{\"Extensions\":{}}"));
    line = read_line(r, OUTBOX_RESULTS);
    assert_names(line, "ignored", ignored, 1);
    json_decref(line);
}

static void a_summary_has_the_notices_that_it_was_given_and_an_empty_list_otherwise(void **state)
{
    static const struct batch_totals totals = { 0 };
    struct batch_summary summary = {
        .job = "j", .state = "completed", .certmill_version = "1", .io = "plain",
        .io_why_plain = "", .totals = &totals, .ca = "c", .tmpl = "t", .out_dir = "/o",
    };
    struct ca_buf out;

    (void)state;
    for (int i = 0; i < 2; i++) {
        json_t *object, *notices;

        ca_buf_init(&out, 65536);
        if (i == 1) summary.notices = ca_bytes_str("[{\"code\":\"x\",\"count\":2}]");
        batch_report_summary(&summary, &out);
        object = json_loadb((const char *)out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
        notices = json_object_get(object, "notices");
        assert_true(json_is_array(notices));
        assert_int_equal(json_array_size(notices), i);
        if (i == 1)
            assert_int_equal(
                json_integer_value(json_object_get(json_array_get(notices, 0), "count")), 2);
        json_decref(object);
        ca_buf_clear(&out);
    }
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
        cmocka_unit_test_setup_teardown(
            what_was_ignored_or_is_odd_stands_in_the_line_and_nothing_where_there_is_none, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            a_refused_line_keeps_subject_san_and_api_passthrough_word_for_word, setup, teardown),
        cmocka_unit_test(a_summary_has_the_notices_that_it_was_given_and_an_empty_list_otherwise),
        cmocka_unit_test_setup_teardown(a_refused_line_cannot_speak_for_us, setup, teardown),
        cmocka_unit_test_setup_teardown(every_line_is_json_whatever_a_request_holds, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
