#include "engine/profile.h"

#include "engine/ext.h"
#include "engine/profile_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_S INT64_C(86400)
#define HOUR_S INT64_C(3600)
#define SHORT_LIVED_MAX_S (7 * DAY_S)       /* spec 2.1 */
#define PERIOD_TEXT_MAX 40
/* The compiled pieces: a CA's name, and extensions with three URIs and those of a template. */
#define PIECES_MAX 65536
#define TEMPLATE_EXTENSIONS_MAX 32768

/* Compiling */

static size_t signature_max(enum ca_key_alg key)
{
    /* DER of two INTEGERs of the curve's size, each perhaps with a zero octet before it. */
    switch (ca_key_alg_kind(key)) {
    case CA_KEY_KIND_RSA: return ca_key_alg_bits(key) / 8;
    case CA_KEY_KIND_P256: return 72;
    case CA_KEY_KIND_P384: return 104;
    case CA_KEY_KIND_P521: return 139;
    case CA_KEY_KIND_ED25519: return 64;
    case CA_KEY_KIND_ED448:         /* no CA's */
    case CA_KEY_KIND_NONE: break;
    }
    return 0;
}

/* Spec 6.2. */
static enum ca_status check_issuer(const struct ca_profile_spec *spec, struct ca_error *err)
{
    const struct ca_template *tmpl = spec->tmpl;
    const struct ca_issuer *issuer = spec->issuer;

    if (tmpl->kind == CA_TEMPLATE_ROOT_CA && issuer != NULL)
        return ca_refuse(err, CA_REASON_TEMPLATE_NOT_FOR_ISSUER,
                         "template %s is only for a root that signs itself", tmpl->name);
    if (tmpl->kind == CA_TEMPLATE_ROOT_CA) return CA_OK;
    if (issuer == NULL)
        return ca_refuse(err, CA_REASON_TEMPLATE_NOT_FOR_ISSUER,
                         "template %s is not for a root that signs itself", tmpl->name);
    if (!issuer->cert.is_ca)
        return ca_refuse(err, CA_REASON_TEMPLATE_NOT_FOR_ISSUER,
                         "the issuer's certificate is not that of a CA");
    if (spec->short_lived && tmpl->kind == CA_TEMPLATE_SUBORDINATE_CA)
        return ca_refuse(err, CA_REASON_TEMPLATE_NOT_FOR_ISSUER,
                         "template %s is not for a CA for short-lived certificates", tmpl->name);
    /* Slots are measured by the signing key, so its size counts as much as its kind. */
    if (ca_key_alg_kind(spec->issuer_key) != issuer->cert.key.kind ||
        ca_key_alg_bits(spec->issuer_key) != issuer->cert.key.bits)
        return ca_refuse(err, CA_REASON_TEMPLATE_NOT_FOR_ISSUER,
                         "the signing key is not of the type that the issuer's certificate has");
    if (tmpl->kind == CA_TEMPLATE_SUBORDINATE_CA && issuer->path_len_left != CA_PATH_LEN_NONE &&
        (tmpl->path_len == CA_PATH_LEN_NONE || tmpl->path_len >= issuer->path_len_left))
        return ca_refuse(err, CA_REASON_PATH_LENGTH,
                         "template %s needs an issuer with a path length above %d; this one has %d",
                         tmpl->name, tmpl->path_len, issuer->path_len_left);
    return CA_OK;
}

/* A template's file may be long; what it adds to each certificate may not. */
static enum ca_status check_extensions(const struct ca_template *tmpl, struct ca_error *err)
{
    if (tmpl->extensions.len <= TEMPLATE_EXTENSIONS_MAX &&
        tmpl->eku_more.len <= TEMPLATE_EXTENSIONS_MAX - tmpl->extensions.len)
        return CA_OK;
    return ca_fail_named(err, CA_REFUSED, "template",
                         "the extensions of template %s have more than %d octets", tmpl->name,
                         TEMPLATE_EXTENSIONS_MAX);
}

/* The CA's configuration stands at the template's own rank where a row names it (spec 6.1). A
 * delta's pointer goes with the pointer to the CRL that it is based on. */
static struct ca_pointers pointers_of(const struct ca_profile_spec *spec)
{
    const struct ca_template *tmpl = spec->tmpl;
    const struct ca_revocation *revocation = spec->revocation;
    struct ca_pointers pointers = { .cdp = false };

    if (revocation == NULL || spec->issuer == NULL || tmpl->no_revocation_pointers)
        return pointers;
    pointers.cdp = (tmpl->cdp_from & CA_FROM_CA) != 0 && revocation->cdp_uri[0] != '\0';
    pointers.freshest = pointers.cdp && revocation->freshest_uri[0] != '\0';
    pointers.aia = revocation->ocsp_uri[0] != '\0';
    return pointers;
}

/* What nobody asked for is the template's to say. */
static struct ca_validity validity_of(const struct ca_profile_spec *spec)
{
    if (spec->validity.type != CA_VALIDITY_NONE) return spec->validity;
    if (spec->tmpl->not_after_s != 0)
        return (struct ca_validity){ CA_VALIDITY_ABSOLUTE, spec->tmpl->not_after_s };
    return spec->tmpl->validity_default;
}

static void compile_middle(struct ca_profile *profile)
{
    ca_buf_append_bytes(&profile->middle, profile->sig_alg_der);
    if (profile->spec.issuer != NULL) {
        ca_buf_append_bytes(&profile->middle, profile->spec.issuer->cert.subject);
    }
}

/* Writes the extension with a key identifier of zeros and cuts these off again: the octets of the
 * request's key follow. */
static void compile_before_key_id(struct ca_profile *profile)
{
    static const uint8_t zeros[CA_PROFILE_KEY_ID_LEN];
    const struct ca_template *tmpl = profile->spec.tmpl;
    struct ca_buf *out = &profile->before_key_id;

    ca_ext_basic_constraints(out, tmpl->basic_constraints_critical,
                             tmpl->kind != CA_TEMPLATE_END_ENTITY, tmpl->path_len);
    if (profile->spec.issuer != NULL) ca_ext_authority_key_id(out, profile->spec.issuer->key_id);
    ca_ext_subject_key_id(out, ca_bytes_of(zeros, sizeof(zeros)));
    if (out->failed == CA_OK) out->len -= sizeof(zeros);
}

/* Remembers where the digits of the URI are that the last extension ends with. */
static void note_digits(const struct ca_profile *profile, const char *uri,
                        struct ca_profile_tail *tail)
{
    size_t at = profile->revocation.crl_partitioned ? ca_scope_digits_at(uri) : 0;

    if (at == 0 || tail->der.failed != CA_OK) return;
    tail->digits_at[tail->digits_count++] = tail->der.len - ca_bytes_str(uri).len + at;
}

static void compile_tail(struct ca_profile *profile, uint16_t key_usage,
                         struct ca_profile_tail *tail)
{
    const struct ca_template *tmpl = profile->spec.tmpl;
    const struct ca_revocation *revocation = &profile->revocation;
    struct ca_buf *out = &tail->der;

    if (key_usage != 0) ca_ext_key_usage(out, key_usage);
    if (tmpl->eku != 0 || tmpl->eku_more.len > 0)
        ca_ext_ext_key_usage(out, tmpl->eku_critical, tmpl->eku, tmpl->eku_more);
    if (profile->pointers.cdp) {
        ca_ext_crl_distribution_point(out, revocation->cdp_uri);
        note_digits(profile, revocation->cdp_uri, tail);
    }
    if (profile->pointers.aia) ca_ext_ocsp(out, revocation->ocsp_uri);
    if (profile->pointers.freshest) {
        ca_ext_freshest_crl(out, revocation->freshest_uri);
        note_digits(profile, revocation->freshest_uri, tail);
    }
    ca_buf_append_bytes(out, tmpl->extensions);
}

static enum ca_status compile(struct ca_profile *profile, struct ca_error *err)
{
    const struct ca_template *tmpl = profile->spec.tmpl;
    const struct ca_buf *const pieces[] = { &profile->middle, &profile->before_key_id,
                                            &profile->rsa_tail.der, &profile->signing_tail.der };
    enum ca_status st = CA_OK;

    ca_buf_init(&profile->middle, PIECES_MAX);
    ca_buf_init(&profile->before_key_id, PIECES_MAX);
    ca_buf_init(&profile->rsa_tail.der, PIECES_MAX);
    ca_buf_init(&profile->signing_tail.der, PIECES_MAX);
    compile_middle(profile);
    compile_before_key_id(profile);
    compile_tail(profile, ca_template_key_usage(tmpl, CA_KEY_KIND_RSA), &profile->rsa_tail);
    compile_tail(profile, ca_template_key_usage(tmpl, CA_KEY_KIND_P256), &profile->signing_tail);
    for (size_t i = 0; st == CA_OK && i < CA_COUNT(pieces); i++) {
        st = ca_buf_status(pieces[i], "a profile", err);
    }
    return st;
}

enum ca_status ca_profile_new(const struct ca_profile_spec *spec, struct ca_profile **out,
                              struct ca_error *err)
{
    struct ca_profile *profile = NULL;
    enum ca_status st = ca_sig_alg_check(spec->sig_alg, spec->issuer_key, err);

    if (st == CA_OK) st = check_issuer(spec, err);
    if (st == CA_OK) st = check_extensions(spec->tmpl, err);
    if (st != CA_OK) return st;
    profile = calloc(1, sizeof(*profile));
    if (profile == NULL) return ca_fail(err, CA_NOMEM, "no memory for a profile");
    profile->spec = *spec;
    profile->spec.validity = validity_of(spec);
    if (spec->revocation != NULL) {
        profile->revocation = *spec->revocation;
        profile->revocation.json = (struct ca_buf){ .data = NULL };     /* stays the caller's */
        profile->spec.revocation = &profile->revocation;
    }
    profile->pointers = pointers_of(spec);
    profile->sig_alg_der = ca_sig_alg_der(spec->sig_alg);
    profile->signature_max = signature_max(spec->issuer_key);
    st = compile(profile, err);
    if (st != CA_OK) goto out;
    *out = profile;
    profile = NULL;
out:
    ca_profile_free(profile);
    return st;
}

void ca_profile_free(struct ca_profile *profile)
{
    if (profile == NULL) return;
    ca_buf_clear(&profile->middle);
    ca_buf_clear(&profile->before_key_id);
    ca_buf_clear(&profile->rsa_tail.der);
    ca_buf_clear(&profile->signing_tail.der);
    free(profile);
}

const struct ca_template *ca_profile_template(const struct ca_profile *profile)
{
    return profile->spec.tmpl;
}

const struct ca_issuer *ca_profile_issuer(const struct ca_profile *profile)
{
    return profile->spec.issuer;
}

enum ca_sig_alg ca_profile_sig_alg(const struct ca_profile *profile)
{
    return profile->spec.sig_alg;
}

const struct ca_profile_spec *ca_profile_spec_of(const struct ca_profile *profile)
{
    return &profile->spec;
}

struct ca_pointers ca_profile_pointers(const struct ca_profile *profile)
{
    return profile->pointers;
}

/* Describing */

static void describe_text(struct ca_buf *out, const char *member, const char *value)
{
    ca_buf_printf(out, ",\"%s\":", member);
    if (value != NULL) ca_json_append_string(out, ca_bytes_str(value));
    else ca_buf_append_str(out, "null");
}

static void describe_flag(struct ca_buf *out, const char *member, bool value)
{
    ca_buf_printf(out, ",\"%s\":%s", member, value ? "true" : "false");
}

static void describe_digest(struct ca_buf *out, const char *member, const uint8_t digest[32])
{
    char hex[2 * 32 + 1];

    ca_hex_encode(ca_bytes_of(digest, 32), hex);
    describe_text(out, member, hex);
}

/* The issuer by the digest of its certificate, which covers its name, key and dates. */
static enum ca_status describe_issuer(const struct ca_profile *profile, struct ca_crypto *crypto,
                                      struct ca_buf *out, struct ca_error *err)
{
    const struct ca_issuer *issuer = profile->spec.issuer;
    uint8_t digest[32];
    enum ca_status st;

    if (issuer == NULL) {
        describe_text(out, "issuer_certificate_sha256", NULL);
        return CA_OK;
    }
    st = ca_crypto_digest(crypto, CA_DIGEST_SHA256, issuer->cert.der, digest, err);
    if (st == CA_OK) describe_digest(out, "issuer_certificate_sha256", digest);
    return st;
}

static void describe_validity(const struct ca_profile_spec *spec, struct ca_buf *out)
{
    char text[CA_VALIDITY_TEXT_MAX];

    ca_validity_format(&spec->validity, text);
    describe_text(out, "validity", spec->validity.type != CA_VALIDITY_NONE ? text : NULL);
    if (spec->not_before_s != 0) ca_time_format(spec->not_before_s, text);
    describe_text(out, "not_before", spec->not_before_s != 0 ? text : NULL);
    describe_flag(out, "short_lived", spec->short_lived);
}

/* What is written, not what is configured: a root's profile stays the same when CRLs begin. */
static void describe_pointers(const struct ca_profile *profile, struct ca_buf *out)
{
    const struct ca_revocation *revocation = &profile->revocation;
    const struct ca_pointers *pointers = &profile->pointers;

    describe_text(out, "crl_distribution_point", pointers->cdp ? revocation->cdp_uri : NULL);
    describe_text(out, "freshest_crl", pointers->freshest ? revocation->freshest_uri : NULL);
    describe_flag(out, "partitioned", pointers->cdp && revocation->crl_partitioned);
    describe_text(out, "ocsp", pointers->aia ? revocation->ocsp_uri : NULL);
}

static enum ca_status describe(const struct ca_profile *profile, struct ca_crypto *crypto,
                               struct ca_buf *out, struct ca_error *err)
{
    const struct ca_profile_spec *spec = &profile->spec;
    enum ca_status st;

    ca_buf_append_str(out, "{\"template\":");
    ca_template_describe(spec->tmpl, out);
    st = describe_issuer(profile, crypto, out, err);
    if (st != CA_OK) return st;
    describe_text(out, "signing_algorithm", ca_sig_alg_name(spec->sig_alg));
    describe_validity(spec, out);
    describe_pointers(profile, out);
    describe_flag(out, "strict", spec->strict);
    if (spec->blocklist != NULL) {
        describe_digest(out, "blocklist_sha256", ca_blocklist_hash(spec->blocklist));
    } else {
        describe_text(out, "blocklist_sha256", NULL);
    }
    ca_buf_append_str(out, ",\"api_passthrough\":");
    if (spec->api_json.len > 0) ca_buf_append_bytes(out, spec->api_json);
    else ca_buf_append_str(out, "null");
    ca_buf_append_str(out, "}");
    return ca_buf_status(out, "the description of a profile", err);
}

enum ca_status ca_profile_hash(const struct ca_profile *profile, struct ca_crypto *crypto,
                               uint8_t hash[32], struct ca_buf *text, struct ca_error *err)
{
    struct ca_buf json;
    enum ca_status st;

    ca_buf_init(&json, CA_PROFILE_TEXT_MAX);
    st = describe(profile, crypto, &json, err);
    if (st == CA_OK) st = ca_crypto_digest(crypto, CA_DIGEST_SHA256, ca_buf_view(&json), hash, err);
    if (st == CA_OK && text != NULL) {
        ca_buf_append_bytes(text, ca_buf_view(&json));
        st = ca_buf_status(text, "the description of a profile", err);
    }
    ca_buf_clear(&json);
    return st;
}

/* Dates */

/* "90 days", "36 hours", "90 seconds". */
static void format_period(int64_t period_s, char out[PERIOD_TEXT_MAX])
{
    int64_t unit_s = period_s % DAY_S == 0 ? DAY_S : period_s % HOUR_S == 0 ? HOUR_S : 1;
    const char *unit = unit_s == DAY_S ? "day" : unit_s == HOUR_S ? "hour" : "second";

    (void)snprintf(out, PERIOD_TEXT_MAX, "%" PRId64 " %s%s", period_s / unit_s, unit,
                   period_s == unit_s ? "" : "s");
}

/* What the template itself says about the end. */
static enum ca_status check_template_end(const struct ca_template *tmpl, int64_t from_s,
                                         int64_t not_after_s, struct ca_error *err)
{
    char end[CA_TIME_TEXT_MAX], longest[PERIOD_TEXT_MAX];

    if (tmpl->not_after_s != 0 && not_after_s != tmpl->not_after_s) {
        ca_time_format(tmpl->not_after_s, end);
        (void)ca_refuse(err, CA_REASON_VALIDITY_REFUSED,
                        "template %s has the end of its certificates fixed at %s (not_after)",
                        tmpl->name, end);
        ca_hint(err, "leave the validity away, or use another template");
        return CA_REFUSED;
    }
    if (tmpl->validity_max_s != 0 && not_after_s - from_s > tmpl->validity_max_s) {
        format_period(tmpl->validity_max_s, longest);
        return ca_refuse(err, CA_REASON_VALIDITY_REFUSED,
                         "template %s allows at most %s (validity.max)", tmpl->name, longest);
    }
    return CA_OK;
}

static enum ca_status refuse_past_ca(const struct ca_profile_spec *spec, struct ca_error *err)
{
    char ca_ends[CA_TIME_TEXT_MAX], needed[CA_TIME_TEXT_MAX];

    ca_time_format(spec->issuer->cert.not_after_s, ca_ends);
    if (spec->tmpl->not_after_s != 0) {
        ca_time_format(spec->tmpl->not_after_s, needed);
        (void)ca_refuse(err, CA_REASON_VALIDITY_PAST_CA,
                        "The certificate validity specified exceeds the certificate authority "
                        "validity: not_after of the template needs a CA that ends at %s or later",
                        needed);
        ca_hint(err, "the CA's certificate ends at %s: use a CA whose own certificate ends no "
                     "earlier than what it issues with template %s", ca_ends, spec->tmpl->name);
        return CA_REFUSED;
    }
    (void)ca_refuse(err, CA_REASON_VALIDITY_PAST_CA,
                    "The certificate validity specified exceeds the certificate authority "
                    "validity");
    ca_hint(err, "the CA's certificate ends at %s: give a shorter --validity, or renew it",
            ca_ends);
    return CA_REFUSED;
}

/* from_s: what a period is counted from. */
static enum ca_status check_not_after(const struct ca_profile *profile, int64_t from_s,
                                      int64_t not_after_s, struct ca_error *err)
{
    const struct ca_profile_spec *spec = &profile->spec;
    enum ca_status st = check_template_end(spec->tmpl, from_s, not_after_s, err);

    if (st != CA_OK) return st;
    /* A root's own certificate is exempt from both (spec 2.1, section 5). */
    if (spec->issuer == NULL) return CA_OK;
    if (spec->short_lived && not_after_s - from_s > SHORT_LIVED_MAX_S)
        return ca_refuse(err, CA_REASON_VALIDITY_REFUSED,
                         "a CA for short-lived certificates issues for at most 7 days");
    if (not_after_s > spec->issuer->cert.not_after_s) return refuse_past_ca(spec, err);
    return CA_OK;
}

enum ca_status ca_profile_dates(const struct ca_profile *profile, int64_t now_s,
                                int64_t *not_before_s, int64_t *not_after_s, struct ca_error *err)
{
    const struct ca_profile_spec *spec = &profile->spec;
    int64_t from_s = spec->not_before_s, until_s = 0;
    struct ca_error why;
    enum ca_status st;

    if (ca_validity_not_after(&spec->validity, now_s, &until_s, &why) != CA_OK)
        return ca_refuse(err, CA_REASON_VALIDITY_REFUSED, "%s", why.text);
    /* Periods are counted from now, the backdate beside them; but a beginning in the past that was
     * asked for must not stretch them. */
    st = check_not_after(profile, from_s != 0 && from_s < now_s ? from_s : now_s, until_s, err);
    if (st != CA_OK) return st;
    if (from_s == 0) {
        from_s = now_s - CA_BACKDATE_S;
        if (spec->issuer != NULL && from_s < spec->issuer->cert.not_before_s) {
            from_s = spec->issuer->cert.not_before_s;
        }
    } else if (spec->issuer != NULL && from_s < spec->issuer->cert.not_before_s) {
        return ca_refuse(err, CA_REASON_VALIDITY_REFUSED,
                         "the certificate would begin before the CA's own");
    }
    if (from_s >= until_s)
        return ca_refuse(err, CA_REASON_VALIDITY_REFUSED,
                         "the certificate would end before it begins");
    *not_before_s = from_s;
    *not_after_s = until_s;
    return CA_OK;
}
