/* Profiles for a CA of the store: defaults, who may use a template, what the hash covers. */
#include "batch/profile.h"
#include "tests/support/store_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct store_fixture *store;
    struct batch_issuer *issuer;
    struct ca_error err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    if (store_fixture_setup((void **)&f->store) != 0) return -1;
    store_fixture_hierarchy(f->store);
    assert_int_equal(batch_issuer_load(f->store->registry, "sub", false, &f->issuer, &f->err),
                     CA_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    void *store = f->store;

    batch_issuer_free(f->issuer);
    free(f);
    return store_fixture_teardown(&store);
}

struct period {
    int type;
    int64_t value;
};

static void a_validity_that_nobody_asked_for_follows_kind_template_and_usage_mode(void **state)
{
    enum { D = CA_VALIDITY_DAYS, Y = CA_VALIDITY_YEARS, M = CA_VALIDITY_MONTHS,
           S = CA_VALIDITY_SECONDS, A = CA_VALIDITY_ABSOLUTE };
    static const struct {
        enum ca_template_kind kind;
        bool short_lived;
        struct period own;
        int64_t max_s;
        struct period wanted;
    } cases[] = {
        { CA_TEMPLATE_END_ENTITY, false, { 0 }, 0, { D, 365 } },
        { CA_TEMPLATE_SUBORDINATE_CA, false, { 0 }, 0, { Y, 3 } },
        { CA_TEMPLATE_ROOT_CA, false, { 0 }, 0, { Y, 10 } },
        { CA_TEMPLATE_END_ENTITY, true, { 0 }, 0, { D, 7 } },
        { CA_TEMPLATE_SUBORDINATE_CA, true, { 0 }, 0, { Y, 3 } },
        { CA_TEMPLATE_END_ENTITY, false, { M, 6 }, 0, { M, 6 } },
        { CA_TEMPLATE_END_ENTITY, true, { M, 6 }, 0, { D, 7 } },
        { CA_TEMPLATE_END_ENTITY, true, { S, 3600 }, 0, { S, 3600 } },
        { CA_TEMPLATE_END_ENTITY, false, { 0 }, 90 * 86400, { D, 90 } },
        { CA_TEMPLATE_END_ENTITY, false, { 0 }, 365 * 86400, { D, 365 } },
        { CA_TEMPLATE_END_ENTITY, false, { 0 }, 129600, { S, 129600 } },
        { CA_TEMPLATE_END_ENTITY, true, { 0 }, 86400, { D, 1 } },
        { CA_TEMPLATE_END_ENTITY, true, { 0 }, 90 * 86400, { D, 7 } },
        /* A year may have 366 days. */
        { CA_TEMPLATE_SUBORDINATE_CA, false, { 0 }, 3 * INT64_C(365) * 86400, { D, 1095 } },
        { CA_TEMPLATE_SUBORDINATE_CA, false, { 0 }, 3 * INT64_C(366) * 86400, { Y, 3 } },
        { CA_TEMPLATE_END_ENTITY, false, { Y, INT64_MAX }, 86400, { D, 1 } },
        /* A date has no length; whether it is too far away is asked when it is used. */
        { CA_TEMPLATE_END_ENTITY, true, { A, 1800000000 }, 86400, { A, 1800000000 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ca_validity own = { .type = (enum ca_validity_type)cases[i].own.type,
                                   .value = cases[i].own.value };
        struct ca_template tmpl = { .kind = cases[i].kind, .validity_default = own,
                                    .validity_max_s = cases[i].max_s };
        struct ca_validity got = batch_validity_default(&tmpl, cases[i].short_lived);

        if ((int)got.type != cases[i].wanted.type || got.value != cases[i].wanted.value)
            fail_msg("case %zu: type %d, value %lld", i, (int)got.type, (long long)got.value);
    }
}

/* CA_OK, or why not; the hash when it is wanted. */
static enum ca_status compile(struct fixture *f, const struct batch_terms_spec *spec,
                              uint8_t hash[SCHEMA_HASH_LEN])
{
    struct batch_profile_ask ask = { 0 };
    struct batch_compiled compiled;
    struct batch_terms *terms = NULL;
    enum ca_status st = batch_terms_new(spec, f->store->registry->crypto, &terms, &f->err);

    if (st != CA_OK) fail_msg("%s", f->err.text);
    ask.terms = terms;
    st = batch_profile_compile(f->store->registry, f->issuer, &ask, &compiled, &f->err);
    if (st == CA_OK && hash != NULL) memcpy(hash, compiled.hash, SCHEMA_HASH_LEN);
    batch_compiled_clear(&compiled);
    batch_terms_free(terms);
    return st;
}

static void a_template_may_name_the_cas_that_use_it(void **state)
{
    struct fixture *f = *state;
    struct batch_terms_spec spec = { 0 };
    struct batch_ca ca;
    char json[512];

    assert_int_equal(batch_ca_find(f->store->registry, NULL, "sub", &ca, NULL), CA_OK);
    (void)snprintf(json, sizeof(json), "{\"name\":\"m\",\"base\":\"EndEntityCertificate/V1\","
                   "\"allowed_cas\":[\"other\",\"%s\"]}", ca.arn);
    batch_ca_clear(&ca);
    spec.tmpl_json = ca_bytes_str(json);
    assert_int_equal(compile(f, &spec, NULL), CA_OK);
    spec.tmpl_json = ca_bytes_str("{\"name\":\"m\",\"base\":\"EndEntityCertificate/V1\","
                                  "\"allowed_cas\":[\"sub\"]}");
    assert_int_equal(compile(f, &spec, NULL), CA_OK);
    spec.tmpl_json = ca_bytes_str("{\"name\":\"m\",\"base\":\"EndEntityCertificate/V1\","
                                  "\"allowed_cas\":[\"su\",\"subs\",\"root\"]}");
    assert_int_equal(compile(f, &spec, NULL), CA_REFUSED);
    assert_int_equal(f->err.reason, CA_REASON_CA_NOT_ALLOWED);
    assert_string_equal(ca_error_name(&f->err), "ca-not-allowed");
}

static void write_list(const struct fixture *f, const char *digits, char path[300])
{
    FILE *file;

    (void)snprintf(path, 300, "%s/list", f->store->root);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", digits) > 0);
    assert_int_equal(fclose(file), 0);
}

/* A resumed job must not go on under other terms. */
static void every_part_of_the_terms_is_in_the_hash(void **state)
{
    struct fixture *f = *state;
    struct batch_terms_spec specs[7] = { { 0 } };
    uint8_t hashes[7][SCHEMA_HASH_LEN], again[SCHEMA_HASH_LEN];
    char path[300];

    specs[1].strict = true;
    specs[2].tmpl = "EndEntityClientAuthCertificate";
    specs[3].tmpl_json = ca_bytes_str("{\"name\":\"m\",\"base\":\"EndEntityCertificate/V1\"}");
    specs[4].tmpl_json = ca_bytes_str("{\"name\":\"m\",\"base\":\"EndEntityCertificate/V1\","
                                      "\"duplicate_keys\":{\"run\":\"warn\"}}");
    specs[5].api_json = ca_bytes_str("{\"Subject\":{\"CommonName\":\"x\"}}");
    specs[6].blocklist = path;
    write_list(f, "00112233445566778899aabbccddeeff", path);
    for (size_t i = 0; i < 7; i++) {
        if (compile(f, &specs[i], hashes[i]) != CA_OK) fail_msg("%zu: %s", i, f->err.text);
        assert_int_equal(compile(f, &specs[i], again), CA_OK);
        assert_memory_equal(again, hashes[i], sizeof(again));
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(memcmp(hashes[i], hashes[j], SCHEMA_HASH_LEN), 0);
    }
    write_list(f, "00112233445566778899aabbccddeefe", path);
    assert_int_equal(compile(f, &specs[6], again), CA_OK);
    assert_int_not_equal(memcmp(again, hashes[6], sizeof(again)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_validity_that_nobody_asked_for_follows_kind_template_and_usage_mode),
        cmocka_unit_test_setup_teardown(a_template_may_name_the_cas_that_use_it, setup, teardown),
        cmocka_unit_test_setup_teardown(every_part_of_the_terms_is_in_the_hash, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
