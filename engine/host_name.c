#include "engine/host_name.h"

#include "engine/charset.h"

#include <arpa/inet.h>
#include <string.h>

#define HOST_LEN_MAX 253            /* RFC 1035 2.3.4, without the length octets around it */
#define LABEL_LEN_MAX 63
#define LOCAL_PART_LEN_MAX 64       /* RFC 5321 4.5.3.1.1 */

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Punycode (RFC 3492), as far as the question goes whether it can be decoded: the bootstring state
 * is followed, the characters are not put together. */

static int punycode_digit(uint8_t c)
{
    if (c >= 'a' && c <= 'z') return c - 'a';
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= '0' && c <= '9' ? c - '0' + 26 : -1;
}

/* RFC 3492 6.1 */
static uint32_t punycode_adapt(uint32_t delta, uint32_t points, bool first)
{
    uint32_t k = 0;

    delta = first ? delta / 700 : delta / 2;
    delta += delta / points;
    for (; delta > 455; k += 36) delta /= 35;
    return k + 36 * delta / (delta + 38);
}

/* Reads one generalized integer (RFC 3492 3.3) and moves *at past it. */
static bool punycode_delta(struct ca_bytes text, size_t *at, uint32_t bias, uint32_t *delta)
{
    uint64_t value = 0, weight = 1;

    for (uint32_t k = 36;; k += 36) {
        uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
        int digit = *at < text.len ? punycode_digit(text.data[*at]) : -1;

        if (digit < 0) return false;
        (*at)++;
        value += (uint64_t)digit * weight;
        if (value > UINT32_MAX) return false;
        if ((uint32_t)digit < t) break;
        weight *= 36 - t;
        if (weight > UINT32_MAX) return false;
    }
    *delta = (uint32_t)value;
    return true;
}

/* The part of a label after "xn--": decodes to at least one character outside ASCII, none of them
 * one that hides or reorders what a reader sees. */
static bool is_punycode(struct ca_bytes text)
{
    uint32_t bias = 72, points = 0;
    uint64_t n = 128, place = 0;
    size_t at = 0;

    for (size_t i = text.len; i-- > 0;) {
        if (text.data[i] != '-') continue;
        points = (uint32_t)i;       /* the ASCII characters stand before the last hyphen */
        at = i + 1;
        break;
    }
    if (at == text.len) return false;
    for (bool first = true; at < text.len; first = false) {
        uint32_t delta = 0;

        if (!punycode_delta(text, &at, bias, &delta)) return false;
        points++;
        bias = punycode_adapt(delta, points, first);
        place += delta;
        n += place / points;
        place = place % points + 1;
        if (n > UINT32_MAX || ca_charset_hides((uint32_t)n)) return false;
    }
    return true;
}

/* Host names */

static const char *label_fault(struct ca_bytes label)
{
    if (label.len == 0) return "has an empty label";
    if (label.len > LABEL_LEN_MAX) return "has a label of more than 63 octets";
    for (size_t i = 0; i < label.len; i++) {
        uint8_t c = label.data[i];

        if (!is_letter_or_digit(c) && c != '-' && c != '_')
            return "has a character that host names do not have";
    }
    if (label.data[0] == '-' || label.data[label.len - 1] == '-')
        return "has a label with a hyphen at an end";
    if (label.len >= 4 && (label.data[0] | 0x20) == 'x' && (label.data[1] | 0x20) == 'n' &&
        label.data[2] == '-' && label.data[3] == '-' &&
        !is_punycode(ca_bytes_of(label.data + 4, label.len - 4)))
        return "has an xn-- label that is not punycode";
    return NULL;
}

/* RFC 1034 3.5 as RFC 1123 2.1 relaxes it, and underscores, which are in use. */
static const char *host_fault(struct ca_bytes host)
{
    size_t start = 0;

    if (host.len == 0) return "is empty";
    for (size_t i = 0; i <= host.len; i++) {
        const char *fault;

        if (i < host.len && host.data[i] != '.') continue;
        fault = label_fault(ca_bytes_of(host.data + start, i - start));
        if (fault != NULL) return fault;
        start = i + 1;
    }
    return NULL;
}

const char *ca_host_name_fault(struct ca_bytes name, bool wildcard)
{
    struct ca_bytes host = name;

    if (name.len > HOST_LEN_MAX) return "is longer than 253 octets";
    if (wildcard && name.len >= 2 && name.data[0] == '*' && name.data[1] == '.')
        host = ca_bytes_of(name.data + 2, name.len - 2);
    return host_fault(host);
}

/* Mailboxes: a dot-atom, "@" and a host (RFC 5321 4.1.2 without quoted strings and literals). */

static const char *local_part_fault(struct ca_bytes local)
{
    static const char allowed[] = "!#$%&'*+-/=?^_`{|}~";
    bool dot = true;        /* a dot may not stand here */

    if (local.len == 0 || local.len > LOCAL_PART_LEN_MAX)
        return "needs 1 to 64 characters before the @";
    for (size_t i = 0; i < local.len; i++) {
        uint8_t c = local.data[i];

        if (c == '.') {
            if (dot) return "has a dot too many before the @";
        } else if (!is_letter_or_digit(c) &&
                   memchr(allowed, c, sizeof(allowed) - 1) == NULL) {
            return "has a character that mailboxes do not have";
        }
        dot = c == '.';
    }
    return dot ? "has a dot too many before the @" : NULL;
}

const char *ca_mailbox_fault(struct ca_bytes mailbox)
{
    const uint8_t *at = mailbox.len == 0 ? NULL : memrchr(mailbox.data, '@', mailbox.len);
    const char *fault;
    size_t local_len;

    if (at == NULL) return "has no @";
    local_len = (size_t)(at - mailbox.data);
    fault = local_part_fault(ca_bytes_of(mailbox.data, local_len));
    if (fault != NULL) return fault;
    return ca_host_name_fault(ca_bytes_of(at + 1, mailbox.len - local_len - 1), false);
}

/* URIs */

static bool is_hex_digit(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* The length of the scheme, 0 when there is none. */
static size_t scheme_len(struct ca_bytes uri)
{
    for (size_t i = 0; i < uri.len; i++) {
        uint8_t c = uri.data[i];

        if (c == ':') return i;
        if (!is_letter_or_digit(c) && (i == 0 || (c != '+' && c != '-' && c != '.'))) return 0;
        if (i == 0 && c <= '9') return 0;
    }
    return 0;
}

static const char *uri_octets_fault(struct ca_bytes uri)
{
    for (size_t i = 0; i < uri.len; i++) {
        uint8_t c = uri.data[i];

        if (c <= 0x20 || c > 0x7e || strchr("\"<>\\^`{|}", c) != NULL)
            return "has a character that URIs do not have";
        if (c == '%' && (uri.len - i < 3 || !is_hex_digit(uri.data[i + 1]) ||
                         !is_hex_digit(uri.data[i + 2])))
            return "has a % without two hexadecimal digits";
    }
    return NULL;
}

/* An IPv6 address in brackets; RFC 3986 3.2.2. */
static const char *ip_literal_fault(struct ca_bytes literal)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (literal.len >= sizeof(text)) return "has a bad IPv6 address as its host";
    memcpy(text, literal.data, literal.len);
    text[literal.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1 ? NULL : "has a bad IPv6 address as its host";
}

static const char *port_fault(struct ca_bytes port)
{
    for (size_t i = 0; i < port.len; i++) {
        if (port.data[i] < '0' || port.data[i] > '9') return "has a port that is no number";
    }
    return port.len > 5 ? "has a port that is no number" : NULL;
}

/* RFC 5280 4.2.1.6: an authority includes a host, which is a name or an address. */
static const char *authority_fault(struct ca_bytes authority)
{
    const uint8_t *at, *colon, *bracket;
    struct ca_bytes host = authority;
    const char *fault;

    at = host.len == 0 ? NULL : memrchr(host.data, '@', host.len);
    if (at != NULL) host = ca_bytes_of(at + 1, host.len - (size_t)(at + 1 - host.data));
    if (host.len > 0 && host.data[0] == '[') {
        struct ca_bytes after;

        bracket = memchr(host.data, ']', host.len);
        if (bracket == NULL) return "has a bad IPv6 address as its host";
        after = ca_bytes_of(bracket + 1, host.len - (size_t)(bracket + 1 - host.data));
        fault = ip_literal_fault(ca_bytes_of(host.data + 1, (size_t)(bracket - host.data) - 1));
        if (fault != NULL || after.len == 0) return fault;
        if (after.data[0] != ':') return "has something between its host and port";
        return port_fault(ca_bytes_of(after.data + 1, after.len - 1));
    }
    colon = host.len == 0 ? NULL : memchr(host.data, ':', host.len);
    if (colon != NULL) {
        size_t host_len = (size_t)(colon - host.data);

        fault = port_fault(ca_bytes_of(colon + 1, host.len - host_len - 1));
        if (fault != NULL) return fault;
        host = ca_bytes_of(host.data, host_len);
    }
    if (host.len == 0) return "has no host";
    return ca_host_name_fault(host, false);
}

const char *ca_uri_fault(struct ca_bytes uri)
{
    const char *fault = uri_octets_fault(uri);
    size_t scheme = scheme_len(uri);
    struct ca_bytes rest;
    size_t len = 0;

    if (fault != NULL) return fault;
    if (scheme == 0) return "has no scheme";
    rest = ca_bytes_of(uri.data + scheme + 1, uri.len - scheme - 1);
    if (rest.len == 0) return "has nothing after its scheme";
    if (rest.len < 2 || rest.data[0] != '/' || rest.data[1] != '/') return NULL;
    rest = ca_bytes_of(rest.data + 2, rest.len - 2);
    while (len < rest.len && strchr("/?#", rest.data[len]) == NULL) len++;
    return authority_fault(ca_bytes_of(rest.data, len));
}
