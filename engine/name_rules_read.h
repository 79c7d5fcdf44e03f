/*
 * Reading a template's JSON so that every mistake becomes a finding: what the readers of "subject"
 * and "san" have in common. Private to engine/name_rules*.c: shows jansson's types.
 *
 * Rare work; a reader belongs to its owner.
 */
#ifndef ENGINE_NAME_RULES_READ_H
#define ENGINE_NAME_RULES_READ_H

#include "engine/finding.h"
#include "engine/name_rules_impl.h"

#include <jansson.h>

/* One reading. st is CA_NOMEM (or CA_FULL) once memory is gone, and CA_OK whatever mistakes were
 * found. */
struct ca_rules_reader {
    struct ca_findings *findings;
    struct ca_name_rules *rules;    /* what is read goes here */
    struct ca_matcher *matcher;     /* fixed values are held against their own rules */
    enum ca_status st;
    struct ca_error *err;
};

struct ca_rules_path {
    char text[CA_FINDING_PATH_MAX];
};

/* "san" and "dns" -> "san.dns"; "san.dns.suffixes" and 1 -> "san.dns.suffixes[1]". */
struct ca_rules_path ca_rules_path_join(const char *path, const char *member);
struct ca_rules_path ca_rules_path_at(const char *path, size_t index);

void ca_rules_no_memory(struct ca_rules_reader *r);
/* A finding: "is VALUE, expected WHAT". */
void ca_rules_expected(struct ca_rules_reader *r, const char *path, const json_t *value,
                       const char *what);

/* The values below are written when they are good, and are what they were after a finding. */
bool ca_rules_read_text(struct ca_rules_reader *r, const json_t *value, const char *path,
                        const char *what, struct ca_bytes *out);
void ca_rules_read_flag(struct ca_rules_reader *r, const json_t *value, const char *path,
                        bool *out);
void ca_rules_read_number(struct ca_rules_reader *r, const json_t *value, const char *path,
                          uint32_t min, uint32_t max, uint32_t *out);
/* Which of words; what lists them for the finding. */
void ca_rules_read_word(struct ca_rules_reader *r, const json_t *value, const char *path,
                        const char *const words[], unsigned count, const char *what,
                        unsigned *out);
/* A list of 1 to max entries: how many; 0 when it is none. */
size_t ca_rules_read_list(struct ca_rules_reader *r, const json_t *value, const char *path,
                          size_t max);
bool ca_rules_read_pattern(struct ca_rules_reader *r, const json_t *value, const char *path,
                           struct ca_pattern **out);
/* A dotted OID: its content octets, kept. */
bool ca_rules_read_oid(struct ca_rules_reader *r, const char *text, const char *path,
                       const char *what, struct ca_bytes *out);

/* Memory that lives as long as the rules: a zeroed array, which the rules own; a copy. */
void *ca_rules_new_array(struct ca_rules_reader *r, size_t count, size_t size);
bool ca_rules_keep(struct ca_rules_reader *r, struct ca_bytes bytes, struct ca_bytes *out);

/* Members of an object: each is known, and read by its own function. */
struct ca_rules_member {
    const char *name;
    void (*read)(struct ca_rules_reader *r, const json_t *value, const char *path, void *target);
};

/* False when it is no object, or memory is gone. */
bool ca_rules_read_object(struct ca_rules_reader *r, const json_t *object, const char *path,
                          const struct ca_rules_member *members, size_t count, void *target);

/* The template's "san". */
void ca_rules_read_san(struct ca_rules_reader *r, const json_t *san);

#endif
