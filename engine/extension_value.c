#include "engine/extension_value.h"

#include "engine/charset.h"
#include "engine/ext.h"
#include "engine/host_name.h"
#include "engine/name.h"

#include <string.h>
#include <strings.h>

static const uint8_t any_policy[] = { 0x55, 0x1d, 32, 0 };
static const uint8_t qualifier_cps[] = { 0x2b, 6, 1, 5, 5, 7, 2, 1 };
static const uint8_t qualifier_notice[] = { 0x2b, 6, 1, 5, 5, 7, 2, 2 };
static const uint8_t id_pe[] = { 0x2b, 6, 1, 5, 5, 7, 1 };

#define TAG_URI CA_DER_CONTEXT(6)
#define VISIBLE_STRING 0x1a
#define SERIAL_OCTETS_MAX 20            /* RFC 5280 4.1.2.2 */
#define NOTICE_CHARS_MAX 200            /* RFC 5280 4.2.1.4 */
#define LDAP_URI_MAX 2048

/* The caller puts the extension's name before it. */
static enum ca_status fault(struct ca_error *err, const char *sentence)
{
    return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED, "%s", sentence);
}

/* A value that is one SEQUENCE, which is not empty. */
static enum ca_status open_value(struct ca_bytes value, struct ca_der *inner, struct ca_error *err)
{
    struct ca_der der = ca_der_open(value);
    enum ca_status st = ca_der_enter(&der, CA_DER_SEQUENCE, "the value", inner, err);

    if (st == CA_OK) st = ca_der_end(&der, "the value", err);
    if (st == CA_OK && ca_der_at_end(inner)) return fault(err, "the value is an empty SEQUENCE");
    return st;
}

/* OIDs, or numbers, of a list that has none twice. */
struct seen {
    struct ca_bytes entry[CA_EXTENSION_ENTRIES_MAX];
    size_t count;
};

static enum ca_status note_entry(struct seen *seen, struct ca_bytes entry, struct ca_error *err)
{
    if (seen->count == CA_EXTENSION_ENTRIES_MAX) {
        return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED, "more than %d entries",
                         CA_EXTENSION_ENTRIES_MAX);
    }
    for (size_t i = 0; i < seen->count; i++) {
        if (ca_bytes_equal(seen->entry[i], entry)) return fault(err, "an entry stands twice");
    }
    seen->entry[seen->count++] = entry;
    return CA_OK;
}

/* An INTEGER under an IMPLICIT tag gets its own tag back, so that the reader's rules hold. */
#define RETAGGED_MAX (2 + SERIAL_OCTETS_MAX + 1)

static enum ca_status take_implicit(struct ca_der *der, uint8_t tag, const char *what,
                                    uint8_t whole[RETAGGED_MAX], struct ca_der *out,
                                    struct ca_error *err)
{
    struct ca_der_element element = { .tag = 0 };
    enum ca_status st = ca_der_take(der, tag, what, &element, err);

    if (st != CA_OK) return st;
    if (element.content.len > RETAGGED_MAX - 2)
        return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED, "%s is too long", what);
    (void)ca_der_put_header(whole, CA_DER_INTEGER, element.content.len);
    if (element.content.len > 0) memcpy(whole + 2, element.content.data, element.content.len);
    *out = ca_der_open(ca_bytes_of(whole, 2 + element.content.len));
    return CA_OK;
}

/* Named bits (X.690 11.2.2: no zero bits at the end), at least one of them set. content includes
 * the octet that counts unused bits. */
static const char *named_bits_fault(struct ca_bytes content, size_t bits_max)
{
    unsigned unused, last;

    if (content.len == 0 || content.data[0] > 7) return "the BIT STRING is not well-formed";
    if (content.len == 1) return "no bit is set";
    unused = content.data[0];
    last = content.data[content.len - 1];
    if ((last & ((1u << unused) - 1)) != 0) return "the BIT STRING is not well-formed";
    if ((last & (1u << unused)) == 0) return "the BIT STRING ends in zero bits";
    return (content.len - 1) * 8 - unused > bits_max ? "a bit is set that has no name" : NULL;
}

/* The length of the scheme of an LDAP URI without a host ("ldap:///dc=example"), else 0. */
static size_t hostless_ldap(struct ca_bytes uri)
{
    const char *text = (const char *)uri.data;

    if (uri.len > 8 && strncasecmp(text, "ldap:///", 8) == 0) return 4;
    return uri.len > 9 && strncasecmp(text, "ldaps:///", 9) == 0 ? 5 : 0;
}

/* Where something lies. RFC 5280 4.2.1.13 and RFC 4516 let an LDAP URI be without a host, which in
 * a subjectAltName would be a fault: looked at is "ldap:/dc=example", which has no authority. */
static enum ca_status check_location(const struct ca_der_element *name, struct ca_error *err)
{
    struct ca_bytes uri = name->content;
    size_t scheme = name->tag == TAG_URI ? hostless_ldap(uri) : 0;
    uint8_t shortened[LDAP_URI_MAX];
    const char *why;

    if (scheme == 0) return ca_general_name_check(name, err);
    if (uri.len > LDAP_URI_MAX) return fault(err, "an LDAP URI is too long");
    memcpy(shortened, uri.data, scheme + 1);
    memcpy(shortened + scheme + 1, uri.data + scheme + 3, uri.len - scheme - 3);
    why = ca_uri_fault(ca_bytes_of(shortened, uri.len - 2));
    if (why == NULL) return CA_OK;
    return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED, "an LDAP URI %s", why);
}

/* The content of GeneralNames: at least one. */
static enum ca_status check_locations(struct ca_der *names, struct ca_error *err)
{
    if (ca_der_at_end(names)) return fault(err, "a list of names is empty");
    while (!ca_der_at_end(names)) {
        struct ca_der_element name = { .tag = 0 };
        enum ca_status st = ca_der_any(names, &name, err);

        if (st == CA_OK) st = check_location(&name, err);
        if (st != CA_OK) return st;
    }
    return CA_OK;
}

/* Keys and their use */

static enum ca_status check_subject_key_id(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der der = ca_der_open(value);
    struct ca_der_element id = { .tag = 0 };
    enum ca_status st = ca_der_take(&der, CA_DER_OCTET_STRING, "the key identifier", &id, err);

    if (st == CA_OK) st = ca_der_end(&der, "the value", err);
    if (st == CA_OK && id.content.len == 0) return fault(err, "the key identifier is empty");
    return st;
}

/* RFC 5280 4.2.1.1: issuer and serial number come together; names of CAs are directory names, but
 * nothing says so. */
static enum ca_status check_authority_key_id(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der id = { .reason = 0 }, names = { .reason = 0 }, serial = { .reason = 0 };
    struct ca_der_element key = { .tag = 0 };
    struct ca_bytes number = { .len = 0 };
    uint8_t whole[RETAGGED_MAX];
    bool has_issuer;
    enum ca_status st = open_value(value, &id, err);

    if (st == CA_OK && ca_der_next_is(&id, CA_DER_CONTEXT(0))) {
        st = ca_der_take(&id, CA_DER_CONTEXT(0), "the key identifier", &key, err);
        if (st == CA_OK && key.content.len == 0) return fault(err, "the key identifier is empty");
    }
    has_issuer = st == CA_OK && ca_der_next_is(&id, CA_DER_CONTEXT_CONSTRUCTED(1));
    if (has_issuer) {
        st = ca_der_enter(&id, CA_DER_CONTEXT_CONSTRUCTED(1), "the issuer", &names, err);
        if (st == CA_OK) st = check_locations(&names, err);
    }
    if (st != CA_OK) return st;
    if (has_issuer != ca_der_next_is(&id, CA_DER_CONTEXT(2)))
        return fault(err, "issuer and serial number do not come together");
    if (has_issuer) {
        st = take_implicit(&id, CA_DER_CONTEXT(2), "the serial number", whole, &serial, err);
        if (st == CA_OK) st = ca_der_unsigned(&serial, "the serial number", &number, err);
        if (st == CA_OK && number.data[0] == 0) return fault(err, "the serial number is zero");
    }
    return st == CA_OK ? ca_der_end(&id, "the value", err) : st;
}

static enum ca_status check_key_usage(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der der = ca_der_open(value);
    struct ca_der_element bits = { .tag = 0 };
    const char *why;
    enum ca_status st = ca_der_take(&der, CA_DER_BIT_STRING, "the value", &bits, err);

    if (st == CA_OK) st = ca_der_end(&der, "the value", err);
    if (st != CA_OK) return st;
    why = named_bits_fault(bits.content, CA_KEY_USAGE_COUNT);
    return why == NULL ? CA_OK : fault(err, why);
}

bool ca_key_usage_read(struct ca_bytes value, uint16_t *bits)
{
    uint16_t set = 0;

    if (check_key_usage(value, NULL) != CA_OK) return false;
    for (unsigned i = 0; i < (value.len - 3) * 8; i++) {
        if ((value.data[3 + i / 8] & (0x80u >> i % 8)) != 0) set = (uint16_t)(set | (1u << i));
    }
    *bits = set;
    return true;
}

static enum ca_status check_ext_key_usage(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der purposes = { .reason = 0 };
    struct seen seen;
    enum ca_status st = open_value(value, &purposes, err);

    seen.count = 0;
    while (st == CA_OK && !ca_der_at_end(&purposes)) {
        struct ca_bytes oid = { .len = 0 };

        st = ca_der_oid(&purposes, "a purpose", &oid, err);
        if (st == CA_OK) st = note_entry(&seen, oid, err);
    }
    return st;
}

/* A GeneralizedTime under an IMPLICIT tag; the reader knows it as UTCTime in that one's years. */
static enum ca_status take_period_time(struct ca_der *der, uint8_t tag, int64_t *time_s,
                                       struct ca_error *err)
{
    struct ca_der_element element = { .tag = 0 };
    struct ca_der time;
    uint8_t whole[2 + 15];
    const uint8_t *p;
    size_t len = 15, skipped = 0;
    enum ca_status st = ca_der_take(der, tag, "a time", &element, err);

    if (st != CA_OK) return st;
    if (element.content.len != len) return fault(err, "a time is not YYYYMMDDHHMMSSZ");
    p = element.content.data;
    if ((memcmp(p, "19", 2) == 0 && p[2] >= '5') || (memcmp(p, "20", 2) == 0 && p[2] < '5')) {
        skipped = 2;
    }
    len -= skipped;
    (void)ca_der_put_header(whole, skipped > 0 ? CA_DER_UTC_TIME : CA_DER_GENERALIZED_TIME, len);
    memcpy(whole + 2, p + skipped, len);
    time = ca_der_open(ca_bytes_of(whole, 2 + len));
    return ca_der_time(&time, "a time", time_s, err);
}

/* RFC 3280 4.2.1.4; RFC 5280 has dropped it, some profiles have not. */
static enum ca_status check_key_usage_period(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der period = { .reason = 0 };
    int64_t from_s = INT64_MIN, to_s = INT64_MAX;
    enum ca_status st = open_value(value, &period, err);

    if (st == CA_OK && ca_der_next_is(&period, CA_DER_CONTEXT(0)))
        st = take_period_time(&period, CA_DER_CONTEXT(0), &from_s, err);
    if (st == CA_OK && ca_der_next_is(&period, CA_DER_CONTEXT(1)))
        st = take_period_time(&period, CA_DER_CONTEXT(1), &to_s, err);
    if (st == CA_OK) st = ca_der_end(&period, "the value", err);
    if (st == CA_OK && from_s > to_s) return fault(err, "the period ends before it begins");
    return st;
}

/* Names */

static enum ca_status check_alt_name(struct ca_bytes value, struct ca_error *err)
{
    return ca_san_check(value, err);
}

/* RFC 5280 4.2.1.9: cA is DEFAULT FALSE, and only a CA has a path length. */
static enum ca_status check_basic_constraints(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der der = ca_der_open(value), inner = { .reason = 0 };
    bool is_ca = false;
    uint32_t path_len;
    enum ca_status st = ca_der_enter(&der, CA_DER_SEQUENCE, "the value", &inner, err);

    if (st == CA_OK) st = ca_der_end(&der, "the value", err);
    if (st == CA_OK && ca_der_next_is(&inner, CA_DER_BOOLEAN)) {
        st = ca_der_bool(&inner, "cA", &is_ca, err);
        if (st == CA_OK && !is_ca) return fault(err, "cA is FALSE, the default, and encoded");
    }
    if (st == CA_OK && !ca_der_at_end(&inner)) {
        if (!is_ca) return fault(err, "a path length without cA");
        st = ca_der_small(&inner, "the path length", &path_len, err);
    }
    return st == CA_OK ? ca_der_end(&inner, "the value", err) : st;
}

/* An address and its mask, which is a prefix (RFC 5280 4.2.1.10, RFC 4632). */
static const char *range_fault(struct ca_bytes range)
{
    size_t half = range.len / 2;
    bool ended = false;

    if (range.len != 8 && range.len != 32) return "an iPAddress is not an address and its mask";
    for (size_t i = 0; i < half * 8; i++) {
        bool set = (range.data[half + i / 8] & (0x80u >> i % 8)) != 0;

        if (set && ended) return "an iPAddress has a mask that is no prefix";
        ended = !set;
    }
    return NULL;
}

/* A host, or ".domain" for all hosts in it. */
static const char *domain_fault(struct ca_bytes domain)
{
    if (domain.len > 1 && domain.data[0] == '.')
        domain = ca_bytes_of(domain.data + 1, domain.len - 1);
    return ca_host_name_fault(domain, false);
}

/* The base of a subtree is no name but what names are compared with (RFC 5280 4.2.1.10). */
static enum ca_status check_base(const struct ca_der_element *base, struct ca_error *err)
{
    struct ca_bytes text = base->content;
    const char *why = NULL;
    bool empty;

    switch (base->tag) {
    case CA_DER_CONTEXT(1):
        why = memchr(text.data, '@', text.len) != NULL ? ca_mailbox_fault(text)
                                                       : domain_fault(text);
        break;
    case CA_DER_CONTEXT(2):     /* empty: every name */
        if (text.len > 0) why = ca_host_name_fault(text, false);
        break;
    case TAG_URI: why = domain_fault(text); break;
    case CA_DER_CONTEXT_CONSTRUCTED(4): return ca_name_check(text, &empty, err);
    case CA_DER_CONTEXT(7):
        why = range_fault(text);
        return why == NULL ? CA_OK : fault(err, why);
    default: return ca_general_name_check(base, err);
    }
    if (why == NULL) return CA_OK;
    return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED, "the base of a subtree %s", why);
}

static enum ca_status check_subtrees(struct ca_der *der, uint8_t tag, struct ca_error *err)
{
    struct ca_der subtrees = { .reason = 0 };
    enum ca_status st;

    if (!ca_der_next_is(der, tag)) return CA_OK;
    st = ca_der_enter(der, tag, "the subtrees", &subtrees, err);
    if (st == CA_OK && ca_der_at_end(&subtrees)) return fault(err, "a list of subtrees is empty");
    while (st == CA_OK && !ca_der_at_end(&subtrees)) {
        struct ca_der subtree = { .reason = 0 };
        struct ca_der_element base = { .tag = 0 };

        st = ca_der_enter(&subtrees, CA_DER_SEQUENCE, "a subtree", &subtree, err);
        if (st == CA_OK) st = ca_der_any(&subtree, &base, err);
        if (st == CA_OK) st = check_base(&base, err);
        /* minimum is 0, the default, and maximum absent in this profile. */
        if (st == CA_OK && !ca_der_at_end(&subtree))
            return fault(err, "a subtree has a minimum or maximum");
    }
    return st;
}

static enum ca_status check_name_constraints(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der constraints = { .reason = 0 };
    enum ca_status st = open_value(value, &constraints, err);

    if (st == CA_OK) st = check_subtrees(&constraints, CA_DER_CONTEXT_CONSTRUCTED(0), err);
    if (st == CA_OK) st = check_subtrees(&constraints, CA_DER_CONTEXT_CONSTRUCTED(1), err);
    return st == CA_OK ? ca_der_end(&constraints, "the value", err) : st;
}

static enum ca_status check_directory_attributes(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der attributes = { .reason = 0 };
    enum ca_status st = open_value(value, &attributes, err);

    while (st == CA_OK && !ca_der_at_end(&attributes)) {
        struct ca_der attribute = { .reason = 0 }, values = { .reason = 0 };
        struct ca_bytes oid = { .len = 0 }, previous = { .len = 0 };

        st = ca_der_enter(&attributes, CA_DER_SEQUENCE, "an attribute", &attribute, err);
        if (st == CA_OK) st = ca_der_oid(&attribute, "an attribute's type", &oid, err);
        if (st == CA_OK) st = ca_der_enter(&attribute, CA_DER_SET, "the values", &values, err);
        if (st == CA_OK) st = ca_der_end(&attribute, "an attribute", err);
        if (st == CA_OK && ca_der_at_end(&values)) return fault(err, "an attribute has no value");
        while (st == CA_OK && !ca_der_at_end(&values)) {
            struct ca_der_element element = { .tag = 0 };

            st = ca_der_set_next(&values, values.rest.data[0], "a value", &previous, &element,
                                 err);
            if (st == CA_OK) st = ca_der_check_nested(element.whole, "a value", err);
        }
    }
    return st;
}

/* Policies */

/* DisplayText. RFC 6818 3: an explicit text is a UTF8String; VisibleString is acceptable, IA5String
 * only for an organization. A BMPString would be acceptable, and is refused here as in names. */
static enum ca_status check_display_text(const struct ca_der_element *text, bool organization,
                                         struct ca_error *err)
{
    size_t characters = text->content.len;
    size_t good;

    if (text->tag == CA_DER_UTF8_STRING) {
        good = ca_charset_utf8(text->content, &characters);
    } else if (text->tag == VISIBLE_STRING || (organization && text->tag == CA_DER_IA5_STRING)) {
        good = ca_charset_ascii(text->content);
    } else {
        return fault(err, "a notice's text is no UTF8String or VisibleString");
    }
    if (good < text->content.len)
        return fault(err, "a notice's text has an octet that its string type does not allow");
    if (characters >= 1 && characters <= NOTICE_CHARS_MAX) return CA_OK;
    return fault(err, "a notice's text has not 1 to 200 characters");
}

/* NoticeReference ::= SEQUENCE { organization DisplayText, noticeNumbers SEQUENCE OF INTEGER } */
static enum ca_status check_notice_reference(struct ca_der *notice, struct ca_error *err)
{
    struct ca_der reference = { .reason = 0 }, numbers = { .reason = 0 };
    struct ca_der_element organization = { .tag = 0 };
    uint32_t number;
    enum ca_status st =
        ca_der_enter(notice, CA_DER_SEQUENCE, "a notice's reference", &reference, err);

    if (st == CA_OK) st = ca_der_any(&reference, &organization, err);
    if (st == CA_OK) st = check_display_text(&organization, true, err);
    if (st == CA_OK)
        st = ca_der_enter(&reference, CA_DER_SEQUENCE, "the notice numbers", &numbers, err);
    if (st == CA_OK) st = ca_der_end(&reference, "a notice's reference", err);
    while (st == CA_OK && !ca_der_at_end(&numbers))
        st = ca_der_small(&numbers, "a notice number", &number, err);
    return st;
}

static enum ca_status check_user_notice(struct ca_der *qualifier, struct ca_error *err)
{
    struct ca_der notice = { .reason = 0 };
    struct ca_der_element text = { .tag = 0 };
    enum ca_status st = ca_der_enter(qualifier, CA_DER_SEQUENCE, "a notice", &notice, err);

    if (st == CA_OK && ca_der_at_end(&notice)) return fault(err, "a notice is empty");
    if (st == CA_OK && ca_der_next_is(&notice, CA_DER_SEQUENCE))
        st = check_notice_reference(&notice, err);
    if (st == CA_OK && !ca_der_at_end(&notice)) {
        st = ca_der_any(&notice, &text, err);
        if (st == CA_OK) st = check_display_text(&text, false, err);
    }
    return st == CA_OK ? ca_der_end(&notice, "a notice", err) : st;
}

static enum ca_status check_cps(struct ca_der *qualifier, struct ca_error *err)
{
    struct ca_der_element uri = { .tag = 0 };
    const char *why;
    enum ca_status st = ca_der_take(qualifier, CA_DER_IA5_STRING, "a CPS URI", &uri, err);

    if (st != CA_OK) return st;
    why = ca_uri_fault(uri.content);
    if (why == NULL) return CA_OK;
    return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED, "a CPS URI %s", why);
}

static enum ca_status check_qualifiers(struct ca_der *policy, struct ca_error *err)
{
    struct ca_der qualifiers = { .reason = 0 };
    enum ca_status st =
        ca_der_enter(policy, CA_DER_SEQUENCE, "the policy qualifiers", &qualifiers, err);

    if (st == CA_OK && ca_der_at_end(&qualifiers))
        return fault(err, "a list of qualifiers is empty");
    while (st == CA_OK && !ca_der_at_end(&qualifiers)) {
        struct ca_der qualifier = { .reason = 0 };
        struct ca_bytes oid = { .len = 0 };

        st = ca_der_enter(&qualifiers, CA_DER_SEQUENCE, "a qualifier", &qualifier, err);
        if (st == CA_OK) st = ca_der_oid(&qualifier, "a qualifier's type", &oid, err);
        if (st != CA_OK) return st;
        if (CA_BYTES_ARE(oid, qualifier_cps)) {
            st = check_cps(&qualifier, err);
        } else if (CA_BYTES_ARE(oid, qualifier_notice)) {
            st = check_user_notice(&qualifier, err);
        } else {
            return fault(err, "a qualifier is neither a CPS URI nor a notice");
        }
        if (st == CA_OK) st = ca_der_end(&qualifier, "a qualifier", err);
    }
    return st;
}

static enum ca_status check_certificate_policies(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der policies = { .reason = 0 };
    struct seen seen;
    enum ca_status st = open_value(value, &policies, err);

    seen.count = 0;
    while (st == CA_OK && !ca_der_at_end(&policies)) {
        struct ca_der policy = { .reason = 0 };
        struct ca_bytes oid = { .len = 0 };

        st = ca_der_enter(&policies, CA_DER_SEQUENCE, "a policy", &policy, err);
        if (st == CA_OK) st = ca_der_oid(&policy, "a policy's identifier", &oid, err);
        if (st == CA_OK) st = note_entry(&seen, oid, err);
        if (st == CA_OK && !ca_der_at_end(&policy)) st = check_qualifiers(&policy, err);
        if (st == CA_OK) st = ca_der_end(&policy, "a policy", err);
    }
    return st;
}

/* RFC 5280 4.2.1.5: nothing is mapped to or from anyPolicy. */
static enum ca_status check_policy_mappings(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der mappings = { .reason = 0 };
    enum ca_status st = open_value(value, &mappings, err);

    while (st == CA_OK && !ca_der_at_end(&mappings)) {
        struct ca_der mapping = { .reason = 0 };
        struct ca_bytes from = { .len = 0 }, to = { .len = 0 };

        st = ca_der_enter(&mappings, CA_DER_SEQUENCE, "a mapping", &mapping, err);
        if (st == CA_OK) st = ca_der_oid(&mapping, "a mapping's issuer policy", &from, err);
        if (st == CA_OK) st = ca_der_oid(&mapping, "a mapping's subject policy", &to, err);
        if (st == CA_OK) st = ca_der_end(&mapping, "a mapping", err);
        if (st == CA_OK && (CA_BYTES_ARE(from, any_policy) || CA_BYTES_ARE(to, any_policy)))
            return fault(err, "anyPolicy is mapped");
    }
    return st;
}

static enum ca_status check_policy_constraints(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der constraints = { .reason = 0 };
    enum ca_status st = open_value(value, &constraints, err);

    for (uint8_t i = 0; st == CA_OK && i < 2; i++) {
        struct ca_der number = { .reason = 0 };
        uint8_t tag = (uint8_t)CA_DER_CONTEXT(i), whole[RETAGGED_MAX];
        uint32_t skipped;

        if (!ca_der_next_is(&constraints, tag)) continue;
        st = take_implicit(&constraints, tag, "a count of certificates", whole, &number, err);
        if (st == CA_OK) st = ca_der_small(&number, "a count of certificates", &skipped, err);
    }
    return st == CA_OK ? ca_der_end(&constraints, "the value", err) : st;
}

static enum ca_status check_inhibit_any_policy(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der der = ca_der_open(value);
    uint32_t skipped;
    enum ca_status st = ca_der_small(&der, "the value", &skipped, err);

    return st == CA_OK ? ca_der_end(&der, "the value", err) : st;
}

/* Revocation */

/* DistributionPointName: names; those relative to the CRL's issuer are advised against (RFC 5280
 * 4.2.1.13) and never made here. */
static enum ca_status check_point_name(struct ca_der *point, struct ca_error *err)
{
    struct ca_der choice = { .reason = 0 }, names = { .reason = 0 };
    enum ca_status st = ca_der_enter(point, CA_DER_CONTEXT_CONSTRUCTED(0), "a distribution point",
                                     &choice, err);

    if (st == CA_OK && ca_der_next_is(&choice, CA_DER_CONTEXT_CONSTRUCTED(1)))
        return fault(err, "a name relative to the CRL's issuer is not supported");
    if (st == CA_OK)
        st = ca_der_enter(&choice, CA_DER_CONTEXT_CONSTRUCTED(0), "a full name", &names, err);
    if (st == CA_OK) st = check_locations(&names, err);
    return st == CA_OK ? ca_der_end(&choice, "a distribution point's name", err) : st;
}

/* RFC 5280 4.2.1.13: only the distinguished name of the CRL's issuer. */
static enum ca_status check_crl_issuer(struct ca_der *point, struct ca_error *err)
{
    struct ca_der names = { .reason = 0 };
    struct ca_der_element name = { .tag = 0 };
    enum ca_status st =
        ca_der_enter(point, CA_DER_CONTEXT_CONSTRUCTED(2), "a CRL issuer", &names, err);

    if (st == CA_OK)
        st = ca_der_take(&names, CA_DER_CONTEXT_CONSTRUCTED(4), "a CRL issuer's name", &name, err);
    if (st == CA_OK) st = ca_general_name_check(&name, err);
    return st == CA_OK ? ca_der_end(&names, "a CRL issuer", err) : st;
}

static enum ca_status check_point(struct ca_der *point, bool *all_reasons, struct ca_error *err)
{
    struct ca_der_element reasons = { .tag = 0 };
    const char *why = NULL;
    bool has_name = ca_der_next_is(point, CA_DER_CONTEXT_CONSTRUCTED(0)), has_issuer;
    enum ca_status st = has_name ? check_point_name(point, err) : CA_OK;

    if (st == CA_OK && ca_der_next_is(point, CA_DER_CONTEXT(1))) {
        st = ca_der_take(point, CA_DER_CONTEXT(1), "the reasons", &reasons, err);
        if (st == CA_OK) why = named_bits_fault(reasons.content, 9);
        if (why != NULL) return fault(err, why);
    } else {
        *all_reasons = true;
    }
    has_issuer = st == CA_OK && ca_der_next_is(point, CA_DER_CONTEXT_CONSTRUCTED(2));
    if (has_issuer) st = check_crl_issuer(point, err);
    if (st == CA_OK) st = ca_der_end(point, "a distribution point", err);
    if (st == CA_OK && !has_name && !has_issuer)
        return fault(err, "a distribution point has neither name nor issuer");
    return st;
}

static enum ca_status check_distribution_points(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der points = { .reason = 0 };
    bool all_reasons = false;
    enum ca_status st = open_value(value, &points, err);

    while (st == CA_OK && !ca_der_at_end(&points)) {
        struct ca_der point = { .reason = 0 };

        st = ca_der_enter(&points, CA_DER_SEQUENCE, "a distribution point", &point, err);
        if (st == CA_OK) st = check_point(&point, &all_reasons, err);
    }
    if (st == CA_OK && !all_reasons) return fault(err, "no distribution point is for all reasons");
    return st;
}

/* AccessDescription ::= SEQUENCE { accessMethod OID, accessLocation GeneralName } */
static enum ca_status check_access(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der list = { .reason = 0 };
    enum ca_status st = open_value(value, &list, err);

    while (st == CA_OK && !ca_der_at_end(&list)) {
        struct ca_der description = { .reason = 0 };
        struct ca_der_element location = { .tag = 0 };
        struct ca_bytes method = { .len = 0 };

        st = ca_der_enter(&list, CA_DER_SEQUENCE, "an access description", &description, err);
        if (st == CA_OK) st = ca_der_oid(&description, "an access method", &method, err);
        if (st == CA_OK) st = ca_der_any(&description, &location, err);
        if (st == CA_OK) st = check_location(&location, err);
        if (st == CA_OK) st = ca_der_end(&description, "an access description", err);
    }
    return st;
}

static enum ca_status check_null(struct ca_bytes value, struct ca_error *err)
{
    static const uint8_t null[] = { CA_DER_NULL, 0 };

    return CA_BYTES_ARE(value, null) ? CA_OK : fault(err, "the value is not NULL");
}

/* RFC 7633 4.1: numbers of TLS extensions. */
static enum ca_status check_tls_features(struct ca_bytes value, struct ca_error *err)
{
    struct ca_der features = { .reason = 0 };
    struct seen seen;
    enum ca_status st = open_value(value, &features, err);

    seen.count = 0;
    while (st == CA_OK && !ca_der_at_end(&features)) {
        struct ca_bytes number = { .len = 0 };

        st = ca_der_unsigned(&features, "a feature", &number, err);
        if (st == CA_OK && number.len > 2) return fault(err, "a feature is over 65535");
        if (st == CA_OK) st = note_entry(&seen, number, err);
    }
    return st;
}

/* All of them */

struct known {
    const struct ca_bytes *oid;
    const char *name;
    enum ca_status (*check)(struct ca_bytes value, struct ca_error *err);
};

static const struct known known[] = {
    { &ca_oid_subject_directory_attributes, "subjectDirectoryAttributes",
      check_directory_attributes },
    { &ca_oid_subject_key_identifier, "subjectKeyIdentifier", check_subject_key_id },
    { &ca_oid_key_usage, "keyUsage", check_key_usage },
    { &ca_oid_private_key_usage_period, "privateKeyUsagePeriod", check_key_usage_period },
    { &ca_oid_subject_alt_name, "subjectAltName", check_alt_name },
    { &ca_oid_issuer_alt_name, "issuerAltName", check_alt_name },
    { &ca_oid_basic_constraints, "basicConstraints", check_basic_constraints },
    { &ca_oid_name_constraints, "nameConstraints", check_name_constraints },
    { &ca_oid_crl_distribution_points, "cRLDistributionPoints", check_distribution_points },
    { &ca_oid_certificate_policies, "certificatePolicies", check_certificate_policies },
    { &ca_oid_policy_mappings, "policyMappings", check_policy_mappings },
    { &ca_oid_authority_key_identifier, "authorityKeyIdentifier", check_authority_key_id },
    { &ca_oid_policy_constraints, "policyConstraints", check_policy_constraints },
    { &ca_oid_ext_key_usage, "extKeyUsage", check_ext_key_usage },
    { &ca_oid_freshest_crl, "freshestCRL", check_distribution_points },
    { &ca_oid_inhibit_any_policy, "inhibitAnyPolicy", check_inhibit_any_policy },
    { &ca_oid_no_rev_avail, "noRevAvail", check_null },
    { &ca_oid_authority_info_access, "authorityInfoAccess", check_access },
    { &ca_oid_subject_info_access, "subjectInfoAccess", check_access },
    { &ca_oid_tls_feature, "tlsFeature", check_tls_features },
    { &ca_oid_ocsp_nocheck, "ocspNoCheck", check_null },
    { &ca_oid_ct_poison, "ctPoison", check_null },
};

/* Can this be the first octet of a DER value? The universal types in use, with the right bit for
 * those that have parts. */
static bool begins_like_der(uint8_t first)
{
    if (first == CA_DER_SEQUENCE || first == CA_DER_SET) return true;
    return (first >= CA_DER_BOOLEAN && first <= CA_DER_OID) || first == 0x0a ||
           first == CA_DER_UTF8_STRING || (first >= 0x12 && first <= CA_DER_BMP_STRING);
}

static enum ca_status check_unknown(struct ca_bytes oid, struct ca_bytes value,
                                    struct ca_error *err)
{
    bool of_pkix = (oid.len > 2 && oid.data[0] == 0x55 && oid.data[1] == 0x1d) ||
                   (oid.len > sizeof(id_pe) && memcmp(oid.data, id_pe, sizeof(id_pe)) == 0);

    if (value.len == 0) return fault(err, "the value is empty");
    if (!of_pkix && !begins_like_der(value.data[0])) return CA_OK;
    return ca_der_check_nested(value, "the value", err);
}

enum ca_status ca_extension_value_check(struct ca_bytes oid, struct ca_bytes value,
                                        struct ca_error *err)
{
    struct ca_error why;
    char dotted[80];

    for (size_t i = 0; i < CA_COUNT(known); i++) {
        if (!ca_bytes_equal(*known[i].oid, oid)) continue;
        if (known[i].check(value, &why) == CA_OK) return CA_OK;
        return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED, "%s: %s", known[i].name, why.text);
    }
    if (check_unknown(oid, value, &why) == CA_OK) return CA_OK;
    ca_der_oid_text(oid, dotted, sizeof(dotted));
    return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED, "%s: %s", dotted, why.text);
}
