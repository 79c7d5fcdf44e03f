/*
 * Names and general names: checking the same octets twice gives the same, what is accepted OpenSSL
 * can read too, and printing any octets at all gives one line without control characters.
 */
#include "engine/name.h"
#include "tests/fuzz/planted.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* A fuzz target's own way to fail: asserts may be compiled out. */
static void require(bool holds)
{
    if (!holds) abort();
}

static void require_one_line(const struct ca_buf *out)
{
    require(out->failed == CA_OK);
    for (size_t i = 0; i < out->len; i++) require(out->data[i] >= 0x20 && out->data[i] != 0x7f);
}

static void try_name(struct ca_bytes der)
{
    struct ca_error err = { .status = CA_OK };
    bool empty = false;
    const unsigned char *p = der.data;
    X509_NAME *theirs;

    if (ca_name_check(der, &empty, &err) != CA_OK) {
        require(err.reason != CA_REASON_NONE && err.text[0] != '\0');
        return;
    }
    theirs = d2i_X509_NAME(NULL, &p, (long)der.len);
    require(theirs != NULL && p == der.data + der.len);
    require((X509_NAME_entry_count(theirs) == 0) == empty);
    X509_NAME_free(theirs);
}

static void try_general_names(struct ca_bytes der)
{
    struct ca_error err = { .status = CA_OK };
    const unsigned char *p = der.data;
    GENERAL_NAMES *theirs;

    if (ca_san_check(der, &err) != CA_OK) {
        require(err.reason != CA_REASON_NONE && err.text[0] != '\0');
        return;
    }
    theirs = d2i_GENERAL_NAMES(NULL, &p, (long)der.len);
    require(theirs != NULL && p == der.data + der.len);
    require(sk_GENERAL_NAME_num(theirs) >= 1 && sk_GENERAL_NAME_num(theirs) <= CA_NAMES_MAX);
    GENERAL_NAMES_free(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_bytes der = ca_bytes_of(data, size);
    struct ca_buf out;

    if (size == 0 || size > 65536) return 0;
    try_name(der);
    try_general_names(der);
    ca_buf_init(&out, 1 << 20);
    ca_name_print(der, &out);
    require_one_line(&out);
    ca_buf_reset(&out);
    ca_san_print(der, &out);
    require_one_line(&out);
    planted(out.len > 3 && memcmp(out.data, "DNS", 3) == 0 &&
                memchr(out.data, '~', out.len) != NULL, data, size);
    ca_buf_clear(&out);
    return 0;
}
