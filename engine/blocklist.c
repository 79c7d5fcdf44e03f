#include "engine/blocklist.h"

#include "engine/published_keys.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS (2 * (size_t)CA_KEY_HASH_LEN)

struct ca_blocklist {
    size_t count;
    uint8_t (*hashes)[CA_KEY_HASH_LEN];     /* sorted, each once */
    uint8_t hash[32];
};

/* Reading */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* What a line says: blanks around it, and a comment at its end, do not count. */
static struct ca_bytes strip(struct ca_bytes line)
{
    const uint8_t *comment = line.len == 0 ? NULL : memchr(line.data, '#', line.len);

    if (comment != NULL) line.len = (size_t)(comment - line.data);
    while (line.len > 0 && is_blank(line.data[line.len - 1])) line.len--;
    while (line.len > 0 && is_blank(line.data[0])) line = ca_bytes_slice(line, 1, line.len - 1);
    return line;
}

/* 16: no digit. */
static unsigned digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10u;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10u;
    return 16;
}

static bool read_hash(struct ca_bytes digits, uint8_t hash[CA_KEY_HASH_LEN])
{
    if (digits.len != DIGITS) return false;
    for (size_t i = 0; i < CA_KEY_HASH_LEN; i++) {
        unsigned high = digit_of(digits.data[2 * i]), low = digit_of(digits.data[2 * i + 1]);

        if (high > 15 || low > 15) return false;
        hash[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Takes the hash on a line into list, which has room for it. */
static enum ca_status read_line(struct ca_bytes line, size_t number, struct ca_blocklist *list,
                                struct ca_error *err)
{
    struct ca_bytes digits = strip(line);
    uint8_t *hash = list->hashes[list->count];
    int order;

    if (digits.len == 0) return CA_OK;
    if (!read_hash(digits, hash))
        return ca_fail_named(err, CA_MALFORMED, "blocklist",
                             "line %zu of the blocklist is not %zu hexadecimal digits", number,
                             DIGITS);
    order = list->count == 0 ? -1 : memcmp(list->hashes[list->count - 1], hash, CA_KEY_HASH_LEN);
    if (order == 0)
        return ca_fail_named(err, CA_MALFORMED, "blocklist",
                             "line %zu of the blocklist repeats the hash before it", number);
    if (order > 0) {
        (void)ca_fail_named(err, CA_MALFORMED, "blocklist",
                            "line %zu of the blocklist is less than the hash before it", number);
        ca_hint(err, "sort the file: LC_ALL=C sort -u");
        return CA_MALFORMED;
    }
    list->count++;
    return CA_OK;
}

static enum ca_status read_lines(struct ca_bytes text, struct ca_blocklist *list,
                                 struct ca_error *err)
{
    enum ca_status st = CA_OK;

    for (size_t number = 1; text.len > 0 && st == CA_OK; number++) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.data);

        st = read_line(ca_bytes_slice(text, 0, len), number, list, err);
        if (end != NULL) len++;
        text = ca_bytes_slice(text, len, text.len - len);
    }
    return st;
}

/* Gives back what comments took; a list that cannot be moved stays where it is. */
static void shrink(struct ca_blocklist *list)
{
    void *smaller;

    if (list->count == 0) return;
    smaller = realloc(list->hashes, list->count * CA_KEY_HASH_LEN);
    if (smaller != NULL) list->hashes = smaller;
}

enum ca_status ca_blocklist_parse(struct ca_bytes text, struct ca_crypto *crypto,
                                  struct ca_blocklist **out, struct ca_error *err)
{
    enum ca_status st;
    struct ca_blocklist *list = NULL;
    struct ca_bytes hashes;

    if (text.len > CA_BLOCKLIST_FILE_MAX)
        return ca_fail_named(err, CA_MALFORMED, "blocklist",
                             "the blocklist is longer than %u octets",
                             (unsigned)CA_BLOCKLIST_FILE_MAX);
    list = calloc(1, sizeof(*list));
    /* A hash has its digits and, but for the last, a line's end. */
    if (list != NULL) list->hashes = malloc(((text.len + 1) / (DIGITS + 1) + 1) * CA_KEY_HASH_LEN);
    if (list == NULL || list->hashes == NULL) {
        st = ca_fail(err, CA_NOMEM, "no memory for a blocklist");
        goto out;
    }
    st = read_lines(text, list, err);
    if (st != CA_OK) goto out;
    shrink(list);
    hashes = ca_bytes_of(list->hashes, list->count * CA_KEY_HASH_LEN);
    st = ca_crypto_digest(crypto, CA_DIGEST_SHA256, hashes, list->hash, err);
    if (st != CA_OK) goto out;
    *out = list;
    list = NULL;                /* the caller's now */
out:
    ca_blocklist_free(list);
    return st;
}

void ca_blocklist_free(struct ca_blocklist *list)
{
    if (list == NULL) return;
    free(list->hashes);
    free(list);
}

/* Looking up */

/* Its index; count when it is not there. */
static size_t find(const uint8_t (*hashes)[CA_KEY_HASH_LEN], size_t count,
                   const uint8_t hash[CA_KEY_HASH_LEN])
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(hash, hashes[middle], CA_KEY_HASH_LEN);

        if (order == 0) return middle;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return count;
}

size_t ca_blocklist_count(const struct ca_blocklist *list)
{
    return list->count;
}

const uint8_t *ca_blocklist_hash(const struct ca_blocklist *list)
{
    return list->hash;
}

bool ca_blocklist_has(const struct ca_blocklist *list, const uint8_t hash[CA_KEY_HASH_LEN])
{
    return find((const uint8_t(*)[CA_KEY_HASH_LEN])list->hashes, list->count, hash) < list->count;
}

size_t ca_published_count(void)
{
    return ca_published_keys_count;
}

enum ca_status ca_published_hash(struct ca_crypto *crypto, uint8_t hash[32], struct ca_error *err)
{
    size_t len = ca_published_keys_count * CA_KEY_HASH_LEN;

    return ca_crypto_digest(crypto, CA_DIGEST_SHA256, ca_bytes_of(ca_published_keys, len), hash,
                            err);
}

bool ca_published_has(const uint8_t hash[CA_KEY_HASH_LEN], const char **where)
{
    size_t i = find(ca_published_keys, ca_published_keys_count, hash);

    if (i == ca_published_keys_count) return false;
    if (where != NULL) *where = ca_published_keys_where[i];
    return true;
}
