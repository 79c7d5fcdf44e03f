#include "engine/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ca_bytes ca_bytes_str(const char *text)
{
    return ca_bytes_of(text, strlen(text));
}

struct ca_bytes ca_bytes_slice(struct ca_bytes whole, size_t offset, size_t len)
{
    assert(offset <= whole.len && len <= whole.len - offset);
    return ca_bytes_of(len == 0 ? NULL : whole.data + offset, len);
}

void ca_buf_init(struct ca_buf *buf, size_t max)
{
    *buf = (struct ca_buf){ .max = max };
}

void ca_buf_clear(struct ca_buf *buf)
{
    free(buf->data);
    *buf = (struct ca_buf){ .max = buf->max };
}

void ca_buf_clear_secret(struct ca_buf *buf)
{
    if (buf->data != NULL) ca_wipe(buf->data, buf->cap);
    ca_buf_clear(buf);
}

void ca_buf_reset(struct ca_buf *buf)
{
    buf->len = 0;
    buf->failed = CA_OK;
}

/* A fresh block and a wiped old one, never realloc: what the buffer held may be secret, and a
 * moved block would leave a copy behind. */
static bool grow(struct ca_buf *buf, size_t need)
{
    size_t cap = buf->cap < 256 ? 256 : buf->cap;
    uint8_t *data;

    while (cap < need) cap *= 2;
    if (cap > buf->max) cap = buf->max;
    data = malloc(cap);
    if (data == NULL) {
        buf->failed = CA_NOMEM;
        return false;
    }
    if (buf->data != NULL) {
        memcpy(data, buf->data, buf->len);
        ca_wipe(buf->data, buf->len);
        free(buf->data);
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

bool ca_buf_reserve(struct ca_buf *buf, size_t len)
{
    if (buf->failed != CA_OK) return false;
    if (len <= buf->cap - buf->len) return true;
    if (buf->len > buf->max || len > buf->max - buf->len) {
        buf->failed = CA_FULL;
        return false;
    }
    return grow(buf, buf->len + len);
}

uint8_t *ca_buf_extend(struct ca_buf *buf, size_t len)
{
    uint8_t *at;

    if (!ca_buf_reserve(buf, len)) return NULL;
    at = buf->data + buf->len;
    buf->len += len;
    return at;
}

void ca_buf_append(struct ca_buf *buf, const void *data, size_t len)
{
    uint8_t *at;

    if (len == 0) return;
    at = ca_buf_extend(buf, len);
    if (at != NULL) memcpy(at, data, len);
}

void ca_buf_append_bytes(struct ca_buf *buf, struct ca_bytes bytes)
{
    ca_buf_append(buf, bytes.data, bytes.len);
}

void ca_buf_append_str(struct ca_buf *buf, const char *text)
{
    ca_buf_append(buf, text, strlen(text));
}

void ca_buf_append_u8(struct ca_buf *buf, uint8_t octet)
{
    ca_buf_append(buf, &octet, 1);
}

void ca_buf_printf(struct ca_buf *buf, const char *format, ...)
{
    va_list args;
    int need;

    va_start(args, format);
    need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(need >= 0);      /* our own formats only */
    if (!ca_buf_reserve(buf, (size_t)need + 1)) return;     /* and the zero that we drop again */
    va_start(args, format);
    (void)vsnprintf((char *)buf->data + buf->len, (size_t)need + 1, format, args);
    va_end(args);
    buf->len += (size_t)need;
}

struct ca_bytes ca_buf_view(const struct ca_buf *buf)
{
    return ca_bytes_of(buf->data, buf->len);
}

enum ca_status ca_buf_status(const struct ca_buf *buf, const char *what, struct ca_error *err)
{
    if (buf->failed == CA_OK) return CA_OK;
    if (buf->failed == CA_NOMEM) return ca_fail(err, CA_NOMEM, "no memory for %s", what);
    return ca_fail(err, CA_FULL, "%s is larger than %zu octets", what, buf->max);
}

void ca_wipe(void *data, size_t len)
{
    explicit_bzero(data, len);
}

void ca_hex_encode(struct ca_bytes in, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < in.len; i++) {
        out[2 * i] = digits[in.data[i] >> 4];
        out[2 * i + 1] = digits[in.data[i] & 15];
    }
    out[2 * in.len] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

enum ca_status ca_hex_decode(const char *text, uint8_t *out, size_t cap, size_t *len,
                             struct ca_error *err)
{
    size_t n = 0;

    while (*text != '\0') {
        int high, low;

        if (n > 0 && *text == ':') text++;
        high = hex_value(text[0]);
        low = high < 0 ? -1 : hex_value(text[1]);
        if (low < 0) return ca_fail(err, CA_MALFORMED, "not hexadecimal, two digits an octet");
        if (n == cap) return ca_fail(err, CA_MALFORMED, "longer than %zu octets", cap);
        out[n++] = (uint8_t)(high * 16 + low);
        text += 2;
    }
    *len = n;
    return CA_OK;
}

size_t ca_utf8_sequence(struct ca_bytes text)
{
    const uint8_t *p = text.data;
    size_t len = 0;
    uint8_t low = 0x80, high = 0xbf;

    if (text.len == 0) return 0;
    if (p[0] < 0x80) return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) len = 2;
    if (p[0] >= 0xe0 && p[0] <= 0xef) len = 3;
    if (p[0] >= 0xf0 && p[0] <= 0xf4) len = 4;
    if (len == 0 || len > text.len) return 0;
    if (p[0] == 0xe0) low = 0xa0;
    if (p[0] == 0xed) high = 0x9f;
    if (p[0] == 0xf0) low = 0x90;
    if (p[0] == 0xf4) high = 0x8f;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) return 0;
    }
    return len;
}

static void append_escape(struct ca_buf *out, uint8_t c)
{
    switch (c) {
    case '"': ca_buf_append_str(out, "\\\""); return;
    case '\\': ca_buf_append_str(out, "\\\\"); return;
    case '\n': ca_buf_append_str(out, "\\n"); return;
    case '\r': ca_buf_append_str(out, "\\r"); return;
    case '\t': ca_buf_append_str(out, "\\t"); return;
    default: break;
    }
    {
        static const char digits[] = "0123456789abcdef";
        const char escape[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

        ca_buf_append(out, escape, sizeof(escape));
    }
}

void ca_json_append_escaped(struct ca_buf *out, struct ca_bytes text)
{
    size_t plain = 0;       /* start of the run that needs no escape */
    size_t i = 0;

    while (i < text.len) {
        uint8_t c = text.data[i];
        size_t step;

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            i++;
            continue;
        }
        step = ca_utf8_sequence(ca_bytes_of(text.data + i, text.len - i));
        if (step > 1) {
            i += step;
            continue;
        }
        ca_buf_append(out, text.data + plain, i - plain);
        if (step == 1) append_escape(out, c);
        else ca_buf_append_str(out, "\\ufffd");
        plain = ++i;
    }
    ca_buf_append(out, text.data == NULL ? NULL : text.data + plain, i - plain);
}

void ca_json_append_string(struct ca_buf *out, struct ca_bytes text)
{
    ca_buf_append_u8(out, '"');
    ca_json_append_escaped(out, text);
    ca_buf_append_u8(out, '"');
}
