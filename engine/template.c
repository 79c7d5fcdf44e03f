#include "engine/template.h"

#include "engine/bytes.h"

#include <string.h>

/* Shorthands for the table below, as spec section 6 abbreviates. */
#define DS CA_KU_DIGITAL_SIGNATURE
#define KE CA_KU_KEY_ENCIPHERMENT
#define KCS CA_KU_KEY_CERT_SIGN
#define CRLS CA_KU_CRL_SIGN
#define SERVER CA_EKU_SERVER_AUTH
#define CLIENT CA_EKU_CLIENT_AUTH

/* AWS rows give every key the same KeyUsage, keyEncipherment for EC keys included. */
#define KU(bits) .key_usage = (bits), .key_usage_signing_only = (bits)
#define KU_BY_KEY(bits, signing_only)                                                              \
    .key_usage = (bits), .key_usage_signing_only = (signing_only)
#define EKU(bits) .eku = (bits), .eku_critical = false
#define EKU_CRITICAL(bits) .eku = (bits), .eku_critical = true
#define END_ENTITY                                                                                 \
    .kind = CA_TEMPLATE_END_ENTITY, .basic_constraints_critical = false,                           \
    .path_len = CA_PATH_LEN_NONE
#define SUBORDINATE(n)                                                                             \
    .kind = CA_TEMPLATE_SUBORDINATE_CA, .basic_constraints_critical = true, .path_len = (n)
#define ROOT                                                                                       \
    .kind = CA_TEMPLATE_ROOT_CA, .basic_constraints_critical = true,                               \
    .path_len = CA_PATH_LEN_NONE

/* The rows of spec section 6, then our own presets. */
static const struct ca_template templates[] = {
    { .name = "EndEntityCertificate", END_ENTITY, KU(DS | KE), EKU(SERVER | CLIENT),
      .summary = "TLS server and client" },
    { .name = "EndEntityClientAuthCertificate", END_ENTITY, KU(DS | KE), EKU(CLIENT),
      .summary = "TLS client" },
    { .name = "EndEntityServerAuthCertificate", END_ENTITY, KU(DS | KE), EKU(SERVER),
      .summary = "TLS server" },
    { .name = "CodeSigningCertificate", END_ENTITY, KU(DS), EKU_CRITICAL(CA_EKU_CODE_SIGNING),
      .summary = "Signer of code" },
    { .name = "OCSPSigningCertificate", END_ENTITY, KU(DS), EKU_CRITICAL(CA_EKU_OCSP_SIGNING),
      .summary = "Signer of OCSP responses" },
    { .name = "SubordinateCACertificate_PathLen0", SUBORDINATE(0), KU(DS | KCS | CRLS),
      .summary = "CA that issues end-entity certificates only" },
    { .name = "SubordinateCACertificate_PathLen1", SUBORDINATE(1), KU(DS | KCS | CRLS),
      .summary = "CA with at most one level of CAs below it" },
    { .name = "SubordinateCACertificate_PathLen2", SUBORDINATE(2), KU(DS | KCS | CRLS),
      .summary = "CA with at most two levels of CAs below it" },
    { .name = "SubordinateCACertificate_PathLen3", SUBORDINATE(3), KU(DS | KCS | CRLS),
      .summary = "CA with at most three levels of CAs below it" },
    { .name = "RootCACertificate", ROOT, KU(DS | KCS | CRLS),
      .summary = "Self-signed root CA" },
    { .name = "device", .ours = true, END_ENTITY, KU_BY_KEY(DS | KE, DS), EKU(SERVER | CLIENT),
      .summary = "TLS client and server, key usage by the type of the key" },
};

#define TEMPLATE_COUNT (sizeof(templates) / sizeof(templates[0]))

size_t ca_template_count(void)
{
    return TEMPLATE_COUNT;
}

const struct ca_template *ca_template_at(size_t index)
{
    return index < TEMPLATE_COUNT ? &templates[index] : NULL;
}

const struct ca_template *ca_template_default(void)
{
    return &templates[0];
}

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
    for (size_t i = 0; good && i < TEMPLATE_COUNT; i++) {
        if (!ca_bytes_equal(name, ca_bytes_str(templates[i].name))) continue;
        if (templates[i].ours && has_version) break;    /* presets have no ARN and no version */
        *out = &templates[i];
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

static const char *kind_name(enum ca_template_kind kind)
{
    switch (kind) {
    case CA_TEMPLATE_END_ENTITY: return "end-entity";
    case CA_TEMPLATE_SUBORDINATE_CA: return "subordinate-ca";
    case CA_TEMPLATE_ROOT_CA: return "root-ca";
    }
    return "unknown";
}

static const char *flag(bool value)
{
    return value ? "true" : "false";
}

/* The names of the set bits as a JSON list. */
static void append_names(struct ca_buf *out, uint16_t bits, const char *const *names, size_t count)
{
    const char *comma = "";

    ca_buf_append_u8(out, '[');
    for (size_t i = 0; i < count; i++) {
        if ((bits & (1u << i)) == 0) continue;
        ca_buf_printf(out, "%s\"%s\"", comma, names[i]);
        comma = ",";
    }
    ca_buf_append_u8(out, ']');
}

static void append_key_usage(struct ca_buf *out, uint16_t bits)
{
    static const char *const names[] = {
        "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
        "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
    };

    append_names(out, bits, names, sizeof(names) / sizeof(names[0]));
}

static void append_eku(struct ca_buf *out, uint16_t bits)
{
    static const char *const names[] = { "serverAuth", "clientAuth", "codeSigning", "OCSPSigning" };

    append_names(out, bits, names, sizeof(names) / sizeof(names[0]));
}

void ca_template_describe(const struct ca_template *tmpl, struct ca_buf *out)
{
    bool is_ca = tmpl->kind != CA_TEMPLATE_END_ENTITY;

    ca_buf_append_str(out, "{\"name\":\"");
    ca_template_arn(tmpl, out);
    ca_buf_printf(out, "\",\"kind\":\"%s\"", kind_name(tmpl->kind));
    ca_buf_printf(out, ",\"basic_constraints\":{\"critical\":%s,\"ca\":%s,\"path_len\":",
                  flag(tmpl->basic_constraints_critical), flag(is_ca));
    if (tmpl->path_len == CA_PATH_LEN_NONE) ca_buf_append_str(out, "null");
    else ca_buf_printf(out, "%d", tmpl->path_len);
    ca_buf_append_str(out, "},\"key_usage\":");
    append_key_usage(out, tmpl->key_usage);
    ca_buf_append_str(out, ",\"key_usage_signing_only\":");
    append_key_usage(out, tmpl->key_usage_signing_only);
    ca_buf_append_str(out, ",\"extended_key_usage\":");
    append_eku(out, tmpl->eku);
    ca_buf_printf(out, ",\"extended_key_usage_critical\":%s,\"max_validity_days\":%u}",
                  flag(tmpl->eku_critical), (unsigned)tmpl->max_validity_days);
}
