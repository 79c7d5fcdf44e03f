/* Creation of a CA: everything is checked before a key is made, the key before the row. */
#include "batch/ca_key.h"
#include "batch/ca_row.h"
#include "batch/scope.h"
#include "engine/csr.h"

#include <stdlib.h>
#include <string.h>

#define CSR_MAX 131072
#define ARGUMENTS_MAX ((size_t)4 << 20)

/* What the arguments come to. */
struct plan {
    const struct batch_ca_create *spec;
    uint8_t uuid[SCHEMA_UUID_LEN];
    struct ca_config config;
    struct ca_revocation revocation;
    struct ca_buf tags;
    uint8_t arguments[SCHEMA_HASH_LEN];     /* both only with a token */
    uint8_t token_hash[SCHEMA_HASH_LEN];
    struct ca_key *key;
    struct ca_buf pem, csr;
};

static void plan_clear(struct plan *plan)
{
    ca_config_clear(&plan->config);
    ca_revocation_clear(&plan->revocation);
    ca_buf_clear(&plan->tags);
    ca_key_free(plan->key);
    ca_buf_clear_secret(&plan->pem);
    ca_buf_clear(&plan->csr);
}

/* ---- Idempotency (spec 4.1) ---- */

static void add_argument(struct ca_buf *out, struct ca_bytes value)
{
    uint8_t len[8];

    ca_put_u64(len, value.len);
    ca_buf_append(out, len, sizeof(len));   /* so that no two lists of arguments look the same */
    ca_buf_append_bytes(out, value);
}

static int compare_tags(const void *a, const void *b)
{
    const struct batch_tag *left = *(const struct batch_tag *const *)a;
    const struct batch_tag *right = *(const struct batch_tag *const *)b;
    int by_key = strcmp(left->key, right->key);

    return by_key != 0 ? by_key : strcmp(left->value != NULL ? left->value : "",
                                         right->value != NULL ? right->value : "");
}

/* Tags in order of their keys: who repeats a command may give them in another. */
static enum ca_status add_tags(const struct batch_ca_create *spec, struct ca_buf *out,
                               struct ca_error *err)
{
    const struct batch_tag **sorted;

    if (spec->tag_count == 0) return CA_OK;
    sorted = calloc(spec->tag_count, sizeof(*sorted));
    if (sorted == NULL) return ca_fail(err, CA_NOMEM, "no memory for tags");
    for (size_t i = 0; i < spec->tag_count; i++) sorted[i] = &spec->tags[i];
    qsort(sorted, spec->tag_count, sizeof(*sorted), compare_tags);
    for (size_t i = 0; i < spec->tag_count; i++) {
        add_argument(out, ca_bytes_str(sorted[i]->key));
        add_argument(out, ca_bytes_str(sorted[i]->value != NULL ? sorted[i]->value : ""));
    }
    free(sorted);
    return CA_OK;
}

static enum ca_status hash_arguments(struct ca_crypto *crypto, struct plan *plan,
                                     struct ca_error *err)
{
    const struct batch_ca_create *spec = plan->spec;
    struct ca_buf text;
    enum ca_status st;

    ca_buf_init(&text, ARGUMENTS_MAX);
    add_argument(&text, ca_bytes_str(spec->name));
    ca_buf_append_u8(&text, spec->is_root);
    ca_buf_append_u8(&text, spec->short_lived);
    add_argument(&text, ca_buf_view(&plan->config.json));
    add_argument(&text, ca_buf_view(&plan->revocation.json));
    st = add_tags(spec, &text, err);
    if (st == CA_OK) st = ca_buf_status(&text, "the arguments", err);
    if (st == CA_OK) {
        st = ca_crypto_digest(crypto, CA_DIGEST_SHA256, ca_buf_view(&text), plan->arguments, err);
    }
    if (st == CA_OK) {
        st = ca_crypto_digest(crypto, CA_DIGEST_SHA256, ca_bytes_str(spec->token),
                              plan->token_hash, err);
    }
    ca_buf_clear(&text);
    return st;
}

static enum ca_status refuse_reuse(const struct batch_ca *ca, int64_t created_ms,
                                   struct ca_error *err)
{
    char when[CA_TIME_TEXT_MAX];
    enum ca_status st;

    ca_time_format(created_ms / 1000, when);
    st = ca_fail_named(err, CA_REFUSED, "idempotency",
                       "this idempotency token created the CA \"%.*s\" at %s from other arguments",
                       (int)ca->row.name.len, (const char *)ca->row.name.data, when);
    ca_hint(err, "repeat the first command exactly, or take another token for another CA");
    return st;
}

/* *existed true: the token was used for exactly this, *out is its CA. A token whose CA is gone is
 * free again, like the CA's name. */
static enum ca_status find_replay(struct batch_registry *registry, struct store_txn *txn,
                                  const struct plan *plan, struct batch_ca *out, bool *existed,
                                  struct ca_error *err)
{
    struct schema_token token;
    struct schema_key key;
    struct ca_bytes value;
    bool found = false;
    enum ca_status st;

    *existed = false;
    if (plan->spec->token == NULL) return CA_OK;
    st = store_get(txn, STORE_TOKEN,
                   schema_key_token(&key, SCHEMA_TOKEN_CREATE_CA, 0, plan->token_hash), &found,
                   &value, err);
    if (st != CA_OK || !found) return st;
    st = schema_decode_token(value, &token, err);
    if (st != CA_OK) return st;
    if (token.result.len != sizeof(uint32_t)) {
        return ca_fail_named(err, CA_CORRUPT, "bad-row", "token: its result is no CA");
    }
    st = batch_ca_get(registry, txn, ca_get_u32(token.result.data), &found, out, err);
    if (st != CA_OK || !found) return st;
    if (batch_ca_is_gone(registry, out)) {
        batch_ca_clear(out);
        return CA_OK;
    }
    if (memcmp(token.arguments, plan->arguments, SCHEMA_HASH_LEN) != 0) {
        st = refuse_reuse(out, token.created_ms, err);
        batch_ca_clear(out);
        return st;
    }
    *existed = true;
    return CA_OK;
}

static enum ca_status put_token(struct store_txn *txn, const struct plan *plan, uint32_t number,
                                int64_t now_ms, struct ca_error *err)
{
    struct schema_token token = { .created_ms = now_ms };
    struct schema_key key;
    uint8_t result[4];
    struct ca_buf value;
    enum ca_status st;

    if (plan->spec->token == NULL) return CA_OK;
    ca_put_u32(result, number);
    memcpy(token.arguments, plan->arguments, SCHEMA_HASH_LEN);
    token.result = ca_bytes_of(result, sizeof(result));
    ca_buf_init(&value, 4096);
    schema_encode_token(&token, &value);
    st = ca_buf_status(&value, "a token's row", err);
    if (st == CA_OK) {
        st = store_put(txn, STORE_TOKEN,
                       schema_key_token(&key, SCHEMA_TOKEN_CREATE_CA, 0, plan->token_hash),
                       ca_buf_view(&value), STORE_UPSERT, err);
    }
    ca_buf_clear(&value);
    return st;
}

/* ---- Before the transaction ---- */

static enum ca_status check_arguments(struct batch_registry *registry, struct plan *plan,
                                      struct ca_error *err)
{
    const struct batch_ca_create *spec = plan->spec;
    enum ca_status st = batch_name_check(spec->name, "CA", err);

    if (st != CA_OK) return st;
    if (spec->token != NULL) {
        st = ca_token_check(spec->token, err);
        if (st != CA_OK) return st;
    }
    st = batch_uuid_draw(registry->crypto, plan->uuid, err);
    if (st != CA_OK) return st;
    st = ca_config_parse(spec->config_json, &plan->config, err);
    if (st != CA_OK) return st;
    st = batch_ca_parse_revocation(registry, plan->uuid, spec->revocation_json,
                                   (struct ca_bytes){ 0 }, &plan->revocation, err);
    if (st != CA_OK) return st;
    st = batch_tags_set((struct ca_bytes){ 0 }, spec->tags, spec->tag_count, &plan->tags, err);
    if (st != CA_OK || spec->token == NULL) return st;
    return hash_arguments(registry->crypto, plan, err);
}

static enum ca_status check_name_free(struct batch_registry *registry, struct store_txn *txn,
                                      const char *name, struct ca_error *err)
{
    struct batch_ca ca = { 0 };
    bool found = false;
    enum ca_status st = batch_ca_look_up(registry, txn, name, &found, &ca, err);

    if (st != CA_OK || !found) return st;
    st = ca_fail_named(err, CA_REFUSED, "ca-exists", "there is a CA \"%s\" already (it is %s)",
                       name, batch_ca_status_name(&ca));
    ca_hint(err, "take another name; a deleted CA keeps its name while it can be restored");
    batch_ca_clear(&ca);
    return st;
}

/* The answer is known without a key in most cases that fail; RSA-4096 takes a second. */
static enum ca_status look_before(struct batch_registry *registry, const struct plan *plan,
                                  struct batch_ca *out, bool *existed, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    enum ca_status st = store_begin(registry->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = find_replay(registry, txn, plan, out, existed, err);
    if (st == CA_OK && !*existed) st = check_name_free(registry, txn, plan->spec->name, err);
    store_abort(txn);
    return st;
}

static enum ca_status make_key(struct batch_registry *registry, struct plan *plan,
                               struct ca_error *err)
{
    struct ca_signer *signer = NULL;
    struct ca_bytes secret;
    enum ca_status st = batch_registry_passphrase(registry, true, &secret, err);

    if (st != CA_OK) return st;
    st = ca_key_generate(registry->crypto, plan->config.key_alg, &plan->key, err);
    if (st != CA_OK) return st;
    st = ca_signer_new(registry->crypto, plan->key, plan->config.sig_alg, &signer, err);
    if (st != CA_OK) return st;
    st = ca_csr_build(signer, ca_key_spki(plan->key), ca_buf_view(&plan->config.subject),
                      ca_buf_view(&plan->config.csr_extensions), &plan->csr, err);
    ca_signer_free(signer);
    if (st != CA_OK) return st;
    return batch_key_encode(registry->crypto, plan->key, secret, &plan->pem, err);
}

/* ---- The transaction ---- */

static enum ca_status put_rows(struct store_txn *txn, const struct plan *plan, uint32_t number,
                               int64_t now_ms, struct ca_error *err)
{
    const struct batch_ca_create *spec = plan->spec;
    struct batch_ca ca = {
        .number = number,
        .row = {
            .name = ca_bytes_str(spec->name),
            .is_root = spec->is_root,
            .state = SCHEMA_CA_PENDING_CERTIFICATE,
            .short_lived = spec->short_lived,
            .key_alg = (uint8_t)plan->config.key_alg,
            .sig_alg = (uint8_t)plan->config.sig_alg,
            .created_ms = now_ms,
            .changed_ms = now_ms,
            .config = ca_buf_view(&plan->config.json),
            .revocation = ca_buf_view(&plan->revocation.json),
            .tags = ca_buf_view(&plan->tags),
            .subject = ca_buf_view(&plan->config.subject),
            .spki = ca_key_spki(plan->key),
            .csr = ca_buf_view(&plan->csr),
        },
    };
    enum ca_status st;

    memcpy(ca.row.uuid, plan->uuid, SCHEMA_UUID_LEN);
    st = batch_scope_reconfigure(&ca.row, NULL, &plan->revocation, err);
    if (st != CA_OK) return st;
    st = batch_ca_put(txn, &ca, STORE_INSERT, err);
    if (st != CA_OK) return st;
    return put_token(txn, plan, number, now_ms, err);
}

/* Key file and rows. The file comes first: a row without its key would be a CA that cannot sign. */
static enum ca_status put_ca(struct batch_registry *registry, struct store_txn *txn,
                             const struct plan *plan, uint32_t *number, struct ca_error *err)
{
    struct schema_clock clock;
    enum ca_status st = batch_registry_read_clock(txn, &clock, err);

    if (st != CA_OK) return st;
    if (clock.last_ca == UINT32_MAX) return ca_fail(err, CA_FULL, "the store is out of CA numbers");
    clock.last_ca++;
    st = batch_key_write(registry, plan->uuid, ca_buf_view(&plan->pem), err);
    if (st != CA_OK) return st;
    st = put_rows(txn, plan, clock.last_ca, ca_clock_now_ms(&registry->clock), err);
    if (st == CA_OK) st = batch_registry_write_clock(txn, &clock, err);
    *number = clock.last_ca;
    return st;
}

/* Ends txn. A failure after the key file was written leaves it: after a failed commit the row may
 * be on the disk all the same, and an orphan goes with the next create. */
static enum ca_status create_inside(struct batch_registry *registry, struct store_txn *txn,
                                    const struct plan *plan, struct batch_ca *out, bool *existed,
                                    struct ca_error *err)
{
    uint32_t number = 0;
    bool found = false;
    enum ca_status st = batch_ca_bury(registry, txn, err);      /* its name may be the one wanted */

    if (st == CA_OK) st = find_replay(registry, txn, plan, out, existed, err);
    if (st != CA_OK || *existed) goto abort;
    st = check_name_free(registry, txn, plan->spec->name, err);
    if (st == CA_OK) st = batch_key_erase_orphans(registry, txn, err);
    if (st == CA_OK) st = put_ca(registry, txn, plan, &number, err);
    if (st == CA_OK) st = batch_ca_get(registry, txn, number, &found, out, err);
    if (st != CA_OK) goto abort;
    st = store_commit(txn, err);
    if (st != CA_OK) batch_ca_clear(out);
    return st;
abort:
    store_abort(txn);
    return st;
}

enum ca_status batch_ca_create(struct batch_registry *registry, const struct batch_ca_create *spec,
                               struct batch_ca *out, bool *existed, struct ca_error *err)
{
    struct plan plan = { .spec = spec };
    struct store_txn *txn = NULL;
    enum ca_status st;

    *out = (struct batch_ca){ 0 };
    *existed = false;
    ca_buf_init(&plan.tags, BATCH_CA_ROW_MAX);
    ca_buf_init(&plan.csr, CSR_MAX);
    st = check_arguments(registry, &plan, err);
    if (st != CA_OK) goto out;
    st = look_before(registry, &plan, out, existed, err);
    if (st != CA_OK || *existed) goto out;
    st = make_key(registry, &plan, err);
    if (st != CA_OK) goto out;
    st = store_begin(registry->store, STORE_WRITE, &txn, err);
    if (st != CA_OK) goto out;
    st = create_inside(registry, txn, &plan, out, existed, err);
out:
    plan_clear(&plan);
    return st;
}
