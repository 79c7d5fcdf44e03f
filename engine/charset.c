#include "engine/charset.h"

#include <string.h>

static const bool printable[256] = {
    [' '] = true, ['\''] = true, ['('] = true, [')'] = true, ['+'] = true, [','] = true,
    ['-'] = true, ['.'] = true,  ['/'] = true, [':'] = true, ['='] = true, ['?'] = true,
    ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true,
    ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true,
    ['A'] = true, ['B'] = true, ['C'] = true, ['D'] = true, ['E'] = true, ['F'] = true,
    ['G'] = true, ['H'] = true, ['I'] = true, ['J'] = true, ['K'] = true, ['L'] = true,
    ['M'] = true, ['N'] = true, ['O'] = true, ['P'] = true, ['Q'] = true, ['R'] = true,
    ['S'] = true, ['T'] = true, ['U'] = true, ['V'] = true, ['W'] = true, ['X'] = true,
    ['Y'] = true, ['Z'] = true,
    ['a'] = true, ['b'] = true, ['c'] = true, ['d'] = true, ['e'] = true, ['f'] = true,
    ['g'] = true, ['h'] = true, ['i'] = true, ['j'] = true, ['k'] = true, ['l'] = true,
    ['m'] = true, ['n'] = true, ['o'] = true, ['p'] = true, ['q'] = true, ['r'] = true,
    ['s'] = true, ['t'] = true, ['u'] = true, ['v'] = true, ['w'] = true, ['x'] = true,
    ['y'] = true, ['z'] = true,
};

size_t ca_charset_printable(struct ca_bytes text)
{
    size_t i = 0;

    while (i < text.len && printable[text.data[i]]) i++;
    return i;
}

size_t ca_charset_ascii(struct ca_bytes text)
{
    size_t i = 0;

    while (i < text.len && text.data[i] >= 0x20 && text.data[i] <= 0x7e) i++;
    return i;
}

/* The character of more than one octet that begins text, and its length; 0 when it is not UTF-8. */
static size_t decode_wide(struct ca_bytes text, uint32_t *character)
{
    size_t len = ca_utf8_sequence(text);
    uint32_t c = len == 0 ? 0 : text.data[0] & (0x7fu >> len);

    for (size_t i = 1; i < len; i++) c = (c << 6) | (text.data[i] & 0x3fu);
    *character = c;
    return len;
}

bool ca_charset_hides(uint32_t character)
{
    uint32_t c = character;

    if (c < 0xa0) return true;                              /* C1 controls */
    if (c == 0x61c || c == 0x200e || c == 0x200f) return true;      /* direction marks */
    if (c >= 0x202a && c <= 0x202e) return true;            /* embeddings and overrides */
    if (c >= 0x2060 && c <= 0x206f) return true;            /* isolates, invisible operators */
    if (c == 0x200b || c == 0xfeff) return true;            /* zero width, no joiner */
    if (c == 0xad || c == 0x180e) return true;              /* soft hyphen, vowel separator */
    if (c >= 0xfff9 && c <= 0xfffb) return true;            /* annotations */
    if (c == 0x2028 || c == 0x2029) return true;            /* line and paragraph separators */
    if (c >= 0xe0000 && c <= 0xe007f) return true;          /* tags: invisible ASCII */
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return true;  /* no characters */
    return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);  /* noncharacters */
}

size_t ca_charset_utf8(struct ca_bytes text, size_t *characters)
{
    size_t i = 0, n = 0;

    while (i < text.len) {
        uint8_t first = text.data[i];
        size_t len = 1;

        if (first < 0x80) {
            if (first < 0x20 || first == 0x7f) break;
        } else {
            uint32_t c = 0;

            len = decode_wide(ca_bytes_of(text.data + i, text.len - i), &c);
            if (len == 0 || ca_charset_hides(c)) break;
        }
        i += len;
        n++;
    }
    *characters = n;
    return i;
}
