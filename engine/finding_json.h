/*
 * Reading the members of JSON objects for a document's check: what is wrong becomes a finding, and
 * reading goes on.
 *
 * Every reader takes the object's own path and a member's name; an absent member is no mistake.
 * Private to engine: shows jansson's types.
 *
 * Rare work; any thread, each with its own values.
 */
#ifndef ENGINE_FINDING_JSON_H
#define ENGINE_FINDING_JSON_H

#include "engine/finding.h"

#include <jansson.h>

struct ca_finding_path {
    char text[CA_FINDING_PATH_MAX];
};

/* "subject" and "order" -> "subject.order"; "order" and 2 -> "order[2]"; cut when too long. */
struct ca_finding_path ca_finding_join(const char *path, const char *member);
struct ca_finding_path ca_finding_at(const char *path, size_t index);

/* An object with none but these members? Unknown ones are found, with the likeliest known name. */
bool ca_finding_object(struct ca_findings *findings, const json_t *value, const char *path,
                       const char *const *members, size_t count);

/* A text of min to max characters; NULL when it is absent or not one. */
const char *ca_finding_text(struct ca_findings *findings, const json_t *object, const char *path,
                            const char *member, size_t min, size_t max);
/* The same of a value itself, of an item of a list. */
const char *ca_finding_text_value(struct ca_findings *findings, const json_t *value,
                                  const char *path, size_t min, size_t max);
/* True when there is a whole number from min to max. */
bool ca_finding_number(struct ca_findings *findings, const json_t *object, const char *path,
                       const char *member, int64_t min, int64_t max, int64_t *out);
bool ca_finding_flag(struct ca_findings *findings, const json_t *object, const char *path,
                     const char *member, bool *out);
/* A list of min to max items; NULL when it is absent or not one. */
const json_t *ca_finding_list(struct ca_findings *findings, const json_t *object,
                              const char *path, const char *member, size_t min, size_t max);
/* One of the choices: its index. */
bool ca_finding_choice(struct ca_findings *findings, const json_t *object, const char *path,
                       const char *member, const char *const *choices, size_t count, size_t *out);
bool ca_finding_choice_value(struct ca_findings *findings, const json_t *value, const char *path,
                             const char *const *choices, size_t count, size_t *out);
/* Appends the content octets of a dotted OID. A lack of memory is no mistake: out remembers it. */
bool ca_finding_oid(struct ca_findings *findings, const json_t *value, const char *path,
                    struct ca_buf *out);
/* For a text that is none of what was expected ("a duration such as 36h"), or no text. */
void ca_finding_wrong(struct ca_findings *findings, const json_t *value, const char *path,
                      const char *expected);

#endif
