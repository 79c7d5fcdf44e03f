/*
 * May this request have that certificate? Everything that can be said before the proof of
 * possession, cheapest first: a refused request costs below a microsecond, a verification 70.
 *
 * The checks are a table of steps, each with a name, so that `explain` can show a request's way
 * through the very same code.
 *
 * Thread: a ca_policy belongs to the owner of its crypto; profiles are frozen.
 */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include "engine/profile.h"

struct ca_policy;

CA_MUST_CHECK enum ca_status ca_policy_new(struct ca_crypto *crypto, struct ca_policy **out,
                                           struct ca_error *err);
void ca_policy_free(struct ca_policy *policy);

/*
 * ask->request has been read with the template's admit; ask->subject_key_id is filled here. On
 * CA_OK *out is what the certificate will have, with views into ask and arena.
 *
 * A key outside what any template may allow (CA_RSA_BITS_MIN and the like) is key-too-weak, one
 * that only this template does not allow key-not-allowed. Names are looked at after the template's
 * rules have put in what they put in. A root that signs itself has no issuer whose key it could
 * repeat.
 *
 *   CA_REFUSED, CA_MALFORMED with a reason:
 *     algorithm-not-supported, key-not-allowed, key-too-weak, ca-key-as-subject,
 *     those of ca_contents_decide, passthrough-ignored (the profile is strict), no-name,
 *     san-not-critical, subject-refused, san-refused, request-too-long (the certificate would be
 *     longer than CA_CERT_DER_MAX), key-published, key-blocked, key-small-factor, key-roca,
 *     key-close-primes, bad-point (Ed25519 and Ed448 encodings of small order)
 */
CA_MUST_CHECK enum ca_status ca_policy_check(struct ca_policy *policy,
                                             const struct ca_profile *profile, struct ca_ask *ask,
                                             struct ca_arena *arena, struct ca_contents *out,
                                             struct ca_error *err);

/* The steps one by one, in order; *out is filled by and by. */
size_t ca_policy_step_count(void);
const char *ca_policy_step_name(size_t step);   /* "key strength" */
CA_MUST_CHECK enum ca_status ca_policy_step(struct ca_policy *policy, size_t step,
                                            const struct ca_profile *profile, struct ca_ask *ask,
                                            struct ca_arena *arena, struct ca_contents *out,
                                            struct ca_error *err);

#endif
