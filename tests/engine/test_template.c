#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/bytes.h"
#include "engine/template.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CATALOGUE CERTMILL_VECTORS_DIR "/templates/catalogue.tsv"
#define ROWS 61
#define COLUMNS 8
#define LINE_MAX_OCTETS 512

/* Columns of the table in the service's documentation. */
enum column { NAME, VARIANT, NAMES, BASIC_CONSTRAINTS, KEY_USAGE, PURPOSES, KEY_ID, CDP };

static const struct ca_template *find(const char *text)
{
    const struct ca_template *tmpl = NULL;

    assert_int_equal(ca_template_find(text, &tmpl, NULL), CA_OK);
    return tmpl;
}

/* Writes text with every "{N}", "pathLen N" turned into this number; *several says whether there
 * was a "{N}". */
static void expand(const char *text, int n, char *out, size_t cap, bool *several)
{
    size_t len = 0;

    for (const char *p = text; *p != '\0' && len + 2 < cap; p++) {
        if (strncmp(p, "{N}", 3) == 0) {
            *several = true;
            out[len++] = (char)('0' + n);
            p += 2;
        } else if (strncmp(p, "pathLen N", 9) == 0) {
            len += (size_t)snprintf(out + len, cap - len, "pathLen %d", n);
            p += 8;
        } else {
            out[len++] = *p;
        }
    }
    out[len] = '\0';
}

/* What a row of ours would be in the table's words. */
static void describe_row(const struct ca_template *t, char cells[COLUMNS][128])
{
    static const char *const usages[] = { "DS", NULL, "KE", NULL, NULL, "KCS", "CRLS", NULL, NULL };
    static const char *const variants[] = { "base", "API", "CSR", "API+CSR" };
    bool root = t->kind == CA_TEMPLATE_ROOT_CA;
    size_t n = 0;

    for (size_t i = 0; i < COLUMNS; i++) cells[i][0] = '\0';
    (void)snprintf(cells[NAME], 128, "%s", t->name);
    (void)snprintf(cells[VARIANT], 128, "%s", variants[t->passthrough]);
    (void)snprintf(cells[NAMES], 128, "%s", (t->passthrough & CA_FROM_API) ? "API, CSR" : "CSR");
    n = (size_t)snprintf(cells[BASIC_CONSTRAINTS], 128, "%s",
                         t->kind == CA_TEMPLATE_END_ENTITY ? "FALSE" : "TRUE");
    if (t->path_len != CA_PATH_LEN_NONE)
        n += (size_t)snprintf(cells[BASIC_CONSTRAINTS] + n, 128 - n, ", pathLen %d,", t->path_len);
    if (t->basic_constraints_critical)
        (void)snprintf(cells[BASIC_CONSTRAINTS] + n, 128 - n, " crit");
    n = 0;
    for (unsigned bit = 0; bit < CA_KEY_USAGE_COUNT; bit++) {
        if ((t->key_usage & (1u << bit)) == 0) continue;
        assert_non_null(usages[bit]);
        n += (size_t)snprintf(cells[KEY_USAGE] + n, 128 - n, "%s%s", n > 0 ? " " : "",
                              usages[bit]);
    }
    if (n == 0) (void)snprintf(cells[KEY_USAGE], 128, "none");
    n = 0;
    for (unsigned bit = 0; bit < CA_EKU_COUNT; bit++) {
        if ((t->eku & (1u << bit)) != 0)
            n += (size_t)snprintf(cells[PURPOSES] + n, 128 - n, "%s%s", n > 0 ? " " : "",
                                  ca_eku_name(bit));
    }
    if (n == 0) (void)snprintf(cells[PURPOSES], 128, "none");
    if (t->eku_critical) (void)snprintf(cells[PURPOSES] + n, 128 - n, " crit");
    (void)snprintf(cells[KEY_ID], 128, "%s",
                   !root ? "issuer SKI" : t->aki_from_api ? "API" : "absent");
    n = 0;
    if (t->cdp_from & CA_FROM_CA) n += (size_t)snprintf(cells[CDP] + n, 128 - n, "CA, ");
    if (t->cdp_from & CA_FROM_API) n += (size_t)snprintf(cells[CDP] + n, 128 - n, "API, ");
    if (t->cdp_from & CA_FROM_CSR) n += (size_t)snprintf(cells[CDP] + n, 128 - n, "CSR, ");
    if (n > 0) cells[CDP][n - 2] = '\0';
    else (void)snprintf(cells[CDP], 128, "none");
}

/* What the table says, with its notes taken into account: (1) and (2) are slips of the
 * documentation, (3) and "API only" mean that CustomExtensions may give it. */
static const char *meant(enum column column, const char *cell)
{
    if (strcmp(cell, "CA, CSR (1)") == 0) return "CA";
    if (strcmp(cell, "API, CSR (2)") == 0) return "CSR";
    if (strcmp(cell, "absent (3)") == 0 || strcmp(cell, "none (3)") == 0) return "API";
    if (column == KEY_ID && strcmp(cell, "API only") == 0) return "API";
    return cell;
}

static void check_row(const struct ca_template *t, char *line, int n, bool *several)
{
    char cells[COLUMNS][128], *rest = line;

    assert_non_null(t);
    describe_row(t, cells);
    for (enum column i = NAME; i <= CDP; i++) {
        const char *cell = strsep(&rest, "\t\n");
        char wanted[128];

        assert_non_null(cell);
        expand(meant(i, cell), n, wanted, sizeof(wanted), several);
        assert_string_equal(cells[i], wanted);
    }
}

static void every_row_of_the_specification_is_there_in_its_order_with_its_values(void **state)
{
    FILE *file = fopen(CATALOGUE, "r");
    char line[LINE_MAX_OCTETS];
    size_t index = 0;

    (void)state;
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));       /* the columns' names */
    while (fgets(line, sizeof(line), file) != NULL) {
        bool several = false;

        for (int n = 0; n == 0 || (several && n < 4); n++) {
            char copy[LINE_MAX_OCTETS];

            memcpy(copy, line, sizeof(copy));
            check_row(ca_template_at(index++), copy, n, &several);
        }
    }
    (void)fclose(file);
    assert_int_equal(index, ROWS);
    assert_int_equal(ca_template_count(), ROWS);
    assert_null(ca_template_at(ROWS));
}

static void rows_of_the_catalogue_admit_what_the_standards_do_and_ask_for_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < ca_template_count(); i++) {
        const struct ca_template *t = ca_template_at(i);

        assert_false(t->ours);
        assert_true(strlen(t->summary) > 0 && strlen(t->summary) < 80);
        assert_int_equal(t->key_usage_signing_only, t->key_usage);
        assert_int_equal(t->keys.kinds, 0x7e);              /* all six */
        assert_int_equal(t->keys.rsa_bits_min, 2048);
        assert_int_equal(t->keys.rsa_bits_max, 4096);
        assert_int_equal(t->keys.rsa_exponent_bits_max, 64);
        assert_int_equal(t->request_algs, 0xffe);           /* all but NONE: none has SHA-1 */
        for (unsigned alg = 1; alg < CA_SIG_ALG_COUNT; alg++) {
            enum ca_digest_alg digest = ca_sig_alg_digest((enum ca_sig_alg)alg);

            assert_true(digest != CA_DIGEST_SHA1);
        }
        assert_int_equal(t->admit, 0);
        assert_int_equal(t->names_from, CA_NAMES_FROM_CSR);
        assert_null(t->names);
        assert_int_equal(t->validity_default.type, CA_VALIDITY_NONE);
        assert_true(t->validity_max_s == 0 && t->not_after_s == 0);
        assert_false(t->no_revocation_pointers);
        assert_true(t->extensions.len == 0 && t->eku_more.len == 0 && t->source.len == 0);
        assert_int_equal(t->keys_in_run, CA_KEYS_ALLOW);
        assert_int_equal(t->keys_in_store, CA_KEYS_ALLOW);
        assert_true(ca_template_allows_ca(t, "any", NULL));
    }
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
        "EndEntityCertificate ", "device", "arn:aws:acm-pca:::template/device/V1",
        "arn:aws:acm-pca:::template/device", "arn:aws:acm-pca:::template/EndEntityCertificate",
        "arn:aws:acm-pca:eu-west-1::template/EndEntityCertificate/V1",
        "arn:aws:acm:::template/EndEntityCertificate/V1", "arn:aws:acm-pca:::template/",
        "arn:aws:acm-pca:::template//V1", "SubordinateCACertificate_PathLen4",
        "BlankEndEntityCertificate", "RootCACertificate_CSRPassthrough",
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
    }
    ca_buf_reset(&arn);
    ca_template_arn(find("CodeSigningCertificate"), &arn);
    ca_buf_append_u8(&arn, 0);
    assert_string_equal((const char *)arn.data,
                        "arn:aws:acm-pca:::template/CodeSigningCertificate/V1");
    ca_buf_clear(&arn);
}

static json_t *describe(const struct ca_template *tmpl)
{
    struct ca_buf text;
    json_t *json;

    ca_buf_init(&text, 65536);
    ca_template_describe(tmpl, &text);
    assert_int_equal(ca_buf_status(&text, "a description", NULL), CA_OK);
    json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    ca_buf_clear(&text);
    return json;
}

static void descriptions_are_json_and_differ_from_template_to_template(void **state)
{
    json_t *all = json_object();

    (void)state;
    for (size_t i = 0; i < ca_template_count(); i++) {
        json_t *json = describe(ca_template_at(i));
        char *text = json_dumps(json, JSON_SORT_KEYS);

        assert_null(json_object_get(all, text));
        assert_int_equal(json_object_set_new(all, text, json), 0);
        free(text);
    }
    assert_int_equal(json_object_size(all), ca_template_count());
    json_decref(all);
}

static void a_description_names_what_goes_into_the_certificate(void **state)
{
    static const char expected[] =
        "{\"name\":\"arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen1_CSRPassthrough/"
        "V1\",\"kind\":\"subordinate-ca\",\"basic_constraints\":{\"critical\":true,\"ca\":true,"
        "\"path_len\":1},\"authority_key_identifier\":\"issuer\","
        "\"key_usage\":[\"digitalSignature\",\"keyCertSign\",\"cRLSign\"],"
        "\"key_usage_signing_only\":[\"digitalSignature\",\"keyCertSign\",\"cRLSign\"],"
        "\"extended_key_usage\":[],\"extended_key_usage_critical\":false,"
        "\"passthrough\":[\"csr\"],\"cdp_from\":[\"csr\",\"ca\"],"
        "\"revocation_pointers\":\"from-ca\",\"extensions\":\"\","
        "\"keys\":{\"algorithms\":[\"RSA\",\"EC_prime256v1\",\"EC_secp384r1\",\"EC_secp521r1\","
        "\"ED25519\",\"ED448\"],\"rsa_bits\":{\"min\":2048,\"max\":4096},"
        "\"rsa_exponent_bits_max\":64},\"request\":{\"signature_algorithms\":[\"SHA256WITHRSA\","
        "\"SHA384WITHRSA\",\"SHA512WITHRSA\",\"SHA256WITHECDSA\",\"SHA384WITHECDSA\","
        "\"SHA512WITHECDSA\",\"ED25519\",\"SHA256WITHRSAANDMGF1\",\"SHA384WITHRSAANDMGF1\","
        "\"SHA512WITHRSAANDMGF1\",\"ED448\"],\"version\":\"0\",\"country\":\"two-letters\"},"
        "\"names\":\"csr\",\"duplicate_keys\":{\"run\":\"allow\",\"store\":\"allow\"},"
        "\"validity\":{\"default\":null,\"max_s\":null},\"not_after\":null,\"allowed_cas\":null}";
    struct ca_buf text;

    (void)state;
    ca_buf_init(&text, 65536);
    ca_template_describe(find("SubordinateCACertificate_PathLen1_CSRPassthrough"), &text);
    ca_buf_append_u8(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    ca_buf_clear(&text);
}

/* Each member of the structure that decides something, changed alone. */
static void a_description_tells_apart_whatever_is_decided_otherwise(void **state)
{
    static const uint8_t purpose[] = { 6, 3, 0x2a, 3, 4 }, extension[] = { 0x30, 0 };
    static const char *const cas[] = { "factory" };
    const struct ca_template plain = *ca_template_default();
    struct ca_template other[25];
    const size_t count = sizeof(other) / sizeof(other[0]);
    json_t *json[25];

    (void)state;
    for (size_t i = 0; i < count; i++) other[i] = plain;
    other[1].kind = CA_TEMPLATE_ROOT_CA;
    other[2].passthrough = CA_FROM_API;
    other[3].cdp_from = 0;
    other[4].kind = CA_TEMPLATE_ROOT_CA;
    other[4].aki_from_api = true;
    other[5].key_usage = CA_KU_DIGITAL_SIGNATURE;
    other[6].key_usage_signing_only = CA_KU_DIGITAL_SIGNATURE;
    other[7].eku = CA_EKU_CLIENT_AUTH;
    other[8].eku_more = ca_bytes_of(purpose, sizeof(purpose));
    other[9].eku_critical = true;
    other[10].basic_constraints_critical = true;
    other[11].path_len = 0;
    other[12].keys.kinds = 1u << CA_KEY_KIND_P256;
    other[13].keys.rsa_bits_min = 3072;
    other[14].keys.rsa_bits_max = 8192;
    other[15].keys.rsa_exponent_bits_max = 17;
    other[16].request_algs = 1u << CA_SIG_ED25519;
    other[17].admit = CA_ADMIT_VERSION;
    other[18].names_from = CA_NAMES_BOTH_MUST_AGREE;
    other[19].validity_default = (struct ca_validity){ CA_VALIDITY_SECONDS, 90 };
    other[20].validity_max_s = 86400;
    other[21].not_after_s = CA_TIME_MAX_S;
    other[22].no_revocation_pointers = true;
    other[23].extensions = ca_bytes_of(extension, sizeof(extension));
    other[24].allowed_cas = cas;
    other[24].allowed_ca_count = 1;
    for (size_t i = 0; i < count; i++) json[i] = describe(&other[i]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) assert_false(json_equal(json[i], json[j]));
    }
    assert_string_equal(json_string_value(json_array_get(
                            json_object_get(json[8], "extended_key_usage"), 2)),
                        "1.2.3.4");
    assert_string_equal(json_string_value(json_object_get(json[21], "not_after")),
                        "9999-12-31T23:59:59Z");
    assert_string_equal(json_string_value(json_object_get(json[23], "extensions")), "3000");
    for (size_t i = 0; i < count; i++) json_decref(json[i]);
}

static void key_usage_follows_the_kind_of_the_key(void **state)
{
    struct ca_template t = *ca_template_default();

    (void)state;
    t.key_usage_signing_only = CA_KU_DIGITAL_SIGNATURE;
    assert_int_equal(ca_template_key_usage(&t, CA_KEY_KIND_RSA),
                     CA_KU_DIGITAL_SIGNATURE | CA_KU_KEY_ENCIPHERMENT);
    for (enum ca_key_kind kind = CA_KEY_KIND_P256; kind <= CA_KEY_KIND_ED448; kind++)
        assert_int_equal(ca_template_key_usage(&t, kind), CA_KU_DIGITAL_SIGNATURE);
}

static void a_list_of_cas_goes_by_name_or_arn_and_by_nothing_else(void **state)
{
    static const char arn[] = "arn:aws:acm-pca:local:000000000000:certificate-authority/u";
    const char *const cas[] = { "factory", arn };
    struct ca_template t = *ca_template_default();

    (void)state;
    t.allowed_cas = cas;
    t.allowed_ca_count = 2;
    assert_true(ca_template_allows_ca(&t, "factory", "arn:other"));
    assert_true(ca_template_allows_ca(&t, "other", arn));
    assert_true(ca_template_allows_ca(&t, NULL, arn));
    assert_true(ca_template_allows_ca(&t, "factory", NULL));
    assert_false(ca_template_allows_ca(&t, "Factory", "arn:other"));
    assert_false(ca_template_allows_ca(&t, "factory2", NULL));
    assert_false(ca_template_allows_ca(&t, NULL, NULL));
}

/* RFC 5280 4.2.1.3 and A.2. */
static void bits_have_the_names_of_the_standards(void **state)
{
    static const char *const usages[] = { "digitalSignature", "nonRepudiation", "keyEncipherment",
                                          "dataEncipherment", "keyAgreement", "keyCertSign",
                                          "cRLSign", "encipherOnly", "decipherOnly" };
    static const char *const purposes[] = { "serverAuth", "clientAuth", "codeSigning",
                                            "OCSPSigning", "emailProtection", "timeStamping",
                                            "smartCardLogin", "documentSigning",
                                            "certificateTransparency" };

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        assert_string_equal(ca_key_usage_name(i), usages[i]);
        assert_string_equal(ca_eku_name(i), purposes[i]);
    }
    assert_null(ca_key_usage_name(9));
    assert_null(ca_eku_name(9));
    assert_null(ca_eku_name(UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_specification_is_there_in_its_order_with_its_values),
        cmocka_unit_test(rows_of_the_catalogue_admit_what_the_standards_do_and_ask_for_no_more),
        cmocka_unit_test(a_template_is_found_by_name_by_version_and_by_arn),
        cmocka_unit_test(what_is_no_template_is_refused_with_a_hint),
        cmocka_unit_test(every_template_is_found_again_by_its_own_arn),
        cmocka_unit_test(descriptions_are_json_and_differ_from_template_to_template),
        cmocka_unit_test(a_description_names_what_goes_into_the_certificate),
        cmocka_unit_test(a_description_tells_apart_whatever_is_decided_otherwise),
        cmocka_unit_test(key_usage_follows_the_kind_of_the_key),
        cmocka_unit_test(a_list_of_cas_goes_by_name_or_arn_and_by_nothing_else),
        cmocka_unit_test(bits_have_the_names_of_the_standards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
