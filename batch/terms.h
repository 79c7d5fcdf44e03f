/*
 * The terms of a job or of a single issue: the template, what the API passes, which keys are
 * blocked. Read once, frozen, and hashed into the profile; a resumed job reads them again from its
 * row (and the blocklist from its file) and must come to the same hash.
 *
 * Thread: made by the registry's; shared as const afterwards.
 */
#ifndef BATCH_TERMS_H
#define BATCH_TERMS_H

#include "engine/api_passthrough.h"
#include "engine/blocklist.h"
#include "engine/template.h"

/* As asked. Borrowed. */
struct batch_terms_spec {
    /* A row of the catalogue by name or ARN, or a preset by name; NULL: the default. */
    const char *tmpl;
    struct ca_bytes tmpl_json;      /* a user's template instead; .len 0: none */
    struct ca_bytes api_json;       /* ApiPassthrough; .len 0: none */
    const char *blocklist;          /* a file's name; NULL: none */
    bool strict;                    /* what would be ignored is refused */
};

/* As understood. Everything is owned; profiles compiled from it must not outlive it. */
struct batch_terms {
    const struct ca_template *tmpl;
    struct ca_template *own;        /* tmpl when it is a user's, else NULL */
    struct ca_arena arena;          /* what api shows */
    struct ca_api *api;             /* NULL: none */
    struct ca_buf api_json;         /* canonical */
    char *blocklist_path;           /* absolute; NULL: none */
    struct ca_blocklist *blocklist;
    bool strict;
};

/* Errors of ca_template_find, ca_template_parse, ca_api_parse, ca_blocklist_parse; CA_IO for the
 * blocklist's file. */
CA_MUST_CHECK enum ca_status batch_terms_new(const struct batch_terms_spec *spec,
                                             struct ca_crypto *crypto, struct batch_terms **out,
                                             struct ca_error *err);
void batch_terms_free(struct batch_terms *terms);

#endif
