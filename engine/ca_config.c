#include "engine/ca_config.h"

#include "engine/charset.h"
#include "engine/ext.h"
#include "engine/shape.h"

#include <string.h>
#include <strings.h>

#define DER_MAX 65536               /* octets of a request's extensions; the JSON ends before */
#define SUBJECT_MAX 8192            /* octets of the Name, which every certificate repeats */
#define TAG_KEY_MAX 128             /* characters */
#define TAG_VALUE_MAX 256
#define TOKEN_MAX 36

/* CertificateAuthorityConfiguration */

static enum ca_status read_algorithms(const json_t *json, struct ca_config *out,
                                      struct ca_error *err)
{
    struct ca_error why;

    if (ca_key_alg_by_name(ca_shape_text(json, "KeyAlgorithm"), &out->key_alg, &why) != CA_OK)
        return ca_shape_wrap(err, "KeyAlgorithm", &why);
    if (ca_sig_alg_by_name(ca_shape_text(json, "SigningAlgorithm"), &out->sig_alg, &why) != CA_OK ||
        ca_sig_alg_check(out->sig_alg, out->key_alg, &why) != CA_OK)
        return ca_shape_wrap(err, "SigningAlgorithm", &why);
    return CA_OK;
}

static enum ca_status read_subject(const json_t *json, struct ca_config *out,
                                   struct ca_error *err)
{
    enum ca_status st = ca_shape_subject(json_object_get(json, "Subject"), "Subject",
                                         &out->subject, err);

    if (st == CA_OK && out->subject.len > SUBJECT_MAX)
        return ca_shape_refuse(err, "Subject", "has %zu octets, more than %d", out->subject.len,
                               SUBJECT_MAX);
    return st;
}

/* The three methods of RFC 6487 under id-ad (1.3.6.1.5.5.7.48). */
static enum ca_status add_access_method(const json_t *method, const char *path, struct ca_buf *out,
                                        struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "CustomObjectIdentifier", CA_SHAPE_TEXT, false },
        { "AccessMethodType", CA_SHAPE_TEXT, false },
    };
    static const struct { const char *name; uint8_t arc; } types[] = {
        { "CA_REPOSITORY", 5 }, { "RESOURCE_PKI_MANIFEST", 10 }, { "RESOURCE_PKI_NOTIFY", 13 },
    };
    const char *custom, *type;
    enum ca_status st = ca_shape_check(method, path, members, CA_COUNT(members), err);

    if (st != CA_OK) return st;
    if (json_object_size(method) != 1)
        return ca_shape_refuse(err, path, "must have exactly one member");
    custom = ca_shape_text(method, "CustomObjectIdentifier");
    if (custom != NULL) {
        size_t mark = out->len;
        struct ca_error why;

        if (ca_der_oid_parse(custom, out, &why) != CA_OK)
            return ca_shape_refuse(err, ca_shape_join(path, "CustomObjectIdentifier").text, "%s",
                                   why.text);
        ca_der_wrap(out, mark, CA_DER_OID);
        return CA_OK;
    }
    type = ca_shape_text(method, "AccessMethodType");
    for (size_t i = 0; i < CA_COUNT(types); i++) {
        const uint8_t oid[] = { 0x2b, 6, 1, 5, 5, 7, 48, types[i].arc };

        if (strcmp(types[i].name, type) != 0) continue;
        ca_der_add_oid(out, ca_bytes_of(oid, sizeof(oid)));
        return CA_OK;
    }
    return ca_shape_refuse(err, ca_shape_join(path, "AccessMethodType").text,
                           "must be CA_REPOSITORY, RESOURCE_PKI_MANIFEST or RESOURCE_PKI_NOTIFY");
}

static enum ca_status add_access_description(const json_t *description, const char *path,
                                             struct ca_buf *out, struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "AccessMethod", CA_SHAPE_OBJECT, true },
        { "AccessLocation", CA_SHAPE_OBJECT, true },
    };
    size_t mark = out->len;
    enum ca_status st = ca_shape_check(description, path, members, CA_COUNT(members), err);

    if (st != CA_OK) return st;
    st = add_access_method(json_object_get(description, "AccessMethod"),
                           ca_shape_join(path, "AccessMethod").text, out, err);
    if (st != CA_OK) return st;
    st = ca_shape_general_name(json_object_get(description, "AccessLocation"),
                               ca_shape_join(path, "AccessLocation").text, out, err);
    if (st == CA_OK) ca_der_wrap(out, mark, CA_DER_SEQUENCE);
    return st;
}

static enum ca_status add_subject_info_access(const json_t *list, struct ca_buf *out,
                                              struct ca_error *err)
{
    static const char path[] = "CsrExtensions.SubjectInformationAccess";
    struct ca_buf value;
    enum ca_status st = CA_OK;

    if (json_array_size(list) == 0) return ca_shape_refuse(err, path, "is empty");
    ca_buf_init(&value, DER_MAX);
    for (size_t i = 0; st == CA_OK && i < json_array_size(list); i++) {
        st = add_access_description(json_array_get(list, i), ca_shape_at(path, i).text, &value,
                                    err);
    }
    ca_der_wrap(&value, 0, CA_DER_SEQUENCE);
    if (st == CA_OK) st = ca_buf_status(&value, path, err);
    if (st == CA_OK) {
        ca_ext_add(out, ca_oid_subject_info_access, false, ca_buf_view(&value));
    }
    ca_buf_clear(&value);
    return st;
}

/* BasicConstraints stands in every CA's request (spec 2.2, observed). */
static enum ca_status read_csr_extensions(const json_t *extensions, struct ca_buf *out,
                                          struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "KeyUsage", CA_SHAPE_OBJECT, false },
        { "SubjectInformationAccess", CA_SHAPE_LIST, false },
    };
    const json_t *key_usage, *access;
    uint16_t bits = 0;
    enum ca_status st;

    ca_ext_basic_constraints(out, true, true, CA_PATH_LEN_NONE);
    if (extensions == NULL) return ca_buf_status(out, "a request's extensions", err);
    st = ca_shape_check(extensions, "CsrExtensions", members, CA_COUNT(members), err);
    if (st != CA_OK) return st;
    key_usage = json_object_get(extensions, "KeyUsage");
    access = json_object_get(extensions, "SubjectInformationAccess");
    if (key_usage != NULL) {
        st = ca_shape_key_usage(key_usage, "CsrExtensions.KeyUsage", &bits, err);
        if (st != CA_OK) return st;
    }
    if (bits != 0) ca_ext_key_usage(out, bits);     /* RFC 5280 4.2.1.3: at least one bit */
    if (access != NULL) {
        st = add_subject_info_access(access, out, err);
        if (st != CA_OK) return st;
    }
    return ca_buf_status(out, "a request's extensions", err);
}

/* The configuration again, with the official name of an algorithm given by its alias. */
static enum ca_status write_config(json_t *json, struct ca_config *out, struct ca_error *err)
{
    if (json_object_set_new(json, "KeyAlgorithm", json_string(ca_key_alg_name(out->key_alg))) != 0)
        return ca_fail(err, CA_NOMEM, "no memory for a CA configuration");
    return ca_shape_dump(json, &out->json, err);
}

enum ca_status ca_config_parse(struct ca_bytes json, struct ca_config *out, struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "KeyAlgorithm", CA_SHAPE_TEXT, true },
        { "SigningAlgorithm", CA_SHAPE_TEXT, true },
        { "Subject", CA_SHAPE_OBJECT, true },
        { "CsrExtensions", CA_SHAPE_OBJECT, false },
    };
    json_t *root = NULL;
    enum ca_status st;

    *out = (struct ca_config){ .key_alg = CA_KEY_ALG_NONE };
    ca_buf_init(&out->subject, DER_MAX);
    ca_buf_init(&out->csr_extensions, DER_MAX);
    /* Escapes can lengthen a text that passed CA_CONFIG_JSON_MAX, at most six times. */
    ca_buf_init(&out->json, 6 * CA_CONFIG_JSON_MAX);
    st = ca_shape_parse(json, CA_CONFIG_JSON_MAX, &root, err);
    if (st == CA_OK) st = ca_shape_check(root, "", members, CA_COUNT(members), err);
    if (st == CA_OK) st = read_algorithms(root, out, err);
    if (st == CA_OK) st = read_subject(root, out, err);
    if (st == CA_OK)
        st = read_csr_extensions(json_object_get(root, "CsrExtensions"), &out->csr_extensions, err);
    if (st == CA_OK) st = write_config(root, out, err);
    json_decref(root);
    if (st != CA_OK) ca_config_clear(out);
    return st;
}

void ca_config_clear(struct ca_config *config)
{
    ca_buf_clear(&config->subject);
    ca_buf_clear(&config->csr_extensions);
    ca_buf_clear(&config->json);
    config->key_alg = CA_KEY_ALG_NONE;
    config->sig_alg = CA_SIG_ALG_NONE;
}

/* Tags and tokens */

/* AWS allows letters, separators and digits of any script (\p{L}, \p{Z}, \p{N}) and a few signs. Of
 * ASCII this is exact. Beyond ASCII every printable character passes: telling letters from symbols
 * there needs the Unicode tables, and a tag with a symbol in it does no harm. */
static bool is_tag_text(struct ca_bytes text, size_t *characters)
{
    static const char signs[] = " _.:/=+-@";

    if (ca_charset_utf8(text, characters) != text.len) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (c < 0x80 && !alnum && strchr(signs, c) == NULL) return false;
    }
    return true;
}

enum ca_status ca_tag_check(const char *key, const char *value, struct ca_error *err)
{
    size_t key_characters = 0, value_characters = 0;

    if (!is_tag_text(ca_bytes_str(key), &key_characters) ||
        !is_tag_text(ca_bytes_str(value), &value_characters))
        return ca_fail_named(err, CA_REFUSED, "tag",
                             "a tag has letters, digits, spaces and _.:/=+-@ only");
    if (key_characters < 1 || key_characters > TAG_KEY_MAX)
        return ca_fail_named(err, CA_REFUSED, "tag", "a tag's key has 1 to %d characters",
                             TAG_KEY_MAX);
    if (value_characters > TAG_VALUE_MAX)
        return ca_fail_named(err, CA_REFUSED, "tag", "a tag's value has at most %d characters",
                             TAG_VALUE_MAX);
    if (strncasecmp(key, "aws:", 4) == 0)
        return ca_fail_named(err, CA_REFUSED, "tag", "tag keys that begin with aws: are reserved");
    return CA_OK;
}

/* Tab, LF, CR and U+0020 to U+00FF (spec 4.1), written in UTF-8: an octet, or c2 or c3 and one
 * more. */
enum ca_status ca_token_check(const char *token, struct ca_error *err)
{
    size_t characters = 0;
    bool good = true;

    for (const unsigned char *p = (const unsigned char *)token; good && *p != '\0'; characters++) {
        if (*p < 0x80) {
            good = *p >= 0x20 || *p == '\t' || *p == '\n' || *p == '\r';
            p++;
        } else {
            good = (*p == 0xc2 || *p == 0xc3) && (p[1] & 0xc0) == 0x80;
            p += good ? 2 : 1;
        }
    }
    if (!good)
        return ca_fail_named(err, CA_REFUSED, "idempotency-token",
                             "an idempotency token has characters U+0020 to U+00FF, tab, LF and CR "
                             "only");
    if (characters < 1 || characters > TOKEN_MAX)
        return ca_fail_named(err, CA_REFUSED, "idempotency-token",
                             "an idempotency token has 1 to %d characters", TOKEN_MAX);
    return CA_OK;
}
