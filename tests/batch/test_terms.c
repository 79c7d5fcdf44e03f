/* Terms: what a job or a single issue asks for beside its requests. */
#include "batch/terms.h"

#include "engine/preset.h"
#include "io/file.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct ca_crypto *crypto;
    struct batch_terms *terms;
    struct ca_error err;
    char dir[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/certmill-terms-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(ca_crypto_new(&f->crypto, NULL), CA_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    batch_terms_free(f->terms);
    ca_crypto_free(f->crypto);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static enum ca_status make(struct fixture *f, const struct batch_terms_spec *spec)
{
    batch_terms_free(f->terms);
    f->terms = NULL;
    return batch_terms_new(spec, f->crypto, &f->terms, &f->err);
}

static void assert_refused(struct fixture *f, const struct batch_terms_spec *spec,
                           enum ca_status status, const char *name)
{
    assert_int_equal(make(f, spec), status);
    assert_string_equal(ca_error_name(&f->err), name);
    assert_null(f->terms);
}

static void nothing_asked_for_is_the_default_template_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct batch_terms_spec spec = { 0 };

    assert_int_equal(make(f, &spec), CA_OK);
    assert_ptr_equal(f->terms->tmpl, ca_template_default());
    assert_null(f->terms->own);
    assert_null(f->terms->api);
    assert_int_equal(f->terms->api_json.len, 0);
    assert_null(f->terms->blocklist);
    assert_null(f->terms->blocklist_path);
    assert_false(f->terms->strict);
    spec.strict = true;
    assert_int_equal(make(f, &spec), CA_OK);
    assert_true(f->terms->strict);
}

static void a_template_goes_by_name_by_arn_and_as_a_preset(void **state)
{
    static const char *const names[] = {
        "CodeSigningCertificate", "CodeSigningCertificate/V1",
        "arn:aws:acm-pca:::template/CodeSigningCertificate/V1",
    };
    struct fixture *f = *state;
    struct batch_terms_spec spec = { 0 };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        spec.tmpl = names[i];
        assert_int_equal(make(f, &spec), CA_OK);
        assert_string_equal(f->terms->tmpl->name, "CodeSigningCertificate");
        assert_false(f->terms->tmpl->ours);
    }
    assert_true(ca_preset_count() > 0);
    for (size_t i = 0; i < ca_preset_count(); i++) {
        struct ca_bytes json;

        ca_preset_at(i, &spec.tmpl, &json);
        if (make(f, &spec) != CA_OK) fail_msg("%s: %s", spec.tmpl, f->err.text);
        assert_string_equal(f->terms->tmpl->name, spec.tmpl);
        assert_true(f->terms->tmpl->ours);
        assert_ptr_equal(f->terms->tmpl, f->terms->own);
    }
    spec.tmpl = "NoSuchTemplate";
    assert_refused(f, &spec, CA_REFUSED, "template");
}

static void a_template_of_a_users_own_is_read_from_its_json(void **state)
{
    struct fixture *f = *state;
    struct batch_terms_spec spec = {
        .tmpl_json = ca_bytes_str("{\"name\":\"mine\",\"base\":\"EndEntityCertificate/V1\","
                                  "\"duplicate_keys\":{\"run\":\"reject\",\"store\":\"warn\"}}"),
    };

    assert_int_equal(make(f, &spec), CA_OK);
    assert_string_equal(f->terms->tmpl->name, "mine");
    assert_int_equal(f->terms->tmpl->keys_in_run, CA_KEYS_REJECT);
    assert_int_equal(f->terms->tmpl->keys_in_store, CA_KEYS_WARN);
    spec.tmpl_json = ca_bytes_str("{\"name\":\"mine\",\"base\":\"NoSuchTemplate\"}");
    assert_refused(f, &spec, CA_REFUSED, "template");
    spec.tmpl_json = ca_bytes_str("[]");
    assert_refused(f, &spec, CA_MALFORMED, "template");
}

/* A job's row keeps the canonical form: read again it must give the same. */
static void an_api_passthrough_read_from_its_canonical_form_is_the_same(void **state)
{
    struct fixture *f = *state;
    struct batch_terms_spec spec = {
        .api_json = ca_bytes_str(
            "{ \"Subject\": {\"Organization\":\"O\", \"CommonName\":\"c\"},\n"
            "  \"Extensions\": {\"KeyUsage\":{\"DigitalSignature\":true},\n"
            "    \"SubjectAlternativeNames\":[{\"DnsName\":\"a.example\"}]}}"),
    };
    struct batch_terms *first = NULL;

    assert_int_equal(batch_terms_new(&spec, f->crypto, &first, &f->err), CA_OK);
    assert_non_null(first->api);
    spec.api_json = ca_buf_view(&first->api_json);
    assert_int_equal(make(f, &spec), CA_OK);
    assert_true(ca_bytes_equal(ca_buf_view(&f->terms->api_json), ca_buf_view(&first->api_json)));
    assert_true(ca_bytes_equal(f->terms->api->subject, first->api->subject));
    assert_true(ca_bytes_equal(f->terms->api->san, first->api->san));
    assert_int_equal(f->terms->api->extension_count, first->api->extension_count);
    for (size_t i = 0; i < first->api->extension_count; i++)
        assert_true(ca_bytes_equal(f->terms->api->extensions[i].whole,
                                   first->api->extensions[i].whole));
    batch_terms_free(first);
}

static void an_api_passthrough_that_cannot_be_is_refused(void **state)
{
    struct fixture *f = *state;
    struct batch_terms_spec spec = { .api_json = ca_bytes_str("{\"Subjekt\":{}}") };

    assert_refused(f, &spec, CA_REFUSED, "api-passthrough");
    spec.api_json = ca_bytes_str("{");
    assert_refused(f, &spec, CA_MALFORMED, "bad-json");
}

static void write_list(const struct fixture *f, const char *text, char path[128])
{
    (void)snprintf(path, 128, "%s/list", f->dir);
    assert_int_equal(file_write(path, 0644, ca_bytes_str(text), NULL), CA_OK);
}

/* A resume may be typed in another directory. */
static void a_blocklist_is_read_and_named_absolutely(void **state)
{
    struct fixture *f = *state;
    struct batch_terms_spec spec = { .blocklist = "list" };
    char path[128], *before = getcwd(NULL, 0);
    uint8_t hash[CA_KEY_HASH_LEN];

    memset(hash, 0x11, sizeof(hash));
    assert_non_null(before);
    write_list(f, "# keys\n11111111111111111111111111111111\n", path);
    assert_int_equal(chdir(f->dir), 0);
    assert_int_equal(make(f, &spec), CA_OK);
    assert_int_equal(chdir(before), 0);
    free(before);
    assert_string_equal(f->terms->blocklist_path, path);
    assert_int_equal(ca_blocklist_count(f->terms->blocklist), 1);
    assert_true(ca_blocklist_has(f->terms->blocklist, hash));
    spec.blocklist = f->terms->blocklist_path;
    {
        struct batch_terms *again = NULL;

        assert_int_equal(batch_terms_new(&spec, f->crypto, &again, &f->err), CA_OK);
        assert_memory_equal(ca_blocklist_hash(again->blocklist),
                            ca_blocklist_hash(f->terms->blocklist), 32);
        batch_terms_free(again);
    }
    assert_int_equal(unlink(path), 0);
}

static void a_blocklist_that_cannot_be_read_is_named(void **state)
{
    struct fixture *f = *state;
    struct batch_terms_spec spec = { 0 };
    char path[128];

    write_list(f, "not a hash\n", path);
    spec.blocklist = path;
    assert_refused(f, &spec, CA_MALFORMED, "blocklist");
    assert_int_equal(unlink(path), 0);
    assert_refused(f, &spec, CA_IO, "io");
    assert_non_null(strstr(f->err.text, path));
    spec.blocklist = f->dir;
    assert_refused(f, &spec, CA_REFUSED, "file-type");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            nothing_asked_for_is_the_default_template_and_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(a_template_goes_by_name_by_arn_and_as_a_preset, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_template_of_a_users_own_is_read_from_its_json, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            an_api_passthrough_read_from_its_canonical_form_is_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(an_api_passthrough_that_cannot_be_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_blocklist_is_read_and_named_absolutely, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_blocklist_that_cannot_be_read_is_named, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
