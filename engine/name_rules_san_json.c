#include "engine/name_rules_read.h"

#include "engine/host_name.h"
#include "engine/shape.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX 256                /* suffixes, ranges or OIDs of a form */
#define PATTERNS_MAX 16             /* of a form: each name may be tried with all of them */
#define HOST_MAX 256                /* a host name has 253 */

/* Subject alternative names: one form */

struct san_target {
    enum ca_san_form form;
    struct ca_san_rule *rule;
};

static void read_min(struct ca_rules_reader *r, const json_t *value, const char *path, void *target)
{
    struct san_target *to = target;

    ca_rules_read_number(r, value, path, 0, CA_NAMES_MAX, &to->rule->min);
}

static void read_max(struct ca_rules_reader *r, const json_t *value, const char *path, void *target)
{
    struct san_target *to = target;

    ca_rules_read_number(r, value, path, 0, CA_NAMES_MAX, &to->rule->max);
}

static void read_wildcards(struct ca_rules_reader *r, const json_t *value, const char *path,
                           void *target)
{
    struct san_target *to = target;

    ca_rules_read_flag(r, value, path, &to->rule->wildcards);
}

static void read_patterns(struct ca_rules_reader *r, const json_t *value, const char *path,
                          void *target)
{
    struct san_target *to = target;
    struct ca_san_rule *rule = to->rule;
    size_t count = ca_rules_read_list(r, value, path, PATTERNS_MAX);

    if (count == 0) return;
    rule->patterns = ca_rules_new_array(r, count, sizeof(rule->patterns[0]));
    for (size_t i = 0; i < count && r->st == CA_OK; i++) {
        if (ca_rules_read_pattern(r, json_array_get(value, i), ca_rules_path_at(path, i).text,
                                  &rule->patterns[rule->pattern_count]))
            rule->pattern_count++;
    }
}

static bool keep_lower(struct ca_rules_reader *r, struct ca_bytes text, struct ca_bytes *out)
{
    uint8_t lower[HOST_MAX];

    for (size_t i = 0; i < text.len && i < sizeof(lower); i++) {
        uint8_t c = text.data[i];

        lower[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
    }
    return ca_rules_keep(r, ca_bytes_of(lower, text.len < sizeof(lower) ? text.len : sizeof(lower)),
                         out);
}

/* text is what stands for the host; the finding, when there is one, shows the whole. */
static bool read_host(struct ca_rules_reader *r, struct ca_bytes text, const char *path,
                      struct ca_suffix *out)
{
    const char *fault;

    out->below = text.len > 0 && text.data[0] == '.';
    if (out->below) text = ca_bytes_slice(text, 1, text.len - 1);
    fault = text.len == 0 ? "is empty" : ca_host_name_fault(text, false);
    if (fault == NULL) return keep_lower(r, text, &out->host);
    ca_finding_add(r->findings, path, "has the host name \"%.*s\", which %s", ca_shown_len(text),
                   text.len == 0 ? "" : (const char *)text.data, fault);
    return false;
}

/* "@host", ".host", or a mailbox. */
static bool read_mailbox_suffix(struct ca_rules_reader *r, struct ca_bytes text,
                                const json_t *value, const char *path, struct ca_suffix *out)
{
    size_t place = 0;
    struct ca_bytes host;

    if (text.len > 0 && text.data[0] == '.') return read_host(r, text, path, out);
    while (place < text.len && text.data[place] != '@') place++;
    if (place == text.len || (place > 0 && ca_mailbox_fault(text) != NULL)) {
        ca_rules_expected(r, path, value, "\"@host\", \".domain\" or a whole mailbox");
        return false;
    }
    host = ca_bytes_slice(text, place + 1, text.len - place - 1);
    if (host.len > 0 && host.data[0] == '.') {
        ca_rules_expected(r, path, value, "a host name behind the @");
        return false;
    }
    if (place > 0 && !ca_rules_keep(r, ca_bytes_slice(text, 0, place), &out->local)) return false;
    return read_host(r, host, path, out);
}

static void read_suffixes(struct ca_rules_reader *r, const json_t *value, const char *path,
                          void *target)
{
    struct san_target *to = target;
    struct ca_san_rule *rule = to->rule;
    size_t count = ca_rules_read_list(r, value, path, LIST_MAX);

    if (count == 0) return;
    rule->suffixes = ca_rules_new_array(r, count, sizeof(rule->suffixes[0]));
    for (size_t i = 0; i < count && r->st == CA_OK; i++) {
        const json_t *item = json_array_get(value, i);
        struct ca_rules_path inner = ca_rules_path_at(path, i);
        struct ca_suffix *suffix = &rule->suffixes[rule->suffix_count];
        struct ca_bytes text = { .len = 0 };
        bool good;

        if (!ca_rules_read_text(r, item, inner.text, "a string such as \".example.com\"", &text))
            continue;
        good = to->form == CA_SAN_EMAIL ? read_mailbox_suffix(r, text, item, inner.text, suffix)
                                        : read_host(r, text, inner.text, suffix);
        if (good) rule->suffix_count++;
        else *suffix = (struct ca_suffix){ .below = false };
    }
}

/* Decimal digits without leading zeros, at most max; -1 otherwise. */
static int read_prefix(const char *digits, int max)
{
    int value = 0;

    if (digits[0] == '\0' || (digits[0] == '0' && digits[1] != '\0')) return -1;
    for (; *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9') return -1;
        value = value * 10 + (*digits - '0');
        if (value > max) return -1;
    }
    return value;
}

static bool has_host_bits(const struct ca_ip_range *range)
{
    for (unsigned bit = range->prefix_bits; bit < 8u * range->len; bit++) {
        if ((range->address[bit / 8] & (0x80u >> (bit % 8))) != 0) return true;
    }
    return false;
}

static bool read_range(struct ca_rules_reader *r, const json_t *value, const char *path,
                       struct ca_ip_range *out)
{
    const char *what = "an address block such as \"10.0.0.0/8\" or \"2001:db8::/32\"";
    struct ca_bytes text = { .len = 0 };
    char address[INET6_ADDRSTRLEN];
    const char *slash;
    size_t len;
    int bits;

    if (!ca_rules_read_text(r, value, path, what, &text)) return false;
    slash = strchr(json_string_value(value), '/');
    len = slash == NULL ? 0 : (size_t)(slash - json_string_value(value));
    if (slash == NULL || len >= sizeof(address)) {
        ca_rules_expected(r, path, value, what);
        return false;
    }
    memcpy(address, json_string_value(value), len);
    address[len] = '\0';
    if (inet_pton(AF_INET, address, out->address) == 1) {
        out->len = 4;
    } else if (inet_pton(AF_INET6, address, out->address) == 1) {
        out->len = 16;
    } else {
        ca_rules_expected(r, path, value, what);
        return false;
    }
    bits = read_prefix(slash + 1, 8 * out->len);
    if (bits < 0) {
        ca_finding_add(r->findings, path, "has the prefix \"%.20s\", expected 0 to %d", slash + 1,
                       8 * out->len);
        return false;
    }
    out->prefix_bits = (uint8_t)bits;
    if (!has_host_bits(out)) return true;
    ca_finding_add(r->findings, path,
                   "is \"%.60s\", expected an address whose bits behind the prefix are zero",
                   json_string_value(value));
    return false;
}

static void read_ranges(struct ca_rules_reader *r, const json_t *value, const char *path,
                        void *target)
{
    struct san_target *to = target;
    struct ca_san_rule *rule = to->rule;
    size_t count = ca_rules_read_list(r, value, path, LIST_MAX);

    if (count == 0) return;
    rule->ranges = ca_rules_new_array(r, count, sizeof(rule->ranges[0]));
    for (size_t i = 0; i < count && r->st == CA_OK; i++) {
        if (read_range(r, json_array_get(value, i), ca_rules_path_at(path, i).text,
                       &rule->ranges[rule->range_count]))
            rule->range_count++;
    }
}

static void read_oids(struct ca_rules_reader *r, const json_t *value, const char *path,
                      void *target)
{
    static const char what[] = "an OID such as \"1.3.6.1.5.5.7.8.4\"";
    struct san_target *to = target;
    struct ca_san_rule *rule = to->rule;
    size_t count = ca_rules_read_list(r, value, path, LIST_MAX);

    if (count == 0) return;
    rule->oids = ca_rules_new_array(r, count, sizeof(rule->oids[0]));
    for (size_t i = 0; i < count && r->st == CA_OK; i++) {
        const json_t *item = json_array_get(value, i);
        struct ca_rules_path inner = ca_rules_path_at(path, i);
        struct ca_bytes text = { .len = 0 };

        if (ca_rules_read_text(r, item, inner.text, what, &text) &&
            ca_rules_read_oid(r, json_string_value(item), inner.text, what,
                              &rule->oids[rule->oid_count]))
            rule->oid_count++;
    }
}

/* Subject alternative names: the whole */

/* The members that every form has stand first. */
static const struct ca_rules_member dns_members[] = {
    { "min", read_min },           { "max", read_max },
    { "suffixes", read_suffixes }, { "patterns", read_patterns },
    { "wildcards", read_wildcards },
};
static const struct ca_rules_member ip_members[] = {
    { "min", read_min }, { "max", read_max }, { "ranges", read_ranges },
};
static const struct ca_rules_member email_members[] = {
    { "min", read_min },           { "max", read_max },
    { "suffixes", read_suffixes }, { "patterns", read_patterns },
};
static const struct ca_rules_member uri_members[] = {
    { "min", read_min }, { "max", read_max }, { "patterns", read_patterns },
};
static const struct ca_rules_member directory_name_members[] = {
    { "min", read_min }, { "max", read_max },
};
static const struct ca_rules_member registered_id_members[] = {
    { "min", read_min }, { "max", read_max }, { "oids", read_oids },
};
static const struct ca_rules_member other_name_members[] = {
    { "min", read_min }, { "max", read_max }, { "types", read_oids },
};

#define MEMBERS(list) { (list), CA_COUNT(list) }
static const struct {
    const struct ca_rules_member *list;
    size_t count;
} form_members[CA_SAN_FORM_COUNT] = {
    [CA_SAN_DNS] = MEMBERS(dns_members),
    [CA_SAN_IP] = MEMBERS(ip_members),
    [CA_SAN_EMAIL] = MEMBERS(email_members),
    [CA_SAN_URI] = MEMBERS(uri_members),
    [CA_SAN_DIRECTORY_NAME] = MEMBERS(directory_name_members),
    [CA_SAN_REGISTERED_ID] = MEMBERS(registered_id_members),
    [CA_SAN_OTHER_NAME] = MEMBERS(other_name_members),
};

static void read_form(struct ca_rules_reader *r, const json_t *value, const char *path,
                      enum ca_san_form form)
{
    struct san_target to = { .form = form, .rule = &r->rules->san[form] };

    to.rule->allowed = true;
    to.rule->max = CA_NAMES_MAX;
    if (!ca_rules_read_object(r, value, path, form_members[form].list, form_members[form].count,
                              &to))
        return;
    if (to.rule->min > to.rule->max)
        ca_finding_add(r->findings, ca_rules_path_join(path, "min").text,
                       "is %u, expected at most max, which is %u", (unsigned)to.rule->min,
                       (unsigned)to.rule->max);
}

static void read_critical(struct ca_rules_reader *r, const json_t *value, const char *path)
{
    const char *text = json_string_value(value);

    if (json_is_boolean(value)) {
        r->rules->san_critical = json_is_true(value) ? CA_SAN_CRITICAL : CA_SAN_NOT_CRITICAL;
    } else if (text == NULL || strcmp(text, "as-requested") != 0) {
        ca_rules_expected(r, path, value, "\"as-requested\", true or false");
    }
}

static void read_san_member(struct ca_rules_reader *r, const char *key, const json_t *value,
                            const char *path)
{
    for (unsigned i = 0; i < CA_SAN_FORM_COUNT; i++) {
        const char *member = ca_san_rule_member((enum ca_san_form)i);

        if (member != NULL && strcmp(key, member) == 0) {
            read_form(r, value, path, (enum ca_san_form)i);
            return;
        }
    }
    if (strcmp(key, "min") == 0) {
        ca_rules_read_number(r, value, path, 0, CA_NAMES_MAX, &r->rules->san_min);
    } else if (strcmp(key, "max") == 0) {
        ca_rules_read_number(r, value, path, 0, CA_NAMES_MAX, &r->rules->san_max);
    } else if (strcmp(key, "critical") == 0) {
        read_critical(r, value, path);
    } else {
        ca_finding_add(r->findings, path,
                       "is an unknown member, expected one of min, max, critical, dns, ip, email, "
                       "uri, directory_name, registered_id, other_name");
    }
}

/* Can any number of names satisfy the bounds of the whole and of each form? */
static void check_san_bounds(struct ca_rules_reader *r)
{
    const struct ca_name_rules *rules = r->rules;
    uint32_t min = 0, max = 0;

    for (size_t i = 0; i < CA_SAN_FORM_COUNT; i++) {
        min += rules->san[i].allowed ? rules->san[i].min : 0;
        max += rules->san[i].allowed ? rules->san[i].max : 0;
    }
    if (rules->san_min > rules->san_max)
        ca_finding_add(r->findings, "san.min", "is %u, expected at most max, which is %u",
                       (unsigned)rules->san_min, (unsigned)rules->san_max);
    else if (rules->san_min > max)
        ca_finding_add(r->findings, "san.min",
                       "is %u, expected at most %u, which is all that the forms allow",
                       (unsigned)rules->san_min, (unsigned)max);
    if (min > rules->san_max)
        ca_finding_add(r->findings, "san.max",
                       "is %u, expected at least %u, which the forms ask for",
                       (unsigned)rules->san_max, (unsigned)min);
}

void ca_rules_read_san(struct ca_rules_reader *r, const json_t *san)
{
    json_t *walked = ca_shape_mutable(san);
    const char *key;
    json_t *value;

    if (!json_is_object(san)) {
        ca_rules_expected(r, "san", san, "an object");
        return;
    }
    r->rules->has_san = true;
    r->rules->san_max = CA_NAMES_MAX;
    json_object_foreach(walked, key, value) {
        read_san_member(r, key, value, ca_rules_path_join("san", key).text);
        if (r->st != CA_OK) return;
    }
    check_san_bounds(r);
}
