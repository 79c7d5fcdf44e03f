#include "tools/terms.h"

#include "engine/template_file.h"
#include "io/file.h"

#include <string.h>

bool terms_is_file(const char *tmpl)
{
    size_t len = strlen(tmpl);

    if (len > 5 && strcmp(tmpl + len - 5, ".json") == 0) return true;
    if (strncmp(tmpl, "arn:", 4) == 0) return false;
    if (len > 3 && strcmp(tmpl + len - 3, "/V1") == 0) return false;
    return strchr(tmpl, '/') != NULL;
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
        st = ca_fail_named(err, CA_REFUSED, "template", "%s is empty", tmpl);
    terms->spec.tmpl_json = ca_buf_view(&terms->template_json);
    return st;
}

enum ca_status terms_read(struct cli *cli, struct terms *terms, struct ca_error *err)
{
    const char *tmpl = opts_value(cli, "template");
    enum ca_status st;

    *terms = (struct terms){ .spec = { .blocklist = opts_value(cli, "blocklist"),
                                       .strict = opts_flag(cli, "strict-passthrough") } };
    ca_buf_init(&terms->template_json, CA_TEMPLATE_JSON_MAX + 1);
    st = cli_read_option(cli, "api-passthrough", CA_API_JSON_MAX, &terms->api_json, err);
    if (st == CA_OK && opts_value(cli, "api-passthrough") != NULL && terms->api_json.len == 0)
        st = ca_fail_named(err, CA_REFUSED, "api-passthrough", "%s is empty",
                           opts_value(cli, "api-passthrough"));
    terms->spec.api_json = ca_buf_view(&terms->api_json);
    if (st == CA_OK) st = read_template(tmpl, terms, err);
    if (st != CA_OK && tmpl != NULL && terms_is_file(tmpl) && err->hint[0] == '\0')
        ca_hint(err, "certmill template check %s says what is wrong in a template's file; "
                     "`certmill template list` shows the built-in ones", tmpl);
    return st;
}

void terms_clear(struct terms *terms)
{
    ca_buf_clear(&terms->template_json);
    ca_buf_clear(&terms->api_json);
}
