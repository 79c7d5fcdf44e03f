/*
 * Manifest lines: a line that is split can be put together again from its members and is then split
 * into the same members; whatever is parsed lies inside what was given.
 */
#include "batch/manifest.h"

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
    if (batch_manifest_parse(ca_bytes_of(data, size), &arena, &line, NULL) == CA_OK)
        require(line.csr.len > 0 && line.csr.len + line.id.len <= size);
    ca_buf_clear(&arena);
    ca_buf_clear(&joined);
    return 0;
}
