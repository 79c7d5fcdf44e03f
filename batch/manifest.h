/*
 * A manifest line: one JSON object (RFC 8259) with the members id and csr, and where a line says
 * more than its request does, subject (ASN1Subject), san (a list) and api_passthrough (an object;
 * spec section 7). The reader is flat: the three are found and handed on as they stand, to be read
 * by engine/api_passthrough.h.
 *
 * A reader of our own, because lines are hot (a general JSON library reads 0.09 million lines a
 * second, this one two orders more) and because a refused line is written out again member by
 * member, verbatim.
 *
 * The members ordinal, status, code, detail and rule are read over, so that rejected.ndjson is an
 * input again. Any other member is refused: a misspelt one must not silently give another
 * certificate.
 *
 * Pure functions; any thread.
 */
#ifndef BATCH_MANIFEST_H
#define BATCH_MANIFEST_H

#include "engine/bytes.h"
#include "engine/reason.h"

#define BATCH_MANIFEST_MEMBERS_MAX 32
#define BATCH_ID_MAX 255                /* octets of an id */

/* One member as it stands in the line: views into the line. */
struct batch_member {
    struct ca_bytes name;               /* the text between the quotes, not unescaped */
    struct ca_bytes value;              /* the raw JSON value: "string", number, {...}, null */
};

struct batch_member_list {
    struct batch_member members[BATCH_MANIFEST_MEMBERS_MAX];
    size_t count;
};

struct batch_manifest_line {
    struct ca_bytes id;                 /* unescaped; .len 0: none */
    struct ca_bytes csr;                /* unescaped: PEM, or base64 of DER */
    /* Raw JSON, views into the line; .len 0: not there, or null. */
    struct ca_bytes subject, san, api_passthrough;
};

#define BATCH_MANIFEST_DEPTH_MAX 16     /* objects and lists inside each other, the line included */

/* Splits a line into its members: one object, nothing around it, no name twice, all of it UTF-8.
 * CA_MALFORMED (bad-json). */
CA_MUST_CHECK enum ca_status batch_manifest_split(struct ca_bytes line,
                                                  struct batch_member_list *out,
                                                  struct ca_error *err);

/* True for the members that only rejected.ndjson has. */
bool batch_manifest_is_ours(struct ca_bytes name);

/*
 * Reads a line. Unescaped strings are put into arena, which must have room for line.len octets (it
 * does not move: views into it stay). On refusal out->id is still set when it could be read.
 * CA_MALFORMED: bad-json, unknown-member, no-request, bad-id, bad-member.
 */
CA_MUST_CHECK enum ca_status batch_manifest_parse(struct ca_bytes line, struct ca_buf *arena,
                                                  struct batch_manifest_line *out,
                                                  struct ca_error *err);

#endif
