#include "engine/template_file.h"

#include "engine/name_rules_json.h"
#include "engine/shape.h"
#include "engine/template_reader.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_CHARACTERS 64
#define SUMMARY_MAX 120
#define CA_NAME_OR_ARN_MAX 256
#define ALLOWED_CAS_MAX 64
#define ARENA_BLOCK 4096
/* The canonical JSON is no longer than the file: it escapes only what must be, and numbers with a
 * fraction, which could get longer, have no place in a template. All else is shorter than the file
 * that says it, but for DER, which has a bound of its own. */
#define SOURCE_MAX CA_TEMPLATE_JSON_MAX
#define ARENA_MAX (3 * CA_TEMPLATE_JSON_MAX)

/* What ca_template_parse gives: the template comes first, so that its address is the whole's. */
struct own_template {
    struct ca_template tmpl;
    struct ca_arena arena;              /* texts and octets that tmpl shows */
    const char **allowed_cas;
    struct ca_name_rules *names;
};

static_assert(offsetof(struct own_template, tmpl) == 0, "ca_template_free goes back to the whole");

struct ca_bytes template_keep(struct template_reader *reader, struct ca_bytes bytes)
{
    struct ca_bytes kept = ca_bytes_of(NULL, 0);
    enum ca_status st = CA_OK;

    if (bytes.len > 0) st = ca_arena_copy(reader->arena, bytes, "a template", &kept, NULL);
    if (st != CA_OK) reader->failed = st;
    return kept;
}

/* The text with its zero; "" after a failure, which the reader remembers. */
static const char *keep_text(struct template_reader *reader, const char *text)
{
    struct ca_bytes kept = template_keep(reader, ca_bytes_of(text, strlen(text) + 1));

    return kept.data != NULL ? (const char *)kept.data : "";
}

void template_fault(struct template_reader *reader, const char *path, const char *text)
{
    ca_finding_add(reader->findings, path, "%s", text);
}

/* What it is */

static void read_base(struct template_reader *reader)
{
    const json_t *value = json_object_get(reader->root, "base");
    const char *text = json_string_value(value);

    if (value == NULL) {
        template_fault(reader, "base", "is missing: the name of a template of the catalogue");
    } else if (text == NULL || ca_template_find(text, &reader->base, NULL) != CA_OK) {
        ca_finding_wrong(reader->findings, value, "base",
                         "a template of AWS's catalogue (see `certmill template list`)");
    }
    *reader->tmpl = reader->base != NULL ? *reader->base : *ca_template_default();
    reader->tmpl->ours = true;
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_template_name(const char *text)
{
    if (!is_alphanumeric(text[0])) return false;
    for (; *text != '\0'; text++) {
        if (!is_alphanumeric(*text) && strchr("._-", *text) == NULL) return false;
    }
    return true;
}

static void read_name(struct template_reader *reader)
{
    const struct ca_template *row;
    const char *text;

    reader->tmpl->name = "";
    if (json_object_get(reader->root, "name") == NULL) {
        template_fault(reader, "name", "is missing");
    }
    text = ca_finding_text(reader->findings, reader->root, "", "name", 1, NAME_MAX_CHARACTERS);
    if (text == NULL) return;
    if (!is_template_name(text)) {
        template_fault(reader, "name",
                       "must be letters, digits, \".\", \"_\" and \"-\", a letter or digit first");
    } else if (ca_template_find(text, &row, NULL) == CA_OK) {
        template_fault(reader, "name", "is the name of a template of the catalogue");
    }
    reader->tmpl->name = keep_text(reader, text);
}

static void read_texts(struct template_reader *reader)
{
    const char *summary =
        ca_finding_text(reader->findings, reader->root, "", "summary", 1, SUMMARY_MAX);
    const json_t *comment = json_object_get(reader->root, "comment");

    if (summary != NULL) reader->tmpl->summary = keep_text(reader, summary);
    /* Of any characters, line ends too. */
    if (comment != NULL && !json_is_string(comment))
        template_fault(reader, "comment", "must be a string");
}

bool template_read_set(struct template_reader *reader, const json_t *object, const char *path,
                       const char *member, size_t min, const char *const *choices, size_t count,
                       uint32_t *out)
{
    struct ca_finding_path at = ca_finding_join(path, member);
    const json_t *list = ca_finding_list(reader->findings, object, path, member, min, count);
    uint32_t bits = 0;
    bool good = list != NULL;

    for (size_t i = 0; i < json_array_size(list); i++) {
        struct ca_finding_path item = ca_finding_at(at.text, i);
        size_t choice = 0;

        if (!ca_finding_choice_value(reader->findings, json_array_get(list, i), item.text, choices,
                                     count, &choice)) {
            good = false;
        } else if ((bits & (UINT32_C(1) << choice)) != 0) {
            template_fault(reader, item.text, "stands there twice");
            good = false;
        } else {
            bits |= UINT32_C(1) << choice;
        }
    }
    *out = bits;
    return good;
}

static void read_passthrough(struct template_reader *reader)
{
    static const char *const sources[] = { "api", "csr" };
    struct ca_template *tmpl = reader->tmpl;
    uint32_t set = 0;
    unsigned bits;

    if (!template_read_set(reader, reader->root, "", "passthrough", 0, sources, CA_COUNT(sources),
                           &set))
        return;
    bits = ((set & 1) != 0 ? CA_FROM_API : 0u) | ((set & 2) != 0 ? CA_FROM_CSR : 0u);
    if (reader->base != NULL && (bits & ~(unsigned)reader->base->passthrough) != 0)
        template_fault(reader, "passthrough", "is more than the base lets pass");
    tmpl->passthrough = (uint8_t)bits;
    tmpl->cdp_from = (uint8_t)(tmpl->cdp_from & (CA_FROM_CA | bits));
    tmpl->aki_from_api = tmpl->aki_from_api && (bits & CA_FROM_API) != 0;
}

static void read_allowed_cas(struct template_reader *reader, const char ***out)
{
    const json_t *list = ca_finding_list(reader->findings, reader->root, "", "allowed_cas", 1,
                                         ALLOWED_CAS_MAX);
    size_t count = json_array_size(list);
    const char **names;

    if (list == NULL) return;
    names = calloc(count, sizeof(*names));
    if (names == NULL) {
        reader->failed = CA_NOMEM;
        return;
    }
    *out = names;
    for (size_t i = 0; i < count; i++) {
        struct ca_finding_path at = ca_finding_at("allowed_cas", i);
        const char *text = ca_finding_text_value(reader->findings, json_array_get(list, i),
                                                 at.text, 1, CA_NAME_OR_ARN_MAX);

        names[i] = text != NULL ? keep_text(reader, text) : "";
        for (size_t j = 0; text != NULL && j < i; j++) {
            if (strcmp(names[j], text) == 0)
                template_fault(reader, at.text, "stands there twice");
        }
    }
    reader->tmpl->allowed_cas = names;
    reader->tmpl->allowed_ca_count = count;
}

/* The whole template */

static void read_names(struct template_reader *reader, struct ca_name_rules **out)
{
    static const char *const from[] = { "csr", "manifest", "both-must-agree" };
    static const enum ca_names_from values[] = { CA_NAMES_FROM_CSR, CA_NAMES_FROM_MANIFEST,
                                                 CA_NAMES_BOTH_MUST_AGREE };
    enum ca_status st;
    size_t choice = 0;

    if (ca_finding_choice(reader->findings, reader->root, "", "names", from, CA_COUNT(from),
                          &choice))
        reader->tmpl->names_from = values[choice];
    st = ca_name_rules_parse(json_object_get(reader->root, "subject"),
                             json_object_get(reader->root, "san"), reader->findings, out, NULL);
    if (st == CA_OK) reader->tmpl->names = *out;
    else if (st != CA_REFUSED) reader->failed = st;     /* refused: it has found why */
}

static void read_pointers(struct template_reader *reader)
{
    static const char *const choices[] = { "from-ca", "none" };
    size_t choice = 0;

    (void)ca_finding_choice(reader->findings, reader->root, "", "revocation_pointers", choices,
                            CA_COUNT(choices), &choice);
    if (choice == 0) return;
    reader->tmpl->no_revocation_pointers = true;
    reader->tmpl->cdp_from = 0;
}

/* What a stored template is read from again. */
static void keep_source(struct template_reader *reader, json_t *root)
{
    struct ca_buf text;
    enum ca_status st;

    (void)json_object_del(root, "comment");     /* absent is as good */
    (void)json_object_del(root, "$schema");
    ca_buf_init(&text, SOURCE_MAX);
    st = ca_shape_dump(root, &text, NULL);
    if (st == CA_OK) reader->tmpl->source = template_keep(reader, ca_buf_view(&text));
    else reader->failed = st;
    ca_buf_clear(&text);
}

static void read_all(struct template_reader *reader, struct own_template *own)
{
    static const char *const members[] = {
        "$schema", "name", "comment", "base", "summary", "passthrough", "allowed_cas", "keys",
        "request", "names", "subject", "san", "validity", "not_after", "key_usage",
        "extended_key_usage", "extended_key_usage_critical", "revocation_pointers",
        "certificate_policies", "extensions", "duplicate_keys",
    };

    read_base(reader);
    (void)ca_finding_object(reader->findings, reader->root, "", members, CA_COUNT(members));
    read_name(reader);
    read_texts(reader);
    read_passthrough(reader);
    read_allowed_cas(reader, &own->allowed_cas);
    template_read_requests(reader);
    read_names(reader, &own->names);
    template_read_dates(reader);
    template_read_usages(reader);
    read_pointers(reader);
    template_read_extensions(reader);
}

/* The first finding; how many there are is what to do about it. */
static enum ca_status refuse(const struct ca_findings *findings, struct ca_error *err)
{
    const struct ca_finding *first = &findings->items[0];

    (void)ca_fail_named(err, CA_REFUSED, "template", "%s%s%s", first->path,
                        first->path[0] == '\0' ? "" : ": ", first->text);
    if (findings->total > 1)
        ca_hint(err, "`certmill template check FILE` shows all %zu mistakes", findings->total);
    return CA_REFUSED;
}

static enum ca_status parse(struct ca_bytes json, struct ca_template **out,
                            struct ca_findings *findings, struct ca_error *err)
{
    struct own_template *own = NULL;
    struct template_reader reader;
    struct ca_error why;
    json_t *root = NULL;
    enum ca_status st = ca_shape_parse(json, CA_TEMPLATE_JSON_MAX, &root, &why);

    if (st == CA_MALFORMED) {
        ca_finding_add(findings, "", "%s", why.text);
        return ca_fail_named(err, CA_MALFORMED, "template", "%s", why.text);
    }
    if (st != CA_OK) return ca_fail(err, st, "%s", why.text);
    own = calloc(1, sizeof(*own));
    if (own == NULL) {
        st = ca_fail(err, CA_NOMEM, "no memory for a template");
        goto out;
    }
    ca_arena_init(&own->arena, ARENA_BLOCK, ARENA_MAX);
    reader = (struct template_reader){ .root = root, .findings = findings, .tmpl = &own->tmpl,
                                       .arena = &own->arena };
    read_all(&reader, own);
    if (findings->total == 0 && reader.failed == CA_OK) keep_source(&reader, root);
    if (reader.failed != CA_OK) st = ca_fail(err, reader.failed, "there is no room for a template");
    else if (findings->total > 0) st = refuse(findings, err);
    if (st != CA_OK) goto out;
    *out = &own->tmpl;
    own = NULL;
out:
    json_decref(root);
    if (own != NULL) ca_template_free(&own->tmpl);
    return st;
}

enum ca_status ca_template_parse(struct ca_bytes json, struct ca_template **out,
                                 struct ca_findings *findings, struct ca_error *err)
{
    struct ca_findings *own = findings == NULL ? calloc(1, sizeof(*own)) : NULL;
    enum ca_status st;

    if (findings == NULL && own == NULL) return ca_fail(err, CA_NOMEM, "no memory for findings");
    if (findings == NULL) findings = own;
    findings->count = findings->total = 0;
    st = parse(json, out, findings, err);
    free(own);
    return st;
}

void ca_template_free(struct ca_template *tmpl)
{
    struct own_template *own = (struct own_template *)(void *)tmpl;

    if (own == NULL) return;
    ca_name_rules_free(own->names);
    ca_arena_clear(&own->arena);
    free(own->allowed_cas);
    free(own);
}
