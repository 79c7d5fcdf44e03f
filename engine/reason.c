#include "engine/reason.h"

#include <stdarg.h>
#include <stdio.h>

struct reason {
    const char *code;
    const char *rule;
    enum ca_status status;
};

static const struct reason reasons[CA_REASON_COUNT] = {
#define REASON_ROW(number, name, reason_code, reason_status, reason_rule)                          \
    [number] = { .code = (reason_code), .rule = (reason_rule), .status = (reason_status) },
    CA_REASONS(REASON_ROW)
#undef REASON_ROW
};

const char *ca_reason_code(uint16_t reason)
{
    return reason < CA_REASON_COUNT ? reasons[reason].code : NULL;
}

const char *ca_reason_rule(uint16_t reason)
{
    return reason < CA_REASON_COUNT ? reasons[reason].rule : NULL;
}

enum ca_status ca_refuse(struct ca_error *err, enum ca_reason reason, const char *format, ...)
{
    char text[CA_ERROR_TEXT_MAX];
    va_list args;

    if (err == NULL) return reasons[reason].status;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)ca_fail_named(err, reasons[reason].status, reasons[reason].code, "%s", text);
    err->reason = (uint16_t)reason;
    return reasons[reason].status;
}
