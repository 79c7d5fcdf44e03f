#include "batch/manifest.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

struct parsed {
    struct ca_buf arena;
    struct batch_manifest_line line;
    struct ca_error err;
};

static enum ca_status parse(struct parsed *p, const char *text)
{
    struct ca_bytes line = ca_bytes_str(text);

    ca_buf_clear(&p->arena);
    ca_buf_init(&p->arena, 65536);
    assert_true(ca_buf_reserve(&p->arena, line.len + 1));
    return batch_manifest_parse(line, &p->arena, &p->line, &p->err);
}

static void assert_text(struct ca_bytes got, const char *wanted)
{
    assert_int_equal(got.len, strlen(wanted));
    assert_memory_equal(got.data, wanted, got.len);
}

static void id_and_csr_are_read_with_their_escapes(void **state)
{
    struct parsed p = { 0 };

    (void)state;
    assert_int_equal(parse(&p, " {\"csr\" : \"a\\nb\\/\\u0041\\\\\" , \"id\":\"\\ud83d\\ude00x\"} "),
                     CA_OK);
    assert_text(p.line.csr, "a\nb/A\\");
    assert_text(p.line.id, "\xf0\x9f\x98\x80x");
    assert_int_equal(parse(&p, "{\"csr\":\"AA==\",\"id\":null}"), CA_OK);
    assert_int_equal(p.line.id.len, 0);
    ca_buf_clear(&p.arena);
}

static void subject_san_and_api_passthrough_come_out_as_they_stand(void **state)
{
    struct parsed p = { 0 };

    (void)state;
    assert_int_equal(parse(&p, "{\"subject\": { \"CommonName\":\"a}\\\"]\", \"x\":[[],{}] } ,"
                               "\"san\":[\"DNS:a\",{\"DnsName\":\"b\"} ],\"csr\":\"AA==\","
                               "\"api_passthrough\":{}}"),
                     CA_OK);
    assert_text(p.line.subject, "{ \"CommonName\":\"a}\\\"]\", \"x\":[[],{}] }");
    assert_text(p.line.san, "[\"DNS:a\",{\"DnsName\":\"b\"} ]");
    assert_text(p.line.api_passthrough, "{}");
    assert_int_equal(parse(&p, "{\"subject\":null,\"san\":null,\"api_passthrough\":null,"
                               "\"csr\":\"AA==\"}"),
                     CA_OK);
    assert_int_equal(p.line.subject.len + p.line.san.len + p.line.api_passthrough.len, 0);
    ca_buf_clear(&p.arena);
}

/* The line itself is the first container. */
static void containers_stand_sixteen_deep_and_no_deeper(void **state)
{
    struct parsed p = { 0 };
    char line[4 * BATCH_MANIFEST_DEPTH_MAX + 64];

    (void)state;
    for (int shape = 0; shape < 2; shape++) {
        for (int depth = BATCH_MANIFEST_DEPTH_MAX - 2; depth <= BATCH_MANIFEST_DEPTH_MAX + 20;
             depth++) {
            size_t len = (size_t)snprintf(line, sizeof(line), "{\"csr\":\"a\",\"san\":");
            int inner = depth - 1;

            for (int i = 0; i < inner && len < sizeof(line) - 60; i++) {
                len += (size_t)snprintf(line + len, sizeof(line) - len, "[");
            }
            if (shape == 1) len += (size_t)snprintf(line + len, sizeof(line) - len, "1");
            for (int i = 0; i < inner && len < sizeof(line) - 2; i++) {
                len += (size_t)snprintf(line + len, sizeof(line) - len, "]");
            }
            (void)snprintf(line + len, sizeof(line) - len, "}");
            assert_int_equal(parse(&p, line),
                             depth <= BATCH_MANIFEST_DEPTH_MAX ? CA_OK : CA_MALFORMED);
        }
    }
    ca_buf_clear(&p.arena);
}

static void members_of_a_rejected_line_are_read_over(void **state)
{
    struct parsed p = { 0 };

    (void)state;
    assert_int_equal(parse(&p, "{\"ignored\":[\"csr.keyUsage\"],\"warnings\":[\"known-key\"],"
                               "\"csr\":\"y\"}"),
                     CA_OK);
    assert_int_equal(parse(&p, "{\"ordinal\":12,\"status\":\"rejected\",\"code\":\"bad-pem\","
                               "\"detail\":\"x\",\"rule\":\"RFC 7468 3\",\"id\":\"d\",\"csr\":\"y\"}"),
                     CA_OK);
    assert_text(p.line.csr, "y");
    ca_buf_clear(&p.arena);
}

static void each_mistake_has_its_reason(void **state)
{
    static const struct { const char *line; enum ca_reason reason; } cases[] = {
        { "", CA_REASON_BAD_JSON },
        { "{", CA_REASON_BAD_JSON },
        { "[]", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\"} x", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\" \"id\":\"b\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"csr\":\"b\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\\x\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\\u12g4\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"\\ud800\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"\\ud800\\u0041\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"\\udc00\\ud800\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"\\ud800\\u\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"id\":\"\xff\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"id\":\"\xc3\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"id\":\"\xed\xa0\x80\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"tab\there\"}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"ordinal\":01}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"ordinal\":+1}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"ordinal\":1.}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"tpl\":\"x\"}", CA_REASON_UNKNOWN_MEMBER },
        { "{\"CSR\":\"a\"}", CA_REASON_UNKNOWN_MEMBER },
        { "{\"id\":\"a\"}", CA_REASON_NO_REQUEST },
        { "{}", CA_REASON_NO_REQUEST },
        { "{\"csr\":\"\"}", CA_REASON_NO_REQUEST },
        { "{\"csr\":12}", CA_REASON_NO_REQUEST },
        { "{\"csr\":{}}", CA_REASON_NO_REQUEST },
        { "{\"csr\":[\"a\"]}", CA_REASON_NO_REQUEST },
        { "{\"csr\":\"a\",\"id\":{}}", CA_REASON_BAD_ID },
        { "{\"csr\":\"a\",\"subject\":[]}", CA_REASON_BAD_MEMBER },
        { "{\"csr\":\"a\",\"subject\":\"CN=x\"}", CA_REASON_BAD_MEMBER },
        { "{\"csr\":\"a\",\"san\":{}}", CA_REASON_BAD_MEMBER },
        { "{\"csr\":\"a\",\"san\":false}", CA_REASON_BAD_MEMBER },
        { "{\"csr\":\"a\",\"api_passthrough\":[{}]}", CA_REASON_BAD_MEMBER },
        { "{\"csr\":\"a\",\"api_passthrough\":1}", CA_REASON_BAD_MEMBER },
        { "{\"csr\":\"a\",\"extra\":{}}", CA_REASON_UNKNOWN_MEMBER },
        { "{\"csr\":\"a\",\"san\":[}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"san\":[1,]}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"san\":[,1]}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"san\":[1 2]}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"san\":[1}]", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"san\":[[]", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"subject\":{\"a\"}}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"subject\":{\"a\":}}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"subject\":{\"a\":1,}}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"subject\":{1:1}}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"subject\":{\"a\":\"\xff\"}}", CA_REASON_BAD_JSON },
        { "{\"csr\":\"a\",\"id\":12}", CA_REASON_BAD_ID },
        { "{\"csr\":\"a\",\"id\":\"\"}", CA_REASON_BAD_ID },
    };
    struct parsed p = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(&p, cases[i].line), CA_MALFORMED);
        assert_int_equal(p.err.reason, cases[i].reason);
    }
    ca_buf_clear(&p.arena);
}

static void the_id_of_a_refused_line_is_still_known(void **state)
{
    struct parsed p = { 0 };

    (void)state;
    assert_int_equal(parse(&p, "{\"nonsense\":1,\"id\":\"who\",\"csr\":\"a\"}"), CA_MALFORMED);
    assert_int_equal(p.err.reason, CA_REASON_UNKNOWN_MEMBER);
    assert_text(p.line.id, "who");
    ca_buf_clear(&p.arena);
}

static void ids_are_limited_in_octets(void **state)
{
    char line[400];
    struct parsed p = { 0 };

    (void)state;
    for (int len = BATCH_ID_MAX - 1; len <= BATCH_ID_MAX + 1; len++) {
        (void)snprintf(line, sizeof(line), "{\"csr\":\"a\",\"id\":\"%0*d\"}", len, 7);
        assert_int_equal(parse(&p, line), len <= BATCH_ID_MAX ? CA_OK : CA_MALFORMED);
    }
    ca_buf_clear(&p.arena);
}

/* A random line made of the pieces that matter to a JSON reader. */
static void random_line(uint64_t *seed, char *out, size_t cap)
{
    static const char *const pieces[] = {
        "{", "}", "\"id\"", "\"csr\"", "\"code\"", ":", ":", ",", ",", "\"a\\n\"", "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"", "\"\\udc00\"", "null", "true", "0", "-1.5e+3", "01", " ", "\t", "\"",
        "\\", "\"x\xc3\xa9\"", "\"\\", "[1]", "{}", "[", "[", "]", "]", "\"san\":[",
        "\"k\":{", "e", "\"\x01\"", "\"\xc3\"",
        "\"\xf0\x9f\x98\x80\"", "\xe2", "\"\xed\xa0\x80\"", "\"\\ud83d\"",
    };
    /* Mostly well-formed beginnings, so that the rest is reached. */
    static const char *const starts[] = { "{\"id\":\"a\",", "{\"csr\":\"b\"", "{", "",
                                          "{\"san\":[", "{\"san\":[", "{\"subject\":{\"a\":",
                                          "{\"subject\":[{\"k\":" };
    static const char *const ends[] = { "}", "}", "]}", "]}", "}}", "}]}", "]]}", "" };
    size_t len;

    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    len = (size_t)snprintf(out, cap, "%s", starts[(*seed >> 40) % 8]);
    for (uint64_t n = (*seed >> 45) % 10; n > 0; n--) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        len += (size_t)snprintf(out + len, cap - len, "%s",
                                pieces[(*seed >> 33) % (sizeof(pieces) / sizeof(pieces[0]))]);
    }
    (void)snprintf(out + len, cap - len, "%s", ends[*seed >> 61]);
}

/* Each value that was found is the value that a general library has under this name. */
static void assert_same_values(const struct batch_member_list *list, const json_t *object)
{
    assert_int_equal(list->count, json_object_size(object));
    for (size_t i = 0; i < list->count; i++) {
        const struct batch_member *member = &list->members[i];
        char pair[600];
        json_t *alone;
        int len = snprintf(pair, sizeof(pair), "{\"%.*s\":%.*s}", (int)member->name.len,
                           (const char *)member->name.data, (int)member->value.len,
                           (const char *)member->value.data);

        assert_true(len > 0 && (size_t)len < sizeof(pair));
        alone = json_loads(pair, JSON_ALLOW_NUL, NULL);
        assert_non_null(alone);
        assert_int_equal(json_object_update_existing(alone, (json_t *)(uintptr_t)object), 0);
        {
            json_t *again = json_loads(pair, JSON_ALLOW_NUL, NULL);

            assert_true(json_equal(alone, again));
            json_decref(again);
        }
        json_decref(alone);
    }
}

/* What a general JSON library reads as an object, this reader splits, and nothing else. Below the
 * top it does not look for names that stand twice. */
static void lines_are_judged_as_a_general_json_library_judges_them(void **state)
{
    enum { ROUNDS = 300000 };
    uint64_t seed = 2026;
    unsigned accepted = 0, nested = 0;
    char line[512];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct batch_member_list list;
        json_t *strict, *lax;
        bool ours;

        random_line(&seed, line, sizeof(line));
        strict = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        lax = json_loads(line, JSON_ALLOW_NUL, NULL);
        ours = batch_manifest_split(ca_bytes_str(line), &list, NULL) == CA_OK;
        if (ours && !json_is_object(lax)) fail_msg("%s: taken", line);
        if (!ours && json_is_object(strict)) fail_msg("%s: refused", line);
        if (ours) {
            accepted++;
            assert_same_values(&list, lax);
            for (size_t m = 0; m < list.count; m++) {
                uint8_t first = list.members[m].value.data[0];

                if (first == '{' || first == '[') nested++;
            }
        }
        json_decref(strict);
        json_decref(lax);
    }
    assert_true(accepted > ROUNDS / 100);       /* the generator makes good ones too */
    assert_true(nested > ROUNDS / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_and_csr_are_read_with_their_escapes),
        cmocka_unit_test(subject_san_and_api_passthrough_come_out_as_they_stand),
        cmocka_unit_test(containers_stand_sixteen_deep_and_no_deeper),
        cmocka_unit_test(members_of_a_rejected_line_are_read_over),
        cmocka_unit_test(each_mistake_has_its_reason),
        cmocka_unit_test(the_id_of_a_refused_line_is_still_known),
        cmocka_unit_test(ids_are_limited_in_octets),
        cmocka_unit_test(lines_are_judged_as_a_general_json_library_judges_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
