#include "batch/notices.h"

#include "engine/ignored.h"
#include "engine/notice.h"

#include <inttypes.h>

#define SENTENCE_MAX 2048       /* with the names of all that can be ignored */

static uint64_t count_of(const struct schema_job *row, unsigned bit)
{
    if (bit == CA_NOTICE_DUPLICATE_KEYS) return row->duplicate_keys;
    if (bit == CA_NOTICE_KNOWN_KEYS) return row->known_keys;
    return 0;
}

/* ": csr.keyUsage, csr.extendedKeyUsage" */
static void append_ignored(uint64_t ignored, struct ca_buf *out)
{
    const char *separator = ": ";

    for (unsigned bit = 0; bit < 64; bit++) {
        const char *name = ca_ignored_name(bit);

        if ((ignored >> bit & 1) == 0 || name == NULL) continue;
        ca_buf_printf(out, "%s%s", separator, name);
        separator = ", ";
    }
}

static void append_sentence(const struct schema_job *row, unsigned bit, struct ca_buf *out)
{
    struct ca_buf sentence;

    ca_buf_init(&sentence, SENTENCE_MAX);
    ca_buf_printf(&sentence, "%s: ", ca_notice_code(bit));
    if (count_of(row, bit) > 0) ca_buf_printf(&sentence, "%" PRIu64 " ", count_of(row, bit));
    ca_buf_append_str(&sentence, ca_notice_text(bit));
    if (bit == CA_NOTICE_IGNORED) append_ignored(row->ignored, &sentence);
    ca_buf_printf(&sentence, " (%s)", ca_notice_rule(bit));
    ca_json_append_string(out, ca_buf_view(&sentence));
    if (sentence.failed != CA_OK && out->failed == CA_OK) out->failed = sentence.failed;
    ca_buf_clear(&sentence);
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
