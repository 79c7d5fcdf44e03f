#include "engine/finding.h"

#include <stdarg.h>
#include <stdio.h>

/* Paths and texts repeat what a file says; a control octet of it must not reach a terminal. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
    }
}

void ca_finding_add(struct ca_findings *findings, const char *path, const char *format, ...)
{
    struct ca_finding *finding;
    va_list args;

    findings->total++;
    if (findings->count == CA_FINDINGS_MAX) return;
    finding = &findings->items[findings->count++];
    (void)snprintf(finding->path, sizeof(finding->path), "%s", path);   /* cut when longer */
    va_start(args, format);
    (void)vsnprintf(finding->text, sizeof(finding->text), format, args);
    va_end(args);
    make_printable(finding->path);
    make_printable(finding->text);
}
