/*
 * Making requests (PKCS#10, RFC 2986): a CA's own CSR, and the ones that generators and tests need.
 *
 * Thread: the signer's.
 */
#ifndef ENGINE_CSR_H
#define ENGINE_CSR_H

#include "engine/sign.h"

/* subject: a Name in DER. extensions: content octets of Extensions, put into one extensionRequest
 * attribute; .len 0: the attributes are present and empty. Appends the request in DER. */
CA_MUST_CHECK enum ca_status ca_csr_build(struct ca_signer *signer, struct ca_bytes spki,
                                          struct ca_bytes subject, struct ca_bytes extensions,
                                          struct ca_buf *out, struct ca_error *err);

#endif
