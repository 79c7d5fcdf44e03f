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
 * and one DER value, ediPartyName one or two texts that are UTF8String or PrintableString.
 * x400Address is refused.
 * CA_MALFORMED (bad-san, bad-der, for a directoryName also bad-name) or CA_REFUSED (too-many-names,
 * for a directoryName also name-too-long). */
CA_MUST_CHECK enum ca_status ca_san_check(struct ca_bytes general_names, struct ca_error *err);

/* One GeneralName, as it is checked there; also where other extensions have them. */
CA_MUST_CHECK enum ca_status ca_general_name_check(const struct ca_der_element *name,
                                                   struct ca_error *err);

/* A name's form. */
enum ca_san_form { CA_SAN_DNS, CA_SAN_IP, CA_SAN_EMAIL, CA_SAN_URI, CA_SAN_DIRECTORY_NAME,
                   CA_SAN_REGISTERED_ID, CA_SAN_OTHER_NAME, CA_SAN_EDI_PARTY_NAME };
#define CA_SAN_FORM_COUNT 8

struct ca_general_name {
    enum ca_san_form form;
    struct ca_bytes value;      /* content octets; a directoryName's are the Name, whole */
    struct ca_bytes type;       /* content octets of an otherName's type-id; else .len 0 */
};

/* Reads the names of a checked GeneralNames one after the other. False at the end, and where it
 * cannot be read on: *names is then not at its end. */
void ca_san_open(struct ca_bytes general_names, struct ca_der *names);
bool ca_san_next(struct ca_der *names, struct ca_general_name *out);

/* "DNS:a.example, IP:192.0.2.1, URI:...", escaped: printable ASCII without bare commas. */
void ca_san_print(struct ca_bytes general_names, struct ca_buf *out);
/* Appends one dNSName GeneralName ([2]); no check. */
void ca_san_add_dns(struct ca_buf *out, const char *name);

#endif
