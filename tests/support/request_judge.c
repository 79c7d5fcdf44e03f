#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/der.h"
#include "tests/support/request_judge.h"

#include <stdlib.h>
#include <string.h>

#define KEY_P256 "3059301306072a8648ce3d020106082a8648ce3d03010703420004" HEX32 HEX32
#define ALG_ECDSA "300a06082a8648ce3d040302"
#define SUBJECT "300c310a300806035504030c0161"

static enum ca_status parse_admitting(struct ca_bytes der, unsigned admit, struct ca_request *out,
                                      uint8_t **copy, struct ca_error *err)
{
    *copy = malloc(der.len == 0 ? 1 : der.len);
    assert_non_null(*copy);
    if (der.len > 0) memcpy(*copy, der.data, der.len);
    return ca_request_parse(ca_bytes_of(*copy, der.len), admit, out, err);
}

enum ca_status request_parse_exact(struct ca_bytes der, struct ca_request *out, uint8_t **copy,
                                   struct ca_error *err)
{
    return parse_admitting(der, 0, out, copy, err);
}

void request_judge_admitting(struct ca_bytes der, unsigned admit, enum ca_reason reason,
                             const char *what)
{
    struct ca_request request;
    struct ca_error err = { .status = CA_OK };
    uint8_t *copy;
    enum ca_status st = parse_admitting(der, admit, &request, &copy, &err);

    free(copy);
    if (reason == CA_REASON_NONE) {
        if (st != CA_OK) fail_msg("%s: %s", what, err.text);
        return;
    }
    if (st == CA_OK) fail_msg("%s: accepted", what);
    if (err.reason != reason)
        fail_msg("%s: %s (%s), not %s", what, ca_reason_code(err.reason), err.text,
                 ca_reason_code((uint16_t)reason));
    assert_int_equal(st, err.status);
    assert_true(st == CA_MALFORMED || st == CA_REFUSED);
    assert_true(strlen(err.text) > 0);
}

void request_judge(struct ca_bytes der, enum ca_reason reason, const char *what)
{
    request_judge_admitting(der, 0, reason, what);
}

void request_add_hex(struct ca_buf *out, const char *hex)
{
    static uint8_t octets[40000];
    size_t len = 0;

    assert_int_equal(ca_hex_decode(hex, octets, sizeof(octets), &len, NULL), CA_OK);
    ca_buf_append(out, octets, len);
}

static const char *part_or(const char *part, const char *standard)
{
    return part == NULL ? standard : part;
}

struct ca_bytes request_assemble(const struct request_hex *parts, struct ca_buf *out)
{
    ca_buf_init(out, 100000);
    request_add_hex(out, part_or(parts->version, "020100"));
    request_add_hex(out, part_or(parts->subject, SUBJECT));
    request_add_hex(out, part_or(parts->key, KEY_P256));
    request_add_hex(out, part_or(parts->attributes, "a000"));
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    request_add_hex(out, part_or(parts->algorithm, ALG_ECDSA));
    request_add_hex(out, part_or(parts->signature, SIG_ECDSA));
    ca_der_wrap(out, 0, CA_DER_SEQUENCE);
    request_add_hex(out, part_or(parts->after, ""));
    assert_int_equal(out->failed, CA_OK);
    return ca_buf_view(out);
}

void request_judge_hex(const struct request_hex_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ca_buf out;

        request_judge(request_assemble(&cases[i].parts, &out), cases[i].reason, cases[i].what);
        ca_buf_clear(&out);
    }
}
