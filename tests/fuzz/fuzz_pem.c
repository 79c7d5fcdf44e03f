/*
 * What base64 decodes comes back from its encoding; a block found lies inside the text, and its
 * content written as PEM is found again.
 */
#include "engine/pem.h"
#include "tests/fuzz/planted.h"

#include <stdlib.h>
#include <string.h>

#define OUT_MAX (1u << 20)

/* A fuzz target's own way to fail: asserts may be compiled out. */
static void require(bool holds)
{
    if (!holds) abort();
}

/* Decodes into a block of exactly the promised size; NULL when the text is refused. */
static uint8_t *decode(struct ca_bytes text, size_t *len)
{
    size_t cap = ca_base64_decoded_max(text.len);
    uint8_t *out = malloc(cap == 0 ? 1 : cap);
    struct ca_error err = { .status = CA_OK };

    require(out != NULL);
    if (ca_base64_decode(text, out, len, &err) != CA_OK) {
        require(err.reason == CA_REASON_BAD_PEM);
        free(out);
        return NULL;
    }
    require(*len <= cap);
    return out;
}

static void require_same(struct ca_bytes text, struct ca_bytes expected)
{
    size_t len = 0;
    uint8_t *octets = decode(text, &len);

    require(octets != NULL && ca_bytes_equal(ca_bytes_of(octets, len), expected));
    free(octets);
}

static void round_trip(struct ca_bytes octets)
{
    struct ca_buf out;
    struct ca_pem_block block;
    bool found = false;

    ca_buf_init(&out, OUT_MAX);
    ca_base64_append(&out, octets);
    require(out.failed == CA_OK);
    require_same(ca_buf_view(&out), octets);
    ca_buf_reset(&out);
    ca_pem_append(&out, "CERTIFICATE REQUEST", octets);
    require(out.failed == CA_OK);
    require(out.len == ca_pem_len("CERTIFICATE REQUEST", octets.len));
    require(ca_pem_find(ca_buf_view(&out), &block, &found, NULL) == CA_OK && found);
    require(block.after.len == 0);
    require_same(block.base64, octets);
    ca_buf_clear(&out);
}

static bool inside(struct ca_bytes whole, struct ca_bytes part)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.len <= whole.len &&
            (size_t)(part.data - whole.data) <= whole.len - part.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_bytes text = ca_bytes_of(data, size);
    struct ca_pem_block block;
    bool found = false;
    size_t len = 0;
    uint8_t *octets;

    if (size > OUT_MAX / 4) return 0;
    octets = decode(text, &len);
    if (octets != NULL) round_trip(ca_bytes_of(octets, len));
    planted(octets != NULL && len > 0 && octets[0] == '~', data, size);
    free(octets);
    round_trip(text);       /* any octets at all */

    if (ca_pem_find(text, &block, &found, NULL) != CA_OK || !found) return 0;
    require(inside(text, block.label) && block.label.len > 0);
    require(block.label.len <= CA_PEM_LABEL_MAX);
    require(inside(text, block.base64) && inside(text, block.after));
    octets = decode(block.base64, &len);
    if (octets != NULL) round_trip(ca_bytes_of(octets, len));
    free(octets);
    return 0;
}
