/*
 * Bytes: a borrowed view, a bounded growing buffer, big-endian integers, hexadecimal.
 *
 * Thread: values belong to their owner; no shared state.
 */
#ifndef ENGINE_BYTES_H
#define ENGINE_BYTES_H

#include "engine/status.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Of an array itself, not of a pointer to one. */
#define CA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A borrowed view. data may be NULL only when len is 0. Whoever made it says how long it lives. */
struct ca_bytes {
    const uint8_t *data;
    size_t len;
};

/*
 * A growing buffer that never passes max octets. It remembers its first failure, so that a run of
 * appends is checked once, at its end, with ca_buf_status(); after a failure appends do nothing.
 * ca_buf_reset keeps the memory, so a buffer that is warm allocates nothing.
 */
struct ca_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;             /* octets; a bound on memory, not a format's limit */
    enum ca_status failed;  /* CA_OK, CA_NOMEM or CA_FULL (max reached) */
};

static inline struct ca_bytes ca_bytes_of(const void *data, size_t len)
{
    return (struct ca_bytes){ .data = data, .len = len };
}

struct ca_bytes ca_bytes_str(const char *text);     /* without the terminating zero */
struct ca_bytes ca_bytes_slice(struct ca_bytes whole, size_t offset, size_t len);   /* asserts */

static inline bool ca_bytes_equal(struct ca_bytes a, struct ca_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Are they the octets of this array? */
#define CA_BYTES_ARE(bytes, array) ca_bytes_equal((bytes), ca_bytes_of((array), sizeof(array)))

void ca_buf_init(struct ca_buf *buf, size_t max);
void ca_buf_clear(struct ca_buf *buf);              /* frees; buf may be used again after init */
void ca_buf_clear_secret(struct ca_buf *buf);       /* wipes the whole capacity, then frees */
void ca_buf_reset(struct ca_buf *buf);              /* len 0, failure forgotten, memory kept */
void ca_buf_append(struct ca_buf *buf, const void *data, size_t len);
void ca_buf_append_bytes(struct ca_buf *buf, struct ca_bytes bytes);
void ca_buf_append_str(struct ca_buf *buf, const char *text);
void ca_buf_append_u8(struct ca_buf *buf, uint8_t octet);
void ca_buf_printf(struct ca_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for len octets at the end, counted into len at once; NULL after a failure. The pointer is
 * good until the next append. */
uint8_t *ca_buf_extend(struct ca_buf *buf, size_t len);
/* Makes sure that the next len octets need no growth; false after a failure. */
bool ca_buf_reserve(struct ca_buf *buf, size_t len);
struct ca_bytes ca_buf_view(const struct ca_buf *buf);
/* CA_OK, or fills err with CA_NOMEM / CA_FULL ("what" names the thing that did not fit). */
CA_MUST_CHECK enum ca_status ca_buf_status(const struct ca_buf *buf, const char *what,
                                           struct ca_error *err);

/* Overwrites memory in a way that the compiler keeps. */
void ca_wipe(void *data, size_t len);

static inline void ca_put_u16(uint8_t *out, uint16_t v)
{
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
}

static inline void ca_put_u32(uint8_t *out, uint32_t v)
{
    ca_put_u16(out, (uint16_t)(v >> 16));
    ca_put_u16(out + 2, (uint16_t)v);
}

static inline void ca_put_u64(uint8_t *out, uint64_t v)
{
    ca_put_u32(out, (uint32_t)(v >> 32));
    ca_put_u32(out + 4, (uint32_t)v);
}

static inline uint16_t ca_get_u16(const uint8_t *in)
{
    return (uint16_t)((in[0] << 8) | in[1]);
}

static inline uint32_t ca_get_u32(const uint8_t *in)
{
    return ((uint32_t)ca_get_u16(in) << 16) | ca_get_u16(in + 2);
}

static inline uint64_t ca_get_u64(const uint8_t *in)
{
    return ((uint64_t)ca_get_u32(in) << 32) | ca_get_u32(in + 4);
}

/* Lower-case hexadecimal; out holds 2 * len + 1 characters and is terminated. */
void ca_hex_encode(struct ca_bytes in, char *out);
/* Two digits an octet, any case, single colons between octets allowed. CA_MALFORMED otherwise or
 * when it is longer than cap octets. */
CA_MUST_CHECK enum ca_status ca_hex_decode(const char *text, uint8_t *out, size_t cap, size_t *len,
                                           struct ca_error *err);

/* Length of the valid UTF-8 sequence at the start of text (RFC 3629: shortest form, no surrogates,
 * at most U+10FFFF), 0 when there is none. */
size_t ca_utf8_sequence(struct ca_bytes text);

/* Appends text as the inside of a JSON string (no quotes): ", \, controls and DEL escaped; octets
 * that are not valid UTF-8 become \ufffd, so that the result is always valid JSON. */
void ca_json_append_escaped(struct ca_buf *out, struct ca_bytes text);
/* The same with quotes around it. */
void ca_json_append_string(struct ca_buf *out, struct ca_bytes text);

#endif
