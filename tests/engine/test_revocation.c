/* Revocation configurations: URIs by the words of the specification, the JSON judged by jansson. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/revocation.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define UUID "0f0e0d0c-0b0a-4908-8706-050403020100"

static enum ca_status revocation(const char *json, const char *previous,
                                 struct ca_revocation *out, struct ca_error *err)
{
    return ca_revocation_parse(ca_bytes_str(json), ca_bytes_str(previous), "eu-west-1", UUID, out,
                               err);
}

static struct ca_revocation revocation_of(const char *json, const char *previous)
{
    struct ca_revocation out;
    struct ca_error err;

    if (revocation(json, previous, &out, &err) != CA_OK) fail_msg("%s: %s", json, err.text);
    return out;
}

static void assert_json(const struct ca_revocation *revocation_, const char *expected)
{
    json_t *ours = json_loadb((const char *)revocation_->json.data, revocation_->json.len, 0, NULL);
    json_t *theirs = json_loads(expected, 0, NULL);

    assert_non_null(ours);
    assert_non_null(theirs);
    if (!json_equal(ours, theirs))
        fail_msg("%.*s", (int)revocation_->json.len, (const char *)revocation_->json.data);
    json_decref(ours);
    json_decref(theirs);
}

static void no_configuration_is_both_halves_off(void **state)
{
    struct ca_revocation r = revocation_of("", "");

    (void)state;
    assert_false(r.crl_enabled || r.ocsp_enabled || r.crl_partitioned || r.omit_cdp);
    assert_string_equal(r.cdp_uri, "");
    assert_string_equal(r.ocsp_uri, "");
    assert_json(&r, "{\"CrlConfiguration\":{\"Enabled\":false},"
                    "\"OcspConfiguration\":{\"Enabled\":false}}");
    ca_revocation_clear(&r);
    ca_revocation_clear(&r);
}

static void uris_are_made_of_the_names_given(void **state)
{
    static const struct { const char *json, *cdp, *ocsp; } rows[] = {
        { "{\"CrlConfiguration\":{\"Enabled\":true,\"S3BucketName\":\"bucket-1\"}}",
          "http://bucket-1.s3.eu-west-1.amazonaws.com/crl/" UUID ".crl", "" },
        { "{\"CrlConfiguration\":{\"Enabled\":true,\"S3BucketName\":\"bucket-1\","
          "\"CustomCname\":\"crl.example.org\"}}", "http://crl.example.org/crl/" UUID ".crl", "" },
        { "{\"CrlConfiguration\":{\"Enabled\":true,\"CustomCname\":\"crl.example.org:8080\","
          "\"CustomPath\":\"pki/one\",\"CrlType\":\"COMPLETE\"}}",
          "http://crl.example.org:8080/pki/one/" UUID ".crl", "" },
        { "{\"CrlConfiguration\":{\"Enabled\":true,\"S3BucketName\":\"b.c\",\"CustomPath\":\"p\","
          "\"S3ObjectAcl\":\"PUBLIC_READ\"}}",
          "http://b.c.s3.eu-west-1.amazonaws.com/p/" UUID ".crl", "" },
        { "{\"OcspConfiguration\":{\"Enabled\":true,\"OcspCustomCname\":\"ocsp.example.org\"}}", "",
          "http://ocsp.example.org" },
        { "{\"CrlConfiguration\":{\"Enabled\":true,\"CrlDistributionPointExtensionConfiguration\":"
          "{\"OmitExtension\":true}}}", "", "" },
        { "{\"CrlConfiguration\":{\"Enabled\":true,\"CustomCname\":\"c.example\","
          "\"CrlDistributionPointExtensionConfiguration\":{\"OmitExtension\":false}}}",
          "http://c.example/crl/" UUID ".crl", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_revocation r = revocation_of(rows[i].json, "");

        assert_string_equal(r.cdp_uri, rows[i].cdp);
        assert_string_equal(r.ocsp_uri, rows[i].ocsp);
        ca_revocation_clear(&r);
    }
}

static void values_come_out_as_given_and_seven_days_otherwise(void **state)
{
    struct ca_revocation r = revocation_of(
        "{\"CrlConfiguration\":{\"Enabled\":true,\"ExpirationInDays\":5000,\"CrlType\":"
        "\"PARTITIONED\",\"S3ObjectAcl\":\"BUCKET_OWNER_FULL_CONTROL\",\"S3BucketName\":\"abc\"},"
        "\"OcspConfiguration\":{\"Enabled\":true,\"OcspCustomCname\":\"o.example\"}}", "");

    (void)state;
    assert_true(r.crl_enabled && r.crl_partitioned && r.ocsp_enabled && !r.omit_cdp);
    assert_int_equal(r.crl_expiration_days, 5000);
    ca_revocation_clear(&r);
    r = revocation_of("{\"CrlConfiguration\":{\"Enabled\":true,"
                      "\"CrlDistributionPointExtensionConfiguration\":{\"OmitExtension\":true}}}",
                      "");
    assert_true(r.crl_enabled && r.omit_cdp && !r.crl_partitioned);
    assert_int_equal(r.crl_expiration_days, 7);
    assert_json(&r, "{\"CrlConfiguration\":{\"Enabled\":true,\"ExpirationInDays\":7,"
                    "\"CrlDistributionPointExtensionConfiguration\":{\"OmitExtension\":true}},"
                    "\"OcspConfiguration\":{\"Enabled\":false}}");
    ca_revocation_clear(&r);
}

static void an_absent_half_keeps_what_is_in_force(void **state)
{
    static const char both[] =
        "{\"CrlConfiguration\":{\"Enabled\":true,\"CustomCname\":\"c.example\","
        "\"ExpirationInDays\":3},"
        "\"OcspConfiguration\":{\"Enabled\":true,\"OcspCustomCname\":\"o.example\"}}";
    struct ca_revocation r = revocation_of("{\"CrlConfiguration\":{\"Enabled\":false}}", both);

    (void)state;
    assert_false(r.crl_enabled);
    assert_true(r.ocsp_enabled);
    assert_string_equal(r.cdp_uri, "");
    assert_string_equal(r.ocsp_uri, "http://o.example");
    ca_revocation_clear(&r);
    r = revocation_of("{\"OcspConfiguration\":{\"Enabled\":false}}", both);
    assert_true(r.crl_enabled);
    assert_false(r.ocsp_enabled);
    assert_int_equal(r.crl_expiration_days, 3);
    assert_string_equal(r.cdp_uri, "http://c.example/crl/" UUID ".crl");
    ca_revocation_clear(&r);
    /* A half that is given replaces the whole half. */
    r = revocation_of("{\"CrlConfiguration\":{\"Enabled\":true,\"CustomCname\":\"d.example\"}}",
                      both);
    assert_int_equal(r.crl_expiration_days, 7);
    assert_true(r.ocsp_enabled);
    ca_revocation_clear(&r);
    r = revocation_of("", both);
    assert_true(r.crl_enabled && r.ocsp_enabled);
    assert_json(&r, both);
    ca_revocation_clear(&r);
}

#define CRL(members) "{\"CrlConfiguration\":{\"Enabled\":true," members "}}"
#define DELTA(delta) CRL("\"CustomCname\":\"c.example\",\"DeltaCrlConfiguration\":" delta)

static void revocation_settings_that_make_no_sense_are_refused(void **state)
{
    static const struct { const char *json, *part; } rows[] = {
        { "{\"Crl\":{}}", "Crl: unknown member" },
        { "{\"CrlConfiguration\":{}}", "CrlConfiguration.Enabled: is missing" },
        { "{\"CrlConfiguration\":{\"Enabled\":\"true\"}}", "Enabled: must be true or false" },
        { "{\"CrlConfiguration\":{\"Enabled\":false,\"ExpirationInDays\":7}}", "Enabled is false" },
        { "{\"CrlConfiguration\":{\"Enabled\":true}}", "needs CustomCname or S3BucketName" },
        { CRL("\"CustomCname\":\"c.example\",\"ExpirationInDays\":0"), "ExpirationInDays: " },
        { CRL("\"CustomCname\":\"c.example\",\"ExpirationInDays\":5001"), "ExpirationInDays: " },
        { CRL("\"CustomCname\":\"c.example\",\"ExpirationInDays\":7.5"), "must be a whole number" },
        { CRL("\"CustomCname\":\"c.example\",\"ExpirationInDays\":\"7\""),
          "must be a whole number" },
        { CRL("\"CustomCname\":\"\""), "CustomCname: " },
        { CRL("\"CustomCname\":\"http://c.example\""), "http://" },
        { CRL("\"CustomCname\":\"a b\""), "CustomCname: has a character" },
        { CRL("\"CustomCname\":\"a\\u00e9\""), "CustomCname: has a character" },
        { CRL("\"CustomCname\":\"a<b\""), "CustomCname: has a character" },
        { CRL("\"CustomCname\":\"%zz\""), "would make a URI that has a %" },
        { CRL("\"CustomCname\":\"c.example\",\"CustomPath\":\"a%2\""), "would make a URI that" },
        { CRL("\"CustomCname\":\"/c.example\""), "would make a URI that has no host" },
        { CRL("\"CustomCname\":\"c..example\""), "would make a URI that has an empty label" },
        { CRL("\"CustomCname\":\"c.example:port\""), "would make a URI that has a port" },
        { CRL("\"CustomCname\":\"c.example\",\"CustomPath\":\"/a\""), "CustomPath: has an empty" },
        { CRL("\"CustomCname\":\"c.example\",\"CustomPath\":\"a/\""), "CustomPath: has an empty" },
        { CRL("\"CustomCname\":\"c.example\",\"CustomPath\":\"a//b\""),
          "CustomPath: has an empty" },
        { CRL("\"S3BucketName\":\"ab\""), "S3BucketName: " },
        { CRL("\"S3BucketName\":\"Bucket\""), "S3BucketName: " },
        { CRL("\"S3BucketName\":\"a/b\""), "S3BucketName: " },
        { CRL("\"S3BucketName\":\"-ab\""), "S3BucketName: " },
        { CRL("\"S3BucketName\":\"ab.\""), "S3BucketName: " },
        { CRL("\"S3BucketName\":\"a..b\""), "S3BucketName: " },
        { CRL("\"S3BucketName\":\"abc\",\"S3ObjectAcl\":\"PRIVATE\""), "S3ObjectAcl: must be" },
        { CRL("\"S3BucketName\":\"abc\",\"CrlType\":\"DELTA\""), "CrlType: must be" },
        { CRL("\"CustomCname\":\"c.example\",\"CrlDistributionPointExtensionConfiguration\":"
              "{\"OmitExtension\":true}"), "OmitExtension" },
        { CRL("\"S3BucketName\":\"abc\",\"CrlDistributionPointExtensionConfiguration\":{}"),
          "OmitExtension: is missing" },
        { "{\"CrlConfiguration\":{\"Enabled\":false,\"DeltaCrlConfiguration\":{\"Enabled\":true}}}",
          "Enabled is false" },
        { DELTA("{}"), "DeltaCrlConfiguration.Enabled: is missing" },
        { DELTA("true"), "DeltaCrlConfiguration: must be an object" },
        { DELTA("{\"Enabled\":false,\"ExpirationInHours\":24}"),
          "DeltaCrlConfiguration: other members make no sense" },
        { DELTA("{\"Enabled\":true,\"ExpirationInDays\":1}"),
          "DeltaCrlConfiguration.ExpirationInDays: unknown member" },
        { DELTA("{\"Enabled\":true,\"ExpirationInHours\":0}"),
          "DeltaCrlConfiguration.ExpirationInHours: must be 1 to 720" },
        { DELTA("{\"Enabled\":true,\"ExpirationInHours\":721}"), "must be 1 to 720" },
        { DELTA("{\"Enabled\":true,\"ExpirationInHours\":-1}"), "must be 1 to 720" },
        { DELTA("{\"Enabled\":true,\"ExpirationInHours\":4294967297}"), "must be 1 to 720" },
        { DELTA("{\"Enabled\":true,\"ExpirationInHours\":1.5}"), "must be a whole number" },
        { DELTA("{\"Enabled\":true,\"CustomPath\":\"\"}"),
          "DeltaCrlConfiguration.CustomPath: has 0 characters" },
        { DELTA("{\"Enabled\":true,\"CustomPath\":\"a//b\"}"), "CustomPath: has an empty" },
        { DELTA("{\"Enabled\":true,\"CustomPath\":\"a b\"}"), "CustomPath: has a character" },
        { DELTA("{\"Enabled\":true,\"CustomPath\":\"crl\"}"), "where the complete CRLs lie" },
        { CRL("\"CustomCname\":\"c.example\",\"CustomPath\":\"pki\",\"DeltaCrlConfiguration\":"
              "{\"Enabled\":true,\"CustomPath\":\"pki\"}"), "where the complete CRLs lie" },
        { "{\"OcspConfiguration\":{\"Enabled\":true}}", "needs OcspCustomCname" },
        { "{\"OcspConfiguration\":{\"Enabled\":false,\"OcspCustomCname\":\"o.example\"}}",
          "Enabled is false" },
        { "{\"OcspConfiguration\":{\"Enabled\":true,\"OcspCustomCname\":\"https://o.example\"}}",
          "OcspCustomCname: " },
        { "{\"OcspConfiguration\":{\"Enabled\":true,\"OcspCustomCname\":\"@:\"}}",
          "OcspCustomCname: would make a URI that has no host" },
        { "{\"OcspConfiguration\":{\"Enabled\":true,\"Cname\":\"o\"}}", "Cname: unknown member" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_revocation r;
        struct ca_error err;

        if (revocation(rows[i].json, "", &r, &err) != CA_REFUSED)
            fail_msg("not refused: %s", rows[i].json);
        if (strstr(err.text, rows[i].part) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", err.text, rows[i].part);
        assert_null(r.json.data);
        assert_string_equal(r.cdp_uri, "");
        assert_string_equal(r.freshest_uri, "");
        assert_false(r.crl_enabled || r.delta_enabled);
    }
}

static void revocation_that_is_no_json_is_bad_json(void **state)
{
    struct ca_revocation r;
    struct ca_error err;

    (void)state;
    assert_int_equal(revocation("{", "", &r, &err), CA_MALFORMED);
    assert_string_equal(ca_error_name(&err), "bad-json");
    assert_int_equal(revocation("", "[]", &r, &err), CA_MALFORMED);
    assert_string_equal(ca_error_name(&err), "bad-json");
}

static void a_uri_that_would_be_too_long_is_refused(void **state)
{
    char json[1024], name[254], path[254];
    struct ca_revocation r;
    struct ca_error err;

    (void)state;
    memset(name, 'a', 253);
    for (int i = 60; i < 253; i += 61) name[i] = '.';
    memset(path, 'b', 253);
    name[253] = path[253] = '\0';
    (void)snprintf(json, sizeof(json), CRL("\"CustomCname\":\"%s\",\"CustomPath\":\"%s\""), name,
                   path);
    assert_int_equal(revocation(json, "", &r, &err), CA_REFUSED);
    assert_non_null(strstr(err.text, "characters"));
    (void)snprintf(json, sizeof(json), CRL("\"CustomCname\":\"%s\",\"CustomPath\":\"%s\""), name,
                   path + 100);
    r = revocation_of(json, "");
    assert_int_equal(strlen(r.cdp_uri), 7 + 253 + 1 + 153 + 1 + 36 + 4);
    ca_revocation_clear(&r);
    (void)snprintf(json, sizeof(json), CRL("\"CustomCname\":\"%sa\""), name);
    assert_int_equal(revocation(json, "", &r, &err), CA_REFUSED);
    assert_non_null(strstr(err.text, "254 characters"));
}

static void uris_of_partitions_and_deltas_have_their_places(void **state)
{
    static const struct { const char *json, *cdp, *freshest; } rows[] = {
        { CRL("\"CustomCname\":\"c.example\",\"CrlType\":\"PARTITIONED\""),
          "http://c.example/crl/" UUID "/000000.crl", "" },
        { CRL("\"S3BucketName\":\"abc\",\"CustomPath\":\"a/b\",\"CrlType\":\"PARTITIONED\""),
          "http://abc.s3.eu-west-1.amazonaws.com/a/b/" UUID "/000000.crl", "" },
        { DELTA("{\"Enabled\":true}"), "http://c.example/crl/" UUID ".crl",
          "http://c.example/crl/" UUID "-delta.crl" },
        { DELTA("{\"Enabled\":true,\"CustomPath\":\"fresh\"}"),
          "http://c.example/crl/" UUID ".crl", "http://c.example/fresh/" UUID ".crl" },
        { DELTA("{\"Enabled\":true},\"CustomPath\":\"pki\",\"CrlType\":\"PARTITIONED\""),
          "http://c.example/pki/" UUID "/000000.crl",
          "http://c.example/pki/" UUID "/000000-delta.crl" },
        { DELTA("{\"Enabled\":true,\"CustomPath\":\"d/e\"},\"CrlType\":\"PARTITIONED\""),
          "http://c.example/crl/" UUID "/000000.crl", "http://c.example/d/e/" UUID "/000000.crl" },
        { DELTA("{\"Enabled\":false}"), "http://c.example/crl/" UUID ".crl", "" },
        { CRL("\"S3BucketName\":\"abc\",\"DeltaCrlConfiguration\":{\"Enabled\":true},"
              "\"CrlDistributionPointExtensionConfiguration\":{\"OmitExtension\":true}"), "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ca_revocation r = revocation_of(rows[i].json, "");

        assert_string_equal(r.cdp_uri, rows[i].cdp);
        assert_string_equal(r.freshest_uri, rows[i].freshest);
        assert_int_equal(r.delta_enabled, strstr(rows[i].json, "DeltaCrlConfiguration\":{\"Enabled"
                                                               "\":true") != NULL);
        ca_revocation_clear(&r);
    }
}

static void a_delta_lasts_a_day_unless_it_is_given_and_canonical_json_says_so(void **state)
{
    struct ca_revocation r = revocation_of(DELTA("{\"Enabled\":true}"), ""), again;

    (void)state;
    assert_int_equal(r.delta_expiration_hours, 24);
    assert_json(&r, "{\"CrlConfiguration\":{\"Enabled\":true,\"ExpirationInDays\":7,"
                    "\"CustomCname\":\"c.example\",\"DeltaCrlConfiguration\":{\"Enabled\":true,"
                    "\"ExpirationInHours\":24}},\"OcspConfiguration\":{\"Enabled\":false}}");
    assert_int_equal(ca_revocation_parse((struct ca_bytes){ 0 }, ca_buf_view(&r.json), "eu-west-1",
                                         UUID, &again, NULL), CA_OK);
    assert_true(ca_bytes_equal(ca_buf_view(&r.json), ca_buf_view(&again.json)));
    assert_string_equal(again.freshest_uri, r.freshest_uri);
    ca_revocation_clear(&again);
    ca_revocation_clear(&r);
    r = revocation_of(DELTA("{\"Enabled\":true,\"ExpirationInHours\":720}"), "");
    assert_int_equal(r.delta_expiration_hours, 720);
    ca_revocation_clear(&r);
    r = revocation_of(DELTA("{\"Enabled\":false}"), "");
    assert_int_equal(r.delta_expiration_hours, 0);
    assert_json(&r, "{\"CrlConfiguration\":{\"Enabled\":true,\"ExpirationInDays\":7,"
                    "\"CustomCname\":\"c.example\",\"DeltaCrlConfiguration\":{\"Enabled\":false}},"
                    "\"OcspConfiguration\":{\"Enabled\":false}}");
    ca_revocation_clear(&r);
}

static void a_scope_is_written_where_its_digits_are(void **state)
{
    static const struct { const char *uri; size_t at; } rows[] = {
        { "http://c.example/crl/" UUID "/000000.crl", 21 + 36 + 1 },
        { "http://c.example/crl/" UUID "/000000-delta.crl", 21 + 36 + 1 },
        { "http://c/123456.crl", 9 }, { "http://c/12345.crl", 0 }, { "http://c/1234567.crl", 0 },
        { "http://c/123456", 0 }, { "http://c/123456.crl.gz", 0 }, { "http://c/12345a.crl", 0 },
        { "http://c/123456/x.crl", 0 }, { "http://c/123456-delta", 0 }, { "", 0 },
        { "http://c.example/crl/" UUID ".crl", 0 },
        { "http://c.example/crl/" UUID "-delta.crl", 0 },
    };
    static const struct { uint32_t scope; const char *digits; } scopes[] = {
        { 0, "000000" }, { 1, "000001" }, { 40, "000040" }, { 123456, "123456" },
        { CA_SCOPE_MAX, "999999" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(ca_scope_digits_at(rows[i].uri), rows[i].at);
    }
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        uint8_t digits[CA_SCOPE_DIGITS + 1] = { 0 };

        ca_scope_put_digits(scopes[i].scope, digits);
        assert_string_equal((const char *)digits, scopes[i].digits);
    }
}

static void a_deltas_uri_that_would_be_too_long_is_refused(void **state)
{
    char json[1200], name[254], path[254];
    struct ca_revocation r;
    struct ca_error err;

    (void)state;
    memset(name, 'a', 253);
    for (int i = 60; i < 253; i += 61) name[i] = '.';
    memset(path, 'b', 253);
    name[253] = path[253] = '\0';
    (void)snprintf(json, sizeof(json), CRL("\"CustomCname\":\"%s\",\"DeltaCrlConfiguration\":"
                   "{\"Enabled\":true,\"CustomPath\":\"%s\"}"), name, path);
    assert_int_equal(revocation(json, "", &r, &err), CA_REFUSED);
    assert_non_null(strstr(err.text, "DeltaCrlConfiguration: the CRL's URI would have 555"));
    assert_string_equal(r.cdp_uri, "");
    /* 511 characters just fit: 7 + 253 + 1 + 202 + 1 + 36 + 11. */
    (void)snprintf(json, sizeof(json), CRL("\"CustomCname\":\"%s\",\"CustomPath\":\"%s\","
                   "\"CrlType\":\"PARTITIONED\""), name, path + 51);
    r = revocation_of(json, "");
    assert_int_equal(strlen(r.cdp_uri), 511);
    ca_revocation_clear(&r);
    (void)snprintf(json, sizeof(json), CRL("\"CustomCname\":\"%s\",\"CustomPath\":\"%s\","
                   "\"CrlType\":\"PARTITIONED\""), name, path + 50);
    assert_int_equal(revocation(json, "", &r, &err), CA_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_configuration_is_both_halves_off),
        cmocka_unit_test(uris_are_made_of_the_names_given),
        cmocka_unit_test(values_come_out_as_given_and_seven_days_otherwise),
        cmocka_unit_test(an_absent_half_keeps_what_is_in_force),
        cmocka_unit_test(revocation_settings_that_make_no_sense_are_refused),
        cmocka_unit_test(revocation_that_is_no_json_is_bad_json),
        cmocka_unit_test(a_uri_that_would_be_too_long_is_refused),
        cmocka_unit_test(uris_of_partitions_and_deltas_have_their_places),
        cmocka_unit_test(a_delta_lasts_a_day_unless_it_is_given_and_canonical_json_says_so),
        cmocka_unit_test(a_scope_is_written_where_its_digits_are),
        cmocka_unit_test(a_deltas_uri_that_would_be_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
