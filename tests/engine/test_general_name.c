#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/general_name.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHER 0xa0
#define EMAIL 0x81
#define DNS 0x82
#define X400 0xa3
#define DIRECTORY 0xa4
#define EDI 0xa5
#define URI 0x86
#define IP 0x87
#define RID 0x88

static enum ca_status check_exact(struct ca_bytes names, struct ca_error *err)
{
    uint8_t *copy = malloc(names.len == 0 ? 1 : names.len);
    enum ca_status st;

    assert_non_null(copy);
    if (names.len > 0) memcpy(copy, names.data, names.len);
    st = ca_san_check(ca_bytes_of(copy, names.len), err);
    free(copy);
    return st;
}

static void judge(struct ca_bytes names, enum ca_reason reason, const char *what)
{
    struct ca_error err = { .status = CA_OK };
    enum ca_status st = check_exact(names, &err);

    if (reason == CA_REASON_NONE) {
        if (st != CA_OK) fail_msg("%s: %s", what, err.text);
        return;
    }
    if (st == CA_OK) fail_msg("%s: accepted", what);
    if (err.reason != reason)
        fail_msg("%s: %s (%s), not %s", what, ca_reason_code(err.reason), err.text,
                 ca_reason_code((uint16_t)reason));
    assert_int_equal(st, err.status);
    assert_true(strlen(err.text) > 0);
}

/* One name of that form, its content as text with a length, so that NUL can be in it. */
static void judge_name(uint8_t tag, const char *content, size_t len, enum ca_reason reason)
{
    struct ca_buf out;
    char what[100];

    ca_buf_init(&out, 100000);
    ca_der_add(&out, tag, ca_bytes_of(content, len));
    ca_der_wrap(&out, 0, CA_DER_SEQUENCE);
    (void)snprintf(what, sizeof(what), "%02x %.60s", tag, content);
    judge(ca_buf_view(&out), reason, what);
    ca_buf_clear(&out);
}

#define JUDGE_NAME(tag, literal, reason) judge_name(tag, literal, sizeof(literal) - 1, reason)

static void each_form_wants_a_value_of_its_own(void **state)
{
    (void)state;
    JUDGE_NAME(DNS, "device-000001.example", CA_REASON_NONE);
    JUDGE_NAME(DNS, "*.example.com", CA_REASON_NONE);
    JUDGE_NAME(DNS, "", CA_REASON_BAD_SAN);
    JUDGE_NAME(DNS, "a.com\0.evil.com", CA_REASON_BAD_SAN);
    JUDGE_NAME(DNS, "b\xc3\xbc" "cher.example", CA_REASON_BAD_SAN);
    JUDGE_NAME(DNS, "a b", CA_REASON_BAD_SAN);
    JUDGE_NAME(DNS, "a.", CA_REASON_BAD_SAN);
    JUDGE_NAME(DNS, "f*o.example", CA_REASON_BAD_SAN);
    JUDGE_NAME(EMAIL, "root@example.com", CA_REASON_NONE);
    JUDGE_NAME(EMAIL, "example.com", CA_REASON_BAD_SAN);
    JUDGE_NAME(EMAIL, "*@*.example.com", CA_REASON_BAD_SAN);
    JUDGE_NAME(EMAIL, "root\0@example.com", CA_REASON_BAD_SAN);
    JUDGE_NAME(URI, "spiffe://example.org/device/1", CA_REASON_NONE);
    JUDGE_NAME(URI, "/device/1", CA_REASON_BAD_SAN);
    JUDGE_NAME(URI, "https://a/\n", CA_REASON_BAD_SAN);
    JUDGE_NAME(RID, "\x2a\x03\x04", CA_REASON_NONE);
    JUDGE_NAME(RID, "", CA_REASON_BAD_SAN);
    JUDGE_NAME(RID, "\x2a\x83", CA_REASON_BAD_DER);
    JUDGE_NAME(RID, "\x2a\x80\x04", CA_REASON_BAD_DER);
    JUDGE_NAME(0x89, "a", CA_REASON_BAD_SAN);
    JUDGE_NAME(0x0c, "a", CA_REASON_BAD_SAN);
    JUDGE_NAME(0xa2, "\x0c\x01" "a", CA_REASON_BAD_SAN);     /* dNSName, constructed */
    JUDGE_NAME(X400, "\x30\x00", CA_REASON_BAD_SAN);
    JUDGE_NAME(EDI, "\xa1\x03\x0c\x01" "a", CA_REASON_NONE);
    JUDGE_NAME(EDI, "\xa0\x03\x0c\x01" "a", CA_REASON_BAD_SAN);
}

static void an_ip_address_has_4_or_16_octets(void **state)
{
    static const char octets[33];

    (void)state;
    for (size_t len = 0; len <= 33; len++)
        judge_name(IP, octets, len,
                   len == 4 || len == 16 ? CA_REASON_NONE : CA_REASON_BAD_SAN);
}

static void a_registered_id_has_at_most_64_octets(void **state)
{
    char octets[65];

    (void)state;
    memset(octets, 0x2a, sizeof(octets));
    judge_name(RID, octets, 64, CA_REASON_NONE);
    judge_name(RID, octets, 65, CA_REASON_BAD_SAN);
}

static void a_directory_name_is_a_good_name_that_says_something(void **state)
{
    (void)state;
    JUDGE_NAME(DIRECTORY, "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01" "a",
               CA_REASON_NONE);
    JUDGE_NAME(DIRECTORY, "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x16\x01" "a",
               CA_REASON_BAD_NAME);
    JUDGE_NAME(DIRECTORY, "\x30\x00", CA_REASON_BAD_SAN);
    JUDGE_NAME(DIRECTORY, "", CA_REASON_BAD_NAME);
    JUDGE_NAME(DIRECTORY, "\x30\x00\x00", CA_REASON_BAD_NAME);
    JUDGE_NAME(DIRECTORY, "\x31\x00", CA_REASON_BAD_NAME);
    JUDGE_NAME(0x84, "\x30\x00", CA_REASON_BAD_SAN);
}

static void an_other_name_is_a_type_and_one_value(void **state)
{
    (void)state;
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x03\x0c\x01" "a", CA_REASON_NONE);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x04\x30\x02\x05\x00", CA_REASON_NONE);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x03\x0c\x01\x00", CA_REASON_BAD_SAN);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x03\x16\x01\xe9", CA_REASON_BAD_SAN);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x03\x13\x01@", CA_REASON_BAD_SAN);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x00", CA_REASON_BAD_SAN);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03", CA_REASON_BAD_SAN);
    JUDGE_NAME(OTHER, "\xa0\x03\x0c\x01" "a", CA_REASON_BAD_SAN);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x03\x0c\x01" "a\x05\x00", CA_REASON_BAD_SAN);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x05\x0c\x01" "a\x05\x00", CA_REASON_BAD_SAN);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x04\x30\x02\x05\x01", CA_REASON_BAD_DER);
    JUDGE_NAME(OTHER, "\x06\x02\x2a\x03\xa0\x04\x0c\x81\x01" "a", CA_REASON_BAD_DER);
}

/* An otherName of that type; out has its value, under its tag. */
static void judge_other(struct ca_buf *out, const char *type, const char *what,
                        enum ca_reason reason)
{
    struct ca_buf name;

    ca_buf_init(&name, 1000);
    ca_der_add(&name, CA_DER_OID, ca_bytes_str(type));
    ca_buf_append_bytes(&name, ca_buf_view(out));
    ca_der_wrap(&name, 0, OTHER);
    ca_der_wrap(&name, 0, CA_DER_SEQUENCE);
    judge(ca_buf_view(&name), reason, what);
    ca_buf_clear(&name);
}

/* RFC 9598 3 */
static void a_mailbox_outside_ascii_is_one_that_has_no_form_of_its_own(void **state)
{
    static const struct {
        uint8_t tag;
        const char *mailbox;
        enum ca_reason reason;
    } rows[] = {
        { CA_DER_UTF8_STRING, "\xc3\xa4.b@c.example", CA_REASON_NONE },
        { CA_DER_UTF8_STRING, "\xc3\xa4@xn--bcher-kva.example", CA_REASON_NONE },
        { CA_DER_UTF8_STRING, "\xc3\xa4@xn--a", CA_REASON_BAD_SAN },
        { CA_DER_UTF8_STRING, "a@c.example", CA_REASON_BAD_SAN },
        { CA_DER_IA5_STRING, "a@c.example", CA_REASON_BAD_SAN },
        { CA_DER_UTF8_STRING, "a@b\xc3\xbc" "cher.example", CA_REASON_BAD_SAN },
        { CA_DER_UTF8_STRING, "\xc3\xa4@b\xc3\xbc" "cher.example", CA_REASON_BAD_SAN },
        { CA_DER_UTF8_STRING, "\xc3\xa4", CA_REASON_BAD_SAN },
        { CA_DER_UTF8_STRING, "\xc3\xa4@", CA_REASON_BAD_SAN },
        { CA_DER_UTF8_STRING, "@c.example", CA_REASON_BAD_SAN },
        { CA_DER_UTF8_STRING, "", CA_REASON_BAD_SAN },
    };
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ca_buf_reset(&out);
        ca_der_add(&out, rows[i].tag, ca_bytes_str(rows[i].mailbox));
        ca_der_wrap(&out, 0, CA_DER_CONTEXT_CONSTRUCTED(0));
        judge_other(&out, "\x2b\x06\x01\x05\x05\x07\x08\x09", rows[i].mailbox, rows[i].reason);
        /* A type that nobody knows may have any value. */
        ca_buf_reset(&out);
        ca_der_add(&out, rows[i].tag, ca_bytes_str(rows[i].mailbox));
        ca_der_wrap(&out, 0, CA_DER_CONTEXT_CONSTRUCTED(0));
        judge_other(&out, "\x2b\x06\x01\x05\x05\x07\x08\x7f", rows[i].mailbox, CA_REASON_NONE);
    }
    ca_buf_clear(&out);
}

static void the_list_has_1_to_1000_names_and_nothing_after_it(void **state)
{
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 100000);
    judge(ca_bytes_of("\x30\x00", 2), CA_REASON_BAD_SAN, "no names");
    judge(ca_bytes_of("", 0), CA_REASON_BAD_SAN, "nothing");
    judge(ca_bytes_of("\x31\x03\x82\x01" "a", 5), CA_REASON_BAD_SAN, "not a SEQUENCE");
    judge(ca_bytes_of("\x30\x03\x82\x01" "a\x00", 6), CA_REASON_BAD_SAN, "trailing octet");
    judge(ca_bytes_of("\x30\x04\x82\x81\x01" "a", 6), CA_REASON_BAD_DER, "length not minimal");
    judge(ca_bytes_of("\x30\x03\x82\x02" "a", 5), CA_REASON_BAD_DER, "cut off");
    for (size_t count = CA_NAMES_MAX; count <= CA_NAMES_MAX + 1; count++) {
        ca_buf_reset(&out);
        for (size_t i = 0; i < count; i++) ca_san_add_dns(&out, "a.example");
        ca_der_wrap(&out, 0, CA_DER_SEQUENCE);
        judge(ca_buf_view(&out), count == CA_NAMES_MAX ? CA_REASON_NONE : CA_REASON_TOO_MANY_NAMES,
              "many names");
    }
    ca_buf_clear(&out);
}

/* Every name is checked, wherever it stands: what went wrong for others in February 2020 was one
 * name checked as many times as there were names. */
static void one_bad_name_among_many_is_found_at_every_place(void **state)
{
    enum { NAMES = 100 };
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 100000);
    for (size_t bad = 0; bad < NAMES; bad++) {
        ca_buf_reset(&out);
        for (size_t i = 0; i < NAMES; i++) {
            char name[40];

            (void)snprintf(name, sizeof(name), i == bad ? "host-%zu-.example" : "host-%zu.example",
                           i);
            ca_san_add_dns(&out, name);
        }
        ca_der_wrap(&out, 0, CA_DER_SEQUENCE);
        judge(ca_buf_view(&out), CA_REASON_BAD_SAN, "one bad name");
    }
    ca_buf_clear(&out);
}

/* OpenSSL writes the names; we read and print them. */
static void names_that_openssl_wrote_are_good_and_print_alike(void **state)
{
    static const char config[] =
        "DNS:a.example,DNS:*.b.example,IP:192.0.2.1,IP:2001:db8::1,email:root@c.example,"
        "URI:https://d.example/x,RID:1.2.3.4,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user@e.example";
    static const char printed[] =
        "DNS:a.example, DNS:*.b.example, IP:192.0.2.1, IP:2001:db8::1, email:root@c.example, "
        "URI:https://d.example/x, RID:1.2.3.4, othername:1.3.6.1.4.1.311.20.2.3:user@e.example";
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, config);
    ASN1_OCTET_STRING *value;
    struct ca_bytes names;
    struct ca_buf out;

    (void)state;
    assert_non_null(extension);
    value = X509_EXTENSION_get_data(extension);
    names = ca_bytes_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    judge(names, CA_REASON_NONE, "OpenSSL's");
    ca_buf_init(&out, 10000);
    ca_san_print(names, &out);
    assert_true(ca_bytes_equal(ca_buf_view(&out), ca_bytes_str(printed)));
    ca_buf_clear(&out);
    X509_EXTENSION_free(extension);
}

static void printed_values_cannot_look_like_more_names(void **state)
{
    static const uint8_t names[] = "\x30\x2a"
                                   "\x82\x08" "a, DNS:b"
                                   "\x82\x04" "\x00\n\xff\\"
                                   "\x87\x03" "\x01\x02\x03"
                                   "\xa4\x13\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06"
                                   "x,\xc3\xa9=y";
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 10000);
    ca_san_print(ca_bytes_of(names, sizeof(names) - 1), &out);
    ca_buf_append_u8(&out, '\0');
    assert_string_equal((char *)out.data, "DNS:a\\, DNS:b, DNS:\\00\\0A\\FF\\\\, IP:010203, "
                                          "dirName:CN=x\\\\\\,\\C3\\A9=y");
    ca_buf_clear(&out);
}

static void forms_without_a_text_print_as_hex_or_by_their_name(void **state)
{
    static const uint8_t names[] = "\x30\x10"
                                   "\xa0\x0a\x06\x02\x2a\x03\xa0\x04\x30\x02\x05\x00"
                                   "\xa5\x00"
                                   "\x89\x00";
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 10000);
    ca_san_print(ca_bytes_of(names, 2 + 16), &out);
    ca_buf_append_u8(&out, '\0');
    assert_string_equal((char *)out.data,
                        "othername:1.2.3:#30020500, EDI:<unsupported>, unknown:<unsupported>");
    ca_buf_clear(&out);
}

static void a_dns_name_added_is_one_element(void **state)
{
    struct ca_buf out;

    (void)state;
    ca_buf_init(&out, 100);
    ca_san_add_dns(&out, "abc");
    assert_true(ca_bytes_equal(ca_buf_view(&out), ca_bytes_of("\x82\x03" "abc", 5)));
    ca_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_wants_a_value_of_its_own),
        cmocka_unit_test(an_ip_address_has_4_or_16_octets),
        cmocka_unit_test(a_registered_id_has_at_most_64_octets),
        cmocka_unit_test(a_directory_name_is_a_good_name_that_says_something),
        cmocka_unit_test(an_other_name_is_a_type_and_one_value),
        cmocka_unit_test(a_mailbox_outside_ascii_is_one_that_has_no_form_of_its_own),
        cmocka_unit_test(the_list_has_1_to_1000_names_and_nothing_after_it),
        cmocka_unit_test(one_bad_name_among_many_is_found_at_every_place),
        cmocka_unit_test(names_that_openssl_wrote_are_good_and_print_alike),
        cmocka_unit_test(printed_values_cannot_look_like_more_names),
        cmocka_unit_test(forms_without_a_text_print_as_hex_or_by_their_name),
        cmocka_unit_test(a_dns_name_added_is_one_element),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
