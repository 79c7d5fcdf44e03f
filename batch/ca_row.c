#include "batch/ca_row.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- States (spec section 3) ---- */

enum ca_phase {
    PHASE_CREATING, PHASE_PENDING, PHASE_ACTIVE, PHASE_DISABLED, PHASE_EXPIRED, PHASE_FAILED,
    PHASE_DELETED, PHASE_COUNT
};

static const char *const phase_names[PHASE_COUNT] = {
    [PHASE_CREATING] = "CREATING",
    [PHASE_PENDING] = "PENDING_CERTIFICATE",
    [PHASE_ACTIVE] = "ACTIVE",
    [PHASE_DISABLED] = "DISABLED",
    [PHASE_EXPIRED] = "EXPIRED",
    [PHASE_FAILED] = "FAILED",
    [PHASE_DELETED] = "DELETED",
};

static enum ca_phase phase_of(const struct batch_ca *ca)
{
    switch ((enum schema_ca_state)ca->row.state) {
    case SCHEMA_CA_CREATING: return PHASE_CREATING;
    case SCHEMA_CA_PENDING_CERTIFICATE: return PHASE_PENDING;
    case SCHEMA_CA_ACTIVE: return ca->expired ? PHASE_EXPIRED : PHASE_ACTIVE;
    case SCHEMA_CA_DISABLED: return ca->expired ? PHASE_EXPIRED : PHASE_DISABLED;
    case SCHEMA_CA_FAILED: return PHASE_FAILED;
    case SCHEMA_CA_DELETED:
    case SCHEMA_CA_TOMBSTONE: break;
    }
    return PHASE_DELETED;
}

const char *batch_ca_status_name(const struct batch_ca *ca)
{
    return phase_names[phase_of(ca)];
}

#define CREATING (1u << PHASE_CREATING)
#define PENDING (1u << PHASE_PENDING)
#define ACTIVE (1u << PHASE_ACTIVE)
#define DISABLED (1u << PHASE_DISABLED)
#define EXPIRED (1u << PHASE_EXPIRED)
#define FAILED (1u << PHASE_FAILED)
#define DELETED (1u << PHASE_DELETED)

/* Spec 3.1, with the fragments that clients of the original match on. Where the original has none,
 * the sentence follows its model. */
static const struct {
    unsigned phases;
    const char *sentence;
} operations[BATCH_CA_OPERATION_COUNT] = {
    [BATCH_CA_GET_CSR] = { PENDING | ACTIVE | DISABLED | EXPIRED,
        "The certificate authority is not in the correct state to have a certificate signing "
        "request" },
    /* The same fragment, oddly, before the import. */
    [BATCH_CA_GET_CERTIFICATE] = { ACTIVE | DISABLED | EXPIRED,
        "The certificate authority is not in the correct state to have a certificate signing "
        "request" },
    [BATCH_CA_ISSUE] = { ACTIVE,
        "The certificate authority is not in a valid state for issuing certificates" },
    [BATCH_CA_SIGN_SELF] = { PENDING | ACTIVE | EXPIRED,
        "The certificate authority is not in a valid state for issuing certificates" },
    /* DISABLED: one page of the vendor refuses it, another describes it. A renewal must be possible
     * without letting the CA issue meanwhile, so it is allowed and stays DISABLED. */
    [BATCH_CA_IMPORT] = { PENDING | ACTIVE | DISABLED | EXPIRED,
        "The certificate authority is not in a valid state for importing a certificate" },
    [BATCH_CA_UPDATE] = { ACTIVE | DISABLED,
        "The certificate authority must be in the ACTIVE or DISABLED state to be updated" },
    [BATCH_CA_DELETE] = { CREATING | PENDING | DISABLED | EXPIRED | FAILED,
        "The certificate authority is not in a valid state for deletion." },
    [BATCH_CA_RESTORE] = { DELETED,
        "The certificate authority is not in a valid state for restoration." },
    [BATCH_CA_TAG] = { CREATING | PENDING | ACTIVE | DISABLED | EXPIRED | FAILED,
        "The certificate authority is not in a valid state for tagging" },
};

/* What to do about a CA in the wrong state. */
static void hint_for_phase(struct ca_error *err, const struct batch_ca *ca,
                           enum batch_ca_operation operation)
{
    char name[BATCH_CA_NAME_MAX + 1];

    (void)snprintf(name, sizeof(name), "%.*s", (int)ca->row.name.len,
                   (const char *)ca->row.name.data);
    if (operation == BATCH_CA_RESTORE) {
        ca_hint(err, "only a deleted CA can be restored");
        return;
    }
    if (operation == BATCH_CA_DELETE && phase_of(ca) == PHASE_DELETED) {
        ca_hint(err, "it has been deleted already");
        return;
    }
    switch (phase_of(ca)) {
    case PHASE_CREATING: ca_hint(err, "wait until it has been created"); break;
    case PHASE_PENDING: ca_hint(err, "give it a certificate: certmill ca activate %s", name); break;
    case PHASE_ACTIVE:
        ca_hint(err, "disable it first: certmill ca update %s --status DISABLED", name);
        break;
    case PHASE_DISABLED:
        ca_hint(err, "enable it: certmill ca update %s --status ACTIVE", name);
        break;
    case PHASE_EXPIRED:
        ca_hint(err, "give it a fresh certificate: certmill ca activate %s", name);
        break;
    case PHASE_FAILED: ca_hint(err, "delete it: certmill ca delete %s", name); break;
    case PHASE_DELETED: ca_hint(err, "restore it: certmill ca restore %s", name); break;
    case PHASE_COUNT: break;
    }
}

enum ca_status batch_ca_check_state(const struct batch_ca *ca, enum batch_ca_operation operation,
                                    struct ca_error *err)
{
    enum ca_phase phase = phase_of(ca);

    if ((operations[operation].phases & (1u << phase)) != 0) return CA_OK;
    if (operation == BATCH_CA_GET_CSR && phase == PHASE_CREATING) {
        return ca_fail_named(err, CA_AGAIN, "request-in-progress",
                             "the certificate authority is still being created");
    }
    (void)ca_fail_named(err, CA_REFUSED, "invalid-state", "%s (%.*s is %s)",
                        operations[operation].sentence,
                        (int)(ca->row.name.len < 60 ? ca->row.name.len : 60),
                        (const char *)ca->row.name.data, phase_names[phase]);
    hint_for_phase(err, ca, operation);
    return CA_REFUSED;
}

/* ---- Reading rows ---- */

static bool is_name_char(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return !first && (c == '.' || c == '_' || c == '-');
}

enum ca_status batch_name_check(const char *name, const char *what, struct ca_error *err)
{
    size_t len = strlen(name);
    bool good = len > 0 && len <= BATCH_CA_NAME_MAX;

    for (size_t i = 0; good && i < len; i++) good = is_name_char(name[i], i == 0);
    if (good) return CA_OK;
    return ca_fail_named(err, CA_REFUSED, "name",
                         "a %s's name has 1 to %d letters, digits, dots, underscores and hyphens "
                         "and begins with a letter or digit", what, BATCH_CA_NAME_MAX);
}

static void format_arn(const struct schema_identity *identity, struct batch_ca *ca)
{
    char uuid[37];
    int len;

    batch_uuid_format(ca->row.uuid, uuid);
    len = snprintf(ca->arn, sizeof(ca->arn), "arn:aws:acm-pca:%.*s:%.*s:certificate-authority/%s",
                   (int)identity->region.len, (const char *)identity->region.data,
                   (int)identity->account.len, (const char *)identity->account.data, uuid);
    assert(len > 0 && (size_t)len < sizeof(ca->arn));   /* the lengths were checked at open */
    (void)len;                                          /* used by the assertion only */
}

static enum ca_status derive_dates(const struct batch_registry *registry, struct batch_ca *ca,
                                   struct ca_error *err)
{
    struct ca_cert cert;

    if (ca->row.cert.len == 0) return CA_OK;
    if (ca_cert_parse(ca->row.cert, &cert, NULL) != CA_OK) {
        return ca_fail_named(err, CA_CORRUPT, "bad-row",
                             "CA %u: its certificate in the store cannot be read", ca->number);
    }
    ca->serial = cert.serial;
    ca->not_before_s = cert.not_before_s;
    ca->not_after_s = cert.not_after_s;
    /* RFC 5280 4.1.2.5: notAfter is the last second of the period. */
    ca->expired = ca->row.state != SCHEMA_CA_DELETED && ca->row.state != SCHEMA_CA_TOMBSTONE &&
                  ca_clock_now_s(&registry->clock) > cert.not_after_s;
    return CA_OK;
}

enum ca_status batch_ca_decode(const struct batch_registry *registry, uint32_t number,
                               struct ca_bytes value, struct batch_ca *out, struct ca_error *err)
{
    enum ca_status st;

    *out = (struct batch_ca){ .number = number };
    ca_buf_init(&out->value, BATCH_CA_ROW_MAX);
    ca_buf_append_bytes(&out->value, value);
    st = ca_buf_status(&out->value, "a CA's row", err);
    if (st == CA_OK) st = schema_decode_ca(ca_buf_view(&out->value), &out->row, err);
    if (st == CA_OK) st = derive_dates(registry, out, err);
    if (st == CA_OK) format_arn(&registry->identity, out);
    if (st != CA_OK) batch_ca_clear(out);
    return st;
}

void batch_ca_clear(struct batch_ca *ca)
{
    ca_buf_clear(&ca->value);
    *ca = (struct batch_ca){ 0 };
}

enum ca_status batch_ca_get(const struct batch_registry *registry, struct store_txn *txn,
                            uint32_t number, bool *found, struct batch_ca *out,
                            struct ca_error *err)
{
    struct schema_key key;
    struct ca_bytes value;
    enum ca_status st =
        store_get(txn, STORE_CA, schema_key_ca(&key, number), found, &value, err);

    *out = (struct batch_ca){ 0 };
    if (st != CA_OK || !*found) return st;
    return batch_ca_decode(registry, number, value, out, err);
}

enum ca_status batch_ca_next(const struct batch_registry *registry, struct store_txn *txn,
                             uint32_t after, bool *found, struct batch_ca *out,
                             struct ca_error *err)
{
    struct store_cursor *cursor = NULL;
    struct schema_key key;
    struct ca_bytes key_out, value;
    uint32_t number = 0;
    enum ca_status st;

    *out = (struct batch_ca){ 0 };
    *found = false;
    if (after == UINT32_MAX) return CA_OK;
    st = store_cursor_open(txn, STORE_CA, &cursor, err);
    if (st != CA_OK) return st;
    st = store_cursor_seek(cursor, schema_key_ca(&key, after + 1), found, &key_out, &value, err);
    if (st == CA_OK && *found) st = schema_read_key_u32(key_out, &number, err);
    if (st == CA_OK && *found) st = batch_ca_decode(registry, number, value, out, err);
    store_cursor_close(cursor);
    return st;
}

bool batch_ca_is_gone(const struct batch_registry *registry, const struct batch_ca *ca)
{
    if (ca->row.state == SCHEMA_CA_TOMBSTONE) return true;
    return ca->row.state == SCHEMA_CA_DELETED &&
           ca_clock_now_ms(&registry->clock) >= ca->row.restorable_until_ms;
}

static bool is_called(const struct batch_ca *ca, const char *name_or_arn)
{
    if (strncmp(name_or_arn, "arn:", 4) == 0) return strcmp(ca->arn, name_or_arn) == 0;
    return ca_bytes_equal(ca->row.name, ca_bytes_str(name_or_arn));
}

enum ca_status batch_ca_look_up(const struct batch_registry *registry, struct store_txn *txn,
                                const char *name_or_arn, bool *found, struct batch_ca *out,
                                struct ca_error *err)
{
    uint32_t after = 0;

    /* CAs are few: a walk over their rows costs less to keep right than an index of names. */
    for (;;) {
        enum ca_status st = batch_ca_next(registry, txn, after, found, out, err);

        if (st != CA_OK || !*found) return st;
        if (!batch_ca_is_gone(registry, out) && is_called(out, name_or_arn)) return CA_OK;
        after = out->number;
        batch_ca_clear(out);
    }
}

enum ca_status batch_ca_parse_revocation(const struct batch_registry *registry,
                                         const uint8_t uuid[SCHEMA_UUID_LEN], struct ca_bytes json,
                                         struct ca_bytes previous, struct ca_revocation *out,
                                         struct ca_error *err)
{
    const struct ca_bytes *region = &registry->identity.region;
    char region_text[64], uuid_text[37];

    assert(region->len < sizeof(region_text));      /* checked at open */
    memcpy(region_text, region->data, region->len);
    region_text[region->len] = '\0';
    batch_uuid_format(uuid, uuid_text);
    return ca_revocation_parse(json, previous, region_text, uuid_text, out, err);
}

enum ca_status batch_ca_put(struct store_txn *txn, const struct batch_ca *ca,
                            enum store_put_mode mode, struct ca_error *err)
{
    struct schema_key key;
    struct ca_buf value;
    enum ca_status st;

    ca_buf_init(&value, BATCH_CA_ROW_MAX);
    schema_encode_ca(&ca->row, &value);
    st = ca_buf_status(&value, "a CA's row", err);
    if (st == CA_OK) {
        st = store_put(txn, STORE_CA, schema_key_ca(&key, ca->number), ca_buf_view(&value), mode,
                       err);
    }
    ca_buf_clear(&value);
    return st;
}

/* ---- One change to one CA ---- */

enum ca_status batch_ca_edit_begin(struct batch_registry *registry, const char *name_or_arn,
                                   enum batch_ca_operation operation, struct batch_ca_edit *edit,
                                   struct ca_error *err)
{
    enum ca_status st;

    *edit = (struct batch_ca_edit){ 0 };
    st = store_begin(registry->store, STORE_WRITE, &edit->txn, err);
    if (st != CA_OK) return st;
    st = batch_ca_find(registry, edit->txn, name_or_arn, &edit->ca, err);
    if (st != CA_OK) return st;
    return batch_ca_check_state(&edit->ca, operation, err);
}

enum ca_status batch_ca_edit_end(struct batch_ca_edit *edit, enum ca_status st,
                                 struct ca_error *err)
{
    if (st == CA_OK) st = batch_ca_put(edit->txn, &edit->ca, STORE_UPSERT, err);
    if (st == CA_OK) {
        st = store_commit(edit->txn, err);
    } else {
        store_abort(edit->txn);
    }
    batch_ca_clear(&edit->ca);
    return st;
}
