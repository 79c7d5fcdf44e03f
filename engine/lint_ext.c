#include "engine/ext.h"
#include "engine/lint_private.h"

#define KEY_ID_LEN 20
/* Extensions whose types this file does not know; a request and the API have fewer. */
#define UNKNOWN_MAX 256

/* The types of extensions that rules are about. Their OIDs stand here once more: those that the
 * builder writes are what is judged. */
enum type {
    BASIC_CONSTRAINTS, AUTHORITY_KEY_ID, SUBJECT_KEY_ID, KEY_USAGE, EXT_KEY_USAGE, CRL_POINTS,
    AUTHORITY_INFO, FRESHEST_CRL, SUBJECT_ALT_NAME, NAME_CONSTRAINTS, POLICY_MAPPINGS,
    POLICY_CONSTRAINTS, INHIBIT_ANY_POLICY, SUBJECT_INFO, SUBJECT_DIRECTORY, NO_REV_AVAIL,
    CT_POISON, UNKNOWN
};

enum critical { EITHER, NEVER, ALWAYS };
enum place { ANYWHERE, CA_ONLY, END_ENTITY_ONLY, NOWHERE };

static const struct known {
    uint8_t oid_len;
    uint8_t oid[10];
    enum critical critical;
    enum place place;
    enum ca_reason reason;
    const char *name;
    const char *rule;
} known[UNKNOWN] = {
    [BASIC_CONSTRAINTS] = { 3, { 0x55, 0x1d, 19 }, EITHER, ANYWHERE,
                            CA_REASON_LINT_BASIC_CONSTRAINTS, "basicConstraints",
                            "RFC 5280 4.2.1.9" },
    [AUTHORITY_KEY_ID] = { 3, { 0x55, 0x1d, 35 }, NEVER, ANYWHERE, CA_REASON_LINT_KEY_ID,
                           "authorityKeyIdentifier", "RFC 5280 4.2.1.1" },
    [SUBJECT_KEY_ID] = { 3, { 0x55, 0x1d, 14 }, NEVER, ANYWHERE, CA_REASON_LINT_KEY_ID,
                         "subjectKeyIdentifier", "RFC 5280 4.2.1.2" },
    [KEY_USAGE] = { 3, { 0x55, 0x1d, 15 }, EITHER, ANYWHERE, CA_REASON_LINT_KEY_USAGE, "keyUsage",
                    "RFC 5280 4.2.1.3" },
    [EXT_KEY_USAGE] = { 3, { 0x55, 0x1d, 37 }, EITHER, ANYWHERE, CA_REASON_LINT_EXT_KEY_USAGE,
                        "extKeyUsage", "RFC 5280 4.2.1.12" },
    [CRL_POINTS] = { 3, { 0x55, 0x1d, 31 }, EITHER, ANYWHERE, CA_REASON_LINT_REVOCATION,
                     "cRLDistributionPoints", "RFC 5280 4.2.1.13" },
    [AUTHORITY_INFO] = { 8, { 0x2b, 6, 1, 5, 5, 7, 1, 1 }, NEVER, ANYWHERE,
                         CA_REASON_LINT_REVOCATION, "authorityInfoAccess", "RFC 5280 4.2.2.1" },
    [FRESHEST_CRL] = { 3, { 0x55, 0x1d, 46 }, NEVER, ANYWHERE, CA_REASON_LINT_REVOCATION,
                       "freshestCRL", "RFC 5280 4.2.1.15" },
    [SUBJECT_ALT_NAME] = { 3, { 0x55, 0x1d, 17 }, EITHER, ANYWHERE, CA_REASON_LINT_SAN,
                           "subjectAltName", "RFC 5280 4.2.1.6" },
    [NAME_CONSTRAINTS] = { 3, { 0x55, 0x1d, 30 }, ALWAYS, CA_ONLY, CA_REASON_LINT_EXTENSIONS,
                           "nameConstraints", "RFC 5280 4.2.1.10" },
    [POLICY_MAPPINGS] = { 3, { 0x55, 0x1d, 33 }, EITHER, CA_ONLY, CA_REASON_LINT_EXTENSIONS,
                          "policyMappings", "RFC 5280 4.2.1.5" },
    [POLICY_CONSTRAINTS] = { 3, { 0x55, 0x1d, 36 }, ALWAYS, CA_ONLY, CA_REASON_LINT_EXTENSIONS,
                             "policyConstraints", "RFC 5280 4.2.1.11" },
    [INHIBIT_ANY_POLICY] = { 3, { 0x55, 0x1d, 54 }, ALWAYS, CA_ONLY, CA_REASON_LINT_EXTENSIONS,
                             "inhibitAnyPolicy", "RFC 5280 4.2.1.14" },
    [SUBJECT_INFO] = { 8, { 0x2b, 6, 1, 5, 5, 7, 1, 11 }, NEVER, ANYWHERE,
                       CA_REASON_LINT_EXTENSIONS, "subjectInfoAccess", "RFC 5280 4.2.2.2" },
    [SUBJECT_DIRECTORY] = { 3, { 0x55, 0x1d, 9 }, NEVER, ANYWHERE, CA_REASON_LINT_EXTENSIONS,
                            "subjectDirectoryAttributes", "RFC 5280 4.2.1.8" },
    [NO_REV_AVAIL] = { 3, { 0x55, 0x1d, 56 }, NEVER, END_ENTITY_ONLY, CA_REASON_LINT_REVOCATION,
                       "noRevAvail", "RFC 9608 2" },
    [CT_POISON] = { 10, { 0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 3 }, EITHER, NOWHERE,
                    CA_REASON_LINT_EXTENSIONS, "a precertificate's poison", "RFC 6962 3.1" },
};

/* Extensions one by one */

static bool is_type(struct ca_bytes oid, enum type type)
{
    return oid.len == known[type].oid_len && memcmp(oid.data, known[type].oid, oid.len) == 0;
}

static enum type type_of(struct ca_bytes oid)
{
    unsigned type = 0;

    while (type < UNKNOWN && !is_type(oid, (enum type)type)) type++;
    return (enum type)type;
}

/* What holds for a type wherever it stands. */
static enum ca_status note(struct ca_lint_run *l, enum type type, bool critical)
{
    const struct known *k = &known[type];
    bool is_ca = l->tmpl->kind != CA_TEMPLATE_END_ENTITY;

    if ((l->seen >> type & 1) != 0)
        return CA_LINT_REFUSE(l, k->reason, "RFC 5280 4.2: %s stands there twice", k->name);
    l->seen |= UINT32_C(1) << type;
    if (k->place == NOWHERE || (k->place == CA_ONLY && !is_ca) ||
        (k->place == END_ENTITY_ONLY && is_ca))
        return CA_LINT_REFUSE(l, k->reason, "%s: %s does not belong into the certificate of %s",
                              k->rule, k->name, is_ca ? "a CA" : "an end entity");
    if ((k->critical == NEVER && critical) || (k->critical == ALWAYS && !critical))
        return CA_LINT_REFUSE(l, k->reason, "%s: %s %s be critical", k->rule, k->name,
                              critical ? "must not" : "must");
    return CA_OK;
}

/* The next extension must be of this type: the certificate has it by template, CA or decision, at
 * this place. */
static enum ca_status take_extension(struct ca_lint_run *l, enum type type,
                                     struct ca_extension *out)
{
    const struct known *k = &known[type];
    enum ca_status st;

    if (ca_der_at_end(&l->rest))
        return CA_LINT_REFUSE(l, k->reason, "%s: %s is missing", k->rule, k->name);
    st = ca_extension_next(&l->rest, out, l->err);
    if (st != CA_OK) return st;
    if (!is_type(out->oid, type)) {
        enum type other = type_of(out->oid);

        return CA_LINT_REFUSE(l, k->reason, "%s: %s is missing where %s stands", k->rule, k->name,
                              other == UNKNOWN ? "another extension" : known[other].name);
    }
    return note(l, type, out->critical);
}

/* The value is exactly these octets. */
static enum ca_status want_value(struct ca_lint_run *l, enum type type, struct ca_bytes value,
                                 struct ca_bytes want, const char *what)
{
    const struct known *k = &known[type];

    if (ca_bytes_equal(value, want)) return CA_OK;
    return CA_LINT_REFUSE(l, k->reason, "%s: %s %s", k->rule, k->name, what);
}

static enum ca_status want_critical(struct ca_lint_run *l, enum type type, bool critical, bool want)
{
    const struct known *k = &known[type];

    if (critical == want) return CA_OK;
    return CA_LINT_REFUSE(l, k->reason, "%s: %s is %scritical, which it should %s", k->rule,
                          k->name, critical ? "" : "not ", want ? "be" : "not be");
}

static enum ca_status check_basic_constraints(struct ca_lint_run *l)
{
    static const uint8_t end_entity[] = { CA_DER_SEQUENCE, 0 };
    uint8_t ca[] = { CA_DER_SEQUENCE, 3, CA_DER_BOOLEAN, 1, 0xff, CA_DER_INTEGER, 1, 0 };
    const struct ca_template *tmpl = l->tmpl;
    bool is_ca = tmpl->kind != CA_TEMPLATE_END_ENTITY;
    bool limited = tmpl->path_len != CA_PATH_LEN_NONE;
    struct ca_bytes want = ca_bytes_of(end_entity, sizeof(end_entity));
    struct ca_extension extension;
    enum ca_status st = take_extension(l, BASIC_CONSTRAINTS, &extension);

    if (st != CA_OK) return st;
    if (is_ca && !extension.critical)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_BASIC_CONSTRAINTS,
                              "RFC 5280 4.2.1.9: basicConstraints of a CA must be critical");
    st = want_critical(l, BASIC_CONSTRAINTS, extension.critical, tmpl->basic_constraints_critical);
    if (st != CA_OK) return st;
    if (is_ca && l->issuer != NULL && l->issuer->path_len_left != CA_PATH_LEN_NONE &&
        (!limited || tmpl->path_len >= l->issuer->path_len_left))
        return CA_LINT_REFUSE(l, CA_REASON_LINT_BASIC_CONSTRAINTS,
                              "RFC 5280 4.2.1.9: the path length is not below the issuer's");
    if (is_ca) {
        ca[1] = limited ? 6 : 3;
        ca[7] = (uint8_t)(limited ? tmpl->path_len : 0);    /* 0 to 3 (engine/template.h) */
        want = ca_bytes_of(ca, limited ? 8 : 5);
    }
    return want_value(l, BASIC_CONSTRAINTS, extension.value, want, "is not the template's");
}

/* RFC 5280 4.2.1.1: as the issuer's certificate has it; a root is its own issuer. */
static enum ca_status want_authority_key_id(struct ca_lint_run *l, struct ca_bytes value)
{
    struct ca_bytes want = l->issuer != NULL ? l->issuer->key_id
                                             : ca_bytes_of(l->contents->subject_key_id, KEY_ID_LEN);
    struct ca_der der = { .rest = value, .reason = CA_REASON_LINT_KEY_ID };
    struct ca_der content = { .reason = 0 };
    struct ca_der_element key_id = { .tag = 0 };
    enum ca_status st =
        ca_der_enter(&der, CA_DER_SEQUENCE, "authorityKeyIdentifier", &content, l->err);

    if (st == CA_OK)
        st = ca_der_take(&content, CA_DER_CONTEXT(0), "keyIdentifier", &key_id, l->err);
    if (st == CA_OK) st = ca_der_end(&content, "authorityKeyIdentifier", l->err);
    if (st == CA_OK) st = ca_der_end(&der, "authorityKeyIdentifier", l->err);
    if (st != CA_OK) return st;
    return want_value(l, AUTHORITY_KEY_ID, key_id.content, want,
                      "is not the issuer's subjectKeyIdentifier");
}

static enum ca_status check_key_ids(struct ca_lint_run *l)
{
    uint8_t want[2 + KEY_ID_LEN] = { CA_DER_OCTET_STRING, KEY_ID_LEN };
    struct ca_extension extension;
    enum ca_status st = CA_OK;

    if (l->issuer != NULL) {
        st = take_extension(l, AUTHORITY_KEY_ID, &extension);
        if (st == CA_OK) st = want_authority_key_id(l, extension.value);
    }
    if (st == CA_OK) st = take_extension(l, SUBJECT_KEY_ID, &extension);
    if (st != CA_OK) return st;
    memcpy(want + 2, l->contents->subject_key_id, KEY_ID_LEN);
    return want_value(l, SUBJECT_KEY_ID, extension.value, ca_bytes_of(want, sizeof(want)),
                      "is not that of this key");
}

/* A named-bit list of at most 9 bits, as X.690 11.2.2 has it: no zero bits behind the last one. */
static struct ca_bytes key_usage_der(uint16_t bits, uint8_t out[5])
{
    unsigned last = 0, octets;

    for (unsigned bit = 0; bit < CA_KEY_USAGE_COUNT; bit++) {
        if ((bits >> bit & 1) != 0) last = bit;
    }
    octets = last / 8 + 1;
    out[0] = CA_DER_BIT_STRING;
    out[1] = (uint8_t)(1 + octets);
    out[2] = (uint8_t)(8 * octets - 1 - last);
    out[3] = out[4] = 0;
    for (unsigned bit = 0; bit <= last; bit++) {
        if ((bits >> bit & 1) != 0) out[3 + bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    }
    return ca_bytes_of(out, 3 + octets);
}

/* What holds for the bits, whoever asked for them. */
static enum ca_status check_key_usage_bits(struct ca_lint_run *l, uint16_t bits)
{
    bool is_ca = l->tmpl->kind != CA_TEMPLATE_END_ENTITY;

    if (bits == 0)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_KEY_USAGE, "RFC 5280 4.2.1.3: keyUsage has no bit");
    if (!is_ca && (bits & (CA_KU_KEY_CERT_SIGN | CA_KU_CRL_SIGN)) != 0)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_KEY_USAGE,
                              "RFC 5280 4.2.1.3: keyCertSign or cRLSign for an end entity");
    if (is_ca && l->tmpl->path_len != CA_PATH_LEN_NONE && (bits & CA_KU_KEY_CERT_SIGN) == 0)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_KEY_USAGE,
                              "RFC 5280 4.2.1.9: a path length needs the key usage keyCertSign");
    return CA_OK;
}

static enum ca_status check_key_usage(struct ca_lint_run *l)
{
    uint16_t bits = ca_template_key_usage(l->tmpl, l->input->request->key.kind);
    struct ca_extension extension;
    uint8_t der[5];
    enum ca_status st;

    if (bits == 0) return CA_OK;
    st = take_extension(l, KEY_USAGE, &extension);
    if (st == CA_OK) st = check_key_usage_bits(l, bits);
    if (st == CA_OK) st = want_critical(l, KEY_USAGE, extension.critical, true);
    if (st != CA_OK) return st;
    return want_value(l, KEY_USAGE, extension.value, key_usage_der(bits, der),
                      "is not the template's");
}

/* From outside: the bits are read, and must be written the one way there is. */
static enum ca_status check_passed_key_usage(struct ca_lint_run *l, struct ca_bytes value)
{
    struct ca_der der = { .rest = value, .reason = CA_REASON_LINT_KEY_USAGE };
    struct ca_der_element list = { .tag = 0 };
    uint16_t bits = 0;
    uint8_t again[5];
    enum ca_status st = ca_der_take(&der, CA_DER_BIT_STRING, "keyUsage", &list, l->err);

    if (st != CA_OK) return st;
    for (size_t i = 0; i < CA_KEY_USAGE_COUNT && 1 + i / 8 < list.content.len; i++) {
        if ((list.content.data[1 + i / 8] & (0x80u >> i % 8)) != 0) bits |= (uint16_t)(1u << i);
    }
    st = check_key_usage_bits(l, bits);
    if (st != CA_OK) return st;
    return want_value(l, KEY_USAGE, value, key_usage_der(bits, again), "is not minimal");
}

static enum ca_status check_ext_key_usage(struct ca_lint_run *l)
{
    const struct ca_template *tmpl = l->tmpl;
    struct ca_extension extension;
    struct ca_der der, purposes = { .reason = 0 };
    struct ca_bytes oid = { .len = 0 };
    enum ca_status st;

    if (tmpl->eku == 0 && tmpl->eku_more.len == 0) return CA_OK;
    st = take_extension(l, EXT_KEY_USAGE, &extension);
    if (st == CA_OK) st = want_critical(l, EXT_KEY_USAGE, extension.critical, tmpl->eku_critical);
    if (st != CA_OK) return st;
    der = (struct ca_der){ .rest = extension.value, .reason = CA_REASON_LINT_EXT_KEY_USAGE };
    st = ca_der_enter(&der, CA_DER_SEQUENCE, "extKeyUsage", &purposes, l->err);
    if (st == CA_OK) st = ca_der_end(&der, "extKeyUsage", l->err);
    for (unsigned bit = 0; st == CA_OK && bit < CA_EKU_COUNT; bit++) {
        if ((tmpl->eku >> bit & 1) == 0) continue;
        st = ca_der_oid(&purposes, "a purpose", &oid, l->err);
        if (st == CA_OK)
            st = want_value(l, EXT_KEY_USAGE, oid, ca_eku_oid(bit), "is not the template's");
    }
    if (st != CA_OK) return st;
    return want_value(l, EXT_KEY_USAGE, purposes.rest, tmpl->eku_more, "is not the template's");
}

/* Pointers to revocation information, from the CA's configuration */

/* The URI is what the CA has configured, with the scope's number in place of its zeros. */
static bool is_uri(struct ca_lint_run *l, struct ca_bytes uri, const char *configured)
{
    size_t at = l->spec->revocation->crl_partitioned ? ca_scope_digits_at(configured) : 0;
    struct ca_bytes want = ca_bytes_str(configured);
    size_t end = at + CA_SCOPE_DIGITS;
    uint32_t scope = l->input->scope;

    if (at == 0) return ca_bytes_equal(uri, want);
    if (uri.len != want.len || end > want.len || memcmp(uri.data, want.data, at) != 0 ||
        memcmp(uri.data + end, want.data + end, want.len - end) != 0)
        return false;
    for (size_t i = end; i-- > at; scope /= 10) {
        if (uri.data[i] != '0' + scope % 10) return false;
    }
    return scope == 0;
}

/* One DistributionPoint whose fullName is one URI. */
static enum ca_status check_crl_pointer(struct ca_lint_run *l, enum type type,
                                        const char *configured)
{
    static const uint8_t tags[] = { CA_DER_SEQUENCE, CA_DER_SEQUENCE, CA_DER_CONTEXT_CONSTRUCTED(0),
                                    CA_DER_CONTEXT_CONSTRUCTED(0) };
    const struct known *k = &known[type];
    struct ca_extension extension;
    struct ca_der_element uri = { .tag = 0 };
    struct ca_der der;
    enum ca_status st = take_extension(l, type, &extension);

    if (st == CA_OK) st = want_critical(l, type, extension.critical, false);
    if (st != CA_OK) return st;
    der = (struct ca_der){ .rest = extension.value, .reason = CA_REASON_LINT_REVOCATION };
    for (size_t i = 0; i < sizeof(tags); i++) {
        struct ca_der inner = { .reason = 0 };

        st = ca_der_enter(&der, tags[i], k->name, &inner, l->err);
        if (st == CA_OK) st = ca_der_end(&der, k->name, l->err);
        if (st != CA_OK) return st;
        der = inner;
    }
    st = ca_der_take(&der, CA_DER_CONTEXT(6), k->name, &uri, l->err);
    if (st == CA_OK) st = ca_der_end(&der, k->name, l->err);
    if (st != CA_OK) return st;
    if (is_uri(l, uri.content, configured)) return CA_OK;
    return CA_LINT_REFUSE(l, CA_REASON_LINT_REVOCATION, "%s: %s does not have the CA's own URI",
                          k->rule, k->name);
}

/* Not the builder's, as above. */
static const uint8_t ad_ocsp[] = { 0x2b, 6, 1, 5, 5, 7, 48, 1 };

static enum ca_status check_ocsp_pointer(struct ca_lint_run *l, const char *configured)
{
    const struct known *k = &known[AUTHORITY_INFO];
    struct ca_extension extension;
    struct ca_der list, access = { .reason = 0 }, inner = { .reason = 0 };
    struct ca_bytes method = { .len = 0 };
    struct ca_der_element uri = { .tag = 0 };
    enum ca_status st = take_extension(l, AUTHORITY_INFO, &extension);

    if (st != CA_OK) return st;
    list = (struct ca_der){ .rest = extension.value, .reason = CA_REASON_LINT_REVOCATION };
    st = ca_der_enter(&list, CA_DER_SEQUENCE, k->name, &access, l->err);
    if (st == CA_OK) st = ca_der_end(&list, k->name, l->err);
    if (st == CA_OK) st = ca_der_enter(&access, CA_DER_SEQUENCE, k->name, &inner, l->err);
    if (st == CA_OK) st = ca_der_end(&access, k->name, l->err);
    if (st == CA_OK) st = ca_der_oid(&inner, "accessMethod", &method, l->err);
    if (st == CA_OK) st = ca_der_take(&inner, CA_DER_CONTEXT(6), k->name, &uri, l->err);
    if (st == CA_OK) st = ca_der_end(&inner, k->name, l->err);
    if (st != CA_OK) return st;
    if (CA_BYTES_ARE(method, ad_ocsp) &&
        ca_bytes_equal(uri.content, ca_bytes_str(configured)))
        return CA_OK;
    return CA_LINT_REFUSE(l, CA_REASON_LINT_REVOCATION, "%s: %s does not have the CA's own URI",
                          k->rule, k->name);
}

/* What is expected follows from the CA's configuration and the template, not from the profile. */
static enum ca_status check_pointers(struct ca_lint_run *l)
{
    const struct ca_revocation *revocation = l->spec->revocation;
    bool cdp;
    enum ca_status st = CA_OK;

    if (revocation == NULL || l->issuer == NULL || l->tmpl->no_revocation_pointers) return CA_OK;
    cdp = revocation->cdp_uri[0] != '\0' && (l->tmpl->cdp_from & CA_FROM_CA) != 0;
    if (cdp) st = check_crl_pointer(l, CRL_POINTS, revocation->cdp_uri);
    if (st == CA_OK && revocation->ocsp_uri[0] != '\0')
        st = check_ocsp_pointer(l, revocation->ocsp_uri);
    if (st == CA_OK && cdp && revocation->freshest_uri[0] != '\0')
        st = check_crl_pointer(l, FRESHEST_CRL, revocation->freshest_uri);
    return st;
}

/* What the template adds, and what passed */

/* Some types come from template and decision alone. Most of these have been seen by now, and a
 * second one would be found as such, but not all are in every certificate. */
static enum ca_status check_may_pass(struct ca_lint_run *l, enum type type)
{
    const struct known *k = &known[type];
    bool own = type == BASIC_CONSTRAINTS || type == SUBJECT_KEY_ID || type == SUBJECT_ALT_NAME;

    if (type == AUTHORITY_KEY_ID) own = l->issuer != NULL || !l->tmpl->aki_from_api;
    if (!own) return CA_OK;
    return CA_LINT_REFUSE(l, k->reason, "%s: %s stands where nobody decided it", k->rule, k->name);
}

static enum ca_status check_passed(struct ca_lint_run *l, const struct ca_extension *extension,
                                   enum type type)
{
    static const uint8_t null[] = { CA_DER_NULL, 0 };
    enum ca_status st = check_may_pass(l, type);

    if (st == CA_OK) st = note(l, type, extension->critical);
    if (st != CA_OK) return st;
    if (type == KEY_USAGE) return check_passed_key_usage(l, extension->value);
    if (type == AUTHORITY_KEY_ID) return want_authority_key_id(l, extension->value);
    if (type == AUTHORITY_INFO) l->authority_info = extension->value;
    if (type == NO_REV_AVAIL)
        return want_value(l, type, extension->value, ca_bytes_of(null, sizeof(null)),
                          "has a value that is not NULL");
    return CA_OK;
}

struct unknown {
    struct ca_bytes oids[UNKNOWN_MAX];      /* not written beyond count */
    size_t count;
};

static enum ca_status note_unknown(struct ca_lint_run *l, struct unknown *unknown,
                                   struct ca_bytes oid)
{
    char dotted[64];

    for (size_t i = 0; i < unknown->count; i++) {
        if (!ca_bytes_equal(unknown->oids[i], oid)) continue;
        ca_der_oid_text(oid, dotted, sizeof(dotted));
        return CA_LINT_REFUSE(l, CA_REASON_LINT_EXTENSIONS, "RFC 5280 4.2: %s stands there twice",
                              dotted);
    }
    if (unknown->count == UNKNOWN_MAX)
        return CA_LINT_REFUSE(l, CA_REASON_LINT_EXTENSIONS, "limit: more than %d extensions",
                              UNKNOWN_MAX);
    unknown->oids[unknown->count++] = oid;
    return CA_OK;
}

/* Octets that must stand next, Extension after Extension. */
static enum ca_status check_list(struct ca_lint_run *l, struct unknown *unknown,
                                 struct ca_bytes list, const char *sentence)
{
    struct ca_der der = { .rest = list, .reason = CA_REASON_LINT_EXTENSIONS };

    if (!ca_lint_take(&l->rest, list))
        return CA_LINT_REFUSE(l, CA_REASON_LINT_EXTENSIONS, "%s", sentence);
    while (!ca_der_at_end(&der)) {
        struct ca_extension extension;
        enum ca_status st = ca_extension_next(&der, &extension, l->err);
        enum type type = UNKNOWN;

        if (st != CA_OK) return st;
        type = type_of(extension.oid);
        st = type == UNKNOWN ? note_unknown(l, unknown, extension.oid)
                             : check_passed(l, &extension, type);
        if (st != CA_OK) return st;
    }
    return CA_OK;
}

/* Its list of types is large, and most certificates need none. */
__attribute__((noinline))
static enum ca_status check_further(struct ca_lint_run *l)
{
    struct unknown unknown;
    enum ca_status st = CA_OK;

    unknown.count = 0;
    if (l->tmpl->extensions.len > 0)
        st = check_list(l, &unknown, l->tmpl->extensions,
                        "RFC 5280 4.2: the template's own extensions are not there");
    if (st == CA_OK && l->contents->extra.len > 0)
        st = check_list(l, &unknown, l->contents->extra,
                        "RFC 5280 4.2: the extensions that passed are not there");
    return st;
}

static enum ca_status check_san(struct ca_lint_run *l)
{
    const struct ca_contents *contents = l->contents;
    struct ca_extension extension;
    enum ca_status st;

    if (contents->subject_empty && !(contents->has_san && contents->san_critical))
        return CA_LINT_REFUSE(l, CA_REASON_LINT_SAN,
                              "RFC 5280 4.2.1.6: an empty subject needs a critical subjectAltName");
    if (!contents->has_san) return CA_OK;
    st = take_extension(l, SUBJECT_ALT_NAME, &extension);
    if (st == CA_OK)
        st = want_critical(l, SUBJECT_ALT_NAME, extension.critical, contents->san_critical);
    if (st != CA_OK) return st;
    if (ca_lint_is_empty(extension.value))
        return CA_LINT_REFUSE(l, CA_REASON_LINT_SAN,
                              "RFC 5280 4.2.1.6: subjectAltName has no name");
    return want_value(l, SUBJECT_ALT_NAME, extension.value, contents->san,
                      "is not the one that was decided");
}

/* What cannot be read might have one. */
static bool has_ocsp(struct ca_bytes authority_info)
{
    struct ca_der der = ca_der_open(authority_info), list = { .reason = 0 };

    if (ca_der_enter(&der, CA_DER_SEQUENCE, "", &list, NULL) != CA_OK) return true;
    while (!ca_der_at_end(&list)) {
        struct ca_der access = { .reason = 0 };
        struct ca_bytes method = { .len = 0 };

        if (ca_der_enter(&list, CA_DER_SEQUENCE, "", &access, NULL) != CA_OK ||
            ca_der_oid(&access, "", &method, NULL) != CA_OK ||
            CA_BYTES_ARE(method, ad_ocsp))
            return true;
    }
    return false;
}

/* The CA's own authorityInfoAccess has nothing but OCSP in it. */
static enum ca_status check_no_rev_avail(struct ca_lint_run *l)
{
    bool ocsp = (l->seen >> AUTHORITY_INFO & 1) != 0 &&
                (l->authority_info.len == 0 || has_ocsp(l->authority_info));

    if ((l->seen >> NO_REV_AVAIL & 1) == 0) return CA_OK;
    if ((l->seen >> CRL_POINTS & 1) == 0 && (l->seen >> FRESHEST_CRL & 1) == 0 && !ocsp)
        return CA_OK;
    return CA_LINT_REFUSE(
        l, CA_REASON_LINT_REVOCATION,
        "RFC 9608 3: noRevAvail stands beside a pointer to a CRL or an OCSP responder");
}

enum ca_status ca_lint_extensions(struct ca_lint_run *l)
{
    struct ca_der outer = { .reason = 0 }, list = { .reason = 0 };
    enum ca_status st;

    l->rest.reason = CA_REASON_LINT_EXTENSIONS;
    st = ca_der_enter(&l->rest, CA_DER_CONTEXT_CONSTRUCTED(3), "the field extensions", &outer,
                      l->err);
    if (st == CA_OK) st = ca_der_end(&l->rest, "the TBSCertificate", l->err);
    if (st == CA_OK) st = ca_der_enter(&outer, CA_DER_SEQUENCE, "Extensions", &list, l->err);
    if (st == CA_OK) st = ca_der_end(&outer, "the field extensions", l->err);
    if (st != CA_OK) return st;
    l->rest = list;
    st = check_basic_constraints(l);
    if (st == CA_OK) st = check_key_ids(l);
    if (st == CA_OK) st = check_key_usage(l);
    if (st == CA_OK) st = check_ext_key_usage(l);
    if (st == CA_OK) st = check_pointers(l);
    if (st == CA_OK && (l->tmpl->extensions.len > 0 || l->contents->extra.len > 0))
        st = check_further(l);
    if (st == CA_OK) st = check_san(l);
    if (st == CA_OK) st = check_no_rev_avail(l);
    if (st != CA_OK || ca_der_at_end(&l->rest)) return st;
    return ca_lint_refuse_next(l, CA_REASON_LINT_EXTENSIONS,
                               "RFC 5280 4.2: an extension that nobody decided stands at the end");
}
