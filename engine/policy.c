#include "engine/policy.h"

#include "engine/ignored.h"
#include "engine/name_rules.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ca_policy {
    struct ca_crypto *crypto;
    struct ca_matcher *matcher;
};

/* What every step is given. */
struct step {
    struct ca_policy *policy;
    const struct ca_profile *profile;
    const struct ca_template *tmpl;
    struct ca_ask *ask;
    const struct ca_request *request;
    struct ca_arena *arena;
    struct ca_contents *out;
};

enum ca_status ca_policy_new(struct ca_crypto *crypto, struct ca_policy **out, struct ca_error *err)
{
    enum ca_status st;
    struct ca_policy *policy = calloc(1, sizeof(*policy));

    if (policy == NULL) return ca_fail(err, CA_NOMEM, "no memory for the checks of requests");
    policy->crypto = crypto;
    st = ca_matcher_new(&policy->matcher, err);
    if (st != CA_OK) goto out;
    *out = policy;
    policy = NULL;              /* the caller's now */
out:
    ca_policy_free(policy);
    return st;
}

void ca_policy_free(struct ca_policy *policy)
{
    if (policy == NULL) return;
    ca_matcher_free(policy->matcher);
    free(policy);
}

/* The signature's algorithm and the key, by their sizes and kinds alone */

static enum ca_status check_signature_algorithm(const struct step *step, struct ca_error *err)
{
    enum ca_sig_alg alg = step->request->sig_alg;

    if (!ca_sig_alg_fits_kind(alg, step->request->key.kind))
        return ca_refuse(err, CA_REASON_ALGORITHM_NOT_SUPPORTED,
                         "the request is signed with an algorithm that is weak, unknown or not of "
                         "its key");
    if ((step->tmpl->request_algs >> alg & 1) == 0)
        return ca_refuse(err, CA_REASON_ALGORITHM_NOT_SUPPORTED,
                         "the template takes no requests signed with %s", ca_sig_alg_name(alg));
    return CA_OK;
}

/* What no template allows. */
static enum ca_status check_rsa_bounds(const struct ca_spki *key, struct ca_error *err)
{
    const uint8_t *e = key->rsa_e.data;
    size_t e_len = key->rsa_e.len;

    if (key->bits < CA_RSA_BITS_MIN || key->bits > CA_RSA_BITS_MAX)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK, "the RSA key has %u bits, not %d to %d",
                         (unsigned)key->bits, CA_RSA_BITS_MIN, CA_RSA_BITS_MAX);
    if (key->bits % 8 != 0)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK,
                         "the RSA key has %u bits, which is no multiple of 8", (unsigned)key->bits);
    if ((key->rsa_n.data[key->rsa_n.len - 1] & 1) == 0)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK, "the RSA modulus is even");
    if (e_len > CA_RSA_EXPONENT_BITS_MAX / 8)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK, "the RSA exponent is longer than %d bits",
                         CA_RSA_EXPONENT_BITS_MAX);
    /* Three octets, the first not zero, are at least 65536, and odd ones at least 65537. */
    if (e_len < 3 || (e[e_len - 1] & 1) == 0)
        return ca_refuse(err, CA_REASON_KEY_TOO_WEAK,
                         "the RSA exponent is even or below 65537");
    return CA_OK;
}

static enum ca_status check_rsa_rules(const struct ca_key_rules *rules, const struct ca_spki *key,
                                      struct ca_error *err)
{
    size_t e_bits = ca_spki_number_bits(key->rsa_e);

    if (key->bits < rules->rsa_bits_min || key->bits > rules->rsa_bits_max)
        return ca_refuse(err, CA_REASON_KEY_NOT_ALLOWED,
                         "the RSA key has %u bits, and the template allows %u to %u",
                         (unsigned)key->bits, (unsigned)rules->rsa_bits_min,
                         (unsigned)rules->rsa_bits_max);
    if (e_bits > rules->rsa_exponent_bits_max)
        return ca_refuse(err, CA_REASON_KEY_NOT_ALLOWED,
                         "the RSA exponent has %zu bits, and the template allows %u", e_bits,
                         (unsigned)rules->rsa_exponent_bits_max);
    return CA_OK;
}

static const char *kind_name(enum ca_key_kind kind)
{
    switch (kind) {
    case CA_KEY_KIND_NONE: break;
    case CA_KEY_KIND_RSA: return "RSA";
    case CA_KEY_KIND_P256: return "P-256";
    case CA_KEY_KIND_P384: return "P-384";
    case CA_KEY_KIND_P521: return "P-521";
    case CA_KEY_KIND_ED25519: return "Ed25519";
    case CA_KEY_KIND_ED448: return "Ed448";
    }
    return "unknown";
}

static enum ca_status check_key(const struct step *step, struct ca_error *err)
{
    const struct ca_key_rules *rules = &step->tmpl->keys;
    const struct ca_spki *key = &step->request->key;
    enum ca_status st;

    if ((rules->kinds >> key->kind & 1) == 0)
        return ca_refuse(err, CA_REASON_KEY_NOT_ALLOWED, "the template allows no %s keys",
                         kind_name(key->kind));
    if (key->kind != CA_KEY_KIND_RSA) return CA_OK;
    st = check_rsa_bounds(key, err);
    return st == CA_OK ? check_rsa_rules(rules, key, err) : st;
}

static enum ca_status check_ca_key(const struct step *step, struct ca_error *err)
{
    const struct ca_issuer *issuer = ca_profile_issuer(step->profile);

    if (issuer != NULL && ca_key_is_same(&step->request->key, &issuer->cert.key))
        return ca_refuse(err, CA_REASON_CA_KEY_AS_SUBJECT,
                         "the request is for the issuing CA's own key");
    return CA_OK;
}

/* What the certificate will have */

/* The names of all that is ignored, as many as fit. */
static enum ca_status refuse_ignored(uint64_t ignored, struct ca_error *err)
{
    char names[CA_ERROR_TEXT_MAX] = "";
    size_t len = 0, more = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = ca_ignored_name(bit);
        const char *comma = len == 0 ? "" : ", ";

        if ((ignored >> bit & 1) == 0 || name == NULL) continue;
        if (len + strlen(comma) + strlen(name) > sizeof(names) - 64) {
            more++;
            continue;
        }
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", comma, name);
    }
    if (more == 0)
        return ca_refuse(err, CA_REASON_PASSTHROUGH_IGNORED, "the template would ignore %s", names);
    return ca_refuse(err, CA_REASON_PASSTHROUGH_IGNORED,
                     "the template would ignore %s and %zu more", names, more);
}

static enum ca_status decide_contents(const struct step *step, struct ca_error *err)
{
    const struct ca_pointers pointers = ca_profile_pointers(step->profile);
    /* RFC 5280 4.2.1.2, method (1). */
    enum ca_status st = ca_crypto_digest(step->policy->crypto, CA_DIGEST_SHA1,
                                         step->request->key.key, step->ask->subject_key_id, err);

    if (st == CA_OK)
        st = ca_contents_decide(step->tmpl, &pointers, step->ask, step->arena, step->out, err);
    if (st == CA_OK && ca_profile_spec_of(step->profile)->strict && step->out->ignored != 0)
        return refuse_ignored(step->out->ignored, err);
    return st;
}

static enum ca_status check_name_rules(const struct step *step, struct ca_error *err)
{
    const struct ca_name_rules *rules = step->tmpl->names;
    struct ca_contents *out = step->out;
    const struct ca_bytes san = out->has_san ? out->san : ca_bytes_of(NULL, 0);
    struct ca_bytes subject = out->subject;
    enum ca_status st;

    if (rules == NULL) return CA_OK;
    st = ca_name_rules_subject(rules, step->policy->matcher, out->subject, step->arena, &subject,
                               err);
    if (st != CA_OK) return st;
    out->subject = subject;
    out->subject_empty = subject.len == 2;      /* 30 00 */
    return ca_name_rules_san(rules, step->policy->matcher, san, out->subject_empty,
                             &out->san_critical, err);
}

/* After the template's rules, which may put in a subject and mark the SAN critical. */
static enum ca_status check_names(const struct step *step, struct ca_error *err)
{
    const struct ca_contents *out = step->out;

    if (!out->subject_empty) return CA_OK;
    if (step->tmpl->kind != CA_TEMPLATE_END_ENTITY)
        return ca_refuse(err, CA_REASON_NO_NAME, "a CA must have a subject");
    if (!out->has_san)
        return ca_refuse(err, CA_REASON_NO_NAME,
                         "the request has neither a subject nor a subject alternative name");
    if (!out->san_critical)
        return ca_refuse(err, CA_REASON_SAN_NOT_CRITICAL,
                         "CSR must mark the SAN extension critical when it has an empty subject");
    return CA_OK;
}

static enum ca_status check_length(const struct step *step, struct ca_error *err)
{
    if (ca_profile_cert_len_max(step->profile, step->request, step->out) > CA_CERT_DER_MAX)
        return ca_refuse(err, CA_REASON_REQUEST_TOO_LONG,
                         "the certificate would be longer than %d octets", CA_CERT_DER_MAX);
    return CA_OK;
}

/* The key itself */

static enum ca_status check_lists(const struct step *step, struct ca_error *err)
{
    const struct ca_blocklist *blocked = ca_profile_spec_of(step->profile)->blocklist;
    uint8_t *hash = step->out->key_hash;
    const char *where = NULL;
    enum ca_status st = ca_key_hash(step->policy->crypto, &step->request->key, hash, err);

    if (st != CA_OK) return st;
    if (ca_published_has(hash, &where))
        return ca_refuse(err, CA_REASON_KEY_PUBLISHED, "the key's private half was published: %s",
                         where);
    if (blocked != NULL && ca_blocklist_has(blocked, hash)) {
        char text[2 * CA_KEY_HASH_LEN + 1];

        ca_hex_encode(ca_bytes_of(hash, CA_KEY_HASH_LEN), text);
        return ca_refuse(err, CA_REASON_KEY_BLOCKED, "the key is on the blocklist: %s", text);
    }
    return CA_OK;
}

static enum ca_status check_strength(const struct step *step, struct ca_error *err)
{
    const struct ca_spki *key = &step->request->key;

    if (key->kind == CA_KEY_KIND_RSA) return ca_rsa_check_modulus(key->rsa_n, err);
    if (ca_spki_has_small_order(key))
        return ca_refuse(err, CA_REASON_BAD_POINT,
                         "the %s key is a point of small order: anybody can sign for it",
                         kind_name(key->kind));
    return CA_OK;
}

/* The steps, the cheap ones first: the first four cost some ten nanoseconds, the names as much as
 * the template's patterns, the lists a digest, an RSA modulus some microseconds. */
static const struct {
    const char *name;
    enum ca_status (*run)(const struct step *step, struct ca_error *err);
} steps[] = {
    { "signature algorithm", check_signature_algorithm },
    { "key kind and size", check_key },
    { "the CA's own key", check_ca_key },
    { "what the certificate will have", decide_contents },
    { "the template's rules for names", check_name_rules },
    { "subject or alternative name", check_names },
    { "length", check_length },
    { "published and blocked keys", check_lists },
    { "key strength", check_strength },
};

#define STEP_COUNT CA_COUNT(steps)

size_t ca_policy_step_count(void)
{
    return STEP_COUNT;
}

const char *ca_policy_step_name(size_t step)
{
    assert(step < STEP_COUNT);
    return steps[step].name;
}

static struct step step_of(struct ca_policy *policy, const struct ca_profile *profile,
                           struct ca_ask *ask, struct ca_arena *arena, struct ca_contents *out)
{
    return (struct step){ .policy = policy, .profile = profile,
                          .tmpl = ca_profile_template(profile), .ask = ask,
                          .request = ask->request, .arena = arena, .out = out };
}

enum ca_status ca_policy_step(struct ca_policy *policy, size_t step,
                              const struct ca_profile *profile, struct ca_ask *ask,
                              struct ca_arena *arena, struct ca_contents *out, struct ca_error *err)
{
    const struct step given = step_of(policy, profile, ask, arena, out);

    assert(step < STEP_COUNT);
    return steps[step].run(&given, err);
}

enum ca_status ca_policy_check(struct ca_policy *policy, const struct ca_profile *profile,
                               struct ca_ask *ask, struct ca_arena *arena, struct ca_contents *out,
                               struct ca_error *err)
{
    const struct step given = step_of(policy, profile, ask, arena, out);
    enum ca_status st = CA_OK;

    for (size_t i = 0; i < STEP_COUNT && st == CA_OK; i++) st = steps[i].run(&given, err);
    return st;
}
