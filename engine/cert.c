#include "engine/cert.h"

#include "engine/charset.h"
#include "engine/ext.h"

#include <string.h>

/* A list of extensions longer than any real one: comparing each with each stays cheap. */
/* A template, the API (153) and a request (32) together come to less. */
#define EXTENSIONS_MAX 256

enum ca_status ca_extension_next(struct ca_der *der, struct ca_extension *out,
                                 struct ca_error *err)
{
    struct ca_der_element whole, value;
    struct ca_der inner;
    struct ca_bytes oid;
    bool critical = false;
    enum ca_status st = ca_der_take(der, CA_DER_SEQUENCE, "Extension", &whole, err);

    if (st != CA_OK) return st;
    inner = (struct ca_der){ .rest = whole.content, .reason = der->reason };
    st = ca_der_oid(&inner, "extnID", &oid, err);
    if (st != CA_OK) return st;
    if (ca_der_next_is(&inner, CA_DER_BOOLEAN)) {
        st = ca_der_bool(&inner, "critical", &critical, err);
        if (st != CA_OK) return st;
        if (!critical)
            return ca_refuse(err, CA_REASON_BAD_EXTENSIONS,
                             "an extension's critical FALSE is written out (X.690 11.5)");
    }
    st = ca_der_take(&inner, CA_DER_OCTET_STRING, "extnValue", &value, err);
    if (st != CA_OK) return st;
    st = ca_der_end(&inner, "Extension", err);
    if (st != CA_OK) return st;
    *out = (struct ca_extension){ .oid = oid, .critical = critical, .value = value.content,
                                  .whole = whole.whole };
    return CA_OK;
}

bool ca_cert_is_self_issued(const struct ca_cert *cert)
{
    return ca_bytes_equal(cert->subject, cert->issuer);
}

/* The AlgorithmIdentifier of a signature. An unknown one is NONE; a known one must have the
 * parameters of its kind, except that RSA may leave its NULL out (RFC 4055 5). */
static enum ca_status read_algorithm(struct ca_bytes whole, enum ca_sig_alg *out,
                                     struct ca_error *err)
{
    struct ca_der der = ca_der_open(whole), inner;
    struct ca_bytes oid;
    enum ca_status st = ca_der_enter(&der, CA_DER_SEQUENCE, "AlgorithmIdentifier", &inner, err);

    if (st != CA_OK) return st;
    st = ca_der_oid(&inner, "algorithm", &oid, err);
    if (st != CA_OK) return st;
    *out = ca_sig_alg_by_oid(oid);
    if (*out == CA_SIG_ALG_NONE) {
        struct ca_der_element parameters;

        if (ca_der_at_end(&inner)) return CA_OK;
        st = ca_der_any(&inner, &parameters, err);
        return st != CA_OK ? st : ca_der_end(&inner, "AlgorithmIdentifier", err);
    }
    if (ca_bytes_equal(whole, ca_sig_alg_der(*out))) return CA_OK;
    if (ca_sig_alg_fits_kind(*out, CA_KEY_KIND_RSA) && ca_der_at_end(&inner)) return CA_OK;
    return ca_fail(err, CA_MALFORMED, "the signature algorithm has wrong parameters");
}

/* Any of the string types that names are made of; foreign CAs use some that ours may not. */
static bool is_string(const struct ca_der_element *value)
{
    size_t characters = 0;

    switch (value->tag) {
    case CA_DER_UTF8_STRING:
        return ca_charset_utf8(value->content, &characters) == value->content.len;
    case 0x12:                          /* NumericString */
    case CA_DER_PRINTABLE_STRING:
    case CA_DER_TELETEX_STRING:
    case CA_DER_IA5_STRING: return true;
    case CA_DER_BMP_STRING: return value->content.len % 2 == 0;
    case CA_DER_UNIVERSAL_STRING: return value->content.len % 4 == 0;
    default: return false;
    }
}

/* The shape of a Name only. */
static enum ca_status read_name(struct ca_der *der, const char *what, struct ca_bytes *out,
                                struct ca_error *err)
{
    struct ca_der_element name, value;
    struct ca_der rdns, set, pair;
    struct ca_bytes oid;
    enum ca_status st = ca_der_take(der, CA_DER_SEQUENCE, what, &name, err);

    if (st != CA_OK) return st;
    rdns = ca_der_open(name.content);
    while (!ca_der_at_end(&rdns)) {
        st = ca_der_enter(&rdns, CA_DER_SET, what, &set, err);
        if (st != CA_OK) return st;
        do {
            st = ca_der_enter(&set, CA_DER_SEQUENCE, what, &pair, err);
            if (st == CA_OK) st = ca_der_oid(&pair, what, &oid, err);
            if (st == CA_OK) st = ca_der_any(&pair, &value, err);
            if (st == CA_OK) st = ca_der_end(&pair, what, err);
            if (st != CA_OK) return st;
            if (!is_string(&value))
                return ca_fail(err, CA_MALFORMED, "%s has an attribute that is no string", what);
        } while (!ca_der_at_end(&set));
    }
    *out = name.whole;
    return CA_OK;
}

static enum ca_status read_version(struct ca_der *tbs, struct ca_error *err)
{
    struct ca_der inner;
    uint32_t version = 0;
    enum ca_status st;

    if (!ca_der_next_is(tbs, CA_DER_CONTEXT_CONSTRUCTED(0)))
        return ca_fail(err, CA_MALFORMED, "it is no version 3 certificate");
    st = ca_der_enter(tbs, CA_DER_CONTEXT_CONSTRUCTED(0), "version", &inner, err);
    if (st == CA_OK) st = ca_der_small(&inner, "version", &version, err);
    if (st == CA_OK) st = ca_der_end(&inner, "version", err);
    if (st == CA_OK && version != 2)
        return ca_fail(err, CA_MALFORMED, "it is no version 3 certificate");
    return st;
}

static enum ca_status read_serial(struct ca_der *tbs, struct ca_serial *out, struct ca_error *err)
{
    struct ca_bytes magnitude;
    enum ca_status st = ca_der_unsigned(tbs, "serialNumber", &magnitude, err);

    if (st != CA_OK) return st;
    if (magnitude.len > CA_SERIAL_MAX || magnitude.data[0] == 0)
        return ca_fail(err, CA_MALFORMED, "the serial number is zero or longer than 20 octets");
    *out = (struct ca_serial){ .len = (uint8_t)magnitude.len };
    memcpy(out->octets, magnitude.data, magnitude.len);
    return CA_OK;
}

static enum ca_status read_validity(struct ca_der *tbs, struct ca_cert *out, struct ca_error *err)
{
    struct ca_der inner;
    enum ca_status st = ca_der_enter(tbs, CA_DER_SEQUENCE, "validity", &inner, err);

    if (st == CA_OK) st = ca_der_time(&inner, "notBefore", &out->not_before_s, err);
    if (st == CA_OK) st = ca_der_time(&inner, "notAfter", &out->not_after_s, err);
    if (st == CA_OK) st = ca_der_end(&inner, "validity", err);
    return st;
}

static enum ca_status read_basic_constraints(const struct ca_extension *extension,
                                             struct ca_cert *out, struct ca_error *err)
{
    struct ca_der der = ca_der_open(extension->value), inner;
    enum ca_status st = ca_der_enter(&der, CA_DER_SEQUENCE, "BasicConstraints", &inner, err);

    out->has_basic_constraints = true;
    out->basic_constraints_critical = extension->critical;
    if (st == CA_OK && ca_der_next_is(&inner, CA_DER_BOOLEAN)) {
        st = ca_der_bool(&inner, "cA", &out->is_ca, err);
        if (st == CA_OK && !out->is_ca)
            return ca_fail(err, CA_MALFORMED, "cA FALSE is written out (X.690 11.5)");
    }
    if (st == CA_OK && out->is_ca && !ca_der_at_end(&inner)) {
        uint32_t path_len = 0;

        st = ca_der_small(&inner, "pathLenConstraint", &path_len, err);
        if (st == CA_OK) out->path_len = (int)path_len;
    }
    if (st == CA_OK) st = ca_der_end(&inner, "BasicConstraints", err);
    if (st == CA_OK) st = ca_der_end(&der, "BasicConstraints", err);
    return st;
}

/* KeyUsage, a named-bit list: at least one bit, nine at most, no zero bits at the end. */
static enum ca_status read_key_usage(const struct ca_extension *extension, struct ca_cert *out,
                                     struct ca_error *err)
{
    struct ca_der der = ca_der_open(extension->value);
    struct ca_der_element bits;
    const uint8_t *octets;
    uint8_t unused, last;
    enum ca_status st = ca_der_take(&der, CA_DER_BIT_STRING, "KeyUsage", &bits, err);

    if (st == CA_OK) st = ca_der_end(&der, "KeyUsage", err);
    if (st != CA_OK) return st;
    if (bits.content.len < 2 || bits.content.len > 3)
        return ca_fail(err, CA_MALFORMED, "KeyUsage is empty or too long");
    octets = bits.content.data;
    unused = octets[0];
    last = octets[bits.content.len - 1];
    /* The lowest used bit is set and everything below it is zero. */
    if (unused > 7 || (last & ((2u << unused) - 1)) != (1u << unused))
        return ca_fail(err, CA_MALFORMED, "KeyUsage is not minimal (X.690 11.2.2)");
    if (bits.content.len == 3 && unused != 7)
        return ca_fail(err, CA_MALFORMED, "KeyUsage has bits without a meaning");
    out->has_key_usage = true;
    for (unsigned bit = 0; bit < 8 * (bits.content.len - 1); bit++) {
        if ((octets[1 + bit / 8] & (0x80u >> (bit % 8))) != 0)
            out->key_usage = (uint16_t)(out->key_usage | (1u << bit));
    }
    return CA_OK;
}

static enum ca_status read_subject_key_id(const struct ca_extension *extension,
                                          struct ca_cert *out, struct ca_error *err)
{
    struct ca_der der = ca_der_open(extension->value);
    struct ca_der_element id;
    enum ca_status st = ca_der_take(&der, CA_DER_OCTET_STRING, "SubjectKeyIdentifier", &id, err);

    if (st == CA_OK) st = ca_der_end(&der, "SubjectKeyIdentifier", err);
    if (st != CA_OK) return st;
    if (id.content.len == 0)
        return ca_fail(err, CA_MALFORMED, "the subject key identifier is empty");
    out->ski = id.content;
    return CA_OK;
}

/* AuthorityKeyIdentifier: keyIdentifier [0], authorityCertIssuer [1], authorityCertSerialNumber
 * [2], all optional, in this order; the last two are of no use to us. */
static enum ca_status read_authority_key_id(const struct ca_extension *extension,
                                            struct ca_cert *out, struct ca_error *err)
{
    static const uint8_t tags[] = { CA_DER_CONTEXT(0), CA_DER_CONTEXT_CONSTRUCTED(1),
                                    CA_DER_CONTEXT(2) };
    struct ca_der der = ca_der_open(extension->value), inner;
    enum ca_status st = ca_der_enter(&der, CA_DER_SEQUENCE, "AuthorityKeyIdentifier", &inner, err);

    if (st == CA_OK) st = ca_der_end(&der, "AuthorityKeyIdentifier", err);
    for (size_t i = 0; st == CA_OK && i < sizeof(tags); i++) {
        struct ca_der_element part;

        if (!ca_der_next_is(&inner, tags[i])) continue;
        st = ca_der_take(&inner, tags[i], "AuthorityKeyIdentifier", &part, err);
        if (st == CA_OK && i == 0) out->aki = part.content;
    }
    if (st == CA_OK) st = ca_der_end(&inner, "AuthorityKeyIdentifier", err);
    return st;
}

/* The shape of GeneralNames only, as for Names. */
static enum ca_status read_san(const struct ca_extension *extension, struct ca_cert *out,
                               struct ca_error *err)
{
    struct ca_der der = ca_der_open(extension->value), names;
    struct ca_der_element name;
    enum ca_status st = ca_der_enter(&der, CA_DER_SEQUENCE, "SubjectAltName", &names, err);

    if (st == CA_OK) st = ca_der_end(&der, "SubjectAltName", err);
    if (st != CA_OK) return st;
    do {
        st = ca_der_any(&names, &name, err);
        if (st != CA_OK) return st;
        if ((name.tag & 0xc0) != 0x80 || (name.tag & 0x1f) > 8)
            return ca_fail(err, CA_MALFORMED, "SubjectAltName has a name of an unknown form");
    } while (!ca_der_at_end(&names));
    out->has_san = true;
    out->san = extension->value;
    return CA_OK;
}

static enum ca_status read_extension(const struct ca_extension *extension, struct ca_cert *out,
                                     struct ca_error *err)
{
    if (ca_bytes_equal(extension->oid, ca_oid_basic_constraints))
        return read_basic_constraints(extension, out, err);
    if (ca_bytes_equal(extension->oid, ca_oid_key_usage))
        return read_key_usage(extension, out, err);
    if (ca_bytes_equal(extension->oid, ca_oid_subject_key_identifier))
        return read_subject_key_id(extension, out, err);
    if (ca_bytes_equal(extension->oid, ca_oid_authority_key_identifier))
        return read_authority_key_id(extension, out, err);
    if (ca_bytes_equal(extension->oid, ca_oid_subject_alt_name))
        return read_san(extension, out, err);
    return CA_OK;
}

static enum ca_status read_extensions(struct ca_der *tbs, struct ca_cert *out,
                                      struct ca_error *err)
{
    struct ca_bytes seen[EXTENSIONS_MAX];
    struct ca_der_element list;
    struct ca_der outer, der;
    size_t count = 0;
    enum ca_status st = ca_der_enter(tbs, CA_DER_CONTEXT_CONSTRUCTED(3), "extensions", &outer, err);

    if (st == CA_OK) st = ca_der_take(&outer, CA_DER_SEQUENCE, "Extensions", &list, err);
    if (st == CA_OK) st = ca_der_end(&outer, "extensions", err);
    if (st != CA_OK) return st;
    der = ca_der_open(list.content);
    do {
        struct ca_extension extension;

        st = ca_extension_next(&der, &extension, err);
        if (st != CA_OK) return st;
        for (size_t i = 0; i < count; i++) {
            if (ca_bytes_equal(seen[i], extension.oid))
                return ca_fail(err, CA_MALFORMED, "an extension stands there twice");
        }
        if (count == EXTENSIONS_MAX)
            return ca_fail(err, CA_MALFORMED, "there are more than %d extensions", EXTENSIONS_MAX);
        seen[count++] = extension.oid;
        st = read_extension(&extension, out, err);
        if (st != CA_OK) return st;
    } while (!ca_der_at_end(&der));
    out->extensions = list.content;
    return CA_OK;
}

/* tbs is opened on the content of the TBSCertificate; *algorithm is its signature field. Unique
 * identifiers, which RFC 5280 4.1.2.8 forbids to CAs, are refused as trailing data. */
static enum ca_status read_tbs(struct ca_der *tbs, struct ca_cert *out, struct ca_bytes *algorithm,
                               struct ca_error *err)
{
    struct ca_der_element element;
    enum ca_status st = read_version(tbs, err);

    if (st == CA_OK) st = read_serial(tbs, &out->serial, err);
    if (st == CA_OK) st = ca_der_take(tbs, CA_DER_SEQUENCE, "signature", &element, err);
    if (st != CA_OK) return st;
    *algorithm = element.whole;
    st = read_name(tbs, "issuer", &out->issuer, err);
    if (st == CA_OK) st = read_validity(tbs, out, err);
    if (st == CA_OK) st = read_name(tbs, "subject", &out->subject, err);
    if (st == CA_OK) st = ca_der_take(tbs, CA_DER_SEQUENCE, "subjectPublicKeyInfo", &element, err);
    if (st == CA_OK) st = ca_spki_parse(element.whole, &out->key, err);
    if (st == CA_OK && !ca_der_at_end(tbs)) st = read_extensions(tbs, out, err);
    if (st == CA_OK) st = ca_der_end(tbs, "TBSCertificate", err);
    return st;
}

static enum ca_status read_cert(struct ca_bytes der, struct ca_cert *out, struct ca_error *err)
{
    struct ca_der outer = ca_der_open(der), cert, tbs;
    struct ca_der_element tbs_element, algorithm;
    struct ca_bytes tbs_algorithm;
    enum ca_status st;

    if (der.len > CA_CERT_DER_MAX)
        return ca_fail(err, CA_MALFORMED, "longer than %d octets", CA_CERT_DER_MAX);
    st = ca_der_enter(&outer, CA_DER_SEQUENCE, "Certificate", &cert, err);
    if (st == CA_OK) st = ca_der_end(&outer, "Certificate", err);
    if (st == CA_OK) st = ca_der_take(&cert, CA_DER_SEQUENCE, "TBSCertificate", &tbs_element, err);
    if (st != CA_OK) return st;
    out->der = der;
    out->tbs = tbs_element.whole;
    tbs = ca_der_open(tbs_element.content);
    st = read_tbs(&tbs, out, &tbs_algorithm, err);
    if (st == CA_OK)
        st = ca_der_take(&cert, CA_DER_SEQUENCE, "signatureAlgorithm", &algorithm, err);
    if (st != CA_OK) return st;
    if (!ca_bytes_equal(algorithm.whole, tbs_algorithm))
        return ca_fail(err, CA_MALFORMED, "its two signature algorithms differ");
    st = read_algorithm(algorithm.whole, &out->sig_alg, err);
    if (st == CA_OK) st = ca_der_octets_of_bits(&cert, "signatureValue", &out->signature, err);
    if (st == CA_OK) st = ca_der_end(&cert, "Certificate", err);
    return st;
}

enum ca_status ca_cert_parse(struct ca_bytes der, struct ca_cert *out, struct ca_error *err)
{
    struct ca_cert cert = { .path_len = CA_PATH_LEN_NONE };
    struct ca_error why;

    if (read_cert(der, &cert, &why) != CA_OK)
        return ca_fail_named(err, CA_MALFORMED, "malformed-certificate",
                             "not a good certificate: %s", why.text);
    *out = cert;
    return CA_OK;
}
