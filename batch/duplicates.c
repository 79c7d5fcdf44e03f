#include "batch/duplicates.h"

#include "batch/profile.h"
#include "engine/cert.h"
#include "engine/notice.h"
#include "engine/serial.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the keys of a run ---- */

/*
 * Keys in blocks, in the order in which they came, and an open-addressing table of their numbers:
 * 24 octets a key and 5 to 11 of the table. Blocks are never moved; when the table doubles only it
 * is made anew. Hashes are SHA-256's, so any octets of them spread evenly, and nobody can aim at
 * one place without searching for keys that fall there.
 */
#define BLOCK_KEYS 65536u
#define TABLE_MIN 1024u
#define FREE_PLACE UINT32_MAX

struct run_key {
    uint8_t hash[CA_KEY_HASH_LEN];
    uint64_t ordinal;
};

struct batch_key_set {
    struct run_key **blocks;
    size_t block_count, block_room;
    uint64_t count, max;
    uint32_t *table;                /* numbers of keys, or FREE_PLACE */
    uint32_t places;                /* of the table: a power of two, 0 before the first key */
};

_Static_assert(BATCH_RUN_KEYS_MAX < FREE_PLACE / 2, "a key's number and the table fit 32 bits");

static struct run_key *key_at(const struct batch_key_set *set, uint64_t number)
{
    return &set->blocks[number / BLOCK_KEYS][number % BLOCK_KEYS];
}

static uint32_t first_place(const uint8_t hash[CA_KEY_HASH_LEN], uint32_t places)
{
    return ca_get_u32(hash) & (places - 1);
}

enum ca_status batch_key_set_new(uint64_t max, struct batch_key_set **out, struct ca_error *err)
{
    struct batch_key_set *set = calloc(1, sizeof(*set));

    if (set == NULL) return ca_fail(err, CA_NOMEM, "no memory for the keys of the run");
    set->max = max == 0 || max > BATCH_RUN_KEYS_MAX ? BATCH_RUN_KEYS_MAX : max;
    *out = set;
    return CA_OK;
}

void batch_key_set_free(struct batch_key_set *set)
{
    if (set == NULL) return;
    for (size_t i = 0; i < set->block_count; i++) free(set->blocks[i]);
    free(set->blocks);
    free(set->table);
    free(set);
}

uint64_t batch_key_set_count(const struct batch_key_set *set)
{
    return set->count;
}

/* The place that has the key, or the free one where it belongs. The table is never full. */
static uint32_t place_of(const struct batch_key_set *set, const uint8_t hash[CA_KEY_HASH_LEN])
{
    uint32_t place = first_place(hash, set->places);

    while (set->table[place] != FREE_PLACE &&
           memcmp(key_at(set, set->table[place])->hash, hash, CA_KEY_HASH_LEN) != 0)
        place = (place + 1) & (set->places - 1);
    return place;
}

bool batch_key_set_find(const struct batch_key_set *set, const uint8_t hash[CA_KEY_HASH_LEN],
                        uint64_t *ordinal)
{
    uint32_t place;

    if (set->places == 0) return false;
    place = place_of(set, hash);
    if (set->table[place] == FREE_PLACE) return false;
    *ordinal = key_at(set, set->table[place])->ordinal;
    return true;
}

/* Every key is known to be there once: only free places are looked for. */
static enum ca_status double_table(struct batch_key_set *set, struct ca_error *err)
{
    uint32_t places = set->places == 0 ? TABLE_MIN : 2 * set->places;
    uint32_t *table = malloc((size_t)places * sizeof(*table));

    if (table == NULL) return ca_fail(err, CA_NOMEM, "no memory for the keys of the run");
    memset(table, 0xff, (size_t)places * sizeof(*table));       /* FREE_PLACE */
    for (uint64_t i = 0; i < set->count; i++) {
        uint32_t place = first_place(key_at(set, i)->hash, places);

        while (table[place] != FREE_PLACE) place = (place + 1) & (places - 1);
        table[place] = (uint32_t)i;
    }
    free(set->table);
    set->table = table;
    set->places = places;
    return CA_OK;
}

static enum ca_status add_block(struct batch_key_set *set, struct ca_error *err)
{
    if (set->block_count == set->block_room) {
        size_t room = set->block_room == 0 ? 16 : 2 * set->block_room;
        struct run_key **blocks = realloc(set->blocks, room * sizeof(struct run_key *));

        if (blocks == NULL) return ca_fail(err, CA_NOMEM, "no memory for the keys of the run");
        set->blocks = blocks;
        set->block_room = room;
    }
    set->blocks[set->block_count] = malloc(BLOCK_KEYS * sizeof(struct run_key));
    if (set->blocks[set->block_count] == NULL)
        return ca_fail(err, CA_NOMEM, "no memory for the keys of the run");
    set->block_count++;
    return CA_OK;
}

/* Room for one more: at most 3 of 4 places of the table are taken. */
static enum ca_status make_room(struct batch_key_set *set, struct ca_error *err)
{
    enum ca_status st = CA_OK;

    if (set->count >= set->max) {
        (void)ca_fail_named(err, CA_REFUSED, "too-many-keys",
                            "the run has issued for %" PRIu64 " keys, more than it can compare",
                            set->max);
        ca_hint(err, "give what is left to a new job, or let the template allow twins "
                     "(duplicate_keys.run)");
        return CA_REFUSED;
    }
    if (set->count + 1 > (uint64_t)set->places / 4 * 3) st = double_table(set, err);
    if (st == CA_OK && set->count == (uint64_t)set->block_count * BLOCK_KEYS)
        st = add_block(set, err);
    return st;
}

enum ca_status batch_key_set_add(struct batch_key_set *set, const uint8_t hash[CA_KEY_HASH_LEN],
                                 uint64_t ordinal, struct ca_error *err)
{
    struct run_key *key;
    uint64_t there;
    enum ca_status st;

    if (batch_key_set_find(set, hash, &there)) return CA_OK;
    st = make_room(set, err);
    if (st != CA_OK) return st;
    key = key_at(set, set->count);
    memcpy(key->hash, hash, CA_KEY_HASH_LEN);
    key->ordinal = ordinal;
    set->table[place_of(set, hash)] = (uint32_t)set->count++;
    return CA_OK;
}

/* ---- made again from the store ---- */

/* Rows read in one transaction: a long reader keeps pages from being reused. */
#define ROWS_PER_TXN 4096

struct refill {
    const struct batch_job *job;
    struct batch_key_set *set;
    struct ca_crypto *crypto;
};

static enum ca_status damaged(const struct refill *refill, const char *what, struct ca_error *err)
{
    return ca_fail_named(err, CA_CORRUPT, "bad-row", "a certificate of job %s %s",
                         refill->job->name, what);
}

static enum ca_status refill_row(struct refill *refill, struct store_txn *txn, uint64_t ordinal,
                                 struct ca_bytes value, struct ca_error *err)
{
    uint8_t hash[CA_KEY_HASH_LEN];
    struct schema_result result;
    struct schema_cert row;
    struct schema_key key;
    struct ca_cert cert;
    struct ca_bytes cert_value;
    bool found = false;
    enum ca_status st = schema_decode_result(value, &result, err);

    if (st != CA_OK || result.status != SCHEMA_RESULT_ISSUED) return st;
    st = store_get(txn, STORE_CERT, schema_key_cert(&key, result.serial, refill->job->row.ca),
                   &found, &cert_value, err);
    if (st == CA_OK && !found) st = damaged(refill, "is not in the store", err);
    if (st == CA_OK) st = schema_decode_cert(cert_value, &row, err);
    if (st != CA_OK) return st;
    if (ca_cert_parse(row.der, &cert, NULL) != CA_OK)
        return damaged(refill, "cannot be read", err);
    st = ca_key_hash(refill->crypto, &cert.key, hash, err);
    return st == CA_OK ? batch_key_set_add(refill->set, hash, ordinal, err) : st;
}

/* The rows of one read transaction. */
static enum ca_status refill_some(struct refill *refill, struct store *store, uint64_t from,
                                  uint64_t to, struct ca_error *err)
{
    struct store_txn *txn = NULL;
    struct store_cursor *cursor = NULL;
    struct schema_key start;
    struct ca_bytes key, value;
    bool found = false;
    enum ca_status st = store_begin(store, STORE_READ, &txn, err);

    if (st == CA_OK) st = store_cursor_open(txn, STORE_RESULT, &cursor, err);
    if (st == CA_OK)
        st = store_cursor_seek(cursor, schema_key_ordinal(&start, refill->job->number, from),
                               &found, &key, &value, err);
    for (uint64_t expected = from; st == CA_OK && expected < to; expected++) {
        uint64_t ordinal = 0;
        uint32_t job = 0;

        if (found) st = schema_read_key_ordinal(key, &job, &ordinal, err);
        if (st == CA_OK && (!found || job != refill->job->number || ordinal != expected))
            st = ca_fail_named(err, CA_CORRUPT, "bad-row", "a result of job %s is missing",
                               refill->job->name);
        if (st == CA_OK) st = refill_row(refill, txn, ordinal, value, err);
        if (st == CA_OK) st = store_cursor_next(cursor, &found, &key, &value, err);
    }
    store_cursor_close(cursor);
    store_abort(txn);
    return st;
}

enum ca_status batch_key_set_of_job(struct store *store, const struct batch_job *job, uint64_t max,
                                    bool (*stopping)(void *ctx), void *ctx,
                                    struct batch_key_set **out, struct ca_error *err)
{
    struct refill refill = { .job = job };
    uint64_t done = job->row.done;
    enum ca_status st;

    *out = NULL;
    if (ca_profile_template(job->profile)->keys_in_run == CA_KEYS_ALLOW) return CA_OK;
    st = batch_key_set_new(max, &refill.set, err);
    if (st == CA_OK) st = ca_crypto_new(&refill.crypto, err);
    for (uint64_t from = 0; st == CA_OK && from < done; from += ROWS_PER_TXN) {
        uint64_t to = done - from < ROWS_PER_TXN ? done : from + ROWS_PER_TXN;

        st = stopping(ctx) ? ca_fail(err, CA_AGAIN, "stopped")
                           : refill_some(&refill, store, from, to, err);
    }
    ca_crypto_free(refill.crypto);
    if (st != CA_OK) {
        batch_key_set_free(refill.set);
        return st;
    }
    *out = refill.set;
    return CA_OK;
}

/* ---- a group's chunks ---- */

void batch_key_check_init(struct batch_key_check *check, struct store_txn *txn,
                          struct batch_key_set *run, uint64_t known_max)
{
    *check = (struct batch_key_check){
        .txn = txn, .run = run,
        .known_max = known_max == 0 ? BATCH_KNOWN_KEYS_MAX : known_max,
    };
}

/* What an item's template says of keys. */
static const struct ca_template *template_of(const struct batch_chunk *chunk,
                                             const struct batch_item *item)
{
    return ca_profile_template(chunk->plan->profiles[item->profile].profile);
}

static uint64_t ordinal_of(const struct batch_chunk *chunk, const struct batch_item *item)
{
    return chunk->first_ordinal + (uint64_t)(item - chunk->items);
}

/* The certificate that the table names, and whether it is this job's own: then it is a twin, which
 * the rule of the run has judged. */
static enum ca_status is_own(struct store_txn *txn, const struct batch_chunk *chunk,
                             const struct schema_known *known, bool *own, struct ca_error *err)
{
    struct schema_cert row;
    struct schema_key key;
    struct ca_bytes value;
    bool found = false;
    enum ca_status st;

    *own = false;
    if (chunk->plan->job == 0) return CA_OK;
    st = store_get(txn, STORE_CERT, schema_key_cert(&key, known->serial, known->ca), &found,
                   &value, err);
    if (st == CA_OK && !found)
        st = ca_fail_named(err, CA_CORRUPT, "bad-row",
                           "table known names a certificate that is not in the store");
    if (st == CA_OK) st = schema_decode_cert(value, &row, err);
    if (st == CA_OK) *own = row.job == chunk->plan->job;
    return st;
}

static enum ca_status look_up_known(struct store_txn *txn, const struct batch_chunk *chunk,
                                    const struct batch_item *item, bool *known,
                                    struct schema_known *row, struct ca_error *err)
{
    struct schema_key key;
    struct ca_bytes value;
    bool own = false;
    enum ca_status st = store_get(txn, STORE_KNOWN,
                                  schema_key_known(&key, item->contents.key_hash), known, &value,
                                  err);

    if (st == CA_OK && *known) st = schema_decode_known(value, row, err);
    if (st == CA_OK && *known) st = is_own(txn, chunk, row, &own, err);
    if (own) *known = false;
    return st;
}

static void discard_twin(struct batch_chunk *chunk, struct batch_item *item, uint64_t first)
{
    struct ca_error refusal;

    (void)ca_refuse(&refusal, CA_REASON_DUPLICATE_KEY, "the key is that of ordinal %" PRIu64,
                    first);
    batch_item_discard(chunk, item, &refusal);
}

static void discard_known(struct batch_chunk *chunk, struct batch_item *item,
                          const struct schema_known *known)
{
    struct ca_serial serial = { .len = SCHEMA_SERIAL_LEN };
    char text[CA_SERIAL_TEXT_MAX];
    struct ca_error refusal;

    memcpy(serial.octets, known->serial, SCHEMA_SERIAL_LEN);
    ca_serial_format(&serial, text);
    (void)ca_refuse(&refusal, CA_REASON_KNOWN_KEY, "certificate %s has this key", text);
    item->warnings = 0;         /* of what is refused only the reason counts */
    batch_item_discard(chunk, item, &refusal);
}

static void check_run(const struct batch_key_check *check, struct batch_chunk *chunk,
                      struct batch_item *item)
{
    enum ca_key_rule rule = template_of(chunk, item)->keys_in_run;
    uint64_t first;

    if (check->run == NULL || rule == CA_KEYS_ALLOW) return;
    if (!batch_key_set_find(check->run, item->contents.key_hash, &first)) return;
    if (rule == CA_KEYS_REJECT) discard_twin(chunk, item, first);
    else item->warnings |= SCHEMA_WARNING_DUPLICATE_KEY;
}

static enum ca_status check_store(const struct batch_key_check *check, struct batch_chunk *chunk,
                                  struct batch_item *item, struct ca_error *err)
{
    enum ca_key_rule rule = template_of(chunk, item)->keys_in_store;
    struct schema_known known = { .ca = 0 };
    bool is_known = false;
    enum ca_status st;

    if (rule == CA_KEYS_ALLOW) return CA_OK;
    st = look_up_known(check->txn, chunk, item, &is_known, &known, err);
    if (st != CA_OK || !is_known) return st;
    if (rule == CA_KEYS_REJECT) discard_known(chunk, item, &known);
    else item->warnings |= SCHEMA_WARNING_KNOWN_KEY;
    return CA_OK;
}

/* One that will be issued: its warnings count, and its key is the run's from here on. */
static enum ca_status admit(struct batch_key_check *check, struct batch_chunk *chunk,
                            const struct batch_item *item, struct ca_error *err)
{
    if ((item->warnings & SCHEMA_WARNING_DUPLICATE_KEY) != 0) {
        check->duplicate_keys++;
        chunk->notices |= CA_NOTICE_BIT(DUPLICATE_KEYS);
    }
    if ((item->warnings & SCHEMA_WARNING_KNOWN_KEY) != 0) {
        check->known_keys++;
        chunk->notices |= CA_NOTICE_BIT(KNOWN_KEYS);
    }
    if (check->run == NULL || template_of(chunk, item)->keys_in_run == CA_KEYS_ALLOW)
        return CA_OK;
    return batch_key_set_add(check->run, item->contents.key_hash, ordinal_of(chunk, item), err);
}

enum ca_status batch_key_check_chunk(struct batch_key_check *check, struct batch_chunk *chunk,
                                     struct ca_error *err)
{
    bool touched = false;

    for (uint32_t i = 0; i < chunk->count; i++) {
        struct batch_item *item = &chunk->items[i];
        enum ca_status st = CA_OK;

        if (item->refused) continue;
        check_run(check, chunk, item);
        if (!item->refused) st = check_store(check, chunk, item, err);
        if (st == CA_OK && !item->refused) st = admit(check, chunk, item, err);
        if (st != CA_OK) return st;
        touched = touched || item->refused || item->warnings != 0;
    }
    if (!touched) return CA_OK;
    batch_chunk_encode(chunk);
    if (chunk->fatal.status == CA_OK) return CA_OK;
    if (err != NULL) *err = chunk->fatal;
    return chunk->fatal.status;
}

static enum ca_status room_for_known(const struct batch_key_check *check, struct ca_error *err)
{
    uint64_t count = 0;
    enum ca_status st = store_count(check->txn, STORE_KNOWN, &count, err);

    if (st != CA_OK || count < check->known_max) return st;
    (void)ca_fail_named(err, CA_REFUSED, "too-many-known-keys",
                        "the store remembers %" PRIu64 " keys and takes no more",
                        check->known_max);
    ca_hint(err, "use a template that allows keys which had a certificate "
                 "(duplicate_keys.store), in a new job");
    return CA_REFUSED;
}

static enum ca_status remember(const struct batch_key_check *check, const struct batch_chunk *chunk,
                               const struct batch_item *item, struct ca_buf *value,
                               struct ca_error *err)
{
    struct schema_known row = { .ca = chunk->plan->profiles[item->profile].issuer->ca };
    struct schema_key key;
    struct ca_bytes there;
    bool found = false;
    enum ca_status st = store_get(check->txn, STORE_KNOWN,
                                  schema_key_known(&key, item->contents.key_hash), &found, &there,
                                  err);

    if (st != CA_OK || found) return st;        /* the first certificate stays the one named */
    st = room_for_known(check, err);
    if (st != CA_OK) return st;
    memcpy(row.serial, item->serial.octets, SCHEMA_SERIAL_LEN);
    ca_buf_reset(value);
    schema_encode_known(&row, value);
    st = ca_buf_status(value, "a known key's row", err);
    if (st == CA_OK)
        st = store_put(check->txn, STORE_KNOWN,
                       schema_key_known(&key, item->contents.key_hash), ca_buf_view(value),
                       STORE_INSERT, err);
    return st;
}

enum ca_status batch_key_check_remember(const struct batch_key_check *check,
                                        const struct batch_chunk *chunk, struct ca_error *err)
{
    struct ca_buf value;
    enum ca_status st = CA_OK;

    ca_buf_init(&value, 256);
    for (uint32_t i = 0; i < chunk->count && st == CA_OK; i++) {
        const struct batch_item *item = &chunk->items[i];

        if (item->refused || template_of(chunk, item)->keys_in_store == CA_KEYS_ALLOW) continue;
        st = remember(check, chunk, item, &value, err);
    }
    ca_buf_clear(&value);
    return st;
}
