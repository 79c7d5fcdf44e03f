/* What passes into a certificate, against a model that knows the rows of spec section 6 by their
 * names and its rules 6.1 by heart; requests are made by OpenSSL. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/cert.h"
#include "engine/contents.h"
#include "engine/ext.h"

#include <openssl/conf.h>
#include <openssl/ec.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static uint64_t random_state = 0xa0761d6478bd642f;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* One request in the making, and all that is decided about it. */
struct fixture {
    EVP_PKEY *key;
    char own_key_id[64];            /* "DER:0414..." of it */
    char own_authority[64];         /* "DER:30168014..." */
    X509_NAME *subject;
    STACK_OF(X509_EXTENSION) *extensions;
    uint8_t *der;
    struct ca_request request;
    struct ca_api api;
    struct ca_arena arena, api_arena;
    struct ca_pointers pointers;
    struct ca_ask ask;
    struct ca_contents contents;
    struct ca_error err;
};

static void drop_extensions(STACK_OF(X509_EXTENSION) *list)
{
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) return -1;
    f->key = EVP_EC_gen("P-256");
    f->extensions = sk_X509_EXTENSION_new_null();
    f->subject = X509_NAME_new();
    ca_arena_init(&f->arena, 65536, 1u << 20);
    ca_arena_init(&f->api_arena, 65536, 1u << 20);
    *state = f;
    return f->key == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    EVP_PKEY_free(f->key);
    X509_NAME_free(f->subject);
    drop_extensions(f->extensions);
    OPENSSL_free(f->der);
    ca_arena_clear(&f->arena);
    ca_arena_clear(&f->api_arena);
    free(f);
    return 0;
}

static X509_EXTENSION *extension_of(const char *name, const char *text)
{
    static const char sections[] = "[dn]\nCN=x\n";
    BIO *bio = BIO_new_mem_buf(sections, -1);
    CONF *conf = NCONF_new(NULL);
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    long line = 0;

    assert_true(NCONF_load_bio(conf, bio, &line) > 0);
    BIO_free(bio);
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
    X509V3_set_nconf(&ctx, conf);
    extension = X509V3_EXT_nconf(conf, &ctx, name, text);
    NCONF_free(conf);
    if (extension == NULL) fail_msg("OpenSSL does not make %s = %s", name, text);
    return extension;
}

static void ask_csr(struct fixture *f, const char *name, const char *text)
{
    assert_true(sk_X509_EXTENSION_push(f->extensions, extension_of(name, text)) > 0);
}

static struct ca_bytes keep(struct fixture *f, struct ca_bytes bytes)
{
    struct ca_bytes kept;

    assert_int_equal(ca_arena_copy(&f->api_arena, bytes, "a test's", &kept, NULL), CA_OK);
    return kept;
}

/* As ca_api_parse would have it, without its JSON. */
static void ask_api(struct fixture *f, const char *name, const char *text, enum ca_ignored bit)
{
    X509_EXTENSION *extension = extension_of(name, text);
    const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
    const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(extension);
    struct ca_api_extension *out = &f->api.extensions[f->api.extension_count++];
    uint8_t *der = NULL;
    int len = i2d_X509_EXTENSION(extension, &der);

    assert_true(len > 0);
    out->oid = keep(f, ca_bytes_of(OBJ_get0_data(object), OBJ_length(object)));
    out->critical = X509_EXTENSION_get_critical(extension) == 1;
    out->value = keep(f, ca_bytes_of(ASN1_STRING_get0_data(data),
                                     (size_t)ASN1_STRING_length(data)));
    out->whole = keep(f, ca_bytes_of(der, (size_t)len));
    out->name = bit;
    f->ask.api = &f->api;
    OPENSSL_free(der);
    X509_EXTENSION_free(extension);
}

static void set_subject(struct fixture *f, const char *common_name)
{
    X509_NAME_free(f->subject);
    f->subject = X509_NAME_new();
    assert_int_equal(X509_NAME_add_entry_by_txt(f->subject, "CN", MBSTRING_UTF8,
                                                (const uint8_t *)common_name, -1, -1, 0), 1);
}

/* Forgets what was asked. */
static void begin(struct fixture *f)
{
    drop_extensions(f->extensions);
    f->extensions = sk_X509_EXTENSION_new_null();
    f->ask = (struct ca_ask){ .request = &f->request };
    f->pointers = (struct ca_pointers){ false, false, false };
    f->api = (struct ca_api){ .extension_count = 0 };
    ca_arena_reset(&f->api_arena);
    set_subject(f, "request");
}

/* The request as asked: made, signed, and read by the engine. */
static void make_request(struct fixture *f)
{
    X509_REQ *request = X509_REQ_new();
    uint8_t digest[20];
    char hex[41];
    int len;

    assert_int_equal(X509_REQ_set_subject_name(request, f->subject), 1);
    assert_int_equal(X509_REQ_set_pubkey(request, f->key), 1);
    if (sk_X509_EXTENSION_num(f->extensions) > 0)
        assert_int_equal(X509_REQ_add_extensions(request, f->extensions), 1);
    assert_true(X509_REQ_sign(request, f->key, EVP_sha256()) > 0);
    OPENSSL_free(f->der);
    f->der = NULL;
    len = i2d_X509_REQ(request, &f->der);
    X509_REQ_free(request);
    assert_true(len > 0);
    if (ca_request_parse(ca_bytes_of(f->der, (size_t)len), 0, &f->request, &f->err) != CA_OK)
        fail_msg("the request: %s", f->err.text);
    assert_non_null(SHA1(f->request.key.key.data, f->request.key.key.len, digest));
    memcpy(f->ask.subject_key_id, digest, 20);
    ca_hex_encode(ca_bytes_of(digest, 20), hex);
    (void)snprintf(f->own_key_id, sizeof(f->own_key_id), "DER:0414%s", hex);
    (void)snprintf(f->own_authority, sizeof(f->own_authority), "DER:30168014%s", hex);
}

static enum ca_status decide(struct fixture *f, const struct ca_template *tmpl)
{
    ca_arena_reset(&f->arena);
    memset(&f->contents, 0xa5, sizeof(f->contents));
    f->err = (struct ca_error){ .status = CA_OK };
    return ca_contents_decide(tmpl, &f->pointers, &f->ask, &f->arena, &f->contents, &f->err);
}

static void decide_good(struct fixture *f, const struct ca_template *tmpl)
{
    make_request(f);
    if (decide(f, tmpl) != CA_OK) fail_msg("%s: %s", tmpl->name, f->err.text);
}

static void assert_decision_refused(struct fixture *f, const struct ca_template *tmpl,
                                    enum ca_reason reason, const char *text)
{
    make_request(f);
    assert_int_equal(decide(f, tmpl), CA_REFUSED);
    assert_int_equal(f->err.reason, reason);
    if (strncmp(f->err.text, text, strlen(text)) != 0)
        fail_msg("\"%s\", not \"%s\"", f->err.text, text);
    assert_int_equal(ca_contents_decide(tmpl, &f->pointers, &f->ask, &f->arena, &f->contents, NULL),
                     CA_REFUSED);
}

static const struct ca_template *row(const char *name)
{
    const struct ca_template *tmpl = NULL;

    assert_int_equal(ca_template_find(name, &tmpl, NULL), CA_OK);
    return tmpl;
}

/* The ignored ones as "a b c". */
static void assert_ignored(const struct fixture *f, const char *names)
{
    char text[1024] = "";
    size_t used = 0;

    for (unsigned bit = 0; bit < 64; bit++) {
        if ((f->contents.ignored >> bit & 1) == 0) continue;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? " " : "",
                                 ca_ignored_name(bit));
    }
    assert_string_equal(text, names);
}

/* The extensions that pass, as OpenSSL reads and writes them. */
static void assert_extra(const struct fixture *f, size_t count, const char *const pairs[][2])
{
    const uint8_t *p = f->contents.extra.data, *end;

    if (count == 0) {
        assert_int_equal(f->contents.extra.len, 0);
        return;
    }
    assert_true(f->contents.extra.len > 0);
    end = p + f->contents.extra.len;
    for (size_t i = 0; i < count; i++) {
        X509_EXTENSION *want = extension_of(pairs[i][0], pairs[i][1]);
        X509_EXTENSION *got = d2i_X509_EXTENSION(NULL, &p, end - p);
        uint8_t *a = NULL, *b = NULL;
        int len;

        if (got == NULL) fail_msg("%s = %s did not pass", pairs[i][0], pairs[i][1]);
        len = i2d_X509_EXTENSION(want, &a);
        assert_int_equal(i2d_X509_EXTENSION(got, &b), len);
        assert_memory_equal(a, b, (size_t)len);
        OPENSSL_free(a);
        OPENSSL_free(b);
        X509_EXTENSION_free(want);
        X509_EXTENSION_free(got);
    }
    assert_ptr_equal(p, end);
}

#define ASSERT_EXTRA(f, ...)                                                                       \
    do {                                                                                           \
        static const char *const pairs[][2] = { __VA_ARGS__ };                                     \
        assert_extra(f, COUNT(pairs), pairs);                                                      \
    } while (0)

/* The model */

struct wish {
    const char *name, *text;
    enum ca_ignored csr, api;
};

#define CUSTOM CA_IGNORED_API_CUSTOM_EXTENSION

/* Several wishes for one type, each a whole extension; "own" stands for what only the request's key
 * says. */
static const struct wish wishes[] = {
    { "basicConstraints", "CA:FALSE", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "critical,CA:FALSE", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "CA:TRUE", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "critical,CA:TRUE", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "critical,CA:TRUE,pathlen:0", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "basicConstraints", "critical,CA:TRUE,pathlen:2", CA_IGNORED_CSR_BASIC_CONSTRAINTS, CUSTOM },
    { "keyUsage", "critical,digitalSignature", CA_IGNORED_CSR_KEY_USAGE, CA_IGNORED_API_KEY_USAGE },
    { "keyUsage", "digitalSignature,keyEncipherment", CA_IGNORED_CSR_KEY_USAGE,
      CA_IGNORED_API_KEY_USAGE },
    { "keyUsage", "critical,digitalSignature,keyEncipherment", CA_IGNORED_CSR_KEY_USAGE,
      CA_IGNORED_API_KEY_USAGE },
    { "keyUsage", "critical,digitalSignature,keyCertSign,cRLSign", CA_IGNORED_CSR_KEY_USAGE,
      CA_IGNORED_API_KEY_USAGE },
    { "extendedKeyUsage", "serverAuth,clientAuth", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "clientAuth,serverAuth", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "clientAuth", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "critical,serverAuth", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "critical,codeSigning", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "critical,OCSPSigning", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "extendedKeyUsage", "anyExtendedKeyUsage", CA_IGNORED_CSR_EXT_KEY_USAGE,
      CA_IGNORED_API_EXT_KEY_USAGE },
    { "2.5.29.14", "own", CA_IGNORED_CSR_SUBJECT_KEY_ID, CUSTOM },
    { "subjectKeyIdentifier", "00112233", CA_IGNORED_CSR_SUBJECT_KEY_ID, CUSTOM },
    { "2.5.29.35", "own", CA_IGNORED_CSR_AUTHORITY_KEY_ID, CUSTOM },
    { "certificatePolicies", "1.2.3.4", CA_IGNORED_CSR_CERTIFICATE_POLICIES,
      CA_IGNORED_API_CERTIFICATE_POLICIES },
    { "certificatePolicies", "2.5.29.32.0", CA_IGNORED_CSR_CERTIFICATE_POLICIES,
      CA_IGNORED_API_CERTIFICATE_POLICIES },
    { "crlDistributionPoints", "URI:http://e.example/", CA_IGNORED_CSR_CRL_DISTRIBUTION_POINTS,
      CUSTOM },
    { "freshestCRL", "URI:http://e.example/d", CA_IGNORED_CSR_FRESHEST_CRL, CUSTOM },
    { "authorityInfoAccess", "OCSP;URI:http://e.example/", CA_IGNORED_CSR_AUTHORITY_INFO_ACCESS,
      CUSTOM },
    { "authorityInfoAccess", "caIssuers;URI:http://e.example/",
      CA_IGNORED_CSR_AUTHORITY_INFO_ACCESS, CUSTOM },
    { "subjectInfoAccess", "caRepository;URI:http://e.example/",
      CA_IGNORED_CSR_SUBJECT_INFO_ACCESS, CUSTOM },
    { "nameConstraints", "critical,permitted;DNS:e.example", CA_IGNORED_CSR_NAME_CONSTRAINTS,
      CUSTOM },
    { "policyMappings", "1.2.3:1.2.4", CA_IGNORED_CSR_POLICY_MAPPINGS, CUSTOM },
    { "policyConstraints", "requireExplicitPolicy:0", CA_IGNORED_CSR_POLICY_CONSTRAINTS, CUSTOM },
    { "inhibitAnyPolicy", "critical,0", CA_IGNORED_CSR_INHIBIT_ANY_POLICY, CUSTOM },
    { "issuerAltName", "DNS:evil.example", CA_IGNORED_CSR_ISSUER_ALT_NAME, CUSTOM },
    { "tlsfeature", "status_request", CA_IGNORED_CSR_TLS_FEATURE, CUSTOM },
    { "noCheck", "ignored", CA_IGNORED_CSR_OCSP_NOCHECK, CUSTOM },
    { "2.5.29.56", "DER:0500", CA_IGNORED_CSR_NO_REV_AVAIL, CUSTOM },
    { "1.3.6.1.4.1.11129.2.4.3", "critical,DER:0500", CA_IGNORED_CSR_CT_POISON, CUSTOM },
    { "nsCertType", "sslCA", CA_IGNORED_CSR_NETSCAPE, CUSTOM },
    { "1.3.6.1.4.1.311.20.2", "DER:1E0400430041", CA_IGNORED_CSR_MICROSOFT, CUSTOM },
    { "1.2.3.4.5", "critical,DER:0500", CA_IGNORED_CSR_OTHER, CUSTOM },
    { "1.2.3.4.5", "ASN1:UTF8String:x", CA_IGNORED_CSR_OTHER, CUSTOM },
    { "2.5.29.9", "DER:3011300F06082B060105050709043103130144", CA_IGNORED_CSR_OTHER, CUSTOM },
};

enum outcome { OUT_PASSES, OUT_SAME, OUT_LOSES, OUT_REFUSED };

static bool is(const struct wish *wish, const char *name)
{
    return strcmp(wish->name, name) == 0;
}

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* What the row itself says, in OpenSSL's words; NULL where it says nothing. */
static const char *own_basic_constraints(const char *tmpl)
{
    static const char *const limited[] = {
        "critical,CA:TRUE,pathlen:0", "critical,CA:TRUE,pathlen:1",
        "critical,CA:TRUE,pathlen:2", "critical,CA:TRUE,pathlen:3",
    };
    const char *path = strstr(tmpl, "PathLen");

    if (contains(tmpl, "CriticalBasicConstraints")) return "critical,CA:FALSE";
    if (!contains(tmpl, "CACertificate")) return "CA:FALSE";
    return path == NULL ? "critical,CA:TRUE" : limited[path[7] - '0'];
}

static const char *own_key_usage(const char *tmpl)
{
    if (contains(tmpl, "Blank")) return NULL;
    if (contains(tmpl, "CACertificate")) return "critical,digitalSignature,keyCertSign,cRLSign";
    if (contains(tmpl, "SigningCertificate")) return "critical,digitalSignature";
    return "critical,digitalSignature,keyEncipherment";
}

static const char *own_ext_key_usage(const char *tmpl)
{
    if (contains(tmpl, "Blank") || contains(tmpl, "CACertificate")) return NULL;
    if (contains(tmpl, "CodeSigning")) return "critical,codeSigning";
    if (contains(tmpl, "OCSPSigning")) return "critical,OCSPSigning";
    if (contains(tmpl, "ClientAuth")) return "clientAuth";
    return contains(tmpl, "ServerAuth") ? "serverAuth" : "serverAuth,clientAuth";
}

/* The column "CDP from", beside CA. */
static bool cdp_may_come(const char *tmpl, bool from_api)
{
    if (contains(tmpl, "RootCA")) return from_api && contains(tmpl, "Blank");
    if (from_api) return contains(tmpl, "CriticalBasicConstraints");
    return true;
}

static enum outcome foresee(const struct fixture *f, const char *tmpl, const struct wish *wish,
                            bool from_api)
{
    bool passes = contains(tmpl, "_APICSRPassthrough") ||
                  contains(tmpl, from_api ? "_APIPassthrough" : "_CSRPassthrough");
    bool for_ca = contains(tmpl, "CACertificate");
    enum outcome outcome = passes ? OUT_PASSES : OUT_LOSES;
    const char *own = NULL;

    if (is(wish, "basicConstraints")) own = own_basic_constraints(tmpl);
    if (is(wish, "keyUsage")) own = own_key_usage(tmpl);
    if (is(wish, "extendedKeyUsage")) own = own_ext_key_usage(tmpl);
    if (own != NULL) {
        return strcmp(own, wish->text) == 0 ||
                       (contains(own, "serverAuth,clientAuth") &&
                        strcmp(wish->text, "clientAuth,serverAuth") == 0)
                   ? OUT_SAME : OUT_LOSES;
    }
    if (is(wish, "2.5.29.14")) return OUT_SAME;
    if (is(wish, "subjectKeyIdentifier") || contains(wish->name, "11129")) return OUT_LOSES;
    if (is(wish, "2.5.29.35")) return passes && from_api && contains(tmpl, "RootCA") ? OUT_PASSES
                                                                                      : OUT_LOSES;
    if (is(wish, "keyUsage") && contains(wish->text, "keyCertSign") && !for_ca && passes)
        return OUT_REFUSED;
    if (is(wish, "crlDistributionPoints") &&
        (f->pointers.cdp || !cdp_may_come(tmpl, from_api)))
        return OUT_LOSES;
    if (is(wish, "freshestCRL") && f->pointers.freshest) return OUT_LOSES;
    if (is(wish, "authorityInfoAccess") && f->pointers.aia) return OUT_LOSES;
    if (!for_ca && (is(wish, "nameConstraints") || is(wish, "policyMappings") ||
                    is(wish, "policyConstraints") || is(wish, "inhibitAnyPolicy")))
        return OUT_LOSES;
    if (is(wish, "2.5.29.56") &&
        (for_ca || f->pointers.cdp || f->pointers.freshest || f->pointers.aia))
        return OUT_LOSES;
    return outcome;
}

struct forecast {
    const struct wish *passing[2 * COUNT(wishes)];
    size_t count;
    uint64_t ignored;
    bool refused;
};

/* Two wishes for one type, whatever their texts. */
static bool same_type(const struct wish *a, const struct wish *b)
{
    return a->csr == b->csr && (a->csr != CA_IGNORED_CSR_OTHER || strcmp(a->name, b->name) == 0);
}

static void foresee_one(const struct fixture *f, const char *tmpl, const struct wish *wish,
                        bool from_api, struct forecast *out)
{
    enum outcome outcome = foresee(f, tmpl, wish, from_api);

    if (outcome == OUT_PASSES || outcome == OUT_REFUSED) {
        for (size_t i = 0; i < out->count; i++) {
            if (same_type(out->passing[i], wish))
                outcome = out->passing[i] == wish ? OUT_SAME : OUT_LOSES;
        }
    }
    if (outcome == OUT_LOSES) out->ignored |= UINT64_C(1) << (from_api ? wish->api : wish->csr);
    if (outcome == OUT_REFUSED) out->refused = true;
    if (outcome == OUT_PASSES) out->passing[out->count++] = wish;
}

/* RFC 9608 3 */
static bool contradicts_itself(const struct forecast *forecast)
{
    bool none = false, pointer = false;

    for (size_t i = 0; i < forecast->count; i++) {
        const struct wish *wish = forecast->passing[i];

        none = none || is(wish, "2.5.29.56");
        pointer = pointer || is(wish, "crlDistributionPoints") || is(wish, "freshestCRL") ||
                  (is(wish, "authorityInfoAccess") && contains(wish->text, "OCSP"));
    }
    return none && pointer;
}

/* A few wishes, none twice of a type, in any order. */
static size_t draw_wishes(const struct wish *drawn[COUNT(wishes)])
{
    uint64_t tries = next_random() % 12;
    size_t count = 0;

    while (tries-- > 0) {
        const struct wish *wish = &wishes[next_random() % COUNT(wishes)];
        bool there = false;

        for (size_t i = 0; i < count; i++) there = there || same_type(drawn[i], wish);
        if (!there) drawn[count++] = wish;
    }
    return count;
}

static const char *text_of(const struct fixture *f, const struct wish *wish)
{
    if (strcmp(wish->text, "own") != 0) return wish->text;
    return is(wish, "2.5.29.14") ? f->own_key_id : f->own_authority;
}

/* Read by OpenSSL: none twice, and none that never passes. */
static void assert_sound(const struct fixture *f, const struct ca_template *tmpl)
{
    const uint8_t *p = f->contents.extra.data, *end;
    ASN1_OBJECT *seen[256];
    size_t count = 0;

    if (tmpl->passthrough == 0) assert_int_equal(f->contents.extra.len, 0);
    if (f->contents.extra.len == 0) return;
    end = p + f->contents.extra.len;
    while (p < end) {
        X509_EXTENSION *extension = d2i_X509_EXTENSION(NULL, &p, end - p);
        int nid;

        assert_non_null(extension);
        nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        assert_true(nid != NID_basic_constraints && nid != NID_subject_key_identifier &&
                    nid != NID_ct_precert_poison && nid != NID_subject_alt_name);
        assert_true(nid != NID_authority_key_identifier || tmpl->kind == CA_TEMPLATE_ROOT_CA);
        for (size_t i = 0; i < count; i++)
            assert_int_not_equal(OBJ_cmp(seen[i], X509_EXTENSION_get_object(extension)), 0);
        seen[count++] = OBJ_dup(X509_EXTENSION_get_object(extension));
        X509_EXTENSION_free(extension);
    }
    while (count > 0) ASN1_OBJECT_free(seen[--count]);
}

static void one_soup(struct fixture *f, const struct ca_template *tmpl, size_t *refused)
{
    const struct wish *drawn[COUNT(wishes)];
    struct forecast forecast = { .count = 0 };
    const char *pairs[2 * COUNT(wishes)][2];
    bool with_api = next_random() % 4 != 0;
    size_t count;

    begin(f);
    make_request(f);                /* for the texts of its own key */
    f->pointers = (struct ca_pointers){ next_random() % 2 == 0, next_random() % 4 == 0,
                                        next_random() % 2 == 0 };
    if (with_api) {
        f->ask.api = &f->api;
        count = draw_wishes(drawn);
        for (size_t i = 0; i < count; i++) {
            ask_api(f, drawn[i]->name, text_of(f, drawn[i]), drawn[i]->api);
            foresee_one(f, tmpl->name, drawn[i], true, &forecast);
        }
    }
    count = draw_wishes(drawn);
    for (size_t i = 0; i < count; i++) {
        ask_csr(f, drawn[i]->name, text_of(f, drawn[i]));
        foresee_one(f, tmpl->name, drawn[i], false, &forecast);
    }
    make_request(f);
    if (decide(f, tmpl) != CA_OK) {
        if (!forecast.refused && !contradicts_itself(&forecast))
            fail_msg("%s: %s", tmpl->name, f->err.text);
        assert_int_equal(f->err.reason, CA_REASON_PASSTHROUGH_REFUSED);
        ++*refused;
        return;
    }
    assert_false(forecast.refused || contradicts_itself(&forecast));
    assert_sound(f, tmpl);
    for (size_t i = 0; i < forecast.count; i++) {
        pairs[i][0] = forecast.passing[i]->name;
        pairs[i][1] = text_of(f, forecast.passing[i]);
    }
    assert_extra(f, forecast.count, (const char *const(*)[2])pairs);
    assert_int_equal(f->contents.ignored, forecast.ignored);
    assert_ptr_equal(f->contents.subject.data, f->request.subject.data);
    assert_memory_equal(f->contents.subject_key_id, f->ask.subject_key_id, 20);
}

/* Every row of the catalogue, with random wishes from both sides. */
static void any_soup_comes_out_as_the_rules_say(void **state)
{
    struct fixture *f = *state;
    size_t refused = 0;

    assert_int_equal(ca_template_count(), 61);
    for (size_t i = 0; i < ca_template_count(); i++) {
        for (size_t round = 0; round < 40; round++) one_soup(f, ca_template_at(i), &refused);
    }
    assert_true(refused > 10 && refused < 400);
}

/* Single rules */

static void a_plain_request_gets_its_names_and_nothing_is_ignored(void **state)
{
    struct fixture *f = *state;

    begin(f);
    ask_csr(f, "subjectAltName", "critical,DNS:a.example");
    decide_good(f, row("EndEntityCertificate"));
    assert_true(ca_bytes_equal(f->contents.subject, f->request.subject));
    assert_true(ca_bytes_equal(f->contents.san, f->request.san));
    assert_true(f->contents.has_san && f->contents.san_critical && !f->contents.subject_empty);
    assert_int_equal(f->contents.extra.len, 0);
    assert_ignored(f, "");
    /* Not ours to touch. */
    assert_int_equal(f->contents.key_hash[0], 0xa5);
}

static void names_of_the_api_replace_the_requests(void **state)
{
    static const uint8_t subject[] = { 0x30, 12,   0x31, 10, 0x30, 8, 6,
                                       3,    0x55, 4,    3,  0x0c, 1, 'A' };
    static const uint8_t san[] = { 0x30, 3, 0x82, 1, 'a' };
    struct fixture *f = *state;

    begin(f);
    ask_csr(f, "subjectAltName", "DNS:b.example");
    f->ask.api = &f->api;
    f->api.subject = ca_bytes_of(subject, sizeof(subject));
    f->api.san = ca_bytes_of(san, sizeof(san));
    f->api.has_san = true;
    decide_good(f, row("EndEntityCertificate_APIPassthrough"));
    assert_ptr_equal(f->contents.subject.data, subject);
    assert_ptr_equal(f->contents.san.data, san);
    assert_false(f->contents.san_critical);
    assert_ignored(f, "csr.subject csr.subjectAltName");

    /* Without passthrough nothing of it is heard. */
    decide_good(f, row("EndEntityCertificate"));
    assert_ptr_equal(f->contents.subject.data, f->request.subject.data);
    assert_ignored(f, "api.subject api.subjectAlternativeNames");
    decide_good(f, row("BlankEndEntityCertificate_CSRPassthrough"));
    assert_ignored(f, "api.subject api.subjectAlternativeNames");

    /* Names that are the same are not ignored, whatever their string types. */
    set_subject(f, "A");
    decide_good(f, row("EndEntityCertificate_APIPassthrough"));
    assert_ignored(f, "csr.subjectAltName");
    decide_good(f, row("EndEntityCertificate"));
    assert_ignored(f, "api.subjectAlternativeNames");

    /* SubjectAlternativeNames cannot ask for criticality, so they lose nothing by it. */
    drop_extensions(f->extensions);
    f->extensions = sk_X509_EXTENSION_new_null();
    ask_csr(f, "subjectAltName", "critical,DNS:a");
    decide_good(f, row("EndEntityCertificate"));
    assert_ignored(f, "");
    assert_true(f->contents.san_critical);

    /* A custom subjectAltName can. */
    f->api.san_critical = true;
    decide_good(f, row("EndEntityCertificate_APICSRPassthrough"));
    assert_true(f->contents.san_critical);
    assert_ignored(f, "");
    drop_extensions(f->extensions);
    f->extensions = sk_X509_EXTENSION_new_null();
    ask_csr(f, "subjectAltName", "DNS:a");
    decide_good(f, row("EndEntityCertificate"));
    assert_ignored(f, "api.subjectAlternativeNames");
}

static void names_without_a_subject_are_critical(void **state)
{
    static const uint8_t san[] = { 0x30, 3, 0x82, 1, 'a' };
    struct fixture *f = *state;

    begin(f);
    X509_NAME_free(f->subject);
    f->subject = X509_NAME_new();
    f->ask.api = &f->api;
    f->api.san = ca_bytes_of(san, sizeof(san));
    f->api.has_san = true;
    decide_good(f, row("EndEntityCertificate_APIPassthrough"));
    assert_true(f->contents.subject_empty && f->contents.has_san && f->contents.san_critical);
}

static void the_api_stands_above_the_request(void **state)
{
    struct fixture *f = *state;

    begin(f);
    ask_api(f, "certificatePolicies", "1.2.3", CA_IGNORED_API_CERTIFICATE_POLICIES);
    ask_api(f, "1.2.3.4", "DER:0500", CUSTOM);
    ask_csr(f, "1.2.3.5", "critical,DER:0500");
    ask_csr(f, "1.2.3.4", "critical,DER:0500");
    ask_csr(f, "certificatePolicies", "1.2.3");
    decide_good(f, row("EndEntityCertificate_APICSRPassthrough"));
    ASSERT_EXTRA(f, { "certificatePolicies", "1.2.3" }, { "1.2.3.4", "DER:0500" },
                 { "1.2.3.5", "critical,DER:0500" });
    assert_ignored(f, "csr.otherExtension");
}

static void the_ca_stands_above_both_with_its_pointers(void **state)
{
    struct fixture *f = *state;
    const struct ca_template *tmpl =
        row("BlankEndEntityCertificate_CriticalBasicConstraints_APICSRPassthrough");
    struct ca_template without = *tmpl;

    begin(f);
    ask_api(f, "crlDistributionPoints", "URI:http://a.example/", CUSTOM);
    ask_csr(f, "crlDistributionPoints", "URI:http://b.example/");
    ask_csr(f, "freshestCRL", "URI:http://b.example/");
    ask_csr(f, "authorityInfoAccess", "OCSP;URI:http://b.example/");
    decide_good(f, tmpl);
    ASSERT_EXTRA(f, { "crlDistributionPoints", "URI:http://a.example/" },
                 { "freshestCRL", "URI:http://b.example/" },
                 { "authorityInfoAccess", "OCSP;URI:http://b.example/" });
    assert_ignored(f, "csr.cRLDistributionPoints");
    f->pointers = (struct ca_pointers){ true, true, true };
    decide_good(f, tmpl);
    assert_int_equal(f->contents.extra.len, 0);
    assert_ignored(f, "csr.cRLDistributionPoints csr.freshestCRL csr.authorityInfoAccess "
                      "api.customExtension");
    f->pointers = (struct ca_pointers){ false, false, false };
    without.no_revocation_pointers = true;
    decide_good(f, &without);
    assert_int_equal(f->contents.extra.len, 0);
}

static void extensions_of_a_users_template_win(void **state)
{
    struct fixture *f = *state;
    struct ca_template own = *row("BlankEndEntityCertificate_CSRPassthrough");
    struct ca_buf extensions;

    ca_buf_init(&extensions, 1024);
    ca_ext_add(&extensions, ca_oid_tls_feature, false, ca_bytes_of("\x30\x03\x02\x01\x05", 5));
    ca_ext_add(&extensions, ca_oid_no_rev_avail, false, ca_bytes_of("\x05\x00", 2));
    own.extensions = ca_buf_view(&extensions);
    begin(f);
    ask_csr(f, "tlsfeature", "17");
    ask_csr(f, "1.2.3", "DER:0500");
    decide_good(f, &own);
    ASSERT_EXTRA(f, { "1.2.3", "DER:0500" });
    assert_ignored(f, "csr.tlsFeature");
    begin(f);
    ask_csr(f, "tlsfeature", "status_request");
    ask_csr(f, "2.5.29.56", "DER:0500");
    decide_good(f, &own);
    assert_int_equal(f->contents.extra.len, 0);
    assert_ignored(f, "");
    /* Its noRevAvail leaves no room for pointers (RFC 9608 3). */
    begin(f);
    ask_csr(f, "crlDistributionPoints", "URI:http://b.example/");
    ask_csr(f, "freshestCRL", "URI:http://b.example/");
    ask_csr(f, "authorityInfoAccess", "OCSP;URI:http://b.example/");
    decide_good(f, &own);
    assert_int_equal(f->contents.extra.len, 0);
    assert_ignored(f, "csr.cRLDistributionPoints csr.freshestCRL csr.authorityInfoAccess");
    ca_buf_clear(&extensions);
}

static void further_purposes_of_a_template_are_compared_too(void **state)
{
    static const uint8_t more[] = { 6, 2, 0x2a, 3, 6, 2, 0x2a, 4 };     /* 1.2.3 and 1.2.4 */
    static const struct {
        const char *text;
        bool same;
    } rows[] = {
        { "clientAuth,1.2.3,1.2.4", true }, { "1.2.4,clientAuth,1.2.3", true },
        { "clientAuth,1.2.3", false },      { "clientAuth,1.2.4", false },
        { "1.2.3,1.2.4", false },           { "clientAuth,1.2.3,1.2.4,1.2.5", false },
        { "clientAuth,1.2.3,1.2.3", false }, { "clientAuth,clientAuth,1.2.3,1.2.4", false },
        { "critical,clientAuth,1.2.3,1.2.4", false },
    };
    struct fixture *f = *state;
    struct ca_template own = *row("EndEntityClientAuthCertificate");

    own.eku_more = ca_bytes_of(more, sizeof(more));
    for (size_t i = 0; i < COUNT(rows); i++) {
        begin(f);
        ask_csr(f, "extendedKeyUsage", rows[i].text);
        decide_good(f, &own);
        assert_ignored(f, rows[i].same ? "" : "csr.extendedKeyUsage");
    }
    own.eku = 0;            /* and alone */
    begin(f);
    ask_csr(f, "extendedKeyUsage", "1.2.4,1.2.3");
    decide_good(f, &own);
    assert_ignored(f, "");
}

static void key_usage_is_compared_by_the_type_of_the_key(void **state)
{
    struct fixture *f = *state;
    struct ca_template own = *row("EndEntityCertificate");

    own.key_usage_signing_only = CA_KU_DIGITAL_SIGNATURE;
    begin(f);
    ask_csr(f, "keyUsage", "critical,digitalSignature");
    decide_good(f, &own);
    assert_ignored(f, "");
    begin(f);
    ask_csr(f, "keyUsage", "critical,digitalSignature,keyEncipherment");
    decide_good(f, &own);
    assert_ignored(f, "csr.keyUsage");
}

static void what_passes_from_a_request_is_checked(void **state)
{
    static const struct {
        const char *name, *value, *text;
    } rows[] = {
        { "2.5.29.32", "DER:3000", "certificatePolicies: the value is an empty SEQUENCE" },
        { "2.5.29.31", "DER:30023000", "cRLDistributionPoints: a distribution point has neither" },
        { "2.5.29.15", "DER:030100", "keyUsage: no bit is set" },
        { "2.5.29.37", "DER:3000", "extKeyUsage: the value is an empty SEQUENCE" },
        { "1.3.6.1.5.5.7.1.24", "DER:3000", "tlsFeature: the value is an empty SEQUENCE" },
        { "1.2.3.4", "DER:30020500FF", "1.2.3.4: " },
        { "keyUsage", "critical,digitalSignature,keyCertSign", "keyUsage: keyCertSign in an end" },
        { "keyUsage", "critical,cRLSign", "keyUsage: cRLSign in an end" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        begin(f);
        ask_csr(f, rows[i].name, rows[i].value);
        assert_decision_refused(f, row("BlankEndEntityCertificate_CSRPassthrough"),
                                CA_REASON_PASSTHROUGH_REFUSED, rows[i].text);
        decide_good(f, row("EndEntityCertificate"));    /* nobody hears it there */
        assert_int_equal(f->contents.extra.len, 0);
    }
    begin(f);
    ask_api(f, "keyUsage", "keyCertSign", CA_IGNORED_API_KEY_USAGE);
    assert_decision_refused(f, row("BlankEndEntityCertificate_APIPassthrough"),
                            CA_REASON_PASSTHROUGH_REFUSED, "keyUsage: keyCertSign in an end");
    decide_good(f, row("BlankSubordinateCACertificate_PathLen0_APIPassthrough"));
    ASSERT_EXTRA(f, { "keyUsage", "keyCertSign" });
}

static void no_revocation_and_a_pointer_to_it_contradict(void **state)
{
    static const struct {
        const char *name, *text;
        bool good;
    } rows[] = {
        { "crlDistributionPoints", "URI:http://b.example/", false },
        { "freshestCRL", "URI:http://b.example/", false },
        { "authorityInfoAccess",
          "caIssuers;URI:http://b.example/,OCSP;URI:http://b.example/", false },
        { "authorityInfoAccess", "caIssuers;URI:http://b.example/", true },
    };
    struct fixture *f = *state;
    const struct ca_template *tmpl = row("BlankEndEntityCertificate_CSRPassthrough");

    for (size_t i = 0; i < COUNT(rows); i++) {
        begin(f);
        ask_csr(f, rows[i].name, rows[i].text);
        ask_csr(f, "2.5.29.56", "DER:0500");
        if (rows[i].good) {
            decide_good(f, tmpl);
        } else {
            assert_decision_refused(f, tmpl, CA_REASON_PASSTHROUGH_REFUSED, "noRevAvail: beside a");
        }
    }
}

static void a_root_names_no_other_key_than_its_own(void **state)
{
    struct fixture *f = *state;
    const struct ca_template *tmpl = row("RootCACertificate_APIPassthrough");
    const char *pairs[1][2] = { { "2.5.29.35", NULL } };

    begin(f);
    make_request(f);
    ask_api(f, "2.5.29.35", f->own_authority, CUSTOM);
    decide_good(f, tmpl);
    pairs[0][1] = f->own_authority;
    assert_extra(f, 1, (const char *const(*)[2])pairs);
    begin(f);
    ask_api(f, "2.5.29.35", "DER:30168014000102030405060708090A0B0C0D0E0F10111213", CUSTOM);
    assert_decision_refused(f, tmpl, CA_REASON_PASSTHROUGH_REFUSED, "authorityKeyIdentifier: not");
    decide_good(f, row("RootCACertificate"));
    assert_ignored(f, "api.customExtension");
}

/* Names of manifest lines */

static const uint8_t line_subject[] = { 0x30, 18,  0x31, 16,  0x30, 14,  6,   3,   0x55, 4,
                                        3,    0x13, 7,    'r', 'e',  'q', 'u', 'e', 's',  't' };
static const uint8_t line_san[] = { 0x30, 17,  0x82, 9,    'b', '.', 'e', 'x', 'a', 'm',
                                    'p',  'l', 'e',  0x87, 4,   192, 0,   2,   1 };

static void lines_are_not_heard_where_names_are_the_requests(void **state)
{
    static const uint8_t other[] = { 0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, 'o' };
    struct fixture *f = *state;

    begin(f);
    f->ask.line_subject = ca_bytes_of(other, sizeof(other));
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    decide_good(f, row("EndEntityCertificate"));
    assert_ignored(f, "manifest.subject manifest.san");
    assert_false(f->contents.has_san);
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    f->ask.line_san = ca_bytes_of(NULL, 0);
    decide_good(f, row("EndEntityCertificate"));
    assert_ignored(f, "");          /* the same, in another string type */
}

static void names_come_from_lines_where_the_template_says_so(void **state)
{
    static const uint8_t other[] = { 0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, 'o' };
    struct fixture *f = *state;
    struct ca_template own = *row("EndEntityCertificate");

    own.names_from = CA_NAMES_FROM_MANIFEST;
    begin(f);
    ask_csr(f, "subjectAltName", "DNS:c.example");
    assert_decision_refused(f, &own, CA_REASON_NO_MANIFEST_NAMES, "the template takes names");
    f->ask.line_subject = ca_bytes_of(other, sizeof(other));
    decide_good(f, &own);
    assert_ptr_equal(f->contents.subject.data, other);
    assert_false(f->contents.has_san || f->contents.subject_empty);
    assert_ignored(f, "csr.subject csr.subjectAltName");
    f->ask.line_subject = ca_bytes_of(NULL, 0);
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    decide_good(f, &own);
    assert_true(f->contents.subject_empty && f->contents.san_critical);
    assert_memory_equal(f->contents.subject.data, "\x30\x00", 2);
    assert_ignored(f, "csr.subject csr.subjectAltName");

    begin(f);
    ask_csr(f, "subjectAltName", "IP:192.0.2.1,DNS:b.example");
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    decide_good(f, &own);
    assert_ignored(f, "");          /* the same set, in another order */
}

static void both_must_agree_where_the_template_says_so(void **state)
{
    struct fixture *f = *state;
    struct ca_template own = *row("EndEntityCertificate");

    own.names_from = CA_NAMES_BOTH_MUST_AGREE;
    begin(f);
    ask_csr(f, "subjectAltName", "critical,IP:192.0.2.1,DNS:b.example");
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    decide_good(f, &own);
    assert_ptr_equal(f->contents.subject.data, f->request.subject.data);
    assert_true(f->contents.san_critical);
    assert_ignored(f, "");

    f->ask.line_san = ca_bytes_of(NULL, 0);
    assert_decision_refused(f, &own, CA_REASON_NAMES_DISAGREE, "the request has other subject alt");
    f->ask.line_san = ca_bytes_of("\x30\x03\x82\x01" "a", 5);
    assert_decision_refused(f, &own, CA_REASON_NAMES_DISAGREE, "the request has other subject alt");
    f->ask.line_san = ca_bytes_of(line_san, sizeof(line_san));
    f->ask.line_subject = ca_bytes_of(NULL, 0);
    assert_decision_refused(f, &own, CA_REASON_NAMES_DISAGREE, "the request has another subject");
    set_subject(f, "Request");
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    assert_decision_refused(f, &own, CA_REASON_NAMES_DISAGREE, "the request has another subject");
    f->ask.line_subject = f->ask.line_san = ca_bytes_of(NULL, 0);
    assert_decision_refused(f, &own, CA_REASON_NO_MANIFEST_NAMES, "request and line of");

    begin(f);                       /* neither has alternative names */
    f->ask.line_subject = ca_bytes_of(line_subject, sizeof(line_subject));
    decide_good(f, &own);
    assert_false(f->contents.has_san);
    X509_NAME_free(f->subject);     /* nor a subject */
    f->subject = X509_NAME_new();
    f->ask.line_subject = ca_bytes_of(NULL, 0);
    decide_good(f, &own);
    assert_true(f->contents.subject_empty);
}

/* The chunk's arena is for 256 requests, whatever is asked for all of them. */
static void extensions_longer_than_a_certificate_are_refused_and_kept_nowhere(void **state)
{
    struct fixture *f = *state;
    char value[2 * 4000 + 16] = "DER:04820F9C", type[32];

    for (size_t len = strlen(value); len < 12 + 2 * 3996; len++) value[len] = '0';
    begin(f);
    for (unsigned i = 0; i < 9; i++) {
        (void)snprintf(type, sizeof(type), "1.2.3.%u", i + 1);
        ask_api(f, type, value, CA_IGNORED_API_CUSTOM_EXTENSION);
    }
    decide_good(f, row("BlankEndEntityCertificate_APIPassthrough"));
    assert_in_range(f->contents.extra.len, 9 * 4000, CA_CERT_DER_MAX);
    ask_api(f, "1.2.3.10", value, CA_IGNORED_API_CUSTOM_EXTENSION);
    ca_arena_reset(&f->arena);
    assert_int_equal(decide(f, row("BlankEndEntityCertificate_APIPassthrough")), CA_MALFORMED);
    assert_int_equal(f->err.reason, CA_REASON_REQUEST_TOO_LONG);
    assert_string_equal(f->err.text, "the certificate would be longer than 36864 octets");
    assert_int_equal(f->arena.used, 0);
    decide_good(f, row("EndEntityCertificate"));
}

static void a_full_arena_is_nobodys_refusal(void **state)
{
    struct fixture *f = *state;
    struct ca_arena small;

    begin(f);
    ask_csr(f, "1.2.3", "DER:0500");
    make_request(f);
    ca_arena_init(&small, 16, 9);
    assert_int_equal(ca_contents_decide(row("BlankEndEntityCertificate_CSRPassthrough"),
                                        &f->pointers, &f->ask, &small, &f->contents, &f->err),
                     CA_FULL);
    assert_int_equal(ca_contents_decide(row("EndEntityCertificate"), &f->pointers, &f->ask, &small,
                                        &f->contents, &f->err), CA_OK);
    ca_arena_clear(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_soup_comes_out_as_the_rules_say),
        TEST(a_plain_request_gets_its_names_and_nothing_is_ignored),
        TEST(names_of_the_api_replace_the_requests),
        TEST(names_without_a_subject_are_critical),
        TEST(the_api_stands_above_the_request),
        TEST(the_ca_stands_above_both_with_its_pointers),
        TEST(extensions_of_a_users_template_win),
        TEST(further_purposes_of_a_template_are_compared_too),
        TEST(key_usage_is_compared_by_the_type_of_the_key),
        TEST(what_passes_from_a_request_is_checked),
        TEST(no_revocation_and_a_pointer_to_it_contradict),
        TEST(a_root_names_no_other_key_than_its_own),
        TEST(lines_are_not_heard_where_names_are_the_requests),
        TEST(names_come_from_lines_where_the_template_says_so),
        TEST(both_must_agree_where_the_template_says_so),
        TEST(extensions_longer_than_a_certificate_are_refused_and_kept_nowhere),
        TEST(a_full_arena_is_nobodys_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
