#include "engine/contents.h"

#include "engine/cert.h"
#include "engine/ext.h"
#include "engine/name_equal.h"

#include <string.h>

/* A request's extensions are at most 32 (engine/request.c); more than these are refused here. */
#define CSR_EXTENSIONS_MAX 64
#define PASSING_MAX (CA_API_EXTENSIONS_MAX + CSR_EXTENSIONS_MAX)

static const uint8_t empty_name[] = { CA_DER_SEQUENCE, 0 };

enum verdict {
    PASSES,
    SAME,           /* the certificate has it anyway, value and criticality */
    LOSES
};

struct deciding {
    const struct ca_template *tmpl;
    const struct ca_pointers *pointers;
    const struct ca_ask *ask;
    struct ca_contents *out;
    /* What passes so far; entries beyond count are not written. */
    struct {
        struct ca_bytes oid, whole;
    } passing[PASSING_MAX];
    size_t count, octets;
};

/* What the template itself writes */

static bool is_same_basic_constraints(const struct ca_template *tmpl,
                                      const struct ca_extension *asked)
{
    static const uint8_t is_ca[] = { CA_DER_SEQUENCE, 3, CA_DER_BOOLEAN, 1, 0xff };
    uint8_t limited[] = { CA_DER_SEQUENCE, 6, CA_DER_BOOLEAN, 1, 0xff, CA_DER_INTEGER, 1,
                          (uint8_t)tmpl->path_len };
    struct ca_bytes value = ca_bytes_of(empty_name, sizeof(empty_name));

    if (tmpl->kind != CA_TEMPLATE_END_ENTITY) {
        value = tmpl->path_len >= 0 ? ca_bytes_of(limited, sizeof(limited))
                                    : ca_bytes_of(is_ca, sizeof(is_ca));
    }
    return asked->critical == tmpl->basic_constraints_critical &&
           ca_bytes_equal(asked->value, value);
}

static bool is_same_subject_key_id(const struct ca_ask *ask, const struct ca_extension *asked)
{
    return !asked->critical && asked->value.len == 22 &&
           asked->value.data[0] == CA_DER_OCTET_STRING && asked->value.data[1] == 20 &&
           memcmp(asked->value.data + 2, ask->subject_key_id, 20) == 0;
}

static bool is_same_key_usage(const struct deciding *d, const struct ca_extension *asked)
{
    uint16_t bits = 0;

    return asked->critical && ca_key_usage_read(asked->value, &bits) &&
           bits == ca_template_key_usage(d->tmpl, d->ask->request->key.kind);
}

/* Takes a purpose out of those that the template has; false when it is not, or no longer, there. */
static bool strike_purpose(const struct ca_template *tmpl, struct ca_bytes oid, unsigned *eku,
                           uint64_t *more)
{
    struct ca_der list = ca_der_open(tmpl->eku_more);
    struct ca_bytes other = { .len = 0 };

    for (unsigned bit = 0; bit < CA_EKU_COUNT; bit++) {
        if ((*eku & (1u << bit)) == 0 || !ca_bytes_equal(ca_eku_oid(bit), oid)) continue;
        *eku &= ~(1u << bit);
        return true;
    }
    for (unsigned i = 0; i < 64 && !ca_der_at_end(&list); i++) {
        if (ca_der_oid(&list, "a purpose", &other, NULL) != CA_OK) return false;
        if ((*more >> i & 1) != 0 || !ca_bytes_equal(other, oid)) continue;
        *more |= UINT64_C(1) << i;
        return true;
    }
    return false;
}

/* The same purposes, each once, in whatever order. */
static bool is_same_ext_key_usage(const struct ca_template *tmpl, const struct ca_extension *asked)
{
    struct ca_der der = ca_der_open(asked->value), list = { .reason = 0 };
    struct ca_der more_list = ca_der_open(tmpl->eku_more);
    struct ca_bytes oid = { .len = 0 };
    unsigned eku = tmpl->eku;
    uint64_t more = 0, all_more = 0;

    if (asked->critical != tmpl->eku_critical ||
        ca_der_enter(&der, CA_DER_SEQUENCE, "the purposes", &list, NULL) != CA_OK ||
        !ca_der_at_end(&der))
        return false;
    for (unsigned i = 0; i < 64 && !ca_der_at_end(&more_list); i++) {
        if (ca_der_oid(&more_list, "a purpose", &oid, NULL) != CA_OK) return false;
        all_more |= UINT64_C(1) << i;
    }
    while (!ca_der_at_end(&list)) {
        if (ca_der_oid(&list, "a purpose", &oid, NULL) != CA_OK ||
            !strike_purpose(tmpl, oid, &eku, &more))
            return false;
    }
    return eku == 0 && more == all_more;
}

/* The extension of this type that a user's template adds. */
static bool find_own(const struct ca_template *tmpl, struct ca_bytes oid, struct ca_extension *out)
{
    struct ca_der list = ca_der_open(tmpl->extensions);

    while (!ca_der_at_end(&list)) {
        if (ca_extension_next(&list, out, NULL) != CA_OK) return false;
        if (ca_bytes_equal(out->oid, oid)) return true;
    }
    return false;
}

/* Weighing */

static enum verdict same_or_lost(bool same)
{
    return same ? SAME : LOSES;
}

static enum verdict pass_if(bool passes)
{
    return passes ? PASSES : LOSES;
}

/* No pointers to revocation information, whoever asks. */
static bool is_without_pointers(const struct ca_template *tmpl)
{
    struct ca_extension own;

    return tmpl->no_revocation_pointers || find_own(tmpl, ca_oid_no_rev_avail, &own);
}

/* The CA's own pointers stand in the certificate. */
static bool has_pointers(const struct deciding *d)
{
    return !d->tmpl->no_revocation_pointers &&
           (d->pointers->cdp || d->pointers->freshest || d->pointers->aia);
}

static bool is_id_ce(struct ca_bytes oid)
{
    return oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x1d;
}

/* The standard extensions (id-ce, 2.5.29) by their last arc. passes: what the template lets
 * through by this source in general. */
static enum verdict weigh_id_ce(const struct deciding *d, enum ca_source source,
                                const struct ca_extension *asked, bool passes)
{
    const struct ca_template *tmpl = d->tmpl;
    const struct ca_pointers *pointers = d->pointers;
    bool for_ca = tmpl->kind != CA_TEMPLATE_END_ENTITY;

    switch (asked->oid.data[2]) {
    case 14: return same_or_lost(is_same_subject_key_id(d->ask, asked));
    case 15:        /* keyUsage */
        if (tmpl->key_usage == 0 && tmpl->key_usage_signing_only == 0) return pass_if(passes);
        return same_or_lost(is_same_key_usage(d, asked));
    case 19: return same_or_lost(is_same_basic_constraints(tmpl, asked));
    case 31:        /* cRLDistributionPoints */
        return pass_if(passes && !pointers->cdp && !is_without_pointers(tmpl) &&
                       (tmpl->cdp_from & source) != 0);
    case 30:        /* nameConstraints, policyMappings, policyConstraints, inhibitAnyPolicy */
    case 33:
    case 36:
    case 54: return pass_if(passes && for_ca);
    case 35: return pass_if(passes && tmpl->aki_from_api && source == CA_FROM_API);
    case 37:        /* extKeyUsage */
        if (tmpl->eku == 0 && tmpl->eku_more.len == 0) return pass_if(passes);
        return same_or_lost(is_same_ext_key_usage(tmpl, asked));
    case 46:        /* freshestCRL */
        return pass_if(passes && !pointers->freshest && !is_without_pointers(tmpl));
    case 56:        /* noRevAvail: RFC 9608 3 and 4 */
        return pass_if(passes && !for_ca && !has_pointers(d));
    default: return pass_if(passes);
    }
}

static enum verdict weigh(const struct deciding *d, enum ca_source source,
                          const struct ca_extension *asked)
{
    bool passes = (d->tmpl->passthrough & source) != 0;
    struct ca_extension own;

    if (d->tmpl->extensions.len > 0 && find_own(d->tmpl, asked->oid, &own))
        return same_or_lost(ca_bytes_equal(own.whole, asked->whole));
    if (is_id_ce(asked->oid)) return weigh_id_ce(d, source, asked, passes);
    if (!passes) return LOSES;
    if (ca_bytes_equal(asked->oid, ca_oid_authority_info_access))
        return pass_if(!d->pointers->aia && !is_without_pointers(d->tmpl));
    return pass_if(!ca_bytes_equal(asked->oid, ca_oid_ct_poison));
}

/* Passing */

/* A root's only; an identifier of another key, or a serial number, would make it its own stranger
 * (RFC 5280 4.2.1.1). */
static enum ca_status check_own_key_id(const struct ca_ask *ask, struct ca_bytes value,
                                       struct ca_error *err)
{
    static const uint8_t header[] = { CA_DER_SEQUENCE, 22, CA_DER_CONTEXT(0), 20 };

    if (value.len == sizeof(header) + 20 && memcmp(value.data, header, sizeof(header)) == 0 &&
        memcmp(value.data + sizeof(header), ask->subject_key_id, 20) == 0)
        return CA_OK;
    return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED,
                     "authorityKeyIdentifier: not the root's own key identifier");
}

static enum ca_status check_passing(const struct deciding *d, enum ca_source source,
                                    const struct ca_extension *asked, struct ca_error *err)
{
    uint16_t bits = 0;
    enum ca_status st = CA_OK;

    if (source == CA_FROM_CSR) st = ca_extension_value_check(asked->oid, asked->value, err);
    if (st != CA_OK || !is_id_ce(asked->oid)) return st;
    if (asked->oid.data[2] == 35) return check_own_key_id(d->ask, asked->value, err);
    if (asked->oid.data[2] != 15 || d->tmpl->kind != CA_TEMPLATE_END_ENTITY) return CA_OK;
    if (!ca_key_usage_read(asked->value, &bits) ||
        (bits & (CA_KU_KEY_CERT_SIGN | CA_KU_CRL_SIGN)) == 0)
        return CA_OK;
    return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED,
                     "keyUsage: %s in an end entity's certificate",
                     (bits & CA_KU_KEY_CERT_SIGN) != 0 ? "keyCertSign" : "cRLSign");
}

/* The extension of this type that passes already; NULL when there is none. */
static const struct ca_bytes *find_passing(const struct deciding *d, struct ca_bytes oid)
{
    for (size_t i = 0; i < d->count; i++) {
        if (ca_bytes_equal(d->passing[i].oid, oid)) return &d->passing[i].whole;
    }
    return NULL;
}

/* One extension that the API or the request asks for. name: the bit for when it is not heard. */
static enum ca_status settle(struct deciding *d, enum ca_source source,
                             const struct ca_extension *asked, enum ca_ignored name,
                             struct ca_error *err)
{
    enum verdict verdict = weigh(d, source, asked);
    const struct ca_bytes *earlier = verdict == PASSES ? find_passing(d, asked->oid) : NULL;
    enum ca_status st;

    if (earlier != NULL) verdict = same_or_lost(ca_bytes_equal(*earlier, asked->whole));
    if (verdict == LOSES) d->out->ignored |= UINT64_C(1) << name;
    if (verdict != PASSES) return CA_OK;
    st = check_passing(d, source, asked, err);
    if (st != CA_OK) return st;
    if (d->count == PASSING_MAX)
        return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED, "more than %d extensions",
                         PASSING_MAX);
    d->passing[d->count].oid = asked->oid;
    d->passing[d->count++].whole = asked->whole;
    d->octets += asked->whole.len;
    return CA_OK;
}

static enum ca_status settle_api(struct deciding *d, const struct ca_api *api,
                                 struct ca_error *err)
{
    enum ca_status st = CA_OK;

    for (size_t i = 0; st == CA_OK && i < api->extension_count; i++) {
        const struct ca_api_extension *extension = &api->extensions[i];
        struct ca_extension asked = { .oid = extension->oid, .critical = extension->critical,
                                      .value = extension->value, .whole = extension->whole };

        st = settle(d, CA_FROM_API, &asked, extension->name, err);
    }
    return st;
}

static enum ca_status settle_request(struct deciding *d, struct ca_error *err)
{
    struct ca_der list = ca_der_open(d->ask->request->extensions);
    enum ca_status st = CA_OK;

    while (st == CA_OK && !ca_der_at_end(&list)) {
        struct ca_extension asked = { .critical = false };

        st = ca_extension_next(&list, &asked, err);
        if (st != CA_OK || ca_bytes_equal(asked.oid, ca_oid_subject_alt_name)) continue;
        st = settle(d, CA_FROM_CSR, &asked, ca_ignored_of_csr_extension(asked.oid), err);
    }
    return st;
}

/* An AuthorityInfoAccess that has an OCSP responder. */
static bool has_ocsp(struct ca_bytes whole)
{
    struct ca_der list = ca_der_open(whole), value, inner = { .reason = 0 };
    struct ca_extension access;

    if (ca_extension_next(&list, &access, NULL) != CA_OK) return false;
    value = ca_der_open(access.value);
    if (ca_der_enter(&value, CA_DER_SEQUENCE, "the value", &inner, NULL) != CA_OK) return false;
    while (!ca_der_at_end(&inner)) {
        struct ca_der description = { .reason = 0 };
        struct ca_bytes method = { .len = 0 };

        if (ca_der_enter(&inner, CA_DER_SEQUENCE, "access", &description, NULL) != CA_OK ||
            ca_der_oid(&description, "a method", &method, NULL) != CA_OK)
            return false;
        if (ca_bytes_equal(method, ca_oid_ad_ocsp)) return true;
    }
    return false;
}

/* RFC 9608 3: who asks for noRevAvail and for pointers contradicts himself. */
static enum ca_status check_no_rev_avail(const struct deciding *d, struct ca_error *err)
{
    const struct ca_bytes *access;

    if (find_passing(d, ca_oid_no_rev_avail) == NULL) return CA_OK;
    access = find_passing(d, ca_oid_authority_info_access);
    if (find_passing(d, ca_oid_crl_distribution_points) == NULL &&
        find_passing(d, ca_oid_freshest_crl) == NULL && (access == NULL || !has_ocsp(*access)))
        return CA_OK;
    return ca_refuse(err, CA_REASON_PASSTHROUGH_REFUSED,
                     "noRevAvail: beside a pointer to revocation information (RFC 9608 3)");
}

static enum ca_status decide_extensions(struct deciding *d, struct ca_arena *arena,
                                        struct ca_error *err)
{
    uint8_t *at;
    enum ca_status st = d->ask->api != NULL ? settle_api(d, d->ask->api, err) : CA_OK;

    if (st == CA_OK) st = settle_request(d, err);
    if (st != CA_OK || d->count == 0) return st;
    st = check_no_rev_avail(d, err);
    if (st != CA_OK) return st;
    /* Here already, so that what no certificate has room for does not fill the arena of many. */
    if (d->octets > CA_CERT_DER_MAX)
        return ca_refuse(err, CA_REASON_REQUEST_TOO_LONG,
                         "the certificate would be longer than %d octets", CA_CERT_DER_MAX);
    if (d->octets > arena->max - arena->used)
        return ca_fail(err, CA_FULL, "extensions: more than %zu octets", arena->max);
    at = ca_arena_take(arena, d->octets);
    if (at == NULL) return ca_fail(err, CA_NOMEM, "no memory for extensions");
    d->out->extra = ca_bytes_of(at, d->octets);
    for (size_t i = 0; i < d->count; i++) {
        memcpy(at, d->passing[i].whole.data, d->passing[i].whole.len);
        at += d->passing[i].whole.len;
    }
    return CA_OK;
}

/* Names */

static void take_request_names(const struct ca_request *request, struct ca_contents *out)
{
    out->subject = request->subject;
    out->subject_empty = request->subject_empty;
    out->has_san = request->has_san;
    out->san_critical = request->san_critical;
    out->san = request->san;
}

static void take_line_names(const struct ca_ask *ask, struct ca_contents *out)
{
    out->subject_empty = ask->line_subject.len == 0;
    out->subject = out->subject_empty ? ca_bytes_of(empty_name, sizeof(empty_name))
                                      : ask->line_subject;
    out->has_san = ask->line_san.len > 0;
    out->san = ask->line_san;
    out->san_critical = out->has_san && out->subject_empty;
}

static enum ca_status compare_names(const struct ca_ask *ask, struct ca_error *err)
{
    const struct ca_request *request = ask->request;

    if (ask->line_subject.len == 0 && ask->line_san.len == 0 &&
        (!request->subject_empty || request->has_san))
        return ca_refuse(err, CA_REASON_NO_MANIFEST_NAMES,
                         "request and line of NDJSON must agree, and this request came without "
                         "names in a line");
    if (request->subject_empty != (ask->line_subject.len == 0) ||
        (!request->subject_empty && !ca_name_equal(request->subject, ask->line_subject)))
        return ca_refuse(err, CA_REASON_NAMES_DISAGREE,
                         "the request has another subject than the manifest line");
    if (request->has_san != (ask->line_san.len > 0) ||
        (request->has_san && !ca_san_equal(request->san, ask->line_san)))
        return ca_refuse(err, CA_REASON_NAMES_DISAGREE,
                         "the request has other subject alternative names than the manifest line");
    return CA_OK;
}

static enum ca_status take_names(const struct ca_template *tmpl, const struct ca_ask *ask,
                                 struct ca_contents *out, struct ca_error *err)
{
    switch (tmpl->names_from) {
    case CA_NAMES_FROM_CSR: break;
    case CA_NAMES_FROM_MANIFEST:
        if (ask->line_subject.len == 0 && ask->line_san.len == 0)
            return ca_refuse(err, CA_REASON_NO_MANIFEST_NAMES,
                             "the template takes names from lines of NDJSON, and this request came "
                             "without any");
        take_line_names(ask, out);
        return CA_OK;
    case CA_NAMES_BOTH_MUST_AGREE:
        take_request_names(ask->request, out);
        return compare_names(ask, err);
    }
    take_request_names(ask->request, out);
    return CA_OK;
}

/* A whole subject, and all alternative names: the API's replace what there was (spec 6.1). */
static void take_api_names(const struct ca_api *api, struct ca_contents *out)
{
    if (api->subject.len > 0) {
        out->subject = api->subject;
        out->subject_empty = api->subject_empty;
    }
    if (api->has_san) {
        out->has_san = true;
        out->san = api->san;
        out->san_critical = api->san_critical || out->subject_empty;
    }
}

static void note_subject(struct ca_contents *out, struct ca_bytes asked, uint64_t bit)
{
    if (asked.data == out->subject.data || ca_name_equal(asked, out->subject)) return;
    out->ignored |= bit;
}

static void note_san(struct ca_contents *out, struct ca_bytes asked, bool critical, uint64_t bit)
{
    if (out->has_san && critical == out->san_critical &&
        (asked.data == out->san.data || ca_san_equal(asked, out->san)))
        return;
    out->ignored |= bit;
}

/* What is not in the certificate of the names that were asked for. Only a request, and the API's
 * custom extension, can say anything about criticality. */
static void note_lost_names(const struct ca_ask *ask, struct ca_contents *out)
{
    const struct ca_request *request = ask->request;
    const struct ca_api *api = ask->api;

    if (!request->subject_empty)
        note_subject(out, request->subject, CA_IGNORED_BIT(CSR_SUBJECT));
    if (request->has_san)
        note_san(out, request->san, request->san_critical, CA_IGNORED_BIT(CSR_SAN));
    if (ask->line_subject.len > 0)
        note_subject(out, ask->line_subject, CA_IGNORED_BIT(LINE_SUBJECT));
    if (ask->line_san.len > 0)
        note_san(out, ask->line_san, out->san_critical, CA_IGNORED_BIT(LINE_SAN));
    if (api == NULL) return;
    if (api->subject.len > 0) note_subject(out, api->subject, CA_IGNORED_BIT(API_SUBJECT));
    if (api->has_san)
        note_san(out, api->san, api->san_critical || out->san_critical, CA_IGNORED_BIT(API_SAN));
}

enum ca_status ca_contents_decide(const struct ca_template *tmpl,
                                  const struct ca_pointers *pointers, const struct ca_ask *ask,
                                  struct ca_arena *arena, struct ca_contents *out,
                                  struct ca_error *err)
{
    struct deciding d;
    enum ca_status st;

    /* Member by member: an initializer would clear some kilobytes for every request. */
    d.tmpl = tmpl;
    d.pointers = pointers;
    d.ask = ask;
    d.out = out;
    d.count = d.octets = 0;
    out->extra = ca_bytes_of(NULL, 0);
    out->ignored = 0;
    memcpy(out->subject_key_id, ask->subject_key_id, sizeof(out->subject_key_id));
    st = take_names(tmpl, ask, out, err);
    if (st != CA_OK) return st;
    if (ask->api != NULL && (tmpl->passthrough & CA_FROM_API) != 0)
        take_api_names(ask->api, out);
    note_lost_names(ask, out);
    return decide_extensions(&d, arena, err);
}
