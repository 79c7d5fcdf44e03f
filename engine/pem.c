#include "engine/pem.h"

#include <string.h>

#define LINE_COLUMNS 64                 /* RFC 7468 2: generators wrap at 64 */
#define LINE_OCTETS (LINE_COLUMNS / 4 * 3)

static const char begin_mark[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";
static const char dashes[] = "-----";

/* Finding a block */

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

static bool starts_with(struct ca_bytes text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

static struct ca_bytes skip(struct ca_bytes text, size_t len)
{
    return ca_bytes_of(text.data + len, text.len - len);
}

/* True when only blanks, or a byte order mark at the very start, stand before at on its line. */
static bool at_line_start(struct ca_bytes text, const uint8_t *at)
{
    while (at > text.data && is_blank(at[-1])) at--;
    if (at == text.data || at[-1] == '\n') return true;
    return at == text.data + 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0;
}

/* Moves past white space up to and with the end of the line; false when something else is there. */
static bool end_of_line(struct ca_bytes *text)
{
    size_t i = 0;

    while (i < text->len && (is_blank(text->data[i]) || text->data[i] == '\r')) i++;
    if (i < text->len && text->data[i] != '\n') return false;
    *text = skip(*text, i < text->len ? i + 1 : i);
    return true;
}

/* The label of a line whose first word has been read; text moves behind the line. */
static bool take_label(struct ca_bytes *text, struct ca_bytes *label)
{
    size_t len = 0;

    while (len < text->len && len <= CA_PEM_LABEL_MAX) {
        if (text->data[len] == '-' && starts_with(skip(*text, len), dashes)) break;
        if (text->data[len] < 0x20 || text->data[len] > 0x7e) return false;
        len++;
    }
    if (len == 0 || len > CA_PEM_LABEL_MAX || len == text->len) return false;
    *label = ca_bytes_of(text->data, len);
    *text = skip(*text, len + sizeof(dashes) - 1);
    return end_of_line(text);
}

/* Finds the BEGIN word at the start of a line; *rest is what follows it. */
static bool find_begin(struct ca_bytes text, struct ca_bytes *rest)
{
    struct ca_bytes left = text;

    while (left.len > 0) {
        const uint8_t *at = memmem(left.data, left.len, begin_mark, sizeof(begin_mark) - 1);

        if (at == NULL) return false;
        left = skip(left, (size_t)(at - left.data) + sizeof(begin_mark) - 1);
        if (at_line_start(text, at)) {
            *rest = left;
            return true;
        }
    }
    return false;
}

enum ca_status ca_pem_find(struct ca_bytes text, struct ca_pem_block *out, bool *found,
                           struct ca_error *err)
{
    struct ca_pem_block block = { .label = { .len = 0 } };
    struct ca_bytes end_label = { .len = 0 };
    struct ca_bytes body = { .len = 0 };
    const uint8_t *dash;

    *found = false;
    if (!find_begin(text, &body)) return CA_OK;
    if (!take_label(&body, &block.label))
        return ca_refuse(err, CA_REASON_BAD_PEM, "the BEGIN line is not complete");
    /* Base64 has no dash: the first one is the END line or a mistake. */
    dash = body.len == 0 ? NULL : memchr(body.data, '-', body.len);
    if (dash == NULL)
        return ca_refuse(err, CA_REASON_BAD_PEM, "no END line after BEGIN %.*s",
                         (int)block.label.len, (const char *)block.label.data);
    block.base64 = ca_bytes_of(body.data, (size_t)(dash - body.data));
    block.after = skip(body, block.base64.len);
    if (!starts_with(block.after, end_mark) || !at_line_start(body, dash))
        return ca_refuse(err, CA_REASON_BAD_PEM, "BEGIN %.*s is followed by a line that is neither "
                         "base64 nor its END line", (int)block.label.len,
                         (const char *)block.label.data);
    block.after = skip(block.after, sizeof(end_mark) - 1);
    if (!take_label(&block.after, &end_label))
        return ca_refuse(err, CA_REASON_BAD_PEM, "the END line is not complete");
    if (!ca_bytes_equal(block.label, end_label))
        return ca_refuse(err, CA_REASON_BAD_PEM, "BEGIN %.*s ends with END %.*s",
                         (int)block.label.len, (const char *)block.label.data,
                         (int)end_label.len, (const char *)end_label.data);
    *out = block;
    *found = true;
    return CA_OK;
}

/* Base64: reading */

enum { BAD = 0, WHITE = 1, PAD = 2, DIGIT = 0x40 };     /* a digit's value is below DIGIT */

#define D(v) (DIGIT | (v))
static const uint8_t class_of[256] = {
    ['\t'] = WHITE, ['\n'] = WHITE, ['\r'] = WHITE, [' '] = WHITE, ['='] = PAD,
    ['A'] = D(0), ['B'] = D(1), ['C'] = D(2), ['D'] = D(3), ['E'] = D(4), ['F'] = D(5),
    ['G'] = D(6), ['H'] = D(7), ['I'] = D(8), ['J'] = D(9), ['K'] = D(10), ['L'] = D(11),
    ['M'] = D(12), ['N'] = D(13), ['O'] = D(14), ['P'] = D(15), ['Q'] = D(16), ['R'] = D(17),
    ['S'] = D(18), ['T'] = D(19), ['U'] = D(20), ['V'] = D(21), ['W'] = D(22), ['X'] = D(23),
    ['Y'] = D(24), ['Z'] = D(25), ['a'] = D(26), ['b'] = D(27), ['c'] = D(28), ['d'] = D(29),
    ['e'] = D(30), ['f'] = D(31), ['g'] = D(32), ['h'] = D(33), ['i'] = D(34), ['j'] = D(35),
    ['k'] = D(36), ['l'] = D(37), ['m'] = D(38), ['n'] = D(39), ['o'] = D(40), ['p'] = D(41),
    ['q'] = D(42), ['r'] = D(43), ['s'] = D(44), ['t'] = D(45), ['u'] = D(46), ['v'] = D(47),
    ['w'] = D(48), ['x'] = D(49), ['y'] = D(50), ['z'] = D(51), ['0'] = D(52), ['1'] = D(53),
    ['2'] = D(54), ['3'] = D(55), ['4'] = D(56), ['5'] = D(57), ['6'] = D(58), ['7'] = D(59),
    ['8'] = D(60), ['9'] = D(61), ['+'] = D(62), ['/'] = D(63),
};
#undef D

/* What the four DIGIT marks add up to in a group; subtracting it once is cheaper than masking each
 * digit. */
#define GROUP_MARKS (((uint32_t)DIGIT << 18) + ((uint32_t)DIGIT << 12) + ((uint32_t)DIGIT << 6) +  \
                     (uint32_t)DIGIT)

static inline void put_group(uint8_t *out, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    uint32_t group = (a << 18) + (b << 12) + (c << 6) + d - GROUP_MARKS;

    out[0] = (uint8_t)(group >> 16);
    out[1] = (uint8_t)(group >> 8);
    out[2] = (uint8_t)group;
}

/* The last group: n digits were read, p stands at the padding or at the end. */
static bool end_group(const uint8_t *p, const uint8_t *end, const uint8_t digit[4], size_t n,
                      uint8_t *out, size_t *len)
{
    size_t pads = 0;

    for (; p < end; p++) {
        if (class_of[*p] == PAD) pads++;
        else if (class_of[*p] != WHITE) return false;
    }
    if (n == 0) return pads == 0;
    if (n == 1 || pads != 4 - n) return false;
    /* RFC 4648 3.5: the bits that no octet uses are zero. */
    if ((n == 2 && (digit[1] & 15) != 0) || (n == 3 && (digit[2] & 3) != 0)) return false;
    out[(*len)++] = (uint8_t)((digit[0] << 2) | ((digit[1] & 0x3f) >> 4));
    if (n == 3) out[(*len)++] = (uint8_t)((digit[1] << 4) | ((digit[2] & 0x3f) >> 2));
    return true;
}

size_t ca_base64_decoded_max(size_t text_len)
{
    return text_len / 4 * 3;
}

enum ca_status ca_base64_decode(struct ca_bytes text, uint8_t *out, size_t *len,
                                struct ca_error *err)
{
    const uint8_t *p = text.data;
    const uint8_t *end = text.len == 0 ? p : p + text.len;
    uint8_t digit[4] = { 0 };
    size_t written = 0;
    size_t n = 0;       /* digits of a group that white space broke up */

    while (p < end) {
        uint8_t class = class_of[*p];

        if (n == 0 && end - p >= 4) {
            uint8_t b = class_of[p[1]], c = class_of[p[2]], d = class_of[p[3]];

            if ((class & b & c & d & DIGIT) != 0) {
                put_group(out + written, class, b, c, d);
                written += 3;
                p += 4;
                continue;
            }
        }
        if ((class & DIGIT) != 0) {
            digit[n++] = class;
            if (n == 4) {
                put_group(out + written, digit[0], digit[1], digit[2], digit[3]);
                written += 3;
                n = 0;
            }
        } else if (class != WHITE) {
            break;
        }
        p++;
    }
    if (!end_group(p, end, digit, n, out, &written))
        return ca_refuse(err, CA_REASON_BAD_PEM, "the base64 text is not valid at character %zu",
                         (size_t)(p - text.data) + 1);
    *len = written;
    return CA_OK;
}

/* Writing */

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encoded_len(size_t len)
{
    return (len + 2) / 3 * 4;
}

static uint8_t digit_at(uint32_t group, unsigned shift)
{
    return (uint8_t)alphabet[(group >> shift) & 0x3f];
}

/* Writes encoded_len(in.len) characters; returns the place after them. */
static uint8_t *encode(struct ca_bytes in, uint8_t *out)
{
    size_t i = 0;

    for (; in.len - i >= 3; i += 3, out += 4) {
        uint32_t group = ((uint32_t)in.data[i] << 16) | ((uint32_t)in.data[i + 1] << 8) |
                         in.data[i + 2];

        out[0] = digit_at(group, 18);
        out[1] = digit_at(group, 12);
        out[2] = digit_at(group, 6);
        out[3] = digit_at(group, 0);
    }
    if (i < in.len) {
        bool two = in.len - i == 2;
        uint32_t group = ((uint32_t)in.data[i] << 16) |
                         (two ? (uint32_t)in.data[i + 1] << 8 : 0);

        out[0] = digit_at(group, 18);
        out[1] = digit_at(group, 12);
        out[2] = two ? digit_at(group, 6) : '=';
        out[3] = '=';
        out += 4;
    }
    return out;
}

void ca_base64_append(struct ca_buf *out, struct ca_bytes in)
{
    uint8_t *at;

    if (in.len == 0) return;
    at = ca_buf_extend(out, encoded_len(in.len));
    if (at != NULL) (void)encode(in, at);
}

size_t ca_pem_len(const char *label, size_t der_len)
{
    size_t lines = (der_len + LINE_OCTETS - 1) / LINE_OCTETS;

    return sizeof(begin_mark) - 1 + sizeof(end_mark) - 1 +
           2 * (strlen(label) + sizeof(dashes) - 1 + 1) + encoded_len(der_len) + lines;
}

static uint8_t *put_text(uint8_t *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

static uint8_t *put_mark(uint8_t *at, const char *mark, const char *label)
{
    at = put_text(at, mark, strlen(mark));
    at = put_text(at, label, strlen(label));
    return put_text(at, "-----\n", sizeof("-----\n") - 1);
}

void ca_pem_append(struct ca_buf *out, const char *label, struct ca_bytes der)
{
    uint8_t *at = ca_buf_extend(out, ca_pem_len(label, der.len));
    size_t done = 0;

    if (at == NULL) return;
    at = put_mark(at, begin_mark, label);
    while (done < der.len) {
        size_t len = der.len - done < LINE_OCTETS ? der.len - done : LINE_OCTETS;

        at = encode(ca_bytes_of(der.data + done, len), at);
        *at++ = '\n';
        done += len;
    }
    (void)put_mark(at, end_mark, label);
}
