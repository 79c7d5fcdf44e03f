/*
 * Extensions in words, for people: names of RFC 5280 and its relatives, and values as their parts
 * are called there. What has no words of its own here is shown in hexadecimal.
 *
 * Thread: any; nothing is kept.
 */
#ifndef TOOLS_EXTENSION_TEXT_H
#define TOOLS_EXTENSION_TEXT_H

#include "engine/bytes.h"

/* "keyUsage" for the content octets of its OID; NULL when it has no name here. */
const char *extension_name(struct ca_bytes oid);

/* "digitalSignature, keyEncipherment"; text from outside comes without control octets. */
void extension_append_text(struct ca_bytes oid, struct ca_bytes value, struct ca_buf *out);

#endif
