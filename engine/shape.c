#include "engine/shape.h"

#include "engine/charset.h"
#include "engine/name.h"
#include "engine/template.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OID_TEXT_MAX 64             /* spec 2.3 */
#define CUSTOM_VALUE_MAX 256        /* characters, spec 2.3 */
#define GENERAL_NAME_MAX 256        /* characters, spec section 7 */
#define DNS_NAME_MAX 253            /* and of a URI, spec section 7 */
#define IP_TEXT_MAX 39              /* spec section 7 */

/* Paths and errors */

struct ca_shape_path ca_shape_join(const char *path, const char *member)
{
    struct ca_shape_path joined;

    /* What is cut here belongs to a sentence only. */
    (void)snprintf(joined.text, sizeof(joined.text), "%.110s%s%.48s", path,
                   path[0] == '\0' ? "" : ".", member);
    return joined;
}

struct ca_shape_path ca_shape_at(const char *path, size_t index)
{
    struct ca_shape_path joined;

    (void)snprintf(joined.text, sizeof(joined.text), "%.110s[%zu]", path, index);
    return joined;
}

enum ca_status ca_shape_refuse(struct ca_error *err, const char *path, const char *format, ...)
{
    char sentence[CA_ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    return ca_fail_named(err, CA_REFUSED, "configuration", "%s%s%s", path,
                         path[0] == '\0' ? "" : ": ", sentence);
}

enum ca_status ca_shape_wrap(struct ca_error *err, const char *path, const struct ca_error *why)
{
    return ca_fail_named(err, why->status, why->name, "%s: %s", path, why->text);
}

/* JSON */

static enum ca_status parse_json(struct ca_bytes json, size_t max, json_t **out,
                                 struct ca_error *err)
{
    json_error_t why;
    json_t *value;

    if (json.len > max)
        return ca_fail_named(err, CA_MALFORMED, "bad-json", "longer than %zu octets", max);
    if (json.len == 0) return ca_fail_named(err, CA_MALFORMED, "bad-json", "is empty");
    if (json.len >= 3 && memcmp(json.data, "\xef\xbb\xbf", 3) == 0)
        return ca_fail_named(err, CA_MALFORMED, "bad-json",
                             "begins with a byte order mark; JSON has none (RFC 8259 8.1)");
    value = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &why);
    if (value == NULL && json_error_code(&why) == json_error_out_of_memory)
        return ca_fail(err, CA_NOMEM, "no memory for a JSON text");
    if (value == NULL)
        return ca_fail_named(err, CA_MALFORMED, "bad-json", "line %d, column %d: %s", why.line,
                             why.column, why.text);
    *out = value;
    return CA_OK;
}

enum ca_status ca_shape_parse(struct ca_bytes json, size_t max, json_t **out, struct ca_error *err)
{
    json_t *value = NULL;
    enum ca_status st = parse_json(json, max, &value, err);

    if (st != CA_OK) return st;
    if (!json_is_object(value)) {
        json_decref(value);
        return ca_fail_named(err, CA_MALFORMED, "bad-json", "not a JSON object");
    }
    *out = value;
    return CA_OK;
}

enum ca_status ca_shape_parse_list(struct ca_bytes json, size_t max, json_t **out,
                                   struct ca_error *err)
{
    json_t *value = NULL;
    enum ca_status st = parse_json(json, max, &value, err);

    if (st != CA_OK) return st;
    if (!json_is_array(value)) {
        json_decref(value);
        return ca_fail_named(err, CA_MALFORMED, "bad-json", "not a JSON list");
    }
    *out = value;
    return CA_OK;
}

static int dump_piece(const char *text, size_t len, void *arg)
{
    struct ca_buf *out = arg;

    ca_buf_append(out, text, len);
    return out->failed == CA_OK ? 0 : -1;
}

enum ca_status ca_shape_dump(const json_t *value, struct ca_buf *out, struct ca_error *err)
{
    if (json_dump_callback(value, dump_piece, out, JSON_COMPACT | JSON_SORT_KEYS) != 0 &&
        out->failed == CA_OK)
        return ca_fail(err, CA_NOMEM, "no memory for a JSON text");
    return ca_buf_status(out, "a JSON text", err);
}

static bool has_type(const json_t *value, enum ca_shape_type type)
{
    switch (type) {
    case CA_SHAPE_TEXT: return json_is_string(value);
    case CA_SHAPE_FLAG: return json_is_boolean(value);
    case CA_SHAPE_NUMBER: return json_is_integer(value);
    case CA_SHAPE_OBJECT: return json_is_object(value);
    case CA_SHAPE_LIST: return json_is_array(value);
    }
    return false;
}

static const char *type_phrase(enum ca_shape_type type)
{
    switch (type) {
    case CA_SHAPE_TEXT: return "a string";
    case CA_SHAPE_FLAG: return "true or false";
    case CA_SHAPE_NUMBER: return "a whole number";
    case CA_SHAPE_OBJECT: return "an object";
    case CA_SHAPE_LIST: return "a list";
    }
    return "something else";
}

static const struct ca_shape_member *find_member(const struct ca_shape_member *members,
                                                 size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(members[i].name, name) == 0) return &members[i];
    }
    return NULL;
}

enum ca_status ca_shape_check(const json_t *object, const char *path,
                              const struct ca_shape_member *members, size_t count,
                              struct ca_error *err)
{
    json_t *walked = ca_shape_mutable(object);
    const char *key;
    json_t *value;

    if (!json_is_object(object)) return ca_shape_refuse(err, path, "must be an object");
    json_object_foreach(walked, key, value) {
        const struct ca_shape_member *member = find_member(members, count, key);

        if (member == NULL)
            return ca_shape_refuse(err, ca_shape_join(path, key).text, "unknown member");
        if (!has_type(value, member->type))
            return ca_shape_refuse(err, ca_shape_join(path, key).text, "must be %s",
                                   type_phrase(member->type));
    }
    for (size_t i = 0; i < count; i++) {
        if (members[i].required && json_object_get(object, members[i].name) == NULL)
            return ca_shape_refuse(err, ca_shape_join(path, members[i].name).text, "is missing");
    }
    return CA_OK;
}

const char *ca_shape_text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

bool ca_shape_flag(const json_t *object, const char *member)
{
    return json_is_true(json_object_get(object, member));
}

int64_t ca_shape_number(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

/* Characters of a text that jansson has found to be UTF-8. */
static size_t characters_of(const char *text)
{
    size_t characters = 0;

    for (; *text != '\0'; text++) {
        if (((unsigned char)*text & 0xc0) != 0x80) characters++;
    }
    return characters;
}

enum ca_status ca_shape_check_length(const char *text, size_t max, const char *path,
                                     struct ca_error *err)
{
    size_t characters = characters_of(text);

    if (characters >= 1 && characters <= max) return CA_OK;
    return ca_shape_refuse(err, path, "has %zu characters, not 1 to %zu", characters, max);
}

enum ca_status ca_shape_check_count(const json_t *list, size_t max, const char *path,
                                    struct ca_error *err)
{
    size_t count = json_array_size(list);

    if (count >= 1 && count <= max) return CA_OK;
    return ca_shape_refuse(err, path, "has %zu entries, not 1 to %zu", count, max);
}

enum ca_status ca_shape_oid(const char *dotted, const char *path, struct ca_buf *out,
                            struct ca_error *err)
{
    struct ca_error why;
    enum ca_status st = ca_shape_check_length(dotted, OID_TEXT_MAX, path, err);

    if (st != CA_OK) return st;
    st = ca_der_oid_parse(dotted, out, &why);
    if (st == CA_MALFORMED) return ca_shape_refuse(err, path, "%s", why.text);
    return st == CA_OK ? CA_OK : ca_shape_wrap(err, path, &why);
}

/* Subject */

static enum ca_status add_custom(const json_t *attribute, const char *path, struct ca_buf *out,
                                 struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "ObjectIdentifier", CA_SHAPE_TEXT, true },
        { "Value", CA_SHAPE_TEXT, true },
    };
    struct ca_error why;
    enum ca_status st = ca_shape_check(attribute, path, members, 2, err);
    const char *oid = ca_shape_text(attribute, "ObjectIdentifier");
    const char *value = ca_shape_text(attribute, "Value");

    if (st != CA_OK) return st;
    st = ca_shape_check_length(oid, OID_TEXT_MAX, ca_shape_join(path, "ObjectIdentifier").text,
                               err);
    if (st != CA_OK) return st;
    st = ca_shape_check_length(value, CUSTOM_VALUE_MAX, ca_shape_join(path, "Value").text, err);
    if (st != CA_OK) return st;
    st = ca_name_add_custom(out, oid, value, &why);
    return st == CA_OK ? CA_OK : ca_shape_wrap(err, path, &why);
}

/* AWS allows 150; a Name of more than CA_RDNS_MAX attributes would be refused when it comes back
 * in the CA's own request. */
static enum ca_status add_customs(const json_t *list, const char *path, struct ca_buf *out,
                                  struct ca_error *err)
{
    size_t count = json_array_size(list);

    if (count < 1 || count > CA_RDNS_MAX)
        return ca_shape_refuse(err, path, "has %zu attributes, not 1 to %d", count, CA_RDNS_MAX);
    for (size_t i = 0; i < count; i++) {
        enum ca_status st = add_custom(json_array_get(list, i), ca_shape_at(path, i).text, out,
                                       err);

        if (st != CA_OK) return st;
    }
    return CA_OK;
}

/* The standard attributes in the order of the API's members, whatever order the JSON has. */
static enum ca_status add_standard(const json_t *subject, const char *path, struct ca_buf *out,
                                   struct ca_error *err)
{
    for (int i = 0; i < CA_ATTRIBUTE_COUNT; i++) {
        const char *member = ca_attribute_member((enum ca_attribute)i);
        const char *value = ca_shape_text(subject, member);
        struct ca_error why;

        if (value == NULL) continue;
        if (value[0] == '\0')
            return ca_shape_refuse(err, ca_shape_join(path, member).text, "is empty");
        if (ca_name_add(out, (enum ca_attribute)i, value, &why) != CA_OK)
            return ca_shape_wrap(err, ca_shape_join(path, member).text, &why);
    }
    return CA_OK;
}

enum ca_status ca_shape_subject(const json_t *subject, const char *path, struct ca_buf *out,
                                struct ca_error *err)
{
    struct ca_shape_member members[CA_ATTRIBUTE_COUNT + 1];
    const json_t *custom;
    size_t mark = out->len;
    enum ca_status st;

    for (int i = 0; i < CA_ATTRIBUTE_COUNT; i++) {
        members[i] = (struct ca_shape_member){ ca_attribute_member((enum ca_attribute)i),
                                               CA_SHAPE_TEXT, false };
    }
    members[CA_ATTRIBUTE_COUNT] =
        (struct ca_shape_member){ "CustomAttributes", CA_SHAPE_LIST, false };
    st = ca_shape_check(subject, path, members, CA_ATTRIBUTE_COUNT + 1, err);
    if (st != CA_OK) return st;
    custom = json_object_get(subject, "CustomAttributes");
    if (json_object_size(subject) == 0)
        return ca_shape_refuse(err, path, "at least one attribute is needed");
    if (custom != NULL && json_object_size(subject) > 1)
        return ca_shape_refuse(err, path,
                               "CustomAttributes cannot stand beside the standard attributes");
    if (custom != NULL) {
        st = add_customs(custom, ca_shape_join(path, "CustomAttributes").text, out, err);
    } else {
        st = add_standard(subject, path, out, err);
    }
    if (st != CA_OK) return st;
    ca_der_wrap(out, mark, CA_DER_SEQUENCE);
    return ca_buf_status(out, "a subject", err);
}

/* Key usage */

enum ca_status ca_shape_key_usage(const json_t *key_usage, const char *path, uint16_t *bits,
                                  struct ca_error *err)
{
    /* By bit. */
    static const struct ca_shape_member members[] = {
        { "DigitalSignature", CA_SHAPE_FLAG, false }, { "NonRepudiation", CA_SHAPE_FLAG, false },
        { "KeyEncipherment", CA_SHAPE_FLAG, false },  { "DataEncipherment", CA_SHAPE_FLAG, false },
        { "KeyAgreement", CA_SHAPE_FLAG, false },     { "KeyCertSign", CA_SHAPE_FLAG, false },
        { "CRLSign", CA_SHAPE_FLAG, false },          { "EncipherOnly", CA_SHAPE_FLAG, false },
        { "DecipherOnly", CA_SHAPE_FLAG, false },
    };
    const size_t count = CA_COUNT(members);
    uint16_t set = 0;
    enum ca_status st = ca_shape_check(key_usage, path, members, count, err);

    if (st != CA_OK) return st;
    for (size_t i = 0; i < count; i++) {
        if (ca_shape_flag(key_usage, members[i].name)) set = (uint16_t)(set | (1u << i));
    }
    *bits = set;
    return CA_OK;
}

/* General names */

static enum ca_status add_oid(const char *dotted, uint8_t tag, const char *path,
                              struct ca_buf *out, struct ca_error *err)
{
    size_t mark = out->len;
    enum ca_status st = ca_shape_oid(dotted, path, out, err);

    if (st == CA_OK) ca_der_wrap(out, mark, tag);
    return st;
}

/* OtherName ::= SEQUENCE { type-id OID, value [0] EXPLICIT ANY }; the value as a UTF8String, which
 * is what user principal names are. */
static enum ca_status add_other_name(const json_t *other, const char *path, struct ca_buf *out,
                                     struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "TypeId", CA_SHAPE_TEXT, true },
        { "Value", CA_SHAPE_TEXT, true },
    };
    const char *value = ca_shape_text(other, "Value");
    size_t mark = out->len, inner;
    enum ca_status st = ca_shape_check(other, path, members, 2, err);

    if (st != CA_OK) return st;
    st = add_oid(ca_shape_text(other, "TypeId"), CA_DER_OID, ca_shape_join(path, "TypeId").text,
                 out, err);
    if (st != CA_OK) return st;
    st = ca_shape_check_length(value, GENERAL_NAME_MAX, ca_shape_join(path, "Value").text, err);
    if (st != CA_OK) return st;
    inner = out->len;
    ca_der_add(out, CA_DER_UTF8_STRING, ca_bytes_str(value));
    ca_der_wrap(out, inner, CA_DER_CONTEXT_CONSTRUCTED(0));
    ca_der_wrap(out, mark, CA_DER_CONTEXT_CONSTRUCTED(0));
    return CA_OK;
}

/* One of EDIPartyName's texts, a DirectoryString: a CHOICE, hence EXPLICIT tags. */
static enum ca_status add_edi_text(const char *text, uint8_t tag, const char *path,
                                   struct ca_buf *out, struct ca_error *err)
{
    size_t mark = out->len;
    enum ca_status st = ca_shape_check_length(text, GENERAL_NAME_MAX, path, err);

    if (st != CA_OK) return st;
    ca_der_add(out, CA_DER_UTF8_STRING, ca_bytes_str(text));
    ca_der_wrap(out, mark, tag);
    return CA_OK;
}

static enum ca_status add_edi_party_name(const json_t *edi, const char *path, struct ca_buf *out,
                                         struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "PartyName", CA_SHAPE_TEXT, true },
        { "NameAssigner", CA_SHAPE_TEXT, false },
    };
    const char *assigner = ca_shape_text(edi, "NameAssigner");
    size_t mark = out->len;
    enum ca_status st = ca_shape_check(edi, path, members, 2, err);

    if (st == CA_OK && assigner != NULL)
        st = add_edi_text(assigner, CA_DER_CONTEXT_CONSTRUCTED(0),
                          ca_shape_join(path, "NameAssigner").text, out, err);
    if (st == CA_OK)
        st = add_edi_text(ca_shape_text(edi, "PartyName"), CA_DER_CONTEXT_CONSTRUCTED(1),
                          ca_shape_join(path, "PartyName").text, out, err);
    if (st == CA_OK) ca_der_wrap(out, mark, CA_DER_CONTEXT_CONSTRUCTED(5));
    return st;
}

static enum ca_status add_ip(const char *text, const char *path, struct ca_buf *out,
                             struct ca_error *err)
{
    uint8_t octets[16];
    enum ca_status st = ca_shape_check_length(text, IP_TEXT_MAX, path, err);

    if (st != CA_OK) return st;

    if (inet_pton(AF_INET, text, octets) == 1) {
        ca_der_add(out, CA_DER_CONTEXT(7), ca_bytes_of(octets, 4));
        return CA_OK;
    }
    if (inet_pton(AF_INET6, text, octets) == 1) {
        ca_der_add(out, CA_DER_CONTEXT(7), ca_bytes_of(octets, 16));
        return CA_OK;
    }
    return ca_shape_refuse(err, path, "is no IPv4 or IPv6 address");
}

static enum ca_status add_ia5(const char *text, uint8_t tag, size_t max, const char *path,
                              struct ca_buf *out, struct ca_error *err)
{
    enum ca_status st = ca_shape_check_length(text, max, path, err);

    if (st == CA_OK) ca_der_add(out, tag, ca_bytes_str(text));
    return st;
}

/* Adds the one member of a GeneralName; path is the member's. */
static enum ca_status add_form(const char *form, const json_t *value, const char *path,
                               struct ca_buf *out, struct ca_error *err)
{
    const char *text = json_string_value(value);
    size_t mark = out->len;
    enum ca_status st = CA_OK;

    if (strcmp(form, "OtherName") == 0) return add_other_name(value, path, out, err);
    if (strcmp(form, "Rfc822Name") == 0)
        return add_ia5(text, CA_DER_CONTEXT(1), GENERAL_NAME_MAX, path, out, err);
    if (strcmp(form, "DnsName") == 0)
        return add_ia5(text, CA_DER_CONTEXT(2), DNS_NAME_MAX, path, out, err);
    if (strcmp(form, "UniformResourceIdentifier") == 0)
        return add_ia5(text, CA_DER_CONTEXT(6), DNS_NAME_MAX, path, out, err);
    if (strcmp(form, "IpAddress") == 0) return add_ip(text, path, out, err);
    if (strcmp(form, "RegisteredId") == 0)
        return add_oid(text, CA_DER_CONTEXT(8), path, out, err);
    if (strcmp(form, "EdiPartyName") == 0) return add_edi_party_name(value, path, out, err);
    st = ca_shape_subject(value, path, out, err);       /* DirectoryName */
    if (st == CA_OK) ca_der_wrap(out, mark, CA_DER_CONTEXT_CONSTRUCTED(4));
    return st;
}

/* The strict check that foreign general names get, over ours, which begins at mark. */
static enum ca_status check_form(const struct ca_buf *out, size_t mark, const char *path,
                                 struct ca_error *err)
{
    struct ca_der input;
    struct ca_der_element name = { .tag = 0 };
    struct ca_error why;
    enum ca_status st = ca_buf_status(out, "a general name", err);

    if (st != CA_OK) return st;
    input = ca_der_open(ca_bytes_of(out->data + mark, out->len - mark));
    st = ca_der_any(&input, &name, &why);
    if (st == CA_OK) st = ca_general_name_check(&name, &why);
    return st == CA_OK ? CA_OK : ca_shape_refuse(err, path, "%s", why.text);
}

enum ca_status ca_shape_general_name(const json_t *name, const char *path, struct ca_buf *out,
                                     struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "OtherName", CA_SHAPE_OBJECT, false },
        { "Rfc822Name", CA_SHAPE_TEXT, false },
        { "DnsName", CA_SHAPE_TEXT, false },
        { "DirectoryName", CA_SHAPE_OBJECT, false },
        { "EdiPartyName", CA_SHAPE_OBJECT, false },
        { "UniformResourceIdentifier", CA_SHAPE_TEXT, false },
        { "IpAddress", CA_SHAPE_TEXT, false },
        { "RegisteredId", CA_SHAPE_TEXT, false },
    };
    struct ca_shape_path member;
    const char *form;
    void *first;
    size_t mark = out->len;
    enum ca_status st = ca_shape_check(name, path, members, CA_COUNT(members),
                                       err);

    if (st != CA_OK) return st;
    if (json_object_size(name) != 1)
        return ca_shape_refuse(err, path, "must have exactly one member");
    first = json_object_iter(ca_shape_mutable(name));
    form = json_object_iter_key(first);
    member = ca_shape_join(path, form);
    st = add_form(form, json_object_iter_value(first), member.text, out, err);
    return st == CA_OK ? check_form(out, mark, member.text, err) : st;
}

enum ca_status ca_shape_general_name_text(const char *text, const char *path, struct ca_buf *out,
                                          struct ca_error *err)
{
    size_t mark = out->len;
    enum ca_status st;

    if (strncmp(text, "DNS:", 4) == 0) {
        st = add_ia5(text + 4, CA_DER_CONTEXT(2), DNS_NAME_MAX, path, out, err);
    } else if (strncmp(text, "IP:", 3) == 0) {
        st = add_ip(text + 3, path, out, err);
    } else if (strncmp(text, "email:", 6) == 0) {
        st = add_ia5(text + 6, CA_DER_CONTEXT(1), GENERAL_NAME_MAX, path, out, err);
    } else if (strncmp(text, "URI:", 4) == 0) {
        st = add_ia5(text + 4, CA_DER_CONTEXT(6), DNS_NAME_MAX, path, out, err);
    } else {
        return ca_shape_refuse(err, path, "must begin with DNS:, IP:, email: or URI:");
    }
    return st == CA_OK ? check_form(out, mark, path, err) : st;
}
