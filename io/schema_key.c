#include "io/schema.h"

#include <assert.h>
#include <string.h>

/* A key grows from left to right; integers are big-endian, so that LMDB's order of octets is the
 * order of numbers. */
static void add(struct schema_key *key, const void *data, size_t len)
{
    assert(len <= SCHEMA_KEY_MAX - key->len);   /* callers bound names, ids and serials */
    if (len > 0) memcpy(key->octets + key->len, data, len);
    key->len += len;
}

static void add_u8(struct schema_key *key, uint8_t v)
{
    add(key, &v, 1);
}

static void add_u32(struct schema_key *key, uint32_t v)
{
    uint8_t octets[4];

    ca_put_u32(octets, v);
    add(key, octets, sizeof(octets));
}

static void add_u64(struct schema_key *key, uint64_t v)
{
    uint8_t octets[8];

    ca_put_u64(octets, v);
    add(key, octets, sizeof(octets));
}

/* Times before 1970 sort before those after it. */
static uint64_t ordered_of_time(int64_t time_s)
{
    return (uint64_t)time_s ^ (UINT64_C(1) << 63);
}

static int64_t time_of_ordered(uint64_t ordered)
{
    return (int64_t)(ordered ^ (UINT64_C(1) << 63));
}

static struct ca_bytes view(const struct schema_key *key)
{
    return ca_bytes_of(key->octets, key->len);
}

struct ca_bytes schema_key_meta(struct schema_key *key, const char *name)
{
    key->len = 0;
    add(key, name, strlen(name));
    return view(key);
}

struct ca_bytes schema_key_ca(struct schema_key *key, uint32_t ca)
{
    key->len = 0;
    add_u32(key, ca);
    return view(key);
}

struct ca_bytes schema_key_token(struct schema_key *key, enum schema_token_operation operation,
                                 uint32_t ca, const uint8_t token_hash[SCHEMA_HASH_LEN])
{
    key->len = 0;
    add_u8(key, (uint8_t)operation);
    add_u32(key, ca);
    add(key, token_hash, SCHEMA_HASH_LEN);
    return view(key);
}

struct ca_bytes schema_key_cert(struct schema_key *key, const uint8_t serial[SCHEMA_SERIAL_LEN],
                                uint32_t ca)
{
    key->len = 0;
    add(key, serial, SCHEMA_SERIAL_LEN);
    add_u32(key, ca);
    return view(key);
}

struct ca_bytes schema_key_expiry(struct schema_key *key, int64_t not_after_s, uint32_t ca,
                                  const uint8_t serial[SCHEMA_SERIAL_LEN])
{
    key->len = 0;
    add_u64(key, ordered_of_time(not_after_s));
    add_u32(key, ca);
    add(key, serial, SCHEMA_SERIAL_LEN);
    return view(key);
}

struct ca_bytes schema_key_job(struct schema_key *key, uint32_t job)
{
    key->len = 0;
    add_u32(key, job);
    return view(key);
}

struct ca_bytes schema_key_ordinal(struct schema_key *key, uint32_t job, uint64_t ordinal)
{
    key->len = 0;
    add_u32(key, job);
    add_u64(key, ordinal);
    return view(key);
}

struct ca_bytes schema_key_id(struct schema_key *key, uint32_t job, struct ca_bytes id)
{
    key->len = 0;
    add_u32(key, job);
    add(key, id.data, id.len);
    return view(key);
}

struct ca_bytes schema_key_profile(struct schema_key *key, const uint8_t hash[SCHEMA_HASH_LEN])
{
    key->len = 0;
    add(key, hash, SCHEMA_HASH_LEN);
    return view(key);
}

struct ca_bytes schema_key_known(struct schema_key *key, const uint8_t key_hash[SCHEMA_KNOWN_LEN])
{
    key->len = 0;
    add(key, key_hash, SCHEMA_KNOWN_LEN);
    return view(key);
}

struct ca_bytes schema_key_revoked(struct schema_key *key, uint32_t ca, uint32_t scope,
                                   struct ca_bytes serial)
{
    assert(serial.len <= UINT8_MAX);
    key->len = 0;
    add_u32(key, ca);
    add_u32(key, scope);
    add_u8(key, (uint8_t)serial.len);
    add(key, serial.data, serial.len);
    return view(key);
}

/* ---- readers ---- */

static enum ca_status check_len(struct ca_bytes key, size_t len, const char *what,
                                struct ca_error *err)
{
    if (key.len == len) return CA_OK;
    return ca_fail_named(err, CA_CORRUPT, "bad-row", "a key of %s has %zu octets instead of %zu",
                         what, key.len, len);
}

enum ca_status schema_read_key_cert(struct ca_bytes key, uint8_t serial[SCHEMA_SERIAL_LEN],
                                    uint32_t *ca, struct ca_error *err)
{
    enum ca_status st = check_len(key, SCHEMA_SERIAL_LEN + 4, "cert", err);

    if (st != CA_OK) return st;
    memcpy(serial, key.data, SCHEMA_SERIAL_LEN);
    *ca = ca_get_u32(key.data + SCHEMA_SERIAL_LEN);
    return CA_OK;
}

enum ca_status schema_read_key_expiry(struct ca_bytes key, int64_t *not_after_s, uint32_t *ca,
                                      uint8_t serial[SCHEMA_SERIAL_LEN], struct ca_error *err)
{
    enum ca_status st = check_len(key, 8 + 4 + SCHEMA_SERIAL_LEN, "expiry", err);

    if (st != CA_OK) return st;
    *not_after_s = time_of_ordered(ca_get_u64(key.data));
    *ca = ca_get_u32(key.data + 8);
    memcpy(serial, key.data + 12, SCHEMA_SERIAL_LEN);
    return CA_OK;
}

enum ca_status schema_read_key_u32(struct ca_bytes key, uint32_t *number, struct ca_error *err)
{
    enum ca_status st = check_len(key, 4, "ca or job", err);

    if (st != CA_OK) return st;
    *number = ca_get_u32(key.data);
    return CA_OK;
}

enum ca_status schema_read_key_ordinal(struct ca_bytes key, uint32_t *job, uint64_t *ordinal,
                                       struct ca_error *err)
{
    enum ca_status st = check_len(key, 4 + 8, "input or result", err);

    if (st != CA_OK) return st;
    *job = ca_get_u32(key.data);
    *ordinal = ca_get_u64(key.data + 4);
    return CA_OK;
}
