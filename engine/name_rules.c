#include "engine/name_rules_impl.h"

#include "engine/charset.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ca_san_rule_member(enum ca_san_form form)
{
    switch (form) {
    case CA_SAN_DNS: return "dns";
    case CA_SAN_IP: return "ip";
    case CA_SAN_EMAIL: return "email";
    case CA_SAN_URI: return "uri";
    case CA_SAN_DIRECTORY_NAME: return "directory_name";
    case CA_SAN_REGISTERED_ID: return "registered_id";
    case CA_SAN_OTHER_NAME: return "other_name";
    case CA_SAN_EDI_PARTY_NAME: break;
    }
    return NULL;
}

const char *ca_san_rule_label(enum ca_san_form form)
{
    switch (form) {
    case CA_SAN_DNS: return "dNSName";
    case CA_SAN_IP: return "iPAddress";
    case CA_SAN_EMAIL: return "rfc822Name";
    case CA_SAN_URI: return "URI";
    case CA_SAN_DIRECTORY_NAME: return "directoryName";
    case CA_SAN_REGISTERED_ID: return "registeredID";
    case CA_SAN_OTHER_NAME: return "otherName";
    case CA_SAN_EDI_PARTY_NAME: return "ediPartyName";
    }
    return "";
}

static void free_san_rule(struct ca_san_rule *rule)
{
    for (size_t i = 0; i < rule->pattern_count; i++) ca_pattern_free(rule->patterns[i]);
    free(rule->patterns);
    free(rule->suffixes);
    free(rule->ranges);
    free(rule->oids);
}

void ca_name_rules_free(struct ca_name_rules *rules)
{
    if (rules == NULL) return;
    for (size_t i = 0; i < rules->attribute_count; i++)
        ca_pattern_free(rules->attributes[i].pattern);
    for (size_t i = 0; i < CA_SAN_FORM_COUNT; i++) free_san_rule(&rules->san[i]);
    ca_arena_clear(&rules->texts);
    free(rules);
}

/* A refusal whose sentence is: the label, the value, and what another error says. */
static enum ca_status refuse_value(struct ca_error *err, enum ca_reason reason, const char *label,
                                   struct ca_bytes value, const struct ca_error *why)
{
    if (why->status != CA_REFUSED) return ca_fail(err, why->status, "%s", why->text);
    return ca_refuse(err, reason, "%s %.*s %s", label, ca_shown_len(value),
                     (const char *)value.data, why->text);
}

/* The rules must have seen all names: one that the walk does not know must not hide those behind
 * it. What was checked before does not come here. */
static enum ca_status refuse_unread(enum ca_reason reason, struct ca_error *err)
{
    return ca_refuse(err, reason, "the names cannot be read to their end");
}

/* Subjects */

enum ca_status ca_attribute_rule_judge(const struct ca_attribute_rule *rule,
                                       struct ca_matcher *matcher, struct ca_bytes value,
                                       struct ca_error *why)
{
    size_t characters = 0;
    bool matches = true;
    enum ca_status st;

    (void)ca_charset_utf8(value, &characters);
    if (characters < rule->chars_min)
        return ca_fail(why, CA_REFUSED, "has %zu characters, at least %u are needed", characters,
                       (unsigned)rule->chars_min);
    if (characters > rule->chars_max)
        return ca_fail(why, CA_REFUSED, "has %zu characters, at most %u are allowed", characters,
                       (unsigned)rule->chars_max);
    if (rule->pattern == NULL) return CA_OK;
    st = ca_pattern_match(rule->pattern, matcher, value, &matches, why);
    if (st == CA_OK && !matches) {
        int shown = 0;
        const char *text = ca_pattern_shown(rule->pattern, &shown);

        return ca_fail(why, CA_REFUSED, "does not match %.*s", shown, text);
    }
    return st;
}

static enum ca_status check_attribute(const struct ca_attribute_rule *rule,
                                      struct ca_matcher *matcher, struct ca_bytes value,
                                      struct ca_error *err)
{
    struct ca_error why = { .status = CA_OK };

    if (rule->presence == CA_PRESENCE_FORBIDDEN) {
        (void)ca_fail(&why, CA_REFUSED, "must not be in the subject");
        return refuse_value(err, CA_REASON_SUBJECT_REFUSED, rule->label, value, &why);
    }
    /* The alphabets of the string types are parts of UTF-8, so equal octets are equal characters
     * whatever the types are. */
    if (rule->fixed.len > 0 && !ca_bytes_equal(rule->fixed, value)) {
        (void)ca_fail(&why, CA_REFUSED, "must be %.*s", ca_shown_len(rule->fixed),
                      (const char *)rule->fixed.data);
        return refuse_value(err, CA_REASON_SUBJECT_REFUSED, rule->label, value, &why);
    }
    if (ca_attribute_rule_judge(rule, matcher, value, &why) == CA_OK) return CA_OK;
    return refuse_value(err, CA_REASON_SUBJECT_REFUSED, rule->label, value, &why);
}

/* The certificate's RDNs on their way. */
struct rdns {
    struct {
        struct ca_bytes whole;
        size_t place;               /* in the template's order; order_count: behind it */
    } item[CA_RDNS_MAX];
    size_t count;
    size_t octets;
    bool changed;                   /* not the request's own any more */
};

static size_t place_of(const struct ca_name_rules *rules, struct ca_bytes oid)
{
    size_t place = 0;

    while (place < rules->order_count && !ca_bytes_equal(rules->order[place], oid)) place++;
    return place;
}

/* Puts an RDN before those that belong behind it. Few of them, so insertion sorts best, and keeps
 * those of one place as they came. */
static enum ca_status add_rdn(const struct ca_name_rules *rules, struct rdns *rdns,
                              struct ca_bytes oid, struct ca_bytes whole, struct ca_error *err)
{
    size_t place = place_of(rules, oid), at = rdns->count;

    if (rdns->count == CA_RDNS_MAX)
        return ca_refuse(err, CA_REASON_SUBJECT_REFUSED,
                         "the subject would have more than %d attributes with the fixed ones",
                         CA_RDNS_MAX);
    while (at > 0 && rdns->item[at - 1].place > place) {
        rdns->item[at] = rdns->item[at - 1];
        rdns->changed = true;
        at--;
    }
    rdns->item[at].whole = whole;
    rdns->item[at].place = place;
    rdns->count++;
    rdns->octets += whole.len;
    return CA_OK;
}

static size_t find_attribute(const struct ca_name_rules *rules, struct ca_bytes oid)
{
    size_t i = 0;

    while (i < rules->attribute_count && !ca_bytes_equal(rules->attributes[i].oid, oid)) i++;
    return i;
}

static enum ca_status refuse_other(const struct ca_name_attribute *attribute,
                                   struct ca_error *err)
{
    char dotted[64];

    ca_der_oid_text(attribute->oid, dotted, sizeof(dotted));
    return ca_refuse(err, CA_REASON_SUBJECT_REFUSED,
                     "the template does not have the attribute %s (%.*s) in the subject", dotted,
                     ca_shown_len(attribute->value), (const char *)attribute->value.data);
}

/* What the request has: *counts says how often each rule's attribute is there. */
static enum ca_status take_requested(const struct ca_name_rules *rules,
                                     struct ca_matcher *matcher, struct ca_bytes name,
                                     struct rdns *rdns, uint32_t counts[CA_RDNS_MAX],
                                     struct ca_error *err)
{
    struct ca_name_attribute attribute;
    struct ca_name_walk walk;

    ca_name_walk_open(&walk, name);
    while (ca_name_walk_next(&walk, &attribute)) {
        size_t i = find_attribute(rules, attribute.oid);
        enum ca_status st = CA_OK;

        if (!attribute.alone)
            return ca_refuse(err, CA_REASON_SUBJECT_REFUSED,
                             "an RDN of the subject has several attributes, the template wants "
                             "each in one of its own");
        if (i < rules->attribute_count) {
            const struct ca_attribute_rule *rule = &rules->attributes[i];

            st = check_attribute(rule, matcher, attribute.value, err);
            if (st == CA_OK && ++counts[i] > rule->count_max)
                return ca_refuse(err, CA_REASON_SUBJECT_REFUSED,
                                 "%s stands in the subject more than %u times", rule->label,
                                 (unsigned)rule->count_max);
        } else if (rules->others_forbidden) {
            return refuse_other(&attribute, err);
        }
        if (st == CA_OK) st = add_rdn(rules, rdns, attribute.oid, attribute.rdn, err);
        if (st != CA_OK) return st;
    }
    if (!ca_name_walk_at_end(&walk)) return refuse_unread(CA_REASON_SUBJECT_REFUSED, err);
    return CA_OK;
}

/* Fixed values that the request does not have. */
static enum ca_status add_missing(const struct ca_name_rules *rules, struct rdns *rdns,
                                  const uint32_t counts[CA_RDNS_MAX], struct ca_error *err)
{
    for (size_t i = 0; i < rules->attribute_count; i++) {
        const struct ca_attribute_rule *rule = &rules->attributes[i];
        enum ca_status st;

        if (counts[i] > 0) continue;
        if (rule->fixed.len > 0) {
            st = add_rdn(rules, rdns, rule->oid, rule->fixed_rdn, err);
            if (st != CA_OK) return st;
            rdns->changed = true;
        } else if (rule->presence == CA_PRESENCE_REQUIRED) {
            return ca_refuse(err, CA_REASON_SUBJECT_REFUSED, "the subject has no %s", rule->label);
        }
    }
    return CA_OK;
}

static enum ca_status put_together(const struct rdns *rdns, struct ca_arena *arena,
                                   struct ca_bytes *out, struct ca_error *err)
{
    size_t len = ca_der_header_len(rdns->octets) + rdns->octets;
    bool full = len > arena->max - arena->used;
    uint8_t *at = full ? NULL : ca_arena_take(arena, len);
    uint8_t *end;

    if (full) return ca_fail(err, CA_FULL, "the subject: more than %zu octets", arena->max);
    if (at == NULL) return ca_fail(err, CA_NOMEM, "no memory for the subject");
    end = at + ca_der_put_header(at, CA_DER_SEQUENCE, rdns->octets);
    for (size_t i = 0; i < rdns->count; i++) {
        struct ca_bytes rdn = rdns->item[i].whole;

        memcpy(end, rdn.data, rdn.len);
        end += rdn.len;
    }
    *out = ca_bytes_of(at, len);
    return CA_OK;
}

enum ca_status ca_name_rules_subject(const struct ca_name_rules *rules, struct ca_matcher *matcher,
                                     struct ca_bytes name, struct ca_arena *arena,
                                     struct ca_bytes *out, struct ca_error *err)
{
    uint32_t counts[CA_RDNS_MAX] = { 0 };
    struct rdns rdns;
    enum ca_status st;

    if (rules == NULL || !rules->has_subject) {
        *out = name;
        return CA_OK;
    }
    ca_matcher_begin(matcher);
    rdns.count = rdns.octets = 0;
    rdns.changed = false;
    st = take_requested(rules, matcher, name, &rdns, counts, err);
    if (st == CA_OK) st = add_missing(rules, &rdns, counts, err);
    if (st != CA_OK) return st;
    if (rdns.count == 0 && rules->empty_forbidden)
        return ca_refuse(err, CA_REASON_SUBJECT_REFUSED, "the subject is empty");
    if (rdns.changed) return put_together(&rdns, arena, out, err);
    *out = name;
    return CA_OK;
}

/* Subject alternative names */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* The end of host is tail, without case. */
static bool ends_with(struct ca_bytes host, struct ca_bytes tail)
{
    const uint8_t *at;

    if (host.len < tail.len) return false;
    at = host.data + (host.len - tail.len);
    for (size_t i = tail.len; i-- > 0;) {
        if (lower(at[i]) != tail.data[i]) return false;
    }
    return true;
}

static bool host_has_suffix(struct ca_bytes host, const struct ca_suffix *suffix)
{
    if (!ends_with(host, suffix->host)) return false;
    if (!suffix->below) return host.len == suffix->host.len;
    /* At least one label and its dot before it. */
    return host.len >= suffix->host.len + 2 && host.data[host.len - suffix->host.len - 1] == '.';
}

static bool has_suffix(const struct ca_san_rule *rule, struct ca_bytes local, struct ca_bytes host)
{
    for (size_t i = 0; i < rule->suffix_count; i++) {
        const struct ca_suffix *suffix = &rule->suffixes[i];

        if (suffix->local.len > 0 && !ca_bytes_equal(suffix->local, local)) continue;
        if (host_has_suffix(host, suffix)) return true;
    }
    return rule->suffix_count == 0;
}

static bool in_range(struct ca_bytes address, const struct ca_ip_range *range)
{
    size_t octets = range->prefix_bits / 8u;
    unsigned bits = range->prefix_bits % 8u;
    unsigned mask = 0xffu & ~(0xffu >> bits);

    if (address.len != range->len || memcmp(address.data, range->address, octets) != 0)
        return false;
    return bits == 0 || ((address.data[octets] ^ range->address[octets]) & mask) == 0;
}

static bool in_ranges(const struct ca_san_rule *rule, struct ca_bytes address)
{
    for (size_t i = 0; i < rule->range_count; i++) {
        if (in_range(address, &rule->ranges[i])) return true;
    }
    return rule->range_count == 0;
}

static bool has_oid(const struct ca_san_rule *rule, struct ca_bytes oid)
{
    for (size_t i = 0; i < rule->oid_count; i++) {
        if (ca_bytes_equal(rule->oids[i], oid)) return true;
    }
    return rule->oid_count == 0;
}

static enum ca_status match_patterns(const struct ca_san_rule *rule, struct ca_matcher *matcher,
                                     struct ca_bytes value, struct ca_error *why)
{
    bool matches = rule->pattern_count == 0;
    enum ca_status st = CA_OK;

    for (size_t i = 0; i < rule->pattern_count && !matches && st == CA_OK; i++)
        st = ca_pattern_match(rule->patterns[i], matcher, value, &matches, why);
    if (st != CA_OK || matches) return st;
    if (rule->pattern_count == 1) {
        int shown = 0;
        const char *text = ca_pattern_shown(rule->patterns[0], &shown);

        return ca_fail(why, CA_REFUSED, "does not match %.*s", shown, text);
    }
    return ca_fail(why, CA_REFUSED, "matches none of the template's %zu patterns",
                   rule->pattern_count);
}

static const char no_suffix[] = "has none of the template's suffixes";

static enum ca_status judge_dns(const struct ca_san_rule *rule, struct ca_bytes host,
                                struct ca_error *why)
{
    if (!rule->wildcards && host.len > 0 && host.data[0] == '*')
        return ca_fail(why, CA_REFUSED, "is a wildcard, which the template does not allow");
    if (!has_suffix(rule, ca_bytes_of(NULL, 0), host))
        return ca_fail(why, CA_REFUSED, "%s", no_suffix);
    return CA_OK;
}

/* The check of mailboxes has found exactly one @ (engine/host_name.h). */
static enum ca_status judge_email(const struct ca_san_rule *rule, struct ca_bytes mailbox,
                                  struct ca_error *why)
{
    size_t at = 0;

    while (at < mailbox.len && mailbox.data[at] != '@') at++;
    if (at < mailbox.len && has_suffix(rule, ca_bytes_slice(mailbox, 0, at),
                                       ca_bytes_slice(mailbox, at + 1, mailbox.len - at - 1)))
        return CA_OK;
    return ca_fail(why, CA_REFUSED, "%s", no_suffix);
}

static enum ca_status judge_name(const struct ca_san_rule *rule, struct ca_matcher *matcher,
                                 const struct ca_general_name *name, struct ca_error *why)
{
    enum ca_status st = CA_OK;

    switch (name->form) {
    case CA_SAN_DNS: st = judge_dns(rule, name->value, why); break;
    case CA_SAN_EMAIL: st = judge_email(rule, name->value, why); break;
    case CA_SAN_IP:
        if (in_ranges(rule, name->value)) return CA_OK;
        return ca_fail(why, CA_REFUSED, "lies in none of the template's ranges");
    case CA_SAN_REGISTERED_ID:
        if (has_oid(rule, name->value)) return CA_OK;
        return ca_fail(why, CA_REFUSED, "is none of the template's");
    case CA_SAN_OTHER_NAME:
        if (has_oid(rule, name->type)) return CA_OK;
        return ca_fail(why, CA_REFUSED, "has none of the template's types");
    case CA_SAN_URI:
    case CA_SAN_DIRECTORY_NAME:
    case CA_SAN_EDI_PARTY_NAME: break;
    }
    if (st == CA_OK) st = match_patterns(rule, matcher, name->value, why);
    return st;
}

/* The name as a sentence shows it. */
static void show(const struct ca_general_name *name, char *out, size_t cap)
{
    struct ca_bytes value = name->value;
    struct ca_buf text;

    out[0] = '\0';
    switch (name->form) {
    case CA_SAN_EDI_PARTY_NAME: break;
    case CA_SAN_DNS:
    case CA_SAN_EMAIL:
    case CA_SAN_URI:
        (void)snprintf(out, cap, "%.*s", ca_shown_len(value), (const char *)value.data);
        break;
    case CA_SAN_IP:
        (void)inet_ntop(value.len == 4 ? AF_INET : AF_INET6, value.data, out, (socklen_t)cap);
        break;
    case CA_SAN_REGISTERED_ID: ca_der_oid_text(value, out, cap); break;
    case CA_SAN_OTHER_NAME: ca_der_oid_text(name->type, out, cap); break;
    case CA_SAN_DIRECTORY_NAME:
        ca_buf_init(&text, 1024);       /* what does not fit is not shown */
        ca_name_print(value, &text);
        value = ca_buf_view(&text);
        if (value.len > 0)
            (void)snprintf(out, cap, "%.*s", ca_shown_len(value), (const char *)value.data);
        ca_buf_clear(&text);
        break;
    }
}

__attribute__((cold, noinline))
static enum ca_status refuse_name(const struct ca_general_name *name, const struct ca_error *why,
                                  struct ca_error *err)
{
    char shown[80];

    show(name, shown, sizeof(shown));
    return refuse_value(err, CA_REASON_SAN_REFUSED, ca_san_rule_label(name->form),
                        ca_bytes_str(shown), why);
}

static enum ca_status check_counts(const struct ca_name_rules *rules,
                                   const uint32_t counts[CA_SAN_FORM_COUNT], uint32_t total,
                                   struct ca_error *err)
{
    if (total < rules->san_min || total > rules->san_max)
        return ca_refuse(err, CA_REASON_SAN_REFUSED,
                         "%u subject alternative names, the template wants %u to %u",
                         (unsigned)total, (unsigned)rules->san_min, (unsigned)rules->san_max);
    for (unsigned i = 0; i < CA_SAN_FORM_COUNT; i++) {
        const struct ca_san_rule *rule = &rules->san[i];

        if (rule->allowed && (counts[i] < rule->min || counts[i] > rule->max))
            return ca_refuse(err, CA_REASON_SAN_REFUSED,
                             "%u names of the form %s, the template wants %u to %u",
                             (unsigned)counts[i], ca_san_rule_label((enum ca_san_form)i),
                             (unsigned)rule->min, (unsigned)rule->max);
    }
    return CA_OK;
}

/* Counts first: they are cheap, and what they refuse needs no patterns. */
static enum ca_status count_names(const struct ca_name_rules *rules, struct ca_bytes general_names,
                                  struct ca_error *err)
{
    uint32_t counts[CA_SAN_FORM_COUNT] = { 0 }, total = 0;
    struct ca_general_name name;
    struct ca_der names;

    ca_san_open(general_names, &names);
    while (ca_san_next(&names, &name)) {
        if (!rules->san[name.form].allowed) {
            const struct ca_error why = { .status = CA_REFUSED,
                                          .text = "has a form that the template does not have" };

            return refuse_name(&name, &why, err);
        }
        counts[name.form]++;
        total++;
    }
    if (!ca_der_at_end(&names)) return refuse_unread(CA_REASON_SAN_REFUSED, err);
    return check_counts(rules, counts, total, err);
}

static void decide_critical(const struct ca_name_rules *rules, bool subject_empty, bool *critical)
{
    switch (rules->san_critical) {
    case CA_SAN_AS_REQUESTED: break;
    case CA_SAN_CRITICAL: *critical = true; break;
    case CA_SAN_NOT_CRITICAL: *critical = false; break;
    }
    if (subject_empty) *critical = true;        /* RFC 5280 4.2.1.6 */
}

enum ca_status ca_name_rules_san(const struct ca_name_rules *rules, struct ca_matcher *matcher,
                                 struct ca_bytes general_names, bool subject_empty, bool *critical,
                                 struct ca_error *err)
{
    struct ca_general_name name;
    struct ca_error why;
    struct ca_der names;
    enum ca_status st;

    if (rules == NULL || !rules->has_san) return CA_OK;
    ca_matcher_begin(matcher);
    st = count_names(rules, general_names, err);
    if (st != CA_OK) return st;
    ca_san_open(general_names, &names);
    while (ca_san_next(&names, &name)) {
        if (judge_name(&rules->san[name.form], matcher, &name, &why) != CA_OK)
            return refuse_name(&name, &why, err);
    }
    if (general_names.len > 0) decide_critical(rules, subject_empty, critical);
    return CA_OK;
}
