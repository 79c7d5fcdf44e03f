#include "engine/profile.h"

#include "engine/ext.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define KEY_ID_LEN 20
#define SHORT_LIVED_MAX_S (INT64_C(7) * 86400)      /* spec 2.1 */
#define DAY_S INT64_C(86400)
/* Octets kept before the TBS: the certificate's header, whose length never needs more than two
 * octets below CA_CERT_DER_MAX. */
#define HEADER_ROOM 4
/* The compiled pieces: a CA's name, and extensions with two URIs. */
#define PIECES_MAX 65536

struct ca_profile {
    struct ca_profile_spec spec;    /* with cdp_uri and ocsp_uri our own copies */
    char *cdp_uri;
    char *ocsp_uri;
    struct ca_bytes sig_alg_der;
    size_t signature_max;           /* octets of the longest signature by the issuer's key */
    /* Signature algorithm and issuer; the algorithm alone for a root that signs itself. */
    struct ca_buf middle;
    /* Extensions up to the octets of the subject key identifier, and after them. The tail depends
     * on whether the subject's key can encipher. */
    struct ca_buf before_key_id;
    struct ca_buf after_key_id[2];
};

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

static enum ca_status copy_uri(const char *uri, char **out, struct ca_error *err)
{
    if (uri == NULL) return CA_OK;
    *out = strdup(uri);
    return *out != NULL ? CA_OK : ca_fail(err, CA_NOMEM, "no memory for a profile");
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
    static const uint8_t zeros[KEY_ID_LEN];
    const struct ca_template *tmpl = profile->spec.tmpl;
    struct ca_buf *out = &profile->before_key_id;

    ca_ext_basic_constraints(out, tmpl->basic_constraints_critical,
                             tmpl->kind != CA_TEMPLATE_END_ENTITY, tmpl->path_len);
    if (profile->spec.issuer != NULL) ca_ext_authority_key_id(out, profile->spec.issuer->key_id);
    ca_ext_subject_key_id(out, ca_bytes_of(zeros, KEY_ID_LEN));
    if (out->failed == CA_OK) out->len -= KEY_ID_LEN;
}

static void compile_after_key_id(struct ca_profile *profile, uint16_t key_usage,
                                 struct ca_buf *out)
{
    const struct ca_template *tmpl = profile->spec.tmpl;

    if (key_usage != 0) ca_ext_key_usage(out, key_usage);
    if (tmpl->eku != 0) ca_ext_ext_key_usage(out, tmpl->eku_critical, tmpl->eku);
    if (profile->cdp_uri != NULL) ca_ext_crl_distribution_point(out, profile->cdp_uri);
    if (profile->ocsp_uri != NULL) ca_ext_ocsp(out, profile->ocsp_uri);
}

static enum ca_status compile(struct ca_profile *profile, struct ca_error *err)
{
    enum ca_status st;

    ca_buf_init(&profile->middle, PIECES_MAX);
    ca_buf_init(&profile->before_key_id, PIECES_MAX);
    ca_buf_init(&profile->after_key_id[0], PIECES_MAX);
    ca_buf_init(&profile->after_key_id[1], PIECES_MAX);
    compile_middle(profile);
    compile_before_key_id(profile);
    compile_after_key_id(profile, profile->spec.tmpl->key_usage, &profile->after_key_id[0]);
    compile_after_key_id(profile, profile->spec.tmpl->key_usage_signing_only,
                         &profile->after_key_id[1]);
    st = ca_buf_status(&profile->middle, "a profile", err);
    if (st == CA_OK) st = ca_buf_status(&profile->before_key_id, "a profile", err);
    if (st == CA_OK) st = ca_buf_status(&profile->after_key_id[0], "a profile", err);
    if (st == CA_OK) st = ca_buf_status(&profile->after_key_id[1], "a profile", err);
    return st;
}

enum ca_status ca_profile_new(const struct ca_profile_spec *spec, struct ca_profile **out,
                              struct ca_error *err)
{
    struct ca_profile *profile = NULL;
    enum ca_status st = ca_sig_alg_check(spec->sig_alg, spec->issuer_key, err);

    if (st == CA_OK) st = check_issuer(spec, err);
    if (st != CA_OK) return st;
    profile = calloc(1, sizeof(*profile));
    if (profile == NULL) return ca_fail(err, CA_NOMEM, "no memory for a profile");
    profile->spec = *spec;
    st = copy_uri(spec->cdp_uri, &profile->cdp_uri, err);
    if (st == CA_OK) st = copy_uri(spec->ocsp_uri, &profile->ocsp_uri, err);
    if (st != CA_OK) goto out;
    profile->spec.cdp_uri = profile->cdp_uri;
    profile->spec.ocsp_uri = profile->ocsp_uri;
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
    free(profile->cdp_uri);
    free(profile->ocsp_uri);
    ca_buf_clear(&profile->middle);
    ca_buf_clear(&profile->before_key_id);
    ca_buf_clear(&profile->after_key_id[0]);
    ca_buf_clear(&profile->after_key_id[1]);
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

/* Describing */

static void describe_text(struct ca_buf *out, const char *member, const char *value)
{
    ca_buf_printf(out, ",\"%s\":", member);
    if (value != NULL) ca_json_append_string(out, ca_bytes_str(value));
    else ca_buf_append_str(out, "null");
}

/* The issuer by the digest of its certificate, which covers its name, key and dates. */
static enum ca_status describe_issuer(const struct ca_profile *profile, struct ca_crypto *crypto,
                                      struct ca_buf *out, struct ca_error *err)
{
    const struct ca_issuer *issuer = profile->spec.issuer;
    char hex[2 * 32 + 1];
    uint8_t digest[32];
    enum ca_status st;

    if (issuer == NULL) {
        describe_text(out, "issuer_certificate_sha256", NULL);
        return CA_OK;
    }
    st = ca_crypto_digest(crypto, CA_DIGEST_SHA256, issuer->cert.der, digest, err);
    if (st != CA_OK) return st;
    ca_hex_encode(ca_bytes_of(digest, sizeof(digest)), hex);
    describe_text(out, "issuer_certificate_sha256", hex);
    return CA_OK;
}

static enum ca_status describe(const struct ca_profile *profile, struct ca_crypto *crypto,
                               struct ca_buf *out, struct ca_error *err)
{
    const struct ca_profile_spec *spec = &profile->spec;
    char text[CA_VALIDITY_TEXT_MAX];
    enum ca_status st;

    ca_buf_append_str(out, "{\"template\":");
    ca_template_describe(spec->tmpl, out);
    st = describe_issuer(profile, crypto, out, err);
    if (st != CA_OK) return st;
    describe_text(out, "signing_algorithm", ca_sig_alg_name(spec->sig_alg));
    ca_validity_format(&spec->validity, text);
    describe_text(out, "validity", text);
    if (spec->not_before_s != 0) {
        ca_time_format(spec->not_before_s, text);
        describe_text(out, "not_before", text);
    } else {
        describe_text(out, "not_before", NULL);
    }
    describe_text(out, "crl_distribution_point", spec->cdp_uri);
    describe_text(out, "ocsp", spec->ocsp_uri);
    ca_buf_printf(out, ",\"short_lived\":%s}", spec->short_lived ? "true" : "false");
    return ca_buf_status(out, "the description of a profile", err);
}

enum ca_status ca_profile_hash(const struct ca_profile *profile, struct ca_crypto *crypto,
                               uint8_t hash[32], struct ca_buf *text, struct ca_error *err)
{
    struct ca_buf json;
    enum ca_status st;

    ca_buf_init(&json, PIECES_MAX);
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

static enum ca_status check_not_after(const struct ca_profile *profile, int64_t now_s,
                                      int64_t not_after_s, struct ca_error *err)
{
    const struct ca_profile_spec *spec = &profile->spec;

    if (spec->tmpl->max_validity_days != 0 &&
        not_after_s - now_s > (int64_t)spec->tmpl->max_validity_days * DAY_S)
        return ca_refuse(err, CA_REASON_VALIDITY_REFUSED,
                         "template %s allows at most %u days", spec->tmpl->name,
                         (unsigned)spec->tmpl->max_validity_days);
    /* A root's own certificate is exempt from both (spec 2.1, section 5). */
    if (spec->issuer == NULL) return CA_OK;
    if (spec->short_lived && not_after_s - now_s > SHORT_LIVED_MAX_S)
        return ca_refuse(err, CA_REASON_VALIDITY_REFUSED,
                         "a CA for short-lived certificates issues for at most 7 days");
    if (not_after_s > spec->issuer->cert.not_after_s) {
        char ca_ends[CA_TIME_TEXT_MAX];

        ca_time_format(spec->issuer->cert.not_after_s, ca_ends);
        (void)ca_refuse(err, CA_REASON_VALIDITY_PAST_CA,
                        "The certificate validity specified exceeds the certificate authority "
                        "validity");
        ca_hint(err, "the CA's certificate ends at %s: give a shorter --validity, or renew it",
                ca_ends);
        return CA_REFUSED;
    }
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
    st = check_not_after(profile, now_s, until_s, err);
    if (st != CA_OK) return st;
    if (from_s == 0) {
        from_s = now_s - CA_BACKDATE_S;
        if (spec->issuer != NULL && from_s < spec->issuer->cert.not_before_s) {
            from_s = spec->issuer->cert.not_before_s;
        }
    }
    if (from_s >= until_s)
        return ca_refuse(err, CA_REASON_VALIDITY_REFUSED,
                         "the certificate would end before it begins");
    *not_before_s = from_s;
    *not_after_s = until_s;
    return CA_OK;
}

/* Building: lengths first, then straight copies. */

static const uint8_t version_3[] = { 0xa0, 3, CA_DER_INTEGER, 1, 2 };
static const uint8_t san_head[] = { CA_DER_OID, 3, 0x55, 0x1d, 0x11 };
static const uint8_t san_head_critical[] = { CA_DER_OID, 3, 0x55, 0x1d, 0x11,
                                             CA_DER_BOOLEAN, 1, 0xff };

/* One Time: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5). */
struct time_der {
    uint8_t octets[17];
    size_t len;
};

/* Lengths of a TBSCertificate's contents, innermost first. */
struct tbs_lens {
    struct time_der not_before, not_after;
    struct ca_bytes issuer;         /* of a root that signs itself; .len 0 otherwise */
    struct ca_bytes after_key_id;
    bool serial_pad;                /* the INTEGER needs a zero octet before it */
    size_t san_ext;                 /* content of the SAN's Extension; 0: there is none */
    size_t extensions;              /* content of Extensions */
    size_t content;                 /* of the TBSCertificate */
    size_t tbs;                     /* with its header */
};

static size_t with_header(size_t content_len)
{
    return ca_der_header_len(content_len) + content_len;
}

static uint8_t *put(uint8_t *out, const void *data, size_t len)
{
    memcpy(out, data, len);
    return out + len;
}

static uint8_t *put_bytes(uint8_t *out, struct ca_bytes bytes)
{
    return put(out, bytes.data, bytes.len);
}

static uint8_t *put_header(uint8_t *out, uint8_t tag, size_t content_len)
{
    return out + ca_der_put_header(out, tag, content_len);
}

static uint8_t *put_digits(uint8_t *out, int32_t value)
{
    out[0] = (uint8_t)('0' + value / 10);
    out[1] = (uint8_t)('0' + value % 10);
    return out + 2;
}

/* ca_der_add_time prints with printf, which costs more than the rest of a TBSCertificate. */
static void encode_time(int64_t time_s, struct time_der *out)
{
    struct ca_civil c;
    uint8_t *p = out->octets + 2;
    bool utc;

    ca_time_to_civil(time_s, &c);
    utc = c.year >= 1950 && c.year <= 2049;
    if (!utc) p = put_digits(p, c.year / 100);
    p = put_digits(p, c.year % 100);
    p = put_digits(p, c.month);
    p = put_digits(p, c.day);
    p = put_digits(p, c.hour);
    p = put_digits(p, c.minute);
    p = put_digits(p, c.second);
    *p++ = 'Z';
    out->len = (size_t)(p - out->octets);
    out->octets[0] = utc ? CA_DER_UTC_TIME : CA_DER_GENERALIZED_TIME;
    out->octets[1] = (uint8_t)(out->len - 2);
}

static struct ca_bytes san_head_of(const struct ca_request *request)
{
    return request->san_critical ? ca_bytes_of(san_head_critical, sizeof(san_head_critical))
                                 : ca_bytes_of(san_head, sizeof(san_head));
}

static void measure(const struct ca_profile *profile, const struct ca_tbs_input *input,
                    struct tbs_lens *lens)
{
    const struct ca_request *request = input->request;
    bool enciphers = request->key.kind == CA_KEY_KIND_RSA;

    *lens = (struct tbs_lens){ .serial_pad = input->serial->octets[0] >= 0x80 };
    encode_time(input->not_before_s, &lens->not_before);
    encode_time(input->not_after_s, &lens->not_after);
    if (profile->spec.issuer == NULL) lens->issuer = request->subject;
    lens->after_key_id = ca_buf_view(&profile->after_key_id[enciphers ? 0 : 1]);
    lens->extensions = profile->before_key_id.len + KEY_ID_LEN + lens->after_key_id.len;
    if (request->has_san) {
        lens->san_ext = san_head_of(request).len + with_header(request->san.len);
        lens->extensions += with_header(lens->san_ext);
    }
    lens->content = sizeof(version_3) + 2 + input->serial->len + (lens->serial_pad ? 1 : 0) +
                    profile->middle.len + lens->issuer.len + 2 + lens->not_before.len +
                    lens->not_after.len + request->subject.len + request->key.whole.len +
                    with_header(with_header(lens->extensions));
    lens->tbs = with_header(lens->content);
}

/* Version, serial, dates, key identifier, and the headers of everything: 116 octets at most. */
#define FIXED_MAX 128

size_t ca_profile_cert_len_max(const struct ca_profile *profile, const struct ca_request *request)
{
    size_t after_key_id = profile->after_key_id[0].len > profile->after_key_id[1].len
                              ? profile->after_key_id[0].len : profile->after_key_id[1].len;
    size_t names = request->subject.len * (profile->spec.issuer == NULL ? 2 : 1);

    return FIXED_MAX + profile->middle.len + names + request->key.whole.len +
           profile->before_key_id.len + after_key_id + (request->has_san ? request->san.len : 0) +
           profile->sig_alg_der.len + with_header(1 + profile->signature_max);
}

static uint8_t *put_serial(uint8_t *out, const struct ca_serial *serial, bool pad)
{
    out = put_header(out, CA_DER_INTEGER, serial->len + (pad ? 1u : 0u));
    if (pad) *out++ = 0;
    return put(out, serial->octets, serial->len);
}

static uint8_t *put_extensions(uint8_t *out, const struct ca_profile *profile,
                               const struct ca_tbs_input *input, const struct tbs_lens *lens)
{
    const struct ca_request *request = input->request;

    out = put_header(out, CA_DER_CONTEXT_CONSTRUCTED(3), with_header(lens->extensions));
    out = put_header(out, CA_DER_SEQUENCE, lens->extensions);
    out = put_bytes(out, ca_buf_view(&profile->before_key_id));
    out = put(out, input->subject_key_id, KEY_ID_LEN);
    if (lens->after_key_id.len > 0) out = put_bytes(out, lens->after_key_id);
    if (!request->has_san) return out;
    out = put_header(out, CA_DER_SEQUENCE, lens->san_ext);
    out = put_bytes(out, san_head_of(request));
    out = put_header(out, CA_DER_OCTET_STRING, request->san.len);
    return put_bytes(out, request->san);
}

static uint8_t *put_tbs(uint8_t *out, const struct ca_profile *profile,
                        const struct ca_tbs_input *input, const struct tbs_lens *lens)
{
    out = put_header(out, CA_DER_SEQUENCE, lens->content);
    out = put(out, version_3, sizeof(version_3));
    out = put_serial(out, input->serial, lens->serial_pad);
    out = put_bytes(out, ca_buf_view(&profile->middle));
    if (lens->issuer.len > 0) out = put_bytes(out, lens->issuer);
    out = put_header(out, CA_DER_SEQUENCE, lens->not_before.len + lens->not_after.len);
    out = put(out, lens->not_before.octets, lens->not_before.len);
    out = put(out, lens->not_after.octets, lens->not_after.len);
    out = put_bytes(out, input->request->subject);
    out = put_bytes(out, input->request->key.whole);
    return put_extensions(out, profile, input, lens);
}

enum ca_status ca_profile_build(const struct ca_profile *profile, const struct ca_tbs_input *input,
                                struct ca_buf *arena, struct ca_cert_slot *slot,
                                struct ca_error *err)
{
    struct tbs_lens lens;
    size_t offset = arena->len, size;
    uint8_t *at, *end;

    measure(profile, input, &lens);
    size = HEADER_ROOM + lens.tbs + profile->sig_alg_der.len +
           with_header(1 + profile->signature_max);
    if (size > CA_CERT_DER_MAX)
        return ca_refuse(err, CA_REASON_REQUEST_TOO_LONG,
                         "the certificate would be longer than %d octets", CA_CERT_DER_MAX);
    at = ca_buf_extend(arena, size);
    if (at == NULL) return ca_buf_status(arena, "the certificates of a chunk", err);
    end = put_tbs(at + HEADER_ROOM, profile, input, &lens);
    assert(end == at + HEADER_ROOM + lens.tbs);
    (void)end;
    *slot = (struct ca_cert_slot){ .offset = offset, .size = size,
                                   .tbs_offset = offset + HEADER_ROOM, .tbs_len = lens.tbs };
    return CA_OK;
}

void ca_profile_finish(const struct ca_profile *profile, struct ca_buf *arena,
                       struct ca_cert_slot *slot, struct ca_bytes signature)
{
    uint8_t *tbs = arena->data + slot->tbs_offset;
    uint8_t *at = tbs + slot->tbs_len;
    size_t content_len, header_len;

    assert(signature.len <= profile->signature_max);
    assert(slot->offset + slot->size <= arena->len);
    at = put_bytes(at, profile->sig_alg_der);
    at = put_header(at, CA_DER_BIT_STRING, 1 + signature.len);
    *at++ = 0;
    at = put_bytes(at, signature);
    content_len = (size_t)(at - tbs);
    header_len = ca_der_header_len(content_len);
    assert(header_len <= HEADER_ROOM);
    (void)ca_der_put_header(tbs - header_len, CA_DER_SEQUENCE, content_len);
    slot->der_offset = slot->tbs_offset - header_len;
    slot->der_len = header_len + content_len;
}
