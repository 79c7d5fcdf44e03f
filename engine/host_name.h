/*
 * The shape of host names, mailboxes and URIs, as RFC 5280 4.2.1.6 wants them in certificates.
 *
 * Each function returns NULL when the value is good, else the end of a sentence that begins with
 * the value ("has an empty label"), a literal. Pure functions; any thread.
 */
#ifndef ENGINE_HOST_NAME_H
#define ENGINE_HOST_NAME_H

#include "engine/bytes.h"

/* Labels of letters, digits, hyphens and, being in use, underscores (RFC 1123 2.1), at most 253
 * octets, no dot at the end; labels that begin with xn-- must be punycode (RFC 3492). With wildcard
 * the first label may be "*", when others follow. */
const char *ca_host_name_fault(struct ca_bytes name, bool wildcard);
/* A dot-atom of at most 64 octets, "@" and a host name (RFC 5321 4.1.2 without quoted strings and
 * address literals). */
const char *ca_mailbox_fault(struct ca_bytes mailbox);
/* Absolute, RFC 3986's alphabet; an authority after "//" must have a host name or address. */
const char *ca_uri_fault(struct ca_bytes uri);

#endif
