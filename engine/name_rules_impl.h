/*
 * Name rules as they lie in memory: what engine/name_rules_json.c fills and engine/name_rules.c
 * asks. Private to these two.
 */
#ifndef ENGINE_NAME_RULES_IMPL_H
#define ENGINE_NAME_RULES_IMPL_H

#include "engine/name_rules.h"

enum ca_presence { CA_PRESENCE_OPTIONAL, CA_PRESENCE_REQUIRED, CA_PRESENCE_FORBIDDEN };

struct ca_attribute_rule {
    struct ca_bytes oid;            /* content octets */
    const char *label;              /* as the template calls it: "CN", "1.3.6.1.4.1.37244.2.1" */
    unsigned rank;                  /* where it stands among the fixed ones that are put in */
    enum ca_presence presence;
    struct ca_bytes fixed;          /* text; .len 0: any */
    struct ca_bytes fixed_rdn;      /* the RDN to put in */
    struct ca_pattern *pattern;     /* or NULL */
    uint32_t chars_min, chars_max;
    uint32_t count_max;
};

/* A dNSName's suffix, or an rfc822Name's; lower case but for a mailbox's local part. */
struct ca_suffix {
    struct ca_bytes local;          /* of one mailbox; .len 0: any */
    struct ca_bytes host;
    bool below;                     /* names below host, not itself */
};

struct ca_ip_range {
    uint8_t address[16];
    uint8_t len;                    /* 4 or 16 */
    uint8_t prefix_bits;
};

struct ca_san_rule {
    bool allowed;
    bool wildcards;
    uint32_t min, max;
    struct ca_suffix *suffixes;
    size_t suffix_count;
    struct ca_pattern **patterns;
    size_t pattern_count;
    struct ca_ip_range *ranges;
    size_t range_count;
    struct ca_bytes *oids;          /* content octets: of registeredIDs, or types of otherNames */
    size_t oid_count;
};

enum ca_san_critical { CA_SAN_AS_REQUESTED, CA_SAN_CRITICAL, CA_SAN_NOT_CRITICAL };

struct ca_name_rules {
    struct ca_arena texts;          /* what the views below show */

    bool has_subject;
    struct ca_attribute_rule attributes[CA_RDNS_MAX];   /* by rank, then OID */
    size_t attribute_count;
    bool others_forbidden;
    bool empty_forbidden;
    struct ca_bytes order[CA_RDNS_MAX];
    size_t order_count;

    bool has_san;
    uint32_t san_min, san_max;
    enum ca_san_critical san_critical;
    struct ca_san_rule san[CA_SAN_FORM_COUNT];
};

/* What the template calls a form: "dns", NULL for one that templates do not have and so forbid; and
 * what a certificate's reader calls it: "dNSName". */
const char *ca_san_rule_member(enum ca_san_form form);
const char *ca_san_rule_label(enum ca_san_form form);

/* Lengths and pattern of one value. CA_REFUSED: the text of *why is what follows the value in a
 * sentence ("has 2 characters, at least 3 are needed"). CA_NOMEM. */
CA_MUST_CHECK enum ca_status ca_attribute_rule_judge(const struct ca_attribute_rule *rule,
                                                     struct ca_matcher *matcher,
                                                     struct ca_bytes value, struct ca_error *why);

#endif
