/* Certificates against the templates that they were issued from, as their profiles' rows have them:
 * what a template fixes must stand in every certificate of it. */
#include "batch/verify_private.h"

#include "batch/plan.h"
#include "engine/cert.h"
#include "engine/ext.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OID_TEXT_MAX 256

/* The profile that was asked for last; certificates of one stand together. */
struct verify_template {
    uint64_t id;
    json_t *root;                   /* NULL: not there, or its own table's finding */
    struct ca_template fixed;       /* kind to basic_constraints; what enum bits can say */
    const json_t *purposes;
    bool purposes_critical;
    const char *sig_alg;
    uint8_t *extensions;            /* further ones: Extension after Extension */
    size_t extensions_len;
};

static void clear(struct verify_template *t)
{
    json_decref(t->root);
    free(t->extensions);
    *t = (struct verify_template){ .id = 0 };
}

void verify_template_free(struct verify_template *t)
{
    if (t == NULL) return;
    clear(t);
    free(t);
}

/* ---- a profile's text ---- */

static bool read_key_usage(const json_t *list, uint16_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        unsigned bit = 0;

        while (name != NULL && bit < CA_KEY_USAGE_COUNT &&
               strcmp(name, ca_key_usage_name(bit)) != 0)
            bit++;
        if (name == NULL || bit == CA_KEY_USAGE_COUNT) return false;
        *bits |= (uint16_t)(1U << bit);
    }
    return json_is_array(list);
}

static bool read_extensions(const char *hex, struct verify_template *t)
{
    size_t room = strlen(hex) / 2;

    t->extensions = malloc(room + 1);
    return t->extensions != NULL &&
           ca_hex_decode(hex, t->extensions, room, &t->extensions_len, NULL) == CA_OK;
}

static bool read_text(struct ca_bytes text, struct verify_template *t)
{
    const char *extensions;
    json_t *path_len, *usage, *signing_only, *purposes;
    int critical, is_ca, purposes_critical;

    t->root = json_loadb((const char *)text.data, text.len, 0, NULL);
    if (t->root == NULL ||
        json_unpack(t->root, "{s:s, s:{s:{s:b, s:b, s:o}, s:o, s:o, s:o, s:b, s:s}}",
                    "signing_algorithm", &t->sig_alg, "template", "basic_constraints", "critical",
                    &critical, "ca", &is_ca, "path_len", &path_len, "key_usage", &usage,
                    "key_usage_signing_only", &signing_only, "extended_key_usage", &purposes,
                    "extended_key_usage_critical", &purposes_critical, "extensions",
                    &extensions) != 0)
        return false;
    t->fixed.basic_constraints_critical = critical != 0;
    t->fixed.kind = is_ca != 0 ? CA_TEMPLATE_SUBORDINATE_CA : CA_TEMPLATE_END_ENTITY;
    t->fixed.path_len = json_is_integer(path_len) ? (int)json_integer_value(path_len)
                                                  : CA_PATH_LEN_NONE;
    t->purposes = purposes;
    t->purposes_critical = purposes_critical != 0;
    return read_key_usage(usage, &t->fixed.key_usage) &&
           read_key_usage(signing_only, &t->fixed.key_usage_signing_only) &&
           read_extensions(extensions, t);
}

static enum ca_status load(struct verify *v, struct store_txn *txn, uint64_t id,
                           struct ca_error *err)
{
    struct verify_template *t = v->tmpl;
    struct store_cursor *cursor = NULL;
    struct ca_bytes key, value;
    uint8_t octets[sizeof(id)];
    bool found = false;
    enum ca_status st;

    if (t == NULL) t = v->tmpl = calloc(1, sizeof(*t));
    if (t == NULL) return ca_fail(err, CA_NOMEM, "no memory for a profile");
    if (t->id == id) return CA_OK;
    clear(t);
    st = store_cursor_open(txn, STORE_PROFILE, &cursor, err);
    if (st != CA_OK) return st;
    ca_put_u64(octets, id);
    st = store_cursor_seek(cursor, ca_bytes_of(octets, sizeof(octets)), &found, &key, &value, err);
    store_cursor_close(cursor);
    if (st != CA_OK && st != CA_CORRUPT) return st;
    t->id = id;
    if (st != CA_OK || !found || key.len != SCHEMA_HASH_LEN || batch_profile_id(key.data) != id)
        return CA_OK;                   /* not there, or damaged: found elsewhere */
    if (read_text(value, t)) return CA_OK;
    verify_find(v, "the profile whose hash begins with %016llx: its text is no description",
                (unsigned long long)id);
    clear(t);
    t->id = id;
    return CA_OK;
}

/* ---- a certificate ---- */

static bool basic_constraints_fit(const struct verify_template *t, const struct ca_cert *cert)
{
    return cert->has_basic_constraints &&
           cert->basic_constraints_critical == t->fixed.basic_constraints_critical &&
           cert->is_ca == (t->fixed.kind != CA_TEMPLATE_END_ENTITY) &&
           cert->path_len == t->fixed.path_len;
}

/* One without any is left to the API and the request. */
static bool key_usage_fits(const struct verify_template *t, const struct ca_cert *cert)
{
    uint16_t wanted = ca_template_key_usage(&t->fixed, cert->key.kind);

    if (t->fixed.key_usage == 0 && t->fixed.key_usage_signing_only == 0) return true;
    return cert->has_key_usage == (wanted != 0) && cert->key_usage == wanted;
}

/* As a description calls a purpose: by its name, else by its OID. */
static void purpose_text(struct ca_bytes oid, char out[OID_TEXT_MAX])
{
    for (unsigned bit = 0; bit < CA_EKU_COUNT; bit++) {
        if (!ca_bytes_equal(ca_eku_oid(bit), oid)) continue;
        (void)snprintf(out, OID_TEXT_MAX, "%s", ca_eku_name(bit));
        return;
    }
    ca_der_oid_text(oid, out, OID_TEXT_MAX);
}

static bool same_purposes(const json_t *wanted, struct ca_bytes value)
{
    struct ca_der der = ca_der_open(value), list = { .reason = 0 };
    size_t count = 0;

    if (ca_der_enter(&der, CA_DER_SEQUENCE, "the purposes", &list, NULL) != CA_OK) return false;
    while (!ca_der_at_end(&list)) {
        const char *name = json_string_value(json_array_get(wanted, count++));
        char text[OID_TEXT_MAX];
        struct ca_bytes oid;

        if (name == NULL || ca_der_oid(&list, "a purpose", &oid, NULL) != CA_OK) return false;
        purpose_text(oid, text);
        if (strcmp(text, name) != 0) return false;
    }
    return count == json_array_size(wanted);
}

static bool purposes_fit(const struct verify_template *t, const struct ca_cert *cert)
{
    struct ca_der list = ca_der_open(cert->extensions);
    struct ca_extension extension;

    if (json_array_size(t->purposes) == 0) return true;
    while (!ca_der_at_end(&list)) {
        if (ca_extension_next(&list, &extension, NULL) != CA_OK) return false;
        if (ca_bytes_equal(extension.oid, ca_oid_ext_key_usage))
            return extension.critical == t->purposes_critical &&
                   same_purposes(t->purposes, extension.value);
    }
    return false;
}

/* They are written in one piece. */
static bool extensions_fit(const struct verify_template *t, const struct ca_cert *cert)
{
    return t->extensions_len == 0 ||
           (cert->extensions.len > 0 &&
            memmem(cert->extensions.data, cert->extensions.len, t->extensions,
                   t->extensions_len) != NULL);
}

static bool sig_alg_fits(const struct verify_template *t, const struct ca_cert *cert)
{
    return cert->sig_alg != CA_SIG_ALG_NONE &&
           strcmp(t->sig_alg, ca_sig_alg_name(cert->sig_alg)) == 0;
}

enum ca_status verify_template(struct verify *v, struct store_txn *txn, const char *serial,
                               uint64_t profile, const struct ca_cert *cert, struct ca_error *err)
{
    static const struct {
        const char *what;
        bool (*fits)(const struct verify_template *t, const struct ca_cert *cert);
    } checks[] = {
        { "basic constraints", basic_constraints_fit }, { "key usage", key_usage_fits },
        { "extended key usage", purposes_fit }, { "further extensions", extensions_fit },
        { "signature algorithm", sig_alg_fits },
    };
    enum ca_status st = load(v, txn, profile, err);

    if (st != CA_OK || v->tmpl->root == NULL) return st;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (!checks[i].fits(v->tmpl, cert))
            verify_find(v, "certificate %s: its %s: not as the template of its profile has it",
                        serial, checks[i].what);
    }
    return CA_OK;
}
