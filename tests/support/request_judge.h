/*
 * Judges what is read of a request, and puts requests together by hand: each part in hexadecimal,
 * to be exchanged one at a time. Their signature is not right: it is not the reader's to check
 * (tests/support/request_builder.h signs what it builds).
 */
#ifndef TESTS_SUPPORT_REQUEST_JUDGE_H
#define TESTS_SUPPORT_REQUEST_JUDGE_H

#include "engine/request.h"

/* Parses a copy that ends where the request ends. The copy is the caller's to free: the request is
 * made of views into it. */
enum ca_status request_parse_exact(struct ca_bytes der, struct ca_request *out, uint8_t **copy,
                                   struct ca_error *err);

/* CA_REASON_NONE: it is accepted. admit: CA_ADMIT_ bits, none for request_judge. */
void request_judge(struct ca_bytes der, enum ca_reason reason, const char *what);
void request_judge_admitting(struct ca_bytes der, unsigned admit, enum ca_reason reason,
                             const char *what);

#define HEX32 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SIG_ECDSA "030900" "3006020101020101"

/* NULL: the part of a good request, P-256 with SHA-256. */
struct request_hex {
    const char *version, *subject, *key, *attributes, *algorithm, *signature, *after;
};

void request_add_hex(struct ca_buf *out, const char *hex);
/* Initialises out, the caller's to clear; the result is a view into it. */
struct ca_bytes request_assemble(const struct request_hex *parts, struct ca_buf *out);

struct request_hex_case {
    const char *what;
    struct request_hex parts;
    enum ca_reason reason;
};

void request_judge_hex(const struct request_hex_case *cases, size_t count);
#define REQUEST_JUDGE_HEX(cases) request_judge_hex(cases, sizeof(cases) / sizeof((cases)[0]))

#endif
