/*
 * Findings: what is wrong in a JSON document, each with the path of the value and what was expected
 * there. A checker goes on after a mistake, so that its reader mends all of them at once.
 *
 * Thread: belongs to its owner.
 */
#ifndef ENGINE_FINDING_H
#define ENGINE_FINDING_H

#include "engine/bytes.h"

#define CA_FINDINGS_MAX 64
#define CA_FINDING_PATH_MAX 160

struct ca_finding {
    char path[CA_FINDING_PATH_MAX];     /* "subject.attributes.CN.pattern"; "" is the document */
    char text[CA_ERROR_TEXT_MAX];       /* what is there and what was expected */
};

struct ca_findings {
    struct ca_finding items[CA_FINDINGS_MAX];
    size_t count;               /* kept */
    size_t total;               /* found */
};

void ca_finding_add(struct ca_findings *findings, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
