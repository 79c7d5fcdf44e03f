#include "batch/terms.h"

#include "engine/preset.h"
#include "engine/template_file.h"
#include "io/file.h"

#include <errno.h>
#include <stdlib.h>

/* What an ApiPassthrough becomes in DER is about as long as its JSON; base64 and UTF-8 only make it
 * shorter. Long ones are rare, so blocks are small. */
#define API_ARENA_BLOCK ((size_t)16 * 1024)
#define API_ARENA_MAX ((size_t)16 << 20)

/* Canonical JSON escapes what the file may have had plain: a control character as six octets. */
#define API_CANONICAL_MAX ((size_t)6 * CA_API_JSON_MAX)

static enum ca_status choose_template(struct batch_terms *terms,
                                      const struct batch_terms_spec *spec, struct ca_error *err)
{
    struct ca_bytes json = spec->tmpl_json;
    enum ca_status st;

    if (json.len == 0 && spec->tmpl == NULL) {
        terms->tmpl = ca_template_default();
        return CA_OK;
    }
    if (json.len == 0 && !ca_preset_find(spec->tmpl, &json))
        return ca_template_find(spec->tmpl, &terms->tmpl, err);
    st = ca_template_parse(json, &terms->own, NULL, err);
    terms->tmpl = terms->own;
    return st;
}

/* Read from its canonical form, so that a resumed job, which has no other, reads the same. */
static enum ca_status read_api(struct batch_terms *terms, struct ca_bytes json,
                               struct ca_error *err)
{
    enum ca_status st;

    if (json.len == 0) return CA_OK;
    st = ca_api_canonical(json, &terms->api_json, err);
    if (st != CA_OK) return st;
    terms->api = calloc(1, sizeof(*terms->api));
    if (terms->api == NULL) return ca_fail(err, CA_NOMEM, "no memory for an ApiPassthrough");
    return ca_api_parse(ca_buf_view(&terms->api_json), &terms->arena, terms->api, err);
}

static enum ca_status read_blocklist(struct batch_terms *terms, const char *path,
                                     struct ca_crypto *crypto, struct ca_error *err)
{
    struct ca_buf text;
    enum ca_status st;

    if (path == NULL) return CA_OK;
    /* Absolute, because a resume may be typed in another directory. */
    terms->blocklist_path = realpath(path, NULL);
    if (terms->blocklist_path == NULL)
        return ca_fail_errno(err, errno, "cannot open the blocklist %s", path);
    ca_buf_init(&text, (size_t)CA_BLOCKLIST_FILE_MAX + 1);   /* what tells a longer one */
    st = file_read(terms->blocklist_path, CA_BLOCKLIST_FILE_MAX, FILE_PUBLIC, &text, err);
    if (st == CA_OK)
        st = ca_blocklist_parse(ca_buf_view(&text), crypto, &terms->blocklist, err);
    ca_buf_clear(&text);
    return st;
}

enum ca_status batch_terms_new(const struct batch_terms_spec *spec, struct ca_crypto *crypto,
                               struct batch_terms **out, struct ca_error *err)
{
    struct batch_terms *terms = calloc(1, sizeof(*terms));
    enum ca_status st;

    if (terms == NULL) return ca_fail(err, CA_NOMEM, "no memory for a job's terms");
    ca_arena_init(&terms->arena, API_ARENA_BLOCK, API_ARENA_MAX);
    ca_buf_init(&terms->api_json, API_CANONICAL_MAX);
    terms->strict = spec->strict;
    st = choose_template(terms, spec, err);
    if (st == CA_OK) st = read_api(terms, spec->api_json, err);
    if (st == CA_OK) st = read_blocklist(terms, spec->blocklist, crypto, err);
    if (st != CA_OK) {
        batch_terms_free(terms);
        return st;
    }
    *out = terms;
    return CA_OK;
}

void batch_terms_free(struct batch_terms *terms)
{
    if (terms == NULL) return;
    ca_template_free(terms->own);
    ca_arena_clear(&terms->arena);
    free(terms->api);
    ca_buf_clear(&terms->api_json);
    free(terms->blocklist_path);
    ca_blocklist_free(terms->blocklist);
    free(terms);
}
