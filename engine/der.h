/*
 * Strict DER (X.690 section 10 and 11) over slices: a reader that accepts exactly one encoding of
 * each value, and a writer that computes lengths first.
 *
 * The reader copies nothing and allocates nothing: what it returns are views into its input and
 * live as long as that. Only the forms that PKIX uses are known: definite minimal lengths of at
 * most four octets, low tag numbers (0..30). Anything else is CA_MALFORMED.
 *
 * Two kinds of fault: bytes that are not DER have reason bad-der; good DER that is not what the
 * caller's grammar asks for (another tag, something missing or left over, a value out of range)
 * has the reason that the cursor carries, so that the report can say which part is wrong.
 *
 * Thread: values belong to their owner.
 */
#ifndef ENGINE_DER_H
#define ENGINE_DER_H

#include "engine/bytes.h"

enum ca_der_tag {
    CA_DER_BOOLEAN = 0x01,
    CA_DER_INTEGER = 0x02,
    CA_DER_BIT_STRING = 0x03,
    CA_DER_OCTET_STRING = 0x04,
    CA_DER_NULL = 0x05,
    CA_DER_OID = 0x06,
    CA_DER_UTF8_STRING = 0x0c,
    CA_DER_PRINTABLE_STRING = 0x13,
    CA_DER_TELETEX_STRING = 0x14,
    CA_DER_IA5_STRING = 0x16,
    CA_DER_UTC_TIME = 0x17,
    CA_DER_GENERALIZED_TIME = 0x18,
    CA_DER_UNIVERSAL_STRING = 0x1c,
    CA_DER_BMP_STRING = 0x1e,
    CA_DER_SEQUENCE = 0x30,
    CA_DER_SET = 0x31,
};

#define CA_DER_CONTEXT(n) (0x80u | (n))             /* [n] IMPLICIT primitive */
#define CA_DER_CONTEXT_CONSTRUCTED(n) (0xa0u | (n)) /* [n] EXPLICIT, or IMPLICIT constructed */

/* What is left to read. */
struct ca_der {
    struct ca_bytes rest;
    uint16_t reason;        /* enum ca_reason of faults of grammar; 0: bad-der; enter inherits it */
};

/* One element: its tag octet, its content, and the whole of it (tag, length, content). */
struct ca_der_element {
    uint8_t tag;
    struct ca_bytes content;
    struct ca_bytes whole;
};

static inline struct ca_der ca_der_open(struct ca_bytes input)
{
    return (struct ca_der){ .rest = input };
}

static inline bool ca_der_at_end(const struct ca_der *der) { return der->rest.len == 0; }

/* True when the next element has this tag (false at the end). */
bool ca_der_next_is(const struct ca_der *der, uint8_t tag);

/* Reads the next element, of any tag. CA_MALFORMED: truncated, BER length, high tag number. */
CA_MUST_CHECK enum ca_status ca_der_any(struct ca_der *der, struct ca_der_element *out,
                                        struct ca_error *err);
/* Reads the next element, which must have this tag; "what" names it in the error. */
CA_MUST_CHECK enum ca_status ca_der_take(struct ca_der *der, uint8_t tag, const char *what,
                                         struct ca_der_element *out, struct ca_error *err);
/* Opens a constructed element of this tag: *inner reads its content. */
CA_MUST_CHECK enum ca_status ca_der_enter(struct ca_der *der, uint8_t tag, const char *what,
                                          struct ca_der *inner, struct ca_error *err);
/* CA_MALFORMED when anything is left. */
CA_MUST_CHECK enum ca_status ca_der_end(const struct ca_der *der, const char *what,
                                        struct ca_error *err);

/* Reads the next element of a SET OF: each greater than the one before it (X.690 11.6; a twin says
 * nothing new and is refused too). *previous is kept by the caller, .len 0 before the first. */
CA_MUST_CHECK enum ca_status ca_der_set_next(struct ca_der *set, uint8_t tag, const char *what,
                                             struct ca_bytes *previous,
                                             struct ca_der_element *out, struct ca_error *err);
/* Checks a whole element of unknown meaning: strict lengths at every level, the rules of each
 * universal type, at most CA_DER_DEPTH_MAX constructed elements inside each other. */
#define CA_DER_DEPTH_MAX 32
CA_MUST_CHECK enum ca_status ca_der_check_nested(struct ca_bytes whole, const char *what,
                                                 struct ca_error *err);

/* Typed readers of the next element. */
CA_MUST_CHECK enum ca_status ca_der_bool(struct ca_der *der, const char *what, bool *out,
                                         struct ca_error *err);         /* 00 or ff only */
/* A minimal INTEGER that is not negative: its magnitude without the leading zero octet
 * (zero itself is one octet 00). */
CA_MUST_CHECK enum ca_status ca_der_unsigned(struct ca_der *der, const char *what,
                                             struct ca_bytes *out, struct ca_error *err);
CA_MUST_CHECK enum ca_status ca_der_small(struct ca_der *der, const char *what, uint32_t *out,
                                          struct ca_error *err);        /* 0..2^31-1 */
/* A BIT STRING with no unused bits: its octets. */
CA_MUST_CHECK enum ca_status ca_der_octets_of_bits(struct ca_der *der, const char *what,
                                                   struct ca_bytes *out, struct ca_error *err);
/* An OBJECT IDENTIFIER with minimal arcs, at most 64 octets: its content octets. */
CA_MUST_CHECK enum ca_status ca_der_oid(struct ca_der *der, const char *what, struct ca_bytes *out,
                                        struct ca_error *err);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 has them (Zulu, seconds, no fraction). */
CA_MUST_CHECK enum ca_status ca_der_time(struct ca_der *der, const char *what, int64_t *time_s,
                                         struct ca_error *err);

/* Dotted text of an OID's content octets; out holds cap characters; cut with "..." when longer. */
void ca_der_oid_text(struct ca_bytes oid, char *out, size_t cap);
/* Content octets of a dotted OID. CA_MALFORMED: not an OID, or longer than 64 octets. */
CA_MUST_CHECK enum ca_status ca_der_oid_parse(const char *dotted, struct ca_buf *out,
                                              struct ca_error *err);

/*
 * Writing: sizes are known before bytes are written. ca_der_header_len(content_len) is 2 to 6.
 * ca_der_put_header writes into out and returns the octets written.
 */
size_t ca_der_header_len(size_t content_len);
size_t ca_der_put_header(uint8_t *out, uint8_t tag, size_t content_len);

/* Appending to a buffer. */
void ca_der_add_header(struct ca_buf *out, uint8_t tag, size_t content_len);
void ca_der_add(struct ca_buf *out, uint8_t tag, struct ca_bytes content);
void ca_der_add_unsigned(struct ca_buf *out, struct ca_bytes magnitude); /* minimal INTEGER */
void ca_der_add_small(struct ca_buf *out, uint32_t value);
void ca_der_add_oid(struct ca_buf *out, struct ca_bytes oid_content);
void ca_der_add_bits(struct ca_buf *out, struct ca_bytes octets);        /* no unused bits */
/* A named-bit list (KeyUsage): bit 0 is the most significant; trailing zero bits dropped (X.690
 * 11.2.2). bits has named bit i at (1u << i), at most 9 of them. */
void ca_der_add_named_bits(struct ca_buf *out, uint16_t bits);
/* UTCTime through 2049, GeneralizedTime from 2050. */
void ca_der_add_time(struct ca_buf *out, int64_t time_s);

/* A constructed value written inside out, wrapped afterwards: mark = out->len before its content;
 * ca_der_wrap(out, mark, tag) moves the content up and puts the header before it. */
void ca_der_wrap(struct ca_buf *out, size_t mark, uint8_t tag);

#endif
