/*
 * Which octets the string types of names may hold: PrintableString, IA5String, UTF8String.
 *
 * Each function returns how many octets at the start of text are good; text.len when all are.
 * Beyond the types themselves nothing is good that hides or reorders what a reader sees: control
 * characters of any kind, line separators, byte order marks, zero-width space, soft hyphens,
 * invisible operators, bidirectional overrides and marks. Zero-width joiners are letters' business
 * in several scripts and stay.
 *
 * Pure functions; any thread.
 */
#ifndef ENGINE_CHARSET_H
#define ENGINE_CHARSET_H

#include "engine/bytes.h"

size_t ca_charset_printable(struct ca_bytes text);      /* X.680 41.4, table 10 */
size_t ca_charset_ascii(struct ca_bytes text);          /* 0x20 to 0x7e */
/* RFC 3629; *characters counts the good ones. */
size_t ca_charset_utf8(struct ca_bytes text, size_t *characters);
/* Is that character, outside of ASCII, one of those that hide or reorder (or none at all)? */
bool ca_charset_hides(uint32_t character);

#endif
