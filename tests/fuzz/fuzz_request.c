/*
 * A request that is accepted lies wholly inside its input, reads the same when its parts are read
 * again, and can be printed.
 */
#include "engine/name.h"
#include "engine/request.h"
#include "tests/fuzz/planted.h"

#include <stdlib.h>
#include <string.h>

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

static void require_slices_inside(const struct ca_request *r)
{
    require(inside(r->der, r->info));
    require(inside(r->info, r->subject));
    require(inside(r->info, r->key.whole));
    require(inside(r->key.whole, r->key.key));
    require(inside(r->key.key, r->key.rsa_n));
    require(inside(r->key.key, r->key.rsa_e));
    require(inside(r->info, r->extensions));
    require(inside(r->extensions, r->san));
    require(inside(r->der, r->signature));
}

static void require_printable(const struct ca_request *r)
{
    struct ca_buf out;
    struct ca_bytes common_name = ca_name_common_name(r->subject);

    require(inside(r->subject, common_name));
    ca_buf_init(&out, 1 << 20);
    ca_name_print(r->subject, &out);
    if (r->has_san) ca_san_print(r->san, &out);
    require(out.failed == CA_OK);
    for (size_t i = 0; i < out.len; i++) require(out.data[i] >= 0x20 && out.data[i] != 0x7f);
    ca_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_request request, again;
    struct ca_spki key;
    struct ca_error err = { .status = CA_OK };
    struct ca_bytes der = ca_bytes_of(data, size);
    bool empty = false;
    enum ca_status st = ca_request_parse(der, 0, &request, &err);

    if (st != CA_OK) {
        require(st == CA_MALFORMED || st == CA_REFUSED);
        require(err.status == st && err.reason != CA_REASON_NONE && err.text[0] != '\0');
        return 0;
    }
    require(ca_bytes_equal(request.der, der));
    require(request.key.kind != CA_KEY_KIND_NONE && request.sig_alg != CA_SIG_ALG_NONE);
    require_slices_inside(&request);
    require_printable(&request);
    require(ca_spki_parse(request.key.whole, &key, NULL) == CA_OK);
    require(key.kind == request.key.kind && ca_bytes_equal(key.key, request.key.key));
    require(ca_name_check(request.subject, &empty, NULL) == CA_OK);
    require(empty == request.subject_empty);
    require(!request.has_san || ca_san_check(request.san, NULL) == CA_OK);
    require(ca_request_parse(der, 0, &again, NULL) == CA_OK);
    require(ca_bytes_equal(request.signature, again.signature));
    require(ca_bytes_equal(request.san, again.san));
    planted(memchr(request.subject.data, '~', request.subject.len) != NULL, data, size);
    return 0;
}
