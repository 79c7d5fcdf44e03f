#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/mutant.h"

#include <stdlib.h>
#include <string.h>

static const char *const key_kinds[MUTANT_KEYS] = {
    [BY_RSA] = "RSA",         [BY_P256] = "P-256",  [BY_P384] = "P-384",    [BY_P521] = "P-521",
    [BY_ED25519] = "ED25519", [BY_ED448] = "ED448", [BY_OTHER_RSA] = "RSA",
};

static const char *const digests[MUTANT_KEYS] = {
    [BY_RSA] = "SHA256",  [BY_P256] = "SHA256",      [BY_P384] = "SHA384",
    [BY_P521] = "SHA512", [BY_OTHER_RSA] = "SHA256",
};

int mutant_set_up(void **state)
{
    struct mutant_fixture *f = calloc(1, sizeof(*f));

    if (f == NULL) return -1;
    if (ca_crypto_new(&f->crypto, NULL) != CA_OK) return -1;
    if (ca_prover_new(f->crypto, &f->prover, NULL) != CA_OK) return -1;
    for (size_t i = 0; i < MUTANT_KEYS; i++) f->keys[i] = request_make_key(key_kinds[i]);
    *state = f;
    return 0;
}

int mutant_tear_down(void **state)
{
    struct mutant_fixture *f = *state;

    for (size_t i = 0; i < MUTANT_KEYS; i++) EVP_PKEY_free(f->keys[i]);
    ca_prover_free(f->prover);
    ca_crypto_free(f->crypto);
    free(f);
    return 0;
}

struct request_signing mutant_signing(const struct mutant_fixture *f, int key)
{
    return (struct request_signing){ .key = f->keys[key], .digest = digests[key] };
}

/* The parser sees a copy that ends where the request ends. */
enum ca_reason mutant_verdict(struct mutant_fixture *f, struct ca_bytes der, struct ca_error *err)
{
    uint8_t *copy = malloc(der.len);
    struct ca_request request;
    const struct ca_request *one = &request;
    enum ca_reason reason = CA_REASON_NONE;
    bool proved = false;

    assert_non_null(copy);
    memcpy(copy, der.data, der.len);
    if (ca_request_parse(ca_bytes_of(copy, der.len), 0, &request, err) != CA_OK) {
        reason = (enum ca_reason)err->reason;
    } else {
        assert_int_equal(ca_prover_check(f->prover, &one, 1, &proved, err), CA_OK);
        if (!proved) {
            assert_true(ca_status_is_request(ca_prover_refuse(f->prover, &request, err)));
            reason = (enum ca_reason)err->reason;
        }
    }
    free(copy);
    return reason;
}

struct mutant_group mutant_begin(struct mutant_fixture *f, const char *name)
{
    return (struct mutant_group){ .f = f, .name = name };
}

void mutant_judge(struct mutant_group *group, const char *what, struct ca_bytes der,
                  enum ca_reason expected)
{
    struct ca_error err = { .status = CA_OK };
    enum ca_reason reason = mutant_verdict(group->f, der, &err);

    group->refused++;
    if (request_openssl_verifies(der)) group->openssl_says_yes++;
    if (reason == expected) return;
    fail_msg("%s, %s: %s (%s), not %s", group->name, what,
             reason == CA_REASON_NONE ? "accepted" : ca_reason_code((uint16_t)reason),
             reason == CA_REASON_NONE ? "" : err.text, ca_reason_code((uint16_t)expected));
}

void mutant_end(const struct mutant_group *group)
{
    print_message("%s: %zu refused, OpenSSL verifies %zu of them\n", group->name, group->refused,
                  group->openssl_says_yes);
    group->f->refused += group->refused;
    group->f->openssl_says_yes += group->openssl_says_yes;
}

void mutant_judge_all(struct mutant_fixture *f, const char *name,
                      const struct request_signing *signing, const struct mutant *mutants,
                      size_t count)
{
    struct mutant_group group = mutant_begin(f, name);

    for (size_t i = 0; i < count; i++) {
        struct ca_buf out;

        mutant_judge(&group, mutants[i].what, request_build(&mutants[i].parts, signing, &out),
                     mutants[i].reason);
        ca_buf_clear(&out);
    }
    mutant_end(&group);
}

void mutant_replace(struct ca_buf *part, size_t at, size_t len, const char *notation)
{
    struct ca_buf whole;

    assert_true(at + len <= part->len);
    ca_buf_init(&whole, REQUEST_BUILDER_MAX);
    ca_buf_append(&whole, part->data, at);
    request_notation(notation, &whole);
    ca_buf_append(&whole, part->data + at + len, part->len - at - len);
    ca_buf_reset(part);
    ca_buf_append_bytes(part, ca_buf_view(&whole));
    ca_buf_clear(&whole);
}
