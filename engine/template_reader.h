/*
 * A user's template while it is read: what the parts of the reader share.
 *
 * Private to engine/template_file.c (the whole), engine/template_request.c (what requests must be
 * like, and dates) and engine/template_usage.c (what stands in the certificate).
 */
#ifndef ENGINE_TEMPLATE_READER_H
#define ENGINE_TEMPLATE_READER_H

#include "engine/arena.h"
#include "engine/finding_json.h"
#include "engine/template_file.h"

struct template_reader {
    const json_t *root;
    struct ca_findings *findings;
    const struct ca_template *base;     /* NULL: unknown, which is found already */
    struct ca_template *tmpl;           /* begins as a copy of the base */
    struct ca_arena *arena;             /* what tmpl shows */
    enum ca_status failed;              /* CA_NOMEM, CA_FULL: no finding, but the end */
};

/* A copy in the arena; empty after a failure, which the reader remembers. */
struct ca_bytes template_keep(struct template_reader *reader, struct ca_bytes bytes);

/* A finding without values. */
void template_fault(struct template_reader *reader, const char *path, const char *text);
/* The bits of a list of choices, each at most once, at least min of them; false when the member is
 * absent or mistaken. */
bool template_read_set(struct template_reader *reader, const json_t *object, const char *path,
                       const char *member, size_t min, const char *const *choices, size_t count,
                       uint32_t *out);

/* keys, request, duplicate_keys. */
void template_read_requests(struct template_reader *reader);
/* validity, not_after. */
void template_read_dates(struct template_reader *reader);
/* key_usage, extended_key_usage, extended_key_usage_critical. */
void template_read_usages(struct template_reader *reader);
/* certificate_policies, extensions. revocation_pointers has been read. */
void template_read_extensions(struct template_reader *reader);

#endif
