#include "engine/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text comes from our own formats, but values inside it may be foreign: a control octet must not
 * reach a terminal or break a line of a log. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
    }
}

/* A sentence that did not fit ends in "...", not within a character. */
static void mark_cut(char text[CA_ERROR_TEXT_MAX])
{
    size_t end = CA_ERROR_TEXT_MAX - 4;

    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80) end--;
    memcpy(text + end, "...", 4);
}

__attribute__((format(printf, 4, 0)))
static enum ca_status fill(struct ca_error *err, enum ca_status status, const char *name,
                           const char *format, va_list args)
{
    if (err == NULL) return status;
    err->status = status;
    err->source = NULL;
    err->code = 0;
    err->reason = 0;
    err->name = name;
    err->hint[0] = '\0';
    if (vsnprintf(err->text, sizeof(err->text), format, args) >= (int)sizeof(err->text))
        mark_cut(err->text);
    make_printable(err->text);
    return status;
}

enum ca_status ca_fail(struct ca_error *err, enum ca_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fill(err, status, NULL, format, args);
    va_end(args);
    return status;
}

enum ca_status ca_fail_named(struct ca_error *err, enum ca_status status, const char *name,
                             const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fill(err, status, name, format, args);
    va_end(args);
    return status;
}

enum ca_status ca_fail_errno(struct ca_error *err, int errnum, const char *format, ...)
{
    enum ca_status status = CA_IO;
    size_t used;
    va_list args;

    if (errnum == ENOSPC || errnum == EDQUOT) status = CA_FULL;
    if (errnum == ENOMEM) status = CA_NOMEM;
    va_start(args, format);
    (void)fill(err, status, NULL, format, args);
    va_end(args);
    if (err == NULL) return status;
    err->source = "errno";
    err->code = errnum;
    used = strlen(err->text);
    if (used + 3 < sizeof(err->text)) {
        char reason[80];

        /* The GNU strerror_r; it may return a string of its own. */
        const char *why = strerror_r(errnum, reason, sizeof(reason));
        (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", why);
    }
    return status;
}

void ca_hint(struct ca_error *err, const char *format, ...)
{
    va_list args;

    if (err == NULL) return;
    va_start(args, format);
    (void)vsnprintf(err->hint, sizeof(err->hint), format, args);
    va_end(args);
    make_printable(err->hint);
}

const char *ca_status_name(enum ca_status status)
{
    switch (status) {
    case CA_OK: return "ok";
    case CA_MALFORMED: return "malformed";
    case CA_REFUSED: return "refused";
    case CA_DUPLICATE: return "duplicate";
    case CA_AGAIN: return "again";
    case CA_NOMEM: return "no-memory";
    case CA_FULL: return "full";
    case CA_IO: return "io";
    case CA_CRYPTO: return "crypto";
    case CA_CORRUPT: return "corrupt";
    case CA_STATUS_COUNT: break;
    }
    return "unknown";
}

const char *ca_error_name(const struct ca_error *err)
{
    return err->name != NULL ? err->name : ca_status_name(err->status);
}

bool ca_status_is_request(enum ca_status status)
{
    return status == CA_MALFORMED || status == CA_REFUSED || status == CA_DUPLICATE;
}
