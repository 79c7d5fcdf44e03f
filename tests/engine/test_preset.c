#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/notice.h"
#include "engine/preset.h"
#include "engine/template_file.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define SHARE CERTMILL_VECTORS_DIR "/../../tools/share/templates/"

static struct ca_template *parse(const char *name)
{
    struct ca_template *tmpl = NULL;
    struct ca_bytes json;
    struct ca_error err;

    assert_true(ca_preset_find(name, &json));
    if (ca_template_parse(json, &tmpl, NULL, &err) != CA_OK) fail_msg("%s: %s", name, err.text);
    return tmpl;
}

static void the_presets_are_these_in_order_of_their_names(void **state)
{
    static const char *const names[] = { "code-signing", "device",      "iot-thing",
                                         "mtls-client",  "mtls-server", "ocsp-responder",
                                         "short-lived" };

    (void)state;
    assert_int_equal(ca_preset_count(), sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < ca_preset_count(); i++) {
        struct ca_bytes at, found;
        const char *name = NULL;

        ca_preset_at(i, &name, &at);
        assert_string_equal(name, names[i]);
        assert_true(ca_preset_find(name, &found));
        assert_true(ca_bytes_equal(at, found));
    }
}

static void what_is_no_preset_is_not_found(void **state)
{
    static const char *const names[] = { "", "devic", "device2", "Device", "EndEntityCertificate" };
    struct ca_bytes json;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_false(ca_preset_find(names[i], &json));
}

static void what_is_built_in_is_what_ships_octet_by_octet(void **state)
{
    (void)state;
    for (size_t i = 0; i < ca_preset_count(); i++) {
        static uint8_t octets[65536];
        struct ca_bytes json;
        const char *name = NULL;
        char path[512];
        FILE *file;
        size_t len;

        ca_preset_at(i, &name, &json);
        (void)snprintf(path, sizeof(path), SHARE "%s.json", name);
        file = fopen(path, "rb");
        assert_non_null(file);
        len = fread(octets, 1, sizeof(octets), file);
        (void)fclose(file);
        assert_true(ca_bytes_equal(json, ca_bytes_of(octets, len)));
    }
}

static void every_preset_is_a_template_of_its_name_with_its_standard_in_a_comment(void **state)
{
    (void)state;
    for (size_t i = 0; i < ca_preset_count(); i++) {
        struct ca_bytes json;
        struct ca_template *tmpl;
        const char *name = NULL, *comment;
        json_t *root;

        ca_preset_at(i, &name, &json);
        tmpl = parse(name);
        assert_string_equal(tmpl->name, name);
        assert_true(tmpl->ours);
        assert_int_equal(tmpl->kind, CA_TEMPLATE_END_ENTITY);
        assert_true(strlen(tmpl->summary) > 0 && strlen(tmpl->summary) < 80);
        root = json_loadb((const char *)json.data, json.len, 0, NULL);
        comment = json_string_value(json_object_get(root, "comment"));
        assert_non_null(comment);
        assert_non_null(strstr(comment, "RFC "));
        assert_null(strstr((const char *)tmpl->source.data, "comment"));
        json_decref(root);
        ca_template_free(tmpl);
    }
}

static void no_preset_gives_cause_for_a_notice_whatever_the_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ca_preset_count(); i++) {
        struct ca_template *tmpl;
        struct ca_bytes json;
        const char *name = NULL;

        ca_preset_at(i, &name, &json);
        tmpl = parse(name);
        for (enum ca_key_kind kind = CA_KEY_KIND_RSA; kind <= CA_KEY_KIND_ED448; kind++)
            assert_int_equal(ca_notices_of(tmpl, kind), 0);
        ca_template_free(tmpl);
    }
}

static void the_device_preset_leaves_encipherment_out_for_keys_that_only_sign(void **state)
{
    struct ca_template *t = parse("device");

    (void)state;
    assert_int_equal(t->key_usage, CA_KU_DIGITAL_SIGNATURE | CA_KU_KEY_ENCIPHERMENT);
    assert_int_equal(t->key_usage_signing_only, CA_KU_DIGITAL_SIGNATURE);
    assert_int_equal(t->eku, CA_EKU_SERVER_AUTH | CA_EKU_CLIENT_AUTH);
    assert_false(t->eku_critical || t->basic_constraints_critical);
    assert_int_equal(t->passthrough, 0);
    assert_int_equal(t->cdp_from, CA_FROM_CA);
    assert_int_equal(t->validity_max_s, 0);
    assert_null(t->names);
    ca_template_free(t);
}

/* RFC 6960 4.2.2.2.1 and RFC 9608 2: Extensions written by hand. */
static void presets_without_revocation_carry_the_extension_that_says_so(void **state)
{
    static const uint8_t nocheck[] = { 0x30, 0x0f, 0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05,
                                       0x07, 0x30, 0x01, 0x05, 0x04, 0x02, 0x05, 0x00 };
    static const uint8_t no_rev_avail[] = { 0x30, 0x09, 0x06, 0x03, 0x55, 0x1d,
                                            0x38, 0x04, 0x02, 0x05, 0x00 };
    struct ca_template *ocsp = parse("ocsp-responder"), *brief = parse("short-lived");

    (void)state;
    assert_true(ca_bytes_equal(ocsp->extensions, ca_bytes_of(nocheck, sizeof(nocheck))));
    assert_true(ocsp->no_revocation_pointers);
    assert_int_equal(ocsp->eku, CA_EKU_OCSP_SIGNING);
    assert_true(
        ca_bytes_equal(brief->extensions, ca_bytes_of(no_rev_avail, sizeof(no_rev_avail))));
    assert_true(brief->no_revocation_pointers);
    assert_int_equal(brief->cdp_from, 0);
    assert_int_equal(brief->validity_max_s, 7 * 86400);
    ca_template_free(ocsp);
    ca_template_free(brief);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_presets_are_these_in_order_of_their_names),
        cmocka_unit_test(what_is_no_preset_is_not_found),
        cmocka_unit_test(what_is_built_in_is_what_ships_octet_by_octet),
        cmocka_unit_test(every_preset_is_a_template_of_its_name_with_its_standard_in_a_comment),
        cmocka_unit_test(no_preset_gives_cause_for_a_notice_whatever_the_key),
        cmocka_unit_test(the_device_preset_leaves_encipherment_out_for_keys_that_only_sign),
        cmocka_unit_test(presets_without_revocation_carry_the_extension_that_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
