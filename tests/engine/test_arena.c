#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/arena.h"

#include <string.h>

static void what_was_taken_stays_where_it_is_while_the_arena_grows(void **state)
{
    struct ca_arena arena;
    struct ca_bytes kept[200];

    (void)state;
    ca_arena_init(&arena, 64, 1 << 20);
    for (uint8_t i = 0; i < 200; i++) {
        uint8_t octets[33];

        memset(octets, i, sizeof(octets));
        assert_int_equal(ca_arena_copy(&arena, ca_bytes_of(octets, i % sizeof(octets)), "x",
                                       &kept[i], NULL), CA_OK);
    }
    for (uint8_t i = 0; i < 200; i++) {
        assert_int_equal(kept[i].len, i % 33);
        for (size_t k = 0; k < kept[i].len; k++) assert_int_equal(kept[i].data[k], i);
    }
    ca_arena_clear(&arena);
}

static void a_value_longer_than_a_block_gets_one_of_its_own(void **state)
{
    struct ca_arena arena;
    uint8_t *small, *large, *after;

    (void)state;
    ca_arena_init(&arena, 16, 4096);
    small = ca_arena_take(&arena, 10);
    large = ca_arena_take(&arena, 1000);
    after = ca_arena_take(&arena, 10);
    assert_non_null(small);
    assert_non_null(large);
    assert_non_null(after);
    memset(small, 1, 10);
    memset(large, 2, 1000);
    memset(after, 3, 10);
    assert_int_equal(small[9], 1);
    assert_int_equal(large[0], 2);
    assert_int_equal(large[999], 2);
    assert_int_equal(arena.used, 1020);
    ca_arena_clear(&arena);
}

static void a_reset_gives_the_same_memory_again(void **state)
{
    struct ca_arena arena;
    uint8_t *first[3];

    (void)state;
    ca_arena_init(&arena, 64, 4096);
    for (size_t i = 0; i < 3; i++) first[i] = ca_arena_take(&arena, 60);
    ca_arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    for (size_t i = 0; i < 3; i++) assert_ptr_equal(ca_arena_take(&arena, 60), first[i]);
    ca_arena_clear(&arena);
}

static void more_than_the_bound_is_refused_and_says_what(void **state)
{
    struct ca_arena arena;
    struct ca_bytes out = { .len = 7 };
    struct ca_error err;
    uint8_t octets[101] = { 0 };

    (void)state;
    ca_arena_init(&arena, 16, 100);
    assert_int_equal(ca_arena_copy(&arena, ca_bytes_of(octets, 101), "a subject", &out, &err),
                     CA_FULL);
    assert_non_null(strstr(err.text, "a subject"));
    assert_int_equal(out.len, 7);
    assert_int_equal(ca_arena_copy(&arena, ca_bytes_of(octets, 100), "a subject", &out, &err),
                     CA_OK);
    assert_null(ca_arena_take(&arena, 1));
    assert_non_null(ca_arena_take(&arena, 0));
    ca_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_stays_where_it_is_while_the_arena_grows),
        cmocka_unit_test(a_value_longer_than_a_block_gets_one_of_its_own),
        cmocka_unit_test(a_reset_gives_the_same_memory_again),
        cmocka_unit_test(more_than_the_bound_is_refused_and_says_what),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
