/*
 * Signatures of requests, their algorithms and parameters, and the keys they must fit. One part
 * at a time is exchanged in a request made by hand.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/request_judge.h"

#include <stdio.h>
#include <string.h>

#define KEY_ED25519 "302a300506032b6570032100" HEX32
#define KEY_ED448                                                                                  \
    "3043300506032b6571033a00" HEX32 "0123456789abcdef0123456789abcdef0123456789abcdef80"
#define KEY_RSA512                                                                                 \
    "305c300d06092a864886f70d0101010500034b003048024100" "f123456789abcdef"                        \
    "0123456789abcdef0123456789abcdef0123456789abcdef" HEX32 "0203010001"
#define ALG_ED25519 "300506032b6570"
#define ALG_ED448 "300506032b6571"
#define ALG_RSA "300d06092a864886f70d01010b0500"
#define SIG_64 "034100" HEX32 HEX32
#define SIG_114 "037300" HEX32 HEX32 HEX32 "0123456789abcdef0123456789abcdef0123"

static void the_signature_algorithm_fits_the_key_and_has_its_parameters(void **state)
{
    static const struct request_hex_case cases[] = {
        { "Ed25519", { .key = KEY_ED25519, .algorithm = ALG_ED25519, .signature = SIG_64 },
          CA_REASON_NONE },
        { "RSA", { .key = KEY_RSA512, .algorithm = ALG_RSA, .signature = SIG_64 },
          CA_REASON_NONE },
        { "RSA parameters absent",
          { .key = KEY_RSA512, .algorithm = "300b06092a864886f70d01010b", .signature = SIG_64 },
          CA_REASON_NONE },
        { "RSA parameters INTEGER",
          { .key = KEY_RSA512, .algorithm = "300e06092a864886f70d01010b020100",
            .signature = SIG_64 }, CA_REASON_BAD_ALGORITHM },
        { "RSA NULL with content",
          { .key = KEY_RSA512, .algorithm = "300e06092a864886f70d01010b050100",
            .signature = SIG_64 }, CA_REASON_BAD_DER },
        { "RSA NULL twice",
          { .key = KEY_RSA512, .algorithm = "300f06092a864886f70d01010b05000500",
            .signature = SIG_64 }, CA_REASON_BAD_ALGORITHM },
        { "ECDSA NULL, as Mbed TLS wrote it",
          { .algorithm = "300c06082a8648ce3d0403020500" }, CA_REASON_NONE },
        { "ECDSA with a curve", { .algorithm = "301406082a8648ce3d04030206082a8648ce3d030107" },
          CA_REASON_BAD_ALGORITHM },
        { "Ed448", { .key = KEY_ED448, .algorithm = ALG_ED448, .signature = SIG_114 },
          CA_REASON_NONE },
        { "Ed448 NULL",
          { .key = KEY_ED448, .algorithm = "300706032b65710500", .signature = SIG_114 },
          CA_REASON_BAD_ALGORITHM },
        { "Ed448 for an Ed25519 key", { .key = KEY_ED25519, .algorithm = ALG_ED448 },
          CA_REASON_BAD_ALGORITHM },
        { "Ed25519 for an Ed448 key", { .key = KEY_ED448, .algorithm = ALG_ED25519 },
          CA_REASON_BAD_ALGORITHM },
        { "Ed25519 NULL",
          { .key = KEY_ED25519, .algorithm = "300706032b65700500", .signature = SIG_64 },
          CA_REASON_BAD_ALGORITHM },
        { "RSA for an EC key", { .algorithm = ALG_RSA }, CA_REASON_BAD_ALGORITHM },
        { "ECDSA for an RSA key", { .key = KEY_RSA512 }, CA_REASON_BAD_ALGORITHM },
        { "Ed25519 for an EC key", { .algorithm = ALG_ED25519 }, CA_REASON_BAD_ALGORITHM },
        { "ECDSA for an Ed25519 key", { .key = KEY_ED25519 }, CA_REASON_BAD_ALGORITHM },
        { "unknown algorithm", { .algorithm = "300406022a03" },
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "RSASSA-PSS without parameters",
          { .key = KEY_RSA512, .algorithm = "300b06092a864886f70d01010a" },
          CA_REASON_BAD_ALGORITHM },
        { "empty algorithm", { .algorithm = "3000" }, CA_REASON_BAD_ALGORITHM },
        { "a bare OID", { .algorithm = "06082a8648ce3d040302" }, CA_REASON_BAD_ALGORITHM },
    };

    (void)state;
    REQUEST_JUDGE_HEX(cases);
}

#define PSS "06092a864886f70d01010a"
#define SHA256_NULL "300d06096086480165030402010500"
#define SHA256_BARE "300b0609608648016503040201"
#define SHA1_NULL "300906052b0e03021a0500"
#define MGF1 "06092a864886f70d010108"
#define HASH "a00f" SHA256_NULL
#define MASK "a11c301a" MGF1 SHA256_NULL
#define SALT "a203020120"

/* RFC 4055 3.1. Each string is what stands in the parameters' SEQUENCE, and after it. */
static void the_parameters_of_pss_are_strict(void **state)
{
    static const struct {
        const char *what, *params, *after;
        enum ca_reason reason;
    } cases[] = {
        { "control", HASH MASK SALT, "", CA_REASON_NONE },
        { "hash without NULL", "a00d" SHA256_BARE MASK SALT, "", CA_REASON_NONE },
        { "mask's hash without NULL", HASH "a11a3018" MGF1 SHA256_BARE SALT, "", CA_REASON_NONE },
        { "empty", "", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "no salt: 20", HASH MASK, "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "no mask: SHA-1", HASH SALT, "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "no hash: SHA-1", MASK SALT, "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "SHA-1", "a00b" SHA1_NULL MASK SALT, "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "mask's hash SHA-1", HASH "a1183016" MGF1 SHA1_NULL SALT, "",
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "SHA-384 for the hash", "a00f300d06096086480165030402020500" MASK SALT, "",
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "SHA3-256", "a00f300d06096086480165030402080500" MASK SALT, "",
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "salt of 31", HASH MASK "a20302011f", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "salt of 288", HASH MASK "a20402020120", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "salt of 2^32 + 32", HASH MASK "a20702050100000020", "", CA_REASON_BAD_ALGORITHM },
        { "salt of -32", HASH MASK "a2030201e0", "", CA_REASON_BAD_ALGORITHM },
        { "salt of 20 encoded", HASH MASK "a203020114", "", CA_REASON_BAD_DER },
        { "salt not minimal", HASH MASK "a20402020020", "", CA_REASON_BAD_DER },
        { "salt twice", HASH MASK SALT SALT, "", CA_REASON_BAD_ALGORITHM },
        { "more than the salt", HASH MASK "a206020120020120", "", CA_REASON_BAD_ALGORITHM },
        { "salt an OCTET STRING", HASH MASK "a203040120", "", CA_REASON_BAD_ALGORITHM },
        { "salt IMPLICIT", HASH MASK "820120", "", CA_REASON_BAD_ALGORITHM },
        { "trailer 1 encoded", HASH MASK SALT "a303020101", "", CA_REASON_BAD_DER },
        { "trailer 2", HASH MASK SALT "a303020102", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "trailer 0", HASH MASK SALT "a303020100", "", CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "in another order", MASK HASH SALT, "", CA_REASON_BAD_ALGORITHM },
        { "a fifth", HASH MASK SALT "a403020101", "", CA_REASON_BAD_ALGORITHM },
        { "NULL inside", HASH MASK SALT "0500", "", CA_REASON_BAD_ALGORITHM },
        { "NULL after them", HASH MASK SALT, "0500", CA_REASON_BAD_ALGORITHM },
        { "hash's NULL with content", "a010300e0609608648016503040201050100" MASK SALT, "",
          CA_REASON_BAD_DER },
        { "hash's parameter a SEQUENCE", "a00f300d06096086480165030402013000" MASK SALT, "",
          CA_REASON_BAD_ALGORITHM },
        { "hash a bare OID", "a00b0609608648016503040201" MASK SALT, "", CA_REASON_BAD_ALGORITHM },
        { "two hashes", "a01e" SHA256_NULL SHA256_NULL MASK SALT, "", CA_REASON_BAD_ALGORITHM },
        { "hash empty", "a000" MASK SALT, "", CA_REASON_BAD_ALGORITHM },
        { "mask not MGF1", HASH "a11c301a06092a864886f70d010109" SHA256_NULL SALT, "",
          CA_REASON_ALGORITHM_NOT_SUPPORTED },
        { "mask without hash", HASH "a10d300b" MGF1 SALT, "", CA_REASON_BAD_ALGORITHM },
        { "mask and more", HASH "a11e301c" MGF1 SHA256_NULL "0500" SALT, "",
          CA_REASON_BAD_ALGORITHM },
    };
    static const char *const instead[] = { "0500", "020101", "3100", "0400" };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char algorithm[400];
        size_t len = strlen(cases[i].params) / 2, after = strlen(cases[i].after) / 2;
        struct ca_buf out;

        (void)snprintf(algorithm, sizeof(algorithm), "30%02zx" PSS "30%02zx%s%s",
                       len + after + 13, len, cases[i].params, cases[i].after);
        request_judge(request_assemble(&(struct request_hex){ .key = KEY_RSA512,
                                                              .algorithm = algorithm,
                                                              .signature = SIG_64 }, &out),
                      cases[i].reason, cases[i].what);
        ca_buf_clear(&out);
    }
    for (size_t i = 0; i < sizeof(instead) / sizeof(instead[0]); i++) {
        char algorithm[100];
        struct ca_buf out;

        (void)snprintf(algorithm, sizeof(algorithm), "30%02zx" PSS "%s",
                       11 + strlen(instead[i]) / 2, instead[i]);
        request_judge(request_assemble(&(struct request_hex){ .key = KEY_RSA512,
                                                              .algorithm = algorithm,
                                                              .signature = SIG_64 }, &out),
                      CA_REASON_BAD_ALGORITHM, instead[i]);
        ca_buf_clear(&out);
    }
}

static void pss_is_for_rsa_keys(void **state)
{
    static const struct request_hex_case cases[] = {
        { "EC", { .algorithm = "3041" PSS "3034" HASH MASK SALT }, CA_REASON_BAD_ALGORITHM },
        { "Ed25519",
          { .key = KEY_ED25519, .algorithm = "3041" PSS "3034" HASH MASK SALT,
            .signature = SIG_64 }, CA_REASON_BAD_ALGORITHM },
        { "a PSS key",
          { .key = "305c300d06092a864886f70d01010a0500034b003048024100" "f123456789abcdef"
                   "0123456789abcdef0123456789abcdef0123456789abcdef" HEX32 "0203010001",
            .algorithm = "3041" PSS "3034" HASH MASK SALT, .signature = SIG_64 },
          CA_REASON_KEY_NOT_SUPPORTED },
    };

    (void)state;
    REQUEST_JUDGE_HEX(cases);
}

static void an_ecdsa_signature_is_two_minimal_positive_numbers(void **state)
{
    static const struct request_hex_case cases[] = {
        { "largest",
          { .signature = "0349003046022100f123456789abcdef" "0123456789abcdef0123456789abcdef"
                         "0123456789abcdef" "022100f123456789abcdef"
                         "0123456789abcdef0123456789abcdef0123456789abcdef" }, CA_REASON_NONE },
        { "r negative", { .signature = "030900" "3006020180020101" }, CA_REASON_BAD_SIGNATURE },
        { "s negative", { .signature = "030900" "30060201010201ff" }, CA_REASON_BAD_SIGNATURE },
        { "r zero", { .signature = "030900" "3006020100020101" }, CA_REASON_BAD_SIGNATURE },
        { "s zero", { .signature = "030900" "3006020101020100" }, CA_REASON_BAD_SIGNATURE },
        { "r not minimal", { .signature = "030a00" "300702020001020101" }, CA_REASON_BAD_DER },
        { "length not minimal", { .signature = "030a00" "308106020101020101" },
          CA_REASON_BAD_DER },
        { "three numbers", { .signature = "030c00" "3009020101020101020101" },
          CA_REASON_BAD_SIGNATURE },
        { "one number", { .signature = "030600" "3003020101" }, CA_REASON_BAD_SIGNATURE },
        { "trailing octet", { .signature = "030a00" "300602010102010100" },
          CA_REASON_BAD_SIGNATURE },
        { "r of 33 octets",
          { .signature = "032900" "3026022101" HEX32 "020101" }, CA_REASON_BAD_SIGNATURE },
        { "raw r and s", { .signature = SIG_64 }, CA_REASON_BAD_SIGNATURE },
        { "nothing", { .signature = "030100" }, CA_REASON_BAD_SIGNATURE },
        { "unused bits", { .signature = "030901" "3006020101020102" }, CA_REASON_BAD_SIGNATURE },
        { "an OCTET STRING", { .signature = "0408" "3006020101020101" },
          CA_REASON_BAD_SIGNATURE },
    };

    (void)state;
    REQUEST_JUDGE_HEX(cases);
}

static void other_signatures_are_as_long_as_their_key_says(void **state)
{
    static const struct request_hex_case cases[] = {
        { "Ed25519 of 63",
          { .key = KEY_ED25519, .algorithm = ALG_ED25519,
            .signature = "034000" HEX32
                         "23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
          CA_REASON_BAD_SIGNATURE },
        { "Ed25519 of 65",
          { .key = KEY_ED25519, .algorithm = ALG_ED25519, .signature = "034200" HEX32 HEX32 "00" },
          CA_REASON_BAD_SIGNATURE },
        { "Ed448 of 64", { .key = KEY_ED448, .algorithm = ALG_ED448, .signature = SIG_64 },
          CA_REASON_BAD_SIGNATURE },
        { "Ed448 of 115",
          { .key = KEY_ED448, .algorithm = ALG_ED448,
            .signature = "037400" HEX32 HEX32 HEX32 "0123456789abcdef0123456789abcdef012300" },
          CA_REASON_BAD_SIGNATURE },
        { "RSA of 65",
          { .key = KEY_RSA512, .algorithm = ALG_RSA, .signature = "03420000" HEX32 HEX32 },
          CA_REASON_BAD_SIGNATURE },
        { "RSA of 0", { .key = KEY_RSA512, .algorithm = ALG_RSA, .signature = "030100" },
          CA_REASON_BAD_SIGNATURE },
    };

    (void)state;
    REQUEST_JUDGE_HEX(cases);
}

static void keys_are_checked(void **state)
{
    static const struct request_hex_case cases[] = {
        { "compressed", { .key = "3039301306072a8648ce3d020106082a8648ce3d03010703220002" HEX32 },
          CA_REASON_KEY_NOT_SUPPORTED },
        { "infinity", { .key = "3019301306072a8648ce3d020106082a8648ce3d030107" "03020000" },
          CA_REASON_BAD_POINT },
        { "unused bits",
          { .key = "3059301306072a8648ce3d020106082a8648ce3d03010703420104" HEX32 HEX32 },
          CA_REASON_BAD_KEY },
        { "explicit parameters", { .key = "3051300b06072a8648ce3d0201300003420004" HEX32 HEX32 },
          CA_REASON_KEY_NOT_SUPPORTED },
    };

    (void)state;
    REQUEST_JUDGE_HEX(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signature_algorithm_fits_the_key_and_has_its_parameters),
        cmocka_unit_test(the_parameters_of_pss_are_strict),
        cmocka_unit_test(pss_is_for_rsa_keys),
        cmocka_unit_test(an_ecdsa_signature_is_two_minimal_positive_numbers),
        cmocka_unit_test(other_signatures_are_as_long_as_their_key_says),
        cmocka_unit_test(keys_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
