#include "engine/revocation.h"

#include "engine/host_name.h"
#include "engine/shape.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define CRL_DAYS_DEFAULT 7          /* what the AWS console proposes (spec 9.1) */
#define CRL_DAYS_MAX 5000
#define DELTA_HOURS_DEFAULT 24
#define DELTA_HOURS_MAX 720
#define CNAME_MAX 253               /* characters of CustomCname, CustomPath, OcspCustomCname */
#define BUCKET_MIN 3
#define BUCKET_MAX 63
#define URI_MAX sizeof(((struct ca_revocation *)NULL)->cdp_uri)
#define SCOPE_ZEROS "000000"

static_assert(sizeof(SCOPE_ZEROS) - 1 == CA_SCOPE_DIGITS, "a scope's place in a URI");
static_assert(sizeof(((struct ca_revocation *)NULL)->freshest_uri) == URI_MAX, "URIs alike");

static const char crl_path[] = "CrlConfiguration";
static const char delta_path[] = "CrlConfiguration.DeltaCrlConfiguration";

/* Scopes */

size_t ca_scope_digits_at(const char *uri)
{
    const char *slash = strrchr(uri, '/');
    const char *rest;

    if (slash == NULL || strspn(slash + 1, "0123456789") != CA_SCOPE_DIGITS) return 0;
    rest = slash + 1 + CA_SCOPE_DIGITS;
    if (strcmp(rest, ".crl") != 0 && strcmp(rest, "-delta.crl") != 0) return 0;
    return (size_t)(slash + 1 - uri);
}

void ca_scope_put_digits(uint32_t scope, uint8_t *out)
{
    assert(scope <= CA_SCOPE_MAX);
    for (size_t i = CA_SCOPE_DIGITS; i-- > 0; scope /= 10) {
        out[i] = (uint8_t)('0' + scope % 10);
    }
}

/* Reading */

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

static enum ca_status read_omit(const json_t *crl, struct ca_revocation *out,
                                struct ca_error *err)
{
    static const struct ca_shape_member members[] = { { "OmitExtension", CA_SHAPE_FLAG, true } };
    const json_t *cdp = json_object_get(crl, "CrlDistributionPointExtensionConfiguration");
    enum ca_status st;

    if (cdp == NULL) return CA_OK;
    st = ca_shape_check(cdp,
                        ca_shape_join(crl_path, "CrlDistributionPointExtensionConfiguration").text,
                        members, CA_COUNT(members), err);
    if (st != CA_OK) return st;
    out->omit_cdp = ca_shape_flag(cdp, "OmitExtension");
    if (out->omit_cdp && ca_shape_text(crl, "CustomCname") != NULL)
        return ca_shape_refuse(err, "CrlConfiguration.CustomCname",
                               "makes no sense when OmitExtension is true");
    return CA_OK;
}

/* The values that need no other member. */
static enum ca_status check_crl_values(const json_t *crl, struct ca_error *err)
{
    const char *cname = ca_shape_text(crl, "CustomCname");
    const char *custom_path = ca_shape_text(crl, "CustomPath");
    const char *bucket = ca_shape_text(crl, "S3BucketName");
    enum ca_status st = CA_OK;

    if (cname != NULL) st = check_uri_text(cname, "CrlConfiguration.CustomCname", err);
    if (st == CA_OK && custom_path != NULL)
        st = check_custom_path(custom_path, "CrlConfiguration.CustomPath", err);
    if (st == CA_OK && bucket != NULL)
        st = check_bucket(bucket, "CrlConfiguration.S3BucketName", err);
    if (st == CA_OK)
        st = check_choice(ca_shape_text(crl, "S3ObjectAcl"), "PUBLIC_READ",
                          "BUCKET_OWNER_FULL_CONTROL", "CrlConfiguration.S3ObjectAcl", err);
    if (st == CA_OK)
        st = check_choice(ca_shape_text(crl, "CrlType"), "COMPLETE", "PARTITIONED",
                          "CrlConfiguration.CrlType", err);
    return st;
}

/* The folder of the complete CRLs. */
static const char *folder_of(const json_t *crl)
{
    const char *custom_path = ca_shape_text(crl, "CustomPath");

    return custom_path != NULL ? custom_path : "crl";
}

/* Where a CA's CRLs lie. */
struct place {
    const char *cname, *bucket, *region;    /* cname goes before the bucket's own host name */
    const char *ca_uuid;
    bool partitioned;
};

/* The parts have the right characters, but what they make stands in every certificate. */
static enum ca_status check_uri(struct ca_bytes uri, const char *path, struct ca_error *err)
{
    const char *fault = ca_uri_fault(uri);

    if (fault == NULL) return CA_OK;
    return ca_shape_refuse(err, path, "would make a URI that %s", fault);
}

/* The URI of a CRL: suffix "" or "-delta". out holds URI_MAX. */
static enum ca_status write_uri(const struct place *place, const char *folder, const char *suffix,
                                const char *path, char *out, struct ca_error *err)
{
    struct ca_buf uri;
    enum ca_status st;

    ca_buf_init(&uri, 1024);        /* longer than what the members' limits add up to */
    if (place->cname != NULL) ca_buf_printf(&uri, "http://%s", place->cname);
    else ca_buf_printf(&uri, "http://%s.s3.%s.amazonaws.com", place->bucket, place->region);
    ca_buf_printf(&uri, "/%s/%s%s%s.crl", folder, place->ca_uuid,
                  place->partitioned ? "/" SCOPE_ZEROS : "", suffix);
    st = ca_buf_status(&uri, "a CRL's URI", err);
    if (st == CA_OK && uri.len >= URI_MAX)
        st = ca_shape_refuse(err, path, "the CRL's URI would have %zu characters, more than %zu",
                             uri.len, URI_MAX - 1);
    if (st == CA_OK) st = check_uri(ca_buf_view(&uri), path, err);
    if (st == CA_OK) {
        memcpy(out, uri.data, uri.len);
        out[uri.len] = '\0';
    }
    ca_buf_clear(&uri);
    return st;
}

static enum ca_status write_uris(const json_t *crl, const char *region, const char *ca_uuid,
                                 struct ca_revocation *out, struct ca_error *err)
{
    const struct place place = {
        .cname = ca_shape_text(crl, "CustomCname"), .bucket = ca_shape_text(crl, "S3BucketName"),
        .region = region, .ca_uuid = ca_uuid, .partitioned = out->crl_partitioned,
    };
    const char *own = ca_shape_text(json_object_get(crl, "DeltaCrlConfiguration"), "CustomPath");
    enum ca_status st;

    if (out->omit_cdp) return CA_OK;
    if (place.cname == NULL && place.bucket == NULL)
        return ca_shape_refuse(err, crl_path, "needs CustomCname or S3BucketName, so that "
                               "certificates can say where the CRL is, or OmitExtension true");
    st = write_uri(&place, folder_of(crl), "", crl_path, out->cdp_uri, err);
    if (st != CA_OK || !out->delta_enabled) return st;
    return write_uri(&place, own != NULL ? own : folder_of(crl), own != NULL ? "" : "-delta",
                     delta_path, out->freshest_uri, err);
}

/* A whole number with a default, which is put in where it is absent. */
static enum ca_status read_number(json_t *object, const char *path, const char *member,
                                  int64_t when_absent, int64_t max, uint32_t *out,
                                  struct ca_error *err)
{
    int64_t value = when_absent;

    if (json_object_get(object, member) != NULL) {
        value = ca_shape_number(object, member);
    } else if (json_object_set_new(object, member, json_integer(value)) != 0) {
        return ca_fail(err, CA_NOMEM, "no memory for a revocation configuration");
    }
    if (value < 1 || value > max)
        return ca_shape_refuse(err, ca_shape_join(path, member).text, "must be 1 to %" PRId64,
                               max);
    *out = (uint32_t)value;
    return CA_OK;
}

static enum ca_status read_delta(const json_t *crl, struct ca_revocation *out,
                                 struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "Enabled", CA_SHAPE_FLAG, true },
        { "ExpirationInHours", CA_SHAPE_NUMBER, false },
        { "CustomPath", CA_SHAPE_TEXT, false },
    };
    json_t *delta = json_object_get(crl, "DeltaCrlConfiguration");
    const char *folder = ca_shape_text(delta, "CustomPath");
    struct ca_shape_path path = ca_shape_join(delta_path, "CustomPath");
    enum ca_status st;

    if (delta == NULL) return CA_OK;
    st = ca_shape_check(delta, delta_path, members, CA_COUNT(members), err);
    if (st != CA_OK) return st;
    if (!ca_shape_flag(delta, "Enabled")) return check_disabled(delta, delta_path, err);
    if (folder != NULL) {
        st = check_custom_path(folder, path.text, err);
        if (st != CA_OK) return st;
        if (strcmp(folder, folder_of(crl)) == 0)
            return ca_shape_refuse(err, path.text, "is where the complete CRLs lie already");
    }
    st = read_number(delta, delta_path, "ExpirationInHours", DELTA_HOURS_DEFAULT, DELTA_HOURS_MAX,
                     &out->delta_expiration_hours, err);
    if (st == CA_OK) out->delta_enabled = true;
    return st;
}

static enum ca_status read_crl(json_t *crl, const char *region, const char *ca_uuid,
                               struct ca_revocation *out, struct ca_error *err)
{
    static const struct ca_shape_member members[] = {
        { "Enabled", CA_SHAPE_FLAG, true },
        { "ExpirationInDays", CA_SHAPE_NUMBER, false },
        { "S3BucketName", CA_SHAPE_TEXT, false },
        { "S3ObjectAcl", CA_SHAPE_TEXT, false },
        { "CustomCname", CA_SHAPE_TEXT, false },
        { "CustomPath", CA_SHAPE_TEXT, false },
        { "CrlType", CA_SHAPE_TEXT, false },
        { "CrlDistributionPointExtensionConfiguration", CA_SHAPE_OBJECT, false },
        { "DeltaCrlConfiguration", CA_SHAPE_OBJECT, false },
    };
    const char *type;
    enum ca_status st = ca_shape_check(crl, crl_path, members, CA_COUNT(members), err);

    if (st != CA_OK) return st;
    if (!ca_shape_flag(crl, "Enabled")) return check_disabled(crl, crl_path, err);
    st = read_number(crl, crl_path, "ExpirationInDays", CRL_DAYS_DEFAULT, CRL_DAYS_MAX,
                     &out->crl_expiration_days, err);
    if (st == CA_OK) st = check_crl_values(crl, err);
    if (st == CA_OK) st = read_omit(crl, out, err);
    if (st == CA_OK) st = read_delta(crl, out, err);
    if (st != CA_OK) return st;
    type = ca_shape_text(crl, "CrlType");
    out->crl_partitioned = type != NULL && strcmp(type, "PARTITIONED") == 0;
    st = write_uris(crl, region, ca_uuid, out, err);
    if (st == CA_OK) out->crl_enabled = true;
    return st;
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
    enum ca_status st = ca_shape_check(ocsp, path, members, CA_COUNT(members), err);

    if (st != CA_OK) return st;
    if (!ca_shape_flag(ocsp, "Enabled")) return check_disabled(ocsp, path, err);
    if (cname == NULL)
        return ca_shape_refuse(err, path, "needs OcspCustomCname: there is no managed OCSP "
                               "responder whose address could stand in certificates");
    st = check_uri_text(cname, "OcspConfiguration.OcspCustomCname", err);
    if (st != CA_OK) return st;
    /* Seven and at most CNAME_MAX characters of 511. */
    memcpy(out->ocsp_uri, scheme, sizeof(scheme) - 1);
    memcpy(out->ocsp_uri + sizeof(scheme) - 1, cname, strlen(cname) + 1);
    st = check_uri(ca_bytes_str(out->ocsp_uri), "OcspConfiguration.OcspCustomCname", err);
    out->ocsp_enabled = st == CA_OK;
    return st;
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
    st = ca_shape_parse(json, CA_REVOCATION_JSON_MAX, &root, err);
    if (st != CA_OK) return st;
    st = ca_shape_check(root, "", members, CA_COUNT(members), err);
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
    ca_buf_init(&out->json, 6 * CA_REVOCATION_JSON_MAX);
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
