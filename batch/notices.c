#include "batch/notices.h"

#include "engine/notice.h"

#include <inttypes.h>
#include <stdio.h>

#define SENTENCE_MAX 384

static uint64_t count_of(const struct schema_job *row, unsigned bit)
{
    if (bit == CA_NOTICE_DUPLICATE_KEYS) return row->duplicate_keys;
    if (bit == CA_NOTICE_KNOWN_KEYS) return row->known_keys;
    return 0;
}

static void append_sentence(const struct schema_job *row, unsigned bit, struct ca_buf *out)
{
    char sentence[SENTENCE_MAX], count[32] = "";

    if (count_of(row, bit) > 0)
        (void)snprintf(count, sizeof(count), "%" PRIu64 " ", count_of(row, bit));
    (void)snprintf(sentence, sizeof(sentence), "%s: %s%s (%s)", ca_notice_code(bit), count,
                   ca_notice_text(bit), ca_notice_rule(bit));
    ca_json_append_string(out, ca_bytes_str(sentence));
}

void batch_notices_append_json(const struct schema_job *row, struct ca_buf *out)
{
    const char *comma = "";

    ca_buf_append_str(out, "[");
    for (unsigned bit = 0; bit < 32; bit++) {
        /* One of a later version has no words here. */
        if ((row->notices & UINT32_C(1) << bit) == 0 || ca_notice_code(bit) == NULL) continue;
        ca_buf_append_str(out, comma);
        append_sentence(row, bit, out);
        comma = ", ";
    }
    ca_buf_append_str(out, "]");
}
