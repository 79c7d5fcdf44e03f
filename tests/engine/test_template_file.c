#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/template_file.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTORS CERTMILL_VECTORS_DIR "/templates/"
#define FILE_MAX_OCTETS 65536

struct fixture {
    struct ca_findings findings;
    struct ca_error err;
    char json[FILE_MAX_OCTETS];
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static enum ca_status read_vector(struct fixture *f, const char *folder, const char *name,
                                  struct ca_template **out)
{
    char path[512];
    FILE *file;
    size_t len;

    *out = NULL;
    (void)snprintf(path, sizeof(path), VECTORS "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) fail_msg("no %s", path);
    len = fread(f->json, 1, sizeof(f->json), file);
    (void)fclose(file);
    return ca_template_parse(ca_bytes_of(f->json, len), out, &f->findings, &f->err);
}

static struct ca_template *good(struct fixture *f, const char *name)
{
    struct ca_template *tmpl = NULL;

    if (read_vector(f, "good", name, &tmpl) != CA_OK) fail_msg("%s: %s", name, f->err.text);
    return tmpl;
}

static struct ca_template *accept_text(struct fixture *f, const char *json)
{
    struct ca_template *tmpl = NULL;
    enum ca_status st = ca_template_parse(ca_bytes_str(json), &tmpl, &f->findings, &f->err);

    if (st != CA_OK) fail_msg("%s: %s", json, f->err.text);
    return tmpl;
}

static void refuse_text(struct fixture *f, const char *json)
{
    struct ca_template *tmpl = NULL;

    assert_int_equal(ca_template_parse(ca_bytes_str(json), &tmpl, &f->findings, &f->err),
                     CA_REFUSED);
    assert_null(tmpl);
    assert_string_equal(ca_error_name(&f->err), "template");
}

/* A template with these further members, after a comma. */
static const char *with(struct fixture *f, const char *base, const char *members)
{
    (void)snprintf(f->json, sizeof(f->json), "{\"name\":\"t\",\"base\":\"%s\",%s}", base, members);
    return f->json;
}

static void assert_found(const struct fixture *f, const char *path, const char *text)
{
    for (size_t i = 0; i < f->findings.count; i++) {
        if (strcmp(f->findings.items[i].path, path) == 0 &&
            strstr(f->findings.items[i].text, text) != NULL)
            return;
    }
    for (size_t i = 0; i < f->findings.count; i++)
        print_message("%s: %s\n", f->findings.items[i].path, f->findings.items[i].text);
    fail_msg("nothing found at %s with \"%s\"", path, text);
}

static void assert_octets(struct ca_bytes octets, const char *hex)
{
    char text[4096];

    assert_true(octets.len < sizeof(text) / 2);
    ca_hex_encode(octets, text);
    assert_string_equal(text, hex);
}

/* The files */

static size_t each_file(struct fixture *f, const char *folder,
                        void (*check)(struct fixture *f, const char *folder, const char *name))
{
    char path[512];
    const struct dirent *entry;
    size_t count = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), VECTORS "%s", folder);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strstr(entry->d_name, ".json") == NULL) continue;
        check(f, folder, entry->d_name);
        count++;
    }
    (void)closedir(dir);
    return count;
}

static json_t *describe(const struct ca_template *tmpl)
{
    struct ca_buf text;
    json_t *json;

    ca_buf_init(&text, 1 << 20);
    ca_template_describe(tmpl, &text);
    assert_int_equal(ca_buf_status(&text, "a description", NULL), CA_OK);
    json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    ca_buf_clear(&text);
    return json;
}

static void is_accepted(struct fixture *f, const char *folder, const char *name)
{
    struct ca_template *tmpl = good(f, name), *again = NULL;
    json_t *first, *second, *source;

    (void)folder;
    assert_true(tmpl->ours && f->findings.total == 0);
    assert_true(tmpl->summary != NULL && tmpl->name[0] != '\0');
    first = describe(tmpl);
    source = json_object_get(first, "source");
    assert_string_equal(json_string_value(json_object_get(source, "name")), tmpl->name);
    assert_null(json_object_get(source, "comment"));
    assert_null(json_object_get(source, "$schema"));
    /* A job's row keeps the source only: read again it is the same template. */
    assert_int_equal(ca_template_parse(tmpl->source, &again, NULL, &f->err), CA_OK);
    assert_true(ca_bytes_equal(tmpl->source, again->source));
    second = describe(again);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
    ca_template_free(tmpl);
    ca_template_free(again);
}

static void every_good_file_is_accepted_and_its_source_is_the_same_template(void **state)
{
    assert_true(each_file(*state, "good", is_accepted) >= 15);
}

/* The path where EXPECT.tsv has the file's first mistake; NULL: the file is not in it. */
static const char *expected_path(const char *folder, const char *name, char *line, size_t cap)
{
    char *path = NULL;
    FILE *file = fopen(VECTORS "EXPECT.tsv", "r");

    assert_non_null(file);
    while (path == NULL && fgets(line, (int)cap, file) != NULL) {
        char *rest = line;
        const char *of = strsep(&rest, "/"), *what = strsep(&rest, "\t");

        if (of != NULL && what != NULL && strcmp(of, folder) == 0 && strcmp(what, name) == 0)
            path = strsep(&rest, "\n");
    }
    (void)fclose(file);
    return path;
}

static void is_refused(struct fixture *f, const char *folder, const char *name)
{
    struct ca_template *tmpl = NULL;
    enum ca_status st = read_vector(f, folder, name, &tmpl);
    const struct ca_finding *first = &f->findings.items[0];
    char line[256], start[24];
    const char *path = expected_path(folder, name, line, sizeof(line));

    if (st != CA_REFUSED && st != CA_MALFORMED) fail_msg("%s/%s is accepted", folder, name);
    if (path == NULL) fail_msg("EXPECT.tsv does not have %s/%s", folder, name);
    assert_null(tmpl);
    assert_string_equal(ca_error_name(&f->err), "template");
    if (f->findings.total != 1) fail_msg("%s/%s: %zu findings", folder, name, f->findings.total);
    assert_true(first->text[0] != '\0');
    if (strcmp(first->path, path) != 0)
        fail_msg("%s/%s: found at \"%s\", not \"%s\": %s", folder, name, first->path, path,
                 first->text);
    assert_int_equal(strncmp(f->err.text, first->path, strlen(first->path)), 0);
    (void)snprintf(start, sizeof(start), "%.20s", first->text);     /* the rest may be cut */
    assert_non_null(strstr(f->err.text, start));
}

static void every_bad_file_is_refused_at_the_path_of_its_one_mistake(void **state)
{
    assert_true(each_file(*state, "bad", is_refused) >= 19);
    assert_true(each_file(*state, "bad-meaning", is_refused) >= 10);
}

/* The two examples of standards that the language must be able to express */

static void an_802_1ar_device_identity_can_be_said(void **state)
{
    struct ca_template *t = good(*state, "idevid.json");

    assert_int_equal(t->kind, CA_TEMPLATE_END_ENTITY);
    assert_int_equal(t->passthrough, 0);
    assert_int_equal(t->key_usage, CA_KU_DIGITAL_SIGNATURE);
    assert_int_equal(t->not_after_s, INT64_C(253402300799));    /* date -d 9999-12-31T23:59:59Z */
    assert_int_equal(t->keys.kinds, 1 << CA_KEY_KIND_RSA | 1 << CA_KEY_KIND_P256 |
                                        1 << CA_KEY_KIND_P384);
    assert_non_null(t->names);
    assert_int_equal(t->keys_in_run, CA_KEYS_REJECT);
    assert_int_equal(t->keys_in_store, CA_KEYS_REJECT);
    ca_template_free(t);
}

static void a_matter_device_attestation_can_be_said(void **state)
{
    struct ca_template *t = good(*state, "matter-dac.json");

    assert_true(t->basic_constraints_critical);
    assert_int_equal(t->passthrough, 0);
    assert_int_equal(t->cdp_from, 0);
    assert_true(t->no_revocation_pointers);
    assert_int_equal(t->key_usage, CA_KU_DIGITAL_SIGNATURE);
    assert_int_equal(t->key_usage_signing_only, CA_KU_DIGITAL_SIGNATURE);
    assert_true(t->eku == 0 && t->eku_more.len == 0 && t->extensions.len == 0);
    assert_int_equal(t->keys.kinds, 1 << CA_KEY_KIND_P256);
    assert_int_equal(t->request_algs, 1 << CA_SIG_ECDSA_SHA256);
    assert_non_null(t->names);
    ca_template_free(t);
}

/* What members do */

static void a_template_begins_as_its_base(void **state)
{
    struct ca_template *t = good(*state, "smallest.json");
    const struct ca_template *base = ca_template_default();

    assert_string_equal(t->name, "s");
    assert_string_equal(t->summary, base->summary);
    assert_true(t->ours && t->key_usage == base->key_usage && t->eku == base->eku);
    assert_int_equal(t->key_usage_signing_only, base->key_usage_signing_only);
    assert_int_equal(t->cdp_from, base->cdp_from);
    assert_memory_equal(&t->keys, &base->keys, sizeof(t->keys));
    assert_int_equal(t->request_algs, base->request_algs);
    assert_true(ca_bytes_equal(
        t->source, ca_bytes_str("{\"base\":\"EndEntityCertificate\",\"name\":\"s\"}")));
    ca_template_free(t);
}

static void less_passthrough_takes_sources_of_pointers_away_too(void **state)
{
    struct fixture *f = *state;
    struct ca_template *t = good(f, "narrowed-usages.json");

    assert_int_equal(t->passthrough, CA_FROM_CSR);
    assert_int_equal(t->cdp_from, CA_FROM_CA | CA_FROM_CSR);
    assert_int_equal(t->key_usage, CA_KU_DIGITAL_SIGNATURE);
    assert_int_equal(t->eku, CA_EKU_CLIENT_AUTH);
    assert_true(t->eku_critical);
    ca_template_free(t);
    t = accept_text(f, with(f, "BlankRootCACertificate_APIPassthrough", "\"passthrough\":[]"));
    assert_int_equal(t->cdp_from, 0);
    assert_false(t->aki_from_api);
    ca_template_free(t);
    t = accept_text(f, with(f, "BlankRootCACertificate_APIPassthrough",
                            "\"revocation_pointers\":\"from-ca\""));
    assert_int_equal(t->cdp_from, CA_FROM_API);
    assert_true(t->aki_from_api);
    ca_template_free(t);
}

static void requests_can_be_widened_to_the_hard_bounds(void **state)
{
    struct ca_template *t = good(*state, "requests-wide.json");

    assert_int_equal(t->keys.kinds, 1 << CA_KEY_KIND_RSA | 1 << CA_KEY_KIND_ED25519 |
                                        1 << CA_KEY_KIND_ED448);
    assert_int_equal(t->keys.rsa_bits_min, 3072);
    assert_int_equal(t->keys.rsa_bits_max, 8192);
    assert_int_equal(t->keys.rsa_exponent_bits_max, 256);
    assert_int_equal(t->request_algs, 1 << CA_SIG_RSA_SHA512 | 1 << CA_SIG_RSA_PSS_SHA256 |
                                          1 << CA_SIG_ED25519 | 1 << CA_SIG_ED448);
    assert_int_equal(t->admit, CA_ADMIT_VERSION | CA_ADMIT_COUNTRY);
    ca_template_free(t);
}

static void purposes_without_a_name_stand_behind_those_with_one(void **state)
{
    struct ca_template *t = good(*state, "purposes-by-oid.json");

    assert_int_equal(t->eku, CA_EKU_EMAIL_PROTECTION | CA_EKU_DOCUMENT_SIGNING);
    assert_octets(t->eku_more, "06082b06010505070311" "0604551d2500");
    assert_int_equal(t->key_usage, CA_KU_DIGITAL_SIGNATURE | CA_KU_NON_REPUDIATION);
    ca_template_free(t);
}

/* As `openssl asn1parse -genconf` writes the same values. */
static void typed_values_become_der(void **state)
{
    struct fixture *f = *state;
    struct ca_template *t = good(f, "typed-values.json");

    assert_octets(t->extensions,
                  "301106082b0601050507011804053003020105301206092b06010401868d1f01"
                  "04053003020105303706092b06010401868d1f020101ff042730250500010100"
                  "0202ff7f0c074772c3bcc39f651303412d311603614062040006038837013000");
    ca_template_free(t);
}

static void policies_become_their_extension(void **state)
{
    struct ca_template *t = good(*state, "policies.json");

    assert_octets(t->extensions,
                  "304b0603551d20044430423033060667810c0102013029302706082b06010505"
                  "070201161b68747470733a2f2f706b692e6578616d706c652e636f6d2f637073"
                  "300b06092b06010401868d1f01");
    ca_template_free(t);
}

static void integers_are_minimal_whatever_their_sign(void **state)
{
    static const struct { const char *number, *der; } rows[] = {
        { "0", "020100" }, { "127", "02017f" }, { "128", "02020080" }, { "-1", "0201ff" },
        { "-128", "020180" }, { "-129", "0202ff7f" }, { "256", "02020100" },
        { "9223372036854775807", "02087fffffffffffffff" },
        { "-9223372036854775808", "02088000000000000000" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char members[128], wanted[64];
        struct ca_template *t;
        size_t len = strlen(rows[i].der) / 2;

        (void)snprintf(members, sizeof(members),
                       "\"extensions\":[{\"oid\":\"1.2.3\",\"value\":{\"integer\":%s}}]",
                       rows[i].number);
        t = accept_text(f, with(f, "EndEntityCertificate", members));
        (void)snprintf(wanted, sizeof(wanted), "30%02zx06022a0304%02zx%s", len + 6, len,
                       rows[i].der);
        assert_octets(t->extensions, wanted);
        ca_template_free(t);
    }
}

/* Days from `date` over every first of a month of 400 years. */
static void a_cap_in_months_or_years_is_the_most_that_these_can_be(void **state)
{
    static const struct { const char *cap; int64_t seconds; } rows[] = {
        { "90s", 90 }, { "36h", 129600 }, { "7d", 604800 }, { "1mo", 31 * 86400 },
        { "2mo", 62 * 86400 }, { "3mo", 92 * 86400 }, { "12mo", 366 * 86400 },
        { "1y", 366 * 86400 }, { "4y", 1461 * 86400 }, { "8y", 2922 * 86400 },
        { "100y", INT64_C(36525) * 86400 }, { "400y", INT64_C(146097) * 86400 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char members[64];
        struct ca_template *t;

        (void)snprintf(members, sizeof(members), "\"validity\":{\"max\":\"%s\"}", rows[i].cap);
        t = accept_text(f, with(f, "EndEntityCertificate", members));
        assert_int_equal(t->validity_max_s, rows[i].seconds);
        assert_int_equal(t->validity_default.type, CA_VALIDITY_NONE);
        ca_template_free(t);
    }
}

static void a_default_may_be_as_long_as_the_cap_and_no_longer(void **state)
{
    struct fixture *f = *state;
    struct ca_template *t = accept_text(
        f, with(f, "EndEntityCertificate", "\"validity\":{\"default\":\"12mo\",\"max\":\"366d\"}"));

    assert_int_equal(t->validity_default.type, CA_VALIDITY_MONTHS);
    assert_int_equal(t->validity_default.value, 12);
    ca_template_free(t);
    refuse_text(f, with(f, "EndEntityCertificate",
                        "\"validity\":{\"default\":\"8d\",\"max\":\"691199s\"}"));
    assert_found(f, "validity.max", "shorter than the default");
}

static void allowed_cas_are_compared_by_name_or_arn(void **state)
{
    struct ca_template *t = good(*state, "subordinate-ca.json");

    assert_int_equal(t->allowed_ca_count, 2);
    assert_true(ca_template_allows_ca(t, "root", "arn:x"));
    assert_true(ca_template_allows_ca(t, "x",
                                      "arn:aws:acm-pca:local:000000000000:certificate-authority/"
                                      "01234567-89ab-cdef-0123-456789abcdef"));
    assert_false(ca_template_allows_ca(t, "other", "arn:x"));
    ca_template_free(t);
}

/* Mistakes */

static void every_mistake_is_found_at_once_with_its_path(void **state)
{
    static const char json[] =
        "{\"name\":\"-x\",\"base\":\"EndEntityCert\",\"keyusage\":1,"
        "\"keys\":{\"algorithms\":[\"rsa\",\"RSA\",\"RSA\",7],\"rsa_bits\":{\"min\":1,\"size\":2}},"
        "\"request\":{\"signature_algorithms\":[\"SHA256RSA\"]},"
        "\"subject\":{\"attributes\":{\"CN\":{\"pattern\":\"(\"}}},"
        "\"validity\":{\"default\":365},\"extended_key_usage\":[\"server_auth\"],"
        "\"extensions\":[{\"oid\":\"1.2\",\"valeu\":{}}],\"duplicate_keys\":[]}";
    struct fixture *f = *state;

    refuse_text(f, json);
    assert_found(f, "name", "a letter or digit first");
    assert_found(f, "base", "EndEntityCert");
    assert_found(f, "keyusage", "did you mean \"key_usage\"?");
    assert_found(f, "keys.algorithms[0]", "did you mean \"RSA\"?");
    assert_found(f, "keys.algorithms[2]", "twice");
    assert_found(f, "keys.algorithms[3]", "must be");
    assert_found(f, "keys.rsa_bits.size", "unknown member");
    assert_found(f, "keys.rsa_bits.min", "is 1, not 2048 to 8192");
    assert_found(f, "request.signature_algorithms[0]", "SHA256RSA");
    assert_found(f, "subject.attributes.CN.pattern", "");
    assert_found(f, "validity.default", "a duration");
    assert_found(f, "extended_key_usage[0]", "did you mean \"serverAuth\"?");
    assert_found(f, "extensions[0].valeu", "did you mean \"value\"?");
    assert_found(f, "extensions[0].value", "is missing");
    assert_found(f, "duplicate_keys", "must be an object");
    assert_int_equal(f->findings.total, f->findings.count);
    assert_non_null(strstr(f->err.hint, "certmill template check"));
}

static void what_each_kind_of_value_must_be_is_said(void **state)
{
    static const struct { const char *members, *path, *text; } rows[] = {
        { "\"passthrough\":\"api\"", "passthrough", "must be a list" },
        { "\"base2\":0", "base2", "is an unknown member" },
        { "\"passthrough\":[\"csr\"]", "passthrough", "more than the base" },
        { "\"allowed_cas\":[\"\"]", "allowed_cas[0]", "has 0 characters, not 1 to 256" },
        { "\"allowed_cas\":[\"a\",\"a\"]", "allowed_cas[1]", "twice" },
        { "\"summary\":7", "summary", "must be a string" },
        { "\"keys\":[]", "keys", "must be an object" },
        { "\"keys\":{\"algorithms\":[]}", "keys.algorithms", "has 0 items, not 1 to 6" },
        { "\"extended_key_usage_critical\":1", "extended_key_usage_critical", "true or false" },
        { "\"names\":\"manifset\"", "names", "did you mean \"manifest\"?" },
        { "\"names\":\"x\"", "names", "not \"csr\", \"manifest\" or \"both-must-agree\"" },
        { "\"key_usage\":[\"keyAgreement\"]", "key_usage", "keyAgreement is more than the base" },
        { "\"key_usage\":7", "key_usage", "must be a list" },
        { "\"not_after\":\"1969-12-31T23:59:59Z\"", "not_after", "after 1970" },
        { "\"not_after\":\"2030-01-01T00:00:00.5Z\"", "not_after",
          "is \"2030-01-01T00:00:00.5Z\", not a time" },
        { "\"certificate_policies\":[{\"oid\":\"1\"}]", "certificate_policies[0].oid",
          "is \"1\", not an object identifier" },
        { "\"certificate_policies\":[7]", "certificate_policies[0]", "must be an object" },
        { "\"certificate_policies\":[{\"oid\":\"3.1.2\"}]", "certificate_policies[0].oid",
          "not an object identifier" },
        { "\"extensions\":[7]", "extensions[0]", "must be an object" },
        { "\"extensions\":[{\"oid\":\"1.2.3\",\"value\":{\"sequence\":[{\"sequence\":[{\"oid\":"
          "\"x.y\"}]}]}}]", "extensions[0].value.sequence[0].sequence[0].oid", "not an object" },
        { "\"extensions\":[{\"oid\":\"2.5.29.15\",\"value\":{\"der\":\"03020780\"}}]",
          "extensions[0].oid", "is decided by key_usage" },
        { "\"extensions\":[{\"oid\":\"1.3.6.1.4.1.11129.2.4.3\",\"critical\":true,\"value\":"
          "{\"null\":true}}]", "extensions[0].oid", "precertificate" },
        { "\"extensions\":[{\"oid\":\"1.3.6.1.5.5.7.48.1.5\",\"critical\":true,\"value\":"
          "{\"null\":true}}]", "extensions[0].oid", "must not be critical (RFC 6960" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        refuse_text(f, with(f, "EndEntityCertificate", rows[i].members));
        assert_found(f, rows[i].path, rows[i].text);
    }
}

static void extensions_of_cas_are_for_cas_and_critical(void **state)
{
    static const char good_constraints[] =
        "\"extensions\":[{\"oid\":\"2.5.29.30\",\"critical\":true,\"value\":"
        "{\"der\":\"300fa00d300b82096c6f63616c686f7374\"}}]";
    static const char bad_constraints[] =
        "\"extensions\":[{\"oid\":\"2.5.29.30\",\"value\":"
        "{\"der\":\"300fa00d300b82096c6f63616c686f7374\"}}]";
    struct fixture *f = *state;

    ca_template_free(
        accept_text(f, with(f, "SubordinateCACertificate_PathLen0", good_constraints)));
    refuse_text(f, with(f, "SubordinateCACertificate_PathLen0", bad_constraints));
    assert_found(f, "extensions[0].oid", "must be critical (RFC 5280 4.2.1.10)");
    refuse_text(f, with(f, "EndEntityCertificate", good_constraints));
    assert_found(f, "extensions[0].oid", "for CAs only (RFC 5280 4.2.1.10)");
}

static void more_than_64_mistakes_are_counted(void **state)
{
    struct fixture *f = *state;
    size_t len = (size_t)snprintf(f->json, sizeof(f->json), "{\"name\":\"t\",\"base\":"
                                                            "\"EndEntityCertificate\"");

    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(f->json + len, sizeof(f->json) - len, ",\"member%d\":0", i);
    (void)snprintf(f->json + len, sizeof(f->json) - len, "}");
    refuse_text(f, f->json);
    assert_int_equal(f->findings.count, CA_FINDINGS_MAX);
    assert_int_equal(f->findings.total, 100);
    assert_non_null(strstr(f->err.hint, "all 100 mistakes"));
}

static void one_without_findings_says_its_first_mistake(void **state)
{
    struct ca_template *tmpl = NULL;
    struct ca_error err;

    (void)state;
    assert_int_equal(ca_template_parse(ca_bytes_str("{\"base\":\"EndEntityCertificate\"}"), &tmpl,
                                       NULL, &err),
                     CA_REFUSED);
    assert_string_equal(err.text, "name: is missing");
    assert_string_equal(err.hint, "");
    assert_int_equal(ca_template_parse(ca_bytes_str("{}"), &tmpl, NULL, NULL), CA_REFUSED);
    assert_null(tmpl);
}

static void what_is_no_json_object_is_malformed(void **state)
{
    static const char *const texts[] = { "", " ", "[]", "7", "\"text\"", "{", "{}x", "{\"a\":1,}",
                                         "{\"a\":1,\"a\":1}", "{\"a\":\"\\u0000\"}",
                                         "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ca_template *tmpl = NULL;

        assert_int_equal(ca_template_parse(ca_bytes_str(texts[i]), &tmpl, &f->findings, &f->err),
                         CA_MALFORMED);
        assert_string_equal(ca_error_name(&f->err), "template");
        assert_int_equal(f->findings.total, 1);
        assert_string_equal(f->findings.items[0].path, "");
        assert_null(tmpl);
    }
}

static void a_file_of_more_than_256_kib_is_not_read(void **state)
{
    static const char head[] = "{\"name\":\"t\",\"base\":\"EndEntityCertificate\",\"comment\":\"";
    struct fixture *f = *state;
    char *json = malloc(CA_TEMPLATE_JSON_MAX + 1);
    struct ca_template *tmpl = NULL;

    assert_non_null(json);
    memset(json, 'x', CA_TEMPLATE_JSON_MAX + 1);
    memcpy(json, head, sizeof(head) - 1);
    memcpy(json + CA_TEMPLATE_JSON_MAX - 2, "\"}", 2);
    assert_int_equal(ca_template_parse(ca_bytes_of(json, CA_TEMPLATE_JSON_MAX), &tmpl,
                                       &f->findings, &f->err),
                     CA_OK);
    assert_true(tmpl->source.len < 100);        /* without the comment */
    ca_template_free(tmpl);
    tmpl = NULL;
    memcpy(json + CA_TEMPLATE_JSON_MAX - 2, "x\"}", 3);
    assert_int_equal(ca_template_parse(ca_bytes_of(json, CA_TEMPLATE_JSON_MAX + 1), &tmpl,
                                       &f->findings, &f->err),
                     CA_MALFORMED);
    assert_null(tmpl);
    free(json);
}

static void extensions_of_more_than_16_kib_are_refused(void **state)
{
    struct fixture *f = *state;
    size_t len = (size_t)snprintf(f->json, sizeof(f->json),
                                  "{\"name\":\"t\",\"base\":\"EndEntityCertificate\","
                                  "\"extensions\":[");

    for (int i = 0; i < 5; i++) {
        len += (size_t)snprintf(f->json + len, sizeof(f->json) - len,
                                "%s{\"oid\":\"1.2.3.%d\",\"value\":{\"utf8\":\"%04000d\"}}",
                                i > 0 ? "," : "", i, 0);
    }
    (void)snprintf(f->json + len, sizeof(f->json) - len, "]}");
    refuse_text(f, f->json);
    assert_found(f, "extensions", "16384");
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    ca_template_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_good_file_is_accepted_and_its_source_is_the_same_template),
        TEST(every_bad_file_is_refused_at_the_path_of_its_one_mistake),
        TEST(an_802_1ar_device_identity_can_be_said),
        TEST(a_matter_device_attestation_can_be_said),
        TEST(a_template_begins_as_its_base),
        TEST(less_passthrough_takes_sources_of_pointers_away_too),
        TEST(requests_can_be_widened_to_the_hard_bounds),
        TEST(purposes_without_a_name_stand_behind_those_with_one),
        TEST(typed_values_become_der),
        TEST(policies_become_their_extension),
        TEST(integers_are_minimal_whatever_their_sign),
        TEST(a_cap_in_months_or_years_is_the_most_that_these_can_be),
        TEST(a_default_may_be_as_long_as_the_cap_and_no_longer),
        TEST(allowed_cas_are_compared_by_name_or_arn),
        TEST(every_mistake_is_found_at_once_with_its_path),
        TEST(what_each_kind_of_value_must_be_is_said),
        TEST(extensions_of_cas_are_for_cas_and_critical),
        TEST(more_than_64_mistakes_are_counted),
        TEST(one_without_findings_says_its_first_mistake),
        TEST(what_is_no_json_object_is_malformed),
        TEST(a_file_of_more_than_256_kib_is_not_read),
        TEST(extensions_of_more_than_16_kib_are_refused),
        TEST(freeing_nothing_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
