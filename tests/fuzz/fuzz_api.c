/*
 * ApiPassthrough, and a manifest line's subject and names: what is accepted passes the checks of
 * what stands in requests, and its canonical form is accepted too and gives the same octets.
 *
 * The first octet says which of the three the rest is.
 */
#include "engine/api_passthrough.h"
#include "engine/contents.h"
#include "engine/name.h"
#include "tests/fuzz/planted.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (1u << 22)

/* A fuzz target's own way to fail: asserts may be compiled out. */
static void require(bool holds)
{
    if (!holds) abort();
}

static void require_names(struct ca_bytes subject, struct ca_bytes san)
{
    bool empty = false;

    require(subject.len == 0 || ca_name_check(subject, &empty, NULL) == CA_OK);
    require(san.len == 0 || ca_san_check(san, NULL) == CA_OK);
}

static void require_same_again(struct ca_bytes json, const struct ca_api *api)
{
    static struct ca_api again;
    struct ca_arena arena;
    struct ca_buf canonical;

    ca_buf_init(&canonical, ARENA_MAX);
    ca_arena_init(&arena, 4096, ARENA_MAX);
    require(ca_api_canonical(json, &canonical, NULL) == CA_OK);
    require(ca_api_parse(ca_buf_view(&canonical), &arena, &again, NULL) == CA_OK);
    require(ca_bytes_equal(api->subject, again.subject) && ca_bytes_equal(api->san, again.san));
    require(api->extension_count == again.extension_count);
    for (size_t i = 0; i < api->extension_count; i++)
        require(ca_bytes_equal(api->extensions[i].whole, again.extensions[i].whole));
    ca_arena_clear(&arena);
    ca_buf_clear(&canonical);
}

static bool try_api(struct ca_bytes json, struct ca_arena *arena, struct ca_error *err)
{
    static struct ca_api api;

    if (ca_api_parse(json, arena, &api, err) != CA_OK) return false;
    require_names(api.subject, api.san);
    require(api.extension_count <= CA_API_EXTENSIONS_MAX);
    for (size_t i = 0; i < api.extension_count; i++)
        require(ca_der_check_nested(api.extensions[i].whole, "an extension", NULL) == CA_OK);
    require_same_again(json, &api);
    return api.subject.len > 0 && memchr(api.subject.data, '~', api.subject.len) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_error err = { .status = CA_OK };
    struct ca_bytes json, out = { .len = 0 };
    struct ca_arena arena;
    bool reached = false;

    if (size == 0 || size > 16384) return 0;
    json = ca_bytes_of(data + 1, size - 1);
    ca_arena_init(&arena, 4096, ARENA_MAX);
    switch (data[0] % 3) {
    case 0: reached = try_api(json, &arena, &err); break;
    case 1:
        if (ca_line_subject_parse(json, &arena, &out, &err) == CA_OK)
            require_names(out, ca_bytes_of(NULL, 0));
        break;
    default:
        if (ca_line_san_parse(json, &arena, &out, &err) == CA_OK)
            require_names(ca_bytes_of(NULL, 0), out);
        break;
    }
    if (err.status != CA_OK) require(err.reason != CA_REASON_NONE && err.text[0] != '\0');
    if (out.len > 0) reached = memchr(out.data, '~', out.len) != NULL;
    planted(reached, data, size);
    ca_arena_clear(&arena);
    return 0;
}
