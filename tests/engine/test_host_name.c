#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/host_name.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define HOST_253 LABEL_63 "." LABEL_63 "." LABEL_63                                                \
    ".abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx"

_Static_assert(sizeof(HOST_253) - 1 <= 253, "the longest host name");

/* Calls the function on a copy that ends where the text ends. */
static void judge(const char *const *texts, size_t count, bool good,
                  const char *(*fault_of)(struct ca_bytes text))
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(texts[i]);
        uint8_t *copy = malloc(len == 0 ? 1 : len);
        const char *fault;

        assert_non_null(copy);
        memcpy(copy, texts[i], len);
        fault = fault_of(ca_bytes_of(copy, len));
        if ((fault == NULL) != good)
            fail_msg("%s: %s", texts[i], fault == NULL ? "accepted" : fault);
        free(copy);
    }
}

#define JUDGE(texts, good, fault_of)                                                               \
    judge(texts, sizeof(texts) / sizeof((texts)[0]), good, fault_of)

static const char *host_fault(struct ca_bytes text) { return ca_host_name_fault(text, false); }
static const char *dns_fault(struct ca_bytes text) { return ca_host_name_fault(text, true); }

static void host_names_are_labels_of_letters_digits_hyphens_and_underscores(void **state)
{
    static const char *const good[] = {
        "a", "a.b", "example.com", "EXAMPLE.Com", "a-b.c--d.example", "1.2.3", "3com.com",
        "_sip._tcp.example.com", "x_y.example", "r3---sn.example", "device-000001.factory.local",
        LABEL_63 ".com", HOST_253,
    };
    static const char *const bad[] = {
        "", ".", "a.", ".a", "a..b", "-a.com", "a-.com", "a.-b", "a.b-", "a b", "a\tb", "a,b",
        "a/b", "a:443", "a@b", "a%62", "\xc3\xa9.com", "a.com\n", LABEL_63 "x.com",
        HOST_253 "xyz", "*", "*.a", "a.*",
    };

    (void)state;
    JUDGE(good, true, host_fault);
    JUDGE(bad, false, host_fault);
}

static void the_longest_host_name_has_253_octets(void **state)
{
    char host[255];

    (void)state;
    memset(host, 'a', sizeof(host));
    for (size_t i = 50; i < sizeof(host); i += 50) host[i] = '.';
    assert_null(ca_host_name_fault(ca_bytes_of(host, 253), false));
    assert_non_null(ca_host_name_fault(ca_bytes_of(host, 254), false));
    host[0] = '*';
    host[1] = '.';
    assert_null(ca_host_name_fault(ca_bytes_of(host, 253), true));
    assert_non_null(ca_host_name_fault(ca_bytes_of(host, 254), true));
}

static void a_nul_inside_is_no_host_name(void **state)
{
    (void)state;
    assert_non_null(ca_host_name_fault(ca_bytes_of("a.com\0.evil.com", 15), true));
    assert_non_null(ca_host_name_fault(ca_bytes_of("\0", 1), true));
}

static void a_wildcard_is_a_whole_first_label_before_others(void **state)
{
    static const char *const good[] = { "*.a", "*.example.com", "example.com" };
    static const char *const bad[] = { "*", "*.", "**.a", "*.*.a", "a.*.b", "f*o.a", "*a.b",
                                       "a*.b", "*.-a", "*..a", "a.*" };

    (void)state;
    JUDGE(good, true, dns_fault);
    JUDGE(bad, false, dns_fault);
}

/* RFC 3492 7.1 has the samples; the bad ones cannot be decoded. */
static void labels_that_say_punycode_are_punycode(void **state)
{
    static const char *const good[] = {
        "xn--bcher-kva.example", "xn--kxawhk.com", "XN--BCHER-KVA.example", "xn--p1ai",
        "xn--ihqwcrb4cv8a8dqg056pqjye", "xn--4dbcagdahymbxekheh6e0a7fei0b",
        "xn--ls8h.la", "xn--maana-pta.com", "xn--0ug", "xn--a-ugn",     /* the last two: joiners */
        "www.xn--fiqs8s", "xn--3b-ww4c5e180e575a65lsy2b",
    };
    static const char *const bad[] = {
        "xn--", "xn--.com", "xn--a", "xn--abc-", "xn--0", "xn--99999999999",
        "xn--zzzzzzzzzzzzzzzzzzzzzzzz", "a.xn--_.com", "xn--a_b-_", "xn--abc-a",
        /* Python's codec made these: U+202E, U+200B between letters, U+200E, U+2028, U+FEFF,
         * U+2066, U+E0041, U+FDD0, U+0085, U+00AD. */
        "xn--zvg", "xn--ab-g1t", "a.xn--2ug.example", "xn--tvg", "xn--qg7c", "xn--a-wln",
        "xn--v626e", "xn--266c", "xn--fa", "xn--kba",
    };

    (void)state;
    JUDGE(good, true, host_fault);
    JUDGE(bad, false, host_fault);
}

static void mailboxes_are_a_dot_atom_at_a_host(void **state)
{
    static const char *const good[] = {
        "a@b", "first.last@example.com", "a+b_c-d=e@example.com", "!#$%&'*/?^`{|}~@example.com",
        LABEL_63 "a@example.com", "root@xn--bcher-kva.example",
    };
    static const char *const bad[] = {
        "", "a", "@", "@b", "a@", "a@b@c", ".a@b", "a.@b", "a..b@c", "a b@c", "\"a\"@b",
        "a@[1.2.3.4]", "a@-b", "a@b.", "a@*.b", "a,b@c", "<a@b>", "a@b\n", "\xc3\xa9@b",
        LABEL_63 "ab@example.com",
    };

    (void)state;
    JUDGE(good, true, ca_mailbox_fault);
    JUDGE(bad, false, ca_mailbox_fault);
}

static void uris_are_absolute_and_their_authority_has_a_host(void **state)
{
    static const char *const good[] = {
        "https://example.com", "http://example.com/a/b?c=d#e", "https://a:8443/x", "https://a:/",
        "spiffe://trust.example/ns/x/sa/y", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "mailto:root@foo.com", "https://user@example.com/", "http://192.0.2.1/x",
        "http://[2001:db8::1]/x", "http://[::1]:80", "tag:a,2026:x", "x:y", "ldap://h/cn=a%20b?x",
        "a+b-c.d1:e", "urn:opc:host:app",
    };
    static const char *const bad[] = {
        "", "example.com", "/path", "//example.com", "https:", "https://", "https:///path",
        "https://:80/", "https://user@/", "https://-a/", "https://a..b/", "https://a b/",
        "https://a/%", "https://a/%4", "https://a/%4g", "https://a/<b>", "https://a/\"",
        "https://a/^",
        "1http://a", "+a:b", ":x", "http://[::1", "http://[::g]/", "http://[]/", "http://[::1]x/",
        "http://a:b/", "http://a:123456/", "http://[::1]:x/", "https://a\\b", "https://a/\x7f",
        "https://\xc3\xa9/", "ht_tp://a",
        "http://[0000:0000:0000:0000:0000:0000:255.255.255.2550]/",
    };

    (void)state;
    JUDGE(good, true, ca_uri_fault);
    JUDGE(bad, false, ca_uri_fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_names_are_labels_of_letters_digits_hyphens_and_underscores),
        cmocka_unit_test(the_longest_host_name_has_253_octets),
        cmocka_unit_test(a_nul_inside_is_no_host_name),
        cmocka_unit_test(a_wildcard_is_a_whole_first_label_before_others),
        cmocka_unit_test(labels_that_say_punycode_are_punycode),
        cmocka_unit_test(mailboxes_are_a_dot_atom_at_a_host),
        cmocka_unit_test(uris_are_absolute_and_their_authority_has_a_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
