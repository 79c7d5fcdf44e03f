#include "engine/request.h"

#include "engine/alg.h"
#include "engine/name.h"
#include "engine/template.h"

#include <string.h>

#define ATTRIBUTES_MAX 16
#define EXTENSIONS_MAX 32

/* extensionRequest (RFC 2985 5.4.2), the older Microsoft OID for the same thing, and
 * challengePassword (5.4.1), which like them has a single value. */
static const uint8_t oid_extension_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                                 0x0d, 0x01, 0x09, 0x0e };
static const uint8_t oid_ms_cert_extensions[] = { 0x2b, 0x06, 0x01, 0x04, 0x01,
                                                  0x82, 0x37, 0x02, 0x01, 0x0e };
static const uint8_t oid_challenge_password[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                                  0x0d, 0x01, 0x09, 0x07 };
static const uint8_t oid_subject_alt_name[] = { 0x55, 0x1d, 0x11 };

/* OIDs seen so far, so that none comes twice. */
struct seen {
    struct ca_bytes oid[EXTENSIONS_MAX];
    size_t count;
};

_Static_assert(ATTRIBUTES_MAX <= EXTENSIONS_MAX, "struct seen serves both");

/* "what" is the plural of what the OIDs name. */
static enum ca_status note_oid(struct seen *seen, struct ca_bytes oid, size_t max,
                               enum ca_reason reason, const char *what, struct ca_error *err)
{
    char text[80];

    if (seen->count == max)
        return ca_refuse(err, reason, "more than %zu %s", max, what);
    for (size_t i = 0; i < seen->count; i++) {
        if (!ca_bytes_equal(seen->oid[i], oid)) continue;
        ca_der_oid_text(oid, text, sizeof(text));
        return ca_refuse(err, reason, "two %s %s", what, text);
    }
    seen->oid[seen->count++] = oid;
    return CA_OK;
}

/* Requested extensions */

struct extension {
    struct ca_bytes oid;
    bool critical;
    struct ca_bytes value;
};

static enum ca_status read_extension(struct ca_der *list, struct extension *out,
                                     struct ca_error *err)
{
    struct ca_der der = { .reason = 0 };
    struct ca_der_element value = { .tag = 0 };
    enum ca_status st = ca_der_enter(list, CA_DER_SEQUENCE, "an extension", &der, err);

    if (st == CA_OK) st = ca_der_oid(&der, "an extension's type", &out->oid, err);
    out->critical = false;
    if (st == CA_OK && ca_der_next_is(&der, CA_DER_BOOLEAN)) {
        st = ca_der_bool(&der, "an extension's critical flag", &out->critical, err);
        if (st == CA_OK && !out->critical)
            return ca_refuse(err, CA_REASON_BAD_DER,
                             "an extension's critical flag is FALSE, the default, and encoded");
    }
    if (st == CA_OK)
        st = ca_der_take(&der, CA_DER_OCTET_STRING, "an extension's value", &value, err);
    if (st == CA_OK) st = ca_der_end(&der, "an extension", err);
    out->value = value.content;
    return st;
}

/* id-ce (RFC 5280 4.2.1) and id-pe (4.2.2), by what comes before their last arc. */
static bool is_standard(struct ca_bytes oid)
{
    static const uint8_t id_ce[] = { 0x55, 0x1d };
    static const uint8_t id_pe[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01 };

    return (oid.len == sizeof(id_ce) + 1 && memcmp(oid.data, id_ce, sizeof(id_ce)) == 0) ||
           (oid.len == sizeof(id_pe) + 1 && memcmp(oid.data, id_pe, sizeof(id_pe)) == 0);
}

/* The standard extensions are DER inside their OCTET STRING; what private ones hold is nobody's
 * business. */
static enum ca_status check_extension(const struct extension *extension, struct ca_request *out,
                                      struct ca_error *err)
{
    struct ca_bytes oid = extension->oid;

    if (CA_BYTES_ARE(oid, oid_subject_alt_name)) {
        out->has_san = true;
        out->san_critical = extension->critical;
        out->san = extension->value;
        return ca_san_check(extension->value, err);
    }
    if (!is_standard(oid)) return CA_OK;
    if (extension->value.len == 0) {
        char text[80];

        ca_der_oid_text(oid, text, sizeof(text));
        return ca_refuse(err, CA_REASON_BAD_EXTENSIONS, "the extension %s has no value", text);
    }
    return ca_der_check_nested(extension->value, "an extension's value", err);
}

/* value: one Extensions SEQUENCE. */
static enum ca_status read_extensions(struct ca_bytes value, struct ca_request *out,
                                      struct ca_error *err)
{
    struct ca_der input = { .rest = value, .reason = CA_REASON_BAD_EXTENSIONS };
    struct ca_der list = { .reason = 0 };
    struct seen seen;
    enum ca_status st =
        ca_der_enter(&input, CA_DER_SEQUENCE, "the requested extensions", &list, err);

    seen.count = 0;
    if (st != CA_OK) return st;
    if (ca_der_at_end(&list))
        return ca_refuse(err, CA_REASON_BAD_EXTENSIONS, "the requested extensions are empty");
    out->extensions = list.rest;
    while (!ca_der_at_end(&list)) {
        struct extension extension = { .critical = false };

        st = read_extension(&list, &extension, err);
        if (st == CA_OK)
            st = note_oid(&seen, extension.oid, EXTENSIONS_MAX, CA_REASON_BAD_EXTENSIONS,
                          "extensions", err);
        if (st == CA_OK) st = check_extension(&extension, out, err);
        if (st != CA_OK) return st;
    }
    return CA_OK;
}

/* Attributes */

/* The values of one attribute: a SET OF, at least one. *first is the first, *count how many. Those
 * that nobody will read are at least good DER. */
static enum ca_status read_values(struct ca_der *values, bool will_be_read, struct ca_bytes *first,
                                  size_t *count, struct ca_error *err)
{
    struct ca_bytes previous = { .len = 0 };

    *count = 0;
    if (ca_der_at_end(values))
        return ca_refuse(err, CA_REASON_BAD_ATTRIBUTES, "an attribute without values");
    while (!ca_der_at_end(values)) {
        struct ca_der_element value = { .tag = 0 };
        enum ca_status st = ca_der_set_next(values, values->rest.data[0], "an attribute's value",
                                            &previous, &value, err);

        if (st == CA_OK && !will_be_read)
            st = ca_der_check_nested(value.whole, "an attribute's value", err);
        if (st != CA_OK) return st;
        if ((*count)++ == 0) *first = value.whole;
    }
    return CA_OK;
}

/* One Attribute whose whole is content; seen has the types before it. */
static enum ca_status read_attribute(struct ca_bytes content, struct seen *seen,
                                     struct ca_request *out, struct ca_error *err)
{
    struct ca_der der = { .rest = content, .reason = CA_REASON_BAD_ATTRIBUTES };
    struct ca_der values = { .reason = 0 };
    struct ca_bytes type = { .len = 0 }, value = { .len = 0 };
    size_t count = 0;
    bool extensions;
    enum ca_status st = ca_der_oid(&der, "an attribute's type", &type, err);

    if (st == CA_OK) st = ca_der_enter(&der, CA_DER_SET, "an attribute's values", &values, err);
    if (st == CA_OK) st = ca_der_end(&der, "an attribute", err);
    if (st == CA_OK)
        st = note_oid(seen, type, ATTRIBUTES_MAX, CA_REASON_BAD_ATTRIBUTES, "attributes", err);
    extensions = CA_BYTES_ARE(type, oid_extension_request) ||
                 CA_BYTES_ARE(type, oid_ms_cert_extensions);
    if (st == CA_OK) st = read_values(&values, extensions, &value, &count, err);
    if (st != CA_OK) return st;
    if (count > 1 && (extensions || CA_BYTES_ARE(type, oid_challenge_password)))
        return ca_refuse(err, CA_REASON_BAD_ATTRIBUTES,
                         "%zu values in an attribute that has a single one", count);
    if (!extensions) return CA_OK;
    if (out->extensions.len > 0)
        return ca_refuse(err, CA_REASON_BAD_ATTRIBUTES, "two attributes request extensions");
    return read_extensions(value, out, err);
}

static enum ca_status read_attributes(struct ca_der *info, struct ca_request *out,
                                      struct ca_error *err)
{
    struct ca_der attributes = { .reason = 0 };
    struct ca_bytes previous = { .len = 0 };
    struct seen seen;
    enum ca_status st;

    seen.count = 0;
    info->reason = CA_REASON_BAD_ATTRIBUTES;
    st = ca_der_enter(info, CA_DER_CONTEXT_CONSTRUCTED(0), "the attributes field", &attributes,
                      err);
    if (st == CA_OK) st = ca_der_end(info, "the request's content", err);
    while (st == CA_OK && !ca_der_at_end(&attributes)) {
        struct ca_der_element attribute = { .tag = 0 };

        st = ca_der_set_next(&attributes, CA_DER_SEQUENCE, "an attribute", &previous, &attribute,
                             err);
        if (st == CA_OK) st = read_attribute(attribute.content, &seen, out, err);
    }
    return st;
}

/* CertificationRequestInfo (RFC 2986 4.1) */

static enum ca_status read_version(struct ca_der *info, unsigned admit, uint32_t *version,
                                   struct ca_error *err)
{
    enum ca_status st;

    info->reason = CA_REASON_BAD_VERSION;
    st = ca_der_small(info, "the request's version", version, err);
    if (st != CA_OK || *version == 0 || (admit & CA_ADMIT_VERSION) != 0) return st;
    return ca_refuse(err, CA_REASON_BAD_VERSION, "the request's version is %u, not 0", *version);
}

static enum ca_status read_info(struct ca_bytes content, unsigned admit, struct ca_request *out,
                                struct ca_error *err)
{
    struct ca_der info = ca_der_open(content);
    struct ca_der_element element = { .tag = 0 };
    enum ca_status st = read_version(&info, admit, &out->version, err);

    info.reason = CA_REASON_BAD_NAME;
    if (st == CA_OK) st = ca_der_take(&info, CA_DER_SEQUENCE, "the subject", &element, err);
    out->subject = element.whole;
    if (st == CA_OK)
        st = ca_name_check_lenient(out->subject, (admit & CA_ADMIT_COUNTRY) != 0,
                                   &out->subject_empty, err);

    info.reason = CA_REASON_BAD_KEY;
    if (st == CA_OK) st = ca_der_take(&info, CA_DER_SEQUENCE, "the public key", &element, err);
    if (st == CA_OK) st = ca_spki_parse(element.whole, &out->key, err);

    if (st == CA_OK) st = read_attributes(&info, out, err);
    return st;
}

/* The signature and its algorithm */

struct known_algorithm {
    uint8_t oid_len;
    uint8_t oid[9];
    const char *name;
};

/* What requests are signed with and we do not take: only so that the report can say its name. */
static const struct known_algorithm unsupported[] = {
    { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04 }, "md5WithRSAEncryption" },
    { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05 }, "sha1WithRSAEncryption" },
    { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0e }, "sha224WithRSAEncryption" },
    { 7, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01 }, "ecdsa-with-SHA1" },
    { 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x01 }, "ecdsa-with-SHA224" },
};

static enum ca_status refuse_algorithm(struct ca_bytes oid, struct ca_error *err)
{
    char dotted[80];
    const char *name = dotted;

    ca_der_oid_text(oid, dotted, sizeof(dotted));
    for (size_t i = 0; i < CA_COUNT(unsupported); i++) {
        if (ca_bytes_equal(oid, ca_bytes_of(unsupported[i].oid, unsupported[i].oid_len)))
            name = unsupported[i].name;
    }
    return ca_refuse(err, CA_REASON_ALGORITHM_NOT_SUPPORTED,
                     "the request is signed with %s, which is not accepted", name);
}

static enum ca_status read_null(struct ca_der *alg, const char *what, struct ca_error *err)
{
    struct ca_der_element null = { .tag = 0 };
    enum ca_status st = ca_der_take(alg, CA_DER_NULL, what, &null, err);

    if (st == CA_OK && null.content.len != 0)
        return ca_refuse(err, CA_REASON_BAD_DER, "a NULL with content");
    return st;
}

/* RSASSA-PSS-params (RFC 4055 3.1) */

static const uint8_t oid_rsassa_pss[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a };
static const uint8_t oid_mgf1[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08 };
/* SHA-256, SHA-384 and SHA-512 differ in the last octet, which is 1, 2 and 3. */
static const uint8_t oid_sha2[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02 };

struct pss {
    enum ca_digest_alg hash, mgf1_hash;     /* NONE: one that we do not take */
    uint32_t salt_len, trailer;
};

static enum ca_digest_alg digest_by_oid(struct ca_bytes oid)
{
    if (oid.len != sizeof(oid_sha2) + 1 || memcmp(oid.data, oid_sha2, sizeof(oid_sha2)) != 0)
        return CA_DIGEST_NONE;
    switch (oid.data[sizeof(oid_sha2)]) {
    case 1: return CA_DIGEST_SHA256;
    case 2: return CA_DIGEST_SHA384;
    case 3: return CA_DIGEST_SHA512;
    default: return CA_DIGEST_NONE;
    }
}

/* A hash function's AlgorithmIdentifier, all of der: NULL parameters or none (RFC 4055 2.1). */
static enum ca_status read_hash(struct ca_der *der, enum ca_digest_alg *out, struct ca_error *err)
{
    static const char what[] = "a hash of the PSS parameters";
    struct ca_der hash = { .reason = 0 };
    struct ca_bytes oid = { .len = 0 };
    enum ca_status st = ca_der_enter(der, CA_DER_SEQUENCE, what, &hash, err);

    if (st == CA_OK) st = ca_der_end(der, what, err);
    if (st == CA_OK) st = ca_der_oid(&hash, what, &oid, err);
    if (st == CA_OK && !ca_der_at_end(&hash)) st = read_null(&hash, what, err);
    if (st == CA_OK) st = ca_der_end(&hash, what, err);
    *out = digest_by_oid(oid);
    return st;
}

static enum ca_status read_mask(struct ca_der *der, enum ca_digest_alg *out, struct ca_error *err)
{
    static const char what[] = "the mask of the PSS parameters";
    struct ca_der mask = { .reason = 0 };
    struct ca_bytes oid = { .len = 0 };
    enum ca_status st = ca_der_enter(der, CA_DER_SEQUENCE, what, &mask, err);

    if (st == CA_OK) st = ca_der_end(der, what, err);
    if (st == CA_OK) st = ca_der_oid(&mask, what, &oid, err);
    if (st == CA_OK && !CA_BYTES_ARE(oid, oid_mgf1))
        return ca_refuse(err, CA_REASON_ALGORITHM_NOT_SUPPORTED,
                         "the mask generation of RSASSA-PSS is not MGF1");
    if (st == CA_OK) st = read_hash(&mask, out, err);
    return st;
}

/* The [number] of the parameters, which are all optional: *inner reads its content. */
static enum ca_status enter_optional(struct ca_der *params, uint8_t number, bool *there,
                                     struct ca_der *inner, struct ca_error *err)
{
    uint8_t tag = (uint8_t)CA_DER_CONTEXT_CONSTRUCTED(number);

    *there = ca_der_next_is(params, tag);
    return *there ? ca_der_enter(params, tag, "the PSS parameters", inner, err) : CA_OK;
}

static enum ca_status read_pss_number(struct ca_der *params, uint8_t number, const char *what,
                                      uint32_t *out, struct ca_error *err)
{
    struct ca_der inner = { .reason = 0 };
    bool there = false;
    enum ca_status st = enter_optional(params, number, &there, &inner, err);
    uint32_t standard = *out;

    if (st != CA_OK || !there) return st;
    st = ca_der_small(&inner, what, out, err);
    if (st == CA_OK) st = ca_der_end(&inner, what, err);
    if (st == CA_OK && *out == standard)
        return ca_refuse(err, CA_REASON_BAD_DER, "%s is the default, and encoded", what);
    return st;
}

/* What is absent has its default: SHA-1, MGF1 with SHA-1, 20 and 1. We take neither of the first
 * three. */
static enum ca_status read_pss_params(struct ca_der *params, struct pss *pss, struct ca_error *err)
{
    struct ca_der inner = { .reason = 0 };
    bool there = false;
    enum ca_status st = enter_optional(params, 0, &there, &inner, err);

    *pss = (struct pss){ CA_DIGEST_NONE, CA_DIGEST_NONE, 20, 1 };
    if (st == CA_OK && there) st = read_hash(&inner, &pss->hash, err);
    if (st == CA_OK) st = enter_optional(params, 1, &there, &inner, err);
    if (st == CA_OK && there) st = read_mask(&inner, &pss->mgf1_hash, err);
    if (st == CA_OK) st = read_pss_number(params, 2, "the PSS salt's length", &pss->salt_len, err);
    if (st == CA_OK) st = read_pss_number(params, 3, "the PSS trailer", &pss->trailer, err);
    if (st == CA_OK) st = ca_der_end(params, "the PSS parameters", err);
    return st;
}

static enum ca_status read_pss(struct ca_der *alg, enum ca_sig_alg *out, struct ca_error *err)
{
    struct ca_der params = { .reason = 0 };
    struct pss pss = { .trailer = 0 };
    enum ca_status st = ca_der_enter(alg, CA_DER_SEQUENCE, "the PSS parameters", &params, err);

    if (st == CA_OK) st = read_pss_params(&params, &pss, err);
    if (st != CA_OK) return st;
    if (pss.trailer == 1) *out = ca_sig_alg_by_pss(pss.hash, pss.mgf1_hash, pss.salt_len);
    if (*out != CA_SIG_ALG_NONE) return CA_OK;
    return ca_refuse(err, CA_REASON_ALGORITHM_NOT_SUPPORTED,
                     "the request is signed with RSASSA-PSS, but not with SHA-256, SHA-384 or "
                     "SHA-512 in both places and a salt as long");
}

/* RFC 4055 5: PKCS #1 v1.5 has NULL, or nothing. RFC 5758 3.2: ECDSA has nothing; but Mbed TLS
 * wrote NULL for years, and the devices that run it are many. RFC 8410 3: EdDSA has nothing. */
static bool may_have_null(enum ca_sig_alg alg)
{
    switch (alg) {
    case CA_SIG_RSA_SHA256:
    case CA_SIG_RSA_SHA384:
    case CA_SIG_RSA_SHA512:
    case CA_SIG_ECDSA_SHA256:
    case CA_SIG_ECDSA_SHA384:
    case CA_SIG_ECDSA_SHA512: return true;
    case CA_SIG_ALG_NONE:
    case CA_SIG_ED25519:
    case CA_SIG_RSA_PSS_SHA256:
    case CA_SIG_RSA_PSS_SHA384:
    case CA_SIG_RSA_PSS_SHA512:
    case CA_SIG_ED448: return false;
    }
    return false;
}

static enum ca_status read_algorithm(struct ca_der *request, struct ca_request *out,
                                     struct ca_error *err)
{
    struct ca_der alg = { .reason = 0 };
    struct ca_bytes oid = { .len = 0 };
    enum ca_status st;

    request->reason = CA_REASON_BAD_ALGORITHM;
    st = ca_der_enter(request, CA_DER_SEQUENCE, "the signature algorithm", &alg, err);
    if (st == CA_OK) st = ca_der_oid(&alg, "the signature algorithm", &oid, err);
    if (st != CA_OK) return st;
    out->sig_alg = ca_sig_alg_by_oid(oid);
    if (CA_BYTES_ARE(oid, oid_rsassa_pss)) st = read_pss(&alg, &out->sig_alg, err);
    if (st != CA_OK) return st;
    if (out->sig_alg == CA_SIG_ALG_NONE) return refuse_algorithm(oid, err);
    if (!ca_sig_alg_fits_kind(out->sig_alg, out->key.kind))
        return ca_refuse(err, CA_REASON_BAD_ALGORITHM,
                         "the request is signed with %s, which is not for its kind of key",
                         ca_sig_alg_name(out->sig_alg));
    if (may_have_null(out->sig_alg) && ca_der_next_is(&alg, CA_DER_NULL))
        st = read_null(&alg, "the algorithm's parameter", err);
    if (st == CA_OK) st = ca_der_end(&alg, "the signature algorithm", err);
    return st;
}

/* Ecdsa-Sig-Value (RFC 3279 2.2.3): two positive INTEGERs no longer than the curve's order. */
static enum ca_status check_ecdsa(struct ca_bytes signature, uint32_t bits, struct ca_error *err)
{
    struct ca_der input = { .rest = signature, .reason = CA_REASON_BAD_SIGNATURE };
    struct ca_der inner = { .reason = 0 };
    struct ca_bytes number[2] = { { .len = 0 }, { .len = 0 } };
    enum ca_status st = ca_der_enter(&input, CA_DER_SEQUENCE, "the ECDSA signature", &inner, err);

    if (st == CA_OK) st = ca_der_end(&input, "the ECDSA signature", err);
    if (st == CA_OK) st = ca_der_unsigned(&inner, "the ECDSA signature's r", &number[0], err);
    if (st == CA_OK) st = ca_der_unsigned(&inner, "the ECDSA signature's s", &number[1], err);
    if (st == CA_OK) st = ca_der_end(&inner, "the ECDSA signature", err);
    for (size_t i = 0; st == CA_OK && i < 2; i++) {
        if (number[i].data[0] == 0 || number[i].len > (bits + 7) / 8)
            return ca_refuse(err, CA_REASON_BAD_SIGNATURE,
                             "the ECDSA signature has a number that is zero or too large");
    }
    return st;
}

static enum ca_status check_signature(const struct ca_request *request, struct ca_error *err)
{
    size_t len = 0;

    switch (request->key.kind) {
    case CA_KEY_KIND_NONE: break;
    case CA_KEY_KIND_P256:
    case CA_KEY_KIND_P384:
    case CA_KEY_KIND_P521:
        return check_ecdsa(request->signature, request->key.bits, err);
    case CA_KEY_KIND_RSA: len = request->key.rsa_n.len; break;      /* RFC 8017 8.2.2 step 1 */
    case CA_KEY_KIND_ED25519: len = 64; break;                      /* RFC 8032 5.1.6 */
    case CA_KEY_KIND_ED448: len = 114; break;                       /* and 5.2.6 */
    }
    if (request->signature.len == len) return CA_OK;
    return ca_refuse(err, CA_REASON_BAD_SIGNATURE, "the signature has %zu octets, not %zu",
                     request->signature.len, len);
}

enum ca_status ca_request_parse(struct ca_bytes der, unsigned admit, struct ca_request *out,
                                struct ca_error *err)
{
    struct ca_der input = ca_der_open(der);
    struct ca_der request = { .reason = 0 };
    struct ca_der_element info = { .tag = 0 };
    enum ca_status st;

    if (der.len == 0) return ca_refuse(err, CA_REASON_EMPTY, "the request is empty");
    if (der.len > CA_REQUEST_DER_MAX)
        return ca_refuse(err, CA_REASON_REQUEST_TOO_LONG,
                         "the request has %zu octets, more than %d", der.len, CA_REQUEST_DER_MAX);
    *out = (struct ca_request){ .der = der };
    st = ca_der_enter(&input, CA_DER_SEQUENCE, "the request", &request, err);
    if (st == CA_OK && !ca_der_at_end(&input))
        return ca_refuse(err, CA_REASON_TRAILING_DATA, "%zu octets follow the request",
                         input.rest.len);
    if (st == CA_OK)
        st = ca_der_take(&request, CA_DER_SEQUENCE, "the request's content", &info, err);
    out->info = info.whole;
    if (st == CA_OK) st = read_info(info.content, admit, out, err);
    if (st == CA_OK) st = read_algorithm(&request, out, err);
    request.reason = CA_REASON_BAD_SIGNATURE;
    if (st == CA_OK) st = ca_der_octets_of_bits(&request, "the signature", &out->signature, err);
    if (st == CA_OK) st = ca_der_end(&request, "the request", err);
    if (st == CA_OK) st = check_signature(out, err);
    return st;
}
