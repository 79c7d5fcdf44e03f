#include "tools/terms.h"

#include "engine/template_file.h"
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK 65536       /* octets */

bool terms_is_file(const char *tmpl)
{
    size_t len = strlen(tmpl);

    if (len > 5 && strcmp(tmpl + len - 5, ".json") == 0) return true;
    if (strncmp(tmpl, "arn:", 4) == 0) return false;
    if (len > 3 && strcmp(tmpl + len - 3, "/V1") == 0) return false;
    return strchr(tmpl, '/') != NULL;
}

/* Nobody below knows which file a text came from: it is looked at before it is used. */
static enum ca_status check_template(const char *path, struct ca_bytes json, struct ca_error *err)
{
    struct ca_template *tmpl = NULL;
    enum ca_status st = ca_template_parse(json, &tmpl, NULL, err);

    ca_template_free(tmpl);
    if (st == CA_OK) return CA_OK;
    st = cli_blame_file(path, err);
    ca_hint(err, "certmill template check %s shows every mistake", path);
    return st;
}

static enum ca_status read_template(const char *tmpl, struct terms *terms, struct ca_error *err)
{
    enum ca_status st;

    if (tmpl == NULL || !terms_is_file(tmpl)) {
        terms->spec.tmpl = tmpl;
        return CA_OK;
    }
    st = file_read(tmpl, CA_TEMPLATE_JSON_MAX, FILE_PUBLIC, &terms->template_json, err);
    if (st == CA_OK && terms->template_json.len == 0)
        return ca_fail_named(err, CA_REFUSED, "template", "%s is empty", tmpl);
    terms->spec.tmpl_json = ca_buf_view(&terms->template_json);
    return st == CA_OK ? check_template(tmpl, terms->spec.tmpl_json, err) : st;
}

static enum ca_status check_api(const char *path, struct ca_bytes json, struct ca_error *err)
{
    struct ca_api *api = calloc(1, sizeof(*api));
    struct ca_arena arena;
    enum ca_status st;

    if (api == NULL) return ca_fail(err, CA_NOMEM, "no memory for what the API passes");
    ca_arena_init(&arena, ARENA_BLOCK, 4 * (size_t)CA_API_JSON_MAX);
    st = ca_api_parse(json, &arena, api, err);
    ca_arena_clear(&arena);
    free(api);
    return st == CA_OK ? CA_OK : cli_blame_file(path, err);
}

static enum ca_status read_api(struct cli *cli, struct terms *terms, struct ca_error *err)
{
    const char *path = opts_value(cli, "api-passthrough");
    enum ca_status st = cli_read_option(cli, "api-passthrough", CA_API_JSON_MAX, &terms->api_json,
                                        err);

    if (st != CA_OK || path == NULL) return st;
    if (terms->api_json.len == 0)
        return ca_fail_named(err, CA_REFUSED, "api-passthrough", "%s is empty", path);
    terms->spec.api_json = ca_buf_view(&terms->api_json);
    return check_api(path, terms->spec.api_json, err);
}

enum ca_status terms_read(struct cli *cli, struct terms *terms, struct ca_error *err)
{
    enum ca_status st;

    *terms = (struct terms){ .spec = { .blocklist = opts_value(cli, "blocklist"),
                                       .strict = opts_flag(cli, "strict-passthrough") } };
    ca_buf_init(&terms->template_json, CA_TEMPLATE_JSON_MAX + 1);
    st = read_api(cli, terms, err);
    return st == CA_OK ? read_template(opts_value(cli, "template"), terms, err) : st;
}

void terms_clear(struct terms *terms)
{
    ca_buf_clear(&terms->template_json);
    ca_buf_clear(&terms->api_json);
}
