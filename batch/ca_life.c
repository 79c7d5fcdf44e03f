/* A CA disabled and enabled, deleted, restored and buried; its tags. */
#include "batch/ca_key.h"
#include "batch/ca_row.h"
#include "batch/scope.h"

#define RESTORE_DAYS_MIN 7
#define RESTORE_DAYS_MAX 30

/* ---- Update ---- */

/* New settings may open a CRL scope. */
static enum ca_status open_scope(struct batch_registry *registry, struct batch_ca *ca,
                                 const struct ca_revocation *revocation, struct ca_error *err)
{
    struct ca_revocation before = { 0 };
    enum ca_status st = batch_ca_parse_revocation(registry, ca->row.uuid, ca->row.revocation,
                                                  (struct ca_bytes){ 0 }, &before, err);

    if (st == CA_OK) st = batch_scope_reconfigure(&ca->row, &before, revocation, err);
    ca_revocation_clear(&before);
    return st;
}

static enum ca_status update_row(struct batch_registry *registry, struct batch_ca *ca,
                                 uint8_t status, struct ca_bytes revocation_json,
                                 struct ca_revocation *revocation, struct ca_error *err)
{
    bool changed = status != 0 && status != ca->row.state;
    enum ca_status st = CA_OK;

    if (status != 0) ca->row.state = status;
    if (revocation_json.len > 0) {
        st = batch_ca_parse_revocation(registry, ca->row.uuid, revocation_json,
                                       ca->row.revocation, revocation, err);
        if (st == CA_OK) st = open_scope(registry, ca, revocation, err);
        if (st != CA_OK) return st;
        ca->row.revocation = ca_buf_view(&revocation->json);
        changed = true;
    }
    if (changed) ca->row.changed_ms = ca_clock_now_ms(&registry->clock);
    return CA_OK;
}

static enum ca_status update_once(struct batch_registry *registry, const char *name,
                                  uint8_t status, struct ca_bytes revocation_json,
                                  struct ca_error *err)
{
    struct ca_revocation revocation = { 0 };
    struct batch_ca_edit edit;
    enum ca_status st = batch_ca_edit_begin(registry, name, BATCH_CA_UPDATE, &edit, err);

    if (st == CA_OK) {
        st = update_row(registry, &edit.ca, status, revocation_json, &revocation, err);
    }
    st = batch_ca_edit_end(&edit, st, err);
    ca_revocation_clear(&revocation);
    return st;
}

enum ca_status batch_ca_update(struct batch_registry *registry, const char *name, uint8_t status,
                               struct ca_bytes revocation_json, struct ca_error *err)
{
    enum ca_status st;

    if (status != 0 && status != SCHEMA_CA_ACTIVE && status != SCHEMA_CA_DISABLED) {
        return ca_fail_named(err, CA_REFUSED, "invalid-request",
                             "a CA's status can be set to ACTIVE or DISABLED only");
    }
    st = update_once(registry, name, status, revocation_json, err);
    /* A CA must be stoppable on a full disk too: that is what the reserve is for. */
    if (st != CA_FULL || batch_registry_use_reserve(registry, NULL) != CA_OK) return st;
    return update_once(registry, name, status, revocation_json, err);
}

/* ---- Delete and restore ---- */

/* The key goes before the row says so: a crash between leaves a row whose key is erased again, not
 * a key that nobody remembers. */
static enum ca_status make_tombstone(struct batch_registry *registry, struct batch_ca *ca,
                                     struct ca_error *err)
{
    enum ca_status st = batch_key_erase(registry, ca->row.uuid, err);

    if (st != CA_OK) return st;
    ca->row.state = SCHEMA_CA_TOMBSTONE;
    ca->row.state_before = 0;
    ca->row.restorable_until_ms = 0;
    ca->row.changed_ms = ca_clock_now_ms(&registry->clock);
    return CA_OK;
}

static enum ca_status delete_row(struct batch_registry *registry, struct batch_ca *ca,
                                 uint32_t days, struct ca_error *err)
{
    int64_t now_ms = ca_clock_now_ms(&registry->clock);

    /* Spec section 3: what never had a usable key is not restorable. */
    if (ca->row.state == SCHEMA_CA_CREATING || ca->row.state == SCHEMA_CA_FAILED) {
        return make_tombstone(registry, ca, err);
    }
    ca->row.state_before = ca->row.state;
    ca->row.state = SCHEMA_CA_DELETED;
    ca->row.changed_ms = now_ms;
    ca->row.restorable_until_ms = now_ms + (int64_t)days * BATCH_DAY_MS;
    return CA_OK;
}

enum ca_status batch_ca_delete(struct batch_registry *registry, const char *name, uint32_t days,
                               int64_t *restorable_until_ms, struct ca_error *err)
{
    int64_t until_ms;
    struct batch_ca_edit edit;
    enum ca_status st;

    if (days == 0) days = RESTORE_DAYS_MAX;
    if (days < RESTORE_DAYS_MIN || days > RESTORE_DAYS_MAX) {
        return ca_fail_named(err, CA_REFUSED, "invalid-request",
                             "a deleted CA can be kept restorable for %d to %d days",
                             RESTORE_DAYS_MIN, RESTORE_DAYS_MAX);
    }
    st = batch_ca_edit_begin(registry, name, BATCH_CA_DELETE, &edit, err);
    if (st == CA_OK) st = delete_row(registry, &edit.ca, days, err);
    until_ms = edit.ca.row.restorable_until_ms;
    st = batch_ca_edit_end(&edit, st, err);
    if (st == CA_OK) *restorable_until_ms = until_ms;
    return st;
}

enum ca_status batch_ca_restore(struct batch_registry *registry, const char *name,
                                struct ca_error *err)
{
    struct batch_ca_edit edit;
    enum ca_status st = batch_ca_edit_begin(registry, name, BATCH_CA_RESTORE, &edit, err);

    if (st == CA_OK) {
        edit.ca.row.state = edit.ca.row.state_before;
        edit.ca.row.state_before = 0;
        edit.ca.row.restorable_until_ms = 0;
        edit.ca.row.changed_ms = ca_clock_now_ms(&registry->clock);
    }
    return batch_ca_edit_end(&edit, st, err);
}

/* Walks the CAs; buries those that are due when bury is set, else only says whether there are any.
 * */
static enum ca_status walk_due(struct batch_registry *registry, struct store_txn *txn, bool bury,
                               bool *any, struct ca_error *err)
{
    struct batch_ca ca = { 0 };
    uint32_t after = 0;
    bool found = false;

    *any = false;
    for (;;) {
        enum ca_status st = batch_ca_next(registry, txn, after, &found, &ca, err);

        if (st != CA_OK || !found) return st;
        after = ca.number;
        if (ca.row.state == SCHEMA_CA_DELETED && batch_ca_is_gone(registry, &ca)) {
            *any = true;
            if (bury) st = make_tombstone(registry, &ca, err);
            if (bury && st == CA_OK) st = batch_ca_put(txn, &ca, STORE_UPSERT, err);
        }
        batch_ca_clear(&ca);
        if (st != CA_OK) return st;
    }
}

enum ca_status batch_ca_bury(struct batch_registry *registry, struct store_txn *txn,
                             struct ca_error *err)
{
    bool any;

    return walk_due(registry, txn, true, &any, err);
}

enum ca_status batch_ca_bury_due(struct batch_registry *registry, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    bool any = false;
    enum ca_status st = store_begin(registry->store, STORE_READ, &txn, err);

    if (st != CA_OK) return st;
    st = walk_due(registry, txn, false, &any, err);
    store_abort(txn);
    if (st != CA_OK || !any) return st;
    st = store_begin(registry->store, STORE_WRITE, &txn, err);
    if (st != CA_OK) return st;
    st = batch_ca_bury(registry, txn, err);
    if (st == CA_OK) return store_commit(txn, err);
    store_abort(txn);
    return st;
}

/* ---- Tags (spec section 12) ---- */

enum ca_status batch_ca_tag(struct batch_registry *registry, const char *name,
                            const struct batch_tag *tags, size_t count, struct ca_error *err)
{
    struct ca_buf json;
    struct batch_ca_edit edit;
    enum ca_status st = batch_ca_edit_begin(registry, name, BATCH_CA_TAG, &edit, err);

    ca_buf_init(&json, BATCH_CA_ROW_MAX);
    if (st == CA_OK) st = batch_tags_set(edit.ca.row.tags, tags, count, &json, err);
    if (st == CA_OK) edit.ca.row.tags = ca_buf_view(&json);
    st = batch_ca_edit_end(&edit, st, err);
    ca_buf_clear(&json);
    return st;
}

enum ca_status batch_ca_untag(struct batch_registry *registry, const char *name,
                              const struct batch_tag *tags, size_t count, struct ca_error *err)
{
    struct ca_buf json;
    struct batch_ca_edit edit;
    enum ca_status st = batch_ca_edit_begin(registry, name, BATCH_CA_TAG, &edit, err);

    ca_buf_init(&json, BATCH_CA_ROW_MAX);
    if (st == CA_OK) st = batch_tags_unset(edit.ca.row.tags, tags, count, &json, err);
    if (st == CA_OK) edit.ca.row.tags = ca_buf_view(&json);
    st = batch_ca_edit_end(&edit, st, err);
    ca_buf_clear(&json);
    return st;
}
