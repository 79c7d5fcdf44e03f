/*
 * ApiPassthrough (spec section 7): what a caller asks to stand in a certificate beside the request,
 * in the JSON of AWS's IssueCertificate. Read strictly, turned into DER.
 *
 * Values that the certificate could not have are refused here: limits of the spec, one of the
 * members of each GeneralName, custom extensions whose value is not what their type has
 * (engine/extension_value.h), two sources for one extension type, a subject whose CustomAttributes
 * are mixed with standard ones or are more than a Name of ours has (CA_RDNS_MAX), the poison of a
 * precertificate. KeyUsage is written minimal and critical, ExtendedKeyUsage not critical (7.1).
 *
 * Frozen after load; any thread.
 */
#ifndef ENGINE_API_PASSTHROUGH_H
#define ENGINE_API_PASSTHROUGH_H

#include "engine/arena.h"
#include "engine/ignored.h"
#include "engine/reason.h"

#define CA_API_JSON_MAX (UINT32_C(1) << 20)     /* octets of a file */
#define CA_API_EXTENSIONS_MAX 153

struct ca_api_extension {
    struct ca_bytes oid;            /* content octets */
    bool critical;
    struct ca_bytes value;          /* content of extnValue */
    struct ca_bytes whole;          /* the Extension */
    enum ca_ignored name;           /* what it is called when it is ignored */
};

struct ca_api {
    struct ca_bytes subject;        /* Name; .len 0: not given */
    bool subject_empty;
    /* From SubjectAlternativeNames, which cannot say whether they are critical, or from a custom
     * 2.5.29.17. */
    bool has_san, san_critical;
    struct ca_bytes san;            /* GeneralNames */
    /* All others, in the order in which they stand in a certificate: CertificatePolicies, KeyUsage,
     * ExtendedKeyUsage, then CustomExtensions as given. */
    struct ca_api_extension extensions[CA_API_EXTENSIONS_MAX];
    size_t extension_count;
};

/* Reads the object into arena (views of *out stay as long as that). CA_MALFORMED "bad-json",
 * CA_REFUSED "api-passthrough" with the JSON path in the text; err->reason is bad-member, so that a
 * manifest line can be refused with it. CA_NOMEM, CA_FULL: arena. */
CA_MUST_CHECK enum ca_status ca_api_parse(struct ca_bytes json, struct ca_arena *arena,
                                          struct ca_api *out, struct ca_error *err);

/* The same for a manifest line's "subject" (ASN1Subject) -> Name, and "san": a list of GeneralName
 * objects, or of texts "DNS:a.example", "IP:192.0.2.1", "email:a@b.example", "URI:https://..."
 * -> GeneralNames, at most CA_NAMES_MAX. A refusal's name is "bad-member", its path begins with the
 * member. */
CA_MUST_CHECK enum ca_status ca_line_subject_parse(struct ca_bytes json, struct ca_arena *arena,
                                                   struct ca_bytes *name, struct ca_error *err);
CA_MUST_CHECK enum ca_status ca_line_san_parse(struct ca_bytes json, struct ca_arena *arena,
                                               struct ca_bytes *general_names,
                                               struct ca_error *err);

/* Canonical JSON of an ApiPassthrough (compact, members sorted): what hashes and job rows keep. */
CA_MUST_CHECK enum ca_status ca_api_canonical(struct ca_bytes json, struct ca_buf *out,
                                              struct ca_error *err);

#endif
