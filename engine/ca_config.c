#include "engine/ca_config.h"

#include "engine/charset.h"
#include "engine/ext.h"
#include "engine/shape.h"

#include <string.h>
#include <strings.h>

#define DER_MAX 65536               /* octets of a request's extensions; the JSON ends before */
#define SUBJECT_MAX 8192            /* octets of the Name, which every certificate repeats */
#define CRL_DAYS_DEFAULT 7          /* what the AWS console proposes (spec 9.1) */
#define CRL_DAYS_MAX 5000
#define CNAME_MAX 253               /* characters of CustomCname, CustomPath, OcspCustomCname */
#define BUCKET_MIN 3
#define BUCKET_MAX 63
#define TAG_KEY_MAX 128             /* characters */
#define TAG_VALUE_MAX 256
#define TOKEN_MAX 36

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

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
    enum ca_status st = ca_shape_check(method, path, members, COUNT(members), err);

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
    for (size_t i = 0; i < COUNT(types); i++) {
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
    enum ca_status st = ca_shape_check(description, path, members, COUNT(members), err);

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
    static const uint8_t oid[] = { 0x2b, 6, 1, 5, 5, 7, 1, 11 };
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
    if (st == CA_OK) ca_ext_add(out, ca_bytes_of(oid, sizeof(oid)), false, ca_buf_view(&value));
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
    st = ca_shape_check(extensions, "CsrExtensions", members, COUNT(members), err);
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
    if (st == CA_OK) st = ca_shape_check(root, "", members, COUNT(members), err);
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

/* RevocationConfiguration */

/* The alphabet of host names and paths that AWS allows (RFC 2396 without the unwise ones). */
static bool is_uri_text(const char *text)
{
    static const char others[] = "-;/?:@&=+$,%_.!~*()'";

    for (; *text != '\0'; text++) {
        bool alnum = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9');

        if (!alnum && strchr(others, *text) == NULL) return false;
    }
    return true;
}

static enum ca_status check_uri_text(const char *text, const char *path, struct ca_error *err)
{
    size_t len = strlen(text);

    if (len == 0 || len > CNAME_MAX)
        return ca_shape_refuse(err, path, "has %zu characters, not 1 to %d", len, CNAME_MAX);
    if (!is_uri_text(text))
        return ca_shape_refuse(err, path, "has a character that a URI may not have there");
    if (strstr(text, "://") != NULL)
        return ca_shape_refuse(err, path, "must be without http:// or another scheme");
    return CA_OK;
}

static enum ca_status check_custom_path(const char *text, const char *path, struct ca_error *err)
{
    enum ca_status st = check_uri_text(text, path, err);

    if (st != CA_OK) return st;
    if (text[0] == '/' || text[strlen(text) - 1] == '/' || strstr(text, "//") != NULL)
        return ca_shape_refuse(err, path, "has an empty segment between slashes");
    return CA_OK;
}

/* The naming rules of S3, because the name becomes a host name. */
static enum ca_status check_bucket(const char *text, const char *path, struct ca_error *err)
{
    size_t len = strlen(text);
    bool good = len >= BUCKET_MIN && len <= BUCKET_MAX && strstr(text, "..") == NULL;

    for (size_t i = 0; good && i < len; i++) {
        bool alnum = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');
        bool inner = i > 0 && i + 1 < len && (text[i] == '-' || text[i] == '.');

        good = alnum || inner;
    }
    if (good) return CA_OK;
    return ca_shape_refuse(err, path, "is no bucket name: 3 to 63 of a-z, 0-9, \"-\" and \".\"");
}

static enum ca_status check_choice(const char *text, const char *first, const char *second,
                                   const char *path, struct ca_error *err)
{
    if (text == NULL || strcmp(text, first) == 0 || strcmp(text, second) == 0) return CA_OK;
    return ca_shape_refuse(err, path, "must be %s or %s", first, second);
}

/* Enabled false stands alone (spec 9.1). */
static enum ca_status check_disabled(const json_t *half, const char *path, struct ca_error *err)
{
    if (json_object_size(half) == 1) return CA_OK;
    return ca_shape_refuse(err, path, "other members make no sense when Enabled is false");
}

static enum ca_status read_omit(const json_t *crl, const char *path, struct ca_revocation *out,
                                struct ca_error *err)
{
    static const struct ca_shape_member members[] = { { "OmitExtension", CA_SHAPE_FLAG, true } };
    const json_t *cdp = json_object_get(crl, "CrlDistributionPointExtensionConfiguration");
    enum ca_status st;

    if (cdp == NULL) return CA_OK;
    st = ca_shape_check(cdp,
                        ca_shape_join(path, "CrlDistributionPointExtensionConfiguration").text,
                        members, COUNT(members), err);
    if (st != CA_OK) return st;
    out->omit_cdp = ca_shape_flag(cdp, "OmitExtension");
    if (out->omit_cdp && ca_shape_text(crl, "CustomCname") != NULL)
        return ca_shape_refuse(err, ca_shape_join(path, "CustomCname").text,
                               "makes no sense when OmitExtension is true");
    return CA_OK;
}

/* The values that need no other member. */
static enum ca_status check_crl_values(const json_t *crl, const char *path, struct ca_error *err)
{
    const char *cname = ca_shape_text(crl, "CustomCname");
    const char *custom_path = ca_shape_text(crl, "CustomPath");
    const char *bucket = ca_shape_text(crl, "S3BucketName");
    enum ca_status st = CA_OK;

    if (cname != NULL) st = check_uri_text(cname, ca_shape_join(path, "CustomCname").text, err);
    if (st == CA_OK && custom_path != NULL)
        st = check_custom_path(custom_path, ca_shape_join(path, "CustomPath").text, err);
    if (st == CA_OK && bucket != NULL)
        st = check_bucket(bucket, ca_shape_join(path, "S3BucketName").text, err);
    if (st == CA_OK)
        st = check_choice(ca_shape_text(crl, "S3ObjectAcl"), "PUBLIC_READ",
                          "BUCKET_OWNER_FULL_CONTROL", ca_shape_join(path, "S3ObjectAcl").text,
                          err);
    if (st == CA_OK)
        st = check_choice(ca_shape_text(crl, "CrlType"), "COMPLETE", "PARTITIONED",
                          ca_shape_join(path, "CrlType").text, err);
    return st;
}

static enum ca_status write_cdp_uri(const json_t *crl, const char *path, const char *region,
                                    const char *ca_uuid, struct ca_revocation *out,
                                    struct ca_error *err)
{
    const char *cname = ca_shape_text(crl, "CustomCname");
    const char *bucket = ca_shape_text(crl, "S3BucketName");
    const char *folder = ca_shape_text(crl, "CustomPath");
    struct ca_buf uri;
    enum ca_status st = CA_OK;

    if (out->omit_cdp) return CA_OK;
    if (cname == NULL && bucket == NULL)
        return ca_shape_refuse(err, path, "needs CustomCname or S3BucketName, so that certificates "
                               "can say where the CRL is, or OmitExtension true");
    ca_buf_init(&uri, 1024);        /* longer than what the members' limits add up to */
    if (cname != NULL) ca_buf_printf(&uri, "http://%s", cname);
    else ca_buf_printf(&uri, "http://%s.s3.%s.amazonaws.com", bucket, region);
    ca_buf_printf(&uri, "/%s/%s.crl", folder != NULL ? folder : "crl", ca_uuid);
    st = ca_buf_status(&uri, "a CRL's URI", err);
    if (st == CA_OK && uri.len >= sizeof(out->cdp_uri))
        st = ca_shape_refuse(err, path, "the CRL's URI would have %zu characters, more than %zu",
                             uri.len, sizeof(out->cdp_uri) - 1);
    if (st == CA_OK) {
        memcpy(out->cdp_uri, uri.data, uri.len);
        out->cdp_uri[uri.len] = '\0';
    }
    ca_buf_clear(&uri);
    return st;
}

static enum ca_status read_crl(json_t *crl, const char *region, const char *ca_uuid,
                               struct ca_revocation *out, struct ca_error *err)
{
    static const char path[] = "CrlConfiguration";
    static const struct ca_shape_member members[] = {
        { "Enabled", CA_SHAPE_FLAG, true },
        { "ExpirationInDays", CA_SHAPE_NUMBER, false },
        { "S3BucketName", CA_SHAPE_TEXT, false },
        { "S3ObjectAcl", CA_SHAPE_TEXT, false },
        { "CustomCname", CA_SHAPE_TEXT, false },
        { "CustomPath", CA_SHAPE_TEXT, false },
        { "CrlType", CA_SHAPE_TEXT, false },
        { "CrlDistributionPointExtensionConfiguration", CA_SHAPE_OBJECT, false },
    };
    int64_t days = CRL_DAYS_DEFAULT;
    const char *type;
    enum ca_status st = ca_shape_check(crl, path, members, COUNT(members), err);

    if (st != CA_OK) return st;
    if (!ca_shape_flag(crl, "Enabled")) return check_disabled(crl, path, err);
    if (json_object_get(crl, "ExpirationInDays") != NULL) {
        days = ca_shape_number(crl, "ExpirationInDays");
    } else if (json_object_set_new(crl, "ExpirationInDays", json_integer(days)) != 0) {
        return ca_fail(err, CA_NOMEM, "no memory for a revocation configuration");
    }
    if (days < 1 || days > CRL_DAYS_MAX)
        return ca_shape_refuse(err, "CrlConfiguration.ExpirationInDays", "must be 1 to %d",
                               CRL_DAYS_MAX);
    st = check_crl_values(crl, path, err);
    if (st == CA_OK) st = read_omit(crl, path, out, err);
    if (st == CA_OK) st = write_cdp_uri(crl, path, region, ca_uuid, out, err);
    if (st != CA_OK) return st;
    type = ca_shape_text(crl, "CrlType");
    out->crl_enabled = true;
    out->crl_partitioned = type != NULL && strcmp(type, "PARTITIONED") == 0;
    out->crl_expiration_days = (uint32_t)days;
    return CA_OK;
}

static enum ca_status read_ocsp(const json_t *ocsp, struct ca_revocation *out,
                                struct ca_error *err)
{
    static const char path[] = "OcspConfiguration";
    static const struct ca_shape_member members[] = {
        { "Enabled", CA_SHAPE_FLAG, true },
        { "OcspCustomCname", CA_SHAPE_TEXT, false },
    };
    static const char scheme[] = "http://";
    const char *cname = ca_shape_text(ocsp, "OcspCustomCname");
    enum ca_status st = ca_shape_check(ocsp, path, members, COUNT(members), err);

    if (st != CA_OK) return st;
    if (!ca_shape_flag(ocsp, "Enabled")) return check_disabled(ocsp, path, err);
    if (cname == NULL)
        return ca_shape_refuse(err, path, "needs OcspCustomCname: there is no managed OCSP "
                               "responder whose address could stand in certificates");
    st = check_uri_text(cname, "OcspConfiguration.OcspCustomCname", err);
    if (st != CA_OK) return st;
    out->ocsp_enabled = true;
    /* Seven and at most CNAME_MAX characters of 511. */
    memcpy(out->ocsp_uri, scheme, sizeof(scheme) - 1);
    memcpy(out->ocsp_uri + sizeof(scheme) - 1, cname, strlen(cname) + 1);
    return CA_OK;
}

/* Puts the halves of a configuration that it names into *merged. */
static enum ca_status merge(struct ca_bytes json, json_t *merged, struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "CrlConfiguration", CA_SHAPE_OBJECT, false },
        { "OcspConfiguration", CA_SHAPE_OBJECT, false },
    };
    json_t *root = NULL;
    enum ca_status st;

    if (json.len == 0) return CA_OK;
    st = ca_shape_parse(json, CA_CONFIG_JSON_MAX, &root, err);
    if (st != CA_OK) return st;
    st = ca_shape_check(root, "", members, COUNT(members), err);
    if (st == CA_OK && json_object_update(merged, root) != 0)
        st = ca_fail(err, CA_NOMEM, "no memory for a revocation configuration");
    json_decref(root);
    return st;
}

enum ca_status ca_revocation_parse(struct ca_bytes json, struct ca_bytes previous,
                                   const char *region, const char *ca_uuid,
                                   struct ca_revocation *out, struct ca_error *err)
{
    json_t *merged = json_pack("{s:{s:b},s:{s:b}}", "CrlConfiguration", "Enabled", 0,
                               "OcspConfiguration", "Enabled", 0);
    enum ca_status st = CA_OK;

    *out = (struct ca_revocation){ .crl_enabled = false };
    ca_buf_init(&out->json, 6 * CA_CONFIG_JSON_MAX);
    if (merged == NULL) return ca_fail(err, CA_NOMEM, "no memory for a revocation configuration");
    st = merge(previous, merged, err);
    if (st == CA_OK) st = merge(json, merged, err);
    if (st == CA_OK)
        st = read_crl(json_object_get(merged, "CrlConfiguration"), region, ca_uuid, out, err);
    if (st == CA_OK) st = read_ocsp(json_object_get(merged, "OcspConfiguration"), out, err);
    if (st == CA_OK) st = ca_shape_dump(merged, &out->json, err);
    json_decref(merged);
    if (st != CA_OK) ca_revocation_clear(out);
    return st;
}

void ca_revocation_clear(struct ca_revocation *revocation)
{
    ca_buf_clear(&revocation->json);
    *revocation = (struct ca_revocation){ .json = revocation->json };
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
