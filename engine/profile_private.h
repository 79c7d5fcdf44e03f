/*
 * What profile.c compiles and profile_build.c copies from. Private to these two.
 */
#ifndef ENGINE_PROFILE_PRIVATE_H
#define ENGINE_PROFILE_PRIVATE_H

#include "engine/profile.h"

#define CA_PROFILE_KEY_ID_LEN 20

/* Extensions behind the subject key identifier. Certificates of a scope differ from them in digits
 * only (CDP and FreshestCRL). */
struct ca_profile_tail {
    struct ca_buf der;
    size_t digits_at[2];            /* of a scope's number, in der */
    size_t digits_count;
};

struct ca_profile {
    struct ca_profile_spec spec;    /* .revocation is &revocation, or NULL */
    struct ca_revocation revocation;
    struct ca_pointers pointers;
    struct ca_bytes sig_alg_der;
    size_t signature_max;           /* octets of the longest signature by the issuer's key */
    /* Signature algorithm and issuer; the algorithm alone for a root that signs itself. */
    struct ca_buf middle;
    /* Extensions up to the octets of the subject key identifier, and after them. The tail depends
     * on whether the subject's key can encipher, which of all keys only RSA's can. */
    struct ca_buf before_key_id;
    struct ca_profile_tail rsa_tail, signing_tail;
};

#endif
