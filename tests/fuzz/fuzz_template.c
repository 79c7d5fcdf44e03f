/*
 * Templates' files: one that is accepted has no findings, one that is refused says what is wrong
 * and where; the canonical source of an accepted one is accepted again and means the same.
 */
#include "engine/template_file.h"
#include "tests/fuzz/planted.h"

#include <stdlib.h>
#include <string.h>

/* A fuzz target's own way to fail: asserts may be compiled out. */
static void require(bool holds)
{
    if (!holds) abort();
}

static void describe(const struct ca_template *tmpl, struct ca_buf *out)
{
    ca_buf_init(out, 1 << 22);
    ca_template_describe(tmpl, out);
    require(out->failed == CA_OK);
}

static void require_same_again(const struct ca_template *tmpl)
{
    struct ca_template *again = NULL;
    struct ca_buf first, second;

    require(ca_template_parse(tmpl->source, &again, NULL, NULL) == CA_OK);
    describe(tmpl, &first);
    describe(again, &second);
    require(ca_bytes_equal(ca_buf_view(&first), ca_buf_view(&second)));
    ca_buf_clear(&first);
    ca_buf_clear(&second);
    ca_template_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ca_findings findings;
    struct ca_error err = { .status = CA_OK };
    struct ca_template *tmpl = NULL;
    enum ca_status st;

    if (size > 16384) return 0;
    findings.count = findings.total = 0;
    st = ca_template_parse(ca_bytes_of(data, size), &tmpl, &findings, &err);
    if (st != CA_OK) {
        require(st == CA_MALFORMED || st == CA_REFUSED);
        require(tmpl == NULL && err.text[0] != '\0');
        require(st == CA_MALFORMED || (findings.count > 0 && findings.items[0].text[0] != '\0'));
        return 0;
    }
    require(findings.total == 0 && tmpl->name != NULL && tmpl->source.len > 0);
    require_same_again(tmpl);
    planted(tmpl->source.len % 16 == 5, data, size);
    ca_template_free(tmpl);
    return 0;
}
