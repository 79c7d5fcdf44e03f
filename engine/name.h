/*
 * Distinguished names (RFC 5280 4.1.2.4): strict checks of foreign ones, building, printing.
 * Who includes this has the general names too (engine/general_name.h).
 *
 * Checks and prints allocate nothing but what the output buffer needs; any thread.
 */
#ifndef ENGINE_NAME_H
#define ENGINE_NAME_H

#include "engine/der.h"
#include "engine/general_name.h"
#include "engine/reason.h"

#define CA_RDNS_MAX 64          /* RDNs, and attributes, in one Name */

/* The members of AWS's ASN1Subject in the order in which they stand in the Name (spec 2.3). */
enum ca_attribute {
    CA_ATTRIBUTE_COUNTRY, CA_ATTRIBUTE_ORGANIZATION, CA_ATTRIBUTE_ORGANIZATIONAL_UNIT,
    CA_ATTRIBUTE_DN_QUALIFIER, CA_ATTRIBUTE_STATE, CA_ATTRIBUTE_COMMON_NAME,
    CA_ATTRIBUTE_SERIAL_NUMBER, CA_ATTRIBUTE_LOCALITY, CA_ATTRIBUTE_TITLE, CA_ATTRIBUTE_SURNAME,
    CA_ATTRIBUTE_GIVEN_NAME, CA_ATTRIBUTE_INITIALS, CA_ATTRIBUTE_PSEUDONYM,
    CA_ATTRIBUTE_GENERATION_QUALIFIER, CA_ATTRIBUTE_COUNT
};

/* The JSON member ("CommonName"). */
const char *ca_attribute_member(enum ca_attribute attribute);

/* Appends one RDN of one attribute with the string type and limits of spec 2.3. CA_REFUSED (name
 * "subject") when the value is too long or has characters that the type does not allow. */
CA_MUST_CHECK enum ca_status ca_name_add(struct ca_buf *rdns, enum ca_attribute attribute,
                                         const char *value, struct ca_error *err);
/* The same for CustomAttributes: any OID in dotted form; UTF8String, except domainComponent and
 * emailAddress (IA5String), countryName, serialNumber and dnQualifier (PrintableString). */
CA_MUST_CHECK enum ca_status ca_name_add_custom(struct ca_buf *rdns, const char *dotted_oid,
                                                const char *value, struct ca_error *err);

/*
 * Checks a foreign Name: strict DER, RDNs not empty, SET order, string types and their alphabets
 * (UTF8String, PrintableString, IA5String for domainComponent and emailAddress; countryName two
 * letters), no NUL or control characters, upper bounds of RFC 5280 appendix A.1.
 *   *empty      the Name has no RDN
 * CA_MALFORMED (bad-name, bad-der) or CA_REFUSED (name-too-long).
 */
CA_MUST_CHECK enum ca_status ca_name_check(struct ca_bytes name, bool *empty,
                                           struct ca_error *err);
/* The same; any_country lets a countryName pass that is not two letters but a PrintableString of at
 * most 128 characters. */
CA_MUST_CHECK enum ca_status ca_name_check_lenient(struct ca_bytes name, bool any_country,
                                                   bool *empty, struct ca_error *err);

/* One attribute after the other, in the order in which they stand in a checked Name. */
struct ca_name_attribute {
    struct ca_bytes oid;            /* content octets of its type */
    uint8_t tag;                    /* of its value: enum ca_der_tag */
    struct ca_bytes value;          /* content octets */
    struct ca_bytes rdn;            /* the RDN in which it stands: the SET, whole */
    bool alone;                     /* no other attribute stands in that RDN */
};

struct ca_name_walk {
    struct ca_der rdns;             /* RDNs behind the open one */
    struct ca_der rdn;              /* attributes left in the open one */
    struct ca_bytes rdn_whole;
};

/* Views into name. */
void ca_name_walk_open(struct ca_name_walk *walk, struct ca_bytes name);
/* False at the end, and where name cannot be read on: the walk is then not at its end. */
bool ca_name_walk_next(struct ca_name_walk *walk, struct ca_name_attribute *out);
bool ca_name_walk_at_end(const struct ca_name_walk *walk);

/* RFC 4514 text, most specific RDN first, escaped, printable ASCII and valid UTF-8 only. */
void ca_name_print(struct ca_bytes name, struct ca_buf *out);
/* First commonName's text, .len 0 when there is none. A view into name. */
struct ca_bytes ca_name_common_name(struct ca_bytes name);

#endif
