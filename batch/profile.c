#include "batch/profile.h"

#include "batch/ca_row.h"

#include <stdio.h>

/* A description repeats the template's file and the ApiPassthrough, each escaped once more. */
#define PROFILE_TEXT_MAX ((size_t)16 << 20)
#define VALIDITY_YEARS_ROOT 10
#define VALIDITY_YEARS_SUBORDINATE 3
#define VALIDITY_DAYS 365
#define VALIDITY_DAYS_SHORT_LIVED 7
#define DAY_S INT64_C(86400)

static struct ca_validity years(int64_t value)
{
    return (struct ca_validity){ .type = CA_VALIDITY_YEARS, .value = value };
}

static struct ca_validity days(int64_t value)
{
    return (struct ca_validity){ .type = CA_VALIDITY_DAYS, .value = value };
}

static struct ca_validity default_of_kind(enum ca_template_kind kind)
{
    switch (kind) {
    case CA_TEMPLATE_ROOT_CA: return years(VALIDITY_YEARS_ROOT);
    case CA_TEMPLATE_SUBORDINATE_CA: return years(VALIDITY_YEARS_SUBORDINATE);
    case CA_TEMPLATE_END_ENTITY: break;
    }
    return days(VALIDITY_DAYS);
}

/* The longest that it can get, leap years counted; 0 for a date, which has no length of its own. */
static int64_t longest_s(const struct ca_validity *validity)
{
    int64_t unit_s = 0;

    switch (validity->type) {
    case CA_VALIDITY_YEARS: unit_s = 366 * DAY_S; break;
    case CA_VALIDITY_MONTHS: unit_s = 31 * DAY_S; break;
    case CA_VALIDITY_DAYS: unit_s = DAY_S; break;
    case CA_VALIDITY_SECONDS: unit_s = 1; break;
    case CA_VALIDITY_NONE:
    case CA_VALIDITY_ABSOLUTE:
    case CA_VALIDITY_END_DATE: return 0;
    }
    return validity->value <= INT64_MAX / unit_s ? validity->value * unit_s : INT64_MAX;
}

static struct ca_validity at_most(struct ca_validity validity, int64_t max_s)
{
    if (longest_s(&validity) <= max_s) return validity;
    if (max_s % DAY_S == 0) return days(max_s / DAY_S);
    return (struct ca_validity){ .type = CA_VALIDITY_SECONDS, .value = max_s };
}

struct ca_validity batch_validity_default(const struct ca_template *tmpl, bool short_lived)
{
    struct ca_validity validity = tmpl->validity_default.type != CA_VALIDITY_NONE
                                      ? tmpl->validity_default
                                      : default_of_kind(tmpl->kind);

    if (short_lived && tmpl->kind == CA_TEMPLATE_END_ENTITY)
        validity = at_most(validity, VALIDITY_DAYS_SHORT_LIVED * DAY_S);
    return tmpl->validity_max_s != 0 ? at_most(validity, tmpl->validity_max_s) : validity;
}

/* A template may name the CAs that use it, as a guard against a mistyped --ca. */
static enum ca_status check_allowed(struct batch_registry *registry, uint32_t number,
                                    const struct ca_template *tmpl, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    char name[SCHEMA_NAME_MAX + 1];
    struct batch_ca ca;
    bool found = false;
    enum ca_status st;

    if (tmpl->allowed_cas == NULL) return CA_OK;
    st = store_begin(registry->store, STORE_READ, &txn, err);
    if (st != CA_OK) return st;
    st = batch_ca_get(registry, txn, number, &found, &ca, err);
    store_abort(txn);
    if (st != CA_OK) return st;
    if (!found)
        return ca_fail_named(err, CA_CORRUPT, "store-damaged", "the row of CA %u is gone", number);
    (void)snprintf(name, sizeof(name), "%.*s", (int)ca.row.name.len,
                   (const char *)ca.row.name.data);
    if (!ca_template_allows_ca(tmpl, name, ca.arn))
        st = ca_refuse(err, CA_REASON_CA_NOT_ALLOWED,
                       "the template %s does not allow the CA \"%s\" to use it", tmpl->name, name);
    batch_ca_clear(&ca);
    return st;
}

static struct ca_profile_spec spec_of(const struct batch_issuer *issuer,
                                      const struct batch_profile_ask *ask)
{
    const struct batch_terms *terms = ask->terms;

    return (struct ca_profile_spec){
        .tmpl = terms->tmpl,
        .issuer = issuer->issuer,
        .issuer_key = issuer->key_alg,
        .sig_alg = ask->sig_alg == CA_SIG_ALG_NONE ? issuer->sig_alg : ask->sig_alg,
        .validity = ask->validity.type == CA_VALIDITY_NONE
                        ? batch_validity_default(terms->tmpl, issuer->short_lived)
                        : ask->validity,
        .not_before_s = ask->not_before_s,
        .revocation = issuer->revocation,
        .short_lived = issuer->short_lived,
        .strict = terms->strict,
        .blocklist = terms->blocklist,
        .api = terms->api,
        .api_json = ca_buf_view(&terms->api_json),
    };
}

enum ca_status batch_profile_compile(struct batch_registry *registry,
                                     const struct batch_issuer *issuer,
                                     const struct batch_profile_ask *ask,
                                     struct batch_compiled *out, struct ca_error *err)
{
    struct ca_profile_spec spec = spec_of(issuer, ask);
    enum ca_status st;

    *out = (struct batch_compiled){ .profile = NULL };
    ca_buf_init(&out->text, PROFILE_TEXT_MAX);
    st = check_allowed(registry, issuer->ca, ask->terms->tmpl, err);
    if (st == CA_OK) st = ca_profile_new(&spec, &out->profile, err);
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
