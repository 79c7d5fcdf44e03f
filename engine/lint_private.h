/*
 * What the two halves of the lint share: engine/lint.c reads the fields of a TBSCertificate,
 * engine/lint_ext.c its extensions. Private to these two.
 */
#ifndef ENGINE_LINT_PRIVATE_H
#define ENGINE_LINT_PRIVATE_H

#include "engine/lint.h"

#include <string.h>

struct ca_lint_run {
    const struct ca_profile_spec *spec;
    const struct ca_template *tmpl;
    const struct ca_issuer *issuer;         /* NULL: a root that signs itself */
    const struct ca_tbs_input *input;
    const struct ca_contents *contents;
    struct ca_der rest;                     /* of the TBSCertificate, later of the extensions */
    uint32_t seen;                          /* bit (1 << enum type) */
    struct ca_bytes authority_info;         /* its value, where it passed from outside */
    bool judged;                            /* the error is from here and begins with its rule */
    struct ca_error *err;
};

#define CA_LINT_REFUSE(l, reason, ...)                                                             \
    ((l)->judged = true, ca_refuse((l)->err, (reason), __VA_ARGS__))

/* What stands next is not what it must be: no DER, or another value. */
enum ca_status ca_lint_refuse_next(struct ca_lint_run *l, enum ca_reason reason,
                                   const char *sentence);

/* Takes octets that were read strictly before, elsewhere: equal ones are as good. */
static inline bool ca_lint_take(struct ca_der *der, struct ca_bytes octets)
{
    if (octets.len == 0 || der->rest.len < octets.len ||
        memcmp(der->rest.data, octets.data, octets.len) != 0)
        return false;
    der->rest = ca_bytes_of(der->rest.data + octets.len, der->rest.len - octets.len);
    return true;
}

/* A SEQUENCE without content. */
static inline bool ca_lint_is_empty(struct ca_bytes sequence)
{
    return sequence.len <= 2;
}

/* Reads the field extensions, which is all that is left. */
CA_MUST_CHECK enum ca_status ca_lint_extensions(struct ca_lint_run *l);

#endif
