/*
 * General names (RFC 5280 4.2.1.6): the content of a subjectAltName, checked and printed.
 *
 * Checks and prints allocate nothing but what the output buffer needs; any thread.
 */
#ifndef ENGINE_GENERAL_NAME_H
#define ENGINE_GENERAL_NAME_H

#include "engine/der.h"
#include "engine/reason.h"

#define CA_NAMES_MAX 1000       /* general names in one subjectAltName */

/* Checks a GeneralNames SEQUENCE (whole, nothing after it): 1..CA_NAMES_MAX names, each of a known
 * form with a value of its form: dNSName LDH labels (also underscore; "*" only as the whole first
 * label; xn-- labels must be punycode), rfc822Name and URI ASCII with the right shape, iPAddress 4
 * or 16 octets, directoryName a good Name that is not empty, registeredID an OID, otherName an OID
 * and one DER value. x400Address and ediPartyName are refused.
 * CA_MALFORMED (bad-san, bad-der, for a directoryName also bad-name) or CA_REFUSED (too-many-names,
 * for a directoryName also name-too-long). */
CA_MUST_CHECK enum ca_status ca_san_check(struct ca_bytes general_names, struct ca_error *err);

/* "DNS:a.example, IP:192.0.2.1, URI:...", escaped: printable ASCII without bare commas. */
void ca_san_print(struct ca_bytes general_names, struct ca_buf *out);
/* Appends one dNSName GeneralName ([2]); no check. */
void ca_san_add_dns(struct ca_buf *out, const char *name);

#endif
