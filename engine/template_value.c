#include "engine/template_value.h"

#include "engine/charset.h"
#include "engine/der.h"
#include "engine/finding_json.h"

#include <assert.h>

/* The member that a value of each form has. */
static const char *const forms[] = { "der",       "null", "boolean", "integer", "utf8",
                                     "printable", "ia5",  "octets",  "oid",     "sequence" };
enum form { FORM_DER, FORM_NULL, FORM_BOOLEAN, FORM_INTEGER, FORM_UTF8, FORM_PRINTABLE, FORM_IA5,
            FORM_OCTETS, FORM_OID, FORM_SEQUENCE, FORM_COUNT };

static_assert(CA_COUNT(forms) == FORM_COUNT, "a name for each form");

static bool add_value(const json_t *value, const char *path, unsigned depth,
                      struct ca_findings *findings, struct ca_buf *out);

static bool read_hex(const json_t *object, const char *path, const char *member,
                     struct ca_findings *findings, uint8_t *octets, size_t *len)
{
    const char *text = ca_finding_text(findings, object, path, member, 0, 3 * CA_VALUE_MAX);
    struct ca_error why;

    if (text == NULL) return false;
    if (ca_hex_decode(text, octets, CA_VALUE_MAX, len, &why) == CA_OK) return true;
    ca_finding_add(findings, ca_finding_join(path, member).text, "%s", why.text);
    return false;
}

static bool add_der(const json_t *object, const char *path, struct ca_findings *findings,
                    struct ca_buf *out)
{
    uint8_t octets[CA_VALUE_MAX];
    struct ca_error why;
    size_t len = 0;

    if (!read_hex(object, path, "der", findings, octets, &len)) return false;
    if (ca_der_check_nested(ca_bytes_of(octets, len), "the value", &why) != CA_OK) {
        ca_finding_add(findings, ca_finding_join(path, "der").text, "is not one DER element: %s",
                       why.text);
        return false;
    }
    ca_buf_append(out, octets, len);
    return true;
}

static bool add_null(const json_t *object, const char *path, struct ca_findings *findings,
                     struct ca_buf *out)
{
    if (!json_is_true(json_object_get(object, "null"))) {
        ca_finding_add(findings, ca_finding_join(path, "null").text, "must be true");
        return false;
    }
    ca_der_add(out, CA_DER_NULL, ca_bytes_of(NULL, 0));
    return true;
}

static bool add_boolean(const json_t *object, const char *path, struct ca_findings *findings,
                        struct ca_buf *out)
{
    bool set = false;
    uint8_t octet;

    if (!ca_finding_flag(findings, object, path, "boolean", &set)) return false;
    octet = set ? 0xff : 0;
    ca_der_add(out, CA_DER_BOOLEAN, ca_bytes_of(&octet, 1));
    return true;
}

/* Two's complement without octets that only repeat the sign (X.690 8.3.2). */
static bool add_integer(const json_t *object, const char *path, struct ca_findings *findings,
                        struct ca_buf *out)
{
    int64_t number = 0;
    uint8_t octets[8];
    size_t skip = 0;

    if (!ca_finding_number(findings, object, path, "integer", INT64_MIN, INT64_MAX, &number))
        return false;
    ca_put_u64(octets, (uint64_t)number);
    while (skip < 7 && octets[skip] == (number < 0 ? 0xff : 0) &&
           (octets[skip + 1] >= 0x80) == (number < 0)) {
        skip++;
    }
    ca_der_add(out, CA_DER_INTEGER, ca_bytes_of(octets + skip, sizeof(octets) - skip));
    return true;
}

static bool add_text(const json_t *object, const char *path, enum form form, uint8_t tag,
                     struct ca_findings *findings, struct ca_buf *out)
{
    const char *text = ca_finding_text(findings, object, path, forms[form], 0, CA_VALUE_MAX);
    struct ca_bytes octets;
    size_t good;

    if (text == NULL) return false;
    octets = ca_bytes_str(text);
    good = octets.len;              /* utf8: ca_finding_text has seen to it */
    if (form == FORM_PRINTABLE) good = ca_charset_printable(octets);
    if (form == FORM_IA5) good = ca_charset_ascii(octets);
    if (good != octets.len) {
        ca_finding_add(findings, ca_finding_join(path, forms[form]).text,
                       "has a character that this string type does not have");
        return false;
    }
    ca_der_add(out, tag, octets);
    return true;
}

static bool add_octets(const json_t *object, const char *path, struct ca_findings *findings,
                       struct ca_buf *out)
{
    uint8_t octets[CA_VALUE_MAX];
    size_t len = 0;

    if (!read_hex(object, path, "octets", findings, octets, &len)) return false;
    ca_der_add(out, CA_DER_OCTET_STRING, ca_bytes_of(octets, len));
    return true;
}

static bool add_oid(const json_t *object, const char *path, struct ca_findings *findings,
                    struct ca_buf *out)
{
    size_t mark = out->len;

    if (!ca_finding_oid(findings, json_object_get(object, "oid"),
                        ca_finding_join(path, "oid").text, out))
        return false;
    ca_der_wrap(out, mark, CA_DER_OID);
    return true;
}

static bool add_sequence(const json_t *object, const char *path, unsigned depth,
                         struct ca_findings *findings, struct ca_buf *out)
{
    const json_t *list =
        ca_finding_list(findings, object, path, "sequence", 0, CA_VALUE_ITEMS_MAX);
    struct ca_finding_path at = ca_finding_join(path, "sequence");
    size_t mark = out->len;
    bool good = true;

    if (list == NULL) return false;
    if (depth == CA_VALUE_DEPTH_MAX) {
        ca_finding_add(findings, at.text, "more than %d sequences inside each other",
                       CA_VALUE_DEPTH_MAX);
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!add_value(json_array_get(list, i), ca_finding_at(at.text, i).text, depth + 1,
                       findings, out))
            good = false;
    }
    ca_der_wrap(out, mark, CA_DER_SEQUENCE);
    return good;
}

/* The one member that the value has; FORM_COUNT after a mistake. */
static enum form form_of(const json_t *value, const char *path, struct ca_findings *findings)
{
    if (!ca_finding_object(findings, value, path, forms, FORM_COUNT)) return FORM_COUNT;
    for (size_t i = 0; i < FORM_COUNT; i++) {
        if (json_object_size(value) == 1 && json_object_get(value, forms[i]) != NULL)
            return (enum form)i;
    }
    ca_finding_add(findings, path, "must have exactly one member, the form of the value");
    return FORM_COUNT;
}

static bool add_value(const json_t *value, const char *path, unsigned depth,
                      struct ca_findings *findings, struct ca_buf *out)
{
    enum form form = form_of(value, path, findings);

    switch (form) {
    case FORM_DER: return add_der(value, path, findings, out);
    case FORM_NULL: return add_null(value, path, findings, out);
    case FORM_BOOLEAN: return add_boolean(value, path, findings, out);
    case FORM_INTEGER: return add_integer(value, path, findings, out);
    case FORM_UTF8: return add_text(value, path, form, CA_DER_UTF8_STRING, findings, out);
    case FORM_PRINTABLE: return add_text(value, path, form, CA_DER_PRINTABLE_STRING, findings, out);
    case FORM_IA5: return add_text(value, path, form, CA_DER_IA5_STRING, findings, out);
    case FORM_OCTETS: return add_octets(value, path, findings, out);
    case FORM_OID: return add_oid(value, path, findings, out);
    case FORM_SEQUENCE: return add_sequence(value, path, depth, findings, out);
    case FORM_COUNT: break;
    }
    return false;
}

bool ca_template_value(const json_t *value, const char *path, struct ca_findings *findings,
                       struct ca_buf *out)
{
    return add_value(value, path, 0, findings, out);
}
