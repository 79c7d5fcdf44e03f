#include "engine/template.h"

#include "engine/bytes.h"
#include "engine/der.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define OID_TEXT_MAX 256

/* By bit of enum ca_key_usage (RFC 5280 4.2.1.3). */
static const char *const key_usage_names[CA_KEY_USAGE_COUNT] = {
    "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
    "keyCertSign",      "cRLSign",        "encipherOnly",    "decipherOnly",
};

/* By bit of enum ca_eku. */
static const char *const eku_names[CA_EKU_COUNT] = {
    "serverAuth",     "clientAuth",      "codeSigning",
    "OCSPSigning",    "emailProtection", "timeStamping",
    "smartCardLogin", "documentSigning", "certificateTransparency",
};

const char *ca_key_usage_name(unsigned bit)
{
    return bit < CA_KEY_USAGE_COUNT ? key_usage_names[bit] : NULL;
}

const char *ca_eku_name(unsigned bit)
{
    return bit < CA_EKU_COUNT ? eku_names[bit] : NULL;
}

/* Finding */

static bool starts_with(struct ca_bytes text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

static bool ends_with(struct ca_bytes text, const char *suffix)
{
    size_t len = strlen(suffix);

    return text.len >= len && memcmp(text.data + text.len - len, suffix, len) == 0;
}

/* Cuts "arn:PARTITION:acm-pca:::template/" off *name; false when it begins with "arn:" and goes on
 * otherwise. Any partition will do: it follows the CA in AWS, and ours have one that is our own. */
static bool cut_arn(struct ca_bytes *name, bool *is_arn)
{
    static const char service[] = ":acm-pca:::template/";
    size_t end = 4;

    *is_arn = starts_with(*name, "arn:");
    if (!*is_arn) return true;
    while (end < name->len && name->data[end] != ':') end++;
    if (end == 4) return false;
    *name = ca_bytes_slice(*name, end, name->len - end);
    if (!starts_with(*name, service)) return false;
    *name = ca_bytes_slice(*name, sizeof(service) - 1, name->len - (sizeof(service) - 1));
    return true;
}

enum ca_status ca_template_find(const char *text, const struct ca_template **out,
                                struct ca_error *err)
{
    struct ca_bytes name = ca_bytes_str(text);
    bool is_arn = false, has_version = false;
    bool good = cut_arn(&name, &is_arn);

    if (good && ends_with(name, "/V1")) {
        has_version = true;
        name.len -= 3;
    }
    if (is_arn && !has_version) good = false;
    for (size_t i = 0; good && i < ca_template_count(); i++) {
        const struct ca_template *row = ca_template_at(i);

        if (!ca_bytes_equal(name, ca_bytes_str(row->name))) continue;
        *out = row;
        return CA_OK;
    }
    (void)ca_fail_named(err, CA_REFUSED, "template", "there is no template \"%s\"", text);
    ca_hint(err, "`certmill template list` shows them all");
    return CA_REFUSED;
}

void ca_template_arn(const struct ca_template *tmpl, struct ca_buf *out)
{
    if (!tmpl->ours) ca_buf_append_str(out, "arn:aws:acm-pca:::template/");
    ca_buf_append_str(out, tmpl->name);
    if (!tmpl->ours) ca_buf_append_str(out, "/V1");
}

uint16_t ca_template_key_usage(const struct ca_template *tmpl, enum ca_key_kind kind)
{
    return kind == CA_KEY_KIND_RSA ? tmpl->key_usage : tmpl->key_usage_signing_only;
}

bool ca_template_allows_ca(const struct ca_template *tmpl, const char *name, const char *arn)
{
    if (tmpl->allowed_cas == NULL) return true;
    for (size_t i = 0; i < tmpl->allowed_ca_count; i++) {
        const char *allowed = tmpl->allowed_cas[i];

        if (name != NULL && strcmp(allowed, name) == 0) return true;
        if (arn != NULL && strcmp(allowed, arn) == 0) return true;
    }
    return false;
}

/* Describing */

static const char *kind_name(enum ca_template_kind kind)
{
    switch (kind) {
    case CA_TEMPLATE_END_ENTITY: return "end-entity";
    case CA_TEMPLATE_SUBORDINATE_CA: return "subordinate-ca";
    case CA_TEMPLATE_ROOT_CA: return "root-ca";
    }
    return "unknown";
}

static const char *names_from_name(enum ca_names_from from)
{
    switch (from) {
    case CA_NAMES_FROM_CSR: return "csr";
    case CA_NAMES_FROM_MANIFEST: return "manifest";
    case CA_NAMES_BOTH_MUST_AGREE: return "both-must-agree";
    }
    return "unknown";
}

static const char *key_rule_name(enum ca_key_rule rule)
{
    switch (rule) {
    case CA_KEYS_ALLOW: return "allow";
    case CA_KEYS_WARN: return "warn";
    case CA_KEYS_REJECT: return "reject";
    }
    return "unknown";
}

/* By bit of enum ca_source. */
static const char *source_name(unsigned bit)
{
    static const char *const names[] = { "api", "csr", "ca" };

    return bit < CA_COUNT(names) ? names[bit] : NULL;
}

static const char *key_kind_of_bit(unsigned bit)
{
    return ca_key_kind_name((enum ca_key_kind)bit);
}

static const char *sig_alg_of_bit(unsigned bit)
{
    return ca_sig_alg_name((enum ca_sig_alg)bit);
}

static const char *flag(bool value)
{
    return value ? "true" : "false";
}

/* Quoted, behind a comma where something stands before it in its list. */
static void append_item(struct ca_buf *out, const char *text)
{
    if (out->len > 0 && out->data[out->len - 1] != '[') ca_buf_append_u8(out, ',');
    ca_json_append_string(out, ca_bytes_str(text));
}

/* The names of the set bits as a JSON list, without its end. */
static void open_names(struct ca_buf *out, const char *member, uint32_t bits,
                       const char *(*name_of)(unsigned bit))
{
    ca_buf_printf(out, "\"%s\":[", member);
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *name = (bits & (UINT32_C(1) << bit)) != 0 ? name_of(bit) : NULL;

        if (name != NULL) append_item(out, name);
    }
}

static void append_names(struct ca_buf *out, const char *member, uint32_t bits,
                         const char *(*name_of)(unsigned bit))
{
    open_names(out, member, bits, name_of);
    ca_buf_append_u8(out, ']');
}

static void append_purposes(struct ca_buf *out, const struct ca_template *tmpl)
{
    struct ca_der more = ca_der_open(tmpl->eku_more);

    open_names(out, "extended_key_usage", tmpl->eku, ca_eku_name);
    while (!ca_der_at_end(&more)) {
        char text[OID_TEXT_MAX];
        struct ca_bytes oid;
        enum ca_status st = ca_der_oid(&more, "a purpose", &oid, NULL);

        assert(st == CA_OK);            /* ours, built by ca_template_parse */
        if (st != CA_OK) break;
        ca_der_oid_text(oid, text, sizeof(text));
        append_item(out, text);
    }
    ca_buf_append_u8(out, ']');
}

static void append_hex(struct ca_buf *out, struct ca_bytes octets)
{
    ca_buf_append_u8(out, '"');
    for (size_t i = 0; i < octets.len; i++) ca_buf_printf(out, "%02x", octets.data[i]);
    ca_buf_append_u8(out, '"');
}

/* Whose value the authority key identifier is; a root's is written only when the API gives it. */
static const char *key_id_source(const struct ca_template *tmpl)
{
    if (tmpl->kind != CA_TEMPLATE_ROOT_CA) return "\"issuer\"";
    return tmpl->aki_from_api ? "\"api\"" : "null";
}

/* What stands in the certificate. */
static void describe_extensions(const struct ca_template *tmpl, struct ca_buf *out)
{
    ca_buf_printf(out, "\"basic_constraints\":{\"critical\":%s,\"ca\":%s,\"path_len\":",
                  flag(tmpl->basic_constraints_critical),
                  flag(tmpl->kind != CA_TEMPLATE_END_ENTITY));
    if (tmpl->path_len == CA_PATH_LEN_NONE) ca_buf_append_str(out, "null");
    else ca_buf_printf(out, "%d", tmpl->path_len);
    ca_buf_printf(out, "},\"authority_key_identifier\":%s,", key_id_source(tmpl));
    append_names(out, "key_usage", tmpl->key_usage, ca_key_usage_name);
    ca_buf_append_u8(out, ',');
    append_names(out, "key_usage_signing_only", tmpl->key_usage_signing_only, ca_key_usage_name);
    ca_buf_append_u8(out, ',');
    append_purposes(out, tmpl);
    ca_buf_printf(out, ",\"extended_key_usage_critical\":%s,", flag(tmpl->eku_critical));
    append_names(out, "passthrough", tmpl->passthrough, source_name);
    ca_buf_append_u8(out, ',');
    append_names(out, "cdp_from", tmpl->cdp_from, source_name);
    ca_buf_printf(out, ",\"revocation_pointers\":\"%s\",\"extensions\":",
                  tmpl->no_revocation_pointers ? "none" : "from-ca");
    append_hex(out, tmpl->extensions);
}

/* What a request must be like. */
static void describe_request(const struct ca_template *tmpl, struct ca_buf *out)
{
    ca_buf_append_str(out, "\"keys\":{");
    append_names(out, "algorithms", tmpl->keys.kinds, key_kind_of_bit);
    ca_buf_printf(out, ",\"rsa_bits\":{\"min\":%u,\"max\":%u},\"rsa_exponent_bits_max\":%u},",
                  (unsigned)tmpl->keys.rsa_bits_min, (unsigned)tmpl->keys.rsa_bits_max,
                  (unsigned)tmpl->keys.rsa_exponent_bits_max);
    ca_buf_append_str(out, "\"request\":{");
    append_names(out, "signature_algorithms", tmpl->request_algs, sig_alg_of_bit);
    ca_buf_printf(out, ",\"version\":\"%s\",\"country\":\"%s\"},",
                  (tmpl->admit & CA_ADMIT_VERSION) != 0 ? "any" : "0",
                  (tmpl->admit & CA_ADMIT_COUNTRY) != 0 ? "any" : "two-letters");
    ca_buf_printf(out, "\"names\":\"%s\",", names_from_name(tmpl->names_from));
    ca_buf_printf(out, "\"duplicate_keys\":{\"run\":\"%s\",\"store\":\"%s\"}",
                  key_rule_name(tmpl->keys_in_run), key_rule_name(tmpl->keys_in_store));
}

static void describe_dates(const struct ca_template *tmpl, struct ca_buf *out)
{
    char text[CA_VALIDITY_TEXT_MAX];

    ca_buf_append_str(out, "\"validity\":{\"default\":");
    if (tmpl->validity_default.type == CA_VALIDITY_NONE) {
        ca_buf_append_str(out, "null");
    } else {
        ca_validity_format(&tmpl->validity_default, text);
        ca_json_append_string(out, ca_bytes_str(text));
    }
    ca_buf_append_str(out, ",\"max_s\":");
    if (tmpl->validity_max_s == 0) ca_buf_append_str(out, "null");
    else ca_buf_printf(out, "%" PRId64, tmpl->validity_max_s);
    ca_buf_append_str(out, "},\"not_after\":");
    if (tmpl->not_after_s == 0) {
        ca_buf_append_str(out, "null");
    } else {
        ca_time_format(tmpl->not_after_s, text);
        ca_json_append_string(out, ca_bytes_str(text));
    }
}

static void describe_allowed_cas(const struct ca_template *tmpl, struct ca_buf *out)
{
    if (tmpl->allowed_cas == NULL) {
        ca_buf_append_str(out, "\"allowed_cas\":null");
        return;
    }
    ca_buf_append_str(out, "\"allowed_cas\":[");
    for (size_t i = 0; i < tmpl->allowed_ca_count; i++) append_item(out, tmpl->allowed_cas[i]);
    ca_buf_append_u8(out, ']');
}

void ca_template_describe(const struct ca_template *tmpl, struct ca_buf *out)
{
    static_assert(CA_TIME_TEXT_MAX <= CA_VALIDITY_TEXT_MAX, "describe_dates has room for both");

    ca_buf_append_str(out, "{\"name\":\"");
    ca_template_arn(tmpl, out);
    ca_buf_printf(out, "\",\"kind\":\"%s\",", kind_name(tmpl->kind));
    describe_extensions(tmpl, out);
    ca_buf_append_u8(out, ',');
    describe_request(tmpl, out);
    ca_buf_append_u8(out, ',');
    describe_dates(tmpl, out);
    ca_buf_append_u8(out, ',');
    describe_allowed_cas(tmpl, out);
    if (tmpl->source.len > 0) {
        ca_buf_append_str(out, ",\"source\":");
        ca_buf_append_bytes(out, tmpl->source);
    }
    ca_buf_append_u8(out, '}');
}
