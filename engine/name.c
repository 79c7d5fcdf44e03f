#include "engine/name.h"

#include "engine/charset.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Which string type a value has, and so which characters. */
enum form {
    FORM_ANY,           /* unknown attribute: UTF8String, PrintableString or IA5String */
    FORM_DIRECTORY,     /* DirectoryString: UTF8String or PrintableString (RFC 5280 4.1.2.4) */
    FORM_PRINTABLE,
    FORM_COUNTRY,       /* PrintableString of two letters */
    FORM_IA5,
    FORM_IA5_OR_DIRECTORY   /* PKCS9String (RFC 2985) */
};

/* An attribute of a foreign name: bounds of RFC 5280 appendix A.1, RFC 4519 and X.520. */
struct rule {
    const char *name;       /* NULL: an attribute we do not know */
    const char *keyword;    /* of RFC 4514 3, NULL when it has none there */
    uint16_t chars_max;
    enum form form;
};

#define CHARS_UNBOUNDED 32768       /* ub-name; a request is not longer */

static const struct rule unknown = { NULL, NULL, CHARS_UNBOUNDED, FORM_ANY };
/* What real names have as their country when a template lets them: "USA", "Deutschland". */
static const struct rule any_country_rule = { "countryName", "C", 128, FORM_PRINTABLE };

/* id-at (2.5.4) by its last arc. */
static const struct rule at_rules[] = {
    [3] = { "commonName", "CN", 64, FORM_DIRECTORY },
    [4] = { "surname", NULL, CHARS_UNBOUNDED, FORM_DIRECTORY },
    [5] = { "serialNumber", NULL, 64, FORM_PRINTABLE },
    [6] = { "countryName", "C", 2, FORM_COUNTRY },
    [7] = { "localityName", "L", 128, FORM_DIRECTORY },
    [8] = { "stateOrProvinceName", "ST", 128, FORM_DIRECTORY },
    [9] = { "streetAddress", "STREET", 128, FORM_DIRECTORY },
    [10] = { "organizationName", "O", 64, FORM_DIRECTORY },
    [11] = { "organizationalUnitName", "OU", 64, FORM_DIRECTORY },
    [12] = { "title", NULL, 64, FORM_DIRECTORY },
    [13] = { "description", NULL, 1024, FORM_DIRECTORY },
    [15] = { "businessCategory", NULL, 128, FORM_DIRECTORY },
    [17] = { "postalCode", NULL, 40, FORM_DIRECTORY },
    [20] = { "telephoneNumber", NULL, 32, FORM_PRINTABLE },
    [41] = { "name", NULL, CHARS_UNBOUNDED, FORM_DIRECTORY },
    [42] = { "givenName", NULL, CHARS_UNBOUNDED, FORM_DIRECTORY },
    [43] = { "initials", NULL, CHARS_UNBOUNDED, FORM_DIRECTORY },
    [44] = { "generationQualifier", NULL, CHARS_UNBOUNDED, FORM_DIRECTORY },
    [46] = { "dnQualifier", NULL, CHARS_UNBOUNDED, FORM_PRINTABLE },
    [65] = { "pseudonym", NULL, 128, FORM_DIRECTORY },
    [97] = { "organizationIdentifier", NULL, 256, FORM_DIRECTORY },
};

struct other_rule {
    struct rule rule;
    uint8_t oid_len;
    uint8_t oid[10];
};

static const struct other_rule other_rules[] = {
    { { "domainComponent", "DC", CHARS_UNBOUNDED, FORM_IA5 },
      10, { 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19 } },
    { { "userid", "UID", 256, FORM_DIRECTORY },
      10, { 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01 } },
    { { "emailAddress", NULL, 255, FORM_IA5 },
      9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01 } },
    { { "unstructuredName", NULL, 255, FORM_IA5_OR_DIRECTORY },
      9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x02 } },
    { { "unstructuredAddress", NULL, 255, FORM_DIRECTORY },
      9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x08 } },
};

static const struct rule *rule_of(struct ca_bytes oid)
{
    if (oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x04) {
        size_t arc = oid.data[2];

        if (arc < CA_COUNT(at_rules) && at_rules[arc].name != NULL)
            return &at_rules[arc];
        return &unknown;
    }
    for (size_t i = 0; i < CA_COUNT(other_rules); i++) {
        const struct other_rule *other = &other_rules[i];

        if (ca_bytes_equal(oid, ca_bytes_of(other->oid, other->oid_len))) return &other->rule;
    }
    return &unknown;
}

/* Values */

struct fault {
    bool too_long;
    char text[CA_ERROR_TEXT_MAX - 64];
};

static bool form_allows(enum form form, uint8_t tag)
{
    switch (form) {
    case FORM_ANY:
    case FORM_IA5_OR_DIRECTORY:
        return tag == CA_DER_UTF8_STRING || tag == CA_DER_PRINTABLE_STRING ||
               tag == CA_DER_IA5_STRING;
    case FORM_DIRECTORY: return tag == CA_DER_UTF8_STRING || tag == CA_DER_PRINTABLE_STRING;
    case FORM_PRINTABLE:
    case FORM_COUNTRY: return tag == CA_DER_PRINTABLE_STRING;
    case FORM_IA5: return tag == CA_DER_IA5_STRING;
    }
    return false;
}

static const char *form_text(enum form form)
{
    switch (form) {
    case FORM_ANY:
    case FORM_IA5_OR_DIRECTORY: return "a UTF8String, PrintableString or IA5String";
    case FORM_DIRECTORY: return "a UTF8String or PrintableString";
    case FORM_PRINTABLE:
    case FORM_COUNTRY: return "a PrintableString";
    case FORM_IA5: return "an IA5String";
    }
    return "a string";
}

/* Good octets at the start of a value of that type. */
static size_t good_octets(uint8_t tag, struct ca_bytes value, size_t *characters)
{
    size_t good;

    if (tag == CA_DER_UTF8_STRING) return ca_charset_utf8(value, characters);
    good = tag == CA_DER_PRINTABLE_STRING ? ca_charset_printable(value) : ca_charset_ascii(value);
    *characters = good;
    return good;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* True when the value breaks the rule; *fault then has the end of a sentence that begins with the
 * attribute's name. */
static bool find_fault(const struct rule *rule, uint8_t tag, struct ca_bytes value,
                       struct fault *fault)
{
    size_t characters = 0, good;

    fault->too_long = false;
    if (!form_allows(rule->form, tag)) {
        (void)snprintf(fault->text, sizeof(fault->text), "has string type %02x, but must be %s",
                       tag, form_text(rule->form));
        return true;
    }
    if (value.len == 0) {
        (void)snprintf(fault->text, sizeof(fault->text), "is empty");
        return true;
    }
    good = good_octets(tag, value, &characters);
    if (good < value.len) {
        (void)snprintf(fault->text, sizeof(fault->text),
                       "has octet %02x at place %zu, which is not allowed there", value.data[good],
                       good + 1);
        return true;
    }
    if (rule->form == FORM_COUNTRY &&
        (value.len != 2 || !is_letter(value.data[0]) || !is_letter(value.data[1]))) {
        (void)snprintf(fault->text, sizeof(fault->text), "is not two letters");
        return true;
    }
    if (characters <= rule->chars_max) return false;
    fault->too_long = true;
    (void)snprintf(fault->text, sizeof(fault->text), "has %zu characters, at most %u are allowed",
                   characters, rule->chars_max);
    return true;
}

/* Checking a foreign Name */

struct ava {
    struct ca_bytes oid;
    struct ca_der_element value;
};

static enum ca_status read_ava(struct ca_bytes content, struct ava *out, struct ca_error *err)
{
    struct ca_der der = { .rest = content, .reason = CA_REASON_BAD_NAME };
    enum ca_status st = ca_der_oid(&der, "an attribute's type in the name", &out->oid, err);

    if (st == CA_OK) st = ca_der_any(&der, &out->value, err);
    if (st == CA_OK) st = ca_der_end(&der, "an attribute of the name", err);
    return st;
}

static enum ca_status check_ava(const struct ava *ava, bool any_country, struct ca_error *err)
{
    const struct rule *rule = rule_of(ava->oid);
    struct fault fault;
    char dotted[48];
    const char *name;

    if (any_country && rule->form == FORM_COUNTRY) rule = &any_country_rule;
    name = rule->name;
    if (!find_fault(rule, ava->value.tag, ava->value.content, &fault)) return CA_OK;
    if (name == NULL) {
        ca_der_oid_text(ava->oid, dotted, sizeof(dotted));
        name = dotted;
    }
    return ca_refuse(err, fault.too_long ? CA_REASON_NAME_TOO_LONG : CA_REASON_BAD_NAME, "%s %s",
                     name, fault.text);
}

/* One RDN: a SET OF attributes, at least one. *count counts over the whole name. */
static enum ca_status check_rdn(struct ca_der *rdn, bool any_country, size_t *count,
                                struct ca_error *err)
{
    struct ca_bytes previous = { .len = 0 };

    if (ca_der_at_end(rdn))
        return ca_refuse(err, CA_REASON_BAD_NAME, "the name has an RDN without attributes");
    while (!ca_der_at_end(rdn)) {
        struct ca_der_element element = { .tag = 0 };
        struct ava ava = { .oid = { .len = 0 } };
        enum ca_status st = ca_der_set_next(rdn, CA_DER_SEQUENCE, "an attribute of the name",
                                            &previous, &element, err);

        if (st == CA_OK) st = read_ava(element.content, &ava, err);
        if (st == CA_OK) st = check_ava(&ava, any_country, err);
        if (st != CA_OK) return st;
        if (++*count > CA_RDNS_MAX)
            return ca_refuse(err, CA_REASON_BAD_NAME, "the name has more than %d attributes",
                             CA_RDNS_MAX);
    }
    return CA_OK;
}

enum ca_status ca_name_check_lenient(struct ca_bytes name, bool any_country, bool *empty,
                                     struct ca_error *err)
{
    struct ca_der input = { .rest = name, .reason = CA_REASON_BAD_NAME };
    struct ca_der rdns = { .reason = 0 };
    size_t count = 0;
    enum ca_status st = ca_der_enter(&input, CA_DER_SEQUENCE, "the name", &rdns, err);

    if (st == CA_OK) st = ca_der_end(&input, "the name", err);
    while (st == CA_OK && !ca_der_at_end(&rdns)) {
        struct ca_der rdn = { .reason = 0 };

        st = ca_der_enter(&rdns, CA_DER_SET, "an RDN", &rdn, err);
        if (st == CA_OK) st = check_rdn(&rdn, any_country, &count, err);
    }
    if (st == CA_OK) *empty = count == 0;
    return st;
}

enum ca_status ca_name_check(struct ca_bytes name, bool *empty, struct ca_error *err)
{
    return ca_name_check_lenient(name, false, empty, err);
}

/* Walking */

void ca_name_walk_open(struct ca_name_walk *walk, struct ca_bytes name)
{
    struct ca_der input = ca_der_open(name);

    *walk = (struct ca_name_walk){ .rdns = input };     /* stays so when it is no SEQUENCE */
    (void)!ca_der_enter(&input, CA_DER_SEQUENCE, "the name", &walk->rdns, NULL);
}

bool ca_name_walk_next(struct ca_name_walk *walk, struct ca_name_attribute *out)
{
    struct ca_name_walk ahead = *walk;      /* what cannot be read is not passed over */
    struct ca_der_element element = { .tag = 0 };
    struct ava ava = { .oid = { .len = 0 } };
    bool first = ca_der_at_end(&walk->rdn);

    if (first) {
        if (ca_der_at_end(&ahead.rdns) ||
            ca_der_take(&ahead.rdns, CA_DER_SET, "an RDN", &element, NULL) != CA_OK)
            return false;
        ahead.rdn = ca_der_open(element.content);
        ahead.rdn_whole = element.whole;
    }
    if (ca_der_take(&ahead.rdn, CA_DER_SEQUENCE, "an attribute", &element, NULL) != CA_OK ||
        read_ava(element.content, &ava, NULL) != CA_OK)
        return false;
    *walk = ahead;
    *out = (struct ca_name_attribute){ .oid = ava.oid, .tag = ava.value.tag,
                                       .value = ava.value.content, .rdn = ahead.rdn_whole,
                                       .alone = first && ca_der_at_end(&ahead.rdn) };
    return true;
}

bool ca_name_walk_at_end(const struct ca_name_walk *walk)
{
    return ca_der_at_end(&walk->rdn) && ca_der_at_end(&walk->rdns);
}

/* Building */

struct member {
    const char *name;
    uint8_t arc;            /* 2.5.4.arc */
    struct rule rule;       /* AWS's own bounds, not those of RFC 5280 */
};

static const struct member members[CA_ATTRIBUTE_COUNT] = {
    [CA_ATTRIBUTE_COUNTRY] = { "Country", 6, { NULL, NULL, 2, FORM_COUNTRY } },
    [CA_ATTRIBUTE_ORGANIZATION] = { "Organization", 10, { NULL, NULL, 64, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_ORGANIZATIONAL_UNIT] = { "OrganizationalUnit", 11,
                                           { NULL, NULL, 64, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_DN_QUALIFIER] = { "DistinguishedNameQualifier", 46,
                                    { NULL, NULL, 64, FORM_PRINTABLE } },
    [CA_ATTRIBUTE_STATE] = { "State", 8, { NULL, NULL, 128, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_COMMON_NAME] = { "CommonName", 3, { NULL, NULL, 64, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_SERIAL_NUMBER] = { "SerialNumber", 5, { NULL, NULL, 64, FORM_PRINTABLE } },
    [CA_ATTRIBUTE_LOCALITY] = { "Locality", 7, { NULL, NULL, 128, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_TITLE] = { "Title", 12, { NULL, NULL, 64, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_SURNAME] = { "Surname", 4, { NULL, NULL, 40, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_GIVEN_NAME] = { "GivenName", 42, { NULL, NULL, 16, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_INITIALS] = { "Initials", 43, { NULL, NULL, 5, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_PSEUDONYM] = { "Pseudonym", 65, { NULL, NULL, 128, FORM_DIRECTORY } },
    [CA_ATTRIBUTE_GENERATION_QUALIFIER] = { "GenerationQualifier", 44,
                                            { NULL, NULL, 3, FORM_DIRECTORY } },
};

#define CUSTOM_CHARS_MAX 256        /* spec 2.3: Value 1-256 */

static uint8_t written_tag(enum form form)
{
    if (form == FORM_IA5) return CA_DER_IA5_STRING;
    if (form == FORM_PRINTABLE || form == FORM_COUNTRY) return CA_DER_PRINTABLE_STRING;
    return CA_DER_UTF8_STRING;
}

/* Checks the value, appends SET { SEQUENCE { oid, value } }; label begins the error's sentence. */
static enum ca_status add_rdn(struct ca_buf *rdns, struct ca_bytes oid, const struct rule *rule,
                              const char *label, const char *value, struct ca_error *err)
{
    struct ca_bytes text = ca_bytes_str(value);
    uint8_t tag = written_tag(rule->form);
    struct fault fault;
    size_t mark = rdns->len;

    if (find_fault(rule, tag, text, &fault))
        return ca_fail_named(err, CA_REFUSED, "subject", "%s %s", label, fault.text);
    ca_der_add_oid(rdns, oid);
    ca_der_add(rdns, tag, text);
    ca_der_wrap(rdns, mark, CA_DER_SEQUENCE);
    ca_der_wrap(rdns, mark, CA_DER_SET);
    return ca_buf_status(rdns, "the name", err);
}

const char *ca_attribute_member(enum ca_attribute attribute)
{
    assert(attribute < CA_ATTRIBUTE_COUNT);
    return members[attribute].name;
}

enum ca_status ca_name_add(struct ca_buf *rdns, enum ca_attribute attribute, const char *value,
                           struct ca_error *err)
{
    const struct member *member;
    uint8_t oid[3] = { 0x55, 0x04, 0 };

    assert(attribute < CA_ATTRIBUTE_COUNT);
    member = &members[attribute];
    oid[2] = member->arc;
    return add_rdn(rdns, ca_bytes_of(oid, sizeof(oid)), &member->rule, member->name, value, err);
}

enum ca_status ca_name_add_custom(struct ca_buf *rdns, const char *dotted_oid, const char *value,
                                  struct ca_error *err)
{
    struct ca_buf oid;
    struct rule rule;
    enum ca_status st;

    ca_buf_init(&oid, 64);
    st = ca_der_oid_parse(dotted_oid, &oid, err);
    if (st == CA_MALFORMED) {
        st = ca_fail_named(err, CA_REFUSED, "subject", "%.80s is not an object identifier",
                           dotted_oid);
    }
    if (st != CA_OK) goto out;
    rule = *rule_of(ca_buf_view(&oid));
    if (rule.chars_max > CUSTOM_CHARS_MAX) rule.chars_max = CUSTOM_CHARS_MAX;
    st = add_rdn(rdns, ca_buf_view(&oid), &rule, rule.name != NULL ? rule.name : dotted_oid, value,
                 err);
out:
    ca_buf_clear(&oid);
    return st;
}

/* Printing (RFC 4514) */

static void append_hex(struct ca_buf *out, struct ca_bytes in)
{
    for (size_t i = 0; i < in.len; i++) ca_buf_printf(out, "%02x", in.data[i]);
}

/* RFC 4514 2.4: which octet of a value needs a backslash before it. */
static bool is_special(struct ca_bytes text, size_t i)
{
    uint8_t c = text.data[i];

    if (strchr("\"+,;<>\\", c) != NULL && c != '\0') return true;
    if (c == ' ') return i == 0 || i + 1 == text.len;
    return c == '#' && i == 0;
}

static void print_text(struct ca_bytes text, struct ca_buf *out)
{
    size_t i = 0;

    while (i < text.len) {
        struct ca_bytes rest = ca_bytes_of(text.data + i, text.len - i);
        size_t characters = 0;
        size_t good = ca_charset_utf8(rest, &characters);

        if (good == 0) {
            ca_buf_printf(out, "\\%02X", text.data[i++]);
            continue;
        }
        for (size_t end = i + good; i < end; i++) {
            if (is_special(text, i)) ca_buf_append_u8(out, '\\');
            ca_buf_append_u8(out, text.data[i]);
        }
    }
}

static bool is_text(uint8_t tag)
{
    return tag == CA_DER_UTF8_STRING || tag == CA_DER_PRINTABLE_STRING ||
           tag == CA_DER_IA5_STRING || tag == CA_DER_TELETEX_STRING;
}

static void print_ava(const struct ava *ava, struct ca_buf *out)
{
    const struct rule *rule = rule_of(ava->oid);

    if (rule->keyword != NULL && is_text(ava->value.tag)) {
        ca_buf_append_str(out, rule->keyword);
        ca_buf_append_u8(out, '=');
        print_text(ava->value.content, out);
        return;
    }
    if (rule->keyword != NULL) {
        ca_buf_append_str(out, rule->keyword);
    } else {
        char dotted[256];

        ca_der_oid_text(ava->oid, dotted, sizeof(dotted));
        ca_buf_append_str(out, dotted);
    }
    ca_buf_append_str(out, "=#");
    append_hex(out, ava->value.whole);
}

/* The next attribute of an RDN's content. */
static enum ca_status next_ava(struct ca_der *rdn, struct ava *ava)
{
    struct ca_der_element element = { .tag = 0 };
    enum ca_status st = ca_der_take(rdn, CA_DER_SEQUENCE, "an attribute", &element, NULL);

    if (st == CA_OK) st = read_ava(element.content, ava, NULL);
    return st;
}

/* The contents of a name's RDNs, all of whose attributes can be read; false when it is no name. */
static bool split(struct ca_bytes name, struct ca_bytes rdns[CA_RDNS_MAX], size_t *count)
{
    struct ca_der input = ca_der_open(name);
    struct ca_der der = { .reason = 0 };

    *count = 0;
    if (ca_der_enter(&input, CA_DER_SEQUENCE, "the name", &der, NULL) != CA_OK) return false;
    while (!ca_der_at_end(&der)) {
        struct ca_der rdn = { .reason = 0 };

        if (*count == CA_RDNS_MAX) return false;
        if (ca_der_enter(&der, CA_DER_SET, "an RDN", &rdn, NULL) != CA_OK) return false;
        rdns[(*count)++] = rdn.rest;
        while (!ca_der_at_end(&rdn)) {
            struct ava ava = { .oid = { .len = 0 } };

            if (next_ava(&rdn, &ava) != CA_OK) return false;
        }
    }
    return true;
}

void ca_name_print(struct ca_bytes name, struct ca_buf *out)
{
    struct ca_bytes rdns[CA_RDNS_MAX];
    size_t count = 0;

    if (!split(name, rdns, &count)) {
        ca_buf_append_u8(out, '#');     /* no name: nothing but its octets can be said */
        append_hex(out, name);
        return;
    }
    for (size_t i = count; i-- > 0;) {
        struct ca_der rdn = ca_der_open(rdns[i]);
        struct ava ava = { .oid = { .len = 0 } };

        if (i + 1 < count) ca_buf_append_u8(out, ',');
        while (!ca_der_at_end(&rdn) && next_ava(&rdn, &ava) == CA_OK) {
            print_ava(&ava, out);
            if (!ca_der_at_end(&rdn)) ca_buf_append_u8(out, '+');
        }
    }
}

struct ca_bytes ca_name_common_name(struct ca_bytes name)
{
    struct ca_bytes rdns[CA_RDNS_MAX];
    size_t count = 0;

    if (!split(name, rdns, &count)) return ca_bytes_of(NULL, 0);
    for (size_t i = 0; i < count; i++) {
        struct ca_der rdn = ca_der_open(rdns[i]);
        struct ava ava = { .oid = { .len = 0 } };

        while (!ca_der_at_end(&rdn) && next_ava(&rdn, &ava) == CA_OK) {
            if (rule_of(ava.oid) == &at_rules[3] && is_text(ava.value.tag))
                return ava.value.content;
        }
    }
    return ca_bytes_of(NULL, 0);
}
