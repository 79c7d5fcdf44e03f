#include "engine/general_name.h"

#include "engine/charset.h"
#include "engine/host_name.h"
#include "engine/name.h"

#include <arpa/inet.h>
#include <string.h>

/* GeneralName's tags (RFC 5280 4.2.1.6). directoryName is EXPLICIT, being a CHOICE inside. */
enum {
    TAG_OTHER = CA_DER_CONTEXT_CONSTRUCTED(0),
    TAG_EMAIL = CA_DER_CONTEXT(1),
    TAG_DNS = CA_DER_CONTEXT(2),
    TAG_X400 = CA_DER_CONTEXT_CONSTRUCTED(3),
    TAG_DIRECTORY = CA_DER_CONTEXT_CONSTRUCTED(4),
    TAG_EDI = CA_DER_CONTEXT_CONSTRUCTED(5),
    TAG_URI = CA_DER_CONTEXT(6),
    TAG_IP = CA_DER_CONTEXT(7),
    TAG_REGISTERED_ID = CA_DER_CONTEXT(8),
};

#define SHOWN_MAX 80                /* octets of a bad value that an error shows */

static int shown(struct ca_bytes value)
{
    return value.len < SHOWN_MAX ? (int)value.len : SHOWN_MAX;
}

/* "form" is the name's kind, "why" the end of the sentence. */
static enum ca_status refuse(struct ca_error *err, const char *form, struct ca_bytes value,
                             const char *why)
{
    /* A value with octets outside ASCII would spoil the sentence's encoding when it is cut. */
    size_t good = ca_charset_ascii(value);

    if (good < value.len)
        return ca_refuse(err, CA_REASON_BAD_SAN, "%s has octet %02x at place %zu", form,
                         value.data[good], good + 1);
    return ca_refuse(err, CA_REASON_BAD_SAN, "%s %.*s %s", form, shown(value),
                     value.len == 0 ? "" : (const char *)value.data, why);
}

/* The forms with a structure */

static enum ca_status check_directory(struct ca_bytes content, struct ca_error *err)
{
    bool empty = false;
    enum ca_status st = ca_name_check(content, &empty, err);

    if (st == CA_OK && empty)
        return ca_refuse(err, CA_REASON_BAD_SAN, "a directoryName is empty");
    return st;
}

/* The content is an IMPLICIT OID: without a tag of its own, so one is put before it. */
static enum ca_status check_registered_id(struct ca_bytes content, struct ca_error *err)
{
    uint8_t whole[2 + 64];
    struct ca_der der = { .rest = { whole, 2 + content.len }, .reason = CA_REASON_BAD_SAN };
    struct ca_bytes oid;

    if (content.len == 0 || content.len > sizeof(whole) - 2)
        return ca_refuse(err, CA_REASON_BAD_SAN, "a registeredID of %zu octets", content.len);
    (void)ca_der_put_header(whole, CA_DER_OID, content.len);
    memcpy(whole + 2, content.data, content.len);
    return ca_der_oid(&der, "a registeredID", &oid, err);
}

struct other_name {
    struct ca_bytes oid;
    struct ca_der_element value;
};

static enum ca_status read_other_name(struct ca_bytes content, struct other_name *out,
                                      struct ca_error *err)
{
    struct ca_der der = { .rest = content, .reason = CA_REASON_BAD_SAN };
    struct ca_der value = { .reason = 0 };
    enum ca_status st = ca_der_oid(&der, "an otherName's type", &out->oid, err);

    if (st == CA_OK)
        st = ca_der_enter(&der, CA_DER_CONTEXT_CONSTRUCTED(0), "an otherName's value", &value, err);
    if (st == CA_OK) st = ca_der_end(&der, "an otherName", err);
    if (st == CA_OK) st = ca_der_any(&value, &out->value, err);
    if (st == CA_OK) st = ca_der_end(&value, "an otherName's value", err);
    return st;
}

/* RFC 9598 3: a UTF8String; a mailbox whose local part is all ASCII has a form of its own, and the
 * host is written in A-labels. */
static const char *utf8_mailbox_fault(const struct ca_der_element *mailbox)
{
    struct ca_bytes text = mailbox->content;
    const uint8_t *at = text.len == 0 ? NULL : memrchr(text.data, '@', text.len);
    struct ca_bytes local;

    if (mailbox->tag != CA_DER_UTF8_STRING) return "is no UTF8String";
    if (at == NULL) return "has no @";
    local = ca_bytes_of(text.data, (size_t)(at - text.data));
    if (ca_charset_ascii(local) == local.len) return "has nothing but ASCII before the @";
    return ca_host_name_fault(ca_bytes_of(at + 1, text.len - local.len - 1), false);
}

static enum ca_status check_other_name(struct ca_bytes content, struct ca_error *err)
{
    static const uint8_t smtp_utf8_mailbox[] = { 0x2b, 6, 1, 5, 5, 7, 8, 9 };
    struct other_name other = { .oid = { .len = 0 } };
    struct ca_bytes value;
    size_t characters = 0;
    const char *fault = NULL;
    enum ca_status st = read_other_name(content, &other, err);

    if (st == CA_OK) st = ca_der_check_nested(other.value.whole, "an otherName's value", err);
    if (st != CA_OK) return st;
    value = other.value.content;
    if ((other.value.tag == CA_DER_UTF8_STRING &&
         ca_charset_utf8(value, &characters) < value.len) ||
        (other.value.tag == CA_DER_IA5_STRING && ca_charset_ascii(value) < value.len) ||
        (other.value.tag == CA_DER_PRINTABLE_STRING && ca_charset_printable(value) < value.len))
        return ca_refuse(err, CA_REASON_BAD_SAN,
                         "an otherName has an octet that its string type does not allow");
    if (ca_bytes_equal(other.oid, ca_bytes_of(smtp_utf8_mailbox, sizeof(smtp_utf8_mailbox))))
        fault = utf8_mailbox_fault(&other.value);
    if (fault == NULL) return CA_OK;
    return ca_refuse(err, CA_REASON_BAD_SAN, "a SmtpUTF8Mailbox %s (RFC 9598 3)", fault);
}

/* EDIPartyName ::= SEQUENCE { nameAssigner [0] DirectoryString OPTIONAL, partyName [1]
 * DirectoryString }: both tags are EXPLICIT, DirectoryString being a CHOICE. .len 0: no assigner,
 * which is never empty. */
struct edi_party_name {
    struct ca_bytes assigner, party;
};

static enum ca_status read_edi_text(struct ca_der *der, uint8_t tag, const char *what,
                                    struct ca_bytes *out, struct ca_error *err)
{
    struct ca_der text = { .reason = 0 };
    struct ca_der_element value = { .tag = 0 };
    size_t characters = 0, good = 0;
    enum ca_status st = ca_der_enter(der, tag, what, &text, err);

    if (st == CA_OK) st = ca_der_any(&text, &value, err);
    if (st == CA_OK) st = ca_der_end(&text, what, err);
    if (st != CA_OK) return st;
    if (value.tag == CA_DER_UTF8_STRING) {
        good = ca_charset_utf8(value.content, &characters);
    } else if (value.tag == CA_DER_PRINTABLE_STRING) {
        good = ca_charset_printable(value.content);
    } else {
        return ca_refuse(err, CA_REASON_BAD_SAN, "%s is no UTF8String or PrintableString", what);
    }
    if (value.content.len == 0) return ca_refuse(err, CA_REASON_BAD_SAN, "%s is empty", what);
    if (good < value.content.len)
        return ca_refuse(err, CA_REASON_BAD_SAN, "%s has octet %02x at place %zu", what,
                         value.content.data[good], good + 1);
    *out = value.content;
    return CA_OK;
}

static enum ca_status read_edi_party_name(struct ca_bytes content, struct edi_party_name *out,
                                          struct ca_error *err)
{
    struct ca_der der = { .rest = content, .reason = CA_REASON_BAD_SAN };
    enum ca_status st = CA_OK;

    if (ca_der_next_is(&der, CA_DER_CONTEXT_CONSTRUCTED(0))) {
        st = read_edi_text(&der, CA_DER_CONTEXT_CONSTRUCTED(0), "an ediPartyName's nameAssigner",
                           &out->assigner, err);
    }
    if (st == CA_OK)
        st = read_edi_text(&der, CA_DER_CONTEXT_CONSTRUCTED(1), "an ediPartyName's partyName",
                           &out->party, err);
    if (st == CA_OK) st = ca_der_end(&der, "an ediPartyName", err);
    return st;
}

static enum ca_status check_edi_party_name(struct ca_bytes content, struct ca_error *err)
{
    struct edi_party_name name = { .assigner = { .len = 0 } };

    return read_edi_party_name(content, &name, err);
}

/* Checking */

enum ca_status ca_general_name_check(const struct ca_der_element *name, struct ca_error *err)
{
    const char *form = NULL, *fault = NULL;

    switch (name->tag) {
    case TAG_DNS:
        form = "dNSName";
        fault = ca_host_name_fault(name->content, true);
        break;
    case TAG_EMAIL:
        form = "rfc822Name";
        fault = ca_mailbox_fault(name->content);
        break;
    case TAG_URI:
        form = "URI";
        fault = ca_uri_fault(name->content);
        break;
    case TAG_IP:
        if (name->content.len == 4 || name->content.len == 16) return CA_OK;
        return ca_refuse(err, CA_REASON_BAD_SAN, "an iPAddress of %zu octets, not 4 or 16",
                         name->content.len);
    case TAG_DIRECTORY: return check_directory(name->content, err);
    case TAG_REGISTERED_ID: return check_registered_id(name->content, err);
    case TAG_OTHER: return check_other_name(name->content, err);
    case TAG_X400: return ca_refuse(err, CA_REASON_BAD_SAN, "an x400Address is not supported");
    case TAG_EDI: return check_edi_party_name(name->content, err);
    default:
        return ca_refuse(err, CA_REASON_BAD_SAN, "tag %02x is no form of a general name",
                         name->tag);
    }
    return fault == NULL ? CA_OK : refuse(err, form, name->content, fault);
}

enum ca_status ca_san_check(struct ca_bytes general_names, struct ca_error *err)
{
    struct ca_der input = { .rest = general_names, .reason = CA_REASON_BAD_SAN };
    struct ca_der names = { .reason = 0 };
    size_t count = 0;
    enum ca_status st =
        ca_der_enter(&input, CA_DER_SEQUENCE, "the subjectAltName", &names, err);

    if (st == CA_OK) st = ca_der_end(&input, "the subjectAltName", err);
    if (st != CA_OK) return st;
    if (ca_der_at_end(&names))
        return ca_refuse(err, CA_REASON_BAD_SAN, "the subjectAltName has no names");
    while (!ca_der_at_end(&names)) {
        struct ca_der_element name = { .tag = 0 };

        if (count++ == CA_NAMES_MAX)
            return ca_refuse(err, CA_REASON_TOO_MANY_NAMES,
                             "the subjectAltName has more than %d names", CA_NAMES_MAX);
        st = ca_der_any(&names, &name, err);
        if (st == CA_OK) st = ca_general_name_check(&name, err);
        if (st != CA_OK) return st;
    }
    return CA_OK;
}

/* Walking */

void ca_san_open(struct ca_bytes general_names, struct ca_der *names)
{
    struct ca_der input = ca_der_open(general_names);

    *names = input;         /* stays so when it is no SEQUENCE */
    (void)!ca_der_enter(&input, CA_DER_SEQUENCE, "the names", names, NULL);
}

static bool form_of(uint8_t tag, enum ca_san_form *form)
{
    switch (tag) {
    case TAG_DNS: *form = CA_SAN_DNS; return true;
    case TAG_EMAIL: *form = CA_SAN_EMAIL; return true;
    case TAG_URI: *form = CA_SAN_URI; return true;
    case TAG_IP: *form = CA_SAN_IP; return true;
    case TAG_DIRECTORY: *form = CA_SAN_DIRECTORY_NAME; return true;
    case TAG_REGISTERED_ID: *form = CA_SAN_REGISTERED_ID; return true;
    case TAG_OTHER: *form = CA_SAN_OTHER_NAME; return true;
    case TAG_EDI: *form = CA_SAN_EDI_PARTY_NAME; return true;
    default: return false;
    }
}

bool ca_san_next(struct ca_der *names, struct ca_general_name *out)
{
    struct ca_der ahead = *names;       /* what cannot be read is not passed over */
    struct ca_der_element name = { .tag = 0 };
    struct other_name other = { .oid = { .len = 0 } };
    struct ca_general_name found = { .form = CA_SAN_DNS };

    if (ca_der_at_end(&ahead) || ca_der_any(&ahead, &name, NULL) != CA_OK ||
        !form_of(name.tag, &found.form))
        return false;
    if (name.tag == TAG_OTHER && read_other_name(name.content, &other, NULL) != CA_OK)
        return false;
    found.value = name.content;
    found.type = other.oid;
    *names = ahead;
    *out = found;
    return true;
}

/* Printing */

/* Commas and backslashes escaped, so that no value can look like two names. */
static void print_escaped(struct ca_bytes text, struct ca_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c < 0x20 || c > 0x7e) {
            ca_buf_printf(out, "\\%02X", c);
            continue;
        }
        if (c == ',' || c == '\\') ca_buf_append_u8(out, '\\');
        ca_buf_append_u8(out, c);
    }
}

static void print_ip(struct ca_bytes address, struct ca_buf *out)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address.len == 4) (void)inet_ntop(AF_INET, address.data, text, sizeof(text));
    if (address.len == 16) (void)inet_ntop(AF_INET6, address.data, text, sizeof(text));
    if (text[0] != '\0') {
        ca_buf_append_str(out, text);
        return;
    }
    for (size_t i = 0; i < address.len; i++) ca_buf_printf(out, "%02x", address.data[i]);
}

static void print_oid(struct ca_bytes oid, struct ca_buf *out)
{
    char dotted[256];

    ca_der_oid_text(oid, dotted, sizeof(dotted));
    ca_buf_append_str(out, dotted);
}

static void print_other_name(struct ca_bytes content, struct ca_buf *out)
{
    struct other_name other = { .oid = { .len = 0 } };

    if (read_other_name(content, &other, NULL) != CA_OK) return;
    print_oid(other.oid, out);
    ca_buf_append_u8(out, ':');
    if (other.value.tag == CA_DER_UTF8_STRING || other.value.tag == CA_DER_IA5_STRING ||
        other.value.tag == CA_DER_PRINTABLE_STRING) {
        print_escaped(other.value.content, out);
        return;
    }
    ca_buf_append_u8(out, '#');
    for (size_t i = 0; i < other.value.whole.len; i++)
        ca_buf_printf(out, "%02x", other.value.whole.data[i]);
}

/* "assigner/party"; a slash in either is escaped, so that no two print alike. */
static void print_edi_text(struct ca_bytes text, struct ca_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '/') ca_buf_append_u8(out, '\\');
        print_escaped(ca_bytes_of(text.data + i, 1), out);
    }
}

static void print_edi_party_name(struct ca_bytes content, struct ca_buf *out)
{
    struct edi_party_name name = { .assigner = { .len = 0 } };

    if (read_edi_party_name(content, &name, NULL) != CA_OK) {
        ca_buf_append_str(out, "<unsupported>");
        return;
    }
    if (name.assigner.len > 0) {
        print_edi_text(name.assigner, out);
        ca_buf_append_u8(out, '/');
    }
    print_edi_text(name.party, out);
}

/* A Name's text is UTF-8 and has commas of its own. */
static void print_directory(struct ca_bytes content, struct ca_buf *out)
{
    struct ca_buf text;

    ca_buf_init(&text, out->max);
    ca_name_print(content, &text);
    print_escaped(ca_buf_view(&text), out);
    if (text.failed != CA_OK && out->failed == CA_OK) out->failed = text.failed;
    ca_buf_clear(&text);
}

static void print_general_name(const struct ca_der_element *name, struct ca_buf *out)
{
    static const char *const prefixes[] = {
        "othername:", "email:", "DNS:", "X400:", "dirName:", "EDI:", "URI:", "IP:", "RID:",
    };
    size_t number = name->tag & 0x1f;

    ca_buf_append_str(out, number < CA_COUNT(prefixes) ? prefixes[number]
                                                                           : "unknown:");
    switch (name->tag) {
    case TAG_DNS:
    case TAG_EMAIL:
    case TAG_URI: print_escaped(name->content, out); break;
    case TAG_IP: print_ip(name->content, out); break;
    case TAG_DIRECTORY: print_directory(name->content, out); break;
    case TAG_REGISTERED_ID: print_oid(name->content, out); break;
    case TAG_OTHER: print_other_name(name->content, out); break;
    case TAG_EDI: print_edi_party_name(name->content, out); break;
    default: ca_buf_append_str(out, "<unsupported>"); break;
    }
}

void ca_san_print(struct ca_bytes general_names, struct ca_buf *out)
{
    struct ca_der input = ca_der_open(general_names);
    struct ca_der names = { .reason = 0 };
    bool first = true;

    if (ca_der_enter(&input, CA_DER_SEQUENCE, "the names", &names, NULL) != CA_OK) return;
    while (!ca_der_at_end(&names)) {
        struct ca_der_element name = { .tag = 0 };

        if (ca_der_any(&names, &name, NULL) != CA_OK) return;
        if (!first) ca_buf_append_str(out, ", ");
        print_general_name(&name, out);
        first = false;
    }
}

void ca_san_add_dns(struct ca_buf *out, const char *name)
{
    ca_der_add(out, TAG_DNS, ca_bytes_str(name));
}
