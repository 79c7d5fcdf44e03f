/*
 * Requests that are well formed and signed with their own key, and that the default template
 * refuses all the same: the third group of mutants, after test_mutants.c and test_mutant_keys.c.
 * OpenSSL verifies every one of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/arena.h"
#include "engine/ignored.h"
#include "engine/policy.h"
#include "tests/support/mutant.h"
#include "tests/support/x509_fixture.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

struct fixture {
    struct mutant_fixture *mutants;
    struct x509_authority authority;
    struct ca_profile *profile;
    struct ca_policy *policy;
    struct ca_arena arena;
};

static struct fixture fixture;

static int set_up(void **state)
{
    struct fixture *f = &fixture;
    struct ca_profile_spec spec = { .tmpl = ca_template_default() };
    void *mutants = NULL;

    if (mutant_set_up(&mutants) != 0) return -1;
    f->mutants = mutants;
    x509_make_authority(f->mutants->crypto, OF_RSA, "", &f->authority);
    spec.issuer = f->authority.issuer;
    spec.issuer_key = f->authority.alg;
    spec.sig_alg = f->authority.sig_alg;
    if (ca_validity_parse("30d", &spec.validity, NULL) != CA_OK) return -1;
    if (ca_profile_new(&spec, &f->profile, NULL) != CA_OK) return -1;
    if (ca_policy_new(f->mutants->crypto, &f->policy, NULL) != CA_OK) return -1;
    ca_arena_init(&f->arena, 65536, 1u << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    void *mutants = f->mutants;

    ca_arena_clear(&f->arena);
    ca_policy_free(f->policy);
    ca_profile_free(f->profile);
    x509_drop_authority(&f->authority);
    return mutant_tear_down(&mutants);
}

/* The request is right in form and signature: OpenSSL says so, and we. *contents is what the
 * certificate would have. */
static enum ca_reason policy_verdict(struct fixture *f, struct ca_bytes der,
                                     struct ca_contents *contents, struct ca_error *err)
{
    struct ca_request request;
    struct ca_ask ask = { .request = &request };
    enum ca_status st;

    assert_true(request_openssl_verifies(der));
    if (mutant_verdict(f->mutants, der, err) != CA_REASON_NONE) fail_msg("%s", err->text);
    assert_int_equal(ca_request_parse(der, 0, &request, NULL), CA_OK);
    ca_arena_reset(&f->arena);
    st = ca_policy_check(f->policy, f->profile, &ask, &f->arena, contents, err);
    return st == CA_OK ? CA_REASON_NONE : (enum ca_reason)err->reason;
}

static void judge(struct fixture *f, const char *what, const struct request_parts *parts,
                  EVP_PKEY *key, enum ca_reason expected, uint64_t ignored)
{
    const struct request_signing signing = {
        .key = key, .digest = EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 ||
                              EVP_PKEY_get_id(key) == EVP_PKEY_ED448 ? NULL : "SHA256"
    };
    struct ca_contents contents = { .ignored = 0 };
    struct ca_error err = { .status = CA_OK };
    struct ca_buf out;
    enum ca_reason reason = policy_verdict(f, request_build(parts, &signing, &out), &contents,
                                           &err);

    if (reason != expected)
        fail_msg("%s: %s (%s)", what,
                 reason == CA_REASON_NONE ? "accepted" : ca_reason_code((uint16_t)reason),
                 reason == CA_REASON_NONE ? "" : err.text);
    if (expected == CA_REASON_NONE) {
        assert_int_equal(contents.ignored, ignored);
        assert_int_equal(contents.extra.len, 0);
    }
    ca_buf_clear(&out);
}

static const struct request_parts plain = { .version = NULL };

static void keys_that_are_good_are_admitted(void **state)
{
    struct fixture *f = *state;

    for (int key = 0; key < MUTANT_KEYS; key++)
        judge(f, "control", &plain, f->mutants->keys[key], CA_REASON_NONE, 0);
}

/* RSA by size and exponent, in decimal. */
static EVP_PKEY *make_rsa(int bits, const char *exponent)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    BIGNUM *e = NULL;

    assert_true(BN_dec2bn(&e, exponent) > 0);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    BN_free(e);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void rsa_keys_of_other_sizes_are_refused(void **state)
{
    static const struct {
        const char *exponent;
        int bits;
        enum ca_reason reason;
    } keys[] = {
        { "65537", 512, CA_REASON_KEY_TOO_WEAK },
        { "65537", 1024, CA_REASON_KEY_TOO_WEAK },
        { "65537", 2047, CA_REASON_KEY_TOO_WEAK },
        { "65537", 2050, CA_REASON_KEY_TOO_WEAK },
        { "65537", 2056, CA_REASON_NONE },
        { "3", 2048, CA_REASON_KEY_TOO_WEAK },
        { "17", 2048, CA_REASON_KEY_TOO_WEAK },
        { "65535", 2048, CA_REASON_KEY_TOO_WEAK },
        { "65539", 2048, CA_REASON_NONE },
        { "18446744073709551615", 2048, CA_REASON_NONE },               /* 2^64 - 1 */
        { "18446744073709551629", 2048, CA_REASON_KEY_NOT_ALLOWED },    /* 2^64 + 13 */
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        EVP_PKEY *key = make_rsa(keys[i].bits, keys[i].exponent);
        char what[60];

        (void)snprintf(what, sizeof(what), "%d bits, e %s", EVP_PKEY_get_bits(key),
                       keys[i].exponent);
        judge(*state, what, &plain, key, keys[i].reason, 0);
        EVP_PKEY_free(key);
    }
}

/* A key of two numbers, prime or not, that signs: d is the inverse of 65537 modulo order. */
static EVP_PKEY *rsa_of(const BIGNUM *n, const BIGNUM *order, BN_CTX *bn)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *e = BN_new(), *d;
    OSSL_PARAM *params;
    EVP_PKEY *key = NULL;

    assert_int_equal(BN_set_word(e, 65537), 1);
    d = BN_mod_inverse(NULL, e, order, bn);
    assert_non_null(d);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, d), 1);
    params = OSSL_PARAM_BLD_to_param(build);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(e);
    BN_free(d);
    return key;
}

/* The next prime, or the next but some. */
static void next_prime(BIGNUM *p, BN_CTX *bn)
{
    do {
        BN_add_word(p, BN_is_odd(p) ? 2 : 1);
    } while (BN_check_prime(p, bn, NULL) != 1);
}

/* 2048 bits of p q, where q is another number than chance would have chosen. */
static void judge_product(struct fixture *f, const char *what, const BIGNUM *p, const BIGNUM *q,
                          enum ca_reason reason, BN_CTX *bn)
{
    BIGNUM *n = BN_new(), *order = BN_new(), *p1 = BN_dup(p), *q1 = BN_dup(q);
    bool square = BN_cmp(p, q) == 0;
    EVP_PKEY *key;

    BN_mul(n, p, q, bn);
    BN_sub_word(p1, 1);
    if (!square) BN_sub_word(q1, 1);            /* of p^2: p (p - 1) */
    BN_mul(order, p1, q1, bn);
    assert_int_equal(BN_num_bits(n), 2048);
    key = rsa_of(n, order, bn);
    judge(f, what, &plain, key, reason, 0);
    EVP_PKEY_free(key);
    BN_free(n);
    BN_free(order);
    BN_free(p1);
    BN_free(q1);
}

static void moduli_that_anybody_can_factor_are_refused(void **state)
{
    BN_CTX *bn = BN_CTX_new();
    BIGNUM *p = BN_new(), *q, *small = BN_new(), *large = BN_new();

    assert_int_equal(BN_generate_prime_ex(p, 1024, 0, NULL, NULL, NULL), 1);
    BN_set_bit(p, 1022);                        /* so that p^2 has 2048 bits */
    q = BN_dup(p);
    next_prime(p, bn);
    BN_copy(q, p);
    judge_product(*state, "a square", p, q, CA_REASON_KEY_CLOSE_PRIMES, bn);
    next_prime(q, bn);
    judge_product(*state, "neighbours", p, q, CA_REASON_KEY_CLOSE_PRIMES, bn);
    BN_set_word(small, 751);
    assert_int_equal(BN_generate_prime_ex(large, 2038, 0, NULL, NULL, NULL), 1);
    judge_product(*state, "751", small, large, CA_REASON_KEY_SMALL_FACTOR, bn);
    BN_free(p);
    BN_free(q);
    BN_free(small);
    BN_free(large);
    BN_CTX_free(bn);
}

static void the_issuing_cas_own_key_is_refused(void **state)
{
    struct fixture *f = *state;

    judge(f, "the CA's key", &plain, f->authority.pkey, CA_REASON_CA_KEY_AS_SUBJECT, 0);
}

#define EXTS(type, extensions) "a0(30(" type " 31(30(" extensions "))))"
#define EXT_REQ "06092a864886f70d01090e"
#define MS_EXT_REQ "060a2b060104018237020" "10e"
#define SAN "30(0603551d11 04(30(82('a.example'))))"
#define CRITICAL_SAN "30(0603551d11 0101ff 04(30(82('a.example'))))"
#define CA_TRUE "30(0603551d13 0101ff 04(30(0101ff)))"

/* RFC 5280 4.1.2.6 and 4.2.1.6 */
static void a_request_without_names_is_refused(void **state)
{
    static const struct {
        const char *what;
        struct request_parts parts;
        enum ca_reason reason;
    } cases[] = {
        { "nothing", { .subject = "30()" }, CA_REASON_NO_NAME },
        { "a SAN that is not critical",
          { .subject = "30()", .attributes = EXTS(EXT_REQ, SAN) }, CA_REASON_SAN_NOT_CRITICAL },
        { "a critical SAN", { .subject = "30()", .attributes = EXTS(EXT_REQ, CRITICAL_SAN) },
          CA_REASON_NONE },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        judge(f, cases[i].what, &cases[i].parts, f->mutants->keys[BY_P256], cases[i].reason, 0);
}

/* OpenSSL reads a request for a CA under either OID. Nothing of it reaches the certificate. */
static void a_request_to_be_a_ca_is_ignored_under_either_oid(void **state)
{
    static const struct request_parts asked[] = {
        { .attributes = EXTS(EXT_REQ, CA_TRUE) },
        { .attributes = EXTS(MS_EXT_REQ, CA_TRUE) },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < 2; i++)
        judge(f, "CA:TRUE", &asked[i], f->mutants->keys[BY_P256], CA_REASON_NONE,
              CA_IGNORED_BIT(CSR_BASIC_CONSTRAINTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_are_good_are_admitted),
        cmocka_unit_test(rsa_keys_of_other_sizes_are_refused),
        cmocka_unit_test(moduli_that_anybody_can_factor_are_refused),
        cmocka_unit_test(the_issuing_cas_own_key_is_refused),
        cmocka_unit_test(a_request_without_names_is_refused),
        cmocka_unit_test(a_request_to_be_a_ca_is_ignored_under_either_oid),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
