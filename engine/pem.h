/*
 * PEM (RFC 7468) and base64 (RFC 4648 4): text to bytes and back. Pure functions.
 *
 * Reading is as liberal as requests in the wild need and no more: CR LF or LF, white space at line
 * ends and inside the base64 text, spaces after the dashes, any line length; no RFC 1421 headers.
 */
#ifndef ENGINE_PEM_H
#define ENGINE_PEM_H

#include "engine/bytes.h"
#include "engine/reason.h"

#define CA_PEM_LABEL_MAX 64

/* One block found in a text. label and base64 are views into the text. */
struct ca_pem_block {
    struct ca_bytes label;      /* "CERTIFICATE REQUEST" */
    struct ca_bytes base64;     /* between the two lines */
    struct ca_bytes after;      /* what follows the END line */
};

/* Finds the first block. *found is false when there is no BEGIN line; CA_MALFORMED (bad-pem) when a
 * BEGIN line has no matching END line. Text before the block is ignored. */
CA_MUST_CHECK enum ca_status ca_pem_find(struct ca_bytes text, struct ca_pem_block *out,
                                         bool *found, struct ca_error *err);

/* The upper bound of what ca_base64_decode writes for text of this length. */
size_t ca_base64_decoded_max(size_t text_len);
/* Standard alphabet, padding required where the length asks for it and nothing after it, white
 * space (space, tab, CR, LF) skipped, unused bits zero. out holds ca_base64_decoded_max(text.len).
 * CA_MALFORMED with reason bad-pem. */
CA_MUST_CHECK enum ca_status ca_base64_decode(struct ca_bytes text, uint8_t *out, size_t *len,
                                              struct ca_error *err);
void ca_base64_append(struct ca_buf *out, struct ca_bytes in);         /* one line, no break */

/* Appends "-----BEGIN label-----\n", lines of 64 columns, "-----END label-----\n". */
void ca_pem_append(struct ca_buf *out, const char *label, struct ca_bytes der);

/* Octets that ca_pem_append adds. */
size_t ca_pem_len(const char *label, size_t der_len);

#endif
