#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/finding.h"

#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct ca_findings));
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void a_finding_keeps_its_path_and_its_sentence(void **state)
{
    struct ca_findings *f = *state;

    ca_finding_add(f, "subject.attributes.CN.pattern", "is %d characters %s", 600, "long");
    assert_int_equal(f->count, 1);
    assert_string_equal(f->items[0].path, "subject.attributes.CN.pattern");
    assert_string_equal(f->items[0].text, "is 600 characters long");
}

static void the_first_64_are_kept_and_all_are_counted(void **state)
{
    struct ca_findings *f = *state;

    for (int i = 0; i < 100; i++) ca_finding_add(f, "", "%d", i);
    assert_int_equal(f->count, CA_FINDINGS_MAX);
    assert_int_equal(f->count, 64);
    assert_int_equal(f->total, 100);
    assert_string_equal(f->items[63].text, "63");
}

static void what_is_too_long_is_cut_and_what_could_steer_a_terminal_is_replaced(void **state)
{
    struct ca_findings *f = *state;
    char lengthy[1000];

    memset(lengthy, 'x', sizeof(lengthy) - 1);
    lengthy[sizeof(lengthy) - 1] = '\0';
    ca_finding_add(f, lengthy, "%s", lengthy);
    assert_int_equal(strlen(f->items[0].path), CA_FINDING_PATH_MAX - 1);
    assert_int_equal(strlen(f->items[0].text), CA_ERROR_TEXT_MAX - 1);
    ca_finding_add(f, "a\033[31m\n", "b\x7f\t%s", "\r");
    assert_string_equal(f->items[1].path, "a?[31m?");
    assert_string_equal(f->items[1].text, "b???");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_finding_keeps_its_path_and_its_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_64_are_kept_and_all_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_is_too_long_is_cut_and_what_could_steer_a_terminal_is_replaced, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
