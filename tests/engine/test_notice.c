#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/notice.h"
#include "engine/template_file.h"

#include <string.h>

static const struct ca_template *row(const char *name)
{
    const struct ca_template *tmpl = NULL;

    assert_int_equal(ca_template_find(name, &tmpl, NULL), CA_OK);
    return tmpl;
}

static uint32_t notices_of_file(const char *json, enum ca_key_kind kind)
{
    struct ca_template *tmpl = NULL;
    uint32_t notices;

    assert_int_equal(ca_template_parse(ca_bytes_str(json), &tmpl, NULL, NULL), CA_OK);
    notices = ca_notices_of(tmpl, kind);
    ca_template_free(tmpl);
    return notices;
}

/* Rows are stored as bits: their numbers stay. */
static void bits_keep_their_numbers_and_have_a_code_a_sentence_and_a_rule(void **state)
{
    static const char *const codes[] = { "key-encipherment-ec", "key-encipherment-eddsa",
                                         "ocsp-no-nocheck", "passthrough-ignored",
                                         "duplicate-keys", "known-keys",
                                         "key-encipherment-purpose" };

    (void)state;
    for (unsigned bit = 0; bit < 7; bit++) {
        assert_string_equal(ca_notice_code(bit), codes[bit]);
        assert_true(strlen(ca_notice_text(bit)) > 20);
        assert_true(strlen(ca_notice_rule(bit)) > 0);
    }
    assert_null(ca_notice_code(7));
    assert_null(ca_notice_text(7));
    assert_null(ca_notice_rule(UINT32_MAX));
    assert_int_equal(CA_NOTICE_BIT(KNOWN_KEYS), 32);
}

static void key_encipherment_is_noticed_for_keys_that_cannot_encipher_only(void **state)
{
    const struct ca_template *tls = row("EndEntityCertificate");

    (void)state;
    assert_int_equal(ca_notices_of(tls, CA_KEY_KIND_RSA), 0);
    for (enum ca_key_kind kind = CA_KEY_KIND_P256; kind <= CA_KEY_KIND_P521; kind++)
        assert_int_equal(ca_notices_of(tls, kind), CA_NOTICE_BIT(KEY_ENCIPHERMENT_EC));
    assert_int_equal(ca_notices_of(tls, CA_KEY_KIND_ED25519),
                     CA_NOTICE_BIT(KEY_ENCIPHERMENT_EDDSA));
    assert_int_equal(ca_notices_of(tls, CA_KEY_KIND_ED448),
                     CA_NOTICE_BIT(KEY_ENCIPHERMENT_EDDSA));
}

static void key_encipherment_is_noticed_where_every_purpose_signs(void **state)
{
    static const char both[] =
        "{\"name\":\"t\",\"base\":\"BlankEndEntityCertificate_APIPassthrough\","
        "\"key_usage\":[\"digitalSignature\",\"keyEncipherment\"],"
        "\"extended_key_usage\":[\"clientAuth\",\"1.2.3.4\"]}";
    const struct ca_template *client = row("EndEntityClientAuthCertificate");

    (void)state;
    assert_int_equal(ca_notices_of(client, CA_KEY_KIND_RSA),
                     CA_NOTICE_BIT(KEY_ENCIPHERMENT_PURPOSE));
    assert_int_equal(ca_notices_of(client, CA_KEY_KIND_P256),
                     CA_NOTICE_BIT(KEY_ENCIPHERMENT_PURPOSE) | CA_NOTICE_BIT(KEY_ENCIPHERMENT_EC));
    assert_int_equal(ca_notices_of(row("EndEntityServerAuthCertificate"), CA_KEY_KIND_RSA), 0);
    assert_int_equal(notices_of_file(both, CA_KEY_KIND_RSA), 0);
}

static void templates_that_only_sign_give_no_cause(void **state)
{
    static const char *const names[] = { "CodeSigningCertificate", "RootCACertificate",
                                         "SubordinateCACertificate_PathLen0",
                                         "BlankEndEntityCertificate_APIPassthrough" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (enum ca_key_kind kind = CA_KEY_KIND_RSA; kind <= CA_KEY_KIND_ED448; kind++)
            assert_int_equal(ca_notices_of(row(names[i]), kind), 0);
    }
}

static void an_ocsp_signer_without_nocheck_is_noticed_for_every_key(void **state)
{
    const struct ca_template *ocsp = row("OCSPSigningCertificate_CSRPassthrough");

    (void)state;
    for (enum ca_key_kind kind = CA_KEY_KIND_RSA; kind <= CA_KEY_KIND_ED448; kind++)
        assert_int_equal(ca_notices_of(ocsp, kind), CA_NOTICE_BIT(OCSP_NO_NOCHECK));
}

static void nocheck_among_the_extensions_is_enough_and_another_one_is_not(void **state)
{
    static const char with[] =
        "{\"name\":\"t\",\"base\":\"OCSPSigningCertificate\",\"extensions\":["
        "{\"oid\":\"1.2.3.4\",\"critical\":true,\"value\":{\"integer\":1}},"
        "{\"oid\":\"1.3.6.1.5.5.7.48.1.5\",\"value\":{\"null\":true}}]}";
    static const char without[] =
        "{\"name\":\"t\",\"base\":\"OCSPSigningCertificate\",\"extensions\":["
        "{\"oid\":\"1.2.3.4\",\"critical\":true,\"value\":{\"oid\":\"1.3.6.1.5.5.7.48.1.5\"}}]}";

    (void)state;
    assert_int_equal(notices_of_file(with, CA_KEY_KIND_P256), 0);
    assert_int_equal(notices_of_file(without, CA_KEY_KIND_P256), CA_NOTICE_BIT(OCSP_NO_NOCHECK));
}

/* RFC 8813 3 forbids EC keys dataEncipherment too, and lets them agree on keys; RFC 9295 3 lets
 * EdDSA keys do neither. */
static void a_user_s_usages_are_noticed_like_those_of_the_catalogue(void **state)
{
    static const char data[] =
        "{\"name\":\"t\",\"base\":\"BlankEndEntityCertificate_APIPassthrough\","
        "\"key_usage\":[\"dataEncipherment\"]}";
    static const char agree[] =
        "{\"name\":\"t\",\"base\":\"BlankEndEntityCertificate_APIPassthrough\","
        "\"key_usage\":[\"keyAgreement\"]}";

    (void)state;
    assert_int_equal(notices_of_file(data, CA_KEY_KIND_RSA), 0);
    assert_int_equal(notices_of_file(data, CA_KEY_KIND_P384), CA_NOTICE_BIT(KEY_ENCIPHERMENT_EC));
    assert_int_equal(notices_of_file(agree, CA_KEY_KIND_P384), 0);
    assert_int_equal(notices_of_file(agree, CA_KEY_KIND_ED25519),
                     CA_NOTICE_BIT(KEY_ENCIPHERMENT_EDDSA));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_keep_their_numbers_and_have_a_code_a_sentence_and_a_rule),
        cmocka_unit_test(key_encipherment_is_noticed_for_keys_that_cannot_encipher_only),
        cmocka_unit_test(key_encipherment_is_noticed_where_every_purpose_signs),
        cmocka_unit_test(templates_that_only_sign_give_no_cause),
        cmocka_unit_test(an_ocsp_signer_without_nocheck_is_noticed_for_every_key),
        cmocka_unit_test(nocheck_among_the_extensions_is_enough_and_another_one_is_not),
        cmocka_unit_test(a_user_s_usages_are_noticed_like_those_of_the_catalogue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
