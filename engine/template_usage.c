#include "engine/template_reader.h"

#include "engine/der.h"
#include "engine/ext.h"
#include "engine/extension_value.h"
#include "engine/host_name.h"
#include "engine/template_value.h"

#include <string.h>

#define PURPOSES_MAX 20             /* as of ApiPassthrough, spec section 7 */
#define POLICIES_MAX 20
#define CPS_URI_MAX 256
#define EXTENSIONS_MAX 32
#define EXTENSIONS_OCTETS_MAX 16384 /* all together: every certificate repeats them */
#define OID_OCTETS_MAX 64

#define OF_CAS_ONLY (CA_KU_KEY_CERT_SIGN | CA_KU_CRL_SIGN)
#define NEEDS_AGREEMENT (CA_KU_ENCIPHER_ONLY | CA_KU_DECIPHER_ONLY)
/* What an EC or EdDSA key cannot do with its key (RFC 8813 3, RFC 9295 3). */
#define OF_RSA_ONLY (CA_KU_KEY_ENCIPHERMENT | CA_KU_DATA_ENCIPHERMENT)

static bool is_end_entity(const struct template_reader *reader)
{
    return reader->tmpl->kind == CA_TEMPLATE_END_ENTITY;
}

/* Key usage */

static bool read_usage_list(struct template_reader *reader, uint16_t *out)
{
    static const char path[] = "key_usage";
    const char *names[CA_KEY_USAGE_COUNT];
    const json_t *list = ca_finding_list(reader->findings, reader->root, "", path, 1,
                                         CA_KEY_USAGE_COUNT);
    uint16_t bits = 0;
    bool good = true;

    if (list == NULL) return false;
    for (unsigned i = 0; i < CA_KEY_USAGE_COUNT; i++) names[i] = ca_key_usage_name(i);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct ca_finding_path at = ca_finding_at(path, i);
        size_t bit = 0;

        if (!ca_finding_choice_value(reader->findings, json_array_get(list, i), at.text, names,
                                     CA_COUNT(names), &bit)) {
            good = false;
        } else if ((bits & (1u << bit)) != 0) {
            ca_finding_add(reader->findings, at.text, "stands there twice");
            good = false;
        } else {
            bits = (uint16_t)(bits | (1u << bit));
        }
    }
    *out = bits;
    return good;
}

/* Says which of the bits it is about. */
static void find_usage(struct template_reader *reader, uint16_t bits, const char *why)
{
    for (unsigned bit = 0; bit < CA_KEY_USAGE_COUNT; bit++) {
        if ((bits & (1u << bit)) == 0) continue;
        ca_finding_add(reader->findings, "key_usage", "%s %s", ca_key_usage_name(bit), why);
    }
}

/* Only narrower than the base's, or within RFC 5280 4.2.1.3 and 4.2.1.9 where it leaves it open. */
static void check_usage(struct template_reader *reader, uint16_t bits)
{
    uint16_t base = reader->base->key_usage;

    if (base != 0) find_usage(reader, (uint16_t)(bits & ~base), "is more than the base has");
    if (base == 0 && is_end_entity(reader))
        find_usage(reader, bits & OF_CAS_ONLY, "is for CAs only (RFC 5280 4.2.1.3)");
    if (!is_end_entity(reader) && (bits & CA_KU_KEY_CERT_SIGN) == 0)
        ca_finding_add(reader->findings, "key_usage",
                       "a CA's must have keyCertSign (RFC 5280 4.2.1.3)");
    if ((bits & CA_KU_KEY_AGREEMENT) == 0)
        find_usage(reader, bits & NEEDS_AGREEMENT, "says nothing without keyAgreement");
}

static void read_key_usage(struct template_reader *reader)
{
    const json_t *value = json_object_get(reader->root, "key_usage");
    struct ca_template *tmpl = reader->tmpl;
    uint16_t bits = 0;

    if (value == NULL) return;
    if (json_is_string(value)) {
        if (strcmp(json_string_value(value), "by-key-type") != 0) {
            ca_finding_add(reader->findings, "key_usage",
                           "must be \"by-key-type\" or a list of usages");
        } else if (reader->base != NULL && tmpl->key_usage == 0) {
            ca_finding_add(reader->findings, "key_usage",
                           "the base leaves it open, so that a list of usages is needed");
        }
        tmpl->key_usage_signing_only = (uint16_t)(tmpl->key_usage & ~OF_RSA_ONLY);
        return;
    }
    if (!read_usage_list(reader, &bits) || reader->base == NULL) return;
    check_usage(reader, bits);
    tmpl->key_usage = tmpl->key_usage_signing_only = bits;
}

/* Extended key usage */

/* The bit of a purpose with a name of its own; CA_EKU_COUNT for others. */
static unsigned purpose_bit(struct ca_bytes oid)
{
    for (unsigned bit = 0; bit < CA_EKU_COUNT; bit++) {
        if (ca_bytes_equal(ca_eku_oid(bit), oid)) return bit;
    }
    return CA_EKU_COUNT;
}

/* Is the OID in a list of whole ones? */
static bool holds_oid(struct ca_bytes list, struct ca_bytes oid)
{
    struct ca_der der = ca_der_open(list);
    struct ca_bytes there;

    while (!ca_der_at_end(&der)) {
        if (ca_der_oid(&der, "an object identifier", &there, NULL) != CA_OK) return false;
        if (ca_bytes_equal(there, oid)) return true;
    }
    return false;
}

/* A name of ours, else an OID: its content octets. */
static bool read_purpose_oid(struct template_reader *reader, const json_t *value, const char *path,
                             struct ca_buf *out)
{
    const char *text = json_string_value(value);
    const char *names[CA_EKU_COUNT];
    size_t bit = 0;

    if (text != NULL && text[0] >= '0' && text[0] <= '9')
        return ca_finding_oid(reader->findings, value, path, out);
    for (unsigned i = 0; i < CA_EKU_COUNT; i++) names[i] = ca_eku_name(i);
    if (!ca_finding_choice_value(reader->findings, value, path, names, CA_COUNT(names), &bit))
        return false;
    ca_buf_append_bytes(out, ca_eku_oid((unsigned)bit));
    return true;
}

/* Adds one purpose to *bits, or to more when it has no bit. */
static void add_purpose(struct template_reader *reader, struct ca_bytes oid, const char *path,
                        uint16_t *bits, struct ca_buf *more)
{
    const struct ca_template *base = reader->base;
    unsigned bit = purpose_bit(oid);
    bool named = bit < CA_EKU_COUNT;

    if (named ? (*bits & (1u << bit)) != 0 : holds_oid(ca_buf_view(more), oid)) {
        ca_finding_add(reader->findings, path, "stands there twice");
        return;
    }
    if (base != NULL && base->eku != 0 && (!named || (base->eku & (1u << bit)) == 0))
        ca_finding_add(reader->findings, path, "is more than the base has");
    if (named) *bits = (uint16_t)(*bits | (1u << bit));
    else ca_der_add_oid(more, oid);
}

static void read_purposes(struct template_reader *reader, const json_t *list)
{
    uint16_t bits = 0;
    struct ca_buf oid, more;

    ca_buf_init(&oid, OID_OCTETS_MAX);
    ca_buf_init(&more, EXTENSIONS_OCTETS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct ca_finding_path at = ca_finding_at("extended_key_usage", i);

        ca_buf_reset(&oid);
        if (!read_purpose_oid(reader, json_array_get(list, i), at.text, &oid)) continue;
        if (oid.failed == CA_OK) add_purpose(reader, ca_buf_view(&oid), at.text, &bits, &more);
        else reader->failed = oid.failed;
    }
    if (more.failed != CA_OK) reader->failed = more.failed;
    reader->tmpl->eku = bits;
    reader->tmpl->eku_more = template_keep(reader, ca_buf_view(&more));
    ca_buf_clear(&oid);
    ca_buf_clear(&more);
}

static void read_ext_key_usage(struct template_reader *reader)
{
    static const uint8_t any_purpose[] = { 0x55, 0x1d, 0x25, 0 };
    static const char path[] = "extended_key_usage_critical";
    const json_t *list = ca_finding_list(reader->findings, reader->root, "", "extended_key_usage",
                                         1, PURPOSES_MAX);
    struct ca_template *tmpl = reader->tmpl;
    bool critical = tmpl->eku_critical;

    if (list != NULL) read_purposes(reader, list);
    if (ca_finding_flag(reader->findings, reader->root, "", path, &critical) &&
        reader->base != NULL) {
        if (json_object_get(reader->root, "extended_key_usage") == NULL && tmpl->eku == 0)
            ca_finding_add(reader->findings, path, "there is no extended_key_usage");
        if (reader->base->eku_critical && !critical)
            ca_finding_add(reader->findings, path, "must be true: the base's is");
        tmpl->eku_critical = critical;
    }
    if (tmpl->eku_critical &&
        holds_oid(tmpl->eku_more, ca_bytes_of(any_purpose, sizeof(any_purpose))))
        ca_finding_add(reader->findings, path,
                       "must be false: there is anyExtendedKeyUsage (RFC 5280 4.2.1.12)");
}

void template_read_usages(struct template_reader *reader)
{
    read_key_usage(reader);
    read_ext_key_usage(reader);
}

/* Certificate policies */

/* PolicyInformation ::= SEQUENCE { policyIdentifier, policyQualifiers SEQUENCE OF SEQUENCE {
 * policyQualifierId, qualifier } OPTIONAL } with the one qualifier that RFC 5280 4.2.1.4 gives a
 * pointer: id-qt-cps, an IA5String. */
static void read_policy(struct template_reader *reader, const json_t *value, const char *path,
                        struct ca_buf *seen, struct ca_buf *out)
{
    static const char *const members[] = { "oid", "cps" };
    static const uint8_t qualifier_cps[] = { 0x2b, 6, 1, 5, 5, 7, 2, 1 };
    const json_t *oid = json_object_get(value, "oid");
    const char *cps, *fault;
    size_t mark = out->len, inner, id = out->len;

    if (!ca_finding_object(reader->findings, value, path, members, CA_COUNT(members))) return;
    if (oid == NULL) {
        ca_finding_add(reader->findings, ca_finding_join(path, "oid").text, "is missing");
        return;
    }
    cps = ca_finding_text(reader->findings, value, path, "cps", 1, CPS_URI_MAX);
    fault = cps != NULL ? ca_uri_fault(ca_bytes_str(cps)) : NULL;
    if (fault != NULL)
        ca_finding_add(reader->findings, ca_finding_join(path, "cps").text, "%s", fault);
    if (!ca_finding_oid(reader->findings, oid, ca_finding_join(path, "oid").text, out)) return;
    if (out->failed == CA_OK) {
        struct ca_bytes content = ca_bytes_of(out->data + id, out->len - id);

        if (holds_oid(ca_buf_view(seen), content))
            ca_finding_add(reader->findings, path, "the policy stands there twice");
        ca_der_add_oid(seen, content);
    }
    ca_der_wrap(out, id, CA_DER_OID);
    inner = out->len;
    if (cps != NULL) {
        ca_der_add_oid(out, ca_bytes_of(qualifier_cps, sizeof(qualifier_cps)));
        ca_der_add(out, CA_DER_IA5_STRING, ca_bytes_str(cps));
        ca_der_wrap(out, inner, CA_DER_SEQUENCE);
        ca_der_wrap(out, inner, CA_DER_SEQUENCE);
    }
    ca_der_wrap(out, mark, CA_DER_SEQUENCE);
}

static void read_policies(struct template_reader *reader, struct ca_buf *extensions)
{
    const json_t *list = ca_finding_list(reader->findings, reader->root, "",
                                         "certificate_policies", 1, POLICIES_MAX);
    struct ca_buf value, seen;

    if (list == NULL) return;
    ca_buf_init(&value, EXTENSIONS_OCTETS_MAX);
    ca_buf_init(&seen, EXTENSIONS_OCTETS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        read_policy(reader, json_array_get(list, i),
                    ca_finding_at("certificate_policies", i).text, &seen, &value);
    }
    ca_der_wrap(&value, 0, CA_DER_SEQUENCE);
    if (value.failed != CA_OK) reader->failed = value.failed;
    if (seen.failed != CA_OK) reader->failed = seen.failed;
    ca_ext_add(extensions, ca_oid_certificate_policies, false, ca_buf_view(&value));
    ca_buf_clear(&value);
    ca_buf_clear(&seen);
}

/* Further extensions */

/* What the standards and the rest of the template say about a type. */
struct type_rule {
    const struct ca_bytes *oid;
    const char *decided_by;         /* not NULL: it may not stand here */
    enum { FOR_ANY, FOR_CAS, FOR_END_ENTITIES } who;
    enum { CRITICAL_ANY, CRITICAL_ALWAYS, CRITICAL_NEVER } critical;
    const char *rule;
};

static const struct type_rule type_rules[] = {
    { .oid = &ca_oid_basic_constraints, .decided_by = "the base" },
    { .oid = &ca_oid_authority_key_identifier, .decided_by = "the issuer" },
    { .oid = &ca_oid_subject_key_identifier, .decided_by = "the request's key" },
    { .oid = &ca_oid_key_usage, .decided_by = "key_usage" },
    { .oid = &ca_oid_ext_key_usage, .decided_by = "extended_key_usage" },
    { .oid = &ca_oid_subject_alt_name, .decided_by = "the request and san" },
    { .oid = &ca_oid_crl_distribution_points, .decided_by = "the CA's configuration" },
    { .oid = &ca_oid_freshest_crl, .decided_by = "the CA's configuration" },
    { .oid = &ca_oid_authority_info_access, .decided_by = "the CA's configuration" },
    { .oid = &ca_oid_ct_poison, .decided_by = "nothing: it makes a precertificate (RFC 6962 3.1)" },
    { .oid = &ca_oid_issuer_alt_name, .critical = CRITICAL_NEVER, .rule = "RFC 5280 4.2.1.7" },
    { .oid = &ca_oid_subject_directory_attributes, .critical = CRITICAL_NEVER,
      .rule = "RFC 5280 4.2.1.8" },
    { .oid = &ca_oid_subject_info_access, .critical = CRITICAL_NEVER, .rule = "RFC 5280 4.2.2.2" },
    { .oid = &ca_oid_name_constraints, .who = FOR_CAS, .critical = CRITICAL_ALWAYS,
      .rule = "RFC 5280 4.2.1.10" },
    { .oid = &ca_oid_policy_mappings, .who = FOR_CAS, .rule = "RFC 5280 4.2.1.5" },
    { .oid = &ca_oid_policy_constraints, .who = FOR_CAS, .critical = CRITICAL_ALWAYS,
      .rule = "RFC 5280 4.2.1.11" },
    { .oid = &ca_oid_inhibit_any_policy, .who = FOR_CAS, .critical = CRITICAL_ALWAYS,
      .rule = "RFC 5280 4.2.1.14" },
    { .oid = &ca_oid_ocsp_nocheck, .critical = CRITICAL_NEVER, .rule = "RFC 6960 4.2.2.2.1" },
    { .oid = &ca_oid_no_rev_avail, .who = FOR_END_ENTITIES, .critical = CRITICAL_NEVER,
      .rule = "RFC 9608 2 and 3" },
};

static const struct type_rule *rule_of(struct ca_bytes oid)
{
    for (size_t i = 0; i < CA_COUNT(type_rules); i++) {
        if (ca_bytes_equal(*type_rules[i].oid, oid)) return &type_rules[i];
    }
    return NULL;
}

static void check_type(struct template_reader *reader, struct ca_bytes oid, bool critical,
                       const char *path)
{
    const struct type_rule *rule = rule_of(oid);
    struct ca_findings *findings = reader->findings;

    if (ca_bytes_equal(oid, ca_oid_certificate_policies) &&
        json_object_get(reader->root, "certificate_policies") != NULL)
        ca_finding_add(findings, path, "is decided by certificate_policies");
    if (rule == NULL) return;
    if (rule->decided_by != NULL) {
        ca_finding_add(findings, path, "is decided by %s", rule->decided_by);
        return;
    }
    if (reader->base != NULL && rule->who == FOR_CAS && is_end_entity(reader))
        ca_finding_add(findings, path, "is for CAs only (%s)", rule->rule);
    if (reader->base != NULL && rule->who == FOR_END_ENTITIES && !is_end_entity(reader))
        ca_finding_add(findings, path, "is for end entities only (%s)", rule->rule);
    if (rule->critical == CRITICAL_ALWAYS && !critical)
        ca_finding_add(findings, path, "must be critical (%s)", rule->rule);
    if (rule->critical == CRITICAL_NEVER && critical)
        ca_finding_add(findings, path, "must not be critical (%s)", rule->rule);
    if (ca_bytes_equal(oid, ca_oid_no_rev_avail) && !reader->tmpl->no_revocation_pointers)
        ca_finding_add(findings, path,
                       "noRevAvail needs \"revocation_pointers\": \"none\" (RFC 9608 3)");
}

/* The value's DER into *out; false when it is missing or not good. */
static bool read_value(struct template_reader *reader, const json_t *item, struct ca_bytes oid,
                       const char *path, struct ca_buf *out)
{
    const json_t *value = json_object_get(item, "value");
    struct ca_finding_path at = ca_finding_join(path, "value");
    struct ca_error why;

    if (value == NULL) {
        ca_finding_add(reader->findings, at.text, "is missing");
        return false;
    }
    if (!ca_template_value(value, at.text, reader->findings, out)) return false;
    if (out->failed != CA_OK) {
        ca_finding_add(reader->findings, at.text, "is longer than %d octets",
                       EXTENSIONS_OCTETS_MAX);
        return false;
    }
    if (oid.len > 0 && ca_extension_value_check(oid, ca_buf_view(out), &why) != CA_OK) {
        ca_finding_add(reader->findings, at.text, "%s", why.text);
        return false;
    }
    return true;
}

/* seen: the OIDs of those before it. value, oid: buffers that are used anew. */
struct extension_room {
    struct ca_buf seen, oid, value;
};

static void read_extension(struct template_reader *reader, const json_t *item, const char *path,
                           struct extension_room *room, struct ca_buf *out)
{
    static const char *const members[] = { "oid", "critical", "value" };
    const json_t *dotted = json_object_get(item, "oid");
    struct ca_finding_path at = ca_finding_join(path, "oid");
    bool critical = false, known = false;
    struct ca_bytes oid;

    ca_buf_reset(&room->oid);
    ca_buf_reset(&room->value);
    (void)ca_finding_object(reader->findings, item, path, members, CA_COUNT(members));
    if (!json_is_object(item)) return;
    if (dotted == NULL) ca_finding_add(reader->findings, at.text, "is missing");
    else known = ca_finding_oid(reader->findings, dotted, at.text, &room->oid);
    (void)ca_finding_flag(reader->findings, item, path, "critical", &critical);
    oid = known ? ca_buf_view(&room->oid) : ca_bytes_of(NULL, 0);
    if (known) {
        if (holds_oid(ca_buf_view(&room->seen), oid))
            ca_finding_add(reader->findings, at.text, "stands there twice");
        ca_der_add_oid(&room->seen, oid);
        check_type(reader, oid, critical, at.text);
    }
    if (read_value(reader, item, oid, path, &room->value) && known)
        ca_ext_add(out, oid, critical, ca_buf_view(&room->value));
}

static void read_further(struct template_reader *reader, struct ca_buf *out)
{
    const json_t *list = ca_finding_list(reader->findings, reader->root, "", "extensions", 0,
                                         EXTENSIONS_MAX);
    struct extension_room room;

    ca_buf_init(&room.seen, EXTENSIONS_OCTETS_MAX);
    ca_buf_init(&room.oid, OID_OCTETS_MAX);
    ca_buf_init(&room.value, EXTENSIONS_OCTETS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        read_extension(reader, json_array_get(list, i), ca_finding_at("extensions", i).text, &room,
                       out);
        if (room.oid.failed == CA_NOMEM || room.value.failed == CA_NOMEM) reader->failed = CA_NOMEM;
    }
    if (room.seen.failed != CA_OK) reader->failed = room.seen.failed;
    ca_buf_clear(&room.seen);
    ca_buf_clear(&room.oid);
    ca_buf_clear(&room.value);
}

void template_read_extensions(struct template_reader *reader)
{
    struct ca_buf extensions;

    ca_buf_init(&extensions, EXTENSIONS_OCTETS_MAX);
    read_policies(reader, &extensions);
    read_further(reader, &extensions);
    if (extensions.failed == CA_FULL)
        ca_finding_add(reader->findings, "extensions", "are longer than %d octets together",
                       EXTENSIONS_OCTETS_MAX);
    if (extensions.failed == CA_NOMEM) reader->failed = CA_NOMEM;
    if (extensions.failed == CA_OK)
        reader->tmpl->extensions = template_keep(reader, ca_buf_view(&extensions));
    ca_buf_clear(&extensions);
}
