/*
 * Manifest lines: a line that is split can be put together again from its members and is then split
 * into the same members; whatever is parsed lies inside what was given. Nested values are whole:
 * one that is cut out is a value on its own.
 */
#include "batch/manifest.h"
#include "tests/fuzz/planted.h"

#include <stdlib.h>
#include <string.h>

static void require(bool condition)
{
    if (!condition) abort();
}

static void rejoin(const struct batch_member_list *list, struct ca_buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        ca_buf_append_str(out, i == 0 ? "{\"" : ",\"");
        ca_buf_append_bytes(out, list->members[i].name);
        ca_buf_append_str(out, "\":");
        ca_buf_append_bytes(out, list->members[i].value);
    }
    ca_buf_append_str(out, list->count == 0 ? "{}" : "}");
}

/* A value that was handed on, as the only member of a line of its own. */
static void stands_alone(struct ca_bytes value, uint8_t first, uint8_t last)
{
    struct batch_member_list list;
    struct ca_buf text;

    if (value.len == 0) return;
    require(value.len >= 2 && value.data[0] == first && value.data[value.len - 1] == last);
    ca_buf_init(&text, value.len + 8);
    ca_buf_append_str(&text, "{\"v\":");
    ca_buf_append_bytes(&text, value);
    ca_buf_append_u8(&text, '}');
    require(text.failed == CA_OK);
    require(batch_manifest_split(ca_buf_view(&text), &list, NULL) == CA_OK);
    require(list.count == 1 && ca_bytes_equal(list.members[0].value, value));
    ca_buf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch_member_list first, second;
    struct batch_manifest_line line;
    struct ca_buf arena, joined;

    if (size > 65536) return 0;
    ca_buf_init(&arena, size + 1);
    ca_buf_init(&joined, 2 * size + 64);
    require(ca_buf_reserve(&arena, size + 1));
    if (batch_manifest_split(ca_bytes_of(data, size), &first, NULL) == CA_OK) {
        rejoin(&first, &joined);
        require(joined.failed == CA_OK);
        require(batch_manifest_split(ca_buf_view(&joined), &second, NULL) == CA_OK);
        require(first.count == second.count);
        for (size_t i = 0; i < first.count; i++) {
            require(ca_bytes_equal(first.members[i].name, second.members[i].name));
            require(ca_bytes_equal(first.members[i].value, second.members[i].value));
        }
    }
    if (batch_manifest_parse(ca_bytes_of(data, size), &arena, &line, NULL) == CA_OK) {
        require(line.csr.len > 0 && line.csr.len + line.id.len <= size);
        require(line.subject.len + line.san.len + line.api_passthrough.len < size);
        stands_alone(line.subject, '{', '}');
        stands_alone(line.san, '[', ']');
        stands_alone(line.api_passthrough, '{', '}');
    }
    planted(line.id.len > 0 && memchr(line.id.data, '~', line.id.len) != NULL, data, size);
    ca_buf_clear(&arena);
    ca_buf_clear(&joined);
    return 0;
}
