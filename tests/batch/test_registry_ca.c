/* CAs created, found, listed, described and tagged. */
#include "batch/registry_ca.h"
#include "io/file.h"
#include "tests/support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static void assert_refused(enum ca_status st, const struct ca_error *err, const char *name)
{
    assert_int_equal(st, CA_REFUSED);
    assert_string_equal(ca_error_name(err), name);
}

struct asked {
    char config[512];
    struct batch_ca_create spec;
};

/* What a test changes one thing of. */
static void ask(struct asked *asked, const char *name)
{
    memset(asked, 0, sizeof(*asked));
    store_fixture_config("Example CA", "EC_prime256v1", "SHA256WITHECDSA", asked->config);
    asked->spec = (struct batch_ca_create){
        .name = name, .is_root = true, .config_json = ca_bytes_str(asked->config),
    };
}

static enum ca_status create(struct store_fixture *f, const struct batch_ca_create *spec,
                             char uuid[37], bool *existed)
{
    struct batch_ca ca;
    enum ca_status st = batch_ca_create(f->registry, spec, &ca, existed, &f->err);

    if (st == CA_OK && uuid != NULL) batch_uuid_format(ca.row.uuid, uuid);
    batch_ca_clear(&ca);
    return st;
}

static void key_file(const struct store_fixture *f, const char *uuid, char path[512])
{
    char inside[64];

    (void)snprintf(inside, sizeof(inside), "keys/%s.pem", uuid);
    store_fixture_path(f, inside, path);
}

/* ---- Creation ---- */

static void a_new_ca_waits_for_its_certificate(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;
    char uuid[37], arn[160];

    store_fixture_create(f, "root", true);
    assert_int_equal(batch_ca_find(f->registry, NULL, "root", &ca, &f->err), CA_OK);
    assert_string_equal(batch_ca_status_name(&ca), "PENDING_CERTIFICATE");
    assert_int_equal(ca.number, 1);
    assert_int_equal(ca.row.generation, 0);
    assert_int_equal(ca.row.cert.len, 0);
    assert_int_equal(ca.serial.len, 0);
    assert_true(ca.row.created_ms == f->now_ms && ca.row.changed_ms == f->now_ms);
    batch_uuid_format(ca.row.uuid, uuid);
    (void)snprintf(arn, sizeof(arn),
                   "arn:aws:acm-pca:local:000000000000:certificate-authority/%s", uuid);
    assert_string_equal(ca.arn, arn);
    batch_ca_clear(&ca);
}

/* Spec 2.2: subject as configured, extensionRequest with critical CA:TRUE; signed by the CA's key.
 * */
static void the_csr_is_one_that_openssl_accepts(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca ca;
    const uint8_t *at;
    X509_REQ *req;
    STACK_OF(X509_EXTENSION) *extensions;
    BASIC_CONSTRAINTS *constraints;
    char name[256];
    int critical = 0;

    store_fixture_create(f, "sub", false);
    assert_int_equal(batch_ca_find(f->registry, NULL, "sub", &ca, &f->err), CA_OK);
    at = ca.row.csr.data;
    req = d2i_X509_REQ(NULL, &at, (long)ca.row.csr.len);
    assert_non_null(req);
    assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
    (void)X509_NAME_oneline(X509_REQ_get_subject_name(req), name, sizeof(name));
    assert_string_equal(name, "/C=DE/O=Example/CN=sub");
    extensions = X509_REQ_get_extensions(req);
    constraints = X509V3_get_d2i(extensions, NID_basic_constraints, &critical, NULL);
    assert_non_null(constraints);
    assert_true(constraints->ca && constraints->pathlen == NULL && critical == 1);
    BASIC_CONSTRAINTS_free(constraints);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(req);
    batch_ca_clear(&ca);
}

static EVP_PKEY *read_key(const char *path, char *passphrase)
{
    BIO *bio = BIO_new_file(path, "r");
    EVP_PKEY *key;

    assert_non_null(bio);
    key = PEM_read_bio_PrivateKey(bio, NULL, NULL, passphrase);
    BIO_free(bio);
    return key;
}

static void the_key_file_is_private_and_holds_the_key_of_the_csr(void **state)
{
    struct store_fixture *f = *state;
    char uuid[37], path[512];
    struct batch_ca ca;
    struct stat st;
    const uint8_t *at;
    EVP_PKEY *key;
    X509_REQ *req;

    store_fixture_create(f, "root", true);
    assert_int_equal(batch_ca_find(f->registry, NULL, "root", &ca, &f->err), CA_OK);
    batch_uuid_format(ca.row.uuid, uuid);
    key_file(f, uuid, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    key = read_key(path, "");
    assert_non_null(key);
    at = ca.row.csr.data;
    req = d2i_X509_REQ(NULL, &at, (long)ca.row.csr.len);
    assert_non_null(req);
    assert_int_equal(EVP_PKEY_eq(key, X509_REQ_get0_pubkey(req)), 1);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    batch_ca_clear(&ca);
}

static void the_key_file_of_an_encrypted_store_opens_with_the_passphrase_only(void **state)
{
    char right[] = STORE_FIXTURE_PASSPHRASE, wrong[] = "another one";
    struct store_fixture *f = *state;
    char uuid[37], path[512];
    struct asked asked;
    bool existed = true;
    EVP_PKEY *key;

    ask(&asked, "root");
    assert_int_equal(create(f, &asked.spec, uuid, &existed), CA_OK);
    assert_int_equal(f->asked, 1);
    key_file(f, uuid, path);
    assert_null(read_key(path, wrong));
    key = read_key(path, right);
    assert_non_null(key);
    EVP_PKEY_free(key);
}

static void a_mistyped_passphrase_creates_no_ca(void **state)
{
    struct store_fixture *f = *state;
    struct asked asked;
    bool existed = true;

    f->secret = "another one";
    ask(&asked, "root");
    assert_refused(create(f, &asked.spec, NULL, &existed), &f->err, "wrong-passphrase");
    assert_refused(batch_ca_find(f->registry, NULL, "root", &(struct batch_ca){ 0 }, &f->err),
                   &f->err, "no-such-ca");
}

static void every_key_algorithm_makes_a_ca(void **state)
{
    static const char *const algs[][2] = {
        { "RSA_2048", "SHA256WITHRSA" }, { "EC_prime256v1", "SHA256WITHECDSA" },
        { "EC_secp384r1", "SHA384WITHECDSA" }, { "EC_secp521r1", "SHA512WITHECDSA" },
        { "ED25519", "ED25519" },
    };
    struct store_fixture *f = *state;

    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        struct asked asked;
        bool existed = true;

        ask(&asked, algs[i][0]);
        store_fixture_config(algs[i][0], algs[i][0], algs[i][1], asked.config);
        asked.spec.config_json = ca_bytes_str(asked.config);
        assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_OK);
        store_fixture_activate(f, algs[i][0], NULL);
    }
}

static void a_name_that_is_no_name_is_refused(void **state)
{
    static const char *const names[] = { "", ".a", "-a", "_a", "a b", "a/b", "a:b", "\xc3\xa4",
        "a\n",
        ("0123456789012345678901234567890123456789012345678901234567890123"
         "0123456789012345678901234567890123456789012345678901234567890123x") };
    struct store_fixture *f = *state;
    struct asked asked;
    bool existed;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ask(&asked, names[i]);
        assert_refused(create(f, &asked.spec, NULL, &existed), &f->err, "name");
    }
    ask(&asked, "0123456789012345678901234567890123456789012345678901234567890123"
                "0123456789012345678901234567890123456789012345678901234567890._-");
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_OK);
}

static void a_name_is_taken_while_its_ca_lives(void **state)
{
    struct store_fixture *f = *state;
    struct asked asked;
    bool existed;

    ask(&asked, "root");
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_OK);
    assert_refused(create(f, &asked.spec, NULL, &existed), &f->err, "ca-exists");
    asked.spec.name = "Root";
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_OK);
}

static void a_bad_configuration_creates_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct asked asked;
    bool existed;
    uint64_t rows = 1;
    struct store_txn *txn = NULL;

    ask(&asked, "root");
    asked.spec.config_json = ca_bytes_str("{\"KeyAlgorithm\":");
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_MALFORMED);
    ask(&asked, "root");
    store_fixture_config("x", "RSA_2048", "SHA256WITHECDSA", asked.config);
    asked.spec.config_json = ca_bytes_str(asked.config);
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_REFUSED);
    ask(&asked, "root");
    asked.spec.revocation_json = ca_bytes_str("{\"CrlConfiguration\":{\"Enabled\":true}}");
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_REFUSED);
    assert_int_equal(store_begin(f->registry->store, STORE_READ, &txn, &f->err), CA_OK);
    assert_int_equal(store_count(txn, STORE_CA, &rows, &f->err), CA_OK);
    store_abort(txn);
    assert_int_equal(rows, 0);
}

static void a_key_that_cannot_be_written_makes_no_ca(void **state)
{
    struct store_fixture *f = *state;
    char keys[512], away[512];
    struct asked asked;
    bool existed;

    store_fixture_path(f, "keys", keys);
    store_fixture_path(f, "away", away);
    assert_int_equal(rename(keys, away), 0);
    assert_int_equal(file_write(keys, 0600, ca_bytes_str(""), &f->err), CA_OK);
    ask(&asked, "root");
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_IO);
    assert_int_equal(unlink(keys), 0);
    assert_int_equal(rename(away, keys), 0);
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_OK);
    assert_false(existed);
}

/* What a crash between key file and row leaves. */
static void a_key_file_without_a_row_goes_with_the_next_create(void **state)
{
    struct store_fixture *f = *state;
    char orphan[512], foreign[512], upper[512], uuid[37], kept[512];
    struct asked asked;
    bool existed;

    ask(&asked, "first");
    assert_int_equal(create(f, &asked.spec, uuid, &existed), CA_OK);
    key_file(f, uuid, kept);
    key_file(f, "919108f7-52d1-4320-9bac-f847db4148a8", orphan);
    key_file(f, "919108F7-52D1-4320-9BAC-F847DB4148A8", upper);
    store_fixture_path(f, "keys/notes.txt", foreign);
    assert_int_equal(file_write(orphan, 0600, ca_bytes_str("x"), &f->err), CA_OK);
    assert_int_equal(file_write(upper, 0600, ca_bytes_str("x"), &f->err), CA_OK);
    assert_int_equal(file_write(foreign, 0600, ca_bytes_str("x"), &f->err), CA_OK);
    ask(&asked, "second");
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_OK);
    assert_int_not_equal(access(orphan, F_OK), 0);
    assert_int_equal(access(kept, F_OK), 0);
    assert_int_equal(access(upper, F_OK), 0);       /* not written by us */
    assert_int_equal(access(foreign, F_OK), 0);
}

/* ---- Idempotency ---- */

static void the_same_token_and_arguments_give_the_same_ca(void **state)
{
    struct batch_tag there[] = { { "a", "1" }, { "b", "2" } };
    struct batch_tag back[] = { { "b", "2" }, { "a", "1" } };
    struct store_fixture *f = *state;
    char first[37], again[37];
    struct asked asked;
    bool existed = true;

    ask(&asked, "root");
    asked.spec.token = "once";
    asked.spec.tags = there;
    asked.spec.tag_count = 2;
    asked.spec.revocation_json = ca_bytes_str(
        "{\"CrlConfiguration\":{\"Enabled\":true,\"CustomCname\":\"crl.example\"}}");
    assert_int_equal(create(f, &asked.spec, first, &existed), CA_OK);
    assert_false(existed);
    asked.spec.tags = back;
    /* White space and order of members are not arguments. */
    asked.spec.config_json = ca_bytes_str(
        " {\"Subject\": {\"CommonName\": \"Example CA\", \"Organization\": \"Example\", "
        "\"Country\": \"DE\"}, \"SigningAlgorithm\": \"SHA256WITHECDSA\", "
        "\"KeyAlgorithm\": \"EC_prime256v1\"}");
    f->now_ms += 365 * STORE_FIXTURE_DAY_MS;        /* no window */
    assert_int_equal(create(f, &asked.spec, again, &existed), CA_OK);
    assert_true(existed);
    assert_string_equal(first, again);
}

static void the_same_token_with_other_arguments_is_refused(void **state)
{
    struct batch_tag tag = { "a", "1" };
    struct store_fixture *f = *state;
    struct asked asked;
    bool existed;

    ask(&asked, "root");
    asked.spec.token = "once";
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_OK);
    for (int change = 0; change < 6; change++) {
        ask(&asked, change == 0 ? "other" : "root");
        asked.spec.token = "once";
        if (change == 1) asked.spec.is_root = false;
        if (change == 2) asked.spec.short_lived = true;
        if (change == 3) {
            store_fixture_config("Other", "EC_prime256v1", "SHA256WITHECDSA", asked.config);
            asked.spec.config_json = ca_bytes_str(asked.config);
        }
        if (change == 4) {
            asked.spec.revocation_json = ca_bytes_str(
                "{\"OcspConfiguration\":{\"Enabled\":true,\"OcspCustomCname\":\"o.example\"}}");
        }
        if (change == 5) {
            asked.spec.tags = &tag;
            asked.spec.tag_count = 1;
        }
        assert_refused(create(f, &asked.spec, NULL, &existed), &f->err, "idempotency");
        assert_non_null(strstr(f->err.text, "\"root\""));
    }
}

static void another_token_makes_another_ca(void **state)
{
    struct store_fixture *f = *state;
    char first[37], second[37];
    struct asked asked;
    bool existed;

    ask(&asked, "root");
    asked.spec.token = "one";
    assert_int_equal(create(f, &asked.spec, first, &existed), CA_OK);
    asked.spec.token = "two";
    assert_refused(create(f, &asked.spec, NULL, &existed), &f->err, "ca-exists");
    asked.spec.name = "root2";
    assert_int_equal(create(f, &asked.spec, second, &existed), CA_OK);
    assert_string_not_equal(first, second);
}

static void a_token_of_37_characters_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct asked asked;
    bool existed;

    ask(&asked, "root");
    asked.spec.token = "0123456789012345678901234567890123456";
    assert_refused(create(f, &asked.spec, NULL, &existed), &f->err, "idempotency-token");
}

/* ---- Finding and listing ---- */

static void a_ca_is_found_by_name_and_by_arn(void **state)
{
    struct store_fixture *f = *state;
    struct batch_ca by_name, by_arn;
    char arn[160];

    store_fixture_create(f, "one", true);
    store_fixture_create(f, "two", true);
    assert_int_equal(batch_ca_find(f->registry, NULL, "two", &by_name, &f->err), CA_OK);
    assert_int_equal(batch_ca_find(f->registry, NULL, by_name.arn, &by_arn, &f->err), CA_OK);
    assert_int_equal(by_arn.number, by_name.number);
    memcpy(arn, by_name.arn, sizeof(arn));
    batch_ca_clear(&by_name);
    batch_ca_clear(&by_arn);
    arn[20] = arn[20] == 'l' ? 'x' : 'l';       /* another region */
    assert_refused(batch_ca_find(f->registry, NULL, arn, &by_arn, &f->err), &f->err, "no-such-ca");
    assert_refused(batch_ca_find(f->registry, NULL, "three", &by_arn, &f->err), &f->err,
                   "no-such-ca");
    assert_non_null(strstr(f->err.text, "\"three\""));
    assert_refused(batch_ca_find(f->registry, NULL, "", &by_arn, &f->err), &f->err, "no-such-ca");
}

struct seen { char names[64]; };

static enum ca_status see(void *ctx, const struct batch_ca *ca, struct ca_error *err)
{
    struct seen *seen = ctx;
    size_t used = strlen(seen->names);

    (void)snprintf(seen->names + used, sizeof(seen->names) - used, "%.*s ", (int)ca->row.name.len,
                   (const char *)ca->row.name.data);
    if (ca_bytes_equal(ca->row.name, ca_bytes_str("stop"))) {
        return ca_fail_named(err, CA_AGAIN, "stopped", "enough");
    }
    return CA_OK;
}

static void cas_are_listed_in_order_of_creation(void **state)
{
    struct store_fixture *f = *state;
    struct seen seen = { "" };

    store_fixture_create(f, "zulu", true);
    store_fixture_create(f, "alpha", true);
    store_fixture_create(f, "mike", false);
    assert_int_equal(batch_ca_each(f->registry, see, &seen, &f->err), CA_OK);
    assert_string_equal(seen.names, "zulu alpha mike ");
}

static void a_visitor_ends_the_list_with_its_status(void **state)
{
    struct store_fixture *f = *state;
    struct seen seen = { "" };

    store_fixture_create(f, "stop", true);
    store_fixture_create(f, "more", true);
    assert_int_equal(batch_ca_each(f->registry, see, &seen, &f->err), CA_AGAIN);
    assert_string_equal(seen.names, "stop ");
}

static void a_row_that_cannot_be_read_is_corruption(void **state)
{
    struct store_fixture *f = *state;
    struct store_txn *txn = NULL;
    struct schema_key key;
    struct batch_ca ca;

    assert_int_equal(store_begin(f->registry->store, STORE_WRITE, &txn, &f->err), CA_OK);
    assert_int_equal(store_put(txn, STORE_CA, schema_key_ca(&key, 1), ca_bytes_str("rubbish"),
                               STORE_INSERT, &f->err), CA_OK);
    assert_int_equal(batch_ca_find(f->registry, txn, "x", &ca, &f->err), CA_CORRUPT);
    assert_string_equal(ca_error_name(&f->err), "bad-row");
    store_abort(txn);
}

/* ---- Describing ---- */

static json_t *describe(struct store_fixture *f, const char *name)
{
    struct batch_ca ca;
    struct ca_buf text;
    json_t *json;

    ca_buf_init(&text, 1 << 20);
    assert_int_equal(batch_ca_find(f->registry, NULL, name, &ca, &f->err), CA_OK);
    batch_ca_describe(f->registry, &ca, &text);
    assert_int_equal(ca_buf_status(&text, "text", &f->err), CA_OK);
    json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    batch_ca_clear(&ca);
    ca_buf_clear(&text);
    return json;
}

static const char *text_of(const json_t *json, const char *member)
{
    const char *text = json_string_value(json_object_get(json, member));

    assert_non_null(text);
    return text;
}

static void a_pending_ca_is_described_without_what_it_has_not(void **state)
{
    struct store_fixture *f = *state;
    json_t *json;

    store_fixture_create(f, "sub", false);
    json = describe(f, "sub");
    assert_string_equal(text_of(json, "Status"), "PENDING_CERTIFICATE");
    assert_string_equal(text_of(json, "Type"), "SUBORDINATE");
    assert_string_equal(text_of(json, "OwnerAccount"), "000000000000");
    assert_string_equal(text_of(json, "CreatedAt"), "2026-09-21T14:13:20.000Z");
    assert_string_equal(text_of(json, "LastStateChangeAt"), "2026-09-21T14:13:20.000Z");
    assert_string_equal(text_of(json, "UsageMode"), "GENERAL_PURPOSE");
    assert_string_equal(text_of(json, "name"), "sub");
    assert_string_equal(text_of(json_object_get(json, "CertificateAuthorityConfiguration"),
                                "KeyAlgorithm"), "EC_prime256v1");
    assert_true(json_is_false(json_object_get(
        json_object_get(json_object_get(json, "RevocationConfiguration"), "CrlConfiguration"),
        "Enabled")));
    assert_int_equal(json_array_size(json_object_get(json, "Tags")), 0);
    assert_null(json_object_get(json, "Serial"));
    assert_null(json_object_get(json, "NotBefore"));
    assert_null(json_object_get(json, "NotAfter"));
    assert_null(json_object_get(json, "RestorableUntil"));
    assert_null(json_object_get(json, "certificate"));
    assert_null(json_object_get(json, "chain"));
    json_decref(json);
}

static X509 *read_pem(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    assert_non_null(cert);
    return cert;
}

static void an_active_ca_is_described_with_its_certificate_and_chain(void **state)
{
    struct store_fixture *f = *state;
    json_t *json;
    X509 *cert, *issuer;
    BIGNUM *serial;
    char *hex;

    store_fixture_hierarchy(f);
    f->now_ms += 1;
    json = describe(f, "sub");
    assert_string_equal(text_of(json, "Status"), "ACTIVE");
    assert_string_equal(text_of(json, "NotBefore"), "2026-09-21T13:13:20Z");
    assert_string_equal(text_of(json, "NotAfter"), "2029-09-21T14:13:20Z");
    cert = read_pem(text_of(json, "certificate"));
    issuer = read_pem(text_of(json, "chain"));
    assert_int_equal(X509_check_issued(issuer, cert), X509_V_OK);
    serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    hex = BN_bn2hex(serial);
    assert_int_equal(strcasecmp(hex, text_of(json, "Serial")), 0);
    OPENSSL_free(hex);
    BN_free(serial);
    X509_free(cert);
    X509_free(issuer);
    json_decref(json);
    json = describe(f, "root");
    assert_non_null(json_object_get(json, "certificate"));
    assert_null(json_object_get(json, "chain"));
    json_decref(json);
}

static void a_short_lived_ca_says_so(void **state)
{
    struct store_fixture *f = *state;
    struct asked asked;
    bool existed;
    json_t *json;

    ask(&asked, "short");
    asked.spec.short_lived = true;
    assert_int_equal(create(f, &asked.spec, NULL, &existed), CA_OK);
    json = describe(f, "short");
    assert_string_equal(text_of(json, "UsageMode"), "SHORT_LIVED_CERTIFICATE");
    json_decref(json);
}

/* ---- Tags ---- */

static void assert_tags(struct store_fixture *f, const char *expected)
{
    json_t *json = describe(f, "root");
    char *tags = json_dumps(json_object_get(json, "Tags"), JSON_COMPACT);

    assert_string_equal(tags, expected);
    free(tags);
    json_decref(json);
}

static void tags_keep_their_order_and_are_overwritten_in_place(void **state)
{
    const struct batch_tag first[] = { { "z", "1" }, { "a", NULL } };
    const struct batch_tag second[] = { { "z", "2" }, { "Z", "+" } };
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    assert_int_equal(batch_ca_tag(f->registry, "root", first, 2, &f->err), CA_OK);
    assert_int_equal(batch_ca_tag(f->registry, "root", second, 2, &f->err), CA_OK);
    assert_tags(f, "[{\"Key\":\"z\",\"Value\":\"2\"},{\"Key\":\"a\",\"Value\":\"\"},"
                   "{\"Key\":\"Z\",\"Value\":\"+\"}]");
}

static void a_tag_goes_by_its_key_or_by_key_and_value(void **state)
{
    const struct batch_tag tags[] = { { "a", "1" }, { "b", "2" }, { "c", "3" } };
    const struct batch_tag gone[] = {
        { "a", NULL }, { "b", "other" }, { "c", "3" }, { "d", NULL },
    };
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    assert_int_equal(batch_ca_tag(f->registry, "root", tags, 3, &f->err), CA_OK);
    assert_int_equal(batch_ca_untag(f->registry, "root", gone, 4, &f->err), CA_OK);
    assert_tags(f, "[{\"Key\":\"b\",\"Value\":\"2\"}]");
}

static void the_51st_tag_is_refused_and_nothing_changes(void **state)
{
    struct store_fixture *f = *state;
    struct batch_tag tags[51];
    char keys[51][8];
    json_t *json;

    for (size_t i = 0; i < 51; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
        tags[i] = (struct batch_tag){ keys[i], "v" };
    }
    store_fixture_create(f, "root", true);
    assert_int_equal(batch_ca_tag(f->registry, "root", tags, 50, &f->err), CA_OK);
    assert_refused(batch_ca_tag(f->registry, "root", tags + 50, 1, &f->err), &f->err,
                   "too-many-tags");
    assert_int_equal(batch_ca_tag(f->registry, "root", tags, 50, &f->err), CA_OK);
    json = describe(f, "root");
    assert_int_equal(json_array_size(json_object_get(json, "Tags")), 50);
    json_decref(json);
}

static void a_tag_against_the_rules_is_refused(void **state)
{
    const struct batch_tag tags[] = {
        { "", "v" }, { "aws:x", "v" }, { "k", "a;b" }, { "k\x01", "" },
    };
    struct store_fixture *f = *state;

    store_fixture_create(f, "root", true);
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        assert_refused(batch_ca_tag(f->registry, "root", &tags[i], 1, &f->err), &f->err, "tag");
    }
    assert_tags(f, "[]");
}

#define PLAIN(test)                                                                                \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)
#define ENCRYPTED(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, store_fixture_setup_encrypted, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(a_new_ca_waits_for_its_certificate),
        PLAIN(the_csr_is_one_that_openssl_accepts),
        PLAIN(the_key_file_is_private_and_holds_the_key_of_the_csr),
        ENCRYPTED(the_key_file_of_an_encrypted_store_opens_with_the_passphrase_only),
        ENCRYPTED(a_mistyped_passphrase_creates_no_ca),
        PLAIN(every_key_algorithm_makes_a_ca),
        PLAIN(a_name_that_is_no_name_is_refused),
        PLAIN(a_name_is_taken_while_its_ca_lives),
        PLAIN(a_bad_configuration_creates_nothing),
        PLAIN(a_key_that_cannot_be_written_makes_no_ca),
        PLAIN(a_key_file_without_a_row_goes_with_the_next_create),
        PLAIN(the_same_token_and_arguments_give_the_same_ca),
        PLAIN(the_same_token_with_other_arguments_is_refused),
        PLAIN(another_token_makes_another_ca),
        PLAIN(a_token_of_37_characters_is_refused),
        PLAIN(a_ca_is_found_by_name_and_by_arn),
        PLAIN(cas_are_listed_in_order_of_creation),
        PLAIN(a_visitor_ends_the_list_with_its_status),
        PLAIN(a_row_that_cannot_be_read_is_corruption),
        PLAIN(a_pending_ca_is_described_without_what_it_has_not),
        PLAIN(an_active_ca_is_described_with_its_certificate_and_chain),
        PLAIN(a_short_lived_ca_says_so),
        PLAIN(tags_keep_their_order_and_are_overwritten_in_place),
        PLAIN(a_tag_goes_by_its_key_or_by_key_and_value),
        PLAIN(the_51st_tag_is_refused_and_nothing_changes),
        PLAIN(a_tag_against_the_rules_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
