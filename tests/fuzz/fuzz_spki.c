/*
 * Public keys: one that is accepted lies wholly inside its input, has the size it says, and every
 * check of its strength comes to an end.
 */
#include "engine/key_check.h"
#include "engine/spki.h"
#include "tests/fuzz/planted.h"

#include <stdlib.h>

/* A fuzz target's own way to fail: asserts may be compiled out. */
static void require(bool holds)
{
    if (!holds) abort();
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
    struct ca_bytes der = ca_bytes_of(data, size);
    struct ca_error err = { .status = CA_OK };
    struct ca_spki key;
    enum ca_status st = ca_spki_parse(der, &key, &err);

    if (st != CA_OK) {
        require(st == CA_MALFORMED || st == CA_REFUSED);
        require(err.status == st && err.reason != CA_REASON_NONE && err.text[0] != '\0');
        return 0;
    }
    require(ca_bytes_equal(key.whole, der) && key.kind != CA_KEY_KIND_NONE && key.bits > 0);
    require(inside(der, key.key) && inside(key.key, key.rsa_n) && inside(key.key, key.rsa_e));
    if (key.kind == CA_KEY_KIND_RSA) {
        require(key.rsa_n.len == (key.bits + 7) / 8 && key.rsa_n.data[0] != 0);
        st = ca_rsa_check_modulus(key.rsa_n, &err);
        require(st == CA_OK || st == CA_REFUSED);
    }
    planted(key.key.data[key.key.len / 2] == 0x7d && key.key.data[1] != 0, data, size);
    return 0;
}
