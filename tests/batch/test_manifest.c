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

static void members_of_a_rejected_line_are_read_over(void **state)
{
    struct parsed p = { 0 };

    (void)state;
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
        { "{\"csr\":{}}", CA_REASON_BAD_JSON },
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
        "\\", "\"x\xc3\xa9\"", "\"\\", "[1]", "{}", "e", "\"\x01\"", "\"\xc3\"",
        "\"\xf0\x9f\x98\x80\"", "\xe2", "\"\xed\xa0\x80\"", "\"\\ud83d\"",
    };
    /* Mostly well-formed beginnings, so that the rest is reached. */
    static const char *const starts[] = { "{\"id\":\"a\",", "{\"csr\":\"b\"", "{", "" };
    size_t len;

    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    len = (size_t)snprintf(out, cap, "%s", starts[(*seed >> 40) % 4]);
    for (uint64_t n = (*seed >> 45) % 10; n > 0; n--) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        len += (size_t)snprintf(out + len, cap - len, "%s",
                                pieces[(*seed >> 33) % (sizeof(pieces) / sizeof(pieces[0]))]);
    }
    if ((*seed >> 60) != 0) (void)snprintf(out + len, cap - len, "}");
}

static bool has_nested(const json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (json_is_object(value) || json_is_array(value)) return true;
    }
    return false;
}

/* What a general JSON library reads as a flat object, this reader splits, and nothing else. */
static void lines_are_judged_as_a_general_json_library_judges_them(void **state)
{
    enum { ROUNDS = 200000 };
    uint64_t seed = 2026;
    unsigned accepted = 0;
    char line[512];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct batch_member_list list;
        json_t *object;
        bool ours, theirs;

        random_line(&seed, line, sizeof(line));
        object = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        theirs = json_is_object(object) && !has_nested(object);
        ours = batch_manifest_split(ca_bytes_str(line), &list, NULL) == CA_OK;
        if (ours != theirs) fail_msg("%s: ours %d, theirs %d", line, ours, theirs);
        if (ours) {
            accepted++;
            if (object != NULL) assert_int_equal(list.count, json_object_size(object));
        }
        json_decref(object);
    }
    assert_true(accepted > ROUNDS / 100);       /* the generator makes good ones too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_and_csr_are_read_with_their_escapes),
        cmocka_unit_test(members_of_a_rejected_line_are_read_over),
        cmocka_unit_test(each_mistake_has_its_reason),
        cmocka_unit_test(the_id_of_a_refused_line_is_still_known),
        cmocka_unit_test(ids_are_limited_in_octets),
        cmocka_unit_test(lines_are_judged_as_a_general_json_library_judges_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
