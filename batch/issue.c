#include "batch/issue.h"

#include "batch/committer.h"
#include "batch/profile.h"
#include "batch/scope.h"
#include "batch/worker.h"
#include "engine/ca_config.h"
#include "engine/pem.h"

#include <stdlib.h>
#include <string.h>

/* Everything a single issue holds on its way. */
struct single {
    struct batch_registry *registry;
    const struct batch_issue *spec;
    struct batch_terms *terms;
    struct batch_issuer *issuer;
    struct batch_compiled compiled;
    struct batch_profile row;           /* the plan's only one */
    struct batch_plan plan;
    struct batch_worker *worker;
    struct batch_chunk *chunk;
    uint8_t token_hash[SCHEMA_HASH_LEN], arguments[SCHEMA_HASH_LEN];
};

static enum ca_status make_plan(struct single *single, struct ca_error *err)
{
    const struct batch_issue *spec = single->spec;
    const struct batch_profile_ask ask = {
        .terms = single->terms, .validity = spec->validity,
        .not_before_s = spec->not_before_s, .sig_alg = spec->sig_alg,
    };
    enum ca_status st = batch_profile_compile(single->registry, single->issuer, &ask,
                                              &single->compiled, err);

    if (st != CA_OK) return st;
    single->row = (struct batch_profile){ .profile = single->compiled.profile,
                                          .issuer = single->issuer,
                                          .id = batch_profile_id(single->compiled.hash) };
    single->plan = (struct batch_plan){ .profiles = &single->row, .profile_count = 1,
                                        .seed = single->registry->seed };
    return CA_OK;
}

/* A root signs itself only for its own key: anything else would be a second root under its name. */
static enum ca_status check_own_request(const struct single *single, struct ca_error *err)
{
    const struct batch_item *item = &single->chunk->items[0];

    if (!single->issuer->self || item->refused) return CA_OK;
    if (ca_bytes_equal(item->request.key.whole, ca_key_spki(single->issuer->key))) return CA_OK;
    return ca_refuse(err, CA_REASON_TEMPLATE_NOT_FOR_ISSUER,
                     "a root template signs only this CA's own CSR (certmill ca csr prints it)");
}

static enum ca_status check_verdict(const struct single *single, struct ca_error *err)
{
    const struct batch_chunk *chunk = single->chunk;
    const struct batch_item *item = &chunk->items[0];

    if (chunk->fatal.status != CA_OK) {
        *err = chunk->fatal;
        return err->status;
    }
    if (item->refused)
        return ca_refuse(err, (enum ca_reason)item->reason, "%.*s", (int)item->detail.len,
                         (const char *)chunk->details.data + item->detail.offset);
    return check_own_request(single, err);
}

/* Tick and scope come from the store, so that single issues keep the order of serials too. */
static enum ca_status draw_tick(struct single *single, struct ca_error *err)
{
    struct batch_chunk *chunk = single->chunk;
    struct store_txn *txn = NULL;
    struct schema_clock clock;
    int64_t now_ms = 0;
    enum ca_status st = store_begin(single->registry->store, STORE_READ, &txn, err);

    if (st == CA_OK) st = batch_registry_issuing_time(single->registry, txn, &now_ms, err);
    if (st == CA_OK) st = batch_registry_read_clock(txn, &clock, err);
    chunk->scope = 0;
    /* A root's own certificate is on no CRL of its own. */
    if (st == CA_OK && !single->issuer->self)
        st = batch_scope_take(single->registry, txn, single->issuer, &chunk->scope, err);
    store_abort(txn);
    if (st != CA_OK) return st;
    chunk->tick_ms = ca_tick_next(now_ms, clock.last_tick_ms);
    return CA_OK;
}

static enum ca_status sign(struct single *single, struct ca_error *err)
{
    struct ingest_record record = { .kind = INGEST_FILE, .data = single->spec->csr };
    enum ca_status st = make_plan(single, err);

    if (st == CA_OK) st = batch_worker_new(&single->plan, &single->worker, err);
    if (st == CA_OK) st = batch_chunk_new(&single->chunk, err);
    if (st != CA_OK) return st;
    if (record.data.len > INGEST_RECORD_MAX)
        return ca_refuse(err, CA_REASON_RECORD_TOO_LONG, "the CSR file is longer than %d octets",
                         INGEST_RECORD_MAX);
    batch_chunk_reset(single->chunk, &single->plan, 0, 0);
    (void)batch_chunk_add(single->chunk, &record);
    st = draw_tick(single, err);
    if (st != CA_OK) return st;
    batch_worker_process(single->worker, single->chunk, NULL, NULL);
    return check_verdict(single, err);
}

static enum ca_status put_token(const struct single *single, struct store_txn *txn,
                                struct ca_error *err)
{
    struct schema_token row = {
        .created_ms = ca_clock_now_ms(&single->registry->clock),
        .result = ca_bytes_of(single->chunk->items[0].serial.octets, SCHEMA_SERIAL_LEN),
    };
    struct schema_key key;
    struct ca_buf value;
    enum ca_status st;

    memcpy(row.arguments, single->arguments, sizeof(row.arguments));
    ca_buf_init(&value, 1024);
    schema_encode_token(&row, &value);
    st = ca_buf_status(&value, "a token's row", err);
    if (st == CA_OK)
        st = store_put(txn, STORE_TOKEN,
                       schema_key_token(&key, SCHEMA_TOKEN_ISSUE, single->issuer->ca,
                                        single->token_hash),
                       ca_buf_view(&value), STORE_INSERT, err);
    if (st == CA_DUPLICATE)
        st = ca_fail_named(err, CA_REFUSED, "idempotency",
                           "another process used this idempotency token at the same moment; "
                           "run the command again");
    ca_buf_clear(&value);
    return st;
}

/* What stands in the certificate's transaction beside it. */
static enum ca_status put_beside(void *ctx, struct store_txn *txn, struct ca_error *err)
{
    const struct single *single = ctx;
    enum ca_status st = batch_profile_put(txn, &single->compiled, err);

    return st == CA_OK && single->spec->token != NULL ? put_token(single, txn, err) : st;
}

/* With its length before it, so that nothing can be taken for what follows. */
static void add_argument(struct ca_buf *text, const char *name, struct ca_bytes value)
{
    ca_buf_printf(text, "%s %zu\n", name, value.len);
    ca_buf_append_bytes(text, value);
    ca_buf_append_u8(text, '\n');
}

/* Everything the caller asked for, in one unambiguous string of octets. */
static void describe_arguments(const struct single *single, struct ca_buf *text)
{
    const struct batch_issue *spec = single->spec;
    const struct batch_terms *terms = single->terms;
    char validity[CA_VALIDITY_TEXT_MAX] = "";

    if (spec->validity.type != CA_VALIDITY_NONE) ca_validity_format(&spec->validity, validity);
    ca_buf_printf(text, "issue\nvalidity %s\nnot_before %lld\nsig_alg %d\nstrict %d\n", validity,
                  (long long)spec->not_before_s, (int)spec->sig_alg, terms->strict ? 1 : 0);
    add_argument(text, "template", ca_bytes_str(terms->tmpl->name));
    add_argument(text, "source", terms->tmpl->source);
    add_argument(text, "api", ca_buf_view(&terms->api_json));
    if (terms->blocklist != NULL)
        add_argument(text, "blocklist", ca_bytes_of(ca_blocklist_hash(terms->blocklist), 32));
    add_argument(text, "csr", spec->csr);
}

static enum ca_status hash_arguments(struct single *single, struct ca_error *err)
{
    const struct batch_issue *spec = single->spec;
    struct ca_crypto *crypto = single->registry->crypto;
    struct ca_buf text;
    enum ca_status st;

    ca_buf_init(&text, spec->csr.len + single->terms->tmpl->source.len +
                           single->terms->api_json.len + 4096);
    describe_arguments(single, &text);
    st = ca_buf_status(&text, "the request's arguments", err);
    if (st == CA_OK)
        st = ca_crypto_digest(crypto, CA_DIGEST_SHA256, ca_buf_view(&text), single->arguments,
                              err);
    if (st == CA_OK)
        st = ca_crypto_digest(crypto, CA_DIGEST_SHA256, ca_bytes_str(spec->token),
                              single->token_hash, err);
    ca_buf_clear(&text);
    return st;
}

static void add_chain(const struct ca_issuer *issuer, struct ca_buf *out)
{
    if (issuer == NULL) return;
    ca_pem_append(out, "CERTIFICATE", ca_bytes_of(issuer->der, issuer->der_len));
    for (size_t i = 0; i < issuer->chain_len; i++)
        ca_pem_append(out, "CERTIFICATE", issuer->chain[i]);
}

static enum ca_status give_out(const struct single *single, const struct ca_serial *serial,
                               int64_t not_after_s, struct ca_bytes der, struct batch_issued *out,
                               struct ca_error *err)
{
    enum ca_status st;

    out->serial = *serial;
    out->not_after_s = not_after_s;
    ca_pem_append(&out->pem, "CERTIFICATE", der);
    add_chain(single->issuer->issuer, &out->chain_pem);
    st = ca_buf_status(&out->pem, "the certificate", err);
    if (st == CA_OK) st = ca_buf_status(&out->chain_pem, "the chain", err);
    return st;
}

/* The certificate that the token got before. */
static enum ca_status replay(const struct single *single, struct store_txn *txn,
                             const struct schema_token *token, struct batch_issued *out,
                             struct ca_error *err)
{
    struct ca_serial serial = { .len = SCHEMA_SERIAL_LEN };
    struct schema_cert row;
    struct schema_key key;
    struct ca_bytes value;
    bool found = false;
    enum ca_status st;

    if (memcmp(token->arguments, single->arguments, SCHEMA_HASH_LEN) != 0)
        return ca_fail_named(err, CA_REFUSED, "idempotency",
                             "this idempotency token was used before with other arguments");
    if (token->result.len != SCHEMA_SERIAL_LEN)
        return ca_fail_named(err, CA_CORRUPT, "bad-row", "a token's row has no serial");
    memcpy(serial.octets, token->result.data, SCHEMA_SERIAL_LEN);
    st = store_get(txn, STORE_CERT, schema_key_cert(&key, serial.octets, single->issuer->ca),
                   &found, &value, err);
    if (st == CA_OK && !found)
        st = ca_fail_named(err, CA_CORRUPT, "bad-row", "a token's certificate is missing");
    if (st == CA_OK) st = schema_decode_cert(value, &row, err);
    if (st == CA_OK) st = give_out(single, &serial, row.not_after_s, row.der, out, err);
    out->replayed = st == CA_OK;
    return st;
}

static enum ca_status try_replay(struct single *single, struct batch_issued *out,
                                 struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct schema_token token;
    struct schema_key key;
    struct ca_bytes value;
    bool found = false;
    enum ca_status st;

    if (single->spec->token == NULL) return CA_OK;
    st = ca_token_check(single->spec->token, err);
    if (st == CA_OK) st = hash_arguments(single, err);
    if (st == CA_OK) st = store_begin(single->registry->store, STORE_READ, &txn, err);
    if (st != CA_OK) return st;
    st = store_get(txn, STORE_TOKEN,
                   schema_key_token(&key, SCHEMA_TOKEN_ISSUE, single->issuer->ca,
                                    single->token_hash),
                   &found, &value, err);
    if (st == CA_OK && found) st = schema_decode_token(value, &token, err);
    if (st == CA_OK && found) st = replay(single, txn, &token, out, err);
    store_abort(txn);
    return st;
}

static enum ca_status commit(struct single *single, struct ca_error *err)
{
    const struct batch_group group = {
        .store = single->registry->store, .plan = &single->plan,
        .now_ms = ca_clock_now_ms(&single->registry->clock), .chunks = &single->chunk,
        .chunk_count = 1, .known_max = single->registry->known_keys_max, .also = put_beside,
        .also_ctx = single,
    };
    enum ca_status st = store_reserve_check(single->registry->store, err);

    return st == CA_OK ? batch_group_commit(&group, err) : st;
}

static void single_clear(struct single *single)
{
    batch_worker_free(single->worker);
    batch_chunk_free(single->chunk);
    batch_compiled_clear(&single->compiled);
    batch_issuer_free(single->issuer);
    batch_terms_free(single->terms);
}

/* Signs and stores, and hands out what is durable. */
static enum ca_status issue(struct single *single, struct batch_issued *out, struct ca_error *err)
{
    const struct batch_item *item;
    enum ca_status st = sign(single, err);

    if (st == CA_OK) st = commit(single, err);
    if (st != CA_OK) return st;
    item = &single->chunk->items[0];
    out->ignored = item->contents.ignored;
    out->notices = single->chunk->notices;
    return give_out(single, &item->serial, item->not_after_s,
                    ca_bytes_of(single->chunk->certs.data + item->slot.der_offset,
                                item->slot.der_len),
                    out, err);
}

enum ca_status batch_issue(struct batch_registry *registry, const struct batch_issue *spec,
                           struct batch_issued *out, struct ca_error *err)
{
    struct single single = { .registry = registry, .spec = spec };
    struct ca_error local;          /* verdicts need a place to stand in */
    struct ca_error *e = err != NULL ? err : &local;
    enum ca_status st = batch_terms_new(&spec->terms, registry->crypto, &single.terms, e);

    memset(out, 0, sizeof(*out));
    ca_buf_init(&out->pem, 2 * CA_CERT_DER_MAX);
    ca_buf_init(&out->chain_pem, 2 * CA_CERT_DER_MAX * (CA_CHAIN_CERTS_MAX + 1));
    if (st == CA_OK)
        st = batch_issuer_load(registry, spec->ca,
                               single.terms->tmpl->kind == CA_TEMPLATE_ROOT_CA, &single.issuer, e);
    if (st == CA_OK) st = try_replay(&single, out, e);
    if (st == CA_OK && !out->replayed) st = issue(&single, out, e);
    single_clear(&single);
    if (st != CA_OK) batch_issued_clear(out);
    return st;
}

void batch_issued_clear(struct batch_issued *issued)
{
    ca_buf_clear(&issued->pem);
    ca_buf_clear(&issued->chain_pem);
}
