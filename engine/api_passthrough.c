#include "engine/api_passthrough.h"

#include "engine/ext.h"
#include "engine/extension_value.h"
#include "engine/host_name.h"
#include "engine/name.h"
#include "engine/pem.h"
#include "engine/shape.h"

#include <string.h>

/* Limits of spec section 7. */
#define LIST_MAX 20                 /* policies, qualifiers, purposes */
#define NAMES_MAX 150
#define CUSTOM_EXTENSIONS_MAX 150
#define CPS_URI_MAX 256
#define BASE64_MAX 4096

#define OID_OCTETS_MAX 64           /* what ca_der_oid_parse gives */

_Static_assert(CUSTOM_EXTENSIONS_MAX + 3 == CA_API_EXTENSIONS_MAX, "three typed members");
_Static_assert(LIST_MAX <= CA_EXTENSION_ENTRIES_MAX, "what is built passes the check");

/* More than a JSON text of CA_API_JSON_MAX can become: a bound on memory, never met. */
#define SCRATCH_MAX (4 * (size_t)CA_API_JSON_MAX)

struct reader {
    struct ca_arena *arena;
    struct ca_api *out;
    struct ca_buf value;            /* of the extension at hand */
    struct ca_buf scratch;
};

/* What the readers of shapes say about a value is a refusal of the whole; *err has the path. */
static enum ca_status as_refusal(enum ca_status st, const char *name, struct ca_error *err)
{
    if (!ca_status_is_request(st)) return st;
    if (err != NULL) {
        err->status = CA_REFUSED;
        err->name = name;
        err->reason = CA_REASON_BAD_MEMBER;
    }
    return CA_REFUSED;
}

static enum ca_status as_bad_json(enum ca_status st, struct ca_error *err)
{
    if (ca_status_is_request(st) && err != NULL) err->reason = CA_REASON_BAD_MEMBER;
    return st;
}

/* Names */

/* A Name into arena, past the check that foreign ones get. */
static enum ca_status read_subject(const json_t *subject, const char *path, struct ca_buf *scratch,
                                   struct ca_arena *arena, struct ca_bytes *out,
                                   struct ca_error *err)
{
    struct ca_error why;
    bool empty = false;
    enum ca_status st;

    ca_buf_reset(scratch);
    st = ca_shape_subject(subject, path, scratch, err);
    if (st != CA_OK) return st;
    if (ca_name_check(ca_buf_view(scratch), &empty, &why) != CA_OK)
        return ca_shape_wrap(err, path, &why);
    return ca_arena_copy(arena, ca_buf_view(scratch), "a subject", out, err);
}

/* GeneralNames into arena from a list of objects, or where texts are let be of texts too. */
static enum ca_status read_names(const json_t *list, size_t max, bool texts, const char *path,
                                 struct ca_buf *scratch, struct ca_arena *arena,
                                 struct ca_bytes *out, struct ca_error *err)
{
    struct ca_error why;
    enum ca_status st = ca_shape_check_count(list, max, path, err);

    ca_buf_reset(scratch);
    for (size_t i = 0; st == CA_OK && i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);
        struct ca_shape_path at = ca_shape_at(path, i);

        if (texts && json_is_string(name)) {
            st = ca_shape_general_name_text(json_string_value(name), at.text, scratch, err);
        } else {
            st = ca_shape_general_name(name, at.text, scratch, err);
        }
    }
    if (st != CA_OK) return st;
    ca_der_wrap(scratch, 0, CA_DER_SEQUENCE);
    st = ca_buf_status(scratch, "general names", err);
    if (st != CA_OK) return st;
    if (ca_san_check(ca_buf_view(scratch), &why) != CA_OK) return ca_shape_wrap(err, path, &why);
    return ca_arena_copy(arena, ca_buf_view(scratch), "general names", out, err);
}

/* Extensions */

/* Puts the value at hand into an extension. A type can be given once, whoever gives it. */
static enum ca_status add_extension(struct reader *r, const char *path, struct ca_bytes oid,
                                    bool critical, enum ca_ignored name, struct ca_error *err)
{
    struct ca_api_extension *extension = &r->out->extensions[r->out->extension_count];
    struct ca_bytes value = ca_buf_view(&r->value);
    struct ca_der input, inner = { .reason = 0 };
    struct ca_error why;
    enum ca_status st = ca_buf_status(&r->value, "an extension", err);

    if (st != CA_OK) return st;
    for (size_t i = 0; i < r->out->extension_count; i++) {
        if (ca_bytes_equal(r->out->extensions[i].oid, oid))
            return ca_shape_refuse(err, path, "this extension is given twice");
    }
    if (ca_extension_value_check(oid, value, &why) != CA_OK)
        return ca_shape_wrap(err, path, &why);
    ca_buf_reset(&r->scratch);
    ca_ext_add(&r->scratch, oid, critical, value);
    st = ca_buf_status(&r->scratch, "an extension", err);
    if (st == CA_OK)
        st = ca_arena_copy(r->arena, ca_buf_view(&r->scratch), "an extension", &extension->whole,
                           err);
    if (st != CA_OK) return st;
    input = ca_der_open(extension->whole);
    st = ca_der_enter(&input, CA_DER_SEQUENCE, "an extension", &inner, err);
    if (st == CA_OK) st = ca_der_oid(&inner, "an extension's type", &extension->oid, err);
    if (st != CA_OK) return st;
    extension->value = ca_bytes_slice(extension->whole, extension->whole.len - value.len,
                                      value.len);
    extension->critical = critical;
    extension->name = name;
    r->out->extension_count++;
    return CA_OK;
}

/* The OIDs of a list, so that none comes twice. */
struct oids {
    uint8_t octets[LIST_MAX][OID_OCTETS_MAX];
    size_t len[LIST_MAX];
    size_t count;
};

/* The OID whose content octets were put at out's end, from mark on. */
static enum ca_status note_oid(struct oids *oids, const struct ca_buf *out, size_t mark,
                               const char *path, struct ca_error *err)
{
    size_t len = out->len - mark;
    enum ca_status st = ca_buf_status(out, "an extension", err);

    if (st != CA_OK) return st;
    for (size_t i = 0; i < oids->count; i++) {
        if (oids->len[i] == len && memcmp(oids->octets[i], out->data + mark, len) == 0)
            return ca_shape_refuse(err, path, "stands twice in its list");
    }
    memcpy(oids->octets[oids->count], out->data + mark, len);
    oids->len[oids->count++] = len;
    return CA_OK;
}

static enum ca_status add_qualifier(const json_t *qualifier, const char *path, struct ca_buf *out,
                                    struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "PolicyQualifierId", CA_SHAPE_TEXT, true },
        { "Qualifier", CA_SHAPE_OBJECT, true },
    };
    static const struct ca_shape_member inner[] = { { "CpsUri", CA_SHAPE_TEXT, true } };
    static const uint8_t cps[] = { 0x2b, 6, 1, 5, 5, 7, 2, 1 };
    const json_t *object = json_object_get(qualifier, "Qualifier");
    struct ca_shape_path at = ca_shape_join(path, "Qualifier");
    const char *uri, *why;
    size_t mark = out->len;
    enum ca_status st = ca_shape_check(qualifier, path, members, CA_COUNT(members), err);

    if (st != CA_OK) return st;
    if (strcmp(ca_shape_text(qualifier, "PolicyQualifierId"), "CPS") != 0)
        return ca_shape_refuse(err, ca_shape_join(path, "PolicyQualifierId").text, "must be CPS");
    st = ca_shape_check(object, at.text, inner, CA_COUNT(inner), err);
    if (st != CA_OK) return st;
    uri = ca_shape_text(object, "CpsUri");
    at = ca_shape_join(at.text, "CpsUri");
    st = ca_shape_check_length(uri, CPS_URI_MAX, at.text, err);
    if (st != CA_OK) return st;
    why = ca_uri_fault(ca_bytes_str(uri));
    if (why != NULL) return ca_shape_refuse(err, at.text, "%s", why);
    ca_der_add_oid(out, ca_bytes_of(cps, sizeof(cps)));
    ca_der_add(out, CA_DER_IA5_STRING, ca_bytes_str(uri));
    ca_der_wrap(out, mark, CA_DER_SEQUENCE);
    return CA_OK;
}

/* The qualifiers behind a policy's identifier. */
static enum ca_status add_qualifiers(const json_t *list, const char *path, struct ca_buf *out,
                                     struct ca_error *err)
{
    size_t mark = out->len;
    enum ca_status st = ca_shape_check_count(list, LIST_MAX, path, err);

    for (size_t i = 0; st == CA_OK && i < json_array_size(list); i++)
        st = add_qualifier(json_array_get(list, i), ca_shape_at(path, i).text, out, err);
    if (st == CA_OK) ca_der_wrap(out, mark, CA_DER_SEQUENCE);
    return st;
}

static enum ca_status add_policy(const json_t *policy, const char *path, struct oids *oids,
                                 struct ca_buf *out, struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "CertPolicyId", CA_SHAPE_TEXT, true },
        { "PolicyQualifiers", CA_SHAPE_LIST, false },
    };
    const json_t *qualifiers = json_object_get(policy, "PolicyQualifiers");
    struct ca_shape_path at = ca_shape_join(path, "CertPolicyId");
    size_t mark = out->len, policy_mark = out->len;
    enum ca_status st = ca_shape_check(policy, path, members, CA_COUNT(members), err);

    if (st == CA_OK) st = ca_shape_oid(ca_shape_text(policy, "CertPolicyId"), at.text, out, err);
    if (st == CA_OK) st = note_oid(oids, out, mark, at.text, err);
    if (st != CA_OK) return st;
    ca_der_wrap(out, mark, CA_DER_OID);
    if (qualifiers != NULL)
        st = add_qualifiers(qualifiers, ca_shape_join(path, "PolicyQualifiers").text, out, err);
    if (st == CA_OK) ca_der_wrap(out, policy_mark, CA_DER_SEQUENCE);
    return st;
}

static enum ca_status read_policies(struct reader *r, const json_t *list, struct ca_error *err)
{
    const char *path = "Extensions.CertificatePolicies";
    struct oids oids;
    enum ca_status st = ca_shape_check_count(list, LIST_MAX, path, err);

    oids.count = 0;
    ca_buf_reset(&r->value);
    for (size_t i = 0; st == CA_OK && i < json_array_size(list); i++)
        st = add_policy(json_array_get(list, i), ca_shape_at(path, i).text, &oids, &r->value, err);
    if (st != CA_OK) return st;
    ca_der_wrap(&r->value, 0, CA_DER_SEQUENCE);
    return add_extension(r, path, ca_oid_certificate_policies, false,
                         CA_IGNORED_API_CERTIFICATE_POLICIES, err);
}

static enum ca_status read_key_usage(struct reader *r, const json_t *key_usage,
                                     struct ca_error *err)
{
    const char *path = "Extensions.KeyUsage";
    uint16_t bits = 0;
    enum ca_status st = ca_shape_key_usage(key_usage, path, &bits, err);

    if (st != CA_OK) return st;
    /* RFC 5280 4.2.1.3 */
    if (bits == 0) return ca_shape_refuse(err, path, "at least one usage must be true");
    ca_buf_reset(&r->value);
    ca_der_add_named_bits(&r->value, bits);
    return add_extension(r, path, ca_oid_key_usage, true, CA_IGNORED_API_KEY_USAGE, err);
}

/* Appends the content octets of the purpose with this name. */
static enum ca_status add_purpose_type(const char *type, const char *path, struct ca_buf *out,
                                       struct ca_error *err)
{
    /* By bit of enum ca_eku. */
    static const char *const types[] = {
        "SERVER_AUTH", "CLIENT_AUTH", "CODE_SIGNING", "OCSP_SIGNING", "EMAIL_PROTECTION",
        "TIME_STAMPING", "SMART_CARD_LOGIN", "DOCUMENT_SIGNING", "CERTIFICATE_TRANSPARENCY",
    };
    _Static_assert(CA_COUNT(types) == CA_EKU_COUNT, "one name a purpose");

    for (unsigned bit = 0; bit < CA_COUNT(types); bit++) {
        if (strcmp(types[bit], type) != 0) continue;
        ca_buf_append_bytes(out, ca_eku_oid(bit));
        return CA_OK;
    }
    return ca_shape_refuse(err, path, "must be one of SERVER_AUTH, CLIENT_AUTH, CODE_SIGNING, "
                           "EMAIL_PROTECTION, TIME_STAMPING, OCSP_SIGNING, ...");
}

static enum ca_status add_purpose(const json_t *purpose, const char *path, struct oids *oids,
                                  struct ca_buf *out, struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "ExtendedKeyUsageType", CA_SHAPE_TEXT, false },
        { "ExtendedKeyUsageObjectIdentifier", CA_SHAPE_TEXT, false },
    };
    struct ca_shape_path at;
    const char *text;
    size_t mark = out->len;
    enum ca_status st = ca_shape_check(purpose, path, members, CA_COUNT(members), err);

    if (st != CA_OK) return st;
    if (json_object_size(purpose) != 1)
        return ca_shape_refuse(err, path, "must have exactly one member");
    text = ca_shape_text(purpose, "ExtendedKeyUsageType");
    if (text != NULL) {
        at = ca_shape_join(path, "ExtendedKeyUsageType");
        st = add_purpose_type(text, at.text, out, err);
    } else {
        at = ca_shape_join(path, "ExtendedKeyUsageObjectIdentifier");
        st = ca_shape_oid(ca_shape_text(purpose, "ExtendedKeyUsageObjectIdentifier"), at.text, out,
                          err);
    }
    if (st == CA_OK) st = note_oid(oids, out, mark, at.text, err);
    if (st == CA_OK) ca_der_wrap(out, mark, CA_DER_OID);
    return st;
}

static enum ca_status read_purposes(struct reader *r, const json_t *list, struct ca_error *err)
{
    const char *path = "Extensions.ExtendedKeyUsage";
    struct oids oids;
    enum ca_status st = ca_shape_check_count(list, LIST_MAX, path, err);

    oids.count = 0;
    ca_buf_reset(&r->value);
    for (size_t i = 0; st == CA_OK && i < json_array_size(list); i++)
        st = add_purpose(json_array_get(list, i), ca_shape_at(path, i).text, &oids, &r->value, err);
    if (st != CA_OK) return st;
    ca_der_wrap(&r->value, 0, CA_DER_SEQUENCE);
    return add_extension(r, path, ca_oid_ext_key_usage, false, CA_IGNORED_API_EXT_KEY_USAGE, err);
}

static enum ca_status read_san(struct reader *r, const json_t *list, struct ca_error *err)
{
    enum ca_status st = read_names(list, NAMES_MAX, false, "Extensions.SubjectAlternativeNames",
                                   &r->scratch, r->arena, &r->out->san, err);

    r->out->has_san = st == CA_OK;
    return st;
}

/* Custom extensions */

/* The value at hand from its base64 text. */
static enum ca_status read_base64(struct reader *r, const char *text, const char *path,
                                  struct ca_error *err)
{
    uint8_t octets[BASE64_MAX];
    struct ca_error why;
    size_t len = 0;
    enum ca_status st = ca_shape_check_length(text, BASE64_MAX, path, err);

    if (st != CA_OK) return st;
    /* The decoder for PEM files skips white space, and the check above counts characters. */
    if (strlen(text) > BASE64_MAX || strpbrk(text, " \t\r\n") != NULL)
        return ca_shape_refuse(err, path, "has a character that base64 does not have");
    if (ca_base64_decode(ca_bytes_str(text), octets, &len, &why) != CA_OK)
        return ca_shape_wrap(err, path, &why);
    ca_buf_reset(&r->value);
    ca_buf_append(&r->value, octets, len);
    return CA_OK;
}

/* A custom 2.5.29.17 is the SAN, as if it had been given by its own member. */
static enum ca_status take_custom_san(struct reader *r, const char *path, bool critical,
                                      struct ca_error *err)
{
    struct ca_bytes value = ca_buf_view(&r->value);
    struct ca_error why;
    enum ca_status st;

    if (r->out->has_san) return ca_shape_refuse(err, path, "this extension is given twice");
    if (ca_extension_value_check(ca_oid_subject_alt_name, value, &why) != CA_OK)
        return ca_shape_wrap(err, path, &why);
    st = ca_arena_copy(r->arena, value, "general names", &r->out->san, err);
    r->out->has_san = st == CA_OK;
    r->out->san_critical = critical;
    return st;
}

static enum ca_status read_custom(struct reader *r, const json_t *custom, const char *path,
                                  struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "ObjectIdentifier", CA_SHAPE_TEXT, true },
        { "Value", CA_SHAPE_TEXT, true },
        { "Critical", CA_SHAPE_FLAG, false },
    };
    bool critical = ca_shape_flag(custom, "Critical");
    struct ca_shape_path at = ca_shape_join(path, "ObjectIdentifier");
    struct ca_buf oid;
    enum ca_status st = ca_shape_check(custom, path, members, CA_COUNT(members), err);

    ca_buf_init(&oid, OID_OCTETS_MAX);
    if (st == CA_OK)
        st = ca_shape_oid(ca_shape_text(custom, "ObjectIdentifier"), at.text, &oid, err);
    if (st == CA_OK) st = ca_buf_status(&oid, "an extension's type", err);
    if (st == CA_OK && ca_bytes_equal(ca_buf_view(&oid), ca_oid_ct_poison))
        st = ca_shape_refuse(err, at.text, "a precertificate's poison is never issued");
    if (st == CA_OK)
        st = read_base64(r, ca_shape_text(custom, "Value"), ca_shape_join(path, "Value").text, err);
    if (st != CA_OK) goto out;
    if (ca_bytes_equal(ca_buf_view(&oid), ca_oid_subject_alt_name)) {
        st = take_custom_san(r, path, critical, err);
    } else {
        st = add_extension(r, path, ca_buf_view(&oid), critical, CA_IGNORED_API_CUSTOM_EXTENSION,
                           err);
    }
out:
    ca_buf_clear(&oid);
    return st;
}

static enum ca_status read_customs(struct reader *r, const json_t *list, struct ca_error *err)
{
    const char *path = "Extensions.CustomExtensions";
    enum ca_status st = ca_shape_check_count(list, CUSTOM_EXTENSIONS_MAX, path, err);

    for (size_t i = 0; st == CA_OK && i < json_array_size(list); i++)
        st = read_custom(r, json_array_get(list, i), ca_shape_at(path, i).text, err);
    return st;
}

/* In the order in which they will stand in the certificate. */
static enum ca_status read_extensions(struct reader *r, const json_t *extensions,
                                      struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "CertificatePolicies", CA_SHAPE_LIST, false },
        { "KeyUsage", CA_SHAPE_OBJECT, false },
        { "ExtendedKeyUsage", CA_SHAPE_LIST, false },
        { "SubjectAlternativeNames", CA_SHAPE_LIST, false },
        { "CustomExtensions", CA_SHAPE_LIST, false },
    };
    static enum ca_status (*const readers[])(struct reader *, const json_t *, struct ca_error *) = {
        read_policies, read_key_usage, read_purposes, read_san, read_customs,
    };
    enum ca_status st = ca_shape_check(extensions, "Extensions", members, CA_COUNT(members), err);

    _Static_assert(CA_COUNT(members) == CA_COUNT(readers), "one reader a member");
    for (size_t i = 0; st == CA_OK && i < CA_COUNT(members); i++) {
        const json_t *value = json_object_get(extensions, members[i].name);

        if (value != NULL) st = readers[i](r, value, err);
    }
    return st;
}

static enum ca_status read_api(struct reader *r, const json_t *root, struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "Subject", CA_SHAPE_OBJECT, false },
        { "Extensions", CA_SHAPE_OBJECT, false },
    };
    const json_t *subject = json_object_get(root, "Subject");
    const json_t *extensions = json_object_get(root, "Extensions");
    enum ca_status st = ca_shape_check(root, "", members, CA_COUNT(members), err);

    if (st == CA_OK && subject != NULL)
        st = read_subject(subject, "Subject", &r->scratch, r->arena, &r->out->subject, err);
    if (st == CA_OK && extensions != NULL) st = read_extensions(r, extensions, err);
    return st;
}

enum ca_status ca_api_parse(struct ca_bytes json, struct ca_arena *arena, struct ca_api *out,
                            struct ca_error *err)
{
    struct reader r = { .arena = arena, .out = out };
    json_t *root = NULL;
    enum ca_status st = as_bad_json(ca_shape_parse(json, CA_API_JSON_MAX, &root, err), err);

    if (st != CA_OK) return st;
    *out = (struct ca_api){ .extension_count = 0 };
    ca_buf_init(&r.value, SCRATCH_MAX);
    ca_buf_init(&r.scratch, SCRATCH_MAX);
    st = as_refusal(read_api(&r, root, err), "api-passthrough", err);
    ca_buf_clear(&r.scratch);
    ca_buf_clear(&r.value);
    json_decref(root);
    return st;
}

/* Names of a manifest line */

/* What is no JSON at all is said of the member too. */
static enum ca_status bad_line_json(enum ca_status st, const char *member,
                                    const struct ca_error *why, struct ca_error *err)
{
    if (!ca_status_is_request(st)) return ca_fail(err, st, "%s", why->text);
    return as_bad_json(ca_shape_wrap(err, member, why), err);
}

enum ca_status ca_line_subject_parse(struct ca_bytes json, struct ca_arena *arena,
                                     struct ca_bytes *name, struct ca_error *err)
{
    struct ca_buf scratch;
    struct ca_error why;
    json_t *root = NULL;
    enum ca_status st = ca_shape_parse(json, CA_API_JSON_MAX, &root, &why);

    if (st != CA_OK) return bad_line_json(st, "subject", &why, err);
    ca_buf_init(&scratch, SCRATCH_MAX);
    st = as_refusal(read_subject(root, "subject", &scratch, arena, name, err), "bad-member", err);
    ca_buf_clear(&scratch);
    json_decref(root);
    return st;
}

enum ca_status ca_line_san_parse(struct ca_bytes json, struct ca_arena *arena,
                                 struct ca_bytes *general_names, struct ca_error *err)
{
    struct ca_buf scratch;
    struct ca_error why;
    json_t *root = NULL;
    enum ca_status st = ca_shape_parse_list(json, CA_API_JSON_MAX, &root, &why);

    if (st != CA_OK) return bad_line_json(st, "san", &why, err);
    ca_buf_init(&scratch, SCRATCH_MAX);
    st = as_refusal(read_names(root, CA_NAMES_MAX, true, "san", &scratch, arena, general_names,
                               err),
                    "bad-member", err);
    ca_buf_clear(&scratch);
    json_decref(root);
    return st;
}

enum ca_status ca_api_canonical(struct ca_bytes json, struct ca_buf *out, struct ca_error *err)
{
    json_t *root = NULL;
    enum ca_status st = as_bad_json(ca_shape_parse(json, CA_API_JSON_MAX, &root, err), err);

    if (st == CA_OK) st = ca_shape_dump(root, out, err);
    json_decref(root);
    return st;
}
