/*
 * A user's own template: a JSON file that names a row of the catalogue as "base" and narrows it.
 *
 *   { "name": "factory-device", "comment": "any text", "base": "EndEntityCertificate/V1",
 *     "summary": "one line",
 *     "passthrough": ["api", "csr"],                  not more than the base has
 *     "allowed_cas": ["factory"],                     names or ARNs
 *     "keys": { "algorithms": ["RSA", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1", "ED25519",
 *                              "ED448"],
 *               "rsa_bits": { "min": 2048, "max": 4096 }, "rsa_exponent_bits_max": 64 },
 *     "request": { "signature_algorithms": ["SHA256WITHECDSA"], "version": "0" | "any",
 *                  "country": "two-letters" | "any" },
 *     "names": "csr" | "manifest" | "both-must-agree",
 *     "subject": { ... }, "san": { ... },             see engine/name_rules.h
 *     "validity": { "default": "365d", "max": "398d" }, "not_after": "9999-12-31T23:59:59Z",
 *     "key_usage": "by-key-type" | ["digitalSignature"],
 *     "extended_key_usage": ["serverAuth", "1.3.6.1.5.5.7.3.17"],
 *     "extended_key_usage_critical": false,
 *     "revocation_pointers": "from-ca" | "none",
 *     "certificate_policies": [ { "oid": "2.23.140.1.2.1", "cps": "https://..." } ],
 *     "extensions": [ { "oid": "1.3.6.1.5.5.7.1.24", "critical": false, "value": VALUE } ],
 *     "duplicate_keys": { "run": "allow" | "warn" | "reject", "store": ... } }
 *
 * VALUE is what stands in extnValue: { "der": "3003020105" }, or typed: { "null": true },
 * { "boolean": true }, { "integer": 5 }, { "utf8": "text" }, { "printable": "text" },
 * { "ia5": "text" }, { "octets": "00ff" }, { "oid": "1.2.3" }, { "sequence": [VALUE, ...] }.
 *
 * An unknown member is a mistake. key_usage and extended_key_usage may narrow what the base has, or
 * say what it leaves open; "by-key-type" takes the bits that only RSA keys can use away from EC and
 * EdDSA keys. extensions may not be those that the base or another member decides; those of CAs,
 * and noRevAvail (RFC 9608: "revocation_pointers": "none"), stand where their standards allow.
 * Durations are one number and s, h, d, mo or y; a cap in months is the most that these can be.
 * not_after cannot stand beside validity. A member "$schema" is allowed and not looked at.
 *
 * Rare work; any thread.
 */
#ifndef ENGINE_TEMPLATE_FILE_H
#define ENGINE_TEMPLATE_FILE_H

#include "engine/finding.h"
#include "engine/template.h"

#define CA_TEMPLATE_JSON_MAX 262144     /* octets of a file */

/* Reads one. findings may be NULL; what it had is forgotten. CA_MALFORMED "template": no JSON
 * object (one finding, of path ""); CA_REFUSED "template": the first finding, as "PATH: TEXT". *out
 * is the caller's to free. */
CA_MUST_CHECK enum ca_status ca_template_parse(struct ca_bytes json, struct ca_template **out,
                                               struct ca_findings *findings,
                                               struct ca_error *err);
/* Only what ca_template_parse gave. */
void ca_template_free(struct ca_template *tmpl);

#endif
