/*
 * Project Wycheproof's vectors through the engine's own way: each key and each signature is put
 * into a request, which the parser reads (key, algorithm, shape of the signature), and what it
 * found is proved over the vector's message. Accepted is what both accept.
 *
 * What the vectors call "invalid" must be refused, "valid" accepted where we take the kind of key
 * and the parameters, and refused where we do not. What they leave open is decided here, by flag.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/der.h"
#include "engine/prove.h"
#include "engine/request.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_MAX 10000            /* octets of a key, a message or a signature */
#define REQUEST_MAX 100000          /* and of a request around them */

/* "acceptable": right or wrong as one likes. */
static const struct {
    const char *flag;
    bool accept;
} decisions[] = {
    /* The DigestInfo in the padding lacks the NULL of its algorithm: RFC 8017 9.2 compares with the
     * one encoding that has it. */
    { "MissingNull", false },
    /* Good points in a form that RFC 5480 2.2 leaves optional and we do not read. */
    { "CompressedPoint", false },
    /* Explicit parameters (RFC 5480 2.1.1: MUST NOT), of which a part is wrong or unused. */
    { "UnusedParam", false },
    { "UnnamedCurve", false },
    /* BER, or DER of something else, that a lenient reader would understand. */
    { "InvalidAsn", false },
};

/* These are invalid for agreeing on a secret with a key on the file's curve. On a curve of ours
 * they are good keys all the same, which OpenSSL must confirm. */
static const char *const of_other_curves[] = { "WrongCurve", "ModifiedGroup" };

struct tally {
    size_t accepted;            /* valid, of our kinds */
    size_t refused;             /* invalid, or decided so */
    size_t other_kind;          /* valid, but with a key or parameters that we refuse */
    size_t other_curve;         /* called invalid, and a good key of another curve */
};

struct fixture {
    struct ca_crypto *crypto;
    struct ca_prover *prover;
};

static int set_up(void **state)
{
    static struct fixture f;

    if (ca_crypto_new(&f.crypto, NULL) != CA_OK) return -1;
    if (ca_prover_new(f.crypto, &f.prover, NULL) != CA_OK) return -1;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ca_prover_free(f->prover);
    ca_crypto_free(f->crypto);
    return 0;
}

/* Reading */

static json_t *load(const char *name)
{
    char path[600];
    json_error_t error;
    json_t *root;

    (void)snprintf(path, sizeof(path), CERTMILL_VECTORS_DIR "/wycheproof/%s.json", name);
    root = json_load_file(path, 0, &error);
    if (root == NULL) fail_msg("%s: %s", path, error.text);
    return root;
}

static const char *text_of(json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    if (text == NULL) fail_msg("no %s", member);
    return text;
}

static bool has_flag(json_t *test, const char *flag)
{
    json_t *flags = json_object_get(test, "flags");
    size_t i;
    json_t *value;

    json_array_foreach(flags, i, value) {
        if (strcmp(json_string_value(value), flag) == 0) return true;
    }
    return false;
}

/* A member in hexadecimal; room has VECTOR_MAX octets. */
static struct ca_bytes octets_of(json_t *object, const char *member, uint8_t *room)
{
    size_t len = 0;

    assert_int_equal(ca_hex_decode(text_of(object, member), room, VECTOR_MAX, &len, NULL), CA_OK);
    return ca_bytes_of(room, len);
}

/* Judging one vector */

/* A request for that key with that signature, over nothing in particular. */
static struct ca_bytes wrap(struct ca_bytes spki, struct ca_bytes algorithm,
                            struct ca_bytes signature, struct ca_buf *out)
{
    static const uint8_t version_and_subject[] = { 0x02, 0x01, 0x00, 0x30, 0x00 };
    static const uint8_t attributes[] = { 0xa0, 0x00 };

    ca_buf_reset(out);
    ca_buf_append(out, version_and_subject, sizeof(version_and_subject));
    ca_buf_append_bytes(out, spki);
    ca_buf_append(out, attributes, sizeof(attributes));
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    ca_buf_append_bytes(out, algorithm);
    ca_der_add_bits(out, signature);
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    assert_int_equal(out->failed, CA_OK);
    return ca_buf_view(out);
}

/* Accepted: CA_REASON_NONE. */
static enum ca_reason judge(struct fixture *f, struct ca_bytes der, struct ca_bytes message)
{
    struct ca_request request;
    struct ca_error err = { .status = CA_OK };
    bool good = false;

    if (ca_request_parse(der, 0, &request, &err) != CA_OK) return (enum ca_reason)err.reason;
    assert_int_equal(ca_prover_verify(f->prover, &request.key, request.sig_alg, message,
                                      request.signature, &good, NULL), CA_OK);
    if (good) return CA_REASON_NONE;
    request.info = message;
    assert_true(ca_status_is_request(ca_prover_refuse(f->prover, &request, &err)));
    return (enum ca_reason)err.reason;
}

/* Should that vector be accepted, when we take its kind of key and its parameters? */
static bool should_accept(json_t *test)
{
    const char *result = text_of(test, "result");

    if (strcmp(result, "acceptable") == 0) {
        for (size_t i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
            if (has_flag(test, decisions[i].flag)) return decisions[i].accept;
        }
        fail_msg("vector %lld is acceptable, which nobody has decided",
                 (long long)json_integer_value(json_object_get(test, "tcId")));
    }
    return strcmp(result, "valid") == 0;
}

static void count(const char *file, json_t *test, bool our_kind, enum ca_reason reason,
                  struct tally *tally)
{
    bool expected = should_accept(test) && our_kind;

    if ((reason == CA_REASON_NONE) != expected)
        fail_msg("%s %lld (%s, %s): %s", file,
                 (long long)json_integer_value(json_object_get(test, "tcId")),
                 text_of(test, "result"), text_of(test, "comment"),
                 reason == CA_REASON_NONE ? "accepted" : ca_reason_code((uint16_t)reason));
    if (expected) tally->accepted++;
    else if (should_accept(test)) tally->other_kind++;
    else tally->refused++;
}

/* Signatures */

/* How a file's keys and algorithms are known. */
enum pss { PSS_NONE, PSS_BY_MEMBERS, PSS_IN_THE_KEY };

struct file {
    const char *name;
    const char *algorithm;      /* AlgorithmIdentifier in hexadecimal; NULL: of PSS */
    enum pss pss;
    bool our_kind;              /* of key */
};

/* AlgorithmIdentifier and keys of PSS. The key of these files may itself say RSASSA-PSS and its
 * parameters, which is no key that we take: there the identifier comes from it, and the key proper
 * goes under rsaEncryption. */
static void pss_parts(json_t *group, enum pss kind, struct ca_buf *algorithm, struct ca_buf *key)
{
    static const uint8_t rsa[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                   0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
    uint8_t room[VECTOR_MAX];
    struct ca_bytes der = octets_of(group, "publicKeyDer", room);

    ca_buf_reset(algorithm);
    ca_buf_reset(key);
    if (kind == PSS_IN_THE_KEY) {
        struct ca_der input = ca_der_open(der), inner = { .reason = 0 };
        struct ca_der_element element = { .tag = 0 };
        struct ca_spki spki;
        struct ca_error err = { .status = CA_OK };

        assert_int_equal(ca_spki_parse(der, &spki, &err), CA_REFUSED);
        assert_int_equal(err.reason, CA_REASON_KEY_NOT_SUPPORTED);
        assert_int_equal(ca_der_enter(&input, CA_DER_SEQUENCE, "key", &inner, NULL), CA_OK);
        assert_int_equal(ca_der_take(&inner, CA_DER_SEQUENCE, "alg", &element, NULL), CA_OK);
        ca_buf_append_bytes(algorithm, element.whole);
        ca_buf_append(key, rsa, sizeof(rsa));
        ca_der_add_bits(key, octets_of(group, "publicKeyAsn", room));
        ca_der_wrap(key, 0, CA_DER_SEQUENCE);
    } else {
        bool is_512 = strcmp(text_of(group, "sha"), "SHA-512") == 0;

        ca_buf_append_bytes(algorithm, ca_sig_alg_der(is_512 ? CA_SIG_RSA_PSS_SHA512
                                                             : CA_SIG_RSA_PSS_SHA256));
        ca_buf_append_bytes(key, der);
    }
}

/* Hash and mask of one of our digests, and a salt as long. */
static bool pss_is_ours(json_t *group)
{
    static const struct {
        const char *sha;
        int salt_len;
    } ours[] = { { "SHA-256", 32 }, { "SHA-384", 48 }, { "SHA-512", 64 } };

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(text_of(group, "sha"), ours[i].sha) == 0 &&
            strcmp(text_of(group, "mgfSha"), ours[i].sha) == 0 &&
            json_integer_value(json_object_get(group, "sLen")) == ours[i].salt_len)
            return true;
    }
    return false;
}

static void judge_group(struct fixture *f, const struct file *file, json_t *group,
                        struct tally *tally)
{
    uint8_t room[VECTOR_MAX], message[VECTOR_MAX], signature[VECTOR_MAX];
    bool ours = file->our_kind && (file->pss == PSS_NONE || pss_is_ours(group));
    struct ca_buf algorithm, key, request;
    size_t i;
    json_t *test;

    ca_buf_init(&algorithm, VECTOR_MAX);
    ca_buf_init(&key, VECTOR_MAX);
    ca_buf_init(&request, REQUEST_MAX);
    if (file->pss == PSS_NONE) {
        size_t len = 0;

        assert_int_equal(ca_hex_decode(file->algorithm, room, sizeof(room), &len, NULL), CA_OK);
        ca_buf_append(&algorithm, room, len);
        ca_buf_append_bytes(&key, octets_of(group, "publicKeyDer", room));
    } else {
        pss_parts(group, file->pss, &algorithm, &key);
    }
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        struct ca_bytes der = wrap(ca_buf_view(&key), ca_buf_view(&algorithm),
                                   octets_of(test, "sig", signature), &request);
        enum ca_reason reason = judge(f, der, octets_of(test, "msg", message));

        count(file->name, test, ours, reason, tally);
        if (!file->our_kind) assert_int_equal(reason, CA_REASON_KEY_NOT_SUPPORTED);
        else if (!ours) assert_int_equal(reason, CA_REASON_ALGORITHM_NOT_SUPPORTED);
    }
    ca_buf_clear(&algorithm);
    ca_buf_clear(&key);
    ca_buf_clear(&request);
}

static void judge_file(struct fixture *f, const struct file *file, struct tally *tally)
{
    json_t *root = load(file->name);
    size_t i;
    json_t *group;

    json_array_foreach(json_object_get(root, "testGroups"), i, group) {
        judge_group(f, file, group, tally);
    }
    json_decref(root);
}

#define ECDSA(octet) "300a06082a8648ce3d0403" octet
#define PKCS1(octet) "300d06092a864886f70d0101" octet "0500"

static const struct file files[] = {
    { "ecdsa_secp224r1_sha256_test", ECDSA("02"), PSS_NONE, false },
    { "ecdsa_secp256k1_sha256_test", ECDSA("02"), PSS_NONE, false },
    { "ecdsa_secp256r1_sha256_test", ECDSA("02"), PSS_NONE, true },
    { "ecdsa_secp384r1_sha384_test", ECDSA("03"), PSS_NONE, true },
    { "ecdsa_secp521r1_sha512_test", ECDSA("04"), PSS_NONE, true },
    { "ed25519_test", "300506032b6570", PSS_NONE, true },
    { "ed448_test", "300506032b6571", PSS_NONE, true },
    { "rsa_pss_2048_sha256_mgf1_32_params_test", NULL, PSS_IN_THE_KEY, true },
    { "rsa_pss_2048_sha256_mgf1_32_test", NULL, PSS_BY_MEMBERS, true },
    { "rsa_pss_4096_sha512_mgf1_64_test", NULL, PSS_BY_MEMBERS, true },
    { "rsa_pss_misc_params_test", NULL, PSS_IN_THE_KEY, true },
    { "rsa_signature_2048_sha256_test", PKCS1("0b"), PSS_NONE, true },
    { "rsa_signature_3072_sha384_test", PKCS1("0c"), PSS_NONE, true },
    { "rsa_signature_4096_sha512_test", PKCS1("0d"), PSS_NONE, true },
};

static void every_signature_has_the_verdict_that_it_should(void **state)
{
    struct tally all = { 0 };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct tally tally = { 0 };

        judge_file(*state, &files[i], &tally);
        print_message("%-42s accepted %4zu  refused %4zu  valid, not our kind %4zu\n",
                      files[i].name, tally.accepted, tally.refused, tally.other_kind);
        all.accepted += tally.accepted;
        all.refused += tally.refused;
        all.other_kind += tally.other_kind;
    }
    /* Nothing was skipped: counted by a script over the files. */
    assert_int_equal(all.accepted + all.refused + all.other_kind, 4047);
    assert_int_equal(all.accepted, 989);
    assert_int_equal(all.other_kind, 487);
}

/* Public keys of the ECDH files */

/* NONE: a key that somebody could sign with. */
static enum ca_reason judge_key(struct fixture *f, struct ca_bytes der, struct ca_spki *spki)
{
    static const uint8_t one_and_one[] = { 0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01 };
    struct ca_request request = { .sig_alg = CA_SIG_ECDSA_SHA256,
                                  .signature = { one_and_one, sizeof(one_and_one) } };
    struct ca_error err = { .status = CA_OK };

    if (ca_spki_parse(der, spki, &err) != CA_OK) return (enum ca_reason)err.reason;
    request.key = *spki;
    assert_true(ca_status_is_request(ca_prover_refuse(f->prover, &request, &err)));
    return err.reason == CA_REASON_BAD_SIGNATURE ? CA_REASON_NONE : (enum ca_reason)err.reason;
}

static bool openssl_takes(struct ca_bytes der)
{
    const unsigned char *at = der.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)der.len);
    EVP_PKEY_CTX *ctx = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
    bool good = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

static void judge_public_keys(struct fixture *f, const char *name, enum ca_key_kind kind,
                              struct tally *tally)
{
    json_t *root = load(name);
    json_t *groups = json_object_get(root, "testGroups"), *test;
    size_t i;

    assert_int_equal(json_array_size(groups), 1);
    json_array_foreach(json_object_get(json_array_get(groups, 0), "tests"), i, test) {
        uint8_t room[VECTOR_MAX];
        struct ca_spki spki = { .kind = CA_KEY_KIND_NONE };
        enum ca_reason reason = judge_key(f, octets_of(test, "public", room), &spki);

        if (reason == CA_REASON_NONE && spki.kind != kind) {
            assert_true(has_flag(test, of_other_curves[0]) || has_flag(test, of_other_curves[1]));
            assert_true(openssl_takes(spki.whole));
            tally->other_curve++;
            continue;
        }
        count(name, test, true, reason, tally);
        if (reason == CA_REASON_NONE) assert_int_equal(spki.kind, kind);
        if (has_flag(test, "InvalidCurveAttack")) assert_int_equal(reason, CA_REASON_BAD_POINT);
        if (has_flag(test, "UnnamedCurve")) assert_int_equal(reason, CA_REASON_KEY_NOT_SUPPORTED);
    }
    json_decref(root);
}

static void every_public_key_has_the_verdict_that_it_should(void **state)
{
    struct tally tally = { 0 };

    judge_public_keys(*state, "ecdh_secp256r1_test", CA_KEY_KIND_P256, &tally);
    judge_public_keys(*state, "ecdh_secp384r1_test", CA_KEY_KIND_P384, &tally);
    print_message("public keys: accepted %zu  refused %zu  other curve of ours %zu\n",
                  tally.accepted, tally.refused, tally.other_curve);
    assert_int_equal(tally.accepted, 1101);
    assert_int_equal(tally.refused + tally.other_curve, 558);
    assert_int_equal(tally.other_curve, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_signature_has_the_verdict_that_it_should),
        cmocka_unit_test(every_public_key_has_the_verdict_that_it_should),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
