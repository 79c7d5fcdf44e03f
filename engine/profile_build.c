#include "engine/profile.h"

#include "engine/profile_private.h"

#include <assert.h>
#include <string.h>

/* Octets kept before the TBS: the certificate's header, whose length never needs more than two
 * octets below CA_CERT_DER_MAX. */
#define HEADER_ROOM 4

/* Lengths first, then straight copies. */

static const uint8_t version_3[] = { 0xa0, 3, CA_DER_INTEGER, 1, 2 };
static const uint8_t san_head[] = { CA_DER_OID, 3, 0x55, 0x1d, 0x11 };
static const uint8_t san_head_critical[] = { CA_DER_OID, 3, 0x55, 0x1d, 0x11,
                                             CA_DER_BOOLEAN, 1, 0xff };

/* One Time: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5). */
struct time_der {
    uint8_t octets[17];
    size_t len;
};

/* Lengths of a TBSCertificate's contents, innermost first. */
struct tbs_lens {
    struct time_der not_before, not_after;
    struct ca_bytes issuer;         /* of a root that signs itself; .len 0 otherwise */
    const struct ca_profile_tail *tail;
    bool serial_pad;                /* the INTEGER needs a zero octet before it */
    size_t san_ext;                 /* content of the SAN's Extension; 0: there is none */
    size_t extensions;              /* content of Extensions */
    size_t content;                 /* of the TBSCertificate */
    size_t tbs;                     /* with its header */
};

static size_t with_header(size_t content_len)
{
    return ca_der_header_len(content_len) + content_len;
}

static uint8_t *put(uint8_t *out, const void *data, size_t len)
{
    memcpy(out, data, len);
    return out + len;
}

static uint8_t *put_bytes(uint8_t *out, struct ca_bytes bytes)
{
    return put(out, bytes.data, bytes.len);
}

static uint8_t *put_header(uint8_t *out, uint8_t tag, size_t content_len)
{
    return out + ca_der_put_header(out, tag, content_len);
}

static uint8_t *put_digits(uint8_t *out, int32_t value)
{
    out[0] = (uint8_t)('0' + value / 10);
    out[1] = (uint8_t)('0' + value % 10);
    return out + 2;
}

/* ca_der_add_time prints with printf, which costs more than the rest of a TBSCertificate. */
static void encode_time(int64_t time_s, struct time_der *out)
{
    struct ca_civil c;
    uint8_t *p = out->octets + 2;
    bool utc;

    ca_time_to_civil(time_s, &c);
    utc = c.year >= 1950 && c.year <= 2049;
    if (!utc) p = put_digits(p, c.year / 100);
    p = put_digits(p, c.year % 100);
    p = put_digits(p, c.month);
    p = put_digits(p, c.day);
    p = put_digits(p, c.hour);
    p = put_digits(p, c.minute);
    p = put_digits(p, c.second);
    *p++ = 'Z';
    out->len = (size_t)(p - out->octets);
    out->octets[0] = utc ? CA_DER_UTC_TIME : CA_DER_GENERALIZED_TIME;
    out->octets[1] = (uint8_t)(out->len - 2);
}

static struct ca_bytes san_head_of(const struct ca_contents *contents)
{
    return contents->san_critical ? ca_bytes_of(san_head_critical, sizeof(san_head_critical))
                                  : ca_bytes_of(san_head, sizeof(san_head));
}

static void measure(const struct ca_profile *profile, const struct ca_tbs_input *input,
                    struct tbs_lens *lens)
{
    const struct ca_contents *contents = input->contents;
    bool rsa = input->request->key.kind == CA_KEY_KIND_RSA;

    *lens = (struct tbs_lens){ .serial_pad = input->serial->octets[0] >= 0x80 };
    encode_time(input->not_before_s, &lens->not_before);
    encode_time(input->not_after_s, &lens->not_after);
    if (profile->spec.issuer == NULL) lens->issuer = contents->subject;
    lens->tail = rsa ? &profile->rsa_tail : &profile->signing_tail;
    lens->extensions = profile->before_key_id.len + CA_PROFILE_KEY_ID_LEN + lens->tail->der.len +
                       contents->extra.len;
    if (contents->has_san) {
        lens->san_ext = san_head_of(contents).len + with_header(contents->san.len);
        lens->extensions += with_header(lens->san_ext);
    }
    lens->content = sizeof(version_3) + 2 + input->serial->len + (lens->serial_pad ? 1 : 0) +
                    profile->middle.len + lens->issuer.len + 2 + lens->not_before.len +
                    lens->not_after.len + contents->subject.len + input->request->key.whole.len +
                    with_header(with_header(lens->extensions));
    lens->tbs = with_header(lens->content);
}

/* Version, serial, dates, key identifier, and the headers of everything: 116 octets at most. */
#define FIXED_MAX 128

size_t ca_profile_cert_len_max(const struct ca_profile *profile, const struct ca_request *request,
                               const struct ca_contents *contents)
{
    size_t rsa_tail = profile->rsa_tail.der.len, signing_tail = profile->signing_tail.der.len;
    size_t names = contents->subject.len * (profile->spec.issuer == NULL ? 2 : 1);

    return FIXED_MAX + profile->middle.len + names + request->key.whole.len +
           profile->before_key_id.len + (rsa_tail > signing_tail ? rsa_tail : signing_tail) +
           contents->extra.len + (contents->has_san ? contents->san.len : 0) +
           profile->sig_alg_der.len + with_header(1 + profile->signature_max);
}

static uint8_t *put_serial(uint8_t *out, const struct ca_serial *serial, bool pad)
{
    out = put_header(out, CA_DER_INTEGER, serial->len + (pad ? 1u : 0u));
    if (pad) *out++ = 0;
    return put(out, serial->octets, serial->len);
}

static uint8_t *put_tail(uint8_t *out, const struct ca_profile_tail *tail, uint32_t scope)
{
    uint8_t *end;

    if (tail->der.len == 0) return out;
    end = put_bytes(out, ca_buf_view(&tail->der));
    for (size_t i = 0; i < tail->digits_count; i++) {
        ca_scope_put_digits(scope, out + tail->digits_at[i]);
    }
    return end;
}

static uint8_t *put_extensions(uint8_t *out, const struct ca_profile *profile,
                               const struct ca_tbs_input *input, const struct tbs_lens *lens)
{
    const struct ca_contents *contents = input->contents;

    out = put_header(out, CA_DER_CONTEXT_CONSTRUCTED(3), with_header(lens->extensions));
    out = put_header(out, CA_DER_SEQUENCE, lens->extensions);
    out = put_bytes(out, ca_buf_view(&profile->before_key_id));
    out = put(out, contents->subject_key_id, CA_PROFILE_KEY_ID_LEN);
    out = put_tail(out, lens->tail, input->scope);
    if (contents->extra.len > 0) out = put_bytes(out, contents->extra);
    if (!contents->has_san) return out;
    out = put_header(out, CA_DER_SEQUENCE, lens->san_ext);
    out = put_bytes(out, san_head_of(contents));
    out = put_header(out, CA_DER_OCTET_STRING, contents->san.len);
    return put_bytes(out, contents->san);
}

static uint8_t *put_tbs(uint8_t *out, const struct ca_profile *profile,
                        const struct ca_tbs_input *input, const struct tbs_lens *lens)
{
    out = put_header(out, CA_DER_SEQUENCE, lens->content);
    out = put(out, version_3, sizeof(version_3));
    out = put_serial(out, input->serial, lens->serial_pad);
    out = put_bytes(out, ca_buf_view(&profile->middle));
    if (lens->issuer.len > 0) out = put_bytes(out, lens->issuer);
    out = put_header(out, CA_DER_SEQUENCE, lens->not_before.len + lens->not_after.len);
    out = put(out, lens->not_before.octets, lens->not_before.len);
    out = put(out, lens->not_after.octets, lens->not_after.len);
    out = put_bytes(out, input->contents->subject);
    out = put_bytes(out, input->request->key.whole);
    return put_extensions(out, profile, input, lens);
}

enum ca_status ca_profile_build(const struct ca_profile *profile, const struct ca_tbs_input *input,
                                struct ca_buf *arena, struct ca_cert_slot *slot,
                                struct ca_error *err)
{
    struct tbs_lens lens;
    size_t offset = arena->len, size;
    uint8_t *at, *end;

    measure(profile, input, &lens);
    size = HEADER_ROOM + lens.tbs + profile->sig_alg_der.len +
           with_header(1 + profile->signature_max);
    if (size > CA_CERT_DER_MAX)
        return ca_refuse(err, CA_REASON_REQUEST_TOO_LONG,
                         "the certificate would be longer than %d octets", CA_CERT_DER_MAX);
    at = ca_buf_extend(arena, size);
    if (at == NULL) return ca_buf_status(arena, "the certificates of a chunk", err);
    end = put_tbs(at + HEADER_ROOM, profile, input, &lens);
    assert(end == at + HEADER_ROOM + lens.tbs);
    (void)end;
    *slot = (struct ca_cert_slot){ .offset = offset, .size = size,
                                   .tbs_offset = offset + HEADER_ROOM, .tbs_len = lens.tbs };
    return CA_OK;
}

void ca_profile_finish(const struct ca_profile *profile, struct ca_buf *arena,
                       struct ca_cert_slot *slot, struct ca_bytes signature)
{
    uint8_t *tbs = arena->data + slot->tbs_offset;
    uint8_t *at = tbs + slot->tbs_len;
    size_t content_len, header_len;

    assert(signature.len <= profile->signature_max);
    assert(slot->offset + slot->size <= arena->len);
    at = put_bytes(at, profile->sig_alg_der);
    at = put_header(at, CA_DER_BIT_STRING, 1 + signature.len);
    *at++ = 0;
    at = put_bytes(at, signature);
    content_len = (size_t)(at - tbs);
    header_len = ca_der_header_len(content_len);
    assert(header_len <= HEADER_ROOM);
    (void)ca_der_put_header(tbs - header_len, CA_DER_SEQUENCE, content_len);
    slot->der_offset = slot->tbs_offset - header_len;
    slot->der_len = header_len + content_len;
}
