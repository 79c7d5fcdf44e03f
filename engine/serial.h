/*
 * Certificate serial numbers (RFC 5280 4.1.2.2: positive, at most 20 octets, unique per issuer).
 *
 * Ours are six octets of the chunk's tick (milliseconds since 1970, strictly increasing), then
 * twelve random ones: neighbours in issue stay neighbours in the store's B+tree, and 96 random
 * bits make a shared counter, and its lock, unnecessary. From 2004 to 6429 the first octet lies
 * in 0x01..0x7f, so the INTEGER is positive and minimal. Foreign ones have 1 to 20 octets.
 */
#ifndef ENGINE_SERIAL_H
#define ENGINE_SERIAL_H

#include "engine/rng.h"

#define CA_SERIAL_MAX 20
#define CA_SERIAL_OWN 18                        /* octets of a serial drawn here */
#define CA_SERIAL_TEXT_MAX (2 * CA_SERIAL_MAX + 1)
#define CA_CLOCK_MIN_MS INT64_C(1577836800000)  /* 2020-01-01: an earlier clock is wrong */

struct ca_serial {
    uint8_t len;                    /* octets used, 1..20 */
    uint8_t octets[CA_SERIAL_MAX];  /* big-endian magnitude without leading zeros */
};

/* The tick after last_ms: now, but always past it, whatever the clock does. */
static inline int64_t ca_tick_next(int64_t now_ms, int64_t last_ms)
{
    return now_ms > last_ms ? now_ms : last_ms + 1;
}

/*
 * Draws one serial for a chunk's tick. Thread: the one that owns rng.
 *   out         written on CA_OK only
 *   CA_REFUSED  "clock": tick_ms lies before 2020 or after 6429
 *   CA_CRYPTO   the generator failed; do not retry, a broken generator must stop the run
 */
CA_MUST_CHECK enum ca_status ca_serial_draw(struct ca_rng *rng, int64_t tick_ms, uint64_t ordinal,
                                            struct ca_serial *out, struct ca_error *err);

/* The tick inside one of our own serials. */
int64_t ca_serial_tick_ms(const struct ca_serial *serial);
/* Lower-case hex, two digits an octet; out holds CA_SERIAL_TEXT_MAX. */
void ca_serial_format(const struct ca_serial *serial, char *out);
/* Hex in any case, with or without colons, leading zero octets dropped, an odd number of digits
 * read as if a zero stood before it (clients send %x). CA_MALFORMED: not hex, zero, > 20 octets. */
CA_MUST_CHECK enum ca_status ca_serial_parse(const char *text, struct ca_serial *out,
                                             struct ca_error *err);
int ca_serial_compare(const struct ca_serial *a, const struct ca_serial *b);    /* by value */

#endif
