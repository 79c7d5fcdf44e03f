/* engine/alg: names of the API (spec 2.4), DER of signature algorithms, and who may sign with what.
 * OpenSSL's object table and encoder are the second opinion on OIDs. */
#include "engine/alg.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct {
    enum ca_key_alg alg;
    const char *name;
    enum ca_key_kind kind;
    uint32_t bits;
    enum ca_sig_alg sig_default;
} keys[] = {
    { CA_KEY_RSA_2048, "RSA_2048", CA_KEY_KIND_RSA, 2048, CA_SIG_RSA_SHA256 },
    { CA_KEY_RSA_3072, "RSA_3072", CA_KEY_KIND_RSA, 3072, CA_SIG_RSA_SHA256 },
    { CA_KEY_RSA_4096, "RSA_4096", CA_KEY_KIND_RSA, 4096, CA_SIG_RSA_SHA256 },
    { CA_KEY_EC_P256, "EC_prime256v1", CA_KEY_KIND_P256, 256, CA_SIG_ECDSA_SHA256 },
    { CA_KEY_EC_P384, "EC_secp384r1", CA_KEY_KIND_P384, 384, CA_SIG_ECDSA_SHA384 },
    { CA_KEY_EC_P521, "EC_secp521r1", CA_KEY_KIND_P521, 521, CA_SIG_ECDSA_SHA512 },
    { CA_KEY_ED25519, "ED25519", CA_KEY_KIND_ED25519, 256, CA_SIG_ED25519 },
};

static const struct {
    enum ca_sig_alg alg;
    const char *name;
    int nid;
    enum ca_digest_alg digest;
    bool rsa;
} sigs[] = {
    { CA_SIG_RSA_SHA256, "SHA256WITHRSA", NID_sha256WithRSAEncryption, CA_DIGEST_SHA256, true },
    { CA_SIG_RSA_SHA384, "SHA384WITHRSA", NID_sha384WithRSAEncryption, CA_DIGEST_SHA384, true },
    { CA_SIG_RSA_SHA512, "SHA512WITHRSA", NID_sha512WithRSAEncryption, CA_DIGEST_SHA512, true },
    { CA_SIG_ECDSA_SHA256, "SHA256WITHECDSA", NID_ecdsa_with_SHA256, CA_DIGEST_SHA256, false },
    { CA_SIG_ECDSA_SHA384, "SHA384WITHECDSA", NID_ecdsa_with_SHA384, CA_DIGEST_SHA384, false },
    { CA_SIG_ECDSA_SHA512, "SHA512WITHECDSA", NID_ecdsa_with_SHA512, CA_DIGEST_SHA512, false },
    { CA_SIG_ED25519, "ED25519", NID_ED25519, CA_DIGEST_NONE, false },
};

/* Of requests only. PSS has no NID of its own for each: OpenSSL writes the parameters. */
static const struct {
    enum ca_sig_alg alg;
    const char *name;
    enum ca_digest_alg digest;
    enum ca_key_kind kind;
} requests_only[] = {
    { CA_SIG_RSA_PSS_SHA256, "SHA256WITHRSAANDMGF1", CA_DIGEST_SHA256, CA_KEY_KIND_RSA },
    { CA_SIG_RSA_PSS_SHA384, "SHA384WITHRSAANDMGF1", CA_DIGEST_SHA384, CA_KEY_KIND_RSA },
    { CA_SIG_RSA_PSS_SHA512, "SHA512WITHRSAANDMGF1", CA_DIGEST_SHA512, CA_KEY_KIND_RSA },
    { CA_SIG_ED448, "ED448", CA_DIGEST_NONE, CA_KEY_KIND_ED448 },
};

#define REQUESTS_ONLY (sizeof(requests_only) / sizeof(requests_only[0]))
#define KEYS (sizeof(keys) / sizeof(keys[0]))
#define SIGS (sizeof(sigs) / sizeof(sigs[0]))

static void every_key_algorithm_has_its_official_name_and_properties(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        enum ca_key_alg alg = CA_KEY_ALG_NONE;

        assert_string_equal(ca_key_alg_name(keys[i].alg), keys[i].name);
        assert_int_equal(ca_key_alg_by_name(keys[i].name, &alg, NULL), CA_OK);
        assert_int_equal(alg, keys[i].alg);
        assert_int_equal(ca_key_alg_kind(alg), keys[i].kind);
        assert_int_equal(ca_key_alg_bits(alg), keys[i].bits);
        assert_int_equal(ca_sig_alg_default(alg), keys[i].sig_default);
    }
}

/* A key without a size goes by what its algorithms have in common; a CA's key may be no Ed448. */
static void a_kind_of_key_has_the_name_of_its_algorithm_without_a_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        const char *want = keys[i].kind == CA_KEY_KIND_RSA ? "RSA" : keys[i].name;

        assert_string_equal(ca_key_kind_name(keys[i].kind), want);
    }
    assert_string_equal(ca_key_kind_name(CA_KEY_KIND_ED448), "ED448");
    assert_null(ca_key_kind_name(CA_KEY_KIND_NONE));
    assert_null(ca_key_kind_name((enum ca_key_kind)CA_KEY_KIND_COUNT));
    assert_null(ca_key_kind_name((enum ca_key_kind)1000));
}

static void the_guides_aliases_of_curves_are_read_and_never_shown(void **state)
{
    static const char *const aliases[] = { "EC_256", "EC_384", "EC_521" };
    static const char *const names[] = { "EC_prime256v1", "EC_secp384r1", "EC_secp521r1" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        enum ca_key_alg alg = CA_KEY_ALG_NONE;

        assert_int_equal(ca_key_alg_by_name(aliases[i], &alg, NULL), CA_OK);
        assert_string_equal(ca_key_alg_name(alg), names[i]);
    }
}

static void an_unknown_key_algorithm_is_refused_with_the_list_of_valid_ones(void **state)
{
    static const char *const unknown[] = { "", "RSA_1024", "rsa_2048", "RSA_2048 ", "EC_secp256k1",
                                           "SM2", "ML_DSA_45", "Ed25519" };

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        struct ca_error err = { 0 };
        enum ca_key_alg alg = CA_KEY_ALG_NONE;

        assert_int_equal(ca_key_alg_by_name(unknown[i], &alg, &err), CA_REFUSED);
        assert_string_equal(err.name, "key-algorithm");
        for (size_t k = 0; k < KEYS; k++) assert_non_null(strstr(err.text, keys[k].name));
        assert_int_equal(alg, CA_KEY_ALG_NONE);
    }
}

static void ml_dsa_is_refused_with_the_version_that_it_needs_and_the_one_in_use(void **state)
{
    static const char *const names[] = { "ML_DSA_44", "ML_DSA_65", "ML_DSA_87" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct ca_error err = { 0 };
        enum ca_key_alg key;
        enum ca_sig_alg sig;

        assert_int_equal(ca_key_alg_by_name(names[i], &key, &err), CA_REFUSED);
        assert_string_equal(err.name, "key-algorithm");
        assert_non_null(strstr(err.text, names[i]));
        assert_non_null(strstr(err.text, "needs OpenSSL 3.5"));
        assert_non_null(strstr(err.text, OpenSSL_version(OPENSSL_VERSION_STRING)));
        assert_int_equal(ca_sig_alg_by_name(names[i], &sig, &err), CA_REFUSED);
        assert_string_equal(err.name, "signing-algorithm");
        assert_non_null(strstr(err.text, "needs OpenSSL 3.5"));
    }
}

static void numbers_that_no_row_of_ours_has_are_answered_with_nothing(void **state)
{
    static const int numbers[] = { 0, CA_SIG_ALG_COUNT, 1000, -1 };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        enum ca_key_alg key = (enum ca_key_alg)numbers[i];
        enum ca_sig_alg sig = (enum ca_sig_alg)numbers[i];

        assert_null(ca_key_alg_name(key));
        assert_int_equal(ca_key_alg_kind(key), CA_KEY_KIND_NONE);
        assert_int_equal(ca_key_alg_bits(key), 0);
        assert_int_equal(ca_sig_alg_default(key), CA_SIG_ALG_NONE);
        assert_null(ca_sig_alg_name(sig));
        assert_int_equal(ca_sig_alg_digest(sig), CA_DIGEST_NONE);
        assert_int_equal(ca_sig_alg_der(sig).len, 0);
        assert_false(ca_sig_alg_fits_kind(sig, CA_KEY_KIND_NONE));
        assert_int_equal(ca_sig_alg_check(CA_SIG_RSA_SHA256, key, NULL), CA_REFUSED);
        assert_int_equal(ca_sig_alg_check(sig, CA_KEY_RSA_2048, NULL), CA_REFUSED);
    }
}

/* RFC 4055 5, RFC 5758 3.2, RFC 8410 3 */
static void signature_algorithms_have_the_der_that_openssl_writes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIGS; i++) {
        X509_ALGOR *algor = X509_ALGOR_new();
        unsigned char *der = NULL;
        struct ca_bytes ours = ca_sig_alg_der(sigs[i].alg);
        int len;

        assert_non_null(algor);
        assert_int_equal(X509_ALGOR_set0(algor, OBJ_nid2obj(sigs[i].nid),
                                         sigs[i].rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL), 1);
        len = i2d_X509_ALGOR(algor, &der);
        assert_int_equal(ours.len, len);
        assert_memory_equal(ours.data, der, ours.len);
        OPENSSL_free(der);
        X509_ALGOR_free(algor);
    }
}

/* RFC 4055 3.1, and RFC 8410 3 for Ed448: as OpenSSL writes them when it signs. */
static void algorithms_of_requests_have_the_der_that_openssl_writes(void **state)
{
    static const char *const digests[] = { "SHA256", "SHA384", "SHA512", NULL };

    (void)state;
    for (size_t i = 0; i < REQUESTS_ONLY; i++) {
        bool rsa = requests_only[i].kind == CA_KEY_KIND_RSA;
        EVP_PKEY *key = rsa ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                            : EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pkey_ctx = NULL;
        X509_REQ *req = X509_REQ_new();
        const X509_ALGOR *algor = NULL;
        struct ca_bytes ours = ca_sig_alg_der(requests_only[i].alg);
        unsigned char *der = NULL;
        int len;

        assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
        assert_int_equal(EVP_DigestSignInit_ex(ctx, &pkey_ctx, digests[i], NULL, NULL, key, NULL),
                         1);
        if (rsa) {
            assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING), 1);
            assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST),
                             1);
        }
        assert_true(X509_REQ_sign_ctx(req, ctx) > 0);
        X509_REQ_get0_signature(req, NULL, &algor);
        len = i2d_X509_ALGOR(algor, &der);
        assert_int_equal(ours.len, len);
        assert_memory_equal(ours.data, der, ours.len);
        OPENSSL_free(der);
        X509_REQ_free(req);
        EVP_MD_CTX_free(ctx);
        EVP_PKEY_free(key);
    }
}

static void signature_oids_lead_back_to_their_algorithm(void **state)
{
    const ASN1_OBJECT *pss = OBJ_nid2obj(NID_rsassaPss);

    (void)state;
    for (size_t i = 0; i < SIGS; i++) {
        const ASN1_OBJECT *oid = OBJ_nid2obj(sigs[i].nid);
        struct ca_bytes octets = ca_bytes_of(OBJ_get0_data(oid), OBJ_length(oid));

        assert_int_equal(ca_sig_alg_by_oid(octets), sigs[i].alg);
        octets.len--;
        assert_int_equal(ca_sig_alg_by_oid(octets), CA_SIG_ALG_NONE);
    }
    assert_int_equal(ca_sig_alg_by_oid(ca_bytes_of(OBJ_get0_data(pss), OBJ_length(pss))),
                     CA_SIG_ALG_NONE);
    assert_int_equal(ca_sig_alg_by_oid(ca_bytes_of(NULL, 0)), CA_SIG_ALG_NONE);
    assert_int_equal(ca_sig_alg_by_oid(ca_bytes_of("\x2b\x65\x71", 3)), CA_SIG_ED448);
}

/* RFC 4055 3.1 leaves hash, mask and salt free; we do not. */
static void pss_is_known_by_parameters_that_agree(void **state)
{
    (void)state;
    for (int hash = CA_DIGEST_NONE; hash <= CA_DIGEST_SHA512; hash++) {
        for (int mgf1 = CA_DIGEST_NONE; mgf1 <= CA_DIGEST_SHA512; mgf1++) {
            for (uint32_t salt = 0; salt < 300; salt++) {
                enum ca_sig_alg alg = ca_sig_alg_by_pss((enum ca_digest_alg)hash,
                                                        (enum ca_digest_alg)mgf1, salt);
                bool ours = hash == mgf1 && ((hash == CA_DIGEST_SHA256 && salt == 32) ||
                                             (hash == CA_DIGEST_SHA384 && salt == 48) ||
                                             (hash == CA_DIGEST_SHA512 && salt == 64));

                assert_int_equal(alg != CA_SIG_ALG_NONE, ours);
                if (ours) assert_int_equal(ca_sig_alg_digest(alg), hash);
            }
        }
    }
}

static void no_ca_is_offered_what_is_of_requests_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < REQUESTS_ONLY; i++) {
        enum ca_sig_alg alg = CA_SIG_ALG_NONE;
        struct ca_error err = { 0 };

        assert_string_equal(ca_sig_alg_name(requests_only[i].alg), requests_only[i].name);
        assert_int_equal(ca_sig_alg_digest(requests_only[i].alg), requests_only[i].digest);
        assert_int_equal(ca_sig_alg_by_name(requests_only[i].name, &alg, &err), CA_REFUSED);
        assert_string_equal(err.name, "signing-algorithm");
        assert_null(strstr(err.text, "MGF1,"));
        assert_null(strstr(err.text, "ED448,"));
        for (int kind = CA_KEY_KIND_NONE; kind < CA_KEY_KIND_COUNT; kind++) {
            assert_int_equal(ca_sig_alg_fits_kind(requests_only[i].alg, (enum ca_key_kind)kind),
                             kind == (int)requests_only[i].kind);
        }
        for (size_t k = 0; k < KEYS; k++) {
            assert_int_equal(ca_sig_alg_check(requests_only[i].alg, keys[k].alg, &err),
                             CA_REFUSED);
            assert_non_null(strstr(err.text, requests_only[i].name));
            assert_null(strstr(strstr(err.text, "valid are"), "MGF1"));
        }
    }
}

static void signing_algorithms_go_by_name_and_know_their_digest(void **state)
{
    struct ca_error err = { 0 };
    enum ca_sig_alg alg = CA_SIG_ALG_NONE;

    (void)state;
    for (size_t i = 0; i < SIGS; i++) {
        assert_string_equal(ca_sig_alg_name(sigs[i].alg), sigs[i].name);
        assert_int_equal(ca_sig_alg_by_name(sigs[i].name, &alg, NULL), CA_OK);
        assert_int_equal(alg, sigs[i].alg);
        assert_int_equal(ca_sig_alg_digest(alg), sigs[i].digest);
    }
    alg = CA_SIG_ALG_NONE;
    assert_int_equal(ca_sig_alg_by_name("SHA1WITHRSA", &alg, &err), CA_REFUSED);
    assert_string_equal(err.name, "signing-algorithm");
    for (size_t i = 0; i < SIGS; i++) assert_non_null(strstr(err.text, sigs[i].name));
    assert_int_equal(alg, CA_SIG_ALG_NONE);
}

/* spec 2.4: any pairing within a family */
static void a_key_signs_with_every_algorithm_of_its_family_and_no_other(void **state)
{
    (void)state;
    for (size_t k = 0; k < KEYS; k++) {
        for (size_t s = 0; s < SIGS; s++) {
            bool fits = sigs[s].rsa == (keys[k].kind == CA_KEY_KIND_RSA) &&
                        (sigs[s].alg == CA_SIG_ED25519) == (keys[k].kind == CA_KEY_KIND_ED25519);

            assert_int_equal(ca_sig_alg_fits_kind(sigs[s].alg, keys[k].kind), fits);
            assert_int_equal(ca_sig_alg_check(sigs[s].alg, keys[k].alg, NULL),
                             fits ? CA_OK : CA_REFUSED);
        }
        assert_true(ca_sig_alg_fits_kind(keys[k].sig_default, keys[k].kind));
    }
}

static void the_wrong_family_is_refused_with_both_names_and_the_valid_ones(void **state)
{
    struct ca_error err = { 0 };

    (void)state;
    assert_int_equal(ca_sig_alg_check(CA_SIG_ECDSA_SHA384, CA_KEY_RSA_2048, &err), CA_REFUSED);
    assert_string_equal(err.name, "signing-algorithm");
    assert_non_null(strstr(err.text, "SHA384WITHECDSA"));
    assert_non_null(strstr(err.text, "RSA_2048"));
    assert_non_null(strstr(err.text, "SHA256WITHRSA, SHA384WITHRSA, SHA512WITHRSA"));
}

static void digest_lengths_are_those_of_fips_180(void **state)
{
    (void)state;
    assert_int_equal(ca_digest_len(CA_DIGEST_NONE), 0);
    assert_int_equal(ca_digest_len(CA_DIGEST_SHA1), 20);
    assert_int_equal(ca_digest_len(CA_DIGEST_SHA256), 32);
    assert_int_equal(ca_digest_len(CA_DIGEST_SHA384), 48);
    assert_int_equal(ca_digest_len(CA_DIGEST_SHA512), CA_DIGEST_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_algorithm_has_its_official_name_and_properties),
        cmocka_unit_test(a_kind_of_key_has_the_name_of_its_algorithm_without_a_size),
        cmocka_unit_test(the_guides_aliases_of_curves_are_read_and_never_shown),
        cmocka_unit_test(an_unknown_key_algorithm_is_refused_with_the_list_of_valid_ones),
        cmocka_unit_test(ml_dsa_is_refused_with_the_version_that_it_needs_and_the_one_in_use),
        cmocka_unit_test(numbers_that_no_row_of_ours_has_are_answered_with_nothing),
        cmocka_unit_test(signature_algorithms_have_the_der_that_openssl_writes),
        cmocka_unit_test(algorithms_of_requests_have_the_der_that_openssl_writes),
        cmocka_unit_test(signature_oids_lead_back_to_their_algorithm),
        cmocka_unit_test(pss_is_known_by_parameters_that_agree),
        cmocka_unit_test(no_ca_is_offered_what_is_of_requests_only),
        cmocka_unit_test(signing_algorithms_go_by_name_and_know_their_digest),
        cmocka_unit_test(a_key_signs_with_every_algorithm_of_its_family_and_no_other),
        cmocka_unit_test(the_wrong_family_is_refused_with_both_names_and_the_valid_ones),
        cmocka_unit_test(digest_lengths_are_those_of_fips_180),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
