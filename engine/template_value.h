/*
 * Values of extensions in users' templates: DER in hexadecimal, or typed values of which DER is
 * made (engine/template_file.h has the list).
 *
 * Private to engine: shows jansson's types. Rare work; any thread, each with its own values.
 */
#ifndef ENGINE_TEMPLATE_VALUE_H
#define ENGINE_TEMPLATE_VALUE_H

#include "engine/finding.h"

#include <jansson.h>

#define CA_VALUE_MAX 4096       /* octets of "der" and "octets", characters of a text */
#define CA_VALUE_ITEMS_MAX 64   /* of one sequence */
#define CA_VALUE_DEPTH_MAX 8    /* sequences inside each other */

/* Appends one DER element to out. False after a mistake, which is found at path or below it; a lack
 * of memory is remembered by out. */
bool ca_template_value(const json_t *value, const char *path, struct ca_findings *findings,
                       struct ca_buf *out);

#endif
