#include "engine/ossl.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

/* The oldest entry is the cause, what follows only says who was calling; a failed allocation may
 * stand anywhere. */
static unsigned long take_cause(bool *out_of_memory)
{
    unsigned long first = 0, code;

    *out_of_memory = false;
    while ((code = ERR_get_error()) != 0) {
        if (first == 0) first = code;
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) *out_of_memory = true;
    }
    return first;
}

enum ca_status ca_fail_openssl(struct ca_error *err, enum ca_status status, const char *format, ...)
{
    char text[CA_ERROR_TEXT_MAX];
    bool out_of_memory;
    unsigned long code = take_cause(&out_of_memory);
    const char *why = code == 0 ? NULL : ERR_reason_error_string(code);
    va_list args;

    if (out_of_memory) status = CA_NOMEM;
    if (err == NULL) return status;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)ca_fail(err, status, "%s%s%s", text, why == NULL ? "" : ": ", why == NULL ? "" : why);
    err->source = "openssl";
    err->code = (int64_t)code;
    return status;
}

bool ca_openssl_drain(void)
{
    bool out_of_memory;

    (void)take_cause(&out_of_memory);
    return out_of_memory;
}

enum ca_status ca_openssl_verdict(int answer, bool *good, struct ca_error *err)
{
    /* After a success too: some calls recover from a failure and leave it in the queue. */
    bool out_of_memory = ca_openssl_drain();

    if (answer != 1 && out_of_memory) {
        return ca_fail(err, CA_NOMEM, "no memory for a public key operation");
    }
    *good = answer == 1;
    return CA_OK;
}
