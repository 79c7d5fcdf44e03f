/* engine/prove: the request's key vouches for the request, and no other key does, least of all the
 * one that was in the prover before. Keys and signatures are made by OpenSSL directly. */
#include "engine/prove.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <setjmp.h>
#include <cmocka.h>

#define EACH 4          /* key pairs of every kind */
#define SPKI_MAX 600

enum { OF_RSA, OF_PSS, OF_P256, OF_P384, OF_P521, OF_ED25519, OF_ED448, KINDS };

static const struct {
    enum ca_key_kind kind;
    const char *type, *group, *digest;
    enum ca_sig_alg alg;
} kinds[] = {
    [OF_RSA] = { CA_KEY_KIND_RSA, "RSA", NULL, "SHA256", CA_SIG_RSA_SHA256 },
    [OF_PSS] = { CA_KEY_KIND_RSA, "RSA", NULL, "SHA384", CA_SIG_RSA_PSS_SHA384 },
    [OF_P256] = { CA_KEY_KIND_P256, "EC", "P-256", "SHA256", CA_SIG_ECDSA_SHA256 },
    [OF_P384] = { CA_KEY_KIND_P384, "EC", "P-384", "SHA384", CA_SIG_ECDSA_SHA384 },
    [OF_P521] = { CA_KEY_KIND_P521, "EC", "P-521", "SHA512", CA_SIG_ECDSA_SHA512 },
    [OF_ED25519] = { CA_KEY_KIND_ED25519, "ED25519", NULL, NULL, CA_SIG_ED25519 },
    [OF_ED448] = { CA_KEY_KIND_ED448, "ED448", NULL, NULL, CA_SIG_ED448 },
};

/* One claimant: a key pair, what it signed, and the request as the parser would hand it over. */
struct claimant {
    EVP_PKEY *pkey;
    uint8_t spki[SPKI_MAX], message[40], signature[CA_SIGNATURE_MAX];
    struct ca_request request;
};

struct fixture {
    struct ca_crypto *crypto;
    struct ca_prover *prover;
    struct claimant claimants[KINDS][EACH];
};

static struct fixture fixture;

/* Fails the allocation of OpenSSL's that is counted down to; 0 leaves it alone. */
static size_t fail_in;

static bool fails_now(void)
{
    return fail_in > 0 && --fail_in == 0;
}

static void *counted_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : malloc(len);
}

static void *counted_realloc(void *at, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : realloc(at, len);
}

static void plain_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    free(at);
}

static EVP_PKEY *generate(size_t kind)
{
    if (kinds[kind].group != NULL) return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kinds[kind].group);
    if (kinds[kind].kind == CA_KEY_KIND_RSA) {
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    }
    return EVP_PKEY_Q_keygen(NULL, NULL, kinds[kind].type);
}

static bool is_pss(enum ca_sig_alg alg)
{
    return alg == CA_SIG_RSA_PSS_SHA256 || alg == CA_SIG_RSA_PSS_SHA384 ||
           alg == CA_SIG_RSA_PSS_SHA512;
}

/* PSS with any parameters: the mask's digest and the salt's length. NULL: PKCS #1 v1.5. */
struct pss {
    const char *mgf1_digest;
    int salt_len;
};

/* signer's signature over message, into room of CA_SIGNATURE_MAX */
static struct ca_bytes sign_with(EVP_PKEY *signer, const char *digest, const struct pss *pss,
                                 struct ca_bytes message, uint8_t *room)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL;
    size_t len = CA_SIGNATURE_MAX;

    assert_int_equal(EVP_DigestSignInit_ex(ctx, &pkey_ctx, digest, NULL, NULL, signer, NULL), 1);
    if (pss != NULL) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md_name(pkey_ctx, pss->mgf1_digest, NULL), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, pss->salt_len), 1);
    }
    assert_int_equal(EVP_DigestSign(ctx, room, &len, message.data, message.len), 1);
    EVP_MD_CTX_free(ctx);
    return ca_bytes_of(room, len);
}

static struct ca_bytes sign(EVP_PKEY *signer, enum ca_sig_alg alg, struct ca_bytes message,
                            uint8_t *room)
{
    static const char *const digests[] = { [CA_DIGEST_SHA256] = "SHA256",
                                           [CA_DIGEST_SHA384] = "SHA384",
                                           [CA_DIGEST_SHA512] = "SHA512" };
    const char *digest = digests[ca_sig_alg_digest(alg)];
    const struct pss pss = { digest, RSA_PSS_SALTLEN_DIGEST };

    return sign_with(signer, digest, is_pss(alg) ? &pss : NULL, message, room);
}

static void make_claimant(size_t kind, size_t number, struct claimant *c)
{
    uint8_t *at = c->spki;
    int len;

    c->pkey = generate(kind);
    assert_non_null(c->pkey);
    len = i2d_PUBKEY(c->pkey, &at);
    assert_true(len > 0 && len <= SPKI_MAX);
    assert_int_equal(ca_spki_parse(ca_bytes_of(c->spki, (size_t)len), &c->request.key, NULL),
                     CA_OK);
    memset(c->message, (int)(1 + number), sizeof(c->message));
    c->message[0] = (uint8_t)kind;
    c->request.info = ca_bytes_of(c->message, sizeof(c->message));
    c->request.sig_alg = kinds[kind].alg;
    c->request.signature = sign(c->pkey, kinds[kind].alg, c->request.info, c->signature);
}

static int set_up(void **state)
{
    struct fixture *f = &fixture;

    if (ca_crypto_new(&f->crypto, NULL) != CA_OK) return -1;
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < EACH; i++) make_claimant(k, i, &f->claimants[k][i]);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < EACH; i++) EVP_PKEY_free(f->claimants[k][i].pkey);
    }
    ca_crypto_free(f->crypto);
    return 0;
}

static int new_prover(void **state)
{
    struct fixture *f = *state;

    return ca_prover_new(f->crypto, &f->prover, NULL) == CA_OK ? 0 : -1;
}

static int free_prover(void **state)
{
    struct fixture *f = *state;

    ca_prover_free(f->prover);
    f->prover = NULL;
    return 0;
}

static bool proves(struct fixture *f, const struct ca_request *request)
{
    bool proved = false;

    assert_int_equal(ca_prover_check(f->prover, &request, 1, &proved, NULL), CA_OK);
    assert_int_equal(ERR_peek_error(), 0);
    return proved;
}

static void requests_signed_with_their_own_key_are_proved(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        const struct ca_request *requests[3 * EACH];
        bool proved[3 * EACH] = { false };

        for (size_t i = 0; i < 3 * EACH; i++) requests[i] = &f->claimants[k][i % EACH].request;
        assert_int_equal(ca_prover_check(f->prover, requests, 3 * EACH, proved, NULL), CA_OK);
        for (size_t i = 0; i < 3 * EACH; i++) assert_true(proved[i]);
    }
}

static void no_requests_at_all_are_no_error(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ca_prover_check(f->prover, NULL, 0, NULL, NULL), CA_OK);
}

/* A request for b's key, signed with a's: once over its own octets, once as a's signed octets. */
static void make_theft(struct fixture *f, size_t kind, bool replay, struct ca_request *out,
                       uint8_t *room)
{
    struct claimant *a = &f->claimants[kind][0], *b = &f->claimants[kind][1];

    *out = b->request;
    if (replay) {
        out->info = a->request.info;
        out->signature = a->request.signature;
    } else {
        out->signature = sign(a->pkey, kinds[kind].alg, b->request.info, room);
    }
}

/* The forgery that a key object kept from one request to the next would let through. */
static void a_request_signed_by_the_previous_key_is_refused_in_one_call(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        for (int replay = 0; replay < 2; replay++) {
            struct ca_request theft;
            uint8_t room[CA_SIGNATURE_MAX];
            const struct ca_request *a = &f->claimants[k][0].request;
            const struct ca_request *b = &f->claimants[k][1].request;
            const struct ca_request *requests[] = { a, &theft, b, a, &theft, &theft, a };
            bool proved[7];

            make_theft(f, k, replay != 0, &theft, room);
            assert_int_equal(ca_prover_check(f->prover, requests, 7, proved, NULL), CA_OK);
            for (size_t i = 0; i < 7; i++) assert_int_equal(proved[i], requests[i] != &theft);
        }
    }
}

static void a_request_signed_by_the_previous_key_is_refused_in_the_next_call(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        for (int replay = 0; replay < 2; replay++) {
            struct ca_request theft;
            uint8_t room[CA_SIGNATURE_MAX];

            make_theft(f, k, replay != 0, &theft, room);
            assert_true(proves(f, &f->claimants[k][0].request));
            assert_false(proves(f, &theft));
            assert_true(proves(f, &f->claimants[k][1].request));
            assert_true(proves(f, &f->claimants[k][0].request));
            assert_false(proves(f, &theft));
        }
    }
}

/* ... and with keys of every other kind in between, each of which has an object of its own. */
static void a_request_signed_by_an_earlier_key_is_refused_across_other_kinds(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        struct ca_request theft;
        uint8_t room[CA_SIGNATURE_MAX];

        make_theft(f, k, false, &theft, room);
        assert_true(proves(f, &f->claimants[k][0].request));
        for (size_t other = 0; other < KINDS; other++) {
            if (other != k) assert_true(proves(f, &f->claimants[other][2].request));
        }
        assert_false(proves(f, &theft));
    }
}

/* Points that are none, made from b's: each a key that must not verify, and must not leave anything
 * behind that does. */
enum bad_point { OFF_CURVE, PAST_FIELD, ALL_ZERO, INFINITE, COMPRESSED, HYBRID, SHORT, LONG, EMPTY,
                 BAD_POINTS };

static struct ca_bytes make_bad_point(enum bad_point what, struct ca_bytes good, uint8_t room[200])
{
    size_t len = good.len;

    memset(room, 0, 200);
    memcpy(room, good.data, good.len);
    switch (what) {
    case OFF_CURVE: room[len - 1] ^= 1; break;
    case PAST_FIELD: memset(room + 1, 0xff, len - 1); break;
    case ALL_ZERO: memset(room + 1, 0, len - 1); break;
    case INFINITE: room[0] = 0; len = 1; break;
    case COMPRESSED: room[0] = (uint8_t)(2 + (good.data[len - 1] & 1)); len = 1 + len / 2; break;
    case HYBRID: room[0] = (uint8_t)(6 + (good.data[len - 1] & 1)); break;
    case SHORT: len--; break;
    case LONG: len++; break;
    case EMPTY: len = 0; break;
    case BAD_POINTS: break;
    }
    return ca_bytes_of(room, len);
}

static void what_is_no_point_proves_nothing_and_leaves_no_key_behind(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        if (kinds[k].group == NULL) continue;
        for (int what = 0; what < BAD_POINTS; what++) {
            struct ca_request bad = f->claimants[k][1].request, theft, own;
            uint8_t point[200], room[CA_SIGNATURE_MAX];
            const struct ca_request *a = &f->claimants[k][0].request;
            const struct ca_request *b = &f->claimants[k][1].request;
            const struct ca_request *requests[] = { a, &bad, &theft, &own, &bad, &bad, b, a,
                                                    &theft };
            static const bool expected[] = { true, false, false, false, false, false, true, true,
                                             false };
            bool proved[9];

            bad.key.key = make_bad_point((enum bad_point)what, b->key.key, point);
            bad.signature = a->signature;       /* the previous key's, over the previous octets */
            bad.info = a->info;
            make_theft(f, k, false, &theft, room);
            own = bad;                          /* no point, with b's good signature */
            own.signature = b->signature;
            own.info = b->info;
            assert_int_equal(ca_prover_check(f->prover, requests, 9, proved, NULL), CA_OK);
            for (size_t i = 0; i < 9; i++) assert_int_equal(proved[i], expected[i]);
            assert_int_equal(ERR_peek_error(), 0);
        }
    }
}

/* The first thing that a new prover sees may be a bad one. */
static void a_new_prover_survives_a_point_off_the_curve(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        struct ca_request bad = f->claimants[k][0].request;
        uint8_t point[200];

        if (kinds[k].group == NULL) continue;
        bad.key.key = make_bad_point(OFF_CURVE, bad.key.key, point);
        assert_false(proves(f, &bad));
        assert_true(proves(f, &f->claimants[k][0].request));
    }
}

static void any_changed_bit_of_message_or_signature_is_refused(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        struct claimant *c = &f->claimants[k][0];

        for (size_t i = 0; i < c->request.signature.len; i += 3) {
            c->signature[i] ^= (uint8_t)(1u << (i % 8));
            assert_false(proves(f, &c->request));
            c->signature[i] ^= (uint8_t)(1u << (i % 8));
        }
        for (size_t i = 0; i < sizeof(c->message); i += 7) {
            c->message[i] ^= 0x80;
            assert_false(proves(f, &c->request));
            c->message[i] ^= 0x80;
        }
        assert_true(proves(f, &c->request));
    }
}

/* Signatures that OpenSSL answers with a negative number rather than 0: still a verdict. */
static void what_is_no_signature_at_all_is_a_verdict_and_not_an_error(void **state)
{
    static const uint8_t zeros[] = { 0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00 };
    static const uint8_t ones[] = { 0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01 };
    static const uint8_t negative[] = { 0x30, 0x06, 0x02, 0x01, 0xff, 0x02, 0x01, 0xff };
    static const uint8_t indefinite[] = { 0x30, 0x80, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0, 0 };
    uint8_t noise[256];
    const struct ca_bytes bad[] = {
        ca_bytes_of(NULL, 0), ca_bytes_of(noise, 1), ca_bytes_of(noise, 64),
        ca_bytes_of(noise, 256), ca_bytes_of(zeros, sizeof(zeros)), ca_bytes_of(ones, sizeof(ones)),
        ca_bytes_of(negative, sizeof(negative)), ca_bytes_of(indefinite, sizeof(indefinite)),
    };
    struct fixture *f = *state;

    memset(noise, 0xa5, sizeof(noise));
    for (size_t k = 0; k < KINDS; k++) {
        struct ca_request request = f->claimants[k][0].request;

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
            request.signature = bad[i];
            assert_false(proves(f, &request));
        }
        assert_true(proves(f, &f->claimants[k][0].request));
    }
}

static void octets_after_a_good_signature_make_it_bad(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        struct ca_request request = f->claimants[k][0].request;
        uint8_t longer[CA_SIGNATURE_MAX + 1] = { 0 };

        memcpy(longer, request.signature.data, request.signature.len);
        request.signature = ca_bytes_of(longer, request.signature.len + 1);
        assert_false(proves(f, &request));
    }
}

static void a_good_signature_under_another_algorithms_name_is_refused(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        for (int alg = CA_SIG_ALG_NONE; alg < CA_SIG_ALG_COUNT; alg++) {
            struct ca_request request = f->claimants[k][0].request;

            request.sig_alg = (enum ca_sig_alg)alg;
            assert_int_equal(proves(f, &request), alg == (int)kinds[k].alg);
        }
    }
}

/* Every digest of the family works with every key of it (a request chooses its own). */
static void every_digest_of_a_family_is_verified(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        for (int n = CA_SIG_ALG_NONE + 1; n < CA_SIG_ALG_COUNT; n++) {
            enum ca_sig_alg alg = (enum ca_sig_alg)n;
            struct claimant *c = &f->claimants[k][0];
            uint8_t room[CA_SIGNATURE_MAX];
            struct ca_bytes signature;
            bool good = false;

            if (!ca_sig_alg_fits_kind(alg, kinds[k].kind)) continue;
            signature = sign(c->pkey, alg, c->request.info, room);
            assert_int_equal(ca_prover_verify(f->prover, &c->request.key, alg,
                                              c->request.info, signature, &good, NULL), CA_OK);
            assert_true(good);
        }
    }
}

/* With e = 1 the padded digest is its own signature: no private key was needed for this one. */
static void an_rsa_key_with_a_trivial_or_even_exponent_proves_nothing(void **state)
{
    static const uint8_t one[] = { 1 }, two[] = { 2 }, even[] = { 1, 0, 0 }, zero[] = { 0 };
    static const uint8_t sha256_prefix[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,
                                             0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
                                             0x20 };
    struct fixture *f = *state;
    struct ca_request request = f->claimants[OF_RSA][0].request;
    uint8_t padded[256];

    memset(padded, 0xff, sizeof(padded));
    padded[0] = 0;
    padded[1] = 1;
    padded[256 - 32 - 19 - 1] = 0;
    memcpy(padded + 256 - 32 - 19, sha256_prefix, 19);
    assert_int_equal(EVP_Digest(request.info.data, request.info.len, padded + 256 - 32, NULL,
                                EVP_sha256(), NULL), 1);
    request.signature = ca_bytes_of(padded, sizeof(padded));
    request.key.rsa_e = ca_bytes_of(one, 1);
    assert_false(proves(f, &request));
    request.key.rsa_e = ca_bytes_of(two, 1);
    assert_false(proves(f, &request));
    request.key.rsa_e = ca_bytes_of(even, 3);
    assert_false(proves(f, &request));
    request.key.rsa_e = ca_bytes_of(zero, 1);
    assert_false(proves(f, &request));
    request.key.rsa_e = ca_bytes_of(NULL, 0);
    assert_false(proves(f, &request));
    assert_true(proves(f, &f->claimants[OF_RSA][0].request));
}

/* Nothing that a stranger sends may look like a fault of OpenSSL's, which would stop the run: keys
 * too small for the padding, and octets that are no point. */
static void odd_keys_are_a_verdict_and_not_an_error(void **state)
{
    struct fixture *f = *state;
    uint8_t octets[1024], signature[1024] = { 0 };
    struct ca_request request = f->claimants[OF_RSA][0].request;

    memset(octets, 0xff, sizeof(octets));
    for (size_t len = 1; len <= 128; len++) {
        for (int alg = CA_SIG_ALG_NONE; alg < CA_SIG_ALG_COUNT; alg++) {
            request.sig_alg = (enum ca_sig_alg)alg;
            request.key.rsa_n = ca_bytes_of(octets, len);
            request.signature = ca_bytes_of(signature, len);
            assert_false(proves(f, &request));
        }
    }
    for (size_t k = OF_ED25519; k <= OF_ED448; k++) {
        request = f->claimants[k][0].request;
        for (unsigned i = 0; i < 300; i++) {
            for (size_t at = 0; at < 57; at++) octets[at] = (uint8_t)(i * 31 + at * at * (i + 7));
            request.key.key.data = octets;
            assert_false(proves(f, &request));
        }
    }
}

static void an_rsa_modulus_out_of_bounds_proves_nothing(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = f->claimants[OF_RSA][0].request;
    uint8_t *large = malloc(3000);

    assert_non_null(large);
    memset(large, 0xff, 3000);
    request.key.rsa_n = ca_bytes_of(large, 2049);
    assert_false(proves(f, &request));
    request.key.rsa_n = ca_bytes_of(large, 3000);
    assert_false(proves(f, &request));
    request.key.rsa_n = ca_bytes_of(NULL, 0);
    assert_false(proves(f, &request));
    request = f->claimants[OF_RSA][0].request;
    request.key.rsa_e = ca_bytes_of(large, 3000);
    assert_false(proves(f, &request));
    free(large);
}

/* Under the neutral element 01 00..00 the signature (R = that, S = 0) fits every message; the other
 * points whose order divides 8 fit a message in a few. RFC 8032 does not ask to look. */
static void an_ed25519_point_of_small_order_proves_nothing(void **state)
{
    static const char *const points[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    static const uint8_t neutral_signature[64] = { 1 };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        struct ca_request request = f->claimants[OF_ED25519][0].request;
        uint8_t point[32], message[2];
        size_t len = 0;

        assert_int_equal(ca_hex_decode(points[i], point, 32, &len, NULL), CA_OK);
        request.key.key = ca_bytes_of(point, 32);
        request.signature = ca_bytes_of(neutral_signature, 64);
        request.info = ca_bytes_of(message, 2);
        for (int n = 0; n < 64; n++) {      /* chances to meet one that fits: 1 - (7/8)^64 */
            message[0] = (uint8_t)n;
            message[1] = (uint8_t)i;
            assert_false(proves(f, &request));
        }
    }
}

/* Ed448 likewise, with points whose order divides 4; test_spki has them all. Under y = 0 one of the
 * four as R, with S = 0, fits any message for OpenSSL. */
static void an_ed448_point_of_small_order_proves_nothing(void **state)
{
    uint8_t points[4][57] = { { 0 }, { 0 }, { 1 }, { 0 } };     /* y = 0 twice, 1, -1 */
    struct fixture *f = *state;

    points[1][56] = 0x80;
    memset(points[3], 0xff, 56);
    points[3][0] = points[3][28] = 0xfe;
    for (size_t key = 0; key < 4; key++) {
        for (size_t r = 0; r < 4; r++) {
            struct ca_request request = f->claimants[OF_ED448][0].request;
            uint8_t signature[114] = { 0 }, message;

            memcpy(signature, points[r], 57);
            request.key.key = ca_bytes_of(points[key], 57);
            request.signature = ca_bytes_of(signature, sizeof(signature));
            request.info = ca_bytes_of(&message, 1);
            for (message = 0; message < 32; message++) assert_false(proves(f, &request));
        }
    }
}

/* Each of these verifies for OpenSSL when it is told so, or reads the salt out of the signature. */
static void pss_of_other_parameters_proves_nothing(void **state)
{
    static const struct {
        const char *digest;
        struct pss pss;
    } others[] = {
        { "SHA256", { "SHA256", 0 } },  { "SHA256", { "SHA256", 20 } },
        { "SHA256", { "SHA256", 31 } }, { "SHA256", { "SHA256", 33 } },
        { "SHA256", { "SHA256", RSA_PSS_SALTLEN_MAX } }, { "SHA256", { "SHA1", 32 } },
        { "SHA256", { "SHA384", 32 } }, { "SHA256", { "SHA512", 32 } },
        { "SHA384", { "SHA384", 32 } }, { "SHA384", { "SHA256", 32 } },
        { "SHA512", { "SHA512", 32 } }, { "SHA512", { "SHA256", 64 } },
    };
    static const struct pss ours = { "SHA256", 32 };
    struct fixture *f = *state;
    struct claimant *c = &f->claimants[OF_PSS][0];

    for (int n = CA_SIG_RSA_SHA256; n < CA_SIG_ALG_COUNT; n++) {
        struct ca_request request = c->request;
        uint8_t room[CA_SIGNATURE_MAX];

        request.sig_alg = (enum ca_sig_alg)n;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
            request.signature = sign_with(c->pkey, others[i].digest, &others[i].pss, request.info,
                                          room);
            assert_false(proves(f, &request));
        }
        request.signature = sign_with(c->pkey, "SHA256", &ours, request.info, room);
        assert_int_equal(proves(f, &request), n == CA_SIG_RSA_PSS_SHA256);
        request.signature = sign_with(c->pkey, "SHA256", NULL, request.info, room);
        assert_int_equal(proves(f, &request), n == CA_SIG_RSA_SHA256);
    }
}

static void an_ed25519_key_of_another_length_proves_nothing(void **state)
{
    struct fixture *f = *state;
    struct ca_request request = f->claimants[OF_ED25519][0].request;
    uint8_t longer[33] = { 0 };

    memcpy(longer, request.key.key.data, 32);
    request.key.key.len = 31;
    assert_false(proves(f, &request));
    request.key.key = ca_bytes_of(longer, 33);
    assert_false(proves(f, &request));
}

/* Each allocation of one verification fails in turn. The answer is the truth or a lack of memory,
 * never a verdict that a lack of memory made; and afterwards the prover still tells keys apart. */
static void a_lack_of_memory_is_never_taken_for_a_verdict(void **state)
{
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        const struct ca_request *good = &f->claimants[k][1].request;
        struct ca_request theft;
        uint8_t room[CA_SIGNATURE_MAX];
        size_t failures = 0;

        make_theft(f, k, false, &theft, room);
        for (size_t n = 1; n < 1000; n++) {
            struct ca_error err = { 0 };
            bool proved = false;
            bool done;
            enum ca_status st;

            assert_true(proves(f, &f->claimants[k][0].request));
            fail_in = n;
            st = ca_prover_check(f->prover, &good, 1, &proved, &err);
            done = fail_in != 0;        /* it needed fewer than n */
            fail_in = 0;
            assert_int_equal(ERR_peek_error(), 0);
            if (st == CA_OK) assert_true(proved);
            else assert_true(st == CA_NOMEM || st == CA_CRYPTO);
            if (st != CA_OK) failures++;
            assert_false(proves(f, &theft));
            if (done) break;
        }
        assert_true(failures > 0);
    }
}

static enum ca_reason reason_of(struct fixture *f, const struct ca_request *request)
{
    struct ca_error err = { .status = CA_OK };
    enum ca_status st = ca_prover_refuse(f->prover, request, &err);

    assert_int_equal(st, err.status);
    assert_true(st == CA_REFUSED || st == CA_MALFORMED);
    assert_true(strlen(err.text) > 0);
    assert_int_equal(ERR_peek_error(), 0);
    return (enum ca_reason)err.reason;
}

static void a_refusal_says_whether_the_key_or_the_signature_is_bad(void **state)
{
    static const uint8_t one[] = { 1 }, even[] = { 1, 0, 0 };
    struct fixture *f = *state;

    for (size_t k = 0; k < KINDS; k++) {
        struct ca_request bad = f->claimants[k][1].request;
        uint8_t point[200] = { 0 };

        bad.signature = f->claimants[k][0].request.signature;
        assert_false(proves(f, &bad));
        assert_int_equal(reason_of(f, &bad), CA_REASON_BAD_SIGNATURE);
        if (kinds[k].kind == CA_KEY_KIND_RSA) {
            bad.key.rsa_e = ca_bytes_of(one, 1);
            assert_int_equal(reason_of(f, &bad), CA_REASON_BAD_KEY);
            bad.key.rsa_e = ca_bytes_of(even, 3);
            assert_int_equal(reason_of(f, &bad), CA_REASON_BAD_KEY);
        } else if (kinds[k].group == NULL) {
            bad.key.key = ca_bytes_of(point, bad.key.key.len);      /* y = 0 */
            assert_int_equal(reason_of(f, &bad), CA_REASON_BAD_POINT);
        } else {
            for (int what = 0; what < BAD_POINTS; what++) {
                bad.key.key = make_bad_point((enum bad_point)what,
                                             f->claimants[k][1].request.key.key, point);
                assert_int_equal(reason_of(f, &bad), CA_REASON_BAD_POINT);
            }
        }
        assert_true(proves(f, &f->claimants[k][1].request));
    }
}

/* As below: a good point is never called bad because memory was short. */
static void a_lack_of_memory_is_never_taken_for_a_reason(void **state)
{
    struct fixture *f = *state;
    size_t failures = 0;

    for (size_t k = OF_P256; k <= OF_P521; k++) {
        const struct ca_request *good = &f->claimants[k][1].request;

        for (size_t n = 1; n < 1000; n++) {
            struct ca_error err = { 0 };
            enum ca_status st;
            bool done;

            ca_prover_free(f->prover);          /* so that the curve's key is made again */
            assert_int_equal(ca_prover_new(f->crypto, &f->prover, NULL), CA_OK);
            fail_in = n;
            st = ca_prover_refuse(f->prover, good, &err);
            done = fail_in != 0;
            fail_in = 0;
            assert_int_equal(ERR_peek_error(), 0);
            if (st == CA_REFUSED) assert_int_equal(err.reason, CA_REASON_BAD_SIGNATURE);
            else assert_true(st == CA_NOMEM || st == CA_CRYPTO);
            if (st != CA_REFUSED) failures++;
            assert_true(proves(f, good));
            if (done) break;
        }
    }
    assert_true(failures > 0);
}

/* CPU time of this thread in microseconds. */
static int64_t cpu_us(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Odd numbers of all ones are as dear as any; what OpenSSL is not asked to try costs nothing. */
static void a_key_that_would_cost_much_is_not_tried(void **state)
{
    static const struct {
        size_t n_octets, e_octets;
        enum ca_reason reason;
    } keys[] = {
        { 256, 3, CA_REASON_BAD_SIGNATURE },    { 256, 8, CA_REASON_BAD_SIGNATURE },
        { 256, 32, CA_REASON_BAD_SIGNATURE },   { 256, 33, CA_REASON_BAD_KEY },
        { 256, 256, CA_REASON_BAD_KEY },        { 384, 32, CA_REASON_BAD_SIGNATURE },
        { 385, 8, CA_REASON_BAD_SIGNATURE },    { 385, 9, CA_REASON_BAD_KEY },
        { 512, 8, CA_REASON_BAD_SIGNATURE },    { 512, 32, CA_REASON_BAD_KEY },
        { 1024, 3, CA_REASON_BAD_SIGNATURE },   { 1024, 8, CA_REASON_BAD_SIGNATURE },
        { 1024, 32, CA_REASON_BAD_KEY },        { 1025, 3, CA_REASON_BAD_KEY },
        { 2048, 3, CA_REASON_BAD_KEY },
    };
    struct fixture *f = *state;
    struct ca_request request = f->claimants[OF_RSA][0].request;
    uint8_t ones[2048];

    memset(ones, 0xff, sizeof(ones));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        uint8_t signature[2048] = { 0 };
        int64_t before = cpu_us(), used;

        signature[keys[i].n_octets - 1] = 0xaa;
        request.key.rsa_n = ca_bytes_of(ones, keys[i].n_octets);
        request.key.rsa_e = ca_bytes_of(ones, keys[i].e_octets);
        request.signature = ca_bytes_of(signature, keys[i].n_octets);
        assert_false(proves(f, &request));
        used = cpu_us() - before;
        assert_int_equal(reason_of(f, &request), keys[i].reason);
        print_message("n %zu bits, e %zu bits: %lld us\n", keys[i].n_octets * 8,
                      keys[i].e_octets * 8, (long long)used);
        assert_true(used < 100000);         /* ten times what it may be, for a busy machine */
    }
}

int main(void)
{
#define WITH_PROVER(test) cmocka_unit_test_setup_teardown(test, new_prover, free_prover)
    const struct CMUnitTest tests[] = {
        WITH_PROVER(requests_signed_with_their_own_key_are_proved),
        WITH_PROVER(no_requests_at_all_are_no_error),
        WITH_PROVER(a_request_signed_by_the_previous_key_is_refused_in_one_call),
        WITH_PROVER(a_request_signed_by_the_previous_key_is_refused_in_the_next_call),
        WITH_PROVER(a_request_signed_by_an_earlier_key_is_refused_across_other_kinds),
        WITH_PROVER(what_is_no_point_proves_nothing_and_leaves_no_key_behind),
        WITH_PROVER(a_new_prover_survives_a_point_off_the_curve),
        WITH_PROVER(any_changed_bit_of_message_or_signature_is_refused),
        WITH_PROVER(what_is_no_signature_at_all_is_a_verdict_and_not_an_error),
        WITH_PROVER(octets_after_a_good_signature_make_it_bad),
        WITH_PROVER(a_good_signature_under_another_algorithms_name_is_refused),
        WITH_PROVER(every_digest_of_a_family_is_verified),
        WITH_PROVER(an_rsa_key_with_a_trivial_or_even_exponent_proves_nothing),
        WITH_PROVER(odd_keys_are_a_verdict_and_not_an_error),
        WITH_PROVER(an_rsa_modulus_out_of_bounds_proves_nothing),
        WITH_PROVER(an_ed25519_point_of_small_order_proves_nothing),
        WITH_PROVER(an_ed448_point_of_small_order_proves_nothing),
        WITH_PROVER(pss_of_other_parameters_proves_nothing),
        WITH_PROVER(an_ed25519_key_of_another_length_proves_nothing),
        WITH_PROVER(a_refusal_says_whether_the_key_or_the_signature_is_bad),
        WITH_PROVER(a_lack_of_memory_is_never_taken_for_a_reason),
        WITH_PROVER(a_key_that_would_cost_much_is_not_tried),
        WITH_PROVER(a_lack_of_memory_is_never_taken_for_a_verdict),
    };

    if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, plain_free) != 1) return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
