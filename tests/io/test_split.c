#include "io/jsonl.h"
#include "io/pem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define FOUND_MAX 64

typedef void split_fn(struct split *state, struct ca_bytes window, bool at_end,
                      struct split_out *out);

/* A record with its own copy of the octets, and a zero behind them. */
struct found {
    enum split_kind kind;
    uint64_t offset;
    size_t len;
    uint8_t *data;
};

struct list {
    size_t count;
    struct found found[FOUND_MAX];
};

static void list_clear(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) free(list->found[i].data);
    list->count = 0;
}

static uint8_t *copy_of(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len + 1);

    assert_non_null(copy);
    if (len > 0) memcpy(copy, data, len);
    copy[len] = 0;
    return copy;
}

/* Exactly that large, so that a sanitizer sees a splitter look past the window. */
static uint8_t *window_of(struct ca_bytes text, size_t start, size_t end)
{
    uint8_t *window = malloc(end == start ? 1 : end - start);

    assert_non_null(window);
    if (end > start) memcpy(window, text.data + start, end - start);
    return window;
}

static void add(struct list *list, const uint8_t *window, const struct split_out *out)
{
    struct found *found = &list->found[list->count++];

    assert_true(list->count <= FOUND_MAX);
    *found = (struct found){ .kind = out->kind, .offset = out->offset, .len = out->len };
    found->data = copy_of(window + out->start, out->len);
}

/* Feeds text in pieces as ends says (the last piece ends at the text's end), checking the contract
 * between splitter and caller on the way. */
static void feed(split_fn *split, struct ca_bytes text, const size_t *ends, size_t end_count,
                 struct list *list)
{
    struct split state = { 0 };
    size_t start = 0, end = 0, piece = 0;

    list->count = 0;
    for (;;) {
        bool at_end = piece == end_count;
        uint8_t *window = window_of(text, start, end);
        struct split_out out;

        split(&state, ca_bytes_of(window, end - start), at_end, &out);
        assert_true(out.consumed <= end - start);
        if (out.kind == SPLIT_RECORD || out.kind == SPLIT_TRUNCATED) {
            assert_true(out.len <= SPLIT_RECORD_MAX);
            assert_true(out.start + out.len <= out.consumed);
            assert_int_equal(out.offset, start + out.start);
        }
        if (out.kind != SPLIT_MORE) add(list, window, &out);
        free(window);
        start += out.consumed;
        assert_int_equal(state.base, start);
        if (out.kind != SPLIT_MORE) continue;
        if (at_end) break;
        assert_true(end - start <= SPLIT_CARRY_MAX);
        if (piece < end_count) end = ends[piece++];
    }
    assert_int_equal(start, text.len);
}

static void feed_whole(split_fn *split, struct ca_bytes text, struct list *list)
{
    feed(split, text, &text.len, 1, list);
}

/* Every piece but the last has this many octets. */
static void feed_steps(split_fn *split, struct ca_bytes text, size_t step, struct list *list)
{
    size_t count = (text.len + step - 1) / step;
    size_t *ends = calloc(count + 1, sizeof(*ends));

    assert_non_null(ends);
    for (size_t i = 0; i < count; i++) ends[i] = i + 1 == count ? text.len : (i + 1) * step;
    feed(split, text, ends, count, list);
    free(ends);
}

static void assert_same(const struct list *a, const struct list *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->found[i].kind, b->found[i].kind);
        assert_int_equal(a->found[i].offset, b->found[i].offset);
        assert_int_equal(a->found[i].len, b->found[i].len);
        assert_memory_equal(a->found[i].data, b->found[i].data, a->found[i].len);
    }
}

/* Splits at every pair of offsets for short texts, at every single one for others. */
static void assert_cuts_do_not_matter(split_fn *split, struct ca_bytes text)
{
    struct list whole, cut;

    feed_whole(split, text, &whole);
    for (size_t a = 0; a <= text.len; a++) {
        size_t last = text.len <= 120 ? text.len : a;

        for (size_t b = a; b <= last; b++) {
            const size_t ends[] = { a, b, text.len };

            feed(split, text, ends, 3, &cut);
            assert_same(&whole, &cut);
            list_clear(&cut);
        }
    }
    feed_steps(split, text, 1, &cut);
    assert_same(&whole, &cut);
    list_clear(&cut);
    list_clear(&whole);
}

struct expected {
    enum split_kind kind;
    uint64_t offset;
    const char *data;
};

struct example {
    const char *what;
    const char *text;
    struct expected records[4];
    size_t count;
};

static void check_examples(split_fn *split, const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct example *example = &examples[i];
        struct ca_bytes text = ca_bytes_str(example->text);
        struct list list;

        feed_whole(split, text, &list);
        if (list.count != example->count) fail_msg("%s: %zu records", example->what, list.count);
        for (size_t k = 0; k < list.count; k++) {
            if (strcmp((char *)list.found[k].data, example->records[k].data) != 0) {
                fail_msg("%s: record %zu is \"%s\"", example->what, k, (char *)list.found[k].data);
            }
            assert_int_equal(list.found[k].kind, example->records[k].kind);
            assert_int_equal(list.found[k].offset, example->records[k].offset);
        }
        list_clear(&list);
        assert_cuts_do_not_matter(split, text);
    }
}

#define A "-----BEGIN A-----\nMAo=\n-----END A-----"
#define B "-----BEGIN B-----\nMAo=\n-----END B-----"

static void pem_blocks_are_found_between_other_text(void **state)
{
    static const struct example examples[] = {
        { "nothing", "", { { 0 } }, 0 },
        { "no block", "hello\n\nworld", { { 0 } }, 0 },
        { "one", A "\n", { { SPLIT_RECORD, 0, A } }, 1 },
        { "no last line end", A, { { SPLIT_RECORD, 0, A } }, 1 },
        { "two", A "\n" B "\n", { { SPLIT_RECORD, 0, A }, { SPLIT_RECORD, 39, B } }, 2 },
        { "text around", "x\n\n" A "\ny\nz\n" B "\nend",
          { { SPLIT_RECORD, 3, A }, { SPLIT_RECORD, 46, B } }, 2 },
        { "CR LF", "-----BEGIN A-----\r\nMA==\r\n-----END A-----\r\nx\r\n",
          { { SPLIT_RECORD, 0, "-----BEGIN A-----\r\nMA==\r\n-----END A-----" } }, 1 },
        { "spaces behind the END line", "-----BEGIN A-----\n-----END A-----  \n",
          { { SPLIT_RECORD, 0, "-----BEGIN A-----\n-----END A-----  " } }, 1 },
        { "labels that differ are the reader's business", "-----BEGIN A-----\n-----END B-----\n",
          { { SPLIT_RECORD, 0, "-----BEGIN A-----\n-----END B-----" } }, 1 },
        { "END without BEGIN", "-----END A-----\n" A "\n-----END A-----\n",
          { { SPLIT_RECORD, 16, A } }, 1 },
        { "no mark: not at a line's start", " " A "\nx-----BEGIN A-----\n", { { 0 } }, 0 },
        { "no mark: no space", "-----BEGIN\n-----BEGINA-----\n-----BEGI", { { 0 } }, 0 },
        { "END must have its space", "-----BEGIN A-----\n-----ENDA-----\n-----END A-----\n",
          { { SPLIT_RECORD, 0, "-----BEGIN A-----\n-----ENDA-----\n-----END A-----" } }, 1 },
        { "dashes inside", "-----BEGIN A-----\n-\n-----\n----- \n-----E\n-----END A-----\n",
          { { SPLIT_RECORD, 0,
              "-----BEGIN A-----\n-\n-----\n----- \n-----E\n-----END A-----" } }, 1 },
    };

    (void)state;
    check_examples(pem_split, examples, sizeof(examples) / sizeof(examples[0]));
}

static void a_pem_block_without_its_end_is_truncated_and_spares_its_neighbour(void **state)
{
    static const struct example examples[] = {
        { "at the end", A "\n-----BEGIN B-----\nMA",
          { { SPLIT_RECORD, 0, A }, { SPLIT_TRUNCATED, 39, "-----BEGIN B-----\nMA" } }, 2 },
        { "nothing but BEGIN", "-----BEGIN ", { { SPLIT_TRUNCATED, 0, "-----BEGIN " } }, 1 },
        { "inside the END mark", "-----BEGIN A-----\nMA==\n-----EN",
          { { SPLIT_TRUNCATED, 0, "-----BEGIN A-----\nMA==\n-----EN" } }, 1 },
        { "inside the END line", "-----BEGIN A-----\nMA==\n-----END ",
          { { SPLIT_RECORD, 0, "-----BEGIN A-----\nMA==\n-----END " } }, 1 },
        { "another BEGIN", "-----BEGIN A-----\nMA==\n" B "\n",
          { { SPLIT_TRUNCATED, 0, "-----BEGIN A-----\nMA==\n" }, { SPLIT_RECORD, 23, B } }, 2 },
        { "two more", "-----BEGIN A-----\n-----BEGIN A-----\n" B,
          { { SPLIT_TRUNCATED, 0, "-----BEGIN A-----\n" },
            { SPLIT_TRUNCATED, 18, "-----BEGIN A-----\n" },
            { SPLIT_RECORD, 36, B } }, 3 },
    };

    (void)state;
    check_examples(pem_split, examples, sizeof(examples) / sizeof(examples[0]));
}

static void lines_are_records_and_blank_ones_are_not(void **state)
{
    static const struct example examples[] = {
        { "nothing", "", { { 0 } }, 0 },
        { "blank lines only", "\n \n\t\r\n\r\n  ", { { 0 } }, 0 },
        { "one", "{}\n", { { SPLIT_RECORD, 0, "{}" } }, 1 },
        { "no last line end", "{}\n{\"a\":1}",
          { { SPLIT_RECORD, 0, "{}" }, { SPLIT_RECORD, 3, "{\"a\":1}" } }, 2 },
        { "CR LF", "a\r\nb\r\n", { { SPLIT_RECORD, 0, "a" }, { SPLIT_RECORD, 3, "b" } }, 2 },
        { "CR at the end", "a\r", { { SPLIT_RECORD, 0, "a" } }, 1 },
        { "one CR only is the line end's", "a\r\r\n", { { SPLIT_RECORD, 0, "a\r" } }, 1 },
        { "CR inside", "a\rb\n", { { SPLIT_RECORD, 0, "a\rb" } }, 1 },
        { "blank between", "\n\na\n \n\t\nb\n\n",
          { { SPLIT_RECORD, 2, "a" }, { SPLIT_RECORD, 8, "b" } }, 2 },
        { "white space around text stays", "  a \n", { { SPLIT_RECORD, 0, "  a " } }, 1 },
    };

    (void)state;
    check_examples(jsonl_split, examples, sizeof(examples) / sizeof(examples[0]));
}

/* A model that sees all of the text at once and goes by lines, as the header's sentences do. */
static size_t line_end(struct ca_bytes text, size_t at)
{
    while (at < text.len && text.data[at] != '\n') at++;
    return at;
}

static bool line_begins(struct ca_bytes text, size_t at, const char *mark)
{
    return text.len - at >= strlen(mark) && memcmp(text.data + at, mark, strlen(mark)) == 0;
}

static void model_add(struct list *list, enum split_kind kind, struct ca_bytes text, size_t start,
                      size_t end)
{
    struct split_out out = { .kind = kind, .start = start, .len = end - start, .offset = start };

    add(list, text.data, &out);
}

static void pem_model(struct ca_bytes text, struct list *list)
{
    bool open = false;
    size_t begin = 0;

    list->count = 0;
    for (size_t at = 0; at < text.len;) {
        size_t end = line_end(text, at);

        if (line_begins(text, at, "-----BEGIN ")) {
            if (open) model_add(list, SPLIT_TRUNCATED, text, begin, at);
            open = true;
            begin = at;
        } else if (open && line_begins(text, at, "-----END ")) {
            model_add(list, SPLIT_RECORD, text, begin, text.data[end - 1] == '\r' ? end - 1 : end);
            open = false;
        }
        at = end + 1;
    }
    if (open) model_add(list, SPLIT_TRUNCATED, text, begin, text.len);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

/* Texts of pieces that are nearly marks: what a splitter gets wrong lies there. */
static void random_texts_split_as_the_model_does_wherever_they_are_cut(void **state)
{
    static const char *const pieces[] = { "-----BEGIN ", "-----END ", "-----", "\n", "\r\n", "A",
                                          "-",
                                          "-----BEGIN", "-----EN", " ", "xyz", "\n-----END ",
                                          "\n-----BEGIN " };
    uint32_t seed = 7;

    (void)state;
    for (int round = 0; round < 400; round++) {
        struct ca_buf text;
        struct list model, whole;

        ca_buf_init(&text, 4096);
        for (uint32_t n = next_random(&seed) % 16; n > 0; n--) {
            ca_buf_append_str(&text, pieces[next_random(&seed) % 13]);
        }
        assert_int_equal(text.failed, CA_OK);
        pem_model(ca_buf_view(&text), &model);
        feed_whole(pem_split, ca_buf_view(&text), &whole);
        assert_same(&model, &whole);
        list_clear(&model);
        list_clear(&whole);
        if (text.len <= 120) assert_cuts_do_not_matter(pem_split, ca_buf_view(&text));
        if (text.len <= 120) assert_cuts_do_not_matter(jsonl_split, ca_buf_view(&text));
        ca_buf_clear(&text);
    }
}

/* A record of len octets, then line_end, then a short record. */
static void build(struct ca_buf *text, const char *begin, size_t len, const char *end,
                  const char *line_end_text, const char *neighbour)
{
    uint8_t *fill;

    ca_buf_init(text, 1 << 20);
    ca_buf_append_str(text, begin);
    fill = ca_buf_extend(text, len - strlen(begin) - strlen(end));
    assert_non_null(fill);
    memset(fill, 'x', len - strlen(begin) - strlen(end));
    ca_buf_append_str(text, end);
    ca_buf_append_str(text, line_end_text);
    ca_buf_append_str(text, neighbour);
    assert_int_equal(text->failed, CA_OK);
}

static void check_limit(split_fn *split, struct ca_bytes text, size_t len, enum split_kind kind)
{
    static const size_t steps[] = { 7, 4096, 65535, 65536, 65537, 65538, 1 << 20 };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct list list;

        feed_steps(split, text, steps[i], &list);
        assert_int_equal(list.count, 2);
        assert_int_equal(list.found[0].offset, 0);
        if (len > SPLIT_RECORD_MAX) {
            assert_int_equal(list.found[0].kind, SPLIT_TOO_LONG);
            assert_int_equal(list.found[0].len, 0);
        } else {
            assert_int_equal(list.found[0].kind, kind);
            assert_int_equal(list.found[0].len, len);
            assert_memory_equal(list.found[0].data, text.data, len);
        }
        assert_int_equal(list.found[1].kind, SPLIT_RECORD);
        list_clear(&list);
    }
}

static void a_record_is_too_long_from_the_first_octet_over_the_limit(void **state)
{
    static const char *const line_ends[] = { "\n", "\r\n" };

    (void)state;
    for (size_t len = SPLIT_RECORD_MAX - 2; len <= SPLIT_RECORD_MAX + 3; len++) {
        for (int e = 0; e < 2; e++) {
            struct ca_buf text;

            build(&text, "-----BEGIN A-----\n", len, "\n-----END A-----", line_ends[e], A "\n");
            check_limit(pem_split, ca_buf_view(&text), len, SPLIT_RECORD);
            ca_buf_clear(&text);
            build(&text, "{", len, "}", line_ends[e], "{}\n");
            check_limit(jsonl_split, ca_buf_view(&text), len, SPLIT_RECORD);
            ca_buf_clear(&text);
            build(&text, " ", len, "x", line_ends[e], "{}\n");
            check_limit(jsonl_split, ca_buf_view(&text), len, SPLIT_RECORD);
            ca_buf_clear(&text);
        }
        {
            struct ca_buf text;

            build(&text, "-----BEGIN A-----\n", len, "\n", "", A "\n");
            check_limit(pem_split, ca_buf_view(&text), len, SPLIT_TRUNCATED);
            ca_buf_clear(&text);
        }
    }
}

static void a_long_record_takes_neither_memory_nor_its_neighbour(void **state)
{
    const size_t len = 300000;
    struct ca_buf text;

    (void)state;
    build(&text, "-----BEGIN A-----\n", len, "\n-----END A-----", "\r\n", A "\n");
    check_limit(pem_split, ca_buf_view(&text), len, SPLIT_RECORD);
    ca_buf_clear(&text);
    build(&text, "-----BEGIN A-----\n", len, "\n", "", A "\n");     /* and without its END line */
    check_limit(pem_split, ca_buf_view(&text), len, SPLIT_TRUNCATED);
    ca_buf_clear(&text);
    build(&text, "{", len, "}", "\n", "{}");
    check_limit(jsonl_split, ca_buf_view(&text), len, SPLIT_RECORD);
    ca_buf_clear(&text);
}

static void a_long_record_at_the_end_of_the_input_is_reported_once(void **state)
{
    static split_fn *const splits[] = { pem_split, jsonl_split };

    (void)state;
    for (int i = 0; i < 2; i++) {
        for (size_t step = 1000; step <= 200000; step += 9950) {
            struct ca_buf text;
            struct list list;

            build(&text, "-----BEGIN A-----", 100000, "x", "", "");
            feed_steps(splits[i], ca_buf_view(&text), step, &list);
            assert_int_equal(list.count, 1);
            assert_int_equal(list.found[0].kind, SPLIT_TOO_LONG);
            assert_int_equal(list.found[0].offset, 0);
            list_clear(&list);
            ca_buf_clear(&text);
        }
    }
}

static void long_lines_outside_blocks_are_let_go(void **state)
{
    struct ca_buf text;
    struct list list;

    (void)state;
    build(&text, "x", 500000, "y", "\n", A);
    feed_steps(pem_split, ca_buf_view(&text), 1000, &list);     /* feed checks what stays */
    assert_int_equal(list.count, 1);
    assert_int_equal(list.found[0].kind, SPLIT_RECORD);
    assert_int_equal(list.found[0].offset, 500001);
    list_clear(&list);
    ca_buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pem_blocks_are_found_between_other_text),
        cmocka_unit_test(a_pem_block_without_its_end_is_truncated_and_spares_its_neighbour),
        cmocka_unit_test(lines_are_records_and_blank_ones_are_not),
        cmocka_unit_test(random_texts_split_as_the_model_does_wherever_they_are_cut),
        cmocka_unit_test(a_record_is_too_long_from_the_first_octet_over_the_limit),
        cmocka_unit_test(a_long_record_takes_neither_memory_nor_its_neighbour),
        cmocka_unit_test(a_long_record_at_the_end_of_the_input_is_reported_once),
        cmocka_unit_test(long_lines_outside_blocks_are_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
