#include "engine/der.h"

#include "engine/clock.h"
#include "engine/reason.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OID_OCTETS_MAX 64

/* The failures are cold and out of line: the readers below are on the path of every request. */
__attribute__((cold, noinline, format(printf, 3, 0)))
static enum ca_status refuse(struct ca_error *err, uint16_t reason, const char *format,
                             va_list args)
{
    char text[CA_ERROR_TEXT_MAX];

    (void)vsnprintf(text, sizeof(text), format, args);
    return ca_refuse(err, reason != 0 ? (enum ca_reason)reason : CA_REASON_BAD_DER, "%s", text);
}

/* The bytes are not DER. */
__attribute__((cold, noinline, format(printf, 2, 3)))
static enum ca_status bad_der(struct ca_error *err, const char *format, ...)
{
    enum ca_status st;
    va_list args;

    va_start(args, format);
    st = refuse(err, CA_REASON_BAD_DER, format, args);
    va_end(args);
    return st;
}

/* The bytes are DER, but not what the grammar has here. */
__attribute__((cold, noinline, format(printf, 3, 4)))
static enum ca_status bad_grammar(struct ca_error *err, const struct ca_der *der,
                                  const char *format, ...)
{
    enum ca_status st;
    va_list args;

    va_start(args, format);
    st = refuse(err, der->reason, format, args);
    va_end(args);
    return st;
}

/* Reading */

bool ca_der_next_is(const struct ca_der *der, uint8_t tag)
{
    return der->rest.len > 0 && der->rest.data[0] == tag;
}

/* A length in the long form (X.690 10.1: definite, the fewest octets); p points behind the first
 * length octet, *used counts the octets after it. */
static enum ca_status long_length(uint8_t first, const uint8_t *p, size_t avail, size_t *len,
                                  size_t *used, struct ca_error *err)
{
    size_t octets = first & 0x7fu;
    size_t value = 0;

    if (octets == 0) return bad_der(err, "indefinite length, which DER does not allow");
    if (octets > 4) return bad_der(err, "a length in %zu octets, at most 4 are read", octets);
    if (octets > avail) return bad_der(err, "cut off inside a length");
    for (size_t i = 0; i < octets; i++) value = (value << 8) | p[i];
    if (p[0] == 0 || value < 0x80) return bad_der(err, "a length that is not in its shortest form");
    *len = value;
    *used = octets;
    return CA_OK;
}

static inline enum ca_status read_element(struct ca_der *der, struct ca_der_element *out,
                                          struct ca_error *err)
{
    const uint8_t *p = der->rest.data;
    size_t avail = der->rest.len;
    size_t header = 2;
    size_t len;

    if (avail == 0) return bad_grammar(err, der, "an element is missing");
    if (avail < 2) return bad_der(err, "cut off inside a header");
    if ((p[0] & 0x1f) == 0x1f) return bad_der(err, "a tag number over 30");
    if ((p[0] & 0xdf) == 0) return bad_der(err, "the reserved tag 0");
    len = p[1];
    if (len >= 0x80) {
        size_t used = 0;
        enum ca_status st = long_length(p[1], p + 2, avail - 2, &len, &used, err);

        if (st != CA_OK) return st;
        header += used;
    }
    if (len > avail - header)
        return bad_der(err, "cut off: an element of %zu octets where %zu are left", len,
                   avail - header);
    out->tag = p[0];
    out->content = ca_bytes_of(p + header, len);
    out->whole = ca_bytes_of(p, header + len);
    der->rest = ca_bytes_of(p + header + len, avail - header - len);
    return CA_OK;
}

enum ca_status ca_der_any(struct ca_der *der, struct ca_der_element *out, struct ca_error *err)
{
    return read_element(der, out, err);
}

enum ca_status ca_der_take(struct ca_der *der, uint8_t tag, const char *what,
                           struct ca_der_element *out, struct ca_error *err)
{
    if (der->rest.len == 0) return bad_grammar(err, der, "%s is missing", what);
    if (der->rest.data[0] != tag)
        return bad_grammar(err, der, "%s has tag %02x, not %02x", what, der->rest.data[0], tag);
    return read_element(der, out, err);
}

enum ca_status ca_der_enter(struct ca_der *der, uint8_t tag, const char *what,
                            struct ca_der *inner, struct ca_error *err)
{
    struct ca_der_element element = { .tag = 0 };
    enum ca_status st = ca_der_take(der, tag, what, &element, err);

    if (st == CA_OK) {
        *inner = (struct ca_der){ .rest = element.content, .reason = der->reason };
    }
    return st;
}

enum ca_status ca_der_end(const struct ca_der *der, const char *what, struct ca_error *err)
{
    if (der->rest.len == 0) return CA_OK;
    return bad_grammar(err, der, "%zu octets too many in %s", der->rest.len, what);
}

enum ca_status ca_der_set_next(struct ca_der *set, uint8_t tag, const char *what,
                               struct ca_bytes *previous, struct ca_der_element *out,
                               struct ca_error *err)
{
    struct ca_der_element element = { .tag = 0 };
    enum ca_status st = ca_der_take(set, tag, what, &element, err);

    if (st != CA_OK) return st;
    if (previous->len > 0) {
        size_t common = previous->len < element.whole.len ? previous->len : element.whole.len;
        int order = memcmp(previous->data, element.whole.data, common);

        /* Of two different elements none is the beginning of the other: the lengths are inside. */
        if (order == 0) return bad_grammar(err, set, "%s stands twice in its SET", what);
        if (order > 0) return bad_der(err, "%s: the SET is not in DER order", what);
    }
    *previous = element.whole;
    *out = element;
    return CA_OK;
}

enum ca_status ca_der_bool(struct ca_der *der, const char *what, bool *out, struct ca_error *err)
{
    struct ca_der_element e = { .tag = 0 };
    enum ca_status st = ca_der_take(der, CA_DER_BOOLEAN, what, &e, err);

    if (st != CA_OK) return st;
    if (e.content.len != 1 || (e.content.data[0] != 0 && e.content.data[0] != 0xff))
        return bad_der(err, "%s is neither 00 nor ff", what);
    *out = e.content.data[0] == 0xff;
    return CA_OK;
}

enum ca_status ca_der_unsigned(struct ca_der *der, const char *what, struct ca_bytes *out,
                               struct ca_error *err)
{
    struct ca_der_element e = { .tag = 0 };
    const uint8_t *p;
    enum ca_status st = ca_der_take(der, CA_DER_INTEGER, what, &e, err);

    if (st != CA_OK) return st;
    p = e.content.data;
    if (e.content.len == 0) return bad_der(err, "%s is an INTEGER without octets", what);
    if (p[0] >= 0x80) return bad_grammar(err, der, "%s is negative", what);
    if (p[0] != 0 || e.content.len == 1) {
        *out = e.content;
        return CA_OK;
    }
    if (p[1] < 0x80) return bad_der(err, "%s is not in its shortest form", what);
    *out = ca_bytes_of(p + 1, e.content.len - 1);
    return CA_OK;
}

enum ca_status ca_der_small(struct ca_der *der, const char *what, uint32_t *out,
                            struct ca_error *err)
{
    struct ca_bytes magnitude = { .len = 0 };
    uint32_t value = 0;
    enum ca_status st = ca_der_unsigned(der, what, &magnitude, err);

    if (st != CA_OK) return st;
    if (magnitude.len > 4 || (magnitude.len == 4 && magnitude.data[0] >= 0x80))
        return bad_grammar(err, der, "%s is larger than 2147483647", what);
    for (size_t i = 0; i < magnitude.len; i++) value = (value << 8) | magnitude.data[i];
    *out = value;
    return CA_OK;
}

enum ca_status ca_der_octets_of_bits(struct ca_der *der, const char *what, struct ca_bytes *out,
                                     struct ca_error *err)
{
    struct ca_der_element e = { .tag = 0 };
    enum ca_status st = ca_der_take(der, CA_DER_BIT_STRING, what, &e, err);

    if (st != CA_OK) return st;
    if (e.content.len == 0) return bad_der(err, "%s is a BIT STRING without octets", what);
    if (e.content.data[0] != 0)
        return bad_grammar(err, der, "%s has %d unused bits", what, e.content.data[0]);
    *out = ca_bytes_of(e.content.data + 1, e.content.len - 1);
    return CA_OK;
}

/* X.690 8.19: arcs in base 128, each in its fewest octets, the last one ended. */
static bool is_oid(struct ca_bytes content)
{
    bool starts = true;     /* the next octet begins an arc */

    for (size_t i = 0; i < content.len; i++) {
        if (starts && content.data[i] == 0x80) return false;
        starts = content.data[i] < 0x80;
    }
    return starts && content.len > 0;
}

enum ca_status ca_der_oid(struct ca_der *der, const char *what, struct ca_bytes *out,
                          struct ca_error *err)
{
    struct ca_der_element e = { .tag = 0 };
    enum ca_status st = ca_der_take(der, CA_DER_OID, what, &e, err);

    if (st != CA_OK) return st;
    if (!is_oid(e.content)) return bad_der(err, "%s is an OID that is not well-formed", what);
    if (e.content.len > OID_OCTETS_MAX)
        return bad_grammar(err, der, "%s is an OID of %zu octets, more than %d", what,
                           e.content.len, OID_OCTETS_MAX);
    *out = e.content;
    return CA_OK;
}

/* X.690 8.3.2 and 8.2: in the fewest octets. */
static bool is_integer(struct ca_bytes content)
{
    const uint8_t *p = content.data;

    if (content.len < 2) return content.len == 1;
    return !(p[0] == 0 && p[1] < 0x80) && !(p[0] == 0xff && p[1] >= 0x80);
}

/* X.690 8.6.2 and 11.2.1: at most 7 unused bits, which are zero. */
static bool is_bit_string(struct ca_bytes content)
{
    unsigned unused = content.len == 0 ? 8 : content.data[0];

    if (unused > 7) return false;
    if (content.len == 1) return unused == 0;
    return (content.data[content.len - 1] & ((1u << unused) - 1)) == 0;
}

static int32_t two_digits(const uint8_t *p)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return -1;
    return (p[0] - '0') * 10 + (p[1] - '0');
}

/* X.690 11.7 and 11.8: Zulu and seconds; a GeneralizedTime may have a fraction that does not end in
 * zero. */
static bool is_time(struct ca_bytes content, size_t year_digits)
{
    size_t digits = year_digits + 10, last = content.len - 1;
    const uint8_t *p = content.data;
    struct ca_civil c = { .year = 2000 };
    int64_t time_s;

    if (content.len < digits + 1 || p[last] != 'Z') return false;
    for (size_t i = 0; i < last; i++) {
        bool point = i == digits && year_digits == 4 && p[i] == '.';

        if (!point && (i == digits || p[i] < '0' || p[i] > '9')) return false;
    }
    if (last > digits && (last == digits + 1 || p[last - 1] == '0')) return false;
    if (year_digits == 4) c.year = two_digits(p) * 100 + two_digits(p + 2);
    else c.year += two_digits(p);
    p += year_digits;
    c.month = two_digits(p);
    c.day = two_digits(p + 2);
    c.hour = two_digits(p + 4);
    c.minute = two_digits(p + 6);
    c.second = two_digits(p + 8);
    return ca_time_from_civil(&c, &time_s, NULL) == CA_OK;
}

/* The rules that each universal type has for itself. What has a tag of another class can be
 * anything. */
static bool is_well_formed(const struct ca_der_element *e)
{
    if ((e->tag & 0xc0) != 0) return true;
    if ((e->tag & 0x20) != 0)       /* only SEQUENCE, SET, EXTERNAL and EMBEDDED PDV have parts */
        return e->tag == CA_DER_SEQUENCE || e->tag == CA_DER_SET || e->tag == 0x28 ||
               e->tag == 0x2b;
    switch (e->tag) {
    case CA_DER_BOOLEAN:
        return e->content.len == 1 && (e->content.data[0] == 0 || e->content.data[0] == 0xff);
    case CA_DER_INTEGER:
    case 0x0a: return is_integer(e->content);               /* and ENUMERATED */
    case CA_DER_BIT_STRING: return is_bit_string(e->content);
    case CA_DER_NULL: return e->content.len == 0;
    case CA_DER_OID: return is_oid(e->content);
    case CA_DER_BMP_STRING: return e->content.len % 2 == 0;
    case CA_DER_UNIVERSAL_STRING: return e->content.len % 4 == 0;
    case CA_DER_UTC_TIME: return is_time(e->content, 2);
    case CA_DER_GENERALIZED_TIME: return is_time(e->content, 4);
    case 0x08:
    case 0x0b:
    case 0x10:
    case 0x11: return false;        /* types that have parts, without the bit that says so */
    default: return true;
    }
}

enum ca_status ca_der_check_nested(struct ca_bytes whole, const char *what, struct ca_error *err)
{
    struct ca_der level[CA_DER_DEPTH_MAX + 1];
    size_t depth = 0;

    level[0] = ca_der_open(whole);
    if (whole.len == 0) return bad_der(err, "%s is missing", what);
    for (;;) {
        struct ca_der_element element = { .tag = 0 };
        enum ca_status st;

        if (ca_der_at_end(&level[depth])) {
            if (depth == 0) return CA_OK;
            depth--;
            continue;
        }
        st = read_element(&level[depth], &element, err);
        if (st != CA_OK) return st;
        if (depth == 0 && !ca_der_at_end(&level[0])) return ca_der_end(&level[0], what, err);
        if (!is_well_formed(&element))
            return bad_der(err, "%s has an element of tag %02x that is not well-formed", what,
                           element.tag);
        if ((element.tag & 0x20) == 0) continue;
        if (depth == CA_DER_DEPTH_MAX)
            return bad_der(err, "%s is nested more than %d deep", what, CA_DER_DEPTH_MAX);
        level[++depth] = ca_der_open(element.content);
    }
}

/* The value of digits two at a time; -1 when one of them is no digit. */
enum ca_status ca_der_time(struct ca_der *der, const char *what, int64_t *time_s,
                           struct ca_error *err)
{
    struct ca_der_element e = { .tag = 0 };
    struct ca_civil c;
    const uint8_t *p;
    int32_t century, year;
    bool utc = ca_der_next_is(der, CA_DER_UTC_TIME);
    enum ca_status st =
        ca_der_take(der, utc ? CA_DER_UTC_TIME : CA_DER_GENERALIZED_TIME, what, &e, err);

    if (st != CA_OK) return st;
    p = e.content.data;
    if (e.content.len != (utc ? 13 : 15) || p[e.content.len - 1] != 'Z')
        return bad_grammar(err, der, "%s is not a time in whole seconds with Z", what);
    century = utc ? 0 : two_digits(p);
    if (!utc) p += 2;
    year = two_digits(p);
    if (utc) century = year >= 50 ? 19 : 20;        /* RFC 5280 4.1.2.5.1 */
    c.year = century < 0 || year < 0 ? -1 : century * 100 + year;
    c.month = two_digits(p + 2);
    c.day = two_digits(p + 4);
    c.hour = two_digits(p + 6);
    c.minute = two_digits(p + 8);
    c.second = two_digits(p + 10);
    if (c.year < 0 || c.month < 0 || c.day < 0 || c.hour < 0 || c.minute < 0 || c.second < 0 ||
        ca_time_from_civil(&c, time_s, NULL) != CA_OK)
        return bad_grammar(err, der, "%s is not a date: %.*s", what, (int)e.content.len,
                           (const char *)e.content.data);
    if (!utc && c.year >= 1950 && c.year <= 2049)
        return bad_grammar(err, der, "%s is a GeneralizedTime in the years of UTCTime", what);
    return CA_OK;
}

/* Object identifiers as text */

/* One arc of an OID as a number of any size that 64 octets can hold: 9 decimal digits a limb. */
#define ARC_LIMBS 16            /* 144 digits; 64 octets of 7 bits need 135 */
#define ARC_LIMB UINT64_C(1000000000)

struct arc {
    uint32_t limb[ARC_LIMBS];   /* least significant first */
};

static void arc_shift_add(struct arc *arc, uint8_t seven_bits)
{
    uint64_t carry = seven_bits;

    for (size_t i = 0; i < ARC_LIMBS; i++) {
        uint64_t v = (uint64_t)arc->limb[i] * 128 + carry;

        arc->limb[i] = (uint32_t)(v % ARC_LIMB);
        carry = v / ARC_LIMB;
    }
}

static void arc_subtract_small(struct arc *arc, uint32_t less)
{
    size_t i = 0;

    if (arc->limb[0] >= less) {
        arc->limb[0] -= less;
        return;
    }
    arc->limb[0] = (uint32_t)(arc->limb[0] + ARC_LIMB - less);
    while (arc->limb[++i] == 0) arc->limb[i] = (uint32_t)(ARC_LIMB - 1);
    arc->limb[i]--;
}

static bool arc_is_below(const struct arc *arc, uint32_t bound)
{
    for (size_t i = 1; i < ARC_LIMBS; i++) {
        if (arc->limb[i] != 0) return false;
    }
    return arc->limb[0] < bound;
}

static void arc_print(const struct arc *arc, char out[ARC_LIMBS * 9 + 1])
{
    size_t top = ARC_LIMBS - 1;
    int used;

    while (top > 0 && arc->limb[top] == 0) top--;
    used = snprintf(out, 11, "%u", arc->limb[top]);
    while (top-- > 0) used += snprintf(out + used, 10, "%09u", arc->limb[top] % 1000000000u);
}

/* A text that takes whole pieces; once one does not fit, it ends in "..." and takes no more. */
struct bounded_text {
    char *out;
    size_t cap;
    size_t len;
    bool cut;
};

static void text_add(struct bounded_text *text, const char *piece)
{
    size_t len = strlen(piece);

    if (text->cut) return;
    if (len < text->cap - text->len) {
        memcpy(text->out + text->len, piece, len + 1);
        text->len += len;
        return;
    }
    text->cut = true;
    if (text->cap < 4) return;
    if (text->len > text->cap - 4) text->len = text->cap - 4;
    memcpy(text->out + text->len, "...", 4);
}

void ca_der_oid_text(struct ca_bytes oid, char *out, size_t cap)
{
    struct bounded_text text = { .out = out, .cap = cap };
    struct arc arc = { { 0 } };
    bool first = true;
    size_t used = oid.len <= OID_OCTETS_MAX ? oid.len : OID_OCTETS_MAX;

    assert(cap > 0);
    out[0] = '\0';
    for (size_t i = 0; i < used && !text.cut; i++) {
        char digits[ARC_LIMBS * 9 + 1];

        arc_shift_add(&arc, oid.data[i] & 0x7f);
        if (oid.data[i] >= 0x80) continue;
        if (first) {
            uint32_t root = arc_is_below(&arc, 40) ? 0 : arc_is_below(&arc, 80) ? 1 : 2;

            arc_subtract_small(&arc, root * 40);
            text_add(&text, root == 0 ? "0" : root == 1 ? "1" : "2");
        }
        arc_print(&arc, digits);
        text_add(&text, ".");
        text_add(&text, digits);
        first = false;
        arc = (struct arc){ { 0 } };
    }
    if (used < oid.len && !text.cut) text_add(&text, "...");
}

/* Multiplies a number of base-128 digits (most significant first, n of them) by ten and adds. */
static bool base128_times_ten(uint8_t digit[OID_OCTETS_MAX], unsigned add)
{
    unsigned carry = add;

    for (size_t i = OID_OCTETS_MAX; i-- > 0;) {
        unsigned v = digit[i] * 10u + carry;

        digit[i] = v & 0x7f;
        carry = v >> 7;
    }
    return carry == 0;
}

static bool base128_add(uint8_t digit[OID_OCTETS_MAX], unsigned add)
{
    for (size_t i = OID_OCTETS_MAX; i-- > 0 && add > 0;) {
        unsigned v = digit[i] + add;

        digit[i] = v & 0x7f;
        add = v >> 7;
    }
    return add == 0;
}

/* Reads one decimal arc without leading zeros and moves *text past it. */
static bool take_arc(const char **text, uint8_t digit[OID_OCTETS_MAX])
{
    const char *p = *text;

    memset(digit, 0, OID_OCTETS_MAX);
    if (*p < '0' || *p > '9') return false;
    if (*p == '0' && p[1] >= '0' && p[1] <= '9') return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (!base128_times_ten(digit, (unsigned)(*p - '0'))) return false;
    }
    *text = p;
    return true;
}

/* Appends the arc to content; false when there is no room. */
static bool put_arc(const uint8_t digit[OID_OCTETS_MAX], uint8_t content[OID_OCTETS_MAX],
                    size_t *len)
{
    size_t i = 0;

    while (i < OID_OCTETS_MAX - 1 && digit[i] == 0) i++;
    if (OID_OCTETS_MAX - i > OID_OCTETS_MAX - *len) return false;
    for (; i < OID_OCTETS_MAX; i++) {
        content[(*len)++] = (uint8_t)(digit[i] | (i < OID_OCTETS_MAX - 1 ? 0x80 : 0));
    }
    return true;
}

static bool parse_oid(const char *p, uint8_t content[OID_OCTETS_MAX], size_t *len)
{
    uint8_t digit[OID_OCTETS_MAX];
    unsigned root;

    *len = 0;
    if (*p < '0' || *p > '2' || p[1] != '.') return false;
    root = (unsigned)(*p - '0');
    p += 2;
    if (!take_arc(&p, digit)) return false;
    if (root < 2) {
        for (size_t i = 0; i < OID_OCTETS_MAX - 1; i++) {
            if (digit[i] != 0) return false;
        }
        if (digit[OID_OCTETS_MAX - 1] >= 40) return false;
    }
    if (!base128_add(digit, root * 40) || !put_arc(digit, content, len)) return false;
    while (*p == '.') {
        p++;
        if (!take_arc(&p, digit) || !put_arc(digit, content, len)) return false;
    }
    return *p == '\0';
}

enum ca_status ca_der_oid_parse(const char *dotted, struct ca_buf *out, struct ca_error *err)
{
    uint8_t content[OID_OCTETS_MAX];
    size_t len;

    if (!parse_oid(dotted, content, &len))
        return bad_der(err, "not an object identifier of at most %d octets: %.80s", OID_OCTETS_MAX,
                   dotted);
    ca_buf_append(out, content, len);
    return ca_buf_status(out, "an object identifier", err);
}

/* Writing */

size_t ca_der_header_len(size_t content_len)
{
    assert(content_len <= UINT32_MAX);
    if (content_len < 0x80) return 2;
    if (content_len <= 0xff) return 3;
    if (content_len <= 0xffff) return 4;
    return content_len <= 0xffffff ? 5 : 6;
}

size_t ca_der_put_header(uint8_t *out, uint8_t tag, size_t content_len)
{
    size_t header = ca_der_header_len(content_len);

    out[0] = tag;
    if (header == 2) {
        out[1] = (uint8_t)content_len;
        return 2;
    }
    out[1] = (uint8_t)(0x80 | (header - 2));
    for (size_t i = header; i-- > 2; content_len >>= 8) out[i] = (uint8_t)content_len;
    return header;
}

void ca_der_add_header(struct ca_buf *out, uint8_t tag, size_t content_len)
{
    uint8_t header[6];

    ca_buf_append(out, header, ca_der_put_header(header, tag, content_len));
}

void ca_der_add(struct ca_buf *out, uint8_t tag, struct ca_bytes content)
{
    ca_der_add_header(out, tag, content.len);
    ca_buf_append_bytes(out, content);
}

void ca_der_add_unsigned(struct ca_buf *out, struct ca_bytes magnitude)
{
    bool pad;

    while (magnitude.len > 0 && magnitude.data[0] == 0) {
        magnitude = ca_bytes_of(magnitude.data + 1, magnitude.len - 1);
    }
    pad = magnitude.len == 0 || magnitude.data[0] >= 0x80;
    ca_der_add_header(out, CA_DER_INTEGER, magnitude.len + pad);
    if (pad) ca_buf_append_u8(out, 0);
    ca_buf_append_bytes(out, magnitude);
}

void ca_der_add_small(struct ca_buf *out, uint32_t value)
{
    uint8_t octets[4];

    ca_put_u32(octets, value);
    ca_der_add_unsigned(out, ca_bytes_of(octets, sizeof(octets)));
}

void ca_der_add_oid(struct ca_buf *out, struct ca_bytes oid_content)
{
    ca_der_add(out, CA_DER_OID, oid_content);
}

void ca_der_add_bits(struct ca_buf *out, struct ca_bytes octets)
{
    ca_der_add_header(out, CA_DER_BIT_STRING, octets.len + 1);
    ca_buf_append_u8(out, 0);
    ca_buf_append_bytes(out, octets);
}

void ca_der_add_named_bits(struct ca_buf *out, uint16_t bits)
{
    uint8_t octets[2] = { 0, 0 };
    uint8_t unused = 0;
    size_t len = 0;

    assert(bits < (1u << 9));
    for (unsigned i = 0; i < 9; i++) {
        if ((bits & (1u << i)) == 0) continue;
        octets[i / 8] = (uint8_t)(octets[i / 8] | (0x80u >> (i % 8)));
        len = i / 8 + 1;
        unused = (uint8_t)(7 - i % 8);
    }
    ca_der_add_header(out, CA_DER_BIT_STRING, len + 1);
    ca_buf_append_u8(out, unused);
    ca_buf_append(out, octets, len);
}

void ca_der_add_time(struct ca_buf *out, int64_t time_s)
{
    struct ca_civil c;
    char text[CA_TIME_TEXT_MAX];
    bool utc;

    ca_time_to_civil(time_s, &c);
    utc = c.year >= 1950 && c.year <= 2049;         /* RFC 5280 4.1.2.5 */
    (void)snprintf(text, sizeof(text), "%04u%02u%02u%02u%02u%02uZ", (unsigned)c.year % 10000,
                   (unsigned)c.month % 100, (unsigned)c.day % 100, (unsigned)c.hour % 100,
                   (unsigned)c.minute % 100, (unsigned)c.second % 100);
    ca_der_add(out, utc ? CA_DER_UTC_TIME : CA_DER_GENERALIZED_TIME,
               ca_bytes_str(utc ? text + 2 : text));
}

void ca_der_wrap(struct ca_buf *out, size_t mark, uint8_t tag)
{
    size_t content_len, header;

    if (out->failed != CA_OK) return;
    assert(mark <= out->len);
    content_len = out->len - mark;
    header = ca_der_header_len(content_len);
    if (ca_buf_extend(out, header) == NULL) return;
    memmove(out->data + mark + header, out->data + mark, content_len);
    (void)ca_der_put_header(out->data + mark, tag, content_len);
}
