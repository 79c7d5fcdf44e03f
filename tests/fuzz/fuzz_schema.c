/*
 * The row decoders. The first octet picks the kind of row, the rest is its value. A value that a
 * decoder takes must come out of the encoder again octet by octet: every row has one encoding.
 */
#include "io/schema.h"
#include "tests/fuzz/planted.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

union any_row {
    struct schema_identity identity;
    struct schema_clock clock;
    struct schema_ca ca;
    struct schema_token token;
    struct schema_cert cert;
    struct schema_job job;
    struct schema_input input;
    struct schema_result result;
    struct schema_known known;
    uint64_t ordinal;
};

/* Decodes a value of the picked kind and, when that succeeded, encodes it again. */
static bool decode_and_encode(uint8_t kind, struct ca_bytes value, struct ca_buf *out)
{
    union any_row row;
    struct ca_error err;

    switch (kind) {
    case 0:
        if (schema_decode_identity(value, &row.identity, &err) != CA_OK) return false;
        schema_encode_identity(&row.identity, out);
        return true;
    case 1:
        if (schema_decode_clock(value, &row.clock, &err) != CA_OK) return false;
        schema_encode_clock(&row.clock, out);
        return true;
    case 2:
        if (schema_decode_ca(value, &row.ca, &err) != CA_OK) return false;
        schema_encode_ca(&row.ca, out);
        return true;
    case 3:
        if (schema_decode_token(value, &row.token, &err) != CA_OK) return false;
        schema_encode_token(&row.token, out);
        return true;
    case 4:
        if (schema_decode_cert(value, &row.cert, &err) != CA_OK) return false;
        schema_encode_cert(&row.cert, out);
        return true;
    case 5:
        if (schema_decode_job(value, &row.job, &err) != CA_OK) return false;
        schema_encode_job(&row.job, out);
        return true;
    case 6:
        if (schema_decode_input(value, &row.input, &err) != CA_OK) return false;
        schema_encode_input(&row.input, out);
        return true;
    case 7:
        if (schema_decode_result(value, &row.result, &err) != CA_OK) return false;
        schema_encode_result(&row.result, out);
        return true;
    case 8:
        if (schema_decode_ordinal(value, &row.ordinal, &err) != CA_OK) return false;
        schema_encode_ordinal(row.ordinal, out);
        return true;
    case 9:
        if (schema_decode_known(value, &row.known, &err) != CA_OK) return false;
        schema_encode_known(&row.known, out);
        return true;
    default: return false;
    }
}

static void read_as_key(struct ca_bytes key)
{
    uint8_t serial[SCHEMA_SERIAL_LEN];
    int64_t time_s;
    uint32_t number;
    uint64_t ordinal;
    struct schema_key again;

    if (schema_read_key_cert(key, serial, &number, NULL) == CA_OK &&
        !ca_bytes_equal(schema_key_cert(&again, serial, number), key)) abort();
    if (schema_read_key_expiry(key, &time_s, &number, serial, NULL) == CA_OK &&
        !ca_bytes_equal(schema_key_expiry(&again, time_s, number, serial), key)) abort();
    if (schema_read_key_u32(key, &number, NULL) == CA_OK &&
        !ca_bytes_equal(schema_key_ca(&again, number), key)) abort();
    if (schema_read_key_ordinal(key, &number, &ordinal, NULL) == CA_OK &&
        !ca_bytes_equal(schema_key_ordinal(&again, number, ordinal), key)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_buf out;
    struct ca_bytes value;

    if (size == 0) return 0;
    value = ca_bytes_of(data + 1, size - 1);
    ca_buf_init(&out, size + 64);
    if (decode_and_encode(data[0], value, &out)) {
        if (out.failed != CA_OK || !ca_bytes_equal(ca_buf_view(&out), value)) abort();
        planted(out.data[out.len - 1] == '~', data, size);
    }
    ca_buf_clear(&out);
    read_as_key(value);
    return 0;
}
