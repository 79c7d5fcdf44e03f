#include "batch/profile.h"

#include "engine/ca_config.h"

#define PROFILE_TEXT_MAX 65536
#define VALIDITY_YEARS_ROOT 10
#define VALIDITY_YEARS_SUBORDINATE 3
#define VALIDITY_DAYS 365
#define VALIDITY_DAYS_SHORT_LIVED 7

static struct ca_validity years(int64_t value)
{
    return (struct ca_validity){ .type = CA_VALIDITY_YEARS, .value = value };
}

struct ca_validity batch_validity_default(const struct ca_template *tmpl, bool short_lived)
{
    struct ca_validity days = { .type = CA_VALIDITY_DAYS, .value = VALIDITY_DAYS };

    switch (tmpl->kind) {
    case CA_TEMPLATE_ROOT_CA: return years(VALIDITY_YEARS_ROOT);
    case CA_TEMPLATE_SUBORDINATE_CA: return years(VALIDITY_YEARS_SUBORDINATE);
    case CA_TEMPLATE_END_ENTITY: break;
    }
    if (short_lived) days.value = VALIDITY_DAYS_SHORT_LIVED;
    if (tmpl->max_validity_days != 0 && days.value > tmpl->max_validity_days)
        days.value = tmpl->max_validity_days;
    return days;
}

enum ca_status batch_profile_compile(struct batch_registry *registry,
                                     const struct batch_issuer *issuer,
                                     const struct batch_profile_ask *ask,
                                     struct batch_compiled *out, struct ca_error *err)
{
    const struct ca_revocation *revocation = issuer->revocation;
    struct ca_profile_spec spec = {
        .tmpl = ask->tmpl,
        .issuer = issuer->issuer,
        .issuer_key = issuer->key_alg,
        .sig_alg = ask->sig_alg == CA_SIG_ALG_NONE ? issuer->sig_alg : ask->sig_alg,
        .validity = ask->validity.type == CA_VALIDITY_NONE
                        ? batch_validity_default(ask->tmpl, issuer->short_lived)
                        : ask->validity,
        .not_before_s = ask->not_before_s,
        .short_lived = issuer->short_lived,
    };
    enum ca_status st;

    *out = (struct batch_compiled){ .profile = NULL };
    ca_buf_init(&out->text, PROFILE_TEXT_MAX);
    /* A root's own certificate has no CDP and no AIA (spec section 6). */
    if (!issuer->self && revocation != NULL) {
        if (revocation->cdp_uri[0] != '\0') spec.cdp_uri = revocation->cdp_uri;
        if (revocation->ocsp_uri[0] != '\0') spec.ocsp_uri = revocation->ocsp_uri;
    }
    st = ca_profile_new(&spec, &out->profile, err);
    if (st == CA_OK)
        st = ca_profile_hash(out->profile, registry->crypto, out->hash, &out->text, err);
    if (st != CA_OK) batch_compiled_clear(out);
    return st;
}

void batch_compiled_clear(struct batch_compiled *compiled)
{
    ca_profile_free(compiled->profile);
    compiled->profile = NULL;
    ca_buf_clear(&compiled->text);
}

enum ca_status batch_profile_put(struct store_txn *txn, const struct batch_compiled *compiled,
                                 struct ca_error *err)
{
    struct schema_key key;
    enum ca_status st = store_put(txn, STORE_PROFILE, schema_key_profile(&key, compiled->hash),
                                  ca_buf_view(&compiled->text), STORE_INSERT, err);

    return st == CA_DUPLICATE ? CA_OK : st;     /* its key is the hash of its text */
}
