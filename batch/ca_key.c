#include "batch/ca_key.h"

#include "batch/ca_row.h"
#include "engine/pem.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID_TEXT_LEN 36
#define KEY_SUFFIX ".pem"
#define UUIDS_BYTES_MAX ((size_t)256 << 20)     /* of 16 million CAs */

/* keys/ or a file in it, whatever the length of the store's path. */
static enum ca_status keys_path(const struct batch_registry *registry, const char *file,
                                struct ca_buf *out, struct ca_error *err)
{
    ca_buf_init(out, 1 << 16);
    ca_buf_printf(out, "%s/keys", store_dir(registry->store));
    if (file != NULL) ca_buf_printf(out, "/%s", file);
    ca_buf_append_u8(out, 0);
    return ca_buf_status(out, "a path", err);
}

static enum ca_status key_path(const struct batch_registry *registry,
                               const uint8_t uuid[SCHEMA_UUID_LEN], struct ca_buf *out,
                               struct ca_error *err)
{
    char file[UUID_TEXT_LEN + sizeof(KEY_SUFFIX)];

    batch_uuid_format(uuid, file);
    memcpy(file + UUID_TEXT_LEN, KEY_SUFFIX, sizeof(KEY_SUFFIX));
    return keys_path(registry, file, out, err);
}

enum ca_status batch_key_encode(struct ca_crypto *crypto, const struct ca_key *key,
                                struct ca_bytes secret, struct ca_buf *out, struct ca_error *err)
{
    ca_buf_init(out, BATCH_KEY_FILE_MAX);
    /* No growth while writing: a buffer that moves leaves a copy of the key behind. */
    if (!ca_buf_reserve(out, BATCH_KEY_FILE_MAX)) return ca_buf_status(out, "a key file", err);
    /* PBKDF2 with 600,000 rounds: OpenSSL's PKCS#8 code stops scrypt at 32 MiB, just below N=2^15.
     * */
    return ca_key_encode(crypto, key, secret, CA_KDF_PBKDF2, out, err);
}

enum ca_status batch_key_write(const struct batch_registry *registry,
                               const uint8_t uuid[SCHEMA_UUID_LEN], struct ca_bytes pem,
                               struct ca_error *err)
{
    struct ca_buf path;
    enum ca_status st = key_path(registry, uuid, &path, err);

    if (st == CA_OK) st = file_write((const char *)path.data, 0600, pem, err);
    ca_buf_clear(&path);
    return st;
}

enum ca_status batch_key_erase(const struct batch_registry *registry,
                               const uint8_t uuid[SCHEMA_UUID_LEN], struct ca_error *err)
{
    struct ca_buf path;
    enum ca_status st = key_path(registry, uuid, &path, err);

    if (st == CA_OK) st = file_erase((const char *)path.data, err);
    ca_buf_clear(&path);
    return st;
}

/* Who may write to keys/ may put another key there, whatever the mode of the file. */
static enum ca_status check_keys_dir(const struct batch_registry *registry, struct ca_error *err)
{
    struct ca_buf path;
    struct stat st;
    enum ca_status status = keys_path(registry, NULL, &path, err);

    if (status != CA_OK) goto out;
    if (lstat((const char *)path.data, &st) != 0) {
        status = ca_fail_errno(err, errno, "cannot look at %s", (const char *)path.data);
        goto out;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        status = ca_fail_named(err, CA_REFUSED, "keys-mode",
                               "%s must be a directory of your own that nobody else may write to",
                               (const char *)path.data);
        ca_hint(err, "look whose it is and what is in it, then: chmod 700 %s",
                (const char *)path.data);
    }
out:
    ca_buf_clear(&path);
    return status;
}

/* Somebody replaced a key by one without encryption: it may be anybody's. */
static enum ca_status check_encrypted(struct ca_bytes pem, struct ca_error *err)
{
    struct ca_pem_block block;
    bool found = false;
    enum ca_status st = ca_pem_find(pem, &block, &found, err);

    if (st != CA_OK || !found) {
        return ca_fail_named(err, CA_MALFORMED, "bad-key-file", "the key file holds no PEM block");
    }
    if (!ca_bytes_equal(block.label, ca_bytes_str("ENCRYPTED PRIVATE KEY"))) {
        return ca_fail_named(err, CA_REFUSED, "key-not-encrypted",
                             "the key file is not encrypted, but this store's keys are");
    }
    return CA_OK;
}

enum ca_status batch_key_read(struct batch_registry *registry,
                              const uint8_t uuid[SCHEMA_UUID_LEN], struct ca_bytes spki,
                              struct ca_key **out, struct ca_error *err)
{
    struct ca_bytes secret;
    struct ca_key *key = NULL;
    struct ca_buf path, pem;
    enum ca_status st = key_path(registry, uuid, &path, err);

    ca_buf_init(&pem, BATCH_KEY_FILE_MAX + 1);  /* one more is how file_read sees a longer file */
    if (st != CA_OK) goto out;
    st = check_keys_dir(registry, err);
    if (st != CA_OK) goto out;
    /* No growth while reading: a buffer that moves leaves a copy of the key behind. */
    if (!ca_buf_reserve(&pem, BATCH_KEY_FILE_MAX + 1)) {
        st = ca_buf_status(&pem, "a key file", err);
        goto out;
    }
    st = file_read((const char *)path.data, BATCH_KEY_FILE_MAX, FILE_PRIVATE, &pem, err);
    if (st != CA_OK) goto out;
    if (registry->identity.encrypted) {
        st = check_encrypted(ca_buf_view(&pem), err);
        if (st != CA_OK) goto out;
    }
    st = batch_registry_passphrase(registry, false, &secret, err);
    if (st != CA_OK) goto out;
    st = ca_key_decode(registry->crypto, ca_buf_view(&pem), secret, &key, err);
    if (st != CA_OK) goto out;
    if (!ca_bytes_equal(ca_key_spki(key), spki)) {
        st = ca_fail_named(err, CA_REFUSED, "key-mismatch",
                           "the key in the key file is not the one this CA was created with");
        goto out;
    }
    *out = key;
    key = NULL;
out:
    ca_key_free(key);
    ca_buf_clear_secret(&pem);
    ca_buf_clear(&path);
    return st;
}

/* ---- What a crash leaves ---- */

/* True for "UUID.pem" as we write it, and the UUID. Files of any other name are not ours to remove.
 * */
static bool parse_key_name(const char *file, uint8_t uuid[SCHEMA_UUID_LEN])
{
    char hex[2 * SCHEMA_UUID_LEN + 1];
    char again[UUID_TEXT_LEN + 1];
    size_t used = 0, decoded = 0;

    if (strlen(file) != UUID_TEXT_LEN + strlen(KEY_SUFFIX)) return false;
    if (strcmp(file + UUID_TEXT_LEN, KEY_SUFFIX) != 0) return false;
    for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
        if (file[i] == '-') continue;
        if (used == 2 * SCHEMA_UUID_LEN) return false;
        hex[used++] = file[i];
    }
    hex[used] = '\0';
    if (ca_hex_decode(hex, uuid, SCHEMA_UUID_LEN, &decoded, NULL) != CA_OK) return false;
    if (decoded != SCHEMA_UUID_LEN) return false;
    batch_uuid_format(uuid, again);         /* hyphens in their places, lower case */
    return memcmp(again, file, UUID_TEXT_LEN) == 0;
}

static int compare_uuids(const void *a, const void *b)
{
    return memcmp(a, b, SCHEMA_UUID_LEN);
}

/* The UUIDs of all CAs whose keys are to be kept, sorted: tombstones have none. */
static enum ca_status collect_uuids(const struct batch_registry *registry, struct store_txn *txn,
                                    struct ca_buf *uuids, struct ca_error *err)
{
    struct batch_ca ca = { 0 };
    uint32_t after = 0;
    bool found = true;

    for (;;) {
        enum ca_status st = batch_ca_next(registry, txn, after, &found, &ca, err);

        if (st != CA_OK) return st;
        if (!found) break;
        after = ca.number;
        if (ca.row.state != SCHEMA_CA_TOMBSTONE) {
            ca_buf_append(uuids, ca.row.uuid, SCHEMA_UUID_LEN);
        }
        batch_ca_clear(&ca);
    }
    if (uuids->len > 0) {
        qsort(uuids->data, uuids->len / SCHEMA_UUID_LEN, SCHEMA_UUID_LEN, compare_uuids);
    }
    return ca_buf_status(uuids, "the list of CAs", err);
}

static bool has_uuid(const struct ca_buf *uuids, const uint8_t uuid[SCHEMA_UUID_LEN])
{
    if (uuids->len == 0) return false;
    return bsearch(uuid, uuids->data, uuids->len / SCHEMA_UUID_LEN, SCHEMA_UUID_LEN,
                   compare_uuids) != NULL;
}

enum ca_status batch_key_erase_orphans(struct batch_registry *registry, struct store_txn *txn,
                                       struct ca_error *err)
{
    struct ca_buf path, uuids;
    struct dirent *entry;
    DIR *dir = NULL;
    enum ca_status st = keys_path(registry, NULL, &path, err);

    ca_buf_init(&uuids, UUIDS_BYTES_MAX);
    if (st != CA_OK) goto out;
    st = collect_uuids(registry, txn, &uuids, err);
    if (st != CA_OK) goto out;
    dir = opendir((const char *)path.data);
    if (dir == NULL) {
        st = ca_fail_errno(err, errno, "cannot open %s", (const char *)path.data);
        goto out;
    }
    while (st == CA_OK && (errno = 0, entry = readdir(dir)) != NULL) {
        uint8_t uuid[SCHEMA_UUID_LEN];

        if (!parse_key_name(entry->d_name, uuid) || has_uuid(&uuids, uuid)) continue;
        st = batch_key_erase(registry, uuid, err);
    }
    if (st == CA_OK && errno != 0) {
        st = ca_fail_errno(err, errno, "cannot list %s", (const char *)path.data);
    }
out:
    if (dir != NULL) (void)closedir(dir);      /* only read: nothing to lose */
    ca_buf_clear(&uuids);
    ca_buf_clear(&path);
    return st;
}
