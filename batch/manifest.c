#include "batch/manifest.h"

#include <assert.h>
#include <string.h>

struct cursor {
    const uint8_t *at, *end;
};

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r' || *c->at == '\n'))
        c->at++;
}

static bool take(struct cursor *c, uint8_t octet)
{
    skip_space(c);
    if (c->at == c->end || *c->at != octet) return false;
    c->at++;
    return true;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static uint32_t hex4(const uint8_t *p)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        uint32_t digit = p[i] <= '9' ? (uint32_t)p[i] - '0' : ((uint32_t)p[i] | 0x20) - 'a' + 10;
        value = value * 16 + digit;
    }
    return value;
}

/* At the "u" of an escape. */
static bool skip_hex(struct cursor *c, uint32_t *code)
{
    c->at++;
    for (int i = 0; i < 4; i++) {
        if (c->at == c->end || !is_hex(*c->at++)) return false;
    }
    *code = hex4(c->at - 4);
    return true;
}

/* At the octet behind a backslash. Half a surrogate pair is no character (RFC 8259 8.2). */
static bool skip_escape(struct cursor *c)
{
    uint32_t code, low;

    if (c->at == c->end) return false;
    if (*c->at != 'u') return memchr("\"\\/bfnrt", *c->at++, 8) != NULL;
    if (!skip_hex(c, &code)) return false;
    if (code < 0xd800 || code > 0xdfff) return true;
    if (code > 0xdbff || c->end - c->at < 2 || c->at[0] != '\\' || c->at[1] != 'u') return false;
    c->at++;
    return skip_hex(c, &low) && low >= 0xdc00 && low <= 0xdfff;
}

/* Behind the first octet of a character that is not ASCII. */
static bool skip_character(struct cursor *c)
{
    const uint8_t *start = c->at - 1;
    size_t len = ca_utf8_sequence(ca_bytes_of(start, (size_t)(c->end - start)));

    c->at = start + len;
    return len > 0;
}

/* A string with its quotes; *out is the text between them, still escaped. */
static bool skip_string(struct cursor *c, struct ca_bytes *out)
{
    const uint8_t *start;

    if (!take(c, '"')) return false;
    start = c->at;
    while (c->at < c->end) {
        uint8_t octet = *c->at++;

        if (octet == '"') {
            *out = ca_bytes_of(start, (size_t)(c->at - 1 - start));
            return true;
        }
        if (octet < 0x20) return false;
        if (octet == '\\' && !skip_escape(c)) return false;
        if (octet >= 0x80 && !skip_character(c)) return false;
    }
    return false;
}

static bool skip_digits(struct cursor *c)
{
    const uint8_t *start = c->at;

    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') c->at++;
    return c->at > start;
}

static bool skip_number(struct cursor *c)
{
    if (c->at < c->end && *c->at == '-') c->at++;
    if (c->at < c->end && *c->at == '0') c->at++;
    else if (!skip_digits(c)) return false;
    if (c->at < c->end && *c->at == '.') {
        c->at++;
        if (!skip_digits(c)) return false;
    }
    if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
        c->at++;
        if (c->at < c->end && (*c->at == '+' || *c->at == '-')) c->at++;
        if (!skip_digits(c)) return false;
    }
    return true;
}

static bool skip_word(struct cursor *c, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0) return false;
    c->at += len;
    return true;
}

/* A scalar; *out is the whole of it. */
static bool skip_scalar(struct cursor *c, struct ca_bytes *out)
{
    struct ca_bytes inside;
    const uint8_t *start;
    bool good;

    skip_space(c);
    if (c->at == c->end) return false;
    start = c->at;
    switch (*start) {
    case '"': good = skip_string(c, &inside); break;
    case 't': good = skip_word(c, "true"); break;
    case 'f': good = skip_word(c, "false"); break;
    case 'n': good = skip_word(c, "null"); break;
    default: good = skip_number(c); break;
    }
    *out = ca_bytes_of(start, (size_t)(c->at - start));
    return good;
}

/* Where a value stands: which of the containers around it are objects, the innermost in bit 0. */
struct nest {
    unsigned depth;
    uint32_t objects;
};

_Static_assert(BATCH_MANIFEST_DEPTH_MAX <= 32, "one bit for each container");

static bool skip_name(struct cursor *c)
{
    struct ca_bytes name;

    return skip_string(c, &name) && take(c, ':');
}

/* At a bracket. Goes in, up to the first value; *empty when there is none, and out again. */
static bool enter(struct cursor *c, struct nest *nest, bool *empty)
{
    bool object = *c->at == '{';

    if (nest->depth == BATCH_MANIFEST_DEPTH_MAX - 1) return false;  /* the line itself is one */
    c->at++;
    *empty = take(c, object ? '}' : ']');
    if (*empty) return true;
    nest->objects = nest->objects << 1 | (object ? 1U : 0U);
    nest->depth++;
    return !object || skip_name(c);
}

/* Behind a value: out of the containers that end here, or to the next value of one that goes on. */
static bool leave(struct cursor *c, struct nest *nest)
{
    while (nest->depth > 0) {
        bool object = (nest->objects & 1) != 0;

        if (take(c, ',')) return !object || skip_name(c);
        if (!take(c, object ? '}' : ']')) return false;
        nest->objects >>= 1;
        nest->depth--;
    }
    return true;
}

/* Any value; *out is the whole of it. Without recursion: the line comes from strangers. */
static bool skip_value(struct cursor *c, struct ca_bytes *out)
{
    struct nest nest = { 0 };
    struct ca_bytes scalar;
    const uint8_t *start;

    skip_space(c);
    start = c->at;
    do {
        bool empty = true;

        skip_space(c);
        if (c->at < c->end && (*c->at == '{' || *c->at == '[')) {
            if (!enter(c, &nest, &empty)) return false;
            if (!empty) continue;
        } else if (!skip_scalar(c, &scalar)) {
            return false;
        }
        if (!leave(c, &nest)) return false;
    } while (nest.depth > 0);
    *out = ca_bytes_of(start, (size_t)(c->at - start));
    return true;
}

static bool has_member(const struct batch_member_list *list, struct ca_bytes name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (ca_bytes_equal(list->members[i].name, name)) return true;
    }
    return false;
}

static enum ca_status bad_json(const struct cursor *c, struct ca_bytes line, struct ca_error *err)
{
    return ca_refuse(err, CA_REASON_BAD_JSON,
                     "the line is no JSON object: unexpected at octet %zu",
                     (size_t)(c->at - line.data));
}

enum ca_status batch_manifest_split(struct ca_bytes line, struct batch_member_list *out,
                                    struct ca_error *err)
{
    struct cursor c = { .at = line.data, .end = line.data + line.len };

    out->count = 0;
    if (!take(&c, '{')) return bad_json(&c, line, err);
    if (take(&c, '}')) goto end;
    do {
        struct batch_member member;

        if (!skip_string(&c, &member.name) || !take(&c, ':') || !skip_value(&c, &member.value))
            return bad_json(&c, line, err);
        if (has_member(out, member.name))
            return ca_refuse(err, CA_REASON_BAD_JSON, "the member \"%.*s\" stands twice",
                             (int)(member.name.len > 64 ? 64 : member.name.len),
                             (const char *)member.name.data);
        if (out->count == BATCH_MANIFEST_MEMBERS_MAX)
            return ca_refuse(err, CA_REASON_BAD_JSON, "more than %d members",
                             BATCH_MANIFEST_MEMBERS_MAX);
        out->members[out->count++] = member;
    } while (take(&c, ','));
    if (!take(&c, '}')) return bad_json(&c, line, err);
end:
    skip_space(&c);
    return c.at == c.end ? CA_OK : bad_json(&c, line, err);
}

static bool name_is(struct ca_bytes name, const char *text)
{
    return ca_bytes_equal(name, ca_bytes_str(text));
}

bool batch_manifest_is_ours(struct ca_bytes name)
{
    return name_is(name, "ordinal") || name_is(name, "status") || name_is(name, "code") ||
           name_is(name, "detail") || name_is(name, "rule") || name_is(name, "ignored") ||
           name_is(name, "warnings");
}

static size_t put_utf8(uint8_t *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | (code >> 6));
        out[1] = (uint8_t)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | (code >> 12));
        out[1] = (uint8_t)(0x80 | ((code >> 6) & 63));
        out[2] = (uint8_t)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | (code >> 18));
    out[1] = (uint8_t)(0x80 | ((code >> 12) & 63));
    out[2] = (uint8_t)(0x80 | ((code >> 6) & 63));
    out[3] = (uint8_t)(0x80 | (code & 63));
    return 4;
}

/* One \uXXXX, or a pair of surrogates (whole: checked when the line was split), at *at, which is
 * behind the "\u". */
static uint32_t unescape_unicode(const uint8_t **at)
{
    uint32_t code = hex4(*at);

    *at += 4;
    if (code < 0xd800 || code > 0xdfff) return code;
    code = 0x10000 + ((code - 0xd800) << 10) + (hex4(*at + 2) - 0xdc00);
    *at += 6;
    return code;
}

static uint8_t plain_escape(uint8_t c)
{
    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;      /* quote, backslash, slash: checked when the line was split */
    }
}

/* A raw JSON string value into the arena; never longer than it was. */
static struct ca_bytes unescape(struct ca_bytes value, struct ca_buf *arena)
{
    const uint8_t *at = value.data + 1, *end = value.data + value.len - 1;
    uint8_t *start = ca_buf_extend(arena, value.len), *to = start;

    assert(start != NULL);
    while (at < end) {
        const uint8_t *slash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = slash == NULL ? (size_t)(end - at) : (size_t)(slash - at);

        memcpy(to, at, plain);
        to += plain;
        at += plain;
        if (at == end) break;
        at++;
        if (*at != 'u') {
            *to++ = plain_escape(*at++);
            continue;
        }
        at++;
        to += put_utf8(to, unescape_unicode(&at));
    }
    arena->len -= value.len - (size_t)(to - start);
    return ca_bytes_of(start, (size_t)(to - start));
}

static bool is_string(struct ca_bytes value) { return value.data[0] == '"'; }

static bool is_null(struct ca_bytes value) { return name_is(value, "null"); }

static enum ca_status read_id(struct ca_bytes value, struct ca_buf *arena, struct ca_bytes *id,
                              struct ca_error *err)
{
    struct ca_bytes text;

    if (is_null(value)) return CA_OK;
    if (!is_string(value))
        return ca_refuse(err, CA_REASON_BAD_ID, "the id is no string");
    text = unescape(value, arena);
    if (text.len == 0 || text.len > BATCH_ID_MAX)
        return ca_refuse(err, CA_REASON_BAD_ID, "the id has %zu octets, 1 to %d are allowed",
                         text.len, BATCH_ID_MAX);
    *id = text;
    return CA_OK;
}

static enum ca_status read_csr(struct ca_bytes value, struct ca_buf *arena, struct ca_bytes *csr,
                               struct ca_error *err)
{
    if (!is_string(value))
        return ca_refuse(err, CA_REASON_NO_REQUEST, "the member \"csr\" is no string");
    *csr = unescape(value, arena);
    return CA_OK;
}

/* A value that goes on as it stands, to be read where its shape is known. */
static enum ca_status read_raw(const struct batch_member *member, bool list, struct ca_bytes *out,
                               struct ca_error *err)
{
    if (is_null(member->value)) return CA_OK;
    if (member->value.data[0] != (list ? '[' : '{'))
        return ca_refuse(err, CA_REASON_BAD_MEMBER, "the member \"%.*s\" is no %s",
                         (int)member->name.len, (const char *)member->name.data,
                         list ? "list" : "object");
    *out = member->value;
    return CA_OK;
}

static enum ca_status read_member(const struct batch_member *member, struct ca_buf *arena,
                                  struct batch_manifest_line *out, struct ca_error *err)
{
    if (name_is(member->name, "id")) return read_id(member->value, arena, &out->id, err);
    if (name_is(member->name, "csr")) return read_csr(member->value, arena, &out->csr, err);
    if (name_is(member->name, "subject")) return read_raw(member, false, &out->subject, err);
    if (name_is(member->name, "san")) return read_raw(member, true, &out->san, err);
    if (name_is(member->name, "api_passthrough"))
        return read_raw(member, false, &out->api_passthrough, err);
    if (batch_manifest_is_ours(member->name)) return CA_OK;
    return ca_refuse(err, CA_REASON_UNKNOWN_MEMBER, "the member \"%.*s\" is not known",
                     (int)(member->name.len > 64 ? 64 : member->name.len),
                     (const char *)member->name.data);
}

enum ca_status batch_manifest_parse(struct ca_bytes line, struct ca_buf *arena,
                                    struct batch_manifest_line *out, struct ca_error *err)
{
    struct batch_member_list list;
    enum ca_status first = CA_OK;

    *out = (struct batch_manifest_line){ .id = { 0 } };
    if (batch_manifest_split(line, &list, err) != CA_OK) return CA_MALFORMED;
    for (size_t i = 0; i < list.count; i++) {
        /* The first mistake is reported; the rest is read all the same, because the id may come. */
        enum ca_status st =
            read_member(&list.members[i], arena, out, first == CA_OK ? err : NULL);
        if (first == CA_OK) first = st;
    }
    if (first != CA_OK) return first;
    if (out->csr.len == 0)
        return ca_refuse(err, CA_REASON_NO_REQUEST, "the line has no member \"csr\"");
    return CA_OK;
}
