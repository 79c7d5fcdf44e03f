#include "engine/serial.h"

#include <assert.h>
#include <string.h>

#define TICK_OCTETS 6
/* A first octet of 0x80 would need a leading zero; that is the year 6429. */
#define TICK_MAX_MS INT64_C(0x7fffffffffff)

static_assert(CA_CLOCK_MIN_MS >> 40 >= 1, "the first octet of a serial must not be zero");
static_assert(CA_SERIAL_OWN <= CA_SERIAL_MAX, "RFC 5280 4.1.2.2 allows 20 octets");

enum ca_status ca_serial_draw(struct ca_rng *rng, int64_t tick_ms, uint64_t ordinal,
                              struct ca_serial *out, struct ca_error *err)
{
    struct ca_serial serial = { .len = CA_SERIAL_OWN };
    enum ca_status st;

    if (tick_ms < CA_CLOCK_MIN_MS || tick_ms > TICK_MAX_MS) {
        return ca_fail_named(err, CA_REFUSED, "clock",
                             "the clock says %lld ms since 1970, not between 2020 and 6429",
                             (long long)tick_ms);
    }
    ca_put_u16(serial.octets, (uint16_t)(tick_ms >> 32));
    ca_put_u32(serial.octets + 2, (uint32_t)tick_ms);
    st = ca_rng_draw(rng, ordinal, serial.octets + TICK_OCTETS, CA_SERIAL_OWN - TICK_OCTETS, err);
    if (st == CA_OK) *out = serial;
    return st;
}

int64_t ca_serial_tick_ms(const struct ca_serial *serial)
{
    assert(serial->len == CA_SERIAL_OWN);
    return ((int64_t)ca_get_u16(serial->octets) << 32) | ca_get_u32(serial->octets + 2);
}

void ca_serial_format(const struct ca_serial *serial, char *out)
{
    ca_hex_encode(ca_bytes_of(serial->octets, serial->len), out);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* One octet and the colon after it; a single digit when *half (the first one of an odd number).
 * -1 when there is none here. */
static int take_octet(const char **text, bool *half)
{
    int high = *half ? 0 : digit_value(*(*text)++);
    int low = high < 0 ? -1 : digit_value(*(*text)++);

    *half = false;
    if (low < 0) return -1;
    if (**text == ':' && digit_value((*text)[1]) >= 0) (*text)++;   /* any other is no digit */
    return high * 16 + low;
}

static bool odd_digits(const char *text)
{
    size_t digits = 0;

    for (; *text != '\0'; text++) {
        if (*text != ':') digits++;
    }
    return digits % 2 == 1;
}

enum ca_status ca_serial_parse(const char *text, struct ca_serial *out, struct ca_error *err)
{
    struct ca_serial serial = { .len = 0 };
    bool half = odd_digits(text);

    while (*text != '\0') {
        int octet = take_octet(&text, &half);

        if (octet < 0) {
            return ca_fail(err, CA_MALFORMED,
                           "a serial number is hexadecimal digits, with or without colons");
        }
        if (octet == 0 && serial.len == 0) continue;
        if (serial.len == CA_SERIAL_MAX) {
            return ca_fail(err, CA_MALFORMED, "a serial number has at most %d octets",
                           CA_SERIAL_MAX);
        }
        serial.octets[serial.len++] = (uint8_t)octet;
    }
    if (serial.len == 0) return ca_fail(err, CA_MALFORMED, "a serial number is not zero or empty");
    *out = serial;
    return CA_OK;
}

int ca_serial_compare(const struct ca_serial *a, const struct ca_serial *b)
{
    /* Without leading zeros the longer one is the greater one. */
    if (a->len != b->len) return a->len < b->len ? -1 : 1;
    return memcmp(a->octets, b->octets, a->len);
}
