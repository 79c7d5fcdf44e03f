/*
 * What went wrong, for the program and for the reader.
 *
 * The status says what the program should do next, grouped by who must act; the error says what a
 * person should read. Foreign failures (errno, MDB_*, a negative cqe->res, OpenSSL's queue) are
 * translated where the call is made and travel no further.
 *
 * Thread: a struct ca_error belongs to its caller. No function here touches shared state.
 */
#ifndef ENGINE_STATUS_H
#define ENGINE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

enum ca_status {
    CA_OK = 0,
    CA_MALFORMED, CA_REFUSED, CA_DUPLICATE,     /* this request: report it, go on */
    CA_AGAIN,                                   /* nobody's fault: wait and retry */
    CA_NOMEM, CA_FULL, CA_IO, CA_CRYPTO, CA_CORRUPT, /* the run: stop, drain, explain */
    CA_STATUS_COUNT
};

#define CA_ERROR_TEXT_MAX 192
#define CA_ERROR_HINT_MAX 448   /* room for the counts and the longest name of a job */

struct ca_error {
    enum ca_status status;
    const char *source; /* "errno", "lmdb", "openssl"; NULL when no library was involved */
    int64_t code;       /* that library's number, for the log; nothing branches on it */
    uint16_t reason;    /* enum ca_reason of a refused request (engine/reason.h); 0 when none */
    const char *name;   /* stable kebab-case name for scripts, a literal; NULL: the status's own */
    char text[CA_ERROR_TEXT_MAX]; /* one printable sentence, never key material */
    char hint[CA_ERROR_HINT_MAX]; /* what to do about it, one sentence; "" when obvious */
};

#define CA_MUST_CHECK __attribute__((warn_unused_result))

/* Fills *err when err is not NULL; returns status, so that callers can return the call. */
enum ca_status ca_fail(struct ca_error *err, enum ca_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with the stable name that scripts match on ("ca-not-active"); name is a literal. */
enum ca_status ca_fail_named(struct ca_error *err, enum ca_status status, const char *name,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same for a failed system call: errnum goes to err->code, its text after the sentence.
 * ENOSPC and EDQUOT become CA_FULL, ENOMEM CA_NOMEM, everything else CA_IO. */
enum ca_status ca_fail_errno(struct ca_error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds what to do to an error already filled; err may be NULL. */
void ca_hint(struct ca_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Stable lower-case kebab name of a status: "ok", "malformed", "refused", ... */
const char *ca_status_name(enum ca_status status);

/* The name scripts see: err->name, else the status's own. */
const char *ca_error_name(const struct ca_error *err);

/* True for the statuses that concern one request only (CA_MALFORMED, CA_REFUSED, CA_DUPLICATE). */
bool ca_status_is_request(enum ca_status status);

#endif
