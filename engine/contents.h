/*
 * What one certificate will have of its names and extensions beyond the template's own: template
 * value above CA configuration above API value above CSR value, a whole extension or a whole
 * subject at a time, nothing merged (spec 6.1). What loses is noted in `ignored`.
 *
 *   subject   API (templates that let it pass), else the manifest line's or the request's
 *   SAN       likewise
 *   others    those that the template leaves open, from the sources that it lets pass
 *
 * What passes from a request is checked here as strictly as if we had built it
 * (engine/extension_value.h): passthrough-refused otherwise. BasicConstraints, the key identifiers
 * (but for a root's own, from the API) and a precertificate's poison never pass; nor does to an end
 * entity what is for CAs (nameConstraints and the policies' constraints), to a CA noRevAvail
 * (RFC 9608 3), to anybody noRevAvail where the certificate has pointers. KeyUsage with keyCertSign
 * or cRLSign for an end entity is refused (RFC 5280 4.2.1.3 and 4.2.1.9).
 *
 * Pure functions; any thread.
 */
#ifndef ENGINE_CONTENTS_H
#define ENGINE_CONTENTS_H

#include "engine/api_passthrough.h"
#include "engine/extension_value.h"
#include "engine/key_check.h"
#include "engine/request.h"
#include "engine/template.h"

/* Everything that asks for something in one certificate. */
struct ca_ask {
    const struct ca_request *request;
    const struct ca_api *api;           /* of the line, else of the job; NULL: none */
    struct ca_bytes line_subject;       /* names of a manifest line, DER; .len 0: not given */
    struct ca_bytes line_san;
    uint8_t subject_key_id[20];         /* SHA-1 of request->key.key */
};

/* What the CA's configuration writes into its certificates. */
struct ca_pointers {
    bool cdp, freshest, aia;
};

struct ca_contents {
    struct ca_bytes subject;            /* Name */
    bool subject_empty;
    bool has_san, san_critical;
    struct ca_bytes san;                /* GeneralNames */
    struct ca_bytes extra;              /* Extension after Extension: API's, then the request's */
    uint64_t ignored;                   /* CA_IGNORED_BIT */
    uint8_t subject_key_id[20];
    uint8_t key_hash[CA_KEY_HASH_LEN];  /* filled by engine/policy.h */
};

/* Views of *out are into what ask shows and into arena; key_hash is left as it is. A SAN that does
 * not come from a request is critical when the subject is empty. CA_REFUSED: passthrough-refused,
 * names-disagree, no-manifest-names; CA_MALFORMED: request-too-long (the extensions alone are
 * longer than CA_CERT_DER_MAX); CA_NOMEM, CA_FULL: arena. */
CA_MUST_CHECK enum ca_status ca_contents_decide(const struct ca_template *tmpl,
                                                const struct ca_pointers *pointers,
                                                const struct ca_ask *ask, struct ca_arena *arena,
                                                struct ca_contents *out, struct ca_error *err);

#endif
