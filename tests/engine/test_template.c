#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/bytes.h"
#include "engine/template.h"

#include <jansson.h>
#include <string.h>

/* Spec section 6, typed in again from its table: BC, path length, KU, EKU, EKU critical. What is
 * written into certificates is judged in test_profile.c. */
static const struct {
    const char *name;
    const char *row;
} spec_rows[] = {
    { "EndEntityCertificate", "FALSE - 5 3 -" },
    { "EndEntityClientAuthCertificate", "FALSE - 5 2 -" },
    { "EndEntityServerAuthCertificate", "FALSE - 5 1 -" },
    { "CodeSigningCertificate", "FALSE - 1 4 crit" },
    { "OCSPSigningCertificate", "FALSE - 1 8 crit" },
    { "SubordinateCACertificate_PathLen0", "TRUE 0 61 0 -" },
    { "SubordinateCACertificate_PathLen1", "TRUE 1 61 0 -" },
    { "SubordinateCACertificate_PathLen2", "TRUE 2 61 0 -" },
    { "SubordinateCACertificate_PathLen3", "TRUE 3 61 0 -" },
    { "RootCACertificate", "TRUE - 61 0 -" },
};

#define SPEC_ROWS (sizeof(spec_rows) / sizeof(spec_rows[0]))

static const struct ca_template *find(const char *text)
{
    const struct ca_template *tmpl = NULL;

    assert_int_equal(ca_template_find(text, &tmpl, NULL), CA_OK);
    return tmpl;
}

static void every_row_of_the_specification_is_there_with_its_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_ROWS; i++) {
        const struct ca_template *t = find(spec_rows[i].name);
        bool is_ca = t->kind != CA_TEMPLATE_END_ENTITY;
        char path_len[8] = "-", row[64];

        if (t->path_len != CA_PATH_LEN_NONE)
            (void)snprintf(path_len, sizeof(path_len), "%d", t->path_len);
        (void)snprintf(row, sizeof(row), "%s %s %x %x %s", is_ca ? "TRUE" : "FALSE", path_len,
                       t->key_usage, t->eku, t->eku_critical ? "crit" : "-");
        assert_string_equal(row, spec_rows[i].row);
        assert_int_equal(t->key_usage_signing_only, t->key_usage);
        assert_int_equal(t->basic_constraints_critical, is_ca);
        assert_false(t->ours);
    }
}

static void only_the_root_template_is_of_the_root_kind(void **state)
{
    size_t roots = 0;

    (void)state;
    for (size_t i = 0; i < ca_template_count(); i++) {
        roots += ca_template_at(i)->kind == CA_TEMPLATE_ROOT_CA ? 1 : 0;
    }
    assert_int_equal(roots, 1);
    assert_int_equal(find("RootCACertificate")->kind, CA_TEMPLATE_ROOT_CA);
    assert_int_equal(find("SubordinateCACertificate_PathLen2")->kind, CA_TEMPLATE_SUBORDINATE_CA);
}

static void the_device_preset_leaves_encipherment_out_for_keys_that_only_sign(void **state)
{
    const struct ca_template *t = find("device");

    (void)state;
    assert_true(t->ours);
    assert_int_equal(t->kind, CA_TEMPLATE_END_ENTITY);
    assert_int_equal(t->key_usage, CA_KU_DIGITAL_SIGNATURE | CA_KU_KEY_ENCIPHERMENT);
    assert_int_equal(t->key_usage_signing_only, CA_KU_DIGITAL_SIGNATURE);
    assert_int_equal(t->eku, CA_EKU_SERVER_AUTH | CA_EKU_CLIENT_AUTH);
    assert_false(t->eku_critical);
}

static void a_template_is_found_by_name_by_version_and_by_arn(void **state)
{
    const struct ca_template *t = find("EndEntityCertificate");

    (void)state;
    assert_ptr_equal(find("EndEntityCertificate/V1"), t);
    assert_ptr_equal(find("arn:aws:acm-pca:::template/EndEntityCertificate/V1"), t);
    assert_ptr_equal(find("arn:aws-us-gov:acm-pca:::template/EndEntityCertificate/V1"), t);
    assert_ptr_equal(find("arn:aws-cn:acm-pca:::template/EndEntityCertificate/V1"), t);
    assert_ptr_equal(ca_template_default(), t);
}

static void what_is_no_template_is_refused_with_a_hint(void **state)
{
    static const char *const texts[] = {
        "", "/V1", "arn:", "arn:aws", "arn::acm-pca:::template/EndEntityCertificate/V1",
        "endentitycertificate", "EndEntityCertificate/V2", "EndEntityCertificate/V1/V1",
        "EndEntityCertificate ", "device/V1", "arn:aws:acm-pca:::template/device/V1",
        "arn:aws:acm-pca:::template/device", "arn:aws:acm-pca:::template/EndEntityCertificate",
        "arn:aws:acm-pca:eu-west-1::template/EndEntityCertificate/V1",
        "arn:aws:acm:::template/EndEntityCertificate/V1", "arn:aws:acm-pca:::template/",
        "arn:aws:acm-pca:::template//V1", "SubordinateCACertificate_PathLen4",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct ca_template *tmpl = NULL;
        struct ca_error err;

        assert_int_equal(ca_template_find(texts[i], &tmpl, &err), CA_REFUSED);
        assert_string_equal(ca_error_name(&err), "template");
        assert_non_null(strstr(err.hint, "certmill template list"));
        assert_null(tmpl);
    }
}

static void every_template_is_found_again_by_its_own_arn(void **state)
{
    struct ca_buf arn;

    (void)state;
    ca_buf_init(&arn, 4096);
    for (size_t i = 0; i < ca_template_count(); i++) {
        const struct ca_template *t = ca_template_at(i);

        ca_buf_reset(&arn);
        ca_template_arn(t, &arn);
        ca_buf_append_u8(&arn, 0);
        assert_int_equal(ca_buf_status(&arn, "an ARN", NULL), CA_OK);
        assert_ptr_equal(find((const char *)arn.data), t);
        assert_true(strlen(t->summary) > 0);
    }
    assert_null(ca_template_at(ca_template_count()));
    ca_buf_reset(&arn);
    ca_template_arn(find("CodeSigningCertificate"), &arn);
    ca_buf_append_u8(&arn, 0);
    assert_string_equal((const char *)arn.data,
                        "arn:aws:acm-pca:::template/CodeSigningCertificate/V1");
    ca_buf_clear(&arn);
}

static void descriptions_are_json_and_differ_from_template_to_template(void **state)
{
    json_t *all = json_object();

    (void)state;
    for (size_t i = 0; i < ca_template_count(); i++) {
        struct ca_buf text;
        json_t *json;

        ca_buf_init(&text, 4096);
        ca_template_describe(ca_template_at(i), &text);
        json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        ca_buf_append_u8(&text, 0);
        assert_null(json_object_get(all, (const char *)text.data));
        assert_int_equal(json_object_set_new(all, (const char *)text.data, json), 0);
        ca_buf_clear(&text);
    }
    assert_int_equal(json_object_size(all), ca_template_count());
    json_decref(all);
}

static void a_description_names_what_goes_into_the_certificate(void **state)
{
    static const char expected[] =
        "{\"name\":\"arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen1/V1\","
        "\"kind\":\"subordinate-ca\",\"basic_constraints\":{\"critical\":true,\"ca\":true,"
        "\"path_len\":1},\"key_usage\":[\"digitalSignature\",\"keyCertSign\",\"cRLSign\"],"
        "\"key_usage_signing_only\":[\"digitalSignature\",\"keyCertSign\",\"cRLSign\"],"
        "\"extended_key_usage\":[],\"extended_key_usage_critical\":false,"
        "\"max_validity_days\":0}";
    struct ca_buf text;

    (void)state;
    ca_buf_init(&text, 4096);
    ca_template_describe(find("SubordinateCACertificate_PathLen1"), &text);
    ca_buf_append_u8(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    ca_buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_specification_is_there_with_its_values),
        cmocka_unit_test(only_the_root_template_is_of_the_root_kind),
        cmocka_unit_test(the_device_preset_leaves_encipherment_out_for_keys_that_only_sign),
        cmocka_unit_test(a_template_is_found_by_name_by_version_and_by_arn),
        cmocka_unit_test(what_is_no_template_is_refused_with_a_hint),
        cmocka_unit_test(every_template_is_found_again_by_its_own_arn),
        cmocka_unit_test(descriptions_are_json_and_differ_from_template_to_template),
        cmocka_unit_test(a_description_names_what_goes_into_the_certificate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
